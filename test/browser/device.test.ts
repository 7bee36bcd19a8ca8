import helmet from 'helmet'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { launchBrowser } from '../support/chromium.js'
import { DEVICE_GRANT, deviceClients, poll, startDevice } from '../support/devices.js'
import { callApi } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'
import { expectRefusal, expectTokens } from '../support/token-endpoint.js'
import { click, look, type } from './hand.js'
import { mountLoginPage } from './login-page.js'
import { expectGoodLooks, listenTo, markup } from './page-checks.js'
import { Visitors } from './visitors.js'

const LONG = 'Wordwithoutanyspace'.repeat(8)
const PAYLOAD = `"><svg onload=alert(1)><script>alert(2)</script>'-alert(3)-'<%=1111*1111%>{{1111*1111}}#{1111*1111}`
const PHONE: BrowserContextOptions = { viewport: { width: 375, height: 667 }, isMobile: true, hasTouch: true }

const device = (client_id: string, client_name: string) => ({
  ...{ client_id, client_name, grant_types: [DEVICE_GRANT], token_endpoint_auth_method: 'none' },
})

let browser: Browser
let host: Host
let visitors: Visitors
let context: BrowserContext
let page: Page
let complaints: string[]

beforeAll(async () => {
  browser = await launchBrowser()
  visitors = new Visitors(browser, listen)
  host = await startHost({
    before(app) {
      app.use(helmet())
      mountLoginPage(app)
      app.get('/foreign', (req, res) => {
        res.type('html').send(`<a href="${encodeURI(String(req.query.to))}">Win a prize</a>`)
      })
    },
    provider: {
      clients: [...deviceClients, device('long', LONG), device('hostile', PAYLOAD)],
      scopes: {
        read: 'Read your things',
        write: { description: 'Change your things', required: false },
        long: LONG,
      },
    },
  })
})
beforeEach(() => open())
afterEach(async () => {
  await visitors.leave()
  expect(complaints).toEqual([])
  // Wrong codes of one test are none of the next one's.
  host.advance(1200)
})
afterAll(async () => {
  await browser.close()
  await host.close()
})

describe('on a phone', () => {
  test('DEV-08 a person types the code that a device shows, signs in, approves, and the device goes on; without JavaScript', async () => {
    await open({ ...PHONE, javaScriptEnabled: false })
    const codes = await startDevice(host, { form: { scope: 'read write' } })
    expectRefusal(await poll(host, codes), 400, 'authorization_pending')
    await page.goto(codes.verification_uri)
    await signIn()
    await type(page, 'Code on your device', codes.user_code.toLowerCase().replace('-', ''))
    await press('Continue')
    expect(await text()).toContain(codes.user_code)
    await page.getByLabel('Change your things').uncheck()
    await press('Approve')
    expect(await heading()).toBe('Go back to your device')
    await page.reload()
    expect(await heading()).toBe('Go back to your device')
    host.advance(5)
    const answer = await poll(host, codes)
    expectTokens(answer)
    expect(answer.body.scope).toBe('read')
    expect((await callApi(host, '/api/read', answer.body.access_token)).body.userId).toBe('alice')
  })

  test('DEV-08 a person scans the address with the code, signs in, sees what is asked for, and denies', async () => {
    await open(PHONE)
    const codes = await startDevice(host)
    await page.goto(codes.verification_uri_complete)
    await signIn()
    expect(await text()).toContain(`Does your device show this code? ${codes.user_code}`)
    await press('Deny')
    expect(await heading()).toBe('No access was given')
    expectRefusal(await poll(host, codes), 400, 'access_denied')
    await page.goBack()
    expect(await heading()).toBe('No access was given')
  })
})

test('DEV-07 a link on a foreign page has no code tried: the person sends it themselves, and then decides', async () => {
  const codes = await startDevice(host)
  await signInFirst()
  await page.goto(
    `${host.origin.replace('localhost', '127.0.0.1')}/foreign?to=${codes.verification_uri_complete}`,
  )
  await leave(() => click(page, 'link'))
  expect(await heading()).toBe('Connect a device')
  expect(await page.getByLabel('Code on your device').inputValue()).toBe(codes.user_code)
  await press('Continue')
  await press('Approve')
  expectTokens(await poll(host, codes))
})

test('the keyboard alone does it, and Enter in a checkbox never approves', async () => {
  const codes = await startDevice(host, { form: { scope: 'read write' } })
  await signInFirst()
  await page.goto(codes.verification_uri)
  await page.getByLabel('Code on your device').focus()
  await page.keyboard.type(codes.user_code)
  await leave(() => page.keyboard.press('Enter'))
  await page.getByLabel('Change your things').focus()
  await leave(() => page.keyboard.press('Enter'))
  expect(await heading()).toBe('No access was given')
})

test('INJ-02 INJ-04 names with markup run nowhere and are shown as they are', async () => {
  host.users.set('mallory', { id: 'mallory', name: PAYLOAD, email: PAYLOAD })
  const codes = await startDevice(host, { client: 'hostile' })
  await signInFirst('mallory')
  await page.goto(`${codes.verification_uri}?user_code=${encodeURIComponent(PAYLOAD.slice(0, 40))}`)
  expect(await page.getByLabel('Code on your device').inputValue()).toBe(PAYLOAD.slice(0, 40))
  expect(await markup(page)).toEqual([])
  // The status of a wrong code is said on the console.
  complaints = complaints.filter((complaint) => !complaint.includes('400 (Bad Request)'))
  await page.goto(codes.verification_uri_complete)
  expect(await heading()).toContain(PAYLOAD)
  expect(await page.title()).toContain(PAYLOAD)
  expect(await markup(page)).toEqual([])
  await press('Deny')
  expect(await text()).toContain(PAYLOAD)
  expect(await markup(page)).toEqual([])
})

describe('looks', () => {
  const looks: [string, () => Promise<unknown>][] = [
    ['device-again', () => page.goto(`${host.issuer}/device?user_code=BBBB-BBBB`)],
    ['device-consent', () => shown('box', 'read write')],
    ['device-consent-long', () => shown('long', 'read long')],
    [
      'device-done',
      async () => {
        await shown('tv', 'read')
        await press('Approve')
      },
    ],
  ]

  test.each(looks)('axe finds nothing on %s, and nothing has to be scrolled sideways', async (name, go) => {
    await signInFirst()
    await go()
    complaints = complaints.filter((complaint) => !complaint.includes('400 (Bad Request)'))
    await expectGoodLooks(page, name)
  })

  async function shown(client: string, scope: string): Promise<void> {
    const { verification_uri_complete } = await startDevice(host, { client, form: { scope } })
    await page.goto(verification_uri_complete)
  }
})

async function open(options?: BrowserContextOptions): Promise<void> {
  complaints = []
  const visitor = await visitors.arrive(options)
  context = visitor.context
  page = visitor.page
}

function listen(to: Page): void {
  listenTo(to, (text) => complaints.push(text))
}

/** At the login page, to which a page has led. */
async function signIn(user = 'alice'): Promise<void> {
  await type(page, 'User', user)
  await press('Sign in')
}

async function signInFirst(user = 'alice'): Promise<void> {
  await context.request.post(`${host.origin}/login`, { form: { user }, maxRedirects: 0 })
}

const press = (name: string) => leave(() => click(page, 'button', name))

/** Does what leads to another page, and waits for that. */
async function leave(action: () => Promise<void>): Promise<void> {
  await Promise.all([page.waitForEvent('load'), action()])
}

const text = () => look(page, 'main')
const heading = () => look(page, 'h1')
