import bcrypt from 'bcryptjs'
import SQLite from 'better-sqlite3'
import type { StaticClient } from '../lib/index.js'
import { assertion, withAssertion } from './support/assertions.js'
import { clients, csjSecret } from './support/clients.js'
import { basic } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import { dump, expectRefusal, type RawAnswer, send } from './support/token-endpoint.js'

const redirect_uris = ['https://rp.example/cb']
const HOUR = 3600
const OLD = 'old-secret-that-has-the-sixty-four-bytes-which-HS512-wants-it-to-have'
const NEW = 'new-secret-that-has-the-sixty-four-bytes-which-HS512-wants-it-to-have'
const SHORT = 'a-secret-of-only-thirty-two-bytes'
const OPTION = 'the-option-secret-of-thirty-two-characters'
const OTHER = 'another-option-secret-of-thirty-two-characters'

const database = new SQLite(':memory:')
let host: Host
beforeAll(async () => {
  host = await startHost({
    provider: { store: database, secret: OPTION, clients: [...clients, ...rotating] },
  })
})
afterAll(async () => {
  await host.close()
  database.close()
})

/** Asks for nothing real: a client that is let in hears that the token is not known. */
const PROBE = { grant_type: 'refresh_token', refresh_token: 'unknown' }

type Way = (client_id: string, secret: string, at?: Host) => Promise<RawAnswer>

const byBasic: Way = (client_id, secret, at = host) =>
  send(at, { body: new URLSearchParams(PROBE), headers: { authorization: basic(client_id, secret) } })
const byPost: Way = (client_id, client_secret, at = host) =>
  send(at, { body: new URLSearchParams({ ...PROBE, client_id, client_secret }) })
const byMac: Way = (client, signer, at = host) => {
  const jwt = assertion(at, { client, signer })
  return send(at, { body: new URLSearchParams({ ...PROBE, ...withAssertion(jwt) }) })
}
const WAYS = { client_secret_basic: byBasic, client_secret_post: byPost, client_secret_jwt: byMac }

async function expectLetIn(answer: Promise<RawAnswer>): Promise<void> {
  expectRefusal(await answer, 400, 'invalid_grant')
}

async function expectKeptOut(answer: Promise<RawAnswer>): Promise<void> {
  expectRefusal(await answer, 401, 'invalid_client')
}

async function registered(
  token_endpoint_auth_method: string,
  chosen = {},
): Promise<[id: string, secret: string]> {
  const metadata = { redirect_uris, token_endpoint_auth_method, ...chosen }
  const { client_id, client_secret = '' } = await host.oauth.clients.create(metadata)
  return [client_id, client_secret]
}

/** What the store says of a client. */
function stored(clientId: string): Record<string, unknown> {
  const text = dump(database)
    .split('\n')
    .find((line) => line.startsWith('{') && line.includes(`"${clientId}"`))
  return JSON.parse(text ?? '{}')
}

