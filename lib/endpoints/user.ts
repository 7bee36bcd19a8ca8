import { optional } from '../optional.js'
import type { AuthContext, HostRequest, HostUser } from '../options.js'
import type { Runtime } from '../runtime.js'
import { described, type Login, loginOf } from '../sessions/login.js'

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
  /** Their login session at the host; undefined where the host's sessions have no id. */
  readonly session?: string
}

/** The login of this browser, and its user as the host knows them; a user whom `findUser` no longer finds counts as signed out. */
export async function foundLogin(
  { settings, emit }: Runtime,
  req: HostRequest,
): Promise<{ readonly login: Login; readonly user: HostUser } | undefined> {
  const login = await loginOf(settings, req)
  const user = login && (await settings.findUser(login.userId))
  if (login !== undefined && user !== undefined) return { login, user }
  if (typeof login?.given === 'number') emit('warning', NUMBERS)
  return undefined
}

/** Who is signed in. */
export async function signedInUser(runtime: Runtime, req: HostRequest): Promise<SignedInUser | undefined> {
  const found = await foundLogin(runtime, req)
  if (found === undefined) return undefined
  const { settings, now } = runtime
  const { login, user } = found
  const authenticatedAt = milliseconds(await settings.authTime?.(req), now())
  return {
    id: login.userId,
    ...shownUser(user),
    ...(authenticatedAt !== undefined && { authenticatedAt }),
    ...authContext(await settings.authContext?.(req)),
    ...optional('session', login.session),
  }
}

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

const NUMBERS = {
  code: 'user_not_found',
  message:
    'currentUser gave a number, and findUser found nobody for it, so that user counts as signed out. findUser gets ids as strings: where yours are numbers, turn them back: findUser: (id) => users.get(Number(id)).',
}

/** The name and address that pages show. */
export function shownUser({ name, email }: HostUser): { name?: string; email?: string } {
  return {
    ...(typeof name === 'string' && name !== '' && { name }),
    ...(typeof email === 'string' && email !== '' && { email }),
  }
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
