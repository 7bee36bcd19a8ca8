import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import express, { type Express } from 'express'
import session from 'express-session'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as openid from 'openid-client'
import { type OAuthProvider, type OAuthProviderOptions, oauthProvider } from '../lib/index.js'
import { Browser } from './consumers/browser.cjs'
import { signingKeys } from './support/signing-keys.js'

const readme = readFileSync(path.resolve(import.meta.dirname, '../README.md'), 'utf8')
const PRINTS = 'https://prints.example/api'

/** The app of the quick start, with what the sections after it add to its options. */
let host: Express
let oauth: OAuthProvider
let origin: string
let shopPort: number
const servers: Server[] = []

beforeAll(async () => {
  shopPort = await freePort()
  const port = await freePort()
  origin = `http://localhost:${port}`
  const provider = (options: OAuthProviderOptions) => {
    const added: Partial<OAuthProviderOptions> = {
      store: ':memory:',
      keys: signingKeys,
      allowPrivateAddresses: true,
      scopes: { ...options.scopes, prints: 'Order prints' },
      resources: define('jwt-resource', 'resources', {}),
      logout: new Function('promisify', `return ${rowOf('express-session')}`)(promisify),
      clients: (options.clients ?? []).map((client) => ({
        ...client,
        post_logout_redirect_uris: [`http://localhost:${shopPort}/`],
        backchannel_logout_uri: `http://localhost:${shopPort}/backchannel-logout`,
      })),
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

test('the client with a key can be registered', async () => {
  const uri = { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: 'https://print.example/jwks.json' }
  await run('private-key-jwt', { oauth })
  expect(await oauth.clients.list()).toContainEqual(expect.objectContaining(uri))
})

/** The code block after a mark in the README, as the text of a function: no imports, and addresses that are there. */
function code(mark: string): string {
  const found = new RegExp(`<!-- ${mark} -->\\n\`\`\`js\\n(.*?)^\`\`\`$`, 'ms').exec(readme)?.[1]
  if (found === undefined) throw new Error(`README.md has no code block after <!-- ${mark} -->`)
  return found
    .replaceAll(/^import .*$/gm, '')
    .replaceAll(/https:\/\/photos\.example|http:\/\/localhost:3000/g, origin)
    .replaceAll('8080', String(shopPort))
}

/** Runs a block with these names in place of its imports and of what it takes for granted. */
async function run(mark: string, names: Record<string, unknown>): Promise<void> {
  const AsyncFunction = Object.getPrototypeOf(async () => undefined).constructor
  await new AsyncFunction(...Object.keys(names), code(mark))(...Object.values(names))
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

async function freePort(): Promise<number> {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

/** Signs in and approves, as far as a browser is asked to, until it is somewhere else than at the provider. */
async function signIn(address: URL, browser = new Browser(), stop?: string) {
  const to = stop === undefined ? {} : { stop }
  let page = await browser.open(address, to)
  for (let step = 0; step < 3 && page.text.includes('<form'); step++)
    page = await browser.submit(page, page.text.includes('value="approve"') ? 'approve' : undefined, to)
  return page
}

async function getTokens(asked: Record<string, string>, resources: readonly string[] = []) {
  const insecure = { execute: [openid.allowInsecureRequests] }
  const issuer = new URL(`${origin}/oauth`)
  const config = await openid.discovery(issuer, 'print-shop', 'print-shop-secret', undefined, insecure)
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
  const { url: callback } = await signIn(url, browser, redirect_uri)
  const own = resources.length > 0 ? { resource: origin } : {}
  const checks = { pkceCodeVerifier, idTokenExpected: true }
  const tokens = await openid.authorizationCodeGrant(config, callback, checks, own)
  return { tokens, config, browser }
}
