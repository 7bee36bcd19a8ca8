import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { type ClientMetadata, type OAuthProviderOptions, oauthProvider } from '../lib/index.js'
import { flawOfJson } from '../lib/json-text.js'
import { Agent, type Form, type Page } from './support/agent.js'
import { expectCode, expectErrorPage, expectErrorRedirect } from './support/answers.js'
import { assertion, withAssertion } from './support/assertions.js'
import { clients } from './support/clients.js'
import { expectCheap } from './support/cost.js'
import { askForCodes, decideOn, deviceClients, enterCode, poll, startDevice } from './support/devices.js'
import {
  authorizeUrl,
  callApi,
  decide,
  destination,
  type FlowOptions,
  getCode,
  getTokens,
  redeem,
  redirectUriOf,
  refresh,
  signedIn,
  toConsent,
} from './support/flow.js'
import { type Host, startHost, type User } from './support/host.js'
import { push, pushed, visitUrl } from './support/pushed.js'
import { requestObject, signedUrl } from './support/request-objects.js'
import { dump, expectRefusal } from './support/token-endpoint.js'
import { introspect } from './support/tokens.js'

type Details = readonly Readonly<Record<string, unknown>>[]

/** What a request must never get back, and no event or error may hold. */
const CANARY = 'canary-7f3a'
const HOSTILE = `"><svg onload=alert(1)>'<%=7*7%>\${7*7}{{7*7}}`

const types: NonNullable<OAuthProviderOptions['authorizationDetails']> = {
  payment: {
    schema: {
      properties: {
        amount: { type: 'string', pattern: '^[0-9]{1,9}\\.[0-9]{2}$' },
        currency: { enum: ['EUR', 'USD'] },
        creditor: { type: 'object', properties: { iban: { type: 'string' } }, additionalProperties: false },
        note: { type: 'string', maxLength: 200 },
      },
      required: ['amount'],
    },
    description: ({ amount, note = '' }) => `Pay ${amount} ${note}`,
  },
  account: {
    schema: {
      properties: {
        type: { const: 'account' },
        actions: { type: 'array', items: { enum: ['list', 'read'] } },
        limit: { type: 'number' },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        tree: { $ref: '#/$defs/tree' },
      },
      $defs: { tree: { type: 'array', items: { $ref: '#/$defs/tree' } } },
    },
    description: 'See your accounts',
  },
  anything: { schema: { additionalProperties: true }, description: 'Do anything' },
  compared: {
    schema: {
      properties: {
        set: { type: 'array', uniqueItems: true },
        one: { enum: [{ currency: 'EUR' }] },
        c: { const: { a: 1 } },
      },
    },
    description: ({ one }) => `Compare ${one}`,
  },
  'https://bank.example/types#loan': { schema: {}, description: 'Take out a loan' },
  throwing: {
    schema: {},
    description: () => {
      throw new Error(`cannot describe ${CANARY}`)
    },
  },
  silent: { schema: {}, description: () => undefined as unknown as string },
}

const payment = { type: 'payment', amount: '45.00', currency: 'EUR' }
const account = { type: 'account', actions: ['list', 'read'] }

const https = (client_id: string, more: ClientMetadata = {}): ClientMetadata => ({
  client_id,
  client_secret: `${client_id}-secret`,
  redirect_uris: ['https://rp.example/cb'],
  ...more,
})
const ownClients = [
  https('payer', { authorization_details_types: ['payment'] }),
  https('none-of-it', { authorization_details_types: [] }),
]

const database = new Database(':memory:')
let host: Host
beforeAll(async () => {
  host = await start({ authorizationDetails: types, store: database })
})
afterAll(async () => {
  await host.close()
  database.close()
})
beforeEach(() => {
  host.events.length = 0
})

async function start(provider: Partial<OAuthProviderOptions<User>>): Promise<Host> {
  const started = await startHost({
    provider: (origin) => ({
      clients: [
        ...clients,
        ...ownClients,
        ...deviceClients,
        https('filer', { resources: [`${origin}/files`] }),
      ],
      ...('authorizationDetails' in provider && {
        resources: {
          [`${origin}/files`]: { authorizationDetailsTypes: ['account'], scopes: ['read'] },
          'https://elsewhere.example/pay': {
            authorizationDetailsTypes: ['payment'],
            scopes: ['write'],
            accessTokenFormat: 'jwt',
          },
        },
      }),
      ...provider,
    }),
  })
  started.app.get(['/api/details', '/files'], started.oauth.requireToken(), (req, res) => {
    const { scopes, authorizationDetails = 'none' } = req.auth
    res.json({ scopes, authorizationDetails })
  })
  return started
}

const json = (details: Details) => JSON.stringify(details)

/** Options for a request for these details, and no scope. */
function asking(details: Details | string, params: Form = {}): FlowOptions {
  const authorization_details = typeof details === 'string' ? details : json(details)
  return { params: { scope: undefined, authorization_details, ...params } }
}

/** What a client gets whose request is wrong, at each place where it can send one; answers the descriptions. */
async function expectRefused(text: string | readonly string[], reason: string, client = 'conf') {
  const params = { authorization_details: text }
  const code = reason === 'parameter_repeated' ? 'invalid_request' : 'invalid_authorization_details'
  const page = await new Agent(host).get(authorizeUrl(host, { client, params }))
  const members = expectErrorRedirect(host, page, code, { redirectUri: redirectUriOf(client) })
  const answer = await push(host, { client, params })
  expectRefusal(answer, 400, code)
  expect(reasons()).toEqual([reason, reason])
  expect(answer.body.error_description).toBe(members.get('error_description'))
  expect(JSON.stringify([...members, answer.text, host.events])).not.toContain(CANARY)
  return members.get('error_description')
}

const reasons = () => host.events.map(({ event }) => event.reason)

