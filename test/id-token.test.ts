import { createHash } from 'node:crypto'
import SQLite from 'better-sqlite3'
import { decodeProtectedHeader } from 'jose'
import { oauthProvider } from '../lib/index.js'
import { Agent } from './support/agent.js'
import { DEVICE_GRANT, decideAs, poll, startDevice } from './support/devices.js'
import { authorizeUrl, decide, redeem, refresh, signedIn } from './support/flow.js'
import { type Host, type HostOptions, startHost } from './support/host.js'
import {
  claimsAt,
  finish,
  idTokenClaims,
  loginOf,
  relyingParties,
  relyingParty,
  setUser,
  signIn,
  signInAt,
  stage,
  startOpenIdHost,
  userinfo,
  verifyJwt,
  withOpenId,
} from './support/openid.js'
import { signingKeys } from './support/signing-keys.js'

const API = 'https://api.example/photos'
let host: Host
beforeAll(async () => {
  host = await startOpenIdHost({ provider: { resources: { [API]: { accessTokenFormat: 'jwt' } } } })
})
afterAll(() => host.close())

const others: Host[] = []
afterEach(async () => {
  for (const other of others.splice(0)) await other.close()
})

async function start(provider: Parameters<typeof startOpenIdHost>[0] = {}): Promise<Host> {
  const other = await startOpenIdHost(provider)
  others.push(other)
  return other
}

/** OpenID Connect Core §3.1.3.6 */
function leftHalf(digest: string, accessToken: string): string {
  const hash = createHash(digest).update(accessToken).digest()
  return hash.subarray(0, hash.length / 2).toString('base64url')
}

describe('the signature', () => {
  test('OIDC-01, CLIENTS-02, oidcc-server: it is RS256 by default, by a key of the JWK Set, and the header names no other key', async () => {
    const { tokens } = await signIn(host)
    expect(decodeProtectedHeader(tokens.id_token)).toEqual({
      alg: 'RS256',
      typ: 'JWT',
      kid: expect.any(String),
    })
    await verifyJwt(host, tokens.id_token, 'conf')
  })

  test.each([
    ['es256', 'ES256'],
    ['eddsa', 'EdDSA'],
  ])('OIDC-01 the client %s gets the algorithm that it registered', async (client, alg) => {
    const { tokens } = await signIn(host, { client })
    expect(decodeProtectedHeader(tokens.id_token)).toEqual({ alg, typ: 'JWT', kid: expect.any(String) })
    await verifyJwt(host, tokens.id_token, client)
    const renewed = await refresh(host, tokens.refresh_token, { client })
    expect(decodeProtectedHeader(String(renewed.body.id_token)).alg).toBe(alg)
    await idTokenClaims(host, String(renewed.body.id_token), client)
  })

  test.each(['none', 'HS256', 'RS512', 'rs256', ''])('OIDC-01 %p cannot be registered', async (alg) => {
    const metadata = relyingParty('new', { id_token_signed_response_alg: alg })
    await expect(host.oauth.clients.create(metadata)).rejects.toThrow('id_token_signed_response_alg')
  })
})

