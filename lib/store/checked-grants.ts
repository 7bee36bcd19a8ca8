import { setImmediate } from 'node:timers/promises'
import { mergeGrants, NOWHERE } from './merge-grants.js'
import type { Grant } from './records.js'
import { areTexts, isGrant, isTime } from './shapes.js'
import type { GrantFilter, Position, Store, WithdrawalFilter } from './store.js'

/** Grants that are read at once. */
const PAGE = 500

/** The grants of a store. A damaged one is no consent to anything. */
export class CheckedGrants {
  readonly #store: Store
  readonly #tell: (error: Error) => void
  readonly #told = new Set<string>()

  constructor(store: Store, tell: (error: Error) => void) {
    this.#store = store
    this.#tell = tell
  }

  async find(userId: string, clientId: string): Promise<Grant | undefined> {
    const grant = await this.#store.findGrant(userId, clientId)
    return grant !== undefined && this.#isWhole(grant) ? grant : undefined
  }

  /** Damaged ones among them, without what they allow: users have to see that they are there, and can end them. */
  async list(filter: GrantFilter): Promise<readonly Grant[]> {
    return (await this.#store.listGrants(filter)).map((grant) => this.#shown(grant))
  }

  async revoke(id: string, userId?: string): Promise<Grant | undefined> {
    const grant = await this.#store.revokeGrant(id, userId)
    return grant && this.#shown(grant)
  }

  async save(grant: Grant): Promise<Grant> {
    const known = await this.#damaged(grant)
    if (known === undefined) return this.#store.saveGrant(grant)
    // Only a user brings back what that user has withdrawn, and what it was cannot be read.
    const isVouchedFor = Object.keys(grant.access).every((resource) => resource === NOWHERE)
    if (isVouchedFor && !areTexts(known.withdrawn ?? []))
      return { ...bare(known), withdrawn: Object.values(grant.access).flat() }
    return this.#store.saveGrant(await this.#replacing(known, grant))
  }

  /** What to save for this grant: where a damaged one is in its place, that one has been ended, with all that hangs on it. */
  async inPlaceOf(grant: Grant): Promise<Grant> {
    const known = await this.#damaged(grant)
    return known === undefined ? grant : this.#replacing(known, grant)
  }

  /** From all that a filter finds: which scopes a damaged grant allows nobody knows, so it is ended, and answered before the others. */
  async withdraw(
    filter: WithdrawalFilter,
    scopes: readonly string[],
    limit: number,
  ): Promise<readonly Grant[]> {
    const withdraw = async () => this.#store.withdrawScopes(filter, scopes, limit)
    if (filter.after !== undefined) return withdraw()
    if (filter.id === undefined) return [...(await this.#endDamaged(filter)), ...(await withdraw())]
    try {
      return await withdraw()
    } catch (error) {
      const ended = await this.#endDamaged(filter)
      if (ended.length === 0) throw error
      return [...ended, ...(await withdraw())]
    }
  }

  /** What it has ended. Between two pages it is everybody else's turn. */
  async #endDamaged({ id, userId, clientId }: WithdrawalFilter): Promise<readonly Grant[]> {
    const filter = { ...(userId !== undefined && { userId }), ...(clientId !== undefined && { clientId }) }
    const ended: Grant[] = []
    for (let after: Position | undefined; ; await setImmediate()) {
      const grants = await this.#store.listGrants({ ...filter, limit: PAGE, ...(after && { after }) })
      for (const grant of grants) {
        if ((id !== undefined && grant.id !== id) || this.#isWhole(grant)) continue
        await this.#store.revokeGrant(grant.id)
        ended.push(bare(grant))
      }
      if (grants.length < PAGE) return ended
      after = grants.at(-1)
    }
  }

  async #damaged({ userId, clientId }: Grant): Promise<Grant | undefined> {
    const known = await this.#store.findGrant(userId, clientId)
    return known === undefined || this.#isWhole(known) ? undefined : known
  }

  async #replacing(known: Grant, grant: Grant): Promise<Grant> {
    await this.#store.revokeGrant(known.id)
    const { withdrawn } = known
    if (!areTexts(withdrawn)) return grant
    const { id, createdAt } = grant
    return { ...mergeGrants({ ...bare(known), withdrawn }, grant), id, createdAt }
  }

  #shown(grant: Grant): Grant {
    return this.#isWhole(grant) ? grant : bare(grant)
  }

  #isWhole(grant: Grant): boolean {
    if (isGrant(grant)) return true
    const { id, userId, clientId } = grant
    if (this.#told.has(id)) return false
    this.#told.add(id)
    this.#tell(
      new Error(
        `The grant '${id}' in the store is damaged, and counts as no consent of the user '${userId}' to the client '${clientId}'. Restore its row from a backup, or end it with oauth.grants.revoke. What the user allows from now on takes its place.`,
      ),
    )
    return false
  }
}

/** All that its columns say. */
function bare({ id, userId, clientId, createdAt }: Grant): Grant {
  return { id, userId, clientId, access: {}, createdAt: isTime(createdAt) ? createdAt : 0 }
}
