import type { Client } from '../store/records.js'
import { clientView } from './client-view.js'
import { defineCommand, STORE_FLAG } from './command.js'
import { UsageError } from './failure.js'
import { print, remark } from './io.js'
import { clientPages } from './pages.js'
import { withStore } from './store.js'
import { type Column, table } from './table.js'
import { json } from './terminal.js'
import { shortTime } from './time.js'

const SOURCES = ['host', 'registration', 'document', 'user']

const COLUMNS: readonly Column<Client>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'NAME', of: ({ name }) => name, cut: true },
  { title: 'TYPE', of: ({ confidential }) => (confidential ? 'confidential' : 'public') },
  { title: 'SOURCE', of: sourceOf },
  { title: 'VERIFIED', of: verifiedOf },
  { title: 'DISABLED', of: ({ disabled }) => (disabled ? 'yes' : 'no') },
  { title: 'CREATED (UTC)', of: ({ createdAt }) => shortTime(createdAt) },
]

export const clientsList = defineCommand({
  name: 'clients list',
  summary: 'List the clients in the store',
  flags: {
    matching: { value: 'text', about: 'Only those whose name or id contains this.' },
    owner: { value: 'user id', about: 'Only those that this user made.' },
    source: { value: 'word', about: `Only those that came in this way: ${SOURCES.join(', ')}.` },
    ...STORE_FLAG,
  },
  notes: 'Clients of the option clients are in the code of your app, and not in this list.',
  async run(args, io) {
    const matching = args.text('matching')
    const ownerId = args.text('owner')
    const source = args.text('source')
    if (source !== undefined && !SOURCES.includes(source))
      throw new UsageError(`--source '${source}' is not known. Write one of: ${SOURCES.join(', ')}.`)
    const filter = { ...(matching !== undefined && { matching }), ...(ownerId !== undefined && { ownerId }) }
    const clients = await withStore(args, io, async (store) => {
      const found: Client[] = []
      for await (const page of clientPages(store, io, filter))
        found.push(...page.filter((client) => source === undefined || sourceOf(client) === source))
      return found
    })
    if (args.has('json')) await print(io, `${json(clients.map(clientView), 2)}\n`)
    else if (clients.length > 0) await print(io, table(io, COLUMNS, clients))
    else await remark(io, 'No clients. Those of the option clients are in the code of your app.')
    return undefined
  },
})

function sourceOf({ source }: Client): string {
  return source ?? 'host'
}

/** Nobody has to look at what the host itself has made. */
function verifiedOf({ source, verified }: Client): string | undefined {
  if (source === undefined) return undefined
  return verified ? 'yes' : 'no'
}
