import { connect } from 'node:net'
import path from 'node:path'
import express4 from 'express4'
import { expectCheap, lengths } from './support/cost.js'
import { callApi, getTokens } from './support/flow.js'
import { type Host, type HostOptions, startHost } from './support/host.js'

let host: Host
let token: string
beforeAll(async () => {
  host = await startHost()
  for (const path of ['/mcp', '/mcp/tools', '/mcpx'])
    host.app.get(path, host.oauth.requireToken(), (_req, res) => res.json({}))
  host.app.use('/private', host.oauth.requireToken(), (_req, res) => {
    res.json({ private: true })
  })
  token = (await getTokens(host)).access_token
})
afterAll(() => host.close())

/** RFC 6750 §3: what may stand in error_description and in a scope attribute. */
const ATTRIBUTE = /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/

function challenge(headers: Headers): Record<string, string> {
  const header = headers.get('www-authenticate') ?? ''
  expect(header).toMatch(/^Bearer \w+="[^"]*"(?:, \w+="[^"]*")*$/)
  const attributes = [...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!])
  for (const [, value] of attributes) expect(value).toMatch(ATTRIBUTE)
  expect(new Set(attributes.map(([name]) => name)).size).toBe(attributes.length)
  return Object.fromEntries(attributes)
}

async function expectInvalidToken(
  answer: { status: number; headers: Headers; body: object },
  at = '/api/read',
) {
  expect(answer.status).toBe(401)
  expect(answer.body).toEqual({ error: 'invalid_token', error_description: expect.stringMatching(ATTRIBUTE) })
  expect(challenge(answer.headers)).toEqual({
    error: 'invalid_token',
    error_description: expect.any(String),
    scope: 'read',
    resource_metadata: `${host.origin}/.well-known/oauth-protected-resource${at}`,
  })
  expect(answer.headers.get('cache-control')).toBe('no-store')
}

/** Sends bytes as they are, for what fetch would not send. */
function raw(origin: string, lines: readonly string[]): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(origin).port), 'localhost')
    let text = ''
    socket.setEncoding('latin1')
    socket.on('data', (data) => {
      text += data
    })
    socket.on('error', reject)
    socket.on('close', () => resolve({ status: Number(text.split(' ', 2)[1]), text }))
    socket.write(
      Buffer.from(`${[...lines, 'Host: api', 'Connection: close'].join('\r\n')}\r\n\r\n`, 'latin1'),
    )
  })
}

