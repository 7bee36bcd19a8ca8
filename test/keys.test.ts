import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import SQLite from 'better-sqlite3'
import { calculateJwkThumbprint, createLocalJWKSet, decodeProtectedHeader, type JWK, jwtVerify } from 'jose'
import { ConfigurationError, type OAuthProviderOptions } from '../lib/index.js'
import { openStore } from '../lib/store/open.js'
import { SqliteStore } from '../lib/store/sqlite.js'
import type { Store } from '../lib/store/store.js'
import { faultyStore, INTERNALS } from './support/faults.js'
import { getTokens } from './support/flow.js'
import { type Host, type HostOptions, startHost } from './support/host.js'
import { reuseRsaKeys } from './support/made-rsa-keys.js'
import { prepareProcesses } from './support/processes.js'

const SECRET = 'a-secret-of-the-host-that-is-long-enough'
const ANOTHER = 'another-secret-of-the-host-that-is-long-enough'
const DAY = 86_400
/** The max-age of the JWK Set, and the minute in which each process notices what another one did. */
const COPIES_LAST = 360
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth', 'priv']
const KINDS: Record<string, { kty: string; members: string[] }> = {
  RS256: { kty: 'RSA', members: ['n', 'e'] },
  ES256: { kty: 'EC', members: ['crv', 'x', 'y'] },
  EdDSA: { kty: 'OKP', members: ['crv', 'x'] },
}
const OPERATIONS = Object.getOwnPropertyNames(SqliteStore.prototype).filter(
  (name) => name !== 'constructor',
) as (keyof Store)[]

const makeNewRsaKeys = reuseRsaKeys()

const folder = mkdtempSync(path.join(tmpdir(), 'oauth-keys-'))
let files = 0
const hosts: Host[] = []
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.close()
})
afterAll(() => rmSync(folder, { recursive: true }))

function newFile(): string {
  return path.join(folder, `${++files}.db`)
}

/** A host whose keys are generated. */
async function start(
  provider: Partial<OAuthProviderOptions> = {},
  options: Omit<HostOptions, 'provider'> = {},
): Promise<Host> {
  const generated = { keys: undefined, ...provider } as NonNullable<HostOptions['provider']>
  const host = await startHost({ ...options, provider: generated })
  hosts.push(host)
  return host
}

/** Hosts on one store and one clock. */
async function startTogether(
  count: number,
): Promise<{ all: Host[]; file: string; advance: (seconds: number) => void }> {
  const file = newFile()
  let time = Date.now()
  const all = Array.from({ length: count }, () => start({ store: file, clock: () => time }))
  const advance = (seconds: number) => {
    time += seconds * 1000
  }
  return { all: await Promise.all(all), file, advance }
}

async function close(host: Host): Promise<void> {
  hosts.splice(hosts.indexOf(host), 1)
  await host.close()
}

interface JwkSet {
  keys: (JWK & { kid: string })[]
}

async function jwks(host: Pick<Host, 'issuer'>): Promise<JwkSet> {
  const response = await fetch(`${host.issuer}/jwks`)
  expect(response.status).toBe(200)
  return (await response.json()) as JwkSet
}

async function kids(host: Pick<Host, 'issuer'>): Promise<string[]> {
  return (await jwks(host)).keys.map(({ kid }) => kid)
}

async function idToken(host: Host): Promise<string> {
  const { id_token } = await getTokens(host, { params: { scope: 'openid' } })
  return String(id_token)
}

