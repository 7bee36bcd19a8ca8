import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import ejs from 'ejs'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import type { OAuthProviderOptions } from '../../lib/index.js'
import { launchBrowser } from '../support/chromium.js'
import { clients } from '../support/clients.js'
import { authorizeUrl, callApi, getTokens, redeem } from '../support/flow.js'
import { type Host, type HostOptions, startHost } from '../support/host.js'
import { click, look, read, texts, type } from './hand.js'
import { mountLoginPage } from './login-page.js'
import { expectGoodLooks, findings, injected, listenTo, markup } from './page-checks.js'
import { type RelyingParty, startRelyingParty } from './relying-party.js'
import { Visitors } from './visitors.js'

const PAYLOAD = `"><svg onload=alert(1)><script>alert(2)</script>'-alert(3)-'<%=1111*1111%>\${1111*1111}{{1111*1111}}#{1111*1111}`
const HOSTILE_URI = 'https://rp.example/"><svg/onload=alert(4)>'
const LONG = 'Wordwithoutanyspace'.repeat(8)

const scopes = {
  read: 'Read your things',
  write: { description: 'Change your things', required: false },
  share: { description: 'Show your things to people whom you have not invited yourself', required: false },
  hostile: { description: PAYLOAD, required: false },
  long: LONG,
}

const authorizationDetails = {
  payment: {
    schema: {
      properties: { amount: { type: 'string' }, to: { type: 'string' } },
      required: ['amount', 'to'],
    },
    description: ({ amount, to }) => `Pay ${amount} to ${to}`,
  },
  accounts: { schema: {}, description: 'See the balance of your accounts, and what you spend' },
} satisfies OAuthProviderOptions['authorizationDetails']

const details = (...list: { type: string; amount?: string; to?: string }[]) => ({
  authorization_details: JSON.stringify(list),
})

const longCallback = `https://${LONG.slice(0, 60)}.${LONG.slice(0, 60)}.example/cb`

const https = (id: string, name: string, more: object = {}) => ({
  client_id: id,
  client_secret: `${id}-secret`,
  client_name: name,
  redirect_uris: ['https://rp.example/cb'],
  ...more,
})

const ownClients = [
  https('printer', 'The Print Shop', { client_uri: 'https://rp.example/about' }),
  https('staying', 'Staying', { redirect_uris: ['https://rp.example/stay'] }),
  https('hostile', PAYLOAD, {
    client_uri: HOSTILE_URI,
    redirect_uris: ['https://rp.example/cb', 'https://rp.example/stay'],
  }),
  https('long', LONG, {
    client_uri: `https://rp.example/${LONG}`,
    redirect_uris: [longCallback],
  }),
]

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
})

afterAll(async () => {
  await browser.close()
  rp.close()
})

beforeEach(async () => {
  rp.clear()
  host = await start()
  await open()
})

afterEach(async () => {
  await visitors.leave()
  await host.close()
})

