import { closeSync, openSync } from 'node:fs'
import SQLite, { type Database } from 'better-sqlite3'
import { ConfigurationError } from '../errors.js'
import { SqliteStore } from './sqlite.js'
import type { Store } from './store.js'

/** How long one statement waits inside SQLite for another process, in milliseconds; beyond it the write queue waits outside the event loop. */
const BUSY_TIMEOUT = 50

/** Makes a store of what the host passed as the option `store`. */
export function openStore(given: string | object, now: () => number): Store {
  if (typeof given === 'string') return new SqliteStore(openDatabase(given), { own: true, now })
  if (isDatabase(given)) return new SqliteStore(given, { own: false, now })
  if (isStore(given)) return given
  throw new ConfigurationError(
    'store',
    'is not a store',
    "Pass a file name, ':memory:', a better-sqlite3 Database or an object with the methods of Store.",
  )
}

function openDatabase(file: string): Database {
  try {
    // The file holds hashes, not secrets, and even so it is nobody else's to read. SQLite gives its -wal and -shm the same mode.
    if (file !== ':memory:') closeSync(openSync(file, 'a', 0o600))
    const db = new SQLite(file, { timeout: 5000 })
    db.pragma('journal_mode = WAL')
    // In WAL mode NORMAL may lose the last commits when the power fails, and a lost commit revives a used code.
    db.pragma('synchronous = FULL')
    db.pragma(`busy_timeout = ${BUSY_TIMEOUT}`)
    return db
  } catch (error) {
    throw new ConfigurationError(
      'store',
      `cannot be opened: '${file}' (${(error as Error).message.split('\n')[0]})`,
      "Name a file in a folder that exists and that this process may write to. Where better-sqlite3 says that its bindings are missing, its install script did not run: 'npm rebuild better-sqlite3'.",
      error,
    )
  }
}

function isDatabase(given: object): given is Database {
  return 'prepare' in given && 'pragma' in given && 'inTransaction' in given
}

function isStore(given: object): given is Store {
  return 'consume' in given && 'findClient' in given && 'saveGrant' in given
}