/** Numbers from 0 to 1 that are the same in every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

function kidOf(jwt: string): string {
  return decodeProtectedHeader(jwt).kid ?? 'none'
}

async function expectVerified(jwt: string, host: Host, set?: JwkSet): Promise<void> {
  const keys = createLocalJWKSet(set ?? (await jwks(host)))
  const { payload } = await jwtVerify(jwt, keys, { currentDate: new Date(host.now()) })
  expect(payload.iss).toBe(host.issuer)
}

async function kidIn(host: Host, state: string, alg = 'RS256'): Promise<string> {
  const found = (await host.oauth.keys.list()).filter((key) => key.state === state && key.alg === alg)
  expect(found).toHaveLength(1)
  return found[0]!.kid
}

function serverErrors(host: Host): { error: Error; endpoint: string }[] {
  const errors = host.events.filter(({ name }) => name === 'server.error')
  return errors.map(({ event }) => event as { error: Error; endpoint: string })
}

/** What lies in the store, as a process without the provider reads it. */
function stored(file: string): { revision: number; data: string } {
  const db = new SQLite(file, { readonly: true })
  const row = db.prepare('SELECT revision, data FROM oauth_keys').get() as { revision: number; data: string }
  db.close()
  return row
}

function storedKeys(file: string): { kid: string; alg: string; jwk: JWK }[] {
  return JSON.parse(stored(file).data)
}

/** Every byte of the file, after its last user has gone. */
function bytes(file: string): string {
  return readFileSync(file, 'latin1')
}

/** The same of the three files that it is while it is in use. */
function bytesWithLog(file: string): string {
  return [file, `${file}-wal`, `${file}-shm`].map(bytes).join('')
}

describe('GET /jwks', () => {
  test('DISC-08 it has two keys of each algorithm, each with its own kid, and public members only', async () => {
    const { keys } = await jwks(await start())
    expect(keys.map(({ alg }) => alg)).toEqual(['RS256', 'ES256', 'EdDSA', 'RS256', 'ES256', 'EdDSA'])
    expect(new Set(keys.map(({ kid }) => kid)).size).toBe(6)
    for (const key of keys) {
      const { kty, members } = KINDS[String(key.alg)]!
      expect(Object.keys(key).sort()).toEqual(['alg', 'kid', 'kty', 'use', ...members].sort())
      expect(key.use).toBe('sig')
      expect(key.kid).toBe(await calculateJwkThumbprint(key))
      expect(key.kty).toBe(kty)
    }
    for (const { n = '' } of keys.filter(({ kty }) => kty === 'RSA'))
      expect(Buffer.from(n, 'base64url')).toHaveLength(256)
    expect(keys.flatMap(({ crv = [] }) => crv)).toEqual(['P-256', 'Ed25519', 'P-256', 'Ed25519'])
  })

  test('DISC-11 anybody may read it from anywhere and keep it a while, without a session', async () => {
    const host = await start({}, { session: (_req, _res, next) => next(), api: false })
    const response = await fetch(`${host.issuer}/jwks`, { headers: { origin: 'https://rp.example' } })
    expect(response.status).toBe(200)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('access-control-allow-credentials')).toBeNull()
    expect(response.headers.get('content-type')).toMatch(/^application\/(?:jwk-set\+)?json/)
    expect(response.headers.get('set-cookie')).toBeNull()
    const [, maxAge] = response.headers.get('cache-control')?.match(/^public, max-age=(\d+)$/) ?? []
    expect(Number(maxAge)).toBeGreaterThan(0)
    // What rotation counts on: a key signs only when no copy without it is left.
    expect(Number(maxAge)).toBeLessThanOrEqual(300)
    const head = await fetch(`${host.issuer}/jwks`, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    const post = await fetch(`${host.issuer}/jwks`, { method: 'POST' })
    expect(post.status).toBe(405)
    expect(post.headers.get('allow')).toContain('GET')
  })

  test('keys are made without holding up the event loop', async () => {
    makeNewRsaKeys()
    let turns = 0
    let running = true
    const turn = () => {
      turns++
      if (running) setImmediate(turn)
    }
    const host = await start()
    setImmediate(turn)
    await jwks(host)
    running = false
    expect(turns).toBeGreaterThan(2)
  })

  test('OIDC-01 an ID token is signed by the current RS256 key, and says so', async () => {
    const host = await start()
    const token = await idToken(host)
    const current = await kidIn(host, 'current')
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'RS256', typ: 'JWT', kid: current })
    await expectVerified(token, host)
  })
})

