import { closeSync, openSync } from 'node:fs'
import SQLite, { type Database } from 'better-sqlite3'
import { ConfigurationError, StoreUnavailableError } from '../errors.js'
import { requireBindings } from './bindings.js'
import { SqliteStore } from './sqlite.js'
import type { Store } from './store.js'
import { isBusy } from './write-queue.js'

/** How long opening waits for another process that is just creating the same file, in milliseconds. */
const OPEN_TIMEOUT = 5000
/** Pages that each process keeps, in kilobytes: with SQLite's own 2 MB a look-up among a million tokens reads the file again each time. */
const CACHE = 32 * 1024
/** How long one statement waits inside SQLite for another process; beyond it the write queue waits outside the event loop. */
const BUSY_TIMEOUT = 10

export const METHODS = Object.keys({
  findClient: 0,
  saveClient: 0,
  deleteClient: 0,
  listClients: 0,
  findGrant: 0,
  saveGrant: 0,
  touchGrant: 0,
  listGrants: 0,
  revokeGrant: 0,
  revokeUser: 0,
  revokeClient: 0,
  withdrawScopes: 0,
  insert: 0,
  find: 0,
  consume: 0,
  amend: 0,
  revokeFamily: 0,
  findKeys: 0,
  saveKeys: 0,
  saveSession: 0,
  hasSession: 0,
  endSessions: 0,
  appendAudit: 0,
  listAudit: 0,
  purge: 0,
  close: 0,
} satisfies Record<keyof Store, 0>) as readonly (keyof Store)[]

/** Makes a store of what the host passed as the option `store`. */
export function openStore(given: string | object, now: () => number): Store {
  if (typeof given === 'string') return openFile(given, now)
  if (isDatabase(given)) return useDatabase(given, now)
  return guarded(given)
}

function openFile(file: string, now: () => number): Store {
  // Not shown: it may hold a password.
  if (/^\w+:\/\//.test(file))
    throw new ConfigurationError(
      'store',
      'is a URL',
      "Name a file; for PostgreSQL, pass postgresStore(new Pool({ connectionString: '...' })).",
    )
  requireBindings()
  try {
    // The file holds the signing keys, so it is nobody else's to read. SQLite gives its -wal and -shm the same mode.
    if (file !== ':memory:') closeSync(openSync(file, 'a', 0o600))
    const db = new SQLite(file, { timeout: OPEN_TIMEOUT })
    try {
      writeAhead(db)
      // In WAL mode NORMAL may lose the last commits when the power fails, and a lost commit revives a used code.
      db.pragma('synchronous = FULL')
      db.pragma(`cache_size = -${CACHE}`)
      const store = new SqliteStore(db, { own: true, now })
      db.pragma(`busy_timeout = ${BUSY_TIMEOUT}`)
      return store
    } catch (error) {
      db.close()
      throw error
    }
  } catch (error) {
    throw unusable(
      error,
      `cannot be opened: '${file}'`,
      'Name a file in a folder that exists and that this process may write to.',
    )
  }
}

/** SQLite itself does not wait where several processes switch a fresh file to WAL at once (its busy handler is left out there), so we do. */
function writeAhead(db: Database): void {
  const giveUp = performance.now() + OPEN_TIMEOUT
  for (;;) {
    try {
      db.pragma('journal_mode = WAL')
      return
    } catch (error) {
      if (!isBusy(error) || performance.now() > giveUp) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.ceil(Math.random() * 10))
    }
  }
}

/** The host's own connection keeps its settings: durability (`synchronous`) and the wait for other processes (`timeout`) are what the host chose. */
function useDatabase(db: Database, now: () => number): Store {
  try {
    if (db.readonly) throw new Error('it is read-only')
    if (db.inTransaction) throw new Error('a transaction is open on it')
    return new SqliteStore(db, { own: false, now })
  } catch (error) {
    throw unusable(
      error,
      'is a Database that cannot be used',
      'Pass one that is open for writing, outside a transaction.',
    )
  }
}

export function unusable(error: unknown, problem: string, remedy: string): ConfigurationError {
  if (error instanceof ConfigurationError) return error
  const [reason] = (error as Error).message.split('\n')
  return new ConfigurationError('store', `${problem} (${reason})`, remedy, error)
}

/** A store of the host's own: whatever it throws, a driver's error or a bug, it cannot answer, and nothing of that is shown to anyone. */
function guarded(given: object): Store {
  const missing = METHODS.filter((name) => typeof (given as Partial<Store>)[name] !== 'function')
  if (missing.length > 0) {
    throw new ConfigurationError(
      'store',
      missing.length === METHODS.length ? 'is not a store' : `has no ${missing.join(', no ')}`,
      "Pass a file name, ':memory:', a better-sqlite3 Database or an object with the methods of Store.",
    )
  }
  const call = (name: keyof Store) => {
    const method = (given as Store)[name].bind(given) as (...parameters: unknown[]) => unknown
    return async (...parameters: unknown[]) => {
      try {
        return await method(...parameters)
      } catch (error) {
        if (error instanceof StoreUnavailableError) throw error
        throw new StoreUnavailableError(`The store failed at ${name}.`, { cause: error })
      }
    }
  }
  return Object.fromEntries(METHODS.map((name) => [name, call(name)])) as unknown as Store
}

function isDatabase(given: object): given is Database {
  return 'prepare' in given && 'pragma' in given && 'inTransaction' in given
}
