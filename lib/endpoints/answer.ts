import { destinationOf } from '../authorization/redirect-uri.js'
import { type AuthorizationResponse, responseUri } from '../authorization/response.js'
import { type PageReply, page, redirect } from '../http/reply.js'
import type { Client } from '../store/records.js'

/** Sends the browser on to the client with an authorization response. */
export function answer(client: Pick<Client, 'name'>, response: AuthorizationResponse): PageReply {
  if (response.responseMode === 'query') return redirect(responseUri(response))
  return page('form-post', `Back to ${client.name}`, {
    action: response.redirectUri,
    parameters: Object.entries(response.parameters).map(([name, value]) => ({ name, value })),
    client: { name: client.name },
    destination: destinationOf(response.redirectUri),
  })
}

/**
 * The same from a page that the host's login form led to. A redirect would be blocked there, where that form's page has helmet's
 * `form-action 'self'`; a page that goes on by itself is not. Chrome on Android opens apps only on a tap.
 */
export function answerAfterLogin(client: Pick<Client, 'name'>, response: AuthorizationResponse): PageReply {
  if (response.responseMode !== 'query') return answer(client, response)
  const url = responseUri(response)
  const destination = destinationOf(response.redirectUri)
  const refresh = destination.kind === 'app' ? undefined : url
  const locals = { url, refresh, client: { name: client.name }, destination }
  return page('continue', `Back to ${client.name}`, locals)
}
