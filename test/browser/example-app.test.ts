import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import SQLite from 'better-sqlite3'
import type { APIResponse, Browser, BrowserContext, Page } from 'playwright-core'
import { startPhotoApp } from '../../example-app/photo-app/index.js'
import { startPrintShop } from '../../example-app/print-shop/index.js'
import { launchBrowser } from '../support/chromium.js'
import { click, type Pressable, read, texts, type } from './hand.js'
import { findings, LOOKS } from './page-checks.js'
import { Visitors } from './visitors.js'

const passwords = { alice: 'wonderland', bob: 'can-we-fix-it' }

let browser: Browser
let visitors: Visitors
let context: BrowserContext
let page: Page
let photoApp: Awaited<ReturnType<typeof startPhotoApp>>
let printShop: Awaited<ReturnType<typeof startPrintShop>>
let folder: string
let database: SQLite.Database
let complaints: string[]

beforeAll(async () => {
  browser = await launchBrowser()
  visitors = new Visitors(browser, listenTo)
  folder = mkdtempSync(path.join(tmpdir(), 'example-app-'))
  const [photoAppPort, printShopPort] = await freePorts()
  const clientSecret = 'the-secret-of-the-print-shop'
  const store = path.join(folder, 'oauth.db')
  photoApp = await startPhotoApp({
    port: photoAppPort,
    store,
    printShop: { url: `http://localhost:${printShopPort}`, clientSecret },
  })
  printShop = await startPrintShop({ port: printShopPort, photoAppUrl: photoApp.url, clientSecret })
  database = new SQLite(store)
})

afterAll(async () => {
  await browser.close()
  await printShop.close()
  await photoApp.close()
  database.close()
  rmSync(folder, { recursive: true })
})

beforeEach(async () => {
  // Nobody has allowed anything yet.
  database.exec('DELETE FROM oauth_records; DELETE FROM oauth_grants')
  complaints = []
  await freshBrowser()
})

afterEach(() => visitors.leave())

test('a stranger signs in, approves, is known by name, sees prints, refreshes, and withdraws: the print shop loses access at once', async () => {
  await begin()
  expect(page.url()).toMatch(/\/login\?return_to=\/oauth\/consent\/[\w-]+$/)
  await signIn('alice')

  const consent = await read(page, 'main')
  for (const words of [
    'The Print Shop',
    'Alice',
    'an app on this computer',
    'Sign you in with this account',
    'See your name and your profile',
    'See your email address',
    'See your photos',
  ]) {
    expect(consent).toContain(words)
  }
  expect(await page.getByRole('checkbox', { name: 'See how you sort them into albums' }).isVisible()).toBe(
    true,
  )
  await approve()

  expect(await customer()).toBe('Alice alice@photos.example')
  expect(await heading()).toBe('Alice’s photos, ready to print')
  expect(await texts(page, 'h2')).toEqual(['North', 'The coast', 'Sand and stone'])
  expect(await visiblePhotos()).toBe(9)

  const before = await read(page, 'code')
  await press('Refresh token')
  const [replaced, now] = await texts(page, 'code')
  expect(await notice()).toContain('Refreshed')
  expect(replaced).toBe(before)
  expect(now).not.toBe(before)
  expect(await customer()).toBe('Alice alice@photos.example')
  expect(await visiblePhotos()).toBe(9)

  await follow('Withdraw access')
  expect(page.url()).toBe(`${photoApp.url}/oauth/authorized-applications`)
  await press('Withdraw access')
  expect(await read(page, 'main')).not.toContain('See your photos')

  await page.goto(printShop.url)
  expect(await notice()).toContain('You have withdrawn our access')
  expect(await visiblePhotos()).toBe(0)
  expect(await signOutButton().count()).toBe(0)
  await begin()
  expect(await page.getByRole('button', { name: 'Approve' }).isVisible()).toBe(true)
  expect(complaints).toEqual([])
})

test('LOGO-01 signing out at the print shop ends both sessions, says so, and the next time login is asked again, consent is not', async () => {
  await signInAndApprove('alice')
  await press('Refresh token') // the ID token of a refresh proves the session too
  await signOutOfShop()

  expect(await notice()).toContain('You are signed out, here and at Daylight Photos.')
  expect(await signOutButton().count()).toBe(0)
  await page.reload()
  expect(await page.getByRole('status').count()).toBe(0)
  await page.goto(photoApp.url)
  expect(await read(page, 'main')).toContain('Every day has its light.')

  await begin()
  expect(page.url()).toContain('/login?return_to=')
  await signIn('bob')
  await approve()
  expect(await customer()).toBe('Bob bob@photos.example')
  await signOutOfShop()
  await begin()
  await signIn('alice')
  await page.waitForURL(`${printShop.url}/`)
  expect(await customer()).toBe('Alice alice@photos.example')
  expect(complaints).toEqual([])
})

