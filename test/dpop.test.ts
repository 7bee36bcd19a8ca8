import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { decodeJwt } from 'jose'
import { openStore } from '../lib/store/open.js'
import { encode } from './support/agent.js'
import { expectErrorRedirect, FORGED } from './support/answers.js'
import { clients } from './support/clients.js'
import { expectCheap } from './support/cost.js'
import {
  aKey,
  anotherKey,
  boundTokens,
  callProven,
  type ProofOptions,
  postProven,
  proof,
  proofKey,
  redeemProven,
} from './support/dpop.js'
import { faultyStore, INTERNALS, OPERATIONS } from './support/faults.js'
import { basic, callApi, getCode, getTokens, redeem, refresh, toConsent } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import {
  expectMachineHeaders,
  expectRefusal,
  expectTokens,
  type RawAnswer,
  REMEDY,
  send,
} from './support/token-endpoint.js'

const redirect_uris = ['https://rp.example/cb']
const registered = [
  ...clients,
  { client_id: 'bound', client_secret: 'bound-secret', redirect_uris, dpop_bound_access_tokens: true },
]
/** Asks for nothing real: where the proof is right, the token is what is not known. */
const PROBE = { grant_type: 'refresh_token', refresh_token: 'unknown' }
const PUBLIC = 'https://photos.example/oauth'

let host: Host
beforeAll(async () => {
  host = await startHost({ provider: { clients: registered } })
})
afterAll(() => host.close())

/** What a token request with this header gets. */
function knock(dpop: string, own = host): Promise<RawAnswer> {
  const headers = { authorization: basic('conf', 'conf-secret'), dpop }
  return send(own, { body: new URLSearchParams(PROBE), headers })
}

async function expectLetIn(answer: Promise<RawAnswer>): Promise<void> {
  expectRefusal(await answer, 400, 'invalid_grant')
}

/** Refused for this reason, and nothing of the proof is told. */
async function expectKeptOut(answer: Promise<RawAnswer>, reason: string, own = host): Promise<void> {
  const { length } = own.events
  const { text, ...refusal } = await answer
  expectRefusal(refusal, 400, 'invalid_dpop_proof')
  expect(refusal.body.error_description).toMatch(REMEDY)
  const told = own.events.slice(length)
  expect(told.find(({ name }) => name === 'token.refused')?.event.reason).toBe(reason)
  expect(`${text}${JSON.stringify(told)}`).not.toMatch(/eyJ/)
}

async function metadataOf({ issuer }: Host): Promise<Record<string, string[]>> {
  return (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json() as never
}

async function resourceMetadataOf({ origin }: Host): Promise<Record<string, string[]>> {
  return (await fetch(`${origin}/.well-known/oauth-protected-resource/api`)).json() as never
}

function lastReason(own = host): unknown {
  return own.events.findLast(({ name }) => name.endsWith('.refused'))?.event.reason
}

/** The one challenge of a 401 or 403, for DPoP. */
function dpopChallenge(headers: Headers): Record<string, string> {
  const header = headers.get('www-authenticate') ?? ''
  expect(header).toMatch(/^DPoP \w+="[^"]*"(?:, \w+="[^"]*")*$/)
  const given = [...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!] as const)
  expect(new Set(given.map(([name]) => name)).size).toBe(given.length)
  return Object.fromEntries(given)
}

function expectApiRefusal(
  answer: { status: number; headers: Headers; body: Record<string, unknown> },
  error: string,
  reason: string,
  own = host,
): void {
  expect([answer.status, answer.body.error]).toEqual([401, error])
  expectMachineHeaders(answer.headers)
  const { algs, ...challenge } = dpopChallenge(answer.headers)
  expect(challenge).toMatchObject({ error, error_description: answer.body.error_description })
  expect(algs).toContain('ES256')
  expect(lastReason(own)).toBe(reason)
  if (error === 'invalid_dpop_proof') expect(answer.body.error_description).toMatch(REMEDY)
}

/** The header and the payload of a proof changed, and not signed anew. */
function tampered(jwt: string, header: object, claims: object = {}): string {
  const [first = '', second = '', signature] = jwt.split('.')
  const changed = [
    [first, header],
    [second, claims],
  ] as const
  const parts = changed.map(([part, more]) => {
    const value = { ...JSON.parse(Buffer.from(part, 'base64url').toString()), ...more }
    return Buffer.from(JSON.stringify(value)).toString('base64url')
  })
  return [...parts, signature].join('.')
}

describe('DPOP-01 a token request with a proof', () => {
  test('gets tokens of type DPoP, and one without gets Bearer as before', async () => {
    const { code } = await getCode(host)
    const answer = await redeemProven(host, code)
    expect(answer.body.token_type).toBe('DPoP')
    expectTokens({ ...answer, body: { ...answer.body, token_type: 'Bearer' } })
    expect(answer.headers.get('dpop-nonce')).toBeNull()
    expectTokens(await redeem(host, (await getCode(host)).code))
  })

  test('is right with each algorithm that the metadata names, none of them symmetric', async () => {
    for (const metadata of [await metadataOf(host), await resourceMetadataOf(host)]) {
      const algs = metadata.dpop_signing_alg_values_supported ?? []
      expect(algs).toEqual(expect.arrayContaining(['ES256', 'EdDSA', 'PS256', 'RS256']))
      expect(algs.filter((alg) => /^HS|none/.test(alg))).toEqual([])
    }
    const rsa = proofKey('RS256')
    for (const alg of (await metadataOf(host)).dpop_signing_alg_values_supported ?? []) {
      const key = /^[RP]S/.test(alg) ? { ...rsa, alg } : proofKey(alg)
      await expectLetIn(knock(proof(host, { key })))
    }
  })

  test('RFC 9449 §6.1 a JWT access token says in cnf which key it is bound to; its resource is called with a proof too', async () => {
    const own = await startHost({
      provider: (origin) => ({ resources: { [`${origin}/api`]: { accessTokenFormat: 'jwt' } } }),
    })
    const resource = `${own.origin}/api`
    const { access_token } = await boundTokens(own, { params: { resource } })
    expect(decodeJwt(access_token).cnf).toEqual({ jkt: aKey.jkt })
    expect((await callProven(own, '/api/read', access_token)).body).toMatchObject({ userId: 'alice' })
    expect((await callApi(own, '/api/read', access_token)).status).toBe(401)
    const bearer = await getTokens(own, { params: { resource } })
    expect(decodeJwt(bearer.access_token)).not.toHaveProperty('cnf')
    await own.close()
  })

  test('browsers may send it from anywhere, and read the nonce', async () => {
    const preflight = await fetch(`${host.issuer}/token`, { method: 'OPTIONS' })
    expect(preflight.headers.get('access-control-allow-headers')).toContain('DPoP')
    expect(preflight.headers.get('access-control-expose-headers')).toContain('DPoP-Nonce')
  })
})

