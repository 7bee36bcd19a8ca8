import { requestedDetails } from '../authorization/details.js'
import { requestedResources, scopesFor } from '../authorization/resource.js'
import { requestedScopes, scopesOf, splitScope } from '../authorization/scope.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { OAuthError } from '../errors.js'
import type { AuthorizationDetail } from '../options.js'
import type { Parameters } from '../parameters.js'
import { isIdentityScope } from '../scopes.js'
import type { Settings } from '../settings.js'

/** The scopes of a client that are for itself, and mean something at an API. One that has registered none has none: without a page, "all" would be what nobody allowed. */
export function registeredScopes(client: AuthenticatedClient, settings: Settings): readonly string[] {
  if (client.scopes !== undefined)
    return scopesOf(client, settings).filter((scope) => !isIdentityScope(scope))
  throw new OAuthError(
    'invalid_scope',
    'This client has no scopes of its own. Register it with the scope that it may ask for by this grant_type.',
    { reason: 'scope_not_registered' },
  )
}

/** The same of details (RFC 9396 §10); undefined where it asks for none. */
export function registeredDetails(
  parameters: Parameters,
  client: AuthenticatedClient,
  audience: readonly string[],
  settings: Settings,
): readonly AuthorizationDetail[] | undefined {
  const text = parameters.get('authorization_details')
  if (text === undefined || client.authorizationDetailsTypes !== undefined)
    return requestedDetails(text, client, audience, settings)
  throw new OAuthError(
    'invalid_authorization_details',
    'This client has no details of its own. Register it with the authorization_details_types that it may ask for by this grant_type.',
    { reason: 'details_not_registered' },
  )
}

/** RFC 9396 §6: details that are asked for must not be passed over in silence. */
export function refuseDetails(parameters: Parameters): void {
  if (parameters.all('authorization_details').length === 0) return
  throw new OAuthError(
    'invalid_authorization_details',
    'authorization_details cannot be had by this grant_type. Leave them out, or ask the user for them by the authorization code grant.',
    { reason: 'details_unavailable' },
  )
}

/** What a token is for: the resources that a request names (RFC 8707 §2.2), or where it names none, these. */
export function requestedAudience(
  named: readonly string[],
  otherwise: readonly string[],
  settings: Settings,
): readonly string[] {
  return requestedResources(named.length > 0 ? named : otherwise, settings)
}

/** What a client can have at most by a grant type that shows no page to anybody. */
export interface Ceiling {
  readonly scopes: readonly string[]
  /** What a request is for that names no scope; where none of it is within the ceiling, all of that. */
  readonly usual: readonly string[]
}

/** The scopes that a request asks for, as far as the ceiling reaches. Beyond it they are dropped, as in an authorization request, and the answer says which there are. */
export function scopesWithin(
  ceiling: Ceiling,
  scope: string | undefined,
  audience: readonly string[],
  settings: Settings,
): readonly string[] {
  const available = scopesFor(ceiling.scopes, audience, settings)
  refuseIdentity(scope, available)
  const usual = available.filter((name) => ceiling.usual.includes(name))
  return requestedScopes(scope, available, usual.length > 0 ? usual : available)
}

/** OpenID Connect Core §11, §5.4: what these scopes stand for comes of a user who has signed in and agreed. */
function refuseIdentity(scope: string | undefined, available: readonly string[]): void {
  const names = scope === undefined ? [] : splitScope(scope)
  if (names.length === 0 || available.length === 0 || !names.every(isIdentityScope)) return
  throw new OAuthError(
    'invalid_scope',
    `Scopes about the user cannot be had by this grant_type. This client may ask for: ${available.join(' ')}`,
    { reason: 'scope_needs_user' },
  )
}
