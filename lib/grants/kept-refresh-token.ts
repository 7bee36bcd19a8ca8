import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import type { HostUser } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Confirmation } from '../sender.js'
import type { FoundRecord } from '../store/records.js'
import { accessTokenRecord, lineageOf } from '../tokens/access-token.js'
import { type TokenAnswer, tokenAnswer } from '../tokens/answer.js'
import { noteUse } from '../tokens/use.js'
import { accessTokenDataOf, type Granted, idTokenFor, keepNew, newAccessToken } from './issued.js'
import type { Narrowed } from './narrowing.js'

/**
 * New tokens for a refresh token that stays as it is. It is in the answer again, since some clients take one without it for one that ends
 * their access. Nothing is used up, so nothing has to be found again after a lost answer.
 */
export async function besideKeptRefreshToken(
  runtime: Runtime,
  client: AuthenticatedClient,
  { value, record }: { readonly value: string; readonly record: FoundRecord },
  {
    granted,
    narrowed,
    user,
    confirmation,
  }: {
    readonly granted: Granted
    readonly narrowed: Narrowed
    readonly user: HostUser
    readonly confirmation: Confirmation | undefined
  },
): Promise<TokenAnswer> {
  const now = runtime.now()
  const { scopes, authorizationDetails } = narrowed
  const lineage = lineageOf(record)
  const data = accessTokenDataOf(granted, narrowed, { confirmation, issuedAt: now })
  const access = await newAccessToken(runtime, client, data)
  const idToken = await idTokenFor(runtime, client, granted, { user, scopes, access })
  await keepNew(runtime, [accessTokenRecord(access, lineage, data)])
  noteUse(runtime, record, '/token')
  const { clientId, userId } = granted
  const { grantId } = lineage
  runtime.emit('token.issued', { clientId, userId, grantId, grantType: 'refresh_token', scopes })
  const refresh = { value, id: record.id, hash: record.hash }
  return tokenAnswer({ access, refresh, idToken, scopes, confirmation, authorizationDetails }, now)
}