describe('DPOP-02 a proof that is not right is invalid_dpop_proof', () => {
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const huge = { kty: 'RSA', e: 'AQAB', n: Buffer.alloc(1025, 0xc5).toString('base64url') }
  const rsa = (jwk: object) => ({ header: { alg: 'RS256', jwk }, signer: short.privateKey })
  const { d } = aKey.signer.export({ format: 'jwk' })

  test.each<[string, ProofOptions, string]>([
    ['without typ', { header: { typ: undefined } }, 'dpop_proof_typ'],
    ['of typ JWT', { header: { typ: 'JWT' } }, 'dpop_proof_typ'],
    ['of typ DPOP+JWT', { header: { typ: 'DPOP+JWT' } }, 'dpop_proof_typ'],
    ['of typ application/dpop+jwt', { header: { typ: 'application/dpop+jwt' } }, 'dpop_proof_typ'],
    ['of a typ that is a list', { header: { typ: ['dpop+jwt'] } }, 'dpop_proof_typ'],
    ['without jwk', { header: { jwk: undefined } }, 'dpop_proof_malformed'],
    ['with a text for jwk', { header: { jwk: JSON.stringify(aKey.jwk) } }, 'dpop_proof_malformed'],
    ['with a list for jwk', { header: { jwk: [aKey.jwk] } }, 'dpop_proof_malformed'],
    ['with null for jwk', { header: { jwk: null } }, 'dpop_proof_malformed'],
    ['with the private part in jwk', { header: { jwk: { ...aKey.jwk, d } } }, 'dpop_proof_key'],
    ['with an empty private part in jwk', { header: { jwk: { ...aKey.jwk, d: '' } } }, 'dpop_proof_key'],
    ['with a prime in jwk', { header: { jwk: { ...aKey.jwk, p: 'AQ' } } }, 'dpop_proof_key'],
    ['with a symmetric key', { header: { jwk: { kty: 'oct', k: 'AAAA' } } }, 'dpop_proof_malformed'],
    ['with k beside a public key', { header: { jwk: { ...aKey.jwk, k: 'AAAA' } } }, 'dpop_proof_key'],
    ['with a key for encryption', { header: { jwk: { ...aKey.jwk, use: 'enc' } } }, 'dpop_proof_key'],
    ['with a key that fits another alg', { header: { alg: 'ES384' } }, 'dpop_proof_key'],
    [
      'with a key that says another alg',
      { header: { jwk: { ...aKey.jwk, alg: 'ES512' } } },
      'dpop_proof_key',
    ],
    [
      'with a point that is on no curve',
      { header: { jwk: { ...aKey.jwk, y: aKey.jwk.x } } },
      'dpop_proof_key',
    ],
    [
      'with padding in jwk, which would be the same key under another thumbprint',
      { header: { jwk: { ...aKey.jwk, x: `${aKey.jwk.x}=` } } },
      'dpop_proof_malformed',
    ],
    ['with a short RSA key', rsa(short.publicKey.export({ format: 'jwk' })), 'dpop_proof_key'],
    ['with a huge RSA key', rsa(huge), 'dpop_proof_key'],
    ['signed by another key', { signer: anotherKey.signer }, 'dpop_proof_signature'],
    ['with crit', { header: { crit: ['exp'], exp: 1 } }, 'dpop_proof_malformed'],
    ['with b64', { header: { b64: false } }, 'dpop_proof_malformed'],
    ['without jti', { claims: { jti: undefined } }, 'dpop_proof_jti'],
    ['with an empty jti', { claims: { jti: '' } }, 'dpop_proof_jti'],
    ['with a number for jti', { claims: { jti: 1 } }, 'dpop_proof_jti'],
    ['with a jti of 256 characters', { claims: { jti: 'j'.repeat(256) } }, 'dpop_proof_jti'],
    ['without htm', { claims: { htm: undefined } }, 'dpop_proof_method'],
    ['with a list for htm', { claims: { htm: ['POST'] } }, 'dpop_proof_method'],
    ['without htu', { claims: { htu: undefined } }, 'dpop_proof_url'],
    ['with a number for htu', { claims: { htu: 5 } }, 'dpop_proof_url'],
    ['without iat', { claims: { iat: undefined } }, 'dpop_proof_time'],
    ['with a text for iat', { claims: { iat: '1700000000' } }, 'dpop_proof_time'],
    ['with null for iat', { claims: { iat: null } }, 'dpop_proof_time'],
  ])('%s', async (_, options, reason) => {
    await expectKeptOut(knock(proof(host, options)), reason)
  })

  test('of alg none, of HS256 with the public key as secret, and of algorithms that no metadata names', async () => {
    const secret = JSON.stringify(aKey.jwk)
    await expectKeptOut(
      knock(proof(host, { header: { alg: 'HS256' }, signer: secret })),
      'dpop_proof_algorithm',
    )
    for (const alg of ['none', 'None', 'ES256K', 'RS1', 'es256', 'Ed448', 'RSA1_5'])
      await expectKeptOut(knock(tampered(proof(host), { alg })), 'dpop_proof_algorithm')
    const [header, payload] = tampered(proof(host), { alg: 'none' }).split('.')
    await expectKeptOut(knock(`${header}.${payload}.`), 'dpop_proof_malformed')
    for (const alg of [undefined, 5, null])
      await expectKeptOut(knock(tampered(proof(host), { alg })), 'dpop_proof_malformed')
  })

  test('tampered with after it was signed', async () => {
    const jwt = proof(host)
    await expectKeptOut(knock(tampered(jwt, {}, { jti: 'another' })), 'dpop_proof_signature')
    await expectKeptOut(knock(tampered(jwt, { kid: 'added' })), 'dpop_proof_signature')
    await expectKeptOut(knock(tampered(jwt, { jwk: anotherKey.jwk })), 'dpop_proof_signature')
    // It was never used up meanwhile.
    await expectLetIn(knock(jwt))
  })

  test('ROB-07 that is no JWT at all', async () => {
    const [header = '', payload = '', signature = ''] = proof(host).split('.')
    const twice = Buffer.from(`{"typ":"x",${Buffer.from(header, 'base64url').toString().slice(1)}`)
    for (const dpop of [
      ...['x', '..', 'a.b', 'a.b.c', 'null', '{}', header, `${header}.${payload}`],
      ...[
        `${header}.${payload}.${signature}.${signature}`,
        `${header}..${signature}`,
        `.${payload}.${signature}`,
      ],
      ...[
        `${header}.${payload}.${signature}=`,
        `${header} .${payload}.${signature}`,
        `"${header}.${payload}.${signature}"`,
      ],
      ...[`${header}.${payload}.a.b.c`, `DPoP ${header}.${payload}.${signature}`],
      `${twice.toString('base64url')}.${payload}.${signature}`,
      `${Buffer.from('[1]').toString('base64url')}.${payload}.${signature}`,
    ])
      await expectKeptOut(knock(dpop), 'dpop_proof_malformed')
  })

  test('ROB-07 and whatever else stands in its members, signed as it is', async () => {
    const hostile = [
      ...[null, true, 0, -1, 1.5, '', 'x', '\0', "'; DROP TABLE oauth_records; --", '__proto__', '\ud800'],
      ...[[], {}, [[]], { a: { b: [] } }, [null], 'x'.repeat(3000), '\u{1f600}'.repeat(300), '%'.repeat(500)],
    ]
    const { length } = host.events
    for (const value of hostile) {
      for (const name of ['jti', 'htm', 'htu', 'iat', 'ath', 'nonce', '__proto__'])
        expect((await knock(proof(host, { claims: { [name]: value } }))).status).toBe(400)
      for (const name of ['typ', 'jwk', 'kid', 'crit', 'cty'])
        expect((await knock(proof(host, { header: { [name]: value } }))).status).toBe(400)
      for (const name of ['kty', 'crv', 'x', 'y', 'd', 'use', 'key_ops', 'kid', 'alg', 'e', 'n'])
        expect((await knock(proof(host, { header: { jwk: { ...aKey.jwk, [name]: value } } }))).status).toBe(
          400,
        )
      expect((await knock(tampered(proof(host), { alg: value }))).status).toBe(400)
    }
    expect(host.events.slice(length).filter(({ name }) => name === 'server.error')).toEqual([])
  })

  test('an empty header is a proof too, and a wrong one', async () => {
    await expectKeptOut(knock(''), 'dpop_proof_malformed')
  })

  test('two headers, in either order and one of them empty, and two proofs in one header', async () => {
    const [one, other] = [proof(host), proof(host)]
    for (const headers of [
      [one, other],
      [one, one],
      [one, ''],
      ['', one],
    ])
      expect(await status(headers)).toEqual([400, 'invalid_dpop_proof'])
    for (const header of [`${one},${other}`, `${one}, ${other}`, `${one},`, `,${one}`])
      await expectKeptOut(knock(header), 'dpop_proofs_several')
    await expectLetIn(knock(one))
  })

  function status(dpop: readonly string[]): Promise<[number, unknown]> {
    const body = new URLSearchParams(PROBE).toString()
    return new Promise((resolve, reject) => {
      const sent = request(
        `${host.issuer}/token`,
        {
          method: 'POST',
          headers: {
            authorization: basic('conf', 'conf-secret'),
            'content-type': 'application/x-www-form-urlencoded',
            dpop: [...dpop],
          },
        },
        async (answer) => {
          const text = Buffer.concat(await answer.toArray()).toString()
          resolve([answer.statusCode ?? 0, JSON.parse(text).error])
        },
      )
      sent.on('error', reject)
      sent.end(body)
    })
  }

  test('and the code lives on: nothing has been used up by it', async () => {
    const { code } = await getCode(host)
    for (const options of [{ header: { typ: 'JWT' } }, { signer: anotherKey.signer }, { url: host.issuer }])
      expectRefusal(await redeemProven(host, code, options), 400, 'invalid_dpop_proof')
    expect((await redeemProven(host, code)).status).toBe(200)
  })

  test('who the client is comes first, so strangers get no signature computed', async () => {
    const answer = await send(host, {
      body: new URLSearchParams(PROBE),
      headers: { authorization: basic('conf', 'wrong'), dpop: proof(host, { signer: anotherKey.signer }) },
    })
    expectRefusal(answer, 401, 'invalid_client')
  })

  test('ROB-11 a header as long as Node takes costs nothing', async () => {
    const dot = '.'.repeat(14_000)
    const deep = Buffer.from('['.repeat(10_000)).toString('base64url')
    const quotes = Buffer.from(`{"${'\\"'.repeat(5000)}`).toString('base64url')
    const far = proof(host, { claims: { htu: `https://x/${'%2'.repeat(4000)}` } })
    for (const dpop of [dot, `${deep}.${deep.slice(0, 10)}.x`, `${quotes}.x.x`, far]) {
      const refused = await expectCheap(
        () => knock(dpop),
        () => knock('x'),
      )
      expectRefusal(refused, 400, 'invalid_dpop_proof')
    }
  })
})

