import cors from 'cors'
import express from 'express'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import type { OAuthProviderOptions } from '../lib/index.js'
import { documentOf, startDocumentSite } from './support/documents.js'
import { fetch } from './support/fetch.js'
import {
  callApi,
  decide,
  destination,
  getCode,
  getTokens,
  redeem,
  toConsent,
  VERIFIER,
} from './support/flow.js'
import { type Host, startHost, type User } from './support/host.js'

const PRM = '/.well-known/oauth-protected-resource'

/** A host with an MCP endpoint and another API. */
async function mcpHost(provider: Partial<OAuthProviderOptions<User>>, mount = '/oauth'): Promise<Host> {
  const host = await startHost({ provider, mount })
  host.app.all(['/mcp', '/mcp/*rest', '/notes'], host.oauth.requireToken('read'), (req, res) => {
    const { scopes, resource, resourceMetadataUrl } = req.auth
    res.json({ scopes, resource, resourceMetadataUrl })
  })
  return host
}

async function json(url: string, init: RequestInit = {}) {
  const answer = await fetch(url, init)
  const text = await answer.text()
  return {
    status: answer.status,
    headers: answer.headers,
    body: (text === '' ? undefined : JSON.parse(text)) as Record<string, unknown>,
  }
}

function register(host: Host, metadata: object) {
  const headers = { 'content-type': 'application/json' }
  return json(`${host.issuer}/register`, { method: 'POST', headers, body: JSON.stringify(metadata) })
}

const CLIENT = {
  client_name: 'Assistant',
  redirect_uris: ['http://127.0.0.1:33418/callback'],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'none',
  application_type: 'native',
}

function token(host: Host, form: Record<string, string>) {
  return json(`${host.issuer}/token`, { method: 'POST', body: new URLSearchParams(form) })
}

/** The whole way of a public client that came by itself. */
async function connect(host: Host, clientId: string, params: Record<string, string | undefined>) {
  const [redirect_uri = ''] = CLIENT.redirect_uris
  const { agent, page } = await toConsent(host, { params: { client_id: clientId, redirect_uri, ...params } })
  const callback = destination(await decide(agent, page, 'approve'))
  const { resource } = params
  const { status, body } = await token(host, {
    ...{ grant_type: 'authorization_code', code: callback.searchParams.get('code') ?? '', redirect_uri },
    ...{ code_verifier: VERIFIER, client_id: clientId, ...(resource && { resource }) },
  })
  expect(status).toBe(200)
  return { tokens: body as { access_token: string; scope: string }, page: page.text, callback }
}

/** The scopes in one section of a consent page. */
function scopesIn(page: string, section: 'required' | 'granted'): string[] {
  const [part = ''] =
    new RegExp(`<section[^>]*aria-labelledby="${section}".*?</section>`, 's').exec(page) ?? []
  return [...part.matchAll(/<code><bdi>(.*?)<\/bdi>/g)].map(([, scope]) => scope ?? '')
}

