import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import * as oauth4webapi from 'oauth4webapi'
import * as openid from 'openid-client'
import type { ClientMetadata, OAuthProviderOptions } from '../lib/index.js'
import { pkjKey } from './support/clients.js'
import { fetch } from './support/fetch.js'
import { authorizeUrl, basic, CHALLENGE, decide, destination, signedIn, VERIFIER } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import {
  CALLBACK,
  expectRefused,
  native,
  type Registered,
  register,
  registered,
} from './support/registration.js'
import { expectMachineHeaders, type RawAnswer, send } from './support/token-endpoint.js'

const { d: _private, ...publicKey } = pkjKey
const jwks = { keys: [{ ...publicKey, kid: 'a', use: 'sig' }] }
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

let host: Host
afterAll(() => host?.close())

/** Replaces the host for the tests of one describe. */
function hosting(
  provider: Partial<OAuthProviderOptions> | ((origin: string) => Partial<OAuthProviderOptions>),
) {
  beforeAll(async () => {
    await host?.close()
    host = await startHost({ provider: provider as never })
  })
}

/** Registers enough that no ceiling is met. */
const open = { allow: 'open', perMinute: 100_000 } as const

async function metadataOf(): Promise<Record<string, unknown>> {
  return (await (await fetch(`${host.issuer}/.well-known/oauth-authorization-server`)).json()) as never
}

/** As alice, to a code for this client. */
async function codeFor({ client_id }: Registered, redirect_uri = CALLBACK): Promise<string> {
  const agent = await signedIn(host, 'alice')
  const page = await agent.follow(authorizeUrl(host, { params: { client_id, redirect_uri } }))
  return destination(await decide(agent, page, 'approve')).searchParams.get('code') ?? ''
}

function redeemed(
  { client_id, client_secret }: Registered,
  code: string,
  redirect_uri = CALLBACK,
): Promise<RawAnswer> {
  const form = { grant_type: 'authorization_code', code, redirect_uri, code_verifier: VERIFIER }
  const own = client_secret === undefined ? { client_id } : {}
  return send(host, {
    headers: client_secret === undefined ? {} : { authorization: basic(client_id, client_secret) },
    body: new URLSearchParams({ ...form, ...own }),
  })
}

describe('by itself', () => {
  hosting({})

  test('DCR-02 nobody registers: the path is the host’s own, and the metadata do not name it', async () => {
    for (const path of ['/register', '/register/abc'])
      for (const method of ['GET', 'POST', 'PUT', 'DELETE'])
        expect((await fetch(`${host.issuer}${path}`, { method })).status).toBe(404)
    expect(await metadataOf()).not.toHaveProperty('registration_endpoint')
  })
})

