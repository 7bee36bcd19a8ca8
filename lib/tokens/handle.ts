import { hash, timingSafeEqual } from 'node:crypto'
import { takeRandom } from '../random.js'
import type { FoundRecord } from '../store/records.js'

/**
 * A handle is what the world holds of a record: a code, a token, the id of a pending request. It says where the record lies and
 * proves the right to it: 16 bytes of key (48 bits of the millisecond of expiry, 80 random bits) and 256 random bits. The key is
 * the record's id; of the whole the record holds the SHA-256 only. The key is masked with the random bits, so that handles
 * have no common beginning and show no time.
 */
export interface Handle {
  readonly value: string
  readonly id: string
  readonly hash: Uint8Array
}

const TIME = 6
const KEY = 16
const SECRET = 32
const LENGTH = Math.ceil(((KEY + SECRET) * 4) / 3)
const SHAPE = new RegExp(`^[A-Za-z0-9_-]{${LENGTH}}$`)

/** A new handle for a record that expires at this millisecond. */
export function mintHandle(expiresAt: number): Handle {
  return assemble(expiresAt, takeRandom(KEY - TIME + SECRET))
}

/** An id for a grant. It is no secret, but is never used twice: what hangs on a deleted grant stays dead. It begins with no hyphen, which on a command line would make a flag of it. */
export function newGrantId(): string {
  return takeRandom(16).toString('hex')
}

/** Randomness for `deriveHandle`, to be kept on the record that was used. */
export function newSeed(): string {
  return takeRandom(16).toString('base64url')
}

/**
 * The handle that follows from another one: whoever presents `source` again, with the seed kept in the store, gets the very same
 * successor, and neither the store nor `source` alone gives it away. So a lost answer can be given again although handles
 * rest hashed. No HMAC is needed, which takes three times as long: what is hashed has one form only, and a third of the digest stays untold.
 */
export function deriveHandle(expiresAt: number, source: string, seed: string, purpose: string): Handle {
  const bits = hash('sha512', `${purpose}:${seed}:${source}`, 'buffer')
  return assemble(expiresAt, bits.subarray(0, KEY - TIME + SECRET))
}

/** Where the record of a presented handle lies; undefined for what cannot be a handle of ours. */
export function readHandle(value: string): Handle | undefined {
  if (!SHAPE.test(value)) return undefined
  const bytes = Buffer.from(value, 'base64url')
  mask(bytes)
  return { value, id: bytes.toString('hex', 0, KEY), hash: digest(value) }
}

/** Whether the record that was found for a handle is really that handle's. */
export function isRecordOf(record: FoundRecord, handle: Handle): boolean {
  return record.hash.length === handle.hash.length && timingSafeEqual(record.hash, handle.hash)
}

/** When the record with this id expires, in milliseconds. */
export function expiryOf(id: string): number {
  return Number.parseInt(id.slice(0, TIME * 2), 16)
}

function assemble(expiresAt: number, random: Uint8Array): Handle {
  const bytes = Buffer.allocUnsafe(KEY + SECRET)
  bytes.writeUIntBE(expiresAt, 0, TIME)
  bytes.set(random, TIME)
  const id = bytes.toString('hex', 0, KEY)
  mask(bytes)
  const value = bytes.toString('base64url')
  return { value, id, hash: digest(value) }
}

/** XORs the key with the first bytes of the secret; doing it twice undoes it. */
function mask(bytes: Buffer): void {
  for (let index = 0; index < KEY; index++) bytes[index] = (bytes[index] ?? 0) ^ (bytes[KEY + index] ?? 0)
}

function digest(value: string): Uint8Array {
  return hash('sha256', value, 'buffer')
}
