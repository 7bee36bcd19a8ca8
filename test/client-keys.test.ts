import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import SQLite from 'better-sqlite3'
import type { OAuthProviderOptions } from '../lib/index.js'
import { assertion, type Signer, withAssertion } from './support/assertions.js'
import { type Host, startHost, type User } from './support/host.js'
import { dump, expectRefusal, type RawAnswer, send, sendFrom } from './support/token-endpoint.js'

const redirect_uris = ['https://rp.example/cb']
const PROBE = { grant_type: 'refresh_token', refresh_token: 'unknown' }
const SECRET = 'the-secret-of-this-host-that-encrypts-at-rest'
const byKey = { token_endpoint_auth_method: 'private_key_jwt', redirect_uris } as const
const byMac = { token_endpoint_auth_method: 'client_secret_jwt', redirect_uris } as const

function pair(kid?: string): { key: JsonWebKey; jwk: Record<string, unknown> } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...publicKey.export({ format: 'jwk' }), ...(kid && { kid }) }
  return { key: privateKey.export({ format: 'jwk' }), jwk }
}

const [first, second] = [pair('first'), pair('second')]

/** What an assertion of this client gets. */
function knock(own: Host, client: string, signer: Signer, header = {}): Promise<RawAnswer> {
  const jwt = assertion(own, { client, signer, header })
  return send(own, { body: new URLSearchParams({ ...PROBE, ...withAssertion(jwt) }) })
}

async function expectLetIn(answer: Promise<RawAnswer>): Promise<void> {
  expectRefusal(await answer, 400, 'invalid_grant')
}

async function expectKeptOut(own: Host, answer: Promise<RawAnswer>, reason: string): Promise<void> {
  expectRefusal(await answer, 401, 'invalid_client')
  expect(own.events.findLast(({ name }) => name === 'token.refused')?.event.reason).toBe(reason)
}

/** Refused for now, since the server of the client fails: its operator hears how, and whoever knocks does not (RFC 6749 §5.2). */
async function expectUnavailable(
  own: Host,
  answer: Promise<RawAnswer>,
  problem: RegExp = /./,
): Promise<void> {
  const refused = await answer
  expectRefusal(refused, 503, 'temporarily_unavailable')
  expect(refused.headers.get('retry-after')).toMatch(/^[1-9][0-9]*$/)
  expect(refused.headers.get('www-authenticate')).toBeNull()
  expect(refused.body.error_description).toBe(
    'The jwks_uri gave no usable answer, so nothing can be verified with its keys now. Try again later.',
  )
  expect(told(own, 'server.error')).toEqual([])
  expect(told(own, 'token.refused').at(-1)).toEqual({
    error: 'temporarily_unavailable',
    reason: 'jwks_unavailable',
    problem: expect.stringMatching(problem),
  })
  expect(told(own, 'client.authentication_failed').at(-1)).toEqual({
    clientId: 'remote',
    reason: 'jwks_unavailable',
    address: expect.any(String),
    problem: expect.stringMatching(problem),
  })
}

function told(own: Host, event: string): Record<string, unknown>[] {
  return own.events.filter(({ name }) => name === event).map(({ event }) => event)
}

/** Starts a host, and closes it after the test. */
const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})
async function start(provider: Partial<OAuthProviderOptions<User>> = {}): Promise<Host> {
  const own = await startHost({ provider })
  open.push(own)
  return own
}

describe('a stored client with keys', () => {
  test('has no secret, and changes its keys by update', async () => {
    const own = await start()
    const created = await own.oauth.clients.create({ ...byKey, jwks: { keys: [first.jwk] } })
    expect(created).not.toHaveProperty('client_secret')
    expect(created).toMatchObject({
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [first.jwk] },
    })
    const { client_id } = created
    await expectLetIn(knock(own, client_id, first.key))
    await own.oauth.clients.update(client_id, { jwks: { keys: [second.jwk] } })
    await expectKeptOut(own, knock(own, client_id, first.key), 'assertion_signature')
    await expectLetIn(knock(own, client_id, second.key))
    await expect(own.oauth.clients.rotateSecret(client_id)).rejects.toThrow(/proves itself by its keys/)
    expectRefusal(
      await send(own, { body: new URLSearchParams({ ...PROBE, client_id }) }),
      401,
      'invalid_client',
    )
  })

  test('may have had a secret before, which ends with the change', async () => {
    const own = await start()
    const { client_id, client_secret = '' } = await own.oauth.clients.create({ redirect_uris })
    const bySecret = () => send(own, { body: new URLSearchParams({ ...PROBE, client_id, client_secret }) })
    await expectLetIn(bySecret())
    await own.oauth.clients.update(client_id, {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [first.jwk] },
    })
    await expectLetIn(knock(own, client_id, first.key))
    await expectKeptOut(own, bySecret(), 'method_not_registered')
    for (const method of ['none', 'client_secret_basic', 'client_secret_jwt', undefined]) {
      const change = { token_endpoint_auth_method: method } as { token_endpoint_auth_method: string }
      await expect(own.oauth.clients.update(client_id, change)).rejects.toMatchObject({
        reason: 'metadata_token_endpoint_auth_method',
      })
    }
    await expectLetIn(knock(own, client_id, first.key))
  })
})