describe('the claims', () => {
  test('OIDC-02 says who, by whom, for whom and how long, in whole seconds, and nothing that is empty', async () => {
    const now = Math.floor(host.now() / 1000)
    const { tokens } = await signIn(host, { params: { nonce: 'the-nonce' } })
    const claims = await idTokenClaims(host, tokens.id_token)
    expect(claims).toEqual({
      iss: host.issuer,
      sub: 'alice',
      aud: 'conf',
      iat: now,
      exp: now + 3600,
      auth_time: now,
      nonce: 'the-nonce',
      sid: expect.stringMatching(/^[\w-]{22}$/),
      at_hash: leftHalf('sha256', tokens.access_token),
    })
    for (const time of ['iat', 'exp', 'auth_time']) expect(Number.isInteger(claims[time])).toBe(true)
  })

  test('INJ-07 its iss is that of discovery and of the authorization response', async () => {
    const discovery = (await (await fetch(`${host.issuer}/.well-known/openid-configuration`)).json()) as {
      issuer: string
    }
    const { claims } = await signIn(host)
    expect(claims.iss).toBe(discovery.issuer)
    expect(claims.iss).toBe(host.issuer)
  })

  test('lifetimes.idToken says how long it is good', async () => {
    const other = await start({ provider: { lifetimes: { idToken: 7 } } })
    const { claims } = await signIn(other)
    expect(claims.exp! - claims.iat!).toBe(7)
  })

  test.each([
    ['plain', 'n-0S6_WzA2Mj'],
    ['with characters that need encoding', 'a b+c&d="<é>'],
    ['with blanks at its ends', ' a b '],
    ['that looks encoded', 'a+b%26c'],
    ['with quotes and a backslash', '"é\\<'],
    ['of 500 characters', 'n'.repeat(500)],
  ])('OIDC-02, OIDC-03 a nonce %s comes back as it was', async (_, nonce) => {
    expect((await signIn(host, { params: { nonce } })).claims.nonce).toBe(nonce)
  })

  test('AUTHZ-10 an empty nonce is none', async () => {
    const { claims } = await signIn(host, {
      params: {
        nonce: '',
        prompt: '',
        max_age: '',
        login_hint: '',
        resource: '',
        claims: '',
        id_token_hint: '',
      },
    })
    expect(claims).not.toHaveProperty('nonce')
  })

  test('PKCE-02, oidcc-ensure-request-without-nonce-succeeds-for-code-flow: neither nonce nor PKCE, where the client may', async () => {
    const { claims } = await signIn(host, {
      client: 'nopkce',
      params: { code_challenge: undefined, code_challenge_method: undefined },
    })
    expect(claims.sub).toBe('alice')
    expect(claims).not.toHaveProperty('nonce')
  })

  test('the same sub for the same user at every client that is public, and another for another user', async () => {
    const [first, second, bob] = [
      await signIn(host),
      await signIn(host, { client: 'nopkce' }),
      await signIn(host, { user: 'bob' }),
    ]
    expect([first, second, bob].map(({ claims }) => claims.sub)).toEqual(['alice', 'alice', 'bob'])
  })

  test('HOST-05 a numeric user id becomes a text', async () => {
    const other = await start({
      provider: { currentUser: () => 0, findUser: (id) => ({ id, name: 'Zero', email: '' }) },
    })
    expect((await signIn(other)).claims.sub).toBe('0')
  })
})

describe('OIDC-04 at_hash', () => {
  test.each([
    ['conf', 'sha256'],
    ['es256', 'sha256'],
    ['eddsa', 'sha512'],
  ])(
    'for %s it is the left half of %s of the access token, of each new one after refresh too',
    async (client, digest) => {
      const { tokens, claims } = await signIn(host, { client })
      expect(claims.at_hash).toBe(leftHalf(digest, tokens.access_token))
      const { body } = await refresh(host, tokens.refresh_token, { client })
      const renewed = await idTokenClaims(host, String(body.id_token), client)
      expect(renewed.at_hash).toBe(leftHalf(digest, body.access_token))
      expect(renewed.at_hash).not.toBe(claims.at_hash)
    },
  )

  test('of an access token that is a JWT, whole as it is', async () => {
    const { tokens, claims } = await signIn(host, { params: { scope: 'openid read', resource: API } })
    expect(decodeProtectedHeader(tokens.access_token).typ).toBe('at+jwt')
    expect(claims.at_hash).toBe(leftHalf('sha256', tokens.access_token))
    const { body } = await refresh(host, tokens.refresh_token)
    expect(decodeProtectedHeader(body.access_token).typ).toBe('at+jwt')
    const renewed = await idTokenClaims(host, String(body.id_token))
    expect(renewed.at_hash).toBe(leftHalf('sha256', body.access_token))
  })
})

