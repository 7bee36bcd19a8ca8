import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import cors from 'cors'
import csurf from 'csurf'
import express5, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import session, { type CookieOptions, MemoryStore } from 'express-session'
import express4 from 'express4'
import helmet from 'helmet'
import { type OAuthProviderOptions, oauthProvider } from '../lib/index.js'
import { Agent, inputValue, type Page } from './support/agent.js'
import {
  authorizeUrl,
  basic,
  callApi,
  decide,
  destination,
  getCode,
  getTokens,
  postToken,
  redeem,
  refresh,
  signedIn,
  toConsent,
  VERIFIER,
} from './support/flow.js'
import { type Host, type HostOptions, startHost, type User } from './support/host.js'
import { signingKeys } from './support/signing-keys.js'

type StartHost = typeof startHost

/** `startHost` with the whole package on Express 4, its own Router included. */
async function startHostOnExpress4(): Promise<StartHost> {
  let start: StartHost = startHost
  await jest.isolateModulesAsync(async () => {
    jest.doMock('express', () => jest.requireActual('express4'))
    ;({ startHost: start } = await import('./support/host.js'))
    jest.dontMock('express')
  })
  return start
}

const unhandled = jest.fn()
beforeAll(() => {
  process.on('unhandledRejection', unhandled)
})
afterEach(async () => {
  await new Promise(setImmediate)
  expect(unhandled).not.toHaveBeenCalled()
})
afterAll(() => {
  process.off('unhandledRejection', unhandled)
})

/** From nothing to a renewed token and a withdrawn grant, and what of it the browser sees. */
async function wholeWay(host: Host): Promise<void> {
  const agent = new Agent(host)
  const toLogin = await agent.get(authorizeUrl(host, { params: { state: 'x y', scope: 'read write' } }))
  const returnTo = new URL(toLogin.location!).searchParams.get('return_to')!
  expect(returnTo).toMatch(
    new RegExp(`^${new URL(`${host.issuer}/x`).pathname.slice(0, -2)}/consent/[\\w-]+$`),
  )
  const page = await agent.login('alice', returnTo)
  expect(page.status).toBe(200)
  expect(page.text).toContain(`action="${returnTo}"`)
  const answer = await agent.post(new URL(returnTo, host.origin).href, {
    _csrf: inputValue(page, '_csrf'),
    decision: 'approve',
  })
  expect(answer.status).toBe(303)
  const callback = destination(answer)
  expect(callback.searchParams.get('state')).toBe('x y')
  expect(callback.searchParams.get('iss')).toBe(host.issuer)
  const { status, body } = await redeem(host, callback.searchParams.get('code') ?? '')
  expect(status).toBe(200)
  expect((await callApi(host, '/api/read', body.access_token)).status).toBe(200)
  expect((await refresh(host, body.refresh_token)).status).toBe(200)
  const applications = await agent.get(`${host.issuer}/authorized-applications`)
  const withdrawn = await agent.post(`${host.issuer}/authorized-applications`, {
    _csrf: inputValue(applications, '_csrf'),
    grant: inputValue(applications, 'grant'),
  })
  expect(withdrawn.location).toBe(`${host.issuer}/authorized-applications`)
  expect((await callApi(host, '/api/read', body.access_token)).status).toBe(401)
}

