import { type Decision, decide, includesAll } from '../authorization/decision.js'
import type { AuthorizationRequest } from '../authorization/request.js'
import { type ResponseTarget, responseUri } from '../authorization/response.js'
import { publicError } from '../errors.js'
import type { HostRequest } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Client, Grant, StoredRecord } from '../store/records.js'
import { type CodeData, codeRecord } from '../tokens/code.js'
import { type Handle, newGrantId } from '../tokens/handle.js'
import { type SignedInUser, signedInUser } from './user.js'

/** Who is at the browser, and what their request needs next. */
export type Next =
  | { readonly decision: Decision & { step: 'login' }; readonly user: SignedInUser | undefined }
  | {
      readonly decision: Decision & { step: 'consent' | 'approved' }
      readonly user: SignedInUser
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
  const authenticatedAt = user?.authenticatedAt
  const decision = decide({
    request,
    client,
    signedIn: user !== undefined,
    grant,
    authenticatedAt,
    visitedLogin,
  })
  if (decision.step === 'login' || user === undefined) return { decision: { step: 'login' }, user }
  return { decision, user, grant }
}

/** Keeps what the user allows, and makes the record of the code that stands for it. */
export async function allow(
  { store, now }: Runtime,
  request: AuthorizationRequest,
  userId: string,
  scopes: readonly string[],
  known: Grant | undefined,
): Promise<{ grant: Grant; codeFor: (handle: Handle) => StoredRecord }> {
  const { clientId, redirectUri, redirectUriLeftOut, resources, codeChallenge } = request
  const approvedAt = now()
  const grant = includesAll(known, { scopes, resources })
    ? known
    : await store.saveGrant({ id: newGrantId(), userId, clientId, scopes, resources, createdAt: approvedAt })
  const code = { clientId, userId, redirectUri, scopes, resources, approvedAt }
  const data: CodeData = {
    ...code,
    ...(codeChallenge !== undefined && { codeChallenge }),
    ...(redirectUriLeftOut && { redirectUriLeftOut }),
  }
  return { grant, codeFor: (handle) => codeRecord(handle, grant.id, data) }
}

/** The error response of a request whose redirect URI is proven. */
export function errorResponse(
  runtime: Runtime,
  request: ResponseTarget & { readonly clientId: string },
  error: unknown,
): string {
  const refusal = publicError(error)
  const { clientId } = request
  if (refusal.status >= 500)
    runtime.emit('server.error', { error: refusal.cause ?? error, endpoint: '/authorize' })
  runtime.emit('authorization.refused', {
    clientId,
    error: refusal.code,
    reason: refusal.reason,
    redirected: true,
  })
  return responseUri(request, runtime.settings.issuer, { ...refusal.toJSON() })
}
