import type { OAuthError } from '../errors.js'
import { type ClientJwt, readClientJwt } from '../keys/client-jwt.js'
import { mayBeOfType } from '../keys/jwt-claims.js'
import type { JwtClaims } from '../keys/keys.js'
import type { Parameters } from '../parameters.js'
import type { Client } from '../store/records.js'
import { checkAssertion } from './assertion-claims.js'
import type { Credentials, Presented, PresentedAssertion, Verification } from './credentials.js'
import { invalidClient } from './refusal.js'

/** RFC 7523 §2.2. */
const TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const TYPES = ['jwt', 'client-authentication+jwt']

/** The JWT that a request brings as proof (RFC 7521 §4.2), or half of one: it is one way of authentication either way. */
export function presentedAssertion(parameters: Parameters): PresentedAssertion | undefined {
  const compact = parameters.get('client_assertion')
  const type = parameters.get('client_assertion_type')
  if (compact === undefined && type === undefined) return undefined
  return { compact, jwt: compact === undefined ? undefined : readClientJwt(compact), type }
}

/** Whether an assertion says that a shared secret has made it. Which method is allowed follows from the registration. */
export function claimsMac({ jwt }: PresentedAssertion): boolean {
  return jwt?.alg.startsWith('HS') === true
}

/** Rejects with `invalid_client` where an assertion is not signed by its client. */
type VerifySignature = (jwt: ClientJwt, client: Client, verification: Verification) => Promise<void>

/** What both methods with a JWT have in common; they differ in who could have signed it. */
export function readAssertion(
  { parameters, assertion }: Presented,
  verifySignature: VerifySignature,
): Credentials {
  if (assertion?.compact === undefined)
    throw invalidClient('client_assertion is missing beside client_assertion_type.', 'assertion_missing')
  if (assertion.type !== TYPE)
    throw invalidClient(`client_assertion_type must be ${TYPE}.`, 'assertion_type_unknown')
  const { jwt } = assertion
  if (jwt === undefined) {
    throw invalidClient(
      'client_assertion is not a JWT: three parts of base64url without padding, the first two of them JSON objects, at most 16 KB.',
      'assertion_malformed',
    )
  }
  const clientId = subjectOf(jwt.claims)
  const bodyClientId = parameters.get('client_id')
  // RFC 7521 §4.2
  if (bodyClientId !== undefined && bodyClientId !== clientId)
    throw invalidClient(
      'client_id in the body is another one than in the client_assertion.',
      'client_id_conflict',
    )
  return {
    clientId,
    async verify(client, verification) {
      checkHeader(jwt)
      await verifySignature(jwt, client, verification)
      return checkAssertion(jwt.claims, client, verification)
    },
  }
}

export function algorithmRefusal(algs: readonly string[]): OAuthError {
  return invalidClient(`alg of the client_assertion must be one of: ${algs.join(' ')}`, 'assertion_algorithm')
}

export function signatureRefusal(): OAuthError {
  return invalidClient(
    'The signature of the client_assertion must be made with the key or secret of this client.',
    'assertion_signature',
  )
}

/** RFC 7523 §3: both claims name the client. */
function subjectOf({ iss, sub }: JwtClaims): string {
  if (typeof sub === 'string' && sub !== '' && iss === sub) return sub
  throw invalidClient('iss and sub of the client_assertion must both be the client_id.', 'assertion_subject')
}

/** RFC 8725 §3.11, draft-ietf-oauth-rfc7523bis §4: a JWT that was made for something else is not taken for an assertion. */
function checkHeader({ typ, extended }: ClientJwt): void {
  if (extended)
    throw invalidClient(
      'The client_assertion must have neither crit nor b64 nor zip in its header. Sign it without them.',
      'assertion_header',
    )
  if (!mayBeOfType(typ, TYPES))
    throw invalidClient(
      'typ of the client_assertion must be client-authentication+jwt or JWT, or left out.',
      'assertion_typ',
    )
}
