import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Express } from 'express'
import helmet from 'helmet'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { selfSignedCertificate } from '../support/certificate.js'
import { launchBrowser } from '../support/chromium.js'
import { authorizeUrl, redeem } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'
import { mountLoginPage } from './login-page.js'
import { listen } from './relying-party.js'
import { Visitors } from './visitors.js'

/** What a callback was sent. */
interface Arrival {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly origin: string | undefined
  readonly type: string | undefined
  readonly members: URLSearchParams
}

const arrivals: Arrival[] = []
const servers: (Server | ReturnType<typeof createHttpServer>)[] = []
let loopback: string
let browser: Browser
let local: Host
let secure: Host
let visitors: Visitors
let context: BrowserContext
let page: Page
let complaints: string[]

beforeAll(async () => {
  const hosts = { beforeSession: (app: Express) => app.use(helmet()), before: mountLoginPage }
  local = await startHost(hosts)
  secure = await startHost({ ...hosts, provider: { issuer: 'https://photos.example/oauth' } })
  const web = createServer(selfSignedCertificate('rp.example'), callback)
  const native = createHttpServer(callback)
  const tls = createServer(selfSignedCertificate('photos.example'), secure.app)
  servers.push(web, native, tls)
  const address = await listen(web)
  loopback = `http://${await listen(native)}/cb`
  browser = await launchBrowser({
    hosts: { 'photos.example': await listen(tls), 'rp.example': address, 'first.example': address },
  })
  visitors = new Visitors(browser, listenTo)
})

afterAll(async () => {
  await browser.close()
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  await Promise.all([local.close(), secure.close()])
})

beforeEach(() => {
  arrivals.length = 0
  complaints = []
})

afterEach(() => visitors.leave())

const callback: RequestListener = async (req: IncomingMessage, res) => {
  const body = Buffer.concat(await req.toArray()).toString()
  const { origin, 'content-type': type } = req.headers
  if (req.url?.startsWith('/cb'))
    arrivals.push({ method: req.method, url: req.url, origin, type, members: new URLSearchParams(body) })
  res.setHeader('Content-Type', 'text/html; charset=utf-8')
  res.end('<!DOCTYPE html><title>Connected</title><h1>Connected</h1>')
}

async function freshBrowser(javaScriptEnabled: boolean): Promise<void> {
  const visitor = await visitors.arrive({ javaScriptEnabled })
  context = visitor.context
  page = visitor.page
}

function listenTo(to: Page): void {
  to.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
}

