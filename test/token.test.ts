import express from 'express'
import helmet from 'helmet'
import { clients } from './support/clients.js'
import {
  basic,
  callApi,
  getCode,
  getTokens,
  postToken,
  redeem,
  redirectUriOf,
  refresh,
  VERIFIER,
} from './support/flow.js'
import { type Host, type HostOptions, startHost } from './support/host.js'
import {
  expectMachineHeaders,
  expectRefusal,
  expectTokens,
  type RawAnswer,
  send,
} from './support/token-endpoint.js'

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }
const CONF = { authorization: basic('conf', 'conf-secret') }

let host: Host
beforeAll(async () => {
  host = await startHost({
    provider: {
      clients: [
        ...clients,
        {
          client_id: 'renewer',
          client_secret: 'renewer-secret',
          redirect_uris: ['https://rp.example/cb'],
          grant_types: ['refresh_token'],
        },
      ],
    },
  })
})
afterAll(() => host.close())

/** The form of a right redemption by CONF. */
function redemption(code: string): [string, string][] {
  return [
    ['grant_type', 'authorization_code'],
    ['code', code],
    ['redirect_uri', redirectUriOf('conf')],
    ['code_verifier', VERIFIER],
  ]
}

describe('a successful answer', () => {
  test('TOK-01 is JSON with the members of RFC 6749 §5.1 and no others, and is never cached', async () => {
    const { code } = await getCode(host)
    const answer = await redeem(host, code)
    expectTokens(answer)
    expect(answer.body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 3600,
      refresh_token: expect.any(String),
      scope: 'read',
    })
    const renewed = await refresh(host, answer.body.refresh_token)
    expectTokens(renewed)
    expect(Object.keys(renewed.body).sort()).toEqual(Object.keys(answer.body).sort())
  })

  test('TOK-01 expires_in is the lifetime that the token really has', async () => {
    const own = await startHost({ provider: { lifetimes: { accessToken: 90 } } })
    const { access_token, expires_in } = await getTokens(own)
    expect(expires_in).toBe(90)
    own.advance(89)
    expect((await callApi(own, '/api/read', access_token)).status).toBe(200)
    own.advance(1)
    expect((await callApi(own, '/api/read', access_token)).status).toBe(401)
    await own.close()
  })

  test('TOK-01 scope tells what was granted where it is less than what was asked for', async () => {
    expect((await getTokens(host, { params: { scope: 'read nope' } })).scope).toBe('read')
    expect((await getTokens(host, { client: 'reader', params: { scope: 'write read' } })).scope).toBe('read')
  })

  test('TOK-01 scope is there where the request named none', async () => {
    expect((await getTokens(host, { params: { scope: undefined } })).scope).toBe('read write')
  })

  test('a client without the refresh_token grant gets no refresh token, and no empty member in its place', async () => {
    const tokens = await getTokens(host, { client: 'once' })
    expect('refresh_token' in tokens).toBe(false)
  })

  test('a client that never asks for offline_access gets a refresh token all the same', async () => {
    expect((await getTokens(host, { client: 'pub' })).refresh_token).toEqual(expect.any(String))
    expect((await getTokens(host, { client: 'nat' })).refresh_token).toEqual(expect.any(String))
  })
})

describe('TOK-02 a method other than POST', () => {
  test.each(['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH'])('%s is 405 and uses nothing up', async (method) => {
    const { code } = await getCode(host)
    const query = `?${new URLSearchParams([...redemption(code), ['client_id', 'post'], ['client_secret', 'post-secret']])}`
    const answer = await send(host, { method, query, headers: CONF })
    expect(answer.status).toBe(405)
    expect(answer.headers.get('allow')).toBe('POST')
    expectMachineHeaders(answer.headers)
    expect(answer.text).not.toContain('access_token')
    expectTokens(await redeem(host, code))
  })

  test('OPTIONS answers the preflight of a browser client, for any origin and without credentials', async () => {
    const answer = await send(host, {
      method: 'OPTIONS',
      headers: { Origin: 'https://spa.example', 'Access-Control-Request-Method': 'POST' },
    })
    expect(answer.status).toBe(204)
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    expect(answer.headers.get('access-control-allow-methods')).toContain('POST')
    expect(answer.headers.get('access-control-allow-headers')?.toLowerCase()).toContain('authorization')
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
  })
})

