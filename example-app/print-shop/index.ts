import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import express, { type ErrorRequestHandler } from 'express'
import session from 'express-session'
import helmet from 'helmet'
import { AccessDenied, AccessWithdrawn, connectTo, SignInRefused, scopesOf } from './daylight.js'
import { KeysUnavailable } from './logout-token.js'
import { errorPage, type Picture, printsPage, staleAnswerPage, welcomePage } from './pages.js'
import { endSessions, renewSession } from './sessions.js'

/** More tabs than anybody has open; the session must not grow with every click. */
const MOST_PENDING = 10

export interface PrintShopOptions {
  port: number
  photoAppUrl: string
  clientSecret: string
}

export async function startPrintShop({ port, photoAppUrl, clientSecret }: PrintShopOptions) {
  const url = `http://localhost:${port}`
  const daylight = await connectTo({
    photoAppUrl,
    clientSecret,
    redirectUri: `${url}/callback`,
    signedOutUri: `${url}/signed-out`,
  })

  const app = express()
  app.use(
    helmet({
      contentSecurityPolicy: {
        directives: {
          formAction: ["'self'", photoAppUrl], // "Sign out" is a form, and goes on there; helmet's default would stop it
          upgradeInsecureRequests: null, // Safari would ask for https://localhost
        },
      },
    }),
  )
  app.use(express.static(path.join(import.meta.dirname, 'public')))
  const store = new session.MemoryStore()
  app.use(
    session({
      name: 'prints.sid', // not the default: the photo app lives on the same host name, and cookies know no ports
      secret: process.env.SESSION_SECRET ?? randomBytes(32).toString('hex'),
      store,
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
    const photos = await daylight.get<Picture[]>(account, '/api/photos')
    const albums = scopesOf(account).includes('albums')
      ? await daylight.get<Record<string, string>>(account, '/api/albums')
      : undefined
    res.send(printsPage({ photos, albums, account, photoAppUrl }))
  })

  app.get('/sign-in', async (req, res) => {
    const { href, pending } = await daylight.signInUrl()
    req.session.pending = [...(req.session.pending ?? []), pending].slice(-MOST_PENDING)
    res.redirect(href)
  })

  app.get('/callback', async (req, res) => {
    const { pending = [] } = req.session
    const mine = pending.find(({ state }) => state === req.query.state)
    if (!mine) return res.status(400).send(staleAnswerPage(req.session.account))
    const others = pending.filter((other) => other !== mine)
    req.session.pending = others
    const account = await daylight.redeem(new URL(req.originalUrl, url), mine)
    await renewSession(req)
    Object.assign(req.session, { account, pending: others })
    res.redirect('/')
  })

  app.post('/refresh', async (req, res) => {
    if (req.session.account) await daylight.refresh(req.session.account)
    res.redirect(303, '/')
  })

  // Ends our own session first, whatever becomes of the customer's visit to the photo app.
  app.post('/sign-out', async (req, res) => {
    const { account } = req.session
    await renewSession(req)
    if (!account) return res.redirect(303, '/')
    const { href, state } = daylight.signOutUrl(account)
    req.session.leaving = state
    res.redirect(303, href)
  })

  app.get('/signed-out', (req, res) => {
    const { leaving } = req.session
    delete req.session.leaving
    if (leaving !== undefined && leaving === req.query.state) req.session.notice = 'signed-out'
    res.redirect('/')
  })

  // The photo app itself calls this when a customer signs out there, so there is no cookie and no session here.
  app.post('/backchannel-logout', express.urlencoded({ extended: false }), async (req, res) => {
    res.set('Cache-Control', 'no-store')
    const ended = await daylight.readLogoutToken(req.body?.logout_token)
    if (ended) await endSessions(store, ended)
    res.sendStatus(ended ? 200 : 400)
  })

  const onError: ErrorRequestHandler = (error, req, res, _next) => {
    if (error instanceof AccessWithdrawn) {
      delete req.session.account
      req.session.notice = 'withdrawn'
      res.redirect(303, '/')
    } else if (error instanceof AccessDenied) {
      req.session.notice = 'denied'
      res.redirect(303, '/')
    } else if (error instanceof KeysUnavailable) {
      res.sendStatus(503) // and not 400, which the photo app would take for the last word
    } else if (error instanceof SignInRefused) {
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
