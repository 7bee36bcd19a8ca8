import { anApplication, forDevelopers, OAuthError, PageError, publicError } from '../errors.js'
import type { HostRequest } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { isVouchedFor } from '../vouched.js'
import { signedInUser } from './user.js'

/** What a right request with `prompt=none` is answered where its user would have to do something (OpenID Connect Core §3.1.2.6). */
const SILENT: readonly string[] = ['login_required', 'consent_required']

/**
 * RFC 9700 §4.11.2: whoever can make clients could send anybody anywhere by a link to this server, so an error of a client that nobody vouches
 * for goes there only once a user has signed in at this browser. `silent`: the request is right in all respects, and has `prompt=none`. That is
 * the exception which §4.11.2 makes: it may show no page, so it sends the browser on although nobody is signed in, to a redirect URI that the
 * client has registered. No other error does, or a `prompt=none` in a link would be enough to go anywhere with any of them.
 *
 * @throws PageError that says the same, where it must not go there.
 */
export async function refuseToSendOn(
  runtime: Runtime,
  host: HostRequest,
  client: Client,
  error: unknown,
  silent: boolean,
): Promise<void> {
  if (isVouchedFor(client)) return
  if (silent && error instanceof OAuthError && SILENT.includes(error.code)) return
  if ((await signedInUser(runtime, host)) !== undefined) return
  const { code, message, reason, status, headers, cause } = publicError(error)
  const { details: problem = [] } = forDevelopers(message)
  throw new PageError(
    code,
    { key: 'consent.stranger_error', description: message, details: [...problem, anApplication(client)] },
    { reason, status, headers, cause, clientId: client.id },
  )
}
