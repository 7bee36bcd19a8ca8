import { randomBytes } from 'node:crypto'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { signingAlgOf } from './id-token.js'
import { sidOf, subjectOf } from './subject.js'

/** Seconds. Its receiver is called at once, and it is made anew for each attempt. */
const LIFETIME = 120

/** Tells a client that a user's session has ended; without `session`, that all of them have (OpenID Connect Back-Channel Logout §2.4). */
export function logoutToken(
  { settings, keys, now }: Pick<Runtime, 'settings' | 'keys' | 'now'>,
  client: Client,
  { userId, session }: { readonly userId: string; readonly session?: string | undefined },
): Promise<string> {
  const iat = Math.floor(now() / 1000)
  const claims = {
    iss: settings.issuer,
    sub: subjectOf(settings, client, userId),
    aud: client.id,
    iat,
    exp: iat + LIFETIME,
    jti: randomBytes(16).toString('base64url'),
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    ...(session !== undefined && { sid: sidOf(client, session) }),
  }
  return keys.sign(claims, { alg: signingAlgOf(settings, client), typ: 'logout+jwt' })
}
