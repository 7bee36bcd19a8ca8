import { generateKeyPairSync } from 'node:crypto'
import dns from 'node:dns'
import { once } from 'node:events'
import net from 'node:net'
import SQLite from 'better-sqlite3'
import type { OAuthProviderOptions } from '../lib/index.js'
import { Agent, type Form, type Page } from './support/agent.js'
import { expectCode, expectErrorPage, expectErrorRedirect } from './support/answers.js'
import { assertion, withAssertion } from './support/assertions.js'
import { DEVICE_GRANT, decideAs, poll, startDevice } from './support/devices.js'
import { type DocumentSite, documentOf, REDIRECT_URI, startDocumentSite } from './support/documents.js'
import {
  authorizeUrl,
  basic,
  callApi,
  decide,
  getCode,
  postToken,
  signedIn,
  type TokenResponse,
  toConsent,
  VERIFIER,
} from './support/flow.js'
import { type Host, startHost, type User } from './support/host.js'
import { postPar, requestParameters } from './support/pushed.js'

const db = new SQLite(':memory:')
let site: DocumentSite
/** Accepts every URL, also at this machine. */
let host: Host
let ticket = 0

beforeAll(async () => {
  site = await startDocumentSite()
  host = await open()
})
afterAll(async () => {
  await Promise.all([site.close(), host.close()])
  db.close()
})
beforeEach(() => {
  site.requests.length = 0
  host.events.length = 0
  // So that none meets the limits of what the tests before have asked.
  host.advance(61)
})
afterEach(() => {
  site.down(false)
  jest.restoreAllMocks()
})

function open(provider: Partial<OAuthProviderOptions<User>> = {}): Promise<Host> {
  return startHost({
    provider: { store: db, clientMetadataDocuments: 'open', allowPrivateAddresses: true, ...provider },
  })
}

/** A document at a URL of its own. */
function serve(
  changes: Readonly<Record<string, unknown>> = {},
  headers: Record<string, string> = {},
): string {
  return site.serve(`/${++ticket}.json`, documentOf(changes), headers)
}

/** Serves something else at the same URL. */
function change(
  url: string,
  changes: Readonly<Record<string, unknown>>,
  headers: Record<string, string> = {},
): void {
  site.serve(new URL(url).pathname, documentOf(changes), headers)
}

const NO_STORE = { 'cache-control': 'no-store' }

const asked = (client: string, params: Form = {}) => ({
  client,
  params: { redirect_uri: REDIRECT_URI, ...params },
})

function authorize(client: string, params: Form = {}, at = host, agent = new Agent(at)): Promise<Page> {
  return agent.get(authorizeUrl(at, asked(client, params)))
}

/** What the page for an error says, in small print. */
function problemOn(page: Page): string {
  return page.text
    .replace(/<style[\s\S]*?<\/style>/, '')
    .replaceAll('&#39;', "'")
    .replaceAll('&#34;', '"')
}

/** PAGE of CHECKS; answers what it says. */
function expectRefused(page: Page): string {
  expectErrorPage(page, { code: 'invalid_client' })
  return problemOn(page)
}

function isConsent(page: Page): boolean {
  return page.status === 200 && page.text.includes('name="decision"')
}

function exchange(code: string, client_id: string, form: Form = {}): Promise<TokenResponse> {
  const redeemed = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: REDIRECT_URI,
    code_verifier: VERIFIER,
  }
  return postToken(host, { ...redeemed, client_id, ...form }, { client: 'pub' })
}

function refreshed(refresh_token: string, client_id: string, form: Form = {}): Promise<TokenResponse> {
  return postToken(
    host,
    { grant_type: 'refresh_token', refresh_token, client_id, ...form },
    { client: 'pub' },
  )
}

async function tokensOf(client_id: string, form: () => Form = () => ({})): Promise<TokenResponse['body']> {
  const { code } = await getCode(host, asked(client_id))
  const { status, body } = await exchange(code, client_id, form())
  expect([status, body.error_description]).toEqual([200, undefined])
  return body
}

function rows(): number {
  return db.prepare('SELECT count(*) FROM oauth_clients').pluck().get() as number
}

describe('the flow', () => {
  test('CIMD-01 a client whose id is the URL of its document goes the whole way as a public client with PKCE', async () => {
    const client_id = serve()
    const { access_token, refresh_token } = await tokensOf(client_id)
    expect((await callApi(host, '/api/read', access_token)).body).toMatchObject({ clientId: client_id })
    const next = await refreshed(refresh_token, client_id)
    expect(next.status).toBe(200)
    const introspected = await fetch(`${host.issuer}/introspect`, {
      method: 'POST',
      headers: { authorization: basic('conf', 'conf-secret') },
      body: new URLSearchParams({ token: next.body.access_token }),
    })
    expect(introspected.status).toBe(200)
    expect(site.requests).toHaveLength(1)
  })

  test('CIMD-01 without PKCE it gets no code', async () => {
    const page = await authorize(serve(), { code_challenge: undefined }, host, await signedIn(host, 'alice'))
    expectErrorRedirect(host, page, 'invalid_request', { redirectUri: REDIRECT_URI })
  })

  test('CIMD-01 DISC-07 the metadata says so only where it is on', async () => {
    const off = await startHost()
    const at = async ({ issuer }: Host) =>
      (await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json()) as object
    expect(await at(host)).toHaveProperty('client_id_metadata_document_supported', true)
    expect(await at(off)).not.toHaveProperty('client_id_metadata_document_supported')
    await off.close()
  })

  test('it can push its request, and the document counts there too', async () => {
    const client_id = serve()
    const form = requestParameters(host, asked(client_id))
    const proof = { headers: {}, form: { client_id } }
    const { status, body } = await postPar(host, form, { proof })
    expect(status).toBe(201)
    const { agent, page } = await toConsent(host, {
      client: client_id,
      params: {
        ...Object.fromEntries(Object.keys(form).map((name) => [name, undefined])),
        client_id,
        request_uri: String(body.request_uri),
      },
    })
    expectCode(host, await decide(agent, page, 'approve'), { redirectUri: REDIRECT_URI })
    const broken = serve({ client_name: undefined })
    const refused = await postPar(host, requestParameters(host, asked(broken)), {
      proof: { headers: {}, form: { client_id: broken } },
    })
    expect([refused.status, refused.body.error]).toEqual([401, 'invalid_client'])
    expect(refused.body.error_description).toContain('client_name is missing')
  })

  test('a client that is kept pushes what its document allows now, and not what it allowed then', async () => {
    const old = 'https://old.example/cb'
    const client_id = serve({ redirect_uris: [REDIRECT_URI, old] }, NO_STORE)
    await tokensOf(client_id)
    change(client_id, {}, NO_STORE)
    const form = requestParameters(host, asked(client_id, { redirect_uri: old }))
    const { status, body } = await postPar(host, form, { proof: { headers: {}, form: { client_id } } })
    expect([status, body.error]).toEqual([400, 'invalid_request'])
  })

  test('a device waits with it before anything is kept of it, and gets tokens', async () => {
    const client = serve({ grant_types: [DEVICE_GRANT, 'refresh_token'], redirect_uris: [] })
    const before = rows()
    const codes = await startDevice(host, { client })
    expect((await poll(host, codes, { client })).body.error).toBe('authorization_pending')
    expect(rows()).toBe(before)
    await decideAs(host, codes)
    expect(rows()).toBe(before + 1)
    site.down(true)
    host.advance(6)
    expect((await poll(host, codes, { client })).status).toBe(200)
  })

  test('at machine endpoints a site that does not answer is a 503 that may be tried again', async () => {
    const client_id = serve()
    site.down(true)
    const { status, headers, body } = await postPar(host, requestParameters(host, asked(client_id)), {
      proof: { headers: {}, form: { client_id } },
    })
    expect([status, body.error, headers.get('retry-after')]).toEqual([503, 'temporarily_unavailable', '10'])
  })
})

