import { type SessionData, Store } from 'express-session'
import type pg from 'pg'

/** Sessions of a host of several machines, in a table of its own. */
export class PostgresSessions extends Store {
  static readonly TABLE = 'CREATE TABLE host_sessions (id text PRIMARY KEY, data json NOT NULL)'
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    super()
    this.#pool = pool
  }

  override get(id: string, done: (error: unknown, session?: SessionData) => void): void {
    this.#query('SELECT data FROM host_sessions WHERE id = $1', [id], (error, rows) =>
      done(error, rows?.[0]?.data),
    )
  }

  override set(id: string, session: SessionData, done?: (error?: unknown) => void): void {
    const text =
      'INSERT INTO host_sessions VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET data = excluded.data'
    this.#query(text, [id, JSON.stringify(session)], done)
  }

  override destroy(id: string, done?: (error?: unknown) => void): void {
    this.#query('DELETE FROM host_sessions WHERE id = $1', [id], done)
  }

  #query(
    text: string,
    values: string[],
    done?: (error: unknown, rows?: { data: SessionData }[]) => void,
  ): void {
    this.#pool.query(text, values).then(
      ({ rows }) => done?.(null, rows),
      (error) => done?.(error),
    )
  }
}
