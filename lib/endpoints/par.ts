import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { OAuthError } from '../errors.js'
import type { JsonReply } from '../http/reply.js'
import type { MachineRequest } from '../http/request.js'
import { optional } from '../optional.js'
import type { Possession } from '../possession/possession.js'
import { directRequest } from '../requests/direct.js'
import { keepPushed } from '../requests/pushed.js'
import type { Runtime } from '../runtime.js'

/** RFC 9126 §2: all that is wrong with an authorization request is said here, to the client itself, before a browser comes with it. */
export async function par(
  runtime: Runtime,
  possession: Possession,
  client: AuthenticatedClient,
  request: MachineRequest,
): Promise<JsonReply> {
  const { parameters } = request
  if (parameters.all('request_uri').length > 0) throw requestUriPushed()
  const { check } = await directRequest(runtime, client, parameters)
  const authorization = await check()
  const dpopJkt = await possession.codeKey(request, authorization.dpopJkt)
  const request_uri = await keepPushed(runtime, { ...authorization, ...optional('dpopJkt', dpopJkt) })
  const body = { request_uri, expires_in: runtime.settings.lifetimes.pushedRequest }
  return { status: 201, body, headers: possession.nonceFor(request.sender) }
}

/** RFC 9126 §2.1 */
function requestUriPushed(): OAuthError {
  return new OAuthError('invalid_request', 'request_uri cannot be pushed: send the request itself.', {
    reason: 'request_uri_pushed',
  })
}
