import { generateKeyPairSync, type JsonWebKey, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Database from 'better-sqlite3'
import { decodeJwt } from 'jose'
import type { ClientMetadata, OAuthProviderOptions } from '../lib/index.js'
import { openStore } from '../lib/store/open.js'
import type { Form } from './support/agent.js'
import { type Signer, signJwt } from './support/assertions.js'
import { clients, pkjKey } from './support/clients.js'
import { callProven, postProven } from './support/dpop.js'
import { faultyStore, OPERATIONS } from './support/faults.js'
import {
  authorizeUrl,
  basic,
  callApi,
  getTokens,
  postToken,
  signedIn,
  type TokenResponse,
} from './support/flow.js'
import { type Host, startHost, type User } from './support/host.js'
import { stage, userinfo } from './support/openid.js'
import { signingKeys } from './support/signing-keys.js'
import { dump, expectRefusal, expectTokens } from './support/token-endpoint.js'

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const ISSUER = 'https://staff.example'
const PHOTOS = 'https://elsewhere.example/photos'

function pair(kid: string): { key: JsonWebKey; jwk: Record<string, unknown> } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { key: privateKey.export({ format: 'jwk' }), jwk: { ...publicKey.export({ format: 'jwk' }), kid } }
}

const [staff, partner, stranger] = [pair('staff-1'), pair('partner-1'), pair('staff-1')]
const { d: _secret, ...pkjPublicKey } = pkjKey

function worker(client_id: string, more: ClientMetadata = {}): ClientMetadata {
  return {
    client_id,
    client_secret: `${client_id}-secret`,
    grant_types: [GRANT_TYPE],
    scope: 'read write',
    ...more,
  }
}

const workers: readonly ClientMetadata[] = [
  worker('work'),
  worker('work2'),
  worker('identity', { scope: 'openid email read' }),
  { client_id: 'scopeless', client_secret: 'scopeless-secret', grant_types: [GRANT_TYPE] },
  worker('renewer', { grant_types: [GRANT_TYPE, 'refresh_token'] }),
  worker('both', {
    grant_types: ['authorization_code', GRANT_TYPE],
    redirect_uris: ['https://rp.example/cb'],
  }),
  {
    ...{ client_id: 'signer', token_endpoint_auth_method: 'private_key_jwt', scope: 'read' },
    ...{ grant_types: [GRANT_TYPE], jwks: { keys: [pkjPublicKey] } },
  },
]

type Claims = Readonly<Record<string, unknown>>
type Issuers = NonNullable<OAuthProviderOptions['trustedIssuers']>

let userOf: Issuers[string]['user']
const asked: { claims: Claims; clientId: string }[] = []
let host: Host
const database = new Database(':memory:')

/** The key server of an issuer; what it answers is in `published`. */
let published: { keys: readonly object[] } | undefined = { keys: [partner.jwk] }
const keyServer = createServer((_req, res) => {
  if (published === undefined) res.writeHead(500).end()
  else res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(published))
})

beforeAll(async () => {
  keyServer.listen(0, '127.0.0.1')
  await once(keyServer, 'listening')
  host = await startHost({
    provider: (origin) => ({
      store: database,
      clients: [...clients, ...workers],
      allowPrivateAddresses: true,
      resources: {
        [`${origin}/api`]: {},
        [PHOTOS]: { scopes: ['read'], accessTokenFormat: 'jwt' },
      },
      trustedIssuers: {
        [ISSUER]: {
          jwks: { keys: [staff.jwk] },
          user(claims, { clientId }) {
            asked.push({ claims, clientId })
            return userOf(claims, { clientId })
          },
        },
        partner: {
          jwksUri: `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}/jwks`,
          scopes: ['read'],
          user: ({ sub }) => String(sub),
        },
      },
    }),
  })
  const { app, oauth } = host
  app.get('/api/whom', oauth.requireToken('read', { user: true }), async (req, res) => {
    const { clientId, userId, scopes } = req.auth
    res.json({ clientId, userId, scopes, user: await req.auth.user() })
  })
})
afterAll(async () => {
  keyServer.close()
  await host.close()
  database.close()
})
beforeEach(() => {
  userOf = ({ sub }) => String(sub)
  asked.length = 0
})

