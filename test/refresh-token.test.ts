import SQLite from 'better-sqlite3'
import { clients } from './support/clients.js'
import { basic, callApi, getCode, getTokens, postToken, redeem, refresh, signedIn } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import { expectRefusal, expectTokens, send } from './support/token-endpoint.js'
import { expectDead } from './support/tokens.js'

interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
}

let host: Host
beforeAll(async () => {
  host = await startHost()
})
afterAll(() => host.close())

async function expectOpen(own: Host, { access_token }: Pick<Tokens, 'access_token'>): Promise<void> {
  expect((await callApi(own, '/api/any', access_token)).status).toBe(200)
}

describe('a refresh', () => {
  test('REFR-01 gives a new access token and a new refresh token with the same scope', async () => {
    const tokens = await getTokens(host, { params: { scope: 'read write' } })
    const renewed = await refresh(host, tokens.refresh_token)
    expectTokens(renewed)
    expect(renewed.body.scope).toBe('read write')
    expect(renewed.body.expires_in).toBe(3600)
    expect(renewed.body.access_token).not.toBe(tokens.access_token)
    expect(renewed.body.refresh_token).not.toBe(tokens.refresh_token)
    expect((await callApi(host, '/api/write', renewed.body.access_token)).status).toBe(200)
    await expectOpen(host, tokens)
  })

  test.each(['post', 'pub', 'nat', 'nopkce'])('REFR-01 works for %s', async (client) => {
    const { refresh_token } = await getTokens(host, { client })
    const renewed = await refresh(host, refresh_token, { client })
    expectTokens(renewed)
    expectTokens(await refresh(host, renewed.body.refresh_token, { client }))
  })

  test('goes on for the scope of its own authorization, whatever the user allows the client later', async () => {
    const agent = await signedIn(host, 'bob')
    const narrow = await getTokens(host, { agent, params: { scope: 'read' } })
    await getTokens(host, { agent, params: { scope: 'read write' } })
    const renewed = await refresh(host, narrow.refresh_token)
    expect(renewed.body.scope).toBe('read')
    const form = { scope: 'read write' }
    expectRefusal(await refresh(host, renewed.body.refresh_token, { form }), 400, 'invalid_scope')
  })

  test('carries offline_access along where it was granted', async () => {
    const tokens = await getTokens(host, { params: { scope: 'offline_access read' } })
    expect(String(tokens.scope).split(' ').sort()).toEqual(['offline_access', 'read'])
    expect((await refresh(host, tokens.refresh_token)).body.scope).toBe(tokens.scope)
  })
})

describe('REFR-05 scope', () => {
  test('narrower gives a narrower access token, and the next refresh without scope has all again', async () => {
    const { refresh_token } = await getTokens(host, { params: { scope: 'read write' } })
    const narrow = await refresh(host, refresh_token, { form: { scope: 'read' } })
    expectTokens(narrow)
    expect(narrow.body.scope).toBe('read')
    expect((await callApi(host, '/api/read', narrow.body.access_token)).status).toBe(200)
    const api = await callApi(host, '/api/write', narrow.body.access_token)
    expect(api.status).toBe(403)
    const all = await refresh(host, narrow.body.refresh_token)
    expect(all.body.scope).toBe('read write')
    expect((await callApi(host, '/api/write', all.body.access_token)).status).toBe(200)
    const turned = await refresh(host, all.body.refresh_token, { form: { scope: 'write  read write' } })
    expect(String(turned.body.scope).split(' ').sort()).toEqual(['read', 'write'])
  })

  test.each([
    'write',
    'read write',
    'read nope',
    'READ',
    'offline_access',
    'read offline_access',
    ' ',
    'read"',
    'read\\',
    'read\twrite',
    'réad',
    'read,write',
    'read+write',
  ])('%j, which is more than was granted, is invalid_scope and rotates nothing', async (scope) => {
    const own = await getTokens(host)
    expectRefusal(await refresh(host, own.refresh_token, { form: { scope } }), 400, 'invalid_scope')
    const { status, body } = await refresh(host, own.refresh_token, { form: { scope: 'read' } })
    expect(status).toBe(200)
    await expectOpen(host, body)
  })
})

