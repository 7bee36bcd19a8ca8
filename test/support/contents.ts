import type { Database } from 'better-sqlite3'
import type pg from 'pg'

/** What lies in the tables of a store, for whoever damages it. */
export interface Contents {
  /** Rows in which this column has something: their ids, and its text. */
  read(table: string, column: string, where?: string): Promise<readonly { id: string; text: string }[]>
  /** Rejects where the database does not take it. Without an id: to all rows. */
  write(table: string, column: string, text: string, id?: string): Promise<void>
  run(sql: string): Promise<void>
}

export function sqliteContents(db: Database): Contents {
  return {
    async read(table, column, where = 'true') {
      const sql = `SELECT id, ${column} AS text FROM ${table} WHERE ${where} AND ${column} IS NOT NULL`
      return db.prepare(sql).all() as { id: string; text: string }[]
    },
    async write(table, column, text, id) {
      db.prepare(`UPDATE ${table} SET ${column} = @text WHERE id = @id OR @id IS NULL`).run({
        text,
        id: id ?? null,
      })
    },
    async run(sql) {
      db.exec(sql)
    },
  }
}

export function postgresContents(pool: pg.Pool): Contents {
  return {
    async read(table, column, where = 'true') {
      const sql = `SELECT id::text, ${column}::text AS text FROM ${table} WHERE ${where} AND ${column} IS NOT NULL`
      return (await pool.query(sql)).rows
    },
    async write(table, column, text, id) {
      const sql = `UPDATE ${table} SET ${column} = $1 WHERE id::text = $2 OR $2 IS NULL`
      await pool.query(sql, [text, id ?? null])
    },
    async run(sql) {
      await pool.query(sql)
    },
  }
}
