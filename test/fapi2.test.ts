import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { compactVerify, createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JSONWebKeySet } from 'jose'
import * as openid from 'openid-client'
import {
  type ClientMetadata,
  ConfigurationError,
  type OAuthProviderOptions,
  oauthProvider,
} from '../lib/index.js'
import type { Agent } from './support/agent.js'
import { expectCode, expectErrorPage, expectErrorRedirect } from './support/answers.js'
import { signJwt } from './support/assertions.js'
import { newCertificate, OID } from './support/certificate.js'
import { aKey, anotherKey, callProven, proof, proofKey } from './support/dpop.js'
import {
  codeFor,
  fapi2,
  keyed,
  keys,
  postAs,
  proven,
  pushAs,
  pushedAs,
  REDIRECT_URI,
  redeemAs,
  refreshAs,
  tokensFor,
  visit,
} from './support/fapi2.js'
import { authorizeUrl, basic, CHALLENGE, callApi, decide, signedIn, VERIFIER } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import { exchange, overTls } from './support/mutual-tls.js'
import { visitUrl } from './support/pushed.js'
import { signingKeys } from './support/signing-keys.js'
import { expectMachineHeaders, expectRefusal, send } from './support/token-endpoint.js'

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const FAPI2_ALGS = ['PS256', 'ES256', 'EdDSA']
const EC = { name: 'ECDSA', namedCurve: 'P-256' }
const rsaProofs = proofKey('PS256')
const LONG_SECRET = 'a-secret-that-is-long-enough-for-an-hmac-with-sha-512-0123456789abcdef'

let host: Host
let alice: Agent
beforeAll(async () => {
  // With a secret to encrypt with, secrets could be kept, were clients with one allowed.
  host = await startHost({ provider: { ...fapi2, secret: LONG_SECRET } })
  alice = await signedIn(host, 'alice')
})
afterAll(() => host.close())

const tokens = () => tokensFor(host, alice, { params: { scope: 'openid read' } })
const now = () => Math.floor(host.now() / 1000)

/** What came of it: a token that is bound to the key, and the ID token that goes with it. */
async function expectBound(
  answer: Awaited<ReturnType<typeof redeemAs>>,
  jkt = aKey.jkt,
  at = host,
  client = 'one',
) {
  expect({ status: answer.status, error: answer.body.error }).toEqual({ status: 200 })
  expectMachineHeaders(answer.headers)
  expect(answer.body.token_type).toBe('DPoP')
  const about = await introspected(answer.body.access_token, at, client)
  expect(about).toMatchObject({ active: true, token_type: 'DPoP', cnf: { jkt } })
}

