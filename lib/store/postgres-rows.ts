import { fromJson, fromText, toJson, toText } from './postgres-text.js'
import type { AuditEntry, Client, ClientSession, FoundRecord, Grant, StoredRecord } from './records.js'
import { type AuditRow, type RecordTuple, recordOf, type SessionRow, toAuditEntry } from './rows.js'
import { areTexts } from './shapes.js'

/** What a driver makes of a `bigint`: a string, a number or a BigInt, as the host has set it. */
type Integer = string | number | bigint

export interface PostgresRecordRow {
  id: string
  kind: StoredRecord['kind']
  hash: Buffer
  grant_id: string | null
  family_id: string | null
  used_at: Integer | null
  trace: string | null
  data: string
  alive: Integer
  withdrawn: string | null
  grant_last_used_at: Integer | null
}

interface GrantJson {
  id: string
  user_id: string
  client_id: string
  access: unknown
  claims: string[] | null
  created_at: number
  last_used_at: number | null
  last_used_from: string | null
  withdrawn: string[] | null
}

export function optional(value: string | undefined): string | null {
  return value === undefined ? null : toText(value)
}

export function clientValues(client: Client): unknown[] {
  const { id, revision, createdAt, name, ownerId, fingerprint, expiresAt = null } = client
  return [
    ...[toText(id), revision, createdAt, toText(name), optional(ownerId), optional(fingerprint), expiresAt],
    JSON.stringify(client),
  ]
}

export function grantValues(grant: Grant): unknown[] {
  const { access, claims, withdrawn, lastUsedAt = null, lastUsedFrom } = grant
  return [
    ...[toText(grant.id), toText(grant.userId), toText(grant.clientId)],
    toJson(Object.entries(access)),
    claims === undefined ? null : toJson(claims),
    ...[grant.createdAt, lastUsedAt, optional(lastUsedFrom)],
    withdrawn === undefined ? null : toJson(withdrawn),
  ]
}

export function toGrant({ grant_json }: { grant_json: string }): Grant {
  const row = fromJson(grant_json) as GrantJson
  return {
    ...{ id: row.id, userId: row.user_id, clientId: row.client_id },
    access: accessOf(row.access),
    ...(row.claims !== null && { claims: row.claims }),
    createdAt: row.created_at,
    ...(row.last_used_at !== null && { lastUsedAt: row.last_used_at }),
    ...(row.last_used_from !== null && { lastUsedFrom: row.last_used_from }),
    ...(row.withdrawn !== null && { withdrawn: row.withdrawn }),
  }
}

/** Nothing where it is damaged, which no grant may have. */
function accessOf(pairs: unknown): Grant['access'] {
  const arePairs = Array.isArray(pairs) && pairs.every((pair) => Array.isArray(pair) && pair.length === 2)
  return (arePairs ? Object.fromEntries(pairs) : undefined) as Grant['access']
}

/** Records member by member, one list for each column. */
export function recordValues(records: readonly StoredRecord[]): unknown[] {
  return [
    records.map(({ id }) => toText(id)),
    records.map(({ kind }) => kind),
    records.map(({ hash }) => Buffer.from(hash)),
    records.map(({ grantId }) => optional(grantId)),
    records.map(({ familyId }) => optional(familyId)),
    records.map(({ data }) => toText(data)),
  ]
}

export function toFoundRecord({ withdrawn, ...row }: PostgresRecordRow): FoundRecord {
  const { id, kind, hash, grant_id, family_id, trace, data } = textsOf(row)
  const lastUsedAt = toNumber(row.grant_last_used_at)
  const lineage = [grant_id, family_id] as const
  const use = [toNumber(row.used_at), trace] as const
  const tuple: RecordTuple = [kind, hash, ...lineage, ...use, data, Number(row.alive), null, lastUsedAt]
  const record = recordOf(id, tuple)
  if (withdrawn === null) return record
  const gone = fromJson(withdrawn)
  return areTexts(gone) ? { ...record, withdrawn: gone } : { ...record, alive: false }
}

export function toSession(row: { [Name in keyof SessionRow]: string }): ClientSession {
  const { session, client_id: clientId, user_id: userId, expires_at } = textsOf(row)
  return { session, clientId, userId, expiresAt: Number(expires_at) }
}

export function auditValues(entries: readonly AuditEntry[]): unknown[] {
  return [
    entries.map(({ id }) => toText(id)),
    entries.map(({ at }) => at),
    entries.map(({ event }) => toText(event)),
    entries.map(({ clientId }) => optional(clientId)),
    entries.map(({ userId }) => optional(userId)),
    entries.map(({ grantId }) => optional(grantId)),
    entries.map(({ by }) => optional(by)),
    entries.map(({ address }) => optional(address)),
    entries.map(({ details }) => optional(details && JSON.stringify(details))),
  ]
}

export function toEntry(row: Omit<AuditRow, 'at'> & { at: Integer }): AuditEntry {
  return toAuditEntry({ ...textsOf(row), at: Number(row.at) })
}

function toNumber(value: Integer | null): number | null {
  return value === null ? null : Number(value)
}

function textsOf<Row extends object>(row: Row): Row {
  const members = Object.entries(row).map(([name, value]) => [
    name,
    typeof value === 'string' ? fromText(value) : value,
  ])
  return Object.fromEntries(members) as Row
}
