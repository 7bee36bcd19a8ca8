import type { AuditEntry, Client, ClientSession, FoundRecord, Grant, StoredRecord } from './records.js'

export interface ClientRow {
  data: string
}

export interface GrantRow {
  id: string
  user_id: string
  client_id: string
  access: string
  claims: string | null
  created_at: number
  last_used_at: number | null
  last_used_from: string | null
  withdrawn: string | null
}

export interface AuditRow {
  id: string
  at: number
  event: string
  client_id: string | null
  user_id: string | null
  grant_id: string | null
  by: string | null
  address: string | null
  details: string | null
}

export interface RecordRow {
  kind: StoredRecord['kind']
  hash: Buffer
  grant_id: string | null
  family_id: string | null
  used_at: number | null
  trace: string | null
  data: string
  alive: number
  withdrawn: string | null
  grant_last_used_at: number | null
}

export interface SessionRow {
  session: string
  client_id: string
  user_id: string
  expires_at: number
}

export function fromClient(client: Client) {
  const { id, revision, createdAt, name, ownerId = null, fingerprint = null, expiresAt = null } = client
  return { id, revision, createdAt, name, ownerId, fingerprint, expiresAt, data: JSON.stringify(client) }
}

export function fromGrant({ access, claims, withdrawn, ...grant }: Grant) {
  return {
    ...{ id: grant.id, userId: grant.userId, clientId: grant.clientId, createdAt: grant.createdAt },
    lastUsedAt: grant.lastUsedAt ?? null,
    lastUsedFrom: grant.lastUsedFrom ?? null,
    access: JSON.stringify(access),
    claims: claims === undefined ? null : JSON.stringify(claims),
    withdrawn: withdrawn === undefined ? null : JSON.stringify(withdrawn),
  }
}

export function toGrant(row: GrantRow): Grant {
  return {
    id: row.id,
    userId: row.user_id,
    clientId: row.client_id,
    access: JSON.parse(row.access),
    ...(row.claims !== null && { claims: JSON.parse(row.claims) }),
    createdAt: row.created_at,
    ...(row.last_used_at !== null && { lastUsedAt: row.last_used_at }),
    ...(row.last_used_from !== null && { lastUsedFrom: row.last_used_from }),
    ...(row.withdrawn !== null && { withdrawn: JSON.parse(row.withdrawn) }),
  }
}

export function toRecord(id: string, row: RecordRow): FoundRecord {
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
    ...(row.withdrawn !== null && { withdrawn: JSON.parse(row.withdrawn) }),
    ...(row.grant_last_used_at !== null && { grantLastUsedAt: row.grant_last_used_at }),
  }
}

export function toSession(row: SessionRow): ClientSession {
  return { session: row.session, clientId: row.client_id, userId: row.user_id, expiresAt: row.expires_at }
}

export function toAuditEntry(row: AuditRow): AuditEntry {
  return {
    ...{ id: row.id, at: row.at, event: row.event },
    ...(row.client_id !== null && { clientId: row.client_id }),
    ...(row.user_id !== null && { userId: row.user_id }),
    ...(row.grant_id !== null && { grantId: row.grant_id }),
    ...(row.by !== null && { by: row.by }),
    ...(row.address !== null && { address: row.address }),
    ...(row.details !== null && { details: JSON.parse(row.details) }),
  }
}

export function fromAuditEntry(entry: AuditEntry) {
  const { id, at, event, clientId = null, userId = null, grantId = null, by = null, address = null } = entry
  const details = entry.details === undefined ? null : JSON.stringify(entry.details)
  return { id, at, event, clientId, userId, grantId, by, address, details }
}