test('signing out at the photo app ends the session at the print shop through the back channel, in this browser only', async () => {
  await signInAndApprove('alice')
  const first = page
  await freshBrowser()
  await begin()
  await signIn('alice')
  await page.waitForURL(`${printShop.url}/`)

  await page.goto(photoApp.url)
  const told = backChannel()
  await press('Sign out')
  expect(await told).toBe(200)
  await page.goto(printShop.url)
  expect(await notice()).toContain('You have signed out at Daylight Photos')
  expect(await visiblePhotos()).toBe(0)
  page = first
  await page.goto(printShop.url)
  expect(await visiblePhotos()).toBe(9)
  expect(complaints).toEqual([])
})

test('signing out at the print shop in one browser leaves the others signed in', async () => {
  await signInAndApprove('alice')
  const other = page
  await freshBrowser()
  await begin()
  await signIn('alice')
  await page.waitForURL(`${printShop.url}/`)
  const told = backChannel()
  await signOutOfShop()
  expect(await told).toBe(200)

  await other.reload()
  page = other
  expect(await customer()).toBe('Alice alice@photos.example')
  expect(await visiblePhotos()).toBe(9)
})

test("signing out on the provider's own page ends the session at the print shop", async () => {
  await signInAndApprove('alice')
  await page.goto(`${photoApp.url}/oauth/logout`)
  const told = backChannel()
  await press('Sign out')
  expect(await heading()).toBe('You are signed out')
  expect(await told).toBe(200)

  await page.goto(printShop.url)
  expect(await notice()).toContain('You have signed out at Daylight Photos')
})

test('who was signed out at the photo app before is signed out at the print shop without a question', async () => {
  await signInAndApprove('alice')
  await context.clearCookies({ name: 'photos.sid' })
  await signOutOfShop()
  expect(await notice()).toContain('You are signed out')
})

test('LOGO-01 a way back from signing out that nobody went brings no notice', async () => {
  await signInAndApprove('alice')
  await page.goto(`${printShop.url}/signed-out?state=planted`)
  expect(page.url()).toBe(`${printShop.url}/`)
  expect(await customer()).toBe('Alice alice@photos.example')
})

test('nobody but the photo app can end a session at the print shop: an ID token is no logout token', async () => {
  await signInAndApprove('alice')
  const asked = page.waitForRequest((request) => request.url().includes('id_token_hint='))
  await signOutOfShop()
  const idToken = new URL((await asked).url()).searchParams.get('id_token_hint') as string
  await begin()
  await signIn('alice')
  await page.waitForURL(`${printShop.url}/`)

  const [, payload] = idToken.split('.')
  const unsigned = `${Buffer.from('{"alg":"none","typ":"logout+jwt"}').toString('base64url')}.${payload}.`
  for (const body of [{ logout_token: idToken }, { logout_token: unsigned }, { logout_token: 'x' }, {}]) {
    const answer = await fetch(`${printShop.url}/backchannel-logout`, {
      method: 'POST',
      body: new URLSearchParams(body as Record<string, string>),
    })
    expect(answer.status).toBe(400)
  }
  await page.reload()
  expect(await customer()).toBe('Alice alice@photos.example')
})

test('the session id of the print shop changes when somebody signs in and when they sign out', async () => {
  const seen = []
  await begin()
  seen.push(await sessionId('prints.sid'))
  await signIn('alice')
  await approve()
  seen.push(await sessionId('prints.sid'))
  await signOutOfShop()
  seen.push(await sessionId('prints.sid'))
  expect(seen).not.toContain(undefined)
  expect(new Set(seen).size).toBe(3)
})

test('the refresh button tells at once that access was withdrawn', async () => {
  await signInAndApprove('alice')
  const other = await context.newPage()
  await other.goto(`${photoApp.url}/oauth/authorized-applications`)
  await press('Withdraw access', other)

  await press('Refresh token')
  expect(await notice()).toContain('You have withdrawn our access.')
})

