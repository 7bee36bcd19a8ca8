import express, { type Request, type RequestHandler, type Router } from 'express'
import type { MachineHandler } from './machine.js'

/** The rows of the route table, made ready to be called. */
export interface Handlers {
  readonly machines: ReadonlyMap<string, MachineHandler>
  readonly pages: ReadonlyMap<string, RequestHandler>
}

/** An Express Router over them. Machine endpoints are found by one look-up; any path that is not ours falls through to the host. */
export function createRouter({ machines, pages }: Handlers, look: (req: Request) => void): Router {
  const router = express.Router({ caseSensitive: true, strict: true })
  router.use((req, res, next) => {
    look(req)
    const machine = machines.get(req.path)
    if (machine === undefined) return next()
    machine(req, res)
  })
  for (const [path, handler] of pages) router.all(path, handler)
  return router
}
