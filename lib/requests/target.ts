import { explainMismatch, matchesRedirectUri } from '../authorization/redirect-uri.js'
import { type ResponseTarget, requestedResponseMode } from '../authorization/response.js'
import { LONGEST_SHOWN, PageError } from '../errors.js'
import type { Parameters } from '../parameters.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'

/** Where a client has asked to be answered, and may be. */
export type ProvenTarget = ResponseTarget & { readonly clientId: string }

/** Where a request of this client may be answered, with success and with every error; undefined where its redirect URI is not proven. */
export function targetOf(
  client: Client,
  parameters: Parameters,
  settings: Pick<Settings, 'features' | 'profile'>,
): ProvenTarget | undefined {
  const redirectUri = provenRedirectUri(client, parameters, settings)
  if (redirectUri === undefined) return undefined
  return {
    clientId: client.id,
    redirectUri,
    responseMode: requestedResponseMode(parameters, redirectUri, settings),
    state: parameters.get('state'),
  }
}

/** RFC 6749 §3.1.2.3: it may be left out only where there is no choice, and never with OpenID Connect (Core §3.1.2.1). */
function provenRedirectUri(
  { redirectUris }: Client,
  parameters: Parameters,
  { profile }: Pick<Settings, 'profile'>,
): string | undefined {
  const requested = parameters.get('redirect_uri')
  if (requested !== undefined) return matchesRedirectUri(requested, redirectUris) ? requested : undefined
  if (profile.requireRedirectUri) return undefined
  const [only, ...others] = redirectUris
  const openid = parameters.all('scope').some((scope) => scope.split(' ').includes('openid'))
  return others.length === 0 && !parameters.isRepeated('redirect_uri') && !openid ? only : undefined
}

/** Says why `targetOf` has found none. */
export function withoutTarget(client: Client, parameters: Parameters): PageError {
  const requested = parameters.get('redirect_uri')
  const application = { label: 'Application', value: client.name }
  if (requested !== undefined) {
    return refusal(client, 'redirect_uri_mismatch', {
      heading: 'The application asked to be answered at an address that is not its own',
      message: `The redirect_uri in this request is not registered for the application. ${explainMismatch(requested, client.redirectUris)}`,
      hint: 'The application has to send a registered redirect_uri, character for character, or register this one.',
      details: [
        { label: 'redirect_uri in the request', value: requested.slice(0, LONGEST_SHOWN) },
        application,
      ],
    })
  }
  const repeated = parameters.isRepeated('redirect_uri')
  return refusal(client, 'redirect_uri_missing', {
    heading: 'The application did not say where to answer',
    message: repeated ? 'redirect_uri was sent more than once.' : 'redirect_uri is missing.',
    hint: 'The application has to send one of its registered redirect URIs, once.',
    details: [application],
  })
}

function refusal(
  { id }: Client,
  reason: string,
  page: ConstructorParameters<typeof PageError>[1],
): PageError {
  return new PageError('invalid_request', page, { reason, clientId: id })
}
