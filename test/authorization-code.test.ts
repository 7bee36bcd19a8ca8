import SQLite from 'better-sqlite3'
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
  s256,
  signedIn,
  VERIFIER,
} from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import { dump, expectRefusal, expectTokens } from './support/token-endpoint.js'
import { expectDead } from './support/tokens.js'

let host: Host
beforeAll(async () => {
  host = await startHost()
})
afterAll(() => host.close())

const OTHER_VERIFIER = 'another-verifier-that-is-long-enough-0123456789'

/** Whether tokens are good, at the API and for a refresh. */
async function expectAlive(
  own: Host,
  { access_token, refresh_token }: { access_token: string; refresh_token: string },
  client = 'conf',
): Promise<void> {
  expect((await callApi(own, '/api/read', access_token)).status).toBe(200)
  expectTokens(await refresh(own, refresh_token, { client }))
}

test('CODE-01 a thousand codes are distinct, of 160 bits at least, and tell nothing of user, client or time', async () => {
  const agent = await signedIn(host, 'alice')
  const codes: string[] = []
  while (codes.length < 1000) codes.push((await getCode(host, { client: 'first', agent })).code)
  expect(new Set(codes).size).toBe(1000)
  for (const code of codes) {
    expect(code).toMatch(/^[A-Za-z0-9_-]{27,512}$/)
    const read = ['base64url', 'hex', 'utf8'].map((encoding) =>
      Buffer.from(code, encoding as BufferEncoding).toString('latin1'),
    )
    expect(read.join()).not.toMatch(/alice|first|read/)
  }
  const places = Array.from({ length: codes[0]?.length ?? 0 }, (_, place) => {
    return new Set(codes.map((code) => code[place])).size
  })
  expect(Math.min(...places)).toBeGreaterThan(48)
  expect(new Set(codes.map((code) => code.slice(0, 4))).size).toBeGreaterThan(990)
})

describe('CODE-02 the lifetime of a code', () => {
  test('is 60 seconds', async () => {
    const { code } = await getCode(host)
    const { code: late } = await getCode(host)
    host.advance(59)
    expectTokens(await redeem(host, code))
    host.advance(1)
    expectRefusal(await redeem(host, late), 400, 'invalid_grant')
    host.advance(600)
    expectRefusal(await redeem(host, late), 400, 'invalid_grant')
  })

  test('is what the option says', async () => {
    const own = await startHost({ provider: { lifetimes: { authorizationCode: 5 } } })
    const { code } = await getCode(own)
    const { code: late } = await getCode(own)
    own.advance(4)
    expectTokens(await redeem(own, code))
    own.advance(1)
    expectRefusal(await redeem(own, late), 400, 'invalid_grant')
    await own.close()
  })
})

