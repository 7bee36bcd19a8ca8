import SQLite, { type Database } from 'better-sqlite3'
import type { Express } from 'express'
import pg from 'pg'
import { oauthProvider, postgresStore } from '../../../lib/index.js'
import { openStore } from '../../../lib/store/open.js'
import type { Store } from '../../../lib/store/store.js'
import { accessTokenRecord } from '../../../lib/tokens/access-token.js'
import { mintHandle } from '../../../lib/tokens/handle.js'
import {
  type Candidate,
  CLIENT,
  expiryAt,
  fill,
  ISSUER,
  LIFETIME,
  type Mounted,
  type Place,
  signedInAs,
  USERS,
  userCookies,
  userOf,
} from './candidate.js'

/** Connections to PostgreSQL, of one process. */
const CONNECTIONS = 8

export const oursOnSqlite: Candidate = async (app, { file, tokens }) => {
  const store = openStore(file, Date.now)
  const samples = await fillStore(store, tokens)
  await store.close()
  return mount(app, file, samples)
}

/** On a connection of the host's, with `synchronous = NORMAL`: commits that a power cut may take back. */
export const oursWithoutFsync: Candidate = async (app, { file, tokens }) => {
  const store = openStore(file, Date.now)
  const samples = await fillStore(store, tokens)
  await store.close()
  const db = new SQLite(file)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = NORMAL')
  return mount(app, db, samples)
}

export const oursOnPostgres: Candidate = async (app, { database, tokens }: Place) => {
  const pool = new pg.Pool({ connectionString: database, max: CONNECTIONS })
  const store = postgresStore(pool)
  const samples = await fillStore(store, tokens)
  // As autovacuum would, sooner or later: statistics are part of a store that has been in use.
  await pool.query('ANALYZE')
  return mount(app, store, samples)
}

function mount(app: Express, store: string | Store | Database, samples: readonly string[]): Mounted {
  const oauth = oauthProvider({
    issuer: ISSUER,
    findUser: (id) => ({ id }),
    currentUser: (req) => signedInAs(req.headers.cookie),
    scopes: { read: 'Read your things' },
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        redirect_uris: [CLIENT.redirectUri],
        grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
        scope: 'read',
      },
    ],
    store,
  })
  app.use('/oauth', oauth)
  app.get('/api', oauth.requireToken('read'), (_req, res) => {
    res.json({ read: true })
  })
  return { samples, cookies: userCookies() }
}

/** Grants, and access tokens that hang on them, as the code flow leaves them. */
async function fillStore(store: Store, tokens: number): Promise<string[]> {
  const now = Date.now()
  const { origin } = new URL(ISSUER)
  const grantIds: string[] = []
  for (let index = 0; index < USERS; index++) {
    const id = mintHandle(now).id
    const owner = { userId: userOf(index), clientId: CLIENT.id }
    await store.saveGrant({ id, ...owner, access: { [origin]: ['read'] }, createdAt: now, lastUsedAt: now })
    grantIds.push(id)
  }
  return fill(tokens, async (from, to) => {
    const handles = Array.from({ length: to - from }, (_, index) =>
      mintHandle(expiryAt(from + index, tokens, now)),
    )
    const records = handles.map((handle, index) => {
      const lineage = {
        grantId: grantIds[(from + index) % USERS] ?? '',
        familyId: mintHandle(now + LIFETIME * 1000).id,
      }
      const owner = { clientId: CLIENT.id, userId: userOf(from + index) }
      return accessTokenRecord(handle, lineage, {
        ...owner,
        ...{ scopes: ['read'], audience: [origin], issuedAt: now },
      })
    })
    if (!(await store.insert(records))) throw new Error('A live token could not be inserted.')
    return handles.map(({ value }) => value)
  })
}
