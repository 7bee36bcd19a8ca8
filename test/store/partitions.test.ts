import { readFileSync } from 'node:fs'
import path from 'node:path'
import { storeContract } from 'express-oauth-provider/store-contract'
import pg from 'pg'
import { type PostgresStore, postgresStore, type StoredRecord } from '../../lib/index.js'
import { statementsFor } from '../../lib/store/postgres-statements.js'
import { mintHandle } from '../../lib/tokens/handle.js'
import { type PostgresServer, startPostgres } from '../support/postgres.js'

const DAY = 86_400_000
/** The day on which a table is split; the others are counted from it. */
const FIRST = Date.UTC(2026, 0, 1)
const TABLES = ['clients', 'grants', 'records', 'revocations', 'keys', 'sessions', 'audit']
const [BEFORE, LATER] = ['oauth_records_before', 'oauth_records_later']
const readme = readFileSync(path.resolve(import.meta.dirname, '../../README.md'), 'utf8')
const recipe = readRecipe()

let server: PostgresServer
const pools: pg.Pool[] = []
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => Promise.all(pools.map((pool) => pool.end())).then(() => server.stop()))

/** A store in a database of its own. */
interface Tables {
  readonly pool: pg.Pool
  readonly store: PostgresStore
  /** What stands before the name of a table. */
  readonly schema: string
  /** Sends SQL as its host would, who is told to begin with SET search_path where the tables lie in a schema of their own. */
  host(text: string): Promise<void>
}

async function openTables(name?: string): Promise<Tables> {
  const pool = new pg.Pool({ connectionString: await server.createDatabase(), max: 20 })
  pools.push(pool)
  const store = postgresStore(pool, { clock: () => FIRST, ...(name !== undefined && { schema: name }) })
  await store.migrate()
  const quoted = name === undefined ? 'public' : pg.escapeIdentifier(name)
  const host = async (text: string) => {
    const client = new pg.Client(pool.options)
    await client.connect()
    await client.query(`SET search_path = ${quoted}`)
    await client.query(text).finally(() => client.end())
  }
  await host(recipe.functions)
  return { pool, store, schema: `${quoted}.`, host }
}

/** The split, as if it were another day. */
function splitOn(day: number): string {
  expect(recipe.split).toContain('current_date')
  return recipe.split.replaceAll('current_date', `date '${dateOf(day)}'`)
}

/** The daily job, as if it were another day; on a connection that knows nothing of the schema of the tables. */
async function runDaily({ pool, schema }: Tables, days: number): Promise<void> {
  const statement = recipe.daily.replace(/oauth_partitions\((\d+)\)/, `${schema}oauth_partitions($1, $$1)`)
  await pool.query(statement, [dateOf(FIRST + days * DAY)])
}

function dateOf(day: number): string {
  return new Date(day).toISOString().slice(0, 10)
}

function partitionFor(day: number): string {
  return `oauth_records_${dateOf(day).replaceAll('-', '')}`
}

/** The names of so many partitions, of a day and those that follow it. */
function partitionsFrom(days: number, length = 1): string[] {
  return Array.from({ length }, (_, index) => partitionFor(FIRST + (days + index) * DAY))
}

async function partitions({ pool }: Tables): Promise<string[]> {
  const { rows } = await pool.query(
    `SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY relname`,
  )
  return rows.map(({ relname }) => relname)
}

/** The name of the partition that each record lies in. */
async function placesOf({ pool, schema }: Tables, records: readonly StoredRecord[]) {
  const text = `SELECT id, relname FROM ${schema}oauth_records AS r JOIN pg_class AS c ON c.oid = r.tableoid`
  const places = new Map((await pool.query(text)).rows.map(({ id, relname }) => [id, relname]))
  return records.map(({ id }) => places.get(id))
}

function record(expiresAt: number): StoredRecord {
  const { id, hash } = mintHandle(expiresAt)
  return { id, kind: 'refresh', hash, data: '{}' }
}

const expiringIn = (days: number) => record(FIRST + days * DAY)

