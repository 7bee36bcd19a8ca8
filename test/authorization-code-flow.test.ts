import { createHash, randomBytes } from 'node:crypto'
import express, { type Express } from 'express'
import { type OAuthProvider, oauthProvider } from 'express-oauth-provider'
import session from 'express-session'
import supertest, { type Response } from 'supertest'

// How a host tests its own integration: its app as it is, and two agents at it. The browser of the user keeps cookies; the server
// of the print shop, the client, has a secret. No port is opened for longer than a request, so `issuer` may name any.
const issuer = 'http://localhost:3000/oauth'
const printShop = {
  client_id: 'print-shop',
  client_secret: 'print-shop-secret',
  client_name: 'The Print Shop',
  redirect_uris: ['https://print.example/callback'],
}

declare module 'express-session' {
  interface SessionData {
    userId: string
  }
}

let app: Express
let oauth: OAuthProvider
const warned = jest.fn()

beforeAll(() => {
  app = express()
  app.use(session({ secret: 'test', resave: false, saveUninitialized: false }))
  oauth = oauthProvider({
    issuer,
    findUser: (id) => (id === 'ada' ? { id, name: 'Ada Lovelace' } : undefined),
    currentUser: (req) => (req.session as session.SessionData | undefined)?.userId,
    scopes: { photos: 'See your photos', upload: 'Add photos' },
    clients: [printShop],
    store: ':memory:',
  })
  oauth.events.on('warning', warned).on('server.error', warned)
  app.use('/oauth', oauth)
  app.use(oauth.wellKnown)
  app.get('/api/photos', oauth.requireToken('photos'), (req, res) => {
    res.json({ photosOf: req.auth.userId, shownTo: req.auth.clientId })
  })
  app.post('/api/photos', oauth.requireToken('upload'), (_req, res) => {
    res.sendStatus(201)
  })
  app.post('/login', express.urlencoded({ extended: false }), (req, res, next) => {
    req.session.regenerate((error) => {
      if (error) return next(error)
      req.session.userId = req.body.name
      res.redirect(303, String(req.query.return_to))
    })
  })
})
afterAll(async () => {
  expect(warned).not.toHaveBeenCalled()
  await oauth.close()
})

/** The value of an input of the form on a page. */
function input({ text }: Response, name: string): string {
  const [, value] = text.match(new RegExp(`name="${name}" value="([^"]*)"`)) ?? []
  if (value === undefined) throw new Error(`no input ${name} in ${text}`)
  return value
}

function photos(accessToken: string): supertest.Test {
  return supertest(app).get('/api/photos').auth(accessToken, { type: 'bearer' })
}

function tokenRequest(form: Record<string, string>): supertest.Test {
  return supertest(app)
    .post('/oauth/token')
    .auth(printShop.client_id, printShop.client_secret)
    .type('form')
    .send(form)
}

test('AUTHZ-01 from the first request of a client to the day on which the user withdraws what they allowed', async () => {
  const browser = supertest.agent(app)
  const verifier = randomBytes(32).toString('base64url')

  // The print shop sends the browser here, and the browser is sent to the login.
  const request = await browser
    .get('/oauth/authorize')
    .query({
      response_type: 'code',
      client_id: 'print-shop',
      redirect_uri: 'https://print.example/callback',
      scope: 'photos',
      state: 'the-state',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    })
    .expect(303)
    .expect('Location', /^\/login\?return_to=/)

  // Signed in, the user is asked.
  const signedIn = await browser
    .post(request.headers.location!)
    .type('form')
    .send({ name: 'ada' })
    .expect(303)
    .expect('Location', /^\/oauth\/consent\//)
  const consentUrl = signedIn.headers.location!
  const consent = await browser
    .get(consentUrl)
    .expect(200)
    .expect(/The Print Shop/)
    .expect(/See your photos/)

  // They approve, and the browser takes code, state and iss back to the print shop, each once.
  const approved = await browser
    .post(consentUrl)
    .type('form')
    .send({ _csrf: input(consent, '_csrf'), decision: 'approve' })
    .expect(303)
  const callback = new URL(approved.headers.location!)
  expect(`${callback.origin}${callback.pathname}`).toBe('https://print.example/callback')
  expect([...callback.searchParams]).toEqual([
    ['code', expect.stringMatching(/./)],
    ['state', 'the-state'],
    ['iss', issuer],
  ])

  // The print shop's server makes tokens of the code.
  const { body: tokens } = await tokenRequest({
    grant_type: 'authorization_code',
    code: callback.searchParams.get('code')!,
    redirect_uri: 'https://print.example/callback',
    code_verifier: verifier,
  }).expect(200)
  expect(tokens).toEqual({
    access_token: expect.any(String),
    token_type: 'Bearer',
    expires_in: 3600,
    refresh_token: expect.any(String),
    scope: 'photos',
  })

  // The API is open to it as far as the user allowed, and to nobody without a token.
  await photos(tokens.access_token).expect(200, { photosOf: 'ada', shownTo: 'print-shop' })
  await supertest(app).post('/api/photos').auth(tokens.access_token, { type: 'bearer' }).expect(403)
  await supertest(app).get('/api/photos').expect(401)

  // When the access token is about to expire, the print shop renews it.
  const { body: renewed } = await tokenRequest({
    grant_type: 'refresh_token',
    refresh_token: tokens.refresh_token,
  }).expect(200)
  expect(renewed.access_token).not.toBe(tokens.access_token)
  expect(renewed.refresh_token).not.toBe(tokens.refresh_token)
  await photos(renewed.access_token).expect(200)

  // The user has had enough of it.
  const applications = await browser
    .get('/oauth/authorized-applications')
    .expect(200)
    .expect(/The Print Shop/)
  await browser
    .post('/oauth/authorized-applications')
    .type('form')
    .send({ _csrf: input(applications, '_csrf'), grant: input(applications, 'grant') })
    .expect(303)
  const after = await browser.get('/oauth/authorized-applications').expect(200)
  expect(after.text).not.toContain('The Print Shop')

  // And every token of it is dead at once.
  for (const { access_token, refresh_token } of [tokens, renewed]) {
    await photos(access_token)
      .expect(401)
      .expect('WWW-Authenticate', /error="invalid_token"/)
    const { body } = await tokenRequest({ grant_type: 'refresh_token', refresh_token }).expect(400)
    expect(body.error).toBe('invalid_grant')
  }
})
