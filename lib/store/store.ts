import type { Awaitable } from '../awaitable.js'
import type {
  AuditEntry,
  Client,
  ClientSession,
  FoundRecord,
  Grant,
  StoredKeys,
  StoredRecord,
} from './records.js'

/** Which clients are listed; all that it names have to hold. */
export interface ClientFilter {
  readonly ownerId?: string
  readonly fingerprint?: string
  /** What the name or the id contains, whatever its case (ASCII). */
  readonly matching?: string
  /** Turns the order round. */
  readonly newestFirst?: boolean
  /** Those that come after this one in the order of the list. */
  readonly after?: Position
  /** Default: all. */
  readonly limit?: number
}

/** Where a page of a list ends: its last client or grant. */
export interface Position {
  /** Milliseconds. */
  readonly createdAt: number
  readonly id: string
}

/** Which grants; all that it names have to hold. */
export interface GrantFilter {
  readonly userId?: string
  readonly clientId?: string
  /** Those that come after this one in the order of the list. */
  readonly after?: Position
  /** Default: all. */
  readonly limit?: number
}

/** From which grants scopes are withdrawn; all that it names have to hold. */
export interface WithdrawalFilter {
  readonly id?: string
  readonly userId?: string
  readonly clientId?: string
  /** Those whose id is greater than this one. */
  readonly after?: string
}

/** Which entries of the audit log; all that it names have to hold. */
export interface AuditFilter {
  readonly event?: string
  readonly clientId?: string
  readonly userId?: string
  /** From this time on, in milliseconds. */
  readonly since?: number
  /** Before this time, in milliseconds. */
  readonly until?: number
  /** Those that are older than the entry with this id. */
  readonly before?: string
  readonly limit: number
}

export interface Consumption {
  /** Milliseconds. */
  readonly now: number
  /** Kept on the consumed record, see `FoundRecord.trace`. */
  readonly trace?: string
  /** Saved by the winner in the same step, as `saveGrant` does; successors that name its id hang on the grant that it has become. */
  readonly grant?: Grant
}

export interface Consumed {
  /** True for the one caller who consumed it. */
  readonly won: boolean
  /** For everybody else: the record as they met it. Undefined where there is none. */
  readonly record?: FoundRecord | undefined
  /** For the winner who brought a grant: what it has become. */
  readonly grant?: Grant
}

/**
 * Where clients, grants and records are kept. Each method is one whole operation: it has happened completely, and durably, once
 * it has answered, or it has not happened at all. Many processes may use one store at once.
 *
 * What a store of your own throws is answered with 503 and `Retry-After`; the error itself goes to the event `server.error` only.
 * `express-oauth-provider/store-contract` is the suite that a store must pass.
 */
export interface Store {
  findClient(id: string): Awaitable<Client | undefined>
  /**
   * Adds a client of revision 1; replaces the whole of the one with its id by a later revision. False, and nothing changed, where the id
   * is taken or the one that is there is not the revision before: somebody else was faster.
   */
  saveClient(client: Client): Awaitable<boolean>
  /** Deletes it, every grant made to it and every session at it. False where there is none. */
  deleteClient(id: string): Awaitable<boolean>
  /** Oldest first; of one millisecond, by id. With `newestFirst` the other way round. */
  listClients(filter?: ClientFilter): Awaitable<readonly Client[]>

