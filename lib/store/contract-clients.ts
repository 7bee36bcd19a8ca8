import assert from 'node:assert/strict'
import {
  assertSame,
  type Guarantees,
  HOUR,
  isAlive,
  newClient,
  newGrant,
  newRecord,
  newSession,
  ODD,
} from './contract-values.js'
import type { Client } from './records.js'

export const clientGuarantees: Guarantees = {
  'A client is found as it was saved, and no other one is.': async (store) => {
    const full: Client = newClient('full', {
      confidential: true,
      secret: { sha256: 'ab'.repeat(32) },
      uri: 'https://full.example',
      logoUri: 'https://full.example/logo.png',
      tokenEndpointAuthMethod: 'client_secret_basic',
      scopes: ['read', 'write'],
      jwks: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'AA' }] },
      defaultMaxAge: 0,
      requireAuthTime: false,
      postLogoutRedirectUris: ['https://full.example/signed-out'],
      skipConsent: true,
      previousSecret: { secret: { bcrypt: '$2b$10$' }, expiresAt: 1000 },
      tlsClientAuthSubject: { kind: 'dn', value: 'CN=full,O="A, B"' },
      authorizationDetailsTypes: [],
      resources: ['https://api.example'],
      lifetimes: { accessToken: 60 },
      dpopBoundAccessTokens: false,
      source: 'registration',
      ownerId: 'alice',
      verified: false,
      localized: {
        'client_name#ja': '\u30af\u30e9\u30a4\u30a2\u30f3\u30c8',
        'tos_uri#de-AT': 'https://full.example/agb',
      },
      softwareId: '4NRB1-0XZABZI9E6-5SM3R',
      softwareVersion: '2.1',
      softwareStatement: 'e30.e30.c2ln',
      registrationToken: 'cd'.repeat(32),
      fingerprint: 'ef'.repeat(32),
      expiresAt: Date.now() + HOUR,
    })
    const bare = newClient('bare')
    await store.saveClient(full)
    await store.saveClient(bare)
    assertSame(await store.findClient('full'), full)
    assertSame(await store.findClient('bare'), bare)
    assert.equal(await store.findClient('FULL'), undefined)
    assert.equal(await store.findClient(''), undefined)
  },

  'The next revision of a client replaces the whole of it.': async (store) => {
    assert.equal(await store.saveClient(newClient('a', { uri: 'https://a.example', scopes: ['read'] })), true)
    const changed = newClient('a', { revision: 2, name: 'Changed', disabled: true })
    assert.equal(await store.saveClient(changed), true)
    assertSame(await store.findClient('a'), changed)
    assert.equal((await store.listClients()).length, 1)
  },

  'Of two who add or change a client at once, neither undoes what the other did.': async (store) => {
    for (const revision of [1, 2, 3]) {
      const names = Array.from({ length: 10 }, (_, index) => `${revision}.${index}`)
      const saved = await Promise.all(
        names.map((name) => store.saveClient(newClient('a', { revision, name }))),
      )
      assert.equal(saved.filter(Boolean).length, 1)
      assert.equal((await store.findClient('a'))?.name, names[saved.indexOf(true)])
    }
    assert.equal(await store.saveClient(newClient('a', { revision: 2 })), false)
    assert.equal(await store.saveClient(newClient('a', { revision: 5 })), false)
    assert.equal((await store.findClient('a'))?.revision, 3)
  },

  'A client that was deleted in the meantime does not come back by a change.': async (store) => {
    await store.saveClient(newClient('a'))
    await store.deleteClient('a')
    assert.equal(await store.saveClient(newClient('a', { revision: 2 })), false)
    assert.equal(await store.findClient('a'), undefined)
  },

  'Deleting a client ends every grant made to it and what hangs on these, and leaves other clients alone.':
    async (store) => {
      await store.saveClient(newClient('gone'))
      const staying = newClient('stays')
      await store.saveClient(staying)
      const gone = await store.saveGrant(newGrant('alice', 'gone'))
      const stays = await store.saveGrant(newGrant('alice', 'stays'))
      const [ended, kept] = [newRecord({ grantId: gone.id }), newRecord({ grantId: stays.id })]
      await store.insert([ended, kept])
      assert.equal(await store.deleteClient('gone'), true)
      assert.equal(await store.deleteClient('gone'), false)
      assert.equal(await store.findClient('gone'), undefined)
      assert.equal(await store.findGrant('alice', 'gone'), undefined)
      assert.equal(await isAlive(store, ended), false)
      assertSame(await store.findClient('stays'), staying)
      assert.equal(await isAlive(store, kept), true)
    },

  'A client that is registered again under the same id gets nothing of what its forerunner had.': async (
    store,
  ) => {
    await store.saveClient(newClient('a'))
    const grant = await store.saveGrant(newGrant('alice', 'a'))
    const record = newRecord({ grantId: grant.id })
    await store.insert([record])
    await store.deleteClient('a')
    await store.saveClient(newClient('a'))
    await store.saveGrant(newGrant('alice', 'a'))
    assert.equal(await isAlive(store, record), false)
  },

  'Ids and texts are kept as they are, whatever they hold.': async (store) => {
    const odd = `https://x.example/?a=1&b='${ODD}`
    const client = newClient(odd, { name: odd })
    await store.saveClient(client)
    assertSame(await store.findClient(odd), client)
    const grant = await store.saveGrant(newGrant(odd, odd, { access: { [odd]: [odd] } }))
    assertSame(await store.findGrant(odd, odd), grant)
    assertSame(await store.listGrants({ userId: odd, clientId: odd }), [grant])
    assertSame(await store.listGrants({ userId: '%' }), [])
    const record = newRecord({ grantId: grant.id, familyId: odd, data: JSON.stringify({ odd }) })
    await store.insert([record])
    assert.equal((await store.find(record.id))?.data, record.data)
    assert.equal((await store.find(record.id))?.familyId, odd)
    await store.consume(record.id, { now: 1000, trace: odd }, [])
    assert.equal((await store.find(record.id))?.trace, odd)
    await store.touchGrant(grant.id, 1000, odd)
    assert.equal((await store.findGrant(odd, odd))?.lastUsedFrom, odd)
  },

  'Whatever an id holds, it is that id and nothing more.': async (store) => {
    const client = newClient('a', { ownerId: 'alice', fingerprint: 'f' })
    await store.saveClient(client)
    const grant = await store.saveGrant(newGrant('alice', 'a'))
    const record = newRecord({ grantId: grant.id, familyId: 'f' })
    await store.insert([record])
    await store.saveSession(newSession('s', 'a', 'alice'))
    for (const odd of [ODD, '%', '_', "' OR 1=1 --", '', 'A', 'a ', 'a\0']) {
      assert.equal(await store.findClient(odd), undefined)
      assert.equal(await store.deleteClient(odd), false)
      assert.equal(await store.saveClient(newClient(odd, { revision: 2 })), false)
      assertSame(await store.listClients({ ownerId: odd }), [])
      assertSame(await store.listClients({ fingerprint: odd }), [])
      assert.equal(await store.findGrant(odd, odd), undefined)
      assertSame(await store.listGrants({ userId: odd }), [])
      assertSame(await store.listGrants({ clientId: odd }), [])
      assert.equal(await store.revokeGrant(odd), undefined)
      assert.equal(await store.revokeGrant(grant.id, odd), undefined)
      assert.equal(await store.revokeUser(odd), 0)
      assert.equal(await store.revokeClient(odd), 0)
      for (const filter of [{ id: odd }, { userId: odd }, { clientId: odd }])
        assertSame(await store.withdrawScopes(filter, ['read'], 100), [])
      assertSame(await store.withdrawScopes({}, [odd], 100), [])
      await store.touchGrant(odd, 1000, odd)
      assert.equal(await store.find(odd), undefined)
      assertSame(await store.consume(odd, { now: 1000 }, []), { won: false, record: undefined })
      assert.equal(await store.amend(odd, record.data, odd), false)
      assert.equal(await store.amend(record.id, odd, odd), false)
      await store.revokeFamily(odd, Date.now() + HOUR)
      assert.equal(await store.hasSession(odd, 'a'), false)
      assert.equal(await store.hasSession('s', odd), false)
      assertSame(await store.endSessions({ session: odd }), [])
      assertSame(await store.endSessions({ userId: odd }), [])
    }
    assertSame(await store.findClient('a'), client)
    assertSame(await store.listGrants({}), [grant])
    assertSame(await store.find(record.id), { ...record, alive: true })
    assert.equal(await store.hasSession('s', 'a'), true)
  },

  'Of twenty who delete a client at once, one is told that it did.': async (store) => {
    await store.saveClient(newClient('a'))
    await store.saveGrant(newGrant('alice', 'a'))
    const deleted = await Promise.all(Array.from({ length: 20 }, () => store.deleteClient('a')))
    assert.equal(deleted.filter(Boolean).length, 1)
    assertSame(await store.listGrants({}), [])
  },

  'What a caller does to a value afterwards changes nothing in the store.': async (store) => {
    const redirectUris = ['https://a.example/cb']
    await store.saveClient(newClient('a', { redirectUris }))
    redirectUris.push('https://evil.example/cb')
    const found = (await store.findClient('a')) as { redirectUris: string[] } | undefined
    found?.redirectUris.push('https://evil.example/cb')
    assertSame((await store.findClient('a'))?.redirectUris, ['https://a.example/cb'])
    const hash = Buffer.alloc(32, 1)
    const record = newRecord({ hash })
    await store.insert([record])
    hash.fill(2)
    assert.equal((await store.find(record.id))?.hash[0], 1)
  },
}
