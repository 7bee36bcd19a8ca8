import { readFileSync } from 'node:fs'
import { openStore } from '../lib/store/open.js'
import type { Store } from '../lib/store/store.js'
import { Agent, type Form, inputValue, type Page } from './support/agent.js'
import { fetch } from './support/fetch.js'
import { basic, CHALLENGE, callApi, destination, signedIn, VERIFIER } from './support/flow.js'
import { type Host, startHost } from './support/host.js'

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const CALLBACK = 'https://mine.example/cb'

let host: Host
let developers: Set<unknown>
let alice: Agent
let bob: Agent

/** Holds up whoever has looked for a client. */
let afterFind: (() => Promise<void>) | undefined

function slowStore(): Store {
  const store = openStore(':memory:', Date.now)
  return new Proxy(store, {
    get(target, name: keyof Store) {
      if (name !== 'findClient') return target[name].bind(target)
      return async (id: string) => {
        const client = await target.findClient(id)
        await afterFind?.()
        return client
      }
    },
  })
}

beforeAll(async () => {
  host = await startHost({
    provider: {
      store: slowStore(),
      applications: ({ id }) => developers.has(id),
      scopes: {
        read: 'Read your things',
        write: { description: 'Change your things', required: false, default: true },
      },
    },
  })
})
beforeEach(async () => {
  afterFind = undefined
  developers = new Set(['alice', 'bob'])
  host.events.length = 0
  alice = await signedIn(host, 'alice')
  bob = await signedIn(host, 'bob')
})
afterEach(async () => {
  for (const ownerId of ['alice', 'bob'])
    for (const { client_id: id } of await host.oauth.clients.list({ ownerId }))
      await host.oauth.clients.delete(id)
  await host.oauth.grants.revokeUser('alice')
})
afterAll(() => host.close())

const web = {
  ...{ type: 'web', client_name: 'Mine', redirect_uris: CALLBACK, scope: ['read', 'write'] },
  ...{ client_uri: 'https://mine.example/', policy_uri: '', tos_uri: 'https://mine.example/tos' },
}

const path = (id = '') => `${host.issuer}/applications${id && `/${id}`}`
const changes = () => host.events.filter(({ name }) => name === 'client.changed').map(({ event }) => event)

/** Registers an application as its form would; answers the page that comes of it, and the form that was sent. */
async function post(agent: Agent, form: Form = {}): Promise<{ page: Page; sent: Form }> {
  const empty = await agent.get(path('new'))
  const sent = { _csrf: inputValue(empty, '_csrf'), form: inputValue(empty, 'form'), ...web, ...form }
  return { page: await agent.post(path('new'), sent), sent }
}

async function register(agent: Agent, form: Form = {}) {
  const { page: answer, sent } = await post(agent, form)
  // Where there is no secret to be shown, the page is one that can be reloaded.
  expect(answer.status).toBe(form.type === undefined || form.type === 'client_credentials' ? 200 : 303)
  const page = answer.location === undefined ? answer : await agent.get(answer.location)
  return { page, sent, id: idOn(page), secret: secretOn(page) }
}

const act = async (agent: Agent, id: string, form: Form) =>
  agent.post(path(id), { _csrf: inputValue(await agent.get(path('new')), '_csrf'), ...form })

const secretOn = (page: Page) => /class="copy big"[^>]*>([^<]+)</.exec(page.text)?.[1]
const idOn = (page: Page) => /class="copy" dir="ltr">([^<]+)</.exec(page.text)?.[1] ?? ''
const problemOn = (page: Page, field: string) =>
  new RegExp(`id="${field}-problem"[^>]*>([^<]+)<`).exec(page.text)?.[1]

/** Whether a client with these credentials is let in at the token endpoint. */
async function proves(id: string, secret: string | undefined): Promise<boolean> {
  const response = await fetch(`${host.issuer}/token`, {
    method: 'POST',
    headers: { authorization: basic(id, secret ?? '') },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'none' }),
  })
  const { error } = (await response.json()) as { error: string }
  expect(['invalid_grant', 'invalid_client']).toContain(error)
  return error === 'invalid_grant'
}

