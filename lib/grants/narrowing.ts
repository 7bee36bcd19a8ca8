import { allowedClaims } from '../authorization/claims-request.js'
import { detailsAt, detailsStillAllowed, narrowedDetails } from '../authorization/details.js'
import { narrowedResources, scopesFor } from '../authorization/resource.js'
import { scopesOf } from '../authorization/scope.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { OAuthError } from '../errors.js'
import type { AuthorizationDetail } from '../options.js'
import type { Parameters } from '../parameters.js'
import type { Settings } from '../settings.js'
import type { ClaimsRequest } from '../standard-claims.js'
import { invalidGrant } from './refusal.js'

/** What one access token is for. */
export interface Narrowed {
  readonly audience: readonly string[]
  readonly scopes: readonly string[]
  readonly authorizationDetails?: readonly AuthorizationDetail[] | undefined
}

/** Of what was granted, the part that a token request names, with the scopes and the details that mean something there (RFC 8707 §2.2, RFC 9396 §6). */
export function narrow(
  granted: {
    readonly scopes: readonly string[]
    readonly resources: readonly string[]
    readonly authorizationDetails?: readonly AuthorizationDetail[] | undefined
  },
  parameters: Parameters,
  settings: Settings,
): Narrowed {
  const named = parameters.all('resource')
  const audience = narrowedResources(named, granted.resources, settings)
  const scopes = scopesFor(granted.scopes, audience, settings)
  const here = detailsAt(granted.authorizationDetails, audience, settings)
  const authorizationDetails = narrowedDetails(parameters.get('authorization_details'), here)
  if (scopes.length > 0 || authorizationDetails !== undefined)
    return { audience, scopes, authorizationDetails }
  // Clients ask again on invalid_target, and anew on invalid_grant: what they did not choose cannot be chosen otherwise.
  if (named.length === 0)
    throw invalidGrant('What was granted means nothing at its resource any more.', 'scope_gone')
  throw new OAuthError('invalid_target', 'Nothing of what was granted means anything at this resource.', {
    reason: 'resource_without_scope',
  })
}

interface Granted {
  readonly scopes: readonly string[]
  readonly authorizationDetails?: readonly AuthorizationDetail[] | undefined
  readonly claims?: ClaimsRequest | undefined
}

/** What the user granted, without what the host has since taken from the client, or no longer has at all. */
export function stillAllowed<G extends Granted>(
  granted: G,
  client: AuthenticatedClient,
  settings: Settings,
): G {
  const allowed = scopesOf(client, settings)
  const scopes = granted.scopes.filter((name) => allowed.includes(name))
  const details = detailsStillAllowed(granted.authorizationDetails, client, settings)
  if (scopes.length === 0 && details === undefined)
    throw invalidGrant('This client may no longer ask for what was granted.', 'scope_gone')
  const { claims } = granted
  const isAll =
    scopes.length === granted.scopes.length && details?.length === granted.authorizationDetails?.length
  if (isAll && claims === undefined) return granted
  const left = {
    scopes,
    authorizationDetails: details,
    claims: claims && claimsStillAllowed(claims, allowed),
  }
  return { ...granted, ...left }
}

function claimsStillAllowed({ userinfo, idToken }: ClaimsRequest, allowed: readonly string[]): ClaimsRequest {
  return { userinfo: allowedClaims(userinfo, allowed), idToken: allowedClaims(idToken, allowed) }
}
