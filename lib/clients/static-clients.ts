import { ConfigurationError, OAuthError } from '../errors.js'
import type { SigningAlg } from '../keys/signing-keys.js'
import type { StaticClient } from '../options.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { identifier } from './client-id.js'
import { refuseUnknownFields, toClient } from './metadata.js'
import { refuseForeignResources, refuseMisspeltDetailsTypes, refuseMisspeltScopes } from './misspelt-names.js'
import type { ClientRules } from './openid-metadata.js'
import { staticSecrets } from './secret-form.js'

type ClientSettings = Pick<
  Settings,
  'clients' | 'scopes' | 'authorizationDetails' | 'resources' | 'origin' | Exclude<keyof ClientRules, 'algs'>
>

/**
 * The clients of the option `clients`, by id. Their secrets stay in memory, as digests where that is enough. What they say is the host's
 * own word, so a `sector_identifier_uri` is not asked.
 */
export function staticClients(
  settings: ClientSettings,
  now: number,
  algs: readonly SigningAlg[],
): ReadonlyMap<string, Client> {
  const byId = new Map<string, Client>()
  for (const [index, metadata] of settings.clients.entries()) {
    const client = attributed(`clients[${index}]`, () => staticClient(metadata, settings, now, algs))
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
  given: StaticClient,
  settings: ClientSettings,
  now: number,
  algs: readonly SigningAlg[],
): Client {
  refuseUnknownFields(given)
  const { client_secret: _, ...metadata } = given
  const id = identifier(metadata.client_id)
  const identity = { id, ...staticSecrets(given), createdAt: now, revision: 1 }
  const client = toClient(metadata, identity, { ...settings, algs })
  refuseMisspeltScopes(client, settings)
  refuseMisspeltDetailsTypes(client, settings)
  refuseForeignResources(client, settings)
  return client
}

/** What is refused in the metadata is a mistake in the options. */
function attributed(option: string, make: () => Client): Client {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    const field = error.reason.replace(/^metadata_/, '')
    const at = field === 'metadata' ? option : `${option}.${field}`
    throw new ConfigurationError(at, 'is refused', error.message, error)
  }
}
