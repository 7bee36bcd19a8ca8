import type { Store } from '../store/store.js'

/** Entries that are counted at once. */
const PAGE = 500

/**
 * Deletes all that the audit log has from before a time (milliseconds), and answers how many entries went. `pause` is called between the
 * questions to the store; what it throws ends it.
 */
export async function purgeAudit(
  store: Pick<Store, 'appendAudit' | 'listAudit'>,
  until: number,
  pause: () => void = () => undefined,
): Promise<number> {
  const first = await count(store, until, pause)
  let left = first
  // What another process adds cannot be that old, so a store that deletes anything has less each time. One that deletes nothing must not be
  // asked for ever; to count takes longer than to delete, so it is done less and less often.
  for (let rounds = 1; left > 0; rounds *= 2) {
    for (let round = 0; round < rounds && (await hasAny(store, until)); round++) {
      pause()
      await store.appendAudit([], until)
    }
    const rest = await count(store, until, pause)
    if (rest >= left) break
    left = rest
  }
  return first - left
}

async function hasAny(store: Pick<Store, 'listAudit'>, until: number): Promise<boolean> {
  const entries = await store.listAudit({ until, limit: 1 })
  return entries.length > 0
}

async function count(store: Pick<Store, 'listAudit'>, until: number, pause: () => void): Promise<number> {
  let entries = 0
  for (let before: string | undefined; ; ) {
    pause()
    const page = await store.listAudit({ until, limit: PAGE, ...(before !== undefined && { before }) })
    entries += page.length
    before = page.at(-1)?.id
    if (page.length < PAGE) return entries
  }
}
