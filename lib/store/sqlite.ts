import type { Database } from 'better-sqlite3'
import { mergeGrants } from './merge-grants.js'
import { migrate } from './migrations.js'
import type { Client, ClientSession, FoundRecord, Grant, StoredKeys, StoredRecord } from './records.js'
import {
  type ClientRow,
  type GrantRow,
  type RecordRow,
  type SessionRow,
  toGrant,
  toRecord,
  toSession,
} from './rows.js'
import { emptyLog, overwriting } from './secure-delete.js'
import { prepareStatements, type Statements } from './statements.js'
import type { Consumed, Consumption, Store } from './store.js'
import { unavailable, WriteQueue } from './write-queue.js'

export interface SqliteStoreOptions {
  /** Whether closing the store closes the database. */
  readonly own: boolean
  /** Milliseconds. */
  readonly now: () => number
  /** How long a write waits for whoever else holds the database, in milliseconds; default 5000. */
  readonly longestWait?: number
}

/** The store on SQLite, for one machine with any number of processes. */
export class SqliteStore implements Store {
  readonly #db: Database
  readonly #own: boolean
  readonly #writes: WriteQueue
  readonly #statements: Statements

  constructor(db: Database, { own, now, longestWait }: SqliteStoreOptions) {
    migrate(db)
    this.#db = db
    this.#own = own
    this.#statements = prepareStatements(db)
    // Every commit also deletes twice as many expired rows as it can have added, so tables stay as large as what is alive.
    this.#writes = new WriteQueue(db, (writes) => this.#purge(now(), writes * 4), longestWait)
  }

  findClient(id: string): Client | undefined {
    const row = read(() => this.#statements.findClient.get(id)) as ClientRow | undefined
    return row && JSON.parse(row.data)
  }

  saveClient(client: Client): Promise<boolean> {
    const { id, revision, createdAt } = client
    const row = { id, revision, createdAt, data: JSON.stringify(client) }
    const { addClient, changeClient } = this.#statements
    return this.#writes.run(() => (revision === 1 ? addClient : changeClient).run(row).changes > 0)
  }

  deleteClient(id: string): Promise<boolean> {
    return this.#writes.run(() => {
      this.#statements.deleteGrantsOfClient.run(id)
      this.#statements.deleteSessionsOfClient.run(id)
      return this.#statements.deleteClient.run(id).changes > 0
    })
  }

  listClients(): Client[] {
    const rows = read(() => this.#statements.listClients.all()) as ClientRow[]
    return rows.map(({ data }) => JSON.parse(data))
  }

  findGrant(userId: string, clientId: string): Grant | undefined {
    const row = read(() => this.#statements.findGrant.get(userId, clientId)) as GrantRow | undefined
    return row && toGrant(row)
  }

  saveGrant(grant: Grant): Promise<Grant> {
    return this.#writes.run(() => this.#saveGrant(grant))
  }

  touchGrant(id: string, now: number): Promise<void> {
    return this.#writes.run(() => {
      this.#statements.touchGrant.run(now, id)
    })
  }

  listGrants({ userId, clientId }: { userId?: string; clientId?: string }): Grant[] {
    const { listGrants, listGrantsOfUser, listGrantsOfClient, findGrant } = this.#statements
    const rows = read(() => {
      if (userId === undefined)
        return clientId === undefined ? listGrants.all() : listGrantsOfClient.all(clientId)
      return clientId === undefined ? listGrantsOfUser.all(userId) : findGrant.all(userId, clientId)
    })
    return (rows as GrantRow[]).map(toGrant)
  }

  revokeGrant(id: string, userId?: string): Promise<Grant | undefined> {
    return this.#writes.run(() => {
      const row = this.#statements.deleteGrant.get({ id, userId: userId ?? null }) as GrantRow | undefined
      return row && toGrant(row)
    })
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

  consume(
    id: string,
    { now, trace, grant }: Consumption,
    successors: readonly StoredRecord[],
  ): Promise<Consumed> {
    return this.#writes.run(() => {
      const record = this.find(id)
      if (record === undefined || !record.alive || record.usedAt !== undefined) return { won: false, record }
      this.#statements.useRecord.run(now, trace ?? null, id)
      const saved = grant && this.#saveGrant(grant)
      for (const successor of successors) {
        const hangsOnIt = saved !== undefined && successor.grantId === grant?.id
        this.#insert(hangsOnIt ? { ...successor, grantId: saved.id } : successor)
      }
      return { won: true, record, ...(saved && { grant: saved }) }
    })
  }

  amend(id: string, known: string, data: string): Promise<boolean> {
    return this.#writes.run(() => this.#statements.amendRecord.run(data, id, known).changes > 0)
  }

  revokeFamily(familyId: string, until: number): Promise<void> {
    return this.#writes.run(() => {
      this.#statements.revokeFamily.run(familyId, until)
    })
  }

  findKeys(): StoredKeys | undefined {
    return read(() => this.#statements.findKeys.get()) as StoredKeys | undefined
  }

  async saveKeys({ revision, data }: StoredKeys): Promise<boolean> {
    const { addKeys, changeKeys } = this.#statements
    const save = revision === 1 ? addKeys : changeKeys
    const write = () => save.run({ revision, data }).changes > 0
    const saved = await this.#writes.run(() => overwriting(this.#db, write))
    if (saved && revision > 1) emptyLog(this.#db)
    return saved
  }

  saveSession({ session, clientId, userId, expiresAt }: ClientSession): Promise<void> {
    return this.#writes.run(() => {
      this.#statements.saveSession.run(session, clientId, userId, expiresAt)
    })
  }

  hasSession(session: string, clientId: string): boolean {
    return read(() => this.#statements.hasSession.get(session, clientId)) !== undefined
  }

  endSessions(filter: { readonly session: string } | { readonly userId: string }): Promise<ClientSession[]> {
    const { endSessions, endSessionsOfUser } = this.#statements
    return this.#writes.run(() => {
      const rows =
        'session' in filter ? endSessions.all(filter.session) : endSessionsOfUser.all(filter.userId)
      return (rows as SessionRow[]).map(toSession)
    })
  }

  purge(now: number, limit: number): Promise<number> {
    return this.#writes.run(() => this.#purge(now, limit))
  }

  async close(): Promise<void> {
    await this.#writes.close()
    if (this.#own) this.#db.close()
  }

  #saveGrant(grant: Grant): Grant {
    const known = this.findGrant(grant.userId, grant.clientId)
    const saved = known ? mergeGrants(known, grant) : grant
    const { id, userId, clientId, createdAt, lastUsedAt = null } = saved
    const [access, claims] = [JSON.stringify(saved.access), saved.claims && JSON.stringify(saved.claims)]
    this.#statements.saveGrant.run(id, userId, clientId, access, claims ?? null, createdAt, lastUsedAt)
    return saved
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
    this.#statements.purgeRevocations.run(now, limit)
    this.#statements.purgeSessions.run(now, limit)
    return this.#statements.purgeRecords.run(expiryKey(now), limit).changes
  }
}

/** The least id of a record that expires at this millisecond. */
function expiryKey(milliseconds: number): string {
  return Math.max(0, milliseconds).toString(16).padStart(12, '0')
}

function read<T>(query: () => T): T {
  try {
    return query()
  } catch (error) {
    throw unavailable(error)
  }
}
