import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import * as openid from 'openid-client'
import { Agent, inputValue, type Page } from '../support/agent.js'
import { clients, csjSecret, pkjKey } from '../support/clients.js'
import { decide, destination, redirectUriOf, signedIn } from '../support/flow.js'
import { formPosted } from '../support/form-post.js'
import { type Host, type HostOptions, startHost } from '../support/host.js'

const OUT = 'https://rp.example/signed-out'
const API = 'https://api.example/photos'
/** When the user signed in, in seconds. */
const SIGNED_IN = Math.floor(Date.now() / 1000) - 60

let host: Host
beforeAll(async () => {
  const ours = { client_secret: 'ours-secret', redirect_uris: [redirectUriOf('conf')] }
  host = await startHost({
    provider: {
      authTime: () => SIGNED_IN,
      logout: (req) => new Promise((done) => (req as import('express').Request).session.destroy(done)),
      resources: { [API]: { accessTokenFormat: 'jwt' } },
      pairwiseSalt: 'a salt of thirty-two characters or more',
      clients: [
        ...clients,
        { ...ours, client_id: 'leaving', post_logout_redirect_uris: [OUT] },
        { ...ours, client_id: 'signed', userinfo_signed_response_alg: 'ES256' },
        { ...ours, client_id: 'pairwise', subject_type: 'pairwise' },
        {
          ...ours,
          client_id: 'strict',
          id_token_signed_response_alg: 'ES256',
          require_auth_time: true,
          default_max_age: 3600,
        },
      ],
    },
  })
})
afterAll(() => host.close())

async function discover(
  id: string,
  auth: openid.ClientAuth = openid.ClientSecretBasic('ours-secret'),
  metadata: Partial<openid.ClientMetadata> = {},
  issuer = host.issuer,
): Promise<openid.Configuration> {
  // Signatures of ID tokens and userinfo are checked too, against /jwks.
  const execute = [openid.allowInsecureRequests, openid.enableNonRepudiationChecks]
  return openid.discovery(new URL(issuer), id, metadata, auth, { execute })
}

interface Checks {
  readonly pkceCodeVerifier: string
  readonly expectedState: string
  readonly expectedNonce: string
  readonly idTokenExpected: true
}

async function authorize(
  config: openid.Configuration,
  parameters: Record<string, string> = {},
  agent?: Agent,
): Promise<{ agent: Agent; last: Page; checks: Checks }> {
  const checks: Checks = {
    pkceCodeVerifier: openid.randomPKCECodeVerifier(),
    expectedState: openid.randomState(),
    expectedNonce: openid.randomNonce(),
    idTokenExpected: true,
  }
  const url = openid.buildAuthorizationUrl(config, {
    redirect_uri: redirectUriOf(config.clientMetadata().client_id),
    scope: 'openid profile email',
    code_challenge: await openid.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    ...parameters,
  })
  const browser = agent ?? (await signedIn(host, 'alice'))
  const page = await browser.follow(url.href)
  const last = page.text.includes('name="decision"') ? await decide(browser, page, 'approve') : page
  return { agent: browser, last, checks }
}

async function signIn(
  config: openid.Configuration,
  parameters: Record<string, string> = {},
  { maxAge, agent }: { maxAge?: number; agent?: Agent } = {},
) {
  const { agent: browser, last, checks } = await authorize(config, parameters, agent)
  const tokens = await openid.authorizationCodeGrant(
    config,
    parameters.response_mode === 'form_post' ? formPosted(last) : destination(last),
    { ...checks, ...(maxAge !== undefined && { maxAge }) },
    parameters.resource === undefined ? {} : { resource: parameters.resource },
  )
  const claims = tokens.claims()
  if (claims === undefined) throw new Error('no ID token')
  return { tokens, claims, agent: browser }
}

