import { SqliteStore } from '../../lib/store/sqlite.js'
import type { Store } from '../../lib/store/store.js'

/** What a driver would say, and nobody outside may read. */
export const INTERNALS =
  "connect ECONNREFUSED 10.9.8.7:5432 /var/lib/oauth.db 'SELECT hash FROM oauth_records'"

/** All that a store can do. */
export const OPERATIONS = Object.getOwnPropertyNames(SqliteStore.prototype).filter(
  (name) => name !== 'constructor',
) as (keyof Store)[]

/** How an operation fails: by throwing, by rejecting, or by rejecting although it has been performed. */
export type Manner = 'throws' | 'rejects' | 'answer lost'

/** A store between the provider and a real one, whose operations can be made to fail or to wait. */
export interface FaultyStore extends Store {
  fail(operation: keyof Store, manner: Manner): void
  /** Lets an operation wait. `reached` resolves when it has been called. */
  hold(operation: keyof Store): { readonly reached: Promise<void>; readonly release: () => void }
  heal(): void
}

export function faultyStore(store: Store, operations: readonly (keyof Store)[]): FaultyStore {
  const failing = new Map<keyof Store, Manner>()
  const held = new Map<keyof Store, { reach: () => void; released: Promise<void> }>()

  const wrap = (operation: keyof Store) => {
    const perform = store[operation].bind(store) as (...parameters: unknown[]) => unknown
    const rejected = async (parameters: unknown[], performed: boolean) => {
      if (performed) await perform(...parameters)
      throw new Error(INTERNALS)
    }
    return (...parameters: unknown[]): unknown => {
      const manner = failing.get(operation)
      if (manner === 'throws') throw new Error(INTERNALS)
      if (manner !== undefined) return rejected(parameters, manner === 'answer lost')
      const hold = held.get(operation)
      hold?.reach()
      return hold === undefined ? perform(...parameters) : hold.released.then(() => perform(...parameters))
    }
  }
  return {
    ...(Object.fromEntries(operations.map((name) => [name, wrap(name)])) as unknown as Store),
    fail: (operation, manner) => failing.set(operation, manner),
    hold(operation) {
      const reaching = withResolvers()
      const releasing = withResolvers()
      held.set(operation, { reach: reaching.resolve, released: releasing.promise })
      const release = () => {
        held.delete(operation)
        releasing.resolve()
      }
      return { reached: reaching.promise, release }
    },
    heal: () => failing.clear(),
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((given) => {
    resolve = given
  })
  return { promise, resolve }
}
