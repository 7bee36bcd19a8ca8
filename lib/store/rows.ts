import type { ClientSession, FoundRecord, Grant, StoredRecord } from './records.js'

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
  grant_last_used_at: number | null
}

export interface SessionRow {
  session: string
  client_id: string
  user_id: string
  expires_at: number
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
    ...(row.grant_last_used_at !== null && { grantLastUsedAt: row.grant_last_used_at }),
  }
}

export function toSession(row: SessionRow): ClientSession {
  return { session: row.session, clientId: row.client_id, userId: row.user_id, expiresAt: row.expires_at }
}
