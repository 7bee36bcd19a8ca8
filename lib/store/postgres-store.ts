import { type PostgresPool, type PostgresQuery, sqlState } from './postgres-connection.js'
import { listAudit, listClients, listGrants, withdrawFrom } from './postgres-lists.js'
import { schemaPrefix } from './postgres-migrations.js'
import { PreparedPool } from './postgres-pool.js'
import * as rows from './postgres-rows.js'
import { type Statements, statementsFor } from './postgres-statements.js'
import { fromText, toText } from './postgres-text.js'
import type {
  AuditEntry,
  Client,
  ClientSession,
  FoundRecord,
  Grant,
  StoredKeys,
  StoredRecord,
} from './records.js'
import { readJson } from './rows.js'
import type {
  AuditFilter,
  ClientFilter,
  Consumed,
  Consumption,
  GrantFilter,
  Store,
  WithdrawalFilter,
} from './store.js'
import type { Migrated, TableVersion } from './table-version.js'
import { timeKey } from './time-key.js'

/** Audit entries that are deleted at once where none is added. */
const TRIMMED = 1000
const UNIQUE_VIOLATION = '23505'

/** The store on PostgreSQL: what each operation says to it, and what it makes of the answer. */
export class PostgresTables implements Store {
  readonly #prefix: string
  readonly #statements: Statements
  readonly #pool: PreparedPool

