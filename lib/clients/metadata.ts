import { optional } from '../optional.js'
import type { ClientMetadata } from '../options.js'
import { isScopeToken } from '../scopes.js'
import type { Client, ClientSecret } from '../store/records.js'
import { suggestion } from '../suggestion.js'
import { authenticationFields, authenticationMetadata } from './authentication-metadata.js'
import { boolean, invalid, oneOf, string, strings, webPage } from './fields.js'
import { type ClientRules, openIdFields, openIdMetadata } from './openid-metadata.js'
import { readRedirectUris } from './redirect-uris.js'

const DEFAULT_GRANT_TYPES = ['authorization_code', 'refresh_token']
/** A client may be registered for more than is served here; the token endpoint refuses what is not. */
const GRANT_TYPES = [
  ...DEFAULT_GRANT_TYPES,
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code',
]
const FIELDS: Record<keyof ClientMetadata, true> = {
  client_id: true,
  client_secret: true,
  redirect_uris: true,
  client_name: true,
  client_uri: true,
  logo_uri: true,
  policy_uri: true,
  tos_uri: true,
  contacts: true,
  application_type: true,
  token_endpoint_auth_method: true,
  token_endpoint_auth_signing_alg: true,
  accept_endpoint_audience: true,
  jwks: true,
  jwks_uri: true,
  grant_types: true,
  response_types: true,
  scope: true,
  id_token_signed_response_alg: true,
  userinfo_signed_response_alg: true,
  id_token_claims: true,
  subject_type: true,
  sector_identifier_uri: true,
  default_max_age: true,
  require_auth_time: true,
  post_logout_redirect_uris: true,
  backchannel_logout_uri: true,
  backchannel_logout_session_required: true,
  initiate_login_uri: true,
  skip_consent: true,
  require_pkce: true,
  disabled: true,
}

/** Checks client metadata (RFC 7591 §2) and makes a client of it; a refusal names the field and the remedy. */
export function toClient(
  metadata: ClientMetadata,
  identity: Pick<Client, 'id' | 'revision' | 'createdAt'> & { readonly secret: ClientSecret | undefined },
  rules: ClientRules,
): Client {
  const { id, revision, secret, createdAt } = identity
  const grantTypes = strings('grant_types', metadata.grant_types, GRANT_TYPES) ?? DEFAULT_GRANT_TYPES
  const authentication = authenticationFields(metadata, secret, rules)
  const { confidential } = authentication
  strings('response_types', metadata.response_types, ['code'])
  const requirePkce = boolean('require_pkce', metadata.require_pkce) ?? true
  if (!requirePkce && !confidential) {
    throw invalid(
      'require_pkce',
      'can be false only for a client with a secret or a key',
      'Public clients need PKCE.',
    )
  }
  const redirectUris = readRedirectUris(metadata.redirect_uris, { isPublic: !confidential, grantTypes })
  return {
    id,
    revision,
    name: string('client_name', metadata.client_name) ?? id,
    redirectUris,
    grantTypes,
    requirePkce,
    skipConsent: boolean('skip_consent', metadata.skip_consent) ?? false,
    disabled: boolean('disabled', metadata.disabled) ?? false,
    createdAt,
    ...authentication,
    ...optional('secret', secret),
    ...optional('uri', webPage('client_uri', metadata.client_uri)),
    ...optional('logoUri', webPage('logo_uri', metadata.logo_uri)),
    ...optional('policyUri', webPage('policy_uri', metadata.policy_uri)),
    ...optional('tosUri', webPage('tos_uri', metadata.tos_uri)),
    ...optional('contacts', strings('contacts', metadata.contacts)),
    // OpenID Connect Dynamic Client Registration §2. What a redirect URI may be follows from the URI.
    ...optional('applicationType', oneOf('application_type', metadata.application_type, ['web', 'native'])),
    ...optional('scopes', scopeList(metadata.scope)),
    ...openIdFields(metadata, { redirectUris, confidential }, rules),
  }
}

/** The client under the names of RFC 7591, without its secret. */
export function toMetadata(client: Client): ClientMetadata & { client_id: string } {
  return {
    client_id: client.id,
    client_name: client.name,
    redirect_uris: client.redirectUris,
    grant_types: client.grantTypes,
    response_types: client.grantTypes.includes('authorization_code') ? ['code'] : [],
    ...optional('client_uri', client.uri),
    ...optional('logo_uri', client.logoUri),
    ...optional('policy_uri', client.policyUri),
    ...optional('tos_uri', client.tosUri),
    ...optional('contacts', client.contacts),
    ...optional('application_type', client.applicationType),
    ...authenticationMetadata(client),
    ...optional('scope', client.scopes?.join(' ')),
    ...openIdMetadata(client),
    skip_consent: client.skipConsent,
    require_pkce: client.requirePkce,
    disabled: client.disabled,
  }
}

/** Client ids are compared byte for byte, so nothing invisible may be in one. */
export function identifier(id: unknown): string {
  if (typeof id === 'string' && /^[^\p{C}]{1,255}$/u.test(id) && id.trim() === id) return id
  throw invalid(
    'client_id',
    'is no text, or empty, too long, or has invisible characters',
    'Use letters, digits, - and _.',
  )
}

export function refuseUnknownFields(metadata: ClientMetadata): void {
  if (typeof metadata !== 'object' || metadata === null || Symbol.iterator in metadata) {
    throw invalid('metadata', 'is not an object', "Write { client_name: '...', redirect_uris: ['...'] }.")
  }
  const known = Object.keys(FIELDS)
  const unknown = Object.keys(metadata).find((name) => !known.includes(name))
  if (unknown === undefined) return
  const meant = suggestion(unknown, known)
  throw invalid(unknown, 'is not known', meant ? `Did you mean ${meant}?` : `Known are: ${known.join(', ')}.`)
}

function scopeList(value: unknown): readonly string[] | undefined {
  const scopes = string('scope', value)?.split(' ').filter(Boolean)
  if (scopes === undefined || (scopes.length > 0 && scopes.every(isScopeToken))) return scopes
  throw invalid('scope', 'has a character that no scope can have', 'Write scopes separated by spaces.')
}
