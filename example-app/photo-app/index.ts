import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import csurf from 'csurf'
import express, { type ErrorRequestHandler, type Request } from 'express'
import { oauthProvider } from 'express-oauth-provider'
import session from 'express-session'
import helmet from 'helmet'
import { errorPage, homePage, loginPage, welcomePage } from './pages.js'
import { photosOf } from './photos.js'
import { checkPassword, findUser } from './users.js'

declare module 'express-session' {
  interface SessionData {
    userId: string
    /** When they signed in, in seconds since 1970. */
    signedInAt: number
  }
}

export interface PhotoAppOptions {
  port: number
  /** File name of the provider's database, or ':memory:'. */
  store: string
  /** The one client that this app knows from the start. */
  printShop: { url: string; clientSecret: string }
}

export async function startPhotoApp({ port, store, printShop }: PhotoAppOptions) {
  const url = `http://localhost:${port}`
  const app = express()

  // Safari would ask for https://localhost under this one default of helmet.
  app.use(helmet({ contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } }))
  app.use(express.static(path.join(import.meta.dirname, 'public')))
  app.use(
    session({
      name: 'photos.sid', // not the default: the print shop lives on the same host name, and cookies know no ports
      secret: process.env.SESSION_SECRET ?? randomBytes(32).toString('hex'),
      resave: false,
      saveUninitialized: false,
      cookie: { sameSite: 'lax' },
    }),
  )

  const oauth = oauthProvider({
    issuer: `${url}/oauth`,
    findUser,
    authTime: (req: Request) => req.session.signedInAt,
    logout: endSession,
    store,
    // Who the user is comes by OpenID Connect, whose scopes are always there; these are for the API below.
    scopes: {
      photos: 'See your photos',
      albums: { description: 'See how you sort them into albums', required: false },
    },
    clients: [
      {
        client_id: 'print-shop',
        client_secret: printShop.clientSecret,
        client_name: 'The Print Shop',
        redirect_uris: [`${printShop.url}/callback`],
        post_logout_redirect_uris: [`${printShop.url}/signed-out`],
        backchannel_logout_uri: `${printShop.url}/backchannel-logout`,
        scope: 'openid profile email photos albums',
      },
    ],
    appName: 'Daylight Photos',
    // Users may make apps of their own, and administrators see and end everything.
    applications: () => true,
    admin: (user) => user.admin,
    // The print shop's backchannel_logout_uri is on this computer. For development only: refused where NODE_ENV is production.
    allowPrivateAddresses: true,
  })
  app.use('/oauth', oauth)
  app.use(oauth.wellKnown)

  // The API: for the apps that a user has let in.
  app.get('/api/photos', oauth.requireToken('photos'), (req, res) => {
    res.json(photosOf(req.auth.userId).map(({ id, title, image }) => ({ id, title, image })))
  })
  app.get('/api/albums', oauth.requireToken('albums'), (req, res) => {
    res.json(Object.fromEntries(photosOf(req.auth.userId).map(({ id, album }) => [id, album])))
  })

  // The pages: for the users themselves. The provider guards its own forms, so csurf comes after it.
  app.use(express.urlencoded({ extended: false }), csurf())

  app.get('/', (req, res) => {
    const user = findUser(req.session.userId ?? '')
    if (!user) return res.send(welcomePage())
    res.send(homePage({ user, photos: photosOf(user.id), csrfToken: req.csrfToken() }))
  })

  app.get('/login', (req, res) => {
    res.send(loginPage({ returnTo: String(req.query.return_to ?? '/'), csrfToken: req.csrfToken() }))
  })

  app.post('/login', async (req, res, next) => {
    const { email, password, return_to: returnTo } = req.body
    const user = await checkPassword(email, password)
    if (!user) {
      return res.status(401).send(loginPage({ returnTo, email, failed: true, csrfToken: req.csrfToken() }))
    }
    // A new session id, so that one which somebody planted before the login is worth nothing.
    req.session.regenerate((error) => {
      if (error) return next(error)
      req.session.userId = user.id
      req.session.signedInAt = Math.floor(Date.now() / 1000)
      res.redirect(303, safeReturnTo(returnTo, url))
    })
  })

  app.post('/logout', async (req, res) => {
    // Tells the apps where the user has signed in from this browser, and waits for none of them.
    await oauth.logoutSession(req)
    await endSession(req)
    res.redirect(303, '/')
  })

  const onError: ErrorRequestHandler = (error, _req, res, _next) => {
    const status = error.status ?? 500
    if (status === 500) console.error(error)
    res.status(status).send(errorPage(status === 403 ? 'This form was too old.' : 'That did not work.'))
  }
  app.use(onError)

  const server = app.listen(port, 'localhost')
  await once(server, 'listening')
  return {
    url,
    async close() {
      server.close()
      server.closeAllConnections()
      await oauth.close()
    },
  }
}

/** Signs the user out in this browser. */
function endSession(req: Request): Promise<void> {
  return new Promise((resolve, reject) => {
    req.session.destroy((error) => (error ? reject(error) : resolve()))
  })
}

/** Anybody can make a link to the login page, so what it says in `return_to` must not lead to another site. */
function safeReturnTo(returnTo: unknown, origin: string): string {
  if (typeof returnTo !== 'string' || !returnTo.startsWith('/') || !URL.canParse(returnTo, origin)) return '/'
  const target = new URL(returnTo, origin) // as the browser reads it: `//evil.example` and `/\evil.example` are other sites
  return target.origin === origin ? target.href : '/'
}
