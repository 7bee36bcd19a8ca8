import { randomBytes } from 'node:crypto'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { openStore } from '../../lib/store/open.js'
import type { Client, Grant } from '../../lib/store/records.js'
import type { Store } from '../../lib/store/store.js'
import { launchBrowser } from '../support/chromium.js'
import { callApi, getTokens } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'
import { click, look, read, type } from './hand.js'
import { mountLoginPage } from './login-page.js'
import { expectGoodLooks, findings, injected } from './page-checks.js'
import { Visitors } from './visitors.js'

const PAYLOAD = `"><svg onload=alert(1)><script>alert(2)</script>'-alert(3)-'<%=1111*1111%>{{1111*1111}}`
const LONG = 'Wordwithoutanyspace'.repeat(8)
const URL_ID = `https://agents.example/oauth/${'deeply/nested/'.repeat(6)}client-metadata.json`
const MANY = Array.from({ length: 24 }, (_, index) => `area-${index}:write`)

let browser: Browser
let visitors: Visitors
let host: Host
let store: Store
let page: Page
let complaints: string[]

beforeAll(async () => {
  browser = await launchBrowser()
  visitors = new Visitors(browser, listen)
  store = openStore(':memory:', Date.now)
  host = await startHost({
    provider: { store, keepAddresses: true, admin: ({ id }) => id === 'root' },
    before: mountLoginPage,
  })
  host.users.set('root', { id: 'root', name: 'Root', email: 'root@host.example' })
  host.users.set(LONG, { id: LONG, name: LONG, email: `${LONG}@host.example` })
  await fill()
})

afterAll(async () => {
  await browser.close()
  await host.close()
})

afterEach(() => visitors.leave())

describe('an administrator without JavaScript', () => {
  test('finds an application, verifies it, blocks it after a question, and sees it in the log', async () => {
    await arrive({ javaScriptEnabled: false })
    const tokens = await getTokens(host, { client: 'shop' })
    await type(page, 'Name or id', 'the shop')
    await press('Search')
    await go('The Shop')
    expect(await heading()).toBe('The Shop')
    await press('Block')
    expect(await heading()).toBe('Block The Shop?')
    await go('Cancel')
    expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(200)
    await press('Block')
    await press('Block it')
    expect(await read(page, '[role=status]')).toBe('The application is blocked.')
    expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(401)
    await press('Unblock')
    expect(await read(page, '[role=status]')).toBe('The application is no longer blocked.')
    await go('Audit log of this application')
    const [first, second] = await page
      .getByRole('row')
      .allTextContents()
      .then((rows) => rows.slice(1))
    expect(first).toMatch(/Application unblocked\s*shop\s*–\s*Administrator root/)
    expect(second).toMatch(/Access revoked\s*shop/)
    expect(complaints).toEqual([])
  })

  test('takes one scope, then one application, then all of them from a user', async () => {
    await arrive({ javaScriptEnabled: false })
    await grant('bob', 'conf')
    await grant('bob', 'pub')
    await grant('bob', URL_ID)
    await go('Users')
    await type(page, 'User ID', 'bob')
    await press('Search')
    expect(await heading()).toBe('User Bob')
    const row = page.getByRole('row').filter({ hasText: 'Public' })
    await leave(() => row.getByRole('button', { name: 'Withdraw write' }).click())
    expect(await read(page, '[role=status]')).toContain('Permissions changed: 1')
    expect((await store.findGrant('bob', 'pub'))?.access).toEqual({ [host.origin]: ['read'] })
    await press('Revoke Confidential')
    expect(await store.findGrant('bob', 'conf')).toBeUndefined()
    await press('Revoke all of them')
    expect(await heading()).toBe('Revoke everything that user bob has allowed?')
    await press('Revoke everything')
    expect(await look(page, 'main')).toContain('This user has allowed no application anything.')
  })

  test('withdraws a scope from everybody, whatever its name is', async () => {
    await arrive({ javaScriptEnabled: false })
    await page.getByRole('combobox', { name: 'Scope' }).fill(MANY[3] ?? '')
    await press('Withdraw this scope')
    expect(await heading()).toBe(`Withdraw ${MANY[3]} from all applications?`)
    await press('Withdraw it')
    expect(await read(page, '[role=status]')).toContain('Permissions changed: 1')
  })
})

