/** What a token of the test kit is for. */
export interface TestToken {
  /** The user whom it speaks for. Default: none, the client speaks for itself (RFC 6749 §4.4); then `clientId` has to be given. */
  readonly userId?: string | number
  /** Its scopes, as a list or separated by spaces. Default: none. */
  readonly scopes?: string | readonly string[]
  /** The client that it was issued to. Default: `testing`, which need not be registered; any other has to be. */
  readonly clientId?: string
  /** The resource that it is for (RFC 8707). Default: the issuer's origin, and so all of your routes. */
  readonly resource?: string
  /** Seconds that it lives; with 0 it has expired already. Default: as every access token for this client and resource. */
  readonly expiresIn?: number
}

/** The clock of a provider, for tests that move it. */
export interface TestClock {
  /** What the provider takes for now. */
  now(): Date
  /** Moves it on by so many seconds; back with a negative number. */
  advance(seconds: number): void
  /** Sets it. It goes on from there. */
  set(time: Date): void
}

/** Tools for the tests of a host's own app, `oauth.testing`. They are refused where NODE_ENV is production. */
export interface Testing {
  /**
   * A real access token, as the token endpoint would issue it to a client that this user has allowed these scopes. It is in the store, and ends
   * with `grants.revokeUser`, as every other does.
   *
   * @throws ConfigurationError for a scope that is not among the option `scopes`, a client that is not registered, a resource that is not hosted.
   */
  token(options?: TestToken): Promise<string>
  /**
   * The headers of a request that this user's client sends: `request(app).get('/api/photos').set(await oauth.testing.actingAs('alice', 'photos'))`.
   *
   * @throws ConfigurationError as `token` does.
   */
  actingAs(
    userId: string | number,
    scopes?: string | readonly string[],
    options?: Omit<TestToken, 'userId' | 'scopes'>,
  ): Promise<{ Authorization: string }>
  /** The clock by which this provider lives. */
  readonly clock: TestClock
}
