import SQLite from 'better-sqlite3'
import { Agent, type Form, type Page } from './support/agent.js'
import { expectErrorPage, expectErrorRedirect } from './support/answers.js'
import { type DocumentSite, documentOf, startDocumentSite } from './support/documents.js'
import { authorizeUrl, getCode, signedIn } from './support/flow.js'
import { type Host, startHost } from './support/host.js'

const db = new SQLite(':memory:')
let site: DocumentSite
let host: Host
let alice: Agent
let ticket = 0

beforeAll(async () => {
  site = await startDocumentSite()
  host = await startHost({
    provider: { store: db, clientMetadataDocuments: 'open', allowPrivateAddresses: true },
  })
  alice = await signedIn(host, 'alice')
})
afterAll(async () => {
  await Promise.all([site.close(), host.close()])
  db.close()
})

const SITE = () => new URL(site.origin).host

function serve(changes: Readonly<Record<string, unknown>>): string {
  return site.serve(`/${++ticket}.json`, documentOf(changes))
}

/** The consent page as a person reads it: without its style, each tag a line. The app, which goes by its host, is Photos. */
async function read(
  client: string,
  redirect_uri = 'https://app.example/cb',
  params: Form = {},
  headers = {},
) {
  let page = await alice.get(authorizeUrl(host, { client, params: { redirect_uri, ...params } }), headers)
  if (page.location?.startsWith(host.origin)) page = await alice.get(page.location, headers)
  expect(page.status).toBe(200)
  const body = page.text.replace(/<style[\s\S]*?<\/style>/g, '')
  return { page, body, lines: linesOf(body) }
}

