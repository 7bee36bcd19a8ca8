import { OAuthError } from '../errors.js'

/** RFC 6750 §2.1 */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i

/** How a request presents an access token. */
export interface PresentedToken {
  /** The Authorization header. */
  readonly authorization: string | undefined
  /** Whether there is a second Authorization header, or the token stands elsewhere too: one request, one method (RFC 6750 §2). */
  readonly ambiguous: boolean
}

/** The token from the Authorization header. */
export function bearerToken({ authorization, ambiguous }: PresentedToken): string {
  if (authorization === undefined || !/^bearer(?: |$)/i.test(authorization)) throw noToken()
  const [, token] = BEARER.exec(authorization) ?? []
  if (token !== undefined && !ambiguous) return token
  throw new OAuthError('invalid_request', 'Send one access token, as Authorization: Bearer and the token.', {
    reason: 'token_malformed',
  })
}

function noToken(): OAuthError {
  return new OAuthError(
    'invalid_token',
    'No access token was sent: add the header Authorization: Bearer and the token.',
    { reason: 'token_missing' },
  )
}
