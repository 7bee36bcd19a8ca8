import type { Express, Request } from 'express'
import express from 'express'
import session from 'express-session'
import passport from 'passport'
import { Agent, type Page } from './support/agent.js'
import { expectCode, expectErrorPage, expectErrorRedirect, getRaw } from './support/answers.js'
import {
  authorizeUrl,
  callApi,
  decide,
  destination,
  type FlowOptions,
  getCode,
  getTokens,
  redeem,
  signedIn,
  toConsent,
} from './support/flow.js'
import { type Host, type HostOptions, startHost, type User } from './support/host.js'

const open: Host[] = []
afterEach(async () => {
  for (const host of open.splice(0)) await host.close()
})

async function start(options: HostOptions = {}): Promise<Host> {
  const host = await startHost(options)
  open.push(host)
  return host
}

/** Where the host's login is told to go back to. */
function returnTo(page: Page): string {
  expect(page.status).toBe(303)
  const path = page.location?.split('/login?return_to=')[1]
  expect(path).toMatch(/^\/oauth\/consent\/[A-Za-z0-9_-]+$/)
  return path ?? ''
}

/** Asks while nobody is signed in. */
async function ask(
  host: Host,
  options: FlowOptions = {},
): Promise<{ agent: Agent; path: string; page: Page }> {
  const agent = options.agent ?? new Agent(host)
  const page = await agent.get(authorizeUrl(host, options))
  return { agent, path: returnTo(page), page }
}

