import { type ApplicationKind, kindOf, OwnClients } from '../clients/own-clients.js'
import { PageError } from '../errors.js'
import type { FormMethods } from '../http/pages.js'
import type { PageReply } from '../http/reply.js'
import type { FormRequest } from '../http/request.js'
import type { Runtime } from '../runtime.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { type Gate, letIn } from './let-in.js'

/** A request of a user who may make applications. */
export interface Developer {
  readonly runtime: Runtime
  readonly request: FormRequest
  readonly user: { readonly id: string }
  /** The applications of this user. */
  readonly own: OwnClients
}

/** Answers one method of a page for developers. */
export type DeveloperMethods = Readonly<
  Record<keyof FormMethods, (developer: Developer) => Promise<PageReply>>
>

/** Lets in whom the host allows to make applications now, at every request; whoever is signed out goes to the login. */
export function forDevelopers(
  runtimeAt: (request: FormRequest) => Runtime,
  { GET, POST, refused }: DeveloperMethods,
): FormMethods {
  const guarded = (answer: (developer: Developer) => Promise<PageReply>) => (request: FormRequest) => {
    const runtime = runtimeAt(request)
    return letIn(runtime, request, GATE, (id) =>
      answer({ runtime, request, user: { id }, own: new OwnClients(runtime, id) }),
    )
  }
  return { GET: guarded(GET), POST: guarded(POST), refused: guarded(refused) }
}

/** The list of applications, or the page of one. */
export function applicationPath({ mount }: Pick<Settings, 'mount'>, id?: string): string {
  return `${mount}/applications${id === undefined ? '' : `/${encodeURIComponent(id)}`}`
}

/** What the user asked for, where it is nothing that a login page could stumble over. */
function returnPath(settings: Settings, id: string): string {
  return applicationPath(settings, /^[\w-]{1,255}$/.test(id) ? id : undefined)
}

/** The application of this user with this id. Of any other nobody is told whether there is one. */
export async function ownApplication({ own, request }: Developer): Promise<Client> {
  const client = await own.find(request.id)
  if (client !== undefined) return client
  throw new PageError(
    'invalid_request',
    { key: 'applications.unknown' },
    { reason: 'application_unknown', status: 404 },
  )
}

/** An application as the pages show it. */
export interface ShownApplication {
  readonly id: string
  readonly name: string
  readonly type: ApplicationKind
  readonly verified: boolean
  readonly blocked: boolean
  readonly createdAt: Date
}

export function shownApplication(client: Client): ShownApplication {
  const { id, name, verified = false, disabled, createdAt } = client
  return { id, name, type: kindOf(client), verified, blocked: disabled, createdAt: new Date(createdAt) }
}

const GATE: Gate = {
  asked: ({ settings }, user) => settings.applications?.(user),
  returnPath: ({ settings }, { id }) => returnPath(settings, id),
  refusal: () =>
    new PageError(
      'access_denied',
      { key: 'applications.not_allowed' },
      { reason: 'applications_not_allowed' },
    ),
  notBoolean: {
    code: 'applications_not_boolean',
    message:
      'The option applications gave neither true nor false, so that user may make none. Return a boolean: applications: (user) => user.role === "developer".',
  },
}
