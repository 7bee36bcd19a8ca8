import { hash, type KeyObject } from 'node:crypto'
import { publicPart } from '../keys/public-part.js'
import type { Jwk } from '../options.js'
import { publicKey, saysVerifying } from './jwks.js'

/** Keys that are remembered at once; the oldest are forgotten first, so memory stays bounded. */
const MOST_KEYS = 1000

/**
 * The keys of clients as they are verified with. To make one of a JWK holds the event loop, so each is made once, wherever and however
 * often it is listed. Equal JWKs are one key here.
 */
export class ClientKeys {
  readonly #known = new Map<string, KeyObject | undefined>()

  /** Those of these keys that may verify a signature. They came from elsewhere, so the others are passed over (RFC 7517 §5). */
  usable(keys: readonly Jwk[]): readonly KeyObject[] {
    return keys.map((key) => this.#key(key)).filter((key) => key !== undefined)
  }

  #key(jwk: Jwk): KeyObject | undefined {
    if (!saysVerifying(jwk)) return undefined
    const id = hash('sha256', JSON.stringify(publicPart(jwk)), 'base64url')
    if (this.#known.has(id)) return this.#known.get(id)
    const made = publicKey(jwk)
    const key = 'problem' in made ? undefined : made.key
    this.#known.set(id, key)
    if (this.#known.size > MOST_KEYS) {
      const [oldest] = this.#known.keys()
      if (oldest !== undefined) this.#known.delete(oldest)
    }
    return key
  }
}
