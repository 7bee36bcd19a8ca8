import type { Awaitable } from '../awaitable.js'
import type { From } from '../network.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { looksLikeUrl } from './document-url.js'
import { isForgotten } from './lasting.js'

type Known = Pick<Runtime, 'clients' | 'store' | 'documents' | 'now'>

/** What counts of a client that has come by its document: what is kept of it; that, or where nothing is kept the document; the document as it is now. */
export type DocumentUse = 'kept' | 'kept_or_current' | 'current'

/**
 * The client with this id, from the option `clients` or from the store. A disabled one counts as unknown, and so does one that has come by its
 * document where the option for that does not let it in (any more), or by itself and got no token in time.
 */
export async function findClient(runtime: Known, id: string): Promise<Client | undefined> {
  return usable(runtime, await storedClient(runtime, id))
}

/**
 * The same for who asks a user for something: where the id is the URL of a document, that has to be valid now. What the host has registered
 * under a URL is its own word, whatever lies there. `from`: who sends the request.
 *
 * @throws DocumentRefusal that says what is wrong with the id or the document.
 */
export async function findRequestingClient(
  runtime: Known,
  id: string,
  from: From,
): Promise<Client | undefined> {
  return currentClient(runtime, id, await storedClient(runtime, id), from)
}

/**
 * The same for who is about to prove that it is this client. What is kept of a document never waits for its site, which is asked in the background.
 *
 * @throws DocumentRefusal where the document counts, and it or its URL is not right.
 */
export async function findAuthenticatingClient(
  runtime: Known,
  id: string,
  use: DocumentUse,
  from: From,
): Promise<Client | undefined> {
  const stored = await storedClient(runtime, id)
  if (use === 'current') return currentClient(runtime, id, stored, from)
  const kept = await usable(runtime, stored)
  if (kept?.source === 'document') runtime.documents?.look(kept)
  return kept === undefined && use !== 'kept' ? currentClient(runtime, id, stored, from) : kept
}

function storedClient(
  { clients, store }: Pick<Known, 'clients' | 'store'>,
  id: string,
): Awaitable<Client | undefined> {
  return clients.get(id) ?? store.findClient(id)
}

async function currentClient(
  runtime: Known,
  id: string,
  stored: Client | undefined,
  from: From,
): Promise<Client | undefined> {
  const isByDocument =
    stored === undefined
      ? // What the host has said of it, that it is blocked above all, would be forgotten.
        looksLikeUrl(id) && !runtime.store.isUnreadable(id)
      : stored.source === 'document'
  if (!isByDocument || stored?.disabled || runtime.documents === undefined) return usable(runtime, stored)
  return runtime.documents.current(id, stored, from.address)
}

function usable(
  { documents, now }: Pick<Known, 'documents' | 'now'>,
  client: Client | undefined,
): Awaitable<Client | undefined> {
  if (client === undefined || client.disabled || isForgotten(client, now())) return undefined
  if (client.source !== 'document') return client
  return documents?.lets(client).then((isLetIn) => (isLetIn ? client : undefined))
}

/**
 * The client that a token was issued to. Unknown also where another one has been made since with the same id: nothing comes back with it.
 * Those of the option `clients` are made at each start, and are the same ones still. `clientSince`: `createdAt` of the one that got it,
 * which unlike two times can be compared across processes whose clocks differ.
 */
export async function findHolder(
  runtime: Known,
  { clientId, clientSince }: { readonly clientId: string; readonly clientSince?: number | undefined },
): Promise<Client | undefined> {
  const client = await findClient(runtime, clientId)
  const isSame =
    clientSince === undefined || runtime.clients.has(clientId) || client?.createdAt === clientSince
  return isSame ? client : undefined
}

/**
 * A presented client_id as it may stand in an event: strangers choose it, and no real one is longer or has invisible characters. Of what is as long
 * as a token only the beginning: it may be one that somebody sent in the wrong place.
 */
export function reportable(clientId: string): string {
  const shown = clientId.slice(0, 255).replace(/\p{C}/gu, '?')
  return shown.replace(/[\w-]{43,}/g, (run) => `${run.slice(0, 16)}...`)
}