describe('a code that is used a second time', () => {
  test('CODE-03 is known for a replay for some minutes after it expired, while others write', async () => {
    const { code } = await getCode(host)
    const { body } = await redeem(host, code)
    host.advance(300)
    await getCode(host, { user: 'bob' })
    expectRefusal(await redeem(host, code), 400, 'invalid_grant')
    expect((await callApi(host, '/api/any', body.access_token)).status).toBe(401)
  })

  test('TOK scopes that the host took from the client before the redemption are not in the token', async () => {
    const created = await host.oauth.clients.create({ redirect_uris: ['https://rp.example/cb'] })
    const params = { client_id: created.client_id, scope: 'read write' }
    const { code } = await getCode(host, { params })
    await host.oauth.clients.update(created.client_id, { scope: 'read' })
    const response = await fetch(`${host.issuer}/token`, {
      method: 'POST',
      headers: { authorization: basic(created.client_id, created.client_secret ?? '') },
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code,
        redirect_uri: 'https://rp.example/cb',
        code_verifier: VERIFIER,
      }),
    })
    expect(await response.json()).toMatchObject({ scope: 'read' })
  })

  test('CODE-03 CODE-04 is refused, and takes back all that the first use led to', async () => {
    const { code } = await getCode(host)
    const { body: first } = await redeem(host, code)
    const { body: second } = await refresh(host, first.refresh_token)
    expectRefusal(await redeem(host, code), 400, 'invalid_grant')
    await expectDead(host, first)
    await expectDead(host, second)
    expectRefusal(await redeem(host, code), 400, 'invalid_grant')
    const told = host.events.filter(({ name }) => name === 'code.reused').at(-1)
    expect(told?.event).toEqual({ clientId: 'conf', userId: 'alice', grantId: expect.any(String) })
  })

  test('leaves the tokens of other codes and other clients alone', async () => {
    const before = await getTokens(host)
    const other = await getTokens(host, { client: 'conf2' })
    const { code } = await getCode(host)
    await redeem(host, code)
    expectRefusal(await redeem(host, code), 400, 'invalid_grant')
    await expectAlive(host, before)
    await expectAlive(host, other, 'conf2')
  })

  test.each([
    ['a wrong verifier', { form: { code_verifier: OTHER_VERIFIER } }, 400, 'invalid_grant'],
    ['no verifier', { form: { code_verifier: undefined } }, 400, 'invalid_grant'],
    ['a malformed verifier', { form: { code_verifier: 'abc' } }, 400, 'invalid_grant'],
    ['a wrong redirect URI', { form: { redirect_uri: 'https://rp.example/' } }, 400, 'invalid_grant'],
    ['another client', { client: 'conf2' }, 400, 'invalid_grant'],
    ['a public client', { client: 'pub' }, 400, 'invalid_grant'],
  ])('CODE-05 with %s is refused and takes nothing back', async (_, request, status, error) => {
    const { code } = await getCode(host)
    const { body } = await redeem(host, code)
    for (let times = 0; times < 7; times++) expectRefusal(await redeem(host, code, request), status, error)
    await expectAlive(host, body)
  })

  test('CODE-05 with a wrong secret is refused and takes nothing back', async () => {
    const { code } = await getCode(host)
    const { body } = await redeem(host, code)
    const form = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUriOf('conf'),
      code_verifier: VERIFIER,
    }
    const headers = { authorization: basic('conf', 'wrong') }
    expectRefusal(await postToken(host, form, { headers }), 401, 'invalid_client')
    await expectAlive(host, body)
  })

  test('after it has expired is an ordinary refusal', async () => {
    const own = await startHost()
    const { code } = await getCode(own)
    const { body } = await redeem(own, code)
    own.advance(61)
    expectRefusal(await redeem(own, code), 400, 'invalid_grant')
    expect(body.access_token).toEqual(expect.any(String))
    await own.close()
  })
})

describe('CODE-06 a code that is presented wrongly stays good for its client', () => {
  test.each([
    ['another client', { client: 'conf2' }],
    [
      'another client with its own redirect URI',
      { client: 'conf2', form: { redirect_uri: redirectUriOf('conf') } },
    ],
    ['a public client', { client: 'pub' }],
    ['the redirect URI of another client', { form: { redirect_uri: 'https://rp2.example/cb' } }],
    ['a wrong verifier', { form: { code_verifier: OTHER_VERIFIER } }],
  ])('by %s', async (_, request) => {
    const { code } = await getCode(host)
    expectRefusal(await redeem(host, code, request), 400, 'invalid_grant')
    expectTokens(await redeem(host, code))
  })
})

