import { type AuthMethodName, offeredAuthMethods } from '../clients/auth-methods.js'
import { invalid, oneOf, string, strings } from '../clients/fields.js'
import { GRANT_TYPES, goesUnasked } from '../grant-types.js'
import { optional } from '../optional.js'
import type { ClientMetadata } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Settings } from '../settings.js'

/** What a client that registers itself can have. */
export interface Offer {
  /** The grant types of this server. */
  readonly grantTypes: readonly string[]
  /** Of these, whether it may have one by which it gets tokens that no user is asked for. */
  mayGoUnasked(grantType: string): boolean
}

type Metadata = ClientMetadata & { readonly grant_types: readonly string[] }

const CODE = GRANT_TYPES.authorizationCode.name
/** Those whose user is asked, and that give refresh tokens. */
const REFRESHABLE: readonly string[] = [CODE, GRANT_TYPES.deviceCode.name]

/**
 * What a client declares, with the defaults of RFC 7591 §2 and without the scopes that there are not. What a host may register before it is
 * turned on, a client is told at once that it is not there.
 *
 * @throws OAuthError `invalid_client_metadata`
 */
export function asOffered(declared: ClientMetadata, runtime: Runtime, offer: Offer): Metadata {
  const { settings } = runtime
  oneOf('token_endpoint_auth_method', declared.token_endpoint_auth_method, methodsFor(runtime))
  const grant_types = grantTypesOf(declared, offer)
  checkResponseTypes(declared, grant_types)
  refuseWhatIsOff(declared, settings)
  const types = [...settings.authorizationDetails.keys()]
  if (types.length === 0 && declared.authorization_details_types !== undefined)
    throw invalid('authorization_details_types', 'means nothing here', 'Leave it out.')
  strings('authorization_details_types', declared.authorization_details_types, types)
  const { scope, ...others } = declared
  return { ...others, grant_types, ...optional('scope', knownScopes(scope, settings)) }
}

/**
 * Whether nothing but its users' consent limits the scopes of a client, whichever it has named: they are asked for all of its tokens, and nobody who
 * is trusted has named any. MCP clients register with the scopes of the first challenge, and keep their registration when they need more.
 */
export function mayAskForAny(
  { grant_types }: Pick<Metadata, 'grant_types'>,
  stated: ClientMetadata = {},
): true | undefined {
  return stated.scope === undefined && !grant_types.some(goesUnasked) ? true : undefined
}

/** For a MAC the secret itself has to be kept, which is encrypted then. */
function methodsFor({ settings, sealer }: Runtime): readonly AuthMethodName[] {
  return offeredAuthMethods(settings).filter(
    (method) => method !== 'client_secret_jwt' || sealer !== undefined,
  )
}

function grantTypesOf(
  { grant_types: given }: ClientMetadata,
  { grantTypes, mayGoUnasked }: Offer,
): readonly string[] {
  const field = 'grant_types'
  const chosen = strings(field, given, grantTypes) ?? [CODE]
  const unasked = chosen.find((grantType) => goesUnasked(grantType) && !mayGoUnasked(grantType))
  if (unasked !== undefined)
    throw invalid(
      field,
      `has ${unasked}, by which a client gets tokens that no user is asked for`,
      'Leave it out, or register with what vouches for you: an initial access token, or a software statement that names it.',
    )
  if (chosen.some((grantType) => grantType !== GRANT_TYPES.refreshToken.name)) {
    const refreshes = chosen.includes(GRANT_TYPES.refreshToken.name)
    if (!refreshes || chosen.some((grantType) => REFRESHABLE.includes(grantType))) return chosen
  }
  throw invalid(field, 'has none that gives a first token', `Add ${CODE}.`)
}

/** RFC 7591 §2.1: which of them go together. */
function checkResponseTypes({ response_types: given }: ClientMetadata, grantTypes: readonly string[]): void {
  const field = 'response_types'
  const types = strings(field, given, ['code'])
  if (types === undefined || types.includes('code') === grantTypes.includes(CODE)) return
  if (types.includes('code'))
    throw invalid(field, `has code without the grant type ${CODE}`, 'Add that, or leave it out.')
  throw invalid(field, `has no code beside the grant type ${CODE}`, "Write ['code'], or leave it out.")
}

/** Flags that demand something, and whether it is there. */
function refuseWhatIsOff(declared: ClientMetadata, { features, mtls, pairwiseSalt }: Settings): void {
  const demands: readonly (readonly [field: keyof ClientMetadata, value: unknown, offered: boolean])[] = [
    ['dpop_bound_access_tokens', true, features.dpop],
    ['tls_client_certificate_bound_access_tokens', true, mtls !== undefined],
    ['require_pushed_authorization_requests', true, features.pushedAuthorizationRequests],
    ['subject_type', 'pairwise', pairwiseSalt !== undefined],
  ]
  for (const [field, value, offered] of demands)
    if (!offered && declared[field] === value)
      throw invalid(field, `is ${value}, which this server does not offer`, 'Leave it out.')
}

/**
 * Clients ask for scopes of other servers too, and one that is not here does no harm. Where none of them is, it is as if they had named none:
 * who names none may ask its users for any.
 */
function knownScopes(scope: unknown, { scopes }: Settings): string | undefined {
  const named = string('scope', scope)?.split(' ').filter(Boolean) ?? []
  const known = named.filter((name) => scopes.has(name))
  return known.length === 0 ? undefined : [...new Set(known)].join(' ')
}
