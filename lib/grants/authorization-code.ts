import { verifyChallenge } from '../authorization/pkce.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { OAuthError } from '../errors.js'
import type { Runtime } from '../runtime.js'
import type { FoundRecord } from '../store/records.js'
import type { Store } from '../store/store.js'
import { accessTokenRecord, lineageOf } from '../tokens/access-token.js'
import { tokenAnswer } from '../tokens/answer.js'
import { sessionKey } from '../tokens/authentication.js'
import { type CodeData, codeData, codeExpiry } from '../tokens/code.js'
import { findByHandle } from '../tokens/find.js'
import { mintHandle } from '../tokens/handle.js'
import {
  familyExpiry,
  type RefreshTokenData,
  refreshTokenExpiry,
  refreshTokenRecord,
} from '../tokens/refresh-token.js'
import { noteUse } from '../tokens/use.js'
import type { GrantType } from './grant-type.js'
import { accessTokenDataOf, idTokenFor, inFormat, signingFor } from './issued.js'
import { narrow, stillAllowed } from './narrowing.js'
import { invalidGrant } from './refusal.js'
import { requireUser } from './user.js'

const MOST_WRONG_VERIFIERS = 5

/** RFC 6749 §4.1.3 */
export const authorizationCode: GrantType = {
  name: 'authorization_code',
  parameters: ['code', 'redirect_uri', 'code_verifier'],

  async issue(runtime, client, parameters) {
    const now = runtime.now()
    const { record, code } = await findCode(runtime, client, parameters.get('code'))
    checkRedirectUri(code, parameters.get('redirect_uri'))
    await checkVerifier(runtime, client, { record, code }, parameters.get('code_verifier'))
    if (record.usedAt !== undefined) throw await revokeAfterReuse(runtime, record, code)
    if (!record.alive) throw withdrawn()
    if (codeExpiry(record) <= now)
      throw invalidGrant('The code has expired. Start a new authorization.', 'code_expired')
    const granted = stillAllowed(code, client, runtime.settings)
    const { audience, scopes } = narrow(granted, parameters.all('resource'), runtime.settings)
    const user = await requireUser(runtime, code.userId)

    const { lifetimes } = runtime.settings
    const lineage = lineageOf(record)
    const signing = await signingFor(runtime, audience)
    const handle = mintHandle(now + lifetimes.accessToken * 1000)
    const access = await inFormat(runtime, client, handle, code, { audience, scopes, signing })
    const data = accessTokenDataOf(granted, { audience, scopes })
    const successors = [accessTokenRecord(access, lineage, data)]
    const refresh = client.grantTypes.includes('refresh_token')
      ? mintHandle(refreshTokenExpiry(now, code.approvedAt, lifetimes))
      : undefined
    if (refresh !== undefined) {
      successors.push(refreshTokenRecord(refresh, lineage, refreshTokenDataOf(code)))
    }
    const idToken = await idTokenFor(runtime, client, granted, { user, scopes, access })
    if (await hasSignedOut(runtime, code)) throw signedOut()
    const consumed = await runtime.store.consume(record.id, { now }, successors)
    if (!consumed.won) {
      throw consumed.record?.usedAt === undefined
        ? withdrawn()
        : await revokeAfterReuse(runtime, record, code)
    }

    if (await hasSignedOut(runtime, code)) {
      await runtime.store.revokeFamily(lineage.familyId, familyExpiry(record, lifetimes))
      throw signedOut()
    }
    // Signing in is all that some clients do.
    if (idToken !== undefined) noteUse(runtime, record, '/token')
    runtime.emit('token.issued', { ...owner(code), grantId: lineage.grantId, grantType: this.name, scopes })
    return tokenAnswer({ access, refresh, idToken, scopes }, now)
  },
}

/**
 * Who has signed out while the code was on its way must not be signed in by it: the client has been told, and nobody would tell it
 * again. Asked once before the code is used up, and once after, since they may do so in between.
 */
async function hasSignedOut(
  { store }: Runtime,
  { clientId, userId, authentication, endsWithLogin }: CodeData,
): Promise<boolean> {
  if (!endsWithLogin) return false
  return !(await store.hasSession(sessionKey(userId, authentication.session), clientId))
}

function signedOut(): OAuthError {
  return invalidGrant('The user has signed out since. Start a new authorization.', 'signed_out')
}

function refreshTokenDataOf(code: CodeData): RefreshTokenData {
  const { scopes, resources, approvedAt, authentication, claims } = code
  const granted = { ...owner(code), scopes, resources, approvedAt, authentication }
  return claims === undefined ? granted : { ...granted, claims }
}

async function findCode(
  { store }: Runtime,
  client: AuthenticatedClient,
  value: string | undefined,
): Promise<{ record: FoundRecord; code: CodeData }> {
  if (value === undefined)
    throw new OAuthError('invalid_request', 'code is missing.', { reason: 'code_missing' })
  const record = await findByHandle(store, 'code', value)
  if (record === undefined) {
    throw invalidGrant(
      'The code is not known. It may have expired; start a new authorization.',
      'code_unknown',
    )
  }
  const code = codeData(record)
  if (code.clientId !== client.id)
    throw invalidGrant('The code was issued to another client.', 'code_of_other_client')
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
  let known: FoundRecord | undefined = record
  while (known !== undefined && known.usedAt === undefined) {
    const code = codeData(known)
    if (code.wrongVerifiers >= MOST_WRONG_VERIFIERS) throw tooManyWrongVerifiers()
    const counted = JSON.stringify({ ...code, wrongVerifiers: code.wrongVerifiers + 1 })
    if (await store.amend(known.id, known.data, counted)) return
    known = await store.find(known.id)
  }
}

function tooManyWrongVerifiers(): OAuthError {
  return invalidGrant(
    'Too many wrong values of code_verifier. Start a new authorization.',
    'pkce_too_many_failures',
  )
}

/** RFC 6749 §4.1.2: somebody else has the code too, so what it gave is taken back. */
async function revokeAfterReuse(runtime: Runtime, record: FoundRecord, code: CodeData): Promise<OAuthError> {
  const { grantId, familyId } = lineageOf(record)
  await runtime.store.revokeFamily(familyId, familyExpiry(record, runtime.settings.lifetimes))
  runtime.emit('code.reused', { ...owner(code), grantId })
  return invalidGrant('The code has been used before. Its tokens have been revoked.', 'code_reused')
}

function owner({ clientId, userId }: CodeData): { clientId: string; userId: string } {
  return { clientId, userId }
}

function withdrawn(): OAuthError {
  return invalidGrant('The user has withdrawn what this code stands for.', 'grant_revoked')
}