describe('deciding', () => {
  test('UI-13 the whole way works without JavaScript: sign in, choose, approve, withdraw', async () => {
    await open({ javaScriptEnabled: false })
    await page.goto(request('printer', 'read write share'))
    await type(page, 'User', 'alice')
    await press('Sign in')
    await page.getByLabel('Show your things').uncheck()
    await press('Approve')
    const { body } = await redeem(host, arrivedCode(), { client: 'printer' })
    expect(body.scope).toBe('read write')
    expect((await callApi(host, '/api/read', body.access_token)).status).toBe(200)

    await page.goto(`${host.issuer}/authorized-applications`)
    await press('Withdraw access')
    expect(await text()).toContain('No application has access to your account.')
    expect((await callApi(host, '/api/read', body.access_token)).status).toBe(401)
  })

  test('the page that goes on by itself does so without JavaScript', async () => {
    await open({ javaScriptEnabled: false })
    await page.goto(
      `${host.issuer}/authorize?${new URL(authorizeUrl(host, { client: 'first' })).searchParams}`,
    )
    await type(page, 'User', 'alice')
    const [arrival] = await Promise.all([
      page.waitForRequest(/^https:\/\/first\.example\/cb\?code=/),
      click(page, 'button', 'Sign in'),
    ])
    expect(arrival.method()).toBe('GET')
  })

  test('an optional scope that is unticked is not granted, and asked for again as the only new one', async () => {
    await signIn('alice')
    await page.goto(request('printer', 'read write'))
    expect(await page.getByLabel('Change your things').isChecked()).toBe(true)
    await page.getByLabel('Change your things').uncheck()
    await press('Approve')
    const { body } = await redeem(host, arrivedCode(), { client: 'printer' })
    expect(body.scope).toBe('read')
    expect((await callApi(host, '/api/write', body.access_token)).status).toBe(403)

    await page.goto(request('printer', 'read write'))
    expect(await page.getByRole('region', { name: 'You already allow it to' }).textContent()).toContain(
      'Read your things',
    )
    expect(await page.getByRole('checkbox').count()).toBe(1)
    await page.getByLabel('Change your things').check()
    await press('Approve')
    const more = await redeem(host, arrivedCode(), { client: 'printer' })
    expect(more.body.scope).toBe('read write')
  })

  test('approving with nothing ticked shows the page again and says what to do', async () => {
    await signIn('alice')
    await page.goto(request('printer', 'write share'))
    await page.getByLabel('Change your things').uncheck()
    await page.getByLabel('Show your things').uncheck()
    await press('Approve')
    expect(await read(page, '[role=alert]')).toBe('Choose at least one, or deny.')
    await page.getByLabel('Show your things').check()
    await press('Approve')
    expect((await redeem(host, arrivedCode(), { client: 'printer' })).body.scope).toBe('share')
  })

  test('the keyboard alone does it: every control is reached in order, with a visible focus', async () => {
    await signIn('alice')
    await page.goto(request('printer', 'read write share'))
    const stops: string[] = []
    for (let i = 0; i < 6; i++) {
      await page.keyboard.press('Tab')
      stops.push(await focused())
    }
    expect(stops).toEqual([
      'Not you?',
      'Change your things',
      'Show your things to people whom you have not invited yourself',
      'Deny',
      'Approve',
      'Applications with access',
    ])

    await page.getByLabel('Change your things').focus()
    await page.keyboard.press('Space')
    expect(await page.getByLabel('Change your things').isChecked()).toBe(false)
    await page.getByRole('button', { name: 'Approve' }).focus()
    await leave(() => page.keyboard.press('Enter'))
    expect((await redeem(host, arrivedCode(), { client: 'printer' })).body.scope).toBe('read share')

    await page.goto(`${host.issuer}/authorized-applications`)
    await page.keyboard.press('Tab')
    expect(await focused()).toMatch(/^Back to localhost:/)
    await page.keyboard.press('Tab')
    expect(await focused()).toBe('https://rp.example/about')
    for (const button of ['Withdraw', 'Withdraw', 'Withdraw access']) {
      await page.keyboard.press('Tab')
      expect(await focused()).toBe(button)
    }
    await leave(() => page.keyboard.press('Space'))
    expect(await text()).toContain('No application has access to your account.')
  })

  test('Enter in a checkbox never approves', async () => {
    await signIn('alice')
    await page.goto(request('printer', 'read write'))
    await page.getByLabel('Change your things').focus()
    await leave(() => page.keyboard.press('Enter'))
    expect(rp.arrivals.map((url) => url.searchParams.get('error'))).toEqual(['access_denied'])
  })

  test('UI-07 a double click on Approve brings one code', async () => {
    await signIn('alice')
    await page.goto(request('printer'))
    await page.getByRole('button', { name: 'Approve' }).dblclick()
    await page.waitForURL('https://rp.example/cb?*')
    expect(new Set(rp.arrivals.map((url) => url.searchParams.get('code'))).size).toBe(1)
    expect((await redeem(host, arrivedCode(), { client: 'printer' })).status).toBe(200)
    expect(host.events.filter(({ name }) => name === 'code.issued')).toHaveLength(1)
  })

  test('UI-07 the back button after Approve leads to the client again, with the same code', async () => {
    await signIn('alice')
    await page.goto(request('printer'))
    await press('Approve')
    await Promise.all([page.waitForRequest(/^https:\/\/rp\.example\/cb\?/), page.goBack()])
    await page.waitForURL('https://rp.example/cb?*')
    expect(rp.arrivals).toHaveLength(2)
    expect(rp.arrivals[1]?.href).toBe(rp.arrivals[0]?.href)
  })

  test('UI-07 the back button after the code was used shows that all is done, and what to do', async () => {
    await signIn('alice')
    await page.goto(request('printer'))
    await press('Approve')
    const { body } = await redeem(host, arrivedCode(), { client: 'printer' })
    await page.goBack()
    for (const words of ['You have already answered', 'Go back to the application']) {
      expect(await text()).toContain(words)
    }
    await page.reload()
    expect(await text()).toContain('You have already answered')
    expect((await callApi(host, '/api/read', body.access_token)).status).toBe(200)
  })

  test('a consent page that was reloaded still works', async () => {
    await signIn('alice')
    await page.goto(request('printer'))
    await page.reload()
    await press('Approve')
    expect((await redeem(host, arrivedCode(), { client: 'printer' })).status).toBe(200)
  })

  test('a request that has expired says so, and what to do', async () => {
    await signIn('alice')
    await page.goto(request('printer'))
    host.advance(3601)
    await press('Approve')
    for (const words of ['This request has expired', 'Go back to the application and connect again.']) {
      expect(await text()).toContain(words)
    }
    expect(rp.arrivals).toEqual([])
  })

  test('UI-04 a page that is older than the session is shown again, keeps the ticks, and then works', async () => {
    await signIn('alice')
    await page.goto(request('printer', 'read write share'))
    await page.getByLabel('Change your things').uncheck()
    await signIn('alice')
    await press('Approve')
    expect(await read(page, '[role=alert]')).toContain('please decide again')
    expect(rp.arrivals).toEqual([])
    expect(await page.getByLabel('Change your things').isChecked()).toBe(false)
    await press('Approve')
    expect((await redeem(host, arrivedCode(), { client: 'printer' })).body.scope).toBe('read share')
  })

  test('UI-04 a page whose session has ended leads to the login and back', async () => {
    await signIn('alice')
    await page.goto(request('printer'))
    await context.clearCookies({ name: 'host' })
    await press('Approve')
    expect(rp.arrivals).toEqual([])
    const wayOn = page.getByRole('main').getByRole('link')
    expect(await wayOn.count()).toBe(1)
    await leave(() => wayOn.click())
    await type(page, 'User', 'alice')
    await press('Sign in')
    await press('Approve')
    expect((await redeem(host, arrivedCode(), { client: 'printer' })).status).toBe(200)
  })

  test('UI-04 somebody else who has signed in meanwhile is shown the page with their own name', async () => {
    await signIn('alice')
    await page.goto(request('printer'))
    await signIn('bob')
    await press('Approve')
    expect(await text()).toContain('Signed in as Bob')
    expect(rp.arrivals).toEqual([])
    await press('Approve')
    expect(await userOf(arrivedCode())).toBe('bob')
  })

  test('"Not you?" leads to the login and back to the same request as somebody else', async () => {
    await signIn('alice')
    await page.goto(request('printer'))
    const consent = page.url()
    expect(await text()).toContain('Signed in as Alice')
    await leave(() => click(page, 'link', 'Not you?'))
    await type(page, 'User', 'bob')
    await press('Sign in')
    expect(page.url()).toBe(consent)
    expect(await text()).toContain('Signed in as Bob')
    await press('Approve')
    expect(await userOf(arrivedCode())).toBe('bob')
  })

  test('Withdraw ends that application alone', async () => {
    const kept = await connect('conf')
    const ended = await connect('printer')
    await signIn('alice')
    await page.goto(`${host.issuer}/authorized-applications`)
    await leave(() => click(page, 'button', 'Withdraw access The Print Shop'))
    expect(await texts(page, 'h2')).toEqual(['Confidential'])
    expect((await callApi(host, '/api/read', ended)).status).toBe(401)
    expect((await callApi(host, '/api/read', kept)).status).toBe(200)

    await page.goto(request('printer'))
    expect(await page.getByRole('button', { name: 'Approve' }).isVisible()).toBe(true)
  })
})

