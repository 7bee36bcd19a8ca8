import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import cors from 'cors'
import csurf from 'csurf'
import express, { type Express, type Request, type Response } from 'express'
import session from 'express-session'
import helmet from 'helmet'
import type { Finding } from '../../lib/cli/doctor/finding.js'
import { Probe } from '../../lib/cli/doctor/probe.js'
import { commandLine } from '../support/command-line.js'
import { type Host, type HostOptions, startHost } from '../support/host.js'

const line = commandLine()
afterAll(() => line.remove())

interface Report {
  readonly issuer: string
  readonly ok: boolean
  readonly findings: readonly Finding[]
  readonly unseen: readonly string[]
}

async function examine(argv: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout } = await line.run(['doctor', ...argv, '--json'], { env })
  const report: Report = JSON.parse(stdout)
  return { code, ...report, bad: report.findings.filter(({ level }) => level !== 'ok') }
}

async function withHost(options: HostOptions, look: (host: Host) => Promise<void>): Promise<void> {
  const host = await startHost(options)
  try {
    await look(host)
  } finally {
    await host.close()
  }
}

/** That of a browser in which Alice is signed in. */
async function cookieOf({ origin }: Host): Promise<string> {
  const body = new URLSearchParams({ user: 'alice' })
  const { headers } = await fetch(`${origin}/login`, { method: 'POST', body, redirect: 'manual' })
  return headers.getSetCookie()[0]?.split(';')[0] ?? ''
}

/** A host whose session cookie has what a session cookie should have. */
const LAX = session({
  secret: 'test',
  resave: false,
  saveUninitialized: false,
  name: 'host',
  cookie: { sameSite: 'lax' },
})

