import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, SignJWT, UnsecuredJWT } from 'jose'
import * as oauth4webapi from 'oauth4webapi'
import * as openidClient from 'openid-client'
import type { ClientMetadata, OAuthProviderOptions } from '../lib/index.js'
import { Agent, encode, type Form, inputValue, type Page } from './support/agent.js'
import { FORGED } from './support/answers.js'
import { newCertificate } from './support/certificate.js'
import { DEVICE_GRANT } from './support/devices.js'
import { proof, proofKey } from './support/dpop.js'
import { basic, CHALLENGE, destination, VERIFIER } from './support/flow.js'
import { type Host, type HostOptions, startHost, type User } from './support/host.js'
import { rsaKey } from './support/rsa-keys.js'
import { signingKeys } from './support/signing-keys.js'
import { expectRefusal } from './support/token-endpoint.js'

type Metadata = Record<string, unknown>

const MOUNTS = ['/oauth', '/a/b', ''] as const
const REDIRECT = 'https://rp.example/cb'
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const STAFF = 'https://staff.example'
const SECRET = 'a-secret-that-is-long-enough-for-an-hmac-with-sha-512-0123456789abcdef'

const signers = {
  RSA: rsaKey(),
  'P-256': generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'P-384': generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  'P-521': generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  Ed25519: generateKeyPairSync('ed25519'),
}
/** One for all the algorithms that RSA keys can do. */
const RSA_PROOFS = proofKey('RS256')
const KEY_OF: Record<string, keyof typeof signers> = {
  ...{ ES256: 'P-256', ES384: 'P-384', ES512: 'P-521', EdDSA: 'Ed25519', Ed25519: 'Ed25519' },
}

/** What the proxy hands on of a client that has it. */
const { raw: certificate, keys: certified } = newCertificate({ names: [[0x82, 'rp.example']] })
const CERTIFICATE = { 'x-client-cert': certificate.toString('base64') }

/** A user who has everything that OpenID Connect has a name for. */
const EVERYTHING = {
  id: 'alice',
  name: 'Alice Example',
  family_name: 'Example',
  given_name: 'Alice',
  middle_name: 'B.',
  nickname: 'Ali',
  preferred_username: 'alice',
  profile: 'https://host.example/alice',
  picture: 'https://host.example/alice.png',
  website: 'https://alice.example',
  gender: 'female',
  birthdate: '1990-01-01',
  zoneinfo: 'Europe/Vienna',
  locale: 'de-AT',
  updated_at: 1_700_000_000,
  email: 'alice@host.example',
  email_verified: true,
  address: { formatted: 'A street 1' },
  phone_number: '+43123456',
  phone_number_verified: false,
}

/** Clients as they have to be for each method and each algorithm. */
function clientsFor(receiver: string): readonly ClientMetadata[] {
  const redirect_uris = [REDIRECT]
  const jwks = {
    keys: Object.values(signers).map(({ publicKey }) => ({ ...publicKey.export({ format: 'jwk' }) })),
  }
  const method = (token_endpoint_auth_method: string) => {
    return { client_id: token_endpoint_auth_method, token_endpoint_auth_method, redirect_uris }
  }
  return [
    method('none'),
    {
      ...method('client_secret_basic'),
      client_secret: SECRET,
      grant_types: ['authorization_code', 'refresh_token', DEVICE_GRANT],
      backchannel_logout_uri: receiver,
    },
    { ...method('client_secret_post'), client_secret: SECRET },
    { ...method('client_secret_jwt'), client_secret: SECRET },
    { ...method('private_key_jwt'), jwks },
    {
      ...{ client_id: 'machine', client_secret: SECRET, scope: 'read' },
      grant_types: ['client_credentials', TOKEN_EXCHANGE, JWT_BEARER],
    },
    { ...method('tls_client_auth'), tls_client_auth_san_dns: 'rp.example' },
    {
      ...method('self_signed_tls_client_auth'),
      jwks: { keys: [{ ...certified.publicKey.export({ format: 'jwk' }) }] },
      tls_client_certificate_bound_access_tokens: true,
    },
  ]
}

