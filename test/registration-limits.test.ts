import { request } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import Database from 'better-sqlite3'
import express from 'express'
import { ConfigurationError, type OAuthProviderOptions } from '../lib/index.js'
import { openStore } from '../lib/store/open.js'
import { clients, pkjKey } from './support/clients.js'
import { type FaultyStore, faultyStore, OPERATIONS } from './support/faults.js'
import { fetch } from './support/fetch.js'
import { authorizeUrl, basic, decide, destination, signedIn, VERIFIER } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import {
  CALLBACK,
  expectRefused,
  expectUnauthorized,
  manage,
  native,
  type Registered,
  register,
  registered,
} from './support/registration.js'
import { dump, expectMachineHeaders, type RawAnswer, send } from './support/token-endpoint.js'

const TOKEN = 'an-initial-access-token-that-is-long-enough'
const DAY = 86_400
const LOOPBACK = 'http://127.0.0.1:51999/cb'
const web = { redirect_uris: [CALLBACK] }
const m2m = { grant_types: ['client_credentials'], scope: 'read' }

let host: Host
let database: Database.Database
let store: FaultyStore
afterAll(() => host?.close())

type Provider = Partial<OAuthProviderOptions>

/** A host for the tests of one describe, whose tables can be looked into. */
function hosting(provider: Provider): void {
  beforeAll(() => rehost(provider))
}

async function rehost(provider: Provider): Promise<void> {
  await host?.close()
  database = new Database(':memory:')
  store = faultyStore(openStore(database, Date.now), OPERATIONS)
  host = await startHost({ provider: { store, ...provider } as never })
}

function rows(): number {
  return database.prepare('SELECT count(*) FROM oauth_clients').pluck().get() as number
}

/** Everything that a refused registration could have left behind. */
function tables(): unknown {
  return ['oauth_clients', 'oauth_records'].map((table) => database.prepare(`SELECT * FROM ${table}`).all())
}

/** As alice, through the consent page. */
async function codeOf({ client_id }: Registered): Promise<string> {
  const agent = await signedIn(host, 'alice')
  const page = await agent.follow(authorizeUrl(host, { params: { client_id, redirect_uri: LOOPBACK } }))
  return destination(await decide(agent, page, 'approve')).searchParams.get('code') ?? ''
}

function redeemed(client: Registered, code: string): Promise<RawAnswer> {
  const form = { grant_type: 'authorization_code', code, redirect_uri: LOOPBACK, code_verifier: VERIFIER }
  return token(client, form)
}

async function connected(client: Registered): Promise<RawAnswer> {
  return redeemed(client, await codeOf(client))
}

function token({ client_id, client_secret }: Registered, form: Record<string, string>): Promise<RawAnswer> {
  const isPublic = client_secret === undefined
  return send(host, {
    headers: isPublic ? {} : { authorization: basic(client_id, client_secret) },
    body: new URLSearchParams({ ...form, ...(isPublic && { client_id }) }),
  })
}

