import SQLite from 'better-sqlite3'
import { requireBindings } from './bindings.js'
import { LATEST, migrationsDone } from './migrations.js'
import { unusable } from './open.js'
import type { TableVersion } from './table-version.js'

/** That of a SQLite file, in which nothing is changed. @throws ConfigurationError where it is none. */
export function schemaOf(file: string): TableVersion {
  requireBindings()
  try {
    const db = new SQLite(file, { fileMustExist: true })
    try {
      return { at: migrationsDone(db), latest: LATEST }
    } finally {
      db.close()
    }
  } catch (error) {
    throw unusable(error, `cannot be opened: '${file}'`, 'Name the SQLite file of your app.')
  }
}
