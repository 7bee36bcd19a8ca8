import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import SQLite, { type Database } from 'better-sqlite3'
import type { OAuthProviderOptions } from '../../lib/index.js'
import { openStore } from '../../lib/store/open.js'
import { SqliteStore } from '../../lib/store/sqlite.js'
import type { Store } from '../../lib/store/store.js'
import { mintHandle } from '../../lib/tokens/handle.js'
import { type Agent, inputValue, type Page } from '../support/agent.js'
import { assertion } from '../support/assertions.js'
import { clients, pkjKey } from '../support/clients.js'
import { type FaultyStore, faultyStore, INTERNALS, type Manner } from '../support/faults.js'
import {
  authorizeUrl,
  callApi,
  decide,
  destination,
  getCode,
  getTokens,
  postToken,
  redeem,
  refresh,
  signedIn,
  toConsent,
} from '../support/flow.js'
import { type Host, startHost, type User } from '../support/host.js'

const OPERATIONS = Object.getOwnPropertyNames(SqliteStore.prototype).filter(
  (name) => name !== 'constructor',
) as (keyof Store)[]

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const STAFF = 'https://staff.example'
const { d: _private, ...pkjPublicKey } = pkjKey

/** What any of the endpoints answers, in one shape. */
interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly location?: string | undefined
}

async function json(response: Promise<{ status: number; headers: Headers; body: unknown }>): Promise<Answer> {
  const { status, headers, body } = await response
  return { status, headers, text: JSON.stringify(body) }
}

/** The client is told that this is for now, by page, JSON or redirect, and nothing else. */
function expectUnavailable({ status, headers, text, location }: Answer): void {
  if (status === 303) {
    const callback = new URL(location ?? '')
    expect(callback.searchParams.get('error')).toBe('server_error')
    expect(callback.searchParams.get('state')).toBe('the-state')
    expect(callback.searchParams.has('code')).toBe(false)
  } else {
    expect(status).toBe(503)
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    expect(headers.get('www-authenticate')).toBeNull()
  }
  const everything = `${text} ${location} ${JSON.stringify([...headers])}`
  expect(everything).not.toMatch(
    /ECONNREFUSED|10\.9\.8\.7|oauth_records|oauth\.db|SQLITE|SqliteError|\.[jt]s:\d/i,
  )
  expect(text).not.toContain('access_token')
}

/** A request, everything before it done; sent as often as wanted. */
type Send = () => Promise<Answer>

/** What comes to each endpoint when all goes well; the answer to expect then. */
const requests: Record<
  string,
  { prepare: (host: Host) => Promise<Send>; succeeds: (answer: Answer) => void }
