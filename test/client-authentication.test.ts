import { hash } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import bcrypt from 'bcryptjs'
import SQLite from 'better-sqlite3'
import type { ClientMetadata } from '../lib/index.js'
import { hashChosenSecretsAsInEarnest } from './support/chosen-secrets.js'
import { clientEndpoints, expectLetInAt, tokenEndpoint } from './support/client-endpoints.js'
import { clients } from './support/clients.js'
import {
  basic,
  callApi,
  getCode,
  getTokens,
  redeem,
  redirectUriOf,
  refresh,
  VERIFIER,
} from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import {
  dump,
  expectRefusal,
  expectTokens,
  type RawAnswer,
  send,
  sendFrom,
} from './support/token-endpoint.js'

hashChosenSecretsAsInEarnest()

const AWKWARD = 'a:b%c+d e&f=é"\\ü€'

const registered: readonly ClientMetadata[] = [
  ...clients,
  ...[
    { client_id: 'awkward', client_secret: AWKWARD },
    { client_id: 'id:with%awkward+parts é', client_secret: AWKWARD },
    { client_id: 'percent', client_secret: '100%sure' },
    { client_id: 'plus', client_secret: 'one+one' },
  ].map((client) => ({ ...client, redirect_uris: ['https://rp.example/cb'] })),
]

let host: Host
beforeAll(async () => {
  host = await startHost({ provider: { clients: registered } })
})
afterAll(() => host.close())

const PROBE = tokenEndpoint.probe

/** The status and error that these credentials get. */
async function knock(
  own: Host,
  authorization: string | undefined,
  form: Record<string, string> = {},
  { path, probe } = tokenEndpoint,
): Promise<RawAnswer> {
  const headers = authorization === undefined ? {} : { authorization }
  return send(own, { path, body: new URLSearchParams({ ...probe, ...form }), headers })
}

/** They let the client in: what is refused is the token. */
async function expectLetIn(answer: Promise<RawAnswer>): Promise<void> {
  expectRefusal(await answer, 400, 'invalid_grant')
}

