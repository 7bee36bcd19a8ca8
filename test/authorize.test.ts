import SQLite from 'better-sqlite3'
import express from 'express'
import { Agent, type Form, type Page } from './support/agent.js'
import { expectCode, expectErrorPage, expectErrorRedirect, expectPageHeaders } from './support/answers.js'
import { clients } from './support/clients.js'
import {
  authorizeUrl,
  CHALLENGE,
  decide,
  destination,
  getTokens,
  redeem,
  signedIn,
  toConsent,
} from './support/flow.js'
import { type Host, startHost } from './support/host.js'

const db = new SQLite(':memory:')
let host: Host
let alice: Agent
beforeAll(async () => {
  host = await startHost({
    provider: {
      store: db,
      clients: [
        ...clients,
        {
          client_id: 'codeless',
          client_secret: 'codeless-secret',
          redirect_uris: ['https://rp.example/cb'],
          grant_types: ['refresh_token'],
        },
      ],
    },
  })
  alice = await signedIn(host, 'alice')
})
afterAll(async () => {
  await host.close()
  db.close()
})

function ask(params: Form, client = 'conf'): Promise<Page> {
  return alice.get(authorizeUrl(host, { client, params }))
}

/** Follows the request to the consent page and approves there. */
async function approve(params: Form, client = 'conf'): Promise<Page> {
  const { agent, page } = await toConsent(host, {
    agent: alice,
    client,
    params: { prompt: 'consent', ...params },
  })
  return decide(agent, page, 'approve')
}

function rows(kind: string): number {
  return db.prepare('SELECT count(*) FROM oauth_records WHERE kind = ?').pluck().get(kind) as number
}

describe('who asks comes first', () => {
  test.each([
    ['missing', undefined],
    ['empty', ''],
    ['unknown', 'nobody'],
    ['disabled', 'off'],
    ['in the wrong case', 'CONF'],
    ['with a space behind', 'conf '],
    ['with a NUL behind', 'conf\0'],
    ['a name of Object.prototype', '__proto__'],
    ['another name of Object.prototype', 'constructor'],
    ['in full-width letters', 'ｃｏｎｆ'],
    ['SQL', "' OR '1'='1"],
    ['very long', 'c'.repeat(5000)],
  ])('AUTHZ-04 a client_id that is %s gets a page, never a redirect', async (_, client_id) => {
    for (const more of [{}, { prompt: 'none' }, { response_mode: 'form_post' }, { response_type: 'token' }])
      expectErrorPage(await ask({ client_id, ...more }))
  })

  test("AUTHZ-05 an unknown client with a bogus response_type and somebody else's address gets a page", async () => {
    const page = await ask({
      client_id: 'unknown',
      response_type: 'bogus',
      redirect_uri: 'https://evil.example',
    })
    expectErrorPage(page)
    expect(page.text).toContain('not registered')
  })

  test.each<[string, Form]>([
    ['nothing', {}],
    ['a bad scope', { scope: 'nope' }],
    ['a bad response_type', { response_type: 'token' }],
    ['no PKCE', { code_challenge: undefined, code_challenge_method: undefined }],
    ['a bad prompt', { prompt: 'foo' }],
    ['state twice', { state: ['a', 'b'] }],
    ['prompt=none', { prompt: 'none' }],
    ['an unsupported parameter', { request_uri: 'https://x.example' }],
    ['an unknown resource', { resource: 'https://other.example' }],
  ])('AUTHZ-05 an unregistered redirect_uri and %s else wrong gets a page', async (_, params) => {
    for (const user of [alice, new Agent(host)])
      expectErrorPage(
        await user.get(
          authorizeUrl(host, { params: { ...params, redirect_uri: 'https://evil.example/cb' } }),
        ),
      )
  })

  test.each(['client_id', 'redirect_uri'])(
    'AUTHZ-08 %s sent twice, equal or not, gets a page',
    async (name) => {
      const value = name === 'client_id' ? 'conf' : 'https://rp.example/cb'
      const other = name === 'client_id' ? 'conf2' : 'https://rp2.example/cb'
      for (const values of [
        [value, value],
        [value, other],
        [other, value],
        [value, ''],
      ]) {
        const page = await ask({ [name]: values })
        expectErrorPage(page)
        expect(page.text).toContain(`${name} was sent more than once`)
      }
    },
  )

  test('HDR-02 a request without any parameter gets a page with all its headers', async () => {
    for (const url of [`${host.issuer}/authorize`, `${host.issuer}/authorize?`])
      expectErrorPage(await new Agent(host).get(url))
  })

  test('HDR-04 neither pages nor redirects can be read by another origin', async () => {
    for (const origin of ['https://evil.example', 'null', host.origin]) {
      for (const url of [
        `${host.issuer}/authorize`,
        authorizeUrl(host),
        authorizeUrl(host, { params: { prompt: 'none' } }),
      ]) {
        const page = await alice.get(url, { origin })
        expect(page.headers.get('access-control-allow-origin')).toBeNull()
        expect(page.headers.get('access-control-allow-credentials')).toBeNull()
      }
    }
  })

  test('HDR-05 other methods are 405 and say which are allowed', async () => {
    for (const method of ['PUT', 'DELETE', 'PATCH']) {
      const page = await alice.request(authorizeUrl(host), { method })
      expectErrorPage(page, { status: 405 })
      expect(page.headers.get('allow')).toBe('GET, HEAD, POST')
    }
  })

  test.each([
    ['client_id[]', 'client_id%5B%5D=conf'],
    ['client_id[a]', 'client_id%5Ba%5D=conf'],
    ['redirect_uri[]', 'client_id=multi&redirect_uri%5B%5D=https://rp.example/cb1'],
    ['client_id[__proto__]', 'client_id%5B__proto__%5D=conf'],
  ])('ROB-01 %s is not the parameter that it looks like', async (_, query) => {
    expectErrorPage(await alice.get(`${host.issuer}/authorize?response_type=code&${query}`))
    expect(({} as { conf?: unknown }).conf).toBeUndefined()
  })

  test('ROB-02 more parameters than any request has are refused at once', async () => {
    const query = Array.from({ length: 1000 }, (_, index) => `p${index}=`).join('&')
    expectErrorPage(await alice.get(`${host.issuer}/authorize?${query}`))
  })
})

