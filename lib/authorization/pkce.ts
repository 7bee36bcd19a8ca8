import { hash, timingSafeEqual } from 'node:crypto'
import { OAuthError } from '../errors.js'
import type { Parameters } from '../parameters.js'

/** BASE64URL(SHA256(verifier)): always 43 characters (RFC 7636 §4.2). */
const CHALLENGE = /^[A-Za-z0-9_-]{43}$/
/** RFC 7636 §4.1 */
const VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/

/** The challenge of a request by a client that has to send one. */
export function requiredChallenge(parameters: Parameters): string {
  const challenge = requestedChallenge(parameters)
  if (challenge !== undefined) return challenge
  throw new OAuthError(
    'invalid_request',
    'PKCE is required: add code_challenge and code_challenge_method=S256 (RFC 7636).',
    { reason: 'pkce_missing' },
  )
}

/** The challenge of a request that may go without. */
export function requestedChallenge(parameters: Parameters): string | undefined {
  const refuse = (description: string, reason: string) =>
    new OAuthError('invalid_request', description, { reason })
  const [challenge, method] = [parameters.get('code_challenge'), parameters.get('code_challenge_method')]
  if (challenge === undefined) {
    if (method === undefined) return undefined
    throw refuse('code_challenge is missing beside code_challenge_method.', 'pkce_missing')
  }
  // RFC 7636 §4.3: a challenge without a method is plain, which lets whoever sees the request redeem the code.
  if (method !== 'S256') throw refuse('code_challenge_method must be S256.', 'pkce_method')
  if (!CHALLENGE.test(challenge)) {
    throw refuse(
      'code_challenge must be the base64url SHA-256 of the verifier: 43 characters, no padding.',
      'pkce_malformed',
    )
  }
  return challenge
}

/** RFC 7636 §4.6, and RFC 9700 §4.8.2: a verifier for a code that was asked for without a challenge is refused too. */
export function verifyChallenge(challenge: string | undefined, verifier: string | undefined): void {
  const refuse = (description: string, reason: string) =>
    new OAuthError('invalid_grant', description, { reason })
  if (challenge === undefined) {
    if (verifier === undefined) return
    throw refuse(
      'code_verifier was sent, but the authorization request had no code_challenge.',
      'pkce_unexpected',
    )
  }
  if (verifier === undefined) {
    throw refuse(
      'code_verifier is missing: the authorization request had a code_challenge.',
      'pkce_verifier_missing',
    )
  }
  if (!VERIFIER.test(verifier)) {
    throw refuse(
      'code_verifier must be 43 to 128 letters, digits or -._~ (RFC 7636).',
      'pkce_verifier_malformed',
    )
  }
  const computed = hash('sha256', verifier, 'base64url')
  if (!timingSafeEqual(Buffer.from(computed), Buffer.from(challenge))) {
    throw refuse(
      'code_verifier does not match the code_challenge of the authorization request.',
      'pkce_mismatch',
    )
  }
}
