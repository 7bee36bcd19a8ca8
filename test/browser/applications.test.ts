import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { launchBrowser } from '../support/chromium.js'
import { fetch } from '../support/fetch.js'
import { authorizeUrl, basic, callApi, getTokens, VERIFIER } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'
import { click, look, read, type } from './hand.js'
import { mountLoginPage } from './login-page.js'
import { expectGoodLooks, findings, injected, listenTo } from './page-checks.js'
import { type RelyingParty, startRelyingParty } from './relying-party.js'
import { Visitors } from './visitors.js'

const CALLBACK = 'https://rp.example/cb'
const PAYLOAD = `"><svg onload=alert(1)><script>alert(2)</script>'-alert(3)-'<%=1111*1111%>`
const LONG = 'Wordwithoutanyspace'.repeat(5)

let rp: RelyingParty
let browser: Browser
let host: Host
let visitors: Visitors
let context: BrowserContext
let page: Page
let complaints: string[]

beforeAll(async () => {
  rp = await startRelyingParty()
  browser = await launchBrowser({ hosts: { 'rp.example': rp.address } })
  visitors = new Visitors(browser, listen)
  host = await startHost({
    before: mountLoginPage,
    provider: {
      applications: ({ id }) => id !== 'bob',
      keepAddresses: true,
      scopes: {
        read: 'Read your things',
        write: 'Change your things',
        share: 'Show your things to people whom you have not invited yourself',
      },
    },
  })
})
beforeEach(() => open())
afterEach(async () => {
  await visitors.leave()
  for (const { client_id } of await host.oauth.clients.list({ ownerId: 'alice' }))
    await host.oauth.clients.delete(client_id)
  expect(complaints).toEqual([])
})
afterAll(async () => {
  await browser.close()
  await host.close()
  rp.close()
})

test('the whole way without JavaScript: register, see the secret once, use it, get a new one, delete', async () => {
  await open({ javaScriptEnabled: false })
  await page.goto(`${host.issuer}/applications`)
  await type(page, 'User', 'alice')
  await press('Sign in')
  expect(await text()).toContain('You have registered no application.')
  await leave(() => click(page, 'link', 'Register an application'))
  await page.getByRole('textbox', { name: 'Name' }).fill('The Print Shop')
  await type(page, 'Redirect URIs', CALLBACK)
  await page.getByLabel('Read your things').check()
  await press('Register')
  const secret = await copied('Secret (client_secret)')
  const id = (await page.locator('dd .copy').innerText()).trim()
  expect(page.url()).toBe(`${host.issuer}/applications/new`)

  await page.reload()
  expect(page.url()).toBe(`${host.issuer}/applications/${id}`)
  expect(await page.content()).not.toContain(secret)
  await page.goBack()
  expect(await page.content()).not.toContain(secret)
  expect(await host.oauth.clients.list({ ownerId: 'alice' })).toHaveLength(1)

  await page.goto(authorizeUrl(host, { client: id, params: { redirect_uri: CALLBACK } }))
  expect(await text()).toContain('The Print Shop asks for access')
  await press('Approve')
  const token = await redeem(id, secret)
  expect((await callApi(host, '/api/read', token)).status).toBe(200)

  await page.goto(`${host.issuer}/applications/${id}`)
  await page.getByLabel('In one day').check()
  await press('Get a new secret')
  const fresh = await copied('Secret (client_secret)')
  expect(fresh).not.toBe(secret)
  expect(await text()).toContain('The previous secret works until')
  expect(await Promise.all([secret, fresh].map((one) => proves(id, one)))).toEqual([true, true])
  host.advance(86_400)
  expect(await Promise.all([secret, fresh].map((one) => proves(id, one)))).toEqual([false, true])

  await page.goto(`${host.issuer}/applications/${id}`)
  await leave(() => click(page, 'link', 'Delete this application'))
  await press('Delete')
  expect(await text()).toContain('You have registered no application.')
  expect((await callApi(host, '/api/read', token)).status).toBe(401)
})

test('Try it shows what people see, and brings the answer back', async () => {
  await signIn()
  const id = await makeApplication()
  await page.goto(`${host.issuer}/applications/${id}`)
  await press('Try it')
  expect(await text()).toContain('Mine asks for access')
  await press('Approve')
  expect(await heading()).toBe('It works')
  expect(await findings(page)).toEqual([])
  expect(await text()).toContain(CALLBACK)
  expect(rp.arrivals.filter(({ searchParams }) => searchParams.get('state') !== 'the-state')).toEqual([])
  await leave(() => click(page, 'link', 'Back to Mine'))
  await press('Try it')
  await press('Deny')
  expect(await heading()).toBe('You said no')
  expect(await findings(page)).toEqual([])
})

test('the keyboard alone does it, and after a mistake the focus is where it is', async () => {
  await signIn()
  await page.goto(`${host.issuer}/applications/new`)
  await page.getByRole('textbox', { name: 'Name' }).focus()
  await page.keyboard.type('Typed')
  await page.keyboard.press('Tab')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Tab')
  await page.keyboard.type('javascript:alert(1)')
  await page.getByLabel('Change your things').focus()
  await leave(() => page.keyboard.press('Enter'))
  expect(await read(page, '[role=alert]')).toContain('Please correct what is marked below.')
  expect(await page.evaluate('document.activeElement.id')).toBe('redirect_uris')
  expect(await page.getByLabel('Single-page or native app').isChecked()).toBe(true)
  expect(await page.getByRole('textbox', { name: 'Name' }).inputValue()).toBe('Typed')
  expect(await page.getByLabel('Redirect URIs').inputValue()).toBe('javascript:alert(1)')
  const described = `document.activeElement.getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id).innerText).join(' ')`
  expect(await page.evaluate(described)).toContain('begins with javascript:')
  complaints = complaints.filter((complaint) => !complaint.includes('400 (Bad Request)'))
})