describe('what goes back to the client', () => {
  test.each([
    'token',
    'id_token',
    'code token',
    'code id_token',
    'none',
    'foo',
    'CODE',
    'code ',
    'code code',
  ])('AUTHZ-07 response_type=%s is unsupported_response_type', async (response_type) => {
    expectErrorRedirect(host, await ask({ response_type }), 'unsupported_response_type')
  })

  test('AUTHZ-06 response_type missing or empty is invalid_request', async () => {
    for (const response_type of [undefined, ''])
      expectErrorRedirect(host, await ask({ response_type }), 'invalid_request')
  })

  test('a response_mode that is not there is refused, not ignored', async () => {
    for (const response_mode of ['fragment', 'web_message', 'query.jwt', 'FORM_POST', 'foo'])
      expectErrorRedirect(host, await ask({ response_mode }), 'invalid_request')
    expectCode(host, await approve({ response_mode: 'query' }))
  })

  test.each<[string, [string, string]]>([
    ['response_type', ['code', 'token']],
    ['response_mode', ['query', 'fragment']],
    ['scope', ['read', 'write']],
    ['nonce', ['n', 'm']],
    ['prompt', ['consent', 'login']],
    ['code_challenge', [CHALLENGE, 'x']],
    ['code_challenge_method', ['S256', 'plain']],
    ['max_age', ['1', '2']],
    ['claims', ['{}', '{"userinfo":{}}']],
    ['id_token_hint', ['a', 'b']],
    ['login_hint', ['alice', 'bob']],
    ['acr_values', ['1', '2']],
    ['ui_locales', ['en', 'de']],
    ['display', ['page', 'popup']],
    ['request', ['a', 'b']],
    ['request_uri', ['https://a.example', 'https://b.example']],
    ['registration', ['{}', '[]']],
  ])(
    'AUTHZ-08 %s sent twice is invalid_request, equal or not, also where one is empty',
    async (name, [a, b]) => {
      for (const values of [
        [a, a],
        [a, b],
        [a, ''],
        ['', a],
      ]) {
        expectErrorRedirect(host, await ask({ [name]: values }), 'invalid_request')
      }
    },
  )

  test('AUTHZ-08 state sent twice is invalid_request without a state', async () => {
    for (const values of [
      ['a', 'a'],
      ['a', 'b'],
      ['', 'b'],
    ])
      expectErrorRedirect(host, await ask({ state: values }), 'invalid_request', { state: null })
  })

  test('AUTHZ-08 resource may repeat', async () => {
    expectCode(host, await approve({ resource: [`${host.origin}/api`, `${host.origin}/photos`] }))
  })

  test('unknown parameters are ignored, also when they repeat', async () => {
    const page = await approve({
      foo: ['1', '2'],
      'x[y]': 'z',
      code: 'mine',
      iss: 'https://evil.example',
      error: 'e',
    })
    expectCode(host, page)
  })

  test('AUTHZ-10 empty values count as left out: no state comes back', async () => {
    const empty = {
      state: '',
      nonce: '',
      max_age: '',
      login_hint: '',
      resource: '',
      response_mode: '',
      request: '',
    }
    expectCode(host, await approve(empty), { state: null })
    const others = { client: 'multi', params: { ...empty, prompt: '', scope: '' } }
    expect((await alice.follow(authorizeUrl(host, others))).status).toBe(200)
    expectErrorRedirect(host, await ask({ ...empty, scope: 'nope' }), 'invalid_scope', { state: null })
  })

  test.each([
    ['one character', 's'],
    ['500 characters', 's'.repeat(500)],
    ['2000 characters', 'ab+/='.repeat(400)],
    ['markup', 'a b+c&d="<>'],
    ['what looks encoded', '%2526%00%0d%0a'],
    ['spaces around it', '  s  '],
    ['other parameters', 'x&code=attacker&iss=https://evil.example#f'],
    ['line breaks', 'a\r\nSet-Cookie: x=1'],
    ['other alphabets', 'Füße 😀'],
  ])('AUTHZ-11 a state of %s comes back as it was, on success and on error', async (_, state) => {
    expectCode(host, await approve({ state }), { state })
    expectErrorRedirect(host, await ask({ state, scope: 'nope' }), 'invalid_scope', { state })
    const { agent, page } = await toConsent(host, { agent: alice, params: { state, prompt: 'consent' } })
    expectErrorRedirect(host, await decide(agent, page, 'deny'), 'access_denied', { state })
  })

  test('AUTHZ-17 request, request_uri and registration are refused by name', async () => {
    for (const [name, value, error] of [
      ['request', 'eyJhbGciOiJub25lIn0.e30.', 'invalid_request_object'],
      ['request_uri', `${host.origin}/api/any`, 'request_uri_not_supported'],
      ['registration', '{}', 'registration_not_supported'],
    ] as const)
      expectErrorRedirect(host, await ask({ [name]: value }), error)
  })

  test('a client that is not registered for the code grant is unauthorized_client', async () => {
    expectErrorRedirect(host, await ask({}, 'codeless'), 'unauthorized_client')
  })

  test('a resource elsewhere, relative or with a fragment is invalid_target', async () => {
    for (const resource of [
      'https://other.example/api',
      '/api',
      'api',
      `${host.origin}/api#x`,
      'urn:x',
      `${host.origin}.evil.example/`,
    ])
      expectErrorRedirect(host, await ask({ resource }), 'invalid_target')
    expectErrorRedirect(
      host,
      await ask({ resource: [`${host.origin}/api`, 'https://other.example'] }),
      'invalid_target',
    )
  })

  test('an error goes back at once and leaves nothing behind, signed in or not', async () => {
    const before = rows('request')
    const stranger = new Agent(host)
    const page = await stranger.get(authorizeUrl(host, { params: { scope: 'nope' } }))
    expectErrorRedirect(host, page, 'invalid_scope')
    expect(stranger.cookies.size).toBe(0)
    expect(rows('request')).toBe(before)
  })

  test('TOK-08 an error_description holds nothing of the request', async () => {
    const marker = 'zqxj'
    for (const params of [
      { scope: marker },
      { response_type: marker },
      { prompt: marker },
      { response_mode: marker },
      { code_challenge: marker },
      { code_challenge_method: marker },
      { resource: marker },
    ]) {
      const page = await ask({ ...params, state: 'the-state' })
      expect(page.status).toBe(303)
      expect(page.location).not.toContain(marker)
    }
  })
})

