import type { AuthorizationRequest } from '../authorization/request.js'
import { findClient } from '../clients/find.js'
import { LONGEST_SHOWN, PageError } from '../errors.js'
import { type PageReply, redirect } from '../http/reply.js'
import type { PageRequest } from '../http/request.js'
import type { Parameters } from '../parameters.js'
import { arrivedRequest } from '../requests/arrived.js'
import { waitingRequest } from '../requests/pushed.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { answer } from './answer.js'
import { approveAtOnce } from './consent-answer.js'
import { authenticationOf, errorResponse, hintsFor, nextStep } from './interaction.js'
import { LONGEST_QUERY } from './limits.js'
import { consentPath, putAside } from './pending-request.js'

/**
 * RFC 6749 §4.1.1. Who sends the request and where it may be answered come first: until both are proven, every error is a page
 * (§4.1.2.1).
 */
export async function authorize(runtime: Runtime, request: PageRequest): Promise<PageReply> {
  const { parameters } = request
  if (parameters.length > LONGEST_QUERY) throw tooLong()
  const client = await requestingClient(runtime, parameters)
  const { target, check, pushed } = await arrivedRequest(runtime, client, parameters)
  try {
    return await proceed(runtime, request, client, await check(), pushed)
  } catch (error) {
    // A page is for whoever is at the browser, and no answer for the client.
    if (error instanceof PageError) throw error
    return answer(client, errorResponse(runtime, target, error))
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
    {
      heading: 'This request is too long',
      message: `The application sent more than ${LONGEST_QUERY} characters.`,
      hint: 'The application has to send a shorter state or fewer parameters.',
    },
    { reason: 'request_too_long', status: 413 },
  )
}

async function proceed(
  runtime: Runtime,
  { host, browsers }: PageRequest,
  client: Client,
  request: AuthorizationRequest,
  pushed: string | undefined,
): Promise<PageReply> {
  const { settings, emit } = runtime
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
    return answer(client, await approveAtOnce(runtime, request, approval, pushed))
  }
  const { id, cookie } = await putAside(
    runtime,
    waitingRequest(request, pushed),
    browsers,
    next.step === 'login' ? { logins: 1, signedOut: next.user === undefined } : { logins: 0 },
  )
  const consent = consentPath(settings, id)
  if (next.step === 'consent') return redirect(consent, cookie)
  emit('login.required', { clientId: client.id })
  return redirect(settings.loginUrl(host, consent, hintsFor(request, next.user)), cookie)
}

async function requestingClient(runtime: Runtime, parameters: Parameters): Promise<Client> {
  const id = parameters.get('client_id')
  if (id === undefined) {
    throw refusal('client_id_missing', {
      heading: 'The application did not say who it is',
      message: parameters.isRepeated('client_id')
        ? 'client_id was sent more than once.'
        : 'client_id is missing.',
      hint: 'The application has to send its client_id once. If you followed a link, it may be incomplete.',
    })
  }
  const client = await findClient(runtime, id)
  if (client !== undefined) return client
  throw refusal('client_unknown', {
    heading: 'This application is not known here',
    message: 'Its client_id is not registered on this server.',
    hint: 'Remove the connection in the application and add it again, or ask its maker to register it.',
    details: [{ label: 'client_id in the request', value: id.slice(0, LONGEST_SHOWN) }],
  })
}

function refusal(reason: string, page: ConstructorParameters<typeof PageError>[1]): PageError {
  return new PageError('invalid_request', page, { reason })
}
