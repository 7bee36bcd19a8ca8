import helmet from 'helmet'
import type { Browser, Page } from 'playwright-core'
import { launchBrowser } from '../support/chromium.js'
import { deviceClients, startDevice } from '../support/devices.js'
import { authorizeUrl } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'
import { click, type } from './hand.js'
import { expectGoodLooks, findings } from './page-checks.js'
import { Visitors } from './visitors.js'

/** As long as a German word may be, and longer. */
const LONG = 'Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz'

let browser: Browser
let host: Host
let visitors: Visitors
let page: Page
let complaints: string[]

beforeAll(async () => {
  browser = await launchBrowser()
  visitors = new Visitors(browser, (met) => {
    met.on('console', (message) => {
      const text = message.text()
      // Of an answer that is an error, and of the host's page that is not there.
      if (message.type() === 'error' && !text.startsWith('Failed to load resource')) complaints.push(text)
    })
    met.on('pageerror', (error) => complaints.push(error.message))
  })
  host = await startHost({
    before(app) {
      app.use(helmet())
    },
    provider: {
      clients: [
        ...deviceClients,
        {
          client_id: 'conf',
          client_secret: 'conf-secret',
          client_name: 'Photo Album',
          policy_uri: 'https://rp.example/privacy',
          tos_uri: 'https://rp.example/terms',
          redirect_uris: ['https://rp.example/cb'],
        },
      ],
      scopes: { read: 'Read your things', write: { description: LONG, required: false } },
      logout: (req) =>
        new Promise((done) => (req as { session: { destroy(next: unknown): void } }).session.destroy(done)),
    },
  })
})
beforeEach(() => {
  complaints = []
})
afterEach(async () => {
  await visitors.leave()
  expect(complaints).toEqual([])
})
afterAll(async () => {
  await browser.close()
  await host.close()
})

/** Somebody whose browser speaks this language, and who is signed in. */
async function reader(locale: string): Promise<void> {
  ;({ page } = await visitors.arrive({ locale }))
  await page.context().request.post(`${host.origin}/login`, { form: { user: 'alice' }, maxRedirects: 0 })
}

/** Presses a button, and waits for the page that comes. */
function press(name: string): Promise<unknown> {
  return Promise.all([page.waitForEvent('load'), click(page, 'button', name)])
}

/** The colours are those of the other suites: here it is the direction that could go wrong, so one look is enough, unless pictures are wanted. */
async function expectGood(name: string): Promise<void> {
  if (process.env.SCREENSHOTS) return expectGoodLooks(page, name)
  await page.setViewportSize({ width: 320, height: 600 })
  expect(await findings(page)).toEqual([])
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(320)
  await page.setViewportSize({ width: 1280, height: 720 })
}

async function styleOf(selector: string, property: string): Promise<unknown> {
  return page.evaluate(`getComputedStyle(document.querySelector(${JSON.stringify(selector)})).${property}`)
}

/** Where an element stands: `start` and `end` are its distances from the edges of the window that text begins and ends at. */
async function edges(selector: string): Promise<{ left: number; right: number }> {
  return page.evaluate(`(() => {
    const { left, right } = document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect()
    return { left, right: innerWidth - right }
  })()`)
}

async function expectLanguage(lang: string, dir: string): Promise<void> {
  expect(await page.evaluate('[document.documentElement.lang, document.documentElement.dir]')).toEqual([
    lang,
    dir,
  ])
}

test('somebody who reads Arabic decides about a device: axe finds nothing, nothing has to be scrolled sideways, and what is not Arabic stays as it is', async () => {
  await reader('ar')
  const codes = await startDevice(host, { client: 'box', form: { scope: 'read write' } })
  await page.goto(codes.verification_uri)
  await expectLanguage('ar', 'rtl')
  await expectGood('ar-device')
  await type(page, 'الرمز الظاهر على جهازك', codes.user_code)
  await press('متابعة')
  await expectGood('ar-device-consent')
  expect(await page.locator('.letters').innerText()).toBe(codes.user_code)
  expect(await styleOf('.letters', 'direction')).toBe('ltr')
  expect(await styleOf('.account .name', 'unicodeBidi')).toBe('isolate')
  // The first button is where reading begins: at the right.
  const deny = await page.getByRole('button', { name: 'رفض' }).boundingBox()
  const approve = await page.getByRole('button', { name: 'موافقة' }).boundingBox()
  expect(deny?.x).toBeGreaterThan(approve?.x ?? Number.POSITIVE_INFINITY)
  const [heading, box] = [await edges('h1'), await edges('input[type=checkbox]')]
  expect(box.right).toBeLessThan(box.left)
  expect(box.right - heading.right).toBeCloseTo(0, 0)
  await press('موافقة')
  await expectGood('ar-device-done')
  expect(await page.title()).toContain('Set-top Box')
})

test('they see an error, sign out and go on to the application in Arabic', async () => {
  await reader('ar')
  await page.goto(`${host.issuer}/authorize?client_id=conf&redirect_uri=https://evil.example/cb`)
  await expectGood('ar-error')
  expect(await styleOf('dd code', 'direction')).toBe('ltr')
  await page.goto(authorizeUrl(host, { params: { scope: 'openid profile read write' } }))
  await expectLanguage('ar', 'rtl')
  await expectGood('ar-consent')
  await page.goto(`${host.issuer}/logout?client_id=conf`)
  await expectGood('ar-logout')
  await press('تسجيل الخروج')
  await expectLanguage('ar', 'rtl')
  await expectGood('ar-logged-out')
})

test('ui_locales speaks German to a browser that speaks Arabic, with words of any length', async () => {
  await reader('ar')
  await page.goto(authorizeUrl(host, { params: { scope: 'openid read write', ui_locales: 'de' } }))
  await expectLanguage('de', 'ltr')
  await expectGood('de-consent')
  const [heading, box] = [await edges('h1'), await edges('input[type=checkbox]')]
  expect(box.left - heading.left).toBeCloseTo(0, 0)
  const codes = await startDevice(host, { client: 'box' })
  await page.goto(`${codes.verification_uri}?ui_locales=de`)
  await type(page, 'Code auf Ihrem Gerät', codes.user_code)
  await press('Weiter')
  await expectLanguage('de', 'ltr')
  await expectGood('de-device-consent')
})
