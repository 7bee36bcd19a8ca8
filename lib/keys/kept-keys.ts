import { ConfigurationError, StoreUnavailableError } from '../errors.js'
import type { Runtime } from '../runtime.js'
import {
  broughtForward,
  COPIES_LAST,
  type KeyDocument,
  missingAlgs,
  parseDocument,
  pruned,
  RELOAD_AFTER,
  withKeys,
} from './key-document.js'
import { KeyMaker } from './key-material.js'
import { isSealed } from './sealing.js'

/** The document as this process knows it. */
interface Copy {
  readonly document: KeyDocument
  readonly revision: number
  /** Whether it rests as it should: encrypted with the first secret, or plain where there is none. */
  readonly sealedRight: boolean
  /** When it was asked for. */
  readonly at: number
}

/**
 * The keys in the store, which all processes on it share. Whoever notices first that something is due, a new key or the end of an
 * old one, saves it; whoever comes second goes on with what the first one saved.
 */
export class KeptKeys {
  readonly #runtime
  readonly #maker = new KeyMaker()
  #copy: Copy | undefined
  #loading: Promise<Copy> | undefined
  #tidying: Promise<void> | undefined
  #closed = false

  constructor(runtime: Pick<Runtime, 'settings' | 'store' | 'now' | 'emit' | 'sealer'>) {
    this.#runtime = runtime
  }

  start(): void {
    this.reload().catch((error) => this.tell(error))
  }

  close(): void {
    this.#closed = true
  }

  /** A failure that fails no request. */
  tell(error: unknown): void {
    if (!this.#closed) this.#runtime.emit('server.error', { error, endpoint: 'keys' })
  }

  /**
   * The keys. While the store fails, a copy serves that is not older than `usable` milliseconds. By default that is for how long keys
   * stay published beyond what they signed: so long nothing can be signed with it that does not verify.
   */
  async document(usable = COPIES_LAST): Promise<KeyDocument> {
    const copy = this.#copy
    const age = Math.abs(this.#runtime.now() - (copy?.at ?? Number.NEGATIVE_INFINITY))
    if (copy !== undefined && age < RELOAD_AFTER) return copy.document
    try {
      return (await this.reload()).document
    } catch (error) {
      if (copy === undefined || age > usable) throw error
      this.tell(error)
      return copy.document
    }
  }

  /** The keys as they are in the store now. On a fresh store it makes them. */
  reload(): Promise<Copy> {
    this.#loading ??= this.#read().finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  /** The same, with all that is due done. */
  async settled(): Promise<KeyDocument> {
    const { document } = await this.reload()
    await this.#tidying
    return this.#copy?.document ?? document
  }

  /** Changes the keys as they are now; where somebody else was faster, what they made of them. Keys that are missing then are made. */
  async change(change: (document: KeyDocument) => KeyDocument): Promise<void> {
    for (;;) {
      const copy = await this.reload()
      if (await this.#save(change(copy.document), copy.revision)) return
    }
  }

  async #read(): Promise<Copy> {
    const { store, sealer, now } = this.#runtime
    const at = now()
    const stored = await store.findKeys()
    if (stored === undefined) return this.#begin()
    const { revision, data } = stored
    const saved = this.#copy
    // What was saved here while this was being read.
    if (saved !== undefined && saved.revision > revision && saved.at >= at) return saved
    const known = this.#copy?.revision === revision ? this.#copy.document : undefined
    const document = known ?? parseDocument(await this.#open(data))
    const sealedRight = sealer === undefined || sealer.isFresh(data)
    this.#copy = { document, revision, sealedRight, at }
    this.#tidying ??= this.#tidy(this.#copy).finally(() => {
      this.#tidying = undefined
    })
    return this.#copy
  }

  /** Of several processes that begin at once, one saves its keys and the others take them. */
  async #begin(): Promise<Copy> {
    if (await this.#save([], 0)) return this.#copy as Copy
    if ((await this.#runtime.store.findKeys()) !== undefined) return this.#read()
    throw new Error('The store neither has signing keys nor takes any.')
  }

  /** In the background: nobody has to wait for it, and if it fails it is tried again with the next reading. */
  async #tidy({ document, revision, sealedRight }: Copy): Promise<void> {
    const { settings, now } = this.#runtime
    const { lifetimes } = settings
    try {
      const tidy = pruned(broughtForward(document, lifetimes, now()), lifetimes, now())
      const same = tidy.length === document.length && tidy.every((key, index) => key === document[index])
      const made = missingAlgs(tidy, now()).length > 0
      if (same && sealedRight && !made) return
      if (!(await this.#save(tidy, revision))) await this.reload()
      else if (made) this.#runtime.emit('keys.rotated', { by: 'schedule' })
    } catch (error) {
      this.tell(error)
    }
  }

  /** Saves them as the next revision, with what is missing. False where somebody else was faster. */
  #save(document: KeyDocument, revision: number): Promise<boolean> {
    const { settings, store, sealer, now } = this.#runtime
    return this.#maker.make(missingAlgs(document, now()), document, async (made) => {
      const at = now()
      const complete = withKeys(document, made, settings.lifetimes, at)
      const text = JSON.stringify(complete)
      const next = { revision: revision + 1, data: sealer === undefined ? text : await sealer.seal(text) }
      if (this.#closed) throw new StoreUnavailableError('The provider has been closed.')
      if (!(await store.saveKeys(next))) return false
      this.#copy = { document: complete, revision: next.revision, sealedRight: true, at }
      return true
    })
  }

  /** What is encrypted is never taken for nothing: new keys in its place would lock out whoever trusts the old ones. */
  async #open(data: string): Promise<string> {
    const { sealer } = this.#runtime
    if (!isSealed(data)) return data
    if (sealer !== undefined) return sealer.open(data)
    throw new ConfigurationError(
      'secret',
      'is missing, and the signing keys in the store are encrypted',
      'Pass the one with which they were encrypted.',
    )
  }
}