describe('DPOP-03 a proof counts once', () => {
  test('the second time it is refused, at the same endpoint and with the same key only', async () => {
    const jwt = proof(host, { claims: { jti: 'the-jti' } })
    await expectLetIn(knock(jwt))
    await expectKeptOut(knock(jwt), 'dpop_proof_replayed')
    // RFC 9449 §11.1: a jti is its sender's own, and others may choose the same.
    await expectLetIn(knock(proof(host, { key: anotherKey, claims: { jti: 'the-jti' } })))
  })

  test('a jti in a proof of another time is another proof, and each of them counts once', async () => {
    const iat = Math.floor(host.now() / 1000)
    const proofs = [iat, iat - 1].map((at) => proof(host, { claims: { jti: 'of-two-times', iat: at } }))
    for (const jwt of proofs) await expectLetIn(knock(jwt))
    for (const jwt of proofs) await expectKeptOut(knock(jwt), 'dpop_proof_replayed')
  })

  test('a jti is used up only by who has signed it', async () => {
    const claims = { jti: 'wanted-by-a-thief' }
    await expectKeptOut(knock(proof(host, { claims, signer: anotherKey.signer })), 'dpop_proof_signature')
    await expectKeptOut(knock(proof(host, { claims, url: host.origin })), 'dpop_proof_url')
    await expectLetIn(knock(proof(host, { claims })))
  })

  test('as long as it is good, and then it is too old', async () => {
    const own = await startHost()
    const jwt = proof(own, { claims: { iat: Math.floor(own.now() / 1000) + 50 } })
    await expectLetIn(knock(jwt, own))
    for (const seconds of [30, 30, 30, 19]) {
      own.advance(seconds)
      await own.oauth.purge()
      await expectKeptOut(knock(jwt, own), 'dpop_proof_replayed', own)
    }
    own.advance(2)
    await expectKeptOut(knock(jwt, own), 'dpop_proof_time', own)
    await own.close()
  })

  test('and no more where a clock was ahead for some minutes, and has forgotten what had expired', async () => {
    const own = await startHost()
    const jwt = proof(own)
    await expectLetIn(knock(jwt, own))
    own.advance(350)
    await own.oauth.purge()
    own.advance(-320)
    await expectKeptOut(knock(jwt, own), 'dpop_proof_replayed', own)
    await own.close()
  })

  test('RACE-04 of twenty at once, at two processes on one store, one wins', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'dpop-'))
    const provider = { store: path.join(folder, 'oauth.db'), issuer: PUBLIC, dpop: { requireNonce: true } }
    const hosts = [await startHost({ provider }), await startHost({ provider })] as const
    const [one, other] = hosts
    const url = `${PUBLIC}/token`
    // The nonce of the one is good at the other.
    const nonce = (await knock(proof(one, { url }), one)).headers.get('dpop-nonce') ?? ''
    const jwt = proof(one, { url, nonce })
    const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => knock(jwt, hosts[at % 2])))
    const errors = answers.map(({ body }) => body.error)
    expect(errors.filter((error) => error === 'invalid_grant')).toHaveLength(1)
    expect(errors.filter((error) => error === 'invalid_dpop_proof')).toHaveLength(19)
    await expectKeptOut(knock(jwt, other), 'dpop_proof_replayed', other)
    await Promise.all(hosts.map((each) => each.close()))
    rmSync(folder, { recursive: true })
  })

  test('STOR-04 where the store cannot keep it, nothing is issued', async () => {
    const store = faultyStore(openStore(':memory:', Date.now), OPERATIONS)
    const own = await startHost({ provider: { store } })
    const { code } = await getCode(own)
    for (const manner of ['throws', 'rejects', 'answer lost'] as const) {
      store.fail('insert', manner)
      const answer = await redeemProven(own, code)
      expectRefusal(answer, 503, 'temporarily_unavailable')
      expect(JSON.stringify(answer.body)).not.toContain(INTERNALS)
    }
    store.heal()
    const { access_token } = (await redeemProven(own, code)).body
    store.fail('insert', 'rejects')
    const refused = await callProven(own, '/api/read', access_token)
    expect([refused.status, refused.body.error]).toEqual([503, 'temporarily_unavailable'])
    store.heal()
    expect((await callProven(own, '/api/read', access_token)).status).toBe(200)
    await own.close()
  })
})