describe.each(MOUNTS)('the provider at %p', (mount) => {
  let host: Host
  let metadata: Metadata
  let receiver: Server
  const logoutTokens: string[] = []
  const signedInAt = Math.floor(Date.now() / 1000) - 60

  beforeAll(async () => {
    receiver = createServer((req, res) => {
      req.setEncoding('utf8').on('data', (body) => {
        logoutTokens.push(new URLSearchParams(body).get('logout_token') ?? '')
      })
      req.on('end', () => res.end())
    }).listen(0, '127.0.0.1')
    await once(receiver, 'listening')
    const provider = {
      clients: clientsFor(`http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`),
      findUser: (id: string) => (id === 'alice' ? EVERYTHING : undefined),
      authTime: () => signedInAt,
      authContext: () => ({ acr: 'urn:example:strong', amr: ['pwd'] }),
      pairwiseSalt: 'a salt that is longer than thirty-two characters',
      secret: 'a secret that is longer than thirty-two characters',
      allowPrivateAddresses: true,
      tokenExchange: () => true,
      trustedIssuers: {
        [STAFF]: {
          jwks: { keys: [signers['P-256'].publicKey.export({ format: 'jwk' })] },
          user: () => 'alice',
        },
      },
      mtls: { clientCertificateHeader: 'X-Client-Cert' },
      authorizationDetails: { payment: { schema: {}, description: 'Pay' } },
    } as unknown as Partial<OAuthProviderOptions<User>>
    host = await startHost({ mount, provider })
    metadata = await json(`${host.issuer}/.well-known/openid-configuration`)
  })
  afterAll(async () => {
    receiver.close()
    await host.close()
  })

  const url = (member: string) => String(metadata[member])
  const list = (member: string) => metadata[member] as string[]

  /** The whole way to an authorization response, with nothing but what the document says. */
  async function authorize(params: Form = {}, agent?: Agent): Promise<{ agent: Agent; page: Page }> {
    const user = agent ?? new Agent(host)
    if (agent === undefined) await user.login('alice')
    const query = encode({
      response_type: 'code',
      client_id: 'client_secret_basic',
      redirect_uri: REDIRECT,
      scope: 'openid read',
      state: 'the-state',
      code_challenge: CHALLENGE,
      code_challenge_method: 'S256',
      ...params,
    })
    const page = await user.follow(`${url('authorization_endpoint')}?${query}`)
    if (!page.text.includes('name="decision"')) return { agent: user, page }
    const form = { _csrf: inputValue(page, '_csrf'), decision: 'approve' }
    return { agent: user, page: await user.post(page.url, form) }
  }

  async function codeFor(client_id: string, params: Form = {}): Promise<string> {
    const { page } = await authorize({ client_id, ...params })
    const code = destination(page).searchParams.get('code')
    expect(code).toMatch(/^[\w-]{64}$/)
    return code ?? ''
  }

  async function post(form: Form, headers: Record<string, string> = {}) {
    const response = await fetch(url('token_endpoint'), { method: 'POST', body: encode(form), headers })
    return { status: response.status, headers: response.headers, body: (await response.json()) as Metadata }
  }

  const BASIC = { authorization: basic('client_secret_basic', SECRET) }

  /** Exchanges a code of `client_secret_basic`. */
  async function tokens(params: Form = {}) {
    const code = await codeFor('client_secret_basic', params)
    const { status, body } = await post(
      { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: VERIFIER },
      BASIC,
    )
    expect([status, body.error]).toEqual([200, undefined])
    return body as Metadata & { access_token: string; refresh_token: string; id_token: string }
  }

  async function assertion(client: string, alg: string, more: Metadata = {}): Promise<Form> {
    const claims = {
      ...{ iss: client, sub: client, aud: host.issuer, jti: randomUUID() },
      exp: Math.floor(host.now() / 1000) + 60,
      ...more,
    }
    const key = alg.startsWith('HS') ? Buffer.from(SECRET) : signers[KEY_OF[alg] ?? 'RSA'].privateKey
    const jwt =
      alg === 'none'
        ? new UnsecuredJWT(claims).encode()
        : await new SignJWT(claims).setProtectedHeader({ alg }).sign(key)
    return {
      client_assertion: jwt,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    }
  }

  const plain = {
    ...{ response_type: 'code', redirect_uri: REDIRECT, scope: 'openid read', state: 'the-state' },
    ...{ code_challenge: CHALLENGE, code_challenge_method: 'S256' },
  }

  /** A request object of `private_key_jwt`. */
  async function request(alg: string, scope = 'read'): Promise<Form> {
    const claims = { ...plain, client_id: 'private_key_jwt', scope }
    const key = alg.startsWith('HS') ? Buffer.from(SECRET) : signers[KEY_OF[alg] ?? 'RSA'].privateKey
    if (alg === 'none') return { request: new UnsecuredJWT(claims).encode() }
    return { request: await new SignJWT(claims).setProtectedHeader({ alg }).sign(key) }
  }

  const proofs: Record<string, () => Promise<{ form?: Form; headers?: Record<string, string> }>> = {
    none: async () => ({ form: { client_id: 'none' } }),
    client_secret_basic: async () => ({ headers: BASIC }),
    client_secret_post: async () => ({ form: { client_id: 'client_secret_post', client_secret: SECRET } }),
    client_secret_jwt: async () => ({ form: await assertion('client_secret_jwt', 'HS256') }),
    private_key_jwt: async () => ({ form: await assertion('private_key_jwt', 'ES256') }),
    tls_client_auth: async () => ({ form: { client_id: 'tls_client_auth' }, headers: CERTIFICATE }),
    self_signed_tls_client_auth: async () => ({
      form: { client_id: 'self_signed_tls_client_auth' },
      headers: CERTIFICATE,
    }),
  }

  async function userinfo(token: string) {
    const headers = { authorization: `Bearer ${token}` }
    const response = await fetch(url('userinfo_endpoint'), { headers })
    expect(response.status).toBe(200)
    return { type: response.headers.get('content-type'), text: await response.text() }
  }

  const keys = () => createRemoteJWKSet(new URL(url('jwks_uri')))

  async function expectUnregistrable(more: ClientMetadata): Promise<void> {
    const created = host.oauth.clients.create({ redirect_uris: [REDIRECT], ...more })
    await expect(created).rejects.toMatchObject({ code: 'invalid_client_metadata' })
  }

  /** What each member of the document is used for here. A member that is not in this table fails the test below it. */
  const uses: Record<string, () => unknown> = {
    issuer: () => expect(metadata.issuer).toBe(host.issuer),

    async authorization_endpoint() {
      const page = await new Agent(host).get(url('authorization_endpoint'))
      expect(page.status).toBe(400)
      expect(page.text).toContain('The application did not say who it is')
    },

    async token_endpoint() {
      expectRefusal(await post({}), 401, 'invalid_client')
    },

    async userinfo_endpoint() {
      const response = await fetch(url('userinfo_endpoint'))
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toBe(`Bearer realm="${host.issuer}"`)
    },

    async jwks_uri() {
      const set = (await json(url('jwks_uri'))) as { keys: Metadata[] }
      const kids = set.keys.map(({ kid }) => kid)
      expect(new Set(kids).size).toBe(kids.length)
      for (const key of set.keys) {
        expect(key).toMatchObject({ kid: expect.any(String), use: 'sig', alg: expect.any(String) })
        expect(['RSA', 'EC', 'OKP']).toContain(key.kty)
        for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth', 'priv'])
          expect(Object.keys(key)).not.toContain(secret)
      }
    },

    async end_session_endpoint() {
      const nobody = await new Agent(host).get(url('end_session_endpoint'))
      expect([nobody.status, nobody.text]).toEqual([200, expect.stringContaining('You are signed out')])
      const { agent } = await authorize()
      const page = await agent.get(url('end_session_endpoint'))
      expect(page.text).toContain('name="decision" value="approve"')
    },

    async scopes_supported() {
      expect(list('scopes_supported')).toEqual(expect.arrayContaining(['openid', 'offline_access', 'read']))
      for (const scope of list('scopes_supported')) expect((await tokens({ scope })).scope).toBe(scope)
      const { page } = await authorize({ scope: 'nope' })
      expect(destination(page).searchParams.get('error')).toBe('invalid_scope')
    },

    async response_types_supported() {
      for (const response_type of list('response_types_supported'))
        await codeFor('client_secret_basic', { response_type })
      for (const response_type of ['token', 'id_token', 'code id_token', 'code token', 'none', 'CODE']) {
        const { page } = await authorize({ response_type })
        expect(destination(page).searchParams.get('error')).toBe('unsupported_response_type')
        await expectUnregistrable({ response_types: [response_type] })
      }
    },

    async response_modes_supported() {
      const codes = {
        query: (page: Page) => destination(page).searchParams.get('code'),
        form_post: (page: Page) => inputValue(page, 'code'),
      } as Record<string, (page: Page) => string | null>
      for (const response_mode of list('response_modes_supported')) {
        const { page } = await authorize({ response_mode })
        expect(codes[response_mode]?.(page)).toMatch(/^[\w-]{64}$/)
      }
      const others = ['fragment', 'jwt', 'query.jwt', 'form_post.jwt', 'web_message', 'FORM_POST', 'x']
      for (const response_mode of others) {
        const { page } = await authorize({ response_mode })
        expect(destination(page).searchParams.get('error')).toBe('invalid_request')
      }
    },

    async grant_types_supported() {
      const { refresh_token, access_token } = await tokens()
      const asMachine = { headers: { authorization: basic('machine', SECRET) } }
      const senders: Record<string, typeof asMachine> = {
        client_credentials: asMachine,
        [TOKEN_EXCHANGE]: asMachine,
        [JWT_BEARER]: asMachine,
      }
      const forms: Record<string, Form> = {
        client_credentials: {},
        [TOKEN_EXCHANGE]: {
          subject_token: access_token,
          subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        },
        [JWT_BEARER]: { assertion: (await assertion(STAFF, 'ES256', { sub: 'alice' })).client_assertion },
        authorization_code: {
          code: await codeFor('client_secret_basic'),
          redirect_uri: REDIRECT,
          code_verifier: VERIFIER,
        },
        refresh_token: { refresh_token },
        [DEVICE_GRANT]: { device_code: await approvedDevice() },
      }
      for (const grant_type of list('grant_types_supported')) {
        const { headers } = senders[grant_type] ?? { headers: BASIC }
        const { status } = await post({ grant_type, ...forms[grant_type] }, headers)
        expect([grant_type, status]).toEqual([grant_type, 200])
      }
      for (const grant_type of [
        'implicit',
        'password',
        'CLIENT_CREDENTIALS',
        'AUTHORIZATION_CODE',
        'urn:ietf:params:oauth:grant-type:saml2-bearer',
        'constructor',
      ]) {
        const { status, body } = await post({ grant_type, ...forms.authorization_code }, BASIC)
        expect([status, body.error]).toEqual([400, 'unsupported_grant_type'])
      }
    },

    async token_endpoint_auth_methods_supported() {
      for (const method of list('token_endpoint_auth_methods_supported')) {
        const { form, headers } = (await proofs[method]?.()) ?? {}
        const code = await codeFor(method)
        const grant = {
          grant_type: 'authorization_code',
          code,
          redirect_uri: REDIRECT,
          code_verifier: VERIFIER,
        }
        const { status, body } = await post({ ...grant, ...form }, headers)
        expect([method, status, body.error]).toEqual([method, 200, undefined])
      }
      for (const method of ['tls', 'attest_jwt_client_auth', 'CLIENT_SECRET_BASIC', 'x'])
        await expectUnregistrable({ token_endpoint_auth_method: method })
    },

    async token_endpoint_auth_signing_alg_values_supported() {
      expect(list('token_endpoint_auth_signing_alg_values_supported')).not.toContain('none')
      const attempt = async (alg: string) => {
        const client = alg.startsWith('HS') ? 'client_secret_jwt' : 'private_key_jwt'
        const grant = { grant_type: 'refresh_token', refresh_token: 'x' }
        const { status, body } = await post({ ...grant, ...(await assertion(client, alg)) })
        return [alg, status, body.error]
      }
      // The client has proven itself where only its refresh token is wrong.
      for (const alg of list('token_endpoint_auth_signing_alg_values_supported'))
        expect(await attempt(alg)).toEqual([alg, 400, 'invalid_grant'])
      expect(await attempt('none')).toEqual(['none', 401, 'invalid_client'])
      for (const alg of ['none', 'RS1', 'ES256K', 'Ed448', 'HS1', 'rs256'])
        await expectUnregistrable({ client_secret: SECRET, token_endpoint_auth_signing_alg: alg })
    },

    async tls_client_certificate_bound_access_tokens() {
      expect(metadata.tls_client_certificate_bound_access_tokens).toBe(true)
      const client_id = 'self_signed_tls_client_auth'
      const code = await codeFor(client_id)
      const grant = {
        ...{ grant_type: 'authorization_code', code, redirect_uri: REDIRECT },
        ...{ code_verifier: VERIFIER, client_id },
      }
      const { body } = await post(grant, CERTIFICATE)
      const authorization = `Bearer ${body.access_token}`
      const call = (headers: Record<string, string>) =>
        fetch(url('userinfo_endpoint'), { headers: { authorization, ...headers } })
      expect((await call(CERTIFICATE)).status).toBe(200)
      expect((await call({})).status).toBe(401)
    },

    async dpop_signing_alg_values_supported() {
      const grant = { grant_type: 'refresh_token', refresh_token: 'x' }
      for (const alg of list('dpop_signing_alg_values_supported')) {
        const key = /^[RP]S/.test(alg) ? { ...RSA_PROOFS, alg } : proofKey(alg)
        const { status, body } = await post(grant, { ...BASIC, dpop: proof(host, { key }) })
        // The proof is right where only the refresh token is wrong.
        expect([alg, status, body.error]).toEqual([alg, 400, 'invalid_grant'])
      }
      const secret = { header: { alg: 'HS256' }, signer: SECRET }
      expectRefusal(await post(grant, { ...BASIC, dpop: proof(host, secret) }), 400, 'invalid_dpop_proof')
    },

    async code_challenge_methods_supported() {
      expect(metadata.code_challenge_methods_supported).toEqual(['S256'])
      await tokens({ code_challenge_method: 'S256' })
      for (const code_challenge_method of ['plain', undefined, 's256', 'S512']) {
        const { page } = await authorize({ code_challenge_method, code_challenge: VERIFIER })
        expect(destination(page).searchParams.get('error')).toBe('invalid_request')
      }
    },

    async authorization_response_iss_parameter_supported() {
      for (const params of [{}, { scope: 'nope' }]) {
        const { page } = await authorize(params)
        expect(destination(page).searchParams.getAll('iss')).toEqual([host.issuer])
      }
    },

    async subject_types_supported() {
      expect(list('subject_types_supported')).toEqual(['public', 'pairwise'])
      const subs = new Map<string, unknown>()
      for (const subject_type of list('subject_types_supported')) {
        const { id_token } = await registeredTokens({ subject_type })
        subs.set(subject_type, decodeJwt(id_token).sub)
      }
      expect(subs.get('public')).toBe('alice')
      expect(subs.get('pairwise')).toMatch(/^[\w-]{43}$/)
      for (const subject_type of ['ephemeral', 'PAIRWISE']) await expectUnregistrable({ subject_type })
    },

    async id_token_signing_alg_values_supported() {
      expect(list('id_token_signing_alg_values_supported')).toContain('RS256')
      for (const alg of list('id_token_signing_alg_values_supported')) {
        const { id_token } = await registeredTokens({ id_token_signed_response_alg: alg })
        expect(decodeProtectedHeader(id_token).alg).toBe(alg)
        await jwtVerify(id_token, keys(), { issuer: host.issuer, algorithms: [alg] })
      }
      for (const alg of ['none', 'HS256', 'RS384', 'PS256', 'ES384', 'Ed448'])
        await expectUnregistrable({ id_token_signed_response_alg: alg })
    },

    async userinfo_signing_alg_values_supported() {
      for (const alg of list('userinfo_signing_alg_values_supported')) {
        const { access_token, client_id } = await registeredTokens({ userinfo_signed_response_alg: alg })
        const { type, text } = await userinfo(access_token)
        expect(type).toBe('application/jwt')
        expect(decodeProtectedHeader(text).alg).toBe(alg)
        await jwtVerify(text, keys(), { issuer: host.issuer, audience: client_id, algorithms: [alg] })
      }
      for (const alg of ['none', 'HS256', 'RS384', 'PS256', 'ES384'])
        await expectUnregistrable({ userinfo_signed_response_alg: alg })
    },

    async prompt_values_supported() {
      const { agent } = await authorize()
      const expected: Record<string, (page: Page) => void> = {
        none: (page) => expect(destination(page).searchParams.get('code')).toMatch(/./),
        login: (page) => expect(new URL(page.url).pathname).toBe('/login'),
        select_account: (page) => expect(new URL(page.url).pathname).toBe('/login'),
        consent: (page) => expect(page.text).toContain('name="decision"'),
      }
      for (const prompt of list('prompt_values_supported')) {
        const query = encode({
          ...{ response_type: 'code', client_id: 'client_secret_basic', redirect_uri: REDIRECT },
          ...{ scope: 'openid read', code_challenge: CHALLENGE, code_challenge_method: 'S256', prompt },
        })
        const page = await agent.follow(`${url('authorization_endpoint')}?${query}`)
        expect(Object.keys(expected)).toContain(prompt)
        expected[prompt]?.(page)
      }
      for (const prompt of ['create', 'foo', 'LOGIN', 'none login']) {
        const { page } = await authorize({ prompt }, agent)
        expect(destination(page).searchParams.get('error')).toBe('invalid_request')
      }
    },

    async claim_types_supported() {
      expect(metadata.claim_types_supported).toEqual(['normal'])
      const { text } = await userinfo((await tokens({ scope: 'openid profile email' })).access_token)
      expect(Object.keys(JSON.parse(text))).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/^_claim_/)]),
      )
    },

    async claims_supported() {
      const scope = 'openid profile email address phone'
      const { access_token, id_token } = await tokens({ scope, nonce: 'the-nonce' })
      const told = { ...decodeJwt(id_token), ...JSON.parse((await userinfo(access_token)).text) }
      expect(Object.keys(told).sort()).toEqual([...list('claims_supported')].sort())
      for (const value of Object.values(told)) expect([null, '']).not.toContain(value)
    },

    async claims_parameter_supported() {
      expect(metadata.claims_parameter_supported).toBe(true)
      const claims = JSON.stringify({ userinfo: { email: null }, id_token: { nickname: null } })
      const { access_token, id_token } = await tokens({ claims, scope: 'openid' })
      expect(JSON.parse((await userinfo(access_token)).text)).toEqual({
        sub: 'alice',
        email: EVERYTHING.email,
      })
      expect(decodeJwt(id_token).nickname).toBe('Ali')
    },

    async ui_locales_supported() {
      const languages = list('ui_locales_supported')
      expect(languages).toEqual(['en', 'ar', 'de', 'es', 'fr'])
      for (const language of languages) {
        const page = await fetch(`${url('authorization_endpoint')}?ui_locales=${language}`)
        expect(page.headers.get('content-language')).toBe(language)
        expect(await page.text()).toContain(`<html lang="${language}"`)
      }
    },

    async pushed_authorization_request_endpoint() {
      const endpoint = url('pushed_authorization_request_endpoint')
      const form = { ...plain, client_id: 'none' }
      const response = await fetch(endpoint, { method: 'POST', body: encode(form) })
      expect(response.status).toBe(201)
      const { request_uri } = (await response.json()) as { request_uri: string }
      const alone = { scope: undefined, code_challenge: undefined, redirect_uri: undefined }
      const { page } = await authorize({ ...alone, client_id: 'none', request_uri })
      expect(destination(page).searchParams.get('code')).toMatch(/^[\w-]{64}$/)
    },

    async device_authorization_endpoint() {
      expect(await approvedDevice()).toMatch(/^[\w-]{64}$/)
    },

    async authorization_details_types_supported() {
      for (const type of list('authorization_details_types_supported')) {
        const authorization_details = JSON.stringify([{ type }])
        const tokensOfDetails = await tokens({ authorization_details })
        expect(tokensOfDetails.authorization_details).toEqual([{ type }])
      }
      const { page } = await authorize({ authorization_details: '[{"type":"x"}]' })
      expect(destination(page).searchParams.get('error')).toBe('invalid_authorization_details')
    },

    async revocation_endpoint() {
      const { access_token } = await tokens()
      const revoked = await postTo('revocation_endpoint', { token: access_token }, BASIC)
      expect([revoked.status, revoked.body]).toEqual([200, {}])
      const headers = { authorization: `Bearer ${access_token}` }
      expect((await fetch(url('userinfo_endpoint'), { headers })).status).toBe(401)
    },

    async introspection_endpoint() {
      const { access_token } = await tokens()
      const { body } = await postTo('introspection_endpoint', { token: access_token }, BASIC)
      expect(body).toMatchObject({ active: true, iss: metadata.issuer, sub: 'alice' })
    },

    revocation_endpoint_auth_methods_supported: () => expectAuthMethods('revocation_endpoint', []),
    introspection_endpoint_auth_methods_supported: () =>
      expectAuthMethods('introspection_endpoint', ['none']),

    revocation_endpoint_auth_signing_alg_values_supported: () => expectAuthAlgs('revocation_endpoint'),
    introspection_endpoint_auth_signing_alg_values_supported: () => expectAuthAlgs('introspection_endpoint'),

    async introspection_signing_alg_values_supported() {
      for (const alg of list('introspection_signing_alg_values_supported')) {
        const { client_id, client_secret = '' } = await host.oauth.clients.create({
          ...{ grant_types: [], introspection_signed_response_alg: alg },
        })
        const response = await fetch(url('introspection_endpoint'), {
          method: 'POST',
          headers: { authorization: basic(client_id, client_secret) },
          body: encode({ token: 'x' }),
        })
        const expected = { issuer: host.issuer, audience: client_id, algorithms: [alg] }
        const { payload } = await jwtVerify(await response.text(), keys(), expected)
        expect(payload.token_introspection).toEqual({ active: false })
      }
      for (const alg of ['none', 'HS256', 'RS512', 'rs256'])
        await expectUnregistrable({ introspection_signed_response_alg: alg })
    },

    async request_parameter_supported() {
      expect(metadata.request_parameter_supported).toBe(true)
      const { page } = await authorize({ client_id: 'private_key_jwt', ...(await request('ES256')) })
      expect(destination(page).searchParams.get('code')).toMatch(/^[\w-]{64}$/)
    },

    async request_object_signing_alg_values_supported() {
      const algs = list('request_object_signing_alg_values_supported')
      expect(algs.filter((alg) => /none|^HS/.test(alg))).toEqual([])
      const errorOf = async (alg: string) => {
        const { page } = await authorize({ client_id: 'private_key_jwt', ...(await request(alg, 'nope')) })
        return destination(page).searchParams.get('error')
      }
      // It counts where only its scope is wrong.
      for (const alg of algs) expect([alg, await errorOf(alg)]).toEqual([alg, 'invalid_scope'])
      for (const alg of ['none', 'HS256']) expect(await errorOf(alg)).toBe('invalid_request_object')
      for (const alg of ['none', 'HS256', 'ES256K'])
        await expectUnregistrable({ request_object_signing_alg: alg })
    },

    async request_uri_parameter_supported() {
      // K-27: left out, it would mean true.
      expect(metadata.request_uri_parameter_supported).toBe(false)
      const { page } = await authorize({ request_uri: 'https://rp.example/request' })
      expect(destination(page).searchParams.get('error')).toBe('request_uri_not_supported')
    },

    async backchannel_logout_supported() {
      expect(metadata.backchannel_logout_supported).toBe(true)
      await tokens()
      const notified = once(host.oauth.events, 'logout.notified')
      await host.oauth.logoutUser('alice')
      await notified
      const { payload } = await jwtVerify(logoutTokens.at(-1) ?? '', keys(), { issuer: host.issuer })
      expect(payload.events).toEqual({ 'http://schemas.openid.net/event/backchannel-logout': {} })
    },

    async backchannel_logout_session_supported() {
      expect(metadata.backchannel_logout_session_supported).toBe(true)
      const { agent, page } = await authorize()
      const { body } = await post(
        {
          grant_type: 'authorization_code',
          code: destination(page).searchParams.get('code') ?? '',
          redirect_uri: REDIRECT,
          code_verifier: VERIFIER,
        },
        BASIC,
      )
      const { sid } = decodeJwt(String(body.id_token))
      expect(sid).toMatch(/^[\w-]{22}$/)
      const notified = once(host.oauth.events, 'logout.notified')
      const query = encode({ id_token_hint: String(body.id_token) })
      await agent.get(`${url('end_session_endpoint')}?${query}`)
      await notified
      expect(decodeJwt(logoutTokens.at(-1) ?? '').sid).toBe(sid)
    },
  }

  async function postTo(member: string, form: Form, headers: Record<string, string> = {}) {
    const response = await fetch(url(member), { method: 'POST', body: encode(form), headers })
    return { status: response.status, headers: response.headers, body: (await response.json()) as Metadata }
  }

  /** The methods that are listed, and no others, prove a client here. */
  async function expectAuthMethods(endpoint: string, refused: readonly string[]): Promise<void> {
    const methods = list(`${endpoint}_auth_methods_supported`)
    const all = list('token_endpoint_auth_methods_supported')
    expect(methods).toEqual(all.filter((method) => !refused.includes(method)))
    for (const method of all) {
      const { form, headers } = (await proofs[method]?.()) ?? {}
      const { status } = await postTo(endpoint, { token: 'x', ...form }, headers)
      expect([method, status]).toEqual([method, refused.includes(method) ? 401 : 200])
    }
  }

  async function expectAuthAlgs(endpoint: string): Promise<void> {
    for (const alg of list(`${endpoint}_auth_signing_alg_values_supported`)) {
      const client = alg.startsWith('HS') ? 'client_secret_jwt' : 'private_key_jwt'
      const { status } = await postTo(endpoint, { token: 'x', ...(await assertion(client, alg)) })
      expect([alg, status]).toEqual([alg, 200])
    }
    const unsigned = await assertion('private_key_jwt', 'none')
    expectRefusal(await postTo(endpoint, { token: 'x', ...unsigned }), 401, 'invalid_client')
  }

  /** The code of a device that alice has approved. */
  async function approvedDevice(): Promise<string> {
    const endpoint = url('device_authorization_endpoint')
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: BASIC,
      body: encode({ scope: 'read' }),
    })
    const codes = (await response.json()) as Record<string, string>
    const agent = new Agent(host)
    await agent.login('alice')
    const page = await agent.get(codes.verification_uri_complete ?? '')
    const form = { _csrf: inputValue(page, '_csrf'), user_code: codes.user_code, decision: 'approve' }
    expect((await agent.post(codes.verification_uri ?? '', form)).status).toBe(303)
    return codes.device_code ?? ''
  }

  /** Tokens of a client that is registered for the purpose. */
  async function registeredTokens(more: ClientMetadata) {
    const created = await host.oauth.clients.create({
      redirect_uris: [REDIRECT],
      token_endpoint_auth_method: 'none',
      ...more,
    })
    const client_id = created.client_id ?? ''
    const code = await codeFor(client_id)
    const grant = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: VERIFIER }
    const { status, body } = await post({ ...grant, client_id })
    expect([status, body.error]).toEqual([200, undefined])
    return { access_token: String(body.access_token), id_token: String(body.id_token), client_id }
  }

  describe('DISC-04 oidcc-discovery-endpoint-verification everything in the document is there, and nothing beside it', () => {
    test.each(Object.keys(uses))('%s', async (member) => {
      expect(Object.keys(metadata)).toContain(member)
      await uses[member]?.()
    })

    test('the document has no other member', () => {
      expect(Object.keys(metadata).filter((member) => !(member in uses))).toEqual([])
    })
  })

  test('DISC-07 what does not exist yet is neither listed nor answered', async () => {
    for (const [member, path] of [
      ['registration_endpoint', '/register'],
      ['check_session_iframe', '/session'],
    ] as const) {
      expect(Object.keys(metadata)).not.toContain(member)
      for (const method of ['GET', 'POST'])
        expect((await fetch(host.issuer + path, { method })).status).toBe(404)
    }
    const features = /mtls|registration|frontchannel|encryption|jwt_authorization/
    expect(JSON.stringify(Object.keys(metadata))).not.toMatch(features)
  })

  test('DISC-01 DISC-02 CLIENTS-1 oidcc-discovery-endpoint-verification the document is the same at all four places, and the URL minus the suffix is the issuer', async () => {
    const texts = await Promise.all(
      places(host, mount).map(async (place) => {
        const response = await fetch(place)
        expect(response.status).toBe(200)
        expect(response.headers.get('content-type')).toMatch(/^application\/json(;|$)/)
        return response.text()
      }),
    )
    expect(texts).toHaveLength(4)
    expect(new Set(texts).size).toBe(1)
    expect(JSON.parse(texts[0] ?? '').issuer).toBe(host.issuer)
  })

  test('DISC-04 oidcc-discovery-endpoint-verification it has the members that Discovery §3 and RFC 8414 §2 require', () => {
    for (const member of [
      'issuer',
      'authorization_endpoint',
      'token_endpoint',
      'userinfo_endpoint',
      'jwks_uri',
      'end_session_endpoint',
    ])
      expect(url(member)).toMatch(/^http:\/\/localhost:\d+/)
    for (const member of [
      'response_types_supported',
      'subject_types_supported',
      'id_token_signing_alg_values_supported',
      'scopes_supported',
      'claims_supported',
      'grant_types_supported',
      'response_modes_supported',
      'token_endpoint_auth_methods_supported',
    ])
      expect(list(member)).toEqual(expect.arrayContaining([expect.any(String)]))
  })

  test('openid-client and oauth4webapi accept it, in either way of discovery', async () => {
    const issuer = new URL(host.issuer)
    for (const algorithm of ['oidc', 'oauth2'] as const) {
      const insecure = { [oauth4webapi.allowInsecureRequests]: true }
      const response = await oauth4webapi.discoveryRequest(issuer, { algorithm, ...insecure })
      const server = await oauth4webapi.processDiscoveryResponse(issuer, response)
      expect(server).toEqual(metadata)
      const config = await openidClient.discovery(issuer, 'client_secret_basic', SECRET, undefined, {
        algorithm,
        execute: [openidClient.allowInsecureRequests],
      })
      expect(config.serverMetadata().supportsPKCE()).toBe(true)
      expect(config.serverMetadata().issuer).toBe(host.issuer)
    }
  })

  test('DISC-11 HDR-05 every place has cache headers, HEAD, CORS and 405, and sets no cookie', async () => {
    for (const place of [...places(host, mount), url('jwks_uri')]) {
      const origin = 'https://spa.example'
      const get = await fetch(place, { headers: { origin } })
      const head = await fetch(place, { method: 'HEAD', headers: { origin } })
      for (const { status, headers } of [get, head]) {
        expect(status).toBe(200)
        expect(headers.get('cache-control')).toMatch(/^public, max-age=[1-9]\d*$/)
        expect(headers.get('access-control-allow-origin')).toBe('*')
        expect(headers.get('access-control-allow-credentials')).toBeNull()
        expect(headers.get('set-cookie')).toBeNull()
        expect(headers.get('x-content-type-options')).toBe('nosniff')
        expect(headers.get('content-length')).toBe(get.headers.get('content-length'))
      }
      expect(await head.text()).toBe('')
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        const response = await fetch(place, { method, body: 'x=1' })
        expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
        expect(response.headers.get('cache-control')).toBe('no-store')
        expect(await response.json()).toMatchObject({ error: 'invalid_request' })
      }
      const preflight = await fetch(place, { method: 'OPTIONS', headers: { origin } })
      expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '*'])
    }
  })
})

