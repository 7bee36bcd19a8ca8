import { createHmac, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto'
import type { RequestHandler } from 'express'
import helmet from 'helmet'
import type { OAuthProviderOptions } from '../lib/index.js'
import { Agent, type Page } from './support/agent.js'
import { expectErrorRedirect, expectPageHeaders } from './support/answers.js'
import { authorizeUrl, callApi, getTokens, refresh, signedIn } from './support/flow.js'
import { type Host, type HostOptions, startHost, type User } from './support/host.js'
import { LOGOUT_PARAMETERS } from './support/openid.js'
import { rsaKey } from './support/rsa-keys.js'
import { sessionsWithoutId } from './support/sessions-without-id.js'

const OUT = 'https://rp.example/out'
const { privateKey: SIGNER } = rsaKey(0)
const { privateKey: STRANGER } = rsaKey(1)
const KEY = { ...SIGNER.export({ format: 'jwk' }), kid: 'ours', alg: 'RS256', use: 'sig' }
const PAYLOADS = [
  `"><svg onload=alert(1)>`,
  `'-alert(1)-'`,
  'javascript:alert(1)',
  '</script><script>alert(1)</script>',
  `<%=7*7%>\${7*7}{{7*7}}#{7*7}`,
]

const client = (id: string, more: object = {}) => ({
  client_id: id,
  client_secret: `${id}-secret`,
  client_name: id,
  redirect_uris: ['https://rp.example/cb'],
  ...more,
})

const clients = [
  client('conf', {
    client_name: 'The Print Shop',
    post_logout_redirect_uris: [OUT, 'https://rp.example/out?x=1'],
  }),
  client('conf2', {
    redirect_uris: ['https://rp2.example/cb'],
    post_logout_redirect_uris: ['https://rp2.example/out'],
  }),
  client('pairwise', { subject_type: 'pairwise', post_logout_redirect_uris: [OUT] }),
  client('off', { disabled: true, post_logout_redirect_uris: [OUT] }),
  client('none'),
  client('userinfo', { userinfo_signed_response_alg: 'RS256', post_logout_redirect_uris: [OUT] }),
  {
    client_id: 'native',
    redirect_uris: ['https://rp.example/cb'],
    post_logout_redirect_uris: ['com.example.app:/out'],
  },
]

/** What a host's own sign-out does, without its answer. */
const destroy: NonNullable<OAuthProviderOptions['logout']> = (req) =>
  new Promise((done) => (req as import('express').Request).session.destroy(done))

let host: Host
let alice: Agent
let hint: string

afterEach(() => host.close())

type Provider = Omit<Partial<OAuthProviderOptions<User>>, 'logout'> & {
  /** False leaves the option out. */
  readonly logout?: NonNullable<OAuthProviderOptions['logout']> | false
}

async function start({ logout = destroy, ...provider }: Provider = {}, more: HostOptions = {}) {
  host = await startHost({
    provider: {
      ...{ keys: [KEY], clients, pairwiseSalt: 'p'.repeat(32), ...provider },
      ...(logout && { logout }),
    },
    ...more,
  })
  ;({ agent: alice, idToken: hint } = await connect('conf'))
}

/** Signs in to a client. */
async function connect(id: string, user = 'alice', agent?: Agent) {
  const tokens = await getTokens(host, {
    client: id,
    user,
    params: { scope: 'openid read' },
    ...(agent && { agent }),
  })
  return { ...tokens, idToken: tokens.id_token as string }
}

type Parameters = Record<string, string | readonly string[] | undefined>

const url = (parameters: Parameters = {}) => {
  const query = new URLSearchParams()
  for (const [name, values] of Object.entries(parameters))
    for (const value of [values].flat()) if (value !== undefined) query.append(name, value)
  return `${host.issuer}/logout${query.size > 0 ? `?${query}` : ''}`
}

const ask = (parameters?: Parameters, agent = alice) => agent.get(url(parameters))

/** Presses a button of the page, with what its form holds. */
function press(page: Page, decision: 'approve' | 'deny', agent = alice): Promise<Page> {
  return agent.post(`${host.issuer}/logout`, { ...hidden(page), decision })
}

function hidden(page: Page): Record<string, string> {
  const inputs = [...page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)]
  const text = (value = '') => value.replaceAll('&#34;', '"').replaceAll('&amp;', '&')
  return Object.fromEntries(inputs.map(([, name, value]) => [name, text(value)]))
}

/** Whether the browser is still signed in at the host. */
async function isSignedIn(agent = alice): Promise<boolean> {
  return (await agent.get(`${host.issuer}/authorized-applications`)).status === 200
}

