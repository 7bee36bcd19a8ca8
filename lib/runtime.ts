import type { Emit } from './events.js'
import type { Keys, PublicKeys, Sealer } from './keys/keys.js'
import type { Outgoing } from './outgoing/outgoing.js'
import type { Settings } from './settings.js'
import type { Client } from './store/records.js'
import type { Store } from './store/store.js'

/** What is handed down to whoever answers a request. */
export interface Runtime {
  readonly settings: Settings
  readonly store: Store
  /** The clients of the option `clients`, by id. All others are in the store. */
  readonly clients: ReadonlyMap<string, Client>
  readonly keys: Keys
  /** What others sign with. */
  readonly publicKeys: PublicKeys
  /** Undefined where the option `secret` is not given. */
  readonly sealer: Sealer | undefined
  readonly outgoing: Outgoing
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly emit: Emit
}
