import SQLite from 'better-sqlite3'
import type { ClientMetadata } from '../lib/index.js'
import { openStore } from '../lib/store/open.js'
import { Agent, type Form, type Page } from './support/agent.js'
import { expectCode, expectErrorPage, expectErrorRedirect } from './support/answers.js'
import { assertion, withAssertion } from './support/assertions.js'
import { clients } from './support/clients.js'
import { askForCodes, deviceClients } from './support/devices.js'
import { aKey, anotherKey, proof, redeemProven } from './support/dpop.js'
import { faultyStore, INTERNALS, OPERATIONS } from './support/faults.js'
import { authorizeUrl, basic, decide, destination, redeem, signedIn, toConsent } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import {
  type PushOptions,
  postPar,
  push,
  pushed,
  requestParameters,
  uriOf,
  visitUrl,
} from './support/pushed.js'
import { dump, expectMachineHeaders, expectRefusal, expectTokens } from './support/token-endpoint.js'

const URN = 'urn:ietf:params:oauth:request_uri:'
const redirect_uris = ['https://rp.example/cb']
const registered: readonly ClientMetadata[] = [
  ...clients,
  {
    client_id: 'pushing',
    client_secret: 'pushing-secret',
    redirect_uris,
    require_pushed_authorization_requests: true,
  },
  {
    client_id: 'machine',
    client_secret: 'machine-secret',
    redirect_uris,
    grant_types: ['client_credentials'],
  },
  { client_id: 'bound', client_secret: 'bound-secret', redirect_uris, dpop_bound_access_tokens: true },
]

let host: Host
/** What the host says of when its user signed in; undefined: nothing. */
let signedInAt: Date | undefined
beforeAll(async () => {
  host = await startHost({ provider: { clients: registered, authTime: () => signedInAt } })
})
afterAll(() => host.close())
beforeEach(() => {
  signedInAt = undefined
  host.events.length = 0
})

const told = (name: string, at = host) =>
  at.events.filter((one) => one.name === name).map(({ event }) => event)

/** Refused at once, in JSON, and nothing is there to be used. */
async function expectNotPushed(options: PushOptions, status: number, error: string, at = host) {
  const answer = await push(at, options)
  expectRefusal(answer, status, error)
  expect(answer.text).not.toContain('request_uri:')
  return answer
}

async function expectUnusable(requestUri: string, reason: string, client = 'conf', at = host) {
  at.events.length = 0
  const agent = await signedIn(at, 'alice')
  expectErrorPage(await agent.get(visitUrl(at, requestUri, { client })), { code: 'invalid_request_uri' })
  expect(told('authorization.refused', at)).toEqual([
    {
      clientId: client,
      error: 'invalid_request_uri',
      reason,
      redirected: false,
      reference: expect.any(String),
    },
  ])
}

