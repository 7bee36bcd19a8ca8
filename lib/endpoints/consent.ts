import { isDeepStrictEqual } from 'node:util'
import type { AuthorizationResponse } from '../authorization/response.js'
import { OAuthError, PageError } from '../errors.js'
import { type PageReply, redirect } from '../http/reply.js'
import type { FormRequest } from '../http/request.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import type { Text } from '../text.js'
import { answer, answerAfterLogin } from './answer.js'
import { answerAgain, approve, deniedBecauseGone, deny } from './consent-answer.js'
import { chosenScopes, consentPage, newScopes } from './consent-page.js'
import {
  type Approval,
  authenticationOf,
  errorResponse,
  hintsFor,
  type Next,
  nextStep,
} from './interaction.js'
import { consentPath, note, type PendingRequest, pickUp } from './pending-request.js'
import { clientAtBrowser } from './requesting-client.js'
import { mayBeAnsweredAt } from './trial-uri.js'
import { signedInUser } from './user.js'

/** Somebody is at the browser who can decide. */
type Decidable = Next & { readonly step: 'consent' | 'approved' }

/** Returns from the login without a user after which the browser is not sent there again. */
const MOST_LOGINS = 2

/** The one address that a pending request has: it decides what must happen next. The host's login sends the browser here. */
export async function showConsent(runtime: Runtime, request: FormRequest): Promise<PageReply> {
  const { pending, client } = await load(runtime, request)
  if (pending.record.usedAt !== undefined)
    return answerAfterLogin(request, client, await sameAnswer(runtime, request, pending))
  const next = await stepOf(runtime, request, client, pending)
  if (next.step === 'refused') return answerAfterLogin(request, client, refused(runtime, pending, next))
  if (next.step === 'login') return toLogin(runtime, request, client, pending, next)
  if (next.step === 'approved') {
    const { scopes } = pending.state.request
    const approval = approvalOf(runtime, client, pending, next, { scopes, asked: false })
    return answerAfterLogin(request, client, await approve(runtime, pending, approval))
  }
  return ask(runtime, request, client, pending, next)
}

/** What the user decided. Deciding twice gets the first answer again. */
export async function decideConsent(runtime: Runtime, request: FormRequest): Promise<PageReply> {
  const { pending, client } = await load(runtime, request)
  if (pending.record.usedAt !== undefined)
    return answer(request, client, await sameAnswer(runtime, request, pending))
  const next = await stepOf(runtime, request, client, pending)
  if (next.step === 'refused') return answer(request, client, refused(runtime, pending, next))
  if (next.step === 'login') {
    const gone = await deniedBecauseGone(runtime, pending)
    return gone === undefined
      ? toLogin(runtime, request, client, pending, next)
      : answer(request, client, gone)
  }
  const { user, grant } = next
  if (user.id !== pending.state.userId) {
    return ask(runtime, request, client, pending, next, {
      notice: { key: 'consent.notice.other_user' },
    })
  }
  const decision = request.parameters.get('decision')
  if (decision === 'deny') return answer(request, client, await deny(runtime, pending))
  if (decision !== 'approve') {
    return ask(runtime, request, client, pending, next, {
      status: 400,
      notice: { key: 'consent.notice.choose' },
    })
  }
  const { newScopes: shown, request: asked } = pending.state
  // Withdrawn in another tab, after this page had called them allowed.
  if (shown && newScopes(runtime, asked, grant).some((scope) => !shown.includes(scope))) {
    return ask(runtime, request, client, pending, next, {
      status: 409,
      notice: { key: 'consent.notice.withdrawn' },
    })
  }
  const scopes = chosenScopes(runtime, asked, grant, request.parameters.all('scope'))
  if (scopes === undefined) {
    return ask(runtime, request, client, pending, next, {
      status: 400,
      notice: { key: 'consent.notice.choose_one' },
    })
  }
  const approval = approvalOf(runtime, client, pending, next, { scopes, asked: true })
  return answer(request, client, await approve(runtime, pending, approval))
}

/** csurf refused the form: nothing is decided, and the page is shown again. */
export async function refuseConsent(runtime: Runtime, request: FormRequest): Promise<PageReply> {
  const { pending, client } = await load(runtime, request)
  const next = pending.record.usedAt === undefined && (await stepOf(runtime, request, client, pending))
  if (next && next.step === 'consent') {
    const notice = { key: 'consent.notice.expired' }
    return ask(runtime, request, client, pending, next, { status: 403, notice })
  }
  throw new PageError(
    'access_denied',
    {
      key: 'error.consent_expired',
      // Reloading would only post the same form again.
      next: { url: consentPath(runtime.settings, pending.id), label: { key: 'error.next.open_again' } },
    },
    { reason: 'csrf' },
  )
}

