import { createServer, type Server } from 'node:https'
import type { Express } from 'express'
import helmet from 'helmet'
import type { Browser, BrowserContext, Page, Request } from 'playwright-core'
import { selfSignedCertificate } from '../support/certificate.js'
import { launchBrowser } from '../support/chromium.js'
import { authorizeUrl, redeem } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'
import { click, read, type } from './hand.js'
import { mountLoginPage } from './login-page.js'
import { listen, type RelyingParty, startRelyingParty } from './relying-party.js'
import { Visitors } from './visitors.js'

const POPUP_OPENER = `<!DOCTYPE html><title>Application</title><button>Connect</button><output></output>
<script>
const url = new URLSearchParams(location.search).get('url')
document.querySelector('button').onclick = () => { window.open(url, 'connect', 'width=480,height=640') }
addEventListener('message', ({ data }) => { document.querySelector('output').textContent = data })
</script>`

let rp: RelyingParty
let browser: Browser
let tls: Server
let local: Host
let secure: Host
let visitors: Visitors
let context: BrowserContext
let page: Page
let complaints: string[]

beforeAll(async () => {
  rp = await startRelyingParty({ '/opener': POPUP_OPENER })
  local = await startHost({ beforeSession: (app) => app.use(helmet()), before: mountHostPages })
  secure = await startHost({
    beforeSession: (app) => app.use(helmet()),
    before: mountHostPages,
    provider: { issuer: 'https://photos.example/oauth' },
  })
  tls = createServer(selfSignedCertificate('photos.example'), secure.app)
  browser = await launchBrowser({
    hosts: { 'photos.example': await listen(tls), 'rp.example': rp.address, 'first.example': rp.address },
  })
  visitors = new Visitors(browser, listenTo)
})

afterAll(async () => {
  await browser.close()
  tls.closeAllConnections()
  tls.close()
  rp.close()
  await Promise.all([local.close(), secure.close()])
})

beforeEach(async () => {
  rp.clear()
  complaints = []
  await freshBrowser()
})

afterEach(() => visitors.leave())

