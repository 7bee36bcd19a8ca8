import { connect } from 'node:net'
import { Agent, inputValue } from './support/agent.js'
import { FORGED } from './support/answers.js'
import { CHALLENGE, callApi, VERIFIER } from './support/flow.js'
import { type Host, startHost } from './support/host.js'

const MOUNTS = ['/oauth', '/a/b', ''] as const

async function json(
  url: string,
): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> {
  const response = await fetch(url)
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  }
}

describe.each(MOUNTS)('the provider at %p', (mount) => {
  let host: Host
  beforeAll(async () => {
    host = await startHost({ mount })
  })
  afterAll(() => host.close())

  test('DISC-01 DISC-02 the document is the same below the mount and in its path-inserted form (RFC 8414 §3.1)', async () => {
    const below = await json(`${host.issuer}/.well-known/oauth-authorization-server`)
    const inserted = await json(`${host.origin}/.well-known/oauth-authorization-server${mount}`)
    const openid = await json(`${host.issuer}/.well-known/openid-configuration`)
    const openidInserted = await json(`${host.origin}/.well-known/openid-configuration${mount}`)
    for (const { status, headers, body } of [below, inserted, openid, openidInserted]) {
      expect(status).toBe(200)
      expect(headers.get('content-type')).toMatch(/^application\/json(;|$)/)
      expect(body).toEqual(below.body)
    }
    expect(below.body.issuer).toBe(host.issuer)
    // RFC 8414 §3.3: the URL minus the suffix is the issuer.
    expect(`${host.issuer}/.well-known/oauth-authorization-server`).toBe(
      `${below.body.issuer}/.well-known/oauth-authorization-server`,
    )
  })

  test('DISC-07 every endpoint that is listed is there', async () => {
    const { body } = await json(`${host.issuer}/.well-known/oauth-authorization-server`)
    const endpoints = Object.entries(body).filter(([name]) => /_endpoint$|^jwks_uri$/.test(name))
    expect(endpoints.map(([name]) => name).sort()).toEqual([
      'authorization_endpoint',
      'device_authorization_endpoint',
      'end_session_endpoint',
      'introspection_endpoint',
      'jwks_uri',
      'pushed_authorization_request_endpoint',
      'revocation_endpoint',
      'token_endpoint',
      'userinfo_endpoint',
    ])
    for (const [, url] of endpoints) expect((await fetch(String(url), { method: 'PUT' })).status).toBe(405)
  })

  test('CLIENTS-1 a client that knows nothing but the API finds its way to it', async () => {
    const refused = await callApi(host, '/api/read', undefined)
    const attributes = refused.headers.get('www-authenticate') ?? ''
    const [, metadataUrl = ''] = /resource_metadata="([^"]*)"/.exec(attributes) ?? []
    const [, scope = ''] = /scope="([^"]*)"/.exec(attributes) ?? []

    const resource = await json(metadataUrl)
    expect(resource.body.resource).toBe(`${host.origin}/api/read`)
    const [issuer] = resource.body.authorization_servers as [string]
    const { origin, pathname } = new URL(issuer)
    const inserted = `${origin}/.well-known/oauth-authorization-server${pathname === '/' ? '' : pathname}`
    const { body: server } = await json(inserted)
    expect(server.issuer).toBe(issuer)

    const agent = new Agent(host)
    await agent.login('alice')
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: 'pub',
      redirect_uri: 'https://spa.example/cb',
      scope,
      resource: String(resource.body.resource),
      code_challenge: CHALLENGE,
      code_challenge_method: 'S256',
    })
    const page = await agent.follow(`${server.authorization_endpoint}?${query}`)
    const action = /<form[^>]* action="([^"]*)"/.exec(page.text)?.[1] ?? ''
    const answer = await agent.post(new URL(action, page.url).href, {
      _csrf: inputValue(page, '_csrf'),
      decision: 'approve',
    })
    const callback = new URL(answer.location ?? '')
    expect(callback.searchParams.get('iss')).toBe(issuer)
    const response = await fetch(String(server.token_endpoint), {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code: callback.searchParams.get('code') ?? '',
        redirect_uri: 'https://spa.example/cb',
        client_id: 'pub',
        code_verifier: VERIFIER,
        resource: String(resource.body.resource),
      }),
    })
    const tokens = (await response.json()) as { access_token: string }
    expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(200)
  })
})

