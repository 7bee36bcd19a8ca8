import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler } from 'express'
import session from 'express-session'
import pg from 'pg'
import { oauthProvider } from '../../lib/index.js'
import { type PostgresStore, postgresStore } from '../../lib/store/postgres.js'
import { clients } from './clients.js'
import { deviceClients } from './devices.js'
import { mountApi, mountLogin } from './host.js'
import { PostgresSessions, type SessionFailure } from './postgres-sessions.js'

/** What a process of a host is told to do with a database: one thing at a time. */
export type Task =
  | { readonly open: string }
  | { readonly migrate: true }
  /** What time it is from now on, in milliseconds. */
  | { readonly time: number }
  /** Starts an app with the provider, and answers its port. */
  | { readonly serve: { readonly issuer: string } }
  | { readonly consume: string; readonly times: number; readonly successor: Successor }
  | { readonly insert: string; readonly times: number }
  | { readonly revoke: 'grant' | 'family'; readonly id: string }
  | { readonly purge: true }
  | { readonly sessions: SessionFailure | 'work' }

/** What comes in place of a record: ids begin with its name, and it hangs on these. */
export interface Successor {
  readonly name: string
  readonly grantId?: string
  readonly familyId?: string
}

/** How many connections a process opens before it begins. */
const CONNECTIONS = 5
const FAR = 1e15

let pool: pg.Pool | undefined
let store: PostgresStore
let sessions: PostgresSessions | undefined
let time = 1000

async function open(connectionString: string): Promise<void> {
  await pool?.end()
  const opened = new pg.Pool({ connectionString, max: CONNECTIONS })
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => opened.connect()))
  for (const client of clients) client.release()
  pool = opened
  store = postgresStore(pool, { clock: () => time })
}

async function consume(id: string, times: number, { name, ...lineage }: Successor): Promise<boolean[]> {
  const attempts = Array.from({ length: times }, (_, index) =>
    store.consume(id, { now: time, trace: `${process.pid}` }, [
      { ...record(`${name} ${process.pid} ${index}`), kind: 'access', ...lineage },
    ]),
  )
  return (await Promise.all(attempts)).map(({ won }) => won)
}

function record(id: string) {
  return { id, kind: 'proof', hash: Buffer.alloc(32), data: '{}' } as const
}

/** An app as any other, whose sessions lie in the same database. */
async function serve(issuer: string, pool: pg.Pool): Promise<number> {
  sessions = new PostgresSessions(pool)
  const app = express()
  app.use(
    session({
      secret: 'test',
      resave: false,
      saveUninitialized: false,
      name: 'host',
      store: sessions,
    }),
  )
  const oauth = oauthProvider({
    issuer,
    findUser: (id) => ({ id }),
    currentUser: (req) => (req.session as { userId?: string } | undefined)?.userId,
    scopes: { read: 'Read your things', write: 'Change your things' },
    clients: [...clients, ...deviceClients],
    store,
    clock: () => time,
  })
  // Who listens is not written about on the console.
  oauth.events.on('server.error', () => undefined)
  app.use('/oauth', oauth)
  app.use(oauth.wellKnown)
  mountLogin(app, express)
  mountApi(app, oauth)
  app.use(((_error, _req, res, _next) => {
    res.status(500).type('html').send('<p>Please come back later.</p>')
  }) as ErrorRequestHandler)
  return new Promise((resolve) => {
    const server = createServer(app).listen(0, () => resolve((server.address() as AddressInfo).port))
  })
}

async function perform(task: Task): Promise<unknown> {
  if ('migrate' in task) return store.migrate()
  if ('serve' in task) return serve(task.serve.issuer, pool!)
  if ('consume' in task) return consume(task.consume, task.times, task.successor)
  if ('insert' in task)
    return Promise.all(Array.from({ length: task.times }, () => store.insert([record(task.insert)])))
  if ('open' in task) await open(task.open)
  else if ('time' in task) time = task.time
  else if ('sessions' in task) sessions?.fail(task.sessions === 'work' ? undefined : task.sessions)
  else if ('purge' in task) await store.purge(time, 1000)
  else if (task.revoke === 'grant') await store.revokeGrant(task.id)
  else await store.revokeFamily(task.id, FAR)
  return 'done'
}

process.on('message', async (task: Task) => {
  try {
    process.send?.(await perform(task))
  } catch (error) {
    process.send?.({ failed: String(error) })
  }
})
process.once('disconnect', () => process.exit())
process.send?.('there')
