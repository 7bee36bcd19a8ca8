import { ConfigurationError } from '../errors.js'
import type { Jwk, Lifetimes } from '../options.js'
import { JWKS_MAX_AGE, SIGNING_ALGS } from './keys.js'
import { publicPart } from './public-part.js'
import type { SigningAlg } from './signing-keys.js'

/** A key as it lies in the store; times in milliseconds. */
export interface StoredKey {
  readonly kid: string
  readonly alg: SigningAlg
  readonly createdAt: number
  /** When every copy of the JWK Set that anybody keeps has it; it does not sign before. */
  readonly knownFrom: number
  readonly signsFrom: number
  /** Without its private part once nothing that it signed lives any more. */
  readonly jwk: Jwk
}

/** What a key does. */
type KeyState = 'next' | 'current' | 'retired'

/** All keys, in the order in which they were made. */
export type KeyDocument = readonly StoredKey[]

/** A process reads the document anew where its own copy is older. */
export const RELOAD_AFTER = 50_000
/** How long copies of an earlier JWK Set last: a process publishes it for a minute, reading and clocks included, and others keep it. */
export const COPIES_LAST = 60_000 + JWKS_MAX_AGE * 1000
/** How long what a key signed can still be told to be ours, as an `id_token_hint`, after it has left the JWK Set. */
const REMEMBERED = 365 * 86_400_000

/**
 * The document that a text is. One that is damaged is never taken for nothing, nor for one without the keys that cannot be read: new keys in their
 * place would lock out whoever trusts the old ones.
 *
 * @throws ConfigurationError that says what is damaged.
 */
export function parseDocument(text: string): KeyDocument {
  const document = readDocument(text)
  const damaged = document?.findIndex((key) => !isStoredKey(key)) ?? 0
  if (document !== undefined && damaged < 0) return document as KeyDocument
  const which = document === undefined ? '' : ` (number ${damaged + 1} of ${document.length})`
  throw new ConfigurationError(
    'store',
    `holds signing keys that are damaged${which}`,
    'Restore the row of oauth_keys from a backup. Where there is none, delete that row: new keys are made then, and what the old ones have signed counts no more.',
  )
}

function readDocument(text: string): readonly unknown[] | undefined {
  try {
    const document: unknown = JSON.parse(text)
    return Array.isArray(document) ? document : undefined
  } catch {
    return undefined
  }
}

function isStoredKey(value: unknown): boolean {
  const { kid, alg, jwk, ...times } = (value ?? {}) as { readonly [Name in keyof StoredKey]?: unknown }
  const { kty, d = '' } = (jwk ?? {}) as { readonly kty?: unknown; readonly d?: unknown }
  return (
    [kid, kty, d].every((text) => typeof text === 'string') &&
    SIGNING_ALGS.some((known) => known === alg) &&
    [times.createdAt, times.knownFrom, times.signsFrom].every(Number.isSafeInteger)
  )
}

/** The key that signs. Where a clock was set back to before all of them, it is the first one that can. */
export function currentKey(document: KeyDocument, alg: SigningAlg, now: number): StoredKey | undefined {
  const able = inOrder(document, alg).filter(canSign)
  return able.findLast(({ signsFrom }) => signsFrom <= now) ?? able[0]
}

export function canSign({ jwk }: StoredKey): boolean {
  return jwk.d !== undefined
}

/** The keys of an algorithm, in the order in which they sign. */
function inOrder(document: KeyDocument, alg: SigningAlg): StoredKey[] {
  return document.filter((key) => key.alg === alg).sort((a, b) => a.signsFrom - b.signsFrom)
}

/** Each key, by algorithm and in the order in which they sign, with what it does; `endedAt` is when a retired one stopped signing. */
export function keyStates(
  document: KeyDocument,
  now: number,
): { key: StoredKey; state: KeyState; endedAt?: number }[] {
  return SIGNING_ALGS.flatMap((alg) => {
    const keys = inOrder(document, alg)
    const signing = currentKey(document, alg, now)
    const current = signing === undefined ? -1 : keys.indexOf(signing)
    return keys.map((key, index) => {
      if (index >= current) return { key, state: index === current ? 'current' : 'next' } as const
      return { key, state: 'retired', endedAt: keys[index + 1]?.signsFrom ?? now } as const
    })
  })
}

