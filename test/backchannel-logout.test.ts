import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose'
import type { ClientMetadata, OAuthProviderOptions, ProviderEvents } from '../lib/index.js'
import { Agent, type Page } from './support/agent.js'
import { callApi, getTokens, refresh, signedIn } from './support/flow.js'
import { type Host, startHost, type User } from './support/host.js'

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const OUT = 'https://rp.example/out'

/** A relying party's endpoint, in our hand: what came, and what it answers. */
interface Receiver {
  readonly uri: string
  /** What has come, in order. */
  readonly requests: { readonly req: IncomingMessage; readonly form: URLSearchParams }[]
  /** Each request gets the next of these, and the last one again; default 200. A function answers when it likes. */
  answers: (number | ((res: ServerResponse) => void))[]
  /** Resolves once so many requests have come. */
  received(count: number): Promise<void>
  close(): void
}

let host: Host
const receivers: Receiver[] = []

afterEach(async () => {
  jest.useRealTimers()
  await host.close()
  for (const receiver of receivers.splice(0)) receiver.close()
})

const client = (id: string, backchannel?: string, more: ClientMetadata = {}): ClientMetadata => ({
  client_id: id,
  client_secret: `${id}-secret`,
  redirect_uris: ['https://rp.example/cb'],
  post_logout_redirect_uris: [OUT],
  ...(backchannel !== undefined && { backchannel_logout_uri: backchannel }),
  ...more,
})

async function start(
  clients: readonly ClientMetadata[],
  provider: Partial<OAuthProviderOptions<User>> = {},
): Promise<void> {
  host = await startHost({
    provider: {
      clients,
      allowPrivateAddresses: true,
      pairwiseSalt: 'p'.repeat(32),
      logout: (req) => new Promise((done) => (req as import('express').Request).session.destroy(done)),
      ...provider,
    },
  })
}

async function connect(id: string, agent: Agent, scope = 'openid read') {
  const tokens = await getTokens(host, { client: id, agent, params: { scope } })
  return { ...tokens, idToken: tokens.id_token as string }
}

/** Signs out as the client asks for it. */
function signOut(agent: Agent, idToken: string): Promise<Page> {
  const query = new URLSearchParams({ id_token_hint: idToken, post_logout_redirect_uri: OUT })
  return agent.get(`${host.issuer}/logout?${query}`)
}

/** Waits for so many events, those included that have come already. */
async function told<Name extends keyof ProviderEvents>(
  name: Name,
  count = 1,
): Promise<ProviderEvents[Name][0][]> {
  const events = () => host.events.filter((event) => event.name === name).map(({ event }) => event)
  while (events().length < count) await once(host.oauth.events, name)
  return events() as unknown as ProviderEvents[Name][0][]
}

/** Lets everything happen that needs no time. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
}

/** From here on the time between attempts is ours. All other timers belong to Node itself, and go on. */
function holdTime(): void {
  jest.useFakeTimers({
    doNotFake: [
      ...(['Date', 'hrtime', 'nextTick', 'performance', 'queueMicrotask'] as const),
      ...(['setImmediate', 'clearImmediate', 'setInterval', 'clearInterval'] as const),
    ],
  })
}

/** Waits until the next attempt is put off, and lets so many milliseconds pass. */
async function pass(milliseconds: number): Promise<void> {
  while (jest.getTimerCount() === 0) await new Promise(setImmediate)
  await jest.advanceTimersByTimeAsync(milliseconds)
}

function tokenOf(receiver: Receiver, index = 0): string {
  return receiver.requests[index]?.form.get('logout_token') ?? ''
}

const claimsAt = (receiver: Receiver, index = 0): JWTPayload => decodeJwt(tokenOf(receiver, index))

/** As Back-Channel Logout §2.6 has it, with the keys that the provider publishes. */
async function validate(token: string, audience: string, algorithms = ['RS256']): Promise<JWTPayload> {
  const jwks = createRemoteJWKSet(new URL(`${host.issuer}/jwks`))
  const { payload, protectedHeader } = await jwtVerify(token, jwks, {
    ...{ issuer: host.issuer, audience, algorithms, typ: 'logout+jwt', currentDate: new Date(host.now()) },
    requiredClaims: ['iat', 'exp', 'jti', 'events', 'sub'],
  })
  expect(Object.keys(protectedHeader).sort()).toEqual(['alg', 'kid', 'typ'])
  return payload
}

