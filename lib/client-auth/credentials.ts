import { OAuthError } from '../errors.js'
import type { Parameters } from '../parameters.js'

/** What a request presents, before anything of it is believed. */
export interface Presented {
  readonly parameters: Parameters
  /** The Authorization header. */
  readonly authorization: string | undefined
}

/** Credentials as one method found them. */
export interface Credentials {
  readonly method: string
  readonly clientId: string
  /** The readings of the presented secret, the specified one first; none for `none`. */
  readonly secrets: readonly string[]
}

/** One way to authenticate a client. `read` answers undefined where the request does not use it, and throws where it uses it wrongly. */
export interface AuthMethod {
  readonly name: string
  read(presented: Presented): Credentials | undefined
}

/** A JWT as proof (RFC 7521 §4.2). No client here is registered for it; but it is a way of authentication, and there may be only one. */
export function presentsAssertion({ parameters }: Presented): boolean {
  return ['client_assertion', 'client_assertion_type'].some((name) => parameters.get(name) !== undefined)
}

/** RFC 6749 §5.2; the challenge is always there, since HTTP asks for one beside 401 (RFC 9110 §11.6.1). */
export function invalidClient(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_client', description, {
    reason,
    headers: { 'WWW-Authenticate': 'Basic realm="oauth"' },
  })
}
