import { type Agent, inputValue, type Page } from './support/agent.js'
import { expectCode, expectErrorRedirect, expectPageHeaders } from './support/answers.js'
import {
  authorizeUrl,
  basic,
  decide,
  getCode,
  postToken,
  redeem,
  refresh,
  signedIn,
  VERIFIER,
} from './support/flow.js'
import type { Host } from './support/host.js'
import {
  claimsAt,
  finish,
  idTokenClaims,
  relyingParties,
  relyingParty,
  responseOf,
  setUser,
  signIn,
  signInAt,
  stage,
  startOpenIdHost,
  userinfo,
} from './support/openid.js'

let host: Host
beforeAll(async () => {
  host = await startOpenIdHost({
    provider: {
      scopes: {
        read: 'Read your things',
        write: 'Change your things',
        email: { description: 'See your email address', required: false },
        phone: { description: 'See your phone number', required: false },
      },
    },
  })
  setUser(host, 'alice', ALICE)
})
afterAll(() => host.close())
afterEach(() => host.oauth.grants.revokeUser('alice'))

const others: Host[] = []
afterEach(async () => {
  for (const other of others.splice(0)) await other.close()
})

async function start(
  provider: NonNullable<Parameters<typeof startOpenIdHost>[0]>['provider'] = {},
): Promise<Host> {
  const other = await startOpenIdHost({ provider })
  others.push(other)
  return other
}

const ALICE = {
  name: 'Alice Example',
  givenName: 'Alice',
  family_name: 'Example',
  email: 'alice@host.example',
  email_verified: true,
  phoneNumber: '+41 44 000 00 00',
  phoneNumberVerified: false,
  address: {
    formatted: 'Main Street 1\n8000 Zurich',
    streetAddress: 'Main Street 1',
    country: 'CH',
    door: '7',
  },
  passwordHash: '$2b$10$secret',
  isAdmin: true,
}
const PROFILE = { name: 'Alice Example', given_name: 'Alice', family_name: 'Example' }
const EMAIL = { email: 'alice@host.example', email_verified: true }
const PHONE = { phone_number: '+41 44 000 00 00', phone_number_verified: false }
const ADDRESS = {
  address: { formatted: 'Main Street 1\n8000 Zurich', street_address: 'Main Street 1', country: 'CH' },
}

describe('OIDC-09 the claims of a scope', () => {
  test.each<[scope: string, claims: object]>([
    ['openid', {}],
    ['openid profile', PROFILE],
    ['openid email', EMAIL],
    ['openid address', ADDRESS],
    ['openid phone', PHONE],
    ['openid profile email address phone', { ...PROFILE, ...EMAIL, ...ADDRESS, ...PHONE }],
    ['phone address email profile openid', { ...PROFILE, ...EMAIL, ...ADDRESS, ...PHONE }],
  ])(
    'oidcc-scope-profile, -email, -address, -phone, -all: %s tells these and no others',
    async (scope, claims) => {
      const agent = await signedIn(host, 'alice')
      const page = await agent.follow(authorizeUrl(host, { params: { scope } }))
      const ticked = scope.split(' ')
      const answer = await decide(agent, page, 'approve', { scope: ticked })
      const { tokens, claims: inIdToken } = await finish(host, agent, answer)
      expect((await userinfo(host, tokens.access_token)).body).toEqual({ sub: 'alice', ...claims })
      for (const name of Object.keys(claims)) expect(inIdToken).not.toHaveProperty(name)
    },
  )

  test('what a user leaves unticked is not told, though the client asks for it by name as well', async () => {
    const agent = await signedIn(host, 'alice')
    const claims = JSON.stringify({ userinfo: { email: { essential: true } }, id_token: { email: null } })
    const page = await agent.follow(authorizeUrl(host, { params: { scope: 'openid email phone', claims } }))
    expect(page.text).not.toContain('wants to know')
    const { tokens, claims: inIdToken } = await finish(
      host,
      agent,
      await decide(agent, page, 'approve', { scope: ['phone'] }),
    )
    expect(tokens.scope).toBe('openid phone')
    expect(inIdToken).not.toHaveProperty('email')
    expect((await userinfo(host, tokens.access_token)).body).toEqual({ sub: 'alice', ...PHONE })
    const { body } = await refresh(host, tokens.refresh_token)
    expect(await idTokenClaims(host, String(body.id_token))).not.toHaveProperty('email')
    expect((await userinfo(host, body.access_token)).body).toEqual({ sub: 'alice', ...PHONE })
  })

  test('a narrower refresh narrows them', async () => {
    const { tokens } = await signIn(host, { params: { scope: 'openid profile address' } })
    const { body } = await refresh(host, tokens.refresh_token, { form: { scope: 'openid address' } })
    expect((await userinfo(host, body.access_token)).body).toEqual({ sub: 'alice', ...ADDRESS })
  })
})

