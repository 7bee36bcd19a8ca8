import type { IncomingMessage, ServerResponse } from 'node:http'
import { failureBehind, OAuthError, publicError, toldOf } from '../errors.js'
import type { Emit } from '../events.js'
import { Parameters } from '../parameters.js'
import type { Settings } from '../settings.js'
import { holdAddress } from './address.js'
import { isForm, readForm, readJson } from './body.js'
import { HttpMachineRequest } from './machine-request.js'
import type { EmptyReply, JsonReply, MachineReply } from './reply.js'
import type { MachineRequest } from './request.js'

/** Answers one path for machines. It is called for every method and never hands on. */
export type MachineHandler = (req: IncomingMessage, res: ServerResponse) => void

type Headers = Readonly<Record<string, string>>

interface Head {
  readonly status: number
  readonly headers?: Headers
}

const EXPOSED = { 'Access-Control-Expose-Headers': 'WWW-Authenticate, Retry-After, DPoP-Nonce' }
/** Open to every origin, without credentials, whatever a cors() of the host has said: nothing here depends on cookies. */
const OPEN = { 'Access-Control-Allow-Origin': '*', ...EXPOSED }
const NO_SNIFFING = { 'X-Content-Type-Options': 'nosniff' }
/** RFC 6749 §5.1; Pragma for what still speaks HTTP/1.0. */
const PRIVATE = { 'Cache-Control': 'no-store', Pragma: 'no-cache', ...NO_SNIFFING }
const JSON_TYPE = { 'Content-Type': 'application/json' }
const PRIVATE_JSON: Headers = { ...JSON_TYPE, ...OPEN, ...PRIVATE }
const PRIVATE_JSON_AT_HOST: Headers = { ...JSON_TYPE, ...EXPOSED, ...PRIVATE }
const NOTHING: Headers = { ...OPEN, ...PRIVATE }

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
    holdAddress(req)
    const serve = (parameters: Parameters, json?: unknown) =>
      endpoint(new HttpMachineRequest(path, req, settings, parameters, json))
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
  const caching = { 'Cache-Control': `public, max-age=${maxAge}`, ...NO_SNIFFING }
  const standing: Headers = { ...JSON_TYPE, ...OPEN, ...caching }
  return (req, res) => {
    if (req.method === 'OPTIONS') return answerPreflight(res, 'GET, HEAD')
    const refuse = (error: unknown) => answerError(req, res, error, path, emit)
    if (req.method !== 'GET' && req.method !== 'HEAD') return refuse(wrongMethod('GET, HEAD'))
    json().then((text) => answerText(req, res, { status: 200 }, text, standing), refuse)
  }
}

/** A refusal on a route of the host's own. What a cors() of the host has allowed there stays as it is, but the challenge can be read. */
export function refuseAtHost(req: IncomingMessage, res: ServerResponse, refusal: JsonReply): void {
  if (!res.hasHeader('Access-Control-Allow-Origin')) {
    answer(req, res, refusal)
    return
  }
  write(req, res, refusal, JSON.stringify(refusal.body), PRIVATE_JSON_AT_HOST)
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
  if ('body' in reply) answerText(req, res, reply, JSON.stringify(reply.body), PRIVATE_JSON)
  else if (!('text' in reply)) answerNothing(res, reply)
  else answerText(req, res, reply, reply.text, { 'Content-Type': reply.type, ...NOTHING })
}

function answerText(
  req: IncomingMessage,
  res: ServerResponse,
  head: Head,
  text: string,
  standing: Headers,
): void {
  if (!res.headersSent) res.removeHeader('Access-Control-Allow-Credentials')
  write(req, res, head, text, standing)
}

/** One answer, head and body in one go. */
function write(
  req: IncomingMessage,
  res: ServerResponse,
  { status, headers }: Head,
  text: string,
  standing: Headers,
): void {
  // The browser, or a middleware of the host, has been here first: nothing is left to say.
  if (res.headersSent || res.destroyed) return
  res.writeHead(status, Object.assign({ 'Content-Length': Buffer.byteLength(text) }, standing, headers))
  res.end(req.method === 'HEAD' ? undefined : text)
}

function answerNothing(res: ServerResponse, { status, headers }: EmptyReply): void {
  if (res.headersSent || res.destroyed) return
  res.removeHeader('Access-Control-Allow-Credentials')
  res.writeHead(status, { ...NOTHING, ...headers })
  res.end()
}

function answerPreflight(res: ServerResponse, methods: string): void {
  res.removeHeader('Access-Control-Allow-Credentials')
  res.writeHead(204, {
    ...NOTHING,
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
