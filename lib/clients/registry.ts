import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { ConfigurationError, OAuthError } from '../errors.js'
import type { ProviderEvents } from '../events.js'
import { optional } from '../optional.js'
import type { ClientMetadata } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { aNumber, anId, anObject, refuseUnknown } from '../validation.js'
import { type ClientChange, changeClient } from './change.js'
import { identifier, refuseIdOfUser } from './client-id.js'
import type { Clients, RegisteredClient, RotatedSecret } from './clients.js'
import { invalid } from './fields.js'
import { limitAfter } from './host-limit.js'
import { isJudgedAlike, type Judgement, judged } from './judgement.js'
import { replaced, secretsOf, withoutExpired } from './live-secrets.js'
import { identityOf, refuseUnknownFields, toClient, toMetadata } from './metadata.js'
import { refuseForeignResources, refuseMisspeltDetailsTypes, refuseMisspeltScopes } from './misspelt-names.js'
import { type ClientRules, clientRules } from './openid-metadata.js'
import {
  keptIdentity,
  listRegistered,
  refuseWhatDocumentSays,
  toRegistered,
  withoutReplacedKeys,
} from './registered.js'
import { keptSecrets, newSecret, replacementSecret, sealedAnew } from './secret-form.js'
import { confirmSector, sectorEntries } from './sector.js'

/** Seconds. Two secrets are for changing one, not for good. */
export const LONGEST_OVERLAP = 90 * 86_400

/** What looking after clients takes. */
export type ClientTools = Pick<
  Runtime,
  'settings' | 'store' | 'clients' | 'sealer' | 'outgoing' | 'now' | 'emit'
> & { readonly keys: Pick<Runtime['keys'], 'algs'> }

type ChangedBy = ProviderEvents['client.changed'][0]['by']

/** The clients of the option `clients` and those in the store. */
export class ClientRegistry implements Clients {
  readonly #runtime: ClientTools
  readonly #by: ChangedBy
  readonly #userId: string | undefined
  readonly #finds: (client: Client) => boolean

  /** `by`: on whose behalf clients are changed, as it is told; `userId` where that is a user. `finds`: which clients of the store there are for them. */
  constructor(
    runtime: ClientTools,
    by: ChangedBy = 'host',
    userId?: string,
    finds: (client: Client) => boolean = () => true,
  ) {
    this.#runtime = runtime
    this.#by = by
    this.#userId = userId
    this.#finds = finds
  }

