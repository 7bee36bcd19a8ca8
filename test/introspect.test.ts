import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import type { ClientMetadata } from '../lib/index.js'
import { signJwt } from './support/assertions.js'
import { clients, pkjKey } from './support/clients.js'
import { deviceClients, startDevice } from './support/devices.js'
import { aKey, boundTokens } from './support/dpop.js'
import {
  authorizeUrl,
  basic,
  CHALLENGE,
  destination,
  getCode,
  getTokens,
  postToken,
  refresh,
  signedIn,
} from './support/flow.js'
import { type Host, startHost, type User } from './support/host.js'
import { forge, OWN_HEADER, userinfo } from './support/openid.js'
import { expectMachineHeaders, expectRefusal, type RawAnswer } from './support/token-endpoint.js'
import { expectDead, introspect, postAs, revoke } from './support/tokens.js'

const SIGNED_IN_AT = Math.floor(Date.now() / 1000) - 60
const FILES = 'https://elsewhere.example/files'
const PUSHED = {
  ...{ response_type: 'code', redirect_uri: 'https://rp.example/cb', scope: 'read' },
  ...{ code_challenge: CHALLENGE, code_challenge_method: 'S256' },
}
const JWT_ANSWER = 'application/token-introspection+jwt'

function resourceServer(client_id: string, more: ClientMetadata = {}): ClientMetadata {
  return { client_id, client_secret: `${client_id}-secret`, grant_types: [], ...more }
}

function startInspectedHost(): Promise<Host> {
  return startHost({
    provider: (origin) => ({
      authTime: () => SIGNED_IN_AT,
      authContext: () => ({ acr: 'urn:example:strong', amr: ['pwd'] }),
      pairwiseSalt: 'a salt that is longer than thirty-two characters',
      resources: {
        [`${origin}/api`]: { scopes: ['read', 'write'] },
        [`${origin}/photos`]: { scopes: ['read'], accessTokenFormat: 'jwt' },
        [FILES]: { scopes: ['write'], accessTokenFormat: 'jwt' },
      },
      clients: [
        ...clients,
        ...deviceClients,
        resourceServer('api', { resources: [`${origin}/api`] }),
        resourceServer('albums', { resources: [`${origin}/api/albums`] }),
        resourceServer('photos', { resources: [`${origin}/photos`] }),
        resourceServer('gateway', { resources: [origin] }),
        resourceServer('idle'),
        resourceServer('files', { resources: [FILES] }),
        resourceServer('signed', { resources: [origin], introspection_signed_response_alg: 'ES256' }),
        {
          client_id: 'pair',
          client_secret: 'pair-secret',
          redirect_uris: ['https://rp.example/cb'],
          subject_type: 'pairwise',
        },
        { client_id: 'm2m', client_secret: 'm2m-secret', grant_types: ['client_credentials'], scope: 'read' },
      ],
    }),
  })
}

let host: Host
beforeAll(async () => {
  host = await startInspectedHost()
})
afterEach(() => {
  expect(host.events.splice(0).filter(({ name }) => name === 'server.error')).toEqual([])
})
afterAll(() => host.close())

const tokensFor = (scope = 'read', ...resource: string[]) => getTokens(host, { params: { scope, resource } })

async function expectActive(answer: Promise<RawAnswer>): Promise<Record<string, unknown>> {
  const { status, headers, body } = await answer
  expect([status, body.active]).toEqual([200, true])
  expectMachineHeaders(headers)
  return body
}

async function expectInactive(answer: Promise<RawAnswer>): Promise<void> {
  const { status, headers, text } = await answer
  expect([status, text]).toEqual([200, '{"active":false}'])
  expectMachineHeaders(headers)
}

async function verified(answer: RawAnswer, audience: string) {
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, JWT_ANSWER])
  expect(answer.headers.get('cache-control')).toBe('no-store')
  const keys = (await (await fetch(`${host.issuer}/jwks`)).json()) as JSONWebKeySet
  const expected = { issuer: host.issuer, audience, typ: 'token-introspection+jwt' }
  return jwtVerify(answer.text, createLocalJWKSet(keys), expected)
}

