import { decodeJwt } from 'jose'
import { assertion, signJwt } from './support/assertions.js'
import { clients, pkjKey } from './support/clients.js'
import { decideAs, deviceClients, poll, startDevice } from './support/devices.js'
import { callApi, getCode, getTokens, redeem, refresh, signedIn } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import {
  expectMachineHeaders,
  expectRefusal,
  expectTokens,
  type RawAnswer,
} from './support/token-endpoint.js'
import { expectDead, introspect, postAs, revoke } from './support/tokens.js'

/** A host with an API that takes JWTs, `/jwt`, beside the one that does not, and one who may look at the tokens for both. */
function startRevokingHost(): Promise<Host> {
  return startHost({
    provider: (origin) => ({
      resources: { [origin]: {}, [`${origin}/api`]: { accessTokenFormat: 'jwt' } },
      clients: [
        ...clients,
        ...deviceClients,
        { client_id: 'api', client_secret: 'api-secret', grant_types: [], resources: [origin] },
      ],
    }),
  })
}

let host: Host
beforeAll(async () => {
  host = await startRevokingHost()
})
afterEach(() => {
  expect(host.events.splice(0).filter(({ name }) => name === 'server.error')).toEqual([])
})
afterAll(() => host.close())

/** An access token that is a JWT, and what came with it. */
const jwtTokens = () => getTokens(host, { params: { scope: 'openid read', resource: `${host.origin}/api` } })

function expectDone(answer: RawAnswer): void {
  expect([answer.status, answer.text]).toEqual([200, '{}'])
  expectMachineHeaders(answer.headers)
}

function told(name = 'token.revoked'): object[] {
  return host.events.filter((each) => each.name === name).map(({ event }) => event)
}

async function expectAlive(access_token: string): Promise<void> {
  expect((await callApi(host, '/api/any', access_token)).status).toBe(200)
}

const grantId = expect.stringMatching(/^[\w-]{20,}$/)

describe('an access token', () => {
  test.each([
    ['REVO-01 opaque', () => getTokens(host, { params: { scope: 'openid read' } })],
    ['REVO-09 K-07 a JWT', jwtTokens],
  ])('%s: ends at once and alone', async (_, get) => {
    const tokens = await get()
    const { body: later } = await refresh(host, tokens.refresh_token)
    await expectAlive(tokens.access_token)
    expectDone(await revoke(host, tokens.access_token))
    expect(told()).toEqual([{ clientId: 'conf', userId: 'alice', grantId, kind: 'access' }])
    await expectDead(host, { access_token: tokens.access_token })
    await expectAlive(later.access_token)
    expect((await refresh(host, later.refresh_token)).status).toBe(200)
  })

  test('REVO-01 that the grace has given twice ends in both hands, and the grace does not bring it back', async () => {
    const { refresh_token } = await getTokens(host)
    const { body } = await refresh(host, refresh_token)
    expectDone(await revoke(host, body.access_token))
    const again = await refresh(host, refresh_token)
    expect(again.body.access_token).toBe(body.access_token)
    await expectDead(host, { access_token: body.access_token })
  })

  test('can be revoked where its user is gone, for whoever has it may still try it elsewhere', async () => {
    const { access_token } = await getTokens(host, { user: 'bob' })
    const bob = host.users.get('bob')
    host.users.delete('bob')
    expectDone(await revoke(host, access_token))
    if (bob !== undefined) host.users.set('bob', bob)
    await expectDead(host, { access_token })
  })
})

