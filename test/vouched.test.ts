import { Agent, encode, inputValue, type Page } from './support/agent.js'
import { expectPageHeaders } from './support/answers.js'
import { type DocumentSite, documentOf, startDocumentSite } from './support/documents.js'
import { fetch } from './support/fetch.js'
import { decide, destination, signedIn, toConsent, VERIFIER } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import {
  CALLBACK,
  expectRefused,
  manage,
  type Registered,
  register,
  registered,
} from './support/registration.js'

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
const CLINIC = 'https://clinic.example/cb'

let host: Host
let site: DocumentSite
/** Clients that say the same share an id, so each has a name of its own. */
let named = 0

beforeAll(async () => {
  site = await startDocumentSite()
  host = await startHost({
    provider: {
      ...{ registration: 'open', clientMetadataDocuments: 'open', pairwiseSalt: 'x'.repeat(32) },
      ...{
        allowPrivateAddresses: true,
        logout: (req) => void (req.session as object as { userId?: string }),
      },
    },
  })
})
afterAll(async () => {
  await host.close()
  await site.close()
})
// So many may register in a minute.
beforeEach(() => host.advance(61))

const aClient = (more: object = {}) => ({
  ...{ client_name: `Quiz ${++named}`, redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none' },
  ...more,
})

describe('a client that nobody vouches for', () => {
  const OUT = 'https://evil.example/out'
  const leaveFor = (clientId: string, uri: string, agent = new Agent(host)) =>
    agent.get(
      `${host.issuer}/logout?${encode({ client_id: clientId, post_logout_redirect_uri: uri, state: 's' })}`,
    )

  function expectLink(page: Page, uri: string, place: string): void {
    expect([page.status, page.location]).toEqual([200, undefined])
    expectPageHeaders(page)
    expect(page.text).toContain(`href="${uri}"`)
    expect(page.text).toContain(`This leads to <bdi class="name" dir="ltr">${place}</bdi>.`)
    expect(page.text).not.toMatch(/http-equiv="?refresh|<script/)
  }

  test('sends nobody on by a link to /logout: the page names where its link leads', async () => {
    const uris = [OUT, 'com.example.app:/out']
    const { client_id } = await registered(host, aClient({ post_logout_redirect_uris: uris }))
    expectLink(await leaveFor(client_id, OUT), `${OUT}?state=s`, 'evil.example')
    expectLink(await leaveFor(client_id, uris[1] ?? ''), `${uris[1]}?state=s`, 'com.example.app:')
    const page = await leaveFor(client_id, OUT, await signedIn(host, 'alice'))
    expect(page.text).toContain('asks for this.')
    // Once the host has looked at it, it may.
    await host.oauth.clients.update(client_id, { verified: true })
    expect((await leaveFor(client_id, OUT)).location).toBe(`${OUT}?state=s`)
  })

  test('nor with an ID token of its own maker, where nobody is signed in', async () => {
    const client = await registered(host, aClient({ post_logout_redirect_uris: [OUT] }))
    const { idToken } = await byCode(client.client_id, CALLBACK, 'bob')
    const query = encode({ id_token_hint: idToken, post_logout_redirect_uri: OUT })
    expectLink(await new Agent(host).get(`${host.issuer}/logout?${query}`), OUT, 'evil.example')
  })

  test('may not say that it can be reached by a program of the system after logout', async () => {
    for (const uri of ['search-ms:x', 'ms-msdt:/id', 'smb://x/y'])
      expectRefused(
        await register(host, aClient({ post_logout_redirect_uris: [uri] })),
        ...(['invalid_client_metadata', /^post_logout_redirect_uris/] as const),
      )
  })
})

describe('what strangers may register', () => {
  const entries = (count: number) => Array.from({ length: count }, (_, n) => `https://a.example/${n}`)
  const languages = (count: number) =>
    Object.fromEntries(entries(count).map((_, n) => [`client_name#${'abcdefghijk'[n]}a`, 'Quiz']))
  const nested = (depth: number): unknown => (depth === 0 ? 'x' : [nested(depth - 1)])
  const long = (length: number) => ({ contacts: ['x'.repeat(length)] })

  test.each([
    ['redirect URIs', { redirect_uris: entries(51) }, /^redirect_uris has more than 50 entries/],
    ['entries of any list', { contacts: entries(51) }, /^contacts has more than 50 entries/],
    ['languages', languages(11), /^client_name is there in more than 10 languages/],
    ['characters', long(16_384), /^contacts makes the metadata longer than 16384 characters/],
    ['depth', { jwks: { keys: [nested(20)] } }, /^jwks is nested too deeply/],
  ])('has a limit: %s', async (_, metadata, problem) => {
    expectRefused(await register(host, aClient(metadata)), 'invalid_client_metadata', problem)
  })

  test('and all that is within it is registered', async () => {
    const most = { redirect_uris: entries(50), contacts: entries(50), ...languages(10) }
    expect((await register(host, aClient(most))).status).toBe(201)
    expect((await register(host, aClient(long(15_000)))).status).toBe(201)
    // What nobody asked for is not looked at.
    expect((await register(host, aClient({ unknown: entries(500) }))).status).toBe(201)
  })

  test('a document has the same limits', async () => {
    const id = site.serve(`/many.json`, documentOf({ redirect_uris: entries(51) }))
    const page = await new Agent(host).get(`${host.issuer}/authorize?${encode({ client_id: id })}`)
    expect(page.status).toBe(400)
    expect(page.text).toContain('redirect_uris has more than 50 entries')
  })
})

async function tokens(form: Record<string, string>): Promise<{ sub: string; idToken: string }> {
  const answer = await fetch(`${host.issuer}/token`, { method: 'POST', body: encode(form) })
  const { id_token: idToken = '' } = (await answer.json()) as { id_token?: string }
  const [, claims = ''] = idToken.split('.')
  return { idToken, sub: JSON.parse(Buffer.from(claims, 'base64url').toString()).sub }
}

async function byCode(client: string, redirectUri: string, user = 'alice') {
  const params = { scope: 'openid', redirect_uri: redirectUri }
  const { agent, page } = await toConsent(host, { client, user, params })
  const code = destination(await decide(agent, page, 'approve')).searchParams.get('code') ?? ''
  return tokens({
    grant_type: 'authorization_code',
    client_id: client,
    code,
    redirect_uri: redirectUri,
    code_verifier: VERIFIER,
  })
}

async function byDevice(client_id: string) {
  const body = encode({ client_id, scope: 'openid' })
  const started = await fetch(`${host.issuer}/device_authorization`, { method: 'POST', body })
  const { device_code, user_code } = (await started.json()) as Record<string, string>
  const alice = await signedIn(host, 'alice')
  const form = { user_code: user_code ?? '' }
  const page = await alice.get(`${host.issuer}/device?${encode(form)}`)
  const shown = await alice.post(`${host.issuer}/device`, { _csrf: inputValue(page, '_csrf'), ...form })
  const _csrf = inputValue(shown, '_csrf')
  await alice.post(`${host.issuer}/device`, { _csrf, ...form, decision: 'approve' })
  return tokens({ grant_type: DEVICE, client_id, device_code: device_code ?? '' })
}

describe('pairwise subjects', () => {
  const pairwise = (more: object) => aClient({ subject_type: 'pairwise', redirect_uris: [CLINIC], ...more })
  const withDevice = { grant_types: ['authorization_code', DEVICE] }
  let clinic: string

  beforeAll(async () => {
    const { client_id = '' } = await host.oauth.clients.create({
      ...{ redirect_uris: [CLINIC], token_endpoint_auth_method: 'none', subject_type: 'pairwise' },
    })
    clinic = (await byCode(client_id, CLINIC)).sub
  })

  test('a client that came by itself with somebody else’s redirect URI, and needs none, is a sector by itself', async () => {
    const mine = await registered(
      host,
      pairwise({ ...withDevice, redirect_uris: ['https://clinic.example/x'] }),
    )
    const { sub } = await byDevice(mine.client_id)
    expect(sub).toMatch(/^[\w-]{43}$/)
    expect(sub).not.toBe(clinic)
    // Not even once an administrator has let it in.
    await host.oauth.clients.update(mine.client_id, { verified: true })
    expect((await byDevice(mine.client_id)).sub).toBe(sub)
  })

  test('nor does the list of that sector help it, which has its redirect URIs in and not its keys', async () => {
    const uri = site.serve('/sector.json', [CLINIC])
    const listed = { ...withDevice, sector_identifier_uri: uri }
    const mine: Registered = await registered(host, pairwise(listed))
    const { sub } = await byDevice(mine.client_id)
    const own = await host.oauth.clients.create({
      ...{ redirect_uris: [CLINIC], token_endpoint_auth_method: 'none', subject_type: 'pairwise' },
      sector_identifier_uri: uri,
    })
    expect(sub).not.toBe((await byCode(own.client_id ?? '', CLINIC)).sub)
    const keys = { jwks_uri: `${site.origin}/jwks.json`, token_endpoint_auth_method: 'private_key_jwt' }
    expectRefused(
      await register(host, pairwise({ ...listed, ...keys })),
      ...(['invalid_client_metadata', /does not list .*jwks\.json/] as const),
    )
  })

  test('one that was allowed something at its own site cannot move to another one and learn who its users are there', async () => {
    const elsewhere = { redirect_uris: [CLINIC] }
    const declared = {
      ...pairwise({ redirect_uris: [CALLBACK] }),
      grant_types: ['authorization_code', 'refresh_token'],
    }
    const mine = await registered(host, declared)
    expect((await byCode(mine.client_id, CALLBACK)).sub).not.toBe(clinic)
    const put = (client: Registered, metadata: object) =>
      manage(client, 'PUT', { ...metadata, client_id: client.client_id })
    for (const change of [elsewhere, { ...elsewhere, ...withDevice }, withDevice])
      expectRefused(
        await put(mine, { ...declared, ...change }),
        'invalid_client_metadata',
        /^subject_type is pairwise/,
      )
    expect((await put(mine, { ...declared, redirect_uris: [`${CALLBACK}2`] })).status).toBe(200)
    // Nor by way of being public meanwhile.
    const open = { ...declared, ...elsewhere, subject_type: 'public' }
    const opened = await put(mine, open)
    expect(opened.status).toBe(200)
    expectRefused(
      await put({ ...mine, ...opened.body }, { ...declared, ...elsewhere }),
      ...(['invalid_client_metadata', /^subject_type cannot become pairwise/] as const),
    )
  })

  test('nor by its document', async () => {
    const url = site.serve(
      '/pairwise.json',
      documentOf({ subject_type: 'pairwise', redirect_uris: [CALLBACK] }),
    )
    await byCode(url, CALLBACK)
    site.serve('/pairwise.json', documentOf({ subject_type: 'pairwise', redirect_uris: [CLINIC] }))
    host.advance(3600)
    const query = encode({ client_id: url, redirect_uri: CLINIC, response_type: 'code' })
    const page = await new Agent(host).get(`${host.issuer}/authorize?${query}`)
    expect(page.status).toBe(400)
    expect(page.text).toContain('subject_type is pairwise')
  })

  test('one that has to be redirected to, and one that the host has made, share the sector', async () => {
    const redirected = await registered(host, pairwise({}))
    expect((await byCode(redirected.client_id, CLINIC)).sub).toBe(clinic)
    const made = await host.oauth.clients.create({
      ...{ redirect_uris: [CLINIC], token_endpoint_auth_method: 'none', subject_type: 'pairwise' },
      ...withDevice,
    })
    expect((await byDevice(made.client_id ?? '')).sub).toBe(clinic)
  })
})
