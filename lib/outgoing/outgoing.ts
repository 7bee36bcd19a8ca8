/** What came back from a URL that somebody else named. */
export interface FetchedJson {
  readonly body: unknown
  /** Whether it came from the cache, so that a newer one may exist. */
  readonly cached: boolean
}

/** Requests to addresses that clients name. None goes to a private address, follows a redirect, or is waited for long. */
export interface Outgoing {
  /**
   * A JSON document, kept for as long as its HTTP headers allow. `fresh` asks again, though not more often than every few seconds.
   *
   * @throws OutgoingError where there is no usable answer; nothing of that is kept.
   */
  fetchJson(url: string, options?: { readonly fresh?: boolean }): Promise<FetchedJson>
  /** Posts a form, and resolves with the status of the answer. @throws OutgoingError where there is none. */
  postForm(url: string, form: Readonly<Record<string, string>>): Promise<number>
}

/** Why an outgoing request had no usable answer. `message` is ours and may be shown to whoever registered the URL. */
export class OutgoingError extends Error {
  override readonly name = 'OutgoingError'
}
