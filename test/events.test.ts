import { type Agent, inputValue, type Page } from './support/agent.js'
import {
  authorizeUrl,
  callApi,
  decide,
  destination,
  getCode,
  getTokens,
  postToken,
  redeem,
  refresh,
  signedIn,
  toConsent,
  VERIFIER,
} from './support/flow.js'
import { type Host, startHost } from './support/host.js'

let host: Host
beforeEach(async () => {
  host = await startHost()
})
afterEach(() => host.close())

type Told = [name: string, event: object]

/** What has been told since the last call. */
function told(): Told[] {
  return host.events.splice(0).map(({ name, event }) => [name, event])
}

const grantId = expect.stringMatching(/^[\w-]+$/)

test('the way to tokens: login, approval, code, tokens, renewal', async () => {
  const { agent, page } = await toConsent(host)
  expect(told()).toEqual([])
  const code = destination(await decide(agent, page, 'approve')).searchParams.get('code') ?? ''
  const allowed = { clientId: 'conf', userId: 'alice', grantId, scopes: ['read'] }
  expect(told()).toEqual([
    ['consent.approved', allowed],
    ['code.issued', { ...allowed, remembered: false }],
  ])
  const { body } = await redeem(host, code)
  expect(told()).toEqual([['token.issued', { ...allowed, grantType: 'authorization_code' }]])
  await refresh(host, body.refresh_token)
  expect(told()).toEqual([['token.issued', { ...allowed, grantType: 'refresh_token' }]])
  await agent.get(authorizeUrl(host))
  expect(told()).toEqual([['code.issued', { ...allowed, remembered: true }]])
})

test('the browser is sent to the login', async () => {
  const { page } = await toConsent(host, { agent: await anonymous() })
  expect(page.text).toContain('name="return_to"')
  expect(told()).toEqual([['login.required', { clientId: 'conf' }]])
})

async function anonymous(): Promise<Agent> {
  const agent = await signedIn(host, 'alice')
  agent.cookies.clear()
  return agent
}

test('the user denies', async () => {
  const { agent, page } = await toConsent(host)
  await decide(agent, page, 'deny')
  expect(told()).toEqual([
    ['consent.denied', { clientId: 'conf', userId: 'alice' }],
    [
      'authorization.refused',
      { clientId: 'conf', error: 'access_denied', reason: expect.any(String), redirected: true },
    ],
  ])
})

describe('authorization.refused, by redirect, with a stable reason', () => {
  test.each([
    ['invalid_request', 'response_type_missing', { response_type: undefined }],
    ['unsupported_response_type', 'response_type', { response_type: 'token' }],
    ['invalid_request', 'pkce_missing', { code_challenge: undefined, code_challenge_method: undefined }],
    ['invalid_request', 'pkce_method', { code_challenge_method: 'plain' }],
    ['invalid_request', 'pkce_malformed', { code_challenge: 'x' }],
    ['invalid_request', 'parameter_repeated', { state: ['a', 'b'] }],
    ['invalid_request', 'prompt_unknown', { prompt: 'always' }],
    ['invalid_scope', 'scope_unknown', { scope: 'nope' }],
    ['invalid_scope', 'scope_malformed', { scope: 'a"b' }],
    ['invalid_target', 'resource_unknown', { resource: 'https://elsewhere.example' }],
    ['request_not_supported', 'request_not_supported', { request: 'x' }],
    ['request_uri_not_supported', 'request_uri_not_supported', { request_uri: 'https://x.example' }],
    ['consent_required', 'consent_missing', { prompt: 'none' }],
  ] as const)('%s %s', async (error, reason, params) => {
    await toConsent(host, { params })
    expect(told()).toEqual([['authorization.refused', { clientId: 'conf', error, reason, redirected: true }]])
  })
})

