import type { Audit } from './audit/audit.js'
import { AuditLog } from './audit/log.js'
import { purgeAudit } from './audit/purge.js'
import { AuditReader } from './audit/reader.js'
import type { Awaitable } from './awaitable.js'
import { ClientKeys } from './clients/client-keys.js'
import type { Clients } from './clients/clients.js'
import { DocumentClients } from './clients/document-clients.js'
import { checkIssuerKeys } from './clients/issuer-keys.js'
import { ClientRegistry } from './clients/registry.js'
import { staticClients } from './clients/static-clients.js'
import { serverMetadata } from './endpoints/metadata.js'
import { wellKnown } from './endpoints/well-known.js'
import { createEvents, type Emit, type ProviderEmitter } from './events.js'
import { type Grants, grantRegistry } from './grant-registry.js'
import { hooks } from './hooks.js'
import { HostCheck } from './http/host-check.js'
import { PageWriter } from './http/pages.js'
import { createRouter, handlersOf, metadataDocument } from './http/router.js'
import { compileTemplates } from './http/templates.js'
import { KeySet } from './keys/key-set.js'
import { SIGNING_ALGS } from './keys/keys.js'
import { OwnKeys } from './keys/own-keys.js'
import { createSealer } from './keys/sealing.js'
import type { SigningKeys } from './keys/signing-keys.js'
import type { Middleware, RequireTokenOptions, ScopesOfRequest } from './middleware.js'
import type { HostRequest, HostUser, OAuthProviderOptions } from './options.js'
import { createOutgoing } from './outgoing/create.js'
import { Possession } from './possession/possession.js'
import { requiredAlgs } from './profile.js'
import { type Guard, requireToken } from './require-token.js'
import { endpointsOf, routeTable } from './routes.js'
import type { Runtime } from './runtime.js'
import { Sessions } from './sessions/sessions.js'
import { resolveSettings } from './settings.js'
import { checkedStore } from './store/checked.js'
import { openStore } from './store/open.js'
import type { Store } from './store/store.js'
import { mayTest, testClock, testingKit } from './test-kit.js'
import type { Testing } from './testing.js'

/** An Express Router to mount at the issuer's path, and what belongs to it. */
export interface OAuthProvider extends Middleware {
  /** Serves the documents that have to lie at the root of the host: `app.use(oauth.wellKnown)` (RFC 8414 §3, RFC 9728 §3). */
  readonly wellKnown: Middleware
  /**
   * Guards a route of your API: passes with a live access token that has these scopes, and fills `req.auth` (RFC 6750). Default: no
   * scope, any live token. A function says for each request which scopes it needs.
   *
   * @throws ConfigurationError for a scope that is not among the option `scopes`, and a resource for which no token can be. What a function gives
   * is checked when it is asked: then the request fails with the error.
   */
  requireToken(
    scopes?: string | readonly string[] | ScopesOfRequest,
    options?: RequireTokenOptions,
  ): Middleware
  /** The clients, to be created, read, changed and deleted. */
  readonly clients: Clients
  /** What users allowed, to be read and revoked. */
  readonly grants: Grants
  /** The audit log, to be read: who allowed what to whom and when, and what became of it. */
  readonly audit: Audit
  /** The keys that sign ID tokens, to be listed and rotated. They also rotate by themselves. */
  readonly keys: SigningKeys
  /**
   * Tells the clients that the user has signed in to from this browser that the login has ended (OpenID Connect Back-Channel Logout). For a
   * sign-out of your own: call it before you end the session. Answers how many clients are told; that happens in the background. Where your
   * sessions have no id, as with cookie-session, the user's logins cannot be told apart: then it is about all of them.
   *
   * Your sign-out does not depend on it: what fails is told as `server.error`, and the answer is 0.
   */
  logoutSession(req: HostRequest): Promise<number>
  /**
   * Tells the clients that a user has signed in to that all sessions of this user have ended (OpenID Connect Back-Channel Logout), when you end
   * them yourself: "sign out everywhere", an account that is closed. Answers how many clients are told; that happens in the background. What the
   * user granted stays, see `grants.revokeUser`.
   *
   * @throws ConfigurationError where `userId` is no id.
   * @throws StoreUnavailableError while the store cannot answer.
   */
  logoutUser(userId: string | number): Promise<number>
  /**
   * Tools for the tests of your app: tokens for any user, and a clock that can be moved.
   *
   * @throws ConfigurationError where NODE_ENV is production.
   */
  readonly testing: Testing
  /** What happens, for logs, metrics and mails. Without a listener for `server.error` and `warning`, these go to the console. */
  readonly events: ProviderEmitter
  /**
   * Deletes what has expired, all at once, and what the audit log has kept for as long as it shall. Every write does a little of it, so nobody has
   * to call this. Answers how many records went, entries of the audit log not counted.
   *
   * @throws StoreUnavailableError while the store cannot answer.
   */
  purge(): Promise<number>
  /**
   * Finishes the requests to clients that are under way, which takes 5 seconds at most, and the writes, those of the audit log included, gives up
   * the logout tokens that wait, and closes what the provider opened.
   */
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
  const { events, emit: tell } = createEvents()
  const { allowPrivateAddresses } = settings
  const clock = mayTest() ? testClock(settings.clock) : undefined
  const time = clock?.milliseconds ?? settings.clock
  // Ids begin with whole ones.
  const now = () => Math.floor(time())
  // Whatever the host may have got wrong is refused before a file is made.
  const ownKeys = settings.keys && new OwnKeys(settings.keys, requiredAlgs(settings.profile))
  const clients = staticClients(settings, now(), ownKeys?.algs ?? SIGNING_ALGS)
  checkIssuerKeys(settings)
  const outgoing = createOutgoing({ allowPrivateAddresses, now })
  const sealer = createSealer(settings.secrets)
  const failed = (endpoint: string) => (error: Error) => tell('server.error', { error, endpoint })
  const store = checkedStore(openStore(settings.store, now), failed('store'))
  const audit = new AuditLog({ store, keep: settings.auditKeep, now }, failed('audit'))
  const tellHooks = hooks({ settings, store, clients, now, emit: tell })
  const emit: Emit = (name, event, address) => {
    if (settings.auditKeep !== undefined) audit.note(name, event, address)
    tellHooks(name, event, address)
    tell(name, event)
  }
  const keys = ownKeys ?? new KeySet({ settings, store, sealer, now, emit })
  const publicKeys = new ClientKeys()
  const { clientMetadataDocuments } = settings
  const documents =
    clientMetadataDocuments &&
    new DocumentClients(clientMetadataDocuments, { settings, store, keys, outgoing, now, emit })
  const runtime: Runtime = {
    ...{ settings, store, clients, keys, publicKeys, sealer, outgoing, documents, now, emit },
  }

