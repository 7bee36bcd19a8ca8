import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Request } from 'express'
import { type Agent, inputValue } from './support/agent.js'
import { clients } from './support/clients.js'
import { callApi, getCode, getTokens, redeem, refresh, signedIn, type TokenResponse } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import { expectRefusal, expectTokens } from './support/token-endpoint.js'

let host: Host
beforeAll(async () => {
  host = await startHost()
})
afterAll(() => host.close())

function fifty(request: () => Promise<TokenResponse>): Promise<TokenResponse[]> {
  return Promise.all(Array.from({ length: 50 }, request))
}

const won = ({ status }: TokenResponse) => status === 200

/** Which of the tokens that were given out still work. */
async function working(own: Host, answers: readonly TokenResponse[]) {
  const access = new Set(answers.filter(won).map(({ body }) => body.access_token))
  const tokens = new Set(answers.filter(won).map(({ body }) => body.refresh_token))
  const opened = await Promise.all([...access].map((token) => callApi(own, '/api/read', token)))
  const renewed = []
  for (const token of tokens) renewed.push(await refresh(own, token))
  return {
    access: opened.filter(({ status }) => status === 200).length,
    refresh: renewed.filter(won).length,
  }
}

test.each([
  ['at once', async () => undefined],
  ['behind a warm-up', () => fetch(`${host.issuer}/token`)],
])(
  'RACE-01 fifty redemptions of one code %s: one 200, and no more than one working token',
  async (_, first) => {
    for (let round = 0; round < 5; round++) {
      const { code } = await getCode(host)
      await first()
      const answers = await fifty(() => redeem(host, code))
      expect(answers.filter(won)).toHaveLength(1)
      for (const answer of answers.filter((each) => !won(each))) expectRefusal(answer, 400, 'invalid_grant')
      const left = await working(host, answers)
      expect(left.access).toBeLessThanOrEqual(1)
      expect(left.refresh).toBeLessThanOrEqual(1)
      expectRefusal(await redeem(host, code), 400, 'invalid_grant')
    }
  },
)

test('RACE-01 redemptions that fail do not take from the one that is right', async () => {
  const { code } = await getCode(host)
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, at) => {
      if (at === 25) return redeem(host, code)
      const form = { redirect_uri: 'https://rp.example/other' }
      return at % 2 === 0 ? redeem(host, code, { client: 'conf2' }) : redeem(host, code, { form })
    }),
  )
  expect(answers.filter(won)).toHaveLength(1)
  expect(await working(host, answers)).toEqual({ access: 1, refresh: 1 })
})

test('RACE-02 fifty refreshes with one token: one pair of tokens, which works, and no fork', async () => {
  for (let round = 0; round < 5; round++) {
    const { refresh_token } = await getTokens(host)
    const answers = await fifty(() => refresh(host, refresh_token))
    for (const answer of answers) expectTokens(answer)
    expect(new Set(answers.map(({ body }) => body.access_token)).size).toBe(1)
    expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1)
    expect(await working(host, answers)).toEqual({ access: 1, refresh: 1 })
  }
})

test('RACE-02 fifty refreshes for different scopes: still one pair of tokens', async () => {
  const { refresh_token } = await getTokens(host, { params: { scope: 'read write' } })
  let at = 0
  const answers = await fifty(() => {
    return refresh(host, refresh_token, { form: { scope: at++ % 2 === 0 ? 'read' : 'read write' } })
  })
  expect(new Set(answers.filter(won).map(({ body }) => body.access_token)).size).toBe(1)
  expect(new Set(answers.filter(won).map(({ body }) => body.scope)).size).toBe(1)
})

test('RACE-02 without a grace: one 200, and the family ends', async () => {
  const own = await startHost({ provider: { lifetimes: { refreshGrace: 0 } } })
  const { refresh_token } = await getTokens(own)
  const answers = await fifty(() => refresh(own, refresh_token))
  expect(answers.filter(won)).toHaveLength(1)
  for (const answer of answers.filter((each) => !won(each))) expectRefusal(answer, 400, 'invalid_grant')
  expect(await working(own, answers)).toEqual({ access: 0, refresh: 0 })
  await own.close()
})

