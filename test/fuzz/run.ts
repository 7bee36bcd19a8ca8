import { type Damage, damages, type Step } from './damage.js'
import { startVisited, type Visit, visits } from './documents.js'
import { type FuzzRequest, requests } from './requests.js'
import { findCounterexample, type Search } from './search.js'
import { damagesOfKeys, startSigning } from './signing.js'
import { inPostgres, startStored } from './stored.js'
import { startProfiled, startTarget, type Target } from './target.js'
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
  requests: (search) => searchRequests('requests', search, startTarget),
  /** The same at a host that parses bodies itself. */
  parsed: (search) => searchRequests('parsed', search, () => startTarget({ parsers: true })),
  /** The same at a host under the profile FAPI 2.0. */
  fapi2: (search) => searchRequests('fapi2', search, startProfiled),
  /** Requests of clients whose metadata lie at URLs, where anything may lie. */
  documents: searchDocuments,
  /** What lies in the store is damaged, or of another version. */
  store: (search) => searchStore('store', search),
  /** The same on PostgreSQL. */
  postgres: (search) => searchStore('postgres', search, inPostgres),
  /** The signing keys in the store are damaged. */
  keys: searchKeys,
}

async function searchRequests(name: string, search: Search, start: () => Promise<Target>): Promise<Outcome> {
  const counts = new Map<string, number>()
  const target = await start()
  const holds = async (request: FuzzRequest) => count(counts, String(await judge(target, request)))
  const found = await findCounterexample(name, requests, holds, search)
  const flaw = found ?? (await deadOne(name, target))
  await target.close()
  return { counts, found: flaw }
}

async function searchDocuments(search: Search): Promise<Outcome> {
  const counts = new Map<string, number>()
  const visited = await startVisited()
  const holds = async (visit: Visit) => count(counts, String(await visited.judge(visit)))
  const found = await findCounterexample('documents', visits, holds, search)
  const flaw = found ?? (await deadOne('documents', visited.target))
  await visited.close()
  return { counts, found: flaw }
}

async function deadOne(name: string, target: Target): Promise<string | undefined> {
  return (await target.isAlive()) ? undefined : `${name}: a token that nobody has revoked is dead`
}

async function searchStore(
  name: string,
  search: Search,
  open?: Parameters<typeof startStored>[0],
): Promise<Outcome> {
  const counts = new Map<string, number>()
  const target = await startStored(open)
  const holds = async (damage: Damage) => {
    const taken = await target.judge(damage)
    count(counts, taken ? damage.of : 'nothing taken')
  }
  const found = await findCounterexample(name, damages, holds, search)
  await target.close()
  return { counts, found }
}

async function searchKeys(search: Search): Promise<Outcome> {
  const counts = new Map<string, number>()
  const target = await startSigning()
  const holds = async (how: readonly Step[]) => count(counts, await target.judge(how))
  return { counts, found: await findCounterexample('keys', damagesOfKeys, holds, search) }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}
