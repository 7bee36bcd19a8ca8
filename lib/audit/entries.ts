import type { EventName, ProviderEvents } from '../events.js'
import type { AuditEntry } from '../store/records.js'

/** The events of which the audit log has an entry. What strangers can bring about at will, refusals above all, is not among them. */
export const RECORDED = [
  'consent.approved',
  'consent.denied',
  'code.reused',
  'token.issued',
  'token.revoked',
  'refresh_token.reused',
  'grant.revoked',
  'scopes.withdrawn',
  'session.ended',
  'client.changed',
  'keys.rotated',
] as const satisfies readonly EventName[]

const names: ReadonlySet<string> = new Set(RECORDED)

/** Members of events that an entry has as members of its own. */
interface Known {
  readonly clientId?: string
  readonly userId?: string
  readonly grantId?: string
  readonly by?: string
}

/** What the audit log says of an event; undefined where it says nothing. */
export function entryOf<Name extends EventName>(
  name: Name,
  event: ProviderEvents[Name][0],
): Omit<AuditEntry, 'id' | 'at' | 'address'> | undefined {
  if (!names.has(name) || isOfStranger(event)) return undefined
  const { clientId, userId, grantId, by, ...details } = event as Known
  return {
    event: name,
    ...(clientId !== undefined && { clientId }),
    ...(userId !== undefined && { userId }),
    ...(grantId !== undefined && { grantId }),
    ...(by !== undefined && { by }),
    ...(Object.keys(details).length > 0 && { details }),
  }
}

/** Strangers register as many clients as the ceiling allows, and delete them. */
function isOfStranger(event: object): boolean {
  return 'onProbation' in event
}
