import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import type { OAuthError } from '../errors.js'
import { optional } from '../optional.js'
import type { Runtime } from '../runtime.js'
import type { StoredRecord } from '../store/records.js'
import { type AccessTokenData, accessTokenRecord, type Lineage } from '../tokens/access-token.js'
import { type TokenAnswer, tokenAnswer } from '../tokens/answer.js'
import { keepNew, newAccessToken } from './issued.js'

/** Issues an access token with nothing beside it: whoever got it can ask again in the same way, so it needs no refresh token (RFC 6749 §4.4.3, RFC 7521 §4.1). */
export async function accessTokenAlone(
  runtime: Runtime,
  client: AuthenticatedClient,
  data: Omit<AccessTokenData, 'clientSince'>,
  {
    grantType,
    lineage,
    expiresAt,
    inExchangeFor,
  }: {
    readonly grantType: string
    /** What it ends with. Without `familyId` it is a family by itself. */
    readonly lineage: Partial<Lineage>
    /** Milliseconds, where it is not what the lifetimes make it. */
    readonly expiresAt?: number
    /** What is used up with it, in one step, so that neither happens without the other; and the refusal where it was used before. */
    readonly inExchangeFor?: { readonly use: StoredRecord; readonly replayed: () => OAuthError }
  },
): Promise<TokenAnswer> {
  const access = await newAccessToken(runtime, client, data, expiresAt)
  const owned = { clientSince: client.createdAt, ...data }
  const record = accessTokenRecord(
    access,
    { grantId: lineage.grantId, familyId: lineage.familyId ?? access.id },
    owned,
  )
  const records = inExchangeFor === undefined ? [record] : [inExchangeFor.use, record]
  await keepNew(runtime, records, inExchangeFor?.replayed)
  const { scopes, confirmation, authorizationDetails } = data
  runtime.emit('token.issued', {
    clientId: client.id,
    ...optional('userId', data.userId),
    ...optional('grantId', lineage.grantId),
    ...{ grantType, scopes },
  })
  return tokenAnswer({ access, scopes, confirmation, authorizationDetails }, runtime.now())
}
