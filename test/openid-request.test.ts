import express from 'express'
import type { LoginHints } from '../lib/index.js'
import { Agent, type Form, type Page } from './support/agent.js'
import {
  expectCode,
  expectErrorPage,
  expectErrorRedirect,
  expectPageHeaders,
  getRaw,
} from './support/answers.js'
import { expectCheap, lengths } from './support/cost.js'
import {
  authorizeUrl,
  callApi,
  decide,
  destination,
  redeem,
  redirectUriOf,
  signedIn,
} from './support/flow.js'
import type { Host } from './support/host.js'
import {
  cancelLogin,
  finish,
  forge,
  loginOf,
  OWN_HEADER,
  responseOf,
  type SignIn,
  signIn,
  signInAt,
  stage,
  startOpenIdHost,
  userinfo,
  withOpenId,
} from './support/openid.js'
import { rsaKey } from './support/rsa-keys.js'

/** The host says when users sign in. */
let host: Host
/** The host does not. */
let silent: Host
beforeAll(async () => {
  host = await startOpenIdHost()
  silent = await startOpenIdHost({ provider: { authTime: () => undefined } })
})
afterAll(async () => {
  await host.close()
  await silent.close()
})

const others: Host[] = []
afterEach(async () => {
  for (const other of others.splice(0)) await other.close()
})

async function start(options: Parameters<typeof startOpenIdHost>[0] = {}): Promise<Host> {
  const other = await startOpenIdHost(options)
  others.push(other)
  return other
}

/** Sends a request with the scope `openid`, and follows it as far as the host goes. */
function ask(at: Host, agent: Agent, params: Form = {}, client = 'conf'): Promise<Page> {
  return agent.follow(authorizeUrl(at, { client, params: withOpenId(params) }))
}

/** Somebody who is signed in and has allowed the client everything that it will ask for. */
async function known(at: Host, params: Form = {}, client = 'conf'): Promise<SignIn> {
  const agent = await signedIn(at, 'alice')
  return signIn(at, { agent, client, params })
}

async function expectStillSignedIn(at: Host, agent: Agent): Promise<void> {
  expectCode(at, await ask(at, agent, { prompt: 'none' }))
}

describe('the modules of the OpenID Foundation for Basic OPs that ask for something optional', () => {
  test.each<[module: string, params: Form]>([
    ['oidcc-display-page', { display: 'page' }],
    ['oidcc-display-popup', { display: 'popup' }],
    ['oidcc-ui-locales', { ui_locales: 'se' }],
    ['oidcc-claims-locales', { claims_locales: 'se' }],
    ['oidcc-login-hint', { login_hint: 'buffy@host.example' }],
    ['oidcc-ensure-request-with-unknown-parameter-succeeds', { extra: 'foobar' }],
    ['oidcc-ensure-other-scope-order-succeeds', { scope: 'email openid' }],
  ])('OIDC-20 %s: the flow succeeds', async (_, params) => {
    expect((await signIn(host, { params })).claims.sub).toBe('alice')
  })

  test('oidcc-ensure-request-with-acr-values-succeeds: and acr is there only where it is true', async () => {
    expect((await signIn(host, { params: { acr_values: '1 2' } })).claims).not.toHaveProperty('acr')
    const agent = new Agent(host)
    await agent.post('/login', { user: 'alice', acr: '7' })
    expect((await signIn(host, { agent, params: { acr_values: '1 2' } })).claims.acr).toBe('7')
  })

  test('oidcc-server-client-secret-post, oidcc-ensure-request-with-valid-pkce-succeeds', async () => {
    expect((await signIn(host, { client: 'post' })).claims.aud).toBe('post')
  })

  test('oidcc-response-type-missing: invalid_request goes back', async () => {
    const agent = await signedIn(host, 'alice')
    expectErrorRedirect(host, await ask(host, agent, { response_type: undefined }), 'invalid_request')
  })

  test('oidcc-ensure-registered-redirect-uri: another one is told to the user', async () => {
    const agent = await signedIn(host, 'alice')
    expectErrorPage(await ask(host, agent, { redirect_uri: 'https://rp.example/cb/random' }))
  })

  test('oidcc-ensure-post-request-succeeds, AUTHZ-02: the request may come by POST, from another site without a cookie', async () => {
    const agent = await signedIn(host, 'alice')
    const { searchParams } = new URL(
      authorizeUrl(host, { params: withOpenId({ nonce: 'n', prompt: 'login' }) }),
    )
    const posted = await new Agent(host).post(`${host.issuer}/authorize`, Object.fromEntries(searchParams))
    const login = await agent.follow(posted.location!)
    expect(stage(host, login)).toBe('login')
    const { claims } = await finish(host, agent, await signInAt(agent, login, 'alice'))
    expect(claims.nonce).toBe('n')
  })

  test.each([
    ['request', 'invalid_request_object', 'eyJhbGciOiJub25lIn0.e30.'],
    ['request_uri', 'request_uri_not_supported', 'https://rp.example/request.jwt'],
    ['registration', 'registration_not_supported', '{}'],
  ])(
    'AUTHZ-17, oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported, oidcc-ensure-request-object-with-redirect-uri: %s is answered with %s',
    async (name, error, value) => {
      const agent = await signedIn(host, 'alice')
      expectErrorRedirect(host, await ask(host, agent, { [name]: value }), error)
      const code = name === 'request' ? error : 'invalid_request'
      expectErrorPage(await ask(host, agent, { [name]: value, redirect_uri: undefined }), { code })
    },
  )

  test('oidcc-codereuse, oidcc-codereuse-30seconds: a code is good once, and its tokens end with the second use', async () => {
    const agent = await signedIn(host, 'alice')
    const page = await ask(host, agent, { prompt: 'consent' })
    const { code } = responseOf(await decide(agent, page, 'approve'))
    const { body } = await redeem(host, code!)
    expect((await userinfo(host, body.access_token)).status).toBe(200)
    host.advance(30)
    const again = await redeem(host, code!)
    expect([again.status, again.body.error]).toEqual([400, 'invalid_grant'])
    expect((await userinfo(host, body.access_token)).status).toBe(401)
  })
})