describe('auth_time', () => {
  test('is when the host says, from a Date, and does not move when time passes', async () => {
    const agent = await signedIn(host, 'alice')
    const signedInAt = Math.floor(host.now() / 1000)
    host.advance(50)
    const { claims } = await signIn(host, { agent })
    expect(claims.auth_time).toBe(signedInAt)
    expect(claims.iat).toBe(signedInAt + 50)
  })

  test.each([
    ['whole seconds', (seconds: number) => seconds],
    ['seconds with a fraction', (seconds: number) => seconds + 0.75],
  ])('from %s', async (_, given) => {
    const other = await start({
      provider: { authTime: (req) => given(Math.floor((loginOf(req).signedInAt ?? 0) / 1000)) },
    })
    const agent = await signedIn(other, 'alice')
    const signedInAt = Math.floor(other.now() / 1000)
    other.advance(20)
    expect((await signIn(other, { agent })).claims.auth_time).toBe(signedInAt)
  })

  test('is left out where the host does not know it and nobody asked', async () => {
    const other = await start({ provider: { authTime: () => undefined } })
    expect((await signIn(other)).claims).not.toHaveProperty('auth_time')
  })

  test('is the first return from the login where the host does not know it', async () => {
    const other = await start({ provider: { authTime: () => undefined } })
    const agent = new Agent(other)
    const login = await agent.follow(authorizeUrl(other, { params: withOpenId() }))
    other.advance(30)
    const consent = await signInAt(agent, login, 'alice')
    const returnedAt = Math.floor(other.now() / 1000)
    other.advance(40)
    expect(stage(other, await agent.follow(consent.url))).toBe('consent')
    other.advance(50)
    expect((await finish(other, agent, consent)).claims.auth_time).toBe(returnedAt)
  })

  test('is when the host says, although the user came back from the login later', async () => {
    const other = await start()
    const agent = new Agent(other)
    const login = await agent.follow(authorizeUrl(other, { params: withOpenId() }))
    const returnTo = new URL(login.url).searchParams.get('return_to')!
    await agent.post('/login', { user: 'alice', return_to: returnTo })
    const signedInAt = Math.floor(other.now() / 1000)
    other.advance(30)
    const consent = await agent.follow(returnTo)
    expect(stage(other, consent)).toBe('consent')
    const { claims, tokens } = await finish(other, agent, consent)
    expect(claims.auth_time).toBe(signedInAt)
    const { body } = await refresh(other, tokens.refresh_token)
    expect((await idTokenClaims(other, String(body.id_token))).auth_time).toBe(signedInAt)
  })

  test('a client that requires it gets it: the user is sent to the login once where it is not known', async () => {
    const other = await start({ provider: { authTime: () => undefined } })
    const agent = await signedIn(other, 'alice')
    const page = await agent.follow(authorizeUrl(other, { client: 'timed', params: withOpenId() }))
    expect(stage(other, page)).toBe('login')
    const consent = await signInAt(agent, page, 'alice')
    expect((await finish(other, agent, consent, { client: 'timed' })).claims.auth_time).toBe(
      Math.floor(other.now() / 1000),
    )
    expect((await signIn(host, { client: 'timed' })).claims.auth_time).toEqual(expect.any(Number))
  })
})

describe('acr and amr', () => {
  async function signInWith(form: Record<string, string>) {
    const agent = new Agent(host)
    await agent.post('/login', { user: 'alice', ...form })
    return signIn(host, { agent })
  }

  test('are what the host says of the sign-in, and stay so after refresh', async () => {
    const { tokens, claims } = await signInWith({ acr: 'urn:two', amr: 'pwd otp' })
    expect(claims).toMatchObject({ acr: 'urn:two', amr: ['pwd', 'otp'] })
    const { body } = await refresh(host, tokens.refresh_token)
    expect(await idTokenClaims(host, String(body.id_token))).toMatchObject({
      acr: 'urn:two',
      amr: ['pwd', 'otp'],
    })
  })

  test('OIDC-20 are left out where the host does not know them, never empty', async () => {
    const { claims } = await signInWith({})
    expect(claims).not.toHaveProperty('acr')
    expect(claims).not.toHaveProperty('amr')
    const other = await start({ provider: { authContext: () => ({ acr: '', amr: [] }) } })
    const empty = (await signIn(other)).claims
    expect(empty).not.toHaveProperty('acr')
    expect(empty).not.toHaveProperty('amr')
  })

  test.each([{ acr: 1 }, { amr: 'pwd' }, { amr: [''] }])(
    'what is no authentication context, %j, is a server_error that names the cure',
    async (given) => {
      const other = await start({ provider: { authContext: () => given as never } })
      const agent = await signedIn(other, 'alice')
      const page = await agent.follow(authorizeUrl(other, { params: withOpenId() }))
      expect(new URL(page.location!).searchParams.get('error')).toBe('server_error')
      const errors = other.events.filter(({ name }) => name === 'server.error')
      expect(String(errors[0]?.event.error)).toContain('authContext')
    },
  )
})