describe('oauth.keys.rotate()', () => {
  test('DISC-10 the next key signs at once, which everybody knows already, and what the old one signed verifies until it expires', async () => {
    const host = await start({ lifetimes: { idToken: 1000, accessToken: 1000 } })
    const early = await jwks(host)
    const [old, next] = [await kidIn(host, 'current'), await kidIn(host, 'next')]
    const before = await idToken(host)
    await host.oauth.keys.rotate()
    const after = await idToken(host)
    expect([kidOf(before), kidOf(after)]).toEqual([old, next])
    expect(await kids(host)).toEqual(expect.arrayContaining([old, next]))
    await expectVerified(after, host, early)
    host.advance(999)
    await expectVerified(before, host)
    host.advance(COPIES_LAST + 2)
    expect(await kids(host)).not.toContain(old)
    expect(await kids(host)).toContain(next)
  })

  test('it holds for every algorithm, and each has a new key to follow', async () => {
    const host = await start()
    const before = await host.oauth.keys.list()
    host.advance(DAY)
    await host.oauth.keys.rotate()
    const after = await host.oauth.keys.list()
    for (const alg of ['RS256', 'ES256', 'EdDSA']) {
      const known = before.filter((key) => key.alg === alg)
      const now = after.filter((key) => key.alg === alg)
      expect(known.map(({ state }) => state)).toEqual(['current', 'next'])
      expect(now.map(({ state }) => state)).toEqual(['retired', 'current', 'next'])
      expect(now.slice(0, 2).map(({ kid }) => kid)).toEqual(known.map(({ kid }) => kid))
      expect(now[1]!.signsFrom).toBe(host.now())
      expect(now[2]).toMatchObject({ createdAt: host.now(), signsFrom: host.now() + 90 * DAY * 1000 })
    }
    expect(await kids(host)).toEqual(expect.arrayContaining(after.map(({ kid }) => kid)))
    expect(JSON.stringify(after)).not.toMatch(/"(?:d|p|q|jwk)":/)
  })

  test('the keys that sign stand first, then those to follow, then the retired ones', async () => {
    const host = await start()
    for (let rotation = 0; rotation < 2; rotation++) {
      const listed = await host.oauth.keys.list()
      const byState = (state: string) => listed.filter((key) => key.state === state).map(({ kid }) => kid)
      expect(await kids(host)).toEqual(['current', 'next', 'retired'].flatMap(byState))
      host.advance(DAY / 24)
      await host.oauth.keys.rotate()
    }
  })

  test('twice in a row: a key that was just published waits until no copy of the JWK Set is without it', async () => {
    const host = await start()
    await host.oauth.keys.rotate()
    const [second, third] = [await kidIn(host, 'current'), await kidIn(host, 'next')]
    host.advance(60)
    for (let again = 0; again < 3; again++) await host.oauth.keys.rotate()
    const { keys } = await jwks(host)
    expect(keys).toHaveLength(9)
    expect(kidOf(await idToken(host))).toBe(second)
    host.advance(COPIES_LAST - 60 - 1)
    expect(kidOf(await idToken(host))).toBe(second)
    host.advance(1)
    expect(kidOf(await idToken(host))).toBe(third)
    expect(await kidIn(host, 'next')).not.toBe(third)
  })

  test('a key is published for as long as the longest of what it signs can live', async () => {
    const host = await start({ lifetimes: { idToken: 60, accessToken: 5000 } })
    const old = await kidIn(host, 'current')
    await host.oauth.keys.rotate()
    host.advance(5000 + COPIES_LAST)
    expect(await kids(host)).toContain(old)
    host.advance(1)
    expect(await kids(host)).not.toContain(old)
  })

  test('then its private part is deleted for good, and a year later the rest of it', async () => {
    const file = newFile()
    const host = await start({ store: file })
    const old = await kidIn(host, 'current')
    await host.oauth.keys.rotate()
    const find = () => storedKeys(file).find(({ kid }) => kid === old)
    const { jwk } = find()!
    expect(jwk).toHaveProperty('d')
    host.advance(3600 + COPIES_LAST + 1)
    await host.oauth.keys.list()
    for (const member of PRIVATE) expect(find()!.jwk).not.toHaveProperty(member)
    expect(await calculateJwkThumbprint(find()!.jwk)).toBe(old)
    host.advance(365 * DAY)
    await host.oauth.keys.list()
    expect(find()).toBeUndefined()
    await close(host)
    const left = bytes(file)
    const members = ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const
    expect(members.filter((member) => left.includes(jwk[member]!.slice(0, 43)))).toEqual([])
  })
})

