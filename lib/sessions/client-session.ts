import type { Runtime } from '../runtime.js'
import type { Client, ClientSession } from '../store/records.js'
import { sessionKey } from '../tokens/authentication.js'
import { refreshTokenLifetimes } from '../tokens/lifetimes.js'
import type { Login } from './login.js'

/**
 * Notes, for a client that wants to be told, that it has a session now which ends with this login (OpenID Connect Back-Channel Logout §2).
 * Answers whether it is such a client; then what the user has approved ends with the login too.
 *
 * To be awaited before the approval is kept. An approval without its session counts as signed out, for good. A session without its approval
 * does no harm: where somebody else was faster, a client is told of the end of a login that it does not know, by a user who approved it too.
 */
export async function rememberSession(
  { store, settings, now }: Runtime,
  client: Client,
  login: Login,
  scopes: readonly string[],
): Promise<boolean> {
  if (client.backchannelLogoutUri === undefined || !scopes.includes('openid')) return false
  // Clients do not say for how long they keep a user signed in. After this nothing lives any more that they got with it.
  const { refreshTokenTotal } = refreshTokenLifetimes(settings, client)
  const { authorizationCode, deviceCode } = settings.lifetimes
  const expiresAt = now() + Math.max(refreshTokenTotal, authorizationCode, deviceCode) * 1000
  await store.saveSession({
    session: sessionKey(login.userId, login.session),
    clientId: client.id,
    userId: login.userId,
    expiresAt,
  })
  return true
}

/** The login that this session of a client ends with. */
export function loginOfSession({ userId, session }: ClientSession): Login {
  return session === sessionKey(userId, undefined) ? { userId } : { userId, session }
}
