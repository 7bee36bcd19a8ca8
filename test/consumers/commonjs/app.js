const express = require('express')
const session = require('express-session')
const { oauthProvider } = require('express-oauth-provider')
const { connectPrintShop, printShop } = require('../flow.cjs')

const users = new Map([['ada', { id: 'ada', name: 'Ada Lovelace' }]])

function photoApp(origin) {
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

connectPrintShop(photoApp).then((photos) => console.log(JSON.stringify(photos)))
