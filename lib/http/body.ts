import type { IncomingMessage } from 'node:http'
import { OAuthError } from '../errors.js'
import { Parameters } from '../parameters.js'

/** The longest form that is read, in bytes. */
const LONGEST = 64 * 1024

/**
 * The form in the body of a request. Where a body parser of the host has read it, what that parser made of it is used; otherwise
 * it is read here. Parameters in the query are never looked at (RFC 6749 §2.3.1, §4.1.3).
 */
export async function readForm(req: IncomingMessage): Promise<Parameters> {
  if (!isForm(req)) {
    throw new OAuthError(
      'invalid_request',
      'Send the parameters in the body as application/x-www-form-urlencoded.',
      {
        reason: 'content_type',
      },
    )
  }
  const { body } = req as { body?: unknown }
  if (!req.readableDidRead) {
    // A parser that met an empty body has come to its end without reading.
    const text = req.readableEnded ? '' : await readText(req)
    if (text !== '' || body === undefined) return Parameters.parse(text)
  }
  if (typeof body === 'string') return Parameters.parse(body)
  if (Buffer.isBuffer(body)) return Parameters.parse(body.toString())
  if (typeof body === 'object' && body !== null) return Parameters.fromParsed(body)
  throw new OAuthError('invalid_request', 'The body was read by another middleware before the provider.', {
    reason: 'body_consumed',
  })
}

export function isForm({ headers }: IncomingMessage): boolean {
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  return type === 'application/x-www-form-urlencoded'
}

function readText(req: IncomingMessage): Promise<string> {
  if (Number(req.headers['content-length'] ?? 0) > LONGEST) return Promise.reject(tooLarge())
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    req.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length > LONGEST) {
        req.pause()
        reject(tooLarge())
        return
      }
      chunks.push(chunk)
    })
    req.on('end', () => resolve(Buffer.concat(chunks).toString()))
    req.on('error', () => reject(aborted()))
  })
}

/** The connection is closed with the answer, since what is left of the body is not read. */
function tooLarge(): OAuthError {
  return new OAuthError('invalid_request', `The body is larger than ${LONGEST} bytes.`, {
    reason: 'body_too_large',
    status: 413,
    headers: { Connection: 'close' },
  })
}

function aborted(): OAuthError {
  return new OAuthError('invalid_request', 'The request ended before its body did.', {
    reason: 'body_aborted',
  })
}
