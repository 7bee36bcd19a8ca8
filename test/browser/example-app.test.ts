import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import axe from 'axe-core'
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core'
import { startPhotoApp } from '../../example-app/photo-app/index.js'
import { startPrintShop } from '../../example-app/print-shop/index.js'
import { launchBrowser } from '../support/chromium.js'

const passwords = { alice: 'wonderland', bob: 'can-we-fix-it' }

let browser: Browser
let context: BrowserContext
let page: Page
let photoApp: Awaited<ReturnType<typeof startPhotoApp>>
let printShop: Awaited<ReturnType<typeof startPrintShop>>
let complaints: string[]

beforeAll(async () => {
  browser = await launchBrowser()
})

afterAll(() => browser.close())

beforeEach(async () => {
  const [photoAppPort, printShopPort] = await freePorts()
  const clientSecret = 'the-secret-of-the-print-shop'
  photoApp = await startPhotoApp({
    port: photoAppPort,
    store: ':memory:',
    printShop: { url: `http://localhost:${printShopPort}`, clientSecret },
  })
  printShop = await startPrintShop({ port: printShopPort, photoAppUrl: photoApp.url, clientSecret })
  complaints = []
  await freshBrowser()
})

afterEach(async () => {
  await context.close()
  await printShop.close()
  await photoApp.close()
})

test('a stranger signs in, approves, sees prints, refreshes, withdraws, and the print shop loses access at once', async () => {
  await connect()
  expect(page.url()).toMatch(/\/login\?return_to=\/oauth\/consent\/[\w-]+$/)
  await signIn('alice')

  const consent = page.getByRole('main')
  for (const words of [
    'The Print Shop',
    'Alice',
    'an app on this computer',
    'See your name and your photos',
  ]) {
    expect(await consent.textContent()).toContain(words)
  }
  expect(await page.getByRole('checkbox', { name: 'See how you sort them into albums' }).isVisible()).toBe(
    true,
  )
  await approve()

  expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Alice’s photos, ready to print')
  expect(await page.getByRole('heading', { level: 2 }).allTextContents()).toEqual([
    'North',
    'The coast',
    'Sand and stone',
  ])
  expect(await visiblePhotos()).toBe(9)

  const before = await page.locator('code').textContent()
  await press('Refresh token')
  const [replaced, now] = await page.locator('code').allTextContents()
  expect(await page.getByRole('status').textContent()).toContain('Refreshed')
  expect(replaced).toBe(before)
  expect(now).not.toBe(before)
  expect(await visiblePhotos()).toBe(9)

  await follow('Withdraw access')
  expect(page.url()).toBe(`${photoApp.url}/oauth/authorized-applications`)
  await press('Withdraw access')
  expect(await page.getByRole('main').textContent()).not.toContain('See your name and your photos')

  await page.goto(printShop.url)
  expect(await page.getByRole('status').textContent()).toContain('You have withdrawn our access.')
  expect(await visiblePhotos()).toBe(0)
  await connect()
  expect(await page.getByRole('button', { name: 'Approve' }).isVisible()).toBe(true)
  expect(complaints).toEqual([])
})

test('the refresh button tells at once that access was withdrawn', async () => {
  await connectAs('alice')
  const other = await context.newPage()
  await other.goto(`${photoApp.url}/oauth/authorized-applications`)
  await press('Withdraw access', other)

  await press('Refresh token')
  expect(await page.getByRole('status').textContent()).toContain('You have withdrawn our access.')
})

test('a user who says no is told so at the print shop, and nothing is connected', async () => {
  await connect()
  await signIn('alice')
  await press('Deny')
  await page.waitForURL(`${printShop.url}/`)

  expect(await page.getByRole('status').textContent()).toContain('You said no')
  expect(await visiblePhotos()).toBe(0)
  await page.goto(`${photoApp.url}/oauth/authorized-applications`)
  expect(await page.getByRole('button', { name: 'Withdraw access' }).count()).toBe(0)
  expect(complaints).toEqual([])
})

test('two tabs that connect at the same time both come back, each with its own answer', async () => {
  await page.goto(`${photoApp.url}/login`)
  await signIn('alice')
  await connect()
  const first = page
  page = await context.newPage()
  await connect()
  const second = page

  page = first
  await approve()
  expect(await visiblePhotos()).toBe(9)
  page = second
  await approve()
  expect(await visiblePhotos()).toBe(9)
  await press('Refresh token')
  expect(await page.getByRole('status').textContent()).toContain('Refreshed')
})

test('a callback that is not of this browser, or was used before, is told so in a sentence with a way on', async () => {
  const logged = jest.spyOn(console, 'error').mockImplementation(() => undefined)
  await page.goto(`${printShop.url}/callback?code=x&state=unknown`)
  expect(await page.getByRole('main').textContent()).toContain('opened in another browser')
  await follow('Connect Daylight Photos')
  await signIn('alice')
  const callback = page.waitForRequest((request) => request.url().includes('/callback?'))
  await approve()

  await page.goto((await callback).url())
  expect(await page.getByRole('main').textContent()).toContain('used before')
  await follow('See your prints')
  expect(await visiblePhotos()).toBe(9)
  expect(logged).not.toHaveBeenCalled()
  logged.mockRestore()
})

