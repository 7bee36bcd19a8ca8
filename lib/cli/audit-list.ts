import type { AuditEntry } from '../store/records.js'
import { AUDIT_FLAGS, auditFilter } from './audit-filter.js'
import { defineCommand, STORE_FLAG } from './command.js'
import { UsageError } from './failure.js'
import { print, remark } from './io.js'
import { all, auditPages } from './pages.js'
import { withStore } from './store.js'
import { type Column, table } from './table.js'
import { json } from './terminal.js'
import { isoTime } from './time.js'

const DEFAULT_LIMIT = 50

const COLUMNS: readonly Column<AuditEntry>[] = [
  { title: 'TIME (UTC)', of: ({ at }) => isoTime(at).slice(0, 19).replace('T', ' ') },
  { title: 'EVENT', of: ({ event }) => event },
  { title: 'USER', of: ({ userId }) => userId, cut: true },
  { title: 'CLIENT', of: ({ clientId }) => clientId, cut: true },
  { title: 'BY', of: ({ by }) => by, cut: true },
  { title: 'FROM', of: ({ address }) => address },
  { title: 'DETAILS', of: ({ details }) => details && JSON.stringify(details), cut: true },
]

export const auditList = defineCommand({
  name: 'audit list',
  summary: 'List the audit log, newest first',
  flags: {
    ...AUDIT_FLAGS,
    limit: { value: 'number', about: `At most so many. Default: ${DEFAULT_LIMIT}.` },
    ...STORE_FLAG,
  },
  notes: 'All of it, for a file: audit export',
  async run(args, io) {
    const filter = auditFilter(args, io)
    const limit = limitOf(args.text('limit'))
    const found = await withStore(args, io, (store) => all(auditPages(store, io, filter, limit + 1)))
    const entries = found.slice(0, limit)
    if (args.has('json')) await print(io, `${json(entries.map(auditView), 2)}\n`)
    else if (entries.length > 0) await print(io, table(io, COLUMNS, entries))
    else await remark(io, 'No entries.')
    if (!args.has('json') && found.length > limit)
      await remark(io, `These are the newest ${limit}. All of them: audit export.`)
    return undefined
  },
})

/** An entry for programs. */
export function auditView({ at, ...entry }: AuditEntry): Readonly<Record<string, unknown>> {
  const { id, ...others } = entry
  return { id, at: isoTime(at), ...others }
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new UsageError(`--limit '${text}' is no number of entries. Write --limit 100.`)
}
