import { OAuthError } from '../errors.js'
import type { Client, Grant } from '../store/records.js'
import { destinationOf } from './redirect-uri.js'
import type { AuthorizationRequest } from './request.js'

/** What a pending authorization request needs next. */
export type Decision =
  | { readonly step: 'login' }
  | { readonly step: 'consent' }
  /** Nobody has to be asked: the client is the host's own, or the user has allowed all of it before. */
  | { readonly step: 'approved' }

export interface Situation {
  readonly request: AuthorizationRequest
  readonly client: Client
  readonly signedIn: boolean
  /** What the user allowed this client before. */
  readonly grant: Grant | undefined
  /** When the user last signed in, in milliseconds, where the host says it. */
  readonly authenticatedAt: number | undefined
  /** Whether the browser has been at the host's login for this request. */
  readonly visitedLogin: boolean
}

export function decide(situation: Situation): Decision {
  const { request, client, grant } = situation
  const silent = request.prompts.includes('none')
  if (!situation.signedIn) {
    if (silent) throw interaction('login_required', 'No user is signed in.', 'not_signed_in')
    return { step: 'login' }
  }
  if (mustSignInAgain(situation)) return { step: 'login' }
  const provesItself = clientProvesItself(client, request.redirectUri)
  if (provesItself && !request.prompts.includes('consent')) {
    if (client.skipConsent || includesAll(grant, request)) return { step: 'approved' }
  }
  if (silent)
    throw interaction('consent_required', 'The user has to be asked for consent.', 'consent_missing')
  return { step: 'consent' }
}

/**
 * Whether a code reaches nobody but this client: it has a secret, or an https redirect URI, which belongs to one site. Any program can
 * listen on a loopback port or claim a private-use scheme, so such clients are asked for every time (RFC 8252 §8.6).
 */
export function clientProvesItself(client: Client, redirectUri: string): boolean {
  return client.secret !== undefined || destinationOf(redirectUri).kind === 'web'
}

/**
 * OpenID Connect Core §3.1.2.1: login and select_account send the user to the login page although they are signed in. Where the host
 * tells when the user signed in, that time counts; otherwise the first return from login does.
 */
function mustSignInAgain({ request, authenticatedAt, visitedLogin }: Situation): boolean {
  if (!request.prompts.includes('login') && !request.prompts.includes('select_account')) return false
  if (request.prompts.includes('login') && authenticatedAt !== undefined) {
    // Hosts keep whole seconds.
    return Math.floor(authenticatedAt / 1000) < Math.floor(request.receivedAt / 1000)
  }
  return !visitedLogin
}

/** Whether a grant holds everything that is asked for. */
export function includesAll(
  grant: Grant | undefined,
  asked: Pick<AuthorizationRequest, 'scopes' | 'resources'>,
): grant is Grant {
  return (
    grant !== undefined &&
    asked.scopes.every((scope) => grant.scopes.includes(scope)) &&
    asked.resources.every((resource) => grant.resources.includes(resource))
  )
}

function interaction(
  code: 'login_required' | 'consent_required',
  description: string,
  reason: string,
): OAuthError {
  return new OAuthError(code, description, { reason })
}
