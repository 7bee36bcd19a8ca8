import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { decide, destination, redirectUriOf, signedIn } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'

const insecure = { [oauth.allowInsecureRequests]: true }

let plain: Host
let withNonce: Host
beforeAll(async () => {
  plain = await startHost({
    provider: (origin) => ({ resources: { [`${origin}/api`]: { accessTokenFormat: 'jwt' } } }),
  })
  withNonce = await startHost({ provider: { dpop: { requireNonce: true } } })
})
afterAll(() => Promise.all([plain.close(), withNonce.close()]))

async function approve(own: Host, url: URL): Promise<URL> {
  const agent = await signedIn(own, 'alice')
  const page = await agent.follow(url.href)
  return destination(page.text.includes('name="decision"') ? await decide(agent, page, 'approve') : page)
}

describe('openid-client', () => {
  const discover = (own: Host, id: string) =>
    openid.discovery(
      new URL(own.issuer),
      id,
      {},
      id === 'pub' ? openid.None() : openid.ClientSecretBasic(`${id}-secret`),
      { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] },
    )

  test.each([
    ['conf', 'without nonces', () => plain, 'ES256', false],
    ['pub', 'without nonces', () => plain, 'Ed25519', true],
    ['conf', 'with nonces, for which it asks again by itself', () => withNonce, 'PS256', true],
    ['pub', 'with nonces', () => withNonce, 'ES256', false],
  ] as const)(
    'takes %s through the flow, userinfo, the API and a refresh %s',
    async (id, _, host, alg, pushed) => {
      const own = host()
      const config = await discover(own, id)
      expect(config.serverMetadata().dpop_signing_alg_values_supported).toContain(alg)
      const key = await openid.randomDPoPKeyPair(alg)
      const DPoP = openid.getDPoPHandle(config, key)
      const pkceCodeVerifier = openid.randomPKCECodeVerifier()
      const expectedState = openid.randomState()
      const parameters = {
        redirect_uri: redirectUriOf(id),
        scope: 'openid read',
        code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
        state: expectedState,
      }
      const url = pushed
        ? await openid.buildAuthorizationUrlWithPAR(config, parameters, { DPoP })
        : openid.buildAuthorizationUrl(config, {
            ...parameters,
            dpop_jkt: await DPoP.calculateThumbprint(),
          })
      const checks = { pkceCodeVerifier, expectedState, idTokenExpected: true }
      const tokens = await openid.authorizationCodeGrant(config, await approve(own, url), checks, undefined, {
        DPoP,
      })
      expect(tokens.token_type).toBe('dpop')

      const api = new URL('/api/read', own.origin)
      const call = (token: string, options?: openid.DPoPOptions) =>
        openid.fetchProtectedResource(config, token, api, 'GET', undefined, undefined, options)
      expect((await call(tokens.access_token, { DPoP })).status).toBe(200)
      await expect(call(tokens.access_token)).rejects.toMatchObject({
        cause: [
          { scheme: 'dpop', parameters: { error: 'invalid_token', algs: expect.stringContaining(alg) } },
        ],
      })
      const claims = await openid.fetchUserInfo(config, tokens.access_token, 'alice', { DPoP })
      expect(claims.sub).toBe('alice')

      const refreshed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '', undefined, {
        DPoP,
      })
      expect(refreshed.token_type).toBe('dpop')
      expect((await call(refreshed.access_token, { DPoP })).status).toBe(200)
    },
  )
})

describe('oauth4webapi', () => {
  async function discover(own: Host): Promise<oauth.AuthorizationServer> {
    const issuer = new URL(own.issuer)
    const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
    return oauth.processDiscoveryResponse(issuer, response)
  }

  const client: oauth.Client = { client_id: 'conf' }
  const secret = oauth.ClientSecretBasic('conf-secret')

  async function codeGrant(
    own: Host,
    server: oauth.AuthorizationServer,
    DPoP: oauth.DPoPHandle,
    resource: string,
  ) {
    const verifier = oauth.generateRandomCodeVerifier()
    const url = new URL(server.authorization_endpoint ?? '')
    url.search = String(
      new URLSearchParams({
        client_id: 'conf',
        redirect_uri: redirectUriOf('conf'),
        response_type: 'code',
        scope: 'read',
        resource,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }),
    )
    const parameters = oauth.validateAuthResponse(server, client, await approve(own, url))
    return () =>
      oauth
        .authorizationCodeGrantRequest(server, client, secret, parameters, redirectUriOf('conf'), verifier, {
          ...insecure,
          DPoP,
        })
        .then((response) => oauth.processAuthorizationCodeResponse(server, client, response))
  }

  test('as a resource server takes our JWT access tokens with the proof of their key', async () => {
    const server = await discover(plain)
    const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
    const redeem = await codeGrant(plain, server, DPoP, `${plain.origin}/api`)
    const { access_token, token_type } = await redeem()
    expect(token_type).toBe('dpop')
    let sent: Request | undefined
    const response = await oauth.protectedResourceRequest(
      access_token,
      'GET',
      new URL('/api/read', plain.origin),
      undefined,
      undefined,
      {
        ...insecure,
        DPoP,
        [oauth.customFetch]: (url, init) => {
          sent = new Request(url, init as RequestInit)
          return fetch(sent.clone())
        },
      },
    )
    expect(response.status).toBe(200)
    const claims = await oauth.validateJwtAccessToken(server, sent as Request, `${plain.origin}/api`, {
      ...insecure,
      requireDPoP: true,
    })
    expect(claims.cnf?.jkt).toBe(await DPoP.calculateThumbprint())
  })

  test('recognizes that it has to use a nonce, at the token endpoint and at the API', async () => {
    const server = await discover(withNonce)
    const keys = await oauth.generateKeyPair('EdDSA')
    const DPoP = oauth.DPoP(client, keys)
    const redeem = await codeGrant(withNonce, server, DPoP, withNonce.origin)
    const first = await redeem().catch((error: unknown) => error)
    expect(oauth.isDPoPNonceError(first)).toBe(true)
    const { access_token } = await redeem()
    const call = (proof: oauth.DPoPHandle) =>
      oauth.protectedResourceRequest(
        access_token,
        'GET',
        new URL('/api/read', withNonce.origin),
        undefined,
        undefined,
        { ...insecure, DPoP: proof },
      )
    expect((await call(DPoP)).status).toBe(200)
    // The same key, in hands that have heard of no nonce yet.
    const again = oauth.DPoP(client, keys)
    const second = await call(again).catch((error: unknown) => error)
    expect(oauth.isDPoPNonceError(second)).toBe(true)
    expect((await call(again)).status).toBe(200)
  })
})