describe('a logout token', () => {
  test('is posted as a form, signed with a published key, and says all that Back-Channel Logout asks for, and no more', async () => {
    const receiver = await receive()
    await start([client('conf', receiver.uri)])
    const alice = await signedIn(host, 'alice')
    const { idToken } = await connect('conf', alice)
    expect((await signOut(alice, idToken)).location).toBe(OUT)
    await receiver.received(1)

    const { req, form } = receiver.requests[0]!
    expect({ method: req.method, url: req.url, type: req.headers['content-type'] }).toEqual({
      method: 'POST',
      url: '/backchannel?tenant=1',
      type: 'application/x-www-form-urlencoded',
    })
    expect([...form.keys()]).toEqual(['logout_token'])
    expect(req.headers.cookie).toBeUndefined()
    expect(req.headers.authorization).toBeUndefined()
    const now = Math.floor(host.now() / 1000)
    expect(await validate(tokenOf(receiver), 'conf')).toEqual({
      iss: host.issuer,
      sub: 'alice',
      aud: 'conf',
      iat: now,
      exp: now + 120,
      jti: expect.stringMatching(/^[\w-]{22}$/),
      events: { [EVENT]: {} },
      sid: decodeJwt(idToken).sid,
    })
    expect(await told('logout.notified')).toEqual([{ clientId: 'conf', userId: 'alice' }])
    expect(await told('session.ended')).toEqual([{ userId: 'alice', by: 'client', clientId: 'conf' }])
  })

  test.each(['RS256', 'ES256', 'EdDSA'])(
    'is signed with %s where the client’s ID tokens are',
    async (alg) => {
      const receiver = await receive()
      await start([client('conf', receiver.uri, { id_token_signed_response_alg: alg })])
      const alice = await signedIn(host, 'alice')
      const { idToken } = await connect('conf', alice)
      await signOut(alice, idToken)
      await receiver.received(1)
      expect(decodeProtectedHeader(tokenOf(receiver)).alg).toBe(alg)
      await validate(tokenOf(receiver), 'conf', [alg])
    },
  )

  test('has the pairwise sub of its client', async () => {
    const receiver = await receive()
    await start([client('conf', receiver.uri, { subject_type: 'pairwise' })])
    const alice = await signedIn(host, 'alice')
    const { idToken } = await connect('conf', alice)
    await signOut(alice, idToken)
    await receiver.received(1)
    const { sub } = await validate(tokenOf(receiver), 'conf')
    expect(sub).toBe(decodeJwt(idToken).sub)
    expect(sub).not.toBe('alice')
  })

  test('is no id_token_hint', async () => {
    const receiver = await receive()
    await start([client('conf', receiver.uri)])
    const alice = await signedIn(host, 'alice')
    await signOut(alice, (await connect('conf', alice)).idToken)
    await receiver.received(1)
    const again = await signedIn(host, 'alice')
    expect((await signOut(again, tokenOf(receiver))).status).toBe(400)
  })
})

