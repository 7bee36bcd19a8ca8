import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import cors from 'cors'
import csurf from 'csurf'
import express, { type Express } from 'express'
import session from 'express-session'
import helmet from 'helmet'
import { createRemoteJWKSet, decodeJwt, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose'
import * as openid from 'openid-client'
import { Strategy } from 'passport-openidconnect'
import pg from 'pg'
import { Counter, Histogram, register } from 'prom-client'
import supertest from 'supertest'
import {
  type OAuthProvider,
  type OAuthProviderOptions,
  oauthProvider,
  type PostgresStore,
  postgresStore,
  toolCalls,
} from '../lib/index.js'
import { storeContract } from '../lib/store/contract.js'
import { openStore } from '../lib/store/open.js'
import { Browser } from './consumers/browser.cjs'
import { newCertificate, OID, selfSignedCertificate } from './support/certificate.js'
import { commandLine } from './support/command-line.js'
import { decide, destination, getCode, signedIn, toConsent } from './support/flow.js'
import { freePort } from './support/free-port.js'
import { type Host, startHost, type User } from './support/host.js'
import { exchange } from './support/mutual-tls.js'
import { startPostgres } from './support/postgres.js'
import { signingKeys } from './support/signing-keys.js'

const readme = readFileSync(path.resolve(import.meta.dirname, '../README.md'), 'utf8')
const PRINTS = 'https://prints.example/api'
const STAFF = 'https://staff.example'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const authority = newCertificate({ subject: [[[OID.cn, 'Authority']]], isAuthority: true })

/** The app of the quick start, with what the sections after it add to its options. */
let host: Express
let oauth: OAuthProvider
let origin: string
let shopPort: number
let staffOrigin: string
/** Signs for the print shop, and for the staff. */
let keys: Awaited<ReturnType<typeof generateKeyPair>>
const servers: Server[] = []

beforeAll(async () => {
  shopPort = await freePort()
  keys = await generateKeyPair('ES256')
  const jwks = { keys: [await exportJWK(keys.publicKey)] }
  const staff = kept(createServer((_req, res) => res.end(JSON.stringify(jwks))).listen(0))
  staffOrigin = `http://localhost:${(staff.address() as AddressInfo).port}`
  const port = await freePort()
  origin = `http://localhost:${port}`
  const provider = (options: OAuthProviderOptions) => {
    const added: Partial<OAuthProviderOptions> = {
      store: ':memory:',
      keys: signingKeys,
      allowPrivateAddresses: true,
      scopes: { ...options.scopes, prints: 'Order prints', 'photos:delete': 'Delete your photos' },
      resources: define('jwt-resource', 'resources', {}),
      authorizationDetails: define('details', 'authorizationDetails', {}),
      tokenExchange: define('token-exchange', 'tokenExchange', {}),
      trustedIssuers: define('trusted-issuers', 'trustedIssuers', { staff: new Map([['4711', 'ada']]) }),
      mtls: {},
      logout: new Function('promisify', `return ${rowOf('express-session')}`)(promisify),
      clients: [
        ...(options.clients ?? []).map((client) => ({
          ...client,
          jwks,
          post_logout_redirect_uris: [`http://localhost:${shopPort}/`],
          backchannel_logout_uri: `http://localhost:${shopPort}/backchannel-logout`,
        })),
        new Function('client_secret', `return ${inline("{ client_id: 'prints-api'")}`)('prints-api-secret'),
        {
          client_id: 'orders',
          client_secret: 'orders-secret',
          grant_types: [EXCHANGE, JWT_BEARER],
          scope: 'photos prints',
        },
        {
          client_id: 'with-certificate',
          token_endpoint_auth_method: 'tls_client_auth',
          ...new Function(`return { ${inline('tls_client_auth_san_dns:')} }`)(),
          ...new Function(`return { ${inline('tls_client_certificate_bound_access_tokens:')} }`)(),
          grant_types: ['client_credentials'],
          scope: 'photos',
        },
      ],
    }
    oauth = oauthProvider({ ...options, ...added })
    return oauth
  }
  const environment = { process: { env: { PORT: port } }, console: { log: () => undefined } }
  const hosting = Object.assign(() => (host = listening()), express)
  await run('quick-start', { express: hosting, oauthProvider: provider, session, ...environment })
})
afterAll(async () => {
  for (const server of servers) server.close().closeAllConnections()
  await oauth.close()
})

test('five lines are a provider', async () => {
  let made: OAuthProvider | undefined
  const provider = (options: OAuthProviderOptions) =>
    (made = oauthProvider({ ...options, store: ':memory:', keys: signingKeys }))
  const app = express()
  await run('five-lines', { app, oauthProvider: provider, users: new Map([['ada', { id: 'ada' }]]) })
  const headers = (await made?.testing.actingAs('ada', 'photos')) ?? {}
  expect((await supertest(app).get('/api/photos').set(headers)).body).toEqual({ photosOf: 'ada' })
  expect((await supertest(app).get('/api/photos')).status).toBe(401)
  expect((await supertest(app).get('/.well-known/oauth-authorization-server/oauth')).status).toBe(200)
  await made?.close()
})

test('the client signs its user in and calls the API', async () => {
  const printed: string[] = []
  let shop: Server | undefined
  const client = {
    createServer: (handler: RequestListener) => (shop = createServer(handler)),
    client: openid,
    console: { log: (line: string) => printed.push(line) },
  }
  await run('client', client)
  const answer = await signIn(new URL(printed[0]?.replace('Open ', '') ?? ''))
  expect(JSON.parse(answer.text)).toMatchObject({
    claims: { iss: `${origin}/oauth`, sub: 'ada', aud: 'print-shop' },
    user: { sub: 'ada', name: 'Ada Lovelace' },
    photos: { photosOf: 'ada' },
  })
  shop?.close().closeAllConnections()
})

test('the API on another server lets in who has a token for it, the scope and nothing else', async () => {
  const port = await freePort()
  const { tokens, config } = await getTokens({ scope: 'openid prints', resource: PRINTS })
  const environment = { process: { env: { PORT: port } } }
  await run('jwt-api', { express: listening, createRemoteJWKSet, jwtVerify, ...environment })
  const call = async (token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const { status } = await fetch(`http://localhost:${port}/api/prints`, { headers })
    return status
  }
  expect(await call(tokens.access_token)).toBe(200)
  expect(await call()).toBe(401)
  expect(await call(tokens.id_token)).toBe(401)
  const { tokens: photos } = await getTokens({ scope: 'openid photos' })
  expect(await call(photos.access_token)).toBe(401)
  const { tokens: neither } = await getTokens({ scope: 'openid', resource: PRINTS })
  expect(await call(neither.access_token)).toBe(403)
  await expect(openid.fetchUserInfo(config, tokens.access_token, 'ada')).rejects.toThrow()
})

test('who is allowed both kinds of API gets a token for each, and that for the own origin is good at /userinfo', async () => {
  const { tokens, config } = await getTokens({ scope: 'openid profile photos prints' }, [PRINTS, origin])
  const user = await openid.fetchUserInfo(config, tokens.access_token, 'ada')
  expect(user).toMatchObject({ name: 'Ada Lovelace' })
  const prints = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '', { resource: PRINTS })
  expect(prints.scope).toBe('openid profile prints')
})

