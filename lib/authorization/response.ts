/** Where an authorization response goes. */
export interface ResponseTarget {
  readonly redirectUri: string
  readonly state?: string | undefined
}

/**
 * The redirect of an authorization response, success or error (RFC 6749 §4.1.2). The redirect URI is kept as it was registered, query
 * included; `iss` is always there (RFC 9207).
 */
export function responseUri(
  { redirectUri, state }: ResponseTarget,
  issuer: string,
  answer: Readonly<Record<string, string>>,
): string {
  const members = Object.entries({ ...answer, ...(state !== undefined && { state }), iss: issuer })
  const query = members.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
  const separator = !redirectUri.includes('?') ? '?' : /[?&]$/.test(redirectUri) ? '' : '&'
  return `${redirectUri}${separator}${query}`
}
