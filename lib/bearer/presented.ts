import { OAuthError } from '../errors.js'

/** RFC 6750 §2.1, RFC 9449 §7.1 */
const CREDENTIALS = /^(bearer|dpop) +([A-Za-z0-9._~+/-]+=*) *$/i

/** How an access token is used: by whoever has it, or with a proof of the key that it is bound to. */
export type TokenScheme = 'Bearer' | 'DPoP'

const SCHEMES: readonly TokenScheme[] = ['Bearer', 'DPoP']

/** An access token as it was sent. */
export interface PresentedToken {
  readonly scheme: TokenScheme
  readonly token: string
}

/** The scheme of an Authorization header; undefined where it presents no access token. */
export function schemeOf(authorization: string | undefined): TokenScheme | undefined {
  const [, scheme] = /^(bearer|dpop)(?: |$)/i.exec(authorization ?? '') ?? []
  return SCHEMES.find((known) => known.toLowerCase() === scheme?.toLowerCase())
}

/** The token from the Authorization header. */
export function presentedToken({
  authorization = '',
  ambiguous,
}: {
  readonly authorization: string | undefined
  /** Whether there is a second Authorization header, or the token stands elsewhere too: one request, one method (RFC 6750 §2). */
  readonly ambiguous: boolean
}): PresentedToken {
  const [, name, token] = CREDENTIALS.exec(authorization) ?? []
  const scheme = name === 'Bearer' ? name : schemeOf(authorization)
  if (scheme === undefined) throw noToken()
  if (token !== undefined && !ambiguous) return { scheme, token }
  throw new OAuthError(
    'invalid_request',
    'Send one access token, as Authorization: Bearer, or DPoP where it is bound to a key, and the token.',
    { reason: 'token_malformed' },
  )
}

function noToken(): OAuthError {
  return new OAuthError(
    'invalid_token',
    'No access token was sent: add the header Authorization: Bearer, or DPoP where it is bound to a key, and the token.',
    { reason: 'token_missing' },
  )
}
