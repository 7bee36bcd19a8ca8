import { sameDetails } from '../authorization/details.js'
import { hostedResource } from '../authorization/resource.js'
import { splitScope } from '../authorization/scope.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { OAuthError } from '../errors.js'
import { GRANT_TYPES } from '../grant-types.js'
import type { HostUser } from '../options.js'
import type { Parameters } from '../parameters.js'
import type { Runtime } from '../runtime.js'
import type { Confirmation } from '../sender.js'
import type { FoundRecord } from '../store/records.js'
import { type AccessTokenData, accessTokenRecord, lineageOf } from '../tokens/access-token.js'
import { type Issued, type TokenAnswer, tokenAnswer } from '../tokens/answer.js'
import { findByHandle } from '../tokens/find.js'
import { expiryOf } from '../tokens/handle.js'
import { accessTokenLifetime, refreshTokenLifetimes } from '../tokens/lifetimes.js'
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
import { checkConfirmation, refreshConfirmation, sameConfirmation } from './confirmation.js'
import type { GrantType } from './grant-type.js'
import { accessTokenDataOf, type Granted, idTokenFor, inFormat, signingFor } from './issued.js'
import { besideKeptRefreshToken } from './kept-refresh-token.js'
import { type Narrowed, narrow, stillAllowed } from './narrowing.js'
import { invalidGrant } from './refusal.js'
import { requireUser } from './user.js'

/** RFC 6749 §6, with rotation and reuse detection (RFC 9700 §4.14.2). */
export const refreshToken: GrantType = {
  ...GRANT_TYPES.refreshToken,
  parameters: ['refresh_token', 'scope', 'authorization_details'],

  async issue(runtime, client, { parameters, confirmation }) {
    const now = runtime.now()
    const presented = await findRefreshToken(runtime, client, parameters.get('refresh_token'))
    const { record, data, value } = presented
    checkConfirmation(data.confirmation, confirmation)
    if (!record.alive) throw revoked()
    if (record.usedAt !== undefined && !withinGrace(record, runtime))
      throw await revokeAfterReuse(runtime, client, presented)
    if (expiryOf(record.id) <= now)
      throw invalidGrant('The refresh token has expired. Start a new authorization.', 'refresh_token_expired')
    const granted = stillAllowed(data, client, runtime.settings)
    const asked = narrowedScopes(parameters.get('scope'), granted.scopes)
    checkStillHosted(data, runtime)
    const narrowed = narrow({ ...granted, scopes: asked }, parameters, runtime.settings)
    const { audience, scopes } = narrowed
    const user = await requireUser(runtime, data.userId)
    if (!runtime.settings.profile.rotateRefreshTokens && record.usedAt === undefined)
      return besideKeptRefreshToken(runtime, client, presented, { granted, narrowed, user, confirmation })

    const lineage = lineageOf(record)
    const signing = await signingFor(runtime, audience)
    const { trace, ...rotation } = newRotation(
      value,
      { audience, scopes, authorizationDetails: narrowed.authorizationDetails, signing, confirmation },
      {
        access: now + accessTokenLifetime(runtime.settings, client, audience) * 1000,
        refresh: refreshTokenExpiry(now, data.approvedAt, refreshTokenLifetimes(runtime.settings, client)),
      },
    )
    const accessData = accessTokenDataOf(granted, rotation, { confirmation, issuedAt: now })
    const tokens = await tokensOf(runtime, client, { granted, user }, rotation, accessData)
    const { won, record: found } = await runtime.store.consume(record.id, { now, trace }, [
      accessTokenRecord(tokens.access, lineage, accessData),
      refreshTokenRecord(rotation.refresh, lineage, boundTo(refreshConfirmation(client, confirmation), data)),
    ])
    if (!won) {
      const asking = { presented, granted, user }
      return repeat(runtime, client, asking, found, { ...narrowed, parameters, confirmation })
    }
    noteUse(runtime, record, '/token')
    const { clientId, userId } = data
    runtime.emit('token.issued', {
      clientId,
      userId,
      grantId: lineage.grantId,
      grantType: this.name,
      scopes,
    })
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
  data: AccessTokenData,
): Promise<Issued> {
  const { refresh, scopes, confirmation, authorizationDetails } = rotation
  const access = await inFormat(runtime, client, rotation.access, data, rotation.signing)
  const idToken = await idTokenFor(runtime, client, granted, { user, scopes, access })
  return { access, refresh, idToken, scopes, confirmation, authorizationDetails }
}

/** The same, bound to what has been proven now; what has been proven before stays where that is nothing. */
function boundTo(confirmation: Confirmation | undefined, data: RefreshTokenData): RefreshTokenData {
  return confirmation === undefined ? data : { ...data, confirmation }
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
    throw new OAuthError(
      'invalid_request',
      'refresh_token is missing. Send the newest one that this client got.',
      { reason: 'refresh_token_missing' },
    )
  }
  const record = await findByHandle(store, 'refresh', value)
  if (record === undefined) {
    throw invalidGrant(
      'The refresh token is not known or has expired. Start a new authorization.',
      'refresh_token_unknown',
    )
  }
  const data = refreshTokenData(record)
  if (data.clientId === client.id) return { value, record, data }
  throw invalidGrant(
    'The refresh token was issued to another client. Use it as the client that got it.',
    'refresh_token_of_other_client',
  )
}