describe('DPOP-04 the proof is for this request', () => {
  test('htu: query and fragment are ignored, and what URLs may be spelt like', async () => {
    const own = await startHost({ provider: { issuer: PUBLIC } })
    for (const htu of [
      ...[`${PUBLIC}/token`, `${PUBLIC}/token?x=1&y`, `${PUBLIC}/token#f`, `${PUBLIC}/token?#`],
      ...['HTTPS://PHOTOS.EXAMPLE/oauth/token', 'https://photos.example:443/oauth/token'],
      ...['https://photos.example/x/../oauth/./token', 'https://photos.example/%6Fauth/%74oken'],
      ...['https://photos.example/x/%2e%2E/oauth/token'],
    ])
      await expectLetIn(knock(proof(own, { url: htu }), own))
    await own.close()
  })

  test('any other scheme, host, port, path or kind of URL is refused, whatever the headers of the request say', async () => {
    const own = await startHost({ provider: { issuer: PUBLIC } })
    for (const htu of [
      ...['http://photos.example/oauth/token', 'https://photos.example:8443/oauth/token'],
      ...['https://evil.example/oauth/token', 'https://photos.example./oauth/token'],
      ...['https://www.photos.example/oauth/token', 'https://photos.example@evil.example/oauth/token'],
      ...['https://user@photos.example/oauth/token', 'https://photos.example/OAUTH/token'],
      ...[`${PUBLIC}/token/`, `${PUBLIC}//token`, `${PUBLIC}/par`, PUBLIC, '/oauth/token', 'token', ''],
      ...[
        'https://photos.example/oauth%2Ftoken',
        'https:\\\\photos.example\\oauth\\token',
        ` ${PUBLIC}/token`,
      ],
      ...[
        `${PUBLIC}/to\nken`,
        `${PUBLIC}/token\t`,
        'photos.example/oauth/token',
        'https:photos.example/oauth/token',
      ],
      ...[`${own.origin}/oauth/token`, 'javascript:alert(1)', `${PUBLIC}/%token`],
    ])
      await expectKeptOut(knock(proof(own, { url: htu }), own), 'dpop_proof_url', own)
    for (const [name, value] of Object.entries({ ...FORGED, 'x-forwarded-proto': 'http' })) {
      const headers = { authorization: basic('conf', 'conf-secret'), [name]: value }
      const dpop = proof(own, { url: `${own.origin}/oauth/token` })
      const answer = await send(own, { body: new URLSearchParams(PROBE), headers: { ...headers, dpop } })
      expectRefusal(answer, 400, 'invalid_dpop_proof')
    }
    await own.close()
  })

  test('behind a proxy that takes a part of the path away, the URL is still the public one', async () => {
    const own = await startHost({ mount: '/app/oauth', mountAt: '/oauth' })
    const post = (dpop: string) =>
      fetch(`${own.origin}/oauth/token`, {
        method: 'POST',
        headers: { authorization: basic('conf', 'conf-secret'), dpop },
        body: new URLSearchParams(PROBE),
      })
    expect(await (await post(proof(own))).json()).toMatchObject({ error: 'invalid_grant' })
    const inner = await post(proof(own, { url: `${own.origin}/oauth/token` }))
    expect(await inner.json()).toMatchObject({ error: 'invalid_dpop_proof' })
    await own.close()
  })

  test('at an API behind such a proxy it is what the host has put into originalUrl', async () => {
    const own = await startHost({
      before: (app) =>
        app.use('/api', (req, _res, next) => {
          req.originalUrl = `/app${req.originalUrl}`
          next()
        }),
    })
    const { access_token } = await boundTokens(own)
    const url = `${own.origin}/app/api/read`
    expect((await callProven(own, '/api/read', access_token, { url })).status).toBe(200)
    expect((await callProven(own, '/api/read', access_token)).status).toBe(401)
    await own.close()
  })

  test('at a route whose resource has an origin of its own, that is the one', async () => {
    const resource = 'https://api.example'
    const own = await startHost({ api: false, provider: { resources: { [resource]: {} } } })
    own.app.get('/things', own.oauth.requireToken('read', { resource }), (_req, res) => res.json({}))
    const { access_token } = await boundTokens(own, { params: { resource } })
    const url = `${resource}/things`
    expect((await callProven(own, '/things', access_token, { url })).status).toBe(200)
    const inner = await callProven(own, '/things', access_token)
    expectApiRefusal(inner, 'invalid_dpop_proof', 'dpop_proof_url', own)
    await own.close()
  })

  test('htm is case-sensitive, and the method of this request', async () => {
    for (const method of ['post', 'Post', 'GET', 'PUT', '', ' POST'])
      await expectKeptOut(knock(proof(host, { method })), 'dpop_proof_method')
  })
})