describe('sid', () => {
  test('is the same for a client within one login session, another for each client, and another after a new login', async () => {
    const agent = await signedIn(host, 'alice')
    const first = (await signIn(host, { agent })).claims.sid
    expect((await signIn(host, { agent })).claims.sid).toBe(first)
    // Pairwise clients could compare it in place of `sub`.
    expect((await signIn(host, { agent, client: 'nopkce' })).claims.sid).not.toBe(first)
    await agent.login('alice')
    const second = (await signIn(host, { agent })).claims.sid
    expect(second).not.toBe(first)
    expect((await signIn(host)).claims.sid).not.toBe(second)
  })

  test('does not tell the session id', async () => {
    const agent = await signedIn(host, 'alice')
    const cookie = decodeURIComponent(agent.cookies.get('host')?.value ?? '')
    const { claims } = await signIn(host, { agent })
    expect(cookie).toMatch(/^s:/)
    expect(cookie).not.toContain(claims.sid)
  })

  test('is another for a user whom the host lets in without a new session', async () => {
    const other = await start({ provider: { currentUser: (req) => req.headers['x-user'] } })
    const agent = await signedIn(other, 'alice')
    const sidOf = async (user: string) => {
      const page = await agent.get(authorizeUrl(other, { client: 'first', params: withOpenId() }), {
        'x-user': user,
      })
      return (await finish(other, agent, page, { client: 'first' })).claims
    }
    const [alice, bob] = [await sidOf('alice'), await sidOf('bob')]
    expect([alice.sub, bob.sub]).toEqual(['alice', 'bob'])
    expect(alice.sid).not.toBe(bob.sid)
    expect((await sidOf('alice')).sid).toBe(alice.sid)
  })

  test('is left out where the browser holds no session: its id would be another one at each request', async () => {
    const other = await start({ provider: { currentUser: (req) => req.headers['x-user'] } })
    const agent = new Agent(other)
    const asked = authorizeUrl(other, { client: 'first', params: withOpenId() })
    const page = await agent.get(asked, { 'x-user': 'alice' })
    expect(agent.cookies.has('host')).toBe(false)
    expect((await finish(other, agent, page, { client: 'first' })).claims).not.toHaveProperty('sid')
  })

  test('is left out for a host whose sessions have no id', async () => {
    const sessions: HostOptions['session'] = (req, _res, next) => {
      Object.assign(req, { session: { userId: 'alice' } })
      next()
    }
    const other = await start({ session: sessions, provider: { authTime: () => undefined } })
    const agent = new Agent(other)
    const page = await agent.follow(authorizeUrl(other, { client: 'first', params: withOpenId() }))
    expect((await finish(other, agent, page, { client: 'first' })).claims).not.toHaveProperty('sid')
  })
})

