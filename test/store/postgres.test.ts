import { storeContract } from 'express-oauth-provider/store-contract'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import pg from 'pg'
import {
  ConfigurationError,
  type PostgresPool,
  type PostgresStoreOptions,
  postgresStore,
  type StoredRecord,
  StoreUnavailableError,
} from '../../lib/index.js'
import { openStore } from '../../lib/store/open.js'
import { statementsFor } from '../../lib/store/postgres-statements.js'
import type { Store } from '../../lib/store/store.js'
import { mintHandle } from '../../lib/tokens/handle.js'
import { Agent, encode, inputValue } from '../support/agent.js'
import { assertion, withAssertion } from '../support/assertions.js'
import { type Balancer, startBalancer } from '../support/balancer.js'
import { decideAs, poll, startDevice } from '../support/devices.js'
import { fetch } from '../support/fetch.js'
import {
  authorizeUrl,
  basic,
  callApi,
  destination,
  getTokens,
  redeem,
  refresh,
  signedIn,
  type TokenResponse,
} from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'
import { issueCodes } from '../support/issued-codes.js'
import { type PostgresServer, startPostgres } from '../support/postgres.js'
import { type PostgresProcesses, startPostgresProcesses } from '../support/postgres-processes.js'
import { PostgresSessions, type SessionFailure } from '../support/postgres-sessions.js'
import { push } from '../support/pushed.js'

const TABLES = ['clients', 'grants', 'records', 'revocations', 'keys', 'sessions', 'audit']

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server.stop())

const opened: { close(): unknown }[] = []
afterEach(async () => {
  for (const { close } of opened.splice(0).reverse()) await close()
})

async function connect(options: pg.PoolConfig = {}): Promise<pg.Pool> {
  const pool = new pg.Pool({ connectionString: await server.createDatabase(), ...options })
  opened.push({ close: () => pool.end() })
  return pool
}

function open(pool: PostgresPool, options?: PostgresStoreOptions) {
  const store = postgresStore(pool, options)
  opened.push({ close: () => store.close() })
  return store
}

function record(expiresAt: number, more: Partial<StoredRecord> = {}): StoredRecord {
  const { id, hash } = mintHandle(expiresAt)
  return { id, kind: 'code', hash, data: '{}', ...more }
}

function expectUnavailable({ status, headers }: Pick<TokenResponse, 'status' | 'headers'>): void {
  expect(status).toBe(503)
  expect(headers.get('retry-after')).toBe('1')
}

async function count(pool: pg.Pool, table: string): Promise<number> {
  return Number((await pool.query(`SELECT count(*) FROM oauth_${table}`)).rows[0].count)
}

describe.each<{
  on: string
  pool: pg.PoolConfig
  options: PostgresStoreOptions
  schema: string
  /** Which guarantees; the others are the same. */
  where: RegExp
}>([
  { on: 'as it comes', pool: { max: 20 }, options: {}, schema: '', where: /./ },
  {
    on: 'in a schema of its own, unprepared, with serializable transactions and a driver that knows BigInt',
    pool: {
      max: 20,
      options: '-c default_transaction_isolation=serializable',
      types: {
        getTypeParser: (oid: number, format?: 'text') =>
          oid === pg.types.builtins.INT8 ? BigInt : pg.types.getTypeParser(oid, format),
      } as pg.CustomTypesConfig,
    },
    options: { schema: 'A "schema"', prepare: false },
    schema: '"A ""schema""".',
    where: /at once|while|either|is found as|is noted|keys|are listed/i,
  },
])('the contract, $on', ({ pool: config, options, schema, where }) => {
  let pool: pg.Pool
  beforeAll(async () => {
    pool = new pg.Pool({ connectionString: await server.createDatabase(), ...config })
    await postgresStore(pool, options).migrate()
  })
  afterAll(() => pool.end())

  async function makeStore(): Promise<Store> {
    await pool.query(TABLES.map((table) => `DELETE FROM ${schema}oauth_${table}`).join(';'))
    return postgresStore(pool, options)
  }

  const guarantees = storeContract.filter(({ name }) => where.test(name))
  test.each(guarantees)('$name', ({ run }) => run(makeStore))
})

