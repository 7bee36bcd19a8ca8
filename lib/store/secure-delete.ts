import type { Database } from 'better-sqlite3'

/** How long the log waits for other processes to let go of it, in milliseconds. */
const LOG_TIMEOUT = 100

/** What was there before, a private key perhaps, must not stay behind in unused pages of the file; `emptyLog` sees to the other one. */
export function overwriting<T>(db: Database, write: () => T): T {
  const before = Number(db.pragma('secure_delete', { simple: true }))
  db.pragma('secure_delete = ON')
  try {
    return write()
  } finally {
    db.pragma(`secure_delete = ${before === 2 ? 'FAST' : before}`)
  }
}

/**
 * In WAL mode what was there before also lies in the log, until everything in that has been moved over and it is cut off. Where somebody
 * reads for longer, or a transaction of the host is open, it stays until keys are saved again or the last process closes the file.
 */
export function emptyLog(db: Database): void {
  try {
    const before = db.pragma('busy_timeout', { simple: true })
    db.pragma(`busy_timeout = ${LOG_TIMEOUT}`)
    try {
      db.pragma('wal_checkpoint(TRUNCATE)')
    } finally {
      db.pragma(`busy_timeout = ${before}`)
    }
  } catch {
    // The keys are saved, whatever becomes of the log.
  }
}
