import type { IncomingMessage, ServerResponse } from 'node:http'

/** An Express middleware, of Express 4 and 5. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

/** What `oauth.requireToken` takes beside the scopes. */
export interface RequireTokenOptions {
  /** The resource that the route belongs to (RFC 8707). Default: the one of the option `resources` that the request's path lies in, else the URL itself. */
  readonly resource?: string
}

/** Whom a request speaks for: what `requireToken` puts on `req.auth`. A superset of the MCP SDK's `AuthInfo`. */
export interface TokenAuth<User extends object = object> {
  /** The access token itself. */
  readonly token: string
  /** The client that it was issued to. */
  readonly clientId: string
  /** The user who allowed it: the id that `currentUser` gave, as a string. */
  readonly userId: string
  /** The scopes that it has (RFC 6749 §3.3). */
  readonly scopes: string[]
  /** Seconds since 1970. */
  readonly expiresAt: number
  /** The resource at which the token was accepted (RFC 8707). */
  readonly resource: URL
  /** The user, through the option `findUser`; undefined where they no longer exist. Rejects with what `findUser` throws. */
  user(): Promise<User | undefined>
}