describe('each operation', () => {
  /** A store whose statements are counted. */
  async function counted() {
    const pool = await connect()
    await postgresStore(pool).migrate()
    const sent: pg.QueryConfig[] = []
    const failed: unknown[] = []
    const counting: PostgresPool = {
      on: pool.on.bind(pool),
      async connect() {
        const client = await pool.connect()
        return Object.assign(Object.create(client) as pg.PoolClient, {
          query: (query: pg.QueryConfig) => {
            if (!query.text.includes('old_records')) sent.push(query)
            return client.query(query).catch((error: unknown) => {
              failed.push(error)
              throw error
            })
          },
          release: (error?: Error) => client.release(error),
        })
      },
    }
    const store = open(counting)
    await store.findKeys()
    sent.length = 0
    failed.length = 0
    return { store, sent, failed }
  }

  test('it is one round trip, and where it is done often it is prepared', async () => {
    const { store, sent } = await counted()
    const expiresAt = Date.now() + 1000
    const grant = { id: 'g', userId: 'alice', clientId: 'a', access: { r: ['read'] }, createdAt: 1 }
    const [first, second, third] = [record(expiresAt), record(expiresAt), record(expiresAt)]
    const operations: [keyof Store, () => unknown, unnamed?: true][] = [
      ['saveGrant', () => store.saveGrant(grant)],
      ['saveGrant', () => store.saveGrant(grant)],
      ['findGrant', () => store.findGrant('alice', 'a')],
      ['listGrants', () => store.listGrants({ userId: 'alice' }), true],
      ['withdrawScopes', () => store.withdrawScopes({}, ['read'], 10), true],
      ['touchGrant', () => store.touchGrant('g', 1, '::1')],
      ['insert', () => store.insert([first])],
      ['insert', () => store.insert([first])],
      ['insert', () => store.insert([second, third])],
      ['insert', () => store.insert([second, third])],
      ['find', () => store.find(first.id)],
      ['consume', () => store.consume(first.id, { now: 1 }, [record(expiresAt), record(expiresAt)])],
      ['consume', () => store.consume(first.id, { now: 1 }, [record(expiresAt)])],
      ['consume', () => store.consume(second.id, { now: 1, grant }, [record(expiresAt)])],
      ['amend', () => store.amend(third.id, '{}', '[]')],
      ['revokeFamily', () => store.revokeFamily('f', expiresAt)],
      ['saveKeys', () => store.saveKeys({ revision: 1, data: 'x' })],
      ['endSessions', () => store.endSessions({ userId: 'alice' })],
      ['revokeGrant', () => store.revokeGrant('g', 'alice')],
      ['revokeUser', () => store.revokeUser('alice')],
      ['deleteClient', () => store.deleteClient('a')],
      ['appendAudit', () => store.appendAudit([{ id: 'x', at: 1, event: 'e' }], 1)],
      ['listAudit', () => store.listAudit({ limit: 1 }), true],
    ]
    for (const [name, operation, unnamed] of operations) {
      sent.length = 0
      await operation()
      expect([name, sent.length]).toEqual([name, 1])
      expect([name, sent[0]?.name]).toEqual([
        name,
        unnamed ? undefined : expect.stringMatching(/^oauth_\w{1,56}$/),
      ])
    }
  })

  test('what is inserted again is no error to the server', async () => {
    const { store, failed } = await counted()
    const twice = [record(Date.now() + 1000), record(Date.now() + 1000)]
    for (const records of [twice, twice.slice(1), [twice[0]!, record(Date.now() + 1000)]]) {
      expect(await store.insert(records)).toBe(records === twice)
      expect(await store.insert(records)).toBe(false)
    }
    expect(failed).toEqual([])
  })

  test('it uses an index, but where it asks for all', async () => {
    const pool = await connect()
    await postgresStore(pool).migrate()
    const client = await pool.connect()
    await client.query('SET enable_seqscan = off')
    for (const [name, { text }] of Object.entries(statementsFor(''))) {
      const { rows } = await client.query(`EXPLAIN (GENERIC_PLAN) ${text}`)
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
      const scans = plan.match(/Seq Scan on oauth_\w+/g) ?? []
      expect([name, scans]).toEqual([name, scans.filter((scan) => scan.endsWith('oauth_keys'))])
      // A filter behind a wrong index would read every row, too.
      expect([name, plan]).toEqual([
        name,
        expect.not.stringMatching(
          /Index(?: Only)? Scan using \w+ on \w+(?: \w+)? {2}\(.*\)\n\s+Filter: \(\((?:id|user_id|client_id|session|family_id)/,
        ),
      ])
    }
    client.release()
  })
})

describe('whoever waits for another process', () => {
  /** Begins while another process has changed something and not yet committed it, and ends after that. */
  async function meanwhile<T>(table: string, change: [string, ...unknown[]], begin: (store: Store) => T) {
    const pool = await connect()
    const store = open(pool)
    const grant = { id: 'g', userId: 'alice', clientId: 'a', access: { r: ['read', 'write'] }, createdAt: 1 }
    await store.saveGrant(grant)
    await store.insert([CODE])
    const other = new pg.Client({ connectionString: pool.options.connectionString! })
    opened.push({ close: () => other.end() })
    await other.connect()
    await other.query('BEGIN')
    const [text, ...values] = change
    await other.query(text, values)
    const running = begin(store)
    const waiting = `SELECT 1 FROM pg_locks WHERE NOT granted UNION ALL SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'`
    while ((await other.query(waiting)).rowCount === 0);
    await other.query('COMMIT')
    return { answer: await running, store, rows: (await pool.query(`SELECT * FROM oauth_${table}`)).rows }
  }

  const CODE = record(Date.now() + 60_000)

  test('to consume a record meets it as the other one has left it', async () => {
    const change = "UPDATE oauth_records SET used_at = 7, trace = 'first' WHERE id = $1"
    const { answer, rows } = await meanwhile('records', [change, CODE.id], (store) =>
      store.consume(CODE.id, { now: 9, trace: 'second' }, [record(Date.now() + 60_000)]),
    )
    expect(answer).toMatchObject({ won: false, record: { usedAt: 7, trace: 'first' } })
    expect(rows).toHaveLength(1)
  })

  test('to consume a record that is amended meanwhile wins it, and leaves the amendment', async () => {
    const change = "UPDATE oauth_records SET data = '[1]' WHERE id = $1"
    const { answer, rows } = await meanwhile('records', [change, CODE.id], (store) =>
      store.consume(CODE.id, { now: 9 }, []),
    )
    expect(answer).toEqual({ won: true })
    expect(rows).toMatchObject([{ data: '[1]', used_at: '9' }])
  })

  test.each([
    ['alone', []],
    ['with another one', [record(Date.now() + 60_000)]],
  ])('to insert an id %s is told that it is taken, and inserts nothing', async (_, others) => {
    const { id, hash } = record(Date.now() + 60_000)
    const change = "INSERT INTO oauth_records (id, kind, hash, data) VALUES ($1, 'proof', $2, '{}')"
    const { answer, rows } = await meanwhile('records', [change, id, hash], (store) =>
      store.insert([...others, { id, hash, kind: 'proof', data: '"second"' }]),
    )
    expect(answer).toBe(false)
    expect(rows.map((row) => row.data)).toEqual(['{}', '{}'])
  })

  test('to withdraw a scope finds what the other one has left of the grant', async () => {
    const access = (scopes: string[]) => JSON.stringify([['r', scopes]])
    const change = 'UPDATE oauth_grants SET access = $1'
    const withdrawing = (store: Store) => store.withdrawScopes({}, ['read'], 10)
    const gone = await meanwhile('grants', [change, access(['write'])], withdrawing)
    expect(gone.answer).toEqual([])
    const added = await meanwhile('grants', [change, access(['read', 'list'])], withdrawing)
    expect(added.answer).toMatchObject([{ access: { r: ['list'] }, withdrawn: ['read'] }])
  })

  test('to save a grant adds to what the other one has made of it, or makes it anew where it is gone', async () => {
    const more = { id: 'h', userId: 'alice', clientId: 'a', access: { r: ['list'] }, createdAt: 2 }
    const saving = (store: Store) => store.saveGrant(more)
    const change = `UPDATE oauth_grants SET access = '[["r", ["write"]]]', withdrawn = '["read", "list"]'`
    const added = await meanwhile('grants', [change], saving)
    expect(added.answer).toMatchObject({ id: 'g', access: { r: ['write', 'list'] }, withdrawn: ['read'] })
    const anew = await meanwhile('grants', ['DELETE FROM oauth_grants'], saving)
    expect(anew.answer).toEqual(more)
  })
})

describe('several processes', () => {
  let processes: PostgresProcesses
  let balancer: Balancer
  let pool: pg.Pool
  let store: Store
  /** All four, as a browser or a client sees them. */
  let host: Host
  let time = 1000
  beforeAll(async () => {
    pool = new pg.Pool({ connectionString: await server.createDatabase() })
    store = postgresStore(pool, { clock: () => time })
    processes = await startPostgresProcesses(4)
    balancer = await startBalancer()
    const { origin } = balancer
    host = { origin, issuer: `${origin}/oauth`, now: () => time } as Host
  })
  afterAll(async () => {
    balancer.close()
    await processes.close()
    await pool.end()
  })

  test('that start at once on an empty database make one set of tables', async () => {
    for (const url of [...(await fresh(2)), pool.options.connectionString!]) {
      await processes.all({ open: url })
      const migrated = await processes.all({ migrate: true })
      expect(migrated).toEqual(expect.arrayContaining([{ from: 0, to: 1 }]))
      expect(migrated.filter((answer) => (answer as { from?: number }).from === 1)).toHaveLength(3)
    }
  })

  function fresh(databases: number): Promise<string[]> {
    return Promise.all(Array.from({ length: databases }, () => server.createDatabase()))
  }

  test('of a hundred who consume a record in four processes one wins, and only its successor is there', async () => {
    for (let round = 0; round < 5; round++) {
      const code = record(Date.now() + 60_000)
      await store.insert([code])
      const answers = await processes.all({
        consume: code.id,
        times: 25,
        successor: { name: `round ${round}` },
      })
      expect(answers.flat()).toHaveLength(100)
      expect(answers.flat().filter((won) => won === true)).toHaveLength(1)
      expect(await store.find(code.id)).toMatchObject({ usedAt: 1000, alive: true })
      expect(await count(pool, 'records')).toBe(2 * (round + 1))
    }
  })

  test('of a hundred who use up one proof in four processes one does', async () => {
    for (let round = 0; round < 3; round++) {
      const answers = await processes.all({ insert: record(Date.now() + 60_000).id, times: 25 })
      expect(answers.flat()).toHaveLength(100)
      expect(answers.flat().filter((inserted) => inserted === true)).toHaveLength(1)
    }
  })

  test.each(['grant', 'family'] as const)(
    'what three of them redeem while the fourth revokes its %s is dead',
    async (revoke) => {
      for (let round = 0; round < 6; round++) {
        const [grantId, familyId] = [`${revoke} ${round}`, `family of ${revoke} ${round}`]
        await store.saveGrant({ id: grantId, userId: grantId, clientId: 'a', access: {}, createdAt: 1 })
        const code = record(Date.now() + 60_000, { grantId, familyId })
        await store.insert([code])
        const answers = await processes.all((index) =>
          index === round % 4
            ? { revoke, id: revoke === 'grant' ? grantId : familyId }
            : { consume: code.id, times: 5, successor: { name: grantId, grantId, familyId } },
        )
        const winners = answers.flat().filter((won) => won === true).length
        const { rows } = await pool.query('SELECT id FROM oauth_records WHERE family_id = $1', [familyId])
        expect([answers.flat().length, rows.length]).toEqual([16, 1 + winners])
        expect(winners).toBeLessThanOrEqual(1)
        for (const { id } of rows) expect(await store.find(id)).toMatchObject({ alive: false })
      }
    },
  )

  /** The clocks of all of them, or of each. */
  async function setClocks(to: number, offsets: readonly number[] = [0, 0, 0, 0]): Promise<void> {
    time = to
    await processes.all((index) => ({ time: time + offsets[index]! * 1000 }))
  }

  function atOnce<T>(times: number, send: () => Promise<T>): Promise<T[]> {
    return Promise.all(Array.from({ length: times }, send))
  }

  /** What every process says to an access token. */
  async function everywhere(accessToken: string): Promise<number[]> {
    return (await atOnce(4, () => callApi(host, '/api/read', accessToken))).map(({ status }) => status)
  }

  async function revoke(token: string): Promise<number> {
    const headers = { authorization: basic('conf', 'conf-secret') }
    return (await fetch(`${host.issuer}/revoke`, { method: 'POST', headers, body: encode({ token }) })).status
  }

  const [ALIVE, DEAD] = [Array(4).fill(200), Array(4).fill(401)]
  const asPublic = { client: 'pub' }
  const newCodes = (count: number) => issueCodes(store, count, { resource: host.origin, now: time })

  describe('behind a balancer', () => {
    beforeAll(async () => {
      await pool.query(PostgresSessions.TABLE)
      await setClocks(Date.now())
      const serving = { serve: { issuer: host.issuer } }
      const [first] = await processes.all((index) => (index === 0 ? serving : { time }))
      balancer.to([first as number])
      // The signing keys are made by one; that all may at once is shown elsewhere, and takes them long.
      await fetch(`${host.issuer}/jwks`)
      const others = await processes.all((index) => (index === 0 ? { time } : serving))
      balancer.to([first, ...others.slice(1)] as number[])
    })

    test('one browser goes every way through them, each of its requests to another one, and so do clients', async () => {
      const tokens = await getTokens(host, { params: { scope: 'openid read' } })
      const { agent } = tokens
      expect(await everywhere(tokens.access_token)).toEqual(ALIVE)
      const keys = await (await fetch(`${host.issuer}/jwks`)).json()
      const verifying = { issuer: host.issuer, audience: 'conf', currentDate: new Date(time) }
      await jwtVerify(String(tokens.id_token), createLocalJWKSet(keys as JSONWebKeySet), verifying)
      const { body: second } = await refresh(host, tokens.refresh_token)
      expect(await everywhere(second.access_token)).toEqual(ALIVE)
      expect(await revoke(second.refresh_token)).toBe(200)
      expect(await everywhere(second.access_token)).toEqual(DEAD)
      expect((await refresh(host, second.refresh_token)).body.error).toBe('invalid_grant')

      const { body: pushed } = await push(host)
      const request = { client_id: 'conf', request_uri: String(pushed.request_uri) }
      const callback = await agent.get(`${host.issuer}/authorize?${encode(request)}`)
      const { status } = await redeem(host, destination(callback).searchParams.get('code') ?? '')
      expect(status).toBe(200)

      const codes = await startDevice(host)
      expect((await poll(host, codes)).body.error).toBe('authorization_pending')
      await decideAs(host, codes, 'approve', { agent })
      await setClocks(time + 6000)
      const device = await poll(host, codes)
      expect(await everywhere(device.body.access_token)).toEqual(ALIVE)

      for (const applications of [1, 0]) {
        const page = await agent.get(`${host.issuer}/authorized-applications`)
        const form = { _csrf: inputValue(page, '_csrf'), grant: inputValue(page, 'grant') }
        await agent.post(page.url, form)
        expect(await store.listGrants({ userId: 'alice' })).toHaveLength(applications)
      }
      expect(await everywhere(device.body.access_token)).toEqual(DEAD)

      const { served } = balancer
      expect(new Set(served).size).toBe(4)
      for (const [index, port] of served.entries()) expect(port).not.toBe(served[index + 1])
    })

    test('of twenty who redeem a code or use an assertion at once one succeeds, and all who refresh get one pair', async () => {
      const [first = '', second = ''] = await newCodes(2)
      const redeemed = await atOnce(20, () => redeem(host, first, asPublic))
      expect(redeemed.map(({ status }) => status).sort()).toEqual([200, ...Array(19).fill(400)])
      const { body } = await redeem(host, second, asPublic)
      const refreshed = await atOnce(20, () => refresh(host, body.refresh_token, asPublic))
      expect(refreshed.map(({ status }) => status)).toEqual(Array(20).fill(200))
      const pairs = refreshed.map(({ body }) => `${body.access_token} ${body.refresh_token}`)
      expect(new Set(pairs).size).toBe(1)
      const form = withAssertion(assertion(host))
      const pushed = await atOnce(20, () =>
        push(host, { client: 'pkj', proof: { headers: {}, form: { client_id: 'pkj', ...form } } }),
      )
      expect(pushed.map(({ status }) => status).sort()).toEqual([201, ...Array(19).fill(401)])
    })

    test('RACE-05 what is refreshed while another process revokes works nowhere afterwards', async () => {
      const agent = await signedIn(host, 'bob')
      for (let round = 0; round < 4; round++) {
        const { refresh_token } = await getTokens(host, { agent })
        const refreshing = atOnce(3, () => refresh(host, refresh_token))
        const [answers, revoked] = await Promise.all([refreshing, revoke(refresh_token)])
        expect(revoked).toBe(200)
        for (const { status, body } of answers) {
          if (status === 200) {
            expect(await everywhere(body.access_token)).toEqual(DEAD)
            expect((await refresh(host, body.refresh_token)).status).toBe(400)
          } else expect(body.error).toBe('invalid_grant')
        }
      }
    })

    // Without its store express-session lets all pass without a session: whoever asks is sent to sign in, and no page with a form can be made.
    test.each<[SessionFailure, readonly number[]]>([
      ['calls back with an error', [500, 500, 500, 500]],
      ['throws', [500, 500, 500, 500]],
      ['is disconnected', [303, 500, 500, 500]],
    ])(
      'while the session store %s, clients and the API go on, pages tell no details, and all goes on afterwards',
      async (failure, statuses) => {
        const { agent, access_token, refresh_token } = await getTokens(host, { user: 'dora' })
        const params = { scope: 'write', prompt: 'consent' }
        const page = await agent.follow(authorizeUrl(host, { params }))
        const form = { _csrf: inputValue(page, '_csrf'), decision: 'approve' }
        const applications = `${host.issuer}/authorized-applications`
        await processes.all({ sessions: failure })

        expect(await everywhere(access_token)).toEqual(ALIVE)
        const refreshed = await refresh(host, refresh_token)
        expect([refreshed.status, await everywhere(refreshed.body.access_token)]).toEqual([200, ALIVE])
        expect((await push(host)).status).toBe(201)
        expect((await startDevice(host)).device_code).toMatch(/./)
        const pages = [
          ...(await atOnce(4, () => agent.get(authorizeUrl(host)))),
          ...(await atOnce(4, () => agent.get(page.url))),
          ...(await atOnce(4, () => agent.get(applications))),
          ...(await atOnce(4, () => agent.post(page.url, form))),
        ]
        await processes.all({ sessions: 'work' })
        expect(pages.map(({ status }) => status)).toEqual(statuses.flatMap((status) => Array(4).fill(status)))
        for (const { text, location = `${host.origin}/login?return_to=` } of pages) {
          expect(location.startsWith(`${host.origin}/login?return_to=`)).toBe(true)
          expect(text).not.toMatch(/ECONNREFUSED|10\.9\.8\.7|\.[jt]s:\d/)
        }

        const answer = await agent.post(page.url, form)
        const { status, body } = await redeem(host, destination(answer).searchParams.get('code') ?? '')
        expect([status, body.scope]).toEqual([200, 'write'])
        expect((await agent.get(applications)).text).toContain('Confidential')
        expect((await refresh(host, refreshed.body.refresh_token)).status).toBe(200)
      },
    )

    test('clocks that differ stop nobody and spend nothing twice', async () => {
      await setClocks(time, [0, -8, 20, 5])
      const agent = await signedIn(host, 'carol')
      for (let round = 0; round < 3; round++) {
        const { access_token, refresh_token } = await getTokens(host, { agent })
        expect(await everywhere(access_token)).toEqual(ALIVE)
        const { status, body } = await refresh(host, refresh_token)
        expect([status, await everywhere(body.access_token)]).toEqual([200, ALIVE])
      }
      const [code = ''] = await newCodes(1)
      const redeemed = await atOnce(20, () => redeem(host, code, asPublic))
      expect(redeemed.filter(({ status }) => status === 200)).toHaveLength(1)

      // Those that are minutes ahead delete what is past for them, and nothing that was used is good again for the others.
      const jwt = assertion(host)
      const use = () =>
        push(host, {
          client: 'pkj',
          proof: { headers: {}, form: { client_id: 'pkj', ...withAssertion(jwt) } },
        })
      expect((await use()).status).toBe(201)
      const { refresh_token } = await getTokens(host, { agent })
      const { body } = await refresh(host, refresh_token)
      await setClocks(time, [4 * 60, 0, 0, 4 * 60])
      for (let count = 0; count < 2; count++) await processes.all({ purge: true })
      expect((await atOnce(4, use)).map(({ status }) => status)).toEqual(Array(4).fill(401))
      expect((await atOnce(4, () => redeem(host, code, asPublic))).map(({ status }) => status)).toEqual(
        Array(4).fill(400),
      )
      expect(await everywhere(body.access_token)).toEqual(ALIVE)
      await setClocks(time)
    })

    /**
     * Clients that redeem codes and refresh while something happens. Every answer is right, or says that there is none for now, and how
     * many did so is what this gives; what is asked again then is answered as if nothing had been.
     */
    async function underLoad(happen: () => Promise<unknown>): Promise<number> {
      let refused = 0
      /** Sends it again until there is an answer, and says how often it was sent. */
      const ask = async (send: () => Promise<TokenResponse>) => {
        for (let tries = 1; ; tries++) {
          const { status, headers, body } = await send()
          if (status === 503) expect(headers.get('retry-after')).toBe('1')
          else if (status !== 502) return { status, body, tries }
          refused++
        }
      }
      const codes = await newCodes(24)
      let happening: Promise<unknown> | undefined
      const client = async () => {
        for (let code = codes.pop(); code !== undefined; code = codes.pop()) {
          const { status, body, tries } = await ask(() => redeem(host, code!, asPublic))
          // Spent, and the answer lost: whoever comes again with that code is not given a second one.
          if (status === 400) expect([tries > 1, body.error]).toEqual([true, 'invalid_grant'])
          else expect(status).toBe(200)
          let { refresh_token } = body
          for (let rotations = 0; status === 200 && rotations < 2; rotations++) {
            const refreshed = await ask(() => refresh(host, refresh_token, asPublic))
            expect(refreshed.status).toBe(200)
            refresh_token = refreshed.body.refresh_token
          }
          if (codes.length < 16) happening ??= happen()
        }
      }
      await Promise.all(Array.from({ length: 6 }, client))
      await happening
      // Of every code, there are its tokens or none, and every refresh token that was used has one successor.
      const { rows } = await pool.query(FAMILIES)
      expect(rows.length).toBeGreaterThan(24)
      for (const { used, access, refresh, unused } of rows)
        expect([access, unused]).toEqual([refresh, used ? '1' : '0'])
      return refused
    }

    const FAMILIES = `SELECT code.used_at IS NOT NULL AS used,
        count(*) FILTER (WHERE token.kind = 'access') AS access, count(*) FILTER (WHERE token.kind = 'refresh') AS refresh,
        count(*) FILTER (WHERE token.kind = 'refresh' AND token.used_at IS NULL) AS unused
      FROM oauth_records AS code LEFT JOIN oauth_records AS token ON token.family_id = code.id AND token.kind <> 'code'
      WHERE code.kind = 'code' GROUP BY code.id`

    test('the server is restarted under load: every answer is right or 503, nothing is spent twice, and all goes on', async () => {
      const refused = await underLoad(async () => {
        await server.kill()
        expectUnavailable(await callApi(host, '/api/read', mintHandle(time + 1000).value))
        const { location = '' } = await new Agent(host).get(authorizeUrl(host))
        expect(new URL(location).searchParams.get('error')).toBe('server_error')
        await server.restart()
      })
      expect(refused).toBeGreaterThan(0)
      const { access_token } = await getTokens(host)
      expect(await everywhere(access_token)).toEqual(ALIVE)
    })

    test('a process is killed under load: the others go on, and nothing is spent twice', async () => {
      expect(await underLoad(() => processes.killOne())).toBeGreaterThan(0)
    })
  })
})

describe('the tables', () => {
  test('are made on first use, and again where that has failed', async () => {
    const pool = await connect()
    const store = open(pool)
    expect(await store.version()).toEqual({ at: 0, latest: 1 })
    await pool.query('CREATE TABLE oauth_audit (id integer)')
    await expect(store.findKeys()).rejects.toThrow('oauth_audit')
    expect(await store.version()).toEqual({ at: 0, latest: 1 })
    await pool.query('DROP TABLE oauth_audit')
    expect(await store.findKeys()).toBeUndefined()
    expect(await store.version()).toEqual({ at: 1, latest: 1 })
    expect(await postgresStore(pool).migrate()).toEqual({ from: 1, to: 1 })
  })

  test('that a newer version has made are not touched', async () => {
    const pool = await connect()
    await postgresStore(pool).migrate()
    await pool.query('INSERT INTO oauth_migrations (number) VALUES (2)')
    const store = open(pool)
    expect(await store.version()).toEqual({ at: 2, latest: 1 })
    await expect(store.migrate()).rejects.toThrow(ConfigurationError)
    await expect(store.insert([record(Date.now())])).rejects.toThrow(/written by a newer version/)
  })

  test('may be used by whoever may not make any', async () => {
    const pool = await connect()
    await postgresStore(pool, { schema: 'oauth' }).migrate()
    await pool.query('CREATE ROLE app LOGIN; GRANT USAGE ON SCHEMA oauth TO app')
    await pool.query('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA oauth TO app')
    const url = new URL(pool.options.connectionString!)
    url.username = 'app'
    const app = new pg.Pool({ connectionString: url.href })
    opened.push({ close: () => app.end() })
    expect(await open(app, { schema: 'oauth' }).insert([record(Date.now() + 1000)])).toBe(true)
    await expect(open(app, { schema: 'other' }).findKeys()).rejects.toThrow(StoreUnavailableError)
  })

  test('stay as large as what is alive', async () => {
    let time = Date.now()
    const pool = await connect()
    const store = postgresStore(pool, { clock: () => time })
    for (let minute = 0; minute < 20; minute++) {
      const codes = Array.from({ length: 50 }, () => record(time + 60_000, { familyId: `f${minute}` }))
      await Promise.all(codes.map((code) => store.insert([code])))
      await store.revokeFamily(`f${minute}`, time + 60_000)
      time += 60_000
    }
    await store.close()
    expect(await count(pool, 'records')).toBeLessThanOrEqual(150)
    expect(await count(pool, 'revocations')).toBeLessThanOrEqual(3)
  })

  test('lose a backlog of what has expired little by little, and no write waits for it', async () => {
    let time = Date.now()
    const pool = await connect()
    const before = open(pool, { clock: () => time })
    await before.insert(Array.from({ length: 1000 }, () => record(time + 1000)))
    time += 2000
    const store = postgresStore(pool, { clock: () => time })
    expect(await store.insert([record(time + 1000)])).toBe(true)
    await store.close()
    expect(await count(pool, 'records')).toBe(1001 - 200)
  })

  test('are purged around what another process is just deleting', async () => {
    const pool = await connect()
    // On its own it purges nothing: nothing has expired yet.
    const store = open(pool, { clock: () => 0 })
    const expired = [record(1000), record(1001), record(1002)]
    await store.insert(expired)
    const other = new pg.Client({ connectionString: pool.options.connectionString! })
    opened.push({ close: () => other.end() })
    await other.connect()
    await other.query('BEGIN')
    await other.query('DELETE FROM oauth_records WHERE id = $1', [expired[0]!.id])
    expect(await store.purge(Date.now(), 10)).toBe(2)
    await other.query('ROLLBACK')
    expect(await store.purge(Date.now(), 10)).toBe(1)
  })
})

describe('the pool', () => {
  test.each([
    ['nothing', undefined],
    ['the URL', 'postgres://localhost/app'],
    ['something else', { query: () => undefined }],
  ])('%s in place of one is refused', (_, given) => {
    expect(() => postgresStore(given as unknown as PostgresPool)).toThrow(ConfigurationError)
    expect(() => postgresStore(given as unknown as PostgresPool)).toThrow(/postgresStore\(new Pool\(\)\)/)
  })

  test('one connection in place of one is refused when it is used', async () => {
    const client = new pg.Client({ connectionString: await server.createDatabase() })
    const store = postgresStore(client as unknown as PostgresPool)
    await expect(store.findKeys()).rejects.toThrow('was given one connection in place of a pool')
    await client.end()
  })

  test("it stays the host's: closing the store waits for what runs, leaves it open and lets go of it", async () => {
    const pool = await connect()
    const store = postgresStore(pool)
    const inserted = [1, 2, 3].map(() => store.insert([record(Date.now() + 1000)]))
    await store.close()
    expect(await Promise.all(inserted)).toEqual([true, true, true])
    expect(await count(pool, 'records')).toBe(3)
    postgresStore(pool)
    expect(pool.listenerCount('error')).toBe(1)
    expect(pool.idleCount).toBe(pool.totalCount)
    await expect(store.find('x')).rejects.toThrow(StoreUnavailableError)
  })

  test('a connection that the server ends in the moment in which it was made does not end the process', async () => {
    const pool = await connect()
    const store = postgresStore(pool)
    // The pool listens no more then, and who has asked for the connection is not told of it yet.
    pool.once('acquire', (client) => process.nextTick(() => client.emit('error', new Error('ended'))))
    expect(await store.findKeys()).toBeUndefined()
    await store.close()
  })

  test('whoever waits in vain for a connection is told, and takes none later', async () => {
    const pool = await connect({ max: 1 })
    const store = open(pool)
    await store.migrate()
    const held = await pool.connect()
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] })
    try {
      const inserting = expect(store.insert([record(Date.now() + 1000)])).rejects.toThrow(
        /no connection became free/,
      )
      await jest.advanceTimersByTimeAsync(5000)
      await inserting
    } finally {
      jest.useRealTimers()
    }
    held.release()
    expect(await store.find('x')).toBeUndefined()
    expect(await count(pool, 'records')).toBe(0)
  })

  test('what may be done twice is done again where its connection is lost in the middle', async () => {
    const pool = await connect({ max: 1 })
    const store = open(pool)
    await store.migrate()
    const other = new pg.Client({ connectionString: pool.options.connectionString! })
    opened.push({ close: () => other.end() })
    await other.connect()
    const entry = { id: 'x', at: 1000, event: 'token.issued' }
    const repeatable: [string, () => unknown][] = [
      ['audit', () => store.appendAudit([entry], 0)],
      ['revocations', () => store.revokeFamily('f', Date.now() + 60_000)],
      [
        'sessions',
        () => store.saveSession({ session: 's', clientId: 'a', userId: 'alice', expiresAt: 1e15 }),
      ],
    ]
    for (const [table, operation] of repeatable) {
      await other.query(`BEGIN; LOCK TABLE oauth_${table} IN EXCLUSIVE MODE`)
      const running = operation()
      const waiting = `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND relation = 'oauth_${table}'::regclass`
      while ((await other.query(waiting)).rowCount === 0);
      await other.query('ROLLBACK')
      await running
      expect([table, await count(pool, table)]).toEqual([table, 1])
      await operation()
      expect([table, await count(pool, table)]).toEqual([table, 1])
    }
  })

  test('a connection that leads to a server which is no more written to is given up', async () => {
    const pool = await connect({ max: 1 })
    const store = open(pool)
    await store.migrate()
    const held = await pool.connect()
    await held.query('SET default_transaction_read_only = on')
    held.release()
    await expect(store.insert([record(Date.now() + 1000)])).rejects.toThrow('PostgreSQL: 25006')
    expect(await store.insert([record(Date.now() + 1000)])).toBe(true)
  })

  test('a database that there is not is told as unavailable', async () => {
    const url = (await server.createDatabase()).replace(/\w+$/, 'missing')
    const pool = new pg.Pool({ connectionString: url })
    opened.push({ close: () => pool.end() })
    await expect(open(pool).findKeys()).rejects.toMatchObject({
      name: 'StoreUnavailableError',
      message: 'PostgreSQL: 3D000',
      cause: expect.objectContaining({ code: '3D000' }),
    })
  })
})

