import { ConfigurationError } from './errors.js'
import type { Features, OAuthProviderOptions } from './options.js'
import type { Profile } from './profile.js'
import { aBoolean, anObject, refuseUnknown } from './validation.js'

const ALL: Features = {
  deviceAuthorization: true,
  dpop: true,
  formPost: true,
  introspection: true,
  logout: true,
  pushedAuthorizationRequests: true,
  revocation: true,
}

export function resolveFeatures(given: Partial<Features> = {}): Features {
  const names = Object.keys(ALL) as (keyof Features)[]
  refuseUnknown('features.', anObject('features', given), names)
  const chosen = names.map((name) => [name, aBoolean(`features.${name}`, given[name]) ?? ALL[name]])
  return Object.freeze(Object.fromEntries(chosen))
}

/** Whether every authorization request has to be pushed: what nobody can do must not be demanded. */
export function requiresPushed(
  {
    requirePushedAuthorizationRequests: given,
  }: Pick<OAuthProviderOptions, 'requirePushedAuthorizationRequests'>,
  profile: Profile,
  { pushedAuthorizationRequests: isOffered }: Features,
): boolean {
  const option = 'requirePushedAuthorizationRequests'
  if (aBoolean(option, given) === false && profile.requirePushedAuthorizationRequests)
    throw new ConfigurationError(option, 'is false', 'The option profile demands it: leave this out.')
  const required = given ?? profile.requirePushedAuthorizationRequests
  if (!required || isOffered) return required
  throw new ConfigurationError(
    option,
    'is demanded, and features.pushedAuthorizationRequests is false',
    'Take one of the two away.',
  )
}