describe('who is told', () => {
  test('every client of this session that asked for it, once, and nobody of another session', async () => {
    const [one, two, other, never] = [await receive(), await receive(), await receive(), await receive()]
    await start([
      client('one', one.uri),
      client('two', two.uri),
      client('other', other.uri),
      client('never', never.uri),
      client('silent'),
    ])
    const alice = await signedIn(host, 'alice')
    await connect('one', alice)
    await connect('two', alice)
    await connect('one', alice)
    const { idToken } = await connect('silent', alice)
    // Without openid there is no ID token, and so no session at the client.
    await connect('never', alice, 'read')
    await connect('other', await signedIn(host, 'alice'))
    await connect('other', await signedIn(host, 'bob'))

    await signOut(alice, idToken)
    expect((await told('logout.notified', 2)).map(({ clientId }) => clientId).sort()).toEqual(['one', 'two'])
    await settle()
    expect([one, two, other, never].map(({ requests }) => requests.length)).toEqual([1, 1, 0, 0])
    expect(claimsAt(one).jti).not.toBe(claimsAt(two).jti)
    expect(claimsAt(one).sid).toBe(decodeJwt(idToken).sid)
  })

  test('nobody a second time, and nobody when the user stays', async () => {
    const receiver = await receive()
    await start([client('conf', receiver.uri)])
    const alice = await signedIn(host, 'alice')
    const { idToken } = await connect('conf', alice)
    const other = await signedIn(host, 'bob')
    await signOut(other, idToken)
    await settle()
    expect(receiver.requests).toHaveLength(0)
    await signOut(alice, idToken)
    await receiver.received(1)
    await signOut(alice, idToken)
    await signOut(await signedIn(host, 'alice'), idToken)
    await settle()
    expect(receiver.requests).toHaveLength(1)
  })

  test('a sign-in that is long past counts no more', async () => {
    const receiver = await receive()
    await start([client('conf', receiver.uri)], { lifetimes: { refreshTokenTotal: 3600 } })
    const alice = await signedIn(host, 'alice')
    const { idToken } = await connect('conf', alice)
    host.advance(3601)
    expect((await signOut(alice, idToken)).location).toBe(OUT)
    await settle()
    expect(receiver.requests).toHaveLength(0)
  })

  test('a client that was disabled or deleted is not', async () => {
    const receiver = await receive()
    await start([])
    for (const id of ['disabled', 'deleted'])
      await host.oauth.clients.create(
        client(id, receiver.uri, { token_endpoint_auth_method: 'client_secret_basic' }),
      )
    const alice = await signedIn(host, 'alice')
    for (const id of ['disabled', 'deleted']) await connect(id, alice)
    await host.oauth.clients.update('disabled', { disabled: true })
    await host.oauth.clients.delete('deleted')
    expect(await host.oauth.logoutUser('alice')).toBe(0)
    await settle()
    expect(receiver.requests).toHaveLength(0)
  })

  test('where the option logout is missing, too', async () => {
    const receiver = await receive()
    host = await startHost({
      provider: { clients: [client('conf', receiver.uri)], allowPrivateAddresses: true },
    })
    const alice = await signedIn(host, 'alice')
    const { idToken } = await connect('conf', alice)
    const page = await signOut(alice, idToken)
    expect(page.text).toMatch(/You are still signed in at/)
    await receiver.received(1)
  })

  test('where the option logout answers by itself, too', async () => {
    const receiver = await receive()
    await start([client('conf', receiver.uri)], {
      logout: (_req, res) => (res as import('express').Response).redirect('/bye'),
    })
    const alice = await signedIn(host, 'alice')
    const { idToken } = await connect('conf', alice)
    expect((await signOut(alice, idToken)).location).toBe(`${host.origin}/bye`)
    await receiver.received(1)
  })

  test('decision 14: what the user granted lives on', async () => {
    const receiver = await receive()
    await start([client('conf', receiver.uri)])
    const alice = await signedIn(host, 'alice')
    const tokens = await connect('conf', alice)
    await signOut(alice, tokens.idToken)
    await receiver.received(1)
    expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(200)
    expect((await refresh(host, tokens.refresh_token)).status).toBe(200)
  })
})