describe('authorization.refused, on a page, with the reference that the page shows', () => {
  test.each([
    ['client_id_missing', { client_id: undefined }],
    ['client_unknown', { client_id: 'nobody' }],
    ['client_unknown', { client_id: 'off' }],
    ['redirect_uri_missing', { redirect_uri: ['https://rp.example/cb', 'https://rp.example/cb'] }],
    ['redirect_uri_mismatch', { redirect_uri: 'https://rp.example/cb/' }],
  ])('%s', async (reason, params) => {
    const { page } = await toConsent(host, { params })
    expectReference(page, { error: 'invalid_request', reason, redirected: false })
  })

  test('request_expired, other_browser, method_not_allowed, content_type', async () => {
    const { agent, page } = await toConsent(host)
    const stranger = await signedIn(host, 'bob')
    expectReference(await stranger.get(page.url), {
      error: 'access_denied',
      reason: 'other_browser',
      redirected: false,
    })
    expectReference(await agent.request(page.url, { method: 'PUT' }), {
      error: 'invalid_request',
      reason: 'method_not_allowed',
      redirected: false,
    })
    expectReference(
      await agent.request(page.url, {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json' },
      }),
      { error: 'invalid_request', reason: 'content_type', redirected: false },
    )
    host.advance(3601)
    expectReference(await agent.get(page.url), {
      error: 'invalid_request',
      reason: 'request_expired',
      redirected: false,
    })
  })

  test('a host without a session is told the cure, and the page the reference', async () => {
    const other = await startHost({
      session: (_req, _res, next) => next(),
      provider: { currentUser: () => 'alice' },
    })
    const response = await fetch(`${other.issuer}/authorized-applications`)
    const [failure, refused] = other.events
    expect(response.status).toBe(500)
    expect(failure?.name).toBe('server.error')
    expect(String(failure?.event.error)).toMatch(/no req\.session.*express-session/)
    expect(refused?.event).toMatchObject({ reason: 'session_missing', reference: failure?.event.reference })
    expect(await response.text()).toContain(String(failure?.event.reference))
    await other.close()
  })

  function expectReference(page: Page, event: object): void {
    const [refused, ...others] = told()
    expect(others).toEqual([])
    expect(refused).toEqual([
      'authorization.refused',
      { ...event, reference: expect.stringMatching(/^[0-9a-f]{12}$/) },
    ])
    expect(page.text).toContain((refused as [string, { reference: string }])[1].reference)
  }
})

describe('token.refused and client.authentication_failed', () => {
  const address = expect.stringMatching(/127\.0\.0\.1|::1/)

  test.each([
    ['client_unknown', 'nobody'],
    ['client_unknown', 'off'],
    ['credentials_missing', 'conf'],
  ])('%s: %s', async (reason, clientId) => {
    await fetch(`${host.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: clientId }),
    })
    expect(told()).toEqual([
      ['client.authentication_failed', { clientId, reason, address }],
      ['token.refused', { clientId, error: 'invalid_client', reason }],
    ])
  })

  test('secret_mismatch', async () => {
    await fetch(`${host.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: 'post', client_secret: 'wrong-secret' }),
    })
    expect(told()).toEqual([
      ['client.authentication_failed', { clientId: 'post', reason: 'secret_mismatch', address }],
      ['token.refused', { clientId: 'post', error: 'invalid_client', reason: 'secret_mismatch' }],
    ])
  })

  test.each([
    ['grant_type_missing', 'invalid_request', {}],
    ['grant_type_unknown', 'unsupported_grant_type', { grant_type: 'password' }],
    ['code_missing', 'invalid_request', { grant_type: 'authorization_code' }],
    ['code_unknown', 'invalid_grant', { grant_type: 'authorization_code', code: 'x' }],
    ['refresh_token_missing', 'invalid_request', { grant_type: 'refresh_token' }],
    ['refresh_token_unknown', 'invalid_grant', { grant_type: 'refresh_token', refresh_token: 'x' }],
    ['parameter_repeated', 'invalid_request', { grant_type: ['a', 'b'] }],
  ])('%s', async (reason, error, form) => {
    await postToken(host, form)
    expect(told()).toEqual([['token.refused', { clientId: 'conf', error, reason }]])
  })

  test('grant_type_not_registered', async () => {
    await postToken(host, { grant_type: 'refresh_token', refresh_token: 'x' }, { client: 'once' })
    expect(told()).toEqual([
      [
        'token.refused',
        { clientId: 'once', error: 'unauthorized_client', reason: 'grant_type_not_registered' },
      ],
    ])
  })

  test('a code of another client, with another redirect_uri, verifier, or too late', async () => {
    const { code } = await getCode(host)
    told()
    await redeem(host, code, { client: 'conf2' })
    await redeem(host, code, { form: { redirect_uri: 'https://rp.example/other' } })
    await redeem(host, code, { form: { code_verifier: undefined } })
    await redeem(host, code, { form: { code_verifier: 'y'.repeat(43) } })
    host.advance(61)
    await redeem(host, code)
    expect(told().map(([, event]) => (event as { reason: string }).reason)).toEqual([
      'code_of_other_client',
      'redirect_uri_mismatch',
      'pkce_verifier_missing',
      'pkce_mismatch',
      'code_expired',
    ])
  })

  test('a request that cannot be read', async () => {
    const url = `${host.issuer}/token`
    await fetch(url)
    await fetch(url, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
    await fetch(url, { method: 'POST', body: new URLSearchParams({ x: 'a'.repeat(70_000) }) })
    const body = `${'a=1&'.repeat(300)}`
    await fetch(url, { method: 'POST', body: new URLSearchParams(body) })
    expect(told()).toEqual(
      ['method_not_allowed', 'content_type', 'body_too_large', 'too_many_parameters'].map((reason) => [
        'request.refused',
        { endpoint: '/token', error: 'invalid_request', reason },
      ]),
    )
  })
})