describe('RSRC-07 RFC 9396 §2 §5 what is not as it has to be is refused, by redirect and at /par, and said in words of ours', () => {
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`

  test.each<[string, string | readonly string[], string, RegExp?]>([
    ['no JSON', `{"${CANARY}`, 'details_not_json', /JSON array of objects/],
    ['JSON with a comma too many', '[{"type":"payment","amount":"1.00"},]', 'details_not_json'],
    ['a name with an escape that is none', '[{"\\q":1}]', 'details_not_json'],
    ['an object alone', JSON.stringify(payment), 'details_not_an_array', /JSON array of objects/],
    ['a string', `"${CANARY}"`, 'details_not_an_array'],
    ['null', 'null', 'details_not_an_array'],
    ['a number', '7', 'details_not_an_array'],
    ['an empty array', '[]', 'details_empty', /leave it out/],
    ['more than 20', json(Array(21).fill(payment)), 'too_many_details', /more than 20/],
    ['something else than objects', `[{"type":"account"},"${CANARY}"]`, 'details_not_objects', /\[1\]/],
    ['an array in it', '[[]]', 'details_not_objects', /\[0\]/],
    ['null in it', '[null]', 'details_not_objects'],
    ['no type', json([payment, { amount: CANARY }]), 'details_type_missing', /\[1\] must have a type/],
    ['an empty type', '[{"type":""}]', 'details_type_missing'],
    ['a type that is no string', '[{"type":["payment"]}]', 'details_type_missing'],
    [
      'an unknown type',
      json([payment, { type: CANARY }]),
      'details_type_unknown',
      /\[1\].*: payment account/,
    ],
    ['the type in upper case', '[{"type":"Payment","amount":"1.00"}]', 'details_type_unknown'],
    ['the type with a space', '[{"type":"payment ","amount":"1.00"}]', 'details_type_unknown'],
    ['a type that every object has', '[{"type":"constructor"}]', 'details_type_unknown'],
    ['__proto__ as a type', '[{"type":"__proto__"}]', 'details_type_unknown'],
    [
      'a member that is missing',
      json([{ type: 'payment' }]),
      'details_do_not_fit',
      /\[0\] must have .*'amount'/,
    ],
    ['a member too many', json([{ ...payment, [CANARY]: 1 }]), 'details_do_not_fit', /\[0\] has a member/],
    [
      'a member too many within',
      json([{ ...payment, creditor: { [CANARY]: 1 } }]),
      'details_do_not_fit',
      /\[0\]\.creditor has a member/,
    ],
    [
      'a member of the wrong type',
      json([account, { ...payment, amount: 45 }]),
      'details_do_not_fit',
      /\[1\]\.amount must be string/,
    ],
    [
      'a value that is not allowed',
      json([{ ...payment, currency: CANARY }]),
      'details_do_not_fit',
      /\[0\]\.currency must be equal/,
    ],
    [
      'a value that does not match',
      json([{ ...payment, amount: CANARY }]),
      'details_do_not_fit',
      /\[0\]\.amount must match/,
    ],
    [
      'a value too long',
      json([{ ...payment, note: CANARY.repeat(20) }]),
      'details_do_not_fit',
      /\[0\]\.note/,
    ],
    [
      'a wrong value in an array',
      json([{ ...account, actions: ['list', CANARY] }]),
      'details_do_not_fit',
      /\[0\]\.actions\[1\] must/,
    ],
    [
      'a wrong value under a name of the client',
      json([{ ...account, labels: { [CANARY]: 1 } }]),
      'details_do_not_fit',
      /\[0\]\.labels\.\* must be string/,
    ],
    [
      'a member that every object has',
      '[{"type":"payment","amount":"1.00","hasOwnProperty":1}]',
      'details_do_not_fit',
    ],
    ['INJ-10 valueOf', '[{"type":"anything","valueOf":{}}]', 'details_unsafe', /\[0\] has a member valueOf/],
    [
      'INJ-10 toString within, where it would be compared',
      '[{"type":"compared","set":[{"toString":1},{"toString":2}]}]',
      'details_unsafe',
      /toString/,
    ],
    [
      'INJ-10 valueOf where one of some objects may be',
      '[{"type":"compared","one":{"valueOf":1}}]',
      'details_unsafe',
    ],
    [
      'INJ-10 valueOf where another object has to be',
      '[{"type":"compared","c":{"valueOf":1}}]',
      'details_unsafe',
    ],
    ['INJ-10 __proto__', '[{"type":"anything","__proto__":{"x":1}}]', 'details_unsafe', /__proto__/],
    ['INJ-10 __proto__ within', '[{"type":"anything","a":[{"__proto__":{"x":1}}]}]', 'details_unsafe'],
    ['a type that only the prototype has', '[{"__proto__":{"type":"anything"}}]', 'details_type_missing'],
    ['a number that no store keeps', '[{"type":"anything","n":1e999}]', 'details_unsafe', /too large/],
    [
      'a member twice',
      '[{"type":"payment","amount":"1.00","amount":"9.00"}]',
      'details_repeated_member',
      /twice/,
    ],
    [
      'a member twice, in other letters',
      '[{"type":"payment","amount":"1.00","\\u0061mount":"9.00"}]',
      'details_repeated_member',
    ],
    ['a type twice', '[{"type":"anything","type" : "payment","amount":"1.00"}]', 'details_repeated_member'],
    [
      'a member twice within',
      `[{"type":"anything","a":[{"b":"}","c":1,"b":"${CANARY}"}]}]`,
      'details_repeated_member',
    ],
    ['33 levels', `[{"type":"anything","a":${nested(31)}}]`, 'details_too_deep', /too deeply/],
    ['600 levels', nested(600), 'details_too_deep'],
    ['the parameter twice', [json([payment]), json([payment])], 'parameter_repeated'],
  ])('%s', async (_, text, reason, description = /./) => {
    expect(await expectRefused(text, reason)).toMatch(description)
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })

  test('what is well-formed and only looks like it is taken', async () => {
    const odd: Details = [
      { type: 'anything', a: 'a":1,"a', b: { a: 1, type: 'x', constructor: 1 }, c: [{ a: 1 }, { a: 1 }] },
      { type: 'anything', '{': '\\', '\\"': [[]], é: ' ', prototype: { hasOwnProperty: 1 }, tostring: 1 },
      { type: 'https://bank.example/types#loan' },
      { ...account, tree: JSON.parse(nested(29)), labels: { '1234567': 'x' } },
    ]
    const text = JSON.stringify(odd, null, '\t')
    expect((await getTokens(host, asking(text))).authorization_details).toEqual(odd)
  })

  test('one that takes no more than 8 KB is taken, as it is sent and as it is written out again', async () => {
    const of = (note: string) => json([{ type: 'anything', note }])
    const longest = 8192 - of('').length
    expect((await push(host, asking(of('x'.repeat(longest))))).status).toBe(201)
    for (const text of [
      of('x'.repeat(longest + 1)),
      of('é'.repeat(longest / 2 + 1)),
      json([payment]).padEnd(8193),
      `[{"type":"anything","n":[${Array(1000).fill('1e20').join()}]}]`,
    ]) {
      const answer = await push(host, asking(text))
      expectRefusal(answer, 400, 'invalid_authorization_details')
      expect(answer.body.error_description).toContain('8192 bytes')
    }
    expect(new Set(reasons())).toEqual(new Set(['details_too_long']))
  })

  test('a type that the client is not registered for is refused, and so is each for a client that has none', async () => {
    const refused = await expectRefused(json([payment, account]), 'details_type_not_registered', 'payer')
    expect(refused).toMatch(/\[1\].*not one that this client may ask for.*: payment$/)
    host.events.length = 0
    expect(await expectRefused(json([payment]), 'details_type_not_registered', 'none-of-it')).toContain(
      'This client may not ask for details here.',
    )
  })

  test('an empty value counts as none (RFC 6749 §3.1)', async () => {
    const tokens = await getTokens(host, { params: { authorization_details: '' } })
    expect([tokens.scope, 'authorization_details' in tokens]).toEqual(['read', false])
  })

  // Longer than what is taken anywhere, so that it shows: it took seconds.
  test('ROB-11 reading a text with strings that do not end takes as long as the text is', async () => {
    const text = `"${'\\"'.repeat(50_000)}`
    await expectCheap(
      async () => expect(() => flawOfJson(text)).toThrow(SyntaxError),
      async () => {},
    )
    expect(flawOfJson('{"a\\"b":1,"a\\"b":2}')).toBe('repeated_member')
  })

  test('ROB-11 the worst texts cost no more than ordinary ones', async () => {
    const worst = [
      '[',
      '{"a":',
      '"',
      '\\"',
      '[{"a":1,',
      '"\\',
      '{"a":"',
      '[1,',
      '{"type":"anything",',
      '1',
    ].map((part) => part.repeat(8192 / part.length))
    const names = Array.from({ length: 1000 }, (_, at) => `"${at}":0`).join()
    const sendAll = (texts: readonly string[]) =>
      Promise.all(texts.map((text) => push(host, asking(text)).then(({ status }) => status)))
    const statuses = await expectCheap(
      () => sendAll([...worst, `[{"type":"anything",${names}}]`]),
      () => sendAll(Array(11).fill(json([payment]))),
    )
    expect(statuses).toEqual([...Array(10).fill(400), 201])
  })
})

