import type { ClientMetadata, LocalizedMetadata } from '../options.js'

/** Metadata of a registered client. Handed back to `create` or `update`, the two last members are passed over. */
export type RegisteredClient = ClientMetadata &
  LocalizedMetadata & {
    readonly client_id: string
    /** How it came: it registered itself at `/register`, its metadata lie at the URL that is its id, or a user made it on `/applications`. Undefined: you made it. */
    readonly source?: 'registration' | 'document' | 'user'
    /** When it was registered, in seconds since 1970 (RFC 7591 §3.2.1); undefined for those of the option `clients`. */
    readonly client_id_issued_at?: number
  }

/** A member that is there and undefined gets its default again. */
type ChangedMetadata = {
  readonly [Name in Exclude<keyof ClientMetadata, 'client_id' | 'client_secret'>]?:
    | ClientMetadata[Name]
    | undefined
}

/** What `rotateSecret` answers. */
export interface RotatedSecret {
  readonly client_id: string
  /** The new one. It is never told again. */
  readonly client_secret: string
  /** When the old one ends, in seconds since 1970; undefined where it has ended. */
  readonly previous_client_secret_expires_at?: number
}

/**
 * The clients of a provider, for the host to manage. Each method rejects with a `StoreUnavailableError` while the store cannot answer.
 */
export interface Clients {
  /**
   * Registers a client. `client_secret` is in the answer of this call and never again; a client that is public, or proves itself by a key or a
   * certificate, has none. A `sector_identifier_uri` is fetched, and has to list every redirect URI.
   *
   * @throws OAuthError `invalid_client_metadata` or `invalid_redirect_uri` where the metadata is refused or the `client_id` is taken (RFC 7591 §3.2.2).
   */
  create(metadata: ClientMetadata | (ClientMetadata & LocalizedMetadata)): Promise<RegisteredClient>

  /** One client, without its secret; undefined where there is none. */
  get(clientId: string): Promise<RegisteredClient | undefined>

  /**
   * All of them, without their secrets; those of the option `clients` first. With `ownerId`, those of one user, without those of the
   * option: to delete them with the account, or to move them to another one with `update(client_id, { owner_id })`.
   *
   * @throws ConfigurationError for a member of `filter` that is unknown, or there and no id.
   */
  list(filter?: { readonly ownerId?: string | number }): Promise<RegisteredClient[]>

  /**
   * Changes what is named and leaves the rest; but `jwks` takes the place of `jwks_uri`, and the other way round. Its id stays as it is, and so does
   * its secret, unless it changes to a method by key or certificate (`private_key_jwt`, `tls_client_auth`, `self_signed_tls_client_auth`): then all its
   * secrets end at once. What a client says in its document (`source: 'document'`) cannot be changed here, since it is read there again; all else
   * that you say of it stays, and `scope` and `grant_types` are the most that it may have.
   *
   * @throws OAuthError `invalid_client_metadata` or `invalid_redirect_uri` where a change is refused, `invalid_client` where there is no such client.
   * @throws ConfigurationError for a client of the option `clients`.
   */
  update(
    clientId: string,
    changes: ChangedMetadata | (ChangedMetadata & LocalizedMetadata),
  ): Promise<RegisteredClient>

  /**
   * Gives a client a new secret. The old one ends at once, or counts beside it for `overlap` seconds, at most 90 days, so that nobody has to
   * change both at the same moment. Two count at most: a secret that is older still ends with this.
   *
   * @throws OAuthError `invalid_client_metadata` for a client without a secret, `invalid_client` where there is no such client.
   * @throws ConfigurationError for a client of the option `clients`, and for an `overlap` that is no whole number of seconds.
   */
  rotateSecret(clientId: string, options?: { readonly overlap?: number }): Promise<RotatedSecret>

  /**
   * Deletes a client, and ends every grant made to it. False where there is none.
   *
   * @throws ConfigurationError for a client of the option `clients`.
   */
  delete(clientId: string): Promise<boolean>
}
