import { hash } from 'node:crypto'
import { recordId } from './record-id.js'
import type { StoredRecord } from './store/records.js'
import type { Store } from './store/store.js'

/** Milliseconds. The clocks of processes differ, and step back: what was purged by one could be good again by another. */
const MARGIN = 300_000

/**
 * A JWT of which each may be used once: what is used up is its `owner`, `jti` and `expiresAt` together. So a `jti` with another expiry is
 * another JWT, which nobody but its sender can have signed; what is sent again has the same one.
 */
export interface SingleUse {
  /** Whose `jti` it is, so that two senders may choose the same: a client's id, the thumbprint of a key. Without a NUL. */
  readonly owner: string
  /** RFC 7519 §4.1.7. */
  readonly jti: string
  /** The millisecond from which on it is refused anyway. A fraction is rounded up. */
  readonly expiresAt: number
}

type Kind = 'assertion' | 'proof'

/**
 * The record that something was used up by its `jti` (RFC 7523 §3, RFC 9449 §11.1), for every process on the store and for as long as it
 * could be sent again. Its id is made of what is used up, the expiry included, so that of any number of inserts one succeeds, and where the store fails none does.
 */
export function useRecord(kind: Kind, { owner, jti, expiresAt }: SingleUse): StoredRecord {
  const digest = hash('sha256', `${kind}\0${owner}\0${jti}`, 'buffer')
  return { id: recordId(expiresAt + MARGIN, digest), kind, hash: digest, data: '{}' }
}

/**
 * Uses something up. False where it was used before.
 *
 * @throws StoreUnavailableError while the store cannot answer.
 */
export async function useOnce(store: Store, kind: Kind, use: SingleUse): Promise<boolean> {
  return store.insert([useRecord(kind, use)])
}