describe.each([
  ['http://localhost', () => ({ host: local, origin: local.origin })],
  ['https', () => ({ host: secure, origin: 'https://photos.example' })],
] as const)('a host with helmet at its defaults, on %s', (scheme, at) => {
  const start = (options: { client?: string; redirectUri?: string } = {}) => {
    const { host, origin } = at()
    const { client = 'conf', redirectUri } = options
    const params = redirectUri === undefined ? {} : { redirect_uri: redirectUri }
    return authorizeUrl({ ...host, issuer: `${origin}/oauth` }, { client, params })
  }

  test('UI-13 from the login page through Approve the browser arrives at an https callback, with a code that is good', async () => {
    await page.goto(start())
    await signIn('alice')
    await approve()
    await page.waitForURL('https://rp.example/cb?*')

    const [arrival] = rp.arrivals
    const { status } = await redeem(at().host, codeIn(arrival))
    expect(status).toBe(200)
    expect(complaints).toEqual([])
  })

  test('UI-13 from the login page through Approve the browser arrives at an http loopback callback', async () => {
    await page.goto(start({ client: 'nat', redirectUri: rp.loopback }))
    await signIn('alice')
    await approve()
    await page.waitForURL(`${rp.loopback}?*`)

    const form = { redirect_uri: rp.loopback }
    const { status } = await redeem(at().host, codeIn(rp.arrivals[0]), { client: 'nat', form })
    expect(status).toBe(200)
    expect(complaints).toEqual([])
  })

  test('UI-13 from the login page through Approve the browser hands a custom-scheme callback to its app', async () => {
    await page.goto(start({ client: 'nat', redirectUri: 'com.example.app:/cb' }))
    await signIn('alice')
    const [handedOver] = await Promise.all([endOf('com.example.app:/cb'), approve()])

    // No app has this scheme here, so the navigation ends; the control below shows how it ends where CSP forbids it.
    expect(handedOver.failure()?.errorText).toBe('net::ERR_ABORTED')
    const form = { redirect_uri: 'com.example.app:/cb' }
    const { status } = await redeem(at().host, codeIn(new URL(handedOver.url())), { client: 'nat', form })
    expect(status).toBe(200)
    expect(complaints).toEqual([])
  })

  test('CLIENTS-10 control: a plain redirect from the login to the client is blocked', async () => {
    await page.goto(`${at().origin}/login?return_to=/leave`)
    const [complaint] = await Promise.all([page.waitForEvent('console'), signIn('alice', false)])

    expect(complaint.text()).toMatch(/form-action 'self'.* blocked/)
    expect(page.url()).toBe(`${at().origin}/login?return_to=/leave`)
    expect(rp.arrivals).toEqual([])
  })

  // What follows rests on the same headers on both, and on https a browser is the stricter one about where a page may lead.
  if (scheme === 'http://localhost') return

  test('UI-13 Deny takes the browser to the callback too', async () => {
    await page.goto(`${start()}&prompt=consent`)
    await signIn('bob')
    await click(page, 'button', 'Deny')
    await page.waitForURL('https://rp.example/cb?error=access_denied*')
    expect(complaints).toEqual([])
  })

  test('CLIENTS-10 a sign-in that ends in skipped consent arrives at the client', async () => {
    await page.goto(start({ client: 'first' }))
    await signIn('alice')
    await page.waitForURL('https://first.example/cb?*')

    const form = { redirect_uri: 'https://first.example/cb' }
    const { status } = await redeem(at().host, codeIn(rp.arrivals[0]), { client: 'first', form })
    expect(status).toBe(200)
    expect(complaints).toEqual([])
  })

  test('CLIENTS-10 a sign-in that ends in skipped or remembered consent arrives at an http loopback callback', async () => {
    const redirect_uris = [rp.loopback]
    for (const [client_id, skip_consent] of [
      ['loop-skipped', true],
      ['loop-remembered', false],
    ] as const) {
      const metadata = { client_id, client_secret: `${client_id}-secret`, redirect_uris, skip_consent }
      await at().host.oauth.clients.create(metadata)
      for (const asked of [!skip_consent, false]) {
        await freshBrowser()
        rp.clear()
        await page.goto(start({ client: client_id, redirectUri: rp.loopback }))
        await signIn('alice')
        if (asked) await approve()
        await page.waitForURL(`${rp.loopback}?*`)
        const form = { redirect_uri: rp.loopback }
        const { status } = await redeem(at().host, codeIn(rp.arrivals[0]), { client: client_id, form })
        expect(status).toBe(200)
      }
    }
    expect(complaints).toEqual([])
  })

  test('CLIENTS-10 a sign-in that comes back to an approved request hands a custom-scheme callback to its app on a tap', async () => {
    await page.goto(start({ client: 'nat', redirectUri: 'com.example.app:/cb' }))
    await signIn('alice')
    const consent = page.url()
    await Promise.all([endOf('com.example.app:/cb'), approve()])
    await context.clearCookies({ name: 'host' })
    await page.goto(`${at().origin}/login?return_to=${new URL(consent).pathname}`)
    await signIn('alice')
    const link = page.locator('a[href^="com.example.app:/cb?code="]')
    const [handedOver] = await Promise.all([endOf('com.example.app:/cb'), link.click()])
    expect(handedOver.failure()?.errorText).toBe('net::ERR_ABORTED')
    const form = { redirect_uri: 'com.example.app:/cb' }
    const { status } = await redeem(at().host, codeIn(new URL(handedOver.url())), { client: 'nat', form })
    expect(status).toBe(200)
    expect(complaints).toEqual([])
  })

  test('CLIENTS-10 a sign-in that ends in remembered consent arrives at the client', async () => {
    await page.goto(start({ client: 'post' }))
    await signIn('alice')
    await approve()
    await page.waitForURL('https://rp.example/cb?*')
    await freshBrowser()
    rp.clear()

    await page.goto(start({ client: 'post' }))
    await signIn('alice')
    await page.waitForURL('https://rp.example/cb?*')
    const { status } = await redeem(at().host, codeIn(rp.arrivals[0]), { client: 'post' })
    expect(status).toBe(200)
    expect(complaints).toEqual([])
  })

  test('a client that opened the request in a popup hears from it', async () => {
    await page.goto(`${at().origin}/login`)
    await signIn('bob')
    await page.goto(`https://rp.example/opener?url=${encodeURIComponent(start())}`)
    const popup = await press('Connect')
    await click(popup, 'button', 'Approve')

    await page.waitForFunction('document.querySelector("output").textContent !== ""')
    expect(await read(page, 'output')).toBe(rp.arrivals[0]?.search)
    expect(codeIn(rp.arrivals[0])).toMatch(/^[\w-]+$/)
  })

  test('control: a page of the host with helmet’s own opener policy cuts the popup off', async () => {
    const request = start({ client: 'first' })
    await page.goto(`https://rp.example/opener?url=${encodeURIComponent(request)}`)
    const popup = await press('Connect')
    await signIn('bob', true, popup)
    await popup.waitForURL('https://first.example/cb?*')
    expect(await popup.evaluate('window.opener')).toBeNull()
    expect(await read(page, 'output')).toBe('')
  })

  test('HDR-02 the consent page is shown in no frame, not even in one of the host itself', async () => {
    await page.goto(start({ client: 'nat', redirectUri: rp.loopback }))
    await signIn('bob')
    expect(await page.getByRole('button', { name: 'Approve' }).isVisible()).toBe(true)

    await page.goto(`${at().origin}/frame?url=${new URL(page.url()).pathname}`)
    expect(await page.frameLocator('iframe').getByRole('button').count()).toBe(0)
    expect(complaints.join()).toContain("frame-ancestors 'none'")

    await page.goto(`${at().origin}/frame?url=/login`)
    expect(await page.frameLocator('iframe').getByRole('button').count()).toBe(1)
  })
})

