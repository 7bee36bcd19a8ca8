import type { Database } from 'better-sqlite3'
import { StoreUnavailableError } from '../errors.js'

/** How long a write waits for another process that holds the database, in milliseconds. */
const LONGEST_WAIT = 5000
/** How long it stays away between two tries, so that the event loop goes on meanwhile. */
const RETRY_AFTER = 10

interface Around {
  /** Runs in the transaction, with the number of its writes. */
  readonly afterEach: (writes: number) => void
  /** Whether something is being read that will mostly be followed by a write. */
  readonly isReading: () => boolean
  /** Milliseconds. */
  readonly longestWait?: number | undefined
}

interface Write {
  readonly perform: () => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  /** Of `performance.now()`, once it has had to wait. */
  since?: number
}

/**
 * Commits the writes of one event-loop turn together, and answers each after that commit: a rotation costs one fsync alone, and a
 * fraction of one under load: what is being read in that turn is waited for once, so that the writes which follow share the commit. A write that fails takes none of its neighbours along. While another process, or a transaction of
 * the host on the same connection, is in the way, writes wait outside the event loop.
 */
export class WriteQueue {
  readonly #db: Database
  readonly #afterEach: Around['afterEach']
  readonly #isReading: Around['isReading']
  readonly #longestWait: number
  readonly #begin
  readonly #commit
  readonly #rollback
  #waiting: Write[] = []
  #timer: NodeJS.Immediate | NodeJS.Timeout | undefined
  #hasWaited = false
  #closed = false

  constructor(db: Database, { afterEach, isReading, longestWait = LONGEST_WAIT }: Around) {
    this.#db = db
    this.#afterEach = afterEach
    this.#isReading = isReading
    this.#longestWait = longestWait
    this.#begin = db.prepare('BEGIN IMMEDIATE')
    this.#commit = db.prepare('COMMIT')
    this.#rollback = db.prepare('ROLLBACK')
  }

  /** `perform` may run more than once; only what its last run did has happened. */
  run<T>(perform: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(new StoreUnavailableError('The store has been closed.'))
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ perform, resolve: resolve as (value: unknown) => void, reject })
      this.#timer ??= setImmediate(() => this.#flush())
    })
  }

  /** Takes no more writes, and waits for those that it has. */
  async close(): Promise<void> {
    const last = this.#waiting.length > 0 ? this.run(() => undefined) : undefined
    this.#closed = true
    await last?.catch(() => undefined)
  }

  #flush(): void {
    this.#hasWaited = !this.#hasWaited && this.#isReading()
    this.#timer = this.#hasWaited ? setImmediate(() => this.#flush()) : undefined
    if (this.#hasWaited) return
    const writes = this.#waiting
    this.#waiting = []
    this.#settle(writes)
  }

  #settle(writes: readonly Write[]): void {
    const failed = this.#transact(writes)
    if (failed === undefined) return
    if (isBusy(failed)) this.#wait(writes, failed)
    else if (writes.length > 1) for (const write of writes) this.#settle([write])
    else writes[0]?.reject(unavailable(failed))
  }

  /** Performs and commits all, or nothing: then the cause is returned. */
  #transact(writes: readonly Write[]): unknown {
    if (this.#db.inTransaction) return HOST_TRANSACTION
    try {
      this.#begin.run()
      const values = writes.map((write) => write.perform())
      this.#afterEach(writes.length)
      this.#commit.run()
      for (let index = 0; index < writes.length; index++) writes[index]?.resolve(values[index])
      return undefined
    } catch (error) {
      if (this.#db.inTransaction) this.#rollback.run()
      return error
    }
  }

  #wait(writes: readonly Write[], cause: unknown): void {
    const now = performance.now()
    for (const write of writes) {
      write.since ??= now
      if (now - write.since < this.#longestWait) this.#waiting.push(write)
      else write.reject(unavailable(cause))
    }
    if (this.#waiting.length > 0) this.#timer ??= setTimeout(() => this.#flush(), RETRY_AFTER)
  }
}

const HOST_TRANSACTION = Object.assign(new Error('The connection is in a transaction of the host.'), {
  code: 'SQLITE_BUSY',
})
/** How better-sqlite3 says that the host iterates over rows of its own, or has closed its database. */
const ITERATING = 'This database connection is busy executing a query'
const CLOSED = 'The database connection is not open'

/** Whether it is worth trying again in a moment. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(?:BUSY|LOCKED)/.test(codeOf(error)) || (error as Error | null)?.message === ITERATING
}

/** A failure of SQLite itself (busy, full, read-only, corrupt, closed) is the store's; anything else is a bug and stays what it is. */
export function unavailable(error: unknown): unknown {
  const { message } = error as Error
  const code = codeOf(error)
  if (!code.startsWith('SQLITE_') && message !== ITERATING && message !== CLOSED) return error
  return new StoreUnavailableError(`SQLite: ${code || message}`, { cause: error })
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}
