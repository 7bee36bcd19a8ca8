import type { IncomingMessage, ServerResponse } from 'node:http'
import { OAuthError, publicError } from '../errors.js'
import type { Emit } from '../events.js'
import { readForm } from './body.js'
import type { JsonReply } from './reply.js'
import type { MachineRequest } from './request.js'

/** Answers one path for machines. It is called for every method and never hands on. */
export type MachineHandler = (req: IncomingMessage, res: ServerResponse) => void

type Head = Omit<JsonReply, 'body'>

const EXPOSED = 'WWW-Authenticate, Retry-After'
/** Open to every origin, without credentials, whatever a cors() of the host has said: nothing here depends on cookies. */
const OPEN = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': EXPOSED,
}
/** RFC 6749 §5.1; Pragma for what still speaks HTTP/1.0. */
const PRIVATE = { 'Cache-Control': 'no-store', Pragma: 'no-cache', 'X-Content-Type-Options': 'nosniff' }
const PUBLIC = { 'Cache-Control': 'public, max-age=300', 'X-Content-Type-Options': 'nosniff' }

/** An endpoint that takes a form by POST and answers JSON whatever happens. */
export function formEndpoint(
  path: string,
  endpoint: (request: MachineRequest) => Promise<JsonReply>,
  emit: Emit,
): MachineHandler {
  return (req, res) => {
    if (req.method === 'OPTIONS') return answerPreflight(res, 'POST')
    const refuse = (error: unknown) => {
      const refusal = publicError(error)
      if (refusal.status >= 500) emit('server.error', { error: refusal.cause ?? error, endpoint: path })
      answer(req, res, { status: refusal.status, body: refusal.toJSON(), headers: refusal.headers })
    }
    const refuseUnread = (error: unknown) => {
      const { code, reason } = publicError(error)
      emit('request.refused', { endpoint: path, error: code, reason })
      refuse(error)
    }
    if (req.method !== 'POST') return refuseUnread(wrongMethod('POST'))
    const { authorization } = req.headers
    readForm(req).then((parameters) => {
      return endpoint({ parameters, authorization, address: addressOf(req) })
        .then((reply) => answer(req, res, reply))
        .catch(refuse)
    }, refuseUnread)
  }
}

/** A public document, the same for everybody. */
export function documentEndpoint(document: object): MachineHandler {
  const text = JSON.stringify(document)
  return (req, res) => {
    if (req.method === 'OPTIONS') return answerPreflight(res, 'GET, HEAD')
    if (req.method === 'GET' || req.method === 'HEAD')
      return answerText(req, res, { status: 200 }, text, PUBLIC)
    const refusal = wrongMethod('GET, HEAD')
    answer(req, res, { status: refusal.status, body: refusal.toJSON(), headers: refusal.headers })
  }
}

/** A refusal on a route of the host's own. What a cors() of the host has allowed there stays as it is, but the challenge can be read. */
export function refuseAtHost(req: IncomingMessage, res: ServerResponse, refusal: JsonReply): void {
  if (!res.hasHeader('Access-Control-Allow-Origin')) {
    answer(req, res, refusal)
    return
  }
  const standing = { ...PRIVATE, 'Access-Control-Expose-Headers': EXPOSED }
  writeJson(req, res, refusal, JSON.stringify(refusal.body), standing)
}

function answer(req: IncomingMessage, res: ServerResponse, reply: JsonReply): void {
  answerText(req, res, reply, JSON.stringify(reply.body), PRIVATE)
}

function answerText(
  req: IncomingMessage,
  res: ServerResponse,
  head: Head,
  text: string,
  caching: Readonly<Record<string, string>>,
): void {
  if (!res.headersSent) res.removeHeader('Access-Control-Allow-Credentials')
  writeJson(req, res, head, text, { ...OPEN, ...caching })
}

/** One JSON answer, head and body in one go. */
function writeJson(
  req: IncomingMessage,
  res: ServerResponse,
  { status, headers }: Head,
  text: string,
  standing: Readonly<Record<string, string>>,
): void {
  // The browser, or a middleware of the host, has been here first: nothing is left to say.
  if (res.headersSent || res.destroyed) return
  res.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    ...standing,
    ...headers,
  })
  res.end(req.method === 'HEAD' ? undefined : text)
}

function answerPreflight(res: ServerResponse, methods: string): void {
  res.removeHeader('Access-Control-Allow-Credentials')
  res.writeHead(204, {
    ...OPEN,
    ...PRIVATE,
    'Access-Control-Allow-Methods': methods,
    'Access-Control-Allow-Headers': 'Authorization, Content-Type, MCP-Protocol-Version',
    'Access-Control-Max-Age': '86400',
  })
  res.end()
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