interface AssertionOptions {
  readonly header?: Claims
  readonly claims?: Claims
  readonly signer?: Signer
}

/** An assertion that is right in every respect, but for what the options change. */
function assertion({
  header = {},
  claims = {},
  signer = staff.key as Signer,
}: AssertionOptions = {}): string {
  const now = Math.floor(host.now() / 1000)
  const standing = {
    iss: ISSUER,
    sub: 'alice',
    aud: host.issuer,
    iat: now,
    exp: now + 300,
    jti: randomUUID(),
  }
  return signJwt(
    { alg: typeof signer === 'string' ? 'HS256' : 'ES256', ...header } as { alg: string },
    { ...standing, ...claims },
    signer,
  )
}

function present(compact: string, form: Form = {}, client = 'work'): Promise<TokenResponse> {
  return postToken(host, { grant_type: GRANT_TYPE, assertion: compact, ...form }, { client })
}

const bring = (options: AssertionOptions = {}, form: Form = {}, client = 'work') =>
  present(assertion(options), form, client)

async function tokenOf(options: AssertionOptions = {}, form: Form = {}, client = 'work'): Promise<string> {
  const answer = await bring(options, form, client)
  expectTokens(answer)
  return answer.body.access_token
}

async function expectRefused(
  answer: Promise<TokenResponse>,
  error: string,
  reason: string,
  description: RegExp = /./,
): Promise<void> {
  const refused = await answer
  expectRefusal(refused, error === 'temporarily_unavailable' ? 503 : 400, error)
  expect(refused.body.error_description).toMatch(description)
  expect(host.events.findLast(({ name }) => name === 'token.refused')?.event).toMatchObject({ error, reason })
}

