import crypto, { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CompactEncrypt } from 'jose'
import type { ClientMetadata } from '../lib/index.js'
import { publicPart } from '../lib/keys/public-part.js'
import type { Jwk } from '../lib/options.js'
import type { Agent, Form, Page } from './support/agent.js'
import { expectCode, expectErrorPage, expectErrorRedirect } from './support/answers.js'
import { ASSERTION_TYPE, assertion, signJwt, withAssertion } from './support/assertions.js'
import { clients, pkjKey } from './support/clients.js'
import { aKey } from './support/dpop.js'
import { authorizeUrl, CHALLENGE, decide, s256, signedIn, VERIFIER } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import { postPar, requestParameters, uriOf, visitUrl } from './support/pushed.js'
import { type ObjectOptions, requestObject, signedUrl } from './support/request-objects.js'
import { signingKeys } from './support/signing-keys.js'
import { expectRefusal, expectTokens, type RawAnswer, send } from './support/token-endpoint.js'

const redirect_uris = ['https://rp.example/cb']

/** A private key, and the JWK that a client registers. */
function pair(key: object): { key: Record<string, unknown>; jwk: Jwk } {
  return { key: { ...key }, jwk: publicPart(key as Jwk) as Jwk }
}
function ec(namedCurve = 'P-256') {
  return pair(generateKeyPairSync('ec', { namedCurve }).privateKey.export({ format: 'jwk' }))
}
const [rsa, , ed] = signingKeys.map(pair)
const [p384, other] = [ec('P-384'), ec()]
const pkjPublic = pair(pkjKey).jwk

/** Clients that cannot be told from `pkj` by anything but what is named. They prove nothing at /token. */
function signing(client_id: string, metadata: Partial<ClientMetadata> = {}): ClientMetadata {
  const keys = { jwks: { keys: [pkjPublic] } }
  return { client_id, token_endpoint_auth_method: 'none', redirect_uris, ...keys, ...metadata }
}

let keySite: Server
/** What the client `remote` publishes; undefined: its server fails. */
let published: readonly Jwk[] | undefined
let host: Host
beforeAll(async () => {
  keySite = createServer((_req, res) => {
    if (published === undefined) return res.writeHead(500).end()
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: published }))
  }).listen(0, '127.0.0.1')
  await once(keySite, 'listening')
  const jwks_uri = `http://127.0.0.1:${(keySite.address() as AddressInfo).port}/jwks`
  const registered: readonly ClientMetadata[] = [
    ...clients,
    signing('others', { jwks: { keys: [other.jwk] } }),
    signing('kinds', { jwks: { keys: [rsa!.jwk, ed!.jwk, p384.jwk, pkjPublic] } }),
    signing('many', { jwks: { keys: [...Array.from({ length: 10 }, () => ec().jwk), pkjPublic] } }),
    signing('two', { redirect_uris: [...redirect_uris, 'https://rp.example/cb2'] }),
    signing('ps', { jwks: { keys: [rsa!.jwk] }, request_object_signing_alg: 'PS256' }),
    signing('always', { require_signed_request_object: true }),
    { client_id: 'remote', token_endpoint_auth_method: 'none', redirect_uris, jwks_uri },
  ]
  host = await startHost({
    provider: (origin) => ({
      clients: registered,
      allowPrivateAddresses: true,
      resources: { [`${origin}/api`]: {}, [`${origin}/files`]: {} },
    }),
  })
})
afterAll(async () => {
  keySite.closeAllConnections()
  keySite.close()
  await host.close()
})
beforeEach(() => {
  published = [pkjPublic]
  host.events.length = 0
})
afterEach(() => jest.restoreAllMocks())

const told = (name: string) => host.events.filter((one) => one.name === name).map(({ event }) => event)

/** Visits with nothing but a request object. */
async function visit(
  options: ObjectOptions & { readonly beside?: Form; readonly agent?: Agent } = {},
): Promise<Page> {
  const agent = options.agent ?? (await signedIn(host, 'alice'))
  const { client = 'pkj', beside = {} } = options
  return agent.follow(signedUrl(host, requestObject(host, options), { client, params: beside }))
}

/** Nothing of it is believed, not even where it asks to be answered. */
function expectUntrusted(page: Page, reason: string, client = 'pkj'): void {
  expectErrorPage(page, { code: 'invalid_request_object' })
  expect(told('authorization.refused')).toEqual([
    {
      ...{ clientId: client, error: 'invalid_request_object', reason, redirected: false },
      reference: expect.any(String),
    },
  ])
}

