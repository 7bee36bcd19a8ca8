import type { AuditOptions } from './options.js'
import { aNumber, anObject, refuseUnknown, wrong } from './validation.js'

const DAY = 86_400
const DEFAULT_KEEP = 90 * DAY
/** A hundred years. */
const LONGEST_KEEP = 36_525 * DAY

/** For how long the audit log is kept, in milliseconds; undefined where there is none. */
export function resolveAudit(given: boolean | AuditOptions = true): number | undefined {
  if (given === false) return undefined
  if (given === true) return DEFAULT_KEEP * 1000
  if (typeof given !== 'object') throw wrong('audit', given, 'Pass true, false or { keep: seconds }.')
  refuseUnknown('audit.', anObject('audit', given), ['keep'])
  return aNumber('audit.keep', given.keep ?? DEFAULT_KEEP, { least: 1, most: LONGEST_KEEP }) * 1000
}
