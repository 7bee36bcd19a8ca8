import type { JwtClaims } from './keys.js'

/** What clocks may differ by, in milliseconds (FAPI 2.0 Security Profile §5.3.2.1). */
const SKEW = 10_000

/** Milliseconds. For longer than this a stolen assertion must not be of use, nor one that was used be remembered. */
const LONGEST = 3_600_000

/** What is wrong with the times of a JWT: `exp` is no time, past or too far ahead; `iat` or `nbf` is no time, or lies in the future. */
type TimeProblem = 'exp_missing' | 'expired' | 'lifetime' | 'not_yet_valid'

/** What is wrong with the times that a JWT states, of which it need not state any (RFC 7519 §4.1); undefined where nothing is. `now` in milliseconds. */
export function timeProblem({ exp, nbf, iat }: JwtClaims, now: number): TimeProblem | undefined {
  if (exp !== undefined) {
    const expiresAt = milliseconds(exp)
    if (expiresAt === undefined) return 'exp_missing'
    if (expiresAt + SKEW <= now) return 'expired'
  }
  for (const begins of [nbf, iat]) {
    if (begins === undefined) continue
    const from = milliseconds(begins)
    if (from === undefined || from - SKEW > now) return 'not_yet_valid'
  }
  return undefined
}

/** The millisecond from which on an assertion, which has to end (RFC 7523 §3), is refused, or why it is refused now. */
export function endOfAssertion(claims: JwtClaims, now: number): number | TimeProblem {
  const expiresAt = milliseconds(claims.exp)
  if (expiresAt === undefined) return 'exp_missing'
  const tooLong = expiresAt - SKEW > now + LONGEST
  return timeProblem(claims, now) ?? (tooLong ? 'lifetime' : Math.ceil(expiresAt + SKEW))
}

/** What a refusal says of it. `jwt`: what it is. */
export function aboutTimes(jwt: string, problem: TimeProblem): string {
  return {
    exp_missing: `exp of the ${jwt} must be a number of seconds since 1970.`,
    expired: `The ${jwt} has expired. Send a new one. Is the clock right where it was made?`,
    lifetime: `exp of the ${jwt} must be at most an hour ahead.`,
    not_yet_valid: `iat and nbf of the ${jwt} must be numbers of seconds since 1970, and not in the future. Is the clock right where it was made?`,
  }[problem]
}

/** Whether `aud` has these names and no others (RFC 7519 §4.1.3): a JWT that is for two servers could be used at the one by the other. */
export function isForNobodyElse(aud: unknown, names: readonly string[]): boolean {
  const audience: readonly unknown[] = Array.isArray(aud) ? Array.from(aud) : [aud]
  return (
    audience.length > 0 &&
    audience.length <= names.length &&
    audience.every((one) => names.some((name) => name === one))
  )
}

/** RFC 7519 §2, NumericDate: seconds, which may have a fraction. */
function milliseconds(date: unknown): number | undefined {
  return typeof date === 'number' && Number.isFinite(date) ? date * 1000 : undefined
}

/** Whether a `jti` tells a JWT apart from others, and is no longer than what is worth remembering (RFC 7519 §4.1.7). */
export function isJti(jti: unknown): jti is string {
  return typeof jti === 'string' && jti !== '' && jti.length <= 255
}

/** Whether a JWT says of itself that it is of one of these types, in lower case, or says nothing: none that was made for something else (RFC 8725 §3.11). */
export function mayBeOfType(typ: unknown, types: readonly string[]): boolean {
  return typ === undefined || (typeof typ === 'string' && types.includes(typ.toLowerCase()))
}