describe('RS-01 without a token the challenge says where to begin, and names no error', () => {
  test.each([
    ['no credentials', {}],
    ['Basic credentials', { authorization: 'Basic YTpi' }],
    ['another scheme that begins alike', { authorization: 'BearerX abc' }],
    ['a session cookie alone', {}],
  ])('%s', async (name, headers) => {
    const cookie = name.includes('cookie') ? await sessionCookie() : {}
    const answer = await callApi(host, '/api/read', undefined, { ...headers, ...cookie })
    expect(answer.status).toBe(401)
    expect(challenge(answer.headers)).toEqual({
      scope: 'read',
      resource_metadata: `${host.origin}/.well-known/oauth-protected-resource/api/read`,
    })
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    expect(answer.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
  })

  test('a guard that needs no scope names none', async () => {
    expect(challenge((await callApi(host, '/api/any', undefined)).headers)).toEqual({
      resource_metadata: `${host.origin}/.well-known/oauth-protected-resource/api/any`,
    })
  })
})

async function sessionCookie(): Promise<{ cookie: string }> {
  const response = await fetch(`${host.origin}/login`, {
    method: 'POST',
    body: new URLSearchParams({ user: 'alice' }),
    redirect: 'manual',
  })
  return {
    cookie: response.headers
      .getSetCookie()
      .map((line) => line.split(';')[0])
      .join('; '),
  }
}

describe('RS-02 a token that is not good here is invalid_token', () => {
  test('random, of the right shape and of any other', async () => {
    for (const bad of ['x', 'a'.repeat(64), 'a'.repeat(63), '0.0.0', 'null', '====']) {
      const answer = await callApi(host, '/api/read', bad)
      expect([400, 401]).toContain(answer.status)
      if (answer.status === 401) await expectInvalidToken(answer)
    }
  })

  test('truncated, extended or with one character changed', async () => {
    const other = token.at(-1) === 'A' ? 'B' : 'A'
    for (const bad of [token.slice(0, -1), `${token}A`, token.slice(0, -1) + other, other + token.slice(1)])
      await expectInvalidToken(await callApi(host, '/api/read', bad))
  })

  test('expired, to the millisecond', async () => {
    const tokens = await getTokens(host)
    host.advance(3599.999)
    expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(200)
    host.advance(0.001)
    await expectInvalidToken(await callApi(host, '/api/read', tokens.access_token))
    token = (await getTokens(host)).access_token
  })

  test('revoked, one grant or all of a user', async () => {
    const bob = await getTokens(host, { user: 'bob' })
    const [grant] = await host.oauth.grants.list({ userId: 'bob', clientId: 'conf' })
    await host.oauth.grants.revoke(grant!.id)
    await expectInvalidToken(await callApi(host, '/api/read', bob.access_token))
    const again = await getTokens(host, { user: 'bob' })
    await host.oauth.grants.revokeUser('bob')
    await expectInvalidToken(await callApi(host, '/api/read', again.access_token))
    expect((await callApi(host, '/api/read', token)).status).toBe(200)
  })

  test('CODE-08 a refresh token, a code or a client secret is no access token', async () => {
    const tokens = await getTokens(host)
    await expectInvalidToken(await callApi(host, '/api/read', tokens.refresh_token))
    await expectInvalidToken(await callApi(host, '/api/read', 'conf-secret'))
  })
})

test('RS-03 a token without the scopes is 403 insufficient_scope, which names every scope that is needed', async () => {
  host.app.get('/api/both', host.oauth.requireToken('read write'), (_req, res) => res.json({}))
  for (const [path, scope] of [
    ['/api/write', 'write'],
    ['/api/both', 'read write'],
  ] as const) {
    const answer = await callApi(host, path, token)
    expect(answer.status).toBe(403)
    expect(answer.body.error).toBe('insufficient_scope')
    expect(challenge(answer.headers)).toEqual({
      error: 'insufficient_scope',
      error_description: expect.any(String),
      scope,
      resource_metadata: `${host.origin}/.well-known/oauth-protected-resource${path}`,
    })
  }
  const both = await getTokens(host, { params: { scope: 'write read' } })
  expect((await callApi(host, '/api/both', both.access_token)).status).toBe(200)
})

test('RS-04 the scheme may be written in any case', async () => {
  for (const authorization of [`bearer ${token}`, `BEARER ${token}`, `bEaReR   ${token}`]) {
    expect((await callApi(host, '/api/read', undefined, { authorization })).status).toBe(200)
  }
})

describe('RS-05 one token, in the header, and nothing beside it', () => {
  test('a token in the query alone is no token', async () => {
    const answer = await callApi(host, `/api/read?access_token=${token}`, undefined)
    expect(answer.status).toBe(401)
    expect(challenge(answer.headers).error).toBeUndefined()
  })

  test('a token in a form alone is no token, with and without a body parser before', async () => {
    for (const parsed of [false, true]) {
      const other = await startHost({ ...(parsed && { before: withForm }) })
      const { access_token } = await getTokens(other)
      const response = await fetch(`${other.origin}/api/read`, {
        method: 'POST',
        body: new URLSearchParams({ access_token }),
      })
      expect(response.status).toBe(401)
      await other.close()
    }
  })

  test('header and query, header and form: 400 invalid_request', async () => {
    const answer = await callApi(host, `/api/read?access_token=${token}`, token)
    expect(answer.status).toBe(400)
    expect(challenge(answer.headers).error).toBe('invalid_request')
    const other = await startHost({ before: withForm })
    const { access_token } = await getTokens(other)
    const response = await fetch(`${other.origin}/api/read`, {
      method: 'POST',
      headers: { authorization: `Bearer ${access_token}` },
      body: new URLSearchParams({ access_token: 'x' }),
    })
    expect(response.status).toBe(400)
    await other.close()
  })

  test("a JSON body may have a member access_token of the API's own", async () => {
    const other = await startHost({ before: (app) => app.use(express4.json()) })
    const { access_token } = await getTokens(other)
    const response = await fetch(`${other.origin}/api/read`, {
      method: 'POST',
      headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ access_token: 'of some other service' }),
    })
    expect(response.status).toBe(200)
    await other.close()
  })

  test.each([
    ['two values', (t: string) => [`Authorization: Bearer ${t} ${t}`]],
    ['two tokens with a comma', (t: string) => [`Authorization: Bearer ${t},${t}`]],
    ['a parameter', (t: string) => [`Authorization: Bearer ${t}; realm=x`]],
    ['two headers', (t: string) => [`Authorization: Bearer ${t}`, `Authorization: Bearer ${t}`]],
    [
      'two headers, one of them Basic',
      (t: string) => [`Authorization: Bearer ${t}`, 'Authorization: Basic YTpi'],
    ],
    ['two headers, Basic first', (t: string) => ['Authorization: Basic YTpi', `Authorization: Bearer ${t}`]],
    ['quotes', (t: string) => [`Authorization: Bearer "${t}"`]],
    ['a tab', (t: string) => [`Authorization: Bearer\t${t}`]],
  ])('%s: 400 or 401', async (_, headers) => {
    const { status } = await raw(host.origin, ['GET /api/read HTTP/1.1', ...headers(token)])
    expect([400, 401]).toContain(status)
  })
})

