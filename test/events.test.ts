import { once } from 'node:events'
import { connect } from 'node:net'
import { Agent, inputValue, type Page } from './support/agent.js'
import { fetch } from './support/fetch.js'
import {
  authorizeUrl,
  basic,
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
import { type Host, type HostOptions, startHost } from './support/host.js'
import { REMEDY } from './support/token-endpoint.js'
import { introspect, postAs, revoke } from './support/tokens.js'

let host: Host
beforeEach(async () => {
  host = await startHost()
})
afterEach(() => host.close())

/** What clients call themselves. */
const CLIENT_ENDPOINTS = ['/token', '/revoke', '/introspect', '/par', '/device_authorization']

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
    ['consent.approved', { ...allowed, first: true }],
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
    ['invalid_request_object', 'request_object_malformed', { request: 'x' }],
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
    const known = reason.startsWith('redirect_uri') && { clientId: 'conf' }
    expectReference(page, { error: 'invalid_request', reason, redirected: false, ...known })
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
    expect(refused).toEqual({
      name: 'request.refused',
      event: {
        endpoint: '/authorized-applications',
        error: 'server_error',
        reason: 'session_missing',
        reference: failure?.event.reference,
      },
    })
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
    const { body } = await postToken(host, form)
    expect(told()).toEqual([['token.refused', { clientId: 'conf', error, reason }]])
    expect(body).toHaveProperty('error_description', expect.stringMatching(REMEDY))
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
    const { body } = await redeem(host, code, { client: 'conf2' })
    expect(body).toHaveProperty('error_description', expect.stringMatching(REMEDY))
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

  test.each(CLIENT_ENDPOINTS)('a request to %s that cannot be read', async (endpoint) => {
    const url = host.issuer + endpoint
    await fetch(url)
    await fetch(url, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
    await fetch(url, { method: 'POST', body: new URLSearchParams({ x: 'a'.repeat(70_000) }) })
    const body = `${'a=1&'.repeat(300)}`
    await fetch(url, { method: 'POST', body: new URLSearchParams(body) })
    expect(told()).toEqual(
      ['method_not_allowed', 'content_type', 'body_too_large', 'too_many_parameters'].map((reason) => [
        'request.refused',
        { endpoint, error: 'invalid_request', reason },
      ]),
    )
  })
})

test('client.authentication_failed has the address of who hangs up before the answer', async () => {
  const failed = once(host.oauth.events, 'client.authentication_failed')
  const { hostname, port, pathname } = new URL(host.issuer)
  const form = 'grant_type=client_credentials&client_id=post&client_secret=wrong'
  const socket = connect(Number(port), hostname)
  socket.write(
    `POST ${pathname}/token HTTP/1.1\r\nHost: ${hostname}\r\nExpect: 100-continue\r\n` +
      `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${form.length}\r\n\r\n`,
  )
  await once(socket, 'data')
  socket.write(form, () => socket.resetAndDestroy())
  expect(await failed).toEqual([{ clientId: 'post', reason: 'secret_mismatch', address: '127.0.0.1' }])
})

