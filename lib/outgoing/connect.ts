import dns, { type LookupAddress } from 'node:dns'
import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import tls from 'node:tls'
import type { AddressRule } from './addresses.js'
import { OutgoingError } from './outgoing.js'

/**
 * A connection to the host of the URL. Every address of the host must pass the rule, those that passed are the ones dialled, and
 * the one that answered is looked at again: a name that changes its address in between gains nothing. `stranger`: whether one has named the host.
 *
 * @throws OutgoingError where the host is not public. Other errors are those of the network.
 */
export async function connect(
  url: URL,
  rule: AddressRule,
  signal: AbortSignal,
  stranger = false,
): Promise<Socket> {
  const secure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const check = (address: string) => {
    const reach = rule(address)
    if (reach === 'forbidden') throw notPublic()
    // Without TLS anybody on the way can answer.
    if (reach === 'public' && !secure) throw new OutgoingError('The URL must begin with https://.')
  }
  const addresses = await resolve(host, signal, stranger)
  for (const { address } of addresses) check(address)

  const socket = net.connect({
    host,
    port: Number(url.port || (secure ? 443 : 80)),
    autoSelectFamily: true,
    lookup: (_host, _options, found) => found(null, addresses),
  })
  // What fails later is reported by the request; here it must not end the process.
  socket.on('error', () => undefined)
  try {
    await once(socket, 'connect', { signal })
    check(socket.remoteAddress ?? '')
    return secure ? await secured(socket, host, signal) : socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/** One message for a name that is private and a name that is none, so that nobody can ask us for the names inside the network. */
function notPublic(): OutgoingError {
  return new OutgoingError(
    'The host of the URL has no public address. Use a host that is reachable from the internet; in development, set the option allowPrivateAddresses.',
  )
}

/** The look-ups under way. One that hangs holds a thread of the pool, and must not hold another one each time that somebody asks. */
const lookups = new Map<string, Promise<LookupAddress[]>>()
/** Those of them that strangers have begun. */
const strangersLookups = new Set<string>()
/** Look-ups at once. Whoever has names whose servers never answer could hold the whole pool, which has four threads, and with it all that Node does there. */
const MOST_LOOKUPS = 3
/** Fewer: strangers choose their names, and hold up nobody but each other. */
const MOST_OF_STRANGERS = 2

/** The addresses of a host; none where there are none, or the name server fails. */
function lookUp(host: string, stranger: boolean): Promise<LookupAddress[]> {
  const running = lookups.get(host)
  if (running !== undefined) return running
  const lookup = new Promise<LookupAddress[]>((found) => {
    dns.lookup(host, { all: true }, (error, addresses) => found(error ? [] : addresses))
  }).finally(() => {
    lookups.delete(host)
    strangersLookups.delete(host)
  })
  lookups.set(host, lookup)
  if (stranger) strangersLookups.add(host)
  return lookup
}

function mustWait(host: string, stranger: boolean): boolean {
  if (lookups.has(host)) return false
  return lookups.size >= MOST_LOOKUPS || (stranger && strangersLookups.size >= MOST_OF_STRANGERS)
}

async function resolve(host: string, signal: AbortSignal, stranger: boolean): Promise<LookupAddress[]> {
  // A lookup cannot be cancelled, only left behind.
  const late = once(signal, 'abort').then((): never => signal.throwIfAborted() as never)
  while (mustWait(host, stranger)) await Promise.race([...lookups.values(), late])
  const addresses = await Promise.race([lookUp(host, stranger), late])
  if (addresses.length === 0) throw notPublic()
  return addresses
}

async function secured(socket: Socket, host: string, signal: AbortSignal): Promise<Socket> {
  const tlsSocket = tls.connect({
    socket,
    host,
    // A name only (RFC 6066 §3); the certificate of an address is compared with `host`.
    servername: net.isIP(host) ? '' : host.replace(/\.$/, ''),
    // Whatever NODE_TLS_REJECT_UNAUTHORIZED says.
    rejectUnauthorized: true,
    ALPNProtocols: ['http/1.1'],
  })
  tlsSocket.on('error', () => undefined)
  try {
    await once(tlsSocket, 'secureConnect', { signal })
    return tlsSocket
  } catch (error) {
    tlsSocket.destroy()
    if (signal.aborted) throw error
    throw new OutgoingError(
      'No secure connection to the host of the URL: its certificate must be valid for it, and be sent with its chain.',
    )
  }
}
