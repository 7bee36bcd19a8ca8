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
export function positionText(last: Position | undefined): string | undefined {
  return last && `${last.createdAt}.${last.id}`
}

/** The same read again; undefined for whatever else somebody has written there. */
export function readPosition(text: string | undefined): Position | undefined {
  const [, createdAt, id] = /^(\d{1,15})\.(.+)$/su.exec(text ?? '') ?? []
  return createdAt === undefined || id === undefined ? undefined : { createdAt: Number(createdAt), id }
}
