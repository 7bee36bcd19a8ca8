import type { Client, Grant } from '../store/records.js'
import type { Position } from '../store/store.js'

/** Clients, grants or entries on one page. */
export const ON_PAGE = 50

/** A list with one more than a page shows, which says that there is a next page: what is shown, and where the next one begins. */
export function pageOf<Item>(found: readonly Item[]): {
  readonly items: readonly Item[]
  readonly last: Item | undefined
} {
  const items = found.slice(0, ON_PAGE)
  return { items, last: found.length > ON_PAGE ? items.at(-1) : undefined }
}

/** Where a page ended, as it stands in a link. */
export function positionText(last: Client | Grant | undefined): string | undefined {
  return last && `${last.createdAt}.${last.id}`
}

/** The same read again; undefined for whatever else somebody has written there. */
export function readPosition(text: string | undefined): Position | undefined {
  const [, createdAt, id] = /^(\d{1,15})\.(.+)$/su.exec(text ?? '') ?? []
  return createdAt === undefined || id === undefined ? undefined : { createdAt: Number(createdAt), id }
}

/** What the lists show of a client. */
export function shownClient(client: Client, isStatic: boolean) {
  return {
    id: client.id,
    name: client.name,
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
