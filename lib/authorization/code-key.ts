import { OAuthError } from '../errors.js'
import type { Parameters } from '../parameters.js'
import type { Settings } from '../settings.js'

/** BASE64URL of 32 bytes, the last bits of which are no part of them. */
const THUMBPRINT = /^[\w-]{42}[AEIMQUYcgkosw048]$/

/** The thumbprint of the key with whose proofs alone the code can be redeemed (RFC 9449 §10); undefined where any will do. */
export function requestedKey(
  parameters: Parameters,
  { features }: Pick<Settings, 'features'>,
): string | undefined {
  const thumbprint = features.dpop ? parameters.get('dpop_jkt') : undefined
  if (thumbprint === undefined || THUMBPRINT.test(thumbprint)) return thumbprint
  throw new OAuthError(
    'invalid_request',
    'dpop_jkt must be the base64url SHA-256 thumbprint of a key: 43 characters, no padding (RFC 7638).',
    { reason: 'dpop_jkt_malformed' },
  )
}