describe('prompt=none', () => {
  test('OIDC-13, K-08, oidcc-prompt-none-not-logged-in: login_required without a session, and no page', async () => {
    const page = await new Agent(host).get(authorizeUrl(host, { params: withOpenId({ prompt: 'none' }) }))
    expectErrorRedirect(host, page, 'login_required')
  })

  test('OIDC-13, K-08 consent_required where the user has not been asked, and all of it', async () => {
    const agent = await signedIn(host, 'bob')
    expectErrorRedirect(host, await ask(host, agent, { prompt: 'none' }), 'consent_required')
    await signIn(host, { agent })
    expectCode(host, await ask(host, agent, { prompt: 'none' }))
    expectErrorRedirect(
      host,
      await ask(host, agent, { prompt: 'none', scope: 'openid email' }),
      'consent_required',
    )
    await host.oauth.grants.revokeUser('bob')
    expectErrorRedirect(host, await ask(host, agent, { prompt: 'none' }), 'consent_required')
  })

  test('OIDC-13, oidcc-prompt-none-logged-in: a code at once, with the same sub and auth_time', async () => {
    const { agent, claims } = await known(host)
    host.advance(5)
    const page = await agent.get(authorizeUrl(host, { params: withOpenId({ prompt: 'none' }) }))
    expectCode(host, page)
    const again = await finish(host, agent, page)
    expect(again.claims.sub).toBe(claims.sub)
    expect(again.claims.auth_time).toBe(claims.auth_time)
  })

  test.each([' none', 'none ', '  none  ', 'none none'])('OIDC-14 %j is tolerated', async (prompt) => {
    expectErrorRedirect(host, await ask(host, new Agent(host), { prompt }), 'login_required')
  })

  test('UI-10 a native client is asked every time, so it gets consent_required', async () => {
    const { agent } = await known(host, { redirect_uri: redirectUriOf('nat') }, 'nat')
    const page = await ask(host, agent, { prompt: 'none' }, 'nat')
    expectErrorRedirect(host, page, 'consent_required', { redirectUri: redirectUriOf('nat') })
  })

  test('with form_post it is a form, success or not, and never a page that asks', async () => {
    const { agent } = await known(host)
    for (const [browser, member] of [
      [agent, 'name="code"'],
      [new Agent(host), 'value="login_required"'],
    ] as const) {
      const page = await ask(host, browser, { prompt: 'none', response_mode: 'form_post' })
      expect(page.status).toBe(200)
      expect(page.text).toContain(member)
      expect(page.text).toContain(`name="iss" value="${host.issuer}"`)
      expect(page.text).not.toContain('name="decision"')
    }
  })
})

