import type { IncomingMessage, ServerResponse } from 'node:http'
import { covers, guardedAs, scopesAt } from './authorization/resource.js'
import { challenge } from './bearer/challenge.js'
import { insufficientScope, liveToken } from './bearer/check.js'
import { bearerToken, type PresentedToken } from './bearer/presented.js'
import { ConfigurationError, OAuthError, publicError, StoreUnavailableError } from './errors.js'
import { repeatsAuthorization } from './http/authorization-header.js'
import { refuseAtHost } from './http/machine.js'
import type { Middleware, RequireTokenOptions, TokenAuth } from './middleware.js'
import type { Runtime } from './runtime.js'
import { knownScopes } from './scopes.js'
import type { Settings } from './settings.js'
import { noteUse } from './tokens/use.js'
import { anObject, describe, refuseUnknown } from './validation.js'

/**
 * Lets a request pass that carries a live access token for this resource with all these scopes (RFC 6750). `challenged` hears of each challenge.
 *
 * @throws ConfigurationError for a scope, an option or a resource with which nothing could ever pass.
 */
export function requireToken(
  runtime: Runtime,
  needed: readonly [scopes?: string | readonly string[], options?: RequireTokenOptions],
  challenged: () => void,
): Middleware {
  const [named = [], options = {}] = needed
  const list = typeof named === 'string' ? named.split(' ').filter(Boolean) : named
  // A name that turned out to be undefined must not open the route to every token.
  if (needed.length === 1 && Array.isArray(list) && list.length === 0) {
    throw new ConfigurationError(
      'requireToken(scopes)',
      'names no scope',
      'Name one; or call requireToken() where any live token shall pass. Is the name misspelt?',
    )
  }
  const scopes = [...knownScopes('requireToken(scopes)', list, runtime.settings.scopes)]
  const fixedResource = guardedResource(runtime.settings, options)
  return async (req, res, next) => {
    const resource = fixedResource ?? resourceOf(runtime, req)
    try {
      const token = bearerToken(presentedToken(req))
      const auth = await check(runtime, token, scopes, resource)
      ;(req as { auth?: TokenAuth }).auth = auth
    } catch (error) {
      return refuse(runtime, req, res, next, { error, scopes, resource, challenged })
    }
    next()
  }
}

async function check(
  runtime: Runtime,
  token: string,
  scopes: readonly string[],
  resource: string,
): Promise<TokenAuth> {
  const { record, data, expiresAt } = await liveToken(runtime, token, resource)
  // A resource that knows some scopes only sees no others, whatever else the token is for.
  const granted = scopesAt(data.scopes, [resource], runtime.settings)
  if (!scopes.every((scope) => granted.includes(scope))) throw insufficientScope(scopes)
  noteUse(runtime, record, 'requireToken')
  return {
    token,
    clientId: data.clientId,
    userId: data.userId,
    scopes: [...granted],
    expiresAt: Math.floor(expiresAt / 1000),
    resource: new URL(resource),
    user: () => runtime.settings.findUser(data.userId),
  }
}

/** A resource that no token could be for would lock everybody out. */
function guardedResource(settings: Settings, options: RequireTokenOptions): string | undefined {
  const { resources, origin } = settings
  const option = 'requireToken(scopes, options)'
  refuseUnknown(`${option}.`, anObject(option, options), ['resource'])
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
function presentedToken(req: IncomingMessage): PresentedToken {
  const ambiguous = repeatsAuthorization(req) || sendsTokenElsewhere(req)
  return { authorization: req.headers.authorization, ambiguous }
}

/** RFC 6750 §2: one request, one method. In a JSON body the name is the API's own. */
function sendsTokenElsewhere(req: IncomingMessage): boolean {
  if (/[?&]access_token=/.test(req.url ?? '')) return true
  const { body } = req as { body?: { access_token?: unknown } | undefined }
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(req.headers['content-type'] ?? '')
  return isForm && body?.access_token !== undefined
}

/**
 * The resource that a request is for. A path that URLs spell otherwise (dot segments, a backslash, a whole URL) reaches another route
 * in Express than it names, so it is no resource of its own: only a token for the whole origin opens it.
 */
function resourceOf({ settings }: Runtime, req: IncomingMessage): string {
  const { originalUrl = '/' } = req as { originalUrl?: string }
  const url = settings.origin + originalUrl.split('?', 1)[0]
  if (!URL.canParse(url) || new URL(url).href !== url) return settings.origin
  return guardedAs(url, settings)
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
  const challenge = refusal.status < 500 && { 'WWW-Authenticate': challengeFor(refusal, scopes, resource) }
  if (challenge) challenged()
  refuseAtHost(req, res, {
    status: refusal.status,
    body: refusal.toJSON(),
    headers: { ...refusal.headers, ...challenge },
  })
}

/** RFC 9728 §5.1 */
function challengeFor(refusal: OAuthError, scopes: readonly string[], resource: string): string {
  const { origin, pathname } = new URL(resource)
  const path = pathname === '/' ? '' : pathname
  return challenge(refusal, {
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    resource_metadata: `${origin}/.well-known/oauth-protected-resource${path}`,
  })
}