describe('RFC 7523 §2.1 an assertion of an issuer that the host trusts', () => {
  test('is a token for its user, with the members of RFC 6749 §5.1 and no others', async () => {
    const compact = assertion()
    const answer = await present(compact, { scope: 'read' })
    expectTokens(answer)
    expect(answer.body).toEqual({
      access_token: expect.stringMatching(/^[\w-]{64}$/),
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'read',
    })
    expect((await callApi(host, '/api/whom', answer.body.access_token)).body).toEqual({
      clientId: 'work',
      userId: 'alice',
      scopes: ['read'],
      user: { id: 'alice', name: 'Alice', email: 'alice@host.example' },
    })
    const [grant] = await host.oauth.grants.list({ clientId: 'work' })
    expect(host.events.findLast(({ name }) => name === 'token.issued')?.event).toEqual({
      clientId: 'work',
      userId: 'alice',
      grantId: grant?.id,
      grantType: GRANT_TYPE,
      scopes: ['read'],
    })
    for (const secret of [compact, answer.body.access_token]) expect(dump(database)).not.toContain(secret)
  })

  test('tells the host all its claims, and who brought it', async () => {
    await tokenOf({ claims: { email: 'alice@staff.example', client_id: 'theirs' } }, {}, 'work2')
    expect(asked).toEqual([
      {
        clientId: 'work2',
        claims: expect.objectContaining({
          iss: ISSUER,
          sub: 'alice',
          email: 'alice@staff.example',
          client_id: 'theirs',
        }),
      },
    ])
  })

  test('may be about a user whom the host knows by another id, also by a number', async () => {
    userOf = async () => 'bob'
    expect((await callApi(host, '/api/whom', await tokenOf())).body.userId).toBe('bob')
    host.users.set('4711', { id: '4711', name: 'Number', email: 'n@host.example' })
    userOf = () => 4711
    expect((await callApi(host, '/api/whom', await tokenOf())).body.userId).toBe('4711')
  })

  test('brings neither a refresh token nor an ID token, nor scopes about the user', async () => {
    for (const client of ['identity', 'renewer']) {
      const { status, body } = await bring({}, { scope: 'openid email read' }, client)
      expect([status, body.scope, 'refresh_token' in body, 'id_token' in body]).toEqual([
        ...[200, 'read'],
        ...[false, false],
      ])
      expect((await userinfo(host, body.access_token)).status).toBe(403)
    }
  })

  test.each([
    ['the token endpoint', () => `${host.issuer}/token`],
    ['a list of it alone', () => [host.issuer]],
    ['a list of both', () => [host.issuer, `${host.issuer}/token`]],
  ])('may name %s as its audience', async (_, aud) => {
    await tokenOf({ claims: { aud: aud() } })
  })

  test.each([
    ['typ JWT', { typ: 'JWT' }],
    ['typ authorization-grant+jwt', { typ: 'authorization-grant+jwt' }],
    ['the kid of the key', { kid: 'staff-1' }],
  ])('may have %s', async (_, header) => {
    await tokenOf({ header })
  })

  test('may begin and end within what clocks differ by', async () => {
    const now = host.now() / 1000
    for (const claims of [
      { exp: now - 9 },
      { nbf: now + 9, iat: now + 9 },
      { exp: now + 3600 },
      { exp: now + 0.5 },
    ])
      await tokenOf({ claims })
  })

  test('RFC 9068 §2.2 is a JWT about that user where the resource takes one', async () => {
    const token = await tokenOf({}, { resource: PHOTOS })
    expect(decodeJwt(token)).toMatchObject({ sub: 'alice', client_id: 'work', aud: PHOTOS, scope: 'read' })
    expect(decodeJwt(token)).not.toHaveProperty('auth_time')
  })

  test('DPOP-01 is bound to the key of a proof', async () => {
    const form = { grant_type: GRANT_TYPE, assertion: assertion() }
    const { body } = await postProven(host, form, { client: 'work' })
    expect(body.token_type).toBe('DPoP')
    expect((await callProven(host, '/api/whom', body.access_token)).status).toBe(200)
    expect((await callApi(host, '/api/whom', body.access_token)).status).toBe(401)
  })
})

