import type { Keys } from '../keys/keys.js'

/** What one of our ID tokens says when it comes back as `id_token_hint`. */
export interface IdTokenHint {
  /** Whom it was issued to. Whether there still is such a client is for the caller to find out. */
  readonly clientId: string
  /** The user, as that client knows them. */
  readonly sub: string
  /** The login session at the host that it was issued in. */
  readonly sid?: string
}

/**
 * Reads an `id_token_hint`: an ID token that we signed, expired or not (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2). Undefined for
 * anything else, another JWT of ours included: only an ID token has both `exp` and one client as its audience.
 */
export async function readIdTokenHint(
  keys: Pick<Keys, 'verify'>,
  hint: string,
  issuer: string,
): Promise<IdTokenHint | undefined> {
  const claims = await keys.verify(hint, 'JWT')
  if (claims === undefined || claims.iss !== issuer) return undefined
  const { aud, sub, exp, iat, sid } = claims
  const clientId: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud
  if (typeof clientId !== 'string' || typeof sub !== 'string' || sub === '') return undefined
  if (typeof exp !== 'number' || typeof iat !== 'number') return undefined
  return { clientId, sub, ...(typeof sid === 'string' && { sid }) }
}