describe('INTR-01 who does not prove to be a client learns nothing', () => {
  test.each<[string, Parameters<typeof postAs>[2], string]>([
    ['no credentials', { client: 'pub', form: { client_id: undefined } }, 'credentials_missing'],
    ['a public client', { client: 'pub' }, 'client_public'],
    [
      'a public client with the token as Bearer',
      { client: 'pub', headers: { authorization: 'Bearer x' } },
      'client_public',
    ],
    ['a Bearer token', { headers: { authorization: 'Bearer x' } }, 'credentials_missing'],
    ['client_id alone', { client: 'pub', form: { client_id: 'conf' } }, 'credentials_missing'],
    ['a wrong secret', { headers: { authorization: `Basic ${btoa('conf:wrong')}` } }, 'secret_mismatch'],
    ['an unknown client', { client: 'nobody' }, 'client_unknown'],
    ['a disabled client', { client: 'off' }, 'client_unknown'],
  ])('%s', async (_, asking, reason) => {
    const own = await getTokens(host, { client: asking.client === 'pub' ? 'pub' : 'conf' })
    const answers = []
    for (const token of [own.access_token, own.refresh_token, 'x'])
      answers.push(await postAs(host, '/introspect', { ...asking, form: { token, ...asking.form } }))
    for (const answer of answers) expectRefusal(answer, 401, 'invalid_client')
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    const refusals = host.events.filter(({ name }) => name === 'request.refused').map(({ event }) => event)
    expect(refusals).toHaveLength(3)
    for (const event of refusals)
      expect(event).toMatchObject({ endpoint: '/introspect', error: 'invalid_client', reason })
  })
})

describe('INTR-02 an access token, to the client that it was issued to', () => {
  const times = () => ({ iat: Math.floor(host.now() / 1000), exp: Math.floor(host.now() / 1000) + 3600 })
  const standing = () => ({
    ...{ active: true, iss: host.issuer, client_id: 'conf', ...times() },
    ...{ jti: expect.stringMatching(/^[0-9a-f]{32}$/), token_type: 'Bearer' },
    ...{ auth_time: SIGNED_IN_AT, acr: 'urn:example:strong', amr: ['pwd'] },
  })

  test('opaque: all that there is to know, and nothing of the person but the sub', async () => {
    const { access_token } = await tokensFor('read openid email')
    expect(await expectActive(introspect(host, access_token))).toEqual({
      ...standing(),
      ...{ sub: 'alice', aud: host.origin, scope: 'read openid email' },
    })
  })

  test('after a refresh, for several resources: aud is a list', async () => {
    const both = [`${host.origin}/api`, host.origin]
    const { refresh_token } = await tokensFor('read write', ...both)
    host.advance(60)
    const { body } = await refresh(host, refresh_token)
    expect(await expectActive(introspect(host, body.access_token))).toEqual({
      ...standing(),
      ...{ sub: 'alice', aud: both, scope: 'read write' },
    })
  })

  test('a JWT: what the JWT says of itself', async () => {
    const { access_token } = await tokensFor('read', `${host.origin}/photos`)
    const { active, token_type, ...claims } = await expectActive(introspect(host, access_token))
    expect([active, token_type]).toEqual([true, 'Bearer'])
    expect(claims).toEqual(decodeJwt(access_token))
  })

  test('a pairwise client and who serves its tokens see the same sub, which is not the id', async () => {
    const { access_token } = await getTokens(host, { client: 'pair', params: { scope: 'openid read' } })
    const { sub } = await expectActive(introspect(host, access_token, { client: 'pair' }))
    expect(sub).toMatch(/^[\w-]{43}$/)
    expect((await userinfo(host, access_token)).body.sub).toBe(sub)
    expect((await expectActive(introspect(host, access_token, { client: 'api' }))).sub).toBe(sub)
  })

  test('DPOP-01 bound to a key: cnf and token_type say so', async () => {
    const { access_token } = await boundTokens(host)
    for (const client of ['conf', 'api'])
      expect(await expectActive(introspect(host, access_token, { client }))).toMatchObject({
        ...{ token_type: 'DPoP', cnf: { jkt: aKey.jkt } },
      })
  })

  test('CC-04 of a client that speaks for itself: sub is the client', async () => {
    host.users.set('m2m', { id: 'm2m', name: 'Mallory', email: 'm@host.example' })
    const { body } = await postToken(host, { grant_type: 'client_credentials' }, { client: 'm2m' })
    expect(await expectActive(introspect(host, body.access_token, { client: 'm2m' }))).toEqual({
      ...{ active: true, iss: host.issuer, sub: 'm2m', client_id: 'm2m', aud: host.origin, ...times() },
      ...{ jti: expect.any(String), token_type: 'Bearer', scope: 'read' },
    })
    host.users.delete('m2m')
    await expectActive(introspect(host, body.access_token, { client: 'api' }))
    expect(await revoke(host, body.access_token, { client: 'conf' })).toMatchObject({ status: 400 })
    host.events.splice(0)
    expect((await revoke(host, body.access_token, { client: 'm2m' })).text).toBe('{}')
    expect(host.events).toEqual([{ name: 'token.revoked', event: { clientId: 'm2m', kind: 'access' } }])
    await expectDead(host, { access_token: body.access_token }, { client: 'm2m' })
  })
})