describe('DPOP-05 the proof is from now', () => {
  test.each([-59, -10, -0.5, 0, 10, 59])('iat %d seconds from now is accepted', async (seconds) => {
    const iat = host.now() / 1000 + seconds
    await expectLetIn(knock(proof(host, { claims: { iat } })))
  })

  test.each([-3600, -61, 61, 3600, 1e12, -1e12, 1e308])(
    'iat %d seconds from now is refused',
    async (seconds) => {
      const iat = Math.floor(host.now() / 1000) + seconds
      await expectKeptOut(knock(proof(host, { claims: { iat } })), 'dpop_proof_time')
    },
  )

  test('iat in milliseconds is refused, and exp, nbf and aud of proofs mean nothing', async () => {
    await expectKeptOut(knock(proof(host, { claims: { iat: host.now() } })), 'dpop_proof_time')
    await expectLetIn(knock(proof(host, { claims: { exp: 1, nbf: 9e12, aud: 'x', iss: 'y' } })))
  })
})

describe('DPOP-06 an API call with a bound token and a proof', () => {
  let token: string
  beforeAll(async () => {
    token = (await boundTokens(host)).access_token
  })

  test('passes, by each method, with a query, and with the scheme in any case', async () => {
    const answer = await callProven(host, '/api/read?x=1', token)
    expect(answer).toMatchObject({
      status: 200,
      body: { userId: 'alice', clientId: 'conf', scopes: ['read'] },
    })
    expect(answer.headers.get('dpop-nonce')).toBeNull()
    // A backslash in a query is one, and fetch sends it so.
    const plain = `${host.origin}/api/read`
    for (const query of ['?q=a\\b', '?q=\\\\evil.example/', '?/../x#\\', '?'])
      expect((await callProven(host, `/api/read${query}`, token, { url: plain })).status).toBe(200)
    expect((await callProven(host, '/api/read', token, { url: `${plain}?q=a\\b` })).status).toBe(200)
    expect((await callProven(host, '/api/read', token, { method: 'HEAD' })).status).toBe(200)
    expect((await callProven(host, '/api/read', token, { method: 'POST' })).status).toBe(200)
    for (const scheme of ['dpop', 'DPOP', 'dPoP '])
      expect((await callProven(host, '/api/read', token, { scheme })).status).toBe(200)
  })

  test.each<[string, (token: string) => ProofOptions, string]>([
    ['without ath', () => ({ claims: { ath: undefined } }), 'dpop_proof_token'],
    ['with ath of another token', () => ({ token: 'x' }), 'dpop_proof_token'],
    ['with the token itself for ath', (t) => ({ claims: { ath: t } }), 'dpop_proof_token'],
    ['for another method', () => ({ claims: { htm: 'POST' } }), 'dpop_proof_method'],
    ['for another path', () => ({ url: `${host.origin}/api/write` }), 'dpop_proof_url'],
    ['for the token endpoint', () => ({ url: `${host.issuer}/token` }), 'dpop_proof_url'],
    ['for another host', () => ({ url: 'https://evil.example/api/read' }), 'dpop_proof_url'],
    [
      'that is an hour old',
      () => ({ claims: { iat: Math.floor(host.now() / 1000) - 3600 } }),
      'dpop_proof_time',
    ],
    ['signed by another key than it names', () => ({ signer: anotherKey.signer }), 'dpop_proof_signature'],
    ['of another type', () => ({ header: { typ: 'JWT' } }), 'dpop_proof_typ'],
  ])('is refused with a proof %s', async (_, options, reason) => {
    const answer = await callProven(host, '/api/read', token, options(token))
    expectApiRefusal(answer, 'invalid_dpop_proof', reason)
  })

  test("is refused with a proof of another key: the token is not that one's", async () => {
    const answer = await callProven(host, '/api/read', token, { key: anotherKey })
    expectApiRefusal(answer, 'invalid_token', 'dpop_key_mismatch')
  })

  test('is refused with the same proof again, also where the first call had too little scope', async () => {
    const dpop = proof(host, { url: `${host.origin}/api/write`, method: 'GET', token })
    const headers = { authorization: `DPoP ${token}`, dpop }
    const scarce = await callApi(host, '/api/write', undefined, headers)
    expect([scarce.status, scarce.body.error]).toEqual([403, 'insufficient_scope'])
    expect(dpopChallenge(scarce.headers)).toMatchObject({ error: 'insufficient_scope', scope: 'write' })
    expectApiRefusal(
      await callApi(host, '/api/write', undefined, headers),
      'invalid_dpop_proof',
      'dpop_proof_replayed',
    )
  })

  test('RACE-04 passes once where one proof comes twenty times at once', async () => {
    const dpop = proof(host, { url: `${host.origin}/api/read`, method: 'GET', token })
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => {
        return callApi(host, '/api/read', undefined, { authorization: `DPoP ${token}`, dpop })
      }),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(19)
  })

  test('with two proofs, or two Authorization headers, is refused', async () => {
    const url = `${host.origin}/api/read`
    const [one, other] = [
      proof(host, { url, method: 'GET', token }),
      proof(host, { url, method: 'GET', token }),
    ]
    const answer = await callApi(host, '/api/read', undefined, {
      authorization: `DPoP ${token}`,
      dpop: `${one}, ${other}`,
    })
    expectApiRefusal(answer, 'invalid_dpop_proof', 'dpop_proofs_several')
    const ambiguous = await callApi(host, `/api/read?access_token=${token}`, undefined, {
      authorization: `DPoP ${token}`,
      dpop: one,
    })
    expect([ambiguous.status, ambiguous.body.error]).toEqual([400, 'invalid_request'])
    dpopChallenge(ambiguous.headers)
  })

  test('of a token that is unknown or has expired says so, and uses up no proof', async () => {
    const own = await startHost()
    const { access_token } = await boundTokens(own)
    expectApiRefusal(await callProven(own, '/api/read', 'unknown'), 'invalid_token', 'token_unknown', own)
    own.advance(3600)
    expectApiRefusal(await callProven(own, '/api/read', access_token), 'invalid_token', 'token_expired', own)
    await own.close()
  })

  test('OIDC-07 at userinfo likewise, by GET and by POST, and never with the token in a form', async () => {
    const { access_token } = await boundTokens(host, { params: { scope: 'openid' } })
    const at = '/oauth/userinfo'
    expect(await callProven(host, at, access_token)).toMatchObject({ status: 200, body: { sub: 'alice' } })
    expect((await callProven(host, at, access_token, { method: 'POST' })).status).toBe(200)
    const claims = { ath: undefined }
    const answer = await callProven(host, at, access_token, { claims })
    expectApiRefusal(answer, 'invalid_dpop_proof', 'dpop_proof_token')
    expect(dpopChallenge(answer.headers).realm).toBe(host.issuer)
    const posted = await fetch(host.origin + at, {
      method: 'POST',
      headers: { dpop: proof(host, { url: host.origin + at, token: access_token }) },
      body: new URLSearchParams({ access_token }),
    })
    expect(posted.status).toBe(401)
    expect(dpopChallenge(posted.headers).error).toBe('invalid_token')
  })
})