  findGrant(userId: string, clientId: string): Awaitable<Grant | undefined>
  /**
   * Adds `grant`, or, where this user and client have one already, adds its access and its claims to that one (`mergeGrants`). Of
   * more than a hundred resources the oldest are forgotten: what was allowed there stands under the empty name (`Grant.access`) from then on.
   * Answers what holds now; its `id` and times are those of the grant that was there first.
   */
  saveGrant(grant: Grant): Awaitable<Grant>
  /** Notes that a grant has been used, and from which address; where that is left out, the one that was noted before is forgotten. Nothing happens where there is none. */
  touchGrant(id: string, now: number, address?: string): Awaitable<void>
  /** Newest first; of one millisecond, by id. Without a filter: all. */
  listGrants(filter: GrantFilter): Awaitable<readonly Grant[]>
  /**
   * Deletes a grant, and so ends every record that hangs on it. Answers what it was; undefined where there is none. With `userId`, only
   * where it is that user's.
   */
  revokeGrant(id: string, userId?: string): Awaitable<Grant | undefined>
  /** Deletes every grant of a user. Answers how many there were. */
  revokeUser(userId: string): Awaitable<number>
  /** Deletes every grant made to a client. Answers how many there were. */
  revokeClient(clientId: string): Awaitable<number>
  /**
   * Takes scopes out of up to `limit` grants that have one of them at any resource, and notes them there as withdrawn, so that no record that
   * hangs on one of these grants has them any more, until `saveGrant` brings them back; what it adds under the empty name brings none back. A
   * grant that is left without any scope is deleted in the same step, as by `revokeGrant`. Answers the grants that it has changed by their ids,
   * the least first, as it left them: those whose `access` is empty are gone.
   */
  withdrawScopes(
    filter: WithdrawalFilter,
    scopes: readonly string[],
    limit: number,
  ): Awaitable<readonly Grant[]>

  /** Inserts all or nothing. False, and nothing inserted, where one of the ids exists, whatever has become of the record that has it. */
  insert(records: readonly StoredRecord[]): Awaitable<boolean>
  /** A record, used and dead ones included, until it is purged. */
  find(id: string): Awaitable<FoundRecord | undefined>
  /**
   * Marks a record as used and inserts what replaces it, in one atomic step, if it is alive and was not used before. Of any number
   * of callers, in any number of processes, one wins; for the others nothing changes. No other record ends with it, whatever they have in
   * common. Throws, and changes nothing, where a successor's id exists.
   */
  consume(id: string, consumption: Consumption, successors: readonly StoredRecord[]): Awaitable<Consumed>
  /** Replaces the data of a record that has not been used and whose data is still `known`. False, and nothing changed, otherwise. */
  amend(id: string, known: string, data: string): Awaitable<boolean>
  /** Ends every record of a family, those included that are inserted later: by an `insert` or a `consume` that is under way. `until`: when its last record will have expired, in milliseconds; of several the latest holds. */
  revokeFamily(familyId: string, until: number): Awaitable<void>

  /** The signing keys; undefined where there are none yet. */
  findKeys(): Awaitable<StoredKeys | undefined>
  /** Adds them with revision 1, or replaces the whole of them by a later revision. False, and nothing changed, where somebody else was faster. */
  saveKeys(keys: StoredKeys): Awaitable<boolean>

  /** Notes a session, or, where this login session and client have one already, its new expiry. It may be forgotten once that is past. */
  saveSession(session: ClientSession): Awaitable<void>
  /** Whether this client has a session with this login session: one that was noted and has not been ended. */
  hasSession(session: string, clientId: string): Awaitable<boolean>
  /** Deletes the sessions of one login session, or all of a user's, and answers what they were; to one caller each. */
  endSessions(
    filter: { readonly session: string } | { readonly userId: string },
  ): Awaitable<readonly ClientSession[]>

  /** Adds to the audit log, and deletes some of what is older than `before` (milliseconds): twice as many as it adds, and at least some hundred where it adds none. */
  appendAudit(entries: readonly AuditEntry[], before: number): Awaitable<void>
  /** Newest first. */
  listAudit(filter: AuditFilter): Awaitable<readonly AuditEntry[]>

  /**
   * Deletes up to `limit` records that expired before `now` (milliseconds), as many sessions, and as many clients whose `expiresAt` is past, each
   * as `deleteClient` does. Answers how many records. Every write may do some of it too.
   */
  purge(now: number, limit: number): Awaitable<number>
  /** Finishes what was begun and lets go of everything that the store itself opened. */
  close(): Awaitable<void>
}

/** A store whose clients and grants have been looked at: what is damaged counts as if it were not there. */
export interface CheckedStore extends Store {
  /** Whether this client was undefined because its row is damaged, when it was last asked for. Its id is taken, and what it was not allowed is not known. */
  isUnreadable(clientId: string): boolean
}
