import type { IncomingMessage, ServerResponse } from 'node:http'
import { failureBehind, OAuthError, publicError, toldOf } from '../errors.js'
import type { Emit } from '../events.js'
import { Parameters } from '../parameters.js'
import type { Settings } from '../settings.js'
import { addressOf } from './address.js'
import { repeatsAuthorization } from './authorization-header.js'
import { isForm, readForm, readJson } from './body.js'
import { idIn } from './path-id.js'
import type { EmptyReply, JsonReply, MachineReply } from './reply.js'
import type { MachineRequest } from './request.js'
import { senderOf } from './sender.js'

/** Answers one path for machines. It is called for every method and never hands on. */
export type MachineHandler = (req: IncomingMessage, res: ServerResponse) => void

interface Head {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
}

const EXPOSED = 'WWW-Authenticate, Retry-After, DPoP-Nonce'
/** Open to every origin, without credentials, whatever a cors() of the host has said: nothing here depends on cookies. */
const OPEN = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': EXPOSED,
}
/** RFC 6749 §5.1; Pragma for what still speaks HTTP/1.0. */
const PRIVATE = { 'Cache-Control': 'no-store', Pragma: 'no-cache', 'X-Content-Type-Options': 'nosniff' }

export type MachineEndpoint = (request: MachineRequest) => Promise<MachineReply>

/** What an endpoint for machines does at each of its methods. */
export interface MachineMethods {
  readonly GET?: MachineEndpoint
  readonly POST?: MachineEndpoint
  readonly PUT?: MachineEndpoint
  readonly DELETE?: MachineEndpoint
  /** Whether a POST may come without a form. */
  readonly formOptional?: boolean
  /** Whether what is posted or put is JSON and no form. */
  readonly json?: boolean
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE'] as const

/** An endpoint that answers machines, in JSON whatever happens. */
export function machineEndpoint(
  path: string,
  methods: MachineMethods,
  settings: Settings,
  emit: Emit,
): MachineHandler {
  const allowed = METHODS.filter((method) => methods[method] !== undefined).join(', ')
  const hasId = path.endsWith('/:id')
  return (req, res) => {
    if (req.method === 'OPTIONS') return answerPreflight(res, allowed)
    const refuse = (error: unknown) => answerError(req, res, error, path, emit)
    const refuseUnread = (error: unknown) => {
      emit('request.refused', { endpoint: path, ...toldOf(publicError(error)) })
      refuse(error)
    }
    const method = METHODS.find((known) => known === req.method)
    const endpoint = method && methods[method]
    if (endpoint === undefined) return refuseUnread(wrongMethod(allowed))
    const { authorization } = req.headers
    const serve = (parameters: Parameters, json?: unknown) =>
      endpoint({
        parameters,
        json,
        id: hasId ? idIn(req) : '',
        host: req,
        authorization,
        repeatsAuthorization: () => repeatsAuthorization(req),
        address: addressOf(req),
        endpoint: path,
        sender: senderOf(req, settings),
        accept: req.headers.accept,
      })
        .then((reply) => answer(req, res, reply))
        .catch(refuse)
    const bare = method === 'GET' || method === 'DELETE'
    if (bare || (methods.formOptional && !isForm(req))) serve(NO_PARAMETERS)
    else if (methods.json) readJson(req).then((json) => serve(NO_PARAMETERS, json), refuseUnread)
    else readForm(req).then(serve, refuseUnread)
  }
}

const NO_PARAMETERS = Parameters.parse('')

/** A public document, the same for everybody. */
export interface PublicDocument {
  /** Gives it as JSON, for each request. */
  readonly json: () => Promise<string>
  /** For how long anybody may keep it, in seconds. */
  readonly maxAge: number
}

export function documentEndpoint(path: string, { json, maxAge }: PublicDocument, emit: Emit): MachineHandler {
  const caching = { 'Cache-Control': `public, max-age=${maxAge}`, 'X-Content-Type-Options': 'nosniff' }
  return (req, res) => {
    if (req.method === 'OPTIONS') return answerPreflight(res, 'GET, HEAD')
    const refuse = (error: unknown) => answerError(req, res, error, path, emit)
    if (req.method !== 'GET' && req.method !== 'HEAD') return refuse(wrongMethod('GET, HEAD'))
    json().then((text) => answerText(req, res, { status: 200 }, text, caching), refuse)
  }
}

/** A refusal on a route of the host's own. What a cors() of the host has allowed there stays as it is, but the challenge can be read. */
export function refuseAtHost(req: IncomingMessage, res: ServerResponse, refusal: JsonReply): void {
  if (!res.hasHeader('Access-Control-Allow-Origin')) {
    answer(req, res, refusal)
    return
  }
  const standing = { ...PRIVATE, 'Access-Control-Expose-Headers': EXPOSED }
  write(req, res, refusal, JSON.stringify(refusal.body), standing)
}

function answerError(
  req: IncomingMessage,
  res: ServerResponse,
  error: unknown,
  endpoint: string,
  emit: Emit,
): void {
  const refusal = publicError(error)
  const failure = failureBehind(refusal)
  if (failure !== undefined) emit('server.error', { error: failure, endpoint })
  answer(req, res, { status: refusal.status, body: refusal.toJSON(), headers: refusal.headers })
}

function answer(req: IncomingMessage, res: ServerResponse, reply: MachineReply): void {
  if ('body' in reply) answerText(req, res, reply, JSON.stringify(reply.body), PRIVATE)
  else if (!('text' in reply)) answerNothing(res, reply)
  else answerText(req, res, reply, reply.text, { ...PRIVATE, 'Content-Type': reply.type })
}

function answerText(
  req: IncomingMessage,
  res: ServerResponse,
  head: Head,
  text: string,
  caching: Readonly<Record<string, string>>,
): void {
  if (!res.headersSent) res.removeHeader('Access-Control-Allow-Credentials')
  write(req, res, head, text, { ...OPEN, ...caching })
}

/** One answer, head and body in one go; JSON where `standing` names no other type. */
function write(
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

function answerNothing(res: ServerResponse, { status, headers }: EmptyReply): void {
  if (res.headersSent || res.destroyed) return
  res.removeHeader('Access-Control-Allow-Credentials')
  res.writeHead(status, { ...OPEN, ...PRIVATE, ...headers })
  res.end()
}

function answerPreflight(res: ServerResponse, methods: string): void {
  res.removeHeader('Access-Control-Allow-Credentials')
  res.writeHead(204, {
    ...OPEN,
    ...PRIVATE,
    'Access-Control-Allow-Methods': methods,
    'Access-Control-Allow-Headers': 'Authorization, Content-Type, DPoP, MCP-Protocol-Version',
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
