import type { FoundRecord, StoredRecord } from '../store/records.js'
import type { Handle } from './handle.js'

/** What an access token stands for. */
export interface AccessTokenData {
  readonly clientId: string
  readonly userId: string
  readonly scopes: readonly string[]
  /** The resources it is good for, and what lies below them (RFC 8707 §2.2); never empty. */
  readonly audience: readonly string[]
  /** Claims that the userinfo endpoint gives beside those of the scopes. */
  readonly claims?: readonly string[]
}

/** What a token hangs on, and dies with. */
export interface Lineage {
  readonly grantId: string
  readonly familyId: string
}

/** What a code or a token hangs on. */
export function lineageOf({ id, grantId, familyId }: FoundRecord): Lineage {
  if (grantId !== undefined && familyId !== undefined) return { grantId, familyId }
  throw new Error(`The record ${id} hangs on no grant.`)
}

export function accessTokenRecord(handle: Handle, lineage: Lineage, data: AccessTokenData): StoredRecord {
  return { id: handle.id, kind: 'access', hash: handle.hash, ...lineage, data: JSON.stringify(data) }
}

export function accessTokenData(record: FoundRecord): AccessTokenData {
  return JSON.parse(record.data)
}
