import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import SQLite from 'better-sqlite3'
import { RequestSpeech } from '../lib/http/languages.js'
import { textsByLanguage } from '../lib/http/texts.js'
import type { PageLocals, PageName } from '../lib/index.js'
import { localesIn } from '../lib/locales.js'
import { loadCatalogues } from '../lib/messages.js'
import { Agent, inputValue, type Page } from './support/agent.js'
import { clients } from './support/clients.js'
import { deviceClients, startDevice } from './support/devices.js'
import { fetch } from './support/fetch.js'
import { authorizeUrl, decide, getTokens, signedIn, toConsent } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import { postPar, pushed, visitUrl } from './support/pushed.js'
import { requestObject, signedUrl } from './support/request-objects.js'

const RTL = { 'accept-language': 'ar' }
const EVIL = `"><svg onload=alert(1)>{app}$&{{7*7}}<%=7*7%>`
const GERMAN_ERROR = 'Die Anwendung hat nicht gesagt, wer sie ist'

let host: Host
let asked: { language: string }[]

beforeAll(async () => {
  host = await startHost({
    provider: {
      clients: [
        ...deviceClients,
        {
          client_id: 'conf',
          client_secret: 'conf-secret',
          client_name: 'Confidential',
          policy_uri: 'https://rp.example/privacy',
          ...({
            'client_name#de': 'Vertraulich',
            'client_name#de-AT': 'Vertraulich aus Wien',
            'client_name#ja': '秘密',
            'policy_uri#de': 'https://rp.example/datenschutz',
          } as object),
          post_logout_redirect_uris: ['https://rp.example/out'],
          redirect_uris: ['https://rp.example/cb'],
          authorization_details_types: ['payment', 'fixed'],
        },
        {
          client_id: 'evil',
          client_name: EVIL,
          client_secret: 'evil-secret',
          redirect_uris: ['https://evil.example/cb'],
        },
        ...clients.filter(({ client_id }) => client_id === 'pkj'),
      ],
      scopes: { read: 'Read your things', write: 'Change your things' },
      authorizationDetails: {
        fixed: { schema: {}, description: 'Pay once' },
        payment: {
          schema: { properties: { amount: { type: 'string' } } },
          description: ({ amount }, context) => {
            asked.push(context)
            return `${context.language}: ${amount}`
          },
        },
      },
      messages: {
        de: { 'scope.read': 'Ihre Sachen lesen', 'details.fixed': 'Einmal zahlen' },
        es: { 'logout.heading': '<b>¿{app}?</b> $& &amp;' },
      },
      logout: (req) =>
        new Promise((resolve) =>
          (req as { session: { destroy(done: unknown): void } }).session.destroy(resolve),
        ),
    },
  })
})
beforeEach(() => {
  asked = []
  host.events.length = 0
})
afterAll(() => host.close())

function expectLanguage(page: Page, language: string, status = 200): void {
  const dir = language === 'ar' ? 'rtl' : 'ltr'
  expect([page.status, page.headers.get('content-language')]).toEqual([status, language])
  expect(page.text).toMatch(new RegExp(`<html lang="${language}" dir="${dir}">`))
}

/** A page that anybody gets. */
function errorPage(query: string, headers: Record<string, string> = {}): Promise<Page> {
  return new Agent(host).get(`${host.issuer}/authorize${query}`, headers)
}

