import { OAuthError } from '../errors.js'
import { isLoopback } from '../issuer.js'

/** Schemes by which a browser would run or open something instead of handing the code to an app. */
const DANGEROUS_SCHEMES = [
  ...['javascript', 'data', 'file', 'vbscript', 'blob', 'about', 'view-source', 'intent', 'filesystem'],
  ...['ftp', 'ws', 'wss', 'mailto', 'tel', 'sms'],
]
/** RFC 6749 §4.1.2, RFC 9207 §2: a registered one would stand beside ours in the answer. */
const RESPONSE_PARAMETERS = [
  ...['code', 'state', 'iss', 'error', 'error_description', 'error_uri'],
  ...['access_token', 'token_type', 'id_token', 'response'],
]

/** RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §4.1: what may never become a redirect URI. */
export function checkRedirectUri(uri: string, isPublic: boolean): void {
  const refuse = (problem: string, remedy: string) => invalidRedirectUri(uri, problem, remedy)
  if (!/^[\x21-\x7e]+$/.test(uri) || /["<>\\^`{|}]/.test(uri)) {
    throw refuse('has a character that a URI cannot have', 'Percent-encode it.')
  }
  if (!URL.canParse(uri)) throw refuse('is not an absolute URL', 'Write it with its scheme and host.')
  if (/^https?:(?!\/\/[^/])/i.test(uri)) throw refuse('has no host', 'Write it with two slashes and a host.')
  if (/#|%23/.test(uri)) throw refuse('has a fragment', 'Remove the # and what follows it.')
  if (uri.includes('*')) throw refuse('has a wildcard', 'Register each redirect URI by itself.')
  const url = new URL(uri)
  const scheme = url.protocol.slice(0, -1)
  if (url.username !== '' || url.password !== '') throw refuse('holds a user name or password', 'Remove it.')
  const clashing = RESPONSE_PARAMETERS.find((name) => url.searchParams.has(name))
  if (clashing)
    throw refuse(`has the query parameter ${clashing}, which the answer itself carries`, 'Remove it.')
  if (DANGEROUS_SCHEMES.includes(scheme)) throw refuse(`has the scheme ${scheme}`, 'Use https.')
  if (scheme === 'https') return
  if (scheme === 'http') {
    if (isLoopback(url.hostname)) return
    throw refuse(
      'is http on a host other than this computer',
      'Use https; http is for localhost, 127.0.0.1 and [::1].',
    )
  }
  if (!isPublic)
    throw refuse(
      `has the private-use scheme ${scheme}, which only public clients may have (RFC 8252 section 7.1)`,
      "Leave client_secret out and set token_endpoint_auth_method: 'none'.",
    )
}

export function invalidRedirectUri(uri: string, problem: string, remedy: string): OAuthError {
  return new OAuthError('invalid_redirect_uri', `The redirect URI ${uri} ${problem}. ${remedy}`, {
    reason: 'metadata_redirect_uris',
  })
}