describe('PKCE', () => {
  test.each(['pub', 'nat', 'conf', 'multi'])(
    'PKCE-01 PKCE-02 %s without code_challenge is told what to add',
    async (client) => {
      const page = await ask({ code_challenge: undefined, code_challenge_method: undefined }, client)
      const redirectUri = new URL(page.location ?? '').href.split('?')[0] ?? ''
      const members = expectErrorRedirect(host, page, 'invalid_request', { redirectUri })
      expect(members.get('error_description')).toContain('code_challenge')
    },
  )

  test.each<[string, Form]>([
    ['code_challenge_method=plain', { code_challenge_method: 'plain' }],
    ['no method, which would mean plain', { code_challenge_method: undefined }],
    ['a method in the wrong case', { code_challenge_method: 's256' }],
    ['an unknown method', { code_challenge_method: 'S512' }],
    ['a method without a challenge', { code_challenge: undefined }],
    ['a method beside an empty challenge', { code_challenge: '' }],
  ])('%s is invalid_request, also where PKCE may be left out', async (_, params) => {
    for (const client of ['conf', 'nopkce'])
      expectErrorRedirect(host, await ask(params, client), 'invalid_request')
  })

  test.each([
    ['42 characters', CHALLENGE.slice(1)],
    ['44 characters', `${CHALLENGE}A`],
    ['128 characters', 'A'.repeat(128)],
    ['padding', `${CHALLENGE}=`],
    ['padding inside 43', `${CHALLENGE.slice(0, 42)}=`],
    ['a plus', `${CHALLENGE.slice(0, 42)}+`],
    ['a slash', `${CHALLENGE.slice(0, 42)}/`],
    ['a letter beyond ASCII', `${CHALLENGE.slice(0, 42)}é`],
    ['a line break at the end', `${CHALLENGE}\n`],
  ])('PKCE-04 a code_challenge of %s is invalid_request', async (_, code_challenge) => {
    for (const client of ['conf', 'nopkce'])
      expectErrorRedirect(host, await ask({ code_challenge }, client), 'invalid_request')
  })

  test('PKCE-02 a client with require_pkce false gets a code without a challenge, with and without nonce', async () => {
    for (const nonce of [undefined, 'n']) {
      const page = await approve(
        { nonce, code_challenge: undefined, code_challenge_method: undefined },
        'nopkce',
      )
      const tokens = await redeem(host, expectCode(host, page), {
        client: 'nopkce',
        form: { code_verifier: undefined },
      })
      expect(tokens.status).toBe(200)
    }
  })

  test('PKCE-05 where that client does send a challenge, it binds', async () => {
    const code = expectCode(host, await approve({}, 'nopkce'))
    const answer = await redeem(host, code, { client: 'nopkce', form: { code_verifier: undefined } })
    expect(answer.status).toBe(400)
    expect(answer.body.error).toBe('invalid_grant')
  })
})

