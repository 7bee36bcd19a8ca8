import SQLite from 'better-sqlite3'
import type { ClientMetadata, OAuthProviderOptions } from '../lib/index.js'
import { openStore } from '../lib/store/open.js'
import type { Store } from '../lib/store/store.js'
import { Agent, inputValue, type Page } from './support/agent.js'
import { expectErrorPage, expectPageHeaders } from './support/answers.js'
import { clients } from './support/clients.js'
import {
  askForCodes,
  DEVICE_GRANT,
  type DeviceCodes,
  decideAs,
  decideOn,
  deviceClients,
  enterCode,
  poll,
  startDevice,
} from './support/devices.js'
import { faultyStore, OPERATIONS } from './support/faults.js'
import {
  basic,
  CHALLENGE,
  callApi,
  getCode,
  postToken,
  redeem,
  refresh,
  signedIn,
  VERIFIER,
} from './support/flow.js'
import { type Host, type HostOptions, startHost, type User } from './support/host.js'
import { idTokenClaims } from './support/openid.js'
import { dump, expectMachineHeaders, expectRefusal, expectTokens } from './support/token-endpoint.js'

const ownClients: readonly ClientMetadata[] = [
  {
    client_id: 'told',
    client_name: 'Told',
    grant_types: [DEVICE_GRANT],
    backchannel_logout_uri: 'http://127.0.0.1:9/out',
  },
  {
    client_id: 'own',
    client_secret: 'own-secret',
    client_name: 'Our Own',
    grant_types: [DEVICE_GRANT],
    token_endpoint_auth_method: 'client_secret_post',
    skip_consent: true,
  },
  { client_id: 'gone', client_name: 'Gone', grant_types: [DEVICE_GRANT], disabled: true },
]
const provider: Partial<OAuthProviderOptions<User>> = {
  clients: [...clients, ...deviceClients, ...ownClients],
  scopes: {
    read: 'Read your things',
    write: { description: 'Change your things', required: false },
  },
  authTime: () => 1_700_000_000,
  allowPrivateAddresses: true,
}
/** Lets a test choose where a request comes from. */
const behindProxy: HostOptions['beforeSession'] = (app) => app.set('trust proxy', true)

function start(options: HostOptions = {}): Promise<Host> {
  return startHost({ ...options, provider: { ...provider, ...options.provider } })
}

let host: Host
const database = new SQLite(':memory:')
const secrets: string[] = []
beforeAll(async () => {
  host = await start({ provider: { store: database } })
})
afterEach(() => {
  const failed = host.events.filter(({ name }) => name === 'server.error')
  expect(failed).toEqual([])
  // Wrong codes of one test are none of the next one's.
  host.advance(1200)
})
afterAll(async () => {
  await host.close()
  database.close()
})

/** Codes whose values must be found nowhere afterwards. */
async function codesFor(options: Parameters<typeof startDevice>[1] = {}): Promise<DeviceCodes> {
  const codes = await startDevice(host, options)
  secrets.push(codes.device_code, codes.user_code, codes.user_code.replace('-', ''))
  return codes
}

/** The events that a test has caused. */
async function eventsOf(act: () => Promise<unknown>): Promise<Host['events']> {
  const before = host.events.length
  await act()
  return host.events.slice(before)
}

/** A code that is shown to nobody. */
function otherThan({ user_code }: DeviceCodes): string {
  const [first, ...rest] = user_code
  return [first === 'B' ? 'C' : 'B', ...rest].join('')
}

function expectWaiting(page: Page, { user_code }: DeviceCodes): void {
  expect(page.status).toBe(200)
  expect(inputValue(page, 'user_code')).toBe(user_code)
  expect(page.text).toMatch(/name="decision" value="deny".*name="decision" value="approve"/s)
}

function expectAskedAgain(page: Page, status: number, words: string): void {
  expect({ status: page.status, location: page.location }).toEqual({ status, location: undefined })
  expectPageHeaders(page)
  expect(page.text).toContain(words)
  expect(page.text).not.toContain('name="decision"')
  expect(page.text).toContain('name="user_code"')
}

async function expectPending(codes: DeviceCodes, client = 'tv'): Promise<void> {
  host.advance(30)
  expectRefusal(await poll(host, codes, { client }), 400, 'authorization_pending')
}

