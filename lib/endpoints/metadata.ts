import { hostedResource } from '../authorization/resource.js'
import { authMethodNames } from '../client-auth/authenticate.js'
import type { Settings } from '../settings.js'
import { grantTypeNames } from './token.js'

/** The authorization server's metadata (RFC 8414 §2). `endpoints`: member name to path, of the endpoints that are there. */
export function serverMetadata(settings: Settings, endpoints: ReadonlyMap<string, string>): object {
  return {
    issuer: settings.issuer,
    ...Object.fromEntries([...endpoints].map(([member, path]) => [member, settings.issuer + path])),
    scopes_supported: [...settings.scopes.keys()],
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: grantTypeNames,
    token_endpoint_auth_methods_supported: authMethodNames,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    // OpenID Connect Discovery §3: left out, this one means true.
    request_uri_parameter_supported: false,
  }
}

/** The metadata of the protected resource at `path` of the issuer's origin (RFC 9728 §2); undefined where there is none. */
export function resourceMetadata(settings: Settings, path: string): object | undefined {
  const url = settings.origin + path
  // RFC 9728 §3.3: clients compare the document with the URL that they asked about, so only its normal form has one.
  if (new URL(url).href.replace(/\/$/, '') !== url) return undefined
  const resource = hostedResource(url, settings)
  if (resource === undefined) return undefined
  const scopes = settings.resources.get(resource) ?? [...settings.scopes.keys()]
  const supported = scopes.filter((scope) => scope !== 'offline_access')
  return {
    resource,
    authorization_servers: [settings.issuer],
    bearer_methods_supported: ['header'],
    // An empty list would say that no scope works.
    ...(supported.length > 0 && { scopes_supported: supported }),
  }
}
