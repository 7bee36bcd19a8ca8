import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ClientMetadata } from '../lib/index.js'
import { DEVICE_GRANT } from './support/devices.js'
import { type Host, startHost } from './support/host.js'
import { rsaKey } from './support/rsa-keys.js'

const CALLBACK = 'https://shop.example/cb'
const SALT = 'a-salt-for-pairwise-subjects-of-32-or-more'

let host: Host
let plain: Host
beforeAll(async () => {
  const provider = { pairwiseSalt: SALT, secret: 'the-secret-of-this-host-that-encrypts-at-rest' }
  host = await startHost({ provider })
  plain = await startHost()
})
afterAll(async () => {
  await host.close()
  await plain.close()
})

function publicKey(type: 'rsa' | 'ec' | 'ed25519' | 'ed448' | 'x25519', options: object = {}) {
  return jwksOf(generateKeyPairSync(type as 'ec', options as { namedCurve: string }))
}

function jwksOf({ publicKey, privateKey }: ReturnType<typeof rsaKey>) {
  return { jwk: publicKey.export({ format: 'jwk' }), key: privateKey.export({ format: 'jwk' }) }
}

const ec = publicKey('ec', { namedCurve: 'P-256' })
const rsa = jwksOf(rsaKey())
const ed = publicKey('ed25519')

describe('every field is kept, given back, and left as it is by an update of another', () => {
  const all: readonly ClientMetadata[] = [
    {
      id_token_signed_response_alg: 'ES256',
      userinfo_signed_response_alg: 'EdDSA',
      id_token_claims: 'scopes',
      subject_type: 'pairwise',
      default_max_age: 0,
      require_auth_time: true,
      post_logout_redirect_uris: ['https://shop.example/bye?code=x&iss=y', 'http://localhost:3000/bye'],
      backchannel_logout_uri: 'https://shop.example/logout?x=1',
      backchannel_logout_session_required: true,
      initiate_login_uri: 'https://shop.example/login',
      jwks_uri: 'https://shop.example/jwks',
    },
    {
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'PS256',
      accept_endpoint_audience: true,
      jwks: { keys: [{ ...rsa.jwk, kid: 'a', use: 'sig', key_ops: ['verify'], x5t: 'kept' }] },
      subject_type: 'public',
      id_token_claims: 'minimal',
      require_auth_time: false,
      post_logout_redirect_uris: [],
      require_pkce: false,
    },
    { token_endpoint_auth_method: 'client_secret_jwt', token_endpoint_auth_signing_alg: 'HS512' },
    { token_endpoint_auth_method: 'none', jwks: { keys: [ec.jwk, ed.jwk, rsa.jwk] }, default_max_age: 3600 },
  ]
  test.each(all)('%j', async (fields) => {
    const metadata = { redirect_uris: [CALLBACK], ...fields }
    const { client_secret, ...created } = await host.oauth.clients.create(metadata)
    expect(created).toMatchObject(metadata)
    expect(typeof client_secret).toBe(
      ['none', 'private_key_jwt'].includes(fields.token_endpoint_auth_method ?? '') ? 'undefined' : 'string',
    )
    expect(await host.oauth.clients.get(created.client_id)).toEqual(created)
    expect(await host.oauth.clients.update(created.client_id, { client_name: 'Other' })).toEqual({
      ...created,
      client_name: 'Other',
    })
  })

  test('what is not named is not there', async () => {
    const { client_secret: _, ...created } = await host.oauth.clients.create({ redirect_uris: [CALLBACK] })
    expect(Object.keys(created).sort()).toEqual([
      ...['client_id', 'client_id_issued_at', 'client_name', 'disabled', 'grant_types', 'redirect_uris'],
      ...['require_pkce', 'response_types', 'skip_consent'],
    ])
  })

  test('an update with undefined takes a field away, and keys may move to a jwks_uri', async () => {
    const { client_id } = await host.oauth.clients.create({
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [ec.jwk] },
      redirect_uris: [CALLBACK],
    })
    const changes = { jwks: undefined, jwks_uri: 'https://shop.example/jwks' }
    const updated = await host.oauth.clients.update(client_id, changes as never)
    expect(updated.jwks_uri).toBe('https://shop.example/jwks')
    expect(updated).not.toHaveProperty('jwks')
    await expect(host.oauth.clients.update(client_id, { jwks_uri: undefined } as never)).rejects.toThrow(
      /jwks is missing beside private_key_jwt/,
    )
  })
})

