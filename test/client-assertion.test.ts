import { createPublicKey, generateKeyPairSync, type JsonWebKey, randomUUID } from 'node:crypto'
import SQLite from 'better-sqlite3'
import * as jose from 'jose'
import * as oauth4webapi from 'oauth4webapi'
import * as openid from 'openid-client'
import type { ClientMetadata } from '../lib/index.js'
import { openStore } from '../lib/store/open.js'
import { SqliteStore } from '../lib/store/sqlite.js'
import type { Store } from '../lib/store/store.js'
import { ASSERTION_TYPE, assertion, type Signer, signJwt, withAssertion } from './support/assertions.js'
import { clientEndpoints, expectLetInAt, tokenEndpoint } from './support/client-endpoints.js'
import { clients, csjSecret, pkjKey } from './support/clients.js'
import { faultyStore, INTERNALS } from './support/faults.js'
import {
  basic,
  decide,
  destination,
  getCode,
  redirectUriOf,
  refresh,
  signedIn,
  VERIFIER,
} from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import { rsaKey } from './support/rsa-keys.js'
import {
  dump,
  expectRefusal,
  expectTokens,
  type RawAnswer,
  REMEDY,
  send,
  sendFrom,
} from './support/token-endpoint.js'

const redirect_uris = ['https://rp.example/cb']
const PROBE = tokenEndpoint.probe

function ec(namedCurve: string): { key: JsonWebKey; jwk: JsonWebKey } {
  return exported(generateKeyPairSync('ec', { namedCurve }))
}

function exported({ privateKey, publicKey }: ReturnType<typeof generateKeyPairSync>) {
  return { key: privateKey.export({ format: 'jwk' }), jwk: publicKey.export({ format: 'jwk' }) }
}

const rsa = exported(rsaKey())
const ed = exported(generateKeyPairSync('ed25519'))
const keys = { RS: rsa, PS: rsa, ES256: ec('P-256'), ES384: ec('P-384'), ES512: ec('P-521'), Ed: ed }
const other = ec('P-256')

function byKey(client_id: string, metadata: Partial<ClientMetadata> = {}): ClientMetadata {
  return { client_id, token_endpoint_auth_method: 'private_key_jwt', redirect_uris, ...metadata }
}

const registered: readonly ClientMetadata[] = [
  ...clients,
  byKey('rsa', { jwks: { keys: [rsa.jwk] } }),
  byKey('ed', { jwks: { keys: [ed.jwk] } }),
  byKey('es384', { jwks: { keys: [keys.ES384.jwk] } }),
  byKey('es512', { jwks: { keys: [keys.ES512.jwk] } }),
  byKey('several', { jwks: { keys: [rsa.jwk, other.jwk, keys.ES384.jwk, keys.ES256.jwk] } }),
  byKey('kids', {
    jwks: {
      keys: [
        { ...other.jwk, kid: 'a' },
        { ...keys.ES256.jwk, kid: 'b' },
      ],
    },
  }),
  byKey('uses', {
    jwks: {
      keys: [
        { ...other.jwk, use: 'sig', key_ops: ['verify'] },
        { ...keys.ES256.jwk, use: 'enc' },
        { ...rsa.jwk, alg: 'PS256' },
      ],
    },
  }),
  byKey('ps-only', { jwks: { keys: [rsa.jwk] }, token_endpoint_auth_signing_alg: 'PS256' }),
  byKey('ed-only', { jwks: { keys: [ed.jwk] }, token_endpoint_auth_signing_alg: 'EdDSA' }),
  byKey('old-library', { jwks: { keys: [other.jwk] }, accept_endpoint_audience: true }),
  {
    client_id: 'csj512',
    client_secret: csjSecret,
    token_endpoint_auth_method: 'client_secret_jwt',
    token_endpoint_auth_signing_alg: 'HS512',
    redirect_uris,
  },
  {
    client_id: 'csj-short',
    client_secret: 'x'.repeat(32),
    token_endpoint_auth_method: 'client_secret_jwt',
    redirect_uris,
  },
  { client_id: 'long-basic', client_secret: csjSecret, redirect_uris },
]

let host: Host
beforeAll(async () => {
  host = await startHost({ provider: { clients: registered } })
})
afterAll(() => host.close())

/** What this assertion gets. */
function knock(jwt: string, form: Record<string, string> = {}, own = host): Promise<RawAnswer> {
  return send(own, { body: new URLSearchParams({ ...PROBE, ...withAssertion(jwt), ...form }) })
}

async function expectLetIn(answer: Promise<RawAnswer>): Promise<void> {
  expectRefusal(await answer, 400, 'invalid_grant')
}

/** Refused as a client, for this reason, and nothing of the assertion is told. */
async function expectKeptOut(answer: Promise<RawAnswer>, reason: string, own = host): Promise<void> {
  const { length } = own.events
  const { text, ...refusal } = await answer
  expectRefusal(refusal, 401, 'invalid_client')
  if (/expired|header|algorithm|signature/.test(reason))
    expect(refusal.body.error_description).toMatch(REMEDY)
  const told = own.events.slice(length)
  expect(told.find(({ name }) => name === 'token.refused')?.event.reason).toBe(reason)
  expect(`${text}${JSON.stringify(told)}`).not.toMatch(/eyJ/)
}

