import { rmSync } from 'node:fs'
import path from 'node:path'
import { openDurable } from './candidates/sqlite.js'

const COMMITS = 200

/** What one commit with its fsync takes in this folder, in microseconds: nothing else differs as much from machine to machine. */
export function commitTime(folder: string): number {
  const file = path.join(folder, 'commits.db')
  const db = openDurable(file, 'CREATE TABLE commits (id INTEGER PRIMARY KEY, data TEXT) STRICT')
  const insert = db.prepare('INSERT INTO commits (data) VALUES (?)')
  const took = Array.from({ length: COMMITS }, () => {
    const startedAt = performance.now()
    insert.run('x'.repeat(300))
    return (performance.now() - startedAt) * 1000
  }).sort((a, b) => a - b)
  db.close()
  for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true })
  return Math.round(took[COMMITS / 2] ?? 0)
}