describe('what is read off a user object', () => {
  async function told(members: object, scope = 'openid profile address'): Promise<Record<string, unknown>> {
    setUser(host, 'alice', members)
    try {
      const { sub: _, ...claims } = await claimsAt(host, { params: { scope } })
      return claims
    } finally {
      setUser(host, 'alice', ALICE)
    }
  }

  test('every standard claim, in snake case', async () => {
    const all = {
      name: 'a',
      family_name: 'b',
      given_name: 'c',
      middle_name: 'd',
      nickname: 'e',
      preferred_username: 'f',
      profile: 'https://g.example',
      picture: 'https://h.example',
      website: 'https://i.example',
      gender: 'j',
      birthdate: '2000-01-01',
      zoneinfo: 'Europe/Zurich',
      locale: 'de-CH',
      updated_at: 1_700_000_000,
    }
    expect(await told(all, 'openid profile')).toEqual(all)
  })

  test('and in camel case', async () => {
    expect(
      await told({ familyName: 'b', givenName: 'c', middleName: 'd', preferredUsername: 'f', updatedAt: 5 }),
    ).toEqual({ family_name: 'b', given_name: 'c', middle_name: 'd', preferred_username: 'f', updated_at: 5 })
  })

  test('from getters of a class, as those of database libraries', async () => {
    class Model {
      get name() {
        return 'From a getter'
      }
    }
    host.users.set('alice', Object.assign(new Model(), { id: 'alice', email: '' }) as never)
    expect((await claimsAt(host, { params: { scope: 'openid profile' } })).name).toBe('From a getter')
    setUser(host, 'alice', ALICE)
  })

  test.each<[given: unknown, told: number]>([
    [new Date(1_700_000_000_999), 1_700_000_000],
    [1_700_000_000.7, 1_700_000_000],
    [1_700_000_000_999, 1_700_000_000],
    [0, 0],
  ])('updated_at %p is told in whole seconds', async (updatedAt, seconds) => {
    expect(await told({ name: 'A', updatedAt })).toEqual({ name: 'A', updated_at: seconds })
  })

  test.each([
    [new Date('never')],
    ['2024-01-01'],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [null],
    [true],
    [{}],
  ])('updated_at %p is left out', async (updatedAt) => {
    expect(await told({ name: 'A', updatedAt })).toEqual({ name: 'A' })
  })

  test.each<[given: unknown, told: unknown]>([
    ['Main Street 1, Zurich', { formatted: 'Main Street 1, Zurich' }],
    [
      { postalCode: '8000', locality: 'Zurich', region: '' },
      { postal_code: '8000', locality: 'Zurich' },
    ],
    [{ street_address: 'x', streetAddress: 'y' }, { street_address: 'x' }],
  ])('address %j is told as OpenID Connect Core §5.1.1 has it', async (address, expected) => {
    expect(await told({ name: 'A', address })).toEqual({ name: 'A', address: expected })
  })

  test.each([[''], [{}], [null], [[]], [5], [{ door: '7' }], [{ country: '', locality: null }]])(
    'address %j is left out',
    async (address) => {
      expect(await told({ name: 'A', address })).toEqual({ name: 'A' })
    },
  )

  test.each([[null], [''], [undefined], [5], [{}], [[]], [() => 'x'], [new Date()]])(
    'a name that is %p is left out, never null or empty',
    async (name) => {
      expect(await told({ name, nickname: 'Al' })).toEqual({ nickname: 'Al' })
    },
  )

  test.each([['true'], [1], ['yes'], [null], [new Date()]])(
    'CLIENTS-02 email_verified is a boolean or not there: %p',
    async (email_verified) => {
      setUser(host, 'alice', { email: 'a@host.example', email_verified })
      const agent = await signedIn(host, 'alice')
      const page = await agent.follow(authorizeUrl(host, { params: { scope: 'openid email' } }))
      const { tokens } = await finish(host, agent, await decide(agent, page, 'approve', { scope: 'email' }))
      expect((await userinfo(host, tokens.access_token)).body).toEqual({
        sub: 'alice',
        email: 'a@host.example',
      })
      setUser(host, 'alice', ALICE)
    },
  )

  test('nothing else of the user object comes out, whatever is asked for', async () => {
    const names = ['passwordHash', 'isAdmin', 'id', 'constructor', '__proto__', 'toString', 'hasOwnProperty']
    const members = Object.fromEntries(names.map((name) => [name, { essential: true }]))
    const claims = JSON.stringify({ userinfo: members, id_token: members })
    const { tokens, claims: inIdToken } = await signIn(host, { params: { scope: 'openid profile', claims } })
    expect((await userinfo(host, tokens.access_token)).body).toEqual({ sub: 'alice', ...PROFILE })
    expect(Object.keys(inIdToken).sort()).toEqual(
      ['at_hash', 'aud', 'auth_time', 'exp', 'iat', 'iss', 'sid', 'sub'].sort(),
    )
  })
})