describe('initial access tokens', () => {
  hosting({ registration: { initialAccessTokens: [`${TOKEN}-old`, TOKEN] } })

  test('DCR-02 let in whoever has one', async () => {
    for (const authorization of [`Bearer ${TOKEN}`, `bearer ${TOKEN}-old`])
      expect((await register(host, web, { authorization })).status).toBe(201)
    const answer = await register(host, { ...web, ...m2m, redirect_uris: [] }, { token: TOKEN })
    expect(answer).toMatchObject({ status: 201, body: { ...m2m, response_types: [] } })
    const { status, body } = await token(answer.body as Registered, { grant_type: 'client_credentials' })
    expect({ status, scope: body.scope }).toEqual({ status: 200, scope: 'read' })
  })

  test.each<[string, string]>([
    ['a wrong one', `Bearer ${TOKEN}x`],
    ['the beginning of one', `Bearer ${TOKEN.slice(0, -1)}`],
    ['Bearer alone', 'Bearer'],
    ['Bearer and a space', 'Bearer '],
    ['two spaces', `Bearer  ${TOKEN}`],
    ['two tokens', `Bearer ${TOKEN} ${TOKEN}`],
    ['what is not ASCII', 'Bearer \u00e9\u00ff'],
    ['another scheme', `Basic ${Buffer.from(`a:${TOKEN}`).toString('base64')}`],
    ['the token alone', TOKEN],
    ['100 KB less than nothing', `Bearer ${'a'.repeat(10_000)}`],
  ])('DCR-02 %s is 401 with a challenge, and nothing is stored', async (_name, authorization) => {
    const before = tables()
    expectUnauthorized(await register(host, web, { authorization }))
    expect(tables()).toEqual(before)
    const event = { endpoint: '/register', error: 'invalid_token', reason: 'registration_token_wrong' }
    expect(host.events.at(-1)).toEqual({ name: 'request.refused', event })
  })

  test('DCR-02 none at all is 401 with a challenge that names no error', async () => {
    expectUnauthorized(await register(host, web), false)
    expect(host.events.at(-1)).toMatchObject({ event: { reason: 'registration_token_missing' } })
  })

  test('do not let in a client that would refresh what it can only have without', async () => {
    const both = { ...m2m, grant_types: ['client_credentials', 'refresh_token'] }
    expectRefused(
      await register(host, both, { token: TOKEN }),
      'invalid_client_metadata',
      /^grant_types has none/,
    )
  })

  test('two Authorization headers are 401, whichever is right', async () => {
    const { hostname, port, pathname } = new URL(`${host.issuer}/register`)
    const status = await new Promise((resolve, reject) => {
      const headers = ['Host', 'localhost', 'Content-Type', 'application/json']
      const twice = ['Authorization', `Bearer ${TOKEN}`, 'Authorization', 'Bearer other']
      const sent = request({
        hostname,
        port,
        path: pathname,
        method: 'POST',
        headers: [...headers, ...twice],
      })
      sent.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject)
      sent.end(JSON.stringify(web))
    })
    expect(status).toBe(401)
  })

  test('a token is in no event and no table', async () => {
    expect(JSON.stringify(host.events) + dump(database)).not.toContain(TOKEN)
  })

  test.each<[string, unknown, RegExp]>([
    ['a short one', ['short'], /initialAccessTokens\[0\] is no text of 32 or more/],
    ['one that no header can carry', [`${TOKEN}!`], /initialAccessTokens\[0\] is no text/],
    ['one that is not set', [TOKEN, undefined], /initialAccessTokens\[1\] is no text/],
    ['a text', TOKEN, /initialAccessTokens is '/],
  ])('%s is refused at start', async (_name, initialAccessTokens, message) => {
    const starting = startHost({ provider: { registration: { initialAccessTokens } as never } })
    await expect(starting).rejects.toThrow(ConfigurationError)
    await expect(starting).rejects.toThrow(message)
  })
})

describe("the host's function", () => {
  let allow: (req: { headers: Record<string, unknown> }) => unknown = () => true
  hosting({ registration: (req) => allow(req as never) as boolean })

  test('sees the request, and lets in whom it likes, who is vouched for then', async () => {
    allow = async ({ headers }) => headers.authorization === 'Bearer of-the-host'
    const { status, body } = await register(host, m2m, { token: 'of-the-host' })
    expect({ status, grant_types: body.grant_types }).toEqual({ status: 201, grant_types: m2m.grant_types })
    expectUnauthorized(await register(host, m2m, { token: 'of-somebody' }))
    expectUnauthorized(await register(host, m2m), false)
  })

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('the directory is down')
      },
    ],
    ['rejects', () => Promise.reject(new Error('the directory is down'))],
    ['says neither yes nor no', () => undefined],
    ['says something like yes', () => 'yes'],
  ])('one that %s is the failure of the server', async (_name, failing) => {
    const before = tables()
    allow = failing
    const answer = await register(host, web)
    expect({ status: answer.status, body: answer.body }).toEqual({
      status: 500,
      body: { error: 'server_error', error_description: expect.not.stringContaining('directory') },
    })
    expectMachineHeaders(answer.headers)
    expect(host.events.at(-1)).toMatchObject({ name: 'server.error', event: { endpoint: '/register' } })
    expect(tables()).toEqual(before)
  })
})