  const sessions = new Sessions(runtime)
  const possession = new Possession(runtime)
  const auditReader = new AuditReader({ store, settings, now }, () => audit.flush())
  const routes = routeTable(runtime, sessions, possession, auditReader)
  const metadata = metadataDocument(serverMetadata(settings, endpointsOf(routes), keys))
  const pages = new PageWriter(settings, emit, template)
  const hostCheck = new HostCheck(settings, emit)
  const router = createRouter(handlersOf(routes, metadata, pages, settings, emit), (req, path) =>
    hostCheck.look(req, path),
  )
  keys.start()
  hostCheck.checkPages()
  const atRoot = wellKnown(settings, metadata, emit)
  const provider = Object.assign(router as unknown as Middleware, {
    requireToken: (...given: Guard) => requireToken(runtime, possession, given, () => hostCheck.challenged()),
    clients: new ClientRegistry(runtime),
    grants: grantRegistry(store, emit),
    audit: auditReader,
    keys: { list: () => keys.list(), rotate: () => keys.rotate(), revoke: (kid: string) => keys.revoke(kid) },
    logoutSession: (req: HostRequest) => sessions.logoutSession(req),
    logoutUser: (userId: string | number) => sessions.logoutUser(userId),
    events,
    purge: () => purge(runtime),
    close: () => closeAll([sessions, ...(documents ? [documents] : []), keys], audit, store),
  })
  return withGetters(provider, {
    wellKnown: () => hostCheck.taken(atRoot),
    testing: () => testingKit(runtime, clock),
  })
}

/** They are no members to be listed or copied: reading one does something. */
function withGetters<Whole extends object, Read extends object>(
  whole: Whole,
  getters: { readonly [Name in keyof Read]: () => Read[Name] },
): Whole & Read {
  for (const [name, get] of Object.entries(getters))
    Object.defineProperty(whole, name, { get: get as () => unknown })
  return whole as Whole & Read
}

/** In this order: what one of them still tells, the next one writes. */
async function closeAll(
  things: readonly { close(): Awaitable<void> }[],
  audit: AuditLog,
  store: Store,
): Promise<void> {
  for (const thing of things) await thing.close()
  await audit.flush()
  await store.close()
}

async function purge({ store, settings, now }: Runtime): Promise<number> {
  let total = 0
  for (let purged = PURGE_BATCH; purged === PURGE_BATCH; total += purged)
    purged = await store.purge(now(), PURGE_BATCH)
  if (settings.auditKeep !== undefined) await purgeAudit(store, now() - settings.auditKeep)
  return total
}
