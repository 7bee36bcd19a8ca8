import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import SQLite, { type Database } from 'better-sqlite3'
import { storeContract } from 'express-oauth-provider/store-contract'
import { ConfigurationError, StoreUnavailableError } from '../../lib/index.js'
import { openStore } from '../../lib/store/open.js'
import type { ClientSession, StoredRecord } from '../../lib/store/records.js'
import { SqliteStore } from '../../lib/store/sqlite.js'
import type { Store } from '../../lib/store/store.js'
import { expiryOf, mintHandle } from '../../lib/tokens/handle.js'

const folder = mkdtempSync(path.join(tmpdir(), 'oauth-sqlite-'))
let files = 0
const opened: { close(): unknown }[] = []

afterEach(async () => {
  for (const { close } of opened.splice(0).reverse()) await close()
})
afterAll(() => rmSync(folder, { recursive: true }))

function newFile(): string {
  return path.join(folder, `${++files}.db`)
}

/** A connection of our own, to look into a file or to stand in its way. */
function connect(file: string, options: SQLite.Options = {}): Database {
  const db = new SQLite(file, { timeout: 0, ...options })
  opened.push({ close: () => db.close() })
  return db
}

/** That waits for no disk, for checks that are about something else. */
function connectQuickly(file: string): Database {
  const db = connect(file)
  db.pragma('synchronous = OFF')
  return db
}

function open(given: string | object, now: () => number = Date.now): Store {
  const store = openStore(given, now)
  opened.push({ close: () => store.close() })
  return store
}

function record(expiresAt: number, more: Partial<StoredRecord> = {}): StoredRecord {
  const { id, hash } = mintHandle(expiresAt)
  return { id, kind: 'code', hash, data: '{}', ...more }
}

/** A store on a connection that counts how often each statement runs. */
function counted(given: Database = connect(newFile())): { store: Store; count: (sql: RegExp) => number } {
  const ran: string[] = []
  const prepare = given.prepare.bind(given)
  given.prepare = ((sql: string) => {
    const statement = prepare(sql)
    const run = statement.run.bind(statement)
    statement.run = (...parameters: unknown[]) => {
      ran.push(sql)
      return run(...parameters)
    }
    return statement
  }) as typeof given.prepare
  const store = open(given)
  return { store, count: (sql) => ran.filter((text) => sql.test(text)).length }
}

/**
 * Lets a write be tried several times, on a clock of our own, and expects that it still waits; then it ends what is in the way, and
 * gives what the next try does.
 */
async function afterWaiting<T>(begin: () => T | Promise<T>, free: () => void): Promise<T> {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] })
  try {
    const answered = jest.fn()
    const writing = Promise.resolve(begin())
    writing.then(answered, answered)
    await jest.advanceTimersByTimeAsync(100)
    expect(answered).not.toHaveBeenCalled()
    free()
    await jest.advanceTimersByTimeAsync(100)
    expect(answered).toHaveBeenCalled()
    return await writing
  } finally {
    jest.useRealTimers()
  }
}

describe.each<{ on: string; make: () => Store }>([
  { on: 'in memory', make: () => openStore(':memory:', Date.now) },
  { on: 'in a file', make: () => openStore(newFile(), Date.now) },
  { on: "on a host's own Database", make: () => openStore(connectQuickly(newFile()), Date.now) },
  {
    on: "on a host's Database whose integers are BigInts",
    make: () => openStore(new SQLite(':memory:').defaultSafeIntegers(), Date.now),
  },
  {
    on: 'behind the guard that stores of others get',
    make: () => openStore(openStore(':memory:', Date.now), Date.now),
  },
])('the contract, $on', ({ make }) => {
  test.each(storeContract)('$name', ({ run }) => run(make))
})