describe('a provider that is set up well', () => {
  let host: Host
  beforeAll(async () => {
    host = await startHost({ session: LAX, provider: { mcp: true } })
  })
  afterAll(() => host.close())

  test('is found in order, at all places, with a client, and its API too', async () => {
    const { code, ok, bad, findings } = await examine([
      host.issuer,
      ...[
        '--client',
        'conf',
        '--redirect-uri',
        'https://rp.example/cb',
        '--resource',
        `${host.origin}/api/read`,
      ],
    ])
    expect(bad).toEqual([])
    expect([code, ok]).toEqual([0, true])
    expect(findings.filter(({ check }) => check === 'discovery')).toHaveLength(4)
    expect(new Set(findings.map(({ check }) => check))).toEqual(
      new Set([
        ...['discovery', 'issuer', 'pkce', 'iss', 'keys', 'cors', 'token', 'authorize', 'csp', 'cache'],
        ...['session', 'resource', 'registration', 'browser-cookie', 'login'],
      ]),
    )
  })

  test('lets the doctor register a client, try it, and delete it again', async () => {
    const before = (await host.oauth.clients.list()).length
    const { code, bad, findings } = await examine([host.issuer, '--register'])
    expect([code, bad]).toEqual([0, []])
    const said = findings.filter(({ check }) => check === 'registration').map(({ message }) => message)
    expect(said).toEqual([
      'Clients may register themselves, and a dangerous redirect URI is refused',
      'A client has registered itself',
      'It has deleted itself again',
    ])
    expect(await host.oauth.clients.list()).toHaveLength(before)
  })

  test('shows the consent page to the cookie of somebody who is signed in', async () => {
    const cookie = await cookieOf(host)
    const flags = ['--client', 'conf', '--redirect-uri', 'https://rp.example/cb']
    const { bad, findings } = await examine([host.issuer, ...flags], { OAUTH_DOCTOR_COOKIE: cookie })
    expect(bad).toEqual([])
    expect(findings).toContainEqual({
      level: 'ok',
      check: 'consent',
      message: 'The consent page is shown, with its form',
    })
    const { findings: stranger } = await examine([host.issuer, ...flags], {
      OAUTH_DOCTOR_COOKIE: 'host=nobody',
    })
    expect(stranger).toContainEqual({
      level: 'error',
      check: 'session',
      message: `At ${host.issuer}/authorize nobody is signed in with the cookie of OAUTH_DOCTOR_COOKIE, so nobody can approve there.`,
      cure: expect.stringMatching(
        /mount the session before the provider; .*'trust proxy', 1.*; let currentUser read what your login/,
      ),
    })
  })

  test('a redirect URI that is not registered is told with what the page says', async () => {
    const { code, bad } = await examine([
      host.issuer,
      '--client',
      'conf',
      '--redirect-uri',
      'https://rp.example/other',
    ])
    expect(code).toBe(1)
    expect(bad).toHaveLength(1)
    expect(bad[0]?.message).toMatch(/^A request of the client conf gets 400: ./)
  })

  test('a client that may leave PKCE out is told as one to look at', async () => {
    const client = ['--client', 'nopkce', '--redirect-uri', 'https://rp.example/cb']
    const { code, bad } = await examine([host.issuer, ...client])
    expect(code).toBe(0)
    expect(bad).toEqual([
      {
        level: 'warning',
        check: 'pkce',
        message: 'PKCE is not demanded of nopkce.',
        cure: expect.stringContaining('require_pkce'),
      },
    ])
  })

  test('a slash at the end of what was typed, and a missing scheme, do no harm', async () => {
    expect((await examine([`${host.issuer}/`])).issuer).toBe(host.issuer)
  })

  test('people read a line for each thing, the sum, and what was not looked at', async () => {
    const { code, stdout } = await line.run(['doctor', host.issuer])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ok {5}The metadata is at http:/)
    expect(stdout).toMatch(
      /\n\nNothing wrong was found, but not all was looked at\.\nNot looked at: The way .* --register\.\nNot looked at: The consent page, .* OAUTH_DOCTOR_COOKIE .*\n$/,
    )
    const { unseen } = await examine([host.issuer, '--register'])
    expect(unseen).toEqual([expect.stringMatching(/^The consent page, and whether your session is known/)])
  })

  test('all is well only where the doctor got to the consent page', async () => {
    const env = { OAUTH_DOCTOR_COOKIE: await cookieOf(host) }
    const client = ['--client', 'conf', '--redirect-uri', 'https://rp.example/cb']
    const { stdout } = await line.run(['doctor', host.issuer, ...client], { env })
    expect(stdout).toMatch(/\nok {5}The consent page is shown[\s\S]*\n\nAll is well\.\n$/)
  })

  test('without a client the cookie is tried at the page for users', async () => {
    const known = await examine([host.issuer], { OAUTH_DOCTOR_COOKIE: await cookieOf(host) })
    expect(known.findings).toContainEqual(
      expect.objectContaining({ level: 'ok', message: 'The browser with this cookie is signed in' }),
    )
    const { code, bad } = await examine([host.issuer], { OAUTH_DOCTOR_COOKIE: 'host=nobody' })
    expect([code, bad.map(({ message }) => message)]).toEqual([
      1,
      [expect.stringContaining('/oauth/authorized-applications nobody is signed in')],
    ])
  })
})

