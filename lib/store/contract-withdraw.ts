import assert from 'node:assert/strict'
import { assertSame, type Guarantees, newGrant, newRecord, ODD } from './contract-values.js'
import type { Grant } from './records.js'
import type { Store } from './store.js'

const ONE = 'https://one.example'
const TWO = 'https://two.example'

function save(store: Store, userId: string, clientId: string, more: Partial<Grant> = {}): Promise<Grant> {
  const access = { [ONE]: ['read', 'write'], [TWO]: ['read'] }
  return Promise.resolve(store.saveGrant(newGrant(userId, clientId, { access, ...more })))
}

async function recordOn(store: Store, { id: grantId }: Grant) {
  const record = newRecord({ grantId })
  await store.insert([record])
  return record
}

function byUser(grants: readonly Grant[]): string[] {
  return grants.map(({ userId, clientId }) => `${userId} ${clientId}`).sort()
}

/** Either it is allowed or it has been withdrawn, never both and never neither. */
function assertSettled(grant: Grant | undefined, scope: string): void {
  const allowed = Object.values(grant?.access ?? {})
    .flat()
    .includes(scope)
  assert.equal(grant?.withdrawn?.includes(scope) ?? false, !allowed)
}

export const withdrawGuarantees: Guarantees = {
  'Scopes that are withdrawn are gone at every resource, and every record that hangs on the grant shows it.':
    async (store) => {
      const grant = await save(store, 'alice', 'a', { claims: ['email'] })
      const other = await save(store, 'bob', 'a')
      const [record, unrelated, free] = [
        await recordOn(store, grant),
        await recordOn(store, other),
        newRecord(),
      ]
      await store.insert([free])
      assert.equal((await store.find(record.id))?.withdrawn, undefined)
      const changed = await store.withdrawScopes({ id: grant.id }, ['read', 'never allowed'], 100)
      const left = { ...grant, access: { [ONE]: ['write'] }, withdrawn: ['read'] }
      assertSame(changed, [left])
      assertSame(await store.findGrant('alice', 'a'), left)
      assertSame(await store.listGrants({ userId: 'alice' }), [left])
      assertSame(await store.find(record.id), { ...record, alive: true, withdrawn: ['read'] })
      const later = await recordOn(store, grant)
      assertSame((await store.find(later.id))?.withdrawn, ['read'])
      await store.consume(later.id, { now: 1000 }, [])
      assertSame((await store.consume(later.id, { now: 1000 }, [])).record?.withdrawn, ['read'])
      assertSame(await store.findGrant('bob', 'a'), other)
      for (const one of [unrelated, free]) assertSame(await store.find(one.id), { ...one, alive: true })
    },

  'A grant that is left without scopes ends, with every record that hangs on it, and is answered as it was left.':
    async (store) => {
      const grant = await save(store, 'alice', 'a', { claims: ['email'] })
      const other = await save(store, 'bob', 'a')
      const record = await recordOn(store, grant)
      await store.withdrawScopes({ id: grant.id }, ['write'], 100)
      assert.equal((await store.find(record.id))?.alive, true)
      const [empty] = await store.withdrawScopes({ id: grant.id }, ['read'], 100)
      assertSame(empty, { ...grant, access: {}, withdrawn: ['write', 'read'] })
      assert.equal(await store.findGrant('alice', 'a'), undefined)
      assert.equal((await store.find(record.id))?.alive, false)
      assert.equal((await store.consume(record.id, { now: 1000 }, [])).won, false)
      assertSame(await store.withdrawScopes({ id: grant.id }, ['read', 'write'], 100), [])
      assertSame(await store.findGrant('bob', 'a'), other)
      assert.equal((await save(store, 'alice', 'a')).withdrawn, undefined)
    },

  'What is allowed anew while the last scope of a grant is withdrawn is allowed.': async (store) => {
    for (let round = 0; round < 20; round++) {
      const clientId = `client ${round}`
      await save(store, 'alice', clientId, { access: { [ONE]: ['read'] } })
      const request = newRecord()
      await store.insert([request])
      const added = newGrant('alice', clientId, { access: { [ONE]: ['list'] } })
      const code = newRecord({ grantId: added.id })
      const both = [
        () => store.withdrawScopes({ userId: 'alice' }, ['read'], 100),
        () => store.consume(request.id, { now: 1000, grant: added }, [code]),
      ]
      if (round % 2) both.reverse()
      await Promise.all(both.map((operation) => operation()))
      assertSame((await store.findGrant('alice', clientId))?.access, { [ONE]: ['list'] })
      assert.equal((await store.find(code.id))?.alive, true)
    }
  },

  'Scopes are withdrawn from one grant, from those of a user, of a client, of both, or from all, and from no other.':
    async (store) => {
      const filters: [(grants: readonly Grant[]) => Parameters<Store['withdrawScopes']>[0], string[]][] = [
        [([first]) => ({ id: first!.id }), ['alice a']],
        [([first]) => ({ id: first!.id, userId: 'alice' }), ['alice a']],
        [([first]) => ({ id: first!.id, userId: 'bob' }), []],
        [([first]) => ({ id: first!.id, clientId: 'b' }), []],
        [() => ({ userId: 'alice' }), ['alice a', 'alice b']],
        [() => ({ clientId: 'a' }), ['alice a', 'bob a']],
        [() => ({ userId: 'alice', clientId: 'b' }), ['alice b']],
        [() => ({ userId: 'carol' }), []],
        [() => ({}), ['alice a', 'alice b', 'bob a', 'bob b']],
      ]
      for (const [filterOf, changed] of filters) {
        const grants: Grant[] = []
        for (const user of ['alice', 'bob'])
          for (const client of ['a', 'b']) grants.push(await save(store, user, client))
        assertSame(byUser(await store.withdrawScopes(filterOf(grants), ['write'], 100)), changed)
        const left = (await store.listGrants({})).filter(({ withdrawn }) => withdrawn !== undefined)
        assertSame(byUser(left), changed)
        for (const { id } of grants) await store.revokeGrant(id)
      }
    },

  'Only grants that have one of the scopes are changed, up to the limit, until there are none left.': async (
    store,
  ) => {
    for (let index = 0; index < 7; index++) await save(store, `user ${index}`, 'a')
    const untouched = await save(store, 'somebody', 'a', { access: { [ONE]: ['write', 'reader'] } })
    const changed: string[] = []
    for (const count of [3, 3, 1, 0]) {
      const grants = await store.withdrawScopes({ clientId: 'a' }, ['read', 'delete'], 3)
      assert.equal(grants.length, count)
      for (const { withdrawn } of grants) assertSame(withdrawn, ['read'])
      changed.push(...grants.map(({ id }) => id))
    }
    assert.equal(new Set(changed).size, 7)
    assertSame(await store.findGrant('somebody', 'a'), untouched)
    assertSame(await store.withdrawScopes({}, [], 100), [])
  },

  'What is allowed again is no longer withdrawn, and what is not stays withdrawn.': async (store) => {
    const grant = await save(store, 'alice', 'a', { access: { [ONE]: ['read', 'write', 'list'] } })
    const record = await recordOn(store, grant)
    const again = (scope: string) => newGrant('alice', 'a', { access: { [TWO]: [scope] } })
    await store.withdrawScopes({ id: grant.id }, ['read', 'write'], 100)
    const saved = await store.saveGrant(again('read'))
    assertSame(saved, { ...grant, access: { [ONE]: ['list'], [TWO]: ['read'] }, withdrawn: ['write'] })
    assertSame((await store.find(record.id))?.withdrawn, ['write'])
    const request = newRecord()
    await store.insert([request])
    const consumed = await store.consume(request.id, { now: 1000, grant: again('write') }, [])
    assertSame(consumed.grant, { ...grant, access: { [ONE]: ['list'], [TWO]: ['read', 'write'] } })
    assertSame(await store.findGrant('alice', 'a'), consumed.grant)
    assert.equal((await store.find(record.id))?.withdrawn, undefined)
    await store.withdrawScopes({ id: grant.id }, ['read'], 100)
    await store.revokeGrant(grant.id)
    assert.equal((await save(store, 'alice', 'a')).withdrawn, undefined)
  },

  'What is added under the empty name brings nothing back, and is there without what has been withdrawn.':
    async (store) => {
      const grant = await save(store, 'alice', 'a')
      const record = await recordOn(store, grant)
      await store.withdrawScopes({ id: grant.id }, ['read'], 100)
      const vouched = { access: { '': ['read', 'list'] } }
      const left = { ...grant, access: { [ONE]: ['write'], '': ['list'] }, withdrawn: ['read'] }
      assertSame(await save(store, 'alice', 'a', vouched), left)
      assertSame((await store.find(record.id))?.withdrawn, ['read'])
      assertSame((await save(store, 'alice', 'a', { access: { [TWO]: ['read'] } })).access, {
        ...{ [ONE]: ['write'], [TWO]: ['read'], '': ['list'] },
      })
      const again = await save(store, 'alice', 'a', { access: { '': ['read'] } })
      assertSame(again.access, { [ONE]: ['write'], [TWO]: ['read'], '': ['list', 'read'] })
      const [none] = await store.withdrawScopes({ userId: 'alice' }, ['read', 'write', 'list'], 100)
      assertSame(none?.access, {})
      assert.equal((await store.find(record.id))?.alive, false)
    },

  'Grants are changed by their ids, the least first, and from an id on.': async (store) => {
    for (let index = 0; index < 7; index++)
      await save(store, `user ${index % 3}`, `client ${index}`, { access: { [ONE]: ['read'] } })
    const ids = (await store.listGrants({})).map(({ id }) => id).sort()
    const changed: string[] = []
    for (const count of [3, 3, 1]) {
      const after = changed.at(-1)
      const grants = await store.withdrawScopes(after === undefined ? {} : { after }, ['read'], 3)
      assert.equal(grants.length, count)
      changed.push(...grants.map(({ id }) => id))
    }
    assertSame(changed, ids)
    const later = [await save(store, 'alice', 'a'), await save(store, 'alice', 'b')]
    const [least, greatest] = later.map(({ id }) => id).sort()
    for (const filter of [{}, { userId: 'alice' }, { id: greatest! }, { clientId: 'a' }, { clientId: 'b' }])
      assertSame(await store.withdrawScopes({ ...filter, after: greatest! }, ['read'], 3), [])
    const narrowed = await store.withdrawScopes({ userId: 'alice', after: least! }, ['read'], 3)
    assertSame(
      narrowed.map(({ id }) => id),
      [greatest],
    )
  },

  'Names of scopes and resources are kept as they are, whatever they hold.': async (store) => {
    const access = { [ODD]: [ODD, 'read'], 'https://a.example/"]': ['"', 'b"c', '\\'] }
    const grant = await save(store, 'alice', 'a', { access })
    assertSame((await store.findGrant('alice', 'a'))?.access, access)
    const [changed] = await store.withdrawScopes({ id: grant.id }, [ODD, '"', '\\'], 100)
    assertSame(changed?.access, { [ODD]: ['read'], 'https://a.example/"]': ['b"c'] })
    assertSame(changed?.withdrawn, [ODD, '"', '\\'])
    assertSame((await store.find((await recordOn(store, grant)).id))?.withdrawn, changed?.withdrawn)
    assertSame((await save(store, 'alice', 'a', { access: { [ODD]: [ODD] } })).withdrawn, ['"', '\\'])
  },

  'Of twenty who withdraw a scope of a grant at once, one is told that it did.': async (store) => {
    const grant = await save(store, 'alice', 'a')
    const filters = [{ id: grant.id }, { userId: 'alice' }, { clientId: 'a' }, {}]
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => store.withdrawScopes(filters[index % 4]!, ['read'], 100)),
    )
    assertSame(answers.flat(), [{ ...grant, access: { [ONE]: ['write'] }, withdrawn: ['read'] }])
  },

  'Of twenty scopes that are withdrawn at once none comes back.': async (store) => {
    const scopes = Array.from({ length: 20 }, (_, index) => `scope-${index}`)
    const grant = await save(store, 'alice', 'a', { access: { [ONE]: [...scopes, 'read'] } })
    await Promise.all(scopes.map((scope) => store.withdrawScopes({ id: grant.id }, [scope], 100)))
    const left = await store.findGrant('alice', 'a')
    assertSame(left?.access, { [ONE]: ['read'] })
    assertSame([...(left?.withdrawn ?? [])].sort(), [...scopes].sort())
  },

  'A scope that is withdrawn and allowed at once is one of both, and what else is allowed is kept.': async (
    store,
  ) => {
    for (let round = 0; round < 20; round++) {
      const { id } = await save(store, 'alice', `client ${round}`)
      const request = newRecord()
      const record = newRecord({ grantId: id })
      await store.insert([request, record])
      const added = newGrant('alice', `client ${round}`, { access: { [TWO]: ['read', 'list'] } })
      const both: (() => unknown)[] = [
        () => store.withdrawScopes({ userId: 'alice' }, ['read'], 100),
        () =>
          round % 4 > 1 ? store.saveGrant(added) : store.consume(request.id, { now: 1000, grant: added }, []),
        () => store.consume(record.id, { now: 1000 }, [newRecord({ grantId: id })]),
      ]
      if (round % 2) both.reverse()
      await Promise.all(both.map((operation) => operation()))
      const grant = await store.findGrant('alice', `client ${round}`)
      assertSettled(grant, 'read')
      assert.ok(grant?.access[ONE]?.includes('write'), 'what was allowed before')
      assert.ok(grant?.access[TWO]?.includes('list'), 'what was allowed meanwhile')
      assertSame((await store.find(record.id))?.withdrawn, grant?.withdrawn)
    }
  },
}
