import { decodeJwt } from 'jose'
import type { ClientMetadata } from '../lib/index.js'
import { clients } from './support/clients.js'
import {
  callApi,
  getCode,
  getTokens,
  postToken,
  refresh,
  type TokenResponse,
  VERIFIER,
} from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import { expectRefusal } from './support/token-endpoint.js'

const DAY = 86_400
const BATCH = 'https://elsewhere.example/batch'

function app(client_id: string, more: ClientMetadata): ClientMetadata {
  return {
    client_id,
    client_secret: `${client_id}-secret`,
    redirect_uris: ['https://rp.example/cb'],
    ...more,
  }
}

const own: readonly ClientMetadata[] = [
  app('short', { access_token_lifetime: 60 }),
  app('long', { access_token_lifetime: 2 * DAY }),
  app('idle', { refresh_token_lifetime: 100 }),
  app('total', { refresh_token_lifetime: 100, refresh_token_total_lifetime: 250 }),
  app('bounded', { refresh_token_total_lifetime: 50 }),
  app('signed', { id_token_lifetime: 120 }),
  app('worker', { grant_types: ['client_credentials'], scope: 'read', access_token_lifetime: 60 }),
  app('night', { grant_types: ['client_credentials'], scope: 'read' }),
]

let host: Host
beforeAll(async () => {
  host = await startHost({
    provider: (origin) => ({
      clients: [...clients, ...own],
      lifetimes: { refreshGrace: 0 },
      resources: {
        [`${origin}/api`]: {},
        [`${origin}/vault`]: { accessTokenLifetime: 30 },
        [BATCH]: { accessTokenFormat: 'jwt', accessTokenLifetime: 7200 },
      },
    }),
  })
  host.app.get('/vault', host.oauth.requireToken(), (_req, res) => res.json({}))
})
afterAll(() => host.close())

const tokensOf = (client: string, params: Record<string, string | string[]> = {}) =>
  getTokens(host, { client, params })

/** The whole flow of a public client that was made up here. */
async function publicTokens(client_id: string): Promise<TokenResponse['body']> {
  const { code } = await getCode(host, { client: client_id })
  const form = { grant_type: 'authorization_code', code, code_verifier: VERIFIER, client_id }
  return (await postToken(host, form, { client: 'pub' })).body
}

/** It is good for so many seconds and no longer, and its answer says so. */
async function expectLife(
  { access_token, expires_in }: Pick<TokenResponse['body'], 'access_token'> & { expires_in?: unknown },
  seconds: number,
  path = '/api/any',
): Promise<void> {
  expect(expires_in).toBe(seconds)
  host.advance(seconds - 1)
  expect((await callApi(host, path, access_token)).status).toBe(200)
  host.advance(1)
  expect((await callApi(host, path, access_token)).status).toBe(401)
}

const machine = async (client: string, resource: string) =>
  (await postToken(host, { grant_type: 'client_credentials', resource }, { client })).body

describe('an access token lives as long', () => {
  test('as lifetimes.accessToken says, where nobody has one of their own', async () => {
    await expectLife(await tokensOf('conf'), 3600)
  })

  test.each([
    ['short', 60],
    ['long', 2 * DAY],
  ])('as its client says: %s, %d seconds', async (client, seconds) => {
    await expectLife(await tokensOf(client), seconds)
  })

  test('after a refresh too', async () => {
    const { refresh_token } = await tokensOf('short')
    await expectLife((await refresh(host, refresh_token, { client: 'short' })).body, 60)
  })

  test('as its resource says', async () => {
    const resource = `${host.origin}/vault`
    await expectLife(await tokensOf('conf', { resource }), 30, '/vault')
    // It was asked for both, and is for the one that the request names.
    const both = await tokensOf('conf', { resource: [`${host.origin}/api`, resource] })
    expect(both.expires_in).toBe(30)
    const form = { resource: `${host.origin}/api` }
    expect((await refresh(host, both.refresh_token, { form })).body.expires_in).toBe(3600)
  })

  test.each([
    ['short', '/vault', 30],
    ['long', '/vault', 30],
    ['short', '/api', 60],
    ['long', '/api', 2 * DAY],
  ])(
    'as the shorter says, where client and resource both do: %s at %s, %d seconds',
    async (client, path, seconds) => {
      expect((await tokensOf(client, { resource: host.origin + path })).expires_in).toBe(seconds)
    },
  )

  test('a JWT says so itself', async () => {
    for (const [client, seconds] of [
      ['conf', 7200],
      ['short', 60],
      ['long', 7200],
    ] as const) {
      const { exp = 0, iat = 0 } = decodeJwt((await tokensOf(client, { resource: BATCH })).access_token)
      expect([client, exp - iat]).toEqual([client, seconds])
    }
  })

  test('that of a client which speaks for itself as well', async () => {
    await expectLife(await machine('worker', `${host.origin}/api`), 60)
    await expectLife(await machine('worker', `${host.origin}/vault`), 30, '/vault')
    expect((await machine('night', BATCH)).expires_in).toBe(7200)
    expect((await machine('worker', BATCH)).expires_in).toBe(60)
  })
})

