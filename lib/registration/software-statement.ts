import type { RegistrationSettings } from '../client-sources.js'
import { invalid } from '../clients/fields.js'
import { MOST_KEYS } from '../clients/jwks.js'
import { type KeyProblem, KeySearch } from '../clients/key-search.js'
import { isLocalized } from '../clients/localized.js'
import { type ErrorCode, OAuthError } from '../errors.js'
import { type ClientJwt, keyAlgs, readClientJwt } from '../keys/client-jwt.js'
import { aboutTimes, mayBeOfType, timeProblem } from '../keys/jwt-claims.js'
import type { ClientMetadata } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { declaredIn } from './declared.js'

/** RFC 8725 §3.11: RFC 7591 has no type of its own for them, and what is of another one is something else. */
const TYPES = ['jwt']

/** What somebody whom the host trusts says of a client (RFC 7591 §2.3). */
export interface SoftwareStatement {
  /** As it was sent. */
  readonly compact: string
  readonly metadata: ClientMetadata
}

/** @throws OAuthError where the option demands one and a client has none. */
export function requireStatement(
  statement: SoftwareStatement | undefined,
  { requireSoftwareStatement: isRequired }: RegistrationSettings,
): void {
  if (statement !== undefined || !isRequired) return
  const remedy = 'Send one of an issuer whose statements count here.'
  throw invalid('software_statement', 'is missing', remedy)
}

/** Whether a client sends back the statement that it has already. */
export function isStatementOf({ softwareStatement }: Client, json: unknown): boolean {
  const { software_statement: compact } = (json ?? {}) as { readonly software_statement?: unknown }
  return softwareStatement !== undefined && compact === softwareStatement
}

/** The software statement in a registration, verified; undefined where there is none. */
export async function presentedStatement(
  runtime: Runtime,
  json: unknown,
  { softwareStatementIssuers: issuers }: RegistrationSettings,
): Promise<SoftwareStatement | undefined> {
  const { software_statement: compact } = (json ?? {}) as { readonly software_statement?: unknown }
  if (compact === undefined || compact === null) return undefined
  const jwt = typeof compact === 'string' ? readClientJwt(compact) : undefined
  if (jwt === undefined)
    throw refused(
      'is not a JWT: three parts of base64url without padding, the first two of them JSON objects, at most 16 KB.',
      'malformed',
    )
  const issuer = typeof jwt.claims.iss === 'string' ? issuers.get(jwt.claims.iss) : undefined
  if (issuer === undefined)
    throw refused(
      'has an iss that names no issuer whose statements count here.',
      'issuer',
      'unapproved_software_statement',
    )
  checkClaims(runtime, jwt)
  const problem = await new KeySearch(runtime, jwt).amongKeysOf(issuer)
  if (problem !== undefined) throw refused(KEY_PROBLEMS[problem], problem)
  return statementIn(jwt)
}

/** One that was verified when its client registered with it. */
export function keptStatement(compact: string | undefined): SoftwareStatement | undefined {
  const jwt = compact === undefined ? undefined : readClientJwt(compact)
  return jwt && statementIn(jwt)
}

/** What the statement says takes the place of what the client says (RFC 7591 §2.3). */
export function withStatement(
  declared: ClientMetadata,
  statement: SoftwareStatement | undefined,
): ClientMetadata {
  if (statement === undefined) return declared
  const said = Object.keys(statement.metadata).map(subjectOf)
  const others = Object.entries(declared).filter(([name]) => !said.includes(subjectOf(name)))
  return { ...Object.fromEntries(others), ...statement.metadata }
}

/** A name in another language, or keys in another place, would say of the same thing something else. */
function subjectOf(name: string): string {
  const [member = ''] = isLocalized(name) ? name.split('#', 1) : [name]
  return member === 'jwks_uri' ? 'jwks' : member
}

function statementIn({ compact, claims }: ClientJwt): SoftwareStatement {
  return { compact, metadata: declaredIn(claims) }
}

function checkClaims({ settings, now }: Runtime, { alg, typ, extended, claims }: ClientJwt): void {
  if (extended) throw refused('must have neither crit nor b64 nor zip in its header.', 'header')
  if (!mayBeOfType(typ, TYPES)) throw refused('must have the typ JWT, or none.', 'typ')
  const algs = keyAlgs(settings.profile)
  if (!algs.includes(alg)) throw refused(`must have one of these alg: ${algs.join(' ')}`, 'algorithm')
  const { aud } = claims
  const audience: readonly unknown[] = Array.isArray(aud) ? Array.from(aud) : [aud]
  if (aud !== undefined && !audience.includes(settings.issuer))
    throw refused(`is for others: aud has to name ${settings.issuer}, or be left out.`, 'audience')
  const problem = timeProblem(claims, now())
  if (problem !== undefined)
    throw new OAuthError('invalid_software_statement', aboutTimes('software_statement', problem), {
      reason: `software_statement_${problem}`,
    })
}

const KEY_PROBLEMS: Readonly<Record<KeyProblem, string>> = {
  too_many_keys: `has an issuer with more than ${MOST_KEYS} keys, which is too many.`,
  no_key: 'names by kid and alg no key of its issuer.',
  signature: 'must be signed with a key of its issuer.',
}

function refused(
  problem: string,
  reason: string,
  code: ErrorCode = 'invalid_software_statement',
): OAuthError {
  return new OAuthError(code, `software_statement ${problem}`, { reason: `software_statement_${reason}` })
}