/** Its client has signed it, and hears what is wrong with it. */
function expectRefused(page: Page, error: string, reason: string): void {
  expectErrorRedirect(host, page, error)
  expect(told('authorization.refused')).toEqual([{ clientId: 'pkj', error, reason, redirected: true }])
}

const asks = (page: Page) => expect(page.text).toContain('name="decision"')
const seconds = () => Math.floor(host.now() / 1000)

describe('a request object at /authorize', () => {
  test('RFC 9101 §5 needs nothing beside it but the client_id', async () => {
    const agent = await signedIn(host, 'alice')
    const page = await visit({ agent })
    const code = expectCode(host, await decide(agent, page, 'approve'))
    const form = {
      ...{ grant_type: 'authorization_code', code, redirect_uri: redirect_uris[0] },
      ...{ code_verifier: VERIFIER, ...withAssertion(assertion(host)) },
    }
    expectTokens(await send(host, { body: new URLSearchParams(form as Record<string, string>) }))
  })

  test('AUTHZ-02 may come by POST', async () => {
    const agent = await signedIn(host, 'alice')
    const form = { client_id: 'pkj', request: requestObject(host, { params: { prompt: 'consent' } }) }
    const bounced = await agent.post(`${host.issuer}/authorize`, form)
    asks(await agent.follow(bounced.location ?? ''))
  })

  test.each([
    ['ES256', pkjKey],
    ['ES384', p384.key],
    ['RS256', rsa!.key],
    ['PS256', rsa!.key],
    ['PS512', rsa!.key],
    ['EdDSA', ed!.key],
    ['Ed25519', ed!.key],
  ])('may be signed with %s', async (alg, signer) => {
    asks(await visit({ client: 'kinds', header: { alg }, signer }))
  })

  test.each([undefined, 'JWT', 'jwt', 'oauth-authz-req+jwt', 'OAUTH-AUTHZ-REQ+JWT'])(
    'may have the typ %s',
    async (typ) => {
      asks(await visit({ header: { typ }, params: { prompt: 'consent' } }))
    },
  )

  test.each([
    ...['client-authentication+jwt', 'at+jwt', 'dpop+jwt', 'logout+jwt', 'secevent+jwt', '', 5, null],
  ])('RFC 9101 §10.8 must not have the typ %j', async (typ) => {
    expectUntrusted(await visit({ header: { typ } }), 'request_object_typ')
  })

  test.each<[string, (issuer: string) => unknown]>([
    ['is left out', () => undefined],
    ['is the issuer', (issuer) => issuer],
    ['is an array with it', (issuer) => [issuer]],
    ['K-17 has others beside it', (issuer) => ['https://other.example', issuer, `${issuer}/par`]],
  ])('is for us where aud %s', async (_, aud) => {
    asks(await visit({ claims: { aud: aud(host.issuer) }, params: { prompt: 'consent' } }))
  })

  test.each<[unknown]>([
    ['https://other.example'],
    [['https://other.example']],
    [[]],
    [5],
    [null],
    [{}],
    [['/oauth']],
  ])('JAR-01 aud %j is refused', async (aud) => {
    expectRefused(await visit({ claims: { aud } }), 'invalid_request_object', 'request_object_audience')
  })

  test('JAR-01 aud has to be the issuer byte for byte, and not one of its URLs', async () => {
    for (const aud of [`${host.issuer}/`, `${host.issuer}/authorize`, host.issuer.toUpperCase()])
      expectErrorRedirect(host, await visit({ claims: { aud } }), 'invalid_request_object')
  })

  test.each<[what: string, reason: string, times: (now: number) => object]>([
    ['exp past', 'expired', (now) => ({ exp: now - 11 })],
    ['exp that is no number', 'exp_missing', () => ({ exp: '9999999999' })],
    ['exp null', 'exp_missing', () => ({ exp: null })],
    ['nbf to come', 'not_yet_valid', (now) => ({ nbf: now + 12 })],
    ['iat to come', 'not_yet_valid', (now) => ({ iat: now + 12 })],
    ['iat that is no number', 'not_yet_valid', () => ({ iat: 'now' })],
  ])('JAR-01 %s is refused', async (_, reason, times) => {
    const page = await visit({ claims: { ...times(seconds()) } })
    expectRefused(page, 'invalid_request_object', `request_object_${reason}`)
  })

  test('clocks may differ by some seconds, and every time may be left out', async () => {
    const params = { prompt: 'consent' }
    const now = seconds()
    asks(await visit({ params, claims: { exp: now - 8, nbf: now + 8, iat: now + 8 } }))
    asks(await visit({ params, claims: { exp: undefined, nbf: undefined, iat: undefined } }))
    asks(await visit({ params, claims: { exp: now + 10 ** 8 } }))
  })

  test('iss or client_id says whose it is, and either may be left out', async () => {
    asks(await visit({ params: { prompt: 'consent' }, claims: { iss: undefined } }))
    asks(await visit({ params: { prompt: 'consent', client_id: undefined } }))
  })

  test.each<[what: string, claims: object]>([
    ['client_id is another', { client_id: 'two' }],
    ['iss is another', { iss: 'two' }],
    ['neither is there', { iss: undefined, client_id: undefined }],
    ['client_id is no text', { client_id: ['pkj'] }],
    ['client_id is empty', { client_id: '', iss: undefined }],
  ])('JAR-01 is refused where %s', async (_, claims) => {
    expectUntrusted(await visit({ claims: { ...claims } }), 'request_object_client')
  })

  test('JAR-01 alg none, with and without a signature', async () => {
    const [, claims = ''] = requestObject(host).split('.')
    const header = Buffer.from('{"alg":"none"}').toString('base64url')
    const agent = await signedIn(host, 'alice')
    for (const jwt of [`${header}.${claims}.`, `${header}.${claims}.AAAA`])
      expectErrorPage(await agent.get(signedUrl(host, jwt)), { code: 'invalid_request_object' })
    const reasons = told('authorization.refused').map(({ reason }) => reason)
    expect(reasons).toEqual(['request_object_malformed', 'request_object_algorithm'])
  })

  test('JAR-01 a MAC, made with the public key or with the secret of the client', async () => {
    for (const secret of [JSON.stringify(pkjPublic), 'pkj-secret', '']) {
      const page = await visit({ header: { alg: 'HS256' }, signer: secret })
      expectErrorPage(page, { code: 'invalid_request_object' })
      // It has registered none, so it may take any.
      expect(page.text).toMatch(/alg of the request object must be one of: [\w ]*\bES256\b/)
    }
    expect(told('authorization.refused')).toEqual(
      Array(3).fill(expect.objectContaining({ reason: 'request_object_algorithm' })),
    )
  })

  test('JAR-01 an encrypted one, whatever is in it', async () => {
    const key = await crypto.webcrypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, [
      'encrypt',
      'decrypt',
    ])
    for (const inside of [requestObject(host), requestObject(host).split('.')[1] ?? '']) {
      const jwe = await new CompactEncrypt(Buffer.from(inside))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', cty: 'JWT' })
        .encrypt(key as Parameters<CompactEncrypt['encrypt']>[0])
      const agent = await signedIn(host, 'alice')
      expectErrorPage(await agent.get(signedUrl(host, jwe)), { code: 'invalid_request_object' })
    }
    expect(told('authorization.refused')).toEqual(
      Array(2).fill(expect.objectContaining({ reason: 'request_object_malformed' })),
    )
  })

  test.each<[what: string, change: (parts: string[]) => string[]]>([
    ['in a claim', ([a, b, c]) => [a!, tampered(b!, (claims) => ({ ...claims, scope: 'read write' })), c!]],
    ['in its header', ([a, b, c]) => [tampered(a!, (header) => ({ ...header, kid: 'pkj-1' })), b!, c!]],
    ['in its signature', ([a, b, c]) => [a!, b!, (c![0] === 'A' ? 'B' : 'A') + c!.slice(1)]],
    [
      'by the signature of another',
      ([a, b]) => [a!, b!, requestObject(host, { params: { state: 'x' } }).split('.')[2]!],
    ],
    ['by no signature worth the name', ([a, b]) => [a!, b!, 'AA']],
  ])('JAR-01 tampered with %s', async (_, change) => {
    const agent = await signedIn(host, 'alice')
    const jwt = change(requestObject(host).split('.')).join('.')
    expectUntrusted(await agent.get(signedUrl(host, jwt)), 'request_object_signature')
  })

  test("JAR-01 another client's key", async () => {
    expectUntrusted(await visit({ signer: other.key }), 'request_object_signature')
    host.events.length = 0
    expectUntrusted(await visit({ client: 'others' }), 'request_object_signature', 'others')
  })

  test('JAR-01 a key that it brings itself', async () => {
    const header = { jwk: other.jwk, jku: `${host.issuer}/jwks`, x5u: 'https://evil.example' }
    expectUntrusted(await visit({ signer: other.key, header }), 'request_object_signature')
  })

  test('a kid that no key has, an alg that no key fits, an extension', async () => {
    const reasonOf = async (options: ObjectOptions) => {
      host.events.length = 0
      expectErrorPage(await visit(options), { code: 'invalid_request_object' })
      return told('authorization.refused')[0]?.reason
    }
    expect(await reasonOf({ header: { kid: 'unknown' } })).toBe('request_object_key')
    expect(await reasonOf({ header: { alg: 'RS256' }, signer: rsa!.key })).toBe('request_object_key')
    expect(await reasonOf({ header: { crit: ['b64'], b64: true } })).toBe('request_object_header')
    expect(await reasonOf({ header: { kid: 5 } })).toBe('request_object_malformed')
  })

  test.each(['x', '..', 'e30.e30.', 'e30.e30.e30', 'a b.c', '{}', '💥', `e30.${'W10'}.AA`])(
    'no JWT: %s',
    async (request) => {
      const agent = await signedIn(host, 'alice')
      expectUntrusted(await agent.get(signedUrl(host, request)), 'request_object_malformed')
    },
  )

  test('a claim that is there twice, and nesting without end', async () => {
    const agent = await signedIn(host, 'alice')
    const claims = Buffer.from(requestObject(host).split('.')[1] ?? '', 'base64url').toString()
    for (const payload of [
      claims.replace('{', '{"scope":"read write",'),
      claims.replace('{', `{"claims":${'['.repeat(2000)}${']'.repeat(2000)},`),
    ]) {
      host.events.length = 0
      const jwt = signJwt({ alg: 'ES256' }, payload, pkjKey)
      expectUntrusted(await agent.get(signedUrl(host, jwt)), 'request_object_malformed')
    }
  })

  test('it is as long as the query may be, and no longer', async () => {
    const agent = await signedIn(host, 'alice')
    const long = (length: number) =>
      signedUrl(host, requestObject(host, { params: { state: 's'.repeat(length), prompt: 'consent' } }))
    asks(await agent.follow(long(2000)))
    expectErrorPage(await agent.get(long(8000)), { status: 413 })
  })

  test('more parameters than anybody needs are refused', async () => {
    const claims = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`c${at}`, 1]))
    expectErrorPage(await visit({ claims }))
  })

  test('where nobody can prove it: a client without keys is told so', async () => {
    const page = await visit({ client: 'conf' })
    expectUntrusted(page, 'request_object_keys_missing', 'conf')
    expect(page.text).toContain('jwks')
  })

  test('an unknown client, and none at all', async () => {
    const agent = await signedIn(host, 'alice')
    const request = requestObject(host)
    expectErrorPage(await agent.get(signedUrl(host, request, { client: 'nobody' })))
    expectErrorPage(await agent.get(`${host.issuer}/authorize?request=${request}`))
  })

  test('one that proves nothing is told to a redirect URI of the client that stands beside it, and to no other', async () => {
    const beside = { redirect_uri: redirect_uris[0], state: 'the-state' }
    expectRefused(
      await visit({ signer: other.key, beside }),
      'invalid_request_object',
      'request_object_signature',
    )
    host.events.length = 0
    const elsewhere = { redirect_uri: 'https://evil.example/cb', state: 'the-state' }
    expectUntrusted(await visit({ signer: other.key, beside: elsewhere }), 'request_object_signature')
  })
})

