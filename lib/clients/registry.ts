import { randomBytes } from 'node:crypto'
import { ConfigurationError, OAuthError } from '../errors.js'
import type { ClientMetadata } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { suggestion } from '../suggestion.js'
import type { Clients, RegisteredClient } from './clients.js'
import { chosenSecret, identifier, refuseUnknownFields, toClient, toMetadata } from './metadata.js'
import { digestSecret, generateSecret, hashChosenSecret } from './secret.js'

/** The clients of the option `clients` and those in the store. */
export class ClientRegistry implements Clients {
  readonly #runtime: Runtime

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  async create(metadata: ClientMetadata): Promise<RegisteredClient> {
    refuseUnknownFields(metadata)
    const id = identifier(metadata.client_id ?? randomBytes(16).toString('base64url'))
    if (this.#runtime.clients.has(id)) throw taken()
    const { secret, stored } = await newSecret(metadata)
    const client = toClient(metadata, { id, secret: stored, createdAt: this.#runtime.now(), revision: 1 })
    refuseMisspeltScopes(client, this.#runtime.settings)
    if (!(await this.#runtime.store.saveClient(client))) throw taken()
    this.#tell(id, 'created')
    return { ...toMetadata(client), ...(secret !== undefined && { client_secret: secret }) }
  }

  async get(clientId: string): Promise<RegisteredClient | undefined> {
    const client = await this.#find(clientId)
    return client && toMetadata(client)
  }

  async list(): Promise<RegisteredClient[]> {
    return [...this.#runtime.clients.values(), ...(await this.#runtime.store.listClients())].map(toMetadata)
  }

  async update(
    clientId: string,
    changes: Omit<ClientMetadata, 'client_id' | 'client_secret'>,
  ): Promise<RegisteredClient> {
    refuseUnknownFields(changes)
    for (const name of ['client_id', 'client_secret'] as const) {
      if (!(name in changes)) continue
      throw new OAuthError(
        'invalid_client_metadata',
        name === 'client_id' ? 'client_id cannot be changed.' : 'client_secret is changed by rotateSecret.',
        {
          reason: `metadata_${name}`,
        },
      )
    }
    const updated = await this.#change(clientId, (stored) => {
      const changed = toClient({ ...toMetadata(stored), ...changes }, { ...stored, secret: stored.secret })
      if ('scope' in changes) refuseMisspeltScopes(changed, this.#runtime.settings)
      return changed
    })
    this.#tell(clientId, 'updated')
    return toMetadata(updated)
  }

  async rotateSecret(clientId: string): Promise<{ client_id: string; client_secret: string }> {
    const { secret, stored: digest } = generateSecret()
    await this.#change(clientId, (stored) => {
      if (stored.secret !== undefined) return { ...stored, secret: digest }
      throw new OAuthError('invalid_client_metadata', 'This client is public: it has no secret.', {
        reason: 'metadata_client_secret',
      })
    })
    this.#tell(clientId, 'secret_rotated')
    return { client_id: clientId, client_secret: secret }
  }

  async delete(clientId: string): Promise<boolean> {
    if (this.#runtime.clients.has(clientId)) throw isStatic(clientId)
    const deleted = await this.#runtime.store.deleteClient(clientId)
    if (deleted) this.#tell(clientId, 'deleted')
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

  /** Applies a change to the client as it is now; where somebody else was faster, to what they made of it. */
  async #change(clientId: string, change: (stored: Client) => Client): Promise<Client> {
    for (;;) {
      const stored = await this.#stored(clientId)
      const changed = { ...change(stored), revision: stored.revision + 1 }
      if (await this.#runtime.store.saveClient(changed)) return changed
    }
  }

  #tell(clientId: string, change: 'created' | 'updated' | 'secret_rotated' | 'deleted'): void {
    this.#runtime.emit('client.changed', { clientId, change })
  }
}

/** What OpenID Connect Core §5.4 and §11 name: clients have these in their metadata wherever they go. */
const OPENID_SCOPES = ['openid', 'profile', 'email', 'address', 'phone', 'offline_access']

/** Scopes that nobody offers do no harm; one that is nearly the name of another is a mistake that nobody would see. */
function refuseMisspeltScopes({ scopes = [] }: Client, { scopes: offered }: Pick<Settings, 'scopes'>): void {
  for (const name of scopes) {
    if (offered.has(name) || OPENID_SCOPES.includes(name)) continue
    const meant = suggestion(name, [...offered.keys()])
    if (meant === undefined) continue
    throw new OAuthError(
      'invalid_client_metadata',
      `scope names the unknown scope '${name}'. Did you mean '${meant}'?`,
      { reason: 'metadata_scope' },
    )
  }
}

function taken(): OAuthError {
  return new OAuthError('invalid_client_metadata', 'client_id is taken. Choose another, or leave it out.', {
    reason: 'metadata_client_id',
  })
}

async function newSecret(metadata: ClientMetadata) {
  const chosen = chosenSecret(metadata)
  if (chosen !== undefined) return { secret: chosen, stored: await hashChosenSecret(chosen) }
  if (metadata.token_endpoint_auth_method !== 'none') return generateSecret()
  return { secret: undefined, stored: undefined }
}

/** The clients of the option `clients`, by id. Their secrets stay in memory, as digests. */
export function staticClients(
  settings: Pick<Settings, 'clients' | 'scopes'>,
  now: number,
): ReadonlyMap<string, Client> {
  const byId = new Map<string, Client>()
  for (const [index, metadata] of settings.clients.entries()) {
    const client = staticClient(`clients[${index}]`, metadata, settings, now)
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

function staticClient(
  option: string,
  metadata: ClientMetadata,
  settings: Pick<Settings, 'scopes'>,
  now: number,
): Client {
  try {
    refuseUnknownFields(metadata)
    const id = identifier(metadata.client_id)
    const secret = chosenSecret(metadata)
    const client = toClient(metadata, {
      id,
      secret: secret === undefined ? secret : digestSecret(secret),
      createdAt: now,
      revision: 1,
    })
    refuseMisspeltScopes(client, settings)
    return client
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
