import { generateKeyPairSync, randomUUID } from 'node:crypto'
import type { ClientMetadata } from '../lib/index.js'
import { openStore } from '../lib/store/open.js'
import type { Store } from '../lib/store/store.js'
import { type Agent, type Form, inputValue, type Page } from './support/agent.js'
import { type Signer, signJwt } from './support/assertions.js'
import { type DocumentSite, documentOf, REDIRECT_URI, startDocumentSite } from './support/documents.js'
import { authorizeUrl, basic, postToken, signedIn } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import { CALLBACK, manage, type Registered, registered } from './support/registration.js'
import { expectRefusal } from './support/token-endpoint.js'

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
const ISSUER = 'https://staff.example'
const staff = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwk = { ...staff.publicKey.export({ format: 'jwk' }), kid: 'staff' }

let host: Host
let site: DocumentSite
let alice: Agent
let root: Agent
/** Comes between a write, or a look at a client, and what follows it. */
let between: Partial<Record<'findClient' | 'saveGrant', () => Promise<unknown>>> = {}

function slowStore(): Store {
  const store = openStore(':memory:', Date.now)
  return new Proxy(store, {
    get(target, name: keyof Store) {
      const operation = target[name].bind(target) as (...values: unknown[]) => unknown
      if (name !== 'findClient' && name !== 'saveGrant') return operation
      return async (...values: unknown[]) => {
        const { [name]: first, ...others } = between
        if (first !== undefined && name === 'saveGrant') {
          between = others
          await first()
        }
        const answer = await operation(...values)
        if (first !== undefined && name === 'findClient') {
          between = others
          await first()
        }
        return answer
      }
    },
  })
}

beforeAll(async () => {
  site = await startDocumentSite()
  host = await startHost({
    provider: {
      store: slowStore(),
      applications: () => true,
      admin: ({ id }) => id === 'bob',
      registration: 'open',
      clientMetadataDocuments: 'open',
      allowPrivateAddresses: true,
      scopes: {
        read: 'Read',
        write: 'Write',
        payout: { description: 'Pay out', required: false, default: false },
      },
      trustedIssuers: { [ISSUER]: { jwks: { keys: [jwk] }, user: ({ sub }) => String(sub) } },
    },
  })
  alice = await signedIn(host, 'alice')
  root = await signedIn(host, 'bob')
})
afterAll(() => Promise.all([host?.close(), site?.close()]))
afterEach(() => {
  between = {}
})

const path = (id = '') => `${host.issuer}/applications${id && `/${id}`}`
const scopeOf = async (id: string) => (await host.oauth.clients.get(id))?.scope
const save = (id: string, form: Form) => act(id, { action: 'save', ...form })
async function act(id: string, form: Form): Promise<Page> {
  return alice.post(path(id), { _csrf: inputValue(await alice.get(path('new')), '_csrf'), ...form })
}

async function make(form: Form = {}) {
  const empty = await alice.get(path('new'))
  const sent = { type: 'web', client_name: 'Mine', redirect_uris: CALLBACK, scope: ['read'], ...form }
  const all = { ...sent, form: inputValue(empty, 'form') }
  const page = await alice.post(path('new'), { _csrf: inputValue(empty, '_csrf'), ...all })
  expect(page.status).toBe(200)
  const id = /class="copy" dir="ltr">([^<]+)</.exec(page.text)?.[1] ?? ''
  return { id, sent: all, fields: sent }
}

const changesOf = (id: string) =>
  host.events
    .filter(({ name }) => name === 'client.changed')
    .map(({ event }) => event as { clientId: string; change: string })
    .filter(({ clientId }) => clientId === id)

