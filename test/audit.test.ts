import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import SQLite from 'better-sqlite3'
import { AuditLog } from '../lib/audit/log.js'
import { AuditReader } from '../lib/audit/reader.js'
import type { AuditEntry, AuditFilter, Store } from '../lib/index.js'
import { SqliteStore } from '../lib/store/sqlite.js'
import { decideAs, deviceClients, poll, startDevice } from './support/devices.js'
import { type FaultyStore, faultyStore, INTERNALS, OPERATIONS } from './support/faults.js'
import {
  authorizeUrl,
  destination,
  getCode,
  getTokens,
  postToken,
  redeem,
  refresh,
  signedIn,
  toConsent,
} from './support/flow.js'
import { type Host, type HostOptions, startHost } from './support/host.js'
import { postAs, revoke } from './support/tokens.js'

const DAY = 86_400
const id = expect.stringMatching(/^[0-9a-f]{32}$/)
const grantId = expect.stringMatching(/^[\w-]{20,}$/)

let host: Host
afterEach(() => host?.close())

async function start(provider: HostOptions['provider'] = {}): Promise<void> {
  host = await startHost({ provider })
}

/** What has been recorded since the last call, oldest first. */
let seen = ''
beforeEach(() => {
  seen = ''
})
async function recorded(): Promise<Partial<AuditEntry>[]> {
  const all = await host.oauth.audit.list({ limit: 1000 })
  const fresh = all.filter((entry) => entry.id > seen).reverse()
  seen = all[0]?.id ?? seen
  return fresh.map(({ id: _, at: __, ...entry }) => entry)
}

