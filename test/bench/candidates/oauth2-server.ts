import OAuth2Server from '@node-oauth/oauth2-server'
import type { Database } from 'better-sqlite3'
import express, { type Request, type Response } from 'express'
import {
  type Candidate,
  CLIENT,
  expiryAt,
  LIFETIME,
  PATHS,
  randomToken,
  signedInAs,
  userCookies,
  userOf,
} from './candidate.js'
import { fillTable, openDurable } from './sqlite.js'

const SCHEMA = `CREATE TABLE codes (code TEXT PRIMARY KEY, user_id TEXT NOT NULL, expires_at INTEGER NOT NULL, data TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE access_tokens (token TEXT PRIMARY KEY, user_id TEXT, expires_at INTEGER NOT NULL, scope TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE refresh_tokens (token TEXT PRIMARY KEY, user_id TEXT, expires_at INTEGER NOT NULL, scope TEXT NOT NULL) STRICT, WITHOUT ROWID`

const KNOWN = {
  id: CLIENT.id,
  redirectUris: [CLIENT.redirectUri],
  grants: ['authorization_code', 'refresh_token', 'client_credentials'],
}

/** It has neither introspection nor discovery. */
export const oauth2Server: Candidate = async (app, { file, tokens }) => {
  const db = openDurable(file, SCHEMA)
  const insert = db.prepare('INSERT INTO access_tokens VALUES (?, ?, ?, ?)')
  const now = Date.now()
  const samples = await fillTable(db, tokens, (index) => {
    const token = randomToken()
    insert.run(token, userOf(index), expiryAt(index, tokens, now), 'read')
    return token
  })

  const server = new OAuth2Server({ model: modelOn(db), accessTokenLifetime: LIFETIME })
  const authenticateHandler = {
    handle: (request: OAuth2Server.Request) => ({ id: signedInAs(request.get('cookie')) }),
  }
  app.get(PATHS.authorize, async (req, res) => {
    await answered(req, res, (...both) => server.authorize(...both, { authenticateHandler }))
  })
  app.post(PATHS.token, express.urlencoded({ extended: false }), async (req, res) => {
    await answered(req, res, (...both) => server.token(...both))
  })
  app.get(
    PATHS.api,
    async (req, res, next) => {
      const both = [new OAuth2Server.Request(req), new OAuth2Server.Response(res)] as const
      await server.authenticate(...both, { scope: ['read'] }).then(
        () => next(),
        () => res.sendStatus(401),
      )
    },
    (_req, res) => {
      res.json({ read: true })
    },
  )
  return { samples, cookies: userCookies() }
}

/** As its own wrapper for Express does. */
async function answered(
  req: Request,
  res: Response,
  handle: (request: OAuth2Server.Request, response: OAuth2Server.Response) => Promise<unknown>,
): Promise<void> {
  const response = new OAuth2Server.Response(res)
  try {
    await handle(new OAuth2Server.Request(req), response)
    res.status(response.status ?? 200).set(response.headers)
    if (response.status === 302) res.end()
    else res.json(response.body)
  } catch (error) {
    res.status(400).json({ error: String(error) })
  }
}

interface TokenRow {
  readonly user_id: string
  readonly expires_at: number
  readonly scope: string
}

/** Every write is one commit: the tokens of one answer, the code or the refresh token that is used up. */
function modelOn(
  db: Database,
): OAuth2Server.AuthorizationCodeModel &
  OAuth2Server.RefreshTokenModel &
  OAuth2Server.ClientCredentialsModel {
  const insertCode = db.prepare('INSERT INTO codes VALUES (?, ?, ?, ?)')
  const findCode = db.prepare('SELECT * FROM codes WHERE code = ?')
  const deleteCode = db.prepare('DELETE FROM codes WHERE code = ?')
  const insertAccess = db.prepare('INSERT INTO access_tokens VALUES (?, ?, ?, ?)')
  const findAccess = db.prepare('SELECT * FROM access_tokens WHERE token = ?')
  const insertRefresh = db.prepare('INSERT INTO refresh_tokens VALUES (?, ?, ?, ?)')
  const findRefresh = db.prepare('SELECT * FROM refresh_tokens WHERE token = ?')
  const deleteRefresh = db.prepare('DELETE FROM refresh_tokens WHERE token = ?')
  const saveBoth = db.transaction((token: OAuth2Server.Token, userId: string | null) => {
    const scope = token.scope?.join(' ') ?? ''
    insertAccess.run(token.accessToken, userId, token.accessTokenExpiresAt?.getTime(), scope)
    if (token.refreshToken !== undefined)
      insertRefresh.run(token.refreshToken, userId, token.refreshTokenExpiresAt?.getTime(), scope)
  })
  return {
    getClient: async (id, secret) =>
      id === CLIENT.id && (secret === null || secret === CLIENT.secret) ? KNOWN : undefined,
    getUserFromClient: async () => ({ id: null }),
    validateScope: async (_user, _client, scope) => scope,
    verifyScope: async (token, scope) => scope.every((one) => token.scope?.includes(one)),
    async saveAuthorizationCode(code, client, user) {
      const { authorizationCode, expiresAt, ...data } = code
      insertCode.run(authorizationCode, user.id, expiresAt.getTime(), JSON.stringify(data))
      return { ...code, client, user }
    },
    async getAuthorizationCode(authorizationCode) {
      const row = findCode.get(authorizationCode) as (TokenRow & { data: string }) | undefined
      if (row === undefined) return undefined
      const known = { client: KNOWN, user: { id: row.user_id }, expiresAt: new Date(row.expires_at) }
      return { authorizationCode, ...known, ...JSON.parse(row.data) }
    },
    revokeAuthorizationCode: async ({ authorizationCode }) => deleteCode.run(authorizationCode).changes > 0,
    async saveToken(token, client, user) {
      saveBoth(token, user.id)
      return { ...token, client, user }
    },
    async getAccessToken(accessToken) {
      const row = findAccess.get(accessToken) as TokenRow | undefined
      return row && { accessToken, accessTokenExpiresAt: new Date(row.expires_at), ...ownerOf(row) }
    },
    async getRefreshToken(refreshToken) {
      const row = findRefresh.get(refreshToken) as TokenRow | undefined
      return row && { refreshToken, refreshTokenExpiresAt: new Date(row.expires_at), ...ownerOf(row) }
    },
    revokeToken: async ({ refreshToken }) => deleteRefresh.run(refreshToken).changes > 0,
  }
}

function ownerOf({ user_id, scope }: TokenRow) {
  return { client: KNOWN, user: { id: user_id }, scope: scope.split(' ') }
}