describe('the language of a page', () => {
  test.each([
    ['nothing', '', undefined, 'en'],
    ['the browser', '', 'fr', 'fr'],
    ['ui_locales, before the browser', '?ui_locales=de', 'fr', 'de'],
    ['the first that is there', '?ui_locales=ja+tlh+es+de', undefined, 'es'],
    ['the browser, where ui_locales has none', '?ui_locales=ja', 'fr', 'fr'],
    ['a region', '', 'de-AT', 'de'],
    ['a region in any case', '?ui_locales=FR-ca', undefined, 'fr'],
    ['a script and a region', '?ui_locales=ar-Arab-EG', undefined, 'ar'],
    ['the order of the browser', '', 'ja, es, de', 'es'],
    ['weights', '', 'de;q=0.5, es;q=0.9, fr;q=0.8', 'es'],
    ['a weight in capitals, with spaces', '', 'de ; Q=0.1 , fr ; q=0.2', 'fr'],
    ['no weight, which is 1', '', 'de;q=0.9, fr', 'fr'],
    ['a weight of 0, which is no', '', 'de;q=0, fr;q=0.1', 'fr'],
    ['no language whose weight is 0', '', 'de;q=0', 'en'],
    ['a weight that is none', '', 'de;q=NaN, es;q=9, ar;q=Infinity, fr;q=0.1', 'fr'],
    ['an asterisk', '', '*', 'en'],
    ['an asterisk behind', '', 'ja, *;q=0.5', 'en'],
    ['English, though another one follows', '', 'en-US,en;q=0.9,de;q=0.8', 'en'],
    ['none that is there', '', 'ja, tlh', 'en'],
    ['what is no tag', '?ui_locales=../../etc/passwd', '<script>', 'en'],
    ['a name of Object.prototype', '?ui_locales=constructor+__proto__', 'toString', 'en'],
    ['ui_locales twice', '?ui_locales=de&ui_locales=fr', 'es', 'de'],
    ['ui_locales that is empty', '?ui_locales=', 'es', 'es'],
    ['an extension', '', 'de-u-ca-buddhist', 'de'],
  ])('follows %s', async (_, query, header, language) => {
    const page = await errorPage(query, header === undefined ? {} : { 'accept-language': header })
    expectLanguage(page, language, 400)
  })

  test('is never decided by more than the beginning of what was sent', async () => {
    for (const header of [
      'de,'.repeat(3000),
      `${'x'.repeat(9000)},de`,
      'de;'.repeat(3000),
      ' '.repeat(9000),
    ]) {
      const page = await errorPage('', { 'accept-language': header })
      expect([200, 400, 431]).toContain(page.status)
    }
    const long = `?ui_locales=${'ja+'.repeat(2000)}de`
    expectLanguage(await errorPage(long), 'en', 400)
    expectLanguage(await errorPage(`?ui_locales=${'ja+'.repeat(20)}de`), 'en', 400)
    expectLanguage(await errorPage(`?ui_locales=${'ja+'.repeat(19)}de`), 'de', 400)
  })

  test('takes a header of 64 KB in no time, where Node is told to let one in', () => {
    const catalogues = loadCatalogues({})
    const speech = (header: string) =>
      new RequestSpeech(catalogues, { headers: { 'accept-language': header }, url: '/' } as never)
    expect(speech(`${'a-'.repeat(32_000)},de`).language).toBe('en')
    expect(speech('de;q=0.1,'.repeat(8000)).language).toBe('de')
    expect(speech(`fr${',x'.repeat(32_000)}`).language).toBe('fr')
    expect(speech(`de${';q=1'.repeat(16_000)}`).tags).toEqual(['de'])
  })

  test('is the one that a request has last been found to name, however many there are', () => {
    const speech = new RequestSpeech(loadCatalogues({}), { headers: {}, url: '/?ui_locales=es' } as never)
    expect(speech.language).toBe('es')
    speech.prefer(localesIn('ja <svg> fr-CA'))
    expect([speech.language, speech.tags, speech.named]).toEqual([
      'fr',
      ['fr-CA', 'fr'],
      ['ja', 'fr-CA', 'es'],
    ])
    speech.prefer(Array.from({ length: 100 }, (_, index) => `x-${index}`))
    expect(speech.named).toHaveLength(20)
  })

  test('is not looked for where nothing is shown', () => {
    const unread = {
      get headers(): never {
        throw new Error('read')
      },
      get url(): never {
        throw new Error('read')
      },
    }
    const speech = new RequestSpeech(loadCatalogues({}), unread as never)
    speech.prefer(['de'])
    expect(() => speech.language).toThrow('read')
  })

  test('is told to nobody who keeps pages: they are not kept', async () => {
    const page = await errorPage('?ui_locales=de')
    expect(page.headers.get('cache-control')).toBe('no-store')
  })
})