async function expectConfirmation(page: Page, user = 'Alice'): Promise<void> {
  expect({ status: page.status, location: page.location }).toEqual({ status: 200, location: undefined })
  expectPageHeaders(page)
  expect(page.text).toContain(`<bdi class="name">${user}</bdi>`)
  expect(page.text).toMatch(/name="decision" value="approve"/)
  expect(page.text).not.toMatch(/http-equiv="?refresh|<script/)
}

/** Nothing leads to where the request wanted to go, nothing is ended, and the user can still sign out. */
async function expectRefused(page: Page, reason: string, agent = alice, status = 400): Promise<void> {
  expect({ status: page.status, location: page.location }).toEqual({ status, location: undefined })
  expectPageHeaders(page)
  expect(page.text).toContain('<code><bdi>invalid_request</bdi></code>')
  expect(page.text).not.toMatch(/http-equiv="?refresh|<form|<script/i)
  expect([...page.text.matchAll(/(?:href|src|action)="([^"]*)"/g)].map(([, link]) => link)).toEqual([
    '/oauth/logout',
  ])
  expect(told('request.refused').at(-1)).toMatchObject({
    endpoint: '/logout',
    error: 'invalid_request',
    reason,
  })
  expect(told('session.ended')).toEqual([])
  expect(await isSignedIn(agent)).toBe(true)
}

const told = (name: string) => host.events.filter((event) => event.name === name).map(({ event }) => event)

describe('a request that proves which session it means', () => {
  beforeEach(() => start())

  test('LOGO-01 oidcc-rp-initiated-logout: ends it at once and goes back with state; a later prompt=none finds nobody', async () => {
    const page = await ask({ id_token_hint: hint, post_logout_redirect_uri: OUT, state: 'a b&c=ü' })
    expect(page.status).toBe(303)
    expect(page.location).toBe(`${OUT}?state=a%20b%26c%3D%C3%BC`)
    expect(page.headers.get('cache-control')).toBe('no-store')
    expect(page.headers.get('referrer-policy')).toBe('no-referrer')
    expect(await isSignedIn()).toBe(false)
    const silent = await alice.get(authorizeUrl(host, { params: { prompt: 'none', scope: 'openid' } }))
    expectErrorRedirect(host, silent, 'login_required')
    expect(told('session.ended')).toEqual([{ userId: 'alice', by: 'client', clientId: 'conf' }])
    expect(told('warning')).toEqual([])
  })

  test('LOGO-01 oidcc-rp-initiated-logout-no-state: without state the address is as registered, its query included', async () => {
    const page = await ask({ id_token_hint: hint, post_logout_redirect_uri: 'https://rp.example/out?x=1' })
    expect({ status: page.status, location: page.location }).toEqual({
      status: 303,
      location: 'https://rp.example/out?x=1',
    })
    const silent = await alice.get(authorizeUrl(host, { params: { prompt: 'none', scope: 'openid' } }))
    expectErrorRedirect(host, silent, 'login_required')
  })

  test('LOGO-01 state is added to a query that is registered', async () => {
    const page = await ask({
      id_token_hint: hint,
      post_logout_redirect_uri: 'https://rp.example/out?x=1',
      state: 's',
    })
    expect(page.location).toBe('https://rp.example/out?x=1&state=s')
  })

  test('LOGO-01 UI-14 by POST from another site, without cookies, the browser is sent to the same request by GET', async () => {
    const form = { id_token_hint: hint, post_logout_redirect_uri: OUT, state: 's', other: 'x' }
    const bounced = await new Agent(host).post(`${host.issuer}/logout`, form, {
      'sec-fetch-site': 'cross-site',
      origin: 'https://rp.example',
    })
    expect(bounced.status).toBe(303)
    expect(bounced.headers.get('location')).toBe(
      `/oauth/logout?${new URLSearchParams({ id_token_hint: hint, post_logout_redirect_uri: OUT, state: 's' })}`,
    )
    expect(await isSignedIn()).toBe(true)
    const page = await alice.get(bounced.location ?? '')
    expect({ status: page.status, location: page.location }).toEqual({
      status: 303,
      location: `${OUT}?state=s`,
    })
    expect(await isSignedIn()).toBe(false)
  })

  test('by POST with the session it is no different', async () => {
    const page = await alice.post(`${host.issuer}/logout`, { id_token_hint: hint })
    expect(page.headers.get('location')).toBe(`/oauth/logout?id_token_hint=${hint}`)
    expect(await isSignedIn()).toBe(true)
  })

  test('LOGO-05 an expired ID token is as good', async () => {
    host.advance(400 * 86_400)
    const page = await ask({ id_token_hint: hint, post_logout_redirect_uri: OUT })
    expect(page.location).toBe(OUT)
    expect(await isSignedIn()).toBe(false)
  })

  test('LOGO-05 oidcc-rp-initiated-logout-no-post-logout-redirect-uri: without an address the page says that the user is signed out', async () => {
    const page = await ask({ id_token_hint: hint, state: 'ignored' })
    expect(page.status).toBe(200)
    expectPageHeaders(page)
    expect(page.text).toContain('You are signed out')
    expect(page.text).not.toContain('ignored')
    expect(await isSignedIn()).toBe(false)
  })

  test('client_id beside the hint is fine where it is the same', async () => {
    const page = await ask({ id_token_hint: hint, client_id: 'conf', post_logout_redirect_uri: OUT })
    expect(page.location).toBe(OUT)
  })

  test('logout_hint and ui_locales change nothing', async () => {
    const page = await ask({
      id_token_hint: hint,
      post_logout_redirect_uri: OUT,
      logout_hint: 'bob',
      ui_locales: 'de',
    })
    expect(page.location).toBe(OUT)
  })

  test('an address with a private-use scheme keeps its single slash', async () => {
    const page = await press(
      await ask({ client_id: 'native', post_logout_redirect_uri: 'com.example.app:/out', state: 's' }),
      'approve',
    )
    expect(page.headers.get('location')).toBe('com.example.app:/out?state=s')
  })

  test('a pairwise subject proves it too, and only to the client that it was made for', async () => {
    const { idToken } = await connect('pairwise', 'alice', alice)
    const claims = claimsOf(idToken)
    expect(claims.sub).not.toBe('alice')
    const plain = jwt({ ...claims, sub: 'alice' })
    await expectConfirmation(await ask({ id_token_hint: plain, post_logout_redirect_uri: OUT }))
    expect((await ask({ id_token_hint: idToken, post_logout_redirect_uri: OUT })).location).toBe(OUT)
  })

  test('an ID token from a refresh proves it too', async () => {
    const tokens = await connect('conf', 'alice', alice)
    const { body } = await refresh(host, tokens.refresh_token)
    expect(claimsOf(body.id_token as string).sid).toBe(claimsOf(hint).sid)
    expect(
      (await ask({ id_token_hint: body.id_token as string, post_logout_redirect_uri: OUT })).location,
    ).toBe(OUT)
  })

  test('LOGO-11 decision 14: what the user granted outlives it', async () => {
    const tokens = await connect('conf', 'alice', alice)
    await ask({ id_token_hint: hint })
    expect(await isSignedIn()).toBe(false)
    expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(200)
    expect((await refresh(host, tokens.refresh_token)).status).toBe(200)
  })

  test('LOGO-08 the old session cookie, replayed, is anonymous', async () => {
    const replayed = new Agent(host)
    for (const [name, cookie] of alice.cookies) replayed.cookies.set(name, cookie)
    expect(await isSignedIn(replayed)).toBe(true)
    await ask({ id_token_hint: hint })
    expect(await isSignedIn(replayed)).toBe(false)
    const silent = await replayed.get(authorizeUrl(host, { params: { prompt: 'none', scope: 'openid' } }))
    expectErrorRedirect(host, silent, 'login_required')
  })

  test('LOGO-08 the host’s own logout ends it as well: no cookie of ours keeps a login', async () => {
    await alice.post(`${host.origin}/logout`, {})
    const silent = await alice.get(authorizeUrl(host, { params: { prompt: 'none', scope: 'openid' } }))
    expectErrorRedirect(host, silent, 'login_required')
  })
})

test('LOGO-05 a hint that is older than the key that signed it is as good', async () => {
  await start({ keys: undefined, lifetimes: { idToken: 600 } } as never)
  await host.oauth.keys.rotate()
  host.advance(30 * 86_400)
  const { keys } = (await (await fetch(`${host.issuer}/jwks`)).json()) as { keys: { kid: string }[] }
  const { kid } = JSON.parse(Buffer.from(hint.split('.')[0] ?? '', 'base64url').toString())
  expect(keys.map((key) => key.kid)).not.toContain(kid)
  expect((await ask({ id_token_hint: hint, post_logout_redirect_uri: OUT })).location).toBe(OUT)
  expect(await isSignedIn()).toBe(false)
})

describe('a request that does not prove it', () => {
  beforeEach(() => start())

  test.each<[string, Parameters]>([
    ['K-22 oidcc-rp-initiated-logout-no-params: no parameters', {}],
    ['LOGO-05 oidcc-rp-initiated-logout-only-state: only state', { state: 's' }],
    ['K-22 client_id in place of a hint', { client_id: 'conf', post_logout_redirect_uri: OUT, state: 's' }],
    ['logout_hint alone', { logout_hint: 'alice' }],
    ['empty parameters', { id_token_hint: '', client_id: '', post_logout_redirect_uri: '' }],
  ])('asks first: %s', async (_, parameters) => {
    const page = await ask(parameters)
    await expectConfirmation(page)
    expect(page.text.includes('The Print Shop')).toBe(parameters.client_id === 'conf')
    expect(await isSignedIn()).toBe(true)

    const done = await press(page, 'approve')
    const back = parameters.client_id === 'conf' ? `${OUT}?state=s` : undefined
    expect({ status: done.status, location: done.location }).toEqual({
      status: back === undefined ? 200 : 303,
      location: back,
    })
    if (back === undefined) expect(done.text).toContain('You are signed out')
    expectPageHeadersOrRedirect(done)
    expect(await isSignedIn()).toBe(false)
    expect(told('session.ended')).toEqual([
      { userId: 'alice', by: 'user', ...(back !== undefined && { clientId: 'conf' }) },
    ])
  })

  test('LOGO-07 a hint of alice while bob is signed in asks bob, and ends his session only when he says so', async () => {
    const bob = await signedIn(host, 'bob')
    const page = await ask({ id_token_hint: hint, post_logout_redirect_uri: OUT, state: 's' }, bob)
    await expectConfirmation(page, 'Bob')
    expect(page.text).not.toContain('Alice')
    expect(await isSignedIn(bob)).toBe(true)
    const done = await press(page, 'approve', bob)
    expect({ status: done.status, location: done.location }).toEqual({
      status: 303,
      location: `${OUT}?state=s`,
    })
    expect(await isSignedIn(bob)).toBe(false)
    expect(await isSignedIn(alice)).toBe(true)
  })

  test('a hint of another login of the same user asks', async () => {
    const other = await signedIn(host, 'alice')
    await expectConfirmation(await ask({ id_token_hint: hint, post_logout_redirect_uri: OUT }, other))
    expect(await isSignedIn(other)).toBe(true)
  })

  test('a hint without sid asks, where the session has one', async () => {
    const { sid, ...claims } = claimsOf(hint)
    expect(sid).toMatch(/^[\w-]{20,}$/)
    expect(jwt({ ...claimsOf(hint) })).toBe(hint)
    await expectConfirmation(await ask({ id_token_hint: jwt(claims), post_logout_redirect_uri: OUT }))
  })

  test('deny: nothing is ended, and nothing leads to where the client wanted to go', async () => {
    const page = await ask({ client_id: 'conf', post_logout_redirect_uri: OUT, state: 's' })
    const done = await press(page, 'deny')
    expect({ status: done.status, location: done.location }).toEqual({ status: 200, location: undefined })
    expectPageHeaders(done)
    expect(done.text).toContain('You are still signed in')
    expect(done.text).not.toContain(OUT)
    expect(await isSignedIn()).toBe(true)
    expect(told('session.ended')).toEqual([])
  })

  test('a form without a decision is shown again', async () => {
    const page = await ask({ client_id: 'conf' })
    for (const decision of [undefined, 'perhaps']) {
      const again = await alice.post(`${host.issuer}/logout`, { ...hidden(page), decision })
      expect(again.status).toBe(400)
      expect(again.text).toContain('Choose one of the two.')
    }
    expect(await isSignedIn()).toBe(true)
  })

  test('what the hidden fields say is checked anew', async () => {
    const fields = hidden(await ask({ client_id: 'conf', post_logout_redirect_uri: OUT }))
    const edited = { ...fields, post_logout_redirect_uri: 'https://evil.example/', decision: 'approve' }
    await expectRefused(
      await alice.post(`${host.issuer}/logout`, edited),
      'post_logout_redirect_uri_mismatch',
    )
  })

  test.each([
    ['no token', { _csrf: undefined }, {}],
    ['a wrong token', { _csrf: 'x' }, {}],
    ['a form on another site', {}, { 'sec-fetch-site': 'cross-site' }],
  ])('a decision with %s ends nothing, and asks again with a fresh token', async (_, change, headers) => {
    const page = await ask({ client_id: 'conf', post_logout_redirect_uri: OUT })
    const form = { ...hidden(page), decision: 'approve', ...change }
    const again = await alice.post(`${host.issuer}/logout`, form, headers as Record<string, string>)
    expect(again.status).toBe(403)
    expectPageHeaders(again)
    expect(again.text).toContain('This page had expired.')
    expect(await isSignedIn()).toBe(true)
    expect((await press(again, 'approve')).location).toBe(OUT)
    expect(await isSignedIn()).toBe(false)
  })

  test('a decision for a session that ended meanwhile goes on all the same', async () => {
    const page = await ask({ client_id: 'conf', post_logout_redirect_uri: OUT })
    await alice.post(`${host.origin}/logout`, {})
    const done = await press(page, 'approve')
    expect({ status: done.status, location: done.location }).toEqual({ status: 303, location: OUT })
    expect(told('session.ended')).toEqual([])
  })
})

describe('LOGO-05 where nobody is signed in, there is nothing to ask', () => {
  beforeEach(() => start())

  test.each<[string, () => Parameters, string | undefined]>([
    ['a hint', () => ({ id_token_hint: hint, post_logout_redirect_uri: OUT, state: 's' }), `${OUT}?state=s`],
    ['client_id', () => ({ client_id: 'conf', post_logout_redirect_uri: OUT }), OUT],
    ['nothing', () => ({}), undefined],
    ['state', () => ({ state: 's' }), undefined],
    ['a hint without an address', () => ({ id_token_hint: hint }), undefined],
  ])('with %s', async (_, parameters, location) => {
    const page = await ask(parameters(), new Agent(host))
    expect({ status: page.status, location: page.location }).toEqual({
      status: location === undefined ? 200 : 303,
      location,
    })
    if (location === undefined) expect(page.text).toContain('You are signed out')
    expectPageHeadersOrRedirect(page)
    expect(told('session.ended')).toEqual([])
  })

  test('a user whose account was closed counts as nobody', async () => {
    host.users.delete('alice')
    expect((await ask({ id_token_hint: hint, post_logout_redirect_uri: OUT })).location).toBe(OUT)
  })

  test('and an address that is not proven is refused as ever', async () => {
    const page = await ask({ post_logout_redirect_uri: OUT }, new Agent(host))
    await expectRefused(page, 'client_id_missing')
  })
})

describe('LOGO-02 an address that is not the client’s own is refused, and nothing ended', () => {
  beforeEach(() => start())

  async function expectMismatch(uri: string): Promise<void> {
    for (const who of [{ id_token_hint: hint }, { client_id: 'conf' }]) {
      const page = await ask({ ...who, post_logout_redirect_uri: uri, state: 's' })
      await expectRefused(page, 'post_logout_redirect_uri_mismatch')
    }
  }

  test.each([
    ['oidcc-rp-initiated-logout-bad-post-logout-redirect-uri', 'https://rp.example/other'],
    ['oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri', 'https://rp.example/out?foo=bar'],
  ])('%s: %s', (_, uri) => expectMismatch(uri))

  test.each([
    'https://rp2.example/out',
    'https://rp.example/out?x=1&foo=bar',
    'https://rp.example/out/',
    'https://rp.example/OUT',
    'https://RP.example/out',
    'https://rp.example:443/out',
    'https://rp.example/out#',
    'https://rp.example/%6Fut',
    'https://rp.example/x/../out',
    'https://rp.example@evil.example/out',
    'http://rp.example/out',
    '//rp.example/out',
    '/out',
    ' https://rp.example/out',
    'https://rp.example/cb',
    'https://evil.example/',
    'com.example.app:///out',
    'javascript:alert(1)',
    'data:text/html,x',
  ])('%s', expectMismatch)

  test('of a client that has registered none', async () => {
    await expectRefused(
      await ask({ client_id: 'none', post_logout_redirect_uri: OUT }),
      'post_logout_redirect_uri_mismatch',
    )
  })

  test('oidcc-rp-initiated-logout-no-id-token-hint: of no client at all', async () => {
    await expectRefused(await ask({ post_logout_redirect_uri: OUT, state: 's' }), 'client_id_missing')
  })
})

describe('LOGO-04 a hint that is not ours ends nothing and leads nowhere', () => {
  beforeEach(() => start())
  const claims = () => claimsOf(hint)

  test.each<[string, () => string]>([
    ['signed by another key', () => jwt(claims(), {}, STRANGER)],
    [
      'signed by another key that it brings along',
      () => jwt(claims(), { jwk: publicOf(STRANGER) }, STRANGER),
    ],
    [
      'oidcc-rp-initiated-logout-bad-id-token-hint: signed by another key under a kid of its own',
      () => jwt(claims(), { kid: 'unknown' }, STRANGER),
    ],
    [
      'oidcc-rp-initiated-logout-bad-id-token-hint: signed with the secret of the client',
      () => hmac(claims(), 'conf-secret'),
    ],
    [
      'oidcc-rp-initiated-logout-modified-id-token-hint: alg none',
      () => `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims())}.`,
    ],
    [
      'alg none with our kid and signature',
      () => splice(hint, 0, encode({ alg: 'none', typ: 'JWT', kid: 'ours' })),
    ],
    [
      'HMAC with our public key',
      () => hmac(claims(), createPublicKey(SIGNER).export({ type: 'spki', format: 'pem' })),
    ],
    ['an edited payload', () => splice(hint, 1, encode({ ...claims(), sub: 'bob' }))],
    ['an edited signature', () => splice(hint, 2, randomBytes(256).toString('base64url'))],
    ['no signature', () => splice(hint, 2, '')],
    ['of a foreign issuer', () => jwt({ ...claims(), iss: 'https://other.example' })],
    ['of our issuer with a slash', () => jwt({ ...claims(), iss: `${host.issuer}/` })],
    ['for two clients', () => jwt({ ...claims(), aud: ['conf', 'conf2'] })],
    ['for nobody', () => jwt({ ...claims(), aud: undefined })],
    ['of nobody', () => jwt({ ...claims(), sub: undefined })],
    ['with a number as sub', () => jwt({ ...claims(), sub: 7 })],
    ['without exp, as a signed userinfo answer', () => jwt({ ...claims(), exp: undefined })],
    ['without iat', () => jwt({ ...claims(), iat: undefined })],
    ['with exp as text', () => jwt({ ...claims(), exp: '9999999999' })],
    ['a logout token', () => jwt(claims(), { typ: 'logout+jwt' })],
    ['a JWT access token', () => jwt(claims(), { typ: 'at+jwt' })],
    ['without typ', () => jwt(claims(), { typ: undefined })],
    ['no JWT', () => 'nonsense'],
    ['dots', () => '..'],
    ['an encrypted one', () => 'a.b.c.d.e'],
    ['a payload that is no object', () => jwt(['conf'])],
    ['a payload that is null', () => jwt(null)],
    ['markup', () => '"><svg onload=alert(1)>'],
  ])('%s', async (_, forged) => {
    const page = await ask({ id_token_hint: forged(), post_logout_redirect_uri: OUT, state: 's' })
    await expectRefused(page, 'hint_invalid')
    expect(page.text).not.toContain('onload')
  })

  test('a signed userinfo answer', async () => {
    const { access_token: token } = await connect('userinfo', 'alice', alice)
    const answer = await fetch(`${host.issuer}/userinfo`, { headers: { authorization: `Bearer ${token}` } })
    expect(answer.headers.get('content-type')).toMatch(/^application\/jwt/)
    const page = await ask({ id_token_hint: await answer.text(), post_logout_redirect_uri: OUT })
    await expectRefused(page, 'hint_invalid')
  })

  test('the ones above differ from a good one in nothing else', async () => {
    expect(jwt(claims())).toBe(hint)
    expect(
      (await ask({ id_token_hint: jwt({ ...claims(), aud: ['conf'] }), post_logout_redirect_uri: OUT }))
        .location,
    ).toBe(OUT)
  })

  test.each([
    ['an unknown client', 'nobody'],
    ['a disabled client', 'off'],
  ])('one of %s', async (_, aud) => {
    const page = await ask({ id_token_hint: jwt({ ...claims(), aud }), post_logout_redirect_uri: OUT })
    await expectRefused(page, 'client_unknown')
  })

  test.each(['nobody', 'off'])('client_id %s', async (id) => {
    await expectRefused(await ask({ client_id: id, post_logout_redirect_uri: OUT }), 'client_unknown')
  })

  test('a hint of one client and the client_id of another', async () => {
    const page = await ask({
      id_token_hint: hint,
      client_id: 'conf2',
      post_logout_redirect_uri: 'https://rp2.example/out',
    })
    await expectRefused(page, 'client_mismatch')
  })
})

describe('a request that is not clear', () => {
  beforeEach(() => start())

  test.each(['id_token_hint', 'client_id', 'post_logout_redirect_uri', 'state', 'logout_hint', 'ui_locales'])(
    '%s twice is refused, by GET and by POST',
    async (name) => {
      const parameters = { id_token_hint: hint, post_logout_redirect_uri: OUT, [name]: ['conf', 'conf'] }
      await expectRefused(await ask(parameters), 'parameter_repeated')
      const bounced = await alice.post(`${host.issuer}/logout`, parameters)
      await expectRefused(await alice.get(bounced.location ?? ''), 'parameter_repeated')
    },
  )

  test('one that is too long for a request line is refused, by GET and by POST', async () => {
    const parameters = { client_id: 'conf', post_logout_redirect_uri: OUT, state: 's'.repeat(8192) }
    await expectRefused(await ask(parameters), 'request_too_long', alice, 413)
    await expectRefused(await alice.post(`${host.issuer}/logout`, parameters), 'request_too_long', alice, 413)
  })

  test('HDR-05 another method is refused, with those that there are', async () => {
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const page = await alice.request(url(), { method })
      expect({ status: page.status, allow: page.headers.get('allow') }).toEqual({
        status: 405,
        allow: 'GET, HEAD, POST',
      })
    }
    expect((await alice.get(`${host.issuer}/logout/more`)).status).toBe(404)
  })
})