describe('looks, with what is long, hostile and much', () => {
  const pages: [name: string, path: string][] = [
    ['admin', ''],
    ['admin-client', `/client?id=${encodeURIComponent(URL_ID)}`],
    ['admin-confirm', `/client?id=${encodeURIComponent(URL_ID)}&confirm=block`],
    ['admin-user', `/user?id=${LONG}`],
    ['admin-audit', `/audit?user=${LONG}`],
  ]

  test.each(pages)('%s', async (name, path) => {
    await arrive()
    await page.goto(`${host.issuer}/admin${path}`)
    expect(await injected(page)).toEqual([])
    await expectGoodLooks(page, name)
    expect(complaints).toEqual([])
  })

  test('axe finds nothing, and nothing hostile is let in, where there is nothing, or nobody may look', async () => {
    await arrive()
    const others = ['?q=nothing+is+called+so', '/client?id=hostile', '/client?id=nobody', '/client?id=conf']
    for (const path of [...others, '/user', '/user?id=nobody', '/audit?user=nobody', '/audit?event=none']) {
      await page.goto(`${host.issuer}/admin${path}`)
      expect([path, ...(await findings(page)), ...(await injected(page))]).toEqual([path])
    }
    await arrive({}, 'bob')
    expect(await heading()).toBe('You have no access to this page')
    expect(await findings(page)).toEqual([])
  })

  test('from right to left nothing has to be scrolled sideways', async () => {
    await arrive({ locale: 'ar', viewport: { width: 320, height: 600 } })
    for (const [, path] of pages) {
      await page.goto(`${host.issuer}/admin${path}`)
      expect(await page.evaluate('document.documentElement.dir')).toBe('rtl')
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(320)
    }
  })
})

test('the keyboard alone blocks an application, with a visible focus', async () => {
  await arrive()
  await page.goto(`${host.issuer}/admin/client?id=hostile&confirm=block`)
  const stops: string[] = []
  for (let stop = 0; stop < 2; stop++) {
    await page.keyboard.press('Tab')
    stops.push(await page.locator(':focus-visible').innerText())
  }
  expect(stops).toEqual(['Cancel', 'Block it'])
  await leave(() => page.keyboard.press('Enter'))
  expect(await store.findClient('hostile')).toMatchObject({ disabled: true })
})

function listen(met: Page): void {
  met.on('console', (message) => {
    if (message.type() === 'error' && !/40[034]/.test(message.text())) complaints.push(message.text())
  })
  met.on('pageerror', (error) => complaints.push(String(error)))
  met.on('dialog', (dialog) => {
    complaints.push(dialog.message())
    void dialog.dismiss()
  })
}

/** Signs in on the way to the page of administrators. */
async function arrive(options: BrowserContextOptions = {}, user = 'root'): Promise<void> {
  complaints = []
  page = (await visitors.arrive(options)).page
  await page.goto(`${host.issuer}/admin`)
  await type(page, 'User', user)
  await press('Sign in')
}

function leave(act: () => Promise<unknown>): Promise<unknown> {
  return Promise.all([page.waitForNavigation(), act()])
}

function press(name: string): Promise<unknown> {
  return leave(() => click(page, 'button', name, true))
}

function go(name: string): Promise<unknown> {
  return leave(() => click(page, 'link', name, true))
}

async function heading(): Promise<string> {
  return look(page, 'h1')
}

async function fill(): Promise<void> {
  const redirect_uris = ['https://rp.example/cb']
  const shop = { client_id: 'shop', client_secret: 'shop-secret', client_name: 'The Shop', redirect_uris }
  await host.oauth.clients.create(shop)
  await client({ id: URL_ID, name: 'An agent that has its metadata at a URL', source: 'document' })
  await client({ id: 'hostile', name: PAYLOAD, source: 'user', ownerId: PAYLOAD, contacts: [PAYLOAD] })
  await client({ id: LONG, name: LONG, source: 'registration', verified: true, disabled: true })
  for (const user of ['alice', LONG, PAYLOAD])
    await grant(user, URL_ID, {
      lastUsedAt: host.now(),
      lastUsedFrom: '2001:db8:1234:5678:9abc:def0:1234:5678',
    })
  await grant(LONG, 'conf', { access: { [host.origin]: MANY } })
  await grant(LONG, LONG, { access: {}, claims: ['email'] })
  const details = { grantType: 'urn:ietf:params:oauth:grant-type:device_code', scopes: MANY }
  const entries = ['token.issued', 'consent.denied', 'client.changed', 'session.ended'].map(
    (event, index) => ({
      ...{ id: `${index}`.repeat(32), at: host.now() + index, event, userId: LONG },
      ...(index < 3 && { clientId: index === 0 ? URL_ID : PAYLOAD, grantId: 'x'.repeat(22), details }),
      ...(index === 2 && { by: `admin:${LONG}`, address: '2001:db8:1234:5678:9abc:def0:1234:5678' }),
    }),
  )
  await store.appendAudit(entries, 0)
}

function client(more: Pick<Client, 'id' | 'name'> & Partial<Client>): Promise<boolean> {
  return store.saveClient({
    ...{ revision: 1, confidential: false, createdAt: host.now(), skipConsent: false, requirePkce: true },
    ...{ grantTypes: ['authorization_code'], disabled: false, tokenEndpointAuthMethod: 'none' },
    redirectUris: [`https://agents.example/${LONG}`, 'http://127.0.0.1/cb'],
    ...more,
  }) as Promise<boolean>
}

function grant(userId: string, clientId: string, more: Partial<Grant> = {}): Promise<Grant> {
  const id = randomBytes(16).toString('base64url')
  const access = { [host.origin]: ['read', 'write'] }
  return store.saveGrant({ id, userId, clientId, access, createdAt: host.now(), ...more }) as Promise<Grant>
}