test('code.reused and refresh_token.reused', async () => {
  const { code } = await getCode(host)
  await redeem(host, code)
  told()
  await redeem(host, code)
  const owner = { clientId: 'conf', userId: 'alice', grantId }
  expect(told()).toEqual([
    ['code.reused', owner],
    ['token.refused', { clientId: 'conf', error: 'invalid_grant', reason: 'code_reused' }],
  ])
  const tokens = await getTokens(host)
  await refresh(host, tokens.refresh_token)
  host.advance(11)
  told()
  await refresh(host, tokens.refresh_token)
  expect(told()).toEqual([
    ['refresh_token.reused', owner],
    ['token.refused', { clientId: 'conf', error: 'invalid_grant', reason: 'refresh_token_reused' }],
  ])
})

test('grant.revoked by a user who is gone', async () => {
  const tokens = await getTokens(host)
  host.users.delete('alice')
  told()
  await refresh(host, tokens.refresh_token)
  expect(told()).toEqual([
    ['grant.revoked', { userId: 'alice', by: 'user_gone' }],
    ['token.refused', { clientId: 'conf', error: 'invalid_grant', reason: 'user_gone' }],
  ])
})

test('access_token.refused where the grant was revoked', async () => {
  const tokens = await getTokens(host)
  await host.oauth.grants.revokeUser('alice')
  told()
  await callApi(host, '/api/read', tokens.access_token)
  expect(told()).toEqual([['access_token.refused', { error: 'invalid_token', reason: 'grant_revoked' }]])
})

test('access_token.refused names missing, malformed, unknown, for another resource, too narrow, expired', async () => {
  const narrow = await getTokens(host, { params: { resource: `${host.origin}/mcp` } })
  const whole = await getTokens(host)
  told()
  await callApi(host, '/api/read', undefined)
  await callApi(host, '/api/read', 'x y')
  await callApi(host, '/api/read', 'unknown')
  await callApi(host, '/api/read', narrow.access_token)
  await callApi(host, '/api/write', whole.access_token)
  host.advance(3600)
  await callApi(host, '/api/read', whole.access_token)
  expect(told().map(([name, event]) => [name, (event as { reason: string }).reason])).toEqual(
    [
      'token_missing',
      'token_malformed',
      'token_unknown',
      'token_for_other_resource',
      'insufficient_scope',
      'token_expired',
    ].map((reason) => ['access_token.refused', reason]),
  )
})

