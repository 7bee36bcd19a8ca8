import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import express from 'express'
import express4 from 'express4'
import type { ClientMetadata } from '../lib/index.js'
import { REGISTRATION_PATH } from '../lib/registration/information.js'
import { SEARCHES } from './fuzz/run.js'
import { SCENARIOS } from './fuzz/scenarios.js'
import { Agent } from './support/agent.js'
import { clients } from './support/clients.js'
import { expectCheap, lengths } from './support/cost.js'
import { type Answer, fetch } from './support/fetch.js'
import {
  authorizeUrl,
  basic,
  CHALLENGE,
  callApi,
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
import { readFormPost } from './support/form-post.js'
import { type Host, type HostOptions, startHost } from './support/host.js'
import { LOGOUT_PARAMETERS } from './support/openid.js'

/** May ask for device codes, beside the clients of every host. */
const TV: ClientMetadata = {
  client_id: 'tv',
  token_endpoint_auth_method: 'none',
  grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
}
const WITH_TV: HostOptions = { provider: { clients: [...clients, TV] } }

const LIB = `${import.meta.dirname}/../lib`

let host: Host
let alice: Agent
const unhandled = jest.fn()
beforeAll(async () => {
  process.on('unhandledRejection', unhandled)
  host = await startHost(WITH_TV)
  alice = await signedIn(host, 'alice')
})
afterEach(async () => {
  await new Promise(setImmediate)
  expect(unhandled).not.toHaveBeenCalled()
  expect(host.events.splice(0).filter(({ name }) => name === 'server.error')).toEqual([])
})
afterAll(async () => {
  process.off('unhandledRejection', unhandled)
  await host.close()
})

/** Posts a form as it is written. */
function postForm(url: string, body: string, headers: Record<string, string> = {}): Promise<Answer> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body,
    redirect: 'manual',
  })
}

const CONF = { authorization: basic('conf', 'conf-secret') }

/** Sends bytes as they are and waits for the answer; 0 where the connection ends without one. */
function raw(bytes: string): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(host.origin).port), 'localhost')
    let text = ''
    socket.setEncoding('latin1')
    socket.on('data', (data) => {
      text += data
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(Number(text.split(' ', 2)[1] ?? 0)))
    socket.end(Buffer.from(bytes, 'latin1'))
  })
}

const AUTHORIZE = [
  'client_id',
  'redirect_uri',
  'response_type',
  'scope',
  'state',
  'prompt',
  'code_challenge',
  'code_challenge_method',
  'resource',
  'nonce',
  'max_age',
  'response_mode',
  'login_hint',
  'ui_locales',
  'claims',
  'acr_values',
  'display',
  'id_token_hint',
  'request',
  'request_uri',
  'registration',
] as const
const LOGOUT = [...LOGOUT_PARAMETERS, 'decision'] as const
const TOKEN = [
  'grant_type',
  'code',
  'redirect_uri',
  'code_verifier',
  'client_id',
  'client_secret',
  'refresh_token',
  'scope',
  'resource',
  'client_assertion',
  'client_assertion_type',
] as const

const PUSHED = {
  client_id: 'pub',
  redirect_uri: 'https://spa.example/cb',
  response_type: 'code',
  code_challenge: CHALLENGE,
  code_challenge_method: 'S256',
}
const TOKEN_AND_CLIENT = ['token', 'token_type_hint', 'client_id', 'client_secret']
/** The endpoints for clients beside `/token`: a form that each takes, and the parameters that it knows. */
const FOR_CLIENTS: readonly (readonly [string, Record<string, string>, readonly string[]])[] = [
  ['/revoke', { client_id: 'pub', token: 'x' }, TOKEN_AND_CLIENT],
  ['/introspect', { client_id: 'post', client_secret: 'post-secret', token: 'x' }, TOKEN_AND_CLIENT],
  ['/par', PUSHED, [...AUTHORIZE, 'authorization_details', 'dpop_jkt', 'client_secret']],
  [
    '/device_authorization',
    { client_id: 'tv', scope: 'read' },
    ['client_id', 'client_secret', 'scope', 'resource', 'authorization_details'],
  ],
]

/** Posts the form of an endpoint for clients, changed. */
function ask(at: Host, path: string, form: Record<string, string>, more = ''): Promise<Answer> {
  return postForm(at.issuer + path, `${new URLSearchParams(form)}${more}`)
}