describe('CIMD-02 a client_id that no document can be at', () => {
  test.each([
    ['http', 'http://client.example/meta.json', 'does not begin with https://'],
    [
      'http on this machine, although private addresses are allowed',
      'http://localhost/meta.json',
      'does not begin with https://',
    ],
    ['capitals in the scheme', 'HTTPS://client.example/meta.json', 'does not begin with https://'],
    ['one slash', 'https:/client.example/meta.json', 'does not begin with https://'],
    ['no slash', 'https:client.example/meta.json', 'does not begin with https://'],
    ['no path', 'https://client.example', 'has no path'],
    ['a query in place of a path', 'https://client.example?a=/b', 'has no path'],
    ['the path /', 'https://client.example/', 'has no path'],
    ['a fragment', 'https://client.example/meta.json#f', 'has a fragment'],
    ['an empty fragment', 'https://client.example/meta.json#', 'has a fragment'],
    ['a user', 'https://user@client.example/meta.json', 'user name or password'],
    ['a user and a password', 'https://user:pass@client.example/meta.json', 'user name or password'],
    ['an empty user', 'https://@client.example/meta.json', 'user name or password'],
    ['/./', 'https://client.example/./meta.json', 'has . or .. in its path'],
    ['/../', 'https://client.example/a/../meta.json', 'has . or .. in its path'],
    ['.. at the end', 'https://client.example/a/..', 'has . or .. in its path'],
    ['%2e%2e', 'https://client.example/a/%2e%2e/meta.json', 'has . or .. in its path'],
    ['%2E.', 'https://client.example/a/%2E./meta.json', 'has . or .. in its path'],
    ['a backslash', 'https://client.example\\meta.json', 'character that a URL cannot have'],
    ['a space', 'https://client.example/meta .json', 'character that a URL cannot have'],
    ['a space before', ' https://client.example/meta.json', 'character that a URL cannot have'],
    ['a line break', 'https://client.example/meta.json\n', 'character that a URL cannot have'],
    ['a letter that is not ASCII', 'https://clïent.example/meta.json', 'character that a URL cannot have'],
    ['an empty host', 'https:///meta.json', 'is not written as URLs normally are'],
    ['no host at all', 'https://', 'is not a URL'],
    ['a host with a port that is none', 'https://client.example:99999/meta.json', 'is not a URL'],
    [
      'capitals in the host',
      'https://CLIENT.example/meta.json',
      'Write it as https://client.example/meta.json',
    ],
    [
      'the default port',
      'https://client.example:443/meta.json',
      'Write it as https://client.example/meta.json',
    ],
    ['an encoded host', 'https://cl%69ent.example/meta.json', 'Write it as https://client.example/meta.json'],
    ['more than 2048 characters', `https://client.example/${'a'.repeat(2048)}`, 'more than 2048 characters'],
  ])('%s: a page that says so, and no request', async (_, client_id, problem) => {
    const dialled = jest.spyOn(net, 'connect')
    expect(expectRefused(await authorize(client_id))).toContain(problem)
    const { status, body } = await postPar(host, requestParameters(host, asked(client_id)), {
      proof: { headers: {}, form: { client_id } },
    })
    expect([status, body.error]).toEqual([401, 'invalid_client'])
    expect(dialled).not.toHaveBeenCalled()
    expect(site.requests).toHaveLength(0)
    expect(host.events.map(({ event }) => event.reason)).toContain('client_id_url')
  })

  test('a query and a port are none of these', async () => {
    const client_id = site.serve(`/${++ticket}.json?a=b`, documentOf())
    expect(isConsent((await toConsent(host, asked(client_id))).page)).toBe(true)
  })

  test('ROB every id that looks like a URL is refused with a page, whatever it is', async () => {
    for (const client_id of [
      'https:\0',
      'https://[::1',
      'https://a/%',
      'https://%/',
      'https://a b/',
      'http:',
      'https:#',
    ])
      expectRefused(await authorize(client_id))
  })
})

