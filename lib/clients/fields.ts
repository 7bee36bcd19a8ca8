import { OAuthError } from '../errors.js'

export function strings(
  field: string,
  value: unknown,
  known?: readonly string[],
): readonly string[] | undefined {
  if (value === undefined) return undefined
  // Array.from fills holes, which every() would pass over.
  const items: readonly unknown[] | undefined = Array.isArray(value) ? Array.from(value) : undefined
  if (!items?.every((item) => typeof item === 'string')) {
    throw invalid(field, 'is not an array of strings', `Write ${field}: ['...'].`)
  }
  const strange = known && items.find((item) => !known.includes(item))
  if (strange !== undefined) throw invalid(field, `has ${strange}`, `Use: ${known?.join(', ')}.`)
  return [...new Set(items)]
}

export function string(field: string, value: unknown): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '')) return value
  throw invalid(field, 'is not a string', 'Leave it out or give a string that is not empty.')
}

export function oneOf<Word extends string>(
  field: string,
  value: unknown,
  words: readonly Word[],
): Word | undefined {
  const given = string(field, value)
  const word = words.find((known) => known === given)
  if (word !== undefined || given === undefined) return word
  throw invalid(field, `is ${given}`, `Use one of: ${words.join(', ')}.`)
}

export function boolean(field: string, value: unknown): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value
  throw invalid(field, 'is neither true nor false', 'Leave it out or give a boolean.')
}

export function wholeSeconds(field: string, value: unknown): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw invalid(field, 'is not a number of seconds', 'Give a whole number, 0 or more.')
}

/** A page that a user may be shown a link to. */
export function webPage(field: string, value: unknown): string | undefined {
  const uri = string(field, value)
  if (uri === undefined || isWebPage(uri)) return uri
  throw invalid(field, 'is not an https URL', 'Give an https URL, without a user name.')
}

export function isWebPage(uri: string): boolean {
  if (!URL.canParse(uri)) return false
  const { protocol, username, password } = new URL(uri)
  // What stands before an @ reads like the host.
  return protocol === 'https:' && username === '' && password === ''
}

/** A URL that this server sends requests to. http is for development, beside private addresses. */
export function remoteUrl(
  field: string,
  value: unknown,
  { allowPrivateAddresses }: { readonly allowPrivateAddresses: boolean | readonly string[] },
): string | undefined {
  const uri = string(field, value)
  if (uri === undefined) return undefined
  if (!/^https?:\/\/[\x21-\x7e]+$/i.test(uri) || /["<>\\^`{|}]/.test(uri) || !URL.canParse(uri))
    throw invalid(field, 'is not an https URL', 'Give an https URL.')
  const url = new URL(uri)
  if (url.protocol === 'http:' && allowPrivateAddresses === false)
    throw invalid(field, 'is http', 'Give an https URL; http needs the option allowPrivateAddresses.')
  if (uri.includes('#')) throw invalid(field, 'has a fragment', 'Remove the # and what follows it.')
  if (url.username === '' && url.password === '') return uri
  throw invalid(field, 'holds a user name or password', 'Remove it.')
}

/** What RFC 7591 §3.2.2 calls it; `field` also makes the reason. */
export function invalid(field: string, problem: string, remedy: string, cause?: unknown): OAuthError {
  return new OAuthError('invalid_client_metadata', `${field} ${problem}. ${remedy}`, {
    reason: `metadata_${field}`,
    cause,
  })
}
