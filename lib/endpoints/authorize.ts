import { inBoth } from '../authorization/claims-request.js'
import { explainMismatch, matchesRedirectUri } from '../authorization/redirect-uri.js'
import { type AuthorizationRequest, readAuthorizationRequest } from '../authorization/request.js'
import { requestedResponseMode } from '../authorization/response.js'
import { findClient } from '../clients/find.js'
import { OAuthError, PageError } from '../errors.js'
import { type PageReply, redirect } from '../http/reply.js'
import type { PageRequest } from '../http/request.js'
import type { Parameters } from '../parameters.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { codeHandleExpiry } from '../tokens/code.js'
import { mintHandle } from '../tokens/handle.js'
import { readIdTokenHint } from '../tokens/id-token-hint.js'
import { answer } from './answer.js'
import { answerWithCode, authenticationOf, errorResponse, hintsFor, nextStep } from './interaction.js'
import { LONGEST_QUERY, LONGEST_SHOWN } from './limits.js'
import { consentPath, putAside } from './pending-request.js'

/**
 * RFC 6749 §4.1.1. Who sends the request and where it may be answered come first: until both are proven, every error is a page
 * (§4.1.2.1).
 */
export async function authorize(runtime: Runtime, request: PageRequest): Promise<PageReply> {
  const { parameters } = request
  if (parameters.length > LONGEST_QUERY) throw tooLong()
  const client = await requestingClient(runtime, parameters)
  const redirectUri = provenRedirectUri(client, parameters)
  const target = {
    clientId: client.id,
    redirectUri,
    responseMode: requestedResponseMode(parameters, redirectUri),
    state: parameters.get('state'),
  }
  try {
    const authorization = readAuthorizationRequest(
      parameters,
      client,
      target,
      runtime.settings,
      runtime.now(),
    )
    const hinted = await withHintedUser(runtime, client, authorization, parameters.get('id_token_hint'))
    return await proceed(runtime, request, client, hinted)
  } catch (error) {
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

/** OpenID Connect Core §3.1.2.1: the user whom an ID token of ours names, however old, is the only one for whom the request is meant. */
async function withHintedUser(
  { keys, settings }: Runtime,
  client: Client,
  request: AuthorizationRequest,
  hint: string | undefined,
): Promise<AuthorizationRequest> {
  if (hint === undefined) return request
  const hinted = await readIdTokenHint(keys, hint, settings.issuer)
  if (hinted?.clientId === client.id) return { ...request, subs: inBoth([hinted.sub], request.subs) ?? [] }
  throw new OAuthError('invalid_request', 'id_token_hint is not an ID token that this client got here.', {
    reason: 'id_token_hint',
  })
}

async function proceed(
  runtime: Runtime,
  { host, browsers }: PageRequest,
  client: Client,
  request: AuthorizationRequest,
): Promise<PageReply> {
  const { store, settings, now, emit } = runtime
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
    const code = mintHandle(codeHandleExpiry(now(), settings.lifetimes.authorizationCode))
    const response = await answerWithCode(runtime, request, approval, code, async (record, grant) => {
      const grantId = grant ? (await store.saveGrant(grant)).id : record.grantId
      const inserted = await store.insert([grantId === undefined ? record : { ...record, grantId }])
      return inserted ? grantId : undefined
    })
    if (response === undefined) throw new Error('A new code has the id of a known one.')
    return answer(client, response)
  }
  const logins = next.step === 'login' ? { logins: 1, signedOut: next.user === undefined } : { logins: 0 }
  const { id, cookie } = await putAside(runtime, request, browsers, logins)
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

/** RFC 6749 §3.1.2.3: it may be left out only where there is no choice, and never with OpenID Connect (Core §3.1.2.1). */
function provenRedirectUri(client: Client, parameters: Parameters): string {
  const requested = parameters.get('redirect_uri')
  if (requested !== undefined) {
    if (matchesRedirectUri(requested, client.redirectUris)) return requested
    throw refusal(
      'redirect_uri_mismatch',
      {
        heading: 'The application asked to be answered at an address that is not its own',
        message: `The redirect_uri in this request is not registered for the application. ${explainMismatch(requested, client.redirectUris)}`,
        hint: 'The application has to send a registered redirect_uri, character for character, or register this one.',
        details: [
          { label: 'redirect_uri in the request', value: requested.slice(0, LONGEST_SHOWN) },
          { label: 'Application', value: client.name },
        ],
      },
      client.id,
    )
  }
  const [only, ...others] = client.redirectUris
  const repeated = parameters.isRepeated('redirect_uri')
  const openid = parameters.all('scope').some((scope) => scope.split(' ').includes('openid'))
  if (only !== undefined && others.length === 0 && !repeated && !openid) return only
  throw refusal(
    'redirect_uri_missing',
    {
      heading: 'The application did not say where to answer',
      message: repeated ? 'redirect_uri was sent more than once.' : 'redirect_uri is missing.',
      hint: 'The application has to send one of its registered redirect URIs, once.',
      details: [{ label: 'Application', value: client.name }],
    },
    client.id,
  )
}

function refusal(
  reason: string,
  page: ConstructorParameters<typeof PageError>[1],
  clientId?: string,
): PageError {
  return new PageError('invalid_request', page, { reason, clientId })
}
