import type { Runtime } from '../runtime.js'
import type { Client, ClientSession } from '../store/records.js'
import { sessionKey } from '../tokens/authentication.js'
import type { Login } from './login.js'

/** Notes, for a client that wants to be told, that it has a session now which ends with this login (OpenID Connect Back-Channel Logout §2). */
export async function rememberSession(
  { store, settings, now }: Runtime,
  client: Client,
  login: Login,
): Promise<void> {
  if (client.backchannelLogoutUri === undefined) return
  // Clients do not say for how long they keep a user signed in. One that does not come back for so long has lost its refresh token, too.
  const expiresAt = now() + settings.lifetimes.refreshToken * 1000
  await store.saveSession({
    session: sessionKey(login.userId, login.session),
    clientId: client.id,
    userId: login.userId,
    expiresAt,
  })
}

/** The login that this session of a client ends with. */
export function loginOfSession({ userId, session }: ClientSession): Login {
  return session === sessionKey(userId, undefined) ? { userId } : { userId, session }
}