test.each([
  ['grants.revoke', (own: Host, grantId: string) => own.oauth.grants.revoke(grantId)],
  ['grants.revokeUser', (own: Host) => own.oauth.grants.revokeUser('alice')],
])(
  'RACE-05 refreshes beside %s: once it has answered, no token of the grant works, in 100 rounds',
  async (_, revoke) => {
    const own = await startHost()
    const agent = await signedIn(own, 'alice')
    for (let round = 0; round < 100; round++) {
      const tokens = await getTokens(own, { agent, client: 'first' })
      const [grant] = await own.oauth.grants.list({ userId: 'alice', clientId: 'first' })
      const late: Promise<TokenResponse>[] = []
      const refreshes = Array.from({ length: 3 }, () =>
        refresh(own, tokens.refresh_token, { client: 'first' }),
      )
      // Somewhere in the middle: the round decides how far the requests have come.
      for (let turn = 0; turn < round % 10; turn++) await new Promise((resolve) => setImmediate(resolve))
      await revoke(own, grant?.id ?? '')
      late.push(refresh(own, tokens.refresh_token, { client: 'first' }))
      const given = (await Promise.all([...refreshes, ...late])).filter(won)
      for (const token of [tokens.access_token, ...given.map(({ body }) => body.access_token)])
        expect((await callApi(own, '/api/read', token)).status).toBe(401)
      for (const token of [tokens.refresh_token, ...given.map(({ body }) => body.refresh_token)])
        expectRefusal(await refresh(own, token, { client: 'first' }), 400, 'invalid_grant')
    }
    await own.close()
  },
)

