import { OAuthError } from '../errors.js'

/** RFC 6749 §5.2: what was presented is unknown, expired, used, revoked or another's. */
export function invalidGrant(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_grant', description, { reason })
}
