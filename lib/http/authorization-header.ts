import type { IncomingMessage } from 'node:http'

/** Whether there is a second Authorization header, which Node drops without a word. */
export function repeatsAuthorization(req: IncomingMessage): boolean {
  let count = 0
  for (let index = 0; index < req.rawHeaders.length; index += 2) {
    if (req.rawHeaders[index]?.toLowerCase() === 'authorization') count++
  }
  return count > 1
}
