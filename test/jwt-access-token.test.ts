import { generateKeyPairSync, hash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Database from 'better-sqlite3'
import {
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  generateKeyPair,
  importJWK,
  jwtVerify,
  SignJWT,
} from 'jose'
import * as oauth4webapi from 'oauth4webapi'
import type { ClientMetadata, OAuthProviderOptions } from '../lib/index.js'
import { clients } from './support/clients.js'
import { callApi, getCode, getTokens, redeem, refresh } from './support/flow.js'
import { type Host, startHost, type User } from './support/host.js'
import { signingKeys } from './support/signing-keys.js'
import { dump, expectRefusal } from './support/token-endpoint.js'
import { introspect } from './support/tokens.js'

const insecure = { [oauth4webapi.allowInsecureRequests]: true }
const SIGNED_IN_AT = Math.floor(Date.now() / 1000) - 60

const more: readonly ClientMetadata[] = [
  {
    client_id: 'pairwise',
    client_secret: 'pairwise-secret',
    redirect_uris: ['https://rp.example/cb'],
    subject_type: 'pairwise',
  },
  {
    client_id: 'signed',
    client_secret: 'signed-secret',
    redirect_uris: ['https://rp.example/cb'],
    userinfo_signed_response_alg: 'RS256',
  },
]

/** A host with two APIs that take JWTs, and one that does not. */
async function startJwtHost(provider: Partial<OAuthProviderOptions<User>> = {}): Promise<Host> {
  const started = await startHost({
    provider: (origin) => ({
      clients: [...clients, ...more],
      pairwiseSalt: 'a salt that is longer than thirty-two characters',
      resources: {
        [`${origin}/api`]: { scopes: ['read', 'write'], accessTokenFormat: 'jwt' },
        'https://elsewhere.example/photos': { scopes: ['read'], accessTokenFormat: 'jwt' },
        [`${origin}/plain`]: { scopes: ['read'] },
      },
      ...provider,
    }),
  })
  started.app.get('/plain', started.oauth.requireToken('read'), (_req, res) => res.json({}))
  return started
}

let host: Host
let api: string
const database = new Database(':memory:')
beforeAll(async () => {
  host = await startJwtHost({ store: database })
  api = `${host.origin}/api`
})
afterAll(async () => {
  await host.close()
  database.close()
})

const atApi = (scope = 'read', more: object = {}) => ({ params: { scope, resource: api, ...more } })

async function expectDead(token: string, at = host): Promise<void> {
  const { status, body, headers } = await callApi(at, '/api/read', token)
  expect([status, body.error]).toEqual([401, 'invalid_token'])
  expect(headers.get('www-authenticate')).toContain('error="invalid_token"')
  const userinfo = await callApi(at, '/oauth/userinfo', token)
  expect(userinfo.status).toBe(401)
}

describe('RFC 9068 §2 an access token for a resource that takes JWTs', () => {
  test('has exactly the claims that it should have, and says what it is', async () => {
    const before = Math.floor(host.now() / 1000)
    const { access_token, ...answer } = await getTokens(host, atApi('openid read write'))
    expect(answer).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'openid read write' })
    expect(decodeProtectedHeader(access_token)).toEqual({ alg: 'RS256', typ: 'at+jwt', kid: 'test-RS256' })
    expect(decodeJwt(access_token)).toEqual({
      iss: host.issuer,
      sub: 'alice',
      aud: api,
      exp: before + 3600,
      iat: before,
      jti: expect.stringMatching(/^[0-9a-f]{32}$/),
      client_id: 'conf',
      scope: 'read write',
    })
  })

  test('is accepted by oauth4webapi and by jose, with nothing but the metadata', async () => {
    const { access_token } = await getTokens(host, atApi())
    const issuer = new URL(host.issuer)
    const found = await oauth4webapi.discoveryRequest(issuer, { algorithm: 'oidc', ...insecure })
    const server = await oauth4webapi.processDiscoveryResponse(issuer, found)
    const request = new Request(`${api}/read`, { headers: { authorization: `Bearer ${access_token}` } })
    const claims = await oauth4webapi.validateJwtAccessToken(server, request, api, insecure)
    expect(claims).toMatchObject({ sub: 'alice', client_id: 'conf', scope: 'read' })
    await expect(
      oauth4webapi.validateJwtAccessToken(server, request, `${host.origin}/plain`, insecure),
    ).rejects.toThrow()

    const keys = createRemoteJWKSet(new URL(server.jwks_uri ?? ''))
    const expected = { issuer: host.issuer, audience: api, typ: 'at+jwt', algorithms: ['RS256'] }
    const { payload } = await jwtVerify(access_token, keys, expected)
    expect(payload.scope).toBe('read')
    await expect(jwtVerify(access_token, keys, { ...expected, typ: 'JWT' })).rejects.toThrow()
  })

  test('RSRC-04 for several resources lists them all, and for one of these says that one alone', async () => {
    const both = [api, 'https://elsewhere.example/photos']
    const { access_token, refresh_token } = await getTokens(host, {
      params: { scope: 'read write', resource: both },
    })
    expect(decodeJwt(access_token)).toMatchObject({ aud: both, scope: 'read write' })
    expect((await callApi(host, '/api/read', access_token)).status).toBe(200)

    const { body } = await refresh(host, refresh_token, { form: { resource: both[1] } })
    expect(body.scope).toBe('read')
    expect(decodeJwt(body.access_token)).toMatchObject({ aud: both[1], scope: 'read' })
    await expectDead(body.access_token)
  })

  test('RSRC-01 comes of a request that named no resource, once the token request names one', async () => {
    const { code } = await getCode(host, { params: { scope: 'openid read' } })
    const { body } = await redeem(host, code, { form: { resource: api } })
    expect(decodeJwt(body.access_token)).toMatchObject({ aud: api, scope: 'read' })
    const opaque = await refresh(host, body.refresh_token)
    expect(opaque.body.access_token).toMatch(/^[\w-]{64}$/)
    expect((await callApi(host, '/oauth/userinfo', opaque.body.access_token)).status).toBe(200)
  })

  test('OIDC-23 says no more of the user than the ID token: sub is pairwise for a pairwise client', async () => {
    const tokens = await getTokens(host, { client: 'pairwise', ...atApi('openid read') })
    const { sub } = decodeJwt(tokens.access_token)
    expect(sub).toBe(decodeJwt(tokens.id_token as string).sub)
    expect(Buffer.from(tokens.access_token.split('.')[1] ?? '', 'base64url').toString()).not.toContain(
      'alice',
    )
    // The API of the host itself knows its user.
    expect((await callApi(host, '/api/read', tokens.access_token)).body.userId).toBe('alice')
  })

  test('tells how and when the user signed in, where the host knows, also after a refresh', async () => {
    const other = await startJwtHost({
      authTime: () => SIGNED_IN_AT,
      authContext: () => ({ acr: 'urn:example:strong', amr: ['pwd', 'otp'] }),
    })
    const resource = `${other.origin}/api`
    const { access_token, refresh_token } = await getTokens(other, { params: { resource } })
    other.advance(100)
    const again = await refresh(other, refresh_token)
    for (const token of [access_token, again.body.access_token])
      expect(decodeJwt(token)).toMatchObject({
        auth_time: SIGNED_IN_AT,
        acr: 'urn:example:strong',
        amr: ['pwd', 'otp'],
      })
    await other.close()
  })

  test('has no scope claim where no scope of it means anything there, rather than an empty one', async () => {
    const { access_token, scope } = await getTokens(host, atApi('openid'))
    expect(scope).toBe('openid')
    expect(decodeJwt(access_token)).not.toHaveProperty('scope')
    expect((await callApi(host, '/api/any', access_token)).body.scopes).toEqual([])
    expect((await callApi(host, '/api/read', access_token)).status).toBe(403)
  })

  test('OIDC-04 at_hash of the ID token is that of the JWT, of a refreshed one too', async () => {
    const tokens = await getTokens(host, atApi('openid read'))
    const { body } = await refresh(host, tokens.refresh_token)
    for (const { access_token, id_token } of [tokens, body]) {
      const half = hash('sha256', access_token, 'buffer').toString('base64url', 0, 16)
      expect(decodeJwt(id_token as string).at_hash).toBe(half)
    }
    expect(body.access_token).not.toBe(tokens.access_token)
  })

  test('TOK-10 is another one each time, although everything else in it is the same', async () => {
    const [a, b] = [await getTokens(host, atApi()), await getTokens(host, atApi())]
    expect(decodeJwt(a.access_token).jti).not.toBe(decodeJwt(b.access_token).jti)
  })

  test('may be nearly as long as a request line, and is still accepted', async () => {
    const long = await startJwtHost({ authContext: () => ({ acr: 'a'.repeat(7000) }) })
    const { access_token } = await getTokens(long, { params: { resource: `${long.origin}/api` } })
    expect(access_token.length).toBeGreaterThan(9000)
    expect((await callApi(long, '/api/read', access_token)).status).toBe(200)
    await long.close()
  })
})

