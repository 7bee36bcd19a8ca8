import { createHmac } from 'node:crypto'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'

/**
 * What a client gets to know as `sub`: the user's id, or, for a pairwise client, a value that clients at other sites cannot compare
 * with theirs (OpenID Connect Core §8.1).
 */
export function subjectOf(settings: Pick<Settings, 'pairwiseSalt'>, client: Client, userId: string): string {
  if (client.subjectType !== 'pairwise') return userId
  const { pairwiseSalt } = settings
  if (pairwiseSalt === undefined) {
    // A client from the store, while the option was taken away: the plain id must not come out instead.
    throw new Error(`The client ${client.id} is pairwise, and the option pairwiseSalt is missing.`)
  }
  return createHmac('sha256', pairwiseSalt)
    .update(`${sectorOf(client)}\0${userId}`)
    .digest('base64url')
}

/** Clients of one sector get the same `sub`. Registration has seen to it that all redirect URIs lead to one host, or are listed. */
function sectorOf({ id, sectorIdentifierUri, redirectUris }: Client): string {
  const uri = sectorIdentifierUri ?? redirectUris[0]
  return uri === undefined ? id : new URL(uri).hostname || id
}
