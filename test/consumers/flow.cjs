const assert = require('node:assert/strict')
const { createHash, randomBytes } = require('node:crypto')
const http = require('node:http')
const { Browser } = require('./browser.cjs')

/** The client that every consumer app knows. */
const printShop = {
  client_id: 'print-shop',
  client_secret: 'a secret that the host chose',
  client_name: 'Print Shop',
  redirect_uris: ['http://localhost/callback'],
}

/** Serves the app that `build(origin)` makes, connects the print shop to it by plain fetch, and returns the photos. */
async function connectPrintShop(build) {
  const server = http.createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://localhost:${server.address().port}`
  server.on('request', build(origin))
  try {
    return await wholeFlow(origin)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

async function wholeFlow(origin) {
  const [stop] = printShop.redirect_uris
  const verifier = randomBytes(32).toString('base64url')
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: printShop.client_id,
    redirect_uri: stop,
    scope: 'photos',
    state: 'xyz',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })

  const browser = new Browser()
  const login = await browser.open(`${origin}/oauth/authorize?${query}`, { stop })
  assert.equal(login.url.pathname, '/login')
  const consent = await browser.submit(login, undefined, { stop })
  assert.match(consent.text, /Print Shop/)
  assert.match(consent.text, /See your photos/)
  const callback = await browser.submit(consent, 'approve', { stop })
  assert.equal(callback.url.searchParams.get('state'), 'xyz')
  assert.equal(callback.url.searchParams.get('iss'), `${origin}/oauth`)

  const answer = await fetch(`${origin}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`print-shop:${encodeURIComponent(printShop.client_secret)}`)}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: callback.url.searchParams.get('code') ?? '',
      redirect_uri: stop,
      code_verifier: verifier,
    }),
  })
  const token = await answer.json()
  assert.equal(answer.status, 200, JSON.stringify(token))
  assert.equal(token.scope, 'photos')

  assert.equal((await fetch(`${origin}/api/photos`)).status, 401)
  const photos = await fetch(`${origin}/api/photos`, {
    headers: { authorization: `Bearer ${token.access_token}` },
  })
  assert.equal(photos.status, 200)
  return photos.json()
}

module.exports = { connectPrintShop, printShop }