describe('logoutUser', () => {
  test('tells each client once that all sessions of the user have ended, without sid', async () => {
    const [one, two] = [await receive(), await receive()]
    await start([client('one', one.uri), client('two', two.uri), client('silent')])
    for (const user of ['alice', 'alice', 'bob']) {
      const agent = await signedIn(host, user)
      await connect('one', agent)
      if (user === 'alice') await connect('two', agent)
      await connect('silent', agent)
    }
    expect(await host.oauth.logoutUser('alice')).toBe(2)
    await told('logout.notified', 2)
    await settle()
    for (const [receiver, audience] of [
      [one, 'one'],
      [two, 'two'],
    ] as const) {
      expect(receiver.requests).toHaveLength(1)
      const claims = await validate(tokenOf(receiver), audience)
      expect(claims.sub).toBe('alice')
      expect(claims).not.toHaveProperty('sid')
      expect(claims).not.toHaveProperty('nonce')
    }
    expect(await told('session.ended')).toEqual([{ userId: 'alice', by: 'host' }])
    expect(await host.oauth.logoutUser('alice')).toBe(0)
  })

  test('tells a client that needs sid of each session', async () => {
    const receiver = await receive()
    await start([client('conf', receiver.uri, { backchannel_logout_session_required: true })])
    const sids: unknown[] = []
    for (let login = 0; login < 2; login++) {
      const { idToken } = await connect('conf', await signedIn(host, 'alice'))
      sids.push(decodeJwt(idToken).sid)
    }
    expect(await host.oauth.logoutUser('alice')).toBe(1)
    await told('logout.notified', 2)
    expect([claimsAt(receiver, 0).sid, claimsAt(receiver, 1).sid].sort()).toEqual(sids.sort())
    expect(new Set(sids).size).toBe(2)
  })

  test('takes an id as the host has it, and refuses what is none', async () => {
    const receiver = await receive()
    await start([client('conf', receiver.uri)])
    host.users.set('7', { id: '7', name: 'Seven', email: 'seven@host.example' })
    await connect('conf', await signedIn(host, '7'))
    expect(await host.oauth.logoutUser(7)).toBe(1)
    for (const id of [undefined, null, '', Number.NaN, {}])
      await expect(host.oauth.logoutUser(id as never)).rejects.toThrow(/logoutUser\(userId\).*Pass the id/)
  })

  test('of many calls at once, one tells each client', async () => {
    const receiver = await receive()
    await start([client('conf', receiver.uri)])
    await connect('conf', await signedIn(host, 'alice'))
    const answers = await Promise.all(Array.from({ length: 20 }, () => host.oauth.logoutUser('alice')))
    expect(answers.sort()).toEqual([...Array(19).fill(0), 1])
  })
})

