import { randomBytes } from 'node:crypto'
import type { RequestHandler } from 'express'

/** A session middleware that keeps everything, and tells nobody by which id, as cookie-session does. */
export function sessionsWithoutId(): RequestHandler {
  const sessions = new Map<string, object>()
  return (req, res, next) => {
    const id = req.headers.cookie?.match(/host=(\w+)/)?.[1] ?? randomBytes(8).toString('hex')
    const begin = (session: object) => {
      const methods = {
        regenerate(done: () => void) {
          begin({})
          done()
        },
        destroy(done: () => void) {
          sessions.delete(id)
          Object.assign(req, { session: undefined })
          done()
        },
      }
      sessions.set(id, session)
      Object.assign(req, { session: Object.setPrototypeOf(session, methods) })
    }
    begin(sessions.get(id) ?? {})
    res.appendHeader('Set-Cookie', `host=${id}; Path=/`)
    next()
  }
}
