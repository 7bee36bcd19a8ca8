import Database from 'better-sqlite3'
import type { ClientMetadata } from '../lib/index.js'
import { signJwt } from './support/assertions.js'
import { pkjKey } from './support/clients.js'
import { fetch } from './support/fetch.js'
import {
  authorizeUrl,
  basic,
  callApi,
  decide,
  destination,
  signedIn,
  toConsent,
  VERIFIER,
} from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import {
  CALLBACK,
  expectRefused,
  expectUnauthorized,
  manage,
  native,
  type Registered,
  register,
  registered,
} from './support/registration.js'
import { dump, expectMachineHeaders, type RawAnswer, send } from './support/token-endpoint.js'

const TOKEN = 'an-initial-access-token-that-is-long-enough'
const web = {
  ...{ redirect_uris: [CALLBACK], client_name: 'Web', scope: 'read openid', tos_uri: 'https://a.example/t' },
  ...{ grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] },
}
const { d: _private, ...publicKey } = pkjKey
const jwks = { keys: [publicKey] }

let host: Host
const database = new Database(':memory:')
beforeAll(async () => {
  host = await startHost({
    provider: {
      store: database,
      secret: 'a-secret-with-which-secrets-are-encrypted',
      pairwiseSalt: 'a-salt-of-thirty-two-bytes-or-more-really',
      registration: { allow: 'open', initialAccessTokens: [TOKEN], perMinute: 100_000 },
    },
  })
})
afterAll(() => host?.close())

function stored(): unknown {
  return database.prepare('SELECT * FROM oauth_clients').all()
}

/** What a client that manages itself knows, with other metadata in place of some. */
function put(client: Registered, metadata: Record<string, unknown>, own: object = {}): Promise<RawAnswer> {
  return manage(client, 'PUT', { ...metadata, client_id: client.client_id, ...own })
}

async function replaced(
  client: Registered,
  metadata: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const { status, body } = await put(client, metadata)
  if (status !== 200) throw new Error(`not replaced: ${status} ${JSON.stringify(body)}`)
  return body
}

async function codeOf({ client_id }: Registered): Promise<string> {
  const agent = await signedIn(host, 'alice')
  const page = await agent.follow(authorizeUrl(host, { params: { client_id, redirect_uri: CALLBACK } }))
  return destination(await decide(agent, page, 'approve')).searchParams.get('code') ?? ''
}

function token(
  client: Pick<Registered, 'client_id' | 'client_secret'>,
  form: Record<string, string>,
): Promise<RawAnswer> {
  const headers = { authorization: basic(client.client_id, client.client_secret) }
  return send(host, { headers, body: new URLSearchParams(form) })
}

function redeem(client: Registered, code: string): Promise<RawAnswer> {
  return token(client, {
    ...{ grant_type: 'authorization_code', code },
    redirect_uri: CALLBACK,
    code_verifier: VERIFIER,
  })
}

describe('a client reads its registration', () => {
  test('and sees all that it saw when it registered, but for the secret, of which only a hash is kept', async () => {
    const client = await registered(host, web)
    const answer = await manage(client, 'GET')
    expect(answer.status).toBe(200)
    expectMachineHeaders(answer.headers)
    const { client_secret: _, ...told } = client
    expect(answer.body).toEqual(told)
    expect((await manage(client, 'GET')).body).toEqual(told)
  })

  test('and sees nothing of what the host alone has said of it', async () => {
    const client = await registered(host, web)
    const said = {
      access_token_lifetime: 60,
      verified: true,
      resources: [`${host.origin}/api`],
      owner_id: 'alice',
    }
    await host.oauth.clients.update(client.client_id, said)
    const { body } = await manage(client, 'GET')
    for (const name of [...Object.keys(said), 'source', 'skip_consent', 'disabled', 'require_pkce'])
      expect(body).not.toHaveProperty(name)
  })
})

