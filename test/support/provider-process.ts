import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { type OAuthProviderOptions, oauthProvider } from '../../lib/index.js'
import { clients } from './clients.js'

/**
 * A process of a host: says that it is there, waits for the name of a SQLite file (and signing keys), and then says which port it
 * serves it on; and so on for every further file. It ends with its parent, or by being killed.
 */
process.on('message', (given: Pick<OAuthProviderOptions, 'store' | 'keys'>) => {
  const app = express()
  const oauth = oauthProvider({
    issuer: 'http://localhost/oauth',
    findUser: (id) => ({ id }),
    scopes: { read: 'Read your things' },
    clients,
    ...given,
  })
  app.use('/oauth', oauth)
  app.get('/api/read', oauth.requireToken('read'), (_req, res) => {
    res.json({ read: true })
  })
  const server = createServer(app).listen(0, () => process.send?.((server.address() as AddressInfo).port))
})
process.once('disconnect', () => process.exit())
process.send?.('there')