describe('an owner gives an application no more than the host has', () => {
  test('where it asks no user: neither a scope more nor, where it has none, any', async () => {
    for (const grant of ['client_credentials', JWT_BEARER]) {
      const client = await host.oauth.clients.create({
        ...{ client_name: 'Service', redirect_uris: [CALLBACK], scope: 'read write', owner_id: 'alice' },
        grant_types: ['authorization_code', grant],
      })
      const { client_id: id, client_secret } = client
      const form = { client_name: 'Service', redirect_uris: CALLBACK }
      const page = await save(id, { ...form, scope: ['read', 'write', 'payout'] })
      expect(page.status).toBe(400)
      expect(page.text).toContain('scope would give more, with no user asked')
      expect(await host.oauth.clients.get(id)).toMatchObject({ scope: 'read write' })
      if (grant === 'client_credentials')
        expectRefusal(
          await postToken(
            host,
            { grant_type: grant, scope: 'payout' },
            { headers: { authorization: basic(id, client_secret ?? '') } },
          ),
          400,
          'invalid_scope',
        )
      expect((await save(id, { ...form, scope: ['read'] })).status).toBe(303)
      expect(await scopeOf(id)).toBe('read')
      // Checked against what there is now, not what there was.
      expect((await save(id, { ...form, scope: ['read', 'write'] })).status).toBe(400)
    }
  })

  test('where the host gave it a grant type that goes unasked later, and where it has set a limit', async () => {
    const [first, second] = [await make(), await make()]
    await host.oauth.clients.update(first.id, { grant_types: ['authorization_code', 'client_credentials'] })
    await host.oauth.clients.update(second.id, { scope: 'read' })
    for (const { id, fields } of [first, second]) {
      expect((await save(id, { ...fields, scope: ['read', 'payout'] })).status).toBe(400)
      expect(await scopeOf(id)).toBe('read')
      expect((await save(id, { ...fields, client_name: 'Renamed' })).status).toBe(303)
    }
    const third = await make()
    expect((await save(third.id, { ...third.fields, scope: ['read', 'payout'] })).status).toBe(303)
    expect(await scopeOf(third.id)).toBe('read payout')
  })
})

describe('what the host has limited of a client that came by itself', () => {
  const web = {
    ...{ redirect_uris: [CALLBACK], client_name: 'Web', scope: 'read write payout' },
    grant_types: ['authorization_code', 'refresh_token', DEVICE],
  }
  const put = async (client: Registered, metadata: ClientMetadata) =>
    manage(client, 'PUT', { ...metadata, client_id: client.client_id })

  test('stays limited whatever it registers, until the host says otherwise', async () => {
    const client = await registered(host, web)
    const { client_id: id } = client
    await host.oauth.clients.update(id, { scope: 'read write', grant_types: ['authorization_code'] })
    const { scope: _, grant_types: __, ...unsaid } = web
    for (const [metadata, scope] of [
      [unsaid, 'read write'],
      [web, 'read write'],
      [{ ...web, scope: 'payout' }, 'read write'],
      [{ ...web, scope: 'read' }, 'read'],
      [{ ...web, scope: 'write payout' }, 'write'],
    ] as const) {
      const { status, body } = await put(client, metadata)
      expect(status).toBe(200)
      expect(body).toMatchObject({ scope, grant_types: ['authorization_code'] })
      expect(await host.oauth.clients.get(id)).toMatchObject({ scope, grant_types: ['authorization_code'] })
    }
    const { body } = await put(client, { ...web, grant_types: [DEVICE] })
    expect(body.error_description).toMatch(/^grant_types has none that this client may have here/)
    await host.oauth.clients.update(id, { client_name: 'Looked at' })
    expect((await put(client, unsaid)).body).toMatchObject({ scope: 'read write' })

    const page = await alice.follow(
      authorizeUrl(host, { params: { client_id: id, redirect_uri: CALLBACK, scope: 'write payout' } }),
    )
    expect(page.text).toContain('Write')
    expect(page.text).not.toContain('Pay out')

    await host.oauth.clients.update(id, { scope: 'read write payout', grant_types: web.grant_types })
    expect((await put(client, web)).body).toMatchObject(web)
    await host.oauth.clients.update(id, {
      scope: undefined,
      grant_types: undefined,
    } as unknown as ClientMetadata)
    expect((await put(client, { ...unsaid, grant_types: [DEVICE] })).body).toMatchObject({
      grant_types: [DEVICE],
    })
    expect(await scopeOf(id)).toBeUndefined()
  })

  test('and whatever its document says', async () => {
    const id = site.serve('/limited.json', documentOf({ scope: 'read write payout' }))
    const ask = (scope: string) =>
      alice.follow(authorizeUrl(host, { params: { client_id: id, redirect_uri: REDIRECT_URI, scope } }))
    const page = await ask('read')
    await alice.post(page.url, { _csrf: inputValue(page, '_csrf'), decision: 'approve' })
    await host.oauth.clients.update(id, { scope: 'read', grant_types: ['authorization_code'] })
    const { scope: _, ...unsaid } = documentOf({ client_name: 'Anew' }) as ClientMetadata
    site.serve('/limited.json', unsaid)
    host.advance(90_000)
    alice = await signedIn(host, 'alice')
    root = await signedIn(host, 'bob')
    const { text } = await ask('read write payout')
    expect(text).toContain('Read')
    expect(text).not.toContain('Pay out')
    expect(await host.oauth.clients.get(id)).toMatchObject({
      ...{ client_name: 'Anew', scope: 'read', grant_types: ['authorization_code'] },
    })
  })
})

