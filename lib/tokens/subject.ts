import { createHmac, hash } from 'node:crypto'
import { ConfigurationError } from '../errors.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { sectorOf } from '../vouched.js'

/**
 * What a client gets to know as `sub`: the user's id, or, for a pairwise client, a value that clients at other sites cannot compare
 * with theirs (OpenID Connect Core §8.1).
 */
export function subjectOf(settings: Pick<Settings, 'pairwiseSalt'>, client: Client, userId: string): string {
  if (client.subjectType !== 'pairwise') return userId
  const { pairwiseSalt } = settings
  if (pairwiseSalt === undefined) {
    // A client from the store, while the option was taken away: the plain id must not come out instead.
    throw new ConfigurationError(
      'pairwiseSalt',
      `is missing, and the client '${client.id}' is pairwise`,
      'Pass the one that it was registered with.',
    )
  }
  return createHmac('sha256', pairwiseSalt)
    .update(`${sectorOf(client)}\0${userId}`)
    .digest('base64url')
}

/**
 * What a client gets to know as `sid`: the login session at the host, by another name for each client, or pairwise clients could compare
 * it instead of `sub`. 132 bits.
 */
export function sidOf({ id }: Client, session: string): string {
  return hash('sha256', `${session}\0${id}`, 'base64url').slice(0, 22)
}
