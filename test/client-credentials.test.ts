import Database from 'better-sqlite3'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import type { ClientMetadata } from '../lib/index.js'
import type { Form } from './support/agent.js'
import { clients } from './support/clients.js'
import { aKey, anotherKey, callProven, postProven } from './support/dpop.js'
import { basic, callApi, getTokens, postToken, type TokenResponse } from './support/flow.js'
import { type Host, startHost, type User } from './support/host.js'
import { userinfo } from './support/openid.js'
import { dump, expectRefusal, expectTokens } from './support/token-endpoint.js'

function machine(client_id: string, more: ClientMetadata = {}): ClientMetadata {
  return { client_id, client_secret: `${client_id}-secret`, grant_types: ['client_credentials'], ...more }
}

const machines = [
  machine('m2m', { scope: 'read' }),
  machine('many', { scope: 'openid profile offline_access read write admin' }),
  machine('writer', { scope: 'write admin' }),
  machine('scopeless'),
  machine('unknowing', { scope: 'elsewhere' }),
  machine('identity', { scope: 'openid email' }),
  machine('payer', { authorization_details_types: ['transfer'] }),
  machine('hoarder', { scope: 'read', authorization_details_types: ['transfer'] }),
]

let host: Host
const database = new Database(':memory:')
beforeAll(async () => {
  host = await startHost({
    provider: (origin) => ({
      store: database,
      clients: [...clients, ...machines],
      scopes: {
        read: { description: 'Read your things', default: true },
        write: 'Change your things',
        admin: 'Rule',
      },
      authorizationDetails: {
        transfer: { schema: { properties: { amount: { type: 'integer' } } }, description: 'Pay' },
        audit: { schema: {}, description: 'Look at everything' },
      },
      resources: {
        [`${origin}/api`]: {},
        [`${origin}/reading`]: { scopes: ['read'] },
        'https://elsewhere.example/photos': { scopes: ['read', 'write'], accessTokenFormat: 'jwt' },
      },
    }),
  })
  host.app.get('/api/whom', host.oauth.requireToken(), async (req, res) => {
    const { token: _, ...auth } = req.auth
    res.json({ ...auth, hasUserId: req.auth.userId !== undefined, user: (await req.auth.user()) ?? null })
  })
  host.app.get('/api/me', host.oauth.requireToken('read', { user: true }), (req, res) =>
    res.json({ userId: req.auth.userId }),
  )
})
afterAll(async () => {
  await host.close()
  database.close()
})

function ask(form: Form = {}, client = 'm2m', at = host): Promise<TokenResponse> {
  return postToken(at, { grant_type: 'client_credentials', ...form }, { client })
}

async function tokenOf(form: Form = {}, client = 'm2m', at = host): Promise<string> {
  const answer = await ask(form, client, at)
  expectTokens(answer)
  return answer.body.access_token
}

/** Refused, and the host hears why. */
async function expectRefused(
  answer: Promise<TokenResponse>,
  error: string,
  reason: string,
  description: RegExp = /./,
): Promise<void> {
  const refused = await answer
  expectRefusal(refused, 400, error)
  expect(refused.body.error_description).toMatch(description)
  expect(host.events.findLast(({ name }) => name === 'token.refused')?.event).toMatchObject({ error, reason })
}