function places(host: Host, mount: string): string[] {
  return ['openid-configuration', 'oauth-authorization-server'].flatMap((name) => [
    `${host.issuer}/.well-known/${name}`,
    `${host.origin}/.well-known/${name}${mount}`,
  ])
}

async function json(location: string): Promise<Metadata> {
  const response = await fetch(location)
  expect(response.status).toBe(200)
  return (await response.json()) as Metadata
}

async function documentOf(options: HostOptions): Promise<Metadata> {
  const host = await startHost(options)
  const metadata = await json(`${host.issuer}/.well-known/openid-configuration`)
  await host.close()
  return metadata
}

describe('DISC-05 with much and with little', () => {
  test.each<[string, HostOptions]>([
    ['nothing but what is required', { provider: { scopes: {}, clients: [] }, api: false }],
    [
      'all options',
      {
        provider: {
          pairwiseSalt: 'x'.repeat(32),
          secret: 'y'.repeat(32),
          idTokenClaims: 'scopes',
          authorizationDetails: { payment: { schema: {}, description: 'Pay' } },
          // Words of the host's own for a scope that is there anyway list it no second time.
          scopes: { read: 'Read', openid: 'Who you are', write: { description: 'Write', required: false } },
        },
      },
    ],
  ])('%s: no null, nothing empty, nothing twice', async (_, options) => {
    const metadata = await documentOf(options)
    for (const value of Object.values(metadata)) {
      expect([null, '']).not.toContain(value)
      if (!Array.isArray(value)) continue
      expect(value.length).toBeGreaterThan(0)
      expect(new Set(value).size).toBe(value.length)
      for (const item of value) expect(item).toMatch(/./)
    }
    for (const alg of metadata.token_endpoint_auth_signing_alg_values_supported as string[])
      expect(alg).not.toBe('none')
  })

  test('pairwise is listed with the option pairwiseSalt only, and refused without it', async () => {
    expect((await documentOf({})).subject_types_supported).toEqual(['public'])
    const host = await startHost()
    const pairwise = { redirect_uris: [REDIRECT], subject_type: 'pairwise' }
    await expect(host.oauth.clients.create(pairwise)).rejects.toMatchObject({
      code: 'invalid_client_metadata',
    })
    await host.close()
  })

  test('only algorithms are listed for which there is a key, and no client can be registered for another one', async () => {
    const keys = signingKeys.filter(({ alg }) => alg === 'RS256')
    const host = await startHost({ provider: { keys } })
    const metadata = await json(`${host.issuer}/.well-known/openid-configuration`)
    expect(metadata.id_token_signing_alg_values_supported).toEqual(['RS256'])
    expect(metadata.userinfo_signing_alg_values_supported).toEqual(['RS256'])
    expect(metadata.introspection_signing_alg_values_supported).toEqual(['RS256'])
    for (const name of [
      'id_token_signed_response_alg',
      'userinfo_signed_response_alg',
      'introspection_signed_response_alg',
    ]) {
      const client = { redirect_uris: [REDIRECT], [name]: 'ES256' }
      await expect(host.oauth.clients.create(client)).rejects.toMatchObject({
        code: 'invalid_client_metadata',
      })
      const named = { client_id: 'x', token_endpoint_auth_method: 'none', ...client }
      await expect(startHost({ provider: { keys, clients: [named] } })).rejects.toMatchObject({
        name: 'ConfigurationError',
        option: `clients[0].${name}`,
      })
    }
    await host.close()
  })
})

