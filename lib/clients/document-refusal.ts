import { inEnglish } from '../built-in-texts.js'
import { LONGEST_SHOWN, type OAuthError } from '../errors.js'
import { OutgoingError } from '../outgoing/outgoing.js'

interface Refusal {
  /** Of its texts in the catalogue. */
  readonly key: string
  /** What is wrong and how to mend it: for who makes the application, so it is in English. */
  readonly problem?: string
  readonly reason: string
  readonly cause?: unknown
}

/** A client is refused for its id that is a URL, or for what lies there. Whoever answers says so: on a page, or in JSON. `message` is public. */
export class DocumentRefusal extends Error {
  override readonly name = 'DocumentRefusal'
  readonly clientId: string
  readonly key: string
  readonly problem: string | undefined
  readonly reason: string

  constructor(clientId: string, { key, problem, reason, cause }: Refusal) {
    const sentence = inEnglish({ key: `${key}.message` })
    super(problem === undefined ? sentence : `${sentence} ${problem}`, { cause })
    this.clientId = clientId
    this.key = key
    this.problem = problem
    this.reason = reason
  }

  /** Whether it is about the way to the document, and not about the document. */
  get mayPass(): boolean {
    return this.cause instanceof OutgoingError
  }
}

/** The id is a URL at which no document can be. */
export function unusableUrl(
  id: string,
  { problem, remedy }: { problem: string; remedy: string },
): DocumentRefusal {
  return new DocumentRefusal(id, {
    key: 'document.url',
    problem: `client_id ${problem}. ${remedy}`,
    reason: 'client_id_url',
  })
}

/** The option `clientMetadataDocuments` does not let it in. */
export function notAllowed(id: string): DocumentRefusal {
  return new DocumentRefusal(id, { key: 'document.not_allowed', reason: 'client_id_not_allowed' })
}

export function unavailable(id: string, cause: OutgoingError): DocumentRefusal {
  return new DocumentRefusal(id, {
    key: 'document.unavailable',
    problem: cause.message,
    reason: 'document_unavailable',
    cause,
  })
}

/** `cause`: what is wrong with the document, by member. */
export function unusableDocument(id: string, cause: OAuthError): DocumentRefusal {
  // A document may name members as it likes, and a reason is for statistics.
  const member = /^metadata_([a-z_]{1,60})$/.exec(cause.reason)?.[1] ?? 'member'
  const problem = cause.message.slice(0, LONGEST_SHOWN)
  return new DocumentRefusal(id, { key: 'document.unusable', problem, reason: `document_${member}`, cause })
}
