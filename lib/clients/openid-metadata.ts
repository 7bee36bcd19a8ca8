import type { SigningAlg } from '../keys/signing-keys.js'
import { optional } from '../optional.js'
import type { ClientMetadata } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { boolean, invalid, oneOf, remoteUrl, string, strings, wholeSeconds } from './fields.js'
import { redirectUriProblem } from './redirect-uris.js'

/** RP-Initiated Logout §3: all that is added to the URI on the way back. */
const LOGOUT_PARAMETERS = ['state']

/** What the rules for a client depend on beside its metadata. */
export interface ClientRules
  extends Pick<Settings, 'pairwiseSalt' | 'allowPrivateAddresses' | 'mtls' | 'features' | 'profile'> {
  /** The algorithms that ID tokens can be signed with. */
  readonly algs: readonly SigningAlg[]
}

export function clientRules({
  settings,
  keys,
}: Pick<Runtime, 'settings'> & { readonly keys: Pick<Runtime['keys'], 'algs'> }): Settings & ClientRules {
  return { ...settings, algs: keys.algs }
}

type OpenIdFields = Pick<
  Client,
  | 'idTokenSignedResponseAlg'
  | 'userinfoSignedResponseAlg'
  | 'idTokenClaims'
  | 'subjectType'
  | 'sectorIdentifierUri'
  | 'defaultMaxAge'
  | 'requireAuthTime'
  | 'postLogoutRedirectUris'
  | 'backchannelLogoutUri'
  | 'backchannelLogoutSessionRequired'
  | 'initiateLoginUri'
>

/** OpenID Connect Dynamic Client Registration §2, RP-Initiated Logout §3.1, Back-Channel Logout §2.2. */
export function openIdFields(
  metadata: ClientMetadata,
  client: Pick<Client, 'redirectUris' | 'confidential'>,
  rules: ClientRules,
): OpenIdFields {
  const alg = (name: 'id_token_signed_response_alg' | 'userinfo_signed_response_alg') =>
    oneOf(name, metadata[name], rules.algs)
  const flag = (name: 'require_auth_time' | 'backchannel_logout_session_required') =>
    boolean(name, metadata[name])
  const remote = (name: 'sector_identifier_uri' | 'backchannel_logout_uri') =>
    remoteUrl(name, metadata[name], rules)
  const sectorIdentifierUri = remote('sector_identifier_uri')
  return {
    ...optional('idTokenSignedResponseAlg', alg('id_token_signed_response_alg')),
    ...optional('userinfoSignedResponseAlg', alg('userinfo_signed_response_alg')),
    ...optional(
      'idTokenClaims',
      oneOf('id_token_claims', metadata.id_token_claims, ['minimal', 'scopes'] as const),
    ),
    ...optional('subjectType', subjectType(metadata, client, rules)),
    ...optional('sectorIdentifierUri', sectorIdentifierUri),
    ...optional('defaultMaxAge', wholeSeconds('default_max_age', metadata.default_max_age)),
    ...optional('requireAuthTime', flag('require_auth_time')),
    ...optional('postLogoutRedirectUris', postLogoutRedirectUris(metadata, client)),
    ...optional('backchannelLogoutUri', remote('backchannel_logout_uri')),
    ...optional('backchannelLogoutSessionRequired', flag('backchannel_logout_session_required')),
    ...optional('initiateLoginUri', loginUri(metadata.initiate_login_uri)),
  }
}

/** The same under the names of the specifications. */
export function openIdMetadata(client: Client): ClientMetadata {
  return {
    ...optional('id_token_signed_response_alg', client.idTokenSignedResponseAlg),
    ...optional('userinfo_signed_response_alg', client.userinfoSignedResponseAlg),
    ...optional('id_token_claims', client.idTokenClaims),
    ...optional('subject_type', client.subjectType),
    ...optional('sector_identifier_uri', client.sectorIdentifierUri),
    ...optional('default_max_age', client.defaultMaxAge),
    ...optional('require_auth_time', client.requireAuthTime),
    ...optional('post_logout_redirect_uris', client.postLogoutRedirectUris),
    ...optional('backchannel_logout_uri', client.backchannelLogoutUri),
    ...optional('backchannel_logout_session_required', client.backchannelLogoutSessionRequired),
    ...optional('initiate_login_uri', client.initiateLoginUri),
  }
}

/** OpenID Connect Core §8.1: without a sector_identifier_uri the host of the redirect URIs is the sector, so there must be one; or none, for apps. A client without redirect URIs is a sector by itself. */
function subjectType(
  { subject_type, sector_identifier_uri }: ClientMetadata,
  { redirectUris }: Pick<Client, 'redirectUris'>,
  { pairwiseSalt }: ClientRules,
): string | undefined {
  const type = oneOf('subject_type', subject_type, ['public', 'pairwise'])
  if (type !== 'pairwise') return type
  if (pairwiseSalt === undefined)
    throw invalid('subject_type', 'is pairwise', 'Set the option pairwiseSalt, or use public.')
  const hosts = new Set(
    redirectUris.map((uri) => (uri.startsWith('https:') ? new URL(uri).hostname : 'none')),
  )
  if (sector_identifier_uri !== undefined || hosts.size <= 1) return type
  throw invalid(
    'subject_type',
    'is pairwise although the redirect URIs are not on one host',
    'Give a sector_identifier_uri that lists them.',
  )
}

function postLogoutRedirectUris(
  { post_logout_redirect_uris: given }: ClientMetadata,
  { confidential }: Pick<Client, 'confidential'>,
): readonly string[] | undefined {
  const field = 'post_logout_redirect_uris'
  const uris = strings(field, given)
  for (const uri of uris ?? []) {
    const found = redirectUriProblem(uri, { isPublic: !confidential, reserved: LOGOUT_PARAMETERS })
    if (found) throw invalid(field, `has ${uri}, which ${found.problem}`, found.remedy)
  }
  return uris
}

function loginUri(value: unknown): string | undefined {
  const uri = string('initiate_login_uri', value)
  if (uri === undefined || (/^https:\/\//i.test(uri) && URL.canParse(uri))) return uri
  throw invalid('initiate_login_uri', 'is not an https URL', 'Give an https URL.')
}