describe('DPOP-07 a token and the scheme that it is sent with', () => {
  test.each(['/api/read', '/oauth/userinfo'])(
    'a bound token as Bearer, with a proof and without, at %s',
    async (at) => {
      const { access_token } = await boundTokens(host, { params: { scope: 'openid read' } })
      for (const answer of [
        await callApi(host, at, access_token),
        await callProven(host, at, access_token, { scheme: 'Bearer' }),
      ])
        expectApiRefusal(answer, 'invalid_token', 'token_bound_to_key')
    },
  )

  test.each(['/api/read', '/oauth/userinfo'])('a bound token as DPoP without a proof, at %s', async (at) => {
    const { access_token } = await boundTokens(host, { params: { scope: 'openid read' } })
    const answer = await callApi(host, at, undefined, { authorization: `DPoP ${access_token}` })
    expectApiRefusal(answer, 'invalid_dpop_proof', 'dpop_proof_missing')
  })

  test.each(['/api/read', '/oauth/userinfo'])(
    'a plain token as DPoP, with a proof and without, at %s',
    async (at) => {
      const { access_token } = await getTokens(host, { params: { scope: 'openid read' } })
      for (const answer of [
        await callProven(host, at, access_token),
        await callApi(host, at, undefined, { authorization: `DPoP ${access_token}` }),
      ])
        expectApiRefusal(answer, 'invalid_token', 'token_not_bound')
    },
  )

  test('a plain token as Bearer stays as it was, whatever is in the header DPoP', async () => {
    const { access_token } = await getTokens(host)
    const answer = await callApi(host, '/api/read', access_token, { dpop: 'nonsense' })
    expect(answer.status).toBe(200)
  })

  test('RS-01 the challenge of a request without a token is for Bearer, and tells where the metadata is', async () => {
    const answer = await callApi(host, '/api/read', undefined)
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer scope="read", resource_metadata="[^"]*"$/)
    const metadata = answer.headers.get('www-authenticate')?.match(/resource_metadata="([^"]*)"/)?.[1]
    const document = (await (await fetch(metadata ?? '')).json()) as Record<string, unknown>
    expect(document.dpop_signing_alg_values_supported).toContain('ES256')
    for (const authorization of ['DPoP', 'DPoP ', 'DPoP a b', 'DPoP "x"']) {
      const malformed = await callApi(host, '/api/read', undefined, { authorization })
      expect([malformed.status, malformed.body.error]).toEqual([400, 'invalid_request'])
      dpopChallenge(malformed.headers)
    }
    expect((await callApi(host, '/api/read', undefined, { authorization: 'DPoPx a' })).status).toBe(401)
  })
})