describe('RFC 7523 §3.1 anything else is invalid_grant, and says why', () => {
  const now = () => host.now() / 1000
  const wrong: readonly (readonly [string, () => AssertionOptions, string])[] = [
    ['an issuer that is not trusted', () => ({ claims: { iss: 'https://evil.example' } }), 'issuer'],
    ['its issuer in another spelling', () => ({ claims: { iss: `${ISSUER}/` } }), 'issuer'],
    ['no issuer', () => ({ claims: { iss: undefined } }), 'issuer'],
    ['a list of issuers', () => ({ claims: { iss: [ISSUER] } }), 'issuer'],
    ['__proto__ as issuer', () => ({ claims: { iss: '__proto__' } }), 'issuer'],
    ['this server as issuer', () => ({ claims: { iss: host.issuer } }), 'issuer'],
    ['a client as issuer', () => ({ claims: { iss: 'work', sub: 'work' } }), 'issuer'],
    ['no audience', () => ({ claims: { aud: undefined } }), 'audience'],
    ['another audience', () => ({ claims: { aud: 'https://other.example' } }), 'audience'],
    ['one more audience', () => ({ claims: { aud: [host.issuer, 'https://other.example'] } }), 'audience'],
    ['another endpoint', () => ({ claims: { aud: `${host.issuer}/userinfo` } }), 'audience'],
    ['the host', () => ({ claims: { aud: host.origin } }), 'audience'],
    ['an empty audience', () => ({ claims: { aud: [] } }), 'audience'],
    ['no sub', () => ({ claims: { sub: undefined } }), 'subject'],
    ['an empty sub', () => ({ claims: { sub: '' } }), 'subject'],
    ['a number as sub', () => ({ claims: { sub: 5 } }), 'subject'],
    ['no exp', () => ({ claims: { exp: undefined } }), 'exp_missing'],
    ['a text as exp', () => ({ claims: { exp: '9999999999' } }), 'exp_missing'],
    ['exp past', () => ({ claims: { exp: now() - 11 } }), 'expired'],
    ['exp in a day', () => ({ claims: { exp: now() + 86_400 } }), 'lifetime'],
    ['exp in a thousand years', () => ({ claims: { exp: 32_503_680_000 } }), 'lifetime'],
    ['nbf to come', () => ({ claims: { nbf: now() + 60 } }), 'not_yet_valid'],
    ['iat to come', () => ({ claims: { iat: now() + 60 } }), 'not_yet_valid'],
    ['nbf as a text', () => ({ claims: { nbf: 'now' } }), 'not_yet_valid'],
    ['no jti', () => ({ claims: { jti: undefined } }), 'jti'],
    ['a number as jti', () => ({ claims: { jti: 1 } }), 'jti'],
    ['a jti of 256 characters', () => ({ claims: { jti: 'x'.repeat(256) } }), 'jti'],
    ...[
      'at+jwt',
      'logout+jwt',
      'dpop+jwt',
      'client-authentication+jwt',
      'oauth-authz-req+jwt',
      'secevent+jwt',
    ].map((typ) => [`typ ${typ}`, () => ({ header: { typ } }), 'typ'] as const),
    ['typ null', () => ({ header: { typ: null } }), 'typ'],
    ['crit', () => ({ header: { crit: ['b64'], b64: false } }), 'header'],
    ['zip', () => ({ header: { zip: 'DEF' } }), 'header'],
    ['alg none', () => ({ header: { alg: 'none' } }), 'algorithm'],
    ['alg HS256', () => ({ signer: JSON.stringify(staff.jwk) }), 'algorithm'],
    ['an alg that there is not', () => ({ header: { alg: 'RS1' } }), 'algorithm'],
    [
      'an alg for which it has no key',
      () => ({ signer: signingKeys[0] as unknown as Signer, header: { alg: 'RS256' } }),
      'no_key',
    ],
    ['a kid that it has not', () => ({ header: { kid: 'other' } }), 'no_key'],
    ['the key of somebody else', () => ({ signer: stranger.key as Signer }), 'signature'],
    ['the same kid', () => ({ signer: stranger.key as Signer, header: { kid: 'staff-1' } }), 'signature'],
    [
      'its own key in the header',
      () => ({ signer: stranger.key as Signer, header: { jwk: stranger.jwk } }),
      'signature',
    ],
    ['the key of another trusted issuer', () => ({ signer: partner.key as Signer }), 'signature'],
    ['the key of a client', () => ({ signer: pkjKey }), 'signature'],
  ]

  test.each(wrong)('%s', (_, options, reason) =>
    expectRefused(bring(options()), 'invalid_grant', `assertion_${reason}`),
  )

  test.each(['x', 'a.b.c', 'a.b', 'a.b.c.d', '\0', '❤', `${'x'.repeat(17_000)}.x.x`])(
    'what is no JWT',
    (compact) => expectRefused(present(compact), 'invalid_grant', 'assertion_malformed'),
  )

  test('one that was changed after it was signed', async () => {
    const [header, , signature] = assertion().split('.')
    const claims = { iss: ISSUER, sub: 'bob', aud: host.issuer, exp: now() + 60, jti: 'x' }
    const payload = Buffer.from(JSON.stringify(claims)).toString('base64url')
    await expectRefused(present(`${header}.${payload}.${signature}`), 'invalid_grant', 'assertion_signature')
    await expectRefused(present(`${header}.${payload}.`), 'invalid_grant', 'assertion_malformed')
  })

  test('CODE-08 an ID token and an access token of ours', async () => {
    const { id_token, access_token } = await getTokens(host, { params: { scope: 'openid read' } })
    await expectRefused(present(String(id_token)), 'invalid_grant', 'assertion_issuer')
    await expectRefused(present(access_token), 'invalid_grant', 'assertion_malformed')
  })

  test('but none at all, and two, are invalid_request', async () => {
    await expectRefused(present(''), 'invalid_request', 'assertion_missing')
    const twice = { assertion: [assertion(), assertion()] }
    await expectRefused(present('', twice), 'invalid_request', 'parameter_repeated')
  })

  test('no refusal says anything of what was sent', () => {
    const told = JSON.stringify(host.events.filter(({ name }) => name === 'token.refused'))
    expect(told).not.toMatch(/evil|eyJ|alice/)
  })
})