describe('another client', () => {
  test('REFR-02 cannot use it, authenticated or public, and the client itself still can', async () => {
    const tokens = await getTokens(host)
    for (const client of ['conf2', 'post', 'pub', 'nat'])
      expectRefusal(await refresh(host, tokens.refresh_token, { client }), 400, 'invalid_grant')
    const secretless = await getTokens(host, { client: 'pub' })
    for (const client of ['conf', 'nat'])
      expectRefusal(await refresh(host, secretless.refresh_token, { client }), 400, 'invalid_grant')
    expectTokens(await refresh(host, tokens.refresh_token))
    expectTokens(await refresh(host, secretless.refresh_token, { client: 'pub' }))
    await expectOpen(host, tokens)
  })

  test('REFR-11 nor can a wrong secret or none: no failed attempt rotates, revokes or locks', async () => {
    const tokens = await getTokens(host)
    const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token }
    const headers = { authorization: basic('conf', 'wrong') }
    expectRefusal(await postToken(host, form, { headers }), 401, 'invalid_client')
    for (const body of [new URLSearchParams(form), new URLSearchParams({ ...form, client_id: 'conf' })])
      expectRefusal(await send(host, { body }), 401, 'invalid_client')
    expectRefusal(await refresh(host, tokens.refresh_token, { client: 'conf2' }), 400, 'invalid_grant')
    expectTokens(await refresh(host, tokens.refresh_token))
  })

  test('REFR-11 failed attempts with a token that was rotated do not revoke its family', async () => {
    const tokens = await getTokens(host)
    const { body } = await refresh(host, tokens.refresh_token)
    host.advance(60)
    const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token }
    const headers = { authorization: basic('conf', 'wrong') }
    expectRefusal(await postToken(host, form, { headers }), 401, 'invalid_client')
    expectRefusal(await refresh(host, tokens.refresh_token, { client: 'conf2' }), 400, 'invalid_grant')
    expectRefusal(await refresh(host, tokens.refresh_token, { client: 'pub' }), 400, 'invalid_grant')
    await expectOpen(host, body)
    expectTokens(await refresh(host, body.refresh_token))
  })
})

