import type { Text } from '../text.js'

/** http on a loopback name, its port apart. The host follows the slashes at once, so user information never passes for it. */
const LOOPBACK = /^(http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost))(?::([1-9][0-9]{0,4}))?((?:[/?].*)?)$/

/**
 * RFC 9700 §4.1.3: strings are compared, exactly. Only the port is free, for http on loopback names, since native apps
 * cannot choose it (RFC 8252 §7.3, §8.3).
 */
export function matchesRedirectUri(requested: string, registered: readonly string[]): boolean {
  if (registered.includes(requested)) return true
  const loopback = splitLoopback(requested)
  if (loopback === undefined) return false
  return registered.some((uri) => {
    const known = splitLoopback(uri)
    return known !== undefined && known.host === loopback.host && known.rest === loopback.rest
  })
}

function splitLoopback(uri: string): { host: string; rest: string } | undefined {
  const [, host, port, rest] = LOOPBACK.exec(uri) ?? []
  if (host === undefined || rest === undefined || Number(port ?? 80) > 65_535) return undefined
  return { host, rest }
}

/** Where a redirect URI leads, in a user's words: a site, a program on this computer, or an app by its scheme. */
export type Destination =
  | { readonly kind: 'web'; readonly host: string }
  | { readonly kind: 'loopback'; readonly host: string }
  | { readonly kind: 'app'; readonly scheme: string }

export function destinationOf(redirectUri: string): Destination {
  const url = new URL(redirectUri)
  if (url.protocol === 'https:') return { kind: 'web', host: url.host }
  // Registration lets http through for loopback names only.
  if (url.protocol === 'http:') return { kind: 'loopback', host: url.host }
  return { kind: 'app', scheme: url.protocol.slice(0, -1) }
}

/** Registered URIs that a wrong one is compared with. Whoever has more of them does not get to make us look at them all. */
const MOST_COMPARED = 20

/** Says how a redirect URI differs from the nearest registered one. */
export function explainMismatch(requested: string, registered: readonly string[]): Text {
  if (requested.includes('#')) return { key: 'error.mismatch.fragment' }
  if (!URL.canParse(requested)) return { key: 'error.mismatch.not_absolute' }
  const parsed = new URL(requested)
  const differences = registered
    .slice(0, MOST_COMPARED)
    .map((uri) => differencesBetween(requested, parsed, uri))
    .filter((found) => found.length > 0)
  const [nearest] = differences.sort((a, b) => a.length - b.length)
  if (nearest === undefined) return { key: 'error.mismatch.none_registered' }
  const parts = nearest.map((part) => ({ key: `error.mismatch.${part}` }))
  return { key: 'error.mismatch.differs', values: { parts } }
}

function differencesBetween(requested: string, a: URL, registered: string): string[] {
  if (requested.toLowerCase() === registered.toLowerCase()) return ['case']
  if (requested === `${registered}/` || `${requested}/` === registered) return ['slash']
  const b = new URL(registered)
  const differences = []
  if (a.username !== b.username || a.password !== b.password) differences.push('user')
  if (a.protocol !== b.protocol) differences.push('scheme')
  if (a.hostname !== b.hostname) differences.push('host')
  const portIsFree = splitLoopback(requested) !== undefined && splitLoopback(registered) !== undefined
  if (a.protocol === b.protocol && a.port !== b.port && !portIsFree) differences.push('port')
  if (a.pathname !== b.pathname) differences.push('path')
  if (a.search !== b.search) differences.push('query')
  return differences.length > 0 ? differences : ['spelling']
}
