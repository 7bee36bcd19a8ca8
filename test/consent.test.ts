import SQLite from 'better-sqlite3'
import { openStore } from '../lib/store/open.js'
import { SqliteStore } from '../lib/store/sqlite.js'
import type { Store } from '../lib/store/store.js'
import { Agent, inputValue, type Page } from './support/agent.js'
import { expectCode, expectErrorPage, expectErrorRedirect, expectPageHeaders } from './support/answers.js'
import { clients } from './support/clients.js'
import {
  authorizeUrl,
  callApi,
  decide,
  destination,
  getCode,
  getTokens,
  redeem,
  refresh,
  signedIn,
  toConsent,
} from './support/flow.js'
import { type Host, type HostOptions, startHost } from './support/host.js'

const db = new SQLite(':memory:')
const open: Host[] = []
let host: Host
beforeEach(async () => {
  host = await start({ provider: { store: db } })
})
afterEach(async () => {
  for (const started of open.splice(0)) await started.close()
  db.exec('DELETE FROM oauth_records; DELETE FROM oauth_grants; DELETE FROM oauth_clients')
})
afterAll(() => db.close())

async function start(options: HostOptions): Promise<Host> {
  const started = await startHost(options)
  open.push(started)
  return started
}

function codes(): number {
  return db.prepare("SELECT count(*) FROM oauth_records WHERE kind = 'code'").pluck().get() as number
}

function isConsentPage(page: Page): boolean {
  return page.status === 200 && page.text.includes('name="decision"')
}

/** The page without its style sheet. */
function textOf(page: Page): string {
  return page.text.replace(/<style[\s\S]*?<\/style>/g, '')
}

/** A section of the consent page, by its id or tag. */
function section(page: Page, start: RegExp, end: string): string {
  const text = textOf(page)
  const from = text.search(start)
  return from < 0 ? '' : text.slice(from, text.indexOf(end, from))
}

const optional = {
  read: 'Read your things',
  write: { description: 'Change your things', required: false },
  share: { description: 'Share your things', required: false },
}

describe('the page', () => {
  test('says who asks, where the answer goes, who is signed in, and what for, and has both buttons', async () => {
    const { page } = await toConsent(host, { params: { scope: 'read write' } })
    expect(page.status).toBe(200)
    expectPageHeaders(page)
    const text = textOf(page)
    expect(text).toContain('<bdi>Confidential</bdi> asks for access')
    expect(section(page, /id="destination"/, '</section>')).toContain('>rp.example<')
    expect(text).toContain('Alice')
    expect(text).toContain('alice@host.example')
    const path = new URL(page.url).pathname
    expect(text).toContain(`<a href="/login?return_to=${path}">Not you?</a>`)
    expect(text).toContain(`action="${path}"`)
    expect(section(page, /id="required"/, '</section>')).toMatch(/Read your things[\s\S]*Change your things/)
    expect(text).toMatch(/<button type="submit" name="decision" value="approve"[^>]*>Approve</)
    expect(text).toMatch(/<button type="submit" name="decision" value="deny"[^>]*>Deny</)
    expect(inputValue(page, '_csrf')).toMatch(/./)
    expect(text).not.toMatch(/<script|<img|<iframe|<link|type="checkbox"|id="granted"/)
  })

  test.each([
    ['http://127.0.0.1:51004/cb', 'an app on this computer'],
    ['http://[::1]:51004/cb', 'an app on this computer'],
    ['http://localhost:51004/cb', 'an app on this computer'],
    ['com.example.app:/cb', 'com.example.app:'],
  ])('CIMD-10 says for %s that it is %s', async (redirect_uri, words) => {
    const { page } = await toConsent(host, { client: 'nat', params: { redirect_uri } })
    expect(section(page, /id="destination"/, '</section>')).toContain(words)
  })

  test('shows the host and port of a redirect URI that has one', async () => {
    const redirect_uri = 'https://rp.example:8443/cb'
    const { client_id } = await host.oauth.clients.create({ client_name: 'X', redirect_uris: [redirect_uri] })
    const { page } = await toConsent(host, { client: client_id, params: { redirect_uri } })
    expect(section(page, /id="destination"/, '</section>')).toContain('rp.example:8443')
  })

  test('INJ-02 INJ-04 names and sentences are shown as text, whatever is in them', async () => {
    const evil = '"><svg onload=alert(1)>{{7*7}}<%=7*7%>'
    const other = await start({
      provider: {
        scopes: { read: evil, write: { description: evil, required: false } },
        findUser: (id) => ({ id, name: evil, email: evil }),
      },
    })
    const { client_id } = await other.oauth.clients.create({
      client_name: evil,
      redirect_uris: ['https://rp.example/cb'],
    })
    const params = { scope: 'read write', redirect_uri: 'https://rp.example/cb' }
    const { page } = await toConsent(other, { client: client_id, params })
    expect(isConsentPage(page)).toBe(true)
    expect(page.text).not.toMatch(/<svg|<%=/)
    const shown = page.text.split('&#34;&gt;&lt;svg onload=alert(1)&gt;{{7*7}}&lt;%=7*7%&gt;').length - 1
    expect(shown).toBeGreaterThanOrEqual(6)
  })

  test('sets what was allowed before apart from what is new', async () => {
    await getCode(host, { params: { scope: 'read' } })
    const { page } = await toConsent(host, { params: { scope: 'read write' } })
    const granted = section(page, /id="granted"/, '</section>')
    expect(granted).toContain('Read your things')
    expect(granted).not.toContain('Change your things')
    const fresh = section(page, /id="required"/, '</section>')
    expect(fresh).toContain('Change your things')
    expect(fresh).not.toContain('Read your things')
  })

  test('has a checkbox for each scope that may be left out, and only for those', async () => {
    const other = await start({ provider: { scopes: optional } })
    const { page } = await toConsent(other, { params: { scope: 'read write share' } })
    const boxes = [...textOf(page).matchAll(/<input type="checkbox" name="scope" value="([^"]*)"/g)]
    expect(boxes.map(([, scope]) => scope)).toEqual(['write', 'share'])
    expect(section(page, /id="required"/, '</section>')).toContain('Read your things')
  })
})