> = {
  'GET /authorize': {
    async prepare(host) {
      const agent = await signedIn(host, 'alice')
      return () => agent.get(authorizeUrl(host, { client: 'kept' }))
    },
    succeeds: ({ status, location }) => {
      expect(status).toBe(303)
      expect(location).toContain('/consent/')
    },
  },
  'GET /authorize, remembered': {
    async prepare(host) {
      const { agent } = await getCode(host, { client: 'kept' })
      return () => agent.get(authorizeUrl(host, { client: 'kept' }))
    },
    succeeds: expectCode,
  },
  'GET /consent': {
    async prepare(host) {
      const agent = await signedIn(host, 'alice')
      const { location = '' } = await agent.get(authorizeUrl(host, { client: 'kept' }))
      return () => agent.get(location)
    },
    succeeds: ({ status, text }) => {
      expect(status).toBe(200)
      expect(text).toContain('name="decision"')
    },
  },
  'POST /consent': {
    async prepare(host) {
      // The code carries it, and so needs more room than a full file has left on its pages.
      const resource = `${host.origin}/api/${'x'.repeat(1500)}`
      const { agent, page } = await toConsent(host, { client: 'kept', params: { resource } })
      return () => decide(agent, page, 'approve')
    },
    succeeds: expectCode,
  },
  'POST /token with a code': {
    async prepare(host) {
      const { code } = await getCode(host, { client: 'kept' })
      return () => json(redeem(host, code, { client: 'kept' }))
    },
    succeeds: expectTokens,
  },
  'POST /token with a wrong verifier': {
    async prepare(host) {
      const { code } = await getCode(host, { client: 'kept' })
      const form = { code_verifier: 'another-verifier-that-is-long-enough-0123456789' }
      return () => json(redeem(host, code, { client: 'kept', form }))
    },
    succeeds: expectInvalidGrant,
  },
  'POST /token with a used code': {
    async prepare(host) {
      const { code } = await getCode(host, { client: 'kept' })
      await redeem(host, code, { client: 'kept' })
      return () => json(redeem(host, code, { client: 'kept' }))
    },
    succeeds: expectInvalidGrant,
  },
  'POST /token with a refresh token': {
    async prepare(host) {
      const { refresh_token } = await getTokens(host, { client: 'kept' })
      return () => json(refresh(host, refresh_token, { client: 'kept' }))
    },
    succeeds: expectTokens,
  },
  'POST /token with a refresh token used long ago': {
    async prepare(host) {
      const { refresh_token } = await getTokens(host, { client: 'kept' })
      await refresh(host, refresh_token, { client: 'kept' })
      host.advance(60)
      return () => json(refresh(host, refresh_token, { client: 'kept' }))
    },
    succeeds: expectInvalidGrant,
  },
  'POST /token of a user who is gone': {
    async prepare(host) {
      host.users.set('carol', { id: 'carol', name: 'Carol', email: 'carol@host.example' })
      const { refresh_token } = await getTokens(host, { client: 'kept', user: 'carol' })
      host.users.delete('carol')
      return () => json(refresh(host, refresh_token, { client: 'kept' }))
    },
    succeeds: expectInvalidGrant,
  },
  'POST /token of a client for itself': {
    async prepare(host) {
      return () => json(postToken(host, { grant_type: 'client_credentials' }, { client: 'service' }))
    },
    succeeds: expectAccessToken,
  },
  'POST /token with a token to be exchanged': {
    async prepare(host) {
      const { access_token } = await getTokens(host, { client: 'kept' })
      const form = {
        grant_type: TOKEN_EXCHANGE,
        subject_token: access_token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      }
      return () => json(postToken(host, form, { client: 'service' }))
    },
    succeeds: expectAccessToken,
  },
  'POST /token with an assertion': {
    async prepare(host) {
      const signed = () => assertion(host, { client: STAFF, claims: { sub: 'alice' } })
      const form = () => ({ grant_type: JWT_BEARER, assertion: signed() })
      return () => json(postToken(host, form(), { client: 'service' }))
    },
    succeeds: expectAccessToken,
  },
  'GET of the API': {
    async prepare(host) {
      const { access_token } = await getTokens(host, { client: 'kept' })
      return () => json(callApi(host, '/api/read', access_token))
    },
    succeeds: ({ status }) => expect(status).toBe(200),
  },
  'GET /authorized-applications': {
    async prepare(host) {
      const { agent } = await getTokens(host, { client: 'kept' })
      return () => agent.get(`${host.issuer}/authorized-applications`)
    },
    succeeds: ({ status, text }) => {
      expect(status).toBe(200)
      expect(text).toContain('Kept')
    },
  },
  'POST /authorized-applications': {
    async prepare(host) {
      const { agent } = await getTokens(host, { client: 'kept' })
      const page = await agent.get(`${host.issuer}/authorized-applications`)
      return () => withdraw(agent, page)
    },
    succeeds: ({ status, location }) => {
      expect(status).toBe(303)
      expect(location).toContain('/authorized-applications')
    },
  },
}

function withdraw(agent: Agent, page: Page): Promise<Page> {
  return agent.post(page.url, { _csrf: inputValue(page, '_csrf'), grant: inputValue(page, 'grant') })
}

function expectCode({ status, location = '' }: Answer): void {
  expect(status).toBe(303)
  expect(new URL(location).searchParams.get('code')).toMatch(/./)
}

function expectTokens({ status, text }: Answer): void {
  expect(status).toBe(200)
  expect(JSON.parse(text)).toMatchObject({
    access_token: expect.any(String),
    refresh_token: expect.any(String),
  })
}

function expectAccessToken({ status, text }: Answer): void {
  expect(status).toBe(200)
  expect(JSON.parse(text)).toMatchObject({ access_token: expect.any(String) })
}