function rawBasic(pair: string | Buffer): string {
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

describe.each(clientEndpoints)('at $path', (endpoint) => {
  const tryIn = (authorization: string | undefined, form: Record<string, string> = {}, own = host) =>
    knock(own, authorization, form, endpoint)
  const expectIn = (answer: Promise<RawAnswer>) => expectLetInAt(endpoint, answer)
  // What failed in one test is not to be counted in the next.
  beforeEach(() => host.advance(60))

  describe('client_secret_basic', () => {
    test('CAUTH-01 is accepted with the scheme in any case, and with the same client_id in the body', async () => {
      const value = basic('conf', 'conf-secret').slice('Basic '.length)
      for (const scheme of ['Basic', 'basic', 'BASIC']) await expectIn(tryIn(`${scheme} ${value}`))
      await expectIn(tryIn(`Basic ${value}`, { client_id: 'conf' }))
    })

    test('another client_id in the body is invalid_request', async () => {
      const answer = await tryIn(basic('conf', 'conf-secret'), { client_id: 'conf2' })
      expectRefusal(answer, 400, 'invalid_request')
    })

    test('CAUTH-02 id and secret are form-decoded, with %20 and with + for a space', async () => {
      await expectIn(tryIn(basic('awkward', AWKWARD)))
      await expectIn(tryIn(basic('id:with%awkward+parts é', AWKWARD)))
      const form = (value: string) => new URLSearchParams({ value }).toString().slice('value='.length)
      expect(form(AWKWARD)).toContain('e%26f')
      await expectIn(tryIn(rawBasic(`awkward:${form(AWKWARD)}`)))
      await expectIn(tryIn(rawBasic(`${form('id:with%awkward+parts é')}:${form(AWKWARD)}`)))
    })

    test('CAUTH-02 a secret that the client did not encode works too', async () => {
      await expectIn(tryIn(rawBasic('conf:conf-secret')))
      await expectIn(tryIn(rawBasic('plus:one+one')))
      await expectIn(tryIn(rawBasic('percent:100%sure')))
      await expectIn(tryIn(basic('percent', '100%sure')))
      expectRefusal(await tryIn(rawBasic('plus:one one')), 401, 'invalid_client')
    })

    const right = Buffer.from('conf:conf-secret').toString('base64')
    test.each([
      ['Basic alone', 'Basic'],
      ['nothing behind the scheme', 'Basic '],
      ['no Base64', 'Basic ?!*'],
      ['a character too many', `Basic ${right}A`],
      ['characters that Base64 skips', `Basic ${right.slice(0, 8)}-_${right.slice(8)}`],
      ['padding too much', `Basic ${right.replace(/=*$/, '')}====`],
      ['two values', `Basic ${right} ${right}`],
      ['two values with a comma', `Basic ${right}, Basic ${right}`],
      ['no colon', rawBasic('conf')],
      ['no id', rawBasic(':conf-secret')],
      ['no secret', rawBasic('conf:')],
      ['only a colon', rawBasic(':')],
      ['invalid UTF-8', rawBasic(Buffer.from([0x63, 0xff, 0x3a, 0x78]))],
      ['a byte order mark', rawBasic('\ufeffconf:conf-secret')],
      ['a bad escape in the id', rawBasic('conf%zz:conf-secret')],
      ['a bad escape in the secret', rawBasic('conf:conf-secret%zz')],
      ['NUL behind the id', rawBasic('conf\0:conf-secret')],
      ['NUL behind the secret', rawBasic('conf:conf-secret\0')],
      ['an encoded NUL behind the id', rawBasic('conf%00:conf-secret')],
      ['an encoded NUL behind the secret', rawBasic('conf:conf-secret%00')],
      ['spaces around', rawBasic(' conf : conf-secret ')],
      ['a longer secret', rawBasic('conf:conf-secretx')],
      ['the beginning of the secret', rawBasic('conf:conf-secre')],
      ['the id in capitals', rawBasic('CONF:conf-secret')],
      ['the secret in capitals', rawBasic('conf:CONF-SECRET')],
      ['an unknown client', rawBasic('nobody:conf-secret')],
      ['a disabled client', rawBasic('off:off-secret')],
      ['the secret of another client', rawBasic('conf:conf2-secret')],
      ['another scheme', `Bearer ${right}`],
      ['another scheme with the client in its name', `Digest username="conf"`],
    ])('CAUTH-03 CAUTH-04 %s is invalid_client', async (_, authorization) => {
      expectRefusal(await tryIn(authorization), 401, 'invalid_client')
    })
  })

  describe('client_secret_post', () => {
    test('CAUTH-01 is accepted', async () => {
      await expectIn(tryIn(undefined, { client_id: 'post', client_secret: 'post-secret' }))
      await expectIn(tryIn(undefined, { client_id: 'awkward', client_secret: AWKWARD }))
    })

    test.each([
      ['a wrong secret', { client_id: 'post', client_secret: 'wrong' }],
      ['an unknown client', { client_id: 'nobody', client_secret: 'post-secret' }],
      ['a disabled client', { client_id: 'off', client_secret: 'off-secret' }],
      ['the secret of another client', { client_id: 'post', client_secret: 'either-secret' }],
      ['a public client with a secret', { client_id: 'pub', client_secret: 'pub-secret' }],
    ])('CAUTH-03 %s is invalid_client', async (_, form) => {
      expectRefusal(await tryIn(undefined, form), 401, 'invalid_client')
    })

    test('a secret without client_id is invalid_request', async () => {
      expectRefusal(await tryIn(undefined, { client_secret: 'post-secret' }), 400, 'invalid_request')
    })
  })

  describe('which method a client may use', () => {
    const byBasic = (id: string) => tryIn(basic(id, `${id}-secret`))
    const byPost = (id: string) => tryIn(undefined, { client_id: id, client_secret: `${id}-secret` })

    test('CAUTH-09 a secret client that registered none may use either', async () => {
      await expectIn(byBasic('either'))
      await expectIn(byPost('either'))
    })

    test('CAUTH-09 one that registered a method uses that one', async () => {
      await expectIn(byBasic('conf'))
      expectRefusal(await byPost('conf'), 401, 'invalid_client')
      await expectIn(byPost('post'))
      expectRefusal(await byBasic('post'), 401, 'invalid_client')
    })

    test.each([
      ['Basic and a secret in the body', { client_secret: 'either-secret' }],
      ['Basic, id and secret in the body', { client_id: 'either', client_secret: 'either-secret' }],
      ['Basic and a wrong secret in the body', { client_id: 'either', client_secret: 'wrong' }],
      ['Basic and an assertion', { client_assertion: 'a.b.c' }],
      [
        'Basic and an assertion with its type',
        {
          client_assertion: 'a.b.c',
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        },
      ],
    ])('CAUTH-05 %s is invalid_request', async (_, form) => {
      expectRefusal(await tryIn(basic('either', 'either-secret'), form), 400, 'invalid_request')
    })

    test('CAUTH-05 a secret and an assertion in the body is invalid_request', async () => {
      const form = { client_id: 'either', client_secret: 'either-secret', client_assertion: 'a.b.c' }
      expectRefusal(await tryIn(undefined, form), 400, 'invalid_request')
    })

    test.each(['client_id', 'client_secret', 'client_assertion'])(
      'TOK-05 %s twice is invalid_request',
      async (name) => {
        const body = new URLSearchParams({
          ...endpoint.probe,
          client_id: 'either',
          client_secret: 'either-secret',
        })
        for (const value of ['either', 'either']) body.append(name, value)
        expectRefusal(await send(host, { path: endpoint.path, body }), 400, 'invalid_request')
      },
    )

    test.each(['pub', 'either'])('an assertion alone does not let %s in', async (client_id) => {
      const form = { client_id, client_assertion: 'a.b.c' }
      expectRefusal(await tryIn(undefined, form), 401, 'invalid_client')
    })
  })

  describe('without credentials', () => {
    test('CAUTH-06 no client at all is invalid_client', async () => {
      expectRefusal(await tryIn(undefined), 401, 'invalid_client')
      expectRefusal(await tryIn(undefined, { client_id: '' }), 401, 'invalid_client')
    })

    test('CAUTH-07 credentials in the query are not read', async () => {
      const { path, probe } = endpoint
      const query = '?client_id=post&client_secret=post-secret'
      expectRefusal(
        await send(host, { path, query, body: new URLSearchParams(probe) }),
        401,
        'invalid_client',
      )
      const half = new URLSearchParams({ ...probe, client_id: 'post' })
      const secret = '?client_secret=post-secret'
      expectRefusal(await send(host, { path, query: secret, body: half }), 401, 'invalid_client')
    })

    test.each(['conf', 'post', 'either', 'pkj', 'csj'])(
      'CAUTH-08 client_id alone does not let %s in',
      async (client_id) => {
        expectRefusal(await tryIn(undefined, { client_id }), 401, 'invalid_client')
        expectRefusal(await tryIn(undefined, { client_id, client_secret: '' }), 401, 'invalid_client')
      },
    )

    test('CAUTH-10 a public client says who it is, and proves nothing', async () => {
      if (endpoint.path === '/introspect')
        expectRefusal(await tryIn(undefined, { client_id: 'pub' }), 401, 'invalid_client')
      else await expectIn(tryIn(undefined, { client_id: 'pub' }))
      expectRefusal(await tryIn(basic('pub', 'x')), 401, 'invalid_client')
      expectRefusal(await tryIn(undefined, { client_id: 'pub', client_secret: 'x' }), 401, 'invalid_client')
    })

    test('ROB-05 a client_id that only looks like one is unknown', async () => {
      for (const client_id of ['ｐｕｂ', 'pub ', ' pub', 'pub\0', 'PUB', 'рub', 'pub\u200b'])
        expectRefusal(await tryIn(undefined, { client_id }), 401, 'invalid_client')
    })
  })

  test('a client is refused from the moment it is disabled, rotated or deleted', async () => {
    const { clients } = host.oauth
    const { client_id, client_secret = '' } = await clients.create({
      redirect_uris: ['https://rp.example/cb'],
    })
    await expectIn(tryIn(basic(client_id, client_secret)))
    await clients.update(client_id, { disabled: true })
    expectRefusal(await tryIn(basic(client_id, client_secret)), 401, 'invalid_client')
    await clients.update(client_id, { disabled: false })
    const rotated = await clients.rotateSecret(client_id)
    expectRefusal(await tryIn(basic(client_id, client_secret)), 401, 'invalid_client')
    await expectIn(tryIn(basic(client_id, rotated.client_secret)))
    await clients.delete(client_id)
    expectRefusal(await tryIn(basic(client_id, rotated.client_secret)), 401, 'invalid_client')
  })

  test('the challenge of a refused client is Basic with a realm, whatever method was tried, and events tell who and where', async () => {
    for (const [authorization, form, clientId] of [
      [basic('conf', 'wrong'), {}, 'conf'],
      [undefined, { client_id: 'post', client_secret: 'wrong' }, 'post'],
      [undefined, { client_id: 'nobody' }, 'nobody'],
    ] as const) {
      const answer = await tryIn(authorization, form)
      expectRefusal(answer, 401, 'invalid_client')
      expect(answer.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
      const failed = host.events.findLast(({ name }) => name === 'client.authentication_failed')
      expect(failed?.event).toMatchObject({ clientId, reason: expect.stringMatching(/^[a-z_]+$/) })
    }
    const refused = endpoint.path === '/token' ? { name: 'token.refused' } : { name: 'request.refused' }
    expect(host.events.at(-1)).toMatchObject({
      ...refused,
      event: { error: 'invalid_client', clientId: 'nobody' },
    })
  })
})

describe('what is refused at the token endpoint uses nothing up', () => {
  test('CAUTH-01 a code is redeemed with the same client_id in the body', async () => {
    const { code } = await getCode(host)
    expectTokens(await redeem(host, code, { form: { client_id: 'conf' } }))
  })

  test('CLIENTS 3 a refused method burns nothing: the client tries the other one and gets its tokens', async () => {
    const { code } = await getCode(host, { client: 'post' })
    const form = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUriOf('post'),
      code_verifier: VERIFIER,
    }
    expectRefusal(await knock(host, basic('post', 'post-secret'), form), 401, 'invalid_client')
    expectTokens(await redeem(host, code, { client: 'post' }))
  })

  test('CAUTH-07 credentials in the query', async () => {
    const { refresh_token } = await getTokens(host, { client: 'post' })
    const query = '?client_id=post&client_secret=post-secret'
    const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token })
    expectRefusal(await send(host, { query, body }), 401, 'invalid_client')
    expectTokens(await refresh(host, refresh_token, { client: 'post' }))
  })

  test.each(['conf', 'post', 'either'])(
    'CAUTH-08 client_id of %s alone, and wrong secrets, at every endpoint',
    async (client) => {
      const { refresh_token, access_token } = await getTokens(host, { client })
      const { code } = await getCode(host, { client })
      const redemption = {
        grant_type: 'authorization_code',
        code,
        redirect_uri: redirectUriOf(client),
        code_verifier: VERIFIER,
      }
      const [atToken, ...others] = clientEndpoints
      for (const [endpoint, form] of [
        [atToken, redemption],
        [atToken, { grant_type: 'refresh_token', refresh_token }],
        ...others.map((endpoint) => [endpoint, { token: refresh_token }] as const),
        ...others.map((endpoint) => [endpoint, { token: access_token }] as const),
      ] as const) {
        const alone = await knock(host, undefined, { ...form, client_id: client }, endpoint)
        expectRefusal(alone, 401, 'invalid_client')
        const empty = { ...form, client_id: client, client_secret: '' }
        expectRefusal(await knock(host, undefined, empty, endpoint), 401, 'invalid_client')
        expectRefusal(await knock(host, basic(client, 'wrong'), form, endpoint), 401, 'invalid_client')
        host.advance(1)
      }
      expect((await callApi(host, '/api/read', access_token)).status).toBe(200)
      expectTokens(await redeem(host, code, { client }))
      expectTokens(await refresh(host, refresh_token, { client }))
    },
  )

  test('CAUTH-10 a public client says who it is, and gets its own tokens only', async () => {
    const { code } = await getCode(host, { client: 'pub' })
    const form = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUriOf('pub'),
      code_verifier: VERIFIER,
    }
    expectRefusal(await knock(host, undefined, form), 401, 'invalid_client')
    expectRefusal(await knock(host, undefined, { ...form, client_id: 'nat' }), 400, 'invalid_grant')
    expectTokens(await redeem(host, code, { client: 'pub' }))
  })
})

