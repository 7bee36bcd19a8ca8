import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import SQLite from 'better-sqlite3'
import { openStore } from '../../lib/store/open.js'
import type { Client, StoredRecord } from '../../lib/store/records.js'
import { type CommandLine, commandLine } from '../support/command-line.js'
import { getTokens } from '../support/flow.js'
import { startHost } from '../support/host.js'

const HOUR = 3_600_000

let line: CommandLine
beforeEach(() => {
  line = commandLine()
})
afterEach(() => line.remove())

describe('which store', () => {
  test('oauth.db in the working directory where it is; otherwise an error that says what to pass', async () => {
    const { code, stderr } = await line.run(['clients', 'list'])
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /There is no .*oauth\.db. Pass the store of your app, --store .*OAUTH_STORE.*migrate/,
    )
    expect(existsSync(line.file('oauth.db'))).toBe(false)
    await line.run(['migrate'])
    expect((await line.run(['clients', 'list'])).code).toBe(0)
  })

  test('--store wins over OAUTH_STORE, and that over oauth.db', async () => {
    for (const name of ['oauth.db', 'env.db', 'flag.db']) {
      await line.run(['migrate', '--store', name])
      await line.run([
        'clients',
        'add',
        '--store',
        name,
        '--client-id',
        name,
        '--redirect-uri',
        'https://a.example/cb',
      ])
    }
    const ids = async (env: Record<string, string>, ...flags: string[]) =>
      (await line.json<{ client_id: string }[]>(['clients', 'list', ...flags], { env })).map(
        (c) => c.client_id,
      )
    expect(await ids({})).toEqual(['oauth.db'])
    expect(await ids({ OAUTH_STORE: 'env.db' })).toEqual(['env.db'])
    expect(await ids({ OAUTH_STORE: 'env.db' }, '--store', 'flag.db')).toEqual(['flag.db'])
    expect(await ids({ OAUTH_STORE: '' })).toEqual(['oauth.db'])
  })

  test.each(['clients list', 'stats', 'purge', 'keys rotate', 'audit list', 'grants revoke x'])(
    '%s makes no file, and no tables in the file of somebody else',
    async (words) => {
      const argv = [...words.split(' '), '--store', 'other.db']
      expect((await line.run(argv)).code).toBe(1)
      expect(existsSync(line.file('other.db'))).toBe(false)
      const db = new SQLite(line.file('other.db'))
      db.exec('CREATE TABLE theirs (id INTEGER)')
      const { code, stderr } = await line.run(argv)
      expect([code, db.prepare('SELECT count(*) FROM sqlite_master').pluck().get()]).toEqual([1, 1])
      expect(stderr).toMatch(/has no tables of express-oauth-provider/)
      db.close()
    },
  )

  test.each([
    ['mysql://user:hidden@host/db', /neither a file nor a PostgreSQL URL/],
    [':memory:', /neither a file nor/],
    ['folder', /folder is no file/],
    ['text.txt', /cannot be opened.*not a database/],
    ['newer.db', /was written by a newer version/],
  ])('%s is refused', async (store, message) => {
    mkdirSync(line.file('folder'))
    writeFileSync(line.file('text.txt'), 'This is no database, however often one says so. '.repeat(50))
    await line.run(['migrate', '--store', 'newer.db'])
    const db = new SQLite(line.file('newer.db'))
    db.exec('INSERT INTO oauth_migrations (number) VALUES (9999)')
    db.close()
    const { code, stdout, stderr } = await line.run(['stats', '--store', store])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/hidden|\n {4}at /)
  })

  test('--schema is for PostgreSQL', async () => {
    expect(await line.run(['stats', '--schema', 'oauth'])).toMatchObject({ code: 2 })
  })
})

describe('migrate', () => {
  test('makes the file, readable for nobody else, and says from which version to which', async () => {
    const { stdout } = await line.run(['migrate', '--store', 'new.db'])
    expect(stdout).toMatch(/new\.db was created \(version \d+\)\.\n$/)
    expect(statSync(line.file('new.db')).mode & 0o777).toBe(0o600)
    const { to, ...others } = await line.json<{ to: number }>(['migrate', '--store', 'new.db'])
    expect(others).toEqual({ store: line.file('new.db'), created: false, from: to })
    expect((await line.run(['migrate', '--store', 'new.db'])).stdout).toMatch(/is up to date/)
    const db = new SQLite(line.file('empty.db'))
    db.exec('CREATE TABLE theirs (id INTEGER)')
    db.close()
    expect(await line.json(['migrate', '--store', 'empty.db'])).toMatchObject({ created: false, from: 0, to })
  })

  test('leaves a file alone that is newer, or none', async () => {
    writeFileSync(line.file('text.txt'), 'This is no database. '.repeat(100))
    const before = readFileSync(line.file('text.txt'))
    expect((await line.run(['migrate', '--store', 'text.txt'])).code).toBe(1)
    expect(readFileSync(line.file('text.txt'))).toEqual(before)
    expect((await line.run(['migrate', '--store', 'nowhere/new.db'])).stderr).toMatch(/folder that exists/)
  })
})