describe('OIDC-11 the claims parameter', () => {
  const withClaims = (claims: unknown, more: object = {}) => ({
    params: {
      scope: 'openid',
      claims: typeof claims === 'string' ? claims : JSON.stringify(claims),
      ...more,
    },
  })
  const ask = (agent: Agent, claims: unknown, more: object = {}): Promise<Page> =>
    agent.follow(authorizeUrl(host, withClaims(claims, more)))

  test('oidcc-claims-essential: a name that is asked of userinfo is told there, if the user approves', async () => {
    const agent = await signedIn(host, 'alice')
    const page = await ask(agent, { userinfo: { name: { essential: true } } })
    expect(stage(host, page)).toBe('consent')
    const { tokens, claims } = await finish(host, agent, page)
    expect((await userinfo(host, tokens.access_token)).body).toEqual({ sub: 'alice', name: 'Alice Example' })
    expect(claims).not.toHaveProperty('name')
    const { body } = await refresh(host, tokens.refresh_token)
    expect((await userinfo(host, body.access_token)).body).toEqual({ sub: 'alice', name: 'Alice Example' })
  })

  test('one that is asked of the ID token is told there, after refresh too, and not at userinfo', async () => {
    const { tokens, claims } = await signIn(
      host,
      withClaims({ id_token: { email: null, given_name: { value: 'Eve' } } }),
    )
    expect(claims).toMatchObject({ email: 'alice@host.example', given_name: 'Alice' })
    expect(claims).not.toHaveProperty('name')
    expect((await userinfo(host, tokens.access_token)).body).toEqual({ sub: 'alice' })
    const { body } = await refresh(host, tokens.refresh_token)
    expect(await idTokenClaims(host, String(body.id_token))).toMatchObject({ email: 'alice@host.example' })
  })

  test('with a scope of it the user is asked for the scope, and for no claim', async () => {
    const agent = await signedIn(host, 'alice')
    const page = await ask(agent, { id_token: { name: null } }, { scope: 'openid profile' })
    expect(page.text).not.toContain('wants to know')
    const { claims } = await finish(host, agent, page)
    expect(claims.name).toBe('Alice Example')
    expect(claims).not.toHaveProperty('given_name')
    expectCode(
      host,
      await ask(agent, { id_token: { name: null } }, { scope: 'openid profile', prompt: 'none' }),
    )
  })

  test('beyond the scopes each claim is on the page, and once allowed it is remembered as scopes are', async () => {
    const agent = await signedIn(host, 'alice')
    const claims = { userinfo: { name: null, birthdate: null }, id_token: { name: null, phone_number: null } }
    const first = await ask(agent, claims)
    expectPageHeaders(first)
    expect(listed(first, 'It also wants to know')).toEqual([
      'Your name',
      'Your date of birth',
      'Your phone number',
    ])
    expectErrorRedirect(host, await ask(agent, claims, { prompt: 'none' }), 'consent_required')
    expect(responseOf(await decide(agent, first, 'deny')).error).toBe('access_denied')
    expectErrorRedirect(host, await ask(agent, claims, { prompt: 'none' }), 'consent_required')

    await finish(host, agent, await ask(agent, claims))
    const told = { sub: 'alice', name: 'Alice Example' }
    for (const prompt of [undefined, 'none']) {
      const page = await ask(agent, claims, { prompt })
      expect(stage(host, page)).toBe('callback')
      const { tokens, claims: inIdToken } = await finish(host, agent, page)
      expect((await userinfo(host, tokens.access_token)).body).toEqual(told)
      expect(inIdToken).toMatchObject({ name: 'Alice Example', phone_number: '+41 44 000 00 00' })
    }
    expectCode(host, await ask(agent, { userinfo: { birthdate: null } }, { prompt: 'none' }))
    expectCode(host, await ask(agent, {}, { prompt: 'none' }))
  })

  test('one more is asked for, and the page says which are known', async () => {
    const agent = await signedIn(host, 'alice')
    await finish(host, agent, await ask(agent, { userinfo: { name: null } }))
    const claims = { userinfo: { name: null }, id_token: { email: null } }
    expectErrorRedirect(host, await ask(agent, claims, { prompt: 'none' }), 'consent_required')
    const page = await ask(agent, claims)
    expect(listed(page, 'It wants to know')).toEqual(['Your email address'])
    expect(listed(page, 'You already let it know')).toEqual(['Your name'])
    expect(page.text).not.toContain('asks for nothing new')
    await finish(host, agent, page)
    expect(await grantedClaims('conf')).toEqual(['email', 'name'])
    const again = await ask(agent, claims, { prompt: 'consent' })
    expect(again.text).toContain('It asks for nothing new. You already allow it to</h2>')
    expect(listed(again, 'You already let it know')).toEqual(['Your name', 'Your email address'])
    expect(again.text).not.toContain('wants to know')
  })

  test('a claim of a scope that the user allowed before is known too, and a scope is not known by one of its claims', async () => {
    const agent = await signedIn(host, 'alice')
    await finish(host, agent, await ask(agent, {}, { scope: 'openid profile' }))
    expectCode(host, await ask(agent, { userinfo: { name: null } }, { prompt: 'none' }))
    await finish(host, agent, await ask(agent, { userinfo: { address: null } }))
    const page = await ask(agent, {}, { scope: 'openid address', prompt: 'none' })
    expectErrorRedirect(host, page, 'consent_required')
  })

  test.each([
    ['with a loopback redirect', 'nat', 'http://127.0.0.1:51004/cb'],
    ['with a private-use redirect', 'nat', 'com.example.app:/cb'],
  ])('a client %s is asked about them each time', async (_, client, redirect_uri) => {
    const agent = await signedIn(host, 'alice')
    const options = { client, ...withClaims({ userinfo: { name: null } }, { redirect_uri }) }
    for (let time = 0; time < 2; time++) {
      const page = await agent.follow(authorizeUrl(host, options))
      expect(stage(host, page)).toBe('consent')
      await decide(agent, page, 'approve')
    }
    const silent = { ...options, params: { ...options.params, prompt: 'none' } }
    const page = await agent.follow(authorizeUrl(host, silent))
    expectErrorRedirect(host, page, 'consent_required', { redirectUri: redirect_uri })
  })

  test('those that were allowed are part of the grant: in the list, on the page of applications, and gone when it is withdrawn', async () => {
    const agent = await signedIn(host, 'alice')
    const claims = { userinfo: { email: null }, id_token: { birthdate: null } }
    await finish(host, agent, await ask(agent, claims))
    expect(await grantedClaims('conf')).toEqual(['birthdate', 'email'])
    const page = await agent.get(`${host.issuer}/authorized-applications`)
    expect(page.text).toContain('<bdi>Your email address</bdi>')
    expect(page.text).toContain('<bdi>Your date of birth</bdi>')
    expect(page.text).toContain('It gets to know')
    await agent.post(page.url, { _csrf: inputValue(page, '_csrf'), grant: inputValue(page, 'grant') })
    expectErrorRedirect(host, await ask(agent, claims, { prompt: 'none' }), 'consent_required')
    await finish(host, agent, await ask(agent, {}))
    const after = await agent.get(page.url)
    expect(after.text).not.toContain('It gets to know')
    expect((await host.oauth.grants.list({ userId: 'alice' }))[0]).not.toHaveProperty('claims')
  })

  test('the page of applications does not name a claim beside its scope', async () => {
    const agent = await signedIn(host, 'alice')
    await finish(host, agent, await ask(agent, { userinfo: { name: null } }))
    await finish(host, agent, await ask(agent, {}, { scope: 'openid profile' }))
    const page = await agent.get(`${host.issuer}/authorized-applications`)
    expect(page.text).toContain('See your name and your profile')
    expect(page.text).not.toContain('Your name')
  })

  /** What a page lists under a heading. */
  function listed(page: Page, heading: string): unknown[] {
    const [, section = ''] = new RegExp(`${heading}</h2>([\\s\\S]*?)</section>`).exec(page.text) ?? []
    return [...section.matchAll(/<li><bdi>([^<]*)<\/bdi>/g)].map(([, text]) => text)
  }

  async function grantedClaims(clientId: string): Promise<readonly string[]> {
    const [grant] = await host.oauth.grants.list({ userId: 'alice', clientId })
    return [...(grant?.claims ?? [])].sort()
  }

  test('a request without them has no such section', async () => {
    const agent = await signedIn(host, 'alice')
    for (const claims of [
      '{}',
      '{"userinfo":{"sub":null,"made_up":null}}',
      '{"id_token":{"acr":null,"auth_time":null}}',
    ]) {
      const page = await ask(agent, claims, { prompt: 'consent' })
      expect(stage(host, page)).toBe('consent')
      expect(page.text).not.toContain('wants to know')
    }
  })

  test('what the user allowed for one request is not told for the next', async () => {
    const agent = await signedIn(host, 'alice')
    await finish(host, agent, await ask(agent, { userinfo: { name: null } }))
    const { tokens } = await finish(host, agent, await ask(agent, {}))
    expect((await userinfo(host, tokens.access_token)).body).toEqual({ sub: 'alice' })
  })

  test("the host's own client is not asked about, and gets them", async () => {
    const agent = await signedIn(host, 'alice')
    const page = await agent.follow(
      authorizeUrl(host, { client: 'first', ...withClaims({ userinfo: { name: null } }) }),
    )
    expectCode(host, page, { redirectUri: 'https://first.example/cb' })
    const { tokens } = await finish(host, agent, page, { client: 'first' })
    expect((await userinfo(host, tokens.access_token)).body).toHaveProperty('name')
    expect(await grantedClaims('first')).toEqual(['name'])
  })

  test('a client that may not ask for the scope profile cannot get a name by name', async () => {
    const agent = await signedIn(host, 'alice')
    const client = 'no-profile'
    const claims = {
      userinfo: { name: { essential: true }, email: null },
      id_token: { name: { essential: true } },
    }
    const page = await agent.follow(authorizeUrl(host, { client, ...withClaims(claims) }))
    expect(page.text).not.toContain('Your name')
    expect(page.text).toContain('Your email address')
    const { tokens, claims: inIdToken } = await finish(host, agent, page, { client })
    expect(inIdToken).not.toHaveProperty('name')
    expect((await userinfo(host, tokens.access_token)).body).toEqual({
      sub: 'alice',
      email: 'alice@host.example',
    })
  })

  test('a scope that the host takes from a client takes the claims that it asked for by name, in each new token and at once', async () => {
    const created = await host.oauth.clients.create({ redirect_uris: ['https://rp.example/cb'] })
    const client = created.client_id!
    const token = async (form: Record<string, string>) => {
      const headers = { authorization: basic(client, created.client_secret!) }
      return (await postToken(host, form, { client, headers })).body
    }
    const told = async (tokens: Record<string, unknown>) => ({
      userinfo: (await userinfo(host, String(tokens.access_token))).body,
      idToken: await idTokenClaims(host, String(tokens.id_token), client),
    })
    const redirect_uri = 'https://rp.example/cb'
    const claims = { userinfo: { email: null, name: null }, id_token: { email: null, name: null } }
    const asked = { client, ...withClaims(claims, { scope: 'openid address' }) }
    const redeemed = async () => {
      const { code } = await getCode(host, asked)
      return { grant_type: 'authorization_code', code, redirect_uri, code_verifier: VERIFIER }
    }
    const before = await token(await redeemed())
    const both = { email: 'alice@host.example', name: 'Alice Example' }
    expect((await told(before)).userinfo).toEqual({ sub: 'alice', ...both, ...ADDRESS })
    expect((await told(before)).idToken).toMatchObject(both)

    const waiting = await redeemed()
    await host.oauth.clients.update(client, { scope: 'openid profile' })
    const renewed = await token({ grant_type: 'refresh_token', refresh_token: before.refresh_token })
    for (const tokens of [before, renewed, await token(waiting)])
      expect((await told(tokens)).userinfo).toEqual({ sub: 'alice', name: 'Alice Example' })
    expect((await told(renewed)).idToken).toHaveProperty('name')
    expect((await told(renewed)).idToken).not.toHaveProperty('email')

    await host.oauth.clients.update(client, { scope: 'email' })
    expect((await userinfo(host, renewed.access_token)).status).toBe(403)
    await host.oauth.clients.update(client, { scope: 'openid email profile' })
    expect((await told(before)).userinfo).toEqual({ sub: 'alice', ...both })
    expect((await told(renewed)).userinfo).toEqual({ sub: 'alice', name: 'Alice Example' })
    const restored = await token({ grant_type: 'refresh_token', refresh_token: renewed.refresh_token })
    expect((await told(restored)).userinfo).toEqual({ sub: 'alice', ...both })
    await host.oauth.clients.delete(client)
  })

  test('without the scope openid they are not told, and nobody is asked about them', async () => {
    const agent = await signedIn(host, 'alice')
    const page = await ask(agent, { userinfo: { name: null }, id_token: { name: null } }, { scope: 'read' })
    expect(page.text).not.toContain('wants to know')
    const answer = await decide(agent, page, 'approve')
    const { body } = await redeem(host, responseOf(answer).code!)
    expect(body).not.toHaveProperty('id_token')
    expect((await userinfo(host, body.access_token)).status).toBe(403)
    expectCode(host, await ask(agent, { userinfo: { name: null } }, { scope: 'read', prompt: 'none' }))
  })

  test.each<[what: string, claims: unknown]>([
    [
      'unknown claims',
      { userinfo: { made_up: { essential: true } }, id_token: { 'https://x.example/y': null } },
    ],
    ['unknown members', { elsewhere: { name: null }, userinfo: {} }],
    ['unknown members of a claim', { userinfo: { sub: { essential: false, purpose: 'x', max: [1] } } }],
    ['null in place of a list of claims', { userinfo: null, id_token: null }],
    ['an empty object', {}],
    ['a claim of another language', { userinfo: { 'name#ja-Kana-JP': null } }],
    [
      'claims of the token itself',
      { id_token: { iss: { value: 'x' }, aud: null, exp: { value: 1 }, nonce: { value: 'x' } } },
    ],
    [
      'INJ-10 __proto__',
      '{"__proto__":{"userinfo":{"name":null}},"userinfo":{"__proto__":null,"constructor":null}}',
    ],
    [
      'INJ-10 __proto__ with a value',
      '{"id_token":{"__proto__":{"essential":true,"x":1}},"userinfo":{"__proto__":{"name":null}}}',
    ],
  ])('%s are ignored', async (_, claims) => {
    const { tokens, claims: inIdToken } = await signIn(host, withClaims(claims))
    expect(inIdToken).toMatchObject({ iss: host.issuer, sub: 'alice', aud: 'conf' })
    expect((await userinfo(host, tokens.access_token)).body).toEqual({ sub: 'alice' })
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })

  test.each([
    '{',
    'null',
    'true',
    '5',
    '"userinfo"',
    '[]',
    '[{"userinfo":{}}]',
    'undefined',
    '{"userinfo":[]}',
    '{"userinfo":"name"}',
    '{"userinfo":5}',
    '{"id_token":true}',
    '{"userinfo":{"name":"x"}}',
    '{"userinfo":{"name":[]}}',
    '{"userinfo":{"name":true}}',
    '{"userinfo":{"name":{"essential":"true"}}}',
    '{"userinfo":{"name":{"essential":1}}}',
    '{"userinfo":{"name":{"values":"x"}}}',
    '{"id_token":{"sub":{"value":5}}}',
    '{"id_token":{"sub":{"value":["alice"]}}}',
    '{"id_token":{"sub":{"values":[5]}}}',
    '{"userinfo":{"sub":{"value":{}}}}',
    '{"id_token":{"acr":{"essential":true,"values":[1]}}}',
    "{'userinfo':{}}",
    '{"userinfo":{}} ,',
  ])('%s is invalid_request', async (claims) => {
    const agent = await signedIn(host, 'alice')
    const members = expectErrorRedirect(host, await ask(agent, claims), 'invalid_request')
    expect(members.get('error_description')).toContain('claims')
  })
})

