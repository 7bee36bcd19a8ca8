import { ConfigurationError } from './errors.js'
import type { McpOptions, ResourceOptions } from './options.js'
import { knownScopes, type Scope } from './scopes.js'
import { anObject, describe, refuseUnknown } from './validation.js'

/** What the option `mcp` comes to. */
export interface McpSettings {
  /** The URL of the MCP endpoint, where the host named it. */
  readonly resource: string | undefined
  /** The scopes that mean something there; undefined for all. */
  readonly scopes: readonly string[] | undefined
}

const EITHER = "Pass true or false, or an object: { resource: '/mcp', scopes: ['photos'] }."

/** Undefined where the option is off. */
export function resolveMcp(
  given: boolean | McpOptions | undefined,
  { origin, scopes }: { readonly origin: string; readonly scopes: ReadonlyMap<string, Scope> },
): McpSettings | undefined {
  if (given === undefined || typeof given === 'boolean')
    return given ? { resource: undefined, scopes: undefined } : undefined
  refuseUnknown('mcp.', anObject('mcp', given, EITHER), ['resource', 'scopes'])
  const named = given.scopes && knownScopes('mcp.scopes', given.scopes, scopes)
  const { resource = named && '/mcp' } = given
  return { resource: resource === undefined ? undefined : resourceUrl(resource, origin), scopes: named }
}

/**
 * The option `resources` with the MCP endpoint in it.
 *
 * @throws ConfigurationError where there are others, and nobody said which the endpoint is: it would be guarded as the whole origin is, and a token
 * for it would open all the rest of the host.
 */
export function withMcp(
  resources: Readonly<Record<string, ResourceOptions>> = {},
  mcp: McpSettings | undefined,
): Readonly<Record<string, ResourceOptions>> {
  if (mcp === undefined) return resources
  const others = Object.entries(anObject('resources', resources))
  const { resource, scopes } = mcp
  if (resource === undefined) {
    if (others.length === 0) return resources
    throw new ConfigurationError(
      'mcp.resource',
      'is missing beside the option resources',
      "Say where the MCP endpoint is: mcp: { resource: '/mcp' }. If it is on another host, leave mcp out, and set registration and clientMetadataDocuments to 'open'.",
    )
  }
  // What is no object is refused where the others are checked.
  const spellings = others.filter(
    ([url, given]) => normal(url) === resource && typeof given === 'object' && given !== null,
  )
  const options = Object.assign({}, ...spellings.map(([, given]) => given), scopes && { scopes })
  const rest = others.filter((other) => !spellings.includes(other))
  return { [resource]: options, ...Object.fromEntries(rest) }
}

/** Scheme and host in lower case, without the slash at the end. */
function normal(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).href.replace(/\/$/, '') : undefined
}

/** Without the slash at its end: clients compare it with the URL that they were given, which most people write like that. */
function resourceUrl(given: unknown, origin: string): string {
  const written = typeof given === 'string' ? given.replace(/\/$/, '') : undefined
  if (written !== undefined && URL.canParse(written, origin)) {
    const normal = new URL(written, origin)
    const url = normal.origin + normal.pathname.replace(/\/$/, '')
    if (normal.origin === origin && [url, url.slice(origin.length)].includes(written)) return url
  }
  throw new ConfigurationError(
    'mcp.resource',
    `is ${describe(given)}`,
    `Pass the path of the MCP endpoint, '/mcp', or its URL at ${origin}, without query and fragment.`,
  )
}
