import { GRANT_TYPES } from '../grant-types.js'
import { optional } from '../optional.js'
import type { ClientMetadata, StaticClient } from '../options.js'
import { isScopeToken } from '../scopes.js'
import type { Client } from '../store/records.js'
import { suggestion } from '../suggestion.js'
import { authenticationFields, authenticationMetadata } from './authentication-metadata.js'
import { certificateFields, certificateMetadata } from './certificate-metadata.js'
import { boolean, invalid, oneOf, string, strings, webPage } from './fields.js'
import { type ClientRules, openIdFields, openIdMetadata } from './openid-metadata.js'
import { forbiddenBy } from './profile.js'
import { readRedirectUris } from './redirect-uris.js'
import { requestFields, requestMetadata } from './request-metadata.js'
import { tokenFields, tokenMetadata } from './token-metadata.js'

const DEFAULT_GRANT_TYPES = [GRANT_TYPES.authorizationCode.name, GRANT_TYPES.refreshToken.name]
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
  tls_client_auth_subject_dn: true,
  tls_client_auth_san_dns: true,
  tls_client_auth_san_uri: true,
  tls_client_auth_san_ip: true,
  tls_client_auth_san_email: true,
  tls_client_certificate_bound_access_tokens: true,
  dpop_bound_access_tokens: true,
  require_pushed_authorization_requests: true,
  request_object_signing_alg: true,
  require_signed_request_object: true,
  authorization_details_types: true,
  introspection_signed_response_alg: true,
  resources: true,
  access_token_lifetime: true,
  refresh_token_lifetime: true,
  refresh_token_total_lifetime: true,
  id_token_lifetime: true,
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
  identity: Pick<Client, 'id' | 'revision' | 'createdAt' | 'secret' | 'previousSecret'>,
  rules: ClientRules,
): Client {
  const { id, revision, secret, previousSecret, createdAt } = identity
  const grantTypes =
    strings(
      'grant_types',
      metadata.grant_types,
      Object.values(GRANT_TYPES).map(({ name }) => name),
    ) ?? DEFAULT_GRANT_TYPES
  const authentication = authenticationFields(metadata, secret, rules)
  const { confidential } = authentication
  if (!confidential) refuseForPublic(grantTypes)
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
  const client: Client = {
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
    ...certificateFields(metadata, rules),
    ...requestFields(metadata, authentication, rules),
    ...tokenFields(metadata, rules),
    ...optional('secret', secret),
    ...optional('previousSecret', previousSecret),
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
  const refusal = forbiddenBy(rules.profile, client)
  if (refusal === undefined) return client
  throw refusal
}

function refuseForPublic(grantTypes: readonly string[]): void {
  const forConfidential = Object.values(GRANT_TYPES).filter(({ onlyConfidential }) => onlyConfidential)
  const refused = forConfidential.find(({ name }) => grantTypes.includes(name))
  if (refused !== undefined)
    throw invalid(
      'grant_types',
      `has ${refused.name}, which is for clients with a secret or a key`,
      'Leave it out, or give the client a secret or a key.',
    )
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
    ...certificateMetadata(client),
    ...requestMetadata(client),
    ...tokenMetadata(client),
    ...optional('scope', client.scopes?.join(' ')),
    ...openIdMetadata(client),
    skip_consent: client.skipConsent,
    require_pkce: client.requirePkce,
    disabled: client.disabled,
  }
}

export function refuseUnknownFields(metadata: ClientMetadata | StaticClient): void {
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