describe('choosing', () => {
  async function grantedScope(
    form: Record<string, readonly string[]>,
    scope = 'read write share',
  ): Promise<string[]> {
    const other = await start({ provider: { scopes: optional } })
    const { agent, page } = await toConsent(other, { params: { scope } })
    const code = expectCode(other, await decide(agent, page, 'approve', form))
    const granted = String((await redeem(other, code)).body.scope).split(' ')
    expect(
      Object.values((await other.oauth.grants.list())[0]?.access ?? {})
        .flat()
        .toSorted(),
    ).toEqual(granted.toSorted())
    return granted.sort()
  }

  test('AUTHZ-15 a scope that was not ticked is not granted, and the token says so', async () => {
    expect(await grantedScope({ scope: ['write'] })).toEqual(['read', 'write'])
    expect(await grantedScope({ scope: ['share', 'write'] })).toEqual(['read', 'share', 'write'])
    expect(await grantedScope({})).toEqual(['read'])
  })

  test('a scope that was not asked for cannot be ticked into the grant', async () => {
    expect(
      await grantedScope({ scope: ['write', 'share', 'admin', 'offline_access'] }, 'read write'),
    ).toEqual(['read', 'write'])
    expect(await grantedScope({ scope: ['write share'] })).toEqual(['read'])
  })

  test('approving nothing at all is asked again, with what was ticked kept', async () => {
    const other = await start({ provider: { scopes: optional } })
    const { agent, page } = await toConsent(other, { params: { scope: 'write share' } })
    const again = await decide(agent, page, 'approve')
    expect(again.status).toBe(400)
    expect(again.text).toContain('Choose at least one, or deny.')
    expect(again.text).not.toMatch(/value="write" checked/)
    const code = expectCode(other, await decide(agent, again, 'approve', { scope: 'share' }))
    expect((await redeem(other, code)).body.scope).toBe('share')
  })

  test('a scope that was left out is asked for again next time', async () => {
    const other = await start({ provider: { scopes: optional } })
    const { agent, page } = await toConsent(other, { params: { scope: 'read write' } })
    expectCode(other, await decide(agent, page, 'approve'))
    expect((await agent.get(authorizeUrl(other, { params: { scope: 'read' } }))).location).toContain('code=')
    const next = await agent.follow(authorizeUrl(other, { params: { scope: 'read write' } }))
    expect(isConsentPage(next)).toBe(true)
    expect(section(next, /id="granted"/, '</section>')).toContain('Read your things')
  })

  test.each([
    ['none', {}],
    ['an unknown one', { decision: 'allow' }],
    ['an empty one', { decision: '' }],
    ['both', { decision: ['approve', 'deny'] }],
    ['one twice', { decision: ['approve', 'approve'] }],
  ])('a form with %s for a decision decides nothing', async (_, form) => {
    const { agent, page } = await toConsent(host)
    const answer = await agent.post(page.url, { _csrf: inputValue(page, '_csrf'), ...form })
    expect(answer.status).toBe(400)
    expect(answer.text).toContain('Choose Approve or Deny.')
    expect(codes()).toBe(0)
    expectCode(host, await decide(agent, answer, 'approve'))
  })
})