describe('JAR-02 only what is inside counts', () => {
  test.each<[what: string, params: Form, beside: Form]>([
    ['response_type', { response_type: undefined }, { response_type: 'code' }],
    [
      'PKCE',
      { code_challenge: undefined, code_challenge_method: undefined },
      { code_challenge: CHALLENGE, code_challenge_method: 'S256' },
    ],
    ['the method of PKCE', { code_challenge_method: undefined }, { code_challenge_method: 'S256' }],
  ])('%s only outside is not there', async (_, params, beside) => {
    expectErrorRedirect(host, await visit({ params, beside }), 'invalid_request')
  })

  test('redirect_uri only outside is not used', async () => {
    const beside = { redirect_uri: redirect_uris[0] }
    expectErrorPage(await visit({ client: 'two', params: { redirect_uri: undefined }, beside }))
    expect(told('authorization.refused')).toMatchObject([{ reason: 'redirect_uri_missing' }])
  })

  test('state, scope, nonce and prompt only outside are not used', async () => {
    const agent = await signedIn(host, 'alice')
    const params = { state: undefined, scope: 'openid', prompt: 'consent' }
    const beside = { state: 'outer', scope: 'openid write', nonce: 'outer', prompt: 'none', resource: 'x' }
    const page = await visit({ agent, params, beside })
    expect(page.text).not.toContain('Change your things')
    const code = expectCode(host, await decide(agent, page, 'approve'), { state: null })
    expectSignedNonce(await redeemed(code), undefined)
  })

  test('where inside and outside differ, the signed value holds', async () => {
    const agent = await signedIn(host, 'alice')
    const params = { scope: 'openid read', nonce: 'inner', state: 'inner', prompt: 'consent' }
    const beside = {
      ...{ scope: 'openid write', nonce: 'outer', state: 'outer', response_type: 'token' },
      ...{ redirect_uri: 'https://evil.example/cb', code_challenge: s256('x'.repeat(43)) },
      ...{ response_mode: 'form_post', prompt: 'none' },
    }
    const page = await visit({ agent, params, beside })
    const code = expectCode(host, await decide(agent, page, 'approve'), { state: 'inner' })
    const answer = await redeemed(code)
    expectSignedNonce(answer, 'inner')
    expect(answer.body.scope).toBe('openid read')
  })

  test('the redirect URI inside has to be registered all the same', async () => {
    expectErrorPage(await visit({ params: { redirect_uri: 'https://evil.example/cb' } }))
    expect(told('authorization.refused')).toMatchObject([{ reason: 'redirect_uri_mismatch' }])
  })

  test.each([
    ['request', 'x'],
    ['request', null],
    ['request_uri', 'https://rp.example/request'],
    ['request_uri', 'urn:ietf:params:oauth:request_uri:x'],
  ])('RFC 9101 §4 no %s is inside: %j', async (name, value) => {
    const page = await visit({ claims: { [name]: value } })
    expectRefused(page, 'invalid_request_object', 'request_object_nested')
  })

  test('registration inside is not supported', async () => {
    const page = await visit({ claims: { registration: { redirect_uris } } })
    expectRefused(page, 'registration_not_supported', 'registration_not_supported')
  })

  test.each<[error: string, params: Form]>([
    ['invalid_scope', { scope: 'nope' }],
    ['unsupported_response_type', { response_type: 'token' }],
    ['invalid_request', { code_challenge_method: 'plain' }],
    ['invalid_request', { prompt: 'none login' }],
    ['invalid_target', { resource: 'https://elsewhere.example' }],
    ['invalid_request', { id_token_hint: 'x' }],
  ])('what is wrong inside is told as it is of a plain request: %s', async (error, params) => {
    expectErrorRedirect(host, await visit({ params }), error)
  })
})