describe.each(['/oauth', ''])('with the option mcp, mounted at %p', (mount) => {
  let host: Host
  beforeAll(async () => {
    host = await mcpHost({ mcp: { resource: '/mcp', scopes: ['read'] } }, mount)
  })
  afterAll(() => host.close())

  test('every form of the metadata has what MCP clients look for', async () => {
    for (const at of [
      `${host.origin}/.well-known/oauth-authorization-server${mount}`,
      `${host.origin}/.well-known/openid-configuration${mount}`,
      `${host.issuer}/.well-known/openid-configuration`,
      `${host.issuer}/.well-known/oauth-authorization-server`,
      // Claude Code looks there, whatever the path of the issuer is.
      `${host.origin}/.well-known/oauth-authorization-server`,
    ]) {
      const { status, headers, body } = await json(at, { headers: { 'mcp-protocol-version': '2026-07-28' } })
      expect(status).toBe(200)
      expect(headers.get('access-control-allow-origin')).toBe('*')
      expect(body).toMatchObject({
        issuer: host.issuer,
        registration_endpoint: `${host.issuer}/register`,
        client_id_metadata_document_supported: true,
        code_challenge_methods_supported: ['S256'],
        authorization_response_iss_parameter_supported: true,
        response_types_supported: ['code'],
        grant_types_supported: expect.arrayContaining(['authorization_code', 'refresh_token']),
        token_endpoint_auth_methods_supported: expect.arrayContaining(['none', 'client_secret_basic']),
        scopes_supported: expect.arrayContaining(['read', 'write', 'offline_access']),
      })
    }
  })

  test('RS-10 the metadata of the endpoint echo its URL, and name its scopes', async () => {
    const { status, headers, body } = await json(`${host.origin}${PRM}/mcp`)
    expect(status).toBe(200)
    expect(headers.get('access-control-allow-origin')).toBe('*')
    expect(body).toMatchObject({
      resource: `${host.origin}/mcp`,
      authorization_servers: [host.issuer],
      bearer_methods_supported: ['header'],
      scopes_supported: ['read'],
    })
    expect((await json(`${host.origin}${PRM}/mcp/`)).body).toEqual(body)
    const root = await json(`${host.origin}${PRM}`)
    expect(root.body).toMatchObject({
      resource: host.origin,
      authorization_servers: [host.issuer],
      scopes_supported: ['read', 'write'],
    })
    expect((await fetch(`${host.origin}${PRM}/mcp`, { method: 'HEAD' })).status).toBe(200)
    const preflight = await fetch(`${host.origin}${PRM}/mcp`, { method: 'OPTIONS' })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-headers')).toMatch(/MCP-Protocol-Version/i)
  })

  test.each(['GET', 'POST', 'DELETE', 'HEAD'])(
    '%s without a token is 401 and says where to begin',
    async (method) => {
      for (const path of ['/mcp', '/mcp/sessions/1', '/mcp?x=1']) {
        const { status, headers } = await fetch(host.origin + path, { method })
        expect(status).toBe(401)
        expect(headers.get('www-authenticate')).toBe(
          `Bearer scope="read", resource_metadata="${host.origin}${PRM}/mcp"`,
        )
      }
    },
  )
})

describe('a token for the MCP endpoint', () => {
  let host: Host
  beforeAll(async () => {
    host = await mcpHost({ mcp: { resource: '/mcp', scopes: ['read'] } })
  })
  afterAll(() => host.close())

  test('RSRC-01 RS-08 is good there and below, and nowhere else', async () => {
    const resource = `${host.origin}/mcp`
    const tokens = await getTokens(host, { params: { resource, scope: 'read write offline_access' } })
    expect(tokens.scope).toBe('read offline_access')
    const { status, body } = await callApi(host, '/mcp', tokens.access_token)
    expect({ status, body }).toEqual({
      status: 200,
      body: { scopes: ['read'], resource, resourceMetadataUrl: `${host.origin}${PRM}/mcp` },
    })
    expect((await callApi(host, '/mcp/sessions/1', tokens.access_token)).status).toBe(200)
    const elsewhere = await callApi(host, '/notes', tokens.access_token)
    expect(elsewhere).toMatchObject({ status: 401, body: { error: 'invalid_token' } })
    expect(elsewhere.headers.get('www-authenticate')).toContain(
      `resource_metadata="${host.origin}${PRM}/notes"`,
    )
  })

  test('one for another URL of the host is refused there', async () => {
    for (const path of ['/notes', '/mcpx', '/m']) {
      const { access_token } = await getTokens(host, { params: { resource: host.origin + path } })
      expect((await callApi(host, '/mcp', access_token)).status).toBe(401)
    }
  })

  test('RSRC-05 may be asked for with a slash at the end, and in capitals', async () => {
    const { port } = new URL(host.origin)
    for (const resource of [`${host.origin}/mcp/`, `HTTP://LOCALHOST:${port}/mcp`]) {
      const { access_token } = await getTokens(host, { params: { resource } })
      const { status, body } = await callApi(host, '/mcp', access_token)
      expect({ status, resource: body.resource }).toEqual({ status: 200, resource: `${host.origin}/mcp` })
    }
  })

  test('is named at both endpoints, and no other at the second', async () => {
    const resource = `${host.origin}/mcp`
    const { code } = await getCode(host, { params: { resource } })
    const other = await redeem(host, code, { form: { resource: `${host.origin}/notes` } })
    expect(other).toMatchObject({ status: 400, body: { error: 'invalid_target' } })
    expect((await redeem(host, code, { form: { resource } })).status).toBe(200)
    for (const foreign of ['https://mcp.example/mcp', `${host.origin}/mcp/sessions`]) {
      const answer = await toConsent(host, { params: { resource: foreign } })
      expect(destination(answer.page).searchParams.get('error')).toBe('invalid_target')
    }
  })

  test('a token for the whole host opens the endpoint too, with the scopes that mean something there', async () => {
    const { access_token } = await getTokens(host, { params: { scope: 'read write' } })
    expect((await callApi(host, '/mcp', access_token)).body).toMatchObject({ scopes: ['read'] })
  })
})