describe('remembering', () => {
  test('UI-11 the same again is not asked, nor less', async () => {
    const agent = await signedIn(host, 'alice')
    await getCode(host, { agent, params: { scope: 'read write' } })
    for (const scope of ['read write', 'write read', 'write', 'read', 'read nope'])
      expectCode(host, await agent.get(authorizeUrl(host, { params: { scope } })))
    expect(
      host.events.filter(({ name }) => name === 'code.issued').map(({ event }) => event.remembered),
    ).toEqual([false, true, true, true, true, true])
    expect(host.events.filter(({ name }) => name === 'consent.approved')).toHaveLength(1)
  })

  test("UI-11 one more scope, another client, another user or another browser's user is asked", async () => {
    const agent = await signedIn(host, 'alice')
    await getCode(host, { agent })
    for (const options of [{ params: { scope: 'read write' } }, { client: 'conf2' }, { client: 'either' }])
      expect(isConsentPage(await agent.follow(authorizeUrl(host, options)))).toBe(true)
    expect(isConsentPage((await toConsent(host, { user: 'bob' })).page)).toBe(true)
    const elsewhere = await signedIn(host, 'alice')
    expectCode(host, await elsewhere.get(authorizeUrl(host)))
  })

  test('UI-11 another resource is asked, and so is the whole origin after a part of it', async () => {
    const agent = await signedIn(host, 'alice')
    const url = (resource?: string) => authorizeUrl(host, { params: { resource } })
    await getCode(host, { agent, params: { resource: `${host.origin}/api` } })
    expectCode(host, await agent.get(url(`${host.origin}/api`)))
    expectCode(host, await agent.get(url(`${host.origin.replace('localhost', 'LOCALHOST')}/api/`)))
    expect(isConsentPage(await agent.follow(url(`${host.origin}/photos`)))).toBe(true)
    const whole = await agent.follow(url())
    expect(isConsentPage(whole)).toBe(true)
    expectCode(host, await decide(agent, whole, 'approve'))
    expectCode(host, await agent.get(url()))
    expectCode(host, await agent.get(url(`${host.origin}/api`)))
  })

  test('UI-11 what was allowed at one resource and at another is not mixed, and the page names the resource', async () => {
    const [bank, photos] = [`${host.origin}/bank`, `${host.origin}/photos`]
    const agent = await signedIn(host, 'alice')
    await getCode(host, { agent, params: { scope: 'read', resource: bank } })
    await getCode(host, { agent, params: { scope: 'write', resource: photos } })
    const silent = await agent.get(
      authorizeUrl(host, { params: { scope: 'write', resource: bank, prompt: 'none' } }),
    )
    expectErrorRedirect(host, silent, 'consent_required')
    const page = await agent.follow(authorizeUrl(host, { params: { scope: 'read', resource: photos } }))
    expect(isConsentPage(page)).toBe(true)
    expect(page.text).toContain(photos)
    expect(page.text).toContain('It wants to')
    expect(page.text).not.toContain('nothing new')
    const list = await agent.get('/oauth/authorized-applications')
    expect(list.text).toContain(bank)
  })

  test("UI-11 after the grant was revoked, or the user's, or the client deleted and made again, it is asked", async () => {
    const redirect_uris = ['https://rp.example/cb']
    const agent = await signedIn(host, 'alice')
    await host.oauth.clients.create({ client_id: 'again', client_secret: 'again-secret', redirect_uris })
    for (const [client, revoke] of [
      ['conf', async () => host.oauth.grants.revoke((await host.oauth.grants.list())[0]?.id ?? '')],
      ['conf', () => host.oauth.grants.revokeUser('alice')],
      [
        'again',
        async () => {
          await host.oauth.clients.delete('again')
          await host.oauth.clients.create({
            client_id: 'again',
            client_secret: 'again-secret',
            redirect_uris,
          })
        },
      ],
    ] as const) {
      await getCode(host, { agent, client })
      expectCode(host, await agent.get(authorizeUrl(host, { client })))
      await revoke()
      expect(isConsentPage(await agent.follow(authorizeUrl(host, { client })))).toBe(true)
    }
  })

  test('a client gets more later without losing what it has', async () => {
    const first = await getTokens(host, { params: { scope: 'read' } })
    const second = await getTokens(host, { agent: first.agent, params: { scope: 'read write' } })
    expect(second.scope).toBe('read write')
    expect((await callApi(host, '/api/read', first.access_token)).status).toBe(200)
    expect((await callApi(host, '/api/write', first.access_token)).status).toBe(403)
    expect((await refresh(host, first.refresh_token)).body.scope).toBe('read')
    expect((await callApi(host, '/api/write', second.access_token)).status).toBe(200)
    const grants = await host.oauth.grants.list()
    expect(grants.map(({ access }) => access[host.origin]?.toSorted())).toEqual([['read', 'write']])
  })

  test('what is asked for alone adds to what is there, and the token holds only what was asked', async () => {
    const first = await getTokens(host, { params: { scope: 'read' } })
    const { agent, page } = await toConsent(host, { agent: first.agent, params: { scope: 'write' } })
    expect(textOf(page)).not.toContain('Read your things')
    const code = expectCode(host, await decide(agent, page, 'approve'))
    expect((await redeem(host, code)).body.scope).toBe('write')
    expect((await host.oauth.grants.list())[0]?.access[host.origin]?.toSorted()).toEqual(['read', 'write'])
  })

  test('denying more leaves what was granted as it is', async () => {
    const first = await getTokens(host)
    const { agent, page } = await toConsent(host, { agent: first.agent, params: { scope: 'read write' } })
    expectErrorRedirect(host, await decide(agent, page, 'deny'), 'access_denied')
    expect((await callApi(host, '/api/read', first.access_token)).status).toBe(200)
    expect((await host.oauth.grants.list())[0]?.access).toEqual({ [host.origin]: ['read'] })
    expectCode(host, await agent.get(authorizeUrl(host)))
  })
})