function expectInvalidGrant({ status, text }: Answer): void {
  expect(status).toBe(400)
  expect(JSON.parse(text).error).toBe('invalid_grant')
}

/** A client that nobody is asked for. It is no client of the store, so that its own look-up fails for none of its requests. */
const services: Partial<OAuthProviderOptions<User>> = {
  clients: [
    ...clients,
    {
      ...{ client_id: 'service', client_secret: 'service-secret', scope: 'read' },
      grant_types: ['client_credentials', TOKEN_EXCHANGE, JWT_BEARER],
    },
  ],
  tokenExchange: () => true,
  trustedIssuers: { [STAFF]: { jwks: { keys: [pkjPublicKey] }, user: ({ sub }) => String(sub) } },
}

/** A host with a client in the store, so that clients are looked up there. */
async function hostWith(store: NonNullable<OAuthProviderOptions['store']>): Promise<Host> {
  const host = await startHost({ provider: { ...services, store } })
  await host.oauth.clients.create({
    client_id: 'kept',
    client_secret: 'kept-secret',
    client_name: 'Kept',
    redirect_uris: ['https://rp.example/cb'],
  })
  return host
}

describe('STOR-01 STOR-02 an operation of the store that fails', () => {
  let store: FaultyStore
  let host: Host
  beforeAll(async () => {
    store = faultyStore(openStore(':memory:', Date.now), OPERATIONS)
    host = await hostWith(store)
  })
  afterAll(() => host.close())
  afterEach(async () => {
    store.heal()
    for (const user of host.users.keys()) await host.oauth.grants.revokeUser(user)
  })

  /** Each request with every operation that it needs. */
  const needs: readonly (readonly [string, readonly (keyof Store)[]])[] = [
    ['GET /authorize', ['findClient', 'findGrant', 'insert']],
    ['GET /authorize, remembered', ['findClient', 'findGrant', 'insert']],
    ['GET /consent', ['find', 'findClient', 'findGrant', 'amend']],
    ['POST /consent', ['find', 'findClient', 'findGrant', 'consume']],
    ['POST /token with a code', ['findClient', 'find', 'consume']],
    ['POST /token with a wrong verifier', ['amend']],
    ['POST /token with a used code', ['findClient', 'find', 'revokeFamily']],
    ['POST /token with a refresh token', ['findClient', 'find', 'consume']],
    ['POST /token with a refresh token used long ago', ['findClient', 'find', 'revokeFamily']],
    ['POST /token of a user who is gone', ['revokeUser']],
    ['POST /token of a client for itself', ['insert']],
    ['POST /token with a token to be exchanged', ['find', 'findClient', 'insert']],
    ['POST /token with an assertion', ['insert', 'saveGrant']],
    ['GET of the API', ['find']],
    ['GET /authorized-applications', ['listGrants', 'findClient']],
    ['POST /authorized-applications', ['revokeGrant']],
  ]
  const cases = needs.flatMap(([name, operations]) =>
    operations.flatMap((operation) =>
      (['throws', 'rejects'] as const).map((manner) => ({ name, operation, manner })),
    ),
  )

  test.each(cases)(
    '$name, where $operation $manner: unavailable, no internals, and nothing is lost',
    async (fault) => {
      const { prepare, succeeds } = requests[fault.name]!
      const send = await prepare(host)
      const before = host.events.length
      store.fail(fault.operation, fault.manner)
      expectUnavailable(await send())
      expectUnavailable(await send())
      const errors = host.events.slice(before).filter(({ name }) => name === 'server.error')
      expect(errors).toHaveLength(2)
      expect(causes(errors[0]?.event.error)).toContain(INTERNALS)
      store.heal()
      succeeds(await send())
    },
  )

  /** The message of an error and of all that caused it. */
  function causes(error: unknown): string[] {
    return error instanceof Error ? [error.message, ...causes(error.cause)] : []
  }

  test.each<Manner>(['throws', 'rejects', 'answer lost'])(
    'the API does not need the note of a use: the guard passes where touchGrant fails (%s)',
    async (manner) => {
      const { access_token } = await getTokens(host, { client: 'kept' })
      const before = host.events.length
      store.fail('touchGrant', manner)
      const failed = once(host.oauth.events, 'server.error')
      expect((await callApi(host, '/api/read', access_token)).status).toBe(200)
      await failed
      expect(host.events.slice(before).map(({ name }) => name)).toEqual(['server.error'])
    },
  )

  test('a code whose redemption got lost on the way gives no token any more, and the client is told', async () => {
    const { code } = await getCode(host, { client: 'kept' })
    store.fail('consume', 'answer lost')
    expectUnavailable(await json(redeem(host, code, { client: 'kept' })))
    store.heal()
    const again = await redeem(host, code, { client: 'kept' })
    expect(again.body).toEqual({ error: 'invalid_grant', error_description: expect.any(String) })
    expect(host.events.map(({ name }) => name)).toContain('code.reused')
  })

  test('a refresh whose answer got lost is answered in full when it is tried again', async () => {
    const tokens = await getTokens(host, { client: 'kept' })
    store.fail('consume', 'answer lost')
    expectUnavailable(await json(refresh(host, tokens.refresh_token, { client: 'kept' })))
    store.heal()
    const again = await refresh(host, tokens.refresh_token, { client: 'kept' })
    expect(again.status).toBe(200)
    expect((await callApi(host, '/api/read', again.body.access_token)).status).toBe(200)
    expect((await refresh(host, again.body.refresh_token, { client: 'kept' })).status).toBe(200)
  })

  test('an approval whose answer from the store got lost is answered when the button is pressed again, with one grant and one code', async () => {
    const { agent, page } = await toConsent(host, { client: 'kept' })
    store.fail('consume', 'answer lost')
    expectUnavailable(await decide(agent, page, 'approve'))
    store.heal()
    const first = destination(await decide(agent, page, 'approve'))
    const second = destination(await decide(agent, page, 'approve'))
    expect(first.href).toBe(second.href)
    expect(await host.oauth.grants.list({ userId: 'alice' })).toHaveLength(1)
    const { status } = await redeem(host, first.searchParams.get('code') ?? '', { client: 'kept' })
    expect(status).toBe(200)
  })

  test('a revocation that failed is reported to the host, and one whose answer got lost has happened', async () => {
    const { access_token } = await getTokens(host, { client: 'kept' })
    store.fail('revokeUser', 'rejects')
    await expect(host.oauth.grants.revokeUser('alice')).rejects.toThrow()
    expect((await callApi(host, '/api/read', access_token)).status).toBe(200)
    store.fail('revokeUser', 'answer lost')
    await expect(host.oauth.grants.revokeUser('alice')).rejects.toThrow()
    expect((await callApi(host, '/api/read', access_token)).status).toBe(401)
  })

  test('a store that takes its time holds up nobody else', async () => {
    const { refresh_token, access_token } = await getTokens(host, { client: 'kept' })
    const { reached, release } = store.hold('consume')
    let answered = false
    const refreshed = refresh(host, refresh_token, { client: 'kept' }).finally(() => {
      answered = true
    })
    await reached
    for (let count = 0; count < 5; count++) {
      expect((await callApi(host, '/api/read', access_token)).status).toBe(200)
    }
    expect(answered).toBe(false)
    release()
    expect((await refreshed).status).toBe(200)
  })

  test('a client that hangs up while the store takes its time gets its tokens when it comes again', async () => {
    const { refresh_token } = await getTokens(host, { client: 'kept' })
    const { reached, release } = store.hold('consume')
    const impatient = new AbortController()
    const cut = fetch(`${host.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token,
        client_id: 'kept',
        client_secret: 'kept-secret',
      }),
      signal: impatient.signal,
    })
    await reached
    impatient.abort()
    await expect(cut).rejects.toThrow()
    release()
    expectTokens(await json(refresh(host, refresh_token, { client: 'kept' })))
  })
})

describe('STOR-05 a fault of SQLite', () => {
  const LONGEST_WAIT = 150
  /** Less than the 5 seconds that a store waits which is not told how long. */
  const IN_TIME = 4000
  const folder = mkdtempSync(path.join(tmpdir(), 'oauth-faults-'))
  let files = 0
  let file: string
  let db: Database
  let other: Database
  let host: Host

  beforeEach(async () => {
    file = path.join(folder, `${++files}.db`)
    db = new SQLite(file, { timeout: 10 })
    // Small pages, so that hardly a row fits into what is left on one.
    db.pragma('page_size = 512')
    db.pragma('journal_mode = WAL')
    db.exec('CREATE TABLE photos (data TEXT)')
    other = new SQLite(file, { timeout: 0 })
    host = await hostWith(new SqliteStore(db, { own: true, now: Date.now, longestWait: LONGEST_WAIT }))
  })
  afterEach(async () => {
    other.close()
    await host.close()
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const faults: Record<string, { begin: () => void; end: () => void }> = {
    'locked by another process': {
      begin: () => other.exec('BEGIN IMMEDIATE'),
      end: () => other.exec('COMMIT'),
    },
    'read-only': {
      begin: () => db.pragma('query_only = ON'),
      end: () => db.pragma('query_only = OFF'),
    },
    full: {
      begin() {
        db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true })}`)
        const photo = db.prepare('INSERT INTO photos VALUES (hex(randomblob(10)))')
        expect(() => {
          for (;;) photo.run()
        }).toThrow('database or disk is full')
      },
      end: () => db.pragma('max_page_count = 1000000'),
    },
  }
  const writing = [
    'GET /authorize',
    'GET /authorize, remembered',
    'POST /consent',
    'POST /token with a code',
    'POST /token with a refresh token',
  ]
  const cases = Object.keys(faults).flatMap((fault) => writing.map((request) => ({ fault, request })))

  test.each(cases)(
    'while the file is $fault, $request is refused in time, and it succeeds when that has ended',
    async ({ fault, request }) => {
      const { begin, end } = faults[fault]!
      const { prepare, succeeds } = requests[request]!
      const send = await prepare(host)
      begin()
      const began = performance.now()
      expectUnavailable(await send())
      expect(performance.now() - began).toBeLessThan(IN_TIME)
      end()
      succeeds(await send())
    },
  )

  test.each(Object.keys(faults))('while the file is %s, the API goes on', async (fault) => {
    const { begin, end } = faults[fault]!
    const { access_token } = await getTokens(host, { client: 'kept' })
    begin()
    for (let count = 0; count < 3; count++) {
      expect((await callApi(host, '/api/read', access_token)).status).toBe(200)
    }
    end()
    expect((await callApi(host, '/api/read', access_token)).status).toBe(200)
  })

  test('a refusal names the cause to the host alone', async () => {
    const send = await requests['POST /token with a code']!.prepare(host)
    faults['read-only']!.begin()
    await send()
    faults['read-only']!.end()
    const failures = host.events.filter(({ name }) => name === 'server.error')
    expect(failures.map(({ event }) => String(event.error)).join()).toContain('SQLITE_READONLY')
  })

  test('of writes that share a commit, those that do not fit fail alone', async () => {
    const store = new SqliteStore(db, { own: false, now: Date.now })
    const record = (data: string) => {
      const { id, hash } = mintHandle(Date.now() + 60_000)
      return { id, hash, kind: 'code', data } as const
    }
    const small = Array.from({ length: 4 }, () => record('"a"'))
    const large = Array.from({ length: 2 }, () => record(`"${'x'.repeat(5000)}"`))
    await store.insert(small)
    faults.full!.begin()
    const answers = await Promise.allSettled([
      store.amend(small[0]!.id, '"a"', '"b"'),
      store.insert([large[0]!]),
      store.amend(small[1]!.id, '"a"', '"b"'),
      store.consume(small[2]!.id, { now: 1 }, [large[1]!]),
      store.amend(small[3]!.id, '"a"', '"b"'),
    ])
    const [done, full] = [
      { status: 'fulfilled', value: true },
      { status: 'rejected', reason: expect.objectContaining({ message: 'SQLite: SQLITE_FULL' }) },
    ]
    expect(answers).toEqual([done, full, done, full, done])
    const found = await Promise.all(small.map(({ id }) => store.find(id)))
    expect(found.map((one) => one?.data)).toEqual(['"b"', '"b"', '"a"', '"b"'])
    expect(found[2]?.usedAt).toBeUndefined()
    for (const { id } of large) expect(await store.find(id)).toBeUndefined()
    faults.full!.end()
    expect((await store.consume(small[2]!.id, { now: 1 }, [large[1]!])).won).toBe(true)
  })

  test('of many redemptions that wait for a lock that does not end, none succeeds, and all can be made good', async () => {
    const { agent, code } = await getCode(host, { client: 'kept' })
    const codes = [code]
    while (codes.length < 10) codes.push((await getCode(host, { client: 'kept', agent })).code)
    faults['locked by another process']!.begin()
    const refused = await Promise.all(codes.map((code) => json(redeem(host, code, { client: 'kept' }))))
    for (const answer of refused) expectUnavailable(answer)
    faults['locked by another process']!.end()
    for (const code of codes) expectTokens(await json(redeem(host, code, { client: 'kept' })))
  })
})