test.each<[string, () => openid.ClientAuth | Promise<openid.ClientAuth>]>([
  ['conf', () => openid.ClientSecretBasic('conf-secret')],
  ['post', () => openid.ClientSecretPost('post-secret')],
  ['either', () => openid.ClientSecretPost('either-secret')],
  ['pub', () => openid.None()],
  ['csj', () => openid.ClientSecretJwt(csjSecret)],
  [
    'pkj',
    async () => {
      const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
      return openid.PrivateKeyJwt(await crypto.subtle.importKey('jwk', pkjKey, algorithm, false, ['sign']))
    },
  ],
])('signs in with %s: discovery, ID token, userinfo, and a new ID token on refresh', async (id, auth) => {
  const config = await discover(id, await auth())
  const { tokens, claims } = await signIn(config, { max_age: '3600' }, { maxAge: 3600 })
  expect(claims).toMatchObject({ iss: host.issuer, sub: 'alice', aud: id, auth_time: SIGNED_IN })
  expect(claims).not.toHaveProperty('email')
  expect(await openid.fetchUserInfo(config, tokens.access_token, claims.sub)).toEqual({
    sub: 'alice',
    name: 'Alice',
    email: 'alice@host.example',
  })
  const renewed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '')
  expect(renewed.claims()).toMatchObject({ iss: host.issuer, sub: 'alice', aud: id, auth_time: SIGNED_IN })
  expect(renewed.id_token).not.toBe(tokens.id_token)
})

test('signs in with a form that the browser posts', async () => {
  const config = await discover('strict', undefined, {
    id_token_signed_response_alg: 'ES256',
    require_auth_time: true,
    default_max_age: 3600,
  })
  const { claims } = await signIn(config, { response_mode: 'form_post' })
  expect(claims).toMatchObject({ sub: 'alice', auth_time: SIGNED_IN })
})

test('an error is posted by the form too', async () => {
  const config = await discover('conf', openid.ClientSecretBasic('conf-secret'))
  const wrong = { response_mode: 'form_post', code_challenge_method: 'plain' }
  const { last, checks } = await authorize(config, wrong)
  await expect(openid.authorizationCodeGrant(config, formPosted(last), checks)).rejects.toMatchObject({
    name: 'AuthorizationResponseError',
    error: 'invalid_request',
  })
})

test('userinfo as a JWT, signed with the algorithm that the client registered', async () => {
  const config = await discover('signed', undefined, { userinfo_signed_response_alg: 'ES256' })
  const { tokens, claims } = await signIn(config)
  const about = await openid.fetchUserInfo(config, tokens.access_token, claims.sub)
  expect(about).toMatchObject({ sub: 'alice', name: 'Alice' })
})

test('a pairwise sub is the same in the ID token, at userinfo and after a refresh, and is not the id', async () => {
  const config = await discover('pairwise')
  const { tokens, claims } = await signIn(config)
  expect(claims.sub).not.toContain('alice')
  const about = await openid.fetchUserInfo(config, tokens.access_token, claims.sub)
  expect(about.name).toBe('Alice')
  const renewed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '')
  expect(renewed.claims()?.sub).toBe(claims.sub)
})

test('asks for single claims', async () => {
  const config = await discover('conf', openid.ClientSecretBasic('conf-secret'))
  const { claims } = await signIn(config, {
    claims: JSON.stringify({ id_token: { email: { essential: true } } }),
  })
  expect(claims.email).toBe('alice@host.example')
})

test('a JWT access token for a resource comes with an ID token', async () => {
  const config = await discover('conf', openid.ClientSecretBasic('conf-secret'))
  const { tokens } = await signIn(config, { resource: API, scope: 'openid read' })
  const [, payload = ''] = tokens.access_token.split('.')
  expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({ aud: API, sub: 'alice' })
})

