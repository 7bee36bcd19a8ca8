import { openStore } from '../lib/store/open.js'
import type { Store } from '../lib/store/store.js'
import type { Page } from './support/agent.js'
import { callApi, getTokens, postToken, refresh, signedIn } from './support/flow.js'
import { type Host, startHost } from './support/host.js'

const HOUR = 3600

let host: Host
let store: Store

async function start(provider: object = {}): Promise<void> {
  store = openStore(':memory:', () => host?.now() ?? Date.now())
  host = await startHost({
    provider: { store, ...provider },
    beforeSession: (app) => app.set('trust proxy', true),
  })
}
afterEach(async () => {
  host.events.length = 0
  await host.oauth.grants.revokeUser('alice')
})

const show = async (): Promise<Page> =>
  (await signedIn(host, 'alice')).get(`${host.issuer}/authorized-applications`)

/** The facts on the page, as they are read. */
const facts = ({ text }: Page) =>
  Object.fromEntries(
    [...text.matchAll(/<dt>(.*?)<\/dt><dd>(.*?)<\/dd>/gs)].map(([, term = '', told = '']) => [
      term,
      told
        .replace(/<[^>]*>/g, ' ')
        .replace(/\s+/g, ' ')
        .trim(),
    ]),
  )

const from = (address: string) => ({ 'x-forwarded-for': address })
const lastUsedFrom = async () => (await host.oauth.grants.list({ userId: 'alice' }))[0]?.lastUsedFrom

/** The store is written to after the answer. */
async function settled(): Promise<void> {
  await host.oauth.purge()
}

describe('where the host keeps addresses', () => {
  beforeAll(() => start({ keepAddresses: true }))
  afterAll(() => host.close())

  test('the page says when an application was last used, and from where', async () => {
    const tokens = await getTokens(host, { params: { scope: 'read write' } })
    expect(facts(await show())).toMatchObject({ 'Last used': 'Not yet' })
    await callApi(host, '/api/read', tokens.access_token, from('203.0.113.7'))
    await settled()
    expect(await lastUsedFrom()).toBe('203.0.113.7')
    const today = new Date(host.now()).toLocaleDateString('en-GB', { dateStyle: 'long', timeZone: 'UTC' })
    expect(facts(await show())).toMatchObject({
      Connected: today,
      'Last used': `${today} from 203.0.113.7`,
    })
  })

  test('once an hour, at the API and at the endpoints for machines alike', async () => {
    const tokens = await getTokens(host)
    await callApi(host, '/api/read', tokens.access_token, from('203.0.113.7'))
    await settled()
    await callApi(host, '/api/read', tokens.access_token, from('203.0.113.8'))
    await settled()
    expect(await lastUsedFrom()).toBe('203.0.113.7')
    host.advance(HOUR)
    const headers = from('2001:db8::9')
    const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token }
    expect((await postToken(host, form, { headers })).status).toBe(200)
    await settled()
    expect(await lastUsedFrom()).toBe('2001:db8::9')
    expect((await show()).text).toContain('<bdi dir="ltr">2001:db8::9</bdi>')
  })

  test('an address of a socket for both kinds is kept and shown as what it is', async () => {
    const tokens = await getTokens(host)
    await callApi(host, '/api/read', tokens.access_token, from('::ffff:203.0.113.7'))
    await settled()
    expect(await lastUsedFrom()).toBe('203.0.113.7')
    expect(facts(await show())['Last used']).toMatch(/ from 203\.0\.113\.7$/)
  })

  test('a request that is refused is no use', async () => {
    const tokens = await getTokens(host)
    await callApi(host, '/api/write', tokens.access_token, from('203.0.113.7'))
    await settled()
    expect(await lastUsedFrom()).toBeUndefined()
  })

  test('an address is shown as text, whatever a proxy has let through', async () => {
    const tokens = await getTokens(host)
    await callApi(host, '/api/read', tokens.access_token, from('<b>203</b>'))
    await settled()
    expect((await show()).text).not.toContain('<b>')
  })
})

describe('where it does not', () => {
  beforeAll(() => start())
  afterAll(() => host.close())

  test('no address is kept, and one that was kept before is not shown', async () => {
    const tokens = await getTokens(host)
    await callApi(host, '/api/read', tokens.access_token, from('203.0.113.7'))
    await refresh(host, tokens.refresh_token)
    await settled()
    const [grant] = await host.oauth.grants.list({ userId: 'alice' })
    expect(grant).not.toHaveProperty('lastUsedFrom')
    expect(grant?.lastUsedAt).toBe(host.now())
    await store.touchGrant(grant?.id ?? '', host.now(), '203.0.113.7')
    expect(await lastUsedFrom()).toBe('203.0.113.7')
    expect((await show()).text).not.toContain('203.0.113')
    host.advance(HOUR)
    await callApi(host, '/api/read', (await getTokens(host)).access_token)
    await settled()
    expect(await lastUsedFrom()).toBeUndefined()
  })

  test('who has made an application, and whether the host has verified it', async () => {
    const callback = { redirect_uris: ['https://rp.example/cb'], client_name: 'Maker' }
    const grant = (clientId: string) =>
      store.saveGrant({
        ...{ id: `grant of ${clientId}`, userId: 'alice', clientId, createdAt: host.now() },
        access: { [host.origin]: ['read'] },
      })
    const registered = await host.oauth.clients.create(callback)
    const client = await store.findClient(registered.client_id)
    if (client === undefined) throw new Error('not registered')
    const app = new URL(host.origin).host
    const setUpBy = async () => facts(await show())['Set up by']

    await grant(client.id)
    expect(await setUpBy()).toBe(app)
    let { revision } = client
    const become = (change: object) => store.saveClient({ ...client, ...change, revision: ++revision })
    await become({ source: 'user', ownerId: 'bob' })
    expect(await setUpBy()).toBe(`A user of ${app} Not verified`)
    await become({ source: 'user', ownerId: 'bob', verified: true })
    expect(await setUpBy()).toBe(`A user of ${app} Verified`)
    await become({ source: 'registration' })
    expect(await setUpBy()).toBe('Nobody here: it registered itself Not verified')
    await become({ source: 'registration', verified: true, disabled: true })
    expect(await setUpBy()).toBe('Nobody here: it registered itself Verified')
    expect((await show()).text).toContain('Maker')
    const url = 'https://claude.example/client.json'
    await store.saveClient({ ...client, id: url, source: 'document', revision: 1 })
    await host.oauth.grants.revokeUser('alice')
    await grant(url)
    expect(await setUpBy()).toBe('claude.example Not verified')
    await host.oauth.clients.delete(url)
    await host.oauth.clients.delete(client.id)
  })

  test('an application that is gone is shown by its id, and its access can be withdrawn', async () => {
    await store.saveGrant({
      ...{ id: 'left', userId: 'alice', clientId: 'gone-client', createdAt: host.now() },
      access: { [host.origin]: ['read'] },
    })
    const page = await show()
    expect(page.text).toContain('gone-client')
    expect(facts(page)).not.toHaveProperty('Set up by')
  })

  test('one scope alone has one button, several have one each and one for all', async () => {
    const buttons = async () =>
      [...(await show()).text.matchAll(/<button[^>]*?(?: name="scope" value="(\w+)")?[ >]/g)].length
    await getTokens(host)
    expect(await buttons()).toBe(1)
    await getTokens(host, { params: { scope: 'write' } })
    const { text } = await show()
    expect([...text.matchAll(/name="scope" value="(\w+)"/g)].map(([, scope]) => scope)).toEqual([
      'read',
      'write',
    ])
    expect(await buttons()).toBe(3)
  })
})
