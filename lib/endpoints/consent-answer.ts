import { responseUri } from '../authorization/response.js'
import { OAuthError, PageError } from '../errors.js'
import type { Runtime } from '../runtime.js'
import type { Grant } from '../store/records.js'
import { codeData } from '../tokens/code.js'
import { deriveHandle, newSeed } from '../tokens/handle.js'
import { allow, errorResponse } from './interaction.js'
import type { PendingRequest } from './pending-request.js'

interface ApprovalTrace {
  readonly seed: string
  readonly expiresAt: number
}

/** Issues the code, and answers where to take it. `asked`: whether the user has just been asked. */
export async function approve(
  runtime: Runtime,
  pending: PendingRequest,
  userId: string,
  scopes: readonly string[],
  { known, asked }: { readonly known: Grant | undefined; readonly asked: boolean },
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
  if (!won) return answerAgain(runtime, pending, userId)
  const { clientId } = state.request
  if (asked) emit('consent.approved', { clientId, userId, grantId: grant.id, scopes })
  emit('code.issued', { clientId, userId, grantId: grant.id, scopes, remembered: !asked })
  return responseUri(state.request, settings.issuer, { code: code.value })
}

export async function deny(runtime: Runtime, pending: PendingRequest): Promise<string> {
  const { record, state } = pending
  const { won } = await runtime.store.consume(record.id, { now: runtime.now() }, [])
  if (!won) return answerAgain(runtime, pending, state.userId)
  runtime.emit('consent.denied', { clientId: state.request.clientId, userId: state.userId ?? '' })
  return errorResponse(runtime, state.request, accessDenied())
}

/**
 * A second click, a reload, the back button: the answer of the first decision, for as long as its code has not been redeemed, and for
 * nobody but the user who decided.
 */
export async function answerAgain(
  runtime: Runtime,
  { id, record, state }: PendingRequest,
  userId: string | undefined,
): Promise<string> {
  const decided = await runtime.store.find(record.id)
  if (decided?.usedAt === undefined) throw alreadyAnswered()
  if (decided.trace === undefined) return errorResponse(runtime, state.request, accessDenied())
  const { seed, expiresAt }: ApprovalTrace = JSON.parse(decided.trace)
  const code = deriveHandle(expiresAt, id, seed, 'code')
  const issued = await runtime.store.find(code.id)
  const redeemable = issued?.alive && issued.usedAt === undefined && expiresAt > runtime.now()
  if (!redeemable || codeData(issued).userId !== userId) throw alreadyAnswered()
  return responseUri(state.request, runtime.settings.issuer, { code: code.value })
}

/** The account was closed between the page and the click. */
export async function deniedBecauseGone(
  runtime: Runtime,
  pending: PendingRequest,
): Promise<string | undefined> {
  const { userId } = pending.state
  if (userId === undefined) return undefined
  const user = await runtime.settings.findUser(userId)
  return user === undefined || user === null ? deny(runtime, pending) : undefined
}

function accessDenied(): OAuthError {
  return new OAuthError('access_denied', 'The user denied the request.', { reason: 'user_denied' })
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
