import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import type { OAuthError } from '../errors.js'
import type { Runtime } from '../runtime.js'
import type { FoundRecord } from '../store/records.js'
import { lineageOf } from '../tokens/access-token.js'
import type { TokenAnswer } from '../tokens/answer.js'
import { familyExpiry } from '../tokens/refresh-token.js'
import { noteUse } from '../tokens/use.js'
import type { TokenRequest } from './grant-type.js'
import { type Approved, firstTokens } from './issued.js'
import { narrow, stillAllowed } from './narrowing.js'
import { hasSignedOut, signedOut } from './signed-out.js'
import { requireUser } from './user.js'

/** What a user has approved, and the record that is used up when its tokens are issued. */
export interface Redeemable {
  readonly grantType: string
  readonly record: FoundRecord
  readonly approved: Approved & { readonly endsWithLogin?: boolean | undefined }
}

/** The refusals where somebody was faster. */
export interface Lost {
  /** The user, who has withdrawn it. */
  withdrawn(): OAuthError
  /** Another request, for which it was used up. */
  used(): OAuthError | Promise<OAuthError>
}

/**
 * Issues the first tokens of what a user has approved, once. What refuses comes before it is used up, as far as that can be known, so that
 * its client can still ask otherwise; of any number of requests at once, one gets tokens.
 */
export async function redeem(
  runtime: Runtime,
  client: AuthenticatedClient,
  { parameters, confirmation }: TokenRequest,
  { grantType, record, approved }: Redeemable,
  lost: Lost,
): Promise<TokenAnswer> {
  const { store, settings, now, emit } = runtime
  const granted = stillAllowed(approved, client, settings)
  const narrowed = narrow(granted, parameters, settings)
  const user = await requireUser(runtime, approved.userId)

  const lineage = lineageOf(record)
  // What the host has taken from the client is kept for the refresh token: it may be given back.
  const all = granted.claims === approved.claims ? approved : { ...approved, claims: granted.claims }
  const issued = { narrowed, user, lineage, confirmation }
  const { records, answer } = await firstTokens(runtime, client, all, issued)
  if (await hasSignedOut(runtime, approved)) throw signedOut()
  const { won, record: found } = await store.consume(record.id, { now: now() }, records)
  if (!won) throw found?.usedAt === undefined ? lost.withdrawn() : await lost.used()
  if (await hasSignedOut(runtime, approved)) {
    await store.revokeFamily(lineage.familyId, familyExpiry(record, settings, client))
    throw signedOut()
  }
  // Signing in is all that some clients do.
  if (answer.id_token !== undefined) noteUse(runtime, record, '/token')
  const { clientId, userId } = approved
  emit('token.issued', { clientId, userId, grantId: lineage.grantId, grantType, scopes: narrowed.scopes })
  return answer
}
