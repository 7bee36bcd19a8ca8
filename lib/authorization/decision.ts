import { OAuthError } from '../errors.js'
import type { Client, Grant } from '../store/records.js'
import { destinationOf } from './redirect-uri.js'
import type { AuthorizationRequest } from './request.js'

/** What an authorization request needs next; `approved` where nobody has to be asked: the client is the host's own, or the user has allowed all of it before. */
export type Step = 'login' | 'consent' | 'approved'

export interface Situation {
  readonly request: AuthorizationRequest
  readonly client: Client
  /** Who is signed in, and since when (milliseconds), where the host says it. */
  readonly user: { readonly authenticatedAt?: number } | undefined
  /** What the user allowed this client before. */
  readonly grant: Grant | undefined
  /** Whether the browser has been at the host's login for this request. */
  readonly visitedLogin: boolean
}

export function decide(situation: Situation): Step {
  const { request, client, user, grant } = situation
  const silent = request.prompts.includes('none')
  if (user === undefined) {
    if (silent) throw interaction('login_required', 'No user is signed in.', 'not_signed_in')
    return 'login'
  }
  if (mustSignInAgain(situation)) return 'login'
  const provesItself = clientProvesItself(client, request.redirectUri)
  if (provesItself && !request.prompts.includes('consent')) {
    if (client.skipConsent || includesAll(grant, request)) return 'approved'
  }
  if (silent)
    throw interaction('consent_required', 'The user has to be asked for consent.', 'consent_missing')
  return 'consent'
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
 * tells when the user signed in, that time counts for login; otherwise the first return from the login page does.
 */
function mustSignInAgain({ request, user, visitedLogin }: Situation): boolean {
  const authenticatedAt = user?.authenticatedAt
  if (!request.prompts.includes('login') && !request.prompts.includes('select_account')) return false
  if (request.prompts.includes('login') && authenticatedAt !== undefined) {
    // Hosts keep whole seconds.
    return Math.floor(authenticatedAt / 1000) < Math.floor(request.receivedAt / 1000)
  }
  return !visitedLogin
}

/** Whether a grant holds everything that is asked for: each scope at each resource. */
export function includesAll(
  grant: Grant | undefined,
  asked: Pick<AuthorizationRequest, 'scopes' | 'resources'>,
): grant is Grant {
  return asked.scopes.every((scope) => includesScope(grant, scope, asked.resources))
}

export function includesScope(
  grant: Grant | undefined,
  scope: string,
  resources: readonly string[],
): grant is Grant {
  return resources.every((resource) => grant?.access[resource]?.includes(scope) ?? false)
}

function interaction(
  code: 'login_required' | 'consent_required',
  description: string,
  reason: string,
): OAuthError {
  return new OAuthError(code, description, { reason })
}
