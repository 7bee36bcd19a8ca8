import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

/** RFC 6750 §2.1; the scheme in any case (RFC 9110 §11.1). */
const BEARER = /^bearer ([A-Za-z0-9._~+/-]+=*)$/i

/** A registration access token (RFC 7592 §3): 256 bits. */
export function newRegistrationToken(): string {
  return randomBytes(32).toString('base64url')
}

export function registrationTokenDigest(token: string): string {
  return hash('sha256', token)
}

/** The token in an Authorization header; undefined where it is not written as it should be. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return BEARER.exec(authorization ?? '')?.[1]
}

/** Whether a token is one of these, which takes as long for any as for another of as many. */
export function isOneOf(token: string, digests: readonly string[]): boolean {
  const presented = Buffer.from(registrationTokenDigest(token), 'hex')
  const matches = digests.filter((digest) => timingSafeEqual(presented, Buffer.from(digest, 'hex')))
  return matches.length > 0
}