describe('purge', () => {
  test('deletes what has expired, counts it, and leaves what lives', async () => {
    const now = Date.now()
    await line.run(['migrate'])
    const store = openStore(line.file('oauth.db'), () => 0)
    const record = (at: number, index: number): StoredRecord => ({
      id: at.toString(16).padStart(12, '0') + String(index).padStart(20, '0'),
      kind: 'access',
      hash: new Uint8Array(32),
      data: '{}',
    })
    const expired = Array.from({ length: 1100 }, (_, index) => record(now - HOUR, index))
    await store.insert([...expired, record(now + HOUR, 1)])
    const client: Client = {
      ...{ id: 'lives', revision: 1, name: 'a', confidential: false, redirectUris: [], grantTypes: [] },
      ...{ skipConsent: false, requirePkce: true, disabled: false, createdAt: now },
    }
    await store.saveClient(client)
    for (const id of ['gone', 'gone too']) await store.saveClient({ ...client, id, expiresAt: now - HOUR })
    const old = { id: '0'.repeat(32), at: 0, event: 'token.issued' }
    await store.appendAudit([old, { ...old, id: record(now, 0).id, at: now }], 0)
    await store.close()

    const { records, ...others } = await line.json<{ records: number }>(['purge'])
    expect(others).toEqual({ clients: 2, audit: 0 })
    // A store deletes a few more with each write, and counts those nowhere.
    expect(records).toBeGreaterThan(1050)
    expect(records).toBeLessThanOrEqual(1100)
    expect(await line.json(['audit', 'list'])).toHaveLength(2)
    expect(await line.json(['purge', '--audit-before', '90d'])).toEqual({ records: 0, clients: 0, audit: 1 })
    expect(await line.json(['audit', 'list'])).toHaveLength(1)
    expect((await line.run(['purge'])).stdout).toBe('records  0\nclients  0\naudit    0\n')
    expect(await line.json<Client[]>(['clients', 'list'])).toEqual([
      expect.objectContaining({ client_id: 'lives' }),
    ])
    const after = openStore(line.file('oauth.db'), () => 0)
    expect(await after.find(record(now + HOUR, 1).id)).toBeDefined()
    for (const { id } of expired) expect(await after.find(id)).toBeUndefined()
    await after.close()
  })

  test('deletes more expired clients than one step takes', async () => {
    const now = Date.now()
    await line.run(['migrate'])
    const store = openStore(line.file('oauth.db'), () => 0)
    const client: Client = {
      ...{ id: '', revision: 1, name: 'a', confidential: false, redirectUris: [], grantTypes: [] },
      ...{ skipConsent: false, requirePkce: true, disabled: false, createdAt: now, expiresAt: now - HOUR },
    }
    await Promise.all(
      Array.from({ length: 1100 }, (_, id) => store.saveClient({ ...client, id: `gone-${id}` })),
    )
    await store.close()
    expect(await line.json(['purge'])).toEqual({ records: 0, clients: 1100, audit: 0 })
    expect(await line.json(['clients', 'list'])).toEqual([])
  })

  test('ends where Ctrl-C says so', async () => {
    await line.run(['migrate'])
    expect(await line.run(['purge'], { signal: AbortSignal.abort() })).toMatchObject({
      code: 130,
      stdout: '',
    })
  })
})

test('stats counts clients by where they came from, grants and their users, and says how large the store is', async () => {
  const host = await startHost({ provider: { store: line.file('oauth.db') } })
  try {
    await getTokens(host, { user: 'alice', client: 'conf' })
    await getTokens(host, { user: 'alice', client: 'pub' })
    await getTokens(host, { user: 'bob', client: 'pub' })
    const uri = ['--redirect-uri', 'https://a.example/cb']
    await line.run(['clients', 'add', ...uri])
    await line.run(['clients', 'add', ...uri, '--public', '--client-id', 'public'])
    await line.run(['clients', 'update', 'public', '--disable', '--yes'])
    const { bytes, ...others } = await line.json<{ bytes: number }>(['stats'])
    expect(bytes).toBeGreaterThan(4096)
    expect(others).toEqual({
      store: line.file('oauth.db'),
      clients: {
        ...{ total: 2, confidential: 1, public: 1, disabled: 1 },
        bySource: { host: 2, user: 0, registration: 0, document: 0 },
      },
      grants: { total: 3, users: 2, clients: 2 },
    })
    expect((await line.run(['stats'])).stdout).toMatch(/^clients by source host +2$/m)
  } finally {
    await host.close()
  }
})
