import {
  anApplication,
  type ErrorCode,
  type ErrorTexts,
  type OAuthErrorDetails,
  PageError,
} from '../errors.js'
import type { Client } from '../store/records.js'

/** A refusal of a request of which nobody knows yet where it may be answered: a page at `/authorize`, JSON at `/par`. */
export function requestRefusal(
  code: ErrorCode,
  client: Pick<Client, 'id' | 'name' | 'source'>,
  { details = [], ...page }: Omit<ErrorTexts, 'next'>,
  why: OAuthErrorDetails,
): PageError {
  const texts = { ...page, details: [...details, anApplication(client)] }
  return new PageError(code, texts, { ...why, clientId: client.id })
}