describe('a refresh token that was rotated', () => {
  test('REFR-12 gets the very same tokens again within 10 seconds, as often as it asks', async () => {
    const { refresh_token } = await getTokens(host)
    const { body: first } = await refresh(host, refresh_token)
    for (const seconds of [0, 5, 4]) {
      host.advance(seconds)
      const again = await refresh(host, refresh_token)
      expectTokens(again)
      const { expires_in, ...tokens } = again.body
      const { expires_in: _, ...sameTokens } = first
      expect(tokens).toEqual(sameTokens)
      expect(expires_in).toBeLessThanOrEqual(3600)
      expect(expires_in).toBeGreaterThanOrEqual(3591)
    }
    await expectOpen(host, first)
    expectTokens(await refresh(host, first.refresh_token))
  })

  test('REFR-12 gets no other tokens for another scope or resource, and no more than it had', async () => {
    const { refresh_token } = await getTokens(host, { params: { scope: 'read write' } })
    const { body: first } = await refresh(host, refresh_token, { form: { scope: 'read' } })
    const again = await refresh(host, refresh_token)
    expect(again.body).toEqual(first)
    expect(again.body.scope).toBe('read')
    expectRefusal(await refresh(host, refresh_token, { form: { scope: 'admin' } }), 400, 'invalid_scope')
    const resource = 'https://elsewhere.example'
    expectRefusal(await refresh(host, refresh_token, { form: { resource } }), 400, 'invalid_target')
    await expectOpen(host, first)
  })

  test('REFR-12 RSRC-04 within the grace names another resource or scope: refused, and nothing is lost', async () => {
    const [one, two] = [`${host.origin}/one`, `${host.origin}/two`]
    const params = { scope: 'read write', resource: [one, two] }
    const { refresh_token } = await getTokens(host, { params })
    const { body: first } = await refresh(host, refresh_token, { form: { resource: one } })
    expectRefusal(await refresh(host, refresh_token, { form: { resource: two } }), 400, 'invalid_target')
    expectRefusal(await refresh(host, refresh_token, { form: { scope: 'read' } }), 400, 'invalid_scope')
    const again = await refresh(host, refresh_token, { form: { resource: one } })
    expect(again.body).toEqual(first)
    expectTokens(await refresh(host, first.refresh_token, { form: { resource: two, scope: 'read' } }))
  })

  test('REFR-04 a clock that is set back does not widen the grace', async () => {
    const own = await startHost()
    const tokens = await getTokens(own)
    const { body: second } = await refresh(own, tokens.refresh_token)
    own.advance(-600)
    expectRefusal(await refresh(own, tokens.refresh_token), 400, 'invalid_grant')
    await expectDead(own, second)
    await own.close()
  })

  test('REFR-04 access tokens that outlive every refresh token stay dead after a purge too', async () => {
    const DAY = 86_400
    const lifetimes = { accessToken: 7 * DAY, refreshToken: DAY, refreshTokenTotal: DAY }
    const own = await startHost({ provider: { lifetimes } })
    const tokens = await getTokens(own)
    const { body: second } = await refresh(own, tokens.refresh_token)
    own.advance(11)
    expectRefusal(await refresh(own, tokens.refresh_token), 400, 'invalid_grant')
    own.advance(DAY + 120)
    await own.oauth.purge()
    for (const { access_token } of [tokens, second])
      expect((await callApi(own, '/api/any', access_token)).status).toBe(401)
    await own.close()
  })

  test('REFR-04 after the grace is refused, and ends every token of its family', async () => {
    const tokens = await getTokens(host)
    const { body: second } = await refresh(host, tokens.refresh_token)
    const { body: third } = await refresh(host, second.refresh_token)
    host.advance(10)
    expectRefusal(await refresh(host, tokens.refresh_token), 400, 'invalid_grant')
    for (const each of [tokens, second, third]) await expectDead(host, each)
    const told = host.events.filter(({ name }) => name === 'refresh_token.reused').at(-1)
    expect(told?.event).toEqual({ clientId: 'conf', userId: 'alice', grantId: expect.any(String) })
  })

  test('REFR-04 within the grace too, once its successor has been used', async () => {
    const tokens = await getTokens(host)
    const { body: second } = await refresh(host, tokens.refresh_token)
    const { body: third } = await refresh(host, second.refresh_token)
    expectRefusal(await refresh(host, tokens.refresh_token), 400, 'invalid_grant')
    for (const each of [tokens, second, third]) await expectDead(host, each)
  })

  test('REFR-04 at once where refreshGrace is 0', async () => {
    const own = await startHost({ provider: { lifetimes: { refreshGrace: 0 } } })
    const tokens = await getTokens(own)
    const { body: second } = await refresh(own, tokens.refresh_token)
    expectRefusal(await refresh(own, tokens.refresh_token), 400, 'invalid_grant')
    for (const each of [tokens, second]) await expectDead(own, each)
    await own.close()
  })

  test('REFR-04 ends its own family only: another sign-in of the same user and client goes on', async () => {
    const agent = await signedIn(host, 'alice')
    const laptop = await getTokens(host, { agent })
    const phone = await getTokens(host, { agent })
    const { body: second } = await refresh(host, laptop.refresh_token)
    host.advance(11)
    expectRefusal(await refresh(host, laptop.refresh_token), 400, 'invalid_grant')
    await expectDead(host, second)
    await expectOpen(host, phone)
    expectTokens(await refresh(host, phone.refresh_token))
  })

  test('is no way around a reuse that was found: the family stays dead', async () => {
    const tokens = await getTokens(host)
    const { body: second } = await refresh(host, tokens.refresh_token)
    host.advance(11)
    expectRefusal(await refresh(host, tokens.refresh_token), 400, 'invalid_grant')
    for (const days of [0, 1, 20, 200]) {
      host.advance(days * 86_400)
      expectRefusal(await refresh(host, second.refresh_token), 400, 'invalid_grant')
      expectRefusal(await refresh(host, tokens.refresh_token), 400, 'invalid_grant')
    }
  })

  test('ends a family for as long as its youngest token would have lived', async () => {
    const own = await startHost()
    const DAY = 86_400
    const tokens = await getTokens(own)
    const { body: second } = await refresh(own, tokens.refresh_token)
    own.advance(29 * DAY)
    const { body: third } = await refresh(own, second.refresh_token)
    expectRefusal(await refresh(own, tokens.refresh_token), 400, 'invalid_grant')
    own.advance(20 * DAY)
    await getTokens(own, { user: 'bob' })
    expectRefusal(await refresh(own, third.refresh_token), 400, 'invalid_grant')
    await own.close()
  })

  test('within a grace that is longer than the access token lives, is a lost answer all the same', async () => {
    const own = await startHost({ provider: { lifetimes: { accessToken: 5, refreshGrace: 30 } } })
    const tokens = await getTokens(own)
    const { body: second } = await refresh(own, tokens.refresh_token)
    own.advance(20)
    const again = await refresh(own, tokens.refresh_token)
    expect(again.status).toBe(200)
    expect(again.body.refresh_token).toBe(second.refresh_token)
    expectTokens(await refresh(own, again.body.refresh_token))
    await own.close()
  })
})

