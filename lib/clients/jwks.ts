import { createPublicKey, type JsonWebKeyInput, type KeyObject } from 'node:crypto'
import { publicPart } from '../keys/public-part.js'
import type { Jwk } from '../options.js'
import type { Client } from '../store/records.js'
import { invalid } from './fields.js'

/** RFC 7518 §6.2.2, §6.3.2, §6.4: whoever has one of these can sign for the client. */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1']
/** Bits. NIST SP 800-131A refuses shorter ones, and verifying with longer ones takes long. */
const RSA = { least: 2048, most: 8192 }
/** With the exponent 1 anybody can sign, and a long one makes verifying as slow as signing. */
const EXPONENT = { least: 3n, most: 2n ** 32n }

/** Keys that one client may have. Nobody needs nearly as many, and a request looks at each of them. */
export const MOST_KEYS = 50

/** The key set of a client (RFC 7517 §5), each key of which must be fit to verify its signatures. */
export function readJwks(value: unknown): Client['jwks'] | undefined {
  if (value === undefined) return undefined
  const keys = listedKeys(value)
  if (keys === undefined || keys.length === 0) {
    throw invalid('jwks', 'is not a JWK Set', 'Write { keys: [{ kty, ... }] } with one key or more.')
  }
  if (keys.length > MOST_KEYS)
    throw invalid('jwks', `has more than ${MOST_KEYS} keys`, 'Leave out those that are not in use.')
  const usable = keys.map((key, index) => {
    if (!isKey(key)) throw invalid('jwks', `has no key at keys[${index}]`, 'Give each key as an object.')
    // Sets for several purposes are common. What a client lets others encrypt with is never looked at here, but must be public.
    const problem = secrecyProblem(key) ?? (key.use === 'enc' ? undefined : strengthProblem(key))
    if (problem !== undefined) throw invalid('jwks', `has at keys[${index}] ${problem[0]}`, problem[1])
    return { ...key }
  })
  return { keys: usable }
}

/** What a JWK Set lists, keys or not; undefined where it is no JWK Set. */
export function listedKeys(set: unknown): readonly unknown[] | undefined {
  const { keys } = isKey(set) ? (set as { readonly keys?: unknown }) : {}
  // A hole in the list becomes undefined, and is refused like any other thing that is no key.
  return Array.isArray(keys) ? Array.from(keys) : undefined
}

export function isKey(value: unknown): value is Jwk {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether a JWK is public, and for signatures, by what it says of itself (RFC 7517 §4.2, §4.3). */
export function saysVerifying(jwk: Jwk): boolean {
  const { use, key_ops: operations, kid, alg } = jwk
  if (secrecyProblem(jwk) !== undefined || (use !== undefined && use !== 'sig')) return false
  if (![kid, alg].every((member) => member === undefined || typeof member === 'string')) return false
  return operations === undefined || (Array.isArray(operations) && operations.includes('verify'))
}

type Problem = readonly [problem: string, remedy: string]

const UNUSABLE: Problem = [
  'no public key for signatures',
  'Give RSA keys of 2048 bits or more, EC keys on P-256, P-384 or P-521, or OKP keys on Ed25519.',
]

/** The key that a JWK is, or what is wrong with it. */
export function publicKey(jwk: Jwk): { readonly key: KeyObject } | { readonly problem: Problem } {
  if (!['RSA', 'EC', 'OKP'].includes(String(jwk.kty))) return { problem: UNUSABLE }
  try {
    const key = createPublicKey({ key: publicPart(jwk), format: 'jwk' } as JsonWebKeyInput)
    const problem = weakness(key)
    return problem === undefined ? { key } : { problem }
  } catch {
    return { problem: UNUSABLE }
  }
}

function secrecyProblem(key: Jwk): Problem | undefined {
  if (key.kty === 'oct') return ['a symmetric key', 'Give public keys: RSA, EC or OKP.']
  const secret = PRIVATE.find((name) => Object.hasOwn(key, name))
  if (secret === undefined) return undefined
  return [
    `the private part of a key (${secret})`,
    'Give its public part, and make a new key: this one is known.',
  ]
}

function strengthProblem(jwk: Jwk): Problem | undefined {
  if (!saysVerifying(jwk)) return UNUSABLE
  const made = publicKey(jwk)
  return 'problem' in made ? made.problem : undefined
}

function weakness({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }: KeyObject) {
  if (type === 'ed25519') return undefined
  if (type === 'ec') return CURVES.includes(details.namedCurve ?? '') ? undefined : UNUSABLE
  if (type !== 'rsa') return UNUSABLE
  const { modulusLength: bits = 0, publicExponent: exponent = 0n } = details
  if (exponent < EXPONENT.least || exponent > EXPONENT.most || exponent % 2n === 0n) return UNUSABLE
  if (bits >= RSA.least && bits <= RSA.most) return undefined
  return [
    `an RSA key of ${bits} bits`,
    `Give one of ${RSA.least} bits or more, at most ${RSA.most}.`,
  ] as const
}
