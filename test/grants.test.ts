import { Agent, inputValue } from './support/agent.js'
import { authorizeUrl, callApi, getTokens, redeem, refresh, signedIn, toConsent } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import { signIn, userinfo } from './support/openid.js'
import { expectDead } from './support/tokens.js'

let host: Host
beforeEach(async () => {
  host = await startHost()
})
afterEach(() => host.close())

async function expectAlive(tokens: { access_token: string }): Promise<void> {
  expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(200)
}

function revocations(): object[] {
  return host.events.filter(({ name }) => name === 'grant.revoked').map(({ event }) => event)
}

describe('list', () => {
  test('tells who allowed what to whom, and when', async () => {
    const createdAt = host.now()
    await getTokens(host, { params: { scope: 'read write', resource: `${host.origin}/api` } })
    const [grant, ...others] = await host.oauth.grants.list()
    expect(others).toEqual([])
    expect(grant).toEqual({
      id: expect.stringMatching(/^[\w-]{20,}$/),
      userId: 'alice',
      clientId: 'conf',
      access: { [`${host.origin}/api`]: ['read', 'write'] },
      createdAt,
    })
  })

  test('finds by user, by client, by both; newest first', async () => {
    await getTokens(host, { user: 'alice', client: 'conf' })
    host.advance(1)
    await getTokens(host, { user: 'alice', client: 'pub' })
    host.advance(1)
    await getTokens(host, { user: 'bob', client: 'conf' })
    const list = async (filter?: object) =>
      (await host.oauth.grants.list(filter)).map(({ userId, clientId }) => `${userId} ${clientId}`)
    expect(await list()).toEqual(['bob conf', 'alice pub', 'alice conf'])
    expect(await list({})).toHaveLength(3)
    expect(await list({ userId: 'alice' })).toEqual(['alice pub', 'alice conf'])
    expect(await list({ clientId: 'conf' })).toEqual(['bob conf', 'alice conf'])
    expect(await list({ userId: 'bob', clientId: 'conf' })).toEqual(['bob conf'])
    expect(await list({ userId: 'bob', clientId: 'pub' })).toEqual([])
    expect(await list({ userId: "' OR '1'='1" })).toEqual([])
  })

  test('a user and a client have one grant, which grows', async () => {
    await getTokens(host, { params: { scope: 'read' } })
    const [before] = await host.oauth.grants.list()
    host.advance(5)
    await getTokens(host, { params: { scope: 'write' } })
    const grants = await host.oauth.grants.list()
    expect(grants).toHaveLength(1)
    expect(grants[0]).toMatchObject({
      id: before?.id,
      createdAt: before?.createdAt,
      access: { [host.origin]: ['read', 'write'] },
    })
  })

  test.each([
    [
      'a misspelt filter',
      { user: 'alice' },
      /grants\.list\(filter\)\.user is not known\. Did you mean .*userId\?/,
    ],
    ['a user who is not signed in', { userId: undefined }, /userId is undefined/],
    ['an empty id', { userId: '' }, /userId is an empty string/],
    ['null', null, /is null/],
  ])('%s is refused, and does not list everybody', async (_, filter, message) => {
    await getTokens(host)
    await expect(host.oauth.grants.list(filter as never)).rejects.toThrow(message)
  })
})

describe('revoke', () => {
  test('ends every token of the grant, and nothing else', async () => {
    const mine = await getTokens(host)
    const renewed = (await refresh(host, mine.refresh_token)).body
    const second = await getTokens(host)
    const others = await getTokens(host, { user: 'bob' })
    const elsewhere = await getTokens(host, { client: 'pub' })
    const [grant] = await host.oauth.grants.list({ userId: 'alice', clientId: 'conf' })
    expect(await host.oauth.grants.revoke(grant!.id)).toBe(true)
    for (const tokens of [renewed, second]) await expectDead(host, tokens)
    for (const tokens of [others, elsewhere]) await expectAlive(tokens)
    expect(revocations()).toEqual([{ grantId: grant!.id, userId: 'alice', clientId: 'conf', by: 'host' }])
    expect(await host.oauth.grants.revoke(grant!.id)).toBe(false)
    expect(revocations()).toHaveLength(1)
  })

  test('UI-11 the user is asked again afterwards, and the new grant does not wake the old tokens', async () => {
    const old = await getTokens(host)
    const [grant] = await host.oauth.grants.list()
    await host.oauth.grants.revoke(grant!.id)
    const { page } = await toConsent(host)
    expect(page.text).toContain('name="decision"')
    const fresh = await getTokens(host)
    await expectDead(host, old)
    await expectAlive(fresh)
    expect((await host.oauth.grants.list())[0]?.id).not.toBe(grant!.id)
  })

  test('a code that was not redeemed yet is worth nothing after it', async () => {
    const agent = await signedIn(host, 'alice')
    const page = await agent.follow(authorizeUrl(host))
    const answer = await agent.post(page.url, { _csrf: inputValue(page, '_csrf'), decision: 'approve' })
    const [grant] = await host.oauth.grants.list()
    await host.oauth.grants.revoke(grant!.id)
    const code = new URL(answer.location!).searchParams.get('code') ?? ''
    expect((await redeem(host, code)).body).toMatchObject({ error: 'invalid_grant' })
  })

  test.each([undefined, null, '', {}, Number.NaN])('%p is no id', async (id) => {
    await expect(host.oauth.grants.revoke(id as never)).rejects.toThrow(/grants\.revoke\(grantId\) is/)
  })

  test('an id that is not there answers false', async () => {
    for (const id of ['nothing', "' OR '1'='1", '%']) expect(await host.oauth.grants.revoke(id)).toBe(false)
  })
})

