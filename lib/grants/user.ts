import type { HostUser } from '../options.js'
import type { Runtime } from '../runtime.js'
import { invalidGrant } from './refusal.js'

/** No token is issued for a user whom the host no longer knows; what they granted ends with them. */
export async function requireUser(runtime: Runtime, userId: string): Promise<HostUser> {
  const user = await remainingUser(runtime, userId)
  if (user !== undefined) return user
  throw invalidGrant('The user no longer exists. Start a new authorization, with another user.', 'user_gone')
}

/** The same where the caller refuses: undefined where the user is gone. */
export async function remainingUser(
  { settings, store, emit }: Runtime,
  userId: string,
): Promise<HostUser | undefined> {
  const user = await settings.findUser(userId)
  if (user !== undefined) return user
  await store.revokeUser(userId)
  emit('grant.revoked', { userId, by: 'user_gone' })
  return undefined
}
