import type { Actor } from '../actor.js'
import type { AuthorizationDetail } from '../options.js'
import type { Confirmation } from '../sender.js'
import type { FoundRecord, StoredRecord } from '../store/records.js'
import type { Authentication } from './authentication.js'
import type { Handle } from './handle.js'
import { knownContent } from './record-content.js'
import { withoutWithdrawn } from './withdrawn.js'

/** What an access token stands for. */
export interface AccessTokenData {
  readonly clientId: string
  /** `createdAt` of the client. Undefined where the token ends with a grant to that client, and so with the client. */
  readonly clientSince?: number | undefined
  /** Undefined where the client speaks for itself (RFC 6749 §4.4). */
  readonly userId?: string | undefined
  readonly scopes: readonly string[]
  /** The resources it is good for, and what lies below them (RFC 8707 §2.2); never empty. */
  readonly audience: readonly string[]
  /** Claims that the userinfo endpoint gives beside those of the scopes. */
  readonly claims?: readonly string[] | undefined
  /** Milliseconds. */
  readonly issuedAt: number
  /** How the user signed in; undefined where there is none. */
  readonly authentication?: Omit<Authentication, 'session'> | undefined
  readonly confirmation?: Confirmation | undefined
  readonly authorizationDetails?: readonly AuthorizationDetail[] | undefined
  /** Who acts for the user with this token, where that is not the client that they allowed it. */
  readonly actor?: Actor | undefined
}

/** What a token hangs on, and dies with. */
export interface Lineage {
  /** Undefined where no user has granted anything. */
  readonly grantId?: string | undefined
  readonly familyId: string
}

/** What hangs on what a user granted. */
export type GrantedLineage = Lineage & { readonly grantId: string }

/** What a code or a token hangs on. */
export function lineageOf({ id, grantId, familyId }: FoundRecord): GrantedLineage {
  if (grantId !== undefined && familyId !== undefined) return { grantId, familyId }
  throw new Error(`The record ${id} hangs on no grant.`)
}

export function accessTokenRecord(handle: Handle, lineage: Lineage, data: AccessTokenData): StoredRecord {
  return {
    id: handle.id,
    kind: 'access',
    hash: handle.hash,
    grantId: lineage.grantId,
    familyId: lineage.familyId,
    data: JSON.stringify(data),
  }
}

export function accessTokenData(record: FoundRecord): AccessTokenData {
  return withoutWithdrawn(record, knownContent<AccessTokenData>(record))
}
