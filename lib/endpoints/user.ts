import type { HostRequest, HostUser } from '../options.js'
import type { Runtime } from '../runtime.js'

/** The user who is signed in at the host. */
export interface SignedInUser {
  readonly id: string
  readonly name?: string
  readonly email?: string
  /** When they signed in, in milliseconds, where the host says it. */
  readonly authenticatedAt?: number
}

/** Who is signed in; a user whom `findUser` no longer finds counts as signed out. */
export async function signedInUser(
  { settings }: Runtime,
  req: HostRequest,
): Promise<SignedInUser | undefined> {
  const given = await settings.currentUser(req)
  if (given === undefined || given === null) return undefined
  const id = userId(given)
  const user = await settings.findUser(id)
  if (user === undefined || user === null) return undefined
  const authenticatedAt = milliseconds(await settings.authTime?.(req))
  return { id, ...shown(user), ...(authenticatedAt !== undefined && { authenticatedAt }) }
}

/** The name and address that pages show. */
export function shown({ name, email }: HostUser): { name?: string; email?: string } {
  return {
    ...(typeof name === 'string' && name !== '' && { name }),
    ...(typeof email === 'string' && email !== '' && { email }),
  }
}

/** Ids become strings, which tokens and grants carry for years: what is no stable id must not become one. */
function userId(given: unknown): string {
  const id = String(given)
  if (
    id !== '' &&
    id !== 'NaN' &&
    typeof given !== 'boolean' &&
    !Array.isArray(given) &&
    !id.startsWith('[object ')
  ) {
    return id
  }
  throw new TypeError(
    `oauthProvider: currentUser gave ${id === '' ? 'an empty string' : id} (${typeof given}) as the user's id. Give a string or a number, such as (req) => req.session.userId, or undefined when nobody is signed in.`,
  )
}

function milliseconds(time: Date | number | undefined | null): number | undefined {
  if (time === undefined || time === null) return undefined
  return time instanceof Date ? time.getTime() : time * 1000
}
