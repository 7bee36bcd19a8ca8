import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Actor } from './actor.js'
import type { AuthorizationDetail, HostRequest } from './options.js'

/** An Express middleware, of Express 4 and 5. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

/** A method and not a function, so that `req` may be annotated with Express's `Request`: TypeScript compares parameters of methods in both directions. */
interface RouteScopes {
  of(req: HostRequest): string | readonly string[]
}

/**
 * Says which scopes a request needs, for a route behind which there are many operations: `(req) => (req.body?.params?.name === 'delete_photo' ?
 * 'photos photos:delete' : 'photos')`. It is asked before anything is known of who sends the request, and answers at once.
 */
export type ScopesOfRequest = RouteScopes['of']

/** What `oauth.requireToken` takes beside the scopes. */
export interface RequireTokenOptions {
  /** The resource that the route belongs to (RFC 8707). Default: the one of the option `resources` that the request's path lies in, else the URL itself. */
  readonly resource?: string
  /** `true` refuses the token of a client that speaks for itself (RFC 6749 §4.4) with 403 `insufficient_scope`, for routes that are about a user. Default: `false`, it passes, and `req.auth.userId` is undefined. */
  readonly user?: boolean
}

/** Whom a request speaks for: what `requireToken` puts on `req.auth`. A superset of the MCP SDK's `AuthInfo`. */
export type TokenAuth<User extends object = object> = UserTokenAuth<User> | ClientTokenAuth

/** What all tokens have. */
interface AnyTokenAuth {
  /** The access token itself. */
  readonly token: string
  /** The client that it was issued to. */
  readonly clientId: string
  /** The scopes that it has (RFC 6749 §3.3). */
  readonly scopes: string[]
  /** Seconds since 1970. */
  readonly expiresAt: number
  /** The resource at which the token was accepted (RFC 8707). */
  readonly resource: URL
  /** Where the metadata of that resource lie (RFC 9728 §3.1), for challenges of your own; those of the MCP SDK name it. */
  readonly resourceMetadataUrl: string
  /** What was granted in detail (RFC 9396); undefined where nothing was. */
  readonly authorizationDetails?: readonly AuthorizationDetail[]
  /** Who acts with it, where that is not the client that the user allowed it (RFC 8693 §4.1). */
  readonly actor?: Actor
}

/** A token by which a client speaks for a user. */
export interface UserTokenAuth<User extends object = object> extends AnyTokenAuth {
  /** The user who allowed it: the id that `currentUser` gave, as a string. */
  readonly userId: string
  /** The user, through the option `findUser`; undefined where they no longer exist. Rejects with what `findUser` throws. */
  user(): Promise<User | undefined>
}

/** A token by which a client speaks for itself (RFC 6749 §4.4). */
export interface ClientTokenAuth extends AnyTokenAuth {
  /** No user has allowed it. */
  readonly userId: undefined
  /** Resolves with undefined. */
  user(): Promise<undefined>
}