describe('REFR-07 what is no refresh token', () => {
  test.each([
    ['a random string', 'x'.repeat(64)],
    ['a short string', 'x'],
    ['a JWT', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.'],
    ['a long string', 'x'.repeat(50_000)],
    ['NUL', '\0'],
  ])('%s is invalid_grant', async (_, value) => {
    expectRefusal(await refresh(host, value), 400, 'invalid_grant')
  })

  test('an access token or a changed refresh token is invalid_grant, and a refresh token opens no API', async () => {
    const tokens = await getTokens(host)
    expectRefusal(await refresh(host, tokens.access_token), 400, 'invalid_grant')
    for (let at = 0; at < tokens.refresh_token.length; at += 7) {
      const other = tokens.refresh_token[at] === 'A' ? 'B' : 'A'
      const changed = tokens.refresh_token.slice(0, at) + other + tokens.refresh_token.slice(at + 1)
      expectRefusal(await refresh(host, changed), 400, 'invalid_grant')
    }
    expect((await callApi(host, '/api/read', tokens.refresh_token)).status).toBe(401)
    expectTokens(await refresh(host, tokens.refresh_token))
  })

  test('missing is invalid_request', async () => {
    expectRefusal(await postToken(host, { grant_type: 'refresh_token' }), 400, 'invalid_request')
  })
})

describe('REFR-08 the lifetimes', () => {
  const DAY = 86_400

  test('30 days without use end it, and each use begins them anew', async () => {
    const own = await startHost()
    let { refresh_token } = await getTokens(own)
    for (let times = 0; times < 3; times++) {
      own.advance(30 * DAY - 1)
      const renewed = await refresh(own, refresh_token)
      expectTokens(renewed)
      ;({ refresh_token } = renewed.body)
    }
    own.advance(30 * DAY)
    expectRefusal(await refresh(own, refresh_token), 400, 'invalid_grant')
    await own.close()
  })

  test('365 days after the user approved it ends however often it is used', async () => {
    const own = await startHost()
    const { code } = await getCode(own)
    own.advance(50)
    let { refresh_token } = (await redeem(own, code)).body
    own.advance(-50)
    for (let days = 0; days < 350; days += 25) {
      own.advance(25 * DAY)
      const renewed = await refresh(own, refresh_token)
      expectTokens(renewed)
      ;({ refresh_token } = renewed.body)
    }
    own.advance(15 * DAY - 1)
    const last = await refresh(own, refresh_token)
    expectTokens(last)
    own.advance(1)
    expectRefusal(await refresh(own, last.body.refresh_token), 400, 'invalid_grant')
    await own.close()
  })

  test('are what the options say', async () => {
    const own = await startHost({
      provider: { lifetimes: { refreshToken: 100, refreshTokenTotal: 250, accessToken: 10 } },
    })
    let { refresh_token } = await getTokens(own)
    for (const seconds of [99, 99, 51]) {
      own.advance(seconds)
      const renewed = await refresh(own, refresh_token)
      expectTokens(renewed)
      expect(renewed.body.expires_in).toBe(10)
      ;({ refresh_token } = renewed.body)
    }
    own.advance(1)
    expectRefusal(await refresh(own, refresh_token), 400, 'invalid_grant')
    const idle = await getTokens(own)
    own.advance(100)
    expectRefusal(await refresh(own, idle.refresh_token), 400, 'invalid_grant')
    await own.close()
  })
})

describe('REFR-09 what the user or the host takes back', () => {
  test.each([
    ['the grant', (own: Host, grantId: string) => own.oauth.grants.revoke(grantId)],
    ['all of the user', (own: Host) => own.oauth.grants.revokeUser('alice')],
  ])('%s: refresh and access tokens are dead at once', async (_, revoke) => {
    const own = await startHost()
    const tokens = await getTokens(own)
    const { body: second } = await refresh(own, tokens.refresh_token)
    const bobs = await getTokens(own, { user: 'bob' })
    const [grant] = await own.oauth.grants.list({ userId: 'alice' })
    await revoke(own, grant?.id ?? '')
    for (const each of [tokens, second]) await expectDead(own, each)
    await expectOpen(own, bobs)
    expectTokens(await refresh(own, bobs.refresh_token))
    await own.close()
  })

  test('the client: a disabled one cannot refresh, a deleted one loses what it had', async () => {
    const own = await startHost({ provider: { clients } })
    await own.oauth.clients.create({
      client_id: 'passing',
      client_secret: 'passing-secret',
      redirect_uris: ['https://rp.example/cb'],
    })
    const tokens = await getTokens(own, { client: 'passing' })
    await own.oauth.clients.update('passing', { disabled: true })
    expectRefusal(await refresh(own, tokens.refresh_token, { client: 'passing' }), 401, 'invalid_client')
    await own.oauth.clients.update('passing', { disabled: false })
    const renewed = await refresh(own, tokens.refresh_token, { client: 'passing' })
    expectTokens(renewed)
    await own.oauth.clients.update('passing', { grant_types: ['authorization_code'] })
    const { refresh_token } = renewed.body
    expectRefusal(await refresh(own, refresh_token, { client: 'passing' }), 400, 'unauthorized_client')
    await own.oauth.clients.delete('passing')
    expect((await callApi(own, '/api/read', renewed.body.access_token)).status).toBe(401)
    await own.close()
  })
})

test('what the host takes from a client is not renewed, and what is left is', async () => {
  const own = await startHost({ provider: { clients } })
  const passing = { client_id: 'passing', client_secret: 'passing-secret', scope: 'read write' }
  await own.oauth.clients.create({ ...passing, redirect_uris: ['https://rp.example/cb'] })
  const tokens = await getTokens(own, { client: 'passing', params: { scope: 'read write' } })
  await own.oauth.clients.update('passing', { scope: 'read' })
  const form = { scope: 'write' }
  const { refresh_token } = tokens
  expectRefusal(await refresh(own, refresh_token, { client: 'passing', form }), 400, 'invalid_scope')
  const left = await refresh(own, refresh_token, { client: 'passing' })
  expect(left.body.scope).toBe('read')
  await own.oauth.clients.update('passing', { scope: 'offline_access' })
  expectRefusal(await refresh(own, left.body.refresh_token, { client: 'passing' }), 400, 'invalid_grant')
  await own.oauth.clients.update('passing', { scope: 'read write' })
  const again = await refresh(own, left.body.refresh_token, { client: 'passing' })
  expect(again.body.scope).toBe('read write')
  await own.close()
})

describe('REFR-10 resource', () => {
  const api = 'https://api.example'
  const files = 'https://files.example'

  test('outside of what was granted is invalid_target and rotates nothing', async () => {
    const own = await startHost({ provider: { resources: { [api]: {}, [files]: {} } } })
    const { refresh_token } = await getTokens(own, { params: { resource: api } })
    for (const resource of [files, [api, files], 'https://elsewhere.example', 'no-url', `${api}#fragment`])
      expectRefusal(await refresh(own, refresh_token, { form: { resource } }), 400, 'invalid_target')
    expectTokens(await refresh(own, refresh_token, { form: { resource: api } }))
    expect(own.events.some(({ name }) => name === 'refresh_token.reused')).toBe(false)
    await own.close()
  })

  test('RSRC-04 narrows one access token, and the next refresh may pick the other', async () => {
    const own = await startHost({ provider: { resources: { [api]: {}, [files]: {} } } })
    const guard = (resource: string) => own.oauth.requireToken([], { resource }) as never
    own.app.get('/at/api', guard(api), (_req, res) => void res.json({}))
    own.app.get('/at/files', guard(files), (_req, res) => void res.json({}))
    const open = async (token: string) => [
      (await callApi(own, '/at/api', token)).status,
      (await callApi(own, '/at/files', token)).status,
    ]
    const tokens = await getTokens(own, { params: { resource: [api, files] } })
    expect(await open(tokens.access_token)).toEqual([200, 200])
    const first = await refresh(own, tokens.refresh_token, { form: { resource: api } })
    expect(await open(first.body.access_token)).toEqual([200, 401])
    const second = await refresh(own, first.body.refresh_token, { form: { resource: files } })
    expect(await open(second.body.access_token)).toEqual([401, 200])
    const third = await refresh(own, second.body.refresh_token)
    expect(await open(third.body.access_token)).toEqual([200, 200])
    await own.close()
  })

  test('of the grant that the server no longer hosts is invalid_grant, on which clients start anew', async () => {
    const database = new SQLite(':memory:')
    const before = await startHost({ provider: { store: database, resources: { [api]: {}, [files]: {} } } })
    const { refresh_token } = await getTokens(before, { params: { resource: api } })
    await before.close()
    const after = await startHost({ provider: { store: database, resources: { [files]: {} } } })
    expectRefusal(await refresh(after, refresh_token), 400, 'invalid_grant')
    expectRefusal(await refresh(after, refresh_token, { form: { resource: api } }), 400, 'invalid_grant')
    await after.close()
    database.close()
  })
})

test('REFR-13 tokens, grace and reuse outlive a restart', async () => {
  const database = new SQLite(':memory:')
  // Each host has its own port, so the resource is one that does not depend on it.
  const resource = 'https://api.example'
  const provider = { store: database, resources: { [resource]: {} } }
  const before = await startHost({ provider })
  const tokens = await getTokens(before, { params: { resource } })
  const { body: first } = await refresh(before, tokens.refresh_token)
  await before.close()
  const after = await startHost({ provider })
  const again = await refresh(after, tokens.refresh_token)
  expect(again.body).toMatchObject({ access_token: first.access_token, refresh_token: first.refresh_token })
  after.advance(30)
  expectRefusal(await refresh(after, tokens.refresh_token), 400, 'invalid_grant')
  await expectDead(after, first)
  await after.close()
  database.close()
})