describe('a sign-in without a page', () => {
  test('succeeds for the user of the ID token, and says so of the same session', async () => {
    const config = await discover('conf', openid.ClientSecretBasic('conf-secret'))
    const { tokens, claims, agent } = await signIn(config)
    const silent = { prompt: 'none', id_token_hint: tokens.id_token ?? '' }
    const again = await signIn(config, silent, { agent })
    expect(again.claims).toMatchObject({ sub: claims.sub, auth_time: claims.auth_time, sid: claims.sid })
  })

  test.each([
    ['login_required', 'nobody is signed in', () => new Agent(host)],
    ['login_required', 'somebody else is', () => signedIn(host, 'bob')],
  ] as const)('is refused with %s where %s', async (error, _, agent) => {
    const config = await discover('conf', openid.ClientSecretBasic('conf-secret'))
    const { tokens } = await signIn(config)
    const silent = { prompt: 'none', id_token_hint: tokens.id_token ?? '' }
    const { last, checks } = await authorize(config, silent, await agent())
    await expect(openid.authorizationCodeGrant(config, destination(last), checks)).rejects.toMatchObject({
      error,
    })
  })
})

test('DISC-10 who holds a copy of the JWK Set verifies what was signed before oauth.keys.rotate() and after it, and need not ask again', async () => {
  // Keys that are generated, because those of the host's own do not rotate.
  const provider = { keys: undefined } as unknown as NonNullable<HostOptions['provider']>
  const rotating = await startHost({ provider })
  try {
    const auth = openid.ClientSecretBasic('conf-secret')
    const config = await discover('conf', auth, {}, rotating.issuer)
    const asked: string[] = []
    config[openid.customFetch] = (url, options) => {
      asked.push(new URL(url).pathname)
      return fetch(url, options as RequestInit)
    }
    const agent = await signedIn(rotating, 'alice')
    const before = await signIn(config, {}, { agent })
    await rotating.oauth.keys.rotate()
    const after = await signIn(config, {}, { agent })
    const renewed = await openid.refreshTokenGrant(config, before.tokens.refresh_token ?? '')
    const [old, ...recent] = [before.tokens, after.tokens, renewed].map(({ id_token = '' }) => id_token)
    const kids = [old, ...recent].map((jwt = '') => decodeProtectedHeader(jwt).kid)
    expect(kids[1]).not.toBe(kids[0])
    expect(kids[2]).toBe(kids[1])
    expect(asked.filter((path) => path.endsWith('/jwks'))).toHaveLength(1)

    // Who asks for the keys only now can still verify what was signed with the old one.
    const late = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri ?? ''))
    for (const jwt of [old ?? '', ...recent]) {
      const { payload } = await jwtVerify(jwt, late, { issuer: rotating.issuer, audience: 'conf' })
      expect(payload.sub).toBe('alice')
    }
  } finally {
    await rotating.close()
  }
})

describe('signing out by the URL that the library builds', () => {
  test('LOGO-01: with the ID token it goes straight back, and nobody is signed in afterwards', async () => {
    const config = await discover('leaving')
    const { tokens, agent } = await signIn(config)
    const state = openid.randomState()
    const url = openid.buildEndSessionUrl(config, {
      id_token_hint: tokens.id_token ?? '',
      post_logout_redirect_uri: OUT,
      state,
    })
    expect(url.searchParams.get('client_id')).toBe('leaving')
    const page = await agent.follow(url.href)
    expect(destination(page).href).toBe(`${OUT}?state=${state}`)
    const { last, checks } = await authorize(config, { prompt: 'none' }, agent)
    await expect(openid.authorizationCodeGrant(config, destination(last), checks)).rejects.toMatchObject({
      error: 'login_required',
    })
    // The grant outlives the session (DESIGN, decision 14).
    expect((await openid.refreshTokenGrant(config, tokens.refresh_token ?? '')).claims()?.sub).toBe('alice')
  })

  test('without it the user is asked', async () => {
    const config = await discover('leaving')
    const { agent } = await signIn(config)
    const url = openid.buildEndSessionUrl(config, { post_logout_redirect_uri: OUT })
    const page = await agent.follow(url.href)
    expect(page.status).toBe(200)
    const form = { _csrf: inputValue(page, '_csrf'), decision: 'approve', client_id: 'leaving' }
    const answer = await agent.post(page.url.split('?', 1)[0] ?? '', {
      ...form,
      post_logout_redirect_uri: OUT,
    })
    expect(destination(answer).href).toBe(OUT)
  })
})
