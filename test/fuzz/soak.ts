import { statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import Database from 'better-sqlite3'
import makeSigningKeys from '../support/before-all-suites.js'

await makeSigningKeys()
const { authorizeUrl, redeem, refresh, redirectUriOf, signedIn } = await import('../support/flow.js')
const { fetch } = await import('../support/fetch.js')
const { startHost } = await import('../support/host.js')

/** Flows at once, and how far the clock goes on with each: so many codes and tokens are alive at any time. */
const AT_ONCE = 16
const SECONDS = 1
const LIFETIMES = { accessToken: 600, refreshToken: 1200, refreshTokenTotal: 3600, authorizationCode: 60 }
/** For how long the audit log is kept, in seconds: it has an entry or more for each flow. */
const KEEP = 1200
/** The first part of the run fills caches and the store; from then on nothing may grow by more than this. */
const WARM = 0.25
const HEAP_MAY_GROW = 6
const FILE_MAY_GROW = 1.15
const MB = 1024 * 1024

const { values } = parseArgs({
  options: { flows: { type: 'string', default: '100000' }, every: { type: 'string', default: '5000' } },
})
const [flows, every] = [Number(values.flows), Number(values.every)]
const { gc } = globalThis
if (gc === undefined || !(flows > 0) || !(every > 0)) {
  console.error('npm run soak -- [--flows 100000] [--every 5000]')
  process.exit(2)
}

const folder = await mkdtemp(join(tmpdir(), 'soak-'))
const file = join(folder, 'oauth.db')
const host = await startHost({
  // Events would be kept.
  listen: false,
  provider: { store: file, lifetimes: LIFETIMES, audit: { keep: KEEP } },
})
const agent = await signedIn(host, 'alice')
const database = new Database(file, { readonly: true })
const live = database.prepare('SELECT count(*) FROM oauth_records').pluck()
const noted = database.prepare('SELECT count(*) FROM oauth_audit').pluck()

/** A code, its tokens, a use of them, a rotation, a use of that; and now and then what is left to expire in the middle. */
async function flow(number: number): Promise<void> {
  const location =
    (await agent.get(authorizeUrl(host, { client: 'first', params: { scope: 'read' } }))).location ?? ''
  const code = new URL(location).searchParams.get('code') ?? ''
  if (!location.startsWith(redirectUriOf('first')) || code === '') throw new Error(`no code: ${location}`)
  if (number % 10 === 0) return
  const { access_token, refresh_token } = (await redeem(host, code, { client: 'first' })).body
  await use(access_token)
  if (number % 3 === 0) return
  const { body } = await refresh(host, refresh_token, { client: 'first' })
  await use(body.access_token)
}

async function use(token: string): Promise<void> {
  const answer = await fetch(`${host.origin}/api/read`, { headers: { authorization: `Bearer ${token}` } })
  await answer.text()
  if (answer.status !== 200) throw new Error(`a new token is not good: ${answer.status}`)
}

interface Sample {
  readonly flows: number
  readonly heap: number
  readonly rows: number
  /** Entries of the audit log. */
  readonly entries: number
  readonly file: number
}

async function measure(done: number): Promise<Sample> {
  // What waits for a turn of the event loop is let go first.
  for (let turn = 0; turn < 3; turn++) {
    await new Promise(setImmediate)
    gc?.()
  }
  const heap = process.memoryUsage().heapUsed / MB
  const [rows, entries] = [live.get() as number, noted.get() as number]
  return { flows: done, heap, rows, entries, file: sizeOf(file) + sizeOf(`${file}-wal`) }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

function show({ flows, heap, rows, entries, file }: Sample, seconds: number): void {
  const columns = [
    `${flows} flows`.padStart(15),
    `heap ${heap.toFixed(1)} MB`.padStart(15),
    `${rows} records`.padStart(15),
    `${entries} entries`.padStart(15),
    `file ${(file / MB).toFixed(1)} MB`.padStart(15),
    `${seconds.toFixed(0)} s`.padStart(7),
  ]
  console.log(columns.join(' '))
}

const from = performance.now()
const samples: Sample[] = []
for (let done = 0; done < flows; ) {
  const next = Math.min(flows, done + every)
  for (; done < next; done += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => flow(done + index)))
    host.advance(SECONDS * AT_ONCE)
  }
  const sample = await measure(done)
  samples.push(sample)
  show(sample, (performance.now() - from) / 1000)
}
// All have expired: what is there now is dead, and has to go with the purges.
host.advance(366 * 86_400)
await host.oauth.purge()
const end = await measure(flows)
show(end, (performance.now() - from) / 1000)
database.close()
await host.close()
await rm(folder, { recursive: true })

const settled = samples.slice(Math.floor(samples.length * WARM))
const most = (part: readonly Sample[], of: keyof Sample) => Math.max(...part.map((sample) => sample[of]))
const half = Math.ceil(settled.length / 2)
const [early, late] = [settled.slice(0, half), settled.slice(half)]
const flaws = [
  late.length === 0 && 'too few samples: let more flows run, or print more often',
  most(late, 'heap') > most(early, 'heap') + HEAP_MAY_GROW && 'the heap grows',
  most(late, 'rows') > most(early, 'rows') * FILE_MAY_GROW && 'the records grow',
  most(late, 'entries') > most(early, 'entries') * FILE_MAY_GROW && 'the audit log grows',
  most(late, 'file') > most(early, 'file') * FILE_MAY_GROW && 'the file grows',
  end.rows > 0 && `${end.rows} records are left that have expired`,
  end.entries > 0 && `${end.entries} entries of the audit log are left`,
].filter((flaw) => flaw !== false)
console.log(flaws.length === 0 ? 'nothing grows' : flaws.join('; '))
process.exit(flaws.length === 0 ? 0 : 1)