describe('STOR-05 the file that the provider opens itself', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'oauth-faults-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  test('while another process holds it for a moment the event loop goes on, and then every write is done', async () => {
    const file = path.join(folder, 'locked.db')
    const host = await hostWith(file)
    const other = new SQLite(file)
    const { refresh_token, access_token } = await getTokens(host, { client: 'kept' })
    await callApi(host, '/api/read', access_token)
    other.exec('BEGIN IMMEDIATE')
    let refreshed: unknown
    const refreshing = refresh(host, refresh_token, { client: 'kept' }).then((answer) => {
      refreshed = answer
      return answer
    })
    // The write gives up after 5 seconds; where each of its tries held the event loop for long, it would be over before these are.
    for (let calls = 0; calls < 20; calls++) {
      expect((await callApi(host, '/api/read', access_token)).status).toBe(200)
    }
    expect(refreshed).toBeUndefined()
    other.exec('COMMIT')
    expect((await refreshing).status).toBe(200)
    other.close()
    await host.close()
  })

  test('where it is damaged, nothing is given away, the process stays up, and a mended file is used again', async () => {
    const file = path.join(folder, 'damaged.db')
    const host = await hostWith(file)
    const { code } = await getCode(host, { client: 'kept' })
    const { access_token, refresh_token, agent } = await getTokens(host, { client: 'kept', user: 'bob' })
    const { page } = await toConsent(host, { agent, client: 'kept', params: { scope: 'write' } })
    const sends: Send[] = [
      () => json(redeem(host, code, { client: 'kept' })),
      () => json(refresh(host, refresh_token, { client: 'kept' })),
      () => json(callApi(host, '/api/read', access_token)),
      () => agent.get(authorizeUrl(host, { client: 'kept' })),
      () => decide(agent, page, 'approve'),
    ]
    const whole = rewrite(file, (bytes) => bytes.fill(0xa5, 4096))
    for (const send of sends) expectUnavailable(await send())
    const documents = await fetch(`${host.origin}/.well-known/oauth-authorization-server/oauth`)
    expect(documents.status).toBe(200)
    rewrite(file, () => whole)
    for (const send of sends) expect((await send()).status).toBeLessThan(400)
    await host.close()
  })

  /** Writes other bytes over a file that is in use, such that its users see them. Gives what was there. */
  function rewrite(file: string, change: (bytes: Buffer) => Buffer): Buffer {
    const db = new SQLite(file)
    db.pragma('wal_checkpoint(TRUNCATE)')
    const before = readFileSync(file)
    writeFileSync(file, change(Buffer.from(before)))
    // A commit that changes nothing tells the others to look again.
    db.pragma('user_version = 1')
    db.close()
    return before
  }
})