  constructor(
    pool: PostgresPool,
    { schema, prepare, clock }: { schema: string | undefined; prepare: boolean; clock: () => number },
  ) {
    this.#prefix = schemaPrefix(schema)
    this.#statements = statementsFor(this.#prefix)
    this.#pool = new PreparedPool(pool, {
      schema,
      prepare,
      purge: (limit) => this.purge(Math.floor(clock()), limit),
    })
  }

  migrate(): Promise<Migrated> {
    return this.#pool.migrate()
  }

  version(): Promise<TableVersion> {
    return this.#pool.version()
  }

  async findClient(id: string): Promise<Client | undefined> {
    const [row] = await this.#pool.read(this.#statements.findClient, [toText(id)])
    return row && readJson(row.data)
  }

  async saveClient(client: Client): Promise<boolean> {
    const { addClient, changeClient } = this.#statements
    return this.#pool.change(client.revision === 1 ? addClient : changeClient, rows.clientValues(client))
  }

  deleteClient(id: string): Promise<boolean> {
    return this.#pool.change(this.#statements.deleteClient, [toText(id)])
  }

  async listClients(filter: ClientFilter = {}): Promise<Client[]> {
    const listed = await this.#pool.read(listClients(this.#prefix, filter))
    return listed.map(({ data }) => readJson(data))
  }

  async findGrant(userId: string, clientId: string): Promise<Grant | undefined> {
    const [row] = await this.#pool.read(this.#statements.findGrant, [toText(userId), toText(clientId)])
    return row && rows.toGrant(row)
  }

  async saveGrant(grant: Grant): Promise<Grant> {
    const saved = await this.#pool.write(this.#statements.saveGrant, rows.grantValues(grant))
    return rows.toGrant(saved.rows[0])
  }

  async touchGrant(id: string, now: number, address?: string): Promise<void> {
    await this.#repeatable(this.#statements.touchGrant, [toText(id), now, rows.optional(address)])
  }

  async listGrants(filter: GrantFilter): Promise<Grant[]> {
    return (await this.#pool.read(listGrants(this.#prefix, filter))).map(rows.toGrant)
  }

  async revokeGrant(id: string, userId?: string): Promise<Grant | undefined> {
    const revoked = await this.#pool.write(this.#statements.deleteGrant, [toText(id), rows.optional(userId)])
    return revoked.rows.map(rows.toGrant)[0]
  }

  async revokeUser(userId: string): Promise<number> {
    return (await this.#pool.write(this.#statements.deleteGrantsOfUser, [toText(userId)])).rowCount ?? 0
  }

  async revokeClient(clientId: string): Promise<number> {
    return (await this.#pool.write(this.#statements.deleteGrantsOfClient, [toText(clientId)])).rowCount ?? 0
  }

  async withdrawScopes(filter: WithdrawalFilter, scopes: readonly string[], limit: number): Promise<Grant[]> {
    const { text, values = [] } = withdrawFrom(this.#prefix, filter, scopes, limit)
    return (await this.#pool.write({ text }, values)).rows.map(rows.toGrant)
  }

  async insert(records: readonly StoredRecord[]): Promise<boolean> {
    if (records.length === 0) return true
    const values = rows.recordValues(records)
    if (records.length === 1) return this.#pool.change(this.#statements.insertRecord, values)
    try {
      return await this.#pool.change(this.#statements.insertRecords, values)
    } catch (error) {
      // Somebody else has just inserted one of the ids.
      if (sqlState(error) === UNIQUE_VIOLATION) return false
      throw error
    }
  }

  async find(id: string): Promise<FoundRecord | undefined> {
    const [row] = await this.#pool.read(this.#statements.findRecord, [toText(id)])
    return row && rows.toFoundRecord(row)
  }

  async consume(
    id: string,
    { now, trace, grant }: Consumption,
    successors: readonly StoredRecord[],
  ): Promise<Consumed> {
    const { consume, consumeWithGrant } = this.#statements
    const values = [...rows.recordValues(successors), toText(id), now, rows.optional(trace)]
    const { rows: met } = await (grant
      ? this.#pool.write(consumeWithGrant, [...values, ...rows.grantValues(grant)])
      : this.#pool.write(consume, values))
    const [row] = met
    if (row === undefined) return { won: false }
    const { won, grant_json, ...members } = row
    if (Number(won) === 0) return { won: false, record: rows.toFoundRecord(members) }
    return { won: true, ...(grant_json !== null && { grant: rows.toGrant({ grant_json }) }) }
  }

  amend(id: string, known: string, data: string): Promise<boolean> {
    return this.#pool.change(this.#statements.amendRecord, [toText(id), toText(known), toText(data)])
  }

  async revokeFamily(familyId: string, until: number): Promise<void> {
    await this.#repeatable(this.#statements.revokeFamily, [toText(familyId), until])
  }

  async findKeys(): Promise<StoredKeys | undefined> {
    const [row] = await this.#pool.read(this.#statements.findKeys, [])
    return row && { revision: Number(row.revision), data: fromText(row.data) }
  }

  saveKeys({ revision, data }: StoredKeys): Promise<boolean> {
    const { addKeys, changeKeys } = this.#statements
    return this.#pool.change(revision === 1 ? addKeys : changeKeys, [revision, toText(data)])
  }

  async saveSession({ session, clientId, userId, expiresAt }: ClientSession): Promise<void> {
    const ids = [session, clientId, userId].map(toText)
    await this.#repeatable(this.#statements.saveSession, [...ids, expiresAt])
  }

  async hasSession(session: string, clientId: string): Promise<boolean> {
    const found = await this.#pool.read(this.#statements.hasSession, [toText(session), toText(clientId)])
    return found.length > 0
  }

  async endSessions(
    filter: { readonly session: string } | { readonly userId: string },
  ): Promise<ClientSession[]> {
    const { endSessions, endSessionsOfUser } = this.#statements
    const { rows: ended } = await ('session' in filter
      ? this.#pool.write(endSessions, [toText(filter.session)])
      : this.#pool.write(endSessionsOfUser, [toText(filter.userId)]))
    return ended.map(rows.toSession)
  }

  async appendAudit(entries: readonly AuditEntry[], before: number): Promise<void> {
    const trimmed = entries.length * 2 || TRIMMED
    const values = [...rows.auditValues(entries), timeKey(before), trimmed]
    await this.#repeatable(this.#statements.appendAudit, values)
  }

  async listAudit(filter: AuditFilter): Promise<AuditEntry[]> {
    return (await this.#pool.read(listAudit(this.#prefix, filter))).map(rows.toEntry)
  }

  async purge(now: number, limit: number): Promise<number> {
    const purged = await this.#pool.write(this.#statements.purge, [now, timeKey(now), limit])
    return purged.rowCount ?? 0
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  async #repeatable(statement: PostgresQuery, values: unknown[]): Promise<void> {
    await this.#pool.write(statement, values, true)
  }
}
