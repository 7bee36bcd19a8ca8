import { decodeJwt } from 'jose'
import { openStore } from '../lib/store/open.js'
import { Agent, type Form, inputValue, type Page } from './support/agent.js'
import { assertion } from './support/assertions.js'
import { clients, pkjKey } from './support/clients.js'
import { DEVICE_GRANT, decideAs, poll, startDevice } from './support/devices.js'
import {
  authorizeUrl,
  callApi,
  decide,
  getCode,
  getTokens,
  postToken,
  redeem,
  refresh,
  signedIn,
  toConsent,
} from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import { userinfo } from './support/openid.js'
import { expectDead, introspect } from './support/tokens.js'

const { d: _private, ...publicKey } = pkjKey
const STAFF = 'https://staff.example'
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const ELSEWHERE = 'https://elsewhere.example/api'

let host: Host

beforeAll(async () => {
  host = await startHost({
    provider: (origin) => ({
      clients: [
        ...clients,
        {
          ...{ client_id: 'agent', client_secret: 'agent-secret', client_name: 'Agent' },
          ...{ redirect_uris: ['https://rp.example/cb'], scope: 'openid email read write' },
          grant_types: ['authorization_code', 'refresh_token', EXCHANGE],
        },
        {
          ...{ client_id: 'worker', client_secret: 'worker-secret', scope: 'read write' },
          ...{ redirect_uris: ['https://rp.example/cb'], grant_types: ['authorization_code', JWT_BEARER] },
        },
        { client_id: 'tv', client_name: 'Television', grant_types: [DEVICE_GRANT, 'refresh_token'] },
      ],
      tokenExchange: () => true,
      trustedIssuers: {
        [STAFF]: { jwks: { keys: [publicKey] }, user: ({ sub }) => String(sub) },
      },
      resources: { [origin]: {}, [ELSEWHERE]: { accessTokenFormat: 'jwt' } },
    }),
  })
})
afterEach(async () => {
  for (const user of ['alice', 'bob']) await host.oauth.grants.revokeUser(user)
  host.events.length = 0
  host.advance(60)
})
afterAll(() => host.close())

const both = { scope: 'read write' }
const grantOf = async (client = 'conf') =>
  (await host.oauth.grants.list({ userId: 'alice', clientId: client }))[0]
const told = (name: string) => host.events.filter((event) => event.name === name).map(({ event }) => event)
const applications = () => `${host.issuer}/authorized-applications`

/** Presses the button beside a scope; without a scope the one for all of it. */
async function withdraw(
  scope?: string | string[],
  {
    agent,
    client = 'conf',
    ...more
  }: { agent?: Agent; client?: string; _csrf?: string; grant?: string } = {},
): Promise<Page> {
  const browser = agent ?? (await signedIn(host, 'alice'))
  const page = await browser.get(applications())
  const form: Form = { _csrf: inputValue(page, '_csrf'), grant: (await grantOf(client))?.id, scope, ...more }
  return browser.post(applications(), form)
}

async function api(token: string, path = '/api/write') {
  const { status, headers } = await callApi(host, path, token)
  return { status, challenge: headers.get('www-authenticate') ?? '' }
}

/** What of a token the client itself is told. */
async function scopeOf(token: string, client = 'conf'): Promise<unknown> {
  const { body } = await introspect(host, token, { client })
  return body.active === true ? body.scope : body
}

/** What the client `worker` gets for somebody whom an issuer vouches for. */
function vouch(sub: string, scope?: string) {
  const vouched = assertion(host, { claims: { iss: STAFF, sub } })
  return postToken(host, { grant_type: JWT_BEARER, scope, assertion: vouched }, { client: 'worker' })
}

