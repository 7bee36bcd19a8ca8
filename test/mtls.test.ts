import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import SQLite from 'better-sqlite3'
import { decodeJwt } from 'jose'
import * as oauth4webapi from 'oauth4webapi'
import * as openid from 'openid-client'
import type { ClientMetadata } from '../lib/index.js'
import type { Form } from './support/agent.js'
import {
  type Certificate,
  type KeyPair,
  type Name,
  newCertificate,
  newKeys,
  OID,
} from './support/certificate.js'
import { clientEndpoints, expectLetInAt, tokenEndpoint } from './support/client-endpoints.js'
import { clients } from './support/clients.js'
import { basic, getCode, redirectUriOf, type TokenResponse, VERIFIER } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import { exchange, overTls, type TlsHost } from './support/mutual-tls.js'
import { rsaKey } from './support/rsa-keys.js'
import {
  expectMachineHeaders,
  expectRefusal,
  expectTokens,
  type RawAnswer,
  REMEDY,
} from './support/token-endpoint.js'

const redirect_uris = ['https://rp.example/cb']
const PROBE = tokenEndpoint.probe

const authority = newCertificate({ subject: [[[OID.cn, 'Authority']]], isAuthority: true })
const SUBJECT: Name = [[[OID.c, 'GB', 0x13]], [[OID.o, 'Example, Inc.']], [[OID.cn, 'client']]]
const names = [
  [0x82, 'client.example'],
  [0x86, 'spiffe://example/client'],
  [0x87, Buffer.of(192, 0, 2, 1)],
  [0x81, 'client@host.example'],
] as const
const good = newCertificate({ subject: SUBJECT, names, issuer: authority })
const another = newCertificate({
  subject: [[[OID.c, 'GB', 0x13]], [[OID.o, 'Example, Inc.']], [[OID.cn, 'another']]],
  names: [[0x82, 'another.example']],
  issuer: authority,
})
/** Everything of the good one, but that nobody vouches for it. */
const forged = newCertificate({ subject: SUBJECT, names })

const rsaKeys: KeyPair = rsaKey()
const ownKeys = newKeys()
const own = newCertificate({ keys: ownKeys })
const sameKey = newCertificate({ keys: ownKeys, subject: [[[OID.cn, 'renewed']]] })
const byRsa = newCertificate({ keys: rsaKeys })

function jwkOf({ keys }: Certificate): Record<string, unknown> {
  return { ...keys.publicKey.export({ format: 'jwk' }) }
}

function pki(client_id: string, subject: Partial<ClientMetadata>): ClientMetadata {
  return { client_id, token_endpoint_auth_method: 'tls_client_auth', redirect_uris, ...subject }
}

function selfSigned(client_id: string, keys: Partial<ClientMetadata>): ClientMetadata {
  return { client_id, token_endpoint_auth_method: 'self_signed_tls_client_auth', redirect_uris, ...keys }
}

const BOUND_NAME = 'tls_client_certificate_bound_access_tokens'
const BOUND = { [BOUND_NAME]: true }

const registered: readonly ClientMetadata[] = [
  ...clients,
  pki('dn', { tls_client_auth_subject_dn: 'CN=client,O=Example\\, Inc.,C=GB' }),
  pki('dns', { tls_client_auth_san_dns: 'Client.Example' }),
  pki('uri', { tls_client_auth_san_uri: 'spiffe://example/client' }),
  pki('ip', { tls_client_auth_san_ip: '192.0.2.1' }),
  pki('email', { tls_client_auth_san_email: 'client@host.example' }),
  pki('bound-pki', { tls_client_auth_san_dns: 'client.example', ...BOUND }),
  selfSigned('self', { jwks: { keys: [jwkOf(byRsa), jwkOf(own)] } }),
  selfSigned('self-x5c', { jwks: { keys: [{ ...jwkOf(own), x5c: [own.raw.toString('base64')] }] } }),
  { client_id: 'bound-pub', redirect_uris, ...BOUND },
  { client_id: 'bound-conf', client_secret: 'bound-conf-secret', redirect_uris, ...BOUND },
]

const HEADER = { clientCertificateHeader: 'X-Client-Cert', clientVerifyHeader: 'X-Client-Verify' }

let host: Host
let tls: TlsHost
let proxied: Host
let off: Host
beforeAll(async () => {
  host = await startHost({ provider: { clients: registered, mtls: {} } })
  tls = await overTls(host, authority)
  proxied = await startHost({ provider: { clients: registered, mtls: HEADER } })
  off = await startHost()
})
afterAll(async () => {
  tls.close()
  await Promise.all([host, proxied, off].map((each) => each.close()))
})

/** What a token request gets on a TLS connection with this certificate. */
function knock(certificate: Certificate | undefined, form: Form, headers = {}): Promise<RawAnswer> {
  return exchange(`${tls.origin}/oauth/token`, { form: { ...PROBE, ...form }, headers, certificate })
}

