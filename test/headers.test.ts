import type { ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import cors from 'cors'
import helmet from 'helmet'
import { Agent, encode, type Form, inputValue } from './support/agent.js'
import { clients } from './support/clients.js'
import {
  authorizeUrl,
  CHALLENGE,
  callApi,
  decide,
  getCode,
  getTokens,
  redeem,
  signedIn,
  toConsent,
} from './support/flow.js'
import { type Host, type HostOptions, startHost } from './support/host.js'

const ORIGIN = 'https://spa.example'
const REFERRER_POLICIES = [
  'no-referrer',
  'origin',
  'origin-when-cross-origin',
  'same-origin',
  'strict-origin-when-cross-origin',
]

function expectPrivate(headers: Headers): void {
  expect(headers.get('cache-control')).toBe('no-store')
  expect(headers.get('pragma')).toBe('no-cache')
  expect(headers.get('x-content-type-options')).toBe('nosniff')
}

function expectOpenToEveryOrigin(headers: Headers): void {
  expect(headers.get('access-control-allow-origin')).toBe('*')
  expect(headers.get('access-control-allow-credentials')).toBeNull()
  expect(headers.get('access-control-expose-headers')).toMatch(/WWW-Authenticate.*Retry-After/)
}

function expectPageHeaders(headers: Headers, { posts = false } = {}): void {
  expectPrivate(headers)
  expect(headers.get('x-frame-options')).toBe('DENY')
  expect(REFERRER_POLICIES).toContain(headers.get('referrer-policy'))
  expect(headers.get('cross-origin-opener-policy')).toBe('unsafe-none')
  expect(headers.get('access-control-allow-origin')).toBeNull()
  expect(headers.get('access-control-allow-credentials')).toBeNull()
  const policy = headers.get('content-security-policy') ?? ''
  expect(policy).not.toContain('form-action')
  expect(policy.includes('script-src')).toBe(posts)
  if (posts) expect(policy).toMatch(/; script-src 'nonce-[\w+/]{22}=='; /)
  expect(policy).not.toContain('unsafe-inline')
  expect(policy.split('; ')).toEqual(
    expect.arrayContaining(["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"]),
  )
}

const PUSHED = {
  response_type: 'code',
  redirect_uri: 'https://rp.example/cb',
  code_challenge: CHALLENGE,
  code_challenge_method: 'S256',
}
/** The endpoints for clients: how each answers which form, and a form that it refuses. */
const CLIENT_ENDPOINTS: readonly (readonly [string, number, Form, Form])[] = [
  ['/token', 200, { grant_type: 'client_credentials' }, {}],
  ['/revoke', 200, { token: 'x' }, {}],
  ['/introspect', 200, { token: 'x' }, {}],
  ['/par', 201, PUSHED, { ...PUSHED, scope: 'nope' }],
  ['/device_authorization', 200, {}, { scope: 'nope' }],
]
/** May use each of them. */
const ABLE = {
  client_id: 'able',
  client_secret: 'able-secret',
  redirect_uris: ['https://rp.example/cb'],
  scope: 'read',
  grant_types: ['authorization_code', 'client_credentials', 'urn:ietf:params:oauth:grant-type:device_code'],
}
const AS_ABLE = { client_id: 'able', client_secret: 'able-secret' }

const HOSTS: readonly (readonly [string, HostOptions])[] = [
  ['a bare host', {}],
  ['a host with helmet() and cors({ origin: true, credentials: true })', { beforeSession: reflectingCors }],
  ['a host with cors() and credentials for every origin', { beforeSession: wildcardCors }],
  [
    'a host with middleware that takes the head of answers apart as it was done until 2025',
    { beforeSession: olderOnHeaders },
  ],
]

function reflectingCors(app: Parameters<NonNullable<HostOptions['before']>>[0]): void {
  app.use(helmet())
  app.use(cors({ origin: true, credentials: true, preflightContinue: true }))
}

function wildcardCors(app: Parameters<NonNullable<HostOptions['before']>>[0]): void {
  app.use(cors({ origin: '*', credentials: true, preflightContinue: true }))
}

/** express-session up to 1.18.1, cookie-session and compression have this one in them, which knows no flat lists of headers. */
const onHeaders: (res: ServerResponse, listener: () => void) => void = createRequire(import.meta.url)(
  'on-headers-1.0',
)

function olderOnHeaders(app: Parameters<NonNullable<HostOptions['before']>>[0]): void {
  app.use((_req, res, next) => {
    onHeaders(res, () => undefined)
    next()
  })
}

describe.each(HOSTS)('on %s', (_, options) => {
  let host: Host
  beforeAll(async () => {
    host = await startHost({ ...options, provider: { clients: [...clients, ABLE] } })
  })
  afterAll(() => host.close())

  describe('HDR-01 every answer of the endpoints for machines is private, never sniffed, and readable by every origin', () => {
    test('success', async () => {
      const { code } = await getCode(host)
      const { status, headers } = await redeem(host, code)
      expect(status).toBe(200)
      expect(headers.get('content-type')).toMatch(/^application\/json/)
      expect(headers.get('set-cookie')).toBeNull()
      expectPrivate(headers)
      expectOpenToEveryOrigin(headers)
    })

    describe.each(CLIENT_ENDPOINTS)('%s', (path, success, form, wrong) => {
      test.each<[string, RequestInit]>([
        [String(success), { method: 'POST', body: encode({ ...AS_ABLE, ...form }) }],
        ['400', { method: 'POST', body: encode({ ...AS_ABLE, ...wrong }) }],
        ['401', { method: 'POST', body: encode({ ...form, client_id: 'nobody' }) }],
        ['405', { method: 'GET' }],
        ['413', { method: 'POST', body: new URLSearchParams({ x: 'a'.repeat(70_000) }) }],
        ['204', { method: 'OPTIONS' }],
      ])('%s', async (status, init) => {
        const response = await fetch(host.issuer + path, {
          ...init,
          headers: { origin: ORIGIN, 'access-control-request-method': 'POST' },
        })
        expect(response.status).toBe(Number(status))
        expect(response.headers.get('set-cookie')).toBeNull()
        expectPrivate(response.headers)
        expectOpenToEveryOrigin(response.headers)
        if (init.method === 'OPTIONS') {
          expect(response.headers.get('access-control-allow-methods')).toBe('POST')
          expect(response.headers.get('access-control-allow-headers')).toMatch(/Authorization.*Content-Type/)
          expect(await response.text()).toBe('')
          return
        }
        expect(response.headers.get('content-type')).toMatch(/^application\/json/)
        if (response.status === success) return
        expect(await response.json()).toEqual({
          error: expect.any(String),
          error_description: expect.any(String),
        })
      })
    })

    test('/introspect: an answer that is a JWT', async () => {
      const { status, headers } = await fetch(`${host.issuer}/introspect`, {
        method: 'POST',
        headers: { origin: ORIGIN, accept: 'application/token-introspection+jwt' },
        body: new URLSearchParams({ ...AS_ABLE, token: 'x' }),
      })
      expect([status, headers.get('content-type')]).toEqual([200, 'application/token-introspection+jwt'])
      expectPrivate(headers)
      expectOpenToEveryOrigin(headers)
    })

    test.each<[string, RequestInit, number]>([
      ['GET without a token', {}, 401],
      ['GET with a wrong token', { headers: { authorization: 'Bearer x' } }, 401],
      ['POST without a token', { method: 'POST' }, 401],
      [
        'POST with two tokens',
        { method: 'POST', body: new URLSearchParams('access_token=a&access_token=b') },
        400,
      ],
      ['PUT', { method: 'PUT' }, 405],
      ['preflight', { method: 'OPTIONS' }, 204],
    ])('/userinfo: %s', async (_, init, expected) => {
      const { status, headers } = await fetch(`${host.issuer}/userinfo`, init)
      expect(status).toBe(expected)
      expect(headers.get('set-cookie')).toBeNull()
      expectPrivate(headers)
      expectOpenToEveryOrigin(headers)
      if (expected === 204) expect(headers.get('access-control-allow-methods')).toBe('GET, POST')
      if (expected === 405) expect(headers.get('allow')).toBe('GET, POST')
      if (expected === 401)
        expect(headers.get('www-authenticate')).toMatch(/^Bearer (?:error=.+, )?realm="[^"]+"$/)
    })

    test('/userinfo: success, by GET and by POST', async () => {
      const { access_token } = await getTokens(host, { params: { scope: 'openid' } })
      const authorization = `Bearer ${access_token}`
      for (const init of [
        { headers: { authorization } },
        { method: 'POST', headers: { authorization } },
        { method: 'POST', body: new URLSearchParams({ access_token }) },
      ]) {
        const { status, headers } = await fetch(`${host.issuer}/userinfo`, init)
        expect(status).toBe(200)
        expect(headers.get('content-type')).toMatch(/^application\/json/)
        expect(headers.get('set-cookie')).toBeNull()
        expectPrivate(headers)
        expectOpenToEveryOrigin(headers)
      }
    })

    test('the store is down', async () => {
      const other = await startHost(options)
      await other.oauth.close()
      for (const [path] of CLIENT_ENDPOINTS) {
        const response = await fetch(other.issuer + path, {
          method: 'POST',
          headers: { origin: ORIGIN },
          body: new URLSearchParams({ client_id: 'stored', token: 'x', grant_type: 'refresh_token' }),
        })
        expect(response.status).toBeGreaterThanOrEqual(500)
        expectPrivate(response.headers)
        expectOpenToEveryOrigin(response.headers)
        const text = await response.text()
        expect(text).not.toMatch(/database|sqlite|connection|\/lib\/| at /i)
        expect(['server_error', 'temporarily_unavailable']).toContain(JSON.parse(text).error)
      }
      await other.close()
    })
  })

  describe('HDR-02 HDR-04 every page is private, unframeable, without script, and for no other origin', () => {
    test.each([
      '/authorize',
      '/authorize?client_id=nobody',
      '/authorize?client_id=conf&redirect_uri=https://evil.example',
      '/consent/nothing',
      '/logout?client_id=nobody',
      '/logout?id_token_hint=x',
    ])('GET %s', async (path) => {
      for (const origin of [ORIGIN, 'null', host.origin]) {
        const page = await new Agent(host).get(host.issuer + path, { origin })
        expect(page.status).toBe(400)
        expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
        expect(page.location).toBeUndefined()
        expectPageHeaders(page.headers)
      }
    })

    test('the consent page, its style by a nonce that is never the same', async () => {
      const { agent, page } = await toConsent(host, { params: { prompt: 'consent' } })
      expectPageHeaders(page.headers)
      const nonce = page.headers.get('content-security-policy')?.match(/'nonce-([^']+)'/)?.[1] ?? ''
      expect(page.text).toContain(`<style nonce="${nonce}">`)
      const again = await agent.get(page.url, { origin: 'null' })
      expectPageHeaders(again.headers)
      expect(again.headers.get('content-security-policy')).not.toContain(nonce)
    })

    test('UI-14 the redirects to the login, to the consent page and to the client are 303, private and for no other origin', async () => {
      const toLogin = await new Agent(host).get(authorizeUrl(host), { origin: ORIGIN })
      expect(toLogin.location).toContain('/login?return_to=')
      const agent = await signedIn(host, 'alice')
      const asking = authorizeUrl(host, { params: { prompt: 'consent' } })
      const toPage = await agent.get(asking, { origin: ORIGIN })
      expect(toPage.location).toContain('/consent/')
      const page = await agent.get(toPage.location!)
      const toClient = await decide(agent, page, 'approve')
      expect(toClient.location).toContain('https://rp.example/cb?code=')
      const posted = await agent.post(`${host.issuer}/authorize`, { client_id: 'conf' })
      for (const answer of [toLogin, toPage, toClient, posted]) {
        expect(answer.status).toBe(303)
        expectPageHeaders(answer.headers)
      }
    })

    test('the page of connected applications', async () => {
      const page = await (await signedIn(host, 'alice')).get(`${host.issuer}/authorized-applications`)
      expect(page.status).toBe(200)
      expectPageHeaders(page.headers)
    })

    test('the pages of the logout, before and after', async () => {
      const agent = await signedIn(host, 'alice')
      const page = await agent.get(`${host.issuer}/logout`, { origin: ORIGIN })
      expect(page.text).toContain('name="decision"')
      const _csrf = inputValue(page, '_csrf')
      const undecided = await agent.post(`${host.issuer}/logout`, { _csrf })
      expect(undecided.status).toBe(400)
      const expired = await agent.post(`${host.issuer}/logout`, { _csrf: 'x', decision: 'approve' })
      expect(expired.status).toBe(403)
      const after = await agent.post(`${host.issuer}/logout`, { _csrf, decision: 'approve' })
      const nobody = await new Agent(host).get(`${host.issuer}/logout`, { origin: 'null' })
      for (const { status } of [page, after, nobody]) expect(status).toBe(200)
      for (const { headers } of [page, undecided, expired, after, nobody]) expectPageHeaders(headers)
    })

    test('the page that posts an answer has one script, by nonce, and tells the client where it comes from', async () => {
      const params = { response_mode: 'form_post', prompt: 'none' }
      const page = await new Agent(host).get(authorizeUrl(host, { params }), { origin: ORIGIN })
      expect(page.status).toBe(200)
      expectPageHeaders(page.headers, { posts: true })
      expect(page.headers.get('referrer-policy')).toBe('origin')
    })
  })

  test('DISC-11 documents are public and readable by every origin', async () => {
    for (const url of [
      `${host.issuer}/.well-known/oauth-authorization-server`,
      `${host.issuer}/.well-known/openid-configuration`,
      `${host.issuer}/jwks`,
      `${host.origin}/.well-known/oauth-authorization-server/oauth`,
      `${host.origin}/.well-known/openid-configuration/oauth`,
      `${host.origin}/.well-known/oauth-protected-resource/api`,
    ]) {
      const response = await fetch(url, { headers: { origin: ORIGIN } })
      expect(response.status).toBe(200)
      expect(response.headers.get('cache-control')).toBe('public, max-age=300')
      expect(response.headers.get('set-cookie')).toBeNull()
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      expectOpenToEveryOrigin(response.headers)
      const preflight = await fetch(url, { method: 'OPTIONS', headers: { origin: ORIGIN } })
      expect(preflight.status).toBe(204)
      expectOpenToEveryOrigin(preflight.headers)
    }
  })
})

