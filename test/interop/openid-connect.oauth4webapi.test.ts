import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as oauth from 'oauth4webapi'
import { Agent, type Form } from '../support/agent.js'
import { clients, csjSecret, pkjKey } from '../support/clients.js'
import { decide, destination, redirectUriOf, signedIn } from '../support/flow.js'
import { formPosted } from '../support/form-post.js'
import { type Host, startHost } from '../support/host.js'

const insecure = { [oauth.allowInsecureRequests]: true }
const REDIRECT = redirectUriOf('conf')
const API = 'https://api.example/photos'
const SCOPE = 'openid profile email read offline_access'
/** When the user signed in, in seconds. */
const SIGNED_IN = Math.floor(Date.now() / 1000) - 60

let host: Host
let server: oauth.AuthorizationServer
/** Where `published` publishes its keys. */
let site: Server
let published: oauth.JWKS = { keys: [] }
let fetches = 0

beforeAll(async () => {
  site = createServer((_req, res) => {
    fetches++
    res.setHeader('cache-control', 'max-age=3600').end(JSON.stringify(published))
  }).listen(0, '127.0.0.1')
  await once(site, 'listening')
  const ours = {
    client_secret: 'ours-secret',
    redirect_uris: [REDIRECT],
  }
  host = await startHost({
    provider: {
      authTime: () => SIGNED_IN,
      authContext: () => ({ acr: 'urn:example:loa:2', amr: ['pwd', 'otp'] }),
      allowPrivateAddresses: ['127.0.0.1'],
      resources: { [API]: { accessTokenFormat: 'jwt', scopes: ['read', 'write'] } },
      clients: [
        ...clients,
        { ...ours, client_id: 'es256', id_token_signed_response_alg: 'ES256' },
        { ...ours, client_id: 'eddsa', id_token_signed_response_alg: 'EdDSA' },
        { ...ours, client_id: 'signed', userinfo_signed_response_alg: 'RS256' },
        { ...ours, client_id: 'signed-es256', userinfo_signed_response_alg: 'ES256' },
        { ...ours, client_id: 'claims', id_token_claims: 'scopes' },
        {
          client_id: 'published',
          redirect_uris: [REDIRECT],
          token_endpoint_auth_method: 'private_key_jwt',
          jwks_uri: `http://127.0.0.1:${(site.address() as AddressInfo).port}/jwks`,
        },
      ],
    },
  })
  const issuer = new URL(host.issuer)
  const response = await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...insecure })
  server = await oauth.processDiscoveryResponse(issuer, response)
})
afterAll(async () => {
  site.close().closeAllConnections()
  await host.close()
})

function pkjSigner(): Promise<oauth.CryptoKey> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  return crypto.subtle.importKey('jwk', pkjKey, algorithm, false, ['sign'])
}

interface Authorized {
  readonly client: oauth.Client
  readonly redirectUri: string
  readonly verifier: string
  readonly state: string
  readonly nonce: string
  /** The parameters of the authorization response. */
  readonly callback: URLSearchParams
}

/** As the library's own example does it, with a person who decides in between; or with nobody who is signed in. */
async function authorize(client: oauth.Client, params: Form = {}, user?: 'nobody'): Promise<Authorized> {
  const redirectUri = redirectUriOf(client.client_id)
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const nonce = oauth.generateRandomNonce()
  const url = new URL(server.authorization_endpoint ?? '')
  const parameters = {
    client_id: client.client_id,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: SCOPE,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...params,
  }
  url.search = String(new URLSearchParams(parameters as Record<string, string>))
  const agent = user === 'nobody' ? new Agent(host) : await signedIn(host, 'alice')
  const page = await agent.follow(url.href)
  const last = page.text.includes('name="decision"') ? await decide(agent, page, 'approve') : page
  const callback =
    params.response_mode === 'form_post'
      ? new URLSearchParams(await formPosted(last).text())
      : destination(last).searchParams
  return { client, redirectUri, verifier, state, nonce, callback }
}

async function redeem(
  { client, redirectUri, verifier, state, callback }: Authorized,
  auth: oauth.ClientAuth,
  additionalParameters: Record<string, string> = {},
): Promise<Response> {
  const parameters = oauth.validateAuthResponse(server, client, callback, state)
  return oauth.authorizationCodeGrantRequest(server, client, auth, parameters, redirectUri, verifier, {
    ...insecure,
    additionalParameters,
  })
}

/** The tokens of an authorization. */
async function redeemed(authorized: Authorized, auth: oauth.ClientAuth, more: Record<string, string> = {}) {
  const response = await redeem(authorized, auth, more)
  const { client, nonce: expectedNonce } = authorized
  return oauth.processAuthorizationCodeResponse(server, client, response, { expectedNonce })
}

/** The whole flow, with every check of the library, that of the signature included. */
async function signIn(client: oauth.Client, auth: oauth.ClientAuth, params: Form = {}) {
  const authorized = await authorize(client, params)
  const response = await redeem(authorized, auth)
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
    expectedNonce: authorized.nonce,
    maxAge: 3600,
    requireIdToken: true,
  })
  await oauth.validateApplicationLevelSignature(server, response, insecure)
  const claims = oauth.getValidatedIdTokenClaims(tokens)
  if (claims === undefined) throw new Error('no ID token')
  return { tokens, claims, response }
}

