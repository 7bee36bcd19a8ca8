import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { OAuthError } from '../errors.js'
import type { JsonReply } from '../http/reply.js'
import type { MachineRequest } from '../http/request.js'
import { optional } from '../optional.js'
import type { Runtime } from '../runtime.js'
import type { FoundRecord } from '../store/records.js'
import { type AccessTokenData, accessTokenData, lineageOf } from '../tokens/access-token.js'
import { findToken } from '../tokens/find.js'
import { expiryOf } from '../tokens/handle.js'
import { familyExpiry, refreshTokenData } from '../tokens/refresh-token.js'
import { tokenParameter } from './token-parameter.js'

/** RFC 7009 §2.2: the same where there was nothing to end. An object, since some clients take every answer for JSON. */
const DONE: JsonReply = { status: 200, body: {} }

/**
 * Ends a token of the client that asks (RFC 7009 §2.1): an access token alone; with a refresh token, also one that was rotated, all that
 * came of the same authorization.
 */
export async function revoke(
  runtime: Runtime,
  client: AuthenticatedClient,
  { parameters }: MachineRequest,
): Promise<JsonReply> {
  const record = await findToken(runtime.store, tokenParameter(parameters))
  // One that has expired may still be there or not, which must make no difference.
  if (record === undefined || expiryOf(record.id) <= runtime.now()) return DONE
  const { kind, grantId } = record
  const { clientId, userId }: Pick<AccessTokenData, 'clientId' | 'userId'> =
    kind === 'access' ? accessTokenData(record) : refreshTokenData(record)
  if (clientId !== client.id)
    throw new OAuthError(
      'invalid_grant',
      'This token was not issued to this client. Revoke it as the client that it was issued to.',
      { reason: 'token_of_other_client' },
    )
  const ended =
    kind === 'access' ? await endAccessToken(runtime, record) : await endFamily(runtime, client, record)
  if (ended) {
    const whose = { clientId, ...optional('userId', userId), ...optional('grantId', grantId) }
    runtime.emit('token.revoked', { ...whose, kind })
  }
  return DONE
}

async function endAccessToken({ store, now }: Runtime, record: FoundRecord): Promise<boolean> {
  return (await store.consume(record.id, { now: now() }, [])).won
}

/** One that was rotated ends it too: its client wants nothing to be left of it, nor of a refresh that is under way. */
async function endFamily(
  { store, settings }: Runtime,
  client: AuthenticatedClient,
  record: FoundRecord,
): Promise<boolean> {
  if (!record.alive) return false
  await store.revokeFamily(lineageOf(record).familyId, familyExpiry(record, settings, client))
  return true
}