async function expectLetIn(answer: Promise<RawAnswer>): Promise<void> {
  expectRefusal(await answer, 400, 'invalid_grant')
}

/** Refused, and for this reason. */
async function expectKeptOut(at: Host, answer: Promise<RawAnswer>, reason: string): Promise<void> {
  const refused = await answer
  expectRefusal(refused, 401, 'invalid_client')
  if (reason === 'certificate_expired') expect(refused.body.error_description).toMatch(REMEDY)
  expect(at.events.at(-2)).toEqual({
    name: 'client.authentication_failed',
    event: expect.objectContaining({ reason }),
  })
}

describe('tls_client_auth', () => {
  test.each(['dn', 'dns', 'uri', 'ip', 'email'])(
    'MTLS-01 the certificate that is registered by %s is accepted, another, none, and one that nobody vouches for are not',
    async (client_id) => {
      await expectLetIn(knock(good, { client_id }))
      await expectKeptOut(host, knock(another, { client_id }), 'certificate_subject')
      await expectKeptOut(host, knock(undefined, { client_id }), 'certificate_missing')
      await expectKeptOut(host, knock(forged, { client_id }), 'certificate_untrusted')
      const plain = exchange(`${host.issuer}/token`, { form: { ...PROBE, client_id } })
      await expectKeptOut(host, plain, 'certificate_missing')
    },
  )

  test('MTLS-01 client_id has to be there: a certificate alone says not who is meant', async () => {
    expectRefusal(await knock(good, {}), 401, 'invalid_client')
    expectRefusal(await knock(good, { client_id: ['dn', 'dn'] }), 400, 'invalid_request')
    await expectKeptOut(host, knock(good, { client_id: 'nobody' }), 'client_unknown')
  })

  test('MTLS-01 a certificate that has expired, or is not valid yet, by the clock of the host, is refused', async () => {
    const moved = await startHost({ provider: { clients: registered, mtls: {} } })
    const secure = await overTls(moved, authority)
    const at = (seconds: number) => new Date(moved.now() + seconds * 1000)
    const short = { subject: SUBJECT, issuer: authority }
    const late = newCertificate({ ...short, from: at(-7200), to: at(-3600) })
    const early = newCertificate({ ...short, from: at(3600), to: at(7200) })
    const soon = newCertificate({ ...short, from: at(-60), to: at(60) })
    const post = (certificate: Certificate) =>
      exchange(`${secure.origin}/oauth/token`, { form: { ...PROBE, client_id: 'dn' }, certificate })
    await expectKeptOut(moved, post(late), 'certificate_expired')
    await expectKeptOut(moved, post(early), 'certificate_expired')
    await expectLetIn(post(soon))
    moved.advance(120)
    await expectKeptOut(moved, post(soon), 'certificate_expired')
    secure.close()
    await moved.close()
  })

  test('a certificate does not stand in for the method that a client has registered, nor the other way round', async () => {
    await expectKeptOut(host, knock(good, { client_id: 'conf' }), 'credentials_missing')
    const withSecret = knock(good, { client_id: 'dn', client_secret: 'x' })
    await expectKeptOut(host, withSecret, 'method_not_registered')
    const byBasic = knock(good, {}, { authorization: basic('dn', 'x') })
    await expectKeptOut(host, byBasic, 'method_not_registered')
    await expectKeptOut(host, knock(own, { client_id: 'dn' }), 'certificate_untrusted')
    await expectKeptOut(host, knock(good, { client_id: 'self' }), 'certificate_key')
    await expectLetIn(knock(good, { client_id: 'pub' }))
    await expectLetIn(knock(good, {}, { authorization: basic('conf', 'conf-secret') }))
  })

  test('CAUTH-05 two methods are two, with a certificate too', async () => {
    const both = await knock(good, { client_secret: 'x' }, { authorization: basic('dn', 'x') })
    expectRefusal(both, 400, 'invalid_request')
  })

  test('oauth4webapi gets its tokens by TlsClientAuth', async () => {
    const as = { issuer: host.issuer, token_endpoint: `${tls.origin}/oauth/token` }
    const client = { client_id: 'bound-pki' }
    const { callback } = await getCode(host, { client: 'bound-pki' })
    const parameters = oauth4webapi.validateAuthResponse(as, client, callback, 'the-state')
    const answer = await oauth4webapi.authorizationCodeGrantRequest(
      as,
      client,
      oauth4webapi.TlsClientAuth(),
      parameters,
      redirectUriOf('bound-pki'),
      VERIFIER,
      {
        [oauth4webapi.customFetch]: async (url, { body }) => {
          const form = Object.fromEntries(body as URLSearchParams)
          const { status, headers, text } = await exchange(url, { form, certificate: good })
          return new Response(text, { status, headers })
        },
      },
    )
    const tokens = await oauth4webapi.processAuthorizationCodeResponse(as, client, answer)
    expect((await callWith(good, tokens.access_token)).status).toBe(200)
    expect((await callWith(another, tokens.access_token)).status).toBe(401)
  })
})

