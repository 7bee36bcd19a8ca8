import { randomBytes } from 'node:crypto'
import { ConfigurationError, OAuthError } from '../errors.js'
import { optional } from '../optional.js'
import type { ClientMetadata } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { aNumber, anObject, refuseUnknown } from '../validation.js'
import { identifier, refuseIdOfUser } from './client-id.js'
import type { Clients, RegisteredClient, RotatedSecret } from './clients.js'
import { invalid } from './fields.js'
import { replaced, secretsOf, withoutExpired } from './live-secrets.js'
import { refuseUnknownFields, toClient, toMetadata } from './metadata.js'
import { refuseMisspeltDetailsTypes, refuseMisspeltScopes } from './misspelt-names.js'
import type { ClientRules } from './openid-metadata.js'
import { keptSecrets, newSecret, replacementSecret, sealedAnew } from './secret-form.js'
import { confirmSector, sectorEntries } from './sector.js'

/** Seconds. Two secrets are for changing one, not for good. */
const LONGEST_OVERLAP = 90 * 86_400

/** The clients of the option `clients` and those in the store. */
export class ClientRegistry implements Clients {
  readonly #runtime: Runtime

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  async create(metadata: ClientMetadata): Promise<RegisteredClient> {
    refuseUnknownFields(metadata)
    const id = identifier(metadata.client_id ?? randomBytes(16).toString('base64url'))
    const { clients, settings, sealer, outgoing, store, now } = this.#runtime
    if (clients.has(id)) throw taken()
    if (metadata.client_id !== undefined) await refuseIdOfUser(id, settings)
    const created = await newSecret(metadata, sealer)
    const identity = { id, ...optional('secret', created?.stored), createdAt: now(), revision: 1 }
    const client = toClient(metadata, identity, this.#rules())
    refuseMisspeltScopes(client, settings)
    refuseMisspeltDetailsTypes(client, settings)
    await confirmSector(client, outgoing)
    if (!(await store.saveClient(client))) throw taken()
    this.#tell(id, 'created')
    return { ...toMetadata(client), ...(created && { client_secret: created.secret }) }
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
    if ('client_id' in changes) throw invalid('client_id', 'cannot be changed', 'Leave it out.')
    if ('client_secret' in changes) throw invalid('client_secret', 'is changed by rotateSecret', 'Call that.')
    const updated = await this.#change(clientId, (stored) => this.#updated(stored, changes))
    this.#tell(clientId, 'updated')
    return toMetadata(updated)
  }

  async rotateSecret(clientId: string, options: { readonly overlap?: number } = {}): Promise<RotatedSecret> {
    const option = 'clients.rotateSecret(clientId, options)'
    const { overlap = 0 } = anObject(option, options)
    refuseUnknown(`${option}.`, options, ['overlap'])
    aNumber(`${option}.overlap`, overlap, { least: 0, most: LONGEST_OVERLAP })
    const { sealer, now } = this.#runtime
    let client_secret = ''
    const { previousSecret } = await this.#change(clientId, async (client) => {
      if (client.secret === undefined) {
        const kind = client.confidential ? 'proves itself by its keys' : 'is public'
        throw new OAuthError('invalid_client_metadata', `This client ${kind}: it has no secret.`, {
          reason: 'metadata_client_secret',
        })
      }
      const { secret, stored } = await replacementSecret(client.secret, sealer)
      client_secret = secret
      const secrets = replaced(client, stored, overlap * 1000, now())
      const { secret: _, previousSecret: __, ...others } = client
      // Sealed together, they can be read as long as each other.
      return { ...others, ...((sealer && (await sealedAnew(secrets, sealer))) ?? secrets) }
    })
    this.#tell(clientId, 'secret_rotated')
    const endsAt = previousSecret && Math.floor(previousSecret.expiresAt / 1000)
    return {
      client_id: clientId,
      client_secret,
      ...optional('previous_client_secret_expires_at', endsAt),
    }
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
  async #change(clientId: string, change: (stored: Client) => Promise<Client>): Promise<Client> {
    for (;;) {
      const stored = withoutExpired(await this.#stored(clientId), this.#runtime.now())
      const changed = { ...(await change(stored)), revision: stored.revision + 1 }
      if (await this.#runtime.store.saveClient(changed)) return changed
    }
  }

  async #updated(stored: Client, changes: ClientMetadata): Promise<Client> {
    const { settings, sealer, outgoing } = this.#runtime
    const metadata = { ...withoutReplacedKeys(toMetadata(stored), changes), ...changes }
    const changed = (...names: (keyof ClientMetadata)[]) => names.some((name) => name in changes)
    const secrets = changed('token_endpoint_auth_method', 'token_endpoint_auth_signing_alg')
      ? await keptSecrets(stored, metadata, sealer)
      : secretsOf(stored)
    const { id, revision, createdAt } = stored
    const client = toClient(metadata, { id, revision, createdAt, ...secrets }, this.#rules())
    if (stored.confidential && !client.confidential)
      throw invalid(
        'token_endpoint_auth_method',
        'would make a client public that can prove who it is',
        'Register the public client by itself.',
      )
    if (changed('scope')) refuseMisspeltScopes(client, settings)
    if (changed('authorization_details_types')) refuseMisspeltDetailsTypes(client, settings)
    const isListedOtherwise = String(sectorEntries(client)) !== String(sectorEntries(stored))
    if (isListedOtherwise || changed('redirect_uris', 'sector_identifier_uri'))
      await confirmSector(client, outgoing)
    return client
  }

  #rules(): ClientRules {
    const { settings, keys } = this.#runtime
    return { ...settings, algs: keys.algs }
  }

  #tell(clientId: string, change: 'created' | 'updated' | 'secret_rotated' | 'deleted'): void {
    this.#runtime.emit('client.changed', { clientId, change })
  }
}

/** Keys are in one place, so naming one takes the place of the other. */
function withoutReplacedKeys(
  { jwks, jwks_uri, ...others }: ClientMetadata,
  changes: ClientMetadata,
): ClientMetadata {
  return {
    ...others,
    ...optional('jwks', changes.jwks_uri === undefined ? jwks : undefined),
    ...optional('jwks_uri', changes.jwks === undefined ? jwks_uri : undefined),
  }
}

function taken(): OAuthError {
  return new OAuthError('invalid_client_metadata', 'client_id is taken. Choose another, or leave it out.', {
    reason: 'metadata_client_id',
  })
}

function isStatic(clientId: string): ConfigurationError {
  return new ConfigurationError('clients', `names the client '${clientId}'`, 'Change it there.')
}