describe('prompt', () => {
  test.each([
    'none login',
    'none consent',
    'select_account none',
    'login none consent',
    'foo',
    'login foo',
    'NONE',
    'none,login',
    'create',
    '__proto__',
    'toString',
  ])('OIDC-14 %j is invalid_request', async (prompt) => {
    const agent = await signedIn(host, 'alice')
    expectErrorRedirect(host, await ask(host, agent, { prompt }), 'invalid_request')
  })

  test('OIDC-15, oidcc-prompt-login: the user signs in again although signed in, and auth_time is newer', async () => {
    const { agent, claims } = await known(host)
    host.advance(1)
    const login = await ask(host, agent, { prompt: 'login' })
    expect(stage(host, login)).toBe('login')
    host.advance(1)
    const { claims: second } = await finish(host, agent, await signInAt(agent, login, 'alice'))
    expect(second.sub).toBe('alice')
    expect(second.auth_time).toBe((claims.auth_time as number) + 2)
  })

  test('OIDC-15 it does so within the very second of the first sign-in', async () => {
    for (const authTime of [undefined, (req: never) => Math.floor((loginOf(req).signedInAt ?? 0) / 1000)]) {
      const at = await start({ provider: authTime === undefined ? {} : { authTime } })
      const { agent } = await known(at)
      for (const params of [{ prompt: 'login' }, { max_age: '0' }]) {
        const login = await ask(at, agent, params)
        expect(stage(at, login)).toBe('login')
        expect(stage(at, await signInAt(agent, login, 'alice'))).toBe('callback')
      }
    }
  })

  test('OIDC-15 where the host does not say when users sign in, the first return from the login counts', async () => {
    const { agent } = await known(silent)
    const login = await ask(silent, agent, { prompt: 'login' })
    expect(stage(silent, login)).toBe('login')
    silent.advance(4)
    const { claims } = await finish(silent, agent, await signInAt(agent, login, 'alice'))
    expect(claims.auth_time).toBe(Math.floor(silent.now() / 1000))
  })

  test('UI-16, PAINS-A7 who cancels the sign-in stays signed in, gets no code, and does not loop', async () => {
    const { agent, claims } = await known(host)
    host.advance(10)
    const login = await ask(host, agent, { prompt: 'login' })
    const again = await cancelLogin(agent, login)
    expect(stage(host, again)).toBe('login')
    const given = await cancelLogin(agent, again)
    for (const answer of [given, await agent.follow(given.url)]) {
      const told = { error: 'login_required', state: 'the-state', iss: host.issuer }
      expect(responseOf(answer)).toMatchObject(told)
    }
    const silently = await ask(host, agent, { prompt: 'none' })
    const { claims: kept } = await finish(host, agent, silently)
    expect(kept.auth_time).toBe(claims.auth_time)
    // Signing in after all is still good.
    const onward = await signInAt(agent, login, 'alice')
    expect((await finish(host, agent, onward)).claims.auth_time).toBe(Math.floor(host.now() / 1000))
  })

  test('UI-16 a sign-in earlier in the same second is not taken for the one that was cancelled', async () => {
    const at = await start()
    at.advance((1100 - (at.now() % 1000)) / 1000)
    const { agent } = await known(at)
    at.advance(0.3)
    const login = await ask(at, agent, { prompt: 'login' })
    expect(stage(at, await cancelLogin(agent, login))).toBe('login')
    expect(stage(at, await signInAt(agent, login, 'alice'))).toBe('callback')
  })

  test('UI-16 nothing that is added to the address of the request skips the sign-in', async () => {
    const { agent } = await known(host)
    host.advance(10)
    const login = await ask(host, agent, { prompt: 'login' })
    const path = new URL(login.url).searchParams.get('return_to')!
    expect(stage(host, await agent.follow(`${path}?prompt=none&max_age=99999`))).toBe('login')
    const posted = await agent.post(path, { decision: 'approve', prompt: 'none' })
    expect(posted.status).toBe(403)
    expect(posted.location).toBeUndefined()
  })

  test('UI-16 a consent page that is open in another tab does not skip it either', async () => {
    const agent = await signedIn(host, 'alice')
    const open = await ask(host, agent, { prompt: 'consent' })
    host.advance(10)
    const login = await ask(host, agent, { prompt: 'login consent' })
    const path = new URL(login.url).searchParams.get('return_to')!
    const csrf = open.text.match(/name="_csrf" value="([^"]*)"/)![1]!
    const posted = await agent.post(path, { decision: 'approve', _csrf: csrf })
    expect(posted.location).toContain('/login?')
  })

  test('prompt=consent asks again who has allowed all of it, and never the login', async () => {
    const { agent } = await known(host)
    expect(stage(host, await ask(host, agent, { prompt: 'consent' }))).toBe('consent')
    expect(stage(host, await ask(host, agent, { prompt: 'consent' }, 'first'))).toBe('consent')
  })

  test('OIDC-14 prompt=select_account goes by the login once, which may come back with anybody', async () => {
    const { agent } = await known(host)
    const login = await ask(host, agent, { prompt: 'select_account' })
    expect(stage(host, login)).toBe('login')
    expect((await finish(host, agent, await cancelLogin(agent, login))).claims.sub).toBe('alice')
    const second = await ask(host, agent, { prompt: 'select_account' })
    expect((await finish(host, agent, await signInAt(agent, second, 'bob'))).claims.sub).toBe('bob')
  })

  test('without authTime, who was at the login only to choose an account gets no auth_time: they may not have signed in', async () => {
    const agent = await signedIn(silent, 'alice')
    const chosen = await cancelLogin(agent, await ask(silent, agent, { prompt: 'select_account' }))
    expect((await finish(silent, agent, chosen)).claims).not.toHaveProperty('auth_time')
    const nobody = new Agent(silent)
    const signed = await signInAt(nobody, await ask(silent, nobody, { prompt: 'select_account' }), 'alice')
    expect((await finish(silent, nobody, signed)).claims.auth_time).toBe(Math.floor(silent.now() / 1000))
  })

  test('login consent, in either order, asks for both', async () => {
    for (const prompt of ['login consent', 'consent  login', 'login consent select_account']) {
      const { agent } = await known(host)
      const login = await ask(host, agent, { prompt })
      expect(stage(host, login)).toBe('login')
      expect(stage(host, await signInAt(agent, login, 'alice'))).toBe('consent')
    }
  })

  test('somebody who is not signed in signs in once, whatever is asked', async () => {
    for (const at of [host, silent]) {
      for (const params of [
        { prompt: 'login' },
        { prompt: 'select_account' },
        { max_age: '0' },
        { prompt: 'login', max_age: '1' },
      ]) {
        const agent = new Agent(at)
        const login = await ask(at, agent, { ...params, scope: 'openid read' })
        expect(stage(at, await signInAt(agent, login, 'alice'))).not.toBe('login')
      }
    }
  })
})