describe('a document', () => {
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    x: '8G0a0RRuyO6EUQOTpwNpmOEbMpen9-9o3RijpnWe8w8',
    y: 't-txoJUuklhIl2tcGcsRL5ACnps-dXCj-yUlb_mTGR0',
  }
  const byKey = { token_endpoint_auth_method: 'private_key_jwt' }

  test.each<[string, Record<string, unknown>, string]>([
    [
      'another client_id',
      { client_id: 'https://other.example/meta.json' },
      'client_id is not the URL of the document',
    ],
    [
      'a client_id that differs by case',
      { client_id: 'HTTPS://localhost/1.json' },
      'client_id is not the URL',
    ],
    ['a client_id in a list', { client_id: ['https://localhost'] }, 'client_id is not the URL'],
    ['no client_name', { client_name: undefined }, 'client_name is missing'],
    ['an empty client_name', { client_name: '' }, 'client_name is not a string'],
    ['a client_name that is no text', { client_name: { a: 1 } }, 'client_name is not a string'],
    ['no redirect_uris', { redirect_uris: undefined }, 'redirect_uris is missing'],
    ['an empty list of redirect_uris', { redirect_uris: [] }, 'redirect URI (none) is missing'],
    ['redirect_uris that are no list', { redirect_uris: REDIRECT_URI }, 'redirect_uris is not an array'],
    ['CIMD-04 a client_secret', { client_secret: 'x'.repeat(40) }, 'client_secret is in a public document'],
    ['CIMD-04 an empty client_secret', { client_secret: '' }, 'client_secret is in a public document'],
    ['CIMD-04 client_secret_expires_at', { client_secret_expires_at: 0 }, 'client_secret_expires_at is in'],
    ...['client_secret_basic', 'client_secret_post', 'client_secret_jwt'].map(
      (method): [string, Record<string, unknown>, string] => [
        `CIMD-04 ${method}`,
        { token_endpoint_auth_method: method },
        `token_endpoint_auth_method is ${method}, for which a secret would have to be shared`,
      ],
    ),
    [
      'a method that nobody knows',
      { token_endpoint_auth_method: 'magic' },
      'token_endpoint_auth_method is magic',
    ],
    [
      'CIMD-04 a private key',
      { ...byKey, jwks: { keys: [{ ...jwk, d: 'd7nWS34BNRqBDwMKzTmXLFkKigSZT5u5jO5oudwe3pw' }] } },
      'the private part of a key (d)',
    ],
    [
      'CIMD-04 a symmetric key',
      { ...byKey, jwks: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } },
      'a symmetric key',
    ],
    [
      'CIMD-04 a private key of a public client',
      {
        token_endpoint_auth_method: 'none',
        jwks: { keys: [{ ...jwk, d: 'd7nWS34BNRqBDwMKzTmXLFkKigSZT5u5jO5oudwe3pw' }] },
      },
      'the private part of a key (d)',
    ],
    ['private_key_jwt without keys', byKey, 'jwks is missing beside private_key_jwt'],
    ['keys without a method', { jwks: { keys: [jwk] } }, 'token_endpoint_auth_method is missing beside jwks'],
    [
      'keys in two places',
      { ...byKey, jwks: { keys: [jwk] }, jwks_uri: 'https://app.example/jwks' },
      'jwks stands beside jwks_uri',
    ],
    ...[
      'client_uri',
      'logo_uri',
      'policy_uri',
      'tos_uri',
      'jwks_uri',
      'initiate_login_uri',
      'backchannel_logout_uri',
      'sector_identifier_uri',
      'client_uri#de',
      'unknown_uri',
    ].map((name): [string, Record<string, unknown>, string] => [
      `CIMD-04 ${name} over http`,
      { ...byKey, [name]: 'http://localhost/x' },
      `${name} is http`,
    ]),
    ['a logo_uri that is a script', { logo_uri: 'javascript:alert(1)' }, 'logo_uri is not an https URL'],
    ['a tos_uri that is data', { tos_uri: 'data:text/html,x' }, 'tos_uri is not an https URL'],
    ...[
      'javascript:alert(1)',
      'JavaScript:alert(1)',
      'data:text/html,x',
      'vbscript:x',
      'file:///etc/passwd',
      'blob:https://x',
      'about:blank',
      'view-source:https://x',
      'intent://x',
      'https://*.rp.example/*',
      'http://rp.example/cb',
      'https://rp.example/cb#f',
      'https://u:p@rp.example/cb',
      'https://rp.example/cb?code=x',
    ].map((uri): [string, Record<string, unknown>, string] => [
      `RURI-11 the redirect URI ${uri}`,
      { redirect_uris: [REDIRECT_URI, uri] },
      'The redirect URI',
    ]),
    [
      'none of the grant types on offer',
      { grant_types: ['client_credentials', 'implicit'] },
      'grant_types names none that is on offer here',
    ],
    [
      'none of the response types on offer',
      { response_types: ['token', 'id_token'] },
      'response_types names none that is on offer here',
    ],
    ['grant types that are no list', { grant_types: 'authorization_code' }, 'grant_types is not an array'],
    ['contacts that are no list', { contacts: 'x@y.example' }, 'contacts is not an array'],
  ])('with %s is refused on a page that names it, and not kept', async (_, changes, problem) => {
    const client_id = serve(changes)
    expect(expectRefused(await authorize(client_id))).toContain(problem)
    expect(host.events.at(-1)).toMatchObject({
      name: 'authorization.refused',
      event: {
        error: 'invalid_client',
        redirected: false,
        reason: expect.stringMatching(/^document_[a-z_]+$/),
      },
    })
    // CIMD-05: what is invalid is asked for again, also where its headers say that it may be kept.
    change(client_id, {})
    expect((await authorize(client_id)).location).toContain('/login')
    expect(site.requests).toHaveLength(2)
  })

  test.each([
    ['a list', []],
    ['a list of itself', [{ client_id: 'x' }]],
  ])('that is %s is refused', async (_, document) => {
    const client_id = site.serve(`/${++ticket}.json`, document)
    expect(expectRefused(await authorize(client_id))).toContain('document is not a JSON object')
  })

  test.each(['null', '"text"', '1', '[]'])('of %s is refused', async (json) => {
    const client_id = site.serve(`/${++ticket}.json`, (_req, res) =>
      res.writeHead(200, { 'content-type': 'application/json' }).end(json),
    )
    expect(expectRefused(await authorize(client_id))).toContain('document is not a JSON object')
  })

  test('INJ-01 INJ-10 what is wrong is shown as text, and no member reaches a prototype', async () => {
    const evil = '"><svg onload=alert(1)>'
    const client_id = site.serve(`/${++ticket}.json`, (_req, res) =>
      res
        .writeHead(200, { 'content-type': 'application/json' })
        .end(
          `{"__proto__":{"x":1,"client_id":"y"},"client_id":${JSON.stringify(client_idOf())},"client_name":"A","redirect_uris":["${evil.replaceAll('"', '\\"')}"]}`,
        ),
    )
    function client_idOf() {
      return `${site.origin}/${ticket}.json`
    }
    const page = await authorize(client_id)
    expectErrorPage(page, { code: 'invalid_client' })
    expect(page.text).not.toContain('<svg')
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })

  test('says nothing that only the host may say', async () => {
    const client_id = serve({
      skip_consent: true,
      disabled: true,
      verified: true,
      owner_id: 'alice',
      resources: ['https://api.example/'],
      access_token_lifetime: 999_999,
      refresh_token_lifetime: 999_999,
      id_token_lifetime: 9,
      require_pkce: false,
      accept_endpoint_audience: true,
      id_token_claims: 'scopes',
      source: 'user',
      createdAt: 1,
      secret: { plain: 'x' },
      registrationToken: 'x',
      expiresAt: 9e15,
      unknown_member: { deep: [1] },
      software_statement: 'x.y.z',
    })
    const { expires_in } = await tokensOf(client_id)
    expect(expires_in).toBe(3600)
    const client = await host.oauth.clients.get(client_id)
    expect(client).toMatchObject({ skip_consent: false, disabled: false, require_pkce: true })
    for (const name of [
      'verified',
      'owner_id',
      'resources',
      'access_token_lifetime',
      'accept_endpoint_audience',
      'id_token_claims',
      'software_statement',
    ])
      expect(client).not.toHaveProperty(name)
  })

  test('that is written for many servers is taken without what is not on offer here', async () => {
    const client_id = serve({
      grant_types: [
        'authorization_code',
        'refresh_token',
        'client_credentials',
        'implicit',
        'urn:ietf:params:oauth:grant-type:jwt-bearer',
        'urn:openid:params:grant-type:ciba',
      ],
      response_types: ['code', 'code id_token', 'token'],
      scope: 'read mcp:tools offline_access',
      id_token_signed_response_alg: 'HS256',
      subject_type: 'pairwise',
    })
    await tokensOf(client_id)
    expect(await host.oauth.clients.get(client_id)).toMatchObject({
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      scope: 'read offline_access',
    })
    const { body } = await postToken(host, { grant_type: 'client_credentials', client_id }, { client: 'pub' })
    expect(body.error).toBe('unauthorized_client')
  })

  test('whose scopes are all of other servers asks for what it asks for', async () => {
    const client_id = serve({ scope: 'mcp:tools profile:read' })
    expect(isConsent((await toConsent(host, asked(client_id))).page)).toBe(true)
  })
})

