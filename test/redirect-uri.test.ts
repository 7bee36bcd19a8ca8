import type { Agent, Page } from './support/agent.js'
import { expectCode, expectErrorPage, expectErrorRedirect, getRaw } from './support/answers.js'
import { clients } from './support/clients.js'
import { expectCheap } from './support/cost.js'
import { authorizeUrl, CHALLENGE, decide, destination, getCode, redeem, signedIn } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import { native, registered } from './support/registration.js'

let host: Host
let alice: Agent
beforeAll(async () => {
  host = await startHost({
    provider: {
      clients: [
        ...clients,
        { client_id: 'slash', redirect_uris: ['https://rp.example/cb/'] },
        { client_id: 'case', redirect_uris: ['https://rp.example/Callback'] },
        { client_id: 'encoded', redirect_uris: ['https://rp.example/a%2Fb%20c?q=%26%2b&empty&z='] },
        { client_id: 'question', redirect_uris: ['https://rp.example/cb?'] },
        { client_id: 'port', redirect_uris: ['https://rp.example:8443/cb'] },
        { client_id: 'fixed', redirect_uris: ['http://127.0.0.1:8080/cb?a=b'] },
        {
          client_id: 'cursor',
          redirect_uris: ['cursor://anysphere.cursor-mcp/oauth/cb', 'com.example.app:/cb'],
        },
      ],
    },
  })
  alice = await signedIn(host, 'alice')
})
afterAll(() => host.close())

function ask(client: string, redirect_uri: string | readonly string[] | undefined): Promise<Page> {
  return alice.get(authorizeUrl(host, { client, params: { redirect_uri } }))
}

/** The whole way: asked with this redirect URI, approved, answered there, and redeemed with it. */
async function expectAccepted(client: string, redirectUri: string): Promise<void> {
  const page = await alice.follow(
    authorizeUrl(host, { client, params: { redirect_uri: redirectUri, prompt: 'consent' } }),
  )
  expectCode(host, await decide(alice, page, 'approve'), { redirectUri })
}

/** Sent as it stands, in a query that nobody has encoded. */
function askRaw(client: string, redirectUri: string): Promise<Page> {
  const query = `response_type=code&client_id=${client}&scope=read&state=the-state&code_challenge=${CHALLENGE}&code_challenge_method=S256`
  return getRaw(host, `/oauth/authorize?${query}&redirect_uri=${redirectUri}`, alice)
}