describe('DCR-11 whoever has not the token of this client', () => {
  const methods = ['GET', 'PUT', 'DELETE'] as const

  test.each(methods)('%s is the same 401, whatever is wrong', async (method) => {
    const [client, other, off] = await Promise.all([1, 2, 3].map(() => registered(host, web)))
    if (!client || !other || !off) throw new Error('not registered')
    await host.oauth.clients.update(off.client_id, { disabled: true })
    const made = await host.oauth.clients.create(web)
    const at = (id: string) => ({ ...client, registration_client_uri: `${host.issuer}/register/${id}` })
    const before = stored()
    const body = method === 'PUT' ? { ...web, client_id: client.client_id } : undefined

    const refusals = await Promise.all([
      ...[other.client_id, made.client_id, 'conf', 'nobody', 'A'.repeat(22), '%00', '%E0%A4%A', 'alice'].map(
        (id) => manage(at(id), method, body),
      ),
      ...[
        "'%20OR%20'1'='1",
        '%22;DROP%20TABLE',
        encodeURIComponent('https://client.test/meta.json'),
        'a'.repeat(5000),
      ].map((id) => manage(at(id), method, body)),
      manage(off, method, body),
      manage(client, method, body, { token: other.registration_access_token }),
      manage(client, method, body, { token: String(client.client_secret) }),
      manage(client, method, body, { token: TOKEN }),
      ...[
        'Bearer',
        'Bearer ',
        `Bearer  ${client.registration_access_token}`,
        'Bearer \u00e9',
        'DPoP x',
        'Basic eDp5',
      ].map((authorization) => manage(client, method, body, { authorization })),
    ])
    for (const refusal of refusals) {
      expectUnauthorized(refusal)
      expect(refusal.text).toBe(refusals[0]?.text)
    }
    expectUnauthorized(await manage(client, method, body, { token: '' }), false)
    expect(stored()).toEqual(before)
    expect(host.events.at(-1)).toEqual({
      name: 'request.refused',
      event: { endpoint: '/register/:id', error: 'invalid_token', reason: 'registration_token_missing' },
    })
  })

  test.each(['POST', 'PATCH'])('%s is 405 with what there is', async (method) => {
    const client = await registered(host, web)
    const answer = await manage(client, method, method === 'POST' ? web : undefined)
    expect(answer.status).toBe(405)
    expect(answer.headers.get('allow')).toBe('GET, PUT, DELETE')
    expectMachineHeaders(answer.headers)
  })

  test('HEAD is 405 too, and a preflight is answered', async () => {
    const { registration_client_uri: uri } = await registered(host, web)
    expect((await fetch(uri, { method: 'HEAD' })).status).toBe(405)
    const preflight = await fetch(uri, { method: 'OPTIONS' })
    expect([preflight.status, preflight.headers.get('access-control-allow-methods')]).toEqual([
      204,
      'GET, PUT, DELETE',
    ])
  })
})

