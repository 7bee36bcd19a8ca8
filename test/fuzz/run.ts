import { damages } from './damage.js'
import { requests } from './requests.js'
import { findCounterexample, type Search } from './search.js'
import { startStored } from './stored.js'
import { startTarget } from './target.js'
import { judge } from './verdict.js'

/** How one search went. */
export interface Outcome {
  /** How many answers there were of each status, or how often the store was damaged. */
  readonly counts: ReadonlyMap<string, number>
  /** The smallest counterexample; undefined where none was found. */
  readonly found: string | undefined
}

/** Each searches on a host of its own. */
export const SEARCHES: Readonly<Record<string, (search: Search) => Promise<Outcome>>> = {
  /** Requests to every endpoint. */
  requests: (search) => searchRequests('requests', search),
  /** The same at a host that parses bodies itself. */
  parsed: (search) => searchRequests('parsed', search),
  /** What lies in the store is damaged, or of another version. */
  store: searchStore,
}

async function searchRequests(name: 'requests' | 'parsed', search: Search): Promise<Outcome> {
  const counts = new Map<string, number>()
  const target = await startTarget({ parsers: name === 'parsed' })
  const holds = async (request: Parameters<typeof judge>[1]) =>
    count(counts, String(await judge(target, request)))
  const found = await findCounterexample(name, requests, holds, search)
  const alive = await target.isAlive()
  await target.close()
  return { counts, found: found ?? (alive ? undefined : `${name}: a token that nobody has revoked is dead`) }
}

async function searchStore(search: Search): Promise<Outcome> {
  const counts = new Map<string, number>()
  const target = await startStored()
  const found = await findCounterexample(
    'store',
    damages,
    async (damage) => {
      await target.judge(damage)
      count(counts, damage.of)
    },
    search,
  )
  await target.close()
  return { counts, found }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}