describe('who is asked', () => {
  const skipping = [
    ...clients,
    {
      client_id: 'spa-first',
      redirect_uris: ['https://spa.example/cb'],
      skip_consent: true,
    },
    {
      client_id: 'nat-first',
      redirect_uris: ['http://127.0.0.1/cb', 'com.example.app:/cb', 'https://app.example/cb'],
      skip_consent: true,
    },
    {
      client_id: 'loop-first',
      client_secret: 'loop-first-secret',
      redirect_uris: ['http://localhost/cb'],
      skip_consent: true,
    },
  ]

  test.each([
    ['first', 'https://first.example/cb'],
    ['spa-first', 'https://spa.example/cb'],
    ['loop-first', 'http://localhost:3000/cb'],
    ['nat-first', 'https://app.example/cb'],
  ])('skip_consent is honoured for %s at %s', async (client, redirect_uri) => {
    const other = await start({ provider: { clients: skipping } })
    const agent = await signedIn(other, 'alice')
    const params = { redirect_uri, state: undefined }
    for (const prompt of [undefined, 'none'])
      expectCode(other, await agent.get(authorizeUrl(other, { client, params: { ...params, prompt } })), {
        redirectUri: redirect_uri,
        state: null,
      })
    const asked = await agent.follow(
      authorizeUrl(other, { client, params: { ...params, prompt: 'consent' } }),
    )
    expect(isConsentPage(asked)).toBe(true)
    expect(other.events.filter(({ name }) => name === 'consent.approved')).toEqual([])
    expect((await other.oauth.grants.list({ userId: 'alice' })).map(({ clientId }) => clientId)).toEqual([
      client,
    ])
  })

  test('skip_consent lets nobody in who is not signed in, and is no approval by the user', async () => {
    const agent = new Agent(host)
    const url = authorizeUrl(host, { client: 'first' })
    expect((await agent.get(url)).location).toContain('/login?return_to=')
    expectErrorRedirect(
      host,
      await agent.get(authorizeUrl(host, { client: 'first', params: { prompt: 'none' } })),
      'login_required',
      { redirectUri: 'https://first.example/cb' },
    )
    const path = (await agent.get(url)).location?.split('return_to=')[1]
    expect(destination(await agent.login('alice', path)).searchParams.get('code')).toMatch(/./)
    expect(host.events.filter(({ name }) => name === 'consent.approved')).toEqual([])
    expect(host.events.at(-1)).toMatchObject({ name: 'code.issued', event: { remembered: true } })
  })

  test.each(['http://127.0.0.1:51004/cb', 'com.example.app:/cb'])(
    'UI-10 skip_consent is not honoured for a public client at %s',
    async (redirect_uri) => {
      const other = await start({ provider: { clients: skipping } })
      const { page } = await toConsent(other, { client: 'nat-first', params: { redirect_uri } })
      expect(isConsentPage(page)).toBe(true)
    },
  )

  test.each([
    'http://127.0.0.1:51004/cb',
    'http://[::1]:51004/cb',
    'http://localhost:51004/cb',
    'com.example.app:/cb',
  ])(
    'UI-10 a native client at %s is asked every time, and prompt=none is consent_required',
    async (redirect_uri) => {
      const agent = await signedIn(host, 'alice')
      const params = { redirect_uri }
      await getTokens(host, { agent, client: 'nat', params })
      for (let again = 0; again < 2; again++) {
        const page = await agent.follow(authorizeUrl(host, { client: 'nat', params }))
        expect(isConsentPage(page)).toBe(true)
        expectCode(host, await decide(agent, page, 'approve'), { redirectUri: redirect_uri })
      }
      const silent = await agent.get(
        authorizeUrl(host, { client: 'nat', params: { ...params, prompt: 'none' } }),
      )
      expectErrorRedirect(host, silent, 'consent_required', { redirectUri: redirect_uri })
    },
  )

  test('UI-10 a public client with an https redirect is remembered', async () => {
    const agent = await signedIn(host, 'alice')
    await getCode(host, { agent, client: 'pub' })
    for (const prompt of [undefined, 'none']) {
      const page = await agent.get(authorizeUrl(host, { client: 'pub', params: { prompt } }))
      expectCode(host, page, { redirectUri: 'https://spa.example/cb' })
    }
  })
})