describe('CIMD-08 its redirect URIs', () => {
  test('match exactly, but for the port on a loopback address', async () => {
    const client_id = serve({ redirect_uris: [REDIRECT_URI, 'http://127.0.0.1/cb'] })
    for (const redirect_uri of [
      'https://app.example/cb2',
      'https://app.example/cb/',
      'https://evil.example/cb',
      'http://localhost/cb',
      'http://127.0.0.1/other',
    ])
      expectErrorPage(await authorize(client_id, { redirect_uri }))
    expect((await authorize(client_id, { redirect_uri: 'http://127.0.0.1:51004/cb' })).location).toContain(
      '/login',
    )
  })

  test('one that the document drops is refused once its copy is stale, and not before', async () => {
    const old = 'https://old.example/cb'
    const client_id = serve({ redirect_uris: [REDIRECT_URI, old] }, { 'cache-control': 'max-age=60' })
    const first = await authorize(client_id, { redirect_uri: old })
    expect(first.location).toContain('/login')
    change(client_id, {}, { 'cache-control': 'max-age=60' })
    host.advance(59)
    expect((await authorize(client_id, { redirect_uri: old })).location).toContain('/login')
    host.advance(1)
    expectErrorPage(await authorize(client_id, { redirect_uri: old }))
    expect(site.requests).toHaveLength(2)
  })

  test('one that was dropped while its user decided gets no code', async () => {
    const old = 'https://old.example/cb'
    const client_id = serve({ redirect_uris: [REDIRECT_URI, old] }, NO_STORE)
    const { agent, page } = await toConsent(host, asked(client_id, { redirect_uri: old }))
    change(client_id, {}, NO_STORE)
    expectErrorPage(await decide(agent, page, 'approve'))
  })
})

describe('HTTP caching', () => {
  test.each([
    ['max-age=600', 1],
    ['no-store', 3],
    ['no-cache', 3],
  ])('Cache-Control: %s makes it %i requests for three visits', async (value, times) => {
    const client_id = serve({}, { 'cache-control': value })
    for (let visit = 0; visit < 3; visit++) expect((await authorize(client_id)).location).toContain('/login')
    expect(site.requests).toHaveLength(times)
  })

  test('a stale copy is asked about by its ETag, and 304 makes it good again', async () => {
    const headers = { etag: '"v1"', 'cache-control': 'max-age=60' }
    const client_id = serve({}, headers)
    await authorize(client_id)
    site.serve(new URL(client_id).pathname, (_req, res) => res.writeHead(304, headers).end())
    host.advance(61)
    expect((await authorize(client_id)).location).toContain('/login')
    expect(site.requests.at(-1)?.headers['if-none-match']).toBe('"v1"')
    host.advance(30)
    expect((await authorize(client_id)).location).toContain('/login')
    expect(site.requests).toHaveLength(2)
  })

  test('a stale copy does not stand for a document that has become invalid, or is gone', async () => {
    const client_id = serve({}, NO_STORE)
    expect((await authorize(client_id)).location).toContain('/login')
    change(client_id, { client_secret: 'x' }, NO_STORE)
    expectRefused(await authorize(client_id))
    site.down(true)
    expectRefused(await authorize(client_id))
  })

  test('what is good as a key set is not therefore good as a document', async () => {
    const key_uri = site.serve(`/${++ticket}.txt`, (_req, res) =>
      res
        .writeHead(200, { 'content-type': 'text/plain' })
        .end(JSON.stringify({ ...documentOf(), client_id: `${site.origin}/${ticket}.txt`, keys: [] })),
    )
    const client_id = serve({ token_endpoint_auth_method: 'private_key_jwt', jwks_uri: key_uri })
    const proof = { headers: {}, form: withAssertion(assertion(host, { client: client_id })) }
    expect((await postPar(host, requestParameters(host, asked(client_id)), { proof })).body.error).toBe(
      'invalid_client',
    )
    expect(site.requests.map(({ url }) => url)).toContain(new URL(key_uri).pathname)
    expect(expectRefused(await authorize(key_uri))).toContain('another media type')
  })
})