describe('CAUTH-14 secrets', () => {
  test('that are generated have 256 bits of characters that need no encoding, and rest hashed', async () => {
    const database = new SQLite(':memory:')
    const own = await startHost({ provider: { store: database } })
    const created = await Promise.all(
      Array.from({ length: 50 }, () =>
        own.oauth.clients.create({ redirect_uris: ['https://rp.example/cb'] }),
      ),
    )
    const chosen = await own.oauth.clients.create({
      client_id: 'chosen',
      client_secret: 'a-chosen-secret',
      redirect_uris: ['https://rp.example/cb'],
    })
    const stored = dump(database)
    for (const { client_id, client_secret = '' } of [...created, chosen]) {
      expect(stored).toContain(client_id)
      expect(stored).not.toContain(client_secret)
    }
    for (const { client_id, client_secret } of created) {
      expect(client_id).toMatch(/^[A-Za-z0-9_-]{22,}$/)
      expect(client_secret).toMatch(/^[A-Za-z0-9_-]{43,}$/)
    }
    expect(new Set(created.map(({ client_secret }) => client_secret)).size).toBe(50)
    expect(JSON.stringify(await own.oauth.clients.list())).not.toContain(chosen.client_secret)
    await own.close()
    database.close()
  })

  test('that a host chose rest as bcrypt, which is computed once and not again', async () => {
    const database = new SQLite(':memory:')
    let arrived = 0
    let allArrived = () => {}
    const everybody = new Promise<void>((resolve) => {
      allArrived = resolve
    })
    const own = await startHost({
      provider: { store: database },
      before: (app) =>
        app.use('/oauth/token', (_req, _res, next) => {
          if (++arrived === 50) setImmediate(allArrived)
          next()
        }),
    })
    const original = bcrypt.compare
    const compare = jest.spyOn(bcrypt, 'compare').mockImplementation(async (secret, stored) => {
      await everybody
      return original(secret, stored)
    })
    await own.oauth.clients.create({
      client_id: 'chosen',
      client_secret: 'a-chosen-secret',
      redirect_uris: ['https://rp.example/cb'],
    })
    expect(dump(database)).toMatch(/\$2[aby]\$1[0-9]\$/)
    // All at once, as a busy client does after a restart.
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => knock(own, basic('chosen', 'a-chosen-secret'))),
    )
    for (const answer of answers) expectRefusal(answer, 400, 'invalid_grant')
    expect(compare).toHaveBeenCalledTimes(1)
    await expectLetIn(knock(own, basic('chosen', 'a-chosen-secret')))
    expect(compare).toHaveBeenCalledTimes(1)
    expectRefusal(await knock(own, basic('chosen', 'a-chosen-secret2')), 401, 'invalid_client')
    await expectLetIn(knock(own, basic('chosen', 'a-chosen-secret')))
    compare.mockRestore()
    await own.close()
    database.close()
  })

  test('of more than 72 bytes count to their last byte', async () => {
    const own = await startHost()
    const secret = `${'x'.repeat(100)}1`
    await own.oauth.clients.create({
      client_id: 'long',
      client_secret: secret,
      redirect_uris: ['https://rp.example/cb'],
    })
    expectRefusal(await knock(own, basic('long', `${'x'.repeat(100)}2`)), 401, 'invalid_client')
    expectRefusal(await knock(own, basic('long', 'x'.repeat(72))), 401, 'invalid_client')
    await expectLetIn(knock(own, basic('long', secret)))
    await own.close()
  })

  test('that were generated never cost a slow hash', async () => {
    const own = await startHost()
    const compare = jest.spyOn(bcrypt, 'compare')
    const { client_id, client_secret = '' } = await own.oauth.clients.create({
      redirect_uris: ['https://rp.example/cb'],
    })
    await expectLetIn(knock(own, basic(client_id, client_secret)))
    expectRefusal(await knock(own, basic(client_id, 'wrong')), 401, 'invalid_client')
    expect(compare).not.toHaveBeenCalled()
    compare.mockRestore()
    await own.close()
  })
})

