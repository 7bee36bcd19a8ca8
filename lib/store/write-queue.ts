import type { Database } from 'better-sqlite3'
import { StoreUnavailableError } from '../errors.js'

/** How long a write waits for another process that holds the database, in milliseconds. */
const LONGEST_WAIT = 5000
/** How long it stays away between two tries, so that the event loop goes on meanwhile. */
const RETRY_AFTER = 20

interface Write {
  readonly perform: () => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * Commits the writes of one event-loop turn together, and answers each after that commit: a rotation costs one fsync alone, and a
 * fraction of one under load. A write that fails takes none of its neighbours along.
 */
export class WriteQueue {
  readonly #db: Database
  readonly #afterEach: (writes: number) => void
  readonly #begin
  readonly #commit
  readonly #rollback
  #waiting: Write[] = []
  #waitingSince = 0
  #timer: NodeJS.Immediate | NodeJS.Timeout | undefined

  /** `afterEach` runs in the transaction, with the number of its writes. */
  constructor(db: Database, afterEach: (writes: number) => void) {
    this.#db = db
    this.#afterEach = afterEach
    this.#begin = db.prepare('BEGIN IMMEDIATE')
    this.#commit = db.prepare('COMMIT')
    this.#rollback = db.prepare('ROLLBACK')
  }

  run<T>(perform: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ perform, resolve: resolve as (value: unknown) => void, reject })
      if (this.#timer !== undefined) return
      this.#waitingSince = performance.now()
      this.#timer = setImmediate(() => this.flush())
    })
  }

  /** Commits what is waiting, now if the database can be had. */
  flush(): void {
    this.#timer = undefined
    if (this.#waiting.length === 0) return
    try {
      // A transaction that the host left open on its own connection is not ours to join.
      if (this.#db.inTransaction)
        throw new StoreUnavailableError('The connection is in a transaction of the host.')
      this.#begin.run()
    } catch (error) {
      if (performance.now() - this.#waitingSince < LONGEST_WAIT && this.#db.open) {
        this.#timer = setTimeout(() => this.flush(), RETRY_AFTER)
        return
      }
      const writes = this.#take()
      for (const write of writes) write.reject(unavailable(error))
      return
    }
    const writes = this.#take()
    const failed = this.#performInTransaction(writes)
    if (failed === undefined) return
    if (writes.length === 1) writes[0]?.reject(unavailable(failed))
    else for (const write of writes) this.#performAlone(write)
  }

  /** Performs and commits all, or nothing: then the cause is returned. The transaction has begun. */
  #performInTransaction(writes: readonly Write[]): unknown {
    try {
      const values = writes.map((write) => write.perform())
      this.#afterEach(writes.length)
      this.#commit.run()
      for (const [index, write] of writes.entries()) write.resolve(values[index])
      return undefined
    } catch (error) {
      if (this.#db.inTransaction) this.#rollback.run()
      return error
    }
  }

  #performAlone(write: Write): void {
    try {
      this.#begin.run()
    } catch (error) {
      write.reject(unavailable(error))
      return
    }
    const failed = this.#performInTransaction([write])
    if (failed !== undefined) write.reject(unavailable(failed))
  }

  #take(): Write[] {
    const writes = this.#waiting
    this.#waiting = []
    return writes
  }
}

/** A failure of SQLite itself (busy, full, read-only, corrupt) is the store's; anything else is a bug and stays what it is. */
export function unavailable(error: unknown): unknown {
  const code = (error as { code?: unknown } | null)?.code
  if (typeof code !== 'string' || !code.startsWith('SQLITE_')) return error
  return new StoreUnavailableError(`SQLite: ${code}`, { cause: error })
}
