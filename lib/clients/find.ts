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

/**
 * The client that a token was issued to. Unknown also where another one has been made since with the same id: nothing comes back with it.
 * Those of the option `clients` are made at each start, and are the same ones still. `clientSince`: `createdAt` of the one that got it,
 * which unlike two times can be compared across processes whose clocks differ.
 */
export async function findHolder(
  runtime: Pick<Runtime, 'clients' | 'store'>,
  { clientId, clientSince }: { readonly clientId: string; readonly clientSince?: number },
): Promise<Client | undefined> {
  const client = await findClient(runtime, clientId)
  const isSame =
    clientSince === undefined || runtime.clients.has(clientId) || client?.createdAt === clientSince
  return isSame ? client : undefined
}

/** A presented client_id as it may stand in an event: strangers choose it, and no real one is longer or has invisible characters. */
export function reportable(clientId: string): string {
  return clientId.slice(0, 255).replace(/\p{C}/gu, '?')
}
