import { existsSync, statSync } from 'node:fs'
import type { Store } from '../store/store.js'
import { defineCommand, STORE_FLAG } from './command.js'
import { type Io, print } from './io.js'
import { type Location, locationName } from './location.js'
import { clientPages, grantPages } from './pages.js'
import { withStore } from './store.js'
import { list } from './table.js'
import { json } from './terminal.js'

export const stats = defineCommand({
  name: 'stats',
  summary: 'Count clients, grants and users, and say how large the store is',
  flags: STORE_FLAG,
  async run(args, io) {
    const counted = await withStore(args, io, async (store, location) => ({
      store: locationName(location),
      clients: await countClients(store, io),
      grants: await countGrants(store, io),
      ...sizeOf(location),
    }))
    await print(io, args.has('json') ? `${json(counted, 2)}\n` : list(lines(counted)))
    return undefined
  },
})

async function countClients(store: Store, io: Io) {
  const bySource = { host: 0, user: 0, registration: 0, document: 0 }
  let [total, confidential, disabled] = [0, 0, 0]
  for await (const page of clientPages(store, io)) {
    for (const client of page) {
      bySource[client.source ?? 'host']++
      total++
      if (client.confidential) confidential++
      if (client.disabled) disabled++
    }
  }
  return { total, bySource, confidential, public: total - confidential, disabled }
}

async function countGrants(store: Store, io: Io) {
  const users = new Set<string>()
  const clients = new Set<string>()
  let total = 0
  for await (const page of grantPages(store, io)) {
    for (const { userId, clientId } of page) {
      users.add(userId)
      clients.add(clientId)
    }
    total += page.length
  }
  return { total, users: users.size, clients: clients.size }
}

/** With what has been written and not been moved into the file yet. */
function sizeOf(location: Location): { readonly bytes?: number } {
  if (location.kind !== 'file') return {}
  const files = [location.file, `${location.file}-wal`].filter((file) => existsSync(file))
  return { bytes: files.reduce((sum, file) => sum + statSync(file).size, 0) }
}

/** Nested names with a space between them: `clients by source host`. */
function lines(counted: object, above = ''): (readonly [string, string])[] {
  return Object.entries(counted).flatMap(([name, value]): (readonly [string, string])[] => {
    const words = `${above}${name.replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`)}`
    return typeof value === 'object' ? lines(value, `${words} `) : [[words, String(value)]]
  })
}
