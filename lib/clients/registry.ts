import { randomBytes } from 'node:crypto'
import { ConfigurationError, OAuthError } from '../errors.js'
import type { ClientMetadata } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { chosenSecret, identifier, refuseUnknownFields, toClient, toMetadata } from './metadata.js'
import { digestSecret, generateSecret, hashChosenSecret } from './secret.js'

/** Metadata of a registered client. */
export type RegisteredClient = ClientMetadata & { readonly client_id: string }

/** The clients of a provider, for the host to manage. What is refused throws `OAuthError` with `invalid_client_metadata` or `invalid_redirect_uri`. */
export class ClientRegistry {
  readonly #runtime: Runtime

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  /** Registers a client. `client_secret` is in the answer of this call and never again. */
  async create(metadata: ClientMetadata): Promise<RegisteredClient> {
    refuseUnknownFields(metadata)
    const id = identifier(metadata.client_id ?? randomBytes(16).toString('base64url'))
    if ((await this.#find(id)) !== undefined) {
      throw new OAuthError(
        'invalid_client_metadata',
        'client_id is taken. Choose another, or leave it out.',
        {
          reason: 'metadata_client_id',
        },
      )
    }
    const { secret, stored } = await newSecret(metadata)
    const client = toClient(metadata, { id, secret: stored, createdAt: this.#runtime.now() })
    await this.#save(client, 'created')
    return { ...toMetadata(client), ...(secret !== undefined && { client_secret: secret }) }
  }

  async get(clientId: string): Promise<RegisteredClient | undefined> {
    const client = await this.#find(clientId)
    return client && toMetadata(client)
  }

  /** Those of the option `clients` first. */
  async list(): Promise<RegisteredClient[]> {
    return [...this.#runtime.clients.values(), ...(await this.#runtime.store.listClients())].map(toMetadata)
  }

  /** Changes what is named and leaves the rest. Its id and secret stay as they are. */
  async update(
    clientId: string,
    changes: Omit<ClientMetadata, 'client_id' | 'client_secret'>,
  ): Promise<RegisteredClient> {
    refuseUnknownFields(changes)
    const { secret, createdAt, ...client } = await this.#stored(clientId)
    for (const name of ['client_id', 'client_secret'] as const) {
      if (!(name in changes)) continue
      throw new OAuthError('invalid_client_metadata', `${name} cannot be changed. See rotateSecret.`, {
        reason: `metadata_${name}`,
      })
    }
    const metadata = { ...toMetadata({ ...client, createdAt, ...(secret && { secret }) }), ...changes }
    const updated = toClient(metadata, { id: client.id, secret, createdAt })
    await this.#save(updated, 'updated')
    return toMetadata(updated)
  }

  /** Gives a client a new secret; the old one ends at once. */
  async rotateSecret(clientId: string): Promise<{ client_id: string; client_secret: string }> {
    const client = await this.#stored(clientId)
    if (client.secret === undefined) {
      throw new OAuthError('invalid_client_metadata', 'This client is public: it has no secret.', {
        reason: 'metadata_client_secret',
      })
    }
    const { secret, stored } = generateSecret()
    await this.#save({ ...client, secret: stored }, 'secret_rotated')
    return { client_id: client.id, client_secret: secret }
  }

  /** Deletes a client, and ends every grant made to it. False where there is none. */
  async delete(clientId: string): Promise<boolean> {
    if (this.#runtime.clients.has(clientId)) throw isStatic(clientId)
    const deleted = await this.#runtime.store.deleteClient(clientId)
    if (deleted) this.#runtime.emit('client.changed', { clientId, change: 'deleted' })
    return deleted
  }

  async #find(clientId: string): Promise<Client | undefined> {
    return this.#runtime.clients.get(clientId) ?? (await this.#runtime.store.findClient(clientId))
  }

  async #stored(clientId: string): Promise<Client> {
    if (this.#runtime.clients.has(clientId)) throw isStatic(clientId)
    const client = await this.#runtime.store.findClient(clientId)
    if (client !== undefined) return client
    throw new OAuthError('invalid_client', 'There is no client with this client_id.', {
      reason: 'client_unknown',
    })
  }

  async #save(client: Client, change: 'created' | 'updated' | 'secret_rotated'): Promise<void> {
    await this.#runtime.store.saveClient(client)
    this.#runtime.emit('client.changed', { clientId: client.id, change })
  }
}

async function newSecret(metadata: ClientMetadata) {
  const chosen = chosenSecret(metadata)
  if (chosen !== undefined) return { secret: chosen, stored: await hashChosenSecret(chosen) }
  if (metadata.token_endpoint_auth_method !== 'none') return generateSecret()
  return { secret: undefined, stored: undefined }
}

/** The clients of the option `clients`, by id. Their secrets stay in memory, as digests. */
export function staticClients(clients: readonly ClientMetadata[], now: number): ReadonlyMap<string, Client> {
  const byId = new Map<string, Client>()
  for (const [index, metadata] of clients.entries()) {
    const client = staticClient(`clients[${index}]`, metadata, now)
    if (byId.has(client.id)) {
      throw new ConfigurationError(
        `clients[${index}].client_id`,
        `repeats '${client.id}'`,
        'Give each client its own.',
      )
    }
    byId.set(client.id, client)
  }
  return byId
}

function staticClient(option: string, metadata: ClientMetadata, now: number): Client {
  try {
    refuseUnknownFields(metadata)
    const id = identifier(metadata.client_id)
    const secret = chosenSecret(metadata)
    return toClient(metadata, {
      id,
      secret: secret === undefined ? secret : digestSecret(secret),
      createdAt: now,
    })
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    const field = error.reason.replace(/^metadata_/, '')
    const at = field === 'metadata' ? option : `${option}.${field}`
    throw new ConfigurationError(at, 'is refused', error.message, error)
  }
}

function isStatic(clientId: string): ConfigurationError {
  return new ConfigurationError('clients', `names the client '${clientId}'`, 'Change it there.')
}