describe('POST /par', () => {
  test('PAR-01 answers with a request_uri that is good for a minute, and a browser needs nothing beside it and the client_id', async () => {
    const answer = await push(host)
    expect(answer.status).toBe(201)
    expectMachineHeaders(answer.headers)
    expect(answer.body).toEqual({
      request_uri: expect.stringMatching(/^urn:ietf:params:oauth:request_uri:[A-Za-z0-9_-]{64}$/),
      expires_in: 60,
    })
    const agent = await signedIn(host, 'alice')
    const page = await agent.follow(visitUrl(host, uriOf(answer)))
    expect(page.text).toContain('name="decision"')
    const code = expectCode(host, await decide(agent, page, 'approve'))
    expectTokens(await redeem(host, code))
  })

  test('PAR-01 each is another one, and none of it rests in the clear (CODE-10)', async () => {
    const database = new SQLite(':memory:')
    const own = await startHost({ provider: { store: database, lifetimes: { pushedRequest: 300 } } })
    const answers = await Promise.all(Array.from({ length: 20 }, () => push(own)))
    const handles = answers.map((answer) => uriOf(answer).slice(URN.length))
    expect(new Set(handles.map((handle) => handle.slice(0, 20))).size).toBe(20)
    expect(answers[0]?.body.expires_in).toBe(300)
    const kept = dump(database)
    for (const handle of handles) expect(kept).not.toContain(handle)
    await own.close()
  })

  test.each(['conf', 'post', 'either', 'pkj', 'csj', 'pub'])(
    'CAUTH-01 lets %s in as at /token',
    async (client) => {
      expect((await push(host, { client })).status).toBe(201)
    },
  )

  test.each<[what: string, client: string, PushOptions['proof']]>([
    ['a wrong secret', 'conf', { headers: { authorization: basic('conf', 'wrong') }, form: {} }],
    ['CAUTH-08 no proof', 'conf', { headers: {}, form: {} }],
    ['an unknown client', 'nobody', { headers: {}, form: { client_id: 'nobody' } }],
    ['a disabled client', 'off', { headers: { authorization: basic('off', 'off-secret') }, form: {} }],
    ['another method', 'post', { headers: { authorization: basic('post', 'post-secret') }, form: {} }],
  ])('CAUTH refuses %s', async (_, client, given) => {
    await expectNotPushed({ client, proof: given! }, 401, 'invalid_client')
  })

  test('CAUTH-11, K-17 an assertion is for the issuer, not for the URL of /par, and good once', async () => {
    const with_ = (claims = {}) => ({
      client: 'pkj',
      proof: { headers: {}, form: withAssertion(assertion(host, { claims })) },
    })
    await expectNotPushed(with_({ aud: `${host.issuer}/par` }), 401, 'invalid_client')
    await expectNotPushed(with_({ aud: [host.issuer, `${host.issuer}/par`] }), 401, 'invalid_client')
    const once = with_()
    expect((await push(host, once)).status).toBe(201)
    await expectNotPushed(once, 401, 'invalid_client')
  })

  test('a request for another client than the one that pushes it is refused', async () => {
    await expectNotPushed({ params: { client_id: 'conf2' } }, 400, 'invalid_request')
  })

  const acr = JSON.stringify({ id_token: { acr: { essential: 'yes' } } })
  test.each<[error: string, reason: string, params: Form, client?: string]>([
    ['invalid_request', 'redirect_uri_mismatch', { redirect_uri: 'https://rp.example/cb/' }],
    ['invalid_request', 'redirect_uri_mismatch', { redirect_uri: 'https://evil.example/cb' }],
    ['invalid_request', 'redirect_uri_mismatch', { redirect_uri: 'https://evil.example/cb' }, 'pub'],
    ['invalid_request', 'redirect_uri_missing', { redirect_uri: undefined, scope: 'openid' }],
    ['invalid_request', 'redirect_uri_missing', { redirect_uri: undefined }, 'multi'],
    ['invalid_request', 'redirect_uri_missing', { redirect_uri: [...redirect_uris, ...redirect_uris] }],
    ['invalid_request', 'response_type_missing', { response_type: undefined }],
    ['unsupported_response_type', 'response_type', { response_type: 'token' }],
    ['unauthorized_client', 'grant_type_not_registered', {}, 'machine'],
    ['invalid_request', 'response_mode', { response_mode: 'fragment' }],
    ['invalid_scope', 'scope_unknown', { scope: 'nope' }],
    ['invalid_scope', 'scope_malformed', { scope: 'a"b' }],
    ['invalid_request', 'pkce_missing', { code_challenge: undefined, code_challenge_method: undefined }],
    ['invalid_request', 'pkce_method', { code_challenge_method: 'plain' }],
    ['invalid_request', 'pkce_method', { code_challenge_method: undefined }],
    ['invalid_request', 'pkce_malformed', { code_challenge: 'x' }],
    ['invalid_request', 'prompt_unknown', { prompt: 'always' }],
    ['invalid_request', 'prompt_conflict', { prompt: 'none login' }],
    ['invalid_request', 'max_age', { max_age: '-1' }],
    ['invalid_request', 'claims_malformed', { claims: '{' }],
    ['invalid_request', 'claims_malformed', { claims: acr }],
    ['invalid_request', 'id_token_hint', { id_token_hint: 'x' }],
    ['invalid_target', 'resource_unknown', { resource: 'https://elsewhere.example' }],
    ['registration_not_supported', 'registration_not_supported', { registration: '{}' }],
    ['invalid_request', 'parameter_repeated', { state: ['a', 'b'] }],
    ['invalid_request', 'parameter_repeated', { scope: ['read', 'read'] }],
    ['invalid_request', 'request_uri_pushed', { request_uri: 'https://rp.example/request' }],
    ['invalid_request', 'request_uri_pushed', { request_uri: ['a', 'b'] }],
  ])('PAR-02, PAR-08 answers %s (%s) at once to %j', async (error, reason, params, client = 'conf') => {
    await expectNotPushed({ client, params }, 400, error)
    expect(told('request.refused')).toEqual([{ endpoint: '/par', error, reason, clientId: client }])
    expect(told('authorization.refused')).toEqual([])
  })

  test('PAR-02 refuses a request_uri that it has given itself', async () => {
    await expectNotPushed({ params: { request_uri: await pushed(host) } }, 400, 'invalid_request')
  })

  test('takes an empty parameter for one that is left out (RFC 6749 §3.1)', async () => {
    expect((await push(host, { params: { request_uri: '', request: '', state: '' } })).status).toBe(201)
  })

  test('K-12, RURI-13 takes any port of a loopback redirect URI of a native client', async () => {
    expect((await push(host, { client: 'nat' })).status).toBe(201)
    const params = { redirect_uri: 'http://127.0.0.1:51004/other' }
    await expectNotPushed({ client: 'nat', params }, 400, 'invalid_request')
  })

  test('PAR-08 takes a form by POST, of 64 KB at most and with a request of 16 KB, and nothing from the URL', async () => {
    const url = `${host.issuer}/par`
    const got = await fetch(`${url}?${new URL(authorizeUrl(host)).searchParams}`)
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST'])
    const headers = { authorization: basic('conf', 'conf-secret') }
    const json = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(requestParameters(host)),
    })
    expect([json.status, ((await json.json()) as { error: string }).error]).toEqual([400, 'invalid_request'])
    const large = await postPar(host, { ...requestParameters(host), more: 'x'.repeat(1 << 20) })
    expectRefusal(large, 413, 'invalid_request')
    expectRefusal(await push(host, { params: { state: 's'.repeat(17_000) } }), 413, 'invalid_request')
    expect((await push(host, { params: { state: 's'.repeat(15_000) } })).status).toBe(201)
    const query = await fetch(`${url}?${new URL(authorizeUrl(host)).searchParams}`, {
      method: 'POST',
      headers,
      body: new URLSearchParams(),
    })
    expect(query.status).toBe(400)
  })

  test('STOR-01 where the store cannot keep it, it is not pushed', async () => {
    const { own, store } = await withFaults()
    store.fail('insert', 'rejects')
    const answer = await push(own)
    expectRefusal(answer, 503, 'temporarily_unavailable')
    expect(answer.text).not.toContain(INTERNALS)
    await own.close()
  })

  test('the metadata names it, and where the host turns it off it is not there', async () => {
    const named = (at: Host) =>
      fetch(`${at.issuer}/.well-known/oauth-authorization-server`).then((answer) => answer.json())
    const member = 'pushed_authorization_request_endpoint'
    expect(await named(host)).toMatchObject({ [member]: `${host.issuer}/par` })
    expect(await named(host)).not.toHaveProperty('require_pushed_authorization_requests')
    const own = await startHost({ provider: { features: { pushedAuthorizationRequests: false } } })
    expect(await named(own)).not.toHaveProperty(member)
    expect((await fetch(`${own.issuer}/par`, { method: 'POST' })).status).toBe(404)
    await expectUnusable(await pushed(host), 'request_uri_unknown', 'conf', own)
    await own.close()
  })
})

