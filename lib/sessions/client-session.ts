import type { Runtime } from '../runtime.js'
import type { Client, ClientSession } from '../store/records.js'
import { sessionKey } from '../tokens/authentication.js'
import type { Login } from './login.js'

/** Notes that a client which wants to be told has a session now that ends with this login (OpenID Connect Back-Channel Logout §2). */
export async function rememberSession(
  { store, settings, now }: Runtime,
  client: Client,
  login: Login,
): Promise<void> {
  // Clients do not say for how long they keep a user signed in. After this nothing lives any more that they got with it.
  const { refreshTokenTotal, authorizationCode } = settings.lifetimes
  const expiresAt = now() + Math.max(refreshTokenTotal, authorizationCode) * 1000
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