test('INJ-11 no event and no line on the console holds a code, token, secret, verifier, handle or cookie', async () => {
  const printed: unknown[] = []
  const spies = (['log', 'info', 'warn', 'error', 'debug'] as const).map((name) =>
    jest.spyOn(console, name).mockImplementation((...args) => void printed.push(args)),
  )
  const secrets = new Set<string>([VERIFIER, 'conf-secret', 'wrong-secret-value', 'post-secret'])
  const keep = (agent: Agent, ...pages: Page[]) => {
    for (const { value } of agent.cookies.values()) secrets.add(decodeURIComponent(value))
    for (const page of pages) {
      secrets.add(page.url.split('/consent/')[1] ?? VERIFIER)
      if (page.text.includes('_csrf')) secrets.add(inputValue(page, '_csrf'))
      const code = page.location?.includes('code=') && new URL(page.location).searchParams.get('code')
      if (code) secrets.add(code)
    }
  }
  for (const client of ['conf', 'pub', 'nat', 'post']) {
    const agent = await signedIn(host, 'alice')
    const first = await agent.follow(authorizeUrl(host, { client }))
    const answer = await decide(agent, first, 'approve')
    keep(agent, first, answer)
    const code = destination(answer).searchParams.get('code') ?? ''
    await redeem(host, code, { client, form: { code_verifier: 'z'.repeat(50) } })
    const tokens = (await redeem(host, code, { client })).body
    const renewed = (await refresh(host, tokens.refresh_token, { client })).body
    for (const value of [tokens, renewed]) secrets.add(value.access_token).add(value.refresh_token)
    for (const token of [tokens.access_token, renewed.refresh_token, `${tokens.access_token}x`])
      await callApi(host, '/api/write', token)
    await callApi(host, `/api/read?access_token=${tokens.access_token}`, tokens.access_token)
    await redeem(host, code, { client: 'conf2' })
    await redeem(host, code, { client })
    host.advance(11)
    await refresh(host, tokens.refresh_token, { client })
    // In the wrong places: as the id of a client, as a path, in the query.
    await postToken(host, { grant_type: 'authorization_code', code: tokens.refresh_token }, { client })
    await agent.post(first.url, { _csrf: 'x', decision: 'approve' })
    await agent.request(first.url, { method: 'PUT' })
    await (await signedIn(host, 'bob')).get(first.url)
    await agent.get(`${host.issuer}/authorize?code=${code}&client_id=${client}`)
  }
  await fetch(`${host.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: 'post', client_secret: 'wrong-secret-value' }),
  })
  const { agent, page } = await toConsent(host, { params: { prompt: 'consent' } })
  keep(agent, page)
  host.users.delete('alice')
  await decide(agent, page, 'approve')
  await host.oauth.close()
  await agent.get(page.url)
  await refresh(host, 'x'.repeat(64))
  for (const spy of spies) spy.mockRestore()

  expect(secrets.size).toBeGreaterThan(30)
  const text = host.events
    .map(
      ({ name, event }) =>
        `${name} ${JSON.stringify(event)} ${String(event.error)} ${(event.error as Error)?.stack}`,
    )
    .concat(printed.map(String))
    .join('\n')
  expect(text).toContain('server.error')
  for (const secret of secrets) expect(text).not.toContain(secret)
})

describe('listeners', () => {
  test('one that throws, or rejects later, fails no request and nothing else', async () => {
    const error = jest.spyOn(console, 'error').mockImplementation(() => undefined)
    const unhandled = jest.fn()
    process.on('unhandledRejection', unhandled)
    host.oauth.events.prependListener('token.issued', () => {
      throw new Error('listener threw')
    })
    host.oauth.events.on('code.issued', async () => {
      throw new Error('listener rejected')
    })
    await getTokens(host)
    await new Promise(setImmediate)
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
    expect(error.mock.calls.map(([line, cause]) => [line, String(cause)])).toEqual([
      ['oauthProvider: a listener of the event code.issued threw', 'Error: listener rejected'],
      ['oauthProvider: a listener of the event token.issued threw', 'Error: listener threw'],
    ])
    error.mockRestore()
  })

  test('without one, a failure of the server goes to the console', async () => {
    const error = jest.spyOn(console, 'error').mockImplementation(() => undefined)
    const failure = new Error('users are down')
    const other = await startHost({
      listen: false,
      provider: {
        findUser: () => {
          throw failure
        },
      },
    })
    await toConsent(other)
    expect(error).toHaveBeenCalledWith('oauthProvider:', failure)
    error.mockRestore()
    await other.close()
  })
})
