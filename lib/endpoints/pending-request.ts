import { hash, randomBytes } from 'node:crypto'
import type { AuthorizationRequest } from '../authorization/request.js'
import { PageError } from '../errors.js'
import { requestOf, type WaitingRequest } from '../requests/pushed.js'
import type { Runtime } from '../runtime.js'
import type { Settings } from '../settings.js'
import type { FoundRecord } from '../store/records.js'
import { amendUnused } from '../tokens/amend.js'
import { findByHandle } from '../tokens/find.js'
import { expiryOf, mintHandle } from '../tokens/handle.js'
import { contentOf, knownContent } from '../tokens/record-content.js'

/** An authorization request that waits for its user, bound to the browser that began it. */
export interface PendingRequest {
  /** Its handle, as it stands in the URL. */
  readonly id: string
  readonly record: FoundRecord
  readonly state: PendingState
}

export interface PendingState extends Visit {
  readonly request: AuthorizationRequest
  /** The id of the record that the client pushed it as. */
  readonly pushed?: string
}

/** How far a browser has come with it. */
interface Visit {
  /** SHA-256 of our cookie in that browser. */
  readonly browser: string
  /** How often the browser was sent to the login. */
  readonly logins: number
  /** Whether nobody was signed in when it was: then whoever comes back has just signed in. */
  readonly signedOut?: boolean
  /** Who has been shown the page. */
  readonly userId?: string
  /** The scopes that the page called new. */
  readonly newScopes?: readonly string[]
  /** When a user first came back from the login, in milliseconds. */
  readonly returnedAt?: number
}

type KeptState = Visit & WaitingRequest

/** Puts a request aside until its user has signed in and decided. Answers the id for the URL, and the cookie where the browser has none. */
export async function putAside(
  { store, settings, now }: Runtime,
  request: WaitingRequest,
  [browser]: readonly string[],
  logins: Pick<Visit, 'logins' | 'signedOut'>,
): Promise<{ id: string; cookie: string | undefined }> {
  const fresh = randomBytes(32).toString('base64url')
  const handle = mintHandle(now() + settings.lifetimes.request * 1000)
  const state: KeptState = {
    ...request,
    browser: fingerprint(browser ?? fresh),
    ...logins,
  }
  await store.insert([{ id: handle.id, kind: 'request', hash: handle.hash, data: JSON.stringify(state) }])
  return { id: handle.value, cookie: browser === undefined ? fresh : undefined }
}

/** The one address that a pending request has. */
export function consentPath({ mount }: Pick<Settings, 'mount'>, id: string): string {
  return `${mount}/consent/${id}`
}

/** Finds the request that a page is about, and refuses whoever did not begin it. */
export async function pickUp(
  { store, now }: Runtime,
  id: string,
  browsers: readonly string[],
): Promise<PendingRequest> {
  const record = await findByHandle(store, 'request', id)
  if (record === undefined || expiryOf(record.id) <= now()) throw expired()
  const kept: KeptState = knownContent(record)
  // Somebody else's link, or a link of one's own that somebody else opened: a decision here would be for the wrong person.
  if (!browsers.some((browser) => fingerprint(browser) === kept.browser)) throw otherBrowser()
  const request = await requestOf(store, kept)
  if (request === undefined) throw expired()
  return { id, record, state: { ...kept, request } }
}

/** Notes what has happened to a request that still waits, in this tab or in another. */
export async function note(
  { store }: Runtime,
  { record }: PendingRequest,
  change: (state: Visit) => Partial<Pick<Visit, 'logins' | 'signedOut' | 'userId' | 'returnedAt'>>,
): Promise<void> {
  await amendUnused(store, record, (known) => {
    const state = contentOf<KeptState>(known)
    return state && { ...state, ...change(state) }
  })
}

function fingerprint(cookie: string): string {
  return hash('sha256', cookie)
}

function expired(): PageError {
  return new PageError('invalid_request', { key: 'error.request_expired' }, { reason: 'request_expired' })
}

function otherBrowser(): PageError {
  return new PageError('access_denied', { key: 'error.other_browser' }, { reason: 'other_browser' })
}
