import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import type { AccessTokenData } from './access-token.js'
import { authenticationClaims } from './authentication.js'
import { expiryOf } from './handle.js'
import { subjectOf } from './subject.js'

/** As they go into JSON: what is undefined is not there. */
export type TokenClaims = Readonly<Record<string, unknown>>

type TokenData = Pick<
  AccessTokenData,
  'userId' | 'scopes' | 'authentication' | 'confirmation' | 'authorizationDetails'
>

/** What there is to know of a token of this client with this id, under the names of RFC 7662 §2.2. Times in seconds. */
export function tokenClaims(settings: Settings, client: Client, id: string, data: TokenData): TokenClaims {
  return {
    iss: settings.issuer,
    // RFC 9068 §2.2: where no user is involved, it is about the client.
    sub: data.userId === undefined ? client.id : subjectOf(settings, client, data.userId),
    exp: Math.floor(expiryOf(id) / 1000),
    client_id: client.id,
    // RFC 6749 §3.3 knows no empty scope.
    scope: data.scopes.length > 0 ? data.scopes.join(' ') : undefined,
    ...(data.authentication && authenticationClaims(data.authentication)),
    cnf: data.confirmation,
    authorization_details: data.authorizationDetails,
  }
}

/** What an access token says of itself: the claims of the JWT (RFC 9068 §2.2), and the same of an opaque one (RFC 7662 §2.2). */
export function accessTokenClaims(
  settings: Settings,
  client: Client,
  id: string,
  data: AccessTokenData,
): TokenClaims {
  const [only, ...others] = data.audience
  return {
    aud: others.length === 0 ? only : data.audience,
    iat: Math.floor(data.issuedAt / 1000),
    jti: id,
    act: data.actor,
    ...tokenClaims(settings, client, id, data),
  }
}
