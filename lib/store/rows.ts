import type { AuditEntry, Client, ClientSession, FoundRecord, Grant, StoredRecord } from './records.js'
import { areTexts, isObject } from './shapes.js'

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

/** A record with what says whether it lives, in the order of its query. */
export type RecordTuple = readonly [
  kind: StoredRecord['kind'],
  hash: Buffer,
  grant_id: string | null,
  family_id: string | null,
  used_at: number | null,
  trace: string | null,
  data: string,
  alive: number,
  withdrawn: string | null,
  grant_last_used_at: number | null,
]

export interface SessionRow {
  session: string
  client_id: string
  user_id: string
  expires_at: number
}

/** What a column of JSON says. Where it is damaged, its text as it is: that has no shape which anything here may have. */
export function readJson<Content>(text: string): Content {
  try {
    return JSON.parse(text)
  } catch {
    return text as Content
  }
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
    access: readJson(row.access),
    ...(row.claims !== null && { claims: readJson(row.claims) }),
    createdAt: row.created_at,
    ...(row.last_used_at !== null && { lastUsedAt: row.last_used_at }),
    ...(row.last_used_from !== null && { lastUsedFrom: row.last_used_from }),
    ...(row.withdrawn !== null && { withdrawn: readJson(row.withdrawn) }),
  }
}

/** Each member is always there, and none comes by a spread: objects that are made alike are made and used fastest. */
export function recordOf(
  id: string,
  [kind, hash, grantId, familyId, usedAt, trace, data, alive, withdrawn, grantLastUsedAt]: RecordTuple,
): FoundRecord {
  const gone = withdrawn === null ? undefined : readJson(withdrawn)
  return {
    id,
    kind,
    hash,
    data,
    // What has been withdrawn is not guessed: where that cannot be read, all that hangs on the grant is dead.
    alive: alive === 1 && (gone === undefined || areTexts(gone)),
    grantId: grantId ?? undefined,
    familyId: familyId ?? undefined,
    usedAt: usedAt ?? undefined,
    trace: trace ?? undefined,
    withdrawn: areTexts(gone) ? gone : undefined,
    grantLastUsedAt: grantLastUsedAt ?? undefined,
  }
}

export function toSession(row: SessionRow): ClientSession {
  return { session: row.session, clientId: row.client_id, userId: row.user_id, expiresAt: row.expires_at }
}

/** Without its details where they are damaged: that something has happened is still told. */
export function toAuditEntry(row: AuditRow): AuditEntry {
  const details = row.details === null ? undefined : readJson(row.details)
  return {
    ...{ id: row.id, at: row.at, event: row.event },
    ...(row.client_id !== null && { clientId: row.client_id }),
    ...(row.user_id !== null && { userId: row.user_id }),
    ...(row.grant_id !== null && { grantId: row.grant_id }),
    ...(row.by !== null && { by: row.by }),
    ...(row.address !== null && { address: row.address }),
    ...(isObject(details) && { details }),
  }
}

export function fromAuditEntry(entry: AuditEntry) {
  const { id, at, event, clientId = null, userId = null, grantId = null, by = null, address = null } = entry
  const details = entry.details === undefined ? null : JSON.stringify(entry.details)
  return { id, at, event, clientId, userId, grantId, by, address, details }
}