test('a user who says no is told so at the print shop, and nothing is connected', async () => {
  await begin()
  await signIn('alice')
  await press('Deny')
  await page.waitForURL(`${printShop.url}/`)

  expect(await notice()).toContain('You said no')
  expect(await visiblePhotos()).toBe(0)
  await page.goto(`${photoApp.url}/oauth/authorized-applications`)
  expect(await page.getByRole('button', { name: 'Withdraw access' }).count()).toBe(0)
  expect(complaints).toEqual([])
})

test('two tabs that connect at the same time both come back, each with its own answer', async () => {
  await page.goto(`${photoApp.url}/login`)
  await signIn('alice')
  await begin()
  const first = page
  page = await context.newPage()
  await begin()
  const second = page

  page = first
  await approve()
  expect(await visiblePhotos()).toBe(9)
  page = second
  await approve()
  expect(await visiblePhotos()).toBe(9)
  await press('Refresh token')
  expect(await notice()).toContain('Refreshed')
})

test('a callback that is not of this browser, or was used before, is told so in a sentence with a way on', async () => {
  const logged = jest.spyOn(console, 'error').mockImplementation(() => undefined)
  await page.goto(`${printShop.url}/callback?code=x&state=unknown`)
  expect(await read(page, 'main')).toContain('opened in another browser')
  await follow('Sign in with Daylight Photos')
  await signIn('alice')
  const callback = page.waitForRequest((request) => request.url().includes('/callback?'))
  await approve()

  await page.goto((await callback).url())
  expect(await read(page, 'main')).toContain('used before')
  await follow('See your prints')
  expect(await visiblePhotos()).toBe(9)
  expect(logged).not.toHaveBeenCalled()
  logged.mockRestore()
})

test('a user who is signed in already comes to the consent page without the login page', async () => {
  await page.goto(`${photoApp.url}/login`)
  await signIn('bob')
  expect(await heading()).toBe('Bob’s photos')

  await begin()
  expect(page.url()).toMatch(/\/oauth\/consent\/[\w-]+$/)
  await approve()
  expect(await heading()).toBe('Bob’s photos, ready to print')
  expect(await visiblePhotos()).toBe(3)

  await press('Refresh token')
  expect(await notice()).toContain('Refreshed')
  await page.goto(photoApp.url)
  await follow('Connected apps')
  await press('Withdraw access')
  await page.goto(printShop.url)
  expect(await notice()).toContain('You have withdrawn our access.')
  expect(complaints).toEqual([])
})

test('a consent that is remembered takes the browser from the login form, under helmet, straight to the print shop', async () => {
  await signInAndApprove('alice')
  await visitors.leave()
  await freshBrowser()

  await begin()
  await signIn('alice')
  await page.waitForURL(`${printShop.url}/`)
  expect(await visiblePhotos()).toBe(9)
  expect(complaints).toEqual([])
})

test('albums can be kept back at first and shared later', async () => {
  await begin()
  await signIn('alice')
  await page.getByRole('checkbox', { name: 'See how you sort them into albums' }).uncheck()
  await approve()
  expect(await texts(page, 'h2')).toEqual([])
  expect(await visiblePhotos()).toBe(9)

  await follow('Share the albums')
  await page.getByRole('checkbox', { name: 'See how you sort them into albums' }).check()
  await approve()
  expect(await texts(page, 'h2')).toHaveLength(3)
})

test('"Not you?" on the consent page lets another user decide', async () => {
  await page.goto(`${photoApp.url}/login`)
  await signIn('alice')
  await begin()
  await follow('Not you?')
  await signIn('bob')
  await approve()
  expect(await heading()).toBe('Bob’s photos, ready to print')
})

test('a wrong password keeps the way back, and gives no session', async () => {
  await begin()
  await type(page, 'E-mail', 'alice@photos.example')
  await type(page, 'Password', 'looking-glass')
  await press('Sign in')
  expect(await read(page, '[role=alert]')).toContain('No user has this')

  await signIn('alice')
  expect(await page.getByRole('button', { name: 'Approve' }).isVisible()).toBe(true)
})

test('the session id changes at login, and signing out ends the session', async () => {
  await page.goto(`${photoApp.url}/login`)
  const planted = await sessionId()
  await signIn('alice')
  expect(await sessionId()).not.toBe(planted)

  await press('Sign out')
  expect(await read(page, 'main')).toContain('Every day has its light.')
})

test.each([
  'https://evil.example/',
  '//evil.example/',
  '/\\evil.example/',
  '/\t/evil.example/',
  '/.//evil.example/',
  'javascript:alert(1)',
  '//',
])('UI-02 the login page sends nobody to %j', async (target) => {
  await page.goto(`${photoApp.url}/login?return_to=${encodeURIComponent(target)}`)
  await signIn('alice')
  expect(new URL(page.url()).origin).toBe(photoApp.url)
})

