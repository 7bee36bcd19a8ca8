import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { PageLocals, PageName } from '../lib/index.js'
import { Agent, type Page } from './support/agent.js'
import { DEVICE_GRANT, startDevice } from './support/devices.js'
import { authorizeUrl, decide, getTokens, signedIn, toConsent } from './support/flow.js'
import { type Host, type HostOptions, startHost } from './support/host.js'

let host: Host
afterEach(() => host.close())

function folder(files: Record<string, string>): string {
  const name = mkdtempSync(path.join(tmpdir(), 'oauth-pages-'))
  for (const [file, text] of Object.entries(files)) writeFileSync(path.join(name, file), text)
  return name
}

async function start(provider: HostOptions['provider'], more: HostOptions = {}): Promise<void> {
  host = await startHost({ provider: { applications: () => true, admin: () => true, ...provider }, ...more })
}

/** The pages as a user meets them: an error, consent, on to the client after a login or by a form, a device, the connected applications, and signing out. */
async function everyPage(deviceName = 'Television'): Promise<Record<PageName, Page>> {
  const agent = new Agent(host)
  const error = await agent.get(`${host.issuer}/authorize`)
  const consent = await agent.login('alice', new URL((await toLogin(agent)).url).pathname)
  await decide(agent, consent, 'approve')
  agent.cookies.delete('host')
  const again = new URL((await toLogin(agent)).url)
  const onward = await agent.login('alice', again.pathname)
  const applications = await agent.get(`${host.issuer}/authorized-applications`)
  const developers = await agent.get(`${host.issuer}/applications`)
  const application = await agent.get(`${host.issuer}/applications/new`)
  const administration = {
    admin: await agent.get(`${host.issuer}/admin`),
    'admin-client': await agent.get(`${host.issuer}/admin/client?id=conf`),
    'admin-confirm': await agent.get(`${host.issuer}/admin/client?id=conf&confirm=revoke`),
    'admin-user': await agent.get(`${host.issuer}/admin/user?id=alice`),
    'admin-audit': await agent.get(`${host.issuer}/admin/audit?event=consent.approved`),
  }
  const posting = await agent.get(
    authorizeUrl(host, { params: { response_mode: 'form_post', prompt: 'none' } }),
  )
  const { client_id: client = '' } = await host.oauth.clients.create({
    ...{ client_name: deviceName, token_endpoint_auth_method: 'none', grant_types: [DEVICE_GRANT] },
  })
  const codes = await startDevice(host, { client })
  const device = await agent.get(codes.verification_uri)
  const deviceConsent = await agent.get(codes.verification_uri_complete)
  // A page of the host's own may be without it.
  const [, _csrf] = /name="_csrf" value="([^"]+)"/.exec(device.text + deviceConsent.text) ?? []
  const form = { _csrf, user_code: codes.user_code, decision: 'approve' }
  const decided = await agent.post(codes.verification_uri, form)
  const deviceDone = await agent.get(decided.location ?? '')
  const logout = await agent.get(`${host.issuer}/logout`)
  const loggedOut = await new Agent(host).get(`${host.issuer}/logout`)
  return {
    ...{ error, consent, continue: onward, 'form-post': posting },
    ...{ 'authorized-applications': applications, logout, 'logged-out': loggedOut },
    ...{ device, 'device-consent': deviceConsent, 'device-done': deviceDone },
    ...{ applications: developers, application, ...administration },
  }

  async function toLogin(browser: Agent): Promise<{ url: string }> {
    const page = await browser.get(authorizeUrl(host))
    const returnTo = new URL(page.location ?? '').searchParams.get('return_to') ?? ''
    return { url: host.origin + returnTo }
  }
}

