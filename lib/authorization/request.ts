import { OAuthError } from '../errors.js'
import { localesIn } from '../locales.js'
import { optional } from '../optional.js'
import type { AuthorizationDetail, LoginHints } from '../options.js'
import type { Parameters } from '../parameters.js'
import type { Settings } from '../settings.js'
import type { ClaimsRequest } from '../standard-claims.js'
import type { Client } from '../store/records.js'
import { allowedClaims, claimsBeyond, type RequestedClaims, requestedClaims } from './claims-request.js'
import { requestedKey } from './code-key.js'
import { requestedDetails } from './details.js'
import { requestedMaxAge } from './max-age.js'
import { requestedChallenge, requiredChallenge } from './pkce.js'
import { type Prompt, requestedPrompts } from './prompt.js'
import { requestedResources, scopesFor } from './resource.js'
import { checkResponseMode, type ResponseTarget } from './response.js'
import { defaultScopesOf, scopesBeside, scopesOf } from './scope.js'

/** A checked authorization request (RFC 6749 §4.1.1), as it waits for its user. */
export interface AuthorizationRequest extends ResponseTarget {
  readonly clientId: string
  readonly redirectUri: string
  /** It was not named, since the client has only one; then the token request need not name it either. */
  readonly redirectUriLeftOut?: boolean
  readonly state?: string
  /** Empty only where there are details. */
  readonly scopes: readonly string[]
  readonly authorizationDetails?: readonly AuthorizationDetail[]
  /** Never empty: where none is named, it is the issuer's origin. */
  readonly resources: readonly string[]
  readonly prompts: readonly Prompt[]
  readonly codeChallenge?: string
  /** Only with proofs of this key the code can be redeemed (RFC 9449 §10). */
  readonly dpopJkt?: string
  readonly nonce?: string
  /** Seconds. */
  readonly maxAge?: number
  /** Whether the ID token must say when the user signed in. */
  readonly authTimeRequired?: boolean
  /** One of these authentication context class references must hold. */
  readonly essentialAcr?: readonly string[]
  /** The only users for whom the request is meant, as the client knows them; empty where nobody can meet its conditions. */
  readonly subs?: readonly string[]
  readonly claims?: ClaimsRequest
  /** Those among `claims` that no scope of the request stands for, so that the user is asked for each. */
  readonly claimsBeyondScopes?: readonly string[]
  readonly loginHints: LoginHints
  /** Milliseconds. */
  readonly receivedAt: number
}

const ONCE = [
  'response_type',
  'response_mode',
  'scope',
  'authorization_details',
  'state',
  'code_challenge',
  'code_challenge_method',
  'dpop_jkt',
  'prompt',
  'nonce',
  'max_age',
  'claims',
  'id_token_hint',
  'login_hint',
  'acr_values',
  'ui_locales',
  'display',
  'request',
  'request_uri',
  'registration',
]

/** Parameters that ask for a feature which is not there. To ignore them would be to answer another question than was asked. */
const UNSUPPORTED = [
  ['request_uri', 'request_uri_not_supported'],
  ['registration', 'registration_not_supported'],
] as const