describe('the audit log has', () => {
  test('who allowed what to whom and when, and the tokens that came of it', async () => {
    await start()
    const { code } = await getCode(host, { params: { scope: 'read write' } })
    const { body } = await redeem(host, code)
    host.advance(5)
    await refresh(host, body.refresh_token)
    const entries = await host.oauth.audit.list()
    const whose = { clientId: 'conf', userId: 'alice', grantId }
    const at = host.now() - 5000
    const scopes = ['read', 'write']
    expect(entries).toEqual([
      {
        id,
        at: host.now(),
        event: 'token.issued',
        ...whose,
        details: { grantType: 'refresh_token', scopes },
      },
      { id, at, event: 'token.issued', ...whose, details: { grantType: 'authorization_code', scopes } },
      { id, at, event: 'consent.approved', ...whose, details: { scopes, first: true } },
    ])
    const [grant] = await host.oauth.grants.list()
    expect(new Set(entries.map((entry) => entry.grantId))).toEqual(new Set([grant?.id]))
    for (const entry of entries) expect(Number.parseInt(entry.id.slice(0, 12), 16)).toBe(entry.at)
  })

  test('a second approval of the same client, which is not the first', async () => {
    await start()
    await getCode(host)
    await getCode(host, { params: { scope: 'write' } })
    const first = (await recorded()).flatMap(({ event, details }) =>
      event === 'consent.approved' ? [details?.first] : [],
    )
    expect(first).toEqual([true, false])
  })

  test('what a device was allowed, and what it was denied', async () => {
    await start({ clients: deviceClients })
    const allowed = await startDevice(host)
    await decideAs(host, allowed)
    await poll(host, allowed)
    await decideAs(host, await startDevice(host), 'deny', { user: 'bob' })
    const whose = { clientId: 'tv', userId: 'alice', grantId }
    expect(await recorded()).toEqual([
      { event: 'consent.approved', ...whose, details: { scopes: ['read'], first: true } },
      {
        ...{ event: 'token.issued', ...whose },
        details: { grantType: 'urn:ietf:params:oauth:grant-type:device_code', scopes: ['read'] },
      },
      { event: 'consent.denied', clientId: 'tv', userId: 'bob' },
    ])
  })

  test('tokens that a client got for itself, without a user', async () => {
    const client = {
      client_id: 'm2m',
      client_secret: 'm2m-secret',
      grant_types: ['client_credentials'],
      scope: 'read',
    }
    await start({ clients: [client] })
    await postToken(host, { grant_type: 'client_credentials', scope: 'read' }, { client: 'm2m' })
    expect(await recorded()).toEqual([
      {
        ...{ event: 'token.issued', clientId: 'm2m' },
        details: { grantType: 'client_credentials', scopes: ['read'] },
      },
    ])
  })

  test('a code and a refresh token that were used twice, once each however often they come again', async () => {
    await start()
    const { code } = await getCode(host)
    await redeem(host, code)
    for (let i = 0; i < 3; i++) await redeem(host, code)
    const { refresh_token } = await getTokens(host, { user: 'bob' })
    await refresh(host, refresh_token)
    host.advance(11)
    for (let i = 0; i < 3; i++) await refresh(host, refresh_token)
    expect((await recorded()).filter(({ event }) => event?.includes('reused'))).toEqual([
      { event: 'code.reused', clientId: 'conf', userId: 'alice', grantId },
      { event: 'refresh_token.reused', clientId: 'conf', userId: 'bob', grantId },
    ])
  })

  test('what was revoked, and by whom: the client, the user, the host', async () => {
    await start()
    const { access_token, refresh_token, agent } = await getTokens(host)
    await recorded()
    for (let i = 0; i < 2; i++) await revoke(host, access_token)
    await revoke(host, refresh_token)
    const token = { event: 'token.revoked', clientId: 'conf', userId: 'alice', grantId }
    expect(await recorded()).toEqual([
      { ...token, details: { kind: 'access' } },
      { ...token, details: { kind: 'refresh' } },
    ])

    const page = await agent.get(`${host.issuer}/authorized-applications`)
    const field = (name: string) =>
      new RegExp(`name="${name}"[^>]*value="([^"]+)"`).exec(page.text)?.[1] ?? ''
    await agent.post(page.url, { _csrf: field('_csrf'), grant: field('grant') })
    await getTokens(host, { user: 'bob' })
    await recorded()
    await host.oauth.grants.revokeUser('bob')
    expect(await recorded()).toEqual([{ event: 'grant.revoked', userId: 'bob', by: 'host' }])
    const [byUser] = await host.oauth.audit.list({ event: 'grant.revoked', userId: 'alice' })
    expect(byUser).toMatchObject({ clientId: 'conf', grantId, by: 'user' })
  })

  test('clients that were made, changed and deleted, and rotated keys', async () => {
    await start({ keys: undefined } as object)
    const { client_id = '' } = await host.oauth.clients.create({ redirect_uris: ['https://a.example/cb'] })
    await host.oauth.clients.update(client_id, { client_name: 'New' })
    await host.oauth.clients.rotateSecret(client_id)
    await host.oauth.clients.delete(client_id)
    await host.oauth.keys.rotate()
    const changed = { event: 'client.changed', clientId: client_id, by: 'host' }
    expect(await recorded()).toEqual([
      { ...changed, details: { change: 'created' } },
      { ...changed, details: { change: 'updated' } },
      { ...changed, details: { change: 'secret_rotated' } },
      { ...changed, details: { change: 'deleted' } },
      { event: 'keys.rotated', by: 'host' },
    ])
  })

  test('keys that the schedule has brought, once, and not those of the first start', async () => {
    await start({ keys: undefined } as object)
    await host.oauth.keys.list()
    host.advance(91 * DAY)
    await host.oauth.keys.list()
    await host.oauth.keys.list()
    expect(await recorded()).toEqual([{ event: 'keys.rotated', by: 'schedule' }])
  })

  test('no rotation where the keys are only encrypted anew', async () => {
    const db = new SQLite(':memory:')
    await start({ keys: undefined, store: db } as object)
    await host.oauth.keys.list()
    await host.close()
    const plain = stored(db)
    await start({ keys: undefined, store: db, secret: 'a secret of thirty-two characters' } as object)
    await host.oauth.keys.list()
    expect(stored(db)).not.toBe(plain)
    expect(await recorded()).toEqual([])
  })

  const stored = (db: SQLite.Database) => db.prepare('SELECT data FROM oauth_keys').pluck().get()

  test('sessions that ended', async () => {
    await start()
    await host.oauth.logoutUser('alice')
    expect(await recorded()).toEqual([{ event: 'session.ended', userId: 'alice', by: 'host' }])
  })

  test('nothing of what strangers can bring about at will', async () => {
    await start()
    const agent = await signedIn(host, 'alice')
    await agent.get(`${host.issuer}/authorize?client_id=nobody`)
    await agent.get(authorizeUrl(host, { params: { scope: 'unknown' } }))
    await agent.get(authorizeUrl(host, { params: { redirect_uri: 'https://evil.example' } }))
    await postToken(host, { grant_type: 'authorization_code', code: 'no code' })
    await postToken(host, { grant_type: 'client_credentials' }, { headers: { authorization: 'Basic eDp5' } })
    await postAs(host, '/revoke', { form: { token: 'no token' } })
    await postAs(host, '/introspect', { form: { token: 'no token' } })
    await postAs(host, '/par', { form: { scope: 'unknown' } })
    await agent.get(`${host.issuer}/logout`)
    await agent.post(`${host.issuer}/authorized-applications`, { grant: 'x' })
    expect(host.events.length).toBeGreaterThan(5)
    expect(await recorded()).toEqual([])
  })

  test('INJ-11 never a token, a code, a secret or a verifier', async () => {
    await start()
    const { client_id = '', client_secret = '' } = await host.oauth.clients.create({
      redirect_uris: ['https://a.example/cb'],
    })
    const { client_secret: rotated = '' } = await host.oauth.clients.rotateSecret(client_id)
    const { code } = await getCode(host, { params: { scope: 'read' } })
    const { body } = await redeem(host, code)
    const { body: second } = await refresh(host, body.refresh_token)
    await redeem(host, code)
    await revoke(host, second.access_token)
    const text = JSON.stringify(await host.oauth.audit.list())
    expect(text).toContain('code.reused')
    const secrets = [
      client_secret,
      rotated,
      code,
      body.access_token,
      body.refresh_token,
      second.refresh_token,
    ]
    for (const secret of [...secrets, 'conf-secret', 'verifier']) {
      expect(secret.length).toBeGreaterThan(7)
      expect(text).not.toContain(secret)
    }
  })
})