describe('the way through the login', () => {
  test('UI-01 a long state and repeated resources come back intact, and the user is asked as if just arrived', async () => {
    const host = await start()
    const state = 'a b+&="<>'.repeat(56).slice(0, 500)
    const resource = [`${host.origin}/api`, `${host.origin}/photos`]
    const { agent, path } = await ask(host, { params: { state, resource, scope: 'read write' } })
    const page = await agent.login('alice', path)
    expect(page.status).toBe(200)
    expect(page.text).toContain('Change your things')
    const code = expectCode(host, await decide(agent, page, 'approve'), { state })
    const tokens = await redeem(host, code)
    expect(tokens.body.scope).toBe('read write')
    expect((await callApi(host, '/api/write', tokens.body.access_token)).status).toBe(200)
    expect(host.events.filter(({ name }) => name === 'login.required')).toEqual([
      { name: 'login.required', event: { clientId: 'conf' } },
    ])
  })

  test('the return address is a short path, and nothing of it is encoded or tells of the request', async () => {
    const host = await start()
    const { page } = await ask(host, { params: { state: 's'.repeat(500) } })
    const location = page.headers.get('location') ?? ''
    expect(location).toMatch(/^\/login\?return_to=\/oauth\/consent\/[A-Za-z0-9_-]{43,80}$/)
    expect(location).not.toContain('%')
  })

  test('UI-05 the request is bound to the browser by a small cookie, scoped to the mount', async () => {
    const host = await start()
    const { page, agent } = await ask(host)
    const cookies = page.headers.getSetCookie()
    expect(cookies).toHaveLength(1)
    expect(cookies[0]).toMatch(/^oauth_browser_[\w-]+=[\w-]{43}; Path=\/oauth; HttpOnly; SameSite=Lax$/)
    expect(page.location).not.toContain([...agent.cookies.values()][0]?.value)
    const again = await agent.get(authorizeUrl(host))
    expect(again.headers.getSetCookie()).toEqual([])
  })

  test('that cookie is Secure, and named so that http cannot set it, where the issuer is https', async () => {
    const host = await start({ provider: { issuer: 'https://host.example/oauth' } })
    const page = await new Agent(host).get(
      `${host.origin}/oauth/authorize?${authorizeUrl(host).split('?')[1]}`,
    )
    expect(page.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^__Secure-oauth_browser_[\w-]+=[\w-]{43}; Path=\/oauth; HttpOnly; SameSite=Lax; Secure$/,
      ),
    ])
  })

  test('at the root of the host the way is the same', async () => {
    const host = await start({ mount: '' })
    const agent = new Agent(host)
    const page = await agent.get(authorizeUrl(host))
    expect(page.location).toMatch(new RegExp(`^${host.origin}/login\\?return_to=/consent/[\\w-]+$`))
    expect(page.headers.getSetCookie()[0]).toContain('; Path=/;')
    const consent = await agent.login('alice', page.location?.split('return_to=')[1])
    expectCode(host, await decide(agent, consent, 'approve'))
  })

  test('loginUrl may have a query, lie on another host, or be a function', async () => {
    for (const [loginUrl, expected] of [
      ['/sign-in?lang=en', /^\/sign-in\?lang=en&return_to=\/oauth\/consent\/[\w-]+$/],
      ['https://id.example/', /^https:\/\/id\.example\/\?return_to=\/oauth\/consent\/[\w-]+$/],
      [
        (_: unknown, path: string) => `/enter/${encodeURIComponent(path)}`,
        /^\/enter\/%2Foauth%2Fconsent%2F[\w-]+$/,
      ],
    ] as const) {
      const host = await start({ provider: { loginUrl } })
      expect((await new Agent(host).get(authorizeUrl(host))).headers.get('location')).toMatch(expected)
    }
  })

  test('HOST-04 the session gets a new id at login, and the request survives it', async () => {
    const host = await start()
    const { agent, path } = await ask(host)
    await agent.get(path)
    const before = agent.cookies.get('host')?.value
    const page = await agent.login('alice', path)
    expect(agent.cookies.get('host')?.value).not.toBe(before)
    expectCode(host, await decide(agent, page, 'approve'))
  })

  test('HOST-04 works with passport 0.7 and req.logIn, which keeps nothing of the session', async () => {
    const users = new Map([['alice', { id: 'alice', name: 'Alice', email: 'a@host.example' }]])
    const authenticator = new passport.Passport()
    authenticator.serializeUser((user, done) => done(null, (user as User).id))
    authenticator.deserializeUser((id: string, done) => done(null, users.get(id) ?? false))
    const host = await start({
      provider: { currentUser: (req) => (req.user as User | undefined)?.id },
      before: (app) => {
        app.use(authenticator.initialize(), authenticator.session())
        app.post('/login', express.urlencoded({ extended: false }), (req, res, next) => {
          req.logIn(users.get(req.body.user) as Express.User, (error) => {
            if (error) return next(error)
            res.redirect(req.body.return_to)
          })
        })
      },
    })
    const { agent, path } = await ask(host)
    await agent.get(path)
    const page = await agent.login('alice', path)
    expect(page.text).toContain('Alice')
    expectCode(host, await decide(agent, page, 'approve'))
  })

  test('a login page that keeps only a path of what it was given is enough', async () => {
    const host = await start({
      before: (app) =>
        app.post('/login', express.urlencoded({ extended: false }), (req, res) => {
          ;(req.session as { userId?: string }).userId = req.body.user
          res.redirect(new URL(req.body.return_to, 'http://x').pathname.replace(/[^\w/-]/g, ''))
        }),
    })
    const { agent, path } = await ask(host)
    const page = await agent.login('alice', path)
    expectCode(host, await decide(agent, page, 'approve'))
  })

  test.each(['https://evil.test', '//evil.test', '/\\evil.test', '/%09/evil.test', 'javascript:alert(1)'])(
    'UI-02 a return target of %s never leads off our origin',
    async (target) => {
      const host = await start()
      const { agent, path } = await ask(host)
      await agent.login('alice')
      for (const url of [
        `/oauth/consent/${target}`,
        `/oauth/consent/${encodeURIComponent(target)}`,
        `/oauth/consent${target}`,
        `${path}/${target}`,
        `${path}${encodeURIComponent(target)}`,
      ]) {
        const page = await getRaw(host, url, agent)
        expect([400, 404]).toContain(page.status)
        expect(page.location).toBeUndefined()
        expect(page.text).not.toContain('http-equiv="refresh"')
      }
      const page = await getRaw(host, `${path}?return_to=${encodeURIComponent(target)}`, agent)
      expect(page.status).toBe(200)
      expect(page.text).not.toContain('evil.test')
    },
  )

  test('a request that nobody has is a page', async () => {
    const host = await start()
    const { agent, path } = await ask(host)
    const flipped = path.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))
    for (const id of [
      flipped,
      '/oauth/consent/x',
      `/oauth/consent/${'A'.repeat(64)}`,
      `${path}A`,
      path.slice(0, -1),
    ])
      expectErrorPage(await agent.get(id))
  })
})

