import { setImmediate } from 'node:timers/promises'
import { ConfigurationError } from '../errors.js'
import { optional } from '../optional.js'
import type { Settings } from '../settings.js'
import type { AuditEntry } from '../store/records.js'
import type { AuditFilter, Store } from '../store/store.js'
import { suggestion } from '../suggestion.js'
import { anId, anObject, refuseUnknown, wrong } from '../validation.js'
import type { Audit, AuditQuery } from './audit.js'
import { RECORDED } from './entries.js'

const MEMBERS = Object.keys({
  event: 0,
  clientId: 0,
  userId: 0,
  since: 0,
  until: 0,
  before: 0,
  limit: 0,
} satisfies Record<keyof AuditQuery, 0>)
const DEFAULT_LIMIT = 100
const MOST = 1000
/** The time that the log is kept, in parts that are read at once at least: a store may answer without letting go of the process meanwhile. */
const PARTS = 200
/** What is read faster, in milliseconds, is read twice as long at once the next time. */
const QUICK = 5

interface Tools {
  readonly store: Pick<Store, 'listAudit'>
  readonly settings: Pick<Settings, 'auditKeep'>
  readonly now: () => number
}

/** The audit log, to be read. `flush` writes what has happened and is not in the store yet. */
export class AuditReader implements Audit {
  readonly #tools: Tools
  readonly #flush: () => Promise<void>

  constructor(tools: Tools, flush: () => Promise<void>) {
    this.#tools = tools
    this.#flush = flush
  }

  async list(query: AuditQuery = {}): Promise<readonly AuditEntry[]> {
    return this.find(auditFilter(query))
  }

  /** The same for a filter that has been checked: any text may stand in it. */
  async find(filter: AuditFilter): Promise<readonly AuditEntry[]> {
    const { settings, now, store } = this.#tools
    const { auditKeep } = settings
    if (auditKeep === undefined)
      throw new ConfigurationError(
        'audit',
        'is false, so there is no audit log',
        'Leave it out, or pass true.',
      )
    await this.#flush()
    // What is older is deleted as others come, so on a quiet site it may still be there.
    const kept = { ...filter, since: Math.max(filter.since ?? 0, now() - auditKeep) }
    const { event, clientId, userId } = filter
    const isSelective = (event ?? clientId ?? userId) !== undefined
    return isSelective ? readInParts(store, kept, now()) : store.listAudit(kept)
  }
}

/**
 * Entries lie by time alone, since an index by user would make each of them several times dearer to write; so to find those of one user is to
 * read all. It is done part by part, newest first, and between two of them it is everybody else's turn.
 */
async function readInParts(
  store: Pick<Store, 'listAudit'>,
  filter: AuditFilter & { readonly since: number },
  now: number,
): Promise<readonly AuditEntry[]> {
  const { since, before, limit } = filter
  const newest = before === undefined ? now : timeOf(before) + 1
  let end = Math.min(filter.until ?? newest, newest)
  const part = Math.max(1, Math.ceil((end - since) / PARTS))
  const found: AuditEntry[] = []
  let width = part
  // Another process, whose clock is ahead, may have written what is newer than now.
  for (let until = filter.until; ; until = end) {
    const from = Math.max(since, end - width)
    const began = performance.now()
    const range = { since: from, ...optional('until', until), limit: limit - found.length }
    found.push(...(await store.listAudit({ ...filter, ...range })))
    if (found.length >= limit || from === since) return found
    width = performance.now() - began < QUICK ? width * 2 : part
    end = from
    await setImmediate()
  }
}

/** Milliseconds: the first twelve digits of an id. */
function timeOf(id: string): number {
  return Number.parseInt(id.slice(0, 12), 16)
}

/** A query, checked. */
export function auditFilter(query: AuditQuery): AuditFilter {
  refuseUnknown('audit.list(query).', anObject('audit.list(query)', query), MEMBERS)
  const { event, since, until, before, limit = DEFAULT_LIMIT } = query
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST)
    throw wrong('audit.list(query).limit', limit, `Pass a whole number from 1 to ${MOST}.`)
  return {
    ...optional('event', event === undefined ? undefined : anEvent(event)),
    // One that is there but undefined, of a user who is not signed in, must not list everybody's.
    ...('clientId' in query && { clientId: anId('audit.list(query).clientId', query.clientId) }),
    ...('userId' in query && { userId: anId('audit.list(query).userId', query.userId) }),
    ...optional('since', aTime('since', since)),
    ...optional('until', aTime('until', until)),
    ...optional('before', anEntryId(before)),
    limit,
  }
}

function anEvent(event: string): string {
  if (RECORDED.some((name) => name === event)) return event
  const meant = typeof event === 'string' ? suggestion(event, RECORDED) : undefined
  const remedy = meant ? `Did you mean '${meant}'?` : `There are: ${RECORDED.join(', ')}.`
  throw wrong('audit.list(query).event', event, remedy)
}

function aTime(name: 'since' | 'until', time: Date | undefined): number | undefined {
  if (time === undefined) return undefined
  const milliseconds = time instanceof Date ? time.getTime() : Number.NaN
  if (!Number.isNaN(milliseconds)) return milliseconds
  throw wrong(`audit.list(query).${name}`, time, 'Pass a Date.')
}

function anEntryId(id: string | undefined): string | undefined {
  if (id === undefined || /^[0-9a-f]{32}$/.test(id)) return id
  throw wrong('audit.list(query).before', id, 'Pass the id of an entry.')
}