describe('scope', () => {
  const scopesOf = async (answer: Page): Promise<unknown> => {
    const code = destination(answer).searchParams.get('code') ?? ''
    return (await redeem(host, code)).body.scope
  }

  test('AUTHZ-13 order, repetition and the way that spaces are written do not matter', async () => {
    const url = authorizeUrl(host, { params: { scope: 'SCOPE', prompt: 'consent' } })
    for (const scope of ['read%20write', 'read+write', 'write+read', 'read+read+write', '+read++write+']) {
      const page = await alice.follow(url.replace('SCOPE', scope))
      const granted = String(await scopesOf(await decide(alice, page, 'approve')))
      expect(granted.split(' ').sort()).toEqual(['read', 'write'])
    }
    const [path, query = ''] = url.replace('SCOPE', 'read').split('?')
    const page = await alice.follow(`${path}?${query.split('&').reverse().join('&')}`)
    expect(await scopesOf(await decide(alice, page, 'approve'))).toBe('read')
  })

  test('AUTHZ-13 an encoded plus is part of one unknown scope', async () => {
    expectErrorRedirect(host, await ask({ scope: 'read+write' }), 'invalid_scope')
  })

  test('AUTHZ-14 an unknown scope is dropped, and the token response says so', async () => {
    const { scope } = await getTokens(host, { user: 'bob', params: { scope: 'read nope' } })
    expect(scope).toBe('read')
  })

  test('AUTHZ-14 where nothing known is left, the error names what exists', async () => {
    for (const scope of ['nope', 'READ', 'read\u00a0write', ' ', 'read,write']) {
      const page = await ask({ scope })
      const members = expectErrorRedirect(host, page, 'invalid_scope')
      expect(members.get('error_description')).toMatch(
        scope === 'read\u00a0write' ? /character/ : /\bread\b.*\bwrite\b|\bread\b/,
      )
    }
  })

  test('AUTHZ-14 a known scope that the client may not ask for is never granted, and not named', async () => {
    const { scope } = await getTokens(host, { client: 'reader', params: { scope: 'read write' } })
    expect(scope).toBe('read')
    const page = await ask({ scope: 'write' }, 'reader')
    expect(expectErrorRedirect(host, page, 'invalid_scope').get('error_description')).not.toContain('write')
  })

  test.each(['read "', 'read \\', 'read\twrite', 'read\0', 'read é', 'read\nwrite', 'read \x7f'])(
    'AUTHZ-14 scope=%j is invalid_scope for its character',
    async (scope) => {
      expectErrorRedirect(host, await ask({ scope }), 'invalid_scope')
    },
  )

  test('AUTHZ-14 a request without scope gets the defaults, and the token says them', async () => {
    const marked = await startHost({
      provider: {
        scopes: {
          read: { description: 'Read your things', default: true },
          write: 'Change your things',
          more: { description: 'And more', default: true },
        },
      },
    })
    expect((await getTokens(marked, { params: { scope: undefined } })).scope).toBe('read more')
    expect((await getTokens(marked, { client: 'reader', params: { scope: undefined } })).scope).toBe('read')
    await marked.close()
    expect((await getTokens(host, { client: 'either', params: { scope: undefined } })).scope).toBe(
      'read write',
    )
  })

  test('a scope that means nothing at the resource is not asked of the user', async () => {
    const api = await startHost({
      provider: {
        resources: { 'https://api.example/photos': { scopes: ['read'] }, 'https://api.example/all': {} },
      },
    })
    const resource = 'https://api.example/photos'
    const agent = await signedIn(api, 'alice')
    const page = await agent.follow(authorizeUrl(api, { params: { scope: 'read write', resource } }))
    expect(page.text).toContain('Read your things')
    expect(page.text).not.toContain('Change your things')
    const nothing = await agent.get(authorizeUrl(api, { params: { scope: 'write', resource } }))
    expectErrorRedirect(api, nothing, 'invalid_scope')
    const both = { scope: 'read write', resource: [resource, 'https://api.example/all'] }
    expect((await agent.follow(authorizeUrl(api, { params: both }))).text).toContain('Change your things')
    await api.close()
  })
})