describe('error pages', () => {
  test('say heading, message, hint, labels and the way on in the language of the page; events and JSON are English', async () => {
    const page = await errorPage('?ui_locales=de&client_id=nobody')
    expectLanguage(page, 'de', 400)
    for (const text of [
      'Diese Anwendung ist hier nicht bekannt',
      'Ihre client_id ist auf diesem Server nicht registriert.',
      'Entfernen Sie die Verbindung in der Anwendung',
      'client_id in der Anfrage',
      'Fehler <code><bdi>invalid_request</bdi></code>',
      'Referenz <code>',
    ])
      expect(page.text).toContain(text)
    expect(host.events.at(-1)?.event).toMatchObject({ error: 'invalid_request', reason: 'client_unknown' })
    const answer = await fetch(`${host.issuer}/token`, {
      method: 'POST',
      headers: { 'accept-language': 'de', 'content-type': 'text/plain' },
      body: 'x',
    })
    expect(((await answer.json()) as { error_description: string }).error_description).toBe(
      'Send the parameters in the body as application/x-www-form-urlencoded.',
    )
    expect(answer.headers.get('content-language')).toBeNull()
  })

  test('list what differs as the language lists things', async () => {
    const redirect = 'http://rp.example/other?x'
    const query = `?client_id=conf&redirect_uri=${encodeURIComponent(redirect)}&ui_locales=`
    expect((await errorPage(`${query}en`)).text).toContain('in: the scheme, the path, the query.')
    expect((await errorPage(`${query}de`)).text).toContain('das Schema, der Pfad und die Query.')
    expect((await errorPage(`${query}ar`)).text).toContain('البروتوكول، والمسار، وسلسلة الاستعلام')
  })

  test('of a wrong method, a wrong body, too many parameters and a session that is missing too', async () => {
    const agent = new Agent(host)
    const de = { 'accept-language': 'de' }
    const put = await agent.request(`${host.issuer}/authorize`, { method: 'PUT', headers: de })
    expectLanguage(put, 'de', 405)
    expect(put.text).toContain('Diese Anfrage kann nicht fortgesetzt werden')
    expect(put.text).toContain('Diese Seite kann auf diese Weise nicht aufgerufen werden.')
    const text = await agent.request(`${host.issuer}/authorize`, { method: 'POST', headers: de, body: 'x' })
    expect(text.text).toContain('Die Parameter müssen im Rumpf')
    const many = await agent.get(`${host.issuer}/authorize?${'a=1&'.repeat(300)}`, de)
    expect(many.text).toContain('Eine Anfrage darf höchstens 256 Parameter haben.')
    const without = await startHost({ session: (_req, _res, next) => next() })
    const page = await new Agent(without).get(`${without.issuer}/logout`, de)
    await without.close()
    expectLanguage(page, 'de', 500)
    expect(page.text).toContain('Hier ist etwas schiefgegangen')
    expect(page.text).toContain('Diese Seite braucht eine Sitzung')
  })

  test('of a store that fails say so in the language of the page', async () => {
    const store = new SQLite(':memory:')
    const other = await startHost({ provider: { store } })
    store.exec('DROP TABLE oauth_clients')
    const page = await new Agent(other).get(
      `${authorizeUrl(other, { params: { client_id: 'x' } })}&ui_locales=fr`,
    )
    await other.close()
    store.close()
    expectLanguage(page, 'fr', 503)
    expect(page.text).toContain('Le serveur est occupé.')
  })

  test('tell who signs a request what is wrong with it in English, on a page in any language', async () => {
    const query = '?client_id=pkj&request=x&ui_locales='
    const english = await errorPage(`${query}en`)
    const german = await errorPage(`${query}de`)
    const problem = 'request is not a signed JWT: three parts of base64url'
    expect(english.text).toContain(problem)
    expect(german.text).toMatch(/Was nicht stimmt[\s\S]*<code dir="ltr">request is not a signed JWT/)
    expect(german.text).toContain('Ihre Anfrage ist nicht so signiert, wie sie es sein muss.')
    const { body } = await postPar(host, { request: 'x' }, { headers: { 'accept-language': 'de' } })
    expect(body.error_description).toContain(problem)
  })
})

