import { OAuthError } from '../errors.js'
import type { Runtime } from '../runtime.js'

/** No token is issued for a user whom the host no longer knows; what they granted ends with them. */
export async function requireUser({ settings, store, emit }: Runtime, userId: string): Promise<void> {
  const user = await settings.findUser(userId)
  if (user !== undefined && user !== null) return
  await store.revokeUser(userId)
  emit('grant.revoked', { userId, by: 'user_gone' })
  throw new OAuthError('invalid_grant', 'The user no longer exists.', { reason: 'user_gone' })
}