test('signing out ends the login, leads back, and the logout token is understood', async () => {
  const app = listening()
  const ended = new Promise<Record<string, unknown>>((done) => {
    void run('logout-token', { express, app, createRemoteJWKSet, jwtVerify, endSessions: done })
  })
  app.get('/', (_req, res) => res.send('back at the shop'))
  app.listen(shopPort)
  const { tokens, config, browser } = await getTokens({ scope: 'openid' })
  const sent = { status: 0, location: '' }
  const writeHead = (status: number, { location }: { location: string }) => {
    Object.assign(sent, { status, location })
    return { end: () => undefined }
  }
  await run('end-session', { client: openid, config, tokens, res: { writeHead } })
  expect(sent.status).toBe(303)
  const back = await browser.open(sent.location)
  expect({ url: back.url.href, text: back.text }).toEqual({
    url: `http://localhost:${shopPort}/`,
    text: 'back at the shop',
  })
  const { sub, sid } = tokens.claims() as openid.IDToken
  expect(await ended).toMatchObject({ sub, sid, aud: 'print-shop', jti: expect.any(String) })
  expect((await browser.open(`${origin}/oauth/logout`)).text).toContain('You are signed out')
})

test('a sign-out of the app tells of it', async () => {
  await run('logout-session', { app: host, oauth })
  const ended = once(oauth.events, 'session.ended')
  const { browser } = await getTokens({ scope: 'openid' })
  const page = { url: new URL(origin), status: 200, text: '<form action="/logout"></form>' }
  await browser.submit(page)
  expect((await ended)[0]).toEqual({ userId: 'ada', by: 'host' })
  expect((await browser.open(`${origin}/oauth/logout`)).text).toContain('You are signed out')
})

test('authTime knows the sign-in, and that older sessions have none', async () => {
  const app = express()
  const names = { app, express, checkPassword: () => undefined, safeReturnTo: () => '/' }
  const authTime = define<(req: object) => Date | undefined>('auth-time', 'authTime', names)
  expect(authTime({ session: {} })).toBeUndefined()
  const signedInAt = Date.now()
  expect(authTime({ session: { signedInAt } })).toEqual(new Date(signedInAt))
})

test('claims tells what was allowed, and loginUrl makes something of every hint', () => {
  type Claims = (user: object, context: { scopes: string[] }) => object
  const claims = define<Claims>('claims', 'claims', {})
  const user = { displayName: 'Ada', mail: 'ada@photos.example', mailConfirmedAt: null, team: 'prints' }
  expect(claims(user, { scopes: ['openid', 'email'] })).toEqual({
    email: 'ada@photos.example',
    email_verified: false,
    team: 'prints',
  })
  type LoginUrl = (req: object, returnTo: string, hints: object) => string
  const loginUrl = define<LoginUrl>('login-hints', 'loginUrl', {})
  expect(loginUrl({}, '/oauth/consent/x', { loginHint: 'a@b', uiLocales: ['de'], acrValues: ['mfa'] })).toBe(
    '/login/strong?login_hint=a%40b&lang=de&return_to=/oauth/consent/x',
  )
  expect(loginUrl({}, '/oauth/consent/x', {})).toBe('/login?login_hint=&lang=en&return_to=/oauth/consent/x')
})

