import { OAuthError } from '../errors.js'
import type { Runtime } from '../runtime.js'
import type { Confirmation, Sender } from '../sender.js'
import type { Client } from '../store/records.js'
import { certificateConfirmation } from './certificate.js'
import { Proofs } from './proofs.js'
import { invalidProof } from './refusal.js'

/** Where a request was sent. */
export interface Addressed {
  readonly sender: Sender
  /** The path of the endpoint, under the mount. */
  readonly endpoint: string
}

/** A request to a resource with an access token that is bound to a key. */
export interface BoundUse {
  readonly sender: Sender
  /** As the client sees it. */
  readonly url: string
  readonly accessToken: string
  /** The thumbprint of the key that the token is bound to. */
  readonly jkt: string
}

/** Finds out what a request proves to hold: the key of a DPoP proof (RFC 9449), a client certificate (RFC 8705). */
export class Possession {
  readonly #runtime: Runtime
  readonly #proofs: Proofs

  constructor(runtime: Runtime) {
    this.#runtime = runtime
    this.#proofs = new Proofs(runtime)
  }

  /**
   * What the tokens of this request are to be bound to; undefined for bearer tokens.
   *
   * @throws OAuthError where a proof is wrong, or where one is missing that this client, or every client, always has to bring.
   */
  async confirm(client: Client, { sender, endpoint }: Addressed): Promise<Confirmation | undefined> {
    const certificate = certificateConfirmation(client, sender, this.#runtime.now())
    const proof = sender.proof()
    const jkt = proof === undefined ? undefined : await this.#keyOf(proof, sender, endpoint)
    if (jkt === undefined && client.dpopBoundAccessTokens) {
      throw invalidProof(
        'The tokens of this client are bound to a key: send a DPoP proof with each token request.',
        'dpop_proof_missing',
      )
    }
    const confirmation = jkt === undefined ? certificate : { ...certificate, jkt }
    if (confirmation === undefined && this.#runtime.settings.profile.onlyBoundTokens) throw unbound()
    return confirmation
  }

  /**
   * The thumbprint of the key with which alone the code of a pushed authorization request can be redeemed: that of the proof which came with
   * it, or the one that it names in `dpop_jkt` (RFC 9449 §10.1). Undefined where there is neither.
   *
   * @throws OAuthError `invalid_dpop_proof` where the proof is wrong, or not of the key that is named; `use_dpop_nonce`.
   */
  async codeKey({ sender, endpoint }: Addressed, dpopJkt: string | undefined): Promise<string | undefined> {
    const proof = sender.proof()
    const jkt = proof === undefined ? undefined : await this.#keyOf(proof, sender, endpoint)
    if (jkt === undefined || dpopJkt === undefined || jkt === dpopJkt) return jkt ?? dpopJkt
    throw invalidProof(
      'The DPoP proof was made with another key than dpop_jkt names. Make both of one key, or leave dpop_jkt out.',
      'dpop_key_mismatch',
    )
  }

  /**
   * Sees to it that who uses a bound access token holds its key (RFC 9449 §7.1).
   *
   * @throws OAuthError `invalid_dpop_proof`, `use_dpop_nonce`; `invalid_token` where the proof is of another key.
   */
  async proveUse({ sender, url, accessToken, jkt }: BoundUse): Promise<void> {
    const proof = sender.proof()
    if (proof === undefined) {
      throw invalidProof(
        'This access token is bound to a key: send a DPoP proof with each request.',
        'dpop_proof_missing',
      )
    }
    await this.#proofs.verify(proof, { method: sender.method, url, accessToken }, jkt)
  }

  /** The headers that give a sender of proofs the nonce for its next one (RFC 9449 §8.2). */
  nonceFor(sender: Sender): Readonly<Record<string, string>> {
    const { nonce } = this.#proofs
    return nonce === undefined || sender.proof() === undefined ? {} : { 'DPoP-Nonce': nonce }
  }

  #keyOf(proof: string, { method }: Sender, endpoint: string): Promise<string> {
    const url = this.#runtime.settings.issuer + endpoint
    return this.#proofs.verify(proof, { method, url })
  }
}

function unbound(): OAuthError {
  return new OAuthError(
    'invalid_request',
    'Access tokens are bound here: send a DPoP proof; or register tls_client_certificate_bound_access_tokens, and connect with the certificate.',
    { reason: 'confirmation_missing' },
  )
}
