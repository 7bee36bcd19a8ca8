import type { AuditEntry } from '../store/records.js'
import { AUDIT_FLAGS, auditFilter } from './audit-filter.js'
import { auditView } from './audit-list.js'
import { defineCommand, STORE_FLAG } from './command.js'
import { csvLine } from './csv.js'
import { UsageError } from './failure.js'
import { print } from './io.js'
import { auditPages } from './pages.js'
import { withStore } from './store.js'
import { json } from './terminal.js'
import { isoTime } from './time.js'

/** How entries are written one after the other. */
interface Format {
  readonly before: string
  readonly between: string
  readonly after: string
  readonly of: (entry: AuditEntry) => string
}

const COLUMNS = ['id', 'time', 'event', 'user', 'client', 'grant', 'by', 'address', 'details'] as const

const FORMATS: Readonly<Record<string, Format>> = {
  csv: {
    before: csvLine(COLUMNS),
    between: '',
    after: '',
    of: ({ id, at, event, userId, clientId, grantId, by, address, details }) =>
      csvLine([
        id,
        isoTime(at),
        event,
        userId,
        clientId,
        grantId,
        by,
        address,
        details && JSON.stringify(details),
      ]),
  },
  jsonl: { before: '', between: '', after: '', of: (entry) => `${json(auditView(entry))}\n` },
  json: { before: '[', between: ',\n', after: ']\n', of: (entry) => json(auditView(entry)) },
}

export const auditExport = defineCommand({
  name: 'audit export',
  summary: 'Write the audit log as CSV or JSON lines, newest first',
  flags: {
    format: { value: 'csv|jsonl', about: 'Default: jsonl. With --json it is one JSON array.' },
    ...AUDIT_FLAGS,
    ...STORE_FLAG,
  },
  notes: `It is written page by page, so it may be long: audit export --format csv --since 30d > audit.csv
In CSV a field that a spreadsheet would take for a formula begins with an apostrophe.`,
  async run(args, io) {
    args.oneOf('json', 'format')
    const name = args.has('json') ? 'json' : (args.text('format') ?? 'jsonl')
    const isKnown = Object.hasOwn(FORMATS, name) && (name !== 'json' || args.has('json'))
    const format = isKnown ? FORMATS[name] : undefined
    if (format === undefined) throw new UsageError(`--format '${name}' is not known. Write csv or jsonl.`)
    const filter = auditFilter(args, io)
    await withStore(args, io, async (store) => {
      let separator = ''
      await print(io, format.before)
      for await (const page of auditPages(store, io, filter)) {
        await print(io, separator + page.map(format.of).join(format.between))
        separator = format.between
      }
      await print(io, format.after)
    })
    return undefined
  },
})