describe('DPOP-08 refresh', () => {
  const again = (token: string, options: ProofOptions & { client?: string } = {}, form = {}) =>
    postProven(host, { grant_type: 'refresh_token', refresh_token: token, ...form }, options)

  test("a public client's refresh token is its key's: with another or with none it is refused, and lives on", async () => {
    const { refresh_token } = await boundTokens(host, { client: 'pub' })
    expectRefusal(await refresh(host, refresh_token, { client: 'pub' }), 400, 'invalid_dpop_proof')
    expect(lastReason()).toBe('dpop_proof_missing')
    expectRefusal(await again(refresh_token, { client: 'pub', key: anotherKey }), 400, 'invalid_grant')
    expect(lastReason()).toBe('dpop_key_mismatch')
    const renewed = await again(refresh_token, { client: 'pub' })
    expect(renewed.body.token_type).toBe('DPoP')
    expect((await callProven(host, '/api/read', renewed.body.access_token)).status).toBe(200)
    const later = renewed.body.refresh_token
    expectRefusal(await again(later, { client: 'pub', key: anotherKey }), 400, 'invalid_grant')
    expectRefusal(await refresh(host, later, { client: 'pub' }), 400, 'invalid_dpop_proof')
    expect((await again(later, { client: 'pub' })).status).toBe(200)
  })

  test('who has a used one of a public client, but not its key, cannot end the family with it', async () => {
    const { refresh_token } = await boundTokens(host, { client: 'pub' })
    const { body } = await again(refresh_token, { client: 'pub' })
    host.advance(11)
    expectRefusal(await again(refresh_token, { client: 'pub', key: anotherKey }), 400, 'invalid_grant')
    expect((await callProven(host, '/api/read', body.access_token)).status).toBe(200)
    expectRefusal(await again(refresh_token, { client: 'pub' }), 400, 'invalid_grant')
    expect(lastReason()).toBe('refresh_token_reused')
    expect((await callProven(host, '/api/read', body.access_token)).status).toBe(401)
  })

  test('RFC 9449 §5 a public client that begins to send proofs gets tokens that are bound from then on', async () => {
    const plain = await getTokens(host, { client: 'pub' })
    const { body } = await again(plain.refresh_token, { client: 'pub' })
    expect(body.token_type).toBe('DPoP')
    expectRefusal(await refresh(host, body.refresh_token, { client: 'pub' }), 400, 'invalid_dpop_proof')
    expectRefusal(await again(body.refresh_token, { client: 'pub', key: anotherKey }), 400, 'invalid_grant')
    expect((await again(body.refresh_token, { client: 'pub' })).status).toBe(200)
  })

  test('a confidential client proves itself, so it may change its key, and each access token is bound to the newest', async () => {
    const { refresh_token } = await boundTokens(host)
    const { body } = await again(refresh_token, { key: anotherKey })
    expect(body.token_type).toBe('DPoP')
    expect((await callProven(host, '/api/read', body.access_token, { key: anotherKey })).status).toBe(200)
    expect((await callProven(host, '/api/read', body.access_token)).status).toBe(401)
  })

  test('REFR-12 within the grace the very same tokens, to the same key only', async () => {
    for (const client of ['conf', 'pub']) {
      const { refresh_token } = await boundTokens(host, { client })
      const [first, second] = [await again(refresh_token, { client }), await again(refresh_token, { client })]
      expect(second.body.access_token).toBe(first.body.access_token)
      expect(second.body.token_type).toBe('DPoP')
      expectRefusal(await again(refresh_token, { client, key: anotherKey }), 400, 'invalid_grant')
    }
  })
})

describe('DPOP-09 a code that is bound to a key by dpop_jkt', () => {
  const bound = { params: { dpop_jkt: aKey.jkt } }

  test.each(['conf', 'pub'])('is redeemed with a proof of that key only, by %s', async (client) => {
    const { code } = await getCode(host, { client, ...bound })
    expectRefusal(await redeem(host, code, { client }), 400, 'invalid_dpop_proof')
    expectRefusal(await redeemProven(host, code, { client, key: anotherKey }), 400, 'invalid_grant')
    expect(lastReason()).toBe('dpop_key_mismatch')
    expect((await redeemProven(host, code, { client })).body.token_type).toBe('DPoP')
  })

  test('CODE-05 with another key nothing is taken back of what the right one got', async () => {
    const { code } = await getCode(host, bound)
    const { access_token } = (await redeemProven(host, code)).body
    expectRefusal(await redeemProven(host, code, { key: anotherKey }), 400, 'invalid_grant')
    expect((await callProven(host, '/api/read', access_token)).status).toBe(200)
  })

  test.each([
    ['short', aKey.jkt.slice(1)],
    ['long', `${aKey.jkt}A`],
    ['padded', `${aKey.jkt}=`],
    ['in hexadecimal', 'ab'.repeat(32)],
    ['of more bits than it says', `${aKey.jkt.slice(0, -1)}B`],
    ['not base64url', `${aKey.jkt.slice(1)}+`],
  ])('is refused where the thumbprint is %s', async (_, dpop_jkt) => {
    const { page } = await toConsent(host, { params: { dpop_jkt } })
    expectErrorRedirect(host, page, 'invalid_request')
    expect(lastReason()).toBe('dpop_jkt_malformed')
  })

  test('AUTHZ-08 is refused where it is named twice', async () => {
    const { page } = await toConsent(host, { params: { dpop_jkt: [aKey.jkt, aKey.jkt] } })
    expectErrorRedirect(host, page, 'invalid_request')
  })
})

