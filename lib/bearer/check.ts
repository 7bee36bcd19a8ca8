import { covers } from '../authorization/resource.js'
import { findHolder } from '../clients/find.js'
import { OAuthError } from '../errors.js'
import type { Runtime } from '../runtime.js'
import type { FoundRecord } from '../store/records.js'
import { type AccessTokenData, accessTokenData } from '../tokens/access-token.js'
import { findByHandle } from '../tokens/find.js'
import { flawOf } from '../tokens/flaw.js'
import { expiryOf } from '../tokens/handle.js'

/** An access token that is good at a resource. */
export interface LiveToken {
  readonly record: FoundRecord
  readonly data: AccessTokenData
  /** Milliseconds. */
  readonly expiresAt: number
}

/** Opaque or a JWT: what it is worth says its record. */
export async function liveToken(runtime: Runtime, token: string, resource: string): Promise<LiveToken> {
  const { store, settings, now } = runtime
  const record = await findByHandle(store, 'access', token)
  if (record === undefined) throw invalidToken('token_unknown')
  const data = accessTokenData(record)
  const flaw = flawOf(record, data, settings, now())
  if (flaw !== undefined) throw invalidToken(flaw)
  if (!covers(data.audience, resource)) throw invalidToken('token_for_other_resource')
  // What users granted a client ends with it; what it has of itself, or of another client's grant by exchange, does not.
  const hasOwnGrant = data.userId !== undefined && data.actor === undefined
  if (!hasOwnGrant && (await findHolder(runtime, data)) === undefined) throw invalidToken('client_unknown')
  return { record, data, expiresAt: expiryOf(record.id) }
}

export function invalidToken(
  reason: string,
  description = 'The access token is not valid here, has expired or was revoked.',
): OAuthError {
  return new OAuthError('invalid_token', description, { reason })
}

export function insufficientScope(scopes: readonly string[]): OAuthError {
  return new OAuthError('insufficient_scope', `This needs the scope: ${scopes.join(' ')}`, {
    reason: 'insufficient_scope',
  })
}

/** RFC 6750 §3.1: the token is good, and another one of the same client would be no better; so it is not `invalid_token`, on which clients get a new one and try again. */
export function withoutUser(): OAuthError {
  return new OAuthError(
    'insufficient_scope',
    'This needs a token that a user has allowed, and this is one of the client itself.',
    { reason: 'token_without_user' },
  )
}
