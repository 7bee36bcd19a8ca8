import { request } from 'node:http'
import { connect } from 'node:net'
import { decodeProtectedHeader } from 'jose'
import { encode, type Form } from './support/agent.js'
import { callApi, getCode, getTokens, postToken, VERIFIER } from './support/flow.js'
import type { Host } from './support/host.js'
import {
  accessToken,
  forge,
  OWN_HEADER,
  signIn,
  startOpenIdHost,
  type UserinfoAnswer,
  userinfo,
  verifyJwt,
} from './support/openid.js'

const API = 'https://api.example/photos'
let host: Host
let token: string
beforeAll(async () => {
  host = await startOpenIdHost({ provider: { resources: { [API]: { accessTokenFormat: 'jwt' } } } })
  token = await accessToken(host, 'openid profile email')
})
afterAll(() => host.close())

const ALICE = { sub: 'alice', name: 'Alice', email: 'alice@host.example' }

function post(
  body: string | URLSearchParams | FormData,
  headers: Record<string, string> = {},
  query = '',
): Promise<Response> {
  return fetch(`${host.issuer}/userinfo${query}`, { method: 'POST', body, headers })
}

function postForm(form: Form, headers: Record<string, string> = {}, query = ''): Promise<Response> {
  return post(encode(form), headers, query)
}