describe('every token is without a withdrawn scope at once', () => {
  test('at the API, at introspection, and after a refresh; what is left goes on', async () => {
    const tokens = await getTokens(host, { params: both })
    expect((await api(tokens.access_token)).status).toBe(200)
    const answer = await withdraw('write')
    expect(answer.status).toBe(303)
    expect(answer.location).toBe(applications())

    const { status, challenge } = await api(tokens.access_token)
    expect(status).toBe(403)
    expect(challenge).toContain('error="insufficient_scope"')
    expect(challenge).toContain('scope="write"')
    expect((await api(tokens.access_token, '/api/read')).status).toBe(200)
    expect((await callApi(host, '/api/any', tokens.access_token)).body.scopes).toEqual(['read'])
    expect(await scopeOf(tokens.access_token)).toBe('read')
    expect(await scopeOf(tokens.refresh_token)).toBe('read')

    const refused = await refresh(host, tokens.refresh_token, { form: { scope: 'write' } })
    expect(refused.status).toBe(400)
    expect(refused.body.error).toBe('invalid_scope')
    const renewed = await refresh(host, tokens.refresh_token)
    expect(renewed.body.scope).toBe('read')
    expect((await api(renewed.body.access_token)).status).toBe(403)
    expect((await api(renewed.body.access_token, '/api/read')).status).toBe(200)
  })

  test('it is told, with the scope and by whom; nothing else of this user or of others changes', async () => {
    const tokens = await getTokens(host, { params: both })
    const elsewhere = await getTokens(host, { client: 'pub', params: both })
    const bobs = await getTokens(host, { user: 'bob', params: both })
    const { id: grantId, ...grant } = (await grantOf()) ?? { id: '' }
    host.events.length = 0
    await withdraw('write')
    expect(told('scopes.withdrawn')).toEqual([
      { userId: 'alice', clientId: 'conf', grantId, scopes: ['write'], by: 'user' },
    ])
    expect(told('grant.revoked')).toEqual([])
    expect(await grantOf()).toEqual({
      ...{ ...grant, id: grantId, access: { [host.origin]: ['read'] }, withdrawn: ['write'] },
    })
    for (const { access_token } of [elsewhere, bobs]) expect((await api(access_token)).status).toBe(200)
    expect((await api(tokens.access_token)).status).toBe(403)
  })

  test('a code that was not redeemed yet gets tokens without it', async () => {
    const { code } = await getCode(host, { params: both })
    await withdraw('write')
    const { body } = await redeem(host, code)
    expect(body.scope).toBe('read')
    expect((await api(body.access_token)).status).toBe(403)
    const { code: second } = await getCode(host, { params: { scope: 'read' } })
    await withdraw('read')
    expect((await redeem(host, second)).body).toMatchObject({ error: 'invalid_grant' })
  })

  test('a device that polls after it gets tokens without it', async () => {
    const codes = await startDevice(host, { form: both })
    await decideAs(host, codes)
    await withdraw('write', { client: 'tv' })
    const { body } = await poll(host, codes)
    expect(body.scope).toBe('read')
    expect((await api(String(body.access_token))).status).toBe(403)
  })

  test('a token that was exchanged before loses it too, and none can be exchanged for it', async () => {
    const { access_token: subject } = await getTokens(host, { client: 'agent', params: both })
    const exchange = (scope?: string) =>
      postToken(
        host,
        { grant_type: EXCHANGE, subject_token: subject, subject_token_type: ACCESS_TOKEN, scope },
        { client: 'agent' },
      )
    const before = (await exchange()).body.access_token
    expect((await api(before)).status).toBe(200)
    await withdraw('write', { client: 'agent' })
    expect((await api(before)).status).toBe(403)
    expect(await scopeOf(before, 'agent')).toBe('read')
    expect((await exchange()).body.scope).toBe('read')
    expect((await exchange('write')).body.error).toBe('invalid_scope')
  })

  test('an issuer that vouches for the user afterwards does not bring it back', async () => {
    await getTokens(host, { client: 'worker', params: both })
    await withdraw('write', { client: 'worker' })
    const { body } = await vouch('alice')
    expect(body.scope).toBe('read')
    expect((await api(body.access_token)).status).toBe(403)
    const refused = await vouch('alice', 'write')
    expect(refused.status).toBe(400)
    expect(refused.body.error).toBe('invalid_grant')
  })

  test('what an issuer has vouched for goes like what users allowed, from one or from everybody', async () => {
    const answers = [await vouch('alice', 'read write'), await vouch('bob', 'write')]
    const [mine, bobs] = answers.map(({ body }) => body.access_token) as [string, string]
    expect((await api(mine)).status).toBe(200)
    await withdraw('write', { client: 'worker' })
    expect((await api(mine)).status).toBe(403)
    expect((await api(mine, '/api/read')).status).toBe(200)
    expect((await api(bobs)).status).toBe(200)
    expect(await host.oauth.grants.withdraw({}, ['write', 'read'])).toBe(2)
    for (const token of [mine, bobs]) expect((await api(token, '/api/any')).status).toBe(401)
    expect(await host.oauth.grants.list()).toEqual([])
  })

  test('a JWT for an API elsewhere says what it said; whoever asks here learns that it is less', async () => {
    const params = { ...both, resource: ELSEWHERE }
    const { access_token: token } = await getTokens(host, { params })
    expect(decodeJwt(token).scope).toBe('read write')
    await withdraw('write')
    expect(decodeJwt(token).scope).toBe('read write')
    expect(await scopeOf(token)).toBe('read')
  })

  test('a lost answer that is given again says what is left, and its ID token too', async () => {
    const tokens = await getTokens(host, { params: { scope: 'openid read write' } })
    const first = (await refresh(host, tokens.refresh_token)).body
    await withdraw('write')
    const again = (await refresh(host, tokens.refresh_token)).body
    expect(again.access_token).toBe(first.access_token)
    expect(again.refresh_token).toBe(first.refresh_token)
    expect(again.scope).toBe('openid read')
    await withdraw('openid')
    const last = (await refresh(host, tokens.refresh_token)).body
    expect(last.scope).toBe('read')
    expect(last.id_token).toBeUndefined()
    expect((await api(last.access_token, '/api/read')).status).toBe(200)
  })

  test('a lost answer that is a JWT is the very same, as it is kept', async () => {
    const params = { ...both, resource: ELSEWHERE }
    const tokens = await getTokens(host, { params })
    const first = (await refresh(host, tokens.refresh_token)).body
    await withdraw('write')
    const again = (await refresh(host, tokens.refresh_token)).body
    expect(again.access_token).toBe(first.access_token)
    expect(again.scope).toBe('read')
    expect(await scopeOf(again.access_token)).toBe('read')
  })
})