describe('a receiver that does not take it', () => {
  let receiver: Receiver
  let alice: Agent
  let idToken: string

  async function ready(...answers: Receiver['answers']): Promise<void> {
    receiver = await receive()
    receiver.answers = answers
    await start([client('conf', receiver.uri)])
    alice = await signedIn(host, 'alice')
    ;({ idToken } = await connect('conf', alice))
    holdTime()
  }

  test.each([200, 204])('%d is final success', async (status) => {
    await ready(status)
    await signOut(alice, idToken)
    await told('logout.notified')
    expect(jest.getTimerCount()).toBe(0)
  })

  test('503 once: it is tried again after a second, with a token of its own', async () => {
    await ready(503, 200)
    await signOut(alice, idToken)
    await receiver.received(1)
    host.advance(60)
    await pass(999)
    await settle()
    expect(receiver.requests).toHaveLength(1)
    await pass(1)
    await receiver.received(2)
    const [first, second] = [claimsAt(receiver, 0), await validate(tokenOf(receiver, 1), 'conf')]
    expect(second.jti).not.toBe(first.jti)
    expect(second.iat).toBe((first.iat ?? 0) + 60)
    expect({ ...second, jti: 0, iat: 0, exp: 0 }).toEqual({ ...first, jti: 0, iat: 0, exp: 0 })
    expect(await told('logout.notified')).toEqual([{ clientId: 'conf', userId: 'alice' }])
    await settle()
    expect(jest.getTimerCount()).toBe(0)
  })

  test.each([500, 502, 503, 408, 429, 302])(
    '%d always: it is tried after 1, 5 and 30 seconds, and given up',
    async (status) => {
      await ready(status)
      await signOut(alice, idToken)
      for (const [index, seconds] of [1, 5, 30].entries()) {
        await receiver.received(index + 1)
        await pass(seconds * 1000 - 1)
        await settle()
        expect(receiver.requests).toHaveLength(index + 1)
        await pass(1)
      }
      await receiver.received(4)
      expect(await told('logout.failed')).toEqual([
        {
          ...{ clientId: 'conf', userId: 'alice', reason: 'receiver_failed', attempts: 4 },
          problem: `It answered ${status}.`,
        },
      ])
      expect(jest.getTimerCount()).toBe(0)
      expect(host.events.filter(({ name }) => name === 'logout.notified')).toEqual([])
    },
  )

  test.each([400, 401, 404, 410, 451])('%d: it is never tried again', async (status) => {
    await ready(status)
    await signOut(alice, idToken)
    expect(await told('logout.failed')).toEqual([
      {
        ...{ clientId: 'conf', userId: 'alice', reason: 'receiver_refused', attempts: 1 },
        problem: `It answered ${status}.`,
      },
    ])
    await settle()
    expect({ requests: receiver.requests.length, timers: jest.getTimerCount() }).toEqual({
      requests: 1,
      timers: 0,
    })
  })

  test('one that cannot be reached: it is tried again, then given up, and says why', async () => {
    await ready()
    receiver.close()
    expect((await signOut(alice, idToken)).location).toBe(OUT)
    for (const seconds of [1, 5, 30]) await pass(seconds * 1000)
    expect(await told('logout.failed')).toEqual([
      {
        ...{ clientId: 'conf', userId: 'alice', reason: 'receiver_unreachable', attempts: 4 },
        problem: expect.stringMatching(/cannot be reached/),
      },
    ])
  })

  test('one that hangs up: it is tried again', async () => {
    await ready((res) => res.destroy(), 200)
    await signOut(alice, idToken)
    await receiver.received(1)
    await pass(1000)
    await told('logout.notified')
  })

  test('one that is slow does not delay the browser, nor the others', async () => {
    let finish = () => {}
    const slow = await receive()
    slow.answers = [(res) => (finish = () => res.writeHead(200).end())]
    const quick = await receive()
    await start([client('slow', slow.uri), client('quick', quick.uri)])
    alice = await signedIn(host, 'alice')
    await connect('slow', alice)
    ;({ idToken } = await connect('quick', alice))
    expect((await signOut(alice, idToken)).location).toBe(OUT)
    await slow.received(1)
    expect(await told('logout.notified')).toEqual([{ clientId: 'quick', userId: 'alice' }])
    finish()
    expect((await told('logout.notified', 2))[1]).toEqual({ clientId: 'slow', userId: 'alice' })
  })

  test('however many there are, ten are called at once, and all in the end', async () => {
    receiver = await receive()
    const open: ServerResponse[] = []
    receiver.answers = [(res) => open.push(res)]
    await start(Array.from({ length: 25 }, (_, index) => client(`c${index}`, receiver.uri)))
    alice = await signedIn(host, 'alice')
    for (let index = 0; index < 25; index++) await connect(`c${index}`, alice)
    expect(await host.oauth.logoutUser('alice')).toBe(25)
    for (let done = 0; done < 25; done++) {
      await receiver.received(Math.min(done + 10, 25))
      await settle()
      expect(receiver.requests.length - done).toBe(Math.min(10, 25 - done))
      open[done]?.writeHead(200).end()
    }
    await told('logout.notified', 25)
    const audiences = receiver.requests.map((_, index) => claimsAt(receiver, index).aud)
    expect(new Set(audiences).size).toBe(25)
  })

  test('a private address is not called, where no option allows it', async () => {
    receiver = await receive()
    await start([], { allowPrivateAddresses: false })
    const metadata = client('conf', receiver.uri.replace('http:', 'https:'), {
      token_endpoint_auth_method: 'client_secret_basic',
    })
    await host.oauth.clients.create(metadata)
    alice = await signedIn(host, 'alice')
    await connect('conf', alice)
    holdTime()
    await host.oauth.logoutUser('alice')
    for (const seconds of [1, 5, 30]) await pass(seconds * 1000)
    expect((await told('logout.failed'))[0]).toMatchObject({ reason: 'receiver_unreachable', attempts: 4 })
    expect(receiver.requests).toHaveLength(0)
  })

  test('close() stops what waits to be tried again, and says so', async () => {
    await ready(503)
    await signOut(alice, idToken)
    await receiver.received(1)
    while (jest.getTimerCount() === 0) await settle()
    await host.oauth.close()
    expect(jest.getTimerCount()).toBe(0)
    expect(await told('logout.failed')).toEqual([
      {
        ...{ clientId: 'conf', userId: 'alice', reason: 'provider_closed', attempts: 1 },
        problem: expect.any(String),
      },
    ])
  })
})