describe('RFC 9396 §3 asking', () => {
  test('the user reads a sentence for each, and allows all of them, and no scope with them', async () => {
    const { agent, page } = await toConsent(host, asking([payment, account]))
    for (const words of ['Pay 45.00', 'See your accounts', '<code><bdi>payment</bdi></code>'])
      expect(page.text).toContain(words)
    expect(page.text).not.toContain('Read your things')
    // What the form says beside the decision counts for nothing.
    const form = { scope: 'read', authorization_details: json([{ ...payment, amount: '46.00' }]) }
    const { body } = await redeem(host, expectCode(host, await decide(agent, page, 'approve', form)))
    expect(body.authorization_details).toEqual([payment, account])
    // RFC 6749 §A.4: an empty scope is none.
    expect(body).not.toHaveProperty('scope')
    expect((await callApi(host, '/api/read', body.access_token)).status).toBe(403)
    expect((await callApi(host, '/api/any', body.access_token)).status).toBe(200)
  })

  test('the user denies all of them', async () => {
    const { agent, page } = await toConsent(host, asking([payment]))
    expectErrorRedirect(host, await decide(agent, page, 'deny'), 'access_denied')
  })

  test('§3.1 a scope beside them is asked for and granted too', async () => {
    const { agent, page } = await toConsent(host, asking([payment], { scope: 'read' }))
    for (const words of ['Pay 45.00', 'Read your things']) expect(page.text).toContain(words)
    const { body } = await redeem(host, expectCode(host, await decide(agent, page, 'approve')))
    expect(body).toMatchObject({ scope: 'read', authorization_details: [payment] })
    expect((await callApi(host, '/api/read', body.access_token)).status).toBe(200)
  })

  test('§3.1 a scope that cannot be had is refused beside them as it is alone', async () => {
    const page = await new Agent(host).get(authorizeUrl(host, asking([payment], { scope: 'nope' })))
    expectErrorRedirect(host, page, 'invalid_scope')
  })

  test('with openid they make no difference to the ID token', async () => {
    const tokens = await getTokens(host, asking([payment], { scope: 'openid' }))
    expect(decodeJwt(String(tokens.id_token))).not.toHaveProperty('authorization_details')
    expect(tokens.authorization_details).toEqual([payment])
  })

  test('they are asked for every time, also where the same were allowed a moment ago', async () => {
    const options = asking([payment], { scope: 'read' })
    const { agent } = await getTokens(host, options)
    const { page } = await toConsent(host, { ...options, agent })
    expect(page.text).toContain('Pay 45.00')
    expect(page.text).toContain('You already allow it to')
    const silent = await agent.get(authorizeUrl(host, asking([payment], { scope: 'read', prompt: 'none' })))
    expectErrorRedirect(host, silent, 'consent_required')
    const scopeAlone = await agent.get(authorizeUrl(host, { params: { prompt: 'none' } }))
    expectCode(host, scopeAlone)
  })

  test('what was allowed in detail makes no scope and no resource known', async () => {
    const resource = `${host.origin}/files`
    const { agent } = await getTokens(host, { ...asking([account], { resource }), client: 'multi' })
    const again = (params: Form) =>
      authorizeUrl(host, { client: 'multi', params: { prompt: 'none', ...params } })
    for (const params of [{ resource }, {}])
      expectErrorRedirect(host, await agent.get(again(params)), 'consent_required', {
        redirectUri: redirectUriOf('multi'),
      })
  })

  test("the host's own clients, which are not asked for, are not asked for details either", async () => {
    const page = await (await signedIn(host, 'alice')).get(
      authorizeUrl(host, { ...asking([payment], { prompt: 'none' }), client: 'first' }),
    )
    const code = expectCode(host, page, { redirectUri: redirectUriOf('first') })
    expect((await redeem(host, code, { client: 'first' })).body.authorization_details).toEqual([payment])
  })

  test('INJ-01 INJ-02 INJ-04 whatever is in them is text on the page', async () => {
    const { page } = await toConsent(host, asking([{ ...payment, note: HOSTILE }]))
    expect(page.text).not.toContain('<svg')
    expect(page.text).not.toMatch(/\b49\b/)
    expect(page.text).toContain('Pay 45.00 &#34;&gt;&lt;svg onload=alert(1)&gt;')
  })

  test.each([
    ['throws', 'throwing', `cannot describe ${CANARY}`],
    ['gives no text', 'silent', "authorizationDetails['silent'].description gave undefined"],
  ])('a description that %s is a failure of the host, told to the host alone', async (_, type, told) => {
    const { page } = await toConsent(host, asking([{ type }]))
    expectErrorPage(page, { status: 500, code: 'server_error' })
    expect(page.text).not.toMatch(new RegExp(`${CANARY}|description`))
    const event = host.events.find(({ name }) => name === 'server.error')?.event
    expect(String(event?.error)).toContain(told)
  })

  test('RFC 9126 they can be pushed, and RFC 9101 be in a request object, as JSON of its own', async () => {
    const uri = await pushed(host, asking([payment]))
    const agent = await signedIn(host, 'bob')
    const page = await agent.follow(visitUrl(host, uri))
    const { body } = await redeem(host, expectCode(host, await decide(agent, page, 'approve')))
    expect(body.authorization_details).toEqual([payment])

    for (const authorization_details of [[payment], json([payment])]) {
      const signed = requestObject(host, { params: { scope: undefined }, claims: { authorization_details } })
      // What stands beside the object does not count (RFC 9101 §6.3).
      const beside = { authorization_details: json([account]) }
      const shown = await agent.follow(signedUrl(host, signed, { params: beside }))
      expect(shown.text).toContain('Pay 45.00')
      expect(shown.text).not.toContain('See your accounts')
      const code = expectCode(host, await decide(agent, shown, 'approve'))
      const form = { client_id: 'pkj', ...withAssertion(assertion(host)) }
      const tokens = await redeem(host, code, {
        client: 'pub',
        form: { ...form, redirect_uri: redirectUriOf('pkj') },
      })
      expect(tokens.body.authorization_details).toEqual([payment])
    }
    const wrong = requestObject(host, { claims: { authorization_details: { type: CANARY } } })
    expectErrorRedirect(host, await agent.get(signedUrl(host, wrong)), 'invalid_authorization_details')
  })

  test('RFC 8628 a device can ask for them, and gets what was shown', async () => {
    const form = { scope: undefined, authorization_details: json([payment, account]) }
    const codes = await startDevice(host, { form })
    const agent = await signedIn(host, 'bob')
    const page = await enterCode(host, agent, codes.user_code)
    for (const words of ['Pay 45.00', 'See your accounts']) expect(page.text).toContain(words)
    await decideOn(host, agent, page, 'approve')
    const wider = { authorization_details: json([{ ...payment, amount: '46.00' }]) }
    expectRefusal(await poll(host, codes, { form: wider }), 400, 'invalid_authorization_details')
    const { body } = await poll(host, codes, { form: { authorization_details: json([account]) } })
    expect(body.authorization_details).toEqual([account])
    expect(body).not.toHaveProperty('scope')
    const again = await refresh(host, body.refresh_token, { client: 'pub', form: { client_id: 'tv' } })
    expect(again.body.authorization_details).toEqual([payment, account])

    for (const text of ['[', '[{"type":"nope"}]', json([{ ...payment, [CANARY]: 1 }])]) {
      const refused = await askForCodes(host, { form: { authorization_details: text } })
      expectRefusal(refused, 400, 'invalid_authorization_details')
      expect(refused.text).not.toContain(CANARY)
    }
  })

  test('the page with the applications says of a client without a scope that it is told each time what it may do', async () => {
    host.users.set('carol', { id: 'carol', name: 'Carol', email: 'carol@host.example' })
    const { agent, access_token } = await getTokens(host, { ...asking([payment]), user: 'carol' })
    const page = await agent.get(`${host.issuer}/authorized-applications`)
    expect(page.text).toContain('There is no list of what it may do: that was decided each time')
    expect(page.text).not.toContain('45.00')
    const [grant] = await host.oauth.grants.list({ userId: 'carol' })
    await host.oauth.grants.revoke(grant?.id ?? '')
    expect((await callApi(host, '/api/any', access_token)).status).toBe(401)
  })

  test('events, and errors, hold nothing of them', async () => {
    const note = { ...payment, note: CANARY }
    const { refresh_token } = await getTokens(host, asking([note]))
    await refresh(host, refresh_token, { form: { authorization_details: json([note]) } })
    await refresh(host, refresh_token, {
      form: { authorization_details: json([{ ...note, amount: '1.00' }]) },
    })
    expect(host.events.map(({ name }) => name)).toEqual([
      ...['consent.approved', 'code.issued', 'token.issued', 'token.issued', 'token.refused'],
    ])
    expect(JSON.stringify(host.events)).not.toContain(CANARY)
    expect(dump(database)).toContain(CANARY)
  })
})

