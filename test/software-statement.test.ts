import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ConfigurationError, type RegistrationOptions } from '../lib/index.js'
import { type Signer, signJwt } from './support/assertions.js'
import { pkjKey } from './support/clients.js'
import { type Host, startHost } from './support/host.js'
import { CALLBACK, expectRefused, manage, native, register, registered } from './support/registration.js'

const TOKEN = 'an-initial-access-token-that-is-long-enough'
const ISSUER = 'https://directory.example'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ELSEWHERE = 'https://published.example'

function pair(kid: string) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    key: privateKey.export({ format: 'jwk' }) as Signer,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid },
  }
}

const [directory, stranger] = [pair('d1'), pair('d1')]
const m2m = { grant_types: ['client_credentials'], scope: 'read' }
const said = { client_name: 'Approved', redirect_uris: ['https://approved.example/cb'], software_id: 'soft' }

let host: Host
const published = createServer((_req, res) =>
  res.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [directory.jwk] })),
)
beforeAll(async () => {
  published.listen(0)
  await once(published, 'listening')
  const jwksUri = `http://127.0.0.1:${(published.address() as AddressInfo).port}/jwks`
  host = await startHost({
    provider: {
      allowPrivateAddresses: true,
      tokenExchange: () => true,
      authorizationDetails: { payment: { schema: { type: 'object', properties: {} }, description: 'Pay' } },
      registration: {
        ...{ allow: 'open', perMinute: 100_000, initialAccessTokens: [TOKEN] },
        softwareStatementIssuers: {
          [ISSUER]: { jwks: { keys: [directory.jwk] } },
          [ELSEWHERE]: { jwksUri },
          'https://gone.example': { jwksUri: `${jwksUri.replace(/:\d+/, ':1')}` },
        },
      },
    },
  })
})
afterAll(async () => {
  published.close().closeAllConnections()
  await host?.close()
})

interface Making {
  readonly header?: Record<string, unknown>
  readonly claims?: Record<string, unknown>
  readonly signer?: Signer
}

/** A statement that is right in every respect, but for what is said here. */
function statement({ header = {}, claims = {}, signer = directory.key }: Making = {}): string {
  return signJwt({ alg: 'ES256', kid: 'd1', ...header } as never, { iss: ISSUER, ...said, ...claims }, signer)
}

const seconds = (from: number) => Math.floor(host.now() / 1000) + from

