import { OAuthError } from '../errors.js'
import { scopeOfClaim } from '../standard-claims.js'
import type { Client, Grant } from '../store/records.js'
import { isVouchedFor } from '../vouched.js'
import { destinationOf } from './redirect-uri.js'
import type { AuthorizationRequest } from './request.js'

/** What an authorization request needs next; `approved` where nobody has to be asked: the client is the host's own, or the user has allowed all of it before. */
export type Step = 'login' | 'consent' | 'approved'

/** What a user is asked to allow. */
export type Asked = Pick<
  AuthorizationRequest,
  'scopes' | 'authorizationDetails' | 'resources' | 'claimsBeyondScopes'
>

export interface Situation {
  readonly request: AuthorizationRequest
  readonly client: Client
  /** Who is signed in, and how and since when (milliseconds), where the host says it. */
  readonly user:
    | { readonly sub: string; readonly authenticatedAt?: number; readonly acr?: string }
    | undefined
  /** What the user allowed this client before. */
  readonly grant: Grant | undefined
  /** Whether the browser has been at the host's login for this request. */
  readonly visitedLogin: boolean
}

/** @throws OAuthError where the request can only be refused: by this user, or without asking anybody. */
export function decide(situation: Situation): Step {
  const { request, client, user, grant } = situation
  const silent = request.prompts.includes('none')
  if (user === undefined) {
    if (silent) throw refusal('login_required', 'No user is signed in.', 'not_signed_in')
    return 'login'
  }
  if (mustSignInAgain(situation)) {
    if (silent) throw refusal('login_required', 'The user has to sign in again.', 'sign_in_too_old')
    return 'login'
  }
  if (request.subs !== undefined && !request.subs.includes(user.sub))
    throw refusal('login_required', 'Another user is signed in than the request is for.', 'other_user')
  const mayRemember = clientProvesItself(client, request.redirectUri) && !cameByItself(client)
  if (mayRemember && !request.prompts.includes('consent')) {
    if (client.skipConsent) return 'approved'
    // Details are about this one time: two payments that look alike are two.
    if (request.authorizationDetails === undefined && includesAll(grant, request)) return 'approved'
  }
  if (silent) throw refusal('consent_required', 'The user has to be asked for consent.', 'consent_missing')
  return 'consent'
}

/**
 * Whether a code reaches nobody but this client: it has a secret, or an https redirect URI, which belongs to one site. Any program can
 * listen on a loopback port or claim a private-use scheme, so such clients are asked for every time (RFC 8252 §8.6).
 */
export function clientProvesItself(client: Client, redirectUri: string): boolean {
  return client.confidential || destinationOf(redirectUri).kind === 'web'
}

/** Whether nobody but the client itself says what it is. Its users are asked every time, since it may be something else today. */
function cameByItself(client: Client): boolean {
  const { source } = client
  return (source === 'registration' || source === 'document') && !isVouchedFor(client)
}

/**
 * OpenID Connect Core §3.1.2.1: the user is sent to the login page although signed in, where the request wants a newer or a stronger
 * sign-in. Where the host tells when the user signed in, that time counts; otherwise the first return from the login page does.
 */
function mustSignInAgain({ request, user, visitedLogin }: Situation): boolean {
  const { prompts, maxAge, receivedAt } = request
  const authenticatedAt = user?.authenticatedAt
  if (prompts.includes('select_account') && !visitedLogin) return true
  if (!hasWantedAcr(request, user?.acr)) {
    if (!visitedLogin) return true
    throw refusal(
      'unmet_authentication_requirements',
      'The user did not sign in in any of the ways that the request asks for as essential.',
      'acr_unmet',
    )
  }
  if (request.authTimeRequired && authenticatedAt === undefined) return !visitedLogin
  const age = prompts.includes('login') ? 0 : maxAge
  if (age === undefined) return false
  if (authenticatedAt === undefined || (age === 0 && !visitedLogin)) return !visitedLogin
  const notBefore = receivedAt - age * 1000
  // Many hosts keep whole seconds: then a sign-in of the second in which the request came may be the one that it led to.
  const wholeSeconds = visitedLogin && authenticatedAt % 1000 === 0
  return authenticatedAt < (wholeSeconds ? Math.floor(notBefore / 1000) * 1000 : notBefore)
}

/** OpenID Connect Core §5.5.1.1: what is asked for as essential and not met is a failed sign-in. */
function hasWantedAcr({ essentialAcr }: AuthorizationRequest, acr: string | undefined): boolean {
  return essentialAcr === undefined || (acr !== undefined && essentialAcr.includes(acr))
}

/** Whether a grant holds everything that is asked for and remembered: each resource with each scope there, and each claim beyond these scopes. */
export function includesAll(
  grant: Grant | undefined,
  { scopes, resources, claimsBeyondScopes = [] }: Asked,
): grant is Grant {
  return (
    resources.every((resource) => grant?.access[resource] !== undefined) &&
    scopes.every((scope) => includesScope(grant, scope, resources)) &&
    claimsBeyondScopes.every((claim) => includesClaim(grant, claim, resources))
  )
}

export function includesScope(
  grant: Grant | undefined,
  scope: string,
  resources: readonly string[],
): grant is Grant {
  return resources.every((resource) => grant?.access[resource]?.includes(scope) ?? false)
}

/** A claim may have been allowed by itself, or with the scope that it belongs to. */
export function includesClaim(
  grant: Grant | undefined,
  claim: string,
  resources: readonly string[],
): grant is Grant {
  const scope = scopeOfClaim(claim)
  const withScope = scope !== undefined && includesScope(grant, scope, resources)
  return withScope || (grant?.claims?.includes(claim) ?? false)
}

function refusal(
  code: 'login_required' | 'consent_required' | 'unmet_authentication_requirements',
  description: string,
  reason: string,
): OAuthError {
  return new OAuthError(code, description, { reason })
}