describe.each([
  { how: 'as they are', name: undefined, beforehand: false },
  { how: 'in a schema of their own and read beforehand', name: 'A "schema"', beforehand: true },
])('tables $how', ({ name, beforehand }) => {
  const [early, last] = [expiringIn(1 / 24), record(FIRST + 31 * DAY - 1)]
  const [next, soon, far] = [expiringIn(31), expiringIn(33.5), expiringIn(200)]
  const all = [early, last, next, soon, far]
  let tables: Tables
  const found = (records: readonly StoredRecord[]) =>
    Promise.all(records.map(({ id }) => tables.store.find(id)))
  beforeAll(async () => {
    tables = await openTables(name)
  })

  test('are split, and every record is found as it was', async () => {
    const { store, host, pool, schema } = tables
    const known = beforehand ? [early, last] : all
    await store.insert(known)
    await store.consume(last.id, { now: FIRST, trace: 'the trace' }, [])
    const were = await found(known)
    expect(were[1]).toMatchObject({ usedAt: FIRST, alive: true })
    if (beforehand) {
      const { rows } = await pool.query(`SELECT ${schema}oauth_day($1) AS bound`, [dateOf(FIRST + 31 * DAY)])
      expect(recipe.beforehand).toHaveLength(2)
      for (const statement of recipe.beforehand) await host(statement.replace('...', rows[0].bound))
    }
    await host(splitOn(FIRST))
    expect(await found(known)).toEqual(were)
    expect(await partitions(tables)).toEqual([BEFORE, LATER])
    for (const one of all) expect(await store.insert([one])).toBe(!known.includes(one))
    expect(await placesOf(tables, all)).toEqual([BEFORE, BEFORE, LATER, LATER, LATER])
  })

  test('get a partition for each day to come, and what lies aside moves there when its day has one', async () => {
    const were = await found(all)
    await runDaily(tables, 0)
    expect(await partitions(tables)).toEqual([...partitionsFrom(31), BEFORE, LATER])
    await runDaily(tables, 3)
    await runDaily(tables, 3)
    expect(await partitions(tables)).toEqual([...partitionsFrom(31, 4), BEFORE, LATER])
    const places = [BEFORE, BEFORE, ...partitionsFrom(31), ...partitionsFrom(33), LATER]
    expect(await placesOf(tables, all)).toEqual(places)
    expect(await found(all)).toEqual(were)
    for (const { id } of all) expect(await tables.store.insert([expiringIn(1), { ...soon, id }])).toBe(false)
  })

  test('are read in one partition by whoever looks for an id', async () => {
    const { findRecord, amendRecord } = statementsFor(tables.schema)
    for (const { text, values } of [
      { text: findRecord.text, values: [soon.id] },
      { text: amendRecord.text, values: [soon.id, '{}', '[]'] },
    ]) {
      const { rows } = await tables.pool.query(`EXPLAIN ${text}`, values)
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
      const scanned = [...plan.matchAll(/Scan .*?on (oauth_records\w*)/g)].map(([, table]) => table)
      expect(scanned).toEqual(partitionsFrom(33))
    }
  })

  test('lose a partition when it has been past for a day, and nothing that is alive', async () => {
    const { store } = tables
    await runDaily(tables, 31)
    expect(await placesOf(tables, [early, last])).toEqual([BEFORE, BEFORE])
    await runDaily(tables, 32)
    expect(await partitions(tables)).toEqual([...partitionsFrom(31, 33), LATER])
    const successor = expiringIn(60.5)
    expect(await store.consume(soon.id, { now: 1 }, [successor])).toEqual({ won: true })
    await runDaily(tables, 34)
    expect(await found([early, last, next])).toEqual([undefined, undefined, undefined])
    expect(await found([soon, far])).toMatchObject([{ usedAt: 1, alive: true }, { alive: true }])
    const places = [...partitionsFrom(33), ...partitionsFrom(60), LATER]
    expect(await placesOf(tables, [soon, successor, far])).toEqual(places)
  })

  test('leave nothing to be deleted one by one to a store whose clock is behind', async () => {
    for (let days = 34; days < 40; days++) {
      await runDaily(tables, days)
      expect(await tables.store.purge(FIRST + (days + 1 - recipe.lag) * DAY, 100)).toBe(0)
    }
    expect(await found([soon])).toEqual([undefined])
    await runDaily(tables, 199)
    expect(await placesOf(tables, [far])).toEqual(partitionsFrom(200))
    expect(await partitions(tables)).toEqual([...partitionsFrom(199, 32), LATER])
  })
})