describe('POST /authorize', () => {
  const form = {
    response_type: 'code',
    client_id: 'conf2',
    redirect_uri: 'https://rp2.example/cb',
    scope: 'read',
    state: 'a b+c%26d="<>é',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    resource: ['http://localhost/one', 'http://localhost/two'],
  }

  test('AUTHZ-02 a cross-site post without cookies is sent on by GET with every parameter, and succeeds there', async () => {
    const resource = [`${host.origin}/one`, `${host.origin}/two`]
    const posted = await new Agent(host).post(
      `${host.issuer}/authorize`,
      { ...form, resource },
      { origin: 'https://rp2.example', 'sec-fetch-site': 'cross-site' },
    )
    expect(posted.status).toBe(303)
    const to = new URL(posted.location ?? '')
    expect(`${to.origin}${to.pathname}`).toBe(`${host.issuer}/authorize`)
    expect(to.searchParams.get('state')).toBe(form.state)
    expect(to.searchParams.getAll('resource')).toEqual(resource)
    const page = await alice.follow(to.href)
    expectCode(host, await decide(alice, page, 'approve'), {
      redirectUri: 'https://rp2.example/cb',
      state: form.state,
    })
  })

  test('AUTHZ-02 works behind body parsers of the host, and repeated parameters stay repeated', async () => {
    for (const extended of [true, false]) {
      const parsing = await startHost({
        before: (app) => {
          app.use(express.json())
          app.use(express.urlencoded({ extended }))
        },
      })
      const agent = await signedIn(parsing, 'alice')
      const url = `${parsing.issuer}/authorize`
      const { resource: _, ...good } = form
      const page = await agent.follow((await agent.post(url, good)).location ?? '')
      expectCode(parsing, await decide(agent, page, 'approve'), {
        redirectUri: 'https://rp2.example/cb',
        state: form.state,
      })
      const twice = await agent.post(url, { ...good, scope: ['read', 'write'] })
      expectErrorRedirect(parsing, await agent.get(twice.location ?? ''), 'invalid_request', {
        redirectUri: 'https://rp2.example/cb',
        state: form.state,
      })
      const nested = await agent.post(url, { ...good, client_id: undefined, 'client_id[a]': 'conf2' })
      expectErrorPage(await agent.get(nested.location ?? ''))
      await parsing.close()
    }
  })

  test('ROB-08 only the body counts: what the query says is not looked at', async () => {
    const query = new URLSearchParams({
      client_id: 'conf',
      redirect_uri: 'https://rp.example/cb',
      scope: 'write',
      state: 'of the query',
    })
    const posted = await alice.post(`${host.issuer}/authorize?${query}`, {
      ...form,
      resource: [],
      scope: 'nope',
    })
    expectErrorRedirect(host, await alice.get(posted.location ?? ''), 'invalid_scope', {
      redirectUri: 'https://rp2.example/cb',
      state: form.state,
    })
    const empty = await alice.post(`${host.issuer}/authorize?${query}`, {})
    expectErrorPage(await alice.get(empty.location ?? ''))
  })

  test('a body of another type is a page', async () => {
    for (const [type, body] of [
      ['application/json', JSON.stringify(form)],
      ['text/plain', 'client_id=conf2'],
      ['multipart/form-data; boundary=x', '--x--'],
    ] as const) {
      const page = await alice.request(`${host.issuer}/authorize`, {
        method: 'POST',
        headers: { 'content-type': type },
        body,
      })
      expectErrorPage(page)
    }
  })

  test('a form that is too long to be sent on is a page, not a broken redirect', async () => {
    expectErrorPage(await alice.post(`${host.issuer}/authorize`, { ...form, state: 's'.repeat(9000) }), {
      status: 413,
    })
    expectErrorPage(await alice.post(`${host.issuer}/authorize`, { ...form, state: 's'.repeat(70_000) }), {
      status: 413,
    })
  })
})

