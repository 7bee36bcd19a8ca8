import { generateKeyPairSync } from 'node:crypto'
import express from 'express'
import {
  type Audit,
  type Awaitable,
  type Clients,
  type ErrorCode,
  type Grants,
  type Jwk,
  type Middleware,
  OAuthError,
  type OAuthErrorDetails,
  type OAuthProvider,
  type OAuthProviderOptions,
  oauthProvider,
  type ProviderEmitter,
  type SigningAlg,
  type SigningKeys,
  type SqliteDatabase,
  type TokenAuth,
  toolCalls,
} from 'express-oauth-provider'
import session from 'express-session'
import { connectPrintShop, printShop } from '../flow.cjs'

declare module 'express-session' {
  interface SessionData {
    userId: string
  }
}

interface User {
  id: string
  name: string
}

const users = new Map<string, User>([['ada', { id: 'ada', name: 'Ada Lovelace' }]])

function photoApp(origin: string) {
  const app = express()
  app.use(session({ secret: 'session secret', resave: false, saveUninitialized: false }))

  const oauth = oauthProvider({
    issuer: `${origin}/oauth`,
    findUser: (id) => users.get(id),
    scopes: { photos: 'See your photos' },
    clients: [printShop],
    store: ':memory:',
  })
  app.use('/oauth', oauth)
  app.use(oauth.wellKnown)
  app.get('/api/photos', oauth.requireToken('photos'), (req, res) => res.json({ photosOf: req.auth.userId }))

  app.get('/login', (_req, res) => res.send('<form method="post"><button>Sign in as Ada</button></form>'))
  app.post('/login', (req, res, next) => {
    req.session.regenerate((error) => {
      if (error) return next(error)
      req.session.userId = 'ada'
      res.redirect(String(req.query.return_to))
    })
  })
  return app
}

// What a host may write about the public types. It compiles, and does not run.
export const annotated: Pick<OAuthProviderOptions, 'currentUser' | 'authTime' | 'loginUrl'> = {
  currentUser: (req: express.Request) => req.session.userId,
  authTime: (req: express.Request): Awaitable<Date | undefined> => req.session.cookie.expires ?? undefined,
  loginUrl: (req: express.Request, returnTo) => `https://${req.hostname}/login?next=${returnTo}`,
}

export function stores(database: SqliteDatabase): OAuthProviderOptions['store'][] {
  // @ts-expect-error A Date is no store.
  const wrong: OAuthProviderOptions['store'] = new Date()
  return [':memory:', database, wrong]
}

export const clients: Clients = {
  create: async (metadata) => ({ ...metadata, client_id: 'stub' }),
  get: async () => undefined,
  list: async () => [],
  update: async (client_id) => ({ client_id }),
  rotateSecret: async (client_id) => ({ client_id, client_secret: 'stub' }),
  delete: async () => false,
}

// Keys as Web Crypto and Node export them. That they fit leaves `user` what it is.
export async function keys(made: CryptoKey): Promise<SigningKeys> {
  const exported = await crypto.subtle.exportKey('jwk', made)
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const published: Jwk = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid: 'one', use: 'sig' }
  // @ts-expect-error A key is no PEM.
  const wrong: Jwk = '-----BEGIN PRIVATE KEY-----'
  const oauth = oauthProvider({
    issuer: 'https://photos.example/oauth',
    findUser: (id) => users.get(id),
    claims: (user) => ({ nickname: user.name satisfies string }),
    keys: [rsa.privateKey.export({ format: 'jwk' }), exported],
    clients: [
      {
        client_id: 'shop',
        jwks: { keys: [rsa.publicKey.export({ format: 'jwk' }), exported, published, wrong] },
      },
    ],
  })
  const [key] = await oauth.keys.list()
  const alg: SigningAlg | undefined = key?.alg
  console.log(alg, key?.state === 'published')
  return oauth.keys
}

export const grants: Grants = {
  list: async () => [],
  revoke: async () => true,
  revokeUser: async () => 0,
  revokeClient: async () => 0,
  withdraw: async () => 0,
}

export function watch(events: ProviderEmitter, guard: Middleware): Middleware {
  events.on('grant.revoked', ({ userId, clientId, grantId, by }) =>
    console.log(userId, clientId, grantId, by),
  )
  events.on('token.refused', ({ error }) => error satisfies ErrorCode)
  const details: OAuthErrorDetails = { reason: 'mine' }
  events.on('warning', () => console.log(new OAuthError('server_error', 'No.', details).toJSON()))
  return guard
}

// What the README shows of values that may be missing, under exactOptionalPropertyTypes too.
export async function page(audit: Audit, made: Clients, guard: OAuthProvider['requireToken']) {
  const entries = await audit.list({ clientId: 'shop' })
  await audit.list({ before: entries.at(-1)?.id })
  await made.update('shop', { scope: undefined, grant_types: undefined, 'client_name#de': 'Laden' })
  return guard((req) => (toolCalls(req).includes('delete') ? 'photos photos:delete' : 'photos'))
}

export const caller: express.RequestHandler = (req) => {
  const auth: TokenAuth = req.auth
  return auth.user()
}

console.log(JSON.stringify(await connectPrintShop(photoApp)))