  async create(metadata: ClientMetadata): Promise<RegisteredClient> {
    refuseUnknownFields(metadata)
    const id = identifier(metadata.client_id ?? randomBytes(16).toString('base64url'))
    const { clients, settings, sealer, outgoing, store, now } = this.#runtime
    if (clients.has(id)) throw taken()
    if (metadata.client_id !== undefined) await refuseIdOfUser(id, settings)
    const created = await newSecret(metadata, sealer)
    const identity = {
      ...{ id, ...optional('secret', created?.stored), createdAt: now(), revision: 1 },
      ...(this.#by === 'user' && { source: 'user' as const }),
    }
    const client = toClient(metadata, identity, this.#rules())
    refuseMisspeltScopes(client, settings)
    refuseMisspeltDetailsTypes(client, settings)
    refuseForeignResources(client, settings)
    await confirmSector(client, outgoing)
    if (!(await store.saveClient(client))) throw taken()
    this.#tell(id, 'created')
    return { ...toRegistered(client), ...(created && { client_secret: created.secret }) }
  }

  async get(clientId: string): Promise<RegisteredClient | undefined> {
    const client = await this.#find(clientId)
    return client && toRegistered(client, this.#runtime.clients.has(clientId))
  }

  async list(filter: { readonly ownerId?: string | number } = {}): Promise<RegisteredClient[]> {
    const option = 'clients.list(filter)'
    refuseUnknown(`${option}.`, anObject(option, filter), ['ownerId'])
    const { clients, store } = this.#runtime
    // One that is there but undefined, of a user who is not signed in, must not list everybody's.
    if (!('ownerId' in filter)) return listRegistered([...clients.values()], await store.listClients())
    const ownerId = anId(`${option}.ownerId`, filter.ownerId)
    return listRegistered([], await store.listClients({ ownerId }))
  }

  async update(clientId: string, changes: Parameters<Clients['update']>[1]): Promise<RegisteredClient> {
    refuseUnknownFields(changes)
    if ('client_id' in changes) throw invalid('client_id', 'cannot be changed', 'Leave it out.')
    if ('client_secret' in changes) throw invalid('client_secret', 'is changed by rotateSecret', 'Call that.')
    // Whoever reads a member that is undefined finds what there is where it is left out.
    return this.amend(clientId, () => changes as ClientMetadata)
  }

  /** The same where the changes depend on what there is. Nothing is written or told where nothing differs. */
  async amend(clientId: string, changesOf: (stored: Client) => ClientMetadata): Promise<RegisteredClient> {
    const { before, after } = await this.#change(clientId, async (stored) => {
      const updated = await this.#updated(stored, changesOf(stored))
      return isDeepStrictEqual(updated, stored) ? stored : updated
    })
    if (after !== before) this.#tell(clientId, 'updated')
    return toRegistered(after)
  }

  async rotateSecret(clientId: string, options: { readonly overlap?: number } = {}): Promise<RotatedSecret> {
    const option = 'clients.rotateSecret(clientId, options)'
    const { overlap = 0 } = anObject(option, options)
    refuseUnknown(`${option}.`, options, ['overlap'])
    aNumber(`${option}.overlap`, overlap, { least: 0, most: LONGEST_OVERLAP })
    const { sealer, now } = this.#runtime
    let client_secret = ''
    const { after } = await this.#change(clientId, async (client) => {
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
    const endsAt = after.previousSecret && Math.floor(after.previousSecret.expiresAt / 1000)
    return {
      client_id: clientId,
      client_secret,
      ...optional('previous_client_secret_expires_at', endsAt),
    }
  }

  /**
   * What an administrator has come to think of a client. Nothing else of it is looked at again, and it no longer goes away by itself. `seen`: the
   * revision that was looked at; where the client is another by now, nothing happens, and the answer is false.
   */
  async judge(clientId: string, judgement: Judgement, seen?: number): Promise<boolean> {
    let isSeen = true
    const { before, after } = await this.#change(clientId, async (client) => {
      isSeen = seen === undefined || seen === client.revision
      return isSeen ? judged(client, judgement) : client
    })
    if (!isJudgedAlike(before, after)) this.#tell(clientId, judgement)
    return isSeen
  }

  async delete(clientId: string): Promise<boolean> {
    const { clients, store } = this.#runtime
    if (clients.has(clientId)) throw isStatic(clientId)
    const client = await store.findClient(clientId)
    // One that is damaged is nobody's but the host's, and can be deleted all the same.
    const isThere =
      client === undefined ? store.isUnreadable(clientId) && this.#userId === undefined : this.#finds(client)
    if (!isThere) return false
    const deleted = await store.deleteClient(clientId)
    if (deleted) this.#tell(clientId, 'deleted')
    return deleted
  }

  async #find(clientId: string): Promise<Client | undefined> {
    return this.#runtime.clients.get(clientId) ?? (await this.#runtime.store.findClient(clientId))
  }

  async #stored(clientId: string): Promise<Client> {
    if (this.#runtime.clients.has(clientId)) throw isStatic(clientId)
    const client = await this.#runtime.store.findClient(clientId)
    if (client !== undefined && this.#finds(client)) return client
    throw new OAuthError('invalid_client', 'There is no client with this client_id.', {
      reason: 'client_unknown',
    })
  }

  #change(clientId: string, change: (stored: Client) => Promise<Client>): Promise<ClientChange> {
    const { store, now } = this.#runtime
    return changeClient(store, async () => withoutExpired(await this.#stored(clientId), now()), change)
  }

  async #updated(stored: Client, changes: ClientMetadata): Promise<Client> {
    const { settings, sealer, outgoing } = this.#runtime
    refuseWhatDocumentSays(stored, changes)
    const metadata = { ...withoutReplacedKeys(toMetadata(stored), changes), ...changes }
    const changed = (...names: (keyof ClientMetadata)[]) => names.some((name) => name in changes)
    const secrets = changed('token_endpoint_auth_method', 'token_endpoint_auth_signing_alg')
      ? await keptSecrets(stored, metadata, sealer)
      : secretsOf(stored)
    const kept = keptIdentity(identityOf(stored), Object.keys(changes))
    const { hostLimit: _, ...free } = kept
    const byHost = this.#by === 'host'
    // The host is not held to what it said before.
    const identity = byHost ? free : kept
    const client = toClient(metadata, { ...identity, ...secrets }, this.#rules())
    if (stored.confidential && !client.confidential)
      throw invalid(
        'token_endpoint_auth_method',
        'would make a client public that can prove who it is',
        'Register the public client by itself.',
      )
    if (changed('scope')) refuseMisspeltScopes(client, settings)
    if (changed('authorization_details_types')) refuseMisspeltDetailsTypes(client, settings)
    if (changed('resources')) refuseForeignResources(client, settings)
    const isListedOtherwise = String(sectorEntries(client)) !== String(sectorEntries(stored))
    if (isListedOtherwise || changed('redirect_uris', 'sector_identifier_uri'))
      await confirmSector(client, outgoing)
    return byHost ? { ...client, ...optional('hostLimit', limitAfter(stored, client, changes)) } : client
  }

  #rules(): ClientRules {
    return clientRules(this.#runtime)
  }

  #tell(clientId: string, change: ProviderEvents['client.changed'][0]['change']): void {
    const by = { by: this.#by, ...optional('userId', this.#userId) }
    this.#runtime.emit('client.changed', { clientId, change, ...by })
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
