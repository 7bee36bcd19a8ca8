import { hash } from 'node:crypto'
import type { Jwk } from '../options.js'
import { type Jws, readJws } from './jws.js'

/** A DPoP proof as it was sent (RFC 9449 §4.2), of which nothing is proven yet. */
export interface DpopProof extends Jws {
  readonly typ: unknown
  readonly jwk: Jwk
  /** SHA-256 thumbprint of the key (RFC 7638). */
  readonly thumbprint: string
}

/** The members that a thumbprint is made of, in the order of RFC 7638 §3.3, by the type of key (§3.2, RFC 8037 §2). */
const MEMBERS: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['RSA', ['e', 'kty', 'n']],
  ['EC', ['crv', 'kty', 'x', 'y']],
  ['OKP', ['crv', 'kty', 'x']],
])

/** Undefined for what is no JWT with a public key in its header. */
export function readDpopProof(compact: string): DpopProof | undefined {
  const jws = readJws(compact)
  const jwk = jws?.header.jwk
  if (jws === undefined || !isObject(jwk)) return undefined
  const thumbprint = thumbprintOf(jwk)
  return thumbprint === undefined ? undefined : { ...jws, typ: jws.header.typ, jwk, thumbprint }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function thumbprintOf(jwk: Readonly<Record<string, unknown>>): string | undefined {
  const members = MEMBERS.get(jwk.kty)?.map((name) => [name, jwk[name]] as const)
  if (!members?.every(([, value]) => typeof value === 'string' && /^[\w-]+$/.test(value))) return undefined
  return hash('sha256', JSON.stringify(Object.fromEntries(members)), 'base64url')
}