/** Whether a refresh token that was used before may be a lost answer or a second tab rather than a second holder. */
function withinGrace({ usedAt = 0 }: FoundRecord, { settings, now }: Runtime): boolean {
  // A clock that was set back must not widen it.
  return Math.abs(now() - usedAt) < settings.lifetimes.refreshGrace * 1000
}

/**
 * The very same tokens again, never others: a request that names another scope or resource, or other details, is refused. And not once the successor has
 * been used, for then they had arrived.
 */
async function repeat(
  runtime: Runtime,
  client: AuthenticatedClient,
  { presented, granted, user }: Asking & { readonly presented: PresentedRefreshToken },
  used: FoundRecord | undefined,
  asked: Asked,
): Promise<TokenAnswer> {
  if (used?.usedAt === undefined || used.trace === undefined || !used.alive) throw revoked()
  if (withinGrace(used, runtime)) {
    const whole = sameRotation(presented.value, used.trace)
    if (whole === undefined) throw invalidGrant(USED_OTHERWISE, 'repeated_otherwise')
    // What has been withdrawn since is not given again. The token itself cannot change any more, and does without it wherever it is looked up.
    const rotation = { ...whole, scopes: whole.scopes.filter((scope) => granted.scopes.includes(scope)) }
    const successor = await runtime.store.find(rotation.refresh.id)
    if (successor !== undefined && successor.usedAt === undefined) {
      checkSame(rotation, asked)
      const issuedAt = rotation.signing?.issuedAt ?? used.usedAt
      const data = accessTokenDataOf(granted, whole, { confirmation: rotation.confirmation, issuedAt })
      const tokens = await tokensOf(runtime, client, { granted, user }, rotation, data)
      return tokenAnswer(tokens, runtime.now())
    }
  }
  throw await revokeAfterReuse(runtime, client, presented)
}

const USED_OTHERWISE = 'This refresh token has just been used otherwise. Use the new one.'

interface Asked extends Narrowed {
  readonly parameters: Parameters
  readonly confirmation: Confirmation | undefined
}

function checkSame(
  given: Rotation,
  { parameters, scopes, audience, authorizationDetails, confirmation }: Asked,
): void {
  // The tokens of a confidential client may be bound to another key each time, but these are bound already.
  if (!sameConfirmation(given.confirmation, confirmation))
    throw invalidGrant(USED_OTHERWISE, 'repeated_otherwise')
  if (parameters.get('scope') !== undefined && !sameMembers(given.scopes, scopes))
    throw new OAuthError('invalid_scope', USED_OTHERWISE, { reason: 'repeated_otherwise' })
  if (parameters.all('resource').length > 0 && !sameMembers(given.audience, audience))
    throw new OAuthError('invalid_target', USED_OTHERWISE, { reason: 'repeated_otherwise' })
  const named = parameters.get('authorization_details') !== undefined
  if (named && !sameDetails(given.authorizationDetails, authorizationDetails))
    throw new OAuthError('invalid_authorization_details', USED_OTHERWISE, { reason: 'repeated_otherwise' })
}

function sameMembers(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((member) => b.includes(member))
}

/** RFC 9700 §4.14.2: somebody else has the token too, and nobody can tell who is the client. */
async function revokeAfterReuse(
  { store, settings, emit }: Runtime,
  client: AuthenticatedClient,
  { record, data }: PresentedRefreshToken,
): Promise<OAuthError> {
  const { grantId, familyId } = lineageOf(record)
  await store.revokeFamily(familyId, familyExpiry(record, settings, client))
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
  const hint =
    granted.length > 0
      ? `The user granted: ${granted.join(' ')}. Ask for these or fewer.`
      : 'The user granted no scope. Leave it out.'
  throw new OAuthError('invalid_scope', hint, { reason: 'scope_not_granted' })
}

/** A grant that is stale is `invalid_grant`, on which clients start anew; a foreign resource that they ask for is `invalid_target`. */
function checkStillHosted({ resources }: RefreshTokenData, { settings }: Runtime): void {
  if (resources.every((resource) => hostedResource(resource, settings) !== undefined)) return
  throw invalidGrant('The resource of this grant is no longer served here.', 'resource_gone')
}

function revoked(): OAuthError {
  return invalidGrant('What this refresh token stands for has been revoked.', 'grant_revoked')
}
