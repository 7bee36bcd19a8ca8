import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express5, { type Express, type RequestHandler } from 'express'
import session from 'express-session'
import {
  type OAuthProvider,
  type OAuthProviderOptions,
  oauthProvider,
  type ProviderEvents,
} from '../../lib/index.js'
import { clients } from './clients.js'
import { signingKeys } from './signing-keys.js'

export interface User {
  readonly id: string
  readonly name: string
  readonly email: string
}

export interface HostOptions {
  /** Options of the provider, made from the host's origin where they need it; `issuer` follows from the port and `mount`. */
  readonly provider?:
    | Partial<OAuthProviderOptions<User>>
    | ((origin: string) => Partial<OAuthProviderOptions<User>>)
  /** The path to mount at; default `/oauth`, '' for the root. */
  readonly mount?: string
  /** Where the router really is mounted, if not at `mount`. */
  readonly mountAt?: string
  /** False leaves the provider's events without listeners. */
  readonly listen?: boolean
  /** The Express to use; default 5. */
  readonly express?: typeof express5
  /** Mounts what the host has before the provider (helmet, body parsers, ...); the session is there already. */
  readonly before?: (app: Express) => void
  /** Mounts what the host has before its session. */
  readonly beforeSession?: (app: Express) => void
  /** False leaves the guarded API out, for hosts without the scopes `read` and `write`. */
  readonly api?: boolean
  /** The session middleware; default express-session in memory with SameSite=Lax. */
  readonly session?: RequestHandler
}

/** An ordinary app with users, a login that regenerates its session, an API, and the provider; on a real port, its clock in our hand. */
export interface Host {
  readonly app: Express
  readonly server: Server
  readonly oauth: OAuthProvider
  readonly origin: string
  readonly issuer: string
  /** Users by id. Deleting one closes the account. */
  readonly users: Map<string, User>
  /** Every event, in order. */
  readonly events: { readonly name: keyof ProviderEvents; readonly event: Record<string, unknown> }[]
  /** Moves the clock on. */
  advance(seconds: number): void
  now(): number
  close(): Promise<void>
}

const EVENTS = Object.keys({
  'authorization.refused': true,
  'login.required': true,
  'consent.approved': true,
  'consent.denied': true,
  'code.issued': true,
  'code.reused': true,
  'token.issued': true,
  'token.revoked': true,
  'token.refused': true,
  'request.refused': true,
  'refresh_token.reused': true,
  'client.authentication_failed': true,
  'access_token.refused': true,
  'grant.revoked': true,
  'session.ended': true,
  'logout.notified': true,
  'logout.failed': true,
  'client.changed': true,
  'scopes.withdrawn': true,
  'keys.rotated': true,
  'server.error': true,
  warning: true,
} satisfies Record<keyof ProviderEvents, true>) as (keyof ProviderEvents)[]

export async function startHost(options: HostOptions = {}): Promise<Host> {
  const { express = express5, mount = '/oauth' } = options
  const app = express()
  const server = createServer(app).listen(0)
  await once(server, 'listening')
  // A test that fails before it closes its host must not keep the run from ending.
  server.unref()
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`
  const issuer = `${origin}${mount}`
  const users = new Map<string, User>([
    ['alice', { id: 'alice', name: 'Alice', email: 'alice@host.example' }],
    ['bob', { id: 'bob', name: 'Bob', email: 'bob@host.example' }],
  ])
  let time = Date.now()

  options.beforeSession?.(app)
  app.use(
    options.session ?? session({ secret: 'test', resave: false, saveUninitialized: false, name: 'host' }),
  )
  options.before?.(app)
  const oauth = oauthProvider<User>({
    issuer,
    findUser: (id) => users.get(id),
    currentUser: (req) => (req.session as { userId?: string } | undefined)?.userId,
    scopes: { read: 'Read your things', write: 'Change your things' },
    clients,
    store: ':memory:',
    keys: signingKeys,
    clock: () => time,
    ...(typeof options.provider === 'function' ? options.provider(origin) : options.provider),
  })
  const events: Host['events'] = []
  for (const name of options.listen === false ? [] : EVENTS)
    oauth.events.on(name, (event: unknown) => events.push({ name, event: event as Record<string, unknown> }))
  app.use((options.mountAt ?? mount) || '/', oauth)
  app.use(oauth.wellKnown)
  mountLogin(app, express)
  if (options.api !== false) mountApi(app, oauth)
  return {
    app,
    server,
    oauth,
    origin,
    issuer,
    users,
    events,
    advance: (seconds) => {
      time += seconds * 1000
    },
    now: () => time,
    async close() {
      server.closeAllConnections()
      server.close()
      await oauth.close()
    },
  }
}

export function mountLogin(app: Express, express: typeof express5): void {
  app.get('/login', (req, res) => {
    res
      .type('html')
      .send(
        `<form method="post"><input name="user"><input name="return_to" value="${encodeURI(String(req.query.return_to ?? '/'))}"></form>`,
      )
  })
  app.post('/login', express.urlencoded({ extended: false }), (req, res, next) => {
    req.session.regenerate((error) => {
      if (error) return next(error)
      ;(req.session as { userId?: string }).userId = req.body.user
      const returnTo = String(req.body.return_to ?? '/')
      res.redirect(303, /^\/(?![/\\])/.test(returnTo) ? returnTo : '/')
    })
  })
  app.post('/logout', (req, res) => {
    req.session.destroy(() => res.redirect(303, '/'))
  })
}

export function mountApi(app: Express, oauth: Pick<OAuthProvider, 'requireToken'>): void {
  const answer: RequestHandler = (req, res) => {
    const { clientId, userId, scopes, expiresAt, resource } = req.auth
    res.json({ clientId, userId, scopes, expiresAt, resource: resource.href })
  }
  app.get('/api/read', oauth.requireToken('read'), answer)
  app.get('/api/write', oauth.requireToken(['write']), answer)
  app.get('/api/any', oauth.requireToken(), answer)
  app.post('/api/read', oauth.requireToken('read'), answer)
}
