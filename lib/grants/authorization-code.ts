import { verifyChallenge } from '../authorization/pkce.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { OAuthError } from '../errors.js'
import { GRANT_TYPES } from '../grant-types.js'
import type { Runtime } from '../runtime.js'
import type { FoundRecord } from '../store/records.js'
import type { Store } from '../store/store.js'
import { lineageOf } from '../tokens/access-token.js'
import { amendUnused } from '../tokens/amend.js'
import { type CodeData, codeData, codeExpiry } from '../tokens/code.js'
import { findByHandle } from '../tokens/find.js'
import { familyExpiry } from '../tokens/refresh-token.js'
import { checkConfirmation } from './confirmation.js'
import type { GrantType } from './grant-type.js'
import { redeem } from './redeem.js'
import { invalidGrant } from './refusal.js'

const MOST_WRONG_VERIFIERS = 5

/** RFC 6749 §4.1.3 */
export const authorizationCode: GrantType = {
  ...GRANT_TYPES.authorizationCode,
  parameters: ['code', 'redirect_uri', 'code_verifier', 'authorization_details'],

  async issue(runtime, client, request) {
    const { parameters, confirmation } = request
    const { record, code } = await findCode(runtime, client, parameters.get('code'))
    checkRedirectUri(code, parameters.get('redirect_uri'))
    await checkVerifier(runtime, client, { record, code }, parameters.get('code_verifier'))
    checkConfirmation({ jkt: code.dpopJkt }, confirmation)
    if (record.usedAt !== undefined) throw await revokeAfterReuse(runtime, client, record, code)
    if (!record.alive) throw withdrawn()
    if (codeExpiry(record) <= runtime.now())
      throw invalidGrant('The code has expired. Start a new authorization.', 'code_expired')
    const redeemable = { grantType: this.name, record, approved: code }
    const used = () => revokeAfterReuse(runtime, client, record, code)
    return redeem(runtime, client, request, redeemable, { withdrawn, used })
  },
}

async function findCode(
  { store }: Runtime,
  client: AuthenticatedClient,
  value: string | undefined,
): Promise<{ record: FoundRecord; code: CodeData }> {
  if (value === undefined)
    throw new OAuthError('invalid_request', 'code is missing. Send the one that came to the redirect URI.', {
      reason: 'code_missing',
    })
  const record = await findByHandle(store, 'code', value)
  if (record === undefined) {
    throw invalidGrant(
      'The code is not known. It may have expired; start a new authorization.',
      'code_unknown',
    )
  }
  const code = codeData(record)
  if (code.clientId !== client.id)
    throw invalidGrant(
      'The code was issued to another client. Redeem it as the client that asked for it.',
      'code_of_other_client',
    )
  return { record, code }
}

/** RFC 6749 §4.1.3 asks for it; OAuth 2.1 §10.2 lets clients with PKCE leave it out. Where it is sent, it must be the one that was used. */
function checkRedirectUri(code: CodeData, redirectUri: string | undefined): void {
  if (redirectUri === undefined && (code.redirectUriLeftOut || code.codeChallenge !== undefined)) return
  if (redirectUri === code.redirectUri) return
  throw invalidGrant(
    'redirect_uri must be the same as in the authorization request.',
    redirectUri === undefined ? 'redirect_uri_missing' : 'redirect_uri_mismatch',
  )
}

/** A code does not die of wrong verifiers at once, or strangers could kill it; but nobody gets to try many. */
async function checkVerifier(
  { store }: Runtime,
  client: AuthenticatedClient,
  { record, code }: { readonly record: FoundRecord; readonly code: CodeData },
  verifier: string | undefined,
): Promise<void> {
  // A record that has lost its challenge must not open what a lost verifier could not.
  if (code.codeChallenge === undefined && client.requirePkce)
    throw invalidGrant('The code is bound to no code_challenge. Start a new authorization.', 'pkce_missing')
  if (code.wrongVerifiers >= MOST_WRONG_VERIFIERS) throw tooManyWrongVerifiers()
  try {
    verifyChallenge(code.codeChallenge, verifier)
  } catch (error) {
    if (error instanceof OAuthError && error.reason === 'pkce_mismatch')
      await countWrongVerifier(store, record)
    throw error
  }
}

/** Each of any number of attempts at once is counted, or refused. */
async function countWrongVerifier(store: Store, record: FoundRecord): Promise<void> {
  await amendUnused(store, record, (known) => {
    const code = codeData(known)
    if (code.wrongVerifiers >= MOST_WRONG_VERIFIERS) throw tooManyWrongVerifiers()
    return { ...code, wrongVerifiers: code.wrongVerifiers + 1 }
  })
}

function tooManyWrongVerifiers(): OAuthError {
  return invalidGrant(
    'Too many wrong values of code_verifier. Start a new authorization.',
    'pkce_too_many_failures',
  )
}

/** RFC 6749 §4.1.2: somebody else has the code too, so what it gave is taken back. */
async function revokeAfterReuse(
  runtime: Runtime,
  client: AuthenticatedClient,
  record: FoundRecord,
  code: CodeData,
): Promise<OAuthError> {
  const { grantId, familyId } = lineageOf(record)
  await runtime.store.revokeFamily(familyId, familyExpiry(record, runtime.settings, client))
  const { clientId, userId } = code
  // Once: whoever has it can bring it again and again, and nothing more is lost by that.
  if (record.alive) runtime.emit('code.reused', { clientId, userId, grantId })
  return invalidGrant('The code has been used before. Its tokens have been revoked.', 'code_reused')
}

function withdrawn(): OAuthError {
  return invalidGrant('The user has withdrawn what this code stands for.', 'grant_revoked')
}
