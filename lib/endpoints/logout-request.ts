import { withQuery } from '../authorization/response.js'
import { findClient } from '../clients/find.js'
import { LONGEST_SHOWN, PageError } from '../errors.js'
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
      heading: 'This request to sign out is not clear',
      message: `${repeated} was sent more than once.`,
      hint: 'The application has to send each parameter once.',
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
    {
      heading: 'This request to sign out is too long',
      message: `The application sent more than ${LONGEST_QUERY} characters.`,
      hint: 'The application has to send a shorter state, or client_id in place of id_token_hint.',
    },
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
  throw refusal(settings, 'hint_invalid', {
    heading: 'The application could not prove whom it wants to sign out',
    message: 'Its id_token_hint is not an ID token of this server, or has been changed.',
    hint: 'The application has to send the ID token exactly as it got it; an expired one will do. It may also leave id_token_hint out and send client_id.',
  })
}

async function readClient(
  runtime: Runtime,
  clientId: string | undefined,
  hint: IdTokenHint | undefined,
): Promise<Client | undefined> {
  const id = clientId ?? hint?.clientId
  if (id === undefined) return undefined
  if (hint !== undefined && hint.clientId !== id) {
    throw refusal(runtime.settings, 'client_mismatch', {
      heading: 'Two applications are named in this request to sign out',
      message: 'Its client_id is not the one that the id_token_hint was issued to.',
      hint: 'The application has to send an ID token of its own.',
    })
  }
  const client = await findClient(runtime, id)
  if (client !== undefined) return client
  throw refusal(runtime.settings, 'client_unknown', {
    heading: 'This application is not known here',
    message:
      clientId === undefined
        ? 'The id_token_hint was issued to a client that is no longer registered on this server.'
        : 'Its client_id is not registered on this server.',
    details: [{ label: 'client_id in the request', value: id.slice(0, LONGEST_SHOWN) }],
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
  const heading = 'The application asked to go on at an address that is not its own'
  const details = [{ label: 'post_logout_redirect_uri in the request', value: uri.slice(0, LONGEST_SHOWN) }]
  if (client === undefined) {
    throw refusal(settings, 'client_id_missing', {
      heading,
      message: 'post_logout_redirect_uri was sent without saying whose it is.',
      hint: 'The application has to send its client_id or an id_token_hint with it.',
      details,
    })
  }
  throw refusal(settings, 'post_logout_redirect_uri_mismatch', {
    heading,
    message: 'The post_logout_redirect_uri in this request is not registered for the application.',
    hint: 'The application has to send one of its post_logout_redirect_uris, character for character, or register this one.',
    details: [...details, { label: 'Application', value: client.name }],
  })
}

/** Whatever the application did wrong, the user may still want to sign out. */
function refusal(
  settings: Settings,
  reason: string,
  page: Omit<ConstructorParameters<typeof PageError>[1], 'next'>,
  status?: number,
): PageError {
  const next = { url: `${settings.mount}/logout`, label: 'Sign out anyway' }
  const details = { reason, ...(status !== undefined && { status }) }
  return new PageError('invalid_request', { ...page, next }, details)
}
