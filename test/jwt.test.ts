import { createHmac, createPrivateKey, sign } from 'node:crypto'
import { CompactSign, generateKeyPair, UnsecuredJWT } from 'jose'
import type { ProviderEvents } from '../lib/index.js'
import { KeySet } from '../lib/keys/key-set.js'
import type { JwtHeader } from '../lib/keys/keys.js'
import { OwnKeys } from '../lib/keys/own-keys.js'
import { createSealer } from '../lib/keys/sealing.js'
import type { Settings } from '../lib/settings.js'
import { openStore } from '../lib/store/open.js'
import { SqliteStore } from '../lib/store/sqlite.js'
import type { CheckedStore, Store } from '../lib/store/store.js'
import { faultyStore } from './support/faults.js'
import { reuseRsaKeys } from './support/made-rsa-keys.js'
import { signingKeys } from './support/signing-keys.js'

const OPERATIONS = Object.getOwnPropertyNames(SqliteStore.prototype).filter(
  (name) => name !== 'constructor',
) as (keyof Store)[]
const lifetimes = { idToken: 3600, accessToken: 3600, signingKey: 7_776_000 } as Settings['lifetimes']

reuseRsaKeys()

/** The keys of a process on a store, on a clock in our hand. */
function keySet(store: Store = openStore(':memory:', Date.now)) {
  const clock = { time: Date.now() }
  const errors: unknown[] = []
  const keys = new KeySet({
    settings: { lifetimes } as Settings,
    store: store as CheckedStore,
    sealer: undefined,
    now: () => clock.time,
    emit: (_name, ...[event]) => errors.push((event as ProviderEvents['server.error'][0]).error),
  })
  return { keys, store, clock, errors }
}

function encode(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
}

function headerOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split('.')[0]!, 'base64url').toString())
}

describe('signing', () => {
  test.each(['RS256', 'ES256', 'EdDSA'] as const)(
    '%s: what is signed verifies, as what it is',
    async (alg) => {
      const { keys } = keySet()
      const claims = {
        iss: 'https://host.example',
        sub: 'alice',
        exp: 1,
        more: { nested: ['é', 1, true, null] },
      }
      const jwt = await keys.sign(claims, { alg, typ: 'JWT' })
      expect(headerOf(jwt)).toEqual({ alg, typ: 'JWT', kid: await keys.currentKid(alg) })
      expect(await keys.verify(jwt, 'JWT')).toEqual(claims)
      expect(await keys.verify(jwt, 'at+jwt')).toBeUndefined()
      expect(await keys.verify(jwt, 'logout+jwt')).toBeUndefined()
    },
  )

  test('a key that is named signs, although another one does by now', async () => {
    const { keys } = keySet()
    const kid = await keys.currentKid('RS256')
    const header: JwtHeader = { alg: 'RS256', typ: 'at+jwt', kid }
    const before = await keys.sign({ jti: '1' }, header)
    await keys.rotate()
    expect(await keys.currentKid('RS256')).not.toBe(kid)
    expect(await keys.sign({ jti: '1' }, header)).toBe(before)
    expect(headerOf(await keys.sign({}, { alg: 'RS256', typ: 'JWT' })).kid).not.toBe(kid)
  })

  test('a key that is named signs nothing once its private part is gone, or for another algorithm', async () => {
    const { keys, clock } = keySet()
    const kid = await keys.currentKid('RS256')
    await keys.rotate()
    clock.time += 4_000_000
    await keys.list()
    for (const header of [
      { alg: 'RS256', typ: 'JWT', kid },
      { alg: 'ES256', typ: 'JWT', kid },
      { alg: 'EdDSA', typ: 'JWT', kid: 'unknown' },
    ] as const) {
      const { alg, kid } = headerOf(await keys.sign({}, header))
      expect([alg, kid]).toEqual([header.alg, await keys.currentKid(header.alg)])
    }
  })

  test('a thousand signatures in a minute need the store once', async () => {
    const store = openStore(':memory:', Date.now)
    const reading = jest.spyOn(store, 'findKeys')
    const { keys, clock } = keySet(store)
    await keys.currentKid('ES256')
    reading.mockClear()
    for (let count = 0; count < 1000; count++) {
      clock.time += 40
      await keys.sign({ count }, { alg: 'ES256', typ: 'JWT' })
    }
    expect(reading.mock.calls.length).toBe(0)
    clock.time += 60_000
    await keys.sign({}, { alg: 'ES256', typ: 'JWT' })
    expect(reading.mock.calls.length).toBe(1)
  })

  test('RS256 does not hold up the event loop', async () => {
    const { keys } = keySet()
    await keys.currentKid('RS256')
    let turns = 0
    let running = true
    const turn = () => {
      turns++
      if (running) setImmediate(turn)
    }
    setImmediate(turn)
    for (let count = 0; count < 20; count++) await keys.sign({ count }, { alg: 'RS256', typ: 'JWT' })
    running = false
    // However busy the machine is: what another thread has done arrives in a later turn. Were it done on this one, there would be none.
    expect(turns).toBeGreaterThan(15)
  })
})