describe('a refresh token', () => {
  test('REVO-02 ends all that came of the same authorization, JWTs too', async () => {
    const first = await jwtTokens()
    const { body: second } = await refresh(host, first.refresh_token)
    const { body: third } = await refresh(host, second.refresh_token)
    expectDone(await revoke(host, third.refresh_token))
    expect(told()).toEqual([{ clientId: 'conf', userId: 'alice', grantId, kind: 'refresh' }])
    for (const tokens of [first, second, third]) await expectDead(host, tokens)
    expect(told('refresh_token.reused')).toEqual([])
  })

  test('REVO-02 leaves other sign-ins of the same user and client alone, and what the user allowed', async () => {
    const agent = await signedIn(host, 'alice')
    const laptop = await getTokens(host, { agent })
    const phone = await getTokens(host, { agent })
    expectDone(await revoke(host, laptop.refresh_token))
    await expectDead(host, laptop)
    await expectAlive(phone.access_token)
    expectTokens(await refresh(host, phone.refresh_token))
    expect(await host.oauth.grants.list({ userId: 'alice', clientId: 'conf' })).toHaveLength(1)
  })

  test('REVO-10 that was just rotated ends what the rotation gave, also to those who ask again in the grace', async () => {
    const { refresh_token } = await getTokens(host)
    const { body: second } = await refresh(host, refresh_token)
    const { body: again } = await refresh(host, refresh_token)
    expect(again.refresh_token).toBe(second.refresh_token)
    expectDone(await revoke(host, refresh_token))
    expectRefusal(await refresh(host, refresh_token), 400, 'invalid_grant')
    await expectDead(host, second)
  })

  test('that was used long ago ends what is left of it too', async () => {
    const own = await startHost()
    const { refresh_token } = await getTokens(own)
    const { body: second } = await refresh(own, refresh_token)
    own.advance(29 * 86_400)
    const { body: third } = await refresh(own, second.refresh_token)
    expectDone(await revoke(own, refresh_token))
    for (const tokens of [second, third]) await expectDead(own, tokens)
    await own.close()
  })

  test('ends a family for as long as its youngest token would have lived', async () => {
    const own = await startHost()
    const DAY = 86_400
    const { refresh_token } = await getTokens(own)
    own.advance(29 * DAY)
    const { body: second } = await refresh(own, refresh_token)
    expectDone(await revoke(own, second.refresh_token))
    own.advance(29 * DAY)
    await own.oauth.purge()
    expectRefusal(await refresh(own, second.refresh_token), 400, 'invalid_grant')
    await own.close()
  })
})

test.each(['access_token', 'refresh_token', 'id_token', 'urn:example:unknown', ''])(
  'RFC 7009 §2.1 the token_type_hint %p changes nothing',
  async (token_type_hint) => {
    const tokens = await getTokens(host)
    const form = { token_type_hint }
    expectDone(await revoke(host, tokens.access_token, { form }))
    await expectDead(host, { access_token: tokens.access_token })
    expectDone(await revoke(host, tokens.refresh_token, { form }))
    await expectDead(host, tokens)
    expect(told()).toHaveLength(2)
  },
)

describe('REVO-03 K-05 the token of another client', () => {
  test.each([
    ['conf', 'conf2'],
    ['conf', 'pub'],
    ['pub', 'conf'],
    ['nat', 'pub'],
  ])('of %s, revoked by %s, is refused and stays what it is', async (client, other) => {
    const tokens = await getTokens(host, { client })
    const { body: second } = await refresh(host, tokens.refresh_token, { client })
    const answers = []
    for (const token of [second.access_token, second.refresh_token, tokens.refresh_token])
      answers.push(await revoke(host, token, { client: other }))
    for (const answer of answers) expectRefusal(answer, 400, 'invalid_grant')
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(answers[0]?.text).not.toMatch(new RegExp(`${client}|alice`))
    await expectAlive(second.access_token)
    expect((await refresh(host, second.refresh_token, { client })).status).toBe(200)
    expect(told()).toEqual([])
    expect(told('request.refused').at(-1)).toEqual({
      ...{ endpoint: '/revoke', clientId: other },
      ...{ error: 'invalid_grant', reason: 'token_of_other_client' },
    })
  })
})

describe('REVO-04 a public client', () => {
  test.each<[string, Record<string, string>]>([
    ['with client_id alone', {}],
    ['beside an unrelated Bearer token', { authorization: 'Bearer some-token-of-another-server' }],
    ['beside a Bearer token, written otherwise', { authorization: 'bearer x' }],
    ['beside a token that is bound by DPoP', { authorization: 'DPoP x' }],
  ])('%s revokes its own', async (_, headers) => {
    const tokens = await getTokens(host, { client: 'pub', params: { scope: 'openid read' } })
    const asking = { client: 'pub', headers }
    const seen = { client: 'pub', witness: 'api' }
    expectDone(await revoke(host, tokens.access_token, asking))
    await expectDead(host, { access_token: tokens.access_token }, seen)
    expectDone(await revoke(host, tokens.refresh_token, asking))
    await expectDead(host, tokens, seen)
  })

  test('beside the token itself as Bearer revokes it too', async () => {
    const { access_token } = await getTokens(host, { client: 'pub' })
    const headers = { authorization: `Bearer ${access_token}` }
    expectDone(await revoke(host, access_token, { client: 'pub', headers }))
    await expectDead(host, { access_token }, { witness: 'api' })
  })
})

