import { hostedResource } from '../authorization/resource.js'
import { splitScope } from '../authorization/scope.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { OAuthError } from '../errors.js'
import type { HostUser } from '../options.js'
import type { Parameters } from '../parameters.js'
import type { Runtime } from '../runtime.js'
import type { FoundRecord } from '../store/records.js'
import { accessTokenRecord, lineageOf } from '../tokens/access-token.js'
import { type TokenAnswer, tokenAnswer } from '../tokens/answer.js'
import { findByHandle } from '../tokens/find.js'
import { expiryOf } from '../tokens/handle.js'
import {
  familyExpiry,
  newRotation,
  type RefreshTokenData,
  type Rotation,
  refreshTokenData,
  refreshTokenExpiry,
  refreshTokenRecord,
  sameRotation,
} from '../tokens/refresh-token.js'
import { noteUse } from '../tokens/use.js'
import type { GrantType } from './grant-type.js'
import { accessTokenDataOf, type Granted, idTokenFor, inFormat, signingFor } from './issued.js'
import { type Narrowed, narrow, stillAllowed } from './narrowing.js'
import { invalidGrant } from './refusal.js'
import { requireUser } from './user.js'

/** RFC 6749 §6, with rotation and reuse detection (RFC 9700 §4.14.2). */
export const refreshToken: GrantType = {
  name: 'refresh_token',
  parameters: ['refresh_token', 'scope'],

  async issue(runtime, client, parameters) {
    const now = runtime.now()
    const presented = await findRefreshToken(runtime, client, parameters.get('refresh_token'))
    const { record, data, value } = presented
    if (!record.alive) throw revoked()
    if (record.usedAt !== undefined && !withinGrace(record, runtime))
      throw await revokeAfterReuse(runtime, presented)
    if (expiryOf(record.id) <= now)
      throw invalidGrant('The refresh token has expired.', 'refresh_token_expired')
    const granted = stillAllowed(data, client, runtime.settings)
    const asked = narrowedScopes(parameters.get('scope'), granted.scopes)
    checkStillHosted(data, runtime)
    const wanted = { scopes: asked, resources: data.resources }
    const { audience, scopes } = narrow(wanted, parameters.all('resource'), runtime.settings)
    const user = await requireUser(runtime, data.userId)

    const { lifetimes } = runtime.settings
    const lineage = lineageOf(record)
    const owner = { clientId: data.clientId, userId: data.userId }
    const signing = await signingFor(runtime, audience)
    const { trace, ...rotation } = newRotation(
      value,
      { scopes, audience, signing },
      {
        access: now + lifetimes.accessToken * 1000,
        refresh: refreshTokenExpiry(now, data.approvedAt, lifetimes),
      },
    )
    const tokens = await tokensOf(runtime, client, { granted, user }, rotation)
    const { won, record: found } = await runtime.store.consume(record.id, { now, trace }, [
      accessTokenRecord(tokens.access, lineage, accessTokenDataOf(granted, rotation)),
      refreshTokenRecord(rotation.refresh, lineage, data),
    ])
    if (!won) {
      const asking = { presented, granted, user }
      return repeat(runtime, client, asking, found, { parameters, scopes, audience })
    }
    noteUse(runtime, record, '/token')
    runtime.emit('token.issued', { ...owner, grantId: lineage.grantId, grantType: this.name, scopes })
    return tokenAnswer(tokens, now)
  },
}

interface Asking {
  readonly granted: Granted
  readonly user: HostUser
}

/** What a rotation gives: the access token in the format of its resources, and the ID token that goes with it. */
async function tokensOf(
  runtime: Runtime,
  client: AuthenticatedClient,
  { granted, user }: Asking,
  rotation: Rotation,
): Promise<Rotation & { readonly idToken: string | undefined }> {
  const access = await inFormat(runtime, client, rotation.access, granted, rotation)
  const idToken = await idTokenFor(runtime, client, granted, { user, scopes: rotation.scopes, access })
  return { ...rotation, access, idToken }
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

/** Whether a refresh token that was used before may be a lost answer or a second tab rather than a second holder. */
function withinGrace({ usedAt = 0 }: FoundRecord, { settings, now }: Runtime): boolean {
  // A clock that was set back must not widen it.
  return Math.abs(now() - usedAt) < settings.lifetimes.refreshGrace * 1000
}

/**
 * The very same tokens again, never others: a request that names another scope or resource is refused. And not once the successor has
 * been used, for then they had arrived.
 */
async function repeat(
  runtime: Runtime,
  client: AuthenticatedClient,
  { presented, granted, user }: Asking & { readonly presented: PresentedRefreshToken },
  used: FoundRecord | undefined,
  asked: Narrowed & { readonly parameters: Parameters },
): Promise<TokenAnswer> {
  if (used?.usedAt === undefined || used.trace === undefined || !used.alive) throw revoked()
  if (withinGrace(used, runtime)) {
    const rotation = sameRotation(presented.value, used.trace)
    const successor = await runtime.store.find(rotation.refresh.id)
    if (successor !== undefined && successor.usedAt === undefined) {
      checkSame(rotation, asked)
      const tokens = await tokensOf(runtime, client, { granted, user }, rotation)
      return tokenAnswer(tokens, runtime.now())
    }
  }
  throw await revokeAfterReuse(runtime, presented)
}

function checkSame(
  given: Narrowed,
  { parameters, scopes, audience }: Narrowed & { parameters: Parameters },
): void {
  const hint = 'This refresh token has just been used otherwise. Use the new one.'
  if (parameters.get('scope') !== undefined && !sameMembers(given.scopes, scopes))
    throw new OAuthError('invalid_scope', hint, { reason: 'repeated_otherwise' })
  if (parameters.all('resource').length > 0 && !sameMembers(given.audience, audience))
    throw new OAuthError('invalid_target', hint, { reason: 'repeated_otherwise' })
}

function sameMembers(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((member) => b.includes(member))
}

/** RFC 9700 §4.14.2: somebody else has the token too, and nobody can tell who is the client. */
async function revokeAfterReuse(
  { store, settings, emit }: Runtime,
  { record, data }: PresentedRefreshToken,
): Promise<OAuthError> {
  const { grantId, familyId } = lineageOf(record)
  await store.revokeFamily(familyId, familyExpiry(record, settings.lifetimes))
  emit('refresh_token.reused', { clientId: data.clientId, userId: data.userId, grantId })
  return invalidGrant(
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

/** A grant that is stale is `invalid_grant`, on which clients start anew; a foreign resource that they ask for is `invalid_target`. */
function checkStillHosted({ resources }: RefreshTokenData, { settings }: Runtime): void {
  if (resources.every((resource) => hostedResource(resource, settings) !== undefined)) return
  throw invalidGrant('The resource of this grant is no longer served here.', 'resource_gone')
}

function revoked(): OAuthError {
  return invalidGrant('What this refresh token stands for has been revoked.', 'grant_revoked')
}
