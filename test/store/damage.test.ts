import Database from 'better-sqlite3'
import pg from 'pg'
import type { OAuthProviderOptions } from '../../lib/index.js'
import { postgresStore } from '../../lib/store/postgres.js'
import { inputValue } from '../support/agent.js'
import { signJwt } from '../support/assertions.js'
import { clients, pkjKey } from '../support/clients.js'
import { type Contents, postgresContents, sqliteContents } from '../support/contents.js'
import { documentOf, REDIRECT_URI, startDocumentSite } from '../support/documents.js'
import {
  authorizeUrl,
  callApi,
  decide,
  destination,
  getTokens,
  postToken,
  redeem,
  refresh,
  signedIn,
  toConsent,
} from '../support/flow.js'
import { type Host, startHost, type User } from '../support/host.js'
import { type PostgresServer, startPostgres } from '../support/postgres.js'

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const STAFF = 'https://staff.example'
const CALLBACK = 'https://rp.example/cb'
const { d: _private, ...pkjPublicKey } = pkjKey

const provider: Partial<OAuthProviderOptions<User>> = {
  admin: () => true,
  clients: [
    ...clients,
    {
      ...{ client_id: 'service', client_secret: 'service-secret', scope: 'read write' },
      ...{ grant_types: ['authorization_code', 'refresh_token', JWT_BEARER], redirect_uris: [CALLBACK] },
    },
  ],
  trustedIssuers: { [STAFF]: { jwks: { keys: [pkjPublicKey] }, user: ({ sub }) => String(sub) } },
}

interface Kept {
  readonly store: NonNullable<OAuthProviderOptions['store']>
  readonly contents: Contents
  close(): unknown
}

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server.stop())

const stores: Record<string, () => Promise<Kept>> = {
  async SQLite() {
    const db = new Database(':memory:')
    return { store: db, contents: sqliteContents(db), close: () => db.close() }
  },
  async PostgreSQL() {
    const pool = new pg.Pool({ connectionString: await server.createDatabase() })
    return { store: postgresStore(pool), contents: postgresContents(pool), close: () => pool.end() }
  },
}

