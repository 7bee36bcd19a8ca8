import { OAuthError } from '../errors.js'
import { aboutTimes, timeProblem } from '../keys/jwt-claims.js'
import type { JwtClaims } from '../keys/keys.js'
import { Parameters } from '../parameters.js'

/**
 * What a request object says about itself: whom it is for and when (RFC 9101 §4, §6.2), each where it says so.
 *
 * @throws OAuthError `invalid_request_object`
 */
export function checkObjectClaims(claims: JwtClaims, issuer: string, now: number): void {
  const { aud } = claims
  const audience: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  // Unlike a client assertion it proves nothing elsewhere, so it may be for others too.
  if (aud !== undefined && !audience.includes(issuer))
    throw refusal(`aud of the request object must be ${issuer}, or an array that has it.`, 'audience')
  const problem = timeProblem(claims, now)
  if (problem !== undefined) throw refusal(aboutTimes('request object', problem), problem)
  if (claims.request !== undefined || claims.request_uri !== undefined)
    throw refusal('A request object must have neither request nor request_uri in it.', 'nested')
}

/** The parameters that a request object holds; what is no text is spelt as it would be in a query (OpenID Connect Core §6.1). */
export function parametersOf(claims: JwtClaims): Parameters {
  const spelt = Object.entries(claims).map(([name, value]) => [name, spelling(name, value)] as const)
  return Parameters.fromParsed(Object.fromEntries(spelt.filter(([, value]) => value !== undefined)))
}

function spelling(name: string, value: unknown): string | readonly string[] | undefined {
  if (value === null) return undefined
  if (typeof value === 'string') return value
  if (name !== 'resource' || !Array.isArray(value)) return JSON.stringify(value)
  // The one parameter that may repeat (RFC 8707 §2).
  const texts = value.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)))
  return texts.length > 1 ? texts : texts[0]
}

function refusal(description: string, problem: string): OAuthError {
  return new OAuthError('invalid_request_object', description, { reason: `request_object_${problem}` })
}
