import { randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { clients } from '../support/clients.js'
import { callApi, getTokens } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const IDP = 'https://staff.example'
const insecure = { [oauth.allowInsecureRequests]: true }

let host: Host
let server: oauth.AuthorizationServer
let config: openid.Configuration
let sign: (sub: string) => Promise<string>
const client: oauth.Client = { client_id: 'svc' }
const proof = oauth.ClientSecretBasic('svc-secret')

beforeAll(async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const service = {
    client_id: 'svc',
    client_secret: 'svc-secret',
    grant_types: ['client_credentials', EXCHANGE, JWT_BEARER],
    scope: 'read',
  }
  host = await startHost({
    provider: {
      clients: [...clients, service],
      tokenExchange: ({ clientId, subject }) => clientId === 'svc' && subject.userId !== 'bob',
      trustedIssuers: {
        [IDP]: { jwks: { keys: [await exportJWK(publicKey)] }, user: ({ sub }) => String(sub) },
      },
    },
  })
  sign = (sub) =>
    new SignJWT()
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(IDP)
      .setSubject(sub)
      .setAudience(host.issuer)
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime('5 minutes')
      .sign(privateKey)
  const issuer = new URL(host.issuer)
  server = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }),
  )
  config = await openid.discovery(issuer, 'svc', {}, openid.ClientSecretBasic('svc-secret'), {
    algorithm: 'oauth2',
    execute: [openid.allowInsecureRequests],
  })
})
afterAll(() => host.close())

/** What the API makes of a token. */
const seenAs = async (token: string) => (await callApi(host, '/api/read', token)).body

describe('oauth4webapi', () => {
  const process = (response: Response) => oauth.processGenericTokenEndpointResponse(server, client, response)
  const generic = async (grantType: string, parameters: Record<string, string>) =>
    process(await oauth.genericTokenEndpointRequest(server, client, proof, grantType, parameters, insecure))

  test('finds all three in the metadata', () => {
    expect(server.grant_types_supported).toEqual(
      expect.arrayContaining(['client_credentials', EXCHANGE, JWT_BEARER]),
    )
  })

  test('gets a token for the client itself', async () => {
    const parameters = { scope: 'read', resource: `${host.origin}/api` }
    const response = await oauth.clientCredentialsGrantRequest(server, client, proof, parameters, insecure)
    const tokens = await oauth.processClientCredentialsResponse(server, client, response)
    expect(tokens).toMatchObject({ token_type: 'bearer', expires_in: 3600, scope: 'read' })
    expect(await seenAs(tokens.access_token)).toMatchObject({
      clientId: 'svc',
      resource: `${host.origin}/api/read`,
    })
  })

  test('exchanges the token of a user', async () => {
    const subject_token = (await getTokens(host)).access_token
    const tokens = await generic(EXCHANGE, { subject_token, subject_token_type: ACCESS_TOKEN })
    expect(tokens.issued_token_type).toBe(ACCESS_TOKEN)
    expect(await seenAs(tokens.access_token)).toMatchObject({ clientId: 'svc', userId: 'alice' })
  })

  test('brings the assertion of another issuer', async () => {
    const tokens = await generic(JWT_BEARER, { assertion: await sign('bob'), scope: 'read' })
    expect(await seenAs(tokens.access_token)).toMatchObject({ clientId: 'svc', userId: 'bob' })
  })

  test.each([
    ['client_credentials', { scope: 'write' }, 'invalid_scope'],
    ['client_credentials', { resource: 'https://x.example' }, 'invalid_target'],
    [EXCHANGE, { subject_token: 'x', subject_token_type: ACCESS_TOKEN }, 'invalid_request'],
    [JWT_BEARER, { assertion: 'x' }, 'invalid_grant'],
  ])('understands what is wrong with %s: %p', async (grantType, parameters, error) => {
    await expect(generic(grantType, parameters as Record<string, string>)).rejects.toMatchObject({
      name: 'ResponseBodyError',
      status: 400,
      error,
      error_description: expect.any(String),
    })
  })
})

describe('openid-client', () => {
  test('gets a token for the client itself', async () => {
    const tokens = await openid.clientCredentialsGrant(config, { scope: 'read' })
    expect(tokens).toMatchObject({ token_type: 'bearer', scope: 'read' })
    expect(tokens.expiresIn()).toBeGreaterThan(3500)
    const api = new URL('/api/read', host.origin)
    expect((await openid.fetchProtectedResource(config, tokens.access_token, api, 'GET')).status).toBe(200)
  })

  test('gets one that is bound to its key, with DPoP', async () => {
    const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair())
    const tokens = await openid.clientCredentialsGrant(config, { scope: 'read' }, { DPoP })
    expect(tokens.token_type).toBe('dpop')
    const api = new URL('/api/read', host.origin)
    const call = (options?: openid.DPoPOptions) =>
      openid.fetchProtectedResource(config, tokens.access_token, api, 'GET', null, undefined, options)
    expect((await call({ DPoP })).status).toBe(200)
    await expect(call()).rejects.toMatchObject({ status: 401 })
  })

  test('exchanges the token of a user, as far as the host’s policy allows', async () => {
    const exchange = async (user: string) =>
      openid.genericGrantRequest(config, EXCHANGE, {
        subject_token: (await getTokens(host, { user })).access_token,
        subject_token_type: ACCESS_TOKEN,
      })
    const tokens = await exchange('alice')
    expect(await seenAs(tokens.access_token)).toMatchObject({ clientId: 'svc', userId: 'alice' })
    await expect(exchange('bob')).rejects.toMatchObject({ error: 'invalid_request', status: 400 })
  })

  test('brings an assertion once', async () => {
    const assertion = await sign('alice')
    const bring = () => openid.genericGrantRequest(config, JWT_BEARER, { assertion })
    expect(await seenAs((await bring()).access_token)).toMatchObject({ userId: 'alice' })
    await expect(bring()).rejects.toMatchObject({
      error: 'invalid_grant',
      error_description: expect.stringContaining('used before'),
    })
  })
})