describe('a request_uri at /authorize', () => {
  test('RFC 9126 §4 nothing that stands beside it counts', async () => {
    const requestUri = await pushed(host, { params: { prompt: 'consent' } })
    const params = {
      ...{ redirect_uri: 'https://evil.example/cb', scope: 'write', state: 'other', prompt: 'none' },
      ...{ response_type: 'token', code_challenge: 'x', nonce: ['a', 'b'], resource: 'https://evil.example' },
    }
    const agent = await signedIn(host, 'alice')
    const page = await agent.follow(visitUrl(host, requestUri, { params }))
    const code = expectCode(host, await decide(agent, page, 'approve'))
    const { body } = await redeem(host, code)
    expect(body.scope).toBe('read')
  })

  test('AUTHZ-02 it may come by POST', async () => {
    const agent = await signedIn(host, 'alice')
    const form = { client_id: 'conf', request_uri: await pushed(host, { params: { prompt: 'consent' } }) }
    const bounced = await agent.post(`${host.issuer}/authorize`, form)
    expect((await agent.follow(bounced.location ?? '')).text).toContain('name="decision"')
  })

  test('what was pushed binds the code: the verifier, the redirect URI, the nonce, the client', async () => {
    const scope = 'openid read'
    const uri = () => pushed(host, { params: { scope, nonce: 'the-nonce', prompt: 'consent' } })
    const { code } = await complete(await uri())
    expectRefusal(await redeem(host, code, { form: { code_verifier: 'x'.repeat(43) } }), 400, 'invalid_grant')
    expectRefusal(await redeem(host, code, { client: 'conf2' }), 400, 'invalid_grant')
    const { body } = await redeem(host, code)
    const [, claims = ''] = String(body.id_token).split('.')
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ nonce: 'the-nonce' })
  })

  test('a response_mode and an app of a public client work as without pushing', async () => {
    const agent = await signedIn(host, 'alice')
    const params = { response_mode: 'form_post' }
    const page = await agent.follow(
      visitUrl(host, await pushed(host, { client: 'pub', params }), { client: 'pub' }),
    )
    const answer = await decide(agent, page, 'approve')
    expect(answer.text).toContain('action="https://spa.example/cb"')
    expect(answer.text).toContain('name="code"')
  })

  test('PAR-04 another client cannot use it, and its own still can', async () => {
    const requestUri = await pushed(host)
    await expectUnusable(requestUri, 'request_uri_foreign', 'conf2')
    await expectUnusable(requestUri, 'request_uri_foreign', 'pub')
    expectErrorPage(await new Agent(host).get(visitUrl(host, requestUri, { client: 'nobody' })))
    expectErrorPage(await new Agent(host).get(`${host.issuer}/authorize?request_uri=${requestUri}`))
    await complete(requestUri)
  })

  test.each([
    ['', 'request_uri_unknown'],
    ['x', 'request_uri_unknown'],
    ['A'.repeat(64), 'request_uri_unknown'],
    [`${'A'.repeat(63)}=`, 'request_uri_unknown'],
    ['../../consent/x', 'request_uri_unknown'],
  ])('PAR-04 one that was never given is unknown: %s', async (handle, reason) => {
    await expectUnusable(URN + handle, reason)
  })

  test('PAR-04 one that was tampered with is unknown', async () => {
    const requestUri = await pushed(host)
    const last = requestUri.endsWith('A') ? 'B' : 'A'
    await expectUnusable(requestUri.slice(0, -1) + last, 'request_uri_unknown')
    await expectUnusable(`${requestUri}A`, 'request_uri_unknown')
  })

  test('CODE-08 it is no code and no token, and these are no request_uri', async () => {
    const { code } = await complete(await pushed(host, { params: { prompt: 'consent' } }))
    await expectUnusable(URN + code, 'request_uri_unknown')
    const { body } = await redeem(host, code)
    await expectUnusable(URN + body.refresh_token, 'request_uri_unknown')
    const handle = (await pushed(host)).slice(URN.length)
    for (const presented of [handle, URN + handle])
      expectRefusal(await redeem(host, presented), 400, 'invalid_grant')
    // Nor is it the request that waits for its user.
    const agent = await signedIn(host, 'alice')
    expectErrorPage(await agent.get(`${host.issuer}/consent/${handle}`))
  })

  test('twice in one request it is refused, and beside request too', async () => {
    const requestUri = await pushed(host)
    const agent = await signedIn(host, 'alice')
    const twice = `${authorizeUrl(host)}&${new URLSearchParams({ request_uri: requestUri })}`
    expectErrorRedirect(
      host,
      await agent.get(`${twice}&${new URLSearchParams({ request_uri: requestUri })}`),
      'invalid_request',
    )
    expectErrorPage(await agent.get(`${twice}&request=x`))
    await complete(requestUri)
  })

  test('one of another server is not supported, and is not fetched', async () => {
    const agent = await signedIn(host, 'alice')
    const params = { request_uri: `${host.origin}/request.jwt` }
    expectErrorRedirect(host, await agent.get(authorizeUrl(host, { params })), 'request_uri_not_supported')
  })

  test('PAR-04 it expires, while whoever has come before that can take their time', async () => {
    const params = { prompt: 'consent' }
    const [early, late] = [await pushed(host, { params }), await pushed(host)]
    const agent = await signedIn(host, 'alice')
    host.advance(59)
    const page = await agent.follow(visitUrl(host, early))
    host.advance(1)
    await expectUnusable(late, 'request_uri_expired')
    await expectUnusable(early, 'request_uri_expired')
    host.advance(3500)
    await host.oauth.purge()
    expectCode(host, await decide(agent, page, 'approve'))
    await expectUnusable(early, 'request_uri_used')
  })

  test.each<[pushedRequest: number, request: number]>([
    [5, 1],
    [600, 1],
    [600, 36_500 * 86_400],
  ])(
    'good for %i s and waiting for %i s, it outlives whoever came at the last moment',
    async (pushedRequest, request) => {
      const own = await startHost({ provider: { lifetimes: { pushedRequest, request } } })
      const requestUri = await pushed(own)
      const agent = await signedIn(own, 'alice')
      own.advance(pushedRequest - 0.001)
      const pages = [await visit(agent, requestUri, own), await visit(agent, requestUri, own)] as const
      own.advance(request - 0.002)
      await own.oauth.purge()
      expectCode(own, await decide(agent, pages[0], 'approve'))
      expectAnswered(await decide(agent, pages[1], 'approve'))
      own.advance(0.003)
      await own.oauth.purge()
      for (const page of pages) expectErrorPage(await decide(agent, page, 'approve'))
      expect(told('authorization.refused', own).map(({ reason }) => reason)).toEqual([
        'already_answered',
        'request_expired',
        'request_expired',
      ])
      await own.close()
    },
  )

  test('however many browsers bring it, and wherever they are in it, it is kept once', async () => {
    const database = new SQLite(':memory:')
    const own = await startHost({ provider: { store: database } })
    const params = { state: 's'.repeat(15_000) }
    const requestUri = await pushed(own, { client: 'pub', params })
    const url = visitUrl(own, requestUri, { client: 'pub' })
    const kept = database.prepare('SELECT sum(length(data)) FROM oauth_records').pluck()
    const before = kept.get() as number
    for (let visits = 0; visits < 20; visits++) await new Agent(own).follow(url)
    const agent = await signedIn(own, 'alice')
    const page = await agent.follow(url)
    expect((kept.get() as number) - before).toBeLessThan(21 * 300)
    const redirectUri = 'https://spa.example/cb'
    expectCode(own, await decide(agent, page, 'approve'), { redirectUri, state: params.state })
    await own.close()
  })

  test('PAR-05, K-24 reloading, or another browser, works until it is answered; then nothing does', async () => {
    const requestUri = await pushed(host, { params: { prompt: 'consent' } })
    const [agent, other] = [await signedIn(host, 'alice'), await signedIn(host, 'bob')]
    await agent.follow(visitUrl(host, requestUri))
    const theirs = await other.follow(visitUrl(host, requestUri))
    const again = await agent.follow(visitUrl(host, requestUri))
    expectCode(host, await decide(agent, again, 'approve'))
    await expectUnusable(requestUri, 'request_uri_used')
    expectAnswered(await decide(other, theirs, 'approve'))
    expectAnswered(await decide(other, theirs, 'deny'))
    expect(told('code.issued')).toEqual([])
  })

  test('PAR-05 a user who denies has answered it too', async () => {
    const requestUri = await pushed(host, { params: { prompt: 'consent' } })
    const agent = await signedIn(host, 'alice')
    const [first, second] = [await visit(agent, requestUri), await visit(agent, requestUri)]
    expectErrorRedirect(host, await decide(agent, first, 'deny'), 'access_denied')
    await expectUnusable(requestUri, 'request_uri_used')
    expectAnswered(await decide(agent, second, 'approve'))
    // A second click in the page that was decided gets the same answer.
    expectErrorRedirect(host, await decide(agent, first, 'approve'), 'access_denied')
  })

  test('an error that asks nobody does not use it up', async () => {
    const requestUri = await pushed(host, { client: 'first', params: { prompt: 'none' } })
    const nobody = await new Agent(host).get(visitUrl(host, requestUri, { client: 'first' }))
    const redirectUri = 'https://first.example/cb'
    expectErrorRedirect(host, nobody, 'login_required', { redirectUri })
    const agent = await signedIn(host, 'alice')
    expectCode(host, await agent.get(visitUrl(host, requestUri, { client: 'first' })), { redirectUri })
    await expectUnusable(requestUri, 'request_uri_used', 'first')
  })

  test('UI-01 who has to sign in first comes back to it', async () => {
    const requestUri = await pushed(host, { client: 'first' })
    const agent = new Agent(host)
    const login = await agent.follow(visitUrl(host, requestUri, { client: 'first' }))
    const returnTo = new URL(login.url).searchParams.get('return_to') ?? ''
    expect(returnTo).toMatch(/^\/oauth\/consent\/[\w-]{64}$/)
    const back = await agent.login('alice', returnTo)
    expect(destination(back).searchParams.get('code')).toMatch(/./)
    await expectUnusable(requestUri, 'request_uri_used', 'first')
  })

  test('the age of a sign-in counts from the visit, not from when the request was pushed', async () => {
    const params = { max_age: '20', scope: 'openid read' }
    const requestUri = await pushed(host, { client: 'first', params })
    signedInAt = new Date(host.now())
    const agent = await signedIn(host, 'alice')
    host.advance(30)
    const page = await agent.follow(visitUrl(host, requestUri, { client: 'first' }))
    const login = new URL(page.url)
    expect(login.pathname).toBe('/login')
    // Nor does it once they come back, as they left.
    const back = await agent.follow(host.origin + login.searchParams.get('return_to'))
    expect(new URL(back.url).pathname).toBe('/login')
  })

  test('an address or a client that was withdrawn meanwhile gets no answer', async () => {
    const metadata = { client_name: 'Changing', token_endpoint_auth_method: 'none', redirect_uris }
    const { client_id: client } = await host.oauth.clients.create(metadata)
    const params = { redirect_uri: 'https://rp.example/cb' }
    const proof = { headers: {}, form: { client_id: client } }
    const requestUri = await pushed(host, { client, params, proof })
    await host.oauth.clients.update(client, { redirect_uris: ['https://rp.example/new'] })
    await expectUnusable(requestUri, 'request_uri_withdrawn', client)
    await host.oauth.clients.delete(client)
    expectErrorPage(await new Agent(host).get(visitUrl(host, requestUri, { client })))
  })
})

