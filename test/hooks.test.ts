import SQLite from 'better-sqlite3'
import type { GrantNotice, ReuseNotice } from '../lib/index.js'
import { SqliteStore } from '../lib/store/sqlite.js'
import { decideAs, deviceClients, startDevice } from './support/devices.js'
import { faultyStore, INTERNALS, OPERATIONS } from './support/faults.js'
import {
  authorizeUrl,
  decide,
  destination,
  getCode,
  getTokens,
  postToken,
  redeem,
  refresh,
  toConsent,
} from './support/flow.js'
import { type Host, type HostOptions, startHost } from './support/host.js'
import { CALLBACK, native, registered } from './support/registration.js'

let host: Host
let granted: GrantNotice[]
let reused: ReuseNotice[]

beforeEach(() => {
  granted = []
  reused = []
})
afterEach(() => host.close())

async function start(provider: Extract<HostOptions['provider'], object> = {}, more: HostOptions = {}) {
  host = await startHost({
    ...more,
    provider: {
      onGrant: (notice) => granted.push(notice),
      onReuse: (notice) => reused.push(notice),
      ...provider,
    },
  })
}

/** Hooks are called after the answer: as soon as the event loop has come round. */
const afterwards = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
const failures = () => host.events.filter(({ name }) => name === 'server.error').map(({ event }) => event)
const grantId = expect.stringMatching(/^[\w-]{20,}$/)

describe('onGrant', () => {
  test('hears what a user has allowed a client, and whether that is new', async () => {
    await start()
    const { agent } = await getCode(host)
    await afterwards()
    const notice = {
      userId: 'alice',
      clientId: 'conf',
      clientName: 'Confidential',
      grantId,
      at: new Date(host.now()),
    }
    expect(granted).toEqual([{ ...notice, scopes: ['read'], first: true }])
    host.advance(60)
    await getCode(host, { agent, params: { scope: 'read write' } })
    await afterwards()
    const at = new Date(host.now())
    expect(granted[1]).toEqual({ ...notice, at, scopes: ['read', 'write'], first: false })
    expect(granted[1]?.grantId).toBe(granted[0]?.grantId)
  })

  test('hears of devices, by the name that a client has in the store', async () => {
    await start({ clients: deviceClients })
    await decideAs(host, await startDevice(host))
    await decideAs(host, await startDevice(host))
    await afterwards()
    expect(granted.map(({ clientName, first }) => [clientName, first])).toEqual([
      ['Television', true],
      ['Television', false],
    ])
  })

  test('is first again after the user has withdrawn everything', async () => {
    await start()
    await getCode(host)
    await host.oauth.grants.revokeUser('alice')
    await getCode(host)
    await afterwards()
    expect(granted.map(({ first }) => first)).toEqual([true, true])
  })

  test('hears nothing where the user denies, is not asked, or the client has no user', async () => {
    await start()
    const { agent, page } = await toConsent(host)
    await decide(agent, page, 'deny')
    await getCode(host, { client: 'first' })
    await postToken(host, { grant_type: 'client_credentials' })
    await afterwards()
    expect(granted).toEqual([])
  })

  test('hears it once, however often the user clicks', async () => {
    await start()
    const { agent, page } = await toConsent(host)
    await Promise.all([1, 2, 3].map(() => decide(agent, page, 'approve')))
    await agent.get(authorizeUrl(host))
    await afterwards()
    expect(granted).toHaveLength(1)
  })

  test('finds what it hears of committed', async () => {
    const db = new SQLite(':memory:')
    const found: unknown[] = []
    await start({
      store: db,
      onGrant: ({ grantId }) =>
        found.push(db.prepare('SELECT user_id FROM oauth_grants WHERE id = ?').pluck().get(grantId)),
    })
    await getCode(host)
    await afterwards()
    expect(found).toEqual(['alice'])
  })

  test('hears of a client that came by itself by the name that pages show', async () => {
    await start({ registration: 'open' })
    const long = `Alice ${'x'.repeat(100)}`
    const { client_id } = await registered(host, { ...native, redirect_uris: [CALLBACK], client_name: long })
    await getCode(host, { params: { client_id, redirect_uri: CALLBACK } })
    await afterwards()
    expect(granted.map(({ clientName }) => clientName)).toEqual([`Alice ${'x'.repeat(54)}…`])
  })

  test('gets the address only where addresses are kept', async () => {
    const beforeSession: HostOptions['beforeSession'] = (app) => app.set('trust proxy', true)
    await start({}, { beforeSession })
    await getCode(host)
    await afterwards()
    expect(granted[0]).not.toHaveProperty('address')
    await host.close()
    await start({ keepAddresses: true }, { beforeSession })
    const { agent, page } = await toConsent(host)
    const form = { _csrf: /name="_csrf" value="([^"]+)"/.exec(page.text)?.[1] ?? '', decision: 'approve' }
    await agent.post(page.url, form, { 'x-forwarded-for': '192.0.2.1' })
    await afterwards()
    expect(granted[1]?.address).toBe('192.0.2.1')
  })
})

