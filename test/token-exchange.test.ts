import Database from 'better-sqlite3'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import type { ClientMetadata, OAuthProviderOptions, TokenExchangeRequest } from '../lib/index.js'
import type { Form } from './support/agent.js'
import { clients } from './support/clients.js'
import {
  aKey,
  anotherKey,
  boundTokens,
  callProven,
  type ProofKey,
  postProven,
  proof,
} from './support/dpop.js'
import {
  basic,
  callApi,
  getCode,
  getTokens,
  postToken,
  refresh,
  type TokenResponse,
  VERIFIER,
} from './support/flow.js'
import { type Host, startHost, type User } from './support/host.js'
import { userinfo } from './support/openid.js'
import { dump, expectRefusal, REMEDY } from './support/token-endpoint.js'
import { revoke } from './support/tokens.js'

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const JWT = 'urn:ietf:params:oauth:token-type:jwt'
const PHOTOS = 'https://elsewhere.example/photos'

function service(client_id: string, more: ClientMetadata = {}): ClientMetadata {
  const grant_types = [GRANT_TYPE, 'client_credentials']
  return { client_id, client_secret: `${client_id}-secret`, grant_types, scope: 'read write', ...more }
}

const services: readonly ClientMetadata[] = [
  service('orders'),
  service('stock'),
  service('brief', { access_token_lifetime: 30 }),
  service('lasting', { access_token_lifetime: 100_000 }),
  service('reads', { scope: 'read' }),
  service('curious', { scope: 'openid email offline_access read' }),
  service('app', {
    grant_types: ['authorization_code', 'refresh_token', GRANT_TYPE],
    redirect_uris: ['https://rp.example/cb'],
  }),
  service('both', {
    grant_types: ['authorization_code', 'client_credentials', GRANT_TYPE],
    redirect_uris: ['https://rp.example/cb'],
  }),
  service('pair', {
    grant_types: ['authorization_code', GRANT_TYPE],
    subject_type: 'pairwise',
    redirect_uris: ['https://pair.example/cb'],
  }),
  service('plain', { grant_types: ['client_credentials'] }),
]

type Policy = NonNullable<OAuthProviderOptions['tokenExchange']>

let policy: Policy
const asked: TokenExchangeRequest[] = []
let host: Host
const database = new Database(':memory:')
beforeAll(async () => {
  host = await startHost({
    provider: (origin) => ({
      store: database,
      clients: [...clients, ...services],
      pairwiseSalt: 'a salt of thirty-two characters!',
      authContext: () => ({ acr: 'urn:example:strong' }),
      resources: {
        [`${origin}/api`]: { scopes: ['read', 'write'] },
        [`${origin}/stock`]: { scopes: ['read'] },
        [PHOTOS]: { scopes: ['read'], accessTokenFormat: 'jwt', accessTokenLifetime: 600 },
      },
      tokenExchange: (request) => {
        asked.push(request)
        return policy(request)
      },
    }),
  })
  const { app, oauth } = host
  app.get('/stock/whom', oauth.requireToken('read'), (req, res) => {
    const { clientId, userId, scopes, actor, resource } = req.auth
    res.json({ clientId, userId, scopes, actor, resource: resource.href })
  })
})
afterAll(async () => {
  await host.close()
  database.close()
})
beforeEach(() => {
  policy = () => true
  asked.length = 0
})

/** What a user has given an app: the token that a service gets with a request. */
const subjectToken = async (params: Form = {}, more: { client?: string; user?: string } = {}) =>
  (await getTokens(host, { ...more, params: { scope: 'read write', ...params } })).access_token

/** A stored client, with what proves it. A secret that is generated costs no slow hash. */
async function created(metadata: ClientMetadata): Promise<{ id: string; headers: Record<string, string> }> {
  const { client_id, client_secret = '' } = await host.oauth.clients.create(metadata)
  return { id: client_id, headers: { authorization: basic(client_id, client_secret) } }
}

/** What a user has given a stored app. */
async function tokenFor({ id, headers }: Awaited<ReturnType<typeof created>>): Promise<string> {
  const { code } = await getCode(host, { client: id, params: { scope: 'read write' } })
  const form = { grant_type: 'authorization_code', code, code_verifier: VERIFIER }
  return (await postToken(host, form, { headers })).body.access_token
}

