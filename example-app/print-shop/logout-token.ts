import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose'
import type { ServerMetadata } from 'openid-client'

/** Whose sessions have ended: the one called `sid`, or without it all those of `sub`. */
export interface EndedSessions {
  sub: unknown
  sid: unknown
}

/** The provider's keys cannot be fetched, so what a token is worth shows later. */
export class KeysUnavailable extends Error {}

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'

/**
 * Logout tokens come without the customer's browser, from whoever calls us, so all that they are worth is the provider's signature.
 * openid-client does not read them; this is OpenID Connect Back-Channel Logout 1.0 §2.6.
 */
export function logoutTokenReader({ issuer, jwks_uri }: ServerMetadata, clientId: string) {
  const published = createRemoteJWKSet(new URL(jwks_uri ?? ''))
  const keys: JWTVerifyGetKey = async (header, token) => {
    try {
      return await published(header, token)
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
        throw error
      throw new KeysUnavailable('The keys of the provider cannot be fetched.', { cause: error })
    }
  }

  /** `undefined` says that this is no logout token for us. @throws KeysUnavailable */
  return async (token: unknown): Promise<EndedSessions | undefined> => {
    try {
      const { payload } = await jwtVerify(String(token), keys, {
        issuer,
        audience: clientId,
        typ: 'logout+jwt',
        algorithms: ['RS256'],
        requiredClaims: ['iat', 'exp', 'jti'],
      })
      const { sub, sid, events, nonce } = payload
      const isLogout = Object.hasOwn(Object(events), LOGOUT_EVENT) && nonce === undefined
      return isLogout && (sub ?? sid) !== undefined ? { sub, sid } : undefined
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined
      throw error
    }
  }
}
