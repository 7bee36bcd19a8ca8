import type { IncomingMessage } from 'node:http'

/** Express's `req.ip`, which follows the host's `trust proxy`. */
export function addressOf(req: IncomingMessage): string {
  return (req as { ip?: string }).ip ?? req.socket.remoteAddress ?? ''
}
