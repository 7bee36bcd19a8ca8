import { ClientRegistry, staticClients } from './clients/registry.js'
import { resourceMetadata, serverMetadata } from './endpoints/metadata.js'
import { createEvents, type ProviderEmitter } from './events.js'
import { HostCheck } from './http/host-check.js'
import { documentEndpoint, formEndpoint, type MachineHandler } from './http/machine.js'
import { PageWriter } from './http/pages.js'
import { createRouter } from './http/router.js'
import { compileTemplates } from './http/templates.js'
import type { HostUser, OAuthProviderOptions } from './options.js'
import { type Middleware, type RequireTokenOptions, requireToken } from './require-token.js'
import { type Route, routeTable } from './routes.js'
import type { Runtime } from './runtime.js'
import { resolveSettings, type Settings } from './settings.js'
import { openStore } from './store/open.js'
import type { Grant } from './store/records.js'
import { anId, anObject, refuseUnknown } from './validation.js'

/** The grants of a provider: what users allowed clients. */
export interface Grants {
  /** Newest first. */
  list(filter?: { readonly userId?: string | number; readonly clientId?: string }): Promise<readonly Grant[]>
  /** Ends one grant and every token of it. False where there is none. */
  revoke(grantId: string): Promise<boolean>
  /** Ends all grants of a user, when they change their password or delete their account. Answers how many there were. */
  revokeUser(userId: string | number): Promise<number>
}

/** An Express Router to mount at the issuer's path, and what belongs to it. */
export interface OAuthProvider extends Middleware {
  /** Serves the documents that have to lie at the root of the host: `app.use(oauth.wellKnown)` (RFC 8414 §3, RFC 9728 §3). */
  readonly wellKnown: Middleware
  /** Guards a route of your API: passes with a live access token that has these scopes, and fills `req.auth` (RFC 6750). */
  requireToken(scopes?: string | readonly string[], options?: RequireTokenOptions): Middleware
  readonly clients: ClientRegistry
  readonly grants: Grants
  /** What happens, for logs, metrics and mails. Without a listener for `server.error` and `warning`, these go to the console. */
  readonly events: ProviderEmitter
  /** Deletes what has expired, all at once. Every write does a little of it, so nobody has to call this. Answers how many records went. */
  purge(): Promise<number>
  /** Closes what the provider opened. */
  close(): Promise<void>
}

const PURGE_BATCH = 1000

/**
 * Turns an Express app that has users into an OAuth 2.0 / 2.1 provider. Mount the result at the path of `issuer`.
 *
 * @throws ConfigurationError when an option is missing, misspelt or cannot work; the message names option, value and remedy.
 */
export function oauthProvider<User extends object = HostUser>(
  options: OAuthProviderOptions<User>,
): OAuthProvider {
  const settings = resolveSettings(options)
  const template = compileTemplates(settings.templates)
  const { events, emit } = createEvents()
  const clients = staticClients(settings.clients, settings.clock())
  const store = openStore(settings.store, settings.clock)
  const runtime: Runtime = { settings, store, clients, now: settings.clock, emit }

  const routes = routeTable(runtime)
  const metadata = documentEndpoint(serverMetadata(settings, endpointsOf(routes)))
  const hostCheck = new HostCheck(settings, emit)
  const router = createRouter(
    handlersOf(runtime, routes, metadata, new PageWriter(settings, emit, template)),
    (req) => hostCheck.look(req),
  )
  return Object.assign(router as unknown as Middleware, {
    wellKnown: wellKnown(settings, metadata),
    requireToken: (scopes: string | readonly string[] = [], guard: RequireTokenOptions = {}) =>
      requireToken(runtime, scopes, guard),
    clients: new ClientRegistry(runtime),
    grants: grantsOf(runtime),
    events,
    purge: () => purge(runtime),
    close: async () => store.close(),
  })
}

function endpointsOf(routes: readonly Route[]): ReadonlyMap<string, string> {
  return new Map(
    routes.flatMap(({ member, path }) => (member === undefined ? [] : [[member, path] as const])),
  )
}

function handlersOf(runtime: Runtime, routes: readonly Route[], metadata: MachineHandler, pages: PageWriter) {
  const machines = new Map([['/.well-known/oauth-authorization-server', metadata]])
  const handlers = new Map()
  for (const route of routes) {
    if (route.kind === 'machine') machines.set(route.path, formEndpoint(route.path, route.post, runtime.emit))
    else
      handlers.set(route.path, route.kind === 'form' ? pages.form(route.methods) : pages.page(route.methods))
  }
  return { machines, pages: handlers }
}

/** The forms with the issuer's or the resource's path behind the well-known one (RFC 8414 §3.1, RFC 9728 §3.1). */
function wellKnown(settings: Settings, metadata: MachineHandler): Middleware {
  const server = `/.well-known/oauth-authorization-server${settings.mount}`
  const resource = '/.well-known/oauth-protected-resource'
  return (req, res, next) => {
    const path = (req as { path?: string }).path ?? ''
    if (path === server) return metadata(req, res)
    if (path !== resource && !path.startsWith(`${resource}/`)) return next()
    const document = resourceMetadata(settings, path.slice(resource.length).replace(/\/$/, ''))
    if (document === undefined) return next()
    documentEndpoint(document)(req, res)
  }
}

function grantsOf({ store, emit }: Runtime): Grants {
  return {
    async list(filter = {}) {
      refuseUnknown('grants.list(filter).', anObject('grants.list(filter)', filter), ['userId', 'clientId'])
      // A filter that is there but undefined, of a user who is not signed in, must not list everybody's.
      const named = Object.entries(filter).map(([name, id]) => [
        name,
        anId(`grants.list(filter).${name}`, id),
      ])
      return store.listGrants(Object.fromEntries(named))
    },
    async revoke(grantId) {
      const revoked = await store.revokeGrant(anId('grants.revoke(grantId)', grantId))
      if (revoked) emit('grant.revoked', { grantId, by: 'host' })
      return revoked
    },
    async revokeUser(userId) {
      const id = anId('grants.revokeUser(userId)', userId)
      const revoked = await store.revokeUser(id)
      if (revoked > 0) emit('grant.revoked', { userId: id, by: 'host' })
      return revoked
    },
  }
}

async function purge({ store, now }: Runtime): Promise<number> {
  let total = 0
  for (let purged = PURGE_BATCH; purged === PURGE_BATCH; total += purged)
    purged = await store.purge(now(), PURGE_BATCH)
  return total
}