describe('RFC 7523 §3 it is used once', () => {
  test('and not again, neither by the same client nor by another, nor at once by many', async () => {
    const compact = assertion()
    expectTokens(await present(compact))
    for (const client of ['work', 'work2'])
      await expectRefused(
        present(compact, {}, client),
        'invalid_grant',
        'assertion_replayed',
        /a jti of its own/,
      )
    const other = assertion()
    const answers = await Promise.all(Array.from({ length: 10 }, () => present(other)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ body }) => body.error === 'invalid_grant')).toHaveLength(9)
  })

  test('not even under another signature of the same issuer', async () => {
    const claims = { jti: 'chosen', exp: Math.floor(host.now() / 1000) + 100 }
    await tokenOf({ claims })
    await expectRefused(bring({ claims }), 'invalid_grant', 'assertion_replayed')
  })

  test('and a replay brings back no grant that was withdrawn', async () => {
    const compact = assertion()
    expectTokens(await present(compact))
    await host.oauth.grants.revokeUser('alice')
    await expectRefused(present(compact), 'invalid_grant', 'assertion_replayed')
    expect(await host.oauth.grants.list({ userId: 'alice' })).toEqual([])
  })

  test('STOR-02 and not lost where the store fails before its token is kept', async () => {
    const store = faultyStore(openStore(':memory:', Date.now), OPERATIONS)
    const trustedIssuers = { [ISSUER]: { jwks: { keys: [staff.jwk] }, user: () => 'alice' } }
    const own = await startHost({ provider: { store, clients: workers, trustedIssuers } })
    const form = { grant_type: GRANT_TYPE, assertion: assertion({ claims: { aud: own.issuer } }) }
    const ask = () => postToken(own, form, { client: 'work' })
    for (const operation of ['find', 'saveGrant', 'insert'] as const) {
      store.fail(operation, 'rejects')
      expectRefusal(await ask(), 503, 'temporarily_unavailable')
      store.heal()
    }
    expectTokens(await ask())
    expectRefusal(await ask(), 400, 'invalid_grant')
    await own.close()
  })

  test('but a refusal uses nothing up', async () => {
    const compact = assertion()
    for (const form of [
      { scope: 'nope' },
      { resource: 'https://x.example' },
      { authorization_details: '[]' },
    ])
      expect((await present(compact, form)).status).toBe(400)
    userOf = () => undefined
    await expectRefused(present(compact), 'invalid_grant', 'assertion_user_unknown')
    userOf = ({ sub }) => String(sub)
    expectTokens(await present(compact))
  })

  test('what an issuer calls an assertion uses up none of another issuer, and none of a client', async () => {
    const jti = 'everybody-has-this'
    const exp = Math.floor(host.now() / 1000) + 100
    const clientAssertion = signJwt(
      { alg: 'ES256' },
      { iss: 'signer', sub: 'signer', aud: host.issuer, exp, jti },
      pkjKey,
    )
    const form = {
      grant_type: GRANT_TYPE,
      assertion: assertion({ claims: { iss: 'partner', jti, exp }, signer: partner.key as Signer }),
      client_assertion: clientAssertion,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    }
    const response = await fetch(`${host.issuer}/token`, { method: 'POST', body: new URLSearchParams(form) })
    expect(response.status).toBe(200)
    await tokenOf({ claims: { jti, exp } })
  })
})