describe('what a software statement says', () => {
  test('wins over what the client says, and is sent back as it came', async () => {
    const software_statement = statement({ claims: { client_uri: 'https://approved.example/' } })
    const client = await registered(host, {
      ...{ software_statement, client_name: 'Bank', redirect_uris: ['https://evil.example/cb'] },
      ...{ client_uri: 'https://evil.example/', tos_uri: 'https://a.example/t' },
    })
    expect(client).toMatchObject({
      ...said,
      client_uri: 'https://approved.example/',
      tos_uri: 'https://a.example/t',
    })
    expect(client.software_statement).toBe(software_statement)
    for (const name of ['iss', 'iat', 'exp', 'aud']) expect(client).not.toHaveProperty(name)
  })

  test('is not said otherwise in another language, or with keys in another place', async () => {
    const { d: _, ...key } = pkjKey
    const claims = {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks_uri: 'https://approved.example/jwks',
    }
    const client = await registered(host, {
      ...{
        software_statement: statement({ claims }),
        'client_name#ja': 'Bank',
        'tos_uri#ja': 'https://a.example/t',
      },
      jwks: { keys: [key] },
    })
    expect(client).toMatchObject({ ...claims, 'tos_uri#ja': 'https://a.example/t' })
    expect(client).not.toHaveProperty('client_name#ja')
    expect(client).not.toHaveProperty('jwks')
  })

  test('vouches for its client: it may have the grants that ask no user and the scopes that are named', async () => {
    const software_statement = statement({ claims: m2m })
    const asked = { software_statement, scope: 'read write' }
    expect(await registered(host, asked)).toMatchObject(m2m)
  })

  test.each<[string, Record<string, unknown>, object, RegExp]>([
    ['a grant', {}, m2m, /^grant_types has client_credentials/],
    ['a scope', { grant_types: m2m.grant_types }, { scope: 'write' }, /^scope is not named by/],
    ['a scope that is here', { ...m2m, scope: 'elsewhere' }, { scope: 'write' }, /^scope is not named by/],
    [
      'a type of details',
      m2m,
      { authorization_details_types: ['payment'] },
      /^authorization_details_types is not named by/,
    ],
  ])('lets nobody have without a user what it does not name: %s', async (_name, claims, itself, problem) => {
    const answer = await register(host, {
      ...itself,
      software_statement: statement({ claims: { ...claims } }),
    })
    expectRefused(answer, 'invalid_client_metadata', problem)
  })

  test('is no more than a client could say: what is the host’s to say is passed over, and the rest is checked', async () => {
    const claims = { skip_consent: true, verified: true, access_token_lifetime: 9, client_id: 'alice' }
    const { client_id } = await registered(host, { software_statement: statement({ claims }) })
    expect(await host.oauth.clients.get(client_id)).toMatchObject({
      skip_consent: false,
      source: 'registration',
    })
    expect(await host.oauth.clients.get(client_id)).not.toHaveProperty('verified')
    const bad = { software_statement: statement({ claims: { redirect_uris: ['javascript:x'] } }) }
    expectRefused(await register(host, bad), 'invalid_redirect_uri', /scheme javascript/)
    const name = { software_statement: statement({ claims: { client_name: 5 } }) }
    expectRefused(await register(host, name), 'invalid_client_metadata', /^client_name is not/)
  })

  test('makes another client of one that says the same of itself', async () => {
    const same = { ...native, ...said }
    const vouched = await registered(host, { ...same, software_statement: statement() })
    const plain = await registered(host, same)
    expect(plain.client_id).not.toBe(vouched.client_id)
    expect(
      (await registered(host, { ...same, software_statement: vouched.software_statement })).client_id,
    ).toBe(vouched.client_id)
  })
})

describe('a software statement is taken', () => {
  test.each<[string, () => Making]>([
    ['with typ JWT', () => ({ header: { typ: 'JWT' } })],
    ['without kid', () => ({ header: { kid: undefined } })],
    [
      'with times that are right',
      () => ({ claims: { iat: seconds(0), nbf: seconds(-1), exp: seconds(60) } }),
    ],
    ['for this server', () => ({ claims: { aud: host.issuer } })],
    ['for this server and others', () => ({ claims: { aud: ['https://other.example', host.issuer] } })],
    ['of an issuer that publishes its keys', () => ({ claims: { iss: ELSEWHERE } })],
  ])('%s', async (_name, making) => {
    expect(await registered(host, { software_statement: statement(making()) })).toMatchObject(said)
  })
})