describe('a client that a user has approved', () => {
  test('is kept then, and not before: whoever only asks leaves nothing behind', async () => {
    const before = rows()
    const client_id = serve()
    const { agent, page } = await toConsent(host, asked(client_id))
    expect(await decide(agent, page, 'deny')).toMatchObject({ status: 303 })
    expect(rows()).toBe(before)
    await getCode(host, asked(client_id))
    expect(rows()).toBe(before + 1)
    expect(host.events.filter(({ name }) => name === 'client.changed')).toEqual([
      { name: 'client.changed', event: { clientId: client_id, change: 'created', by: 'client' } },
    ])
  })

  test('is forgotten after a day without a token, and stays with one', async () => {
    const idle = serve()
    const used = serve()
    await getCode(host, asked(idle))
    await tokensOf(used)
    host.advance(86_401)
    await host.oauth.purge()
    expect(await host.oauth.clients.get(idle)).toBeUndefined()
    expect(await host.oauth.clients.get(used)).toBeDefined()
  })

  test('approved once more, it has the whole day again', async () => {
    const client_id = serve()
    await getCode(host, asked(client_id))
    host.advance(80_000)
    const { code } = await getCode(host, asked(client_id))
    host.advance(30)
    await host.oauth.purge()
    expect((await exchange(code, client_id)).status).toBe(200)
  })

  test('goes on while its site is down, and nobody new connects', async () => {
    const client_id = serve({ post_logout_redirect_uris: ['https://app.example/bye'] })
    const { access_token, refresh_token } = await tokensOf(client_id)
    site.down(true)
    host.advance(86_400)
    const next = await refreshed(refresh_token, client_id)
    expect(next.status).toBe(200)
    expect((await callApi(host, '/api/read', next.body.access_token)).status).toBe(200)
    expect((await callApi(host, '/api/read', access_token)).status).toBe(401)
    expect(expectRefused(await authorize(client_id))).toContain('No secure connection')
    const listed = await (await signedIn(host, 'alice')).get(`${host.issuer}/authorized-applications`)
    expect(listed.text).toContain('Document App')
  })

  test('whose site does not answer at all keeps no token request waiting', async () => {
    const client_id = serve({}, NO_STORE)
    const { refresh_token } = await tokensOf(client_id)
    let asked = () => {}
    const wasAsked = new Promise<void>((resolve) => {
      asked = resolve
    })
    const held: (() => void)[] = []
    site.serve(new URL(client_id).pathname, (_req, res) => {
      held.push(() => res.destroy())
      asked()
    })
    host.advance(61)
    expect((await refreshed(refresh_token, client_id)).status).toBe(200)
    await wasAsked
    for (const release of held) release()
  })

  test('that says something else later is kept as that, without being asked for at each token', async () => {
    const client_id = serve({}, NO_STORE)
    let { refresh_token } = await tokensOf(client_id)
    change(client_id, { client_name: 'Renamed' }, NO_STORE)
    site.requests.length = 0
    host.advance(61)
    const noticed = once(host.oauth.events, 'client.changed')
    for (let time = 0; time < 5; time++) {
      const { body } = await refreshed(refresh_token, client_id)
      refresh_token = body.refresh_token
    }
    await noticed
    expect(site.requests).toHaveLength(1)
    expect(await host.oauth.clients.get(client_id)).toMatchObject({ client_name: 'Renamed' })
    expect(host.events).toContainEqual({
      name: 'client.changed',
      event: { clientId: client_id, change: 'updated', by: 'client' },
    })
  })

  test('and that the host blocks is blocked, whatever its document says', async () => {
    const client_id = serve({}, NO_STORE)
    const { refresh_token } = await tokensOf(client_id)
    await host.oauth.clients.update(client_id, { disabled: true })
    site.requests.length = 0
    const page = await authorize(client_id)
    expectErrorPage(page)
    expect(page.text).toContain('not known here')
    const refused = await refreshed(refresh_token, client_id)
    expect([refused.status, refused.body.error]).toEqual([401, 'invalid_client'])
    expect(
      (
        await postPar(host, requestParameters(host, asked(client_id)), {
          proof: { headers: {}, form: { client_id } },
        })
      ).status,
    ).toBe(401)
    expect(site.requests).toHaveLength(0)
    await host.oauth.clients.update(client_id, { disabled: false })
    expect((await authorize(client_id)).location).toContain('/login')
  })

  test('keeps what the host has said of it when its document changes, and the host says nothing that is in the document', async () => {
    const client_id = serve({ scope: 'read' }, NO_STORE)
    const { refresh_token } = await tokensOf(client_id)
    const before = await host.oauth.clients.get(client_id)
    for (const changes of [
      { client_name: 'Another' },
      { redirect_uris: ['https://other.example/cb'] },
      { 'client_name#de': 'Anders' },
    ]) {
      const [name] = Object.keys(changes)
      await expect(host.oauth.clients.update(client_id, changes)).rejects.toMatchObject({
        code: 'invalid_client_metadata',
        message: expect.stringContaining(
          `${name} is what the document at the client_id says. Change it there`,
        ),
      })
    }
    expect(await host.oauth.clients.get(client_id)).toEqual(before)
    // What it names in its document limits nothing: its users decide.
    const { code } = await getCode(host, asked(client_id, { scope: 'read write' }))
    expect((await exchange(code, client_id)).body.scope ?? 'read write').toBe('read write')
    // What the host has been given may be handed back.
    const { client_id: _, ...same } = before ?? {}
    await host.oauth.clients.update(client_id, same)
    const said = { id_token_claims: 'scopes', access_token_lifetime: 77, verified: true } as const
    await host.oauth.clients.update(client_id, said)
    change(client_id, { client_name: 'Renamed', scope: 'read' }, NO_STORE)
    host.advance(61)
    const noticed = once(host.oauth.events, 'client.changed')
    expect((await refreshed(refresh_token, client_id)).status).toBe(200)
    await noticed
    expect(await host.oauth.clients.get(client_id)).toMatchObject({ client_name: 'Renamed', ...said })
  })

  test('keeps it also when a user approves it anew', async () => {
    const client_id = serve({}, NO_STORE)
    await tokensOf(client_id)
    await host.oauth.clients.update(client_id, { verified: true, access_token_lifetime: 77 })
    change(client_id, { client_name: 'Renamed' }, NO_STORE)
    const { agent, page } = await toConsent(host, asked(client_id, { prompt: 'consent' }))
    expect(page.text).toContain('Renamed')
    await decide(agent, page, 'approve')
    expect(await host.oauth.clients.get(client_id)).toMatchObject({
      client_name: 'Renamed',
      verified: true,
      access_token_lifetime: 77,
    })
  })

  test('and that the host deletes has no access any more, and may ask anew', async () => {
    const client_id = serve()
    const { access_token, refresh_token } = await tokensOf(client_id)
    await host.oauth.clients.delete(client_id)
    expect((await callApi(host, '/api/read', access_token)).status).toBe(401)
    expect((await refreshed(refresh_token, client_id)).body.error).toBe('invalid_grant')
    expect(isConsent((await toConsent(host, asked(client_id))).page)).toBe(true)
  })
})