describe('the contract notices', () => {
  const broken: readonly [string, string, (store: Store) => Partial<Store>][] = [
    [
      'a consume that reads first and writes later',
      'Of a hundred who consume a record at once one wins, and all others see what the winner left.',
      (store) => ({
        async consume(id, { now, trace }, successors) {
          const found = await store.find(id)
          if (found === undefined || found.usedAt !== undefined) return { won: false, record: found }
          await store.consume(id, { now, ...(trace && { trace }) }, [])
          await store.insert(successors)
          return { won: true, record: found }
        },
      }),
    ],
    [
      'an insert that leaves out what exists',
      'Where one of several records exists already, none of them is inserted.',
      (store) => ({
        async insert(records) {
          const answers = await Promise.all(records.map((record) => store.insert([record])))
          return answers.every(Boolean)
        },
      }),
    ],
    [
      'an insert over what has been used',
      'An id is taken for as long as its record is there: used, dead, or of another kind.',
      (store) => ({
        async insert(records) {
          const known = await Promise.all(records.map(({ id }) => store.find(id)))
          return (await store.insert(records)) || known.every((record) => record?.usedAt !== undefined)
        },
      }),
    ],
    [
      'data that are read and written anew',
      'A record may be of any kind, and its data are kept letter for letter.',
      (store) => ({
        insert: (records) =>
          store.insert(records.map((one) => ({ ...one, data: JSON.stringify(JSON.parse(one.data)) }))),
      }),
    ],
    [
      'kinds that were there before',
      'A record may be of any kind, and its data are kept letter for letter.',
      (store) => ({
        async insert(records) {
          if (records.some(({ kind }) => kind === 'decision'))
            throw new Error('CHECK constraint failed: kind')
          return store.insert(records)
        },
      }),
    ],
    [
      'a trace that successors bring',
      'A record may be consumed without successors, with a trace or without.',
      (store) => ({
        consume: (id, { trace, ...rest }, successors) =>
          store.consume(id, { ...rest, ...(trace && successors.length > 0 && { trace }) }, successors),
      }),
    ],
    [
      'a consume that ends the family where nothing follows',
      'Consuming a record ends neither its grant nor its family.',
      (store) => ({
        async consume(id, consumption, successors) {
          const { familyId } = (await store.find(id)) ?? {}
          const consumed = await store.consume(id, consumption, successors)
          if (familyId && successors.length === 0) await store.revokeFamily(familyId, Date.now() + 3_600_000)
          return consumed
        },
      }),
    ],
    [
      'a grant that is saved before its record is consumed',
      'Where a successor cannot be inserted, nothing is consumed, and no grant is saved or grows.',
      (store) => ({
        async consume(id, consumption, successors) {
          if (consumption.grant) await store.saveGrant(consumption.grant)
          return store.consume(id, consumption, successors)
        },
      }),
    ],
    [
      'successors that all hang on the grant',
      'The winner saves its grant in the same step, and successors hang on what that grant has become.',
      (store) => ({
        consume: (id, consumption, successors) => {
          const { grant } = consumption
          const hanging = successors.map((one) => (grant ? { ...one, grantId: grant.id } : one))
          return store.consume(id, consumption, hanging)
        },
      }),
    ],
    [
      'a revocation of what is there already',
      'What is inserted into a revoked family, or while it is being revoked, never lives.',
      (store) => {
        const revoked = new Set<string>()
        return {
          revokeFamily: async (familyId, until) => {
            revoked.add(familyId)
            await store.revokeFamily(familyId, until)
          },
          insert: (records) =>
            store.insert(
              records.map(({ familyId, ...one }) =>
                familyId === undefined || revoked.has(familyId) ? one : { ...one, familyId },
              ),
            ),
        }
      },
    ],
    [
      'a find of what lives',
      'Used and dead records are found until they expire, as they were left.',
      (store) => ({
        async find(id) {
          const record = await store.find(id)
          return record?.alive ? record : undefined
        },
      }),
    ],
    [
      'a revocation that does nothing',
      'Revoking a family ends every record of it, used ones included, and no other.',
      () => ({ revokeFamily: async () => undefined }),
    ],
    [
      'a purge without a limit',
      'Purging deletes what has expired, up to the limit, and nothing that has not.',
      (store) => ({ purge: (now) => store.purge(now, 1e6) }),
    ],
    [
      'an amendment of used records',
      'A used record is not amended any more.',
      () => ({ amend: async () => true }),
    ],
    [
      'a grant whose id is used again',
      'What hung on a revoked grant stays dead when the user approves again.',
      (store) => ({
        saveGrant: (grant) => store.saveGrant({ ...grant, id: `${grant.userId} ${grant.clientId}` }),
      }),
    ],
    [
      'grants that keep their scopes alone',
      'Claims that were allowed one by one are kept with the grant, and added to those that it has.',
      (store) => ({ saveGrant: ({ claims: _, ...grant }) => store.saveGrant(grant) }),
    ],
    [
      'a client that is deleted alone',
      'Deleting a client ends every grant made to it and what hangs on these, and leaves other clients alone.',
      () => ({ deleteClient: async () => true }),
    ],
    [
      'keys that the last one to come overwrites',
      'Of twenty who make or change the keys at once one wins, and the others are told.',
      (store) => ({
        async saveKeys({ data }) {
          const revision = (await store.findKeys())?.revision ?? 0
          await store.saveKeys({ revision: revision + 1, data })
          return true
        },
      }),
    ],
    [
      'sessions that are read first and deleted later',
      'Of twenty who end a session at once, one is told of it.',
      (store) => {
        const sessions: ClientSession[] = []
        return {
          saveSession: async (session) => void sessions.push(session),
          hasSession: async (id, clientId) =>
            sessions.some(({ session, ...other }) => session === id && other.clientId === clientId),
          async endSessions(filter) {
            const ended = sessions.filter((session) =>
              'session' in filter ? session.session === filter.session : session.userId === filter.userId,
            )
            await store.findKeys()
            for (const session of ended) sessions.splice(sessions.indexOf(session), 1)
            return ended
          },
        }
      },
    ],
    [
      'a search with wildcards',
      'Clients are found by a part of their name or id, in capitals or not, and no sign stands for others.',
      (store) => ({
        async listClients({ matching, ...filter } = {}) {
          const pattern = new RegExp(matching?.replaceAll('%', '.*').replaceAll('_', '.') ?? '', 'i')
          return (await store.listClients(filter)).filter(({ id, name }) => pattern.test(`${id} ${name}`))
        },
      }),
    ],
    [
      'pages that go on after a millisecond',
      'Clients come in pages that lose none and repeat none, whatever else is asked of them.',
      (store) => ({
        listClients: ({ after, ...filter } = {}) =>
          store.listClients({ ...filter, ...(after && { after: { ...after, id: '\uffff' } }) }),
      }),
    ],
    [
      'an address that stays',
      'The address that a grant was last used from is kept until it is used without one.',
      (store) => ({ touchGrant: (id, now, address = '2001:db8::1') => store.touchGrant(id, now, address) }),
    ],
    [
      'scopes that are withdrawn in the name of anybody',
      'Scopes are withdrawn from one grant, from those of a user, of a client, of both, or from all, and from no other.',
      (store) => ({
        withdrawScopes: ({ userId: _, ...filter }, scopes, limit) =>
          store.withdrawScopes(filter, scopes, limit),
      }),
    ],
    [
      'scopes that are withdrawn and come back',
      'A scope that is withdrawn and allowed at once is one of both, and what else is allowed is kept.',
      (store) => ({
        async withdrawScopes(filter, scopes, limit) {
          const { after: _, ...named } = filter
          const before = await store.listGrants(named)
          const changed = await store.withdrawScopes(filter, scopes, limit)
          for (const grant of before) await store.saveGrant({ ...grant, access: {} })
          for (const { id } of changed) await store.revokeGrant(id)
          return changed
        },
      }),
    ],
    [
      'records that do not know what was withdrawn',
      'Scopes that are withdrawn are gone at every resource, and every record that hangs on the grant shows it.',
      (store) => ({
        async find(id) {
          const { withdrawn: _, ...record } = (await store.find(id)) ?? {}
          return (await store.find(id)) && (record as StoredRecord & { alive: boolean })
        },
      }),
    ],
    [
      'a client whose expiry is looked at first and deleted later',
      'A client that is kept in time survives, also while others purge, or it is gone and cannot be changed.',
      (store) => ({
        async purge(now) {
          const clients = await store.listClients()
          await store.findKeys()
          for (const { id, expiresAt = now } of clients) if (expiresAt < now) await store.deleteClient(id)
          return 0
        },
      }),
    ],
    [
      'an audit log that leaves out what has just been added',
      'Of twenty who append at once nothing is lost.',
      (store) => {
        let appending: unknown
        return {
          async appendAudit(entries, before) {
            if (appending !== undefined) return
            appending = store.appendAudit(entries, before)
            await appending
            appending = undefined
          },
        }
      },
    ],
    [
      'an audit log that trims what is not old',
      'Appending deletes the oldest of what is too old, twice as many as it adds, and nothing else.',
      (store) => ({ appendAudit: (entries, before) => store.appendAudit(entries, before + 1) }),
    ],
  ]

  test.each(broken)('%s', async (_, sentence, breakIt) => {
    const guarantee = storeContract.find(({ name }) => name === sentence)
    const make = () => {
      const store = new SqliteStore(new SQLite(':memory:'), { own: true, now: Date.now })
      return Object.assign(Object.create(store) as Store, bound(store), breakIt(store))
    }
    // What the check says, and not that something else went wrong on the way.
    await expect(guarantee?.run(make)).rejects.toMatchObject({
      name: expect.stringMatching(/Assertion|^Error$/),
    })
  })

  function bound(store: SqliteStore): Partial<Store> {
    const names = Object.getOwnPropertyNames(SqliteStore.prototype) as (keyof Store)[]
    return Object.fromEntries(names.map((name) => [name, store[name].bind(store)]))
  }
})