test('HDR-04 on a route of the host, its own cors() holds, and the challenge can be read', async () => {
  const host = await startHost({ beforeSession: reflectingCors })
  const { headers, status } = await callApi(host, '/api/read', undefined, { origin: ORIGIN })
  expect(status).toBe(401)
  expect(headers.get('access-control-allow-origin')).toBe(ORIGIN)
  expect(headers.get('access-control-allow-credentials')).toBe('true')
  expect(headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
  await host.close()
})

test('HDR-04 where a cors() of the host refused the origin, credentials are not allowed beside *', async () => {
  const host = await startHost({
    beforeSession: (app) => app.use(cors({ origin: ['https://only.example'], credentials: true })),
  })
  const { headers } = await callApi(host, '/api/read', undefined, { origin: ORIGIN })
  expect(headers.get('access-control-allow-origin')).toBe('*')
  expect(headers.get('access-control-allow-credentials')).toBeNull()
  await host.close()
})

describe("HDR-05 a wrong method is 405 with Allow, an unknown path is the host's", () => {
  let host: Host
  beforeAll(async () => {
    host = await startHost()
    host.app.use((req, res) => {
      res.status(404).json({ host: req.originalUrl })
    })
  })
  afterAll(() => host.close())

  const MACHINES = [
    ['/oauth/token', 'POST'],
    ['/oauth/revoke', 'POST'],
    ['/oauth/introspect', 'POST'],
    ['/oauth/par', 'POST'],
    ['/oauth/device_authorization', 'POST'],
    ['/oauth/userinfo', 'GET, POST'],
    ['/oauth/jwks', 'GET, HEAD'],
    ['/oauth/.well-known/oauth-authorization-server', 'GET, HEAD'],
    ['/oauth/.well-known/openid-configuration', 'GET, HEAD'],
    ['/.well-known/oauth-authorization-server/oauth', 'GET, HEAD'],
    ['/.well-known/openid-configuration/oauth', 'GET, HEAD'],
    ['/.well-known/oauth-protected-resource', 'GET, HEAD'],
  ] as const
  const PAGES = [
    '/oauth/authorize',
    '/oauth/consent/x',
    '/oauth/device',
    '/oauth/logout',
    '/oauth/authorized-applications',
  ] as const

  test.each(MACHINES)('%s allows %s', async (path, allowed) => {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
      if (allowed.split(', ').includes(method)) continue
      const response = await fetch(host.origin + path, { method })
      expect(response.status).toBe(405)
      expect(response.headers.get('allow')).toBe(allowed)
      expect(response.headers.get('content-type')).toMatch(/^application\/json/)
      if (method !== 'HEAD') expect(await response.json()).toMatchObject({ error: 'invalid_request' })
    }
  })

  test.each(PAGES)('%s allows GET, HEAD, POST', async (path) => {
    for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      const response = await fetch(host.origin + path, { method })
      expect(response.status).toBe(405)
      expect(response.headers.get('allow')).toBe('GET, HEAD, POST')
      expectPageHeaders(response.headers)
    }
  })

  test('TOK-02 GET /token with everything in the query gives nothing away and leaves the code usable', async () => {
    const { code } = await getCode(host)
    const query = new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: 'conf',
      client_secret: 'conf-secret',
      code,
    })
    const response = await fetch(`${host.issuer}/token?${query}`)
    expect(response.status).toBe(405)
    expect(await response.text()).not.toContain('access_token')
    expect((await redeem(host, code)).status).toBe(200)
  })

  test('HEAD of a page is its GET without the body', async () => {
    const response = await fetch(`${host.issuer}/authorize`, { method: 'HEAD' })
    expect(response.status).toBe(400)
    expectPageHeaders(response.headers)
    expect(await response.text()).toBe('')
  })

  test.each([
    '/oauth',
    '/oauth/',
    '/oauth/nothing',
    '/oauth/token/',
    '/oauth/token/x',
    '/oauth/TOKEN',
    '/oauth/authorize/',
    '/oauth/consent',
    '/oauth/consent/',
    '/oauth/consent/a/b',
    '/oauth/jwks/',
    '/oauth/jwks/x',
    '/oauth/userinfo/',
    '/oauth/UserInfo',
    '/oauth/logout/',
    '/oauth/logout/x',
    '/oauth/register',
    '/oauth/introspect/',
    '/oauth/revoke/x',
    '/oauth/device_authorization/',
    '/oauth/par/x',
    '/oauth/PAR',
    '/oauth/__proto__',
    '/oauth/constructor',
    '/.well-known/oauth-authorization-server',
    '/.well-known/oauth-authorization-server/other',
    '/.well-known/oauth-protected-resourcex',
    '/.well-known/openid-configuration',
    '/.well-known/openid-configuration/other',
    '/.well-known/openid-configuration/oauth/',
    '/oauth/.well-known',
    '/oauth/.well-known/oauth-protected-resource',
  ])('%s falls through', async (path) => {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const response = await fetch(host.origin + path, { method })
      expect(response.status).toBe(404)
      expect(await response.json()).toEqual({ host: path })
      expect(response.headers.get('access-control-allow-origin')).toBeNull()
      expect(response.headers.get('set-cookie')).toBeNull()
    }
  })
})