describe('oauth.keys.revoke(kid)', () => {
  test('a stolen key that signs: it verifies nothing any more, the next one signs at once, and another follows', async () => {
    const host = await start()
    const [stolen, next] = [await kidIn(host, 'current'), await kidIn(host, 'next')]
    await host.oauth.keys.rotate()
    const before = await idToken(host)
    // Those that it had taken over from are no way back.
    const current = await kidIn(host, 'current')
    expect(current).toBe(next)
    expect(await host.oauth.keys.revoke(current)).toBe(true)
    const states = (await host.oauth.keys.list()).filter(({ alg }) => alg === 'RS256')
    expect(states.map(({ state }) => state)).toEqual(['retired', 'current', 'next'])
    expect(states[0]?.kid).toBe(stolen)
    const after = await idToken(host)
    expect(kidOf(after)).toBe(states[1]?.kid)
    await expectVerified(after, host)
    expect(await kids(host)).not.toContain(current)
    await expect(expectVerified(before, host)).rejects.toThrow()
    const hint = new URLSearchParams({ id_token_hint: before })
    expect((await fetch(`${host.issuer}/logout?${hint}`)).status).toBe(400)
    expect(host.events.at(-1)?.name).not.toBe('server.error')
  })

  test('one that waits or has retired: the one that signs goes on', async () => {
    const host = await start()
    const signs = await kidIn(host, 'current')
    const next = await kidIn(host, 'next')
    expect(await host.oauth.keys.revoke(next)).toBe(true)
    expect(await kidIn(host, 'current')).toBe(signs)
    expect(await kidIn(host, 'next')).not.toBe(next)
    expect(await host.oauth.keys.revoke(next)).toBe(false)
    expect(await host.oauth.keys.revoke('unknown')).toBe(false)
    expect(host.events.filter(({ name }) => name === 'keys.rotated')).toHaveLength(1)
  })

  test('is refused for keys of the option keys, with what to do instead', async () => {
    const host = await startHost()
    await expect(host.oauth.keys.revoke('any')).rejects.toThrow(
      /keys\.revoke\(kid\) cannot .* Take the key out of that option/,
    )
    await host.close()
  })
})

