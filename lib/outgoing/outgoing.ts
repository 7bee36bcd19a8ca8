/** What came back from a URL that somebody else named. */
export interface FetchedJson {
  readonly body: unknown
  /** Whether it came from the cache, so that a newer one may exist. */
  readonly cached: boolean
}

/** How a document is asked for. */
export interface Question {
  /** Whether to pass over a copy that is still good. */
  readonly fresh?: boolean
  /** Whether somebody has named the URL for whom nobody answers. However often they make us ask, and however many such hosts never answer, the others are asked. */
  readonly stranger?: boolean
}

/** How a client metadata document is fetched. */
export interface DocumentQuestion extends Question {
  /** The longest document, in bytes. */
  readonly sizeLimit: number
  /** Asked before a question is really sent; false where too many were. */
  readonly admit: () => boolean
  /** Rejects with whatever is wrong with a document that has come from its site; then it is not kept. */
  readonly check: (body: unknown) => Promise<void>
}

/** Requests to addresses that clients name. None goes to a private address, follows a redirect, or is waited for long. */
export interface Outgoing {
  /**
   * A JSON document, kept for as long as its HTTP headers allow. `fresh` asks again, though not more often than every few seconds.
   *
   * @throws OutgoingError where there is no usable answer; nothing of that is kept.
   */
  fetchJson(url: string, question?: Question): Promise<FetchedJson>
  /**
   * A client metadata document: over https and with a media type of JSON only, checked before it is kept, and kept apart from what
   * `fetchJson` keeps. `fresh` as there.
   *
   * @throws OutgoingError where there is no usable answer, and whatever `check` rejects with; nothing of that is kept.
   */
  fetchDocument(url: string, question: DocumentQuestion): Promise<FetchedJson>
  /** Posts a form, and resolves with the status of the answer. @throws OutgoingError where there is none. */
  postForm(
    url: string,
    form: Readonly<Record<string, string>>,
    question?: Pick<Question, 'stranger'>,
  ): Promise<number>
}

/** Why an outgoing request had no usable answer. `message` is ours and may be shown to whoever registered the URL. */
export class OutgoingError extends Error {
  override readonly name = 'OutgoingError'
}