describe('a client replaces its registration', () => {
  test('by another: what is left out falls back to its default', async () => {
    const client = await registered(host, web)
    const answer = await put(client, { redirect_uris: ['https://rp.example/new'], client_name: 'New' })
    expect(answer.status).toBe(200)
    expectMachineHeaders(answer.headers)
    const { client_id, client_id_issued_at, registration_client_uri, registration_access_token } = client
    const expected = {
      ...{
        client_id,
        client_id_issued_at,
        client_secret_expires_at: 0,
        registration_client_uri,
        registration_access_token,
      },
      ...{
        redirect_uris: ['https://rp.example/new'],
        client_name: 'New',
        token_endpoint_auth_method: 'client_secret_basic',
      },
      ...{ grant_types: ['authorization_code'], response_types: ['code'] },
    }
    expect(answer.body).toEqual(expected)
    expect((await manage(client, 'GET')).body).toEqual(expected)
    expect(host.events.at(-1)).toEqual({
      name: 'client.changed',
      event: { clientId: client_id, change: 'updated', by: 'client', onProbation: true },
    })
  })

  test('by the same: nothing changes, and nothing is told', async () => {
    const client = await registered(host, web)
    await host.oauth.clients.update(client.client_id, { verified: true })
    const [events, before] = [host.events.length, stored()]
    expect(await replaced(client, web)).toMatchObject(web)
    expect(host.events.length).toBe(events)
    expect(stored()).toEqual(before)
  })

  test('with its own secret beside it, which it keeps, and with no other', async () => {
    const client = await registered(host, web)
    const own = { client_secret: client.client_secret }
    expect((await put(client, { ...web, client_name: 'Own' }, own)).status).toBe(200)
    for (const client_secret of ['another', `${client.client_secret}x`, '', 5, {}])
      expectRefused(
        await put(client, web, { client_secret }),
        'invalid_client_metadata',
        /^client_secret is not the one/,
      )
    expect((await redeem(client, await codeOf(client))).status).toBe(200)
  })

  test.each([
    'registration_access_token',
    'registration_client_uri',
    'client_secret_expires_at',
    'client_id_issued_at',
  ])('DCR-11 %s is not for it to say', async (name) => {
    const client = await registered(host, web)
    const answer = await put(client, web, { [name]: client[name] })
    expectRefused(answer, 'invalid_client_metadata', new RegExp(`^${name} is for the server to say`))
  })

  test('DCR-11 with another client_id, or none, it is refused', async () => {
    const [client, other] = [await registered(host, web), await registered(host, web)]
    for (const client_id of [other.client_id, undefined, null, '', 'alice', [client.client_id]])
      expectRefused(
        await put(client, web, { client_id }),
        'invalid_client_metadata',
        /^client_id is missing, or/,
      )
  })

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['a bad redirect', { redirect_uris: ['javascript:x'] }, /redirect URI/],
    ['no redirect', { redirect_uris: undefined }, /redirect URI/],
    [
      'a grant that asks nobody',
      { grant_types: ['authorization_code', 'client_credentials'] },
      /client_credentials/,
    ],
    ['an unknown method', { token_endpoint_auth_method: 'magic' }, /token_endpoint_auth_method is magic/],
    ['a private key', { jwks: { keys: [pkjKey] } }, /jwks has/],
    ['two places for keys', { jwks, jwks_uri: 'https://a.example/jwks' }, /jwks stands beside/],
    ['a logo that is a script', { logo_uri: 'javascript:x' }, /logo_uri is not/],
    ['a name that is a number', { client_name: 5 }, /client_name is not/],
    [
      'a sector that nobody can ask',
      { sector_identifier_uri: 'https://127.0.0.1/s' },
      /sector_identifier_uri cannot be fetched/,
    ],
    [
      'none, where it can prove who it is',
      { token_endpoint_auth_method: 'none' },
      /token_endpoint_auth_method is none/,
    ],
    ['no object', [] as never, /client_id|metadata/],
  ])('DCR-11 every check is made again: %s', async (_name, changes, pattern) => {
    const client = await registered(host, web)
    const answer = Array.isArray(changes)
      ? await manage(client, 'PUT', changes)
      : await put(client, { ...web, ...changes })
    expect(answer.status).toBe(400)
    expect(answer.body.error).toMatch(/^invalid_(redirect_uri|client_metadata)$/)
    expect(answer.body.error_description).toMatch(pattern)
    expect((await manage(client, 'GET')).body).toMatchObject(web)
  })

  test('what the host alone says cannot be said, and what it has said stays, but for its judgement', async () => {
    const client = await registered(host, web)
    const { client_id } = client
    const kept = { access_token_lifetime: 60, require_pkce: false, resources: [`${host.origin}/api`] }
    await host.oauth.clients.update(client_id, { ...kept, verified: true, skip_consent: true })
    await replaced(client, {
      ...web,
      client_name: 'Bank',
      skip_consent: true,
      verified: true,
      access_token_lifetime: 9e5,
      disabled: true,
    })
    const now = await host.oauth.clients.get(client_id)
    expect(now).toMatchObject({ ...kept, client_name: 'Bank', skip_consent: false, disabled: false })
    expect(now).not.toHaveProperty('verified')
  })

  test('a change of its redirect URIs counts for requests that wait already', async () => {
    const client = await registered(host, web)
    const code = await codeOf(client)
    await replaced(client, { ...web, redirect_uris: ['https://rp.example/new'] })
    const agent = await signedIn(host, 'bob')
    const { client_id } = client
    const page = await agent.follow(authorizeUrl(host, { params: { client_id, redirect_uri: CALLBACK } }))
    expect(page.status).toBe(400)
    expect((await redeem(client, code)).status).toBe(200)
  })

  test('from a secret to a key, and back with a new secret', async () => {
    const client = await registered(host, web)
    const byKey = { ...web, token_endpoint_auth_method: 'private_key_jwt', jwks }
    const keyed = await replaced(client, byKey)
    expect(keyed).not.toHaveProperty('client_secret')
    expect(keyed).not.toHaveProperty('client_secret_expires_at')
    expect((await token(client, { grant_type: 'refresh_token', refresh_token: 'x' })).body.error).toBe(
      'invalid_client',
    )
    const back = await replaced(client, web)
    expect(back).toMatchObject({
      client_secret: expect.stringMatching(/^[\w-]{64}$/),
      client_secret_expires_at: 0,
    })
    expect(back.client_secret).not.toBe(client.client_secret)
    const again = { ...client, client_secret: String(back.client_secret) }
    expect((await redeem(again, await codeOf(again))).status).toBe(200)
    expect(dump(database)).not.toContain(back.client_secret)
  })

  test('not from a key to none', async () => {
    const client = await registered(host, { ...web, token_endpoint_auth_method: 'private_key_jwt', jwks })
    const answer = await put(client, { ...web, token_endpoint_auth_method: 'none' })
    expectRefused(
      answer,
      'invalid_client_metadata',
      /^token_endpoint_auth_method is none, and this client can prove/,
    )
  })

  test('from public to a secret', async () => {
    const client = await registered(host, { ...native, redirect_uris: [CALLBACK], client_name: 'Was public' })
    const { client_secret } = await replaced(client, web)
    const confidential = { ...client, client_secret: String(client_secret) }
    expect((await redeem(confidential, await codeOf(confidential))).status).toBe(200)
    const without = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: 'x',
      client_id: client.client_id,
    })
    expect((await send(host, { body: without })).body.error).toBe('invalid_client')
  })

  test('a secret that is kept for MACs is its own too, and one of which only a hash is left cannot become such', async () => {
    const mac = { ...web, token_endpoint_auth_method: 'client_secret_jwt' }
    const client = await registered(host, mac)
    const own = { client_secret: client.client_secret }
    expect((await put(client, { ...mac, client_name: 'Mac' }, own)).status).toBe(200)
    expectRefused(
      await put(client, mac, { client_secret: 'x' }),
      'invalid_client_metadata',
      /^client_secret is not/,
    )
    const hashed = await registered(host, web)
    expectRefused(await put(hashed, mac), 'invalid_client_metadata', /cannot become client_secret_jwt/)
    const now = Math.floor(host.now() / 1000)
    const claims = {
      iss: client.client_id,
      sub: client.client_id,
      aud: host.issuer,
      iat: now,
      exp: now + 60,
      jti: 'j',
    }
    const client_assertion = signJwt({ alg: 'HS256' }, claims, client.client_secret)
    const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    const body = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: 'x',
      client_assertion,
      client_assertion_type,
    })
    expect((await send(host, { body })).body.error).toBe('invalid_grant')
  })

  test('who was let in to ask no user keeps that, and gets no more of it by itself', async () => {
    const m2m: ClientMetadata = { grant_types: ['client_credentials'], scope: 'read' }
    const client = await registered(host, m2m, { token: TOKEN })
    expect(await replaced(client, { ...m2m, client_name: 'Robot' })).toMatchObject({ scope: 'read' })
    const wider = [
      { scope: 'read write' },
      { scope: undefined },
      { grant_types: [...(m2m.grant_types ?? []), 'urn:ietf:params:oauth:grant-type:jwt-bearer'] },
    ]
    for (const changes of wider)
      expectRefused(
        await put(client, { ...m2m, ...changes }),
        'invalid_client_metadata',
        /^(scope would give more|grant_types has)/,
      )
    const { body } = await token(client, { grant_type: 'client_credentials' })
    expect(body.scope).toBe('read')
  })

  test('changes at the same moment come one after the other, and none is lost in half', async () => {
    const client = await registered(host, web)
    const names = Array.from({ length: 8 }, (_, index) => `Name ${index}`)
    const answers = await Promise.all(names.map((client_name) => put(client, { ...web, client_name })))
    expect(answers.map(({ status, body }) => [status, body.client_name])).toEqual(
      names.map((name) => [200, name]),
    )
    expect(names).toContain((await manage(client, 'GET')).body.client_name)
  })
})

