/**
 * Whether `htu` of a proof names the URL of a request, query and fragment aside (RFC 9449 §4.3). Both are brought into one spelling
 * (RFC 3986 §6.2.2, §6.2.3): scheme and host in lower case, no default port, no dot segments, nothing percent-encoded that need not be.
 */
export function namesUrl(htu: unknown, url: string): boolean {
  const named = normalized(htu)
  return named !== undefined && named === normalized(url)
}

function normalized(url: unknown): string | undefined {
  if (typeof url !== 'string') return undefined
  const [place = ''] = url.split(/[?#]/, 1)
  // URL would take a backslash for a slash, and leave out spaces. What follows the path may have any.
  if (!/^https?:\/\/[^\s\\]+$/i.test(place) || !URL.canParse(place)) return undefined
  const { origin, pathname, username, password } = new URL(place)
  if (username !== '' || password !== '') return undefined
  return origin + pathname.replace(/%[0-9a-f]{2}/gi, leastEncoded)
}

function leastEncoded(encoded: string): string {
  const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16))
  return /[\w.~-]/.test(character) ? character : encoded.toUpperCase()
}