describe('private_key_jwt', () => {
  const newKey = (kid: string) => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    return { jwk: { ...publicKey.export({ format: 'jwk' }), kid }, privateKey, kid }
  }
  const documentWith = (...keys: ReturnType<typeof newKey>[]) => ({
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: keys.map(({ jwk }) => jwk) },
  })
  const proofBy = (client: string, { privateKey: signer, kid }: ReturnType<typeof newKey>): Form => ({
    ...withAssertion(assertion(host, { client, signer, header: { kid } })),
  })

  test('a client that names its keys has to prove itself by them', async () => {
    const key = newKey('one')
    const client_id = serve(documentWith(key))
    const { code } = await getCode(host, asked(client_id))
    expect((await exchange(code, client_id)).body.error).toBe('invalid_client')
    expect((await exchange(code, client_id, proofBy(client_id, newKey('one')))).body.error).toBe(
      'invalid_client',
    )
    expect((await exchange(code, client_id, proofBy(client_id, key))).status).toBe(200)
  })

  test('a new key counts at once, an old one no more once the document has been seen without it', async () => {
    const [one, two] = [newKey('one'), newKey('two')]
    const client_id = serve(documentWith(one))
    const { refresh_token } = await tokensOf(client_id, () => proofBy(client_id, one))
    change(client_id, documentWith(two))
    host.advance(10)
    const next = await refreshed(refresh_token, client_id, proofBy(client_id, two))
    expect([next.status, next.body.error_description]).toEqual([200, undefined])
    const refused = await refreshed(next.body.refresh_token, client_id, proofBy(client_id, one))
    expect([refused.status, refused.body.error]).toEqual([401, 'invalid_client'])
  })

  test('a wrong signature asks the site once in a while, and not each time', async () => {
    const one = newKey('one')
    const client_id = serve(documentWith(one))
    const { refresh_token } = await tokensOf(client_id, () => proofBy(client_id, one))
    site.requests.length = 0
    for (let time = 0; time < 5; time++)
      expect((await refreshed(refresh_token, client_id, proofBy(client_id, newKey('one')))).status).toBe(401)
    expect(site.requests).toHaveLength(1)
  })

  test('the keys that are kept count while its site is down', async () => {
    const one = newKey('one')
    const client_id = serve(documentWith(one))
    const { refresh_token } = await tokensOf(client_id, () => proofBy(client_id, one))
    site.down(true)
    host.advance(3600)
    expect((await refreshed(refresh_token, client_id, proofBy(client_id, newKey('two')))).status).toBe(401)
    expect((await refreshed(refresh_token, client_id, proofBy(client_id, one))).status).toBe(200)
  })
})

