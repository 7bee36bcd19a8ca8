import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { clients } from '../support/clients.js'
import { callApi, getTokens, refresh } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'

const insecure = { [oauth.allowInsecureRequests]: true }
const SIGNED = 'ES256'

let host: Host
let server: oauth.AuthorizationServer
beforeAll(async () => {
  host = await startHost({
    provider: (origin) => {
      const api = { client_secret: 'api-secret', grant_types: [], resources: [`${origin}/api`] }
      const signed = { ...api, client_id: 'signed', introspection_signed_response_alg: SIGNED }
      return { clients: [...clients, { ...api, client_id: 'api' }, signed] }
    },
  })
  const issuer = new URL(host.issuer)
  const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
  server = await oauth.processDiscoveryResponse(issuer, response)
})
afterAll(() => host.close())

const isOpen = async (token: string) => (await callApi(host, '/api/read', token)).status === 200

describe('openid-client', () => {
  function discover(id: string, auth: openid.ClientAuth, metadata: Partial<openid.ClientMetadata> = {}) {
    return openid.discovery(new URL(host.issuer), id, metadata, auth, {
      algorithm: 'oauth2',
      execute: [openid.allowInsecureRequests],
    })
  }

  test.each([
    ['conf', openid.ClientSecretBasic('conf-secret')],
    ['post', openid.ClientSecretPost('post-secret')],
    ['pub', openid.None()],
  ])('%s revokes its tokens', async (id, auth) => {
    const config = await discover(id, auth)
    const { access_token, refresh_token } = await getTokens(host, { client: id })
    await openid.tokenRevocation(config, access_token)
    expect(await isOpen(access_token)).toBe(false)
    await openid.tokenRevocation(config, refresh_token, { token_type_hint: 'refresh_token' })
    expect((await refresh(host, refresh_token, { client: id })).body.error).toBe('invalid_grant')
    await openid.tokenRevocation(config, refresh_token)
  })

  test('a resource server looks at a token, before and after it was revoked', async () => {
    const config = await discover('api', openid.ClientSecretBasic('api-secret'))
    const { access_token } = await getTokens(host)
    const hint = { token_type_hint: 'access_token' }
    expect(await openid.tokenIntrospection(config, access_token, hint)).toMatchObject({
      ...{ active: true, client_id: 'conf', sub: 'alice', scope: 'read', iss: host.issuer },
    })
    await openid.tokenRevocation(
      await discover('conf', openid.ClientSecretBasic('conf-secret')),
      access_token,
    )
    expect(await openid.tokenIntrospection(config, access_token)).toEqual({ active: false })
  })

  test('one that registered for signed answers verifies them', async () => {
    const metadata = { introspection_signed_response_alg: SIGNED }
    const config = await discover('signed', openid.ClientSecretBasic('api-secret'), metadata)
    openid.enableNonRepudiationChecks(config)
    const { access_token } = await getTokens(host)
    expect(await openid.tokenIntrospection(config, access_token)).toMatchObject({
      active: true,
      sub: 'alice',
    })
    expect(await openid.tokenIntrospection(config, 'x')).toEqual({ active: false })
  })

  test('understands that a public client may not look, and that a token is of another client', async () => {
    const { access_token } = await getTokens(host)
    const pub = await discover('pub', openid.None())
    await expect(openid.tokenIntrospection(pub, access_token)).rejects.toMatchObject({ status: 401 })
    await expect(openid.tokenRevocation(pub, access_token)).rejects.toMatchObject({
      ...{ status: 400, error: 'invalid_grant' },
    })
    expect(await isOpen(access_token)).toBe(true)
  })
})

describe('oauth4webapi', () => {
  const client = { client_id: 'api' }
  const auth = oauth.ClientSecretBasic('api-secret')

  test('revokes an access token and a refresh token', async () => {
    const { access_token, refresh_token } = await getTokens(host)
    const conf = { client_id: 'conf' }
    for (const token of [access_token, refresh_token, 'x']) {
      const secret = oauth.ClientSecretBasic('conf-secret')
      const response = await oauth.revocationRequest(server, conf, secret, token, insecure)
      expect(await oauth.processRevocationResponse(response)).toBeUndefined()
    }
    expect(await isOpen(access_token)).toBe(false)
    expect((await refresh(host, refresh_token)).body.error).toBe('invalid_grant')
  })

  test('looks at a token as JSON', async () => {
    const { access_token } = await getTokens(host)
    const response = await oauth.introspectionRequest(server, client, auth, access_token, insecure)
    const answer = await oauth.processIntrospectionResponse(server, client, response)
    expect(answer).toMatchObject({ active: true, scope: 'read', aud: host.origin, token_type: 'Bearer' })
    expect(response.headers.get('content-type')).toBe('application/json')
  })

  test('asks for a JWT, and validates what it says and who has signed it', async () => {
    const { access_token } = await getTokens(host)
    for (const [token, active] of [
      [access_token, true],
      ['x', false],
    ] as const) {
      const options = { ...insecure, requestJwtResponse: true }
      const response = await oauth.introspectionRequest(server, client, auth, token, options)
      const answer = await oauth.processIntrospectionResponse(server, client, response)
      expect(answer.active).toBe(active)
      expect(response.headers.get('content-type')).toBe('application/token-introspection+jwt')
      await oauth.validateApplicationLevelSignature(server, response, insecure)
    }
  })
})
