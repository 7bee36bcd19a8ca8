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
} from './contract-values.js'

export const useGuarantees: Guarantees = {
  'The address that a grant was last used from is kept until it is used without one.': async (store) => {
    const grant = await store.saveGrant(newGrant('alice', 'a'))
    const record = newRecord({ grantId: grant.id })
    await store.insert([record])
    await store.touchGrant(grant.id, 1000, '2001:db8::1')
    const used = { ...grant, lastUsedAt: 1000, lastUsedFrom: '2001:db8::1' }
    assertSame(await store.findGrant('alice', 'a'), used)
    assertSame(await store.listGrants({}), [used])
    assertSame((await store.saveGrant(newGrant('alice', 'a'))).lastUsedFrom, '2001:db8::1')
    assert.equal((await store.find(record.id))?.grantLastUsedAt, 1000)
    await store.touchGrant(grant.id, 2000)
    assertSame(await store.findGrant('alice', 'a'), { ...grant, lastUsedAt: 2000 })
    assertSame(await store.revokeGrant(grant.id), { ...grant, lastUsedAt: 2000 })
    await store.touchGrant(grant.id, 3000, '2001:db8::1')
    assertSame(await store.listGrants({}), [])
  },

  'Revoking a client ends every grant made to it, says how many there were, and leaves the client and other grants.':
    async (store) => {
      const client = newClient('a')
      await store.saveClient(client)
      const grants = []
      for (const [user, id] of [
        ['alice', 'a'],
        ['bob', 'a'],
        ['alice', 'b'],
      ] as const)
        grants.push(await store.saveGrant(newGrant(user, id)))
      const records = grants.map(({ id: grantId }) => newRecord({ grantId }))
      await store.insert(records)
      assert.equal(await store.revokeClient('a'), 2)
      assert.equal(await store.revokeClient('a'), 0)
      assertSame(await Promise.all(records.map((record) => isAlive(store, record))), [false, false, true])
      assertSame(await store.listGrants({}), [grants[2]])
      assertSame(await store.findClient('a'), client)
    },

  'Of twenty who revoke a grant at once, by its id, its user or its client, one is told.': async (store) => {
    for (let round = 0; round < 5; round++) {
      const { id } = await store.saveGrant(newGrant('alice', 'a'))
      const ways = [
        async () => ((await store.revokeGrant(id)) === undefined ? 0 : 1),
        async () => ((await store.revokeGrant(id, 'alice')) === undefined ? 0 : 1),
        () => store.revokeUser('alice'),
        () => store.revokeClient('a'),
      ]
      const told = await Promise.all(Array.from({ length: 20 }, (_, index) => ways[(index + round) % 4]!()))
      assert.equal(
        told.reduce((sum, count) => sum + count),
        1,
      )
    }
  },

  'Those who change many grants at once, in whatever order, all come to an end.': async (store) => {
    for (let round = 0; round < 5; round++) {
      for (const user of ['alice', 'bob', 'carol'])
        for (const client of ['a', 'b', 'c']) await store.saveGrant(newGrant(user, client))
      await Promise.all([
        store.revokeUser('alice'),
        store.withdrawScopes({}, ['read'], 100),
        store.revokeClient('b'),
        store.saveGrant(newGrant('carol', 'c', { access: { 'https://api.example': ['list'] } })),
        store.withdrawScopes({ userId: 'bob' }, ['read'], 100),
        store.deleteClient('c'),
        store.revokeUser('carol'),
        store.withdrawScopes({ clientId: 'a' }, ['read'], 100),
      ])
      for (const grant of await store.listGrants({ userId: 'bob' })) assertSame(grant.access, {})
    }
  },

  'Of twenty requests that are approved at once for one user and client nothing is lost.': async (store) => {
    const requests = Array.from({ length: 20 }, () => newRecord({ kind: 'request' }))
    await store.insert(requests)
    const consumed = await Promise.all(
      requests.map(({ id }, index) => {
        const grant = newGrant('alice', 'a', { access: { 'https://api.example': [`scope-${index}`] } })
        return store.consume(id, { now: 1000, grant }, [newRecord({ kind: 'code', grantId: grant.id })])
      }),
    )
    const [grant, ...others] = await store.listGrants({})
    assertSame(others, [])
    assert.equal(new Set(grant?.access['https://api.example']).size, 20)
    for (const one of consumed) assert.equal(one.grant?.id, grant?.id)
  },

  'Purging deletes clients whose time is past, with their grants and sessions, and never others.': async (
    store,
  ) => {
    const now = Date.now()
    const lasting = [newClient('forever'), newClient('later', { expiresAt: now + 2 * HOUR })]
    for (const client of [...lasting, newClient('gone', { expiresAt: now + HOUR })]) {
      await store.saveClient(client)
      await store.saveSession(newSession('s', client.id, 'alice', { expiresAt: now + 9 * HOUR }))
    }
    const [stays, ends] = [
      await store.saveGrant(newGrant('alice', 'forever')),
      await store.saveGrant(newGrant('alice', 'gone')),
    ]
    const records = [stays, ends].map(({ id: grantId }) => newRecord({ grantId }, now + 9 * HOUR))
    await store.insert(records)
    await store.purge(now + HOUR, 100)
    assert.notEqual(await store.findClient('gone'), undefined)
    assert.equal(await store.purge(now + HOUR + 1, 100), 0)
    assert.equal(await store.findClient('gone'), undefined)
    assertSame(await store.listGrants({}), [stays])
    assertSame(await Promise.all(records.map((record) => isAlive(store, record))), [true, false])
    for (const client of lasting) assertSame(await store.findClient(client.id), client)
    const sessions = await store.endSessions({ userId: 'alice' })
    assertSame(sessions.map(({ clientId }) => clientId).sort(), ['forever', 'later'])
  },

  'Purging deletes no more clients than the limit.': async (store) => {
    for (let index = 0; index < 5; index++)
      await store.saveClient(newClient(`client ${index}`, { expiresAt: Date.now() + HOUR }))
    await store.purge(Date.now() + 2 * HOUR, 2)
    assert.equal((await store.listClients()).length, 3)
  },

  'A client that is kept in time survives, also while others purge, or it is gone and cannot be changed.':
    async (store) => {
      const now = Date.now()
      const kept = newClient('kept', { revision: 2 })
      await store.saveClient(newClient('kept', { expiresAt: now + HOUR }))
      assert.equal(await store.saveClient(kept), true)
      for (let round = 0; round < 20; round++) {
        const id = `client ${round}`
        await store.saveClient(newClient(id, { expiresAt: now + HOUR }))
        const both: (() => unknown)[] = [
          () => store.saveClient(newClient(id, { revision: 2 })),
          () => store.purge(now + 2 * HOUR, 100),
        ]
        if (round % 2) both.reverse()
        const answers = await Promise.all(both.map((operation) => operation()))
        assert.equal((await store.findClient(id)) !== undefined, answers[round % 2])
      }
      assertSame(await store.findClient('kept'), kept)
    },

  'Of twenty who purge at once none counts what another one has deleted.': async (store) => {
    const now = Date.now()
    await store.insert(Array.from({ length: 100 }, () => newRecord({}, now + HOUR)))
    const counts = await Promise.all(Array.from({ length: 20 }, () => store.purge(now + 2 * HOUR, 20)))
    for (const count of counts) assert.ok(count <= 20)
    let sum = counts.reduce((before, count) => before + count)
    for (let count = 1; count > 0; sum += count) count = await store.purge(now + 2 * HOUR, 100)
    assert.equal(sum, 100)
  },
}
