import { checkedStore } from '../store/checked.js'
import { openStore } from '../store/open.js'
import { schemaOf } from '../store/schema.js'
import type { CheckedStore, Store } from '../store/store.js'
import type { Migrated, TableVersion } from '../store/table-version.js'
import type { Arguments } from './arguments.js'
import { PROGRAM } from './command.js'
import { Failure } from './failure.js'
import { type Io, remark } from './io.js'
import { type Location, locate, locationName } from './location.js'
import { openPostgres } from './postgres.js'
import { visible } from './terminal.js'

/** A store that is open. */
interface OpenedStore {
  readonly store: Store
  close(): Promise<void>
}

/** Does something with the store that was named, whose tables have to be up to date, and closes it. */
export async function withStore<T>(
  args: Arguments,
  io: Io,
  task: (store: CheckedStore, location: Location) => Promise<T>,
): Promise<T> {
  const location = locate(args, io)
  const { store, close } = await openStoreAt(location, io)
  const damaged: string[] = []
  try {
    return await task(
      checkedStore(store, ({ message }) => damaged.push(message)),
      location,
    )
  } finally {
    await close()
    for (const message of damaged) await remark(io, visible(message))
  }
}

/** Opens a store that there is. It makes no file and no table, since a name may be mistyped. */
async function openStoreAt(location: Location, io: Io): Promise<OpenedStore> {
  if (location.kind === 'file') {
    if (!location.exists) throw missing(location)
    requireUpToDate(schemaOf(location.file), location)
    const store = openStore(location.file, io.now)
    return { store, close: async () => store.close() }
  }
  const opened = await openPostgres(location.url, location.schema, io)
  try {
    requireUpToDate(await opened.store.version(), location)
    return opened
  } catch (error) {
    await opened.close()
    throw error
  }
}

/** Brings the tables up to date, and makes the file where there is none. */
export async function migrateStoreAt(location: Location, io: Io): Promise<Migrated> {
  if (location.kind === 'file') {
    const from = location.exists ? schemaOf(location.file).at : 0
    await openStore(location.file, io.now).close()
    return { from, to: schemaOf(location.file).at }
  }
  const { store, close } = await openPostgres(location.url, location.schema, io)
  try {
    return await store.migrate()
  } finally {
    await close()
  }
}

function requireUpToDate({ at, latest }: TableVersion, location: Location): void {
  const name = locationName(location)
  if (at > latest)
    throw new Failure(
      'store_newer',
      `${name} was written by a newer version of express-oauth-provider. Run the version that your app has.`,
    )
  if (at === latest) return
  const state = at === 0 ? 'has no tables of express-oauth-provider' : `is at version ${at} of ${latest}`
  throw new Failure(
    'store_outdated',
    `${name} ${state}. If it is the right one, start your app, which brings it up to date, or run: ${PROGRAM} migrate --store <${location.kind === 'file' ? 'file' : 'URL'}>`,
  )
}

function missing({ file }: { readonly file: string }): Failure {
  return new Failure(
    'store_missing',
    `There is no ${file}. Pass the store of your app, --store <file or PostgreSQL URL>, or set OAUTH_STORE; or make a new one: ${PROGRAM} migrate --store <file>`,
  )
}
