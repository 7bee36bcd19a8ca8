/** Clients that say the same of themselves share an id, so each has a name of its own. */
let named = 0

/** What an MCP client keeps for its user, in memory, in the shape that both versions of the SDK ask for (`OAuthClientProvider`). */
export class MemoryOAuth {
  readonly redirectUrl = 'http://127.0.0.1:33418/callback'
  readonly clientMetadata = {
    client_name: `Assistant ${++named}`,
    redirect_uris: [this.redirectUrl],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
  }
  /** The URL at which it says what it is, where it registers nowhere. */
  readonly clientMetadataUrl?: string
  /** Where the user was sent, each time. */
  readonly asked: URL[] = []
  /** What it registered as, each time. */
  readonly registered: string[] = []
  current: Tokens | undefined
  #client: Registered | undefined
  #verifier = ''
  #discovered: unknown

  constructor(clientMetadataUrl?: string) {
    if (clientMetadataUrl !== undefined) this.clientMetadataUrl = clientMetadataUrl
  }

  state(): string {
    return 'state-of-the-client'
  }

  clientInformation(): Registered | undefined {
    return this.#client
  }

  saveClientInformation(client: Registered): void {
    this.#client = client
    // A client with a URL is told to save what it is, too.
    if (client.client_id !== this.clientMetadataUrl) this.registered.push(client.client_id)
  }

  tokens(): Tokens | undefined {
    return this.current
  }

  saveTokens(tokens: Tokens): void {
    this.current = tokens
  }

  redirectToAuthorization(url: URL): void {
    this.asked.push(url)
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier
  }

  codeVerifier(): string {
    return this.#verifier
  }

  saveDiscoveryState(discovered: unknown): void {
    this.#discovered = discovered
  }

  discoveryState(): undefined {
    return this.#discovered as undefined
  }

  invalidateCredentials(what: 'all' | 'client' | 'tokens' | 'verifier' | 'discovery'): void {
    if (what === 'all' || what === 'client') this.#client = undefined
    if (what === 'all' || what === 'tokens') this.current = undefined
  }
}

interface Registered {
  readonly client_id: string
}

interface Tokens {
  readonly access_token: string
  readonly token_type: string
  readonly refresh_token?: string
  readonly scope?: string
}
