import assert from 'node:assert/strict'
import { assertSame, type Guarantees, HOUR, isAlive, KINDS, newGrant, newRecord } from './contract-values.js'

export const recordGuarantees: Guarantees = {
  'A record is found as it was inserted, alive and unused.': async (store) => {
    const grant = await store.saveGrant(newGrant('alice', 'a'))
    const full = newRecord({ kind: 'access', grantId: grant.id, familyId: 'f', data: '{"a":["\u00e9"]}' })
    const bare = newRecord({ kind: 'request' })
    const empty = newRecord({ kind: 'access', grantId: undefined, familyId: undefined })
    assert.equal(await store.insert([full, bare, empty]), true)
    for (const record of [full, bare, empty])
      assertSame(await store.find(record.id), { ...record, alive: true })
  },

  'A record may be of any kind, and its data are kept letter for letter.': async (store) => {
    const odd = `{"b": 1,  "a":"\\u0000\\ud800'%_\u00e9\u{1f511}","a":[],"state":"${'s'.repeat(20_000)}"}`
    const records = KINDS.map((kind) => newRecord({ kind, data: odd }))
    const count = newRecord({ kind: 'attempt', data: '1' })
    assert.equal(await store.insert([...records, count]), true)
    for (const record of [...records, count])
      assertSame(await store.find(record.id), { ...record, alive: true })
    for (const { id } of records) assert.equal(await store.amend(id, odd, `${odd} `), true)
    for (const { id } of records) assert.equal((await store.find(id))?.data, `${odd} `)
  },

  'What does not exist is not found, not consumed, not amended and not revoked.': async (store) => {
    const { id } = newRecord()
    const successor = newRecord()
    assert.equal(await store.find(id), undefined)
    assert.equal(await store.find(''), undefined)
    assertSame(await store.consume(id, { now: Date.now() }, [successor]), {
      won: false,
      record: undefined,
    })
    assert.equal(await store.find(successor.id), undefined)
    assert.equal(await store.amend(id, '{}', '{}'), false)
    assert.equal(await store.revokeGrant(id), undefined)
    assert.equal(await store.revokeUser(id), 0)
    assert.equal(await store.deleteClient(id), false)
    await store.revokeFamily(id, Date.now() + HOUR)
  },

  'Where one of several records exists already, none of them is inserted.': async (store) => {
    const known = newRecord({ data: '"first"' })
    await store.insert([known])
    const others = [newRecord(), newRecord()]
    const again = { ...newRecord({ data: '"second"' }), id: known.id }
    assert.equal(await store.insert([others[0]!, again, others[1]!]), false)
    assertSame(await store.find(known.id), { ...known, alive: true })
    for (const { id } of others) assert.equal(await store.find(id), undefined)
    assert.equal(await store.insert(others), true)
  },

  'An id is taken for as long as its record is there: used, dead, or of another kind.': async (store) => {
    const grant = await store.saveGrant(newGrant('alice', 'a'))
    const records = [newRecord(), newRecord({ familyId: 'f' }), newRecord({ grantId: grant.id })]
    await store.insert(records)
    await store.consume(records[0]!.id, { now: Date.now() }, [])
    await store.revokeFamily('f', Date.now() + HOUR)
    await store.revokeGrant(grant.id)
    for (const { id } of records) {
      const found = await store.find(id)
      assert.equal(await store.insert([newRecord({ id })]), false)
      assert.equal(await store.insert([newRecord({ id, kind: 'proof', data: '"again"' })]), false)
      assertSame(await store.find(id), found)
    }
  },

  'Of many inserts of one id at once, one succeeds, and brings along what is inserted with it.': async (
    store,
  ) => {
    const { id } = newRecord()
    const attempts = Array.from({ length: 20 }, (_, index) => [
      newRecord(),
      newRecord({ id, data: String(index) }),
    ])
    const answers = await Promise.all(attempts.map((records) => store.insert(records)))
    assert.equal(answers.filter(Boolean).length, 1)
    assert.equal((await store.find(id))?.data, String(answers.indexOf(true)))
    for (const [index, [beside]] of attempts.entries())
      assert.equal((await store.find(beside!.id)) !== undefined, answers[index])
  },

  'Amending replaces the data of an unused record, and nothing else of it.': async (store) => {
    const record = newRecord({ familyId: 'f', data: '{"tries":0}' })
    await store.insert([record])
    assert.equal(await store.amend(record.id, '{"tries":0}', '{"tries":1}'), true)
    const amended = { ...record, data: '{"tries":1}', alive: true }
    assertSame(await store.find(record.id), amended)
  },

  'Of many who amend what they have read at once, one succeeds, and the others are told.': async (store) => {
    const record = newRecord({ data: '0' })
    await store.insert([record])
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => store.amend(record.id, '0', String(index + 1))),
    )
    assert.equal(answers.filter(Boolean).length, 1)
    assert.equal((await store.find(record.id))?.data, String(answers.indexOf(true) + 1))
    assert.equal(await store.amend(record.id, '0', '0'), false)
  },

  'A used record is not amended any more.': async (store) => {
    const record = newRecord({ data: '{"tries":0}' })
    await store.insert([record])
    await store.consume(record.id, { now: Date.now() }, [])
    assert.equal(await store.amend(record.id, '{"tries":0}', '{"tries":1}'), false)
    assert.equal((await store.find(record.id))?.data, '{"tries":0}')
  },

  'Revoking a family ends every record of it, used ones included, and no other.': async (store) => {
    const [used, unused] = [newRecord({ familyId: 'f' }), newRecord({ familyId: 'f' })]
    const others = [newRecord({ familyId: 'g' }), newRecord()]
    await store.insert([used, unused, ...others])
    await store.consume(used.id, { now: Date.now() }, [])
    await store.revokeFamily('f', Date.now() + HOUR)
    await store.revokeFamily('f', Date.now() + HOUR)
    assert.equal(await isAlive(store, used), false)
    assert.equal(await isAlive(store, unused), false)
    for (const other of others) assert.equal(await isAlive(store, other), true)
  },

  'What is inserted into a revoked family, or while it is being revoked, never lives.': async (store) => {
    const until = Date.now() + HOUR
    for (let round = 0; round < 20; round++) {
      const familyId = `family ${round}`
      const [before, meanwhile, after] = [1, 2, 3].map(() => newRecord({ familyId }))
      await store.insert([before!])
      const both: (() => unknown)[] = [
        () => store.insert([meanwhile!]),
        () => store.revokeFamily(familyId, until),
      ]
      if (round % 2) both.reverse()
      await Promise.all(both.map((operation) => operation()))
      assert.equal(await store.insert([after!]), true)
      for (const record of [before!, meanwhile!, after!]) assert.equal(await isAlive(store, record), false)
    }
  },

  'A family stays revoked until the latest time that was named.': async (store) => {
    const now = Date.now()
    const record = newRecord({ familyId: 'f' }, now + 4 * HOUR)
    await store.insert([record])
    await store.revokeFamily('f', now + 4 * HOUR)
    await store.revokeFamily('f', now + HOUR)
    await store.purge(now + 3 * HOUR, 100)
    assert.equal(await isAlive(store, record), false)
  },

  'Used and dead records are found until they expire, as they were left.': async (store) => {
    const now = Date.now()
    const grant = await store.saveGrant(newGrant('alice', 'a'))
    const used = newRecord({}, now + 2 * HOUR)
    const dead = [
      newRecord({ familyId: 'f' }, now + 2 * HOUR),
      newRecord({ grantId: grant.id }, now + 2 * HOUR),
    ]
    const expiring = newRecord()
    await store.insert([used, ...dead, expiring])
    await store.consume(used.id, { now, trace: 'the trace' }, [])
    await store.revokeFamily('f', now + 2 * HOUR)
    await store.revokeGrant(grant.id)
    assert.equal(await store.purge(now + HOUR + 60_000, 100), 1)
    assertSame(await store.find(used.id), { ...used, alive: true, usedAt: now, trace: 'the trace' })
    for (const record of dead) assertSame(await store.find(record.id), { ...record, alive: false })
  },

  'Purging deletes what has expired, up to the limit, and nothing that has not.': async (store) => {
    const now = Date.now()
    const grant = await store.saveGrant(newGrant('alice', 'a'))
    const expiring = Array.from({ length: 5 }, (_, index) => newRecord({}, now + HOUR + index))
    const lasting = [newRecord({}, now + 2 * HOUR), newRecord({ grantId: grant.id }, now + 30 * 24 * HOUR)]
    await store.insert([...lasting, ...expiring])
    await store.consume(expiring[0]!.id, { now }, [])
    assert.equal(await store.purge(now, 100), 0)
    assert.equal(await store.purge(now + 2 * HOUR, 2), 2)
    assert.equal(await store.purge(now + 2 * HOUR, 100), 3)
    assert.equal(await store.purge(now + 2 * HOUR, 100), 0)
    for (const { id } of expiring) assert.equal(await store.find(id), undefined)
    for (const record of lasting) assert.equal(await isAlive(store, record), true)
    assertSame(await store.findGrant('alice', 'a'), grant)
  },
}