describe('the built-in pages', () => {
  test('are whole documents in UTF-8, without handler, frame or remote content, and with no script but one', async () => {
    await start({})
    for (const [name, page] of Object.entries(await everyPage())) {
      expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
      expect(page.text).toMatch(/^<!DOCTYPE html>\s*<html lang="en"/)
      expect(page.text).toMatch(/<title>[^<]+ – localhost:\d+<\/title>/)
      expect(page.text).not.toMatch(
        /<iframe|<object|<embed|<img|<link|<script(?! nonce=)|\son\w+=|javascript:|@import|url\(/i,
      )
      // Of all of them one has a script, which posts its form.
      expect(page.text.match(/<script/g) ?? []).toHaveLength(name === 'form-post' ? 1 : 0)
      const remote = [...page.text.matchAll(/(?:href|src|action)="([^"]*)"/g)].map(([, url]) => url!)
      const elsewhere: Partial<Record<string, RegExp>> = {
        continue: /^https:\/\/rp\.example\/cb\?code=/,
        'form-post': /^https:\/\/rp\.example\/cb$/,
      }
      const allowed = elsewhere[name] ?? /^\/(?!\/)/
      for (const url of remote) expect(url).toMatch(allowed)
    }
  })

  test('call the host by its option appName', async () => {
    await start({ appName: 'Bits & <b>Photos</b>' })
    for (const page of Object.values(await everyPage())) {
      expect(page.text).toMatch(/<title>[^<]+ – Bits &amp; &lt;b&gt;Photos&lt;\/b&gt;<\/title>/)
      expect(page.text).not.toContain('<b>Photos')
    }
  })

  test('CLIENTS-10 after a login that ends in remembered consent, a page goes on by itself, with a link', async () => {
    await start({})
    const page = (await everyPage()).continue
    expect(page.status).toBe(200)
    expect(page.location).toBeUndefined()
    expect(page.text).toMatch(
      /<meta http-equiv="refresh" content="0;url=https:\/\/rp\.example\/cb\?code=[^"]+">/,
    )
    expect(page.text).toMatch(/<a [^>]*href="https:\/\/rp\.example\/cb\?code=[^"]+"/)
  })

  test('HDR-02 a PAGE never goes on by itself', async () => {
    await start({})
    const page = await new Agent(host).get(
      `${host.issuer}/authorize?client_id=conf&redirect_uri=https://evil.example/cb`,
    )
    expect(page.text).not.toMatch(/http-equiv|<form|href="https:\/\/evil/)
    expect(page.text).toContain('https://evil.example/cb')
  })

  test('the host is called by the host name of the issuer', async () => {
    await start({}, { beforeSession: (app) => app.set('trust proxy', true) })
    const page = await new Agent(host).get(`${host.issuer}/authorize`, {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
    })
    expect(page.text).not.toContain('evil.example')
  })
})

describe('the option templates', () => {
  const pages: PageName[] = [
    ...(['error', 'consent', 'continue', 'form-post', 'authorized-applications'] as const),
    ...(['logout', 'logged-out', 'device', 'device-consent', 'device-done'] as const),
    ...(['applications', 'application'] as const),
    ...(['admin', 'admin-client', 'admin-confirm', 'admin-user', 'admin-audit'] as const),
  ]

  test.each(pages)('overrides %s alone; the others and the layout stay', async (name) => {
    await start({ templates: folder({ [`${name}.ejs`]: '<p>MINE <%= title %></p>' }) })
    if (name !== 'consent') {
      const all = await everyPage()
      for (const [page, { text }] of Object.entries(all)) {
        expect(text.includes('<p>MINE ')).toBe(page === name)
        expect(text).toContain('<main>')
      }
      return
    }
    const { page } = await toConsent(host)
    expect(page.text).toContain('<p>MINE Connect Confidential</p>')
    expect((await new Agent(host).get(`${host.issuer}/authorize`)).text).not.toContain('MINE')
  })

  test('overrides the layout of all, which gets the page as body and its locals', async () => {
    await start({
      templates: folder({ 'layout.ejs': '<html><h6><%= title %> <%= mount %></h6><%- body %></html>' }),
    })
    for (const page of Object.values(await everyPage())) {
      expect(page.text).toMatch(/^<html><h6>[^<]+ \/oauth<\/h6>/)
      expect(page.text).toContain('class="card stack"')
      expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    }
  })

  test('may include other files of the folder', async () => {
    await start({ templates: folder({ 'error.ejs': '<%- include("part") %>', 'part.ejs': '<i>a part</i>' }) })
    expect((await new Agent(host).get(`${host.issuer}/authorize`)).text).toContain('<i>a part</i>')
  })

  test('a page that throws reaches the error handler of the host, with 500 and an event', async () => {
    await start({ templates: folder({ 'error.ejs': '<%= nothing.here %>' }) })
    const seen = jest.fn()
    host.app.use(((error, _req, res, _next) => {
      seen(error)
      res.end(`handled ${res.statusCode}`)
    }) as import('express').ErrorRequestHandler)
    const page = await new Agent(host).get(`${host.issuer}/authorize`)
    expect(page.text).toBe('handled 500')
    expect(String(seen.mock.calls[0])).toContain('nothing is not defined')
    expect(host.events.map(({ name }) => name)).toContain('server.error')
  })
})

describe('the option render', () => {
  test('gets the name and the locals of each page, and its HTML is sent with our headers', async () => {
    const rendered: [PageName, PageLocals][] = []
    await start({
      render: (page, locals) => {
        rendered.push([page, locals])
        const { csrfToken } = locals
        return `<html>${page}<input name="_csrf" value="${csrfToken}"><button name="decision"></html>`
      },
    })
    const pages = await everyPage()
    for (const [name, page] of Object.entries(pages)) {
      expect(page.text).toContain(`<html>${name}`)
      expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
      expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
      expect(page.headers.get('cache-control')).toBe('no-store')
    }
    const locals = Object.fromEntries(rendered)
    const every = {
      title: expect.any(String),
      nonce: expect.stringMatching(/^[\w+/]{22}==$/),
      mount: '/oauth',
      appName: new URL(host.origin).host,
      ...{ lang: 'en', dir: 'ltr' },
      ...{ t: expect.any(Function), th: expect.any(Function), day: expect.any(Function) },
    }
    expect(locals.error).toEqual({
      ...every,
      heading: expect.any(String),
      message: expect.any(String),
      hint: expect.any(String),
      details: [],
      code: 'invalid_request',
      reference: expect.any(String),
    })
    const registered = { standing: 'registered', nameIsAddress: false, anybody: false }
    expect(locals.consent).toEqual({
      ...every,
      client: { id: 'conf', name: 'Confidential', ...registered },
      destination: { kind: 'web', host: 'rp.example', proven: true },
      user: { id: 'alice', name: 'Alice', email: 'alice@host.example' },
      switchUserUrl: expect.stringContaining('/login?return_to=/oauth/consent/'),
      newScopes: [{ name: 'read', description: 'Read your things', optional: false, checked: true }],
      grantedScopes: [],
      resources: [],
      claims: [],
      grantedClaims: [],
      authorizationDetails: [],
      action: expect.stringMatching(/^\/oauth\/consent\/[\w-]+$/),
      csrfToken: expect.any(String),
      notice: undefined,
    })
    expect(locals.continue).toEqual({
      ...every,
      url: expect.stringContaining('https://rp.example/cb?code='),
      refresh: expect.stringContaining('https://rp.example/cb?code='),
      client: { name: 'Confidential' },
      destination: { kind: 'web', host: 'rp.example' },
    })
    expect(locals['form-post']).toEqual({
      ...every,
      action: 'https://rp.example/cb',
      parameters: [
        { name: 'code', value: expect.any(String) },
        { name: 'state', value: 'the-state' },
        { name: 'iss', value: host.issuer },
      ],
      client: { name: 'Confidential' },
      destination: { kind: 'web', host: 'rp.example' },
    })
    const device = {
      ...every,
      user: { id: 'alice', name: 'Alice', email: 'alice@host.example' },
      action: '/oauth/device',
      csrfToken: expect.any(String),
      notice: undefined,
    }
    expect(locals.device).toEqual({
      ...device,
      switchUserUrl: '/login?return_to=/oauth/device',
      userCode: '',
    })
    const code = String(locals['device-consent']?.userCode)
    expect(locals['device-consent']).toEqual({
      ...device,
      switchUserUrl: `/login?return_to=/oauth/device/${code}`,
      client: { id: expect.any(String), name: 'Television', ...registered },
      clientHost: undefined,
      newScopes: [{ name: 'read', description: 'Read your things', optional: false, checked: true }],
      grantedScopes: [],
      resources: [],
      claims: [],
      grantedClaims: [],
      authorizationDetails: [],
      userCode: expect.stringMatching(/^[A-Z]{4}-[A-Z]{4}$/),
    })
    expect(locals['device-done']).toEqual({ ...every, approved: true, client: { name: 'Television' } })
    expect(locals.logout).toEqual({
      ...every,
      user: { id: 'alice', name: 'Alice', email: 'alice@host.example' },
      client: undefined,
      returns: false,
      endsLogin: false,
      parameters: [],
      action: '/oauth/logout',
      csrfToken: expect.any(String),
      notice: undefined,
    })
    expect(locals['logged-out']).toEqual({
      ...every,
      outcome: 'signed-out',
      told: 0,
      client: undefined,
      returnTo: undefined,
    })
    expect(locals.applications).toEqual({
      ...every,
      applications: [],
      newUrl: '/oauth/applications/new',
    })
    expect(locals.application).toEqual({
      ...every,
      step: 'new',
      application: undefined,
      fields: {
        ...{ type: 'web', types: ['web', 'public', 'device'], clientName: '', redirectUris: '' },
        ...{ clientUri: '', policyUri: '', tosUri: '', problems: {} },
        scopes: expect.arrayContaining([
          { name: 'openid', description: 'Sign you in with this account', checked: false },
          { name: 'read', description: 'Read your things', checked: false },
        ]),
      },
      action: '/oauth/applications/new',
      listUrl: '/oauth/applications',
      form: expect.stringMatching(/^[\w-]{22}$/),
      csrfToken: expect.any(String),
      notice: undefined,
      refusal: undefined,
    })
    const admin = { ...every, broad: true, path: '/oauth/admin', notice: undefined }
    const scopes = expect.arrayContaining(['openid', 'read', 'write'])
    const confidential = {
      ...{ id: 'conf', name: 'Confidential', source: 'static', verified: undefined },
      ...{ blocked: false, createdAt: undefined },
    }
    const grant = {
      ...{ id: expect.any(String), userId: 'alice', clientId: 'conf', scopes: ['read'], claims: [] },
      ...{ createdAt: expect.any(Date), lastUsedAt: undefined, lastUsedFrom: undefined },
    }
    expect(locals.admin).toEqual({
      done: true,
      ...{ ...admin, section: 'clients', search: '', isFirst: true, next: undefined, scopes },
      clients: expect.arrayContaining([confidential]),
    })
    expect(locals['admin-client']).toEqual({
      done: true,
      ...{ ...admin, section: 'clients', isFirst: true, next: undefined, scopes },
      client: {
        ...{ ...confidential, ownerId: undefined, expiresAt: undefined, revision: 1, said: [] },
        redirectUris: ['https://rp.example/cb'],
        metadata: expect.arrayContaining([{ name: 'skip_consent', value: 'false' }]),
      },
      grants: [grant],
      action: '/oauth/admin/client',
      csrfToken: expect.any(String),
    })
    expect(locals['admin-confirm']).toEqual({
      ...every,
      ...{ broad: false, what: 'revoke-client', values: { client: 'Confidential' } },
      fields: { id: 'conf', act: 'revoke' },
      ...{
        action: '/oauth/admin/client',
        back: '/oauth/admin/client?id=conf',
        csrfToken: expect.any(String),
      },
    })
    expect(locals['admin-user']).toEqual({
      done: true,
      ...{ ...admin, section: 'users', isFirst: true, next: undefined },
      user: { id: 'alice', known: true, name: 'Alice', email: 'alice@host.example' },
      grants: [{ ...grant, clientName: 'Confidential' }],
      action: '/oauth/admin/user',
      csrfToken: expect.any(String),
    })
    expect(locals['admin-audit']).toEqual({
      ...{ ...admin, section: 'audit', isKept: true, isFirst: true, next: undefined },
      filter: { event: 'consent.approved', client: '', user: '', since: '', until: '' },
      events: expect.arrayContaining(['consent.approved', 'token.issued']),
      entries: [
        {
          ...{ id: expect.any(String), at: expect.any(Date), event: 'consent.approved', clientId: 'conf' },
          ...{ userId: 'alice', grantId: expect.any(String), admin: undefined },
          details: [
            { name: 'scopes', value: 'read' },
            { name: 'first', value: 'true' },
          ],
        },
      ],
      action: '/oauth/admin/audit',
    })
    expect(locals['authorized-applications']).toEqual({
      ...every,
      user: { id: 'alice', name: 'Alice', email: 'alice@host.example' },
      applications: [
        {
          grantId: expect.any(String),
          client: {
            ...{ id: 'conf', name: 'Confidential', uri: undefined, host: undefined },
            ...{ madeBy: 'host', verified: true },
          },
          scopes: [{ name: 'read', description: 'Read your things' }],
          claims: [],
          resources: [],
          createdAt: expect.any(Date),
          lastUsedAt: undefined,
          lastUsedFrom: undefined,
        },
      ],
      action: '/oauth/authorized-applications',
      csrfToken: expect.any(String),
      notice: undefined,
    })
  })

  test('may be async, and may send the page through res with the engine of the host', async () => {
    await start({
      render: async (page, locals, _req, res) => {
        await null
        ;(res as import('express').Response).send(`<p>${page} ${locals.title}</p>`)
      },
    })
    const page = await new Agent(host).get(`${host.issuer}/authorize`)
    expect(page.status).toBe(400)
    expect(page.text).toMatch(/^<p>error /)
    expect(page.headers.get('x-frame-options')).toBe('DENY')
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('engine')
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('engine')
      },
    ],
  ])('that %s reaches the error handler of the host, and nothing is left unhandled', async (_, render) => {
    const unhandled = jest.fn()
    process.on('unhandledRejection', unhandled)
    await start({ render })
    host.app.use(((error, _req, res, _next) => {
      res.end(`handled ${res.statusCode} ${error.message}`)
    }) as import('express').ErrorRequestHandler)
    expect((await new Agent(host).get(`${host.issuer}/authorize`)).text).toBe('handled 500 engine')
    const { page } = await toConsent(host)
    expect(page.text).toBe('handled 500 engine')
    await new Promise(setImmediate)
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })
})

