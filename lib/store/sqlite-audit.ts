import type { AuditEntry } from './records.js'
import { type AuditRow, fromAuditEntry, toAuditEntry } from './rows.js'
import type { Statements } from './statements.js'
import type { AuditFilter } from './store.js'
import { timeKey } from './time-key.js'

/** Entries that are deleted at once where none is added. */
const BATCH = 1000
/** Greater than every id. */
const LAST = 'g'

export function appendAudit(
  { appendAudit, purgeAudit }: Statements,
  entries: readonly AuditEntry[],
  before: number,
): void {
  for (const entry of entries) {
    // By position: of these there are as many as tokens, and names cost a quarter more.
    const { id, at, event, clientId, userId, grantId, by, address, details } = fromAuditEntry(entry)
    appendAudit.run(id, at, event, clientId, userId, grantId, by, address, details)
  }
  purgeAudit.run(timeKey(before), entries.length * 2 || BATCH)
}

export function listAudit(
  { listAudit }: Statements,
  { event, clientId, userId, since = 0, until, before = LAST, limit }: AuditFilter,
): AuditEntry[] {
  const named = { event: event ?? null, clientId: clientId ?? null, userId: userId ?? null }
  const end = until === undefined ? LAST : timeKey(until)
  const range = { since: timeKey(since), before: before < end ? before : end }
  return (listAudit.all({ ...named, ...range, limit }) as AuditRow[]).map(toAuditEntry)
}
