import type { OAuthError } from '../errors.js'
import { fitsAlg, keyAlgs } from '../keys/client-jwt.js'
import type { Profile } from '../profile.js'
import type { Client } from '../store/records.js'
import { invalid } from './fields.js'
import { invalidRedirectUri } from './redirect-uris.js'

const PROFILE = 'The option profile'

/** What the option `profile` forbids this client, whatever else is right with it; undefined where nothing is. A client may have been kept before that option was set. */
export function forbiddenBy(profile: Profile, client: Client): OAuthError | undefined {
  return (
    wrongMethod(profile, client) ??
    wrongAudience(profile, client) ??
    wrongKeys(profile, client) ??
    wrongAlg(profile, client) ??
    withoutPkce(profile, client) ??
    overHttp(profile, client)
  )
}

function wrongMethod(
  { authMethods }: Profile,
  { confidential, tokenEndpointAuthMethod: method = confidential ? 'client_secret_basic' : 'none' }: Client,
): OAuthError | undefined {
  if (authMethods === undefined || authMethods.includes(method)) return undefined
  return invalid(
    'token_endpoint_auth_method',
    `is ${method}`,
    `${PROFILE} allows: ${authMethods.join(', ')}.`,
  )
}

function wrongAudience(
  { onlyIssuerAsAudience }: Profile,
  { acceptEndpointAudience }: Client,
): OAuthError | undefined {
  if (!onlyIssuerAsAudience || !acceptEndpointAudience) return undefined
  return invalid('accept_endpoint_audience', 'is true', `${PROFILE} wants the issuer as aud: leave this out.`)
}

function wrongKeys(profile: Profile, { jwks, tokenEndpointAuthMethod }: Client): OAuthError | undefined {
  const signs = tokenEndpointAuthMethod === 'private_key_jwt'
  if (profile.algs === undefined || jwks === undefined || !signs) return undefined
  const algs = keyAlgs(profile)
  if (jwks.keys.some((key) => algs.some((alg) => fitsAlg(key, alg)))) return undefined
  return invalid(
    'jwks',
    `has no key for ${algs.join(', ')}`,
    `${PROFILE} allows no other algorithms: add one.`,
  )
}

function wrongAlg(profile: Profile, client: Client): OAuthError | undefined {
  if (profile.algs === undefined) return undefined
  const byClient = keyAlgs(profile)
  const byUs = profile.signingAlgs
  const chosen: readonly (readonly [field: string, alg: string | undefined, allowed: readonly string[]])[] = [
    ['token_endpoint_auth_signing_alg', client.tokenEndpointAuthSigningAlg, byClient],
    ['request_object_signing_alg', client.requestObjectSigningAlg, byClient],
    ['id_token_signed_response_alg', client.idTokenSignedResponseAlg, byUs],
    ['userinfo_signed_response_alg', client.userinfoSignedResponseAlg, byUs],
    ['introspection_signed_response_alg', client.introspectionSignedResponseAlg, byUs],
  ]
  for (const [field, alg, allowed] of chosen) {
    if (alg !== undefined && !allowed.includes(alg))
      return invalid(field, `is ${alg}`, `${PROFILE} allows: ${allowed.join(', ')}.`)
  }
  return undefined
}

function withoutPkce({ requirePkce: demanded }: Profile, { requirePkce }: Client): OAuthError | undefined {
  if (!demanded || requirePkce) return undefined
  return invalid('require_pkce', 'is false', `${PROFILE} demands PKCE: leave this out.`)
}

/** RFC 8252 §7.3 is for native apps; what others are sent must not cross a network in the clear, not even by mistake. */
function overHttp(
  { loopbackForNativeOnly }: Profile,
  { redirectUris, applicationType }: Client,
): OAuthError | undefined {
  const uri = redirectUris.find((redirectUri) => /^http:/i.test(redirectUri))
  if (!loopbackForNativeOnly || uri === undefined || applicationType === 'native') return undefined
  return invalidRedirectUri(
    uri,
    'is http',
    `${PROFILE} allows that on this computer, for a native app: use https, or say application_type: 'native'.`,
  )
}