describe('RFC 9396 §6 asking the token endpoint', () => {
  test('RSRC-07 for a part of them, one gets that part, and TOK-11 a wrong request uses nothing up', async () => {
    const { code } = await getCode(host, asking([payment, account, payment]))
    const wrong: [string, RegExp][] = [
      [json([account, { ...payment, amount: '46.00' }]), /\[1\] is not among what was granted/],
      [json([{ ...payment, note: CANARY }]), /\[0\]/],
      [json([{ type: 'payment', amount: '45.00' }]), /\[0\]/],
      [json([{ ...account, actions: ['list'] }]), /\[0\]/],
      [json([{ ...account, actions: ['read', 'list'] }]), /\[0\]/],
      [json([payment, payment, payment]), /\[2\]/],
      [json([{ type: 'anything' }]), /\[0\]/],
      [`[{"type":"${CANARY}"`, /JSON array/],
      ['{}', /JSON array/],
      ['[]', /empty/],
      ['[{"type":"payment","__proto__":{}}]', /__proto__/],
    ]
    for (const [text, description] of wrong) {
      const refused = await redeem(host, code, { form: { authorization_details: text } })
      expectRefusal(refused, 400, 'invalid_authorization_details')
      expect(refused.body.error_description).toMatch(description)
      expect(refused.body.error_description).not.toContain(CANARY)
    }
    const { currency, amount, type } = payment
    const named = [{ currency, amount, type }, payment]
    const { status, body } = await redeem(host, code, { form: { authorization_details: json(named) } })
    expect([status, body.authorization_details]).toEqual([200, [payment, payment]])
    const { authorizationDetails } = (await callApi(host, '/api/details', body.access_token)).body
    expect(authorizationDetails).toEqual([payment, payment])

    const all = await refresh(host, body.refresh_token)
    expect(all.body.authorization_details).toEqual([payment, account, payment])
  })

  test('a repeated parameter is refused', async () => {
    const { code } = await getCode(host, asking([payment]))
    const form = { authorization_details: [json([payment]), json([payment])] }
    expectRefusal(await redeem(host, code, { form }), 400, 'invalid_request')
    expect((await redeem(host, code)).status).toBe(200)
  })

  test('who was granted none gets none', async () => {
    const { refresh_token } = await getTokens(host)
    const form = { authorization_details: json([payment]) }
    expectRefusal(await refresh(host, refresh_token, { form }), 400, 'invalid_authorization_details')
    expect(reasons().at(-1)).toBe('details_not_granted')
    const { body } = await refresh(host, refresh_token)
    expect(body).not.toHaveProperty('authorization_details')
  })

  test('with a refresh token one gets a part now and all the next time; a refused request rotates nothing', async () => {
    const first = await getTokens(host, asking([payment, account], { scope: 'read' }))
    const wider = { authorization_details: json([payment, account, account]) }
    expectRefusal(
      await refresh(host, first.refresh_token, { form: wider }),
      400,
      'invalid_authorization_details',
    )
    const part = { authorization_details: json([account]) }
    const second = await refresh(host, first.refresh_token, { form: part })
    expect(second.body).toMatchObject({ scope: 'read', authorization_details: [account] })
    expect((await introspect(host, second.body.access_token)).body.authorization_details).toEqual([account])
    const third = await refresh(host, second.body.refresh_token)
    expect(third.body.authorization_details).toEqual([payment, account])
    const nothingElse = await refresh(host, third.body.refresh_token, { form: { scope: 'write' } })
    expectRefusal(nothingElse, 400, 'invalid_scope')
  })

  test('a scope cannot be had with a refresh token where only details were granted', async () => {
    const { refresh_token } = await getTokens(host, asking([payment]))
    const refused = await refresh(host, refresh_token, { form: { scope: 'read' } })
    expectRefusal(refused, 400, 'invalid_scope')
    expect(refused.body.error_description).toContain('granted no scope')
  })

  test('RACE-02 a repeat within the grace gets the very same tokens, and for other details none', async () => {
    const { refresh_token } = await getTokens(host, asking([payment, account]))
    const form = { authorization_details: json([payment]) }
    const first = await refresh(host, refresh_token, { form })
    for (const same of [{ form }, {}])
      expect((await refresh(host, refresh_token, same)).body).toEqual(first.body)
    const otherwise = { authorization_details: json([account]) }
    expectRefusal(
      await refresh(host, refresh_token, { form: otherwise }),
      400,
      'invalid_authorization_details',
    )
    expect(reasons().at(-1)).toBe('repeated_otherwise')
    expect((await refresh(host, first.body.refresh_token)).body.authorization_details).toEqual([
      payment,
      account,
    ])
  })
})

