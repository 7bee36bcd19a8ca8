import { OAuthError } from '../errors.js'
import type { Parameters } from '../parameters.js'
import type { Settings } from '../settings.js'
import { destinationOf } from './redirect-uri.js'

/** How an authorization response travels: in the query of a redirect, or in a form that the browser posts (OAuth 2.0 Form Post Response Mode). */
export type ResponseMode = 'query' | 'form_post'

/** Those that there are. */
export function responseModes({ features }: Pick<Settings, 'features'>): readonly ResponseMode[] {
  return features.formPost ? ['query', 'form_post'] : ['query']
}

/** Where an authorization response goes. */
export interface ResponseTarget {
  readonly redirectUri: string
  readonly responseMode: ResponseMode
  readonly state?: string | undefined
}

/** An authorization response, success or error (RFC 6749 §4.1.2). */
export interface AuthorizationResponse {
  readonly redirectUri: string
  readonly responseMode: ResponseMode
  /** What it says; `iss` is always there (RFC 9207). */
  readonly parameters: Readonly<Record<string, string>>
}

/** The response mode that a request asks for; one that is not there is refused by query, which everybody understands. */
export function requestedResponseMode(
  parameters: Parameters,
  redirectUri: string,
  settings: Pick<Settings, 'features'>,
): ResponseMode {
  const asked = parameters.get('response_mode')
  if (asked === undefined) return 'query'
  return modesTo(redirectUri, settings).find((mode) => mode === asked) ?? 'query'
}

/** @throws OAuthError `invalid_request` for a response mode that is not there. */
export function checkResponseMode(
  parameters: Parameters,
  redirectUri: string,
  settings: Pick<Settings, 'features'>,
): void {
  const asked = parameters.get('response_mode')
  if (asked === undefined) return
  const modes: readonly string[] = modesTo(redirectUri, settings)
  if (modes.includes(asked)) return
  throw new OAuthError('invalid_request', `response_mode must be one of: ${modes.join(' ')}`, {
    reason: 'response_mode',
  })
}

/** An app is opened by its URL and gets no body, so a form that is posted to its scheme would be lost. */
function modesTo(redirectUri: string, settings: Pick<Settings, 'features'>): readonly ResponseMode[] {
  return destinationOf(redirectUri).kind === 'app' ? ['query'] : responseModes(settings)
}

export function authorizationResponse(
  { redirectUri, responseMode, state }: ResponseTarget,
  issuer: string,
  answer: Readonly<Record<string, string>>,
): AuthorizationResponse {
  const beside = state === undefined ? { iss: issuer } : { state, iss: issuer }
  return { redirectUri, responseMode, parameters: Object.assign({}, answer, beside) }
}

/** A response in the query of its redirect URI, which is kept as it was registered, query included. */
export function responseUri({ redirectUri, parameters }: AuthorizationResponse): string {
  return withQuery(redirectUri, parameters)
}

/** Adds parameters to a URI and leaves what is there untouched. */
export function withQuery(uri: string, parameters: Readonly<Record<string, string>>): string {
  const query = Object.entries(parameters)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')
  if (query === '') return uri
  const separator = !uri.includes('?') ? '?' : /[?&]$/.test(uri) ? '' : '&'
  return `${uri}${separator}${query}`
}