describe('CC-01 a client that speaks for itself', () => {
  test('gets an access token with the members of RFC 6749 §4.4.3 and no others', async () => {
    const answer = await ask({ scope: 'read' })
    expectTokens(answer)
    expect(answer.body).toEqual({
      access_token: expect.stringMatching(/^[\w-]{64}$/),
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'read',
    })
    expect((await callApi(host, '/api/read', answer.body.access_token)).status).toBe(200)
    expect((await callApi(host, '/api/write', answer.body.access_token)).status).toBe(403)
    expect(host.events.findLast(({ name }) => name === 'token.issued')?.event).toEqual({
      clientId: 'm2m',
      grantType: 'client_credentials',
      scopes: ['read'],
    })
  })

  test.each(['openid read', 'openid profile offline_access read', 'offline_access read openid'])(
    'gets neither a refresh token nor an ID token, nor these scopes, where it asks for %p',
    async (scope) => {
      const { status, body } = await ask({ scope }, 'many')
      expect([status, Object.keys(body).sort()]).toEqual([
        200,
        ['access_token', 'expires_in', 'scope', 'token_type'],
      ])
      expect(body.scope).toBe('read')
    },
  )

  test('gets none either where it is registered for the refresh_token grant', async () => {
    const { client_id, client_secret = '' } = await host.oauth.clients.create({
      grant_types: ['client_credentials', 'refresh_token'],
      scope: 'read offline_access',
    })
    const headers = { authorization: basic(client_id, client_secret) }
    const { status, body } = await postToken(host, { grant_type: 'client_credentials' }, { headers })
    expect([status, 'refresh_token' in body]).toEqual([200, false])
  })

  test.each(['openid', 'offline_access', 'openid profile email address phone offline_access'])(
    'is told where it asks for %p alone that this needs a user',
    (scope) => expectRefused(ask({ scope }, 'many'), 'invalid_scope', 'scope_needs_user', /read write admin/),
  )

  test('asks as often as it likes, and each token lives by itself', async () => {
    const [one, other] = [await tokenOf(), await tokenOf()]
    expect(one).not.toBe(other)
    for (const token of [one, other]) expect((await callApi(host, '/api/read', token)).status).toBe(200)
    expect(dump(database)).not.toContain(one)
  })

  test('has a token until it expires, and no longer', async () => {
    const own = await startHost({
      provider: { clients: machines, scopes: { read: 'Read', write: 'Write', admin: 'Rule' } },
    })
    const token = await tokenOf({}, 'm2m', own)
    own.advance(3599)
    expect((await callApi(own, '/api/read', token)).status).toBe(200)
    own.advance(1)
    expect((await callApi(own, '/api/read', token)).status).toBe(401)
    await own.close()
  })
})

describe('CC-02 the scopes of a client are what it registered', () => {
  test.each([
    ['m2m', 'read write', 'read'],
    ['m2m', 'nope read admin', 'read'],
    ['many', 'admin write', 'admin write'],
    // Without scope: what the option marks as default; where it has none of these, all of its own. Never all that there is.
    ['m2m', undefined, 'read'],
    ['many', undefined, 'read'],
    ['many', '', 'read'],
    ['writer', undefined, 'write admin'],
  ])('%s, asking for %p, gets %p', async (client, scope, granted) => {
    expect((await ask({ scope }, client)).body.scope).toBe(granted)
  })

  test.each(['write', 'nope', 'READ', 'read+write', 'write admin'])(
    'beyond them there is nothing: %p is invalid_scope, which names what there is',
    (scope) =>
      expectRefused(ask({ scope }), 'invalid_scope', 'scope_unknown', /ask for these scopes: read\./),
  )

  test.each([undefined, 'read', 'openid'])(
    'a client that registered none has none, whether it asks for %p, and reads what to do',
    (scope) =>
      expectRefused(ask({ scope }, 'scopeless'), 'invalid_scope', 'scope_not_registered', /Register it/),
  )

  test.each([
    ['unknowing', 'scope_missing'],
    ['identity', 'scope_missing'],
  ])('%s, which registered only what nobody can have here, gets nothing', (client, reason) =>
    expectRefused(ask({}, client), 'invalid_scope', reason),
  )

  test('nor does it read of scopes that it has not', () =>
    expectRefused(
      ask({ scope: 'openid' }, 'identity'),
      'invalid_scope',
      'scope_unknown',
      /not ask for any scope/,
    ))

  test.each(['read "write"', 'read\twrite', 'read\\', 'read\0', 'läsa'])('%j is malformed', (scope) =>
    expectRefused(ask({ scope }), 'invalid_scope', 'scope_malformed'),
  )

  test('a scope that the host takes from it is gone with the next token', async () => {
    const created = await host.oauth.clients.create({
      grant_types: ['client_credentials'],
      scope: 'read write',
    })
    const headers = { authorization: basic(created.client_id, created.client_secret ?? '') }
    const asked = () =>
      postToken(host, { grant_type: 'client_credentials', scope: 'read write' }, { headers })
    expect((await asked()).body.scope).toBe('read write')
    await host.oauth.clients.update(created.client_id, { scope: 'write' })
    expect((await asked()).body.scope).toBe('write')
  })
})

