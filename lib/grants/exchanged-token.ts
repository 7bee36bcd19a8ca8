import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { findHolder } from '../clients/find.js'
import { OAuthError } from '../errors.js'
import { optional } from '../optional.js'
import type { ExchangedToken } from '../options.js'
import type { Parameters } from '../parameters.js'
import type { Runtime } from '../runtime.js'
import type { Confirmation } from '../sender.js'
import type { Client, FoundRecord } from '../store/records.js'
import { type AccessTokenData, accessTokenData } from '../tokens/access-token.js'
import { findByHandle } from '../tokens/find.js'
import { flawOf } from '../tokens/flaw.js'
import { readJwtHandle } from '../tokens/jwt-access-token.js'

/** RFC 8693 §3: an access token of ours, whatever its format; the same where it is a JWT. */
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
export const JWT = 'urn:ietf:params:oauth:token-type:jwt'

/** The part that a token plays in an exchange: whom the new one shall be about, or who acts. */
type Role = 'subject' | 'actor'

/** An access token that was brought to be exchanged, live and proven. */
export interface Brought {
  readonly record: FoundRecord
  readonly data: AccessTokenData
  /** The client that it was issued to. */
  readonly client: Client
}

/** The value of `subject_token` or `actor_token`, undefined where there is none; each goes with its type (RFC 8693 §2.1). */
function presented(parameters: Parameters, role: Role): string | undefined {
  const token = parameters.get(`${role}_token`)
  const type = parameters.get(`${role}_token_type`)
  if (token === undefined && type === undefined) return undefined
  if (token === undefined)
    throw refused(
      `${role}_token is missing. Send it with ${role}_token_type, or neither.`,
      `${role}_token_missing`,
    )
  if (type === undefined)
    throw refused(`${role}_token_type is missing. It must be ${ACCESS_TOKEN}.`, `${role}_token_type_missing`)
  const fits = type === ACCESS_TOKEN || (type === JWT && readJwtHandle(token) !== undefined)
  if (fits) return token
  throw refused(
    `${role}_token_type must be ${ACCESS_TOKEN}, or ${JWT} for an access token of this server that is a JWT.`,
    `${role}_token_type`,
  )
}

/** Finds the token that plays this part, and everything that makes it good. `confirmation`: what the request proves to hold. */
export async function broughtToken(
  runtime: Runtime,
  parameters: Parameters,
  role: Role,
  confirmation: Confirmation | undefined,
): Promise<Brought | undefined> {
  const token = presented(parameters, role)
  if (token === undefined) return undefined
  const dead = (reason: string) =>
    refused(
      `The ${role}_token is not known here, has expired or was revoked. Bring a new one.`,
      `${role}_${reason}`,
    )
  const record = await findByHandle(runtime.store, 'access', token)
  if (record === undefined) throw dead('token_unknown')
  const data = accessTokenData(record)
  const flaw = flawOf(record, data, runtime.settings, runtime.now())
  if (flaw !== undefined) throw dead(flaw)
  const client = await findHolder(runtime, data)
  if (client === undefined) throw dead('client_unknown')
  if (!proves(confirmation, data.confirmation))
    throw refused(
      `The ${role}_token is bound to a key or a certificate: prove with this request that you hold it.`,
      `${role}_token_bound`,
    )
  return { record, data, client }
}

/** Whether a request proves to hold everything that a token is bound to (RFC 7800 §3.1). */
function proves(presented: Confirmation = {}, bound: Confirmation = {}): boolean {
  const kinds: readonly (keyof Confirmation)[] = ['jkt', 'x5t#S256']
  return kinds.every((kind) => bound[kind] === undefined || bound[kind] === presented[kind])
}

/** What the host's policy gets to know of a token. */
export function toldOf({ data: { clientId, userId, scopes, audience, actor } }: Brought): ExchangedToken {
  return {
    clientId,
    ...optional('userId', userId),
    ...{ scopes: [...scopes], resources: [...audience] },
    ...optional('actor', structuredClone(actor)),
  }
}

/** Only the client itself can say that it acts: somebody else's token, however it was come by, makes nobody that somebody. */
export function checkActor(actor: Brought | undefined, client: AuthenticatedClient): void {
  if (actor === undefined) return
  if (actor.data.clientId !== client.id)
    throw refused(
      'The actor_token was issued to another client. Bring one that this client got, or none.',
      'actor_of_other_client',
    )
  if (actor.data.actor !== undefined)
    throw refused(
      'The actor_token was itself exchanged. Bring the one of who really acts.',
      'actor_delegated',
    )
}

/** RFC 8693 §2.2.2: whatever is wrong with the tokens that were brought is `invalid_request`. */
export function refused(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason })
}