describe('max_age', () => {
  test('OIDC-16, oidcc-max-age-1: after two seconds the user signs in again, and auth_time is recent', async () => {
    for (const authTime of [undefined, (req: never) => Math.floor((loginOf(req).signedInAt ?? 0) / 1000)]) {
      const at = await start({ provider: authTime === undefined ? {} : { authTime } })
      const { agent, claims } = await known(at)
      at.advance(2)
      const login = await ask(at, agent, { max_age: '1' })
      expect(stage(at, login)).toBe('login')
      const { claims: second } = await finish(at, agent, await signInAt(agent, login, 'alice'))
      expect(second.auth_time).toBe(Math.floor(at.now() / 1000))
      expect(second.auth_time).toBeGreaterThan(claims.auth_time as number)
    }
  })

  test('OIDC-16, oidcc-max-age-10000: nobody signs in again, auth_time is there and unchanged', async () => {
    const { agent, claims } = await known(host)
    host.advance(2)
    const page = await ask(host, agent, { max_age: '10000' })
    expect(stage(host, page)).toBe('callback')
    expect((await finish(host, agent, page)).claims.auth_time).toBe(claims.auth_time)
    host.advance(9998)
    expect(stage(host, await ask(host, agent, { max_age: '10000' }))).toBe('callback')
    host.advance(1)
    expect(stage(host, await ask(host, agent, { max_age: '10000' }))).toBe('login')
  })

  test('OIDC-16 max_age=0 is like prompt=login', async () => {
    const { agent } = await known(host)
    const login = await ask(host, agent, { max_age: '0' })
    expect(stage(host, login)).toBe('login')
    expect(stage(host, await signInAt(agent, login, 'alice'))).toBe('callback')
    expectErrorRedirect(host, await ask(host, agent, { max_age: '0', prompt: 'none' }), 'login_required')
  })

  test('OIDC-16 with prompt=none and a sign-in that is too old it is login_required, otherwise a code', async () => {
    const { agent } = await known(host)
    host.advance(2)
    expectErrorRedirect(host, await ask(host, agent, { max_age: '1', prompt: 'none' }), 'login_required')
    expectCode(host, await ask(host, agent, { max_age: '3', prompt: 'none' }))
    await expectStillSignedIn(host, agent)
  })

  test('where the host does not say when users sign in, they sign in once, and prompt=none is login_required', async () => {
    const { agent } = await known(silent)
    expectErrorRedirect(
      silent,
      await ask(silent, agent, { max_age: '10000', prompt: 'none' }),
      'login_required',
    )
    const login = await ask(silent, agent, { max_age: '10000' })
    expect(stage(silent, login)).toBe('login')
    const page = await cancelLogin(agent, login)
    expect(stage(silent, page)).toBe('callback')
    expect((await finish(silent, agent, page)).claims.auth_time).toBe(Math.floor(silent.now() / 1000))
    await expectStillSignedIn(silent, agent)
  })

  test('a client can have one of its own, and each request another', async () => {
    const { agent } = await known(host, {}, 'aged')
    host.advance(100)
    expect(
      (await finish(host, agent, await ask(host, agent, {}, 'aged'), { client: 'aged' })).claims,
    ).toHaveProperty('auth_time')
    host.advance(1)
    expect(stage(host, await ask(host, agent, {}, 'aged'))).toBe('login')
    expect(stage(host, await ask(host, agent, { max_age: '1000' }, 'aged'))).toBe('callback')
  })

  test('PAINS-A7 who does not sign in again stays signed in, and does not loop', async () => {
    const { agent } = await known(host)
    host.advance(10)
    const login = await ask(host, agent, { max_age: '5' })
    const again = await cancelLogin(agent, login)
    expect(responseOf(await cancelLogin(agent, again)).error).toBe('login_required')
    await expectStillSignedIn(host, agent)
  })

  test.each([
    '-1',
    'abc',
    '1.5',
    '1e3',
    '99999999999999999999',
    '+1',
    ' 1',
    '0x10',
    '1\u0000',
    '\u0661',
    'Infinity',
  ])('OIDC-17 %j is invalid_request', async (max_age) => {
    const agent = await signedIn(host, 'alice')
    expectErrorRedirect(host, await ask(host, agent, { max_age }), 'invalid_request')
  })

  test.each(['max_age[]=1', 'max_age[x]=0', 'max_age[toString]=0'])(
    'OIDC-17 %s is another parameter, and ignored',
    async (parameter) => {
      const { agent } = await known(host)
      const { pathname, search } = new URL(authorizeUrl(host, { params: withOpenId() }))
      expect((await getRaw(host, `${pathname}${search}&${parameter}`, agent)).location).toContain('code=')
    },
  )
})