describe("with registration: 'open'", () => {
  hosting({
    registration: open,
    authorizationDetails: { payment: { schema: { type: 'object', properties: {} }, description: 'Pay' } },
    pairwiseSalt: 'a-salt-of-thirty-two-bytes-or-more-really',
    tokenExchange: () => true,
  })

  test('the metadata name the endpoint', async () => {
    expect((await metadataOf()).registration_endpoint).toBe(`${host.issuer}/register`)
  })

  test('DCR-01 a client gets an id, a secret once, and all that was registered, defaults included', async () => {
    const answer = await register(host, { redirect_uris: [CALLBACK], client_name: 'x' })
    expect(answer.status).toBe(201)
    expectMachineHeaders(answer.headers)
    const { client_id, client_secret, registration_client_uri, registration_access_token } = answer.body
    expect(answer.body).toEqual({
      client_id: expect.stringMatching(/^[\w-]{22}$/),
      client_id_issued_at: Math.floor(host.now() / 1000),
      client_secret: expect.stringMatching(/^[\w-]{64}$/),
      client_secret_expires_at: 0,
      client_name: 'x',
      redirect_uris: [CALLBACK],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
      registration_client_uri: `${host.issuer}/register/${client_id}`,
      registration_access_token: expect.stringMatching(/^[\w-]{43}$/),
    })
    expect(host.events.at(-1)).toEqual({
      name: 'client.changed',
      event: { clientId: client_id, change: 'created', by: 'client', onProbation: true },
    })
    const told = JSON.stringify(host.events)
    for (const secret of [client_secret, registration_access_token, registration_client_uri])
      expect(told).not.toContain(secret)
  })

  test('it connects at once, by Basic or in the body as it likes, and gets no refresh token that it did not ask for', async () => {
    const client = await registered(host, { redirect_uris: [CALLBACK] })
    const { status, body } = await redeemed(client, await codeFor(client))
    expect(status).toBe(200)
    expect(body).not.toHaveProperty('refresh_token')
    const { client_id, client_secret } = client
    const inBody = await send(host, {
      body: new URLSearchParams({
        ...{ grant_type: 'authorization_code', code: 'none', code_verifier: VERIFIER },
        client_id,
        client_secret,
      }),
    })
    expect(inBody.body.error).toBe('invalid_grant')
  })

  test('none makes a public client without a secret, which gets refresh tokens where it said so', async () => {
    const client = await registered(host, { ...native, client_name: 'Refreshing' })
    expect(client).not.toHaveProperty('client_secret')
    expect(client).not.toHaveProperty('client_secret_expires_at')
    expect(client).toMatchObject({ ...native, client_name: 'Refreshing' })
    const loopback = 'http://127.0.0.1:51999/cb'
    const { status, body } = await redeemed(client, await codeFor(client, loopback), loopback)
    expect({ status, ...body }).toMatchObject({ status: 200, refresh_token: expect.any(String) })
  })

  test('CC-05 the id is never chosen by the client', async () => {
    for (const client_id of ['alice', 'https://x', 'conf']) {
      const client = await registered(host, { client_id, client_secret: 'chosen', redirect_uris: [CALLBACK] })
      expect(client.client_id).toMatch(/^[\w-]{22}$/)
      expect(client.client_secret).not.toBe('chosen')
    }
  })

  test('what only the host may say, and what nobody knows, is passed over', async () => {
    const metadata: ClientMetadata & Record<string, unknown> = {
      redirect_uris: [CALLBACK],
      ...{ skip_consent: true, disabled: true, verified: true, owner_id: 'alice', require_pkce: false },
      ...{ resources: ['https://api.example/'], accept_endpoint_audience: true, id_token_claims: 'scopes' },
      ...{
        access_token_lifetime: 99,
        refresh_token_lifetime: 99,
        refresh_token_total_lifetime: 99,
        id_token_lifetime: 99,
      },
      ...{ source: 'host', fingerprint: 'f', registrationToken: 'f', expiresAt: 1, made_up: { deep: [1] } },
    }
    const client = await registered(host, metadata)
    for (const name of Object.keys(metadata).filter((member) => member !== 'redirect_uris'))
      expect(client).not.toHaveProperty(name)
    expect(await host.oauth.clients.get(client.client_id)).toEqual({
      ...{ client_id: client.client_id, client_name: client.client_id, redirect_uris: [CALLBACK] },
      ...{ grant_types: ['authorization_code'], response_types: ['code'], source: 'registration' },
      ...{ skip_consent: false, require_pkce: true, disabled: false },
      client_id_issued_at: client.client_id_issued_at,
    })
  })

  test('everything that a client may say is kept, and said again', async () => {
    const metadata = {
      ...{
        redirect_uris: [CALLBACK],
        client_name: 'All',
        'client_name#ja': 'すべて',
        'tos_uri#fr': 'https://a.example/cgu',
      },
      ...{
        client_uri: 'https://a.example/',
        logo_uri: 'https://a.example/logo',
        policy_uri: 'https://a.example/p',
      },
      ...{
        tos_uri: 'https://a.example/t',
        contacts: ['a@a.example'],
        software_id: 'id',
        software_version: '1',
      },
      ...{ application_type: 'web', grant_types: ['authorization_code', 'refresh_token', DEVICE] },
      ...{
        response_types: ['code'],
        scope: 'openid offline_access read',
        authorization_details_types: ['payment'],
      },
      ...{ token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256', jwks },
      ...{ dpop_bound_access_tokens: true, require_pushed_authorization_requests: true },
      ...{ request_object_signing_alg: 'ES256', require_signed_request_object: true },
      ...{ id_token_signed_response_alg: 'ES256', userinfo_signed_response_alg: 'ES256' },
      ...{ introspection_signed_response_alg: 'ES256', subject_type: 'pairwise', default_max_age: 60 },
      ...{ require_auth_time: true, initiate_login_uri: 'https://a.example/login' },
      ...{
        post_logout_redirect_uris: ['https://a.example/bye'],
        backchannel_logout_uri: 'https://a.example/out',
      },
      backchannel_logout_session_required: true,
    }
    const client = await registered(host, metadata)
    expect(client).toMatchObject(metadata)
    expect(client).not.toHaveProperty('client_secret')
  })

  test('null is as good as left out', async () => {
    const client = await registered(host, {
      redirect_uris: [CALLBACK],
      client_uri: null,
      scope: null,
      jwks: null,
    })
    for (const name of ['client_uri', 'scope', 'jwks']) expect(client).not.toHaveProperty(name)
  })

  test('scopes that there are not are dropped, and the answer says which are registered', async () => {
    const scoped = (scope: string) => registered(host, { redirect_uris: [CALLBACK], scope })
    expect((await scoped('read  elsewhere openid read')).scope).toBe('read openid')
    expect(await scoped('elsewhere')).not.toHaveProperty('scope')
  })

  test.each<[string, ClientMetadata]>([
    [
      'native with loopback',
      {
        application_type: 'native',
        redirect_uris: ['http://127.0.0.1:3000/cb', 'http://[::1]/cb', 'http://localhost/cb'],
      },
    ],
    [
      'native with private-use schemes',
      { application_type: 'native', redirect_uris: ['com.example.app:/cb', 'cursor://anysphere.cursor/cb'] },
    ],
    ['web with localhost', { application_type: 'web', redirect_uris: ['http://localhost:8080/cb'] }],
  ])('DCR-08 %s is accepted', async (_name, metadata) => {
    const client = await registered(host, { ...metadata, token_endpoint_auth_method: 'none' })
    expect(client).toMatchObject(metadata)
  })

  const uris = [
    ...[
      'javascript:alert(1)',
      'JavaScript:alert(1)',
      'java%0ascript:alert(1)',
      'data:text/html,x',
      'vbscript:x',
    ],
    ...[
      'file:///etc/passwd',
      'blob:https://x/y',
      'about:blank',
      'view-source:https://x',
      'intent://x#Intent;end',
    ],
    ...[
      'https://*.rp.example/*',
      'http://rp.example/cb',
      'https://rp.example/cb#f',
      '/cb',
      'https://u:p@rp.example/',
    ],
    ...['http://[:::::::::::::]/x', 'https://rp.example/cb\n', '', 'https://rp.example/cb?code=1'],
  ]
  test.each(uris)('RURI-11 the redirect URI %j is refused', async (uri) => {
    const answer = await register(host, { ...native, redirect_uris: [CALLBACK, uri] })
    expect(answer.status).toBe(400)
    expect(answer.body.error).toMatch(/^invalid_(redirect_uri|client_metadata)$/)
    expect(answer.body.error_description).toMatch(/redirect/i)
  })

  test.each<[string, unknown, RegExp]>([
    ['no redirect URI', {}, /redirect URI .*is missing/],
    ['none in the list', { redirect_uris: [] }, /redirect URI .*is missing/],
    ['an app’s scheme with a secret', { redirect_uris: ['app:/cb'] }, /private-use scheme/],
  ])('invalid_redirect_uri for %s', async (_name, metadata, pattern) => {
    expectRefused(await register(host, metadata), 'invalid_redirect_uri', pattern)
  })

  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })
  const byKey = { token_endpoint_auth_method: 'private_key_jwt' }
  const refused: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
    ['grant_types', { grant_types: ['implicit'] }, /grant_types has implicit/],
    ['grant_types that is no list', { grant_types: 'authorization_code' }, /grant_types is not an array/],
    ['grant_types that is empty', { grant_types: [] }, /grant_types has none/],
    ['grant_types with nothing to refresh', { grant_types: ['refresh_token'] }, /grant_types has none/],
    [
      'client_credentials',
      { grant_types: ['client_credentials'] },
      /grant_types has client_credentials.*no user/,
    ],
    [
      'token exchange',
      { grant_types: ['authorization_code', TOKEN_EXCHANGE] },
      /grant_types has urn.*no user/,
    ],
    [
      'a grant that is not offered',
      { grant_types: ['urn:ietf:params:oauth:grant-type:jwt-bearer'] },
      /grant_types has urn/,
    ],
    ['response_types token', { response_types: ['token'] }, /response_types has token/],
    ['response_types id_token', { response_types: ['code id_token'] }, /response_types has/],
    [
      'response_types without its grant',
      { grant_types: [DEVICE], response_types: ['code'] },
      /response_types has code/,
    ],
    ['a grant without its response_types', { response_types: [] }, /response_types has no code/],
    ['an unknown method', { token_endpoint_auth_method: 'magic' }, /token_endpoint_auth_method is magic/],
    [
      'tls_client_auth without mTLS',
      { token_endpoint_auth_method: 'tls_client_auth' },
      /token_endpoint_auth_method is tls/,
    ],
    [
      'client_secret_jwt where no secret can be kept',
      { token_endpoint_auth_method: 'client_secret_jwt' },
      /token_endpoint_auth_method is client_secret_jwt\. Use one of: none/,
    ],
    ['private_key_jwt without keys', byKey, /jwks is missing/],
    ['OIDC-01 alg none', { id_token_signed_response_alg: 'none' }, /id_token_signed_response_alg is none/],
    ['userinfo alg none', { userinfo_signed_response_alg: 'none' }, /userinfo_signed_response_alg is none/],
    ['request object alg none', { request_object_signing_alg: 'none' }, /request_object_signing_alg is none/],
    [
      'jwks and jwks_uri',
      { ...byKey, jwks, jwks_uri: 'https://a.example/jwks' },
      /jwks stands beside jwks_uri/,
    ],
    ['a private key', { ...byKey, jwks: { keys: [pkjKey] } }, /jwks has at keys\[0\] the private part/],
    [
      'a symmetric key',
      { ...byKey, jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } },
      /jwks has at keys\[0\] a symmetric/,
    ],
    ['a weak key', { ...byKey, jwks: { keys: [weak] } }, /jwks has at keys\[0\] an RSA key of 1024 bits/],
    ['jwks without keys', { ...byKey, jwks: { keys: [] } }, /jwks is not a JWK Set/],
    ['jwks with null in it', { ...byKey, jwks: { keys: [null] } }, /jwks has no key at keys\[0\]/],
    ['redirect_uris with null in it', { redirect_uris: [null] }, /redirect_uris is not an array/],
    ['redirect_uris that is a text', { redirect_uris: CALLBACK }, /redirect_uris is not an array/],
    ['redirect_uris that is an object', { redirect_uris: { 0: CALLBACK } }, /redirect_uris is not an array/],
    ['client_name that is a number', { client_name: 5 }, /client_name is not a string/],
    ['client_name that is an object', { client_name: { toString: 1 } }, /client_name is not a string/],
    ['a name that nobody sees', { client_name: '\u200b \u2060' }, /client_name cannot be seen/],
    ['a name that turns text about', { client_name: 'a\u202eb' }, /client_name .*changes the direction/],
    ['a name with a line break', { client_name: 'a\nb' }, /client_name has a control character/],
    ['a name without end', { client_name: 'a'.repeat(201) }, /client_name is longer than 200/],
    [
      'a name in a language that is none',
      { 'client_name#x"y': 'a' },
      /client_name has behind # what is no language/,
    ],
    ['a hidden name in a language', { 'client_name#ja': '\u200b' }, /client_name#ja cannot be seen/],
    ['NUL', { software_id: 'a\u0000b' }, /software_id has a control character/],
    [
      'NUL in the name of a member',
      { ...byKey, jwks: { keys: [{ ...jwks.keys[0], 'a\u0000': 1 }] } },
      /jwks has a control character/,
    ],
    ['half a character', { software_version: '\ud800' }, /software_version has a control character/],
    ['contacts', { contacts: 'a@a.example' }, /contacts is not an array/],
    ['default_max_age', { default_max_age: '5' }, /default_max_age is not a number/],
    ['require_auth_time', { require_auth_time: 'yes' }, /require_auth_time is neither/],
    ['application_type', { application_type: 'hybrid' }, /application_type is hybrid/],
    ['subject_type', { subject_type: 'private' }, /subject_type is private/],
    ['scope that is a list', { scope: ['read'] }, /scope is not a string/],
    [
      'authorization_details_types',
      { authorization_details_types: ['loan'] },
      /authorization_details_types has loan/,
    ],
    [
      'a bound token without mTLS',
      { tls_client_certificate_bound_access_tokens: true },
      /tls_client_certificate_bound_access_tokens is true/,
    ],
    [
      'a subject without its method',
      { tls_client_auth_san_dns: 'a.example' },
      /tls_client_auth_san_dns stands without/,
    ],
    ...(
      ['logo_uri', 'client_uri', 'policy_uri', 'tos_uri', 'jwks_uri', 'initiate_login_uri'] as const
    ).flatMap((name) =>
      ['javascript:alert(1)', 'data:text/html,x', 'http://a.example/'].map(
        (uri) =>
          [
            `DCR-05 ${name} ${uri}`,
            { [name]: uri, ...(name === 'jwks_uri' && byKey) },
            new RegExp(`^${name} is`),
          ] as const,
      ),
    ),
    ['logo_uri#de javascript:', { 'logo_uri#de': 'javascript:x' }, /^logo_uri#de is/],
    [
      'backchannel_logout_uri http',
      { backchannel_logout_uri: 'http://a.example/' },
      /backchannel_logout_uri is http/,
    ],
    [
      'sector_identifier_uri http',
      { sector_identifier_uri: 'http://a.example/' },
      /sector_identifier_uri is http/,
    ],
  ]
  test.each(refused)(
    'DCR-04 %s is refused, the member named and nothing stored',
    async (_name, metadata, pattern) => {
      const before = (await host.oauth.clients.list()).length
      expectRefused(
        await register(host, { redirect_uris: [CALLBACK], ...metadata }),
        'invalid_client_metadata',
        pattern,
      )
      expect((await host.oauth.clients.list()).length).toBe(before)
      expect(host.events.at(-1)).toMatchObject({
        name: 'request.refused',
        event: {
          endpoint: '/register',
          error: 'invalid_client_metadata',
          reason: expect.stringMatching(/^metadata_[\w#]+$/),
        },
      })
    },
  )

  test.each(['<svg onload=alert(1)>"\'', '<%=7*7%>', "' OR '1'='1"])(
    'a name may be any text, %s too',
    async (client_name) => {
      expect((await registered(host, { redirect_uris: [CALLBACK], client_name })).client_name).toBe(
        client_name,
      )
    },
  )

  test('INJ-10 no member reaches the prototype of anything', async () => {
    const polluting = `{"redirect_uris":["${CALLBACK}"],"__proto__":{"x":1,"skip_consent":true},"constructor":{"prototype":{"x":1}}}`
    const { status, body } = await register(host, polluting)
    expect(status).toBe(201)
    expect(Object.keys(body)).not.toContain('__proto__')
    expect(({} as { x?: unknown }).x).toBeUndefined()
    expect((await host.oauth.clients.get(String(body.client_id)))?.skip_consent).toBe(false)
  })

  test('ROB-01, -11 whatever a member is, it is taken or refused, and in time', async () => {
    const names = [
      'redirect_uris',
      'client_name',
      'tos_uri#de',
      'contacts',
      'grant_types',
      'response_types',
      'scope',
    ]
    const more = [
      'token_endpoint_auth_method',
      'jwks',
      'jwks_uri',
      'post_logout_redirect_uris',
      'default_max_age',
    ]
    const others = [
      'software_statement',
      'authorization_details_types',
      'subject_type',
      'tls_client_auth_subject_dn',
    ]
    const values: unknown[] = [
      ...[
        true,
        -1,
        1e308,
        '',
        ' ',
        'a'.repeat(60_000),
        `${'a'.repeat(30_000)}!`,
        '"'.repeat(30_000),
        `https://a${'.a'.repeat(10_000)}`,
      ],
      ...[
        [],
        {},
        [[]],
        [{}],
        [1],
        { length: 9 },
        { toString: 1 },
        { keys: {} },
        { keys: [[]] },
        { keys: [{ kty: {} }] },
      ],
      ...[
        ['https://', 'https:', 'x:'],
        [`https://rp.example/${'a'.repeat(60_000)}`],
        Array(9000).fill('a'),
        { keys: Array(60).fill({}) },
      ],
    ]
    const sent = [...names, ...more, ...others].flatMap((name) =>
      values.map((value) => ({ redirect_uris: [CALLBACK], [name]: value })),
    )
    for (const metadata of sent) {
      const { status, body } = await register(host, metadata)
      expect([201, 400, 413]).toContain(status)
      expect(status === 201 || typeof body.error === 'string').toBe(true)
    }
    expect(host.events.filter(({ name }) => name === 'server.error')).toEqual([])
  })

  const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
  test.each<[string, string, string]>([
    ['a form', 'redirect_uris=https%3A%2F%2Frp.example%2Fcb', 'application/x-www-form-urlencoded'],
    ['text', JSON.stringify({ redirect_uris: [CALLBACK] }), 'text/plain'],
    ['no JSON', '{"redirect_uris":', 'application/json'],
    ['nothing', '', 'application/json'],
    [
      'a member that comes twice',
      `{"redirect_uris":["${CALLBACK}"],"scope":"read","scope":"write"}`,
      'application/json',
    ],
    ['depth 10 000', deep(10_000), 'application/json'],
    [
      'depth 10 000 in a member',
      `{"redirect_uris":["${CALLBACK}"],"jwks":${deep(10_000)}}`,
      'application/json',
    ],
  ])('DCR-07 %s is 400 invalid_request', async (_name, body, type) => {
    const answer = await register(host, body, { type })
    expectRefused(answer, 'invalid_request', /JSON/)
    expect(host.events.at(-1)).toMatchObject({ name: 'request.refused', event: { endpoint: '/register' } })
  })

  test.each(['[]', '"text"', '5', 'true', 'null', `[{"redirect_uris":["${CALLBACK}"]}]`])(
    'DCR-07 %s is no metadata',
    async (body) => {
      expectRefused(await register(host, body), 'invalid_client_metadata', /^metadata is not a JSON object/)
    },
  )

  test('DCR-07 more than 64 KB is 413', async () => {
    const answer = await register(host, { redirect_uris: [CALLBACK], software_id: 'a'.repeat(65_536) })
    expect({ status: answer.status, error: answer.body.error }).toEqual({
      status: 413,
      error: 'invalid_request',
    })
    expectMachineHeaders(answer.headers)
  })

  test.each(['GET', 'PUT', 'DELETE', 'PATCH'])('HDR-05 %s is 405, with POST in Allow', async (method) => {
    const answer = await fetch(`${host.issuer}/register`, { method })
    expect(answer.status).toBe(405)
    expect(answer.headers.get('allow')).toBe('POST')
    expectMachineHeaders(answer.headers)
  })

  test('a page of any origin may ask', async () => {
    const preflight = await fetch(`${host.issuer}/register`, { method: 'OPTIONS' })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-methods')).toBe('POST')
    expect(preflight.headers.get('access-control-allow-headers')).toMatch(/Content-Type/)
  })

  test('an unknown path below falls through', async () => {
    for (const path of ['/register/', '/register/a/b', '/register/a/'])
      expect((await fetch(`${host.issuer}${path}`)).status).toBe(404)
  })

  test('a Bearer token that means nothing here does no harm', async () => {
    expect((await register(host, { redirect_uris: [CALLBACK] }, { token: 'whatever' })).status).toBe(201)
  })

  test('oauth4webapi registers', async () => {
    const as = { issuer: host.issuer, registration_endpoint: `${host.issuer}/register` }
    const response = await oauth4webapi.dynamicClientRegistrationRequest(
      as,
      { redirect_uris: [CALLBACK], token_endpoint_auth_method: 'client_secret_post' },
      { [oauth4webapi.allowInsecureRequests]: true },
    )
    const client = await oauth4webapi.processDynamicClientRegistrationResponse(response)
    expect(client).toMatchObject({
      token_endpoint_auth_method: 'client_secret_post',
      client_secret_expires_at: 0,
    })
  })

  test('openid-client registers, and connects', async () => {
    const config = await openid.dynamicClientRegistration(
      new URL(host.issuer),
      {
        redirect_uris: [CALLBACK],
        grant_types: ['authorization_code', 'refresh_token'],
        client_name: 'openid-client',
      },
      undefined,
      { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] },
    )
    const parameters = {
      redirect_uri: CALLBACK,
      scope: 'read',
      code_challenge: CHALLENGE,
      code_challenge_method: 'S256',
      state: 'abc',
    }
    const agent = await signedIn(host, 'alice')
    const page = await agent.follow(openid.buildAuthorizationUrl(config, parameters).href)
    const callback = destination(await decide(agent, page, 'approve'))
    const tokens = await openid.authorizationCodeGrant(config, callback, {
      pkceCodeVerifier: VERIFIER,
      expectedState: 'abc',
    })
    expect(tokens).toMatchObject({ scope: 'read', refresh_token: expect.any(String) })
  })

  test('DCR-10 what is registered at an address of ours is never asked', async () => {
    let connections = 0
    const canary = net
      .createServer((socket) => socket.destroy())
      .on('connection', () => connections++)
      .listen(0)
    await once(canary, 'listening')
    const base = `https://127.0.0.1:${(canary.address() as AddressInfo).port}`
    try {
      const sector = await register(host, {
        redirect_uris: [CALLBACK],
        subject_type: 'pairwise',
        sector_identifier_uri: `${base}/s`,
      })
      expectRefused(sector, 'invalid_client_metadata', /^sector_identifier_uri cannot be fetched/)
      const client = await registered(host, {
        ...{
          redirect_uris: [CALLBACK],
          token_endpoint_auth_method: 'private_key_jwt',
          jwks_uri: `${base}/jwks`,
        },
        ...{ logo_uri: `${base}/logo`, client_uri: `${base}/`, backchannel_logout_uri: `${base}/out` },
      })
      const agent = await signedIn(host, 'alice')
      await agent.follow(
        authorizeUrl(host, { params: { client_id: client.client_id, redirect_uri: CALLBACK } }),
      )
      const assertion = [
        { alg: 'ES256' },
        {
          iss: client.client_id,
          sub: client.client_id,
          aud: host.issuer,
          jti: 'j',
          exp: Math.floor(host.now() / 1000) + 60,
        },
      ]
      const jwt = [
        ...assertion.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')),
        'AAAA',
      ].join('.')
      const asked = await send(host, {
        body: new URLSearchParams({
          ...{ grant_type: 'authorization_code', code: 'x', client_assertion: jwt },
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        }),
      })
      expect(asked.body.error).toBe('temporarily_unavailable')
      expect(connections).toBe(0)
    } finally {
      canary.close()
    }
  })
})
