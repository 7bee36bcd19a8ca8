import { hash } from 'node:crypto'
import type { HostRequest } from '../options.js'
import type { Settings } from '../settings.js'

/** A login at the host. */
export interface Login {
  readonly userId: string
  /** Which one of the user's it is, as only the provider knows it; undefined where the host's sessions have no id. */
  readonly session?: string | undefined
}

/** The login of this browser, as far as the host says without looking its user up; `given` is the id as the host has it. */
export async function loginOf(
  { currentUser }: Pick<Settings, 'currentUser'>,
  req: HostRequest,
): Promise<(Login & { readonly given: unknown }) | undefined> {
  const given = await currentUser(req)
  if (given === undefined || given === null) return undefined
  const userId = idOf(given)
  return { given, userId, session: sessionOf(req, userId) }
}

/**
 * The host's session id says which login this is, and is a secret: only a hash of it is kept. The user's id is in it, for a host that
 * lets another user in without a new session.
 */
function sessionOf(req: HostRequest, userId: string): string | undefined {
  const { sessionID } = req as { sessionID?: unknown }
  if (typeof sessionID !== 'string' || sessionID === '') return undefined
  // One that the browser does not hold is another one at each request: the host knows its users by something else.
  if (!req.headers.cookie?.includes(encodeURIComponent(sessionID))) return undefined
  return hash('sha256', `${sessionID}\0${userId}`, 'base64url')
}

/** What careless code makes of an id that is not there; whoever got one would share it with others. */
const NO_ID = ['', 'undefined', 'null', 'NaN']

/** Ids become strings, which tokens and grants carry for years: what is no stable id must not become one. */
function idOf(given: unknown): string {
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

/** What a function of the host gave, in a message. */
export function described(value: unknown): string {
  if (typeof value === 'string') return `the string '${value}'`
  return typeof value === 'object'
    ? `an object (${Object.prototype.toString.call(value)})`
    : `${typeof value} ${String(value)}`
}
