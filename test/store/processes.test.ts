import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import SQLite from 'better-sqlite3'
import { openStore } from '../../lib/store/open.js'
import type { FoundRecord } from '../../lib/store/records.js'
import type { Store } from '../../lib/store/store.js'
import { findByHandle } from '../../lib/tokens/find.js'
import { type Compiled, compile } from '../support/compiled.js'
import { OPERATIONS } from '../support/faults.js'
import * as flow from '../support/flow.js'
import type { Host } from '../support/host.js'
import { issueCodes } from '../support/issued-codes.js'
import { type Processes, type ProviderProcess, prepareProcesses } from '../support/processes.js'
import { fill, NOW, writes } from '../support/writes.js'
import type { Moment } from '../support/writing-process.js'

const client = 'pub'
const redeem = (host: ProviderProcess, code: string) => flow.redeem(host as Host, code, { client })
const refresh = (host: ProviderProcess, token: string) => flow.refresh(host as Host, token, { client })
const callApi = (host: ProviderProcess, token: string) => flow.callApi(host as Host, '/api/read', token)

let processes: Processes
beforeAll(() => {
  processes = prepareProcesses()
})
afterAll(() => processes.close())

async function codesIn(file: string, count: number): Promise<string[]> {
  const store = openStore(file, Date.now)
  const codes = await issueCodes(store, count)
  await store.close()
  return codes
}

function twenty(
  hosts: readonly ProviderProcess[],
  send: (host: ProviderProcess) => Promise<flow.TokenResponse>,
): Promise<flow.TokenResponse[]> {
  return Promise.all(Array.from({ length: 20 }, (_, index) => send(hosts[index % hosts.length]!)))
}

describe('two processes on one file', () => {
  let file: string
  let hosts: ProviderProcess[]
  beforeAll(async () => {
    file = path.join(processes.folder, 'two.db')
    hosts = await Promise.all([processes.start(file), processes.start(file)])
  })
  afterAll(() => Promise.all(hosts.map((host) => host.close())))

  test('RACE-01 of twenty parallel redemptions of one code exactly one is answered with 200', async () => {
    const codes = await codesIn(file, 5)
    for (const code of codes) {
      const answers = await twenty(hosts, (host) => redeem(host, code))
      expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(19).fill(400)])
      for (const { status, body } of answers) if (status === 400) expect(body.error).toBe('invalid_grant')
      // The others were valid in all else, so what the one got is taken back, in both processes.
      const { body } = answers.find(({ status }) => status === 200)!
      for (const host of hosts) {
        expect((await callApi(host, body.access_token)).status).toBe(401)
        expect((await refresh(host, body.refresh_token)).body.error).toBe('invalid_grant')
      }
    }
  })

  test('RACE-02 twenty parallel refreshes of one token give one pair, which works in both processes', async () => {
    const [code = ''] = await codesIn(file, 1)
    let { body: tokens } = await redeem(hosts[0]!, code)
    for (let round = 0; round < 5; round++) {
      const answers = await twenty(hosts, (host) => refresh(host, tokens.refresh_token))
      expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
      const pairs = new Set(answers.map(({ body }) => `${body.access_token} ${body.refresh_token}`))
      expect(pairs.size).toBe(1)
      tokens = answers[0]!.body
      for (const host of hosts) {
        expect((await callApi(host, tokens.access_token)).status).toBe(200)
      }
    }
  })
})

test('processes that start at once on a fresh file all come up, on one set of tables', async () => {
  const loaded = await Promise.all(Array.from({ length: 4 }, () => processes.load()))
  let hosts: ProviderProcess[] = []
  for (let round = 0; round < 12; round++) {
    const file = path.join(processes.folder, `fresh-${round}.db`)
    hosts = await Promise.all(loaded.map((process) => process.open(file)))
    const [code = ''] = await codesIn(file, 1)
    const { status, body } = await redeem(hosts[round % 4]!, code)
    expect(status).toBe(200)
    for (const host of hosts) expect((await callApi(host, body.access_token)).status).toBe(200)
  }
  await Promise.all(hosts.map((host) => host.close()))
})

