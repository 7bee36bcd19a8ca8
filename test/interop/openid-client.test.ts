import * as openid from 'openid-client'
import { clients } from '../support/clients.js'
import { decide, destination, redirectUriOf, signedIn } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'

const AWKWARD = 'a:b%c+d e&f=é"\\'

let host: Host
beforeAll(async () => {
  const awkward = {
    client_id: 'id:with%awkward+parts é',
    client_secret: AWKWARD,
    redirect_uris: [redirectUriOf('conf')],
  }
  host = await startHost({ provider: { clients: [...clients, awkward] } })
})
afterAll(() => host.close())

function discover(id: string, auth: openid.ClientAuth): Promise<openid.Configuration> {
  return openid.discovery(new URL(host.issuer), id, {}, auth, {
    algorithm: 'oauth2',
    execute: [openid.allowInsecureRequests],
  })
}

async function authorize(config: openid.Configuration, id: string, parameters: Record<string, string> = {}) {
  const pkceCodeVerifier = openid.randomPKCECodeVerifier()
  const expectedState = openid.randomState()
  const url = openid.buildAuthorizationUrl(config, {
    redirect_uri: redirectUriOf(id),
    scope: 'read write',
    code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    ...parameters,
  })
  const agent = await signedIn(host, 'alice')
  const page = await agent.follow(url.href)
  const callback = page.text.includes('name="decision"') ? await decide(agent, page, 'approve') : page
  return { callback: destination(callback), checks: { pkceCodeVerifier, expectedState } }
}

test.each([
  ['conf', openid.ClientSecretBasic('conf-secret')],
  ['post', openid.ClientSecretPost('post-secret')],
  ['either', openid.ClientSecretPost('either-secret')],
  ['id:with%awkward+parts é', openid.ClientSecretBasic(AWKWARD)],
  ['id:with%awkward+parts é', openid.ClientSecretPost(AWKWARD)],
  ['pub', openid.None()],
  ['nat', openid.None()],
])('takes %s through discovery, the flow, the API and a refresh', async (id, auth) => {
  const config = await discover(id, auth)
  expect(config.serverMetadata().issuer).toBe(host.issuer)
  expect(config.serverMetadata().supportsPKCE()).toBe(true)
  const { callback, checks } = await authorize(config, id)
  const tokens = await openid.authorizationCodeGrant(config, callback, checks)
  expect(tokens).toMatchObject({ token_type: 'bearer', expires_in: 3600, scope: 'read write' })
  expect(tokens.expiresIn()).toBeGreaterThan(3500)
  const api = new URL('/api/write', host.origin)
  expect((await openid.fetchProtectedResource(config, tokens.access_token, api, 'GET')).status).toBe(200)

  const narrow = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '', { scope: 'read' })
  expect(narrow.scope).toBe('read')
  await expect(openid.fetchProtectedResource(config, narrow.access_token, api, 'GET')).rejects.toThrow()
  const all = await openid.refreshTokenGrant(config, narrow.refresh_token ?? '')
  expect((await openid.fetchProtectedResource(config, all.access_token, api, 'GET')).status).toBe(200)
})

test('asks for a resource, and the token is for that one', async () => {
  const config = await discover('pub', openid.None())
  const resource = `${host.origin}/api/read`
  const { callback, checks } = await authorize(config, 'pub', { resource })
  const tokens = await openid.authorizationCodeGrant(config, callback, checks, { resource })
  const call = (path: string) =>
    openid.fetchProtectedResource(config, tokens.access_token, new URL(path, host.origin), 'GET')
  expect((await call('/api/read')).status).toBe(200)
  await expect(call('/api/write')).rejects.toMatchObject({ status: 401 })
})

test('understands every error of the token endpoint by its code', async () => {
  const config = await discover('conf', openid.ClientSecretBasic('conf-secret'))
  const { callback, checks } = await authorize(config, 'conf')
  const pkceCodeVerifier = openid.randomPKCECodeVerifier()
  await expect(
    openid.authorizationCodeGrant(config, callback, { ...checks, pkceCodeVerifier }),
  ).rejects.toMatchObject({ error: 'invalid_grant', status: 400 })
  const tokens = await openid.authorizationCodeGrant(config, callback, checks)
  const token = tokens.refresh_token ?? ''
  const refused = (parameters: Record<string, string>) => openid.refreshTokenGrant(config, token, parameters)
  await expect(refused({ scope: 'admin' })).rejects.toMatchObject({ error: 'invalid_scope' })
  const resource = 'https://elsewhere.example'
  await expect(refused({ resource })).rejects.toMatchObject({ error: 'invalid_target' })
  await expect(openid.clientCredentialsGrant(config)).rejects.toMatchObject({
    error: 'unauthorized_client',
  })
  await expect(openid.refreshTokenGrant(config, 'unknown')).rejects.toMatchObject({ error: 'invalid_grant' })
  expect((await openid.refreshTokenGrant(config, token)).scope).toBe('read write')
})

test('understands errors of the authorization endpoint, and finds state and iss in them right', async () => {
  const config = await discover('conf', openid.ClientSecretBasic('conf-secret'))
  for (const [parameters, error] of [
    [{ prompt: 'none', scope: 'read' }, 'consent_required'],
    [{ scope: 'nope' }, 'invalid_scope'],
    [{ code_challenge_method: 'plain' }, 'invalid_request'],
    [{ response_type: 'token' }, 'unsupported_response_type'],
  ] as const) {
    await host.oauth.grants.revokeUser('alice')
    const { callback, checks } = await authorize(config, 'conf', parameters)
    await expect(openid.authorizationCodeGrant(config, callback, checks)).rejects.toMatchObject({ error })
  }
})
