import { purgeAudit } from '../audit/purge.js'
import type { Store } from '../store/store.js'
import { defineCommand, STORE_FLAG } from './command.js'
import { Interrupted } from './failure.js'
import { type Io, print } from './io.js'
import { clientPages } from './pages.js'
import { withStore } from './store.js'
import { list } from './table.js'
import { json } from './terminal.js'
import { moment } from './time.js'

const BATCH = 1000

export const purge = defineCommand({
  name: 'purge',
  summary: 'Delete what has expired, all at once',
  flags: {
    'audit-before': {
      value: 'time',
      about:
        'Delete older entries of the audit log too: 90d, 2026-01-31. Without it, your app does so by its option audit.',
    },
    ...STORE_FLAG,
  },
  notes: 'Every write of your app deletes a little of what has expired, so nobody has to run this.',
  async run(args, io) {
    const given = args.text('audit-before')
    const before = given === undefined ? undefined : moment('--audit-before', given, io.now())
    const purged = await withStore(args, io, async (store) => ({
      ...(await purgeExpired(store, io)),
      audit: before === undefined ? 0 : await purgeAudit(store, before, () => stopIfAborted(io)),
    }))
    const lines = Object.entries(purged).map(([name, count]): [string, string] => [name, String(count)])
    await print(io, args.has('json') ? `${json(purged)}\n` : list(lines))
    return undefined
  },
})

async function purgeExpired(
  store: Store,
  io: Io,
): Promise<{ readonly records: number; readonly clients: number }> {
  const now = io.now()
  const expired = await countExpired(store, io, now)
  let records = 0
  // The store says how many records went; clients, as many at once, have to be counted.
  for (let round = 0, purged = BATCH; purged === BATCH || round * BATCH < expired; round++) {
    stopIfAborted(io)
    purged = await store.purge(now, BATCH)
    records += purged
  }
  return { records, clients: expired - (await countExpired(store, io, now)) }
}

async function countExpired(store: Store, io: Io, now: number): Promise<number> {
  let count = 0
  for await (const page of clientPages(store, io))
    count += page.filter(({ expiresAt }) => expiresAt !== undefined && expiresAt < now).length
  return count
}

function stopIfAborted({ signal }: Io): void {
  if (signal.aborted) throw new Interrupted()
}