/** What relying parties may need: the current keys, those that follow, and those of which something signed may still live. */
export function publishedKeys(document: KeyDocument, lifetimes: Lifetimes, now: number): StoredKey[] {
  const states = keyStates(document, now).filter(
    ({ endedAt = now }) => now - endedAt <= publishedFor(lifetimes),
  )
  // Some relying parties take the first key that they find.
  const order = ['current', 'next', 'retired']
  return states.sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state)).map(({ key }) => key)
}

/** Until the last thing that it signed is dead, though a process with an old copy of the document should have signed it. */
function publishedFor({ idToken, accessToken }: Lifetimes): number {
  return Math.max(idToken, accessToken) * 1000 + COPIES_LAST
}

/** Without private parts that no longer sign, and without keys that nobody can remember. */
export function pruned(document: KeyDocument, lifetimes: Lifetimes, now: number): KeyDocument {
  const ends = new Map(keyStates(document, now).map(({ key, endedAt = now }) => [key, now - endedAt]))
  return document.flatMap((key) => {
    const since = (ends.get(key) ?? 0) - publishedFor(lifetimes)
    if (since > REMEMBERED) return []
    return since > 0 && canSign(key) ? [{ ...key, jwk: publicPart(key.jwk) }] : [key]
  })
}

/** The algorithms for which no key signs, or none stands ready to follow; twice where both are missing. */
export function missingAlgs(document: KeyDocument, now: number): SigningAlg[] {
  const states = keyStates(document, now)
  return SIGNING_ALGS.flatMap((alg) => {
    const has = (state: KeyState) => states.some((it) => it.key.alg === alg && it.state === state)
    return [...(has('current') ? [] : [alg]), ...(has('next') ? [] : [alg])]
  })
}

/** With keys more, each of which signs when the one before it has signed for as long as it shall. */
export function withKeys(
  document: KeyDocument,
  made: readonly Pick<StoredKey, 'kid' | 'alg' | 'jwk'>[],
  { signingKey }: Lifetimes,
  now: number,
): KeyDocument {
  // Nobody can have a copy of the JWK Set that is older than the first keys.
  const knownFrom = document.length === 0 ? now : now + COPIES_LAST
  const keys = [...document]
  for (const key of made) {
    const last = inOrder(keys, key.alg).findLast(canSign)
    const signsFrom = last === undefined ? now : Math.max(last.signsFrom + signingKey * 1000, knownFrom)
    keys.push({ ...key, createdAt: now, knownFrom, signsFrom })
  }
  return keys
}

/** Without a key that nobody may trust any more. Where it signed, the next one does now, whether everybody knows it yet or not. */
export function withoutKey(document: KeyDocument, kid: string, now: number): KeyDocument {
  const states = keyStates(document, now)
  const left = document.filter((key) => key.kid !== kid)
  const revoked = states.find(({ key }) => key.kid === kid)
  if (revoked?.state !== 'current') return left
  const next = states.find(({ key, state }) => state === 'next' && key.alg === revoked.key.alg)?.key
  return left.map((key) => (key === next ? { ...key, signsFrom: now } : key))
}

/** With the next keys signing `lifetimes.signingKey` after the current ones began, or now; never before everybody knows them. */
export function broughtForward(
  document: KeyDocument,
  when: Pick<Lifetimes, 'signingKey'> | 'now',
  now: number,
): KeyDocument {
  const states = keyStates(document, now)
  return document.map((key) => {
    const [current, next] = (['current', 'next'] as const).map((state) =>
      states.find((it) => it.key.alg === key.alg && it.state === state),
    )
    if (key !== next?.key) return key
    const due = when === 'now' || !current ? now : current.key.signsFrom + when.signingKey * 1000
    const signsFrom = Math.max(due, now, key.knownFrom)
    return signsFrom < key.signsFrom ? { ...key, signsFrom } : key
  })
}