describe('network addresses', () => {
  test('are not kept unless the host says so', async () => {
    await start()
    await getTokens(host)
    for (const entry of await recorded()) expect(entry).not.toHaveProperty('address')
  })

  test('are kept of everything that a request has brought about, and of nothing else', async () => {
    host = await startHost({
      provider: { keepAddresses: true },
      beforeSession: (app) => app.set('trust proxy', true),
    })
    const { agent, page } = await toConsent(host)
    const from = (address: string) => ({ 'x-forwarded-for': address })
    const form = { _csrf: /name="_csrf" value="([^"]+)"/.exec(page.text)?.[1] ?? '', decision: 'approve' }
    const answer = await agent.post(page.url, form, from('::ffff:192.0.2.1'))
    const code = destination(answer).searchParams.get('code') ?? ''
    const { body } = await redeem(host, code)
    await postToken(
      host,
      { grant_type: 'refresh_token', refresh_token: body.refresh_token },
      { headers: from('2001:db8::7') },
    )
    await host.oauth.grants.revokeUser('alice')
    const addresses = (await recorded()).map(({ event, address }) => [event, address])
    expect(addresses).toEqual([
      ['consent.approved', '192.0.2.1'],
      ['token.issued', '127.0.0.1'],
      ['token.issued', '2001:db8::7'],
      ['grant.revoked', undefined],
    ])
  })
})

