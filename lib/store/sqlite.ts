import type { Database } from 'better-sqlite3'
import { mergeGrants } from './merge-grants.js'
import { migrate } from './migrations.js'
import { ReadQueue } from './read-queue.js'
import type {
  AuditEntry,
  Client,
  ClientSession,
  FoundRecord,
  Grant,
  StoredKeys,
  StoredRecord,
} from './records.js'
import {
  type ClientRow,
  fromClient,
  fromGrant,
  type GrantRow,
  type RecordTuple,
  readJson,
  recordOf,
  type SessionRow,
  toGrant,
  toSession,
} from './rows.js'
import { emptyLog, overwriting } from './secure-delete.js'
import { appendAudit, listAudit } from './sqlite-audit.js'
import { deleteClient, listClients, purgeClients } from './sqlite-clients.js'
import { listGrants, withdrawScopes } from './sqlite-grants.js'
import { prepareStatements, type Statements } from './statements.js'
import type {
  AuditFilter,
  ClientFilter,
  Consumed,
  Consumption,
  GrantFilter,
  Store,
  WithdrawalFilter,
} from './store.js'
import { timeKey } from './time-key.js'
import { WriteQueue } from './write-queue.js'

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
  readonly #reads = new ReadQueue()
  readonly #writes: WriteQueue
  readonly #statements: Statements

  constructor(db: Database, { own, now, longestWait }: SqliteStoreOptions) {
    migrate(db)
    this.#db = db
    this.#own = own
    this.#statements = prepareStatements(db)
    // Every commit also deletes twice as many expired rows as it can have added, so tables stay as large as what is alive.
    const afterEach = (writes: number) => this.#purge(now(), writes * 4)
    this.#writes = new WriteQueue(db, { afterEach, isReading: () => this.#reads.isAsked, longestWait })
  }

  findClient(id: string): Promise<Client | undefined> {
    return this.#reads.run(() => {
      const row = this.#statements.findClient.get(id) as ClientRow | undefined
      return row && readJson(row.data)
    })
  }

  saveClient(client: Client): Promise<boolean> {
    const { addClient, changeClient } = this.#statements
    const save = client.revision === 1 ? addClient : changeClient
    return this.#writes.run(() => save.run(fromClient(client)).changes > 0)
  }

  deleteClient(id: string): Promise<boolean> {
    return this.#writes.run(() => deleteClient(this.#statements, id))
  }

  listClients(filter: ClientFilter = {}): Promise<Client[]> {
    return this.#reads.run(() => listClients(this.#statements, filter))
  }

  findGrant(userId: string, clientId: string): Promise<Grant | undefined> {
    return this.#reads.run(() => this.#findGrant(userId, clientId))
  }

  saveGrant(grant: Grant): Promise<Grant> {
    return this.#writes.run(() => this.#saveGrant(grant))
  }

  touchGrant(id: string, now: number, address?: string): Promise<void> {
    return this.#writes.run(() => {
      this.#statements.touchGrant.run(now, address ?? null, id)
    })
  }

  listGrants(filter: GrantFilter): Promise<Grant[]> {
    return this.#reads.run(() => listGrants(this.#statements, filter))
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

  revokeClient(clientId: string): Promise<number> {
    return this.#writes.run(() => this.#statements.deleteGrantsOfClient.run(clientId).changes)
  }

  withdrawScopes(filter: WithdrawalFilter, scopes: readonly string[], limit: number): Promise<Grant[]> {
    return this.#writes.run(() => withdrawScopes(this.#statements, filter, scopes, limit))
  }

  insert(records: readonly StoredRecord[]): Promise<boolean> {
    return this.#writes.run(() => {
      const taken = records.findIndex((record) => !this.#insert(record))
      if (taken < 0) return true
      for (const record of records.slice(0, taken)) this.#statements.deleteRecord.run(record.id)
      return false
    })
  }

  find(id: string): Promise<FoundRecord | undefined> {
    return this.#reads.run(() => this.#find(id))
  }

  consume(
    id: string,
    { now, trace, grant }: Consumption,
    successors: readonly StoredRecord[],
  ): Promise<Consumed> {
    return this.#writes.run(() => {
      if (this.#statements.useRecord.run(now, trace ?? null, id).changes === 0)
        return { won: false, record: this.#find(id) }
      const saved = grant && this.#saveGrant(grant)
      for (const successor of successors) {
        const hangsOnIt = saved !== undefined && successor.grantId === grant?.id
        if (!this.#insert(hangsOnIt ? { ...successor, grantId: saved.id } : successor))
          throw new Error('The id of a successor is taken.')
      }
      return { won: true, ...(saved && { grant: saved }) }
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

  findKeys(): Promise<StoredKeys | undefined> {
    return this.#reads.run(() => this.#statements.findKeys.get() as StoredKeys | undefined)
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

  hasSession(session: string, clientId: string): Promise<boolean> {
    return this.#reads.run(() => this.#statements.hasSession.get(session, clientId) !== undefined)
  }

  endSessions(filter: { readonly session: string } | { readonly userId: string }): Promise<ClientSession[]> {
    const { endSessions, endSessionsOfUser } = this.#statements
    return this.#writes.run(() => {
      const rows =
        'session' in filter ? endSessions.all(filter.session) : endSessionsOfUser.all(filter.userId)
      return (rows as SessionRow[]).map(toSession)
    })
  }

  appendAudit(entries: readonly AuditEntry[], before: number): Promise<void> {
    return this.#writes.run(() => appendAudit(this.#statements, entries, before))
  }

  listAudit(filter: AuditFilter): Promise<AuditEntry[]> {
    return this.#reads.run(() => listAudit(this.#statements, filter))
  }

  purge(now: number, limit: number): Promise<number> {
    return this.#writes.run(() => this.#purge(now, limit))
  }

  async close(): Promise<void> {
    await this.#writes.close()
    this.#reads.flush()
    if (this.#own) this.#db.close()
  }

  #find(id: string): FoundRecord | undefined {
    const row = this.#statements.findRecord.get(id) as RecordTuple | undefined
    return row && recordOf(id, row)
  }

  #findGrant(userId: string, clientId: string): Grant | undefined {
    const row = this.#statements.findGrant.get(userId, clientId) as GrantRow | undefined
    return row && toGrant(row)
  }

  #saveGrant(grant: Grant): Grant {
    const known = this.#findGrant(grant.userId, grant.clientId)
    const saved = known ? mergeGrants(known, grant) : grant
    this.#statements.saveGrant.run(fromGrant(saved))
    return saved
  }

  /** False where its id is taken. */
  #insert({ id, kind, hash, grantId, familyId, data }: StoredRecord): boolean {
    const { insertRecord } = this.#statements
    return insertRecord.run(id, kind, hash, grantId ?? null, familyId ?? null, data).changes > 0
  }

  #purge(now: number, limit: number): number {
    const expired = this.#statements.hasExpired.get({ now, key: timeKey(now) }) as { it: number }
    if (expired.it === 0) return 0
    this.#statements.purgeRevocations.run(now, limit)
    this.#statements.purgeSessions.run(now, limit)
    purgeClients(this.#statements, now, limit)
    return this.#statements.purgeRecords.run(timeKey(now), limit).changes
  }
}
