import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { launchBrowser } from '../support/chromium.js'
import { authorizeUrl, redeem } from '../support/flow.js'
import { type Host, type HostOptions, startHost } from '../support/host.js'
import { LOGOUT_PARAMETERS } from '../support/openid.js'
import { click, look, read } from './hand.js'
import { mountLoginPage } from './login-page.js'
import { expectGoodLooks, injected, listenTo, markup } from './page-checks.js'
import { type RelyingParty, startRelyingParty } from './relying-party.js'
import { Visitors } from './visitors.js'

const PAYLOAD = `"><svg onload=alert(1)><script>alert(2)</script>'-alert(3)-'<%=1111*1111%>{{1111*1111}}#{1111*1111}`
const LONG = 'Wordwithoutanyspace'.repeat(8)

const https = (id: string, name: string) => ({
  client_id: id,
  client_secret: `${id}-secret`,
  client_name: name,
  redirect_uris: ['https://rp.example/cb'],
  // The callback, so that what arrives is seen.
  post_logout_redirect_uris: ['https://rp.example/cb'],
})

const clients = [https('printer', 'The Print Shop'), https('hostile', PAYLOAD), https('long', LONG)]

const withLogout: HostOptions['provider'] = {
  logout: (req) => new Promise((done) => (req as import('express').Request).session.destroy(done)),
}

/** The relying party's own page, whose form signs out by POST. */
const site: Record<string, string> = {}

let rp: RelyingParty
let browser: Browser
let host: Host
let visitors: Visitors
let context: BrowserContext
let page: Page
let complaints: string[]

beforeAll(async () => {
  rp = await startRelyingParty(site)
  browser = await launchBrowser({ hosts: { 'rp.example': rp.address } })
  visitors = new Visitors(browser, listen)
})

afterAll(async () => {
  await browser.close()
  rp.close()
})

beforeEach(() => rp.clear())

afterEach(async () => {
  await visitors.leave()
  await host.close()
})

describe('signing out', () => {
  test('works without JavaScript: stay, then sign out and go back to the application with its state', async () => {
    await begin(withLogout, { javaScriptEnabled: false })
    await page.goto(
      logout({ client_id: 'printer', post_logout_redirect_uri: 'https://rp.example/cb', state: 's' }),
    )
    expect(await text()).toContain('Signed in as Alice alice@host.example')
    expect(await text()).toContain('The Print Shop asks for this, and takes you back afterwards.')
    await press('Stay signed in')
    expect(await heading()).toBe('You are still signed in')
    expect(rp.arrivals).toEqual([])

    await page.goBack()
    await page.reload()
    await press('Sign out')
    expect(rp.arrivals.map(String)).toEqual(['https://rp.example/cb?state=s'])
    await page.goto(`${host.issuer}/authorized-applications`)
    expect(new URL(page.url()).pathname).toBe('/login')
  })

  test('K-22 without any parameter it asks, and then says that it is done', async () => {
    await begin()
    await page.goto(logout())
    expect(await heading()).toMatch(/^Sign out of localhost:\d+\?$/)
    await press('Sign out')
    expect(await heading()).toBe('You are signed out')
    await page.reload()
    expect(complaints).toEqual([])
  })

  test('LOGO-01 a form that an application posts from its own site signs out the session that its ID token proves', async () => {
    await begin()
    const hint = await idToken()
    site['/leave'] = `<!DOCTYPE html><title>Shop</title><form method="post" action="${host.issuer}/logout">
<input name="id_token_hint" value="${hint}"><input name="state" value="posted">
<input name="post_logout_redirect_uri" value="https://rp.example/cb"><button>Leave</button></form>`
    await page.goto('https://rp.example/leave')
    rp.clear()
    await press('Leave')
    expect(rp.arrivals.map(String)).toEqual(['https://rp.example/cb?state=posted'])
    await page.goto(`${host.issuer}/authorized-applications`)
    expect(new URL(page.url()).pathname).toBe('/login')
  })

  test('what an application did wrong keeps nobody from signing out', async () => {
    await begin()
    await page.goto(logout({ client_id: 'printer', post_logout_redirect_uri: 'https://evil.example/' }))
    expect(await text()).toContain('https://evil.example/')
    await leave(() => click(page, 'link', 'Sign out anyway'))
    await press('Sign out')
    expect(await heading()).toBe('You are signed out')
  })

  test('a page that is older than the session is shown again, and then works', async () => {
    await begin()
    await page.goto(logout({ client_id: 'printer', post_logout_redirect_uri: 'https://rp.example/cb' }))
    await signIn('bob')
    await press('Sign out')
    expect(await read(page, '[role=alert]')).toContain('please decide again')
    expect(await text()).toContain('Signed in as Bob')
    expect(rp.arrivals).toEqual([])
    await press('Sign out')
    expect(rp.arrivals.map(String)).toEqual(['https://rp.example/cb'])
  })

  test('the keyboard alone does it, with a visible focus', async () => {
    await begin()
    await page.goto(logout({ client_id: 'printer' }))
    const stops: string[] = []
    for (let stop = 0; stop < 3; stop++) {
      await page.keyboard.press('Tab')
      stops.push(await focused())
    }
    expect(stops).toEqual(['Stay signed in', 'Sign out', 'Applications with access'])
    await page.getByRole('button', { name: 'Sign out' }).focus()
    await leave(() => page.keyboard.press('Enter'))
    expect(await heading()).toBe('You are signed out')
  })
})