describe('a registered redirect URI', () => {
  test('RURI-01 with a query is kept byte for byte, and the answer added to it', async () => {
    await expectAccepted('multi', 'https://rp.example/cb2?x=1')
    await expectAccepted('encoded', 'https://rp.example/a%2Fb%20c?q=%26%2b&empty&z=')
    const error = await alice.get(
      authorizeUrl(host, {
        client: 'multi',
        params: { redirect_uri: 'https://rp.example/cb2?x=1', scope: 'nope' },
      }),
    )
    expectErrorRedirect(host, error, 'invalid_scope', { redirectUri: 'https://rp.example/cb2?x=1' })
  })

  test('RURI-01 with a query may stand in the request without being encoded', async () => {
    const page = await askRaw('multi', 'https://rp.example/cb2?x=1&prompt=consent')
    expect(page.status).toBe(303)
    expect(page.location).toMatch(/^\/oauth\/consent\/[\w-]+$/)
    const error = await askRaw('multi', 'https://rp.example/cb2?x=1&prompt=foo')
    expectErrorRedirect(host, error, 'invalid_request', { redirectUri: 'https://rp.example/cb2?x=1' })
  })

  test('that ends with a question mark gets no second one', async () => {
    const page = await alice.get(
      authorizeUrl(host, {
        client: 'question',
        params: { redirect_uri: 'https://rp.example/cb?', scope: 'nope' },
      }),
    )
    expect(page.location).toMatch(/^https:\/\/rp\.example\/cb\?error=invalid_scope&/)
  })

  test('RURI-15 with a private-use scheme keeps its single slash, or its two', async () => {
    await expectAccepted('nat', 'com.example.app:/cb')
    await expectAccepted('cursor', 'com.example.app:/cb')
    await expectAccepted('cursor', 'cursor://anysphere.cursor-mcp/oauth/cb')
    for (const other of [
      'com.example.app://cb',
      'com.example.app:///cb',
      'com.example.app:cb',
      'COM.EXAMPLE.APP:/cb',
      'com.example.app.evil:/cb',
      'com.example.app:/cb/',
      'com.example.app:/cb?x=1',
    ])
      expectErrorPage(await ask('nat', other))
  })

  test('RURI-04 may be left out only where the client has exactly one, and never with openid', async () => {
    for (const redirect_uri of [undefined, '']) {
      expectErrorPage(await ask('multi', redirect_uri))
      expectErrorPage(await ask('nat', redirect_uri))
      for (const scope of ['openid', 'openid read', 'read openid'])
        expectErrorPage(await alice.get(authorizeUrl(host, { params: { redirect_uri, scope } })))
      const page = await alice.follow(authorizeUrl(host, { params: { redirect_uri, prompt: 'consent' } }))
      expectCode(host, await decide(alice, page, 'approve'))
    }
  })

  test('RURI-04 left out, it may be left out at the token endpoint too, and must be the right one where it is sent', async () => {
    const params = { redirect_uri: undefined, prompt: 'consent' }
    for (const [redirect_uri, status] of [
      [undefined, 200],
      ['https://rp.example/cb', 200],
      ['https://rp.example/other', 400],
    ] as const) {
      const { code } = await getCode(host, { agent: alice, params })
      expect((await redeem(host, code, { form: { redirect_uri } })).status).toBe(status)
    }
  })

  test('that was removed while the user was deciding gets no code', async () => {
    const { client_id } = await host.oauth.clients.create({
      redirect_uris: ['https://old.example/cb', 'https://new.example/cb'],
    })
    const params = { redirect_uri: 'https://old.example/cb' }
    const page = await alice.follow(authorizeUrl(host, { client: client_id, params }))
    await host.oauth.clients.update(client_id, { redirect_uris: ['https://new.example/cb'] })
    expectErrorPage(await decide(alice, page, 'approve'))
    expectErrorPage(await alice.get(page.url))
    await host.oauth.clients.update(client_id, { disabled: true })
    expectErrorPage(await alice.get(page.url))
  })
})

