import { OAuthError } from '../errors.js'
import type { Settings } from '../settings.js'

/** More than a client has use for in one token; each is looked up and compared. */
const MOST_RESOURCES = 10

type Resources = Pick<Settings, 'resources' | 'origin'>

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
  const normalized = normalizeResource(resource)
  if (normalized === undefined) return undefined
  if (settings.resources.size === 0) {
    return new URL(normalized).origin === settings.origin ? normalized : undefined
  }
  const known = [...settings.resources.keys()].find((key) => normalizeResource(key) === normalized)
  return known ?? (normalized === settings.origin ? normalized : undefined)
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

/** The scopes that mean something at these resources. */
export function scopesFor(
  scopes: readonly string[],
  resources: readonly string[],
  settings: Pick<Settings, 'resources'>,
): readonly string[] {
  const known = resources.map((resource) => settings.resources.get(resource))
  if (known.includes(undefined)) return scopes
  return scopes.filter((scope) => known.some((list) => list?.includes(scope)))
}

/** Scheme and host in lower case, no slash at the end; undefined for what is no absolute URI without fragment (RFC 8707 §2). */
function normalizeResource(resource: string): string | undefined {
  if (resource.includes('#') || !URL.canParse(resource)) return undefined
  return new URL(resource).href.replace(/\/$/, '')
}