test('while processes serve, the table is split and partitions come, and nobody notices', async () => {
  const tables = await openTables()
  const kept: StoredRecord[] = []
  let serving = true
  const serve = async (worker: number) => {
    while (serving) {
      const [first, second] = [expiringIn(20), expiringIn(32 + (worker % 3))]
      expect(await tables.store.insert([first])).toBe(true)
      expect(await tables.store.consume(first.id, { now: 1 }, [second])).toEqual({ won: true })
      const again = await tables.store.consume(first.id, { now: 1 }, [expiringIn(1)])
      expect(again).toMatchObject({ won: false, record: { usedAt: 1 } })
      kept.push(first, second)
    }
  }
  const split = async () => {
    await tables.host(splitOn(FIRST))
    for (const days of [0, 1, 2, 3]) await runDaily(tables, days)
  }
  const workers = Array.from({ length: 10 }, (_, worker) => serve(worker))
  await Promise.all([...workers, split().finally(() => (serving = false))])
  const places = await placesOf(tables, kept)
  expect(new Set(places)).toEqual(new Set([BEFORE, ...partitionsFrom(32, 3)]))
})

test('where the lock is not free, nothing happens', async () => {
  const [plain, split] = await Promise.all([openTables(), openTables()])
  await split.host(splitOn(FIRST))
  const readers = await Promise.all([plain, split].map(({ pool }) => pool.connect()))
  for (const reader of readers) await reader.query('BEGIN; SELECT FROM oauth_records')
  const tries = await Promise.allSettled([plain.host(splitOn(FIRST)), runDaily(split, 60)])
  expect(tries).toMatchObject([{ reason: { code: '55P03' } }, { reason: { code: '55P03' } }])
  for (const reader of readers) reader.release(true)
  expect([await partitions(plain), await partitions(split)]).toEqual([[], [BEFORE, LATER]])
})

describe('the contract, on partitions', () => {
  let tables: Tables
  beforeAll(async () => {
    tables = await openTables('oauth')
    await tables.host(splitOn(Date.now() - 40 * DAY))
    await tables.host(recipe.daily)
  })

  async function makeStore(): Promise<PostgresStore> {
    await tables.pool.query(TABLES.map((table) => `DELETE FROM oauth.oauth_${table}`).join(';'))
    return postgresStore(tables.pool, { schema: 'oauth' })
  }

  test.each(storeContract)('$name', ({ run }) => run(makeStore))

  test('lies in those of the days to come', async () => {
    const days = Array.from({ length: 30 }, (_, index) => Date.now() + (index + 1) * DAY)
    const records = days.map(record)
    await (await makeStore()).insert(records)
    expect(await placesOf(tables, records)).toEqual(days.map(partitionFor))
  })
})

function readRecipe() {
  const [, section = ''] = /^#### Partitions\n(.*?)^##/ms.exec(readme) ?? []
  const texts = (pattern: RegExp) => [...section.matchAll(pattern)].map(([, text = '']) => text)
  const [functions = '', split = ''] = texts(/^```text\n(.*?)^```$/gms)
  const [daily = ''] = texts(/`(SELECT oauth_partitions\(\d+\))`/g)
  const [lag] = texts(/Date\.now\(\) - (\d+) \* 86_400_000/g)
  const beforehand = texts(/`(ALTER TABLE \w+ (?:ADD|VALIDATE) .*?)`/g)
  return { functions, split, daily, lag: Number(lag), beforehand }
}
