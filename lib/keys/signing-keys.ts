/** An algorithm that this provider signs with (RFC 7518 §3.1, RFC 8037 §3.1). */
export type SigningAlg = 'RS256' | 'ES256' | 'EdDSA'

/** One of the keys that sign ID tokens and other JWTs. Its private part is nowhere to be had. */
export interface SigningKey {
  /** Its id: its thumbprint (RFC 7638), or the `kid` that you gave it. */
  readonly kid: string
  /** What it signs with. */
  readonly alg: SigningAlg
  /**
   * `current` signs; `next` is published and will sign; `retired` has signed, and what it signed still verifies. `published` is a key of the
   * option `keys` behind the first of its algorithm: it signs nothing, and whether it once did or will is yours to know.
   */
  readonly state: 'next' | 'current' | 'retired' | 'published'
  /** Milliseconds. Undefined for a key of the option `keys`. */
  readonly createdAt?: number
  /** From when on it signs, or signed, in milliseconds. Undefined for a key of the option `keys`. */
  readonly signsFrom?: number
}

/** The signing keys of a provider. Each method rejects with a `StoreUnavailableError` while the store cannot answer. */
export interface SigningKeys {
  /** The keys by algorithm, oldest first. Those of the option `keys` come in the order of that option: the first of each algorithm is `current`, all others are `published`. */
  list(): Promise<readonly SigningKey[]>

  /**
   * Lets the next key of each algorithm sign now, ahead of `lifetimes.signingKey`, and publishes new ones to follow. What the old keys
   * signed still verifies. A next key that relying parties may not have seen yet waits until they have, six minutes at most.
   *
   * @throws ConfigurationError where the option `keys` gives the keys.
   */
  rotate(): Promise<void>

  /**
   * Ends a key that was stolen: it is published no more, and what it signed verifies no more. Where it signed, the next one signs at once. Other
   * processes follow within a minute, and relying parties when they ask for the JWK Set again, within five. False where there is no such key.
   *
   * @throws ConfigurationError where the option `keys` gives the keys.
   */
  revoke(kid: string): Promise<boolean>
}
