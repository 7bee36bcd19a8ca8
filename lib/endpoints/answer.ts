import { destinationOf } from '../authorization/redirect-uri.js'
import { type AuthorizationResponse, responseUri } from '../authorization/response.js'
import { type PageReply, page, redirect } from '../http/reply.js'
import type { PageRequest } from '../http/request.js'
import type { Client } from '../store/records.js'
import type { Text } from '../text.js'
import { shownClient } from './shown-client.js'

type Reader = Pick<PageRequest, 'speech'>

/** Sends the browser on to the client with an authorization response. */
export function answer({ speech }: Reader, client: Client, response: AuthorizationResponse): PageReply {
  if (response.responseMode === 'query') return redirect(responseUri(response))
  const { name } = shownClient(client, speech.tags)
  return page('form-post', back(name), {
    action: response.redirectUri,
    parameters: Object.entries(response.parameters).map(([name, value]) => ({ name, value })),
    client: { name },
    destination: destinationOf(response.redirectUri),
  })
}

/**
 * The same from a page that the host's login form led to. A redirect would be blocked there, where that form's page has helmet's
 * `form-action 'self'`; a page that goes on by itself is not. Chrome on Android opens apps only on a tap.
 */
export function answerAfterLogin(reader: Reader, client: Client, response: AuthorizationResponse): PageReply {
  if (response.responseMode !== 'query') return answer(reader, client, response)
  const url = responseUri(response)
  const destination = destinationOf(response.redirectUri)
  const refresh = destination.kind === 'app' ? undefined : url
  const { name } = shownClient(client, reader.speech.tags)
  return page('continue', back(name), { url, refresh, client: { name }, destination })
}

function back(name: string): Text {
  return { key: 'answer.title', values: { client: name } }
}
