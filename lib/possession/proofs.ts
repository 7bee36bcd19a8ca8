import { OAuthError } from '../errors.js'
import { fitsAlg, isSignedBy, keyAlgs } from '../keys/client-jwt.js'
import { type DpopProof, readDpopProof } from '../keys/dpop-proof.js'
import type { Runtime } from '../runtime.js'
import { useOnce } from '../single-use.js'
import { Nonces } from './nonces.js'
import { checkProofClaims, type ProvenRequest } from './proof-claims.js'
import { invalidProof } from './refusal.js'

/** Verifies DPoP proofs (RFC 9449 §4.3). */
export class Proofs {
  readonly #runtime: Runtime
  readonly #nonces: Nonces

  constructor(runtime: Runtime) {
    this.#runtime = runtime
    this.#nonces = new Nonces(runtime)
  }

  /** The nonce for the next proof; undefined where proofs need none. */
  get nonce(): string | undefined {
    return this.#runtime.settings.dpop.requireNonce ? this.#nonces.current : undefined
  }

  /**
   * The thumbprint of the key that has made a proof for this request. `bound`: the only one that will do. What is cheap to check comes
   * first, and the proof is used up last, so that nobody can use up another's.
   *
   * @throws OAuthError `invalid_dpop_proof`, or `use_dpop_nonce` with the nonce to use. StoreUnavailableError while the store cannot answer.
   */
  async verify(header: string, request: ProvenRequest, bound?: string): Promise<string> {
    const { store, settings, now } = this.#runtime
    const proof = readProof(header, keyAlgs(settings.profile))
    const { jti, expiresAt } = checkProofClaims(proof.claims, request, now())
    const { thumbprint } = proof
    if (bound !== undefined && bound !== thumbprint) throw otherKey()
    await this.#checkNonce(proof.claims.nonce)
    await this.#checkSignature(proof)
    if (await useOnce(store, 'proof', { owner: thumbprint, jti, expiresAt })) return thumbprint
    throw invalidProof(
      'This DPoP proof was used before. Make a new one, with a jti of its own, for each request.',
      'dpop_proof_replayed',
    )
  }

  async #checkNonce(nonce: unknown): Promise<void> {
    if (!this.#runtime.settings.dpop.requireNonce) return
    const fresh = await this.#nonces.renew()
    if (typeof nonce === 'string' && (await this.#nonces.accepts(nonce))) return
    throw new OAuthError(
      'use_dpop_nonce',
      'The DPoP proof needs the nonce of the header DPoP-Nonce. Make a new one with it, and send the request again.',
      {
        reason: nonce === undefined ? 'dpop_nonce_missing' : 'dpop_nonce_unknown',
        headers: { 'DPoP-Nonce': fresh },
      },
    )
  }

  async #checkSignature(proof: DpopProof): Promise<void> {
    const key = this.#runtime.publicKeys.ofStranger(proof.jwk)
    if (key === undefined || !fitsAlg(proof.jwk, proof.alg)) {
      throw invalidProof(
        'jwk of the DPoP proof must be the public key that fits its alg: RSA of 2048 bits or more, EC or Ed25519, and nothing private.',
        'dpop_proof_key',
      )
    }
    if (await isSignedBy(proof, key)) return
    throw invalidProof(
      'The signature of the DPoP proof must be made with the key in its header.',
      'dpop_proof_signature',
    )
  }
}

/** `algs`: with a key pair, never with a shared secret (RFC 9449 §4.2). */
function readProof(header: string, algs: readonly string[]): DpopProof {
  // Node joins headers of one name with a comma, which no proof has in it.
  if (header.includes(','))
    throw invalidProof('Send one DPoP proof, in one header DPoP.', 'dpop_proofs_several')
  const proof = readDpopProof(header)
  if (proof === undefined || proof.extended) {
    throw invalidProof(
      'The DPoP proof must be a JWT of three parts of base64url without padding, at most 16 KB, with alg and jwk and without crit, b64 and zip in its header.',
      'dpop_proof_malformed',
    )
  }
  if (proof.typ !== 'dpop+jwt')
    throw invalidProof('typ of the DPoP proof must be dpop+jwt.', 'dpop_proof_typ')
  if (!algs.includes(proof.alg))
    throw invalidProof(`alg of the DPoP proof must be one of: ${algs.join(' ')}`, 'dpop_proof_algorithm')
  return proof
}

/** RFC 9449 §7.1 */
function otherKey(): OAuthError {
  return new OAuthError(
    'invalid_token',
    'The DPoP proof was made with another key than the access token is bound to. Make it with the key with which the token was asked for.',
    { reason: 'dpop_key_mismatch' },
  )
}