describe('CODE-07 redirect_uri', () => {
  const cb2 = 'https://rp.example/cb2?x=1'

  test.each([
    'https://rp.example/cb1/',
    'https://rp.example/CB1',
    'https://RP.example/cb1',
    'https://rp.example:443/cb1',
    'https://rp.example/cb1?',
    'https://rp.example/cb1#',
    'https://rp.example/cb1 ',
    'http://rp.example/cb1',
    'https://rp.example/cb2?x=1',
    'https://evil.example/cb1',
    'cb1',
  ])('%s is not the one that was used', async (redirect_uri) => {
    const { code } = await getCode(host, { client: 'multi' })
    expectRefusal(await redeem(host, code, { client: 'multi', form: { redirect_uri } }), 400, 'invalid_grant')
    expectTokens(await redeem(host, code, { client: 'multi' }))
  })

  test('with a query is the same with it only', async () => {
    const request = { client: 'multi', params: { redirect_uri: cb2 } }
    const { code } = await getCode(host, request)
    for (const redirect_uri of ['https://rp.example/cb2', `${cb2}&y=2`, 'https://rp.example/cb1'])
      expectRefusal(
        await redeem(host, code, { client: 'multi', form: { redirect_uri } }),
        400,
        'invalid_grant',
      )
    expectTokens(await redeem(host, code, { client: 'multi', form: { redirect_uri: cb2 } }))
  })

  test('RURI-13 of a native app is the one with the port that was used', async () => {
    const { code } = await getCode(host, { client: 'nat' })
    for (const redirect_uri of [
      'http://127.0.0.1:51005/cb',
      'http://127.0.0.1/cb',
      'http://localhost:51004/cb',
    ])
      expectRefusal(await redeem(host, code, { client: 'nat', form: { redirect_uri } }), 400, 'invalid_grant')
    expectTokens(await redeem(host, code, { client: 'nat' }))
  })

  test('may be left out where PKCE binds the code (OAuth 2.1)', async () => {
    const { code } = await getCode(host, { client: 'pub' })
    expectTokens(await redeem(host, code, { client: 'pub', form: { redirect_uri: undefined } }))
  })

  test('may not be left out where it was sent and nothing else binds the code', async () => {
    const params = { code_challenge: undefined, code_challenge_method: undefined }
    const { code } = await getCode(host, { client: 'nopkce', params })
    const form = { code_verifier: undefined }
    expectRefusal(
      await redeem(host, code, { client: 'nopkce', form: { ...form, redirect_uri: undefined } }),
      400,
      'invalid_grant',
    )
    expectTokens(await redeem(host, code, { client: 'nopkce', form }))
  })

  test('may be left out without PKCE where the authorization request left it out too', async () => {
    const params = { redirect_uri: undefined, code_challenge: undefined, code_challenge_method: undefined }
    const { code } = await getCode(host, { client: 'nopkce', params })
    const form = { code_verifier: undefined, redirect_uri: undefined }
    expectTokens(await redeem(host, code, { client: 'nopkce', form }))
  })

  test('that the authorization request left out must be the registered one where it is sent', async () => {
    const { code } = await getCode(host, { params: { redirect_uri: undefined } })
    const form = { redirect_uri: 'https://rp.example/other' }
    expectRefusal(await redeem(host, code, { form }), 400, 'invalid_grant')
    expectTokens(await redeem(host, code))
  })
})

describe('CODE-08 one thing in place of another', () => {
  test('is refused, and uses nothing up', async () => {
    const { code } = await getCode(host)
    const { access_token, refresh_token } = await getTokens(host)
    const { page } = await pendingRequest()
    for (const value of [access_token, refresh_token, page])
      expectRefusal(await redeem(host, value), 400, 'invalid_grant')
    for (const value of [access_token, code, page])
      expectRefusal(await refresh(host, value), 400, 'invalid_grant')
    for (const value of [code, refresh_token, page])
      expect((await callApi(host, '/api/read', value)).status).toBe(401)
    expectTokens(await redeem(host, code))
    await expectAlive(host, { access_token, refresh_token })
  })

  test.each([
    ['cut', (code: string) => code.slice(0, -1)],
    ['longer', (code: string) => `${code}A`],
    ['with a space', (code: string) => `${code} `],
    ['in capitals', (code: string) => code.toUpperCase()],
    ['with another last character', (code: string) => code.slice(0, -1) + (code.endsWith('A') ? 'B' : 'A')],
    ['with another first character', (code: string) => (code.startsWith('A') ? 'B' : 'A') + code.slice(1)],
    ['in padded Base64', (code: string) => `${code}=`],
    ['turned round', (code: string) => [...code].reverse().join('')],
  ])('a code %s is unknown', async (_, change) => {
    const { code } = await getCode(host)
    expectRefusal(await redeem(host, change(code)), 400, 'invalid_grant')
    expectTokens(await redeem(host, code))
  })

  async function pendingRequest() {
    const agent = await signedIn(host, 'bob')
    const url = new URL(`${host.issuer}/authorize`)
    url.search = String(
      new URLSearchParams({
        response_type: 'code',
        client_id: 'nat',
        redirect_uri: redirectUriOf('nat'),
        scope: 'read',
        code_challenge: s256(VERIFIER),
        code_challenge_method: 'S256',
      }),
    )
    const { url: consent } = await agent.follow(url.href)
    return { page: consent.split('/').at(-1) ?? '' }
  }
})