describe('where claims go', () => {
  const params = { scope: 'openid profile email' }

  test('OIDC-05 without the scope openid there is no ID token', async () => {
    const agent = await signedIn(host, 'alice')
    const page = await agent.follow(authorizeUrl(host, { params: { scope: 'read profile', nonce: 'n' } }))
    const code = new URL((await decide(agent, page, 'approve')).location!).searchParams.get('code')!
    const { status, body } = await redeem(host, code)
    expect(status).toBe(200)
    expect(body).not.toHaveProperty('id_token')
    const renewed = await refresh(host, body.refresh_token)
    expect(renewed.status).toBe(200)
    expect(renewed.body).not.toHaveProperty('id_token')
  })

  test('OIDC-10, K-19 claims of scopes are told by userinfo, not by the ID token', async () => {
    const { tokens, claims } = await signIn(host, { params })
    expect(claims).not.toHaveProperty('name')
    expect(claims).not.toHaveProperty('email')
    const { body } = await userinfo(host, tokens.access_token)
    expect(body).toEqual({ sub: 'alice', name: 'Alice', email: 'alice@host.example' })
  })

  test('CLIENTS-13, PAINS-E4 a client can have them in the ID token too, after refresh as well', async () => {
    const { tokens, claims } = await signIn(host, { client: 'full', params })
    expect(claims).toMatchObject({ sub: 'alice', name: 'Alice', email: 'alice@host.example' })
    const { body } = await refresh(host, tokens.refresh_token, { client: 'full' })
    expect(await idTokenClaims(host, String(body.id_token), 'full')).toMatchObject({ name: 'Alice' })
    expect((await userinfo(host, tokens.access_token)).body).toHaveProperty('name', 'Alice')
    const narrowed = await refresh(host, body.refresh_token, {
      client: 'full',
      form: { scope: 'openid email' },
    })
    const less = await idTokenClaims(host, String(narrowed.body.id_token), 'full')
    expect(less).not.toHaveProperty('name')
    expect(less).toHaveProperty('email')
  })

  test('CLIENTS-13 the host can have it so for all clients, and one client otherwise', async () => {
    const other = await start({ provider: { idTokenClaims: 'scopes' } })
    expect((await signIn(other, { params })).claims).toMatchObject({
      name: 'Alice',
      email: 'alice@host.example',
    })
    const lean = (await signIn(other, { client: 'lean', params })).claims
    expect(lean).not.toHaveProperty('name')
    expect(lean).not.toHaveProperty('email')
    expect((await signIn(other, { params: { scope: 'openid email' } })).claims).not.toHaveProperty('name')
  })

  test('a claim of the user never replaces one of the token', async () => {
    const other = await start({
      provider: {
        idTokenClaims: 'scopes',
        claims: () => ({
          iss: 'https://evil.example',
          sub: 'bob',
          aud: 'x',
          exp: 1,
          nonce: 'x',
          sid: 'x',
          role: 'admin',
        }),
      },
    })
    const { claims } = await signIn(other, { params })
    expect(claims).toMatchObject({ iss: other.issuer, sub: 'alice', aud: 'conf', role: 'admin' })
    expect(claims).not.toHaveProperty('nonce')
  })
})

describe('after refresh', () => {
  test('REFR-01, oidcc-refresh-token: a new ID token with the same iss, sub, aud, auth_time and sid, a newer iat and no nonce', async () => {
    const { tokens, claims } = await signIn(host, {
      params: { scope: 'openid offline_access', prompt: 'consent', nonce: 'n' },
    })
    host.advance(60)
    const { status, body } = await refresh(host, tokens.refresh_token)
    expect(status).toBe(200)
    const renewed = await idTokenClaims(host, String(body.id_token))
    const { nonce, at_hash: _, ...kept } = claims
    expect(nonce).toBe('n')
    expect(renewed).toEqual({
      ...kept,
      iat: claims.iat! + 60,
      exp: claims.exp! + 60,
      at_hash: leftHalf('sha256', body.access_token),
    })
    expect(renewed).not.toHaveProperty('nonce')
    const stolen = await refresh(host, body.refresh_token, { client: 'conf2' })
    expect([stolen.status, stolen.body.error]).toEqual([400, 'invalid_grant'])
    expect((await userinfo(host, body.access_token)).body.sub).toBe('alice')
  })

  test('REFR-05 without openid in a narrower scope there is none, and the next one has it again', async () => {
    const { tokens } = await signIn(host, { params: { scope: 'openid read' } })
    const narrow = await refresh(host, tokens.refresh_token, { form: { scope: 'read' } })
    expect(narrow.body.scope).toBe('read')
    expect(narrow.body).not.toHaveProperty('id_token')
    expect((await userinfo(host, narrow.body.access_token)).status).toBe(403)
    const whole = await refresh(host, narrow.body.refresh_token)
    expect((await idTokenClaims(host, String(whole.body.id_token))).sub).toBe('alice')
  })

  test('REFR-12 within the grace the very same tokens come again, with an ID token that fits', async () => {
    for (const params of [{ scope: 'openid read' }, { scope: 'openid read', resource: API }]) {
      const { tokens } = await signIn(host, { params })
      const first = await refresh(host, tokens.refresh_token)
      host.advance(5)
      const again = await refresh(host, tokens.refresh_token)
      expect(again.status).toBe(200)
      expect(again.body.access_token).toBe(first.body.access_token)
      expect(again.body.refresh_token).toBe(first.body.refresh_token)
      const claims = await idTokenClaims(host, String(again.body.id_token))
      expect(claims.at_hash).toBe(leftHalf('sha256', first.body.access_token))
      expect(claims.sub).toBe('alice')
    }
  })
})