describe('a refresh token, to the client that it was issued to', () => {
  test('is active, and has no token_type: nobody shall take it for an access token', async () => {
    const { refresh_token } = await tokensFor('openid read')
    expect(await expectActive(introspect(host, refresh_token))).toEqual({
      ...{ active: true, iss: host.issuer, sub: 'alice', client_id: 'conf', scope: 'openid read' },
      exp: Math.floor(host.now() / 1000) + 30 * 86_400,
      ...{ auth_time: SIGNED_IN_AT, acr: 'urn:example:strong', amr: ['pwd'] },
    })
    for (const client of ['conf2', 'api', 'gateway'])
      await expectInactive(introspect(host, refresh_token, { client }))
  })

  test('is inactive once it was used, also in its grace', async () => {
    const { refresh_token } = await tokensFor()
    const { body } = await refresh(host, refresh_token)
    await expectInactive(introspect(host, refresh_token))
    await expectActive(introspect(host, body.refresh_token))
  })
})

describe('INTR-02 INTR-04 K-25 an access token, to who serves its resource and to nobody else', () => {
  const who = ['api', 'albums', 'photos', 'gateway', 'files', 'idle', 'conf2']

  test.each<[string, string, () => string[], string[]]>([
    ['no resource', 'read', () => [], ['api', 'albums', 'photos', 'gateway']],
    ['/api', 'read', () => [`${host.origin}/api`], ['api', 'albums', 'gateway']],
    ['/photos, a JWT', 'read', () => [`${host.origin}/photos`], ['photos', 'gateway']],
    ['an API elsewhere', 'write', () => [FILES], ['files']],
  ])('for %s', async (_, scope, resources, seeing) => {
    const { access_token } = await tokensFor(scope, ...resources())
    for (const client of who) {
      const answer = introspect(host, access_token, { client })
      if (!seeing.includes(client)) await expectInactive(answer)
      else expect(await expectActive(answer)).toMatchObject({ client_id: 'conf', sub: 'alice', scope })
    }
  })

  test('RFC 9701 §5 the scope is what means something there', async () => {
    const { access_token } = await tokensFor('read write openid email')
    const scopeFor = async (client: string) =>
      (await expectActive(introspect(host, access_token, { client }))).scope
    expect(await scopeFor('api')).toBe('read write')
    expect(await scopeFor('photos')).toBe('read')
    expect(await scopeFor('gateway')).toBe('read write openid email')
    const { access_token: signIn } = await tokensFor('openid')
    expect(await expectActive(introspect(host, signIn, { client: 'api' }))).not.toHaveProperty('scope')
  })

  test('the use is noted for the grant, which the look of the client itself is not', async () => {
    const { access_token } = await getTokens(host, { user: 'bob' })
    const lastUse = async () => (await host.oauth.grants.list({ userId: 'bob' }))[0]?.lastUsedAt
    const before = await lastUse()
    host.advance(3000)
    await introspect(host, access_token)
    expect(await lastUse()).toBe(before)
    await introspect(host, access_token, { client: 'api' })
    await new Promise(setImmediate)
    expect(await lastUse()).toBe(host.now())
  })
})

