import { covers } from '../authorization/resource.js'
import { OAuthError } from '../errors.js'
import type { Runtime } from '../runtime.js'
import type { FoundRecord } from '../store/records.js'
import { type AccessTokenData, accessTokenData } from '../tokens/access-token.js'
import { findByHandle } from '../tokens/find.js'
import { expiryOf } from '../tokens/handle.js'

/** An access token that is good at a resource. */
export interface LiveToken {
  readonly record: FoundRecord
  readonly data: AccessTokenData
  /** Milliseconds. */
  readonly expiresAt: number
}

/** Opaque or a JWT: what it is worth says its record. */
export async function liveToken(
  { store, now }: Runtime,
  token: string,
  resource: string,
): Promise<LiveToken> {
  const record = await findByHandle(store, 'access', token)
  if (record === undefined) throw invalidToken('token_unknown')
  if (!record.alive) throw invalidToken('grant_revoked')
  const expiresAt = expiryOf(record.id)
  if (expiresAt <= now()) throw invalidToken('token_expired')
  const data = accessTokenData(record)
  if (!covers(data.audience, resource)) throw invalidToken('token_for_other_resource')
  return { record, data, expiresAt }
}

export function invalidToken(reason: string): OAuthError {
  return new OAuthError('invalid_token', 'The access token is not valid here, has expired or was revoked.', {
    reason,
  })
}

export function insufficientScope(scopes: readonly string[]): OAuthError {
  return new OAuthError('insufficient_scope', `This needs the scope: ${scopes.join(' ')}`, {
    reason: 'insufficient_scope',
  })
}