describe('the user', () => {
  test('has their own id in the token and the grant, however their issuer spells them', async () => {
    host.users.set('ALICE@staff', { id: 'alice', name: 'Alice', email: 'alice@host.example' })
    const token = await tokenOf({ claims: { sub: 'ALICE@staff' } })
    expect((await callApi(host, '/api/whom', token)).body.userId).toBe('alice')
    await host.oauth.grants.revokeUser('alice')
    expect((await callApi(host, '/api/whom', token)).status).toBe(401)
    host.users.delete('ALICE@staff')
  })

  test.each<[string, unknown, unknown]>([
    ['a number', 7, { id: 7 }],
    ['nothing', undefined, undefined],
    ['an empty text', '', undefined],
    ['an object', {}, undefined],
    ['what findUser knows nobody by', 7, undefined],
    ['what findUser knows somebody else by', 7, { id: 8 }],
  ])('whose own id is %s', async (_, id, found) => {
    host.users.set('erin', { id, name: 'Erin', email: 'erin@host.example' } as User)
    if (found !== undefined) host.users.set('7', { name: 'Seven', ...found } as User)
    const { userId } = (await callApi(host, '/api/whom', await tokenOf({ claims: { sub: 'erin' } }))).body
    expect(userId).toBe(JSON.stringify(found) === '{"id":7}' ? '7' : 'erin')
    host.users.delete('erin')
    host.users.delete('7')
  })

  test.each<[string, () => unknown]>([
    ['undefined', () => undefined],
    ['null', () => null],
    ['an empty id', () => ''],
    ['an id that findUser does not find', () => 'nobody'],
  ])('that is %s is nobody: invalid_grant', async (_, answer) => {
    userOf = answer as typeof userOf
    await expectRefused(bring(), 'invalid_grant', 'assertion_user_unknown')
    expect(await host.oauth.grants.list({ userId: 'nobody' })).toEqual([])
  })

  test.each<[string, () => unknown]>([
    ['an object', () => ({ id: 'alice' })],
    ['true', () => true],
    [
      'an error',
      () => {
        throw new Error('user of trustedIssuers failed')
      },
    ],
  ])('cannot be %s: that is the host’s mistake, of which the client hears nothing', async (_, answer) => {
    userOf = answer as typeof userOf
    const refused = await bring()
    expectRefusal(refused, 500, 'server_error')
    expect(refused.body.error_description).not.toContain('trustedIssuers')
    expect(String(host.events.findLast(({ name }) => name === 'server.error')?.event.error)).toContain(
      'trustedIssuers',
    )
  })

  test('is asked for only when the assertion is proven, and everything else is right', async () => {
    await bring({ signer: stranger.key as Signer })
    await bring({}, { scope: 'nope' })
    expect(asked).toEqual([])
  })
})

describe('what can be had', () => {
  const ofPartner = (form: Form) => bring({ claims: { iss: 'partner' }, signer: partner.key as Signer }, form)

  test('is what the client has registered, and of that what its issuer may vouch for', async () => {
    expect((await bring()).body.scope).toBe('read write')
    expect((await bring({}, { scope: 'write nope' })).body.scope).toBe('write')
    expect((await ofPartner({})).body.scope).toBe('read')
    expect((await ofPartner({ scope: 'read write' })).body.scope).toBe('read')
    await expectRefused(ofPartner({ scope: 'write' }), 'invalid_scope', 'scope_unknown', /: read\./)
    await expectRefused(bring({}, {}, 'scopeless'), 'invalid_scope', 'scope_not_registered')
    await expectRefused(bring({}, { scope: 'openid' }, 'identity'), 'invalid_scope', 'scope_needs_user')
  })

  test('RSRC-01 is for the resource that it names', async () => {
    const token = await tokenOf({}, { resource: `${host.origin}/api` })
    expect((await callApi(host, '/api/whom', token)).status).toBe(200)
    await expectRefused(bring({}, { resource: 'https://x.example' }), 'invalid_target', 'resource_unknown')
  })

  test('RFC 9396 is not what a user would have to allow in detail', () =>
    expectRefused(
      bring({}, { authorization_details: '[]' }),
      'invalid_authorization_details',
      'details_unavailable',
    ))
})

