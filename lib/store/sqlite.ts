import type { Database } from 'better-sqlite3'
import { migrate } from './migrations.js'
import type { Client, FoundRecord, Grant, StoredRecord } from './records.js'
import type { Consumed, Consumption, Store } from './store.js'
import { unavailable, WriteQueue } from './write-queue.js'

interface GrantRow {
  id: string
  user_id: string
  client_id: string
  scopes: string
  resources: string
  created_at: number
  last_used_at: number | null
}

interface RecordRow {
  kind: StoredRecord['kind']
  hash: Buffer
  grant_id: string | null
  family_id: string | null
  used_at: number | null
  trace: string | null
  data: string
  alive: number
  grant_last_used_at: number | null
}

/** The store on SQLite, for one machine with any number of processes. `own`: whether closing it closes the database. */
export class SqliteStore implements Store {
  readonly #db: Database
  readonly #own: boolean
  readonly #writes: WriteQueue
  readonly #statements: ReturnType<typeof prepare>

  constructor(db: Database, { own, now }: { own: boolean; now: () => number }) {
    migrate(db)
    this.#db = db
    this.#own = own
    this.#statements = prepare(db)
    // Every commit also deletes twice as many expired rows as it can have added, so tables stay as large as what is alive.
    this.#writes = new WriteQueue(db, (writes) => this.#purge(now(), writes * 4))
  }

  findClient(id: string): Client | undefined {
    const data = read(() => this.#statements.findClient.get(id)) as string | undefined
    return data === undefined ? undefined : JSON.parse(data)
  }

  saveClient(client: Client): Promise<void> {
    return this.#writes.run(() => {
      this.#statements.saveClient.run(client.id, client.createdAt, JSON.stringify(client))
    })
  }

  deleteClient(id: string): Promise<boolean> {
    return this.#writes.run(() => {
      this.#statements.deleteGrantsOfClient.run(id)
      return this.#statements.deleteClient.run(id).changes > 0
    })
  }

  listClients(): Client[] {
    return (read(() => this.#statements.listClients.all()) as string[]).map((data) => JSON.parse(data))
  }

  findGrant(userId: string, clientId: string): Grant | undefined {
    const row = read(() => this.#statements.findGrant.get(userId, clientId)) as GrantRow | undefined
    return row && toGrant(row)
  }

  saveGrant(grant: Grant): Promise<Grant> {
    return this.#writes.run(() => {
      const known = this.findGrant(grant.userId, grant.clientId)
      const saved: Grant = {
        ...(known ?? grant),
        scopes: union(known?.scopes, grant.scopes),
        resources: union(known?.resources, grant.resources),
      }
      this.#statements.saveGrant.run(
        saved.id,
        saved.userId,
        saved.clientId,
        JSON.stringify(saved.scopes),
        JSON.stringify(saved.resources),
        saved.createdAt,
        saved.lastUsedAt ?? null,
      )
      return saved
    })
  }

  touchGrant(id: string, now: number): Promise<void> {
    return this.#writes.run(() => {
      this.#statements.touchGrant.run(now, id)
    })
  }

  listGrants({ userId, clientId }: { userId?: string; clientId?: string }): Grant[] {
    const rows = read(() =>
      this.#statements.listGrants.all({ userId: userId ?? null, clientId: clientId ?? null }),
    )
    return (rows as GrantRow[]).map(toGrant)
  }

  revokeGrant(id: string, userId?: string): Promise<boolean> {
    return this.#writes.run(
      () => this.#statements.deleteGrant.run({ id, userId: userId ?? null }).changes > 0,
    )
  }

  revokeUser(userId: string): Promise<number> {
    return this.#writes.run(() => this.#statements.deleteGrantsOfUser.run(userId).changes)
  }

  insert(records: readonly StoredRecord[]): Promise<boolean> {
    return this.#writes.run(() => {
      if (records.some((record) => this.#statements.findRecord.get(record.id) !== undefined)) return false
      for (const record of records) this.#insert(record)
      return true
    })
  }

  find(id: string): FoundRecord | undefined {
    const row = read(() => this.#statements.findRecord.get(id)) as RecordRow | undefined
    return row && toRecord(id, row)
  }

  consume(id: string, { now, trace }: Consumption, successors: readonly StoredRecord[]): Promise<Consumed> {
    return this.#writes.run(() => {
      const record = this.find(id)
      if (record === undefined || !record.alive || record.usedAt !== undefined) return { won: false, record }
      this.#statements.useRecord.run(now, trace ?? null, id)
      for (const successor of successors) this.#insert(successor)
      return { won: true, record }
    })
  }

  amend(id: string, data: string): Promise<boolean> {
    return this.#writes.run(() => this.#statements.amendRecord.run(data, id).changes > 0)
  }

  revokeFamily(familyId: string, until: number): Promise<void> {
    return this.#writes.run(() => {
      this.#statements.revokeFamily.run(familyId, until)
    })
  }

  purge(now: number, limit: number): Promise<number> {
    return this.#writes.run(() => this.#purge(now, limit))
  }

  close(): void {
    this.#writes.flush()
    if (this.#own) this.#db.close()
  }

  #insert(record: StoredRecord): void {
    this.#statements.insertRecord.run(
      record.id,
      record.kind,
      record.hash,
      record.grantId ?? null,
      record.familyId ?? null,
      record.data,
    )
  }

  #purge(now: number, limit: number): number {
    this.#statements.purgeRevocations.run(now)
    return this.#statements.purgeRecords.run(expiryKey(now), limit).changes
  }
}