describe('an authorization request', () => {
  const de = { ui_locales: 'de-AT de', scope: 'openid read write' }

  test('keeps its language through the login to the consent page, whatever the browser says', async () => {
    const agent = new Agent(host)
    const start = await agent.get(authorizeUrl(host, { params: { ...de, scope: 'openid email read write' } }))
    const page = await agent.login('alice', new URL(start.location ?? '').searchParams.get('return_to') ?? '')
    expectLanguage(page, 'de')
    expect(page.text).toContain('<title>Vertraulich aus Wien verbinden – ')
    for (const text of ['Sie mit diesem Konto anmelden', 'Ihre E-Mail-Adresse sehen', 'Ihre Sachen lesen'])
      expect(page.text).toContain(`<bdi>${text}</bdi>`)
    // The host has said this one in the option only.
    expect(page.text).toContain('<bdi>Change your things</bdi>')
    expect(page.text).toContain('Die Anwendung möchte')
    expect(page.text).toContain('href="https://rp.example/datenschutz"')
    expect(page.text).not.toMatch(/Sign you in|>Deny<|Not you/)
  })

  test('keeps it on the page that is shown again, on its errors and where it is answered', async () => {
    const { agent, page } = await toConsent(host, { params: { ...de, response_mode: 'form_post' } })
    const again = await decide(agent, page, 'approve', { decision: 'maybe' })
    expectLanguage(again, 'de', 400)
    const expired = await decide(agent, page, 'approve', { _csrf: 'x' })
    expectLanguage(expired, 'de', 403)
    const answered = await decide(agent, page, 'approve')
    expectLanguage(answered, 'de')
    expect(answered.text).toContain('<title>Zurück zu Vertraulich aus Wien – ')
    expect(answered.text).toContain(
      'Drücken Sie „Weiter“, um bei <bdi class="name" dir="ltr">rp.example</bdi> fortzufahren.',
    )
    await agent.login('bob')
    const late = await agent.get(page.url)
    expectLanguage(late, 'de', 400)
    expect(late.text).toContain('Sie haben schon geantwortet')
    expect(late.text).toContain('Zu rp.example gehen')
  })

  test('that asks for nothing gets the language of the browser on every page of it', async () => {
    const { page, agent } = await toConsent(host, { params: { prompt: 'consent' } })
    expectLanguage(page, 'en')
    expect(page.text).toContain('<title>Connect Confidential – ')
    const arabic = await agent.get(page.url, RTL)
    expectLanguage(arabic, 'ar')
    // There is no name of the client in Arabic.
    expect(arabic.text).toContain('<bdi>Confidential</bdi>')
  })

  test('that wants a language of the client that the page does not have gets one language throughout', async () => {
    const { page } = await toConsent(host, { params: { ui_locales: 'ja', prompt: 'consent' } })
    expectLanguage(page, 'en')
    expect(page.text).not.toContain('秘密')
  })

  test('carries its language inside where it is signed or pushed', async () => {
    const agent = await signedIn(host, 'alice')
    const signed = requestObject(host, { params: { ui_locales: 'es' } })
    expectLanguage(await agent.follow(signedUrl(host, signed, { params: { ui_locales: 'fr' } })), 'es')
    const requestUri = await pushed(host, { params: { ui_locales: 'fr', prompt: 'consent' } })
    expectLanguage(await agent.follow(visitUrl(host, requestUri)), 'fr')
  })

  test('that is signed and wrong is answered in its own language', async () => {
    const params = { ui_locales: 'es', response_mode: 'form_post', scope: 'nonsense' }
    const signed = requestObject(host, { params })
    expectLanguage(await new Agent(host).get(signedUrl(host, signed)), 'es')
  })

  test('goes on to the client in its language after a login that ends in remembered consent', async () => {
    const { agent } = await getTokens(host)
    agent.cookies.delete('host')
    const start = await agent.get(authorizeUrl(host, { params: { ui_locales: 'fr' } }))
    const page = await agent.login('alice', new URL(start.location ?? '').searchParams.get('return_to') ?? '')
    expectLanguage(page, 'fr')
    expect(page.text).toContain('Vous avez terminé ici. Continuez sur ')
  })

  test('shows what it asks for in detail as the host says it in that language', async () => {
    const authorization_details = JSON.stringify([{ type: 'payment', amount: '5' }, { type: 'fixed' }])
    const german = await toConsent(host, { params: { ...de, authorization_details } })
    expect(german.page.text).toContain('<bdi>de: 5</bdi>')
    expect(german.page.text).toContain('<bdi>Einmal zahlen</bdi>')
    expect(asked).toEqual([{ language: 'de' }])
    const french = await toConsent(host, { params: { ui_locales: 'fr', authorization_details } })
    expect(french.page.text).toContain('<bdi>fr: 5</bdi>')
    expect(french.page.text).toContain('<bdi>Pay once</bdi>')
  })

  test('shows standard claims in that language', async () => {
    const claims = JSON.stringify({ userinfo: { birthdate: null } })
    const { page } = await toConsent(host, { params: { ...de, scope: 'openid', claims } })
    expect(page.text).toContain('<bdi>Ihr Geburtsdatum</bdi>')
    expect(page.text).toContain('Die Anwendung möchte erfahren')
  })

  test('INJ-01 INJ-04 has names shown as text in every language, and no place of a text in them is filled', async () => {
    for (const ui_locales of ['en', 'de', 'fr', 'es', 'ar']) {
      const params = { ui_locales, redirect_uri: 'https://evil.example/cb' }
      const { page, agent } = await toConsent(host, { client: 'evil', params })
      const posted = await toConsent(host, {
        ...{ client: 'evil', agent },
        params: { ...params, response_mode: 'form_post', prompt: 'none' },
      })
      for (const { text } of [page, posted.page]) {
        expect(text).toContain('&#34;&gt;&lt;svg onload=alert(1)&gt;{app}$&amp;{{7*7}}&lt;%=7*7%&gt;')
        expect(text).not.toMatch(/<svg|\b49\b|<%=/)
      }
    }
  })
})