describe('any other redirect URI gets a page', () => {
  test.each([
    'https://rp.example/cb/RANDOM',
    'https://rp.example/cb/Wrong',
    'https://rp.example/',
    'https://rp.example',
    'https://rp2.example/cb',
    'https://unrelated.example/cb',
    'https://rp.example.evil.test/cb',
    'https://evil.test/https://rp.example/cb',
    'https://sub.rp.example/cb',
    'http://rp.example/cb',
    'https://rp.example:443/cb',
    'https://rp.example:8443/cb',
    'https://RP.example/cb',
    'HTTPS://rp.example/cb',
    'https://rp.example/CB',
    'https://rp.example/cb/',
    'https://rp.example//cb',
    'https://rp.example/./cb',
    'https://rp.example/x/../cb',
    'https://rp.example/c%62',
    'https://rp.example./cb',
    'https://rp.example/cb?',
    'https://rp.example/cb?x=1',
    'https://rp.example/cb;x',
    ' https://rp.example/cb',
    'https://rp.example/cb ',
    'rp.example/cb',
    '/cb',
    'cb',
  ])('RURI-02 %j', async (redirectUri) => {
    const page = await ask('conf', redirectUri)
    expectErrorPage(page)
    expect(page.text).toContain('not registered for the application')
  })

  test.each(['#x', '#', '#\t', '#https://rp.example/cb'])(
    'RURI-05 with the fragment %j',
    async (fragment) => {
      const page = await ask('conf', `https://rp.example/cb${fragment}`)
      expectErrorPage(page)
      expect(page.text).toContain('has a fragment')
      expectErrorPage(await askRaw('conf', `https://rp.example/cb${encodeURIComponent(fragment)}`))
      expectErrorPage(await ask('nat', `http://127.0.0.1:5000/cb${fragment}`))
      expectErrorPage(await ask('nat', `com.example.app:/cb${fragment}`))
    },
  )

  test('RURI-05 with an encoded fragment', async () => {
    for (const fragment of ['%23x', '%23', '%2523x'])
      expectErrorPage(await ask('conf', `https://rp.example/cb${fragment}`))
  })

  test.each([
    ['conf', 'https://rp.example@evil.test/cb'],
    ['conf', 'https://x@rp.example/cb'],
    ['conf', 'https://x:y@rp.example/cb'],
    ['conf', 'https://@rp.example/cb'],
    ['conf', 'https://a@b@evil.test/cb'],
    ['conf', 'https://rp.example%40evil.test/cb'],
    ['conf', 'https://evil.test#@rp.example/cb'],
    ['nat', 'http://attacker@127.0.0.1:5000/cb'],
    ['nat', 'http://127.0.0.1@evil.test/cb'],
    ['nat', 'http://127.0.0.1:5000@evil.test/cb'],
    ['nat', 'http://127.0.0.1:@evil.test/cb'],
    ['nat', 'http://localhost:80@evil.test:80/cb'],
  ])('RURI-07 %s with user information: %s', async (client, redirectUri) => {
    expectErrorPage(await ask(client, redirectUri))
  })

  test.each([
    '/FAKEPATH',
    '%2FFAKEPATH',
    '/../FAKEPATH',
    '/..%2FFAKEPATH',
    '%2F..%2FFAKEPATH',
    '/%2e%2e/FAKEPATH',
    '/%2e%2e%2FFAKEPATH',
    '/..%252FFAKEPATH',
    '/%252e%252e%252FFAKEPATH',
    '/FAKEPATH/..',
    '/FAKEPATH/../cb',
    '/FAKEPATH%2F..',
    '/;/../../FAKEPATH',
    '%3B%2F..%2F..%2FFAKEPATH',
    '%253B%252F..%252F..%252FFAKEPATH',
    '%0A%0D/../../FAKEPATH',
    '%250A%250D/../../FAKEPATH',
    '%09/../FAKEPATH',
    '%00/FAKEPATH',
    '%5c..%5cFAKEPATH',
    '/..;/FAKEPATH',
    '/./FAKEPATH/..',
    '//FAKEPATH',
    '/../cb',
    '/./',
    '//',
    '/..;/x',
    '%2F',
    '%00',
    '%E2%80%8B',
    '%FF',
  ])('RURI-08 with %s behind the callback, sent as it stands', async (suffix) => {
    for (const [client, callback] of [
      ['conf', 'https://rp.example/cb'],
      ['nat', 'http://127.0.0.1:5000/cb'],
    ] as const) {
      const page = await askRaw(client, `${callback}${suffix}`)
      expectErrorPage(page)
      expect(JSON.stringify([...page.headers])).not.toContain('FAKEPATH')
    }
  })

  test.each([
    'https://rp.example\\@evil.test/cb',
    'https://evil.test\\@rp.example/cb',
    'https://rp.example\\.evil.test/cb',
    'https:/\\evil.test',
    '//evil.test/cb',
    '/\\evil.test',
    '\\/evil.test',
    '\\\\evil.test',
    'https:evil.test',
    'https:/rp.example/cb',
    'https:rp.example/cb',
    'https:///rp.example/cb',
    'https:\\\\rp.example\\cb',
    'https://rp.example\r\nX:1/cb',
    'https://rp.example/cb\r\nSet-Cookie: a=b',
    'https://rp.example/cb\n',
    'https://rp\t.example/cb',
    'https://rp.example\0.evil.test/cb',
    'https://rp.example/cb\0',
    'https://rp。example/cb',
    'https://ｒｐ.example/cb',
    'https://[::1',
    'https://',
    'https://:443/cb',
    'http://[:::::::::::::]/x',
    `http://a${'.'.repeat(3000)}`,
    `https://rp.example/cb${'?a'.repeat(2000)}`,
  ])('RURI-10 ROB-04 that parsers disagree about: %j', async (redirectUri) => {
    for (const client of ['conf', 'nat']) {
      const page = await expectCheap(
        () => ask(client, redirectUri),
        () => ask(client, 'https://evil.test/cb'),
      )
      expectErrorPage(page)
    }
  })

  test.each([
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    'java\nscript:alert(1)',
    'javascript://rp.example/cb%0aalert(1)',
    'data:text/html,<script>alert(1)</script>',
    'vbscript:x',
    'file:///etc/passwd',
    'blob:https://rp.example/x',
    'about:blank',
    'view-source:https://rp.example/cb',
    'intent://rp.example/cb#Intent;end',
    'https://*.rp.example/*',
    'https://*/cb',
  ])('RURI-11 that a browser would run, or that has a wildcard: %j', async (redirectUri) => {
    for (const client of ['conf', 'nat', 'cursor']) expectErrorPage(await ask(client, redirectUri))
  })

  test.each([
    'code=attackercode',
    'state=x',
    'iss=https://evil.example',
    'error=access_denied',
    'x=1&code=attackercode',
  ])("RURI-16 with the answer's own parameters in it: ?%s", async (query) => {
    expectErrorPage(await ask('conf', `https://rp.example/cb?${query}`))
    expectErrorPage(await ask('multi', `https://rp.example/cb2?x=1&${query}`))
    expectErrorPage(await ask('nat', `http://127.0.0.1:5000/cb?${query}`))
  })

  test("RURI-09 of another client, with the parameters of one's own", async () => {
    expectErrorPage(await ask('conf2', 'https://rp.example/cb'))
    expectErrorPage(await ask('pub', 'https://rp.example/cb'))
    expectErrorPage(await ask('conf', 'https://spa.example/cb'))
  })

  test('sent twice, also where one of them is right', async () => {
    for (const pair of [
      ['https://rp.example/cb', 'https://evil.example/cb'],
      ['https://evil.example/cb', 'https://rp.example/cb'],
      ['https://rp.example/cb', ''],
    ])
      expectErrorPage(await ask('conf', pair))
  })
})