test('with mcp: true every path that is guarded is an endpoint of its own, with all scopes', async () => {
  const host = await mcpHost({ mcp: true })
  for (const path of ['/mcp', '/mcp/sessions/1', '/notes']) {
    const refused = await callApi(host, path, undefined)
    const at = `${host.origin}${PRM}${path}`
    expect(refused.headers.get('www-authenticate')).toBe(`Bearer scope="read", resource_metadata="${at}"`)
    const { body } = await json(at)
    expect(body).toMatchObject({ resource: host.origin + path, scopes_supported: ['read', 'write'] })
  }
  const { access_token } = await getTokens(host, { params: { resource: host.origin } })
  for (const path of ['/mcp', '/mcp', '/notes', '/mcp'])
    expect((await callApi(host, path, access_token)).body).toMatchObject({
      resource: host.origin + path,
      resourceMetadataUrl: `${host.origin}${PRM}${path}`,
    })
  await host.close()
})

test('beside the option resources it is one more of them', async () => {
  const host = await startHost({
    provider: (origin) => ({
      mcp: { resource: `${origin}/mcp/` },
      resources: { [`${origin}/api`]: { scopes: ['read'] } },
    }),
  })
  const at = (path: string) => json(`${host.origin}${PRM}${path}`)
  expect((await at('/mcp')).body).toMatchObject({
    resource: `${host.origin}/mcp`,
    scopes_supported: ['read', 'write'],
  })
  expect((await at('/api')).body).toMatchObject({
    resource: `${host.origin}/api`,
    scopes_supported: ['read'],
  })
  expect((await fetch(`${host.origin}${PRM}/notes`)).status).toBe(404)
  await host.close()
})

test('beside the option resources an endpoint that nobody names is refused: a token for it would open the whole host', async () => {
  for (const mcp of [true, {}]) {
    const starting = startHost({
      provider: (origin) => ({ mcp, resources: { [`${origin}/api`]: { scopes: ['read'] } } }),
    })
    await expect(starting).rejects.toThrow(
      /^oauthProvider: mcp\.resource is missing beside the option resources\. Say where the MCP endpoint is: mcp: \{ resource: '\/mcp' \}/,
    )
  }
})

test('an endpoint that the option resources has too, in another spelling, is one resource', async () => {
  const host = await startHost({
    provider: (origin) => ({
      mcp: { resource: '/mcp' },
      resources: {
        [`${origin.toUpperCase().replace('HTTP', 'http')}/mcp/`]: {
          scopes: ['read'],
          accessTokenLifetime: 77,
        },
        [`${origin}/api`]: {},
      },
    }),
  })
  const { body } = await json(`${host.origin}${PRM}/mcp`)
  expect(body).toMatchObject({ resource: `${host.origin}/mcp`, scopes_supported: ['read'] })
  const tokens = await getTokens(host, { params: { resource: `${host.origin}/mcp` } })
  expect(tokens).toMatchObject({ expires_in: 77 })
  await host.close()
  await expect(
    startHost({
      provider: (origin) => ({ mcp: { resource: '/mcp' }, resources: { [`${origin}/mcp`]: null } }) as never,
    }),
  ).rejects.toThrow(/resources\['http:\/\/localhost:\d+\/mcp'\] is null/)
})