describe('DPOP-10', () => {
  test('a client with dpop_bound_access_tokens gets no token without a proof, by no grant', async () => {
    const { code } = await getCode(host, { client: 'bound' })
    expectRefusal(await redeem(host, code, { client: 'bound' }), 400, 'invalid_dpop_proof')
    expect(lastReason()).toBe('dpop_proof_missing')
    const { body } = await redeemProven(host, code, { client: 'bound' })
    expect(body.token_type).toBe('DPoP')
    expectRefusal(await refresh(host, body.refresh_token, { client: 'bound' }), 400, 'invalid_dpop_proof')
  })

  describe('with requireNonce', () => {
    let own: Host
    beforeAll(async () => {
      own = await startHost({ provider: { dpop: { requireNonce: true } } })
    })
    afterAll(() => own.close())

    const nonceOf = ({ headers }: { readonly headers: Headers }) => {
      const nonce = headers.get('dpop-nonce') ?? ''
      // RFC 9449 §8.1
      expect(nonce).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]+$/)
      return nonce
    }

    test('the token endpoint asks for one, takes it, and gives one with each answer', async () => {
      const { code } = await getCode(own)
      const asked = await redeemProven(own, code)
      expectRefusal(asked, 400, 'use_dpop_nonce')
      expect(lastReason(own)).toBe('dpop_nonce_missing')
      expect(asked.headers.get('access-control-expose-headers')).toContain('DPoP-Nonce')
      const answer = await redeemProven(own, code, { nonce: nonceOf(asked) })
      expect([answer.status, answer.body.token_type]).toEqual([200, 'DPoP'])
      nonceOf(answer)
    })

    test.each([
      ['made up', 'x'],
      ['of the right shape', 'A'.repeat(64)],
      ['empty', ''],
      ['a number', 5],
      ['a list', ['x']],
      ['null', null],
    ])('one that is %s is refused, and the right one named', async (_, nonce) => {
      const answer = await knock(proof(own, { claims: { nonce } }), own)
      expectRefusal(answer, 400, 'use_dpop_nonce')
      expect(lastReason(own)).toBe('dpop_nonce_unknown')
      nonceOf(answer)
    })

    test('a code, a token or another handle of ours is no nonce', async () => {
      const { code } = await getCode(own)
      expectRefusal(await knock(proof(own, { nonce: code }), own), 400, 'use_dpop_nonce')
    })

    test('the API and userinfo ask for one with 401, and give one with each answer', async () => {
      const nonce = nonceOf(await knock(proof(own), own))
      const { code } = await getCode(own, { params: { scope: 'openid read' } })
      const { access_token } = (await redeemProven(own, code, { nonce })).body
      for (const at of ['/api/read', '/oauth/userinfo']) {
        const asked = await callProven(own, at, access_token)
        expectApiRefusal(asked, 'use_dpop_nonce', 'dpop_nonce_missing', own)
        expect(asked.headers.get('access-control-expose-headers')).toContain('DPoP-Nonce')
        const answer = await callProven(own, at, access_token, { nonce: nonceOf(asked) })
        expect(answer.status).toBe(200)
        nonceOf(answer)
      }
    })

    test('a plain token needs none, and hears of none', async () => {
      const { access_token } = await getTokens(own)
      const answer = await callApi(own, '/api/read', access_token)
      expect([answer.status, answer.headers.get('dpop-nonce')]).toEqual([200, null])
      const tokens = await redeem(own, (await getCode(own)).code)
      expect([tokens.status, tokens.headers.get('dpop-nonce')]).toEqual([200, null])
    })

    test.each(['/api/read', '/oauth/userinfo'])('nor where a proof comes with it, at %s', async (at) => {
      const nonce = nonceOf(await knock(proof(own), own))
      const { access_token } = await getTokens(own, { params: { scope: 'openid read' } })
      const answer = await callProven(own, at, access_token, { scheme: 'Bearer', nonce })
      expect([answer.status, answer.headers.get('dpop-nonce')]).toEqual([200, null])
    })

    test('a nonce is used by many proofs, renewed each minute and taken for five', async () => {
      const first = nonceOf(await knock(proof(own), own))
      await expectLetIn(knock(proof(own, { nonce: first }), own))
      own.advance(61)
      const later = await knock(proof(own, { nonce: first }), own)
      expectRefusal(later, 400, 'invalid_grant')
      expect(nonceOf(await knock(proof(own), own))).not.toBe(first)
      own.advance(180)
      const last = nonceOf(await knock(proof(own), own))
      await expectLetIn(knock(proof(own, { nonce: first }), own))
      own.advance(59)
      expect(nonceOf(await knock(proof(own), own))).toBe(last)
      const old = await knock(proof(own, { nonce: first }), own)
      expectRefusal(old, 400, 'use_dpop_nonce')
      await expectLetIn(knock(proof(own, { nonce: nonceOf(old) }), own))
    })
  })

  test('STOR-04 a nonce that the store has not kept is given to nobody', async () => {
    const store = faultyStore(openStore(':memory:', Date.now), OPERATIONS)
    let keeps = false
    const insert: typeof store.insert = (records) =>
      (keeps || records.every(({ kind }) => kind !== 'nonce')) && store.insert(records)
    const provider = { store: { ...store, insert }, dpop: { requireNonce: true } }
    const own = await startHost({ provider })
    for (const _ of [1, 2]) {
      const answer = await knock(proof(own), own)
      expectRefusal(answer, 503, 'temporarily_unavailable')
      expect(answer.headers.get('dpop-nonce')).toBeNull()
    }
    keeps = true
    const nonce = (await knock(proof(own), own)).headers.get('dpop-nonce') ?? ''
    await expectLetIn(knock(proof(own, { nonce }), own))
    await own.close()
  })

  test('STOR-04 while the store cannot say whether a nonce is ours, nobody is let in', async () => {
    const store = faultyStore(openStore(':memory:', Date.now), OPERATIONS)
    const own = await startHost({ provider: { store, dpop: { requireNonce: true } } })
    store.fail('insert', 'rejects')
    expectRefusal(await knock(proof(own), own), 503, 'temporarily_unavailable')
    store.heal()
    const nonce = (await knock(proof(own), own)).headers.get('dpop-nonce') ?? ''
    // It has the shape of a nonce that another process may have made.
    const { code } = await getCode(own)
    store.fail('find', 'rejects')
    expectRefusal(await knock(proof(own, { nonce: code }), own), 503, 'temporarily_unavailable')
    store.heal()
    await expectLetIn(knock(proof(own, { nonce }), own))
    await own.close()
  })
})

test('with features.dpop turned off the header is ignored, the metadata is silent, and bound tokens are not taken', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'dpop-'))
  const store = path.join(folder, 'oauth.db')
  const before = await startHost({ provider: { store } })
  const { access_token } = await boundTokens(before)
  const kept = await before.oauth.clients.create({
    ...{ token_endpoint_auth_method: 'client_secret_basic', redirect_uris },
    dpop_bound_access_tokens: true,
  })
  const own = await startHost({ provider: { store, issuer: before.issuer, features: { dpop: false } } })
  for (const metadata of [
    await metadataOf({ ...own, issuer: `${own.origin}/oauth` }),
    await resourceMetadataOf(own),
  ])
    expect(Object.keys(metadata).filter((name) => name.includes('dpop'))).toEqual([])
  await expectLetIn(knock('nonsense', own))
  const { code } = await getCode(own, { params: { dpop_jkt: 'nonsense' } })
  expectTokens(await redeem(own, code))
  const answer = await callProven(own, '/api/read', access_token)
  expect(answer.status).toBe(401)
  expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer /)
  expect((await callApi(own, '/api/read', access_token)).status).toBe(401)
  const refused = await fetch(`${own.issuer}/token`, {
    method: 'POST',
    headers: { authorization: basic(kept.client_id, String(kept.client_secret)), dpop: proof(before) },
    body: encode(PROBE),
  })
  expect([refused.status, await refused.json()]).toEqual([
    400,
    expect.objectContaining({ error: 'invalid_dpop_proof' }),
  ])
  await own.close()
  await before.close()
  rmSync(folder, { recursive: true })
})