describe('who may ask', () => {
  test.each(['conf', 'post', 'pub', 'nat'])('TOK-04 %s is not registered for it', (client) =>
    expectRefused(ask({}, client), 'unauthorized_client', 'grant_type_not_registered'),
  )

  test.each(['authorization_code', 'refresh_token'])('TOK-04 and M2M is not for %s', (grant_type) => {
    const form = { grant_type, code: 'x', refresh_token: 'x', redirect_uri: 'https://rp.example/cb' }
    return expectRefused(ask(form), 'unauthorized_client', 'grant_type_not_registered')
  })

  test('RFC 6749 §4.4 no public client can be registered for it, nor one that has a secret become such', async () => {
    for (const more of [
      { grant_types: ['client_credentials'] },
      { grant_types: ['authorization_code', 'client_credentials'] },
      { grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:token-exchange'] },
      { grant_types: ['urn:ietf:params:oauth:grant-type:jwt-bearer'] },
    ]) {
      const metadata = { redirect_uris: ['https://spa.example/cb'], scope: 'read', ...more }
      const created = host.oauth.clients.create({ token_endpoint_auth_method: 'none', ...metadata })
      await expect(created).rejects.toMatchObject({
        code: 'invalid_client_metadata',
        reason: 'metadata_grant_types',
        message: expect.stringContaining('a secret or a key'),
      })
      const provider = { clients: [{ client_id: 'public', ...metadata }] }
      await expect(startHost({ provider })).rejects.toMatchObject({ option: 'clients[0].grant_types' })
    }
    const { client_id } = await host.oauth.clients.create({
      token_endpoint_auth_method: 'none',
      redirect_uris: ['https://spa.example/cb'],
    })
    await expect(
      host.oauth.clients.update(client_id, { grant_types: ['client_credentials'] }),
    ).rejects.toMatchObject({ reason: 'metadata_grant_types' })
  })

  test('one that stands in the database all the same is refused', async () => {
    const { client_id } = await host.oauth.clients.create({
      token_endpoint_auth_method: 'none',
      redirect_uris: ['https://spa.example/cb'],
    })
    const sql = "UPDATE oauth_clients SET data = json_set(data, '$.grantTypes', json(?)) WHERE id = ?"
    database.prepare(sql).run('["client_credentials"]', client_id)
    const response = await fetch(`${host.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'client_credentials', client_id, scope: 'read' }),
    })
    const body = (await response.json()) as TokenResponse['body']
    expectRefusal({ status: response.status, headers: response.headers, body }, 400, 'unauthorized_client')
    expect(host.events.at(-1)?.event.reason).toBe('client_public')
  })

  test('a wrong secret and a disabled client get nothing', async () => {
    const headers = { authorization: basic('m2m', 'wrong') }
    const form = { grant_type: 'client_credentials' }
    expectRefusal(await postToken(host, form, { headers }), 401, 'invalid_client')
    expectRefusal(await ask({}, 'off'), 401, 'invalid_client')
  })

  test('it needs no redirect URI, and can start no authorization', async () => {
    const created = await host.oauth.clients.create({ grant_types: ['client_credentials'], scope: 'read' })
    expect(created).toMatchObject({ redirect_uris: [], response_types: [] })
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: created.client_id,
      redirect_uri: 'https://rp.example/cb',
    })
    const page = await fetch(`${host.issuer}/authorize?${query}`, { redirect: 'manual' })
    expect([page.status, page.headers.get('location')]).toEqual([400, null])
  })
})

describe('RFC 8707 what its token is for', () => {
  test('RSRC-01 is the issuer’s origin by default, and the resource that it names otherwise', async () => {
    expect((await callApi(host, '/api/read', await tokenOf())).status).toBe(200)
    const reading = await tokenOf({ resource: `${host.origin}/reading` })
    expect((await callApi(host, '/api/read', reading)).status).toBe(401)
    expect((await callApi(host, '/api/read', await tokenOf({ resource: `${host.origin}/api` }))).status).toBe(
      200,
    )
  })

  test('RSRC-04 has the scopes that mean something there', async () => {
    const form = { scope: 'read write', resource: [`${host.origin}/reading`] }
    expect((await ask(form, 'many')).body.scope).toBe('read')
    await expectRefused(ask({ ...form, scope: 'write' }, 'many'), 'invalid_scope', 'scope_unknown')
    const both = [`${host.origin}/reading`, `${host.origin}/api`]
    expect((await ask({ ...form, resource: both }, 'many')).body.scope).toBe('read write')
  })

  test.each(['https://unknown.example', '/api', 'urn:x', 'javascript:alert(1)'])(
    '%s is invalid_target',
    (resource) => expectRefused(ask({ resource }), 'invalid_target', 'resource_unknown'),
  )

  test('two that take different kinds of tokens are too', () =>
    expectRefused(
      ask({ resource: [`${host.origin}/api`, 'https://elsewhere.example/photos'] }),
      'invalid_target',
      'resources_differ',
    ))

  test('RFC 9068 §2.2 where it takes JWTs, it is one about the client, and says nothing of a user', async () => {
    const now = Math.floor(host.now() / 1000)
    const token = await tokenOf({ resource: 'https://elsewhere.example/photos', scope: 'write' }, 'many')
    const keys = createRemoteJWKSet(new URL(`${host.issuer}/jwks`))
    const { payload } = await jwtVerify(token, keys, { typ: 'at+jwt', issuer: host.issuer })
    expect(payload).toEqual({
      iss: host.issuer,
      sub: 'many',
      client_id: 'many',
      aud: 'https://elsewhere.example/photos',
      scope: 'write',
      iat: now,
      exp: now + 3600,
      jti: expect.stringMatching(/^[0-9a-f]{32}$/),
    })
  })

  test('a pairwise client is still itself', async () => {
    const own = await startHost({
      provider: {
        pairwiseSalt: 'a salt of thirty-two characters!',
        clients: [
          machine('pair', {
            scope: 'read',
            subject_type: 'pairwise',
            redirect_uris: ['https://rp.example/cb'],
          }),
        ],
        resources: { 'https://elsewhere.example/photos': { accessTokenFormat: 'jwt' } },
      },
    })
    const token = await tokenOf({ resource: 'https://elsewhere.example/photos' }, 'pair', own)
    expect(decodeJwt(token)).toMatchObject({ sub: 'pair', client_id: 'pair' })
    await own.close()
  })
})

describe('RSRC-07 RFC 9396 §6 what it asks for in detail', () => {
  const details = [{ type: 'transfer', amount: 5 }]
  const authorization_details = JSON.stringify(details)

  test('is in the answer and in the token, where it has registered the type', async () => {
    const { status, body } = await ask({ authorization_details, scope: 'read' }, 'hoarder')
    expect([status, body.scope, body.authorization_details]).toEqual([200, 'read', details])
    const { authorizationDetails } = (await callApi(host, '/api/whom', body.access_token)).body
    expect(authorizationDetails).toEqual(details)
  })

  test('needs no scope beside it', async () => {
    for (const client of ['payer', 'hoarder']) {
      const { status, body } = await ask({ authorization_details }, client)
      expect([status, body.authorization_details]).toEqual([200, details])
      expect(body).not.toHaveProperty('scope')
      expect((await callApi(host, '/api/read', body.access_token)).status).toBe(403)
    }
  })

  test.each([
    ['m2m', authorization_details, 'details_not_registered'],
    ['payer', '[{"type":"audit"}]', 'details_type_not_registered'],
    ['payer', '[{"type":"nope"}]', 'details_type_unknown'],
    ['payer', '[{"type":"transfer","amount":"5"}]', 'details_do_not_fit'],
    ['payer', '{}', 'details_not_an_array'],
  ])('of %s is refused as %s where it is not allowed', (client, text, reason) =>
    expectRefused(ask({ authorization_details: text }, client), 'invalid_authorization_details', reason),
  )
})

describe('CC-04 a user whose id is that of the client', () => {
  beforeAll(() => {
    host.users.set('m2m', { id: 'm2m', name: 'Mallory', email: 'm@host.example' })
    host.users.set('many', { id: 'many', name: 'Many', email: 'many@host.example' })
  })

  test('is not who the API sees: req.auth has no user', async () => {
    const { status, body } = await callApi(host, '/api/whom', await tokenOf())
    expect(status).toBe(200)
    expect(body).toEqual({
      clientId: 'm2m',
      scopes: ['read'],
      expiresAt: expect.any(Number),
      resource: `${host.origin}/api`,
      resourceMetadataUrl: `${host.origin}/.well-known/oauth-protected-resource/api`,
      hasUserId: false,
      user: null,
    })
  })

  test('OIDC-08 is not who userinfo tells of', async () => {
    for (const scope of ['read', 'openid read']) {
      const { status, headers, text } = await userinfo(host, await tokenOf({ scope }, 'many'))
      expect(status).toBe(403)
      expect(headers.get('www-authenticate')).toContain('error="insufficient_scope"')
      expect(text).not.toContain('many@')
    }
    expect(host.events.findLast(({ name }) => name === 'access_token.refused')?.event).toMatchObject({
      reason: 'token_without_user',
    })
  })

  test('owns nothing of it: what they revoke does not end it, and nothing of it stands among their grants', async () => {
    const token = await tokenOf()
    expect(await host.oauth.grants.list({ clientId: 'm2m' })).toEqual([])
    expect(await host.oauth.grants.revokeUser('m2m')).toBe(0)
    expect((await callApi(host, '/api/read', token)).status).toBe(200)
  })

  test('RFC 6750 §3.1 a route that is for users answers 403, on which nobody gets a new token to try again', async () => {
    const { status, headers, body } = await callApi(host, '/api/me', await tokenOf())
    expect([status, body.error]).toEqual([403, 'insufficient_scope'])
    expect(headers.get('www-authenticate')).toContain('error="insufficient_scope"')
    expect(body.error_description).toContain('a user has allowed')
    const { access_token } = await getTokens(host, { user: 'm2m' })
    expect((await callApi(host, '/api/me', access_token)).body).toEqual({ userId: 'm2m' })
    expect((await callApi(host, '/api/whom', access_token)).body).toMatchObject({
      userId: 'm2m',
      clientId: 'conf',
      user: { name: 'Mallory' },
    })
  })

  test('a route that says that it is not for users only lets it pass', async () => {
    const onlyUsers: boolean = host.issuer === ''
    host.app.get('/api/all', host.oauth.requireToken('read', { user: onlyUsers }), (_req, res) =>
      res.json({}),
    )
    expect((await callApi(host, '/api/all', await tokenOf())).status).toBe(200)
  })

  test('and whether it is can be said in one way only', () => {
    expect(() => host.oauth.requireToken('read', { user: 'yes' as unknown as boolean })).toThrow(
      /requireToken\(scopes, options\)\.user is 'yes'\. Pass true or false/,
    )
  })
})

describe('its tokens end with it', () => {
  test.each([
    ['disabled', (id: string) => host.oauth.clients.update(id, { disabled: true })],
    ['deleted', (id: string) => host.oauth.clients.delete(id)],
  ])('at once when it is %s', async (_, end) => {
    const created = await host.oauth.clients.create({ grant_types: ['client_credentials'], scope: 'read' })
    const headers = { authorization: basic(created.client_id, created.client_secret ?? '') }
    const { body } = await postToken(host, { grant_type: 'client_credentials' }, { headers })
    expect((await callApi(host, '/api/read', body.access_token)).status).toBe(200)
    await end(created.client_id)
    const { status, headers: answered } = await callApi(host, '/api/read', body.access_token)
    expect(status).toBe(401)
    expect(answered.get('www-authenticate')).toContain('error="invalid_token"')
  })

  test('and do not come back with another client of the same id', async () => {
    const tokenOfRobot = async () => {
      const metadata = { client_id: 'robot', grant_types: ['client_credentials'], scope: 'read' }
      const { client_secret = '' } = await host.oauth.clients.create(metadata)
      const headers = { authorization: basic('robot', client_secret) }
      return (await postToken(host, { grant_type: 'client_credentials' }, { headers })).body.access_token
    }
    const old = await tokenOfRobot()
    await host.oauth.clients.delete('robot')
    host.advance(1)
    const young = await tokenOfRobot()
    expect((await callApi(host, '/api/read', old)).status).toBe(401)
    expect(host.events.findLast(({ name }) => name === 'access_token.refused')?.event.reason).toBe(
      'client_unknown',
    )
    await host.oauth.clients.update('robot', { client_name: 'Robot' })
    expect((await callApi(host, '/api/read', young)).status).toBe(200)
    await host.oauth.clients.delete('robot')
  })

  test('but not where clocks differ, nor with the next start of a host that names its client in the options', async () => {
    const store = new Database(':memory:')
    const start = (ahead: number) =>
      startHost({
        provider: {
          ...{ store, clients: [machine('m2m', { scope: 'read' })], issuer: 'https://shared.example/oauth' },
          clock: () => Date.now() + ahead,
        },
      })
    const [behind, ahead] = [await start(0), await start(60_000)]
    const robot = await ahead.oauth.clients.create({ grant_types: ['client_credentials'], scope: 'read' })
    const headers = { authorization: basic(robot.client_id, robot.client_secret ?? '') }
    const form = { grant_type: 'client_credentials' }
    const answers = [
      await postToken(behind, form, { headers }),
      await postToken(behind, form, { client: 'm2m' }),
    ]
    for (const { body } of answers)
      for (const at of [behind, ahead])
        expect((await callApi(at, '/api/read', body.access_token)).status).toBe(200)
    await Promise.all([behind.close(), ahead.close()])
    store.close()
  })
})

describe('CC-05 RFC 9700 §4.15 the id of a client is nobody else’s', () => {
  const metadata = { redirect_uris: ['https://rp.example/cb'] }

  test('one that is generated is random', async () => {
    const { client_id } = await host.oauth.clients.create(metadata)
    expect(client_id).toMatch(/^[\w-]{22}$/)
  })

  test.each([
    ['the id of a user', 'alice', /is the id of a user/],
    ['an https URL without a path', 'https://x', /is a URL that has no path/],
    ['one in capitals', 'HTTPS://rp.example/client', /is a URL that does not begin with https:/],
  ])('%s cannot be chosen', async (_, client_id, description) => {
    const created = host.oauth.clients.create({ ...metadata, client_id })
    await expect(created).rejects.toMatchObject({
      code: 'invalid_client_metadata',
      reason: 'metadata_client_id',
      message: expect.stringMatching(description),
    })
    expect(await host.oauth.clients.get(client_id)).toBeUndefined()
  })

  test('nor such a URL among the options', async () => {
    const provider = { clients: [{ ...metadata, client_id: 'https://x' }] }
    await expect(startHost({ provider })).rejects.toMatchObject({ option: 'clients[0].client_id' })
  })

  test('a lookup of users that fails for what is no id of theirs is no obstacle', async () => {
    const findUser = (id: string): User => {
      throw new Error(`invalid input syntax for type uuid: ${id}`)
    }
    const own = await startHost({ provider: { findUser } })
    const { client_id } = await own.oauth.clients.create({ ...metadata, client_id: 'print-shop' })
    expect(client_id).toBe('print-shop')
    await own.close()
  })
})

test('DPOP-01 with a proof, its token is bound to the key', async () => {
  const { status, body } = await postProven(host, { grant_type: 'client_credentials' }, { client: 'm2m' })
  expect([status, body.token_type]).toEqual([200, 'DPoP'])
  expect((await callProven(host, '/api/read', body.access_token, { key: aKey })).status).toBe(200)
  expect((await callProven(host, '/api/read', body.access_token, { key: anotherKey })).status).toBe(401)
  expect((await callApi(host, '/api/read', body.access_token)).status).toBe(401)
})

test('DISC-04 the metadata names it, and what the host has not turned on is not there', async () => {
  const response = await fetch(`${host.issuer}/.well-known/oauth-authorization-server`)
  const metadata = (await response.json()) as { grant_types_supported: string[] }
  expect(metadata.grant_types_supported).toContain('client_credentials')
  for (const absent of ['token-exchange', 'jwt-bearer']) {
    const grant_type = `urn:ietf:params:oauth:grant-type:${absent}`
    expect(metadata.grant_types_supported).not.toContain(grant_type)
    await expectRefused(ask({ grant_type }), 'unsupported_grant_type', 'grant_type_unknown')
  }
})