describe('clicking twice', () => {
  test('UI-07 a second click gets the very same redirect, and there is one code', async () => {
    const { agent, page } = await toConsent(host)
    const first = await decide(agent, page, 'approve')
    const second = await decide(agent, page, 'approve')
    expectCode(host, first)
    expect(second.status).toBe(303)
    expect(second.location).toBe(first.location)
    expect(codes()).toBe(1)
  })

  test('RACE-04 twenty clicks at once get the very same redirect, and there is one code', async () => {
    const { agent, page } = await toConsent(host)
    const answers = await Promise.all(Array.from({ length: 20 }, () => decide(agent, page, 'approve')))
    expect(new Set(answers.map(({ status, location }) => `${status} ${location}`)).size).toBe(1)
    const code = expectCode(host, answers[0] as Page)
    expect(codes()).toBe(1)
    expect((await redeem(host, code)).status).toBe(200)
  })

  test('RACE-04 approving and denying at once has one outcome', async () => {
    const { agent, page } = await toConsent(host)
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => decide(agent, page, index % 2 ? 'approve' : 'deny')),
    )
    expect(new Set(answers.map(({ location }) => location)).size).toBe(1)
    expect(codes()).toBe(answers[0]?.location?.includes('code=') ? 1 : 0)
  })

  test('the first decision stands: approving after denying, and denying after approving', async () => {
    const one = await toConsent(host)
    expectErrorRedirect(host, await decide(one.agent, one.page, 'deny'), 'access_denied')
    expectErrorRedirect(host, await decide(one.agent, one.page, 'approve'), 'access_denied')
    expect(codes()).toBe(0)
    expect(await host.oauth.grants.list()).toEqual([])
    const two = await toConsent(host)
    const approved = await decide(two.agent, two.page, 'approve')
    expect((await decide(two.agent, two.page, 'deny')).location).toBe(approved.location)
    expect(host.events.filter(({ name }) => name === 'consent.denied')).toHaveLength(1)
  })

  test('back and reload lead on to the same answer until the code is redeemed, then say what to do', async () => {
    const { agent, page } = await toConsent(host)
    const approved = await decide(agent, page, 'approve')
    const reloaded = await agent.get(page.url)
    expect(reloaded.status).toBe(200)
    expect(isConsentPage(reloaded)).toBe(false)
    expect(destination(reloaded).href).toBe(approved.location)
    await redeem(host, expectCode(host, approved))
    for (const answer of [await agent.get(page.url), await decide(agent, page, 'approve')]) {
      expectErrorPage(answer)
      expect(answer.text).toContain('already answered')
      expect(answer.text).toContain('Go back to the application')
    }
    expect(codes()).toBe(1)
  })

  test('UI-07 after the code has expired, a second click gets no other one', async () => {
    const { agent, page } = await toConsent(host)
    await decide(agent, page, 'approve')
    host.advance(61)
    expectErrorPage(await decide(agent, page, 'approve'))
    expectErrorPage(await agent.get(page.url))
    expect(codes()).toBeLessThanOrEqual(1)
  })

  test('after the access was withdrawn, a second click does not bring it back', async () => {
    const { agent, page } = await toConsent(host)
    await decide(agent, page, 'approve')
    await host.oauth.grants.revokeUser('alice')
    expectErrorPage(await decide(agent, page, 'approve'))
    expect(await host.oauth.grants.list()).toEqual([])
  })

  test('UI-05 whoever signs in on this browser afterwards does not get the code of the one who decided', async () => {
    const { agent, page } = await toConsent(host)
    await decide(agent, page, 'approve')
    await agent.login('bob')
    expectErrorPage(await agent.get(page.url))
    const answer = await agent.post(page.url, { _csrf: 'any', decision: 'approve' })
    expect(answer.location).toBeUndefined()
    expect(answer.text).not.toContain('code=')
  })

  test('reloading a page that waits shows it again, and both forms work', async () => {
    const { agent, page } = await toConsent(host)
    const again = await agent.get(page.url)
    expect(isConsentPage(again)).toBe(true)
    expectCode(host, await decide(agent, page, 'approve'))
  })

  test('UI-07 a request that has expired is a page that says what to do, before and after a decision', async () => {
    const waiting = await toConsent(host)
    const decided = await toConsent(host)
    await decide(decided.agent, decided.page, 'deny')
    host.advance(3601)
    for (const { agent, page } of [waiting, decided]) {
      for (const answer of [await agent.get(page.url), await decide(agent, page, 'approve')]) {
        expectErrorPage(answer)
        expect(answer.text).toContain('expired')
        expect(answer.text).toContain('connect again')
      }
    }
    expect(codes()).toBe(0)
    const short = await start({ provider: { lifetimes: { request: 10 } } })
    const { agent, page } = await toConsent(short)
    short.advance(9)
    expect(isConsentPage(await agent.get(page.url))).toBe(true)
    short.advance(1)
    expectErrorPage(await agent.get(page.url))
  })

  test('UI-07 GET never approves, whatever its query says', async () => {
    const { agent, page } = await toConsent(host)
    const _csrf = inputValue(page, '_csrf')
    for (const query of [
      { decision: 'approve', _csrf },
      { decision: 'allow', _csrf },
      { decision: 'approve', _csrf, _method: 'POST' },
    ]) {
      const url = `${page.url}?${new URLSearchParams(query)}`
      expect(isConsentPage(await agent.get(url))).toBe(true)
      const overridden = await agent.get(url, { 'x-http-method-override': 'POST' })
      expect(isConsentPage(overridden)).toBe(true)
      expect((await agent.request(url, { method: 'HEAD' })).status).toBe(200)
    }
    expect(codes()).toBe(0)
    expect(await host.oauth.grants.list()).toEqual([])
  })

  test('parameters in the query of a post are not read', async () => {
    const { agent, page } = await toConsent(host)
    const _csrf = inputValue(page, '_csrf')
    expect((await agent.post(`${page.url}?decision=approve`, { _csrf })).status).toBe(400)
    const query = new URLSearchParams({ _csrf })
    expect((await agent.post(`${page.url}?${query}`, { decision: 'approve' })).status).toBe(403)
    expect(codes()).toBe(0)
  })

  test('HDR-05 other methods are 405', async () => {
    const { agent, page } = await toConsent(host)
    for (const method of ['PUT', 'DELETE', 'PATCH']) {
      const answer = await agent.request(page.url, { method })
      expectErrorPage(answer, { status: 405 })
      expect(answer.headers.get('allow')).toBe('GET, HEAD, POST')
    }
  })
})