/** What every answer carries, good or bad (HDR-01). */
function expectHeaders(headers: Headers): void {
  expect(headers.get('cache-control')).toBe('no-store')
  expect(headers.get('pragma')).toBe('no-cache')
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(headers.get('access-control-allow-origin')).toBe('*')
  expect(headers.get('access-control-allow-credentials')).toBeNull()
  expect(headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
  expect(headers.get('set-cookie')).toBeNull()
}

/** RFC 6750 §3 */
async function expectRefusal(
  answer: UserinfoAnswer | Response,
  status: number,
  error: string | undefined,
  attributes: Readonly<Record<string, string>> = {},
): Promise<void> {
  expect(answer.status).toBe(status)
  expectHeaders(answer.headers)
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
  const body = (answer instanceof Response ? await answer.json() : answer.body) as UserinfoAnswer['body']
  expect(Object.keys(body)).toEqual(['error', 'error_description'])
  expect(body.error_description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/)
  const header = answer.headers.get('www-authenticate') ?? ''
  expect(header).toMatch(/^Bearer \w+="[^"]*"(?:, \w+="[^"]*")*$/)
  const given = Object.fromEntries(
    [...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  )
  expect(given).toEqual({
    ...(error !== undefined && { error, error_description: body.error_description }),
    realm: host.issuer,
    ...attributes,
  })
  if (error !== undefined) expect(body.error).toBe(error)
}

describe('OIDC-07 the claims of the user', () => {
  test('oidcc-userinfo-get: by GET with the token in the header', async () => {
    const answer = await userinfo(host, token)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/json')
    expectHeaders(answer.headers)
    expect(answer.body).toEqual(ALICE)
  })

  test('oidcc-userinfo-post-header: by POST with the token in the header, without a body, with an empty form, with JSON', async () => {
    const headers = { authorization: `Bearer ${token}` }
    const answers = [
      await userinfo(host, token, { method: 'POST' }),
      await userinfo(host, token, { method: 'POST', body: new URLSearchParams() }),
      await userinfo(host, token, { method: 'POST', body: new URLSearchParams({ schema: 'openid' }) }),
      await userinfo(host, token, {
        method: 'POST',
        body: '{"access_token":"x"}',
        headers: { 'content-type': 'application/json' },
      }),
    ]
    for (const { status, body } of answers) expect({ status, body }).toEqual({ status: 200, body: ALICE })
    const text = await post('x', { ...headers, 'content-type': 'text/plain' })
    expect(text.status).toBe(200)
  })

  test('CLIENTS-08, oidcc-userinfo-post-body: by POST with the token in a form', async () => {
    const answer = await postForm({ access_token: token })
    expect([answer.status, await answer.json()]).toEqual([200, ALICE])
    expectHeaders(answer.headers)
  })

  test('RS-04 the scheme is not case-sensitive', async () => {
    for (const scheme of ['bearer', 'BEARER', 'bEaReR']) {
      const answer = await userinfo(host, undefined, { headers: { authorization: `${scheme} ${token}` } })
      expect(answer.body).toEqual(ALICE)
    }
  })

  test('sub is that of the ID token', async () => {
    for (const client of ['conf', 'pair', 'nopkce']) {
      const { tokens, claims } = await signIn(host, { client })
      expect((await userinfo(host, tokens.access_token)).body).toEqual({ sub: claims.sub })
    }
  })

  test('each token tells what its own scopes stand for', async () => {
    expect((await userinfo(host, await accessToken(host, 'openid email'))).body).toEqual({
      sub: 'alice',
      email: 'alice@host.example',
    })
  })

  test('what the user object says now, not when the token was made', async () => {
    const carol = { id: 'carol', name: 'Carol', email: 'carol@host.example' }
    host.users.set('carol', carol)
    const hers = await accessToken(host, 'openid profile', { user: 'carol' })
    host.users.set('carol', { ...carol, name: 'Caroline' })
    expect((await userinfo(host, hers)).body).toEqual({ sub: 'carol', name: 'Caroline' })
  })
})

describe('OIDC-07, RS-05 the token comes once', () => {
  test('header and form together are invalid_request, also where both are the same', async () => {
    for (const access_token of [token, 'x']) {
      const answer = await postForm({ access_token }, { authorization: `Bearer ${token}` })
      await expectRefusal(answer, 400, 'invalid_request')
    }
  })

  test('twice in the form, the same or another, is invalid_request', async () => {
    for (const second of [token, 'x', ''])
      await expectRefusal(await postForm({ access_token: [token, second] }), 400, 'invalid_request')
  })

  test('two headers are invalid_request', async () => {
    const { status } = await rawGet([`Authorization: Bearer ${token}`, `Authorization: Bearer ${token}`])
    expect(status).toBe(400)
  })

  test('in the query it is not looked for', async () => {
    await expectRefusal(await userinfoAt(`?access_token=${token}`), 401, undefined)
    await expectRefusal(await postForm({}, {}, `?access_token=${token}`), 401, undefined)
    const beside = await userinfoAt(`?access_token=x`, { authorization: `Bearer ${token}` })
    expect(beside.status).toBe(200)
  })

  test('in JSON or in multipart it is not looked for either', async () => {
    await expectRefusal(
      await post(JSON.stringify({ access_token: token }), { 'content-type': 'application/json' }),
      401,
      undefined,
    )
    const multipart = new FormData()
    multipart.set('access_token', token)
    await expectRefusal(await post(multipart), 401, undefined)
  })

  test('OIDC-07 in a form that comes by GET it is not looked for (RFC 6750 §2.2)', async () => {
    const token = await accessToken(host, 'openid')
    const body = `access_token=${token}`
    const status = await new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': Buffer.byteLength(body),
      }
      request(`${host.issuer}/userinfo`, { method: 'GET', headers }, (res) =>
        resolve(res.resume().statusCode),
      )
        .on('error', reject)
        .end(body)
    })
    expect(status).toBe(401)
  })

  test.each(['Bearer', 'Bearer ', 'Bearer a b', 'Bearer "x"', 'Bearer a,b', 'Bearer ='])(
    'the header %j is invalid_request',
    async (authorization) => {
      await expectRefusal(await userinfoAt('', { authorization }), 400, 'invalid_request')
    },
  )

  test('ROB-01 a form with brackets has no token', async () => {
    for (const name of ['access_token[]', 'access_token[a]', '__proto__[access_token]'])
      await expectRefusal(await postForm({ [name]: token }), 401, undefined)
    expect(({} as { access_token?: unknown }).access_token).toBeUndefined()
  })
})