describe('looks', () => {
  const pages: [string, () => Promise<unknown>][] = [
    ['consent', () => page.goto(request('printer', 'read write share'))],
    [
      'consent-partly-granted',
      async () => {
        await connect('printer')
        await page.goto(request('printer', 'read write share'))
      },
    ],
    [
      'consent-nothing-new',
      async () => {
        await connect('printer')
        await page.goto(request('printer', 'read', { prompt: 'consent' }))
      },
    ],
    [
      'consent-details',
      () => {
        const payment = { type: 'payment', amount: '45.00 EUR', to: 'Merchant A' }
        return page.goto(request('printer', 'read write', details(payment, { type: 'accounts' })))
      },
    ],
    ['consent-loopback', () => page.goto(request('nat', 'read write', { redirect_uri: rp.loopback }))],
    ['consent-app', () => page.goto(request('nat', 'read', { redirect_uri: 'com.example.app:/cb' }))],
    [
      'consent-again',
      async () => {
        await page.goto(request('printer', 'write share'))
        for (const box of await page.getByRole('checkbox').all()) await box.uncheck()
        await press('Approve')
      },
    ],
    ['consent-long', () => page.goto(request('long', 'read long', { redirect_uri: longCallback }))],
    ['error', () => page.goto(request('printer', 'read', { redirect_uri: 'https://rp.example/cb/' }))],
    ['error-unknown-client', () => page.goto(request(LONG))],
    [
      'error-session-ended',
      async () => {
        await page.goto(request('printer'))
        await context.clearCookies({ name: 'host' })
        await press('Approve')
      },
    ],
    [
      'continue',
      async () => {
        await page.goto(request('staying', 'read', { redirect_uri: 'https://rp.example/stay' }))
        await approveAndStay()
        await page.goto(page.url())
      },
    ],
    [
      'continue-app',
      async () => {
        await page.goto(request('nat', 'read', { redirect_uri: 'com.example.app:/cb' }))
        await approveAndStay()
        await page.goto(page.url())
      },
    ],
    ['authorized-applications-none', () => page.goto(`${host.issuer}/authorized-applications`)],
    [
      'authorized-applications',
      async () => {
        await connect('printer')
        await connect('conf')
        await page.goto(`${host.issuer}/authorized-applications`)
      },
    ],
    [
      'authorized-applications-again',
      async () => {
        await connect('printer')
        await page.goto(`${host.issuer}/authorized-applications`)
        await signIn('alice')
        await press('Withdraw access')
      },
    ],
  ]

  test.each(pages)('axe finds nothing on %s, and nothing has to be scrolled sideways', async (name, go) => {
    await signIn('alice')
    await go()
    await expectGoodLooks(page, name)
  })

  test('control: axe finds fault with a page that has no heading and no landmark', async () => {
    await page.goto(`${host.origin}/login`)
    expect((await findings(page)).join()).toMatch(
      /page-has-heading-one.*landmark-one-main|landmark-one-main.*page-has-heading-one/s,
    )
  })
})

