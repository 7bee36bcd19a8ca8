import { narrowedResources, scopesFor } from '../authorization/resource.js'
import { splitScope } from '../authorization/scope.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { OAuthError } from '../errors.js'
import type { Runtime } from '../runtime.js'
import type { FoundRecord } from '../store/records.js'
import { accessTokenData, accessTokenRecord, type Lineage } from '../tokens/access-token.js'
import type { TokenAnswer } from '../tokens/answer.js'
import { findByHandle } from '../tokens/find.js'
import { expiryOf } from '../tokens/handle.js'
import {
  familyExpiry,
  newSuccessors,
  type RefreshTokenData,
  refreshTokenData,
  refreshTokenExpiry,
  refreshTokenRecord,
  type Successors,
  sameSuccessors,
} from '../tokens/refresh-token.js'
import type { GrantType } from './grant-type.js'
import { requireUser } from './user.js'

/** RFC 6749 §6, with rotation and reuse detection (RFC 9700 §4.14.2). */
export const refreshToken: GrantType = {
  name: 'refresh_token',
  parameters: ['refresh_token', 'scope'],

  async issue(runtime, client, parameters) {
    const now = runtime.now()
    const presented = await findRefreshToken(runtime, client, parameters.get('refresh_token'))
    const { record, data, value } = presented
    if (!record.alive)
      throw invalidGrant('What this refresh token stands for has been revoked.', 'grant_revoked')
    if (record.usedAt !== undefined) return repeatOrRevoke(runtime, presented, record)
    if (expiryOf(record.id) <= now)
      throw invalidGrant('The refresh token has expired.', 'refresh_token_expired')
    const asked = narrowedScopes(parameters.get('scope'), data.scopes)
    const resources = stillHosted(parameters.all('resource'), data, runtime)
    const scopes = scopesFor(asked, resources, runtime.settings)
    await requireUser(runtime, data.userId)

    const { lifetimes, origin } = runtime.settings
    const lineage = lineageOf(record)
    const owner = { clientId: data.clientId, userId: data.userId }
    const { access, refresh, trace } = newSuccessors(value, {
      access: now + lifetimes.accessToken * 1000,
      refresh: refreshTokenExpiry(now, data.approvedAt, lifetimes),
    })
    const audience = resources.length > 0 ? resources : [origin]
    const consumed = await runtime.store.consume(record.id, { now, trace }, [
      accessTokenRecord(access, lineage, { ...owner, scopes, audience }),
      refreshTokenRecord(refresh, lineage, data),
    ])
    if (!consumed.won) {
      if (consumed.record?.usedAt === undefined) {
        throw invalidGrant('What this refresh token stands for has been revoked.', 'grant_revoked')
      }
      return repeatOrRevoke(runtime, presented, consumed.record)
    }
    runtime.emit('token.issued', { ...owner, grantId: lineage.grantId, grantType: this.name, scopes })
    return answer({ access, refresh }, lifetimes.accessToken, scopes)
  },
}

interface PresentedRefreshToken {
  readonly value: string
  readonly record: FoundRecord
  readonly data: RefreshTokenData
}

async function findRefreshToken(
  { store }: Runtime,
  client: AuthenticatedClient,
  value: string | undefined,
): Promise<PresentedRefreshToken> {
  if (value === undefined) {
    throw new OAuthError('invalid_request', 'refresh_token is missing.', { reason: 'refresh_token_missing' })
  }
  const record = await findByHandle(store, 'refresh', value)
  if (record === undefined) {
    throw invalidGrant('The refresh token is not known or has expired.', 'refresh_token_unknown')
  }
  const data = refreshTokenData(record)
  if (data.clientId === client.id) return { value, record, data }
  throw invalidGrant('The refresh token was issued to another client.', 'refresh_token_of_other_client')
}

/**
 * A refresh token that was used before. Within the grace, and as long as its successor has not been used, this is a lost answer or
 * a second tab, and it gets the very same tokens; otherwise two parties have it, and the family ends.
 */
async function repeatOrRevoke(
  runtime: Runtime,
  { value, data }: PresentedRefreshToken,
  used: FoundRecord,
): Promise<TokenAnswer> {
  const { store, settings } = runtime
  const now = runtime.now()
  const { usedAt = 0, trace } = used
  if (trace !== undefined && now < usedAt + settings.lifetimes.refreshGrace * 1000) {
    const successors = sameSuccessors(value, trace)
    const [access, refresh] = [
      await store.find(successors.access.id),
      await store.find(successors.refresh.id),
    ]
    if (access?.alive && refresh?.alive && refresh.usedAt === undefined) {
      const expiresIn = Math.ceil((expiryOf(access.id) - now) / 1000)
      return answer(successors, expiresIn, accessTokenData(access).scopes)
    }
  }
  const { grantId, familyId } = lineageOf(used)
  await store.revokeFamily(familyId, familyExpiry(used, settings.lifetimes))
  runtime.emit('refresh_token.reused', { clientId: data.clientId, userId: data.userId, grantId })
  throw invalidGrant(
    'The refresh token has been used before. Its tokens have been revoked.',
    'refresh_token_reused',
  )
}

/** RFC 6749 §6: the scope may be narrower than what was granted, never wider. */
function narrowedScopes(scope: string | undefined, granted: readonly string[]): readonly string[] {
  if (scope === undefined) return granted
  const asked = splitScope(scope)
  if (asked.length > 0 && asked.every((name) => granted.includes(name))) return asked
  throw new OAuthError('invalid_scope', `The user granted: ${granted.join(' ')}. Ask for these or fewer.`, {
    reason: 'scope_not_granted',
  })
}

/** The client asked for a foreign resource: `invalid_target`. The grant itself is stale: `invalid_grant`, on which clients start anew. */
function stillHosted(named: readonly string[], data: RefreshTokenData, runtime: Runtime): readonly string[] {
  try {
    narrowedResources(data.resources, data.resources, runtime.settings)
  } catch (cause) {
    throw new OAuthError('invalid_grant', 'The resource of this grant is no longer served here.', {
      reason: 'resource_gone',
      cause,
    })
  }
  return narrowedResources(named, data.resources, runtime.settings)
}

function lineageOf(record: FoundRecord): Lineage {
  return { grantId: record.grantId ?? '', familyId: record.familyId ?? '' }
}

function answer({ access, refresh }: Successors, expiresIn: number, scopes: readonly string[]): TokenAnswer {
  return {
    access_token: access.value,
    token_type: 'Bearer',
    expires_in: expiresIn,
    refresh_token: refresh.value,
    scope: scopes.join(' '),
  }
}

function invalidGrant(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_grant', description, { reason })
}
