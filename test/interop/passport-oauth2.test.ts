import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler } from 'express'
import session from 'express-session'
import passport from 'passport'
import OAuth2Strategy from 'passport-oauth2'
import { Agent, type Page } from '../support/agent.js'
import { callApi, decide, destination, signedIn } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'

/** A site that lets its users connect their account at the host, as its makers would write it. */
let site: Server
let host: Host
let origin: string
let latest: { accessToken: string; refreshToken: string; scope: unknown }

beforeAll(async () => {
  const app = express()
  site = createServer(app).listen(0)
  await once(site, 'listening')
  origin = `http://localhost:${(site.address() as AddressInfo).port}`
  const client = {
    redirect_uris: ['/cb', '/wrong-secret/cb', '/without-pkce/cb'].map((path) => origin + path),
  }
  host = await startHost({
    provider: {
      clients: [
        { ...client, client_id: 'site', client_secret: 'site-secret' },
        { ...client, client_id: 'site-without-pkce', client_secret: 'site-secret', require_pkce: false },
      ],
    },
  })
  mount(app)
})
afterAll(async () => {
  site.closeAllConnections()
  site.close()
  await host.close()
})

function mount(app: express.Express): void {
  const authenticator = new passport.Passport()
  const use = (name: string, options: Partial<OAuth2Strategy.StrategyOptions>) => {
    const strategy = new OAuth2Strategy(
      {
        authorizationURL: `${host.issuer}/authorize`,
        tokenURL: `${host.issuer}/token`,
        clientID: 'site',
        clientSecret: 'site-secret',
        callbackURL: `${origin}/cb`,
        scope: ['read', 'write'],
        state: true,
        pkce: true,
        ...options,
      } as OAuth2Strategy.StrategyOptions,
      (
        accessToken: string,
        refreshToken: string,
        { scope }: { scope?: unknown },
        _profile: unknown,
        done: (error: unknown, user: object) => void,
      ) => {
        latest = { accessToken, refreshToken, scope }
        done(null, { id: 'somebody' })
      },
    )
    authenticator.use(name, strategy)
  }
  use('connect', {})
  use('wrong-secret', { clientSecret: 'wrong', callbackURL: `${origin}/wrong-secret/cb` })
  use('without-pkce', {
    clientID: 'site-without-pkce',
    pkce: false,
    callbackURL: `${origin}/without-pkce/cb`,
  } as object)
  authenticator.serializeUser((user, done) => done(null, user))
  authenticator.deserializeUser((user: object, done) => done(null, user))

  app.use(session({ secret: 'site', resave: false, saveUninitialized: false, name: 'site' }))
  app.use(authenticator.initialize())
  const answers = { successRedirect: '/connected', failureRedirect: '/refused' }
  for (const [name, path] of [
    ['connect', ''],
    ['wrong-secret', '/wrong-secret'],
    ['without-pkce', '/without-pkce'],
  ] as const) {
    app.get(`${path}/connect`, authenticator.authenticate(name))
    app.get(`${path}/cb`, authenticator.authenticate(name, answers))
  }
  const explain: ErrorRequestHandler = (error, _req, res, _next) => {
    res.status(502).json({ name: error.name, code: error.code, status: error.oauthError?.statusCode })
  }
  app.use(explain)
}

/** A person at the site's button, at the consent page, and back at the site. */
async function connect(
  path = '/connect',
  decision: 'approve' | 'deny' = 'approve',
): Promise<{ browser: Agent; back: URL; page: Page }> {
  const browser = new Agent({ origin })
  const start = await browser.get(path)
  const agent = await signedIn(host, 'alice')
  const consent = await agent.follow(start.location ?? '')
  const answer = consent.text.includes('name="decision"') ? await decide(agent, consent, decision) : consent
  const back = destination(answer)
  return { browser, back, page: await browser.get(back.href) }
}

test('connects with state and PKCE, and its tokens open the API', async () => {
  const { page, back } = await connect()
  expect(back.searchParams.get('iss')).toBe(host.issuer)
  expect({ status: page.status, location: page.location }).toEqual({
    status: 302,
    location: `${origin}/connected`,
  })
  expect(latest.scope).toBe('read write')
  expect((await callApi(host, '/api/write', latest.accessToken)).status).toBe(200)
  expect(latest.refreshToken).toEqual(expect.any(String))
})

test('connects a client with require_pkce: false without PKCE', async () => {
  const { page } = await connect('/without-pkce/connect')
  expect(page.location).toBe(`${origin}/connected`)
  expect((await callApi(host, '/api/read', latest.accessToken)).status).toBe(200)
})

test('understands that the user denied', async () => {
  await host.oauth.grants.revokeUser('alice')
  const { page } = await connect('/connect', 'deny')
  expect(page.location).toBe(`${origin}/refused`)
})

test('understands that a code is no longer good', async () => {
  const { back } = await connect()
  const browser = new Agent({ origin })
  const start = await browser.get('/connect')
  const replayed = new URL(back)
  replayed.searchParams.set('state', new URL(start.location ?? '').searchParams.get('state') ?? '')
  const page = await browser.get(replayed.href)
  expect(page.status).toBe(502)
  expect(JSON.parse(page.text)).toMatchObject({ name: 'TokenError', code: 'invalid_grant' })
})

test('understands that its secret is wrong', async () => {
  const { page } = await connect('/wrong-secret/connect')
  expect(page.status).toBe(502)
  expect(JSON.parse(page.text)).toMatchObject({ name: 'TokenError', code: 'invalid_client' })
})
