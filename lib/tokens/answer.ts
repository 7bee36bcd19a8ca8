import type { AuthorizationDetail } from '../options.js'
import type { Confirmation } from '../sender.js'
import { expiryOf, type Handle } from './handle.js'

/** A successful answer of the token endpoint (RFC 6749 §5.1); what is undefined is left out of it. `scope` is there even where it is what was asked for, since clients rely on it. */
export interface TokenAnswer {
  readonly access_token: string
  readonly token_type: 'Bearer' | 'DPoP'
  /** Seconds. */
  readonly expires_in: number
  readonly refresh_token?: string | undefined
  readonly id_token?: string | undefined
  /** Left out where nothing but details was granted: an empty one there is not (RFC 6749 §A.4). */
  readonly scope?: string | undefined
  /** What was granted in detail (RFC 9396 §7). */
  readonly authorization_details?: readonly AuthorizationDetail[] | undefined
  /** What kind of token it is; only where tokens are exchanged (RFC 8693 §2.2.1). */
  readonly issued_token_type?: string | undefined
}

/** What a token request is answered with. */
export interface Issued {
  readonly access: Handle
  readonly refresh?: Handle | undefined
  readonly idToken?: string | undefined
  readonly scopes: readonly string[]
  readonly confirmation?: Confirmation | undefined
  readonly authorizationDetails?: readonly AuthorizationDetail[] | undefined
}

export function tokenAnswer(
  { access, refresh, idToken, scopes, confirmation, authorizationDetails }: Issued,
  now: number,
): TokenAnswer {
  return {
    access_token: access.value,
    token_type: confirmation?.jkt === undefined ? 'Bearer' : 'DPoP',
    expires_in: Math.max(0, Math.ceil((expiryOf(access.id) - now) / 1000)),
    refresh_token: refresh?.value,
    id_token: idToken,
    scope: scopes.length > 0 ? scopes.join(' ') : undefined,
    authorization_details: authorizationDetails,
  }
}