describe('what is set up wrong is named, with its cure', () => {
  const broken: readonly (readonly [string, HostOptions, string, RegExp, RegExp])[] = [
    [
      'csurf before the provider',
      { before: (app) => void app.use(csurf()) },
      'csrf',
      /refuses POST .*\/oauth\/token/,
      /Mount the provider between the session and them/,
    ],
    [
      'a middleware that eats the body',
      { before: eatsBodies },
      'body-parser',
      /did not arrive/,
      /A body parser has read it/,
    ],
    [
      'a middleware that eats the form of every request and says it was empty',
      { before: emptiesBodies },
      'body-parser',
      /did not arrive/,
      /made something else of it/,
    ],
    [
      'a login wall before the provider',
      { before: (app) => void app.use('/oauth/token', (_req, res) => res.redirect('/login')) },
      'token',
      /redirects to \/login/,
      /out of the login wall/,
    ],
    [
      'a form-action that a proxy adds',
      { before: addsFormAction },
      'csp',
      /form-action/,
      /approving does nothing/,
    ],
    [
      'a cors() that forgets the headers',
      { before: (app) => void app.options('/oauth/token', cors({ allowedHeaders: ['DPoP'] })) },
      'cors',
      /OPTIONS .*\/oauth\/token does not allow the header content-type\./,
      /no cors\(\) that refuses/,
    ],
    [
      'a cors() that allows all headers, and thinks that authorization is one of them',
      { before: (app) => void app.options('/oauth/userinfo', cors({ allowedHeaders: '*' })) },
      'cors',
      /OPTIONS .*\/oauth\/userinfo does not allow the header authorization\./,
      /no cors\(\) that refuses/,
    ],
    [
      'a cors() that takes preflights away',
      { before: (app) => void app.options('/oauth/token', (_req, res) => void res.status(403).end()) },
      'cors',
      /OPTIONS .* answers 403/,
      /no cors\(\) that refuses/,
    ],
  ]

  test.each(broken)('%s', async (_, options, check, message, cure) => {
    await withHost({ session: LAX, listen: true, ...options }, async (host) => {
      const { code, bad } = await examine([host.issuer])
      expect(code).toBe(1)
      const found = bad.find((finding) => finding.check === check && message.test(finding.message))
      expect(found).toBeDefined()
      expect(found?.level).toBe('error')
      expect(found?.cure).toMatch(cure)
    })
  })

  test('a provider without oauth.wellKnown at the root', async () => {
    const host = await startHost({ session: LAX, mount: '/deep/oauth', mountAt: '/deep/oauth' })
    const outer = express()
    outer.use((req, res, next) =>
      req.path.startsWith('/.well-known') ? res.sendStatus(404) : host.app(req, res, next),
    )
    host.server.removeAllListeners('request')
    host.server.on('request', outer)
    const { code, bad } = await examine([host.issuer])
    await host.close()
    expect(code).toBe(1)
    expect(bad.map(({ check }) => check)).toEqual(['discovery', 'discovery', 'resource'])
    expect(bad[0]).toEqual({
      level: 'error',
      check: 'discovery',
      message: `${host.origin}/.well-known/oauth-authorization-server/deep/oauth answers 404.`,
      cure: 'Serve the documents of the root: app.use(oauth.wellKnown), before anything that answers all paths; or let the proxy pass this path.',
    })
  })

  test.each<[string, (origin: string) => string, RegExp]>([
    [
      'https where the app says http',
      (origin) => `${origin.replace('http:', 'https:')}/oauth`,
      /Ask about that one: .* doctor https:.* If there is no https, set the option issuer to http:/,
    ],
    ['another host', () => 'https://auth.example/oauth', /never taken from the header Host/],
    ['another path', (origin) => `${origin}/other`, /or mount it at the other: app\.use\('\/other', oauth\)/],
  ])('an issuer that is not where it says: %s', async (_, issuer, cure) => {
    await withHost(
      { session: LAX, provider: (origin) => ({ issuer: issuer(origin) }), mountAt: '/oauth' },
      async ({ origin }) => {
        const { code, bad } = await examine([`${origin}/oauth`])
        expect(code).toBe(1)
        expect(bad).toEqual([
          {
            level: 'error',
            check: 'issuer',
            message: `The metadata at ${origin}/oauth names the issuer ${issuer(origin)}.`,
            cure: expect.stringMatching(cure),
          },
        ])
      },
    )
  })

  test('a mount elsewhere is one finding, and all that follows from it is none', async () => {
    await withHost({ session: LAX, mountAt: '/elsewhere', listen: true }, async ({ issuer }) => {
      const { code, findings, unseen } = await examine([issuer])
      expect([code, unseen]).toEqual([1, ['All else. Mend this first.']])
      expect(findings).toEqual([
        {
          level: 'error',
          check: 'discovery',
          message: `${issuer}/.well-known/oauth-authorization-server answers 404.`,
          cure: expect.stringMatching(/app\.use\('\/oauth', oauth\)\. Behind a proxy, let it pass this path/),
        },
      ])
    })
  })

  test.each([
    ['redirects to /login', (_req: Request, res: Response) => res.redirect('/login')],
    ['answers 401', (_req: Request, res: Response) => void res.sendStatus(401)],
  ])('a login wall before the provider is called one: %s', async (said, wall) => {
    await withHost({ session: LAX, before: (app) => void app.use(wall) }, async ({ issuer }) => {
      const { findings } = await examine([issuer])
      expect(findings).toEqual([
        {
          level: 'error',
          check: 'discovery',
          message: `${issuer}/.well-known/oauth-authorization-server ${said}.`,
          cure: expect.stringMatching(/login wall\. Mount the provider, .* and your API before it/),
        },
      ])
    })
  })

  test('a login wall between the provider and oauth.wellKnown is, too', async () => {
    const wall = (app: Express) =>
      void app.use((req, res, next) =>
        req.path.startsWith('/.well-known') ? res.redirect('/login') : next(),
      )
    await withHost({ session: LAX, before: wall }, async ({ issuer }) => {
      const { bad } = await examine([issuer])
      expect(bad.map(({ cure }) => cure).slice(0, 2)).toEqual([
        expect.stringMatching(/login wall/),
        expect.stringMatching(/login wall/),
      ])
    })
  })

  test('a redirect to another host that keeps the path is no login wall', async () => {
    const away = (app: Express) =>
      void app.use((req, res) => res.redirect(`https://www.photos.example${req.path}`))
    await withHost({ session: LAX, before: away }, async ({ issuer }) => {
      const { bad } = await examine([issuer])
      expect(bad.map(({ cure }) => cure)).toEqual([expect.stringMatching(/^Clients follow no redirect/)])
    })
  })

  test('no session before the provider', async () => {
    await withHost({ session: (_req, _res, next) => next() }, async ({ issuer }) => {
      const { code, bad } = await examine([issuer])
      expect(code).toBe(1)
      expect(bad).toEqual([
        {
          level: 'error',
          check: 'session',
          message: expect.stringMatching(/authorized-applications answers 500: the page for users cannot/),
          cure: expect.stringMatching(/^Mount your session middleware before the provider/),
        },
      ])
    })
  })

  test('a session cookie that is SameSite=Strict', async () => {
    const cookie = { sameSite: 'strict' } as const
    const strict = session({ secret: 'test', resave: false, saveUninitialized: true, cookie })
    await withHost({ session: strict }, async ({ issuer }) => {
      const client = ['--client', 'conf', '--redirect-uri', 'https://rp.example/cb']
      for (const flags of [[], client]) {
        const { bad } = await examine([issuer, ...flags])
        expect(bad).toContainEqual({
          level: 'warning',
          check: flags === client ? 'browser-cookie' : 'session-cookie',
          message: 'The cookie connect.sid is SameSite=Strict.',
          cure: expect.stringMatching(/have to sign in again whenever a client sends them/),
        })
      }
    })
  })

  test('a client whose users have to say when they signed in, for which the cookie is not to blame', async () => {
    const client = {
      client_id: 'aged',
      client_secret: 'aged-secret',
      redirect_uris: ['https://rp.example/cb'],
      default_max_age: 600,
    }
    await withHost({ session: LAX, provider: { clients: [client] } }, async (host) => {
      const { code, bad } = await examine(
        [host.issuer, '--client', 'aged', '--redirect-uri', 'https://rp.example/cb'],
        { OAUTH_DOCTOR_COOKIE: await cookieOf(host) },
      )
      expect([code, bad.map(({ cure }) => cure)]).toEqual([0, [expect.stringMatching(/option authTime/)]])
    })
  })

  test('cookies that other sites may send, and a login page that cuts its opener off, are pointed at', async () => {
    const none = session({
      secret: 'test',
      resave: false,
      saveUninitialized: true,
      name: 'host',
      cookie: { sameSite: 'none' },
    })
    await withHost({ session: none, before: (app) => void app.use(helmet()) }, async (host) => {
      const { code, bad } = await examine([
        host.issuer,
        '--client',
        'conf',
        '--redirect-uri',
        'https://rp.example/cb',
      ])
      expect(code).toBe(0)
      expect(bad.map(({ check, level }) => `${level} ${check}`)).toEqual(
        expect.arrayContaining(['warning browser-cookie', 'warning login']),
      )
    })
  })

  test('metadata that send browsers to another origin, which gets no cookie, or to none', async () => {
    const seen: (string | undefined)[] = []
    const elsewhere = createServer((req, res) => {
      seen.push(req.headers.cookie)
      res.writeHead(302, { Location: seen.length % 2 ? '/login' : 'http://[' }).end()
    }).listen(0)
    const other = `http://localhost:${(elsewhere.address() as AddressInfo).port}`
    const env = { OAUTH_DOCTOR_COOKIE: 'host=signed-in' }
    const client = ['--client', 'conf', '--redirect-uri', 'https://rp.example/cb']
    for (const endpoint of [`${other}/authorize`, 'nowhere', undefined]) {
      const metadata = (app: Express) =>
        void app.use((req, res, next) =>
          req.path.includes('/.well-known/')
            ? res.json({ issuer: `http://${req.headers.host}/oauth`, authorization_endpoint: endpoint })
            : next(),
        )
      await withHost({ session: LAX, before: metadata }, async ({ issuer }) => {
        const { code, bad } = await examine([issuer, ...client], env)
        expect(code).toBe(1)
        expect(bad.map(({ check }) => check)).toContain('authorize')
      })
    }
    await withHost({ session: LAX, provider: { loginUrl: () => `${other}/login` } }, async ({ issuer }) => {
      await examine([issuer, ...client], env)
    })
    elsewhere.close()
    expect(seen.length).toBeGreaterThan(4)
    expect(seen.filter(Boolean).join()).not.toContain('signed-in')
  })

  test('pages that are open to other origins', async () => {
    await withHost({ session: LAX, before: opensPages }, async (host) => {
      const { bad } = await examine([host.issuer])
      expect(bad.map(({ message }) => message)).toContain(
        `${host.issuer}/authorize is open to pages of other origins.`,
      )
    })
  })

  test('a route that nobody guards', async () => {
    await withHost({ session: LAX }, async (host) => {
      const { code, bad } = await examine([host.issuer, '--resource', `${host.origin}/login`])
      expect(code).toBe(1)
      expect(bad).toEqual([
        {
          level: 'error',
          check: 'resource',
          message: `${host.origin}/login answers 200 to a request without a token.`,
          cure: 'Guard it with oauth.requireToken, before anything else that answers.',
        },
      ])
    })
  })

  test('a registration that is not there', async () => {
    await withHost({ session: LAX }, async (host) => {
      const { code, bad } = await examine([host.issuer, '--register'])
      expect([code, bad.map(({ check }) => check)]).toEqual([0, ['registration']])
    })
  })

  test('a client that the doctor may not delete is left, and that is said', async () => {
    const provider = { registration: { allow: 'open', management: false } } as const
    await withHost({ session: LAX, provider }, async (host) => {
      const { code, bad } = await examine([host.issuer, '--register'])
      expect([code, bad.map(({ cure }) => cure)]).toEqual([
        0,
        ['It is forgotten after a day without a token.'],
      ])
    })
  })
})

