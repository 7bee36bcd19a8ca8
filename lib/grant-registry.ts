import type { Emit } from './events.js'
import type { Grant } from './store/records.js'
import type { Store } from './store/store.js'
import { anId, anObject, refuseUnknown } from './validation.js'

/**
 * The grants of a provider: what users allowed clients. Each method rejects with a `StoreUnavailableError` while the store cannot answer.
 */
export interface Grants {
  /**
   * Newest first. Default: all.
   *
   * @throws ConfigurationError for a member of `filter` that is unknown, or there and no id.
   */
  list(filter?: { readonly userId?: string | number; readonly clientId?: string }): Promise<readonly Grant[]>

  /**
   * Ends one grant and every token of it. False where there is none.
   *
   * @throws ConfigurationError where `grantId` is no id.
   */
  revoke(grantId: string): Promise<boolean>

  /**
   * Ends all grants of a user, when they change their password or delete their account. Answers how many there were.
   *
   * @throws ConfigurationError where `userId` is no id.
   */
  revokeUser(userId: string | number): Promise<number>
}

/** The grants in a store. What is revoked is told. */
export function grantRegistry(store: Store, emit: Emit): Grants {
  return {
    async list(filter = {}) {
      refuseUnknown('grants.list(filter).', anObject('grants.list(filter)', filter), ['userId', 'clientId'])
      // A filter that is there but undefined, of a user who is not signed in, must not list everybody's.
      const named = Object.entries(filter).map(([name, id]) => [
        name,
        anId(`grants.list(filter).${name}`, id),
      ])
      return store.listGrants(Object.fromEntries(named))
    },
    async revoke(grantId) {
      const grant = await store.revokeGrant(anId('grants.revoke(grantId)', grantId))
      if (grant === undefined) return false
      const { id, userId, clientId } = grant
      emit('grant.revoked', { userId, clientId, grantId: id, by: 'host' })
      return true
    },
    async revokeUser(userId) {
      const id = anId('grants.revokeUser(userId)', userId)
      const revoked = await store.revokeUser(id)
      if (revoked > 0) emit('grant.revoked', { userId: id, by: 'host' })
      return revoked
    },
  }
}