describe('requireToken takes both forms alike', () => {
  test('the same req.auth, whichever it is', async () => {
    const jwt = await getTokens(host, atApi())
    const answer = await callApi(host, '/api/read', jwt.access_token)
    expect(answer.body).toEqual({
      clientId: 'conf',
      userId: 'alice',
      scopes: ['read'],
      expiresAt: decodeJwt(jwt.access_token).exp,
      resource: api,
    })
    // The default audience, the whole origin, has no format of its own.
    const opaque = await getTokens(host)
    expect(opaque.access_token).toMatch(/^[\w-]{64}$/)
    expect((await callApi(host, '/api/read', opaque.access_token)).body.resource).toBe(api)
  })

  test('RS-08 a JWT for one resource opens no other', async () => {
    const { access_token } = await getTokens(host, atApi())
    expect((await callApi(host, '/plain', access_token)).status).toBe(401)
    const elsewhere = await getTokens(host, { params: { resource: 'https://elsewhere.example/photos' } })
    await expectDead(elsewhere.access_token)
  })

  test('RS-02 expired, to the second of its exp', async () => {
    const other = await startJwtHost()
    const { access_token } = await getTokens(other, { params: { resource: `${other.origin}/api` } })
    other.advance(3599.9)
    expect((await callApi(other, '/api/read', access_token)).status).toBe(200)
    other.advance(0.1)
    await expectDead(access_token, other)
    await other.close()
  })

  test('where the origin itself takes JWTs, a token without resource is one, and userinfo takes it', async () => {
    const other = await startHost({
      provider: (origin) => ({ resources: { [`${origin}/`]: { accessTokenFormat: 'jwt' } } }),
    })
    const { access_token } = await getTokens(other, { params: { scope: 'openid read' } })
    expect(decodeJwt(access_token)).toMatchObject({ aud: `${other.origin}/`, scope: 'openid read' })
    expect((await callApi(other, '/api/read', access_token)).status).toBe(200)
    expect((await callApi(other, '/oauth/userinfo', access_token)).body.sub).toBe('alice')
    await other.close()
  })
})

