import type { IncomingMessage, ServerResponse } from 'node:http'
import { OAuthError, publicError } from '../errors.js'
import type { Emit } from '../events.js'
import { readForm } from './body.js'
import type { JsonReply } from './reply.js'
import type { MachineRequest } from './request.js'

/** Answers one path for machines. It is called for every method and never hands on. */
export type MachineHandler = (req: IncomingMessage, res: ServerResponse) => void

/** RFC 6749 §5.1; Pragma for what still speaks HTTP/1.0. */
const PRIVATE = { 'Cache-Control': 'no-store', Pragma: 'no-cache' }
const PUBLIC = { 'Cache-Control': 'public, max-age=300' }
const EXPOSED = 'WWW-Authenticate, Retry-After'

/** An endpoint that takes a form by POST and answers JSON whatever happens. */
export function formEndpoint(
  path: string,
  endpoint: (request: MachineRequest) => Promise<JsonReply>,
  emit: Emit,
): MachineHandler {
  return (req, res) => {
    if (req.method === 'OPTIONS') return answerPreflight(req, res, 'POST')
    const refuse = (error: unknown) => {
      const refusal = publicError(error)
      if (refusal.status >= 500) emit('server.error', { error: refusal.cause ?? error, endpoint: path })
      writeJson(req, res, { status: refusal.status, body: refusal.toJSON(), headers: refusal.headers })
    }
    if (req.method !== 'POST') return refuse(wrongMethod('POST'))
    readForm(req)
      .then((parameters) => {
        const { authorization } = req.headers
        return endpoint({ parameters, authorization, address: addressOf(req) })
      })
      .then((reply) => writeJson(req, res, reply))
      .catch(refuse)
  }
}

/** A public document, the same for everybody. */
export function documentEndpoint(document: object): MachineHandler {
  return (req, res) => {
    if (req.method === 'OPTIONS') return answerPreflight(req, res, 'GET, HEAD')
    if (req.method === 'GET' || req.method === 'HEAD') {
      return writeJson(req, res, { status: 200, body: document }, PUBLIC)
    }
    const refusal = wrongMethod('GET, HEAD')
    writeJson(req, res, { status: refusal.status, body: refusal.toJSON(), headers: refusal.headers })
  }
}

/** One JSON answer, head and body in one go. */
export function writeJson(
  req: IncomingMessage,
  res: ServerResponse,
  { status, body, headers }: JsonReply,
  caching: Readonly<Record<string, string>> = PRIVATE,
): void {
  // The browser, or a middleware of the host, has been here first: nothing is left to say.
  if (res.headersSent || res.destroyed) return
  const text = JSON.stringify(body)
  allowEveryOrigin(res)
  res.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    'X-Content-Type-Options': 'nosniff',
    ...caching,
    ...headers,
  })
  res.end(req.method === 'HEAD' ? undefined : text)
}

function answerPreflight(_req: IncomingMessage, res: ServerResponse, methods: string): void {
  allowEveryOrigin(res)
  res.writeHead(204, {
    'Access-Control-Allow-Methods': methods,
    'Access-Control-Allow-Headers': 'Authorization, Content-Type, MCP-Protocol-Version',
    'Access-Control-Max-Age': '86400',
  })
  res.end()
}

/**
 * Open to every origin, without credentials: nothing here depends on cookies. What a cors() of the host has set before is left alone,
 * since `*` beside its Allow-Credentials would be void.
 */
function allowEveryOrigin(res: ServerResponse): void {
  if (res.hasHeader('Access-Control-Allow-Origin')) return
  res.removeHeader('Access-Control-Allow-Credentials')
  res.setHeader('Access-Control-Allow-Origin', '*')
  res.setHeader('Access-Control-Expose-Headers', EXPOSED)
}

function wrongMethod(allowed: string): OAuthError {
  return new OAuthError('invalid_request', `Use ${allowed}.`, {
    reason: 'method_not_allowed',
    status: 405,
    headers: { Allow: allowed },
  })
}

/** Express's `req.ip`, which follows the host's `trust proxy`. */
function addressOf(req: IncomingMessage): string {
  return (req as { ip?: string }).ip ?? req.socket.remoteAddress ?? ''
}