describe('a clock that jumps', () => {
  const DAY = 86_400
  let host: Host
  beforeEach(async () => {
    host = await hostWith(':memory:')
  })
  afterEach(async () => {
    expect(host.events.filter(({ name }) => name === 'server.error')).toEqual([])
    await host.close()
  })

  /** A code and a refresh token that have been used, and what they were used for. */
  async function used() {
    const { code, agent } = await getCode(host, { client: 'kept' })
    const { body: first } = await redeem(host, code, { client: 'kept' })
    const { body: second } = await refresh(host, first.refresh_token, { client: 'kept' })
    const { code: unused } = await getCode(host, { client: 'kept', agent })
    return { code, first, second, unused, agent }
  }

  async function expectRefused(...sends: Promise<{ status: number; headers: Headers; body: unknown }>[]) {
    for (const sending of sends) expectInvalidGrant(await json(sending))
  }
  const redeemed = (code: string) => redeem(host, code, { client: 'kept' })
  const refreshed = (token: string) => refresh(host, token, { client: 'kept' })
  const atApi = async (token: string) => (await callApi(host, '/api/read', token)).status

  test('ahead and back again: what was used stays used, what had expired is gone, and who was allowed is asked no more', async () => {
    const { code, first, second, unused, agent } = await used()
    host.advance(400 * DAY)
    expect(await atApi(second.access_token)).toBe(401)
    await expectRefused(redeemed(unused), refreshed(second.refresh_token))
    const ahead = await getTokens(host, { client: 'kept', agent })
    expect(await atApi(ahead.access_token)).toBe(200)
    await host.oauth.purge()
    host.advance(-400 * DAY)
    await expectRefused(redeemed(code), redeemed(unused), refreshed(first.refresh_token))
    expect(await atApi(second.access_token)).toBe(401)
    expect(await atApi(ahead.access_token)).toBe(200)
    expectTokens(await json(refreshed(ahead.refresh_token)))
    const { location = '' } = await agent.get(authorizeUrl(host, { client: 'kept' }))
    expectTokens(await json(redeemed(new URL(location).searchParams.get('code') ?? '')))
  })

  test('back and ahead again: what was used stays used, and what is alive goes on', async () => {
    const { code, first, second, unused, agent } = await used()
    host.advance(-2 * DAY)
    expect(await atApi(second.access_token)).toBe(200)
    const { body: third } = await refreshed(second.refresh_token)
    expect(await atApi(third.access_token)).toBe(200)
    const back = await getTokens(host, { client: 'kept', agent })
    host.advance(2 * DAY)
    expect(await atApi(back.access_token)).toBe(401)
    expectTokens(await json(refreshed(back.refresh_token)))
    expectTokens(await json(refreshed(third.refresh_token)))
    expectTokens(await json(redeemed(unused)))
    await expectRefused(redeemed(code), refreshed(first.refresh_token))
  })
})