describe('grant_type', () => {
  test.each([undefined, ''])('missing (%p) is invalid_request', async (grant_type) => {
    expectRefusal(await postToken(host, { grant_type }), 400, 'invalid_request')
  })

  test.each([
    'password',
    'implicit',
    'code',
    'AUTHORIZATION_CODE',
    'authorization_code ',
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    'urn:ietf:params:oauth:grant-type:token-exchange',
    '__proto__',
    'constructor',
    'toString',
  ])('%s is unsupported_grant_type', async (grant_type) => {
    const { code } = await getCode(host)
    expectRefusal(
      await postToken(host, { grant_type, code, username: 'alice', password: 'x', scope: 'read' }),
      400,
      'unsupported_grant_type',
    )
  })

  test('TOK-04 a client of machines, which has no redirect URI, gets nothing by a code or a refresh token', async () => {
    const metadata = { grant_types: ['client_credentials'], scope: 'read' }
    const { client_id, client_secret = '' } = await host.oauth.clients.create(metadata)
    const headers = { authorization: basic(client_id, client_secret) }
    for (const grant_type of ['authorization_code', 'refresh_token']) {
      const body = new URLSearchParams({ grant_type, code: 'x', refresh_token: 'x' })
      expectRefusal(await send(host, { body, headers }), 400, 'unauthorized_client')
    }
    const asked = await fetch(`${host.issuer}/authorize?response_type=code&client_id=${client_id}`)
    expect(asked.status).toBe(400)
  })

  test('TOK-04 one that this client is not registered for is unauthorized_client', async () => {
    const { refresh_token } = await getTokens(host)
    expectRefusal(await refresh(host, refresh_token, { client: 'once' }), 400, 'unauthorized_client')
    const { code } = await getCode(host)
    expectRefusal(await redeem(host, code, { client: 'renewer' }), 400, 'unauthorized_client')
    expectTokens(await redeem(host, code))
    expectTokens(await refresh(host, refresh_token))
  })

  test('who is asking comes before what for', async () => {
    const form = { grant_type: 'password' }
    const headers = { authorization: basic('conf', 'wrong') }
    expectRefusal(await postToken(host, form, { headers }), 401, 'invalid_client')
  })
})

describe('TOK-05 a parameter that comes twice', () => {
  const values: Record<string, string> = {
    grant_type: 'authorization_code',
    code: '',
    client_id: 'post',
    client_secret: 'post-secret',
    redirect_uri: redirectUriOf('post'),
    code_verifier: VERIFIER,
    refresh_token: 'a-token',
    scope: 'read',
  }

  test.each(Object.keys(values))('%s, equal or different, is invalid_request', async (name) => {
    const { code } = await getCode(host, { client: 'post' })
    const { refresh_token: _, scope: __, ...redemption } = values
    const form = { ...redemption, code }
    const value = name === 'code' ? code : (values[name] ?? '')
    for (const other of [value, 'another', '']) {
      const body = new URLSearchParams(form)
      body.delete(name)
      body.append(name, value)
      body.append(name, other)
      expectRefusal(await send(host, { body }), 400, 'invalid_request')
    }
    expectTokens(await send(host, { body: new URLSearchParams(form) }))
  })

  test.each(['grant_type', 'refresh_token', 'scope'])(
    '%s at a refresh is invalid_request and nothing is rotated',
    async (name) => {
      const { refresh_token } = await getTokens(host)
      const form: Record<string, string> = { grant_type: 'refresh_token', refresh_token, scope: 'read' }
      const body = new URLSearchParams(form)
      body.append(name, form[name] ?? '')
      expectRefusal(await send(host, { body, headers: CONF }), 400, 'invalid_request')
      expectTokens(await refresh(host, refresh_token))
      expect(host.events.some(({ name }) => name === 'refresh_token.reused')).toBe(false)
    },
  )
})

