import request from 'supertest'
import { ConfigurationError, type TestToken } from '../lib/index.js'
import { callApi, getTokens } from './support/flow.js'
import { type Host, startHost } from './support/host.js'

describe('oauth.testing, tools for the tests of a host', () => {
  let host: Host
  beforeAll(async () => {
    host = await startHost({
      provider: (origin) => ({
        resources: {
          [origin]: {},
          'https://far.example/api': { scopes: ['read'], accessTokenFormat: 'jwt' },
        },
      }),
    })
  })
  afterAll(() => host.close())

  const get = (path: string, headers: Record<string, string>) => request(host.app).get(path).set(headers)
  const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })

  test('actingAs gives the headers with which a route of the host sees this user, with these scopes', async () => {
    const response = await get('/api/read', await host.oauth.testing.actingAs('alice', 'read'))
    expect(response.status).toBe(200)
    expect(response.body).toMatchObject({ clientId: 'testing', userId: 'alice', scopes: ['read'] })
  })

  test('a number as the id of a user is that user', async () => {
    const { body } = await get('/api/any', await host.oauth.testing.actingAs(7, ['read', 'write']))
    expect(body).toMatchObject({ userId: '7', scopes: ['read', 'write'] })
  })

  test('a token without the scope of a route is refused there as a real one is', async () => {
    const response = await get('/api/write', await host.oauth.testing.actingAs('alice', ['read']))
    expect(response.status).toBe(403)
    expect(response.body.error).toBe('insufficient_scope')
  })

  test('a token ends with what the user revokes', async () => {
    const headers = await host.oauth.testing.actingAs('bob', 'read', { clientId: 'conf' })
    expect((await get('/api/read', headers)).status).toBe(200)
    expect(await host.oauth.grants.list({ userId: 'bob' })).toMatchObject([{ clientId: 'conf' }])
    await host.oauth.grants.revokeUser('bob')
    expect((await get('/api/read', headers)).status).toBe(401)
  })

  test('a client may speak for itself', async () => {
    const token = await host.oauth.testing.token({ clientId: 'conf', scopes: 'read' })
    const { status, body } = await get('/api/read', bearer(token))
    expect([status, body.clientId, body.userId]).toEqual([200, 'conf', undefined])
  })

  test('a token for a resource elsewhere is a JWT, and no good here', async () => {
    const token = await host.oauth.testing.token({
      userId: 'alice',
      scopes: 'read',
      resource: 'https://far.example/api',
    })
    expect(token.split('.')).toHaveLength(3)
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
    expect(claims).toMatchObject({
      sub: 'alice',
      aud: 'https://far.example/api',
      scope: 'read',
      client_id: 'testing',
    })
    expect((await get('/api/read', bearer(token))).status).toBe(401)
  })

  test('the clock moves what expires, on and back', async () => {
    const { testing } = host.oauth
    const headers = await testing.actingAs('alice', 'read', { expiresIn: 60 })
    const before = testing.clock.now()
    testing.clock.advance(61)
    expect(testing.clock.now().getTime() - before.getTime()).toBeGreaterThanOrEqual(61_000)
    expect((await get('/api/read', headers)).status).toBe(401)

    // What had expired may have been deleted.
    testing.clock.set(new Date(before.getTime() - 3_600_000))
    const earlier = await testing.actingAs('alice', 'read', { expiresIn: 60 })
    expect((await get('/api/read', earlier)).status).toBe(200)
    testing.clock.set(before)
    expect((await get('/api/read', earlier)).status).toBe(401)
  })

  test('a token with no time left has expired', async () => {
    const token = await host.oauth.testing.token({ userId: 'alice', scopes: 'read', expiresIn: 0 })
    expect((await get('/api/read', bearer(token))).status).toBe(401)
  })

  test.each<[string, unknown, string, string]>([
    [
      'a scope that there is not',
      { userId: 'alice', scopes: 'raed' },
      'testing.token(options).scopes',
      "Did you mean 'read'?",
    ],
    [
      'a client that there is not',
      { userId: 'alice', clientId: 'nobody' },
      'testing.token(options).clientId',
      'register it',
    ],
    [
      'a disabled client',
      { userId: 'alice', clientId: 'off' },
      'testing.token(options).clientId',
      'register it',
    ],
    ['neither a user nor a client', {}, 'testing.token(options).clientId', 'Pass userId'],
    ['a user who is not there', { userId: undefined }, 'testing.token(options).userId', 'Pass the id'],
    [
      'a resource that is not hosted',
      { userId: 'alice', resource: 'https://x.example' },
      'testing.token(options).resource',
      'or one of the option resources',
    ],
    ['a member that is misspelt', { userID: 'alice' }, 'testing.token(options).userID', 'userId'],
    [
      'a lifetime that is none',
      { userId: 'alice', expiresIn: -1 },
      'testing.token(options).expiresIn',
      'whole seconds',
    ],
  ])('%s is named, with what to pass', async (_, options, option, remedy) => {
    const refusal = await host.oauth.testing.token(options as TestToken).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(ConfigurationError)
    expect(refusal).toMatchObject({ option, message: expect.stringContaining(remedy) })
  })

  test.each([
    ['of the option', { clock: () => performance.timeOrigin + performance.now() }, 0],
    ['that was moved', {}, 0.000_25],
  ])('a clock %s may have fractions of a millisecond, and nothing is lost', async (_, provider, seconds) => {
    const made = await startHost({ provider })
    made.oauth.testing.clock.advance(seconds)
    const first = await getTokens(made)
    const second = await getTokens(made)
    for (const { access_token } of [first, second])
      expect((await callApi(made, '/api/read', access_token)).status).toBe(200)
    expect((await made.oauth.audit.list()).length).toBeGreaterThan(2)
    await made.close()
  })

  test('what is no time is refused by the clock', () => {
    const { clock } = host.oauth.testing
    expect(() => clock.advance(Number.NaN)).toThrow('testing.clock.advance(seconds) got NaN')
    expect(() => clock.set('tomorrow' as unknown as Date)).toThrow("testing.clock.set(time) got 'tomorrow'")
    expect(() => clock.set(new Date('no day'))).toThrow('Pass a Date.')
  })

  test('a provider that was made in production has none later either, and keeps the time', async () => {
    const before = process.env.NODE_ENV
    process.env.NODE_ENV = 'production'
    const made = await startHost().finally(() => {
      process.env.NODE_ENV = before
    })
    expect(() => made.oauth.testing).toThrow('testing is used although NODE_ENV is production')
    const { access_token } = await getTokens(made)
    expect((await callApi(made, '/api/read', access_token)).status).toBe(200)
    made.advance(3601)
    expect((await callApi(made, '/api/read', access_token)).status).toBe(401)
    await made.close()
  })

  test('where NODE_ENV is production there are no tools, and the provider works', async () => {
    const before = process.env.NODE_ENV
    process.env.NODE_ENV = 'production'
    try {
      expect(() => host.oauth.testing).toThrow('testing is used although NODE_ENV is production')
      expect((await request(host.app).get('/oauth/jwks')).status).toBe(200)
    } finally {
      process.env.NODE_ENV = before
    }
  })
})
