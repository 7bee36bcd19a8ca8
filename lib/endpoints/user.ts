import { hash } from 'node:crypto'
import type { AuthContext, HostRequest, HostUser } from '../options.js'
import type { Runtime } from '../runtime.js'

/** The user who is signed in at the host. */
export interface SignedInUser {
  readonly id: string
  readonly name?: string
  readonly email?: string
  /** When they signed in, in milliseconds, where the host says it. */
  readonly authenticatedAt?: number
  /** How they proved who they are, where the host says it. */
  readonly acr?: string
  readonly amr?: readonly string[]
  /** Their login session at the host, as clients know it; undefined where the host's sessions have no id. */
  readonly sid?: string
}

/** Who is signed in; a user whom `findUser` no longer finds counts as signed out. */
export async function signedInUser(
  { settings, now }: Runtime,
  req: HostRequest,
): Promise<SignedInUser | undefined> {
  const given = await settings.currentUser(req)
  if (given === undefined || given === null) return undefined
  const id = userId(given)
  const user = await settings.findUser(id)
  if (user === undefined) return undefined
  const authenticatedAt = milliseconds(await settings.authTime?.(req), now())
  return {
    id,
    ...shown(user),
    ...(authenticatedAt !== undefined && { authenticatedAt }),
    ...authContext(await settings.authContext?.(req)),
    ...sessionOf(req, id),
  }
}

/**
 * The host's session id says which login this is, and is a secret: clients get a hash of it. The user's id is in it, for a host that lets
 * another user in without a new session.
 */
function sessionOf(req: HostRequest, userId: string): { sid?: string } {
  const { sessionID } = req as { sessionID?: unknown }
  if (typeof sessionID !== 'string' || sessionID === '') return {}
  return { sid: hash('sha256', `${sessionID}\0${userId}`, 'base64url').slice(0, SID_LENGTH) }
}

/** 132 bits. */
const SID_LENGTH = 22

function authContext(given: AuthContext | undefined): { acr?: string; amr?: readonly string[] } {
  const { acr, amr } = given ?? {}
  if (!(acr === undefined || typeof acr === 'string') || !(amr === undefined || isTexts(amr))) {
    throw new TypeError(
      "oauthProvider: authContext gave what is no authentication context. Give { acr: 'a text', amr: ['pwd'] }, either or both.",
    )
  }
  return { ...(acr && { acr }), ...(amr && amr.length > 0 && { amr }) }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '')
}

/** The name and address that pages show. */
function shown({ name, email }: HostUser): { name?: string; email?: string } {
  return {
    ...(typeof name === 'string' && name !== '' && { name }),
    ...(typeof email === 'string' && email !== '' && { email }),
  }
}

/** What careless code makes of an id that is not there; whoever got one would share it with others. */
const NO_ID = ['', 'undefined', 'null', 'NaN']

/** Ids become strings, which tokens and grants carry for years: what is no stable id must not become one. */
function userId(given: unknown): string {
  const id = isIdentifying(given) ? String(given) : ''
  if (!NO_ID.includes(id) && !id.startsWith('[object ')) return id
  throw new TypeError(
    `oauthProvider: currentUser gave ${described(given)} as the user's id. Give a string or a number, such as (req) => req.session.userId, or undefined when nobody is signed in.`,
  )
}

/** Strings, numbers, and what databases use for ids: objects that write themselves as one. */
function isIdentifying(given: unknown): boolean {
  if (typeof given === 'number') return Number.isFinite(given)
  if (typeof given === 'object') return !Array.isArray(given) && !ArrayBuffer.isView(given)
  return typeof given === 'string' || typeof given === 'bigint'
}

/** How far the clock that the host took the time from may be ahead of ours, in milliseconds. */
const CLOCK_SKEW = 300_000

/** A time that cannot be compared would let `prompt=login` through without a login. */
function milliseconds(time: unknown, now: number): number | undefined {
  if (time === undefined || time === null) return undefined
  const given = time instanceof Date ? time.getTime() : typeof time === 'number' ? time * 1000 : Number.NaN
  if (given <= now + CLOCK_SKEW) return given
  throw new TypeError(
    `oauthProvider: authTime gave ${described(time)}, which is not a time in the past. Give a Date, or whole seconds (not milliseconds) since 1970; a Date that was kept in a session has become text there.`,
  )
}

function described(value: unknown): string {
  if (typeof value === 'string') return `the string '${value}'`
  return typeof value === 'object'
    ? `an object (${Object.prototype.toString.call(value)})`
    : `${typeof value} ${String(value)}`
}
