import { randomBytes } from 'node:crypto'
import type { OAuthProviderOptions } from '../lib/index.js'
import { openStore } from '../lib/store/open.js'
import type { Client, Grant } from '../lib/store/records.js'
import type { Store } from '../lib/store/store.js'
import { Agent, type Form, inputValue, type Page } from './support/agent.js'
import { expectErrorPage, expectPageHeaders } from './support/answers.js'
import { callApi, getTokens, refresh, signedIn, toConsent } from './support/flow.js'
import { type Host, startHost, type User } from './support/host.js'
import { expectRefusal } from './support/token-endpoint.js'
import { expectDead } from './support/tokens.js'

const PATHS = ['/admin', '/admin/client', '/admin/user', '/admin/audit']
const PAYLOADS = [
  `"><svg onload=alert(1)>`,
  `'-alert(1)-'`,
  '<%=1111*1111%>{{1111*1111}}',
  'javascript:alert(1)',
]

let host: Host
let store: Store
let admins: Set<string>

async function start(provider: Partial<OAuthProviderOptions<User>> = {}): Promise<void> {
  admins = new Set(['root'])
  store = openStore(':memory:', Date.now)
  host = await startHost({
    provider: { admin: (user) => admins.has(user.id), store, ...provider },
  })
  host.users.set('root', { id: 'root', name: 'Root', email: 'root@host.example' })
}

/** A client as it comes by itself, straight into the store. */
async function stranger(more: Partial<Client> = {}): Promise<Client> {
  const client: Client = {
    ...{ id: randomBytes(8).toString('hex'), revision: 1, name: 'Stranger', source: 'registration' },
    ...{ confidential: false, redirectUris: ['https://stranger.example/cb'], createdAt: host.now() },
    ...{ grantTypes: ['authorization_code', 'refresh_token'], skipConsent: false, requirePkce: true },
    ...{ tokenEndpointAuthMethod: 'none', disabled: false },
    ...more,
  }
  expect(await store.saveClient(client)).toBe(true)
  return client
}

async function grant(userId: string, clientId: string, more: Partial<Grant> = {}): Promise<Grant> {
  const id = randomBytes(16).toString('base64url')
  const access = { [host.origin]: ['read', 'write'] }
  return store.saveGrant({ id, userId, clientId, access, createdAt: host.now(), ...more })
}

const url = (page: string, query: Record<string, string> = {}) =>
  `${host.issuer}/admin${page}?${new URLSearchParams(query)}`

async function root(): Promise<Agent> {
  return signedIn(host, 'root')
}

/** Posts a form of ours, as the page has it, and goes where it leads. */
async function act(agent: Agent, page: string, form: Form): Promise<Page> {
  const confirm = ['verify', 'unblock'].includes(String(form.act)) ? '' : 'revoke'
  const shown = await agent.get(url(page, { id: String(form.id), confirm, withdraw: 'read' }))
  const answer = await agent.post(`${host.issuer}/admin${page}`, {
    _csrf: inputValue(shown, '_csrf'),
    ...(/name="revision"/.test(shown.text) && { revision: inputValue(shown, 'revision') }),
    ...form,
  })
  expect(answer.status).toBe(303)
  return agent.get(answer.location ?? '')
}

/** What was done, or why nothing was. */
const notice = (page: Page) =>
  new RegExp(`role="${page.status === 200 ? 'status' : 'alert'}">([^<]*)<`).exec(page.text)?.[1]
const told = (name: string) => host.events.filter((event) => event.name === name).map(({ event }) => event)