describe('OIDC-11 a sub that the claims parameter names', () => {
  const naming = (sub: unknown, where = 'id_token') => JSON.stringify({ [where]: { sub } })
  const askFor = async (user: string, claims: string, more: object = {}, client = 'conf') => {
    const agent = await signedIn(host, user)
    await signIn(host, { agent, client })
    return agent.follow(authorizeUrl(host, { client, params: { scope: 'openid', claims, ...more } }))
  }

  test.each([
    [{ value: 'alice' }],
    [{ value: 'alice', essential: true }],
    [{ values: ['carol', 'alice'] }],
    [{ essential: true }],
    [null],
  ])('that is the user who is signed in, %j, succeeds', async (sub) => {
    expectCode(host, await askFor('alice', naming(sub)))
    expectCode(host, await askFor('alice', naming(sub, 'userinfo'), { prompt: 'none' }))
  })

  test.each([
    [{ value: 'bob' }],
    [{ value: 'Alice' }],
    [{ value: '' }],
    [{ values: ['bob', 'carol'] }],
    [{ values: [] }],
  ])('that is another user, %j, is login_required and never another sub', async (sub) => {
    for (const where of ['id_token', 'userinfo']) {
      for (const prompt of [undefined, 'none', 'consent'])
        expectErrorRedirect(host, await askFor('alice', naming(sub, where), { prompt }), 'login_required')
    }
  })

  test('two that differ can be met by nobody', async () => {
    const claims = JSON.stringify({
      id_token: { sub: { value: 'alice' } },
      userinfo: { sub: { value: 'bob' } },
    })
    for (const user of ['alice', 'bob'])
      expectErrorRedirect(host, await askFor(user, claims), 'login_required')
  })

  test('of a pairwise client is the sub that this client knows', async () => {
    const { claims } = await signIn(host, { client: 'pair' })
    expectCode(host, await askFor('alice', naming({ value: claims.sub }), {}, 'pair'))
    expectErrorRedirect(host, await askFor('alice', naming({ value: 'alice' }), {}, 'pair'), 'login_required')
    expectErrorRedirect(
      host,
      await askFor('bob', naming({ value: claims.sub }), {}, 'pair'),
      'login_required',
    )
  })

  test('lets that user sign in where another one is, with prompt=login', async () => {
    const agent = await signedIn(host, 'bob')
    const url = authorizeUrl(host, {
      params: { scope: 'openid', prompt: 'login', claims: naming({ value: 'alice' }) },
    })
    const page = await signInAt(agent, await agent.follow(url), 'alice')
    expect((await finish(host, agent, page)).claims.sub).toBe('alice')
    const refused = await signInAt(agent, await agent.follow(url), 'bob')
    expect(responseOf(refused).error).toBe('login_required')
  })
})

