import type { Emit } from '../events.js'
import { documentEndpoint, type PublicDocument } from '../http/machine.js'
import { METADATA_PATHS, metadataDocument } from '../http/router.js'
import type { Middleware } from '../middleware.js'
import type { Settings } from '../settings.js'
import { resourceMetadata } from './metadata.js'

/** The forms with the issuer's or the resource's path behind the well-known one (RFC 8414 §3.1, §5, RFC 9728 §3.1). */
export function wellKnown(settings: Settings, metadata: PublicDocument, emit: Emit): Middleware {
  const servers = [...METADATA_PATHS.map((path) => path + settings.mount), ...atOrigin(settings)]
  const serverDocument = documentEndpoint('wellKnown', metadata, emit)
  const resource = '/.well-known/oauth-protected-resource'
  return (req, res, next) => {
    const path = (req as { path?: string }).path ?? ''
    if (servers.includes(path)) return serverDocument(req, res)
    if (path !== resource && !path.startsWith(`${resource}/`)) return next()
    const document = resourceMetadata(settings, path.slice(resource.length).replace(/\/$/, ''))
    if (document === undefined) return next()
    documentEndpoint('wellKnown', metadataDocument(document), emit)(req, res)
  }
}

/**
 * MCP clients of 2025 look at the origin, and some that know of paths do where the issuer has one. Others never do: they hold the issuer against
 * the URL (RFC 8414 §3.3).
 */
function atOrigin({ mcp }: Settings): readonly string[] {
  return mcp === undefined ? [] : ['/.well-known/oauth-authorization-server']
}
