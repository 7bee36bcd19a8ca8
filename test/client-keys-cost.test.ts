import crypto, { createPrivateKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ClientKeys } from '../lib/clients/client-keys.js'
import type { Jwk } from '../lib/index.js'
import { assertion, withAssertion } from './support/assertions.js'
import { proof } from './support/dpop.js'
import { type Host, startHost } from './support/host.js'
import { rsaKey } from './support/rsa-keys.js'
import { expectRefusal, type RawAnswer, sendFrom } from './support/token-endpoint.js'

const PROBE = { grant_type: 'refresh_token', refresh_token: 'unknown' }
const byKey = { token_endpoint_auth_method: 'private_key_jwt', redirect_uris: ['https://rp.example/cb'] }

function pair(): { key: JsonWebKey; jwk: JsonWebKey } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { key: privateKey.export({ format: 'jwk' }), jwk: publicKey.export({ format: 'jwk' }) }
}

const [mine, strange] = [pair(), pair()]
/** As many as a client may have, its own one last. */
const many = [...Array.from({ length: 49 }, () => pair().jwk), mine.jwk]

/** What costs the processor: keys made of JWKs, and signatures that are verified. */
const making = jest.spyOn(crypto, 'createPublicKey')
const verifying = jest.spyOn(globalThis.crypto.subtle, 'verify')
afterAll(() => jest.restoreAllMocks())

let site: Server
let own: Host
let asked: number
let answer: { keys: unknown; headers?: Record<string, string> }
beforeEach(async () => {
  asked = 0
  answer = { keys: [mine.jwk] }
  site = createServer((_req, res) => {
    asked++
    res.writeHead(200, { 'content-type': 'application/json', ...answer.headers })
    res.end(JSON.stringify({ keys: answer.keys }))
  }).listen(0, '127.0.0.1')
  await once(site, 'listening')
  const jwks_uri = `http://127.0.0.1:${(site.address() as AddressInfo).port}/jwks`
  const clients = [
    { client_id: 'remote', ...byKey, jwks_uri },
    { client_id: 'inline', ...byKey, jwks: { keys: [mine.jwk] } },
  ]
  own = await startHost({ provider: { clients, allowPrivateAddresses: true } })
  await own.oauth.clients.create({ client_id: 'stored', ...byKey, jwks: { keys: [mine.jwk] } })
  making.mockClear()
  verifying.mockClear()
})
afterEach(async () => {
  site.closeAllConnections()
  site.close()
  await own.close()
})

function knock(client: string, signer: JsonWebKey, header = {}, address = '127.0.0.1'): Promise<RawAnswer> {
  const jwt = assertion(own, { client, signer, header })
  return sendFrom(own, address, { ...PROBE, ...withAssertion(jwt) })
}

async function expectLetIn(knocking: Promise<RawAnswer>): Promise<void> {
  expectRefusal(await knocking, 400, 'invalid_grant')
}

async function expectKeptOut(knocking: Promise<RawAnswer>, reason: string): Promise<void> {
  expectRefusal(await knocking, 401, 'invalid_client')
  expect(own.events.findLast(({ name }) => name === 'token.refused')?.event.reason).toBe(reason)
}

describe.each(['remote', 'inline', 'stored'])('the keys of a client (%s)', (client) => {
  test('are made of their JWKs once, however many requests there are', async () => {
    for (let at = 0; at < 5; at++) await expectLetIn(knock(client, mine.key))
    for (let at = 0; at < 5; at++) await expectKeptOut(knock(client, strange.key), 'assertion_signature')
    expect(making).toHaveBeenCalledTimes(1)
  })

  test('CAUTH-14 after 20 wrong signatures one key is tried where many would fit, and who has the right one is let in still', async () => {
    answer.headers = { 'cache-control': 'no-store' }
    for (let at = 0; at < 20; at++) {
      own.advance(1)
      await expectKeptOut(knock(client, strange.key), 'assertion_signature')
    }
    verifying.mockClear()
    own.advance(10)
    for (let at = 0; at < 10; at++) await expectKeptOut(knock(client, strange.key), 'assertion_signature')
    expect(verifying).toHaveBeenCalledTimes(10)
    await expectLetIn(knock(client, mine.key))
  })

  test('cost nothing where the header names none of them, and nobody is locked out by that', async () => {
    answer.keys = [{ ...mine.jwk, kid: 'mine' }]
    const { client_id } = await own.oauth.clients.create({
      ...byKey,
      jwks: { keys: [{ ...mine.jwk, kid: 'mine' }] },
    })
    const named = client === 'remote' ? client : client_id
    making.mockClear()
    for (let at = 0; at < 30; at++)
      await expectKeptOut(knock(named, strange.key, { kid: `no-${at}` }), 'assertion_key')
    for (let at = 0; at < 30; at++)
      await expectKeptOut(knock(named, strange.key, { alg: 'ES384' }), 'assertion_key')
    expect([making.mock.calls.length, verifying.mock.calls.length]).toEqual([0, 0])
    await expectLetIn(knock(named, mine.key, { kid: 'mine' }))
  })
})

