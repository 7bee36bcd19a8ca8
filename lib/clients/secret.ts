import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto'
import bcrypt from 'bcryptjs'
import type { Awaitable } from '../awaitable.js'
import { OAuthError } from '../errors.js'
import type { ClientSecret } from '../store/records.js'

const BCRYPT_ROUNDS = 10
/** Hashes that wait for their turn. One more is refused, or whoever asks for many would make everybody wait. */
const LONGEST_QUEUE = 10
/** bcrypt looks at no more bytes than these. */
const BCRYPT_LONGEST = 72

/** Bytes, so that as text it is long enough for every MAC (RFC 7518 §3.2). */
const GENERATED = 48

/** A secret that nobody can guess, of characters that need no encoding in Basic or in a form. */
export function generateSecret(): string {
  return randomBytes(GENERATED).toString('base64url')
}

/** For a secret that was generated. */
export function digestGeneratedSecret(secret: string): ClientSecret {
  return { sha256: hash('sha256', secret) }
}

/** For a secret that a person chose and that never leaves this process: nobody gets to see the digest. */
export function digestSecret(secret: string): ClientSecret {
  return { sha256: hash('sha256', secret), chosen: true }
}

/** Whether somebody could find a secret by trying. */
export function isGuessable(secret: ClientSecret): boolean {
  return 'bcrypt' in secret || 'plain' in secret || secret.chosen === true
}

/** Whether the secret itself can be had again, and not only be compared. */
export function isKept(secret: ClientSecret): boolean {
  return 'plain' in secret || 'sealed' in secret
}

/** For a secret that a person chose, whose entropy nobody knows. */
export async function hashChosenSecret(secret: string): Promise<ClientSecret> {
  return { bcrypt: await bcrypt.hash(compress(secret), BCRYPT_ROUNDS) }
}

/**
 * Compares presented secrets with stored ones. A bcrypt hash is computed once per process and secret and then remembered as a keyed
 * digest, so that the token endpoint does not pay for it twice. It holds the event loop for some 50 ms, so `mayHash` is asked
 * before each one, equal attempts share one, and they are computed one after the other.
 */
export class SecretVerifier {
  readonly #key = randomBytes(32)
  readonly #remembered = new Map<string, Uint8Array>()
  readonly #underWay = new Map<string, Promise<boolean>>()
  /** Settles when the next one may begin. */
  #free: Promise<unknown> = Promise.resolve()
  #queued = 0

  matches(presented: string, stored: ClientSecret, mayHash: () => void): Awaitable<boolean> {
    if ('sha256' in stored) return equal(Buffer.from(hash('sha256', presented)), Buffer.from(stored.sha256))
    // Those are for client_secret_jwt, so that they are never sent.
    if (!('bcrypt' in stored)) return false
    const digest = createHmac('sha256', this.#key).update(presented).digest()
    const remembered = this.#remembered.get(stored.bcrypt)
    if (remembered !== undefined && equal(remembered, digest)) return true
    const attempt = `${stored.bcrypt} ${digest.toString('base64url')}`
    const underWay = this.#underWay.get(attempt)
    if (underWay !== undefined) return underWay
    mayHash()
    if (this.#queued >= LONGEST_QUEUE) throw tooBusy()
    const comparison = this.#compare(presented, stored.bcrypt, digest).finally(() =>
      this.#underWay.delete(attempt),
    )
    this.#underWay.set(attempt, comparison)
    return comparison
  }

  #compare(presented: string, stored: string, digest: Uint8Array): Promise<boolean> {
    this.#queued++
    const hashing = this.#free.then(async () => {
      this.#queued--
      const startedAt = performance.now()
      const matches = await bcrypt.compare(compress(presented), stored)
      if (matches) this.#remembered.set(stored, digest)
      return { matches, took: performance.now() - startedAt }
    })
    this.#free = hashing.then(({ took }) => pause(took)).catch(() => undefined)
    return hashing.then(({ matches }) => matches)
  }
}

function tooBusy(): OAuthError {
  return new OAuthError('temporarily_unavailable', 'The server is busy. Try again in a moment.', {
    reason: 'too_many_hashes',
    headers: { 'Retry-After': '1' },
  })
}

/** As long as the hash took, so that however many are asked for, half of the time is for others. */
function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** Long secrets are hashed first, so that no part of them is ignored. */
function compress(secret: string): string {
  return Buffer.byteLength(secret) > BCRYPT_LONGEST ? hash('sha256', secret, 'base64url') : secret
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
