import path from 'node:path'
import { type CandidateName, dependsOnStore, isThere, type Measured, sizesFor } from './catalogue.js'
import type { ClientTask, Sample } from './client-process.js'
import type { Flags } from './flags.js'
import type { Worker, Workers } from './processes.js'
import type { Served, ServerTask } from './server-process.js'

/** The cores that servers and client are kept to. */
export const SERVER_CORE = 0
export const CLIENT_CORE = 1
/** Seconds of the same before each measurement: whoever has had to wait for its turn has its memory brought back meanwhile. */
const WARM_UP = 1
/** Seconds at the beginning of a measurement in which connections are made. */
const BEGINNING = 0.1

export interface Server {
  readonly candidate: CandidateName
  readonly tokens: number
  readonly served: Served
  readonly worker: Worker<ServerTask>
}

export interface MeasuredSample extends Sample {
  /** Microseconds of a core that the server has had for each operation, which hardly depend on what else the machine does. */
  readonly cpu: number
}

export interface Measurement {
  readonly candidate: CandidateName
  readonly tokens: number
  readonly operation: Measured
  readonly samples: MeasuredSample[]
}

/** One for each candidate and size of its store, filled. `database` makes an empty one. */
export async function startServers(
  { only, tokens }: Flags,
  workers: Workers,
  database: () => Promise<string | undefined>,
  tell: (what: string) => void,
): Promise<Server[]> {
  const servers: Server[] = []
  for (const candidate of only) {
    for (const count of sizesFor(candidate, tokens)) {
      tell(`filling ${candidate} with ${count} tokens`)
      const worker = workers.start<ServerTask>('server-process', SERVER_CORE)
      const file = path.join(workers.folder, `${candidate}-${count}.db`)
      const place = {
        file,
        database: candidate === 'ours-postgres' ? await database() : undefined,
        tokens: count,
      }
      const served = await worker.tell<Served>({ serve: candidate, place })
      servers.push({ candidate, tokens: count, served, worker })
    }
  }
  return servers
}

/** Round by round, and in each of them candidate by candidate, so that what else the machine does meets all of them alike. */
export async function measureAll(
  { operations, rounds, seconds, connections, tokens }: Flags,
  servers: readonly Server[],
  client: Worker<ClientTask>,
  tell: (what: string) => void,
): Promise<readonly Measurement[]> {
  const measured: readonly Measured[] = operations.flatMap((name): Measured[] =>
    name === 'requireToken' ? ['open route', name] : [name],
  )
  const plan = measured.flatMap((operation) =>
    servers
      .filter(({ candidate }) => isThere(candidate, operation))
      .filter(({ candidate, tokens: count }) => count === tokens[0] || dependsOnStore(candidate, operation))
      .map((server) => ({ ...server, operation, samples: [] as MeasuredSample[] })),
  )
  for (let round = 1; round <= rounds; round++) {
    for (const { operation, served, candidate, samples, worker } of plan) {
      tell(`round ${round} of ${rounds}: ${operation}, ${candidate}`)
      const task = { operation, served, connections, warmUp: BEGINNING }
      await client.tell({ ...task, seconds: WARM_UP })
      const before = await worker.tell<number>({ cpu: true })
      const sample = await client.tell<Sample>({ ...task, seconds })
      const spent = (await worker.tell<number>({ cpu: true })) - before
      samples.push({ ...sample, cpu: spent / sample.operations })
    }
  }
  return plan
}

/** Writes a profile of our server at each operation; answers the names of the files. */
export async function profileOurs(
  { operations, connections }: Flags,
  servers: readonly Server[],
  client: Worker<ClientTask>,
): Promise<readonly string[]> {
  const ours = servers.filter(({ candidate }) => candidate === 'ours-sqlite').at(-1)
  if (ours === undefined) return []
  const files: string[] = []
  for (const operation of operations) {
    const file = path.resolve(`bench-${operation.replace(' ', '-')}.cpuprofile`)
    await ours.worker.tell({ profile: 'start' })
    await client.tell({ operation, served: ours.served, connections, warmUp: 0, seconds: 3 })
    await ours.worker.tell({ profile: 'stop', file })
    files.push(file)
  }
  return files
}