describe('RS-10 the metadata of the protected resource (RFC 9728)', () => {
  let host: Host
  beforeAll(async () => {
    host = await startHost()
  })
  afterAll(() => host.close())

  test.each(['', '/api', '/api/read', '/mcp', '/a-b_c~d.e', '/caf%C3%A9'])(
    'at path %p it echoes exactly that resource',
    async (path) => {
      const { status, headers, body } = await json(
        `${host.origin}/.well-known/oauth-protected-resource${path}`,
      )
      expect(status).toBe(200)
      expect(headers.get('access-control-allow-origin')).toBe('*')
      expect(body).toEqual({
        resource: `${host.origin}${path}`,
        authorization_servers: [host.issuer],
        bearer_methods_supported: ['header'],
        dpop_signing_alg_values_supported: expect.arrayContaining(['ES256']),
        scopes_supported: ['read', 'write'],
      })
    },
  )

  test('the URL of the challenge resolves, and its resource is the one that was called', async () => {
    const refused = await callApi(host, '/api/read?x=1', undefined)
    const [, url = ''] =
      /resource_metadata="([^"]*)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? []
    expect((await json(url)).body.resource).toBe(`${host.origin}/api/read`)
  })

  test('a path that URLs spell otherwise is no resource: clients could only mistake it for another', async () => {
    for (const path of ['/api/../mcp', '/x/%2e%2e/mcp', '/a\\b', '/a"b', '/<svg>', '/a b']) {
      const status = await rawStatus(host, `/.well-known/oauth-protected-resource${path}`)
      expect([400, 404]).toContain(status)
    }
  })

  test('a path cannot make it another origin', async () => {
    for (const path of ['//evil.example/x', '/@evil.example', '/:99@evil.example/x']) {
      const response = await fetch(`${host.origin}/.well-known/oauth-protected-resource${path}`)
      if (response.status !== 200) continue
      const { resource } = (await response.json()) as { resource: string }
      expect(new URL(resource).origin).toBe(host.origin)
      expect(resource).toBe(host.origin + path)
    }
  })

  test('with the option resources only these have one, with their own scopes', async () => {
    const other = await startHost({
      provider: (origin) => ({
        resources: { [`${origin}/api`]: { scopes: ['read', 'offline_access'] }, [`${origin}/plain`]: {} },
      }),
    })
    const at = (path: string) => json(`${other.origin}/.well-known/oauth-protected-resource${path}`)
    expect((await at('/api')).body).toMatchObject({
      resource: `${other.origin}/api`,
      scopes_supported: ['read'],
    })
    expect((await at('/plain')).body.scopes_supported).toEqual(['read', 'write'])
    expect((await fetch(`${other.origin}/.well-known/oauth-protected-resource/mcp`)).status).toBe(404)
    await other.close()
  })

  test('an app without scopes lists none, rather than an empty list', async () => {
    const other = await startHost({ provider: { scopes: {}, clients: [] }, api: false })
    const { body } = await json(`${other.origin}/.well-known/oauth-protected-resource`)
    expect(Object.keys(body)).not.toContain('scopes_supported')
    await other.close()
  })
})

function rawStatus(host: Host, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(host.origin).port), 'localhost')
    let text = ''
    socket.on('data', (data) => {
      text += data.toString()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(Number(text.split(' ', 2)[1])))
    socket.write(`GET ${path} HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n`)
  })
}

test('HOST-01 no Host or X-Forwarded header changes a document or a challenge', async () => {
  const host = await startHost({ beforeSession: (app) => app.set('trust proxy', true) })
  for (const path of [
    '/oauth/.well-known/oauth-authorization-server',
    '/.well-known/oauth-authorization-server/oauth',
    '/oauth/.well-known/openid-configuration',
    '/.well-known/openid-configuration/oauth',
    '/oauth/jwks',
    '/oauth/userinfo',
    '/.well-known/oauth-protected-resource/api',
    '/api/read',
  ]) {
    const response = await fetch(host.origin + path, { headers: FORGED })
    expect(JSON.stringify([...response.headers]) + (await response.text())).not.toMatch(/evil|gopher/)
  }
  await host.close()
})