describe('rotation by age', () => {
  test('every signing key takes over by itself after lifetimes.signingKey, and was published long before', async () => {
    const host = await start({ lifetimes: { signingKey: 30 * DAY } })
    const signed = [await kidIn(host, 'current')]
    for (let month = 0; month < 3; month++) {
      const early = await jwks(host)
      const next = await kidIn(host, 'next')
      host.advance(30 * DAY - 1)
      expect(kidOf(await idToken(host))).toBe(signed.at(-1))
      host.advance(1)
      const token = await idToken(host)
      expect(kidOf(token)).toBe(next)
      await expectVerified(token, host, early)
      signed.push(next)
      await host.oauth.keys.list()
    }
    expect(new Set(signed).size).toBe(4)
  })

  test('a provider that nobody asked for years signs with the key that was published last, and publishes another', async () => {
    const host = await start()
    const early = await jwks(host)
    host.advance(1000 * DAY)
    const token = await idToken(host)
    await expectVerified(token, host, early)
    const [next] = (await host.oauth.keys.list()).filter(({ state }) => state === 'next')
    expect(next?.signsFrom).toBe(host.now() + COPIES_LAST * 1000)
    expect(await kids(host)).toContain(next?.kid)
  })

  test('a shorter lifetime holds at once, also for the key that is waiting', async () => {
    const file = newFile()
    const before = await start({ store: file })
    const next = await kidIn(before, 'next')
    await close(before)
    const host = await start({ store: file, lifetimes: { signingKey: 3600 } })
    await host.oauth.keys.list()
    host.advance(3590)
    expect(kidOf(await idToken(host))).not.toBe(next)
    host.advance(20)
    expect(kidOf(await idToken(host))).toBe(next)
  })

  test('a clock that is set back or leaps forward leaves it with keys that everybody knows', async () => {
    const host = await start()
    const early = await jwks(host)
    for (const seconds of [-3600, -400 * DAY, 400 * DAY, 91 * DAY, -91 * DAY]) {
      host.advance(seconds)
      const token = await idToken(host)
      await expectVerified(token, host, early)
      await expectVerified(token, host)
      expect(kidOf(token)).toBe(await kidIn(host, 'current'))
    }
    expect(serverErrors(host)).toEqual([])
  })
})

describe('several processes on one store', () => {
  test('those that start at once on a fresh file publish the same keys, and those that come later too', async () => {
    const processes = prepareProcesses()
    try {
      const file = path.join(processes.folder, 'keys.db')
      const loaded = await Promise.all(Array.from({ length: 4 }, () => processes.load()))
      const started = await Promise.all(loaded.map((it) => it.open(file, { generated: true })))
      const sets = await Promise.all(started.map(jwks))
      expect(sets[0]?.keys).toHaveLength(6)
      for (const set of sets) expect(set).toEqual(sets[0])
      const late = await (await processes.load()).open(file, { generated: true })
      expect(await jwks(late)).toEqual(sets[0])
      expect(stored(file).revision).toBe(1)
    } finally {
      await processes.close()
    }
  })

  test('where one rotates, the others sign with the same new key within a minute, and no token fails meanwhile', async () => {
    const { all, advance } = await startTogether(2)
    const [one, two] = all as [Host, Host]
    const old = await kidIn(one, 'current')
    expect(await jwks(two)).toEqual(await jwks(one))
    await one.oauth.keys.rotate()
    const [early, late] = [await idToken(one), await idToken(two)]
    expect(kidOf(early)).not.toBe(old)
    expect(kidOf(late)).toBe(old)
    await expectVerified(early, one, await jwks(two))
    await expectVerified(late, two, await jwks(one))
    advance(60)
    expect(kidOf(await idToken(two))).toBe(kidOf(early))
    expect(kidOf(await idToken(one))).toBe(kidOf(early))
    expect(await jwks(two)).toEqual(await jwks(one))
  })

  test('when the time has come, all of them together make one key to follow', async () => {
    const { all, file, advance } = await startTogether(4)
    await Promise.all(all.map(jwks))
    advance(90 * DAY)
    await Promise.all(all.map(jwks))
    const lists = await Promise.all(all.map((host) => host.oauth.keys.list()))
    for (const list of lists) expect(list).toEqual(lists[0])
    const states = lists[0]!.filter(({ alg }) => alg === 'RS256').map(({ state }) => state)
    expect(states).toEqual(['retired', 'current', 'next'])
    expect(stored(file).revision).toBe(2)
    expect(all.flatMap(serverErrors)).toEqual([])
  })

  test('of several that rotate at once none fails, and all agree', async () => {
    const { all } = await startTogether(3)
    await Promise.all(all.map((host) => host.oauth.keys.rotate()))
    const lists = await Promise.all(all.map((host) => host.oauth.keys.list()))
    for (const list of lists) expect(list).toEqual(lists[0])
    const states = lists[0]!.filter(({ alg }) => alg === 'RS256').map(({ state }) => state)
    expect(states).toEqual(['retired', 'current', 'next'])
    expect(all.flatMap(serverErrors)).toEqual([])
  })

  test('whatever happens when, no relying party meets a key that it does not know', async () => {
    const { all, advance } = await startTogether(3)
    let now = 0
    let copy = { set: await jwks(all[0]!), at: now }
    const alive: { kid: string; until: number }[] = []
    const random = seeded(7)
    for (let step = 0; step < 50; step++) {
      const leap = random() < 0.08 ? 89 * DAY : Math.round(random() * 120)
      advance(leap)
      now += leap
      const host = all[Math.floor(random() * all.length)]!
      if (random() < 0.3) await host.oauth.keys.rotate()
      if (now - copy.at >= 300) copy = { set: await jwks(all[Math.floor(random() * all.length)]!), at: now }
      const kid = kidOf(await idToken(host))
      expect(copy.set.keys.map((key) => key.kid)).toContain(kid)
      alive.push({ kid, until: now + 3600 })
      // What lives must verify for somebody who asks for the keys only now.
      const published = await kids(all[Math.floor(random() * all.length)]!)
      for (const { kid, until } of alive) if (now < until) expect(published).toContain(kid)
    }
    expect(all.flatMap(serverErrors)).toEqual([])
  })
})