describe('the grant', () => {
  test('is one for each user and client, stands among the user’s applications, and ends its tokens', async () => {
    const tokens = [await tokenOf({}, {}, 'work2'), await tokenOf({}, {}, 'work2')]
    expect(await host.oauth.grants.list({ clientId: 'work2' })).toEqual([
      expect.objectContaining({ userId: 'alice', clientId: 'work2', access: { '': ['read', 'write'] } }),
    ])
    const agent = await signedIn(host, 'alice')
    const page = await agent.get('/oauth/authorized-applications')
    expect(page.text).toContain('work2')
    for (const scope of ['read', 'write']) expect(page.text).toContain(`name="scope" value="${scope}"`)
    for (const token of tokens) expect((await callApi(host, '/api/whom', token)).status).toBe(200)
    expect(await host.oauth.grants.revokeUser('alice')).toBeGreaterThan(0)
    for (const token of tokens) expect((await callApi(host, '/api/whom', token)).status).toBe(401)
    expect((await callApi(host, '/api/whom', await tokenOf())).status).toBe(200)
  })

  test('UI-11 is no consent of the user: in an authorization request they are asked', async () => {
    await tokenOf({}, {}, 'both')
    const agent = await signedIn(host, 'alice')
    const page = await agent.follow(authorizeUrl(host, { client: 'both' }))
    expect(stage(host, page)).toBe('consent')
  })

  test('ends with the client', async () => {
    const { client_id, client_secret = '' } = await host.oauth.clients.create({
      grant_types: [GRANT_TYPE],
      scope: 'read',
    })
    const headers = { authorization: basic(client_id, client_secret) }
    const form = { grant_type: GRANT_TYPE, assertion: assertion() }
    const { body } = await postToken(host, form, { headers })
    expect((await callApi(host, '/api/whom', body.access_token)).status).toBe(200)
    await host.oauth.clients.delete(client_id)
    expect((await callApi(host, '/api/whom', body.access_token)).status).toBe(401)
  })
})