function withForm(app: Parameters<NonNullable<HostOptions['before']>>[0]): void {
  app.use(express4.urlencoded({ extended: true }))
}

describe('RS-08 RSRC-01 a token for one resource opens no other', () => {
  test('without the option resources every URL on the origin is one, and what lies below it', async () => {
    const { access_token } = await getTokens(host, { params: { resource: `${host.origin}/mcp` } })
    expect((await callApi(host, '/mcp', access_token)).status).toBe(200)
    expect((await callApi(host, '/mcp?x=1', access_token)).status).toBe(200)
    expect((await callApi(host, '/mcp/tools', access_token)).status).toBe(200)
    expect((await callApi(host, '/mcpx', access_token)).status).toBe(401)
    await expectInvalidToken(await callApi(host, '/api/read', access_token))
    // RFC 8707 §2.2: the default audience is the whole origin.
    expect((await callApi(host, '/mcp', token)).status).toBe(200)
  })

  test('RSRC-05 upper case and a slash at the end are the same resource', async () => {
    const shouted = `${host.origin.toUpperCase()}/api/`
    const { access_token } = await getTokens(host, { params: { resource: shouted } })
    expect((await callApi(host, '/api/read', access_token)).body).toMatchObject({ userId: 'alice' })
    expect((await callApi(host, '/mcp', access_token)).status).toBe(401)
  })

  test('RSRC-04 a token for two resources opens both, and a narrowed one only its own', async () => {
    const two = [`${host.origin}/api`, `${host.origin}/mcp`]
    const { access_token, refresh_token } = await getTokens(host, { params: { resource: two } })
    expect((await callApi(host, '/api/read', access_token)).status).toBe(200)
    expect((await callApi(host, '/mcp', access_token)).status).toBe(200)
    const response = await fetch(`${host.issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('conf:conf-secret')}` },
      body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token, resource: two[1]! }),
    })
    const narrowed = (await response.json()) as { access_token: string }
    expect((await callApi(host, '/mcp', narrowed.access_token)).status).toBe(200)
    expect((await callApi(host, '/api/read', narrowed.access_token)).status).toBe(401)
  })

  test('a path that Express and URLs read differently is not opened by a token for what it spells', async () => {
    const { access_token } = await getTokens(host, { params: { resource: `${host.origin}/mcp` } })
    for (const path of [
      '/private/../mcp',
      '/private/%2e%2e/mcp',
      '/private/.%2E/mcp',
      '/private/..\\mcp',
      '/private\\..\\..\\mcp',
      '/private/x/../../mcp',
    ]) {
      const { status, text } = await raw(host.origin, [
        `GET ${path} HTTP/1.1`,
        `Authorization: Bearer ${access_token}`,
      ])
      expect(text).not.toContain('"private":true')
      expect([401, 404]).toContain(status)
    }
  })

  test('what whoever decodes the path behind the guard takes for another place is opened by no token for what it spells', async () => {
    const files = await startHost()
    files.app.use('/files', files.oauth.requireToken('read'), (req, res) => {
      res.json({ read: path.posix.normalize(decodeURIComponent(req.path)) })
    })
    const resource = `${files.origin}/files/public`
    const { access_token } = await getTokens(files, { params: { resource } })
    const ask = (spelt: string) =>
      raw(files.origin, [`GET ${spelt} HTTP/1.1`, `Authorization: Bearer ${access_token}`])
    expect((await ask('/files/public/a%20file')).text).toContain('/public/a file')
    expect((await ask('/files/private/s')).status).toBe(401)
    for (const spelt of ['..%2fprivate', '..%2Fprivate', '.%2e%2fprivate', '%2e%2e%5cprivate', 'x//y', '%61'])
      expect((await ask(`/files/public/${spelt}`)).status).toBe(401)
    await files.close()
  })

  test('no other spelling of a nested resource gets around its scopes', async () => {
    const resources = (origin: string) => ({
      [`${origin}/docs`]: { scopes: ['read'] },
      [`${origin}/docs/secret`]: { scopes: ['write'] },
    })
    const scopes = { read: 'Read', write: 'Write' }
    const docs = await startHost({ provider: (origin) => ({ scopes, resources: resources(origin) }) })
    docs.app.get('/docs/:id', docs.oauth.requireToken('read'), (req, res) => {
      res.json({ id: req.params.id })
    })
    const { access_token } = await getTokens(docs, {
      params: { scope: 'read', resource: `${docs.origin}/docs` },
    })
    for (const [spelt, status] of [
      ...[['/docs/a%40b', 200] as const, ['/docs/secret', 403] as const],
      ...['%73ecret', 'pub%2f..%2fsecret', '%2Fsecret', '/secret', 'secre%74'].map(
        (other) => [`/docs/${other}`, 401] as const,
      ),
    ]) {
      const answer = await raw(docs.origin, [
        `GET ${spelt} HTTP/1.1`,
        `Authorization: Bearer ${access_token}`,
      ])
      expect([spelt, answer.status]).toEqual([spelt, spelt === '/docs//secret' ? 404 : status])
    }
    await docs.close()
  })

  test('with the option resources: its scopes, its metadata, and nothing outside', async () => {
    const other = await startResourceHost()
    const api = `${other.origin}/api`
    const { access_token, scope } = await getTokens(other, { params: { scope: 'read write', resource: api } })
    expect(scope).toBe('read')
    expect((await callApi(other, '/api/read', access_token)).body).toMatchObject({ resource: api })
    expect((await callApi(other, '/files', access_token)).status).toBe(401)
    const refused = await callApi(other, '/api/write', access_token)
    expect(refused.status).toBe(403)
    expect(challenge(refused.headers).resource_metadata).toBe(
      `${other.origin}/.well-known/oauth-protected-resource/api`,
    )
    await other.close()
  })

  test('RSRC-04 shows and accepts, at a resource, only the scopes that it knows, whatever else the token is for', async () => {
    const other = await startResourceHost()
    const resource = [`${other.origin}/api`, `${other.origin}/files`]
    const { access_token } = await getTokens(other, { params: { scope: 'read write', resource } })
    expect((await callApi(other, '/api/read', access_token)).body.scopes).toEqual(['read'])
    expect((await callApi(other, '/api/write', access_token)).status).toBe(403)
    await other.close()
  })

  test('no other spelling of a path gets around the scopes of its resource', async () => {
    const scopes = { read: 'Read', write: 'Write' }
    const resources = (origin: string) => ({ [`${origin}/api`]: { scopes: ['read'] }, [origin]: {} })
    const other = await startHost({ provider: (origin) => ({ scopes, resources: resources(origin) }) })
    const { access_token } = await getTokens(other, {
      params: { scope: 'read write', resource: other.origin },
    })
    for (const [path, allowed] of [
      ['/api/read', 200],
      ['/API/Read', 200],
      ['http://elsewhere.example/api/read', 200],
      ...['/api/write', '/API/write', '/Api/Write?x', 'http://elsewhere.example/api/write'].map((spelt) => [
        spelt,
        403,
      ]),
    ] as const) {
      const { status } = await raw(other.origin, [
        `GET ${path} HTTP/1.1`,
        `Authorization: Bearer ${access_token}`,
      ])
      expect([path, status]).toEqual([path, allowed])
    }
    await other.close()
  })

  test('a route may name its resource, where its URL is another one', async () => {
    const resource = `${host.origin}/public-name`
    host.app.get('/behind-proxy', host.oauth.requireToken('read', { resource }), (req, res) => {
      res.json({ resource: req.auth.resource.href })
    })
    const { access_token } = await getTokens(host, { params: { resource } })
    expect((await callApi(host, '/behind-proxy', access_token)).body).toEqual({ resource })
    const refused = await callApi(host, '/behind-proxy', undefined)
    expect(challenge(refused.headers).resource_metadata).toBe(
      `${host.origin}/.well-known/oauth-protected-resource/public-name`,
    )
    expect((await callApi(host, '/api/read', access_token)).status).toBe(401)
  })
})

