import { invalid } from '../clients/fields.js'

/** Nothing in client metadata is nested nearly as deeply. */
const DEEPEST = 16
/** Of a client's metadata, in characters. A body parser of the host may let more through than we read. */
const LONGEST = 64 * 1024

/**
 * JSON in one form, whatever the order of its members, so that equal values are equal texts.
 *
 * @throws OAuthError `invalid_client_metadata` for what cannot be kept: nested without end, larger than what we read, or with characters that
 * a database or a terminal takes for something else.
 */
export function canonicalMetadata(metadata: object): string {
  const text = canonical('metadata', metadata, 0)
  if (text.length <= LONGEST) return text
  throw invalid('metadata', `is larger than ${LONGEST} characters`, 'Send less.')
}

/** `field`: the member of the metadata that it is, or is in. */
function canonical(field: string, value: unknown, depth: number): string {
  if (depth > DEEPEST) throw invalid(field, 'is nested too deeply', 'Send it flatter.')
  if (typeof value === 'string' && /[\p{Cc}\p{Cs}]/u.test(value))
    throw invalid(field, 'has a control character', 'Leave it out.')
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  // A hole in a list becomes undefined, and counts as null.
  if (Array.isArray(value))
    return `[${Array.from(value, (item) => canonical(field, item, depth + 1)).join()}]`
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => {
      return `${canonical(field, name, depth)}:${canonical(depth === 0 ? name : field, member, depth + 1)}`
    })
  return `{${members.join()}}`
}
