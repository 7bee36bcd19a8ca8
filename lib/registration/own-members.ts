import { hash, timingSafeEqual } from 'node:crypto'
import { invalid } from '../clients/fields.js'
import { liveSecrets } from '../clients/live-secrets.js'
import type { Runtime } from '../runtime.js'
import type { Client, ClientSecret } from '../store/records.js'

/** What this server says of a registration, and nobody else. */
const SERVER_OWNED = [
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
]

/** RFC 7592 §2.2: a client says which one it is, and nothing that is not its to say. */
export async function refuseForeignMembers(runtime: Runtime, client: Client, json: unknown): Promise<void> {
  const sent = json as Readonly<Record<string, unknown>>
  const owned = SERVER_OWNED.find((name) => Object.hasOwn(sent, name))
  if (owned !== undefined) throw invalid(owned, 'is for the server to say', 'Leave it out.')
  const { client_id, client_secret } = sent
  if (client_id !== client.id)
    throw invalid('client_id', 'is missing, or that of another client', 'Send yours.')
  if (client_secret === undefined || client_secret === null) return
  if (typeof client_secret === 'string' && (await isSecretOf(client, client_secret, runtime))) return
  throw invalid('client_secret', 'is not the one that this client has', 'Leave it out: it cannot be chosen.')
}

async function isSecretOf(client: Client, presented: string, { sealer, now }: Runtime): Promise<boolean> {
  const digest = Buffer.from(hash('sha256', presented))
  const isIt = async (secret: ClientSecret) => {
    if ('sha256' in secret) return timingSafeEqual(digest, Buffer.from(secret.sha256))
    if (!('sealed' in secret) || sealer === undefined) return false
    return timingSafeEqual(digest, Buffer.from(hash('sha256', await sealer.open(secret.sealed))))
  }
  return (await Promise.all(liveSecrets(client, now()).map(isIt))).includes(true)
}