describe('coming back without a user', () => {
  test('twice stops with a page that names the usual causes, instead of going round for ever', async () => {
    const host = await start()
    const { agent, path } = await ask(host)
    expect(returnTo(await agent.get(path))).toBe(path)
    const page = await agent.get(path)
    expectErrorPage(page, { code: 'login_required' })
    for (const cause of ['SameSite', 'Secure', 'proxy', 'trust proxy', 'path', 'currentUser'])
      expect(page.text).toContain(cause)
    expectErrorPage(await agent.get(path), { code: 'login_required' })
    expect(host.events.at(-1)?.event).toMatchObject({ error: 'login_required', reason: 'login_loop' })
  })

  test('the request goes on as soon as there is a user after all', async () => {
    const host = await start()
    const { agent, path } = await ask(host)
    await agent.get(path)
    expectErrorPage(await agent.get(path), { code: 'login_required' })
    const page = await agent.login('alice', path)
    expectCode(host, await decide(agent, page, 'approve'))
  })

  test('a session cookie that is Secure behind a proxy which Express does not trust is told, not looped on', async () => {
    const cookie = { secure: true }
    const untrusted = session({
      secret: 'test',
      resave: false,
      saveUninitialized: false,
      cookie,
      name: 'host',
    })
    const host = await start({ session: untrusted })
    const { agent, path } = await ask(host)
    expect(
      returnTo(await agent.post('/login', { user: 'alice', return_to: path }).then(() => agent.get(path))),
    ).toBe(path)
    const page = await agent.login('alice', path)
    expectErrorPage(page, { code: 'login_required' })
    expect(page.text).toContain('trust proxy')
  })
})

describe('who is signed in', () => {
  test('a user whom findUser no longer finds counts as signed out', async () => {
    const host = await start()
    const agent = await signedIn(host, 'alice')
    await getTokens(host, { agent })
    host.users.delete('alice')
    const { path } = await ask(host, { agent })
    expect(returnTo(await agent.get(path))).toBe(path)
    const silent = await agent.get(authorizeUrl(host, { params: { prompt: 'none' } }))
    expectErrorRedirect(host, silent, 'login_required')
    const skipped = await agent.get(authorizeUrl(host, { client: 'first' }))
    returnTo(skipped)
  })

  test('findUser may answer null, or later', async () => {
    const host = await start({
      provider: { findUser: async (id) => (id === 'bob' ? null : { id, name: 'A', email: '' }) },
    })
    returnTo(await (await signedIn(host, 'bob')).get(authorizeUrl(host)))
    await getTokens(host, { user: 'alice' })
  })

  test.each<[string, (req: Request) => void]>([
    ['req.user.id', (req) => Object.assign(req, { user: { id: 'alice' } })],
    ['req.session.userId', (req) => Object.assign(req.session, { userId: 'alice' })],
    ['req.session.user.id', (req) => Object.assign(req.session, { user: { id: 'alice' } })],
  ])('without the option currentUser, %s is looked at', async (_, login) => {
    const host = await start({
      provider: { currentUser: undefined } as object,
      before: (app: Express) =>
        app.use((req, _res, next) => {
          login(req)
          next()
        }),
    })
    const agent = new Agent(host)
    const page = await agent.follow(authorizeUrl(host))
    expect(page.text).toContain('alice@host.example')
  })

  class ObjectId {
    constructor(readonly hex: string) {}
    toString() {
      return this.hex
    }
  }

  test.each<[string, unknown, string]>([
    ['the number 0', 0, '0'],
    ['a number', 42, '42'],
    ['a big number', 12345678901234567890n, '12345678901234567890'],
    ['a UUID', '8f14e45f-ceea-467f-a0e6-1b1c1f2a3b4c', '8f14e45f-ceea-467f-a0e6-1b1c1f2a3b4c'],
    ['an ObjectId', new ObjectId('507f1f77bcf86cd799439011'), '507f1f77bcf86cd799439011'],
    ['a text with other letters', 'jürgen ☃', 'jürgen ☃'],
    ['a text with markup', '<b>"x"', '<b>"x"'],
  ])('HOST-05 %s is an id: findUser, tokens and grants get it as one string', async (_, id, text) => {
    const asked = new Set<unknown>()
    const host = await start({
      provider: {
        currentUser: () => id,
        findUser: (found) => {
          asked.add(found)
          return { id: found, name: '', email: '' }
        },
      },
    })
    const tokens = await getTokens(host, { agent: new Agent(host) })
    expect((await callApi(host, '/api/read', tokens.access_token)).body.userId).toBe(text)
    expect([...asked]).toEqual([text])
    expect((await host.oauth.grants.list()).map(({ userId }) => userId)).toEqual([text])
  })

  test.each<[string, unknown]>([
    ['an object', {}],
    ['an object with an id', { id: 'alice' }],
    ['an array', ['alice']],
    ['bytes', Buffer.from([0xff, 0xfe])],
    ['an empty text', ''],
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['true', true],
    ['false', false],
    ['a function', () => 'alice'],
    ['a symbol', Symbol('alice')],
    ['a map', new Map()],
    ['the text undefined', 'undefined'],
    ['the text null', 'null'],
    ['the text [object Object]', '[object Object]'],
  ])('HOST-05 %s is no id: server_error, and an event that names currentUser', async (_, id) => {
    let current: unknown = id
    const host = await start({
      provider: {
        currentUser: () => current,
        findUser: (found) => ({ id: found, name: 'Anybody', email: '' }),
      },
    })
    for (const params of [{}, { prompt: 'none' }]) {
      const page = await new Agent(host).get(authorizeUrl(host, { params }))
      const members = expectErrorRedirect(host, page, 'server_error')
      expect(members.get('error_description')).not.toContain('currentUser')
    }
    const event = host.events.find(({ name }) => name === 'server.error')?.event
    expect(event?.error).toBeInstanceOf(TypeError)
    expect(String(event?.error)).toContain('oauthProvider: currentUser gave')
    // And where it goes wrong between the page and the click.
    current = 'alice'
    const { agent, page } = await toConsent(host)
    current = id
    expect((await decide(agent, page, 'approve')).status).toBe(500)
    expect(await host.oauth.grants.list()).toEqual([])
  })
})

