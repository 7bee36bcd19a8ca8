import type { OAuthError } from '../errors.js'

/** The WWW-Authenticate header of a refusal (RFC 6750 §3). Where no token came, no error is named. */
export function challenge(refusal: OAuthError, attributes: Readonly<Record<string, string>>): string {
  const error = refusal.reason !== 'token_missing' && {
    error: refusal.code,
    error_description: refusal.message,
  }
  const all = Object.entries({ ...error, ...attributes })
  return `Bearer ${all.map(([name, value]) => `${name}="${value}"`).join(', ')}`
}