describe('who may', () => {
  test.each(['', 'new', 'some-id'])(
    'who is signed out goes to the login and comes back: /applications %s',
    async (id) => {
      const page = await new Agent(host).get(path(id))
      expect(page.status).toBe(303)
      expect(page.location).toBe(`${host.origin}/login?return_to=${new URL(path(id)).pathname}`)
    },
  )

  test('an id that no application has is not sent to the login page', async () => {
    const page = await new Agent(host).get(path("x'%22%3e"))
    expect(page.location).toBe(`${host.origin}/login?return_to=/oauth/applications`)
  })

  test('whom the host does not allow it is told so in plain words, at every request, and nothing happens', async () => {
    const { id } = await register(alice)
    const { sent } = await post(bob)
    const before = await host.oauth.clients.list()
    host.events.length = 0
    developers.clear()
    const pages = [
      ...[await alice.get(path()), await alice.get(path('new')), await alice.get(path(id))],
      ...[
        await alice.post(path('new'), { ...web, ...sent, form: undefined }),
        await alice.post(path(id), sent),
      ],
      await alice.post(path(id), { _csrf: sent._csrf, action: 'delete' }),
    ]
    for (const page of pages) {
      expect(page.status).toBe(403)
      expect(page.text).toContain('Your account is not allowed to make applications.')
      expect(page.text).not.toContain('Mine')
      expect(page.headers.get('cache-control')).toBe('no-store')
    }
    expect(await host.oauth.clients.list()).toEqual(before)
    expect(host.events.map(({ name, event }) => [name, event.reason])).toEqual(
      pages.map(() => ['request.refused', 'applications_not_allowed']),
    )
  })

  test('without the option the pages are not there', async () => {
    const other = await startHost()
    try {
      const agent = await signedIn(other, 'alice')
      for (const page of ['applications', 'applications/new', 'applications/conf'])
        expect((await agent.get(`${other.issuer}/${page}`)).text).toContain('Cannot GET')
    } finally {
      await other.close()
    }
  })

  test('a function that throws is a failure of the host, and one that gives no boolean lets nobody in', async () => {
    let answer: () => unknown = () => 'yes'
    const other = await startHost({ provider: { applications: () => answer() as boolean } })
    try {
      const agent = await signedIn(other, 'alice')
      for (const given of ['yes', 1, [], {}, undefined, null]) {
        answer = () => given
        expect((await agent.get(`${other.issuer}/applications`)).status).toBe(403)
      }
      expect(other.events.filter(({ event }) => event.code === 'applications_not_boolean')).toHaveLength(1)
      answer = () => Promise.reject(new Error('roles are down'))
      expect((await agent.get(`${other.issuer}/applications`)).status).toBe(500)
      const [failure] = other.events.filter(({ name }) => name === 'server.error')
      expect(failure?.event).toMatchObject({ endpoint: '/applications', error: new Error('roles are down') })
    } finally {
      await other.close()
    }
  })

  test('with the option profile nobody could, so both together are refused', async () => {
    await expect(
      startHost({ provider: { profile: 'fapi2', clients: [], applications: () => true } }),
    ).rejects.toThrow(
      /oauthProvider: applications is set, although the option profile .* oauth\.clients\.create/,
    )
  })
})

