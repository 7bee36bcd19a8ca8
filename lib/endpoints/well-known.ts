import { documentEndpoint, type MachineHandler } from '../http/machine.js'
import type { Middleware } from '../middleware.js'
import type { Settings } from '../settings.js'
import { resourceMetadata } from './metadata.js'

/** The forms with the issuer's or the resource's path behind the well-known one (RFC 8414 §3.1, RFC 9728 §3.1). */
export function wellKnown(settings: Settings, metadata: MachineHandler): Middleware {
  const server = `/.well-known/oauth-authorization-server${settings.mount}`
  const resource = '/.well-known/oauth-protected-resource'
  return (req, res, next) => {
    const path = (req as { path?: string }).path ?? ''
    if (path === server) return metadata(req, res)
    if (path !== resource && !path.startsWith(`${resource}/`)) return next()
    const document = resourceMetadata(settings, path.slice(resource.length).replace(/\/$/, ''))
    if (document === undefined) return next()
    documentEndpoint(document)(req, res)
  }
}