test('DISC-01 oidcc-discovery-endpoint-verification the issuer is what the host wrote, byte for byte, and so are all URLs', async () => {
  for (const issuer of ['https://Photos.Example/OAuth', 'https://photos.example:443/oauth']) {
    const host = await startHost({
      provider: { issuer },
      mountAt: new URL(issuer).pathname,
      api: false,
    }).catch((error) => error as Error)
    // What URLs spell otherwise may be refused, but never be changed without a word.
    if (host instanceof Error) {
      expect(host).toMatchObject({ name: 'ConfigurationError', option: 'issuer' })
      continue
    }
    const { pathname } = new URL(issuer)
    const metadata = await json(`${host.origin}${pathname}/.well-known/openid-configuration`)
    expect(metadata.issuer).toBe(issuer)
    for (const [name, value] of Object.entries(metadata))
      if (/_endpoint$|_uri$/.test(name)) expect(String(value).startsWith(`${issuer}/`)).toBe(true)
    await host.close()
  }
})

test('DISC-11 the documents work without a session, and where the session store is down', async () => {
  for (const session of [
    (_req, _res, next) => next(),
    (req, _res, next) => {
      Object.defineProperty(req, 'session', {
        get: () => {
          throw new Error('the session store is down')
        },
      })
      next()
    },
  ] as NonNullable<HostOptions['session']>[]) {
    const host = await startHost({ session })
    for (const place of [...places(host, '/oauth'), `${host.issuer}/jwks`])
      expect((await fetch(place)).status).toBe(200)
    await host.close()
  }
})

test('HOST-01 INJ-08 no header of a request changes a byte of it', async () => {
  const host = await startHost({ beforeSession: (app) => app.set('trust proxy', true) })
  for (const place of places(host, '/oauth')) {
    const plain = await (await fetch(place)).text()
    expect(await (await fetch(`${place}?x=evil`, { headers: FORGED })).text()).toBe(plain)
  }
  await host.close()
})
