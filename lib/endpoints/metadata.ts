import { PROMPTS } from '../authorization/prompt.js'
import { hostedResource } from '../authorization/resource.js'
import { responseModes } from '../authorization/response.js'
import { authSigningAlgs } from '../client-auth/authenticate.js'
import { offeredAuthMethods } from '../clients/auth-methods.js'
import { keyAlgs } from '../keys/client-jwt.js'
import type { SigningAlg } from '../keys/signing-keys.js'
import { isIdentityScope } from '../scopes.js'
import { onlyWithProof } from '../sender-constraints.js'
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
  { algs: present }: { readonly algs: readonly SigningAlg[] },
): object {
  const algs = settings.profile.signingAlgs.filter((alg) => present.includes(alg))
  return {
    issuer: settings.issuer,
    ...Object.fromEntries([...endpoints].map(([member, path]) => [member, settings.issuer + path])),
    scopes_supported: [...settings.scopes.keys()],
    response_types_supported: ['code'],
    response_modes_supported: responseModes(settings),
    grant_types_supported: grantTypeNames(settings),
    token_endpoint_auth_methods_supported: offeredAuthMethods(settings),
    token_endpoint_auth_signing_alg_values_supported: authSigningAlgs(settings),
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    ...(settings.clientMetadataDocuments && { client_id_metadata_document_supported: true }),
    ...(settings.requirePushedAuthorizationRequests && { require_pushed_authorization_requests: true }),
    subject_types_supported: ['public', ...(settings.pairwiseSalt === undefined ? [] : ['pairwise'])],
    id_token_signing_alg_values_supported: algs,
    userinfo_signing_alg_values_supported: algs,
    prompt_values_supported: PROMPTS,
    claim_types_supported: ['normal'],
    claims_supported: [...SIGN_IN_CLAIMS, ...standardClaims],
    claims_parameter_supported: true,
    ui_locales_supported: [...settings.messages.keys()],
    request_parameter_supported: true,
    request_object_signing_alg_values_supported: keyAlgs(settings.profile),
    // OpenID Connect Discovery §3: left out, this one means true.
    request_uri_parameter_supported: false,
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
    ...detailsTypes([...settings.authorizationDetails.keys()]),
    ...ofTokens(settings, algs),
    ...ofProofs(settings),
  }
}

/** How clients prove themselves where they end and look at tokens (RFC 8414 §2), and how they are answered (RFC 9701 §7). */
function ofTokens(settings: Settings, algs: readonly SigningAlg[]): object {
  const { features } = settings
  const methods = offeredAuthMethods(settings)
  return {
    ...(features.revocation && {
      revocation_endpoint_auth_methods_supported: methods,
      revocation_endpoint_auth_signing_alg_values_supported: authSigningAlgs(settings),
    }),
    ...(features.introspection && {
      introspection_endpoint_auth_methods_supported: methods.filter((method) => method !== 'none'),
      introspection_endpoint_auth_signing_alg_values_supported: authSigningAlgs(settings),
      introspection_signing_alg_values_supported: algs,
    }),
  }
}

/** RFC 9449 §5.1, RFC 8705 §3.3, RFC 9728 §2 */
function ofProofs({ features, mtls, profile }: Settings): object {
  return {
    ...(features.dpop && { dpop_signing_alg_values_supported: keyAlgs(profile) }),
    ...(mtls && { tls_client_certificate_bound_access_tokens: true }),
  }
}

/** RFC 9396 §10, RFC 9728 §2 */
function detailsTypes(types: readonly string[]): object {
  return types.length > 0 ? { authorization_details_types_supported: types } : {}
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
    ...ofProofs(settings),
    ...(onlyWithProof(settings) && { dpop_bound_access_tokens_required: true }),
    // An empty list would say that no scope works.
    ...(supported.length > 0 && { scopes_supported: supported }),
    ...detailsTypes(
      settings.resources.get(resource)?.authorizationDetailsTypes ?? [
        ...settings.authorizationDetails.keys(),
      ],
    ),
  }
}