/** The least id of a record that expires at this millisecond. */
function expiryKey(milliseconds: number): string {
  return Math.max(0, milliseconds).toString(16).padStart(12, '0')
}

function prepare(db: Database) {
  return {
    findClient: db.prepare('SELECT data FROM oauth_clients WHERE id = ?').pluck(),
    saveClient: db.prepare('INSERT OR REPLACE INTO oauth_clients (id, created_at, data) VALUES (?, ?, ?)'),
    deleteClient: db.prepare('DELETE FROM oauth_clients WHERE id = ?'),
    listClients: db.prepare('SELECT data FROM oauth_clients ORDER BY created_at, id').pluck(),
    findGrant: db.prepare('SELECT * FROM oauth_grants WHERE user_id = ? AND client_id = ?'),
    saveGrant: db.prepare(
      `INSERT OR REPLACE INTO oauth_grants (id, user_id, client_id, scopes, resources, created_at, last_used_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ),
    touchGrant: db.prepare('UPDATE oauth_grants SET last_used_at = ? WHERE id = ?'),
    listGrants: db.prepare(
      `SELECT * FROM oauth_grants
       WHERE (@userId IS NULL OR user_id = @userId) AND (@clientId IS NULL OR client_id = @clientId)
       ORDER BY created_at DESC, id`,
    ),
    deleteGrant: db.prepare(
      'DELETE FROM oauth_grants WHERE id = @id AND (@userId IS NULL OR user_id = @userId)',
    ),
    deleteGrantsOfUser: db.prepare('DELETE FROM oauth_grants WHERE user_id = ?'),
    deleteGrantsOfClient: db.prepare('DELETE FROM oauth_grants WHERE client_id = ?'),
    insertRecord: db.prepare(
      'INSERT INTO oauth_records (id, kind, hash, grant_id, family_id, data) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    findRecord: db.prepare(
      `SELECT r.kind, r.hash, r.grant_id, r.family_id, r.used_at, r.trace, r.data,
              (r.grant_id IS NULL OR g.id IS NOT NULL) AND v.family_id IS NULL AS alive,
              g.last_used_at AS grant_last_used_at
       FROM oauth_records r
       LEFT JOIN oauth_grants g ON g.id = r.grant_id
       LEFT JOIN oauth_revocations v ON v.family_id = r.family_id
       WHERE r.id = ?`,
    ),
    useRecord: db.prepare('UPDATE oauth_records SET used_at = ?, trace = ? WHERE id = ?'),
    amendRecord: db.prepare('UPDATE oauth_records SET data = ? WHERE id = ? AND used_at IS NULL'),
    revokeFamily: db.prepare(
      'INSERT OR REPLACE INTO oauth_revocations (family_id, expires_at) VALUES (?, ?)',
    ),
    purgeRecords: db.prepare(
      'DELETE FROM oauth_records WHERE id IN (SELECT id FROM oauth_records WHERE id < ? ORDER BY id LIMIT ?)',
    ),
    purgeRevocations: db.prepare('DELETE FROM oauth_revocations WHERE expires_at < ?'),
  }
}

function read<T>(query: () => T): T {
  try {
    return query()
  } catch (error) {
    throw unavailable(error)
  }
}

function toGrant(row: GrantRow): Grant {
  return {
    id: row.id,
    userId: row.user_id,
    clientId: row.client_id,
    scopes: JSON.parse(row.scopes),
    resources: JSON.parse(row.resources),
    createdAt: row.created_at,
    ...(row.last_used_at !== null && { lastUsedAt: row.last_used_at }),
  }
}

function toRecord(id: string, row: RecordRow): FoundRecord {
  return {
    id,
    kind: row.kind,
    hash: row.hash,
    data: row.data,
    alive: row.alive === 1,
    ...(row.grant_id !== null && { grantId: row.grant_id }),
    ...(row.family_id !== null && { familyId: row.family_id }),
    ...(row.used_at !== null && { usedAt: row.used_at }),
    ...(row.trace !== null && { trace: row.trace }),
    ...(row.grant_last_used_at !== null && { grantLastUsedAt: row.grant_last_used_at }),
  }
}

function union(known: readonly string[] | undefined, added: readonly string[]): readonly string[] {
  return [...new Set([...(known ?? []), ...added])]
}
