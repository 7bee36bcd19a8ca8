import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import express, { type ErrorRequestHandler } from 'express'
import session from 'express-session'
import helmet from 'helmet'
import {
  AccessDenied,
  AccessWithdrawn,
  type Account,
  ConnectionRefused,
  connectTo,
  type Pending,
  scopesOf,
} from './daylight.js'
import { errorPage, type Picture, printsPage, staleAnswerPage, welcomePage } from './pages.js'

declare module 'express-session' {
  interface SessionData {
    /** One for each tab in which the customer went to the photo app and has not come back, oldest first. */
    pending: Pending[]
    account: Account
    notice: 'denied' | 'withdrawn'
  }
}

/** More tabs than anybody has open; the session must not grow with every click. */
const MOST_PENDING = 10

export interface PrintShopOptions {
  port: number
  photoAppUrl: string
  clientSecret: string
}

export async function startPrintShop({ port, photoAppUrl, clientSecret }: PrintShopOptions) {
  const url = `http://localhost:${port}`
  const daylight = await connectTo(photoAppUrl, `${url}/callback`, clientSecret)

  const app = express()
  // Safari would ask for https://localhost under this one default of helmet.
  app.use(helmet({ contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } }))
  app.use(express.static(path.join(import.meta.dirname, 'public')))
  app.use(
    session({
      name: 'prints.sid', // not the default: the photo app lives on the same host name, and cookies know no ports
      secret: process.env.SESSION_SECRET ?? randomBytes(32).toString('hex'),
      resave: false,
      saveUninitialized: false,
      cookie: { sameSite: 'lax' },
    }),
  )

  app.get('/', async (req, res) => {
    const { account, notice } = req.session
    if (!account) {
      delete req.session.notice
      return res.send(welcomePage(notice))
    }
    const { owner, photos } = await daylight.get<{ owner: string; photos: Picture[] }>(account, '/api/photos')
    const albums = scopesOf(account).includes('albums')
      ? await daylight.get<Record<string, string>>(account, '/api/albums')
      : undefined
    res.send(printsPage({ owner, photos, albums, account, photoAppUrl }))
  })

  app.get('/connect', async (req, res) => {
    const { href, pending } = await daylight.authorizationUrl()
    req.session.pending = [...(req.session.pending ?? []), pending].slice(-MOST_PENDING)
    res.redirect(href)
  })

  app.get('/callback', async (req, res) => {
    const { pending = [] } = req.session
    const mine = pending.find(({ state }) => state === req.query.state)
    if (!mine) return res.status(400).send(staleAnswerPage(req.session.account !== undefined))
    req.session.pending = pending.filter((other) => other !== mine)
    req.session.account = await daylight.redeem(new URL(req.originalUrl, url), mine)
    res.redirect('/')
  })

  app.post('/refresh', async (req, res) => {
    if (req.session.account) await daylight.refresh(req.session.account)
    res.redirect(303, '/')
  })

  const onError: ErrorRequestHandler = (error, req, res, _next) => {
    if (error instanceof AccessWithdrawn) {
      delete req.session.account
      req.session.notice = 'withdrawn'
      res.redirect(303, '/')
    } else if (error instanceof AccessDenied) {
      req.session.notice = 'denied'
      res.redirect(303, '/')
    } else if (error instanceof ConnectionRefused) {
      res.status(400).send(errorPage(error.message))
    } else {
      console.error(error)
      res.status(500).send(errorPage(error.message))
    }
  }
  app.use(onError)

  const server = app.listen(port, 'localhost')
  await once(server, 'listening')
  return {
    url,
    async close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