describe('keys at rest', () => {
  test('without the option secret they are kept between starts as they are', async () => {
    const file = newFile()
    const host = await start({ store: file })
    const set = await jwks(host)
    await close(host)
    expect(await jwks(await start({ store: file }))).toEqual(set)
    expect(stored(file).revision).toBe(1)
  })

  test('with it, no private member is anywhere in the database', async () => {
    const file = newFile()
    const host = await start({ store: file, secret: SECRET })
    const set = await jwks(host)
    await host.oauth.keys.rotate()
    expect(stored(file).data).toMatch(/^[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/)
    await close(host)
    const everything = bytes(file)
    expect(everything).not.toMatch(/"(?:d|p|q|dp|dq|qi|kty)":/)
    expect(everything).not.toContain(SECRET)
    const again = await start({ store: file, secret: SECRET })
    expect((await jwks(again)).keys).toEqual(expect.arrayContaining(set.keys))
    await expectVerified(await idToken(again), again)
  })

  test('where it is given later, what lies there is encrypted at the next start, and nothing of it stays behind', async () => {
    const file = newFile()
    const plain = await start({ store: file })
    const set = await jwks(plain)
    const secrets = storedKeys(file).flatMap(({ jwk }) =>
      PRIVATE.flatMap((name) => (jwk[name as 'd'] as string | undefined) ?? []),
    )
    expect(secrets.length).toBeGreaterThan(10)
    await close(plain)
    const host = await start({ store: file, secret: SECRET })
    expect(await jwks(host)).toEqual(set)
    await host.oauth.keys.list()
    await close(host)
    const everything = bytes(file)
    expect(secrets.filter((secret) => everything.includes(secret.slice(0, 40)))).toEqual([])
    expect(await jwks(await start({ store: file, secret: SECRET }))).toEqual(set)
  })

  test('nor does anything stay in the log, while other processes have the file open', async () => {
    const file = newFile()
    const plain = await start({ store: file })
    await jwks(plain)
    const secrets = storedKeys(file).map(({ jwk }) => String(jwk.d).slice(0, 40))
    expect(secrets).toHaveLength(6)
    const found = () => secrets.filter((secret) => bytesWithLog(file).includes(secret))
    expect(found()).toEqual(secrets)
    const host = await start({ store: file, secret: SECRET })
    await host.oauth.keys.list()
    expect(stored(file).revision).toBe(2)
    expect(found()).toEqual([])
  })

  test('somebody who reads for long does not keep keys from being saved, and the log is emptied the next time', async () => {
    const file = newFile()
    await jwks(await start({ store: file }))
    const secrets = storedKeys(file).map(({ jwk }) => String(jwk.d).slice(0, 40))
    const reader = new SQLite(file)
    reader.exec('BEGIN; SELECT * FROM oauth_keys')
    reader.prepare('SELECT * FROM oauth_keys').all()
    const host = await start({ store: file, secret: SECRET })
    await host.oauth.keys.list()
    expect(stored(file).data).not.toContain('"d"')
    reader.exec('COMMIT')
    await host.oauth.keys.rotate()
    await host.oauth.keys.rotate()
    expect(secrets.filter((secret) => bytesWithLog(file).includes(secret))).toEqual([])
    expect(serverErrors(host)).toEqual([])
    reader.close()
  })

  test('a secret is changed by a list: the first encrypts anew, and the old one can go', async () => {
    const file = newFile()
    const before = await start({ store: file, secret: SECRET })
    const set = await jwks(before)
    await close(before)
    for (const secret of [[ANOTHER, SECRET], ANOTHER, [SECRET, ANOTHER], [SECRET]]) {
      const host = await start({ store: file, secret })
      expect(await jwks(host)).toEqual(set)
      await host.oauth.keys.list()
      expect(serverErrors(host)).toEqual([])
      await close(host)
    }
    // Each change of the first secret is one writing, and nothing else is.
    expect(stored(file).revision).toBe(3)
  })

  test.each<[string, Partial<OAuthProviderOptions>, RegExp]>([
    ['another secret', { secret: ANOTHER }, /secret does not fit .*\[new, old\]/],
    ['no secret', {}, /secret is missing.*Pass the one/],
  ])(
    'with %s nothing is answered, nothing is given away, and nothing is overwritten',
    async (_, options, message) => {
      const file = newFile()
      const before = await start({ store: file, secret: SECRET })
      const set = await jwks(before)
      await close(before)
      const row = stored(file)
      const host = await start({ store: file, ...options })
      for (let attempt = 0; attempt < 2; attempt++) {
        const response = await fetch(`${host.issuer}/jwks`)
        expect(response.status).toBe(500)
        const text = await response.text()
        expect(JSON.parse(text)).toEqual({ error: 'server_error', error_description: expect.any(String) })
        expect(text).not.toMatch(/secret|encrypt|store/i)
        expect(response.headers.get('cache-control')).toContain('no-store')
      }
      await expect(host.oauth.keys.list()).rejects.toThrow(ConfigurationError)
      await expect(host.oauth.keys.rotate()).rejects.toThrow(message)
      const [first] = serverErrors(host)
      expect(first?.endpoint).toBe('keys')
      expect(first?.error).toBeInstanceOf(ConfigurationError)
      expect(first?.error.message).toMatch(message)
      expect(first?.error.message).not.toContain(ANOTHER)
      expect(stored(file)).toEqual(row)
      await close(host)
      expect(await jwks(await start({ store: file, secret: SECRET }))).toEqual(set)
    },
  )

  test.each([
    [
      'a changed ciphertext',
      (data: string) => data.replace(/[\w-]{9}(?=\.[^.]*$)/, 'AAAAAAAAA'),
      { secret: SECRET },
    ],
    ['something else', () => '{"keys":[]}', {}],
    ['a torn document', () => '[{"kid":', {}],
  ])('%s in the store is refused, and not overwritten', async (_, change, options) => {
    const file = newFile()
    const before = await start({ store: file, ...options })
    await jwks(before)
    await close(before)
    const db = new SQLite(file)
    db.prepare('UPDATE oauth_keys SET data = ?').run(change(stored(file).data))
    db.close()
    const row = stored(file)
    const host = await start({ store: file, ...options })
    expect((await fetch(`${host.issuer}/jwks`)).status).toBe(500)
    expect(serverErrors(host)[0]?.endpoint).toBe('keys')
    expect(stored(file)).toEqual(row)
  })
})

describe('a store that fails', () => {
  const faulty = () => faultyStore(openStore(':memory:', Date.now), OPERATIONS)

  test.each(['throws', 'rejects'] as const)(
    'while keys are read (%s): unavailable, and well again afterwards',
    async (manner) => {
      const store = faulty()
      store.fail('findKeys', manner)
      const host = await start({ store })
      const response = await fetch(`${host.issuer}/jwks`)
      expect(response.status).toBe(503)
      expect(response.headers.get('retry-after')).toBeTruthy()
      expect(await response.text()).not.toContain(INTERNALS)
      expect(serverErrors(host).map(({ endpoint }) => endpoint)).toContain('keys')
      store.heal()
      expect((await jwks(host)).keys).toHaveLength(6)
      await expectVerified(await idToken(host), host)
    },
  )

  test('while the first keys are saved: unavailable, and no key is made twice', async () => {
    const store = faulty()
    store.fail('saveKeys', 'rejects')
    const generated = jest.spyOn(crypto.subtle, 'generateKey')
    const host = await start({ store })
    for (let attempt = 0; attempt < 3; attempt++)
      expect((await fetch(`${host.issuer}/jwks`)).status).toBe(503)
    store.heal()
    expect((await jwks(host)).keys).toHaveLength(6)
    expect(generated.mock.calls.length).toBeLessThanOrEqual(6)
    generated.mockRestore()
  })

  test('where the answer to saving the first keys got lost, those are taken that were saved', async () => {
    const store = faulty()
    store.fail('saveKeys', 'answer lost')
    const host = await start({ store })
    await fetch(`${host.issuer}/jwks`)
    store.heal()
    await expectVerified(await idToken(host), host)
    expect((await store.findKeys())?.revision).toBe(1)
  })

  test('keys that were saved although the answer got lost are not used a second time', async () => {
    const store = faulty()
    store.fail('saveKeys', 'answer lost')
    const host = await start({ store })
    await fetch(`${host.issuer}/jwks`)
    store.heal()
    const used = new Set<string>()
    for (let time = 0; time < 3; time++) {
      const current = (await host.oauth.keys.list()).filter(({ state }) => state === 'current')
      for (const { kid } of current) expect(used.has(kid)).toBe(false)
      for (const { kid } of current) used.add(kid)
      host.advance(3600)
      await host.oauth.keys.rotate()
    }
    const kids = (await jwks(host)).keys.map(({ kid }) => kid)
    expect(new Set(kids).size).toBe(kids.length)
  })

  test('once keys are known it signs and publishes on: for six minutes, and the JWK Set for longer', async () => {
    const store = faulty()
    const host = await start({ store })
    const set = await jwks(host)
    store.fail('findKeys', 'rejects')
    host.advance(COPIES_LAST - 10)
    await expectVerified(await idToken(host), host)
    expect(serverErrors(host).map(({ endpoint }) => endpoint)).toContain('keys')
    host.advance(DAY)
    expect(await jwks(host)).toEqual(set)
    await expect(idToken(host)).rejects.toThrow('no tokens: 503')
    store.heal()
    await expectVerified(await idToken(host), host)
  })

  test('while the key to follow cannot be saved, signing goes on', async () => {
    const store = faulty()
    const host = await start({ store })
    await jwks(host)
    store.fail('saveKeys', 'rejects')
    host.advance(90 * DAY)
    await expectVerified(await idToken(host), host)
    await host.oauth.keys.list()
    expect(serverErrors(host).map(({ endpoint }) => endpoint)).toContain('keys')
    await expect(host.oauth.keys.rotate()).rejects.toThrow()
    store.heal()
    host.advance(60)
    expect(await kidIn(host, 'next')).toBeTruthy()
  })
})

test('a provider that is closed while it makes its keys ends in peace', async () => {
  const unhandled = jest.fn()
  process.on('unhandledRejection', unhandled)
  const closed = await Promise.all(Array.from({ length: 3 }, () => start()))
  await Promise.all(closed.map(close))
  // The keys that these wait for are made after those.
  await jwks(await start())
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
  expect(closed.flatMap(serverErrors)).toEqual([])
})
