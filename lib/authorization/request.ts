import { OAuthError } from '../errors.js'
import type { Parameters } from '../parameters.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { requestedChallenge } from './pkce.js'
import { type Prompt, requestedPrompts } from './prompt.js'
import { requestedResources, scopesFor } from './resource.js'
import type { ResponseTarget } from './response.js'
import { requestedScopes, scopesOf } from './scope.js'

/** A checked authorization request (RFC 6749 §4.1.1), as it waits for its user. */
export interface AuthorizationRequest extends ResponseTarget {
  readonly clientId: string
  readonly redirectUri: string
  /** It was not named, since the client has only one; then the token request need not name it either. */
  readonly redirectUriLeftOut?: boolean
  readonly state?: string
  readonly scopes: readonly string[]
  /** Never empty: where none is named, it is the issuer's origin. */
  readonly resources: readonly string[]
  readonly prompts: readonly Prompt[]
  readonly codeChallenge?: string
  /** Milliseconds. */
  readonly receivedAt: number
}

const ONCE = [
  'response_type',
  'response_mode',
  'scope',
  'state',
  'code_challenge',
  'code_challenge_method',
  'prompt',
  'nonce',
  'max_age',
  'request',
  'request_uri',
  'registration',
]

/** Parameters that ask for a feature which is not there. To ignore them would be to answer another question than was asked. */
const UNSUPPORTED = [
  ['request', 'request_not_supported'],
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
  const refuse = (description: string, reason: string) =>
    new OAuthError('invalid_request', description, { reason })
  parameters.refuseRepeated(ONCE)
  for (const [name, code] of UNSUPPORTED) {
    if (parameters.get(name) === undefined) continue
    throw new OAuthError(code, `The parameter ${name} is not supported.`, { reason: `${name}_not_supported` })
  }
  checkResponseType(parameters.get('response_type'), client)
  const mode = parameters.get('response_mode')
  if (mode !== undefined && mode !== 'query') throw refuse('response_mode must be query.', 'response_mode')

  const prompts = requestedPrompts(parameters.get('prompt'))
  const challenge = requestedChallenge(
    parameters.get('code_challenge'),
    parameters.get('code_challenge_method'),
    client.requirePkce,
  )
  const named = parameters.all('resource')
  const resources = requestedResources(named.length > 0 ? named : [settings.origin], settings)
  const available = scopesFor(scopesOf(client, settings), resources, settings)
  const scopes = requestedScopes(parameters.get('scope'), available, settings.defaultScopes)
  return {
    clientId: client.id,
    redirectUri: target.redirectUri,
    ...(parameters.get('redirect_uri') === undefined && { redirectUriLeftOut: true }),
    ...(target.state !== undefined && { state: target.state }),
    scopes,
    resources,
    prompts,
    ...(challenge !== undefined && { codeChallenge: challenge }),
    receivedAt: now,
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
