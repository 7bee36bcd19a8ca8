import type { AuthorizationDetail } from '../options.js'
import type { Confirmation } from '../sender.js'
import type { Settings } from '../settings.js'
import type { ClaimsRequest } from '../standard-claims.js'
import type { Client, FoundRecord, StoredRecord } from '../store/records.js'
import type { GrantedLineage } from './access-token.js'
import type { Authentication } from './authentication.js'
import { deriveHandle, expiryOf, type Handle, newSeed } from './handle.js'
import type { JwtSigning } from './jwt-access-token.js'
import { longestAccessTokenLifetime, refreshTokenLifetimes } from './lifetimes.js'
import { knownContent, traceOf } from './record-content.js'
import { withoutWithdrawn } from './withdrawn.js'

/** What a refresh token stands for: everything that was granted, which each access token may have less of (RFC 6749 §6). */
export interface RefreshTokenData {
  readonly clientId: string
  readonly userId: string
  readonly scopes: readonly string[]
  readonly resources: readonly string[]
  /** When the user approved, in milliseconds: no rotation extends the total lifetime that began then. */
  readonly approvedAt: number
  readonly claims?: ClaimsRequest | undefined
  readonly authentication: Authentication
  readonly authorizationDetails?: readonly AuthorizationDetail[] | undefined
  /** What the tokens of a public client are bound to: nothing else proves who presents this one (RFC 9449 §5, RFC 8705 §4). */
  readonly confirmation?: Confirmation | undefined
}

export function refreshTokenRecord(
  handle: Handle,
  lineage: GrantedLineage,
  data: RefreshTokenData,
): StoredRecord {
  return {
    id: handle.id,
    kind: 'refresh',
    hash: handle.hash,
    grantId: lineage.grantId,
    familyId: lineage.familyId,
    data: JSON.stringify(data),
  }
}

export function refreshTokenData(record: FoundRecord): RefreshTokenData {
  return withoutWithdrawn(record, knownContent<RefreshTokenData>(record))
}

/** When a refresh token issued now expires, in milliseconds. `lifetimes` in seconds. */
export function refreshTokenExpiry(
  now: number,
  approvedAt: number,
  lifetimes: { readonly refreshToken: number; readonly refreshTokenTotal: number },
): number {
  return Math.min(now + lifetimes.refreshToken * 1000, approvedAt + lifetimes.refreshTokenTotal * 1000)
}

/** What a refresh token was exchanged for: two handles, and what the access token is for. */
export interface Rotation {
  readonly access: Handle
  readonly refresh: Handle
  readonly scopes: readonly string[]
  readonly audience: readonly string[]
  /** Where the access token is a JWT. */
  readonly signing?: JwtSigning | undefined
  readonly confirmation?: Confirmation | undefined
  readonly authorizationDetails?: readonly AuthorizationDetail[] | undefined
}

/** What follows a refresh token, and the trace from which `sameRotation` finds it again. */
export function newRotation(
  refreshToken: string,
  use: Omit<Rotation, 'access' | 'refresh'>,
  expires: RotationTrace['expires'],
): Rotation & { readonly trace: string } {
  const seed = newSeed()
  const { scopes, audience, signing, confirmation, authorizationDetails } = use
  const trace: RotationTrace = {
    seed,
    scopes,
    audience,
    signing,
    confirmation,
    authorizationDetails,
    expires,
  }
  const { access, refresh } = derive(refreshToken, trace)
  const kept = JSON.stringify(trace)
  return { access, refresh, scopes, audience, signing, confirmation, authorizationDetails, trace: kept }
}

interface RotationTrace extends Omit<Rotation, 'access' | 'refresh'> {
  readonly seed: string
  /** Milliseconds. */
  readonly expires: { readonly access: number; readonly refresh: number }
}

/** The very rotation that this refresh token had when it was used; undefined where that cannot be read any more. */
export function sameRotation(refreshToken: string, trace: string): Rotation | undefined {
  const kept = traceOf<RotationTrace>('refresh', trace)
  if (kept === undefined) return undefined
  const { seed, expires, ...use } = kept
  return { ...derive(refreshToken, { seed, expires }), ...use }
}

function derive(
  source: string,
  { seed, expires }: Pick<RotationTrace, 'seed' | 'expires'>,
): Pick<Rotation, 'access' | 'refresh'> {
  return {
    access: deriveHandle(expires.access, source, seed, 'access'),
    refresh: deriveHandle(expires.refresh, source, seed, 'refresh'),
  }
}

/** Lifetimes may have been longer when the tokens of a family were issued than they are now. Seconds. */
const LEAST_MEMORY = 365 * 86_400

/** Until when records that descend from this one can be alive, in milliseconds. */
export function familyExpiry(
  { id }: Pick<FoundRecord, 'id'>,
  settings: Pick<Settings, 'lifetimes' | 'resources'>,
  client: Client,
): number {
  const { refreshTokenTotal } = refreshTokenLifetimes(settings, client)
  const longest = longestAccessTokenLifetime(settings, client)
  return expiryOf(id) + Math.max(refreshTokenTotal + longest, LEAST_MEMORY) * 1000
}