describe('RFC 9396 §7 §9 what was granted', () => {
  test('is on req.auth and at introspection, for the client and for its refresh token', async () => {
    const { access_token, refresh_token } = await getTokens(host, asking([payment, account]))
    const { body } = await callApi(host, '/api/details', access_token)
    expect(body).toEqual({ scopes: [], authorizationDetails: [payment, account] })
    for (const token of [access_token, refresh_token]) {
      const told = await introspect(host, token)
      expect(told.body).toMatchObject({ active: true, authorization_details: [payment, account] })
      expect(told.body).not.toHaveProperty('scope')
    }
  })

  test('§9.1 is in a JWT, as far as it means something at the resource; and that one cannot have it elsewhere', async () => {
    const [files, pay] = [`${host.origin}/files`, 'https://elsewhere.example/pay']
    const options = asking([payment, account], { resource: [files, pay] })
    const { code } = await getCode(host, options)
    const elsewhere = { resource: files, authorization_details: json([payment]) }
    expectRefusal(await redeem(host, code, { form: elsewhere }), 400, 'invalid_authorization_details')
    const jwt = (await redeem(host, code, { form: { resource: pay } })).body
    expect(jwt.authorization_details).toEqual([payment])
    expect(decodeJwt(jwt.access_token)).toMatchObject({ aud: pay, authorization_details: [payment] })
    expect(decodeJwt(jwt.access_token)).not.toHaveProperty('scope')

    const opaque = (await refresh(host, jwt.refresh_token, { form: { resource: files } })).body
    expect(opaque.authorization_details).toEqual([account])
    expect((await callApi(host, '/files', opaque.access_token)).body.authorizationDetails).toEqual([account])
  })

  test('§9.1 the longest details fit into a JWT that is still taken', async () => {
    const of = (iban: string) => [{ ...payment, creditor: { iban } }]
    const details = of('x'.repeat(8192 - json(of('')).length))
    const uri = await pushed(host, asking(details, { resource: 'https://elsewhere.example/pay' }))
    const agent = await signedIn(host, 'alice')
    const page = await agent.follow(visitUrl(host, uri))
    const { body } = await redeem(host, expectCode(host, await decide(agent, page, 'approve')))
    expect(decodeJwt(body.access_token).authorization_details).toEqual(details)
    expect((await introspect(host, body.access_token)).body.active).toBe(true)
  })

  test('§9.2 a resource server gets to know what means something there, and nothing else', async () => {
    const { access_token } = await getTokens(host, asking([payment, account], { scope: 'read' }))
    expect((await callApi(host, '/files', access_token)).body).toEqual({
      scopes: ['read'],
      authorizationDetails: [account],
    })
    const told = (await introspect(host, access_token, { client: 'filer' })).body
    expect(told).toMatchObject({ active: true, client_id: 'conf', authorization_details: [account] })
    const none = await getTokens(host, asking([payment]))
    const nothing = (await introspect(host, none.access_token, { client: 'filer' })).body
    expect(nothing).not.toHaveProperty('authorization_details')
  })

  test('a type that means nothing at the resources of the request is refused there', async () => {
    const params = { resource: `${host.origin}/files`, authorization_details: json([account, payment]) }
    const page = await new Agent(host).get(authorizeUrl(host, { params }))
    const members = expectErrorRedirect(host, page, 'invalid_authorization_details')
    expect(members.get('error_description')).toMatch(/\[1\] means nothing at the resources.*: account$/)
    expect(reasons()).toEqual(['details_type_elsewhere'])
  })

  test('a resource at which nothing of it means anything is refused, and uses nothing up', async () => {
    const [files, pay] = [`${host.origin}/files`, 'https://elsewhere.example/pay']
    const { code } = await getCode(host, asking([account], { resource: [files, pay] }))
    expectRefusal(await redeem(host, code, { form: { resource: pay } }), 400, 'invalid_target')
    expect((await redeem(host, code, { form: { resource: files } })).status).toBe(200)
  })
})

describe('what the host has changed since', () => {
  const shared = new Database(':memory:')
  let before: Host
  beforeAll(async () => {
    before = await start({ store: shared, authorizationDetails: types })
  })
  afterAll(async () => {
    await before.close()
    shared.close()
  })

  /** The same provider with these types. */
  async function changed(authorizationDetails: typeof types, metadata: ClientMetadata = {}): Promise<Host> {
    const later = await start({
      // At the same address, as far as clients and tokens can tell.
      ...{ store: shared, authorizationDetails, resources: {}, issuer: before.issuer },
      clients: clients.map((client) => (client.client_id === 'conf' ? { ...client, ...metadata } : client)),
    })
    later.advance((before.now() - later.now()) / 1000)
    return later
  }

  test('a type that it declares no longer is not granted any more; the others are, and it comes back with the type', async () => {
    const { code } = await getCode(before, asking([payment, account]))
    const { account: kept, ...others } = types
    const later = await changed({ account: kept as (typeof types)[string] })
    const { body } = await redeem(later, code)
    expect(body.authorization_details).toEqual([account])
    const form = { authorization_details: json([payment]) }
    expectRefusal(await refresh(later, body.refresh_token, { form }), 400, 'invalid_authorization_details')
    expect((await refresh(before, body.refresh_token)).body.authorization_details).toEqual([payment, account])
    expect(Object.keys(others)).toContain('payment')
    await later.close()
  })

  test('where nothing is left the grant is stale, and with a scope only that is left', async () => {
    const bare = await getTokens(before, asking([payment]))
    const scoped = await getTokens(before, asking([payment], { scope: 'read' }))
    const { payment: _, ...others } = types
    for (const [later, reason] of [
      [await changed(others), 'a type'],
      [await changed(types, { authorization_details_types: ['account'] }), 'a client'],
    ] as const) {
      expectRefusal(await refresh(later, bare.refresh_token), 400, 'invalid_grant')
      expect([reason, later.events.at(-1)?.event.reason]).toEqual([reason, 'scope_gone'])
      await later.close()
    }
    const later = await changed(others)
    const { body } = await refresh(later, scoped.refresh_token)
    expect([body.scope, 'authorization_details' in body]).toEqual(['read', false])
    await later.close()
  })
})

