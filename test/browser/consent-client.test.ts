import helmet from 'helmet'
import type { Browser, Page } from 'playwright-core'
import { launchBrowser } from '../support/chromium.js'
import { type DocumentSite, documentOf, startDocumentSite } from '../support/documents.js'
import { authorizeUrl } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'
import { expectGoodLooks, findings, injected } from './page-checks.js'
import { Visitors } from './visitors.js'

/** Longer than the page is wide, overlaid with marks, and turned. */
const HOSTILE_NAME = `\u202eelgooG ${'W'.repeat(70)}${'\u0336\u035f'.repeat(40)}"><svg onload=alert(1)>`
const LOOPBACK = 'http://localhost:1/cb'

let browser: Browser
let site: DocumentSite
let host: Host
let visitors: Visitors

beforeAll(async () => {
  browser = await launchBrowser()
  visitors = new Visitors(browser, () => undefined)
  site = await startDocumentSite()
  host = await startHost({
    before(app) {
      app.use(helmet())
    },
    provider: { clientMetadataDocuments: 'open', allowPrivateAddresses: true },
  })
})
afterEach(() => visitors.leave())
afterAll(() => Promise.all([browser.close(), site.close(), host.close()]))

/** The consent page of a client that describes itself so, for a reader of this language. */
async function consent(path: string, document: object, redirect_uri: string, locale = 'en'): Promise<Page> {
  const { page } = await visitors.arrive({ locale })
  await page.context().request.post(`${host.origin}/login`, { form: { user: 'alice' }, maxRedirects: 0 })
  const client = site.serve(path, document)
  await page.goto(authorizeUrl(host, { client, params: { redirect_uri } }))
  return page
}

/** The colours are those of the first page. */
async function expectGood(page: Page, name: string): Promise<void> {
  if (process.env.SCREENSHOTS) return expectGoodLooks(page, name)
  await page.setViewportSize({ width: 320, height: 600 })
  expect(await findings(page)).toEqual([])
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(320)
}

test('CIMD-10 the page for a client on this computer shows its host and the warning, and looks good', async () => {
  const document = documentOf({ client_name: 'Google', redirect_uris: [LOOPBACK] })
  const page = await consent('/google.json', document, LOOPBACK)
  for (const text of [new URL(site.origin).host, 'Not verified by', 'can say that it is this application'])
    expect(await page.getByText(text).first().isVisible()).toBe(true)
  await expectGoodLooks(page, 'consent-document')
})

test('CIMD-10 a hostile name covers nothing: the host is seen, in its place, whole', async () => {
  const redirect = 'https://app.example/cb'
  const page = await consent('/hostile.json', documentOf({ client_name: HOSTILE_NAME }), redirect)
  expect(await injected(page)).toEqual([])
  const shown = page.locator('bdi.destination').first()
  expect(await shown.textContent()).toBe(new URL(site.origin).host)
  // What a click at the middle of it would meet is it.
  const met = await page.evaluate(`{
    const element = document.querySelector('bdi.destination')
    const { x, y, width, height } = element.getBoundingClientRect()
    document.elementFromPoint(x + width / 2, y + height / 2) === element
  }`)
  expect(met).toBe(true)
  await expectGood(page, 'consent-hostile-name')
})

test('CIMD-10 from right to left the hosts stay as they are', async () => {
  const document = documentOf({ 'client_name#ar': 'طابعة الصور', redirect_uris: [LOOPBACK] })
  const page = await consent('/arabic.json', document, LOOPBACK, 'ar')
  expect(await page.evaluate('document.documentElement.dir')).toBe('rtl')
  expect(await page.locator('bdi.destination').first().textContent()).toBe(new URL(site.origin).host)
  await expectGood(page, 'consent-arabic')
})