describe('loopback', () => {
  test.each([
    'http://127.0.0.1:51004/cb',
    'http://[::1]:51004/cb',
    'http://localhost:51004/cb',
    'http://127.0.0.1/cb',
    'http://127.0.0.1:1/cb',
    'http://localhost:65535/cb',
  ])(
    'RURI-13 %s is accepted, answered exactly there, and binding at the token endpoint',
    async (redirectUri) => {
      const params = { redirect_uri: redirectUri }
      const { code, callback } = await getCode(host, { agent: alice, client: 'nat', params })
      expect(callback.href.startsWith(`${redirectUri.replace(':80/', '/')}?code=`)).toBe(true)
      const elsewhere = redirectUri.replace(/(:\d+)?\/cb$/, ':4321/cb')
      const wrong = await redeem(host, code, { client: 'nat', form: { redirect_uri: elsewhere } })
      expect([wrong.status, wrong.body.error]).toEqual([400, 'invalid_grant'])
      expect((await redeem(host, code, { client: 'nat', form: { redirect_uri: redirectUri } })).status).toBe(
        200,
      )
    },
  )

  test('a port that was registered is as free as any', async () => {
    await expectAccepted('fixed', 'http://127.0.0.1:8080/cb?a=b')
    await expectAccepted('fixed', 'http://127.0.0.1:9/cb?a=b')
    expectErrorPage(await ask('fixed', 'http://127.0.0.1:8080/cb'))
  })

  test.each([
    'http://127.0.0.1:5000/other',
    'http://127.0.0.1:5000/cb/',
    'http://127.0.0.1:5000/cb?x=1',
    'http://127.0.0.1:5000/cb?',
    'http://127.0.0.1:5000/CB',
    'http://127.0.0.1:5000',
    'http://127.0.0.1:5000/',
    'http://127.0.0.1:5000//cb',
    'http://127.0.0.1:5000\\cb',
    'https://127.0.0.1:5000/cb',
    'HTTP://127.0.0.1:5000/cb',
    'http://127.0.0.2:5000/cb',
    'http://127.1:5000/cb',
    'http://2130706433:5000/cb',
    'http://0x7f000001:5000/cb',
    'http://0177.0.0.1:5000/cb',
    'http://127.0.0.1.:5000/cb',
    'http://127.0.0.1.evil.test:5000/cb',
    'http://0.0.0.0:5000/cb',
    'http://[::]:5000/cb',
    'http://[0:0:0:0:0:0:0:1]:5000/cb',
    'http://[::ffff:127.0.0.1]:5000/cb',
    'http://[::1%25lo]:5000/cb',
    'http://::1:5000/cb',
    'http://LOCALHOST:5000/cb',
    'http://localhost.:5000/cb',
    'http://localhost.evil.test:5000/cb',
    'http://sub.localhost:5000/cb',
    'http://user@localhost:5000/cb',
    'http://127.0.0.1:0/cb',
    'http://127.0.0.1:65536/cb',
    'http://127.0.0.1:99999/cb',
    'http://127.0.0.1:/cb',
    'http://127.0.0.1:05000/cb',
    'http://127.0.0.1:+5000/cb',
    'http://127.0.0.1:-1/cb',
    'http://127.0.0.1:5e3/cb',
    'http://127.0.0.1: 5000/cb',
    'http://127.0.0.1:5000:6000/cb',
    'http://127.0.0.1:５０００/cb',
  ])('RURI-14 only the port is free: %s gets a page', async (redirectUri) => {
    expectErrorPage(await ask('nat', redirectUri))
  })

  test('RURI-14 the three names do not stand for one another', async () => {
    const { client_id } = await host.oauth.clients.create({
      redirect_uris: ['http://127.0.0.1/cb'],
      token_endpoint_auth_method: 'none',
    })
    expectErrorPage(await ask(client_id, 'http://localhost:5000/cb'))
    expectErrorPage(await ask(client_id, 'http://[::1]:5000/cb'))
    expect((await ask(client_id, 'http://127.0.0.1:5000/cb')).status).toBe(303)
  })

  test('RURI-14 on any other host the port counts', async () => {
    expectErrorPage(await ask('port', 'https://rp.example:8444/cb'))
    expectErrorPage(await ask('port', 'https://rp.example/cb'))
    await expectAccepted('port', 'https://rp.example:8443/cb')
  })
})

