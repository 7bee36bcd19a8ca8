import { OAuthError } from '../errors.js'
import { optional } from '../optional.js'
import type { AuthorizationDetail } from '../options.js'
import type { Parameters } from '../parameters.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { requestedDetails } from './details.js'
import { requestedChallenge } from './pkce.js'
import { requestedResources, scopesFor } from './resource.js'
import { defaultScopesOf, scopesBeside, scopesOf, splitScope } from './scope.js'

/** A checked device authorization request (RFC 8628 §3.1). */
export interface DeviceRequest {
  readonly clientId: string
  readonly scopes: readonly string[]
  /** Never empty: where none is named, it is the issuer's origin. */
  readonly resources: readonly string[]
  readonly codeChallenge?: string
  readonly authorizationDetails?: readonly AuthorizationDetail[]
}

const ONCE = ['scope', 'code_challenge', 'code_challenge_method', 'authorization_details']

export function readDeviceRequest(parameters: Parameters, client: Client, settings: Settings): DeviceRequest {
  parameters.refuseRepeated(ONCE)
  // No redirect can leak a device code, so a challenge is welcome and not asked for.
  const codeChallenge = requestedChallenge(parameters)
  const named = parameters.all('resource')
  const resources = requestedResources(named.length > 0 ? named : [settings.origin], settings)
  const available = scopesFor(scopesOf(client, settings), resources, settings)
  const scope = parameters.get('scope')
  const details = parameters.get('authorization_details')
  const authorizationDetails = requestedDetails(details, client, resources, settings)
  const scopes = scopesBeside(authorizationDetails, scope, available, defaultScopesOf(client, settings))
  refuseReduced(scope, scopes, available)
  return {
    ...{ clientId: client.id, scopes, resources },
    ...optional('authorizationDetails', authorizationDetails),
    ...optional('codeChallenge', codeChallenge),
  }
}

/** The client is told at once of a scope that it cannot have: the page is shown on another screen, where nobody could make sense of it. */
function refuseReduced(
  scope: string | undefined,
  scopes: readonly string[],
  available: readonly string[],
): void {
  if (scope === undefined || splitScope(scope).length === scopes.length) return
  throw new OAuthError('invalid_scope', `This client may ask for these scopes: ${available.join(' ')}.`, {
    reason: 'scope_unknown',
  })
}