function subjectForm(token: string, form: Form = {}): Form {
  return { grant_type: GRANT_TYPE, subject_token: token, subject_token_type: ACCESS_TOKEN, ...form }
}

function exchange(token: string, form: Form = {}, client = 'orders'): Promise<TokenResponse> {
  return postToken(host, subjectForm(token, form), { client })
}

async function exchanged(token: string, form: Form = {}, client = 'orders'): Promise<string> {
  const { status, body } = await exchange(token, form, client)
  expect([status, body.error_description]).toEqual([200, undefined])
  return body.access_token
}

async function ownToken(client: string): Promise<string> {
  return (await postToken(host, { grant_type: 'client_credentials' }, { client })).body.access_token
}

const atStock = () => ({ resource: `${host.origin}/stock` })
const whom = (token: string) => callApi(host, '/stock/whom', token)

async function expectRefused(
  answer: Promise<TokenResponse>,
  error: string,
  reason: string,
  description = error === 'invalid_request' ? REMEDY : /./,
): Promise<void> {
  const refused = await answer
  expectRefusal(refused, 400, error)
  expect(refused.body.error_description).toMatch(description)
  expect(host.events.findLast(({ name }) => name === 'token.refused')?.event).toMatchObject({ error, reason })
}

describe('RFC 8693 §2.2.1 a service that got the token of a user', () => {
  test('gets another one for the next service, with the members of the RFC and no others', async () => {
    const answer = await exchange(await subjectToken(), { ...atStock(), scope: 'read' })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.body).toEqual({
      access_token: expect.stringMatching(/^[\w-]{64}$/),
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'read',
    })
    expect((await whom(answer.body.access_token)).body).toEqual({
      clientId: 'orders',
      userId: 'alice',
      scopes: ['read'],
      actor: { sub: 'orders' },
      resource: `${host.origin}/stock`,
    })
    const [grant] = await host.oauth.grants.list({ userId: 'alice', clientId: 'conf' })
    expect(host.events.findLast(({ name }) => name === 'token.issued')?.event).toEqual({
      clientId: 'orders',
      userId: 'alice',
      grantId: grant?.id,
      grantType: GRANT_TYPE,
      scopes: ['read'],
    })
    expect(await host.oauth.grants.list({ clientId: 'orders' })).toEqual([])
    expect(dump(database)).not.toContain(answer.body.access_token)
  })

  test('RFC 9068 gets a JWT where the resource takes one, with act, and the sign-in of the user', async () => {
    const subject = await subjectToken()
    const { status, body } = await exchange(subject, { resource: PHOTOS, requested_token_type: JWT })
    expect([status, body.issued_token_type, body.expires_in]).toEqual([200, JWT, 600])
    const keys = createRemoteJWKSet(new URL(`${host.issuer}/jwks`))
    const { payload } = await jwtVerify(body.access_token, keys, { issuer: host.issuer, typ: 'at+jwt' })
    expect(payload).toEqual({
      iss: host.issuer,
      sub: 'alice',
      aud: PHOTOS,
      client_id: 'orders',
      act: { sub: 'orders' },
      scope: 'read',
      acr: 'urn:example:strong',
      iat: expect.any(Number),
      exp: expect.any(Number),
      jti: expect.any(String),
    })
    const again = await exchange(subject, { resource: PHOTOS })
    expect([again.body.issued_token_type, decodeJwt(again.body.access_token).sub]).toEqual([
      ACCESS_TOKEN,
      'alice',
    ])
    // A JWT of ours is a subject token under either name.
    for (const subject_token_type of [JWT, ACCESS_TOKEN])
      await exchanged(body.access_token, { ...atStock(), subject_token_type }, 'stock')
  })

  test('may name the next service as audience, and several at once', async () => {
    const subject = await subjectToken()
    expect((await whom(await exchanged(subject, { audience: `${host.origin}/stock` }))).status).toBe(200)
    const token = await exchanged(subject, {
      audience: `${host.origin}/stock`,
      resource: `${host.origin}/api`,
    })
    for (const path of ['/stock/whom', '/api/write'])
      expect((await callApi(host, path, token)).status).toBe(200)
  })

  test('without resource and audience gets one for what the subject token was for, and nothing wider', async () => {
    const token = await exchanged(await subjectToken({ resource: `${host.origin}/api` }))
    expect((await callApi(host, '/api/read', token)).status).toBe(200)
    expect((await whom(token)).status).toBe(401)
    expect(asked.at(-1)?.resources).toEqual([`${host.origin}/api`])
  })

  test('gets nothing to renew it with, nor anything about the user', async () => {
    const subject = await subjectToken({ scope: 'openid email offline_access read' })
    const { body } = await exchange(subject, { scope: 'openid email offline_access read' }, 'curious')
    expect([body.scope, 'refresh_token' in body, 'id_token' in body]).toEqual(['read', false, false])
    expect((await userinfo(host, body.access_token)).status).toBe(403)
  })
})

