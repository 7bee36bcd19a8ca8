import { generateKeyPairSync } from 'node:crypto'
import Provider from 'oidc-provider'
import {
  type Candidate,
  CLIENT,
  expiryAt,
  ISSUER,
  LIFETIME,
  randomToken,
  USERS,
  userOf,
} from './candidate.js'
import { adaptersOn, SCHEMA } from './oidc-provider-adapter.js'
import { fillTable, openDurable } from './sqlite.js'

/** Seconds. */
const DAY = 86_400

export const oidcProvider: Candidate = async (app, { file, tokens }) => {
  const db = openDurable(file, SCHEMA)
  const provider = new Provider(ISSUER, configuration(adaptersOn(db)))

  const users = await Promise.all(
    Array.from({ length: USERS }, (_, index) => signIn(provider, userOf(index))),
  )
  const template = await accessTokenRow(provider, users[0]?.grantId ?? '', (id) =>
    db.prepare("SELECT payload FROM oidc WHERE model = 'AccessToken' AND id = ?").get(id),
  )
  const insert = db.prepare(
    "INSERT INTO oidc (model, id, payload, grant_id, expires_at) VALUES ('AccessToken', ?, ?, ?, ?)",
  )
  const now = Date.now()
  const samples = await fillTable(db, tokens, (index) => {
    const jti = randomToken()
    const grantId = users[index % USERS]?.grantId
    const exp = Math.floor(expiryAt(index, tokens, now) / 1000)
    const payload = { ...template, jti, exp, grantId, accountId: userOf(index) }
    insert.run(jti, JSON.stringify(payload), grantId, exp)
    return jti
  })

  app.use('/oauth', provider.callback())
  // It has no guard for routes: this is the least that one would do.
  app.get(
    '/api',
    async (req, res, next) => {
      const token = await provider.AccessToken.find(req.headers.authorization?.slice(7) ?? '')
      if (token?.isValid && token.scopes.has('read')) next()
      else res.sendStatus(401)
    },
    (_req, res) => {
      res.json({ read: true })
    },
  )
  return { samples, cookies: users.map(({ cookie }) => cookie) }
}

function configuration(adapter: object): object {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return {
    adapter,
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        redirect_uris: [CLIENT.redirectUri],
        grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
        scope: 'read',
        response_types: ['code'],
      },
    ],
    findAccount: async (_ctx: unknown, id: string) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig' }] },
    scopes: ['openid', 'offline_access', 'read'],
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      devInteractions: { enabled: false },
    },
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    ttl: {
      AccessToken: LIFETIME,
      ClientCredentials: LIFETIME,
      Grant: 30 * DAY,
      Session: 30 * DAY,
      RefreshToken: 30 * DAY,
    },
    routes: { authorization: '/authorize', token: '/token', introspection: '/introspect' },
  }
}

/** A user with a session in which everything has been allowed. */
async function signIn(provider: Provider, accountId: string): Promise<{ cookie: string; grantId: string }> {
  const grant = new provider.Grant({ accountId, clientId: CLIENT.id })
  grant.addOIDCScope('read')
  const grantId = await grant.save(30 * DAY)
  const loginTs = Math.floor(Date.now() / 1000)
  const authorizations = { [CLIENT.id]: { sid: randomToken(), grantId, persistsLogout: false } }
  const session = new provider.Session({ accountId, loginTs, authorizations })
  await session.save(30 * DAY)
  return { cookie: `_session=${session.jti}`, grantId }
}

/** What it keeps of an access token of the code flow. */
async function accessTokenRow(
  provider: Provider,
  grantId: string,
  rowOf: (id: string) => unknown,
): Promise<object> {
  const client = await provider.Client.find(CLIENT.id)
  const token = new provider.AccessToken({
    ...{ client, accountId: userOf(0), grantId, gty: 'authorization_code', scope: 'read' },
    claims: {},
  })
  const value = await token.save()
  const { payload } = rowOf(value) as { payload: string }
  return JSON.parse(payload)
}
