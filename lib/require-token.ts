import type { IncomingMessage, ServerResponse } from 'node:http'
import { detailsAt } from './authorization/details.js'
import { covers, guardedAs, scopesAt } from './authorization/resource.js'
import { challenge, statusAtResource } from './bearer/challenge.js'
import { insufficientScope, type LiveToken, liveToken, withoutUser } from './bearer/check.js'
import { checkHolder, isForAnybody } from './bearer/holder.js'
import { neededScopes } from './bearer/needed-scopes.js'
import { type Place, placeOf, urlOf } from './bearer/place.js'
import { type PresentedToken, presentedToken } from './bearer/presented.js'
import { ConfigurationError, OAuthError, publicError, StoreUnavailableError } from './errors.js'
import { addressOf } from './http/address.js'
import { repeatsAuthorization } from './http/authorization-header.js'
import { shareHiddenClass } from './http/hidden-class.js'
import { refuseAtHost } from './http/machine.js'
import { HttpSender } from './http/sender.js'
import type {
  ClientTokenAuth,
  Middleware,
  RequireTokenOptions,
  ScopesOfRequest,
  TokenAuth,
  UserTokenAuth,
} from './middleware.js'
import { optional } from './optional.js'
import type { Possession } from './possession/possession.js'
import type { Runtime } from './runtime.js'
import type { Settings } from './settings.js'
import { noteUseBy } from './tokens/use.js'
import { aBoolean, anObject, describe, refuseUnknown } from './validation.js'

/** What the guard of a route is made of. */
export type Guard = readonly [
  scopes?: string | readonly string[] | ScopesOfRequest,
  options?: RequireTokenOptions,
]

/**
 * Lets a request pass that carries a live access token for this resource with all these scopes (RFC 6750), from who holds what the token
 * is bound to (RFC 9449, RFC 8705). `challenged` hears of each challenge.
 *
 * @throws ConfigurationError for a scope, an option or a resource with which nothing could ever pass.
 */
export function requireToken(
  runtime: Runtime,
  possession: Possession,
  given: Guard,
  challenged: () => void,
): Middleware {
  const [, options = {}] = given
  const scopesOf = neededScopes(given, runtime.settings.scopes)
  const fixedResource = guardedResource(runtime.settings, options)
  const fixedPlace =
    fixedResource === undefined ? undefined : { resource: fixedResource, within: [fixedResource] }
  const origin = fixedResource === undefined ? runtime.settings.origin : new URL(fixedResource).origin
  const metadataUrl = metadataUrls()
  const addressToKeep = runtime.settings.keepAddresses ? addressOf : nowhere
  const onlyUsers = aBoolean('requireToken(scopes, options).user', options.user)
  return async (req, res, next) => {
    shareHiddenClass(req, res)
    const place = fixedPlace ?? placeOf(runtime.settings, req)
    const { resource } = place
    let scopes: readonly string[] = []
    try {
      scopes = scopesOf(req)
      const presented = tokenOf(req)
      const live = await liveToken(runtime, presented.token, resource)
      const { confirmation } = live.data
      if (!isForAnybody(presented, confirmation)) {
        const addressed = { sender: new HttpSender(req, runtime.settings), url: urlOf(origin, req) }
        setHeaders(res, await checkHolder(possession, presented, confirmation, addressed))
      }
      const auth = authOf(runtime, presented.token, live, scopes, {
        resource,
        within: place.within,
        metadata: metadataUrl(resource),
      })
      noteUseBy(req, runtime, live.record, 'requireToken', addressToKeep)
      if (onlyUsers && auth.userId === undefined) throw withoutUser()
      ;(req as { auth?: TokenAuth }).auth = auth
    } catch (error) {
      return refuse(runtime, req, res, next, { error, scopes, resource, challenged })
    }
    next()
  }
}

function authOf(
  runtime: Runtime,
  token: string,
  { data, expiresAt }: LiveToken,
  scopes: readonly string[],
  { resource, within, metadata }: Place & { readonly metadata: string },
): TokenAuth {
  // A resource that knows some scopes only sees no others, whatever else the token is for.
  const granted = within.reduce((left, one) => scopesAt(left, [one], runtime.settings), data.scopes)
  const has = (scope: string) =>
    runtime.settings.scopes.get(scope)?.heldBy.some((name) => granted.includes(name))
  if (!scopes.every(has)) throw insufficientScope(scopes)
  const { authorizationDetails, actor } = data
  let url: URL | undefined
  return {
    token,
    clientId: data.clientId,
    scopes: [...granted],
    expiresAt: Math.floor(expiresAt / 1000),
    get resource() {
      url ??= new URL(resource)
      return url
    },
    resourceMetadataUrl: metadata,
    ...whom(runtime, data.userId),
    ...(authorizationDetails &&
      optional('authorizationDetails', detailsAt(authorizationDetails, [resource], runtime.settings))),
    ...(actor && { actor }),
  }
}