describe('the way back from a login', () => {
  const there = '/oauth/consent/x'
  let safeReturnTo: (value?: unknown) => string
  beforeAll(() => {
    safeReturnTo = define('safe-return-to', 'safeReturnTo', {})
  })
  /** Passport, where everybody proves who they are. */
  const passport = { authenticate: () => (_req: unknown, _res: unknown, next: () => void) => next() }
  const signedOut = () => {
    const app = express()
    return app.use(session({ secret: 'secret', resave: false, saveUninitialized: false }))
  }

  test('leads to this site and nowhere else', () => {
    expect(safeReturnTo(there)).toBe(origin + there)
    expect(safeReturnTo()).toBe(`${origin}/`)
    for (const elsewhere of [
      'https://evil.example/',
      '//evil.example',
      'javascript:alert(1)',
      'http://',
      ['/'],
    ])
      expect(['/', `${origin}/`]).toContain(safeReturnTo(elsewhere))
    expect(new URL(safeReturnTo('/.//evil.example')).origin).toBe(origin)
  })

  test('is in the address of the form, with passport', async () => {
    const app = signedOut()
    await run('passport', { app, express, passport, safeReturnTo })
    const { status, headers } = await supertest(app).post('/login').query({ return_to: there })
    expect({ status, location: headers.location }).toEqual({ status: 303, location: origin + there })
  })

  test('is in the session, where the login leads over another site', async () => {
    const app = signedOut()
    await run('social', { app, passport, safeReturnTo })
    const agent = supertest.agent(app)
    await agent.get('/login/social').query({ return_to: there })
    expect((await agent.get('/login/social/callback')).headers.location).toBe(origin + there)
    expect((await supertest(app).get('/login/social/callback')).headers.location).toBe('/')
  })

  test('is handed on to the second step', async () => {
    const app = signedOut()
    app.get('/half', (req, res) => {
      Object.assign(req.session, { halfSignedIn: 'ada' })
      res.end()
    })
    app.get('/who', (req, res) => res.json({ ...req.session }))
    const codeIsRight = (user: string, code: string) => user === 'ada' && code === '123456'
    await run('second-factor', { app, express, safeReturnTo, codeIsRight })
    const agent = supertest.agent(app)
    const enter = async (code: string) =>
      (await agent.post('/login/code').query({ return_to: there }).type('form').send({ code })).headers
        .location
    const query = `return_to=${encodeURIComponent(origin + there)}`
    expect(await enter('123456')).toBe(`/login?${query}`)
    await agent.get('/half')
    expect(await enter('1')).toBe(`/login/code?${query}`)
    expect((await agent.get('/who')).body).not.toHaveProperty('userId')
    expect(await enter('123456')).toBe(origin + there)
    expect((await agent.get('/who')).body).toMatchObject({ userId: 'ada' })
  })

  test('is said to a login on another origin', () => {
    const loginUrl = define<(req: object, returnTo: string) => string>('login-url', 'loginUrl', {})
    expect(loginUrl({}, there)).toBe(
      `https://accounts.example/login?next=${encodeURIComponent(origin + there)}`,
    )
  })
})

test('routes are guarded, each for its scopes and its resource', async () => {
  const app = express()
  const answer = (_req: unknown, res: express.Response) => res.json('done')
  const photosOf = (userId: string) => ({ userId })
  await run('guard', { app, oauth, cors, photosOf, deletePhoto: answer, account: answer, prints: answer })
  const of = (scopes: string) => oauth.testing.actingAs('ada', scopes)
  const call = async (method: 'get' | 'delete', path: string, headers: Record<string, string>) =>
    (
      await supertest(app)
        [method](path)
        .set({ host: new URL(origin).host, ...headers })
    ).status
  expect(await call('get', '/api/photos', await of('photos'))).toBe(200)
  expect(await call('get', '/api/photos', {})).toBe(401)
  expect(await call('delete', '/api/photos/1', await of('photos'))).toBe(403)
  expect(await call('delete', '/api/photos/1', await of('photos photos:delete'))).toBe(200)
  expect(await call('get', '/api/account', await of('prints'))).toBe(200)
  expect(await call('get', '/api/prints', await of('photos'))).toBe(200)
})

test('everything of a user can be ended, and clients be told', async () => {
  const { tokens } = await getTokens({ scope: 'openid photos' })
  const ended = once(oauth.events, 'session.ended')
  await run('logout-user', { oauth, user: { id: 'ada' } })
  expect((await ended)[0]).toEqual({ userId: 'ada', by: 'host' })
  expect(await callPhotos(tokens.access_token)).toBe(401)
  const { tokens: others } = await getTokens({ scope: 'openid photos' })
  await run('revoke', { oauth, user: { id: 'ada' }, grantId: 'gone-by-then' })
  expect(await callPhotos(others.access_token)).toBe(401)
})

test('keys are rotated, and listed', async () => {
  const issuer = 'http://localhost/oauth'
  const own = oauthProvider({ issuer, findUser: () => undefined, store: ':memory:' })
  const rotated = jest.fn()
  own.events.on('keys.rotated', rotated)
  await run('keys', { oauth: own })
  expect(rotated).toHaveBeenCalledWith({ by: 'host' })
  expect(new Set((await own.keys.list()).map(({ alg }) => alg))).toEqual(new Set(['RS256', 'ES256', 'EdDSA']))
  await own.close()
})

