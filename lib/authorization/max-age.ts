import { OAuthError } from '../errors.js'

/** How old the user's sign-in may be, in seconds (OpenID Connect Core §3.1.2.1); the client's `default_max_age` where the request says nothing. */
export function requestedMaxAge(
  parameter: string | undefined,
  clientDefault: number | undefined,
): number | undefined {
  if (parameter === undefined) return clientDefault
  if (/^\d{1,9}$/.test(parameter)) return Number(parameter)
  throw new OAuthError('invalid_request', 'max_age must be whole seconds, from 0 to 999999999.', {
    reason: 'max_age',
  })
}
