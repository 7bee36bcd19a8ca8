import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'

/** The client with this id, from the option `clients` or from the store. A disabled one counts as unknown. */
export async function findClient(
  { clients, store }: Pick<Runtime, 'clients' | 'store'>,
  id: string,
): Promise<Client | undefined> {
  const client = clients.get(id) ?? (await store.findClient(id))
  return client?.disabled ? undefined : client
}

/** A presented client_id as it may stand in an event: strangers choose it, and no real one is longer or has invisible characters. */
export function reportable(clientId: string): string {
  return clientId.slice(0, 255).replace(/\p{C}/gu, '?')
}
