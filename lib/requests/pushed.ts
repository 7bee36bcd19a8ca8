import { matchesRedirectUri } from '../authorization/redirect-uri.js'
import type { AuthorizationRequest } from '../authorization/request.js'
import { OAuthError, type PageError } from '../errors.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import type { Store } from '../store/store.js'
import { findByHandle } from '../tokens/find.js'
import { mintHandle } from '../tokens/handle.js'
import { contentOf, knownContent } from '../tokens/record-content.js'
import { requestRefusal } from './refusal.js'

/** RFC 9126 §2.2. What follows is a handle. */
const URN = 'urn:ietf:params:oauth:request_uri:'
/** Characters of a request as it is kept. A public client proves nothing, so anybody can make us keep one. */
const LONGEST = 16 * 1024

/** A request that a client has pushed, and that nobody has answered yet. */
export interface PushedRequest {
  /** The id of its record. */
  readonly id: string
  readonly request: AuthorizationRequest
}

interface PushedState {
  readonly request: AuthorizationRequest
  /** When it stops being good for a visit, in milliseconds. */
  readonly expiresAt: number
}

/** Whether a `request_uri` is one that `/par` could have given; all others are references to somewhere else. */
export function isPushedUri(requestUri: string | undefined): requestUri is string {
  return requestUri?.startsWith(URN) ?? false
}

/**
 * Keeps a checked request for its client (RFC 9126 §2.2). Answers the `request_uri`.
 *
 * @throws OAuthError `invalid_request` where it is too long.
 */
export async function keepPushed(
  { store, settings, now }: Runtime,
  request: AuthorizationRequest,
): Promise<string> {
  const { pushedRequest, request: pending } = settings.lifetimes
  const expiresAt = now() + pushedRequest * 1000
  // Whoever comes with it at the last moment has time to sign in and decide: it is read here till then, and used up only then.
  const handle = mintHandle(expiresAt + pending * 1000)
  const state: PushedState = { request, expiresAt }
  const data = JSON.stringify(state)
  if (data.length > LONGEST) throw tooLong()
  await store.insert([{ id: handle.id, kind: 'pushed', hash: handle.hash, data }])
  return URN + handle.value
}

/**
 * The request that this client has pushed under a `request_uri`, as long as it is neither expired nor answered (RFC 9126 §4).
 *
 * @throws PageError `invalid_request_uri` for anything else.
 */
export async function findPushed(
  { store, now }: Runtime,
  client: Client,
  requestUri: string,
): Promise<PushedRequest> {
  const record = await findByHandle(store, 'pushed', requestUri.slice(URN.length))
  if (record === undefined) throw refusePushed(client, 'unknown')
  const { request, expiresAt }: PushedState = knownContent(record)
  if (request.clientId !== client.id) throw refusePushed(client, 'foreign')
  if (record.usedAt !== undefined) throw refusePushed(client, 'used')
  if (expiresAt <= now()) throw refusePushed(client, 'expired')
  // An address that was withdrawn meanwhile gets no answer, not even a refusal.
  if (!matchesRedirectUri(request.redirectUri, client.redirectUris)) throw refusePushed(client, 'withdrawn')
  return { id: record.id, request: { ...request, receivedAt: now() } }
}

/**
 * What has to be kept of a request that waits for its user: all of it, or what a visit with its `request_uri` has added to it. Anybody can
 * visit as often as they like, so what was pushed is never copied.
 */
export type WaitingRequest =
  | { readonly request: AuthorizationRequest }
  | { readonly pushed: string; readonly receivedAt: number }

/** `pushed`: the id of its record, where it was pushed. */
export function waitingRequest(request: AuthorizationRequest, pushed: string | undefined): WaitingRequest {
  return pushed === undefined ? { request } : { pushed, receivedAt: request.receivedAt }
}

/** The whole request again; undefined where the record that it was pushed as is gone, or cannot be read. */
export async function requestOf(
  store: Store,
  waiting: WaitingRequest,
): Promise<AuthorizationRequest | undefined> {
  if ('request' in waiting) return waiting.request
  const record = await store.find(waiting.pushed)
  const state = record && contentOf<PushedState>(record)
  return state && { ...state.request, receivedAt: waiting.receivedAt }
}

/**
 * Uses up a pushed request, which is answered once however often it was begun. `by`: the id of the request that its user has decided; false
 * where another one was faster.
 */
export async function usePushed(
  { store, now }: Pick<Runtime, 'store' | 'now'>,
  id: string,
  by: string,
): Promise<boolean> {
  const { won, record } = await store.consume(id, { now: now(), trace: by }, [])
  return won || record?.trace === by
}

/** The `request_uri` is not good, or no more; the reason is for the host to know, and not for whoever tries one. */
export function refusePushed(
  client: Client,
  problem: 'unknown' | 'foreign' | 'used' | 'expired' | 'withdrawn',
): PageError {
  const page = { key: 'error.request_uri_refused' }
  return requestRefusal('invalid_request_uri', client, page, { reason: `request_uri_${problem}` })
}

function tooLong(): OAuthError {
  return new OAuthError(
    'invalid_request',
    'The request is longer than 16 KB. Send a shorter state, or less in claims and authorization_details.',
    { reason: 'request_too_long', status: 413 },
  )
}
