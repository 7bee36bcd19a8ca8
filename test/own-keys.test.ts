import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  type JWK,
  jwtVerify,
} from 'jose'
import { ConfigurationError, type OAuthProviderOptions, oauthProvider } from '../lib/index.js'
import { openStore } from '../lib/store/open.js'
import { getTokens } from './support/flow.js'
import { type Host, startHost, type User } from './support/host.js'
import { rsaKey } from './support/rsa-keys.js'

const rsa = privateJwk(rsaKey(0).privateKey)
const anotherRsa = privateJwk(rsaKey(1).privateKey)
const ec = privateJwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
const anotherEc = privateJwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
const okp = privateJwk(generateKeyPairSync('ed25519').privateKey)

const hosts: Host[] = []
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.close()
})

function privateJwk(key: KeyObject): Record<string, string> {
  return key.export({ format: 'jwk' }) as Record<string, string>
}

async function start(provider: Partial<OAuthProviderOptions<User>>): Promise<Host> {
  const host = await startHost({ provider })
  hosts.push(host)
  return host
}

async function jwks(host: Host): Promise<{ keys: (JWK & { kid: string })[] }> {
  const response = await fetch(`${host.issuer}/jwks`)
  expect(response.status).toBe(200)
  return (await response.json()) as { keys: (JWK & { kid: string })[] }
}

async function idToken(host: Host): Promise<string> {
  return String((await getTokens(host, { params: { scope: 'openid' } })).id_token)
}

describe('the option keys', () => {
  test('its keys are published without their private parts, under their kid or their thumbprint', async () => {
    const host = await start({ keys: [{ ...ec, kid: 'mine', ext: true, key_ops: ['sign'] }, rsa, okp] })
    const { keys } = await jwks(host)
    expect(keys).toEqual([
      { kty: 'EC', crv: 'P-256', x: ec.x, y: ec.y, kid: 'mine', alg: 'ES256', use: 'sig' },
      { kty: 'RSA', n: rsa.n, e: rsa.e, kid: await calculateJwkThumbprint(rsa), alg: 'RS256', use: 'sig' },
      {
        kty: 'OKP',
        crv: 'Ed25519',
        x: okp.x,
        kid: await calculateJwkThumbprint(okp),
        alg: 'EdDSA',
        use: 'sig',
      },
    ])
  })

  test('the first of each algorithm signs, and all others are published', async () => {
    const first = await start({
      keys: [
        { ...rsa, kid: 'one' },
        { ...anotherRsa, kid: 'two' },
      ],
    })
    const second = await start({
      keys: [
        { ...anotherRsa, kid: 'two' },
        { ...rsa, kid: 'one' },
      ],
    })
    expect(decodeProtectedHeader(await idToken(first)).kid).toBe('one')
    const token = await idToken(second)
    expect(decodeProtectedHeader(token).kid).toBe('two')
    await jwtVerify(token, createLocalJWKSet(await jwks(first)))
    await jwtVerify(token, createLocalJWKSet(await jwks(second)))
    expect(await first.oauth.keys.list()).toEqual([
      { kid: 'one', alg: 'RS256', state: 'current' },
      { kid: 'two', alg: 'RS256', state: 'published' },
    ])
  })

  test('what Web Crypto, Node and jose export is taken as it is', async () => {
    const { privateKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
      'verify',
    ])
    const { privateKey: made } = await generateKeyPair('EdDSA', { extractable: true })
    const exported = [
      rsaKey(2).privateKey.export({ format: 'jwk' }),
      await crypto.subtle.exportKey('jwk', privateKey),
      await exportJWK(made),
    ]
    const { keys } = await jwks(await start({ keys: exported }))
    expect(keys.map(({ alg }) => alg)).toEqual(['RS256', 'ES256', 'EdDSA'])
  })

  test('nothing is written to the store, and nothing rotates', async () => {
    const store = openStore(':memory:', Date.now)
    const host = await start({ keys: [rsa], store, secret: 'a-secret-of-the-host-that-is-long-enough' })
    const set = await jwks(host)
    host.advance(1000 * 86_400)
    await idToken(host)
    expect(await jwks(host)).toEqual(set)
    expect(await store.findKeys()).toBeUndefined()
    await expect(host.oauth.keys.rotate()).rejects.toThrow(ConfigurationError)
    await expect(host.oauth.keys.rotate()).rejects.toThrow(/option keys.*Put a new key/)
  })

  test.each([
    ['Ed25519 is what RFC 9864 calls EdDSA', { ...okp, alg: 'Ed25519' }, 'EdDSA'],
    ['use may say sig', { ...ec, use: 'sig' }, 'ES256'],
  ])('%s', async (_, key, alg) => {
    const { keys } = await jwks(await start({ keys: [rsa, key] }))
    expect(keys[1]?.alg).toBe(alg)
  })
})