describe('private_key_jwt', () => {
  test.each([
    ['no typ', {}],
    ['typ JWT', { typ: 'JWT' }],
    ['typ jwt', { typ: 'jwt' }],
    ['typ client-authentication+jwt', { typ: 'client-authentication+jwt' }],
    ['typ Client-Authentication+JWT', { typ: 'Client-Authentication+JWT' }],
    ['the kid of its key', { kid: 'pkj-1' }],
    ['a key of its own in the header, which is not looked at', { jwk: other.jwk, jku: 'https://evil.test' }],
  ])('CAUTH-11 is accepted with %s', async (_, header) => {
    await expectLetIn(knock(assertion(host, { header })))
  })

  test('CAUTH-11, K-17 is accepted with the issuer as one audience, as string and in a list, with client_id and without', async () => {
    await expectLetIn(knock(assertion(host)))
    await expectLetIn(knock(assertion(host, { claims: { aud: [host.issuer] } })))
    await expectLetIn(knock(assertion(host), { client_id: 'pkj' }))
  })

  test.each([
    ['iat and nbf 8 seconds ahead', { iat: 8, nbf: 8 }],
    ['exp 8 seconds ago', { exp: -8 }],
    ['exp in an hour', { exp: 3600 }],
    ['a fraction of a second', { exp: 60.5, iat: 0.25 }],
  ])('CAUTH-11 is accepted with %s', async (_, times) => {
    const now = Math.floor(host.now() / 1000)
    const claims = Object.fromEntries(Object.entries(times).map(([name, seconds]) => [name, now + seconds]))
    await expectLetIn(knock(assertion(host, { claims })))
  })

  test('is accepted without iat and nbf, and with claims that nobody knows', async () => {
    await expectLetIn(knock(assertion(host, { claims: { iat: undefined, extra: { a: [1] } } })))
  })

  test('takes a client through the code flow, and what is refused burns no code', async () => {
    const { code } = await getCode(host, { client: 'pkj' })
    const redemption = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUriOf('pkj'),
      code_verifier: VERIFIER,
    }
    await expectKeptOut(knock(assertion(host, { signer: other.key }), redemption), 'assertion_signature')
    await expectKeptOut(
      send(host, { body: new URLSearchParams({ ...redemption, client_id: 'pkj' }) }),
      'credentials_missing',
    )
    const answer = await knock(assertion(host), redemption)
    expectTokens(answer)
    const renewal = { grant_type: 'refresh_token', refresh_token: String(answer.body.refresh_token) }
    await expectKeptOut(
      knock(assertion(host, { client: 'rsa', signer: other.key }), renewal),
      'assertion_key',
    )
    expectTokens(await knock(assertion(host), renewal))
  })
})