describe('a stranger, where anybody may register', () => {
  hosting({ registration: { allow: 'open', initialAccessTokens: [TOKEN], management: false, perMinute: 3 } })

  test('gets nothing with which to manage, where that is off', async () => {
    const client = await registered(host, web, { token: TOKEN })
    expect(client).not.toHaveProperty('registration_client_uri')
    expect(client).not.toHaveProperty('registration_access_token')
    for (const method of ['GET', 'PUT', 'DELETE'])
      expect((await fetch(`${host.issuer}/register/${client.client_id}`, { method })).status).toBe(404)
  })

  test('DCR-02 is not taken for a stranger where it brings a token that is none', async () => {
    for (const authorization of [`Bearer ${TOKEN}x`, 'Bearer', `Basic ${TOKEN}`])
      expectUnauthorized(await register(host, web, { authorization }))
  })

  test('is let in so often in a minute, counted with all others; what is refused counts nothing', async () => {
    for (let times = 0; times < 5; times++)
      expectRefused(await register(host, { redirect_uris: [] }), 'invalid_redirect_uri', /missing/)
    const same = { ...native, client_name: 'Same' }
    const { client_id } = await registered(host, same)
    for (let times = 0; times < 2; times++) await registered(host, web)

    const before = tables()
    const answer = await register(host, web)
    expect({ status: answer.status, error: answer.body.error }).toEqual({
      status: 429,
      error: 'temporarily_unavailable',
    })
    expectMachineHeaders(answer.headers)
    const wait = Number(answer.headers.get('retry-after'))
    expect(wait).toBeGreaterThan(0)
    expect(wait).toBeLessThanOrEqual(120)
    expect(tables()).toEqual(before)
    expect(host.events.at(-1)).toMatchObject({
      name: 'request.refused',
      event: { reason: 'too_many_registrations' },
    })

    // Whoever is known or vouched for comes in still, and neither counts.
    expect((await registered(host, same)).client_id).toBe(client_id)
    for (let times = 0; times < 5; times++) await registered(host, web, { token: TOKEN })

    host.advance(wait)
    await registered(host, web)
  })

  test('cannot come in more often by coming all at once', async () => {
    host.advance(300)
    const answers = await Promise.all(Array.from({ length: 12 }, () => register(host, web)))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(9)
  })

  test('of many who come at once, each is counted with two writes, however many they are', async () => {
    const kept = faultyStore(openStore(':memory:', Date.now), OPERATIONS)
    let writes = 0
    const amend: FaultyStore['amend'] = (...change) => {
      writes += 1
      return kept.amend(...change)
    }
    // As far away as a database on another machine is.
    const find = (id: string) => setTimeout(2).then(() => kept.find(id))
    const busy = await startHost({
      provider: { store: { ...kept, amend, find }, registration: { allow: 'open', perMinute: 200 } },
    })
    const answers = await Promise.all(Array.from({ length: 30 }, () => register(busy, web)))
    await busy.close()
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(30)
    expect(writes).toBeLessThanOrEqual(60)
  })

  test('keeps no more clients that nobody uses than it could register', async () => {
    host.advance(300)
    const same = { ...native, client_name: 'Kept' }
    await registered(host, same)
    host.advance(DAY * 0.9)
    for (let times = 0; times < 3; times++) await registered(host, web)
    expect((await register(host, same)).status).toBe(429)
  })

  test('is told that the server is busy while the store cannot answer', async () => {
    host.advance(300)
    store.fail('saveClient', 'rejects')
    const answer = await register(host, web)
    store.heal()
    expect({ status: answer.status, error: answer.body.error }).toEqual({
      status: 503,
      error: 'temporarily_unavailable',
    })
  })
})