describe('prompt', () => {
  test('OIDC-13 none without a user is login_required, and leaves nothing behind', async () => {
    const host = await start()
    const agent = new Agent(host)
    const page = await agent.get(authorizeUrl(host, { params: { prompt: 'none' } }))
    expectErrorRedirect(host, page, 'login_required')
    expect(agent.cookies.size).toBe(0)
  })

  test('OIDC-13 none with a user who has not consented is consent_required, with one who has it is a code', async () => {
    const host = await start()
    const agent = await signedIn(host, 'alice')
    const silent = authorizeUrl(host, { params: { prompt: 'none' } })
    expectErrorRedirect(host, await agent.get(silent), 'consent_required')
    await getCode(host, { agent })
    const code = expectCode(host, await agent.get(silent))
    expect((await redeem(host, code)).status).toBe(200)
    const more = authorizeUrl(host, { params: { prompt: 'none', scope: 'read write' } })
    expectErrorRedirect(host, await agent.get(more), 'consent_required')
    expectErrorRedirect(
      host,
      await agent.get(authorizeUrl(host, { client: 'conf2', params: { prompt: 'none' } })),
      'consent_required',
      { redirectUri: 'https://rp2.example/cb' },
    )
  })

  test.each([
    'none login',
    'none consent',
    'login none',
    'foo',
    'NONE',
    'none,login',
    'create',
    'login foo',
    'login\tconsent',
  ])('OIDC-14 %j is invalid_request', async (prompt) => {
    const host = await start()
    for (const agent of [new Agent(host), await signedIn(host, 'alice')])
      expectErrorRedirect(
        host,
        await agent.get(authorizeUrl(host, { params: { prompt } })),
        'invalid_request',
      )
  })

  test('OIDC-14 spaces around a value, or a value twice in it, are tolerated', async () => {
    const host = await start()
    for (const prompt of [' none', 'none ', 'none  none', '  none  ']) {
      const page = await new Agent(host).get(authorizeUrl(host, { params: { prompt } }))
      expectErrorRedirect(host, page, 'login_required')
    }
  })

  test('consent asks although all has been granted before', async () => {
    const host = await start()
    const agent = await signedIn(host, 'alice')
    await getCode(host, { agent })
    expectCode(host, await agent.get(authorizeUrl(host)))
    for (const client of ['conf', 'first']) {
      const page = await agent.follow(authorizeUrl(host, { client, params: { prompt: 'consent' } }))
      expect(page.text).toContain('name="decision"')
    }
  })

  test.each(['login', 'select_account', 'login consent'])(
    '%s sends a signed-in user to the login once; without authTime, coming back is enough',
    async (prompt) => {
      const host = await start()
      const agent = await signedIn(host, 'alice')
      const { path } = await ask(host, { agent, params: { prompt } })
      expect((await agent.get(path)).text).toContain('name="decision"')
      const page = await agent.login('bob', path)
      expect(page.text).toContain('bob@host.example')
      expectCode(host, await decide(agent, page, 'approve'))
    },
  )

  test('login does not send somebody twice who had to sign in anyway', async () => {
    let signedInAt: number | undefined
    const host = await start({ provider: { authTime: () => signedInAt } })
    const { agent, path } = await ask(host, { params: { prompt: 'login' } })
    host.advance(30)
    signedInAt = host.now() / 1000
    expect((await agent.login('alice', path)).text).toContain('name="decision"')
  })

  test('UI-16 with authTime, coming back from login without signing in is not enough', async () => {
    let signedInAt = 0
    const host = await start({ provider: { authTime: () => new Date(signedInAt) } })
    signedInAt = host.now()
    const agent = await signedIn(host, 'alice')
    await getCode(host, { agent })
    host.advance(100)
    const { path } = await ask(host, { agent, params: { prompt: 'login' } })
    for (const url of [`${path}?prompt=`, `${path}?prompt=none`]) {
      const page = await agent.get(url)
      expect([200, 303]).toContain(page.status)
      expect(page.location ?? '').not.toContain('code=')
      expect(page.text).not.toContain('code=')
    }
    const stopped = await agent.get(path)
    expect(destination(stopped).searchParams.get('error')).toBe('login_required')
    // The session is still that of alice, and good for what does not ask for a new login.
    expectCode(host, await agent.get(authorizeUrl(host, { params: { prompt: 'none' } })))
    // A post cannot go round it either.
    expect((await agent.post(path, { decision: 'approve' })).status).toBe(403)
    signedInAt = host.now()
    const page = await agent.login('alice', path)
    expect(page.status).toBe(200)
    expect(destination(page).searchParams.get('code')).toMatch(/./)
  })

  test('UI-16 a click on a page that was shown before its user had to sign in again decides nothing', async () => {
    let signedInAt = Number.MAX_SAFE_INTEGER
    const host = await start({ provider: { authTime: () => Math.min(signedInAt, host.now()) / 1000 } })
    const { agent, path } = await ask(host, { params: { prompt: 'login' } })
    const page = await agent.login('alice', path)
    signedInAt = host.now() - 3_600_000
    const answer = await decide(agent, page, 'approve')
    expect(answer.location ?? '').not.toContain('code=')
    expect(await host.oauth.grants.list()).toEqual([])
  })

  test('select_account goes to the login once, whatever authTime says', async () => {
    const host = await start({ provider: { authTime: () => host.now() / 1000 } })
    const agent = await signedIn(host, 'alice')
    const { path } = await ask(host, { agent, params: { prompt: 'select_account' } })
    expect((await agent.get(path)).text).toContain('name="decision"')
  })

  test('login sends even who signed in within the same second to the login, and then is satisfied', async () => {
    const host = await start({ provider: { authTime: () => Math.floor(host.now() / 1000) } })
    const agent = await signedIn(host, 'alice')
    const { url } = await agent.follow(authorizeUrl(host, { params: { prompt: 'login' } }))
    const returnTo = new URL(url).searchParams.get('return_to') ?? ''
    expect(returnTo).toMatch(/^\/oauth\/consent\/[\w-]{64}$/)
    expect((await agent.login('alice', returnTo)).text).toContain('name="decision"')
  })

  test.each<[string, (now: number) => unknown]>([
    ['milliseconds', (now) => now],
    ['a Date in the far future', (now) => new Date(now * 1000)],
    ['an hour ahead', (now) => now / 1000 + 3600],
    ['a Date that a session has made text of', (now) => new Date(now).toISOString()],
    ['digits as text', (now) => String(now / 1000)],
    ['an invalid Date', () => new Date('never')],
    ['NaN', () => Number.NaN],
    ['Infinity', () => Number.POSITIVE_INFINITY],
    ['a boolean', () => true],
    ['an object', () => ({})],
  ])('an authTime of %s is a named error, and never passes for a login', async (_, authTime) => {
    const host = await start({ provider: { authTime: () => authTime(host.now()) as number } })
    const agent = await signedIn(host, 'alice')
    const page = await agent.get(authorizeUrl(host, { client: 'first', params: { prompt: 'login' } }))
    expectErrorRedirect(host, page, 'server_error', { redirectUri: 'https://first.example/cb' })
    const event = host.events.find(({ name }) => name === 'server.error')?.event
    expect(String(event?.error)).toContain('oauthProvider: authTime gave')
  })

  test('an authTime that is not known is like none at all', async () => {
    for (const unknown of [undefined, null]) {
      const host = await start({ provider: { authTime: () => unknown } })
      const agent = await signedIn(host, 'alice')
      const { path } = await ask(host, { agent, params: { prompt: 'login' } })
      expect((await agent.get(path)).text).toContain('name="decision"')
    }
  })
})