describe('what the option logout does', () => {
  test('INJ-01 the link back is text, whatever the state is', async () => {
    await start({ logout: false })
    const page = await ask({
      id_token_hint: hint,
      post_logout_redirect_uri: 'https://rp.example/out?x=1',
      state: `"'><b>&copy`,
    })
    expect(page.text).toContain('href="https://rp.example/out?x=1&amp;state=%22&#39;%3E%3Cb%3E%26copy"')
  })

  const user = (req: unknown) => (req as { session: { userId?: string } }).session.userId

  test('a currentUser that throws once the session is gone is no trouble', async () => {
    await start({ currentUser: user })
    const page = await ask({ id_token_hint: hint, post_logout_redirect_uri: OUT })
    expect({ status: page.status, location: page.location }).toEqual({ status: 303, location: OUT })
    expect(told('warning')).toEqual([])
    expect(told('server.error')).toEqual([])
  })

  test('cookies that it sets reach the browser with the redirect', async () => {
    await start({
      logout: (req, res) => {
        res.appendHeader('Set-Cookie', 'mine=; Path=/; Max-Age=0')
        return destroy(req, res)
      },
    })
    const page = await ask({ id_token_hint: hint, post_logout_redirect_uri: OUT })
    expect(page.status).toBe(303)
    expect(page.headers.getSetCookie()).toContain('mine=; Path=/; Max-Age=0')
  })

  test('where it answers by itself, that is the answer', async () => {
    await start({
      async logout(req, res) {
        await destroy(req, res)
        ;(res as import('express').Response).status(200).send('Good bye')
      },
    })
    const page = await ask({ id_token_hint: hint, post_logout_redirect_uri: OUT })
    expect({ status: page.status, text: page.text }).toEqual({ status: 200, text: 'Good bye' })
    expect(await isSignedIn()).toBe(false)
    expect(told('session.ended')).toHaveLength(1)
    expect(told('server.error')).toEqual([])
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('no session store')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no session store'))],
  ])(
    'where it %s, the host’s error handler hears of it, and nothing is said to have ended',
    async (_, logout) => {
      await start({ logout })
      host.app.use(((error, _req, res, _next) => {
        res.end(`handled: ${error.message}`)
      }) as import('express').ErrorRequestHandler)
      const page = await ask({ id_token_hint: hint, post_logout_redirect_uri: OUT })
      expect({ status: page.status, text: page.text, location: page.location }).toEqual({
        status: 500,
        text: 'handled: no session store',
        location: undefined,
      })
      expect(told('session.ended')).toEqual([])
      expect(told('server.error')).toHaveLength(1)
      expect(await isSignedIn()).toBe(true)
    },
  )

  test('where it is without effect, a warning names the cure, once, and the page does not lie', async () => {
    await start({ logout: () => {} })
    const page = await ask({ id_token_hint: hint })
    expect(page.text).toMatch(/You are still signed in at/)
    expect(page.text).not.toContain(OUT)
    expect(told('warning')).toEqual([
      {
        code: 'logout_without_effect',
        message: expect.stringMatching(/currentUser.*session\.destroy/s),
      },
    ])
  })

  test.each<[string, NonNullable<Provider['logout']>]>([
    ['missing', false],
    ['without effect', () => undefined],
  ])(
    'where it is %s, the page says that the user is still signed in here, and links to the client',
    async (_, logout) => {
      await start({ logout })
      const asked = await ask({ client_id: 'conf', post_logout_redirect_uri: OUT, state: 's' })
      await expectConfirmation(asked)
      for (const page of [
        await press(asked, 'approve'),
        await ask({ id_token_hint: hint, post_logout_redirect_uri: OUT, state: 's' }),
      ]) {
        expect({ status: page.status, location: page.location }).toEqual({ status: 200, location: undefined })
        expectPageHeaders(page)
        expect(page.text).toMatch(/You are still signed in at/)
        expect(page.text).toContain(`href="${OUT}?state=s"`)
        expect(page.text).not.toContain('You are signed out')
      }
      expect(await isSignedIn()).toBe(true)
      expect(told('warning')).toEqual([
        logout
          ? { code: 'logout_without_effect', message: expect.any(String) }
          : { code: 'logout_missing', message: expect.stringMatching(/option logout is missing/) },
      ])
    },
  )

  test('where it is missing, the question is not about the login that it cannot end', async () => {
    await start({ logout: false })
    const asked = await ask({ client_id: 'conf', post_logout_redirect_uri: OUT })
    expect(asked.text).toContain('<h1>Sign out of applications?</h1>')
    expect(asked.text).toMatch(/Your login at <bdi>localhost:\d+<\/bdi> itself stays/)
    expect(asked.text).not.toMatch(/takes you back|Sign out of <bdi>/)
    await host.close()
    await start()
    const other = await ask({ client_id: 'conf', post_logout_redirect_uri: OUT })
    expect(other.text).toMatch(/Sign out of <bdi>localhost:\d+<\/bdi>\?/)
    expect(other.text).toContain('and takes you back afterwards')
    expect(other.text).not.toContain('Sign out of applications?')
  })

  test('the page tells of applications that are being told where there are any, and of none else', async () => {
    const told = (id: string) => client(id, { backchannel_logout_uri: 'https://127.0.0.1/bc' })
    for (const logout of [destroy, false] as const) {
      await start({ logout, clients: [...clients, told('one'), told('two')] })
      expect((await press(await ask(), 'approve')).text).not.toContain('being told')
      ;({ agent: alice } = await connect('one'))
      expect((await press(await ask(), 'deny')).text).not.toContain('being told')
      expect((await press(await ask(), 'approve')).text).toContain(
        'One application that you signed in to is being told that you have signed out.',
      )
      ;({ agent: alice } = await connect('one'))
      await connect('two', 'alice', alice)
      expect((await press(await ask(), 'approve')).text).toContain(
        '2 applications that you signed in to are being told that you have signed out.',
      )
      await host.close()
    }
  })

  test('it is not called for requests that end nothing', async () => {
    const logout = jest.fn(destroy)
    await start({ logout })
    await ask({ id_token_hint: 'x' })
    await press(await ask(), 'deny')
    await ask({}, new Agent(host))
    await alice.post(`${host.issuer}/logout`, { id_token_hint: hint })
    await alice.post(`${host.issuer}/logout`, { id_token_hint: hint, decision: 'approve' })
    expect(logout).not.toHaveBeenCalled()
    await ask({ id_token_hint: hint })
    expect(logout).toHaveBeenCalledTimes(1)
  })
})