describe('OpenID Connect Core §6.1 what is no text', () => {
  test('max_age is a number, claims an object, resource an array', async () => {
    const agent = await signedIn(host, 'alice')
    const claims = {
      max_age: 3600,
      claims: { id_token: { email: { essential: true } }, userinfo: { name: null } },
      resource: [`${host.origin}/api`, `${host.origin}/files`],
      state: 12345,
    }
    const page = await visit({ agent, claims, params: { scope: 'openid' } })
    const login = new URL(page.url)
    expect(login.pathname).toBe('/login')
    const consent = await agent.login('alice', login.searchParams.get('return_to') ?? '')
    for (const resource of claims.resource) expect(consent.text).toContain(resource)
    const code = expectCode(host, await decide(agent, consent, 'approve'), { state: '12345' })
    const { id_token } = (await redeemed(code)).body
    expect(payloadOf(String(id_token))).toMatchObject({
      email: 'alice@host.example',
      auth_time: expect.any(Number),
    })
  })

  test.each<[string, unknown, string]>([
    ['max_age', -1, 'invalid_request'],
    ['max_age', { a: 1 }, 'invalid_request'],
    ['claims', [], 'invalid_request'],
    ['scope', ['read'], 'invalid_scope'],
    ['scope', {}, 'invalid_scope'],
    ['resource', [5], 'invalid_target'],
    ['resource', {}, 'invalid_target'],
    ['code_challenge', true, 'invalid_request'],
    ['prompt', 0, 'invalid_request'],
    ['response_type', ['code'], 'unsupported_response_type'],
  ])('%s: %j is refused as it would be in a query', async (name, value, error) => {
    expectErrorRedirect(host, await visit({ claims: { [name]: value } }), error)
  })

  test('null and an empty text are as good as left out', async () => {
    const agent = await signedIn(host, 'alice')
    const claims = { max_age: null, nonce: '', resource: [], display: null, prompt: 'consent' }
    asks(await visit({ agent, claims }))
    expectErrorPage(await visit({ agent, client: 'two', claims: { redirect_uri: null } }))
  })

  test('RFC 9449 §10 dpop_jkt inside names the key for the code', async () => {
    const agent = await signedIn(host, 'alice')
    const page = await visit({
      agent,
      client: 'two',
      params: { dpop_jkt: aKey.jkt, redirect_uri: redirect_uris[0] },
    })
    const code = expectCode(host, await decide(agent, page, 'approve'))
    const form = { grant_type: 'authorization_code', code, client_id: 'two', code_verifier: VERIFIER }
    const plain = await send(host, {
      body: new URLSearchParams({ ...form, redirect_uri: redirect_uris[0]! }),
    })
    expectRefusal(plain, 400, 'invalid_dpop_proof')
  })
})

