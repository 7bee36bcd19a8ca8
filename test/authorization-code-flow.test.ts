import {
  callApi,
  decide,
  destination,
  getCode,
  getTokens,
  redeem,
  refresh,
  toConsent,
} from './support/flow.js'
import { type Host, startHost } from './support/host.js'

let host: Host
beforeAll(async () => {
  host = await startHost()
})
afterAll(() => host.close())

test('AUTHZ-01 a signed-in user approves and the client gets code, state and iss, each once', async () => {
  const { agent, page } = await toConsent(host)
  expect(page.status).toBe(200)
  const answer = await decide(agent, page, 'approve')
  expect(answer.status).toBe(303)
  const callback = destination(answer)
  expect(`${callback.origin}${callback.pathname}`).toBe('https://rp.example/cb')
  expect([...callback.searchParams.keys()].sort()).toEqual(['code', 'iss', 'state'])
  expect(callback.searchParams.get('state')).toBe('the-state')
  expect(callback.searchParams.get('iss')).toBe(host.issuer)
})

test('a code becomes tokens, the access token opens the API, and the refresh token renews it', async () => {
  const { code } = await getCode(host, { user: 'bob' })
  const { status, body } = await redeem(host, code)
  expect(status).toBe(200)
  expect(body).toEqual({
    access_token: expect.any(String),
    token_type: 'Bearer',
    expires_in: 3600,
    refresh_token: expect.any(String),
    scope: 'read',
  })
  const api = await callApi(host, '/api/read', body.access_token)
  expect(api.status).toBe(200)
  expect(api.body).toMatchObject({ clientId: 'conf', userId: 'bob', scopes: ['read'] })
  const renewed = await refresh(host, body.refresh_token)
  expect(renewed.status).toBe(200)
  expect((await callApi(host, '/api/read', renewed.body.access_token)).status).toBe(200)
})

test('a code is good once, and its second use takes back what the first one got', async () => {
  const { code } = await getCode(host)
  const first = await redeem(host, code)
  expect(first.status).toBe(200)
  const second = await redeem(host, code)
  expect(second.status).toBe(400)
  expect(second.body.error).toBe('invalid_grant')
  expect((await callApi(host, '/api/read', first.body.access_token)).status).toBe(401)
  expect((await refresh(host, first.body.refresh_token)).body.error).toBe('invalid_grant')
})

test('within the grace a rotated refresh token gets the very same tokens again, after it the family ends', async () => {
  const tokens = await getTokens(host)
  const first = await refresh(host, tokens.refresh_token)
  const again = await refresh(host, tokens.refresh_token)
  expect(again.body).toEqual(first.body)
  host.advance(11)
  expect((await refresh(host, tokens.refresh_token)).body.error).toBe('invalid_grant')
  expect((await refresh(host, first.body.refresh_token)).body.error).toBe('invalid_grant')
  expect((await callApi(host, '/api/read', first.body.access_token)).status).toBe(401)
})