describe('beside other middleware', () => {
  test('a csurf behind the provider guards the app, and not /token', async () => {
    const app = express().use(session({ secret: 'secret', resave: false, saveUninitialized: false }))
    await run('csurf', { app, oauth, csurf })
    app.use((_error: unknown, _req: unknown, res: express.Response, _next: unknown) => {
      res.sendStatus(403)
    })
    expect((await supertest(app).post('/oauth/token').type('form').send({})).body).toHaveProperty('error')
    expect((await supertest(app).post('/elsewhere')).status).toBe(403)
  })

  test('a login wall behind the provider and the API keeps no client out', async () => {
    const app = express()
    const requireLogin: express.RequestHandler = (_req, res) => res.redirect('/login')
    await run('login-wall', { app, oauth, requireLogin })
    const status = async (path: string) => (await supertest(app).get(path)).status
    const metadata = '/.well-known/oauth-authorization-server/oauth'
    expect([await status(metadata), await status('/api/photos'), await status('/all-else')]).toEqual([
      ...[200, 401, 302],
    ])
  })

  test('a login page keeps its opener', async () => {
    const app = express()
    await run('popups', { app, helmet })
    const policy = async (path: string) =>
      (await supertest(app).get(path)).headers['cross-origin-opener-policy']
    expect([await policy('/login'), await policy('/')]).toEqual([undefined, 'same-origin'])
  })

  test("pages are the host's own", () => {
    const render = define<OAuthProviderOptions['render']>('render', 'render', {})
    const rendered = jest.fn()
    const locals = { title: 'Print Shop', nonce: 'nonce' }
    render?.('consent', locals, {} as never, { render: rendered } as never)
    expect(rendered).toHaveBeenCalledWith('oauth/consent', locals)
  })
})

test('passport-openidconnect takes its settings', async () => {
  const used: Strategy[] = []
  const passport = { use: (strategy: Strategy) => used.push(strategy) }
  const environment = { process: { env: { CLIENT_SECRET: 'print-shop-secret' } } }
  await run('passport-openidconnect', { passport, OpenIDConnectStrategy: Strategy, ...environment })
  expect(used).toEqual([expect.any(Strategy)])
})

test('the client with a key can be registered', async () => {
  const uri = { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: 'https://print.example/jwks.json' }
  await run('private-key-jwt', { oauth })
  expect(await oauth.clients.list()).toContainEqual(expect.objectContaining(uri))
})

test('a client is created, changed, given a second secret and deleted', async () => {
  const printed: unknown[] = []
  const changes: unknown[] = []
  const note = ({ change }: { change: string }) => changes.push(change)
  oauth.events.on('client.changed', note)
  await run('clients', { oauth, console: { log: (...line: unknown[]) => printed.push(...line) } })
  oauth.events.off('client.changed', note)
  expect(printed).toEqual([expect.any(String), expect.any(String)])
  expect(changes).toEqual(['created', 'updated', 'secret_rotated', 'secret_rotated', 'deleted'])
})

test('a client that speaks for itself gets a token, and is no user', async () => {
  const token = await run<string>('client-credentials', { oauth }, 'access_token')
  host.get('/api/own', oauth.requireToken('photos', { user: true }), (_req, res) => res.json([]))
  const call = async (path: string) => {
    const answer = await fetch(origin + path, { headers: { authorization: `Bearer ${token}` } })
    return { status: answer.status, body: await answer.json() }
  }
  expect(await call('/api/photos')).toEqual({ status: 200, body: {} })
  expect(await call('/api/own')).toMatchObject({ status: 403, body: { error: 'insufficient_scope' } })
})

test('the command line waits until its user has approved', async () => {
  await run('device-client', { oauth })
  let told: (line: string) => void
  const line = new Promise<string>((done) => {
    told = done
  })
  const quickly = (done: () => void) => setTimeout(done, 50)
  const console = { log: (text: string) => told(text) }
  const tokens = run<{ access_token: string }>('device', { console, setTimeout: quickly }, 'tokens')
  const [, uri, code] = /^Open (\S+) and enter (\S+)$/.exec(await line) ?? []
  const page = await signIn(new URL(`${uri}?user_code=${code}`))
  expect(page.text).toContain('Go back to your device')
  expect(await callPhotos((await tokens).access_token)).toBe(200)
})

test('a resource server looks at a token, before and after the client revoked it', async () => {
  const environment = { process: { env: { CLIENT_SECRET: 'prints-api-secret' } } }
  const introspect = define<(token: string) => object>('introspection', 'introspect', environment)
  const { tokens, config } = await getTokens({ scope: 'openid prints', resource: PRINTS })
  const expected = { active: true, client_id: 'print-shop', sub: 'ada', scope: 'prints', aud: PRINTS }
  expect(await introspect(tokens.access_token)).toMatchObject(expected)
  await run('revocation', { client: openid, config, tokens })
  expect(await introspect(tokens.access_token)).toEqual({ active: false })
  const { tokens: others } = await getTokens({ scope: 'openid photos' })
  expect(await introspect(others.access_token)).toEqual({ active: false })
})

test('DPoP binds tokens to a key', async () => {
  const { callback, checks, config } = await authorize({ scope: 'openid photos' })
  const api = new URL('/api/photos', origin)
  const names = { client: openid, config, callback, checks, api }
  type Bound = { tokens: openid.TokenEndpointResponse; photos: Response }
  const { tokens, photos } = await run<Bound>('dpop', names, '{ tokens, photos }')
  expect(tokens.token_type).toBe('dpop')
  expect(await photos.json()).toEqual({ photosOf: 'ada' })
  expect(await callPhotos(tokens.access_token)).toBe(401)
})