const nowhere = () => undefined

/** The user, or nobody where a client speaks for itself: an id that it shares with a user makes no user of it. */
function whom(
  { settings }: Runtime,
  userId: string | undefined,
): Pick<UserTokenAuth, 'userId' | 'user'> | Pick<ClientTokenAuth, 'userId' | 'user'> {
  return userId === undefined
    ? { userId, user: async () => undefined }
    : { userId, user: () => settings.findUser(userId) }
}

/** A resource that no token could be for would lock everybody out. */
function guardedResource(settings: Settings, options: RequireTokenOptions): string | undefined {
  const { resources, origin } = settings
  const option = 'requireToken(scopes, options)'
  refuseUnknown(`${option}.`, anObject(option, options), ['resource', 'user'])
  const { resource } = options
  if (resource === undefined) return undefined
  if (typeof resource === 'string' && covers([origin, ...resources.keys()], resource))
    return guardedAs(resource, settings)
  throw new ConfigurationError(
    `${option}.resource`,
    `is ${describe(resource)}`,
    `Pass a URL at ${origin} or below one of the option resources.`,
  )
}

/** How a request presents its token: in the header and nowhere else, for in a query it would be logged, and beside another one it would be a riddle. */
function tokenOf(req: IncomingMessage): PresentedToken {
  const ambiguous = repeatsAuthorization(req) || sendsTokenElsewhere(req)
  return presentedToken({ authorization: req.headers.authorization, ambiguous })
}

/** RFC 6750 §2: one request, one method. In a JSON body the name is the API's own. */
function sendsTokenElsewhere(req: IncomingMessage): boolean {
  if (/[?&]access_token=/.test(req.url ?? '')) return true
  const { body } = req as { body?: { access_token?: unknown } | undefined }
  if (body?.access_token === undefined) return false
  return /^application\/x-www-form-urlencoded\b/i.test(req.headers['content-type'] ?? '')
}

function setHeaders(res: ServerResponse, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
}

function refuse(
  runtime: Runtime,
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: unknown) => void,
  {
    error,
    scopes,
    resource,
    challenged,
  }: { error: unknown; scopes: readonly string[]; resource: string; challenged: () => void },
): void {
  const refusal = publicError(error)
  if (refusal.status >= 500)
    runtime.emit('server.error', { error: refusal.cause ?? error, endpoint: 'requireToken' })
  if (!(error instanceof OAuthError) && !(error instanceof StoreUnavailableError)) {
    next(error)
    return
  }
  runtime.emit('access_token.refused', { error: refusal.code, reason: refusal.reason })
  const { authorization } = req.headers
  const challenge = refusal.status < 500 && {
    'WWW-Authenticate': challengeFor(runtime, refusal, authorization, { scopes, resource }),
  }
  if (challenge) challenged()
  refuseAtHost(req, res, {
    status: statusAtResource(refusal),
    body: refusal.toJSON(),
    headers: { ...refusal.headers, ...challenge },
  })
}

/** RFC 9728 §5.1 */
function challengeFor(
  { settings }: Runtime,
  refusal: OAuthError,
  authorization: string | undefined,
  { scopes, resource }: { readonly scopes: readonly string[]; readonly resource: string },
): string {
  return challenge(refusal, authorization, settings, {
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    resource_metadata: metadataOf(resource),
  })
}

/** Says where the metadata of a resource lie. One guard mostly sees one resource, so that it is not worked out for each request. */
function metadataUrls(): (resource: string) => string {
  let last: { readonly resource: string; readonly url: string } | undefined
  return (resource) => {
    if (last?.resource !== resource) last = { resource, url: metadataOf(resource) }
    return last.url
  }
}

/** RFC 9728 §3.1 */
function metadataOf(resource: string): string {
  const { origin, pathname } = new URL(resource)
  return `${origin}/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}`
}
