import { type ClientMetadata, ConfigurationError } from '../lib/index.js'
import { authorizeUrl, decide, signedIn, toConsent } from './support/flow.js'
import { type Host, startHost } from './support/host.js'

/** CHECKS DISC-07: each feature, what it answers at, and the members of the metadata that go with it. */
const features = {
  deviceAuthorization: {
    paths: ['/device_authorization', '/device'],
    members: ['device_authorization_endpoint'],
  },
  pushedAuthorizationRequests: { paths: ['/par'], members: ['pushed_authorization_request_endpoint'] },
  introspection: {
    paths: ['/introspect'],
    members: [
      'introspection_endpoint',
      'introspection_endpoint_auth_methods_supported',
      'introspection_endpoint_auth_signing_alg_values_supported',
      'introspection_signing_alg_values_supported',
    ],
  },
  revocation: {
    paths: ['/revoke'],
    members: [
      'revocation_endpoint',
      'revocation_endpoint_auth_methods_supported',
      'revocation_endpoint_auth_signing_alg_values_supported',
    ],
  },
  logout: { paths: ['/logout'], members: ['end_session_endpoint'] },
  dpop: { paths: [], members: ['dpop_signing_alg_values_supported'] },
  formPost: { paths: [], members: [] },
} as const
const names = Object.keys(features) as (keyof typeof features)[]

let host: Host
afterEach(() => host?.close())

async function metadataOf({ issuer }: Host): Promise<Record<string, unknown>> {
  return (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as Record<string, unknown>
}

test('everything is on by itself', async () => {
  host = await startHost()
  const metadata = await metadataOf(host)
  for (const { paths, members } of Object.values(features)) {
    for (const member of members) expect(metadata).toHaveProperty(member)
    for (const path of paths) expect((await fetch(`${host.issuer}${path}`)).status).not.toBe(404)
  }
  expect(metadata.response_modes_supported).toEqual(['query', 'form_post'])
})

test('what is turned off is not there, and the metadata does not name it', async () => {
  host = await startHost({ provider: { features: Object.fromEntries(names.map((name) => [name, false])) } })
  const metadata = await metadataOf(host)
  for (const { paths, members } of Object.values(features)) {
    for (const member of members) expect(metadata).not.toHaveProperty(member)
    for (const path of paths)
      for (const method of ['GET', 'POST'])
        expect((await fetch(`${host.issuer}${path}`, { method })).status).toBe(404)
  }
  expect(metadata.response_modes_supported).toEqual(['query'])
  expect(metadata.grant_types_supported).not.toContain('urn:ietf:params:oauth:grant-type:device_code')
})

test('one feature is turned off by itself', async () => {
  host = await startHost({ provider: { features: { revocation: false } } })
  const metadata = await metadataOf(host)
  expect(metadata).not.toHaveProperty('revocation_endpoint')
  expect(metadata).toHaveProperty('introspection_endpoint')
})

test('without form_post a request for it is refused by redirect', async () => {
  host = await startHost({ provider: { features: { formPost: false } } })
  const agent = await signedIn(host, 'alice')
  const page = await agent.get(authorizeUrl(host, { params: { response_mode: 'form_post' } }))
  expect(page.status).toBe(303)
  expect(new URL(page.location ?? '').searchParams.get('error')).toBe('invalid_request')
})

test('the code flow works with everything else off', async () => {
  host = await startHost({ provider: { features: Object.fromEntries(names.map((name) => [name, false])) } })
  const { agent, page } = await toConsent(host)
  const answer = await decide(agent, page, 'approve')
  expect(new URL(answer.location ?? '').searchParams.get('code')).toMatch(/./)
})

test.each([
  [{ divice: true }, 'features.divice is not known'],
  [{ logout: 'no' }, "features.logout is 'no'"],
])('%p is refused at start', async (given, message) => {
  await expect(startHost({ provider: { features: given as never } })).rejects.toThrow(message)
})

describe('what is turned off cannot be demanded', () => {
  const off = { dpop: false, pushedAuthorizationRequests: false }
  const redirect_uris = ['https://rp.example/cb']

  test('by the option requirePushedAuthorizationRequests', async () => {
    const provider = { features: off, requirePushedAuthorizationRequests: true }
    await expect(startHost({ provider })).rejects.toThrow(/^oauthProvider: requirePushedAuth/)
  })

  test('by the option dpop', async () => {
    const starting = startHost({ provider: { features: off, dpop: { requireNonce: true } } })
    await expect(starting).rejects.toThrow(
      /^oauthProvider: dpop\.requireNonce is true, and features\.dpop is false/,
    )
    host = await startHost({ provider: { features: off, dpop: { requireNonce: false } } })
  })

  test.each<[keyof ClientMetadata, RegExp]>([
    ['dpop_bound_access_tokens', /is true\. Leave features\.dpop on/],
    ['require_pushed_authorization_requests', /is true\. Leave features\.pushedAuthorizationRequests on/],
  ])('by %s of a client', async (field, pattern) => {
    const demanding = { redirect_uris, [field]: true }
    const provider = { features: off, clients: [{ ...demanding, client_id: 'demanding' }] }
    const refused = startHost({ provider })
    await expect(refused).rejects.toThrow(ConfigurationError)
    await expect(refused).rejects.toMatchObject({ option: `clients[0].${field}` })
    await expect(refused).rejects.toThrow(pattern)

    host = await startHost({ provider: { features: off } })
    const { clients } = host.oauth
    const code = { code: 'invalid_client_metadata', reason: `metadata_${field}` }
    await expect(clients.create(demanding)).rejects.toMatchObject(code)
    const { client_id } = await clients.create({ redirect_uris, [field]: false })
    await expect(clients.update(client_id, { [field]: true })).rejects.toMatchObject(code)
    await expect(clients.update(client_id, { [field]: true })).rejects.toThrow(pattern)
    expect(await clients.get(client_id)).toMatchObject({ [field]: false })
  })
})
