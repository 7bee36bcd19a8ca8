import { OAuthError } from '../errors.js'

/** RFC 6749 §5.2; the challenge is always there, since HTTP asks for one beside 401 (RFC 9110 §11.6.1). */
export function invalidClient(description: string, reason: string, cause?: unknown): OAuthError {
  return new OAuthError('invalid_client', description, {
    reason,
    headers: { 'WWW-Authenticate': 'Basic realm="oauth"' },
    cause,
  })
}