describe('id_token_hint', () => {
  let alice: SignIn
  beforeAll(async () => {
    alice = await known(host)
  })

  const silently = (params: Form, client = 'conf', agent = alice.agent) =>
    agent.get(authorizeUrl(host, { client, params: withOpenId({ prompt: 'none', ...params }) }))

  test('OIDC-19, oidcc-id-token-hint: of the user who is signed in it succeeds', async () => {
    const page = await silently({ id_token_hint: alice.tokens.id_token })
    expectCode(host, page)
    expect((await finish(host, alice.agent, page)).claims.sub).toBe('alice')
  })

  test('OIDC-19 of another user it is login_required, with or without prompt=none', async () => {
    const bob = await signIn(host, { user: 'bob' })
    for (const prompt of ['none', undefined, 'consent']) {
      const page = await silently({ id_token_hint: alice.tokens.id_token, prompt }, 'conf', bob.agent)
      expectErrorRedirect(host, page, 'login_required')
    }
  })

  test('OIDC-19 with nobody signed in, the user of the hint may sign in, and nobody else', async () => {
    const params = { id_token_hint: alice.tokens.id_token }
    const agent = new Agent(host)
    const page = await signInAt(agent, await ask(host, agent, params), 'alice')
    expect((await finish(host, agent, page)).claims.sub).toBe('alice')
    const other = new Agent(host)
    const refused = await signInAt(other, await ask(host, other, params), 'bob')
    expect(responseOf(refused)).toMatchObject({ error: 'login_required', iss: host.issuer })
  })

  test('OIDC-19 it may have expired', async () => {
    const { tokens, agent } = await known(host)
    host.advance(100_000)
    expectCode(host, await silently({ id_token_hint: tokens.id_token }, 'conf', agent))
  })

  test('OIDC-19 one that another client got is invalid_request', async () => {
    const { tokens } = await signIn(host, { agent: alice.agent, client: 'nopkce' })
    expectErrorRedirect(host, await silently({ id_token_hint: tokens.id_token }), 'invalid_request')
  })

  test('OIDC-23 of a pairwise client it names the user as that client knows them', async () => {
    const { agent, tokens, claims } = await known(host, {}, 'pair')
    expect(claims.sub).not.toBe('alice')
    expectCode(host, await silently({ id_token_hint: tokens.id_token }, 'pair', agent))
    const bob = await signIn(host, { user: 'bob', client: 'pair' })
    expectErrorRedirect(
      host,
      await silently({ id_token_hint: tokens.id_token }, 'pair', bob.agent),
      'login_required',
    )
  })

  const claims = () => {
    const now = Math.floor(host.now() / 1000)
    return { iss: host.issuer, sub: 'alice', aud: 'conf', exp: now + 60, iat: now }
  }

  test('what we signed ourselves would be good, so what follows fails for its own reason', async () => {
    expectCode(host, await silently({ id_token_hint: forge(OWN_HEADER, claims()) }))
  })

  const foreignKey = rsaKey().privateKey
  const segment = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  test.each<[name: string, hint: () => string]>([
    ['signed by another key', () => forge(OWN_HEADER, claims(), foreignKey)],
    [
      'signed by another key under its own kid',
      () => forge({ ...OWN_HEADER, kid: 'other' }, claims(), foreignKey),
    ],
    [
      'that brings its key',
      () => forge({ ...OWN_HEADER, jwk: foreignKey.export({ format: 'jwk' }) }, claims(), foreignKey),
    ],
    ['with alg none', () => `${segment({ alg: 'none', typ: 'JWT' })}.${segment(claims())}.`],
    ['with alg none and our kid', () => `${segment({ ...OWN_HEADER, alg: 'none' })}.${segment(claims())}.`],
    ['with alg HS256', () => forge({ ...OWN_HEADER, alg: 'HS256' }, claims())],
    ['with another algorithm of ours', () => forge({ ...OWN_HEADER, alg: 'ES256' }, claims())],
    ['without kid', () => forge({ alg: 'RS256', typ: 'JWT' }, claims())],
    ['without typ', () => forge({ alg: 'RS256', kid: 'test-RS256' }, claims())],
    ['of a foreign issuer', () => forge(OWN_HEADER, { ...claims(), iss: 'https://evil.example' })],
    ['of an issuer with a slash', () => forge(OWN_HEADER, { ...claims(), iss: `${host.issuer}/` })],
    ['for another audience', () => forge(OWN_HEADER, { ...claims(), aud: 'conf2' })],
    ['for several audiences', () => forge(OWN_HEADER, { ...claims(), aud: ['conf', 'conf2'] })],
    ['without audience', () => forge(OWN_HEADER, { ...claims(), aud: undefined })],
    ['without sub', () => forge(OWN_HEADER, { ...claims(), sub: undefined })],
    ['with an empty sub', () => forge(OWN_HEADER, { ...claims(), sub: '' })],
    ['with a sub that is no text', () => forge(OWN_HEADER, { ...claims(), sub: ['alice'] })],
    ['that is a logout token', () => forge({ ...OWN_HEADER, typ: 'logout+jwt' }, claims())],
    [
      'that is a logout token by its type only',
      () => forge({ ...OWN_HEADER, typ: 'JWT' }, { ...claims(), exp: undefined }),
    ],
    ['that is an access token', () => forge({ ...OWN_HEADER, typ: 'at+jwt' }, claims())],
    ['that is a userinfo answer', () => forge(OWN_HEADER, { iss: host.issuer, aud: 'conf', sub: 'alice' })],
    ['ROB-07 with crit', () => forge({ ...OWN_HEADER, crit: ['exp'] }, claims())],
    ['ROB-07 with b64: false', () => forge({ ...OWN_HEADER, b64: false, crit: ['b64'] }, claims())],
    ['ROB-07 with zip', () => forge({ ...OWN_HEADER, zip: 'DEF' }, claims())],
    ['ROB-07 whose payload is a list', () => forge(OWN_HEADER, [claims()])],
    ['ROB-07 whose payload is no JSON', () => forge(OWN_HEADER, 'no JSON')],
    ['ROB-07 whose payload is null', () => forge(OWN_HEADER, 'null')],
    ['ROB-07 whose exp is a text', () => forge(OWN_HEADER, { ...claims(), exp: '1' })],
    ['ROB-07 whose exp is null', () => forge(OWN_HEADER, { ...claims(), exp: null })],
    ['ROB-07 with an edited payload', () => edited()],
    ['ROB-07 of 1 segment', () => 'x'],
    ['ROB-07 of 2 segments', () => 'x.y'],
    ['ROB-07 of 4 segments', () => `${forge(OWN_HEADER, claims())}.x`],
    ['ROB-07 of 5 segments, as a JWE', () => `${segment({ alg: 'dir', enc: 'A256GCM' })}..x.y.z`],
    ['ROB-07 of 10 segments', () => 'a.b.c.d.e.f.g.h.i.j'],
    ['ROB-07 of empty segments', () => '..'],
    ['ROB-07 whose header is no JSON', () => `x.${segment(claims())}.y`],
    ['ROB-07 whose header is a list', () => `${segment([])}.${segment(claims())}.y`],
    ['ROB-07 that is long', () => `${forge(OWN_HEADER, claims())}${'A'.repeat(5000)}`],
    ['INJ-01 that is markup', () => '"><svg onload=alert(1)>'],
  ])('OIDC-19 one %s is invalid_request', async (_, hint) => {
    const members = expectErrorRedirect(host, await silently({ id_token_hint: hint() }), 'invalid_request')
    expect(members.get('error_description')).toContain('id_token_hint')
  })

  function edited(): string {
    const [header, , signature] = alice.tokens.id_token.split('.')
    return `${header}.${segment({ ...claims(), sub: 'bob' })}.${signature}`
  }

  test.each([1e308, -1, 0])('ROB-07 exp of %p is read as what it is, and never a 500', async (exp) => {
    expectCode(host, await silently({ id_token_hint: forge(OWN_HEADER, { ...claims(), exp }) }))
  })

  test('ROB-07 duplicate members in what nobody but us could have signed are harmless', async () => {
    const hint = forge(
      OWN_HEADER,
      JSON.stringify(claims()).replace('"sub":"alice"', '"sub":"bob","sub":"alice"'),
    )
    expectCode(host, await silently({ id_token_hint: hint }))
  })

  test('a real userinfo JWT, access token JWT and refresh token are no hints', async () => {
    const api = 'https://api.example/'
    const at = await start({ provider: { resources: { [api]: { accessTokenFormat: 'jwt' } } } })
    const { tokens, agent } = await known(at, { scope: 'openid read' }, 'signed-rs256')
    const signed = await userinfo(at, tokens.access_token)
    expect(signed.headers.get('content-type')).toBe('application/jwt')
    const page = await ask(at, agent, { scope: 'openid read', resource: api }, 'signed-rs256')
    const jwt = await finish(at, agent, page, { client: 'signed-rs256' })
    for (const hint of [signed.text, jwt.tokens.access_token, tokens.refresh_token]) {
      const refused = await ask(
        at,
        agent,
        { prompt: 'none', id_token_hint: hint, scope: 'openid read' },
        'signed-rs256',
      )
      expectErrorRedirect(at, refused, 'invalid_request')
    }
    const good = { prompt: 'none', id_token_hint: tokens.id_token, scope: 'openid read' }
    expectCode(at, await ask(at, agent, good, 'signed-rs256'))
  })

  test('beside a claims parameter that names another user, nobody meets both', async () => {
    const id_token_hint = alice.tokens.id_token
    const wanted = (sub: string) => JSON.stringify({ id_token: { sub: { value: sub } } })
    expectCode(host, await silently({ id_token_hint, claims: wanted('alice') }))
    expectErrorRedirect(host, await silently({ id_token_hint, claims: wanted('bob') }), 'login_required')
  })
})

