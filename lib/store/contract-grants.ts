import assert from 'node:assert/strict'
import { assertSame, type Guarantees, isAlive, newGrant, newRecord } from './contract-values.js'
import type { Grant } from './records.js'

const AT = 'https://api.example'

export const grantGuarantees: Guarantees = {
  'A grant is found by its user and client, and by nothing else.': async (store) => {
    const grant = newGrant('alice', 'a', { access: { 'https://api.example/': ['read', 'write'], [AT]: [] } })
    assertSame(await store.saveGrant(grant), grant)
    assertSame(await store.findGrant('alice', 'a'), grant)
    assert.equal(await store.findGrant('bob', 'a'), undefined)
    assert.equal(await store.findGrant('alice', 'b'), undefined)
    assert.equal(await store.findGrant('a', 'alice'), undefined)
  },

  'Grants are listed newest first, by user, by client, by both, or all.': async (store) => {
    const first = await store.saveGrant(newGrant('alice', 'a', { createdAt: 1000 }))
    const third = await store.saveGrant(newGrant('alice', 'b', { createdAt: 3000 }))
    const second = await store.saveGrant(newGrant('bob', 'a', { createdAt: 2000 }))
    assertSame(await store.listGrants({}), [third, second, first])
    assertSame(await store.listGrants({ userId: 'alice' }), [third, first])
    assertSame(await store.listGrants({ clientId: 'a' }), [second, first])
    assertSame(await store.listGrants({ userId: 'bob', clientId: 'a' }), [second])
    assertSame(await store.listGrants({ userId: 'bob', clientId: 'b' }), [])
  },

  'Saving a second grant of a user and client adds to the first and takes nothing away.': async (store) => {
    const first = newGrant('alice', 'a', { access: { 'https://one.example': ['read', 'list'] } })
    await store.saveGrant(first)
    await store.touchGrant(first.id, first.createdAt + 5)
    const second = newGrant('alice', 'a', {
      access: { 'https://one.example': ['list', 'write'], 'https://two.example': ['list'] },
      createdAt: first.createdAt + 1000,
    })
    const saved = await store.saveGrant(second)
    assertSame(saved, await store.findGrant('alice', 'a'))
    const { id, createdAt, lastUsedAt } = saved
    assertSame(
      { id, createdAt, lastUsedAt },
      { id: first.id, createdAt: first.createdAt, lastUsedAt: first.createdAt + 5 },
    )
    assertSame([...(saved.access['https://one.example'] ?? [])].sort(), ['list', 'read', 'write'])
    assertSame(saved.access['https://two.example'], ['list'])
    assert.equal((await store.listGrants({})).length, 1)
  },

  'Claims that were allowed one by one are kept with the grant, and added to those that it has.': async (
    store,
  ) => {
    const first = await store.saveGrant(newGrant('alice', 'a'))
    assert.equal(first.claims, undefined)
    assert.equal((await store.findGrant('alice', 'a'))?.claims, undefined)
    await store.saveGrant(newGrant('alice', 'a', { claims: ['email', 'name'] }))
    await store.saveGrant(newGrant('alice', 'a', { claims: ['name', 'birthdate'] }))
    const last = await store.saveGrant(newGrant('alice', 'a'))
    const found = await store.findGrant('alice', 'a')
    const [listed] = await store.listGrants({})
    const revoked = await store.revokeGrant(first.id)
    for (const grant of [last, found, listed, revoked]) {
      assert.equal(grant?.id, first.id)
      assertSame([...(grant.claims ?? [])].sort(), ['birthdate', 'email', 'name'])
    }
  },

  'Of twenty grants that are saved at once for one user and client there is one, with every scope and claim.':
    async (store) => {
      const scopes = Array.from({ length: 20 }, (_, index) => `scope-${index}`)
      const saved = await Promise.all(
        scopes.map((scope) =>
          store.saveGrant(newGrant('alice', 'a', { access: { [AT]: [scope] }, claims: [`claim-${scope}`] })),
        ),
      )
      assert.equal(new Set(saved.map(({ id }) => id)).size, 1)
      const [grant, ...others] = await store.listGrants({})
      assertSame(others, [])
      assertSame([...(grant?.access[AT] ?? [])].sort(), [...scopes].sort())
      assertSame([...(grant?.claims ?? [])].sort(), scopes.map((scope) => `claim-${scope}`).sort())
      for (const [index, { access }] of saved.entries()) assert.ok(access[AT]?.includes(`scope-${index}`))
    },

  'A grant remembers a hundred resources and forgets the oldest beyond them, so that nobody makes it grow.':
    async (store) => {
      const resources = Array.from({ length: 150 }, (_, index) => `https://api.example/${index}`)
      for (const resource of resources)
        await store.saveGrant(newGrant('alice', 'a', { access: { [resource]: ['read'] } }))
      const grant = await store.findGrant('alice', 'a')
      assertSame(Object.keys(grant?.access ?? {}), [...resources.slice(-100), ''])
    },

  'What was allowed at resources that are forgotten stands under the empty name, and can be withdrawn.':
    async (store) => {
      const save = (access: Grant['access']) => store.saveGrant(newGrant('alice', 'a', { access }))
      const { id } = await save({ [AT]: ['read', 'write'], '': ['list', 'read'] })
      const record = newRecord({ grantId: id })
      await store.insert([record])
      for (let round = 0; round < 12; round++) {
        const resources = Array.from({ length: 10 }, (_, index) => `${AT}/${round}/${index}`)
        await save(Object.fromEntries(resources.map((resource) => [resource, ['share']])))
      }
      const { access } = (await store.findGrant('alice', 'a')) ?? {}
      assertSame(access?.[''], ['list', 'read', 'write', 'share'])
      assert.equal(Object.keys(access ?? {}).length, 101)
      const [left] = await store.withdrawScopes({}, ['write', 'share'], 100)
      assertSame(left?.access, { '': ['list', 'read'] })
      assertSame((await store.find(record.id))?.withdrawn, ['write', 'share'])
    },

  'The use of a grant is noted on it and shown by every record that hangs on it.': async (store) => {
    const grant = await store.saveGrant(newGrant('alice', 'a'))
    const record = newRecord({ grantId: grant.id })
    await store.insert([record])
    assert.equal((await store.findGrant('alice', 'a'))?.lastUsedAt, undefined)
    assert.equal((await store.find(record.id))?.grantLastUsedAt, undefined)
    const now = Date.now()
    await store.touchGrant(grant.id, now)
    await store.touchGrant('unknown', now)
    assertSame(await store.findGrant('alice', 'a'), { ...grant, lastUsedAt: now })
    assert.equal((await store.find(record.id))?.grantLastUsedAt, now)
    assert.equal((await store.listGrants({})).length, 1)
  },

  'Revoking a grant ends every record that hangs on it, and no other.': async (store) => {
    const alice = await store.saveGrant(newGrant('alice', 'a'))
    const bob = await store.saveGrant(newGrant('bob', 'a'))
    const ended = [newRecord({ grantId: alice.id, familyId: 'f' }), newRecord({ grantId: alice.id })]
    const kept = [newRecord({ grantId: bob.id, familyId: 'f' }), newRecord()]
    await store.insert([...ended, ...kept])
    assertSame(await store.revokeGrant(alice.id), alice)
    assert.equal(await store.revokeGrant(alice.id), undefined)
    assert.equal(await store.findGrant('alice', 'a'), undefined)
    for (const record of ended) assert.equal(await isAlive(store, record), false)
    for (const record of kept) assert.equal(await isAlive(store, record), true)
  },

  'A grant is revoked in the name of its own user only.': async (store) => {
    const grant = await store.saveGrant(newGrant('alice', 'a'))
    assert.equal(await store.revokeGrant(grant.id, 'bob'), undefined)
    assertSame(await store.findGrant('alice', 'a'), grant)
    assertSame(await store.revokeGrant(grant.id, 'alice'), grant)
    assert.equal(await store.revokeGrant('unknown', 'alice'), undefined)
  },

  'Revoking a user ends all of their grants, and says how many there were.': async (store) => {
    const records = []
    for (const [user, client] of [
      ['alice', 'a'],
      ['alice', 'b'],
      ['bob', 'a'],
    ] as const) {
      const grant = await store.saveGrant(newGrant(user, client))
      records.push(newRecord({ grantId: grant.id }))
    }
    await store.insert(records)
    assert.equal(await store.revokeUser('alice'), 2)
    assert.equal(await store.revokeUser('alice'), 0)
    assertSame(await Promise.all(records.map((record) => isAlive(store, record))), [false, false, true])
    assert.equal((await store.listGrants({})).length, 1)
  },

  'What hung on a revoked grant stays dead when the user approves again.': async (store) => {
    const before = await store.saveGrant(newGrant('alice', 'a'))
    const record = newRecord({ grantId: before.id })
    await store.insert([record])
    await store.revokeGrant(before.id)
    const after = await store.saveGrant(newGrant('alice', 'a', { access: { [AT]: ['write'] } }))
    assert.notEqual(after.id, before.id)
    assertSame(after.access, { [AT]: ['write'] })
    assert.equal(await isAlive(store, record), false)
  },

  'A record is dead from the start where its grant has been revoked already.': async (store) => {
    const grant = await store.saveGrant(newGrant('alice', 'a'))
    await store.revokeGrant(grant.id)
    const record = newRecord({ grantId: grant.id })
    assert.equal(await store.insert([record]), true)
    assert.equal(await isAlive(store, record), false)
  },
}
