import type { Emit, ProviderEvents } from './events.js'
import { isScopeToken } from './scopes.js'
import type { Grant } from './store/records.js'
import type { Store, WithdrawalFilter } from './store/store.js'
import { anArray, anId, anObject, refuseUnknown, wrong } from './validation.js'

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

  /**
   * Ends all grants made to a client, whoever made them. Answers how many there were. The client stays, and can ask again.
   *
   * @throws ConfigurationError where `clientId` is no id.
   */
  revokeClient(clientId: string): Promise<number>

  /**
   * Takes scopes out of grants: one, by its id, or all that a filter finds; `{}` finds every grant. Every token that hangs on one of them, and every
   * code, is without these scopes at once, until the user allows them again. A grant of which no scope is left ends altogether. Answers how many
   * grants had one of them. A scope that is no longer among the option `scopes` can be withdrawn too, so no name is refused as unknown: 0 says that
   * no grant had it.
   *
   * @throws ConfigurationError for a member of the filter that is unknown, or there and no id, and for what is no list of scopes, or an empty one.
   */
  withdraw(
    grants: string | { readonly userId?: string | number; readonly clientId?: string },
    scopes: readonly string[],
  ): Promise<number>
}

/** Grants that are changed in one step of the store. */
const WITHDRAWN_AT_ONCE = 500

type By = ProviderEvents['scopes.withdrawn'][0]['by']

/** Takes scopes out of grants, and ends those of which none is left. Answers how many had one of them; each is told. */
export async function withdrawScopes(
  { store, emit }: { readonly store: Store; readonly emit: Emit },
  filter: WithdrawalFilter,
  scopes: readonly string[],
  by: By,
): Promise<number> {
  let total = 0
  let last: Grant | undefined
  for (let changed = WITHDRAWN_AT_ONCE; changed >= WITHDRAWN_AT_ONCE; total += changed) {
    const page = last === undefined ? filter : { ...filter, after: last.id }
    const grants = await store.withdrawScopes(page, scopes, WITHDRAWN_AT_ONCE)
    for (const { id: grantId, userId, clientId, access, withdrawn = [] } of grants) {
      const gone = scopes.filter((scope) => withdrawn.includes(scope))
      if (gone.length > 0) emit('scopes.withdrawn', { userId, clientId, grantId, scopes: gone, by })
      if (Object.keys(access).length === 0) emit('grant.revoked', { userId, clientId, grantId, by })
    }
    changed = grants.length
    last = grants.at(-1)
  }
  return total
}

/** The grants in a store. What is revoked is told. */
export function grantRegistry(store: Store, emit: Emit): Grants {
  return {
    async list(filter = {}) {
      return store.listGrants(aFilter('grants.list(filter)', filter))
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
    async revokeClient(clientId) {
      const id = anId('grants.revokeClient(clientId)', clientId)
      const revoked = await store.revokeClient(id)
      if (revoked > 0) emit('grant.revoked', { clientId: id, by: 'host' })
      return revoked
    },
    async withdraw(grants, scopes) {
      const option = 'grants.withdraw(grants, scopes)'
      const filter = typeof grants === 'object' ? aFilter(option, grants) : { id: anId(option, grants) }
      return withdrawScopes({ store, emit }, filter, someScopes(option, scopes), 'host')
    },
  }
}

/** A filter that is there but undefined, of a user who is not signed in, must not find everybody's. */
function aFilter(option: string, filter: object): { userId?: string; clientId?: string } {
  refuseUnknown(`${option}.`, anObject(option, filter), ['userId', 'clientId'])
  const named = Object.entries(filter).map(([name, id]) => [name, anId(`${option}.${name}`, id)])
  return Object.fromEntries(named)
}

function someScopes(option: string, scopes: readonly string[]): readonly string[] {
  // Array.from fills holes, which every() would pass over.
  const names: readonly unknown[] = Array.from(anArray(`${option}: scopes`, scopes))
  if (names.length > 0 && names.every((name) => typeof name === 'string' && isScopeToken(name))) return scopes
  throw wrong(`${option}: scopes`, scopes, "Name them: ['photos'].")
}
