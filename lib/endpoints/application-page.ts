import { randomBytes } from 'node:crypto'
import type { FieldProblems } from '../clients/field-problems.js'
import { kindOf } from '../clients/own-clients.js'
import { type PageReply, page } from '../http/reply.js'
import type { Client } from '../store/records.js'
import type { Text } from '../text.js'
import { emptyForm, filledForm, shownForm, type TypedApplication } from './application-form.js'
import { applicationPath, type Developer, shownApplication } from './developers.js'

/** For how many seconds the secret before may still count. */
export const OVERLAPS = [0, 86_400, 7 * 86_400, 30 * 86_400] as const

/** The one of them that is chosen where the user chooses none. */
const USUAL_OVERLAP = OVERLAPS[2]

/** In what a page differs from what it is when it is opened. */
export interface PageChange {
  readonly status?: number
  readonly notice?: Text
  /** Why it was refused, in the words of the specifications, which clients get too: small print. */
  readonly refusal?: string
  /** What the form is filled with. Default: what there is. */
  readonly typed?: TypedApplication
  readonly problems?: FieldProblems
}

export function newApplicationPage(
  developer: Developer,
  { status = 200, notice, refusal, typed, problems = {}, form }: PageChange & { readonly form?: string } = {},
): PageReply {
  const { settings } = developer.runtime
  const locals = {
    step: 'new',
    ...everyStep(developer, 'new'),
    application: undefined,
    form: form ?? newForm(),
    fields: shownForm(settings, typed ?? emptyForm(settings), problems),
    ...{ notice, refusal },
  }
  return page('application', { key: 'applications.new' }, locals, status)
}

export function newForm(): string {
  return randomBytes(16).toString('base64url')
}

/** `secret`: the one that the application has just got. */
export function applicationPage(
  developer: Developer,
  client: Client,
  {
    status = 200,
    notice,
    refusal,
    typed,
    problems = {},
    secret,
  }: PageChange & { readonly secret?: string } = {},
): PageReply {
  const { settings, now } = developer.runtime
  const ends = client.previousSecret?.expiresAt ?? 0
  const locals = {
    step: 'view',
    ...everyStep(developer, client.id),
    application: shownApplication(client),
    fields: shownForm(settings, typed ?? filledForm(client, settings), problems),
    secret,
    hasSecret: client.secret !== undefined,
    previousSecretEndsAt: ends > now() ? new Date(ends) : undefined,
    ...{ overlaps: OVERLAPS, usualOverlap: USUAL_OVERLAP },
    revision: client.revision,
    endpoints: endpointsOf(developer, client),
    ...{ notice, refusal },
  }
  return page('application', title(client), locals, status)
}

export function deletionPage(
  developer: Developer,
  client: Client,
  { status = 200, notice }: PageChange = {},
) {
  const locals = {
    step: 'delete',
    ...everyStep(developer, client.id),
    application: shownApplication(client),
    notice,
  }
  return page('application', title(client), locals, status)
}

/** What came back of a trial: what the application would have been sent. */
export function trialPage(
  developer: Developer,
  client: Client,
  trial: {
    readonly answer: readonly { readonly name: string; readonly value: string }[]
    readonly redirectUri: string
    readonly scopes: readonly { readonly name: string; readonly description: Text | string }[] | undefined
  },
): PageReply {
  const locals = {
    step: 'tried',
    ...everyStep(developer, client.id),
    application: shownApplication(client),
    ...trial,
    grantsUrl: `${developer.runtime.settings.mount}/authorized-applications`,
    notice: undefined,
  }
  return page('application', title(client), locals)
}

/** What the page has in each of its steps. */
function everyStep({ runtime: { settings }, request }: Developer, id: string) {
  return {
    action: applicationPath(settings, id),
    listUrl: applicationPath(settings),
    csrfToken: request.csrfToken(),
  }
}

function title({ name }: Client): Text {
  return { key: 'applications.title_of', values: { name } }
}

/** What an application has to know of this server. */
function endpointsOf({ runtime: { settings } }: Developer, client: Client) {
  const { issuer } = settings
  const begin =
    kindOf(client) === 'device'
      ? { name: 'device_authorization_endpoint', url: `${issuer}/device_authorization` }
      : { name: 'authorization_endpoint', url: `${issuer}/authorize` }
  return [{ name: 'issuer', url: issuer }, begin, { name: 'token_endpoint', url: `${issuer}/token` }]
}