describe('looks', () => {
  const pages: [string, HostOptions['provider'], () => Promise<unknown>][] = [
    ['logout', withLogout, () => page.goto(logout())],
    [
      'logout-client',
      withLogout,
      () => page.goto(logout({ client_id: 'printer', post_logout_redirect_uri: 'https://rp.example/cb' })),
    ],
    ['logout-long', withLogout, () => page.goto(logout({ client_id: 'long' }))],
    [
      'logout-again',
      withLogout,
      async () => {
        await page.goto(logout({ client_id: 'printer' }))
        await signIn('alice')
        await press('Sign out')
      },
    ],
    ['logged-out', withLogout, () => ending('Sign out')],
    ['logged-out-kept', withLogout, () => ending('Stay signed in', { client_id: 'printer' })],
    ['logout-missing', {}, () => page.goto(logout({ client_id: 'printer' }))],
    [
      'logged-out-signed-in-here',
      {},
      () => ending('Sign out', { client_id: 'printer', post_logout_redirect_uri: 'https://rp.example/cb' }),
    ],
    [
      'logged-out-signed-in-here-long',
      {},
      () => ending('Sign out', { client_id: 'long', post_logout_redirect_uri: 'https://rp.example/cb' }),
    ],
    [
      'logout-error',
      withLogout,
      () => page.goto(logout({ client_id: 'printer', post_logout_redirect_uri: 'https://rp.example/out' })),
    ],
    ['logout-error-hint', withLogout, () => page.goto(logout({ id_token_hint: 'x.y.z' }))],
  ]

  test.each(pages)(
    'axe finds nothing on %s, and nothing has to be scrolled sideways',
    async (name, options, go) => {
      await begin(options)
      await go()
      await expectGoodLooks(page, name)
    },
  )
})

test('on a phone the words on each button stay in one line, and the buttons side by side', async () => {
  await begin()
  await page.goto(logout({ client_id: 'printer' }))
  for (const width of [320, 360, 375]) {
    await page.setViewportSize({ width, height: 600 })
    const boxes = await Promise.all(
      ['Stay signed in', 'Sign out'].map((name) => page.getByRole('button', { name }).boundingBox()),
    )
    expect(boxes.map((box) => box && { y: box.y, height: box.height })).toEqual([
      { y: boxes[1]?.y, height: 46 },
      { y: boxes[1]?.y, height: 46 },
    ])
  }
})

describe('what others wrote is text', () => {
  test('INJ-02 names with markup run nowhere and are shown as they are', async () => {
    await begin({})
    host.users.set('mallory', { id: 'mallory', name: PAYLOAD, email: PAYLOAD })
    await signIn('mallory')
    for (const button of ['Stay signed in', 'Sign out']) {
      await page.goto(logout({ client_id: 'hostile', post_logout_redirect_uri: 'https://rp.example/cb' }))
      expect(await read(page, '.account')).toContain(PAYLOAD)
      expect(await text()).toContain(`${PAYLOAD} asks for this`)
      expect(await markup(page)).toEqual([])
      await press(button)
      expect(await text()).toContain(PAYLOAD)
      expect(await markup(page)).toEqual([])
    }
    expect(complaints).toEqual([])
  })

  test('INJ-01 INJ-04 no parameter of the request becomes markup, code or an address', async () => {
    await begin()
    for (const name of LOGOUT_PARAMETERS) {
      for (const value of [PAYLOAD, 'javascript:alert(1)', `'-alert(1)-'`]) {
        for (const others of [{}, { client_id: 'printer' }]) {
          await page.goto(logout({ ...others, [name]: value }))
          expect(new URL(page.url()).origin).toBe(host.origin)
          expect(await injected(page)).toEqual([])
        }
      }
    }
    expect(complaints.filter((complaint) => complaint.includes('a script ran'))).toEqual([])
    await page.goto(logout({ post_logout_redirect_uri: PAYLOAD, client_id: 'printer' }))
    expect(await text()).toContain(PAYLOAD)
  })
})

/** A host, a browser, and Alice signed in. */
async function begin(
  options: HostOptions['provider'] = withLogout,
  browserOptions: BrowserContextOptions = {},
) {
  host = await startHost({ before: mountLoginPage, provider: { clients, ...options } })
  const visitor = await visitors.arrive(browserOptions)
  context = visitor.context
  page = visitor.page
  complaints = []
  await signIn('alice')
}

function listen(to: Page): void {
  listenTo(
    to,
    (text) => complaints.push(text),
    (text) => text.startsWith('Failed to load resource'),
  )
}

function logout(parameters: Record<string, string> = {}): string {
  return `${host.issuer}/logout?${new URLSearchParams(parameters)}`
}

/** Signs in, in whichever tab. */
async function signIn(user: string) {
  await context.request.post(`${host.origin}/login`, { form: { user }, maxRedirects: 0 })
}

async function idToken(): Promise<string> {
  await page.goto(authorizeUrl(host, { client: 'printer', params: { scope: 'openid' } }))
  await press('Approve')
  const code = rp.arrivals.at(-1)?.searchParams.get('code') ?? ''
  return (await redeem(host, code, { client: 'printer' })).body.id_token as string
}

async function ending(button: string, parameters: Record<string, string> = {}) {
  await page.goto(logout(parameters))
  await press(button)
}

const press = (name: string) => leave(() => click(page, 'button', name))

/** Does what leads to another page, and waits for that. */
async function leave(action: () => Promise<void>, on = page) {
  await Promise.all([on.waitForEvent('load'), action()])
}

const text = () => look(page, 'main')
const heading = () => look(page, 'h1')

/** The name of what has the focus, which has to be seen. */
async function focused(): Promise<string> {
  const { name, outline } = (await page.evaluate(`(() => {
    const element = document.activeElement
    const { outlineStyle, outlineWidth } = getComputedStyle(element)
    return { name: element.innerText.trim(), outline: outlineStyle + ' ' + outlineWidth }
  })()`)) as { name: string; outline: string }
  expect(outline).toBe('solid 3px')
  return name
}
