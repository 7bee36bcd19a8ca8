import type { Awaitable } from './awaitable.js'
import type { HostRequest, HostUser } from './options.js'
import { describe } from './validation.js'

/** A lookup that says "none" in a way of its own, `[]` or `false`, must not pass for one that found somebody. */
export function userLookup(
  findUser: (id: string) => Awaitable<unknown>,
): (id: string) => Promise<HostUser | undefined> {
  return async (id) => {
    const user = await findUser(id)
    if (user === undefined || user === null) return undefined
    if (typeof user === 'object' && !Array.isArray(user)) return user
    const forgotten = Array.isArray(user) ? '; did you forget [0] or .first()?' : '.'
    throw new TypeError(
      `oauthProvider: findUser gave ${describe(user)}. Give the user object, or undefined when there is none${forgotten}`,
    )
  }
}

/** Where passport and most sessions of one's own keep it. */
export function defaultCurrentUser(req: HostRequest): unknown {
  const { user, session } = req as {
    user?: { id?: unknown }
    session?: { userId?: unknown; user?: { id?: unknown } }
  }
  return user?.id ?? session?.userId ?? session?.user?.id
}
