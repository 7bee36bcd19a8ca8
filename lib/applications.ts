import { ConfigurationError } from './errors.js'
import type { OAuthProviderOptions } from './options.js'
import type { Profile } from './profile.js'
import { method } from './validation.js'

/** Undefined where users make no applications. */
export function resolveApplications(
  options: Pick<OAuthProviderOptions, 'applications'>,
  { authMethods }: Pick<Profile, 'authMethods'>,
): unknown {
  const applications = method(options, 'applications')
  if (applications === undefined || authMethods === undefined) return applications
  throw new ConfigurationError(
    'applications',
    'is set, although the option profile allows neither clients with a secret nor public ones',
    'Leave it out, and register clients with oauth.clients.create.',
  )
}
