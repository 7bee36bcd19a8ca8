import type { IncomingMessage } from 'node:http'
import { flawOfJson } from '../json-text.js'
import { OutgoingError } from './outgoing.js'

/** What is taken for a document: of so many bytes at most, and whether its media type has to be one of JSON. */
export interface Form {
  readonly size: number
  readonly declared: boolean
}

/** A document, and how much room it takes. */
export interface Received {
  readonly body: unknown
  /** In bytes, about. Small values take far more of memory than of the text. */
  readonly weight: number
}

/** Bytes that an object, a list or an entry of one takes, beside its text. */
const VALUE = 64

/**
 * The JSON document in an answer. Servers send JWK Sets under many media types, so what is JSON is taken as such, but where it must be
 * `declared`; HTML is a login or error page that came in its place.
 *
 * @throws OutgoingError where the answer is anything else than a whole JSON document of `size` bytes or less.
 */
export async function receiveJson(response: IncomingMessage, { size, declared }: Form): Promise<Received> {
  const { statusCode, headers } = response
  if (statusCode !== 200)
    throw new OutgoingError(
      `The URL answered with status ${statusCode} instead of 200. Redirects are not followed.`,
    )
  // Nothing is unpacked, so that a small answer cannot become a large one.
  if (!/^(?:identity)?$/i.test(headers['content-encoding'] ?? ''))
    throw new OutgoingError('The URL answered with a compressed document although none was asked for.')
  if (declared && !/^\s*application\/(?:[\w.!#$&^-]+\+)?json\s*(?:;|$)/i.test(headers['content-type'] ?? ''))
    throw new OutgoingError(
      'The URL answered with another media type than application/json, or one that ends in +json.',
    )
  if (/^\s*(?:text\/html|application\/xhtml)/i.test(headers['content-type'] ?? ''))
    throw new OutgoingError('The URL answered with an HTML page instead of a JSON document.')
  return parse(await read(response, size))
}

async function read(response: IncomingMessage, size: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > size) throw new OutgoingError(`The URL answered with more than ${size} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function parse(bytes: Buffer): Received {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    const body: unknown = JSON.parse(text)
    const values = text.split(/[[{,]/).length
    if (flawOfJson(text) === undefined) return { body, weight: bytes.length + values * VALUE }
  } catch {
    // The parser's own message quotes the document.
    throw new OutgoingError('The URL answered with something else than a JSON document in UTF-8.')
  }
  throw new OutgoingError('The URL answered with JSON that names a member twice, or nests too deeply.')
}