test('on a host whose sessions have no id, nothing proves which one is meant, so the user is asked', async () => {
  await start({}, { session: sessionsWithoutId() })
  expect(claimsOf(hint).sid).toBeUndefined()
  const asked = await ask({ id_token_hint: hint, post_logout_redirect_uri: OUT })
  await expectConfirmation(asked)
  expect(await isSignedIn()).toBe(true)
  expect((await press(asked, 'approve')).location).toBe(OUT)
  expect(await isSignedIn()).toBe(false)
})

describe('what others wrote is text', () => {
  test.each(PAYLOADS)('INJ-01 %s in each parameter', async (payload) => {
    await start()
    const good: Parameters = { client_id: 'conf', post_logout_redirect_uri: OUT }
    for (const name of LOGOUT_PARAMETERS) {
      for (const page of [
        await ask({ ...good, [name]: payload }),
        await ask({ [name]: payload }),
        await ask({ ...good, [name]: payload }, new Agent(host)),
      ]) {
        expect(page.headers.get('content-type') ?? 'text/html; charset=utf-8').toBe(
          'text/html; charset=utf-8',
        )
        expectHarmless(page)
      }
    }
  })

  test.each(PAYLOADS)('INJ-02 %s as the name of user and client', async (payload) => {
    await start({
      clients: [...clients.slice(1), { ...clients[0], client_name: payload } as never],
      logout: false,
    })
    host.users.set('alice', { id: 'alice', name: payload, email: payload })
    const page = await ask({ client_id: 'conf', post_logout_redirect_uri: OUT })
    for (const shown of [page, await press(page, 'deny'), await press(page, 'approve')]) {
      expect(shown.status).toBe(200)
      expectHarmless(shown)
    }
  })
})