test('a certificate proves who a client is, and binds its tokens', async () => {
  const { key, cert } = selfSignedCertificate('localhost')
  const made: Server[] = []
  const listen = (...given: Parameters<typeof createTlsServer>) => {
    made.push(kept(createTlsServer(...given)))
    return made[0]
  }
  const names = { app: host, key, cert, authorities: authority.cert, process: { env: { PORT: '0' } } }
  await run('mtls', { createServer: listen, ...names })
  const tls = `https://localhost:${(made[0]?.address() as AddressInfo | undefined)?.port}`
  const certificate = newCertificate({ names: [[0x82, 'print.example']], issuer: authority })
  const form = { grant_type: 'client_credentials', client_id: 'with-certificate' }
  const ask = (own?: typeof certificate) => exchange(`${tls}/oauth/token`, { form, certificate: own })
  const { status, body } = await ask(certificate)
  expect({ status, body }).toMatchObject({ status: 200, body: { scope: 'photos' } })
  expect((await ask(newCertificate({ names: [[0x82, 'print.example']] }))).status).toBe(401)
  expect((await ask()).status).toBe(401)
  const headers = { authorization: `Bearer ${body.access_token}` }
  const call = (own?: typeof certificate) => exchange(`${tls}/api/photos`, { headers, certificate: own })
  expect((await call(certificate)).status).toBe(200)
  expect((await call()).status).toBe(401)
})

test('a request is pushed, signed, or both', async () => {
  const { config } = await discover('print-shop')
  const redirect_uri = 'http://localhost:1/callback'
  const code_challenge = await openid.calculatePKCECodeChallenge(openid.randomPKCECodeVerifier())
  const asked = { redirect_uri, scope: 'photos', code_challenge, code_challenge_method: 'S256' }
  const names = { client: openid, config, asked, key: keys.privateKey }
  const urls = await run<URL[]>('par', names, '[pushed, signed, both]')
  expect(urls.map(({ searchParams }) => [...searchParams.keys()].sort())).toEqual([
    ['client_id', 'request_uri'],
    ['client_id', 'request'],
    ['client_id', 'request_uri'],
  ])
  const browser = new Browser()
  for (const url of urls) {
    const { url: callback } = await signIn(url, browser, redirect_uri)
    expect(callback.searchParams.get('code')).toBeTruthy()
  }
})

test('what is asked in detail is shown, and found by the API', async () => {
  const [, authorization_details = ''] = /`authorization_details=(\[.*?\])`/.exec(readme) ?? []
  await run('details-api', { app: host, oauth, order: ({ copies }: { copies: number }) => copies })
  const { tokens, pages } = await getTokens({ scope: 'openid', authorization_details })
  expect(pages.join()).toContain('Order 2 prints of sunset')
  const call = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` }
    const answer = await fetch(`${origin}/api/orders`, { method: 'POST', headers })
    return { status: answer.status, body: await answer.json() }
  }
  expect(await call(tokens.access_token)).toEqual({ status: 200, body: [2] })
  const { tokens: without } = await getTokens({ scope: 'openid' })
  expect((await call(without.access_token)).status).toBe(403)
})

test('a service exchanges the token of a user, where the policy lets it', async () => {
  const { tokens } = await getTokens({ scope: 'openid photos prints' })
  const { config } = await discover('orders')
  const names = { client: openid, config, token: tokens.access_token }
  const exchanged = await run<openid.TokenEndpointResponse>('exchange', names, 'tokens')
  expect(exchanged.scope).toBe('prints')
  expect(decodeJwt(exchanged.access_token)).toMatchObject({
    ...{ sub: 'ada', client_id: 'orders', aud: PRINTS, act: { sub: 'orders' } },
  })
  await expect(run('exchange', { ...names, token: exchanged.access_token })).rejects.toMatchObject({
    error: 'invalid_request',
  })
})

test('a service brings an assertion of an issuer that is trusted', async () => {
  const assertion = await new SignJWT()
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer(staffOrigin)
    .setSubject('4711')
    .setAudience(`${origin}/oauth`)
    .setExpirationTime('5 minutes')
    .setJti('once')
    .sign(keys.privateKey)
  const { config } = await discover('orders')
  const names = { client: openid, config, assertion }
  const tokens = await run<openid.TokenEndpointResponse>('jwt-bearer', names, 'tokens')
  expect(tokens.scope).toBe('photos')
  expect(await callPhotos(tokens.access_token)).toBe(200)
})

test('the provider follows FAPI 2.0, and so does a client that pushes and proves', async () => {
  const users = new Map([['alice', { id: 'alice', name: 'Alice' }]])
  const names = { users, publicKey: await exportJWK(keys.publicKey) }
  const { issuer: _, ...provider } = define<OAuthProviderOptions<User>>('fapi2', 'options', names)
  const bank = await startHost({ provider, api: false })
  const insecure = { algorithm: 'oauth2' as const, execute: [openid.allowInsecureRequests] }
  const proof = openid.PrivateKeyJwt(keys.privateKey)
  const config = await openid.discovery(new URL(bank.issuer), 'print-shop', {}, proof, insecure)
  const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('ES256'))
  const pkceCodeVerifier = openid.randomPKCECodeVerifier()
  const code_challenge = await openid.calculatePKCECodeChallenge(pkceCodeVerifier)
  const redirect_uri = 'https://print.example/callback'
  const asked = { redirect_uri, scope: 'photos', code_challenge, code_challenge_method: 'S256' }
  const agent = await signedIn(bank, 'alice')
  const plain = await agent.follow(openid.buildAuthorizationUrl(config, asked).href)
  expect(destination(plain).searchParams.get('error')).toBe('invalid_request')
  const page = await agent.follow((await openid.buildAuthorizationUrlWithPAR(config, asked)).href)
  const callback = destination(await decide(agent, page, 'approve'))
  const redeem = (options?: openid.DPoPOptions) =>
    openid.authorizationCodeGrant(config, callback, { pkceCodeVerifier }, undefined, options)
  await expect(redeem()).rejects.toMatchObject({ error: 'invalid_request' })
  expect((await redeem({ DPoP })).token_type).toBe('dpop')
  await bank.close()
})

test('a route can say what each request needs', async () => {
  const mcp = (_req: unknown, res: express.Response) => res.json('done')
  await run('mcp-scopes', { app: host, express, oauth, toolCalls, mcp })
  const { tokens } = await getTokens({ scope: 'openid photos' })
  const call = async (...names: string[]) => {
    const headers = { authorization: `Bearer ${tokens.access_token}`, 'content-type': 'application/json' }
    const calls = names.map((name) => ({ method: 'tools/call', params: { name } }))
    const body = JSON.stringify(calls.length === 1 ? calls[0] : calls)
    const answer = await fetch(`${origin}/mcp`, { method: 'POST', headers, body })
    return { status: answer.status, challenge: answer.headers.get('www-authenticate') }
  }
  expect(await call('list_photos')).toEqual({ status: 200, challenge: null })
  const challenge = expect.stringContaining('scope="photos photos:delete"')
  expect(await call('delete_photo')).toEqual({ status: 403, challenge })
  expect(await call('list_photos', 'delete_photo')).toEqual({ status: 403, challenge })
})

describe('what happens is counted', () => {
  const refuse = (at: string) =>
    fetch(`${at}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: 'wrong',
        client_id: 'print-shop',
      }),
    })

  test('by Prometheus, with the time that it takes', async () => {
    const app = express()
    await run('prometheus', { oauth, app, Counter, Histogram, register })
    app.use(host)
    const server = kept(app.listen(0))
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const at = `http://localhost:${port}`
    const { status } = await refuse(at)
    const answer = await fetch(`${at}/metrics`)
    expect(answer.headers.get('content-type')).toContain('text/plain; version=0.0.4')
    const text = await answer.text()
    expect(text).toMatch(/^oauth_events_total\{event="(?:token|request)\.refused",reason="\w+"\} 1$/m)
    expect(text).toContain(`oauth_request_seconds_count{path="/oauth/token",status="${status}"} 1`)
  })

  test('by OpenTelemetry', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
    const reader = new PeriodicExportingMetricReader({ exporter })
    await run('opentelemetry', { oauth, metrics: new MeterProvider({ readers: [reader] }) })
    await refuse(origin)
    await reader.forceFlush()
    const counted = exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((of) => of.metrics))
    expect(counted).toMatchObject([
      {
        descriptor: { name: 'oauth.events' },
        dataPoints: [{ value: 1, attributes: { event: expect.any(String) } }],
      },
    ])
    await reader.shutdown()
  })
})