async function metadata({ issuer }: Host): Promise<Record<string, unknown>> {
  return (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as Record<string, unknown>
}

async function introspected(token: string, at = host, client = 'one') {
  const body = new URLSearchParams({ token, ...(proven(at, { client }) as Record<string, string>) })
  return (await (await fetch(`${at.issuer}/introspect`, { method: 'POST', body })).json()) as object
}

// The modules of the OpenID Foundation's plan fapi2-security-profile-final-test-plan, under the names of their classes without FAPI2SPFinal.

describe('well behaved clients', () => {
  test('DiscoveryEndpointVerification', async () => {
    const document = await metadata(host)
    expect(document).toMatchObject({
      issuer: host.issuer,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      require_pushed_authorization_requests: true,
      pushed_authorization_request_endpoint: `${host.issuer}/par`,
      authorization_response_iss_parameter_supported: true,
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
      id_token_signing_alg_values_supported: ['ES256', 'EdDSA'],
      userinfo_signing_alg_values_supported: ['ES256', 'EdDSA'],
      introspection_signing_alg_values_supported: ['ES256', 'EdDSA'],
      revocation_endpoint_auth_methods_supported: ['private_key_jwt'],
      introspection_endpoint_auth_methods_supported: ['private_key_jwt'],
    })
    const byClients = [
      'token_endpoint_auth_signing_alg_values_supported',
      'revocation_endpoint_auth_signing_alg_values_supported',
      'introspection_endpoint_auth_signing_alg_values_supported',
      'request_object_signing_alg_values_supported',
      'dpop_signing_alg_values_supported',
    ]
    // EdDSA under both of its names (RFC 9864).
    for (const member of byClients)
      expect([...(document[member] as string[])].sort()).toEqual([...FAPI2_ALGS, 'Ed25519'].sort())
  })

  test('the API says that no token is of use without a proof (RFC 9728 §2, RFC 9449 §7.1)', async () => {
    const protectedBy = await fetch(`${host.origin}/.well-known/oauth-protected-resource/api/read`)
    expect(await protectedBy.json()).toMatchObject({ dpop_bound_access_tokens_required: true })
    const algs = 'algs="PS256 ES256 EdDSA Ed25519"'
    const unknown = 'a-token-that-nobody-knows'
    for (const [token, start] of [
      [undefined, 'DPoP scope="read"'],
      [unknown, 'DPoP error="invalid_token"'],
    ] as const) {
      const { status, headers } = await callApi(host, '/api/read', token)
      const challenge = headers.get('www-authenticate') ?? ''
      expect({ status, start: challenge.slice(0, start.length) }).toEqual({ status: 401, start })
      expect(challenge).toContain(algs)
      expect(challenge).not.toContain('Bearer')
    }
    const userinfo = await fetch(`${host.issuer}/userinfo`)
    expect(userinfo.status).toBe(401)
    expect(userinfo.headers.get('www-authenticate')).toBe(`DPoP realm="${host.issuer}", ${algs}`)
  })

  test.each([
    ['one', aKey],
    ['two', proofKey('EdDSA')],
    ['rsa', rsaProofs],
  ] as const)('HappyFlow: client %s gets tokens, which work with its key', async (client, key) => {
    const params = { scope: 'openid read', nonce: 'the-nonce' }
    const pushed = await pushAs(host, { client, params })
    expect(pushed.status).toBe(201)
    expect(pushed.body.expires_in).toBeLessThan(600)
    const arrival = await visit(host, alice, String(pushed.body.request_uri), { client })
    const answer = await redeemAs(host, expectCode(host, arrival), { client, dpop: { key } })
    await expectBound(answer, key.jkt, host, client)
    const { access_token, id_token } = answer.body
    const set = (await (await fetch(`${host.issuer}/jwks`)).json()) as JSONWebKeySet
    const { protectedHeader } = await compactVerify(String(id_token), createLocalJWKSet(set))
    expect(protectedHeader.alg).toBe('ES256')
    expect(decodeJwt(String(id_token))).toMatchObject({ iss: host.issuer, aud: client, nonce: 'the-nonce' })
    expect((await callProven(host, '/api/read', access_token, { key })).status).toBe(200)
    expect((await callApi(host, '/api/read', access_token)).status).toBe(401)
  })

  test('UserRejectsAuthentication', async () => {
    const uri = await pushedAs(host, { params: { prompt: 'consent' } })
    const page = await alice.follow(visitUrl(host, uri, { client: 'one' }))
    expectErrorRedirect(host, await decide(alice, page, 'deny'), 'access_denied')
  })

  test.each<[string, Record<string, string | undefined>, string | null]>([
    ['EnsureAuthorizationRequestWithoutStateSuccess', { state: undefined }, null],
    [
      'EnsureAuthorizationRequestWithoutNonceSuccess',
      { scope: 'openid read', nonce: undefined },
      'the-state',
    ],
    [
      'EnsureAuthorizationRequestWith64CharNonceSuccess',
      { scope: 'openid', nonce: 'n'.repeat(64) },
      'the-state',
    ],
    ['EnsureAuthorizationRequestWithLongNonce', { scope: 'openid', nonce: 'n'.repeat(384) }, 'the-state'],
    ['EnsureAuthorizationRequestWithLongState', { state: 's'.repeat(1024) }, 's'.repeat(1024)],
    ['EnsureOtherScopeOrderSucceeds', { scope: 'read openid' }, 'the-state'],
  ])('%s', async (_, params, state) => {
    const arrival = await visit(host, alice, await pushedAs(host, { params }))
    const { body } = await redeemAs(host, expectCode(host, arrival, { state }))
    if (params.nonce !== undefined) expect(decodeJwt(String(body.id_token)).nonce).toBe(params.nonce)
  })

  test('TestClaimsParameterIdentityClaims', async () => {
    const claims = JSON.stringify({ userinfo: { name: null }, id_token: { email: null } })
    const params = { scope: 'openid', claims }
    const { access_token, id_token } = await tokensFor(host, alice, { params })
    expect(decodeJwt(String(id_token)).email).toBe('alice@host.example')
    const path = new URL(`${host.issuer}/userinfo`).pathname
    expect((await callProven(host, path, access_token)).body).toMatchObject({ sub: 'alice', name: 'Alice' })
  })

  test('AccessTokenTypeHeaderCaseSensitivity', async () => {
    const { access_token } = await tokens()
    for (const scheme of ['DPoP', 'dpop', 'DPOP'])
      expect((await callProven(host, '/api/read', access_token, { scheme })).status).toBe(200)
  })

  test('ParWithoutDuplicateParameters, StateOnlyOutsideRequestObjectNotUsed: beside request_uri nothing counts', async () => {
    expectCode(host, await visit(host, alice, await pushedAs(host)))
    const params = { state: 'planted', scope: 'write', redirect_uri: 'https://evil.example/' }
    const uri = await pushedAs(host, { params: { state: undefined } })
    expectCode(host, await visit(host, alice, uri, { params }), { state: null })
  })
})

describe('DPoP', () => {
  test('CheckDpopProofNbfExp', async () => {
    const claims = { nbf: now(), exp: now() + 300 }
    await expectBound(await redeemAs(host, await codeFor(host, alice), { dpop: { claims } }))
  })

  test.each([
    ['EnsureDpopProofWithIat10SecondsBeforeSucceeds', -10],
    ['EnsureDpopProofWithIat10SecondsAfterSucceeds', 10],
  ])('%s', async (_, seconds) => {
    const claims = { iat: now() + seconds }
    await expectBound(await redeemAs(host, await codeFor(host, alice), { dpop: { claims } }))
  })

  const atPar = (key = aKey) => ({ dpop: proof(host, { key, url: `${host.issuer}/par` }) })

  test('EnsureMismatchedDpopJktFails', async () => {
    const asking = { params: { dpop_jkt: anotherKey.jkt }, headers: atPar() }
    expectRefusal(await pushAs(host, asking), 400, 'invalid_dpop_proof')
  })

  test('EnsureTokenEndpointFailsWithMismatchedDpopProofJkt, EnsureDpopProofAtParEndpointBindingSuccess', async () => {
    const code = await codeFor(host, alice, { headers: atPar() })
    expectRefusal(await redeemAs(host, code, { dpop: { key: anotherKey } }), 400, 'invalid_grant')
    await expectBound(await redeemAs(host, code))
  })

  test('EnsureTokenEndpointFailsWithMismatchedDpopJkt, EnsureDpopAuthCodeBindingSuccess', async () => {
    const code = await codeFor(host, alice, { params: { dpop_jkt: aKey.jkt } })
    expectRefusal(await redeemAs(host, code, { dpop: { key: anotherKey } }), 400, 'invalid_grant')
    await expectBound(await redeemAs(host, code))
  })

  test('DpopNegativeTests: a proof by RS256, which is enough elsewhere, is not enough here, with a token or for one', async () => {
    const { access_token } = await tokensFor(host, alice)
    const byRs256 = { key: { ...rsaProofs, alg: 'RS256' } }
    const api = await callProven(host, '/api/read', access_token, byRs256)
    expect(api.status).toBe(401)
    expect(api.headers.get('www-authenticate')).toContain('algs="PS256 ES256 EdDSA Ed25519"')
    const code = await codeFor(host, alice)
    expectRefusal(await redeemAs(host, code, { dpop: byRs256 }), 400, 'invalid_dpop_proof')
  })

  test.each([
    ['another method', { method: 'PUT' }],
    ['another URL', { url: 'https://evil.example/' }],
    ['another token', { token: 'x' }],
    ['another key', { key: anotherKey }],
    ['an hour ago', { claims: { iat: 0 } }],
    ['the private key', { header: { jwk: aKey.signer.export({ format: 'jwk' }) } }],
    ['another typ', { header: { typ: 'jwt' } }],
  ])('DpopNegativeTests: a proof for or with %s', async (_, wrong) => {
    const { access_token } = await tokensFor(host, alice)
    const dpop = proof(host, { url: `${host.origin}/api/read`, method: 'GET', token: access_token, ...wrong })
    const headers = { authorization: `DPoP ${access_token}`, dpop }
    expect((await fetch(`${host.origin}/api/read`, { headers })).status).toBe(401)
  })
})

describe('authorization requests', () => {
  test('EnsureUnsignedAuthorizationRequestWithoutUsingParFails', async () => {
    const page = await alice.get(authorizeUrl(host, { client: 'one' }))
    expectErrorRedirect(host, page, 'invalid_request')
  })

  test('EnsureRequestObjectWithoutRedirectUriFails, EnsureRedirectUriInAuthorizationRequest: also where there is only one', async () => {
    expectRefusal(await pushAs(host, { params: { redirect_uri: undefined } }), 400, 'invalid_request')
  })

  test('EnsureRegisteredRedirectUri', async () => {
    for (const redirect_uri of ['https://rp.example/cb/', 'https://evil.example/cb', 'http://rp.example/cb'])
      expectRefusal(await pushAs(host, { params: { redirect_uri } }), 400, 'invalid_request')
  })

  test.each([
    ['EnsureResponseTypeCodeIdTokenFails', 'code id_token'],
    ['EnsureResponseTypeTokenFails', 'token'],
  ])('%s', async (_, response_type) => {
    expectRefusal(await pushAs(host, { params: { response_type } }), 400, 'unsupported_response_type')
  })

  interface Signed {
    readonly client?: string
    /** Whose key signs. */
    readonly by?: string
    readonly alg?: string
    readonly claims?: Readonly<Record<string, unknown>>
  }

  /** Pushes a request object in place of the parameters. */
  const pushSigned = ({ client = 'one', by = client, alg = keys[by]!.alg, claims = {} }: Signed) => {
    const standing = {
      ...{ iss: client, aud: host.issuer, client_id: client, response_type: 'code', scope: 'read' },
      ...{ redirect_uri: REDIRECT_URI, code_challenge: CHALLENGE, code_challenge_method: 'S256' },
      ...{ nbf: now(), exp: now() + 60 },
    }
    const request = signJwt({ alg }, { ...standing, ...claims }, keys[by]!.privateKey)
    return pushAs(host, { client, params: { request } })
  }

  test.each<[string, () => Signed]>([
    [
      'EnsureServerAcceptsRequestObjectWithMultipleAud',
      () => ({ claims: { aud: [host.issuer, 'https://x.example'] } }),
    ],
    ['EnsureRequestObjectWithNbf8SecondsInTheFutureIsAccepted', () => ({ claims: { nbf: now() + 8 } })],
    ['PS256', () => ({ client: 'rsa' })],
  ])('%s', async (_, signed) => {
    expect((await pushSigned(signed())).status).toBe(201)
  })

  test.each<[string, () => Signed]>([
    ['EnsureExpiredRequestObjectFails', () => ({ claims: { exp: now() - 60 } })],
    ['EnsureRequestObjectWithBadAudFails', () => ({ claims: { aud: 'https://other.example' } })],
    ['a request object that is not valid before a minute from now', () => ({ claims: { nbf: now() + 61 } })],
    ['EnsureMatchingKeyInAuthorizationRequest', () => ({ by: 'two' })],
    ['EnsureSignedRequestObjectWithRS256Fails', () => ({ client: 'rsa', alg: 'RS256' })],
  ])('%s', async (_, signed) => {
    expectRefusal(await pushSigned(signed()), 400, 'invalid_request_object')
  })

  test('EnsureRequestObjectSignatureAlgorithmIsNotNone', async () => {
    const request = `${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.`
    expectRefusal(await pushAs(host, { params: { request } }), 400, 'invalid_request_object')
  })
})

describe('the token endpoint', () => {
  test('EnsureClientIdInTokenEndpoint: client_id of another, whose assertion is signed with the key of the first', async () => {
    const code = await codeFor(host, alice)
    const posed = { client: 'two', by: 'one', form: { client_id: 'two' } }
    expectRefusal(await redeemAs(host, code, posed), 401, 'invalid_client')
    await expectBound(await redeemAs(host, code))
  })

  test('EnsureHolderOfKeyRequired', async () => {
    const code = await codeFor(host, alice)
    expectRefusal(await redeemAs(host, code, { dpop: false }), 400, 'invalid_request')
    expect(host.events.at(-1)).toMatchObject({
      name: 'token.refused',
      event: { reason: 'confirmation_missing' },
    })
    await expectBound(await redeemAs(host, code))
  })

  test('EnsureHolderOfKeyRequired: also where a client asks for itself', async () => {
    const own = await startHost({
      provider: { ...fapi2, clients: [keyed('one', { grant_types: ['client_credentials'], scope: 'read' })] },
    })
    const form = { grant_type: 'client_credentials', scope: 'read' }
    expectRefusal(await postAs(own, { form, dpop: false }), 400, 'invalid_request')
    await expectBound(await postAs(own, { form }), aKey.jkt, own)
    await own.close()
  })

  test('EnsureAuthorizationCodeIsBoundToClient', async () => {
    const code = await codeFor(host, alice)
    expectRefusal(await redeemAs(host, code, { client: 'two' }), 400, 'invalid_grant')
    await expectBound(await redeemAs(host, code))
  })

  test('AttemptReuseAuthorizationCodeAfterOneSecond: and what it gave ends', async () => {
    const code = await codeFor(host, alice)
    const { body } = await redeemAs(host, code)
    host.advance(1)
    expectRefusal(await redeemAs(host, code), 400, 'invalid_grant')
    expect((await callProven(host, '/api/read', body.access_token)).status).toBe(401)
    expectRefusal(await refreshAs(host, body.refresh_token), 400, 'invalid_grant')
  })

  test('AttemptToUseExpiredAuthCode', async () => {
    const code = await codeFor(host, alice)
    host.advance(61)
    expectRefusal(await redeemAs(host, code), 400, 'invalid_grant')
  })
})

describe('client assertions', () => {
  test('EnsureSignedClientAssertionWithRS256Fails', async () => {
    expectRefusal(await pushAs(host, { client: 'rsa', alg: 'RS256' }), 401, 'invalid_client')
    expect((await pushAs(host, { client: 'rsa', alg: 'PS256' })).status).toBe(201)
  })

  test('EnsureClientAssertionInTokenEndpoint', async () => {
    const code = await codeFor(host, alice)
    const none = { client_assertion: undefined, client_assertion_type: undefined, client_id: 'one' }
    expectRefusal(await redeemAs(host, code, { form: none as never }), 401, 'invalid_client')
    await expectBound(await redeemAs(host, code))
  })

  test.each([
    ['EnsureClientAssertionWithExpIs5MinutesInPastFails', () => ({ exp: now() - 300 })],
    ['EnsureClientAssertionWithWrongAudFails', () => ({ aud: 'https://other.example' })],
    ['EnsureClientAssertionWithNoSubFails', () => ({ sub: undefined })],
    ['PAREndpointAsArrayAudienceFails', () => ({ aud: [host.issuer, `${host.issuer}/par`] })],
    ['a list with the issuer alone', () => ({ aud: [host.issuer] })],
    ['PAREndpointAsAudienceFails', () => ({ aud: `${host.issuer}/par` })],
    ['PARTokenEndpointAsAudienceFails', () => ({ aud: `${host.issuer}/token` })],
    ['PAREnsureJWTClientAssertionWithIatNbfOver60SecondsInTheFutureFails', () => ({ iat: now() + 61 })],
    ['PAREnsureJWTClientAssertionWithIatNbfOver60SecondsInTheFutureFails', () => ({ nbf: now() + 61 })],
  ])('%s', async (_, claims) => {
    expectRefusal(await pushAs(host, { claims: claims() }), 401, 'invalid_client')
    expectRefusal(await refreshAs(host, 'x', { claims: claims() }), 401, 'invalid_client')
  })

  test('PAREnsureJWTClientAssertionWithIatNbf8SecondsInTheFutureIsAccepted', async () => {
    const later = now() + 8
    expect((await pushAs(host, { claims: { iat: later, nbf: later } })).status).toBe(201)
  })
})

test('assertions of issuers that the host trusts are signed with these algorithms too', async () => {
  const grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
  const iss = 'https://issuer.example'
  const jwks = { keys: [{ ...keys.rsa!.publicKey.export({ format: 'jwk' }) }] }
  const clients = [keyed('one', { grant_types: [grant_type], scope: 'read' })]
  const trustedIssuers = { [iss]: { jwks, user: () => 'alice' } }
  const own = await startHost({ provider: { ...fapi2, clients, trustedIssuers } })
  const sent = (alg: string, dpop?: false) => {
    const at = Math.floor(own.now() / 1000)
    const claims = { iss, sub: 'a', aud: own.issuer, iat: at, exp: at + 60, jti: randomUUID() }
    const form = { grant_type, scope: 'read', assertion: signJwt({ alg }, claims, keys.rsa!.privateKey) }
    return postAs(own, { form, ...(dpop === false && { dpop }) })
  }
  expectRefusal(await sent('RS256'), 400, 'invalid_grant')
  expect(own.events.at(-1)?.event.reason).toBe('assertion_algorithm')
  expectRefusal(await sent('PS256', false), 400, 'invalid_request')
  await expectBound(await sent('PS256'), aKey.jkt, own)
  await own.close()
})

describe('RefreshToken', () => {
  test('it is not rotated: it stays good, however often it is used, and its tokens are bound', async () => {
    const first = await tokens()
    const seen = [first.access_token]
    for (let time = 0; time < 3; time++) {
      const answer = await refreshAs(host, first.refresh_token)
      await expectBound(answer)
      expect(answer.body.refresh_token).toBe(first.refresh_token)
      expect(decodeJwt(String(answer.body.id_token)).sub).toBe('alice')
      seen.push(answer.body.access_token)
      host.advance(60)
    }
    expect(new Set(seen).size).toBe(4)
    for (const token of seen) expect((await callProven(host, '/api/read', token)).status).toBe(200)
  })

  test('a client may go over to another key with it, but never without one', async () => {
    const { refresh_token } = await tokens()
    expectRefusal(await refreshAs(host, refresh_token, { dpop: false }), 400, 'invalid_request')
    await expectBound(await refreshAs(host, refresh_token, { dpop: { key: anotherKey } }), anotherKey.jkt)
  })

  test('it is bound to its client, and somebody else who tries it ends nothing', async () => {
    const { refresh_token } = await tokens()
    expectRefusal(await refreshAs(host, refresh_token, { client: 'two' }), 400, 'invalid_grant')
    await expectBound(await refreshAs(host, refresh_token))
  })

  test('RACE-02 fifty at once are fifty tokens, all of which work and end together', async () => {
    const { refresh_token } = await tokens()
    const answers = await Promise.all(Array.from({ length: 50 }, () => refreshAs(host, refresh_token)))
    expect(new Set(answers.map(({ body }) => body.access_token)).size).toBe(50)
    const revocation = { ...proven(host), token: refresh_token } as Record<string, string>
    await fetch(`${host.issuer}/revoke`, { method: 'POST', body: new URLSearchParams(revocation) })
    for (const { body } of answers)
      expect((await callProven(host, '/api/read', body.access_token)).status).toBe(401)
    expectRefusal(await refreshAs(host, refresh_token), 400, 'invalid_grant')
  })

  test('it ends where lifetimes.refreshToken says, counted from the approval', async () => {
    const own = await startHost({ provider: { ...fapi2, lifetimes: { refreshToken: 100 } } })
    const { refresh_token } = await tokensFor(own, await signedIn(own, 'alice'))
    own.advance(99)
    await expectBound(await refreshAs(own, refresh_token), aKey.jkt, own)
    own.advance(2)
    expectRefusal(await refreshAs(own, refresh_token), 400, 'invalid_grant')
    await own.close()
  })

  test('for less than was granted, and never for more', async () => {
    const { refresh_token } = await tokensFor(host, alice, { params: { scope: 'read write' } })
    const less = await refreshAs(host, refresh_token, { form: { scope: 'read' } })
    expect(less.body.scope).toBe('read')
    expect((await refreshAs(host, refresh_token)).body.scope).toBe('read write')
    expectRefusal(await refreshAs(host, refresh_token, { form: { scope: 'openid' } }), 400, 'invalid_scope')
  })
})

describe('PAR', () => {
  test('PAREnsureServerAcceptsReusedRequestUriBeforeAuthenticationCompletion, PARAttemptReuseRequestUri', async () => {
    const uri = await pushedAs(host, { params: { prompt: 'consent' } })
    await alice.follow(visitUrl(host, uri, { client: 'one' }))
    expectCode(host, await visit(host, alice, uri))
    expectErrorPage(await alice.follow(visitUrl(host, uri, { client: 'one' })), {
      code: 'invalid_request_uri',
    })
  })

  test('PARAttemptToUseExpiredRequestUri', async () => {
    const { body } = await pushAs(host)
    host.advance(Number(body.expires_in) + 1)
    const late = await alice.follow(visitUrl(host, String(body.request_uri), { client: 'one' }))
    expectErrorPage(late, { code: 'invalid_request_uri' })
  })

  test('PAREnsureRequestUriIsBoundToClient', async () => {
    const page = await alice.follow(visitUrl(host, await pushedAs(host), { client: 'two' }))
    expectErrorPage(page, { code: 'invalid_request_uri' })
  })

  test('PARRejectRequestUriInParAuthorizationFormParams', async () => {
    const params = { request_uri: await pushedAs(host) }
    expectRefusal(await pushAs(host, { params }), 400, 'invalid_request')
  })

  test('PARRejectInvalidHttpVerb', async () => {
    for (const method of ['GET', 'PUT', 'DELETE'])
      expect((await fetch(`${host.issuer}/par`, { method })).status).toBe(405)
  })

  test('PAREnsurePKCERequired', async () => {
    const params = { code_challenge: undefined, code_challenge_method: undefined }
    expectRefusal(await pushAs(host, { params }), 400, 'invalid_request')
  })

  test('PAREnsurePlainPKCERejected', async () => {
    const params = { code_challenge: VERIFIER, code_challenge_method: 'plain' }
    expectRefusal(await pushAs(host, { params }), 400, 'invalid_request')
  })

  test('PAREnsurePKCECodeVerifierRequired, PARIncorrectPKCECodeVerifierRejected', async () => {
    const code = await codeFor(host, alice)
    const without = { code_verifier: undefined } as never
    expectRefusal(await redeemAs(host, code, { form: without }), 400, 'invalid_grant')
    const wrong = { code_verifier: VERIFIER.replace('a', 'b') }
    expectRefusal(await redeemAs(host, code, { form: wrong }), 400, 'invalid_grant')
    await expectBound(await redeemAs(host, code))
  })
})

describe('by client certificates', () => {
  const authority = newCertificate({ subject: [[[OID.cn, 'Authority']]], isAuthority: true })
  const certificate = newCertificate({
    subject: [[[OID.cn, 'client']]],
    names: [[0x82, 'client.example']],
    issuer: authority,
  })
  const client = {
    client_id: 'tls',
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_san_dns: 'client.example',
    tls_client_certificate_bound_access_tokens: true,
    redirect_uris: [REDIRECT_URI],
  } as const

  test('HappyFlow, EnsureHolderOfKeyRequired, RefreshToken with MTLS', async () => {
    const own = await startHost({ provider: { profile: 'fapi2', clients: [client], mtls: {} } })
    const tls = await overTls(own, authority)
    const post = (
      path: string,
      form: Record<string, string>,
      by: typeof certificate | undefined = certificate,
    ) => exchange(`${tls.origin}/oauth${path}`, { form: { client_id: 'tls', ...form }, certificate: by })
    const { searchParams } = new URL(authorizeUrl(own, { client: 'tls' }))
    const { body } = await post('/par', Object.fromEntries(searchParams))
    const arrival = await visit(own, await signedIn(own, 'alice'), String(body.request_uri), {
      client: 'tls',
    })
    const code = expectCode(own, arrival)
    const grant = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: REDIRECT_URI,
      code_verifier: VERIFIER,
    }
    const bare = await exchange(`${tls.origin}/oauth/token`, { form: { client_id: 'tls', ...grant } })
    expectRefusal(bare, 401, 'invalid_client')
    const { status, body: given } = await post('/token', grant)
    expect({ status, type: given.token_type }).toEqual({ status: 200, type: 'Bearer' })

    const call = (token: unknown, by: typeof certificate | undefined) => {
      const headers = { authorization: `Bearer ${token}` }
      return exchange(`${tls.origin}/api/read`, { headers, certificate: by })
    }
    expect((await call(given.access_token, certificate)).status).toBe(200)
    expect((await call(given.access_token, undefined)).status).toBe(401)
    const refresh = { grant_type: 'refresh_token', refresh_token: String(given.refresh_token) }
    const again = await post('/token', refresh)
    expect(again.body.refresh_token).toBe(given.refresh_token)
    expect((await call(again.body.access_token, certificate)).status).toBe(200)
    expect((await call(again.body.access_token, undefined)).status).toBe(401)
    tls.close()
    await own.close()
  })

  test('metadata names them, and features.dpop may then be off', async () => {
    const provider = { profile: 'fapi2', clients: [client], mtls: {}, features: { dpop: false } } as const
    const own = await startHost({ provider })
    const document = await metadata(own)
    expect(document.token_endpoint_auth_methods_supported).toEqual([
      'private_key_jwt',
      'tls_client_auth',
      'self_signed_tls_client_auth',
    ])
    expect(document.tls_client_certificate_bound_access_tokens).toBe(true)
    expect(document).not.toHaveProperty('dpop_signing_alg_values_supported')
    await own.close()
  })

  test('the API takes them as Bearer then, and demands no proof', async () => {
    const own = await startHost({ provider: { profile: 'fapi2', clients: [client], mtls: {} } })
    const protectedBy = await fetch(`${own.origin}/.well-known/oauth-protected-resource/api/read`)
    const document = (await protectedBy.json()) as object
    expect(document).toMatchObject({ tls_client_certificate_bound_access_tokens: true })
    expect(document).not.toHaveProperty('dpop_bound_access_tokens_required')
    const { headers } = await callApi(own, '/api/read', undefined)
    expect(headers.get('www-authenticate')).toMatch(/^Bearer scope="read", /)
    await own.close()
  })
})