describe('what comes from elsewhere is shown as text', () => {
  const EVIL = '"><svg onload=alert(1)>'
  const MATHS = ['$', '{1337*1337} {{1337*1337}} <%=1337*1337%> #{1337*1337}'].join('')

  function expectText(page: Page): void {
    expect(page.text).not.toMatch(/<svg|<img|<script(?! nonce="[\w+/=]+">document)/i)
    expect(page.text).not.toContain('1787569')
    expect(page.text).not.toMatch(/(?:href|src|action)="\s*(?:javascript|data):/i)
    // No value ends its attribute: every tag is one of ours.
    for (const [tag] of page.text.matchAll(/<[a-z][^>]*>/gi))
      expect(tag.replace(/="[^"]*"/g, '')).toMatch(/^<[a-z0-9]+(?: [a-z-]+)*>$/)
  }

  test('INJ-02 INJ-04 names of clients, users, and sentences of scopes', async () => {
    await start({
      scopes: {
        read: `Read ${EVIL} ${MATHS}`,
        write: { description: `Write ${EVIL}`, required: false },
      },
      findUser: (id) => ({ id, name: `Alice ${EVIL} ${MATHS}`, email: EVIL }),
      clients: [
        {
          client_id: 'conf',
          client_secret: 'conf-secret',
          client_name: `Shop ${EVIL} ${MATHS}`,
          client_uri: `https://rp.example/"><svg/onload=alert(1)>`,
          logo_uri: `https://rp.example/"><svg/onload=alert(1)>`,
          redirect_uris: ['https://rp.example/cb'],
        },
      ],
    })
    const { agent, page } = await toConsent(host, { params: { scope: 'read write' } })
    expect(page.text).toContain('&lt;svg onload=alert(1)&gt;')
    expectText(page)
    await decide(agent, page, 'approve')
    expectText(await agent.get(`${host.issuer}/authorized-applications`))
    await host.oauth.grants.revokeUser('alice')
    for (const shown of Object.values(await everyPage(`Screen ${EVIL} ${MATHS}`))) expectText(shown)
  })

  test('INJ-01 INJ-04 every parameter of the authorization request', async () => {
    await start({})
    const parameters = [
      'client_id',
      'redirect_uri',
      'scope',
      'state',
      'response_type',
      'response_mode',
      'error',
      'error_description',
      'error_uri',
      'login_hint',
      'ui_locales',
      'prompt',
      'nonce',
      'resource',
      'code_challenge',
      'max_age',
      'claims',
      'id_token_hint',
      'acr_values',
      'claims_locales',
      'display',
      'request',
    ]
    for (const value of [EVIL, "'-alert(1)-'", 'javascript:alert(1)', MATHS, '<!--', '</style><script>']) {
      for (const name of parameters) {
        const { page } = await toConsent(host, { params: { [name]: value } })
        expectText(page)
        if (page.location === undefined)
          expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
        else expect(page.location).toMatch(/^https:\/\/rp\.example\/cb\?/)
      }
    }
  })

  test('INJ-01 the state comes back as it was, and nothing of it becomes a header', async () => {
    await start({})
    const state = `a b+c%26d="<>\r\nSet-Cookie: x=1\u{1f600}`
    const { agent, page } = await toConsent(host, { params: { state } })
    const answer = await decide(agent, page, 'approve')
    expect(new URL(answer.location ?? '').searchParams.get('state')).toBe(state)
    expect(answer.headers.get('set-cookie') ?? '').not.toContain('x=1')
  })

  test('a redirect URI with an odd host is shown whole enough to be seen, and is cut where it is endless', async () => {
    await start({})
    const { page } = await toConsent(host, {
      params: { redirect_uri: `https://evil.example/${'a'.repeat(5000)}` },
    })
    expect(page.status).toBe(400)
    expect(page.text).toContain('https://evil.example/aaa')
    expect(page.text).not.toContain('a'.repeat(600))
  })
})

test('the csrf token of a page and its nonce differ from page to page', async () => {
  await start({})
  await getTokens(host)
  const agent = await signedIn(host, 'alice')
  const pages = await Promise.all([1, 2, 3].map(() => agent.get(`${host.issuer}/authorized-applications`)))
  const tokens = pages.map(({ text }) => text.match(/name="_csrf" value="([^"]+)"/)?.[1])
  expect(new Set(tokens).size).toBe(3)
})