function userinfoAt(query: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${host.issuer}/userinfo${query}`, { headers })
}

function rawGet(lines: readonly string[]): Promise<{ status: number }> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(host.origin).port), 'localhost')
    let text = ''
    socket.on('data', (data) => {
      text += data
    })
    socket.on('error', reject)
    socket.on('close', () => resolve({ status: Number(text.split(' ', 2)[1]) }))
    socket.write(
      `${['GET /oauth/userinfo HTTP/1.1', 'Host: x', 'Connection: close', ...lines].join('\r\n')}\r\n\r\n`,
    )
  })
}

describe('OIDC-08 what is no good token gets 401', () => {
  test('RS-01 no token, or another scheme, is told how, and no error is named', async () => {
    for (const headers of [{}, { authorization: 'Basic Y29uZjpjb25mLXNlY3JldA==' }, { cookie: 'host=x' }])
      await expectRefusal(await userinfoAt('', headers), 401, undefined)
    await expectRefusal(await postForm({ access_token: '' }), 401, undefined)
  })

  test('a random one, one with another end, a code, a refresh token and an ID token are invalid_token', async () => {
    const { tokens } = await signIn(host)
    const bad = [
      'x',
      'a'.repeat(64),
      `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`,
      tokens.refresh_token,
      tokens.id_token,
    ]
    for (const value of bad) {
      await expectRefusal(await userinfo(host, value), 401, 'invalid_token')
      await expectRefusal(await postForm({ access_token: value }), 401, 'invalid_token')
    }
  })

  test('one that has expired, to the millisecond', async () => {
    const mine = await accessToken(host, 'openid')
    host.advance(3599.999)
    expect((await userinfo(host, mine)).status).toBe(200)
    host.advance(0.001)
    await expectRefusal(await userinfo(host, mine), 401, 'invalid_token')
    token = await accessToken(host, 'openid profile email')
  })

  test('one whose grant was revoked', async () => {
    const mine = await accessToken(host, 'openid', { user: 'bob' })
    await host.oauth.grants.revokeUser('bob')
    await expectRefusal(await userinfo(host, mine), 401, 'invalid_token')
  })

  test('one whose user is gone', async () => {
    host.users.set('dora', { id: 'dora', name: 'Dora', email: '' })
    const hers = await accessToken(host, 'openid', { user: 'dora' })
    host.users.delete('dora')
    await expectRefusal(await userinfo(host, hers), 401, 'invalid_token')
  })

  test('one whose client was disabled or deleted', async () => {
    const { client_id, client_secret } = await host.oauth.clients.create({
      redirect_uris: ['https://rp.example/cb'],
    })
    const credentials = `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}`
    const mine = await tokenOf(client_id!, credentials)
    expect((await userinfo(host, mine)).status).toBe(200)
    await host.oauth.clients.update(client_id!, { disabled: true })
    await expectRefusal(await userinfo(host, mine), 401, 'invalid_token')
    await host.oauth.clients.update(client_id!, { disabled: false })
    expect((await userinfo(host, mine)).status).toBe(200)
    await host.oauth.clients.delete(client_id!)
    await expectRefusal(await userinfo(host, mine), 401, 'invalid_token')
  })

  async function tokenOf(client: string, authorization: string): Promise<string> {
    const { code } = await getCode(host, { client, params: { scope: 'openid' } })
    const form = {
      grant_type: 'authorization_code',
      code,
      code_verifier: VERIFIER,
      redirect_uri: 'https://rp.example/cb',
    }
    return (await postToken(host, form, { client, headers: { authorization } })).body.access_token
  }

  test('RS-08 one that is for an API elsewhere, opaque or a JWT', async () => {
    const elsewhere = (await getTokens(host, { params: { scope: 'openid read', resource: API } }))
      .access_token
    expect(decodeProtectedHeader(elsewhere).typ).toBe('at+jwt')
    await expectRefusal(await userinfo(host, elsewhere), 401, 'invalid_token')
    const other = await startOpenIdHost()
    const { access_token } = await getTokens(other, {
      params: { scope: 'openid read', resource: `${other.origin}/api` },
    })
    expect((await callApi(other, '/api/read', access_token)).status).toBe(200)
    expect((await userinfo(other, access_token)).status).toBe(401)
    await other.close()
  })

  test('ROB-07, RS-07 JWTs of ours that are no access token, and of others', async () => {
    const now = Math.floor(host.now() / 1000)
    const claims = {
      iss: host.issuer,
      sub: 'alice',
      aud: host.origin,
      exp: now + 60,
      iat: now,
      scope: 'openid',
      client_id: 'conf',
      jti: 'a'.repeat(32),
    }
    const jwts = [
      forge({ ...OWN_HEADER, typ: 'at+jwt' }, claims),
      forge(OWN_HEADER, claims),
      forge({ ...OWN_HEADER, typ: 'logout+jwt' }, claims),
      forge({ ...OWN_HEADER, typ: 'at+jwt' }, [claims]),
      forge({ ...OWN_HEADER, typ: 'at+jwt' }, 'null'),
      forge({ ...OWN_HEADER, typ: 'at+jwt', crit: ['exp'] }, { ...claims, exp: 1e308 }),
      ...[
        'a.b',
        'a.b.c',
        'a.b.c.d',
        'a.b.c.d.e',
        '..',
        '.',
        'a.b.c.d.e.f.g.h.i.j',
        'eyJhbGciOiJub25lIn0.e30.',
      ],
    ]
    for (const jwt of jwts) {
      await expectRefusal(await userinfo(host, jwt), 401, 'invalid_token')
      await expectRefusal(await postForm({ access_token: jwt }), 401, 'invalid_token')
    }
    const long = await postForm({ access_token: 'a.'.repeat(30_000) })
    await expectRefusal(long, 401, 'invalid_token')
    expect((await postForm({ access_token: 'a'.repeat(1_000_000) })).status).toBe(413)
  })

  test('no answer and no event holds the token', async () => {
    const events = JSON.stringify(host.events)
    expect(events).toContain('access_token.refused')
    expect(events).not.toContain(token)
  })
})

describe('OIDC-05 a token without the scope openid', () => {
  test('is insufficient_scope, 403, and the challenge names the scope', async () => {
    const mine = await accessToken(host, 'read profile')
    await expectRefusal(await userinfo(host, mine), 403, 'insufficient_scope', { scope: 'openid' })
    await expectRefusal(await postForm({ access_token: mine }), 403, 'insufficient_scope', {
      scope: 'openid',
    })
  })
})

describe('OIDC-22 a client that registered for it gets a JWT', () => {
  test.each([
    ['signed-rs256', 'RS256'],
    ['signed-es256', 'ES256'],
    ['signed-eddsa', 'EdDSA'],
  ])('%s, signed %s, with iss, aud and the same sub', async (client, alg) => {
    const { tokens, claims } = await signIn(host, { client, params: { scope: 'openid profile' } })
    for (const init of [{}, { method: 'POST' }]) {
      const answer = await userinfo(host, tokens.access_token, init)
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-type')).toBe('application/jwt')
      expectHeaders(answer.headers)
      const { payload, protectedHeader } = await verifyJwt(host, answer.text, client)
      expect(protectedHeader).toEqual({ alg, typ: 'JWT', kid: expect.any(String) })
      expect(payload).toEqual({ iss: host.issuer, aud: client, sub: claims.sub, name: 'Alice' })
    }
  })

  test('and JSON where it is refused', async () => {
    const mine = await accessToken(host, 'read', { client: 'signed-rs256' })
    await expectRefusal(await userinfo(host, mine), 403, 'insufficient_scope', { scope: 'openid' })
  })

  test('RS-07 that JWT opens nothing', async () => {
    const { tokens } = await signIn(host, { client: 'signed-rs256' })
    const { text } = await userinfo(host, tokens.access_token)
    await expectRefusal(await userinfo(host, text), 401, 'invalid_token')
    expect((await callApi(host, '/api/any', text)).status).toBe(401)
  })
})

describe('methods and origins', () => {
  test('CLIENTS-08, K-15, HDR-03 a browser of any origin may ask, and reads the challenge', async () => {
    const preflight = await fetch(`${host.issuer}/userinfo`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://spa.example',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization',
      },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
    expect(preflight.headers.get('access-control-allow-credentials')).toBeNull()
    expect(preflight.headers.get('access-control-allow-methods')).toBe('GET, POST')
    expect(preflight.headers.get('access-control-allow-headers')).toContain('Authorization')
    const answer = await userinfo(host, token, { headers: { origin: 'https://spa.example' } })
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
  })

  test.each(['PUT', 'DELETE', 'PATCH'])('HDR-05 %s is 405 and names those that are', async (method) => {
    const answer = await fetch(`${host.issuer}/userinfo`, { method })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, POST'])
    expectHeaders(answer.headers)
    expect(await answer.json()).toMatchObject({ error: 'invalid_request' })
  })

  test('a session cookie of the host neither helps nor is given', async () => {
    const { agent } = await signIn(host)
    const page = await agent.get(`${host.issuer}/userinfo`)
    expect(page.status).toBe(401)
    expect(page.headers.get('set-cookie')).toBeNull()
  })
})

test('a findUser that fails is server_error with nothing of it, not a 401 that would sign everybody out', async () => {
  let failing = false
  const other = await startOpenIdHost({
    provider: {
      findUser: (id) => {
        if (failing) throw new Error('connect ECONNREFUSED 10.9.8.7')
        return { id, name: 'A', email: '' }
      },
    },
  })
  const mine = await accessToken(other, 'openid')
  failing = true
  const answer = await userinfo(other, mine)
  expect([answer.status, answer.body.error]).toEqual([500, 'server_error'])
  expect(answer.text).not.toContain('10.9.8.7')
  expectHeaders(answer.headers)
  await other.close()
})