describe('what a client has registered', () => {
  test('request_object_signing_alg leaves no other', async () => {
    asks(await visit({ client: 'ps', header: { alg: 'PS256' }, signer: rsa!.key }))
    const page = await visit({ client: 'ps', header: { alg: 'RS256' }, signer: rsa!.key })
    expectUntrusted(page, 'request_object_algorithm', 'ps')
    expect(page.text).toContain('must be the request_object_signing_alg of this application: PS256')
  })

  test.each<[field: string, metadata: ClientMetadata]>([
    ['request_object_signing_alg', { request_object_signing_alg: 'none' }],
    ['request_object_signing_alg', { request_object_signing_alg: 'HS256' }],
    ['jwks', { request_object_signing_alg: 'RS256', jwks: { keys: [pkjPublic] } }],
    ['require_signed_request_object', { require_signed_request_object: true }],
    ['jwks', { require_signed_request_object: true, jwks: { keys: [{ ...pkjPublic, use: 'enc' }] } }],
    ['require_signed_request_object', { require_signed_request_object: 'yes' as never }],
    ['require_pushed_authorization_requests', { require_pushed_authorization_requests: 1 as never }],
  ])('a registration that could not work is refused, for %s', async (field, metadata) => {
    const more = { token_endpoint_auth_method: 'none', redirect_uris }
    await expect(host.oauth.clients.create({ ...more, ...metadata })).rejects.toMatchObject({
      code: 'invalid_client_metadata',
      message: expect.stringContaining(field),
    })
  })

  test('what is registered can be read again', async () => {
    const metadata = {
      ...{ request_object_signing_alg: 'ES256', require_signed_request_object: true },
      require_pushed_authorization_requests: true,
    }
    const more = { token_endpoint_auth_method: 'none', redirect_uris, jwks: { keys: [pkjPublic] } }
    const { client_id = '' } = await host.oauth.clients.create({ ...more, ...metadata })
    expect(await host.oauth.clients.get(client_id)).toMatchObject(metadata)
  })

  test('RFC 9101 §10.5 require_signed_request_object: plain requests are refused, here and at /par', async () => {
    const agent = await signedIn(host, 'alice')
    const plain = await agent.get(authorizeUrl(host, { client: 'always' }))
    expectErrorRedirect(host, plain, 'invalid_request')
    expect(told('authorization.refused')).toMatchObject([{ reason: 'request_object_required' }])
    const options = { client: 'always', proof: { headers: {}, form: { client_id: 'always' } } }
    const refused = await postPar(host, requestParameters(host, options), options)
    expectRefusal(refused, 400, 'invalid_request')
    asks(await visit({ client: 'always' }))
  })

  test('jwks_uri: the keys are fetched, and once more where they have been changed', async () => {
    asks(await visit({ client: 'remote' }))
    published = [other.jwk]
    host.advance(60)
    asks(await visit({ client: 'remote', signer: other.key }))
  })

  test('jwks_uri: where its server fails, the user is told to try again, and the host what its answer was', async () => {
    published = undefined
    host.advance(86_400)
    const page = await visit({ client: 'remote' })
    expectErrorPage(page, { status: 503, code: 'temporarily_unavailable' })
    expect(page.headers.get('retry-after')).toMatch(/^[1-9]/)
    expect(page.text).toContain('>remote</bdi>')
    const form = { client_id: 'remote', request: requestObject(host, { client: 'remote' }) }
    const answer = await postPar(host, form, { proof: { headers: {}, form: {} } })
    expectRefusal(answer, 503, 'temporarily_unavailable')
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]/)
    const refusal = {
      ...{ clientId: 'remote', error: 'temporarily_unavailable', reason: 'jwks_unavailable' },
      problem: 'The URL answered with status 500 instead of 200. Redirects are not followed.',
    }
    expect(told('authorization.refused')).toEqual([
      { ...refusal, redirected: false, reference: expect.any(String) },
    ])
    expect(told('request.refused')).toEqual([{ ...refusal, endpoint: '/par' }])
    // Whoever sends its users here with garbage raises no alarm.
    expect(told('server.error')).toEqual([])
  })

  test('one without kid costs four signatures at most, whatever keys its client has', async () => {
    const verifying = jest.spyOn(globalThis.crypto.subtle, 'verify')
    const page = await visit({ client: 'many', signer: other.key })
    expectUntrusted(page, 'request_object_signature', 'many')
    expect(verifying).toHaveBeenCalledTimes(4)
  })
})