/** Reads the parameters of a request whose client and redirect URI are proven; what is wrong goes back to the client by redirect. */
export function readAuthorizationRequest(
  parameters: Parameters,
  client: Client,
  target: ResponseTarget,
  settings: Settings,
  now: number,
): AuthorizationRequest {
  parameters.refuseRepeated(ONCE)
  for (const [name, code] of UNSUPPORTED) {
    if (parameters.get(name) === undefined) continue
    throw new OAuthError(code, `The parameter ${name} is not supported.`, { reason: `${name}_not_supported` })
  }
  checkResponseType(parameters.get('response_type'), client)
  checkResponseMode(parameters, target.redirectUri, settings)
  const prompts = requestedPrompts(parameters.get('prompt'))
  const codeChallenge = client.requirePkce ? requiredChallenge(parameters) : requestedChallenge(parameters)
  const named = parameters.all('resource')
  const resources = requestedResources(named.length > 0 ? named : [settings.origin], settings)
  const allowed = scopesOf(client, settings)
  const available = scopesFor(allowed, resources, settings)
  const details = parameters.get('authorization_details')
  const authorizationDetails = requestedDetails(details, client, resources, settings)
  const scope = parameters.get('scope')
  const scopes = scopesBeside(authorizationDetails, scope, available, defaultScopesOf(client, settings))
  const asked = requestedClaims(parameters.get('claims'))
  return {
    clientId: client.id,
    redirectUri: target.redirectUri,
    responseMode: target.responseMode,
    ...(parameters.get('redirect_uri') === undefined && { redirectUriLeftOut: true }),
    ...optional('state', target.state),
    scopes,
    ...optional('authorizationDetails', authorizationDetails),
    resources,
    prompts,
    ...optional('codeChallenge', codeChallenge),
    ...optional('dpopJkt', requestedKey(parameters, settings)),
    ...identityRequest(parameters, client, asked, { scopes, allowed }),
    loginHints: loginHints(parameters, prompts, asked),
    receivedAt: now,
  }
}

/** What OpenID Connect adds: how the user has to have signed in, and what the client wants to know (Core §3.1.2.1, §5.5). */
function identityRequest(
  parameters: Parameters,
  client: Client,
  asked: RequestedClaims,
  { scopes, allowed }: { readonly scopes: readonly string[]; readonly allowed: readonly string[] },
): Partial<AuthorizationRequest> {
  const maxAge = requestedMaxAge(parameters.get('max_age'), client.defaultMaxAge)
  // Without openid there is neither an ID token nor an answer of the userinfo endpoint to hold them.
  const mayAsk = scopes.includes('openid') ? allowed : []
  const claims = {
    userinfo: allowedClaims(asked.userinfo, mayAsk),
    idToken: allowedClaims(asked.idToken, mayAsk),
  }
  const beyond = claimsBeyond([...claims.userinfo, ...claims.idToken], scopes)
  return {
    ...optional('nonce', parameters.get('nonce')),
    ...optional('maxAge', maxAge),
    ...((maxAge !== undefined || asked.authTime || client.requireAuthTime) && { authTimeRequired: true }),
    ...(asked.acrEssential && asked.acr.length > 0 && { essentialAcr: asked.acr }),
    ...optional('subs', asked.subs),
    ...(claims.userinfo.length + claims.idToken.length > 0 && { claims }),
    ...(beyond.length > 0 && { claimsBeyondScopes: beyond }),
  }
}

/** The languages that a request asks for, most wanted first (OpenID Connect Core §3.1.2.1). */
export function requestedLocales(parameters: Parameters): readonly string[] {
  return localesIn(parameters.get('ui_locales'))
}

function loginHints(
  parameters: Parameters,
  prompts: readonly Prompt[],
  { acr }: RequestedClaims,
): LoginHints {
  const list = (name: string) => parameters.get(name)?.split(' ').filter(Boolean) ?? []
  const again = prompts.filter((prompt) => prompt === 'login' || prompt === 'select_account')
  const acrValues = [...new Set([...acr, ...list('acr_values')])]
  const uiLocales = requestedLocales(parameters)
  return {
    ...optional('loginHint', parameters.get('login_hint')),
    ...(acrValues.length > 0 && { acrValues }),
    ...(uiLocales.length > 0 && { uiLocales }),
    ...optional('display', parameters.get('display')),
    ...(again.length > 0 && { prompts: again }),
  }
}

function checkResponseType(responseType: string | undefined, client: Client): void {
  if (responseType === undefined) {
    throw new OAuthError('invalid_request', 'response_type is missing: send response_type=code.', {
      reason: 'response_type_missing',
    })
  }
  if (responseType !== 'code') {
    throw new OAuthError('unsupported_response_type', 'response_type must be code.', {
      reason: 'response_type',
    })
  }
  if (!client.grantTypes.includes('authorization_code')) {
    throw new OAuthError(
      'unauthorized_client',
      'This client is not registered for the authorization code grant.',
      {
        reason: 'grant_type_not_registered',
      },
    )
  }
}
