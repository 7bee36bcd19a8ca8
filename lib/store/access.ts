import type { Grant } from './records.js'

/** Resources that one grant remembers. Beyond it the oldest are forgotten, and the user is asked again. */
const MOST_RESOURCES = 100

/** What holds after somebody who had `known` is given `added` too: nothing is taken away. */
export function mergeAccess(known: Grant['access'], added: Grant['access']): Grant['access'] {
  const merged = new Map(Object.entries(known))
  for (const [resource, scopes] of Object.entries(added)) {
    const before = merged.get(resource) ?? []
    merged.delete(resource)
    merged.set(resource, [...new Set([...before, ...scopes])])
  }
  return Object.fromEntries([...merged].slice(-MOST_RESOURCES))
}