test('a store that fails at that moment fails nobody’s sign-out', async () => {
  const receiver = await receive()
  await start([client('conf', receiver.uri)])
  const alice = await signedIn(host, 'alice')
  const { idToken } = await connect('conf', alice)
  const closing = host.oauth.close()
  await closing
  const page = await signOut(alice, idToken)
  expect({ status: page.status, location: page.location }).toEqual({ status: 303, location: OUT })
  expect(host.events.map(({ name }) => name)).toContain('server.error')
})

test('no event says anything of a token', async () => {
  const receiver = await receive()
  receiver.answers = [400]
  await start([client('conf', receiver.uri)])
  const alice = await signedIn(host, 'alice')
  const { idToken } = await connect('conf', alice)
  await signOut(alice, idToken)
  await told('logout.failed')
  const text = JSON.stringify(host.events)
  for (const part of [...tokenOf(receiver).split('.'), ...idToken.split('.')].filter(
    (part) => part.length > 60,
  ))
    expect(text).not.toContain(part)
  expect(text).not.toContain(decodeJwt(idToken).sid)
})

test('discovery says that back-channel logout is there, with sid', async () => {
  await start([])
  const metadata = await (await fetch(`${host.issuer}/.well-known/openid-configuration`)).json()
  expect(metadata).toMatchObject({
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
  })
})

async function receive(): Promise<Receiver> {
  const requests: Receiver['requests'] = []
  let arrived = () => {}
  const server = createServer(async (req, res) => {
    const form = new URLSearchParams(Buffer.concat(await req.toArray()).toString())
    requests.push({ req, form })
    const { answers } = receiver
    const answer = answers[Math.min(requests.length, answers.length) - 1] ?? 200
    if (typeof answer === 'number') res.writeHead(answer, { location: '/elsewhere' }).end()
    else answer(res)
    arrived()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const receiver: Receiver = {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/backchannel?tenant=1`,
    requests,
    answers: [],
    async received(count) {
      while (requests.length < count) {
        await new Promise<void>((resolve) => {
          arrived = resolve
        })
      }
    },
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
  receivers.push(receiver)
  return receiver
}

describe('logoutSession', () => {
  async function startWithSignOut(receiver: Receiver): Promise<void> {
    await start([client('conf', receiver.uri)])
    host.app.post('/sign-out', async (req, res) => {
      const told = await host.oauth.logoutSession(req)
      req.session.destroy(() => res.json({ told }))
    })
  }

  test("in the host's own sign-out it tells the clients of this browser's login, and of no other", async () => {
    const receiver = await receive()
    await startWithSignOut(receiver)
    const [here, elsewhere] = [await signedIn(host, 'alice'), await signedIn(host, 'alice')]
    const { idToken } = await connect('conf', here)
    await connect('conf', elsewhere)
    expect((await here.post('/sign-out', {})).text).toBe('{"told":1}')
    await told('logout.notified', 1)
    await settle()
    expect(receiver.requests).toHaveLength(1)
    expect((await validate(tokenOf(receiver), 'conf')).sid).toBe(decodeJwt(idToken).sid)
    expect(await told('session.ended')).toEqual([{ userId: 'alice', by: 'host' }])
    expect((await elsewhere.post('/sign-out', {})).text).toBe('{"told":1}')
  })

  test('where nobody is signed in it tells nobody', async () => {
    const receiver = await receive()
    await startWithSignOut(receiver)
    const nobody = new Agent(host)
    expect((await nobody.post('/sign-out', {})).text).toBe('{"told":0}')
    expect(host.events.filter(({ name }) => name === 'session.ended')).toEqual([])
  })
})