describe('scopes', () => {
  test.each([
    ['those of the subject token', 'read write', undefined, 'orders', 'read write'],
    ['fewer where it asks for fewer', 'read write', 'write', 'orders', 'write'],
    ['never more than those of the subject token', 'read', 'read write', 'orders', 'read'],
    ['never more than its own', 'read write', undefined, 'reads', 'read'],
  ])('are %s', async (_, given, scope, client, granted) => {
    expect((await exchange(await subjectToken({ scope: given }), { scope }, client)).body.scope).toBe(granted)
  })

  test.each([
    ['read', 'write', 'scope_unknown'],
    ['read', 'nope', 'scope_unknown'],
    ['openid email', undefined, 'scope_missing'],
    ['openid read', 'openid', 'scope_needs_user'],
    ['read', 'read "', 'scope_malformed'],
  ])('of a token with %p, %p is invalid_scope', async (given, scope, reason) => {
    await expectRefused(exchange(await subjectToken({ scope: given }), { scope }), 'invalid_scope', reason)
    expect(asked).toEqual([])
  })

  test('the host has since taken from the client of the subject token are gone', async () => {
    const app = await created({ redirect_uris: ['https://rp.example/cb'] })
    const subject = await tokenFor(app)
    await host.oauth.clients.update(app.id, { scope: 'write' })
    expect((await exchange(subject)).body.scope).toBe('write')
  })
})

