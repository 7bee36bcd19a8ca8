import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import SQLite, { type Database } from 'better-sqlite3'
import {
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from 'jose'
import { startPrintShop } from '../example-app/print-shop/index.js'
import type { ClientMetadata, OAuthProviderOptions, ProviderEvents } from '../lib/index.js'
import type { Runtime } from '../lib/runtime.js'
import { LogoutDelivery } from '../lib/sessions/delivery.js'
import { resolveSettings } from '../lib/settings.js'
import { openStore } from '../lib/store/open.js'
import type { Client } from '../lib/store/records.js'
import type { Store } from '../lib/store/store.js'
import { Agent, inputValue, type Page } from './support/agent.js'
import { expectErrorPage, expectErrorRedirect } from './support/answers.js'
import { faultyStore, OPERATIONS } from './support/faults.js'
import {
  authorizeUrl,
  callApi,
  destination,
  getCode,
  getTokens,
  redeem,
  refresh,
  signedIn,
} from './support/flow.js'
import { freePort } from './support/free-port.js'
import { type Host, type HostOptions, startHost, type User } from './support/host.js'
import { rsaKey } from './support/rsa-keys.js'
import { sessionsWithoutId } from './support/sessions-without-id.js'

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const OUT = 'https://rp.example/out'
/** Milliseconds for what should come at once. */
const PATIENCE = 5000

/** A relying party's endpoint, in our hand: what came, and what it answers. */
interface Receiver {
  readonly uri: string
  /** How often somebody has connected. */
  connections: number
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
  for (const receiver of receivers.splice(0)) receiver.close()
  await host?.close()
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
  more: HostOptions = {},
): Promise<void> {
  host = await startHost({
    ...more,
    provider: {
      clients,
      allowPrivateAddresses: true,
      pairwiseSalt: 'p'.repeat(32),
      // It has timers too, and here only those of the delivery may count.
      audit: false,
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
  await inTime(`${count} of ${name}`, async (signal) => {
    while (events().length < count) await once(host.oauth.events, name, { signal })
  })
  return events() as unknown as ProviderEvents[Name][0][]
}

/** What does not come fails the test with what did come. `wait` has to end by itself once the signal is aborted. */
async function inTime(what: string, wait: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  // Of Node itself, so that holdTime() does not hold it.
  const signal = AbortSignal.timeout(PATIENCE)
  try {
    await wait(signal)
  } catch (error) {
    if (!signal.aborted) throw error
    const seen = host.events.slice(-20).map(({ name, event }) => `${name} ${JSON.stringify(event)}`)
    throw new Error(
      [
        `Waited ${PATIENCE} ms for ${what}. The last events of ${host.events.length}:`,
        ...(seen.length > 0 ? seen : ['none']),
      ].join('\n'),
    )
  }
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
  const latest = performance.now() + 4000
  while (jest.getTimerCount() === 0) {
    if (performance.now() > latest) throw new Error('Nothing was put off.')
    await new Promise(setImmediate)
  }
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
  test('oidcc-backchannel-rp-initiated-logout: is posted as a form, signed with a published key, and says all that Back-Channel Logout asks for, and no more', async () => {
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
    const silent = await alice.get(authorizeUrl(host, { params: { prompt: 'none', scope: 'openid' } }))
    expectErrorRedirect(host, silent, 'login_required')
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

  test('has the sid of the client’s own ID token, by which two pairwise clients cannot compare their users', async () => {
    const [one, two] = [await receive(), await receive()]
    await start([
      client('one', one.uri, { subject_type: 'pairwise' }),
      client('two', two.uri, { subject_type: 'pairwise', redirect_uris: ['https://rp2.example/cb'] }),
    ])
    const alice = await signedIn(host, 'alice')
    const of = async (id: string, redirect_uri?: string) => {
      const { code } = await getCode(host, {
        client: id,
        agent: alice,
        params: { scope: 'openid', redirect_uri },
      })
      const { body } = await redeem(host, code, {
        client: id,
        ...(redirect_uri && { form: { redirect_uri } }),
      })
      return body.id_token as string
    }
    const tokens = [
      await of('one', 'https://rp.example/cb'),
      await of('two', 'https://rp2.example/cb'),
    ] as const
    await signOut(alice, tokens[0])
    await told('logout.notified', 2)
    const [first, second] = tokens.map((token) => decodeJwt(token))
    expect(claimsAt(one)).toMatchObject({ sub: first?.sub, sid: first?.sid })
    expect(claimsAt(two)).toMatchObject({ sub: second?.sub, sid: second?.sid })
    const values = [first, second].flatMap((claims) => [claims?.sub, claims?.sid])
    expect(new Set(values).size).toBe(4)
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
    const sids: unknown[] = []
    for (const id of ['one', 'two', 'one']) sids.push(decodeJwt((await connect(id, alice)).idToken).sid)
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
    expect([claimsAt(one).sid, claimsAt(two).sid, claimsAt(one).sid]).toEqual(sids)
    expect(new Set([...sids, decodeJwt(idToken).sid]).size).toBe(3)
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
    await start([client('conf', receiver.uri)], { lifetimes: { refreshTokenTotal: 7200 } })
    const alice = await signedIn(host, 'alice')
    const { idToken } = await connect('conf', alice)
    host.advance(7201)
    expect((await signOut(alice, idToken)).location).toBe(OUT)
    await settle()
    expect(receiver.requests).toHaveLength(0)
  })

  test('a sign-in counts for as long as refresh tokens can renew each other, not only while its ID token or the first of them lives', async () => {
    const receiver = await receive()
    await start([client('conf', receiver.uri)], { lifetimes: { idToken: 60, refreshToken: 3600 } })
    const alice = await signedIn(host, 'alice')
    const { idToken } = await connect('conf', alice)
    host.advance(364 * 86_400)
    await signOut(alice, idToken)
    await told('logout.notified')
    expect(receiver.requests).toHaveLength(1)
  })

  test('of a client that did not ask to be told, and of a sign-in without openid, no session is kept', async () => {
    const receiver = await receive()
    const store = new SQLite(':memory:')
    await start([client('silent'), client('conf', receiver.uri)], { store })
    const alice = await signedIn(host, 'alice')
    const count = () => (store.prepare('SELECT count(*) AS n FROM oauth_sessions').get() as { n: number }).n
    await connect('silent', alice)
    await connect('conf', alice, 'read')
    expect(count()).toBe(0)
    await connect('conf', alice)
    expect(count()).toBe(1)
    store.close()
  })

  test('a client whose code had not been redeemed when the login ended, and from then on nobody', async () => {
    const receiver = await receive()
    await start([client('conf', receiver.uri)])
    const alice = await signedIn(host, 'alice')
    const { idToken } = await connect('conf', alice)
    await signOut(alice, idToken)
    await told('logout.notified')
    const again = await signedIn(host, 'alice')
    const { code } = await getCode(host, { client: 'conf', agent: again, params: { scope: 'openid' } })
    expect(await host.oauth.logoutUser('alice')).toBe(1)
    expect((await redeem(host, code, { client: 'conf' })).body.error).toBe('invalid_grant')
    expect(await host.oauth.logoutUser('alice')).toBe(0)
  })

  test('its session is kept before the code, on the page and without one, which costs nothing where nobody is told', async () => {
    const statements: string[] = []
    const db = new SQLite(':memory:', { verbose: (text) => statements.push(String(text)) })
    await start([client('conf', 'https://127.0.0.1/'), client('silent')], { store: db })
    const writes = () =>
      statements
        .splice(0)
        .flatMap((text) => /^COMMIT$|^INSERT INTO oauth_(?:sessions|records)/.exec(text) ?? [])
    const session = ['INSERT INTO oauth_sessions', 'COMMIT']
    const code = ['INSERT INTO oauth_records', 'COMMIT']
    const alice = await signedIn(host, 'alice')
    for (const [name, expected] of [
      ['conf', [...session, ...code]],
      ['silent', code],
    ] as const) {
      const asked = authorizeUrl(host, { client: name, params: { scope: 'openid' } })
      const page = await alice.follow(asked)
      writes()
      const approved = await alice.post(page.url, { _csrf: inputValue(page, '_csrf'), decision: 'approve' })
      expect(destination(approved).searchParams.has('code')).toBe(true)
      expect(writes()).toEqual(expected)
      expect(destination(await alice.get(asked)).searchParams.has('code')).toBe(true)
      expect(writes()).toEqual(expected)
    }
    expect(await host.oauth.logoutUser('alice')).toBe(1)
    db.close()
  })

  test('STOR-04 an approval whose session cannot be kept is none, and can be repeated', async () => {
    const store = faultyStore(
      openStore(':memory:', () => Date.now()),
      OPERATIONS,
    )
    await start([client('conf', 'https://127.0.0.1/')], { store })
    const alice = await signedIn(host, 'alice')
    const page = await alice.follow(authorizeUrl(host, { client: 'conf', params: { scope: 'openid' } }))
    const approve = () => alice.post(page.url, { _csrf: inputValue(page, '_csrf'), decision: 'approve' })
    store.fail('saveSession', 'rejects')
    expectErrorPage(await approve(), { status: 503, code: 'temporarily_unavailable' })
    store.heal()
    const code = destination(await approve()).searchParams.get('code') ?? ''
    expect((await redeem(host, code, { client: 'conf' })).status).toBe(200)
    expect(await host.oauth.logoutUser('alice')).toBe(1)
  })

  test('a client that can be found, though another cannot be looked up at that moment', async () => {
    const receiver = await receive()
    const db = new SQLite(':memory:')
    await start([client('conf', receiver.uri)], { store: failingFor('broken', db) })
    await host.oauth.clients.create(client('broken', receiver.uri))
    keepSessions(db, 'conf', 'alice', 1)
    keepSessions(db, 'broken', 'alice', 1)
    expect(await host.oauth.logoutUser('alice')).toBe(1)
    expect(await told('logout.notified')).toEqual([{ clientId: 'conf', userId: 'alice' }])
    expect(await told('server.error')).toEqual([{ error: expect.any(Error), endpoint: '/logout' }])
    db.close()
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

  test.each([201, 500, 502, 503, 408, 429, 302])(
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

  test('one that is slow has no more than one on its way, and others are told meanwhile', async () => {
    const [slow, quick] = [await receive(), await receive()]
    const open: ServerResponse[] = []
    slow.answers = [(res) => open.push(res)]
    await startWithSessions([
      [client('slow', slow.uri, EACH), 'alice', 30],
      [client('quick', quick.uri, EACH), 'bob', 30],
    ])
    await host.oauth.logoutUser('alice')
    await slow.received(1)
    await host.oauth.logoutUser('bob')
    const notified = await told('logout.notified', 30)
    expect(new Set(notified.map(({ clientId }) => clientId))).toEqual(new Set(['quick']))
    expect(slow.requests).toHaveLength(1)
    slow.answers = [200]
    open[0]?.writeHead(200).end()
    await told('logout.notified', 60)
    expect(slow.requests).toHaveLength(30)
  })

  test('where ten are slow, another has its turn before any of them has its second', async () => {
    const [slow, quick] = [await receive(), await receive()]
    const open: ServerResponse[] = []
    slow.answers = [(res) => open.push(res)]
    const tens = Array.from({ length: 10 }, (_, index) => client(`slow${index}`, slow.uri, EACH))
    await startWithSessions([
      ...tens.map((metadata) => [metadata, 'alice', 5] as const),
      [client('quick', quick.uri), 'bob', 1],
    ])
    await host.oauth.logoutUser('alice')
    await slow.received(10)
    await host.oauth.logoutUser('bob')
    open[0]?.writeHead(200).end()
    await Promise.race([quick.received(1), slow.received(11)])
    expect([quick, slow].map(({ requests }) => requests.length)).toEqual([1, 10])
    await slow.received(11)
  })

  test('one that cannot be reached is called once for all that wait for it, and gets them all when it is back', async () => {
    receiver = await receive()
    receiver.answers = [(res) => res.destroy(), (res) => res.destroy(), 200]
    await startWithSessions([[client('conf', receiver.uri, EACH), 'alice', 30]])
    holdTime()
    await host.oauth.logoutUser('alice')
    for (const [index, seconds] of [1, 5].entries()) {
      await receiver.received(index + 1)
      await pass(seconds * 1000 - 1)
      await settle()
      expect(receiver.requests).toHaveLength(index + 1)
      await pass(1)
    }
    await told('logout.notified', 30)
    expect(receiver.requests).toHaveLength(32)
    expect(host.events.map(({ name }) => name)).not.toContain('logout.failed')
    expect(jest.getTimerCount()).toBe(0)
  })

  test('one that stays away costs four calls, however many wait for it, and what came later is tried as often', async () => {
    receiver = await receive()
    receiver.answers = [(res) => res.destroy()]
    await startWithSessions([
      [client('conf', receiver.uri, EACH), 'alice', 30],
      [client('conf', receiver.uri, EACH), 'bob', 1],
    ])
    holdTime()
    await host.oauth.logoutUser('alice')
    await pass(1000)
    await receiver.received(2)
    await host.oauth.logoutUser('bob')
    await settle()
    expect(receiver.requests).toHaveLength(2)
    for (const seconds of [5, 30]) await pass(seconds * 1000)
    const failed = await told('logout.failed', 30)
    expect(receiver.requests).toHaveLength(4)
    expect(new Set(failed.map((event) => JSON.stringify(event)))).toEqual(
      new Set([
        JSON.stringify({
          ...{ clientId: 'conf', userId: 'alice', reason: 'receiver_unreachable' },
          ...{ problem: failed[0]?.problem, attempts: 4 },
        }),
      ]),
    )
    for (const seconds of [5, 30]) await pass(seconds * 1000)
    expect((await told('logout.failed', 31))[30]).toMatchObject({ userId: 'bob', attempts: 4 })
  })

  test('one that refuses for a time is asked again for that one, and gets the others meanwhile', async () => {
    receiver = await receive()
    receiver.answers = [503, 200]
    await startWithSessions([[client('conf', receiver.uri, EACH), 'alice', 3]])
    holdTime()
    await host.oauth.logoutUser('alice')
    await told('logout.notified', 2)
    expect(receiver.requests).toHaveLength(3)
    await pass(1000)
    await told('logout.notified', 3)
    expect(claimsAt(receiver, 3).sid).toBe(claimsAt(receiver, 0).sid)
  })

  test.each([
    ['one client has more than a thousand', 1, 1001, 1],
    ['all have more than ten thousand', 11, 1000, 1000],
  ])('where %s waiting, the rest is given up', async (_, clients, each, beyond) => {
    receiver = await receive()
    receiver.answers = [() => undefined]
    const ids = Array.from({ length: clients }, (_, index) => `c${index}`)
    await startWithSessions(ids.map((id) => [client(id, receiver.uri, EACH), 'alice', each] as const))
    await host.oauth.logoutUser('alice')
    await receiver.received(Math.min(clients, 10))
    const failed = await told('logout.failed', beyond)
    expect(failed).toHaveLength(beyond)
    expect(new Set(failed.map(({ clientId }) => clientId)).size).toBe(1)
    for (const event of failed)
      expect(event).toEqual({
        ...{ clientId: expect.any(String), userId: 'alice', reason: 'queue_full', attempts: 0 },
        problem: expect.any(String),
      })
  })

  // Requests would not do: the URI is https and the server speaks http, so that none arrives whatever the address rule says.
  test('a private address is not dialled, where no option allows it', async () => {
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
    expect(await told('logout.failed')).toEqual([
      {
        ...{ clientId: 'conf', userId: 'alice', reason: 'receiver_unreachable', attempts: 4 },
        problem: expect.stringContaining('no public address'),
      },
    ])
    expect(receiver.connections).toBe(0)
  })

  test('one that hangs up is left alone, whatever else there is to tell it, until its time has come', async () => {
    receiver = await receive()
    receiver.answers = [(res) => res.destroy(), 200]
    const quick = await receive()
    await start([client('conf', receiver.uri), client('quick', quick.uri)])
    await connect('conf', await signedIn(host, 'alice'))
    const bob = await signedIn(host, 'bob')
    for (const id of ['conf', 'quick']) await connect(id, bob)
    holdTime()
    await host.oauth.logoutUser('alice')
    await receiver.received(1)
    await pass(999)
    await host.oauth.logoutUser('bob')
    // By then the other one would have come as well.
    expect(await told('logout.notified')).toEqual([{ clientId: 'quick', userId: 'bob' }])
    await connect('quick', await signedIn(host, 'bob'))
    expect(receiver.requests).toHaveLength(1)
    await pass(1)
    await told('logout.notified', 3)
    expect(receiver.requests).toHaveLength(3)
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

test('what has come to its end takes no place any more', async () => {
  const events: string[] = []
  const delivery = new LogoutDelivery({
    settings: resolveSettings({ issuer: 'https://host.example', findUser: () => undefined }),
    keys: { sign: async () => 'token' },
    outgoing: { postForm: async () => 200 },
    now: Date.now,
    emit: (name: string) => events.push(name),
  } as unknown as Runtime)
  const one = { id: 'one', backchannelLogoutUri: 'https://rp.example/' } as Client
  for (let round = 0; round < 21; round++) {
    for (let user = 0; user < 500; user++) delivery.send({ client: one, login: { userId: `u${user}` } })
    while (events.length < (round + 1) * 500) await new Promise(setImmediate)
  }
  expect(new Set(events)).toEqual(new Set(['logout.notified']))
})

test('a client that nobody vouches for is sent its tokens as a stranger, so that its name holds up no others', async () => {
  const strangers = new Map<string, boolean | undefined>()
  const delivery = new LogoutDelivery({
    settings: resolveSettings({ issuer: 'https://host.example', findUser: () => undefined }),
    keys: { sign: async () => 'token' },
    outgoing: {
      async postForm(url: string, _form: object, { stranger }: { stranger?: boolean } = {}) {
        strangers.set(url, stranger)
        return 200
      },
    },
    now: Date.now,
    emit: () => undefined,
  } as unknown as Runtime)
  for (const client of [{ id: 'own' }, { id: 'itself', source: 'registration' }])
    delivery.send({
      client: { ...client, backchannelLogoutUri: `https://${client.id}.example/` } as Client,
      login: { userId: 'alice' },
    })
  await delivery.close()
  expect(Object.fromEntries(strangers)).toEqual({
    'https://own.example/': false,
    'https://itself.example/': true,
  })
})

test('close() waits for what is on its way, and drops what waits behind it', async () => {
  const receiver = await receive()
  const open: ServerResponse[] = []
  receiver.answers = [(res) => open.push(res)]
  await startWithSessions([[client('conf', receiver.uri, EACH), 'alice', 3]])
  await host.oauth.logoutUser('alice')
  await receiver.received(1)
  let closed = false
  const closing = host.oauth.close().then(() => {
    closed = true
  })
  await settle()
  expect(closed).toBe(false)
  const dropped = { clientId: 'conf', userId: 'alice', reason: 'provider_closed', attempts: 0 }
  expect(await told('logout.failed', 2)).toEqual(Array(2).fill({ ...dropped, problem: expect.any(String) }))
  open[0]?.writeHead(200).end()
  await closing
  expect(await told('logout.notified')).toEqual([{ clientId: 'conf', userId: 'alice' }])
  expect(receiver.requests).toHaveLength(1)
})

describe('on a host whose sessions have no id', () => {
  let receiver: Receiver

  beforeEach(async () => {
    receiver = await receive()
    await start(
      [client('conf', receiver.uri), client('strict', receiver.uri, EACH)],
      {},
      { session: sessionsWithoutId() },
    )
  })

  async function expectTold(ids: readonly string[]): Promise<void> {
    await told('logout.notified', ids.length)
    await settle()
    const claims = receiver.requests.map((_, index) => claimsAt(receiver, index))
    expect(claims.map(({ aud }) => aud).sort()).toEqual([...ids].sort())
    for (const each of claims) {
      expect(each.sub).toBe('alice')
      expect(each).not.toHaveProperty('sid')
    }
  }

  test('ID tokens have no sid, and logoutUser tells each client once, by sub', async () => {
    for (const id of ['conf', 'strict']) {
      const { idToken } = await connect(id, await signedIn(host, 'alice'))
      expect(decodeJwt(idToken)).not.toHaveProperty('sid')
      await connect(id, await signedIn(host, 'bob'))
      await connect(id, await signedIn(host, 'alice'))
    }
    expect(await host.oauth.logoutUser('alice')).toBe(2)
    await expectTold(['conf', 'strict'])
  })

  test('/logout tells them by sub, too', async () => {
    const alice = await signedIn(host, 'alice')
    await connect('conf', alice)
    await connect('conf', await signedIn(host, 'bob'))
    const page = await alice.get(`${host.issuer}/logout`)
    const form = { _csrf: inputValue(page, '_csrf'), decision: 'approve' }
    expect((await alice.post(`${host.issuer}/logout`, form)).text).toContain('One application')
    await expectTold(['conf'])
  })

  test('logoutSession tells them by sub, too', async () => {
    host.app.post('/sign-out', async (req, res) => {
      res.json(await host.oauth.logoutSession(req))
    })
    const alice = await signedIn(host, 'alice')
    await connect('conf', alice)
    await connect('conf', await signedIn(host, 'bob'))
    expect((await alice.post('/sign-out', {})).text).toBe('1')
    await expectTold(['conf'])
  })
})

test('the print shop of the example answers 503 while it cannot fetch the keys, and 400 to what is no logout token', async () => {
  await start([])
  const issuer = `${host.origin}/daylight/oauth`
  host.app.get('/daylight/oauth/.well-known/openid-configuration', (_req, res) => {
    res.json({ issuer, jwks_uri: `${issuer}/jwks`, id_token_signing_alg_values_supported: ['RS256'] })
  })
  let status = 500
  host.app.get('/daylight/oauth/jwks', async (_req, res) => {
    const { keys } = (await (await fetch(`${host.issuer}/jwks`)).json()) as { keys: unknown }
    res.status(status).json({ keys })
  })
  const shop = await startPrintShop({
    ...{ port: await freePort('localhost'), photoAppUrl: `${host.origin}/daylight`, clientSecret: 'secret' },
  })
  const post = async (logout_token: string) =>
    (
      await fetch(`${shop.url}/backchannel-logout`, {
        method: 'POST',
        body: new URLSearchParams({ logout_token }),
      })
    ).status
  const { privateKey } = rsaKey()
  const forged = await new SignJWT({})
    .setProtectedHeader({ alg: 'RS256', typ: 'logout+jwt' })
    .sign(privateKey)
  expect(await post(forged)).toBe(503)
  expect(await post('x')).toBe(400)
  status = 200
  expect(await post(forged)).toBe(400)
  await shop.close()
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

/** A client with this has a notice for each session. */
const EACH: ClientMetadata = { backchannel_logout_session_required: true }

/** A host with so many sessions of a user at each of these clients. */
async function startWithSessions(
  rows: readonly (readonly [metadata: ClientMetadata, user: string, count: number])[],
): Promise<void> {
  const db = new SQLite(':memory:')
  const clients = new Map(rows.map(([metadata]) => [metadata.client_id, metadata]))
  await start([...clients.values()], { store: db })
  for (const [{ client_id = '' }, user, count] of rows) keepSessions(db, client_id, user, count)
}

function keepSessions(db: Database, clientId: string, user: string, count: number): void {
  const insert = db.prepare('INSERT INTO oauth_sessions VALUES (?, ?, ?, ?)')
  db.transaction(() => {
    for (let index = 0; index < count; index++)
      insert.run(`${user}-${index}`, clientId, user, host.now() + 3_600_000)
  })()
}

/** A store that cannot look up this client. */
function failingFor(clientId: string, db: Database): Store {
  const store = openStore(db, Date.now)
  return new Proxy(store, {
    get(_, name: keyof Store) {
      if (name === 'findClient')
        return (id: string) => (id === clientId ? Promise.reject(new Error('locked')) : store.findClient(id))
      const member = store[name] as unknown
      return typeof member === 'function' ? member.bind(store) : member
    },
  })
}

async function receive(): Promise<Receiver> {
  const requests: Receiver['requests'] = []
  const server = createServer(async (req, res) => {
    const form = new URLSearchParams(Buffer.concat(await req.toArray()).toString())
    requests.push({ req, form })
    const { answers } = receiver
    const answer = answers[Math.min(requests.length, answers.length) - 1] ?? 200
    if (typeof answer === 'number') res.writeHead(answer, { location: '/elsewhere' }).end()
    else answer(res)
    server.emit('received')
  })
  server.on('connection', () => receiver.connections++)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const receiver: Receiver = {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/backchannel?tenant=1`,
    connections: 0,
    requests,
    answers: [],
    async received(count) {
      await inTime(`request ${count} of a receiver, which has had ${requests.length}`, async (signal) => {
        while (requests.length < count) await once(server, 'received', { signal })
      })
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
    mountSignOut()
  }

  function mountSignOut(): void {
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

  test('asks the host for nothing but the id and the session', async () => {
    const receiver = await receive()
    let gone = false
    const ask = <T>(answer: T) => (gone ? Promise.reject(new Error('asked')) : answer)
    await start([client('conf', receiver.uri)], {
      authTime: () => ask(new Date()),
      authContext: () => ask({}),
      findUser: (id) => ask(host.users.get(id)) as User | undefined,
    })
    mountSignOut()
    const alice = await signedIn(host, 'alice')
    await connect('conf', alice)
    gone = true
    expect((await alice.post('/sign-out', {})).text).toBe('{"told":1}')
    expect(host.events.filter(({ name }) => name === 'server.error')).toEqual([])
  })

  test('what fails is reported, and does not fail the sign-out of the host', async () => {
    const receiver = await receive()
    let broken = false
    await start([client('conf', receiver.uri)], {
      currentUser: (req) => {
        if (broken) throw new Error('no cookie')
        return (req.session as { userId?: string } | undefined)?.userId
      },
    })
    mountSignOut()
    const alice = await signedIn(host, 'alice')
    await connect('conf', alice)
    broken = true
    expect((await alice.post('/sign-out', {})).text).toBe('{"told":0}')
    expect(await told('server.error')).toEqual([
      { error: expect.objectContaining({ message: 'no cookie' }), endpoint: 'logoutSession' },
    ])
    broken = false
    const bob = await signedIn(host, 'bob')
    await host.oauth.close()
    expect((await bob.post('/sign-out', {})).text).toBe('{"told":0}')
    expect((await told('server.error', 2))[1]).toEqual({
      error: expect.any(Error),
      endpoint: 'logoutSession',
    })
  })

  test('where nobody is signed in it tells nobody', async () => {
    const receiver = await receive()
    await startWithSignOut(receiver)
    const nobody = new Agent(host)
    expect((await nobody.post('/sign-out', {})).text).toBe('{"told":0}')
    expect(host.events.filter(({ name }) => name === 'session.ended')).toEqual([])
  })
})

describe('a code that is redeemed after its user has signed out', () => {
  async function codeOnItsWay(): Promise<string> {
    const receiver = await receive()
    await start([client('conf', receiver.uri), client('silent')])
    const { code, agent } = await getCode(host, { params: { scope: 'openid read' } })
    await agent.post('/oauth/logout', {
      decision: 'approve',
      _csrf: inputValue(await agent.get('/oauth/logout'), '_csrf'),
    })
    await receiver.received(1)
    return code
  }

  test('signs nobody in at a client that has been told, and gives no token', async () => {
    const code = await codeOnItsWay()
    const { status, body } = await redeem(host, code)
    expect({ status, error: body.error }).toEqual({ status: 400, error: 'invalid_grant' })
    expect(body.error_description).toContain('signed out')
    expect(host.events.filter(({ name }) => name === 'token.issued')).toEqual([])
    expect(
      host.events.filter(({ name }) => name === 'token.refused').map(({ event }) => event.reason),
    ).toEqual(['signed_out'])
  })

  test('nor one that logoutUser has ended', async () => {
    const receiver = await receive()
    await start([client('conf', receiver.uri)])
    const { code } = await getCode(host, { params: { scope: 'openid read' } })
    expect(await host.oauth.logoutUser('alice')).toBe(1)
    expect((await redeem(host, code)).body.error).toBe('invalid_grant')
  })

  test('is good where the client asked for no sign-in, or wants to hear of none', async () => {
    const receiver = await receive()
    await start([client('conf', receiver.uri), client('silent')])
    const { code } = await getCode(host, { params: { scope: 'read' } })
    const { code: other } = await getCode(host, { client: 'silent', params: { scope: 'openid read' } })
    await host.oauth.logoutUser('alice')
    expect((await redeem(host, code)).status).toBe(200)
    expect((await redeem(host, other, { client: 'silent' })).status).toBe(200)
  })

  test('is not taken for one where the session is forgotten sooner than the code', async () => {
    const receiver = await receive()
    await start([client('conf', receiver.uri)], {
      lifetimes: { authorizationCode: 600, refreshToken: 30, refreshTokenTotal: 30 },
    })
    const { code } = await getCode(host, { params: { scope: 'openid read' } })
    host.advance(500)
    await host.oauth.purge()
    expect((await redeem(host, code)).body).toMatchObject({ id_token: expect.any(String) })
  })

  test('nor where the client has asked to be told only since the code was issued', async () => {
    const receiver = await receive()
    await start([])
    const { client_id } = await host.oauth.clients.create(client('late'))
    const { code } = await getCode(host, { client: client_id, params: { scope: 'openid read' } })
    await host.oauth.clients.update(client_id, { backchannel_logout_uri: receiver.uri })
    expect((await redeem(host, code, { client: client_id })).body).toMatchObject({
      id_token: expect.any(String),
    })
  })

  test('is not used up by the refusal, so that a second try is no false alarm', async () => {
    const code = await codeOnItsWay()
    for (let time = 0; time < 2; time++)
      expect((await redeem(host, code)).body.error_description).toContain('signed out')
    expect(host.events.filter(({ name }) => name === 'code.reused')).toEqual([])
  })
})

describe('a first request that holds no session yet, of a host that signs its users in on the way', () => {
  test.each(['logoutSession', '/logout'])('its client is told by %s all the same', async (way) => {
    const receiver = await receive()
    const remembered = (req: unknown) =>
      (req as { headers: { cookie?: string } }).headers.cookie?.includes('remember=alice')
        ? 'alice'
        : undefined
    await start([client('conf', receiver.uri, { skip_consent: true })], { currentUser: remembered })
    host.app.post('/sign-out', async (req, res) => {
      res.json({ told: await host.oauth.logoutSession(req) })
    })
    const agent = new Agent(host)
    agent.cookies.set('remember', { value: 'alice', path: '/' })
    const { code } = await getCode(host, { agent, params: { scope: 'openid read' } })
    expect((await redeem(host, code)).status).toBe(200)
    // Showing a form makes the session.
    const page = await agent.get('/oauth/logout')
    expect(agent.cookies.has('host')).toBe(true)
    if (way === '/logout')
      await agent.post('/oauth/logout', { decision: 'approve', _csrf: inputValue(page, '_csrf') })
    else expect((await agent.post('/sign-out', {})).text).toBe('{"told":1}')
    await told('logout.notified')
    expect(receiver.requests).toHaveLength(1)
  })
})