describe('what comes out', () => {
  test('AUTHZ-16 Deny is access_denied, and no code is left behind', async () => {
    const before = rows('code')
    const { agent, page } = await toConsent(host, { params: { prompt: 'consent' } })
    expectErrorRedirect(host, await decide(agent, page, 'deny'), 'access_denied')
    expect(rows('code')).toBe(before)
    expect(host.events.filter(({ name }) => name === 'consent.denied').at(-1)?.event).toEqual({
      clientId: 'conf',
      userId: 'alice',
    })
  })

  test('CODE-01 codes are all different and hold nothing that can be read', async () => {
    const silent = { client: 'first', params: {} }
    await alice.get(authorizeUrl(host, silent))
    const codes = new Set<string>()
    for (let count = 0; count < 200; count++) {
      const page = await alice.get(authorizeUrl(host, silent))
      codes.add(expectCode(host, page, { redirectUri: 'https://first.example/cb' }))
    }
    expect(codes.size).toBe(200)
    for (const code of codes) {
      const bytes = Buffer.from(code, 'base64url')
      expect(bytes.length).toBeGreaterThanOrEqual(20)
      expect(bytes.toString('latin1')).not.toMatch(/alice|first/)
    }
  })

  test.each([
    ['"><svg onload=alert(1)>', '&#34;&gt;&lt;svg onload=alert(1)&gt;'],
    ["'-alert(1)-'", '&#39;-alert(1)-&#39;'],
    ['javascript:alert(1)', 'javascript:alert(1)'],
    ['#{7*7}{{7*7}}<%=7*7%>', '#{7*7}{{7*7}}&lt;%=7*7%&gt;'],
  ])('INJ-01 INJ-04 %s in the request is shown as text', async (value, shown) => {
    for (const params of [{ client_id: value }, { redirect_uri: value }]) {
      const page = await ask(params)
      expectErrorPage(page)
      expect(page.text).toContain(`<code dir="ltr">${shown}</code>`)
      expect(page.text.replaceAll(shown, '')).not.toMatch(/svg|alert/)
    }
  })

  test('INJ-08 parameters that other software redirects to lead nowhere', async () => {
    const stray = Object.fromEntries(
      [
        'next',
        'returnTo',
        'return_to',
        'redirect',
        'url',
        'continue',
        'target',
        'RelayState',
        'error_uri',
      ].map((name) => [name, 'https://evil.example/']),
    )
    const agent = new Agent(host)
    const toLogin = await agent.get(authorizeUrl(host, { params: stray }))
    expect(toLogin.location).toMatch(new RegExp(`^${host.origin}/login\\?return_to=/oauth/consent/[\\w-]+$`))
    const page = await alice.follow(authorizeUrl(host, { params: { ...stray, prompt: 'consent' } }))
    expect(page.text).not.toContain('evil.example')
    const answer = await alice.post(`${page.url}?next=https://evil.example/`, {
      ...stray,
      _csrf: page.text.match(/name="_csrf" value="([^"]*)"/)?.[1] ?? '',
      decision: 'deny',
    })
    expectErrorRedirect(host, answer, 'access_denied')
  })

  test('UI-14 the consent page has the headers of a page', async () => {
    const { page } = await toConsent(host, { params: { prompt: 'consent' } })
    expect(page.status).toBe(200)
    expectPageHeaders(page)
  })

  test('events of a refusal name its reason, and hold neither state nor code', async () => {
    await ask({ scope: 'nope', state: 'secret-state' })
    const { name, event } = host.events.at(-1) ?? {}
    expect(name).toBe('authorization.refused')
    expect(event).toEqual({
      clientId: 'conf',
      error: 'invalid_scope',
      reason: 'scope_unknown',
      redirected: true,
    })
    expect(JSON.stringify(host.events)).not.toContain('secret-state')
  })
})

