import { randomBytes } from 'node:crypto'
import type { EventName, ProviderEvents } from '../events.js'
import type { AuditEntry } from '../store/records.js'
import type { Store } from '../store/store.js'
import { entryOf } from './entries.js'

/** How long an entry waits for others that are written with it, in milliseconds. */
const GATHERING = 50
/** Entries that are written at once: so long no other write has to wait for them. */
const BATCH = 1000
/** Entries that wait at most, while the store is slow. */
const MOST_WAITING = 10_000

interface Tools {
  readonly store: Pick<Store, 'appendAudit'>
  /** Milliseconds after which entries are deleted; undefined: never. */
  readonly keep: number | undefined
  readonly now: () => number
}

/** Writes what happens into the audit log, after the fact: no request waits for it or fails with it. */
export class AuditLog {
  readonly #tools: Tools
  /** Tells that entries could not be written; they are lost. */
  readonly #lost: (error: Error) => void
  /** With the number of the entry it makes an id that no other process gives. */
  readonly #process = randomBytes(6).toString('hex')
  #entries = 0
  #waiting: AuditEntry[] = []
  #dropped = 0
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined

  constructor(tools: Tools, lost: (error: Error) => void) {
    this.#tools = tools
    this.#lost = lost
  }

  note<Name extends EventName>(name: Name, event: ProviderEvents[Name][0], address?: string): void {
    const entry = entryOf(name, event)
    if (entry === undefined) return
    if (this.#waiting.length >= MOST_WAITING) {
      this.#dropped += 1
      return
    }
    const at = this.#tools.now()
    this.#waiting.push({ id: this.#id(at), at, ...entry, ...(address !== undefined && { address }) })
    this.#gather()
  }

  /** Writes what waits. Never rejects. */
  async flush(): Promise<void> {
    if (this.#writing !== undefined) await this.#writing
    if (this.#waiting.length === 0 && this.#writing === undefined) return
    // Somebody else who waited for the last writing may have begun the next one.
    this.#writing ??= this.#write()
    await this.#writing
  }

  #gather(): void {
    if (this.#writing === undefined) this.#timer ??= setTimeout(() => void this.flush(), GATHERING)
  }

  /** The entries of one process sort in the order in which they happened. */
  #id(at: number): string {
    this.#entries = (this.#entries + 1) % 2 ** 32
    return at.toString(16).padStart(12, '0') + this.#entries.toString(16).padStart(8, '0') + this.#process
  }

  /** One writing at a time, so that a store which takes long holds one list and no more. */
  async #write(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const entries = this.#waiting
    this.#waiting = []
    for (let from = 0; from < entries.length; from += BATCH)
      await this.#append(entries.slice(from, from + BATCH))
    if (this.#dropped > 0)
      this.#lost(
        new Error(
          `${this.#dropped} entries of the audit log are lost: the store takes longer to write them than they take to come.`,
        ),
      )
    this.#dropped = 0
    this.#writing = undefined
    if (this.#waiting.length > 0) this.#gather()
  }

  async #append(entries: readonly AuditEntry[]): Promise<void> {
    const { store, keep, now } = this.#tools
    try {
      await store.appendAudit(entries, keep === undefined ? 0 : now() - keep)
    } catch (cause) {
      this.#lost(
        new Error(`${entries.length} entries of the audit log could not be written and are lost.`, { cause }),
      )
    }
  }
}