test('RS-03 a scope that holds another opens what asks for that, never the other way round, and is named as it was granted', async () => {
  const scopes = {
    read: 'Read',
    write: { description: 'Write', implies: ['read'] },
    // Two that hold each other are one and the same.
    all: { description: 'All', implies: ['write', 'everything'] },
    everything: { description: 'Everything', implies: ['all'] },
  }
  const own = await startHost({ provider: { scopes } })
  const opened = async (scope: string) => {
    const { access_token } = await getTokens(own, { params: { scope } })
    const [read, write] = [
      await callApi(own, '/api/read', access_token),
      await callApi(own, '/api/write', access_token),
    ]
    if (read.status === 200) expect(read.body.scopes).toEqual([scope])
    if (write.status === 403) expect(challenge(write.headers).scope).toBe('write')
    return [read.status, write.status]
  }
  expect(await opened('read')).toEqual([200, 403])
  for (const scope of ['write', 'all', 'everything']) expect(await opened(scope)).toEqual([200, 200])
  await own.close()
})

async function startResourceHost(): Promise<Host> {
  const started = await startHost({
    provider: (origin) => ({
      resources: { [`${origin}/api`]: { scopes: ['read'] }, [`${origin}/files`]: {} },
    }),
  })
  started.app.get('/files', started.oauth.requireToken(), (_req, res) => {
    res.json({})
  })
  return started
}