describe('CAUTH-08 who does not prove to be the client revokes nothing', () => {
  test.each<[string, Parameters<typeof postAs>[2], number, string]>([
    ['nothing', { client: 'pub', form: { client_id: undefined } }, 401, 'invalid_client'],
    ['client_id alone', { client: 'pub', form: { client_id: 'conf' } }, 401, 'invalid_client'],
    ['a wrong secret', { headers: { authorization: `Basic ${btoa('conf:wrong')}` } }, 401, 'invalid_client'],
    [
      'an access token and client_id',
      { form: { client_id: 'conf' }, headers: { authorization: 'Bearer x' } },
      401,
      'invalid_client',
    ],
    ['an access token alone', { headers: { authorization: 'Bearer x' } }, 401, 'invalid_client'],
    ['another scheme', { client: 'pub', headers: { authorization: 'Digest x' } }, 401, 'invalid_client'],
    ['two methods', { form: { client_secret: 'x', client_id: 'conf' } }, 400, 'invalid_request'],
    ['a disabled client', { client: 'off' }, 401, 'invalid_client'],
    ['an unknown client', { client: 'nobody' }, 401, 'invalid_client'],
  ])('%s', async (_, asking, status, error) => {
    const tokens = await getTokens(host)
    for (const token of [tokens.access_token, tokens.refresh_token, 'x'])
      expectRefusal(
        await postAs(host, '/revoke', { ...asking, form: { token, ...asking.form } }),
        status,
        error,
      )
    await expectAlive(tokens.access_token)
    expectTokens(await refresh(host, tokens.refresh_token))
    expect(told('request.refused')).toHaveLength(3)
  })

  test('CAUTH-13 with an assertion it is that client, once', async () => {
    const { client_id, ...form } = {
      client_id: 'pkj',
      client_assertion: assertion(host),
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    }
    const anonymous = { client: 'pub', form: { client_id: undefined, ...form } }
    expectDone(await revoke(host, 'x', anonymous))
    expectRefusal(await revoke(host, 'x', anonymous), 401, 'invalid_client')
  })
})

describe('REVO-05 what is no token, or no longer', () => {
  test.each([
    ['garbage', () => 'garbage'],
    ['what looks like a token', () => 'x'.repeat(64)],
    ['60 000 characters', () => 'x'.repeat(60_000)],
    ['NUL', () => '\0'],
    ['a surrogate without its other half, and a BOM', () => '\ud800\ufeff'],
    ['SQL', () => "' OR '1'='1"],
    ['half a JWT', () => 'e30.e30'],
    ['a JWT of somebody', () => signJwt({ alg: 'ES256' }, { jti: 'a'.repeat(32) }, pkjKey)],
    ['a JWE', () => 'e30.AA.AA.AA.AA'],
  ])('%s is 200', async (_, make) => {
    for (const client of ['conf', 'pub']) expectDone(await revoke(host, make(), { client }))
    expect(told()).toEqual([])
  })

  test('an expired one is 200 to everybody, whether it is there still or not, and nobody is told', async () => {
    const own = await startHost({ provider: { lifetimes: { refreshToken: 3600 } } })
    const { access_token, refresh_token } = await getTokens(own)
    own.advance(3600)
    for (const client of ['conf', 'conf2'])
      for (const token of [access_token, refresh_token]) expectDone(await revoke(own, token, { client }))
    await own.oauth.purge()
    for (const token of [access_token, refresh_token]) expectDone(await revoke(own, token))
    expect(own.events.filter(({ name }) => name === 'token.revoked')).toEqual([])
    await own.close()
  })

  test('twice, and ten times at once is 200, and told once', async () => {
    const tokens = await getTokens(host)
    for (const token of [tokens.access_token, tokens.refresh_token]) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => revoke(host, token)))
      for (const answer of [...answers, await revoke(host, token)]) expectDone(answer)
    }
    expect(told().filter((event) => 'kind' in event && event.kind === 'access')).toHaveLength(1)
    await expectDead(host, tokens)
  })

  test('after the user withdrew the grant is 200', async () => {
    const tokens = await getTokens(host, { user: 'bob' })
    await host.oauth.grants.revokeUser('bob')
    expectDone(await revoke(host, tokens.access_token))
    expectDone(await revoke(host, tokens.refresh_token))
    expect(told()).toEqual([])
  })

  test('CODE-08 a code and an ID token are unknown, and nothing happens to them', async () => {
    const { code } = await getCode(host, { params: { scope: 'openid read' } })
    expectDone(await revoke(host, code))
    const { body } = await redeem(host, code)
    expectDone(await revoke(host, String(body.id_token)))
    await expectAlive(body.access_token)
    expect((await refresh(host, body.refresh_token)).status).toBe(200)
    expect(told()).toEqual([])
  })

  test('CODE-08 a device code and its user code are unknown, and the device gets its tokens', async () => {
    const codes = await startDevice(host)
    for (const token of [codes.device_code, codes.user_code])
      for (const client of ['conf', 'nat']) expectDone(await revoke(host, token, { client }))
    await decideAs(host, codes)
    const { status, body } = await poll(host, codes)
    expect(status).toBe(200)
    const asTv = { client: 'pub', form: { client_id: 'tv' } }
    expectDone(await revoke(host, body.refresh_token, asTv))
    await expectDead(host, { access_token: body.access_token }, { witness: 'api' })
    expect(told()).toEqual([{ clientId: 'tv', userId: 'alice', grantId, kind: 'refresh' }])
  })
})