test('openid-client gets its tokens by a self-signed certificate, refreshes and revokes them', async () => {
  const endpoints = {
    token_endpoint: `${tls.origin}/oauth/token`,
    revocation_endpoint: `${tls.origin}/oauth/revoke`,
  }
  const server = { issuer: host.issuer, ...endpoints }
  const config = new openid.Configuration(server, 'self', undefined, openid.TlsClientAuth())
  config[openid.customFetch] = async (url, { body }) => {
    const form = Object.fromEntries(body as unknown as URLSearchParams)
    const { status, headers, text } = await exchange(url, { form, certificate: own })
    return new Response(text, { status, headers })
  }
  openid.allowInsecureRequests(config)
  const { callback } = await getCode(host, { client: 'self' })
  const checks = { pkceCodeVerifier: VERIFIER, expectedState: 'the-state' }
  const first = await openid.authorizationCodeGrant(config, callback, checks)
  const second = await openid.refreshTokenGrant(config, first.refresh_token ?? '')
  expect((await callWith(undefined, second.access_token)).status).toBe(200)
  await openid.tokenRevocation(config, second.refresh_token ?? '')
  expect((await callWith(undefined, second.access_token)).status).toBe(401)
})

describe.each(clientEndpoints)('at $path', (endpoint) => {
  const knockAt = (certificate: Certificate | undefined, client_id: string) =>
    exchange(`${tls.origin}/oauth${endpoint.path}`, { form: { ...endpoint.probe, client_id }, certificate })

  test.each([
    ['dns', good, another, 'certificate_subject'],
    ['self', own, another, 'certificate_key'],
  ])('MTLS-01 %s is let in with its certificate only', async (client_id, right, wrong, reason) => {
    await expectLetInAt(endpoint, knockAt(right, client_id))
    await expectKeptOut(host, knockAt(wrong, client_id), reason)
    await expectKeptOut(host, knockAt(undefined, client_id), 'certificate_missing')
    await expectKeptOut(host, knockAt(right, 'conf'), 'credentials_missing')
  })
})

/** Calls the API on a TLS connection with this certificate. */
function callWith(
  certificate: Certificate | undefined,
  token: string,
  path = '/api/read',
): Promise<RawAnswer> {
  return exchange(`${tls.origin}${path}`, { headers: { authorization: `Bearer ${token}` }, certificate })
}

/** What a token request gets that comes from the proxy with these headers. */
function throughProxy(
  headers: Record<string, string | readonly string[]>,
  client_id = 'dns',
  to = proxied,
): Promise<RawAnswer> {
  const all = { 'x-client-verify': 'SUCCESS', ...headers }
  return exchange(`${to.issuer}/token`, { form: { ...PROBE, client_id }, headers: all })
}