describe('the page for devices', () => {
  test('keeps the language that its address names, from page to page', async () => {
    const agent = await signedIn(host, 'alice')
    const { user_code, verification_uri } = await startDevice(host, { client: 'box' })
    const enter = await agent.get(`${verification_uri}?ui_locales=tlh+ar`)
    expectLanguage(enter, 'ar')
    const action = /action="([^"]+)"/.exec(enter.text)?.[1] ?? ''
    expect(action).toBe('/oauth/device?ui_locales=tlh+ar')
    const _csrf = inputValue(enter, '_csrf')
    const wrong = await agent.post(action, { _csrf, user_code: 'x' })
    expectLanguage(wrong, 'ar', 400)
    expect(wrong.text).toContain('هذا ليس رمزًا')
    const ask = await agent.post(action, { _csrf, user_code })
    expectLanguage(ask, 'ar')
    expect(ask.text).toContain('<bdi class="letters" dir="ltr">')
    const decided = await agent.post(action, { _csrf, user_code, decision: 'approve' })
    const done = await agent.get(decided.location ?? '')
    expectLanguage(done, 'ar')
    expect(done.text).toContain('عُد إلى جهازك')
  })

  test('speaks the language of the browser otherwise, and its addresses stay short', async () => {
    const agent = await signedIn(host, 'alice')
    const page = await agent.get(`${host.issuer}/device?ui_locales=%22%3E%3Csvg%3E`, {
      'accept-language': 'de',
    })
    expectLanguage(page, 'de')
    expect(page.text).toContain('action="/oauth/device"')
    expect(page.text).toContain('Geben Sie nur einen Code ein, den Sie von einem eigenen Gerät ablesen.')
  })

  test('says when to try again after too many wrong codes as the language says it', async () => {
    const agent = await signedIn(host, 'bob')
    const page = await agent.get(`${host.issuer}/device?ui_locales=de`)
    const form = { _csrf: inputValue(page, '_csrf'), user_code: 'BBBB-BBBB' }
    let last = page
    for (let tries = 0; tries < 6; tries++) last = await agent.post('/oauth/device?ui_locales=de', form)
    expectLanguage(last, 'de', 429)
    expect(last.text).toMatch(/Versuchen Sie es in \d\d Minuten noch einmal\./)
    const english = await agent.post('/oauth/device', form)
    expect(english.text).toMatch(/Try again in \d\d minutes\./)
  })
})

