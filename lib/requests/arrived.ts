import { OAuthError } from '../errors.js'
import type { Parameters } from '../parameters.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { type DirectRequest, directRequest } from './direct.js'
import { findPushed, isPushedUri } from './pushed.js'
import { requestRefusal } from './refusal.js'

/** An authorization request that a browser brings. */
export interface ArrivedRequest extends DirectRequest {
  /** The id of its record, where it was pushed. */
  readonly pushed?: string
}

/**
 * What a browser brings to `/authorize`: a request, or the `request_uri` of one that was pushed. Beside that no other parameter counts
 * (RFC 9126 §4).
 *
 * @throws PageError where it is not proven whose it is, or where it may be answered.
 */
export async function arrivedRequest(
  runtime: Runtime,
  client: Client,
  parameters: Parameters,
): Promise<ArrivedRequest> {
  const requestUri = parameters.get('request_uri')
  if (requestUri !== undefined && parameters.get('request') !== undefined) throw bothKinds(client)
  if (isPushedUri(requestUri)) {
    const { id, request } = await findPushed(runtime, client, requestUri)
    const { uiLocales = [] } = request.loginHints
    return { target: request, uiLocales, check: async () => request, pushed: id }
  }
  const direct = await directRequest(runtime, client, parameters)
  const { requirePushedAuthorizationRequests } = runtime.settings
  if (!requirePushedAuthorizationRequests && !client.requirePushedAuthorizationRequests) return direct
  return { ...direct, check: () => Promise.reject(notPushed()) }
}

/** RFC 9101 §5 */
function bothKinds(client: Client) {
  const page = { key: 'error.request_conflict' }
  return requestRefusal('invalid_request', client, page, { reason: 'request_conflict' })
}

/** RFC 9126 §4, §5 and §6. */
function notPushed(): OAuthError {
  return new OAuthError(
    'invalid_request',
    'Authorization requests have to be pushed first: send them to the pushed_authorization_request_endpoint (RFC 9126), and its request_uri here.',
    { reason: 'not_pushed' },
  )
}