describe('RS-11 whatever stands in the header, the answer is 400 or 401', () => {
  test.each([
    ['empty', 'Bearer'],
    ['empty with a space', 'Bearer '],
    ['spaces', 'Bearer      '],
    ['12 KB', `Bearer ${'a'.repeat(12_000)}`],
    ['12 KB of equals signs', `Bearer ${'='.repeat(12_000)}`],
    ['12 KB of spaces', `Bearer${' '.repeat(12_000)}x`],
    ['not ASCII', 'Bearer t\u00f6k\u00e9n'],
    ['ROB-07 a JWT with alg none', 'Bearer eyJhbGciOiJub25lIn0.e30.'],
    ['ROB-07 empty segments', 'Bearer ..'],
    ['ROB-07 ten segments', `Bearer ${Array(10).fill('e30').join('.')}`],
    ['ROB-07 padding', 'Bearer e30=.e30=.e30='],
    ['INJ-05 SQL', "Bearer ' OR '1'='1"],
    ['INJ-05 more SQL', 'Bearer ";DROP TABLE oauth_records'],
  ])('%s', async (_, authorization) => {
    const ask = (given: string) => raw(host.origin, ['GET /api/read HTTP/1.1', `Authorization: ${given}`])
    const { status, text } = await expectCheap(
      () => ask(authorization),
      () => ask('Bearer x'),
    )
    expect([400, 401]).toContain(status)
    expect(text).toMatch(/\r\nWWW-Authenticate: Bearer /)
    expect(text.split('\r\n\r\n')[1]).not.toContain(authorization.slice('Bearer '.length).padEnd(8, '\0'))
  })

  test.each([
    ['a', '!'],
    ['a=', '!'],
    [' ', '!'],
    ['a', ' !'],
  ])('much of %j and %j behind it is refused soon, too', async (much, end) => {
    for (const length of lengths(12_000)) {
      const ask = (token: string) =>
        raw(host.origin, ['GET /api/read HTTP/1.1', `Authorization: Bearer ${token}`])
      const { status } = await expectCheap(
        () => ask(much.repeat(length / much.length) + end),
        () => ask('x'),
      )
      expect(status).toBe(400)
    }
  })

  test('100 KB, a line break or NUL do not pass Node', async () => {
    for (const value of [`Bearer ${'a'.repeat(100_000)}`, 'Bearer a\0b', 'Bearer a\rb']) {
      const { status } = await raw(host.origin, ['GET /api/read HTTP/1.1', `Authorization: ${value}`]).catch(
        () => ({ status: 431 }),
      )
      expect([400, 431]).toContain(status)
    }
  })

  test('no event holds the token', async () => {
    const bad = `${token.slice(0, -1)}~`
    await callApi(host, '/api/read', bad)
    expect(JSON.stringify(host.events)).not.toContain(token.slice(0, 40))
    expect(host.events.at(-1)).toEqual({
      name: 'access_token.refused',
      event: { error: 'invalid_token', reason: 'token_unknown' },
    })
  })
})