describe('RFC 9101 §10.8 it is no client assertion, and that is no request', () => {
  test('a client assertion as request is refused, of whatever type', async () => {
    const agent = await signedIn(host, 'alice')
    const asked = payloadOf(requestObject(host, { claims: { aud: undefined, exp: undefined } }))
    for (const [typ, reason] of [
      [undefined, 'request_object_subject'],
      ['JWT', 'request_object_subject'],
      ['client-authentication+jwt', 'request_object_typ'],
    ]) {
      host.events.length = 0
      const jwt = assertion(host, { header: { typ }, claims: asked })
      expectUntrusted(await agent.get(signedUrl(host, jwt)), reason!)
    }
  })

  test('sub may be anybody but the client', async () => {
    asks(await visit({ claims: { sub: 'alice' }, params: { prompt: 'consent' } }))
  })

  test('a request object that was accepted is of no use at /token or /par, with jti or without', async () => {
    for (const header of [{}, { typ: undefined }, { typ: 'JWT' }]) {
      const options = { header, claims: { jti: 'a-jti' }, params: { prompt: 'consent' } }
      asks(await visit(options))
      const form = { client_assertion: requestObject(host, options), client_assertion_type: ASSERTION_TYPE }
      const probe = { grant_type: 'refresh_token', refresh_token: 'x', ...form }
      expectRefusal(await send(host, { body: new URLSearchParams(probe) }), 401, 'invalid_client')
      const proof = { headers: {}, form }
      expectRefusal(
        await postPar(host, requestParameters(host, { client: 'pkj' }), { proof }),
        401,
        'invalid_client',
      )
    }
  })
})