describe('what others wrote is text', () => {
  const wrote = { id: 'mallory', name: PAYLOAD, email: PAYLOAD }

  test('INJ-02 names, addresses and descriptions with markup run nowhere and are shown as they are', async () => {
    host.users.set('mallory', wrote)
    await signIn('mallory')
    await page.goto(request('hostile', 'read hostile'))
    expect(await read(page, 'h1')).toContain(PAYLOAD)
    expect(await page.title()).toContain(PAYLOAD)
    for (const part of [page.locator('.account'), page.getByRole('group')]) {
      expect(await part.textContent()).toContain(PAYLOAD)
    }
    expect(await markup(page)).toEqual([])

    const payment = { type: 'payment', amount: PAYLOAD, to: '\u202egnissim eht' }
    await page.goto(request('hostile', 'read', details(payment)))
    expect(await page.getByRole('region', { name: 'It wants to' }).textContent()).toContain(
      `Pay ${PAYLOAD} to`,
    )
    expect(await markup(page)).toEqual([])

    await page.goto(request('hostile', 'read hostile', { redirect_uri: 'https://rp.example/stay' }))
    await approveAndStay()
    await page.goto(page.url())
    expect(await read(page, 'h1')).toBe(`Back to ${PAYLOAD}`)
    expect(await markup(page)).toEqual([])

    await page.goto(`${host.issuer}/authorized-applications`)
    expect(await read(page, 'h2')).toBe(PAYLOAD)
    expect(await page.getByRole('article').getByRole('list').textContent()).toContain(PAYLOAD)
    expect(await page.getByRole('article').getByRole('link').textContent()).toBe(HOSTILE_URI)
    expect(await page.getByRole('article').getByRole('link').getAttribute('href')).toBe(HOSTILE_URI)
    expect(await markup(page)).toEqual([])
  })

  const parameters = [
    'client_id',
    'redirect_uri',
    'response_type',
    'response_mode',
    'scope',
    'state',
    'code_challenge',
    'code_challenge_method',
    'prompt',
    'resource',
    'login_hint',
    'ui_locales',
    'error',
    'error_description',
    'return_to',
  ]

  test('INJ-01 INJ-04 no parameter of the request becomes markup, code or an address', async () => {
    await signIn('alice')
    const shown = new Set<string>()
    for (const parameter of parameters) {
      for (const value of [PAYLOAD, 'javascript:alert(1)']) {
        await page.goto(request('conf', 'read', { [parameter]: value }))
        expect([host.origin, 'https://rp.example']).toContain(new URL(page.url()).origin)
        if (!page.url().startsWith(host.origin)) continue
        shown.add(parameter)
        expect(await injected(page)).toEqual([])
      }
    }
    expect([...shown]).toEqual(expect.arrayContaining(['client_id', 'redirect_uri', 'state', 'login_hint']))
    expect(complaints.filter((complaint) => complaint.includes('a script ran'))).toEqual([])
    await page.goto(request(PAYLOAD))
    expect(await text()).toContain(PAYLOAD)
    await page.goto(request('conf', 'read', { redirect_uri: PAYLOAD }))
    expect(await text()).toContain(PAYLOAD)
  })

  test('INJ-02 in a page of the host that forgets to escape, a script still does not run', async () => {
    await restart({ render: (_page, { client }) => `<h1>${(client as { name: string }).name}</h1>` })
    await signIn('alice')
    await page.goto(request('hostile'))
    expect((await markup(page)).sort()).toEqual(['script', 'svg'])
    expect(complaints.filter((complaint) => complaint.includes('a script ran'))).toEqual([])
    expect(complaints.filter((complaint) => complaint.includes('Content Security Policy'))).toHaveLength(2)
  })
})