describe('verifying', () => {
  test('what a key signed is known for a year after it has left the JWK Set, and no longer', async () => {
    const { keys, clock } = keySet()
    const jwt = await keys.sign({ sub: 'alice' }, { alg: 'ES256', typ: 'JWT' })
    const kid = await keys.currentKid('ES256')
    await keys.rotate()
    clock.time += 4_000_000
    await keys.list()
    expect((await keys.published()).keys.map((key) => key.kid)).not.toContain(kid)
    expect(await keys.verify(jwt, 'JWT')).toEqual({ sub: 'alice' })
    clock.time += 364 * 86_400_000
    await keys.list()
    expect(await keys.verify(jwt, 'JWT')).toEqual({ sub: 'alice' })
    clock.time += 86_400_000
    await keys.list()
    expect(await keys.verify(jwt, 'JWT')).toBeUndefined()
  })

  test('what another process signed with a key that is not known here yet verifies, and guessing does not cost a look each', async () => {
    const one = keySet()
    const late = keySet(one.store)
    late.clock.time = one.clock.time
    await Promise.all([one.keys.published(), late.keys.published()])
    await one.keys.rotate()
    const [, , newest] = (await one.keys.list()).filter(({ alg }) => alg === 'ES256')
    one.clock.time = newest!.signsFrom!
    const jwt = await one.keys.sign({ sub: 'alice' }, { alg: 'ES256', typ: 'JWT' })
    expect(headerOf(jwt).kid).toBe(newest!.kid)
    expect(await late.keys.verify(jwt, 'JWT')).toEqual({ sub: 'alice' })
    const reading = jest.spyOn(one.store, 'findKeys')
    const unknown = `${encode({ alg: 'ES256', typ: 'JWT', kid: 'unknown' })}.${encode({})}.AA`
    for (let guess = 0; guess < 100; guess++) expect(await late.keys.verify(unknown, 'JWT')).toBeUndefined()
    expect(reading.mock.calls.length).toBe(0)
    late.clock.time += 6000
    for (let guess = 0; guess < 100; guess++) await late.keys.verify(unknown, 'JWT')
    expect(reading.mock.calls.length).toBe(1)
  })

  test('while the store fails, what is known verifies, and what is not known does not', async () => {
    const store = faultyStore(openStore(':memory:', Date.now), OPERATIONS)
    const { keys, clock, errors } = keySet(store)
    const jwt = await keys.sign({ sub: 'alice' }, { alg: 'EdDSA', typ: 'JWT' })
    store.fail('findKeys', 'rejects')
    clock.time += 86_400_000
    expect(await keys.verify(jwt, 'JWT')).toEqual({ sub: 'alice' })
    const unknown = `${encode({ alg: 'EdDSA', typ: 'JWT', kid: 'unknown' })}.${encode({})}.AA`
    expect(await keys.verify(unknown, 'JWT')).toBeUndefined()
    expect(errors.length).toBeGreaterThan(0)
  })

  describe('ROB-07 anything else is nobody, and never a failure:', () => {
    const { keys } = keySet()
    const own = new OwnKeys(signingKeys, ['RS256'])
    let jwt: string
    let parts: [string, string, string]
    let kid: string
    beforeAll(async () => {
      jwt = await keys.sign({ sub: 'alice', exp: 1 }, { alg: 'RS256', typ: 'JWT' })
      parts = jwt.split('.') as typeof parts
      kid = await keys.currentKid('RS256')
    })

    test('what we signed ourselves, but is longer than anything of ours', async () => {
      const of = (length: number) => own.sign({ pad: 'x'.repeat(length) }, { alg: 'RS256', typ: 'JWT' })
      expect(await own.verify(await of(11_000), 'JWT')).toEqual({ pad: 'x'.repeat(11_000) })
      expect(await own.verify(await of(13_000), 'JWT')).toBeUndefined()
    })

    const header = (more: object = {}) => encode({ alg: 'RS256', typ: 'JWT', kid, ...more })
    const hostile: Record<string, () => unknown> = {
      'an empty text': () => '',
      'one segment': () => parts[0],
      'two segments': () => `${parts[0]}.${parts[1]}`,
      'four segments': () => `${jwt}.AAAA`,
      'five segments, as a JWE has them': () => `${jwt}.AAAA.AAAA`,
      'ten segments': () => Array(10).fill(parts[0]).join('.'),
      'empty segments': () => '..',
      'an empty signature': () => `${parts[0]}.${parts[1]}.`,
      'an empty payload': () => `${parts[0]}..${parts[2]}`,
      'a header that is not JSON': () => `${encode('nonsense')}.${parts[1]}.${parts[2]}`,
      'a header that is an array': () => `${encode([])}.${parts[1]}.${parts[2]}`,
      'a header that is null': () => `${encode('null')}.${parts[1]}.${parts[2]}`,
      'no base64url at all': () => '\u0000.\u{1f511}.%%%',
      padding: () => `${parts[0]}==.${parts[1]}==.${parts[2]}==`,
      'another payload': () => `${parts[0]}.${encode({ sub: 'bob' })}.${parts[2]}`,
      'another signature': () => `${parts[0]}.${parts[1]}.${parts[2].replace(/^.{4}/, 'AAAA')}`,
      'alg none': () => new UnsecuredJWT({ sub: 'alice' }).encode(),
      'alg none with our kid': () => `${header({ alg: 'none' })}.${parts[1]}.`,
      'another alg for the same key': () => `${header({ alg: 'PS256' })}.${parts[1]}.${parts[2]}`,
      'an alg that is an object': () => `${header({ alg: {} })}.${parts[1]}.${parts[2]}`,
      'a kid that is a number': () => `${header({ kid: 7 })}.${parts[1]}.${parts[2]}`,
      'a kid of the prototype': () => `${header({ kid: '__proto__' })}.${parts[1]}.${parts[2]}`,
      'no typ': () => `${header({ typ: undefined })}.${parts[1]}.${parts[2]}`,
      'a text of 1 MB': () => `${parts[0]}.${'A'.repeat(1_000_000)}.${parts[2]}`,
      undefined: () => undefined,
      'an object': () => ({ split: () => parts }),
    }
    test.each(Object.entries(hostile))('%s', async (_, make) => {
      expect(await keys.verify(make() as string, 'JWT')).toBeUndefined()
      expect(await own.verify(make() as string, 'JWT')).toBeUndefined()
    })

    test('what is signed with the public key as a shared secret (RFC 8725 §2.1)', async () => {
      const { keys: published } = await keys.published()
      const secret = JSON.stringify(published.find((key) => key.kid === kid))
      const signed = `${header({ alg: 'HS256' })}.${parts[1]}`
      const mac = createHmac('sha256', secret).update(signed).digest('base64url')
      expect(await keys.verify(`${signed}.${mac}`, 'JWT')).toBeUndefined()
    })

    test('what another key signed under our kid, with a key of its own in the header', async () => {
      const { privateKey } = await generateKeyPair('RS256')
      const jwt = await new CompactSign(Buffer.from('{}'))
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid })
        .sign(privateKey)
      expect(await keys.verify(jwt, 'JWT')).toBeUndefined()
    })

    test.each([
      ['crit', { crit: ['exp'], exp: 1 }, '{}'],
      ['b64: false', { crit: ['b64'], b64: false }, '{}'],
      ['zip', { zip: 'DEF' }, '{}'],
      ['a jwk of its own', { jwk: { kty: 'oct', k: 'AA' } }, '{}'],
      ['a payload that is an array', {}, '[]'],
      ['a payload that is no JSON', {}, 'nonsense'],
      ['a payload that is a number', {}, '1e308'],
    ])('what our own key signed, but not we: %s', async (_, more, payload) => {
      const key = createPrivateKey({ key: signingKeys[0]!, format: 'jwk' })
      const make = (header: object) => {
        const encoded = encode({ alg: 'RS256', typ: 'JWT', kid: 'test-RS256', ...header })
        const signed = `${encoded}.${'b64' in header ? payload : encode(payload)}`
        return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`
      }
      if (payload === '{}') expect(await own.verify(make({}), 'JWT')).toEqual({})
      expect(await own.verify(make(more), 'JWT')).toBeUndefined()
    })
  })
})

describe('sealing', () => {
  const [one, two] = ['x'.repeat(32), 'y'.repeat(32)]

  test('what the first secret sealed is opened by it, wherever it stands', async () => {
    const sealed = await createSealer([one])!.seal('a text: é')
    for (const secrets of [[one], [one, two], [two, one]])
      expect(await createSealer(secrets)!.open(sealed)).toBe('a text: é')
    expect(createSealer([one, two])!.isFresh(sealed)).toBe(true)
    expect(createSealer([two, one])!.isFresh(sealed)).toBe(false)
    expect(createSealer([one])!.isFresh('[]')).toBe(false)
    expect(sealed).not.toContain(encode('a text'))
    expect(await createSealer([one])!.seal('a text: é')).not.toBe(sealed)
  })

  test('what no secret fits, and what was changed, is refused with the remedy', async () => {
    const sealed = await createSealer([one])!.seal('a text')
    await expect(createSealer([two])!.open(sealed)).rejects.toThrow(/secret does not fit .*\[new, old\]/)
    const changed = sealed.replace(/\.[\w-]{4}/, '.AAAA')
    for (const text of ['', 'nonsense', '[]', '....', `${encode({ alg: 'none' })}....`])
      await expect(createSealer([one])!.open(text)).rejects.toThrow('oauthProvider: secret does not fit')
    await expect(createSealer([one])!.open(changed)).rejects.toThrow(/store holds .* changed.*backup/)
  })

  test('without a secret there is no sealer', () => {
    expect(createSealer([])).toBeUndefined()
  })
})

test('a rotation that somebody else came before is made on what they saved, and not lost', async () => {
  const store = openStore(':memory:', Date.now)
  const { keys } = keySet(store)
  const before = await keys.currentKid('RS256')
  await keys.list()
  const save = store.saveKeys.bind(store)
  const saved = jest.spyOn(store, 'saveKeys').mockImplementationOnce(async ({ data }) => {
    // The other process has saved something else in this very moment.
    const { revision, data: known } = (await store.findKeys())!
    expect(data).not.toBe(known)
    await save({ revision: revision + 1, data: known })
    return false
  })
  await keys.rotate()
  expect(saved).toHaveBeenCalledTimes(2)
  expect(await keys.currentKid('RS256')).not.toBe(before)
})

describe('signing keys that are damaged in the store', () => {
  type Document = Record<string, unknown>[]
  const damages: Record<string, [(document: Document, text: string) => unknown, which: RegExp]> = {
    'that are no JSON': [(_, text) => text.slice(0, -9), /damaged\. Restore/],
    'that are empty': [() => '""', /damaged\. Restore/],
    'that are no list': [(document) => ({ ...document }), /damaged\. Restore/],
    'with one that is nothing': [(document) => [...document, null], /number 7 of 7/],
    'with one without its key': [([{ jwk: _, ...first } = {}, ...others]) => [first, ...others], /1 of 6/],
    'with one for another algorithm': [
      ([first, ...others]) => [first, ...others.map((key) => ({ ...key, alg: 'XS256' }))],
      /2 of 6/,
    ],
    'with one that signs from no time on': [
      (document) => document.map((key) => ({ ...key, signsFrom: null })),
      /1 of 6/,
    ],
  }

  async function damagedStore(change: (document: Document, text: string) => unknown) {
    const store = openStore(':memory:', Date.now)
    const { keys } = keySet(store)
    const kid = await keys.currentKid('RS256')
    await keys.list()
    const { revision, data } = (await store.findKeys())!
    const damaged = change(JSON.parse(data), data)
    const text = typeof damaged === 'string' ? damaged : JSON.stringify(damaged)
    expect(await store.saveKeys({ revision: revision + 1, data: text })).toBe(true)
    const mend = () => store.saveKeys({ revision: revision + 2, data })
    return { store, kid, text, mend }
  }

  test.each(Object.entries(damages))(
    '%s: nothing is signed, the error says what to do, and no new ones are made',
    async (_, [change, which]) => {
      const { store, kid, text, mend } = await damagedStore(change)
      const { keys } = keySet(store)
      for (const ask of [
        () => keys.sign({}, { alg: 'RS256', typ: 'JWT' }),
        () => keys.published(),
        () => keys.rotate(),
      ]) {
        await expect(ask()).rejects.toThrow(/^oauthProvider: store holds signing keys that are damaged/)
        await expect(ask()).rejects.toThrow(which)
        await expect(ask()).rejects.toThrow(/backup/)
      }
      expect((await store.findKeys())?.data).toBe(text)
      await mend()
      expect(await keys.currentKid('RS256')).toBe(kid)
    },
  )

  test('whoever has read them before goes on with them for as long as others keep them, and tells it', async () => {
    const store = openStore(':memory:', Date.now)
    const { keys, clock, errors } = keySet(store)
    const kid = await keys.currentKid('RS256')
    await keys.list()
    const { revision } = (await store.findKeys())!
    await store.saveKeys({ revision: revision + 1, data: '[{}]' })
    clock.time += 5 * 60_000
    expect(await keys.currentKid('RS256')).toBe(kid)
    expect(String(errors[0])).toContain('holds signing keys that are damaged (number 1 of 1)')
    clock.time += 5 * 60_000
    await expect(keys.currentKid('RS256')).rejects.toThrow('holds signing keys that are damaged')
  })

  test.each([
    ['its private part', { d: 'AA', p: 'AA' }],
    ['its public part', { n: 'AQAB' }],
    ['what it is', { kty: 'oct' }],
  ])('one of which %s is damaged signs nothing, and the error names it', async (_, changes) => {
    const { store, kid } = await damagedStore((document) =>
      document.map((key) => ({ ...key, jwk: { ...(key.jwk as object), ...changes } })),
    )
    const { keys } = keySet(store)
    const signing = keys.sign({}, { alg: 'RS256', typ: 'JWT' })
    await expect(signing).rejects.toThrow(`The signing key '${kid}' is damaged.`)
  })
})