describe('signing out', () => {
  test('asks and answers in the language that the request names, also when it is posted', async () => {
    const agent = await signedIn(host, 'alice')
    const ask = await agent.get(`${host.issuer}/logout?ui_locales=de&client_id=conf`)
    expectLanguage(ask, 'de')
    expect(ask.text).toContain('<bdi class="name">Vertraulich</bdi> bittet darum.')
    const form = { _csrf: inputValue(ask, '_csrf'), ui_locales: 'de', client_id: 'conf' }
    const kept = await agent.post('/oauth/logout', { ...form, decision: 'deny' })
    expectLanguage(kept, 'de')
    expect(kept.text).toContain('<bdi class="name">Vertraulich</bdi> hat nichts erfahren.')
    const out = await agent.post('/oauth/logout', { ...form, decision: 'approve' })
    expectLanguage(out, 'de')
    expect(out.text).toContain('Sie sind abgemeldet')
  })

  test('is refused in it too, with a way on', async () => {
    const page = await new Agent(host).get(`${host.issuer}/logout?ui_locales=fr&id_token_hint=x`)
    expectLanguage(page, 'fr', 400)
    expect(page.text).toContain('Se déconnecter quand même')
  })

  test('a text of the host with HTML and $& in it is text', async () => {
    const agent = await signedIn(host, 'alice')
    const page = await agent.get(`${host.issuer}/logout?ui_locales=es`)
    const { host: app } = new URL(host.origin)
    expect(page.text).toContain(`&lt;b&gt;¿<bdi>${app}</bdi>?&lt;/b&gt; $&amp; &amp;amp;`)
  })
})

describe('what templates speak with', () => {
  const { locals, of, resolve } = textsByLanguage(
    loadCatalogues({ messages: { en: { 'logout.told_many': '<i>{count}</i> "x"' } } }),
  )('en')
  const arabic = textsByLanguage(loadCatalogues({}))('ar')

  test('th escapes the text and every value, each in an element of its own, filled once', () => {
    expect(locals.th('logout.told_many', { count: '<b>{count}$&' })).toBe(
      '&lt;i&gt;<bdi>&lt;b&gt;{count}$&amp;</bdi>&lt;/i&gt; &#34;x&#34;',
    )
    expect(locals.th('logout.back', { app: { text: '<', class: '"', dir: 'ltr' } })).toBe(
      'Back to <bdi class="&#34;" dir="ltr">&lt;</bdi>',
    )
    expect(locals.th('logout.back', { app: { strong: '<' } })).toBe('Back to <strong>&lt;</strong>')
    expect(locals.th('logout.back', { app: { html: '<i>x</i>' } })).toBe('Back to <i>x</i>')
    expect(locals.th('logout.back', {})).toBe('Back to {app}')
    expect(locals.th('logout.back', { constructor: 'x' } as never)).toBe('Back to {app}')
  })

  test('th makes links to paths and to http and https, and of nothing else', () => {
    const link = (href: string) =>
      locals.th('logout.back', { app: { href, text: 'x"<', newTab: href === '/new' } })
    expect(link('/a?b=1&c="')).toBe('Back to <a href="/a?b=1&amp;c=&#34;">x&#34;&lt;</a>')
    expect(link('/new')).toBe(
      'Back to <a href="/new" rel="noopener noreferrer" target="_blank">x&#34;&lt;</a>',
    )
    expect(link('https://rp.example/')).toContain('<a href="https://rp.example/">')
    for (const href of [
      'javascript:alert(1)',
      ' javascript:alert(1)',
      '//evil.example',
      '/\\evil.example',
      'data:text/html,x',
      '',
    ])
      expect(link(href)).toBe('Back to <bdi>x&#34;&lt;</bdi>')
  })

  test('t and titles set values apart where their direction may differ from the text', () => {
    expect(locals.t('logout.back', { app: 'Photos' })).toBe('Back to Photos')
    expect(locals.t('logout.back', { app: 'صور' })).toBe('Back to \u2068صور\u2069')
    // No character of a value ends what sets it apart.
    expect(locals.t('logout.back', { app: 'a\u202e\u2069b' })).toBe('Back to \u2068ab\u2069')
    expect(arabic.of({ key: 'logout.back', values: { app: 'Photos' } })).toBe('العودة إلى \u2068Photos\u2069')
    expect(of('plain {app}')).toBe('plain {app}')
  })

  test('day writes a day as the language does', () => {
    const date = new Date('2026-03-05T23:30:00Z')
    expect(locals.day(date)).toBe('5 March 2026')
    expect(textsByLanguage(loadCatalogues({}))('de').locals.day(date)).toBe('5. März 2026')
    expect(arabic.locals.day(date)).toContain('مارس')
    const klingon = textsByLanguage(loadCatalogues({ messages: { tlh: {} } }))('tlh')
    expect(klingon.locals.day(date)).toContain('2026')
  })

  test('texts are found in locals however deep, and what only looks like one is left alone', () => {
    const date = new Date()
    const text = { key: 'device.deny' }
    const given = { a: [{ b: text }], date, own: { key: 'x' }, more: { ...text, other: 1 }, none: null, n: 5 }
    expect(resolve(given)).toEqual({ ...given, a: [{ b: 'Deny' }] })
    expect(resolve({ a: { key: 'scope.mine', otherwise: 'Mine' } })).toEqual({ a: 'Mine' })
  })
})

