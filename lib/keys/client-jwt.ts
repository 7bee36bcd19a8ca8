import type { KeyObject } from 'node:crypto'
import { compactVerify } from 'jose'
import type { Jwk } from '../options.js'
import type { Profile } from '../profile.js'
import { type Jws, readJws } from './jws.js'
import type { JwtClaims } from './keys.js'

/** With a key pair (RFC 7518 §3.3 to §3.5, RFC 8037 §3.1, RFC 9864 §2). */
export const KEY_ALGS: readonly string[] = [
  ...['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'],
  ...['RS384', 'RS512', 'PS384', 'PS512', 'ES384', 'ES512'],
]
/** With a shared secret (RFC 7518 §3.2), and the least bytes that it may have. */
export const MAC_ALGS: ReadonlyMap<string, number> = new Map([
  ['HS256', 32],
  ['HS384', 48],
  ['HS512', 64],
])

/** Those of the first kind that count here. */
export function keyAlgs({ algs }: Pick<Profile, 'algs'>): readonly string[] {
  return algs === undefined ? KEY_ALGS : KEY_ALGS.filter((alg) => algs.includes(alg))
}

const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }
const ED25519 = ['EdDSA', 'Ed25519']

/** A JWT as it was sent, of which nothing is proven yet. */
export interface ClientJwt {
  readonly compact: string
  readonly alg: string
  readonly kid: string | undefined
  readonly typ: unknown
  readonly extended: boolean
  readonly claims: JwtClaims
}

/** Reads a compact JWS whose payload is a JSON object (RFC 7519 §7.2), and verifies nothing. Undefined for anything else. */
export function readClientJwt(compact: string): ClientJwt | undefined {
  const jws = readJws(compact)
  const kid = jws?.header.kid
  if (jws === undefined || (kid !== undefined && typeof kid !== 'string')) return undefined
  const { alg, extended, header, claims } = jws
  return { compact, alg, kid, typ: header.typ, extended, claims }
}

/**
 * Whether this key, or this secret, has signed a JWT with the algorithm that its header names, which the caller has to have allowed. Never
 * rejects, whatever was sent.
 */
export async function isSignedBy(
  { compact, alg }: Pick<Jws, 'compact' | 'alg'>,
  by: KeyObject | string,
): Promise<boolean> {
  // Which kind of key is used follows from what the caller holds, never from the JWT (RFC 8725 §2.1).
  const isMac = typeof by === 'string'
  if (isMac ? !MAC_ALGS.has(alg) : !KEY_ALGS.includes(alg)) return false
  try {
    await compactVerify(compact, isMac ? new TextEncoder().encode(by) : by, { algorithms: [alg] })
    return true
  } catch {
    return false
  }
}

/** An algorithm under each of its names: RFC 9864 gave `EdDSA` with Ed25519 keys one of its own, and libraries use either. */
export function namesOfAlg(alg: string): readonly string[] {
  return ED25519.includes(alg) ? ED25519 : [alg]
}

/** Whether a key can make signatures of this algorithm. */
export function fitsAlg({ kty, crv, alg, use }: Jwk, wanted: string): boolean {
  const names = namesOfAlg(wanted)
  if (use !== undefined && use !== 'sig') return false
  if (alg !== undefined && !names.includes(String(alg))) return false
  if (wanted in CURVES) return kty === 'EC' && crv === CURVES[wanted]
  if (names === ED25519) return kty === 'OKP' && crv === 'Ed25519'
  return kty === 'RSA'
}

/** Whether a key could have signed a JWT. One without `kid` could whatever the header says, since many publish a single key and name it in one place only. */
export function mayHaveSigned(key: Jwk, { alg, kid }: ClientJwt): boolean {
  return fitsAlg(key, alg) && (kid === undefined || key.kid === undefined || key.kid === kid)
}