test('openid-client goes the whole way: pushes, redeems, calls, refreshes', async () => {
  const own = await startHost({ provider: fapi2 }) // on the clock of the library
  const user = await signedIn(own, 'alice')
  const insecure = { execute: [openid.allowInsecureRequests] }
  const { privateKey } = keys.one!
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' })
  const key = await crypto.subtle.importKey('pkcs8', pkcs8, EC, false, ['sign'])
  const as = new URL(own.issuer)
  const config = await openid.discovery(as, 'one', undefined, openid.PrivateKeyJwt(key), insecure)
  const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('Ed25519'))
  const pkceCodeVerifier = openid.randomPKCECodeVerifier()
  const parameters = {
    redirect_uri: REDIRECT_URI,
    scope: 'openid read',
    code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  }
  const url = await openid.buildAuthorizationUrlWithPAR(config, parameters, { DPoP })
  const page = await user.follow(url.href)
  const arrival = page.text.includes('name="decision"') ? await decide(user, page, 'approve') : page
  const callback = new URL(String(arrival.location))
  const tokens = await openid.authorizationCodeGrant(config, callback, { pkceCodeVerifier }, undefined, {
    DPoP,
  })
  expect(tokens.claims()?.sub).toBe('alice')
  const call = async (token: string) => {
    const api = new URL(`${own.origin}/api/read`)
    return openid.fetchProtectedResource(config, token, api, 'GET', undefined, undefined, { DPoP })
  }
  expect((await call(tokens.access_token)).status).toBe(200)
  const again = await openid.refreshTokenGrant(config, String(tokens.refresh_token), undefined, { DPoP })
  expect((await call(again.access_token)).status).toBe(200)
  await own.close()
})