describe('clients that nothing tells apart', () => {
  hosting({ registration: { allow: 'open', initialAccessTokens: [TOKEN], perMinute: 100_000 } })

  test('are one client: the same id again, whatever the order, and nobody manages it any more', async () => {
    const first = await registered(host, native)
    const before = rows()
    const reversed = Object.fromEntries(Object.entries(native).reverse())
    const again = [await registered(host, native), await registered(host, { ...reversed, unknown: 1 })]
    for (const { registration_access_token, ...answer } of again) {
      const { registration_access_token: _, registration_client_uri: __, ...shared } = first
      expect(registration_access_token).toBeUndefined()
      expect(answer).toEqual(shared)
    }
    expect(rows()).toBe(before)
    for (const method of ['GET', 'DELETE']) expectUnauthorized(await manage(first, method))
    expectUnauthorized(await manage(first, 'PUT', { ...native, client_id: first.client_id }))
    expect((await connected(first)).status).toBe(200)
  })

  test.each<[string, object, object]>([
    ['a redirect URI', native, { ...native, redirect_uris: ['http://127.0.0.1/other'] }],
    ['a name', native, { ...native, client_name: 'Other' }],
    ['a secret', web, web],
    ['a key', { ...web, ...byKey() }, { ...web, ...byKey() }],
  ])('%s tells them apart', async (_name, one, other) => {
    expect((await registered(host, one)).client_id).not.toBe((await registered(host, other)).client_id)
  })

  test('who has an initial access token shares nothing with strangers', async () => {
    const same = { ...native, client_name: 'Vouched' }
    const vouched = await registered(host, same, { token: TOKEN })
    expect((await registered(host, same)).client_id).not.toBe(vouched.client_id)
    expect((await manage(vouched, 'GET')).status).toBe(200)
    expect((await registered(host, same, { token: TOKEN })).client_id).toBe(vouched.client_id)
  })

  test('a client that has changed is shared with nobody', async () => {
    const same = { ...native, client_name: 'Changing' }
    const first = await registered(host, same)
    const { client_id } = first
    const elsewhere = { ...same, client_id, redirect_uris: ['https://evil.example/cb'] }
    expect((await manage(first, 'PUT', elsewhere)).status).toBe(200)
    expect((await manage(first, 'PUT', { ...same, client_id })).status).toBe(200)
    const second = await registered(host, same)
    expect(second.client_id).not.toBe(client_id)
    await host.oauth.clients.update(second.client_id, { skip_consent: true })
    expect((await registered(host, same)).client_id).not.toBe(second.client_id)
  })

  test('of a change and a second registration at once, one is first: what is shared has not changed', async () => {
    const same = { ...native, client_name: 'Racing' }
    const first = await registered(host, same)
    const { client_id } = first
    const { reached, release } = store.hold('saveClient')
    const changing = manage(first, 'PUT', { ...same, client_id, redirect_uris: ['https://evil.example/cb'] })
    await reached
    release()
    const [changed, second] = await Promise.all([changing, registered(host, same)])
    const kept = await host.oauth.clients.get(second.client_id)
    expect(kept?.redirect_uris).toEqual(native.redirect_uris)
    expect([changed.status, second.client_id === client_id]).toEqual(
      changed.status === 200 ? [200, false] : [401, true],
    )
  })

  test('of a deletion and a second registration at once, whoever came second has a client', async () => {
    // So that the store, whose clock is another one, does not tidy up in between.
    host.advance(3600)
    const same = { ...native, client_name: 'Vanishing' }
    const first = await registered(host, same)
    const { reached, release } = store.hold('deleteClient')
    const deleting = manage(first, 'DELETE')
    await reached
    const second = await registered(host, same)
    release()
    expect((await deleting).status).toBe(204)
    expect(second.client_id).not.toBe(first.client_id)
    expect((await connected(second)).status).toBe(200)
  })

  test('one that is verified is shared still; one that is blocked does not come back', async () => {
    const same = { ...native, client_name: 'Judged' }
    const { client_id } = await registered(host, same)
    await host.oauth.clients.update(client_id, { verified: true })
    expect((await registered(host, same)).client_id).toBe(client_id)
    await host.oauth.clients.update(client_id, { disabled: true })
    // Not even when the time is over after which it would have been forgotten.
    host.advance(DAY + 1)
    await host.oauth.purge()
    const before = rows()
    expectRefused(await register(host, same), 'invalid_client_metadata', /blocked/)
    expect(host.events.at(-1)).toMatchObject({ event: { reason: 'client_blocked' } })
    expect(rows()).toBe(before)
    await host.oauth.clients.update(client_id, { disabled: false })
    expect((await registered(host, same)).client_id).toBe(client_id)
  })

  test('two at the same moment may both be there, and both work', async () => {
    const same = { ...native, client_name: 'Twins' }
    const twins = await Promise.all([registered(host, same), registered(host, same)])
    for (const twin of twins) expect((await connected(twin)).status).toBe(200)
  })
})