describe('revokeUser', () => {
  test('RS-09 ends everything of one user, with every client, and nothing of anybody else', async () => {
    const conf = await getTokens(host)
    const pub = await getTokens(host, { client: 'pub' })
    const bob = await getTokens(host, { user: 'bob' })
    expect(await host.oauth.grants.revokeUser('alice')).toBe(2)
    await expectDead(host, conf)
    await expectDead(host, pub, { client: 'pub' })
    await expectAlive(bob)
    expect(revocations()).toEqual([{ userId: 'alice', by: 'host' }])
    expect(await host.oauth.grants.revokeUser('alice')).toBe(0)
    expect(revocations()).toHaveLength(1)
  })

  test('takes the number that currentUser gave', async () => {
    const other = await startHost({
      provider: { currentUser: () => 0, findUser: () => ({ id: '0', name: 'Zero', email: 'z@x' }) },
    })
    const tokens = await getTokens(other)
    expect(await other.oauth.grants.list({ userId: 0 })).toHaveLength(1)
    expect(await other.oauth.grants.revokeUser(0)).toBe(1)
    expect((await callApi(other, '/api/read', tokens.access_token)).status).toBe(401)
    await other.close()
  })

  test.each([undefined, null, '', {}, Number.NaN])('%p is no user: it must not pass for done', async (id) => {
    await expect(host.oauth.grants.revokeUser(id as never)).rejects.toThrow(/grants\.revokeUser\(userId\) is/)
  })
})