/** Shows the page, and remembers whom it was shown to, and what was new on it: nobody else's click counts, and none for more than that. */
async function ask(
  runtime: Runtime,
  request: FormRequest,
  client: Client,
  pending: PendingRequest,
  next: Decidable,
  more: { readonly status?: number; readonly notice?: Text } = {},
): Promise<PageReply> {
  const { id } = next.user
  const returned = returnedAt(runtime, pending)
  const { userId, returnedAt: before, newScopes: shown = [], request: asked } = pending.state
  const fresh = newScopes(runtime, asked, next.grant)
  const isKnown = userId === id && before === returned && isDeepStrictEqual(fresh, shown)
  if (!isKnown)
    await note(runtime, pending, () => ({
      userId: id,
      newScopes: fresh,
      ...(returned !== undefined && { returnedAt: returned }),
    }))
  return consentPage(runtime, request, client, pending, next, more)
}

function approvalOf(
  runtime: Runtime,
  client: Client,
  pending: PendingRequest,
  { user, grant }: Decidable,
  decided: Pick<Approval, 'scopes' | 'asked'>,
): Approval {
  const authentication = authenticationOf(user, returnedAt(runtime, pending))
  return { client, userId: user.id, known: grant, authentication, ...decided }
}

/**
 * When the user came back from the login, the first time (milliseconds); undefined where they were there to choose an account, or for
 * a stronger sign-in, and may not have signed in anew.
 */
function returnedAt({ now }: Runtime, { state }: PendingRequest): number | undefined {
  const { prompts, maxAge, authTimeRequired } = state.request
  const forSignIn = state.signedOut || prompts.includes('login') || maxAge !== undefined || authTimeRequired
  return state.returnedAt ?? (forSignIn && state.logins > 0 ? now() : undefined)
}

function refused(
  runtime: Runtime,
  { state }: PendingRequest,
  { error }: Next & { readonly step: 'refused' },
): AuthorizationResponse {
  return errorResponse(runtime, state.request, error)
}

async function sameAnswer(
  runtime: Runtime,
  request: FormRequest,
  pending: PendingRequest,
): Promise<AuthorizationResponse> {
  const user = await signedInUser(runtime, request.host)
  return answerAgain(runtime, pending, user?.id)
}

async function load(
  runtime: Runtime,
  request: FormRequest,
): Promise<{ pending: PendingRequest; client: Client }> {
  const pending = await pickUp(runtime, request.id, request.browsers)
  const { clientId, redirectUri, loginHints } = pending.state.request
  request.speech.prefer(loginHints.uiLocales ?? [])
  const client = await clientAtBrowser(runtime, clientId, request)
  // A client, or an address of it, that was withdrawn in the meantime gets no code any more.
  if (client !== undefined && mayBeAnsweredAt(redirectUri, client, runtime.settings))
    return { pending, client }
  throw new PageError(
    'invalid_request',
    { key: 'error.client_changed' },
    { reason: client === undefined ? 'client_unknown' : 'redirect_uri_mismatch' },
  )
}

function stepOf(
  runtime: Runtime,
  request: FormRequest,
  client: Client,
  { state }: PendingRequest,
): Promise<Next> {
  return nextStep(runtime, request.host, client, state.request, state.logins > 0)
}

async function toLogin(
  runtime: Runtime,
  request: FormRequest,
  client: Client,
  pending: PendingRequest,
  { user }: Next & { readonly step: 'login' },
): Promise<PageReply> {
  const { logins } = pending.state
  if (logins >= MOST_LOGINS) {
    if (user === undefined) throw sessionLost()
    runtime.emit('warning', NOT_SIGNED_IN_AGAIN)
    return answerAfterLogin(
      request,
      client,
      errorResponse(runtime, pending.state.request, notSignedInAgain()),
    )
  }
  await note(runtime, pending, (state) => ({
    logins: state.logins + 1,
    ...(user === undefined && { signedOut: true }),
  }))
  runtime.emit('login.required', { clientId: client.id })
  const hints = hintsFor(pending.state.request, user)
  return redirect(runtime.settings.loginUrl(request.host, consentPath(runtime.settings, pending.id), hints))
}

function sessionLost(): PageError {
  return new PageError('login_required', { key: 'error.session_lost' }, { reason: 'login_loop' })
}

const NOT_SIGNED_IN_AGAIN = {
  code: 'login_without_sign_in',
  message:
    'A user was sent to loginUrl to sign in again, and came back twice without. Let your login page show its form to a user who is signed in, and set what authTime and authContext read from at every way to sign in.',
}

/** OpenID Connect Core §3.1.2.1: the client is told, as it is where no user is there to be asked. */
function notSignedInAgain(): OAuthError {
  return new OAuthError('login_required', 'The user came back from the login without signing in again.', {
    reason: 'not_signed_in_again',
  })
}