describe('a blocked application', () => {
  test('is neither changed nor deleted nor made again by its owner, and the page says so', async () => {
    const { id, sent, fields } = await make({ client_name: 'Evil' })
    await host.oauth.clients.update(id, { disabled: true })
    const before = await host.oauth.clients.get(id)
    for (const form of [
      { action: 'delete' },
      { action: 'rotate', overlap: '0', revision: '2' },
      { ...fields, client_name: 'Good', action: 'save' },
    ]) {
      const page = await act(id, form)
      expect(page.status).toBe(400)
      expect(page.text).toContain('Only those who run this site can change or delete it.')
      expect(page.text).not.toMatch(/value="(save|rotate|delete)"|confirm=delete/)
    }
    expect((await alice.get(`${path(id)}?confirm=delete`)).text).not.toContain('value="delete"')
    const again = await act('new', sent)
    expect(again.location).toBe(path(id))
    expect(await host.oauth.clients.get(id)).toEqual(before)
    await host.oauth.clients.update(id, { disabled: false })
    expect((await act(id, { action: 'delete' })).location).toBe(path())
    expect(await host.oauth.clients.get(id)).toBeUndefined()
  })

  test('also where it is blocked while its owner changes or deletes it', async () => {
    const rounds = [
      ...['save', 'delete', 'rotate'].map((action) => ({ action, looks: 1 })),
      { action: 'delete', looks: 2 },
    ]
    for (const { action, looks } of rounds) {
      const { id, fields } = await make()
      const block = () => host.oauth.clients.update(id, { disabled: true })
      const blockNext = async () => {
        between = { findClient: block }
      }
      // The page has found it; what is to be changed is looked up once more, and may be blocked even then.
      between = { findClient: looks === 1 ? block : blockNext }
      const page = await act(id, { ...fields, client_name: 'Other', action, overlap: '0', revision: '1' })
      expect(page.status).toBe(409)
      expect(page.text).toContain('Only those who run this site can change or delete it.')
      expect(await host.oauth.clients.get(id)).toMatchObject({ client_name: 'Mine', disabled: true })
    }
  })
})

test('a client of the host’s that its owner has changed is no longer the host’s word', async () => {
  const { client_id: id } = await host.oauth.clients.create({
    ...{ client_name: 'Partner', redirect_uris: [CALLBACK], scope: 'read', owner_id: 'alice' },
  })
  const consent = async () =>
    (
      await root.follow(
        authorizeUrl(host, { params: { client_id: id, redirect_uri: CALLBACK, scope: 'read' } }),
      )
    ).text
  const inAdmin = async () => (await root.get(`${host.issuer}/admin/client?id=${id}`)).text
  const byUser = /Made by a user|not verified/
  expect(await consent()).not.toMatch(byUser)
  expect(await inAdmin()).not.toContain('Not verified')
  const form = { client_name: 'Host Security Team', redirect_uris: CALLBACK, scope: ['read'] }
  expect((await save(id, form)).status).toBe(303)
  expect(await consent()).toMatch(byUser)
  expect(await inAdmin()).toContain('Not verified')
  await host.oauth.clients.update(id, { verified: true })
  expect(await consent()).not.toMatch(byUser)
})