describe('RFC 9126 §3 a request object at /par', () => {
  const pushObject = (options: ObjectOptions = {}, beside: Form = {}): Promise<RawAnswer> =>
    postPar(host, { request: requestObject(host, options), ...beside }, { client: options.client ?? 'pkj' })

  test('is pushed, and what stands beside it counts for nothing', async () => {
    const beside = {
      redirect_uri: 'https://evil.example/cb',
      scope: 'write',
      state: ['a', 'b'],
      response_type: 'x',
    }
    const answer = await pushObject({ params: { prompt: 'consent' } }, beside)
    expect(answer.status).toBe(201)
    const agent = await signedIn(host, 'alice')
    const page = await agent.follow(visitUrl(host, uriOf(answer), { client: 'pkj' }))
    const code = expectCode(host, await decide(agent, page, 'approve'))
    expect((await redeemed(code)).body.scope).toBe('read')
  })

  test('client_id may stand beside it (erratum 6711), and has to be the same', async () => {
    expect((await pushObject({}, { client_id: 'pkj' })).status).toBe(201)
    expectRefusal(await pushObject({}, { client_id: 'two' }), 401, 'invalid_client')
  })

  test.each<[error: string, reason: string, options: ObjectOptions]>([
    ['invalid_request_object', 'request_object_signature', { signer: other.key }],
    ['invalid_request_object', 'request_object_client', { claims: { client_id: 'two' } }],
    ['invalid_request_object', 'request_object_client', { claims: { iss: 'two' } }],
    ['invalid_request_object', 'request_object_typ', { header: { typ: 'client-authentication+jwt' } }],
    ['invalid_request_object', 'request_object_subject', { claims: { sub: 'pkj' } }],
    ['invalid_request_object', 'request_object_audience', { claims: { aud: 'https://other.example' } }],
    ['invalid_request_object', 'request_object_expired', { claims: { exp: 1 } }],
    ['invalid_request_object', 'request_object_nested', { claims: { request_uri: 'x' } }],
    [
      'invalid_request_object',
      'request_object_malformed',
      { claims: { deep: JSON.parse('['.repeat(40) + ']'.repeat(40)) } },
    ],
    ['invalid_request', 'redirect_uri_mismatch', { params: { redirect_uri: 'https://evil.example' } }],
    ['invalid_request', 'response_type_missing', { params: { response_type: undefined } }],
    ['invalid_scope', 'scope_unknown', { params: { scope: 'nope' } }],
    [
      'invalid_request',
      'pkce_missing',
      { params: { code_challenge: undefined, code_challenge_method: undefined } },
    ],
  ])('answers %s (%s) at once', async (error, reason, options) => {
    expectRefusal(await pushObject(options, { redirect_uri: redirect_uris[0] }), 400, error)
    expect(told('request.refused')).toEqual([{ endpoint: '/par', error, reason, clientId: 'pkj' }])
    expect(told('authorization.refused')).toEqual([])
  })

  test('may have 16 KB, and no more', async () => {
    const state = (length: number) => ({ params: { state: 's'.repeat(length) } })
    expect((await pushObject(state(11_000))).status).toBe(201)
    expectRefusal(await pushObject(state(12_500)), 400, 'invalid_request_object')
  })

  test('ROB-10, TOK-08 whatever a claim is, it is pushed or refused in JSON that holds nothing of it', async () => {
    const canary = 'canary-7f3a'
    const odd = `${canary}"\\\r\n\u0000\ud800`
    const values: readonly unknown[] = [true, -1, odd, [], {}, [[canary]], { [canary]: canary }]
    const names = [
      ...['response_type', 'response_mode', 'redirect_uri', 'scope', 'state', 'nonce', 'prompt', 'max_age'],
      ...[
        'claims',
        'code_challenge',
        'code_challenge_method',
        'resource',
        'authorization_details',
        'dpop_jkt',
      ],
      ...['id_token_hint', 'login_hint', 'acr_values', 'ui_locales', 'display', 'registration', 'request'],
      ...['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti', 'client_id', '__proto__', 'constructor'],
    ]
    for (const name of names) {
      const answers = values.map((value) =>
        pushObject({ claims: JSON.parse(`{"${name}":${JSON.stringify(value)}}`) }),
      )
      for (const { status, text } of await Promise.all(answers)) {
        expect([201, 400, 413]).toContain(status)
        expect(text).not.toContain(canary)
      }
    }
    expect(told('server.error')).toEqual([])
  })

  test('a secret client can only where it has keys', async () => {
    const form = { request: requestObject(host, { client: 'conf' }) }
    expectRefusal(await postPar(host, form), 400, 'invalid_request_object')
    expect(told('request.refused')).toMatchObject([{ reason: 'request_object_keys_missing' }])
  })
})

function tampered(segment: string, change: (value: object) => object): string {
  const value = JSON.parse(Buffer.from(segment, 'base64url').toString())
  return Buffer.from(JSON.stringify(change(value))).toString('base64url')
}

function payloadOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())
}

async function redeemed(code: string): Promise<RawAnswer> {
  const form = {
    ...{ grant_type: 'authorization_code', code, redirect_uri: redirect_uris[0] ?? '' },
    ...{ code_verifier: VERIFIER, ...withAssertion(assertion(host)) },
  }
  const answer = await send(host, { body: new URLSearchParams(form) })
  expect(answer.status).toBe(200)
  return answer
}

function expectSignedNonce({ body }: RawAnswer, nonce: string | undefined): void {
  expect(payloadOf(String(body.id_token)).nonce).toBe(nonce)
}