describe('CIMD-11 who comes first', () => {
  test('a client of the option clients with the same URL wins, and nothing is fetched', async () => {
    const url = serve({ client_name: 'From the document' })
    const own = await open({
      store: ':memory:',
      clients: [{ client_id: url, client_name: 'From the host', redirect_uris: ['https://host.example/cb'] }],
    })
    const { page } = await toConsent(own, {
      client: url,
      params: { redirect_uri: 'https://host.example/cb' },
    })
    expect(page.text).toContain('From the host')
    expectErrorPage(await authorize(url, {}, own))
    expect(site.requests).toHaveLength(0)
    await own.close()
  })

  test('a client that the host has created with the same URL wins, also disabled', async () => {
    const url = serve()
    await host.oauth.clients.create({
      client_id: url,
      client_name: 'Created',
      redirect_uris: ['https://host.example/cb'],
    })
    expectErrorPage(await authorize(url))
    await host.oauth.clients.update(url, { disabled: true })
    expectErrorPage(await authorize(url))
    expect(site.requests).toHaveLength(0)
  })

  test('with the option off a URL is an unknown client, also one that was kept, and nothing is fetched', async () => {
    const url = serve()
    const { refresh_token } = await tokensOf(url)
    site.requests.length = 0
    const off = await open({ clientMetadataDocuments: false })
    const page = await authorize(url, {}, off)
    expectErrorPage(page)
    expect(page.text).toContain('not known here')
    const refused = await postToken(
      off,
      { grant_type: 'refresh_token', refresh_token, client_id: url },
      { client: 'pub' },
    )
    expect([refused.status, refused.body.error]).toEqual([401, 'invalid_client'])
    expect(site.requests).toHaveLength(0)
    await off.close()
  })

  test('a site that the host lets in no more is not asked by anybody, its clients are unknown, and come back with it', async () => {
    const isLetIn = { now: true }
    const own = await open({ store: ':memory:', clientMetadataDocuments: async () => isLetIn.now })
    const url = serve({}, NO_STORE)
    const { code } = await getCode(own, asked(url))
    const form = { client_id: url, redirect_uri: REDIRECT_URI, code_verifier: VERIFIER }
    const { body } = await postToken(
      own,
      { grant_type: 'authorization_code', code, ...form },
      { client: 'pub' },
    )
    const again = () =>
      postToken(
        own,
        { grant_type: 'refresh_token', refresh_token: body.refresh_token, client_id: url },
        { client: 'pub' },
      )
    isLetIn.now = false
    own.advance(61)
    site.requests.length = 0
    const refused = await again()
    expect([refused.status, refused.body.error]).toEqual([401, 'invalid_client'])
    expect(refused.body.error_description).toContain('Only applications of certain sites are let in here')
    // The access token that it has ends when it expires, as that of a disabled client does.
    expect((await callApi(own, '/api/read', body.access_token)).status).toBe(200)
    expect(expectRefused(await authorize(url, {}, own))).toContain('let in')
    expect(site.requests).toHaveLength(0)
    isLetIn.now = true
    expect((await callApi(own, '/api/read', body.access_token)).status).toBe(200)
    expect((await again()).status).toBe(200)
    await own.close()
  })

  test.each([['yes'], [1], [{}], [undefined]])(
    'an answer of the hook that is %p lets nobody in',
    async (answer) => {
      const own = await open({ store: ':memory:', clientMetadataDocuments: () => answer as boolean })
      const page = await authorize(serve(), {}, own)
      // What the host's own code threw goes to its error handler.
      expect([page.status, page.location]).toEqual([500, undefined])
      expect(site.requests).toHaveLength(0)
      const errors = own.events.filter(({ name }) => name === 'server.error').map(({ event }) => event.error)
      expect(errors.map(String)).toEqual([expect.stringMatching(/^TypeError: .* Return true or false\.$/)])
      await own.close()
    },
  )

  test('the hook is asked before anything is looked up, with the URL, and its word counts', async () => {
    const seen: string[] = []
    const dialled = jest.spyOn(net, 'connect')
    const lookups = jest.spyOn(dns, 'lookup')
    const own = await open({
      clientMetadataDocuments: async (url) => {
        seen.push(`${url.href} after ${dialled.mock.calls.length} requests`)
        return url.pathname.includes('good')
      },
    })
    expect(expectRefused(await authorize('https://client.example/bad.json', {}, own))).toContain('let in')
    expect(lookups.mock.calls.filter(([name]) => name === 'client.example')).toEqual([])
    const good = site.serve('/good.json', documentOf())
    expect((await authorize(good, {}, own)).location).toContain('/login')
    expect(seen).toEqual(['https://client.example/bad.json after 0 requests', `${good} after 0 requests`])
    await own.close()
  })

  test('a list of hosts lets in these hosts only, port included', async () => {
    const good = serve()
    const own = await open({ clientMetadataDocuments: [new URL(site.origin).host] })
    expect((await authorize(good, {}, own)).location).toContain('/login')
    for (const url of [
      'https://localhost/a.json',
      'https://localhost.evil.example/a.json',
      'https://evil.example/a.json',
    ])
      expect(expectRefused(await authorize(url, {}, own))).toContain('let in')
    await own.close()
  })
})

describe('nobody makes us hammer another site', () => {
  test('who ends a token, or looks at one, has nothing fetched: before it is kept a client has none', async () => {
    const client_id = serve()
    for (const path of ['/revoke', '/introspect']) {
      const body = new URLSearchParams({ token: 'none', client_id })
      const answer = await fetch(host.issuer + path, { method: 'POST', body })
      expect([path, answer.status]).toEqual([path, 401])
    }
    expect(site.requests).toHaveLength(0)
  })

  test('a sector is confirmed where a document has come from its site, and not at each request', async () => {
    const client_id = serve()
    const sector = site.serve('/sector.json', [REDIRECT_URI])
    change(client_id, { sector_identifier_uri: sector }, { 'cache-control': 'max-age=600' })
    const ofSector = () => site.requests.filter(({ url }) => url === '/sector.json')
    const { agent, page } = await toConsent(host, asked(client_id))
    // Longer than any cache passes over a list for.
    host.advance(30)
    await agent.get(page.url)
    host.advance(30)
    await decide(agent, page, 'approve')
    expect(ofSector()).toHaveLength(1)
    site.serve('/sector.json', ['https://other.example/cb'])
    host.advance(601)
    expect(expectRefused(await authorize(client_id))).toContain('does not list')
    expect(ofSector()).toHaveLength(2)
  })

  test('a host is asked 200 times a minute for strangers, and clients that users have approved are not shut out by that', async () => {
    const known = serve({}, NO_STORE)
    await tokensOf(known)
    host.advance(61)
    site.requests.length = 0
    const answers = await Promise.all(
      Array.from({ length: 210 }, (_, index) => authorize(`${site.origin}/none-${ticket}-${index}.json`)),
    )
    expect(site.requests.filter(({ url }) => url?.startsWith('/none-'))).toHaveLength(200)
    expect(answers.filter((page) => page.text.includes('too many have been'))).toHaveLength(10)
    expect((await authorize(known)).location).toContain('/login')
    expect(site.requests.at(-1)?.url).toBe(new URL(known).pathname)
    host.advance(61)
    expect((await authorize(serve())).location).toContain('/login')
  })
})