describe('what is not a right parameter', () => {
  test('RFC 6749 §3.2: an unknown one is ignored, and an empty one counts as left out', async () => {
    const { code } = await getCode(host)
    const form = { foo: ['1', '2'], code_challenge: 'x', resource: '', scope: '', client_id: '' }
    expectTokens(await redeem(host, code, { form }))
    expectRefusal(await redeem(host, ''), 400, 'invalid_request')
    expectRefusal(await refresh(host, ''), 400, 'invalid_request')
  })

  test.each(['code', 'grant_type', 'code_verifier'])(
    'ROB-01 %s as an array or an object never counts as a string',
    async (name) => {
      const { code } = await getCode(host)
      for (const suffix of ['[]', '[0]', '[a]', '[toString]', '[length]']) {
        const values = new Map(redemption(code))
        values.set(`${name}${suffix}`, values.get(name) ?? '')
        values.delete(name)
        const answer = await send(host, { body: new URLSearchParams([...values]), headers: CONF })
        expectRefusal(answer, 400, name === 'code_verifier' ? 'invalid_grant' : 'invalid_request')
      }
      expectTokens(await redeem(host, code))
    },
  )

  test('INJ-10 __proto__ and constructor are parameters like others', async () => {
    const { code } = await getCode(host)
    const body = new URLSearchParams([
      ...redemption(code),
      ['__proto__[x]', '1'],
      ['__proto__', 'y'],
      ['constructor[prototype][x]', '1'],
    ])
    expectTokens(await send(host, { body, headers: CONF }))
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })

  test.each(["' OR '1'='1", '";DROP TABLE oauth_records;--', "%' --", '\0', '🙂', 'a'.repeat(10_000)])(
    'INJ-05 %j as code, refresh token or client is an ordinary error',
    async (value) => {
      expectRefusal(await redeem(host, value), 400, 'invalid_grant')
      expectRefusal(await refresh(host, value), 400, 'invalid_grant')
      const form = { grant_type: 'refresh_token', refresh_token: value, client_id: value }
      expectRefusal(await send(host, { body: new URLSearchParams(form) }), 401, 'invalid_client')
      expect((await callApi(host, '/api/read', (await getTokens(host)).access_token)).status).toBe(200)
    },
  )
})

describe('TOK-07 the body', () => {
  test.each([
    ['application/json', (form: URLSearchParams) => JSON.stringify(Object.fromEntries(form))],
    ['text/plain', String],
    ['multipart/form-data; boundary=x', String],
    ['application/json, application/x-www-form-urlencoded', String],
    ['application/x-www-form-urlencoded-but-not', String],
    ['', String],
  ])('as %j is refused, and nothing is used up', async (type, write) => {
    const { code } = await getCode(host)
    const body = Buffer.from(write(new URLSearchParams(redemption(code))))
    const headers = type === '' ? CONF : { ...CONF, 'Content-Type': type }
    expectRefusal(await send(host, { body, headers }), 400, 'invalid_request')
    expectTokens(await redeem(host, code))
  })

  test.each([
    'application/x-www-form-urlencoded;charset=UTF-8',
    'application/x-www-form-urlencoded; charset=utf-8',
    'Application/X-WWW-Form-URLEncoded',
  ])('as %s works', async (type) => {
    const { code } = await getCode(host)
    const body = String(new URLSearchParams(redemption(code)))
    expectTokens(await send(host, { body, headers: { ...CONF, 'Content-Type': type } }))
  })

  test('parameters in the query of a POST are not read', async () => {
    const { code } = await getCode(host)
    const query = `?${new URLSearchParams(redemption(code))}`
    expectRefusal(await send(host, { query, headers: { ...CONF, ...FORM } }), 400, 'invalid_request')
    expectRefusal(
      await send(host, { query, body: 'foo=1', headers: { ...CONF, ...FORM } }),
      400,
      'invalid_request',
    )
    expectTokens(
      await send(host, {
        query: '?grant_type=password&code=x&scope=write',
        body: new URLSearchParams(redemption(code)),
        headers: CONF,
      }),
    )
  })

  test('left out is invalid_request', async () => {
    expectRefusal(await send(host, { headers: { ...CONF, ...FORM } }), 400, 'invalid_request')
  })

  test('ROB-02 of more than 64 KB is 413, whether its length was told or not', async () => {
    const long = `grant_type=authorization_code&code=${'a'.repeat(1024 * 1024)}`
    const told = await send(host, { body: long, headers: { ...CONF, ...FORM } })
    expectRefusal(told, 413, 'invalid_request')
    const untold = new ReadableStream({
      start(controller) {
        for (let at = 0; at < 70; at++)
          controller.enqueue(Buffer.from(long.slice(at * 1024, (at + 1) * 1024)))
        controller.close()
      },
    })
    const init = { body: untold, headers: { ...CONF, ...FORM }, duplex: 'half' } as RequestInit
    expectRefusal(await send(host, init), 413, 'invalid_request')
  })

  test('ROB-02 of thousands of parameters is refused', async () => {
    const { code } = await getCode(host)
    const many = `${new URLSearchParams(redemption(code))}${'&a=1'.repeat(10_000)}`
    expectRefusal(await send(host, { body: many, headers: { ...CONF, ...FORM } }), 400, 'invalid_request')
    const deep = `${new URLSearchParams(redemption(code))}&a${'[a]'.repeat(1000)}=1`
    expectTokens(await send(host, { body: deep, headers: { ...CONF, ...FORM } }))
  })
})

