import express, { type Request, type RequestHandler, type Router } from 'express'
import type { Emit } from '../events.js'
import type { Settings } from '../settings.js'
import { shareHiddenClass } from './hidden-class.js'
import { documentEndpoint, type MachineMethods, machineEndpoint, type PublicDocument } from './machine.js'
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

/** By path, or by path with `:id` in place of the last segment. */
export type Handlers = ReadonlyMap<string, RequestHandler>

/** The rows of the route table, made ready to be called. */
export function handlersOf(
  routes: readonly Route[],
  metadata: PublicDocument,
  pages: PageWriter,
  settings: Settings,
  emit: Emit,
): Handlers {
  const documents = METADATA_PATHS.map((path) => [path, documentEndpoint(path, metadata, emit)] as const)
  return new Map([
    ...documents,
    ...routes.map((route) => [route.path, handlerOf(route, pages, settings, emit)] as const),
  ])
}

function handlerOf(route: Route, pages: PageWriter, settings: Settings, emit: Emit): RequestHandler {
  switch (route.kind) {
    case 'machine':
      return machineEndpoint(route.path, route.methods, settings, emit)
    case 'document': {
      const { path, document, maxAge } = route
      const json = async () => JSON.stringify(await document())
      return documentEndpoint(path, { json, maxAge }, emit)
    }
    case 'page':
      return pages.page(route)
    case 'form':
      return pages.form(route)
  }
}

/**
 * An Express Router over them. Every endpoint is found by a look-up of the path as it came, so nothing in it is decoded that could
 * fail; any path that is not ours falls through to the host.
 */
export function createRouter(handlers: Handlers, look: (req: Request, path: string) => void): Router {
  const router = express.Router({ caseSensitive: true, strict: true }) as Router & { handle: RequestHandler }
  const others = router.handle.bind(router)
  // In place of a walk through the layers of the router: what the host has added to it comes after our endpoints, and hears nothing of them.
  router.handle = (req, res, next) => {
    const path = pathOf(req)
    look(req, path)
    const handler = handlerAt(handlers, path)
    if (handler === undefined) return others(req, res, next)
    shareHiddenClass(req, res)
    return handler(req, res, next)
  }
  return router
}

function handlerAt(handlers: Handlers, path: string): RequestHandler | undefined {
  const exact = handlers.get(path)
  if (exact !== undefined || path.endsWith('/')) return exact
  return handlers.get(`${path.slice(0, path.lastIndexOf('/') + 1)}:id`)
}

/** Below the mount. Express takes the URL apart where there is more to it than a path and a query. */
function pathOf(req: Request): string {
  const [path = ''] = req.url.split('?', 1)
  return path.startsWith('/') && !path.includes('#') ? path : req.path
}