describe('a client that registered itself', () => {
  hosting({ registration: { allow: 'open', perMinute: 100_000 } })

  test('and gets no token in a day is unknown then, and gone', async () => {
    const client = await registered(host, native)
    host.advance(DAY - 1)
    expect((await refused(client)).reason).toBe('code_unknown')
    host.advance(1)
    const { answer, reason } = await refused(client)
    expect(reason).toBe('client_unknown')
    expect(answer.body.error_description).toMatch(/Register it again/)
    expect({ status: answer.status, error: answer.body.error }).toEqual({
      status: 401,
      error: 'invalid_client',
    })
    expectUnauthorized(await manage(client, 'GET'))
    const agent = await signedIn(host, 'alice')
    const { client_id } = client
    const page = await agent.follow(authorizeUrl(host, { params: { client_id, redirect_uri: LOOPBACK } }))
    expect(page.status).toBe(400)
    expect(page.text).toMatch(/connection .*add it again/)
    expect(await host.oauth.clients.get(client_id)).toBeDefined()
    host.advance(1)
    await host.oauth.purge()
    expect(await host.oauth.clients.get(client_id)).toBeUndefined()
  })

  test('stays for good once it has got a token, and what it was stays with it', async () => {
    const client = await registered(host, { ...native, client_name: 'Staying' })
    const { body } = await connected(client)
    host.advance(2 * DAY)
    await host.oauth.purge()
    const renewed = await token(client, {
      grant_type: 'refresh_token',
      refresh_token: String(body.refresh_token),
    })
    expect(renewed.status).toBe(200)
    expect((await manage(client, 'GET')).body).toMatchObject({ client_name: 'Staying' })
    expect((await registered(host, { ...native, client_name: 'Staying' })).client_id).toBe(client.client_id)
  })

  test('keeps what somebody changed while it got its first token', async () => {
    const client = await registered(host, { ...native, client_name: 'Before' })
    const code = await codeOf(client)
    const { reached, release } = store.hold('consume')
    const connecting = redeemed(client, code)
    await reached
    const metadata = { ...native, client_id: client.client_id, client_name: 'After' }
    expect((await manage(client, 'PUT', metadata)).status).toBe(200)
    release()
    expect((await connecting).status).toBe(200)
    host.advance(DAY + 1)
    expect((await manage(client, 'GET')).body.client_name).toBe('After')
  })

  test('gets its tokens even where it cannot be noted that it stays, and stays with the next', async () => {
    const client = await registered(host, { ...native, client_name: 'Unlucky' })
    store.fail('saveClient', 'rejects')
    const { status, body } = await connected(client)
    store.heal()
    expect(status).toBe(200)
    expect(host.events.filter(({ name }) => name === 'server.error')).toMatchObject([
      { event: { endpoint: '/token' } },
    ])
    await token(client, { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) })
    host.advance(DAY + 1)
    expect((await manage(client, 'GET')).status).toBe(200)
  })

  test('has another day whenever somebody registers the same', async () => {
    const same = { ...native, client_name: 'Again' }
    const { client_id } = await registered(host, same)
    for (let days = 0; days < 3; days++) {
      host.advance(DAY * 0.9)
      expect((await registered(host, same)).client_id).toBe(client_id)
    }
    host.advance(DAY * 0.9)
    expect((await refused({ client_id } as Registered)).reason).toBe('code_unknown')
  })

  test('stays for good once the host has changed it', async () => {
    const { client_id } = await registered(host, { ...native, client_name: 'Known to the host' })
    await host.oauth.clients.update(client_id, { client_uri: 'https://a.example/' })
    host.advance(DAY + 1)
    await host.oauth.purge()
    expect(await host.oauth.clients.get(client_id)).toMatchObject({ source: 'registration' })
  })

  test('is seen by the host as what it is, which may be handed back', async () => {
    const { client_id, client_id_issued_at } = await registered(host, { ...web, client_name: 'Listed' })
    const client = await host.oauth.clients.get(client_id)
    expect(client).toMatchObject({ source: 'registration', client_id_issued_at })
    expect(await host.oauth.clients.list()).toContainEqual(client)
    const { client_id: _, ...rest } = client ?? { client_id }
    const updated = await host.oauth.clients.update(client_id, { ...rest, client_name: 'Renamed' })
    expect(updated).toEqual({ ...client, client_name: 'Renamed' })
    const copy = await host.oauth.clients.create(rest)
    expect(copy).not.toHaveProperty('source')
    expect(await host.oauth.clients.get(String(clients[0]?.client_id))).not.toHaveProperty(
      'client_id_issued_at',
    )
  })

  test('has no secret and no token of it in a table', async () => {
    const { client_secret, registration_access_token } = await registered(host, web)
    for (const secret of [client_secret, registration_access_token])
      expect(dump(database)).not.toContain(secret)
  })
})

