import type { IncomingMessage } from 'node:http'

/** The last part of the path, which a route leaves open; empty where it is not percent-encoded as it should be. */
export function idIn(req: IncomingMessage): string {
  const { path = '' } = req as { path?: string }
  try {
    return decodeURIComponent(path.slice(path.lastIndexOf('/') + 1))
  } catch {
    return ''
  }
}