describe('claims', () => {
  const asked = JSON.stringify({ userinfo: { email: null, email_verified: null, name: null } })
  const claims = async (token: string) => (await userinfo(host, token)).body

  test('those of a withdrawn scope are not told any more, also where they were asked for by name', async () => {
    const params = { scope: 'openid email read', claims: asked }
    const tokens = await getTokens(host, { params })
    const narrowed = await refresh(host, tokens.refresh_token, { form: { scope: 'openid' } })
    expect(await claims(tokens.access_token)).toMatchObject({ email: 'alice@host.example', name: 'Alice' })
    await withdraw('email')
    for (const token of [tokens.access_token, narrowed.body.access_token]) {
      const told = await claims(token)
      expect(told).toMatchObject({ sub: 'alice', name: 'Alice' })
      expect(told).not.toHaveProperty('email')
    }
    const renewed = await refresh(host, narrowed.body.refresh_token)
    expect(await claims(renewed.body.access_token)).not.toHaveProperty('email')
  })

  test('a claim that was allowed by itself stays, and the page says so', async () => {
    const alone = await getTokens(host, { params: { scope: 'openid read', claims: asked } })
    await getTokens(host, { params: { scope: 'openid email read' } })
    await withdraw('email')
    expect(await claims(alone.access_token)).toMatchObject({ email: 'alice@host.example' })
    const page = await (await signedIn(host, 'alice')).get(applications())
    expect(page.text).toContain('Your email address')
  })

  test('without openid nothing is told', async () => {
    const tokens = await getTokens(host, { params: { scope: 'openid email read', claims: asked } })
    await withdraw('openid')
    const { status, headers } = await userinfo(host, tokens.access_token)
    expect(status).toBe(403)
    expect(headers.get('www-authenticate')).toContain('error="insufficient_scope"')
    expect((await refresh(host, tokens.refresh_token)).body).not.toHaveProperty('id_token')
  })
})