describe('registering', () => {
  test('makes a client with what was chosen and nothing else, of this user, and tells it', async () => {
    const { page, id, secret } = await register(alice)
    expect(page.headers.get('cache-control')).toBe('no-store')
    expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(page.headers.get('referrer-policy')).toBe('no-referrer')
    expect(page.headers.get('x-frame-options')).toBe('DENY')
    expect(page.headers.get('x-content-type-options')).toBe('nosniff')
    expect(await host.oauth.clients.get(id)).toEqual({
      ...{ client_id: id, client_name: 'Mine', redirect_uris: [CALLBACK], scope: 'read write' },
      ...{ client_uri: 'https://mine.example/', tos_uri: 'https://mine.example/tos' },
      ...{ grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] },
      ...{ application_type: 'web', owner_id: 'alice', source: 'user' },
      ...{ skip_consent: false, require_pkce: true, disabled: false },
      client_id_issued_at: Math.floor(host.now() / 1000),
    })
    expect(changes()).toEqual([{ clientId: id, change: 'created', by: 'user', userId: 'alice' }])
    expect(await proves(id, secret)).toBe(true)
    expect(await proves(id, `${secret}x`)).toBe(false)
  })

  test('the secret is in the one answer, and nowhere else', async () => {
    const { page, id, secret = '', sent } = await register(alice)
    expect(secret).toMatch(/^[\w-]{43,}$/)
    expect(page.text.split(secret)).toHaveLength(2)
    expect(page.url).not.toContain(secret)
    const again = await alice.post(path('new'), sent)
    expect(again.status).toBe(303)
    expect(again.location).toBe(path(id))
    for (const { text } of [await alice.get(path(id)), await alice.get(path()), again])
      expect(text).not.toContain(secret)
    expect(JSON.stringify([host.events, await host.oauth.clients.list()])).not.toContain(secret)
    expect(await proves(id, secret)).toBe(true)
  })

  test('a form that is sent twice, even at once, makes one application', async () => {
    const empty = await alice.get(path('new'))
    const sent = { _csrf: inputValue(empty, '_csrf'), form: inputValue(empty, 'form'), ...web }
    const pages = await Promise.all([1, 2, 3].map(() => alice.post(path('new'), sent)))
    expect(pages.map(({ status }) => status).sort()).toEqual([200, 303, 303])
    expect(await host.oauth.clients.list({ ownerId: 'alice' })).toHaveLength(1)
    expect(changes()).toHaveLength(1)
    const other = { ...sent, _csrf: inputValue(await bob.get(path('new')), '_csrf') }
    expect((await bob.post(path('new'), other)).status).toBe(200)
    expect(await host.oauth.clients.list({ ownerId: 'bob' })).toHaveLength(1)
  })

  test('a form that is sent twice before either has made anything does so too', async () => {
    const empty = await alice.get(path('new'))
    const sent = { _csrf: inputValue(empty, '_csrf'), form: inputValue(empty, 'form'), ...web }
    const waiting: (() => void)[] = []
    afterFind = async () => {
      if (waiting.length === 2) return
      const both = new Promise<void>((go) => waiting.push(go))
      if (waiting.length === 2) for (const go of waiting) go()
      await both
    }
    const pages = await Promise.all([1, 2].map(() => alice.post(path('new'), sent)))
    expect(pages.map(({ status }) => status).sort()).toEqual([200, 303])
    expect(await host.oauth.clients.list({ ownerId: 'alice' })).toHaveLength(1)
  })

  test('a public app and a device have no secret', async () => {
    const app = await register(alice, {
      type: 'public',
      redirect_uris: 'com.mine.app:/cb\nhttp://127.0.0.1/cb',
    })
    expect(app.secret).toBeUndefined()
    expect(await host.oauth.clients.get(app.id)).toMatchObject({
      ...{ token_endpoint_auth_method: 'none', redirect_uris: ['com.mine.app:/cb', 'http://127.0.0.1/cb'] },
      grant_types: ['authorization_code', 'refresh_token'],
    })
    const device = await register(alice, { type: 'device', redirect_uris: '' })
    expect(device.secret).toBeUndefined()
    expect(await host.oauth.clients.get(device.id)).toMatchObject({
      ...{
        token_endpoint_auth_method: 'none',
        redirect_uris: [],
        grant_types: [DEVICE_GRANT, 'refresh_token'],
      },
    })
    for (const { id } of [app, device])
      expect((await act(alice, id, { action: 'rotate', overlap: '0', revision: '1' })).status).toBe(400)
  })

  test('nothing can be had beyond what the form asks, whatever is sent', async () => {
    const { id } = await register(alice, {
      ...{
        skip_consent: 'true',
        require_pkce: 'false',
        verified: 'true',
        disabled: 'false',
        owner_id: 'bob',
      },
      ...{ client_id: 'chosen', client_secret: 'chosen-secret', token_endpoint_auth_method: 'none' },
      ...{ grant_types: 'client_credentials', resources: host.origin, access_token_lifetime: '99999999' },
      ...{ source: 'host', software_id: 'x', logo_uri: 'https://mine.example/logo', contacts: 'a@b.example' },
      ...{ subject_type: 'public', 'client_name#de': 'Meine', type: 'client_credentials' },
      scope: ['read', 'admin'],
    })
    expect(id).not.toBe('chosen')
    expect(await host.oauth.clients.get(id)).toEqual({
      ...{ client_id: id, client_name: 'Mine', redirect_uris: [CALLBACK], scope: 'read' },
      ...{ client_uri: 'https://mine.example/', tos_uri: 'https://mine.example/tos' },
      ...{ grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] },
      ...{ application_type: 'web', owner_id: 'alice', source: 'user' },
      ...{
        skip_consent: false,
        require_pkce: true,
        disabled: false,
        client_id_issued_at: expect.any(Number),
      },
    })
  })

  test('a user may have a hundred, also where many are asked for at once', async () => {
    const some = { owner_id: 'alice', redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none' }
    await Promise.all(Array.from({ length: 98 }, () => host.oauth.clients.create(some)))
    const _csrf = inputValue(await alice.get(path('new')), '_csrf')
    const forms = 'abcdef'.split('').map((letter) => letter.repeat(22))
    const pages = await Promise.all(forms.map((form) => alice.post(path('new'), { ...web, _csrf, form })))
    const count = async () => (await host.oauth.clients.list({ ownerId: 'alice' })).length
    expect(await count()).toBe(98 + pages.filter(({ status }) => status === 200).length)
    expect(await count()).toBeLessThanOrEqual(100)
    while ((await count()) < 100) await host.oauth.clients.create(some)
    const { page } = await post(alice, { client_name: 'One more' })
    expect(page.status).toBe(400)
    expect(page.text).toContain('You have 100 applications, and can have no more.')
    expect(page.text).toContain('value="One more"')
    expect(await count()).toBe(100)
    expect((await post(bob)).page.status).toBe(200)
    // Whoever reloads the page of the last one is not told that it is one too many.
    const form = forms.find((_, index) => pages[index]?.status === 200)
    if (form !== undefined)
      expect((await alice.post(path('new'), { ...web, _csrf, form })).location).toContain('/applications/')
  })
})