describe('a click from elsewhere', () => {
  /** Refused, nothing decided, and the request still waits for its user. */
  async function expectRefused(answer: Page, agent: Agent, page: Page): Promise<void> {
    expect(answer.status).toBe(403)
    expect(answer.location).toBeUndefined()
    expectPageHeaders(answer)
    expect(codes()).toBe(0)
    expect(await host.oauth.grants.list()).toEqual([])
    const again = await agent.get(page.url)
    expect(isConsentPage(again)).toBe(true)
    expectCode(host, await decide(agent, again, 'approve'))
  }

  test.each<[string, (token: string) => Record<string, string | readonly string[]>]>([
    ['without a token', () => ({})],
    ['with an empty token', () => ({ _csrf: '' })],
    ['with a random token', () => ({ _csrf: 'abcdefgh-0123456789abcdefghijklmnopq' })],
    ['with a token that was cut', (token) => ({ _csrf: token.slice(0, -1) })],
    ['with a token in another case', (token) => ({ _csrf: token.toUpperCase().toLowerCase() })],
    ['with two tokens', (token) => ({ _csrf: [token, token] })],
    ['with a nested token', (token) => ({ '_csrf[]': token })],
    [
      'with a token under another name',
      (token) => ({ csrf: token, csrfToken: token, authenticity_token: token }),
    ],
  ])('UI-04 %s is 403, decides nothing, and shows the page again', async (_, form) => {
    const { agent, page } = await toConsent(host)
    const answer = await agent.post(page.url, { ...form(inputValue(page, '_csrf')), decision: 'approve' })
    expect(answer.text).toContain('please decide again')
    await expectRefused(answer, agent, page)
  })

  test.each(['csrf-token', 'x-csrf-token', 'x-xsrf-token', 'xsrf-token'])(
    'UI-04 a token in the header %s does not count',
    async (header) => {
      const { agent, page } = await toConsent(host)
      const headers = { [header]: inputValue(page, '_csrf') }
      await expectRefused(await agent.post(page.url, { decision: 'approve' }, headers), agent, page)
    },
  )

  test('UI-04 the page that comes back works', async () => {
    const { agent, page } = await toConsent(host)
    const again = await agent.post(page.url, { decision: 'approve' })
    expectCode(host, await decide(agent, again, 'approve'))
  })

  test('UI-04 a token of another session is 403', async () => {
    const bob = await toConsent(host, { user: 'bob' })
    const { agent, page } = await toConsent(host)
    const _csrf = inputValue(bob.page, '_csrf')
    await expectRefused(await agent.post(page.url, { _csrf, decision: 'approve' }), agent, page)
  })

  test('UI-04 a token of a session that was destroyed is 403', async () => {
    const { agent, page } = await toConsent(host)
    await agent.post('/logout', {})
    const answer = await decide(agent, page, 'approve')
    expectErrorPage(answer, { status: 403, code: 'access_denied' })
    await agent.login('alice')
    await expectRefused(await decide(agent, page, 'approve'), agent, page)
  })

  test('UI-04 with the right token, but posted by another site, is 403', async () => {
    const { agent, page } = await toConsent(host)
    const _csrf = inputValue(page, '_csrf')
    const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
    await expectRefused(await agent.post(page.url, { _csrf, decision: 'approve' }, headers), agent, page)
  })

  test.each(['application/json', 'text/plain', 'multipart/form-data; boundary=x'])(
    'UI-04 a body of type %s decides nothing',
    async (type) => {
      const { agent, page } = await toConsent(host)
      const body = JSON.stringify({ _csrf: inputValue(page, '_csrf'), decision: 'approve' })
      const answer = await agent.request(page.url, {
        method: 'POST',
        headers: { 'content-type': type },
        body,
      })
      expectErrorPage(answer)
      expect(codes()).toBe(0)
    },
  )

  test("UI-05 a request that an attacker started is refused in the victim's browser, by GET and by POST", async () => {
    const attacker = new Agent(host)
    const location = (await attacker.get(authorizeUrl(host))).location ?? ''
    const url = host.origin + location.split('return_to=')[1]
    for (const victim of [new Agent(host), await signedIn(host, 'alice'), (await toConsent(host)).agent]) {
      expectErrorPage(await victim.get(url), { status: 403, code: 'access_denied' })
      const { page } = await toConsent(host, { agent: victim, params: { prompt: 'consent' } })
      const _csrf = page.text.match(/name="_csrf" value="([^"]*)"/)?.[1]
      const answer = await victim.post(url, { _csrf, decision: 'approve' })
      expectErrorPage(answer, { status: 403, code: 'access_denied' })
    }
    expect(codes()).toBe(0)
  })

  test("UI-05 a request of the victim is refused in the attacker's browser, even for the same user", async () => {
    const victim = await toConsent(host)
    for (const user of ['bob', 'alice']) {
      const attacker = await toConsent(host, { user, params: { prompt: 'consent' } })
      const { url } = victim.page
      expectErrorPage(await attacker.agent.get(url), { status: 403, code: 'access_denied' })
      const _csrf = inputValue(attacker.page, '_csrf')
      for (const decision of ['approve', 'deny'])
        expectErrorPage(await attacker.agent.post(url, { _csrf, decision }), {
          status: 403,
          code: 'access_denied',
        })
    }
    expect(codes()).toBe(0)
    expectCode(host, await decide(victim.agent, victim.page, 'approve'))
  })

  test('UI-05 after the decision, its answer is not for another browser either', async () => {
    const victim = await toConsent(host)
    await decide(victim.agent, victim.page, 'approve')
    const attacker = await signedIn(host, 'alice')
    const page = await attacker.get(victim.page.url)
    expectErrorPage(page, { status: 403, code: 'access_denied' })
    expect(page.text).not.toContain('code=')
  })

  test('UI-05 without its cookie even the browser that began it is another one', async () => {
    const { agent, page } = await toConsent(host)
    for (const name of [...agent.cookies.keys()]) if (name !== 'host') agent.cookies.delete(name)
    expectErrorPage(await agent.get(page.url), { status: 403, code: 'access_denied' })
    expectErrorPage(await decide(agent, page, 'approve'), { status: 403, code: 'access_denied' })
  })

  test('a click on a request whose page was never shown only shows it', async () => {
    const { agent, page } = await toConsent(host)
    const asked = await agent.get(authorizeUrl(host, { client: 'conf2' }))
    const blind = await agent.post(asked.location ?? '', {
      _csrf: inputValue(page, '_csrf'),
      decision: 'approve',
    })
    expect(blind.location).toBeUndefined()
    expect(blind.text).toContain('Confidential Two')
    expect(codes()).toBe(0)
  })
})

