/** Hexadecimal digits of the millisecond of expiry with which an id begins. */
const TIME = 12
/** Bytes of the digest that follow. */
const DIGEST = 10

/**
 * The id of a record that is found by what it is about, and not by a handle. `expiresAt`: milliseconds; a fraction is rounded up. `digest`:
 * SHA-256 of what it is about, so that the same thing cannot be inserted twice with one expiry.
 */
export function recordId(expiresAt: number, digest: Uint8Array): string {
  const time = Math.ceil(expiresAt).toString(16).padStart(TIME, '0')
  return time + Buffer.from(digest).toString('hex', 0, DIGEST)
}