describe('RACE-05 over HTTP', () => {
  const USERS = ['alice', 'bob', 'carol', 'dora']
  let own: Host
  let told: Server
  beforeAll(async () => {
    told = createServer((_req, res) => res.end()).listen(0)
    await once(told, 'listening')
    const heard = {
      ...{ client_id: 'told', client_secret: 'told-secret', redirect_uris: ['https://rp.example/cb'] },
      backchannel_logout_uri: `http://127.0.0.1:${(told.address() as AddressInfo).port}/`,
    }
    own = await startHost({
      provider: {
        ...{ clients: [...clients, heard], allowPrivateAddresses: true },
        logout: (req) => new Promise((done) => (req as Request).session.destroy(done)),
      },
    })
    for (const id of USERS) own.users.set(id, { id, name: id, email: `${id}@host.example` })
  })
  afterAll(async () => {
    told.close()
    await own.close()
  })

  /** Begins one, and somewhere in the middle of it the other one; in every second round the other way round. */
  type Beside = <One, Other>(one: () => Promise<One>, other: () => Promise<Other>) => Promise<[One, Other]>

  /** So many rounds, one for each user at a time; the round decides how far the requests of others have come. */
  async function rounds(
    count: number,
    oneRound: (user: string, agent: Agent, beside: Beside) => Promise<unknown>,
  ): Promise<Set<unknown>> {
    const agents = await Promise.all(USERS.map((user) => signedIn(own, user)))
    const outcomes = new Set<unknown>()
    for (let round = 0; round < count / USERS.length; round++) {
      const beside: Beside = async (one, other) => {
        const first = round % 2 === 0 ? one() : undefined
        const second = round % 2 === 0 ? undefined : other()
        for (let turn = 0; turn < round % 12; turn++) await new Promise((resolve) => setImmediate(resolve))
        return Promise.all([first ?? one(), second ?? other()])
      }
      const all = USERS.map((user, index) => oneRound(user, agents[index]!, beside))
      for (const outcome of await Promise.all(all)) outcomes.add(outcome)
    }
    return outcomes
  }

  test.each([
    ['Withdraw access', 100, undefined],
    ['the button beside a scope', 100, 'write'],
  ])(
    'refreshes beside %s on the page: once it has answered, no token has what was withdrawn, in %d rounds',
    async (_, count, scope) => {
      const first = { client: 'first' }
      const outcomes = await rounds(count, async (_user, agent, beside) => {
        const tokens = await getTokens(own, { agent, ...first, params: { scope: 'read write' } })
        const page = await agent.get(`${own.issuer}/authorized-applications`)
        const form = { _csrf: inputValue(page, '_csrf'), grant: inputValue(page, 'grant'), scope }
        const ask = () => refresh(own, tokens.refresh_token, first)
        const [early, withdrawal] = await beside(ask, () => agent.post(page.url, form))
        expect(withdrawal.status).toBe(303)
        const answers = [early, await ask()]
        const given = [tokens, ...answers.filter(won).map(({ body }) => body)]
        for (const { access_token } of given) {
          const read = await callApi(own, '/api/read', access_token)
          const write = await callApi(own, '/api/write', access_token)
          expect([read.status, write.status]).toEqual(scope === undefined ? [401, 401] : [200, 403])
        }
        const last = await refresh(own, given.at(-1)!.refresh_token, first)
        if (scope === undefined) expectRefusal(last, 400, 'invalid_grant')
        else expect(last.body.scope).toBe('read')
        return early.status
      })
      if (scope === undefined) expect(outcomes).toEqual(new Set([200, 400]))
    },
  )

  test('redemptions beside a sign-out: once it has answered, no code gives a token, and the client is told each time, in 48 rounds', async () => {
    const client = 'told'
    const outcomes = await rounds(48, async (user, agent, beside) => {
      await agent.login(user)
      const { code } = await getCode(own, { agent, client, params: { scope: 'openid read' } })
      const page = await agent.get(`${own.issuer}/logout`)
      const form = { _csrf: inputValue(page, '_csrf'), decision: 'approve' }
      const [redeemed] = await beside(
        () => redeem(own, code, { client }),
        () => agent.post(page.url, form),
      )
      expectRefusal(await redeem(own, code, { client }), 400, 'invalid_grant')
      return redeemed.status
    })
    expect(outcomes).toEqual(new Set([200, 400]))
    const notified = () => own.events.filter(({ name }) => name === 'logout.notified').length
    while (notified() < 48) await once(own.oauth.events, 'logout.notified')
    expect(notified()).toBe(48)
  })
})

test('RACE-05 redemptions beside a revocation: once it has answered, no token of the code works', async () => {
  const own = await startHost()
  const agent = await signedIn(own, 'alice')
  for (let round = 0; round < 30; round++) {
    const { code } = await getCode(own, { agent, client: 'first' })
    const redemption = redeem(own, code, { client: 'first' })
    for (let turn = 0; turn < round % 10; turn++) await new Promise((resolve) => setImmediate(resolve))
    await own.oauth.grants.revokeUser('alice')
    const { status, body } = await redemption
    if (status === 200) expect((await callApi(own, '/api/read', body.access_token)).status).toBe(401)
    expectRefusal(await redeem(own, code, { client: 'first' }), 400, 'invalid_grant')
  }
  await own.close()
})

test('a replay of the code beside refreshes of what it gave leaves nothing that works', async () => {
  for (let round = 0; round < 20; round++) {
    const { code } = await getCode(host)
    const { body } = await redeem(host, code)
    const answers = await Promise.all([
      refresh(host, body.refresh_token),
      redeem(host, code),
      refresh(host, body.refresh_token),
    ])
    expectRefusal(answers[1]!, 400, 'invalid_grant')
    expect(await working(host, answers)).toEqual({ access: 0, refresh: 0 })
    expect((await callApi(host, '/api/read', body.access_token)).status).toBe(401)
  }
})