describe('RFC 9396 §10 metadata', () => {
  const document = async (url: string) => (await (await fetch(url)).json()) as Record<string, unknown>

  test('lists the types, and RFC 9728 those of each resource', async () => {
    const metadata = await document(`${host.issuer}/.well-known/oauth-authorization-server`)
    expect(metadata.authorization_details_types_supported).toEqual(Object.keys(types))
    const resource = (path: string) => document(`${host.origin}/.well-known/oauth-protected-resource${path}`)
    expect((await resource('')).authorization_details_types_supported).toEqual(Object.keys(types))
    expect((await resource('/files')).authorization_details_types_supported).toEqual(['account'])
  })

  test('without the option nothing is listed, and each request for details is refused', async () => {
    const without = await start({})
    for (const path of ['/oauth/.well-known/openid-configuration', '/.well-known/oauth-protected-resource'])
      expect(await document(without.origin + path)).not.toHaveProperty(
        'authorization_details_types_supported',
      )
    const page = await new Agent(without).get(authorizeUrl(without, asking([payment])))
    const members = expectErrorRedirect(without, page, 'invalid_authorization_details')
    expect(members.get('error_description')).toContain('This client may not ask for details here.')
    await without.close()
  })

  test('a client that names a type nearly right is refused, at create and at update, and one that nobody offers is kept', async () => {
    const { clients: registry } = host.oauth
    const metadata = { redirect_uris: ['https://rp.example/cb'] }
    const misspelt = { authorization_details_types: ['paymnet'] }
    const told = { code: 'invalid_client_metadata', reason: 'metadata_authorization_details_types' }
    await expect(registry.create({ ...metadata, ...misspelt })).rejects.toMatchObject(told)
    await expect(registry.create({ ...metadata, ...misspelt })).rejects.toThrow(
      /'paymnet'\. Did you mean 'payment'\?/,
    )
    const { client_id = '' } = await registry.create({ ...metadata, authorization_details_types: ['voting'] })
    await expect(registry.update(client_id, misspelt)).rejects.toMatchObject(told)
    const updated = await registry.update(client_id, { authorization_details_types: ['account'] })
    expect(updated.authorization_details_types).toEqual(['account'])
  })
})