describe('a findUser', () => {
  let host: Host
  let answer: (user: User | undefined) => unknown = (user) => user
  beforeAll(async () => {
    const findUser = (id: string) => answer(host.users.get(id)) as User | undefined
    host = await startHost({ provider: { store: ':memory:', findUser } })
  })
  afterAll(() => host.close())
  afterEach(() => {
    answer = (user) => user
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error(INTERNALS)
      },
    ],
    ['rejects', () => Promise.reject(new Error(INTERNALS))],
  ])(
    'that %s: the client is told that it failed, nothing is spent, and what needs no user goes on',
    async (_, fail) => {
      const { access_token, refresh_token, agent } = await getTokens(host)
      const { code } = await getCode(host, { agent })
      answer = fail
      for (const send of [() => redeem(host, code), () => refresh(host, refresh_token)]) {
        const { status, body } = await send()
        expect([status, body.error]).toEqual([500, 'server_error'])
        expect(JSON.stringify(body)).not.toContain('10.9.8.7')
      }
      expect((await callApi(host, '/api/read', access_token)).status).toBe(200)
      answer = (user) => user
      expectTokens(await json(redeem(host, code)))
      expectTokens(await json(refresh(host, refresh_token)))
    },
  )

  test('that hangs: who needs it waits, nothing is spent, and all others go on', async () => {
    const { access_token, refresh_token, agent } = await getTokens(host)
    const { code } = await getCode(host, { agent })
    let [goOn, reached] = [() => {}, () => {}]
    const hanging = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const bothAsked = new Promise<void>((resolve) => {
      reached = resolve
    })
    let asked = 0
    answer = (user) => {
      if (++asked === 2) reached()
      return hanging.then(() => user)
    }
    let answers = 0
    const count = () => {
      answers++
    }
    const waiting = [redeem(host, code), refresh(host, refresh_token)]
    for (const one of waiting) one.then(count, count)
    await bothAsked
    answer = (user) => user
    expect((await callApi(host, '/api/read', access_token)).status).toBe(200)
    expectTokens(await json(refresh(host, refresh_token)))
    expect(answers).toBe(0)
    goOn()
    for (const one of waiting) expectTokens(await json(one))
  })
})