describe('a software statement is refused', () => {
  const mac = () => signJwt({ alg: 'HS256' }, { iss: ISSUER, ...said }, JSON.stringify(directory.jwk))
  const unsigned = () =>
    `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify({ iss: ISSUER, ...said })).toString('base64url')}.`
  test.each<[string, string, () => unknown]>([
    ['that is no JWT', 'malformed', () => 'a.b.c'],
    ['of four parts', 'malformed', () => `${statement()}.x`],
    ['that is a number', 'malformed', () => 5],
    ['that is a list', 'malformed', () => [statement()]],
    ['that is empty', 'malformed', () => ''],
    ['that nobody has signed', 'malformed', unsigned],
    ['that says it is not signed', 'algorithm', () => `${unsigned()}AAAA`],
    ['with a MAC', 'algorithm', mac],
    ['signed by somebody else', 'signature', () => statement({ signer: stranger.key })],
    [
      'with a changed payload',
      'signature',
      () =>
        statement().replace(
          /\.[^.]+\./,
          `.${Buffer.from(JSON.stringify({ iss: ISSUER, client_name: 'Bank' })).toString('base64url')}.`,
        ),
    ],
    ['by an unknown key', 'no_key', () => statement({ header: { kid: 'other' } })],
    ['with crit', 'header', () => statement({ header: { crit: ['b64'] } })],
    ['that is an access token', 'typ', () => statement({ header: { typ: 'at+jwt' } })],
    ['that is a logout token', 'typ', () => statement({ header: { typ: 'logout+jwt' } })],
    ['that has expired', 'expired', () => statement({ claims: { exp: seconds(-11) } })],
    ['whose exp is a text', 'exp_missing', () => statement({ claims: { exp: '9999999999' } })],
    ['that is not good yet', 'not_yet_valid', () => statement({ claims: { nbf: seconds(60) } })],
    ['for another server', 'audience', () => statement({ claims: { aud: 'https://other.example' } })],
    ['for nobody', 'audience', () => statement({ claims: { aud: [] } })],
  ])('%s', async (_name, reason, make) => {
    const before = (await host.oauth.clients.list()).length
    const answer = await register(host, { ...native, software_statement: make() })
    expectRefused(answer, 'invalid_software_statement', /software_statement/)
    const event = {
      endpoint: '/register',
      error: 'invalid_software_statement',
      reason: `software_statement_${reason}`,
    }
    expect(host.events.at(-1)).toEqual({ name: 'request.refused', event })
    expect((await host.oauth.clients.list()).length).toBe(before)
  })

  test.each<[string, unknown]>([
    ['of an issuer that nobody knows', 'https://stranger.example'],
    ['of nobody', undefined],
    ['of a list', [ISSUER]],
    ['of what every object has', '__proto__'],
  ])('as not approved %s', async (_name, iss) => {
    const answer = await register(host, { ...native, software_statement: statement({ claims: { iss } }) })
    expectRefused(answer, 'unapproved_software_statement', /^software_statement has an iss/)
  })

  test('for now, where the keys of its issuer cannot be had', async () => {
    const software_statement = statement({ claims: { iss: 'https://gone.example' } })
    const { status, body, headers } = await register(host, { ...native, software_statement })
    expect({ status, error: body.error }).toEqual({ status: 503, error: 'temporarily_unavailable' })
    expect(headers.get('retry-after')).toMatch(/^\d+$/)
  })

  test('as not approved where none counts', async () => {
    const none = await startHost({ provider: { registration: 'open' } })
    try {
      const answer = await register(none, { ...native, software_statement: statement() })
      expectRefused(answer, 'unapproved_software_statement', /iss/)
    } finally {
      await none.close()
    }
  })
})

describe('a client that came with a software statement', () => {
  test('cannot say otherwise later, even when that has expired, until it brings another', async () => {
    const software_statement = statement({ claims: { exp: seconds(60) } })
    const client = await registered(host, { software_statement })
    const { client_id } = client
    host.advance(3600)
    const otherwise = {
      client_id,
      client_name: 'Bank',
      redirect_uris: [CALLBACK],
      tos_uri: 'https://a.example/t',
    }
    const { status, body } = await manage(client, 'PUT', otherwise)
    expect({ status, ...body }).toMatchObject({
      status: 200,
      ...said,
      tos_uri: 'https://a.example/t',
      software_statement,
    })

    const another = statement({ claims: { client_name: 'Renamed' } })
    const renamed = await manage(client, 'PUT', { client_id, software_statement: another })
    expect(renamed.body).toMatchObject({ ...said, client_name: 'Renamed', software_statement: another })
    const expired = await manage(client, 'PUT', { client_id, software_statement })
    expectRefused(expired, 'invalid_software_statement', /expired/)
  })

  test('sends it back with all the rest (RFC 7592 §2.2), before it expires and after', async () => {
    const software_statement = statement({ claims: { exp: seconds(60) } })
    const client = await registered(host, { software_statement, tos_uri: 'https://a.example/1' })
    for (const tos_uri of ['https://a.example/2', 'https://a.example/3']) {
      const { body: kept } = await manage(client, 'GET')
      const { client_id_issued_at, client_secret_expires_at, ...read } = kept
      const { registration_client_uri, registration_access_token, ...metadata } = read
      expect(metadata.software_statement).toBe(software_statement)
      const { status, body } = await manage(client, 'PUT', { ...metadata, tos_uri })
      expect({ status, ...body }).toMatchObject({ status: 200, ...said, tos_uri, software_statement })
      host.advance(3600)
    }
  })

  test('gets no more with no user asked by sending that back', async () => {
    const client = await registered(host, { ...m2m, software_statement: statement() }, { token: TOKEN })
    const { client_id, software_statement } = client
    const wider: [object, RegExp][] = [
      [{ ...m2m, scope: 'read write' }, /^scope would give more/],
      [{ ...m2m, scope: undefined }, /^scope would give more/],
      [{ ...m2m, grant_types: [...m2m.grant_types, EXCHANGE] }, /^grant_types has/],
    ]
    for (const [metadata, problem] of wider) {
      const answer = await manage(client, 'PUT', { client_id, ...metadata, software_statement })
      expectRefused(answer, 'invalid_client_metadata', problem)
    }
    expect((await manage(client, 'PUT', { client_id, ...m2m, software_statement })).status).toBe(200)
  })

  test('gets by another one what that names, and nothing else', async () => {
    const byCode = { grant_types: ['authorization_code'], scope: 'read write' }
    const client = await registered(host, { ...said, ...byCode })
    const change = (claims: object, metadata: object) =>
      manage(client, 'PUT', {
        ...{ client_id: client.client_id, ...said, ...byCode, ...metadata },
        software_statement: statement({ claims: claims as never }),
      })
    const gain = { grant_types: ['authorization_code', 'client_credentials'] }
    expectRefused(await change({}, gain), 'invalid_client_metadata', /^grant_types has/)
    expectRefused(await change(gain, {}), 'invalid_client_metadata', /^scope is not named by/)
    expect((await change({ ...gain, scope: 'read' }, {})).body).toMatchObject({ ...gain, scope: 'read' })
    expectRefused(await change(gain, { scope: 'read write' }), 'invalid_client_metadata', /^scope would give/)
    expect((await change({ ...gain, scope: 'read write' }, {})).body.scope).toBe('read write')
  })
})