describe.each(Object.keys(stores))('what is damaged in %s', (name) => {
  let kept: Kept
  let host: Host
  let contents: Contents
  beforeEach(async () => {
    kept = await stores[name]!()
    contents = kept.contents
    host = await startHost({ provider: { ...provider, store: kept.store } })
  })
  afterEach(async () => {
    await host.close()
    await kept.close()
  })

  /** What the host has been told of damage. */
  function told(): string[] {
    return host.events
      .filter(({ name, event }) => name === 'server.error' && event.endpoint === 'store')
      .map(({ event }) => (event.error as Error).message)
  }
  const register = (client_id: string) =>
    host.oauth.clients.create({
      ...{ client_id, client_secret: `${client_id}-secret`, client_name: client_id },
      redirect_uris: [CALLBACK],
    })
  const atApi = async (token: string) => (await callApi(host, '/api/read', token)).status
  /** A grant as this store writes it. */
  const access = (scopes: unknown) =>
    JSON.stringify(name === 'SQLite' ? { [host.origin]: scopes } : [[host.origin, scopes]])

  test.each([
    ['is no JSON', () => '{"id":"dam'],
    ['is something else', () => '[]'],
    ['is that of another client', (text: string) => text.replaceAll('"damaged"', '"another"')],
    ['has lost a member', (text: string) => text.replace('"disabled":false,', '')],
    ['has a member that it cannot have', (text: string) => text.replace(/("redirectUris":)[^\]]*\]/, '$15')],
  ])(
    'a client whose row %s is unknown to everybody, the host is told once, and it can be mended',
    async (_, damage) => {
      await register('damaged')
      const [row] = await contents.read('oauth_clients', 'data')
      await contents.write('oauth_clients', 'data', damage(row!.text))
      const agent = await signedIn(host, 'alice')
      for (let time = 0; time < 2; time++) {
        const page = await agent.get(authorizeUrl(host, { client: 'damaged' }))
        expect([page.status, page.location]).toEqual([400, undefined])
        const { status, body } = await refresh(host, 'x', { client: 'damaged' })
        expect([status, body.error]).toEqual([401, 'invalid_client'])
      }
      expect(told()).toEqual([expect.stringMatching(/^The client 'damaged' in the store is damaged.*backup/)])
      expect(await host.oauth.clients.get('damaged')).toBeUndefined()
      await expect(register('damaged')).rejects.toThrow('client_id is taken')
      await expect(host.oauth.clients.update('damaged', {})).rejects.toThrow('There is no client')
      await contents.write('oauth_clients', 'data', row!.text)
      expect((await getTokens(host, { client: 'damaged' })).access_token).toMatch(/./)
    },
  )

  test('a damaged client is left out of lists, and all others are there, page by page', async () => {
    const ids = Array.from({ length: 105 }, (_, index) => `c${String(index).padStart(3, '0')}`)
    for (const id of ids) {
      await register(id)
      host.advance(1)
    }
    for (const id of ['c010', 'c050', 'c055', 'c104']) await contents.write('oauth_clients', 'data', '{', id)
    const whole = ids.filter((id) => !['c010', 'c050', 'c055', 'c104'].includes(id))
    const listed = (await host.oauth.clients.list()).map(({ client_id }) => client_id)
    expect(listed.slice(-whole.length)).toEqual(whole)
    const agent = await signedIn(host, 'alice')
    const shown: string[] = []
    for (let url: string | undefined = `${host.issuer}/admin`; url !== undefined; ) {
      const { text } = await agent.get(url)
      shown.push(...[...text.matchAll(/client\?id=(c\d{3})"/g)].map(([, id]) => id!))
      const next = /href="([^"]*after=[^"]*)"/.exec(text)?.[1]?.replaceAll('&amp;', '&')
      url = next && new URL(next, host.origin).href
    }
    expect([...new Set(shown)].sort()).toEqual(whole)
  })

  test('a damaged client can be deleted, and made anew', async () => {
    await register('damaged')
    const { access_token } = await getTokens(host, { client: 'damaged' })
    await contents.write('oauth_clients', 'data', '{', 'damaged')
    expect(await host.oauth.clients.delete('damaged')).toBe(true)
    expect(await atApi(access_token)).toBe(401)
    expect(await host.oauth.clients.delete('damaged')).toBe(false)
    await register('damaged')
    expect((await getTokens(host, { client: 'damaged' })).access_token).toMatch(/./)
  })

  test('a client whose revision is damaged is not changed, and nobody waits for that', async () => {
    await register('damaged')
    const [row] = await contents.read('oauth_clients', 'data')
    await contents.write('oauth_clients', 'data', row!.text.replace('"revision":1', '"revision":7'))
    await expect(host.oauth.clients.update('damaged', { client_name: 'B' })).rejects.toThrow(
      "The client 'damaged' in the store is damaged: its revision",
    )
  })

  const damagedAccess = [
    ['is a number', () => '5'],
    ['is nothing', () => 'null'],
    ['is another list', () => '["x"]'],
    ['has no list of scopes', () => access('read')],
    ['has scopes that are none', () => access(['read', 5])],
  ] as const
  test.each(damagedAccess)(
    'a grant whose access %s is no consent: the user is asked again, can end it, and what is allowed then counts',
    async (_, damaged) => {
      const { access_token, refresh_token, agent } = await getTokens(host)
      await contents.write('oauth_grants', 'access', damaged())
      const { page } = await toConsent(host, { agent })
      expect(page.text).toContain('name="decision"')
      expect(told()).toEqual([
        expect.stringMatching(/^The grant '.*' in the store is damaged.*'alice'.*'conf'/),
      ])
      const [shown] = await host.oauth.grants.list({ userId: 'alice' })
      expect(shown).toMatchObject({ userId: 'alice', clientId: 'conf', access: {} })
      const code = destination(await decide(agent, page, 'approve')).searchParams.get('code') ?? ''
      const again = await redeem(host, code)
      expect([again.status, await atApi(again.body.access_token)]).toEqual([200, 200])
      // They belong to a consent of which nobody knows what it was.
      expect(await atApi(access_token)).toBe(401)
      expect((await refresh(host, refresh_token)).body.error).toBe('invalid_grant')
      const grants = await host.oauth.grants.list({ userId: 'alice' })
      expect(grants).toEqual([expect.objectContaining({ access: { [host.origin]: ['read'] } })])
      expect(grants[0]?.id).not.toBe(shown?.id)
      const { location } = await agent.get(authorizeUrl(host))
      expect(location).toContain('code=')
    },
  )

  test('a user sees that there is a damaged grant, and ends it with all its tokens', async () => {
    const { access_token, agent } = await getTokens(host)
    await contents.write('oauth_grants', 'access', '5')
    const page = await agent.get(`${host.issuer}/authorized-applications`)
    expect(page.status).toBe(200)
    const form = { _csrf: inputValue(page, '_csrf'), grant: inputValue(page, 'grant') }
    expect((await agent.post(page.url, { ...form, scope: 'read' })).status).toBe(303)
    expect((await agent.post(page.url, form)).status).toBe(303)
    expect(await atApi(access_token)).toBe(401)
    expect(await host.oauth.grants.list({ userId: 'alice' })).toEqual([])
  })

  test('damaged claims of a grant: the user is asked again', async () => {
    const params = { scope: 'openid read', claims: '{"userinfo":{"name":null}}' }
    const { agent } = await getTokens(host, { params })
    await contents.write('oauth_grants', 'claims', '{}')
    const { page } = await toConsent(host, { agent, params })
    expect(destination(await decide(agent, page, 'approve')).searchParams.get('code')).toMatch(/./)
  })

  const damagedWithdrawn = ['5', '"read"', '{}', '["read", 5]', 'null']
  test.each(damagedWithdrawn)(
    'where what was withdrawn from a grant says %s, no token of it works, and one that is allowed anew does',
    async (damaged) => {
      const { access_token, refresh_token, agent } = await getTokens(host, {
        params: { scope: 'read write' },
      })
      await host.oauth.grants.withdraw({ userId: 'alice' }, ['write'])
      expect(await atApi(access_token)).toBe(200)
      await contents.write('oauth_grants', 'withdrawn', damaged)
      expect(await atApi(access_token)).toBe(401)
      expect((await refresh(host, refresh_token)).body.error).toBe('invalid_grant')
      const again = await getTokens(host, { agent })
      expect(await atApi(again.access_token)).toBe(200)
      expect(await atApi(access_token)).toBe(401)
      expect((await callApi(host, '/api/write', again.access_token)).status).toBe(403)
    },
  )

  test('what has lost the grant that it hung on is good for nothing', async () => {
    const { access_token, refresh_token } = await getTokens(host)
    expect(await atApi(access_token)).toBe(200)
    await contents.run('UPDATE oauth_records SET grant_id = NULL')
    expect(await atApi(access_token)).toBe(401)
    expect((await refresh(host, refresh_token)).body.error).toBe('invalid_grant')
  })

  describe('a trusted issuer brings back nothing that a user has withdrawn', () => {
    const vouch = () => {
      const [iat, jti] = [Math.floor(host.now() / 1000), String(Math.random())]
      const claims = { iss: STAFF, sub: 'alice', aud: host.issuer, iat, exp: iat + 60, jti }
      const assertion = signJwt({ alg: 'ES256' }, claims, pkjKey)
      return postToken(
        host,
        { grant_type: JWT_BEARER, assertion, scope: 'read write' },
        { client: 'service' },
      )
    }
    beforeEach(async () => {
      await getTokens(host, { client: 'service', params: { scope: 'read write' } })
      await host.oauth.grants.withdraw({ userId: 'alice' }, ['write'])
      expect((await vouch()).body.scope).toBe('read')
    })

    test('where what they allow is damaged', async () => {
      await contents.write('oauth_grants', 'access', '5')
      const { status, body } = await vouch()
      expect([status, body.scope]).toEqual([200, 'read'])
      expect(await atApi(body.access_token)).toBe(200)
      expect((await host.oauth.grants.list({ userId: 'alice' }))[0]?.withdrawn).toEqual(['write'])
    })

    test('where what was withdrawn is damaged: until the user allows something again, it brings nothing', async () => {
      await contents.write('oauth_grants', 'withdrawn', '5')
      const { status, body } = await vouch()
      expect([status, body.error]).toEqual([400, 'invalid_grant'])
      await getTokens(host, { client: 'service' })
      expect((await vouch()).status).toBe(200)
    })
  })

  test.each(['5', '["x"]', 'null'])(
    'scopes are withdrawn from all, and a grant whose access says %s is ended',
    async (damaged) => {
      const bob = await getTokens(host, { user: 'bob', params: { scope: 'read write' } })
      const alice = await getTokens(host, { params: { scope: 'read write' } })
      const [{ id } = { id: '' }] = await host.oauth.grants.list({ userId: 'alice' })
      await contents.write('oauth_grants', 'access', damaged, id)
      expect(await host.oauth.grants.withdraw({ clientId: 'conf' }, ['write'])).toBe(2)
      expect(host.events.filter(({ name }) => name === 'grant.revoked')).toMatchObject([
        { event: { userId: 'alice', clientId: 'conf', grantId: id, by: 'host' } },
      ])
      expect((await callApi(host, '/api/write', bob.access_token)).status).toBe(403)
      expect(await atApi(bob.access_token)).toBe(200)
      expect(await atApi(alice.access_token)).toBe(401)
      expect(await host.oauth.grants.list({ userId: 'alice' })).toEqual([])
      expect(told()).toHaveLength(1)
    },
  )

  test('an entry of the audit log whose details are damaged is listed without them', async () => {
    const { agent } = await getTokens(host)
    const before = await host.oauth.audit.list()
    for (const damaged of ['{', '5', '[]']) {
      await contents.write('oauth_audit', 'details', damaged)
      const entries = await host.oauth.audit.list()
      expect(entries).toEqual(before.map(({ details: _, ...entry }) => entry))
      expect((await agent.get(`${host.issuer}/admin/audit`)).status).toBe(200)
    }
  })
})

test('a client by document that was blocked stays unknown where its row is damaged, and its site is not asked', async () => {
  const site = await startDocumentSite()
  const db = new Database(':memory:')
  const host = await startHost({
    provider: {
      ...{ store: db, clientMetadataDocuments: 'open', allowPrivateAddresses: ['127.0.0.1', '::1'] },
    },
  })
  const client = site.serve('/client.json', documentOf({ token_endpoint_auth_method: 'none' }))
  const asking = { client, params: { redirect_uri: REDIRECT_URI } }
  const { agent, page } = await toConsent(host, asking)
  await decide(agent, page, 'approve')
  await host.oauth.clients.update(client, { disabled: true })
  await sqliteContents(db).write('oauth_clients', 'data', '{', client)
  site.requests.length = 0
  const answer = await agent.get(authorizeUrl(host, asking))
  expect([answer.status, answer.location]).toEqual([400, undefined])
  expect(site.requests).toEqual([])
  await host.close()
  await site.close()
})