describe('control: where our pages had form-action', () => {
  let host: Host

  beforeAll(async () => {
    host = await startHost({ before: addFormAction })
  })

  afterAll(() => host.close())

  test.each([
    ['an https callback', 'conf', () => 'https://rp.example/cb'],
    ['an http loopback callback', 'nat', () => rp.loopback],
    ['a custom-scheme callback', 'nat', () => 'com.example.app:/cb'],
  ])('UI-13 Approve would not arrive at %s', async (_, client, callback) => {
    await context.request.post(`${host.origin}/login`, { form: { user: 'alice' }, maxRedirects: 0 })
    await page.goto(authorizeUrl(host, { client, params: { redirect_uri: callback() } }))
    const consent = page.url()
    const requests: string[] = []
    page.on('request', (request) => requests.push(request.url()))
    const [complaint] = await Promise.all([page.waitForEvent('console'), approve()])

    expect(complaint.text()).toMatch(/form-action 'self'.* blocked/)
    expect(requests).toEqual([consent])
    expect(page.url()).toBe(consent)
    expect(rp.arrivals).toEqual([])
  })
})

async function freshBrowser() {
  await visitors.leave()
  const visitor = await visitors.arrive()
  context = visitor.context
  page = visitor.page
}

function listenTo(to: Page) {
  to.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
}

function mountHostPages(app: Express) {
  mountLoginPage(app)
  app.get('/', (_req, res) => res.type('html').send('<!DOCTYPE html><title>Home</title>'))
  app.get('/leave', (_req, res) => res.redirect(303, 'https://rp.example/cb?code=plain'))
  app.get('/frame', (req, res) => {
    res.type('html').send(`<!DOCTYPE html><title>Frame</title><iframe src="${req.query.url}"></iframe>`)
  })
}

/** What helmet's policy would make of our pages, had they kept it. */
function addFormAction(app: Express) {
  app.use((_req, res, next) => {
    const setHeader = res.setHeader.bind(res)
    res.setHeader = (name, value) => {
      return setHeader(name, name === 'Content-Security-Policy' ? `${value}; form-action 'self'` : value)
    }
    next()
  })
}

/** Signs in on the host's page, and waits for the page that comes. */
async function signIn(user: string, arrives = true, on = page) {
  await type(on, 'User', user)
  const button = on.getByRole('button', { name: 'Sign in' })
  await (arrives ? Promise.all([on.waitForEvent('load'), button.click()]) : button.click())
}

function approve() {
  return click(page, 'button', 'Approve')
}

async function press(name: string): Promise<Page> {
  const [popup] = await Promise.all([context.waitForEvent('page'), click(page, 'button', name)])
  popup.setDefaultTimeout(30_000)
  return popup
}

/** The request for this address that came to nothing. */
function endOf(address: string): Promise<Request> {
  return page.waitForEvent('requestfailed', (request) => request.url().startsWith(address))
}

function codeIn(arrival: URL | undefined): string {
  return arrival?.searchParams.get('code') ?? ''
}
