import type { Client } from './records.js'
import { isClient, isObject } from './shapes.js'
import type { ClientFilter, Store } from './store.js'

/** The clients of a store. A damaged one counts as unknown, and its id as taken. */
export class CheckedClients {
  readonly #store: Store
  readonly #tell: (error: Error) => void
  readonly #unreadable = new Set<string>()

  constructor(store: Store, tell: (error: Error) => void) {
    this.#store = store
    this.#tell = tell
  }

  isUnreadable(id: string): boolean {
    return this.#unreadable.has(id)
  }

  async find(id: string): Promise<Client | undefined> {
    return this.#readable(id, await this.#store.findClient(id))
  }

  /** As many as are asked for, as long as there are so many that can be read: a shorter list would say that it is the end. */
  async list(filter: ClientFilter): Promise<readonly Client[]> {
    const { limit } = filter
    if (limit === undefined) return this.#whole(await this.#store.listClients(filter))
    for (let more = 0; ; ) {
      const found = await this.#store.listClients({ ...filter, limit: limit + more })
      const clients = this.#whole(found)
      if (clients.length >= limit || found.length < limit + more) return clients.slice(0, limit)
      more = found.length - clients.length
    }
  }

  #whole(clients: readonly Client[]): readonly Client[] {
    return clients.filter((client: unknown) => {
      if (isClient(client)) return true
      const id = isObject(client) ? client.id : undefined
      this.#report(typeof id === 'string' ? id : '')
      return false
    })
  }

  #readable(id: string, client: unknown): Client | undefined {
    if (client === undefined || (isClient(client) && client.id === id)) {
      if (this.#unreadable.size > 0) this.#unreadable.delete(id)
      return client
    }
    this.#report(id)
    return undefined
  }

  #report(id: string): void {
    if (this.#unreadable.has(id)) return
    this.#unreadable.add(id)
    const which = id === '' ? 'A client' : `The client '${id}'`
    this.#tell(
      new Error(
        `${which} in the store is damaged, and counts as unknown. Restore its row from a backup; or delete it, with oauth.clients.delete or the command clients remove, and create it anew.`,
      ),
    )
  }
}
