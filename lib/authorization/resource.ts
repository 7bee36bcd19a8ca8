import { OAuthError } from '../errors.js'
import { isIdentityScope } from '../scopes.js'
import type { Settings } from '../settings.js'

/** More than a client has use for in one token; each is looked up and compared. */
const MOST_RESOURCES = 10

type Resources = Pick<Settings, 'resources' | 'everyUrl' | 'origin'>

/**
 * The resources that a request names (RFC 8707 §2), in the one spelling that is stored and compared. Without the option `resources`
 * every URL on the issuer's origin is one.
 */
export function requestedResources(named: readonly string[], settings: Resources): readonly string[] {
  const distinct = [...new Set(named)]
  if (distinct.length > MOST_RESOURCES) {
    throw new OAuthError('invalid_target', `Name at most ${MOST_RESOURCES} resources.`, {
      reason: 'too_many_resources',
    })
  }
  const hosted = distinct.map((resource) => {
    const spelling = hostedResource(resource, settings)
    if (spelling !== undefined) return spelling
    throw new OAuthError('invalid_target', 'The resource is not one that this server issues tokens for.', {
      reason: 'resource_unknown',
    })
  })
  return [...new Set(hosted)]
}

/** The spelling of a resource that this server issues tokens for; undefined for any other. */
export function hostedResource(resource: string, settings: Resources): string | undefined {
  const { resources, origin } = settings
  const normalized = normalizeResource(resource)
  if (normalized === undefined) return undefined
  const known = [...resources.keys()].find((key) => normalizeResource(key) === normalized)
  if (known !== undefined) return known
  if (normalized === origin) return origin
  if (new URL(normalized).origin !== origin) return undefined
  return guardedAs(normalized, settings) === normalized ? normalized : undefined
}

/**
 * The resource as which a URL of this host is guarded: the nearest of the option `resources` that it lies in, otherwise itself or the whole
 * origin. In upper case it is the same place, as it is for Express's routes.
 */
export function guardedAs(url: string, { resources, everyUrl, origin }: Resources): string {
  const otherwise = everyUrl ? url : origin
  if (resources.size === 0) return otherwise
  const place = url.toLowerCase()
  const above = [...resources.keys()].filter((resource) => covers([resource.toLowerCase()], place))
  return above.sort((a, b) => b.length - a.length)[0] ?? otherwise
}

/** Of what was granted, the part that a token request names; all of it where it names none (RFC 8707 §2.2). */
export function narrowedResources(
  named: readonly string[],
  granted: readonly string[],
  settings: Resources,
): readonly string[] {
  if (named.length === 0) return granted
  const resources = requestedResources(named, settings)
  if (resources.every((resource) => covers(granted, resource))) return resources
  throw new OAuthError('invalid_target', 'The resource was not part of what the user granted.', {
    reason: 'resource_not_granted',
  })
}

/** Whether one of these resources is `resource` or lies above it on the same origin. */
export function covers(audience: readonly string[], resource: string): boolean {
  const wanted = normalizeResource(resource)
  return (
    wanted !== undefined &&
    audience.some((granted) => {
      const above = normalizeResource(granted)
      return above !== undefined && (wanted === above || wanted.startsWith(`${above}/`))
    })
  )
}

/** The scopes that mean something at these resources, and those of OpenID Connect, which are about the user and not about a resource. */
export function scopesFor(
  scopes: readonly string[],
  resources: readonly string[],
  settings: Pick<Settings, 'resources'>,
): readonly string[] {
  const known = scopesAt(scopes, resources, settings)
  return scopes.filter((scope) => isIdentityScope(scope) || known.includes(scope))
}

/** The scopes that mean something at these resources. */
export function scopesAt(
  scopes: readonly string[],
  resources: readonly string[],
  settings: Pick<Settings, 'resources'>,
): readonly string[] {
  const known = resources.map((resource) => settings.resources.get(resource)?.scopes)
  if (known.includes(undefined)) return scopes
  return scopes.filter((scope) => known.some((list) => list?.includes(scope)))
}

/** The format of an access token for these resources (RFC 9068 where it is `jwt`). */
export function accessTokenFormat(
  audience: readonly string[],
  { resources }: Pick<Settings, 'resources'>,
): 'opaque' | 'jwt' {
  const formats = new Set(audience.map((resource) => resources.get(resource)?.accessTokenFormat ?? 'opaque'))
  if (formats.size === 1) return formats.has('jwt') ? 'jwt' : 'opaque'
  throw new OAuthError(
    'invalid_target',
    'These resources take different kinds of access tokens. Ask for one after the other: name a resource in the token request.',
    { reason: 'resources_differ' },
  )
}

/**
 * Scheme and host in lower case, no slash at the end; undefined for what is no absolute URI without fragment (RFC 8707 §2). No API has a
 * user name in its URL, and on the consent page one could pass for the host.
 */
function normalizeResource(resource: string): string | undefined {
  const known = spellings.get(resource)
  if (known !== undefined) return known
  if (resource.includes('#') || !URL.canParse(resource)) return undefined
  const { href, username, password } = new URL(resource)
  const spelling = username === '' && password === '' ? href.replace(/\/$/, '') : undefined
  if (spelling !== undefined && resource.length <= LONGEST_KNOWN) remember(resource, spelling)
  return spelling
}

/** Of those that came lately: a token names the same few each time that it is used. */
const spellings = new Map<string, string>()
const MOST_KNOWN = 1000
const LONGEST_KNOWN = 256

function remember(resource: string, spelling: string): void {
  if (spellings.size >= MOST_KNOWN) spellings.clear()
  // A copy: a part of a long text would keep all of it.
  spellings.set(Buffer.from(resource).toString(), spelling)
}