describe('pages of the host', () => {
  const form = `<form method="post" action="<%= action %>"><input type="hidden" name="_csrf" value="<%= csrfToken %>">`
  const ownConsent = `<h1>Welcome, <%= user.name %>: shall <%= client.name %> have this?</h1>${form}
<% for (const { name, description } of newScopes.filter(({ optional }) => optional)) { %>
<label><input type="checkbox" name="scope" value="<%= name %>"><%= description %></label><% } %>
<button name="decision" value="approve">Yes</button><button name="decision" value="deny">No</button></form>`

  test('one page is replaced by a file in the folder of the option templates, and the others stay', async () => {
    const templates = mkdtempSync(path.join(tmpdir(), 'templates-'))
    writeFileSync(path.join(templates, 'consent.ejs'), ownConsent)
    await restart({ templates })
    rmSync(templates, { recursive: true })
    await signIn('alice')

    await page.goto(request('printer', 'read write share'))
    expect(await read(page, 'h1')).toBe('Welcome, Alice: shall The Print Shop have this?')
    expect(await page.getByRole('banner').isVisible()).toBe(true)
    await page.getByLabel('Change your things').check()
    await press('Yes')
    expect((await redeem(host, arrivedCode(), { client: 'printer' })).body.scope).toBe('read write')

    await page.goto(`${host.issuer}/authorized-applications`)
    await press('Withdraw access')
    expect(await text()).toContain('No application has access to your account.')
  })

  test('all pages are the host’s own with the option render, as a string or through res', async () => {
    const own: Record<string, string> = {
      consent: ownConsent,
      error: '<h1>Own: <%= heading %></h1><%= message %> <%= hint %>',
      continue: '<h1>Own: <%= client.name %></h1><a href="<%= url %>">On</a>',
      'authorized-applications': `<h1>Own</h1><% for (const { grantId, client } of applications) { %>
<h2><%= client.name %></h2>${form}<input type="hidden" name="grant" value="<%= grantId %>"><button>End</button></form><% } %>`,
    }
    await restart({
      async render(name, locals, _req, res) {
        const html = `<!DOCTYPE html><title><%= title %></title><style nonce="<%= nonce %>">h1 { color: rgb(1, 2, 3) }</style><main>${own[name]}</main>`
        if (name !== 'error') return ejs.render(html, locals)
        res.end(ejs.render(html, locals))
      },
    })
    await signIn('alice')
    const heading = page.getByRole('heading', { level: 1 })

    await page.goto(request('staying', 'read write', { redirect_uri: 'https://rp.example/stay' }))
    expect(await heading.textContent()).toBe('Welcome, Alice: shall Staying have this?')
    expect(await page.evaluate('getComputedStyle(document.querySelector("h1")).color')).toBe('rgb(1, 2, 3)')
    await approveAndStay('Yes')
    expect(arrivedCode()).not.toBe('')

    await page.goto(page.url())
    expect(await heading.textContent()).toBe('Own: Staying')
    expect(await page.getByRole('link', { name: 'On' }).getAttribute('href')).toBe(rp.arrivals[0]?.href)

    await page.goto(`${host.issuer}/authorized-applications`)
    expect(await texts(page, 'h2')).toEqual(['Staying'])
    await press('End')
    expect(await page.getByRole('heading', { level: 2 }).count()).toBe(0)

    const answer = await page.goto(request('nobody'))
    expect(answer?.status()).toBe(400)
    expect(await heading.textContent()).toBe('Own: This application is not known here')
  })
})