describe('what is no provider', () => {
  test('where nobody listens, that is said', async () => {
    const server = createServer().listen(0)
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    const { code, findings } = await examine([`http://localhost:${port}/oauth`])
    expect(code).toBe(1)
    expect(findings).toHaveLength(1)
    expect(findings[0]).toMatchObject({ level: 'error', check: 'reachable' })
    expect(findings[0]?.message).toMatch(/nobody listens there/)
  })

  test.each([
    ['as older MCP clients look there', { mcp: true }],
    ['as its API says', {}],
  ])('the origin of one is told which issuer to ask about, %s', async (_, provider) => {
    await withHost({ session: LAX, provider }, async ({ origin, issuer }) => {
      const { code, findings } = await examine([origin])
      expect(code).toBe(1)
      expect(findings).toEqual([
        {
          level: 'error',
          check: 'issuer',
          message: `You asked about ${origin}; the issuer is ${issuer}.`,
          cure: `Run: npx express-oauth-provider doctor ${issuer}`,
        },
      ])
    })
  })

  test('an app without one is told what to write', async () => {
    const server = createServer((_req, res) => res.writeHead(404).end()).listen(0)
    const port = (server.address() as AddressInfo).port
    const { code, findings } = await examine([`http://localhost:${port}`])
    expect(code).toBe(1)
    expect(findings).toEqual([
      {
        level: 'error',
        check: 'discovery',
        message: expect.stringMatching(/^There is no metadata at http:.*: http:.* answers 404\.$/),
        cure: expect.stringContaining('Give the doctor the issuer, with its path'),
      },
    ])
    // What is no URL with a scheme is taken for https.
    const { findings: typed } = await examine([`localhost:${port}/oauth`])
    server.close()
    expect(typed).toEqual([
      {
        level: 'error',
        check: 'reachable',
        message: expect.stringMatching(/cannot be reached: this port speaks http, not https\.$/),
        cure: `Write http://localhost:${port}/oauth if that is your app, started without TLS.`,
      },
    ])
  })

  test('what it says cannot write to the terminal', async () => {
    const server = createServer((_req, res) => {
      res.setHeader('Content-Type', 'application/json')
      res.end(JSON.stringify({ issuer: 'http://x\u001b[2J\u009b31m' }))
    }).listen(0)
    const { port } = server.address() as AddressInfo
    const { code, stdout } = await line.run(['doctor', `http://localhost:${port}`])
    server.close()
    expect(code).toBe(1)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
    expect(stdout).not.toMatch(/[\u001b\u009b]/)
    expect(stdout).toContain('\\x1b[2J')
  })
})

