import { narrowedResources, scopesFor } from '../authorization/resource.js'
import { OAuthError } from '../errors.js'
import type { Settings } from '../settings.js'

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
  throw new OAuthError('invalid_target', 'None of these scopes means anything at this resource.', {
    reason: 'resource_without_scope',
  })
}
