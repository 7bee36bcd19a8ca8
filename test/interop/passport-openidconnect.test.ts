import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler } from 'express'
import session from 'express-session'
import passport, { type Profile } from 'passport'
import OpenIDConnectStrategy from 'passport-openidconnect'
import { Agent, type Page } from '../support/agent.js'
import { decide, destination, signedIn } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'

/** A site whose users sign in with their account at the host, as its makers would write it. */
let site: Server
let host: Host
let origin: string
let latest: { issuer: string; profile: Profile }

/** What the library cannot do, and reads from the ID token only (CLIENTS 12, 13). */
const NEEDS = { require_pkce: false, id_token_claims: 'scopes' } as const
const SIGNED_IN = Math.floor(Date.now() / 1000) - 60

const ways = {
  '': {},
  '/userinfo': { skipUserProfile: false, clientID: 'site-minimal' },
  '/recent': { maxAge: '3600' },
  '/stale': { maxAge: '10', prompt: 'none' },
  '/minimal': { clientID: 'site-minimal' },
  '/pkce': { clientID: 'site-pkce' },
  '/wrong-secret': { clientSecret: 'wrong' },
  '/elsewhere': { issuer: 'https://elsewhere.example' },
}

beforeAll(async () => {
  const app = express()
  site = createServer(app).listen(0)
  await once(site, 'listening')
  origin = `http://localhost:${(site.address() as AddressInfo).port}`
  const client = {
    client_secret: 'site-secret',
    redirect_uris: Object.keys(ways).map((path) => `${origin}${path}/cb`),
  }
  host = await startHost({
    provider: {
      authTime: () => SIGNED_IN,
      clients: [
        { ...client, ...NEEDS, client_id: 'site' },
        { ...client, client_id: 'site-minimal', require_pkce: false },
        { ...client, client_id: 'site-pkce', id_token_claims: 'scopes' },
      ],
    },
  })
  mount(app)
})
afterAll(async () => {
  site.close().closeAllConnections()
  await host.close()
})

function mount(app: express.Express): void {
  const authenticator = new passport.Passport()
  authenticator.serializeUser((user, done) => done(null, user))
  authenticator.deserializeUser((user: object, done) => done(null, user))
  app.use(session({ secret: 'site', resave: false, saveUninitialized: false, name: 'site' }))
  app.use(authenticator.initialize())
  for (const [path, options] of Object.entries(ways)) {
    const strategy = new OpenIDConnectStrategy(
      {
        issuer: host.issuer,
        authorizationURL: `${host.issuer}/authorize`,
        tokenURL: `${host.issuer}/token`,
        userInfoURL: `${host.issuer}/userinfo`,
        clientID: 'site',
        clientSecret: 'site-secret',
        callbackURL: `${origin}${path}/cb`,
        scope: ['profile', 'email'],
        // The types say string, the library looks whether it is there, and makes one for each request.
        nonce: 'yes',
        ...options,
      },
      (issuer: string, profile: Profile, done: OpenIDConnectStrategy.VerifyCallback) => {
        latest = { issuer, profile }
        done(null, { id: profile.id })
      },
    )
    authenticator.use(`host${path}`, strategy)
    app.get(`${path}/sign-in`, authenticator.authenticate(`host${path}`))
    app.get(
      `${path}/cb`,
      authenticator.authenticate(`host${path}`, { failWithError: true }) as express.RequestHandler,
      (req, res) => {
        res.json(req.user)
      },
    )
  }
  const explain: ErrorRequestHandler = (error, _req, res, _next) => {
    res.status(502).json({ name: error.name, code: error.code, message: error.message })
  }
  app.use(explain)
}

/** A person at the site's button, at the consent page, and back at the site. */
async function connect(
  path = '',
  decision: 'approve' | 'deny' = 'approve',
): Promise<{ back: URL; page: Page }> {
  const browser = new Agent({ origin })
  const start = await browser.get(`${path}/sign-in`)
  const agent = await signedIn(host, 'alice')
  const consent = await agent.follow(start.location ?? '')
  const answer = consent.text.includes('name="decision"') ? await decide(agent, consent, decision) : consent
  const back = destination(answer)
  return { back, page: await browser.get(back.href) }
}

test.each([
  ['claims from the ID token', ''],
  ['claims from userinfo', '/userinfo'],
  ['max_age', '/recent'],
])('signs the user in, with %s', async (_, path) => {
  const { page } = await connect(path)
  expect([page.status, JSON.parse(page.text)]).toEqual([200, { id: 'alice' }])
  expect(latest.issuer).toBe(host.issuer)
  expect(latest.profile).toMatchObject({
    id: 'alice',
    displayName: 'Alice',
    emails: [{ value: 'alice@host.example' }],
  })
})

test('without id_token_claims and userinfo it learns no more than who it is', async () => {
  const { page } = await connect('/minimal')
  expect(page.status).toBe(200)
  expect(latest.profile.id).toBe('alice')
  expect(latest.profile.displayName).toBeUndefined()
})

test('without require_pkce: false the error says what is missing', async () => {
  const { back, page } = await connect('/pkce')
  expect(back.searchParams.get('error')).toBe('invalid_request')
  expect(back.searchParams.get('error_description')).toContain('code_challenge')
  expect(page.status).toBe(502)
  expect(JSON.parse(page.text)).toMatchObject({ name: 'AuthorizationError', code: 'invalid_request' })
})

test('understands that the sign-in is too old', async () => {
  await connect('/recent')
  const { page } = await connect('/stale')
  expect(JSON.parse(page.text)).toMatchObject({ name: 'AuthorizationError', code: 'login_required' })
})

test('understands that the user denied', async () => {
  await host.oauth.grants.revokeUser('alice')
  const { page } = await connect('', 'deny')
  expect([page.status, JSON.parse(page.text)]).toEqual([
    502,
    { name: 'AuthenticationError', message: 'Unauthorized' },
  ])
})

test('understands that its secret is wrong', async () => {
  const { page } = await connect('/wrong-secret')
  expect(JSON.parse(page.text)).toMatchObject({ name: 'TokenError', code: 'invalid_client' })
})

test('refuses the ID token of another issuer than the one it expects', async () => {
  const { page } = await connect('/elsewhere')
  expect(JSON.parse(page.text)).toMatchObject({ name: 'AuthenticationError' })
})