describe('what is signed', () => {
  test('JWT access tokens, by EdDSA', async () => {
    const resource = `${host.origin}/api`
    const provider = { ...fapi2, resources: { [resource]: { accessTokenFormat: 'jwt' } } } as const
    const own = await startHost({ provider })
    const { access_token } = await tokensFor(own, await signedIn(own, 'alice'), { params: { resource } })
    expect(decodeProtectedHeader(access_token)).toMatchObject({ alg: 'EdDSA', typ: 'at+jwt' })
    expect(decodeJwt(access_token)).toMatchObject({ cnf: { jkt: aKey.jkt } })
    await own.close()
  })

  test('introspection, by ES256', async () => {
    const { access_token } = await tokens()
    const response = await fetch(`${host.issuer}/introspect`, {
      method: 'POST',
      headers: { accept: 'application/token-introspection+jwt' },
      body: new URLSearchParams({ token: access_token, ...(proven(host) as Record<string, string>) }),
    })
    expect(decodeProtectedHeader(await response.text()).alg).toBe('ES256')
  })
})

describe('what conflicts with the profile', () => {
  const BASE = { issuer: 'https://photos.example/oauth', findUser: () => undefined, store: ':memory:' }
  const [ec, okp] = ['one', 'two'].map((id) => keys[id]!.privateKey.export({ format: 'jwk' }))
  const rsaJwk = keys.rsa!.privateKey.export({ format: 'jwk' })

  function refusal(options: Partial<OAuthProviderOptions>): ConfigurationError {
    try {
      void oauthProvider({ ...BASE, profile: 'fapi2', ...options } as OAuthProviderOptions).close()
    } catch (error) {
      if (error instanceof ConfigurationError) return error
      throw error
    }
    throw new Error('was accepted')
  }

  test.each([
    [
      'requirePushedAuthorizationRequests',
      { requirePushedAuthorizationRequests: false },
      /is false\. .*profile/,
    ],
    [
      'requirePushedAuthorizationRequests',
      { features: { pushedAuthorizationRequests: false } },
      /features\.pushedAuthorizationRequests is false/,
    ],
    ['features.dpop', { features: { dpop: false } }, /is false without mtls.*profile.* Leave it out/],
    ['lifetimes.authorizationCode', { lifetimes: { authorizationCode: 61 } }, /is 61\. .*1 to 60/],
    ['lifetimes.pushedRequest', { lifetimes: { pushedRequest: 600 } }, /is 600\. .*5 to 599/],
    ['keys', { keys: [rsaJwk, ec!] }, /has none for EdDSA\. Make one: .*'ed25519'/],
    ['keys', { keys: [rsaJwk, okp!] }, /has none for ES256\. Make one: .*'P-256'/],
    ['profile', { profile: 'fapi' as 'fapi2' }, /is 'fapi'\. Pass 'fapi2'/],
  ])('%s is refused at construction', (option, options, pattern) => {
    const error = refusal(options)
    expect(error.option).toBe(option)
    expect(error.message).toMatch(pattern)
  })

  test('own keys need no RS256 then', () => {
    expect(() => oauthProvider({ ...BASE, profile: 'fapi2', keys: [ec!, okp!] }).close()).not.toThrow()
  })

  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' })
  const rs512 = { keys: [{ ...keys.rsa!.publicKey.export({ format: 'jwk' }) }, { ...p384 }] }
  const secret = (token_endpoint_auth_method: string): ClientMetadata => ({
    redirect_uris: [REDIRECT_URI],
    token_endpoint_auth_method,
  })
  const wrong: [field: string, pattern: RegExp, metadata: ClientMetadata][] = [
    ...['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'none'].map(
      (method): (typeof wrong)[number] => [
        'token_endpoint_auth_method',
        new RegExp(`is ${method}\\. The option profile allows: private_key_jwt, tls_client_auth`),
        secret(method),
      ],
    ),
    ['accept_endpoint_audience', /is true\. .*issuer/, keyed('rsa', { accept_endpoint_audience: true })],
    ['require_pkce', /is false\. .*demands PKCE/, keyed('rsa', { require_pkce: false })],
    ['jwks', /has no key for PS256, ES256, EdDSA/, keyed('rsa', { jwks: { keys: [{ ...p384 }] } })],
    ...['token_endpoint_auth_signing_alg', 'request_object_signing_alg'].map(
      (field): (typeof wrong)[number] => [
        field,
        /is ES384\. .*allows: PS256, ES256, EdDSA, Ed25519\./,
        keyed('rsa', { jwks: rs512, [field]: 'ES384' }),
      ],
    ),
    ...['id_token', 'userinfo'].map((what): (typeof wrong)[number] => [
      `${what}_signed_response_alg`,
      /is RS256\. .*allows: ES256, EdDSA\./,
      keyed('rsa', { [`${what}_signed_response_alg`]: 'RS256' }),
    ]),
    [
      'introspection_signed_response_alg',
      /is RS256\. .*allows: ES256, EdDSA\./,
      keyed('rsa', { introspection_signed_response_alg: 'RS256' }),
    ],
    [
      'redirect_uris',
      /http:\/\/127\.0\.0\.1\/cb is http\. .*application_type: 'native'/,
      keyed('rsa', { redirect_uris: ['http://127.0.0.1/cb'] }),
    ],
  ]

  test.each(wrong)('%s of a static client %s', (field, pattern, metadata) => {
    const given = {
      ...metadata,
      client_id: 'rsa',
      ...(isBySecret(metadata) && { client_secret: LONG_SECRET }),
    }
    const error = refusal({ clients: [given] })
    expect(error.option).toBe(`clients[0].${field}`)
    expect(error.message).toMatch(pattern)
  })

  test.each(wrong)(
    '%s of a client that is registered %s',
    async (field, pattern, { client_id: _, ...metadata }) => {
      const refused = host.oauth.clients.create(metadata)
      const code = field === 'redirect_uris' ? 'invalid_redirect_uri' : 'invalid_client_metadata'
      await expect(refused).rejects.toMatchObject({ code, reason: `metadata_${field}` })
      await expect(refused).rejects.toThrow(pattern)
    },
  )

  test('nor can a client become such a one', async () => {
    const { client_id } = await host.oauth.clients.create(keyed('changing'))
    const change = { id_token_signed_response_alg: 'RS256' } as const
    await expect(host.oauth.clients.update(client_id, change)).rejects.toThrow(/allows: ES256, EdDSA/)
    await host.oauth.clients.delete(client_id)
  })

  test('a native client may have http on this computer, and is answered there', async () => {
    const redirect_uri = 'http://127.0.0.1:51004/cb'
    const redirect_uris = ['http://127.0.0.1/cb']
    await host.oauth.clients.create(keyed('app', { redirect_uris, application_type: 'native' }))
    const uri = await pushedAs(host, { client: 'app', params: { redirect_uri } })
    const code = expectCode(host, await visit(host, alice, uri, { client: 'app' }), {
      redirectUri: redirect_uri,
    })
    await expectBound(
      await redeemAs(host, code, { client: 'app', form: { redirect_uri } }),
      aKey.jkt,
      host,
      'app',
    )
  })
})

