import { startPostgres } from '../support/postgres.js'
import type { ClientTask } from './client-process.js'
import { commitTime } from './disk.js'
import { readFlags, USAGE } from './flags.js'
import { CLIENT_CORE, measureAll, profileOurs, startServers } from './measure.js'
import { prepareWorkers } from './processes.js'
import { circumstances, table } from './table.js'
import { targets } from './targets.js'

const tell = (what: string) => process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${what}` : '')

async function run(args: readonly string[]): Promise<void> {
  const flags = readFlags(args)
  const workers = prepareWorkers(flags.folder)
  const postgres = flags.only.includes('ours-postgres') ? await startPostgres({ durable: true }) : undefined
  try {
    const commit = commitTime(workers.folder)
    const servers = await startServers(flags, workers, async () => postgres?.createDatabase(), tell)
    const client = workers.start<ClientTask>('client-process', CLIENT_CORE)
    const measurements = await measureAll(flags, servers, client, tell)
    tell('')
    console.log(
      `${circumstances(flags, workers.pinned, commit)}\n\n${table(measurements, flags)}\n\n${targets(measurements, flags)}`,
    )
    if (!flags.profile) return
    for (const file of await profileOurs(flags, servers, client)) console.log(file)
  } finally {
    await workers.close()
    await postgres?.stop()
  }
}

const args = process.argv.slice(2)
if (args.includes('--help')) console.log(USAGE)
else await run(args)
