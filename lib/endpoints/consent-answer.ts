import { destinationOf } from '../authorization/redirect-uri.js'
import type { AuthorizationRequest } from '../authorization/request.js'
import { type AuthorizationResponse, authorizationResponse } from '../authorization/response.js'
import { OAuthError, PageError } from '../errors.js'
import { optional } from '../optional.js'
import { refusePushed, usePushed } from '../requests/pushed.js'
import type { Runtime } from '../runtime.js'
import type { StoredRecord } from '../store/records.js'
import type { Consumption, Store } from '../store/store.js'
import { type CodeData, codeExpiry, codeHandleExpiry } from '../tokens/code.js'
import { deriveHandle, mintHandle, newSeed } from '../tokens/handle.js'
import { contentOf, traceOf } from '../tokens/record-content.js'
import { type Approval, answerWithCode, errorResponse } from './interaction.js'
import type { PendingRequest } from './pending-request.js'

interface ApprovalTrace {
  readonly seed: string
  /** Of the handle of the code, in milliseconds. */
  readonly expiresAt: number
}

/** Issues the code for a request of which nobody has to be asked. */
export async function approveAtOnce(
  runtime: Runtime,
  request: AuthorizationRequest,
  approval: Approval,
  pushed: string | undefined,
): Promise<AuthorizationResponse> {
  const { store, settings, now } = runtime
  const code = mintHandle(codeHandleExpiry(now(), settings.lifetimes.authorizationCode))
  const response = await answerWithCode(runtime, request, approval, code, async (record, grant) => {
    if (pushed !== undefined)
      return exchange(store, pushed, { now: now(), ...optional('grant', grant) }, record)
    const grantId = grant ? (await store.saveGrant(grant)).id : record.grantId
    const inserted = await store.insert([{ ...record, ...optional('grantId', grantId) }])
    return inserted ? grantId : undefined
  })
  if (response !== undefined) return response
  if (pushed !== undefined) throw refusePushed(approval.client, 'used')
  throw new Error('A new code has the id of a known one.')
}

/** Issues the code for a request that has waited, and answers where to take it. */
export async function approve(
  runtime: Runtime,
  pending: PendingRequest,
  approval: Approval,
): Promise<AuthorizationResponse> {
  const { store, settings, now } = runtime
  const { id, record, state } = pending
  await claim(runtime, pending)
  const trace: ApprovalTrace = {
    seed: newSeed(),
    expiresAt: codeHandleExpiry(now(), settings.lifetimes.authorizationCode),
  }
  const code = deriveHandle(trace.expiresAt, id, trace.seed, 'code')
  const answer = await answerWithCode(runtime, state.request, approval, code, async (successor, grant) => {
    const consumption = { now: now(), trace: JSON.stringify(trace), ...optional('grant', grant) }
    return exchange(store, record.id, consumption, successor)
  })
  return answer ?? answerAgain(runtime, pending, approval.userId)
}

export async function deny(runtime: Runtime, pending: PendingRequest): Promise<AuthorizationResponse> {
  const { record, state } = pending
  await claim(runtime, pending)
  const { won } = await runtime.store.consume(record.id, { now: runtime.now() }, [])
  if (!won) return answerAgain(runtime, pending, state.userId)
  runtime.emit('consent.denied', { clientId: state.request.clientId, userId: state.userId ?? '' })
  return errorResponse(runtime, state.request, accessDenied())
}

/**
 * A pushed request can be begun again as long as nobody has answered it (RFC 9126 §4): then several wait, and whichever is decided first is the
 * only one that is answered. It is claimed before there is a code, so that nobody else ever gets one.
 */
async function claim(runtime: Runtime, { record, state }: PendingRequest): Promise<void> {
  if (state.pushed === undefined || (await usePushed(runtime, state.pushed, record.id))) return
  throw alreadyAnswered(state.request)
}

/** Uses a record up with a code as its successor, in one step. Answers the grant of the code; undefined where somebody else was faster. */
async function exchange(
  store: Store,
  id: string,
  consumption: Consumption,
  code: StoredRecord,
): Promise<string | undefined> {
  const { won, grant } = await store.consume(id, consumption, [code])
  return won ? (grant?.id ?? code.grantId) : undefined
}

/**
 * A second click, a reload, the back button: the answer of the first decision, for as long as its code has not been redeemed, and for
 * nobody but the user who approved.
 */
export async function answerAgain(
  runtime: Runtime,
  { id, record, state }: PendingRequest,
  userId: string | undefined,
): Promise<AuthorizationResponse> {
  const decided = await runtime.store.find(record.id)
  if (decided?.usedAt === undefined) throw alreadyAnswered(state.request)
  if (decided.trace === undefined) return errorResponse(runtime, state.request, accessDenied())
  const trace = traceOf<ApprovalTrace>('request', decided.trace)
  if (trace === undefined) throw alreadyAnswered(state.request)
  const code = deriveHandle(trace.expiresAt, id, trace.seed, 'code')
  const issued = await runtime.store.find(code.id)
  const redeemable = issued?.alive && issued.usedAt === undefined && codeExpiry(issued) > runtime.now()
  if (!redeemable || contentOf<CodeData>(issued)?.userId !== userId) throw alreadyAnswered(state.request)
  return authorizationResponse(state.request, runtime.settings.issuer, { code: code.value })
}

/** The account was closed between the page and the click. */
export async function deniedBecauseGone(
  runtime: Runtime,
  pending: PendingRequest,
): Promise<AuthorizationResponse | undefined> {
  const { userId } = pending.state
  if (userId === undefined) return undefined
  const user = await runtime.settings.findUser(userId)
  return user === undefined ? deny(runtime, pending) : undefined
}

function accessDenied(): OAuthError {
  return new OAuthError('access_denied', 'The user denied the request.', { reason: 'user_denied' })
}

function alreadyAnswered({ redirectUri }: AuthorizationRequest): PageError {
  const destination = destinationOf(redirectUri)
  return new PageError(
    'invalid_request',
    {
      key: 'error.already_answered',
      ...(destination.kind === 'web' && {
        next: {
          url: `https://${destination.host}/`,
          label: { key: 'error.next.go_to', values: { host: destination.host } },
        },
      }),
    },
    { reason: 'already_answered' },
  )
}