describe('a client deletes its registration', () => {
  test('DCR-11 and its tokens, codes and grants end with it, and its token too', async () => {
    const client = await registered(host, web)
    const { client_id } = client
    const { body } = await redeem(client, await codeOf(client))
    const code = await codeOf(client)
    const { agent, page } = await toConsent(host, {
      user: 'bob',
      params: { client_id, redirect_uri: CALLBACK },
    })
    expect((await callApi(host, '/api/read', String(body.access_token))).status).toBe(200)

    const answer = await manage(client, 'DELETE')
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 204, text: '' })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(host.events.at(-1)).toEqual({
      name: 'client.changed',
      event: { clientId: client_id, change: 'deleted', by: 'client' },
    })
    for (const method of ['GET', 'DELETE']) expectUnauthorized(await manage(client, method))
    expectUnauthorized(await put(client, web))
    expect((await callApi(host, '/api/read', String(body.access_token))).status).toBe(401)
    for (const form of [
      { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) },
      { grant_type: 'authorization_code', code },
    ])
      expect((await token(client, form)).body.error).toBe('invalid_client')
    expect((await decide(agent, page, 'approve')).status).toBe(400)
    expect(await host.oauth.grants.list({ clientId: client_id })).toEqual([])
    expect(await host.oauth.clients.get(client_id)).toBeUndefined()
  })

  test('once, however often at once', async () => {
    const client = await registered(host, web)
    const answers = await Promise.all(Array.from({ length: 5 }, () => manage(client, 'DELETE')))
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 401, 401, 401, 401])
  })
})