describe('behind a body parser of the host', () => {
  beforeAll(async () => {
    await host?.close()
    host = await startHost({
      before: (app) => app.use(express.json({ limit: '1mb' })),
      provider: { registration: 'open' },
    })
  })

  test('what it has read counts, as far as we would have read it', async () => {
    expect((await registered(host, web)).redirect_uris).toEqual([CALLBACK])
    const long = { ...web, software_id: 'a'.repeat(70_000) }
    expectRefused(
      await register(host, long),
      'invalid_client_metadata',
      /^software_id makes the metadata longer than/,
    )
    const deep = `{"redirect_uris":["${CALLBACK}"],"jwks":{"keys":[{"x":${'['.repeat(9000)}${']'.repeat(9000)}}]}}`
    expectRefused(await register(host, deep), 'invalid_client_metadata', /^jwks is nested too deeply/)
    expectRefused(await register(host, '[]'), 'invalid_client_metadata', /^metadata is not a JSON object/)
  })
})

test('where another middleware has read the body and kept nothing, that is said', async () => {
  await host?.close()
  host = await startHost({
    before: (app) => app.use((req, _res, next) => void req.resume().on('end', () => next())),
    provider: { registration: 'open' },
  })
  expectRefused(await register(host, web), 'invalid_request', /read by another middleware/)
  expect(host.events.at(-1)).toMatchObject({
    name: 'request.refused',
    event: { endpoint: '/register', reason: 'body_consumed' },
  })
})

