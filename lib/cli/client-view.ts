import { toMetadata } from '../clients/metadata.js'
import type { Client } from '../store/records.js'
import { Failure } from './failure.js'
import { isoTime } from './time.js'

/** A client for programs: its metadata, and what the store knows beside them. Nothing in it proves anybody. */
export function clientView(client: Client): Readonly<Record<string, unknown>> {
  return {
    ...toMetadata(client),
    source: client.source ?? 'host',
    created_at: isoTime(client.createdAt),
    ...(client.expiresAt !== undefined && { expires_at: isoTime(client.expiresAt) }),
    ...(client.previousSecret && {
      previous_client_secret_expires_at: isoTime(client.previousSecret.expiresAt),
    }),
  }
}

export function noSuchClient(id: string): Failure {
  return new Failure(
    'invalid_client',
    `There is no client '${id}' in this store. Clients of the option clients are in the code of your app: change them there. Those in the store: clients list`,
  )
}
