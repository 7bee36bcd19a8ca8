import { findClient } from '../clients/find.js'
import type { HostRequest } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Client, ClientSession } from '../store/records.js'
import type { Store } from '../store/store.js'
import { sessionKey } from '../tokens/authentication.js'
import { anId } from '../validation.js'
import { loginOfSession } from './client-session.js'
import { LogoutDelivery } from './delivery.js'
import { type Login, loginOf } from './login.js'

/** Ends sessions for the clients that users signed in to with them (OpenID Connect Back-Channel Logout §2.5). */
export class Sessions {
  readonly #runtime: Runtime
  readonly #delivery: LogoutDelivery

  constructor(runtime: Runtime) {
    this.#runtime = runtime
    this.#delivery = new LogoutDelivery(runtime)
  }

  /**
   * A login has ended. Answers how many clients are told. They are told in the background: nobody waits for them, and nothing fails
   * because of them.
   */
  end({ userId, session }: Login): Promise<number> {
    const unnamed = { session: sessionKey(userId, undefined) }
    // Which login a session belongs to that was noted without one, nobody can tell any more: it ends with the first.
    return this.#end(session === undefined ? [unnamed] : [{ session }, unnamed])
  }

  /** The host is about to end the login of this browser. Its sign-out must not depend on ours, so what fails is reported and no more. */
  async logoutSession(req: HostRequest): Promise<number> {
    const { settings, emit } = this.#runtime
    try {
      const login = await loginOf(settings, req)
      if (login === undefined) return 0
      emit('session.ended', { userId: login.userId, by: 'host' })
      return await this.end(login)
    } catch (error) {
      emit('server.error', { error, endpoint: 'logoutSession' })
      return 0
    }
  }

  /** The host has ended all sessions of a user. Answers how many clients are told. */
  async logoutUser(given: string | number): Promise<number> {
    const userId = anId('logoutUser(userId)', given)
    const told = await this.#end([{ userId }])
    this.#runtime.emit('session.ended', { userId, by: 'host' })
    return told
  }

  /** Waits for what is on its way, and gives up whatever else has not been delivered. */
  close(): Promise<void> {
    return this.#delivery.close()
  }

  async #end(which: readonly Parameters<Store['endSessions']>[0][]): Promise<number> {
    const { store, now } = this.#runtime
    const ended = (await Promise.all(which.map((filter) => store.endSessions(filter)))).flat()
    const live = ended.filter(({ expiresAt }) => expiresAt > now())
    const clients = await this.#clientsToTell(new Set(live.map(({ clientId }) => clientId)))
    const [all] = which.flatMap((filter) => ('userId' in filter ? [filter.userId] : []))
    for (const client of clients) {
      const sessions = live.filter(({ clientId }) => clientId === client.id)
      const logins = all === undefined ? sessions.map(loginOfSession) : loginsToName(client, all, sessions)
      for (const login of logins) this.#delivery.send({ client, login })
    }
    return clients.length
  }

  /** The sessions are gone from the store by now, so one client that cannot be looked up must not keep the others from being told. */
  async #clientsToTell(clientIds: ReadonlySet<string>): Promise<readonly Client[]> {
    const found = await Promise.allSettled([...clientIds].map((id) => findClient(this.#runtime, id)))
    return found.flatMap((result) => {
      if (result.status === 'fulfilled')
        return result.value?.backchannelLogoutUri === undefined ? [] : [result.value]
      this.#runtime.emit('server.error', { error: result.reason, endpoint: '/logout' })
      return []
    })
  }
}

/** Without `sid` a logout token ends all sessions of its user at the client (Back-Channel Logout §2.4), so one is enough. */
function loginsToName(client: Client, userId: string, sessions: readonly ClientSession[]): readonly Login[] {
  return client.backchannelLogoutSessionRequired ? sessions.map(loginOfSession) : [{ userId }]
}