test('HDR-02 HDR-04 under helmet() and a cors() for everybody, the pages keep their own headers', async () => {
  const open: RequestHandler = (req, res, next) => {
    res.setHeader('Access-Control-Allow-Origin', req.headers.origin ?? '*')
    res.setHeader('Access-Control-Allow-Credentials', 'true')
    next()
  }
  await start({}, { beforeSession: (app) => app.use(helmet(), open) })
  for (const origin of ['https://rp.example', 'null']) {
    const page = await alice.get(url(), { origin })
    for (const shown of [
      page,
      await alice.get(url({ id_token_hint: 'x' }), { origin }),
      await press(page, 'deny'),
      await new Agent(host).get(url(), { origin }),
    ]) {
      expectPageHeaders(shown)
      expect(shown.headers.get('access-control-allow-credentials')).toBeNull()
    }
  }
  const away = await alice.get(url({ id_token_hint: hint, post_logout_redirect_uri: OUT }))
  expect(away.location).toBe(OUT)
  expect(away.headers.get('access-control-allow-origin')).toBeNull()
  expect(away.headers.get('referrer-policy')).toBe('no-referrer')
})

test('a host without sessions is told so', async () => {
  await start()
  const bare = await startHost({
    provider: { keys: [KEY], currentUser: () => 'alice' },
    session: (_req, _res, next) => next(),
  })
  const page = await new Agent(bare).get(`${bare.issuer}/logout`)
  expect(page.status).toBe(500)
  expect(bare.events.find(({ name }) => name === 'server.error')?.event.error).toMatchObject({
    message: expect.stringContaining('req.session'),
  })
  await bare.close()
})