test('markup in return_to stays text', async () => {
  const markup = `"'><img src=x>&amp;`
  await page.goto(`${photoApp.url}/login?return_to=${encodeURIComponent(markup)}`)
  expect(await page.locator('input[name=return_to]').inputValue()).toBe(markup)
})

test('axe finds nothing on the pages of both apps, in the light and in the dark', async () => {
  const found: string[] = []
  const look = async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      found.push(...(await findings(page, colorScheme === 'light' ? undefined : LOOKS)))
    }
  }
  await page.goto(photoApp.url)
  await look()
  await page.goto(printShop.url)
  await look()
  await begin()
  await look()
  await signIn('alice')
  await press('Deny')
  await page.waitForURL(`${printShop.url}/`)
  await look()
  await begin()
  await approve()
  await look()
  await page.goto(photoApp.url)
  await look()
  expect(found).toEqual([])
})

async function freshBrowser() {
  const visitor = await visitors.arrive()
  context = visitor.context
  page = visitor.page
}

function listenTo(to: Page) {
  to.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
}

/** Presses a button, and waits for the page that comes. */
const press = (name: string, on = page) => leave(on, 'button', name)
const follow = (name: string) => leave(page, 'link', name)

async function leave(from: Page, by: Pressable, name: string) {
  await Promise.all([from.waitForEvent('load'), click(from, by, name)])
}

async function begin() {
  await page.goto(printShop.url)
  await follow('Sign in with Daylight Photos')
}

async function signIn(name: keyof typeof passwords) {
  await type(page, 'E-mail', `${name}@photos.example`)
  await type(page, 'Password', passwords[name])
  await press('Sign in')
}

async function approve() {
  await press('Approve')
  await page.waitForURL(`${printShop.url}/`)
}

/** What all that leaves, without the screen: for tests that begin where a user has come back. */
async function signInAndApprove(name: keyof typeof passwords) {
  const login = await context.request.get(`${printShop.url}/sign-in`)
  const consent = await submit(login, { email: `${name}@photos.example`, password: passwords[name] })
  await submit(consent, { decision: 'approve', scope: 'albums' })
  await page.goto(printShop.url)
}

/** Posts the form of a page, with what is hidden in it. */
async function submit(from: APIResponse, form: Record<string, string>) {
  const hidden = (await from.text()).matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)">/g)
  const fields = [...hidden].map(([, name, value]) => [name, value])
  return context.request.post(from.url(), { form: { ...Object.fromEntries(fields), ...form } })
}

/** From the print shop to the photo app and back. */
async function signOutOfShop() {
  const arrival = page.waitForEvent('domcontentloaded', (at) => at.url() === `${printShop.url}/`)
  await click(page, 'button', 'Sign out')
  await arrival
  await page.waitForLoadState()
  expect(await read(page, 'body')).toContain('Sign in with Daylight Photos')
}

/** What the print shop answers when the photo app calls it next. Both run in this process, and the photo app waits for nobody. */
function backChannel(): Promise<number> {
  const finished = 'http.server.response.finish'
  return new Promise((resolve) => {
    subscribe(finished, function listener(message) {
      const { request, response } = message as { request: IncomingMessage; response: ServerResponse }
      if (request.url !== '/backchannel-logout') return
      unsubscribe(finished, listener)
      resolve(response.statusCode)
    })
  })
}

const signOutButton = () => page.getByRole('button', { name: 'Sign out' })
const notice = () => read(page, '[role=status]')
const customer = () => read(page, 'header p')
const heading = () => read(page, 'h1')

/** Counts images that have really been decoded: an address that CSP refused has no width. */
function visiblePhotos(): Promise<number> {
  return page.evaluate(
    "[...document.querySelectorAll('figure img')].filter(({ naturalWidth }) => naturalWidth > 0).length",
  )
}

async function sessionId(of = 'photos.sid') {
  const cookies = await context.cookies(photoApp.url) // those of both: cookies know no ports
  return cookies.find(({ name }) => name === of)?.value
}

/** Two ports that nobody listens on: the provider must know its address before it listens there. */
async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()]
  const ports = []
  for (const server of servers) {
    await once(server.listen(0, 'localhost'), 'listening')
    ports.push((server.address() as AddressInfo).port)
  }
  for (const server of servers) await once(server.close(), 'close')
  return ports as [number, number]
}