describe('what is wrong', () => {
  /** By what each of them is no good. */
  const refused: [uri: string, flaw: string][] = [
    ['javascript:alert(1)', 'begins with javascript:, which is not allowed here. Use https.'],
    ['JavaScript:alert(1)', 'begins with javascript:, which is not allowed here. Use https.'],
    ['java%0ascript:alert(1)', 'is not a complete address. Write it with its scheme and host.'],
    ['data:text/html,x', 'begins with data:, which is not allowed here. Use https.'],
    ['vbscript:x', 'begins with vbscript:, which is not allowed here. Use https.'],
    ['file:///etc/passwd', 'begins with file:, which is not allowed here. Use https.'],
    ['blob:https://x.example/1', 'begins with blob:, which is not allowed here. Use https.'],
    ['about:blank', 'begins with about:, which is not allowed here. Use https.'],
    ['view-source:https://x.example', 'begins with view-source:, which is not allowed here. Use https.'],
    ['intent://x', 'begins with intent:, which is not allowed here. Use https.'],
    ['https://*.rp.example/*', 'has a wildcard. Enter each redirect URI by itself.'],
    ['https://x.example/cb#f', 'has a fragment. Remove the # and what follows it.'],
    [
      'http://x.example/cb',
      'is http on a host other than this computer. Use https; http is for localhost, 127.0.0.1 and [::1].',
    ],
    ['/cb', 'is not a complete address. Write it with its scheme and host.'],
    ['nonsense', 'is not a complete address. Write it with its scheme and host.'],
    ['https:x.example', 'has no host. Write it with two slashes and a host.'],
    ['https://x.example/ä', 'has a character that no URI can have. Percent-encode it.'],
    [
      'https://x.example/cb?code=1',
      'has the query parameter code, which the answer itself carries. Remove it.',
    ],
    ['https://user:pw@x.example/cb', 'holds a user name or password. Remove it.'],
    [
      'com.mine.app:/cb',
      'begins with com.mine.app:, which only a single-page or native app may use. Use https.',
    ],
  ]

  test.each(refused)(
    'RURI-11 the redirect URI %s is refused as every registration refuses it',
    async (uri, flaw) => {
      const { page } = await post(alice, { redirect_uris: `${CALLBACK}\r\n${uri}` })
      await expect(
        host.oauth.clients.create({
          redirect_uris: [CALLBACK, uri],
          token_endpoint_auth_method: 'client_secret_basic',
        }),
      ).rejects.toMatchObject({ code: 'invalid_redirect_uri', reason: 'metadata_redirect_uris' })
      expect(page.status).toBe(400)
      expect(problemOn(page, 'redirect_uris')).toBe(`${uri} ${flaw}`)
      expect(await host.oauth.clients.list({ ownerId: 'alice' })).toEqual([])
      const { id } = await register(alice)
      const edited = await act(alice, id, { ...web, redirect_uris: uri, action: 'save' })
      expect(edited.status).toBe(400)
      expect(problemOn(edited, 'redirect_uris')).toBe(`${uri} ${flaw}`)
      expect((await host.oauth.clients.get(id))?.redirect_uris).toEqual([CALLBACK])
    },
  )

  test.each(['de', 'fr', 'es', 'ar'])('is told in the language of the page: %s', async (language) => {
    const sent = { ...web, client_name: ' ', redirect_uris: 'nonsense', scope: [], client_uri: 'no' }
    const { _csrf, form } = (await post(alice, { client_name: '' })).sent
    const texts: Record<string, string> = JSON.parse(
      readFileSync(`templates/messages/${language}/applications.json`, 'utf8'),
    )
    const page = await alice.post(path('new'), { _csrf, form, ...sent, ui_locales: language } as Form)
    expect(page.status).toBe(400)
    expect(page.text).toContain(`<html lang="${language}"`)
    expect(page.text).not.toContain('lang="en"')
    const uri = language === 'ar' ? '\u2068nonsense\u2069' : 'nonsense'
    expect(
      ['client_name', 'redirect_uris', 'scope', 'client_uri'].map((field) => problemOn(page, field)),
    ).toEqual([
      texts['applications.problem.no_name'],
      texts['applications.redirect_uri.not_absolute']?.replace('{uri}', uri),
      texts['applications.problem.no_scope'],
      texts['applications.problem.no_page'],
    ])
  })

  test('every field is told at once, beside itself, and what was typed stays', async () => {
    const { page } = await post(alice, {
      ...{ type: 'public', client_name: 'n'.repeat(101), redirect_uris: 'nonsense', scope: [] },
      ...{ client_uri: 'http://mine.example', policy_uri: 'javascript:alert(1)', tos_uri: 'no' },
    })
    expect(page.status).toBe(400)
    expect(page.text).toContain('role="alert"')
    expect({
      client_name: problemOn(page, 'client_name'),
      redirect_uris: problemOn(page, 'redirect_uris'),
      scope: problemOn(page, 'scope'),
      client_uri: problemOn(page, 'client_uri'),
      policy_uri: problemOn(page, 'policy_uri'),
      tos_uri: problemOn(page, 'tos_uri'),
    }).toEqual({
      client_name: 'This name is too long. Use 100 characters or fewer.',
      redirect_uris: 'nonsense is not a complete address. Write it with its scheme and host.',
      scope: 'Choose at least one.',
      client_uri: 'Enter an address that begins with https://.',
      policy_uri: 'Enter an address that begins with https://.',
      tos_uri: 'Enter an address that begins with https://.',
    })
    expect(page.text).toMatch(
      /<input id="client_name"[^>]*aria-describedby="client_name-hint client_name-problem" aria-invalid="true" autofocus>/,
    )
    expect(page.text).toMatch(
      /<textarea id="redirect_uris"[^>]*aria-describedby="redirect_uris-hint redirect_uris-problem" aria-invalid="true">\s+nonsense</,
    )
    expect(page.text).toMatch(/<input type="radio" name="type" value="public" checked>/)
    expect(page.text).not.toMatch(/<input type="checkbox"[^>]*checked/)
    for (const typed of ['http://mine.example', 'javascript:alert(1)', 'no'])
      expect(page.text).toContain(`value="${typed}"`)
    expect(page.text.match(/autofocus/g)).toHaveLength(1)
  })

  test.each([
    ['a name of blanks', { client_name: '  ' }, 'Give the application a name.'],
    ['a name that came twice', { client_name: ['a', 'b'] }, 'Give the application a name.'],
    ['no redirect URI', { redirect_uris: ' \r\n ' }, 'Enter at least one redirect URI.'],
    [
      'too many of them',
      { redirect_uris: Array.from({ length: 21 }, (_, n) => `${CALLBACK}${n}`).join('\n') },
      'These are too many. Enter 20 or fewer.',
    ],
    [
      'a page with a long address',
      { client_uri: `https://x.example/${'x'.repeat(2000)}` },
      'This address is too long. Use 2000 characters or fewer.',
    ],
    ['a scope that there is not', { scope: ['admin'] }, 'Choose at least one.'],
  ])('%s is refused', async (_, form, message) => {
    const { page } = await post(alice, form as Form)
    expect(page.status).toBe(400)
    expect(page.text).toContain(message)
    expect(await host.oauth.clients.list({ ownerId: 'alice' })).toEqual([])
  })

  test('INJ-02 what is typed is shown as text, on every page and in every state', async () => {
    const evil = `"><svg onload=alert(1)>'-alert(2)-'<%=1111*1111%>{{1111*1111}}`
    const names = { client_name: evil, redirect_uris: `${CALLBACK}?x=1` }
    const { page, id } = await register(alice, names)
    const wrong = await post(alice, { ...names, redirect_uris: evil, client_uri: evil, scope: [] })
    const pages = [page, wrong.page, await alice.get(path()), await alice.get(path(id))]
    pages.push(await alice.get(`${path(id)}?confirm=delete`))
    pages.push(await alice.post(path(id), { ...names, action: 'save', client_name: evil }))
    for (const { text } of pages) {
      expect(text).toContain('&lt;svg onload=alert(1)&gt;')
      expect(text).not.toMatch(/<svg|1234321|javascript:/)
    }
  })
})