describe('CODE-09 a grant that has ended', () => {
  test('between approval and redemption: the code is worth nothing', async () => {
    const own = await startHost()
    const { code } = await getCode(own)
    const { code: other } = await getCode(own, { client: 'conf2' })
    const [grant] = await own.oauth.grants.list({ clientId: 'conf' })
    expect(await own.oauth.grants.revoke(grant?.id ?? '')).toBe(true)
    expectRefusal(await redeem(own, code), 400, 'invalid_grant')
    expectTokens(await redeem(own, other, { client: 'conf2' }))
    await own.close()
  })

  test('and was given anew does not bring old codes and tokens back', async () => {
    const own = await startHost()
    const { code } = await getCode(own)
    const old = await getTokens(own)
    await own.oauth.grants.revokeUser('alice')
    const anew = await getTokens(own)
    expectRefusal(await redeem(own, code), 400, 'invalid_grant')
    await expectDead(own, old)
    await expectAlive(own, anew)
    await own.close()
  })

  test('with its client: codes of a deleted or disabled client are worth nothing', async () => {
    const own = await startHost({ provider: { clients } })
    const created = await own.oauth.clients.create({
      client_id: 'passing',
      client_secret: 'passing-secret',
      redirect_uris: ['https://rp.example/cb'],
    })
    const { code } = await getCode(own, { client: 'passing' })
    await own.oauth.clients.update(created.client_id, { disabled: true })
    expectRefusal(await redeem(own, code, { client: 'passing' }), 401, 'invalid_client')
    await own.oauth.clients.delete(created.client_id)
    await own.oauth.clients.create({
      client_id: 'passing',
      client_secret: 'passing-secret',
      redirect_uris: ['https://rp.example/cb'],
    })
    expectRefusal(await redeem(own, code, { client: 'passing' }), 400, 'invalid_grant')
    await own.close()
  })
})

test('CODE-10 no column of the database holds a code, token, secret, verifier or pending request in clear', async () => {
  const database = new SQLite(':memory:')
  const own = await startHost({ provider: { store: database } })
  const generated = await own.oauth.clients.create({
    client_id: 'generated',
    redirect_uris: ['https://rp.example/cb'],
  })
  await own.oauth.clients.create({
    client_id: 'chosen',
    client_secret: 'chosen-secret',
    redirect_uris: ['https://rp.example/cb'],
  })
  const { code, agent } = await getCode(own, { client: 'chosen' })
  const { body: first } = await redeem(own, code, { client: 'chosen' })
  const { body: second } = await refresh(own, first.refresh_token, { client: 'chosen' })
  expect((await refresh(own, first.refresh_token, { client: 'chosen' })).body).toEqual(second)
  const { code: waiting } = await getCode(own, { agent })
  await redeem(own, waiting, { form: { code_verifier: OTHER_VERIFIER } })
  await callApi(own, '/api/read', second.access_token)

  const stored = dump(database)
  expect(stored).toContain('alice')
  expect(stored).toContain('rp.example')
  const secrets = [
    code,
    waiting,
    first.access_token,
    first.refresh_token,
    second.access_token,
    second.refresh_token,
    generated.client_secret ?? '',
    'chosen-secret',
    'conf-secret',
    VERIFIER,
    OTHER_VERIFIER,
    ...[...agent.cookies.values()].map(({ value }) => value),
  ]
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(8)
    for (const spelling of [
      secret,
      Buffer.from(secret).toString('hex'),
      Buffer.from(secret).toString('base64url'),
      Buffer.from(secret, 'base64url').toString('hex'),
      Buffer.from(secret, 'base64url').toString('base64'),
      Buffer.from(secret, 'base64url').toString('latin1'),
    ].filter((spelling) => spelling.length > 8))
      expect(stored).not.toContain(spelling)
  }
  await own.close()
  database.close()
})