describe('request.refused by an endpoint for clients, with the client', () => {
  const OTHERS = CLIENT_ENDPOINTS.filter((path) => path !== '/token')

  test.each(OTHERS)(
    '%s: one that is not known, or does not prove itself, is told twice',
    async (endpoint) => {
      for (const [clientId, reason, shown] of [
        ['nobody', 'client_unknown', 'nobody'],
        ['conf', 'credentials_missing', 'conf'],
        ['x '.repeat(300), 'client_unknown', 'x '.repeat(300).slice(0, 255)],
        // As long as a token, which it may be.
        ['x'.repeat(43), 'client_unknown', `${'x'.repeat(16)}...`],
      ] as const) {
        const body = new URLSearchParams({ client_id: clientId, token: 'x' })
        await fetch(host.issuer + endpoint, { method: 'POST', body })
        const whom = { clientId: shown, reason }
        expect(told()).toEqual([
          ['client.authentication_failed', { ...whom, address: expect.any(String) }],
          ['request.refused', { ...whom, endpoint, error: 'invalid_client' }],
        ])
      }
    },
  )

  test.each(OTHERS)('%s: nobody at all', async (endpoint) => {
    await fetch(host.issuer + endpoint, { method: 'POST', body: new URLSearchParams({ token: 'x' }) })
    expect(told()).toEqual([
      ['request.refused', { endpoint, error: 'invalid_client', reason: 'credentials_missing' }],
    ])
  })

  test.each([
    ['/revoke', 'invalid_request', 'token_parameter_missing', {}],
    ['/introspect', 'invalid_request', 'token_parameter_missing', {}],
    ['/introspect', 'invalid_request', 'parameter_repeated', { token: ['a', 'b'] }],
    ['/par', 'invalid_request', 'response_type_missing', {}],
    ['/device_authorization', 'unauthorized_client', 'grant_type_not_registered', {}],
  ])('%s: %s %s', async (endpoint, error, reason, form) => {
    await postAs(host, endpoint, { form })
    expect(told()).toEqual([['request.refused', { endpoint, clientId: 'conf', error, reason }]])
  })
})

test('token.revoked tells which kind, and what is refused after it', async () => {
  const tokens = await getTokens(host)
  told()
  for (const token of [tokens.access_token, tokens.refresh_token, tokens.refresh_token])
    await revoke(host, token)
  const whose = { clientId: 'conf', userId: 'alice', grantId }
  expect(told()).toEqual([
    ['token.revoked', { ...whose, kind: 'access' }],
    ['token.revoked', { ...whose, kind: 'refresh' }],
  ])
  const other = await getTokens(host)
  await revoke(host, other.access_token)
  told()
  for (const token of [other.access_token, tokens.access_token]) await callApi(host, '/api/read', token)
  await refresh(host, tokens.refresh_token)
  const refused = (reason: string) => ['access_token.refused', { error: 'invalid_token', reason }]
  expect(told()).toEqual([
    refused('token_revoked'),
    refused('grant_revoked'),
    ['token.refused', { clientId: 'conf', error: 'invalid_grant', reason: 'grant_revoked' }],
  ])
})