describe("an application is its owner's alone", () => {
  const without = (page: Page) => page.text.replace(/nonce="[^"]*"|<bdi>[0-9a-f]{12}<\/bdi>/g, '')

  test('of any other nobody learns whether there is one, and nothing of it is changed', async () => {
    const { id } = await register(alice)
    const own = (metadata: object) => host.oauth.clients.create({ redirect_uris: [CALLBACK], ...metadata })
    const hosts = await own({ client_name: 'Of the host' })
    const trusted = await own({ client_name: 'Asks nobody', owner_id: 'bob', skip_consent: true })
    const before = JSON.stringify(await host.oauth.clients.list())
    const ids = ['nothing', id, hosts.client_id, trusted.client_id, 'conf', '%00', "' OR 1=1 --"]
    const csrf = inputValue(await bob.get(path('new')), '_csrf')
    const requests: ((id: string) => Promise<Page>)[] = [
      (one) => bob.get(path(one)),
      (one) => bob.get(`${path(one)}?confirm=delete`),
      (one) => bob.get(`${path(one)}?error=access_denied&iss=${host.issuer}`),
      (one) => bob.post(path(one), { _csrf: csrf }),
      (one) => bob.post(path(one), { ...web, _csrf: csrf, action: 'save', owner_id: 'bob' }),
      (one) => bob.post(path(one), { _csrf: csrf, action: 'rotate', overlap: '0', revision: '1' }),
      (one) => bob.post(path(one), { _csrf: csrf, action: 'delete' }),
      (one) => bob.post(path(one), { _csrf: csrf, action: 'try' }),
      (one) => bob.post(path(one), { action: 'delete' }),
    ]
    for (const request of requests) {
      const pages = await Promise.all(ids.map(request))
      for (const page of pages) {
        expect(page.status).toBe(404)
        expect(without(page)).toBe(without(pages[0]!))
        expect(page.text).toContain('There is no such application')
      }
    }
    expect(JSON.stringify(await host.oauth.clients.list())).toBe(before)
    expect((await bob.get(path())).text).not.toMatch(/Mine|Of the host|Asks nobody/)
    for (const { client_id } of [hosts, trusted]) await host.oauth.clients.delete(client_id)
  })

  test('it is its owner who may, also where the host has made it for them, until the host says otherwise', async () => {
    const { client_id: id } = await host.oauth.clients.create({
      redirect_uris: [CALLBACK],
      owner_id: 'alice',
    })
    expect((await act(alice, id, { ...web, client_name: 'Renamed', action: 'save' })).status).toBe(303)
    expect(await host.oauth.clients.get(id)).toMatchObject({ client_name: 'Renamed', owner_id: 'alice' })
    await host.oauth.clients.update(id, { owner_id: 'bob' })
    expect((await act(alice, id, { ...web, client_name: 'Mine again', action: 'save' })).status).toBe(404)
    expect((await bob.get(path())).text).toContain('Renamed')
    await host.oauth.clients.delete(id)
  })

  test('whatever its id, its owner gets to its page, and can try it', async () => {
    for (const client_id of ['photo printer', 'ü/?#%', 'https://app.example/client.json']) {
      await host.oauth.clients.create({
        client_id,
        client_name: 'Odd',
        redirect_uris: [CALLBACK],
        owner_id: 'alice',
      })
      const href = /<a href="([^"]+)"><bdi>Odd</.exec((await alice.get(path())).text)?.[1] ?? ''
      expect(host.origin + href).toBe(path(encodeURIComponent(client_id)))
      expect((await alice.get(href)).text).toContain('Odd')
      const consent = await alice.follow(
        (await act(alice, encodeURIComponent(client_id), { action: 'try' })).location ?? '',
      )
      const decided = { _csrf: inputValue(consent, '_csrf'), decision: 'deny' }
      const { location = '' } = await alice.post(consent.url, decided)
      expect((await alice.get(location)).text).toContain('You said no')
      await host.oauth.clients.delete(client_id)
    }
  })

  test('oauth.clients.list({ ownerId }) finds those of one user, and never everybody’s', async () => {
    const { id } = await register(alice)
    await register(bob)
    expect((await host.oauth.clients.list({ ownerId: 'alice' })).map(({ client_id }) => client_id)).toEqual([
      id,
    ])
    expect(await host.oauth.clients.list({ ownerId: 'carol' })).toEqual([])
    for (const filter of [{ ownerId: undefined }, { ownerId: '' }, { owner: 'alice' }, null])
      await expect(host.oauth.clients.list(filter as never)).rejects.toThrow(/clients\.list\(filter\)/)
  })

  test('and not those of the option clients, which cannot be deleted with an account', async () => {
    const fixed = { client_id: 'fixed', owner_id: 'alice', redirect_uris: [CALLBACK] }
    const own = await startHost({ provider: { clients: [fixed] } })
    expect(await own.oauth.clients.list()).toHaveLength(1)
    expect(await own.oauth.clients.list({ ownerId: 'alice' })).toEqual([])
    await own.close()
  })
})

