import type { AuditEntry } from '../store/records.js'

/** Which entries `audit.list` answers; all that it names have to hold. */
export interface AuditQuery {
  /** The name of an event: `consent.approved`. */
  readonly event?: string | undefined
  readonly clientId?: string | undefined
  readonly userId?: string | number | undefined
  /** From this time on. */
  readonly since?: Date | undefined
  /** Before this time. */
  readonly until?: Date | undefined
  /** Only what is older than the entry with this id: the `id` of the last one of the page before. */
  readonly before?: string | undefined
  /** At most 1000. Default: 100. */
  readonly limit?: number | undefined
}

/** The audit log of a provider: who allowed what to whom and when, and what became of it. */
export interface Audit {
  /**
   * Newest first. What has just happened is in it.
   *
   * @throws ConfigurationError for a member of `query` that is unknown or cannot be, and where the option `audit` is `false`.
   * @throws StoreUnavailableError while the store cannot answer.
   */
  list(query?: AuditQuery): Promise<readonly AuditEntry[]>
}
