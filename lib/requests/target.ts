import { explainMismatch, matchesRedirectUri } from '../authorization/redirect-uri.js'
import { type ResponseTarget, requestedResponseMode } from '../authorization/response.js'
import { anApplication, type ErrorTexts, inRequest, PageError } from '../errors.js'
import type { Parameters } from '../parameters.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import type { Text } from '../text.js'

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
  if (requested !== undefined) {
    return refusal(client, 'redirect_uri_mismatch', {
      key: 'error.redirect_uri_mismatch',
      values: { difference: explainMismatch(requested, client.redirectUris) },
      details: [inRequest('redirect_uri', requested), anApplication(client)],
    })
  }
  return refusal(client, 'redirect_uri_missing', {
    key: 'error.redirect_uri_missing',
    message: notOnce(parameters, 'redirect_uri'),
    details: [anApplication(client)],
  })
}

/** Says what is wrong with a parameter that has to be there once. */
export function notOnce(parameters: Parameters, name: string): Text {
  const key = parameters.isRepeated(name) ? 'error.repeated.message' : 'error.missing.message'
  return { key, values: { name } }
}

function refusal({ id }: Client, reason: string, page: ErrorTexts): PageError {
  return new PageError('invalid_request', page, { reason, clientId: id })
}
