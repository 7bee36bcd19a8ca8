import { withQuery } from '../authorization/response.js'
import { findClient } from '../clients/find.js'
import { anApplication, type ErrorTexts, inRequest, PageError } from '../errors.js'
import type { Parameters } from '../parameters.js'
import type { Runtime } from '../runtime.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { type IdTokenHint, readIdTokenHint } from '../tokens/id-token-hint.js'
import { LONGEST_QUERY } from './limits.js'

/** RP-Initiated Logout §2. The last two are allowed to be there, and change nothing. */
const PARAMETERS = [
  'id_token_hint',
  'client_id',
  'post_logout_redirect_uri',
  'state',
  'logout_hint',
  'ui_locales',
]

/** A logout request in which nothing is wrong. What it says of the user is for others to compare. */
export interface LogoutRequest {
  /** Who sends it, as far as it says so. */
  readonly client: Client | undefined
  /** An ID token of ours that `client` got. */
  readonly hint: IdTokenHint | undefined
  /** Where the browser goes afterwards: registered by `client`, with `state` added. */
  readonly returnTo: string | undefined
  /** The request itself, so that a form can repeat it. */
  readonly parameters: readonly { readonly name: string; readonly value: string }[]
}

/**
 * Reads a logout request (RP-Initiated Logout §2, §3). Where anything in it is wrong, all of it is refused on a page: an address that
 * is not proven gets no redirect, and a hint that is not ours ends nothing.
 */
export async function readLogoutRequest(runtime: Runtime, parameters: Parameters): Promise<LogoutRequest> {
  const { settings } = runtime
  refuseTooLong(settings, queryOf(parameters))
  const repeated = PARAMETERS.find((name) => parameters.isRepeated(name))
  if (repeated !== undefined) {
    throw refusal(settings, 'parameter_repeated', {
      key: 'error.logout_repeated',
      message: { key: 'error.repeated.message', values: { name: repeated } },
    })
  }
  const hint = await readHint(runtime, parameters.get('id_token_hint'))
  const client = await readClient(runtime, parameters.get('client_id'), hint)
  return {
    client,
    hint,
    returnTo: readReturnTo(settings, client, parameters),
    parameters: PARAMETERS.flatMap((name) => {
      const value = parameters.get(name)
      return value === undefined ? [] : [{ name, value }]
    }),
  }
}

/** The same request by GET. */
export function logoutPath(settings: Settings, parameters: Parameters): string {
  const query = queryOf(parameters)
  refuseTooLong(settings, query)
  return query === '' ? `${settings.mount}/logout` : `${settings.mount}/logout?${query}`
}

/** What of a request counts, as a query. */
function queryOf(parameters: Parameters): string {
  const query = new URLSearchParams()
  for (const name of PARAMETERS) for (const value of parameters.all(name)) query.append(name, value)
  return query.toString()
}

function refuseTooLong(settings: Settings, query: string): void {
  if (query.length <= LONGEST_QUERY) return
  throw refusal(
    settings,
    'request_too_long',
    { key: 'error.logout_too_long', values: { most: String(LONGEST_QUERY) } },
    413,
  )
}

async function readHint(
  { keys, settings }: Runtime,
  given: string | undefined,
): Promise<IdTokenHint | undefined> {
  if (given === undefined) return undefined
  const hint = await readIdTokenHint(keys, given, settings.issuer)
  if (hint !== undefined) return hint
  throw refusal(settings, 'hint_invalid', { key: 'error.logout_hint_invalid' })
}

async function readClient(
  runtime: Runtime,
  clientId: string | undefined,
  hint: IdTokenHint | undefined,
): Promise<Client | undefined> {
  const id = clientId ?? hint?.clientId
  if (id === undefined) return undefined
  if (hint !== undefined && hint.clientId !== id) {
    throw refusal(runtime.settings, 'client_mismatch', { key: 'error.logout_client_mismatch' })
  }
  const client = await findClient(runtime, id)
  if (client !== undefined) return client
  throw refusal(runtime.settings, 'client_unknown', {
    key: 'error.logout_client_unknown',
    ...(clientId === undefined && { message: { key: 'error.logout_client_gone.message' } }),
    details: [inRequest('client_id', id)],
  })
}

/** RP-Initiated Logout §3: exactly as it was registered, and only for a client that is known. */
function readReturnTo(
  settings: Settings,
  client: Client | undefined,
  parameters: Parameters,
): string | undefined {
  const uri = parameters.get('post_logout_redirect_uri')
  if (uri === undefined) return undefined
  const state = parameters.get('state')
  if (client?.postLogoutRedirectUris?.includes(uri))
    return withQuery(uri, state === undefined ? {} : { state })
  const details = [inRequest('post_logout_redirect_uri', uri)]
  if (client === undefined)
    throw refusal(settings, 'client_id_missing', { key: 'error.logout_whose', details })
  throw refusal(settings, 'post_logout_redirect_uri_mismatch', {
    key: 'error.logout_return',
    details: [...details, anApplication(client)],
  })
}

/** Whatever the application did wrong, the user may still want to sign out. */
function refusal(
  settings: Settings,
  reason: string,
  page: Omit<ErrorTexts, 'next'>,
  status?: number,
): PageError {
  const next = { url: `${settings.mount}/logout`, label: { key: 'error.next.sign_out_anyway' } }
  const details = { reason, ...(status !== undefined && { status }) }
  return new PageError('invalid_request', { ...page, next }, details)
}
