import type { Grant } from '../store/records.js'
import { defineCommand, STORE_FLAG } from './command.js'
import { print, remark } from './io.js'
import { all, grantPages } from './pages.js'
import { withStore } from './store.js'
import { type Column, table } from './table.js'
import { json } from './terminal.js'
import { isoTime, shortTime } from './time.js'

const COLUMNS: readonly Column<Grant>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'USER', of: ({ userId }) => userId, cut: true },
  { title: 'CLIENT', of: ({ clientId }) => clientId },
  { title: 'SCOPES', of: (grant) => scopesOf(grant).join(' '), cut: true },
  { title: 'GRANTED (UTC)', of: ({ createdAt }) => shortTime(createdAt) },
  { title: 'LAST USED', of: ({ lastUsedAt }) => shortTime(lastUsedAt) },
  { title: 'FROM', of: ({ lastUsedFrom }) => lastUsedFrom },
]

export const grantsList = defineCommand({
  name: 'grants list',
  summary: 'List what users allowed clients',
  flags: {
    user: { value: 'user id', about: 'Only what this user allowed.' },
    client: { value: 'client id', about: 'Only what was allowed to this client.' },
    ...STORE_FLAG,
  },
  async run(args, io) {
    const userId = args.text('user')
    const clientId = args.text('client')
    const filter = { ...(userId !== undefined && { userId }), ...(clientId !== undefined && { clientId }) }
    const grants = await withStore(args, io, (store) => all(grantPages(store, io, filter)))
    if (args.has('json')) await print(io, `${json(grants.map(grantView), 2)}\n`)
    else if (grants.length > 0) await print(io, table(io, COLUMNS, grants))
    else await remark(io, 'No grants.')
    return undefined
  },
})

/** In words. */
export function countedGrants(grants: number): string {
  return grants === 1 ? '1 grant' : `${grants} grants`
}

/** Who allowed one client something, in words. */
export function countedUsers(users: number): string {
  return users === 1 ? '1 user' : `${users} users`
}

function scopesOf({ access }: Grant): readonly string[] {
  return [...new Set(Object.values(access).flat())]
}

function grantView(grant: Grant): Readonly<Record<string, unknown>> {
  const { createdAt, lastUsedAt } = grant
  return {
    ...grant,
    createdAt: isoTime(createdAt),
    ...(lastUsedAt !== undefined && { lastUsedAt: isoTime(lastUsedAt) }),
  }
}
