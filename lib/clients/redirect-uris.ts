import { OAuthError } from '../errors.js'
import { isLoopback } from '../issuer.js'
import { strings } from './fields.js'

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

interface Problem {
  readonly problem: string
  readonly remedy: string
}

/** RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §4.1: what may never become a redirect URI. `reserved`: query parameters that the answer itself carries. */
export function redirectUriProblem(
  uri: string,
  { isPublic, reserved }: { readonly isPublic: boolean; readonly reserved: readonly string[] },
): Problem | undefined {
  const found = (problem: string, remedy: string) => ({ problem, remedy })
  if (!/^[\x21-\x7e]+$/.test(uri) || /["<>\\^`{|}]/.test(uri)) {
    return found('has a character that a URI cannot have', 'Percent-encode it.')
  }
  if (!URL.canParse(uri)) return found('is not an absolute URL', 'Write it with its scheme and host.')
  if (/^https?:(?!\/\/[^/])/i.test(uri)) return found('has no host', 'Write it with two slashes and a host.')
  if (/#|%23/.test(uri)) return found('has a fragment', 'Remove the # and what follows it.')
  if (uri.includes('*')) return found('has a wildcard', 'Register each redirect URI by itself.')
  const url = new URL(uri)
  const scheme = url.protocol.slice(0, -1)
  if (url.username !== '' || url.password !== '') return found('holds a user name or password', 'Remove it.')
  const clashing = reserved.find((name) => url.searchParams.has(name))
  if (clashing)
    return found(`has the query parameter ${clashing}, which the answer itself carries`, 'Remove it.')
  if (DANGEROUS_SCHEMES.includes(scheme)) return found(`has the scheme ${scheme}`, 'Use https.')
  if (scheme === 'https') return undefined
  if (scheme === 'http') {
    if (isLoopback(url.hostname)) return undefined
    return found(
      'is http on a host other than this computer',
      'Use https; http is for localhost, 127.0.0.1 and [::1].',
    )
  }
  if (isPublic) return undefined
  return found(
    `has the private-use scheme ${scheme}, which only public clients may have (RFC 8252 section 7.1)`,
    "Leave client_secret out and set token_endpoint_auth_method: 'none'.",
  )
}

export function invalidRedirectUri(uri: string, problem: string, remedy: string): OAuthError {
  return new OAuthError('invalid_redirect_uri', `The redirect URI ${uri} ${problem}. ${remedy}`, {
    reason: 'metadata_redirect_uris',
  })
}
