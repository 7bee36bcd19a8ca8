import type { Request } from 'express'
import type { MemoryStore } from 'express-session'
import type { Account, Pending } from './daylight.js'
import type { EndedSessions } from './logout-token.js'

declare module 'express-session' {
  interface SessionData {
    /** One for each tab in which the customer went to the photo app and has not come back, oldest first. */
    pending: Pending[]
    account: Account
    /** The `state` with which the customer went to the photo app to sign out there too. */
    leaving: string
    notice: 'denied' | 'withdrawn' | 'signed-out' | 'signed-out-there'
  }
}

/** A new session id, and nothing in the session: whoever planted or saw the old id has nothing of it. */
export function renewSession(req: Request): Promise<void> {
  return new Promise((resolve, reject) => {
    req.session.regenerate((error) => (error ? reject(error) : resolve()))
  })
}

/** Signs out whoever is meant. In a database this is one UPDATE; express-session has to look at every session. */
export function endSessions(store: MemoryStore, ended: EndedSessions): Promise<void> {
  return new Promise((resolve, reject) => {
    store.all((error, sessions) => {
      if (error) return reject(error)
      for (const [id, session] of Object.entries(sessions ?? {})) {
        if (!isMeant(session.account, ended)) continue
        const { account, ...rest } = session
        store.set(id, { ...rest, notice: 'signed-out-there' } as typeof session)
      }
      resolve()
    })
  })
}

function isMeant(account: Account | undefined, { sub, sid }: EndedSessions): boolean {
  if (account === undefined) return false
  return (sub === undefined || sub === account.user.sub) && (sid === undefined || sid === account.sid)
}