describe('what an assertion must say', () => {
  const hour = 3600
  const wrong: readonly (readonly [string, string, (now: number) => Record<string, unknown>])[] = [
    ['no iss', 'assertion_subject', () => ({ iss: undefined })],
    ['no sub', 'assertion_subject', () => ({ sub: undefined })],
    ['another iss', 'assertion_subject', () => ({ iss: 'conf' })],
    ['a sub that is no string', 'assertion_subject', () => ({ iss: 5, sub: 5 })],
    ['an empty sub', 'assertion_subject', () => ({ iss: '', sub: '' })],
    ['an unknown client', 'client_unknown', () => ({ iss: 'nobody', sub: 'nobody' })],
    ['a disabled client', 'client_unknown', () => ({ iss: 'off', sub: 'off' })],
    ['no aud', 'assertion_audience', () => ({ aud: undefined })],
    ['aud null', 'assertion_audience', () => ({ aud: null })],
    ['an empty aud', 'assertion_audience', () => ({ aud: '' })],
    ['an empty list', 'assertion_audience', () => ({ aud: [] })],
    ['a list in a list', 'assertion_audience', () => ({ aud: [[host.issuer]] })],
    ['another server as aud (K-17)', 'assertion_audience', () => ({ aud: 'https://evil.example' })],
    ['a slash behind the issuer', 'assertion_audience', () => ({ aud: `${host.issuer}/` })],
    ['the issuer in capitals', 'assertion_audience', () => ({ aud: host.issuer.toUpperCase() })],
    ['the origin', 'assertion_audience', () => ({ aud: host.origin })],
    ['the token endpoint as aud (K-17)', 'assertion_audience', () => ({ aud: `${host.issuer}/token` })],
    [
      'two servers as aud (K-17)',
      'assertion_audience',
      () => ({ aud: [host.issuer, 'https://evil.example'] }),
    ],
    ['two servers, ours last', 'assertion_audience', () => ({ aud: ['https://evil.example', host.issuer] })],
    [
      'the issuer and the token endpoint as aud (K-17)',
      'assertion_audience',
      () => ({ aud: [host.issuer, `${host.issuer}/token`] }),
    ],
    ['the issuer twice', 'assertion_audience', () => ({ aud: [host.issuer, host.issuer] })],
    ['no exp', 'assertion_exp_missing', () => ({ exp: undefined })],
    ['exp as a string', 'assertion_exp_missing', (now) => ({ exp: String(now + 60) })],
    ['exp null', 'assertion_exp_missing', () => ({ exp: null })],
    ['an exp that has passed', 'assertion_expired', (now) => ({ exp: now - 11 })],
    ['a negative exp', 'assertion_expired', () => ({ exp: -1 })],
    ['an exp of 1e308', 'assertion_lifetime', () => ({ exp: 1e308 })],
    ['an exp more than an hour ahead', 'assertion_lifetime', (now) => ({ exp: now + hour + 12 })],
    ['exp in milliseconds', 'assertion_lifetime', (now) => ({ exp: (now + 60) * 1000 })],
    ['an nbf ahead', 'assertion_not_yet_valid', (now) => ({ nbf: now + 12 })],
    ['an iat ahead', 'assertion_not_yet_valid', (now) => ({ iat: now + 12 })],
    ['iat as a string', 'assertion_not_yet_valid', (now) => ({ iat: String(now) })],
    ['no jti', 'assertion_jti', () => ({ jti: undefined })],
    ['an empty jti', 'assertion_jti', () => ({ jti: '' })],
    ['a jti that is a number', 'assertion_jti', () => ({ jti: 5 })],
    ['a jti of 256 characters', 'assertion_jti', () => ({ jti: 'x'.repeat(256) })],
  ]
  test.each(wrong)('CAUTH-12 %s is refused: %s', async (_, reason, claims) => {
    const jwt = assertion(host, { claims: claims(Math.floor(host.now() / 1000)) })
    await expectKeptOut(knock(jwt), reason)
  })

  test('another client_id in the body is refused', async () => {
    for (const client_id of ['conf', 'pub', 'PKJ', 'pkj '])
      await expectKeptOut(knock(assertion(host), { client_id }), 'client_id_conflict')
  })

  test.each(['', 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer', `${ASSERTION_TYPE} `, 'jwt'])(
    'the client_assertion_type %p is refused',
    async (client_assertion_type) => {
      await expectKeptOut(knock(assertion(host), { client_assertion_type }), 'assertion_type_unknown')
    },
  )

  test('client_assertion_type alone is refused, and an assertion twice is invalid_request', async () => {
    const body = new URLSearchParams({ ...PROBE, client_assertion_type: ASSERTION_TYPE })
    await expectKeptOut(send(host, { body }), 'assertion_missing')
    for (const name of ['client_assertion', 'client_assertion_type']) {
      const twice = new URLSearchParams({ ...PROBE, ...withAssertion(assertion(host)) })
      twice.append(name, twice.get(name) ?? '')
      expectRefusal(await send(host, { body: twice }), 400, 'invalid_request')
    }
  })

  test('K-17 the refusal says what would be right, and an assertion that was refused is not used up', async () => {
    const jti = randomUUID()
    const refused = await knock(assertion(host, { claims: { jti, aud: 'https://evil.example' } }))
    expect(refused.body.error_description).toBe(
      `aud of the client_assertion must be ${host.issuer}, and nothing else.`,
    )
    await knock(assertion(host, { claims: { jti }, signer: other.key }))
    await expectLetIn(knock(assertion(host, { claims: { jti } })))
  })
})

describe('accept_endpoint_audience', () => {
  const signer = other.key
  const knockWith = (aud: unknown) =>
    knock(assertion(host, { client: 'old-library', signer, claims: { aud } }))

  test('CAUTH-11, K-17 lets the URL of the endpoint that is called be the audience too', async () => {
    await expectLetIn(knockWith(`${host.issuer}/token`))
    await expectLetIn(knockWith([`${host.issuer}/token`]))
    await expectLetIn(knockWith(host.issuer))
    // What openid-client 5 and older sends.
    await expectLetIn(knockWith([host.issuer, `${host.issuer}/token`]))
  })

  test('CAUTH-12, K-17 lets no other one be', async () => {
    for (const aud of [
      `${host.issuer}/authorize`,
      `${host.issuer}/token/`,
      `${host.issuer}/token?x=1`,
      'https://evil.example/oauth/token',
      [`${host.issuer}/token`, 'https://evil.example/token'],
      [host.issuer, `${host.issuer}/token`, host.issuer],
      [],
      undefined,
    ])
      await expectKeptOut(knockWith(aud), 'assertion_audience')
  })
})

describe.each(clientEndpoints)('at $path', (endpoint) => {
  const { path, probe } = endpoint
  const knockAt = (jwt: string, form: Record<string, string> = {}) =>
    send(host, { path, body: new URLSearchParams({ ...probe, ...withAssertion(jwt), ...form }) })
  const expectIn = (answer: Promise<RawAnswer>) => expectLetInAt(endpoint, answer)
  const expectOut = async (answer: Promise<RawAnswer>, reason: string) => {
    expectRefusal(await answer, 401, 'invalid_client')
    const told = host.events.slice(-2).map(({ name, event }) => [name, event.reason])
    const refused = path === '/token' ? 'token.refused' : 'request.refused'
    expect(told).toEqual([
      ['client.authentication_failed', reason],
      [refused, reason],
    ])
  }

  test.each(['pkj', 'csj'])(
    'CAUTH-11 %s is let in with its assertion, and with client_id beside it',
    async (client) => {
      await expectIn(knockAt(assertion(host, { client })))
      await expectIn(knockAt(assertion(host, { client, header: { typ: 'client-authentication+jwt' } })))
      await expectIn(knockAt(assertion(host, { client }), { client_id: client }))
    },
  )

  test('CAUTH-12 wrong ones are refused', async () => {
    const now = Math.floor(host.now() / 1000)
    await expectOut(knockAt(assertion(host, { signer: other.key })), 'assertion_signature')
    await expectOut(
      knockAt(assertion(host, { client: 'csj', signer: 'x'.repeat(64) })),
      'assertion_signature',
    )
    await expectOut(knockAt(assertion(host, { claims: { exp: now - 60 } })), 'assertion_expired')
    await expectOut(knockAt(assertion(host, { claims: { jti: undefined } })), 'assertion_jti')
    expectRefusal(await knockAt('a.b.c'), 401, 'invalid_client')
    expectRefusal(await knockAt(assertion(host), { client_id: 'conf' }), 401, 'invalid_client')
  })

  test('K-17 the issuer is the audience, and the URL that is called for who registered that, but no other', async () => {
    const from = (client: string, aud: unknown) =>
      knockAt(
        assertion(host, { client, claims: { aud }, ...(client === 'old-library' && { signer: other.key }) }),
      )
    await expectIn(from('old-library', host.issuer + path))
    await expectIn(from('old-library', [host.issuer, host.issuer + path]))
    await expectIn(from('old-library', host.issuer))
    await expectOut(from('pkj', host.issuer + path), 'assertion_audience')
    for (const another of clientEndpoints.filter((one) => one !== endpoint))
      await expectOut(from('old-library', host.issuer + another.path), 'assertion_audience')
  })

  test('CAUTH-13 an assertion that was used here is used up, here and at every other endpoint', async () => {
    const jwt = assertion(host)
    await expectIn(knockAt(jwt))
    await expectOut(knockAt(jwt), 'assertion_replayed')
    for (const another of clientEndpoints) {
      const body = new URLSearchParams({ ...another.probe, ...withAssertion(jwt) })
      expectRefusal(await send(host, { path: another.path, body }), 401, 'invalid_client')
    }
  })
})

describe('the key', () => {
  test.each([
    ['RS256', 'rsa', rsa],
    ['RS384', 'rsa', rsa],
    ['RS512', 'rsa', rsa],
    ['PS256', 'rsa', rsa],
    ['PS512', 'rsa', rsa],
    ['ES384', 'es384', keys.ES384],
    ['ES512', 'es512', keys.ES512],
    ['EdDSA', 'ed', ed],
    ['Ed25519', 'ed', ed],
    ['EdDSA', 'ed-only', ed],
    ['Ed25519', 'ed-only', ed],
    ['PS256', 'ps-only', rsa],
  ])('may sign with %s: %s', async (alg, client, { key }) => {
    await expectLetIn(knock(assertion(host, { client, signer: key, header: { alg } })))
    const forged = assertion(host, { client, signer: key, header: { alg } }).split('.')
    const [header, , signature] = assertion(host, { client, signer: key, header: { alg } }).split('.')
    await expectKeptOut(knock([header, forged[1], signature].join('.')), 'assertion_signature')
  })

  test('is found among several without kid, and by its kid among several with one', async () => {
    const signer = keys.ES256.key
    await expectLetIn(knock(assertion(host, { client: 'several', signer })))
    await expectLetIn(knock(assertion(host, { client: 'several', signer, header: { kid: 'unheard' } })))
    await expectLetIn(knock(assertion(host, { client: 'kids', signer })))
    await expectLetIn(knock(assertion(host, { client: 'kids', signer, header: { kid: 'b' } })))
    const wrong = (kid: unknown) => knock(assertion(host, { client: 'kids', signer, header: { kid } }))
    await expectKeptOut(wrong('a'), 'assertion_signature')
    await expectKeptOut(wrong('c'), 'assertion_key')
    await expectKeptOut(wrong({ kid: 'b' }), 'assertion_malformed')
  })

  test('of another client is refused', async () => {
    await expectKeptOut(
      knock(assertion(host, { client: 'old-library', signer: pkjKey })),
      'assertion_signature',
    )
    await expectKeptOut(knock(assertion(host, { signer: other.key })), 'assertion_signature')
    const own = assertion(host, {
      client: 'old-library',
      signer: other.key,
      claims: { iss: 'pkj', sub: 'pkj' },
    })
    await expectKeptOut(knock(own), 'assertion_signature')
  })

  test('is for what it says that it is for', async () => {
    const signed = (signer: Signer, alg = 'ES256') =>
      knock(assertion(host, { client: 'uses', signer, header: { alg } }))
    await expectLetIn(signed(other.key))
    await expectLetIn(signed(rsa.key, 'PS256'))
    await expectKeptOut(signed(keys.ES256.key), 'assertion_signature')
    await expectKeptOut(signed(rsa.key, 'RS256'), 'assertion_key')
  })

  test('that the assertion itself brings is not believed', async () => {
    const header = { jwk: other.jwk, kid: 'pkj-1', x5c: ['AAAA'], jku: 'https://evil.test/jwks' }
    await expectKeptOut(knock(assertion(host, { signer: other.key, header })), 'assertion_signature')
  })

  test('signs with the algorithm that was registered, and no other', async () => {
    const signed = (client: string, signer: Signer, alg: string) =>
      knock(assertion(host, { client, signer, header: { alg } }))
    await expectKeptOut(signed('ps-only', rsa.key, 'RS256'), 'assertion_algorithm')
    await expectKeptOut(signed('ed-only', keys.ES256.key, 'ES256'), 'assertion_algorithm')
    await expectKeptOut(signed('pkj', rsa.key, 'RS256'), 'assertion_key')
    await expectKeptOut(signed('pkj', keys.ES384.key, 'ES384'), 'assertion_key')
    await expectKeptOut(signed('csj512', csjSecret, 'HS256'), 'assertion_algorithm')
    // RFC 7518 section 3.2: 32 bytes are too few for HS512.
    await expectKeptOut(signed('csj-short', 'x'.repeat(32), 'HS512'), 'assertion_algorithm')
    await expectLetIn(signed('csj-short', 'x'.repeat(32), 'HS256'))
  })

  test('which is public is no secret: HS256 made with it is refused in every spelling', async () => {
    const publicKey = createPublicKey({ key: rsa.jwk, format: 'jwk' })
    const spellings = [
      publicKey.export({ format: 'pem', type: 'spki' }).toString(),
      publicKey.export({ format: 'pem', type: 'pkcs1' }).toString(),
      publicKey.export({ format: 'der', type: 'spki' }).toString('latin1'),
      JSON.stringify(rsa.jwk),
      String(rsa.jwk.n),
    ]
    for (const signer of spellings)
      for (const alg of ['HS256', 'HS384', 'HS512'])
        await expectKeptOut(
          knock(assertion(host, { client: 'rsa', signer, header: { alg } })),
          'method_not_registered',
        )
  })

  test.each(['none', 'None', 'NONE', '', 'hs256', 'RS1', 'ES256K', 'dir', 'toString', '__proto__'])(
    'is not left out by alg %p',
    async (alg) => {
      const [, payload] = assertion(host).split('.')
      const header = Buffer.from(JSON.stringify({ alg })).toString('base64url')
      await expectKeptOut(knock(`${header}.${payload}.AAAA`), 'assertion_algorithm')
      await expectKeptOut(knock(`${header}.${payload}.`), 'assertion_malformed')
    },
  )
})

describe('client_secret_jwt', () => {
  const by = (client: string, alg: string, signer: Signer = csjSecret) =>
    assertion(host, { client, signer, header: { alg } })

  test.each(['HS256', 'HS384', 'HS512'])('is accepted with %s', async (alg) => {
    await expectLetIn(knock(by('csj', alg)))
    await expectLetIn(knock(by('csj', alg), { client_id: 'csj' }))
  })

  test('is refused with another secret, and with a key', async () => {
    await expectKeptOut(knock(by('csj', 'HS256', `${csjSecret}x`)), 'assertion_signature')
    await expectKeptOut(knock(by('csj', 'HS256', 'conf-secret')), 'assertion_signature')
    await expectKeptOut(knock(by('csj', 'ES256', other.key)), 'method_not_registered')
  })

  test('has to say all that an assertion says', async () => {
    const claims = { aud: `${host.issuer}/token` }
    await expectKeptOut(knock(assertion(host, { client: 'csj', claims })), 'assertion_audience')
    await expectKeptOut(knock(assertion(host, { client: 'csj', header: { typ: 'at+jwt' } })), 'assertion_typ')
  })

  test('is no way in for a client that sends its secret, nor the other way round', async () => {
    await expectKeptOut(knock(by('long-basic', 'HS256')), 'method_not_registered')
    const sent = { ...PROBE, client_id: 'csj', client_secret: csjSecret }
    await expectKeptOut(send(host, { body: new URLSearchParams(sent) }), 'method_not_registered')
    const headers = { authorization: basic('csj', csjSecret) }
    await expectKeptOut(send(host, { body: new URLSearchParams(PROBE), headers }), 'method_not_registered')
    await expectKeptOut(knock(assertion(host, { client: 'pub' })), 'method_not_registered')
  })

  test('CAUTH-14 guesses get 429 and Retry-After, and the client itself works from elsewhere', async () => {
    const own = await startHost()
    const guess = (signer: Signer, address = '127.0.0.1') =>
      sendFrom(own, address, { ...PROBE, ...withAssertion(assertion(own, { client: 'csj', signer })) })
    for (let at = 0; at < 20; at++) expectRefusal(await guess(`guess-${at}`), 401, 'invalid_client')
    expectRefusal(await guess('guess-20'), 429, 'invalid_client')
    expectRefusal(await guess(csjSecret), 429, 'invalid_client')
    expectRefusal(await guess(csjSecret, '127.0.0.2'), 400, 'invalid_grant')
    own.advance(60)
    expectRefusal(await guess(csjSecret), 400, 'invalid_grant')
    await own.close()
  })
})

describe('exactly one method', () => {
  test.each([
    ['an assertion and a secret', 'csj', { client_secret: csjSecret }, {}],
    ['an assertion and a wrong secret', 'pkj', { client_secret: 'x' }, {}],
    ['an assertion, an id and a secret', 'csj', { client_id: 'csj', client_secret: csjSecret }, {}],
    ['an assertion and Basic', 'csj', {}, { authorization: basic('csj', csjSecret) }],
    ['an assertion and Basic of another client', 'pkj', {}, { authorization: basic('conf', 'conf-secret') }],
    ['an assertion and a malformed Basic', 'pkj', {}, { authorization: 'Basic' }],
  ])('CAUTH-05 %s is invalid_request, and uses nothing up', async (_, client, form, headers) => {
    const jwt = assertion(host, { client })
    const body = new URLSearchParams({ ...PROBE, ...withAssertion(jwt), ...form })
    expectRefusal(await send(host, { body, headers }), 400, 'invalid_request')
    await expectLetIn(knock(jwt))
  })

  test('CAUTH-07 an assertion in the query is not read', async () => {
    const query = `?${new URLSearchParams(withAssertion(assertion(host)))}`
    await expectKeptOut(send(host, { query, body: new URLSearchParams(PROBE) }), 'credentials_missing')
  })
})

describe('an assertion counts once', () => {
  test('CAUTH-13 the second use is refused, and so is the same jti in another assertion that ends in the same second', async () => {
    const claims = { jti: randomUUID() }
    const jwt = assertion(host, { claims })
    await expectLetIn(knock(jwt))
    await expectKeptOut(knock(jwt), 'assertion_replayed')
    await expectKeptOut(knock(assertion(host, { claims })), 'assertion_replayed')
    await expectLetIn(knock(assertion(host)))
  })

  test('CAUTH-13 the same jti with another exp is another assertion, and each of them counts once', async () => {
    const jti = randomUUID()
    const exp = Math.floor(host.now() / 1000) + 60
    const assertions = [exp, exp + 1].map((at) => assertion(host, { claims: { jti, exp: at } }))
    for (const jwt of assertions) await expectLetIn(knock(jwt))
    for (const jwt of assertions) await expectKeptOut(knock(jwt), 'assertion_replayed')
  })

  test('CAUTH-13 RACE-04 of 20 at once one is let in', async () => {
    const jwt = assertion(host)
    const statuses = (await Promise.all(Array.from({ length: 20 }, () => knock(jwt)))).map(
      ({ status, body }) => `${status} ${body.error}`,
    )
    expect(statuses.filter((status) => status === '400 invalid_grant')).toHaveLength(1)
    expect(statuses.filter((status) => status === '401 invalid_client')).toHaveLength(19)
  })

  test('CAUTH-13 RACE-04 of 20 at once at all endpoints one is let in', async () => {
    const jwt = assertion(host)
    const answers = Array.from({ length: 20 }, async (_, at) => {
      const { path, probe } = clientEndpoints[at % clientEndpoints.length] ?? tokenEndpoint
      return send(host, { path, body: new URLSearchParams({ ...probe, ...withAssertion(jwt) }) })
    })
    const refused = (await Promise.all(answers)).filter(({ body }) => body.error === 'invalid_client')
    expect(refused).toHaveLength(19)
  })

  test('the jti of one client is free for another', async () => {
    const claims = { jti: 'the-same' }
    await expectLetIn(knock(assertion(host, { claims })))
    await expectLetIn(knock(assertion(host, { client: 'csj', claims })))
    await expectLetIn(knock(assertion(host, { client: 'old-library', signer: other.key, claims })))
  })

  test('CAUTH-13 two processes on one store let it in once, and it can be used no more after it has expired and is forgotten', async () => {
    const database = new SQLite(':memory:')
    const provider = { store: database, issuer: 'https://shared.example/oauth' }
    const [a, b] = [await startHost({ provider }), await startHost({ provider })]
    const jwt = assertion({ issuer: provider.issuer, now: a.now })
    await expectLetIn(knock(jwt, {}, a))
    await expectKeptOut(knock(jwt, {}, b), 'assertion_replayed', b)
    const count = () =>
      database.prepare("SELECT count(*) FROM oauth_records WHERE kind = 'assertion'").pluck().get()
    expect(count()).toBe(1)
    a.advance(69)
    await a.oauth.purge()
    expect(count()).toBe(1)
    await expectKeptOut(knock(jwt, {}, a), 'assertion_replayed', a)
    // Clocks differ, and step back: it is remembered for five minutes more.
    a.advance(300)
    await a.oauth.purge()
    await expectKeptOut(knock(jwt, {}, a), 'assertion_expired', a)
    a.advance(-305)
    await expectKeptOut(knock(jwt, {}, a), 'assertion_replayed', a)
    a.advance(307)
    await a.oauth.purge()
    expect(count()).toBe(0)
    await expectKeptOut(knock(jwt, {}, a), 'assertion_expired', a)
    await a.close()
    await b.close()
    database.close()
  })

  test('STOR-04 where the store cannot say whether it was used, nobody is let in', async () => {
    const operations = Object.getOwnPropertyNames(SqliteStore.prototype).filter(
      (name) => name !== 'constructor',
    ) as (keyof Store)[]
    const store = faultyStore(openStore(':memory:', Date.now), operations)
    const own = await startHost({ provider: { store } })
    for (const manner of ['throws', 'rejects', 'answer lost'] as const) {
      store.fail('insert', manner)
      const jwt = assertion(own)
      const answer = await knock(jwt, {}, own)
      expectRefusal(answer, 503, 'temporarily_unavailable')
      expect(answer.text).not.toContain(INTERNALS)
      store.heal()
      // What may have been written counts as used.
      if (manner === 'answer lost') await expectKeptOut(knock(jwt, {}, own), 'assertion_replayed', own)
      else await expectLetIn(knock(jwt, {}, own))
    }
    store.fail('findClient', 'rejects')
    const unknown = assertion(own, { client: 'stored' })
    expectRefusal(await knock(unknown, {}, own), 503, 'temporarily_unavailable')
    await own.close()
  })

  test('what is kept of it is a digest', async () => {
    const database = new SQLite(':memory:')
    const own = await startHost({ provider: { store: database } })
    const jti = randomUUID()
    const jwt = assertion(own, { claims: { jti } })
    await expectLetIn(knock(jwt, {}, own))
    expect(dump(database)).not.toContain(jti)
    expect(dump(database)).not.toContain(jwt.slice(0, 20))
    await own.close()
    database.close()
  })
})

describe('ROB-07 what is no assertion', () => {
  const b64 = (text: string | Buffer) => Buffer.from(text).toString('base64url')
  const good = () => assertion(host).split('.') as [string, string, string]

  test.each<[string, () => string | Promise<string>]>([
    ['1 segment', () => good()[0]],
    ['2 segments', () => good().slice(0, 2).join('.')],
    ['4 segments', () => `${good().join('.')}.AAAA`],
    ['10 segments', () => Array(10).fill('AAAA').join('.')],
    ['empty segments', () => '..'],
    ['an empty header', () => `.${good().slice(1).join('.')}`],
    ['an empty payload', () => `${good()[0]}..${good()[2]}`],
    ['an empty signature', () => `${good().slice(0, 2).join('.')}.`],
    ['padding', () => `${good().join('.')}=`],
    [
      'padding in the header',
      () =>
        good()
          .join('=.')
          .replace(/=\.([^.]*)$/, '.$1'),
    ],
    ['standard Base64', () => good().join('.').replace(/\./, '+/.')],
    ['white space around', () => ` ${good().join('.')} `],
    ['a line break inside', () => good().join('.\n')],
    ['a header that is not JSON', () => `${b64('nonsense')}.${good()[1]}.${good()[2]}`],
    ['a header that is an array', () => `${b64('[]')}.${good()[1]}.${good()[2]}`],
    ['a header that is null', () => `${b64('null')}.${good()[1]}.${good()[2]}`],
    ['a header without alg', () => `${b64('{}')}.${good()[1]}.${good()[2]}`],
    ['an alg that is no string', () => `${b64('{"alg":["ES256"]}')}.${good()[1]}.${good()[2]}`],
    ['a header that is not UTF-8', () => `${b64(Buffer.from([0x7b, 0xff, 0x7d]))}.${good()[1]}.${good()[2]}`],
    ['a byte order mark', () => signJwt({ alg: 'ES256' }, '\ufeff{"iss":"pkj","sub":"pkj"}', pkjKey)],
    ['a payload that is an array', () => signJwt({ alg: 'ES256' }, [], pkjKey)],
    ['a payload that is a string', () => signJwt({ alg: 'ES256' }, '"pkj"', pkjKey)],
    ['a payload that is null', () => signJwt({ alg: 'ES256' }, 'null', pkjKey)],
    ['a payload that is not JSON', () => signJwt({ alg: 'ES256' }, 'iss=pkj', pkjKey)],
    ['exp NaN', () => signJwt({ alg: 'ES256' }, '{"iss":"pkj","sub":"pkj","exp":NaN}', pkjKey)],
    ['an alg that comes twice', () => signJwt('{"alg":"ES256","\\u0061lg":"ES256"}', {}, pkjKey)],
    [
      'a claim that comes twice',
      () => signJwt({ alg: 'ES256' }, '{"iss":"conf","x":{"iss":1},"iss":"pkj","sub":"pkj"}', pkjKey),
    ],
    ['more than 16 KB', () => assertion(host, { claims: { x: 'x'.repeat(16_000) } })],
    ['deep nesting', () => signJwt({ alg: 'ES256' }, `${'['.repeat(5000)}${']'.repeat(5000)}`, pkjKey)],
    [
      'a JWE',
      async () =>
        new jose.CompactEncrypt(new TextEncoder().encode('{"iss":"pkj","sub":"pkj"}'))
          .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM' })
          .encrypt(await jose.importJWK(other.jwk as jose.JWK, 'ECDH-ES')),
    ],
  ])('%s', async (_, make) => {
    await expectKeptOut(knock(await make()), 'assertion_malformed')
  })

  test.each([
    ['crit', { crit: ['exp'], exp: 1 }],
    ['crit with what nobody knows', { crit: ['http://x.test'], 'http://x.test': true }],
    ['an empty crit', { crit: [] }],
    ['crit that is no list', { crit: 'b64' }],
    ['b64', { b64: false, crit: ['b64'] }],
    ['b64 alone', { b64: false }],
    ['zip', { zip: 'DEF' }],
  ])('%s in the header', async (_, header) => {
    await expectKeptOut(knock(assertion(host, { header })), 'assertion_header')
  })

  test.each(['at+jwt', 'dpop+jwt', 'logout+jwt', 'application/jwt', 'JOSE', '', 5, null])(
    'typ %p in the header',
    async (typ) => {
      await expectKeptOut(knock(assertion(host, { header: { typ } })), 'assertion_typ')
    },
  )

  test('members with the names of Object.prototype do no harm', async () => {
    const now = Math.floor(host.now() / 1000)
    const claims = `{"iss":"pkj","sub":"pkj","aud":"${host.issuer}","exp":${now + 60},"jti":"proto","__proto__":{"x":1},"constructor":1}`
    await expectLetIn(knock(signJwt('{"alg":"ES256","__proto__":{"crit":1}}', claims, pkjKey)))
    await expectKeptOut(
      knock(signJwt({ alg: 'ES256' }, '{"__proto__":{"iss":"pkj","sub":"pkj"}}', pkjKey)),
      'assertion_subject',
    )
  })

  test('1 MB', async () => {
    expectRefusal(await knock('x'.repeat(1_000_000)), 413, 'invalid_request')
  })

  test('exp as 1e400, which JSON reads as Infinity', async () => {
    const claims = `{"iss":"pkj","sub":"pkj","aud":"${host.issuer}","exp":1e400,"jti":"a"}`
    await expectKeptOut(knock(signJwt({ alg: 'ES256' }, claims, pkjKey)), 'assertion_exp_missing')
  })
})

describe('with the libraries that relying parties use', () => {
  const pair = () => jose.importJWK({ ...pkjKey }, 'ES256') as Promise<jose.CryptoKey>

  async function authorize(client: string) {
    const agent = await signedIn(host, 'alice')
    const url = new URL(`${host.issuer}/authorize`)
    const verifier = oauth4webapi.generateRandomCodeVerifier()
    url.search = String(
      new URLSearchParams({
        client_id: client,
        redirect_uri: redirectUriOf(client),
        response_type: 'code',
        scope: 'read',
        code_challenge: await oauth4webapi.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state: 'state',
      }),
    )
    const page = await agent.follow(url.href)
    const answer = page.text.includes('name="decision"') ? await decide(agent, page, 'approve') : page
    return { callback: destination(answer), verifier }
  }

  test.each(['pkj', 'csj'])('oauth4webapi: %s gets tokens and refreshes them', async (client_id) => {
    const options = { [oauth4webapi.allowInsecureRequests]: true }
    const issuer = new URL(host.issuer)
    const server = await oauth4webapi.processDiscoveryResponse(
      issuer,
      await oauth4webapi.discoveryRequest(issuer, { algorithm: 'oauth2', ...options }),
    )
    const auth =
      client_id === 'pkj'
        ? oauth4webapi.PrivateKeyJwt({ key: await pair(), kid: 'pkj-1' })
        : oauth4webapi.ClientSecretJwt(csjSecret)
    const { callback, verifier } = await authorize(client_id)
    const client = { client_id }
    const parameters = oauth4webapi.validateAuthResponse(server, client, callback, 'state')
    const tokens = await oauth4webapi.processAuthorizationCodeResponse(
      server,
      client,
      await oauth4webapi.authorizationCodeGrantRequest(
        server,
        client,
        auth,
        parameters,
        redirectUriOf(client_id),
        verifier,
        options,
      ),
    )
    const renewed = await oauth4webapi.refreshTokenGrantRequest(
      server,
      client,
      auth,
      tokens.refresh_token ?? '',
      options,
    )
    expect((await oauth4webapi.processRefreshTokenResponse(server, client, renewed)).scope).toBe('read')
  })

  test.each(['pkj', 'csj'])('openid-client: %s gets tokens and refreshes them', async (client) => {
    const auth = client === 'pkj' ? openid.PrivateKeyJwt(await pair()) : openid.ClientSecretJwt(csjSecret)
    const config = await openid.discovery(new URL(host.issuer), client, {}, auth, {
      algorithm: 'oauth2',
      execute: [openid.allowInsecureRequests],
    })
    const methods = config.serverMetadata().token_endpoint_auth_methods_supported
    expect(methods).toEqual(expect.arrayContaining(['private_key_jwt', 'client_secret_jwt']))
    const algs = config.serverMetadata().token_endpoint_auth_signing_alg_values_supported
    expect(algs).toEqual(expect.arrayContaining(['RS256', 'PS256', 'ES256', 'EdDSA', 'HS256']))
    expect(algs).not.toContain('none')
    const { callback, verifier } = await authorize(client)
    const checks = { pkceCodeVerifier: verifier, expectedState: 'state' }
    const tokens = await openid.authorizationCodeGrant(config, callback, checks)
    expect((await openid.refreshTokenGrant(config, tokens.refresh_token ?? '')).scope).toBe('read')
  })
})

test('the refresh token of a secret client is not for a client with a key', async () => {
  const { code } = await getCode(host)
  const headers = { authorization: basic('conf', 'conf-secret') }
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirectUriOf('conf'),
    code_verifier: VERIFIER,
  })
  const refresh_token = String((await send(host, { body, headers })).body.refresh_token)
  const stolen = await knock(assertion(host), { grant_type: 'refresh_token', refresh_token })
  expectRefusal(stolen, 400, 'invalid_grant')
  expectTokens(await refresh(host, refresh_token))
})
