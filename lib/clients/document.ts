import type { ClientMetadata } from '../options.js'
import type { Settings } from '../settings.js'
import { AUTH_METHODS, isBySecret } from './auth-methods.js'
import { invalid } from './fields.js'
import type { ClientRules } from './openid-metadata.js'
import { refuseTooMuch, STRANGER_GRANT_TYPES, strangerMetadata } from './stranger-metadata.js'

const METHOD = 'token_endpoint_auth_method'
/** There is nobody with whom one could be shared (OAuth Client ID Metadata Document §4.1). */
const SECRETS = ['client_secret', 'client_secret_expires_at']
/** What only says how answers should be: where it is not on offer, the client gets the usual. */
const WISHES = [
  'id_token_signed_response_alg',
  'userinfo_signed_response_alg',
  'introspection_signed_response_alg',
] as const

type DocumentRules = Pick<Settings, 'scopes'> & Pick<ClientRules, 'algs' | 'pairwiseSalt' | 'profile'>

/**
 * What a document says of the client whose id is its URL (OAuth Client ID Metadata Document §4). Documents are written for many servers: what
 * they list that is not on offer here is passed over, where enough is left. What stays is not checked yet.
 *
 * @throws OAuthError `invalid_client_metadata` that names the member and the remedy.
 */
export function documentMetadata(id: string, document: unknown, rules: DocumentRules): ClientMetadata {
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw invalid(
      'document',
      'is not a JSON object',
      'Write { "client_id": ..., "client_name": ..., "redirect_uris": [...] }.',
    )
  const members: Readonly<Record<string, unknown>> = { ...document }
  if (members.client_id !== id)
    throw invalid(
      'client_id',
      'is not the URL of the document',
      'Write that URL there, character for character.',
    )
  const secret = SECRETS.find((name) => name in members)
  if (secret !== undefined)
    throw invalid(
      secret,
      'is in a public document',
      'Leave it out; a client that can keep a key uses private_key_jwt.',
    )
  for (const name of ['client_name', 'redirect_uris'])
    if (!(name in members)) throw invalid(name, 'is missing', 'Every document has to have it.')
  refuseHttp(members)
  const metadata = strangerMetadata(members)
  // The option `sizeLimit` has seen to its length.
  refuseTooMuch(metadata, Number.POSITIVE_INFINITY)
  return { ...withoutUnoffered(metadata, rules), ...authMethod(metadata) }
}

/** Whatever `allowPrivateAddresses` says: who can serve a document over https can serve the rest of it so. */
function refuseHttp(members: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(members)) {
    const isUri = /_uri(?:#.*)?$/.test(name)
    if (isUri && typeof value === 'string' && /^\s*http:/i.test(value))
      throw invalid(printableName(name), 'is http', 'Give an https URL.')
  }
}

function authMethod({ [METHOD]: given, jwks, jwks_uri }: ClientMetadata): ClientMetadata {
  // Whoever gives keys means to prove itself by them: which way is asked for, and not guessed.
  if (given === undefined) return jwks === undefined && jwks_uri === undefined ? { [METHOD]: 'none' } : {}
  const known = AUTH_METHODS.find((method) => method === given)
  if (known === undefined || !isBySecret(known)) return { [METHOD]: given }
  throw invalid(
    METHOD,
    `is ${known}, for which a secret would have to be shared`,
    'Use none or private_key_jwt.',
  )
}

function withoutUnoffered(metadata: ClientMetadata, rules: DocumentRules): ClientMetadata {
  const { grant_types, response_types, scope, subject_type, ...others } = metadata
  const algs = rules.algs.filter((alg) => rules.profile.signingAlgs.includes(alg))
  const wishes = WISHES.filter((name) => !algs.some((alg) => alg === others[name]))
  const kept = Object.entries(others).filter(([name]) => !wishes.some((wish) => wish === name))
  return {
    ...Object.fromEntries(kept),
    ...listed('grant_types', grant_types, STRANGER_GRANT_TYPES),
    ...listed('response_types', response_types, ['code']),
    ...scopesOn(scope, rules),
    ...(subject_type !== undefined &&
      (subject_type !== 'pairwise' || rules.pairwiseSalt !== undefined) && { subject_type }),
  }
}

/** Those on offer of what a document lists; a list without one would be a client that can do nothing. */
function listed(
  name: 'grant_types' | 'response_types',
  value: unknown,
  offered: readonly string[],
): ClientMetadata {
  if (!Array.isArray(value)) return value === undefined ? {} : ({ [name]: value } as ClientMetadata)
  const left = value.filter((item) => offered.includes(item))
  if (left.length > 0 || value.length === 0) return { [name]: left }
  throw invalid(name, 'names none that is on offer here', `Name one or more of: ${offered.join(', ')}.`)
}

function scopesOn(scope: unknown, { scopes }: Pick<Settings, 'scopes'>): ClientMetadata {
  if (typeof scope !== 'string') return scope === undefined ? {} : ({ scope } as ClientMetadata)
  const known = scope.split(' ').filter((name) => scopes.has(name))
  return known.length > 0 ? { scope: known.join(' ') } : {}
}

function printableName(name: string): string {
  return name.replace(/[^\w#-]/g, '?').slice(0, 100)
}