describe('REFR-08 a refresh token', () => {
  const renew = (token: string, client: string) => refresh(host, token, { client })

  test('that is not used dies when its client says so, and each use gives it that time anew', async () => {
    let { refresh_token } = await tokensOf('idle')
    for (let times = 0; times < 4; times++) {
      host.advance(99)
      const { status, body } = await renew(refresh_token, 'idle')
      expect(status).toBe(200)
      refresh_token = body.refresh_token
    }
    host.advance(100)
    expectRefusal(await renew(refresh_token, 'idle'), 400, 'invalid_grant')
  })

  test('dies in the end, however often it is used', async () => {
    let { refresh_token } = await tokensOf('total')
    for (const seconds of [99, 99, 51]) {
      host.advance(seconds)
      const { status, body } = await renew(refresh_token, 'total')
      expect(status).toBe(200)
      refresh_token = body.refresh_token
    }
    host.advance(1)
    expectRefusal(await renew(refresh_token, 'total'), 400, 'invalid_grant')
  })

  test('dies in the end also where that comes before its idle time', async () => {
    const { refresh_token } = await tokensOf('bounded')
    host.advance(50)
    expectRefusal(await renew(refresh_token, 'bounded'), 400, 'invalid_grant')
  })

  test('of another client is not concerned', async () => {
    const { refresh_token } = await tokensOf('conf')
    host.advance(29 * DAY)
    expect((await renew(refresh_token, 'conf')).status).toBe(200)
  })
})

test('an ID token lives as long as its client says, after a refresh too', async () => {
  const life = (jwt: unknown) => {
    const { exp = 0, iat = 0 } = decodeJwt(String(jwt))
    return exp - iat
  }
  const { id_token, refresh_token } = await tokensOf('signed', { scope: 'openid' })
  expect(life(id_token)).toBe(120)
  expect(life((await refresh(host, refresh_token, { client: 'signed' })).body.id_token)).toBe(120)
  expect(life((await tokensOf('conf', { scope: 'openid' })).id_token)).toBe(3600)
})

describe('a client in the store', () => {
  const LIFETIMES = [
    ...['access_token_lifetime', 'refresh_token_lifetime'],
    ...['refresh_token_total_lifetime', 'id_token_lifetime'],
  ]
  const metadata = { redirect_uris: ['https://rp.example/cb'], token_endpoint_auth_method: 'none' }

  test('tells its lifetimes as they were given', async () => {
    const given = Object.fromEntries(LIFETIMES.map((name, index) => [name, 100 + index]))
    const created = await host.oauth.clients.create({ ...metadata, ...given })
    expect(created).toMatchObject(given)
    expect(await host.oauth.clients.get(created.client_id)).toMatchObject(given)
    const { client_id } = await host.oauth.clients.create(metadata)
    expect(Object.keys((await host.oauth.clients.get(client_id)) ?? {})).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/_lifetime$/)]),
    )
  })

  test.each(
    LIFETIMES.flatMap((name) => [0, -1, 1.5, '60', Number.NaN, 2 ** 45, null].map((value) => [name, value])),
  )('cannot have %s: %p', async (name, value) => {
    const given = { [String(name)]: value } as ClientMetadata
    await expect(host.oauth.clients.create({ ...metadata, ...given })).rejects.toMatchObject({
      code: 'invalid_client_metadata',
      reason: `metadata_${name}`,
    })
  })

  test('a hundred years are no mistake', async () => {
    const given = { access_token_lifetime: 36_500 * DAY, refresh_token_lifetime: 36_500 * DAY }
    const machine = { grant_types: ['client_credentials'], scope: 'read', ...given }
    const { client_id, client_secret = '' } = await host.oauth.clients.create(machine)
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret })
    const answer = (await (await fetch(`${host.issuer}/token`, { method: 'POST', body })).json()) as object
    expect(answer).toMatchObject({ expires_in: 36_500 * DAY })
  })

  test('that is changed gets other tokens from then on; those that it has stay as they are', async () => {
    const { client_id } = await host.oauth.clients.create({ ...metadata, access_token_lifetime: 500 })
    const asPublic = (form: Record<string, string>) =>
      postToken(host, { client_id, ...form }, { client: 'pub' })
    const first = await publicTokens(client_id)
    expect(first.expires_in).toBe(500)
    await host.oauth.clients.update(client_id, { access_token_lifetime: 40, refresh_token_lifetime: 30 })
    const form = { grant_type: 'refresh_token', refresh_token: first.refresh_token }
    const { body } = await asPublic(form)
    expect(body.expires_in).toBe(40)
    host.advance(40)
    expect((await callApi(host, '/api/any', first.access_token)).status).toBe(200)
    expect((await callApi(host, '/api/any', body.access_token)).status).toBe(401)
    expectRefusal(await asPublic({ ...form, refresh_token: body.refresh_token }), 400, 'invalid_grant')
  })
})

describe('what was revoked stays so for as long as its tokens would have lived', () => {
  test('also where the access tokens of a client outlive its refresh tokens, and lifetimes were changed', async () => {
    const { client_id } = await host.oauth.clients.create({
      redirect_uris: ['https://rp.example/cb'],
      token_endpoint_auth_method: 'none',
      access_token_lifetime: 20 * DAY,
      refresh_token_total_lifetime: 60,
    })
    const first = await publicTokens(client_id)
    const again = (refresh_token: string) =>
      postToken(host, { grant_type: 'refresh_token', refresh_token, client_id }, { client: 'pub' })
    const { body: second } = await again(first.refresh_token)
    await host.oauth.clients.update(client_id, { access_token_lifetime: 10 })
    expectRefusal(await again(first.refresh_token), 400, 'invalid_grant')
    for (const days of [0, 5, 14]) {
      host.advance(days * DAY)
      await host.oauth.purge()
      for (const { access_token } of [first, second])
        expect((await callApi(host, '/api/any', access_token)).status).toBe(401)
    }
  })
})
