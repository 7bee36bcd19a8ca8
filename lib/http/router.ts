import express, { type Request, type RequestHandler, type Router } from 'express'
import type { Emit } from '../events.js'
import type { Settings } from '../settings.js'
import {
  documentEndpoint,
  type MachineHandler,
  type MachineMethods,
  machineEndpoint,
  type PublicDocument,
} from './machine.js'
import type { FormRoute, PageRoute, PageWriter } from './pages.js'

export interface MachineRoute {
  readonly kind: 'machine'
  readonly path: string
  readonly methods: MachineMethods
}

/** A public document that changes. */
export interface DocumentRoute {
  readonly kind: 'document'
  readonly path: string
  readonly document: () => Promise<object>
  /** For how long anybody may keep it, in seconds. */
  readonly maxAge: number
}

/** One endpoint. `member` is its name in the metadata, where it has one (RFC 8414 §2). */
export type Route = { readonly member?: string } & (MachineRoute | DocumentRoute | PageRoute | FormRoute)

/** Where the metadata lies below the mount: RFC 8414 §3 and OpenID Connect Discovery §4. */
export const METADATA_PATHS = [
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
] as const

/** How long others may keep the metadata, in seconds. */
const METADATA_MAX_AGE = 300

/** Metadata as the document that it is served as; it never changes, so it is written once. */
export function metadataDocument(metadata: object): PublicDocument {
  const json = JSON.stringify(metadata)
  return { json: async () => json, maxAge: METADATA_MAX_AGE }
}

/** The rows of the route table, made ready to be called. */
export interface Handlers {
  readonly machines: ReadonlyMap<string, MachineHandler>
  readonly pages: ReadonlyMap<string, RequestHandler>
}

export function handlersOf(
  routes: readonly Route[],
  metadata: PublicDocument,
  pages: PageWriter,
  settings: Settings,
  emit: Emit,
): Handlers {
  const machines = new Map<string, MachineHandler>()
  for (const path of METADATA_PATHS) machines.set(path, documentEndpoint(path, metadata, emit))
  const handlers = new Map<string, RequestHandler>()
  for (const route of routes) {
    const { path } = route
    if (route.kind === 'machine') machines.set(path, machineEndpoint(path, route.methods, settings, emit))
    else if (route.kind === 'document') {
      const { document, maxAge } = route
      const json = async () => JSON.stringify(await document())
      machines.set(path, documentEndpoint(path, { json, maxAge }, emit))
    } else handlers.set(route.path, route.kind === 'form' ? pages.form(route) : pages.page(route))
  }
  return { machines, pages: handlers }
}

/**
 * An Express Router over them. Every endpoint is found by a look-up of the path as it came, so nothing in it is decoded that could
 * fail; any path that is not ours falls through to the host.
 */
export function createRouter(
  { machines, pages }: Handlers,
  look: (req: Request, path: string) => void,
): Router {
  const router = express.Router({ caseSensitive: true, strict: true }) as Router & { handle: RequestHandler }
  const others = router.handle.bind(router)
  // In place of a walk through the layers of the router: what the host has added to it comes after our endpoints, and hears nothing of them.
  router.handle = (req, res, next) => {
    const path = pathOf(req)
    look(req, path)
    const machine = machines.get(path)
    if (machine !== undefined) return machine(req, res)
    const exact = pages.get(path)
    if (exact !== undefined) return exact(req, res, next)
    if (path.endsWith('/')) return others(req, res, next)
    const pattern = `${path.slice(0, path.lastIndexOf('/') + 1)}:id`
    const ofOne = machines.get(pattern)
    if (ofOne !== undefined) return ofOne(req, res)
    const page = pages.get(pattern)
    return page === undefined ? others(req, res, next) : page(req, res, next)
  }
  return router
}

/** Below the mount. Express takes the URL apart where there is more to it than a path and a query. */
function pathOf(req: Request): string {
  const [path = ''] = req.url.split('?', 1)
  return path.startsWith('/') && !path.includes('#') ? path : req.path
}
