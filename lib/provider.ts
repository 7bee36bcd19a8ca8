import type { Clients } from './clients/clients.js'
import { ClientRegistry, staticClients } from './clients/registry.js'
import { serverMetadata } from './endpoints/metadata.js'
import { wellKnown } from './endpoints/well-known.js'
import { createEvents, type ProviderEmitter } from './events.js'
import { type Grants, grantRegistry } from './grant-registry.js'
import { HostCheck } from './http/host-check.js'
import { documentEndpoint } from './http/machine.js'
import { PageWriter } from './http/pages.js'
import { createRouter, handlersOf } from './http/router.js'
import { compileTemplates } from './http/templates.js'
import type { Middleware, RequireTokenOptions } from './middleware.js'
import type { HostUser, OAuthProviderOptions } from './options.js'
import { requireToken } from './require-token.js'
import { endpointsOf, routeTable } from './routes.js'
import type { Runtime } from './runtime.js'
import { resolveSettings } from './settings.js'
import { openStore } from './store/open.js'

/** An Express Router to mount at the issuer's path, and what belongs to it. */
export interface OAuthProvider extends Middleware {
  /** Serves the documents that have to lie at the root of the host: `app.use(oauth.wellKnown)` (RFC 8414 §3, RFC 9728 §3). */
  readonly wellKnown: Middleware
  /**
   * Guards a route of your API: passes with a live access token that has these scopes, and fills `req.auth` (RFC 6750). Default: no
   * scope, any live token.
   *
   * @throws ConfigurationError for a scope that is not among the option `scopes`, and a resource for which no token can be.
   */
  requireToken(scopes?: string | readonly string[], options?: RequireTokenOptions): Middleware
  /** The clients, to be created, read, changed and deleted. */
  readonly clients: Clients
  /** What users allowed, to be read and revoked. */
  readonly grants: Grants
  /** What happens, for logs, metrics and mails. Without a listener for `server.error` and `warning`, these go to the console. */
  readonly events: ProviderEmitter
  /**
   * Deletes what has expired, all at once. Every write does a little of it, so nobody has to call this. Answers how many records went.
   *
   * @throws StoreUnavailableError while the store cannot answer.
   */
  purge(): Promise<number>
  /** Finishes what was begun and closes what the provider opened. */
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
  const clients = staticClients(settings, settings.clock())
  const store = openStore(settings.store, settings.clock)
  const runtime: Runtime = { settings, store, clients, now: settings.clock, emit }

  const routes = routeTable(runtime)
  const metadata = documentEndpoint(serverMetadata(settings, endpointsOf(routes)))
  const pages = new PageWriter(settings, emit, template)
  const hostCheck = new HostCheck(settings, emit)
  const router = createRouter(handlersOf(routes, metadata, pages, emit), (req) => hostCheck.look(req))
  return Object.assign(router as unknown as Middleware, {
    wellKnown: wellKnown(settings, metadata),
    requireToken: (...needed: [scopes?: string | readonly string[], options?: RequireTokenOptions]) =>
      requireToken(runtime, needed),
    clients: new ClientRegistry(runtime),
    grants: grantRegistry(store, emit),
    events,
    purge: () => purge(runtime),
    close: async () => store.close(),
  })
}

async function purge({ store, now }: Runtime): Promise<number> {
  let total = 0
  for (let purged = PURGE_BATCH; purged === PURGE_BATCH; total += purged)
    purged = await store.purge(now(), PURGE_BATCH)
  return total
}