describe('changing', () => {
  test('saves what was typed and comes back; what the host verified has to be verified again', async () => {
    const { id } = await register(alice)
    await host.oauth.clients.update(id, { verified: true })
    expect((await alice.get(path(id))).text).toContain('has verified this application as it is')
    host.events.length = 0
    const form = {
      client_name: 'Better',
      redirect_uris: `${CALLBACK}\nhttps://mine.example/cb2`,
      scope: ['write'],
    }
    const page = await act(alice, id, {
      ...form,
      tos_uri: '',
      action: 'save',
      type: 'public',
      owner_id: 'bob',
    })
    expect(page.status).toBe(303)
    expect(page.location).toBe(path(id))
    expect(await host.oauth.clients.get(id)).toEqual({
      ...{ client_id: id, client_name: 'Better', redirect_uris: [CALLBACK, 'https://mine.example/cb2'] },
      ...{ scope: 'write', owner_id: 'alice', source: 'user', verified: false, application_type: 'web' },
      ...{ grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] },
      ...{
        skip_consent: false,
        require_pkce: true,
        disabled: false,
        client_id_issued_at: expect.any(Number),
      },
    })
    expect(changes()).toEqual([{ clientId: id, change: 'updated', by: 'user', userId: 'alice' }])
  })

  test('a form whose token has expired changes nothing, and what was typed is still there', async () => {
    const { id } = await register(alice)
    for (const page of [
      await alice.post(path(id), { ...web, client_name: 'Typed', action: 'save' }),
      await alice.post(path('new'), { ...web, client_name: 'Typed' }),
    ]) {
      expect(page.status).toBe(403)
      expect(page.text).toContain('This page had expired. Nothing was changed; please try again.')
      expect(page.text).toContain('value="Typed"')
    }
    for (const action of ['delete', 'rotate', 'try'])
      expect((await alice.post(path(id), { action, overlap: '0', revision: '1' })).status).toBe(403)
    expect(changes()).toHaveLength(1)
    const stolen = inputValue(await bob.get(path('new')), '_csrf')
    expect((await alice.post(path(id), { _csrf: stolen, action: 'delete' })).status).toBe(403)
    expect((await alice.get(`${path(id)}?action=delete&_csrf=${stolen}`)).status).toBe(200)
    expect(await host.oauth.clients.get(id)).toBeDefined()
  })

  test('an action that there is not does nothing', async () => {
    const { id } = await register(alice)
    for (const action of [undefined, 'nothing', 'constructor', '__proto__', 'toString']) {
      const page = await act(alice, id, { ...web, client_name: 'No', action })
      expect(page.location).toBe(path(id))
    }
    expect(changes()).toHaveLength(1)
  })
})

