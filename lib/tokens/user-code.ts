import { hash, randomInt } from 'node:crypto'
import { recordId } from '../record-id.js'
import type { FoundRecord, StoredRecord } from '../store/records.js'
import type { Store } from '../store/store.js'
import { contentOf } from './record-content.js'

/** RFC 8628 §6.1: letters of every keyboard's first page, without vowels, so that no word comes out; 20^8 codes are 2^34.5. */
const ALPHABET = 'BCDFGHJKLMNPQRSTVWXZ'
const HALF = 4
const SHAPE = new RegExp(`^[${ALPHABET}${ALPHABET.toLowerCase()}]{${2 * HALF}}$`)

/** The longest that a code can live, in milliseconds; whatever expires within the same such span lies side by side. */
const SPAN = 900_000

/** What the record of a user code says. */
export interface UserCodeData {
  /** The id of the record of its device code. */
  readonly device: string
  /** Milliseconds. */
  readonly expiresAt: number
  /** The users who have been shown what it asks for, the last of them last. */
  readonly shownTo: readonly string[]
}

/** A user code, and the record of it. */
export interface KeptUserCode {
  readonly code: string
  readonly record: FoundRecord
  readonly data: UserCodeData
}

/** Who decided, and how; kept on the record of a user code that has been used. */
export interface UserCodeTrace {
  readonly userId: string
  readonly decision: 'approved' | 'denied'
}

/** A new code in the form in which it is shown: `WDJB-MJHT`. */
export function newUserCode(): string {
  const half = () => Array.from({ length: HALF }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
  return `${half()}-${half()}`
}

/**
 * What somebody has entered, in the form in which codes are shown; undefined for what can be none. Any case will do, and hyphens and white
 * space do not count (RFC 8628 §6.1). Nothing else is taken for a letter that it resembles.
 */
export function readUserCode(entered: string): string | undefined {
  const letters = entered.replace(/[\s-]+/g, '')
  if (!SHAPE.test(letters)) return undefined
  const code = letters.toUpperCase()
  return `${code.slice(0, HALF)}-${code.slice(HALF)}`
}

export function userCodeRecord(code: string, data: UserCodeData): StoredRecord {
  const span = Math.ceil(data.expiresAt / SPAN)
  return { id: idIn(span, code), kind: 'user_code', hash: digest(code), data: JSON.stringify(data) }
}

/** What is kept on the record when it is used up. */
export function userCodeTrace(trace: UserCodeTrace): string {
  return JSON.stringify(trace)
}

/**
 * The record of a code: of one that is alive, or was lately. A code does not say when it expires, as a handle does, but there are only
 * three spans in which it can.
 */
export async function findUserCode(
  store: Store,
  code: string,
  now: number,
): Promise<KeptUserCode | undefined> {
  const current = Math.floor(now / SPAN)
  const spans = [current + 2, current + 1, current]
  const records = await Promise.all(spans.map((span) => store.find(idIn(span, code))))
  const record = records.find((found) => found !== undefined && digest(code).equals(found.hash))
  const data = record && contentOf<UserCodeData>(record)
  return record && data && { code, record, data }
}

/** Its record outlives the span in which it expires by another one, so that a code that is too old is told from a wrong one. */
function idIn(span: number, code: string): string {
  return recordId((span + 1) * SPAN, digest(code))
}

function digest(code: string): Buffer {
  return hash('sha256', code, 'buffer')
}
