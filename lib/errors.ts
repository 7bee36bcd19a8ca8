import { inEnglish, isBuiltIn } from './built-in-texts.js'
import { type NamedClient, shownName } from './client-name.js'
import { OutgoingError } from './outgoing/outgoing.js'
import type { Text } from './text.js'

/**
 * The error codes that may go over the wire: a closed list, each with the status it has at a machine endpoint.
 * RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 8707 §2, OpenID Connect Core §3.1.2.6, RFC 7591 §3.2.2,
 * OpenID Connect Core Error Code unmet_authentication_requirements §3, RFC 8628 §3.5, RFC 9101 §7, RFC 9396 §5, RFC 9449 §5 and §8.
 */
const STATUS = {
  access_denied: 403,
  authorization_pending: 400,
  consent_required: 400,
  expired_token: 400,
  insufficient_scope: 403,
  invalid_authorization_details: 400,
  invalid_client: 401,
  invalid_client_metadata: 400,
  invalid_dpop_proof: 400,
  invalid_grant: 400,
  invalid_redirect_uri: 400,
  invalid_request: 400,
  invalid_request_object: 400,
  invalid_request_uri: 400,
  invalid_scope: 400,
  invalid_software_statement: 400,
  invalid_target: 400,
  invalid_token: 401,
  login_required: 400,
  registration_not_supported: 400,
  request_uri_not_supported: 400,
  server_error: 500,
  slow_down: 400,
  temporarily_unavailable: 503,
  unapproved_software_statement: 400,
  unmet_authentication_requirements: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  unsupported_response_type: 400,
  use_dpop_nonce: 400,
} as const

/** An error code of the OAuth specifications that this provider answers with. */
export type ErrorCode = keyof typeof STATUS

/** What an `OAuthError` holds beside its code and its public description. */
export interface OAuthErrorDetails {
  /** Stable machine name of what went wrong, for events and logs: `code_expired`, `pkce_missing`, ... */
  readonly reason: string
  /** Status at machine endpoints, where it is not the usual one of the code (405, 413, 429). */
  readonly status?: number
  /** Further response headers, `WWW-Authenticate` or `Retry-After`. */
  readonly headers?: Readonly<Record<string, string>>
  /** What really happened. It goes to events, never to the client. */
  readonly cause?: unknown
}

/** RFC 6749 §5.2: error_description has no quote, backslash or control character, so that it can stand in a header too. */
export function printable(description: string): string {
  return description.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "'")
}

/**
 * What a client or a browser is told when a request is refused. `message` is the public `error_description`;
 * it is written by us and holds nothing of the request. The private cause is a value apart.
 */
export class OAuthError extends Error {
  override readonly name = 'OAuthError'
  /** The `error` that goes over the wire (RFC 6749 §4.1.2.1, §5.2). */
  readonly code: ErrorCode
  /** Stable machine name of what went wrong: `code_expired`. */
  readonly reason: string
  /** Status at machine endpoints. Default: the usual one of the code. */
  readonly status: number
  /** Further response headers. Default: none. */
  readonly headers: Readonly<Record<string, string>>
  /** What a page shows of it, in its own language. Default: `message`. */
  readonly text: Text | undefined

  /**
   * `description` is public: plain English, or a text of the pages, which is English here. Characters that RFC 6749 §5.2 does not allow in it
   * become apostrophes.
   */
  constructor(code: ErrorCode, description: string | Text, details: OAuthErrorDetails) {
    super(printable(typeof description === 'string' ? description : inEnglish(description)), {
      cause: details.cause,
    })
    this.text = typeof description === 'string' ? undefined : description
    this.code = code
    this.reason = details.reason
    this.status = details.status ?? STATUS[code]
    this.headers = details.headers ?? {}
  }

  /** The body of the answer (RFC 6749 §5.2). */
  toJSON(): { error: ErrorCode; error_description: string } {
    return { error: this.code, error_description: this.message }
  }
}

/** How much of a value from a request a page shows, in characters. */
export const LONGEST_SHOWN = 500

/** A fact on an error page. */
export interface ErrorDetail {
  readonly label: Text
  readonly value: string
  /** Whether the value is words of any language, and nothing in code. */
  readonly words?: true
}

