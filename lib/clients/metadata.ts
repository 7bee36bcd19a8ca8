import { GRANT_TYPES } from '../grant-types.js'
import { optional } from '../optional.js'
import type { ClientMetadata } from '../options.js'
import { isScopeToken } from '../scopes.js'
import type { Client } from '../store/records.js'
import { suggestion } from '../suggestion.js'
import { authenticationFields, authenticationMetadata } from './authentication-metadata.js'
import { certificateFields, certificateMetadata } from './certificate-metadata.js'
import { boolean, invalid, oneOf, string, strings, webPage } from './fields.js'
import { grantTypesWithin, scopesWithin } from './host-limit.js'
import { isLocalized, localizedFields } from './localized.js'
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
  software_id: true,
  software_version: true,
  owner_id: true,
  verified: true,
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

/** What the host is told of a client beside its metadata, and may hand back with them. */
const ANSWERED = ['source', 'client_id_issued_at']

/** What a client has that its metadata do not say. */
export type Identity = Pick<
  Client,
  | ('id' | 'revision' | 'createdAt' | 'secret' | 'previousSecret' | 'source')
  | ('softwareStatement' | 'registrationToken' | 'fingerprint' | 'expiresAt' | 'anyScope' | 'hostLimit')
>

/** The same of a client that there is, but for its secrets. */
export function identityOf(client: Client): Omit<Identity, 'secret' | 'previousSecret'> {
  const { id, revision, createdAt, source, softwareStatement } = client
  return {
    ...{ id, revision, createdAt },
    ...optional('source', source),
    ...optional('softwareStatement', softwareStatement),
    ...optional('registrationToken', client.registrationToken),
    ...optional('fingerprint', client.fingerprint),
    ...optional('expiresAt', client.expiresAt),
    ...optional('anyScope', client.anyScope),
    ...optional('hostLimit', client.hostLimit),
  }
}

/** Checks client metadata (RFC 7591 §2) and makes a client of it; a refusal names the field and the remedy. */
export function toClient(metadata: ClientMetadata, identity: Identity, rules: ClientRules): Client {
  const { id, secret, hostLimit } = identity
  const names = Object.values(GRANT_TYPES).map(({ name }) => name)
  const said = strings('grant_types', metadata.grant_types, names) ?? DEFAULT_GRANT_TYPES
  const grantTypes = grantTypesWithin(hostLimit, said)
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
    ...identity,
    name: string('client_name', metadata.client_name) ?? id,
    redirectUris,
    grantTypes,
    requirePkce,
    skipConsent: boolean('skip_consent', metadata.skip_consent) ?? false,
    disabled: boolean('disabled', metadata.disabled) ?? false,
    ...authentication,
    ...certificateFields(metadata, rules),
    ...requestFields(metadata, authentication, rules),
    ...tokenFields(metadata, authentication, rules),
    ...optional('uri', webPage('client_uri', metadata.client_uri)),
    ...optional('logoUri', webPage('logo_uri', metadata.logo_uri)),
    ...optional('policyUri', webPage('policy_uri', metadata.policy_uri)),
    ...optional('tosUri', webPage('tos_uri', metadata.tos_uri)),
    ...optional('contacts', strings('contacts', metadata.contacts)),
    // OpenID Connect Dynamic Client Registration §2. What a redirect URI may be follows from the URI.
    ...optional('applicationType', oneOf('application_type', metadata.application_type, ['web', 'native'])),
    ...optional('scopes', scopesWithin(hostLimit, scopeList(metadata.scope))),
    ...optional('softwareId', string('software_id', metadata.software_id)),
    ...optional('softwareVersion', string('software_version', metadata.software_version)),
    ...optional('ownerId', string('owner_id', metadata.owner_id)),
    ...optional('verified', boolean('verified', metadata.verified)),
    ...optional('localized', localizedFields(metadata)),
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
    ...optional('software_id', client.softwareId),
    ...optional('software_version', client.softwareVersion),
    ...optional('owner_id', client.ownerId),
    ...optional('verified', client.verified),
    ...client.localized,
    ...openIdMetadata(client),
    skip_consent: client.skipConsent,
    require_pkce: client.requirePkce,
    disabled: client.disabled,
  }
}

export function refuseUnknownFields(metadata: object): void {
  if (typeof metadata !== 'object' || metadata === null || Symbol.iterator in metadata) {
    throw invalid('metadata', 'is not an object', "Write { client_name: '...', redirect_uris: ['...'] }.")
  }
  const known = Object.keys(FIELDS)
  const isKnown = (name: string) => known.includes(name) || ANSWERED.includes(name) || isLocalized(name)
  const unknown = Object.keys(metadata).find((name) => !isKnown(name))
  if (unknown === undefined) return
  const meant = suggestion(unknown, known)
  throw invalid(unknown, 'is not known', meant ? `Did you mean ${meant}?` : `Known are: ${known.join(', ')}.`)
}

function scopeList(value: unknown): readonly string[] | undefined {
  const scopes = string('scope', value)?.split(' ').filter(Boolean)
  if (scopes === undefined || (scopes.length > 0 && scopes.every(isScopeToken))) return scopes
  throw invalid('scope', 'has a character that no scope can have', 'Write scopes separated by spaces.')
}