describe('guessing', () => {
  const HERE = '127.0.0.1'
  const ELSEWHERE = '127.0.0.2'

  // As slow hashes are, they hold the event loop, but for a fifth of the time.
  beforeEach(() => {
    const digest = (secret: string) => `$2b$10$${hash('sha256', secret)}`
    jest.spyOn(bcrypt, 'hash').mockImplementation(async (secret: string) => digest(secret))
    jest.spyOn(bcrypt, 'compare').mockImplementation(async (secret: string, stored: string) => {
      for (const end = performance.now() + 10; performance.now() < end; );
      return digest(secret) === stored
    })
  })
  afterEach(() => jest.restoreAllMocks())

  async function guess(own: Host, id: string, times: number, headers: Record<string, string> = {}) {
    const answers = []
    for (let at = 0; at < times; at++) {
      const forwarded = Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, `${value}.${at % 256}`]),
      )
      const authorization = basic(id, `guess-${at}`)
      answers.push(await sendFrom(own, HERE, PROBE, { authorization, ...forwarded }))
    }
    return answers
  }

  async function withChosenSecret(): Promise<Host> {
    const own = await startHost()
    await own.oauth.clients.create({
      client_id: 'chosen',
      client_secret: 'chosen-secret',
      redirect_uris: ['https://rp.example/cb'],
    })
    return own
  }

  test('CAUTH-14 nobody locks out a client whose secret cannot be guessed, not even from its own address', async () => {
    const own = await startHost()
    const created = await own.oauth.clients.create({ redirect_uris: ['https://rp.example/cb'] })
    const answers = await guess(own, created.client_id, 30)
    expectRefusal(answers.at(-1)!, 429, 'invalid_client')
    const authorization = basic(created.client_id, created.client_secret ?? '')
    expectRefusal(await sendFrom(own, HERE, PROBE, { authorization }), 400, 'invalid_grant')
    await own.close()
  })

  test('CAUTH-14 whoever guesses at several processes has one guess more in each, and no more', async () => {
    const store = new SQLite(':memory:')
    const clients = [
      { client_id: 'fixed', client_secret: 'chosen', redirect_uris: ['https://rp.example/cb'] },
    ]
    const hosts = await Promise.all([1, 2, 3, 4].map(() => startHost({ provider: { store, clients } })))
    const statuses: number[] = []
    for (let at = 0; at < 60; at++) {
      const authorization = basic('fixed', `guess-${at}`)
      statuses.push((await sendFrom(hosts[at % 4] as Host, HERE, PROBE, { authorization })).status)
    }
    const guesses = statuses.filter((status) => status === 401).length
    expect(guesses).toBeGreaterThanOrEqual(20)
    expect(guesses).toBeLessThanOrEqual(24)
    expect(new Set(statuses.slice(-30))).toEqual(new Set([429]))
    for (const own of hosts) await own.close()
    store.close()
  })

  test('CAUTH-14 one address that guesses at many clients does not make another wait', async () => {
    const own = await startHost()
    const redirect_uris = ['https://rp.example/cb']
    const ids = Array.from({ length: 6 }, (_, at) => `chosen-${at}`)
    for (const client_id of [...ids, 'calm'])
      await own.oauth.clients.create({ client_id, client_secret: `${client_id}-secret`, redirect_uris })
    const guesses = ids.flatMap((id) =>
      Array.from({ length: 10 }, (_, at) =>
        sendFrom(own, HERE, PROBE, { authorization: basic(id, `guess-${at}`) }),
      ),
    )
    const statuses = (await Promise.all(guesses)).map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set([401, 429, 503]))
    expect(jest.mocked(bcrypt.compare).mock.calls.length).toBeLessThanOrEqual(20)
    const authorization = basic('calm', 'calm-secret')
    expectRefusal(await sendFrom(own, ELSEWHERE, PROBE, { authorization }), 400, 'invalid_grant')
    await own.close()
  })

  test.each(['conf', 'chosen'])(
    'CAUTH-14 HOST-07 the secret of %s gets 429 and Retry-After before long, and the client itself works from elsewhere',
    async (id) => {
      const own = await withChosenSecret()
      const answers = await guess(own, id, 100, { 'X-Forwarded-For': '10.0.0' })
      for (const answer of answers.slice(0, 10)) expectRefusal(answer, 401, 'invalid_client')
      const last = answers.at(-1)!
      expectRefusal(last, 429, 'invalid_client')
      const authorization = basic(id, `${id}-secret`)
      // From the same address not even the right secret tells that it is right.
      expectRefusal(await sendFrom(own, HERE, PROBE, { authorization }), 429, 'invalid_client')
      expectRefusal(await sendFrom(own, ELSEWHERE, PROBE, { authorization }), 400, 'invalid_grant')
      const other = basic('conf2', 'conf2-secret')
      expectRefusal(await sendFrom(own, HERE, PROBE, { authorization: other }), 400, 'invalid_grant')
      own.advance(Number(last.headers.get('retry-after')))
      expectRefusal(await sendFrom(own, HERE, PROBE, { authorization }), 400, 'invalid_grant')
      await own.close()
    },
  )

  test('CAUTH-14 at one endpoint counts at every other: a guess is a guess', async () => {
    const own = await startHost()
    const wrong = basic('conf', 'wrong')
    for (let at = 0; at < 20; at++) {
      const { path, probe } = clientEndpoints[at % clientEndpoints.length] ?? tokenEndpoint
      expectRefusal(await sendFrom(own, HERE, probe, { authorization: wrong }, path), 401, 'invalid_client')
    }
    const authorization = basic('conf', 'conf-secret')
    for (const endpoint of clientEndpoints) {
      const { path, probe } = endpoint
      expectRefusal(await sendFrom(own, HERE, probe, { authorization }, path), 429, 'invalid_client')
      await expectLetInAt(endpoint, sendFrom(own, ELSEWHERE, probe, { authorization }, path))
    }
    await own.close()
  })

  test('a few wrong secrets do not lock the client out', async () => {
    const own = await startHost()
    await guess(own, 'conf', 5)
    const authorization = basic('conf', 'conf-secret')
    expectRefusal(await sendFrom(own, HERE, PROBE, { authorization }), 400, 'invalid_grant')
    await own.close()
  })

  test('right secrets are not counted', async () => {
    const own = await withChosenSecret()
    for (let at = 0; at < 60; at++) {
      const id = at % 2 === 0 ? 'conf' : 'chosen'
      const authorization = basic(id, `${id}-secret`)
      expectRefusal(await sendFrom(own, HERE, PROBE, { authorization }), 400, 'invalid_grant')
    }
    await own.close()
  })

  test('in parallel does not get more slow hashes, and they come one at a time so that others are served between', async () => {
    jest.restoreAllMocks()
    const own = await withChosenSecret()
    const { compare } = bcrypt
    let [running, most, total] = [0, 0, 0]
    const spy = jest.spyOn(bcrypt, 'compare').mockImplementation(async (secret, stored) => {
      total++
      most = Math.max(most, ++running)
      try {
        return await compare(secret, stored)
      } finally {
        running--
      }
    })
    const guesses = Array.from({ length: 200 }, (_, at) => {
      return sendFrom(own, HERE, PROBE, { authorization: basic('chosen', `guess-${at}`) })
    })
    let [served, over] = [0, false]
    const others = (async () => {
      while (!over) {
        await fetch(`${own.issuer}/.well-known/oauth-authorization-server`)
        served++
      }
    })()
    const answers = await Promise.all(guesses)
    over = true
    await others
    spy.mockRestore()
    expect(most).toBe(1)
    expect(total).toBeLessThanOrEqual(20)
    expect(served).toBeGreaterThanOrEqual(total / 2)
    const statuses = new Set(answers.map(({ status }) => status))
    expect(statuses).toEqual(new Set([401, 429, 503]))
    const authorization = basic('chosen', 'chosen-secret')
    expectRefusal(await sendFrom(own, ELSEWHERE, PROBE, { authorization }), 400, 'invalid_grant')
    await own.close()
  })

  test('from many addresses gets a bounded number of slow hashes', async () => {
    const own = await startHost({ before: (app) => app.set('trust proxy', true) })
    await own.oauth.clients.create({
      client_id: 'chosen',
      client_secret: 'chosen-secret',
      redirect_uris: ['https://rp.example/cb'],
    })
    const right = basic('chosen', 'chosen-secret')
    await expectLetIn(knock(own, right))
    const spy = jest.spyOn(bcrypt, 'compare').mockImplementation(async () => false)
    const answers = await guess(own, 'chosen', 200, { 'X-Forwarded-For': '10.0.0' })
    expect(spy.mock.calls.length).toBeLessThanOrEqual(60)
    expectRefusal(answers.at(-1)!, 429, 'invalid_client')
    // The client is known to this process, so it does not need what the guesses have used up.
    expectRefusal(await sendFrom(own, ELSEWHERE, PROBE, { authorization: right }), 400, 'invalid_grant')
    spy.mockRestore()
    await own.close()
  })

  test('a right one counts for nothing where it is one of too many at all processes together', async () => {
    const store = `${mkdtempSync(`${tmpdir()}/guesses-`)}/oauth.db`
    const chosen = clients.filter(({ client_id }) => client_id === 'conf')
    const hosts = await Promise.all([1, 2].map(() => startHost({ provider: { store, clients: chosen } })))
    const [one, other] = hosts as [Host, Host]
    const knock = async (host: Host, secret: string) =>
      (await sendFrom(host, HERE, PROBE, { authorization: basic('conf', secret) })).status
    expect(await knock(other, 'wrong')).toBe(401)
    for (let at = 0; at < 19; at++) expect(await knock(one, 'wrong')).toBe(401)
    expect(await knock(other, 'conf-secret')).toBe(429)
    other.advance(121)
    expect(await knock(other, 'conf-secret')).toBe(400)
    for (const host of hosts) await host.close()
  })

  test('from the addresses of one IPv6 network counts as from one', async () => {
    const own = await startHost({ before: (app) => app.set('trust proxy', true) })
    const from = async (address: string) => {
      const authorization = basic('conf', 'wrong')
      return (await sendFrom(own, HERE, PROBE, { authorization, 'X-Forwarded-For': address })).status
    }
    for (let at = 0; at < 20; at++) expect(await from(`2001:db8:1:2::${at.toString(16)}`)).toBe(401)
    expect(await from('2001:db8:1:2:ffff:ffff:ffff:ffff')).toBe(429)
    expect(await from('2001:db8:1:3::1')).toBe(401)
    expect(await from('::1')).toBe(401)
    await own.close()
  })
})
