import { OAuthError } from '../errors.js'

/** RFC 9449 §5: a proof is wrong, or missing where there has to be one. */
export function invalidProof(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_dpop_proof', description, { reason })
}