describe('a provider on PostgreSQL', () => {
  let host: Host
  let pool: pg.Pool
  let admin: pg.Client
  beforeAll(async () => {
    const connectionString = await server.createDatabase()
    pool = new pg.Pool({ connectionString })
    host = await startHost({ provider: { store: postgresStore(pool) } })
    admin = new pg.Client({ connectionString })
    await admin.connect()
  })
  afterAll(async () => {
    await host.close()
    await admin.end().catch(() => undefined)
    await pool.end()
  })

  /** Ends every connection of the pool, as an administrator or a failing network does. */
  async function terminate(): Promise<void> {
    await admin.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    )
  }

  async function waitingFor(table: string, waiters: number): Promise<void> {
    const text = 'SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::regclass'
    for (;;) {
      const { rows } = await admin.query(text, [`oauth_${table}`])
      if (Number(rows[0].count) >= waiters) return
    }
  }

  test('it goes the whole way: code, token, API, refresh, revocation', async () => {
    const tokens = await getTokens(host)
    expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(200)
    const { body: refreshed } = await refresh(host, tokens.refresh_token)
    const api = await callApi(host, '/api/read', refreshed.access_token)
    expect(api.body).toMatchObject({ userId: 'alice', clientId: 'conf', scopes: ['read'] })
    const again = await getTokens(host, { agent: tokens.agent })
    host.advance(11)
    const reused = await refresh(host, tokens.refresh_token)
    expect([reused.status, reused.body.error]).toEqual([400, 'invalid_grant'])
    expect((await callApi(host, '/api/read', refreshed.access_token)).status).toBe(401)
    expect((await callApi(host, '/api/read', again.access_token)).status).toBe(200)
    expect(await host.oauth.grants.revokeUser('alice')).toBe(1)
    expect((await callApi(host, '/api/read', again.access_token)).status).toBe(401)
  })

  test('connections that are lost while nobody uses them are not noticed', async () => {
    const tokens = await getTokens(host, { user: 'bob' })
    for (let round = 0; round < 3; round++) {
      await terminate()
      expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(200)
    }
  })

  test('a connection that is lost in the middle of a refresh gives 503 and spends nothing, and reading begins anew', async () => {
    const tokens = await getTokens(host, { user: 'bob' })
    await admin.query('BEGIN; LOCK TABLE oauth_records IN EXCLUSIVE MODE')
    const refreshing = refresh(host, tokens.refresh_token)
    await waitingFor('records', 1)
    await terminate()
    expectUnavailable(await refreshing)
    expect((await refreshing).body).toMatchObject({ error: 'temporarily_unavailable' })
    await admin.query('ROLLBACK; BEGIN; LOCK TABLE oauth_records IN ACCESS EXCLUSIVE MODE')
    const calling = callApi(host, '/api/read', tokens.access_token)
    await waitingFor('records', 1)
    await terminate()
    await waitingFor('records', 1)
    await admin.query('ROLLBACK')
    expect((await calling).status).toBe(200)
    const { status, body } = await refresh(host, tokens.refresh_token)
    expect(status).toBe(200)
    expect((await callApi(host, '/api/read', body.access_token)).status).toBe(200)
    const failures = host.events.filter(({ name }) => name === 'server.error').map(({ event }) => event.error)
    expect(failures).toContainEqual(
      expect.objectContaining({
        name: 'StoreUnavailableError',
        cause: expect.objectContaining({ code: '57P01' }),
      }),
    )
  })

  test('it takes the store behind its guard, and a store that is down when the host starts does not keep it from starting', async () => {
    const store = openStore(postgresStore(await connect()), Date.now)
    expect(await store.find('x')).toBeUndefined()
    const nowhere = new pg.Pool({ connectionString: 'postgres://oauth@127.0.0.1:1/none' })
    const early = await startHost({ provider: { store: postgresStore(nowhere) } })
    expectUnavailable(await callApi(early, '/api/read', mintHandle(Date.now() + 1000).value))
    await early.close()
    await nowhere.end()
  })
})
