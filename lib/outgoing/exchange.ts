import http, { type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import type { AddressRule } from './addresses.js'
import { connect } from './connect.js'
import { OutgoingError } from './outgoing.js'

/** What bounds every request. */
export interface Limits {
  readonly rule: AddressRule
  /** Milliseconds for all of it, from the look-up of the name to the last byte. */
  readonly time: number
}

export interface OutgoingRequest {
  readonly method: 'GET' | 'POST'
  readonly headers: OutgoingHttpHeaders
  readonly body?: string
  /** Whether a stranger has named the URL. */
  readonly stranger?: boolean
}

/** @throws OutgoingError where nothing may be sent to this URL whatever its host is. `http` says that http is worth a look. */
export function checkedUrl(text: string, http: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'https:' && !(http && url?.protocol === 'http:'))
    throw new OutgoingError('The URL must begin with https://.')
  if (url.username !== '' || url.password !== '')
    throw new OutgoingError('The URL must not hold a user name or password.')
  if (text.includes('#')) throw new OutgoingError('The URL must not hold a fragment (#).')
  return url
}

/**
 * One request on a connection of its own: no agent, no proxy, no redirects. `receive` makes of the answer what it needs; then the
 * connection is closed, whatever else would come.
 *
 * @throws OutgoingError where there is no answer, or where `receive` throws one.
 */
export async function exchange<T>(
  url: URL,
  request: OutgoingRequest,
  { rule, time }: Limits,
  receive: (response: IncomingMessage) => T,
): Promise<Awaited<T>> {
  // Its timer does not keep the process alive.
  const signal = AbortSignal.timeout(time)
  let socket: Socket | undefined
  try {
    socket = await connect(url, rule, signal, request.stranger)
    return await receive(await send(url, request, socket, signal))
  } catch (error) {
    if (error instanceof OutgoingError) throw error
    throw new OutgoingError(
      signal.aborted
        ? `The host of the URL did not answer completely within ${time / 1000} seconds.`
        : 'The host of the URL cannot be reached, or its answer is not HTTP.',
      { cause: error },
    )
  } finally {
    socket?.destroy()
  }
}

async function send(
  url: URL,
  { method, headers, body }: OutgoingRequest,
  socket: Socket,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const request = http.request({
    method,
    path: url.pathname + url.search,
    headers: { Host: url.host, ...headers },
    createConnection: () => socket,
    signal,
  })
  request.end(body)
  return new Promise((resolve, reject) => {
    // Both stay for what comes after the head: the first keeps a late error from ending the process.
    request.on('error', reject)
    // A server that changes the protocol ends the request with no more than this.
    request.on('close', () => reject(new Error('The connection was closed.')))
    request.on('response', resolve)
  })
}
