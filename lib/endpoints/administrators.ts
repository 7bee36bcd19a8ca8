import { PageError } from '../errors.js'
import type { Administrator } from '../events.js'
import type { FormMethods } from '../http/pages.js'
import type { PageReply } from '../http/reply.js'
import type { FormRequest } from '../http/request.js'
import type { Runtime } from '../runtime.js'
import type { Text } from '../text.js'
import { type Gate, letIn } from './let-in.js'

/** A request of a user who may administrate. */
export interface AdminRequest {
  readonly runtime: Runtime
  readonly request: FormRequest
  /** As whom what they do is told. */
  readonly by: Administrator
}

/** What a page says beside what it always shows. */
export interface Said {
  readonly notice: Text
  readonly status: number
}

/** A page for administrators: what it shows, and what it does with what was posted. */
export interface AdminPage {
  readonly show: (admin: AdminRequest, said?: Said) => Promise<PageReply>
  readonly act: (admin: AdminRequest) => Promise<PageReply>
}

/** Lets in whom the host calls an administrator now, at every request; whoever is signed out goes to the login. */
export function forAdministrators(
  runtimeAt: (request: FormRequest) => Runtime,
  { show, act }: AdminPage,
): FormMethods {
  const guarded = (answer: (admin: AdminRequest) => Promise<PageReply>) => (request: FormRequest) => {
    const runtime = runtimeAt(request)
    return letIn(runtime, request, GATE, (userId) => answer({ runtime, request, by: `admin:${userId}` }))
  }
  return {
    GET: guarded((admin) => show(admin)),
    POST: guarded(act),
    refused: guarded((admin) => show(admin, { notice: { key: 'admin.expired' }, status: 403 })),
  }
}

/** The path of one of the pages: `/admin`, or one below it, with a query. */
export function adminPath(
  { settings }: Runtime,
  page = '',
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const given = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value) given.append(name, value)
  return `${settings.mount}/admin${page}${given.size > 0 ? `?${given}` : ''}`
}

const GATE: Gate = {
  asked: ({ settings }, user) => settings.admin?.(user),
  returnPath: (runtime) => adminPath(runtime),
  // Says nothing of what there is.
  refusal: () =>
    new PageError('access_denied', { key: 'admin.refused' }, { reason: 'not_an_administrator', status: 403 }),
  notBoolean: {
    code: 'admin_not_boolean',
    message:
      'The option admin gave neither true nor false, so that user is let into no page for administrators. Return a boolean: admin: (user) => user.role === "admin".',
  },
}