describe('the policy of the host', () => {
  let subject: string
  beforeAll(async () => {
    subject = await subjectToken()
  })

  test('hears who asks, of whose token, and for what', async () => {
    const narrow = await subjectToken({ resource: `${host.origin}/api` })
    await exchanged(narrow, {
      ...atStock(),
      actor_token: await ownToken('orders'),
      actor_token_type: ACCESS_TOKEN,
    })
    expect(asked).toEqual([
      {
        clientId: 'orders',
        subject: {
          clientId: 'conf',
          userId: 'alice',
          scopes: ['read', 'write'],
          resources: [`${host.origin}/api`],
        },
        actor: { clientId: 'orders', scopes: ['read', 'write'], resources: [host.origin] },
        scopes: ['read'],
        resources: [`${host.origin}/stock`],
      },
    ])
  })

  test('hears who acts already, so that it can forbid chains', async () => {
    const once = await exchanged(subject, {}, 'stock')
    const twice = await exchanged(once, {}, 'orders')
    asked.length = 0
    policy = (request) => request.subject.actor === undefined
    await exchanged(subject, {}, 'stock')
    await expectRefused(exchange(once), 'invalid_request', 'exchange_refused')
    await expectRefused(exchange(twice), 'invalid_request', 'exchange_refused')
    expect(asked.map((request) => request.subject)).toEqual(
      [undefined, { sub: 'stock' }, { sub: 'orders', act: { sub: 'stock' } }].map((actor, at) => ({
        ...{ clientId: ['conf', 'stock', 'orders'][at], userId: 'alice' },
        ...{ scopes: ['read', 'write'], resources: [host.origin] },
        ...(actor && { actor }),
      })),
    )
  })

  test('is not asked before everything else is right', async () => {
    for (const form of [{ resource: 'https://x.example' }, { scope: 'nope' }, { requested_token_type: 'x' }])
      expect((await exchange(subject, form)).status).toBe(400)
    expect(asked).toEqual([])
  })

  test.each<[string, Policy]>([
    ['false', () => false],
    ['a promise of it', async () => false],
    ['no scope', () => ({ scopes: [] })],
    ['scopes that were not asked for', () => ({ scopes: ['admin', 'openid'] })],
  ])('refuses with %s: invalid_request, as RFC 8693 §2.2.2 says', async (_, answer) => {
    policy = answer
    await expectRefused(exchange(subject), 'invalid_request', 'exchange_refused', /not allow/)
  })

  test('may leave less of it, never add', async () => {
    policy = () => ({ scopes: ['read', 'admin', 'openid'] })
    expect((await exchange(subject)).body.scope).toBe('read')
  })

  test('cannot change what it was asked', async () => {
    policy = (request) => {
      ;(request.scopes as string[]).push('admin')
      ;(request.resources as string[]).push(PHOTOS)
      ;(request.subject.scopes as string[]).push('admin')
      return true
    }
    const { body } = await exchange(subject, atStock())
    expect(body.scope).toBe('read')
    expect((await callApi(host, '/api/read', body.access_token)).status).toBe(401)
    policy = ({ subject }) => {
      if (subject.actor) (subject.actor as { sub: string }).sub = 'somebody-else'
      return true
    }
    const again = await exchanged(body.access_token, {}, 'stock')
    expect((await whom(again)).body.actor).toEqual({ sub: 'stock', act: { sub: 'orders' } })
  })

  test.each<[string, Policy]>([
    ['nothing', () => undefined as never],
    ['null', () => null as never],
    ['a text', () => 'yes' as never],
    ['1', () => 1 as never],
    ['an object without scopes', () => ({}) as never],
    ['scopes as a text', () => ({ scopes: 'read' }) as never],
    [
      'an error',
      () => {
        throw new Error('the policy of tokenExchange failed')
      },
    ],
    ['a rejection', () => Promise.reject(new Error('the policy of tokenExchange failed'))],
  ])('that answers %s issues nothing; the host hears of it, the client does not', async (_, answer) => {
    policy = answer
    const issued = () => host.events.filter(({ name }) => name === 'token.issued').length
    const before = issued()
    const refused = await exchange(subject)
    expectRefusal(refused, 500, 'server_error')
    expect(refused.body.error_description).not.toContain('tokenExchange')
    const { event } = host.events.findLast(({ name }) => name === 'server.error') ?? {}
    expect(String(event?.error)).toContain('tokenExchange')
    expect(issued()).toBe(before)
  })
})