test('discovery names the endpoint', async () => {
  await start()
  const metadata = await (await fetch(`${host.issuer}/.well-known/openid-configuration`)).json()
  expect(metadata).toMatchObject({ end_session_endpoint: `${host.issuer}/logout` })
})

function expectPageHeadersOrRedirect(page: Page): void {
  if (page.location === undefined) expectPageHeaders(page)
  else expect(page.headers.get('referrer-policy')).toBe('no-referrer')
}

function expectHarmless(page: Page): void {
  // What is random may hold 49 by itself.
  const text = page.text.replaceAll(/ (?:nonce|name="_csrf" value)="[\w+/=-]*"/g, '')
  expect(text).not.toMatch(/<svg|<script|href="javascript:|href='|\b49\b(?!\d)/i)
  for (const [, value] of text.matchAll(/="([^"]*)"/g)) expect(value).not.toContain('<')
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** A JWT as the provider makes it, but for what is changed. */
function jwt(claims: unknown, header: object = {}, key: KeyObject = SIGNER): string {
  const original =
    hint === undefined ? {} : JSON.parse(Buffer.from(hint.split('.')[0] ?? '', 'base64url').toString())
  const input = `${encode({ ...original, ...header })}.${encode(claims)}`
  return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`
}

function hmac(claims: unknown, secret: string | Buffer): string {
  const input = `${encode({ alg: 'HS256', typ: 'JWT', kid: 'ours' })}.${encode(claims)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

function publicOf(key: KeyObject): object {
  const { kty, n, e } = key.export({ format: 'jwk' })
  return { kty, n, e }
}

function splice(token: string, index: number, part: string): string {
  return token
    .split('.')
    .map((old, at) => (at === index ? part : old))
    .join('.')
}

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}
