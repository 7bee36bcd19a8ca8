import { hash } from 'node:crypto'
import { isJti } from '../keys/jwt-claims.js'
import type { JwtClaims } from '../keys/keys.js'
import { invalidProof } from './refusal.js'
import { namesUrl } from './target-url.js'

/** What `iat` of a proof may differ from now by, in milliseconds: more than the clocks of most computers do (RFC 9449 §11.1). */
const WINDOW = 60_000

/** The request that a proof has to be about. */
export interface ProvenRequest {
  readonly method: string
  /** As the client sees it, from the settings: what the header Host says is the client's word again. */
  readonly url: string
  /** The access token that comes with the proof, at a resource. */
  readonly accessToken?: string
}

/** RFC 9449 §4.3: that a proof is about this request, made now, and told apart from others. Answers its `jti`, and the millisecond from which on it is refused. */
export function checkProofClaims(
  { jti, htm, htu, iat, ath }: JwtClaims,
  { method, url, accessToken }: ProvenRequest,
  now: number,
): { readonly jti: string; readonly expiresAt: number } {
  if (!isJti(jti)) throw invalidProof('The DPoP proof needs a jti of 1 to 255 characters.', 'dpop_proof_jti')
  if (htm !== method)
    throw invalidProof(
      'htm of the DPoP proof must be the method of this request, in capitals.',
      'dpop_proof_method',
    )
  if (!namesUrl(htu, url))
    throw invalidProof(
      'htu of the DPoP proof must be the public URL of this request, without query and fragment.',
      'dpop_proof_url',
    )
  const madeAt = typeof iat === 'number' ? iat * 1000 : Number.NaN
  // What is no number is never within.
  if (!(Math.abs(madeAt - now) < WINDOW)) {
    throw invalidProof(
      `iat of the DPoP proof must be the time at which it was made, in seconds since 1970, less than ${WINDOW / 1000} seconds off. Is the clock right?`,
      'dpop_proof_time',
    )
  }
  if (accessToken !== undefined && ath !== hash('sha256', accessToken, 'base64url'))
    throw invalidProof(
      'ath of the DPoP proof must be the SHA-256 of this access token, as base64url without padding.',
      'dpop_proof_token',
    )
  return { jti, expiresAt: madeAt + WINDOW }
}