async function start(options: HostOptions['provider'] = {}): Promise<Host> {
  return startHost({
    before: mountLoginPage,
    provider: { scopes, authorizationDetails, clients: [...clients, ...ownClients], ...options },
  })
}

async function restart(options: HostOptions['provider']) {
  await host.close()
  host = await start(options)
}

async function open(options?: BrowserContextOptions) {
  complaints = []
  const visitor = await visitors.arrive(options)
  context = visitor.context
  page = visitor.page
}

function listen(to: Page): void {
  listenTo(to, (text) => complaints.push(text))
}

function request(client: string, scope = 'read', params: Record<string, string> = {}): string {
  return authorizeUrl(host, { client, params: { scope, ...params } })
}

/** Signs in, in whichever tab. The login page itself is for the tests whose way leads over it. */
async function signIn(user: string) {
  await context.request.post(`${host.origin}/login`, { form: { user }, maxRedirects: 0 })
}

/** What an approval of before has left; answers the access token. */
async function connect(client: string, user = 'alice'): Promise<string> {
  return (await getTokens(host, { client, user })).access_token
}

const press = (name: string) => leave(() => click(page, 'button', name))

/** Does what leads to another page, and waits for that. */
async function leave(action: () => Promise<void>, on = page) {
  await Promise.all([on.waitForEvent('load'), action()])
}

const text = () => look(page, 'main')

function arrivedCode(): string {
  return rp.arrivals.at(-1)?.searchParams.get('code') ?? ''
}

async function userOf(code: string): Promise<unknown> {
  const { body } = await redeem(host, code, { client: 'printer' })
  return (await callApi(host, '/api/read', body.access_token)).body.userId
}

/** The name of what has the focus, which has to be seen. */
async function focused(): Promise<string> {
  const { name, outline } = (await page.evaluate(`(() => {
    const element = document.activeElement
    const { outlineStyle, outlineWidth } = getComputedStyle(element)
    const label = element.labels?.[0]?.querySelector('bdi')
    return { name: (label ?? element).innerText.trim(), outline: outlineStyle + ' ' + outlineWidth }
  })()`)) as { name: string; outline: string }
  expect(outline).toBe('solid 3px')
  return name
}

/** Presses the button although the callback leaves the browser where it is. */
async function approveAndStay(button = 'Approve') {
  await Promise.all([page.waitForEvent('requestfailed'), click(page, 'button', button)])
}
