import type { JwtClaims } from '../keys/keys.js'
import type { Client } from '../store/records.js'
import type { SingleUse, Verification } from './credentials.js'
import { invalidClient } from './refusal.js'

/** What clocks may differ by, in milliseconds (FAPI 2.0 Security Profile §5.3.2.1). */
const SKEW = 10_000
/** Milliseconds. For longer than this a stolen assertion must not be of use, nor one that was used be remembered. */
const LONGEST = 3_600_000

/** RFC 7523 §3 with the rules of draft-ietf-oauth-rfc7523bis: whom it is for, when, and that it is this one. */
export function checkAssertion(
  claims: JwtClaims,
  client: Client,
  { runtime, endpoint }: Pick<Verification, 'runtime' | 'endpoint'>,
): SingleUse {
  const { issuer } = runtime.settings
  checkAudience(claims.aud, client.acceptEndpointAudience ? [issuer, issuer + endpoint] : [issuer])
  const expiresAt = checkTimes(claims, runtime.now())
  const { jti } = claims
  if (typeof jti === 'string' && jti !== '' && jti.length <= 255) return { jti, expiresAt }
  throw invalidClient('The client_assertion needs a jti of 1 to 255 characters.', 'assertion_jti')
}

/** An assertion that is for two servers could be used at the one by the other. */
function checkAudience(aud: unknown, accepted: readonly string[]): void {
  const named: readonly unknown[] = Array.isArray(aud) ? Array.from(aud) : [aud]
  const mine = named.length > 0 && named.every((one) => accepted.some((url) => url === one))
  if (mine && named.length <= accepted.length) return
  throw invalidClient(
    `aud of the client_assertion must be ${accepted.join(' or ')}, and nothing else.`,
    'assertion_audience',
  )
}

/** Answers the millisecond from which on the assertion is refused. */
function checkTimes({ exp, nbf, iat }: JwtClaims, now: number): number {
  const expiresAt = milliseconds(exp)
  if (expiresAt === undefined)
    throw invalidClient(
      'The client_assertion needs exp, a number of seconds since 1970.',
      'assertion_exp_missing',
    )
  if (expiresAt + SKEW <= now) throw invalidClient('The client_assertion has expired.', 'assertion_expired')
  if (expiresAt - SKEW > now + LONGEST)
    throw invalidClient('exp of the client_assertion is more than an hour ahead.', 'assertion_lifetime')
  for (const begins of [nbf, iat]) {
    if (begins === undefined) continue
    const from = milliseconds(begins)
    if (from === undefined || from - SKEW > now)
      throw invalidClient(
        'iat and nbf of the client_assertion must be numbers of seconds since 1970, and not in the future.',
        'assertion_not_yet_valid',
      )
  }
  return Math.ceil(expiresAt + SKEW)
}

/** RFC 7519 §2, NumericDate: seconds, which may have a fraction. */
function milliseconds(date: unknown): number | undefined {
  return typeof date === 'number' && Number.isFinite(date) ? date * 1000 : undefined
}
