import { CheckedClients } from './checked-clients.js'
import { CheckedGrants } from './checked-grants.js'
import { METHODS } from './open.js'
import type { CheckedStore, Store } from './store.js'

/**
 * Stands before a store, and lets nobody meet a client or a grant that is damaged: nobody is to be answered with a failure for ever, and nobody to
 * get what they would not get if it were whole. `tell`: of each that is met, once.
 */
export function checkedStore(store: Store, tell: (error: Error) => void): CheckedStore {
  const clients = new CheckedClients(store, tell)
  const grants = new CheckedGrants(store, tell)
  const methods = METHODS.map((name) => [name, (store[name] as () => unknown).bind(store)])
  return {
    ...(Object.fromEntries(methods) as unknown as Store),
    findClient: (id) => clients.find(id),
    isUnreadable: (id) => clients.isUnreadable(id),
    listClients: (filter = {}) => clients.list(filter),
    findGrant: (userId, clientId) => grants.find(userId, clientId),
    listGrants: (filter) => grants.list(filter),
    saveGrant: (grant) => grants.save(grant),
    revokeGrant: (id, userId) => grants.revoke(id, userId),
    withdrawScopes: (filter, scopes, limit) => grants.withdraw(filter, scopes, limit),
    consume(id, consumption, successors) {
      const { grant } = consumption
      if (grant === undefined) return store.consume(id, consumption, successors)
      return grants
        .inPlaceOf(grant)
        .then((saved) => store.consume(id, { ...consumption, grant: saved }, successors))
    },
  }
}