test('a client that is blocked while it brings an assertion gets nothing, and nothing is left of it', async () => {
  const now = Math.floor(host.now() / 1000)
  const claims = { iss: ISSUER, sub: 'carol', aud: host.issuer, iat: now, exp: now + 300, jti: randomUUID() }
  const signer = staff.privateKey.export({ format: 'jwk' }) as Signer
  const form = { grant_type: JWT_BEARER, assertion: signJwt({ alg: 'ES256' }, claims, signer) }
  host.users.set('carol', { id: 'carol', name: 'Carol', email: 'carol@host.example' })
  const client = await host.oauth.clients.create({ grant_types: [JWT_BEARER], scope: 'read' })
  const { client_id: id, client_secret: secret } = client
  const csrf = inputValue(await root.get(`${host.issuer}/admin/client?id=${id}&confirm=block`), '_csrf')
  const block = async () => {
    const done = await root.post(`${host.issuer}/admin/client`, { _csrf: csrf, id, act: 'block' })
    expect(done.status).toBe(303)
  }
  between = { saveGrant: block }
  expectRefusal(
    await postToken(host, form, { headers: { authorization: basic(id, secret ?? '') } }),
    400,
    'invalid_grant',
  )
  expect(await host.oauth.grants.list({ userId: 'carol' })).toEqual([])
  await host.oauth.clients.update(id, { disabled: false })
  expect((await postToken(host, form, { headers: { authorization: basic(id, secret ?? '') } })).status).toBe(
    200,
  )
  expect(await host.oauth.grants.list({ userId: 'carol' })).toHaveLength(1)
})

test('what another site has posted is not shown as if it had been typed', async () => {
  const { id, fields } = await make()
  const forged = { ...fields, redirect_uris: 'https://evil.example/cb', client_name: 'Evil', action: 'save' }
  for (const at of [id, 'new']) {
    const foreign = await alice.post(path(at), forged, { 'sec-fetch-site': 'cross-site' })
    expect(foreign.status).toBe(403)
    expect(foreign.text).not.toContain('evil.example')
    expect(foreign.text).not.toContain('value="Evil"')
    const own = await alice.post(path(at), forged, { 'sec-fetch-site': 'same-origin' })
    expect(own.status).toBe(403)
    expect(own.text).toContain('evil.example')
  }
})

test('a notice of the administration says nothing of a client that is not so', async () => {
  const { id } = await make()
  const notice = async (done: string) =>
    /role="status">([^<]+)/.exec(
      (await root.get(`${host.issuer}/admin/client?id=${id}&done=${done}`)).text,
    )?.[1]
  for (const done of ['blocked', 'verified', 'deleted']) expect(await notice(done)).toBeUndefined()
  await host.oauth.clients.update(id, { disabled: true, verified: true })
  expect(await notice('blocked')).toBe('The application is blocked.')
  expect(await notice('verified')).toBe('The application is verified.')
  for (const done of ['unblocked', 'unverified']) expect(await notice(done)).toBeUndefined()
})

test('a notice of the administration says nothing that a link of another site has put there', async () => {
  for (const page of ['', '/user', '/client']) {
    const { id } = await make()
    const forged = `${host.issuer}/admin${page}?id=${id}&done=revoked&count=50`
    const shown = async (site: string) => (await root.get(forged, { 'sec-fetch-site': site })).text
    expect(await shown('same-origin')).toContain('Revoked: 50')
    for (const site of ['cross-site', 'same-site']) expect(await shown(site)).not.toContain('Revoked')
  }
})

test('saved as it is, an application stays as it is: verified, and nothing is written or told', async () => {
  const { id, fields } = await make({ scope: ['write', 'read'] })
  await host.oauth.clients.update(id, { verified: true })
  const told = changesOf(id).length
  for (let time = 0; time < 3; time++) expect((await save(id, fields)).status).toBe(303)
  await host.oauth.clients.update(id, { verified: true })
  expect(changesOf(id)).toHaveLength(told)
  expect(await host.oauth.clients.get(id)).toMatchObject({ verified: true, scope: expect.any(String) })
  expect((await save(id, { ...fields, client_name: 'Other' })).status).toBe(303)
  expect(await host.oauth.clients.get(id)).toMatchObject({ verified: false, client_name: 'Other' })
  expect(changesOf(id)).toHaveLength(told + 1)
})