describe('REVO-07 a request that is none', () => {
  test.each<[string, Parameters<typeof postAs>[2], string]>([
    ['no token', {}, 'token_parameter_missing'],
    ['an empty token', { form: { token: '' } }, 'token_parameter_missing'],
    ['the token twice', { form: { token: ['a', 'b'] } }, 'parameter_repeated'],
    ['the same token twice', { form: { token: ['a', 'a'] } }, 'parameter_repeated'],
    ['a list', { form: { 'token[]': 'a' } }, 'token_parameter_missing'],
    ['the hint twice', { form: { token: 'a', token_type_hint: ['a', 'b'] } }, 'parameter_repeated'],
  ])('%s is invalid_request', async (_, asking, reason) => {
    expectRefusal(await postAs(host, '/revoke', asking), 400, 'invalid_request')
    expect(told('request.refused')).toEqual([
      { endpoint: '/revoke', clientId: 'conf', error: 'invalid_request', reason },
    ])
  })

  test('the token in the query alone is invalid_request, by GET it is 405, as JSON it is not read', async () => {
    const { access_token } = await getTokens(host)
    const query = `?${new URLSearchParams({ token: access_token })}`
    expectRefusal(await postAs(host, `/revoke${query}`, {}), 400, 'invalid_request')
    const got = await fetch(`${host.issuer}/revoke${query}&client_id=conf&client_secret=conf-secret`)
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST'])
    expectMachineHeaders(got.headers)
    const json = await fetch(`${host.issuer}/revoke`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: access_token, client_id: 'conf', client_secret: 'conf-secret' }),
    })
    expect(json.status).toBe(400)
    await expectAlive(access_token)
  })
})

test('REVO-08 a JWT that somebody else made, with the jti of a real one, does nothing to that', async () => {
  const { access_token } = await jwtTokens()
  const claims = decodeJwt(access_token)
  const header = { alg: 'ES256', typ: 'at+jwt', kid: 'test-RS256' }
  const parts = access_token.split('.')
  const forged = [
    signJwt(header, claims, pkjKey),
    [...parts.slice(0, 2), 'AAAA'].join('.'),
    [...parts.slice(0, 2), ''].join('.'),
    [Buffer.from('{"alg":"none"}').toString('base64url'), parts[1], ''].join('.'),
    `${access_token} `,
    `${access_token}.`,
    access_token.toUpperCase(),
  ]
  for (const token of forged) expectDone(await revoke(host, token))
  await expectAlive(access_token)
  expect(told()).toEqual([])
})

test('REVO-10 RACE-05 refreshes beside a revocation: once it has answered, nothing of the family works, in 200 rounds', async () => {
  const own = await startHost()
  const asking = { client: 'first' }
  const agent = await signedIn(own, 'alice')
  const oneRound = async (round: number) => {
    const { code } = await getCode(own, { agent, ...asking })
    const { body } = await redeem(own, code, asking)
    const before = round % 2 === 0 ? [refresh(own, body.refresh_token, asking)] : []
    // Somewhere in the middle: the round decides how far the refresh has come.
    for (let turn = 0; turn < (round / 2) % 10; turn++) await new Promise((resolve) => setImmediate(resolve))
    const revoked = revoke(own, body.refresh_token, asking)
    const [beside] = round % 2 === 0 ? before : [refresh(own, body.refresh_token, asking)]
    expectDone(await revoked)
    const late = await beside
    const last = late?.status === 200 ? late.body : body
    expect((await callApi(own, '/api/any', last.access_token)).status).toBe(401)
    expectRefusal(await refresh(own, last.refresh_token, asking), 400, 'invalid_grant')
    return late?.status
  }
  const outcomes = new Set<number | undefined>()
  for (let round = 0; round < 200; round += 4)
    for (const outcome of await Promise.all([0, 1, 2, 3].map((more) => oneRound(round + more))))
      outcomes.add(outcome)
  expect(outcomes).toEqual(new Set([200, 400]))
  await own.close()
}, 30_000)

test('STOR-01 where the store is down, nobody is told that a token has been revoked', async () => {
  const own = await startHost()
  const { access_token, refresh_token } = await getTokens(own)
  await own.oauth.close()
  for (const token of [access_token, refresh_token]) {
    const answer = await revoke(own, token)
    expectRefusal(answer, 503, 'temporarily_unavailable')
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
    expectRefusal(await introspect(own, token), 503, 'temporarily_unavailable')
  }
  await own.close()
})