test('what happens is told, and is in the audit log', async () => {
  const told: unknown[] = []
  const log = { info: (line: unknown) => told.push(line), warn: (line: unknown) => told.push(line) }
  await run('events', { oauth, log })
  const { config } = await getTokens({ scope: 'openid photos' })
  await expect(openid.refreshTokenGrant(config, 'wrong')).rejects.toThrow()
  expect(told).toEqual([
    { clientId: 'print-shop', userId: 'ada', grantType: 'authorization_code' },
    { clientId: 'print-shop', error: 'invalid_grant', reason: 'refresh_token_unknown' },
  ])
  type Read = Record<'entries' | 'older', { id: string; event: string }[]>
  const { entries, older } = await run<Read>('audit', { oauth }, '{ entries, older }')
  expect(entries[0]).toMatchObject({ event: 'token.issued', userId: 'ada', clientId: 'print-shop' })
  expect(entries.length).toBeGreaterThan(1)
  expect(older.every(({ id }) => id < (entries.at(-1)?.id ?? ''))).toBe(true)
})

test('a scope, a client and an account can be ended', async () => {
  const { tokens } = await getTokens({ scope: 'openid photos prints' })
  const filter = { userId: 'ada', clientId: 'print-shop' }
  const [{ id: grantId } = { id: '' }] = await oauth.grants.list(filter)
  const withdrawn = once(oauth.events, 'scopes.withdrawn')
  await run('withdraw', { oauth, grantId, user: { id: 'ada' } })
  expect((await withdrawn)[0]).toMatchObject({ grantId, scopes: ['photos'], by: 'host' })
  expect(await callPhotos(tokens.access_token)).toBe(401)
  await getTokens({ scope: 'openid photos' })
  const own = { client_name: 'Of Ada', redirect_uris: ['https://ada.example/cb'], owner_id: 'ada' }
  const { client_id } = await oauth.clients.create(own)
  await run('account-closed', { oauth, user: { id: 'ada' } })
  expect(await oauth.clients.get(client_id)).toBeUndefined()
  expect(await oauth.grants.list({ userId: 'ada' })).toEqual([])
})