describe('INTR-05 what is no token of ours is inactive, and nothing of it comes back', () => {
  test.each<[string, () => string]>([
    ['garbage', () => 'x'],
    ['what looks like a token', () => 'x'.repeat(64)],
    ['NUL', () => '\0'],
    ['60 000 characters', () => 'x'.repeat(60_000)],
    ['SQL', () => "' OR '1'='1"],
    ['a JWT of somebody', () => signJwt({ alg: 'ES256' }, { jti: 'a'.repeat(32), active: true }, pkjKey)],
    ['a JWE', () => 'e30.AA.AA.AA.AA'],
  ])('%s', async (_, make) => {
    for (const client of ['conf', 'gateway']) await expectInactive(introspect(host, make(), { client }))
  })

  test('a JWT with the jti of a real one, forged, unsigned, or changed', async () => {
    const { access_token } = await tokensFor('read', `${host.origin}/photos`)
    const claims = decodeJwt(access_token)
    const [head, payload] = access_token.split('.')
    const header = decodeProtectedHeader(access_token)
    for (const token of [
      signJwt(JSON.stringify({ alg: 'ES256', typ: 'at+jwt' }), claims, pkjKey),
      forge({ ...header, typ: 'JWT' }, claims),
      forge(header, { ...claims, scope: 'read write' }),
      `${head}.${payload}.AAAA`,
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`,
    ])
      for (const client of ['conf', 'photos']) await expectInactive(introspect(host, token, { client }))
    await expectActive(introspect(host, access_token, { client: 'photos' }))
  })

  test('CODE-08 a code, a device code, a pushed request, an ID token, a logout token, an introspection answer', async () => {
    const { code } = await getCode(host)
    const { device_code, user_code } = await startDevice(host)
    const pushed = await postAs(host, '/par', { form: PUSHED })
    expect(pushed.status).toBe(201)
    const { access_token, id_token } = await tokensFor('openid read')
    const { text } = await introspect(host, access_token, { headers: { accept: JWT_ANSWER } })
    const logout = forge(
      { ...OWN_HEADER, typ: 'logout+jwt' },
      { iss: host.issuer, aud: 'conf', sub: 'alice' },
    )
    const handles = [code, device_code, user_code, String(pushed.body.request_uri)]
    for (const token of [...handles, String(id_token), text, logout])
      for (const client of ['conf', 'gateway']) await expectInactive(introspect(host, token, { client }))
  })
})

describe('INTR-06 a token that is good no more is inactive', () => {
  const eyes = ['conf', 'api']
  async function expectBothInactive(token: string, own = host): Promise<void> {
    for (const client of eyes) await expectInactive(introspect(own, token, { client }))
  }

  test('expired, to the second of its exp', async () => {
    const { access_token, refresh_token } = await tokensFor()
    host.advance(3599.9)
    for (const client of eyes) await expectActive(introspect(host, access_token, { client }))
    host.advance(0.1)
    await expectBothInactive(access_token)
    host.advance(30 * 86_400)
    await expectInactive(introspect(host, refresh_token))
  })

  test('INTR-07 revoked, also where it was seen alive a moment ago', async () => {
    const { access_token, refresh_token } = await tokensFor()
    for (const client of eyes) await expectActive(introspect(host, access_token, { client }))
    await revoke(host, access_token)
    await expectBothInactive(access_token)
    await expectActive(introspect(host, refresh_token))
    await revoke(host, refresh_token)
    await expectInactive(introspect(host, refresh_token))
  })

  test('the user withdrew the grant', async () => {
    const { access_token, refresh_token } = await tokensFor()
    await host.oauth.grants.revokeUser('alice')
    await expectBothInactive(access_token)
    await expectDead(host, { access_token, refresh_token })
  })

  test('UI-17 the user is gone, and active again when they are back', async () => {
    const { access_token, refresh_token } = await tokensFor()
    const alice = host.users.get('alice') as User
    host.users.delete('alice')
    await expectBothInactive(access_token)
    await expectInactive(introspect(host, refresh_token))
    host.users.set('alice', alice)
    await expectActive(introspect(host, access_token))
  })

  test('its client is disabled or deleted', async () => {
    const created = await host.oauth.clients.create({
      ...{ client_id: 'short-lived', client_secret: 'short-lived-secret' },
      redirect_uris: ['https://rp.example/cb'],
    })
    const { access_token } = await getTokens(host, { client: 'short-lived' })
    await expectActive(introspect(host, access_token, { client: 'api' }))
    await host.oauth.clients.update(created.client_id, { disabled: true })
    await expectInactive(introspect(host, access_token, { client: 'api' }))
    await host.oauth.clients.delete(created.client_id)
    await expectInactive(introspect(host, access_token, { client: 'api' }))
  })

  test('its client, which spoke for itself, has gone, and there is another one with the same id', async () => {
    const robot = async () => {
      const metadata = { client_id: 'robot', grant_types: ['client_credentials'], scope: 'read' }
      const { client_secret = '' } = await host.oauth.clients.create(metadata)
      return { authorization: basic('robot', client_secret) }
    }
    const form = { grant_type: 'client_credentials' }
    const { access_token } = (await postToken(host, form, { headers: await robot() })).body
    await expectActive(introspect(host, access_token, { client: 'gateway' }))
    await host.oauth.clients.delete('robot')
    host.advance(1)
    const headers = await robot()
    await expectInactive(introspect(host, access_token, { client: 'gateway' }))
    const response = await fetch(`${host.issuer}/introspect`, {
      ...{ method: 'POST', headers, body: new URLSearchParams({ token: access_token }) },
    })
    expect(await response.json()).toEqual({ active: false })
    await host.oauth.clients.delete('robot')
  })
})

describe('INTR-07 the request', () => {
  test.each<[string, Parameters<typeof postAs>[2], string]>([
    ['no token', {}, 'token_parameter_missing'],
    ['an empty token', { form: { token: '' } }, 'token_parameter_missing'],
    ['the token twice', { form: { token: ['a', 'b'] } }, 'parameter_repeated'],
    ['the hint twice', { form: { token: 'a', token_type_hint: ['a', 'b'] } }, 'parameter_repeated'],
  ])('with %s is invalid_request', async (_, asking, reason) => {
    expectRefusal(await postAs(host, '/introspect', asking), 400, 'invalid_request')
    expect(host.events).toEqual([
      {
        name: 'request.refused',
        event: { endpoint: '/introspect', clientId: 'conf', error: 'invalid_request', reason },
      },
    ])
  })

  test.each(['access_token', 'refresh_token', 'id_token', 'x', ''])(
    'with the hint %p finds both kinds',
    async (token_type_hint) => {
      const { access_token, refresh_token } = await tokensFor()
      for (const token of [access_token, refresh_token])
        await expectActive(introspect(host, token, { form: { token_type_hint } }))
    },
  )

  test('with the token in the query alone is invalid_request, by GET it is 405', async () => {
    const { access_token } = await tokensFor()
    const query = `?${new URLSearchParams({ token: access_token })}`
    expectRefusal(await postAs(host, `/introspect${query}`, {}), 400, 'invalid_request')
    const got = await fetch(`${host.issuer}/introspect${query}&client_id=conf&client_secret=conf-secret`)
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST'])
    expect(await got.text()).not.toContain('active')
  })
})

describe('RFC 9701 the answer as a signed JWT', () => {
  test('to who asks for it: typ, iss, aud, iat, and the answer inside, with no sub and no exp beside it', async () => {
    const { access_token } = await tokensFor()
    const headers = { accept: JWT_ANSWER }
    const { payload, protectedHeader } = await verified(
      await introspect(host, access_token, { client: 'api', headers }),
      'api',
    )
    expect(protectedHeader).toEqual({ alg: 'RS256', typ: 'token-introspection+jwt', kid: 'test-RS256' })
    expect(payload).toEqual({
      ...{ iss: host.issuer, aud: 'api', iat: Math.floor(host.now() / 1000) },
      token_introspection: (await introspect(host, access_token, { client: 'api' })).body,
    })
  })

  test('says inactive in the same way, and no more', async () => {
    const { access_token } = await tokensFor()
    for (const token of ['x', access_token]) {
      const answer = await introspect(host, token, { client: 'idle', headers: { accept: JWT_ANSWER } })
      expect((await verified(answer, 'idle')).payload.token_introspection).toEqual({ active: false })
    }
  })

  test('to a client that registered an algorithm, whatever it accepts', async () => {
    const { access_token } = await tokensFor()
    for (const accept of ['application/json', '*/*', JWT_ANSWER]) {
      const answer = await introspect(host, access_token, { client: 'signed', headers: { accept } })
      const { payload, protectedHeader } = await verified(answer, 'signed')
      expect(protectedHeader.alg).toBe('ES256')
      expect(payload.token_introspection).toMatchObject({ active: true, sub: 'alice' })
    }
  })

  test.each([
    [JWT_ANSWER, true],
    ['Application/Token-Introspection+JWT', true],
    [`${JWT_ANSWER}, application/json`, true],
    [`application/json, ${JWT_ANSWER}`, true],
    [`application/json;q=0.5, ${JWT_ANSWER};q=0.8`, true],
    [`text/html, ${JWT_ANSWER};q=0.2, */*;q=0.1`, true],
    [`${JWT_ANSWER} ; q=1.000`, true],
    [`application/json, ${JWT_ANSWER};q=0.9`, false],
    [`${JWT_ANSWER};q=0`, false],
    [`${JWT_ANSWER};q=0.000, */*`, false],
    ['application/json', false],
    ['*/*', false],
    ['application/*', false],
    ['application/jwt', false],
    [`${JWT_ANSWER}x`, false],
    ['', false],
    [`;;;,,${JWT_ANSWER};q=`, true],
  ])('Accept: %s', async (accept, isJwt) => {
    const { headers } = await introspect(host, 'x', { headers: { accept } })
    expect(headers.get('content-type')).toBe(isJwt ? JWT_ANSWER : 'application/json')
  })

  test('refusals are JSON all the same', async () => {
    const headers = { accept: JWT_ANSWER }
    expectRefusal(await postAs(host, '/introspect', { headers }), 400, 'invalid_request')
    expectRefusal(await introspect(host, 'x', { client: 'pub', headers }), 401, 'invalid_client')
  })

  test('RS-07 it opens no API, no userinfo, and is no ID token', async () => {
    const { access_token } = await tokensFor('openid read')
    const { text } = await introspect(host, access_token, { headers: { accept: JWT_ANSWER } })
    await expectDead(host, { access_token: text })
    const agent = await signedIn(host, 'alice')
    const page = await agent.get(authorizeUrl(host, { params: { id_token_hint: text, prompt: 'none' } }))
    expect(destination(page).searchParams.get('error')).toBe('invalid_request')
    const logout = await agent.get(`${host.issuer}/logout?${new URLSearchParams({ id_token_hint: text })}`)
    expect(logout.status).toBe(400)
  })
})

describe('what a resource server registers', () => {
  test.each(['photos', '/photos', 'https://', 'https://x.example/a?b=c', 'https://x.example/a#b', 'urn:x:y'])(
    'the resource %p is refused: it would cover no token',
    async (resource) => {
      const created = host.oauth.clients.create({ grant_types: [], resources: [resource] })
      await expect(created).rejects.toMatchObject({
        ...{ code: 'invalid_client_metadata', reason: 'metadata_resources' },
      })
    },
  )

  test('its resources can be given and taken at any time', async () => {
    const { client_id, client_secret } = await host.oauth.clients.create({
      ...{ client_id: 'late', client_secret: 'late-secret', grant_types: [] },
    })
    expect([client_id, client_secret]).toEqual(['late', 'late-secret'])
    const { access_token } = await tokensFor()
    await expectInactive(introspect(host, access_token, { client: 'late' }))
    await host.oauth.clients.update('late', { resources: [`${host.origin}/api`] })
    await expectActive(introspect(host, access_token, { client: 'late' }))
    await host.oauth.clients.update('late', { resources: [] })
    await expectInactive(introspect(host, access_token, { client: 'late' }))
  })
})

test('where no resources are named, every URL of this origin is one', async () => {
  const own = await startHost({
    provider: (origin) => ({
      clients: [...clients, resourceServer('api', { resources: [`${origin}/api/`] })],
    }),
  })
  const look = async (...resource: string[]) => {
    const { access_token } = await getTokens(own, { params: { resource } })
    return (await introspect(own, access_token, { client: 'api' })).body.active
  }
  expect(await look()).toBe(true)
  expect(await look(`${own.origin}/api`)).toBe(true)
  expect(await look(`${own.origin}/api/albums`)).toBe(true)
  expect(await look(`${own.origin}/apis`)).toBe(false)
  expect(await look(`${own.origin}/photos`, `${own.origin}/api`)).toBe(true)
  await own.close()
})

test('INJ-11 a host whose findUser fails is told, and the client gets no word of it', async () => {
  let broken = false
  const own = await startHost({
    provider: {
      findUser: (id) => {
        if (broken) throw new Error('connection to 10.0.0.5 lost')
        return { id, name: id, email: '' }
      },
    },
  })
  const { access_token } = await getTokens(own)
  broken = true
  const { status, text } = await introspect(own, access_token)
  expect([status, JSON.parse(text).error]).toEqual([500, 'server_error'])
  expect(text).not.toMatch(/10\.0\.0|active/)
  expect(own.events.at(-1)).toMatchObject({ name: 'server.error', event: { endpoint: '/introspect' } })
  await own.close()
})
