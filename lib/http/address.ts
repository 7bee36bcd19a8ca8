import type { IncomingMessage } from 'node:http'

/** How an IPv4 address begins on a socket for both kinds (RFC 4291 §2.5.5.2). */
const MAPPED = /^::ffff:(?=\d+\.)/i

/** Has the socket keep the address that it has: once the other side has hung up, it is nowhere to be found. */
export function holdAddress({ socket }: IncomingMessage): void {
  void socket.remoteAddress
}

/** Express's `req.ip`, which follows the host's `trust proxy`. */
export function addressOf(req: IncomingMessage): string {
  const address = (req as { ip?: string }).ip ?? req.socket.remoteAddress ?? ''
  return address.replace(MAPPED, '')
}