describe('a host with partners, pages, hooks and words of its own', () => {
  const REGISTRATION_TOKEN = 'a-token-that-partners-have-got-from-us'
  const mails: unknown[][] = []
  let own: Host
  beforeAll(async () => {
    const users = { process: { env: { REGISTRATION_TOKEN } } }
    own = await startHost({
      api: false,
      provider: {
        scopes: { photos: 'See your photos' },
        clients: [
          { client_id: 'conf', client_secret: 'secret-of-conf', redirect_uris: ['https://rp.example/cb'] },
        ],
        registration:
          define<OAuthProviderOptions['registration']>('registration', 'registration', users) ?? false,
        messages: define<NonNullable<OAuthProviderOptions['messages']>>('messages', 'messages', {}),
        ...define<Partial<OAuthProviderOptions<User>>>('pages', 'pages', {}),
        ...define<Partial<OAuthProviderOptions<User>>>('hooks', 'hooks', {
          mail: (...mail: unknown[]) => mails.push(mail),
        }),
      },
    })
    for (const role of ['developer', 'admin'])
      own.users.set(role, { id: role, name: role, email: '', ...{ role } })
  })
  afterAll(() => own.close())

  test('registers who has a token of theirs, and nobody else', async () => {
    const register = (headers: Record<string, string>) =>
      fetch(`${own.issuer}/register`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ redirect_uris: ['https://partner.example/cb'] }),
      })
    expect((await register({})).status).toBe(401)
    const registered = await register({ authorization: `Bearer ${REGISTRATION_TOKEN}` })
    expect(registered.status).toBe(201)
    const { client_id: clientId } = (await registered.json()) as { client_id: string }
    const changed = jest.fn()
    own.oauth.events.on('client.changed', changed)
    await run('limit', { oauth: own.oauth, clientId })
    expect(changed).toHaveBeenCalledTimes(2)
    expect(await own.oauth.clients.get(clientId)).not.toHaveProperty('scope')
  })

  test('lets developers and administrators in, each to their page', async () => {
    const seen = async (user: string) => {
      const agent = await signedIn(own, user)
      const pages = ['/applications', '/admin', '/authorized-applications']
      return Promise.all(pages.map(async (page) => (await agent.get(own.issuer + page)).status))
    }
    expect(await seen('alice')).toEqual([403, 403, 200])
    expect(await seen('developer')).toEqual([200, 403, 200])
    expect(await seen('admin')).toEqual([403, 200, 200])
  })

  test('mails its users', async () => {
    await getCode(own, { user: 'bob', params: { scope: 'photos' } })
    await new Promise((done) => setImmediate(() => setImmediate(done)))
    expect(mails).toEqual([['bob', 'conf has been connected to your account: photos']])
    const { onReuse } = define<{ onReuse: (notice: object) => void }>('hooks', 'hooks', {
      mail: (...mail: unknown[]) => mails.push(mail),
    })
    onReuse({ userId: 'bob', clientName: 'conf' })
    expect(mails[1]?.[0]).toBe('bob')
  })

  test.each([
    ['de', 'Erlauben', 'Ihre Fotos sehen'],
    ['ja', '許可', '写真を見る'],
    ['fr', 'Approve', 'See your photos'],
  ])('speaks to them in %s', async (ui_locales, approve, scope) => {
    const { page } = await toConsent(own, { user: 'alice', params: { scope: 'photos', ui_locales } })
    expect(page.text).toContain(approve)
    expect(page.text).toContain(scope)
  })
})

test('a host that lets in some clients only turns the others away', async () => {
  const picky = await startHost({
    provider: define<Partial<OAuthProviderOptions<User>>>('only-some', 'options', {}),
  })
  expect((await fetch(`${picky.issuer}/register`, { method: 'POST' })).status).toBe(404)
  const client_id = 'https://elsewhere.example/client.json'
  const { status } = await fetch(`${picky.issuer}/authorize?${new URLSearchParams({ client_id })}`)
  const { event } = picky.events.find(({ name }) => name === 'authorization.refused') ?? {}
  expect({ status, event }).toMatchObject({ status: 400, event: { reason: 'client_id_not_allowed' } })
  await picky.close()
})

describe('the tests of a host', () => {
  const tests: [name: string, test: () => Promise<void>][] = []
  let tested: Host
  beforeAll(async () => {
    tested = await startHost({ api: false, provider: { scopes: { photos: 'See your photos' }, clients: [] } })
    tested.app.get('/api/photos', tested.oauth.requireToken('photos'), (_req, res) => res.json([]))
    const test = (name: string, body: () => Promise<void>) => tests.push([name, body])
    await run('testing', { test, expect, request: supertest, app: tested.app, oauth: tested.oauth })
  })
  afterAll(() => tested.close())

  test.each([0, 1, 2])('number %d succeeds', async (index) => {
    expect.hasAssertions()
    await tests[index]?.[1]()
  })

  test('are as many', () => expect(tests).toHaveLength(3))
})

test('the command line does what is typed', async () => {
  const typed = block('cli', 'sh').trim().split('\n')
  const shell = commandLine()
  const store = shell.file('oauth.db')
  const app = oauthProvider({ issuer: 'http://localhost/oauth', findUser: () => undefined, store })
  await app.keys.list()
  await app.close()
  const opened = openStore(store, Date.now)
  const access = { 'http://localhost': ['photos', 'prints'] }
  await opened.saveGrant({ id: 'a-grant', userId: 'ada', clientId: 'print-shop', access, createdAt: 1 })
  await opened.close()
  expect(typed.length).toBeGreaterThan(5)
  for (const line of typed) {
    const [command = ''] = line.replace('npx express-oauth-provider ', '').split(' > ')
    const words = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
    const { code, stdout, stderr } = await shell.run(words)
    expect({ line, code, stderr }).toMatchObject({ line, code: 0 })
    expect(stdout).not.toBe('')
  }
  shell.remove()
})

test('PostgreSQL is a store', async () => {
  const server = await startPostgres()
  const names = { pg, postgresStore, process: { env: { DATABASE_URL: await server.createDatabase() } } }
  const { pool, store } = await run<{ pool: pg.Pool; store: PostgresStore }>(
    'postgres',
    names,
    '{ pool, store }',
  )
  const app = oauthProvider({ issuer: 'http://localhost/oauth', findUser: () => undefined, store })
  expect(await app.keys.list()).not.toEqual([])
  const { at, latest } = await store.version()
  expect(at).toBe(latest)
  await app.close()
  await pool.end()
  await server.stop()
})

