import type { IncomingMessage } from 'node:http'
import { OAuthError } from '../errors.js'
import { flawOfJson } from '../json-text.js'
import { Parameters } from '../parameters.js'

const FORM = 'application/x-www-form-urlencoded'
/** The longest form that is read, in bytes. */
const LONGEST = 64 * 1024
/** Up to here one that is longer is read all the same, and thrown away, in bytes. */
const MOST_READ = 4 * 1024 * 1024

/**
 * The form in the body of a request. Where a body parser of the host has read it, what that parser made of it is used; otherwise
 * it is read here. Parameters in the query are never looked at (RFC 6749 §2.3.1, §4.1.3).
 */
export async function readForm(req: IncomingMessage): Promise<Parameters> {
  if (!isForm(req)) {
    throw refusal('content_type')
  }
  const body = await bodyOf(req)
  if ('text' in body) return Parameters.parse(body.text)
  if (typeof body.parsed === 'object' && body.parsed !== null) return Parameters.fromParsed(body.parsed)
  throw refusal('body_consumed')
}

export function isForm(req: IncomingMessage): boolean {
  return req.headers['content-type'] === FORM || mediaType(req) === FORM
}

/**
 * The JSON in the body of a request; where a body parser of the host has read it, what that parser made of it.
 *
 * @throws OAuthError where it is none. It may still be anything: an array, a text.
 */
export async function readJson(req: IncomingMessage): Promise<unknown> {
  if (!/^application\/(?:[\w.-]+\+)?json$/i.test(mediaType(req)))
    throw new OAuthError('invalid_request', 'Send JSON in the body, as application/json.', {
      reason: 'content_type',
    })
  const body = await bodyOf(req)
  return 'text' in body ? parsedJson(body.text) : body.parsed
}

/** RFC 8259 §4: of two members with one name, another reader may see the other one. */
function parsedJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    if (flawOfJson(text) === undefined) return value
  } catch {
    throw notJson()
  }
  throw notJson()
}

function notJson(): OAuthError {
  return new OAuthError(
    'invalid_request',
    'The body is not JSON in which each member comes once and nothing is nested deeply.',
    { reason: 'not_json' },
  )
}

/**
 * The body as it came; or, where a body parser of the host has read it, what that parser made of it.
 *
 * @throws OAuthError where the host has read it and kept nothing.
 */
async function bodyOf(
  req: IncomingMessage,
): Promise<{ readonly text: string } | { readonly parsed: unknown }> {
  const { body } = req as { body?: unknown }
  if (!req.readableDidRead) {
    // A parser that met an empty body has come to its end without reading.
    const text = req.readableEnded ? '' : await readText(req)
    if (text !== '' || body === undefined) return { text }
  }
  if (typeof body === 'string') return { text: body }
  if (Buffer.isBuffer(body)) return { text: body.toString() }
  if (body === undefined) throw refusal('body_consumed')
  return { parsed: body }
}

function mediaType({ headers }: IncomingMessage): string {
  return headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

/**
 * What is too long is refused when all of it has come: a connection that is closed while the client still sends may take the answer
 * with it (RFC 9112 §9.6). Only where it has no end is it closed at once.
 */
function readText(req: IncomingMessage): Promise<string> {
  if (Number(req.headers['content-length'] ?? 0) > MOST_READ) return Promise.reject(endless())
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    req.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length <= LONGEST) chunks.push(chunk)
      else if (length > MOST_READ) {
        req.pause()
        reject(endless())
      }
    })
    req.on('end', () => {
      if (length > LONGEST) reject(tooLarge())
      else resolve(Buffer.concat(chunks).toString())
    })
    req.on('error', () => reject(refusal('body_aborted')))
  })
}

function endless(): OAuthError {
  return tooLarge({ Connection: 'close' })
}

function tooLarge(headers: Readonly<Record<string, string>> = {}): OAuthError {
  const text = { key: 'error.body_too_large.message', values: { most: String(LONGEST) } }
  return new OAuthError('invalid_request', text, { reason: 'body_too_large', status: 413, headers })
}

function refusal(reason: 'content_type' | 'body_consumed' | 'body_aborted'): OAuthError {
  return new OAuthError('invalid_request', { key: `error.${reason}.message` }, { reason })
}
