import type { HostUser } from '../options.js'
import type { Runtime } from '../runtime.js'
import { invalidGrant } from './refusal.js'

/** No token is issued for a user whom the host no longer knows; what they granted ends with them. */
export async function requireUser({ settings, store, emit }: Runtime, userId: string): Promise<HostUser> {
  const user = await settings.findUser(userId)
  if (user !== undefined) return user
  await store.revokeUser(userId)
  emit('grant.revoked', { userId, by: 'user_gone' })
  throw invalidGrant('The user no longer exists.', 'user_gone')
}