test('after twelve times kill -9 in the middle of redemptions no code was redeemed twice, and no 200 was lost', async () => {
  const KILLS = 12
  const CODES = 40
  const AT_ONCE = 6
  const file = path.join(processes.folder, 'killed.db')
  const answered = new Map<string, flow.TokenResponse[]>()
  const unanswered: string[] = []
  let inTheMiddle = 0

  /** Redeems what is left over, and fresh codes, until the process is killed after so many answers. */
  async function killDuringRedemptions(after: number): Promise<void> {
    const host = await processes.start(file)
    const codes = [...unanswered.splice(0), ...(await codesIn(file, CODES))]
    let count = 0
    let killed: Promise<void> | undefined
    const redeemers = Array.from({ length: AT_ONCE }, async () => {
      for (let code = codes.pop(); code !== undefined; code = codes.pop()) {
        try {
          const answer = await redeem(host, code)
          answered.set(code, [...(answered.get(code) ?? []), answer])
          if (++count >= after) killed ??= host.close()
        } catch {
          unanswered.push(code)
          return
        }
      }
    })
    await Promise.all(redeemers)
    await killed
    if (codes.length > 0) inTheMiddle++
    unanswered.push(...codes)
  }

  // Two processes at a time on one file, so that each is killed while the other one works.
  const lane = async (first: number) => {
    for (let kill = first; kill < KILLS; kill += 2) await killDuringRedemptions(1 + (kill % 12))
  }
  await Promise.all([lane(0), lane(1)])
  expect(inTheMiddle).toBe(KILLS)

  const host = await processes.start(file)
  const store = openStore(file, Date.now)
  const redeemed = [...answered].filter(([, answers]) => answers.some(({ status }) => status === 200))
  expect(redeemed.length).toBeGreaterThan(KILLS)
  for (const [code, answers] of redeemed) {
    expect(answers.map(({ status }) => status)).toEqual([200])
    const { access_token, refresh_token } = answers[0]!.body
    const found = await Promise.all([
      findByHandle(store, 'code', code),
      findByHandle(store, 'access', access_token),
      findByHandle(store, 'refresh', refresh_token),
    ])
    for (const record of found) expect(record).toMatchObject({ alive: true } satisfies Partial<FoundRecord>)
    expect(found[0]?.usedAt).toBeGreaterThan(0)
  }
  // Of every code, answered or not, there is either one access and one refresh token, or neither, and it is unused.
  const db = new SQLite(file, { readonly: true })
  const families = db
    .prepare(
      `SELECT code.used_at IS NOT NULL AS used,
              (SELECT count(*) FROM oauth_records WHERE family_id = code.id AND kind = 'access') AS access,
              (SELECT count(*) FROM oauth_records WHERE family_id = code.id AND kind = 'refresh') AS refresh
       FROM oauth_records code WHERE kind = 'code'`,
    )
    .all() as { used: number; access: number; refresh: number }[]
  expect(families.length).toBe(KILLS * CODES)
  for (const { used, access, refresh } of families) expect([access, refresh]).toEqual([used, used])
  expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
  db.close()

  const [code, [first]] = redeemed[0]!
  expect((await callApi(host, first!.body.access_token)).status).toBe(200)
  expect((await redeem(host, code)).body.error).toBe('invalid_grant')
  await store.close()
  await host.close()
})

describe('kill -9 in the middle of every kind of write', () => {
  let compiled: Compiled
  let filled: string
  /** What is in a file in which a write has happened, and before it. */
  const after = new Map<string, unknown>()
  let before: unknown
  const names = Object.keys(writes) as (keyof Store)[]
  beforeAll(async () => {
    compiled = compile('writing-process')
    filled = path.join(compiled.folder, 'filled.db')
    await using(filled, fill)
    before = contents(filled)
    for (const name of names) {
      const file = path.join(compiled.folder, `${name}.db`)
      copyFileSync(filled, file)
      await using(file, writes[name]!)
      after.set(name, contents(file))
      expect(after.get(name)).not.toEqual(before)
    }
  })
  afterAll(() => compiled.remove())

  async function using(file: string, use: (store: Store) => unknown): Promise<void> {
    const store = openStore(file, () => NOW)
    await use(store)
    await store.close()
  }

  /** All that is in a file, after a look whether it is whole. */
  function contents(file: string): unknown {
    const db = new SQLite(file)
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
    const tables = db.prepare("SELECT name FROM sqlite_master WHERE name LIKE 'oauth%' AND type = 'table'")
    const all = tables
      .pluck()
      .all()
      .map((table) => [table, db.prepare(`SELECT * FROM ${table}`).all()])
    db.close()
    return all
  }

  test('these are all kinds of write', () => {
    expect(OPERATIONS.filter((name) => !/^(?:find|list|has|close)/.test(name)).sort()).toEqual(names.sort())
  })

  test.each<Moment>(['after the first change', 'before the commit', 'after the answer'])(
    '%s: each has happened as a whole or not at all, what was answered has, and it can be done again',
    async (moment) => {
      const folder = path.join(compiled.folder, moment)
      mkdirSync(folder)
      for (const name of names) copyFileSync(filled, path.join(folder, `${name}.db`))
      const { signal, stderr } = spawnSync(process.execPath, [compiled.script, folder, moment])
      expect([String(stderr), signal]).toEqual(['', 'SIGKILL'])
      for (const name of names) {
        const killed = path.join(folder, `${name}.db`)
        if (moment !== 'after the answer') {
          expect([name, contents(killed)]).toEqual([name, before])
          await using(killed, writes[name]!)
        }
        expect([name, contents(killed)]).toEqual([name, after.get(name)])
      }
    },
  )
})
