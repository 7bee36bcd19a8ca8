import type { IncomingMessage } from 'node:http'
import { guardedAs } from '../authorization/resource.js'
import type { Settings } from '../settings.js'

/** Where a request goes. */
export interface Place {
  readonly resource: string
  /** The resources all of which it may lie in. */
  readonly within: readonly string[]
}

/** A path that no URL spells otherwise: most of them are, and need not be taken apart. */
const PLAIN = /^(?:\/[\w~-][\w.~-]*)+$/
/** An empty segment, a slash or a backslash that is encoded, or what nobody has to encode (RFC 3986 §2.3, §6.2.2.2): whoever decodes the path behind the guard sees another one. */
const AMBIGUOUS = /\/\/|%(?:2[def]|3\d|4[1-9a-f]|5[0-9acf]|6[1-9a-f]|7[0-9ae])/i

function isSpeltOneWay(url: string, path: string): boolean {
  if (PLAIN.test(path)) return true
  return !AMBIGUOUS.test(path) && URL.canParse(url) && new URL(url).href === url
}

/**
 * Where a request goes. A path that URLs spell otherwise (dot segments, a backslash, a slash that is encoded, a whole URL) reaches another route in Express than
 * it names, so it is no resource of its own: only a token for the whole origin opens it, by the scopes that mean something everywhere.
 */
export function placeOf(settings: Settings, req: IncomingMessage): Place {
  const { origin, resources } = settings
  const [url = ''] = urlOf(origin, req).split('?', 1)
  if (!isSpeltOneWay(url, url.slice(origin.length)))
    return { resource: origin, within: [origin, ...resources.keys()] }
  const resource = guardedAs(url, settings)
  return { resource, within: [resource] }
}

/** As clients see it, where no proxy changes the path. */
export function urlOf(origin: string, req: IncomingMessage): string {
  const { originalUrl = '/' } = req as { originalUrl?: string }
  return origin + originalUrl
}
