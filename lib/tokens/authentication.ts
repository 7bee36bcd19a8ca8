/** How and when the user proved who they are, as far as it is known (OpenID Connect Core §2). */
export interface Authentication {
  /** Seconds since 1970. */
  readonly authTime?: number | undefined
  readonly acr?: string | undefined
  readonly amr?: readonly string[] | undefined
  /** The login session at the host, as only the provider knows it; `sidOf` makes of it what a client is told. */
  readonly session?: string | undefined
}

/** The claims of an `Authentication` that every token about the user may carry, as they go into JSON: what is undefined is not there. */
export function authenticationClaims({
  authTime,
  acr,
  amr,
}: Authentication): Readonly<Record<string, unknown>> {
  return { auth_time: authTime, acr, amr }
}

/** By what the sessions of clients that end with a login are found. All logins of a user are one where nothing tells them apart. */
export function sessionKey(userId: string, session: string | undefined): string {
  // A session is a hash, which has no colon.
  return session ?? `user:${userId}`
}
