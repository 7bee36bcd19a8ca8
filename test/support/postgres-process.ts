import pg from 'pg'
import { type PostgresStore, postgresStore } from '../../lib/store/postgres.js'

/** What a process of a host is told to do with the store of a database: one thing at a time. */
export type Task =
  | { readonly open: string }
  | { readonly migrate: true }
  | { readonly consume: string; readonly times: number; readonly successor: string }

/** How many connections a process opens before it begins. */
const CONNECTIONS = 5

let store: PostgresStore

async function open(connectionString: string): Promise<void> {
  const pool = new pg.Pool({ connectionString, max: CONNECTIONS })
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.connect()))
  for (const client of clients) client.release()
  store = postgresStore(pool)
}

async function consume(id: string, times: number, successor: string): Promise<boolean[]> {
  const attempts = Array.from({ length: times }, (_, index) =>
    store.consume(id, { now: 1000, trace: `${process.pid}` }, [
      { id: `${successor} ${process.pid} ${index}`, kind: 'access', hash: Buffer.alloc(32), data: '{}' },
    ]),
  )
  return (await Promise.all(attempts)).map(({ won }) => won)
}

process.on('message', async (task: Task) => {
  try {
    if ('open' in task) process.send?.(await open(task.open).then(() => 'opened'))
    else if ('migrate' in task) process.send?.(await store.migrate())
    else process.send?.(await consume(task.consume, task.times, task.successor))
  } catch (error) {
    process.send?.({ failed: String(error) })
  }
})
process.once('disconnect', () => process.exit())
process.send?.('there')