describe('what the login is told', () => {
  const everything = {
    login_hint: 'buffy@x.example',
    acr_values: 'two one',
    ui_locales: 'fr-CA  fr en',
    display: 'popup',
    prompt: 'login consent',
  }

  test('OIDC-20, PAINS-A4 a string loginUrl gets login_hint, encoded, behind a return_to that is not', async () => {
    for (const loginUrl of ['/login', '/login?lang=en', 'https://accounts.example/']) {
      const at = await start({ provider: { loginUrl } })
      const hint = 'a b+c&d="><svg onload=alert(1)>#é%'
      const page = await new Agent(at).get(authorizeUrl(at, { params: withOpenId({ login_hint: hint }) }))
      const location = page.headers.get('location')!
      const separator = loginUrl.includes('?') ? '&' : '?'
      expect(location.startsWith(`${loginUrl}${separator}return_to=/oauth/consent/`)).toBe(true)
      expect(location).not.toMatch(/["<>\s]/)
      const url = new URL(location, at.origin)
      expect(url.searchParams.get('login_hint')).toBe(hint)
      expect([...url.searchParams.keys()].filter((name) => name !== 'lang')).toEqual([
        'return_to',
        'login_hint',
      ])
    }
  })

  test('without login_hint there is return_to alone', async () => {
    const page = await new Agent(host).get(
      authorizeUrl(host, { params: withOpenId({ ...everything, login_hint: '' }) }),
    )
    expect([...new URL(page.location!).searchParams.keys()]).toEqual(['return_to'])
  })

  async function withFunction() {
    const calls: { returnTo: string; hints: LoginHints }[] = []
    const at = await start({
      provider: {
        loginUrl: (_req, returnTo, hints) => {
          calls.push({ returnTo, hints })
          return `/login?return_to=${returnTo}`
        },
      },
    })
    return { at, calls }
  }

  test('PAINS-A4 a function gets all of it, each time that the user is sent there', async () => {
    const { at, calls } = await withFunction()
    const agent = await signedIn(at, 'alice')
    at.advance(5)
    const login = await ask(at, agent, everything)
    await cancelLogin(agent, login)
    const hints = {
      loginHint: 'buffy@x.example',
      acrValues: ['two', 'one'],
      uiLocales: ['fr-CA', 'fr', 'en'],
      display: 'popup',
      prompts: ['login'],
    }
    expect(calls).toEqual([
      { returnTo: expect.stringMatching(/^\/oauth\/consent\/[\w-]+$/), hints },
      { returnTo: expect.stringMatching(/^\/oauth\/consent\/[\w-]+$/), hints },
    ])
  })

  test('of ui_locales only what can be a language, and no more than anybody reads', async () => {
    const { at, calls } = await withFunction()
    const locales = ['de', '<svg>', '*', 'x'.repeat(9), ...Array(30).fill('ja-JP')]
    await ask(at, new Agent(at), { ui_locales: locales.join(' ') })
    expect(calls[0]?.hints).toEqual({ uiLocales: ['de', ...Array(16).fill('ja-JP')] })
  })

  test('nothing that was not sent, or was empty', async () => {
    const { at, calls } = await withFunction()
    const empty = { acr_values: '', ui_locales: ' ', display: '', login_hint: '', prompt: '' }
    for (const params of [{}, empty, { prompt: 'consent' }]) await ask(at, new Agent(at), params)
    expect(calls.map(({ hints }) => hints)).toEqual([{}, {}, {}])
  })

  test('that a user who is signed in has to sign in again, be it for max_age or for an essential acr', async () => {
    const { at, calls } = await withFunction()
    const agent = await signedIn(at, 'alice')
    at.advance(5)
    await ask(at, agent, { max_age: '1' })
    await ask(at, agent, { prompt: 'select_account', max_age: '1' })
    await ask(at, agent, { acr_values: 'one', claims: essentialAcr(['two', 'three']) })
    await ask(at, new Agent(at), { max_age: '1' })
    expect(calls.map(({ hints }) => hints)).toEqual([
      { prompts: ['login'] },
      { prompts: ['select_account'] },
      { prompts: ['login'], acrValues: ['two', 'three', 'one'] },
      {},
    ])
  })

  test('INJ-01 markup in any of it is nowhere on our own pages', async () => {
    const agent = await signedIn(host, 'alice')
    const markup = '"><svg onload=alert(1)>'
    const params = {
      login_hint: markup,
      ui_locales: markup,
      display: markup,
      acr_values: markup,
      nonce: markup,
      claims_locales: markup,
    }
    const page = await ask(host, agent, { ...params, state: markup, scope: 'openid read write' })
    expect(stage(host, page)).toBe('consent')
    expectPageHeaders(page)
    expect(page.text).not.toContain('<svg')
    const answer = await decide(agent, page, 'approve')
    expect(responseOf(answer).state).toBe(markup)
    expect((await finish(host, agent, answer)).claims.nonce).toBe(markup)
  })
})

function essentialAcr(values: unknown, more: object = {}): string {
  const wanted = Array.isArray(values) ? { values } : { value: values }
  return JSON.stringify({ id_token: { acr: { essential: true, ...wanted, ...more } } })
}

describe('an essential acr', () => {
  const signedInWith = async (acr: string | undefined) => {
    const agent = new Agent(host)
    await agent.post('/login', { user: 'alice', acr })
    await signIn(host, { agent })
    return agent
  }

  test.each([[['urn:two', 'urn:three']], ['urn:two']])(
    'that holds, %j, lets the user through',
    async (values) => {
      const agent = await signedInWith('urn:two')
      const page = await ask(host, agent, { claims: essentialAcr(values) })
      expect((await finish(host, agent, page)).claims.acr).toBe('urn:two')
      expectCode(host, await ask(host, agent, { claims: essentialAcr(values), prompt: 'none' }))
    },
  )

  test('that does not hold leads to the login, and a stronger sign-in there fulfils it', async () => {
    for (const before of ['urn:one', undefined]) {
      const agent = await signedInWith(before)
      const login = await ask(host, agent, { claims: essentialAcr(['urn:two']) })
      expect(stage(host, login)).toBe('login')
      const page = await signInAt(agent, login, 'alice', { acr: 'urn:two' })
      expect((await finish(host, agent, page)).claims.acr).toBe('urn:two')
    }
  })

  test('that does not hold even then is unmet_authentication_requirements, and the user stays signed in', async () => {
    const agent = await signedInWith('urn:one')
    const login = await ask(host, agent, { claims: essentialAcr('urn:two') })
    const refused = await signInAt(agent, login, 'alice', { acr: 'urn:one' })
    const { error_description, ...answer } = responseOf(refused)
    expect(answer).toEqual({
      error: 'unmet_authentication_requirements',
      state: 'the-state',
      iss: host.issuer,
    })
    await expectStillSignedIn(host, agent)
    const events = host.events.filter(({ event }) => event.reason === 'acr_unmet')
    expect(events).toHaveLength(1)
  })

  test('that does not hold with prompt=none is login_required', async () => {
    const agent = await signedInWith('urn:one')
    expectErrorRedirect(
      host,
      await ask(host, agent, { claims: essentialAcr('urn:two'), prompt: 'none' }),
      'login_required',
    )
  })

  test('that names no value, or is not essential, or is asked of userinfo, asks for nothing', async () => {
    const agent = await signedInWith('urn:one')
    for (const claims of [
      '{"id_token":{"acr":{"essential":true}}}',
      '{"id_token":{"acr":null}}',
      '{"id_token":{"acr":{"values":["urn:two"]}}}',
      '{"id_token":{"acr":{"essential":false,"value":"urn:two"}}}',
      '{"userinfo":{"acr":{"essential":true,"value":"urn:two"}}}',
    ]) {
      const page = await ask(host, agent, { claims, prompt: 'none' })
      expectCode(host, page)
      expect((await finish(host, agent, page)).claims.acr).toBe('urn:one')
    }
  })
})

describe('parameters that come twice, empty or as something else', () => {
  const ONCE = [
    'response_type',
    'scope',
    'state',
    'nonce',
    'prompt',
    'code_challenge',
    'code_challenge_method',
    'max_age',
    'claims',
    'id_token_hint',
    'login_hint',
    'acr_values',
    'ui_locales',
    'display',
    'response_mode',
  ]
  const VALUES: Readonly<Record<string, string>> = {
    nonce: 'n',
    prompt: 'consent',
    max_age: '100',
    claims: '{}',
    id_token_hint: 'x',
    response_mode: 'query',
  }

  test.each(
    ONCE.flatMap(
      (name) =>
        [
          [name, 'the same'],
          [name, 'another'],
        ] as const,
    ),
  )('AUTHZ-08 %s twice, %s value, is invalid_request', async (name, second) => {
    const agent = await signedIn(host, 'alice')
    const url = new URL(authorizeUrl(host, { params: withOpenId() }))
    const value = url.searchParams.get(name) ?? VALUES[name] ?? 'x'
    url.searchParams.set(name, value)
    url.searchParams.append(name, second === 'another' ? `${value}2` : value)
    const state = name === 'state' ? null : 'the-state'
    expectErrorRedirect(host, await agent.get(url.href), 'invalid_request', { state })
  })

  test.each(['client_id', 'redirect_uri'])('AUTHZ-08 %s twice is a page', async (name) => {
    const agent = await signedIn(host, 'alice')
    for (const more of ['', '2']) {
      const url = new URL(authorizeUrl(host, { params: withOpenId() }))
      url.searchParams.append(name, url.searchParams.get(name) + more)
      expectErrorPage(await agent.get(url.href))
    }
  })

  test('AUTHZ-10 empty values are as if left out, and no state comes back', async () => {
    const { agent } = await known(host)
    const empty = [
      'state',
      'nonce',
      'prompt',
      'max_age',
      'login_hint',
      'resource',
      'claims',
      'id_token_hint',
      'acr_values',
      'ui_locales',
      'display',
      'request',
      'request_uri',
      'registration',
      'response_mode',
    ]
    const page = await ask(host, agent, Object.fromEntries(empty.map((name) => [name, ''])))
    expectCode(host, page, { state: null })
    expect((await finish(host, agent, page)).claims).not.toHaveProperty('nonce')
  })

  test.each<[what: string, params: Form]>([
    ['an unknown scope', { scope: 'openid "bad' }],
    ['a bad response_type', { response_type: 'bogus' }],
    ['no PKCE', { code_challenge: undefined, code_challenge_method: undefined }],
    ['a bad prompt', { prompt: 'none login' }],
    ['a bad max_age', { max_age: '-1' }],
    ['malformed claims', { claims: '[' }],
    ['a foreign id_token_hint', { id_token_hint: 'x' }],
    ['state twice', { state: ['a', 'b'] }],
    ['prompt=none', { prompt: 'none' }],
    ['form_post', { response_mode: 'form_post', prompt: 'none' }],
    ['request', { request: 'x' }],
  ])('AUTHZ-05 an unregistered redirect_uri or an unknown client beside %s is a page', async (_, params) => {
    const agent = await signedIn(host, 'alice')
    // Beside a request object no redirect URI counts, so the object is what is wrong there.
    const code = 'request' in params ? 'invalid_request_object' : 'invalid_request'
    expectErrorPage(await ask(host, agent, { ...params, redirect_uri: 'https://evil.example/cb' }), { code })
    expectErrorPage(await ask(host, agent, { ...params, client_id: 'unknown' }))
  })

  test.each([
    'nonce',
    'prompt',
    'claims',
    'id_token_hint',
    'login_hint',
    'acr_values',
    'display',
    'state',
    'scope',
  ])('ROB-01, INJ-10 %s with brackets is another parameter, and ignored', async (name) => {
    const { agent } = await known(host)
    const { pathname, search } = new URL(authorizeUrl(host, { params: withOpenId() }))
    for (const brackets of ['[]', '[a]', '[toString]', '[length]', '[__proto__]'])
      expect((await getRaw(host, `${pathname}${search}&${name}${brackets}=x`, agent)).location).toContain(
        'code=',
      )
    for (const polluting of ['__proto__[x]=1', 'constructor[prototype][x]=1', '__proto__=1'])
      expect((await getRaw(host, `${pathname}${search}&${polluting}`, agent)).location).toContain('code=')
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })

  test('ROB-01 in a posted request too, which a body parser of the host has read', async () => {
    const at = await start({
      before: (app) => {
        app.use('/oauth', express.urlencoded({ extended: true }))
      },
    })
    const { agent } = await known(at)
    const { searchParams } = new URL(authorizeUrl(at, { params: withOpenId() }))
    for (const name of ['nonce', 'prompt', 'claims', 'max_age', 'id_token_hint']) {
      const body = `${searchParams}&${name}[a]=x`
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      const posted = await agent.request(`${at.issuer}/authorize`, { method: 'POST', body, headers })
      const page = await agent.follow(posted.location!)
      expectErrorRedirect(at, page, 'invalid_request')
    }
  })

  test.each([
    'nonce',
    'prompt',
    'max_age',
    'claims',
    'id_token_hint',
    'login_hint',
    'acr_values',
    'ui_locales',
    'display',
  ])('ROB-11 the worst values of %s cost little', async (name) => {
    const { agent } = await known(host)
    const ordinary = () => ask(host, agent)
    for (const length of lengths(7000)) {
      for (const worst of ['a', '!', ' ', '{', '[', '.', '"', 'a!', 'a.']) {
        const value = worst.repeat(Math.ceil(length / worst.length)).slice(0, length)
        const page = await expectCheap(() => ask(host, agent, { [name]: value }), ordinary)
        expect(page.status).toBeLessThan(500)
      }
    }
  })

  test('ROB-11 a claims parameter as deep or as wide as it can be costs little', async () => {
    const { agent } = await known(host)
    const ordinary = () => ask(host, agent)
    const names = Array.from({ length: 200 }, (_, index) => `"c${index}":null`).join(',')
    for (const claims of [
      `{"userinfo":{"a":{"value":${'['.repeat(900)}${']'.repeat(900)}}}}`,
      `{"userinfo":{"a":${'{"a":'.repeat(250)}1${'}'.repeat(250)}}}`,
      `{"userinfo":{${names}}}`,
    ]) {
      const page = await expectCheap(() => ask(host, agent, { claims }), ordinary)
      expect(['callback', 'consent']).toContain(stage(host, page))
    }
  })
})

describe('INJ-07 every authorization response says by iss whom it comes from', () => {
  test.each<[what: string, params: Form, user: string | undefined]>([
    ['success', { prompt: 'none' }, 'alice'],
    ['login_required', { prompt: 'none' }, undefined],
    ['consent_required', { prompt: 'none', scope: 'openid phone' }, 'alice'],
    ['invalid_request', { prompt: 'foo' }, undefined],
    ['invalid_scope', { scope: 'nothing' }, undefined],
    ['unsupported_response_type', { response_type: 'id_token' }, undefined],
    ['invalid_request_object', { request: 'x' }, undefined],
  ])('%s', async (_, params, user) => {
    const agent = user === undefined ? new Agent(host) : (await known(host)).agent
    expect(responseOf(await ask(host, agent, params)).iss).toBe(host.issuer)
    const form = await ask(host, agent, { ...params, response_mode: 'form_post' })
    expect(form.text).toContain(`name="iss" value="${host.issuer}"`)
  })

  test('access_denied, and the page that goes on after a login', async () => {
    const agent = new Agent(host)
    const consent = await signInAt(agent, await ask(host, agent, { scope: 'openid address' }), 'alice')
    expect(responseOf(await decide(agent, consent, 'deny'))).toMatchObject({
      error: 'access_denied',
      iss: host.issuer,
    })
    const later = new Agent(host)
    const page = await signInAt(later, await ask(host, later, {}), 'alice')
    expect(destination(page).searchParams.get('iss')).toBe(host.issuer)
  })
})

describe('K-14, OIDC-21 offline_access', () => {
  test('is honoured without prompt=consent once the user has seen it on the page', async () => {
    const agent = await signedIn(host, 'alice')
    const page = await ask(host, agent, { scope: 'openid offline_access' })
    expect(page.text).toContain('Keep this access while you are away')
    const { tokens } = await finish(host, agent, page)
    expect(tokens.scope).toBe('openid offline_access')
    expect(tokens.refresh_token).toEqual(expect.any(String))
  })

  test('is no scope of an API, and a client without the grant gets no refresh token', async () => {
    const { tokens } = await signIn(host, { client: 'once', params: { scope: 'openid offline_access' } })
    expect(tokens).not.toHaveProperty('refresh_token')
    expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(403)
  })
})

test('a request that names no scope has no ID token, since openid must be asked for', async () => {
  const agent = await signedIn(host, 'alice')
  const page = await agent.follow(authorizeUrl(host, { params: { scope: undefined } }))
  const { code } = responseOf(stage(host, page) === 'consent' ? await decide(agent, page, 'approve') : page)
  const { body } = await redeem(host, code!)
  expect(body.scope).toBe('read write')
  expect(body).not.toHaveProperty('id_token')
})