describe('RFC 8707 §2.2 resource at the redemption', () => {
  const api = 'https://api.example'
  const files = 'https://files.example'
  let own: Host
  beforeAll(async () => {
    own = await startHost({
      provider: {
        resources: { [api]: { scopes: ['read'] }, [files]: { scopes: ['write'] } },
      },
    })
    own.app.get('/at/api', own.oauth.requireToken([], { resource: api }) as never, (_req, res) => {
      res.json({})
    })
    own.app.get('/at/files', own.oauth.requireToken([], { resource: files }) as never, (_req, res) => {
      res.json({})
    })
  })
  afterAll(() => own.close())

  const both = { params: { scope: 'read write', resource: [api, files] } }

  test('RSRC-04 picks one of those that were granted, and the token has the scopes of that one', async () => {
    const { code } = await getCode(own, both)
    const { body } = await redeem(own, code, { form: { resource: api } })
    expect(body.scope).toBe('read')
    expect((await callApi(own, '/at/api', body.access_token)).status).toBe(200)
    expect((await callApi(own, '/at/files', body.access_token)).status).toBe(401)
    const other = await refresh(own, body.refresh_token, { form: { resource: files } })
    expect(other.body.scope).toBe('write')
    expect((await callApi(own, '/at/api', other.body.access_token)).status).toBe(401)
    expect((await callApi(own, '/at/files', other.body.access_token)).status).toBe(200)
  })

  test('RSRC-04 two of them, or none named, is all', async () => {
    for (const resource of [[api, files], undefined]) {
      const { code } = await getCode(own, both)
      const { body } = await redeem(own, code, { form: { resource } })
      expect(body.scope).toBe('read write')
      expect((await callApi(own, '/at/api', body.access_token)).status).toBe(200)
      expect((await callApi(own, '/at/files', body.access_token)).status).toBe(200)
    }
  })

  test('RSRC-02 one that was not granted is invalid_target and uses nothing up', async () => {
    const { code } = await getCode(own, { params: { resource: api } })
    for (const resource of [files, [api, files], 'https://elsewhere.example', own.origin, `${api}#x`])
      expectRefusal(await redeem(own, code, { form: { resource } }), 400, 'invalid_target')
    expectTokens(await redeem(own, code, { form: { resource: api } }))
  })

  test('RSRC-04 one at which none of the granted scopes means anything is invalid_target', async () => {
    const { code } = await getCode(own, { params: { scope: 'read', resource: [api, files] } })
    expectRefusal(await redeem(own, code, { form: { resource: files } }), 400, 'invalid_target')
    const { body } = await redeem(own, code, { form: { resource: api } })
    expect(body.scope).toBe('read')
    const form = { resource: files }
    expectRefusal(await refresh(own, body.refresh_token, { form }), 400, 'invalid_target')
    expectTokens(await refresh(own, body.refresh_token))
  })

  test('RSRC-05 the same one in another spelling is the same', async () => {
    const { code } = await getCode(own, { params: { resource: 'HTTPS://API.example/' } })
    const { body } = await redeem(own, code, { form: { resource: 'https://API.EXAMPLE' } })
    expect((await callApi(own, '/at/api', body.access_token)).status).toBe(200)
  })

  test('RSRC-01 without any, the token is for this origin and no other resource', async () => {
    const { access_token } = await getTokens(own, { user: 'bob' })
    expect((await callApi(own, '/api/read', access_token)).status).toBe(200)
    expect((await callApi(own, '/at/api', access_token)).status).toBe(401)
  })
})

