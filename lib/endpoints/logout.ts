import { type Destination, destinationOf } from '../authorization/redirect-uri.js'
import { type PageReply, page, redirect } from '../http/reply.js'
import type { FormRequest } from '../http/request.js'
import type { Runtime } from '../runtime.js'
import type { Login } from '../sessions/login.js'
import type { Sessions } from '../sessions/sessions.js'
import type { Text } from '../text.js'
import { sidOf, subjectOf } from '../tokens/subject.js'
import { isVouchedFor } from '../vouched.js'
import { type LogoutRequest, logoutPath, readLogoutRequest } from './logout-request.js'
import { shownClient } from './shown-client.js'
import { type SignedInUser, signedInUser } from './user.js'

/** Signs the user out, at once where the request proves that it means the session at hand (RP-Initiated Logout §2), else when asked. */
export async function logout(runtime: Runtime, sessions: Sessions, request: FormRequest): Promise<PageReply> {
  const asked = await readLogoutRequest(runtime, request.parameters)
  const user = await signedInUser(runtime, request.host)
  if (user === undefined) return nothingToEnd(request, asked)
  if (isProven(runtime, asked, user)) return end(runtime, sessions, request, asked, user, 'client')
  return confirmation(runtime, request, asked, user)
}

/** What the user decided. */
export async function decideLogout(
  runtime: Runtime,
  sessions: Sessions,
  request: FormRequest,
): Promise<PageReply> {
  const asked = await readLogoutRequest(runtime, request.parameters)
  const user = await signedInUser(runtime, request.host)
  if (user === undefined) return nothingToEnd(request, asked)
  const decision = request.parameters.get('decision')
  if (decision === 'approve') return end(runtime, sessions, request, asked, user, 'user')
  if (decision === 'deny') return loggedOut(request, 'kept', asked)
  return confirmation(runtime, request, asked, user, { status: 400, notice: { key: 'logout.notice_choose' } })
}

/**
 * csurf refused the form. An application posts it without our token, and from another site without the host's cookie too: it is sent on to
 * the same request by GET, where the session is seen. A form of ours that has expired is shown again.
 */
export async function refuseLogout(runtime: Runtime, request: FormRequest): Promise<PageReply> {
  const { parameters } = request
  if (parameters.all('decision').length === 0) return redirect(logoutPath(runtime.settings, parameters))
  const asked = await readLogoutRequest(runtime, parameters)
  const user = await signedInUser(runtime, request.host)
  if (user === undefined) return nothingToEnd(request, asked)
  const notice = { key: 'logout.notice_expired' }
  return confirmation(runtime, request, asked, user, { status: 403, notice })
}

/**
 * Whether the request carries an ID token of this very session; one of another login of the same user is a matter for them to decide. So is
 * every one where the host's sessions have no id.
 */
function isProven(
  { settings }: Runtime,
  { client, hint }: LogoutRequest,
  { id, session }: SignedInUser,
): boolean {
  if (client === undefined || hint === undefined || session === undefined) return false
  return hint.sub === subjectOf(settings, client, id) && hint.sid === sidOf(client, session)
}

async function end(
  runtime: Runtime,
  sessions: Sessions,
  request: FormRequest,
  asked: LogoutRequest,
  { id: userId, session }: SignedInUser,
  by: 'user' | 'client',
): Promise<PageReply> {
  const { settings, emit } = runtime
  const { host, response } = request
  await settings.logout?.(host, response)
  const client = asked.client && { clientId: asked.client.id }
  emit('session.ended', { userId, by, ...client })
  const told = await tellClients(runtime, sessions, { userId, session })
  const remains = !response.headersSent && (await isStillSignedIn(runtime, host))
  // The client would take whoever comes back for signed out.
  if (remains) return loggedOut(request, 'signed-in-here', asked, told)
  const sentOn = by === 'client' || maySendAnybody(asked)
  return sentOn && asked.returnTo !== undefined
    ? redirect(asked.returnTo)
    : loggedOut(request, 'signed-out', asked, told)
}

/**
 * RFC 9700 §4.11.2: whoever can make clients could send anybody anywhere by a link to this server. So only a client that somebody vouches for
 * has users taken back who have not proven to come from it; an ID token that is not of their session may be anybody's. Others get a link.
 */
function maySendAnybody({ client }: LogoutRequest): boolean {
  return client !== undefined && isVouchedFor(client)
}

/** Answers how many are told. The user has signed out whatever becomes of that. */
async function tellClients({ emit }: Runtime, sessions: Sessions, login: Login): Promise<number> {
  try {
    return await sessions.end(login)
  } catch (error) {
    emit('server.error', { error, endpoint: '/logout' })
    return 0
  }
}

async function isStillSignedIn(runtime: Runtime, host: FormRequest['host']): Promise<boolean> {
  const { settings, emit } = runtime
  // A currentUser that reads from the session that has just been destroyed throws.
  const user = await signedInUser(runtime, host).catch(() => undefined)
  if (user === undefined) return false
  const [code, message] =
    settings.logout === undefined
      ? [
          'logout_missing',
          'A user signed out at /logout and is still signed in at your site: the option logout is missing. Pass what your own sign-out does, without its answer: logout: (req) => promisify(req.session.destroy).call(req.session), with promisify of node:util.',
        ]
      : [
          'logout_without_effect',
          'After the option logout, currentUser still finds a user. Return a promise that waits until the login has ended, and end what currentUser reads from: logout: (req) => promisify(req.session.destroy).call(req.session), with Passport req.logout(done), with cookies of your own also req.user = undefined.',
        ]
  emit('warning', { code, message })
  return true
}

function nothingToEnd(request: FormRequest, asked: LogoutRequest): PageReply {
  return asked.returnTo !== undefined && maySendAnybody(asked)
    ? redirect(asked.returnTo)
    : loggedOut(request, 'signed-out', asked)
}

function confirmation(
  { settings }: Runtime,
  { csrfToken, speech }: FormRequest,
  asked: LogoutRequest,
  { id, name, email }: SignedInUser,
  { status = 200, notice }: { readonly status?: number; readonly notice?: Text } = {},
): PageReply {
  const { client, returnTo, parameters } = asked
  const locals = {
    user: { id, name, email },
    client: client && { id: client.id, name: shownClient(client, speech.tags).name },
    returns: returnTo !== undefined && maySendAnybody(asked),
    parameters,
    // Without the option, all that the page can do is to tell the clients.
    endsLogin: settings.logout !== undefined,
    action: `${settings.mount}/logout`,
    csrfToken: csrfToken(),
    notice,
  }
  return page('logout', { key: 'logout.title' }, locals, status)
}

/** `signed-in-here`: the host's own login could not be ended. `told`: how many clients are being told. */
function loggedOut(
  { speech }: FormRequest,
  outcome: 'signed-out' | 'kept' | 'signed-in-here',
  { client, returnTo }: LogoutRequest,
  told = 0,
): PageReply {
  // Its address is where those go who have signed out.
  const link = outcome === 'kept' ? undefined : returnTo
  const locals = {
    outcome,
    client: client && { id: client.id, name: shownClient(client, speech.tags).name },
    returnTo: link,
    leadsTo: link === undefined ? undefined : placeOf(destinationOf(link)),
    told,
  }
  const title = { key: outcome === 'signed-out' ? 'logout.out_title' : 'logout.kept_title' }
  return page('logged-out', title, locals)
}

function placeOf(destination: Destination): string {
  return destination.kind === 'app' ? `${destination.scheme}:` : destination.host
}
