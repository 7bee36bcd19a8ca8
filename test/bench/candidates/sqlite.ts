import SQLite, { type Database } from 'better-sqlite3'
import { fill } from './candidate.js'

/** A file that is as durable as that of ours: what was answered outlasts a power cut. */
export function openDurable(file: string, schema: string): Database {
  const db = new SQLite(file)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  // As much as ours keeps.
  db.pragma('cache_size = -32768')
  db.exec(schema)
  return db
}

/** What a lot costs where keys are random is the pages that it touches, so they are large. */
const LOT = 50_000

/** Inserts live tokens, one by one of what `insert` answers the value. */
export async function fillTable(
  db: Database,
  tokens: number,
  insert: (index: number) => string,
): Promise<string[]> {
  const usual = db.pragma('cache_size', { simple: true })
  // Nobody has been answered yet, so nothing has to last.
  db.pragma('synchronous = OFF')
  db.pragma('cache_size = -400000')
  const lot = db.transaction((from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => insert(from + index)),
  )
  const samples = await fill(tokens, lot, LOT)
  db.pragma('wal_checkpoint(TRUNCATE)')
  db.pragma(`cache_size = ${usual}`)
  db.pragma('synchronous = FULL')
  return samples
}