describe('TOK-08 an error', () => {
  const CANARY = 'canary-7f3a"\\\r\n<script>'

  test('repeats nothing of the request, and holds nothing of the server', async () => {
    const { code } = await getCode(host)
    const { refresh_token } = await getTokens(host)
    const headers = CONF
    const right = Object.fromEntries(redemption(code))
    const errors: RawAnswer[] = []
    const forms: Record<string, string>[] = [
      ...Object.keys(right).map((name) => ({ ...right, [name]: CANARY })),
      { ...right, resource: CANARY },
      { ...right, client_id: CANARY },
      { ...right, client_secret: CANARY },
      { ...right, client_assertion: CANARY },
      { grant_type: 'refresh_token', refresh_token: CANARY },
      { grant_type: 'refresh_token', refresh_token, scope: CANARY },
      { grant_type: 'refresh_token', refresh_token, scope: 'canary-7f3a' },
      { grant_type: 'refresh_token', refresh_token, resource: CANARY },
    ]
    for (const form of forms) errors.push(await send(host, { body: new URLSearchParams(form), headers }))
    for (const authorization of [basic(CANARY, CANARY), basic('conf', CANARY), 'Basic canary-7f3a'])
      errors.push(await send(host, { body: new URLSearchParams(right), headers: { authorization } }))
    for (const answer of errors) {
      expectRefusal(answer, answer.status, String(answer.body.error))
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect(answer.status).toBeLessThan(500)
      const all = JSON.stringify([...answer.headers]) + answer.text
      expect(all).not.toContain('canary')
      expect(all).not.toMatch(/\bat \S+ \(|node_modules|\/lib\/|sqlite|SELECT|oauth_/i)
    }
    expectTokens(await redeem(host, code))
  })

  test('of the host is server_error with nothing of its cause, and leaves the code and the refresh token good', async () => {
    let failing = false
    const own = await startHost({
      provider: {
        findUser: (id) => {
          if (failing) throw new Error('connect ECONNREFUSED db.internal:5432 password=hunter2')
          return { id, name: id, email: '' }
        },
      },
    })
    const { refresh_token } = await getTokens(own)
    const { code } = await getCode(own)
    failing = true
    for (const answer of [await redeem(own, code), await refresh(own, refresh_token)]) {
      expectRefusal(answer, 500, 'server_error')
      expect(JSON.stringify(answer.body)).not.toMatch(/ECONN|internal|hunter2/)
    }
    const reported = own.events.filter(({ name }) => name === 'server.error').map(({ event }) => event)
    expect(reported).toHaveLength(2)
    expect(String(reported[0]?.error)).toContain('ECONNREFUSED')
    failing = false
    expectTokens(await redeem(own, code))
    expectTokens(await refresh(own, refresh_token))
    await own.close()
  })
})

test('TOK-10 a thousand access tokens and refresh tokens are distinct, of 160 bits at least, and have no common beginning', async () => {
  const own = await startHost()
  let { refresh_token, access_token } = await getTokens(own)
  const tokens = { access: [access_token], refresh: [refresh_token] }
  while (tokens.access.length < 1000) {
    ;({
      body: { access_token, refresh_token },
    } = await refresh(own, refresh_token))
    tokens.access.push(access_token)
    tokens.refresh.push(refresh_token)
  }
  for (const values of Object.values(tokens)) expectRandom(values)
  expect(new Set([...tokens.access, ...tokens.refresh]).size).toBe(2000)
  await own.close()
})

/** No two alike, long enough, and at every place most characters of the alphabet: nothing in them is fixed, counted or told by the clock. */
function expectRandom(values: readonly string[]): void {
  expect(new Set(values).size).toBe(values.length)
  for (const value of values) expect(value).toMatch(/^[A-Za-z0-9_-]{27,}$/)
  const length = values[0]?.length ?? 0
  const distinct = Array.from({ length }, (_, place) => new Set(values.map((value) => value[place])).size)
  expect(Math.min(...distinct)).toBeGreaterThan(48)
  const beginnings = new Set(values.map((value) => value.slice(0, 4)))
  expect(beginnings.size).toBeGreaterThan(values.length - 5)
}

describe('TOK-11 a request that can be corrected uses nothing up', () => {
  test.each([
    ['resource of nobody', { resource: 'https://elsewhere.example/' }, 'invalid_target'],
    ['resource that is no URL', { resource: 'api' }, 'invalid_target'],
    ['redirect_uri', { redirect_uri: 'https://rp.example/other' }, 'invalid_grant'],
    ['code_verifier', { code_verifier: `${VERIFIER}x` }, 'invalid_grant'],
    ['grant_type', { grant_type: 'authorisation_code' }, 'unsupported_grant_type'],
  ])('wrong %s, then the right request', async (_, form, error) => {
    const { code } = await getCode(host)
    expectRefusal(await redeem(host, code, { form }), 400, error)
    expectTokens(await redeem(host, code))
  })

  test('wrong scope or resource at a refresh, then the right request', async () => {
    const { refresh_token } = await getTokens(host)
    expectRefusal(await refresh(host, refresh_token, { form: { scope: 'admin' } }), 400, 'invalid_scope')
    const resource = 'https://elsewhere.example/'
    expectRefusal(await refresh(host, refresh_token, { form: { resource } }), 400, 'invalid_target')
    expectTokens(await refresh(host, refresh_token))
  })
})

describe('a user who is gone', () => {
  test('UI-17 between approval and redemption gets no token', async () => {
    const own = await startHost()
    const { code } = await getCode(own)
    own.users.delete('alice')
    expectRefusal(await redeem(own, code), 400, 'invalid_grant')
    expect(await own.oauth.grants.list()).toEqual([])
    await own.close()
  })

  test('gets no token by a refresh, nor the same ones again, and the tokens there were end', async () => {
    const own = await startHost()
    const first = await getTokens(own)
    const renewed = await refresh(own, first.refresh_token)
    own.users.delete('alice')
    expectRefusal(await refresh(own, first.refresh_token), 400, 'invalid_grant')
    expectRefusal(await refresh(own, renewed.body.refresh_token), 400, 'invalid_grant')
    expect((await callApi(own, '/api/read', renewed.body.access_token)).status).toBe(401)
    await own.close()
  })
})

describe('HOST-02 whatever the host mounted before', () => {
  const hosts: [string, HostOptions][] = [
    ['nothing', {}],
    ['express.json()', { before: (app) => app.use(express.json()) }],
    ['urlencoded({ extended: true })', { before: (app) => app.use(express.urlencoded({ extended: true })) }],
    [
      'urlencoded({ extended: false })',
      { before: (app) => app.use(express.urlencoded({ extended: false })) },
    ],
    ['express.text on our path', { before: (app) => app.use('/oauth/token', express.text({ type: '*/*' })) }],
    ['express.raw on our path', { before: (app) => app.use('/oauth/token', express.raw({ type: '*/*' })) }],
    ['helmet()', { before: (app) => app.use(helmet()) }],
  ]

  test.each(hosts)('%s: right requests work and repeated parameters are seen', async (_, options) => {
    const own = await startHost(options)
    const { code } = await getCode(own)
    for (const [name, value] of redemption(code)) {
      const body = new URLSearchParams([...redemption(code), [name, value]])
      expectRefusal(await send(own, { body, headers: CONF }), 400, 'invalid_request')
    }
    const json = JSON.stringify(Object.fromEntries(redemption(code)))
    const headers = { ...CONF, 'Content-Type': 'application/json' }
    expectRefusal(await send(own, { body: json, headers }), 400, 'invalid_request')
    expectTokens(await redeem(own, code))
    const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'x' })
    expectRefusal(await send(own, { body, headers: CONF }), 400, 'invalid_grant')
    expectRefusal(await send(own, { body }), 401, 'invalid_client')
    await own.close()
  })
})