describe('a client that names its keys', () => {
  const jwks = { keys: [first.jwk] }

  test.each([
    ['jwks', { jwks }],
    ['jwks_uri', { jwks_uri: 'https://rp.example/jwks' }],
  ])('by %s alone, in the option clients, is refused and not taken for a public one', async (field, keys) => {
    const clients = [{ client_id: 'keys', redirect_uris, ...keys }]
    await expect(startHost({ provider: { clients } })).rejects.toMatchObject({
      name: 'ConfigurationError',
      option: 'clients[0].token_endpoint_auth_method',
      message: expect.stringContaining(
        `is missing beside ${field}. Write token_endpoint_auth_method: 'private_key_jwt', or 'none'`,
      ),
    })
  })

  test('and says none is public', async () => {
    const clients = [{ client_id: 'keys', redirect_uris, jwks, token_endpoint_auth_method: 'none' }]
    const own = await start({ clients })
    await expectLetIn(send(own, { body: new URLSearchParams({ ...PROBE, client_id: 'keys' }) }))
  })

  test('may have 50 of them, and no more', async () => {
    const own = await start()
    const register = (count: number) =>
      own.oauth.clients.create({ ...byKey, jwks: { keys: Array(count).fill(first.jwk) } })
    await expect(register(51)).rejects.toMatchObject({
      reason: 'metadata_jwks',
      message: 'jwks has more than 50 keys. Leave out those that are not in use.',
    })
    await expectLetIn(knock(own, (await register(50)).client_id, first.key))
  })

  test('moves them to a jwks_uri and back by an update that names the new place alone', async () => {
    const own = await start()
    const { client_id } = await own.oauth.clients.create({ ...byKey, jwks })
    const jwks_uri = 'https://rp.example/jwks'
    const moved = await own.oauth.clients.update(client_id, { jwks_uri })
    expect(moved).toMatchObject({ jwks_uri })
    expect(moved).not.toHaveProperty('jwks')
    const back = await own.oauth.clients.update(client_id, { jwks })
    expect(back).toMatchObject({ jwks })
    expect(back).not.toHaveProperty('jwks_uri')
    await expectLetIn(knock(own, client_id, first.key))
    await expect(own.oauth.clients.update(client_id, { jwks, jwks_uri })).rejects.toThrow(
      /jwks stands beside jwks_uri\. Leave one of the two out/,
    )
    expect(await own.oauth.clients.get(client_id)).toEqual(back)
  })
})

