import assert from 'node:assert/strict'
import { assertSame, type Guarantees, HOUR, isAlive, newGrant, newRecord } from './contract-values.js'

export const consumeGuarantees: Guarantees = {
  'The first to consume a record wins, and its successors take its place.': async (store) => {
    const grant = await store.saveGrant(newGrant('alice', 'a'))
    const record = newRecord({ grantId: grant.id, familyId: 'f' })
    await store.insert([record])
    const lineage = { grantId: grant.id, familyId: 'f' }
    const successors = [newRecord({ kind: 'access', ...lineage }), newRecord(lineage)]
    const now = Date.now()
    const { won } = await store.consume(record.id, { now, trace: 'the trace' }, successors)
    assert.equal(won, true)
    const used = { ...record, alive: true, usedAt: now, trace: 'the trace' }
    assertSame(await store.find(record.id), used)
    for (const successor of successors) {
      assertSame(await store.find(successor.id), { ...successor, alive: true })
    }
  },

  'The second to consume a record changes nothing, and sees when and with which trace it was used.': async (
    store,
  ) => {
    const [record, first, second] = [newRecord(), newRecord(), newRecord()]
    await store.insert([record])
    await store.consume(record.id, { now: 1000, trace: 'first' }, [first])
    const late = await store.consume(record.id, { now: 2000, trace: 'second' }, [second])
    const used = { ...record, alive: true, usedAt: 1000, trace: 'first' }
    assert.equal(late.won, false)
    assertSame(late.record, used)
    assertSame(await store.find(record.id), used)
    assert.equal(await isAlive(store, first), true)
    assert.equal(await store.find(second.id), undefined)
  },

  'A record may be consumed without successors, with a trace or without.': async (store) => {
    for (const trace of [{}, { trace: 'by whom' }]) {
      const record = newRecord({ kind: 'pushed' })
      await store.insert([record])
      const { won } = await store.consume(record.id, { now: 1000, ...trace }, [])
      assert.equal(won, true)
      const used = { ...record, alive: true, usedAt: 1000, ...trace }
      assertSame(await store.find(record.id), used)
      const late = await store.consume(record.id, { now: 2000, trace: 'another' }, [])
      assertSame(late, { won: false, record: used })
    }
  },

  'Consuming a record ends neither its grant nor its family.': async (store) => {
    const grant = await store.saveGrant(newGrant('alice', 'a'))
    const lineage = { grantId: grant.id, familyId: 'f' }
    const record = newRecord({ kind: 'access', ...lineage })
    const others = [newRecord({ kind: 'access', ...lineage }), newRecord(lineage)]
    await store.insert([record, ...others])
    await store.consume(record.id, { now: 1000 }, [])
    assertSame(await store.find(record.id), { ...record, alive: true, usedAt: 1000 })
    for (const other of others) assertSame(await store.find(other.id), { ...other, alive: true })
    assertSame(await store.findGrant('alice', 'a'), grant)
  },

  'Of a hundred who consume a record at once one wins, and all others see what the winner left.': async (
    store,
  ) => {
    const record = newRecord()
    await store.insert([record])
    const attempts = Array.from({ length: 100 }, (_, index) => ({
      trace: `trace ${index}`,
      successor: newRecord(),
    }))
    const answers = await Promise.all(
      attempts.map(({ trace, successor }) => store.consume(record.id, { now: 1000, trace }, [successor])),
    )
    const winner = answers.findIndex(({ won }) => won)
    assert.equal(answers.filter(({ won }) => won).length, 1)
    for (const [index, { record: met }] of answers.entries()) {
      const seen = index === winner ? undefined : attempts[winner]?.trace
      assert.equal(met?.trace, seen)
      assert.equal(met?.usedAt, index === winner ? undefined : 1000)
    }
    for (const [index, { successor }] of attempts.entries()) {
      assert.equal((await store.find(successor.id)) !== undefined, index === winner)
    }
  },

  'Where a successor cannot be inserted, nothing is consumed, and no grant is saved or grows.': async (
    store,
  ) => {
    const standing = await store.saveGrant(newGrant('bob', 'a'))
    const [record, known, fresh] = [newRecord(), newRecord({ data: '"known"' }), newRecord()]
    await store.insert([record, known])
    const clash = { ...newRecord(), id: known.id }
    await assert.rejects(async () => store.consume(record.id, { now: 1000 }, [fresh, clash]))
    for (const user of ['alice', 'bob']) {
      const grant = newGrant(user, 'a', { access: { 'https://two.example': ['write'] } })
      await assert.rejects(async () => store.consume(record.id, { now: 1000, grant }, [fresh, clash]))
    }
    assertSame(await store.listGrants({}), [standing])
    assertSame(await store.find(record.id), { ...record, alive: true })
    assert.equal((await store.find(known.id))?.data, '"known"')
    assert.equal(await store.find(fresh.id), undefined)
    assert.equal((await store.consume(record.id, { now: 2000 }, [fresh])).won, true)
  },

  'A dead record is not consumed, and stays unused.': async (store) => {
    const grant = await store.saveGrant(newGrant('alice', 'a'))
    const records = [newRecord({ grantId: grant.id }), newRecord({ familyId: 'f' })]
    await store.insert(records)
    await store.revokeGrant(grant.id)
    await store.revokeFamily('f', Date.now() + HOUR)
    for (const record of records) {
      const successor = newRecord()
      const { won, record: met } = await store.consume(record.id, { now: 1000 }, [successor])
      assert.equal(won, false)
      assertSame(met, { ...record, alive: false })
      assert.equal((await store.find(record.id))?.usedAt, undefined)
      assert.equal(await store.find(successor.id), undefined)
    }
  },

  'What a consume inserts while its family is being revoked never lives.': async (store) => {
    for (let round = 0; round < 20; round++) {
      const familyId = `family ${round}`
      const [record, successor] = [newRecord({ familyId }), newRecord({ familyId })]
      await store.insert([record])
      const both = [
        () => store.consume(record.id, { now: 1000 }, [successor]),
        () => store.revokeFamily(familyId, Date.now() + HOUR),
      ]
      if (round % 2) both.reverse()
      await Promise.all(both.map((operation) => operation()))
      assert.equal(await isAlive(store, record), false)
      assert.equal(await isAlive(store, successor), false)
    }
  },

  'What a consume inserts while its grant is being revoked never lives.': async (store) => {
    for (let round = 0; round < 20; round++) {
      const { id: grantId } = await store.saveGrant(newGrant('alice', 'a'))
      const [record, successor] = [newRecord({ grantId }), newRecord({ grantId })]
      await store.insert([record])
      const both: (() => unknown)[] = [
        () => store.consume(record.id, { now: 1000 }, [successor]),
        () => (round % 2 === 0 ? store.revokeGrant(grantId) : store.revokeUser('alice')),
      ]
      if (round % 4 > 1) both.reverse()
      await Promise.all(both.map((operation) => operation()))
      assert.equal(await isAlive(store, record), false)
      assert.equal(await isAlive(store, successor), false)
    }
  },

  'The winner saves its grant in the same step, and successors hang on what that grant has become.': async (
    store,
  ) => {
    const known = await store.saveGrant(
      newGrant('alice', 'a', { access: { 'https://one.example': ['read'] }, claims: ['email'] }),
    )
    const other = await store.saveGrant(newGrant('alice', 'b'))
    for (const [user, id] of [
      ['alice', known.id],
      ['bob', undefined],
    ] as const) {
      const record = newRecord()
      const access = { 'https://two.example': ['write'] }
      const grant = newGrant(user, 'a', { access, claims: ['name'] })
      const successor = newRecord({ grantId: grant.id })
      const others = [newRecord({ grantId: other.id }), newRecord()]
      await store.insert([record])
      const consumed = await store.consume(record.id, { now: 1000, grant }, [
        others[0]!,
        successor,
        others[1]!,
      ])
      for (const one of others) assertSame(await store.find(one.id), { ...one, alive: true })
      assertSame(consumed.grant, await store.findGrant(user, 'a'))
      assert.equal(consumed.grant?.id, id ?? grant.id)
      assert.equal((await store.find(successor.id))?.grantId, consumed.grant?.id)
      assert.equal(await isAlive(store, successor), true)
    }
    const grown = await store.findGrant('alice', 'a')
    assertSame(grown?.access['https://one.example'], ['read'])
    assertSame([...(grown?.claims ?? [])].sort(), ['email', 'name'])
    assertSame((await store.findGrant('bob', 'a'))?.claims, ['name'])
  },

  'Whoever does not win saves no grant.': async (store) => {
    const record = newRecord()
    await store.insert([record])
    await store.consume(record.id, { now: 1000 }, [])
    await store.consume(record.id, { now: 1000, grant: newGrant('alice', 'a') }, [])
    await store.consume(newRecord().id, { now: 1000, grant: newGrant('bob', 'a') }, [])
    const dead = newRecord({ familyId: 'f' })
    await store.insert([dead])
    await store.revokeFamily('f', Date.now() + HOUR)
    await store.consume(dead.id, { now: 1000, grant: newGrant('carol', 'a') }, [])
    assertSame(await store.listGrants({}), [])
  },

  'Either a record is amended first or it is consumed first.': async (store) => {
    for (let round = 0; round < 20; round++) {
      const record = newRecord({ data: '"before"' })
      await store.insert([record])
      const [amended, { won }] = await Promise.all([
        store.amend(record.id, '"before"', '"after"'),
        store.consume(record.id, { now: 1000 }, []),
      ])
      assert.equal(won, true)
      const data = amended ? '"after"' : '"before"'
      assertSame(await store.find(record.id), { ...record, data, alive: true, usedAt: 1000 })
    }
  },
}
