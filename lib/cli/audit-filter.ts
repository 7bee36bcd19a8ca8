import { RECORDED } from '../audit/entries.js'
import type { AuditFilter } from '../store/store.js'
import { suggestion } from '../suggestion.js'
import type { Arguments, Flags } from './arguments.js'
import { UsageError } from './failure.js'
import type { Io } from './io.js'
import { moment } from './time.js'

export const AUDIT_FLAGS: Flags = {
  client: { value: 'client id', about: 'Only what is about this client.' },
  user: { value: 'user id', about: 'Only what is about this user.' },
  event: { value: 'name', about: 'Only this event: consent.approved, token.issued, grant.revoked, ...' },
  since: { value: 'time', about: 'From then on: 2026-01-31, 2026-01-31T12:00Z, or how long ago: 7d.' },
  until: { value: 'time', about: 'Before then.' },
}

export function auditFilter(args: Arguments, io: Io): Omit<AuditFilter, 'limit' | 'before'> {
  const now = io.now()
  const [clientId, userId, event] = [args.text('client'), args.text('user'), args.text('event')]
  const [since, until] = [args.text('since'), args.text('until')]
  return {
    ...(clientId !== undefined && { clientId }),
    ...(userId !== undefined && { userId }),
    ...(event !== undefined && { event: anEvent(event) }),
    ...(since !== undefined && { since: moment('--since', since, now) }),
    ...(until !== undefined && { until: moment('--until', until, now) }),
  }
}

function anEvent(name: string): string {
  if ((RECORDED as readonly string[]).includes(name)) return name
  const meant = suggestion(name, RECORDED)
  throw new UsageError(
    `--event '${name}' is not in the log. ${meant === undefined ? `Write one of: ${RECORDED.join(', ')}.` : `Did you mean ${meant}?`}`,
  )
}