describe('RACE-04 whatever happens at once, one request_uri gives one code', () => {
  async function expectOneCode(answers: readonly Page[]): Promise<Page[]> {
    const codes = answers.flatMap((page) => new URL(page.location ?? 'x:').searchParams.getAll('code'))
    const [code] = codes
    expect(new Set(codes).size).toBe(1)
    expectTokens(await redeem(host, code ?? '', { client: 'conf' }))
    return answers.filter((page) => page.location === undefined)
  }

  test('20 visits of which none has to be asked', async () => {
    const agent = await signedIn(host, 'alice')
    await complete(await pushed(host), agent)
    const requestUri = await pushed(host)
    const visits = Array.from({ length: 20 }, () => agent.get(visitUrl(host, requestUri)))
    const others = await expectOneCode(await Promise.all(visits))
    expect(others).toHaveLength(19)
    for (const page of others) expectErrorPage(page, { code: 'invalid_request_uri' })
    expect(told('code.issued')).toHaveLength(2)
  })

  test('20 pages, all approved', async () => {
    const agent = await signedIn(host, 'alice')
    const requestUri = await pushed(host, { params: { prompt: 'consent' } })
    // The first page brings the cookie that the forms of all are bound to.
    const first = await visit(agent, requestUri)
    const pages = [first, ...(await Promise.all(Array.from({ length: 19 }, () => visit(agent, requestUri))))]
    const answers = await Promise.all(pages.map((page) => decide(agent, page, 'approve')))
    const others = await expectOneCode(answers)
    expect(others).toHaveLength(19)
    others.map(expectAnswered)
    expect(told('code.issued')).toHaveLength(1)
  })

  test('one page, approved 20 times', async () => {
    const agent = await signedIn(host, 'alice')
    const page = await visit(agent, await pushed(host, { params: { prompt: 'consent' } }))
    const clicks = Array.from({ length: 20 }, () => decide(agent, page, 'approve'))
    expect(await expectOneCode(await Promise.all(clicks))).toEqual([])
  })

  test('pages approved, denied, and visits that ask nobody', async () => {
    const agent = await signedIn(host, 'alice')
    for (let round = 0; round < 5; round++) {
      const { client_id: client } = await host.oauth.clients.create({
        ...{ client_name: 'Racing', token_endpoint_auth_method: 'none', redirect_uris },
      })
      const proof = { headers: {}, form: { client_id: client } }
      const params = { redirect_uri: 'https://rp.example/cb' }
      const requestUri = await pushed(host, { client, params, proof })
      const url = visitUrl(host, requestUri, { client })
      const pages = await Promise.all([agent.follow(url), agent.follow(url), agent.follow(url)])
      const once = await agent.follow(
        visitUrl(host, await pushed(host, { client, params, proof }), { client }),
      )
      await decide(agent, once, 'approve')
      host.events.length = 0
      const answers = await Promise.all([
        decide(agent, pages[0]!, 'approve'),
        agent.get(url),
        decide(agent, pages[1]!, 'deny'),
        decide(agent, pages[2]!, 'approve'),
        agent.get(url),
      ])
      const sent = answers.flatMap(({ location }) => (location === undefined ? [] : [new URL(location)]))
      expect(sent).toHaveLength(1)
      expect(told('code.issued').length + told('consent.denied').length).toBe(1)
    }
  })

  test('STOR-02 where the store fails between the two steps, the same page can be approved again, and no other', async () => {
    const { own, store } = await withFaults()
    const agent = await signedIn(own, 'alice')
    const requestUri = await pushed(own)
    const [first, second] = [await visit(agent, requestUri, own), await visit(agent, requestUri, own)]
    store.fail('consume', 'answer lost')
    expect((await decide(agent, first, 'approve')).status).toBe(503)
    store.heal()
    expectAnswered(await decide(agent, second, 'approve'))
    const code = expectCode(own, await decide(agent, first, 'approve'))
    expectTokens(await redeem(own, code))
    await own.close()
  })
})

