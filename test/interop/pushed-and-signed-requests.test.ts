import type { webcrypto } from 'node:crypto'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { pkjKey } from '../support/clients.js'
import { decide, destination, redirectUriOf, signedIn } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'

const { d: _, ...publicKey } = pkjKey
const jwks = { keys: [publicKey] }
const redirect_uris = [redirectUriOf('conf')]

let host: Host
let key: webcrypto.CryptoKey
beforeAll(async () => {
  host = await startHost({
    provider: {
      clients: [
        { client_id: 'pushing', client_secret: 'pushing-secret', redirect_uris, jwks },
        { client_id: 'app', token_endpoint_auth_method: 'none', redirect_uris, jwks },
        { client_id: 'keys', token_endpoint_auth_method: 'private_key_jwt', redirect_uris, jwks },
        {
          ...{ client_id: 'strict', token_endpoint_auth_method: 'private_key_jwt', redirect_uris, jwks },
          ...{ require_signed_request_object: true, require_pushed_authorization_requests: true },
        },
      ],
    },
  })
  key = await crypto.subtle.importKey('jwk', pkjKey, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
})
afterAll(() => host.close())

/** As its user, to the authorization response. */
async function approve(url: URL): Promise<URL> {
  const agent = await signedIn(host, 'alice')
  const page = await agent.follow(url.href)
  return destination(page.text.includes('name="decision"') ? await decide(agent, page, 'approve') : page)
}

describe('openid-client', () => {
  const auths: Record<string, () => openid.ClientAuth> = {
    pushing: () => openid.ClientSecretBasic('pushing-secret'),
    app: () => openid.None(),
  }
  const discover = (id: string) =>
    openid.discovery(new URL(host.issuer), id, {}, auths[id]?.() ?? openid.PrivateKeyJwt(key), {
      algorithm: 'oauth2',
      execute: [openid.allowInsecureRequests],
    })

  type Parameters = Record<string, string>
  type Way = (config: openid.Configuration, parameters: Parameters) => Promise<URL>
  const byPar: Way = (config, parameters) => openid.buildAuthorizationUrlWithPAR(config, parameters)
  const byJar: Way = (config, parameters) => openid.buildAuthorizationUrlWithJAR(config, parameters, key)
  const byBoth: Way = async (config, parameters) =>
    openid.buildAuthorizationUrlWithPAR(config, (await byJar(config, parameters)).searchParams)

  async function begin(id: string, way: Way, more: Parameters = {}) {
    const config = await discover(id)
    const pkceCodeVerifier = openid.randomPKCECodeVerifier()
    const checks = {
      ...{ pkceCodeVerifier, expectedState: openid.randomState(), expectedNonce: openid.randomNonce() },
      maxAge: 3600,
    }
    const url = await way(config, {
      ...{ redirect_uri: redirectUriOf('conf'), scope: 'openid read', max_age: '3600' },
      ...{ state: checks.expectedState, nonce: checks.expectedNonce, code_challenge_method: 'S256' },
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      claims: JSON.stringify({ id_token: { email: null } }),
      ...more,
    })
    return { config, checks, url }
  }

  test.each<[client: string, how: string, way: Way]>([
    ['pushing', 'pushed', byPar],
    ['app', 'pushed', byPar],
    ['keys', 'pushed', byPar],
    ['app', 'signed', byJar],
    ['keys', 'signed', byJar],
    ['pushing', 'signed and pushed', byBoth],
    ['strict', 'signed and pushed', byBoth],
  ])('%s: a %s request leads to tokens', async (id, _, way) => {
    const { config, checks, url } = await begin(id, way)
    expect(url.searchParams.has('redirect_uri')).toBe(false)
    const agent = await signedIn(host, 'bob')
    // max_age: nobody says when Bob signed in, so he does it again.
    const login = await agent.follow(url.href)
    const page = await agent.login('bob', new URL(login.url).searchParams.get('return_to') ?? '')
    const callback = page.text.includes('name="decision"') ? await decide(agent, page, 'approve') : page
    const tokens = await openid.authorizationCodeGrant(config, destination(callback), checks)
    expect(tokens.claims()).toMatchObject({ sub: 'bob', email: 'bob@host.example' })
  })

  test('understands what is refused at /par', async () => {
    for (const [more, error] of [
      [{ scope: 'nope' }, 'invalid_scope'],
      [{ redirect_uri: 'https://evil.example' }, 'invalid_request'],
      [{ request_uri: 'https://rp.example' }, 'invalid_request'],
      [{ request: 'e30.e30.e30' }, 'invalid_request_object'],
    ] as const)
      await expect(begin('pushing', byPar, more)).rejects.toMatchObject({ error, status: 400 })
    await expect(begin('strict', byPar)).rejects.toMatchObject({ error: 'invalid_request' })
  })

  test('understands that a request has to be pushed', async () => {
    const plain: Way = async (config, parameters) => openid.buildAuthorizationUrl(config, parameters)
    const { config, checks, url } = await begin('strict', plain)
    await expect(openid.authorizationCodeGrant(config, await approve(url), checks)).rejects.toMatchObject({
      error: 'invalid_request',
    })
  })
})

describe('oauth4webapi', () => {
  const insecure = { [oauth.allowInsecureRequests]: true }
  const issuer = () => new URL(host.issuer)

  async function serverOf() {
    const response = await oauth.discoveryRequest(issuer(), insecure)
    return oauth.processDiscoveryResponse(issuer(), response)
  }

  test.each<[client: string, signed: boolean, pushed: boolean]>([
    ['pushing', false, true],
    ['app', true, false],
    ['strict', true, true],
  ])('%s: signed %s, pushed %s', async (client_id, signed, pushed) => {
    const server = await serverOf()
    const client: oauth.Client = { client_id }
    const auth = { pushing: oauth.ClientSecretBasic('pushing-secret'), app: oauth.None() }[client_id]
    const verifier = oauth.generateRandomCodeVerifier()
    const state = oauth.generateRandomState()
    let parameters: Record<string, string> = {
      ...{ response_type: 'code', redirect_uri: redirectUriOf('conf'), scope: 'read', state },
      ...{ code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' },
    }
    if (signed) parameters = { request: await oauth.issueRequestObject(server, client, parameters, key) }
    const authentication = auth ?? oauth.PrivateKeyJwt(key)
    if (pushed) {
      const answer = await oauth.pushedAuthorizationRequest(
        server,
        client,
        authentication,
        parameters,
        insecure,
      )
      const { request_uri, expires_in } = await oauth.processPushedAuthorizationResponse(
        server,
        client,
        answer,
      )
      expect(expires_in).toBe(60)
      parameters = { request_uri }
    }
    const url = new URL(server.authorization_endpoint ?? '')
    url.search = String(new URLSearchParams({ client_id, ...parameters }))
    const callback = oauth.validateAuthResponse(server, client, await approve(url), state)
    const response = await oauth.authorizationCodeGrantRequest(
      ...([server, client, authentication, callback, redirectUriOf('conf'), verifier] as const),
      insecure,
    )
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, response)
    expect(tokens.scope).toBe('read')
  })
})
