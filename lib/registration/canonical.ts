import { invalid } from '../clients/fields.js'

/**
 * JSON in one form, whatever the order of its members, so that equal values are equal texts.
 *
 * @throws OAuthError `invalid_client_metadata` for characters that a database or a terminal takes for something else.
 */
export function canonicalMetadata(metadata: object): string {
  return canonical('metadata', metadata, true)
}

/** `field`: the member of the metadata that it is, or is in. */
function canonical(field: string, value: unknown, isWhole = false): string {
  if (typeof value === 'string' && /[\p{Cc}\p{Cs}]/u.test(value))
    throw invalid(field, 'has a control character', 'Leave it out.')
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  // A hole in a list becomes undefined, and counts as null.
  if (Array.isArray(value)) return `[${Array.from(value, (item) => canonical(field, item)).join()}]`
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${canonical(field, name)}:${canonical(isWhole ? name : field, member)}`)
  return `{${members.join()}}`
}
