import { fitsAlg, KEY_ALGS } from '../keys/client-jwt.js'
import { optional } from '../optional.js'
import type { ClientMetadata } from '../options.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { boolean, invalid, oneOf } from './fields.js'
import { saysVerifying } from './jwks.js'

const SIGNED = 'require_signed_request_object'
const SIGNING_ALG = 'request_object_signing_alg'
const PUSHED = 'require_pushed_authorization_requests'

type RequestFields = Pick<
  Client,
  'requestObjectSigningAlg' | 'requireSignedRequestObject' | 'requirePushedAuthorizationRequests'
>

/** In which way a client sends its authorization requests (RFC 9101 §10.5, RFC 9126 §6). */
export function requestFields(
  metadata: ClientMetadata,
  { jwks, jwksUri }: Pick<Client, 'jwks' | 'jwksUri'>,
  { features }: Pick<Settings, 'features'>,
): RequestFields {
  const alg = oneOf(SIGNING_ALG, metadata[SIGNING_ALG], KEY_ALGS)
  const signed = boolean(SIGNED, metadata[SIGNED])
  if (signed && jwks === undefined && jwksUri === undefined)
    throw invalid(
      SIGNED,
      'is true although the client has no keys',
      'Give its public keys as jwks, or where it publishes them as jwks_uri.',
    )
  const fits = jwks?.keys.some((key) => saysVerifying(key) && (alg === undefined || fitsAlg(key, alg)))
  if ((signed || alg !== undefined) && fits === false)
    throw invalid('jwks', `has no key for ${alg ?? 'signatures'}`, `Add one, or change ${SIGNING_ALG}.`)
  return {
    ...optional('requestObjectSigningAlg', alg),
    ...optional('requireSignedRequestObject', signed),
    ...optional('requirePushedAuthorizationRequests', requiresPushed(metadata, features)),
  }
}

function requiresPushed(
  metadata: ClientMetadata,
  { pushedAuthorizationRequests: isOffered }: Settings['features'],
): boolean | undefined {
  const pushed = boolean(PUSHED, metadata[PUSHED])
  if (!pushed || isOffered) return pushed
  throw invalid(PUSHED, 'is true', 'Leave features.pushedAuthorizationRequests on, or there is no /par.')
}

/** The same under the names of the specifications. */
export function requestMetadata(client: Client): ClientMetadata {
  return {
    ...optional(SIGNING_ALG, client.requestObjectSigningAlg),
    ...optional(SIGNED, client.requireSignedRequestObject),
    ...optional(PUSHED, client.requirePushedAuthorizationRequests),
  }
}