describe('two tabs', () => {
  test('UI-08 two requests in one session, interleaved, each get their own answer', async () => {
    const host = await start()
    const agent = new Agent(host)
    const one = await ask(host, { agent, params: { state: 'one', scope: 'read' } })
    const two = await ask(host, { agent, client: 'conf2', params: { state: 'two', scope: 'write' } })
    const first = await agent.login('alice', one.path)
    const second = await agent.get(two.path)
    const answerTwo = await decide(agent, second, 'approve')
    const answerOne = await decide(agent, first, 'approve')
    const codeOne = expectCode(host, answerOne, { state: 'one' })
    const codeTwo = expectCode(host, answerTwo, { state: 'two', redirectUri: 'https://rp2.example/cb' })
    expect((await redeem(host, codeTwo, { client: 'conf2' })).body.scope).toBe('write')
    expect((await redeem(host, codeOne)).body.scope).toBe('read')
  })

  test('UI-08 two requests of one client, interleaved, keep their own scopes', async () => {
    const host = await start()
    const agent = await signedIn(host, 'alice')
    const first = await agent.follow(authorizeUrl(host, { params: { state: 'one', scope: 'read' } }))
    const second = await agent.follow(authorizeUrl(host, { params: { state: 'two', scope: 'write' } }))
    const code = expectCode(host, await decide(agent, second, 'approve'), { state: 'two' })
    expect((await redeem(host, code)).body.scope).toBe('write')
    expectErrorRedirect(host, await decide(agent, first, 'deny'), 'access_denied', { state: 'one' })
  })

  test('two first visits at the very same time do not cut each other off', async () => {
    const host = await start()
    const agent = new Agent(host)
    // Both leave before either answer, and its cookie, has arrived.
    const asked = await Promise.all(
      ['one', 'two', 'three'].map((state) =>
        agent.get(authorizeUrl(host, { params: { state } }), { cookie: '' }),
      ),
    )
    const paths = asked.map(returnTo)
    await agent.login('alice')
    for (const [index, state] of ['one', 'two', 'three'].entries()) {
      const page = await agent.get(paths[index] ?? '')
      expect(page.status).toBe(200)
      const answer = page.text.includes('name="decision"') ? await decide(agent, page, 'approve') : page
      expect(destination(answer).searchParams.get('state')).toBe(state)
    }
  })
})

test('the clients that need no page go on by themselves after the login, by a page rather than a redirect', async () => {
  const host = await start()
  const { agent, path } = await ask(host, { client: 'first' })
  const page = await agent.login('alice', path)
  expect(page.status).toBe(200)
  expect(page.location).toBeUndefined()
  const url = destination(page)
  expect(url.href.startsWith('https://first.example/cb?code=')).toBe(true)
  expect(page.text).toContain(`<a class="button primary wide" href="${url.href.replaceAll('&', '&amp;')}"`)
  expect(page.text).not.toMatch(/<script|<form/)
  const code = url.searchParams.get('code') ?? ''
  const redirect_uri = 'https://first.example/cb'
  expect((await redeem(host, code, { client: 'first', form: { redirect_uri } })).status).toBe(200)
})