describe('audit.list', () => {
  beforeAll(() => {
    seen = ''
  })

  test('finds by event, client, user and time, and pages', async () => {
    await start()
    const first = host.now()
    await getTokens(host, { user: 'alice', client: 'conf' })
    host.advance(60)
    const second = host.now()
    await getTokens(host, { user: 'bob', client: 'pub' })
    const list = async (query: object) =>
      (await host.oauth.audit.list(query)).map(({ event, userId }) => `${event} ${userId}`)
    const ofAlice = ['token.issued alice', 'consent.approved alice']
    const ofBob = ['token.issued bob', 'consent.approved bob']
    expect(await list({})).toEqual([...ofBob, ...ofAlice])
    expect(await list({ userId: 'alice' })).toEqual(ofAlice)
    expect(await list({ clientId: 'pub' })).toEqual(ofBob)
    expect(await list({ clientId: 'pub', userId: 'alice' })).toEqual([])
    expect(await list({ event: 'consent.approved' })).toEqual([ofBob[1], ofAlice[1]])
    expect(await list({ since: new Date(second) })).toEqual(ofBob)
    expect(await list({ until: new Date(second) })).toEqual(ofAlice)
    expect(await list({ since: new Date(first), until: new Date(first + 1) })).toEqual(ofAlice)
    const [newest, next] = await host.oauth.audit.list({ limit: 2 })
    expect([newest?.userId, next?.event]).toEqual(['bob', 'consent.approved'])
    expect(await list({ limit: 2, before: next?.id })).toEqual(ofAlice)
    expect(await list({ userId: "' OR '1'='1" })).toEqual([])
  })

  test('takes the number that a host has for an id', async () => {
    await start()
    await host.oauth.logoutUser(7)
    expect(await host.oauth.audit.list({ userId: 7 })).toHaveLength(1)
    expect(await host.oauth.audit.list({ userId: 8 })).toEqual([])
  })

  test('answers a hundred unless more are asked for', async () => {
    await start()
    for (let i = 0; i < 101; i++) await host.oauth.logoutUser(i)
    expect(await host.oauth.audit.list()).toHaveLength(100)
    expect(await host.oauth.audit.list({ limit: 1000 })).toHaveLength(101)
  })

  const refused: readonly [query: object, problem: string][] = [
    [{ users: 'alice' }, 'audit.list(query).users is not known'],
    [{ event: 'token.isued' }, "Did you mean 'token.issued'?"],
    [{ event: 'token.refused' }, 'audit.list(query).event'],
    [{ userId: undefined }, 'audit.list(query).userId is undefined'],
    [{ clientId: '' }, 'audit.list(query).clientId is an empty string'],
    [{ since: '2026-01-01' }, 'audit.list(query).since'],
    [{ until: new Date(Number.NaN) }, 'audit.list(query).until'],
    [{ before: "0' OR 1" }, 'audit.list(query).before'],
    [{ limit: 0 }, 'audit.list(query).limit'],
    [{ limit: 1001 }, 'from 1 to 1000'],
    [{ limit: 1.5 }, 'audit.list(query).limit'],
    [[] as object, 'audit.list(query) is an array'],
  ]

  test('refuses a query that cannot be, and names the member', async () => {
    await start()
    for (const [query, problem] of refused)
      await expect(host.oauth.audit.list(query)).rejects.toThrow(
        expect.objectContaining({ name: 'ConfigurationError', message: expect.stringContaining(problem) }),
      )
  })
})

