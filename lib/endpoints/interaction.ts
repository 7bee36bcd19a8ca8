import { approvedClaims } from '../authorization/claims-request.js'
import { decide, includesAll } from '../authorization/decision.js'
import type { AuthorizationRequest } from '../authorization/request.js'
import {
  type AuthorizationResponse,
  authorizationResponse,
  type ResponseTarget,
} from '../authorization/response.js'
import { failureBehind, OAuthError, publicError, toldOf } from '../errors.js'
import type { HostRequest, LoginHints } from '../options.js'
import type { Runtime } from '../runtime.js'
import { rememberSession } from '../sessions/client-session.js'
import type { Client, Grant, StoredRecord } from '../store/records.js'
import type { Authentication } from '../tokens/authentication.js'
import { codeRecord } from '../tokens/code.js'
import { type Handle, newGrantId } from '../tokens/handle.js'
import { subjectOf } from '../tokens/subject.js'
import { type SignedInUser, signedInUser } from './user.js'

/** What a request needs next, and who is at the browser. */
export type Next =
  | { readonly step: 'login'; readonly user: SignedInUser | undefined }
  /** Nobody who could decide is at the browser: the client is told. */
  | { readonly step: 'refused'; readonly error: OAuthError }
  | {
      readonly step: 'consent' | 'approved'
      readonly user: SignedInUser
      /** What the user allowed this client before. */
      readonly grant: Grant | undefined
    }

export async function nextStep(
  runtime: Runtime,
  host: HostRequest,
  client: Client,
  request: AuthorizationRequest,
  visitedLogin: boolean,
): Promise<Next> {
  const user = await signedInUser(runtime, host)
  const grant = user && (await runtime.store.findGrant(user.id, client.id))
  const known = user && { sub: subjectOf(runtime.settings, client, user.id), ...user }
  try {
    const step = decide({ request, client, user: known, grant, visitedLogin })
    return step === 'login' || user === undefined ? { step: 'login', user } : { step, user, grant }
  } catch (error) {
    if (error instanceof OAuthError) return { step: 'refused', error }
    throw error
  }
}

/** What the login is told. A user who is signed in has to sign in again, be it for `prompt`, for `max_age` or for `acr`. */
export function hintsFor({ loginHints }: AuthorizationRequest, user: SignedInUser | undefined): LoginHints {
  if (user === undefined || loginHints.prompts !== undefined) return loginHints
  return { ...loginHints, prompts: ['login'] }
}

export interface Approval {
  readonly client: Client
  readonly userId: string
  readonly scopes: readonly string[]
  /** What the user allowed this client before. */
  readonly known: Grant | undefined
  /** Whether the user has just been asked. */
  readonly asked: boolean
  readonly authentication: Authentication
}

/** How the user signed in; `returnedAt`: when they came back from the login, which counts where the host says nothing (milliseconds). */
export function authenticationOf(
  { authenticatedAt, acr, amr, session }: SignedInUser,
  returnedAt: number | undefined,
): Authentication {
  const signedInAt = authenticatedAt ?? returnedAt
  return {
    ...(signedInAt !== undefined && { authTime: Math.floor(signedInAt / 1000) }),
    ...(acr !== undefined && { acr }),
    ...(amr !== undefined && { amr }),
    ...(session !== undefined && { session }),
  }
}

/**
 * Answers with a code that stands for what the user allows. `keep` puts the code's record, and the grant where there is a new or a
 * larger one, into the store, and answers the id of the grant; undefined says that somebody else has answered the request already.
 */
export async function answerWithCode(
  runtime: Runtime,
  request: AuthorizationRequest,
  { client, userId, scopes, known, asked, authentication }: Approval,
  code: Handle,
  keep: (record: StoredRecord, grant: Grant | undefined) => Promise<string | undefined>,
): Promise<AuthorizationResponse | undefined> {
  const { settings, now, emit } = runtime
  const { clientId, redirectUri, redirectUriLeftOut, resources, codeChallenge, nonce } = request
  const { claimsBeyondScopes } = request
  const claims = request.claims && approvedClaims(request.claims, scopes, claimsBeyondScopes)
  const approvedAt = now()
  const access = Object.fromEntries(resources.map((resource) => [resource, scopes]))
  const standing = includesAll(known, { ...request, scopes }) ? known : undefined
  // Never the id of a known one: had that been withdrawn meanwhile, its tokens would come back to life.
  const fresh: Grant = {
    ...{ id: newGrantId(), userId, clientId, access, createdAt: approvedAt },
    ...(claimsBeyondScopes && { claims: claimsBeyondScopes }),
  }
  const { session } = authentication
  // Now, and not when the code is redeemed: the login may have ended by then.
  const endsWithLogin = await rememberSession(runtime, client, { userId, session }, scopes)
  const record = codeRecord(code, (standing ?? fresh).id, {
    clientId,
    userId,
    redirectUri,
    redirectUriLeftOut,
    scopes,
    resources,
    codeChallenge,
    nonce,
    dpopJkt: request.dpopJkt,
    authorizationDetails: request.authorizationDetails,
    claims,
    authentication,
    endsWithLogin: endsWithLogin || undefined,
    approvedAt,
    wrongVerifiers: 0,
  })
  // Before there is a code for it. Whoever only asks leaves nothing behind.
  if (client.source === 'document') await runtime.documents?.keep(client)
  const grantId = await keep(record, standing ? undefined : fresh)
  if (grantId === undefined) return undefined
  if (asked) emit('consent.approved', { clientId, userId, grantId, scopes, first: grantId === fresh.id })
  emit('code.issued', { clientId, userId, grantId, scopes, remembered: !asked })
  return authorizationResponse(request, settings.issuer, { code: code.value })
}

/** The error response of a request whose redirect URI is proven. */
export function errorResponse(
  runtime: Runtime,
  request: ResponseTarget & { readonly clientId: string },
  error: unknown,
): AuthorizationResponse {
  const refusal = publicError(error)
  const { clientId } = request
  // What fails here is no matter of the client's; that it might pass soon is for the person at the browser, who may try again.
  const code = refusal.status >= 500 ? 'server_error' : refusal.code
  const failure = failureBehind(refusal)
  if (failure !== undefined) runtime.emit('server.error', { error: failure, endpoint: '/authorize' })
  runtime.emit('authorization.refused', { clientId, ...toldOf(refusal), error: code, redirected: true })
  return authorizationResponse(request, runtime.settings.issuer, {
    error: code,
    error_description: refusal.message,
  })
}