test('DISC-07 DCR-02 without the option nobody registers, and no id is a URL', async () => {
  const providers: Partial<OAuthProviderOptions<User>>[] = [
    {},
    { mcp: false },
    { mcp: true, registration: false, clientMetadataDocuments: false },
  ]
  for (const provider of providers) {
    const host = await startHost({ provider })
    const { body } = await json(`${host.issuer}/.well-known/oauth-authorization-server`)
    expect(Object.keys(body)).not.toContain('registration_endpoint')
    expect(Object.keys(body)).not.toContain('client_id_metadata_document_supported')
    const atOrigin = await fetch(`${host.origin}/.well-known/oauth-authorization-server`)
    expect(atOrigin.status).toBe(provider.mcp ? 200 : 404)
    const answer = await fetch(`${host.issuer}/register`, { method: 'POST', body: '{}' })
    expect(answer.status).toBe(404)
    const { page } = await toConsent(host, { params: { client_id: 'https://app.example/client.json' } })
    expect({ status: page.status, location: page.location }).toEqual({ status: 400, location: undefined })
    await host.close()
  }
})

test('what cannot be an endpoint of this host is refused at start, by its name', async () => {
  const origin = 'https://photos.example'
  const make = async (mcp: unknown) => (await startHost({ provider: { mcp } as object })).close()
  for (const resource of [
    ...['mcp', '/mcp?x=1', '/mcp#x', '/a/../mcp', '//evil.example/mcp', '/m cp', `${origin}/mcp`, '/m\\cp'],
    ...[7, null, '/mcp//', 'https://user@localhost/mcp'],
  ])
    await expect(make({ resource })).rejects.toThrow(/^oauthProvider: mcp\.resource is/)
  await expect(make({ scopes: ['raed'] })).rejects.toThrow(/mcp\.scopes.*'read'/)
  await expect(make({ resources: '/mcp' })).rejects.toThrow(/mcp\.resources.*resource/)
  for (const given of ['/mcp', 'yes', null, []])
    await expect(make(given)).rejects.toThrow(
      / mcp is .*\. Pass true or false, or an object: \{ resource: '\/mcp'/,
    )
})

describe('a guard that is told what each request needs', () => {
  let host: Host
  const failures: unknown[] = []
  beforeAll(async () => {
    host = await startHost({ provider: { mcp: { resource: '/mcp' } } })
    const needs: Record<string, unknown> = {
      ...{ look: 'read', change: ['read', 'write'], both: ' write  read ', nothing: [] },
      ...{ misspelt: 'raed', undefined: undefined, promise: Promise.resolve('read'), empty: '', blank: ' ' },
    }
    host.app.post(
      '/mcp',
      express.json(),
      host.oauth.requireToken((req: express.Request) => {
        const { name } = req.body.params
        return needs[name] as string
      }),
      (req, res) => {
        res.json(req.auth.scopes)
      },
    )
    host.app.use(((error, _req, res, _next) => {
      failures.push(error)
      res.status(500).json({})
    }) as express.ErrorRequestHandler)
  })
  afterAll(() => host.close())
  beforeEach(() => failures.splice(0))

  const call = (name: string | undefined, token?: string) =>
    json(`${host.origin}/mcp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(name === undefined ? {} : { params: { name } }),
    })
  const read = async () =>
    (await getTokens(host, { params: { resource: `${host.origin}/mcp` } })).access_token

  test('RS-03 a token with too little gets 403 and the scopes of just this operation; what needs less passes', async () => {
    const token = await read()
    expect(await call('look', token)).toMatchObject({ status: 200, body: ['read'] })
    expect(await call('nothing', token)).toMatchObject({ status: 200, body: ['read'] })
    for (const [name, scope] of [
      ['change', 'read write'],
      ['both', 'write read'],
    ] as const) {
      const { status, headers, body } = await call(name, token)
      expect({ status, error: body.error }).toEqual({ status: 403, error: 'insufficient_scope' })
      expect(headers.get('www-authenticate')).toBe(
        `Bearer error="insufficient_scope", error_description="This needs the scope: ${scope}", scope="${scope}", resource_metadata="${host.origin}${PRM}/mcp"`,
      )
      expect(headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
    }
  })

  test('the first challenge names what the operation needs, and no scope where it needs none', async () => {
    const metadata = `resource_metadata="${host.origin}${PRM}/mcp"`
    for (const [name, expected] of [
      ['look', `Bearer scope="read", ${metadata}`],
      ['change', `Bearer scope="read write", ${metadata}`],
      ['nothing', `Bearer ${metadata}`],
    ] as const) {
      const { status, headers } = await call(name)
      expect({ status, challenge: headers.get('www-authenticate') }).toEqual({
        status: 401,
        challenge: expected,
      })
    }
  })

  test('an answer with which nothing can be decided fails the request, and says why', async () => {
    const token = await read()
    for (const [name, message] of [
      ['misspelt', /names the unknown scope 'raed'\. Did you mean 'read'/],
      ['undefined', /gave undefined\. Give a scope/],
      ['promise', /not as a promise/],
      ['empty', /gave an empty string/],
      ['blank', /gave ' '/],
      ['unknown', /gave undefined/],
      [undefined, /undefined.*name|name.*undefined/],
    ] as const)
      for (const presented of [token, undefined]) {
        failures.splice(0)
        const { status, headers } = await call(name, presented)
        expect({ status, challenge: headers.get('www-authenticate') }).toEqual({
          status: 500,
          challenge: null,
        })
        expect(failures).toEqual([expect.objectContaining({ message: expect.stringMatching(message) })])
        expect(host.events.at(-1)).toMatchObject({
          name: 'server.error',
          event: { endpoint: 'requireToken' },
        })
      }
  })
})

describe('step-up: more scopes for a grant that there is, with the registration that there is', () => {
  let host: Host
  let directory: Awaited<ReturnType<typeof generateKeyPair>>
  beforeAll(async () => {
    directory = await generateKeyPair('ES256')
    const jwks = { keys: [await exportJWK(directory.publicKey)] }
    const registration = {
      allow: 'open' as const,
      initialAccessTokens: ['x'.repeat(40)],
      softwareStatementIssuers: { 'https://directory.example': { jwks } },
    }
    host = await mcpHost({ mcp: true, registration, allowPrivateAddresses: true })
  })
  afterAll(() => host.close())

  const at = () => ({ resource: `${host.origin}/mcp` })

  async function stepUp(clientId: string) {
    const first = await connect(host, clientId, { ...at(), scope: 'read' })
    expect(first.tokens.scope).toBe('read')
    expect(scopesIn(first.page, 'required')).toEqual(['read'])
    const second = await connect(host, clientId, { ...at(), scope: 'read write' })
    expect(second.tokens.scope).toBe('read write')
    expect(scopesIn(second.page, 'required')).toEqual(['write'])
    expect(scopesIn(second.page, 'granted')).toEqual(['read'])
    expect(await host.oauth.grants.list({ userId: 'alice', clientId })).toHaveLength(1)
    expect((await callApi(host, '/mcp', first.tokens.access_token)).status).toBe(200)
  }

  test('a client that registered with the scope of the first challenge', async () => {
    const { status, body } = await register(host, { ...CLIENT, client_name: 'Up', scope: 'read' })
    expect({ status, scope: body.scope }).toEqual({ status: 201, scope: 'read' })
    await stepUp(String(body.client_id))
    const { tokens } = await connect(host, String(body.client_id), { ...at(), scope: undefined })
    expect(tokens.scope).toBe('read')
  })

  test('a client whose document names it', async () => {
    const site = await startDocumentSite()
    const { redirect_uris } = CLIENT
    await stepUp(site.serve('/client.json', documentOf({ redirect_uris, scope: 'read' })))
    await site.close()
  })

  test('not further than the host lets it: what it has said of a client holds', async () => {
    const { body } = await register(host, { ...CLIENT, client_name: 'Held', scope: 'read' })
    const id = String(body.client_id)
    await host.oauth.clients.update(id, { scope: 'read' })
    const { tokens } = await connect(host, id, { ...at(), scope: 'read write' })
    expect(tokens.scope).toBe('read')
    const answer = await json(String(body.registration_client_uri), {
      method: 'PUT',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${body.registration_access_token}`,
      },
      body: JSON.stringify({ ...CLIENT, client_id: id, client_name: 'Held on', scope: 'read' }),
    })
    expect(answer.status).toBe(200)
    expect((await connect(host, id, { ...at(), scope: 'read write' })).tokens.scope).toBe('read')
  })

  test('nor than a software statement does, where that names scopes', async () => {
    const software_statement = await new SignJWT({ scope: 'read' })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer('https://directory.example')
      .sign(directory.privateKey)
    const { status, body } = await register(host, { ...CLIENT, client_name: 'Stated', software_statement })
    expect(status).toBe(201)
    const { tokens } = await connect(host, String(body.client_id), { ...at(), scope: 'read write' })
    expect(tokens.scope).toBe('read')
  })

  test('and not where no user is asked', async () => {
    const service = { client_name: 'Service', scope: 'read', grant_types: ['client_credentials'] }
    const { body } = await json(`${host.issuer}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${'x'.repeat(40)}` },
      body: JSON.stringify(service),
    })
    const { client_id, client_secret } = body as { client_id: string; client_secret: string }
    const ask = (scope: string) =>
      token(host, { grant_type: 'client_credentials', client_id, client_secret, scope })
    expect((await ask('read write')).body.scope).toBe('read')
    expect(await ask('write')).toMatchObject({ status: 400, body: { error: 'invalid_scope' } })
  })

  test('nor where the host has let a client do without users that came to ask them', async () => {
    const { body } = await register(host, {
      ...{ client_name: 'Grown', scope: 'read', redirect_uris: CLIENT.redirect_uris },
    })
    const { client_id, client_secret } = body as { client_id: string; client_secret: string }
    await host.oauth.clients.update(client_id, { grant_types: ['client_credentials'] })
    const form = { grant_type: 'client_credentials', client_id, client_secret }
    expect((await token(host, form)).body.scope).toBe('read')
  })
})

