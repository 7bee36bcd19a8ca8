import type { Emit } from './events.js'
import type { Keys, PublicKeys, Sealer } from './keys/keys.js'
import type { Outgoing } from './outgoing/outgoing.js'
import type { Settings } from './settings.js'
import type { Client } from './store/records.js'
import type { CheckedStore } from './store/store.js'

/** Clients whose id is the URL of their metadata. */
export interface ClientDocuments {
  /** Whether the host lets in what has this id. Its answer is asked for each time, and nothing else is. */
  lets(client: Pick<Client, 'id'>): Promise<boolean>
  /**
   * The client as its document says now, as fresh as HTTP has it. `kept`: as it is in the store, with what the host has said of it. `address`:
   * of whoever asks, since strangers are counted.
   *
   * @throws DocumentRefusal that says what is wrong with the id or the document.
   */
  current(id: string, kept: Client | undefined, address: string): Promise<Client>
  /** Keeps a client that a user has allowed something, or what its document says now. */
  keep(client: Client): Promise<void>
  /** Looks in the background, not too often, whether the document of a kept client says something else. */
  look(client: Client): void
  /** A kept client as its document says now, where that is something else and can be had. */
  renewed(client: Client): Promise<Client | undefined>
}

/** What is handed down to whoever answers a request. */
export interface Runtime {
  readonly settings: Settings
  readonly store: CheckedStore
  /** The clients of the option `clients`, by id. All others are in the store. */
  readonly clients: ReadonlyMap<string, Client>
  readonly keys: Keys
  /** What others sign with. */
  readonly publicKeys: PublicKeys
  /** Undefined where the option `secret` is not given. */
  readonly sealer: Sealer | undefined
  readonly outgoing: Outgoing
  /** Undefined where no id is a URL of a document. */
  readonly documents: ClientDocuments | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly emit: Emit
  /** The network address of whoever is answered, where the option `keepAddresses` allows to keep it. */
  readonly address?: string
}

/** The same for answering one request, so that what happens in it is told with the address that it came from. */
export function heardFrom(runtime: Runtime, address: string): Runtime {
  return { ...runtime, address, emit: (name, event) => runtime.emit(name, event, address) }
}