describe('where requests have to be pushed', () => {
  let strict: Host
  beforeAll(async () => {
    const relaxed = { client_id: 'relaxed', client_secret: 'relaxed-secret', redirect_uris }
    strict = await startHost({
      provider: {
        clients: [...clients, ...deviceClients, { ...relaxed, require_pushed_authorization_requests: false }],
        requirePushedAuthorizationRequests: true,
      },
    })
  })
  afterAll(() => strict.close())

  test.each(['conf', 'relaxed', 'pub'])(
    'PAR-07 a plain request of %s is refused, and a pushed one is not',
    async (client) => {
      const { page } = await toConsent(strict, { client })
      const redirectUri = client === 'pub' ? 'https://spa.example/cb' : 'https://rp.example/cb'
      const members = expectErrorRedirect(strict, page, 'invalid_request', { redirectUri })
      expect(members.get('error_description')).toContain('pushed_authorization_request_endpoint')
      const agent = await signedIn(strict, 'bob')
      const requestUri = await pushed(strict, { client })
      const asked = await agent.follow(visitUrl(strict, requestUri, { client }))
      expectCode(strict, await decide(agent, asked, 'approve'), { redirectUri })
    },
  )

  test('PAR-07 the device flow goes on as before', async () => {
    expect((await askForCodes(strict)).status).toBe(200)
  })

  test('PAR-07 the client may demand it for itself', async () => {
    const { page } = await toConsent(host, { client: 'pushing' })
    expectErrorRedirect(host, page, 'invalid_request')
    expect(told('authorization.refused')).toEqual([
      { clientId: 'pushing', error: 'invalid_request', reason: 'not_pushed', redirected: true },
    ])
    const agent = await signedIn(host, 'alice')
    expect((await visit(agent, await pushed(host, { client: 'pushing' }), host, 'pushing')).text).toContain(
      'name="decision"',
    )
  })

  test('AUTHZ-05 that is said only where the redirect URI is proven, and the metadata says it to all', async () => {
    const agent = await signedIn(strict, 'alice')
    const params = { redirect_uri: 'https://evil.example/cb' }
    expectErrorPage(await agent.get(authorizeUrl(strict, { params })))
    const metadata = await fetch(`${strict.issuer}/.well-known/openid-configuration`)
    expect(await metadata.json()).toMatchObject({ require_pushed_authorization_requests: true })
  })
})

