import { destinationOf } from '../authorization/redirect-uri.js'
import type { AuthorizationRequest } from '../authorization/request.js'
import { responseUri } from '../authorization/response.js'
import { findClient } from '../clients/find.js'
import { PageError } from '../errors.js'
import { type PageReply, page, redirect } from '../http/reply.js'
import type { FormRequest } from '../http/request.js'
import type { Runtime } from '../runtime.js'
import type { Scope } from '../settings.js'
import type { Client, Grant } from '../store/records.js'
import { deriveHandle, newSeed } from '../tokens/handle.js'
import { accessDenied, allow, errorResponse, type Next, nextStep } from './interaction.js'
import { note, type PendingRequest, pickUp } from './pending-request.js'
import type { SignedInUser } from './user.js'

/** Returns from the login without a user after which the browser is not sent there again. */
const MOST_LOGINS = 2

/** The one address that a pending request has: it decides what must happen next. The host's login sends the browser here. */
export async function showConsent(runtime: Runtime, request: FormRequest): Promise<PageReply> {
  const { pending, client } = await load(runtime, request)
  if (pending.record.usedAt !== undefined) return leave(client, pending, await answerAgain(runtime, pending))
  const next = await stepOf(runtime, request, client, pending)
  if (next.decision.step === 'login' || !('grant' in next))
    return toLogin(runtime, request, client, pending, next)
  if (next.decision.step === 'approved') {
    const { scopes } = pending.state.request
    return leave(client, pending, await approve(runtime, pending, next.user.id, scopes, next.grant))
  }
  return consentPage(runtime, request, client, pending, next)
}

/** What the user decided. Deciding twice gets the first answer again. */
export async function decideConsent(runtime: Runtime, request: FormRequest): Promise<PageReply> {
  const { pending, client } = await load(runtime, request)
  if (pending.record.usedAt !== undefined) return redirect(await answerAgain(runtime, pending))
  const next = await stepOf(runtime, request, client, pending)
  if (next.decision.step === 'login' || !('grant' in next)) {
    const gone = await deniedBecauseGone(runtime, pending)
    return gone === undefined ? toLogin(runtime, request, client, pending, next) : redirect(gone)
  }
  const { user, grant } = next
  if (user.id !== pending.state.userId) {
    return consentPage(runtime, request, client, pending, next, {
      notice: 'You are signed in as somebody else now. Please decide again.',
    })
  }
  const decision = request.parameters.get('decision')
  if (decision === 'deny') return redirect(await deny(runtime, pending))
  if (decision !== 'approve') {
    return consentPage(runtime, request, client, pending, next, {
      status: 400,
      notice: 'Choose Approve or Deny.',
    })
  }
  const scopes = chosenScopes(runtime, pending.state.request, grant, request.parameters.all('scope'))
  if (scopes.length === 0) {
    return consentPage(runtime, request, client, pending, next, {
      status: 400,
      notice: 'Choose at least one, or deny.',
    })
  }
  return redirect(await approve(runtime, pending, user.id, scopes, grant))
}

/** csurf refused the form: nothing is decided, and the page is shown again. */
export async function refuseConsent(runtime: Runtime, request: FormRequest): Promise<PageReply> {
  const { pending, client } = await load(runtime, request)
  const next = pending.record.usedAt === undefined && (await stepOf(runtime, request, client, pending))
  if (next && next.decision.step === 'consent' && 'grant' in next) {
    const notice = 'This page had expired. Nothing was sent; please decide again.'
    return consentPage(runtime, request, client, pending, next, { status: 403, notice })
  }
  throw new PageError(
    'access_denied',
    {
      heading: 'This page had expired',
      message: 'Your session has changed since the page was opened, so nothing was sent.',
      hint: 'Reload the page to go on.',
    },
    { reason: 'csrf' },
  )
}