describe.each([
  ['Express 5', undefined],
  ['Express 4', express4],
])('a request target that is no path, on %s', (_, express) => {
  test('gets an answer, and nothing is left unhandled', async () => {
    const other = await startHost({ ...(express && { express: express as HostOptions['express'] & object }) })
    other.app.use(other.oauth.requireToken())
    const unhandled = jest.fn()
    process.on('unhandledRejection', unhandled)
    for (const line of [
      'GET http://evil.example/api/read HTTP/1.1',
      'GET http://evil.example:99999/api/read HTTP/1.1',
      'OPTIONS * HTTP/1.1',
      'GET //evil.example/x HTTP/1.1',
      'GET /\\evil.example/x HTTP/1.1',
      'GET /"><svg> HTTP/1.1',
    ]) {
      for (const authorization of ['Accept: */*', 'Authorization: Bearer x']) {
        const { status, text } = await raw(other.origin, [line, authorization])
        expect([400, 401]).toContain(status)
        expect(text).not.toContain('evil.example:')
        expect(text).not.toContain('resource_metadata="http://evil')
      }
    }
    await new Promise(setImmediate)
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
    await other.close()
  })
})

describe('what the guard hands on', () => {
  test('req.auth is complete before the handler runs', async () => {
    host.app.get('/api/whole', host.oauth.requireToken(['read']), async (req, res) => {
      const { token: presented, clientId, userId, scopes, expiresAt, resource, user } = req.auth
      res.json({
        presented,
        clientId,
        userId,
        scopes,
        expiresAt,
        resource: String(resource),
        user: await user(),
      })
    })
    const { status, body } = await callApi(host, '/api/whole', token)
    expect(status).toBe(200)
    expect(body).toEqual({
      presented: token,
      clientId: 'conf',
      userId: 'alice',
      scopes: ['read'],
      expiresAt: expect.any(Number),
      resource: `${host.origin}/api/whole`,
      user: host.users.get('alice'),
    })
    const now = host.now() / 1000
    expect(body.expiresAt).toBeGreaterThan(now)
    expect(body.expiresAt).toBeLessThanOrEqual(now + 3600)
    expect(Number.isInteger(body.expiresAt)).toBe(true)
  })

  test('RS-09 it asks the host about the user only when the handler does; a user who is gone is undefined there', async () => {
    const findUser = jest.fn((id: string) => (id === 'alice' ? { name: 'Alice' } : undefined))
    const other = await startHost({ provider: { findUser: findUser as never } })
    const { access_token } = await getTokens(other)
    other.app.get('/api/user', other.oauth.requireToken(), async (req, res) => {
      res.json({ known: (await req.auth.user()) !== undefined })
    })
    findUser.mockReset()
    expect((await callApi(other, '/api/read', access_token)).status).toBe(200)
    expect(findUser).not.toHaveBeenCalled()
    expect((await callApi(other, '/api/user', access_token)).body).toEqual({ known: false })
    expect(findUser).toHaveBeenCalledTimes(1)
    await other.oauth.grants.revokeUser('alice')
    expect((await callApi(other, '/api/user', access_token)).status).toBe(401)
    await other.close()
  })

  test('the use of a grant is noted, to the hour', async () => {
    const other = await startHost()
    const { access_token } = await getTokens(other)
    const used = async () => (await other.oauth.grants.list({ userId: 'alice' }))[0]?.lastUsedAt
    expect(await used()).toBeUndefined()
    await callApi(other, '/api/read', access_token)
    await new Promise(setImmediate)
    const first = other.now()
    expect(await used()).toBe(first)
    other.advance(3000)
    await callApi(other, '/api/read', access_token)
    await new Promise(setImmediate)
    expect(await used()).toBe(first)
    await other.close()
  })

  test('a guard on a whole router answers the preflight of nobody: OPTIONS needs a token too', async () => {
    const response = await fetch(`${host.origin}/private`, { method: 'OPTIONS' })
    expect(response.status).toBe(401)
  })

  test('HEAD is refused like GET, without a body', async () => {
    const response = await fetch(`${host.origin}/api/read`, { method: 'HEAD' })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toContain('Bearer ')
    expect(await response.text()).toBe('')
  })
})