test('INJ-11 no event of any flow or error holds a code, token, secret, verifier or state', async () => {
  const own = await startHost()
  await own.oauth.clients.create({
    client_id: 'chosen',
    client_secret: 'a-chosen-secret',
    redirect_uris: ['https://rp.example/cb'],
  })
  const params = { state: 'a-state-to-be-kept' }
  const { code, agent } = await getCode(own, { params })
  const first = await redeem(own, code)
  const { body: second } = await refresh(own, first.body.refresh_token)
  const other = await getCode(own, { agent, params })
  await callApi(own, '/api/read', second.access_token)
  await callApi(own, '/api/write', second.access_token)
  await redeem(own, other.code, {
    form: { code_verifier: 'another-verifier-that-is-long-enough-0123456789' },
  })
  await redeem(own, other.code, { client: 'conf2' })
  await redeem(own, other.code, { form: { resource: 'https://elsewhere.example' } })
  await redeem(own, code)
  own.advance(11)
  await refresh(own, first.body.refresh_token)
  await refresh(own, second.refresh_token, { form: { scope: 'write' } })
  await refresh(own, second.access_token)
  await redeem(own, second.refresh_token)
  await callApi(own, '/api/read', second.refresh_token)
  await callApi(own, '/api/read', second.access_token)
  await postToken(own, {}, { headers: { authorization: basic('chosen', 'a-chosen-secret') } })
  await postToken(own, {}, { headers: { authorization: basic('chosen', 'a-wrong-secret') } })
  own.advance(61)
  await redeem(own, other.code)

  const secrets = [
    code,
    other.code,
    first.body.access_token,
    first.body.refresh_token,
    second.access_token,
    second.refresh_token,
    VERIFIER,
    'another-verifier',
    'conf-secret',
    'a-chosen-secret',
    'a-wrong-secret',
    'a-state-to-be-kept',
    ...[...agent.cookies.values()].map(({ value }) => value),
  ]
  expect(own.events.length).toBeGreaterThan(15)
  const told = own.events.map(({ event }) => JSON.stringify(event)).join('\n')
  for (const secret of secrets) expect(told).not.toContain(secret)
  await own.close()
})

test('every refusal at the token endpoint is told with the client, the error and a stable reason', async () => {
  const own = await startHost()
  const { code } = await getCode(own)
  await redeem(own, code, { form: { code_verifier: `${VERIFIER}x` } })
  await redeem(own, code, { client: 'conf2' })
  await postToken(own, { grant_type: 'password' })
  await postToken(own, {}, { headers: { authorization: basic('conf', 'wrong') } })
  const refused = own.events.filter(({ name }) => name === 'token.refused').map(({ event }) => event)
  expect(refused).toEqual([
    { clientId: 'conf', error: 'invalid_grant', reason: 'pkce_mismatch' },
    { clientId: 'conf2', error: 'invalid_grant', reason: 'code_of_other_client' },
    { clientId: 'conf', error: 'unsupported_grant_type', reason: 'grant_type_unknown' },
    { error: 'invalid_client', reason: 'secret_mismatch' },
  ])
  const failed = own.events.filter(({ name }) => name === 'client.authentication_failed')
  expect(failed.map(({ event }) => event)).toEqual([
    { clientId: 'conf', reason: 'secret_mismatch', address: expect.any(String) },
  ])
  await own.close()
})