describe('what was there before the profile', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'fapi2-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  test('clients that it forbids are refused, once they have proven who they are', async () => {
    const store = path.join(folder, 'clients.db')
    const earlier = await startHost({ provider: { clients: [], store } })
    const kept = {
      accept_endpoint_audience: { accept_endpoint_audience: true },
      require_pkce: { require_pkce: false },
      id_token_signed_response_alg: { id_token_signed_response_alg: 'RS256' },
      redirect_uris: { redirect_uris: ['http://localhost/cb'] },
    } as const
    for (const [client_id, more] of Object.entries(kept))
      await earlier.oauth.clients.create(keyed(client_id, more))
    const { client_secret } = await earlier.oauth.clients.create({
      client_id: 'conf',
      redirect_uris: [REDIRECT_URI],
    })
    await earlier.oauth.clients.create(keyed('good'))
    await earlier.close()

    const own = await startHost({ provider: { profile: 'fapi2', clients: [], store } })
    expect((await pushAs(own, { client: 'good' })).status).toBe(201)
    for (const field of Object.keys(kept)) {
      expectRefusal(await pushAs(own, { client: field, by: 'two' }), 401, 'invalid_client')
      expect(own.events.at(-2)?.event.reason).toMatch(/^assertion_/)
      const answer = await pushAs(own, { client: field })
      expectRefusal(answer, 401, 'invalid_client')
      const known = field === 'redirect_uris' ? 'redirect URI' : field
      expect(answer.body.error_description).toContain(known)
      expect(own.events.at(-2)?.event.reason).toBe(`client_metadata_${field}`)
    }
    const authorization = basic('conf', client_secret ?? '')
    const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'x' })
    expectRefusal(await send(own, { headers: { authorization }, body }), 401, 'invalid_client')
    await own.close()
  })

  test('bearer tokens end, and a refresh token goes on with a proof', async () => {
    const store = path.join(folder, 'tokens.db')
    const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange'
    const grant_types = ['authorization_code', 'refresh_token', exchange]
    const clients = [keyed('one', { grant_types })]
    const earlier = await startHost({ provider: { clients, store, tokenExchange: () => true } })
    const code = await codeFor(earlier, await signedIn(earlier, 'alice'))
    const { body: given } = await redeemAs(earlier, code, { dpop: false })
    expect((await callApi(earlier, '/api/read', given.access_token)).status).toBe(200)

    const { origin, app, users, now } = earlier
    const issuer = `${origin}/later`
    const told: string[] = []
    const scopes = { read: 'Read your things' }
    const findUser = (id: string) => users.get(id)
    const oauth = oauthProvider({
      ...fapi2,
      issuer,
      clients,
      store,
      scopes,
      findUser,
      keys: signingKeys,
      clock: now,
      tokenExchange: () => true,
    })
    for (const name of ['access_token.refused', 'token.refused'] as const)
      oauth.events.on(name, (event: { readonly reason?: string }) => told.push(`${name} ${event.reason}`))
    app.use('/later', oauth)
    app.use(oauth.wellKnown)
    app.get('/api/later', oauth.requireToken('read'), (_req, res) => res.json({}))
    const own = { ...earlier, issuer }
    expect((await callApi(own, '/api/later', given.access_token)).status).toBe(401)
    expect(told.at(-1)).toBe('access_token.refused token_unbound')
    expect(await introspected(given.access_token, own)).toEqual({ active: false })
    const exchanged = (role: string, token: string, more = {}) =>
      postAs(own, {
        form: { [`${role}_token`]: token, [`${role}_token_type`]: ACCESS_TOKEN, ...more },
      })
    // Who has stolen one must not get a bound one for it (RFC 8693 §2.1).
    const refused = await exchanged('subject', given.access_token, { grant_type: exchange })
    expectRefusal(refused, 400, 'invalid_request')
    expect(told.at(-1)).toBe('token.refused subject_token_unbound')
    expectRefusal(await refreshAs(own, given.refresh_token, { dpop: false }), 400, 'invalid_request')
    const answer = await refreshAs(own, given.refresh_token)
    await expectBound(answer, aKey.jkt, own)
    const subject = { subject_token: answer.body.access_token, subject_token_type: ACCESS_TOKEN }
    const acting = { grant_type: exchange, ...subject }
    expectRefusal(await exchanged('actor', given.access_token, acting), 400, 'invalid_request')
    expect(told.at(-1)).toBe('token.refused actor_token_unbound')
    await expectBound(await exchanged('actor', answer.body.access_token, acting), aKey.jkt, own)
    expect((await callProven(own, '/api/later', answer.body.access_token)).status).toBe(200)
    await oauth.close()
    await earlier.close()
  })
})

function isBySecret({ token_endpoint_auth_method }: ClientMetadata): boolean {
  return token_endpoint_auth_method?.startsWith('client_secret') === true
}