describe('the store fails', () => {
  test('STOR-01 while the client is looked for: a page with 503, nothing of the failure on it', async () => {
    const failing = new SQLite(':memory:')
    const broken = await startHost({ provider: { store: failing } })
    const agent = await signedIn(broken, 'alice')
    failing.exec('DROP TABLE oauth_clients')
    const page = await agent.get(authorizeUrl(broken, { params: { client_id: 'in-the-store' } }))
    expectErrorPage(page, { status: 503, code: 'temporarily_unavailable' })
    expect(page.headers.get('retry-after')).toBe('1')
    expect(page.text).not.toMatch(/sqlite|oauth_clients|no such table/i)
    failing.exec('DROP TABLE oauth_grants')
    const later = await agent.get(authorizeUrl(broken))
    expectErrorRedirect(broken, later, 'server_error')
    await broken.close()
    failing.close()
  })

  test('STOR-01 a store that throws something of its own is a server_error without internals', async () => {
    const store = new SQLite(':memory:')
    const broken = await startHost({
      provider: {
        store,
        findUser: () => {
          throw new Error('the private cause')
        },
      },
    })
    const agent = await signedIn(broken, 'alice')
    const page = await agent.get(authorizeUrl(broken))
    expectErrorRedirect(broken, page, 'server_error')
    expect(page.location).not.toContain('private')
    const event = broken.events.find(({ name }) => name === 'server.error')?.event
    expect(event?.error).toMatchObject({ message: 'the private cause' })
    await broken.close()
    store.close()
  })
})

test('RSRC more than ten resources are invalid_target, and a request of more than 8 KB is a page', async () => {
  const agent = await signedIn(host, 'alice')
  const resource = Array.from({ length: 11 }, (_, at) => `${host.origin}/${at}`)
  expectErrorRedirect(host, await agent.get(authorizeUrl(host, { params: { resource } })), 'invalid_target')
  const long = await agent.get(authorizeUrl(host, { params: { state: 's'.repeat(9000) } }))
  expectErrorPage(long, { status: 413 })
})

test('HDR-02 a path that cannot be decoded is a page of ours, without a stack trace', async () => {
  const page = await new Agent(host).get('/oauth/consent/%E0%A4%A')
  expectErrorPage(page)
  expect(page.text).not.toMatch(/node_modules|\n\s+at /)
})
