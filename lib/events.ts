import { EventEmitter } from 'node:events'
import type { ErrorCode } from './errors.js'

/** What `oauth.events` tells the host. No event ever holds a token, a code, a secret or a cookie. Names and reasons are stable. */
export interface ProviderEvents {
  /** An authorization request was refused, by redirect or on a page. `problem` says in words what the client's `jwks_uri`, or the URL that is its id, answered, where that is why. */
  'authorization.refused': [
    {
      clientId?: string
      error: ErrorCode
      reason: string
      redirected: boolean
      reference?: string
      problem?: string
    },
  ]
  /** The browser was sent to the host's login. */
  'login.required': [{ clientId: string }]
  /** The user allowed a client something; `first` where it had no access to their account before. */
  'consent.approved': [
    { clientId: string; userId: string; grantId: string; scopes: readonly string[]; first: boolean },
  ]
  /** The user said no. */
  'consent.denied': [{ clientId: string; userId: string }]
  /** An authorization code was issued; `remembered` when no page was shown for it. */
  'code.issued': [
    { clientId: string; userId: string; grantId: string; scopes: readonly string[]; remembered: boolean },
  ]
  /** A code came a second time, valid in all else: what the first use got has been revoked (RFC 6749 §4.1.2). */
  'code.reused': [{ clientId: string; userId: string; grantId: string }]
  /** Tokens were issued. Without `userId` and `grantId` the client speaks for itself (RFC 6749 §4.4). */
  'token.issued': [
    { clientId: string; userId?: string; grantId?: string; grantType: string; scopes: readonly string[] },
  ]
  /** A client has revoked a token of its own: an access token alone, or a refresh token with all that came of the same authorization (RFC 7009). */
  'token.revoked': [{ clientId: string; userId?: string; grantId?: string; kind: 'access' | 'refresh' }]
  /** A rotated refresh token came again outside its grace: its family has been revoked (RFC 9700 §4.14.2). */
  'refresh_token.reused': [{ clientId: string; userId: string; grantId: string }]
  /** The token endpoint refused a request. `problem` says in words what the `jwks_uri` of the client, or of the issuer of an assertion, answered, where that is why. */
  'token.refused': [{ clientId?: string; error: ErrorCode; reason: string; problem?: string }]
  /** An endpoint that clients call themselves refused a request: `/revoke`, `/introspect`, `/par`, `/device_authorization`, `/register` and `/register/:id` for any reason, the others for its form alone, its method, its content type, its size; or a page that belongs to no authorization request refused one. `reference` is on that page. `problem` says in words what the client's `jwks_uri` answered, where that is why. */
  'request.refused': [
    {
      endpoint: string
      error: ErrorCode
      reason: string
      clientId?: string
      reference?: string
      problem?: string
    },
  ]
  /** A client failed to authenticate. `problem` says in words what its `jwks_uri` answered, where that was of no use. */
  'client.authentication_failed': [{ clientId?: string; reason: string; address: string; problem?: string }]
  /** `requireToken` or the userinfo endpoint refused a request. */
  'access_token.refused': [{ error: ErrorCode; reason: string }]
  /** A grant and every token of it has been revoked; `userId` alone says that all of this user have, `clientId` alone that all made to this client have. */
  'grant.revoked': [
    | { userId: string; clientId: string; grantId: string; by: 'user' | 'host' | Administrator }
    | { userId: string; clientId?: undefined; grantId?: undefined; by: 'host' | 'user_gone' | Administrator }
    | { userId?: undefined; clientId: string; grantId?: undefined; by: 'host' | Administrator },
  ]
  /** Scopes have been withdrawn from a grant, and from every token of it. */
  'scopes.withdrawn': [
    {
      userId: string
      clientId: string
      grantId: string
      scopes: readonly string[]
      by: 'user' | 'host' | Administrator
    },
  ]
  /** A user signed out at `/logout`, by their click or because a client proved which session it means; or the host said so with `logoutSession` or `logoutUser`. */
  'session.ended': [{ userId: string; by: 'user' | 'client' | 'host'; clientId?: string }]
  /** A client has been told that a user's session ended (OpenID Connect Back-Channel Logout). */
  'logout.notified': [{ clientId: string; userId: string }]
  /** A client could not be told so; nobody will try again. `problem` says in words what the last attempt met. */
  'logout.failed': [{ clientId: string; userId: string; reason: string; problem: string; attempts: number }]
  /** A client was created, changed or deleted: by the host through `oauth.clients`, by itself through `/register`, by its user on `/applications`, by an administrator, who also verifies and blocks; deleting or blocking it ends every grant made to it. */
  'client.changed': [
    {
      clientId: string
      change:
        | ('created' | 'updated' | 'secret_rotated' | 'deleted')
        | ('verified' | 'unverified' | 'blocked' | 'unblocked')
      by: 'host' | 'client' | 'user' | Administrator
      userId?: string
      /** It has registered itself and has got no token yet: nobody may ever use it, and strangers can make many. The audit log has nothing of these. */
      onProbation?: true
    },
  ]
  /** The next signing keys sign from now on, since the host said so with `oauth.keys.rotate()` or ended one with `oauth.keys.revoke(kid)`; or, by the schedule of `lifetimes.signingKey`, new ones have been made that follow them. */
  'keys.rotated': [{ by: 'host' | 'schedule' }]
  /** Something failed that is neither the client's nor the user's fault. `reference` is also on the page that was shown. */
  'server.error': [{ error: unknown; endpoint: string; reference?: string }]
  /** The host is set up in a way that will not work well. Each warning is given once. */
  warning: [{ code: string; message: string }]
}

/** An administrator, who acted on the page `/admin`: `admin:` and the id of the user. */
export type Administrator = `admin:${string}`

/** The name of an event. */
export type EventName = keyof ProviderEvents
/** Tells an event, whoever listens; a listener that throws is reported and does no harm. */
export type Emit = <Name extends EventName>(
  name: Name,
  event: ProviderEvents[Name][0],
  address?: string,
) => void
/** The type of `oauth.events`: Node's emitter, with these events. */
export type ProviderEmitter = EventEmitter<ProviderEvents>

export function createEvents(): { events: ProviderEmitter; emit: Emit } {
  const events: ProviderEmitter = new EventEmitter({ captureRejections: true })
  const untyped = events as EventEmitter

  // A listener that throws, now or later, must not fail the request that it hears of.
  const blame = (error: unknown, name: unknown) =>
    console.error(`oauthProvider: a listener of the event ${String(name)} threw`, error)
  Object.assign(events, { [Symbol.for('nodejs.rejection')]: blame })
  const warned = new Set<string>()
  const emit: Emit = (name, event) => {
    if (name === 'warning') {
      const { message } = event as { message: string }
      if (warned.has(message)) return
      warned.add(message)
    }
    if (untyped.listenerCount(name) === 0) {
      if (name === 'server.error') console.error('oauthProvider:', (event as { error: unknown }).error)
      if (name === 'warning')
        process.emitWarning((event as { message: string }).message, 'OAuthProviderWarning')
      return
    }
    try {
      untyped.emit(name, event)
    } catch (error) {
      blame(error, name)
    }
  }
  return { events, emit }
}