test('no token of a registration is in a table or an event', async () => {
  const client = await registered(host, web)
  await replaced(client, { ...web, client_name: 'Told' })
  const told = dump(database) + JSON.stringify(host.events)
  for (const secret of [client.registration_access_token, client.client_secret])
    expect(told).not.toContain(secret)
})

test('changes of one client are counted for itself: it has to wait after ten, and neither it nor anybody else otherwise', async () => {
  const busy = await startHost({ provider: { registration: { allow: 'open', perMinute: 3 } } })
  try {
    const [client, other] = [await registered(busy, web), await registered(busy, web)]
    const change = (who: Registered, client_name: string) => put(who, { ...web, client_name })
    // All at once, each is tried again after another was faster, and counts once nevertheless.
    const names = Array.from({ length: 10 }, (_, index) => `Name ${index}`)
    const answers = await Promise.all(names.map((name) => change(client, name)))
    expect(answers.map(({ status }) => status)).toEqual(names.map(() => 200))
    const before = (await manage(client, 'GET')).body
    const { status, body, headers } = await change(client, 'One more')
    expect({ status, error: body.error }).toEqual({ status: 429, error: 'temporarily_unavailable' })
    expect(headers.get('retry-after')).toMatch(/^[1-9][0-9]*$/)
    expect((await change(client, String(before.client_name))).status).toBe(200)
    expect((await manage(client, 'GET')).body).toEqual(before)
    expect((await change(other, 'Other')).status).toBe(200)
    await registered(busy, web)
    expect((await register(busy, web)).status).toBe(429)
    expect((await change(other, 'Others')).status).toBe(200)
    expect((await manage(client, 'DELETE')).status).toBe(204)
  } finally {
    await busy.close()
  }
})
