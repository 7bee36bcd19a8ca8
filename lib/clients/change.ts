import type { Awaitable } from '../awaitable.js'
import type { Client } from '../store/records.js'
import type { Store } from '../store/store.js'

/** What a client was and has become; the same where nothing was to change. */
export interface ClientChange {
  readonly before: Client
  readonly after: Client
}

/**
 * Applies a change to a client as it is now; where somebody else was faster, to what they made of it. Undefined where `find` finds none. Nothing
 * is written where `change` gives back what it was given.
 */
export async function changeClient<Found extends Client | undefined>(
  store: Pick<Store, 'saveClient'>,
  find: () => Awaitable<Found>,
  change: (stored: Client) => Awaitable<Client>,
): Promise<ClientChange | Extract<Found, undefined>> {
  let missed: Client | undefined
  for (;;) {
    const before: Client | undefined = await find()
    if (before === undefined) return undefined as Extract<Found, undefined>
    // Somebody else who was faster would have left another one.
    if (before.revision === missed?.revision && before.createdAt === missed.createdAt)
      throw new Error(
        `The client '${before.id}' in the store is damaged: its revision is not that of its row.`,
      )
    const changed = await change(before)
    if (changed === before) return { before, after: before }
    const after = { ...changed, revision: before.revision + 1 }
    if (await store.saveClient(after)) return { before, after }
    missed = before
  }
}
