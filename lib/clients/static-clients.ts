import { ConfigurationError, OAuthError } from '../errors.js'
import type { SigningAlg } from '../keys/signing-keys.js'
import type { ClientMetadata } from '../options.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { identifier, refuseUnknownFields, toClient } from './metadata.js'
import { refuseMisspeltScopes } from './misspelt-scopes.js'
import { staticSecret } from './secret-form.js'

type ClientSettings = Pick<Settings, 'clients' | 'scopes' | 'pairwiseSalt' | 'allowPrivateAddresses'>

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
  metadata: ClientMetadata,
  settings: ClientSettings,
  now: number,
  algs: readonly SigningAlg[],
): Client {
  refuseUnknownFields(metadata)
  const id = identifier(metadata.client_id)
  const identity = { id, secret: staticSecret(metadata), createdAt: now, revision: 1 }
  const { pairwiseSalt, allowPrivateAddresses } = settings
  const client = toClient(metadata, identity, { pairwiseSalt, allowPrivateAddresses, algs })
  refuseMisspeltScopes(client, settings)
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
