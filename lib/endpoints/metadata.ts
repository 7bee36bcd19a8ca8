import { PROMPTS } from '../authorization/prompt.js'
import { hostedResource } from '../authorization/resource.js'
import { RESPONSE_MODES } from '../authorization/response.js'
import { authSigningAlgs } from '../client-auth/authenticate.js'
import { AUTH_METHODS } from '../clients/auth-methods.js'
import type { SigningAlg } from '../keys/signing-keys.js'
import { isIdentityScope } from '../scopes.js'
import type { Settings } from '../settings.js'
import { standardClaims } from '../standard-claims.js'
import { grantTypeNames } from './token.js'

/**
 * The metadata of the authorization server and OpenID provider (RFC 8414 §2, OpenID Connect Discovery §3). `endpoints`: member name to
 * path, of the endpoints that are there; `algs`: those for which there are keys.
 */
export function serverMetadata(
  settings: Settings,
  endpoints: ReadonlyMap<string, string>,
  algs: readonly SigningAlg[],
): object {
  return {
    issuer: settings.issuer,
    ...Object.fromEntries([...endpoints].map(([member, path]) => [member, settings.issuer + path])),
    scopes_supported: [...settings.scopes.keys()],
    response_types_supported: ['code'],
    response_modes_supported: RESPONSE_MODES,
    grant_types_supported: grantTypeNames,
    token_endpoint_auth_methods_supported: AUTH_METHODS,
    token_endpoint_auth_signing_alg_values_supported: authSigningAlgs,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    subject_types_supported: ['public', ...(settings.pairwiseSalt === undefined ? [] : ['pairwise'])],
    id_token_signing_alg_values_supported: algs,
    userinfo_signing_alg_values_supported: algs,
    prompt_values_supported: PROMPTS,
    claim_types_supported: ['normal'],
    claims_supported: [...SIGN_IN_CLAIMS, ...standardClaims],
    claims_parameter_supported: true,
    request_parameter_supported: false,
    // OpenID Connect Discovery §3: left out, this one means true.
    request_uri_parameter_supported: false,
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
  }
}

/** What an ID token says of itself and of the sign-in. */
const SIGN_IN_CLAIMS = [
  ...['iss', 'sub', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'at_hash', 'sid', 'acr', 'amr'],
]

/** The metadata of the protected resource at `path` of the issuer's origin (RFC 9728 §2); undefined where there is none. */
export function resourceMetadata(settings: Settings, path: string): object | undefined {
  const url = settings.origin + path
  // RFC 9728 §3.3: clients compare the document with the URL that they asked about, so only its normal form has one.
  if (new URL(url).href.replace(/\/$/, '') !== url) return undefined
  const resource = hostedResource(url, settings)
  if (resource === undefined) return undefined
  const own = [...settings.scopes.keys()].filter((scope) => !isIdentityScope(scope))
  const scopes = settings.resources.get(resource)?.scopes ?? own
  const supported = scopes.filter((scope) => scope !== 'offline_access')
  return {
    resource,
    authorization_servers: [settings.issuer],
    bearer_methods_supported: ['header'],
    // An empty list would say that no scope works.
    ...(supported.length > 0 && { scopes_supported: supported }),
  }
}
