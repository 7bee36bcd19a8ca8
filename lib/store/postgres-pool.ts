import { StoreUnavailableError } from '../errors.js'
import {
  ignore,
  type PostgresPool,
  type PostgresQuery,
  type PostgresResult,
  send,
  unavailable,
} from './postgres-connection.js'
import { migratePostgres, versionOfTables } from './postgres-migrations.js'
import type { Migrated, TableVersion } from './table-version.js'

/** Expired rows are deleted once in so many writes, and of each table up to so many for each of them. */
const WRITES = 50
const EXPIRED_PER_WRITE = 4

export interface PoolOptions {
  readonly schema: string | undefined
  readonly prepare: boolean
  /** Deletes up to so many expired rows of each table. */
  readonly purge: (limit: number) => Promise<unknown>
}

/** The pool with tables that are up to date: each operation is one statement, and none waits for what has expired to be deleted. */
export class PreparedPool {
  readonly #pool: PostgresPool
  readonly #options: PoolOptions
  readonly #running = new Set<Promise<unknown>>()
  #migration: Promise<Migrated> | undefined
  #migrated = false
  #purging = false
  #writes = 0
  #closed = false

  constructor(pool: PostgresPool, options: PoolOptions) {
    this.#pool = pool
    this.#options = options
    keepAlive(pool)
  }

  /** Once; again only where it has failed. */
  migrate(): Promise<Migrated> {
    this.#migration ??= migratePostgres(this.#pool, this.#options.schema).then(
      (migrated) => {
        this.#migrated = true
        return migrated
      },
      (error: unknown) => {
        this.#migration = undefined
        throw unavailable(error)
      },
    )
    return this.#migration
  }

  async version(): Promise<TableVersion> {
    try {
      return await versionOfTables(this.#pool, this.#options.schema)
    } catch (error) {
      throw unavailable(error)
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: whatever the columns of a statement are.
  async read(query: PostgresQuery, values?: unknown[]): Promise<any[]> {
    return (await this.#send(query, values, true)).rows
  }

  /** `repeatable`: doing it twice is as good as doing it once. */
  async write(query: PostgresQuery, values?: unknown[], repeatable = false): Promise<PostgresResult> {
    const result = await this.#send(query, values, repeatable)
    if (this.#writes++ % WRITES === 0) this.#purge()
    return result
  }

  /** Whether it has changed anything. */
  async change(query: PostgresQuery, values?: unknown[]): Promise<boolean> {
    return ((await this.write(query, values)).rowCount ?? 0) > 0
  }

  /** Takes nothing more, waits for what runs, and leaves the pool to its owner. */
  async close(): Promise<void> {
    this.#closed = true
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
  }

  async #send(
    { text, name, values = [] }: PostgresQuery,
    given: unknown[] = values,
    repeatable: boolean,
  ): Promise<PostgresResult> {
    if (this.#closed) throw new StoreUnavailableError('The store has been closed.')
    const named = this.#options.prepare && name !== undefined
    const query = { text, values: given, ...(named && { name }) }
    const sending = this.#migrated
      ? send(this.#pool, query, { repeatable })
      : this.migrate().then(() => send(this.#pool, query, { repeatable }))
    this.#running.add(sending)
    try {
      return await sending
    } finally {
      this.#running.delete(sending)
    }
  }

  /** What fails here is made up for by the next one. */
  #purge(): void {
    if (this.#purging || this.#closed) return
    this.#purging = true
    this.#options
      .purge(WRITES * EXPIRED_PER_WRITE)
      .catch(ignore)
      .finally(() => {
        this.#purging = false
      })
  }
}

const kept = new WeakSet<PostgresPool>()

/**
 * A pool without a listener ends the process when the server closes a connection that nobody uses; so it has one for as long as it lives.
 * So has each connection: one that the server closes in the moment in which it was made belongs to nobody yet.
 */
function keepAlive(pool: PostgresPool): void {
  if (kept.has(pool)) return
  kept.add(pool)
  pool.on('error', ignore)
  // Without one, a single connection was given in place of a pool, which is refused when it is used.
  pool.on('connect', (client) => client?.on('error', ignore))
}