describe.each([
  ['Express 5', async () => startHost],
  ['Express 4', startHostOnExpress4],
] as const)('HOST-01 on %s', (name, load) => {
  test.each(['/oauth', '/a/b', ''])(
    'mounted at %p the whole way works, and nothing is warned of',
    async (mount) => {
      const start = await load()
      const host = await start({ mount })
      expect('del' in host.app).toBe(name === 'Express 4')
      await wholeWay(host)
      expect(host.events.filter(({ name }) => name === 'warning' || name === 'server.error')).toEqual([])
      await host.close()
    },
  )

  test('a failing findUser reaches the client by redirect at /authorize, the error handler elsewhere', async () => {
    const start = await load()
    let failing: (() => never) | (() => Promise<never>) | undefined
    const host = await start({
      provider: { findUser: (id) => (failing ? failing() : { id, name: id, email: 'x' }) },
    })
    const seen = handleErrors(host.app)
    const tokens = await getTokens(host)
    const { agent, page } = await toConsent(host, { params: { prompt: 'consent' } })
    const csrf = inputValue(page, '_csrf')
    for (const fail of [
      () => {
        throw new Error('users are down')
      },
      async () => {
        throw new Error('users are down')
      },
    ]) {
      failing = fail
      const refused = await agent.get(authorizeUrl(host))
      expect(destination(refused).searchParams.get('error')).toBe('server_error')
      expect(destination(refused).searchParams.get('state')).toBe('the-state')
      expect(destination(refused).searchParams.get('iss')).toBe(host.issuer)
      expect(refused.location).not.toContain('down')
      for (const attempt of [
        agent.get(page.url),
        agent.post(page.url, { _csrf: csrf, decision: 'approve' }),
        agent.get(`${host.issuer}/authorized-applications`),
      ]) {
        expect((await attempt).text).toBe('handled: users are down')
      }
      const renewed = await refresh(host, tokens.refresh_token)
      expect(renewed.status).toBe(500)
      expect(renewed.body).toEqual({
        error: 'server_error',
        error_description: expect.not.stringContaining('down'),
      })
    }
    failing = undefined
    expect(seen).toHaveBeenCalledTimes(6)
    expect((await refresh(host, tokens.refresh_token)).status).toBe(200)
    await host.close()
  })

  test('so does a failing currentUser, authTime, loginUrl', async () => {
    const start = await load()
    for (const option of ['currentUser', 'authTime', 'loginUrl'] as const) {
      for (const fail of [
        () => {
          throw new Error('option failed')
        },
        ...(option === 'loginUrl' ? [] : [() => Promise.reject(new Error('option failed'))]),
      ]) {
        const host = await start({ provider: { [option]: fail } as Partial<OAuthProviderOptions<User>> })
        handleErrors(host.app)
        const agent = option === 'loginUrl' ? new Agent(host) : await signedIn(host, 'alice')
        const refused = await agent.get(authorizeUrl(host))
        expect(destination(refused).searchParams.get('error')).toBe('server_error')
        const page = await agent.get(`${host.issuer}/authorized-applications`)
        expect(page.text).toBe('handled: option failed')
        await host.close()
      }
    }
  })

  test('without an error handler the host answers 500 by itself', async () => {
    const start = await load()
    const host = await start({ provider: { currentUser: () => Promise.reject(new Error('secret detail')) } })
    const error = jest.spyOn(console, 'error')
    const logged = new Promise((resolve) => error.mockImplementation(resolve))
    host.app.set('env', 'production')
    const page = await new Agent(host).get(`${host.issuer}/authorized-applications`)
    expect(page.status).toBe(500)
    expect(page.text).not.toContain('secret detail')
    // Express logs it once it has answered.
    expect(String(await logged)).toContain('Error: secret detail')
    expect(error).toHaveBeenCalledTimes(1)
    error.mockRestore()
    await host.close()
  })
})

function handleErrors(app: Express): jest.Mock {
  const seen = jest.fn()
  app.use(((error, _req, res, _next) => {
    seen(error)
    res.end(`handled: ${error.message}`)
  }) as ErrorRequestHandler)
  return seen
}