function linesOf(html: string): string[] {
  return html
    .replaceAll(new URL(host.origin).host, 'Photos')
    .replace(/<\/?(?:bdi|strong|code|span|a)\b[^>]*>/g, '')
    .replace(/<[^>]*>/g, '\n')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** A client that came in another way than by the host. */
async function madeBy(source: 'registration' | 'user', metadata: object): Promise<string> {
  const { client_id } = await host.oauth.clients.create({
    redirect_uris: ['https://app.example/cb'],
    token_endpoint_auth_method: 'none',
    ...metadata,
  })
  db.prepare("UPDATE oauth_clients SET data = json_set(data, '$.source', ?) WHERE id = ?").run(
    source,
    client_id,
  )
  return client_id
}

/** What stands large on the page: where the client comes from, and where the answer goes. */
function large({ text }: Page): (string | undefined)[] {
  return [...text.matchAll(/class="destination"[^>]*>([^<]*)</g)].map(([, shown]) => shown)
}

describe('CIMD-10 a client that calls itself Google', () => {
  test('is shown with the host of its id and the host of its redirect URI, both large, and as not verified', async () => {
    const { page, lines } = await read(
      serve({ client_name: 'Google', redirect_uris: ['https://evil.example/cb'] }),
      'https://evil.example/cb',
    )
    expect(large(page)).toEqual([SITE(), 'evil.example'])
    expect(lines).toContain(`It comes from ${SITE()}`)
    expect(lines).toEqual(expect.arrayContaining(['Not verified by Photos', 'Nobody has checked its name.']))
    expect(lines).toContain('Google asks for access to your account at Photos')
  })

  test('with a redirect URI on this computer only: anybody there can say that it is this client', async () => {
    const { page, body } = await read(
      serve({ client_name: 'Google', redirect_uris: ['http://localhost:1/cb', 'http://127.0.0.1/cb'] }),
      'http://localhost:1/cb',
    )
    expect(large(page)).toEqual([SITE(), 'an app on this computer'])
    expect(body).toContain('localhost:1')
    expect(body.match(/class="caution[^"]*">([^<]*)/)?.[1]).toMatch(
      /^Any program on this computer can say that it is this application\./,
    )
  })

  test('where it has another redirect URI too, the warning is about who answers', async () => {
    const client = serve({
      client_name: 'Google',
      redirect_uris: ['http://localhost:1/cb', 'https://app.example/cb'],
    })
    expect((await read(client, 'http://localhost:1/cb')).body).toContain('could be answering there')
    expect((await read(client)).body).not.toContain('class="caution')
  })

  test('where it proves itself by a key, no other program can say so', async () => {
    const jwks_uri = `${site.origin}/jwks`
    const client = serve({
      redirect_uris: ['http://localhost:1/cb'],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks_uri,
    })
    expect((await read(client, 'http://localhost:1/cb')).body).not.toContain('class="caution')
  })
})

describe('CIMD-10 a name', () => {
  const nameOf = async (client_name: string) => {
    const { body, lines } = await read(serve({ client_name }))
    const heading = /<h1[^>]*><bdi>([\s\S]*?)<\/bdi>/.exec(body)?.[1] ?? ''
    return { heading, lines, body }
  }

  test.each([
    ['line breaks', 'Good\r\n\n\u2028\u2029\u0085\vApp', 'Good App'],
    ['overrides of the direction', 'Good\u202e\u2066\u2067\u200f App\u2069', 'Good App'],
    ['characters that nobody sees', '\u200bG\u00ado\u2060od\u{e0041} \ufeffApp\u3164\u2800', 'Good App'],
    ['control characters', 'Good\u0007\u009b App', 'Good App'],
    ['joiners, which letters and emoji need', 'نامه\u200cای 👩\u200d💻', 'نامه\u200cای 👩\u200d💻'],
    ['100 letters', 'a'.repeat(100), `${'a'.repeat(60)}…`],
    ['100 emoji', '😀'.repeat(100), `${'😀'.repeat(60)}…`],
    ['20 marks on a letter', `e${'\u0301'.repeat(20)}`, `e${'\u0301'.repeat(4)}`],
  ])('with %s is shown without what could hide or imitate the rest', async (_, given, shown) => {
    const { heading, body } = await nameOf(given)
    expect(heading).toBe(shown)
    expect(body).toContain(SITE())
  })

  test('of nothing visible is the host of the id', async () => {
    expect((await nameOf('\u200b\u3164\u2800')).heading).toBe(SITE())
  })

  test.each([
    'accounts.google.com',
    'Google (https://google.com)',
    'Sign in to bank.example now',
    'xn--80ak6aa92e.com',
    '例え.テスト',
  ])('like an address, %s, is said to be none', async (name) => {
    const { lines } = await nameOf(name)
    expect(lines).toContain('Its name looks like a web address, but does not say where it comes from.')
  })

  test.each(['Version 2.0', 'Dr. Who', 'A.', '...', 'e.g. this one'])(
    'that is none, %s, is not',
    async (name) => {
      expect((await nameOf(name)).lines).toContain('Nobody has checked its name.')
    },
  )

  test('INJ-01 INJ-02 INJ-04 is text, whatever is in it', async () => {
    const evil = '"><svg onload=alert(1)>{{1111*1111}}<%=1111*1111%>'
    const { page } = await read(
      serve({
        client_name: evil,
        client_uri: 'https://x.example/"><svg>',
        tos_uri: 'https://x.example/"><svg>',
      }),
    )
    expect(page.text).not.toMatch(/<svg|1234321/)
    expect(page.text).toContain('&lt;svg onload=alert(1)&gt;')
  })
})

describe('who stands behind a client', () => {
  test.each([
    ['registration', 'Not verified by Photos'],
    ['user', 'Made by a user of Photos, not verified'],
  ] as const)(
    'one that came by %s is shown as that, and no host is made up for it',
    async (source, badge) => {
      const id = await madeBy(source, { client_name: 'Some App' })
      const { page, lines } = await read(id)
      expect(lines).toContain(badge)
      expect(large(page)).toEqual(['app.example'])
      await host.oauth.clients.update(id, { verified: true })
      const verified = await read(id)
      expect(verified.lines).toContain('Verified by Photos')
      expect(verified.body).not.toContain('Not verified')
    },
  )

  test('one that the host has registered has no badge', async () => {
    const { body } = await read('conf', 'https://rp.example/cb')
    expect(body).not.toMatch(/erified|comes from/)
  })

  test('a verified client with a URL as its id is still shown with its host', async () => {
    const id = serve({ client_name: 'Good App' })
    await getCode(host, { client: id, params: { redirect_uri: 'https://app.example/cb' }, agent: alice })
    await host.oauth.clients.update(id, { verified: true })
    const { page, lines } = await read(id, 'https://app.example/cb', { prompt: 'consent' })
    expect(large(page)).toEqual([SITE(), 'app.example'])
    expect(lines).toContain('Verified by Photos')
  })

  test('DESIGN 15 K-28 what is remembered: of a client that registered itself nothing, of one that a user made as of others', async () => {
    const registered = await madeBy('registration', {})
    const made = await madeBy('user', {})
    const url = (client: string) =>
      authorizeUrl(host, { client, params: { redirect_uri: 'https://app.example/cb' } })
    for (const client of [registered, made])
      await getCode(host, { client, params: { redirect_uri: 'https://app.example/cb' }, agent: alice })
    expect((await alice.get(url(registered))).location).toContain('/consent/')
    expectErrorRedirect(host, await alice.get(`${url(registered)}&prompt=none`), 'consent_required', {
      redirectUri: 'https://app.example/cb',
    })
    expect((await alice.get(url(made))).location).toMatch(/^https:\/\/app\.example\/cb\?code=/)
  })

  test('K-10 INJ-09 the errors of both go nowhere before a user has signed in', async () => {
    for (const source of ['registration', 'user'] as const) {
      const client = await madeBy(source, {})
      const url = authorizeUrl(host, {
        client,
        params: { redirect_uri: 'https://app.example/cb', scope: 'nope' },
      })
      expectErrorPage(await new Agent(host).get(url), { code: 'invalid_scope' })
      expectErrorRedirect(host, await alice.get(url), 'invalid_scope', {
        redirectUri: 'https://app.example/cb',
      })
    }
  })
})

describe('the page speaks the language of its reader', () => {
  const document = () =>
    serve({
      client_name: 'Photo Printer',
      'client_name#de': 'Fotodrucker',
      'client_name#fr-CA': 'Imprimante',
      'client_name#ar': 'طابعة الصور',
    })

  test('in the texts of the page and in the name of the client', async () => {
    const { body, lines } = await read(document(), undefined, {}, { 'accept-language': 'de-AT, en;q=0.5' })
    expect(body).toContain('lang="de"')
    expect(lines).toContain('Fotodrucker bittet um Zugriff auf Ihr Konto bei Photos')
    expect(lines).toEqual(
      expect.arrayContaining(['Nicht von Photos geprüft', 'Niemand hat ihren Namen geprüft.']),
    )
    expect(body).toContain('>Ablehnen</button>')
  })

  test('ui_locales of the request wins over the browser, on the consent page too', async () => {
    const { body, lines } = await read(
      document(),
      undefined,
      { ui_locales: 'ar' },
      { 'accept-language': 'de' },
    )
    expect(body).toContain('dir="rtl"')
    expect(lines[0]).toContain('طابعة الصور')
  })

  test('a name in another region of the language is none of ours', async () => {
    const { lines } = await read(document(), undefined, {}, { 'accept-language': 'fr-FR' })
    expect(lines).toContain('Photo Printer demande l’accès à votre compte sur Photos')
  })

  test('an error of a document is in the language of the page, with what its maker has to know in English', async () => {
    const page = await alice.get(authorizeUrl(host, { client: serve({ redirect_uris: undefined }) }), {
      'accept-language': 'es',
    })
    expectErrorPage(page, { code: 'invalid_client' })
    expect(page.text).toContain('Esta aplicación no se describe correctamente')
    expect(page.text).toContain('redirect_uris is missing')
  })
})