describe('POST /device_authorization', () => {
  test('DEV-01 gives a device its codes, and says where the user goes with which', async () => {
    const codes = await codesFor()
    expect(codes).toEqual({
      device_code: expect.stringMatching(/^[\w-]{64}$/),
      user_code: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/),
      verification_uri: `${host.issuer}/device`,
      verification_uri_complete: `${host.issuer}/device?user_code=${codes.user_code}`,
      expires_in: 600,
      interval: 5,
    })
  })

  test('DEV-01 also to a confidential client that authenticates, and by its own metadata', async () => {
    await codesFor({ client: 'box' })
    const form = { client_id: 'own', client_secret: 'own-secret' }
    await codesFor({ client: 'own', form })
    const metadata = await (await fetch(`${host.issuer}/.well-known/oauth-authorization-server`)).json()
    expect(metadata).toMatchObject({
      device_authorization_endpoint: `${host.issuer}/device_authorization`,
      grant_types_supported: expect.arrayContaining([DEVICE_GRANT]),
    })
  })

  test('DEV-01 for as long as the host says', async () => {
    const brief = await start({ provider: { lifetimes: { deviceCode: 60 } } })
    const codes = await startDevice(brief)
    expect(codes.expires_in).toBe(60)
    brief.advance(60)
    expectRefusal(await poll(brief, codes), 400, 'expired_token')
    await brief.close()
  })

  test('DEV-01 all of them different, and all letters used', async () => {
    const all = await Promise.all(Array.from({ length: 45 }, () => startDevice(host)))
    expect(new Set(all.map(({ device_code }) => device_code)).size).toBe(45)
    expect(new Set(all.map(({ user_code }) => user_code)).size).toBe(45)
    expect(new Set(all.flatMap(({ user_code }) => [...user_code])).size).toBe(21)
  })

  test.each([
    ['an unknown client', { client_id: 'nobody' }, {}, 401, 'invalid_client', 'client_unknown'],
    ['a disabled client', { client_id: 'gone' }, {}, 401, 'invalid_client', 'client_unknown'],
    ['no client', { client_id: undefined }, {}, 401, 'invalid_client', 'credentials_missing'],
    [
      'a secret client without its secret',
      { client_id: 'box' },
      {},
      401,
      'invalid_client',
      'credentials_missing',
    ],
    [
      'a wrong secret',
      { client_id: undefined },
      { authorization: basic('box', 'x') },
      401,
      'invalid_client',
      'secret_mismatch',
    ],
    [
      'a client without the grant type',
      { client_id: 'pub' },
      {},
      400,
      'unauthorized_client',
      'grant_type_not_registered',
    ],
  ] as const)('DEV-02 TOK-04 CAUTH-08 refuses %s', async (_, form, headers, status, error, reason) => {
    const told = await eventsOf(async () => {
      expectRefusal(await askForCodes(host, { form, headers }), status, error)
    })
    expect(told).toContainEqual({
      name: 'request.refused',
      event: expect.objectContaining({ endpoint: '/device_authorization', error, reason }),
    })
  })

  test.each<[string, Record<string, string | readonly string[]>, string, string]>([
    ['an unknown scope', { scope: 'nope' }, 'invalid_scope', 'scope_unknown'],
    ['an unknown scope beside a known one', { scope: 'read nope' }, 'invalid_scope', 'scope_unknown'],
    [
      'a scope that its client may not ask for',
      { client_id: 'radio', scope: 'read write' },
      'invalid_scope',
      'scope_unknown',
    ],
    ['a scope that is none', { scope: 'read "x"' }, 'invalid_scope', 'scope_malformed'],
    [
      'a resource that is elsewhere',
      { resource: 'https://elsewhere.example' },
      'invalid_target',
      'resource_unknown',
    ],
    ['a resource that is none', { resource: 'api' }, 'invalid_target', 'resource_unknown'],
    ['a challenge without method', { code_challenge: CHALLENGE }, 'invalid_request', 'pkce_method'],
    [
      'a plain challenge',
      { code_challenge: CHALLENGE, code_challenge_method: 'plain' },
      'invalid_request',
      'pkce_method',
    ],
    [
      'a malformed challenge',
      { code_challenge: 'x', code_challenge_method: 'S256' },
      'invalid_request',
      'pkce_malformed',
    ],
    ['a method without challenge', { code_challenge_method: 'S256' }, 'invalid_request', 'pkce_missing'],
    ['scope twice', { scope: ['read', 'read'] }, 'invalid_request', 'parameter_repeated'],
    [
      'code_challenge twice',
      { code_challenge: [CHALLENGE, CHALLENGE] },
      'invalid_request',
      'parameter_repeated',
    ],
    [
      'code_challenge_method twice',
      { code_challenge_method: ['S256', 'S256'] },
      'invalid_request',
      'parameter_repeated',
    ],
    ['client_id twice', { client_id: ['tv', 'tv'] }, 'invalid_request', 'parameter_repeated'],
  ])('DEV-02 refuses %s', async (_, form, error, reason) => {
    const told = await eventsOf(async () => {
      expectRefusal(await askForCodes(host, { form }), 400, error)
    })
    expect(told).toEqual([
      {
        name: 'request.refused',
        event: expect.objectContaining({ endpoint: '/device_authorization', error, reason }),
      },
    ])
  })

  test('DEV-02 ignores what it does not know, and what has no value', async () => {
    await codesFor({
      form: { response_type: 'token', state: 's', unknown: ['a', 'b'], resource: '', code_challenge: '' },
    })
  })

  test('DEV-02 without a scope asks for the default ones that the client may have', async () => {
    const codes = await codesFor({ client: 'radio', form: { scope: undefined } })
    await decideAs(host, codes)
    expect((await poll(host, codes, { client: 'radio' })).body.scope).toBe('read')
  })

  test('HDR-01 HDR-05 TOK-07 takes a form by POST and nothing else', async () => {
    const url = `${host.issuer}/device_authorization`
    const get = await fetch(`${url}?client_id=tv&scope=read`)
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST'])
    expectMachineHeaders(get.headers)
    const json = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_id: 'tv', scope: 'read' }),
    })
    expect(json.status).toBe(400)
    expect((await fetch(`${url}?client_id=tv&scope=read`, { method: 'POST' })).status).toBe(400)
    const preflight = await fetch(url, { method: 'OPTIONS' })
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
  })

  test('DISC-07 is not there where the host has turned it off', async () => {
    const off = await start({ provider: { features: { deviceAuthorization: false } } })
    const metadata = await (await fetch(`${off.issuer}/.well-known/openid-configuration`)).text()
    expect(metadata).not.toMatch(/device/)
    for (const path of ['/device_authorization', '/device', '/device/BBBB-BBBB'])
      for (const method of ['GET', 'POST'])
        expect((await fetch(off.issuer + path, { method })).status).toBe(404)
    expectRefusal(await poll(off, { device_code: 'x' }), 400, 'unsupported_grant_type')
    await off.close()
  })
})