describe('HOST-01 behind a proxy', () => {
  /** Serves `prefix` of its own origin from `target`, without the prefix, as many proxies do. */
  async function startProxy(prefix: string) {
    let target = ''
    const proxy = createServer((req, res) => {
      const path = req.url?.startsWith(`${prefix}/`) ? req.url.slice(prefix.length) : req.url
      const headers = { ...req.headers, host: 'internal.host:8080', 'x-forwarded-proto': 'https' }
      const onward = httpRequest(target + path, { method: req.method ?? 'GET', headers }, (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(res)
      })
      req.pipe(onward)
    }).listen(0)
    await new Promise((resolve) => proxy.once('listening', resolve))
    const origin = `http://localhost:${(proxy.address() as AddressInfo).port}`
    return { origin, setTarget: (url: string) => (target = url), close: () => proxy.close() }
  }

  test('that strips the path, every URL that is given out is the public one', async () => {
    const proxy = await startProxy('/app/oauth')
    const issuer = `${proxy.origin}/app/oauth`
    const internal = await startHost({ mountAt: '/', provider: { issuer, loginUrl: '/login' } })
    proxy.setTarget(internal.origin)
    const host: Host = { ...internal, origin: proxy.origin, issuer }

    const agent = new Agent(host)
    const toLogin = await agent.get(authorizeUrl(host))
    expect(toLogin.headers.get('location')).toMatch(/^\/login\?return_to=\/app\/oauth\/consent\//)
    expect(toLogin.headers.getSetCookie().join()).toContain('Path=/app/oauth;')
    const page = await agent.login('alice', new URL(toLogin.location!).searchParams.get('return_to')!)
    expect(page.text).toMatch(/action="\/app\/oauth\/consent\/[\w-]+"/)
    const answer = await decide(agent, page, 'approve')
    const { body } = await redeem(host, destination(answer).searchParams.get('code') ?? '')
    expect(body.access_token).toEqual(expect.any(String))
    const response = await fetch(`${issuer}/.well-known/oauth-authorization-server`)
    const metadata = (await response.json()) as Record<string, string>
    expect(metadata).toMatchObject({ issuer, token_endpoint: `${issuer}/token` })
    expect(JSON.stringify(metadata)).not.toContain('internal.host')
    const applications = await agent.get(`${issuer}/authorized-applications`)
    expect(applications.text).toContain('action="/app/oauth/authorized-applications"')
    expect(internal.events.find(({ name }) => name === 'warning')?.event.message).toMatch(
      /proxy strips the path/,
    )
    await internal.close()
    proxy.close()
  })

  test('that ends TLS, the cookie is Secure and every URL https, whatever Express sees', async () => {
    const issuer = 'https://photos.example/oauth'
    const host = await startHost({ provider: { issuer } })
    const response = await fetch(`${host.origin}/oauth/authorize?${authorizeUrl(host).split('?')[1]}`, {
      redirect: 'manual',
    })
    expect(response.headers.getSetCookie().join()).toMatch(
      /^__Secure-oauth_browser_[\w-]{8}=[\w-]{43}; Path=\/oauth; HttpOnly; SameSite=Lax; Secure$/,
    )
    const metadata = await (await fetch(`${host.origin}/oauth/.well-known/oauth-authorization-server`)).json()
    expect(metadata).toMatchObject({ issuer, authorization_endpoint: `${issuer}/authorize` })
    await host.close()
  })
})

type Before = NonNullable<HostOptions['before']>

describe.each([
  ['Express 5', express5],
  ['Express 4', express4],
])('HOST-02 whatever %s has run before', (_, express) => {
  const hosts: readonly (readonly [string, Before])[] = [
    ['nothing', () => undefined],
    ['express.json()', (app) => app.use(express.json())],
    [
      'express.json() of every type',
      (app) => app.use(express.json({ type: 'application/json', strict: false })),
    ],
    ['express.urlencoded({ extended: true })', (app) => app.use(express.urlencoded({ extended: true }))],
    ['express.urlencoded({ extended: false })', (app) => app.use(express.urlencoded({ extended: false }))],
    ['json and urlencoded', (app) => app.use(express.json(), express.urlencoded({ extended: true }))],
    ['express.text of every type', (app) => app.use('/oauth', express.text({ type: '*/*' }))],
    ['express.raw of every type', (app) => app.use('/oauth', express.raw({ type: '*/*' }))],
    ['a multipart parser that sets an empty body', (app) => app.use(multipart)],
    ['helmet()', (app) => app.use(helmet())],
    ['cors({ credentials: true })', (app) => app.use(cors({ origin: true, credentials: true }))],
    [
      'a query parser that nests',
      (app) => {
        app.set('query parser', 'extended')
      },
    ],
  ]

  /** As multer does: it reads multipart bodies, and gives every request an empty body without a prototype. */
  const multipart: express5.RequestHandler = (req, _res, next) => {
    if (!req.is('multipart/form-data')) return next()
    req.body = Object.create(null)
    req.resume().on('end', () => next())
  }

  describe.each(hosts)('%s', (_, before) => {
    let host: Host
    beforeAll(async () => {
      host = await startHost({ express: express as typeof express5, before })
    })
    afterAll(() => host.close())

    test('the whole way works', () => wholeWay(host))

    test('ROB-01 a parameter that is repeated, a list or an object is refused, or unknown', async () => {
      const { code } = await getCode(host)
      const right = `grant_type=authorization_code&redirect_uri=https://rp.example/cb&code_verifier=${VERIFIER}&code=${code}`
      for (const wrong of [
        `${right}&code=${code}`,
        `${right}&code=`,
        `${right}&grant_type=refresh_token`,
        `${right}&code_verifier=x`,
        `${right}&client_id=conf&client_id=conf`,
        right.replace('code=', 'code[]='),
        right.replace('code=', 'code[0]='),
        right.replace('code=', 'code[a]='),
        right.replace('code=', 'code[length]='),
        right.replace('code=', 'code[][toString]='),
        right.replace('code=', 'code[0][toString]=1&code[1]='),
        right.replace('grant_type=', 'grant_type[]='),
        right.replace('grant_type=', 'grant_type[toString]='),
        right.replace('grant_type=', 'grant_type[__proto__]='),
        right.replace('code_verifier=', 'code_verifier[]='),
        `${right}&redirect_uri[]=https://rp.example/cb`.replace('redirect_uri=', 'xredirect_uri='),
      ]) {
        const response = await fetch(`${host.issuer}/token`, {
          method: 'POST',
          headers: {
            authorization: basic('conf', 'conf-secret'),
            'content-type': 'application/x-www-form-urlencoded',
          },
          body: wrong,
        })
        const body = (await response.json()) as Record<string, unknown>
        const loose = wrong.includes('xredirect_uri') || wrong.endsWith('&code=')
        if (loose && response.status === 200) continue
        expect([response.status, Object.keys(body)]).toEqual([400, ['error', 'error_description']])
      }
    })

    test('TOK-07 a body of another kind is 400 invalid_request', async () => {
      const multipartForm = new FormData()
      multipartForm.set('grant_type', 'authorization_code')
      for (const [type, body] of [
        ['application/json', '{"grant_type":"authorization_code"}'],
        ['text/plain', 'grant_type=authorization_code'],
        [undefined, multipartForm],
        ['application/json, application/x-www-form-urlencoded', 'grant_type=authorization_code'],
        ['application/x-www-form-urlencodedx', 'grant_type=authorization_code'],
      ] as const) {
        const response = await fetch(`${host.issuer}/token`, {
          method: 'POST',
          headers: { authorization: basic('conf', 'conf-secret'), ...(type && { 'content-type': type }) },
          body,
        })
        expect(response.status).toBe(400)
        expect(await response.json()).toMatchObject({ error: 'invalid_request' })
      }
    })

    test('TOK-07 a form with a charset, a form without a body', async () => {
      const { code } = await getCode(host)
      const charset = await fetch(`${host.issuer}/token?grant_type=refresh_token&code=x`, {
        method: 'POST',
        headers: {
          authorization: basic('conf', 'conf-secret'),
          'content-type': 'Application/X-WWW-Form-Urlencoded; Charset=UTF-8',
        },
        body: `grant_type=authorization_code&redirect_uri=https%3A%2F%2Frp.example%2Fcb&code_verifier=${VERIFIER}&code=${code}`,
      })
      expect(charset.status).toBe(200)
      const empty = await fetch(`${host.issuer}/token`, {
        method: 'POST',
        headers: {
          authorization: basic('conf', 'conf-secret'),
          'content-type': 'application/x-www-form-urlencoded',
        },
      })
      expect(await empty.json()).toEqual({
        error: 'invalid_request',
        error_description:
          'grant_type is missing. Send it in the body, as application/x-www-form-urlencoded.',
      })
    })

    test('AUTHZ-02 ROB-08 POST /authorize takes the body alone and goes on by GET', async () => {
      const [, query = ''] = authorizeUrl(host).split('?')
      const agent = await signedIn(host, 'alice')
      const response = await agent.request(
        `${host.issuer}/authorize?client_id=evil&redirect_uri=https://evil.example&scope=write`,
        {
          method: 'POST',
          body: new URLSearchParams(query),
        },
      )
      expect(response.status).toBe(303)
      expect(response.location).toBe(`${host.issuer}/authorize?${new URLSearchParams(query)}`)
    })
  })

  test('a body that was read and thrown away is named', async () => {
    const host = await startHost({
      express: express as typeof express5,
      before: (app) => {
        app.use((req, _res, next) => {
          if (req.method === 'POST' && req.path.endsWith('/token')) req.resume().on('end', () => next())
          else next()
        })
      },
    })
    const { status, body } = await postToken(host, { grant_type: 'refresh_token' })
    expect(status).toBe(400)
    expect(body).toEqual({
      error: 'invalid_request',
      error_description: expect.stringContaining('another middleware'),
    })
    await host.close()
  })
})

describe('beside a global csurf', () => {
  test('the warning names the cure; what works beside it works', async () => {
    const host = await startHost({
      before: (app) => {
        app.use(express5.urlencoded({ extended: false }))
        app.use((req, res, next) => (req.path === '/login' ? next() : csurf()(req, res, next)))
      },
    })
    const agent = await signedIn(host, 'alice')
    const page = await agent.follow(authorizeUrl(host))
    expect(page.status).toBe(200)
    expect(page.text).toContain('name="decision"')
    const [warning, ...others] = host.events.filter(({ name }) => name === 'warning')
    expect(others).toEqual([])
    expect(warning?.event).toEqual({
      code: 'csrf_before_provider',
      message: expect.stringMatching(
        /POST \/oauth\/token .*403.*app\.use\('\/oauth', oauth\) before app\.use\(csurf\(\)\)/,
      ),
    })
    await host.close()
  })

  test('mounted before it, everything works, and the forms of the host are guarded as before', async () => {
    const guarded = jest.fn((_req, res) => res.send('changed'))
    const host = await startHost()
    host.app.use(express5.urlencoded({ extended: false }), csurf())
    host.app.get('/settings', (req, res) => {
      res.send(`<input name="_csrf" value="${req.csrfToken()}">`)
    })
    host.app.post('/settings', guarded)
    await wholeWay(host)
    const agent = await signedIn(host, 'alice')
    const page = await agent.get('/settings')
    await agent.get(`${host.issuer}/authorized-applications`)
    expect((await agent.post('/settings', {})).status).toBe(403)
    expect(guarded).not.toHaveBeenCalled()
    expect((await agent.post('/settings', { _csrf: inputValue(page, '_csrf') })).text).toBe('changed')
    expect(host.events.filter(({ name }) => name === 'warning')).toEqual([])
    await host.close()
  })
})

describe('mistakes that nobody would see', () => {
  test.each([
    ['forgotten, it is warned of with the first challenge, once', false],
    ['mounted, nothing is warned of', true],
  ])('oauth.wellKnown: %s', async (_, mounted) => {
    const app = express5()
    const server = createServer(app).listen(0)
    await once(server, 'listening')
    const origin = `http://localhost:${(server.address() as AddressInfo).port}`
    const oauth = oauthProvider({
      issuer: `${origin}/oauth`,
      findUser: () => undefined,
      store: ':memory:',
      keys: signingKeys,
    })
    const warnings: unknown[] = []
    oauth.events.on('warning', (warning) => warnings.push(warning))
    app.use('/oauth', oauth)
    if (mounted) app.use(oauth.wellKnown)
    app.get('/api', oauth.requireToken())
    for (let time = 0; time < 2; time++) expect((await fetch(`${origin}/api`)).status).toBe(401)
    const message = expect.stringContaining('app.use(oauth.wellKnown)')
    expect(warnings).toEqual(mounted ? [] : [{ code: 'well_known_missing', message }])
    server.close()
    await oauth.close()
  })

  test('HOST-05 numbers as ids that findUser compares with strings are warned of, without the id', async () => {
    const users = new Map([[4711, { id: 4711 }]])
    const host = await startHost({
      provider: { currentUser: () => 4711, findUser: (id) => users.get(id as never) as never },
    })
    const agent = new Agent(host)
    for (let time = 0; time < 2; time++)
      expect((await agent.get(authorizeUrl(host))).location).toContain('/login?')
    const message = expect.stringMatching(/findUser: \(id\) => users\.get\(Number\(id\)\)/)
    expect(host.events.filter(({ name }) => name === 'warning').map(({ event }) => event)).toEqual([
      { code: 'user_not_found', message },
    ])
    expect(JSON.stringify(host.events)).not.toContain('4711')
    await host.close()
  })
})

describe('a session with which nobody stays signed in is warned of, once, with the cure', () => {
  const sessionWith = (cookie: CookieOptions) =>
    session({ secret: 'test', resave: false, saveUninitialized: false, name: 'host', cookie })
  const https = { issuer: 'https://photos.example/oauth' }
  const none: RequestHandler = (_req, _res, next) => next()

  async function warnings(options: HostOptions, proto?: string): Promise<unknown[]> {
    // What the host has by itself.
    const host = await startHost({
      ...options,
      provider: { currentUser: undefined as never, ...options.provider },
    })
    host.app.use(sessionWith({}))
    const [, query] = authorizeUrl(host).split('?')
    const headers = proto === undefined ? {} : { 'x-forwarded-proto': proto }
    for (let time = 0; time < 2; time++)
      await fetch(`${host.origin}/oauth/authorize?${query}`, { headers, redirect: 'manual' })
    await host.close()
    return host.events.filter(({ name }) => name === 'warning').map(({ event }) => event)
  }

  test.each<[string, HostOptions, string | undefined, string, RegExp]>([
    [
      ...(['a session behind the provider', { session: none }, undefined, 'session_missing'] as const),
      /app\.use\(session\(\{ \.\.\. \}\)\) before app\.use\('\/oauth', oauth\)/,
    ],
    [
      'a Secure cookie behind a proxy that Express does not trust',
      { session: sessionWith({ secure: true }), provider: https },
      ...(['https', 'session_cookie_unset', /app\.set\('trust proxy', 1\), and let the proxy send/] as const),
    ],
    [
      'a Secure cookie where there is no https',
      { session: sessionWith({ secure: true }) },
      ...([undefined, 'session_cookie_unset', /cookie: \{ secure: 'auto' \}/] as const),
    ],
    [
      'the same with cookie-session',
      {
        session: (req, _res, next) =>
          next(void Object.assign(req, { session: {}, sessionOptions: { secure: true } })),
      },
      ...([undefined, 'session_cookie_unset', /cookie is not set/] as const),
    ],
    [
      'SameSite=Strict',
      { session: sessionWith({ sameSite: 'strict' }) },
      ...([undefined, 'session_cookie_strict', /cookie: \{ sameSite: 'lax' \}/] as const),
    ],
  ])('%s', async (_, options, proto, code, message) => {
    expect(await warnings(options, proto)).toEqual([{ code, message: expect.stringMatching(message) }])
  })

  test.each<[string, HostOptions, string | undefined]>([
    [
      'a Secure cookie behind a proxy that Express trusts',
      {
        session: sessionWith({ secure: true, sameSite: 'lax' }),
        beforeSession: (app) => void app.set('trust proxy', 1),
        provider: https,
      },
      'https',
    ],
    [
      'a cookie that is Secure where the scheme is https',
      { session: sessionWith({ secure: 'auto' }) },
      undefined,
    ],
    [
      'users who are known by something else, as the page with the form says what it needs',
      { session: none, provider: { currentUser: () => undefined } },
      undefined,
    ],
  ])('and not: %s', async (_, options, proto) => {
    expect(await warnings(options, proto)).toEqual([])
  })
})

describe('sessions', () => {
  test('HOST-04 no JSON endpoint and no refused request makes one', async () => {
    const store = new MemoryStore()
    const host = await startHost({
      session: session({ store, secret: 'test', resave: false, saveUninitialized: false, rolling: true }),
    })
    const count = () =>
      new Promise((resolve) => store.all?.((_error, all) => resolve(Object.keys(all ?? {}).length)))
    await fetch(`${host.issuer}/.well-known/oauth-authorization-server`)
    await fetch(`${host.origin}/.well-known/oauth-protected-resource`)
    const { headers } = await postToken(host, { grant_type: 'refresh_token', refresh_token: 'x' })
    expect(headers.get('set-cookie')).toBeNull()
    await callApi(host, '/api/read', 'x')
    await fetch(`${host.issuer}/authorize`)
    const toLogin = await fetch(authorizeUrl(host), { redirect: 'manual' })
    expect(toLogin.headers.getSetCookie().map((line) => line.split('=')[0])).toEqual([
      expect.stringMatching(/^oauth_browser_/),
    ])
    expect(await count()).toBe(0)
    await host.close()
  })

  test('HOST-04 a form makes one only where it is shown: not where it is refused, or sends to the login', async () => {
    const store = new MemoryStore()
    const host = await startHost({
      session: session({ store, secret: 'test', resave: false, saveUninitialized: false, name: 'host' }),
    })
    const count = () =>
      new Promise((resolve) => store.all?.((_error, all) => resolve(Object.keys(all ?? {}).length)))
    const agent = new Agent(host)
    const { location = '' } = await agent.get(authorizeUrl(host))
    const waiting = new URL(location).searchParams.get('return_to') ?? ''
    const form = { _csrf: 'x', decision: 'approve', grant: 'x' }
    for (const path of ['/oauth/consent/x', waiting, '/oauth/authorized-applications']) {
      for (const answer of [await agent.get(path), await agent.post(path, form)]) {
        expect([303, 400, 403]).toContain(answer.status)
        expect(answer.headers.getSetCookie()).toEqual([])
      }
    }
    expect(await count()).toBe(0)
    await host.close()
  })

  test('HOST-08 only our own key in the session is ours, and the routes of the host have no more headers than before', async () => {
    const seen: Record<string, unknown>[] = []
    const host = await startHost()
    host.app.get('/whoami', (req, res) => {
      seen.push(JSON.parse(JSON.stringify(req.session)))
      res.json({ auth: 'auth' in req, csrf: 'csrfToken' in req })
    })
    const agent = await signedIn(host, 'alice')
    await agent.get('/whoami')
    await agent.follow(authorizeUrl(host))
    const answer = await agent.get('/whoami')
    expect(answer.text).toBe('{"auth":false,"csrf":false}')
    expect(seen[1]).toEqual({ ...seen[0], oauthProvider: { csrfSecret: expect.any(String) } })

    const bare = await startHost({ mountAt: '/elsewhere' })
    for (const path of ['/login', '/nothing']) {
      const [withUs, without] = await Promise.all([host, bare].map(({ origin }) => fetch(origin + path)))
      const names = ({ headers }: Response) => [...headers.keys()].filter((name) => name !== 'date').sort()
      expect(names(withUs!)).toEqual(names(without!))
    }
    await bare.close()
    await host.close()
  })

  test('a host without one is told, and its JSON endpoints work all the same', async () => {
    const host = await startHost({ session: (_req, _res, next) => next() })
    const page = await new Agent(host).get(`${host.issuer}/authorized-applications`)
    expect(page.status).toBe(500)
    expect(page.text).toContain('Something went wrong here')
    expect(page.text).not.toContain('express-session')
    expect(String(host.events.find(({ name }) => name === 'server.error')?.event.error)).toContain(
      'express-session',
    )
    expect((await postToken(host, { grant_type: 'refresh_token', refresh_token: 'x' })).status).toBe(400)
    await host.close()
  })

  test('a session store that is down: an error of the host at pages, nothing changed for machines without a cookie', async () => {
    const store = new MemoryStore()
    const host = await startHost({
      session: session({ store, secret: 'test', resave: false, saveUninitialized: false, name: 'host' }),
    })
    const seen = handleErrors(host.app)
    const tokens = await getTokens(host)
    const { agent, page } = await toConsent(host, { params: { prompt: 'consent' } })
    const down = (_id: string, callback: (error: Error) => void) => callback(new Error('redis is down'))
    store.get = down as never
    expect((await agent.get(page.url)).text).toBe('handled: redis is down')
    expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(200)
    expect((await refresh(host, tokens.refresh_token)).status).toBe(200)
    expect(seen).toHaveBeenCalledTimes(1)
    store.emit('disconnect')
    expect((await agent.get(page.url)).status).toBe(500)
    await host.close()
  })

  test.each(['lax', 'none', 'strict'] as const)(
    'HOST-04 with SameSite=%s the request outlives a login that regenerates its session',
    async (sameSite) => {
      const host = await startHost({
        session: session({
          secret: 'test',
          resave: false,
          saveUninitialized: false,
          rolling: true,
          name: 'host',
          cookie: { sameSite },
        }),
      })
      await wholeWay(host)
      await host.close()
    },
  )
})

describe('HOST-04 a session store that answers and saves late, as one behind a network does', () => {
  /** Some turns of the event loop, in which every answer that did not wait would be on its way. */
  async function later(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  }

  class LateStore extends MemoryStore {
    override get(...[id, callback]: Parameters<MemoryStore['get']>): void {
      void later().then(() => super.get(id, callback))
    }
    override set(...[id, data, callback]: Parameters<MemoryStore['set']>): void {
      void later().then(() => super.set(id, data, callback))
    }
    override destroy(...[id, callback]: Parameters<MemoryStore['destroy']>): void {
      void later().then(() => super.destroy(id, callback))
    }
  }

  test.each([
    ['saved where it changed', { resave: false, saveUninitialized: false }],
    ['saved always', { resave: true, saveUninitialized: true, rolling: true }],
  ])('the whole way works, with sessions that are %s', async (_, options) => {
    const host = await startHost({
      session: session({ store: new LateStore(), secret: 'test', name: 'host', ...options }),
    })
    for (let times = 0; times < 3; times++) await wholeWay(host)
    expect(host.events.filter(({ name }) => name === 'server.error')).toEqual([])
    await host.close()
  })
})

describe('HOST-05 ids of users', () => {
  const ID = '507f1f77bcf86cd799439011'
  test.each([
    ['the number 0', 0, '0'],
    ['a number', 42, '42'],
    ['a bigint', 9007199254740993n, '9007199254740993'],
    ['a UUID', 'c0ffee00-0000-4000-8000-000000000000', 'c0ffee00-0000-4000-8000-000000000000'],
    ['an ObjectId', { toString: () => ID, id: 'x' }, ID],
    ['an id with spaces and quotes', `o'neil "x"`, `o'neil "x"`],
  ])('%s becomes a stable string', async (_, id, expected) => {
    const findUser = jest.fn((given: string) => ({ id: given, name: 'Somebody', email: 'x' }))
    const host = await startHost({ provider: { currentUser: () => id, findUser } })
    const { access_token } = await getTokens(host)
    expect((await callApi(host, '/api/read', access_token)).body.userId).toBe(expected)
    for (const [given] of findUser.mock.calls) expect(given).toBe(expected)
    await host.close()
  })

  test.each([
    ['NaN', Number.NaN],
    ['an empty string', ''],
    ['a plain object', {}],
    ['an array', ['alice']],
    ['true', true],
    ['the text undefined', 'undefined'],
    ['a function', () => 'alice'],
    ['a symbol', Symbol('alice')],
  ])('%s is refused with server_error, and the event says what to do', async (_, id) => {
    const host = await startHost({
      provider: { currentUser: () => id, findUser: (user) => ({ id: user, name: '', email: '' }) },
    })
    const refused = await new Agent(host).get(authorizeUrl(host))
    expect(destination(refused).searchParams.get('error')).toBe('server_error')
    expect(String(host.events.find(({ name }) => name === 'server.error')?.event.error)).toMatch(
      /currentUser gave/,
    )
    await host.close()
  })
})

test('HOST-07 guesses from ever new X-Forwarded-For are slowed down; the real client elsewhere goes on', async () => {
  const host = await startHost()
  const tokens = await getTokens(host)
  const statuses = new Map<number, number>()
  for (let i = 0; i < 200; i++) {
    const { status, headers } = await postToken(
      host,
      { grant_type: 'refresh_token', refresh_token: 'x' },
      { headers: { authorization: basic('conf', `guess-${i}`), 'x-forwarded-for': `10.0.${i % 250}.1` } },
    )
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    if (status === 429) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
  }
  expect([...statuses.keys()].sort()).toEqual([401, 429])
  expect(statuses.get(401)).toBeLessThanOrEqual(50)
  const body = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: tokens.refresh_token,
  }).toString()
  const status = await new Promise((resolve, reject) => {
    httpRequest(
      `${host.issuer.replace('localhost', '127.0.0.1')}/token`,
      {
        method: 'POST',
        localAddress: '127.0.0.2',
        headers: {
          authorization: basic('conf', 'conf-secret'),
          'content-type': 'application/x-www-form-urlencoded',
        },
      },
      (response) => resolve(response.resume().statusCode),
    )
      .on('error', reject)
      .end(body)
  })
  expect(status).toBe(200)
  await host.close()
})

test("a client that goes away in the middle of its body is nobody's failure", async () => {
  const host = await startHost()
  const socket = connect(Number(new URL(host.origin).port), 'localhost')
  socket.write(
    'POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ngrant_type=',
  )
  await new Promise((resolve) => host.server.once('request', resolve))
  socket.destroy()
  while (host.events.length === 0) await new Promise(setImmediate)
  expect(host.events).toEqual([
    {
      name: 'request.refused',
      event: { endpoint: '/token', error: 'invalid_request', reason: 'body_aborted' },
    },
  ])
  await host.close()
})

test('a query may hold question marks (RFC 3986 §3.4): a redirect URI with a query, not encoded', async () => {
  const host = await startHost()
  const [, query = ''] = authorizeUrl(host, { client: 'multi', params: { redirect_uri: undefined } }).split(
    '?',
  )
  const agent = await signedIn(host, 'alice')
  const page: Page = await agent.follow(
    `${host.issuer}/authorize?redirect_uri=https://rp.example/cb2?x=1&${query}`,
  )
  expect(page.text).toContain('name="decision"')
  const answer = await decide(agent, page, 'approve')
  expect(answer.location).toMatch(/^https:\/\/rp\.example\/cb2\?x=1&code=/)
  await host.close()
})
