import type { Grant } from './records.js'

/** Resources that one grant remembers. Beyond it the oldest are forgotten, and the user is asked again. */
export const MOST_RESOURCES = 100
/** See `Grant.access`. */
export const NOWHERE = ''

/** The grant that holds after a client with `known` is given `added` too: nothing is taken away. What is allowed nowhere brings nothing back. */
export function mergeGrants(known: Grant, added: Grant): Grant {
  const claims = new Set([...(known.claims ?? []), ...(added.claims ?? [])])
  const { withdrawn: before = [], ...others } = known
  const access = mergeAccess(known.access, added.access, before)
  const { [NOWHERE]: _, ...somewhere } = added.access
  const allowed = Object.values(somewhere).flat()
  const withdrawn = before.filter((scope) => !allowed.includes(scope))
  return {
    ...others,
    access,
    ...(claims.size > 0 && { claims: [...claims] }),
    ...(withdrawn.length > 0 && { withdrawn }),
  }
}

/** The grant without these scopes at any resource, which notes that they have been withdrawn. A resource that is left without scopes is gone. */
export function withoutScopes(known: Grant, scopes: readonly string[]): Grant {
  const access = Object.entries(known.access).map(
    ([resource, allowed]) => [resource, allowed.filter((scope) => !scopes.includes(scope))] as const,
  )
  const had = new Set(Object.values(known.access).flat())
  const withdrawn = new Set([...(known.withdrawn ?? []), ...scopes.filter((scope) => had.has(scope))])
  return {
    ...known,
    access: Object.fromEntries(access.filter(([, allowed]) => allowed.length > 0)),
    withdrawn: [...withdrawn],
  }
}

/** Whether it allows nothing any more. */
export function isEmpty({ access }: Grant): boolean {
  return Object.keys(access).length === 0
}

function mergeAccess(
  { [NOWHERE]: before = [], ...known }: Grant['access'],
  { [NOWHERE]: more = [], ...added }: Grant['access'],
  withdrawn: readonly string[],
): Grant['access'] {
  const merged = new Map(Object.entries(known))
  for (const [resource, scopes] of Object.entries(added)) {
    const there = merged.get(resource) ?? []
    merged.delete(resource)
    merged.set(resource, [...new Set([...there, ...scopes])])
  }
  const forgotten = [...merged].slice(0, -MOST_RESOURCES).flatMap(([, scopes]) => scopes)
  const nowhere = new Set([...before, ...more, ...forgotten].filter((scope) => !withdrawn.includes(scope)))
  return Object.fromEntries([
    ...[...merged].slice(-MOST_RESOURCES),
    ...(nowhere.size > 0 ? [[NOWHERE, [...nowhere]] as const] : []),
  ])
}
