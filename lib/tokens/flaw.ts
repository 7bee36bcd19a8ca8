import type { Settings } from '../settings.js'
import type { FoundRecord } from '../store/records.js'
import type { AccessTokenData } from './access-token.js'
import { expiryOf } from './handle.js'
import { isEmptied } from './withdrawn.js'

/** Why an access or refresh token is good no more. */
export type Flaw = 'grant_revoked' | 'token_revoked' | 'token_expired' | 'token_unbound'

/**
 * What is wrong with the token of this record, wherever and by whomever it is used; undefined where nothing is. `data`: what the record holds.
 * `now` in milliseconds. What became of its client and its user is not looked at.
 */
export function flawOf(
  record: FoundRecord,
  data: Pick<AccessTokenData, 'confirmation' | 'scopes' | 'authorizationDetails'>,
  { profile }: Pick<Settings, 'profile'>,
  now: number,
): Flaw | undefined {
  if (!record.alive || isEmptied(record, data)) return 'grant_revoked'
  // An access token is used up by its revocation, a refresh token by its rotation.
  if (record.usedAt !== undefined) return 'token_revoked'
  if (expiryOf(record.id) <= now) return 'token_expired'
  // A bearer token where none may be was issued before the option `profile` was set. Refresh tokens are used by who proves to be the client.
  const isUnbound = record.kind === 'access' && data.confirmation === undefined && profile.onlyBoundTokens
  return isUnbound ? 'token_unbound' : undefined
}
