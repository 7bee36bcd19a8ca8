import { inBoth } from '../authorization/claims-request.js'
import {
  type AuthorizationRequest,
  readAuthorizationRequest,
  requestedLocales,
} from '../authorization/request.js'
import { forDevelopers, OAuthError } from '../errors.js'
import type { Parameters } from '../parameters.js'
import type { Runtime } from '../runtime.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { readIdTokenHint } from '../tokens/id-token-hint.js'
import { checkObjectClaims, parametersOf } from './object-claims.js'
import { requestRefusal } from './refusal.js'
import { verifyRequestObject } from './request-object.js'
import { type ProvenTarget, targetOf, withoutTarget } from './target.js'

/** An authorization request of which it is proven where it may be answered, and nothing else. */
export interface DirectRequest {
  readonly target: ProvenTarget
  /** The languages that it asks for (OpenID Connect Core §3.1.2.1). */
  readonly uiLocales: readonly string[]
  /** Checks all the rest of it. Rejects with what its client is told. */
  readonly check: () => Promise<AuthorizationRequest>
}

/**
 * An authorization request as its client sent it: plain parameters, or an object that it has signed (RFC 9101).
 *
 * @throws PageError where it is not proven where the request may be answered.
 */
export async function directRequest(
  runtime: Runtime,
  client: Client,
  parameters: Parameters,
): Promise<DirectRequest> {
  const object = parameters.get('request')
  if (object !== undefined) return signedRequest(runtime, client, parameters, object)
  const target = targetOf(client, parameters, runtime.settings)
  if (target === undefined) throw withoutTarget(client, parameters)
  return {
    target,
    uiLocales: requestedLocales(parameters),
    check: async () => {
      if (client.requireSignedRequestObject) throw unsigned()
      return checkedRequest(runtime, client, target, parameters)
    },
  }
}

/** RFC 9101 §6.3: what stands beside a request object is not looked at. */
async function signedRequest(
  runtime: Runtime,
  client: Client,
  beside: Parameters,
  compact: string,
): Promise<DirectRequest> {
  const { settings, now } = runtime
  const object = await verifyRequestObject(runtime, client, compact)
  if ('refusal' in object) return refusedObject(client, beside, object.refusal, settings)
  const { claims } = object
  const parameters = parametersOf(claims)
  const target = targetOf(client, parameters, settings)
  if (target === undefined) throw withoutTarget(client, parameters)
  return {
    target,
    uiLocales: requestedLocales(parameters),
    check: async () => {
      checkObjectClaims(claims, settings.issuer, now())
      return checkedRequest(runtime, client, target, parameters)
    },
  }
}

/** Nothing in it is proven, so its client hears of it only where a redirect URI of its own stands beside it. */
function refusedObject(
  client: Client,
  beside: Parameters,
  refusal: OAuthError,
  settings: Settings,
): DirectRequest {
  const target = beside.get('redirect_uri') === undefined ? undefined : targetOf(client, beside, settings)
  if (target !== undefined)
    return { target, uiLocales: requestedLocales(beside), check: () => Promise.reject(refusal) }
  const page = { key: 'error.request_object_refused', ...forDevelopers(refusal.message) }
  throw requestRefusal('invalid_request_object', client, page, { reason: refusal.reason })
}

async function checkedRequest(
  runtime: Runtime,
  client: Client,
  target: ProvenTarget,
  parameters: Parameters,
): Promise<AuthorizationRequest> {
  const request = readAuthorizationRequest(parameters, client, target, runtime.settings, runtime.now())
  const hint = parameters.get('id_token_hint')
  return hint === undefined ? request : forHintedUser(runtime, request, hint)
}

/** OpenID Connect Core §3.1.2.1: the user whom an ID token of ours names, however old, is the only one for whom the request is meant. */
async function forHintedUser(
  { keys, settings }: Runtime,
  request: AuthorizationRequest,
  hint: string,
): Promise<AuthorizationRequest> {
  const hinted = await readIdTokenHint(keys, hint, settings.issuer)
  if (hinted?.clientId === request.clientId)
    return { ...request, subs: inBoth([hinted.sub], request.subs) ?? [] }
  throw new OAuthError('invalid_request', 'id_token_hint is not an ID token that this client got here.', {
    reason: 'id_token_hint',
  })
}

/** RFC 9101 §10.5 */
function unsigned(): OAuthError {
  return new OAuthError(
    'invalid_request',
    'This client has to send its authorization requests signed, in the parameter request (RFC 9101).',
    { reason: 'request_object_required' },
  )
}
