import * as oauth from 'oauth4webapi'
import { clients } from '../support/clients.js'
import { decide, destination, redirectUriOf, signedIn } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'

const insecure = { [oauth.allowInsecureRequests]: true }

let host: Host
let server: oauth.AuthorizationServer
beforeAll(async () => {
  host = await startHost()
  const issuer = new URL(host.issuer)
  const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
  server = await oauth.processDiscoveryResponse(issuer, response)
})
afterAll(() => host.close())

const authentication: Record<string, oauth.ClientAuth> = {
  conf: oauth.ClientSecretBasic('conf-secret'),
  post: oauth.ClientSecretPost('post-secret'),
  either: oauth.ClientSecretPost('either-secret'),
  pub: oauth.None(),
  nat: oauth.None(),
}

/** As the library's own example does it, with a person who decides in between. */
async function authorize(clientId: string, decision: 'approve' | 'deny' = 'approve', scope = 'read') {
  const client: oauth.Client = { client_id: clientId }
  const redirectUri = redirectUriOf(clientId)
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const url = new URL(server.authorization_endpoint ?? '')
  url.search = String(
    new URLSearchParams({
      client_id: clientId,
      redirect_uri: redirectUri,
      response_type: 'code',
      scope,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
    }),
  )
  const agent = await signedIn(host, 'alice')
  const page = await agent.follow(url.href)
  const callback = page.text.includes('name="decision"') ? await decide(agent, page, decision) : page
  return { client, redirectUri, verifier, state, callback: destination(callback) }
}

function redeem(
  { client, redirectUri, verifier, state, callback }: Awaited<ReturnType<typeof authorize>>,
  auth = authentication[client.client_id] ?? oauth.None(),
): Promise<Response> {
  const parameters = oauth.validateAuthResponse(server, client, callback, state)
  return oauth.authorizationCodeGrantRequest(
    server,
    client,
    auth,
    parameters,
    redirectUri,
    verifier,
    insecure,
  )
}

test('discovers the server by its issuer, at the place where RFC 8414 puts the document', () => {
  expect(server.issuer).toBe(host.issuer)
  expect(server.authorization_response_iss_parameter_supported).toBe(true)
  expect(server.code_challenge_methods_supported).toEqual(['S256'])
})

test.each(Object.keys(authentication))(
  'takes %s through the whole flow, the API and a refresh',
  async (id) => {
    expect(clients.some(({ client_id }) => client_id === id)).toBe(true)
    const authorized = await authorize(id)
    const { client } = authorized
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, await redeem(authorized))
    expect(tokens).toMatchObject({ token_type: 'bearer', expires_in: 3600, scope: 'read' })

    const call = (token: string, path: string) =>
      oauth.protectedResourceRequest(token, 'GET', new URL(path, host.origin), undefined, undefined, insecure)
    expect((await call(tokens.access_token, '/api/read')).status).toBe(200)
    await expect(call(tokens.access_token, '/api/write')).rejects.toMatchObject({
      cause: [{ scheme: 'bearer', parameters: { error: 'insufficient_scope', scope: 'write' } }],
    })

    const renewed = await oauth.processRefreshTokenResponse(
      server,
      client,
      await oauth.refreshTokenGrantRequest(
        server,
        client,
        authentication[id] ?? oauth.None(),
        tokens.refresh_token ?? '',
        insecure,
      ),
    )
    expect((await call(renewed.access_token, '/api/read')).status).toBe(200)
  },
)

test('understands that the user denied', async () => {
  const { client, state, callback } = await authorize('nat', 'deny')
  let denied: unknown
  try {
    oauth.validateAuthResponse(server, client, callback, state)
  } catch (error) {
    denied = error
  }
  expect(denied).toBeInstanceOf(oauth.AuthorizationResponseError)
  expect(denied).toMatchObject({ error: 'access_denied' })
})

test('understands that a scope is not known', async () => {
  const { client, state, callback } = await authorize('conf', 'approve', 'nope')
  expect(() => oauth.validateAuthResponse(server, client, callback, state)).toThrow(
    expect.objectContaining({ error: 'invalid_scope' }),
  )
})

test('notices an answer that is of another server or another request', async () => {
  const { client, state, callback } = await authorize('conf')
  for (const name of ['iss', 'state']) {
    const changed = new URL(callback)
    changed.searchParams.set(name, 'https://evil.example')
    expect(() => oauth.validateAuthResponse(server, client, changed, state)).toThrow()
    changed.searchParams.delete(name)
    expect(() => oauth.validateAuthResponse(server, client, changed, state)).toThrow()
  }
})

test('understands that a code is no longer good', async () => {
  const authorized = await authorize('conf')
  await redeem(authorized)
  const again = oauth.processAuthorizationCodeResponse(server, authorized.client, await redeem(authorized))
  await expect(again).rejects.toMatchObject({
    name: 'ResponseBodyError',
    status: 400,
    error: 'invalid_grant',
    error_description: expect.stringContaining('used before'),
  })
})

test('understands a wrong secret by the challenge, and the code is still good', async () => {
  const authorized = await authorize('conf')
  const { client } = authorized
  const wrong = oauth.processAuthorizationCodeResponse(
    server,
    client,
    await redeem(authorized, oauth.ClientSecretBasic('wrong')),
  )
  await expect(wrong).rejects.toMatchObject({ status: 401, cause: [{ scheme: 'basic' }] })
  const right = await oauth.processAuthorizationCodeResponse(server, client, await redeem(authorized))
  expect(right.scope).toBe('read')
})