describe('the user decides again', () => {
  test('UI-11 what was remembered is not any more: the page asks for the scope as for a new one', async () => {
    await getTokens(host, { params: both })
    const agent = await signedIn(host, 'alice')
    expect((await agent.follow(authorizeUrl(host, { params: both }))).location).toContain('code=')
    await withdraw('write')
    const { page } = await toConsent(host, { params: both })
    expect(page.text).toContain('name="decision"')
    expect(page.text.indexOf('Change your things')).toBeLessThan(page.text.indexOf('You already allow'))
    const silent = await agent.follow(authorizeUrl(host, { params: { ...both, prompt: 'none' } }))
    expect(silent.location).toContain('error=consent_required')
    expect((await agent.follow(authorizeUrl(host, { params: { scope: 'read' } }))).location).toContain(
      'code=',
    )
  })

  test('a page that calls allowed what was withdrawn after it was shown is shown anew, and its button approves none of that', async () => {
    await getTokens(host, { params: { scope: 'write' } })
    const { agent, page } = await toConsent(host, { params: both })
    expect(page.text.indexOf('Change your things')).toBeGreaterThan(page.text.indexOf('You already allow'))
    await getTokens(host, { params: { scope: 'openid' } })
    await withdraw('write')
    const again = await decide(agent, page, 'approve')
    expect([again.status, again.location]).toEqual([409, undefined])
    expect(again.text).toContain('You have withdrawn some of this in the meantime.')
    expect(again.text).toContain('Change your things')
    expect(again.text).not.toContain('You already allow')
    expect(Object.values((await grantOf())?.access ?? {}).flat()).toEqual(['openid'])
    // Whoever approves that page has read it.
    expect((await decide(agent, again, 'approve')).location).toContain('code=')
    expect(Object.values((await grantOf())?.access ?? {}).flat()).toEqual(
      expect.arrayContaining(['read', 'write']),
    )
  })

  test('approving brings it back, for the tokens from before too', async () => {
    const tokens = await getTokens(host, { params: both })
    await withdraw('write')
    expect((await api(tokens.access_token)).status).toBe(403)
    const fresh = await getTokens(host, { params: both })
    expect((await grantOf())?.withdrawn).toBeUndefined()
    for (const { access_token } of [fresh, tokens]) expect((await api(access_token)).status).toBe(200)
  })

  test('approving another scope does not', async () => {
    const tokens = await getTokens(host, { params: both })
    await withdraw('write')
    await getTokens(host, { params: { scope: 'openid' } })
    expect((await api(tokens.access_token)).status).toBe(403)
    expect((await grantOf())?.withdrawn).toEqual(['write'])
  })
})

describe('the last scope', () => {
  test('ends the grant altogether', async () => {
    const tokens = await getTokens(host, { params: both })
    const { id: grantId } = (await grantOf()) ?? {}
    await withdraw('write')
    host.events.length = 0
    await withdraw('read')
    await expectDead(host, tokens)
    expect(await grantOf()).toBeUndefined()
    const whose = { userId: 'alice', clientId: 'conf', grantId }
    expect(told('scopes.withdrawn')).toEqual([{ ...whose, scopes: ['read'], by: 'user' }])
    expect(told('grant.revoked')).toEqual([{ ...whose, by: 'user' }])
  })

  test('of a token is its end, also where the grant goes on', async () => {
    const reads = await getTokens(host, { params: { scope: 'read' } })
    const writes = await getTokens(host, { params: { scope: 'write' } })
    await withdraw('write')
    await expectDead(host, writes)
    expect((await api(reads.access_token, '/api/any')).status).toBe(200)
  })
})

describe('what changes nothing', () => {
  test.each([
    ['a scope that was not granted', 'openid'],
    ['a scope that there is not', 'nothing'],
    ['two scopes at once', ['read', 'write']],
    ['markup', '"><script>'],
  ])('%s', async (_, scope) => {
    const tokens = await getTokens(host, { params: both })
    host.events.length = 0
    expect((await withdraw(scope)).status).toBe(303)
    expect(told('scopes.withdrawn')).toEqual([])
    expect((await api(tokens.access_token)).status).toBe(200)
  })

  test('somebody else, nobody, and a form that was not sent from the page', async () => {
    const tokens = await getTokens(host, { params: both })
    const bob = await signedIn(host, 'bob')
    await getTokens(host, { user: 'bob' })
    expect((await withdraw('write', { agent: bob })).status).toBe(303)
    const alice = await signedIn(host, 'alice')
    const forged = await withdraw('write', { agent: alice, _csrf: 'forged' })
    expect(forged.status).toBe(403)
    expect(forged.text).toContain('This page had expired. Nothing was changed; please try again.')
    const nobody = await new Agent(host).post(applications(), {
      grant: (await grantOf())?.id,
      scope: 'write',
    })
    expect(nobody.status).toBe(303)
    expect(nobody.location).toContain('/login')
    expect((await withdraw('write', { agent: alice, grant: 'nothing' })).status).toBe(303)
    expect((await withdraw('write', { agent: alice, grant: '' })).status).toBe(303)
    expect((await api(tokens.access_token)).status).toBe(200)
  })
})

