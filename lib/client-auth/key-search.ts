import type { KeyObject } from 'node:crypto'
import type { ClientKeys } from '../clients/client-keys.js'
import { isKey, listedKeys, MOST_KEYS } from '../clients/jwks.js'
import type { OAuthError } from '../errors.js'
import { type ClientJwt, isSignedBy, mayHaveSigned } from '../keys/client-jwt.js'
import { signatureRefusal } from './assertion.js'
import { invalidClient } from './refusal.js'

/** The search for the key that has signed a JWT. No key is tried twice, in however many sets it is. */
export class KeySearch {
  readonly #jwt: ClientJwt
  readonly #keys: ClientKeys
  readonly #mostSignatures: number
  readonly #tried = new Set<KeyObject>()

  /** `mostSignatures`: how many the JWT may cost where its header does not say which key it is. */
  constructor(jwt: ClientJwt, keys: ClientKeys, mostSignatures: number) {
    this.#jwt = jwt
    this.#keys = keys
    this.#mostSignatures = mostSignatures
  }

  /** Whether a signature has been computed. All else is cheap. */
  get hasTried(): boolean {
    return this.#tried.size > 0
  }

  /** Undefined where a key of this JWK Set has signed it. */
  async in(set: unknown): Promise<OAuthError | undefined> {
    const listed = listedKeys(set) ?? []
    if (listed.length > MOST_KEYS)
      return invalidClient(
        `This client has more than ${MOST_KEYS} keys, which is too many.`,
        'jwks_too_large',
      )
    const fitting = listed.filter(isKey).filter((key) => mayHaveSigned(key, this.#jwt))
    const candidates = this.#keys.usable(fitting)
    if (candidates.length === 0)
      return invalidClient(
        'No key of this client has the kid and fits the alg that the header of the client_assertion names.',
        'assertion_key',
      )
    // A newer set gets a try of its own.
    const most = Math.max(this.#mostSignatures, this.#tried.size + 1)
    for (const key of candidates) {
      if (this.#tried.has(key) || this.#tried.size >= most) continue
      this.#tried.add(key)
      if (await isSignedBy(this.#jwt, key)) return undefined
    }
    return signatureRefusal()
  }
}
