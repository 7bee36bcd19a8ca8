import { OAuthError } from '../errors.js'
import type { Parameters } from '../parameters.js'

/**
 * The token that a request is about (RFC 7009 §2.1, RFC 7662 §2.1). `token_type_hint` would make the search no shorter, so it is not looked at.
 *
 * @throws OAuthError `invalid_request` where there is none, or more than one.
 */
export function tokenParameter(parameters: Parameters): string {
  parameters.refuseRepeated(['token', 'token_type_hint'])
  const token = parameters.get('token')
  if (token !== undefined) return token
  throw new OAuthError(
    'invalid_request',
    'token is missing. Send the token that this is about, in the body.',
    { reason: 'token_parameter_missing' },
  )
}