/** What an error page says. */
export interface ErrorTexts {
  /** Of its texts in the catalogue: `<key>.heading`, `<key>.message`, and where there is one `<key>.hint`. */
  readonly key: string
  readonly values?: Text['values']
  /** In place of `<key>.message`. */
  readonly message?: Text
  /** What clients and logs are told, where that says more than the page. Default: the message in English. */
  readonly description?: string
  readonly details?: readonly ErrorDetail[]
  readonly next?: { readonly url: string; readonly label: Text }
}

/** What a request said, as a page shows it: the beginning of it. */
export function inRequest(name: string, value: string): ErrorDetail {
  return { label: { key: 'error.label.in_request', values: { name } }, value: value.slice(0, LONGEST_SHOWN) }
}

/** Which client has sent a request. */
export function anApplication(client: NamedClient): ErrorDetail {
  return { label: { key: 'error.label.application' }, value: shownName(client), words: true }
}

/** What is wrong in the words of the specifications: clients are told nothing else, and a page has it in small print. */
export function forDevelopers(description: string): Pick<ErrorTexts, 'description' | 'details'> {
  return { description, details: [{ label: { key: 'error.label.problem' }, value: description }] }
}

/**
 * A refusal that no redirect may carry, because the client or its redirect URI is not proven (RFC 6749 §4.1.2.1).
 * It is shown to the person at the browser.
 */
export class PageError extends OAuthError {
  override readonly text: Text
  readonly heading: Text
  readonly hint: Text | undefined
  readonly details: readonly ErrorDetail[]
  /** Where the user can go on from here. */
  readonly next: { readonly url: string; readonly label: Text } | undefined
  /** The client that sent the request, where it is known. */
  readonly clientId: string | undefined

  constructor(
    code: ErrorCode,
    page: ErrorTexts,
    details: OAuthErrorDetails & { readonly clientId?: string | undefined },
  ) {
    const { key, values = {} } = page
    const message = page.message ?? { key: `${key}.message`, values }
    super(code, page.description ?? message, details)
    this.text = message
    this.heading = { key: `${key}.heading`, values }
    this.hint = isBuiltIn(`${key}.hint`) ? { key: `${key}.hint`, values } : undefined
    this.details = page.details ?? []
    this.next = page.next
    this.clientId = details.clientId
  }
}

/** The store cannot answer now, though it may soon: locked, full, read-only, unreachable. Answered with 503 and `Retry-After`. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError'
}

/** Something of the host's that cannot work: an option, or an argument of `requireToken`, `grants` or `clients`. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
  /** What is at fault, as a path: `lifetimes.accessToken`, `clients[0].redirect_uris`, `grants.revoke(grantId)`. */
  readonly option: string

  constructor(option: string, problem: string, remedy: string, cause?: unknown) {
    super(`oauthProvider: ${option} ${problem}. ${remedy}`, cause === undefined ? undefined : { cause })
    this.option = option
  }
}

/** Any failure as what the client is told; what is not ours becomes `server_error` or `temporarily_unavailable` with no internals. */
export function publicError(error: unknown): OAuthError {
  if (error instanceof OAuthError) return error
  if (error instanceof StoreUnavailableError) {
    return new OAuthError(
      'temporarily_unavailable',
      { key: 'error.store_unavailable.message' },
      {
        reason: 'store_unavailable',
        headers: { 'Retry-After': '1' },
        cause: error,
      },
    )
  }
  const text = { key: 'error.unexpected_error.message' }
  return new OAuthError('server_error', text, { reason: 'unexpected_error', cause: error })
}

/** What failed here behind a refusal, for the event `server.error`. Undefined where nothing did: what the server of somebody else did is told with the refusal. */
export function failureBehind(refusal: OAuthError): unknown {
  const { status, cause } = refusal
  return status < 500 || cause instanceof OutgoingError ? undefined : (cause ?? refusal)
}

/** What is told of every refusal. */
export interface ToldRefusal {
  readonly error: ErrorCode
  readonly reason: string
  /** In words what the server of somebody else answered, where that is why. */
  readonly problem?: string
}

/** A refusal as its event tells it. */
export function toldOf({ code, reason, cause }: OAuthError): ToldRefusal {
  return { error: code, reason, ...(cause instanceof OutgoingError && { problem: cause.message }) }
}