describe('onReuse', () => {
  test('hears of a code and of a refresh token, once each, with what a mail needs', async () => {
    await start()
    const { code } = await getCode(host)
    const { body } = await redeem(host, code)
    await redeem(host, code)
    await redeem(host, code)
    const second = await getTokens(host, { user: 'bob' })
    await refresh(host, second.refresh_token)
    await refresh(host, second.refresh_token)
    await afterwards()
    expect(reused).toHaveLength(1)
    host.advance(11)
    await refresh(host, second.refresh_token)
    await refresh(host, second.refresh_token)
    await afterwards()
    const client = { clientId: 'conf', clientName: 'Confidential', grantId }
    expect(reused).toEqual([
      { userId: 'alice', ...client, kind: 'code', at: new Date(host.now() - 11_000) },
      { userId: 'bob', ...client, kind: 'refresh_token', at: new Date(host.now()) },
    ])
    expect(JSON.stringify(reused)).not.toContain(body.access_token)
  })

  test('hears nothing of what is no reuse: an unknown, foreign or revoked token', async () => {
    await start()
    const { refresh_token } = await getTokens(host)
    await refresh(host, 'unknown')
    await refresh(host, refresh_token, { client: 'conf2' })
    await host.oauth.grants.revokeUser('alice')
    await refresh(host, refresh_token)
    await afterwards()
    expect(reused).toEqual([])
  })
})

describe('a hook that', () => {
  const harmless: readonly [what: string, hook: () => unknown, failing: boolean][] = [
    [
      'throws',
      () => {
        throw new Error('no mail server')
      },
      true,
    ],
    ['rejects', () => Promise.reject(new Error('no mail server')), true],
    ['never answers', () => new Promise(() => {}), false],
  ]

  test.each(harmless)('%s harms nobody', async (_what, hook, failing) => {
    await start({ onGrant: hook, onReuse: hook })
    const { agent, page } = await toConsent(host)
    const code = destination(await decide(agent, page, 'approve')).searchParams.get('code') ?? ''
    const { status, body } = await redeem(host, code)
    expect(status).toBe(200)
    expect(await redeem(host, code)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    expect(await refresh(host, body.refresh_token)).toMatchObject({ status: 400 })
    await afterwards()
    const error = new Error('no mail server')
    const told = ['onGrant', 'onReuse'].map((endpoint) => ({ error, endpoint }))
    expect(failures()).toEqual(failing ? told : [])
  })

  test('cannot be told the name is told the id in its place', async () => {
    const store = faultyStore(
      new SqliteStore(new SQLite(':memory:'), { own: true, now: () => host.now() }),
      OPERATIONS,
    )
    await start({ store })
    const { client_id = '' } = await host.oauth.clients.create({
      ...{
        client_id: 'shop',
        client_secret: 'shop-secret',
        client_name: 'Shop',
        redirect_uris: ['https://rp.example/cb'],
      },
    })
    const { agent, page } = await toConsent(host, { client: client_id })
    // The last time that the page itself looks is before the grant is saved.
    const { reached, release } = store.hold('consume')
    const answer = decide(agent, page, 'approve')
    await reached
    store.fail('findClient', 'rejects')
    release()
    await answer
    await afterwards()
    expect(granted).toMatchObject([{ clientId: 'shop', clientName: 'shop' }])
    const [failure] = failures() as [{ error: Error; endpoint: string }]
    expect(failure.endpoint).toBe('onGrant')
    expect(failure.error.cause).toMatchObject({ message: INTERNALS })
  })
})
