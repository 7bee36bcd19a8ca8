import { hash } from 'node:crypto'
import {
  type Candidate,
  expiryAt,
  LIFETIME,
  randomToken,
  signedInAs,
  userCookies,
  userOf,
} from './candidate.js'
import { introspection, mountParsed, redirectWith, tokenAnswer } from './floor.js'
import { fillTable, openDurable } from './sqlite.js'

/** A row a token under the hash of its value. What a request uses up and what it gets instead share a commit. */
const SCHEMA = `CREATE TABLE tokens (
  hash BLOB PRIMARY KEY, kind TEXT NOT NULL, user_id TEXT, expires_at INTEGER NOT NULL, used_at INTEGER, data TEXT NOT NULL
) STRICT, WITHOUT ROWID`

/** The fewest statements of the design that textbooks have, and nothing of OAuth besides. */
export const textbookFloor: Candidate = async (app, { file, tokens }) => {
  const db = openDurable(file, SCHEMA)
  const insert = db.prepare(
    'INSERT INTO tokens (hash, kind, user_id, expires_at, data) VALUES (?, ?, ?, ?, ?)',
  )
  const use = db.prepare(
    'UPDATE tokens SET used_at = ? WHERE hash = ? AND used_at IS NULL RETURNING user_id, data',
  )
  const find = db.prepare('SELECT kind, user_id, expires_at, data FROM tokens WHERE hash = ?')

  function keep(kind: string, userId: string | null, expiresAt = Date.now() + LIFETIME * 1000): string {
    const value = randomToken()
    insert.run(digest(value), kind, userId, expiresAt, DATA)
    return value
  }
  const exchange = db.transaction((value: string) => {
    const used = use.get(Date.now(), digest(value)) as { user_id: string } | undefined
    if (used === undefined) throw new Error('It is not known, or has been used.')
    return tokenAnswer(keep('access', used.user_id), keep('refresh', used.user_id))
  })
  const live = (value: string) => {
    const row = find.get(digest(value)) as { user_id: string; expires_at: number } | undefined
    return row !== undefined && row.expires_at > Date.now() ? row : undefined
  }

  const now = Date.now()
  const samples = await fillTable(db, tokens, (index) =>
    keep('access', userOf(index), expiryAt(index, tokens, now)),
  )
  mountParsed(app, {
    authorize: (query, cookie) =>
      redirectWith(query.redirect_uri ?? '', keep('code', signedInAs(cookie) ?? null), query.state ?? ''),
    clientCredentials: () => tokenAnswer(keep('access', null)),
    redeem: exchange,
    refresh: exchange,
    introspect: (token) => {
      const row = live(token)
      return row === undefined ? { active: false } : introspection(row.user_id, row.expires_at)
    },
    mayRead: (token) => live(token) !== undefined,
  })
  return { samples, cookies: userCookies() }
}

/** What belongs to a token, as JSON; parsed by nobody. */
const DATA = JSON.stringify({ clientId: 'bench', scopes: ['read'], audience: ['http://localhost'] })

function digest(value: string): Uint8Array {
  return hash('sha256', value, 'buffer')
}
