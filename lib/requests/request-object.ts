import { MOST_KEYS } from '../clients/jwks.js'
import { type KeyProblem, KeySearch } from '../clients/key-search.js'
import { forDevelopers, OAuthError } from '../errors.js'
import { type ClientJwt, keyAlgs, namesOfAlg, readClientJwt } from '../keys/client-jwt.js'
import { mayBeOfType } from '../keys/jwt-claims.js'
import type { JwtClaims } from '../keys/keys.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { requestRefusal } from './refusal.js'

/** RFC 9101 §10.8: a JWT that was made for something else is not taken for a request. */
const TYPES = ['jwt', 'oauth-authz-req+jwt']
/** Anybody can send one through a browser, so one without `kid` costs less here than where a client proves itself. */
const MOST_SIGNATURES = 4

type Refusal = readonly [description: string, reason: string]

/** What a client has signed, or why it counts for nothing. */
type VerifiedObject = { readonly claims: JwtClaims } | { readonly refusal: OAuthError }

/**
 * The claims of a request object that this client has signed, for a request of its own (RFC 9101 §4, §6.2). What they ask for is not
 * looked at.
 *
 * @throws PageError `temporarily_unavailable` where the client's keys cannot be had.
 */
export async function verifyRequestObject(
  runtime: Runtime,
  client: Client,
  compact: string,
): Promise<VerifiedObject> {
  const jwt = readClientJwt(compact)
  if (jwt === undefined) return refused(MALFORMED)
  const flaw = flawOfHeader(jwt, client, runtime) ?? flawOfSender(jwt.claims, client)
  if (flaw !== undefined) return refused(flaw)
  if (client.jwks === undefined && client.jwksUri === undefined) return refused(NO_KEYS)
  const problem = await keyProblem(runtime, client, jwt)
  return problem === undefined ? { claims: jwt.claims } : refused(KEY_PROBLEMS[problem])
}

function flawOfHeader(
  { typ, alg, extended }: ClientJwt,
  client: Client,
  { settings }: Runtime,
): Refusal | undefined {
  if (extended)
    return [
      'The request object must have neither crit nor b64 nor zip in its header. Sign it without them.',
      'request_object_header',
    ]
  if (!mayBeOfType(typ, TYPES))
    return [
      'typ of the request object must be oauth-authz-req+jwt or JWT, or left out.',
      'request_object_typ',
    ]
  const { requestObjectSigningAlg: registered } = client
  const algs = registered === undefined ? keyAlgs(settings.profile) : namesOfAlg(registered)
  if (algs.includes(alg)) return undefined
  const allowed = registered === undefined ? 'one of' : 'the request_object_signing_alg of this application'
  return [`alg of the request object must be ${allowed}: ${algs.join(' ')}`, 'request_object_algorithm']
}

/** Whose it is (RFC 9101 §5, §6.3). With the client as `sub` it could be sent again as proof of the client, by whoever sees it in the browser (§10.8). */
function flawOfSender({ iss, sub, client_id }: JwtClaims, { id }: Client): Refusal | undefined {
  const named = [client_id, iss].filter((name) => name !== undefined)
  if (named.length === 0 || named.some((name) => name !== id))
    return [
      'client_id and iss of the request object must be the client_id beside it; one of them may be left out.',
      'request_object_client',
    ]
  if (sub !== id) return undefined
  return [
    'sub of the request object must not be the client_id: so it could be taken for a client assertion. Leave it out.',
    'request_object_subject',
  ]
}

/** Where its keys cannot be had, nothing says that the request is this client's, so it is not the client who is told. */
async function keyProblem(runtime: Runtime, client: Client, jwt: ClientJwt): Promise<KeyProblem | undefined> {
  try {
    return await new KeySearch(runtime, jwt, MOST_SIGNATURES).amongKeysOf(client)
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    const { code, message, reason, headers, cause } = error
    const page = { key: 'error.client_keys_unavailable', ...forDevelopers(message) }
    throw requestRefusal(code, client, page, { reason, headers, cause })
  }
}

const MALFORMED: Refusal = [
  'request is not a signed JWT: three parts of base64url without padding, the first two of them JSON objects, at most 16 KB.',
  'request_object_malformed',
]
const NO_KEYS: Refusal = [
  'This application has registered no keys, so it cannot send a request object. It has to register jwks or jwks_uri.',
  'request_object_keys_missing',
]
const KEY_PROBLEMS: Readonly<Record<KeyProblem, Refusal>> = {
  too_many_keys: [`This application has more than ${MOST_KEYS} keys, which is too many.`, 'jwks_too_large'],
  no_key: [
    'No key of this application has the kid and fits the alg that the header of the request object names.',
    'request_object_key',
  ],
  signature: [
    'The signature of the request object must be made with a key of this application.',
    'request_object_signature',
  ],
}

function refused([description, reason]: Refusal): VerifiedObject {
  return { refusal: new OAuthError('invalid_request_object', description, { reason }) }
}