describe('RFC 9449 §10.1 a key for the code', () => {
  const url = () => `${host.issuer}/par`
  const withProof = (options = {}) => ({ dpop: proof(host, { url: url(), ...options }) })

  test('the key of a proof at /par is the one that the code needs', async () => {
    const requestUri = await pushed(host, { headers: withProof(), params: { prompt: 'consent' } })
    const { code } = await complete(requestUri)
    expectRefusal(await redeem(host, code), 400, 'invalid_dpop_proof')
    expectRefusal(await redeemProven(host, code, { key: anotherKey }), 400, 'invalid_grant')
    const { status, body } = await redeemProven(host, code)
    expect([status, body.token_type]).toEqual([200, 'DPoP'])
  })

  test('dpop_jkt names it too; beside a proof it has to name the same', async () => {
    const params = { prompt: 'consent', dpop_jkt: aKey.jkt }
    for (const headers of [{}, withProof()]) {
      const { code } = await complete(await pushed(host, { headers, params }))
      expectRefusal(await redeem(host, code), 400, 'invalid_dpop_proof')
      expect((await redeemProven(host, code)).status).toBe(200)
    }
    const other = { headers: withProof({ key: anotherKey }), params }
    await expectNotPushed(other, 400, 'invalid_dpop_proof')
  })

  test('DPOP-02 a proof that is wrong is refused, as it is at /token', async () => {
    await expectNotPushed({ headers: withProof({ url: `${host.issuer}/token` }) }, 400, 'invalid_dpop_proof')
    await expectNotPushed({ headers: withProof({ method: 'GET' }) }, 400, 'invalid_dpop_proof')
    await expectNotPushed({ headers: { dpop: 'x' } }, 400, 'invalid_dpop_proof')
    const headers = withProof()
    await pushed(host, { headers })
    await expectNotPushed({ headers }, 400, 'invalid_dpop_proof')
  })

  test('a refused request does not use the proof up', async () => {
    const headers = withProof()
    await expectNotPushed({ headers, params: { scope: 'nope' } }, 400, 'invalid_scope')
    await pushed(host, { headers })
  })

  test('a client whose tokens are always bound may push without a proof', async () => {
    const { code } = await complete(await pushed(host, { client: 'bound' }), undefined, 'bound')
    expect((await redeemProven(host, code, { client: 'bound' })).status).toBe(200)
  })
})

/** The page that a visit with a request_uri leads to. */
function visit(agent: Agent, requestUri: string, at = host, client = 'conf'): Promise<Page> {
  return agent.follow(visitUrl(at, requestUri, { client }))
}

/** The whole way from a request_uri to a code. */
async function complete(requestUri: string, agent?: Agent, client = 'conf'): Promise<{ code: string }> {
  const browser = agent ?? (await signedIn(host, 'alice'))
  const page = await visit(browser, requestUri, host, client)
  const answer = page.text.includes('name="decision"') ? await decide(browser, page, 'approve') : page
  return { code: expectCode(host, answer) }
}

/** A page that says that somebody has decided, and no answer for the client. */
function expectAnswered(page: Page): void {
  expectErrorPage(page)
  expect(page.text).toContain('You have already answered')
}

async function withFaults() {
  const store = faultyStore(openStore(':memory:', Date.now), OPERATIONS)
  return { store, own: await startHost({ provider: { store } }) }
}
