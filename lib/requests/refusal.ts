import { type ErrorCode, type OAuthErrorDetails, PageError } from '../errors.js'
import type { Client } from '../store/records.js'

/** A refusal of a request of which nobody knows yet where it may be answered: a page at `/authorize`, JSON at `/par`. */
export function requestRefusal(
  code: ErrorCode,
  { id, name }: Pick<Client, 'id' | 'name'>,
  {
    heading,
    message,
    hint,
    ...more
  }: OAuthErrorDetails & { readonly heading: string; readonly message: string; readonly hint: string },
): PageError {
  return new PageError(
    code,
    { heading, message, hint, details: [{ label: 'Application', value: name }] },
    { ...more, clientId: id },
  )
}
