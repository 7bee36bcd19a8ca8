import type { Jwk } from '../options.js'
import type { Runtime } from '../runtime.js'
import { signJwt, verifyJwt } from './jwt.js'
import { KeptKeys } from './kept-keys.js'
import {
  broughtForward,
  canSign,
  currentKey,
  keyStates,
  publishedKeys,
  type StoredKey,
  withoutKey,
} from './key-document.js'
import { type JwtClaims, type JwtHeader, type ProviderKeys, SIGNING_ALGS } from './keys.js'
import { publicPart } from './public-part.js'
import type { SigningAlg, SigningKey } from './signing-keys.js'

/** How long a key that is not known is not looked for again, in milliseconds: anybody can name one. */
const LOOK_AGAIN_AFTER = 5000

/** Keys that are made on first start, rest in the store and follow each other by age. */
export class KeySet implements ProviderKeys {
  readonly algs = SIGNING_ALGS
  readonly #kept
  readonly #lifetimes
  readonly #now
  readonly #emit
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(runtime: Pick<Runtime, 'settings' | 'store' | 'now' | 'emit' | 'sealer'>) {
    this.#kept = new KeptKeys(runtime)
    this.#lifetimes = runtime.settings.lifetimes
    this.#now = runtime.now
    this.#emit = runtime.emit
  }

  start(): void {
    this.#kept.start()
  }

  close(): void {
    this.#kept.close()
  }

  async currentKid(alg: SigningAlg): Promise<string> {
    return (await this.#current(alg)).kid
  }

  async sign(claims: JwtClaims, { alg, typ, kid }: JwtHeader): Promise<string> {
    const current = await this.#current(alg)
    const named = kid === undefined || kid === current.kid ? undefined : await this.#find(kid)
    return signJwt(claims, typ, named?.alg === alg && canSign(named) ? named : current)
  }

  verify(jwt: string, typ: JwtHeader['typ']): Promise<JwtClaims | undefined> {
    return verifyJwt(jwt, typ, (kid) => this.#find(kid))
  }

  async published(): Promise<{ readonly keys: readonly Jwk[] }> {
    const document = await this.#kept.document(Number.POSITIVE_INFINITY)
    const keys = publishedKeys(document, this.#lifetimes, this.#now())
    return { keys: keys.map(({ kid, alg, jwk }) => ({ ...publicPart(jwk), kid, alg, use: 'sig' })) }
  }

  async list(): Promise<readonly SigningKey[]> {
    const states = keyStates(await this.#kept.settled(), this.#now())
    return states.map(({ key: { kid, alg, createdAt, signsFrom }, state }) => {
      return { kid, alg, state, createdAt, signsFrom }
    })
  }

  async rotate(): Promise<void> {
    await this.#kept.change((document) => broughtForward(document, 'now', this.#now()))
    this.#emit('keys.rotated', { by: 'host' })
  }

  async revoke(kid: string): Promise<boolean> {
    const { document } = await this.#kept.reload()
    if (!document.some((key) => key.kid === kid)) return false
    await this.#kept.change((document) => withoutKey(document, kid, this.#now()))
    this.#emit('keys.rotated', { by: 'host' })
    return true
  }

  async #current(alg: SigningAlg): Promise<StoredKey> {
    const key = currentKey(await this.#kept.document(), alg, this.#now())
    if (key === undefined) throw new Error(`There is no key for ${alg}.`)
    return key
  }

  /** Another process may have made it a moment ago. */
  async #find(kid: string): Promise<StoredKey | undefined> {
    const known = (await this.#kept.document(Number.POSITIVE_INFINITY)).find((key) => key.kid === kid)
    if (known !== undefined || Math.abs(this.#now() - this.#lookedAt) < LOOK_AGAIN_AFTER) return known
    this.#lookedAt = this.#now()
    try {
      return (await this.#kept.reload()).document.find((key) => key.kid === kid)
    } catch (error) {
      this.#kept.tell(error)
      return undefined
    }
  }
}