describe('STOR-04 what the store gives back damaged is no proof of anything', () => {
  let database: SQLite.Database
  let own: Host
  beforeEach(async () => {
    database = new SQLite(':memory:')
    own = await startHost({ provider: { store: database } })
  })
  afterEach(async () => {
    await own.close()
    database.close()
  })

  const change = (kind: string, expression: string) =>
    database.prepare(`UPDATE oauth_records SET data = ${expression} WHERE kind = ?`).run(kind)

  test.each(['pub', 'conf'])(
    'a code of %s whose challenge is missing is refused, with a verifier and without',
    async (client) => {
      const { code } = await getCode(own, { client })
      change('code', "json_remove(data, '$.codeChallenge')")
      expectRefusal(await redeem(own, code, { client }), 400, 'invalid_grant')
      const form = { code_verifier: undefined }
      expectRefusal(await redeem(own, code, { client, form }), 400, 'invalid_grant')
    },
  )

  test.each([
    ['empty', "json_set(data, '$.codeChallenge', '')"],
    ['null', "json_set(data, '$.codeChallenge', null)"],
    ['cut', "json_set(data, '$.codeChallenge', substr(data ->> '$.codeChallenge', 2))"],
  ])('a code whose challenge is %s gives no token, with a verifier or without', async (_, expression) => {
    const { code } = await getCode(own, { client: 'pub' })
    change('code', expression)
    for (const code_verifier of [VERIFIER, undefined, '']) {
      const { status, body } = await redeem(own, code, { client: 'pub', form: { code_verifier } })
      expect(status).toBeGreaterThanOrEqual(400)
      expect(body.access_token).toBeUndefined()
    }
  })

  test('a code, refresh token or access token that cannot be read is as one that is not known', async () => {
    const { code } = await getCode(own)
    const tokens = await getTokens(own)
    for (const kind of ['code', 'refresh', 'access']) change(kind, 'substr(data, 3)')
    expectRefusal(await redeem(own, code), 400, 'invalid_grant')
    expectRefusal(await refresh(own, tokens.refresh_token), 400, 'invalid_grant')
    expect((await callApi(own, '/api/read', tokens.access_token)).status).toBe(401)
    expect(own.events.filter(({ name }) => name === 'server.error')).toEqual([])
  })

  test('RS-08 an access token without an audience opens nothing', async () => {
    const { access_token } = await getTokens(own)
    change('access', "json_set(data, '$.audience', json('[]'))")
    expect((await callApi(own, '/api/any', access_token)).status).toBe(401)
  })

  test('a secret that is missing does not make a client public', async () => {
    const redirect_uris = ['https://rp.example/cb']
    const client_secret = 'stored-secret'
    await own.oauth.clients.create({ client_id: 'stored', client_secret, redirect_uris })
    const { code } = await getCode(own, { client: 'stored' })
    database.exec("UPDATE oauth_clients SET data = json_set(data, '$.secret', json('{}'))")
    const form = { client_id: 'stored', grant_type: 'authorization_code', code, code_verifier: VERIFIER }
    for (const more of [{}, { client_secret: '' }, { client_secret: 'undefined' }, { client_secret }]) {
      const response = await fetch(`${own.issuer}/token`, {
        method: 'POST',
        body: new URLSearchParams({ ...form, ...more }),
      })
      expect(response.status).toBeGreaterThanOrEqual(400)
      expect(await response.text()).not.toContain('access_token')
    }
  })
})
