import type { IncomingMessage } from 'node:http'

const NAME = 'authorization'

/** Whether there is a second Authorization header, which Node drops without a word. */
export function repeatsAuthorization(req: IncomingMessage): boolean {
  let count = 0
  for (let index = 0; index < req.rawHeaders.length; index += 2) {
    const name = req.rawHeaders[index] ?? ''
    if (name.length === NAME.length && name.toLowerCase() === NAME) count++
  }
  return count > 1
}