describe('the option authorizationDetails', () => {
  const sentence = { description: 'Pay' }
  const refused = (authorizationDetails: unknown, more: object = {}) => {
    const base = { issuer: 'https://photos.example/oauth', findUser: () => undefined, store: ':memory:' }
    return () => oauthProvider({ ...base, authorizationDetails, ...more } as OAuthProviderOptions)
  }

  test.each<[string, unknown, string, RegExp]>([
    ['an array', [], 'authorizationDetails', /is an array\. Pass an object/],
    ['a Map', new Map(), 'authorizationDetails', /is a Map/],
    ['a type without a name', { '': { ...sentence, schema: {} } }, "authorizationDetails['']", /has no name/],
    ['a type that is a sentence', { pay: 'Pay' }, "authorizationDetails['pay']", /is 'Pay'\. .*JSON Schema/],
    [
      'a misspelt member',
      { pay: { ...sentence, shema: {} } },
      "authorizationDetails['pay'].shema",
      /Did you mean .*\.schema\?/,
    ],
    ['no schema', { pay: sentence }, "authorizationDetails['pay'].schema", /is undefined\. .*JSON Schema/],
    [
      'a schema that is true',
      { pay: { ...sentence, schema: true } },
      "authorizationDetails['pay'].schema",
      /is true/,
    ],
    [
      'a schema of something else',
      { pay: { ...sentence, schema: { type: 'array' } } },
      "authorizationDetails['pay'].schema.type",
      /is 'array'/,
    ],
    [
      'properties that are none',
      { pay: { ...sentence, schema: { properties: [] } } },
      "authorizationDetails['pay'].schema.properties",
      /is an array/,
    ],
    [
      'a misspelt keyword',
      { pay: { ...sentence, schema: { propertys: {} } } },
      "authorizationDetails['pay'].schema",
      /"propertys".* Give a JSON Schema/,
    ],
    [
      'a wrong value of a keyword',
      { pay: { ...sentence, schema: { required: 'amount' } } },
      "authorizationDetails['pay'].schema",
      /required must be array/,
    ],
    [
      'a pattern that is none',
      { pay: { ...sentence, schema: { properties: { a: { pattern: '(' } } } } },
      "authorizationDetails['pay'].schema",
      /\(/,
    ],
    [
      'a format',
      { pay: { ...sentence, schema: { properties: { a: { format: 'date' } } } } },
      "authorizationDetails['pay'].schema",
      /format "date"/,
    ],
    [
      'a schema elsewhere',
      { pay: { ...sentence, schema: { $ref: 'https://elsewhere.example/x' } } },
      "authorizationDetails['pay'].schema",
      /can't resolve/,
    ],
    [
      'another dialect',
      { pay: { ...sentence, schema: { $schema: 'http://json-schema.org/draft-07/schema#' } } },
      "authorizationDetails['pay'].schema",
      /2020-12/,
    ],
    [
      'an asynchronous schema',
      { pay: { ...sentence, schema: { $async: true } } },
      "authorizationDetails['pay'].schema",
      /asynchronous\. Leave out/,
    ],
    [
      'no description',
      { pay: { schema: {} } },
      "authorizationDetails['pay'].description",
      /is undefined\. Give the sentence/,
    ],
    [
      'an empty description',
      { pay: { schema: {}, description: '' } },
      "authorizationDetails['pay'].description",
      /is an empty string/,
    ],
  ])('%s is refused, with what to do', (_, given, option, message) => {
    expect(refused(given)).toThrow(expect.objectContaining({ name: 'ConfigurationError', option }))
    expect(refused(given)).toThrow(message)
  })

  test('a resource with a type that is not declared is refused, with what was meant', () => {
    const of = (...authorizationDetailsTypes: string[]) => ({
      resources: { 'https://photos.example/api': { authorizationDetailsTypes } },
    })
    const declared = { payment: { ...sentence, schema: {} } }
    expect(refused(declared, of('payment', 'paymnet'))).toThrow(
      /names the unknown type 'paymnet'. Did you mean 'payment'\?/,
    )
    expect(refused(declared, of('voting'))).toThrow(/Add it to the option authorizationDetails/)
  })

  test('a static client with a misspelt type is refused by name', () => {
    const client = https('x', { authorization_details_types: ['paymnet'] })
    expect(refused({ payment: { ...sentence, schema: {} } }, { clients: [client] })).toThrow(
      expect.objectContaining({ option: 'clients[0].authorization_details_types' }),
    )
  })

  test('schemas may share an $id, name type themselves, and be put together; what none of their parts names is refused', async () => {
    const part = {
      $id: 'https://host.example/part',
      properties: { type: { type: 'string' }, a: { const: 1 } },
    }
    const own = await start({
      authorizationDetails: {
        one: { schema: part, description: 'One' },
        two: { schema: { ...part, required: ['type'] }, description: 'Two' },
        both: { schema: { allOf: [part, { properties: { b: {} } }] }, description: 'Both' },
        open: { schema: { ...part, unevaluatedProperties: { type: 'number' } }, description: 'Open' },
      },
      resources: {},
    })
    const statuses = (details: Details) =>
      Promise.all(details.map(async (detail) => (await push(own, asking([detail]))).status))
    expect(
      await statuses([
        { type: 'one', a: 1 },
        { type: 'two' },
        { type: 'both', a: 1, b: 2 },
        { type: 'open', c: 1 },
      ]),
    ).toEqual([201, 201, 201, 201])
    expect(
      await statuses([
        { type: 'one', b: 1 },
        { type: 'two', a: 2 },
        { type: 'both', c: 1 },
        { type: 'open', c: 'x' },
      ]),
    ).toEqual([400, 400, 400, 400])
    await own.close()
  })
})

describe('RFC 9396 §5 a member that no schema names is refused at every depth', () => {
  const iban = { type: 'object', properties: { iban: { type: 'string' } } }
  const one = { properties: { kind: { const: 'one' }, a: true }, required: ['kind'] }
  const two = { properties: { kind: { const: 'two' }, b: true }, required: ['kind'] }
  const properties = {
    creditor: { type: 'object', properties: { account: iban } },
    list: { type: 'array', items: iban },
    pair: { type: 'array', prefixItems: [true, iban] },
    labelled: { type: 'object', additionalProperties: iban },
    patterned: { type: 'object', patternProperties: { '^x-': iban } },
    ref: { $ref: '#/$defs/account' },
    tree: { $ref: '#/$defs/tree' },
    named: { $ref: 'https://host.example/account' },
    either: { oneOf: [one, two] },
    parts: {
      properties: { a: iban },
      allOf: [{ properties: { a: { properties: { bic: true } }, b: true } }],
      dependentSchemas: { b: { properties: { c: true } } },
    },
    // biome-ignore lint/suspicious/noThenProperty: it is a keyword of JSON Schema
    when: { if: one, then: { properties: { b: iban } }, else: two },
    open: { ...iban, additionalProperties: true },
    unevaluated: { ...iban, unevaluatedProperties: true },
    partlyOpen: { allOf: [iban, { additionalProperties: { type: 'number' } }] },
    forgotten: { ...iban, additionalProperties: undefined },
    none: { type: 'object', properties: {} },
    free: { type: 'object' },
    anything: true,
    data: { const: { properties: { x: { properties: {} } } } },
    properties: iban,
  }
  const $defs = {
    account: iban,
    tree: {
      properties: { name: { type: 'string' }, children: { type: 'array', items: { $ref: '#/$defs/tree' } } },
    },
    named: { ...iban, $id: 'https://host.example/account' },
  }
  let own: Host
  beforeAll(async () => {
    const authorizationDetails = {
      deep: { schema: { properties, $defs }, description: 'Do what is deep' },
      undef: {
        schema: {
          properties: { a: true },
          additionalProperties: undefined,
          unevaluatedProperties: undefined,
        },
        description: 'Do something',
      },
    }
    own = await start({ authorizationDetails, resources: {} })
  })
  afterAll(() => own.close())
  const ask = (detail: object) => push(own, asking(json([{ type: 'deep', ...detail }])))

  test.each<[object, string]>([
    [{ creditor: { [CANARY]: 1 } }, '.creditor'],
    [{ creditor: { account: { iban: 'x', [CANARY]: 1 } } }, '.creditor.account'],
    [{ creditor: { account: { iban: 'x', type: 'deep' } } }, '.creditor.account'],
    [{ list: [{ iban: 'x' }, { iban: 'x', [CANARY]: 1 }] }, '.list[1]'],
    [{ pair: [{ [CANARY]: 1 }, { [CANARY]: 1 }] }, '.pair[1]'],
    [{ labelled: { [CANARY]: { iban: 'x', name: 1 } } }, '.labelled.*'],
    [{ patterned: { 'x-1': { name: 1 } } }, '.patterned.*'],
    [{ patterned: { [CANARY]: 1 } }, '.patterned'],
    [{ ref: { iban: 'x', [CANARY]: 1 } }, '.ref'],
    [{ tree: { name: 'a', children: [{ children: [{ [CANARY]: 1 }] }] } }, '.tree.children[0].children[0]'],
    [{ named: { [CANARY]: 1 } }, '.named'],
    [{ either: { kind: 'one', a: 1, b: 1 } }, '.either'],
    [{ either: { kind: 'two', a: 1 } }, '.either'],
    [{ parts: { a: { iban: 'x', bic: 'x', [CANARY]: 1 } } }, '.parts.a'],
    [{ parts: { c: 1 } }, '.parts'],
    [{ when: { kind: 'two', b: 1, a: 1 } }, '.when'],
    [{ when: { kind: 'one', b: { bic: 1 } } }, '.when.b'],
    [{ forgotten: { iban: 'x', [CANARY]: 1 } }, '.forgotten'],
    [{ none: { [CANARY]: 1 } }, '.none'],
    [{ none: { constructor: 1 } }, '.none'],
    [{ properties: { bic: 1 } }, '.properties'],
    [{ type: 'undef', a: 1, [CANARY]: 1 }, ''],
  ])('%j', async (detail, place) => {
    const answer = await ask(detail)
    expectRefusal(answer, 400, 'invalid_authorization_details')
    expect(answer.body.error_description).toBe(
      `authorization_details[0]${place} has a member that its type does not know.`,
    )
  })

  test.each<object>([
    { creditor: { account: { iban: 'x' } }, list: [{ iban: 'x' }, {}], pair: [{ a: 1 }, { iban: 'x' }] },
    { labelled: { a: { iban: 'x' } }, patterned: { 'x-1': {} }, ref: { iban: 'x' }, named: {} },
    { tree: { name: 'a', children: [{ name: 'b', children: [{}] }] } },
    { either: { kind: 'one', a: { b: 1 } } },
    { either: { kind: 'two', b: 1 } },
    { parts: { a: { iban: 'x', bic: 'x' }, b: 1, c: 1 } },
    { when: { kind: 'one', a: 1, b: { iban: 'x' } } },
    { when: { kind: 'two', b: 1 } },
    { open: { iban: 'x', more: { a: 1 } }, unevaluated: { more: 1 }, partlyOpen: { more: 1 } },
    { none: {}, free: { a: { b: 1 } }, anything: [{ a: 1 }], data: properties.data.const, properties: {} },
    { type: 'undef', a: { b: 1 } },
  ])('%j is taken', async (detail) => {
    expect((await ask(detail)).status).toBe(201)
  })
})

describe('pages of the host that would have users approve what they cannot see', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'pages-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  async function warnings(pages: Record<string, string>, more: Partial<OAuthProviderOptions<User>> = {}) {
    const templates = mkdtempSync(path.join(folder, 'templates-'))
    for (const [name, text] of Object.entries(pages)) writeFileSync(path.join(templates, name), text)
    const own = await startHost({ provider: { authorizationDetails: types, templates, ...more } })
    await signedIn(own, 'alice')
    await own.close()
    return own.events.filter(({ name }) => name === 'warning').map(({ event }) => event)
  }

  const OLD = '<% for (const scope of newScopes) { %><%= scope.description %><% } %>'
  const OWN_PART = "<%- include('./part') %>"

  test.each<[string, Record<string, string>, string]>([
    ['the consent page', { 'consent.ejs': OLD }, 'Your consent.ejs in'],
    ['the one for devices', { 'device-consent.ejs': OLD }, 'Your device-consent.ejs in'],
    ['both', { 'consent.ejs': OLD, 'device-consent.ejs': OLD }, 'Your consent.ejs and device-consent.ejs in'],
    [
      'a page with parts, of which none does',
      { 'consent.ejs': `<%- include('account') %>${OWN_PART}`, 'part.ejs': `${OLD}${OWN_PART}` },
      'Your consent.ejs in',
    ],
    [
      'a page whose part takes the place of the built-in one',
      { 'consent.ejs': "<%- include('asked') %>", 'asked.ejs': OLD },
      'Your consent.ejs in',
    ],
  ])('%s is warned of, once', async (_, pages, start) => {
    const found = await warnings(pages)
    expect(found).toEqual([{ code: 'consent_without_details', message: expect.any(String) }])
    expect(found[0]?.message).toContain(start)
    expect(found[0]?.message).toContain("<%- include('asked') %>")
  })

  test.each<[string, Record<string, string>, Partial<OAuthProviderOptions<User>>]>([
    ['that show it themselves', { 'consent.ejs': '<%= authorizationDetails.length %>' }, {}],
    ['with the built-in part', { 'consent.ejs': "<%- include('asked') %>" }, {}],
    [
      'with a part of their own',
      {
        'consent.ejs': OWN_PART,
        'part.ejs': "<%- include('other.ejs') %>",
        'other.ejs': 'authorizationDetails',
      },
      {},
    ],
    ['with a part whose name is computed', { 'consent.ejs': "<%- include('as' + 'ked') %>" }, {}],
    ['that ask nothing', { 'error.ejs': '<%= message %>' }, {}],
    ['of a host without details', { 'consent.ejs': OLD }, { authorizationDetails: {} }],
    ['that are not used, beside render', { 'consent.ejs': OLD }, { render: () => '' }],
  ])('pages %s are not', async (_, pages, more) => {
    expect(await warnings(pages, more)).toEqual([])
  })
})

