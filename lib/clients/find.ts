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