describe('oauth.grants.withdraw', () => {
  test('takes scopes out of one grant, or of all that a filter finds', async () => {
    const [mine, pub, bobs] = [
      await getTokens(host, { params: both }),
      await getTokens(host, { client: 'pub', params: both }),
      await getTokens(host, { user: 'bob', params: both }),
    ]
    const { id = '' } = (await grantOf()) ?? {}
    const statuses = () =>
      Promise.all([mine, pub, bobs].map(async ({ access_token }) => (await api(access_token)).status))
    expect(await host.oauth.grants.withdraw(id, ['write'])).toBe(1)
    expect(await statuses()).toEqual([403, 200, 200])
    expect(await host.oauth.grants.withdraw(id, ['write'])).toBe(0)
    expect(await host.oauth.grants.withdraw({ userId: 'alice' }, ['write'])).toBe(1)
    expect(await statuses()).toEqual([403, 403, 200])
    expect(await host.oauth.grants.withdraw({ clientId: 'conf', userId: 'bob' }, ['openid'])).toBe(0)
    expect(await host.oauth.grants.withdraw({}, ['write', 'read'])).toBe(3)
    for (const tokens of [mine, bobs]) await expectDead(host, tokens)
    await expectDead(host, pub, { client: 'pub' })
    expect(await host.oauth.grants.list()).toEqual([])
    expect(told('scopes.withdrawn').map(({ by }) => by)).toEqual(Array(5).fill('host'))
    expect(told('grant.revoked')).toHaveLength(3)
  })

  test('a scope that the options do not know any more can be withdrawn, and being gone already is no error', async () => {
    const store = openStore(':memory:', Date.now)
    const access = { 'https://photos.example': ['retired'] }
    await store.saveGrant({ id: 'kept', userId: 'alice', clientId: 'conf', access, createdAt: 1 })
    const later = await startHost({ provider: { store } })
    expect(await later.oauth.grants.withdraw({}, ['retired'])).toBe(1)
    expect(await later.oauth.grants.withdraw({}, ['retired'])).toBe(0)
    await later.close()
  })

  test.each([
    ['no scope', {}, []],
    ['no list', {}, 'write'],
    ['a list with a hole', {}, Object.assign(new Array(2), { 1: 'write' })],
    ['two scopes in one', {}, ['read write']],
    ['a user who is not signed in', { userId: undefined }, ['write']],
    ['a misspelt filter', { user: 'alice' }, ['write']],
    ['no id', undefined, ['write']],
    ['null', null, ['write']],
    ['an empty id', '', ['write']],
  ])('%s is refused, and takes nothing from anybody', async (_, filter, scopes) => {
    const tokens = await getTokens(host, { params: both })
    await expect(host.oauth.grants.withdraw(filter as never, scopes as never)).rejects.toThrow(
      /grants\.withdraw\(grants, scopes\)/,
    )
    expect((await api(tokens.access_token)).status).toBe(200)
  })
})

describe('oauth.grants.revokeClient', () => {
  test('ends what everybody granted to one client, and nothing else; the client stays', async () => {
    const mine = await getTokens(host)
    const bobs = await getTokens(host, { user: 'bob' })
    const elsewhere = await getTokens(host, { client: 'pub' })
    host.events.length = 0
    expect(await host.oauth.grants.revokeClient('conf')).toBe(2)
    for (const tokens of [mine, bobs]) await expectDead(host, tokens)
    expect((await api(elsewhere.access_token, '/api/read')).status).toBe(200)
    expect(told('grant.revoked')).toEqual([{ clientId: 'conf', by: 'host' }])
    expect(await host.oauth.grants.revokeClient('conf')).toBe(0)
    expect(told('grant.revoked')).toHaveLength(1)
    const { agent, page } = await toConsent(host)
    expect((await decide(agent, page, 'approve')).location).toContain('code=')
  })

  test.each([undefined, null, '', {}])('%p is no id', async (id) => {
    await expect(host.oauth.grants.revokeClient(id as never)).rejects.toThrow(
      /grants\.revokeClient\(clientId\) is/,
    )
  })
})
