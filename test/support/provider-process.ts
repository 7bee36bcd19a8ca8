import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Database from 'better-sqlite3'
import express from 'express'
import { type OAuthProviderOptions, oauthProvider } from '../../lib/index.js'
import { clients } from './clients.js'

const NOBODY = 65_534

/** What a process of a host is told to serve. */
export interface Served extends Pick<OAuthProviderOptions, 'keys'> {
  readonly store: string
  /** The file is opened by the host itself, which keeps a rollback journal beside it for the length of each write. */
  readonly ownConnection?: boolean
  /** Once all is open, the process gives up what root may do, if it has that: to write where nobody may. */
  readonly unprivileged?: boolean
}

/**
 * A process of a host: says that it is there, waits for the name of a SQLite file (and signing keys), and then says which port it
 * serves it on; and so on for every further file. It ends with its parent, or by being killed.
 */
process.on('message', ({ store, keys, ownConnection, unprivileged }: Served) => {
  const app = express()
  const oauth = oauthProvider({
    issuer: 'http://localhost/oauth',
    findUser: (id) => ({ id }),
    scopes: { read: 'Read your things' },
    clients,
    store: ownConnection ? new Database(store) : store,
    // So that nothing is written which no request waits for: no fault comes into the middle of that.
    audit: !ownConnection,
    ...(keys && { keys }),
  })
  app.use('/oauth', oauth)
  app.get('/api/read', oauth.requireToken('read'), (_req, res) => {
    res.json({ read: true })
  })
  // Who listens is not written about on the console.
  oauth.events.on('server.error', () => undefined)
  if (unprivileged) giveUpPrivileges()
  const server = createServer(app).listen(0, () => process.send?.((server.address() as AddressInfo).port))
})
function giveUpPrivileges(): void {
  if (process.getuid?.() !== 0) return
  process.setgroups?.([NOBODY])
  process.setgid?.(NOBODY)
  process.setuid?.(NOBODY)
}

process.once('disconnect', () => process.exit())
process.send?.('there')