async function signIn(user: string): Promise<void> {
  await page.getByLabel('User').fill(user)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

const press = (name: string) => page.getByRole('button', { name }).click()

const onLocalhost = () => ({ host: local, origin: local.origin })
const onHttps = () => ({ host: secure, origin: 'https://photos.example' })

// The way by script and the way by button each on one of the two; only where the target is less secure than the page does it matter which.
describe.each([
  ['http://localhost, with script', onLocalhost, true, 'all'],
  ['https, without script', onHttps, false, 'all'],
  ['https, with script', onHttps, true, 'loopback'],
  ['http://localhost, without script', onLocalhost, false, 'loopback'],
] as const)('form_post on a host with helmet at its defaults, on %s', (_, at, script, ways) => {
  const start = (client: string, params: Record<string, string> = {}) => {
    const { host, origin } = at()
    const posted = { response_mode: 'form_post', state: STATE, ...params }
    return authorizeUrl({ ...host, issuer: `${origin}/oauth` }, { client, params: posted })
  }

  /** It came once, as a form, from us; and the code in it is good. */
  async function expectArrival(client: string, redirectUri: string): Promise<void> {
    await page.waitForURL(redirectUri)
    expect(await page.title()).toBe('Connected')
    const { host, origin } = at()
    expect(arrivals).toEqual([
      {
        method: 'POST',
        url: new URL(redirectUri).pathname,
        origin,
        type: 'application/x-www-form-urlencoded',
        members: expect.any(URLSearchParams),
      },
    ])
    const members = arrivals[0]?.members ?? new URLSearchParams()
    expect([...members.keys()].sort()).toEqual(['code', 'iss', 'state'])
    expect(members.get('state')).toBe(STATE)
    expect(members.get('iss')).toBe(`${origin}/oauth`)
    const { status } = await redeem(host, members.get('code') ?? '', {
      client,
      form: { redirect_uri: redirectUri },
    })
    expect(status).toBe(200)
    expect(complaints).toEqual([])
  }

  const RP = 'https://rp.example/cb'

  /** By itself where there is script; else the button is there for it. */
  const goOn = () => (script ? undefined : press('Continue'))

  beforeEach(() => freshBrowser(script))

  test('UI-13 from the login page through Approve to an http loopback callback', async () => {
    await page.goto(start('nat', { redirect_uri: loopback }))
    await signIn('alice')
    await press('Approve')
    await goOn()
    await expectArrival('nat', loopback)
  })
  if (ways === 'loopback') return

  test('UI-13 from the login page through Approve to an https callback', async () => {
    await page.goto(start('conf', { prompt: 'consent' }))
    await signIn('alice')
    await press('Approve')
    await goOn()
    await expectArrival('conf', RP)
  })

  test('CLIENTS-10 a sign-in that ends in remembered consent arrives at the client', async () => {
    await page.goto(start('post'))
    await signIn('bob')
    if (await page.getByRole('button', { name: 'Approve' }).isVisible()) await press('Approve')
    await goOn()
    await page.waitForURL(RP)
    await visitors.leave()
    arrivals.length = 0
    await freshBrowser(script)

    await page.goto(start('post'))
    await signIn('bob')
    await goOn()
    await expectArrival('post', RP)
  })

  test('CLIENTS-10 a sign-in that ends in skipped consent arrives at the client', async () => {
    await page.goto(start('first'))
    await signIn('alice')
    await goOn()
    await expectArrival('first', 'https://first.example/cb')
  })

  test('of somebody who is signed in and has agreed, it goes on at once', async () => {
    await page.goto(start('first'))
    await signIn('alice')
    await goOn()
    await page.waitForURL('https://first.example/cb')
    arrivals.length = 0
    await page.goto(start('first'), { waitUntil: 'commit' })
    await goOn()
    await expectArrival('first', 'https://first.example/cb')
  })

  test('Deny, and an error of the request itself, arrive too', async () => {
    await page.goto(start('conf', { prompt: 'consent' }))
    await signIn('bob')
    await press('Deny')
    await goOn()
    await page.waitForURL(RP)
    await page.goto(start('conf', { scope: 'nope' }), { waitUntil: 'commit' })
    await goOn()
    await page.waitForURL(RP)
    expect(
      arrivals.map(({ method, members }) => [method, members.get('error'), members.get('state')]),
    ).toEqual([
      ['POST', 'access_denied', STATE],
      ['POST', 'invalid_scope', STATE],
    ])
    expect(complaints).toEqual([])
  })
})

/** What could break out of an attribute, and what forms and URLs spell otherwise. */
const STATE = `"><script>alert(1)</script>'&amp; a+b%20é\u{1f600}`

describe('control: where our pages had form-action', () => {
  let host: Host
  beforeAll(async () => {
    host = await startHost({ before: addFormAction })
  })
  afterAll(() => host.close())

  test('the form would not arrive', async () => {
    await freshBrowser(true)
    await context.request.post(`${host.origin}/login`, { form: { user: 'alice' }, maxRedirects: 0 })
    const params = { response_mode: 'form_post', prompt: 'none' }
    const complaint = page.waitForEvent('console')
    await page.goto(authorizeUrl(host, { params }), { waitUntil: 'commit' })
    expect((await complaint).text()).toMatch(/form-action 'self'/)
    expect(arrivals).toEqual([])
  })
})

/** What helmet's policy would make of our pages, had they kept it. */
function addFormAction(app: Express): void {
  app.use((_req, res, next) => {
    const setHeader = res.setHeader.bind(res)
    res.setHeader = (name, value) => {
      return setHeader(name, name === 'Content-Security-Policy' ? `${value}; form-action 'self'` : value)
    }
    next()
  })
}

test('no script but ours runs on the page, wherever it comes from', async () => {
  const host = await startHost({
    provider: {
      render: (_page, { nonce }) =>
        `<!DOCTYPE html><title>before</title><script>document.title = 'inline'</script>
        <img src="data:," onerror="document.title = 'handler'"><a href="javascript:document.title = 'link'">link</a>
        <script src="data:text/javascript,document.title = 'data'"></script>
        <script src="/script.js"></script><script nonce="${nonce}">document.body.id = 'ran'</script>`,
    },
  })
  host.app.get('/script.js', (_req, res) => {
    res.type('js').send("document.title = 'own origin'")
  })
  await freshBrowser(true)
  await page.goto(authorizeUrl(host, { params: { response_mode: 'form_post', prompt: 'none' } }))
  await page.getByText('link').click()
  expect(await page.locator('body#ran').count()).toBe(1)
  expect(await page.title()).toBe('before')
  expect(complaints.length).toBeGreaterThanOrEqual(4)
  await host.close()
})
