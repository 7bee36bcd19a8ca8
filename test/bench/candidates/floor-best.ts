import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Database } from 'better-sqlite3'
import { type Handle, mintHandle, readHandle } from '../../../lib/tokens/handle.js'
import { type Candidate, expiryAt, LIFETIME, PATHS, signedInAs, userCookies, userOf } from './candidate.js'
import {
  bearerOf,
  DOCUMENT,
  introspection,
  readBasic,
  redirectWith,
  tokenAnswer,
  tokensFor,
} from './floor.js'
import { fillTable, openDurable } from './sqlite.js'

const SCHEMA = `CREATE TABLE tokens (
  id TEXT PRIMARY KEY, hash BLOB NOT NULL, kind TEXT NOT NULL, user_id TEXT, used_at INTEGER, data TEXT NOT NULL
) STRICT, WITHOUT ROWID`
const DATA = JSON.stringify({ clientId: 'bench', scopes: ['read'], audience: ['http://localhost'] })

/** What DESIGN knows, and nothing of OAuth besides: rows are appended, a turn of the event loop has one commit, an answer is written in one go. */
export const bestFloor: Candidate = async (app, { file, tokens }) => {
  const db = openDurable(file, SCHEMA)
  const { keep, exchange, live } = tableOf(db)
  const write = commitOncePerTurn(db)
  const now = Date.now()
  const samples = await fillTable(db, tokens, (index) =>
    keep('access', userOf(index), expiryAt(index, tokens, now)),
  )
  const floor = {
    clientCredentials: () => write(() => tokenAnswer(keep('access', null))),
    redeem: (code: string) => write(() => exchange(code)),
    refresh: (token: string) => write(() => exchange(token)),
  }
  const document = JSON.stringify(DOCUMENT)
  const routes: Readonly<Record<string, (req: IncomingMessage, res: ServerResponse) => void>> = {
    [PATHS.authorize]: (req, res) => {
      const query = new URLSearchParams(req.url?.slice(req.url.indexOf('?') + 1))
      const code = write(() => keep('code', signedInAs(req.headers.cookie) ?? null))
      code.then((value) => {
        const location = redirectWith(query.get('redirect_uri') ?? '', value, query.get('state') ?? '')
        res.writeHead(303, { Location: location, 'Content-Length': 0 }).end()
      }, fail(res))
    },
    [PATHS.token]: (req, res) =>
      readForm(req, (form) => {
        readBasic(req.headers.authorization)
        tokensFor(floor, Object.fromEntries(form)).then(
          (answer) => send(res, JSON.stringify(answer)),
          fail(res),
        )
      }),
    [PATHS.introspect]: (req, res) =>
      readForm(req, (form) => {
        readBasic(req.headers.authorization)
        const row = live(form.get('token') ?? '')
        const answer = row === undefined ? { active: false } : introspection(row.userId, row.expiresAt)
        send(res, JSON.stringify(answer))
      }),
    [PATHS.discovery]: (_req, res) => send(res, document),
  }
  app.use((req, res, next) => {
    const route = routes[req.path]
    if (route === undefined) next()
    else route(req, res)
  })
  app.get(
    PATHS.api,
    (req, res, next) => {
      if (live(bearerOf(req.headers.authorization)) !== undefined) next()
      else res.sendStatus(401)
    },
    (_req, res) => {
      res.json({ read: true })
    },
  )
  return { samples, cookies: userCookies() }
}

function tableOf(db: Database) {
  const insert = db.prepare('INSERT INTO tokens (id, hash, kind, user_id, data) VALUES (?, ?, ?, ?, ?)')
  const use = db.prepare(
    'UPDATE tokens SET used_at = ? WHERE id = ? AND used_at IS NULL RETURNING hash, user_id',
  )
  const find = db.prepare('SELECT hash, kind, user_id, data FROM tokens WHERE id = ?')

  function keep(kind: string, userId: string | null, expiresAt = Date.now() + LIFETIME * 1000): string {
    const { id, hash, value } = mintHandle(expiresAt)
    insert.run(id, hash, kind, userId, DATA)
    return value
  }
  function exchange(value: string): object {
    const handle = readHandle(value)
    const used = handle && (use.get(Date.now(), handle.id) as Row | undefined)
    if (used === undefined || !isOf(used, handle)) throw new Error('It is not known, or has been used.')
    return tokenAnswer(keep('access', used.user_id), keep('refresh', used.user_id))
  }
  function live(value: string): { readonly userId: string; readonly expiresAt: number } | undefined {
    const handle = readHandle(value)
    const row = handle && (find.get(handle.id) as Row | undefined)
    if (row === undefined || !isOf(row, handle)) return undefined
    const expiresAt = Number.parseInt(handle.id.slice(0, 12), 16)
    return expiresAt > Date.now() ? { userId: row.user_id, expiresAt } : undefined
  }
  return { keep, exchange, live }
}

interface Row {
  readonly hash: Buffer
  readonly user_id: string
}

function isOf({ hash }: Row, handle: Handle | undefined): handle is Handle {
  return handle !== undefined && hash.equals(handle.hash)
}

/** Gives what is done to the file to all of one turn of the event loop, and answers each of them after their commit. */
function commitOncePerTurn(db: Database): <Result>(perform: () => Result) => Promise<Result> {
  let waiting: (() => () => void)[] = []
  const commit = db.transaction((writes: typeof waiting) => writes.map((perform) => perform()))
  const flush = () => {
    const writes = waiting
    waiting = []
    for (const answer of commit(writes)) answer()
  }
  return <Result>(perform: () => Result) =>
    new Promise<Result>((resolve) => {
      if (waiting.length === 0) setImmediate(flush)
      waiting.push(() => {
        const result = perform()
        return () => resolve(result)
      })
    })
}

function readForm(req: IncomingMessage, use: (form: URLSearchParams) => void): void {
  let text = ''
  req.setEncoding('latin1')
  req.on('data', (chunk: string) => {
    text += chunk
  })
  req.on('end', () => use(new URLSearchParams(text)))
}

function send(res: ServerResponse, json: string): void {
  res.writeHead(200, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(json),
    'Cache-Control': 'no-store',
  })
  res.end(json)
}

function fail(res: ServerResponse): () => void {
  return () => {
    res.writeHead(400, { 'Content-Length': 0 }).end()
  }
}
