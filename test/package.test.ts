import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import express from 'express'
import session from 'express-session'
import * as oauth from 'oauth4webapi'
import passport from 'passport'
import OAuth2Strategy from 'passport-oauth2'
import { Browser } from './consumers/browser.cjs'
import { install, node, pack, remove, repository, serve, tool } from './support/pack.js'

const photosOfAda = { photosOf: 'ada' }
const minutes = 60_000

let packed: ReturnType<typeof pack>
beforeAll(() => {
  packed = pack()
})
afterAll(() => remove(packed.folder))

test('the public types name nothing but node: modules and each other', () => {
  for (const build of ['dist/esm', 'dist/cjs']) {
    const names = readdirSync(path.join(repository, build), { recursive: true }).map(String)
    const types = names.filter((name) => name.endsWith('.d.ts'))
    expect(types).toEqual(expect.arrayContaining(['index.d.ts', 'store/contract.d.ts']))
    expect(types.filter((name) => name.startsWith('keys/'))).toEqual(['keys/signing-keys.d.ts'])
    for (const name of types) {
      const text = readFileSync(path.join(repository, build, name), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '')
      const imported = [
        ...text.matchAll(/(?:\bfrom |\bimport\(|\bimport )['"]([^'"]+)['"]|<reference types="(.+?)"/g),
      ]
      expect(imported.map((m) => m[1] ?? `node:${m[2]}`).filter((from) => !/^(\.|node:)/.test(from))).toEqual(
        [],
      )
    }
  }
})

describe.each([4, 5] as const)('installed from the packed tarball beside Express %s', (major) => {
  let folder: string
  beforeAll(async () => {
    folder = await install(packed.tarball, major)
  }, 10 * minutes)

  const project = (name: string) => path.join(folder, name)

  test('a CommonJS app gets a whole code flow', async () => {
    expect(JSON.parse(await node(project('commonjs'), 'app.js'))).toEqual(photosOfAda)
  })

  test('an ESM app gets a whole code flow', async () => {
    expect(JSON.parse(await node(project('esm'), 'app.js'))).toEqual(photosOfAda)
  })

  test(
    'a TypeScript app compiles under strict without skipLibCheck, by TypeScript 5 and 7, and gets a whole code flow',
    async () => {
      // Of the libraries TypeScript's own are left out: they are half of what it would check.
      const compiler = '../node_modules/typescript/bin/tsc'
      await node(project('typescript'), compiler, '-p', '.', '--noEmit', '--skipDefaultLibCheck')
      await tool(project('typescript'), 'tsc', '-p', '.')
      expect(JSON.parse(await node(project('typescript'), 'app.js'))).toEqual(photosOfAda)
    },
    5 * minutes,
  )

  if (major === 5) {
    // How Jest finds the files of the package does not depend on the version of Express.
    test(
      'a CommonJS app is tested by Jest without flags',
      async () => {
        const report = JSON.parse(await tool(project('jest'), 'jest', '--rootDir', '.', '--json'))
        expect(report).toMatchObject({ numPassedTests: 1, numTotalTests: 1 })
      },
      5 * minutes,
    )
  }

  describe('the quick start of the README, letter for letter', () => {
    let server: Awaited<ReturnType<typeof serve>>
    let client: ReturnType<typeof quickStart>['client']
    let api: string
    // Started anew for each test, in an empty folder: the consent of one would be remembered in the other.
    beforeEach(async () => {
      const { script, ...known } = quickStart()
      client = known.client
      api = known.api
      const empty = mkdtempSync(project('quick-start-'))
      writeFileSync(path.join(empty, 'app.mjs'), script)
      server = await serve(empty, 'app.mjs')
    })
    afterEach(() => server?.stop())

    test('answers a whole flow driven by oauth4webapi', async () => {
      const issuer = new URL(`${server.origin}/oauth`)
      const insecure = { [oauth.allowInsecureRequests]: true }
      const as = await oauth.processDiscoveryResponse(
        issuer,
        await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }),
      )
      const verifier = oauth.generateRandomCodeVerifier()
      const state = oauth.generateRandomState()
      const authorize = new URL(as.authorization_endpoint!)
      authorize.search = String(
        new URLSearchParams({
          response_type: 'code',
          client_id: client.client_id,
          redirect_uri: client.redirect_uri,
          state,
          code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
          code_challenge_method: 'S256',
        }),
      )
      const callback = await approve(authorize, client.redirect_uri)

      const parameters = oauth.validateAuthResponse(as, client, callback.url, state)
      const answer = await oauth.processAuthorizationCodeResponse(
        as,
        client,
        await oauth.authorizationCodeGrantRequest(
          as,
          client,
          oauth.ClientSecretBasic(client.client_secret),
          parameters,
          client.redirect_uri,
          verifier,
          insecure,
        ),
      )
      const photos = await oauth.protectedResourceRequest(
        answer.access_token,
        'GET',
        new URL(api, server.origin),
        undefined,
        undefined,
        insecure,
      )
      expect(photos.status).toBe(200)
    })

    test('answers a whole flow driven by passport-oauth2', async () => {
      const shop = express()
      const listener = createServer(shop).listen(0)
      const { port } = listener.address() as AddressInfo
      // RFC 8252 section 7.3: the port of a loopback redirect URI is free.
      const callbackURL = Object.assign(new URL(client.redirect_uri), { port }).href
      const strategy = new OAuth2Strategy(
        {
          authorizationURL: `${server.origin}/oauth/authorize`,
          tokenURL: `${server.origin}/oauth/token`,
          clientID: client.client_id,
          clientSecret: client.client_secret,
          callbackURL,
          state: true,
          pkce: true,
        },
        (
          accessToken: string,
          _refresh: string,
          _profile: unknown,
          done: (error: null, user: object) => void,
        ) => done(null, { accessToken }),
      )
      shop.use(session({ name: 'shop', secret: 'shop', resave: false, saveUninitialized: false }))
      shop.get('/connect', passport.authenticate(strategy, { session: false }))
      shop.get(
        new URL(callbackURL).pathname,
        passport.authenticate(strategy, { session: false }),
        async (req, res) => {
          const { accessToken } = req.user as { accessToken: string }
          const photos = await fetch(new URL(api, server.origin), {
            headers: { authorization: `Bearer ${accessToken}` },
          })
          res.status(photos.status).send(await photos.text())
        },
      )
      try {
        const connected = await approve(new URL('/connect', callbackURL))
        expect(connected.status).toBe(200)
        expect(connected.url.href).toContain(callbackURL)
      } finally {
        listener.closeAllConnections()
        listener.close()
      }
    })
  })
})

async function approve(address: URL, stop?: string) {
  const browser = new Browser()
  const to = stop === undefined ? {} : { stop }
  const login = await browser.open(address, to)
  const consent = await browser.submit(login, undefined, to)
  return browser.submit(consent, 'approve', to)
}

function quickStart() {
  const readme = readFileSync(path.join(repository, 'README.md'), 'utf8')
  const script = /<!-- quick-start -->\s*```\w+\n(.*?)```/s.exec(readme)?.[1]
  if (!script) throw new Error('README.md has no fenced block after <!-- quick-start -->')
  const value = (pattern: RegExp) => {
    const found = pattern.exec(script)?.[1]
    if (!found) throw new Error(`the quick start has nothing like ${pattern}`)
    return found
  }
  return {
    script,
    client: {
      client_id: value(/client_id: '([^']+)'/),
      client_secret: value(/client_secret: '([^']+)'/),
      redirect_uri: value(/redirect_uris: \['([^']+)'/),
    },
    api: value(/app\.get\('([^']+)',\s*oauth\.requireToken/),
  }
}