describe('a new secret', () => {
  test.each([
    ['0', 0],
    ['86400', 86_400],
    ['604800', 7 * 86_400],
    ['2592000', 30 * 86_400],
  ])('with an overlap of %s seconds the old one counts for %i more', async (overlap, seconds) => {
    const { id, secret: old } = await register(alice)
    const page = await act(alice, id, { action: 'rotate', overlap, revision: '1' })
    const fresh = secretOn(page)
    expect(page.status).toBe(200)
    expect(fresh).not.toBe(old)
    expect(await proves(id, fresh)).toBe(true)
    expect(await proves(id, old)).toBe(seconds > 0)
    if (seconds === 0) return
    host.advance(seconds - 1)
    expect(await proves(id, old)).toBe(true)
    host.advance(1)
    expect(await proves(id, old)).toBe(false)
    expect(await proves(id, fresh)).toBe(true)
  })

  test('is made once for one form: again, or twice at once, it changes nothing and shows nothing', async () => {
    const { id, secret: old } = await register(alice)
    const form = { action: 'rotate', overlap: '86400', revision: '1' }
    const pages = await Promise.all([act(alice, id, form), act(alice, id, form), act(alice, id, form)])
    expect(pages.map(({ status }) => status).sort()).toEqual([200, 409, 409])
    const [fresh, ...others] = pages.map(secretOn).filter(Boolean)
    expect(others).toEqual([])
    expect(await proves(id, old)).toBe(true)
    expect(await proves(id, fresh)).toBe(true)
    const again = await act(alice, id, form)
    expect(again.status).toBe(409)
    expect(secretOn(again)).toBeUndefined()
    expect(changes().map(({ change }) => change)).toEqual(['created', 'secret_rotated'])
    expect((await alice.get(path(id))).text).toContain('The previous secret works until')
  })

  test.each([undefined, '', '-1', '1', '99999999', '86400.5', 'NaN'])(
    'an overlap of %s is none',
    async (overlap) => {
      const { id, secret } = await register(alice)
      const page = await act(alice, id, { action: 'rotate', overlap, revision: '1' })
      expect(page.status).toBe(400)
      expect(await proves(id, secret)).toBe(true)
    },
  )
})

describe('deleting', () => {
  test('is asked first, then ends the application and what was granted to it', async () => {
    const { id, secret } = await register(alice)
    const { access_token: token } = await connect(alice, id, secret)
    const page = await alice.get(`${path(id)}?confirm=delete`)
    expect(page.text).toContain('Delete <bdi>Mine</bdi>?')
    expect(await host.oauth.clients.get(id)).toBeDefined()
    const gone = await alice.post(path(id), { _csrf: inputValue(page, '_csrf'), action: 'delete' })
    expect(gone.location).toBe(path())
    expect(await host.oauth.clients.get(id)).toBeUndefined()
    expect(await proves(id, secret)).toBe(false)
    expect((await callApi(host, '/api/read', token)).status).toBe(401)
    expect(changes().at(-1)).toEqual({ clientId: id, change: 'deleted', by: 'user', userId: 'alice' })
    expect((await alice.get(path(id))).status).toBe(404)
  })
})