test('a store of your own is held to the contract', async () => {
  const tests: (() => unknown)[] = []
  class MyStore {
    constructor() {
      Object.setPrototypeOf(this, openStore(':memory:', Date.now))
    }
  }
  await run('store-contract', {
    test: (_name: string, body: () => unknown) => tests.push(body),
    storeContract,
    MyStore,
  })
  expect(tests).toHaveLength(storeContract.length)
})

test('each code block is run here, or there is a reason why not', () => {
  const marks = [...readme.matchAll(/^<!-- ([\w-]+) -->\n```/gm)].map(([, mark]) => mark)
  const source = readFileSync(import.meta.filename, 'utf8')
  const ran = [...source.matchAll(/\b(?:run|define|block)(?:<.*>)?\(\s*'([\w-]+)'/g)].map(([, mark]) => mark)
  expect(new Set([...ran, ...Object.keys(NOT_RUN)])).toEqual(new Set(marks))
  const blocks = [...readme.matchAll(/^```(?:js|ts)$/gm)]
  expect(marks.length).toBeGreaterThanOrEqual(blocks.length)
})

/** Code blocks of the README that are not run here, and why. */
const NOT_RUN: Readonly<Record<string, string>> = {
  mcp: 'test/interop/mcp.test.ts runs it, with the clients of the SDK',
  'auth-js': 'an object of settings, for a framework that is not installed',
  'express-openid-connect': 'an object of settings, for a package that is not installed',
}

/** The code block after a mark in the README, as the text of a function: no imports, and addresses that are there. */
function code(mark: string): string {
  return block(mark, 'js')
    .replaceAll(/^import .*$/gm, '')
    .replaceAll(/https:\/\/photos\.example|http:\/\/localhost:3000/g, origin)
    .replaceAll(STAFF, staffOrigin)
    .replaceAll('8080', String(shopPort))
}

function block(mark: string, language: string): string {
  const found = new RegExp(`<!-- ${mark} -->\\n\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(readme)?.[1]
  if (found === undefined) throw new Error(`README.md has no code block after <!-- ${mark} -->`)
  return found
}

/** What stands in backticks in the text of the README and begins like this. */
function inline(start: string): string {
  const from = readme.indexOf(`\`${start}`)
  if (from < 0) throw new Error(`README.md has no \`${start}\``)
  return readme.slice(from + 1, readme.indexOf('`', from + 1))
}

/** Runs a block with these names in place of its imports and of what it takes for granted; answers what `result` is after it. */
async function run<T>(mark: string, names: Record<string, unknown>, result = 'undefined'): Promise<T> {
  const AsyncFunction = Object.getPrototypeOf(async () => undefined).constructor
  const body = `${code(mark)}\nreturn ${result}`
  return new AsyncFunction(...Object.keys(names), body)(...Object.values(names))
}

/** What a block calls `name`. */
function define<T>(mark: string, name: string, names: Record<string, unknown>): T {
  return new Function(...Object.keys(names), `${code(mark)}\nreturn ${name}`)(...Object.values(names))
}

/** The option `logout` in the table that shows it for each kind of login. */
function rowOf(login: string): string {
  const [, found] = new RegExp(`^\\| ${login} \\| \`(\\(req\\) => .*?)\` \\|$`, 'm').exec(readme) ?? []
  if (found === undefined) throw new Error(`README.md has no row for ${login}`)
  return found
}

/** An Express app whose server ends with this file. */
function listening(): Express {
  const app = express()
  const listen = app.listen.bind(app) as (...given: unknown[]) => Server
  return Object.assign(app, { listen: (...given: unknown[]) => kept(listen(...given)) })
}
Object.assign(listening, express)

function kept(server: Server): Server {
  servers.push(server)
  return server
}

/** Signs in and approves, as far as a browser is asked to, until it is somewhere else than at the provider. */
async function signIn(address: URL, browser = new Browser(), stop?: string) {
  const to = stop === undefined ? {} : { stop }
  let page = await browser.open(address, to)
  const pages: string[] = []
  for (let step = 0; step < 3 && page.text.includes('<form'); step++) {
    pages.push(page.text)
    page = await browser.submit(page, page.text.includes('value="approve"') ? 'approve' : undefined, to)
  }
  return { ...page, pages }
}

/** The status that the API of the quick start answers. */
async function callPhotos(token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` }
  return (await fetch(`${origin}/api/photos`, { headers })).status
}

async function discover(client: string) {
  const insecure = { execute: [openid.allowInsecureRequests] }
  const issuer = new URL(`${origin}/oauth`)
  return { config: await openid.discovery(issuer, client, `${client}-secret`, undefined, insecure) }
}

/** As far as the answer that the browser brings back to the client. */
async function authorize(asked: Record<string, string>, resources: readonly string[] = []) {
  const { config } = await discover('print-shop')
  const pkceCodeVerifier = openid.randomPKCECodeVerifier()
  const redirect_uri = 'http://localhost:1/callback'
  const url = openid.buildAuthorizationUrl(config, {
    redirect_uri,
    code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...asked,
  })
  for (const resource of resources) url.searchParams.append('resource', resource)
  const browser = new Browser()
  const { url: callback, pages } = await signIn(url, browser, redirect_uri)
  const checks = { pkceCodeVerifier, idTokenExpected: true }
  return { callback, checks, config, browser, pages }
}

async function getTokens(asked: Record<string, string>, resources: readonly string[] = []) {
  const { callback, checks, config, browser, pages } = await authorize(asked, resources)
  const own = resources.length > 0 ? { resource: origin } : {}
  const tokens = await openid.authorizationCodeGrant(config, callback, checks, own)
  return { tokens, config, browser, pages }
}