describe('a stored client with client_secret_jwt', () => {
  test('rests encrypted, works after a restart, and gets a new secret by rotateSecret', async () => {
    const store = new SQLite(':memory:')
    const own = await start({ store, secret: SECRET })
    const { client_id, client_secret = '' } = await own.oauth.clients.create(byMac)
    expect(client_secret).toMatch(/^[\w-]{64}$/)
    for (const alg of ['HS256', 'HS384', 'HS512'])
      await expectLetIn(knock(own, client_id, client_secret, { alg }))
    expect(dump(store)).not.toContain(client_secret)
    expect(JSON.stringify([await own.oauth.clients.list(), own.events])).not.toContain(client_secret)
    const again = await start({ store, secret: SECRET })
    await expectLetIn(knock(again, client_id, client_secret))
    const rotated = await again.oauth.clients.rotateSecret(client_id)
    await expectKeptOut(own, knock(own, client_id, client_secret), 'assertion_signature')
    await expectLetIn(knock(own, client_id, rotated.client_secret))
    expect(dump(store)).not.toContain(rotated.client_secret)
  })

  test('needs the option secret, and a chosen secret that is long enough', async () => {
    const without = await start()
    await expect(without.oauth.clients.create(byMac)).rejects.toMatchObject({
      code: 'invalid_client_metadata',
      message: expect.stringContaining('Set the option secret'),
    })
    const own = await start({ secret: SECRET })
    const chosen = (client_secret: string, alg?: string) =>
      own.oauth.clients.create({
        ...byMac,
        client_secret,
        ...(alg !== undefined && { token_endpoint_auth_signing_alg: alg }),
      })
    await expect(chosen('x'.repeat(31))).rejects.toThrow(
      /client_secret is shorter than HS256 needs.*32 bytes/,
    )
    await expect(chosen('x'.repeat(63), 'HS512')).rejects.toThrow(/64 bytes/)
    const { client_id } = await chosen('x'.repeat(32))
    await expectLetIn(knock(own, client_id, 'x'.repeat(32)))
    const longer = { token_endpoint_auth_signing_alg: 'HS512' }
    await expect(own.oauth.clients.update(client_id, longer)).rejects.toThrow(/64 bytes/)
  })

  test('CAUTH-14 guesses at a chosen secret are counted, and nobody locks out one that was generated', async () => {
    const own = await start({ secret: SECRET })
    const chosen = 'chosen-by-a-person-who-likes-long-ones'
    const generated = await own.oauth.clients.create({ ...byMac, client_id: 'generated' })
    await own.oauth.clients.create({ ...byMac, client_id: 'chosen', client_secret: chosen })
    const from = (client: string, signer: string) =>
      sendFrom(own, '127.0.0.1', { ...PROBE, ...withAssertion(assertion(own, { client, signer })) })
    for (const client of ['generated', 'chosen']) {
      for (let at = 0; at < 20; at++) expectRefusal(await from(client, `guess-${at}`), 401, 'invalid_client')
      expectRefusal(await from(client, 'guess-20'), 429, 'invalid_client')
    }
    expectRefusal(await from('chosen', chosen), 429, 'invalid_client')
    expectRefusal(await from('generated', generated.client_secret ?? ''), 400, 'invalid_grant')
  })

  test('goes on when the option secret is changed by a list', async () => {
    const store = new SQLite(':memory:')
    const newer = `${SECRET}-and-another-one`
    const before = await start({ store, secret: SECRET })
    const { client_id, client_secret = '' } = await before.oauth.clients.create(byMac)
    const during = await start({ store, secret: [newer, SECRET] })
    await expectLetIn(knock(during, client_id, client_secret))
    await expectLetIn(knock(during, client_id, client_secret))
    const after = await start({ store, secret: newer })
    await expectLetIn(knock(after, client_id, client_secret))
    expect(await after.oauth.clients.get(client_id)).toEqual(await before.oauth.clients.get(client_id))
  })

  test('is told nothing of the host where the option secret is gone or another one', async () => {
    const store = new SQLite(':memory:')
    const own = await start({ store, secret: SECRET })
    const { client_id, client_secret = '' } = await own.oauth.clients.create(byMac)
    for (const provider of [{ store }, { store, secret: `${SECRET}-of-another-host` }]) {
      const other = await start(provider)
      const answer = await knock(other, client_id, client_secret)
      expect({ status: answer.status, error: answer.body.error }).toEqual({
        status: 500,
        error: 'server_error',
      })
      expect(answer.text).not.toContain(SECRET)
      expect(other.events.map(({ name }) => name)).toContain('server.error')
    }
  })

  test('becomes one that sends its secret, but not the other way round', async () => {
    const store = new SQLite(':memory:')
    const own = await start({ store, secret: SECRET })
    for (const chosen of [{}, { client_secret: 'chosen-by-a-person-who-likes-long-ones' }]) {
      const { client_id, client_secret = '' } = await own.oauth.clients.create({ ...byMac, ...chosen })
      await own.oauth.clients.update(client_id, { token_endpoint_auth_method: 'client_secret_post' })
      await expectLetIn(send(own, { body: new URLSearchParams({ ...PROBE, client_id, client_secret }) }))
      await expectKeptOut(own, knock(own, client_id, client_secret), 'method_not_registered')
      expect(dump(store)).not.toContain('sealed')
      await expect(
        own.oauth.clients.update(client_id, { token_endpoint_auth_method: 'client_secret_jwt' }),
      ).rejects.toThrow(/only a hash of the secret is kept\. Create the client anew/)
    }
  })
})