describe('trying', () => {
  async function begin(id: string): Promise<Page> {
    const page = await act(alice, id, { action: 'try' })
    expect(page.status).toBe(303)
    return alice.follow(page.location ?? '')
  }
  const decide = (page: Page, decision: string) =>
    alice.post(page.url, { _csrf: inputValue(page, '_csrf'), decision, scope: 'write' })

  test('is a real request with a real code, which is shown once and opens nothing', async () => {
    const { id, secret } = await register(alice)
    const consent = await begin(id)
    expect(consent.url).toMatch(/\/oauth\/consent\/[\w-]+$/)
    expect(consent.text).toContain('Mine')
    expect(consent.text).toContain('Change your things')
    const back = await decide(consent, 'approve')
    const url = new URL(back.location ?? '')
    expect(url.href).toMatch(`${path(id)}?code=`)
    const code = url.searchParams.get('code') ?? ''
    const page = await alice.get(url.href)
    expect(page.text).toContain('It works')
    for (const shown of [
      CALLBACK,
      code,
      url.searchParams.get('state') ?? '',
      host.issuer,
      'Read your things',
    ])
      expect(page.text).toContain(shown)
    expect((await alice.get(url.href)).location).toBe(path(id))
    for (const verifier of [VERIFIER, code]) {
      const response = await fetch(`${host.issuer}/token`, {
        method: 'POST',
        headers: { authorization: basic(id, secret ?? '') },
        body: new URLSearchParams({
          ...{ grant_type: 'authorization_code', code, redirect_uri: path(id), code_verifier: verifier },
        }),
      })
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ error: 'invalid_grant' })
    }
    expect(host.events.filter(({ name }) => name === 'token.issued')).toEqual([])
  })

  test('shows the page each time, also where it was approved before', async () => {
    const { id } = await register(alice)
    await decide(await begin(id), 'approve')
    const consent = await begin(id)
    expect(consent.text).toContain('You already allow it to')
    const denied = await decide(consent, 'deny')
    expect(new URL(denied.location ?? '').searchParams.get('error')).toBe('access_denied')
    const page = await alice.get(denied.location ?? '')
    expect(page.text).toContain('You said no')
    expect(page.text).toContain('access_denied')
    expect((await alice.get(denied.location ?? '')).location).toBe(path(id))
  })

  test('its address is no redirect URI: no request from outside can name it', async () => {
    const { id } = await register(alice)
    const query = new URLSearchParams({
      ...{ response_type: 'code', client_id: id, redirect_uri: path(id), scope: 'read', state: 's' },
      ...{ code_challenge: CHALLENGE, code_challenge_method: 'S256' },
    })
    const page = await alice.get(`${host.issuer}/authorize?${query}`)
    expect(page.status).toBe(400)
    expect(page.location).toBeUndefined()
    expect(page.text).toContain('redirect_uri')
  })

  test('what did not come of a trial is not shown: codes and words of others', async () => {
    const { id, secret } = await register(alice)
    const { code } = await askForCode(alice, id)
    const strange = [
      `code=${code}&state=s`,
      ...[
        'code=x',
        'code=%00',
        'error=PAY+ME&error_description=PAY+ME&state=PAY+ME',
        'error=access_denied&state=PAY+ME',
        `error=access_denied&iss=${encodeURIComponent(host.issuer)}`,
        `error=access_denied&iss=${encodeURIComponent(host.issuer)}&state=${'A'.repeat(64)}`,
      ],
    ]
    for (const query of strange) {
      const page = await alice.get(`${path(id)}?${query}`)
      expect(page.status).toBe(303)
      expect(page.location).toBe(path(id))
    }
    expect((await redeemAs(id, secret, code)).status).toBe(200)
    const consent = await begin(id)
    const back = await decide(consent, 'approve')
    const other = await register(alice)
    const elsewhere = (back.location ?? '').replace(id, other.id)
    expect((await alice.get(elsewhere)).location).toBe(path(other.id))
    const state = new URL(back.location ?? '').searchParams.get('state') ?? ''
    expect((await alice.get(`${host.issuer}/consent/${state}`)).status).toBe(403)
    expect((await alice.get(back.location ?? '')).text).toContain('It works')
  })

  test('a device goes its own way, to the page for its users', async () => {
    const { id } = await register(alice, { type: 'device', redirect_uris: '' })
    const page = await begin(id)
    expect(page.url).toMatch(/\/oauth\/device\/[A-Z]{4}-[A-Z]{4}$/)
    expect(page.text).toContain('Mine')
  })

  test('an application that is blocked is shown as such, and cannot be tried', async () => {
    const { id } = await register(alice)
    await host.oauth.clients.update(id, { disabled: true })
    const page = await act(alice, id, { action: 'try' })
    expect(page.status).toBe(400)
    expect(page.text).toContain('This application has been blocked. Nobody can connect it.')
    expect(page.text).not.toContain('value="try"')
    await act(alice, id, { ...web, action: 'save', disabled: 'false' })
    expect((await host.oauth.clients.get(id))?.disabled).toBe(true)
    expect((await alice.get(path())).text).toContain('Blocked')
  })
})

async function askForCode(agent: Agent, id: string): Promise<{ code: string }> {
  const query = new URLSearchParams({
    ...{ response_type: 'code', client_id: id, redirect_uri: CALLBACK, scope: 'read', state: 's' },
    ...{ code_challenge: CHALLENGE, code_challenge_method: 'S256' },
  })
  const page = await agent.follow(`${host.issuer}/authorize?${query}`)
  const answer = page.text.includes('name="decision"')
    ? await agent.post(page.url, { _csrf: inputValue(page, '_csrf'), decision: 'approve' })
    : page
  return { code: destination(answer).searchParams.get('code') ?? '' }
}

async function redeemAs(id: string, secret: string | undefined, code: string) {
  return fetch(`${host.issuer}/token`, {
    method: 'POST',
    headers: { authorization: basic(id, secret ?? '') },
    body: new URLSearchParams({
      ...{ grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: VERIFIER },
    }),
  })
}

/** What an application gets whose user approves. */
async function connect(
  agent: Agent,
  id: string,
  secret: string | undefined,
): Promise<{ access_token: string }> {
  const { code } = await askForCode(agent, id)
  return (await redeemAs(id, secret, code)).json() as Promise<{ access_token: string }>
}
