import { ConfigurationError } from './errors.js'
import type { HostRequest, LoginHints } from './options.js'
import { describe } from './validation.js'

/** Where the browser goes to sign in, and comes back from to a path on this host. */
export type LoginUrlOf = (req: HostRequest, returnTo: string, hints: LoginHints) => string

export function resolveLoginUrl(loginUrl: unknown): LoginUrlOf {
  if (typeof loginUrl === 'function') {
    return (req, returnTo, hints) => {
      const url: unknown = loginUrl(req, returnTo, hints)
      if (typeof url === 'string' && url !== '') return url
      throw new ConfigurationError('loginUrl', `gave ${describe(url)}`, 'Return the URL of your login page.')
    }
  }
  if (typeof loginUrl !== 'string' || !/^(?:\/(?![/\\])|https?:\/\/)[^\s#\\]*$/.test(loginUrl)) {
    throw new ConfigurationError(
      'loginUrl',
      `is ${describe(loginUrl)}`,
      "Pass a path such as '/login', an http or https URL, or a function; a fragment (#) cannot be kept.",
    )
  }
  const separator = loginUrl.includes('?') ? '&' : '?'
  return (_req, returnTo, { loginHint }) => {
    const hint = loginHint === undefined ? '' : `&login_hint=${encodeURIComponent(loginHint)}`
    // Nothing in return_to is percent-encoded: login pages and their sanitizers drop what is.
    return `${loginUrl}${separator}return_to=${returnTo}${hint}`
  }
}