describe('the page says what differs', () => {
  test.each([
    ['conf', 'https://rp.example/cb/', 'the trailing slash'],
    ['slash', 'https://rp.example/cb', 'the trailing slash'],
    ['conf', 'http://rp.example/cb', 'the scheme'],
    ['conf', 'https://rp.example:8443/cb', 'the port'],
    ['conf', 'https://other.example/cb', 'the host'],
    ['case', 'https://rp.example/callback', 'upper and lower case'],
    ['conf', 'https://rp.example/callback', 'the path'],
    ['conf', 'https://rp.example/cb?x=1', 'the query'],
    ['conf', 'https://me@rp.example/cb', 'a user name or password'],
    ['multi', 'https://rp.example/cb2?x=2', 'the query'],
    ['nat', 'http://127.0.0.1:5000/other', 'the path'],
    ['nat', 'http://127.0.0.1:5000/cb?x', 'the query'],
  ])('%s with %s: %s', async (client, redirectUri, difference) => {
    const page = await ask(client, redirectUri)
    expectErrorPage(page)
    expect(page.text).toContain(`It differs from the registered one in: ${difference}.`)
    expect(page.text).toContain(`<code dir="ltr">${redirectUri}</code>`)
  })

  test('and what is no absolute URL', async () => {
    expect((await ask('conf', '/cb')).text).toContain('It is not an absolute URL.')
  })

  test('to the first twenty that are registered, so that nobody makes us compare without end', async () => {
    const redirect_uris = Array.from({ length: 21 }, (_, n) => `https://rp${n}.example/${n}`)
    const { client_id } = await host.oauth.clients.create({
      redirect_uris,
      token_endpoint_auth_method: 'none',
    })
    expect((await ask(client_id, 'https://rp19.example/other')).text).toContain('in: the path.')
    expect((await ask(client_id, 'https://rp20.example/other')).text).not.toContain('in: the path.')
  })

  test('but not which redirect URIs are registered: that is for the client to know', async () => {
    for (const redirectUri of ['https://evil.example/', 'https://rp.example/cb3'])
      expect((await ask('multi', redirectUri)).text).not.toContain('cb2?x=1')
  })
})