describe('interop', () => {
  const details = [payment, { ...account, labels: { 'a b+c&d=e%': 'é "\\' } }]

  /** Somebody approves; answers where the browser is sent. */
  async function approved(url: URL): Promise<URL> {
    const { agent, page } = await visit(url)
    return destination(await decide(agent, page, 'approve'))
  }

  async function visit(url: URL): Promise<{ agent: Agent; page: Page }> {
    const agent = await signedIn(host, 'alice')
    return { agent, page: await agent.follow(url.href) }
  }

  test('oauth4webapi pushes them, gets them with the tokens, and asks for less with the refresh token', async () => {
    const insecure = { [oauth.allowInsecureRequests]: true }
    const issuer = new URL(host.issuer)
    const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
    const server = await oauth.processDiscoveryResponse(issuer, found)
    expect(server.authorization_details_types_supported).toContain('payment')
    const client = { client_id: 'conf' }
    const auth = oauth.ClientSecretBasic('conf-secret')
    const verifier = oauth.generateRandomCodeVerifier()
    const asked = {
      ...{ client_id: 'conf', redirect_uri: redirectUriOf('conf'), response_type: 'code' },
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      authorization_details: json(details),
    }
    const answer = await oauth.pushedAuthorizationRequest(server, client, auth, asked, insecure)
    const { request_uri } = await oauth.processPushedAuthorizationResponse(server, client, answer)
    const callback = await approved(new URL(visitUrl(host, request_uri)))
    const parameters = oauth.validateAuthResponse(server, client, callback)
    const exchange = [server, client, auth, parameters, redirectUriOf('conf'), verifier, insecure] as const
    const response = await oauth.authorizationCodeGrantRequest(...exchange)
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, response)
    expect(tokens.authorization_details).toEqual(details)

    const additionalParameters = { authorization_details: json([payment]) }
    const options = { ...insecure, additionalParameters }
    const token = tokens.refresh_token ?? ''
    const less = await oauth.refreshTokenGrantRequest(server, client, auth, token, options)
    const refreshed = await oauth.processRefreshTokenResponse(server, client, less)
    expect(refreshed.authorization_details).toEqual([payment])
  })

  test('openid-client carries them through the code flow', async () => {
    const config = await openid.discovery(
      new URL(host.issuer),
      'conf',
      {},
      openid.ClientSecretBasic('conf-secret'),
      { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] },
    )
    const pkceCodeVerifier = openid.randomPKCECodeVerifier()
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: redirectUriOf('conf'),
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      authorization_details: json(details),
    })
    const tokens = await openid.authorizationCodeGrant(config, await approved(url), { pkceCodeVerifier })
    expect(tokens.authorization_details).toEqual(details)
    expect((await openid.tokenIntrospection(config, tokens.access_token)).authorization_details).toEqual(
      details,
    )
  })
})