describe('self_signed_tls_client_auth', () => {
  test('MTLS-01 a certificate with a registered key is accepted although nobody vouches for it', async () => {
    await expectLetIn(knock(own, { client_id: 'self' }))
    await expectLetIn(knock(sameKey, { client_id: 'self' }))
    await expectLetIn(knock(byRsa, { client_id: 'self' }))
  })

  test('MTLS-01 one with another key, and none, are refused', async () => {
    await expectKeptOut(host, knock(newCertificate(), { client_id: 'self' }), 'certificate_key')
    await expectKeptOut(host, knock(good, { client_id: 'self' }), 'certificate_key')
    await expectKeptOut(host, knock(undefined, { client_id: 'self' }), 'certificate_missing')
  })

  test('MTLS-01 a key that is registered with its certificate is good with no other', async () => {
    await expectLetIn(knock(own, { client_id: 'self-x5c' }))
    await expectKeptOut(host, knock(sameKey, { client_id: 'self-x5c' }), 'certificate_key')
  })

  test('one with a key of a kind that nobody knows is refused', async () => {
    const known = Buffer.from('2a8648ce3d0201', 'hex')
    const raw = Buffer.from(own.raw)
    raw.set(Buffer.from('2a8648ce3d027f', 'hex'), raw.indexOf(known))
    const answer = throughProxy({ 'x-client-cert': raw.toString('base64') }, 'self')
    await expectKeptOut(proxied, answer, 'certificate_key')
  })

  test('MTLS-01 one that has expired is refused', async () => {
    const expired = newCertificate({ keys: ownKeys, to: new Date('2021-01-01') })
    await expectKeptOut(host, knock(expired, { client_id: 'self' }), 'certificate_expired')
    const early = newCertificate({ keys: ownKeys, from: new Date('2048-01-01') })
    await expectKeptOut(host, knock(early, { client_id: 'self' }), 'certificate_expired')
  })

  test('the keys at jwks_uri count as they are now; that nothing usable lies there is no refusal for good', async () => {
    let published: object | string = { keys: [jwkOf(own)] }
    const server = createServer((_req, res) =>
      res.end(typeof published === 'string' ? published : JSON.stringify(published)),
    ).listen(0)
    const jwks_uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`
    const fetching = await startHost({
      provider: {
        allowPrivateAddresses: true,
        mtls: HEADER,
        clients: [selfSigned('self-uri', { jwks_uri })],
      },
    })
    const post = ({ raw }: Certificate) =>
      throughProxy({ 'x-client-cert': raw.toString('base64') }, 'self-uri', fetching)
    await expectLetIn(post(own))
    await expectKeptOut(fetching, post(byRsa), 'certificate_key')
    published = { keys: ['x', null, { kty: 'EC' }, { ...jwkOf(own), use: 'enc' }, jwkOf(byRsa)] }
    fetching.advance(10)
    await expectLetIn(post(byRsa))
    await expectKeptOut(fetching, post(own), 'certificate_key')
    published = { keys: [...Array.from({ length: 50 }, () => jwkOf(byRsa)), jwkOf(own)] }
    fetching.advance(10)
    await expectKeptOut(fetching, post(own), 'jwks_too_large')
    published = 'no JSON'
    fetching.advance(86_400)
    expectRefusal(await post(byRsa), 503, 'temporarily_unavailable')
    server.close()
    await fetching.close()
  })
})

const pem = good.cert.trim()
const base64 = good.raw.toString('base64')

describe('a certificate from the proxy', () => {
  test.each([
    ['URL-encoded PEM', encodeURIComponent(good.cert)],
    ['URL-encoded PEM in which + is not encoded', encodeURIComponent(good.cert).replaceAll('%2B', '+')],
    ['PEM with spaces for line ends', pem.replaceAll('\n', ' ')],
    ['PEM with tabs for line ends', pem.replaceAll('\n', '\t')],
    ['PEM without line ends', pem.replaceAll('\n', '')],
    ['Base64', base64],
    ['URL-encoded Base64', encodeURIComponent(base64)],
    ['a Byte Sequence of RFC 9440', `:${base64}:`],
  ])('is read from %s', async (_, value) => {
    await expectLetIn(throughProxy({ 'x-client-cert': value }))
    await expectLetIn(throughProxy({ 'X-CLIENT-CERT': value, 'X-Client-VERIFY': 'SUCCESS' }))
  })

  const two = `${pem}\n${another.cert.trim()}`
  test.each<[string, string | readonly string[]]>([
    ['two headers', [base64, base64]],
    ['two headers, the first of them empty', ['', base64]],
    ['two headers, the second of them empty', [base64, '']],
    ['a list of two', `${base64}, ${another.raw.toString('base64')}`],
    ['a list of two Byte Sequences', `:${base64}:, :${base64}:`],
    ['two in one PEM', encodeURIComponent(two)],
    ['two in one PEM with spaces', two.replaceAll('\n', ' ')],
    ['two in one PEM in Base64', Buffer.from(two).toString('base64')],
    ['two behind each other', Buffer.concat([good.raw, another.raw]).toString('base64')],
    ['something behind it', Buffer.concat([good.raw, Buffer.of(0)]).toString('base64')],
    ['half of one', good.raw.subarray(0, 100).toString('base64')],
    ['PEM in Base64', Buffer.from(good.cert).toString('base64')],
    ['a key', encodeURIComponent(good.key)],
    ['no Base64', '?!*'],
    ['Base64 with characters to skip', `${base64.slice(0, 8)}-_${base64.slice(8)}`],
    ['Base64 with spaces', `${base64.slice(0, 8)} ${base64.slice(8)}`],
    ['base64url', good.raw.toString('base64url').replace(/^(.)/, '$1-')],
    ['a bad escape', '%zz'],
    ['a bad escape behind it', `${base64}%`],
    ['PEM that begins only', '-----BEGIN CERTIFICATE-----'],
    ['PEM without anything', '-----BEGIN CERTIFICATE----------END CERTIFICATE-----'],
    ['PEM whose ends are one', '-----BEGIN CERTIFICATE-----END CERTIFICATE-----'],
    ['a colon', ':'],
    ['two colons', '::'],
    ['a hash', 'CN=client'],
    ['bytes that are no text', '\x80\xff'],
    ['many spaces', `-----BEGIN CERTIFICATE-----${' '.repeat(12_000)}x`],
  ])('that is %s is refused, without a 500', async (_, value) => {
    expectRefusal(await throughProxy({ 'x-client-cert': value }), 400, 'invalid_request')
    expect(proxied.events.at(-2)?.event).toMatchObject({ reason: 'certificate_unreadable' })
  })

  test.each(['', '(null)'])('that is "%s" is none', async (value) => {
    await expectKeptOut(proxied, throughProxy({ 'x-client-cert': value }), 'certificate_missing')
  })

  test.each<[string, string | readonly string[]]>([
    ['FAILED', 'FAILED:unable to verify the first certificate'],
    ['NONE', 'NONE'],
    ['in small letters', 'success'],
    ['longer', 'SUCCESSFUL'],
    ['empty', ''],
    ['there twice', ['SUCCESS', 'SUCCESS']],
    ['there twice, and not the same', ['SUCCESS', 'NONE']],
  ])('is not verified where the other header is %s', async (_, value) => {
    const answer = throughProxy({ 'x-client-cert': base64, 'x-client-verify': value })
    await expectKeptOut(proxied, answer, 'certificate_untrusted')
  })

  test('is not verified where the other header is missing, which does not matter to a self-signed one', async () => {
    const post = (client_id: string, certificate: Certificate) =>
      exchange(`${proxied.issuer}/token`, {
        form: { ...PROBE, client_id },
        headers: { 'x-client-cert': certificate.raw.toString('base64') },
      })
    await expectKeptOut(proxied, post('dns', good), 'certificate_untrusted')
    await expectLetIn(post('self', own))
  })

  test('counts as verified where no such header is named', async () => {
    const trusting = await startHost({
      provider: { clients: registered, mtls: { clientCertificateHeader: 'client-cert' } },
    })
    const headers = { 'client-cert': `:${base64}:`, 'x-client-verify': 'NONE' }
    await expectLetIn(throughProxy(headers, 'dns', trusting))
    await trusting.close()
  })

  test('MTLS-01 that counts for a client by its name alone is warned of, once, and not where there is a verdict or none is needed', async () => {
    const trusting = await startHost({
      provider: { clients: registered, mtls: { clientCertificateHeader: 'client-cert' } },
    })
    const warnings = () => trusting.events.filter(({ name }) => name === 'warning')
    const headers = { 'client-cert': `:${base64}:` }
    const ownHeaders = { 'client-cert': `:${own.raw.toString('base64')}:` }
    await expectLetIn(throughProxy(ownHeaders, 'self', trusting))
    await expectKeptOut(trusting, throughProxy(ownHeaders, 'dns', trusting), 'certificate_subject')
    await expectLetIn(throughProxy(headers, 'pub', trusting))
    expect(warnings()).toEqual([])
    for (const client of ['dns', 'dns', 'dn']) await expectLetIn(throughProxy(headers, client, trusting))
    expect(warnings().map(({ event }) => event)).toEqual([
      { code: 'certificate_verdict_missing', message: expect.any(String) },
    ])
    const message = String(warnings()[0]?.event.message)
    expect(message).toMatch(/must verify every certificate.*\$ssl_client_verify.*clientVerifyHeader/)
    await trusting.close()

    await expectLetIn(throughProxy({ 'x-client-cert': base64 }))
    await expectLetIn(knock(good, { client_id: 'dns' }))
    expect([...proxied.events, ...host.events].filter(({ name }) => name === 'warning')).toEqual([])
  })

  test('is never that of the connection, which is the proxy itself', async () => {
    const behind = await overTls(proxied, authority)
    const form = { ...PROBE, client_id: 'dns' }
    const answer = exchange(`${behind.origin}/oauth/token`, { form, certificate: good })
    await expectKeptOut(proxied, answer, 'certificate_missing')
    behind.close()
  })

  test('in a header is nothing where Node ends the connection', async () => {
    const headers = { 'x-client-cert': base64, 'client-cert': `:${base64}:`, 'x-client-verify': 'SUCCESS' }
    await expectKeptOut(host, throughProxy(headers, 'dns', host), 'certificate_missing')
  })
})

describe('MTLS-02 a bound access token', () => {
  async function redeemWith(
    certificate: Certificate | undefined,
    client: string,
    code: string,
  ): Promise<RawAnswer> {
    const byId = { client_id: client }
    const form = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUriOf(client),
      code_verifier: VERIFIER,
    }
    return client === 'bound-conf'
      ? knock(certificate, form, { authorization: basic(client, `${client}-secret`) })
      : knock(certificate, { ...form, ...byId })
  }

  async function tokensWith(certificate: Certificate, client: string): Promise<TokenResponse['body']> {
    const { code } = await getCode(host, { client, params: { scope: 'openid read' } })
    const { status, body } = await redeemWith(certificate, client, code)
    expect(status).toBe(200)
    expect(body.token_type).toBe('Bearer')
    return body as TokenResponse['body']
  }

  function expectInvalidToken({ status, headers, body }: RawAnswer): void {
    expect({ status, error: body.error }).toEqual({ status: 401, error: 'invalid_token' })
    expectMachineHeaders(headers)
    expect(headers.get('www-authenticate')).toMatch(/^Bearer .*error="invalid_token"/)
  }

  test.each(['bound-pub', 'bound-pki', 'bound-conf'])(
    'of %s is good at the API and at userinfo with its certificate, and with no other',
    async (client) => {
      const { access_token } = await tokensWith(good, client)
      for (const path of ['/api/read', '/oauth/userinfo']) {
        expect((await callWith(good, access_token, path)).status).toBe(200)
        expectInvalidToken(await callWith(another, access_token, path))
        expectInvalidToken(await callWith(forged, access_token, path))
        expectInvalidToken(await callWith(undefined, access_token, path))
      }
      const headers = { authorization: `Bearer ${access_token}`, 'x-client-cert': base64 }
      expectInvalidToken(await exchange(`${host.origin}/api/read`, { headers }))
    },
  )

  test('is good whoever vouches for the certificate, since the client has chosen it', async () => {
    const { access_token } = await tokensWith(own, 'bound-pub')
    expect((await callWith(own, access_token)).status).toBe(200)
    expectInvalidToken(await callWith(sameKey, access_token))
  })

  test('shows its cnf where it is introspected, and in a JWT', async () => {
    const thumbprint = await thumbprintOf(good)
    const { access_token } = await tokensWith(good, 'bound-conf')
    const { body } = await exchange(`${host.issuer}/introspect`, {
      form: { token: access_token },
      headers: { authorization: basic('bound-conf', 'bound-conf-secret') },
    })
    expect(body).toMatchObject({ active: true, token_type: 'Bearer', cnf: { 'x5t#S256': thumbprint } })

    const asJwt = await startHost({
      provider: (origin) => ({
        clients: registered,
        mtls: HEADER,
        resources: { [origin]: { accessTokenFormat: 'jwt' } },
      }),
    })
    const { code } = await getCode(asJwt, { client: 'bound-pub' })
    const headers = { 'x-client-cert': base64 }
    const { body: tokens } = await exchange(`${asJwt.issuer}/token`, {
      form: { grant_type: 'authorization_code', code, client_id: 'bound-pub', code_verifier: VERIFIER },
      headers,
    })
    expect(decodeJwt(String(tokens.access_token))).toMatchObject({ cnf: { 'x5t#S256': thumbprint } })
    const authorization = `Bearer ${tokens.access_token}`
    const call = (headers: Record<string, string>) =>
      exchange(`${asJwt.origin}/api/read`, { headers: { authorization, ...headers } })
    expect((await call(headers)).status).toBe(200)
    expectInvalidToken(await call({ 'x-client-cert': another.raw.toString('base64') }))
    expectInvalidToken(await call({}))
    expect((await call({ 'x-client-cert': 'garbage' })).status).toBe(400)
    await asJwt.close()
  })

  test.each(['bound-pub', 'bound-conf'])(
    'cannot be had by %s without a certificate that is valid, and the code stays good',
    async (client) => {
      const { code } = await getCode(host, { client })
      expectRefusal(await redeemWith(undefined, client, code), 400, 'invalid_request')
      expect(host.events.at(-1)).toMatchObject({ event: { clientId: client, reason: 'certificate_missing' } })
      const expired = newCertificate({ to: new Date('2021-01-01') })
      expectRefusal(await redeemWith(expired, client, code), 400, 'invalid_request')
      expect(host.events.at(-1)).toMatchObject({ event: { clientId: client, reason: 'certificate_expired' } })
      expect((await redeemWith(good, client, code)).status).toBe(200)
    },
  )

  test('a refresh token of a public client is bound to the certificate too, and a wrong one uses nothing up', async () => {
    const first = await tokensWith(good, 'bound-pub')
    const refreshWith = (certificate: Certificate | undefined, refresh_token: string) =>
      knock(certificate, { client_id: 'bound-pub', refresh_token })
    for (const wrong of [another, forged]) {
      expectRefusal(await refreshWith(wrong, first.refresh_token), 400, 'invalid_grant')
      expect(host.events.at(-1)).toMatchObject({ event: { reason: 'certificate_mismatch' } })
    }
    expectRefusal(await refreshWith(undefined, first.refresh_token), 400, 'invalid_request')
    const { status, body } = await refreshWith(good, first.refresh_token)
    expect(status).toBe(200)
    expect((await callWith(good, String(body.access_token))).status).toBe(200)
    expectInvalidToken(await callWith(another, String(body.access_token)))
    expectRefusal(await refreshWith(another, String(body.refresh_token)), 400, 'invalid_grant')
  })

  test('a client that proves itself may come with a new certificate, to which its next token is bound', async () => {
    const { refresh_token } = await tokensWith(good, 'bound-conf')
    const authorization = basic('bound-conf', 'bound-conf-secret')
    const { body } = await knock(another, { refresh_token }, { authorization })
    expect((await callWith(another, String(body.access_token))).status).toBe(200)
    expectInvalidToken(await callWith(good, String(body.access_token)))
    // A lost answer is not given again to who holds another key.
    expectRefusal(await knock(good, { refresh_token }, { authorization }), 400, 'invalid_grant')
  })

  test('is only for clients that registered it', async () => {
    const { code } = await getCode(host, { client: 'dns' })
    const { body } = await redeemWith(good, 'dns', code)
    expectTokens({ ...(await redeemWith(good, 'dns', (await getCode(host, { client: 'dns' })).code)) })
    expect((await callWith(undefined, String(body.access_token))).status).toBe(200)
  })

  test('no certificate is in any event', () => {
    const told = JSON.stringify([host.events, proxied.events])
    for (const { raw } of [good, another, own]) {
      expect(told).not.toContain(raw.toString('base64').slice(0, 40))
      expect(told).not.toContain(encodeURIComponent(raw.toString('base64').slice(0, 40)))
    }
    expect(host.events.filter(({ name }) => name === 'server.error')).toEqual([])
    expect(proxied.events.filter(({ name }) => name === 'server.error')).toEqual([])
  })
})

async function thumbprintOf({ raw }: Certificate): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', raw)).toString('base64url')
}

describe('registration', () => {
  const create = (metadata: Partial<ClientMetadata>) =>
    host.oauth.clients.create({ redirect_uris, ...metadata })

  test('keeps what it was given, and makes no secret', async () => {
    const subject = { tls_client_auth_subject_dn: 'CN=a\\,b,O=c' }
    const created = await create({ token_endpoint_auth_method: 'tls_client_auth', ...subject, ...BOUND })
    expect(created).toMatchObject({ token_endpoint_auth_method: 'tls_client_auth', ...subject, ...BOUND })
    expect(created).not.toHaveProperty('client_secret')
    expect(await host.oauth.clients.get(created.client_id)).toEqual(created)
    const changed = { tls_client_auth_subject_dn: undefined, tls_client_auth_san_dns: 'a.example' } as object
    expect(await host.oauth.clients.update(created.client_id, changed)).toMatchObject({
      tls_client_auth_san_dns: 'a.example',
    })
    await expect(host.oauth.clients.rotateSecret(created.client_id)).rejects.toThrow(/has no secret/)
  })

  test('of a client with a secret can be changed to a certificate, which ends the secret', async () => {
    const { client_id, client_secret = '' } = await create({})
    const jwks = { keys: [jwkOf(own)] }
    await host.oauth.clients.update(client_id, {
      token_endpoint_auth_method: 'self_signed_tls_client_auth',
      jwks,
    })
    await expectLetIn(knock(own, { client_id }))
    const bySecret = knock(own, {}, { authorization: basic(client_id, client_secret) })
    await expectKeptOut(host, bySecret, 'method_not_registered')
    await expect(
      host.oauth.clients.update(client_id, { token_endpoint_auth_method: 'none' }),
    ).rejects.toMatchObject({ reason: 'metadata_token_endpoint_auth_method' })
  })

  const PKI = { token_endpoint_auth_method: 'tls_client_auth' }
  const SELF = { token_endpoint_auth_method: 'self_signed_tls_client_auth' }
  const dn = (value: unknown) => ({ ...PKI, tls_client_auth_subject_dn: value as string })
  const x5c = (value: unknown) => ({ ...SELF, jwks: { keys: [{ ...jwkOf(own), x5c: value }] } })
  test.each<[string, Partial<ClientMetadata>, string]>([
    ['no subject', PKI, 'tls_client_auth_subject_dn'],
    ['two', { ...dn('CN=a'), tls_client_auth_san_dns: 'a.example' }, 'tls_client_auth_san_dns'],
    ['a subject without the method', { tls_client_auth_san_dns: 'a.example' }, 'tls_client_auth_san_dns'],
    ...[
      ...['', 5, 'client', 'CN', '=a', 'CN=a,', ',CN=a', 'CN=a,,O=b', 'CN=a+', 'CN=a+CN=b', 'CN=a;O=b'],
      ...[
        'CN=a"b',
        'CN=<a>',
        'CN=\\',
        'CN=\\x',
        'CN=\\ff',
        'CN=#',
        'CN=#0',
        'CN=#zz',
        'CN=a\0',
        'XX=a',
        '2.=a',
        'constructor=a',
        '2.5.4.03=a',
        '02.5.4.3=a',
        '2.5.00.3=a',
      ],
      ...[`CN=${'a'.repeat(1000)}`, '/C=GB/CN=a', 'subject=CN=a'],
    ].map((value): [string, Partial<ClientMetadata>, string] => [
      `the name ${JSON.stringify(value)}`,
      dn(value),
      'tls_client_auth_subject_dn',
    ]),
    ...(
      [
        [
          'dns',
          ['', '*.example', '.example', 'a..example', 'a.example.', 'a b', 'https://a.example', 'a\0b'],
        ],
        ['uri', ['', 'client', 'spiffe://a b', 'urn:é', '/a']],
        ['ip', ['', '192.0.2', '192.0.2.1/24', 'fe80::1%eth0', '::g', '[::1]']],
        ['email', ['', 'client', '@b.example', 'a@', 'a@b@c', 'a b@c', 'Name <a@b.example>']],
      ] as const
    ).flatMap(([kind, values]) =>
      values.map((value): [string, Partial<ClientMetadata>, string] => [
        `the ${kind} name ${JSON.stringify(value)}`,
        { ...PKI, [`tls_client_auth_san_${kind}`]: value },
        `tls_client_auth_san_${kind}`,
      ]),
    ),
    ['no keys', SELF, 'jwks'],
    [
      'keys that are for encryption only',
      { ...SELF, jwks: { keys: [{ ...jwkOf(own), use: 'enc' }] } },
      'jwks',
    ],
    ['an x5c that is no list', x5c(own.raw.toString('base64')), 'jwks'],
    ['an empty x5c', x5c([]), 'jwks'],
    ['an x5c that is no certificate', x5c(['AAAA']), 'jwks'],
    ['the x5c of another key', x5c([another.raw.toString('base64')]), 'jwks'],
    ['a flag that is none', { tls_client_certificate_bound_access_tokens: 'yes' as never }, BOUND_NAME],
  ])('refuses %s', async (_, metadata, field) => {
    await expect(create(metadata)).rejects.toMatchObject({
      code: 'invalid_client_metadata',
      reason: `metadata_${field}`,
    })
  })
})

describe('the option mtls', () => {
  const refused = (mtls: unknown) =>
    startHost({ provider: { mtls: mtls as { clientCertificateHeader?: string } }, listen: false })

  test('left out, leaves nothing of it: no methods, no such clients, and headers count for nothing', async () => {
    const listed = async (at: Host) =>
      (await exchange(`${at.issuer}/.well-known/oauth-authorization-server`)).body
    const methods = ['tls_client_auth', 'self_signed_tls_client_auth']
    for (const member of ['token', 'revocation', 'introspection'].map(
      (one) => `${one}_endpoint_auth_methods_supported`,
    )) {
      expect((await listed(host))[member]).toEqual(expect.arrayContaining(methods))
      for (const method of methods) expect((await listed(off))[member]).not.toContain(method)
    }
    expect((await listed(host))[BOUND_NAME]).toBe(true)
    expect(await listed(off)).not.toHaveProperty(BOUND_NAME)
    const resource = async (at: Host) =>
      (await exchange(`${at.origin}/.well-known/oauth-protected-resource`)).body
    expect((await resource(host))[BOUND_NAME]).toBe(true)
    expect(await resource(off)).not.toHaveProperty(BOUND_NAME)

    for (const metadata of [
      registered.find(({ client_id }) => client_id === 'dn'),
      ...registered.slice(-4),
    ]) {
      const { client_id: _, ...others } = metadata ?? {}
      await expect(off.oauth.clients.create(others)).rejects.toThrow(/Set the option mtls/)
      await expect(startHost({ provider: { clients: [metadata ?? {}] } })).rejects.toThrow(
        /Set the option mtls/,
      )
    }
    const headers = { authorization: basic('conf', 'conf-secret'), 'x-client-cert': 'garbage' }
    await expectLetIn(exchange(`${off.issuer}/token`, { form: PROBE, headers }))
  })

  test('taken out again, keeps out who was registered with it, and their tokens', async () => {
    const store = new SQLite(':memory:')
    const before = await startHost({ provider: { store, mtls: HEADER } })
    const headers = { 'x-client-cert': base64, 'x-client-verify': 'SUCCESS' }
    const { client_id } = await before.oauth.clients.create({
      redirect_uris,
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_san_dns: 'client.example',
      grant_types: ['client_credentials'],
      scope: 'read',
      ...BOUND,
    })
    const form = { grant_type: 'client_credentials', client_id, scope: 'read' }
    const { body } = await exchange(`${before.issuer}/token`, { form, headers })
    expect(body).toMatchObject({ token_type: 'Bearer' })
    const after = await startHost({ provider: { store } })
    await expectKeptOut(after, exchange(`${after.issuer}/token`, { form, headers }), 'credentials_missing')
    const call = (at: Host) => {
      const authorization = `Bearer ${body.access_token}`
      return exchange(`${at.origin}/api/read`, { headers: { ...headers, authorization } })
    }
    // Each host is another resource.
    expect((await call(before)).status).toBe(200)
    expect((await call(after)).status).toBe(401)
    await before.close()
    await after.close()
    store.close()
  })

  test('a certificate beside a secret is refused: one of the two would not count', async () => {
    const [client] = registered.filter(({ client_id }) => client_id === 'dn')
    const both = startHost({ provider: { mtls: {}, clients: [{ ...client, client_secret: 'secret' }] } })
    await expect(both).rejects.toThrow(/is tls_client_auth beside a client_secret/)
  })

  test.each<[string, unknown, RegExp]>([
    ['no object', true, /mtls is true\. Pass \{\} for Node's own TLS/],
    ['an unknown member', { clientCertHeader: 'x' }, /mtls\.clientCertHeader is not known/],
    ['an empty header', { clientCertificateHeader: '' }, /mtls\.clientCertificateHeader/],
    ['what is no header', { clientCertificateHeader: 'X Client' }, /Pass the name of a header/],
    ['a verdict about nothing', { clientVerifyHeader: 'x-verify' }, /clientVerifyHeader stands without/],
    [
      'one header for both',
      { clientCertificateHeader: 'x-cert', clientVerifyHeader: 'x-cert' },
      /clientVerifyHeader is the header of the certificate/,
    ],
  ])('refuses %s', async (_, mtls, message) => {
    await expect(refused(mtls)).rejects.toThrow(message)
  })
})