describe('strangers of one network', () => {
  beforeAll(async () => {
    await host?.close()
    database = new Database(':memory:')
    host = await startHost({
      before: (app) => app.set('trust proxy', true),
      provider: { store: database, registration: { allow: 'open', perMinute: 24 } } as never,
    })
  })
  const from = async (address: string) => (await register(host, web, { address })).status

  test('have a quarter, so that they shut nobody else out, and whole networks count as one', async () => {
    const addresses = Array.from({ length: 7 }, (_, index) => `2001:db8::${index}`)
    const answers = []
    for (const address of addresses) answers.push(await from(address))
    expect(answers).toEqual([...addresses.slice(1).map(() => 201), 429])
    expect(host.events.at(-1)).toMatchObject({ event: { reason: 'too_many_registrations' } })
    expect(await from('2001:db8:0:1::1')).toBe(201)
    host.advance(120)
    expect(await from('2001:db8::1')).toBe(201)
  })

  test('are let in no more when all together are enough, and leave nothing behind then', async () => {
    host.advance(300)
    for (let index = 0; index < 24; index++) expect(await from(`192.0.2.${index % 6}`)).toBe(201)
    const before = tables()
    for (const address of ['198.51.100.1', '198.51.100.2']) expect(await from(address)).toBe(429)
    expect(tables()).toEqual(before)
  })

  test('bring nothing into the audit log until they get a token', async () => {
    host.advance(300)
    const client = await registered(host, { ...native, client_name: 'Heard of' })
    const gone = await registered(host, web)
    expect((await manage(gone, 'PUT', { ...web, client_id: gone.client_id, client_name: 'x' })).status).toBe(
      200,
    )
    expect((await manage(gone, 'DELETE')).status).toBe(204)
    expect(host.events.slice(-3).map(({ event }) => event)).toEqual([
      { clientId: gone.client_id, change: 'created', by: 'client', onProbation: true },
      { clientId: gone.client_id, change: 'updated', by: 'client', onProbation: true },
      { clientId: gone.client_id, change: 'deleted', by: 'client', onProbation: true },
    ])
    expect(await host.oauth.audit.list()).toEqual([])
    await connected(client)
    const metadata = { ...native, client_id: client.client_id, client_name: 'Known' }
    expect((await manage(client, 'PUT', metadata)).status).toBe(200)
    expect((await manage(client, 'DELETE')).status).toBe(204)
    expect(
      (await host.oauth.audit.list({ event: 'client.changed' })).map(({ details, by }) => [details, by]),
    ).toEqual([
      [{ change: 'deleted' }, 'client'],
      [{ change: 'updated' }, 'client'],
    ])
  })
})

describe('the option registration', () => {
  test.each<[unknown, RegExp]>([
    [{}, /registration lets nobody register\. Add allow/],
    [true, /registration is true\. Pass false, 'open'/],
    [{ alow: 'open' }, /registration\.alow is not known\. Did you mean registration\.allow/],
    [{ allow: 'all' }, /registration\.allow is 'all'/],
    [{ allow: 'open', perMinute: 0 }, /registration\.perMinute is 0\. Pass a whole number from 1/],
    [{ allow: 'open', management: 'no' }, /registration\.management is 'no'/],
    [
      { allow: 'open', requireSoftwareStatement: true },
      /requireSoftwareStatement is true, and no software statement counts/,
    ],
  ])('%p is refused at start', async (registration, message) => {
    const starting = startHost({ provider: { registration: registration as never } })
    await expect(starting).rejects.toThrow(ConfigurationError)
    await expect(starting).rejects.toThrow(message)
  })
})

/** How the token endpoint refuses a code that there is not. */
async function refused(client: Registered): Promise<{ answer: RawAnswer; reason: unknown }> {
  const answer = await token(client, {
    grant_type: 'authorization_code',
    code: 'none',
    code_verifier: VERIFIER,
  })
  return { answer, reason: host.events.findLast(({ name }) => name === 'token.refused')?.event.reason }
}

function byKey(): object {
  const { d: _, ...key } = pkjKey
  return { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key] } }
}
