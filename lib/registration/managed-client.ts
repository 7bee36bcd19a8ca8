import { isForgotten } from '../clients/lasting.js'
import { OAuthError } from '../errors.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { bearerToken, isOneOf, registrationTokenDigest } from './registration-token.js'

/** Who asks for a client: by which id, and with which header. */
export interface Manager {
  readonly id: string
  readonly authorization: string | undefined
}

/** The client that manages itself, and the token with which it does. */
export interface Managed {
  readonly client: Client
  readonly token: string
}

/** Of 16 bytes, in base64url: ids of clients that come by themselves look like this, and what does not is none. */
const ID = /^[\w-]{22}$/

/** What is compared where there is no client, so that a look at the clock tells nobody which ids there are. */
const NOBODY = registrationTokenDigest('')

/**
 * The client of a registration access token (RFC 7592 §2). That of another one, and one that is unknown, blocked, made by the host or shared by
 * several, are all the same refusal.
 */
export async function managedClient(
  { clients, store, now }: Pick<Runtime, 'clients' | 'store' | 'now'>,
  { id, authorization }: Manager,
): Promise<Managed> {
  const token = bearerToken(authorization)
  if (token === undefined) throw unauthorized(authorization !== undefined)
  const found = ID.test(id) && !clients.has(id) ? await store.findClient(id) : undefined
  const client = found?.disabled || (found && isForgotten(found, now())) ? undefined : found
  if (!isOneOf(token, [client?.registrationToken ?? NOBODY]) || client?.registrationToken === undefined)
    throw unauthorized(true)
  return { client, token }
}

/** RFC 6750 §3: where no token came, the challenge names no error. */
export function unauthorized(presented: boolean): OAuthError {
  const description = presented
    ? 'The token is wrong, or is not for this. Send Authorization: Bearer and the token that you were given.'
    : 'Send the token that you were given, as Authorization: Bearer.'
  return new OAuthError('invalid_token', description, {
    reason: presented ? 'registration_token_wrong' : 'registration_token_missing',
    headers: {
      'WWW-Authenticate': presented
        ? `Bearer error="invalid_token", error_description="${description}"`
        : 'Bearer realm="registration"',
    },
  })
}