describe('what cannot sign is refused at construction, by its place and with the remedy:', () => {
  const { d: _rsa, p, q, dp, dq, qi, ...publicRsa } = rsa
  const { d: _ec, ...publicEc } = ec
  const small = privateJwk(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey)
  const p384 = privateJwk(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)
  const ed448 = privateJwk(generateKeyPairSync('ed448').privateKey)

  test.each<[string, unknown[], RegExp]>([
    ['a public RSA key', [publicRsa], /keys\[0\] is a public key\. Pass a private JWK/],
    ['a public EC key', [rsa, publicEc], /keys\[1\] is a public key\. Pass a private JWK/],
    ['an RSA key of 1024 bits', [small], /keys\[0\] has 1024 bits\. .*2048/],
    ['an EC key on P-384', [rsa, p384], /keys\[1\] has the kty 'EC' and the crv 'P-384'\. Pass .*P-256/],
    ['an Ed448 key', [rsa, ed448], /keys\[1\] has the kty 'OKP' and the crv 'Ed448'\. Pass .*Ed25519/],
    [
      'a shared secret',
      [rsa, { kty: 'oct', k: 'c2VjcmV0' }],
      /keys\[1\] has the kty 'oct'\. Pass a private JWK/,
    ],
    ['a key without kty', [{}], /keys\[0\] has the kty undefined\. Pass a private JWK/],
    ['a kty of the prototype', [rsa, { kty: 'EC', crv: 'constructor', d: 'a' }], /keys\[1\] has the kty/],
    ['PEM', ['-----BEGIN PRIVATE KEY-----\nMII'], /keys\[0\] is a string\. Pass a private JWK/],
    ['null', [null], /keys\[0\] is null\. Pass a private JWK/],
    [
      'an alg of another kind',
      [{ ...rsa, alg: 'ES256' }],
      /keys\[0\]\.alg is 'ES256'\. This key signs RS256/,
    ],
    [
      'an alg that is not supported',
      [{ ...rsa, alg: 'PS256' }],
      /keys\[0\]\.alg is 'PS256'\. This key signs RS256/,
    ],
    ['a key for encryption', [{ ...rsa, use: 'enc' }], /keys\[0\]\.use is 'enc'\. Pass a key for signing/],
    [
      'a key that only verifies',
      [{ ...rsa, key_ops: ['verify'] }],
      /keys\[0\]\.key_ops .*Pass a key for signing/,
    ],
    ['a kid that is a number', [{ ...rsa, kid: 7 }], /keys\[0\]\.kid is 7\. Pass a string/],
    ['an empty kid', [{ ...rsa, kid: '' }], /keys\[0\]\.kid is an empty string\. Pass a string/],
    [
      'two parts of different EC keys',
      [rsa, { ...ec, d: anotherEc.d }],
      /keys\[1\] is not a key that can be used/,
    ],
    [
      'two parts of different RSA keys',
      [{ ...rsa, n: anotherRsa.n }],
      /keys\[0\] is not a key that can be used/,
    ],
    [
      'two parts of different OKP keys',
      [rsa, { ...okp, x: ec.x }],
      /keys\[1\] is not a key that can be used/,
    ],
    [
      'a key that is cut off',
      [rsa, { ...ec, d: ec.d!.slice(0, 9) }],
      /keys\[1\] is not a key that can be used/,
    ],
    ['a member that is no text', [{ ...rsa, d: 7 }], /keys\[0\] is not a key that can be used/],
    [
      'the same kid twice',
      [
        { ...rsa, kid: 'a' },
        { ...ec, kid: 'a' },
      ],
      /keys\[1\] has the kid .*'a'\. Give each its own/,
    ],
    ['the same key twice', [rsa, rsa], /keys\[1\] has the kid of another one/],
    ['none for RS256', [ec, okp], /keys has none for RS256\. Make one/],
    ['none at all', [], /keys has none for RS256\. Make one/],
  ])('%s', (_, keys, message) => {
    const store = path.join(tmpdir(), `refused-keys-${process.pid}.db`)
    const construct = () =>
      oauthProvider({
        issuer: 'https://host.example/oauth',
        findUser: () => undefined,
        store,
        keys: keys as Record<string, unknown>[],
      })
    expect(construct).toThrow(ConfigurationError)
    expect(construct).toThrow(message)
    expect(existsSync(store)).toBe(false)
    try {
      construct()
    } catch (error) {
      const told = `${error} ${(error as Error).cause ?? ''}`
      for (const secret of [rsa.d, rsa.p, ec.d, okp.d, 'MII']) expect(told).not.toContain(secret)
    }
  })
})
