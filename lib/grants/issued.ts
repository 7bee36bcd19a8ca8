import { accessTokenFormat, scopesAt } from '../authorization/resource.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import type { AuthorizationDetail, HostUser } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Confirmation } from '../sender.js'
import { type ClaimsRequest, scopeOfClaim } from '../standard-claims.js'
import type { Client, StoredRecord } from '../store/records.js'
import { type AccessTokenData, accessTokenRecord, type GrantedLineage } from '../tokens/access-token.js'
import { type TokenAnswer, tokenAnswer } from '../tokens/answer.js'
import type { Authentication } from '../tokens/authentication.js'
import { type Handle, mintHandle } from '../tokens/handle.js'
import { idToken } from '../tokens/id-token.js'
import { asJwt, type JwtSigning, newJwtSigning } from '../tokens/jwt-access-token.js'
import { accessTokenLifetime, refreshTokenLifetimes } from '../tokens/lifetimes.js'
import { type RefreshTokenData, refreshTokenExpiry, refreshTokenRecord } from '../tokens/refresh-token.js'
import { refreshConfirmation } from './confirmation.js'
import type { Narrowed } from './narrowing.js'

/** What a user signed in for: the parts of a code or a refresh token that tokens about the user are made of. */
export interface Granted {
  readonly clientId: string
  readonly userId: string
  /** All of them, of which a token may have less. */
  readonly scopes: readonly string[]
  readonly authentication: Authentication
  readonly claims?: ClaimsRequest | undefined
}

/** What a user has just approved, all of it. */
export interface Approved extends Granted {
  readonly resources: readonly string[]
  readonly authorizationDetails?: readonly AuthorizationDetail[] | undefined
  readonly nonce?: string | undefined
  /** Milliseconds. */
  readonly approvedAt: number
}

/** What the record of an access token says; what is undefined is not there. */
export function accessTokenDataOf(
  granted: Granted,
  { scopes, audience, authorizationDetails }: Narrowed,
  { confirmation, issuedAt }: { readonly confirmation: Confirmation | undefined; readonly issuedAt: number },
): AccessTokenData {
  const { clientId, userId, claims } = granted
  const { authTime, acr, amr } = granted.authentication
  const isKnown = authTime !== undefined || acr !== undefined || amr !== undefined
  return {
    clientId,
    userId,
    scopes,
    audience,
    issuedAt,
    authentication: isKnown ? { authTime, acr, amr } : undefined,
    claims: claims && claimsWith(scopes, granted.scopes, claims),
    confirmation,
    authorizationDetails,
  }
}

/** Claims that came with a scope go with it, now that the token has less and later, when the scope is withdrawn. */
function claimsWith(
  scopes: readonly string[],
  all: readonly string[],
  { userinfo }: ClaimsRequest,
): readonly string[] | undefined {
  if (!scopes.includes('openid')) return undefined
  const left = all.filter((scope) => !scopes.includes(scope))
  const named = userinfo.filter((claim) => !left.includes(scopeOfClaim(claim) ?? 'openid'))
  return named.length > 0 ? named : undefined
}

/** With what the access token for these resources is signed; undefined where it is opaque. */
export async function signingFor(
  runtime: Runtime,
  audience: readonly string[],
): Promise<JwtSigning | undefined> {
  return accessTokenFormat(audience, runtime.settings) === 'jwt' ? newJwtSigning(runtime) : undefined
}

/** The access token in the format of its resources. */
export async function inFormat(
  runtime: Runtime,
  client: Client,
  handle: Handle,
  data: AccessTokenData,
  signing: JwtSigning | undefined,
): Promise<Handle> {
  if (signing === undefined) return handle
  const scopes = scopesAt(data.scopes, data.audience, runtime.settings)
  return asJwt(runtime, client, handle, { ...data, scopes }, signing)
}

/** A new access token, and its record yet without what it hangs on. */
export async function newAccessToken(
  runtime: Runtime,
  client: AuthenticatedClient,
  data: AccessTokenData,
  expiresAt = data.issuedAt + accessTokenLifetime(runtime.settings, client, data.audience) * 1000,
): Promise<Handle> {
  const signing = await signingFor(runtime, data.audience)
  return inFormat(runtime, client, mintHandle(expiresAt), data, signing)
}

/** Keeps records that are new. `taken`: what to throw where the id of one of them is known; where all are random, none can be. */
export async function keepNew(
  { store }: Pick<Runtime, 'store'>,
  records: readonly StoredRecord[],
  taken: () => Error = () => new Error('The id of a new access token was taken.'),
): Promise<void> {
  if (!(await store.insert(records))) throw taken()
}

/** The ID token that goes with an access token; undefined where the scope `openid` is not among what it is for. */
export async function idTokenFor(
  runtime: Runtime,
  client: AuthenticatedClient,
  { userId, authentication, claims, nonce }: Granted & { readonly nonce?: string | undefined },
  {
    user,
    scopes,
    access,
  }: { readonly user: HostUser; readonly scopes: readonly string[]; readonly access: Handle },
): Promise<string | undefined> {
  if (!scopes.includes('openid')) return undefined
  const signedIn = { userId, user, scopes, authentication, named: claims?.idToken, nonce }
  return idToken(runtime, client, signedIn, access.value)
}

/** The first tokens of what a user has approved: the answer that carries them, and the records that have to be kept before it is sent. */
export async function firstTokens(
  runtime: Runtime,
  client: AuthenticatedClient,
  approved: Approved,
  {
    narrowed,
    user,
    lineage,
    confirmation,
  }: {
    readonly narrowed: Narrowed
    readonly user: HostUser
    readonly lineage: GrantedLineage
    readonly confirmation: Confirmation | undefined
  },
): Promise<{ readonly records: readonly StoredRecord[]; readonly answer: TokenAnswer }> {
  const now = runtime.now()
  const { scopes, authorizationDetails } = narrowed
  const data = accessTokenDataOf(approved, narrowed, { confirmation, issuedAt: now })
  const access = await newAccessToken(runtime, client, data)
  const records = [accessTokenRecord(access, lineage, data)]
  const lifetimes = refreshTokenLifetimes(runtime.settings, client)
  const refresh = client.grantTypes.includes('refresh_token')
    ? mintHandle(refreshTokenExpiry(now, approved.approvedAt, lifetimes))
    : undefined
  if (refresh !== undefined) {
    records.push(refreshTokenRecord(refresh, lineage, refreshTokenDataOf(client, approved, confirmation)))
  }
  const idToken = await idTokenFor(runtime, client, approved, { user, scopes, access })
  const answer = tokenAnswer({ access, refresh, idToken, scopes, confirmation, authorizationDetails }, now)
  return { records, answer }
}

function refreshTokenDataOf(
  client: AuthenticatedClient,
  { clientId, userId, scopes, resources, approvedAt, authentication, claims, authorizationDetails }: Approved,
  confirmation: Confirmation | undefined,
): RefreshTokenData {
  return {
    clientId,
    userId,
    scopes,
    resources,
    approvedAt,
    authentication,
    claims,
    authorizationDetails,
    confirmation: refreshConfirmation(client, confirmation),
  }
}
