import { RECORDED } from '../audit/entries.js'
import type { AuditReader } from '../audit/reader.js'
import type { ProviderEvents } from '../events.js'
import { page } from '../http/reply.js'
import type { Parameters } from '../parameters.js'
import type { AuditEntry } from '../store/records.js'
import type { AuditFilter } from '../store/store.js'
import type { Text } from '../text.js'
import { type AdminPage, adminPath } from './administrators.js'
import { ON_PAGE, pageOf } from './paging.js'

const AT = '/audit'
const DAY = 86_400_000

/** The audit log. There is nothing to be done on it. */
export function adminAudit(audit: Pick<AuditReader, 'find'>): AdminPage {
  const show: AdminPage['show'] = async ({ runtime, request: { parameters } }) => {
    const asked = readFilter(parameters)
    const isKept = runtime.settings.auditKeep !== undefined
    const found = isKept && 'filter' in asked ? await audit.find(asked.filter) : []
    const { items, last } = pageOf(found)
    const filter = filterOf(parameters)
    const locals = {
      broad: true,
      section: 'audit',
      filter,
      events: RECORDED,
      isKept,
      entries: items.map(shownEntry),
      isFirst: parameters.get('before') === undefined,
      next: last && adminPath(runtime, AT, { ...filter, before: last.id }),
      notice: 'problem' in asked ? asked.problem : undefined,
      action: adminPath(runtime, AT),
      path: adminPath(runtime),
    }
    return page('admin-audit', { key: 'admin.audit.title' }, locals, 'problem' in asked ? 400 : 200)
  }
  return { show, act: show }
}

const FILTERS = ['event', 'client', 'user', 'since', 'until'] as const

/** The filter as it was sent, to stand in the form again. */
function filterOf(parameters: Parameters): Record<(typeof FILTERS)[number], string> {
  const given = FILTERS.map((name) => [name, parameters.get(name) ?? ''])
  return Object.fromEntries(given)
}

/** What a browser sent: any text may be the id of a user, and what is none finds nothing. */
function readFilter(parameters: Parameters): { readonly filter: AuditFilter } | { readonly problem: Text } {
  const { event, client, user, since, until } = filterOf(parameters)
  const before = parameters.get('before')
  const [from, to] = [since, until].map(dayOf)
  const isWrong =
    (event !== '' && !RECORDED.some((name) => name === event)) ||
    Number.isNaN(from) ||
    Number.isNaN(to) ||
    !/^(?:[0-9a-f]{32})?$/.test(before ?? '')
  if (isWrong) return { problem: { key: 'admin.audit.wrong' } }
  return {
    filter: {
      limit: ON_PAGE + 1,
      ...(event && { event }),
      ...(client && { clientId: client }),
      ...(user && { userId: user }),
      ...(from !== undefined && { since: from }),
      // The day that is named counts as a whole.
      ...(to !== undefined && { until: to + DAY }),
      ...(before && { before }),
    },
  }
}

/** The beginning of a day (UTC) in milliseconds; undefined where none is named, NaN where there is no such day. */
function dayOf(text: string): number | undefined {
  if (text === '') return undefined
  return /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
}

function shownEntry({ at, details = {}, ...entry }: AuditEntry) {
  const change = CHANGES.find((name) => entry.event === 'client.changed' && name === details.change)
  const others = Object.entries(details)
    .filter(([name]) => change === undefined || name !== 'change')
    .map(([name, value]) => ({ name, value: textOf(value) }))
  const admin = entry.by?.startsWith('admin:') ? entry.by.slice('admin:'.length) : undefined
  return { ...entry, change, admin, at: new Date(at), details: others }
}

/** What can have been done to a client, each with a text of its own. */
const CHANGES: readonly ProviderEvents['client.changed'][0]['change'][] = [
  ...(['created', 'updated', 'secret_rotated', 'verified', 'unverified'] as const),
  ...(['blocked', 'unblocked', 'deleted'] as const),
]

function textOf(value: unknown): string {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(' ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}