describe('rotateSecret with an overlap', () => {
  test.each(Object.entries(WAYS))('%s: both secrets count, the old one until it ends', async (method, by) => {
    const [id, old] = await registered(method)
    const rotated = await host.oauth.clients.rotateSecret(id, { overlap: HOUR })
    expect(rotated).toEqual({
      client_id: id,
      client_secret: expect.stringMatching(/^[\w-]{43,}$/),
      previous_client_secret_expires_at: Math.floor(host.now() / 1000) + HOUR,
    })
    expect(rotated.client_secret).not.toBe(old)
    await expectLetIn(by(id, old))
    await expectLetIn(by(id, rotated.client_secret))
    await expectKeptOut(by(id, `${old}x`))
    host.advance(HOUR - 1)
    await expectLetIn(by(id, old))
    host.advance(1)
    await expectKeptOut(by(id, old))
    await expectLetIn(by(id, rotated.client_secret))
  })

  test.each(Object.entries(WAYS))(
    '%s: rotating again ends the oldest, so that two count at most',
    async (method, by) => {
      const [id, first] = await registered(method)
      const { client_secret: second } = await host.oauth.clients.rotateSecret(id, { overlap: HOUR })
      const { client_secret: third } = await host.oauth.clients.rotateSecret(id, { overlap: 60 })
      await expectKeptOut(by(id, first))
      await expectLetIn(by(id, second))
      await expectLetIn(by(id, third))
      host.advance(60)
      await expectKeptOut(by(id, second))
      const { client_secret: fourth } = await host.oauth.clients.rotateSecret(id)
      for (const ended of [first, second, third]) await expectKeptOut(by(id, ended))
      await expectLetIn(by(id, fourth))
    },
  )

  test('in parallel leaves two', async () => {
    const [id, first] = await registered('client_secret_basic')
    const rotate = () => host.oauth.clients.rotateSecret(id, { overlap: HOUR })
    const secrets = (await Promise.all([rotate(), rotate(), rotate()])).map(
      ({ client_secret }) => client_secret,
    )
    const statuses = await Promise.all(
      [first, ...secrets].map(async (secret) => (await byBasic(id, secret)).status),
    )
    expect(statuses.filter((status) => status === 400)).toHaveLength(2)
    expect(statuses[0]).toBe(401)
  })

  test('left out ends the old one at once, and what it answers says nothing of it', async () => {
    for (const options of [undefined, {}, { overlap: 0 }]) {
      const [id, old] = await registered('client_secret_basic')
      const rotated = await host.oauth.clients.rotateSecret(id, options)
      expect(Object.keys(rotated)).toEqual(['client_id', 'client_secret'])
      await expectKeptOut(byBasic(id, old))
      await expectLetIn(byBasic(id, rotated.client_secret))
      expect(stored(id)).not.toHaveProperty('previousSecret')
    }
  })

  test.each([
    [{ overlap: -1 }],
    [{ overlap: 1.5 }],
    [{ overlap: Number.NaN }],
    [{ overlap: '60' as never }],
    [{ overlap: 90 * 86_400 + 1 }],
    [{ overlap: null as never }],
    [{ overlaps: 60 } as never],
    [3600 as never],
    [null as never],
  ])('refuses %j, and changes nothing', async (options) => {
    const [id, secret] = await registered('client_secret_basic')
    await expect(host.oauth.clients.rotateSecret(id, options)).rejects.toThrow(
      /clients\.rotateSecret\(clientId, options\)/,
    )
    await expectLetIn(byBasic(id, secret))
  })

  test('a secret that has ended is dropped at the next change', async () => {
    const [id] = await registered('client_secret_basic')
    await host.oauth.clients.rotateSecret(id, { overlap: HOUR })
    await host.oauth.clients.update(id, { client_name: 'One' })
    expect(stored(id)).toMatchObject({ name: 'One', previousSecret: { expiresAt: host.now() + HOUR * 1000 } })
    host.advance(HOUR)
    await host.oauth.clients.update(id, { client_name: 'Two' })
    expect(stored(id)).toMatchObject({ name: 'Two', secret: expect.anything() })
    expect(stored(id)).not.toHaveProperty('previousSecret')
  })

  test('neither secret is in the store, in an answer or in an event', async () => {
    for (const method of Object.keys(WAYS)) {
      const [id, old] = await registered(method)
      const rotated = await host.oauth.clients.rotateSecret(id, { overlap: HOUR })
      const told = [dump(database), JSON.stringify([host.events, await host.oauth.clients.list()])].join('\n')
      for (const secret of [old, rotated.client_secret]) expect(told).not.toContain(secret)
      expect(JSON.stringify(await host.oauth.clients.get(id))).not.toMatch(/secret":|sha256|sealed/)
      expect(
        host.events.some(({ event }) => event.clientId === id && event.change === 'secret_rotated'),
      ).toBe(true)
    }
  })

  test('keeps both through another method by secret, and ends both where keys take over', async () => {
    const [id, old] = await registered('client_secret_jwt')
    const { client_secret } = await host.oauth.clients.rotateSecret(id, { overlap: HOUR })
    await host.oauth.clients.update(id, { token_endpoint_auth_method: 'client_secret_post' })
    await expectLetIn(byPost(id, old))
    await expectLetIn(byPost(id, client_secret))
    expect(JSON.stringify(stored(id))).not.toContain('sealed')
    const jwks = clients.find(({ client_id }) => client_id === 'pkj')?.jwks
    await host.oauth.clients.update(id, {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: jwks ?? { keys: [] },
    })
    for (const secret of [old, client_secret]) await expectKeptOut(byPost(id, secret))
    expect(stored(id)).not.toHaveProperty('secret')
    expect(stored(id)).not.toHaveProperty('previousSecret')
  })

  test('while the option secret is being changed, both are encrypted anew', async () => {
    const [id, old] = await registered('client_secret_jwt')
    const { client_secret } = await host.oauth.clients.rotateSecret(id, { overlap: HOUR })
    const changing = await startHost({ provider: { store: database, secret: [OTHER, OPTION] } })
    await expectLetIn(byMac(id, client_secret, changing))
    await changing.close()
    const changed = await startHost({ provider: { store: database, secret: OTHER } })
    await expectLetIn(byMac(id, old, changed))
    await expectLetIn(byMac(id, client_secret, changed))
    await expectKeptOut(byMac(id, `${old}x`, changed))
    await changed.close()
  })

  test('one that has ended is not encrypted anew, but dropped', async () => {
    const [id] = await registered('client_secret_jwt')
    const { client_secret } = await host.oauth.clients.rotateSecret(id, { overlap: HOUR })
    const changing = await startHost({ provider: { store: database, secret: [OTHER, OPTION] } })
    changing.advance((host.now() - changing.now()) / 1000 + HOUR)
    await expectLetIn(byMac(id, client_secret, changing))
    expect(stored(id)).not.toHaveProperty('previousSecret')
    await changing.close()
  })

  test('one that is sealed with an older option secret is sealed with the new one by the rotation itself', async () => {
    const [id, old] = await registered('client_secret_jwt')
    const changing = await startHost({ provider: { store: database, secret: [OTHER, OPTION] } })
    const { client_secret } = await changing.oauth.clients.rotateSecret(id, { overlap: HOUR })
    await changing.close()
    const changed = await startHost({ provider: { store: database, secret: OTHER } })
    for (const secret of [client_secret, old]) await expectLetIn(byMac(id, secret, changed))
    await changed.close()
  })
})

describe('a secret that a host chose, beside the generated one that follows it', () => {
  const wrongly = async (id: string, times: number) => {
    const statuses = []
    for (let at = 0; at < times; at++) statuses.push((await byBasic(id, `guess-${at}`)).status)
    return statuses
  }

  test('counts until it ends', async () => {
    const [id] = await registered('client_secret_basic', { client_secret: 'a-chosen-secret' })
    const { client_secret } = await host.oauth.clients.rotateSecret(id, { overlap: HOUR })
    await expectLetIn(byBasic(id, 'a-chosen-secret'))
    await expectLetIn(byBasic(id, client_secret))
    host.advance(HOUR)
    await expectKeptOut(byBasic(id, 'a-chosen-secret'))
    await expectLetIn(byBasic(id, client_secret))
  })

  test('CAUTH-14 is guarded as before, and does not keep out who has the generated one', async () => {
    const [id] = await registered('client_secret_basic', { client_secret: 'a-chosen-secret' })
    const { client_secret } = await host.oauth.clients.rotateSecret(id, { overlap: HOUR })
    const compare = jest.spyOn(bcrypt, 'compare').mockImplementation(async () => false)
    const statuses = await wrongly(id, 30)
    expect(statuses.slice(0, 20)).toEqual(Array(20).fill(401))
    expect(statuses.slice(20)).toEqual(Array(10).fill(429))
    expect(compare.mock.calls.length).toBeLessThanOrEqual(20)
    compare.mockRestore()
    // Not even the right one is told from a guess now.
    expectRefusal(await byBasic(id, 'a-chosen-secret'), 429, 'invalid_client')
    await expectLetIn(byBasic(id, client_secret))
    host.advance(60)
    await expectLetIn(byBasic(id, 'a-chosen-secret'))
  })

  test('CAUTH-14 is guarded in a MAC too', async () => {
    const [id] = await registered('client_secret_jwt', { client_secret: OLD })
    const { client_secret } = await host.oauth.clients.rotateSecret(id, { overlap: HOUR })
    const statuses = []
    for (let at = 0; at < 22; at++) statuses.push((await byMac(id, `${OLD}-${at}`)).status)
    expect(statuses).toEqual([...Array(20).fill(401), 429, 429])
    expectRefusal(await byMac(id, OLD), 429, 'invalid_client')
    await expectLetIn(byMac(id, client_secret))
    host.advance(60)
    await expectLetIn(byMac(id, OLD))
  })

  test('costs no slow hash once it has ended', async () => {
    const [id] = await registered('client_secret_basic', { client_secret: 'a-chosen-secret' })
    const { client_secret } = await host.oauth.clients.rotateSecret(id, { overlap: HOUR })
    const compare = jest.spyOn(bcrypt, 'compare')
    await expectLetIn(byBasic(id, client_secret))
    host.advance(HOUR)
    await expectKeptOut(byBasic(id, 'a-chosen-secret'))
    expect(compare).not.toHaveBeenCalled()
    compare.mockRestore()
  })
})

const rotating: readonly StaticClient[] = [
  { client_id: 'two', client_secret: [NEW, OLD], redirect_uris },
  { client_id: 'one', client_secret: [NEW], redirect_uris },
  {
    client_id: 'two-lengths',
    client_secret: [NEW, SHORT],
    token_endpoint_auth_method: 'client_secret_jwt',
    redirect_uris,
  },
  {
    client_id: 'two-jwt',
    client_secret: [NEW, OLD],
    token_endpoint_auth_method: 'client_secret_jwt',
    redirect_uris,
  },
]

describe('the option clients', () => {
  test('takes the new secret and the old one of a client', async () => {
    for (const [id, by] of [
      ['two', byBasic],
      ['two', byPost],
      ['two-jwt', byMac],
    ] as const) {
      await expectLetIn(by(id, NEW))
      await expectLetIn(by(id, OLD))
      await expectKeptOut(by(id, `${OLD}x`))
      await expectKeptOut(by(id, `${NEW},${OLD}`))
    }
    await expectLetIn(byBasic('one', NEW))
    await expectKeptOut(byBasic('one', OLD))
    await expectLetIn(byMac('csj', csjSecret))
  })

  test('RFC 7518 §3.2 a secret is good for the MACs that it is long enough for, whatever the other one is', async () => {
    const signed = (alg: string, signer: string) => {
      const jwt = assertion(host, { client: 'two-lengths', signer, header: { alg } })
      return send(host, { body: new URLSearchParams({ ...PROBE, ...withAssertion(jwt) }) })
    }
    await expectLetIn(signed('HS512', NEW))
    await expectLetIn(signed('HS256', SHORT))
    await expectKeptOut(signed('HS512', SHORT))
  })

  test('shows neither', async () => {
    const told = JSON.stringify([
      await host.oauth.clients.list(),
      await host.oauth.clients.get('two'),
      host.events,
    ])
    for (const secret of [OLD, NEW]) expect(told).not.toContain(secret)
  })

  test('CAUTH-14 guesses at two secrets are counted as at one', async () => {
    const own = await startHost({ provider: { clients: rotating } })
    const statuses = []
    for (let at = 0; at < 22; at++) statuses.push((await byBasic('two', `guess-${at}`, own)).status)
    expect(statuses).toEqual([...Array(20).fill(401), 429, 429])
    expectRefusal(await byBasic('two', OLD, own), 429, 'invalid_client')
    await own.close()
  })

  test.each<[string, unknown, RegExp]>([
    ['no secret', [], /clients\[0\]\.client_secret .*a list of 0/],
    ['three', ['a', 'b', 'c'], /clients\[0\]\.client_secret .*a list of 3/],
    ['a variable that is not set', ['a', undefined], /clients\[0\]\.client_secret .*environment variable/],
    ['an empty one', ['', 'b'], /clients\[0\]\.client_secret .*is no text, or empty/],
    ['a hole', Array(2), /clients\[0\]\.client_secret .*is no text, or empty/],
    ['a list in it', [['a'], 'b'], /clients\[0\]\.client_secret .*is no text, or empty/],
  ])('refuses a list with %s', async (_, client_secret, message) => {
    const client = { client_id: 'x', client_secret: client_secret as string[], redirect_uris }
    await expect(startHost({ provider: { clients: [client] } })).rejects.toThrow(message)
  })

  test('refuses an old one that is too short for a MAC', async () => {
    const client_secret = [NEW, 'short']
    const client = {
      client_id: 'x',
      client_secret,
      token_endpoint_auth_method: 'client_secret_jwt',
      redirect_uris,
    }
    await expect(startHost({ provider: { clients: [client] } })).rejects.toThrow(
      /is shorter than HS256 needs/,
    )
  })

  test('alone takes a list: create has one secret to give', async () => {
    const metadata = { client_secret: [NEW, OLD] as never, redirect_uris }
    await expect(host.oauth.clients.create(metadata)).rejects.toMatchObject({
      reason: 'metadata_client_secret',
    })
  })
})