describe('registration', () => {
  const refused: readonly string[] = [
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    'java%0ascript:alert(1)',
    'java\nscript:alert(1)',
    ' javascript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///x',
    'blob:https://rp.example/x',
    'about:blank',
    'view-source:https://rp.example/',
    'intent://x#Intent;end',
    'intent:x',
    'MS-MSDT:/id',
    'ms-officecmd:x',
    'ms-appinstaller:?source=https://rp.example/x',
    'search-ms:query=x',
    'microsoft-edge:https://rp.example/',
    'chrome://x',
    'moz-extension://x/cb',
    'jar:https://rp.example/x!/',
    'feed:https://rp.example/',
    'smb://rp.example/x',
    'ssh://rp.example',
    'telnet:rp.example',
    'ldap://rp.example',
    'urn:x:y',
    'vnc:x',
    'https://*.rp.example/*',
    'https://rp.example/*',
    'http://rp.example/cb',
    'http://127.0.0.1.evil.test/cb',
    'http://192.168.0.1/cb',
    'http://0.0.0.0/cb',
    'https://rp.example/cb%23x',
    'https://rp.example/cb#x',
    'https://rp.example/cb#',
    'https://rp.example/cb#\t',
    'com.example.app:/cb#x',
    'https://user@rp.example/cb',
    'https://user:pass@rp.example/cb',
    'https://rp.example\\@evil.test/cb',
    'https:/rp.example/cb',
    'https:rp.example/cb',
    '//rp.example/cb',
    '/cb',
    'cb',
    '',
    'https://',
    'https://rp.example/cb\r\nX: 1',
    'https://rp.example/ü',
    'https://rp.example/cb?code=1',
    'https://rp.example/cb?x=1&state=2',
    'https://rp.example/cb?iss=x',
    'https://rp.example/cb?error=x',
    'https://rp.example/cb?id_token=x',
    'https://rp.example/cb?%63ode=1',
  ]

  test.each(refused)('RURI-05 RURI-11 RURI-16 %j is invalid_redirect_uri', async (redirectUri) => {
    const before = (await host.oauth.clients.list()).length
    for (const token_endpoint_auth_method of ['none', 'client_secret_basic']) {
      await expect(
        host.oauth.clients.create({
          token_endpoint_auth_method,
          redirect_uris: ['https://rp.example/cb', redirectUri],
        }),
      ).rejects.toMatchObject({ code: 'invalid_redirect_uri' })
    }
    expect((await host.oauth.clients.list()).length).toBe(before)
  })

  test.each(refused)(
    'RURI-11 %j in the option clients fails at the start, naming the option',
    async (uri) => {
      const failing = (async () => {
        const { oauthProvider } = await import('../lib/index.js')
        return oauthProvider({
          issuer: 'https://host.example/oauth',
          findUser: () => undefined,
          store: ':memory:',
          clients: [{ client_id: 'the-client', redirect_uris: [uri] }],
        })
      })()
      await expect(failing).rejects.toMatchObject({
        name: 'ConfigurationError',
        option: 'clients[0].redirect_uris',
      })
      await expect(failing).rejects.toThrow('clients[0].redirect_uris is refused')
    },
  )

  test('a private-use scheme is for public clients', async () => {
    const redirect_uris = ['com.example.app:/cb']
    await expect(host.oauth.clients.create({ redirect_uris })).rejects.toMatchObject({
      code: 'invalid_redirect_uri',
    })
    const created = await host.oauth.clients.create({ redirect_uris, token_endpoint_auth_method: 'none' })
    expect(created.redirect_uris).toEqual(redirect_uris)
  })

  test.each(['vscode://x/cb', 'cursor://x/cb', 'claude:/cb', 'msal0123:/auth', 'ms.example.app:/cb'])(
    '%s is as good a private-use scheme',
    async (redirectUri) => {
      const metadata = { redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' }
      expect((await host.oauth.clients.create(metadata)).redirect_uris).toEqual([redirectUri])
    },
  )

  test.each(['client_uri', 'logo_uri', 'policy_uri', 'tos_uri', 'client_uri#de'])(
    '%s is no place for a user name, which reads like a host',
    async (member) => {
      const metadata = {
        redirect_uris: ['https://rp.example/cb'],
        [member]: 'https://bank.example@evil.example/',
      }
      await expect(host.oauth.clients.create(metadata)).rejects.toMatchObject({
        ...{ code: 'invalid_client_metadata' },
        message: expect.stringContaining('without a user name'),
      })
    },
  )

  test('an update is checked as a registration is', async () => {
    const { client_id } = await host.oauth.clients.create({ redirect_uris: ['https://rp.example/cb'] })
    await expect(
      host.oauth.clients.update(client_id, { redirect_uris: ['javascript:alert(1)'] }),
    ).rejects.toMatchObject({ code: 'invalid_redirect_uri' })
    expect((await host.oauth.clients.get(client_id))?.redirect_uris).toEqual(['https://rp.example/cb'])
  })

  test('a client for the code grant needs one', async () => {
    for (const metadata of [{}, { redirect_uris: [] }])
      await expect(host.oauth.clients.create(metadata)).rejects.toMatchObject({
        code: 'invalid_redirect_uri',
      })
  })

  test('a client that was just registered can be used at once, and is gone as soon as it is deleted', async () => {
    const redirectUri = 'https://created.example/cb'
    const { client_id } = await host.oauth.clients.create({ redirect_uris: [redirectUri] })
    await expectAccepted(client_id, redirectUri)
    await host.oauth.clients.delete(client_id)
    expectErrorPage(await ask(client_id, redirectUri))
  })
})

test('the answer never goes anywhere but to the URI of this very request', async () => {
  const prompt = 'consent'
  const params = { redirect_uri: 'https://rp.example/cb1', prompt }
  const first = await alice.follow(authorizeUrl(host, { client: 'multi', params }))
  const second = await alice.follow(
    authorizeUrl(host, { client: 'multi', params: { redirect_uri: 'https://rp.example/cb2?x=1', prompt } }),
  )
  expect(destination(await decide(alice, first, 'deny')).pathname).toBe('/cb1')
  expect(destination(await decide(alice, second, 'deny')).pathname).toBe('/cb2')
})

test('a page says which client has asked, and one that came by itself cannot turn or fill it', async () => {
  const own = await startHost({ provider: { registration: 'open' } })
  const client_name = `Mallory <b> ${'x'.repeat(100)}`
  const { client_id } = await registered(own, { ...native, client_name })
  const agent = await signedIn(own, 'alice')
  const page = await agent.get(
    authorizeUrl(own, { params: { client_id, redirect_uri: 'https://mallory.example/' } }),
  )
  expect(page.status).toBe(400)
  expect(page.text).toContain(`<dd><bdi>Mallory &lt;b&gt; ${'x'.repeat(48)}…</bdi></dd>`)
  const ours = await alice.get(
    authorizeUrl(host, { client: 'multi', params: { redirect_uri: 'https://x.example/' } }),
  )
  expect(ours.text).toMatch(/<dd><bdi>[^<]+<\/bdi><\/dd>/)
  await own.close()
})