describe('keys that an issuer publishes', () => {
  const ofPartner = (signer = partner.key) => bring({ claims: { iss: 'partner' }, signer: signer as Signer })

  test('are fetched, and again when another one signs', async () => {
    expectTokens(await ofPartner())
    const next = pair('partner-2')
    await expectRefused(ofPartner(next.key), 'invalid_grant', 'assertion_signature')
    published = { keys: [next.jwk] }
    host.advance(3600)
    expectTokens(await ofPartner(next.key))
    published = { keys: Array.from({ length: 51 }, (_, index) => ({ ...next.jwk, kid: `k${index}` })) }
    host.advance(3600)
    await expectRefused(ofPartner(), 'invalid_grant', 'assertion_too_many_keys')
  })

  test('that cannot be had now say nothing against the assertion', async () => {
    published = undefined
    host.advance(3600)
    const answer = ofPartner()
    await expectRefused(answer, 'temporarily_unavailable', 'jwks_unavailable')
    expect((await answer).headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    const problem = expect.stringMatching(/^The URL answered with status \d+ instead of 200/)
    expect(host.events.at(-1)).toMatchObject({ name: 'token.refused', event: { problem } })
  })
})

describe('who may ask', () => {
  test.each(['conf', 'pub'])('TOK-04 %s is not registered for it', (client) =>
    expectRefused(bring({}, {}, client), 'unauthorized_client', 'grant_type_not_registered'),
  )

  test('an assertion is no proof of who the client is', async () => {
    const body = new URLSearchParams({ grant_type: GRANT_TYPE, assertion: assertion(), scope: 'read' })
    const response = await fetch(`${host.issuer}/token`, { method: 'POST', body })
    expect(response.status).toBe(401)
  })

  test('without the option trustedIssuers nobody, and the metadata does not name it', async () => {
    for (const trustedIssuers of [undefined, {}]) {
      const own = await startHost({
        provider: { clients: workers, ...(trustedIssuers && { trustedIssuers }) },
      })
      const form = { grant_type: GRANT_TYPE, assertion: assertion() }
      expectRefusal(await postToken(own, form, { client: 'work' }), 400, 'unsupported_grant_type')
      const names = async (issuer: string) =>
        (await fetch(`${issuer}/.well-known/openid-configuration`)).text()
      expect(await names(own.issuer)).not.toContain(GRANT_TYPE)
      expect(await names(host.issuer)).toContain(GRANT_TYPE)
      await own.close()
    }
  })
})

describe('the option trustedIssuers', () => {
  const user = () => undefined
  const jwks = { keys: [staff.jwk] }
  const start = (trustedIssuers: unknown, more: Partial<OAuthProviderOptions<User>> = {}) =>
    startHost({ provider: { ...more, trustedIssuers: trustedIssuers as Issuers } })

  test.each<[string, unknown, string, RegExp]>([
    ['no object', 'https://staff.example', 'trustedIssuers', /jwksUri, user/],
    ['a list', [ISSUER], 'trustedIssuers', /jwksUri, user/],
    ['an issuer without a name', { '': { jwks, user } }, 'trustedIssuers', /an empty string/],
    ['an issuer that is no object', { idp: true }, "trustedIssuers['idp']", /Pass an object/],
    ['no keys', { idp: { user } }, "trustedIssuers['idp']", /has no keys/],
    [
      'keys and their URL',
      { idp: { user, jwks, jwksUri: 'https://x/jwks' } },
      "trustedIssuers['idp']",
      /both/,
    ],
    ['no user', { idp: { jwks } }, "trustedIssuers['idp'].user", /is undefined\. Pass user/],
    ['a user that is no function', { idp: { jwks, user: 'sub' } }, "trustedIssuers['idp'].user", /is 'sub'/],
    ['an option misspelt', { idp: { jwks, user, scope: 'read' } }, "trustedIssuers['idp'].scope", /scopes\?/],
    ['a scope misspelt', { idp: { jwks, user, scopes: ['raed'] } }, "trustedIssuers['idp'].scopes", /'read'/],
    ['scopes as a text', { idp: { jwks, user, scopes: 'read' } }, "trustedIssuers['idp'].scopes", /array/],
    ['an empty key set', { idp: { jwks: { keys: [] }, user } }, "trustedIssuers['idp'].jwks", /JWK Set/],
    [
      'a private key',
      { idp: { jwks: { keys: [staff.key] }, user } },
      "trustedIssuers['idp'].jwks",
      /private/,
    ],
    [
      'a shared secret',
      { idp: { jwks: { keys: [{ kty: 'oct', k: 'AA' }] }, user } },
      "trustedIssuers['idp'].jwks",
      /symmetric/,
    ],
    [
      'keys for encryption alone',
      { idp: { jwks: { keys: [{ ...staff.jwk, use: 'enc' }] }, user } },
      "trustedIssuers['idp'].jwks",
      /no key for signatures/,
    ],
    ['http', { idp: { jwksUri: 'http://idp.example/jwks', user } }, "trustedIssuers['idp'].jwksUri", /https/],
    ['no URL', { idp: { jwksUri: 'jwks', user } }, "trustedIssuers['idp'].jwksUri", /https URL/],
    ['a URL that is a number', { idp: { jwksUri: 5, user } }, "trustedIssuers['idp'].jwksUri", /is 5/],
  ])('with %s is refused', async (_, given, option, message) => {
    const started = start(given)
    await expect(started).rejects.toMatchObject({ name: 'ConfigurationError', option })
    await expect(started).rejects.toThrow(message)
  })

  test('cannot name this server itself, whose ID tokens are no grants', async () => {
    const issuer = 'https://photos.example/oauth'
    await expect(start({ [issuer]: { jwks, user } }, { issuer })).rejects.toThrow(
      /trustedIssuers names 'https:\/\/photos\.example\/oauth'/,
    )
  })
})