describe('the page of connected applications', () => {
  const url = () => `${host.issuer}/authorized-applications`

  test('lists what the user allowed, with its sentences, and only theirs', async () => {
    await getTokens(host, { params: { scope: 'read write' } })
    await getTokens(host, { user: 'bob', client: 'pub' })
    const page = await (await signedIn(host, 'alice')).get(url())
    expect(page.status).toBe(200)
    for (const text of ['Confidential', 'Read your things', 'Change your things', 'Not yet'])
      expect(page.text).toContain(text)
    expect(page.text).not.toContain('Public')
  })

  test('says when it was last used', async () => {
    const { access_token } = await getTokens(host)
    await callApi(host, '/api/read', access_token)
    await new Promise(setImmediate)
    const page = await (await signedIn(host, 'alice')).get(url())
    expect(page.text).toContain(`datetime="${new Date(host.now()).toISOString()}"`)
  })

  test('a client that calls no API is used where its user signs in, at userinfo and by refresh, to the hour', async () => {
    const used = async () => {
      await new Promise(setImmediate)
      return (await host.oauth.grants.list({ userId: 'alice' }))[0]?.lastUsedAt
    }
    const { tokens, agent } = await signIn(host)
    expect(await used()).toBe(host.now())
    expect((await agent.get(url())).text).not.toContain('Not yet')

    const first = host.now()
    host.advance(3000)
    expect((await userinfo(host, tokens.access_token)).status).toBe(200)
    expect(await used()).toBe(first)
    const { body } = await refresh(host, tokens.refresh_token)
    expect(await used()).toBe(first)
    host.advance(601)
    expect((await userinfo(host, body.access_token)).status).toBe(200)
    expect(await used()).toBe(host.now())
    host.advance(3601)
    expect((await userinfo(host, body.access_token)).status).toBe(401)
    expect(await used()).not.toBe(host.now())
    expect((await refresh(host, body.refresh_token)).status).toBe(200)
    expect(await used()).toBe(host.now())
  })

  test('a token that was refused is no use, and neither is a code without a sign-in', async () => {
    const { access_token } = await getTokens(host)
    expect((await callApi(host, '/api/write', access_token)).status).toBe(403)
    expect((await userinfo(host, access_token)).status).toBe(403)
    await new Promise(setImmediate)
    expect((await host.oauth.grants.list())[0]?.lastUsedAt).toBeUndefined()
  })

  test('withdraws one application, for good', async () => {
    const tokens = await getTokens(host)
    const kept = await getTokens(host, { client: 'pub' })
    const agent = await signedIn(host, 'alice')
    const [grant] = await host.oauth.grants.list({ clientId: 'conf' })
    const page = await agent.get(url())
    const answer = await agent.post(url(), { _csrf: inputValue(page, '_csrf'), grant: grant!.id })
    expect(answer.status).toBe(303)
    expect(answer.location).toBe(url())
    await expectDead(host, tokens)
    await expectAlive(kept)
    expect(revocations()).toEqual([{ grantId: grant!.id, userId: 'alice', clientId: 'conf', by: 'user' }])
    expect((await agent.get(url())).text).not.toContain('Confidential')
  })

  test('bob cannot withdraw what alice allowed', async () => {
    const tokens = await getTokens(host)
    const [grant] = await host.oauth.grants.list()
    const bob = await signedIn(host, 'bob')
    await getTokens(host, { user: 'bob', agent: bob })
    const page = await bob.get(url())
    const answer = await bob.post(url(), { _csrf: inputValue(page, '_csrf'), grant: grant!.id })
    expect(answer.status).toBe(303)
    await expectAlive(tokens)
    expect(revocations()).toEqual([])
  })

  test.each([
    ['without a token', async () => ({})],
    ['with a random one', async () => ({ _csrf: 'x'.repeat(36) })],
    ["with bob's", async () => ({ _csrf: inputValue(await await bobsPage(), '_csrf') })],
    ['twice', async (token: string) => ({ _csrf: [token, token] })],
  ])('UI-04 a form %s withdraws nothing, and the page is shown again', async (_, form) => {
    const tokens = await getTokens(host)
    const [grant] = await host.oauth.grants.list()
    const agent = await signedIn(host, 'alice')
    const page = await agent.get(url())
    const answer = await agent.post(url(), { ...(await form(inputValue(page, '_csrf'))), grant: grant!.id })
    expect(answer.status).toBe(403)
    expect(answer.text).toContain('Nothing was changed')
    await expectAlive(tokens)
    const again = await agent.post(url(), { _csrf: inputValue(answer, '_csrf'), grant: grant!.id })
    expect(again.status).toBe(303)
    await expectDead(host, tokens)
  })

  async function bobsPage() {
    const bob = await signedIn(host, 'bob')
    await getTokens(host, { user: 'bob', agent: bob })
    return bob.get(url())
  }

  test('the token in the query, in a header, or a form of another site does not count', async () => {
    const tokens = await getTokens(host)
    const [grant] = await host.oauth.grants.list()
    const agent = await signedIn(host, 'alice')
    const csrf = inputValue(await agent.get(url()), '_csrf')
    for (const [target, form, headers] of [
      [`${url()}?_csrf=${csrf}`, { grant: grant!.id }, {}],
      [url(), { grant: grant!.id }, { 'csrf-token': csrf, 'x-csrf-token': csrf, 'x-xsrf-token': csrf }],
      [url(), { grant: grant!.id, _csrf: csrf }, { 'sec-fetch-site': 'cross-site' }],
    ] as const) {
      expect((await agent.post(target, form, headers)).status).toBe(403)
    }
    expect((await agent.get(`${url()}?_csrf=${csrf}&grant=${grant!.id}`)).status).toBe(200)
    await expectAlive(tokens)
  })

  test('nobody signed in: to the login, and back', async () => {
    const agent = new Agent(host)
    const page = await agent.get(url())
    expect(page.status).toBe(303)
    expect(page.headers.get('location')).toBe('/login?return_to=/oauth/authorized-applications')
    const posted = await agent.post(url(), { grant: 'x' })
    expect(posted.status).toBe(303)
    expect((await agent.login('alice', '/oauth/authorized-applications')).text).toContain(
      'No application has access',
    )
  })
})

describe('purge and close', () => {
  test('purge deletes what has expired and answers how much, and leaves what is alive', async () => {
    const file = await startHost()
    await Promise.all(Array.from({ length: 3 }, () => toConsent(file)))
    const tokens = await getTokens(file)
    expect(await file.oauth.purge()).toBe(0)
    file.advance(3601)
    expect(await file.oauth.purge()).toBeGreaterThanOrEqual(5)
    expect(await file.oauth.purge()).toBe(0)
    expect((await refresh(file, tokens.refresh_token)).status).toBe(200)
    await file.close()
  })

  test('close may be called twice, and afterwards nothing hangs', async () => {
    const other = await startHost()
    const tokens = await getTokens(other)
    await other.oauth.close()
    await other.oauth.close()
    const api = await fetch(`${other.origin}/api/read`, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    })
    expect(api.status).toBeGreaterThanOrEqual(500)
    await other.close()
  })
})
