import { isDeepStrictEqual } from 'node:util'
import { optional } from '../optional.js'
import type { ClientMetadata } from '../options.js'
import type { Client } from '../store/records.js'
import type { RegisteredClient } from './clients.js'
import { invalid } from './fields.js'
import { type Identity, toMetadata } from './metadata.js'
import { isStrangerField } from './stranger-metadata.js'

/** What limits for what a client may ask. */
const LIMITS: readonly string[] = ['scope', 'grant_types']
/** What the host thinks of a client, which makes no other one of it. */
const JUDGEMENTS: readonly string[] = ['verified', 'disabled']

/** A client as the host sees it. Those of the option `clients` are made anew at each start, so when that was says nothing. */
export function toRegistered(client: Client, isStatic = false): RegisteredClient {
  return {
    ...toMetadata(client),
    ...optional('source', client.source),
    ...(!isStatic && { client_id_issued_at: Math.floor(client.createdAt / 1000) }),
  }
}

export function listRegistered(fixed: readonly Client[], stored: readonly Client[]): RegisteredClient[] {
  return [
    ...fixed.map((client) => toRegistered(client, true)),
    ...stored.map((client) => toRegistered(client)),
  ]
}

/** What a client says of itself in its document is read there again and again, so it would not stay. What it was already may be handed back. */
export function refuseWhatDocumentSays(stored: Client, changes: ClientMetadata): void {
  if (stored.source !== 'document') return
  const said = toMetadata(stored)
  for (const [name, value] of Object.entries(changes)) {
    const isSame = isDeepStrictEqual(value, said[name as keyof ClientMetadata])
    // A limit of the host's holds beside what it says.
    if (isStrangerField(name) && !isSame && !LIMITS.includes(name))
      throw invalid(
        name,
        'is what the document at the client_id says',
        'Change it there; or delete the client and create one with this client_id, which is what you say.',
      )
  }
}

/**
 * What it keeps beside its metadata when these members change: it no longer goes away by itself, what is another client now is not that of all who
 * registered the same, and what somebody else has said of its scopes, or let it do with them, holds.
 */
export function keptIdentity<Kept extends Partial<Identity>>(
  { expiresAt: _, fingerprint, anyScope, ...identity }: Kept,
  changed: readonly string[],
): Omit<Kept, 'expiresAt' | 'fingerprint' | 'anyScope'> & Pick<Identity, 'fingerprint' | 'anyScope'> {
  const isJudged = changed.every((name) => JUDGEMENTS.includes(name))
  const isLimited = LIMITS.some((name) => changed.includes(name))
  return {
    ...identity,
    ...optional('fingerprint', isJudged ? fingerprint : undefined),
    ...optional('anyScope', isLimited ? undefined : anyScope),
  }
}

/** Keys are in one place, so naming one takes the place of the other. */
export function withoutReplacedKeys(
  { jwks, jwks_uri, ...others }: ClientMetadata,
  changes: ClientMetadata,
): ClientMetadata {
  return {
    ...others,
    ...optional('jwks', changes.jwks_uri === undefined ? jwks : undefined),
    ...optional('jwks_uri', changes.jwks === undefined ? jwks_uri : undefined),
  }
}