describe('RFC 8693 §2.1, §2.2.2 a request that is not valid is invalid_request', () => {
  let subject: string
  beforeAll(async () => {
    subject = await subjectToken()
  })

  const broken: readonly (readonly [string, Form, string])[] = [
    ['no subject_token', { subject_token: undefined }, 'subject_token_missing'],
    [
      'neither it nor its type',
      { subject_token: undefined, subject_token_type: undefined },
      'subject_token_missing',
    ],
    ['no subject_token_type', { subject_token_type: undefined }, 'subject_token_type_missing'],
    ['a type that is none', { subject_token_type: 'access_token' }, 'subject_token_type'],
    ['an opaque token as a JWT', { subject_token_type: JWT }, 'subject_token_type'],
    ...['refresh_token', 'id_token', 'saml1', 'saml2'].map(
      (type) =>
        [
          `the type ${type}`,
          { subject_token_type: `urn:ietf:params:oauth:token-type:${type}` },
          'subject_token_type',
        ] as const,
    ),
    ['an actor_token_type alone', { actor_token_type: ACCESS_TOKEN }, 'actor_token_missing'],
    ['an actor_token without its type', { actor_token: 'x' }, 'actor_token_type_missing'],
    [
      'an actor_token that is none',
      { actor_token: 'x', actor_token_type: ACCESS_TOKEN },
      'actor_token_unknown',
    ],
    [
      'a refresh token asked for',
      { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
      'requested_token_type',
    ],
    [
      'an ID token asked for',
      { requested_token_type: 'urn:ietf:params:oauth:token-type:id_token' },
      'requested_token_type',
    ],
    ['a JWT asked for, where tokens are opaque', { requested_token_type: JWT }, 'requested_token_type'],
  ]

  test.each(broken)('%s', async (_, form, reason) => {
    await expectRefused(exchange(subject, form), 'invalid_request', reason)
  })

  test.each([
    ...['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type'],
    ...['requested_token_type', 'scope', 'grant_type'],
  ])('TOK-05 %s twice', async (name) => {
    const form = subjectForm(subject)
    const twice = { [name]: [String(form[name] ?? 'x'), String(form[name] ?? 'x')] }
    await expectRefused(exchange(subject, twice), 'invalid_request', 'parameter_repeated')
  })

  test.each([{ resource: 'https://x.example' }, { audience: 'stock' }, { audience: 'https://x.example' }])(
    'but a target that nobody serves here (%p) is invalid_target',
    async (form) => expectRefused(exchange(subject, form), 'invalid_target', 'resource_unknown'),
  )

  test('as are targets that take different kinds of tokens', async () =>
    expectRefused(
      exchange(subject, { audience: PHOTOS, ...atStock() }),
      'invalid_target',
      'resources_differ',
    ))

  test('and what was allowed in detail is not passed on', async () =>
    expectRefused(
      exchange(subject, { authorization_details: '[]' }),
      'invalid_authorization_details',
      'details_unavailable',
    ))
})

describe('a subject token that is good no more, or never was', () => {
  const dead = /is not known here, has expired or was revoked/

  test('CODE-08 something else than an access token of ours', async () => {
    const { refresh_token, id_token } = await getTokens(host, { params: { scope: 'openid read' } })
    for (const token of [refresh_token, String(id_token), 'x', 'x'.repeat(64), 'a.b.c', '\0', '❤'])
      await expectRefused(exchange(token), 'invalid_request', 'subject_token_unknown', dead)
    await expectRefused(
      exchange(String(id_token), { subject_token_type: JWT }),
      'invalid_request',
      'subject_token_type',
    )
  })

  test('a JWT that names a real token, signed by nobody', async () => {
    const token = await exchanged(await subjectToken(), { resource: PHOTOS })
    const [header, payload] = token.split('.')
    for (const forged of [`${header}.${payload}.AAAA`, `${header}.${payload}.`])
      await expectRefused(exchange(forged), 'invalid_request', 'subject_token_unknown', dead)
  })

  test('one that was revoked by itself', async () => {
    const token = await subjectToken()
    await revoke(host, token)
    await expectRefused(exchange(token), 'invalid_request', 'subject_token_revoked', dead)
  })

  test('one whose grant was revoked', async () => {
    const token = await subjectToken()
    await host.oauth.grants.revokeUser('alice')
    await expectRefused(exchange(token), 'invalid_request', 'subject_grant_revoked', dead)
  })

  test('one of a client that is disabled', async () => {
    const app = await created({ redirect_uris: ['https://rp.example/cb'] })
    const token = await tokenFor(app)
    await host.oauth.clients.update(app.id, { disabled: true })
    await expectRefused(exchange(token), 'invalid_request', 'subject_client_unknown', dead)
  })

  test('UI-17 one of a user who is gone, whose grants end then', async () => {
    host.users.set('carol', { id: 'carol', name: 'Carol', email: 'carol@host.example' })
    const token = await subjectToken({}, { user: 'carol' })
    host.users.delete('carol')
    await expectRefused(exchange(token), 'invalid_request', 'subject_user_gone')
    expect(await host.oauth.grants.list({ userId: 'carol' })).toEqual([])
    expect((await callApi(host, '/api/read', token)).status).toBe(401)
  })

  test('one of a client that speaks for itself: it is about nobody', async () =>
    expectRefused(exchange(await ownToken('stock')), 'invalid_request', 'subject_without_user'))

  test('one that has expired', async () => {
    const own = await subjectToken()
    host.advance(3600)
    await expectRefused(exchange(own), 'invalid_request', 'subject_token_expired', dead)
  })
})

describe('RFC 8693 §4.1 who acts', () => {
  const actorForm = async (client: string) => ({
    actor_token: await ownToken(client),
    actor_token_type: ACCESS_TOKEN,
  })

  test('is the client that asks, and within, whoever acted before', async () => {
    const first = await exchanged(await subjectToken(), atStock(), 'orders')
    const second = await exchanged(first, atStock(), 'stock')
    expect((await whom(second)).body).toMatchObject({
      userId: 'alice',
      clientId: 'stock',
      actor: { sub: 'stock', act: { sub: 'orders' } },
    })
    const jwt = decodeJwt(await exchanged(second, { resource: PHOTOS }, 'orders'))
    expect(jwt).toMatchObject({
      sub: 'alice',
      client_id: 'orders',
      act: { sub: 'orders', act: { sub: 'stock', act: { sub: 'orders' } } },
    })
  })

  test('is the same where it brings a token of its own', async () => {
    const token = await exchanged(await subjectToken(), { ...atStock(), ...(await actorForm('orders')) })
    expect((await whom(token)).body.actor).toEqual({ sub: 'orders' })
  })

  test('is a user who has signed in to that client, told from a client of the same name', async () => {
    host.users.set('orders', { id: 'orders', name: 'Otto', email: 'otto@host.example' })
    const actor_token = await subjectToken({}, { client: 'app', user: 'orders' })
    const form = { ...atStock(), actor_token, actor_token_type: ACCESS_TOKEN }
    const token = await exchanged(await subjectToken(), form, 'app')
    expect((await whom(token)).body.actor).toEqual({ sub: 'orders', client_id: 'app' })
    expect(asked.at(-1)?.actor).toMatchObject({ clientId: 'app', userId: 'orders' })
  })

  test('is nobody where a client exchanges its own token for one that can less', async () => {
    const own = await subjectToken({}, { client: 'app' })
    const token = await exchanged(own, { ...atStock(), scope: 'read' }, 'app')
    expect((await whom(token)).body).toMatchObject({ clientId: 'app', userId: 'alice', scopes: ['read'] })
    expect((await whom(token)).body.actor).toBeUndefined()
  })

  test('UI-17 is no user who is gone', async () => {
    host.users.set('dora', { id: 'dora', name: 'Dora', email: 'dora@host.example' })
    const actor_token = await subjectToken({}, { client: 'app', user: 'dora' })
    const subject = await subjectToken()
    host.users.delete('dora')
    const form = { actor_token, actor_token_type: ACCESS_TOKEN }
    await expectRefused(exchange(subject, form, 'app'), 'invalid_request', 'actor_user_gone', /actor_token/)
    expect(await host.oauth.grants.list({ userId: 'dora' })).toEqual([])
  })

  test('cannot be somebody else, by whatever token', async () => {
    const subject = await subjectToken()
    await expectRefused(
      exchange(subject, await actorForm('stock')),
      'invalid_request',
      'actor_of_other_client',
    )
    const form = { actor_token: subject, actor_token_type: ACCESS_TOKEN }
    await expectRefused(exchange(subject, form), 'invalid_request', 'actor_of_other_client')
    const delegated = { ...form, actor_token: await exchanged(subject) }
    await expectRefused(exchange(subject, delegated), 'invalid_request', 'actor_delegated')
    const revoked = await actorForm('orders')
    await revoke(host, revoked.actor_token, { client: 'orders' })
    await expectRefused(exchange(subject, revoked), 'invalid_request', 'actor_token_revoked')
    expect(asked).toHaveLength(1)
  })

  test('cannot go on for ever', async () => {
    let token = await subjectToken()
    for (let times = 0; times < 10; times++)
      token = await exchanged(token, {}, times % 2 === 0 ? 'orders' : 'stock')
    await expectRefused(exchange(token, {}, 'orders'), 'invalid_request', 'too_many_actors')
  })

  test('OIDC-23 to a pairwise client the user is somebody by whom nobody else knows them', async () => {
    const subject = await subjectToken()
    const { sub } = decodeJwt(await exchanged(subject, { resource: PHOTOS }, 'pair'))
    expect(sub).toMatch(/^[\w-]{43}$/)
    expect(asked.at(-1)?.subject.userId).toBe('alice')
    const redirect_uri = 'https://pair.example/cb'
    const actor_token = await subjectToken({ redirect_uri }, { client: 'pair', user: 'bob' })
    const form = { resource: PHOTOS, actor_token, actor_token_type: ACCESS_TOKEN }
    const { act } = decodeJwt(await exchanged(subject, form, 'pair'))
    expect(act).toEqual({ sub: expect.stringMatching(/^[\w-]{43}$/), client_id: 'pair' })
    expect(act).not.toMatchObject({ sub })
  })
})

describe('it ends with the subject token', () => {
  test('and lives no longer, whatever the lifetimes say', async () => {
    const subject = await subjectToken()
    expect((await exchange(subject, {}, 'brief')).body.expires_in).toBe(30)
    host.advance(3000)
    const { body } = await exchange(subject, {}, 'lasting')
    expect(body.expires_in).toBe(600)
    host.advance(599)
    expect((await callApi(host, '/api/read', body.access_token)).status).toBe(200)
    host.advance(1)
    expect((await callApi(host, '/api/read', body.access_token)).status).toBe(401)
  })

  test.each<[string, (tokens: TokenResponse['body']) => Promise<unknown>]>([
    ['the user withdraws the grant', () => host.oauth.grants.revokeUser('alice')],
    ['its refresh token is revoked', ({ refresh_token }) => revoke(host, refresh_token)],
    [
      'its refresh token is used twice',
      async ({ refresh_token }) => {
        await refresh(host, refresh_token)
        host.advance(11)
        await refresh(host, refresh_token)
      },
    ],
  ])('when %s, as do those that were made of it', async (_, end) => {
    const tokens = await getTokens(host, { params: { scope: 'read' } })
    const first = await exchanged(tokens.access_token, atStock())
    const second = await exchanged(first, atStock(), 'stock')
    for (const token of [first, second]) expect((await whom(token)).status).toBe(200)
    await end(tokens)
    for (const token of [first, second]) expect((await whom(token)).status).toBe(401)
  })

  test.each([
    ['disabled', (id: string) => host.oauth.clients.update(id, { disabled: true })],
    ['deleted', (id: string) => host.oauth.clients.delete(id)],
  ])('and with the client that has it, when that is %s', async (_, end) => {
    const { id, headers } = await created({ grant_types: [GRANT_TYPE] })
    const { body } = await postToken(host, subjectForm(await subjectToken(), atStock()), { headers })
    expect((await whom(body.access_token)).status).toBe(200)
    await end(id)
    expect((await whom(body.access_token)).status).toBe(401)
  })

  test('and not to come back with another client of the same id, neither at an API nor for another exchange', async () => {
    const renewed = () => created({ client_id: 'phoenix', grant_types: [GRANT_TYPE] })
    const { headers } = await renewed()
    const { body } = await postToken(host, subjectForm(await subjectToken(), atStock()), { headers })
    expect((await whom(body.access_token)).status).toBe(200)
    await host.oauth.clients.delete('phoenix')
    host.advance(1)
    await renewed()
    expect((await whom(body.access_token)).status).toBe(401)
    await expectRefused(
      exchange(body.access_token, atStock()),
      'invalid_request',
      'subject_client_unknown',
      /is not known here/,
    )
  })

  test('the exchange uses nothing up, and the client of the subject token can still renew it', async () => {
    const tokens = await getTokens(host)
    await exchanged(tokens.access_token)
    await exchanged(tokens.access_token)
    expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(200)
    expect((await refresh(host, tokens.refresh_token)).status).toBe(200)
  })
})

test('with an actor_token it lives no longer than that either', async () => {
  const actor_token = await subjectToken({}, { client: 'app', user: 'bob' })
  host.advance(3000)
  const form = { actor_token, actor_token_type: ACCESS_TOKEN }
  const { body } = await exchange(await subjectToken(), form, 'app')
  expect(body.expires_in).toBe(600)
})

describe('RFC 8707 §2.2 a client that exchanges its own token', () => {
  const actors: readonly (readonly [string, () => Promise<Form>])[] = [
    ['acting as nobody', async () => ({})],
    ['with a token of its own as actor_token', async () => ({ actor_token: await ownToken('both') })],
    [
      'with that of a user as actor_token',
      async () => ({ actor_token: await subjectToken({}, { client: 'both', user: 'bob' }) }),
    ],
  ]

  test.each(actors)('cannot leave the resources that its user has seen, %s', async (_, actor) => {
    const own = await subjectToken({ resource: `${host.origin}/api` }, { client: 'both' })
    const { actor_token } = await actor()
    const form = actor_token === undefined ? {} : { actor_token, actor_token_type: ACCESS_TOKEN }
    for (const target of [{ resource: PHOTOS }, { audience: PHOTOS }, atStock()])
      await expectRefused(
        exchange(own, { ...form, ...target }, 'both'),
        'invalid_target',
        'resource_not_granted',
      )
    expect(asked).toEqual([])
    expect((await exchange(own, { ...form, resource: `${host.origin}/api` }, 'both')).status).toBe(200)
    expect((await exchange(own, form, 'both')).status).toBe(200)
  })

  test('cannot by way of one that it has exchanged either', async () => {
    const token = await exchanged(await subjectToken(), atStock())
    await expectRefused(exchange(token, { resource: PHOTOS }), 'invalid_target', 'resource_not_granted')
  })
})

describe('RFC 9449 a subject token that is bound to a key', () => {
  const withProof = (token: string, key: ProofKey, client = 'orders') =>
    postProven(host, subjectForm(token) as Record<string, string>, { client, key })

  test('is exchanged for who proves to hold it, and the new one is bound too', async () => {
    const { access_token } = await boundTokens(host, { key: aKey })
    const { status, body } = await withProof(access_token, aKey)
    expect([status, body.token_type]).toEqual([200, 'DPoP'])
    expect((await callProven(host, '/api/read', body.access_token, { key: aKey })).status).toBe(200)
    expect((await callApi(host, '/api/read', body.access_token)).status).toBe(401)
  })

  test('is of no use to whoever has stolen it', async () => {
    const { access_token } = await boundTokens(host, { key: aKey })
    await expectRefused(exchange(access_token), 'invalid_request', 'subject_token_bound')
    await expectRefused(withProof(access_token, anotherKey), 'invalid_request', 'subject_token_bound')
  })

  test('as an actor_token neither', async () => {
    const { body } = await postProven(host, { grant_type: 'client_credentials' }, { client: 'orders' })
    const form = { actor_token: body.access_token, actor_token_type: ACCESS_TOKEN }
    const subject = await subjectToken()
    await expectRefused(exchange(subject, form), 'invalid_request', 'actor_token_bound')
    const headers = { dpop: proof(host) }
    const proven = await postToken(host, subjectForm(subject, form), { client: 'orders', headers })
    expect(proven.body.token_type).toBe('DPoP')
  })
})

describe('who may ask', () => {
  test.each(['plain', 'conf', 'pub'])('TOK-04 %s is not registered for it', async (client) =>
    expectRefused(
      exchange(await subjectToken(), {}, client),
      'unauthorized_client',
      'grant_type_not_registered',
    ),
  )

  test('without the option tokenExchange nobody, and the metadata does not name it', async () => {
    const own = await startHost({ provider: { clients: [...clients, ...services.slice(0, 5)] } })
    const answer = await postToken(own, subjectForm('x'), { client: 'orders' })
    expectRefusal(answer, 400, 'unsupported_grant_type')
    const supported = async (issuer: string) => {
      const response = await fetch(`${issuer}/.well-known/openid-configuration`)
      return ((await response.json()) as { grant_types_supported: string[] }).grant_types_supported
    }
    expect(await supported(own.issuer)).not.toContain(GRANT_TYPE)
    expect(await supported(host.issuer)).toContain(GRANT_TYPE)
    await own.close()
  })

  test('an option that is no function is refused', async () => {
    const provider = { tokenExchange: true } as unknown as Partial<OAuthProviderOptions<User>>
    await expect(startHost({ provider })).rejects.toMatchObject({ option: 'tokenExchange' })
  })
})