describe('polling', () => {
  test('DEV-03 a user who has not decided is waited for, and who polls too fast has to slow down by 5 seconds each time', async () => {
    const codes = await codesFor()
    const expected: [number, string][] = [
      [0, 'authorization_pending'],
      [5, 'authorization_pending'],
      [1, 'slow_down'], // every 10 seconds from now on
      [5, 'slow_down'], // every 15
      [10, 'slow_down'], // every 20
      [20, 'authorization_pending'],
      [15, 'slow_down'], // every 25
      [25, 'authorization_pending'],
    ]
    for (const [seconds, error] of expected) {
      host.advance(seconds)
      expectRefusal(await poll(host, codes), 400, error)
    }
  })

  test('DEV-03 a poll that is early by less than a second was so on its way', async () => {
    const codes = await codesFor()
    for (const seconds of [0, 4.5, 4.01]) {
      host.advance(seconds)
      expectRefusal(await poll(host, codes), 400, 'authorization_pending')
    }
    host.advance(3.9)
    expectRefusal(await poll(host, codes), 400, 'slow_down')
  })

  test('DEV-03 what the user has decided is told to whoever polls for it, however soon', async () => {
    const [approved, denied] = [await codesFor(), await codesFor()]
    for (const codes of [approved, denied]) await poll(host, codes)
    await decideAs(host, approved)
    await decideAs(host, denied, 'deny')
    expectTokens(await poll(host, approved))
    expectRefusal(await poll(host, denied), 400, 'access_denied')
  })

  test('DEV-04 RACE-04 of 20 polls at once after the approval, one gets tokens, and they live', async () => {
    const codes = await codesFor()
    await decideAs(host, codes)
    const answers = await Promise.all(Array.from({ length: 20 }, () => poll(host, codes)))
    const [tokens, ...more] = answers.filter(({ status }) => status === 200)
    expect(more).toEqual([])
    for (const answer of answers) if (answer !== tokens) expectRefusal(answer, 400, 'invalid_grant')
    expect((await callApi(host, '/api/read', tokens?.body.access_token)).status).toBe(200)
    expectRefusal(await poll(host, codes), 400, 'invalid_grant')
    host.advance(600)
    expectRefusal(await poll(host, codes), 400, 'invalid_grant')
    expect((await callApi(host, '/api/read', tokens?.body.access_token)).status).toBe(200)
    expect((await refresh(host, tokens?.body.refresh_token ?? '', { client: 'tv' })).status).toBe(401)
    const form = {
      grant_type: 'refresh_token',
      refresh_token: tokens?.body.refresh_token,
      device_code: undefined,
    }
    expectTokens(await poll(host, codes, { form }))
  })

  test('DEV-04 a denial stays one until the code expires', async () => {
    const codes = await codesFor()
    await decideAs(host, codes, 'deny')
    for (let time = 0; time < 2; time++) expectRefusal(await poll(host, codes), 400, 'access_denied')
    host.advance(600)
    expectRefusal(await poll(host, codes), 400, 'expired_token')
  })

  test.each(['waiting', 'approved'])(
    'DEV-04 a code that expires while it is %s is expired, and in the end unknown',
    async (state) => {
      const codes = await codesFor()
      if (state === 'approved') await decideAs(host, codes)
      host.advance(599)
      if (state === 'waiting') expectRefusal(await poll(host, codes), 400, 'authorization_pending')
      host.advance(1)
      expectRefusal(await poll(host, codes), 400, 'expired_token')
      host.advance(601)
      await host.oauth.purge()
      expectRefusal(await poll(host, codes), 400, 'invalid_grant')
    },
  )

  test('DEV-05 REFR-02 another client is refused and does no harm, not even to the interval', async () => {
    const codes = await codesFor()
    for (const client of ['radio', 'box', 'radio'])
      expectRefusal(await poll(host, codes, { client }), 400, 'invalid_grant')
    expectRefusal(await poll(host, codes), 400, 'authorization_pending')
    await decideAs(host, codes)
    for (const client of ['radio', 'box'])
      expectRefusal(await poll(host, codes, { client }), 400, 'invalid_grant')
    expectTokens(await poll(host, codes))
  })

  test('CAUTH-08 a confidential client has to prove itself, and loses nothing by failing to', async () => {
    const codes = await codesFor({ client: 'box' })
    await decideAs(host, codes)
    for (const headers of [{ authorization: basic('box', 'wrong') }, { authorization: '' }])
      expectRefusal(
        await poll(host, codes, { client: 'box', form: { client_id: 'box' }, headers }),
        401,
        'invalid_client',
      )
    expectTokens(await poll(host, codes, { client: 'box' }))
  })

  test('DEV-05 a challenge has to be met, at every poll, and a failure does no harm', async () => {
    const form = { code_challenge: CHALLENGE, code_challenge_method: 'S256' }
    const codes = await codesFor({ form })
    const wrong = [undefined, VERIFIER.replace('a', 'b'), 'short', CHALLENGE]
    const expectRefused = async () => {
      for (const code_verifier of wrong)
        expectRefusal(await poll(host, codes, { form: { code_verifier } }), 400, 'invalid_grant')
    }
    await expectRefused()
    expectRefusal(
      await poll(host, codes, { form: { code_verifier: VERIFIER } }),
      400,
      'authorization_pending',
    )
    await decideAs(host, codes)
    await expectRefused()
    expectTokens(await poll(host, codes, { form: { code_verifier: VERIFIER } }))
  })

  test('DEV-05 PKCE-08 a verifier without a challenge is refused', async () => {
    const codes = await codesFor()
    await decideAs(host, codes)
    expectRefusal(await poll(host, codes, { form: { code_verifier: VERIFIER } }), 400, 'invalid_grant')
    expectTokens(await poll(host, codes))
  })

  test('CODE-08 INJ-05 nothing else is a device_code, and a device_code is nothing else', async () => {
    const codes = await codesFor({ client: 'box' })
    const box = { client: 'box' }
    const { code } = await getCode(host)
    const { body } = await redeem(host, code)
    const others = [
      codes.user_code,
      code,
      body.access_token,
      body.refresh_token,
      "' OR '1'='1",
      'a\0b',
      'x'.repeat(5000),
    ]
    for (const device_code of others)
      expectRefusal(await poll(host, { device_code }, box), 400, 'invalid_grant')
    await decideAs(host, codes)
    for (const [grant_type, name] of [
      ['authorization_code', 'code'],
      ['refresh_token', 'refresh_token'],
    ] as const) {
      const form = { grant_type, [name]: codes.device_code, device_code: undefined }
      expectRefusal(await poll(host, codes, { ...box, form }), 400, 'invalid_grant')
    }
    expect((await callApi(host, '/api/read', codes.device_code)).status).toBe(401)
    expectTokens(await poll(host, codes, box))
  })

  test('TOK-05 device_code is sent once', async () => {
    const codes = await codesFor()
    const device_code = [codes.device_code, codes.device_code]
    expectRefusal(await poll(host, codes, { form: { device_code } }), 400, 'invalid_request')
    expectRefusal(await poll(host, codes, { form: { device_code: undefined } }), 400, 'invalid_request')
  })

  test('TOK-04 a client that is not registered for it is told so', async () => {
    const { body } = await postToken(host, { grant_type: DEVICE_GRANT, device_code: 'x' }, { client: 'pub' })
    expect(body.error).toBe('unauthorized_client')
  })
})