describe('ROB-01 lists and objects in place of a value', () => {
  const shapes = (name: string) => [
    `${name}[]=a`,
    `${name}=a&${name}=b`,
    `${name}[a]=b`,
    `${name}[toString]=1`,
    `${name}[length]=9`,
    `${name}[__proto__][x]=1`,
  ]

  test.each(AUTHORIZE)('/authorize: %s', async (name) => {
    for (const shape of shapes(name)) {
      const url = authorizeUrl(host, { params: { [name]: undefined, prompt: 'consent' } })
      const page = await alice.get(`${url}&${shape}`)
      if (page.status === 400) {
        expect(page.location).toBeUndefined()
        continue
      }
      expect(page.status).toBe(303)
      // With brackets it is another parameter, which is unknown and ignored: the answer is that to a request without it.
      expect(page.text).not.toContain('[object')
      if (page.location?.startsWith('https://')) {
        expect(destination(page).searchParams.get('code')).toBeNull()
        expect(page.location).not.toMatch(/object|Object|\[/)
      }
    }
  })

  test.each(LOGOUT)('/logout: %s', async (name) => {
    for (const shape of shapes(name)) {
      const page = await alice.get(`${host.issuer}/logout?${shape}`)
      expect([200, 400]).toContain(page.status)
      expect(page.text).not.toMatch(/\[object|value="[ab]"/)
      const posted = await postForm(`${host.issuer}/logout`, `${shape}&decision=approve`)
      expect([200, 303, 400]).toContain(posted.status)
    }
  })

  /** A bare one, and such as parse bodies before the provider. */
  let hosts: Host[]
  beforeAll(async () => {
    hosts = await Promise.all([
      startHost(WITH_TV),
      ...[true, false].map((extended) =>
        startHost({ ...WITH_TV, before: (app) => app.use(express.urlencoded({ extended })) }),
      ),
    ])
  })
  afterAll(() => Promise.all(hosts.map((other) => other.close())))

  test('/userinfo: access_token', async () => {
    for (const other of hosts) {
      for (const shape of shapes('access_token')) {
        const response = await postForm(`${other.issuer}/userinfo`, shape)
        expect([400, 401]).toContain(response.status)
        expect(await response.text()).not.toMatch(/object|toString|\[/)
      }
    }
  })

  test.each(FOR_CLIENTS)('%s', async (path, form, names) => {
    for (const other of hosts.slice(0, 2)) {
      expect([200, 201]).toContain((await ask(other, path, form)).status)
      for (const name of names) {
        const { [name]: _, ...rest } = form
        for (const shape of shapes(name)) {
          const response = await ask(other, path, rest, `&${shape}`)
          // With brackets it is another parameter, which is unknown and ignored.
          expect([200, 201, 400, 401]).toContain(response.status)
          if (name === 'token' || name === 'client_id') expect(response.status).toBeGreaterThanOrEqual(400)
          expect(await response.text()).not.toMatch(/object|toString|\[/)
        }
      }
    }
  })

  test.each(TOKEN)('/token: %s', async (name) => {
    for (const other of hosts) {
      for (const shape of shapes(name)) {
        const rest = new URLSearchParams({
          grant_type: 'refresh_token',
          refresh_token: 'x',
          client_id: 'pub',
        })
        rest.delete(name)
        const response = await postForm(`${other.issuer}/token`, `${rest}&${shape}`)
        expect([400, 401]).toContain(response.status)
        expect(await response.text()).not.toMatch(/object|toString|\[/)
      }
    }
  })
})

describe('ROB-02 what is too much is refused soon, and holds nobody else up', () => {
  const KB = 1024
  const bodies: readonly (readonly [string, string])[] = [
    ['10 000 parameters', 'a=1&'.repeat(10_000)],
    ['10 000 parameters of one name', 'resource=x&'.repeat(5_500)],
    ['1 000 brackets deep', `a${'[b]'.repeat(1000)}=1`],
    ['1 MB in one value', `code=${'a'.repeat(KB * KB)}`],
    ['1 MB of percent signs', '%'.repeat(KB * KB)],
    ['64 KB of one parameter', `client_id=${'a'.repeat(63 * KB)}`],
  ]
  const hosts: readonly (readonly [string, HostOptions])[] = [
    ['a bare host', {}],
    [
      'a host with urlencoded({ extended: true })',
      { before: (app) => app.use(express.urlencoded({ extended: true })) },
    ],
    [
      'a host with Express 4 urlencoded',
      { before: (app) => app.use(express4.urlencoded({ extended: true })) },
    ],
  ]
  describe.each(hosts)('on %s', (_, options) => {
    let other: Host
    beforeAll(async () => {
      other = await startHost(options)
      other.app.use(((error, _req, res, _next) => {
        res.status(error.status ?? 500).end()
      }) as express.ErrorRequestHandler)
    })
    afterAll(() => other.close())

    test.each(bodies)('%s', async (_, body) => {
      for (const path of [
        ...['/token', '/userinfo', '/authorize', '/consent/x', '/logout', '/authorized-applications'],
        ...FOR_CLIENTS.map(([path]) => path),
      ]) {
        const url = `${other.issuer}${path}`
        const response = await expectCheap(
          () => postForm(url, body),
          () => postForm(url, 'a=1'),
        )
        expect(response.status).toBeLessThan(500)
        // One unknown parameter is ignored, and to the page of applications goes only who is signed in.
        const ignored = response.headers.get('location') ?? ''
        if (response.status === 303)
          expect(ignored).toMatch(
            /^\/oauth\/authorize\?a%5Bb%5D|^\/oauth\/logout$|^\/login\?return_to=\/oauth\//,
          )
        else expect(response.status).toBeGreaterThanOrEqual(400)
      }
    })
  })

  describe('a body that is too long', () => {
    let socket: Socket
    let received: string
    let closed: Promise<unknown>
    beforeEach(async () => {
      socket = connect(Number(new URL(host.origin).port), 'localhost')
      received = ''
      socket.setEncoding('latin1').on('data', (data) => {
        received += data
      })
      await once(socket, 'connect')
      closed = new Promise((resolve) => socket.on('close', resolve))
    })
    afterEach(() => socket.destroy())

    const head = (version: string, ...headers: string[]) =>
      [
        ...[
          `POST /oauth/token HTTP/${version}`,
          'Host: x',
          'Content-Type: application/x-www-form-urlencoded',
        ],
        ...[...headers, '', ''],
      ].join('\r\n')
    const piece = 'a'.repeat(65 * KB)
    const chunk = `${piece.length.toString(16)}\r\n${piece}\r\n`
    const all = piece.repeat(16)

    test.each([
      ['in pieces without a length', 'Transfer-Encoding: chunked', `${chunk.repeat(16)}0\r\n\r\n`],
      ['after its length', `Content-Length: ${all.length}`, all],
    ])('takes neither the answer nor the connection with it, %s', async (_, header, body) => {
      socket.write(head('1.1', header) + body)
      await once(socket, 'data')
      expect(received).toMatch(/^HTTP\/1.1 413 /)
      expect(received).toContain('"error":"invalid_request"')

      received = ''
      socket.write(`${head('1.1', 'Content-Length: 12')}grant_type=x`)
      await once(socket, 'data')
      expect(received).toMatch(/^HTTP\/1.1 401 /)
      expect(received).toContain('"error":"invalid_client"')
    })

    test.each([
      ['1.0', []],
      ['1.1', ['Connection: close']],
    ])('takes no answer with it where the connection is not kept, over HTTP/%s', async (version, headers) => {
      const failed = jest.fn()
      socket.on('error', failed)
      socket.write(head(version, ...headers, `Content-Length: ${all.length}`) + piece)
      // What is sent after an answer would meet a closed connection.
      for (let sent = piece.length; sent < all.length; sent += piece.length) {
        await new Promise(setImmediate)
        expect(received).toBe('')
        socket.write(piece)
      }
      await closed
      expect(received).toMatch(/^HTTP\/1.1 413 /)
      expect(failed).not.toHaveBeenCalled()
    })

    test('is cut off where it has no end, after 4 MB', async () => {
      socket.on('error', () => undefined)
      socket.write(head('1.1', 'Transfer-Encoding: chunked'))
      let sent = 0
      const goOn = () => {
        sent += piece.length
        // What the sockets of both sides hold comes on top.
        if (sent < 32 * KB * KB) socket.write(chunk, (error) => error ?? goOn())
      }
      goOn()
      await closed
      expect(sent).toBeGreaterThan(4 * KB * KB)
      expect(sent).toBeLessThan(32 * KB * KB)
    })

    test('is refused at once where it says that it is longer than that', async () => {
      socket.write(head('1.1', `Content-Length: ${5 * KB * KB}`))
      await closed
      expect(received).toMatch(/^HTTP\/1.1 413 [\s\S]*\r\nConnection: close\r\n/)
    })
  })

  test('1 MB in the query does not pass Node; 15 KB does, and is a PAGE or goes back to the client', async () => {
    const long = await fetch(`${host.issuer}/authorize?state=${'a'.repeat(KB * KB)}`).then(
      ({ status }) => status,
      () => 431,
    )
    expect([400, 414, 431]).toContain(long)
    for (const name of AUTHORIZE) {
      const page = await alice.get(authorizeUrl(host, { params: { [name]: 'a'.repeat(14_000) } }))
      expect([303, 400, 413]).toContain(page.status)
    }
    const many = await alice.get(`${authorizeUrl(host)}${'&a=1'.repeat(3000)}`)
    expect(many.status).toBe(400)
    expect(many.location).toBeUndefined()
  })
})

describe('ROB-04 ROB-11 no value takes long to refuse', () => {
  type Make = (length: number) => string
  const fill =
    (pattern: string): Make =>
    (length) =>
      pattern.repeat(Math.ceil(length / pattern.length))
  const strings: readonly (readonly [string, Make])[] = [
    ['one character', fill('a')],
    ['one character and a quote', (length) => `${'a'.repeat(length)}"`],
    ['a!', fill('a!')],
    ['quotes', fill('"\'')],
    ['spaces', fill(' ')],
    ['spaces and a letter', (length) => `${' '.repeat(length)}a`],
    ['slashes', fill('https://')],
    ['dots', (length) => `http://a${'.'.repeat(length)}`],
    ['a long host', (length) => `http://a${fill('.a')(length)}`],
    ['colons', (length) => `http://[${':'.repeat(length)}]/x`],
    ['equals signs', fill('=')],
    ['tildes', fill('~')],
    ['loopback digits', (length) => `http://localhost:${'9'.repeat(length)}`],
  ]
  /** Of the parameters of the endpoints for clients, those that are taken apart. */
  const COSTLY = [
    ...['token', 'scope', 'redirect_uri', 'claims', 'request', 'resource', 'code_challenge', 'dpop_jkt'],
    'authorization_details',
  ]
  /** A value that fills a body, as far as it may be filled. */
  const longest = (make: Make): number =>
    [60_000, 20_000].find((length) => `${new URLSearchParams({ x: make(length) })}`.length < 62_000)!

  test.each(strings)('%s', async (_, make) => {
    for (const value of lengths(longest(make)).map(make)) {
      for (const name of TOKEN) {
        const rest = {
          grant_type: 'authorization_code',
          code: 'x',
          code_verifier: VERIFIER,
          redirect_uri: 'x',
        }
        const ask = (given: string) =>
          postForm(
            `${host.issuer}/token`,
            `${new URLSearchParams({ ...rest, [name]: given })}`,
            name.startsWith('client') ? {} : CONF,
          )
        const { status } = await expectCheap(
          () => ask(value),
          () => ask('x'),
        )
        expect([400, 401]).toContain(status)
      }
    }
    for (const value of lengths(4500).map(make)) {
      for (const name of [
        'redirect_uri',
        'scope',
        'prompt',
        'code_challenge',
        'resource',
        'client_id',
        'state',
        'response_mode',
        'max_age',
        'claims',
        'id_token_hint',
        'acr_values',
      ] as const) {
        const ask = (given: string) => alice.get(authorizeUrl(host, { params: { [name]: given } }))
        const page = await expectCheap(
          () => ask(value),
          () => ask('x'),
        )
        expect([303, 400, 413]).toContain(page.status)
        if (name === 'redirect_uri' || name === 'client_id') expect(page.location).toBeUndefined()
      }
      for (const name of LOGOUT) {
        const ask = (given: string) =>
          alice.get(`${host.issuer}/logout?${new URLSearchParams({ [name]: given })}`)
        const page = await expectCheap(
          () => ask(value),
          () => ask('x'),
        )
        expect([200, 400, 413]).toContain(page.status)
        expect(page.location).toBeUndefined()
      }
    }
    for (const value of lengths(longest(make)).map(make)) {
      for (const [path, form, names] of FOR_CLIENTS) {
        for (const name of names.filter((name) => COSTLY.includes(name))) {
          const { status } = await expectCheap(
            () => ask(host, path, { ...form, [name]: value }),
            () => ask(host, path, form),
          )
          expect([200, 201, 400, 401, 413]).toContain(status)
        }
      }
      const askUserinfo = (given: string) =>
        postForm(`${host.issuer}/userinfo`, `${new URLSearchParams({ access_token: given })}`)
      const { status } = await expectCheap(
        () => askUserinfo(value),
        () => askUserinfo('x'),
      )
      expect(status).toBe(401)
    }
  })
})

describe('ROB-07 what is no JWT of ours gets the normal error of its endpoint', () => {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const header = { alg: 'RS256', typ: 'JWT', kid: 'test-RS256' }
  const claims = () => ({
    iss: host.issuer,
    aud: 'conf',
    sub: 'alice',
    iat: 1,
    exp: 4e9,
    jti: 'a'.repeat(32),
  })
  const made = (head: unknown, body: unknown) => `${part(head)}.${part(body)}.AAAA`
  const jwts: readonly (readonly [string, () => string])[] = [
    ['one part', () => 'x'],
    ['two parts', () => 'e30.e30'],
    ['four parts', () => 'e30.e30.e30.e30'],
    ['ten parts', () => Array(10).fill('e30').join('.')],
    ['empty parts', () => '..'],
    ['five parts, as a JWE has', () => `${part({ alg: 'RSA-OAEP', enc: 'A256GCM' })}.AA.AA.AA.AA`],
    ['padding', () => `${made(header, claims())}==`],
    ['a header that is no JSON', () => `AAAA.${part(claims())}.AAAA`],
    ['a header that is a list', () => made([], claims())],
    ['a header that is null', () => made(null, claims())],
    ['a payload that is a list', () => made(header, [])],
    ['a payload that is a text', () => made(header, 'x')],
    ['no signature', () => `${part(header)}.${part(claims())}.`],
    ['alg none', () => `${part({ alg: 'none' })}.${part(claims())}.`],
    ['alg none with a kid', () => `${part({ ...header, alg: 'none' })}.${part(claims())}.`],
    ['HS256', () => made({ ...header, alg: 'HS256' }, claims())],
    ['crit', () => made({ ...header, crit: ['x'], x: 1 }, claims())],
    ['b64 false', () => made({ ...header, b64: false, crit: ['b64'] }, claims())],
    ['zip', () => made({ ...header, zip: 'DEF' }, claims())],
    [
      'a key of the sender',
      () => made({ ...header, jwk: { kty: 'oct', k: 'AA' }, jku: 'http://x' }, claims()),
    ],
    ['a kid of Object.prototype', () => made({ ...header, kid: '__proto__' }, claims())],
    ['a kid that is SQL', () => made({ ...header, kid: "' OR '1'='1" }, claims())],
    ['a kid that is a list', () => made({ ...header, kid: ['test-RS256'] }, claims())],
    ['exp as a text', () => made(header, { ...claims(), exp: 'tomorrow' })],
    ['exp of 1e308', () => made(header, { ...claims(), exp: 1e308 })],
    ['exp below zero', () => made(header, { ...claims(), exp: -1 })],
    [
      'members twice',
      () => `${part(header)}.${Buffer.from('{"sub":"a","sub":"b"}').toString('base64url')}.AAAA`,
    ],
    ['deep nesting', () => `${part(header)}.${Buffer.from('['.repeat(3000)).toString('base64url')}.AAAA`],
    ['4 KB', () => made(header, { ...claims(), x: 'a'.repeat(3000) })],
  ]

  test.each(jwts)('%s', async (_, make) => {
    const jwt = make()
    const page = await alice.get(authorizeUrl(host, { params: { id_token_hint: jwt, prompt: 'none' } }))
    expect(destination(page).searchParams.get('error')).toBe('invalid_request')
    const logout = await alice.get(`${host.issuer}/logout?${new URLSearchParams({ id_token_hint: jwt })}`)
    expect([logout.status, logout.location]).toEqual([400, undefined])

    const assertion = {
      grant_type: 'refresh_token',
      refresh_token: 'x',
      client_assertion: jwt,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    }
    const token = await postForm(`${host.issuer}/token`, `${new URLSearchParams(assertion)}`)
    expect([token.status, ((await token.json()) as { error: string }).error]).toEqual([401, 'invalid_client'])

    const introspecting = { client_id: 'post', client_secret: 'post-secret', token: jwt }
    for (const [path, form, expected] of [
      ['/revoke', { client_id: 'pub', token: jwt }, {}],
      ['/introspect', introspecting, { active: false }],
      ['/par', { ...PUSHED, request: jwt }, { error: 'invalid_request_object' }],
      [
        '/par',
        { client_assertion_type: assertion.client_assertion_type, client_assertion: jwt },
        { error: 'invalid_client' },
      ],
    ] as const) {
      const answer = (await (await ask(host, path, form)).json()) as object
      if ('error' in expected) expect(answer).toMatchObject(expected)
      else expect(answer).toEqual(expected)
    }

    const header = { authorization: `Bearer ${jwt}` }
    for (const [url, init] of [
      [`${host.issuer}/userinfo`, { headers: header }],
      [`${host.origin}/api/read`, { headers: header }],
      [`${host.issuer}/userinfo`, { method: 'POST', body: new URLSearchParams({ access_token: jwt }) }],
    ] as const) {
      const { status, headers } = await fetch(url, init)
      expect(status).toBe(401)
      expect(headers.get('www-authenticate')).toContain('error="invalid_token"')
    }
  })
})

describe('ROB-05 client_id is compared byte for byte', () => {
  test.each([
    ['full width', '\uff43\uff4f\uff4e\uff46'],
    ['a homoglyph', 'c\u043enf'],
    ['upper case', 'CONF'],
    ['a space behind', 'conf '],
    ['a space before', ' conf'],
    ['NUL', 'conf\0'],
    ['NUL and more', 'conf\0x'],
    ['a zero-width joiner', 'co\u200dnf'],
    ['a combining mark', 'conf\u0301'],
    ['percent-encoded twice', '%63onf'],
    ['a name of Object.prototype', 'constructor'],
    ['__proto__', '__proto__'],
    ['SQL wildcards', '%'],
    ['more SQL wildcards', 'con_'],
    ['SQL', "' OR '1'='1"],
  ])('%s is unknown', async (_, id) => {
    const page = await alice.get(authorizeUrl(host, { params: { client_id: id } }))
    expect(page.status).toBe(400)
    expect(page.location).toBeUndefined()
    const { status, body } = await postToken(
      host,
      { grant_type: 'refresh_token', refresh_token: 'x' },
      {
        headers: { authorization: basic(id, 'conf-secret') },
      },
    )
    expect([status, body.error]).toEqual([401, 'invalid_client'])
  })

  test('NFC and NFD are two', async () => {
    const other = await startHost()
    await other.oauth.clients.create({
      client_id: 'caf\u00e9',
      client_secret: 'a-secret',
      redirect_uris: ['https://x.example/cb'],
    })
    const params = { redirect_uri: 'https://x.example/cb' }
    const known = await new Agent(other).get(
      authorizeUrl(other, { params: { ...params, client_id: 'caf\u00e9' } }),
    )
    const unknown = await new Agent(other).get(
      authorizeUrl(other, { params: { ...params, client_id: 'cafe\u0301' } }),
    )
    expect([known.status, unknown.status]).toEqual([303, 400])
    await other.close()
  })
})

describe('INJ-05 SQL and NUL are ordinary wrong values', () => {
  const values = [
    "' OR '1'='1",
    '";DROP TABLE oauth_clients;--',
    "%' --",
    'a\0b',
    '\0',
    "x'); DELETE FROM oauth_records; --",
  ]
  test('everywhere, and nothing is lost', async () => {
    const tokens = await getTokens(host)
    const { code } = await getCode(host, { user: 'bob' })
    for (const value of values) {
      for (const name of TOKEN) {
        const form = {
          grant_type: 'authorization_code',
          code: 'x',
          redirect_uri: 'https://rp.example/cb',
          [name]: value,
        }
        const { status, body } = await postToken(host, form)
        expect([400, 401]).toContain(status)
        expect(withoutHandles(JSON.stringify(body))).not.toMatch(/sqlite|syntax|DROP|DELETE|\\u0000/i)
      }
      for (const [path, form, names] of FOR_CLIENTS) {
        for (const name of names) {
          const answer = await ask(host, path, { ...form, [name]: value })
          expect([200, 201, 400, 401]).toContain(answer.status)
          expect(withoutHandles(await answer.text())).not.toMatch(/sqlite|syntax|DROP|DELETE|\\u0000/i)
        }
      }
      const polling = { grant_type: TV.grant_types?.[0] ?? '', client_id: 'tv', device_code: value }
      expect((await ask(host, '/token', polling)).status).toBe(400)
      const device = await alice.get(`${host.issuer}/device?${new URLSearchParams({ user_code: value })}`)
      expect([200, 400]).toContain(device.status)
      for (const name of AUTHORIZE) {
        const page = await alice.get(authorizeUrl(host, { params: { [name]: value } }))
        expect([303, 400, 413]).toContain(page.status)
      }
      const page = await alice.get(`${host.issuer}/consent/${encodeURIComponent(value)}`)
      expect(page.status).toBe(400)
      for (const name of LOGOUT) {
        const query = new URLSearchParams({ [name]: value })
        expect([200, 400]).toContain((await alice.get(`${host.issuer}/logout?${query}`)).status)
      }
      const form = `${new URLSearchParams({ access_token: value })}`
      const userinfo = await postForm(`${host.issuer}/userinfo`, form)
      expect([userinfo.status, await userinfo.text()]).toEqual([
        401,
        expect.not.stringMatching(/sqlite|DROP/i),
      ])
      expect(
        (
          await callApi(host, '/api/read', undefined, {
            authorization: `Bearer ${encodeURIComponent(value)}`,
          })
        ).status,
      ).toBeGreaterThanOrEqual(400)
    }
    expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(200)
    expect((await refresh(host, tokens.refresh_token)).status).toBe(200)
    expect((await redeem(host, code)).status).toBe(200)
  })
})

test('INJ-07 every authorization response carries iss, once, byte for byte that of the metadata', async () => {
  const metadata = (await (await fetch(`${host.issuer}/.well-known/oauth-authorization-server`)).json()) as {
    issuer: string
  }
  const answers: URL[] = []
  for (const params of [
    { response_type: 'token' },
    { scope: 'nope' },
    { code_challenge: 'x' },
    { prompt: 'none consent' },
    { prompt: 'none', scope: 'write' },
    { request: 'x' },
    { state: ['a', 'b'] },
  ]) {
    answers.push(destination(await alice.get(authorizeUrl(host, { client: 'pub', params }))))
  }
  for (const client of ['conf', 'pub', 'nat', 'multi', 'first'])
    answers.push((await getCode(host, { client })).callback)
  const { agent, page } = await toConsent(host, { params: { prompt: 'consent' } })
  answers.push(
    destination(
      await agent.post(page.url, {
        _csrf: /name="_csrf" value="([^"]+)"/.exec(page.text)?.[1],
        decision: 'deny',
      }),
    ),
  )
  const byForm = [{ scope: 'nope' }, { prompt: 'none', scope: 'write' }, { response_type: 'token' }, {}]
  const posted = await Promise.all(
    byForm.map((params) => {
      const more = { response_mode: 'form_post', ...params }
      return alice.get(authorizeUrl(host, { client: 'first', params: more }))
    }),
  )
  const members = [
    ...answers.map(({ searchParams }) => searchParams),
    ...posted.map((it) => readFormPost(it).members),
  ]
  expect(members).toHaveLength(17)
  for (const searchParams of members) {
    expect(searchParams.getAll('iss')).toEqual([metadata.issuer])
    for (const name of new Set(searchParams.keys())) expect(searchParams.getAll(name)).toHaveLength(1)
    expect(searchParams.has('error') === searchParams.has('code')).toBe(false)
    expect(searchParams.has('error_uri')).toBe(false)
  }
})

test('INJ-08 no parameter sends the browser elsewhere', async () => {
  const names = [
    'next',
    'returnTo',
    'return_to',
    'redirect',
    'redirect_to',
    'url',
    'continue',
    'target',
    'RelayState',
    'error_uri',
    'post_logout_redirect_uri',
    'loginUrl',
  ]
  const { page: consent } = await toConsent(host, { agent: alice, params: { prompt: 'consent' } })
  for (const value of [
    'https://evil.test',
    '//evil.test',
    '/\\evil.test',
    '/%09/evil.test',
    'javascript:alert(1)',
    'https:evil.test',
  ]) {
    const query = names.map((name) => `${name}=${encodeURIComponent(value)}`).join('&')
    for (const path of [
      `${authorizeUrl(host)}&prompt=consent&`,
      `${host.issuer}/authorized-applications?`,
      `${consent.url}?`,
      `${host.issuer}/authorize?`,
      `${host.issuer}/logout?`,
      `${host.issuer}/logout?client_id=conf&`,
      `${host.issuer}/userinfo?`,
      `${host.issuer}/jwks?`,
    ]) {
      for (const agent of [alice, new Agent(host)]) {
        const page = await agent.get(path + query)
        const location = page.headers.get('location') ?? ''
        expect(location).not.toMatch(/evil|javascript/)
        expect(page.text).not.toMatch(/(?:href|action|content)="[^"]*(?:evil|javascript)/)
      }
    }
  }
})

test('INJ-10 no body and no query reaches Object.prototype', async () => {
  const other = await startHost({
    before: (app) => app.use(express.json(), express.urlencoded({ extended: true })),
  })
  for (const text of [
    '__proto__[x]=1',
    'constructor[prototype][x]=1',
    '__proto__.x=1',
    'a[__proto__][x]=1',
    '__proto__=1',
    'constructor=1&toString=2&hasOwnProperty=3',
  ]) {
    const pages = ['/userinfo', '/authorize', '/consent/x', '/logout', '/device']
    for (const path of ['/token', ...FOR_CLIENTS.map(([path]) => path), ...pages])
      expect((await postForm(`${other.issuer}${path}`, `${text}&client_id=pub`)).status).toBeLessThan(500)
    expect((await fetch(`${other.issuer}/authorize?${text}`)).status).toBe(400)
    expect((await fetch(`${other.issuer}/logout?${text}`)).status).toBe(200)
    const json = await fetch(`${other.issuer}/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}}',
    })
    expect(json.status).toBe(400)
    for (const claims of [
      '{"__proto__":{"x":1},"userinfo":{"__proto__":{"x":1}}}',
      '{"userinfo":{"constructor":{"prototype":{"x":1}},"__proto__":null}}',
      '{"id_token":{"__proto__":{"essential":true},"toString":null}}',
    ]) {
      const page = await new Agent(other).get(authorizeUrl(other, { params: { claims, scope: 'openid' } }))
      expect(page.status).toBe(303)
    }
    expect(({} as { x?: unknown }).x).toBeUndefined()
  }
  expect(other.events.filter(({ name }) => name === 'server.error')).toEqual([])
  await other.close()
})

describe('what no HTTP library would send', () => {
  const request = (line: string, ...headers: string[]) =>
    `${[line, 'Host: x', 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`
  test.each([
    [
      'bytes that are no UTF-8 in the query',
      request('GET /oauth/authorize?client_id=\xff\xfe&state=\xc0\xaf HTTP/1.1'),
    ],
    [
      'broken percent-encoding in the query',
      request('GET /oauth/authorize?client_id=%zz&state=%&%%=% HTTP/1.1'),
    ],
    ['broken percent-encoding in the path', request('GET /oauth/consent/%zz HTTP/1.1')],
    ['encoded NUL in the path', request('GET /oauth/consent/%00 HTTP/1.1')],
    ['an encoded slash in the path', request('GET /oauth/consent/..%2f..%2ftoken HTTP/1.1')],
    ['dot segments', request('GET /oauth/consent/../authorize HTTP/1.1')],
    ['a whole URL', request('GET http://evil.test/oauth/authorize HTTP/1.1')],
    ['a fragment in the request line', request('GET /oauth/authorize?client_id=conf#x HTTP/1.1')],
    ['Bearer of garbage', request('GET /oauth/userinfo HTTP/1.1', 'Authorization: Bearer \xff\xfe')],
    [
      'two Authorization headers',
      request('GET /oauth/userinfo HTTP/1.1', 'Authorization: Bearer a', 'Authorization: Bearer b'),
    ],
    ['a method of its own for a document', request('BREW /oauth/jwks HTTP/1.1')],
    [
      'broken percent-encoding in a logout',
      request('GET /oauth/logout?client_id=%zz&state=%&post_logout_redirect_uri=%ff HTTP/1.1'),
    ],
    ['HTTP/1.0 without Host', 'GET /oauth/authorize HTTP/1.0\r\n\r\n'],
    [
      'a cookie of garbage',
      request(
        'GET /oauth/consent/x HTTP/1.1',
        `Cookie: ${'=;'.repeat(2000)}; oauth_browser_=;=oauth_browser; __proto__=x`,
      ),
    ],
    [
      'Basic of garbage',
      request(
        'POST /oauth/token HTTP/1.1',
        'Authorization: Basic \xff\xfe',
        'Content-Type: application/x-www-form-urlencoded',
        'Content-Length: 0',
      ),
    ],
    [
      'an Accept and a DPoP of garbage',
      request(
        'POST /oauth/introspect HTTP/1.1',
        `Authorization: ${CONF.authorization}`,
        'Accept: \xff;q=\xfe,;;,application/token-introspection+jwt;q=-1;q=1e308',
        'DPoP: \xff\xfe',
        'Content-Type: application/x-www-form-urlencoded',
        'Content-Length: 0',
      ),
    ],
    [
      'two Authorization headers at a revocation',
      request(
        'POST /oauth/revoke HTTP/1.1',
        'Authorization: Bearer a',
        'Authorization: Basic b',
        'Content-Type: application/x-www-form-urlencoded',
        'Content-Length: 0',
      ),
    ],
    ['a method of its own', request('BREW /oauth/token HTTP/1.1')],
    [
      'two content types',
      request(
        'POST /oauth/token HTTP/1.1',
        'Content-Type: text/plain',
        'Content-Type: application/x-www-form-urlencoded',
        'Content-Length: 0',
      ),
    ],
    [
      'a compressed body',
      `${request(
        'POST /oauth/token HTTP/1.1',
        'Content-Type: application/x-www-form-urlencoded',
        'Content-Encoding: gzip',
        'Content-Length: 5',
      )}\x1f\x8b\x08\0\0`,
    ],
  ])('%s is answered with 4xx or by the host, never 5xx', async (_, bytes) => {
    const status = await raw(bytes)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
  })
})

test('ROB-08 AUTHZ-08 a parameter in body and query of POST /authorize: the body alone counts', async () => {
  const body = new URLSearchParams(authorizeUrl(host).split('?')[1])
  body.set('prompt', 'consent')
  const page = await alice.request(
    `${host.issuer}/authorize?redirect_uri=https://evil.test/cb&client_id=pub&scope=write`,
    {
      method: 'POST',
      body,
    },
  )
  expect(page.location).not.toContain('evil')
  expect((await alice.follow(page.location!)).text).not.toContain('Change your things')
})

describe('ROB-10 whatever is wrong with a request or with the store', () => {
  /** The same in every run. What the fuzz command finds with other seeds becomes a test of its own. */
  const SEED = 20_260_101

  test('every endpoint of the table of routes is asked', () => {
    const tables = ['routes.ts', 'page-routes.ts']
      .map((name) => readFileSync(`${LIB}/${name}`, 'utf8'))
      .join()
    const paths = [...tables.matchAll(/(?:path: |row\()'([^']+)'/g)].map(([, path]) => path)
    const asked = new Set(Object.values(SCENARIOS).map(({ route }) => route))
    expect(paths.length).toBeGreaterThan(18)
    expect(
      [...paths, REGISTRATION_PATH, `${REGISTRATION_PATH}/:id`].filter((path) => !asked.has(path!)),
    ).toEqual([])
  })

  test('no request gets a 5xx, a code or a token by accident, anything unescaped, or a long event', async () => {
    const { found, counts } = await SEARCHES.requests!({ seed: SEED, runs: 1000 })
    expect(found).toBeUndefined()
    for (const status of ['200', '303', '400', '401', '405']) expect(counts.get(status)).toBeGreaterThan(20)
  })

  test('nor does one at a host that parses bodies itself', async () => {
    expect((await SEARCHES.parsed!({ seed: SEED, runs: 300 })).found).toBeUndefined()
  })

  test.each([
    ['under the profile FAPI 2.0', 'fapi2'],
    ['of clients whose documents say anything', 'documents'],
  ])('nor does one %s', async (_, name) => {
    expect((await SEARCHES[name]!({ seed: SEED, runs: 300 })).found).toBeUndefined()
  })

  test('what is damaged in the store, or of another version, counts as if it were not there', async () => {
    expect((await SEARCHES.store!({ seed: SEED, runs: 25 })).found).toBeUndefined()
  })

  test('damaged signing keys sign nothing that others could not verify, and are not replaced', async () => {
    expect((await SEARCHES.keys!({ seed: SEED, runs: 100 })).found).toBeUndefined()
  })
})

test('a token that somebody sends as client_id is in no event', async () => {
  const { access_token } = await getTokens(host, { agent: alice, client: 'pub', params: { scope: 'read' } })
  const { body } = await postToken(
    host,
    { client_id: access_token, grant_type: 'refresh_token' },
    { client: 'pub' },
  )
  expect(body.error).toBe('invalid_client')
  expect(JSON.stringify(host.events)).not.toContain(access_token)
  expect(host.events).toContainEqual({
    name: 'token.refused',
    event: { error: 'invalid_client', reason: 'client_unknown', clientId: `${access_token.slice(0, 16)}...` },
  })
})

/** What a handle is made of may spell any word. */
function withoutHandles(text: string): string {
  return text.replaceAll(/[\w-]{40,}/g, '')
}

test('a path that names nothing costs no more where it is long and ends in a slash', async () => {
  const ask = async (path: string) => {
    const statuses = []
    for (let i = 0; i < 10; i++) statuses.push((await fetch(`${host.issuer}/${path}`)).status)
    return statuses
  }
  for (const length of lengths(15_000)) {
    const statuses = await expectCheap(
      () => ask(`${'a'.repeat(length)}/`),
      () => ask('a/'),
    )
    expect(new Set(statuses)).toEqual(new Set([404]))
  }
})
