import { MOST_KEYS } from '../clients/jwks.js'
import { OAuthError, printable } from '../errors.js'

/**
 * RFC 6749 §5.2; the challenge is always there, since HTTP asks for one beside 401 (RFC 9110 §11.6.1). It says what is wrong too: libraries
 * that find a challenge do not look at the body.
 */
export function invalidClient(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_client', description, {
    reason,
    headers: {
      'WWW-Authenticate': `Basic realm="oauth", error="invalid_client", error_description="${printable(description)}"`,
    },
  })
}

export function tooManyKeys(): OAuthError {
  return invalidClient(`This client has more than ${MOST_KEYS} keys, which is too many.`, 'jwks_too_large')
}