describe('something changes between the page and the click', () => {
  let current: string | undefined
  let other: Host
  beforeEach(async () => {
    current = 'alice'
    other = await start({ provider: { store: db, currentUser: () => current } })
  })

  test('somebody else is signed in: nothing is decided, and they are asked for themselves', async () => {
    const { agent, page } = await toConsent(other, { agent: new Agent(other) })
    current = 'bob'
    const again = await decide(agent, page, 'approve')
    expect(isConsentPage(again)).toBe(true)
    expect(again.text).toContain('signed in as somebody else')
    expect(again.text).toContain('bob@host.example')
    expect(codes()).toBe(0)
    const code = expectCode(other, await decide(agent, again, 'approve'))
    const tokens = await redeem(other, code)
    expect((await callApi(other, '/api/read', tokens.body.access_token)).body.userId).toBe('bob')
    expect((await other.oauth.grants.list()).map(({ userId }) => userId)).toEqual(['bob'])
  })

  test("somebody else is signed in: their click on Deny is not the first user's either", async () => {
    const { agent, page } = await toConsent(other, { agent: new Agent(other) })
    current = 'bob'
    expect(isConsentPage(await decide(agent, page, 'deny'))).toBe(true)
    expect(other.events.filter(({ name }) => name === 'consent.denied')).toEqual([])
  })

  test('the user signs out: the click leads to the login, and decides nothing', async () => {
    const { agent, page } = await toConsent(other, { agent: new Agent(other) })
    current = undefined
    const answer = await decide(agent, page, 'approve')
    expect(answer.status).toBe(303)
    expect(answer.location).toBe(`${other.origin}/login?return_to=${new URL(page.url).pathname}`)
    expect(codes()).toBe(0)
    current = 'alice'
    expectCode(other, await decide(agent, await agent.get(page.url), 'approve'))
  })

  test('UI-17 the account is closed: access_denied, and no code is left behind', async () => {
    const { agent, page } = await toConsent(other, { agent: new Agent(other) })
    other.users.delete('alice')
    expectErrorRedirect(other, await decide(agent, page, 'approve'), 'access_denied')
    expectErrorRedirect(other, await decide(agent, page, 'approve'), 'access_denied')
    expect(codes()).toBe(0)
    expect(await other.oauth.grants.list()).toEqual([])
  })

  test('UI-17 the account is closed after the click: the code is invalid_grant', async () => {
    const { agent, page } = await toConsent(other, { agent: new Agent(other) })
    const code = expectCode(other, await decide(agent, page, 'approve'))
    other.users.delete('alice')
    const { status, body } = await redeem(other, code)
    expect([status, body.error]).toEqual([400, 'invalid_grant'])
  })

  test('the same was approved in another tab: Deny still denies this request, Approve approves it', async () => {
    const agent = new Agent(other)
    const [one, two, three] = [
      await agent.follow(authorizeUrl(other)),
      await agent.follow(authorizeUrl(other)),
      await agent.follow(authorizeUrl(other)),
    ]
    expectCode(other, await decide(agent, one, 'approve'))
    expectErrorRedirect(other, await decide(agent, two, 'deny'), 'access_denied')
    expectCode(other, await decide(agent, three, 'approve'))
    expect((await other.oauth.grants.list()).length).toBe(1)
  })

  test('the host has no session: the page says so, and the event how to mend it', async () => {
    const bare = await start({
      session: (_req, _res, next) => next(),
      provider: { currentUser: () => 'alice' },
    })
    const page = await new Agent(bare).follow(authorizeUrl(bare))
    expectErrorPage(page, { status: 500, code: 'server_error' })
    const event = bare.events.find(({ name }) => name === 'server.error')?.event
    expect(String(event?.error)).toContain('express-session')
  })
})

test('UI-14 every redirect on the way is 303', async () => {
  const agent = new Agent(host)
  const statuses: number[] = []
  const keep = (page: Page): Page => {
    statuses.push(page.status)
    return page
  }
  keep(
    await agent.post(
      `${host.issuer}/authorize`,
      Object.fromEntries(new URL(authorizeUrl(host)).searchParams),
    ),
  )
  const path = keep(await agent.get(authorizeUrl(host))).location?.split('return_to=')[1] ?? ''
  keep(await agent.get(path))
  const page = await agent.login('alice', path)
  keep(await decide(agent, page, 'approve'))
  keep(await agent.get(authorizeUrl(host)))
  const denied = await agent.follow(authorizeUrl(host, { params: { prompt: 'consent' } }))
  keep(await decide(agent, denied, 'deny'))
  keep(await agent.get(authorizeUrl(host, { params: { scope: 'nope' } })))
  expect(new Set(statuses)).toEqual(new Set([303]))
})

