import type { AuthorizationDetail } from '../options.js'
import type { ClaimsRequest } from '../standard-claims.js'
import type { FoundRecord, StoredRecord } from '../store/records.js'
import type { Authentication } from './authentication.js'
import { expiryOf, type Handle } from './handle.js'
import { knownContent } from './record-content.js'
import { withoutWithdrawn } from './withdrawn.js'

/** For how long the record of a code outlives it, in milliseconds: a late replay is still known for one. */
const REMEMBERED = 600_000

/** What an authorization code stands for, all of which its redemption must match (RFC 6749 §4.1.3, RFC 7636 §4.6). */
export interface CodeData {
  readonly clientId: string
  readonly userId: string
  readonly redirectUri: string
  readonly redirectUriLeftOut?: boolean | undefined
  readonly scopes: readonly string[]
  readonly resources: readonly string[]
  readonly codeChallenge?: string | undefined
  readonly nonce?: string | undefined
  /** Only with proofs of this key it can be redeemed (RFC 9449 §10). */
  readonly dpopJkt?: string | undefined
  readonly authorizationDetails?: readonly AuthorizationDetail[] | undefined
  readonly claims?: ClaimsRequest | undefined
  readonly authentication: Authentication
  /** Whether the client is told when the login ends, so that the code ends with it. */
  readonly endsWithLogin?: boolean | undefined
  /** When the user approved, in milliseconds. */
  readonly approvedAt: number
  /** How often it was presented with a verifier that does not match. */
  readonly wrongVerifiers: number
}

export function codeRecord(handle: Handle, grantId: string, data: CodeData): StoredRecord {
  return {
    id: handle.id,
    kind: 'code',
    hash: handle.hash,
    grantId,
    familyId: handle.id,
    data: JSON.stringify(data),
  }
}

/** The expiry of the handle of a code that is issued now and lives for `lifetime` seconds; in milliseconds. */
export function codeHandleExpiry(now: number, lifetime: number): number {
  return now + lifetime * 1000 + REMEMBERED
}

/** When a code stops being good, in milliseconds. */
export function codeExpiry(record: FoundRecord): number {
  return expiryOf(record.id) - REMEMBERED
}

export function codeData(record: FoundRecord): CodeData {
  return withoutWithdrawn(record, knownContent<CodeData>(record))
}