describe('a query for some of a long log', () => {
  const KEEP = 1_000_000
  const entries = Array.from({ length: 3000 }, (_, index): AuditEntry => {
    const at = 5_000_000 + index * 300
    const entryId = at.toString(16).padStart(12, '0') + String(index).padStart(20, '0')
    return { id: entryId, at, event: 'token.issued', userId: index % 7 === 0 ? 'alice' : 'bob' }
  }).reverse()
  afterEach(() => jest.restoreAllMocks())

  /** As slow as its argument says, on the clock at least: then it is read in small parts. */
  function reader(wait: number) {
    const ranges: AuditFilter[] = []
    const { now: running } = performance
    let waited = 0
    jest.spyOn(performance, 'now').mockImplementation(() => running.call(performance) + waited)
    const store: Pick<Store, 'listAudit'> = {
      async listAudit(filter) {
        ranges.push(filter)
        const { since = 0, until = Number.POSITIVE_INFINITY, before = 'g', userId, limit } = filter
        waited += wait
        return entries
          .filter((one) => one.at >= since && one.at < until && one.id < before)
          .filter((one) => userId === undefined || one.userId === userId)
          .slice(0, limit)
      },
    }
    const now = () => 5_900_000
    return { ranges, audit: new AuditReader({ store, settings: { auditKeep: KEEP }, now }, async () => {}) }
  }

  test.each([0, 6])('reads it part by part, with turns for others, and finds the same', async (wait) => {
    const { audit, ranges } = reader(wait)
    const alice = entries.filter(({ userId }) => userId === 'alice')
    let turns = 0
    let turn = setImmediate(function count() {
      turns++
      turn = setImmediate(count)
    })
    expect(await audit.list({ userId: 'alice', limit: 1000 })).toEqual(alice)
    clearImmediate(turn)
    expect(ranges.length).toBeGreaterThan(wait === 0 ? 3 : 150)
    expect(ranges.length).toBeLessThan(205)
    if (wait > 0) expect(turns).toBeGreaterThan(20)
    expect(ranges[0]?.until).toBeUndefined()
    expect(ranges.at(-1)?.since).toBe(5_900_000 - KEEP)
    for (const [index, { until }] of ranges.entries())
      if (index > 0) expect(until).toBe(ranges[index - 1]?.since)
    const pages: AuditEntry[] = []
    for (let page: readonly AuditEntry[] = []; ; ) {
      page = await audit.list({
        userId: 'alice',
        limit: 100,
        ...(page[0] && { before: page.at(-1)?.id ?? '' }),
      })
      if (page.length === 0) break
      pages.push(...page)
    }
    expect(pages).toEqual(alice)
    const [first] = entries
    expect(await audit.list({ userId: 'bob', until: new Date((first?.at ?? 0) - 299), limit: 1 })).toEqual([
      entries[1],
    ])
    expect(await audit.list({ userId: 'nobody', since: new Date(9_000_000) })).toEqual([])
  })

  test('reads all of one kind at once where nothing has to be looked for', async () => {
    const { audit, ranges } = reader(0)
    expect(await audit.list()).toHaveLength(100)
    expect(ranges).toEqual([{ limit: 100, since: 5_900_000 - KEEP }])
  })
})

describe('the option audit', () => {
  test('keep: what is older is not listed, on a site where nothing happens either, or once it was lowered', async () => {
    const db = new SQLite(':memory:')
    await start({ audit: { keep: 30 * DAY }, store: db })
    await host.oauth.logoutUser('alice')
    host.advance(29 * DAY)
    await host.oauth.logoutUser('bob')
    const users = async (query = {}) => (await host.oauth.audit.list(query)).map(({ userId }) => userId)
    expect(await users()).toEqual(['bob', 'alice'])
    host.advance(DAY + 1)
    expect([await users(), await users({ since: new Date(0) }), await users({ userId: 'alice' })]).toEqual([
      ['bob'],
      ['bob'],
      [],
    ])
    const [kept, now] = [new SqliteStore(db, { own: false, now: host.now }), host.now]
    const lowered = new AuditReader({ store: kept, settings: { auditKeep: 3600_000 }, now }, async () => {})
    expect(await lowered.list()).toEqual([])
  })

  test('false: nothing is written, and there is nothing to list', async () => {
    const db = new SQLite(':memory:')
    await start({ audit: false, store: db })
    await getTokens(host)
    await expect(host.oauth.audit.list()).rejects.toThrow('audit is false')
    await host.oauth.purge()
    await host.close()
    expect(db.prepare('SELECT count(*) FROM oauth_audit').pluck().get()).toBe(0)
  })

  test('keep: what is older goes as new entries come, and all of it with purge()', async () => {
    const db = new SQLite(':memory:')
    await start({ audit: { keep: 30 * DAY }, store: db })
    const count = () => db.prepare('SELECT count(*) FROM oauth_audit').pluck().get()
    for (let i = 0; i < 1500; i++) await host.oauth.logoutUser('alice')
    await host.oauth.audit.list()
    expect(count()).toBe(1500)
    host.advance(29 * DAY)
    await host.oauth.purge()
    expect(count()).toBe(1500)
    host.advance(DAY + 1)
    await host.oauth.logoutUser('bob')
    expect(await host.oauth.audit.list({ userId: 'bob' })).toHaveLength(1)
    expect(count()).toBe(1499)
    await host.oauth.purge()
    expect(count()).toBe(1)
  })

  test('purge() ends where a store does nothing without an entry to add', async () => {
    const sqlite = new SqliteStore(new SQLite(':memory:'), { own: true, now: () => host.now() })
    const store = faultyStore(sqlite, OPERATIONS)
    let asked = 0
    const appendAudit: Store['appendAudit'] = (entries, before) => {
      if (entries.length > 0) return store.appendAudit(entries, before)
      asked += 1
    }
    await start({ audit: { keep: DAY }, store: { ...store, appendAudit } })
    for (let i = 0; i < 600; i++) await host.oauth.logoutUser('alice')
    expect(await host.oauth.audit.list({ limit: 500 })).toHaveLength(500)
    host.advance(2 * DAY)
    await host.oauth.purge()
    expect(asked).toBe(1)
  })

  test('closing the provider writes what waits', async () => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'oauth-audit-')), 'oauth.db')
    await start({ store: file })
    await getTokens(host)
    await host.close()
    const db = new SQLite(file, { readonly: true })
    const events = db.prepare('SELECT event FROM oauth_audit ORDER BY id').pluck().all()
    db.close()
    expect(events).toEqual(['consent.approved', 'token.issued'])
  })
})