describe('who may', () => {
  beforeAll(() => start())
  afterAll(() => host.close())

  test('signed out, every page leads to the login by GET and POST, and back to /admin', async () => {
    for (const path of PATHS) {
      for (const method of ['GET', 'POST']) {
        const page = await new Agent(host).request(host.issuer + path, {
          ...{
            method,
            ...(method === 'POST' && { body: new URLSearchParams({ act: 'delete', id: 'pub' }) }),
          },
        })
        expect([page.status, page.location]).toEqual([303, `${host.origin}/login?return_to=/oauth/admin`])
      }
    }
  })

  test('a user who is no administrator gets 403, whatever is there or not, and nothing of it', async () => {
    const { id } = await stranger()
    const agent = await signedIn(host, 'alice')
    const pages: Page[] = []
    for (const path of PATHS) {
      pages.push(await agent.get(`${host.issuer}${path}?id=${id}`))
      pages.push(await agent.get(`${host.issuer}${path}?id=nobody`))
      pages.push(await agent.post(host.issuer + path, { id, act: 'delete', scope: 'read' }))
    }
    for (const page of pages) {
      expectErrorPage(page, { status: 403, code: 'access_denied' })
      expect(page.text).toContain('You have no access to this page')
      expect(page.text).not.toMatch(/Stranger|csrf|<form|Audit|admin\//)
    }
    expect(new Set(pages.map(({ text }) => text.replace(/<bdi>[^<]*<\/bdi>|nonce="[^"]*"/g, ''))).size).toBe(
      1,
    )
    expect(await store.findClient(id)).toBeDefined()
    expect(told('request.refused').at(-1)).toMatchObject({
      endpoint: '/admin/audit',
      reason: 'not_an_administrator',
    })
  })

  test('a user whom findUser no longer finds counts as signed out', async () => {
    const agent = await root()
    host.users.delete('root')
    expect((await agent.get(url(''))).location).toContain('/login')
    host.users.set('root', { id: 'root', name: 'Root', email: 'root@host.example' })
  })

  test('an administrator who is none any more when the form comes changes nothing', async () => {
    const { id } = await stranger()
    const agent = await root()
    const _csrf = inputValue(await agent.get(url('/client', { id, confirm: 'delete' })), '_csrf')
    admins.delete('root')
    const page = await agent.post(url('/client'), { _csrf, id, act: 'delete' })
    admins.add('root')
    expectErrorPage(page, { status: 403, code: 'access_denied' })
    expect(await store.findClient(id)).toBeDefined()
  })

  test('without a token of the form, or with that of another session, nothing happens', async () => {
    const { id } = await stranger()
    const other = inputValue(await (await root()).get(url('/client', { id, confirm: 'delete' })), '_csrf')
    for (const _csrf of [undefined, '', 'x', other]) {
      const agent = await root()
      await agent.get(url('/client', { id }))
      const page = await agent.post(url('/client'), { _csrf, id, act: 'delete' })
      expect(page.status).toBe(403)
      expect(notice(page)).toBe('This page had expired. Nothing was changed; please try again.')
    }
    expect(await store.findClient(id)).toBeDefined()
  })

  test('no GET changes anything', async () => {
    const { id } = await stranger()
    const { id: grantId } = await grant('alice', id)
    const agent = await root()
    for (const act of ['delete', 'block', 'revoke', 'verify', 'withdraw']) {
      const asked = { id, act, confirm: act, grant: grantId, scope: 'read', withdraw: 'read' }
      for (const page of ['', '/client', '/user', '/audit']) await agent.get(url(page, asked))
      await agent.get(url('/user', { ...asked, id: 'alice' }))
    }
    expect(await store.findClient(id)).toMatchObject({ revision: 1, disabled: false })
    expect((await store.findGrant('alice', id))?.access).toEqual({ [host.origin]: ['read', 'write'] })
  })

  test('HDR-02 and a 405 for any other method', async () => {
    const agent = await root()
    for (const path of PATHS) {
      expectPageHeaders(await agent.get(host.issuer + path))
      const page = await agent.request(host.issuer + path, { method: 'DELETE' })
      expect([page.status, page.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST'])
    }
  })
})

test('without the option admin there are no such pages', async () => {
  host = await startHost()
  for (const path of PATHS) expect((await (await root()).get(host.issuer + path)).status).toBe(404)
  await host.close()
})

test('what is no boolean lets nobody in, and is warned of', async () => {
  await start({ admin: (() => ['no role']) as never })
  expectErrorPage(await (await root()).get(url('')), { status: 403, code: 'access_denied' })
  expect(told('warning')).toEqual([
    { code: 'admin_not_boolean', message: expect.stringContaining('boolean') },
  ])
  await host.close()
})

test('what the host throws is its own error, and lets nobody in', async () => {
  await start({
    admin: () => {
      throw new Error('no database')
    },
  })
  expect((await (await root()).get(url(''))).status).toBe(500)
  expect(told('server.error')).toEqual([{ error: new Error('no database'), endpoint: '/admin' }])
  await host.close()
})

describe('the list of clients', () => {
  beforeAll(() => start())
  afterAll(() => host.close())

  const listed = (page: Page) =>
    [...page.text.matchAll(/<th role="rowheader"[^>]*><a [^>]*><bdi>([^<]*)</g)].map(([, name]) => name)

  test('has those of the configuration, then the newest first, in pages of fifty', async () => {
    for (let i = 1; i <= 60; i++) {
      await stranger({ name: `App ${i}`, createdAt: host.now() + i })
    }
    const agent = await root()
    const first = await agent.get(url(''))
    const names = listed(first)
    expect(names.slice(0, 2)).toEqual(['Confidential', 'Confidential Two'])
    expect(names.filter((name) => name?.startsWith('App'))).toEqual(
      Array.from({ length: 50 }, (_, i) => `App ${60 - i}`),
    )
    const next = /<a href="([^"]+)" rel="next"/
      .exec(first.text)?.[1]
      ?.replaceAll('&amp;', '&')
      .replaceAll('&#38;', '&')
    const second = await agent.get(next ?? '')
    expect(listed(second)).toEqual(Array.from({ length: 10 }, (_, i) => `App ${10 - i}`))
    expect(second.text).not.toContain('rel="next"')
    expect(second.text).toContain('First page')
  })

  test('finds by name and id, whatever the case', async () => {
    await stranger({ id: 'https://Photos.example/client.json', name: 'Photos' })
    const agent = await root()
    expect(listed(await agent.get(url('', { q: 'PHOTOS.EXAMPLE' })))).toEqual(['Photos'])
    expect(listed(await agent.get(url('', { q: 'hoto' })))).toEqual(['Photos'])
    expect(listed(await agent.get(url('', { q: 'confidential t' })))).toEqual(['Confidential Two'])
    const none = await agent.get(url('', { q: "' OR '1'='1" }))
    expect(listed(none)).toEqual([])
    expect(none.text).toContain('No application has this in its name or ID.')
    expect((await agent.get(url('', { after: 'nonsense' }))).status).toBe(200)
  })

  test('says where each came from, and whether it is verified or blocked', async () => {
    await stranger({ name: 'Badges 1', source: 'user', ownerId: 'alice', verified: true })
    await stranger({ name: 'Badges 2', source: 'document', disabled: true })
    await host.oauth.clients.create({ client_name: 'Badges 3', redirect_uris: ['https://a.example/cb'] })
    const { text } = await (await root()).get(url('', { q: 'Badges' }))
    const badges = [...text.matchAll(/<tr role="row">[\s\S]*?<\/tr>/g)].slice(1).map(([row]) => {
      const name = /<bdi>([^<]*)</.exec(row)?.[1] ?? ''
      return [name, ...[...row.matchAll(/class="badge[^>]*>([^<]*)</g)].map(([, badge]) => badge)]
    })
    expect(badges.sort()).toEqual([
      ['Badges 1', 'Made by a user', 'Verified'],
      ['Badges 2', 'Described at its URL', 'Not verified', 'Blocked'],
      ['Badges 3', 'Created by the site'],
    ])
  })
})

describe('a client', () => {
  beforeEach(() => start({ keepAddresses: true }))
  afterEach(() => host.close())

  test('is shown with its owner, its redirect URIs and all of its metadata, and without its secrets', async () => {
    const { client_id: id = '', client_secret = '' } = await host.oauth.clients.create({
      client_name: 'Shown',
      redirect_uris: ['https://a.example/cb', 'https://b.example/cb'],
      owner_id: 'alice',
      contacts: ['a@a.example'],
    })
    const { text, status } = await (await root()).get(url('/client', { id }))
    expect(status).toBe(200)
    for (const shown of ['Shown', id, 'https://a.example/cb', 'https://b.example/cb', 'a@a.example'])
      expect(text).toContain(shown)
    expect(text).toContain('/oauth/admin/user?id=alice')
    const stored = await store.findClient(id)
    for (const secret of [client_secret, JSON.stringify(stored?.secret).slice(11, 40)]) {
      expect(secret.length).toBeGreaterThan(20)
      expect(text).not.toContain(secret)
    }
  })

  test('that there is not is 404, by GET and POST', async () => {
    const agent = await root()
    for (const query of [{ id: 'nobody' }, {} as { id: string }])
      expect((await agent.get(url('/client', query))).status).toBe(404)
    const _csrf = inputValue(await agent.get(url('/user', { id: 'alice', confirm: 'revoke' })), '_csrf')
    const page = await agent.post(url('/client'), { _csrf, id: 'nobody', act: 'delete' })
    expect(page.status).toBe(404)
    expect(page.text).toContain('There is no such application')
  })

  test('of the configuration can be read, and what users allowed it ended; nothing else', async () => {
    const tokens = await getTokens(host)
    const agent = await root()
    const shown = await agent.get(url('/client', { id: 'conf' }))
    expect(shown.text).toContain('can be changed only there')
    expect(shown.text).not.toMatch(/value="(?:block|delete|verify)"/)
    const _csrf = inputValue(shown, '_csrf')
    for (const act of ['verify', 'unverify', 'block', 'unblock', 'delete']) {
      const page = await agent.post(url('/client'), { _csrf, id: 'conf', act })
      expect([page.status, notice(page)]).toEqual([
        400,
        expect.stringContaining('part of the site’s configuration'),
      ])
    }
    expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(200)
    expect(notice(await act(agent, '/client', { id: 'conf', act: 'revoke' }))).toBe('Revoked: 1')
    await expectDead(host, tokens)
  })

  test('verify and take it back: told and recorded with the administrator, and it stays for good', async () => {
    const { id } = await stranger({ expiresAt: host.now() + 1000 })
    const agent = await root()
    expect(notice(await act(agent, '/client', { id, act: 'verify' }))).toBe('The application is verified.')
    const verified = await store.findClient(id)
    expect(verified).toMatchObject({ verified: true })
    expect(verified).not.toHaveProperty('expiresAt')
    // Once more, as a reload or a second administrator does.
    await act(agent, '/client', { id, act: 'verify' })
    await act(agent, '/client', { id, act: 'unverify' })
    expect(await store.findClient(id)).toMatchObject({ verified: false })
    const by = 'admin:root'
    expect(told('client.changed')).toEqual([
      { clientId: id, change: 'verified', by },
      { clientId: id, change: 'unverified', by },
    ])
    const [entry] = await host.oauth.audit.list({ clientId: id, event: 'client.changed' })
    expect(entry).toMatchObject({
      by,
      details: { change: 'unverified' },
      address: expect.stringContaining('127.0.0.1'),
    })
  })

  test('that has changed since the page was opened is not verified or unblocked, but shown again', async () => {
    const before = await stranger()
    const { id } = before
    const agent = await root()
    const seen = await agent.get(url('/client', { id }))
    const form = { _csrf: inputValue(seen, '_csrf'), id, revision: inputValue(seen, 'revision') }
    const changed = { ...before, revision: 2, name: 'Your Bank', redirectUris: ['https://evil.example/cb'] }
    expect(await store.saveClient(changed)).toBe(true)
    const { revision: _, ...without } = form
    for (const posted of [form, without, { ...form, revision: '' }, { ...form, revision: '2x' }]) {
      const page = await agent.post(url('/client'), { ...posted, act: 'verify' })
      expect([page.status, notice(page)]).toEqual([
        409,
        expect.stringContaining('has changed since you opened'),
      ])
      expect(page.text).toContain('https://evil.example/cb')
      expect((await agent.post(url('/client'), { ...posted, act: 'unblock' })).status).toBe(409)
    }
    expect(await store.findClient(id)).toEqual(changed)
    expect(told('client.changed')).toEqual([])
    // It cannot keep itself from being blocked by changing all the time.
    expect((await agent.post(url('/client'), { ...form, act: 'block' })).status).toBe(303)
    expect(await store.findClient(id)).toMatchObject({ disabled: true })
  })

  test('is called as users see it called, so that nothing in its name misleads who looks at it', async () => {
    const { id } = await stranger({ name: '\u202eYour\u200b Bank\n'.padEnd(90, '!') })
    await grant('alice', id)
    const agent = await root()
    const name = 'Your Bank '.padEnd(60, '!')
    const pages = [url('', { q: id }), url('/client', { id }), url('/user', { id: 'alice' })]
    for (const page of [...pages, url('/client', { id, confirm: 'delete' })])
      expect((await agent.get(page)).text).toContain(`<bdi>${name}…</bdi>`)
  })

  test('shows in the open what users see of it in any language, and what it links to', async () => {
    const { id } = await stranger({
      uri: 'https://site.example/',
      localized: { 'client_name#de': 'Ihre Bank', 'policy_uri#fr': 'https://policy.example/' },
    })
    const { text } = await (await root()).get(url('/client', { id }))
    const open = text.replace(/<details>.*?<\/details>/s, '')
    for (const shown of ['client_name#de', 'Ihre Bank', 'https://site.example/', 'https://policy.example/'])
      expect(open).toContain(shown)
  })

  test('block: everything that it has is dead at once and it gets nothing; unblocked, users can connect it anew', async () => {
    await shop()
    const tokens = await getTokens(host, { client: 'shop' })
    await getTokens(host, { user: 'bob' })
    host.events.length = 0
    const agent = await root()
    const asked = await agent.get(url('/client', { id: 'shop', confirm: 'block' }))
    expect(asked.text).toContain('Block <bdi>Shop</bdi>?')
    expect(asked.text).toContain('its tokens are refused from now on')
    expect(notice(await act(agent, '/client', { id: 'shop', act: 'block' }))).toBe(
      'The application is blocked.',
    )

    for (const path of ['/api/read', '/oauth/userinfo'])
      expect((await callApi(host, path, tokens.access_token)).status).toBe(401)
    expectRefusal(await refresh(host, tokens.refresh_token, { client: 'shop' }), 401, 'invalid_client')
    expectErrorPage((await toConsent(host, { client: 'shop' })).page, {
      code: 'invalid_request',
    })
    expect(told('client.changed')).toEqual([{ clientId: 'shop', change: 'blocked', by: 'admin:root' }])
    expect(told('grant.revoked')).toEqual([{ clientId: 'shop', by: 'admin:root' }])
    expect(await host.oauth.grants.list({ userId: 'bob' })).toHaveLength(1)

    await act(agent, '/client', { id: 'shop', act: 'unblock' })
    await expectDead(host, tokens, { client: 'shop' })
    const { page } = await toConsent(host, { client: 'shop' })
    expect(page.text).toContain('name="decision"')
  })

  test('delete: asks first, then it is gone with all that it had', async () => {
    const { id } = await stranger({ name: 'Gone Soon' })
    await grant('alice', id)
    const agent = await root()
    const asked = await agent.get(url('/client', { id, confirm: 'delete' }))
    expect(asked.text).toContain('Delete <bdi>Gone Soon</bdi>?')
    const page = await act(agent, '/client', { id, act: 'delete' })
    expect(page.url).toBe(`${host.issuer}/admin?done=deleted`)
    expect(notice(page)).toBe('The application is deleted.')
    expect(await store.findClient(id)).toBeUndefined()
    expect(await store.findGrant('alice', id)).toBeUndefined()
    expect(told('client.changed')).toEqual([{ clientId: id, change: 'deleted', by: 'admin:root' }])
  })

  test('its grants come in pages; one, or all of them, can be revoked', async () => {
    const { id } = await stranger()
    const { id: other } = await stranger()
    const agent = await root()
    for (let i = 1; i <= 51; i++) {
      await grant(`user${i}`, id, { createdAt: host.now() + i })
      if (i === 50) expect((await agent.get(url('/client', { id }))).text).not.toContain('rel="next"')
    }
    await grant('alice', other)
    const first = await agent.get(url('/client', { id }))
    const users = (page: Page) =>
      [...page.text.matchAll(/admin\/user\?id=(user\d+)"/g)].map(([, user]) => user)
    expect(users(first)).toEqual(Array.from({ length: 50 }, (_, i) => `user${51 - i}`))
    const next = /<a href="([^"]+)" rel="next"/
      .exec(first.text)?.[1]
      ?.replaceAll('&#38;', '&')
      .replaceAll('&amp;', '&')
    expect(users(await agent.get(next ?? ''))).toEqual(['user1'])

    const one = await store.findGrant('user7', id)
    expect(notice(await act(agent, '/client', { id, grant: one?.id }))).toBe('Revoked: 1')
    expect(notice(await act(agent, '/client', { id, grant: one?.id }))).toBe('Revoked: 0')
    expect(await store.findGrant('user7', id)).toBeUndefined()
    expect(await store.listGrants({ clientId: id })).toHaveLength(50)
    expect(notice(await act(agent, '/client', { id, act: 'revoke' }))).toBe('Revoked: 50')
    expect(await store.listGrants({})).toHaveLength(1)
    expect(told('grant.revoked')).toEqual([
      { userId: 'user7', clientId: id, grantId: one?.id, by: 'admin:root' },
      { clientId: id, by: 'admin:root' },
    ])
  })

  test('a scope is withdrawn from what all users allowed it, and the page says from how many', async () => {
    const { id } = await stranger()
    const { id: other } = await stranger()
    await grant('alice', id)
    await grant('bob', id)
    await grant('bob', other)
    const agent = await root()
    const asked = await agent.get(url('/client', { id, confirm: 'withdraw', scope: 'write' }))
    expect(asked.text).toContain('Withdraw <bdi>write</bdi> from <bdi>Stranger</bdi>?')
    const page = await act(agent, '/client', { id, act: 'withdraw', scope: 'write' })
    expect(notice(page)).toBe('The scope was withdrawn. Permissions changed: 2')
    const left = (await store.listGrants({})).map(({ userId, clientId, access }) => [
      userId,
      clientId === id,
      access,
    ])
    expect(left).toEqual(
      expect.arrayContaining([
        ['alice', true, { [host.origin]: ['read'] }],
        ['bob', true, { [host.origin]: ['read'] }],
        ['bob', false, { [host.origin]: ['read', 'write'] }],
      ]),
    )
    expect(told('scopes.withdrawn')).toHaveLength(2)
    expect(told('scopes.withdrawn')[0]).toMatchObject({ clientId: id, scopes: ['write'], by: 'admin:root' })
  })

  test('what is posted without an act, or with an unknown one, changes nothing', async () => {
    const { id } = await stranger()
    const agent = await root()
    const _csrf = inputValue(await agent.get(url('/client', { id, confirm: 'block' })), '_csrf')
    for (const act of [undefined, 'x', 'constructor', '__proto__', 'toString']) {
      const page = await agent.post(url('/client'), { _csrf, id, act })
      expect([page.status, notice(page)]).toEqual([
        400,
        'Nothing was changed: the form did not say what to do.',
      ])
    }
    expect(await store.findClient(id)).toMatchObject({ revision: 1 })
  })

  /** A client of the store that proves itself, as `getTokens` knows how. */
  async function shop(): Promise<void> {
    const redirect_uris = ['https://rp.example/cb']
    await host.oauth.clients.create({
      client_id: 'shop',
      client_secret: 'shop-secret',
      client_name: 'Shop',
      redirect_uris,
    })
  }
})

describe('a scope', () => {
  beforeAll(() => start())
  afterAll(() => host.close())

  test('is withdrawn from all that all users allowed, once that is confirmed', async () => {
    const tokens = await getTokens(host, { params: { scope: 'read write' } })
    const only = await getTokens(host, { user: 'bob', params: { scope: 'write' } })
    const agent = await root()
    expect((await agent.get(url(''))).text).toContain('<option value="write"></option>')
    const asked = await agent.get(url('', { withdraw: 'write' }))
    expect(asked.text).toContain('Withdraw <bdi>write</bdi> from all applications?')
    const page = await act(agent, '', { act: 'withdraw', scope: 'write' })
    expect(notice(page)).toBe('The scope was withdrawn. Permissions changed: 2')
    expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(200)
    expect((await callApi(host, '/api/write', tokens.access_token)).status).toBe(403)
    await expectDead(host, only)
    expect((await act(agent, '', { act: 'withdraw', scope: 'write' })).text).toContain('changed: 0')
  })

  test('that is not named is none', async () => {
    const agent = await root()
    const _csrf = inputValue(await agent.get(url('', { withdraw: 'read' })), '_csrf')
    for (const form of [
      { act: 'withdraw' },
      { scope: 'read' },
      { act: 'withdraw', scope: ['read', 'write'] },
    ])
      expect((await agent.post(url(''), { _csrf, ...form })).status).toBe(400)
  })
})

describe('a user', () => {
  beforeEach(() => start())
  afterEach(() => host.close())

  test('whose id is longer than an address can be is nobody, and no redirect leads there', async () => {
    const agent = await root()
    const _csrf = inputValue(await agent.get(url('', { withdraw: 'read' })), '_csrf')
    const post = (id: string) => agent.post(`${host.issuer}/admin/user`, { _csrf, id, act: 'revoke' })
    expect((await post('é'.repeat(1000))).status).toBe(303)
    const page = await post('é'.repeat(1001))
    expect([page.status, page.location]).toEqual([200, undefined])
  })

  test('is found by id, and shown with name, address and every application', async () => {
    await grant('alice', 'conf', { lastUsedAt: Date.UTC(2026, 0, 2), lastUsedFrom: '192.0.2.9' })
    const agent = await root()
    expect((await agent.get(url('/user'))).text).toContain('name="id"')
    const { text } = await agent.get(url('/user', { id: 'alice' }))
    for (const shown of [
      'Alice',
      'alice@host.example',
      'Confidential',
      'read',
      'write',
      '2 January 2026',
      '192.0.2.9',
    ])
      expect(text).toContain(shown)
    expect(text).toContain('href="/oauth/admin/audit?user=alice"')
  })

  test('whom the host does not know, or who has allowed nothing, is a page too', async () => {
    const { text } = await (await root()).get(url('/user', { id: 'nobody' }))
    expect(text).toContain('The site knows no user with this ID.')
    expect(text).toContain('This user has allowed no application anything.')
  })

  test('one grant, one scope or all of them can be taken back, and never those of somebody else', async () => {
    const { id } = await stranger()
    const first = await grant('alice', 'conf')
    const second = await grant('alice', id)
    const third = await grant('alice', 'pub')
    const bobs = await grant('bob', 'conf')
    const agent = await root()
    const user = { id: 'alice' }
    expect(notice(await act(agent, '/user', { ...user, grant: bobs.id }))).toBe('Revoked: 0')
    expect((await act(agent, '/user', { ...user, grant: bobs.id, scope: 'read' })).text).toContain(
      'changed: 0',
    )
    expect(notice(await act(agent, '/user', { ...user, grant: first.id }))).toBe('Revoked: 1')
    expect((await act(agent, '/user', { ...user, grant: second.id, scope: 'read' })).text).toContain(
      'changed: 1',
    )
    expect((await store.findGrant('alice', id))?.access).toEqual({ [host.origin]: ['write'] })
    expect((await store.findGrant('alice', 'pub'))?.access).toEqual(third.access)
    // A scope that cannot be read ends nothing.
    const _csrf = inputValue(await agent.get(url('/user', { ...user, confirm: 'revoke' })), '_csrf')
    const twice = new URLSearchParams({ _csrf, ...user, grant: third.id })
    for (const scope of ['read', 'write']) twice.append('scope', scope)
    expect((await agent.request(url('/user'), { method: 'POST', body: twice })).status).toBe(400)
    expect((await store.findGrant('alice', 'pub'))?.access).toEqual(third.access)
    expect(notice(await act(agent, '/user', { ...user, act: 'revoke' }))).toBe('Revoked: 2')
    expect((await store.listGrants({})).map((grant) => grant.id)).toEqual([bobs.id])
    const by = 'admin:root'
    expect(told('grant.revoked')).toEqual([
      { userId: 'alice', clientId: 'conf', grantId: first.id, by },
      { userId: 'alice', by },
    ])
    expect(told('scopes.withdrawn')).toEqual([
      { userId: 'alice', clientId: id, grantId: second.id, scopes: ['read'], by },
    ])
  })

  test('without an id there is nobody whose grants could end', async () => {
    await grant('alice', 'conf')
    const agent = await root()
    const _csrf = inputValue(await agent.get(url('/user', { id: 'x', confirm: 'revoke' })), '_csrf')
    for (const form of [{ act: 'revoke' }, { act: 'revoke', id: ['alice', 'bob'] }, { id: 'alice' }])
      await agent.post(url('/user'), { _csrf, ...form })
    expect(await store.listGrants({})).toHaveLength(1)
  })
})

describe('the audit log', () => {
  beforeAll(() => start({ keepAddresses: true }))
  afterAll(() => host.close())

  const rows = ({ text }: Page) =>
    [...text.matchAll(/<tr role="row">[\s\S]*?<\/tr>/g)].slice(1).map(([row]) =>
      row
        .replace(/<[^>]*>/g, ' ')
        .replace(/\s+/g, ' ')
        .trim(),
    )

  test('shows what happened in words, newest first, with links to client and user', async () => {
    await getTokens(host)
    await act(await root(), '/user', { id: 'alice', act: 'revoke' })
    const page = await (await root()).get(url('/audit'))
    const shown = rows(page)
    expect(shown).toHaveLength(3)
    expect(shown[0]).toMatch(
      /^[\d-]{10} [\d:]{8} Access revoked – alice Administrator root .*127\.0\.0\.1 –$/,
    )
    expect(shown[1]).toMatch(
      /Token issued conf alice – .*grantType authorization_code scopes read Permission [\w-]+$/,
    )
    expect(shown[2]).toMatch(/Access allowed conf alice – .*scopes read first true Permission [\w-]+$/)
    expect(page.text).toContain('href="/oauth/admin/client?id=conf"')
    expect(page.text).toContain('href="/oauth/admin/user?id=root"')
  })

  test('finds by event, client, user and day', async () => {
    await getTokens(host, { user: 'bob', client: 'pub' })
    const agent = await root()
    const today = new Date(host.now()).toISOString().slice(0, 10)
    const tomorrow = new Date(host.now() + 86_400_000).toISOString().slice(0, 10)
    const found = async (query: Record<string, string>) => rows(await agent.get(url('/audit', query))).length
    expect(await found({})).toBe(5)
    expect(await found({ event: 'token.issued' })).toBe(2)
    expect(await found({ client: 'pub' })).toBe(2)
    expect(await found({ user: 'alice', event: 'grant.revoked' })).toBe(1)
    expect(await found({ since: today, until: today })).toBe(5)
    expect(await found({ since: tomorrow })).toBe(0)
    const { text } = await agent.get(url('/audit', { event: 'token.issued', client: 'pub', since: today }))
    expect(text).toContain('<option value="token.issued" selected>')
    expect(text).toContain(`value="${today}"`)
  })

  test('a filter that cannot be is said to be wrong, and finds nothing', async () => {
    const agent = await root()
    const wrong = {
      event: ['no.event', 'token.refused'],
      since: ['2026-13-01', 'yesterday'],
      until: ['2026-02-30x'],
      before: ["0' OR 1"],
    }
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of values) {
        const page = await agent.get(url('/audit', { [name]: value }))
        expect(page.status).toBe(400)
        expect(page.text).toContain('The filter names an event or a day that does not exist.')
        expect(rows(page)).toEqual([])
      }
    }
  })

  test.each(['NaN', '[object Object]', '0', ' ', '\0'])(
    'any text may be asked for as an id: %j',
    async (id) => {
      const agent = await root()
      for (const name of ['user', 'client']) {
        const page = await agent.get(url('/audit', { [name]: id }))
        expect([page.status, rows(page)]).toEqual([200, []])
      }
    },
  )

  test('comes in pages of fifty that keep the filter', async () => {
    for (let i = 0; i < 60; i++) await host.oauth.logoutUser(`user ${i}`)
    const agent = await root()
    const first = await agent.get(url('/audit', { event: 'session.ended' }))
    expect(rows(first)).toHaveLength(50)
    const next = /<a href="([^"]+)" rel="next"/
      .exec(first.text)?.[1]
      ?.replaceAll('&#38;', '&')
      .replaceAll('&amp;', '&')
    const second = rows(await agent.get(next ?? ''))
    expect(second).toHaveLength(10)
    expect(second.at(-1)).toContain('user 0')
  })

  test('is not there where the host keeps none', async () => {
    const own = host
    await start({ audit: false })
    const page = await (await root()).get(url('/audit'))
    expect([page.status, page.text.includes('The site keeps no audit log.')]).toEqual([200, true])
    await host.close()
    host = own
  })
})

test('INJ-02 INJ-05 what anybody may have stored or sent is text on every page', async () => {
  await start({ scopes: { [`x'-alert(1)-'`]: '<svg onload=alert(1)>', read: PAYLOADS[0] ?? '', write: 'w' } })
  const agent = await root()
  for (const [index, payload] of PAYLOADS.entries()) {
    const hostile = await stranger({
      ...{ id: `id ${payload}`, name: `name ${payload}`, ownerId: payload, redirectUris: [payload] },
      ...{ uri: payload, logoUri: payload, tosUri: payload, contacts: [payload] },
    })
    const access = { [host.origin]: [payload] }
    const { id: grantId } = await grant(payload, hostile.id, { access, lastUsedAt: 1, lastUsedFrom: payload })
    await store.appendAudit(
      [
        {
          ...{
            id: `${index}`.repeat(32),
            at: 1,
            event: payload,
            clientId: payload,
            userId: payload,
            grantId,
          },
          by: `admin:${payload}`,
          address: payload,
          details: { [payload]: payload, other: { payload } },
        },
      ],
      0,
    )
    host.users.set(payload, { id: payload, name: payload, email: payload })
    const id = hostile.id
    const pages = [
      url(''),
      url('', { q: payload }),
      url('', { withdraw: payload }),
      url('', { after: payload, done: payload }),
      url('/client', { id }),
      url('/client', { id: payload }),
      url('/client', { id, done: 'revoked', count: payload }),
      ...['block', 'delete', 'revoke', 'withdraw'].map((confirm) =>
        url('/client', { id, confirm, scope: payload }),
      ),
      url('/user', { id: payload }),
      url('/user', { id: payload, confirm: 'revoke' }),
      url('/user', { id: `${payload}\0` }),
      url('/audit'),
      url('/audit', { client: payload, user: payload, event: payload, since: payload }),
    ]
    for (const address of pages) {
      const { text, status } = await agent.get(address)
      expect([200, 400, 404]).toContain(status)
      expect(text).not.toMatch(/<svg|<script|1234321|(?:href|action)="javascript:|="'-alert/)
      expect(text).not.toContain(`'-alert(1)-'`)
    }
  }
  expect(await store.listClients()).toHaveLength(PAYLOADS.length)
  await host.close()
})

test('while the store cannot answer, every page says so with 503', async () => {
  await start()
  const agent = await root()
  await store.close()
  for (const path of PATHS.slice(0, 2)) {
    const page = await agent.get(`${host.issuer}${path}?id=x`)
    expectErrorPage(page, { status: 503, code: 'temporarily_unavailable' })
  }
  host.server.close()
})
