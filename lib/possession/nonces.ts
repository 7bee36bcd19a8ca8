import { StoreUnavailableError } from '../errors.js'
import type { Runtime } from '../runtime.js'
import { expiryOf, isRecordOf, mintHandle, readHandle } from '../tokens/handle.js'

/** How long a nonce is taken, in milliseconds. */
const LIFETIME = 300_000
/** How long one is given to everybody before the next is made, in milliseconds. */
const RENEWED_AFTER = 60_000

/**
 * The nonces that proofs must have (RFC 9449 §8, §9). Each process makes one now and then, and any process finds it in the store, so
 * that they need no secret in common.
 */
export class Nonces {
  readonly #runtime: Pick<Runtime, 'store' | 'now'>
  /** Those that were found in the store, with the millisecond in which they expire: so many as processes make in `LIFETIME`, whatever is sent. */
  readonly #known = new Map<string, number>()
  #own: { readonly value: string; readonly madeAt: number } | undefined
  #making: Promise<string> | undefined

  constructor(runtime: Pick<Runtime, 'store' | 'now'>) {
    this.#runtime = runtime
  }

  /** The one that this process gives now; undefined where it has made none yet. */
  get current(): string | undefined {
    return this.#own?.value
  }

  /** Sees to it that `current` is fresh. @throws StoreUnavailableError while the store cannot answer. */
  async renew(): Promise<string> {
    const own = this.#own
    // A clock that was set back must not keep one until it has expired for everybody else.
    if (own !== undefined && Math.abs(this.#runtime.now() - own.madeAt) < RENEWED_AFTER) return own.value
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined
    })
    return this.#making
  }

  /** Whether any process has made this nonce, and not too long ago. */
  async accepts(nonce: string): Promise<boolean> {
    const { store, now } = this.#runtime
    const known = this.#known.get(nonce)
    if (known !== undefined) return known > now()
    const handle = readHandle(nonce)
    if (handle === undefined || expiryOf(handle.id) <= now()) return false
    const record = await store.find(handle.id)
    if (record?.kind !== 'nonce' || !isRecordOf(record, handle)) return false
    this.#remember(nonce, expiryOf(handle.id))
    return true
  }

  async #make(): Promise<string> {
    const { store, now } = this.#runtime
    const madeAt = now()
    const { id, hash, value } = mintHandle(madeAt + LIFETIME)
    // One that no other process finds would be refused there, and a client that got it would ask in a circle.
    if (!(await store.insert([{ id, kind: 'nonce', hash, data: '{}' }])))
      throw new StoreUnavailableError('The store did not keep a DPoP nonce: it says that the id exists.')
    this.#remember(value, madeAt + LIFETIME)
    this.#own = { value, madeAt }
    return value
  }

  #remember(nonce: string, expiresAt: number): void {
    for (const [known, expiry] of this.#known) if (expiry <= this.#runtime.now()) this.#known.delete(known)
    this.#known.set(nonce, expiresAt)
  }
}