test('CAUTH-03 a client that is not known at /token is told 401 invalid_client, on which clients register anew', async () => {
  const host = await startHost({ provider: { mcp: true } })
  const form = { grant_type: 'refresh_token', refresh_token: 'x', client_id: 'gone' }
  const { status, headers, body } = await token(host, form)
  expect({ status, error: body.error }).toEqual({ status: 401, error: 'invalid_client' })
  expect(headers.get('access-control-allow-origin')).toBe('*')
  await host.close()
})

describe('HDR-04 a client in a browser', () => {
  const origin = 'https://inspector.example'
  const preflight = (url: string, method: string) =>
    fetch(url, {
      method: 'OPTIONS',
      headers: {
        ...{ origin, 'access-control-request-method': method },
        'access-control-request-headers': 'authorization,content-type,mcp-protocol-version',
      },
    })

  test('may call what clients call themselves, and reads the challenge behind the cors() of the host', async () => {
    const host = await startHost({ provider: { mcp: { resource: '/mcp' } } })
    host.app.all(
      '/mcp',
      cors({ exposedHeaders: ['WWW-Authenticate', 'Mcp-Session-Id'] }),
      host.oauth.requireToken('read'),
      (_req, res) => {
        res.json({})
      },
    )
    for (const path of ['/register', '/token', '/revoke', '/.well-known/oauth-authorization-server']) {
      const { status, headers } = await preflight(host.issuer + path, 'POST')
      expect({ path, status, allowed: headers.get('access-control-allow-origin') }).toEqual({
        path,
        status: 204,
        allowed: '*',
      })
      expect(headers.get('access-control-allow-headers')).toMatch(/MCP-Protocol-Version/i)
    }
    const { status, headers } = await preflight(`${host.origin}/mcp`, 'POST')
    expect(status).toBe(204)
    expect(headers.get('access-control-allow-headers')).toBe(
      'authorization,content-type,mcp-protocol-version',
    )
    const refused = await fetch(`${host.origin}/mcp`, { method: 'POST', headers: { origin } })
    expect(refused.status).toBe(401)
    expect(refused.headers.get('access-control-allow-origin')).toBe('*')
    expect(refused.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
    host.app.all('/mcp/plain', cors(), host.oauth.requireToken('read'))
    const plain = await fetch(`${host.origin}/mcp/plain`, { method: 'POST', headers: { origin } })
    expect(plain.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
    const { access_token } = await getTokens(host, { params: { resource: `${host.origin}/mcp` } })
    const passed = await callApi(host, '/mcp', access_token, { origin })
    expect(passed.headers.get('access-control-expose-headers')).toBe('WWW-Authenticate,Mcp-Session-Id')
    await host.close()
  })
})

describe('DCR-08 what clients in the field register with', () => {
  let host: Host
  beforeAll(async () => {
    host = await mcpHost({ mcp: { resource: '/mcp' } })
  })
  afterAll(() => host.close())

  const both = { grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] }
  test.each([
    [
      'Claude',
      {
        redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
        token_endpoint_auth_method: 'client_secret_post',
      },
      'https://claude.ai/api/mcp/auth_callback',
    ],
    [
      'Claude Code',
      { redirect_uris: ['http://localhost:54212/callback'], token_endpoint_auth_method: 'none' },
      'http://localhost:54999/callback',
    ],
    [
      'ChatGPT',
      { redirect_uris: ['https://chatgpt.com/connector_platform_oauth_redirect'] },
      'https://chatgpt.com/connector_platform_oauth_redirect',
    ],
    [
      'Visual Studio Code',
      {
        client_uri: 'https://code.visualstudio.com',
        grant_types: [...both.grant_types, 'urn:ietf:params:oauth:grant-type:device_code'],
        redirect_uris: [
          ...['https://insiders.vscode.dev/redirect', 'https://vscode.dev/redirect', 'http://localhost/'],
          ...['http://127.0.0.1/', 'http://localhost:33418/', 'http://127.0.0.1:33418/'],
        ],
        token_endpoint_auth_method: 'none',
        application_type: 'native',
      },
      'http://127.0.0.1:60001/',
    ],
    [
      'Cursor',
      { redirect_uris: ['cursor://anysphere.cursor-mcp/oauth/callback'], token_endpoint_auth_method: 'none' },
      'cursor://anysphere.cursor-mcp/oauth/callback',
    ],
    [
      'MCP Inspector',
      {
        redirect_uris: ['http://localhost:6274/oauth/callback'],
        client_uri: 'https://github.com/modelcontextprotocol/inspector',
        token_endpoint_auth_method: 'none',
        scope: 'read write',
      },
      'http://localhost:6274/oauth/callback',
    ],
  ])('%s', async (client_name, metadata, redirect_uri) => {
    const { status, body } = await register(host, { client_name, ...both, ...metadata })
    expect({ status, body }).toMatchObject({ status: 201, body: { client_name, ...metadata } })
    const client_id = String(body.client_id)
    const resource = `${host.origin}/mcp`
    const { agent, page } = await toConsent(host, { params: { client_id, redirect_uri, resource } })
    expect(page.text).toContain(client_name)
    const callback = destination(await decide(agent, page, 'approve'))
    expect(callback.href.startsWith(redirect_uri)).toBe(true)
    expect(callback.searchParams.get('iss')).toBe(host.issuer)
    const tokens = await token(host, {
      ...{ grant_type: 'authorization_code', code: callback.searchParams.get('code') ?? '', redirect_uri },
      ...{ code_verifier: VERIFIER, client_id, resource },
      ...(typeof body.client_secret === 'string' && { client_secret: body.client_secret }),
    })
    // Asked for nothing but the scope of the challenge, and refreshes all the same.
    expect(tokens).toMatchObject({ status: 200, body: { scope: 'read', refresh_token: expect.any(String) } })
    expect((await callApi(host, '/mcp', String(tokens.body.access_token))).status).toBe(200)
  })
})