describe('the file', () => {
  test('it belongs to its owner alone, and so do its companions', async () => {
    const file = newFile()
    const store = open(file)
    await store.insert([record(Date.now() + 1000)])
    const modes = readdirSync(folder)
      .filter((name) => name.startsWith(path.basename(file)))
      .map((name) => [name, statSync(path.join(folder, name)).mode & 0o777])
    const name = path.basename(file)
    expect(modes).toEqual([
      [name, 0o600],
      [`${name}-shm`, 0o600],
      [`${name}-wal`, 0o600],
    ])
  })

  test('it is written ahead, and every commit reaches the disk', () => {
    const file = newFile()
    const pragma = jest.spyOn(SQLite.prototype, 'pragma')
    open(file)
    const [db] = pragma.mock.contexts as Database[]
    pragma.mockRestore()
    const full = 2
    expect(db?.pragma('synchronous', { simple: true })).toBe(full)
    expect(connect(file).pragma('journal_mode', { simple: true })).toBe('wal')
  })

  test('what was answered is there when the file is opened again', async () => {
    const file = newFile()
    const [first, second] = [record(Date.now() + 1000), record(Date.now() + 1000)]
    const before = openStore(file, Date.now)
    await before.insert([first])
    await before.consume(first.id, { now: 1, trace: 't' }, [second])
    await before.close()
    const after = open(file)
    expect(await after.find(first.id)).toMatchObject({ usedAt: 1, trace: 't', alive: true })
    expect(await after.find(second.id)).toMatchObject({ alive: true })
  })

  test.each([
    ['in a folder that does not exist', () => path.join(folder, 'missing', 'oauth.db')],
    ['that is a folder', () => folder],
    [
      'that is something else',
      () => {
        const file = newFile()
        writeFileSync(file, 'no database '.repeat(100))
        return file
      },
    ],
  ])('a file %s is refused by name', (_, file) => {
    expect(() => openStore(file(), Date.now)).toThrow(ConfigurationError)
    expect(() => openStore(file(), Date.now)).toThrow(/oauthProvider: store cannot be opened: '.*Name a file/)
  })

  test('a store that lacks methods is refused with their names', () => {
    expect(() => openStore({}, Date.now)).toThrow('oauthProvider: store is not a store')
    const { consume, touchGrant, ...methods } = counted().store as SqliteStore & Record<string, unknown>
    const half = { ...Object.fromEntries(storeMethods().map((name) => [name, () => undefined])), ...methods }
    expect(() => openStore({ ...half, consume: undefined, touchGrant: 1 }, Date.now)).toThrow(
      'oauthProvider: store has no touchGrant, no consume',
    )
  })

  function storeMethods(): string[] {
    return Object.getOwnPropertyNames(SqliteStore.prototype).filter((name) => name !== 'constructor')
  }
})

describe('migrations', () => {
  test('a fresh file gets the tables, and one that has them is left as it is', async () => {
    const file = newFile()
    const first = record(Date.now() + 1000)
    const store = openStore(file, Date.now)
    await store.insert([first])
    await store.close()
    const db = connect(file)
    const schema = () => db.prepare('SELECT name, sql FROM sqlite_schema ORDER BY name').all()
    const before = schema()
    expect(await open(file).find(first.id)).toBeDefined()
    expect(schema()).toEqual(before)
    expect(db.prepare('SELECT number FROM oauth_migrations').pluck().all()).toEqual([1, 2])
  })

  test("they touch nothing of the host's own", () => {
    const db = connect(newFile())
    db.exec(
      "CREATE TABLE users (id TEXT PRIMARY KEY); INSERT INTO users VALUES ('alice'); PRAGMA user_version = 7",
    )
    open(db)
    const tables = db.prepare(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )
    expect((tables.pluck().all() as string[]).filter((name) => !name.startsWith('oauth_'))).toEqual(['users'])
    expect(db.prepare('SELECT * FROM users').all()).toEqual([{ id: 'alice' }])
    expect(db.pragma('user_version', { simple: true })).toBe(7)
  })

  test('a file of a newer version is refused, and left alone', async () => {
    const file = newFile()
    await openStore(file, Date.now).close()
    const db = connect(file)
    db.exec('INSERT INTO oauth_migrations (number) VALUES (99)')
    expect(() => openStore(file, Date.now)).toThrow(ConfigurationError)
    expect(() => openStore(file, Date.now)).toThrow('newer version of express-oauth-provider')
    expect(db.prepare('SELECT max(number) FROM oauth_migrations').pluck().get()).toBe(99)
  })

  test('a step that fails leaves nothing behind', () => {
    const db = connect(newFile())
    db.exec('CREATE TABLE oauth_revocations (mine TEXT)')
    expect(() => openStore(db, Date.now)).toThrow(
      /Database that cannot be used \(table oauth_revocations already/,
    )
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all()
    expect(tables).toEqual(['oauth_revocations'])
  })

  test('a Database that is read-only, closed or in a transaction is refused', async () => {
    const file = newFile()
    await openStore(file, Date.now).close()
    const closed = new SQLite(':memory:')
    closed.close()
    const busy = connect(newFile())
    busy.exec('BEGIN')
    for (const db of [connect(file, { readonly: true }), closed, busy]) {
      expect(() => openStore(db, Date.now)).toThrow(/Database that cannot be used .*open for writing/)
    }
  })
})

describe('writes', () => {
  test('those of one turn of the event loop are committed once, those of the next again', async () => {
    const { store, count } = counted()
    const records = Array.from({ length: 32 }, () => record(Date.now() + 1000))
    await Promise.all(records.map((record) => store.insert([record])))
    expect(count(/^COMMIT/)).toBe(1)
    await Promise.all(records.map(({ id }) => store.consume(id, { now: 1 }, [record(Date.now() + 1000)])))
    expect(count(/^COMMIT/)).toBe(2)
    await store.amend(records[0]!.id, '{}', '{"a":1}')
    expect(count(/^COMMIT/)).toBe(3)
    expect(count(/^BEGIN/)).toBe(3)
  })

  test('one waits for what is being read in its turn, and shares its commit with the write that follows', async () => {
    const { store, count } = counted()
    const known = record(Date.now() + 1000)
    await store.insert([known])
    const following = async () => {
      await store.find(known.id)
      return store.insert([record(Date.now() + 1000)])
    }
    await Promise.all([following(), store.insert([record(Date.now() + 1000)])])
    expect(count(/^COMMIT/)).toBe(2)
  })

  test('one waits so once, however much is read after that', async () => {
    const { store, count } = counted()
    let isReading = true
    const read = async () => {
      for (let turns = 0; isReading; turns++) {
        expect(turns).toBeLessThan(10)
        await store.find('x')
      }
    }
    const reading = read()
    expect(await store.insert([record(Date.now() + 1000)])).toBe(true)
    isReading = false
    await reading
    expect(count(/^COMMIT/)).toBe(1)
  })

  test('none is answered before it is committed', async () => {
    const file = newFile()
    const store = open(file)
    const reader = connect(file)
    const records = Array.from({ length: 5 }, () => record(Date.now() + 1000))
    await Promise.all(
      records.map(async (record) => {
        await store.insert([record])
        const stored = reader.prepare('SELECT count(*) FROM oauth_records WHERE id = ?').pluck()
        expect(stored.get(record.id)).toBe(1)
      }),
    )
  })

  test('one that fails takes none of its neighbours along, and is undone itself', async () => {
    const { store, count } = counted()
    const [code, known] = [record(Date.now() + 1000), record(Date.now() + 1000)]
    await store.insert([code, known])
    const neighbours = Array.from({ length: 4 }, () => record(Date.now() + 1000))
    const answers = await Promise.allSettled([
      store.insert([neighbours[0]!]),
      store.insert([neighbours[1]!]),
      store.consume(code.id, { now: 1 }, [record(Date.now() + 1000), known]),
      store.insert([neighbours[2]!]),
      store.insert([neighbours[3]!]),
    ])
    expect(answers.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ])
    for (const { id } of neighbours) expect(await store.find(id)).toBeDefined()
    expect((await store.find(code.id))?.usedAt).toBeUndefined()
    expect(count(/^ROLLBACK/)).toBe(2)
  })

  test('closing waits for those that were begun and takes no more', async () => {
    const file = newFile()
    const store = openStore(file, Date.now)
    const [begun, late] = [record(Date.now() + 1000), record(Date.now() + 1000)]
    const inserted = store.insert([begun])
    const closed = store.close()
    await expect(store.insert([late])).rejects.toThrow(StoreUnavailableError)
    await closed
    expect(await inserted).toBe(true)
    await store.close()
    await expect(store.find(begun.id)).rejects.toThrow(StoreUnavailableError)
    const db = connect(file)
    expect(db.prepare('SELECT id FROM oauth_records').pluck().all()).toEqual([begun.id])
  })

  test('closing waits for a lock that ends, too', async () => {
    const file = newFile()
    const store = openStore(file, Date.now)
    const other = connect(file)
    other.exec('BEGIN IMMEDIATE')
    const closing = async () => {
      const inserted = store.insert([record(Date.now() + 1000)])
      await store.close()
      return inserted
    }
    expect(await afterWaiting(closing, () => other.exec('COMMIT'))).toBe(true)
  })

  test('what keys were before they were changed is nowhere in the file, and the setting of the connection stays', async () => {
    const file = newFile()
    const db = connect(file)
    for (const setting of ['OFF', 'ON', 'FAST']) {
      db.pragma(`secure_delete = ${setting}`)
      const before = db.pragma('secure_delete', { simple: true })
      const store = openStore(db, Date.now)
      const { revision = 0 } = (await store.findKeys()) ?? {}
      await store.saveKeys({ revision: revision + 1, data: 'private '.repeat(3000) })
      await store.saveKeys({ revision: revision + 2, data: 'public '.repeat(2000) })
      expect(db.pragma('secure_delete', { simple: true })).toBe(before)
      await store.close()
      db.pragma('wal_checkpoint(TRUNCATE)')
      const bytes = readFileSync(file, 'latin1')
      expect([bytes.includes('public '), bytes.includes('private ')]).toEqual([true, false])
    }
  })

  test("closing leaves the host's Database open", async () => {
    const db = connect(newFile())
    await openStore(db, Date.now).close()
    expect(db.open).toBe(true)
  })
})

describe("a host's own connection", () => {
  test('a transaction that the host has open is neither joined nor ended: the write waits for its end', async () => {
    const db = connect(newFile())
    const store = open(db)
    db.exec('CREATE TABLE photos (id TEXT); BEGIN; INSERT INTO photos VALUES (1)')
    const code = record(Date.now() + 1000)
    const inserted = await afterWaiting(
      () => store.insert([code]),
      () => {
        expect(db.inTransaction).toBe(true)
        expect(db.prepare('SELECT 1 FROM oauth_records WHERE id = ?').get(code.id)).toBeUndefined()
        db.exec('ROLLBACK')
      },
    )
    expect(inserted).toBe(true)
    expect(await store.find(code.id)).toBeDefined()
    expect(db.prepare('SELECT count(*) FROM photos').pluck().get()).toBe(0)
  })

  test('while the host iterates over rows of its own, writes wait', async () => {
    const db = connect(newFile())
    const store = open(db)
    db.exec('CREATE TABLE photos (id TEXT); INSERT INTO photos VALUES (1), (2)')
    const rows = db.prepare('SELECT * FROM photos').iterate()
    rows.next()
    const inserted = await afterWaiting(
      () => store.insert([record(Date.now() + 1000)]),
      () => rows.return?.(),
    )
    expect(inserted).toBe(true)
  })

  test('a transaction that does not end is given up on, and the next write finds its way', async () => {
    const db = connect(newFile())
    const store = new SqliteStore(db, { own: false, now: Date.now, longestWait: 50 })
    db.exec('BEGIN')
    await expect(store.insert([record(Date.now() + 1000)])).rejects.toThrow(StoreUnavailableError)
    expect(db.inTransaction).toBe(true)
    db.exec('COMMIT')
    expect(await store.insert([record(Date.now() + 1000)])).toBe(true)
  })

  test('a Database that the host has closed fails at once', async () => {
    const db = new SQLite(':memory:')
    const store = openStore(db, Date.now)
    db.close()
    await expect(store.insert([record(Date.now() + 1000)])).rejects.toThrow(StoreUnavailableError)
    await expect(store.find('x')).rejects.toThrow(StoreUnavailableError)
    await store.close()
  })
})

describe('the tables', () => {
  test('they stay as large as what is alive', async () => {
    let time = Date.now()
    const db = connect(newFile())
    const store = open(db, () => time)
    const count = (table: string) => db.prepare(`SELECT count(*) FROM ${table}`).pluck().get()
    for (let minute = 0; minute < 100; minute++) {
      const codes = Array.from({ length: 100 }, () => record(time + 60_000, { familyId: `f${minute}` }))
      await Promise.all(codes.map((code) => store.insert([code])))
      await store.revokeFamily(`f${minute}`, time + 60_000)
      time += 60_000
    }
    // 10 000 codes have come and gone; only those of the last minutes are left.
    expect(count('oauth_records')).toBeLessThanOrEqual(200)
    expect(count('oauth_revocations')).toBeLessThanOrEqual(3)
    const pages = db.pragma('page_count', { simple: true }) as number
    expect(pages).toBeLessThan(100)
  })

  test('a backlog of expired rows is taken down little by little, never all in one write', async () => {
    let time = Date.now()
    const db = connect(newFile())
    const store = open(db, () => time)
    await store.insert(Array.from({ length: 1000 }, () => record(time + 1000)))
    const families = Array.from({ length: 1000 }, (_, index) => store.revokeFamily(`f${index}`, time + 1000))
    await Promise.all(families)
    time += 2000
    await store.insert([record(time + 1000)])
    const count = (table: string) => db.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number
    expect(count('oauth_records')).toBeGreaterThan(900)
    expect(count('oauth_records')).toBeLessThan(1000)
    expect(count('oauth_revocations')).toBeGreaterThan(900)
    expect(count('oauth_revocations')).toBeLessThan(1000)
  })

  test('records have one key and no second index, and every statement that does not ask for all uses an index', () => {
    const db = new SQLite(':memory:')
    const statements: string[] = []
    const prepare = db.prepare.bind(db)
    db.prepare = ((sql: string) => {
      statements.push(sql)
      return prepare(sql)
    }) as typeof db.prepare
    open(db)
    expect(db.pragma('index_list(oauth_records)')).toEqual([
      expect.objectContaining({ origin: 'pk', unique: 1 }),
    ])
    const ours = statements.filter((sql) => /oauth_/.test(sql) && !/^CREATE|oauth_migrations/.test(sql))
    expect(ours.length).toBeGreaterThan(40)
    const scans = ours.flatMap((sql) => {
      const plan = prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...noValues(sql)) as { detail: string }[]
      return plan
        .map(({ detail }) => detail)
        .filter((detail) => /^SCAN (?!CONSTANT|resource|scope|json_each|oauth_keys)/.test(detail))
    })
    // Those that list all grants, and those that look for a scope in all of them.
    expect(scans).toEqual(['SCAN oauth_grants'])
  })

  function noValues(sql: string): unknown[] {
    const named = Array.from(sql.matchAll(/@(\w+)/g), ([, name]) => [name, null])
    return named.length > 0 ? [Object.fromEntries(named)] : Array.from(sql.matchAll(/\?/g), () => null)
  }

  test('ids are ordered by the time of expiry, whatever is in between', () => {
    const now = Date.now()
    const times = [0, 1, now - 1, now, now + 1, now + 3_600_000, now + 365 * 86_400_000, 2 ** 48 - 1]
    const ids = times.map((time) => mintHandle(time).id)
    expect([...ids].reverse().sort()).toEqual(ids)
    expect(ids.map(expiryOf)).toEqual(times)
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/)
  })
})
