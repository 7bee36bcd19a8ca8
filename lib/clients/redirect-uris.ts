import { OAuthError } from '../errors.js'
import { isLoopback } from '../issuer.js'
import { strings } from './fields.js'

/** Schemes by which a browser, or a program that comes with the system, would run or open something instead of handing the code to an app. */
const DANGEROUS_SCHEMES = [
  ...['javascript', 'data', 'file', 'vbscript', 'blob', 'about', 'view-source', 'intent', 'filesystem'],
  ...['ftp', 'ws', 'wss', 'mailto', 'tel', 'sms', 'smsto', 'mms', 'sip', 'sips', 'facetime', 'callto'],
  ...['chrome', 'chrome-extension', 'moz-extension', 'edge', 'microsoft-edge', 'resource', 'jar', 'feed'],
  ...[
    'search',
    'search-ms',
    'shell',
    'res',
    'mk',
    'hcp',
    'help',
    'x-apple.systempreferences',
    'apple-events',
  ],
  ...['ssh', 'telnet', 'sftp', 'scp', 'smb', 'cifs', 'afp', 'nfs', 'dav', 'davs', 'rdp', 'vnc'],
  ...['ldap', 'ldaps', 'git', 'svn', 'irc', 'ircs', 'news', 'nntp', 'snews', 'gopher', 'magnet'],
  ...['urn', 'cid', 'mid', 'dns'],
]
/** Handlers that come with Windows and with Office. */
const DANGEROUS_BEGINNING = 'ms-'
/** RFC 6749 §4.1.2, RFC 9207 §2: a registered one would stand beside ours in the answer. */
export const RESPONSE_PARAMETERS = [
  ...['code', 'state', 'iss', 'error', 'error_description', 'error_uri'],
  ...['access_token', 'token_type', 'id_token', 'response'],
]

/** The redirect URIs of a client, each of which may become one. */
export function readRedirectUris(
  given: unknown,
  { isPublic, grantTypes }: { isPublic: boolean; grantTypes: readonly string[] },
): readonly string[] {
  const uris = strings('redirect_uris', given) ?? []
  if (uris.length === 0 && grantTypes.includes('authorization_code')) {
    throw invalidRedirectUri('(none)', 'is missing', 'Name at least one redirect URI.')
  }
  for (const uri of uris) {
    const found = redirectUriProblem(uri, { isPublic, reserved: RESPONSE_PARAMETERS })
    if (found) throw invalidRedirectUri(uri, found.problem, found.remedy)
  }
  return uris
}

/** By what a redirect URI is no good; pages have a text for each. */
export type RedirectUriFlaw =
  | ('character' | 'not_absolute' | 'no_host' | 'fragment' | 'wildcard' | 'user')
  | ('parameter' | 'scheme' | 'http' | 'private_use')

interface Problem {
  readonly flaw: RedirectUriFlaw
  /** The parameter or the scheme that it is about. */
  readonly name: string
  readonly problem: string
  readonly remedy: string
}

/** RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §4.1: what may never become a redirect URI. `reserved`: query parameters that the answer itself carries. */
export function redirectUriProblem(
  uri: string,
  { isPublic, reserved }: { readonly isPublic: boolean; readonly reserved: readonly string[] },
): Problem | undefined {
  const found = (flaw: RedirectUriFlaw, problem: string, remedy: string, name = '') => ({
    ...{ flaw, name, problem, remedy },
  })
  if (!/^[\x21-\x7e]+$/.test(uri) || /["<>\\^`{|}]/.test(uri)) {
    return found('character', 'has a character that a URI cannot have', 'Percent-encode it.')
  }
  if (!URL.canParse(uri))
    return found('not_absolute', 'is not an absolute URL', 'Write it with its scheme and host.')
  if (/^https?:(?!\/\/[^/])/i.test(uri))
    return found('no_host', 'has no host', 'Write it with two slashes and a host.')
  if (/#|%23/.test(uri)) return found('fragment', 'has a fragment', 'Remove the # and what follows it.')
  if (uri.includes('*')) return found('wildcard', 'has a wildcard', 'Register each redirect URI by itself.')
  const url = new URL(uri)
  const scheme = url.protocol.slice(0, -1)
  if (url.username !== '' || url.password !== '')
    return found('user', 'holds a user name or password', 'Remove it.')
  const clashing = reserved.find((name) => url.searchParams.has(name))
  if (clashing) {
    const problem = `has the query parameter ${clashing}, which the answer itself carries`
    return found('parameter', problem, 'Remove it.', clashing)
  }
  if (DANGEROUS_SCHEMES.includes(scheme) || scheme.startsWith(DANGEROUS_BEGINNING))
    return found('scheme', `has the scheme ${scheme}`, 'Use https.', scheme)
  if (scheme === 'https') return undefined
  if (scheme === 'http') {
    if (isLoopback(url.hostname)) return undefined
    const remedy = 'Use https; http is for localhost, 127.0.0.1 and [::1].'
    return found('http', 'is http on a host other than this computer', remedy)
  }
  if (isPublic) return undefined
  return found(
    'private_use',
    `has the private-use scheme ${scheme}, which only public clients may have (RFC 8252 section 7.1)`,
    "Leave client_secret out and set token_endpoint_auth_method: 'none'.",
    scheme,
  )
}

export function invalidRedirectUri(uri: string, problem: string, remedy: string): OAuthError {
  return new OAuthError('invalid_redirect_uri', `The redirect URI ${uri} ${problem}. ${remedy}`, {
    reason: 'metadata_redirect_uris',
  })
}