describe('pages of the host', () => {
  test('get every text as a string in the language of the page, and what they can speak with', async () => {
    const seen: [PageName, PageLocals][] = []
    const other = await startHost({
      provider: {
        render(page, locals) {
          seen.push([page, locals])
          return 'mine'
        },
      },
    })
    await toConsent(other, { params: { ui_locales: 'de', scope: 'openid read' } })
    const agent = new Agent(other)
    await agent.get(`${other.issuer}/authorize?client_id=x&ui_locales=ar`)
    await other.close()
    const locals = Object.fromEntries(seen)
    expect(locals.consent).toMatchObject({ lang: 'de', dir: 'ltr', title: 'Confidential verbinden' })
    expect(
      (locals.consent as { newScopes: { description: string }[] } & PageLocals).newScopes.map(
        ({ description }) => description,
      ),
    ).toEqual(['Sie mit diesem Konto anmelden', 'Read your things'])
    expect(locals.error).toMatchObject({
      ...{ lang: 'ar', dir: 'rtl', title: 'هذا التطبيق غير معروف هنا', heading: 'هذا التطبيق غير معروف هنا' },
      details: [{ label: '\u2068client_id\u2069 في الطلب', value: 'x' }],
    })
    const { t, th, day } = locals.error as unknown as {
      t: CallableFunction
      th: CallableFunction
      day: CallableFunction
    }
    expect([t('device.deny'), th('device.deny'), day(new Date(0))]).toEqual([
      'رفض',
      'رفض',
      expect.stringContaining('يناير'),
    ])
  })

  test('in the folder templates say heading and message as ever, and may use t', async () => {
    const templates = mkdtempSync(path.join(tmpdir(), 'oauth-languages-'))
    writeFileSync(
      path.join(templates, 'error.ejs'),
      "<h6><%= heading %></h6><%= t('device.deny') %> <%= lang %>",
    )
    const other = await startHost({ provider: { templates } })
    const page = await new Agent(other).get(`${other.issuer}/authorize?ui_locales=de`)
    await other.close()
    expect(page.text).toContain(`<h6>${GERMAN_ERROR}</h6>Ablehnen de`)
  })

  test('a language that is turned off is neither offered nor spoken, and one that was added is', async () => {
    const messages = { de: false, he: { 'error.client_id_missing.heading': 'מי זה' } } as const
    const other = await startHost({ provider: { messages } })
    const metadata = await fetch(`${other.issuer}/.well-known/openid-configuration`)
    const german = await new Agent(other).get(`${other.issuer}/authorize?ui_locales=de`)
    const hebrew = await new Agent(other).get(`${other.issuer}/authorize?ui_locales=he-IL`)
    await other.close()
    expect(((await metadata.json()) as { ui_locales_supported: string[] }).ui_locales_supported).toEqual([
      ...['en', 'ar', 'es', 'fr', 'he'],
    ])
    expectLanguage(german, 'en', 400)
    expect(hebrew.text).toContain('<html lang="he" dir="rtl">')
    expect(hebrew.text).toContain('<h1>מי זה</h1>')
    expect(hebrew.text).toContain('\u2068client_id\u2069 is missing.')
  })
})
