import { ConfigurationError } from '../errors.js'
import type { PostgresPool } from './postgres-connection.js'
import { PostgresTables } from './postgres-store.js'
import type { Store } from './store.js'
import type { Migrated, TableVersion } from './table-version.js'

export interface PostgresStoreOptions {
  /** The schema that the tables lie in, made where it is missing. Default: where the connection's `search_path` leads. */
  readonly schema?: string
  /** Whether statements are kept prepared on each connection, by name. Default: true; false for a pooler between that does not know them. */
  readonly prepare?: boolean
  /** What time it is, in milliseconds, for what has expired. Default: `Date.now`. */
  readonly clock?: () => number
}

/** What `postgresStore` makes, for the option `store`. */
export interface PostgresStore extends Store {
  /**
   * Brings the tables up to date, which the first operation does otherwise, and answers from which version to which. Rejects with
   * `ConfigurationError` where they are newer than this package, with `StoreUnavailableError` where the database cannot be reached.
   */
  migrate(): Promise<Migrated>
  /** How far the tables are; 0: there are none. Changes nothing. */
  version(): Promise<TableVersion>
}

/**
 * The store on PostgreSQL, for any number of machines. `pool` is a `Pool` of the package `pg` that the host has made and goes on
 * owning: closing the store leaves it open. Throws `ConfigurationError` where it is none.
 */
export function postgresStore(pool: PostgresPool, options: PostgresStoreOptions = {}): PostgresStore {
  if (typeof pool?.connect !== 'function' || typeof pool.on !== 'function') {
    throw new ConfigurationError(
      'store',
      'was given no pool',
      "Pass postgresStore(new Pool()) with Pool of 'pg'.",
    )
  }
  const { schema, prepare = true, clock = Date.now } = options
  return new PostgresTables(pool, { schema, prepare, clock })
}
