import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import makeSigningKeys from '../support/before-all-suites.js'
import type { Outcome } from './run.js'

// Before anything that reads them.
await makeSigningKeys()
const { SEARCHES } = await import('./run.js')

/** Inputs for one host, which is then replaced: what they leave in it would slow the others down. */
const RUNS: Readonly<Record<string, number>> = {
  requests: 3000,
  parsed: 3000,
  fapi2: 1500,
  documents: 1500,
  store: 100,
  postgres: 100,
  keys: 100,
}

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string' },
    only: { type: 'string' },
    path: { type: 'string' },
    help: { type: 'boolean' },
  },
})
const names = Object.keys(SEARCHES).filter((name) => values.only === undefined || values.only === name)
const first = Number(values.seed ?? randomInt(2 ** 31 - 1))
const minutes = Number(values.minutes)
if (values.help || names.length === 0 || !Number.isSafeInteger(first) || !(minutes > 0)) {
  console.error(`npm run fuzz -- [--minutes 5] [--seed 1] [--only ${Object.keys(SEARCHES).join('|')}]`)
  process.exit(values.help ? 0 : 2)
}

/** What keeps a search itself from working has been found, too. */
function outOfOrder(error: Error): Outcome {
  return { counts: new Map(), found: error.stack ?? String(error) }
}

const unhandled: unknown[] = []
process.on('unhandledRejection', (error) => unhandled.push(error))
process.on('uncaughtException', (error) => unhandled.push(error))

console.log(`seed ${first}, ${values.path === undefined ? `${minutes} minutes` : `path ${values.path}`}`)
const end = Date.now() + minutes * 60_000
const totals = new Map<string, Map<string, number>>(names.map((name) => [name, new Map()]))
let failure: string | undefined
for (let seed = first; failure === undefined && Date.now() < end; seed++) {
  for (const name of names) {
    const { path } = values
    const search = SEARCHES[name]!({
      seed,
      runs: RUNS[name] ?? 1,
      ...(path !== undefined && { path }),
    })
    const { counts, found } = await search.catch(outOfOrder)
    for (const [what, times] of counts)
      totals.get(name)?.set(what, (totals.get(name)?.get(what) ?? 0) + times)
    const lost =
      unhandled.length > 0 ? `nobody handled, at ${name} with seed ${seed}: ${unhandled[0]}` : undefined
    failure ??= found ?? lost
    if (failure !== undefined || Date.now() >= end) break
  }
  if (values.path !== undefined) break
}
for (const [name, counts] of totals) {
  const parts = [...counts].sort().map(([what, times]) => `${what}: ${times}`)
  const sum = [...counts.values()].reduce((all, times) => all + times, 0)
  console.log(`${name}: ${sum} (${parts.join(', ')})`)
}
const untried = [...totals].filter(([, counts]) => counts.size === 0).map(([name]) => name)
if (untried.length > 0) console.log(`the time was too short for: ${untried.join(', ')}`)
console.log(failure ?? 'nothing found')
process.exit(failure === undefined ? 0 : 1)