describe('K-07 revoking ends a JWT at once', () => {
  test('grants.revoke and grants.revokeUser', async () => {
    const alice = await getTokens(host, { ...atApi(), client: 'conf2' })
    const [grant] = await host.oauth.grants.list({ userId: 'alice', clientId: 'conf2' })
    await host.oauth.grants.revoke(grant?.id ?? '')
    await expectDead(alice.access_token)
    const bob = await getTokens(host, { ...atApi(), user: 'bob' })
    expect((await callApi(host, '/api/read', bob.access_token)).status).toBe(200)
    await host.oauth.grants.revokeUser('bob')
    await expectDead(bob.access_token)
  })

  test('CODE-03 a code that comes twice', async () => {
    const { code } = await getCode(host, atApi())
    const { body } = await redeem(host, code)
    expect((await callApi(host, '/api/read', body.access_token)).status).toBe(200)
    expectRefusal(await redeem(host, code), 400, 'invalid_grant')
    await expectDead(body.access_token)
  })

  test('REFR-04 a refresh token that comes again after its grace', async () => {
    const other = await startJwtHost()
    const tokens = await getTokens(other, { params: { resource: `${other.origin}/api` } })
    const { body } = await refresh(other, tokens.refresh_token)
    other.advance(11)
    expectRefusal(await refresh(other, tokens.refresh_token), 400, 'invalid_grant')
    for (const { access_token } of [tokens, body]) await expectDead(access_token, other)
    await other.close()
  })

  test('the client that is deleted', async () => {
    await host.oauth.clients.create({
      client_id: 'gone',
      client_secret: 'gone-secret',
      redirect_uris: ['https://rp.example/cb'],
    })
    const { access_token } = await getTokens(host, { ...atApi(), client: 'gone' })
    await host.oauth.clients.delete('gone')
    await expectDead(access_token)
  })
})