const refused: readonly (readonly [string, ClientMetadata, RegExp])[] = (
  [
    ['id_token_signed_response_alg none', { id_token_signed_response_alg: 'none' }, /RS256, ES256, EdDSA/],
    ['id_token_signed_response_alg HS256', { id_token_signed_response_alg: 'HS256' }, /RS256, ES256, EdDSA/],
    ['userinfo_signed_response_alg none', { userinfo_signed_response_alg: 'none' }, /RS256, ES256, EdDSA/],
    ['userinfo_signed_response_alg no string', { userinfo_signed_response_alg: 5 }, /not a string/],
    ['id_token_claims', { id_token_claims: 'all' }, /minimal, scopes/],
    ['subject_type', { subject_type: 'private' }, /public, pairwise/],
    [
      'subject_type pairwise with two hosts',
      { subject_type: 'pairwise', redirect_uris: [CALLBACK, 'https://print.example/cb'] },
      /not on one host.*sector_identifier_uri/,
    ],
    [
      'subject_type pairwise with an app beside a site',
      { subject_type: 'pairwise', redirect_uris: [CALLBACK, 'app:/cb'], token_endpoint_auth_method: 'none' },
      /not on one host/,
    ],
    [
      'sector_identifier_uri http',
      { sector_identifier_uri: 'http://shop.example/s' },
      /allowPrivateAddresses/,
    ],
    ['sector_identifier_uri no URL', { sector_identifier_uri: 'shop.example' }, /not an https URL/],
    ['default_max_age negative', { default_max_age: -1 }, /whole number, 0 or more/],
    ['default_max_age a fraction', { default_max_age: 0.5 }, /whole number/],
    ['default_max_age a string', { default_max_age: '60' }, /whole number/],
    ['default_max_age endless', { default_max_age: Infinity }, /whole number/],
    ['require_auth_time', { require_auth_time: 'true' }, /true nor false/],
    ['backchannel_logout_session_required', { backchannel_logout_session_required: 1 }, /true nor false/],
    ['accept_endpoint_audience', { accept_endpoint_audience: 'yes' }, /true nor false/],
    ['post_logout_redirect_uris a string', { post_logout_redirect_uris: CALLBACK }, /array of strings/],
    // biome-ignore lint/suspicious/noSparseArray: this is what is tested
    ['post_logout_redirect_uris sparse', { post_logout_redirect_uris: [CALLBACK, ,] }, /array of strings/],
    [
      'post_logout_redirect_uris javascript',
      { post_logout_redirect_uris: ['javascript:alert(1)'] },
      /scheme/,
    ],
    ['post_logout_redirect_uris http', { post_logout_redirect_uris: ['http://shop.example/'] }, /https/],
    ['post_logout_redirect_uris fragment', { post_logout_redirect_uris: [`${CALLBACK}#x`] }, /fragment/],
    ['post_logout_redirect_uris wildcard', { post_logout_redirect_uris: ['https://*.example/'] }, /wildcard/],
    ['post_logout_redirect_uris state', { post_logout_redirect_uris: [`${CALLBACK}?state=x`] }, /state/],
    ['post_logout_redirect_uris app', { post_logout_redirect_uris: ['app:/bye'] }, /only public clients/],
    ['backchannel_logout_uri http', { backchannel_logout_uri: 'http://shop.example/l' }, /https/],
    ['backchannel_logout_uri javascript', { backchannel_logout_uri: 'javascript:alert(1)' }, /https/],
    ['backchannel_logout_uri fragment', { backchannel_logout_uri: 'https://shop.example/l#x' }, /fragment/],
    ['backchannel_logout_uri password', { backchannel_logout_uri: 'https://a:b@shop.example/' }, /password/],
    ['initiate_login_uri http', { initiate_login_uri: 'http://shop.example/login' }, /https/],
    ['initiate_login_uri loopback http', { initiate_login_uri: 'http://localhost/login' }, /https/],
    ['initiate_login_uri javascript', { initiate_login_uri: 'javascript:alert(1)' }, /https/],
    ['initiate_login_uri data', { initiate_login_uri: 'data:text/html,x' }, /https/],
    ['policy_uri javascript', { policy_uri: 'javascript:alert(1)' }, /https/],
    ['tos_uri data', { tos_uri: 'data:text/html,x' }, /https/],
    ['jwks_uri javascript', { jwks_uri: 'javascript:alert(1)' }, /https/],
    ['jwks_uri data', { jwks_uri: 'data:application/json,{}' }, /https/],
    ['jwks_uri http', { jwks_uri: 'http://shop.example/jwks' }, /https.*allowPrivateAddresses/],
    ['jwks_uri file', { jwks_uri: 'file:///etc/passwd' }, /https/],
    ['jwks_uri with a line break', { jwks_uri: 'https://shop.example/\njwks' }, /https/],
    ['jwks_uri without slashes', { jwks_uri: 'https:shop.example/jwks' }, /https/],
    ['jwks beside jwks_uri', { jwks: { keys: [ec.jwk] }, jwks_uri: 'https://shop.example/jwks' }, /jwks_uri/],
    ['token_endpoint_auth_signing_alg none', { token_endpoint_auth_signing_alg: 'none' }, /RS256/],
    [
      'private_key_jwt with HS256',
      {
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'HS256',
        jwks: { keys: [ec.jwk] },
      },
      /token_endpoint_auth_signing_alg is HS256/,
    ],
    [
      'client_secret_jwt with RS256',
      { token_endpoint_auth_method: 'client_secret_jwt', token_endpoint_auth_signing_alg: 'RS256' },
      /HS256, HS384, HS512/,
    ],
    [
      'token_endpoint_auth_method private_key_jwt without keys',
      { token_endpoint_auth_method: 'private_key_jwt' },
      /jwks is missing.*jwks_uri/,
    ],
    [
      'token_endpoint_auth_method private_key_jwt beside a secret',
      { token_endpoint_auth_method: 'private_key_jwt', client_secret: 'x', jwks: { keys: [ec.jwk] } },
      /private_key_jwt beside a client_secret/,
    ],
    [
      'jwks without a key for the algorithm',
      {
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'RS256',
        jwks: { keys: [ec.jwk] },
      },
      /jwks has no key for RS256/,
    ],
    ...(
      [
        ['ES384', 'P-256'],
        ['ES256', 'P-384'],
        ['ES512', 'P-384'],
      ] as const
    ).map(([alg, namedCurve]) => [
      `jwks with a key on ${namedCurve} for ${alg}`,
      {
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: alg,
        jwks: { keys: [publicKey('ec', { namedCurve }).jwk] },
      },
      new RegExp(`jwks has no key for ${alg}`),
    ]),
    [
      'jwks with more than 50 keys',
      { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: Array(51).fill(ec.jwk) } },
      /jwks has more than 50 keys/,
    ],
    [
      'jwks with keys for encryption only',
      { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ ...rsa.jwk, use: 'enc' }] } },
      /jwks has no key for signatures/,
    ],
  ] as [string, object, RegExp][]
).map(([name, fields, message]) => [name, { redirect_uris: [CALLBACK], ...fields }, message])