test("events tell of the decision, and never hold the code, the state or the request's id", async () => {
  const { agent, page } = await toConsent(host, { params: { state: 'my-private-state' } })
  const code = expectCode(host, await decide(agent, page, 'approve'), { state: 'my-private-state' })
  expect(host.events.map(({ name }) => name)).toEqual(['consent.approved', 'code.issued'])
  expect(host.events[0]?.event).toEqual({
    clientId: 'conf',
    userId: 'alice',
    grantId: expect.any(String),
    scopes: ['read'],
    first: true,
  })
  const told = JSON.stringify(host.events)
  for (const secret of [
    code,
    'my-private-state',
    new URL(page.url).pathname.split('/').at(-1) ?? '',
    inputValue(page, '_csrf'),
  ])
    expect(told).not.toContain(secret)
})

test('CODE-10 nothing that a browser or client holds lies readable in the store', async () => {
  const { agent, page } = await toConsent(host)
  const code = expectCode(host, await decide(agent, page, 'approve'))
  const rows = JSON.stringify(db.prepare('SELECT * FROM oauth_records').all())
  expect(rows).toContain('conf')
  for (const secret of [
    code,
    new URL(page.url).pathname.split('/').at(-1) ?? '',
    ...[...agent.cookies.values()].map(({ value }) => value),
  ])
    expect(rows).not.toContain(secret)
})

describe('RACE-04 twenty clicks that have all found the request undecided', () => {
  const COUNT = 20

  /** A store at whose `consume` everybody waits until all are there; then those go first who decide so. */
  async function meeting(first: 'approve' | 'deny' = 'approve'): Promise<Host> {
    const store = openStore(db, Date.now)
    const waiting: { decision: 'approve' | 'deny'; go: () => void }[] = []
    const consume: Store['consume'] = async (id, consumption, successors) => {
      await new Promise<void>((go) => {
        waiting.push({ decision: successors.length > 0 ? 'approve' : 'deny', go })
        if (waiting.length < COUNT) return
        waiting.sort((a, b) => Number(b.decision === first) - Number(a.decision === first))
        for (const { go } of waiting) go()
      })
      return store.consume(id, consumption, successors)
    }
    const bound = Object.fromEntries(
      Object.getOwnPropertyNames(SqliteStore.prototype).map((name) => [
        name,
        (store[name as keyof Store] as () => unknown).bind(store),
      ]),
    )
    return start({ provider: { store: { ...bound, consume } as unknown as Store } })
  }

  test('to approve get the very same redirect, and there is one code and one grant', async () => {
    const other = await meeting()
    const { agent, page } = await toConsent(other)
    const answers = await Promise.all(Array.from({ length: COUNT }, () => decide(agent, page, 'approve')))
    expect(new Set(answers.map(({ status, location }) => `${status} ${location}`)).size).toBe(1)
    expect(codes()).toBe(1)
    expect(await other.oauth.grants.list()).toHaveLength(1)
    expect(other.events.map(({ name }) => name)).toEqual(['consent.approved', 'code.issued'])
    const code = expectCode(other, answers[0] as Page)
    expect(db.prepare('SELECT count(*) FROM oauth_records WHERE used_at IS NOT NULL').pluck().get()).toBe(1)
    expect(code).toMatch(/./)
  })

  test.each([
    ['approve', 'approved'],
    ['deny', 'denied'],
  ] as const)(
    'to approve and to deny have one outcome: where %s is first, it is %s, and nothing else is kept',
    async (first, outcome) => {
      const other = await meeting(first)
      const { agent, page } = await toConsent(other)
      const answers = await Promise.all(
        Array.from({ length: COUNT }, (_, at) => decide(agent, page, at % 2 ? 'approve' : 'deny')),
      )
      expect(new Set(answers.map(({ location }) => location)).size).toBe(1)
      const approved = outcome === 'approved'
      if (approved) expectCode(other, answers[0] as Page)
      else expectErrorRedirect(other, answers[0] as Page, 'access_denied')
      expect(codes()).toBe(approved ? 1 : 0)
      expect(await other.oauth.grants.list()).toHaveLength(approved ? 1 : 0)
      const next = await agent.follow(authorizeUrl(other))
      expect(isConsentPage(next)).toBe(!approved)
      const decisions = other.events.filter(({ name }) => name.startsWith('consent.'))
      expect(decisions.map(({ name }) => name)).toEqual([`consent.${outcome}`])
    },
  )
})

test.each(['http://127.0.0.1:51004/cb', 'com.example.app:/cb'])(
  'UI-07 after Approve, a reload leads on to %s again: to a site or a program by itself, to an app by a tap',
  async (redirect_uri) => {
    const { agent, page } = await toConsent(host, { client: 'nat', params: { redirect_uri } })
    const approved = await decide(agent, page, 'approve')
    const reloaded = await agent.get(page.url)
    expect(reloaded.status).toBe(200)
    expect(reloaded.location).toBeUndefined()
    const link = approved.location?.replaceAll('&', '&amp;')
    expect(reloaded.text).toContain(`href="${link}"`)
    expect(reloaded.text.includes('http-equiv="refresh"')).toBe(redirect_uri.startsWith('http:'))
  },
)