describe('jwks_uri', () => {
  let site: Server
  let url: string
  let asked: number
  let dialled: number
  let answer: { status?: number; body: unknown; headers?: Record<string, string> }
  beforeEach(async () => {
    asked = 0
    dialled = 0
    answer = { body: { keys: [first.jwk] } }
    site = createServer((_req, res) => {
      asked++
      res.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers })
      res.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body))
    }).listen(0, '127.0.0.1')
    site.on('connection', () => dialled++)
    await once(site, 'listening')
    url = `http://127.0.0.1:${(site.address() as AddressInfo).port}/jwks`
  })
  afterEach(() => {
    site.closeAllConnections()
    site.close()
  })

  const listening = () =>
    start({ clients: [{ client_id: 'remote', ...byKey, jwks_uri: url }], allowPrivateAddresses: true })

  test('is fetched once, and again when the client has other keys than before', async () => {
    const own = await listening()
    await expectLetIn(knock(own, 'remote', first.key, { kid: 'first' }))
    await expectLetIn(knock(own, 'remote', first.key))
    expect(asked).toBe(1)
    answer = { body: { keys: [second.jwk] } }
    await expectLetIn(knock(own, 'remote', second.key, { kid: 'second' }))
    expect(asked).toBe(2)
    await expectKeptOut(own, knock(own, 'remote', first.key), 'assertion_signature')
    own.advance(10)
    await expectKeptOut(own, knock(own, 'remote', first.key, { kid: 'first' }), 'assertion_key')
  })

  test('is fetched again too where the keys have no kid', async () => {
    const [before, after] = [pair(), pair()]
    answer = { body: { keys: [before.jwk] } }
    const own = await listening()
    await expectLetIn(knock(own, 'remote', before.key))
    answer = { body: { keys: [after.jwk] } }
    await expectLetIn(knock(own, 'remote', after.key))
    own.advance(10)
    await expectKeptOut(own, knock(own, 'remote', before.key), 'assertion_signature')
  })

  test('is asked a few times, however many unknown keys somebody tries', async () => {
    const own = await listening()
    await expectLetIn(knock(own, 'remote', first.key))
    for (let at = 0; at < 30; at++)
      expectRefusal(await knock(own, 'remote', second.key, { kid: `no-${at}` }), 401, 'invalid_client')
    expect(asked).toBeLessThanOrEqual(3)
    await expectLetIn(knock(own, 'remote', first.key))
  })

  test('is not asked for what its keys cannot have signed anyway', async () => {
    const own = await listening()
    await expectKeptOut(own, knock(own, 'remote', 'a-secret', { alg: 'HS256' }), 'method_not_registered')
    await expectKeptOut(own, knock(own, 'remote', first.key, { crit: ['x'] }), 'assertion_header')
    expect(asked).toBe(0)
  })

  test('may list keys that are of no use here, which are passed over', async () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const keys = [
      { kty: 'oct', k: 'c2VjcmV0' },
      second.key,
      weak.publicKey.export({ format: 'jwk' }),
      { ...second.jwk, use: 'enc' },
      { kty: 'XYZ' },
      null,
      'x',
      first.jwk,
    ]
    answer = { body: { keys } }
    const own = await listening()
    await expectLetIn(knock(own, 'remote', first.key))
    await expectKeptOut(own, knock(own, 'remote', second.key), 'assertion_signature')
    await expectKeptOut(own, knock(own, 'remote', weak.privateKey, { alg: 'RS256' }), 'assertion_key')
  })

  test.each([
    ['an error', { status: 500, body: {} }],
    ['a redirect', { status: 302, body: {}, headers: { location: 'http://127.0.0.1:1/' } }],
    ['no JSON', { body: 'nonsense' }],
    ['a page', { body: '<html>', headers: { 'content-type': 'text/html' } }],
  ])('that answers %s is an outage, for which nobody takes invalid_client', async (_, given) => {
    const own = await listening()
    answer = given
    await expectUnavailable(own, knock(own, 'remote', first.key), /^The URL answered with/)
    answer = { body: { keys: [first.jwk] } }
    await expectLetIn(knock(own, 'remote', first.key))
  })

  test.each([['null'], ['[]'], ['{}'], ['{"keys":{}}'], ['{"keys":[]}']])(
    'that answers %s has no key',
    async (body) => {
      const own = await listening()
      answer = { body }
      await expectKeptOut(own, knock(own, 'remote', first.key), 'assertion_key')
    },
  )

  test('where nobody listens keeps the client out', async () => {
    const own = await listening()
    site.closeAllConnections()
    site.close()
    await expectUnavailable(own, knock(own, 'remote', first.key))
  })

  test('that goes down when the keys do not fit any more is an outage, and passes', async () => {
    const own = await listening()
    await expectLetIn(knock(own, 'remote', first.key))
    answer = { status: 502, body: {} }
    for (let at = 0; at < 20; at++) {
      own.advance(1)
      const refused = await knock(own, 'remote', second.key)
      if (refused.status === 503) expectRefusal(refused, 503, 'temporarily_unavailable')
      else expectRefusal(refused, 401, 'invalid_client')
    }
    expect(told(own, 'token.refused').map(({ reason }) => reason)).toContain('jwks_unavailable')
    answer = { body: { keys: [second.jwk] } }
    own.advance(10)
    await expectLetIn(knock(own, 'remote', second.key))
  })

  // Requests would not do: the URI is https and the server speaks http, so that none arrives whatever the address rule says.
  test('inside the network is never dialled without allowPrivateAddresses', async () => {
    const { port } = new URL(url)
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '169.254.169.254']) {
      const jwks_uri = `https://${host}:${port}/jwks`
      const own = await start({ clients: [{ client_id: 'remote', ...byKey, jwks_uri }] })
      await expectUnavailable(own, knock(own, 'remote', first.key), /no public address/)
    }
    expect([asked, dialled]).toEqual([0, 0])
  })
})
