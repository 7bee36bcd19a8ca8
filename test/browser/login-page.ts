import type { Express } from 'express'

/** A login page as hosts have it, for people; the host of the tests answers its form. */
export function mountLoginPage(app: Express): void {
  app.get('/login', (req, res) => {
    const returnTo = encodeURI(String(req.query.return_to ?? '/'))
    res.type('html').send(`<!DOCTYPE html><html lang="en"><title>Sign in</title><form method="post">
<label>User <input name="user"></label><input type="hidden" name="return_to" value="${returnTo}">
<button>Sign in</button></form></html>`)
  })
}
