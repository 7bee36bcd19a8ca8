import { hash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { OAuthError } from '../errors.js'
import { GRANT_TYPES, goesUnasked } from '../grant-types.js'
import type { ClientMetadata } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { changeClient } from './change.js'
import type { RegisteredClient, RotatedSecret } from './clients.js'
import { refuseGrowth } from './growth.js'
import { withdrawn } from './lasting.js'
import { toMetadata } from './metadata.js'
import { ClientRegistry } from './registry.js'

/** Applications of one user. Whoever needs more talks to the host, who has no such limit. */
const MOST_APPLICATIONS = 100

/** What an application is: a site with a server that keeps a secret; one that cannot keep any, in a browser or on a device of its user; a device without a browser. */
export type ApplicationKind = 'web' | 'public' | 'device'

/** What a user says of an application. There is nothing else that they can say. */
export interface ApplicationFields {
  readonly client_name: string
  readonly redirect_uris: readonly string[]
  /** Separated by spaces. */
  readonly scope: string
  readonly client_uri: string | undefined
  readonly policy_uri: string | undefined
  readonly tos_uri: string | undefined
}

const { authorizationCode, refreshToken, deviceCode } = GRANT_TYPES

/** What follows from the kind. No grant type is among it by which a client gets anything of which no user has been asked. */
const KINDS: Readonly<Record<ApplicationKind, ClientMetadata>> = {
  web: { grant_types: [authorizationCode.name, refreshToken.name], application_type: 'web' },
  public: {
    grant_types: [authorizationCode.name, refreshToken.name],
    token_endpoint_auth_method: 'none',
  },
  device: { grant_types: [deviceCode.name, refreshToken.name], token_endpoint_auth_method: 'none' },
}

/** Those that there can be here. */
export function applicationKinds({ features }: Pick<Settings, 'features'>): readonly ApplicationKind[] {
  return features.deviceAuthorization ? ['web', 'public', 'device'] : ['web', 'public']
}

export function kindOf({ confidential, grantTypes }: Client): ApplicationKind {
  if (confidential) return 'web'
  return grantTypes.includes(authorizationCode.name) ? 'public' : 'device'
}

/** The applications that one user has made, for that user to manage: nothing of anybody else's can be found here, and nothing changed but what a user may say. */
export class OwnClients {
  readonly #runtime: Runtime
  readonly #userId: string

  constructor(runtime: Runtime, userId: string) {
    this.#runtime = runtime
    this.#userId = userId
  }

  /** Oldest first. */
  async list(): Promise<readonly Client[]> {
    const clients = await this.#runtime.store.listClients({ ownerId: this.#userId })
    return clients.filter((client) => this.#owns(client))
  }

  async find(id: string): Promise<Client | undefined> {
    const client = this.#runtime.clients.has(id) ? undefined : await this.#runtime.store.findClient(id)
    return client && this.#owns(client) ? client : undefined
  }

  /** The id that comes of a form which this user has been shown: sent twice, it makes one application. */
  idFor(form: string): string {
    return hash('sha256', JSON.stringify([this.#userId, form]), 'base64url').slice(0, 22)
  }

  /** @throws OAuthError where registration refuses what `fieldProblems` has not found, where there are too many, and where there is one with this id. */
  async register(id: string, kind: ApplicationKind, fields: ApplicationFields): Promise<RegisteredClient> {
    const own = { client_id: id, owner_id: this.#userId }
    if ((await this.#count()) >= MOST_APPLICATIONS) throw tooMany()
    const created = await this.#registry().create({ ...metadataOf(fields), ...KINDS[kind], ...own })
    // Any number at once have found room before the first of them was there. Whoever is too many sees it now, the last of them at the latest.
    if ((await this.#count()) <= MOST_APPLICATIONS) return created
    await this.#registry().delete(id)
    throw tooMany()
  }

  /**
   * What the host has looked at is another thing from then on.
   *
   * @throws OAuthError where a field is refused, and `client_unknown` where it is gone or blocked.
   */
  async change(id: string, fields: ApplicationFields): Promise<void> {
    await this.#registry(isFree).amend(id, (stored) => {
      const differing = differences(stored, fields, this.#runtime.settings)
      if (differing.scope !== undefined) refuseMoreThanAllowed(stored, differing.scope)
      return Object.keys(differing).length === 0 ? {} : { ...differing, verified: false }
    })
  }

  /** `revision`: of the application as the user saw it, so that a form that is sent twice changes its secret once. Overlap in seconds. */
  rotateSecret(id: string, revision: number, overlap: number): Promise<RotatedSecret> {
    const isAsSeen = (client: Client) => client.revision === revision && isFree(client)
    return this.#registry(isAsSeen).rotateSecret(id, { overlap })
  }

  /** False where it is gone already, or blocked, be it at this moment: it would be made anew, with the same id if its owner likes, and be blocked no longer. */
  async delete(id: string): Promise<boolean> {
    const { store, now } = this.#runtime
    const find = async () => {
      const client = await this.find(id)
      return client && isFree(client) ? client : undefined
    }
    const change = await changeClient(store, find, (client) => withdrawn(client, now()))
    return change !== undefined && new ClientRegistry(this.#runtime, 'user', this.#userId).delete(id)
  }

  #registry(finds: (client: Client) => boolean = () => true): ClientRegistry {
    return new ClientRegistry(
      this.#runtime,
      'user',
      this.#userId,
      (client) => this.#owns(client) && finds(client),
    )
  }

  /** A client that asks nobody is the host's own, whoever looks after it: who could change its redirect URIs would be let into every account. */
  #owns({ ownerId, skipConsent }: Client): boolean {
    return ownerId === this.#userId && !skipConsent
  }

  async #count(): Promise<number> {
    const filter = { ownerId: this.#userId, limit: MOST_APPLICATIONS + 1 }
    return (await this.#runtime.store.listClients(filter)).length
  }
}

/** What the host has blocked stays as it is until the host says otherwise. */
function isFree({ disabled }: Client): boolean {
  return !disabled
}

/** What the form of an application says otherwise than the application. */
function differences(
  stored: Client,
  fields: ApplicationFields,
  { scopes: known }: Pick<Settings, 'scopes'>,
): ReturnType<typeof metadataOf> {
  const sorted = (scopes: Iterable<string>) => [...scopes].sort().join(' ')
  // As they are ticked in the form.
  const before = { ...toMetadata(stored), scope: sorted(stored.scopes ?? known.keys()) }
  const now = { ...fields, scope: sorted(fields.scope.split(' ')) }
  return Object.fromEntries(
    Object.entries(metadataOf(fields)).filter(([field]) => {
      const name = field as keyof ApplicationFields
      return !isDeepStrictEqual(before[name], now[name])
    }),
  )
}

/** Where no user is asked, and where the host has set a limit, it is the host who gives more. */
function refuseMoreThanAllowed(stored: Client, scope: string): void {
  const { grantTypes, scopes, hostLimit } = stored
  const isUnasked = grantTypes.some(goesUnasked)
  if (!isUnasked && hostLimit?.scopes === undefined) return
  const most = isUnasked ? scopes : hostLimit?.scopes
  const problem = isUnasked ? 'would give more, with no user asked' : 'is more than this application may have'
  refuseGrowth('scope', most, scope.split(' '), problem, 'Ask those who run this site for more.')
}

/** In an update, what is undefined takes the place of what was there. */
function metadataOf(fields: ApplicationFields): Omit<ClientMetadata, 'client_id' | 'client_secret'> {
  return fields as ReturnType<typeof metadataOf>
}

function tooMany(): OAuthError {
  const text = { key: 'applications.too_many', values: { most: String(MOST_APPLICATIONS) } }
  return new OAuthError('invalid_request', text, { reason: 'too_many_applications' })
}
