import { allowedClaims } from '../authorization/claims-request.js'
import { narrowedResources, scopesFor } from '../authorization/resource.js'
import { scopesOf } from '../authorization/scope.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { OAuthError } from '../errors.js'
import type { Settings } from '../settings.js'
import type { ClaimsRequest } from '../standard-claims.js'
import { invalidGrant } from './refusal.js'

/** What one access token is for. */
export interface Narrowed {
  readonly audience: readonly string[]
  readonly scopes: readonly string[]
}

/** Of what was granted, the part that a token request names, with the scopes that mean something there (RFC 8707 §2.2). */
export function narrow(
  granted: { readonly scopes: readonly string[]; readonly resources: readonly string[] },
  named: readonly string[],
  settings: Settings,
): Narrowed {
  const audience = narrowedResources(named, granted.resources, settings)
  const scopes = scopesFor(granted.scopes, audience, settings)
  if (scopes.length > 0) return { audience, scopes }
  // Clients ask again on invalid_target, and anew on invalid_grant: what they did not choose cannot be chosen otherwise.
  if (named.length === 0)
    throw invalidGrant('What was granted means nothing at its resource any more.', 'scope_gone')
  throw new OAuthError('invalid_target', 'None of these scopes means anything at this resource.', {
    reason: 'resource_without_scope',
  })
}

interface Granted {
  readonly scopes: readonly string[]
  readonly claims?: ClaimsRequest
}

/** What the user granted, without what the host has since taken from the client or from its scopes. */
export function stillAllowed<G extends Granted>(
  granted: G,
  client: AuthenticatedClient,
  settings: Settings,
): G {
  const allowed = scopesOf(client, settings)
  const scopes = granted.scopes.filter((name) => allowed.includes(name))
  if (scopes.length === 0)
    throw invalidGrant('This client may no longer ask for what was granted.', 'scope_gone')
  const { claims } = granted
  if (claims === undefined) return { ...granted, scopes }
  const { userinfo, idToken } = claims
  return {
    ...granted,
    scopes,
    claims: { userinfo: allowedClaims(userinfo, allowed), idToken: allowedClaims(idToken, allowed) },
  }
}