describe('an essential auth_time', () => {
  const claims = '{"id_token":{"auth_time":{"essential":true}}}'

  test('is there, and is asked for at the login where the host does not know it', async () => {
    expect((await signIn(host, { params: { scope: 'openid', claims } })).claims.auth_time).toEqual(
      expect.any(Number),
    )
    const other = await start({ authTime: () => undefined })
    const agent = await signedIn(other, 'alice')
    const login = await agent.follow(authorizeUrl(other, { params: { scope: 'openid', claims } }))
    expect(stage(other, login)).toBe('login')
    const { claims: told } = await finish(other, agent, await signInAt(agent, login, 'alice'))
    expect(told.auth_time).toBe(Math.floor(other.now() / 1000))
  })
})

describe('the option claims', () => {
  test('replaces what is read off the user object, and gets the user and the scopes that were allowed', async () => {
    const calls: unknown[] = []
    const other = await start({
      claims: async (user, context) => {
        calls.push([user.name, context])
        return { nickname: `${user.name}!`, roles: ['admin', 'user'], level: 0, active: false }
      },
    })
    const told = await claimsAt(other, { params: { scope: 'openid profile email' } })
    expect(told).toEqual({
      sub: 'alice',
      nickname: 'Alice!',
      roles: ['admin', 'user'],
      level: 0,
      active: false,
    })
    expect(calls).toEqual([['Alice', { scopes: ['openid', 'profile', 'email'] }]])
  })

  test('OIDC-02 cannot say who the user is, nor anything else that only the provider says', async () => {
    const other = await start({
      claims: () => ({
        sub: 'bob',
        iss: 'https://evil.example',
        aud: 'x',
        exp: 1,
        nonce: 'x',
        acr: 'x',
        cnf: {},
        name: 'A',
      }),
    })
    expect(await claimsAt(other, { params: { scope: 'openid profile' } })).toEqual({
      sub: 'alice',
      name: 'A',
    })
    const { tokens } = await signIn(other, { client: 'signed-rs256', params: { scope: 'openid profile' } })
    expect(
      await idTokenClaims(other, (await userinfo(other, tokens.access_token)).text, 'signed-rs256'),
    ).toEqual({
      iss: other.issuer,
      aud: 'signed-rs256',
      sub: 'alice',
      name: 'A',
    })
  })

  test('OIDC-02 null, undefined, empty and what JSON cannot say are left out', async () => {
    const other = await start({
      claims: () => ({
        a: null,
        b: undefined,
        c: '',
        d: Number.NaN,
        e: () => 'x',
        f: new Date('never'),
        g: Symbol('x'),
        name: 'A',
      }),
    })
    const { tokens } = await signIn(other, { params: { scope: 'openid profile' } })
    expect((await userinfo(other, tokens.access_token)).text).toBe('{"sub":"alice","name":"A"}')
  })

  test('INJ-10 a claim named __proto__ does nothing', async () => {
    const other = await start({ claims: () => JSON.parse('{"__proto__":{"x":1},"name":"A"}') })
    expect(await claimsAt(other, { params: { scope: 'openid profile' } })).toEqual({
      sub: 'alice',
      name: 'A',
    })
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })

  test.each<[what: string, claims: () => never]>([
    [
      'throws',
      () => {
        throw new Error('connect ECONNREFUSED 10.9.8.7')
      },
    ],
    ['rejects', (async () => Promise.reject(new Error('10.9.8.7'))) as never],
    ['gives undefined', () => undefined as never],
    ['gives null', () => null as never],
    ['gives a list', () => [{ name: '10.9.8.7' }] as never],
    ['gives a text', () => '10.9.8.7' as never],
    ['gives what JSON cannot hold', () => ({ name: 10n }) as never],
  ])('one that %s is server_error with nothing of it, and the code is not used up', async (_, broken) => {
    let failing = true
    const other = await start({ claims: () => (failing ? broken() : { name: 'A' }), idTokenClaims: 'scopes' })
    const agent = await signedIn(other, 'alice')
    const page = await agent.follow(authorizeUrl(other, { params: { scope: 'openid profile' } }))
    const { code } = responseOf(await decide(agent, page, 'approve'))
    const refused = await redeem(other, code!)
    expect([refused.status, refused.body.error]).toEqual([500, 'server_error'])
    expect(JSON.stringify(refused.body)).not.toContain('10.9.8.7')
    failing = false
    const { status, body } = await redeem(other, code!)
    expect(status).toBe(200)
    failing = true
    const answer = await userinfo(other, body.access_token)
    expect([answer.status, answer.body.error]).toEqual([500, 'server_error'])
    expect(answer.text).not.toContain('10.9.8.7')
    expect(
      other.events.filter(({ name }) => name === 'server.error').map(({ event }) => event.endpoint),
    ).toEqual(['/token', '/userinfo'])
  })

  test('what the user allowed by name is asked of it with the scope that the name belongs to, and no more of that is told', async () => {
    const other = await start({
      claims: (user, { scopes }) => ({
        ...(scopes.includes('profile') && { name: user.name, gender: 'x' }),
        ...(scopes.includes('email') && { email: user.email }),
      }),
    })
    const claims = '{"userinfo":{"name":null},"id_token":{"email":null}}'
    const { tokens, claims: inIdToken } = await signIn(other, { params: { scope: 'openid', claims } })
    expect((await userinfo(other, tokens.access_token)).body).toEqual({ sub: 'alice', name: 'Alice' })
    expect(inIdToken.email).toBe('alice@host.example')
    expect(inIdToken).not.toHaveProperty('name')
  })

  test('what goes with a scope is not told with one claim of it, be it standard or not: the user was asked about that claim alone', async () => {
    const other = await start({
      claims: (user, { scopes }) => ({
        team: 'photos',
        ...(scopes.includes('email') && { email: user.email, email_verified: true, work_email: 'a@work' }),
      }),
    })
    const members = { email: null, work_email: { essential: true } }
    const agent = await signedIn(other, 'alice')
    const claims = JSON.stringify({ userinfo: members, id_token: members })
    const page = await agent.follow(authorizeUrl(other, { params: { scope: 'openid', claims } }))
    expect(page.text).toContain('Your email address')
    expect(page.text).not.toContain('work_email')
    const { tokens, claims: inIdToken } = await finish(other, agent, page)
    const email = 'alice@host.example'
    expect((await userinfo(other, tokens.access_token)).body).toEqual({ sub: 'alice', team: 'photos', email })
    expect(inIdToken.email).toBe(email)
    expect(inIdToken).not.toHaveProperty('work_email')
    const list = await agent.get(`${other.issuer}/authorized-applications`)
    expect(list.text).toContain('Your email address')
    const scoped = await claimsAt(other, { agent, params: { scope: 'openid email' } })
    expect(scoped).toHaveProperty('work_email', 'a@work')
  })

  test.each<[what: string, value: () => unknown, told: RegExp]>([
    ['a BigInt', () => 10_987n, /BigInt/],
    ['a BigInt deep inside', () => ({ ids: [10_987n] }), /BigInt/],
    [
      'a circle',
      () => {
        const circle: unknown[] = []
        return circle.concat([circle], [Object.assign(circle, { 0: circle })])
      },
      /circular/,
    ],
  ])('%s is refused with an error that names the claim and the remedy', async (_, value, told) => {
    let ready = false
    const other = await start({ claims: () => ({ name: 'A', ...(ready && { employee: value() }) }) })
    const { tokens } = await signIn(other, { params: { scope: 'openid profile' } })
    ready = true
    expect((await userinfo(other, tokens.access_token)).status).toBe(500)
    const failures = other.events.filter(({ name }) => name === 'server.error')
    expect(failures).toHaveLength(1)
    const { message } = failures[0]!.event.error as Error
    expect(message).toMatch(/^oauthProvider: claims gave 'employee' as .* Give what JSON can hold/s)
    expect(message).toMatch(told)
    expect(message).not.toContain('10987')
  })

  test('a hook that looks at no scopes tells nothing that the user did not allow, and is warned once for each claim', async () => {
    const other = await start({
      idTokenClaims: 'scopes',
      claims: () => ({ name: 'Alice', email: 'alice@host.example', phone_number: '1', role: 'admin' }),
    })
    const claims = '{"userinfo":{"phone_number":null}}'
    for (let time = 0; time < 2; time++) {
      const { tokens, claims: inIdToken } = await signIn(other, {
        params: { scope: 'openid profile', claims },
      })
      const told = { sub: 'alice', name: 'Alice', role: 'admin' }
      expect((await userinfo(other, tokens.access_token)).body).toEqual({ ...told, phone_number: '1' })
      expect(inIdToken).toMatchObject(told)
      expect(inIdToken).not.toHaveProperty('email')
      expect(inIdToken).not.toHaveProperty('phone_number')
    }
    const warnings = other.events.filter(({ name }) => name === 'warning').map(({ event }) => event)
    expect(warnings).toEqual([
      { code: 'claim_without_scope', message: expect.stringMatching(/'email'.*scopes\.includes\('email'\)/) },
      { code: 'claim_without_scope', message: expect.stringMatching(/'phone_number'.*'phone'/) },
    ])
  })

  test('a claim of its own can be asked for the ID token by name', async () => {
    const other = await start({ claims: () => ({ role: 'admin', other: 'x' }) })
    const claims = '{"id_token":{"role":{"essential":true}}}'
    const { claims: inIdToken } = await signIn(other, { params: { scope: 'openid', claims } })
    expect(inIdToken.role).toBe('admin')
    expect(inIdToken).not.toHaveProperty('other')
  })
})

