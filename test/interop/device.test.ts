import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { DEVICE_GRANT, decideAs, deviceClients, poll } from '../support/devices.js'
import { CHALLENGE, callApi, VERIFIER } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'

let host: Host
beforeAll(async () => {
  const clients = [...deviceClients, { client_id: 'plain', grant_types: [DEVICE_GRANT] }]
  // Nothing of ours waits for a time here, only the client does.
  host = await startHost({ provider: { clients, audit: false } })
})
afterAll(() => host.close())
afterEach(() => jest.restoreAllMocks())

/** Waiting moves the clock of the host on, and takes no time. */
function waitAtOnce(): number[] {
  const waited: number[] = []
  jest.spyOn(globalThis, 'setTimeout').mockImplementation(((done: () => void, milliseconds: number) => {
    waited.push(milliseconds / 1000)
    host.advance(milliseconds / 1000)
    setImmediate(done)
  }) as typeof setTimeout)
  return waited
}

function discover(id: string, auth: openid.ClientAuth): Promise<openid.Configuration> {
  const execute = [openid.allowInsecureRequests, openid.enableNonRepudiationChecks]
  return openid.discovery(new URL(host.issuer), id, {}, auth, { execute })
}

describe('openid-client', () => {
  test.each([
    ['tv', openid.None()],
    ['box', openid.ClientSecretBasic('box-secret')],
  ] as const)(
    'DEV-01 DEV-03 DEV-04 takes %s through the whole flow: waiting, slowing down, tokens, the API and a refresh',
    async (id, auth) => {
      const config = await discover(id, auth)
      const codes = await openid.initiateDeviceAuthorization(config, { scope: 'openid read' })
      expect(codes.verification_uri_complete).toBe(`${codes.verification_uri}?user_code=${codes.user_code}`)
      const waited = waitAtOnce()
      let polls = 0
      config[openid.customFetch] = async (url, options) => {
        polls++
        // Somebody who shares the device has just polled too, so this poll comes too early.
        if (polls === 2) await poll(host, codes, { client: id })
        if (polls === 4) await decideAs(host, codes)
        return fetch(url, options as RequestInit)
      }
      const tokens = await openid.pollDeviceAuthorizationGrant(config, codes)
      // In steps of 5 seconds at most: 5, then 5, then 10 and 10.
      expect(waited).toEqual([5, 5, 5, 5, 5, 5])
      expect(tokens).toMatchObject({ token_type: 'bearer', expires_in: 3600, scope: 'openid read' })
      expect(tokens.claims()).toMatchObject({ iss: host.issuer, aud: id, sub: 'alice' })
      jest.restoreAllMocks()
      config[openid.customFetch] = (url, options) => fetch(url, options as RequestInit)
      const api = new URL('/api/read', host.origin)
      expect((await openid.fetchProtectedResource(config, tokens.access_token, api, 'GET')).status).toBe(200)
      expect((await openid.refreshTokenGrant(config, tokens.refresh_token ?? '')).scope).toBe('openid read')
    },
  )

  test('DEV-02 DEV-04 understands every refusal by its code', async () => {
    const config = await discover('tv', openid.None())
    await expect(openid.initiateDeviceAuthorization(config, { scope: 'nope' })).rejects.toMatchObject({
      error: 'invalid_scope',
      status: 400,
    })
    waitAtOnce()
    const denied = await openid.initiateDeviceAuthorization(config, { scope: 'read' })
    await decideAs(host, denied, 'deny')
    await expect(openid.pollDeviceAuthorizationGrant(config, denied)).rejects.toMatchObject({
      error: 'access_denied',
    })
    const late = await openid.initiateDeviceAuthorization(config, { scope: 'read' })
    host.advance(600)
    await expect(openid.pollDeviceAuthorizationGrant(config, late)).rejects.toMatchObject({
      error: 'expired_token',
    })
  })
})

test('oauth4webapi asks with PKCE and for a resource, and gets tokens that are bound to its DPoP key', async () => {
  const insecure = { [oauth.allowInsecureRequests]: true }
  const issuer = new URL(host.issuer)
  const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
  const server = await oauth.processDiscoveryResponse(issuer, response)
  const client: oauth.Client = {
    client_id: 'plain',
    [oauth.clockSkew]: Math.round((host.now() - Date.now()) / 1000),
  }
  const parameters = {
    ...{ scope: 'read', resource: `${host.origin}/api` },
    ...{ code_challenge: CHALLENGE, code_challenge_method: 'S256' },
  }
  const asked = await oauth.deviceAuthorizationRequest(server, client, oauth.None(), parameters, insecure)
  const codes = await oauth.processDeviceAuthorizationResponse(server, client, asked)
  await decideAs(host, codes)
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
  const redeem = (code_verifier: string) =>
    oauth.deviceCodeGrantRequest(server, client, oauth.None(), codes.device_code, {
      ...{ ...insecure, DPoP, additionalParameters: { code_verifier } },
    })
  const wrong = await redeem(CHALLENGE)
  await expect(oauth.processDeviceCodeResponse(server, client, wrong)).rejects.toMatchObject({
    error: 'invalid_grant',
  })
  const tokens = await oauth.processDeviceCodeResponse(server, client, await redeem(VERIFIER))
  expect(tokens).toMatchObject({ token_type: 'dpop', scope: 'read' })
  expect(tokens.refresh_token).toBeUndefined()
  const api = new URL('/api/read', host.origin)
  const call = { ...insecure, DPoP }
  const answer = await oauth.protectedResourceRequest(
    tokens.access_token,
    'GET',
    api,
    undefined,
    undefined,
    call,
  )
  expect(await answer.json()).toMatchObject({ clientId: 'plain', userId: 'alice' })
  expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(401)
})
