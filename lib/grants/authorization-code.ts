import { verifyChallenge } from '../authorization/pkce.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { OAuthError } from '../errors.js'
import type { Runtime } from '../runtime.js'
import type { FoundRecord } from '../store/records.js'
import { accessTokenRecord } from '../tokens/access-token.js'
import { type CodeData, codeData } from '../tokens/code.js'
import { findByHandle } from '../tokens/find.js'
import { expiryOf, mintHandle } from '../tokens/handle.js'
import { familyExpiry, refreshTokenExpiry, refreshTokenRecord } from '../tokens/refresh-token.js'
import type { GrantType } from './grant-type.js'
import { narrow } from './narrowing.js'
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
    await checkVerifier(runtime, record, code, parameters.get('code_verifier'))
    if (record.usedAt !== undefined) throw await revokeAfterReuse(runtime, record, code)
    if (!record.alive) throw withdrawn()
    if (expiryOf(record.id) <= now)
      throw invalidGrant('The code has expired. Start a new authorization.', 'code_expired')
    const { audience, scopes } = narrow(code, parameters.all('resource'), runtime.settings)
    await requireUser(runtime, code.userId)

    const { lifetimes } = runtime.settings
    const lineage = { grantId: record.grantId ?? '', familyId: record.id }
    const access = mintHandle(now + lifetimes.accessToken * 1000)
    const successors = [accessTokenRecord(access, lineage, { ...owner(code), scopes, audience })]
    const refreshes = client.grantTypes.includes('refresh_token')
    const refresh = mintHandle(refreshTokenExpiry(now, code.approvedAt, lifetimes))
    if (refreshes) {
      const { resources, approvedAt } = code
      successors.push(
        refreshTokenRecord(refresh, lineage, { ...owner(code), scopes: code.scopes, resources, approvedAt }),
      )
    }
    const consumed = await runtime.store.consume(record.id, { now }, successors)
    if (!consumed.won) {
      throw consumed.record?.usedAt === undefined
        ? withdrawn()
        : await revokeAfterReuse(runtime, record, code)
    }

    runtime.emit('token.issued', { ...owner(code), grantId: lineage.grantId, grantType: this.name, scopes })
    return {
      access_token: access.value,
      token_type: 'Bearer',
      expires_in: lifetimes.accessToken,
      ...(refreshes && { refresh_token: refresh.value }),
      scope: scopes.join(' '),
    }
  },
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
  record: FoundRecord,
  code: CodeData,
  verifier: string | undefined,
): Promise<void> {
  const { wrongVerifiers = 0 } = code
  if (wrongVerifiers >= MOST_WRONG_VERIFIERS) {
    throw invalidGrant(
      'Too many wrong values of code_verifier. Start a new authorization.',
      'pkce_too_many_failures',
    )
  }
  try {
    verifyChallenge(code.codeChallenge, verifier)
  } catch (error) {
    if (error instanceof OAuthError && error.reason === 'pkce_mismatch') {
      await store.amend(record.id, JSON.stringify({ ...code, wrongVerifiers: wrongVerifiers + 1 }))
    }
    throw error
  }
}

/** RFC 6749 §4.1.2: somebody else has the code too, so what it gave is taken back. */
async function revokeAfterReuse(runtime: Runtime, record: FoundRecord, code: CodeData): Promise<OAuthError> {
  await runtime.store.revokeFamily(record.id, familyExpiry(record, runtime.settings.lifetimes))
  runtime.emit('code.reused', { ...owner(code), grantId: record.grantId ?? '' })
  return invalidGrant('The code has been used before. Its tokens have been revoked.', 'code_reused')
}

function owner({ clientId, userId }: CodeData): { clientId: string; userId: string } {
  return { clientId, userId }
}

function withdrawn(): OAuthError {
  return invalidGrant('The user has withdrawn what this code stands for.', 'grant_revoked')
}

function invalidGrant(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_grant', description, { reason })
}