describe('what the device gets', () => {
  test('is for the user, with all that was allowed, and can be refreshed and narrowed', async () => {
    const resource = `${host.origin}/api`
    const codes = await codesFor({ form: { scope: 'read write', resource } })
    await decideAs(host, codes, 'approve', { form: { scope: 'write' } })
    const told = await eventsOf(async () => {
      const answer = await poll(host, codes, { form: { resource: `${resource}/read` } })
      expectTokens(answer)
      expect(answer.body.scope).toBe('read write')
      expect((await callApi(host, '/api/read', answer.body.access_token)).body).toMatchObject({
        ...{ clientId: 'tv', userId: 'alice', scopes: ['read', 'write'] },
      })
      expect((await callApi(host, '/api/write', answer.body.access_token)).status).toBe(401)
      const form = {
        grant_type: 'refresh_token',
        device_code: undefined,
        refresh_token: answer.body.refresh_token,
      }
      const again = await poll(host, codes, { form })
      expect((await callApi(host, '/api/write', again.body.access_token)).status).toBe(200)
    })
    const [grant] = await host.oauth.grants.list({ userId: 'alice', clientId: 'tv' })
    expect(grant?.access).toMatchObject({ [resource]: ['read', 'write'] })
    expect(told.filter(({ name }) => name === 'token.issued')[0]).toEqual({
      name: 'token.issued',
      event: {
        clientId: 'tv',
        userId: 'alice',
        grantId: grant?.id,
        grantType: DEVICE_GRANT,
        scopes: ['read', 'write'],
      },
    })
  })

  test('RSRC-02 TOK-11 a resource that was not allowed is refused, and the code can still be used', async () => {
    const codes = await codesFor({ form: { resource: `${host.origin}/api/read` } })
    await decideAs(host, codes)
    const form = { resource: `${host.origin}/api/write` }
    expectRefusal(await poll(host, codes, { form }), 400, 'invalid_target')
    expectTokens(await poll(host, codes))
  })

  test('OIDC-02 with openid there is an ID token that says when and by which login the user signed in', async () => {
    const codes = await codesFor({ client: 'radio', form: { scope: 'openid read' } })
    await decideAs(host, codes)
    const { body } = await poll(host, codes, { client: 'radio' })
    const claims = await idTokenClaims(host, String(body.id_token), 'radio')
    expect(claims).toMatchObject({ sub: 'alice', auth_time: 1_700_000_000, sid: expect.any(String) })
    expect(claims).not.toHaveProperty('nonce')
    expect(body.refresh_token).toBeUndefined()
  })

  test('DEV-10 is nothing where the user was deleted in between', async () => {
    host.users.set('dora', { id: 'dora', name: 'Dora', email: 'dora@host.example' })
    const codes = await codesFor()
    await decideAs(host, codes, 'approve', { user: 'dora' })
    host.users.delete('dora')
    expectRefusal(await poll(host, codes), 400, 'invalid_grant')
    expect(await host.oauth.grants.list({ userId: 'dora' })).toEqual([])
  })

  test('DEV-10 nor where the client was disabled, or lost the scope or the grant type', async () => {
    const { client_id = '' } = await host.oauth.clients.create({
      token_endpoint_auth_method: 'none',
      grant_types: [DEVICE_GRANT],
    })
    const as = { client: client_id }
    const codes = await codesFor(as)
    await decideAs(host, codes)
    await host.oauth.clients.update(client_id, { disabled: true })
    expectRefusal(await poll(host, codes, as), 401, 'invalid_client')
    await host.oauth.clients.update(client_id, { disabled: false, scope: 'write' })
    expectRefusal(await poll(host, codes, as), 400, 'invalid_grant')
    const redirect_uris = ['https://rp.example/cb']
    await host.oauth.clients.update(client_id, {
      scope: 'read',
      grant_types: ['authorization_code'],
      redirect_uris,
    })
    expectRefusal(await poll(host, codes, as), 400, 'unauthorized_client')
    await host.oauth.clients.update(client_id, { grant_types: [DEVICE_GRANT] })
    expectTokens(await poll(host, codes, as))
  })

  test('nor where the user has withdrawn it, also when they have allowed the same client something since', async () => {
    const [withdrawn, later] = [await codesFor(), await codesFor()]
    await decideAs(host, withdrawn)
    await host.oauth.grants.revokeUser('alice')
    expectRefusal(await poll(host, withdrawn), 400, 'invalid_grant')
    await decideAs(host, later)
    expectRefusal(await poll(host, withdrawn), 400, 'invalid_grant')
    expectTokens(await poll(host, later))
  })

  test('nor where the user has signed out in between, and the client wants to be told of that', async () => {
    const as = { client: 'told', form: { scope: 'openid' } }
    const [codes, other] = [await codesFor(as), await codesFor({ ...as, form: { scope: 'read' } })]
    for (const each of [codes, other]) await decideAs(host, each)
    await host.oauth.logoutUser('alice')
    // Refusing does not use the code up.
    for (let time = 0; time < 2; time++) {
      const { body, ...answer } = await poll(host, codes, { client: 'told' })
      expectRefusal({ body, ...answer }, 400, 'invalid_grant')
      expect(body.error_description).toContain('signed out')
    }
    expectTokens(await poll(host, other, { client: 'told' }))
  })
})

