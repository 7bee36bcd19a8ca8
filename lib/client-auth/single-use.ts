import { hash } from 'node:crypto'
import type { Store } from '../store/store.js'
import type { SingleUse } from './credentials.js'
import { invalidClient } from './refusal.js'

/** How the id of a record begins: its expiry in milliseconds, twelve hexadecimal digits. */
const EXPIRY = 12
/** Bytes of the digest that follow. */
const DIGEST = 10

/**
 * Uses an assertion up (RFC 7523 §3, `jti`), for every process on the store and for as long as it could be sent again. The id of the
 * record is made of what is used up, so that of any number of inserts one succeeds, and where the store fails none does.
 */
export async function useOnce(store: Store, clientId: string, { jti, expiresAt }: SingleUse): Promise<void> {
  // No client id has a NUL in it.
  const digest = hash('sha256', `${clientId}\0${jti}`, 'buffer')
  const id = expiresAt.toString(16).padStart(EXPIRY, '0') + digest.toString('hex', 0, DIGEST)
  if (await store.insert([{ id, kind: 'assertion', hash: digest, data: '{}' }])) return
  throw invalidClient(
    'This client_assertion was used before. Make a new one, with a jti of its own, for each request.',
    'assertion_replayed',
  )
}