test('RS-07 no other JWT of this issuer and key is an access token', async () => {
  const received: string[] = []
  const receiver = createServer((req, res) => {
    req
      .setEncoding('utf8')
      .on('data', (body) => received.push(new URLSearchParams(body).get('logout_token') ?? ''))
    req.on('end', () => res.end())
  }).listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  const told = {
    client_id: 'told',
    client_secret: 'told-secret',
    redirect_uris: ['https://rp.example/cb'],
    backchannel_logout_uri: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`,
  }
  const { privateKey, publicKey } = generateKeys()
  const prover = {
    client_id: 'prover',
    redirect_uris: ['https://rp.example/cb'],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [publicKey] },
  }
  const other = await startJwtHost({
    allowPrivateAddresses: true,
    clients: [...clients, ...more, told, prover],
  })
  const resource = `${other.origin}/api`
  const { access_token } = await getTokens(other, { params: { scope: 'read', resource } })
  const { jti } = decodeJwt(access_token)

  const idTokens = await getTokens(other, { client: 'told', params: { scope: 'openid read', resource } })
  const notified = new Promise((resolve) => other.oauth.events.once('logout.notified', resolve))
  await other.oauth.logoutUser('alice')
  await notified
  const signed = await getTokens(other, { client: 'signed', params: { scope: 'openid' } })
  const userinfo = await fetch(`${other.issuer}/userinfo`, {
    headers: { authorization: `Bearer ${signed.access_token}` },
  })
  expect(userinfo.headers.get('content-type')).toBe('application/jwt')
  const assertion = await new SignJWT({ jti: String(jti) })
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer('prover')
    .setSubject('prover')
    .setAudience(other.issuer)
    .setExpirationTime('1m')
    .sign(privateKey)
  const requestObject = await new SignJWT({ jti: String(jti), aud: resource })
    .setProtectedHeader({ alg: 'ES256', typ: 'oauth-authz-req+jwt' })
    .sign(privateKey)

  expect(received).toHaveLength(1)
  const asJwt = { headers: { accept: 'application/token-introspection+jwt' } }
  const introspection = (await introspect(other, access_token, asJwt)).text
  const proof = await new SignJWT({ jti: String(jti), htm: 'GET', htu: resource })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: publicKey })
    .sign(privateKey)

  const ours = [idTokens.id_token as string, await userinfo.text(), introspection]
  const others = [...ours, ...received, assertion, requestObject, proof]
  for (const jwt of others) {
    expect(jwt).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
    await expectDead(jwt, other)
    expect((await introspect(other, jwt)).body).toEqual({ active: false })
    expect((await refresh(other, jwt)).body.error).toBe('invalid_grant')
  }
  expect((await callApi(other, '/api/read', access_token)).status).toBe(200)
  receiver.close()
  await other.close()
})

/** An ES256 key pair: the private one for jose, the public one as JWK. */
function generateKeys() {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { privateKey: pair.privateKey, publicKey: { ...pair.publicKey.export({ format: 'jwk' }) } }
}

describe('RS-07 a JWT that is not the very one that was issued', () => {
  let token: string
  let other: string
  let refreshToken: string
  beforeAll(async () => {
    const tokens = await getTokens(host, atApi('read'))
    token = tokens.access_token
    refreshToken = tokens.refresh_token
    other = (await getTokens(host, { ...atApi('read write'), user: 'bob' })).access_token
  })
  afterAll(async () => {
    expect((await callApi(host, '/api/read', token)).status).toBe(200)
    expect((await refresh(host, refreshToken)).status).toBe(200)
    expect(host.events.filter(({ name }) => name === 'server.error')).toEqual([])
  })

  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const parts = () => token.split('.') as [string, string, string]
  const claims = () => decodeJwt(token)
  const header = () => decodeProtectedHeader(token)

  /** With the provider's own key, as nobody but it can. */
  async function signed(payload: object, protectedHeader: object = header()): Promise<string> {
    const { alg, ...jwk } = signingKeys.find(({ kid }) => kid === header().kid) ?? {}
    const key = await importJWK(jwk, String(alg))
    return new SignJWT(payload as Record<string, unknown>)
      .setProtectedHeader(protectedHeader as { alg: string })
      .sign(key)
  }

  test('control: the provider signs as it does here', async () => {
    expect(await signed(claims())).toBe(token)
  })

  test.each<[string, () => string | Promise<string>]>([
    [
      'an edited payload',
      () => [parts()[0], encode({ ...claims(), scope: 'read write' }), parts()[2]].join('.'),
    ],
    ['an edited header', () => [encode({ ...header(), kid: 'x' }), parts()[1], parts()[2]].join('.')],
    ['the signature of another one', () => [parts()[0], parts()[1], other.split('.')[2]].join('.')],
    ['the signature of a stranger', async () => signedByStranger(claims(), header())],
    ['alg none', () => `${encode({ alg: 'none', typ: 'at+jwt' })}.${parts()[1]}.`],
    [
      'alg none, with the signature',
      () => [encode({ alg: 'none', typ: 'at+jwt' }), parts()[1], parts()[2]].join('.'),
    ],
    ['no signature', () => `${parts()[0]}.${parts()[1]}.`],
    [
      'a MAC with the public key',
      () => [encode({ alg: 'HS256', typ: 'at+jwt' }), parts()[1], 'AAAA'].join('.'),
    ],
    ['more scope, signed by the provider', () => signed({ ...claims(), scope: 'read write' })],
    ['another user, signed by the provider', () => signed({ ...claims(), sub: 'bob' })],
    ['the jti of another access token', () => signed({ ...claims(), jti: decodeJwt(other).jti })],
    ['the jti of a refresh token', () => signed({ ...claims(), jti: recordId('refresh') })],
    ['the jti of a code', () => signed({ ...claims(), jti: recordId('code') })],
    ['a jti that is unknown', () => signed({ ...claims(), jti: 'f'.repeat(32) })],
    ['a jti in upper case', () => signed({ ...claims(), jti: String(claims().jti).toUpperCase() })],
    ['a jti that is a list', () => signed({ ...claims(), jti: [claims().jti] })],
    ['no jti', () => signed({ ...claims(), jti: undefined })],
    ['another typ', () => signed(claims(), { ...header(), typ: 'JWT' })],
    ['the last character spelt otherwise', () => respelt(token)],
    ['padding', () => `${token}=`],
    ['more padding', () => `${token}==`],
    ['a dot behind', () => `${token}.`],
    ['a fourth part', () => `${token}.x`],
    ['the alphabet of plain Base64', () => token.replaceAll('-', '+').replaceAll('_', '/')],
    ['a payload with a space', () => [parts()[0], encodeSpaced(claims()), parts()[2]].join('.')],
  ])('%s is refused', async (_, forge) => {
    const forged = await forge()
    expect(forged).not.toBe(token)
    await expectDead(forged)
  })

  test.each([
    ['one part', 'e30'],
    ['two parts', 'e30.e30'],
    ['four parts', 'e30.e30.e30.e30'],
    ['ten parts', Array(10).fill('e30').join('.')],
    ['empty parts', 'a..b'],
    ['a header that is no JSON', 'AAAA.e30.AAAA'],
    ['a payload that is a list', 'e30.W10.AAAA'],
    ['a payload that is null', 'e30.bnVsbA.AAAA'],
    ['a payload that is a number', 'e30.MQ.AAAA'],
    ['a payload that is no UTF-8', 'e30._v8.AAAA'],
    ['five parts, as a JWE has', 'e30.e30.e30.e30.e30'],
    ['12 KB', `e30.${'e30'.repeat(4000)}.AAAA`],
    ['deep nesting', `e30.${Buffer.from(`{"jti":${'['.repeat(4000)}`).toString('base64url')}.AAAA`],
    ['a member of Object.prototype', `e30.${encode({ __proto__: { jti: 'a'.repeat(32) } })}.AAAA`],
    ['crit', `${encode({ alg: 'RS256', crit: ['x'] })}.${encode({ jti: 'a'.repeat(32) })}.AAAA`],
    ['b64 and zip', `${encode({ alg: 'RS256', b64: false, zip: 'DEF' })}.e30.AAAA`],
    ['exp of all kinds', `e30.${encode({ jti: 'a'.repeat(32), exp: '1e308', nbf: -1 })}.AAAA`],
  ])('ROB-07 %s is refused like any other', async (_, jwt) => {
    await expectDead(jwt)
  })

  test('it is neither a refresh token nor a code, and stays what it is', async () => {
    expectRefusal(await refresh(host, token), 400, 'invalid_grant')
    expectRefusal(await redeem(host, token), 400, 'invalid_grant')
    expect((await callApi(host, '/api/read', token)).status).toBe(200)
  })

  test('INJ-11 no event holds it, or a part of it', async () => {
    await callApi(host, '/api/read', `${parts()[0]}.${parts()[1]}.AAAA`)
    const told = JSON.stringify(host.events)
    for (const part of parts()) expect(told).not.toContain(part)
    expect(told).not.toContain(String(claims().jti))
  })

  test('the database holds no JWT, and no part of one', () => {
    const all = dump(database)
    const [, payload, signature] = parts()
    expect(all).toContain(String(claims().jti))
    expect(all).not.toContain(payload)
    expect(all).not.toContain(signature)
    expect(all).not.toMatch(/eyJ[\w-]+\.eyJ/)
    expect(all).not.toContain(Buffer.from(signature, 'base64url').toString('hex'))
  })
})

function encodeSpaced(value: unknown): string {
  return Buffer.from(JSON.stringify(value, null, 1)).toString('base64url')
}

async function signedByStranger(payload: object, header: object): Promise<string> {
  const { privateKey } = await generateKeyPair('RS256')
  return new SignJWT(payload as Record<string, unknown>)
    .setProtectedHeader(header as { alg: string })
    .sign(privateKey)
}

/** The same bytes: the last character of 256 of them has four bits that nobody reads. */
function respelt(jwt: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(jwt.at(-1) ?? '')
  const twin = jwt.slice(0, -1) + alphabet[last ^ 1]
  const bytes = (text: string) => Buffer.from(text.split('.')[2] ?? '', 'base64url').toString('hex')
  expect(bytes(twin)).toBe(bytes(jwt))
  return twin
}

/** The id of a record of this kind. */
function recordId(kind: string): string {
  const records = database.prepare('SELECT * FROM oauth_records').all() as Record<string, unknown>[]
  const { id } = records.find((record) => record.kind === kind) ?? {}
  const text = Buffer.isBuffer(id) ? id.toString('hex') : String(id)
  expect(text).toMatch(/^[0-9a-f]{32}$/)
  return text
}

describe('REFR-12 the grace of a refresh token', () => {
  test('gives the very same JWT again, and both answers are good', async () => {
    const tokens = await getTokens(host, atApi('openid read write'))
    const first = await refresh(host, tokens.refresh_token)
    host.advance(5)
    const second = await refresh(host, tokens.refresh_token)
    expect(second.status).toBe(200)
    expect(second.body.access_token).toBe(first.body.access_token)
    expect(second.body.refresh_token).toBe(first.body.refresh_token)
    expect(second.body.expires_in).toBe(3595)
    expect((await callApi(host, '/api/read', second.body.access_token)).status).toBe(200)
  })

  test('also where a key has been rotated in between', async () => {
    const other = await startJwtHost({ keys: undefined } as never)
    // The next key must have been known for a while before it may sign.
    await getTokens(other, { params: { resource: `${other.origin}/api` } })
    other.advance(600)
    const tokens = await getTokens(other, { params: { resource: `${other.origin}/api` } })
    const first = await refresh(other, tokens.refresh_token)
    await other.oauth.keys.rotate()
    const second = await refresh(other, tokens.refresh_token)
    expect(second.body.access_token).toBe(first.body.access_token)
    expect((await callApi(other, '/api/read', first.body.access_token)).status).toBe(200)

    const { body } = await refresh(other, second.body.refresh_token)
    const kids = [first, { body }].map((answer) => decodeProtectedHeader(answer.body.access_token).kid)
    expect(new Set(kids).size).toBe(2)
    const keys = createRemoteJWKSet(new URL(`${other.issuer}/jwks`))
    for (const jwt of [first.body.access_token, body.access_token])
      await jwtVerify(jwt, keys, { currentDate: new Date(other.now()) })
    await other.close()
  })

  test('RACE-02 of many refreshes at once comes one JWT', async () => {
    const tokens = await getTokens(host, atApi())
    const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(host, tokens.refresh_token)))
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
    expect(new Set(answers.map(({ body }) => body.access_token)).size).toBe(1)
    expect((await callApi(host, '/api/read', answers[0]?.body.access_token)).status).toBe(200)
  })
})

describe('resources of both kinds in one request', () => {
  test('TOK-11 invalid_target says what to do; the code and the refresh token can still be used', async () => {
    const resource = [api, `${host.origin}/plain`]
    const { code } = await getCode(host, { params: { scope: 'read', resource } })
    const refused = await redeem(host, code)
    expectRefusal(refused, 400, 'invalid_target')
    expect(refused.body.error_description).toMatch(/name a resource in the token request/)
    expectRefusal(await redeem(host, code, { form: { resource } }), 400, 'invalid_target')

    const { body } = await redeem(host, code, { form: { resource: api } })
    expect(decodeJwt(body.access_token).aud).toBe(api)
    expectRefusal(await refresh(host, body.refresh_token), 400, 'invalid_target')
    const plain = await refresh(host, body.refresh_token, { form: { resource: resource[1] } })
    expect(plain.body.access_token).toMatch(/^[\w-]{64}$/)
    expect((await callApi(host, '/plain', plain.body.access_token)).status).toBe(200)
  })

  test('the reason is told to the host', async () => {
    const { code } = await getCode(host, { params: { resource: [api, `${host.origin}/plain`] } })
    await redeem(host, code)
    expect(host.events.at(-1)).toEqual({
      name: 'token.refused',
      event: { clientId: 'conf', error: 'invalid_target', reason: 'resources_differ' },
    })
  })
})
