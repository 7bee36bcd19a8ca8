import { MOST_KEYS } from '../clients/jwks.js'
import { type KeyProblem, KeySearch } from '../clients/key-search.js'
import { OAuthError } from '../errors.js'
import { type ClientJwt, keyAlgs, readClientJwt } from '../keys/client-jwt.js'
import { aboutTimes, endOfAssertion, isForNobodyElse, isJti, mayBeOfType } from '../keys/jwt-claims.js'
import type { JwtClaims } from '../keys/keys.js'
import type { TrustedIssuer } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { SingleUse } from '../single-use.js'
import { invalidGrant } from './refusal.js'

/** RFC 8725 §3.11, draft-ietf-oauth-rfc7523bis: an ID token, an access token or a logout token of the same issuer is no grant. */
const TYPES = ['jwt', 'authorization-grant+jwt']

/** An assertion that its issuer has signed for this server, and that is good now. */
export interface VerifiedAssertion {
  readonly issuer: TrustedIssuer
  readonly claims: JwtClaims & { readonly iss: string; readonly sub: string }
  /** To be used up by whoever acts on it. */
  readonly use: SingleUse
}

/** RFC 7523 §3, in its order but for the signature, which costs most. */
export async function verifiedAssertion(
  runtime: Runtime,
  compact: string | undefined,
): Promise<VerifiedAssertion> {
  if (compact === undefined)
    throw new OAuthError(
      'invalid_request',
      'assertion is missing. Send the JWT that its issuer signed, in the body.',
      { reason: 'assertion_missing' },
    )
  const jwt = readClientJwt(compact)
  if (jwt === undefined)
    throw invalidGrant(
      'The assertion is not a JWT: three parts of base64url without padding, the first two of them JSON objects, at most 16 KB.',
      'assertion_malformed',
    )
  const { claims } = jwt
  const { iss } = claims
  const issuer = typeof iss === 'string' ? runtime.settings.trustedIssuers.get(iss) : undefined
  if (typeof iss !== 'string' || issuer === undefined)
    throw invalidGrant('iss of the assertion names no issuer that this server trusts.', 'assertion_issuer')
  checkHeader(jwt, keyAlgs(runtime.settings.profile))
  const sub = subjectFor(runtime.settings.issuer, claims)
  const expiresAt = endOfAssertion(claims, runtime.now())
  if (typeof expiresAt === 'string')
    throw invalidGrant(aboutTimes('assertion', expiresAt), `assertion_${expiresAt}`)
  const jti = jtiOf(claims)
  const problem = await new KeySearch(runtime, jwt).amongKeysOf(issuer)
  if (problem !== undefined) throw invalidGrant(KEY_PROBLEMS[problem], `assertion_${problem}`)
  // No client's id has a line break, so a client that authenticates with a JWT uses up none of an issuer's.
  return { issuer, claims: { ...claims, iss, sub }, use: { owner: `issuer\n${iss}`, jti, expiresAt } }
}

/** `algs`: those with a key pair, for whoever can verify a MAC can make one. */
function checkHeader({ alg, typ, extended }: ClientJwt, algs: readonly string[]): void {
  if (extended)
    throw invalidGrant(
      'The assertion must have neither crit nor b64 nor zip in its header. Sign it without them.',
      'assertion_header',
    )
  if (!mayBeOfType(typ, TYPES))
    throw invalidGrant(
      'typ of the assertion must be authorization-grant+jwt or JWT, or left out.',
      'assertion_typ',
    )
  if (!algs.includes(alg))
    throw invalidGrant(`alg of the assertion must be one of: ${algs.join(' ')}`, 'assertion_algorithm')
}

/** RFC 7523 §3: about whom it is, for this server and nobody else. */
function subjectFor(issuer: string, { aud, sub }: JwtClaims): string {
  if (!isForNobodyElse(aud, [issuer, `${issuer}/token`]))
    throw invalidGrant(
      `aud of the assertion must be ${issuer} or ${issuer}/token, and nothing else.`,
      'assertion_audience',
    )
  if (typeof sub === 'string' && sub !== '') return sub
  throw invalidGrant('The assertion needs sub, the user as its issuer knows them.', 'assertion_subject')
}

function jtiOf({ jti }: JwtClaims): string {
  if (isJti(jti)) return jti
  throw invalidGrant('The assertion needs a jti of 1 to 255 characters.', 'assertion_jti')
}

const KEY_PROBLEMS: Readonly<Record<KeyProblem, string>> = {
  too_many_keys: `The issuer of the assertion has more than ${MOST_KEYS} keys, which is too many.`,
  no_key: 'No key of the issuer has the kid and fits the alg that the header of the assertion names.',
  signature: 'The signature of the assertion must be made with a key of its issuer.',
}
