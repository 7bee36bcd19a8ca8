import type { AuditEntry, Client, Grant } from '../store/records.js'
import type { AuditFilter, ClientFilter, GrantFilter, Store } from '../store/store.js'
import { Interrupted } from './failure.js'
import type { Io } from './io.js'

/** Rows that are read at once. */
const PAGE = 500

/** Everything that a filter finds, page by page, so that no list is too long. */
export function clientPages(
  store: Store,
  io: Io,
  filter: ClientFilter = {},
): AsyncGenerator<readonly Client[]> {
  return pages(io, filter.limit, (limit, last?: Client) =>
    store.listClients({
      ...filter,
      limit,
      ...(last && { after: { createdAt: last.createdAt, id: last.id } }),
    }),
  )
}

export function grantPages(store: Store, io: Io, filter: GrantFilter = {}): AsyncGenerator<readonly Grant[]> {
  return pages(io, filter.limit, (limit, last?: Grant) =>
    store.listGrants({
      ...filter,
      limit,
      ...(last && { after: { createdAt: last.createdAt, id: last.id } }),
    }),
  )
}

export function auditPages(
  store: Store,
  io: Io,
  filter: Omit<AuditFilter, 'limit' | 'before'>,
  most?: number,
): AsyncGenerator<readonly AuditEntry[]> {
  return pages(io, most, (limit, last?: AuditEntry) =>
    store.listAudit({ ...filter, limit, ...(last && { before: last.id }) }),
  )
}

/** How many grants a filter finds; of a client that is how many users, since each has one grant for it. */
export async function countGrants(store: Store, io: Io, filter: GrantFilter): Promise<number> {
  let count = 0
  for await (const page of grantPages(store, io, filter)) count += page.length
  return count
}

/** All of them in one list. */
export async function all<Row>(pages: AsyncIterable<readonly Row[]>): Promise<readonly Row[]> {
  const rows: Row[] = []
  for await (const page of pages) rows.push(...page)
  return rows
}

async function* pages<Row>(
  { signal }: Io,
  most = Number.POSITIVE_INFINITY,
  read: (limit: number, last?: Row) => Promise<readonly Row[]> | readonly Row[],
): AsyncGenerator<readonly Row[]> {
  let last: Row | undefined
  for (let left = most; left > 0; ) {
    if (signal.aborted) throw new Interrupted()
    const limit = Math.min(PAGE, left)
    const page = await read(limit, last)
    if (page.length > 0) yield page
    if (page.length < limit) return
    left -= page.length
    last = page.at(-1)
  }
}