describe('who is asked, and who is told', () => {
  test('UI-10 K-28 a client that came by its document is asked about every time, and prompt=none is consent_required', async () => {
    const client_id = serve()
    const { agent } = await getCode(host, asked(client_id))
    expect(isConsent((await toConsent(host, { ...asked(client_id), agent })).page)).toBe(true)
    const silent = await authorize(client_id, { prompt: 'none' }, host, agent)
    expectErrorRedirect(host, silent, 'consent_required', { redirectUri: REDIRECT_URI })
  })

  test('once the host has verified it, consent is remembered', async () => {
    const client_id = serve()
    const { agent } = await getCode(host, asked(client_id))
    await host.oauth.clients.update(client_id, { verified: true })
    expectCode(host, await authorize(client_id, {}, host, agent), { redirectUri: REDIRECT_URI })
    expectCode(host, await authorize(client_id, { prompt: 'none' }, host, agent), {
      redirectUri: REDIRECT_URI,
    })
  })

  test('what the host has verified is another thing once its document names other hosts to send users to', async () => {
    const client_id = serve({}, NO_STORE)
    const { agent } = await getCode(host, asked(client_id))
    await host.oauth.clients.update(client_id, { verified: true })
    const remembered = async () => !isConsent((await toConsent(host, { ...asked(client_id), agent })).page)
    const sibling = new URL('/other', REDIRECT_URI).href
    change(client_id, { client_name: 'Renamed', redirect_uris: [REDIRECT_URI, sibling] }, NO_STORE)
    expect(await remembered()).toBe(true)
    for (const elsewhere of ['https://evil.example/cb', 'http://127.0.0.1/cb', 'com.evil:/cb']) {
      await host.oauth.clients.update(client_id, { verified: true })
      change(client_id, { redirect_uris: [REDIRECT_URI, elsewhere] }, NO_STORE)
      host.advance(61)
      expect(await remembered()).toBe(false)
      // It does not come back with the document as it was.
      change(client_id, {}, NO_STORE)
      host.advance(61)
      expect(await remembered()).toBe(false)
      expect(await host.oauth.clients.get(client_id)).toMatchObject({ verified: false })
    }
  })

  test('also with skip_consent it is asked about until it is verified', async () => {
    const client_id = serve()
    const { agent } = await getCode(host, asked(client_id))
    await host.oauth.clients.update(client_id, { skip_consent: true })
    expect(isConsent((await toConsent(host, { ...asked(client_id), agent })).page)).toBe(true)
  })

  test.each([
    ['a scope that is none', { scope: 'no-such-scope' }, 'invalid_scope'],
    ['no PKCE', { code_challenge: undefined }, 'invalid_request'],
    ['another response type', { response_type: 'token' }, 'unsupported_response_type'],
  ])('K-10 INJ-09 the error for %s goes nowhere before a user has signed in', async (_, params, code) => {
    const client_id = serve()
    const page = await authorize(client_id, params)
    expectErrorPage(page, { code })
    expect(page.text).not.toContain('https://app.example')
    const withUser = await authorize(client_id, params, host, await signedIn(host, 'alice'))
    expectErrorRedirect(host, withUser, code, { redirectUri: REDIRECT_URI })
  })

  test.each([
    ['a scope that is none', { scope: 'no-such-scope' }, 'invalid_scope'],
    ['no PKCE', { code_challenge: undefined }, 'invalid_request'],
    ['another response type', { response_type: 'token' }, 'unsupported_response_type'],
    ['another prompt beside it', { prompt: 'none login' }, 'invalid_request'],
  ])('K-10 INJ-09 prompt=none sends nobody anywhere with the error for %s', async (_, params, code) => {
    const page = await authorize(serve(), { prompt: 'none', ...params })
    expectErrorPage(page, { code })
    expect(page.text).not.toContain('https://app.example')
  })

  test('K-10 prompt=none of a right request is answered at once, as it has to be', async () => {
    const page = await authorize(serve(), { prompt: 'none' })
    expectErrorRedirect(host, page, 'login_required', { redirectUri: REDIRECT_URI })
  })

  test('K-10 a client that the host has registered, or verified, is told at once', async () => {
    const registered = await new Agent(host).get(authorizeUrl(host, { params: { scope: 'no-such-scope' } }))
    expectErrorRedirect(host, registered, 'invalid_scope')
    const client_id = serve()
    await tokensOf(client_id)
    await host.oauth.clients.update(client_id, { verified: true })
    const page = await authorize(client_id, { scope: 'no-such-scope' })
    expectErrorRedirect(host, page, 'invalid_scope', { redirectUri: REDIRECT_URI })
  })

  test('K-10 a failure of ours is no way to another site either', async () => {
    const client_id = serve()
    const agent = await signedIn(host, 'alice')
    // findUser of the host: nobody knows who is at the browser.
    const fails = jest.spyOn(host.users, 'get').mockImplementation(() => {
      throw new Error('no users now')
    })
    for (const prompt of [undefined, 'none']) {
      const failed = await authorize(client_id, { prompt }, host, agent)
      expect([failed.status, failed.location]).toEqual([500, undefined])
    }
    fails.mockRestore()
    // The store, where the request would be put aside for its user to come.
    db.exec("CREATE TRIGGER fails BEFORE INSERT ON oauth_records BEGIN SELECT RAISE(ABORT, 'no room'); END")
    const page = await authorize(client_id)
    db.exec('DROP TRIGGER fails')
    expect(page.status).toBeGreaterThanOrEqual(500)
    expect(page.location).toBeUndefined()
    expect((await authorize(client_id)).location).toContain('/login')
  })
})

test('INJ-08 the URL of a client id is never a place to go to', async () => {
  const client_id = serve()
  const pages = [
    await authorize(client_id),
    await authorize(client_id, { redirect_uri: undefined, scope: 'openid' }),
  ]
  for (const { location, headers } of pages) {
    expect(location?.startsWith(host.origin) ?? true).toBe(true)
    expect(headers.get('refresh')).toBeNull()
  }
})

test('a port that nobody listens at is a page', async () => {
  const closed = net.createServer().listen(0)
  const { port } = closed.address() as net.AddressInfo
  closed.close()
  expect(expectRefused(await authorize(`https://localhost:${port}/c.json`))).toContain('cannot be reached')
})