async function load(
  runtime: Runtime,
  request: FormRequest,
): Promise<{ pending: PendingRequest; client: Client }> {
  const pending = await pickUp(runtime, request.id, request.browser)
  const client = await findClient(runtime, pending.state.request.clientId)
  if (client !== undefined) return { pending, client }
  throw new PageError(
    'invalid_request',
    {
      heading: 'This application is not known here any more',
      message: 'It was removed while you were signing in.',
    },
    { reason: 'client_unknown' },
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
  { user }: Next,
): Promise<PageReply> {
  const { logins } = pending.state
  if (logins >= MOST_LOGINS) throw user === undefined ? sessionLost() : notSignedInAgain()
  await note(runtime, pending, { logins: logins + 1 })
  runtime.emit('login.required', { clientId: client.id })
  return redirect(runtime.settings.loginUrl(request.host, pathOf(runtime, pending)))
}

async function consentPage(
  runtime: Runtime,
  request: FormRequest,
  client: Client,
  pending: PendingRequest,
  { user, grant }: { readonly user: SignedInUser; readonly grant: Grant | undefined },
  { status = 200, notice }: { readonly status?: number; readonly notice?: string } = {},
): Promise<PageReply> {
  if (pending.state.userId !== user.id) await note(runtime, pending, { userId: user.id })
  const { redirectUri } = pending.state.request
  const { known, fresh } = divide(runtime, pending.state.request, grant)
  const ticked = request.parameters.all('scope')
  const posted = request.parameters.get('decision') !== undefined
  const action = pathOf(runtime, pending)
  const locals = {
    client: { id: client.id, name: client.name, uri: client.uri, logoUri: client.logoUri, verified: true },
    destination: destinationOf(redirectUri),
    user: { id: user.id, name: user.name, email: user.email },
    switchUserUrl: runtime.settings.loginUrl(request.host, action),
    newScopes: fresh.map(({ name, description, required }) => {
      return { name, description, optional: !required, checked: !posted || ticked.includes(name) }
    }),
    grantedScopes: known.map(({ name, description }) => ({ name, description })),
    action,
    csrfToken: request.csrfToken,
    notice,
  }
  return page('consent', `Connect ${client.name}`, locals, status)
}

async function approve(
  runtime: Runtime,
  pending: PendingRequest,
  userId: string,
  scopes: readonly string[],
  known: Grant | undefined,
): Promise<string> {
  const { store, settings, now, emit } = runtime
  const { id, record, state } = pending
  const { grant, codeFor } = await allow(runtime, state.request, userId, scopes, known)
  const expiresAt = now() + settings.lifetimes.authorizationCode * 1000
  const trace: ApprovalTrace = { seed: newSeed(), expiresAt }
  const code = deriveHandle(expiresAt, id, trace.seed, 'code')
  const { won } = await store.consume(record.id, { now: now(), trace: JSON.stringify(trace) }, [
    codeFor(code),
  ])
  if (!won) return answerAgain(runtime, pending)
  const { clientId } = state.request
  const remembered =
    known !== undefined && grant.id === known.id && scopes.every((scope) => known.scopes.includes(scope))
  if (!remembered) emit('consent.approved', { clientId, userId, grantId: grant.id, scopes })
  emit('code.issued', { clientId, userId, grantId: grant.id, scopes, remembered })
  return responseUri(state.request, settings.issuer, { code: code.value })
}

async function deny(runtime: Runtime, pending: PendingRequest): Promise<string> {
  const { record, state } = pending
  const { won } = await runtime.store.consume(record.id, { now: runtime.now() }, [])
  if (!won) return answerAgain(runtime, pending)
  runtime.emit('consent.denied', { clientId: state.request.clientId, userId: state.userId ?? '' })
  return errorResponse(runtime, state.request, accessDenied())
}

interface ApprovalTrace {
  readonly seed: string
  readonly expiresAt: number
}

/** A second click, a reload, the back button: the answer of the first decision, for as long as its code has not been redeemed. */
async function answerAgain(runtime: Runtime, { id, record, state }: PendingRequest): Promise<string> {
  const decided = await runtime.store.find(record.id)
  if (decided?.usedAt === undefined) throw alreadyAnswered()
  if (decided.trace === undefined) return errorResponse(runtime, state.request, accessDenied())
  const { seed, expiresAt }: ApprovalTrace = JSON.parse(decided.trace)
  const code = deriveHandle(expiresAt, id, seed, 'code')
  const issued = await runtime.store.find(code.id)
  if (issued === undefined || !issued.alive || issued.usedAt !== undefined || expiresAt <= runtime.now()) {
    throw alreadyAnswered()
  }
  return responseUri(state.request, runtime.settings.issuer, { code: code.value })
}

/** The account was closed between the page and the click. */
async function deniedBecauseGone(runtime: Runtime, pending: PendingRequest): Promise<string | undefined> {
  const { userId } = pending.state
  if (userId === undefined) return undefined
  const user = await runtime.settings.findUser(userId)
  return user === undefined || user === null ? deny(runtime, pending) : undefined
}

/** The scopes of a request: those that the user has allowed before, and those that are new. */
function divide(
  { settings }: Runtime,
  { scopes }: AuthorizationRequest,
  grant: Grant | undefined,
): { known: Scope[]; fresh: Scope[] } {
  const all = scopes.map((name) => settings.scopes.get(name)).filter((scope) => scope !== undefined)
  const isKnown = ({ name }: Scope) => grant?.scopes.includes(name) ?? false
  return { known: all.filter(isKnown), fresh: all.filter((scope) => !isKnown(scope)) }
}

function chosenScopes(
  runtime: Runtime,
  request: AuthorizationRequest,
  grant: Grant | undefined,
  ticked: readonly string[],
): readonly string[] {
  const { known, fresh } = divide(runtime, request, grant)
  const chosen = fresh.filter(({ name, required }) => required || ticked.includes(name))
  return [...known, ...chosen].map(({ name }) => name)
}

/**
 * On to the client from a page that the host's login form led to. A redirect would be blocked there, where that form's page has
 * helmet's `form-action 'self'`; a page that goes on by itself is not. Chrome on Android opens apps only on a tap.
 */
function leave(client: Client, { state }: PendingRequest, url: string): PageReply {
  const destination = destinationOf(state.request.redirectUri)
  const refresh = destination.kind === 'app' ? undefined : url
  return page('continue', `Back to ${client.name}`, {
    url,
    refresh,
    client: { name: client.name },
    destination,
  })
}

function pathOf({ settings }: Runtime, { id }: PendingRequest): string {
  return `${settings.mount}/consent/${id}`
}

function alreadyAnswered(): PageError {
  return new PageError(
    'invalid_request',
    {
      heading: 'This request was already answered',
      message: 'You have decided, and the application has been told.',
      hint: 'Go back to the application. If it is not connected, connect again from there.',
    },
    { reason: 'already_answered' },
  )
}

function sessionLost(): PageError {
  return new PageError(
    'login_required',
    {
      heading: 'You came back from signing in, but are not signed in here',
      message:
        'The login did not leave a session that this page can see, so it stops here instead of sending you round again.',
      hint: "For the site's developer, the usual causes: the session cookie is SameSite=Strict (use Lax); it is Secure behind a proxy that Express does not trust (app.set('trust proxy', 1)); its path is not /; or currentUser does not find the user that the login stored.",
    },
    { reason: 'login_loop' },
  )
}

function notSignedInAgain(): PageError {
  return new PageError(
    'login_required',
    {
      heading: 'Please sign in again',
      message:
        'The application asked that you prove once more who you are, and you came back without having done so.',
      hint: 'Go back to the application, connect again, and sign in when you are asked to.',
    },
    { reason: 'not_signed_in_again' },
  )
}
