import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import cors from 'cors'
import helmet from 'helmet'
import type { OAuthProviderOptions, PageLocals } from '../lib/index.js'
import { Agent, type Form, type Page } from './support/agent.js'
import { expectErrorPage, expectErrorRedirect } from './support/answers.js'
import { clients } from './support/clients.js'
import { authorizeUrl, decide, destination, redeem, signedIn, toConsent } from './support/flow.js'
import { type FormPost, isFormPost, readFormPost } from './support/form-post.js'
import { type Host, startHost, type User } from './support/host.js'

const POSTED = { response_mode: 'form_post' }
const RP = 'https://rp.example/cb'
const ODD = "https://rp.example/a;b='c'&d?x=1&y=%22"

let host: Host
beforeAll(async () => {
  host = await startHost({
    provider: {
      clients: [
        ...clients,
        { client_id: 'later', redirect_uris: [RP], grant_types: ['refresh_token'] },
        { client_id: 'odd', redirect_uris: [ODD] },
      ],
    },
  })
})
afterAll(() => host.close())

/** Whatever the page says, it is sent like this. */
function expectPosting(page: Page, { redirectUri = RP, at = host } = {}): FormPost {
  expect({ status: page.status, location: page.location }).toEqual({ status: 200, location: undefined })
  const form = readFormPost(page)
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(page.headers.get('cache-control')).toBe('no-store')
  expect(page.headers.get('pragma')).toBe('no-cache')
  expect(page.headers.get('x-content-type-options')).toBe('nosniff')
  expect(page.headers.get('x-frame-options')).toBe('DENY')
  // With none of it, browsers would post with Origin: null.
  expect(page.headers.get('referrer-policy')).toBe('origin')
  expect(page.headers.get('access-control-allow-origin')).toBeNull()
  expect(page.headers.get('content-security-policy')?.split('; ').sort()).toEqual([
    "base-uri 'none'",
    "default-src 'none'",
    "font-src 'self'",
    "frame-ancestors 'none'",
    "img-src 'self' data:",
    `script-src 'nonce-${form.nonce}'`,
    `style-src 'self' 'nonce-${form.nonce}'`,
  ])
  expect(page.text).not.toMatch(/http-equiv="?refresh|<iframe|<object|<embed/i)
  // No value ends its attribute: every tag is one of ours, and none has a handler.
  for (const [tag] of page.text.matchAll(/<[a-z][^>]*>/gi))
    expect(tag.replace(/="[^"]*"/g, '')).toMatch(/^<[a-z0-9]+(?: (?!on)[a-z-]+)*>$/)
  expect(page.text).toMatch(/<button type="submit"[^>]*>Continue<\/button>/)
  expect(form.action).toBe(redirectUri)
  expect(form.members.getAll('iss')).toEqual([at.issuer])
  for (const name of new Set(form.members.keys())) expect(form.members.getAll(name)).toHaveLength(1)
  return form
}

async function approved(params: Form = {}, client = 'conf', agent?: Agent): Promise<Page> {
  const start = await toConsent(host, { client, params: { ...POSTED, ...params }, ...(agent && { agent }) })
  return start.page.text.includes('name="decision"') ? decide(start.agent, start.page, 'approve') : start.page
}

describe('a code', () => {
  test('comes with state and iss, each once, and is good', async () => {
    const { members } = expectPosting(await approved({ prompt: 'consent' }))
    expect([...members.keys()].sort()).toEqual(['code', 'iss', 'state'])
    expect(members.get('state')).toBe('the-state')
    expect((await redeem(host, members.get('code') ?? '')).status).toBe(200)
  })

  test('without state comes without state', async () => {
    for (const state of [undefined, '']) {
      const { members } = expectPosting(await approved({ state }))
      expect([...members.keys()].sort()).toEqual(['code', 'iss'])
    }
  })

  test('comes at once where the user has agreed before, from /authorize and from the login', async () => {
    const agent = await signedIn(host, 'alice')
    await approved({}, 'conf', agent)
    const atOnce = await agent.get(authorizeUrl(host, { params: POSTED }))
    expect(atOnce.url).toContain('/oauth/authorize?')
    expectPosting(atOnce)

    const fresh = new Agent(host)
    const toLogin = await fresh.get(authorizeUrl(host, { params: POSTED }))
    const returnTo = new URL(toLogin.location ?? '').searchParams.get('return_to') ?? ''
    const afterLogin = await fresh.login('alice', returnTo)
    expect(afterLogin.url).toContain('/oauth/consent/')
    const { members } = expectPosting(afterLogin)
    expect((await redeem(host, members.get('code') ?? '')).status).toBe(200)
  })

  test('comes for the host’s own application, which nobody is asked about', async () => {
    expectPosting(await approved({}, 'first'), { redirectUri: 'https://first.example/cb' })
  })

  test.each(['http://127.0.0.1:51004/cb', 'http://[::1]:9/cb', 'http://localhost:51004/cb'])(
    'goes to a program on this computer: %s',
    async (redirectUri) => {
      const page = await approved({ redirect_uri: redirectUri }, 'nat')
      const { members } = expectPosting(page, { redirectUri })
      const form = { redirect_uri: redirectUri }
      expect((await redeem(host, members.get('code') ?? '', { client: 'nat', form })).status).toBe(200)
    },
  )

  test('goes to exactly the registered redirect URI, whatever stands in it', async () => {
    const redirectUri = ODD
    const page = await approved({ redirect_uri: redirectUri }, 'odd')
    expectPosting(page, { redirectUri })
    expect(page.text).toContain('action="https://rp.example/a;b=&#39;c&#39;&amp;d?x=1&amp;y=%22"')
    expectPosting(await approved({ redirect_uri: 'https://rp.example/cb2?x=1' }, 'multi'), {
      redirectUri: 'https://rp.example/cb2?x=1',
    })
  })

  test('AUTHZ-02 comes after POST /authorize, too', async () => {
    const agent = await signedIn(host, 'alice')
    await approved({}, 'conf', agent)
    const body = new URL(authorizeUrl(host, { params: POSTED })).searchParams
    const bounced = await agent.request(`${host.issuer}/authorize`, { method: 'POST', body })
    expect(bounced.status).toBe(303)
    expectPosting(await agent.get(bounced.location ?? ''))
  })

  test('UI-07 a second click, a reload and the back button get the same answer, until it is redeemed', async () => {
    const { agent, page } = await toConsent(host, { params: { ...POSTED, prompt: 'consent' } })
    const first = await decide(agent, page, 'approve')
    const second = await decide(agent, page, 'approve')
    const denied = await decide(agent, page, 'deny')
    const reloaded = await agent.get(page.url)
    const [code] = expectPosting(first).members.getAll('code')
    for (const again of [second, denied, reloaded])
      expect(expectPosting(again).members.toString()).toBe(readFormPost(first).members.toString())
    expect((await redeem(host, code ?? '')).status).toBe(200)
    expectErrorPage(await decide(agent, page, 'approve'))
  })

  test('the script has another nonce on every page', async () => {
    const agent = await signedIn(host, 'alice')
    const pages = await Promise.all([approved({}, 'conf', agent), approved({}, 'conf', agent)])
    expect(new Set(pages.map((page) => readFormPost(page).nonce)).size).toBe(2)
  })
})

describe('every error of the query mode comes as a form', () => {
  const acr = JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:x' } } })
  test.each<[string, Form, string?]>([
    ['unsupported_response_type', { response_type: 'token' }],
    ['invalid_request', { response_type: undefined }],
    ['invalid_request', { code_challenge: undefined, code_challenge_method: undefined }],
    ['invalid_request', { code_challenge_method: 'plain' }],
    ['invalid_request', { prompt: 'none login' }],
    ['invalid_request', { max_age: '-1' }],
    ['invalid_request', { nonce: ['a', 'b'] }],
    ['invalid_request', { claims: '{' }],
    ['invalid_request', { id_token_hint: 'x' }],
    ['invalid_scope', { scope: 'nope' }],
    ['invalid_target', { resource: 'https://other.example' }],
    ['invalid_request_object', { request: 'x' }],
    ['request_uri_not_supported', { request_uri: 'https://rp.example/x' }],
    ['registration_not_supported', { registration: '{}' }],
    ['consent_required', { prompt: 'none', scope: 'write' }],
    ['unauthorized_client', {}, 'later'],
  ])('%s for %j', async (error, params, client = 'pub') => {
    const redirectUri = client === 'pub' ? 'https://spa.example/cb' : RP
    const agent = await signedIn(host, 'alice')
    const ask = (more: Form) => agent.get(authorizeUrl(host, { client, params: { ...params, ...more } }))
    const byQuery = expectErrorRedirect(host, await ask({}), error, { redirectUri })
    const page = await ask(POSTED)
    const { members } = expectPosting(page, { redirectUri })
    expect(Object.fromEntries(members)).toEqual(Object.fromEntries(byQuery))
  })

  test('invalid_request where state is the duplicate: without state', async () => {
    const agent = await signedIn(host, 'alice')
    const page = await agent.get(authorizeUrl(host, { params: { ...POSTED, state: ['a', 'b'] } }))
    const { members } = expectPosting(page)
    expect([...members.keys()].sort()).toEqual(['error', 'error_description', 'iss'])
  })

  test('login_required for prompt=none where nobody is signed in', async () => {
    const page = await new Agent(host).get(authorizeUrl(host, { params: { ...POSTED, prompt: 'none' } }))
    expect(expectPosting(page).members.get('error')).toBe('login_required')
  })

  test('AUTHZ-16 access_denied where the user says no', async () => {
    const { agent, page } = await toConsent(host, { params: { ...POSTED, prompt: 'consent' } })
    const denied = expectPosting(await decide(agent, page, 'deny')).members
    expect(Object.fromEntries(denied)).toMatchObject({ error: 'access_denied', state: 'the-state' })
    expect(denied.has('code')).toBe(false)
    expect(expectPosting(await decide(agent, page, 'approve')).members.get('error')).toBe('access_denied')
  })

  test('unmet_authentication_requirements after a login that was not enough', async () => {
    const agent = await signedIn(host, 'alice')
    const toLogin = await agent.get(authorizeUrl(host, { params: { ...POSTED, claims: acr } }))
    const returnTo = new URL(toLogin.location ?? '').searchParams.get('return_to') ?? ''
    const { members } = expectPosting(await agent.login('alice', returnTo))
    expect(members.get('error')).toBe('unmet_authentication_requirements')
  })

  test('STOR-01 server_error where the host fails, with nothing of the cause', async () => {
    const other = await startHost({
      provider: {
        currentUser: () => {
          throw new Error('/var/lib/users.db is locked')
        },
      },
    })
    const page = await new Agent(other).get(authorizeUrl(other, { params: POSTED }))
    const { members } = expectPosting(page, { at: other })
    expect(members.get('error')).toBe('server_error')
    expect(page.text).not.toContain('users.db')
    await other.close()
  })
})

describe('AUTHZ-04 AUTHZ-05 what must not be redirected is not posted either', () => {
  test.each<[string, Form]>([
    ['an unknown client', { client_id: 'nobody' }],
    ['a disabled client', { client_id: 'off' }],
    ['no client', { client_id: undefined }],
    ['an unregistered redirect URI', { redirect_uri: 'https://evil.example/cb' }],
    ['an unregistered redirect URI, and much else', { redirect_uri: 'https://evil.example', scope: '"' }],
    ['no redirect URI with openid', { redirect_uri: undefined, scope: 'openid' }],
  ])('%s is a PAGE', async (_, params) => {
    for (const agent of [new Agent(host), await signedIn(host, 'alice')])
      for (const prompt of [undefined, 'none'])
        expectErrorPage(await agent.get(authorizeUrl(host, { params: { ...POSTED, prompt, ...params } })))
  })
})

describe('a response mode that is not there is refused by query', () => {
  test.each([
    'fragment',
    'FORM_POST',
    'form_post ',
    'query form_post',
    'web_message',
    'form_post.jwt',
    'constructor',
  ])('%s', async (response_mode) => {
    const agent = await signedIn(host, 'alice')
    const page = await agent.get(authorizeUrl(host, { params: { response_mode } }))
    const members = expectErrorRedirect(host, page, 'invalid_request')
    expect(members.get('error_description')).toBe('response_mode must be one of: query form_post')
  })

  test('AUTHZ-08 sent twice, equal or not', async () => {
    const agent = await signedIn(host, 'alice')
    for (const response_mode of [
      ['form_post', 'form_post'],
      ['query', 'form_post'],
    ]) {
      const page = await agent.get(authorizeUrl(host, { params: { response_mode } }))
      expectErrorRedirect(host, page, 'invalid_request')
    }
  })

  test('form_post to the scheme of an app, which would be opened without the form', async () => {
    const redirectUri = 'com.example.app:/cb'
    const agent = await signedIn(host, 'alice')
    const params = { ...POSTED, redirect_uri: redirectUri }
    const page = await agent.get(authorizeUrl(host, { client: 'nat', params }))
    const members = expectErrorRedirect(host, page, 'invalid_request', { redirectUri })
    expect(members.get('error_description')).toBe('response_mode must be one of: query')
  })

  test('an empty one is none, and query is what it is by default', async () => {
    for (const response_mode of ['', 'query', undefined]) {
      const page = await approved({ response_mode, prompt: 'consent' })
      expect(destination(page).searchParams.get('code')).toMatch(/./)
      expect(isFormPost(page)).toBe(false)
    }
  })
})

describe('INJ-01 INJ-02 INJ-04 what comes from elsewhere is text', () => {
  const maths = ['$', '{1337*1337} {{1337*1337}} <%=1337*1337%> #{1337*1337}'].join('')
  test.each([
    ['markup', `"><svg onload=alert(1)>`],
    ['the end of the script', '</script><script>alert(1)</script>'],
    ['the end of the form', `'></form><form action="https://evil.example"><input name=code value='`],
    ['a comment', '<!-- --!>'],
    ['templates', maths],
    ['entities', '&quot;&#34;&amp;&lt;b&gt;&notit;'],
    ['spaces and percent signs', ' a b+c%26d=%22 '],
    ['all of Unicode', 'é\u202e\u{1f600}\u00a0ẞ'],
    ['a line break of the web', 'a\r\nSet-Cookie: x=1'],
    ['2000 characters', 'x&'.repeat(1000)],
  ])('state: %s comes back as it was', async (_, state) => {
    const page = await approved({ state })
    const { members } = expectPosting(page)
    expect(members.get('state')).toBe(state)
    expect(page.text).not.toMatch(/<svg|alert\(1\)<\/script>/i)
    expect(page.text).not.toContain('1787569')
    expect(page.headers.get('set-cookie') ?? '').not.toContain('x=1')
  })

  test('the name of the client', async () => {
    const evil = `Shop "><svg onload=alert(1)> ${maths} </script>`
    await host.oauth.clients.create({
      client_id: 'evil',
      client_secret: 'evil-secret',
      client_name: evil,
      redirect_uris: [RP],
    })
    const page = await approved({}, 'evil')
    expectPosting(page)
    expect(page.text).not.toMatch(/<svg/i)
    expect(page.text).not.toContain('1787569')
    expect(page.text).toContain('&lt;svg onload=alert(1)&gt;')
  })
})

describe('HDR-02 HDR-04 the headers are the same on a host with headers of its own', () => {
  test('helmet() and a cors() that reflects', async () => {
    const other = await startHost({
      beforeSession: (app) => app.use(helmet(), cors({ origin: true, credentials: true })),
    })
    const { agent, page } = await toConsent(other, { params: POSTED })
    const answer = await decide(agent, page, 'approve', {})
    expectPosting(answer, { at: other })
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
    expect(answer.headers.get('cross-origin-opener-policy')).toBe('unsafe-none')
    const refused = await agent.get(authorizeUrl(other, { params: { ...POSTED, scope: 'x' } }), {
      origin: 'https://rp.example',
    })
    expectPosting(refused, { at: other })
    await other.close()
  })
})

describe('pages of the host’s own', () => {
  async function startWith(provider: Partial<OAuthProviderOptions<User>>) {
    const other = await startHost({ provider })
    return {
      other,
      page: await new Agent(other).get(authorizeUrl(other, { params: { ...POSTED, prompt: 'none' } })),
    }
  }

  test('render gets the name form-post and its locals, and its HTML is sent with our headers', async () => {
    const rendered: [string, PageLocals][] = []
    const { other, page } = await startWith({
      render: (name, locals) => {
        rendered.push([name, locals])
        return '<p>mine</p>'
      },
    })
    expect(page.text).toBe('<p>mine</p>')
    expect(page.headers.get('referrer-policy')).toBe('origin')
    expect(page.headers.get('content-security-policy')).toContain(
      `script-src 'nonce-${rendered[0]?.[1].nonce}'`,
    )
    expect(rendered).toEqual([
      [
        'form-post',
        {
          title: 'Back to Confidential',
          nonce: expect.stringMatching(/^[\w+/]{22}==$/),
          mount: '/oauth',
          appName: new URL(other.origin).host,
          ...{ lang: 'en', dir: 'ltr' },
          ...{ t: expect.any(Function), th: expect.any(Function), day: expect.any(Function) },
          action: RP,
          parameters: [
            { name: 'error', value: 'login_required' },
            { name: 'error_description', value: expect.any(String) },
            { name: 'state', value: 'the-state' },
            { name: 'iss', value: other.issuer },
          ],
          client: { name: 'Confidential' },
          destination: { kind: 'web', host: 'rp.example' },
        },
      ],
    ])
    await other.close()
  })

  test('templates may override form-post.ejs alone', async () => {
    const templates = mkdtempSync(path.join(tmpdir(), 'oauth-form-post-'))
    writeFileSync(path.join(templates, 'form-post.ejs'), '<p>MINE <%= action %></p>')
    const { other, page } = await startWith({ templates })
    expect(page.text).toContain(`<p>MINE ${RP}</p>`)
    expect(page.text).toContain('<main>')
    await other.close()
  })

  test('no other page has a script, or may run one', async () => {
    const { page } = await toConsent(host, { params: { ...POSTED, prompt: 'consent' } })
    expect(page.text).not.toContain('<script')
    expect(page.headers.get('content-security-policy')).not.toContain('script-src')
    expect(page.headers.get('referrer-policy')).toBe('no-referrer')
  })
})