describe('a jwks_uri with many keys', () => {
  test('costs those keys alone that the header can mean', async () => {
    answer.keys = many.map((jwk, index) => ({ ...jwk, kid: `key-${index}` }))
    await expectLetIn(knock('remote', mine.key, { kid: 'key-49' }))
    expect([making.mock.calls.length, verifying.mock.calls.length]).toEqual([1, 1])
  })

  test('costs 20 signatures and no more where the header names none, and none twice when it is asked again', async () => {
    answer.keys = many
    await expectKeptOut(knock('remote', strange.key), 'assertion_signature')
    expect([making.mock.calls.length, verifying.mock.calls.length]).toEqual([20, 20])
    own.advance(5)
    answer.keys = [...many]
    await expectKeptOut(knock('remote', strange.key), 'assertion_signature')
    expect(asked).toBe(2)
    expect([making.mock.calls.length, verifying.mock.calls.length]).toEqual([21, 41])
  })

  test('costs one signature after 20 have failed from there, and 20 again a minute later', async () => {
    answer.keys = many
    for (let at = 0; at < 20; at++) await expectKeptOut(knock('remote', strange.key), 'assertion_signature')
    verifying.mockClear()
    await expectKeptOut(knock('remote', strange.key), 'assertion_signature')
    expect(verifying).toHaveBeenCalledTimes(1)
    await expectKeptOut(knock('remote', strange.key, {}, '127.0.0.2'), 'assertion_signature')
    expect(verifying).toHaveBeenCalledTimes(21)
    own.advance(60)
    await expectKeptOut(knock('remote', strange.key), 'assertion_signature')
    // One more for the set that was asked for again.
    expect(verifying).toHaveBeenCalledTimes(42)
  })

  test('tries a key once that is listed many times', async () => {
    answer.keys = Array(50).fill(mine.jwk)
    await expectKeptOut(knock('remote', strange.key), 'assertion_signature')
    expect([making.mock.calls.length, verifying.mock.calls.length]).toEqual([1, 1])
  })

  test('is refused with more than 50 of them, until there are fewer', async () => {
    answer.keys = [...many, strange.jwk]
    await expectKeptOut(knock('remote', mine.key), 'jwks_too_large')
    own.advance(5)
    await expectKeptOut(knock('remote', mine.key), 'jwks_too_large')
    expect((await knock('remote', mine.key)).body.error_description).toBe(
      'This client has more than 50 keys, which is too many.',
    )
    expect([making.mock.calls.length, verifying.mock.calls.length]).toEqual([0, 0])
    answer.keys = [mine.jwk]
    own.advance(5)
    await expectLetIn(knock('remote', mine.key))
  })

  test('passes over an RSA key whose exponent makes verifying slow', async () => {
    const { publicKey, privateKey } = rsaKey()
    const slow = { ...publicKey.export({ format: 'jwk' }), e: Buffer.alloc(256, 0x7f).toString('base64url') }
    answer.keys = [slow]
    await expectKeptOut(
      knock('remote', privateKey.export({ format: 'jwk' }), { alg: 'RS256' }),
      'assertion_key',
    )
    expect(verifying).not.toHaveBeenCalled()
  })
})

describe('keys that are remembered', () => {
  /** Keys that nobody has, each another one. */
  const strangers = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ kty: 'RSA', e: 'AQAB', n: `AQAB${at}` }))
  const use = (keys: ClientKeys, ...jwks: Jwk[]) => [...keys.usable(jwks)].length

  test('are the 1000 that were used last', () => {
    const keys = new ClientKeys()
    expect(use(keys, mine.jwk, strange.jwk)).toBe(2)
    use(keys, ...strangers(998))
    use(keys, mine.jwk)
    making.mockClear()
    use(keys, ...strangers(999).slice(998))
    expect(use(keys, mine.jwk)).toBe(1)
    expect(making).toHaveBeenCalledTimes(1)
    expect(use(keys, strange.jwk)).toBe(1)
    expect(making).toHaveBeenCalledTimes(2)
  })

  test('are not pushed out by keys that strangers make up for proofs', async () => {
    const keys = new ClientKeys()
    use(keys, mine.jwk)
    for (const jwk of strangers(1001)) keys.ofStranger(jwk)
    making.mockClear()
    expect(use(keys, mine.jwk)).toBe(1)
    expect(making).not.toHaveBeenCalled()
    // Those of DPoP proofs are such, also where a client has registered the same.
    await expectLetIn(knock('inline', mine.key))
    expect(making).toHaveBeenCalledTimes(1)
    const signer = createPrivateKey({ key: mine.key, format: 'jwk' })
    for (let at = 0; at < 3; at++) {
      const dpop = proof(own, { key: { alg: 'ES256', signer, jwk: mine.jwk, jkt: '' } })
      await expectLetIn(sendFrom(own, '127.0.0.1', { ...PROBE, ...withAssertion(inline()) }, { dpop }))
    }
    expect(making).toHaveBeenCalledTimes(2)
  })

  const inline = () => assertion(own, { client: 'inline', signer: mine.key })
})

test('an assertion is decoded once', async () => {
  const jti = 'the-jti-that-is-looked-for'
  const parsing = jest.spyOn(JSON, 'parse')
  const jwt = assertion(own, { client: 'inline', signer: mine.key, claims: { jti } })
  await expectLetIn(sendFrom(own, '127.0.0.1', { ...PROBE, ...withAssertion(jwt) }))
  const decoded = parsing.mock.calls.filter(([text]) => text.includes(`"jti":"${jti}"`))
  parsing.mockRestore()
  expect(decoded).toHaveLength(1)
})