async function userinfo(client: oauth.Client, token: string, sub: string) {
  const response = await oauth.userInfoRequest(server, client, token, insecure)
  const claims = await oauth.processUserInfoResponse(server, client, sub, response)
  return { response, claims }
}

const ours = oauth.ClientSecretBasic('ours-secret')
/** What the library makes of `invalid_client`, which comes with a challenge. */
const INVALID_CLIENT = { status: 401, cause: [{ scheme: 'basic' }] }

test('discovers the provider by its issuer, at the place where OpenID Connect puts the document', () => {
  expect(server).toMatchObject({
    issuer: host.issuer,
    userinfo_endpoint: `${host.issuer}/userinfo`,
    jwks_uri: `${host.issuer}/jwks`,
    end_session_endpoint: `${host.issuer}/logout`,
    authorization_response_iss_parameter_supported: true,
    id_token_signing_alg_values_supported: expect.arrayContaining(['RS256', 'ES256', 'EdDSA']),
  })
})

describe('signs in with', () => {
  test.each<[string, () => oauth.ClientAuth | Promise<oauth.ClientAuth>]>([
    ['conf', () => oauth.ClientSecretBasic('conf-secret')],
    ['post', () => oauth.ClientSecretPost('post-secret')],
    ['pub', () => oauth.None()],
    ['pkj', async () => oauth.PrivateKeyJwt({ key: await pkjSigner(), kid: 'pkj-1' })],
    ['csj', () => oauth.ClientSecretJwt(csjSecret)],
  ])('%s: code, ID token, userinfo, and a new ID token on refresh', async (id, authentication) => {
    const client: oauth.Client = { client_id: id, require_auth_time: true, default_max_age: 3600 }
    const auth = await authentication()
    const { tokens, claims } = await signIn(client, auth)
    expect(tokens.scope?.split(' ').sort()).toEqual(SCOPE.split(' ').sort())
    expect(claims).toEqual({
      iss: host.issuer,
      sub: 'alice',
      aud: id,
      exp: claims.iat + 3600,
      iat: expect.any(Number),
      auth_time: SIGNED_IN,
      nonce: expect.any(String),
      at_hash: expect.stringMatching(/^[\w-]{22}$/),
      sid: expect.any(String),
      acr: 'urn:example:loa:2',
      amr: ['pwd', 'otp'],
    })

    const about = await userinfo(client, tokens.access_token, claims.sub)
    expect(about.claims).toEqual({ sub: 'alice', name: 'Alice', email: 'alice@host.example' })

    const response = await oauth.refreshTokenGrantRequest(
      server,
      client,
      auth,
      tokens.refresh_token ?? '',
      insecure,
    )
    const renewed = await oauth.processRefreshTokenResponse(server, client, response)
    await oauth.validateApplicationLevelSignature(server, response, insecure)
    const again = oauth.getValidatedIdTokenClaims(renewed)
    expect(again).toMatchObject({ sub: 'alice', aud: id, auth_time: SIGNED_IN, sid: claims.sid })
    expect(again?.at_hash).not.toBe(claims.at_hash)
  })

  test.each(['ES256', 'EdDSA'] as const)('ID tokens that are signed with %s', async (alg) => {
    const client: oauth.Client = {
      client_id: alg.toLowerCase(),
      id_token_signed_response_alg: alg,
      require_auth_time: true,
    }
    const { tokens } = await signIn(client, ours)
    const [header = ''] = (tokens.id_token ?? '').split('.')
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toMatchObject({
      alg,
      kid: expect.any(String),
    })
  })

  test.each([
    ['signed', 'RS256'],
    ['signed-es256', 'ES256'],
  ])('%s, whose userinfo is a JWT that is signed with %s', async (id, alg) => {
    const client: oauth.Client = { client_id: id, userinfo_signed_response_alg: alg }
    const { tokens, claims } = await signIn(client, ours)
    const { response, claims: about } = await userinfo(client, tokens.access_token, claims.sub)
    await oauth.validateApplicationLevelSignature(server, response, insecure)
    expect(about).toMatchObject({ sub: 'alice', name: 'Alice', iss: host.issuer, aud: id })
  })

  test('claims of the scopes in the ID token, where the client is registered so', async () => {
    const { claims } = await signIn({ client_id: 'claims' }, ours)
    expect(claims).toMatchObject({ sub: 'alice', name: 'Alice', email: 'alice@host.example' })
  })

  test('response_mode=form_post', async () => {
    const { claims } = await signIn({ client_id: 'conf' }, oauth.ClientSecretBasic('conf-secret'), {
      response_mode: 'form_post',
    })
    expect(claims.sub).toBe('alice')
  })
})