describe('a guard that could never let anybody in is refused when it is made', () => {
  test.each([
    ['a scope that is misspelt', () => host.oauth.requireToken('raed'), /raed.*Did you mean 'read'/],
    [
      'a scope that does not exist',
      () => host.oauth.requireToken(['read', 'zzzzzz']),
      /zzzzzz.*option scopes/,
    ],
    ['two scopes in one string of a list', () => host.oauth.requireToken(['read write']), /'read write'/],
    ['null', () => host.oauth.requireToken(null as never), /null.*array/],
    [
      'a misspelt option',
      () => host.oauth.requireToken('read', { resuorce: 'x' } as never),
      /resuorce.*Did you mean .*resource/,
    ],
    [
      'a resource that is a path',
      () => host.oauth.requireToken('read', { resource: '/api' }),
      /'\/api'.*URL/,
    ],
    [
      'a resource elsewhere',
      () => host.oauth.requireToken('read', { resource: 'https://other.example/api' }),
      /other\.example/,
    ],
    [
      'a resource that begins like the origin',
      () => host.oauth.requireToken('read', { resource: `${host.origin}.evil.example/` }),
      /evil\.example/,
    ],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(message)
    expect(make).toThrow(expect.objectContaining({ name: 'ConfigurationError' }))
  })
})

test('a guard whose scope turned out to be nothing is refused when it is made; one without a scope is meant', () => {
  for (const nothing of [undefined, '', ' ', []] as const)
    expect(() => host.oauth.requireToken(nothing)).toThrow(/requireToken\(scopes\) names no scope/)
  host.oauth.requireToken()
  host.oauth.requireToken([], { resource: `${host.origin}/api` })
})
