import type { AuthorizationRequest } from '../authorization/request.js'
import { type ErrorTexts, inRequest, PageError } from '../errors.js'
import { type PageReply, redirect } from '../http/reply.js'
import type { PageRequest } from '../http/request.js'
import { arrivedRequest } from '../requests/arrived.js'
import { waitingRequest } from '../requests/pushed.js'
import { notOnce } from '../requests/target.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { answer } from './answer.js'
import { approveAtOnce } from './consent-answer.js'
import { authenticationOf, errorResponse, hintsFor, nextStep } from './interaction.js'
import { LONGEST_QUERY } from './limits.js'
import { consentPath, putAside } from './pending-request.js'
import { clientAtBrowser } from './requesting-client.js'
import { refuseToSendOn } from './stranger-error.js'

/**
 * RFC 6749 §4.1.1. Who sends the request and where it may be answered come first: until both are proven, every error is a page
 * (§4.1.2.1).
 */
export async function authorize(runtime: Runtime, request: PageRequest): Promise<PageReply> {
  const { parameters } = request
  if (parameters.length > LONGEST_QUERY) throw tooLong()
  const client = await requestingClient(runtime, request)
  const { target, check, pushed, uiLocales } = await arrivedRequest(runtime, client, parameters)
  request.speech.prefer(uiLocales)
  let isSilent = false
  try {
    const checked = await check()
    isSilent = checked.prompts.includes('none')
    return await proceed(runtime, request, client, checked, pushed)
  } catch (error) {
    // A page is for whoever is at the browser, and no answer for the client.
    if (error instanceof PageError) throw error
    await refuseToSendOn(runtime, request.host, client, error, isSilent)
    return answer(request, client, errorResponse(runtime, target, error))
  }
}

/**
 * A form posted from another site comes without SameSite cookies, so the browser is sent on to the same request by GET, where its session
 * is seen (OpenID Connect Core §3.1.2.1). Only the body counts.
 */
export async function authorizeByPost(
  { settings }: Runtime,
  { parameters }: PageRequest,
): Promise<PageReply> {
  const query = parameters.toString()
  if (query.length <= LONGEST_QUERY) return redirect(`${settings.mount}/authorize?${query}`)
  throw tooLong()
}

/** It is kept for as long as its user takes, and anybody can send one. */
function tooLong(): PageError {
  return new PageError(
    'invalid_request',
    { key: 'error.request_too_long', values: { most: String(LONGEST_QUERY) } },
    { reason: 'request_too_long', status: 413 },
  )
}

/** What becomes of a request that is right: an answer at once, or it waits for its user. */
export async function proceed(
  runtime: Runtime,
  asking: PageRequest,
  client: Client,
  request: AuthorizationRequest,
  pushed: string | undefined,
): Promise<PageReply> {
  const { settings, emit } = runtime
  const { host, speech } = asking
  const next = await nextStep(runtime, host, client, request, false)
  if (next.step === 'refused') throw next.error
  if (next.step === 'approved') {
    const approval = {
      client,
      userId: next.user.id,
      scopes: request.scopes,
      known: next.grant,
      asked: false,
      authentication: authenticationOf(next.user, undefined),
    }
    return answer({ speech }, client, await approveAtOnce(runtime, request, approval, pushed))
  }
  const { id, cookie } = await putAside(
    runtime,
    waitingRequest(request, pushed),
    asking.browsers,
    next.step === 'login' ? { logins: 1, signedOut: next.user === undefined } : { logins: 0 },
  )
  const consent = consentPath(settings, id)
  if (next.step === 'consent') return redirect(consent, cookie)
  emit('login.required', { clientId: client.id })
  return redirect(settings.loginUrl(host, consent, hintsFor(request, next.user)), cookie)
}

async function requestingClient(runtime: Runtime, request: PageRequest): Promise<Client> {
  const { parameters } = request
  const id = parameters.get('client_id')
  if (id === undefined) {
    throw refusal('client_id_missing', {
      key: 'error.client_id_missing',
      message: notOnce(parameters, 'client_id'),
    })
  }
  const client = await clientAtBrowser(runtime, id, request)
  if (client !== undefined) return client
  throw refusal('client_unknown', {
    key: 'error.client_unknown',
    details: [inRequest('client_id', id)],
  })
}

function refusal(reason: string, page: ErrorTexts): PageError {
  return new PageError('invalid_request', page, { reason })
}
