import { type PostgresStore, postgresStore } from '../store/postgres.js'
import { Failure } from './failure.js'
import type { Io } from './io.js'

/** Opens the store in a database, with connections of its own, which `close` ends. It connects with the first operation. */
export async function openPostgres(
  url: string,
  schema: string | undefined,
  io: Io,
): Promise<{ readonly store: PostgresStore; close(): Promise<void> }> {
  const { default: pg } = await loadDriver()
  const pool = new pg.Pool({
    connectionString: url,
    max: 2,
    connectionTimeoutMillis: 5000,
    application_name: 'express-oauth-provider',
  })
  const store = postgresStore(pool, { clock: io.now, ...(schema !== undefined && { schema }) })
  return {
    store,
    async close() {
      await store.close()
      await pool.end()
    },
  }
}

/** Only those who have PostgreSQL have installed it. */
async function loadDriver() {
  try {
    return await import('pg')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw error
    throw new Failure(
      'no_driver',
      'For PostgreSQL the package pg has to be installed beside this one: npm install pg',
      error,
    )
  }
}
