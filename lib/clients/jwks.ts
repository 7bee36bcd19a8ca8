import { createPublicKey, type JsonWebKeyInput } from 'node:crypto'
import type { JsonWebKey } from '../options.js'
import type { Client } from '../store/records.js'
import { invalid } from './fields.js'

/** RFC 7518 §6.2.2, §6.3.2, §6.4: whoever has one of these can sign for the client. */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1']
/** Bits. NIST SP 800-131A refuses shorter ones, and verifying with longer ones takes long. */
const RSA = { least: 2048, most: 8192 }

/** The key set of a client (RFC 7517 §5), each key of which must be fit to verify its signatures. */
export function readJwks(value: unknown): Client['jwks'] | undefined {
  if (value === undefined) return undefined
  const keys = keysOf(value)
  if (keys === undefined || keys.length === 0) {
    throw invalid('jwks', 'is not a JWK Set', 'Write { keys: [{ kty, ... }] } with one key or more.')
  }
  const usable = keys.map((key, index) => {
    if (!isKey(key)) throw invalid('jwks', `has no key at keys[${index}]`, 'Give each key as an object.')
    // Sets for several purposes are common. What a client lets others encrypt with is never looked at here, but must be public.
    const problem = secrecyProblem(key) ?? (key.use === 'enc' ? undefined : strengthProblem(key))
    if (problem !== undefined) throw invalid('jwks', `has at keys[${index}] ${problem[0]}`, problem[1])
    return { ...key }
  })
  return { keys: usable }
}

/** Those keys of a set that may verify a signature. It came from elsewhere, so the others are passed over (RFC 7517 §5). */
export function usableKeys(fetched: unknown): readonly JsonWebKey[] {
  const keys = keysOf(fetched) ?? []
  return keys
    .filter(isKey)
    .filter((key) => secrecyProblem(key) === undefined && strengthProblem(key) === undefined)
}

type Problem = readonly [problem: string, remedy: string]

function secrecyProblem(key: JsonWebKey): Problem | undefined {
  if (key.kty === 'oct') return ['a symmetric key', 'Give public keys: RSA, EC or OKP.']
  const secret = PRIVATE.find((name) => Object.hasOwn(key, name))
  if (secret === undefined) return undefined
  return [
    `the private part of a key (${secret})`,
    'Give its public part, and make a new key: this one is known.',
  ]
}

function strengthProblem(key: JsonWebKey): Problem | undefined {
  const unusable: Problem = [
    'no public key for signatures',
    'Give RSA keys of 2048 bits or more, EC keys on P-256, P-384 or P-521, or OKP keys on Ed25519.',
  ]
  if (!['RSA', 'EC', 'OKP'].includes(String(key.kty)) || !isForVerifying(key)) return unusable
  try {
    const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = createPublicKey({
      key,
      format: 'jwk',
    } as JsonWebKeyInput)
    if (type === 'ed25519') return undefined
    if (type === 'ec') return CURVES.includes(details.namedCurve ?? '') ? undefined : unusable
    if (type !== 'rsa') return unusable
    const { modulusLength: bits = 0, publicExponent = 0n } = details
    // With the exponent 1 anybody can sign.
    if (publicExponent < 3n || publicExponent % 2n === 0n) return unusable
    if (bits >= RSA.least && bits <= RSA.most) return undefined
    return [`an RSA key of ${bits} bits`, `Give one of ${RSA.least} bits or more, at most ${RSA.most}.`]
  } catch {
    return unusable
  }
}

/** RFC 7517 §4.2, §4.3. */
function isForVerifying({ use, key_ops: operations, kid, alg }: JsonWebKey): boolean {
  if (use !== undefined && use !== 'sig') return false
  if (![kid, alg].every((member) => member === undefined || typeof member === 'string')) return false
  return operations === undefined || (Array.isArray(operations) && operations.includes('verify'))
}

function keysOf(value: unknown): readonly unknown[] | undefined {
  const { keys } = isKey(value) ? value : {}
  // A hole in the list becomes undefined, and is refused like any other thing that is no key.
  return Array.isArray(keys) ? Array.from(keys) : undefined
}

function isKey(value: unknown): value is JsonWebKey {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
