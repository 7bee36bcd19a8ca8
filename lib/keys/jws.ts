import { flawOfJson } from '../json-text.js'
import type { JwtClaims } from './keys.js'

/** In characters. Nothing that is sent to us is nearly as long. */
const LONGEST = 16 * 1024
/** Each of them changes what is signed or how it is read (RFC 7515 §4.1.11, RFC 7797, RFC 7516 §4.1.3). */
const EXTENSIONS = ['crit', 'b64', 'zip']

/** A signed JWT as it was sent, of which nothing is proven yet. */
export interface Jws {
  readonly compact: string
  readonly alg: string
  /** Whether its header has `crit`, `b64` or `zip`. */
  readonly extended: boolean
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: JwtClaims
}

/** Reads a compact JWS whose payload is a JSON object (RFC 7519 §7.2), and verifies nothing. Undefined for anything else. */
export function readJws(compact: string): Jws | undefined {
  if (compact.length > LONGEST || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(compact)) return undefined
  const [header, claims] = compact.split('.', 2).map(readObject)
  if (header === undefined || claims === undefined || typeof header.alg !== 'string') return undefined
  const extended = EXTENSIONS.some((name) => Object.hasOwn(header, name))
  return { compact, alg: header.alg, extended, header, claims }
}

/** RFC 7515 §4, RFC 7519 §4: names of members are unique, and two readers must not see two different things. */
function readObject(segment: string): Record<string, unknown> | undefined {
  try {
    const bytes = Buffer.from(segment, 'base64url')
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return flawOfJson(text) === undefined ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
