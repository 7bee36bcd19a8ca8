import { GRANT_TYPES } from '../grant-types.js'
import type { ClientMetadata } from '../options.js'
import { invalid } from './fields.js'
import { isLocalized } from './localized.js'

/** What a client may say of itself where nobody vouches for it: in its document, or when it registers itself. All else is for the host to say. */
const STRANGER_FIELDS = [
  ...([
    'redirect_uris',
    'client_name',
    'client_uri',
    'logo_uri',
    'policy_uri',
    'tos_uri',
    'contacts',
  ] as const),
  ...(['software_id', 'software_version', 'application_type'] as const),
  ...(['grant_types', 'response_types', 'scope', 'authorization_details_types'] as const),
  ...(['token_endpoint_auth_method', 'token_endpoint_auth_signing_alg', 'jwks', 'jwks_uri'] as const),
  ...(['tls_client_auth_subject_dn', 'tls_client_auth_san_dns', 'tls_client_auth_san_uri'] as const),
  ...(['tls_client_auth_san_ip', 'tls_client_auth_san_email'] as const),
  ...(['tls_client_certificate_bound_access_tokens', 'dpop_bound_access_tokens'] as const),
  ...(['require_pushed_authorization_requests', 'require_signed_request_object'] as const),
  ...(['request_object_signing_alg', 'introspection_signed_response_alg'] as const),
  ...(['id_token_signed_response_alg', 'userinfo_signed_response_alg'] as const),
  ...(['subject_type', 'sector_identifier_uri', 'default_max_age', 'require_auth_time'] as const),
  ...(['post_logout_redirect_uris', 'backchannel_logout_uri'] as const),
  ...(['backchannel_logout_session_required', 'initiate_login_uri'] as const),
] satisfies readonly (keyof ClientMetadata)[]

/** The grant types that a client may give itself: a user is asked in each. */
export const STRANGER_GRANT_TYPES: readonly string[] = [
  GRANT_TYPES.authorizationCode.name,
  GRANT_TYPES.refreshToken.name,
  GRANT_TYPES.deviceCode.name,
]

/** Whether a client may say this of itself. */
export function isStrangerField(name: string): boolean {
  return STRANGER_FIELDS.some((field) => field === name) || isLocalized(name)
}

/** Of what a client says of itself, what it may say; nothing is checked yet, and what nobody knows is left out (RFC 7591 §2). */
export function strangerMetadata(given: object): ClientMetadata {
  return Object.fromEntries(Object.entries(given).filter(([name]) => isStrangerField(name)))
}

/** Of a client's metadata, what only the host can have said. */
export function hostMetadata(metadata: ClientMetadata): ClientMetadata {
  return Object.fromEntries(
    Object.entries(metadata).filter(([name]) => name !== 'client_id' && !isStrangerField(name)),
  )
}

/** Entries of one list: redirect URIs, contacts, keys. */
const MOST_ENTRIES = 50
/** Languages in which a client says what it is. */
const MOST_LANGUAGES = 10
/** Characters of all of it together, about as JSON has them. */
const LONGEST = 16 * 1024
/** Objects and lists within each other: certificates, in the list of a key, in the list of a key set. */
const DEEPEST = 6

/**
 * Refuses more than any client needs, before anything is done that takes longer the more there is. `longest`: where something else has seen to
 * the length already, it is infinite.
 *
 * @throws OAuthError `invalid_client_metadata` that names the member.
 */
export function refuseTooMuch(metadata: object, longest = LONGEST): void {
  const languages = new Set<string>()
  let left = longest
  for (const [name, value] of Object.entries(metadata)) {
    const [member = '', language] = name.split(/#(.*)/s, 2)
    if (language !== undefined) languages.add(language.toLowerCase())
    if (languages.size > MOST_LANGUAGES)
      throw invalid(
        member,
        `is there in more than ${MOST_LANGUAGES} languages`,
        'Give the most important ones.',
      )
    if (Array.isArray(value) && value.length > MOST_ENTRIES)
      throw invalid(member, `has more than ${MOST_ENTRIES} entries`, 'Leave some out.')
    left -= name.length + lengthOf(member, value, left)
    if (left < 0)
      throw invalid(member, `makes the metadata longer than ${longest} characters`, 'Leave something out.')
  }
}

/** Not by JSON.stringify, which a list in a list in a list could lead too deep. What is longer than `most` is not measured to its end. */
function lengthOf(member: string, value: unknown, most: number): number {
  const open = [{ value, depth: 0 }]
  let length = 0
  for (let next = open.pop(); next !== undefined && length <= most; next = open.pop()) {
    const { value, depth } = next
    length += 2
    if (typeof value === 'string') length += value.length
    if (typeof value !== 'object' || value === null) continue
    if (depth >= DEEPEST) throw invalid(member, 'is nested too deeply', 'Give what the specification has.')
    for (const [name, within] of Object.entries(value)) {
      length += name.length
      open.push({ value: within, depth: depth + 1 })
    }
  }
  return length
}
