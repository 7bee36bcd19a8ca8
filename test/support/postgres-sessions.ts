import { type SessionData, Store } from 'express-session'
import type pg from 'pg'

/** What a store of sessions does that cannot reach its server: all that there is among those for Express. */
export type SessionFailure = 'calls back with an error' | 'throws' | 'is disconnected'

/** Sessions of a host of several machines, in a table of its own. */
export class PostgresSessions extends Store {
  #failure: SessionFailure | undefined
  static readonly TABLE = 'CREATE TABLE host_sessions (id text PRIMARY KEY, data json NOT NULL)'
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    super()
    this.#pool = pool
  }

  /** Until it is told otherwise. */
  fail(failure: SessionFailure | undefined): void {
    this.#failure = failure
    // express-session looks out for these.
    this.emit(failure === 'is disconnected' ? 'disconnect' : 'connect')
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
    const failure = new Error('connect ECONNREFUSED 10.9.8.7:6379')
    if (this.#failure === 'throws') throw failure
    const answer = this.#failure === undefined ? this.#pool.query(text, values) : Promise.reject(failure)
    answer.then(
      ({ rows }) => done?.(null, rows),
      (error) => done?.(error),
    )
  }
}