describe('where every client has to have one', () => {
  let strict: Host
  beforeAll(async () => {
    const softwareStatementIssuers = { [ISSUER]: { jwks: { keys: [directory.jwk] } } }
    const registration = { allow: 'open', softwareStatementIssuers, requireSoftwareStatement: true } as const
    strict = await startHost({ provider: { registration } })
  })
  afterAll(() => strict?.close())

  test('one without is refused, and may keep what it has later', async () => {
    expectRefused(await register(strict, native), 'invalid_client_metadata', /^software_statement is missing/)
    expectRefused(
      await register(strict, { ...native, software_statement: null }),
      'invalid_client_metadata',
      /is missing/,
    )
    const client = await registered(strict, { software_statement: statement() })
    const { client_id } = client
    expect((await manage(client, 'PUT', { client_id, tos_uri: 'https://a.example/t' })).status).toBe(200)
  })
})

describe('at start', () => {
  const { d: _, ...key } = pkjKey
  test.each<[string, RegistrationOptions['softwareStatementIssuers'], RegExp]>([
    [
      'an issuer without keys',
      { [ISSUER]: {} },
      /softwareStatementIssuers\['https:\/\/directory\.example'\] has no keys/,
    ],
    [
      'one with keys in two places',
      { [ISSUER]: { jwks: { keys: [key] }, jwksUri: 'https://a.example/' } },
      /has both jwks and jwksUri/,
    ],
    [
      'a private key',
      { [ISSUER]: { jwks: { keys: [pkjKey] } } },
      /softwareStatementIssuers\['https:\/\/directory\.example'\]\.jwks is refused/,
    ],
    ['keys over http', { [ISSUER]: { jwksUri: 'http://a.example/' } }, /jwksUri is refused/],
    ['a misspelt member', { [ISSUER]: { jwkUri: 'https://a.example/' } as never }, /Did you mean .*jwksUri/],
    ['a list', [] as never, /softwareStatementIssuers is an array/],
    ['one without a name', { '': { jwks: { keys: [key] } } }, /has one without a name/],
  ])('%s is refused', async (_name, softwareStatementIssuers, message) => {
    const starting = startHost({
      provider: { registration: { allow: 'open', softwareStatementIssuers } as never },
    })
    await expect(starting).rejects.toThrow(ConfigurationError)
    await expect(starting).rejects.toThrow(message)
  })
})
