import type { Grant } from './records.js'

/** Resources that one grant remembers. Beyond it the oldest are forgotten, and the user is asked again. */
const MOST_RESOURCES = 100

/** The grant that holds after a client with `known` is given `added` too: nothing is taken away. */
export function mergeGrants(known: Grant, added: Grant): Grant {
  const claims = new Set([...(known.claims ?? []), ...(added.claims ?? [])])
  const access = mergeAccess(known.access, added.access)
  return { ...known, access, ...(claims.size > 0 && { claims: [...claims] }) }
}

function mergeAccess(known: Grant['access'], added: Grant['access']): Grant['access'] {
  const merged = new Map(Object.entries(known))
  for (const [resource, scopes] of Object.entries(added)) {
    const before = merged.get(resource) ?? []
    merged.delete(resource)
    merged.set(resource, [...new Set([...before, ...scopes])])
  }
  return Object.fromEntries([...merged].slice(-MOST_RESOURCES))
}
