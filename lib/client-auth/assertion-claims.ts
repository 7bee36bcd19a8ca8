import { aboutTimes, endOfAssertion, isForNobodyElse, isJti } from '../keys/jwt-claims.js'
import type { JwtClaims } from '../keys/keys.js'
import type { SingleUse } from '../single-use.js'
import type { Client } from '../store/records.js'
import type { Verification } from './credentials.js'
import { invalidClient } from './refusal.js'

/** RFC 7523 §3 with the rules of draft-ietf-oauth-rfc7523bis: whom it is for, when, and that it is this one. */
export function checkAssertion(
  claims: JwtClaims,
  client: Client,
  { runtime, endpoint }: Pick<Verification, 'runtime' | 'endpoint'>,
): SingleUse {
  const { issuer, profile } = runtime.settings
  const audience = client.acceptEndpointAudience ? [issuer, issuer + endpoint] : [issuer]
  const inList = profile.onlyIssuerAsAudience && typeof claims.aud !== 'string'
  if (inList || !isForNobodyElse(claims.aud, audience))
    throw invalidClient(
      `aud of the client_assertion must be ${audience.join(' or ')}, and nothing else${profile.onlyIssuerAsAudience ? ', as text' : ''}.`,
      'assertion_audience',
    )
  const expiresAt = endOfAssertion(claims, runtime.now())
  if (typeof expiresAt === 'string')
    throw invalidClient(aboutTimes('client_assertion', expiresAt), `assertion_${expiresAt}`)
  const { jti } = claims
  if (isJti(jti)) return { owner: client.id, jti, expiresAt }
  throw invalidClient('The client_assertion needs a jti of 1 to 255 characters.', 'assertion_jti')
}
