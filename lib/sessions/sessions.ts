import { findClient } from '../clients/find.js'
import type { Runtime } from '../runtime.js'
import type { Client, ClientSession } from '../store/records.js'
import { anId } from '../validation.js'
import { LogoutDelivery, type LogoutNotice } from './delivery.js'

/** One login session at the host, or all of a user's. */
export type WhichSessions = { readonly sid: string } | { readonly userId: string }

/** Ends sessions for the clients that users signed in to with them (OpenID Connect Back-Channel Logout §2.5). */
export class Sessions {
  readonly #runtime: Runtime
  readonly #delivery: LogoutDelivery

  constructor(runtime: Runtime) {
    this.#runtime = runtime
    this.#delivery = new LogoutDelivery(runtime)
  }

  /** Answers how many clients are told. They are told in the background: nobody waits for them, and nothing fails because of them. */
  async end(which: WhichSessions): Promise<number> {
    const { store, now } = this.#runtime
    const ended = await store.endSessions(which)
    const live = ended.filter(({ expiresAt }) => expiresAt > now())
    const clientIds = [...new Set(live.map(({ clientId }) => clientId))]
    const clients = await Promise.all(clientIds.map((id) => findClient(this.#runtime, id)))
    const told = clients.filter((client) => client?.backchannelLogoutUri !== undefined) as Client[]
    for (const client of told) {
      const sessions = live.filter(({ clientId }) => clientId === client.id)
      for (const notice of notices(client, sessions, which)) this.#delivery.send(notice)
    }
    return told.length
  }

  /** The host has ended all sessions of a user. Answers how many clients are told. */
  async logoutUser(given: string | number): Promise<number> {
    const userId = anId('logoutUser(userId)', given)
    const told = await this.end({ userId })
    this.#runtime.emit('session.ended', { userId, by: 'host' })
    return told
  }

  /** Gives up whatever has not been delivered. */
  close(): void {
    this.#delivery.close()
  }
}

/** Without `sid` a logout token ends all sessions of its user at the client (Back-Channel Logout §2.4), so one is enough. */
function notices(
  client: Client,
  sessions: readonly ClientSession[],
  which: WhichSessions,
): readonly LogoutNotice[] {
  if ('userId' in which && !client.backchannelLogoutSessionRequired)
    return [{ client, userId: which.userId, sid: undefined }]
  return sessions.map(({ userId, sid }) => ({ client, userId, sid }))
}
