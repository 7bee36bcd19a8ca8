import { OAuthError } from '../errors.js'
import { flawOfJson } from '../json-text.js'
import type { AuthorizationDetail } from '../options.js'

/** More than anybody reads on one page. */
const MOST_DETAILS = 20
/** In bytes, also as they are written out again: a JWT that holds them has to fit into a header. */
const LONGEST = 8 * 1024

/**
 * Reads the JSON of the parameter `authorization_details` (RFC 9396 §2): an array of objects, each with a `type`.
 *
 * @throws OAuthError `invalid_authorization_details`
 */
export function readDetails(text: string): readonly AuthorizationDetail[] {
  if (text.length > LONGEST) throw tooLong()
  const details = parsed(text)
  if (!Array.isArray(details)) throw invalidDetails(SHAPE, 'details_not_an_array')
  if (details.length === 0)
    throw invalidDetails('authorization_details is empty: leave it out, or name something.', 'details_empty')
  if (details.length > MOST_DETAILS)
    throw invalidDetails(`authorization_details has more than ${MOST_DETAILS} members.`, 'too_many_details')
  for (const [index, detail] of details.entries()) checkDetail(detail, index)
  if (Buffer.byteLength(JSON.stringify(details)) > LONGEST) throw tooLong()
  return details
}

/** RFC 9396 §5, §8 */
export function invalidDetails(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_authorization_details', description, { reason })
}

const SHAPE = 'authorization_details must be a JSON array of objects, each with a type.'

function parsed(text: string): unknown {
  let flaw: ReturnType<typeof flawOfJson>
  try {
    // First, for JSON.parse may be given any depth, and what comes of it may not.
    flaw = flawOfJson(text)
    if (flaw === undefined) return JSON.parse(text)
  } catch {
    throw invalidDetails(SHAPE, 'details_not_json')
  }
  if (flaw === 'too_deep')
    throw invalidDetails('authorization_details is nested too deeply.', 'details_too_deep')
  throw invalidDetails(
    'An object in authorization_details names a member twice. Name each once.',
    'details_repeated_member',
  )
}

function checkDetail(detail: unknown, index: number): void {
  const name = `authorization_details[${index}]`
  if (typeof detail !== 'object' || detail === null || Array.isArray(detail))
    throw invalidDetails(`${name} is no object. ${SHAPE}`, 'details_not_objects')
  const { type } = detail as { readonly type?: unknown }
  if (!Object.hasOwn(detail, 'type') || typeof type !== 'string' || type === '')
    throw invalidDetails(`${name} must have a type, which is a string.`, 'details_type_missing')
  const flaw = flawOfValue(detail)
  if (flaw !== undefined) throw invalidDetails(`${name} ${flaw}`, 'details_unsafe')
}

/** Nobody's business has such names. An object with one of the first two throws wherever it is made text, or compared by a library. */
const UNSAFE = ['valueOf', 'toString', '__proto__']

/** What would not come out of the store, or out of a careless copy, as it was shown to the user; or stops whoever looks at it. */
function flawOfValue(value: unknown): string | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) return 'has a number that is too large.'
  if (typeof value !== 'object' || value === null) return undefined
  const unsafe = UNSAFE.find((name) => Object.hasOwn(value, name))
  if (unsafe !== undefined) return `has a member ${unsafe}, which is not allowed.`
  for (const member of Object.values(value)) {
    const flaw = flawOfValue(member)
    if (flaw !== undefined) return flaw
  }
  return undefined
}

function tooLong(): OAuthError {
  return invalidDetails(`authorization_details is longer than ${LONGEST} bytes.`, 'details_too_long')
}