test('without openid there is no ID token, and userinfo says which scope is missing', async () => {
  const client: oauth.Client = { client_id: 'conf' }
  const authorized = await authorize(client, { scope: 'read' })
  const response = await redeem(authorized, oauth.ClientSecretBasic('conf-secret'))
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response)
  expect(tokens).not.toHaveProperty('id_token')
  const asked = oauth
    .userInfoRequest(server, client, tokens.access_token, insecure)
    .then((answer) => oauth.processUserInfoResponse(server, client, oauth.skipSubjectCheck, answer))
  await expect(asked).rejects.toMatchObject({
    cause: [{ scheme: 'bearer', parameters: { error: 'insufficient_scope', scope: 'openid' } }],
  })
})

test('notices the ID token of another request', async () => {
  const client: oauth.Client = { client_id: 'conf' }
  const auth = oauth.ClientSecretBasic('conf-secret')
  const response = await redeem(await authorize(client), auth)
  const expectedNonce = oauth.generateRandomNonce()
  await expect(
    oauth.processAuthorizationCodeResponse(server, client, response, { expectedNonce }),
  ).rejects.toThrow(/nonce/)
})

test.each([
  ['login_required', { prompt: 'none' }, 'nobody'],
  ['invalid_request', { prompt: 'none login' }, undefined],
  ['invalid_request_object', { request: 'e30.e30.' }, undefined],
  ['request_uri_not_supported', { request_uri: 'https://rp.example/request' }, undefined],
  ['login_required', { prompt: 'none', max_age: '1' }, undefined],
] as const)('understands %s', async (error, params, user) => {
  const { client, callback, state } = await authorize({ client_id: 'conf' }, params, user)
  expect(() => oauth.validateAuthResponse(server, client, callback, state)).toThrow(
    expect.objectContaining({ name: 'AuthorizationResponseError', error }),
  )
})

describe('a JWT access token for a resource', () => {
  const client: oauth.Client = { client_id: 'conf' }
  const auth = oauth.ClientSecretBasic('conf-secret')
  const call = (token: string) => new Request(API, { headers: { authorization: `Bearer ${token}` } })

  test('is validated by the library as RFC 9068 says, also after a refresh', async () => {
    const tokens = await redeemed(await authorize(client, { resource: API }), auth, { resource: API })
    const claims = await oauth.validateJwtAccessToken(server, call(tokens.access_token), API, insecure)
    expect(claims).toMatchObject({ sub: 'alice', client_id: 'conf', aud: API, scope: 'read' })

    const again = await oauth.refreshTokenGrantRequest(server, client, auth, tokens.refresh_token ?? '', {
      ...insecure,
      additionalParameters: { resource: API },
    })
    const renewed = await oauth.processRefreshTokenResponse(server, client, again)
    const { jti } = await oauth.validateJwtAccessToken(server, call(renewed.access_token), API, insecure)
    expect(jti).not.toBe(claims.jti)
  })

  test('is for that one only, and neither an ID token nor an opaque one takes its place', async () => {
    const tokens = await redeemed(await authorize(client, { resource: API }), auth)
    const validate = (token: string, audience = API) =>
      oauth.validateJwtAccessToken(server, call(token), audience, insecure)
    await expect(validate(tokens.access_token, `${host.origin}/api`)).rejects.toThrow(/aud/)
    await expect(validate(tokens.id_token ?? '')).rejects.toThrow()
    await expect(validate(tokens.refresh_token ?? '')).rejects.toThrow()
  })
})

describe('private_key_jwt', () => {
  const client: oauth.Client = { client_id: 'pkj' }

  test('an assertion works once, and one of another key never; the code survives both', async () => {
    const key = await pkjSigner()
    const once = oauth.PrivateKeyJwt(key, {
      [oauth.modifyAssertion](_header, payload) {
        payload.jti = 'the-same'
      },
    })
    expect(await redeemed(await authorize(client), once)).toMatchObject({ token_type: 'bearer' })
    const authorized = await authorize(client)
    await expect(redeemed(authorized, once)).rejects.toMatchObject(INVALID_CLIENT)
    const { privateKey } = await oauth.generateKeyPair('ES256')
    await expect(redeemed(authorized, oauth.PrivateKeyJwt(privateKey))).rejects.toMatchObject(INVALID_CLIENT)
    expect(await redeemed(authorized, oauth.PrivateKeyJwt(key))).toMatchObject({ token_type: 'bearer' })
  })

  test('keys that the client publishes are fetched once, and again when it has changed them', async () => {
    const client: oauth.Client = { client_id: 'published' }
    const publish = async (kid: string) => {
      const { privateKey, publicKey } = await oauth.generateKeyPair('ES256', { extractable: true })
      published = { keys: [{ ...((await crypto.subtle.exportKey('jwk', publicKey)) as oauth.JWK), kid }] }
      return oauth.PrivateKeyJwt({ key: privateKey, kid })
    }
    const first = await publish('first')
    for (let times = 0; times < 3; times++)
      expect(await redeemed(await authorize(client), first)).toMatchObject({ token_type: 'bearer' })
    expect(fetches).toBe(1)
    const second = await publish('second')
    expect(await redeemed(await authorize(client), second)).toMatchObject({ token_type: 'bearer' })
    expect(fetches).toBe(2)
    await expect(redeemed(await authorize(client), first)).rejects.toMatchObject(INVALID_CLIENT)
  })
})