describe('DCR-04 DCR-05 a field that cannot work is refused and named, and nothing is stored', () => {
  test.each(refused)('%s', async (name, metadata, message) => {
    const known = (await host.oauth.clients.list()).length
    const refusal = host.oauth.clients.create(metadata)
    await expect(refusal).rejects.toThrow(message)
    await expect(refusal).rejects.toMatchObject({ name: 'OAuthError', code: 'invalid_client_metadata' })
    expect(await host.oauth.clients.list()).toHaveLength(known)
    expect(name).not.toBe('')
  })

  test.each(refused)('%s, in the option clients', async (_, metadata, message) => {
    const keyless = !['none', 'private_key_jwt'].includes(metadata.token_endpoint_auth_method ?? '')
    const client = {
      client_id: 'static',
      ...(keyless && { client_secret: 'x'.repeat(64) }),
      ...metadata,
    }
    const provider = { pairwiseSalt: SALT, clients: [client] }
    await expect(startHost({ provider })).rejects.toMatchObject({
      name: 'ConfigurationError',
      message: expect.stringMatching(message),
      option: expect.stringMatching(/^clients\[0\]\./),
    })
  })
})

describe('DCR-04 a key that is not fit to verify signatures is refused', () => {
  const weak = publicKey('rsa', { modulusLength: 1024 })
  const keys: readonly (readonly [string, unknown, RegExp])[] = [
    ['no set', 'x', /is not a JWK Set/],
    ['null', null, /is not a JWK Set/],
    ['an array', [ec.jwk], /is not a JWK Set/],
    ['a set without keys', {}, /is not a JWK Set/],
    ['an empty set', { keys: [] }, /is not a JWK Set/],
    ['keys that are an object', { keys: { 0: ec.jwk } }, /is not a JWK Set/],
    // biome-ignore lint/suspicious/noSparseArray: this is what is tested
    ['a sparse array', { keys: [, ec.jwk] }, /no key at keys\[0\]/],
    ['null among the keys', { keys: [ec.jwk, null] }, /no key at keys\[1\]/],
    ['text among the keys', { keys: ['x'] }, /no key at keys\[0\]/],
    ['a private EC key', { keys: [ec.jwk, ec.key] }, /at keys\[1\] the private part of a key.*new key/],
    ['a private RSA key', { keys: [rsa.key] }, /private part/],
    ['a private Ed25519 key', { keys: [ed.key] }, /private part/],
    ['a private key for encryption', { keys: [{ ...rsa.key, use: 'enc' }] }, /private part/],
    ['an RSA key with one prime', { keys: [{ ...rsa.jwk, p: 'AQAB' }] }, /private part/],
    ['a symmetric key', { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] }, /symmetric/],
    ['a symmetric key in disguise', { keys: [{ ...rsa.jwk, k: 'c2VjcmV0' }] }, /private part/],
    ['RSA of 1024 bits', { keys: [weak.jwk] }, /RSA key of 1024 bits.*2048/],
    ['RSA with exponent 1', { keys: [{ ...rsa.jwk, e: 'AQ' }] }, /no public key for signatures/],
    ['RSA with an even exponent', { keys: [{ ...rsa.jwk, e: 'Ag' }] }, /no public key for signatures/],
    ['RSA without n', { keys: [{ kty: 'RSA', e: 'AQAB' }] }, /no public key/],
    ['secp256k1', { keys: [publicKey('ec', { namedCurve: 'secp256k1' }).jwk] }, /P-256, P-384 or P-521/],
    ['a point that is not on the curve', { keys: [{ ...ec.jwk, y: ec.jwk.x }] }, /no public key/],
    ['Ed448', { keys: [publicKey('ed448').jwk] }, /Ed25519/],
    ['X25519', { keys: [publicKey('x25519').jwk] }, /Ed25519/],
    ['no kty', { keys: [{ n: rsa.jwk.n, e: rsa.jwk.e }] }, /no public key/],
    ['an unknown kty', { keys: [{ ...ec.jwk, kty: 'AKP' }] }, /no public key/],
    ['a strange use', { keys: [{ ...ec.jwk, use: 'tls' }] }, /no public key/],
    ['key_ops without verify', { keys: [{ ...ec.jwk, key_ops: ['encrypt'] }] }, /no public key/],
    ['a kid that is a number', { keys: [{ ...ec.jwk, kid: 5 }] }, /no public key/],
    ['members that are numbers', { keys: [{ kty: 'EC', crv: 'P-256', x: 1, y: 2 }] }, /no public key/],
  ]
  test.each(keys)('%s', async (_, jwks, message) => {
    for (const token_endpoint_auth_method of ['private_key_jwt', 'none']) {
      const metadata = { token_endpoint_auth_method, jwks, redirect_uris: [CALLBACK] } as ClientMetadata
      const refusal = host.oauth.clients.create(metadata)
      await expect(refusal).rejects.toThrow(message)
      await expect(refusal).rejects.toMatchObject({
        code: 'invalid_client_metadata',
        reason: 'metadata_jwks',
      })
    }
  })

  test('and no part of a private key is repeated in the refusal', async () => {
    const metadata = { jwks: { keys: [ec.key] }, redirect_uris: [CALLBACK] } as unknown as ClientMetadata
    const refusal = await host.oauth.clients.create(metadata).catch((error: Error) => error)
    expect((refusal as Error).message).not.toContain(ec.key.d)
  })

  test('while one for encryption may lie beside those for signatures', async () => {
    const jwks = { keys: [ec.jwk, { ...rsa.jwk, use: 'enc' }, { ...publicKey('x25519').jwk, use: 'enc' }] }
    await expect(
      host.oauth.clients.create({
        token_endpoint_auth_method: 'private_key_jwt',
        jwks,
        redirect_uris: [CALLBACK],
      }),
    ).resolves.toMatchObject({ jwks })
  })
})