describe('the page for devices', () => {
  test('DEV-08 asks for a login, and comes back with the code in the path, where nothing has to be encoded', async () => {
    const codes = await codesFor()
    for (const [url, path] of [
      [codes.verification_uri, '/oauth/device'],
      [codes.verification_uri_complete, `/oauth/device/${codes.user_code}`],
      [
        `${codes.verification_uri}?user_code=${codes.user_code.toLowerCase().replace('-', '')}`,
        `/oauth/device/${codes.user_code}`,
      ],
      [`${codes.verification_uri}?user_code=%2f%2fevil.example`, '/oauth/device'],
    ] as const) {
      const agent = new Agent(host)
      const page = await agent.get(url)
      expect([page.status, page.location]).toEqual([303, `${host.origin}/login?return_to=${path}`])
      const back = await agent.login('alice', path)
      if (path === '/oauth/device') expectAskedAgain(back, 200, 'Code on your device')
      else expectWaiting(back, codes)
    }
  })

  test('DEV-08 HDR-02 shows who asks for what, and the code, and gives nothing without a click', async () => {
    const codes = await codesFor({
      client: 'box',
      form: { scope: 'read write profile', resource: `${host.origin}/api` },
    })
    const agent = await signedIn(host, 'alice')
    const linked = await agent.get(codes.verification_uri_complete, { origin: 'https://evil.example' })
    const entered = await enterCode(host, agent, codes.user_code)
    for (const page of [linked, entered]) {
      expectWaiting(page, codes)
      expectPageHeaders(page)
      for (const words of [
        ...[
          'Set-top Box',
          'box.example',
          'Read your things',
          'Change your things',
          'See your name and your profile',
        ],
        ...[
          'Alice',
          `${host.origin}/api`,
          `>${codes.user_code}<`,
          'Approve only if you have the device in front of you',
        ],
      ])
        expect(page.text).toContain(words)
    }
    await expectPending(codes, 'box')
    await agent.get(
      `${codes.verification_uri_complete}&decision=approve&_csrf=${inputValue(entered, '_csrf')}`,
    )
    await expectPending(codes, 'box')
  })

  test('DEV-08 UI-14 a click decides, and leads to a page that can be reloaded', async () => {
    for (const [decision, words, event] of [
      ['approve', 'Go back to your device', 'consent.approved'],
      ['deny', 'No access was given', 'consent.denied'],
    ] as const) {
      const codes = await codesFor()
      const agent = await signedIn(host, 'alice')
      const told = await eventsOf(async () => {
        const answer = await decideAs(host, codes, decision, { agent })
        expect([answer.status, answer.location]).toEqual([
          303,
          `${codes.verification_uri}/${codes.user_code}`,
        ])
        for (let time = 0; time < 2; time++) {
          const page = await agent.get(answer.location ?? '')
          expect(page.status).toBe(200)
          expectPageHeaders(page)
          for (const text of [words, 'Television']) expect(page.text).toContain(text)
          expect(page.text).not.toContain('<form')
        }
      })
      expect(told).toEqual([
        { name: event, event: expect.objectContaining({ clientId: 'tv', userId: 'alice' }) },
      ])
    }
  })

  test('DEV-08 UI-04 without the token of this session nothing is decided, and nothing is looked up', async () => {
    const codes = await codesFor()
    const [alice, bob] = [await signedIn(host, 'alice'), await signedIn(host, 'bob')]
    await enterCode(host, alice, codes.user_code)
    const ofBob = inputValue(await enterCode(host, bob, codes.user_code), '_csrf')
    for (const _csrf of [undefined, '', 'random', ofBob]) {
      const form = { user_code: codes.user_code, decision: 'approve', _csrf }
      const page = await alice.post(`${host.issuer}/device`, form)
      expectAskedAgain(page, 403, 'Nothing was sent')
      expect(inputValue(page, 'user_code')).toBe(codes.user_code)
    }
    const own = inputValue(await enterCode(host, alice, codes.user_code), '_csrf')
    const crossSite = { 'sec-fetch-site': 'cross-site' }
    const form = { user_code: codes.user_code, decision: 'approve', _csrf: own }
    expectAskedAgain(await alice.post(`${host.issuer}/device`, form, crossSite), 403, 'Nothing was sent')
    await alice.post('/logout', {})
    const ended = await alice.post(`${host.issuer}/device`, form)
    expect([ended.status, ended.location]).toEqual([
      303,
      `${host.origin}/login?return_to=/oauth/device/${codes.user_code}`,
    ])
    await expectPending(codes)
  })

  test('who has not been shown what is asked for decides nothing', async () => {
    const codes = await codesFor()
    const agent = await signedIn(host, 'alice')
    const unseen = await enterCode(host, agent, codes.user_code, { decision: 'approve' })
    expectWaiting(unseen, codes)
    expect(unseen.text).toContain('has not been shown to you before')
    await expectPending(codes)
    await decideOn(host, agent, unseen, 'approve')
    expectTokens(await poll(host, codes))
  })

  test('UI-04 nor does a click count for somebody else who has signed in in the same session since', async () => {
    const become: HostOptions['before'] = (app) =>
      app.get('/become/:user', (req, res) => {
        ;(req.session as { userId?: string }).userId = req.params.user
        res.end()
      })
    const careless = await start({ before: become })
    const codes = await startDevice(careless)
    const agent = new Agent(careless)
    await agent.get('/become/alice')
    const shown = await enterCode(careless, agent, codes.user_code)
    await agent.get('/become/bob')
    const again = await decideOn(careless, agent, shown, 'approve')
    expectWaiting(again, codes)
    expect(again.text).toContain('Bob')
    await decideOn(careless, agent, again, 'approve')
    const { body } = await poll(careless, codes)
    expect((await callApi(careless, '/api/read', body.access_token)).body.userId).toBe('bob')
    await careless.close()
  })

  test.each([
    ['lower case', (code: string) => code.toLowerCase()],
    ['no dash', (code: string) => code.replace('-', '')],
    ['spaces', (code: string) => ` ${[...code].join(' ')}\t`],
    ['dashes elsewhere', (code: string) => `--${code.slice(0, 2)}-${code.slice(2)}-`],
  ])('DEV-06 ROB-05 takes the code with %s', async (_, written) => {
    const codes = await codesFor()
    expectWaiting(await enterCode(host, await signedIn(host, 'alice'), written(codes.user_code)), codes)
  })

  test('DEV-06 ROB-05 takes no letter for another one that resembles it', async () => {
    const agent = await signedIn(host, 'alice')
    const fullWidth = (code: string) =>
      code.replace(/[A-Z]/g, (letter) => String.fromCodePoint((letter.codePointAt(0) ?? 0) + 0xfee0))
    for (const written of [
      fullWidth,
      (code: string) => code.replace('-', '\u2010'),
      (code: string) => `${code}\u0301`,
      (code: string) => `${code}\0`,
      (code: string) => code.replace(/^./, '\u017f'), // ſ, whose capital is S
      (code: string) => code.replace(/^./, '\u212a'), // the sign for kelvin, whose small letter is k
    ]) {
      const codes = await codesFor()
      expectAskedAgain(await enterCode(host, agent, written(codes.user_code)), 400, 'This is no code')
      host.advance(1200)
    }
  })

  test('a code that was used, has expired or is none is told apart, and only a wrong one is counted', async () => {
    // It is known for some time after it has expired, also where the store's spans of time change in between.
    host.advance(1000 - ((host.now() / 1000) % 900))
    const [used, expired] = [await codesFor(), await codesFor()]
    await decideAs(host, used)
    host.advance(1000)
    const fresh = await codesFor()
    const agent = await signedIn(host, 'bob')
    const told = await eventsOf(async () => {
      for (let time = 0; time < 6; time++) {
        expectAskedAgain(await enterCode(host, agent, used.user_code), 400, 'has been used')
        expectAskedAgain(await enterCode(host, agent, expired.user_code), 400, 'has expired')
        expectAskedAgain(await enterCode(host, agent, ''), 400, 'Enter the code')
      }
      expectAskedAgain(await enterCode(host, agent, otherThan(fresh)), 400, 'not right')
      expectAskedAgain(await enterCode(host, agent, 'what?'), 400, 'This is no code')
    })
    const reasons = [
      'user_code_used',
      'user_code_expired',
      'user_code_missing',
      'user_code_unknown',
      'user_code_malformed',
    ]
    expect([...new Set(told.map(({ event }) => event.reason))]).toEqual(reasons)
    expectWaiting(await enterCode(host, agent, fresh.user_code), fresh)
  })

  test('an approval after the code has expired gives nothing', async () => {
    const codes = await codesFor()
    const agent = await signedIn(host, 'alice')
    const page = await enterCode(host, agent, codes.user_code)
    host.advance(600)
    const told = await eventsOf(async () => {
      expectAskedAgain(await decideOn(host, agent, page, 'approve'), 400, 'has expired')
    })
    expect(told.map(({ name }) => name)).toEqual(['request.refused'])
  })

  test('DEV-09 RACE-04 of approvals and denials by several people at once, one counts', async () => {
    await host.oauth.grants.revokeUser('alice')
    await host.oauth.grants.revokeUser('bob')
    for (let round = 0; round < 3; round++) {
      const codes = await codesFor()
      const people = ['alice', 'bob', 'carol', 'dave', 'erin']
      for (const id of people) host.users.set(id, { id, name: id, email: `${id}@host.example` })
      const pages = await Promise.all(
        people.map(async (user) => {
          const agent = await signedIn(host, user)
          return { agent, page: await enterCode(host, agent, codes.user_code) }
        }),
      )
      const told = await eventsOf(() =>
        Promise.all(
          pages.flatMap(({ agent, page }) =>
            (['approve', 'deny', 'approve', 'deny'] as const).map((decision) =>
              decideOn(host, agent, page, decision),
            ),
          ),
        ),
      )
      const [winner, ...others] = told.filter(({ name }) => name.startsWith('consent.'))
      expect(others).toEqual([])
      const answer = await poll(host, codes)
      if (winner?.name === 'consent.denied') expectRefusal(answer, 400, 'access_denied')
      else {
        const { body } = await callApi(host, '/api/read', answer.body.access_token)
        expect(body.userId).toBe(winner?.event.userId)
      }
      const granted = await Promise.all(
        people.map((userId) => host.oauth.grants.list({ userId, clientId: 'tv' })),
      )
      const owners = granted.flat().map(({ userId }) => userId)
      expect(owners).toEqual(winner?.name === 'consent.approved' ? [winner.event.userId] : [])
      for (const userId of people) await host.oauth.grants.revokeUser(userId)
      host.advance(1200)
    }
  })

  test('asks every time, for everything, and also for clients that need no consent elsewhere', async () => {
    const form = { client_id: 'own', client_secret: 'own-secret' }
    for (let time = 0; time < 2; time++) {
      const codes = await codesFor({ client: 'own', form })
      const agent = await signedIn(host, 'alice')
      const page = await agent.get(codes.verification_uri_complete)
      expectWaiting(page, codes)
      expect(page.text).toContain('It wants to')
      expect(page.text).not.toContain('You already allow')
      await decideOn(host, agent, page, 'approve')
      expectTokens(await poll(host, codes, { client: 'own', form }))
    }
  })

  test('lets the user leave out what is optional, but not everything', async () => {
    const agent = await signedIn(host, 'alice')
    const codes = await codesFor({ form: { scope: 'read write' } })
    const page = await enterCode(host, agent, codes.user_code)
    expect(page.text).toMatch(/<input type="checkbox" name="scope" value="write" checked>/)
    await decideOn(host, agent, page, 'approve')
    expect((await poll(host, codes)).body.scope).toBe('read')

    const optional = await codesFor({ form: { scope: 'write' } })
    const nothing = await decideAs(host, optional, 'approve', { agent })
    expect([nothing.status, nothing.text]).toEqual([
      400,
      expect.stringContaining('Choose at least one, or deny.'),
    ])
    const maybe = await enterCode(host, agent, optional.user_code, { decision: 'maybe' })
    expect([maybe.status, maybe.text]).toEqual([400, expect.stringContaining('Choose Approve or Deny.')])
    await expectPending(optional)
    await decideOn(host, agent, maybe, 'approve', { scope: 'write' })
    expect((await poll(host, optional)).body.scope).toBe('write')
  })

  test('a client that is gone by then is not asked about', async () => {
    const { client_id = '' } = await host.oauth.clients.create({
      token_endpoint_auth_method: 'none',
      grant_types: [DEVICE_GRANT],
    })
    const codes = await codesFor({ client: client_id })
    const agent = await signedIn(host, 'alice')
    const page = await enterCode(host, agent, codes.user_code)
    await host.oauth.clients.update(client_id, { disabled: true })
    const told = await eventsOf(async () => {
      const refused = await decideOn(host, agent, page, 'approve')
      expectErrorPage(refused)
      expect(refused.text).toContain('This application has changed')
    })
    expect(told).toEqual([
      {
        name: 'request.refused',
        event: expect.objectContaining({ endpoint: '/device', reason: 'client_unknown' }),
      },
    ])
  })

  test('INJ-01 INJ-04 INJ-05 shows what was entered as text, wherever it came from', async () => {
    const agent = await signedIn(host, 'alice')
    for (const value of [
      '"><svg onload=alert(1)>',
      "'-alert(1)-'",
      'javascript:alert(1)',
      ['$', '{1337*1337}{{1337*1337}}<%=1337*1337%>#{1337*1337}'].join(''),
      `';DROP TABLE oauth_records;--`,
      '\0\r\nSet-Cookie: x=1',
    ]) {
      const encoded = encodeURIComponent(value)
      for (const page of [
        await agent.get(`${host.issuer}/device?user_code=${encoded}`),
        await agent.get(`${host.issuer}/device/${encoded}`),
        await enterCode(host, agent, value),
        await agent.post(`${host.issuer}/device`, {
          user_code: value,
          _csrf: value,
          decision: value,
          scope: value,
        }),
      ]) {
        expect(page.text).not.toMatch(/<svg|1787569|(?:href|action)="javascript:/i)
        for (const [tag] of page.text.matchAll(/<[a-z][^>]*>/gi))
          expect(tag.replace(/="[^"]*"/g, '')).toMatch(/^<[a-z0-9]+(?: [a-z_-]+)*>$/)
        expectPageHeaders(page)
        expect(page.headers.get('set-cookie') ?? '').not.toContain('x=1')
      }
      host.advance(1200)
    }
    const endless = await agent.get(`${host.issuer}/device?user_code=${'B'.repeat(7000)}`)
    expect(endless.text).not.toContain('B'.repeat(100))
    const codes = await codesFor()
    const twice = await agent.get(`${codes.verification_uri_complete}&user_code=${codes.user_code}`)
    expectAskedAgain(twice, 200, 'Code on your device')
  })

  test('HDR-05 answers GET and POST', async () => {
    for (const path of ['/device', '/device/BBBB-BBBB']) {
      const answer = await fetch(host.issuer + path, { method: 'PUT' })
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST'])
    }
    expect((await fetch(`${host.issuer}/device/`)).status).toBe(404)
  })
})

describe('DEV-07 wrong codes', () => {
  let own: Host
  let codes: DeviceCodes
  beforeAll(async () => {
    own = await start({ beforeSession: behindProxy })
  })
  beforeEach(async () => {
    own.advance(1200)
    codes = await startDevice(own)
  })
  afterAll(() => own.close())

  /** A person of this name, at this address. */
  async function person(id: string, address = '192.0.2.1'): Promise<(code: string) => Promise<Page>> {
    own.users.set(id, { id, name: id, email: `${id}@host.example` })
    const agent = await signedIn(own, id)
    const csrf = inputValue(await agent.get(`${own.issuer}/device`), '_csrf')
    return (code) =>
      agent.post(`${own.issuer}/device`, { user_code: code, _csrf: csrf }, { 'x-forwarded-for': address })
  }

  function expectLocked(page: Page): void {
    expectErrorPage(page, { status: 429, code: 'access_denied' })
    expect(Number(page.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(Number(page.headers.get('retry-after'))).toBeLessThanOrEqual(1200)
  }

  async function fail(enter: (code: string) => Promise<Page>, times: number): Promise<void> {
    for (let time = 0; time < times; time++) expectAskedAgain(await enter(otherThan(codes)), 400, 'not right')
  }

  test('5 of one user lock that user, for a right code too, until the time is over', async () => {
    const enter = await person('alice')
    await fail(enter, 4)
    expectWaiting(await enter(codes.user_code), codes)
    await fail(enter, 1)
    const locked = await enter((await startDevice(own)).user_code)
    expectLocked(locked)
    expect(own.events.at(-1)).toMatchObject({
      name: 'request.refused',
      event: { endpoint: '/device', error: 'access_denied', reason: 'too_many_user_codes' },
    })
    own.advance(Number(locked.headers.get('retry-after')))
    codes = await startDevice(own)
    expectWaiting(await enter(codes.user_code), codes)
  })

  test('also where they are no codes at all, and where the address changes', async () => {
    for (let time = 0; time < 5; time++)
      expectAskedAgain(
        await (await person('alice', `198.51.100.${time}`))('AAAA-AAAA'),
        400,
        'This is no code',
      )
    expectLocked(await (await person('alice', '198.51.100.9'))(codes.user_code))
  })

  test('no ten minutes have more than 5 of them, wherever these begin', async () => {
    const enter = await person('alice')
    // Whatever has its own beginning at this time does not begin anew for the user.
    own.advance(600 - ((own.now() / 1000) % 600) - 1)
    await fail(enter, 3)
    own.advance(2)
    await fail(enter, 2)
    const locked = await enter(otherThan(codes))
    expectLocked(locked)
    own.advance(Number(locked.headers.get('retry-after')) - 1)
    expectLocked(await enter(otherThan(codes)))
    own.advance(1)
    await fail(enter, 3)
    expectLocked(await enter(otherThan(codes)))
  })

  test('of any number of guesses at once, 5 are looked up', async () => {
    const enter = await person('alice')
    const pages = await Promise.all(Array.from({ length: 30 }, () => enter(otherThan(codes))))
    expect(pages.filter(({ status }) => status === 400)).toHaveLength(5)
    for (const page of pages) if (page.status !== 400) expectLocked(page)
  })

  test('50 from one network let only those in who have entered no wrong code; of IPv6 a network is 64 bits', async () => {
    const crowd = Array.from({ length: 10 }, (_, index) => person(`crowd-${index}`, `2001:db8:1:2::${index}`))
    for (const enter of await Promise.all(crowd)) await fail(enter, 5)
    const [alice, bob] = [
      await person('alice', '2001:db8:1:2:ffff::1'),
      await person('bob', '2001:db8:1:2::a'),
    ]
    expectWaiting(await alice(codes.user_code), codes)
    await fail(bob, 1)
    expectLocked(await bob(codes.user_code))
    expectWaiting(await (await person('bob', '2001:db8:1:3::a'))(codes.user_code), codes)
  })

  test.each(['cross-site', 'same-site', 'same-origin, cross-site'])(
    'a foreign page (Sec-Fetch-Site: %s) cannot lock a user out by leading their browser to wrong ones',
    async (site) => {
      const agent = await signedIn(own, 'alice')
      const from = (value: string) => ({ 'sec-fetch-site': value })
      for (let time = 0; time < 6; time++) {
        const page = await agent.get(`${own.issuer}/device?user_code=${otherThan(codes)}`, from(site))
        expectAskedAgain(page, 200, 'Code on your device')
        expect(inputValue(page, 'user_code')).toBe(otherThan(codes))
      }
      const linked = await agent.get(codes.verification_uri_complete, from(site))
      expectAskedAgain(linked, 200, 'Code on your device')
      for (const own of ['none', 'same-origin'])
        expectWaiting(await agent.get(codes.verification_uri_complete, from(own)), codes)
    },
  )

  test('a link is counted as the form is', async () => {
    const agent = await signedIn(own, 'alice')
    const url = `${own.issuer}/device?user_code=${otherThan(codes)}`
    for (let time = 0; time < 5; time++) expectAskedAgain(await agent.get(url), 400, 'not right')
    expectLocked(await agent.get(codes.verification_uri_complete))
  })

  test('what is right is not counted, however often it is looked at', async () => {
    const enter = await person('alice')
    for (let time = 0; time < 12; time++) expectWaiting(await enter(codes.user_code), codes)
  })

  test('a code that somebody has been shown is no guess of theirs, also where they are locked since, and one of others is', async () => {
    const [alice, bob] = [await signedIn(own, 'alice'), await signedIn(own, 'bob')]
    const guessed = (agent: Agent) => enterCode(own, agent, otherThan(codes))
    for (let time = 0; time < 4; time++) await guessed(alice)
    const page = await enterCode(own, alice, codes.user_code)
    const clicks = Array.from({ length: 5 }, () => decideOn(own, alice, page, 'approve'))
    for (const { status } of await Promise.all(clicks)) expect(status).toBeLessThan(400)
    expectAskedAgain(await guessed(alice), 400, 'not right')
    expectLocked(await guessed(alice))
    const done = await alice.get(`${own.issuer}/device/${codes.user_code}`)
    expect([done.status, done.text]).toEqual([200, expect.stringContaining('Go back to your device')])

    for (let time = 0; time < 5; time++) expectAskedAgain(await guessed(bob), 400, 'not right')
    expectLocked(await bob.get(`${own.issuer}/device/${codes.user_code}`))
  })

  test('are counted across processes', async () => {
    const shared = new SQLite(':memory:')
    const hosts = await Promise.all([1, 2].map(() => start({ provider: { store: shared } })))
    const [one, two] = hosts as [Host, Host]
    const device = await startDevice(one)
    for (const at of [one, one, two, two, one])
      expectAskedAgain(await enterCode(at, await signedIn(at, 'alice'), otherThan(device)), 400, 'not right')
    expectLocked(await enterCode(two, await signedIn(two, 'alice'), device.user_code))
    await decideAs(two, device, 'approve', { user: 'bob' })
    expectTokens(await poll(one, device))
    for (const each of hosts) await each.close()
    shared.close()
  })
})

describe('with a store that fails', () => {
  const store = faultyStore(openStore(':memory:', Date.now), OPERATIONS)
  let failing: Host
  beforeAll(async () => {
    failing = await start({ provider: { store } })
  })
  afterAll(() => failing.close())

  test('STOR-01 STOR-04 nothing is given, nothing is lost, and all is well afterwards', async () => {
    const during = async (operation: keyof Store, act: () => Promise<void>) => {
      store.fail(operation, 'rejects')
      await act()
      store.heal()
    }
    await during('insert', async () =>
      expectRefusal(await askForCodes(failing), 503, 'temporarily_unavailable'),
    )
    const codes = await startDevice(failing)
    const agent = await signedIn(failing, 'alice')
    for (const operation of ['insert', 'amend'] as const) {
      await during(operation, async () => {
        const page = await enterCode(failing, agent, codes.user_code)
        expectErrorPage(page, { status: 503, code: 'temporarily_unavailable' })
      })
    }
    const page = await enterCode(failing, agent, codes.user_code)
    for (const operation of ['find', 'consume'] as const) {
      await during(operation, async () => {
        const answer = await decideOn(failing, agent, page, 'approve')
        expectErrorPage(answer, { status: 503, code: 'temporarily_unavailable' })
      })
      failing.advance(10)
      expectRefusal(await poll(failing, codes), 400, 'authorization_pending')
    }
    store.fail('consume', 'answer lost')
    await decideOn(failing, agent, page, 'approve')
    store.heal()
    expect((await decideOn(failing, agent, page, 'deny')).text).toContain('Go back to your device')
    for (const operation of ['find', 'consume'] as const)
      await during(operation, async () =>
        expectRefusal(await poll(failing, codes), 503, 'temporarily_unavailable'),
      )
    expectTokens(await poll(failing, codes))
  })

  test('STOR-04 an approval whose session cannot be kept is none, and can be repeated', async () => {
    const codes = await startDevice(failing, { client: 'told', form: { scope: 'openid read' } })
    const agent = await signedIn(failing, 'alice')
    const page = await enterCode(failing, agent, codes.user_code)
    store.fail('saveSession', 'rejects')
    const failed = await decideOn(failing, agent, page, 'approve')
    expectErrorPage(failed, { status: 503, code: 'temporarily_unavailable' })
    store.heal()
    expectRefusal(await poll(failing, codes, { client: 'told' }), 400, 'authorization_pending')
    expect((await decideOn(failing, agent, page, 'approve')).status).toBe(303)
    expect((await poll(failing, codes, { client: 'told' })).status).toBe(200)
  })

  test('a poll before the session is kept waits for the decision, and does not take the user for signed out', async () => {
    const codes = await startDevice(failing, { client: 'told', form: { scope: 'openid read' } })
    const agent = await signedIn(failing, 'alice')
    const page = await enterCode(failing, agent, codes.user_code)
    const { reached, release } = store.hold('saveSession')
    const click = decideOn(failing, agent, page, 'approve')
    await Promise.race([reached, click])
    // The store has had the time to keep the decision, too.
    await startDevice(failing)
    expectRefusal(await poll(failing, codes, { client: 'told' }), 400, 'authorization_pending')
    release()
    expect((await click).status).toBe(303)
    expect((await poll(failing, codes, { client: 'told' })).status).toBe(200)
  })

  test('DEV-03 a poll that cannot be slowed down any more, since the code does not live for longer, costs no write', async () => {
    const codes = await startDevice(failing)
    // 5 seconds more each time, until the 600 are reached for which the code lives.
    for (let time = 0; time < 120; time++) await poll(failing, codes)
    store.fail('amend', 'rejects')
    const answers = [await poll(failing, codes), await poll(failing, codes)]
    store.heal()
    for (const answer of answers) {
      expectRefusal(answer, 400, 'slow_down')
      expect(answer.body.error_description).toBe('Ask more slowly: from now on every 600 seconds.')
    }
  })

  test('a user who signs out while the code is being used up is not signed in by it', async () => {
    const codes = await startDevice(failing, { client: 'told', form: { scope: 'openid read' } })
    await decideAs(failing, codes)
    const before = failing.events.length
    const { reached, release } = store.hold('consume')
    const answer = poll(failing, codes, { client: 'told' })
    await Promise.race([reached, answer])
    await failing.oauth.logoutUser('alice')
    release()
    expectRefusal(await answer, 400, 'invalid_grant')
    const issued = failing.events.slice(before).filter(({ name }) => name === 'token.issued')
    expect(issued).toEqual([])
  })
})

test('CODE-10 INJ-11 no code of all these is in an event or in the database', async () => {
  await decideAs(host, await codesFor())
  const everywhere = JSON.stringify(host.events) + dump(database)
  expect(secrets.filter((secret) => everywhere.includes(secret))).toEqual([])
})