test('INJ-02 what an application is called runs nowhere and is shown as it is', async () => {
  await signIn()
  const id = await makeApplication({ client_name: PAYLOAD })
  for (const address of ['', `/${id}`, `/${id}?confirm=delete`]) {
    await page.goto(`${host.issuer}/applications${address}`)
    expect(await page.content()).toContain('&lt;svg onload=alert(1)&gt;')
    expect(await injected(page)).toEqual([])
    expect(await findings(page)).toEqual([])
  }
})

test('one scope is withdrawn beside its sentence, then all', async () => {
  const { access_token: token } = await getTokens(host, { params: { scope: 'read write' } })
  await signIn()
  await page.goto(`${host.issuer}/authorized-applications`)
  await press('Withdraw Change your things')
  expect(await text()).not.toContain('Change your things')
  expect((await callApi(host, '/api/write', token)).status).toBe(403)
  expect((await callApi(host, '/api/read', token)).status).toBe(200)
  await press('Withdraw access')
  expect(await text()).toContain('No application has access to your account.')
  expect((await callApi(host, '/api/read', token)).status).toBe(401)
})

describe('looks', () => {
  const looks: [string, () => Promise<unknown>][] = [
    [
      'applications',
      async () => {
        await makeApplication({ client_name: LONG, disabled: true })
        await makeApplication({ verified: true })
        await page.goto(`${host.issuer}/applications`)
      },
    ],
    [
      'application-mistakes',
      async () => {
        await page.goto(`${host.issuer}/applications/new`)
        await page.getByRole('textbox', { name: 'Name' }).fill('Mine')
        await type(page, 'Redirect URIs', `http://${LONG}.example/cb`)
        await press('Register')
        complaints = complaints.filter((complaint) => !complaint.includes('400 (Bad Request)'))
      },
    ],
    [
      'application-secret',
      async () => {
        const id = await makeApplication({
          verified: true,
          redirect_uris: [CALLBACK, `https://rp.example/${LONG}`],
        })
        await page.goto(`${host.issuer}/applications/${id}`)
        await press('Get a new secret')
        await page.getByText('Code to begin with').click()
      },
    ],
    [
      'authorized-applications',
      async () => {
        const { access_token } = await getTokens(host, { params: { scope: 'openid read write share' } })
        await callApi(host, '/api/read', access_token)
        await host.oauth.clients.update(await makeApplication({ client_name: LONG }), {})
        await getTokens(host, { client: 'pub' })
        await page.goto(`${host.issuer}/authorized-applications`)
      },
    ],
  ]

  test.each(looks)('axe finds nothing on %s, and nothing has to be scrolled sideways', async (name, go) => {
    await signIn()
    await go()
    await expectGoodLooks(page, name)
  })

  test('axe finds nothing from right to left either', async () => {
    await open({ locale: 'ar' })
    await signIn()
    await getTokens(host, { params: { scope: 'read write' } })
    for (const address of [`applications/${await makeApplication()}`, 'authorized-applications']) {
      await page.goto(`${host.issuer}/${address}`)
      expect(await page.evaluate('document.documentElement.dir')).toBe('rtl')
      await page.setViewportSize({ width: 375, height: 800 })
      expect(await findings(page)).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375)
    }
  })
})

async function makeApplication(metadata: object = {}): Promise<string> {
  const some = { client_name: 'Mine', redirect_uris: [CALLBACK], scope: 'read write', owner_id: 'alice' }
  return (await host.oauth.clients.create({ ...some, ...metadata })).client_id
}

async function redeem(id: string, secret: string): Promise<string> {
  const code = rp.arrivals.at(-1)?.searchParams.get('code') ?? ''
  const form = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: VERIFIER }
  const answer = await atToken(id, secret, form)
  return String(answer.access_token)
}

async function proves(id: string, secret: string): Promise<boolean> {
  const { error } = await atToken(id, secret, { grant_type: 'refresh_token', refresh_token: 'none' })
  return error === 'invalid_grant'
}

async function atToken(id: string, secret: string, form: Record<string, string>) {
  const response = await fetch(`${host.issuer}/token`, {
    method: 'POST',
    headers: { authorization: basic(id, secret) },
    body: new URLSearchParams(form),
  })
  return (await response.json()) as Record<string, unknown>
}

async function open(options?: BrowserContextOptions): Promise<void> {
  complaints = []
  const visitor = await visitors.arrive(options)
  context = visitor.context
  page = visitor.page
}

function listen(to: Page): void {
  listenTo(to, (text) => complaints.push(text))
}

async function signIn(): Promise<void> {
  await context.request.post(`${host.origin}/login`, { form: { user: 'alice' }, maxRedirects: 0 })
}

const press = (name: string) => leave(() => click(page, 'button', name, name.length < 12))

/** Does what leads to another page, and waits for that. */
async function leave(action: () => Promise<void>): Promise<void> {
  await Promise.all([page.waitForEvent('load'), action()])
}

const copied = async (name: string) =>
  (await page.getByRole('region', { name }).locator('.copy').innerText()).trim()
const text = () => look(page, 'main')
const heading = () => look(page, 'h1')
