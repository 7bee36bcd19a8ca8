import express from 'express'
import { oauthProvider } from 'express-oauth-provider'
import session from 'express-session'
import { connectPrintShop, printShop } from '../flow.cjs'

declare module 'express-session' {
  interface SessionData {
    userId: string
  }
}

interface User {
  id: string
  name: string
}

const users = new Map<string, User>([['ada', { id: 'ada', name: 'Ada Lovelace' }]])

function photoApp(origin: string) {
  const app = express()
  app.use(session({ secret: 'session secret', resave: false, saveUninitialized: false }))

  const oauth = oauthProvider({
    issuer: `${origin}/oauth`,
    findUser: (id) => users.get(id),
    scopes: { photos: 'See your photos' },
    clients: [printShop],
    store: ':memory:',
  })
  app.use('/oauth', oauth)
  app.use(oauth.wellKnown)
  app.get('/api/photos', oauth.requireToken('photos'), (req, res) => res.json({ photosOf: req.auth.userId }))

  app.get('/login', (_req, res) => res.send('<form method="post"><button>Sign in as Ada</button></form>'))
  app.post('/login', (req, res, next) => {
    req.session.regenerate((error) => {
      if (error) return next(error)
      req.session.userId = 'ada'
      res.redirect(String(req.query.return_to))
    })
  })
  return app
}

console.log(JSON.stringify(await connectPrintShop(photoApp)))
