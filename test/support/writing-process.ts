import path from 'node:path'
import SQLite from 'better-sqlite3'
import { SqliteStore } from '../../lib/store/sqlite.js'
import type { Store } from '../../lib/store/store.js'
import { NOW, writes } from './writes.js'

/** When a process ends itself as `kill -9` does. */
export type Moment = 'after the first change' | 'before the commit' | 'after the answer'

/**
 * A process that does each kind of write on a file of its own (`<operation>.db`, in the folder that it is told), every one in the middle of
 * the one before, and then ends itself; so it ends in the middle of all of them. Or it waits for all their answers before.
 */
const [folder = '', moment] = process.argv.slice(2) as [string, Moment]

function open(name: string, verbose?: (sql?: unknown) => void): Store {
  const db = new SQLite(path.join(folder, `${name}.db`), verbose && { verbose })
  // So that changes are in the file before they are committed.
  db.pragma('cache_size = 1')
  return new SqliteStore(db, { own: true, now: () => NOW })
}

function kill(): void {
  process.kill(process.pid, 'SIGKILL')
}

function interrupted(operations: readonly [string, (store: Store) => unknown][]): void {
  // The queue of writes is run at once, and not with the next turn.
  const next: (() => void)[] = []
  globalThis.setImmediate = ((run: () => void) => next.push(run)) as never
  const begin = ([operation, ...others]: typeof operations): void => {
    if (operation === undefined) {
      kill()
      return
    }
    const [name, write] = operation
    let [changed, watching] = [false, false]
    const store = open(name, (sql) => {
      if (!watching) return
      if (moment === 'before the commit' ? sql === 'COMMIT' : changed) {
        watching = false
        begin(others)
      }
      changed ||= /^\s*(?:INSERT|UPDATE|DELETE)/.test(String(sql))
    })
    watching = true
    write(store)
    next.pop()?.()
  }
  begin(operations)
}

const operations = Object.entries(writes)
if (moment === 'after the answer')
  Promise.all(operations.map(([name, write]) => write(open(name)))).then(kill)
else interrupted(operations)
