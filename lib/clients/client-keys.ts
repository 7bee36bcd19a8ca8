import { hash, type KeyObject } from 'node:crypto'
import type { PublicKeys } from '../keys/keys.js'
import { publicPart } from '../keys/public-part.js'
import type { Jwk } from '../options.js'
import { publicKey, saysVerifying } from './jwks.js'

/** Keys of one kind that are remembered at once, so memory stays bounded. Those that were not used for longest are forgotten first. */
const MOST_KEYS = 1000

/** The keys that others sign with. Those that strangers make up are remembered apart, where however many push out none of a client's. */
export class ClientKeys implements PublicKeys {
  readonly #registered = new RememberedKeys()
  readonly #strangers = new RememberedKeys()

  ofStranger(jwk: Jwk): KeyObject | undefined {
    return this.#strangers.key(jwk)
  }

  *usable(keys: readonly Jwk[]): Generator<KeyObject> {
    for (const jwk of keys) {
      const key = this.#registered.key(jwk)
      if (key !== undefined) yield key
    }
  }
}

/**
 * Keys as they are verified with. To make one of a JWK holds the event loop, so each is made once, wherever and however often it is listed.
 * Equal JWKs are one key here.
 */
class RememberedKeys {
  /** The one that was used last is last. */
  readonly #known = new Map<string, KeyObject | undefined>()

  /** Undefined for what may verify nothing. */
  key(jwk: Jwk): KeyObject | undefined {
    if (!saysVerifying(jwk)) return undefined
    const id = hash('sha256', JSON.stringify(publicPart(jwk)), 'base64url')
    const key = this.#known.has(id) ? this.#known.get(id) : made(jwk)
    this.#known.delete(id)
    this.#known.set(id, key)
    if (this.#known.size > MOST_KEYS) this.#forgetOne()
    return key
  }

  #forgetOne(): void {
    const [oldest] = this.#known.keys()
    if (oldest !== undefined) this.#known.delete(oldest)
  }
}

function made(jwk: Jwk): KeyObject | undefined {
  const result = publicKey(jwk)
  return 'problem' in result ? undefined : result.key
}
