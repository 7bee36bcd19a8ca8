import { decide, includesAll } from '../authorization/decision.js'
import type { AuthorizationRequest } from '../authorization/request.js'
import { type ResponseTarget, responseUri } from '../authorization/response.js'
import { publicError } from '../errors.js'
import type { HostRequest } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Client, Grant, StoredRecord } from '../store/records.js'
import { codeRecord } from '../tokens/code.js'
import { type Handle, newGrantId } from '../tokens/handle.js'
import { type SignedInUser, signedInUser } from './user.js'

/** What a request needs next, and who is at the browser. */
export type Next =
  | { readonly step: 'login'; readonly user: SignedInUser | undefined }
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
  const step = decide({ request, client, user, grant, visitedLogin })
  return step === 'login' || user === undefined ? { step: 'login', user } : { step, user, grant }
}

export interface Approval {
  readonly userId: string
  readonly scopes: readonly string[]
  /** What the user allowed this client before. */
  readonly known: Grant | undefined
  /** Whether the user has just been asked. */
  readonly asked: boolean
}

/**
 * Answers with a code that stands for what the user allows. `keep` puts the code's record, and the grant where there is a new or a
 * larger one, into the store, and answers the id of the grant; undefined says that somebody else has answered the request already.
 */
export async function answerWithCode(
  runtime: Runtime,
  request: AuthorizationRequest,
  { userId, scopes, known, asked }: Approval,
  code: Handle,
  keep: (record: StoredRecord, grant: Grant | undefined) => Promise<string | undefined>,
): Promise<string | undefined> {
  const { settings, now, emit } = runtime
  const { clientId, redirectUri, redirectUriLeftOut, resources, codeChallenge } = request
  const approvedAt = now()
  const access = Object.fromEntries(resources.map((resource) => [resource, scopes]))
  const standing = includesAll(known, { scopes, resources }) ? known : undefined
  // Never the id of a known one: had that been withdrawn meanwhile, its tokens would come back to life.
  const fresh: Grant = { id: newGrantId(), userId, clientId, access, createdAt: approvedAt }
  const record = codeRecord(code, (standing ?? fresh).id, {
    ...{ clientId, userId, redirectUri, scopes, resources, approvedAt, wrongVerifiers: 0 },
    ...(codeChallenge !== undefined && { codeChallenge }),
    ...(redirectUriLeftOut && { redirectUriLeftOut }),
  })
  const grantId = await keep(record, standing ? undefined : fresh)
  if (grantId === undefined) return undefined
  if (asked) emit('consent.approved', { clientId, userId, grantId, scopes })
  emit('code.issued', { clientId, userId, grantId, scopes, remembered: !asked })
  return responseUri(request, settings.issuer, { code: code.value })
}

/** The error response of a request whose redirect URI is proven. */
export function errorResponse(
  runtime: Runtime,
  request: ResponseTarget & { readonly clientId: string },
  error: unknown,
): string {
  const refusal = publicError(error)
  const { clientId } = request
  // What fails here is no matter of the client's; that it might pass soon is for the person at the browser, who may try again.
  const failed = refusal.status >= 500
  const code = failed ? 'server_error' : refusal.code
  if (failed) runtime.emit('server.error', { error: refusal.cause ?? error, endpoint: '/authorize' })
  runtime.emit('authorization.refused', { clientId, error: code, reason: refusal.reason, redirected: true })
  return responseUri(request, runtime.settings.issuer, { error: code, error_description: refusal.message })
}