test.each([
  [['doctor'], /The issuer is missing/],
  [['doctor', 'ftp://x.example'], /is no issuer/],
  [['doctor', 'https://x.example/oauth?a=b'], /is no issuer/],
  [['doctor', 'https://me:password@x.example/oauth'], /is no issuer/],
  [['doctor', 'https://x.example', '--client', 'a'], /belong together/],
  [
    ['doctor', 'https://x.example', '--client', 'a', '--redirect-uri', 'b', '--register'],
    /exclude each other/,
  ],
])('%j is refused as typed wrong', async (argv, message) => {
  const { code, stderr } = await line.run(argv)
  expect(code).toBe(2)
  expect(stderr).toMatch(message)
})

test('a cookie that cannot be sent is refused, and not shown', async () => {
  for (const cookie of ['host=hidden\nnext', 'host=hidden\u20ac']) {
    const env = { OAUTH_DOCTOR_COOKIE: cookie }
    const { code, stderr } = await line.run(['doctor', 'https://x.example'], { env })
    expect(code).toBe(2)
    expect(stderr).toMatch(/OAUTH_DOCTOR_COOKIE is no header/)
    expect(stderr).not.toMatch(/hidden/)
  }
})

describe('an answer', () => {
  const signal = new AbortController().signal
  async function served(answer: RequestListener, look: (url: string) => Promise<void>): Promise<void> {
    const server = createServer(answer).listen(0)
    try {
      await look(`http://localhost:${(server.address() as AddressInfo).port}/`)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }

  test('without an end is read at its beginning', async () => {
    const endless: RequestListener = (_req, res) => {
      const more = () => {
        while (!res.destroyed && res.write('ä'.repeat(50_000)));
        if (!res.destroyed) res.once('drain', more)
      }
      more()
    }
    await served(endless, async (url) => {
      expect(await new Probe({ signal }).get(url)).toMatchObject({ status: 200, text: 'ä'.repeat(500_000) })
    })
  })

  test('that does not come is waited for as long as is said', async () => {
    await served(
      () => undefined,
      async (url) =>
        expect(await new Probe({ signal }, 200).get(url)).toEqual({
          url,
          failure: 'timeout',
          message: 'no answer within 0.2 seconds',
        }),
    )
  })
})

function eatsBodies(app: Express): void {
  app.use((req, _res, next) => {
    req.on('end', () => next())
    req.resume()
  })
}

function emptiesBodies(app: Express): void {
  app.use((req, _res, next) => {
    req.on('end', () => {
      req.body = {}
      next()
    })
    req.resume()
  })
}

function addsFormAction(app: Express): void {
  app.use((_req, res, next) => {
    const set = res.setHeader.bind(res)
    res.setHeader = (name, value) =>
      set(name, name === 'Content-Security-Policy' ? `${String(value)}; form-action 'self'` : value)
    next()
  })
}

function opensPages(app: Express): void {
  const open = cors({ origin: true, credentials: true })
  app.use((req, res, next) => {
    const remove = res.removeHeader.bind(res)
    res.removeHeader = (name) => (name.startsWith('Access-Control') ? undefined : remove(name))
    open(req, res, next)
  })
}