test('an algorithm for which this host has no key is refused', async () => {
  const [key] = [rsaKey(1).privateKey.export({ format: 'jwk' })]
  const own = await startHost({ provider: { keys: [{ ...key, alg: 'RS256', kid: 'only' }] } })
  const metadata = { redirect_uris: [CALLBACK], id_token_signed_response_alg: 'ES256' }
  await expect(own.oauth.clients.create(metadata)).rejects.toThrow(/is ES256\. Use one of: RS256\./)
  await own.close()
})

test('pairwise needs the option pairwiseSalt, and says so', async () => {
  const metadata = { redirect_uris: [CALLBACK], subject_type: 'pairwise' }
  await expect(plain.oauth.clients.create(metadata)).rejects.toThrow(/Set the option pairwiseSalt/)
  await expect(startHost({ provider: { clients: [{ client_id: 'static', ...metadata }] } })).rejects.toThrow(
    /clients\[0\]\.subject_type.*pairwiseSalt/,
  )
})

describe('OIDC-23 sector_identifier_uri', () => {
  const uris = [CALLBACK, 'https://print.example/cb']
  let site: Server
  let url: string
  let asked = 0
  let dialled = 0
  let listed: unknown
  let own: Host
  beforeAll(async () => {
    site = createServer((_req, res) => {
      asked++
      res.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'max-age=3600' })
      res.end(JSON.stringify(listed))
    }).listen(0, '127.0.0.1')
    site.on('connection', () => dialled++)
    await once(site, 'listening')
    url = `http://127.0.0.1:${(site.address() as AddressInfo).port}/sector.json`
    own = await startHost({ provider: { pairwiseSalt: SALT, allowPrivateAddresses: true } })
  })
  beforeEach(() => {
    asked = 0
    dialled = 0
    // So that what was cached in one test is not what another one sees.
    own.advance(7200)
  })
  afterAll(async () => {
    site.closeAllConnections()
    site.close()
    await own.close()
  })

  const pairwise = (redirect_uris = uris) => ({
    redirect_uris,
    subject_type: 'pairwise',
    sector_identifier_uri: url,
  })

  test('that lists every redirect URI is accepted', async () => {
    listed = [...uris, 'https://third.example/cb']
    await expect(own.oauth.clients.create(pairwise())).resolves.toMatchObject(pairwise())
    expect(asked).toBe(1)
  })

  test.each([
    ['lists one of them only', [CALLBACK], /does not list https:\/\/print\.example\/cb/],
    ['spells one of them otherwise', [CALLBACK, 'https://print.example/cb/'], /does not list/],
    ['lists none', [], /does not list/],
    ['is an object', { redirect_uris: uris }, /array of URIs/],
    ['is a string', uris.join(' '), /array of URIs/],
    ['has something else in it', [...uris, 5], /array of URIs/],
    ['is null', null, /array of URIs/],
  ])('that %s is refused', async (_, list, message) => {
    listed = list
    const refusal = own.oauth.clients.create(pairwise())
    await expect(refusal).rejects.toThrow(message)
    await expect(refusal).rejects.toMatchObject({
      code: 'invalid_client_metadata',
      reason: 'metadata_sector_identifier_uri',
    })
  })

  describe('of a client without redirect URIs', () => {
    const jwks_uri = 'https://shop.example/jwks'
    const device = (more: ClientMetadata = {}): ClientMetadata => ({
      ...pairwise([]),
      grant_types: [DEVICE_GRANT],
      token_endpoint_auth_method: 'private_key_jwt',
      ...more,
    })

    test('lists its jwks_uri', async () => {
      listed = [...uris, jwks_uri]
      const created = await own.oauth.clients.create(device({ jwks_uri }))
      expect(created).toMatchObject({ subject_type: 'pairwise', sector_identifier_uri: url, jwks_uri })
      listed = uris
      own.advance(10)
      const refusal = own.oauth.clients.create(device({ jwks_uri }))
      await expect(refusal).rejects.toThrow(`does not list ${jwks_uri}`)
      await expect(refusal).rejects.toMatchObject({ reason: 'metadata_sector_identifier_uri' })
    })

    test('has nothing to list where there is no jwks_uri, and is not asked', async () => {
      listed = uris
      for (const keys of [{ jwks: { keys: [ec.jwk] } }, { token_endpoint_auth_method: 'none' }]) {
        const refusal = own.oauth.clients.create(device(keys))
        await expect(refusal).rejects.toThrow(/neither redirect URIs nor a jwks_uri.*list that there/)
        await expect(refusal).rejects.toMatchObject({
          code: 'invalid_client_metadata',
          reason: 'metadata_sector_identifier_uri',
        })
      }
      expect(asked).toBe(0)
    })

    test('is asked again when its keys are elsewhere, and not when those of another client are', async () => {
      listed = [...uris, jwks_uri]
      const { client_id } = await own.oauth.clients.create(device({ jwks_uri }))
      own.advance(10)
      const change = (changes: ClientMetadata) => own.oauth.clients.update(client_id, changes)
      await expect(change({ jwks_uri: 'https://evil.example/jwks' })).rejects.toThrow(
        /does not list https:\/\/evil/,
      )
      await expect(change({ jwks: { keys: [ec.jwk] } })).rejects.toThrow(/neither redirect URIs nor/)
      expect((await own.oauth.clients.get(client_id))?.jwks_uri).toBe(jwks_uri)

      const site = await own.oauth.clients.create({ ...device({ jwks_uri }), redirect_uris: uris })
      asked = 0
      await own.oauth.clients.update(site.client_id, { jwks_uri: 'https://shop.example/other' })
      expect(asked).toBe(0)
    })
  })

  test('is asked again by an update that changes the redirect URIs, and not by another', async () => {
    listed = uris
    const { client_id } = await own.oauth.clients.create(pairwise())
    asked = 0
    await own.oauth.clients.update(client_id, { client_name: 'Other' })
    expect(asked).toBe(0)
    const changes = { redirect_uris: [...uris, 'https://third.example/cb'] }
    own.advance(10)
    await expect(own.oauth.clients.update(client_id, changes)).rejects.toThrow(/third\.example/)
    expect((await own.oauth.clients.get(client_id))?.redirect_uris).toEqual(uris)
    listed = changes.redirect_uris
    own.advance(10)
    await expect(own.oauth.clients.update(client_id, changes)).resolves.toMatchObject(changes)
  })

  test('of the option clients is the word of the host, and not asked', async () => {
    const clients = [{ client_id: 'static', ...pairwise() }]
    const other = await startHost({ provider: { pairwiseSalt: SALT, allowPrivateAddresses: true, clients } })
    expect(asked).toBe(0)
    await other.close()
  })

  // Requests would not do: the URI is https and the server speaks http, so that none arrives whatever the address rule says.
  test('inside the network is refused, and never dialled', async () => {
    const { port } = new URL(url)
    for (const name of ['127.0.0.1', 'localhost', '[::1]', '169.254.169.254', '0.0.0.0']) {
      const sector_identifier_uri = `https://${name}:${port}/sector.json`
      const refusal = host.oauth.clients.create({ ...pairwise(), sector_identifier_uri })
      await expect(refusal).rejects.toThrow(/sector_identifier_uri cannot be fetched: .*no public address/)
      await expect(refusal).rejects.toMatchObject({ code: 'invalid_client_metadata' })
    }
    expect([asked, dialled]).toEqual([0, 0])
  })
})
