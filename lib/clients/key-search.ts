import type { KeyObject } from 'node:crypto'
import { type ClientJwt, isSignedBy, mayHaveSigned } from '../keys/client-jwt.js'
import type { Runtime } from '../runtime.js'
import { isKey, listedKeys, MOST_KEYS } from './jwks.js'
import { type KeyOwner, searchKeySets } from './key-sets.js'

/** Signatures that one JWT without `kid` may cost. */
const MOST_SIGNATURES = 20

/** Why none of the keys has signed a JWT: there are more than anybody needs, none has the `kid` and fits the `alg` of its header, or those that do have not. */
export type KeyProblem = 'too_many_keys' | 'no_key' | 'signature'

/** The search for the key that has signed a JWT. No key is tried twice, in however many sets it is. */
export class KeySearch {
  readonly #runtime: Pick<Runtime, 'outgoing' | 'publicKeys'>
  readonly #jwt: ClientJwt
  readonly #mostSignatures: number
  readonly #tried = new Set<KeyObject>()

  /** `mostSignatures`: how many the JWT may cost where its header does not say which key it is. */
  constructor(
    runtime: Pick<Runtime, 'outgoing' | 'publicKeys'>,
    jwt: ClientJwt,
    mostSignatures = MOST_SIGNATURES,
  ) {
    this.#runtime = runtime
    this.#jwt = jwt
    this.#mostSignatures = mostSignatures
  }

  /** Whether a signature has been computed. All else is cheap. */
  get hasTried(): boolean {
    return this.#tried.size > 0
  }

  /**
   * Undefined where a key of this owner has signed it. One that has neither `jwks` nor `jwksUri` has no key.
   *
   * @throws OAuthError `temporarily_unavailable` where the `jwksUri` gives no usable answer; its cause is the OutgoingError.
   */
  amongKeysOf(owner: KeyOwner): Promise<KeyProblem | undefined> {
    return searchKeySets(this.#runtime.outgoing, owner, (set) => this.#in(set))
  }

  async #in(set: unknown): Promise<KeyProblem | undefined> {
    const listed = listedKeys(set) ?? []
    if (listed.length > MOST_KEYS) return 'too_many_keys'
    const fitting = listed.filter(isKey).filter((key) => mayHaveSigned(key, this.#jwt))
    // A newer set gets a try of its own.
    const most = Math.max(this.#mostSignatures, this.#tried.size + 1)
    let problem: KeyProblem = 'no_key'
    // To ask for a key is to make it, so none is asked for that will not be tried.
    for (const key of this.#runtime.publicKeys.usable(fitting)) {
      problem = 'signature'
      if (this.#tried.has(key)) continue
      this.#tried.add(key)
      if (await isSignedBy(this.#jwt, key)) return undefined
      if (this.#tried.size >= most) break
    }
    return problem
  }
}
