import { OAuthError } from '../errors.js'
import type { ClientMetadata } from '../options.js'
import { isScopeToken } from '../settings.js'
import type { Client, ClientSecret } from '../store/records.js'
import { suggestion } from '../suggestion.js'
import { checkRedirectUri, invalidRedirectUri } from './redirect-uris.js'

const AUTH_METHODS = ['client_secret_basic', 'client_secret_post', 'none']
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
  grant_types: true,
  response_types: true,
  scope: true,
  skip_consent: true,
  require_pkce: true,
  disabled: true,
}

/** Checks client metadata (RFC 7591 §2) and makes a client of it; a refusal names the field and the remedy. */
export function toClient(
  metadata: ClientMetadata,
  identity: Pick<Client, 'id' | 'revision' | 'createdAt'> & { readonly secret: ClientSecret | undefined },
): Client {
  const { id, revision, secret, createdAt } = identity
  const method = metadata.token_endpoint_auth_method
  const grantTypes = strings('grant_types', metadata.grant_types, GRANT_TYPES) ?? DEFAULT_GRANT_TYPES
  checkAuthMethod(method, secret !== undefined)
  strings('response_types', metadata.response_types, ['code'])
  const requirePkce = boolean('require_pkce', metadata.require_pkce) ?? true
  if (!requirePkce && secret === undefined) {
    throw invalid('require_pkce', 'can be false only for a client with a secret', 'Public clients need PKCE.')
  }
  const redirectUris = readRedirectUris(metadata.redirect_uris, {
    isPublic: secret === undefined,
    grantTypes,
  })
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
    ...(secret && { secret }),
    ...(method !== undefined && { tokenEndpointAuthMethod: method }),
    ...optional('uri', webPage('client_uri', metadata.client_uri)),
    ...optional('logoUri', webPage('logo_uri', metadata.logo_uri)),
    ...optional('policyUri', webPage('policy_uri', metadata.policy_uri)),
    ...optional('tosUri', webPage('tos_uri', metadata.tos_uri)),
    ...optional('contacts', strings('contacts', metadata.contacts)),
    ...optional('applicationType', applicationType(metadata.application_type)),
    ...optional('scopes', scopeList(metadata.scope)),
  }
}

/** The secret that a host chose, checked; undefined where it chose none. RFC 6749 appendix A.2. */
export function chosenSecret(metadata: ClientMetadata): string | undefined {
  // One that is there but undefined, from an environment variable that is not set, must not make the client public.
  if (!('client_secret' in metadata)) return undefined
  const { client_secret: secret } = metadata
  if (typeof secret === 'string' && /^[^\p{C}]+$/u.test(secret)) return secret
  throw invalid(
    'client_secret',
    'is no text, or empty, or has invisible characters',
    'Set it, or leave it out. Is an environment variable missing?',
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
    ...optional('token_endpoint_auth_method', client.secret ? client.tokenEndpointAuthMethod : 'none'),
    ...optional('scope', client.scopes?.join(' ')),
    skip_consent: client.skipConsent,
    require_pkce: client.requirePkce,
    disabled: client.disabled,
  }
}

function readRedirectUris(
  given: readonly string[] | undefined,
  { isPublic, grantTypes }: { isPublic: boolean; grantTypes: readonly string[] },
): readonly string[] {
  const uris = strings('redirect_uris', given) ?? []
  if (uris.length === 0 && grantTypes.includes('authorization_code')) {
    throw invalidRedirectUri('(none)', 'is missing', 'Name at least one redirect URI.')
  }
  for (const uri of uris) checkRedirectUri(uri, isPublic)
  return uris
}

function checkAuthMethod(method: string | undefined, hasSecret: boolean): void {
  const field = 'token_endpoint_auth_method'
  if (method === undefined) return
  if (!AUTH_METHODS.includes(method))
    throw invalid(field, `is ${method}`, `Use one of: ${AUTH_METHODS.join(', ')}.`)
  if (method === 'none' && hasSecret)
    throw invalid(field, 'is none beside a client_secret', 'Leave one of the two out.')
  if (method !== 'none' && !hasSecret)
    throw invalid(field, `is ${method} without a client_secret`, 'Give a client_secret.')
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

function strings(field: string, value: unknown, known?: readonly string[]): readonly string[] | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    throw invalid(field, 'is not an array of strings', `Write ${field}: ['...'].`)
  }
  const strange = known && value.find((item) => !known.includes(item))
  if (strange !== undefined) throw invalid(field, `has ${strange}`, `Use: ${known?.join(', ')}.`)
  return [...new Set<string>(value)]
}

function string(field: string, value: unknown): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '')) return value
  throw invalid(field, 'is not a string', 'Leave it out or give a string that is not empty.')
}

/** OpenID Connect Dynamic Client Registration §2. Kept for whoever reads it: what a redirect URI may be follows from the URI. */
function applicationType(value: unknown): string | undefined {
  const type = string('application_type', value)
  if (type === undefined || type === 'web' || type === 'native') return type
  throw invalid('application_type', `is ${type}`, 'Use web or native.')
}

function boolean(field: string, value: unknown): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value
  throw invalid(field, 'is neither true nor false', 'Leave it out or give a boolean.')
}

function scopeList(value: unknown): readonly string[] | undefined {
  const scopes = string('scope', value)?.split(' ').filter(Boolean)
  if (scopes === undefined || (scopes.length > 0 && scopes.every(isScopeToken))) return scopes
  throw invalid('scope', 'has a character that no scope can have', 'Write scopes separated by spaces.')
}

function webPage(field: string, value: unknown): string | undefined {
  const uri = string(field, value)
  if (uri === undefined || (URL.canParse(uri) && new URL(uri).protocol === 'https:')) return uri
  throw invalid(field, 'is not an https URL', 'Give an https URL.')
}

function optional<Name extends string, T>(name: Name, value: T | undefined): { [K in Name]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { [K in Name]?: T })
}

function invalid(field: string, problem: string, remedy: string): OAuthError {
  return new OAuthError('invalid_client_metadata', `${field} ${problem}. ${remedy}`, {
    reason: `metadata_${field}`,
  })
}