describe('while the store', () => {
  let store: FaultyStore

  beforeEach(async () => {
    const sqlite = new SqliteStore(new SQLite(':memory:'), { own: true, now: () => host.now() })
    store = faultyStore(sqlite, OPERATIONS)
    await start({ store })
  })

  const failures = () => host.events.filter(({ name }) => name === 'server.error').map(({ event }) => event)

  test('fails to write the log, requests succeed, and that entries are lost is told once for all of a batch', async () => {
    store.fail('appendAudit', 'rejects')
    await getTokens(host)
    expect(await host.oauth.audit.list()).toEqual([])
    const [failure, ...others] = failures() as [{ error: Error; endpoint: string }]
    expect(others).toEqual([])
    expect(failure.endpoint).toBe('audit')
    expect(failure.error.message).toBe('2 entries of the audit log could not be written and are lost.')
    expect((failure.error.cause as Error).cause).toMatchObject({ message: INTERNALS })
    store.heal()
    await host.oauth.logoutUser('alice')
    expect(await host.oauth.audit.list()).toHaveLength(1)
  })

  test('does not answer, no request waits for it, and what comes meanwhile is written afterwards', async () => {
    const { reached, release } = store.hold('appendAudit')
    await host.oauth.logoutUser('alice')
    const listed = host.oauth.audit.list()
    await reached
    await getTokens(host, { user: 'bob' })
    release()
    expect((await listed).map(({ userId }) => userId)).toEqual(['alice'])
    expect((await host.oauth.audit.list()).map(({ userId }) => userId)).toEqual(['bob', 'bob', 'alice'])
    expect(failures()).toEqual([])
  })
})

describe('a store that is slower than what happens', () => {
  test('without a time to keep, nothing is ever deleted', async () => {
    const befores: number[] = []
    const appendAudit = async (_: unknown, before: number) => void befores.push(before)
    const log = new AuditLog({ store: { appendAudit }, keep: undefined, now: Date.now }, () => undefined)
    log.note('session.ended', { userId: 'alice', by: 'host' })
    await log.flush()
    expect(befores).toEqual([0])
  })

  test('gets batches of at most a thousand; ten thousand wait at most, and how many were lost is told', async () => {
    const batches: number[] = []
    let release = () => {}
    const stuck = new Promise<void>((resolve) => {
      release = resolve
    })
    const store = {
      appendAudit: async (entries: readonly AuditEntry[]) => {
        batches.push(entries.length)
        await stuck
      },
    } as unknown as Store
    const lost: string[] = []
    const log = new AuditLog({ store, keep: 1000, now: Date.now }, (error) => lost.push(error.message))
    const note = () => log.note('session.ended', { userId: 'alice', by: 'host' })
    note()
    const first = log.flush()
    for (let i = 0; i < 10_003; i++) note()
    release()
    await first
    await log.flush()
    expect(batches).toEqual([1, ...Array(10).fill(1000)])
    expect(lost).toEqual([expect.stringMatching(/^3 entries of the audit log are lost: /)])
  })
})
