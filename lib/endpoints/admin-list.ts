import { shownName } from '../client-name.js'
import type { Client, Grant } from '../store/records.js'

/** What the pages for administrators show of a client. */
export function shownClient(client: Client, isStatic: boolean) {
  return {
    id: client.id,
    name: shownName(client),
    source: isStatic ? 'static' : (client.source ?? 'host'),
    // Whoever configured or created it has looked at it, as it was before its owner changed it.
    verified: client.source === undefined ? client.verified : client.verified === true,
    blocked: client.disabled,
    createdAt: isStatic ? undefined : new Date(client.createdAt),
  }
}

/** What the lists show of a grant. */
export function shownGrant(grant: Grant) {
  return {
    id: grant.id,
    userId: grant.userId,
    clientId: grant.clientId,
    scopes: [...new Set(Object.values(grant.access).flat())],
    claims: grant.claims ?? [],
    createdAt: new Date(grant.createdAt),
    lastUsedAt: grant.lastUsedAt === undefined ? undefined : new Date(grant.lastUsedAt),
    lastUsedFrom: grant.lastUsedFrom,
  }
}
