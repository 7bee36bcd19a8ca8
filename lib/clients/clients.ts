import type { ClientMetadata } from '../options.js'

/** Metadata of a registered client. */
export type RegisteredClient = ClientMetadata & { readonly client_id: string }

/**
 * The clients of a provider, for the host to manage. Each method rejects with a `StoreUnavailableError` while the store cannot answer.
 */
export interface Clients {
  /**
   * Registers a client. `client_secret` is in the answer of this call and never again; a client with `private_key_jwt` has none. A
   * `sector_identifier_uri` is fetched, and has to list every redirect URI.
   *
   * @throws OAuthError `invalid_client_metadata` or `invalid_redirect_uri` where the metadata is refused or the `client_id` is taken (RFC 7591 §3.2.2).
   */
  create(metadata: ClientMetadata): Promise<RegisteredClient>

  /** One client, without its secret; undefined where there is none. */
  get(clientId: string): Promise<RegisteredClient | undefined>

  /** All of them, without their secrets; those of the option `clients` first. */
  list(): Promise<RegisteredClient[]>

  /**
   * Changes what is named and leaves the rest; but `jwks` takes the place of `jwks_uri`, and the other way round. Its id and secret stay as they are; only where it changes to `private_key_jwt` its secret ends.
   *
   * @throws OAuthError `invalid_client_metadata` or `invalid_redirect_uri` where a change is refused, `invalid_client` where there is no such client.
   * @throws ConfigurationError for a client of the option `clients`.
   */
  update(
    clientId: string,
    changes: Omit<ClientMetadata, 'client_id' | 'client_secret'>,
  ): Promise<RegisteredClient>

  /**
   * Gives a client a new secret; the old one ends at once.
   *
   * @throws OAuthError `invalid_client_metadata` for a client without a secret, `invalid_client` where there is no such client.
   * @throws ConfigurationError for a client of the option `clients`.
   */
  rotateSecret(clientId: string): Promise<{ client_id: string; client_secret: string }>

  /**
   * Deletes a client, and ends every grant made to it. False where there is none.
   *
   * @throws ConfigurationError for a client of the option `clients`.
   */
  delete(clientId: string): Promise<boolean>
}