test('a user who is signed in already comes to the consent page without the login page', async () => {
  await page.goto(`${photoApp.url}/login`)
  await signIn('bob')
  expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Bob’s photos')

  await connect()
  expect(page.url()).toMatch(/\/oauth\/consent\/[\w-]+$/)
  await approve()
  expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Bob’s photos, ready to print')
  expect(await visiblePhotos()).toBe(3)

  await press('Refresh token')
  expect(await page.getByRole('status').textContent()).toContain('Refreshed')
  await page.goto(photoApp.url)
  await follow('Connected apps')
  await press('Withdraw access')
  await page.goto(printShop.url)
  expect(await page.getByRole('status').textContent()).toContain('You have withdrawn our access.')
  expect(complaints).toEqual([])
})

test('a consent that is remembered takes the browser from the login form, under helmet, straight to the print shop', async () => {
  await connectAs('alice')
  await context.close()
  await freshBrowser()

  await connect()
  await signIn('alice')
  await page.waitForURL(`${printShop.url}/`)
  expect(await visiblePhotos()).toBe(9)
  expect(complaints).toEqual([])
})

test('albums can be kept back at first and shared later', async () => {
  await connect()
  await signIn('alice')
  await page.getByRole('checkbox', { name: 'See how you sort them into albums' }).uncheck()
  await approve()
  expect(await page.getByRole('heading', { level: 2 }).count()).toBe(0)
  expect(await visiblePhotos()).toBe(9)

  await follow('Share the albums')
  await page.getByRole('checkbox', { name: 'See how you sort them into albums' }).check()
  await approve()
  expect(await page.getByRole('heading', { level: 2 }).count()).toBe(3)
})

test('"Not you?" on the consent page lets another user decide', async () => {
  await page.goto(`${photoApp.url}/login`)
  await signIn('alice')
  await connect()
  await follow('Not you?')
  await signIn('bob')
  await approve()
  expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Bob’s photos, ready to print')
})

test('a wrong password keeps the way back, and gives no session', async () => {
  await connect()
  await page.getByLabel('E-mail').fill('alice@photos.example')
  await page.getByLabel('Password').fill('looking-glass')
  await press('Sign in')
  expect(await page.getByRole('alert').textContent()).toContain('No user has this')

  await signIn('alice')
  expect(await page.getByRole('button', { name: 'Approve' }).isVisible()).toBe(true)
})

test('the session id changes at login, and signing out ends the session', async () => {
  await page.goto(`${photoApp.url}/login`)
  const planted = await sessionId()
  await signIn('alice')
  expect(await sessionId()).not.toBe(planted)

  await press('Sign out')
  expect(await page.getByRole('main').textContent()).toContain('Every day has its light.')
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

test.each(['light', 'dark'] as const)(
  'axe finds nothing on the pages of both apps in the %s',
  async (colorScheme) => {
    await page.emulateMedia({ colorScheme })
    await page.goto(photoApp.url)
    expect(await findings()).toEqual([])
    await page.goto(printShop.url)
    expect(await findings()).toEqual([])
    await connect()
    expect(await findings()).toEqual([])
    await signIn('alice')
    await press('Deny')
    await page.waitForURL(`${printShop.url}/`)
    expect(await findings()).toEqual([])
    await connect()
    await approve()
    expect(await findings()).toEqual([])
    await page.goto(photoApp.url)
    expect(await findings()).toEqual([])
  },
)

async function freshBrowser() {
  context = await browser.newContext()
  page = await context.newPage()
  page.setDefaultTimeout(30_000)
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
}

/** Presses a button, and waits for the page that comes. */
const press = (name: string, on = page) => leave(on, on.getByRole('button', { name }))
const follow = (name: string) => leave(page, page.getByRole('link', { name }))

async function leave(from: Page, by: Locator) {
  await Promise.all([from.waitForEvent('load'), by.click()])
}

async function connect() {
  await page.goto(printShop.url)
  await follow('Connect Daylight Photos')
}

async function signIn(name: keyof typeof passwords) {
  await page.getByLabel('E-mail').fill(`${name}@photos.example`)
  await page.getByLabel('Password').fill(passwords[name])
  await press('Sign in')
}

async function approve() {
  await press('Approve')
  await page.waitForURL(`${printShop.url}/`)
}

async function connectAs(name: keyof typeof passwords) {
  await connect()
  await signIn(name)
  await approve()
}

/** Counts images that have really been decoded: an address that CSP refused has no width. */
function visiblePhotos(): Promise<number> {
  return page.locator('figure img').evaluateAll((images) => {
    return (images as unknown as { naturalWidth: number }[]).filter(({ naturalWidth }) => naturalWidth > 0)
      .length
  })
}

async function sessionId() {
  const cookies = await context.cookies(photoApp.url)
  return cookies.find(({ name }) => name === 'photos.sid')?.value
}

async function findings() {
  await page.evaluate(axe.source)
  const { violations } = (await page.evaluate('axe.run()')) as {
    violations: { id: string; nodes: { html: string }[] }[]
  }
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
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