describe('each outcome has its own reason, once:', () => {
  const API = 'https://api.example'
  const FILES = 'https://files.example'
  const resources = { [API]: { scopes: ['read'] }, [FILES]: { scopes: ['write'] } }
  const right = { client_id: 'conf', client_secret: 'conf-secret' }
  const post = (own: Host, form: Record<string, string>, headers: Record<string, string> = {}) =>
    fetch(`${own.issuer}/token`, { method: 'POST', headers, body: new URLSearchParams(form) })
  const ask = async (own: Host, params: Record<string, string>, agent = new Agent(own)) =>
    agent.get(authorizeUrl(own, { params }))

  const cases: readonly (readonly [
    reason: string,
    event: string,
    happen: (own: Host) => Promise<unknown>,
    options?: HostOptions,
  ])[] = [
    ['prompt_conflict', 'authorization.refused', (own) => ask(own, { prompt: 'none login' })],
    ['not_signed_in', 'authorization.refused', (own) => ask(own, { prompt: 'none' })],
    ['response_mode', 'authorization.refused', (own) => ask(own, { response_mode: 'fragment' })],
    ['registration_not_supported', 'authorization.refused', (own) => ask(own, { registration: '{}' })],
    [
      'unexpected_error',
      'authorization.refused',
      (own) => ask(own, {}),
      { provider: { currentUser: () => ({}) } },
    ],
    [
      'store_unavailable',
      'authorization.refused',
      async (own) => {
        const agent = await signedIn(own, 'alice')
        await own.oauth.close()
        await ask(own, {}, agent)
      },
    ],
    [
      'request_too_long',
      'authorization.refused',
      (own) => new Agent(own).post(`${own.issuer}/authorize`, { state: 's'.repeat(9000) }),
    ],
    [
      'user_denied',
      'authorization.refused',
      async (own) => {
        const { agent, page } = await toConsent(own)
        await decide(agent, page, 'deny')
      },
    ],
    [
      'already_answered',
      'authorization.refused',
      async (own) => {
        const { agent, page } = await toConsent(own)
        const answer = await decide(agent, page, 'approve')
        await redeem(own, destination(answer).searchParams.get('code') ?? '')
        await agent.get(page.url)
      },
    ],
    [
      'csrf',
      'authorization.refused',
      async (own) => {
        const { agent, page } = await toConsent(own)
        await agent.post('/logout', {})
        await decide(agent, page, 'approve')
      },
    ],
    [
      'login_loop',
      'authorization.refused',
      async (own) => {
        const agent = new Agent(own)
        const path = (await ask(own, {}, agent)).location?.split('return_to=')[1] ?? ''
        await agent.get(path)
        await agent.get(path)
      },
    ],
    [
      'not_signed_in_again',
      'authorization.refused',
      async (own) => {
        const agent = await signedIn(own, 'alice')
        const path = (await ask(own, { prompt: 'login' }, agent)).location?.split('return_to=')[1] ?? ''
        await agent.get(path)
        await agent.get(path)
      },
      { provider: { authTime: () => 0 } },
    ],
    ['methods_conflict', 'token.refused', (own) => post(own, right, { authorization: basic('conf', 'x') })],
    ['method_not_registered', 'token.refused', (own) => post(own, right)],
    ['assertion_type_unknown', 'token.refused', (own) => post(own, { client_assertion: 'a.b.c' })],
    ['basic_malformed', 'token.refused', (own) => post(own, {}, { authorization: 'Basic !' })],
    ['client_id_missing', 'token.refused', (own) => post(own, { client_secret: 'x' })],
    [
      'client_id_conflict',
      'token.refused',
      (own) => post(own, { client_id: 'conf2' }, { authorization: basic('conf', 'conf-secret') }),
    ],
    [
      'too_many_failures',
      'token.refused',
      async (own) => {
        for (let at = 0; at < 20; at++) await post(own, {}, { authorization: basic('conf', `guess-${at}`) })
        own.events.splice(0)
        await post(own, {}, { authorization: basic('conf', 'conf-secret') })
      },
    ],
    [
      'pkce_unexpected',
      'token.refused',
      async (own) => {
        const params = { code_challenge: undefined, code_challenge_method: undefined }
        const { code } = await getCode(own, { client: 'nopkce', params })
        await redeem(own, code, { client: 'nopkce' })
      },
    ],
    [
      'pkce_verifier_malformed',
      'token.refused',
      async (own) => redeem(own, (await getCode(own)).code, { form: { code_verifier: 'x' } }),
    ],
    [
      'pkce_too_many_failures',
      'token.refused',
      async (own) => {
        const { code } = await getCode(own)
        const form = { code_verifier: 'y'.repeat(43) }
        for (let at = 0; at < 5; at++) await redeem(own, code, { form })
        own.events.splice(0)
        await redeem(own, code)
      },
    ],
    [
      'redirect_uri_missing',
      'token.refused',
      async (own) => {
        const params = { code_challenge: undefined, code_challenge_method: undefined }
        const { code } = await getCode(own, { client: 'nopkce', params })
        const form = { code_verifier: undefined, redirect_uri: undefined }
        await redeem(own, code, { client: 'nopkce', form })
      },
    ],
    [
      'grant_revoked',
      'token.refused',
      async (own) => {
        const { code } = await getCode(own)
        await own.oauth.grants.revokeUser('alice')
        await redeem(own, code)
      },
    ],
    [
      'refresh_token_of_other_client',
      'token.refused',
      async (own) => refresh(own, (await getTokens(own)).refresh_token, { client: 'conf2' }),
    ],
    [
      'refresh_token_expired',
      'token.refused',
      async (own) => {
        const { refresh_token } = await getTokens(own)
        own.advance(30 * 86_400)
        await refresh(own, refresh_token)
      },
    ],
    [
      'scope_not_granted',
      'token.refused',
      async (own) => refresh(own, (await getTokens(own)).refresh_token, { form: { scope: 'write' } }),
    ],
    [
      'scope_gone',
      'token.refused',
      async (own) => {
        const redirect_uris = ['https://rp.example/cb']
        const client = { client_id: 'passing', client_secret: 'passing-secret', redirect_uris }
        await own.oauth.clients.create(client)
        const { refresh_token } = await getTokens(own, { client: 'passing' })
        await own.oauth.clients.update('passing', { scope: 'write' })
        await refresh(own, refresh_token, { client: 'passing' })
      },
    ],
    [
      'resource_not_granted',
      'token.refused',
      async (own) => {
        const { code } = await getCode(own, { params: { resource: API } })
        await redeem(own, code, { form: { resource: FILES } })
      },
      { provider: { resources } },
    ],
    [
      'resource_without_scope',
      'token.refused',
      async (own) => {
        const { code } = await getCode(own, { params: { scope: 'read', resource: [API, FILES] } })
        await redeem(own, code, { form: { resource: FILES } })
      },
      { provider: { resources } },
    ],
    [
      'body_consumed',
      'request.refused',
      (own) => post(own, right),
      {
        before: (app) => {
          app.use('/oauth/token', (req, _res, next) => void req.resume().on('end', () => next()))
        },
      },
    ],
    [
      'store_unavailable',
      'access_token.refused',
      async (own) => {
        const { access_token } = await getTokens(own)
        await own.oauth.close()
        await callApi(own, '/api/read', access_token)
      },
    ],
  ]

  const rows = cases.map(([reason, event, happen, options = {}]) => [reason, event, happen, options] as const)
  test.each(rows)('%s in %s', async (reason, event, happen, options) => {
    const own = await startHost(options)
    await happen(own)
    const refusals = own.events.filter(({ name }) => name.endsWith('.refused'))
    expect(refusals.map(({ name, event }) => [name, event.reason])).toEqual([[event, reason]])
    await own.close()
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

test('request.refused by a page that belongs to no authorization request, with the reference that it shows', async () => {
  const url = `${host.issuer}/authorized-applications`
  const page = await (await signedIn(host, 'alice')).request(url, { method: 'DELETE' })
  const [[name, event] = [], ...others] = told()
  expect(others).toEqual([])
  expect(name).toBe('request.refused')
  expect(event).toEqual({
    endpoint: '/authorized-applications',
    error: 'invalid_request',
    reason: 'method_not_allowed',
    reference: expect.stringMatching(/^[0-9a-f]{12}$/),
  })
  expect(page.status).toBe(405)
  expect(page.headers.get('allow')).toBe('GET, HEAD, POST')
  expect(page.text).toContain((event as { reference: string }).reference)
})

test('grant.revoked by the host: one grant with its client, all of a user with the user alone', async () => {
  await getTokens(host)
  await getTokens(host, { client: 'conf2' })
  const [kept] = await host.oauth.grants.list({ userId: 'alice', clientId: 'conf' })
  told()
  expect(await host.oauth.grants.revoke(kept?.id ?? '')).toBe(true)
  expect(await host.oauth.grants.revoke(kept?.id ?? '')).toBe(false)
  expect(await host.oauth.grants.revokeUser('alice')).toBe(1)
  expect(await host.oauth.grants.revokeUser('alice')).toBe(0)
  expect(told()).toEqual([
    ['grant.revoked', { userId: 'alice', clientId: 'conf', grantId: kept?.id, by: 'host' }],
    ['grant.revoked', { userId: 'alice', by: 'host' }],
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
    for (const token of [tokens.access_token, tokens.refresh_token, `${tokens.access_token}x`]) {
      for (const asking of ['conf2', 'pub', client]) {
        await introspect(host, token, { client: asking })
        if (asking !== client) await revoke(host, token, { client: asking })
      }
      await postAs(host, '/par', { client, form: { request_uri: token, state: token } })
      await postAs(host, '/device_authorization', { client, form: { scope: token } })
      await revoke(host, token, { client: 'nobody', headers: { authorization: `Bearer ${token}` } })
    }
    await redeem(host, code, { client: 'conf2' })
    await redeem(host, code, { client })
    await revoke(host, renewed.access_token, { client })
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
