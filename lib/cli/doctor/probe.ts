import { Interrupted } from '../failure.js'
import type { Io } from '../io.js'

/** Milliseconds that one answer may take. */
const LONGEST_WAIT = 10_000
/** Bytes of an answer that are read. */
const LONGEST_ANSWER = 1_000_000

export interface Answer {
  readonly url: string
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** What the text says as JSON; undefined where it says nothing. */
  readonly json: Readonly<Record<string, unknown>> | undefined
}

/** There is no answer, and why. */
export interface Silence {
  readonly url: string
  readonly failure: 'refused' | 'timeout' | 'certificate' | 'name' | 'plain' | 'other'
  readonly message: string
}

/** Sends requests as a client would: no redirect is followed, nothing is kept. */
export class Probe {
  readonly #io: Pick<Io, 'signal'>
  readonly #longestWait: number

  constructor(io: Pick<Io, 'signal'>, longestWait = LONGEST_WAIT) {
    this.#io = io
    this.#longestWait = longestWait
  }

  async send(url: string, init: RequestInit = {}): Promise<Answer | Silence> {
    const { signal } = this.#io
    if (signal.aborted) throw new Interrupted()
    const timeout = AbortSignal.timeout(this.#longestWait)
    try {
      const response = await fetch(url, {
        ...init,
        redirect: 'manual',
        signal: AbortSignal.any([signal, timeout]),
      })
      const text = await readText(response)
      return { url, status: response.status, headers: response.headers, text, json: asObject(text) }
    } catch (failure) {
      if (signal.aborted) throw new Interrupted()
      return silence(url, failure, timeout.aborted ? this.#longestWait : undefined)
    }
  }

  get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer | Silence> {
    return this.send(url, { headers })
  }

  /** Posts a form. */
  post(
    url: string,
    form: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer | Silence> {
    return this.send(url, { method: 'POST', body: new URLSearchParams(form), headers })
  }

  /** Posts JSON. */
  postJson(url: string, body: object): Promise<Answer | Silence> {
    const headers = { 'Content-Type': 'application/json' }
    return this.send(url, { method: 'POST', body: JSON.stringify(body), headers })
  }
}

export function isSilence(answer: Answer | Silence): answer is Silence {
  return 'failure' in answer
}

/** Whether it is metadata of some issuer (RFC 8414 §3.2). */
export function isDocument(answer: Answer | Silence): answer is Answer {
  return !isSilence(answer) && answer.status === 200 && typeof answer.json?.issuer === 'string'
}

/** The beginning of an answer that may have no end. */
async function readText({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  // Leaving the loop lets go of the rest.
  for await (const chunk of body ?? []) {
    chunks.push(chunk)
    length += chunk.length
    if (length >= LONGEST_ANSWER) break
  }
  return new TextDecoder().decode(Buffer.concat(chunks).subarray(0, LONGEST_ANSWER))
}

function asObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** @param waited milliseconds, where there was no answer for so long. */
function silence(url: string, failure: unknown, waited: number | undefined): Silence {
  const cause = (failure as { cause?: unknown }).cause ?? failure
  const { code = '', message = '' } = cause as { code?: string; message?: string }
  if (waited !== undefined)
    return { url, failure: 'timeout', message: `no answer within ${waited / 1000} seconds` }
  if (code === 'ECONNREFUSED') return { url, failure: 'refused', message: 'nobody listens there' }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return { url, failure: 'name', message: 'the name of the host is not known' }
  if (/^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/.test(code))
    return { url, failure: 'plain', message: 'this port speaks http, not https' }
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code))
    return { url, failure: 'certificate', message: message || code }
  return { url, failure: 'other', message: message || code || 'the connection failed' }
}