describe('PAINS-E4 a scope that tells nothing', () => {
  const warnings = (at: Host) =>
    at.events.filter(({ name, event }) => name === 'warning' && event.code === 'scope_without_claims')

  test('warns once for each scope, and says what to do', async () => {
    const other = await start()
    for (let time = 0; time < 2; time++) {
      for (const user of ['alice', 'bob'])
        await claimsAt(other, { user, params: { scope: 'openid profile phone address read' } })
    }
    const messages = warnings(other).map(({ event }) => String(event.message))
    expect(messages).toHaveLength(2)
    expect(messages.join('\n')).toMatch(/'address'[\s\S]*'phone'|'phone'[\s\S]*'address'/)
    for (const message of messages) expect(message).toMatch(/findUser.*claims:/)
    expect(messages.join()).not.toContain('alice')
  })

  test('does not warn of what was told, of openid or of scopes of an API', async () => {
    const other = await start()
    await claimsAt(other, { params: { scope: 'openid profile email offline_access read' } })
    expect(warnings(other)).toEqual([])
  })
})

test('INJ-02 a page shows what a client asks for without anything of the request', async () => {
  const other = await start({ clients: [...relyingParties, relyingParty('evil', { client_name: '<b>"\'' })] })
  const agent = await signedIn(other, 'alice')
  const claims = '{"userinfo":{"name":null,"<svg onload=alert(1)>":null},"id_token":{"\\"><script>":null}}'
  const page = await agent.follow(
    authorizeUrl(other, { client: 'evil', params: { scope: 'openid', claims } }),
  )
  expect(page.text).toContain('Your name')
  expect(page.text).not.toMatch(/<svg|<script|<b>/)
  expect(inputValue(page, '_csrf')).not.toBe('')
})