describe('OIDC-23 pairwise subjects', () => {
  const sub = async (client: string, redirect_uri = 'https://rp.example/cb') =>
    (await signIn(host, { client, params: { redirect_uri } })).claims.sub

  test('are the same within one site, others elsewhere, and tell nothing of the user', async () => {
    const [pair, twin, other, plain] = [
      await sub('pair'),
      await sub('pair-twin', 'https://rp.example/other'),
      await sub('pair-other', 'https://other.example/cb'),
      await sub('conf'),
    ]
    expect(twin).toBe(pair)
    expect(new Set([pair, other, plain]).size).toBe(3)
    expect(pair).toMatch(/^[\w-]{43}$/)
    expect(await sub('pair')).toBe(pair)
    const bob = (await signIn(host, { client: 'pair', user: 'bob' })).claims.sub
    expect(bob).not.toBe(pair)
  })

  test('are the same in the ID token, after refresh and at userinfo', async () => {
    const { tokens, claims } = await signIn(host, { client: 'pair' })
    expect((await userinfo(host, tokens.access_token)).body.sub).toBe(claims.sub)
    const { body } = await refresh(host, tokens.refresh_token, { client: 'pair' })
    expect((await idTokenClaims(host, String(body.id_token), 'pair')).sub).toBe(claims.sub)
  })

  test('follow the host of sector_identifier_uri where there is one', async () => {
    const sector = { subject_type: 'pairwise', sector_identifier_uri: 'https://sector.example/uris.json' }
    const other = await start({
      provider: {
        clients: [
          ...relyingParties,
          relyingParty('one', { ...sector, redirect_uris: ['https://one.example/cb'] }),
          relyingParty('two', {
            ...sector,
            redirect_uris: ['https://two.example/cb', 'https://rp.example/cb'],
          }),
          relyingParty('three', { subject_type: 'pairwise', redirect_uris: ['https://one.example/cb'] }),
        ],
      },
    })
    const subOf = async (client: string, redirect_uri: string) =>
      (await signIn(other, { client, params: { redirect_uri } })).claims.sub
    const one = await subOf('one', 'https://one.example/cb')
    expect(await subOf('two', 'https://two.example/cb')).toBe(one)
    expect(await subOf('two', 'https://rp.example/cb')).toBe(one)
    expect(await subOf('three', 'https://one.example/cb')).not.toBe(one)
  })

  test('depend on the salt', async () => {
    const other = await start({ provider: { pairwiseSalt: 'another salt, of 32 characters or so' } })
    expect((await claimsAt(other, { client: 'pair' })).sub).not.toBe(await sub('pair'))
  })

  test('of clients on this computer are never shared: any other can have an address like theirs', async () => {
    const local = { subject_type: 'pairwise', redirect_uris: ['http://127.0.0.1/cb'] }
    const other = await start({ provider: { clients: ['one', 'two'].map((id) => relyingParty(id, local)) } })
    const params = { redirect_uri: 'http://127.0.0.1/cb' }
    const agent = await signedIn(other, 'alice')
    const subs = []
    for (const client of ['one', 'two', 'one'])
      subs.push((await signIn(other, { agent, client, params })).claims.sub)
    expect(subs[0]).toBe(subs[2])
    expect(subs[0]).not.toBe(subs[1])
  })

  test('of clients without redirect URIs are never shared, and can be had without a sector_identifier_uri', async () => {
    const device = { subject_type: 'pairwise', grant_types: [DEVICE_GRANT] }
    const ids = ['one', 'two']
    const other = await start({ provider: { clients: ids.map((client_id) => ({ client_id, ...device })) } })
    const agent = await signedIn(other, 'alice')
    const subs = []
    for (const client of ['one', 'two', 'one']) {
      const codes = await startDevice(other, { client, form: { scope: 'openid' } })
      await decideAs(other, codes, 'approve', { agent })
      const { body } = await poll(other, codes, { client })
      const { sub } = await idTokenClaims(other, String(body.id_token), client)
      expect((await userinfo(other, body.access_token)).body.sub).toBe(sub)
      subs.push(sub)
    }
    expect(subs[0]).toMatch(/^[\w-]{43}$/)
    expect(subs[0]).toBe(subs[2])
    expect(subs[0]).not.toBe(subs[1])
  })

  test('do not depend on the port: the sector is a host (Core §8.1)', async () => {
    const client = relyingParty('pair-port', {
      subject_type: 'pairwise',
      redirect_uris: ['https://rp.example:8443/cb', 'https://rp.example/elsewhere'],
    })
    const other = await start({ provider: { clients: [...relyingParties, client] } })
    const subOf = async (id: string, redirect_uri: string) =>
      (await signIn(other, { client: id, params: { redirect_uri } })).claims.sub
    const pair = await subOf('pair', 'https://rp.example/cb')
    expect(await subOf('pair-port', 'https://rp.example:8443/cb')).toBe(pair)
    expect(await subOf('pair-port', 'https://rp.example/elsewhere')).toBe(pair)
  })

  test('never become the id itself where the option pairwiseSalt is taken away from a stored client', async () => {
    const store = new SQLite(':memory:')
    const resources = { 'https://api.example/things': {} }
    const clients = relyingParties.filter(({ subject_type }) => subject_type !== 'pairwise')
    const before = await start({ provider: { store, resources } })
    const client = 'stored-pair'
    await before.oauth.clients.create(relyingParty(client, { subject_type: 'pairwise' }))
    const params = { resource: 'https://api.example/things' }
    const { tokens } = await signIn(before, { client, params })

    const after = await startHost({ provider: { store, resources, clients } })
    others.push(after)
    const renewed = await refresh(after, tokens.refresh_token, { client })
    expect([renewed.status, renewed.body.error]).toEqual([500, 'server_error'])
    expect(renewed.body).not.toHaveProperty('id_token')
    const agent = await signedIn(after, 'alice')
    const page = await agent.follow(authorizeUrl(after, { client, params: withOpenId(params) }))
    expect(new URL(page.location!).searchParams.get('error')).toBe('server_error')
    const errors = after.events.filter(({ name }) => name === 'server.error')
    expect(errors.map(({ event }) => String(event.error))).toEqual(
      Array(2).fill(expect.stringContaining('pairwiseSalt')),
    )
  })

  test('need the option pairwiseSalt, which is said at construction', () => {
    const construct = () =>
      oauthProvider({
        issuer: 'https://host.example/oauth',
        findUser: () => undefined,
        store: ':memory:',
        keys: signingKeys,
        clients: [relyingParty('pair', { subject_type: 'pairwise' })],
      })
    expect(construct).toThrow(/subject_type.*pairwiseSalt/)
  })
})

test('CODE-08, RS-07 an ID token opens nothing: not the API, not userinfo, not the token endpoint', async () => {
  const { tokens } = await signIn(host, { params: { scope: 'openid read' } })
  expect((await userinfo(host, tokens.id_token)).status).toBe(401)
  const api = await fetch(`${host.origin}/api/read`, {
    headers: { authorization: `Bearer ${tokens.id_token}` },
  })
  expect(api.status).toBe(401)
  expect((await refresh(host, tokens.id_token)).body.error).toBe('invalid_grant')
  expect((await redeem(host, tokens.id_token)).body.error).toBe('invalid_grant')
})

test('a user who is gone gets no further ID token', async () => {
  const other = await start()
  setUser(other, 'carol', { name: 'Carol' })
  const { tokens } = await signIn(other, { user: 'carol' })
  other.users.delete('carol')
  const { status, body } = await refresh(other, tokens.refresh_token)
  expect([status, body.error]).toEqual([400, 'invalid_grant'])
})
