import assert from 'node:assert/strict'
import { assertSame, type Guarantees, newClient, newGrant } from './contract-values.js'
import type { ClientFilter, GrantFilter, Position, Store } from './store.js'

async function idsOf(store: Store, filter?: ClientFilter): Promise<string[]> {
  return (await store.listClients(filter)).map(({ id }) => id)
}

/** What comes page by page, until one is not full. */
async function pages<T extends Position>(
  limit: number,
  read: (page: { limit: number; after?: Position }) => PromiseLike<readonly T[]> | readonly T[],
): Promise<string[]> {
  const ids: string[] = []
  for (let after: Position | undefined; ; ) {
    const page = await read({ limit, ...(after && { after: { createdAt: after.createdAt, id: after.id } }) })
    assert.ok(page.length <= limit)
    ids.push(...page.map(({ id }) => id))
    if (page.length < limit) return ids
    after = page.at(-1)
  }
}

export const listGuarantees: Guarantees = {
  'Clients are listed oldest first, or newest first, and of one millisecond by id.': async (store) => {
    assertSame(await store.listClients(), [])
    await store.saveClient(newClient('second', { createdAt: 2000 }))
    await store.saveClient(newClient('Third', { createdAt: 3000 }))
    await store.saveClient(newClient('fourth', { createdAt: 3000 }))
    await store.saveClient(newClient('first', { createdAt: 1000 }))
    assertSame(await idsOf(store), ['first', 'second', 'Third', 'fourth'])
    assertSame(await idsOf(store, { newestFirst: true }), ['fourth', 'Third', 'second', 'first'])
  },

  'Clients are listed by owner, by fingerprint, or by both.': async (store) => {
    await store.saveClient(newClient('one', { createdAt: 1000, ownerId: 'alice', fingerprint: 'f' }))
    await store.saveClient(newClient('two', { createdAt: 2000, ownerId: 'alice', fingerprint: 'g' }))
    await store.saveClient(newClient('three', { createdAt: 3000, ownerId: 'bob', fingerprint: 'f' }))
    await store.saveClient(newClient('four', { createdAt: 4000 }))
    for (const newestFirst of [false, true]) {
      const lists: [ClientFilter, string[]][] = [
        [{ ownerId: 'alice' }, ['one', 'two']],
        [{ fingerprint: 'f' }, ['one', 'three']],
        [{ ownerId: 'alice', fingerprint: 'f' }, ['one']],
        [{ ownerId: 'bob', fingerprint: 'g' }, []],
        [{ ownerId: 'carol' }, []],
      ]
      for (const [filter, ids] of lists)
        assertSame(await idsOf(store, { ...filter, newestFirst }), newestFirst ? ids.reverse() : ids)
    }
  },

  'A client is listed by what it is now, not by what it was.': async (store) => {
    await store.saveClient(newClient('a', { ownerId: 'alice', fingerprint: 'f', name: 'Before' }))
    await store.saveClient(newClient('a', { revision: 2, ownerId: 'bob', name: 'After' }))
    for (const filter of [{ ownerId: 'alice' }, { fingerprint: 'f' }, { matching: 'before' }])
      assertSame(await idsOf(store, filter), [])
    for (const filter of [{ ownerId: 'bob' }, { matching: 'after' }])
      assertSame(await idsOf(store, filter), ['a'])
  },

  'Clients are found by a part of their name or id, in capitals or not, and no sign stands for others.':
    async (store) => {
      await store.saveClient(newClient('Photo-Printer', { createdAt: 1000, name: '100% of_it \u00c9cole' }))
      await store.saveClient(newClient('other', { createdAt: 2000, name: "It's [a] photo*" }))
      const found: [string, string[]][] = [
        ['PHOTO', ['Photo-Printer', 'other']],
        ['photo-p', ['Photo-Printer']],
        ['ITS', []],
        ["it's", ['other']],
        ['100%', ['Photo-Printer']],
        ['%', ['Photo-Printer']],
        ['F_I', ['Photo-Printer']],
        ['_', ['Photo-Printer']],
        ['p%r', []],
        ['p_oto', []],
        ['.*', []],
        ['o*', ['other']],
        ['[a]', ['other']],
        ['\\', []],
        ['\u00c9COLE', ['Photo-Printer']],
        ["' OR '1'='1", []],
        ['other ', []],
        ['\0', []],
        ['', ['Photo-Printer', 'other']],
      ]
      for (const [matching, ids] of found)
        assertSame([matching, await idsOf(store, { matching })], [matching, ids])
    },

  'Clients come in pages that lose none and repeat none, whatever else is asked of them.': async (store) => {
    const expected: string[] = []
    for (let index = 0; index < 24; index++) {
      const mine = index % 2 === 0
      const named = index % 3 === 0
      const id = `${named ? 'Shop' : 'other'} ${String(index).padStart(2, '0')}`
      const owned = { ownerId: mine ? 'alice' : 'bob', fingerprint: 'f' }
      await store.saveClient(newClient(id, { name: 'x', createdAt: 1000 + Math.floor(index / 9), ...owned }))
      if (mine && named) expected.push(id)
    }
    const everyone = await idsOf(store)
    for (const newestFirst of [false, true]) {
      const all = await pages(5, (page) => store.listClients({ ...page, newestFirst }))
      assertSame(all, newestFirst ? [...everyone].reverse() : everyone)
      const filter = { ownerId: 'alice', fingerprint: 'f', matching: 'SHOP', newestFirst }
      const some = await pages(2, (page) => store.listClients({ ...filter, ...page }))
      assertSame(some, newestFirst ? [...expected].reverse() : expected)
    }
    const after = { createdAt: 1001, id: 'P' }
    assertSame(
      await idsOf(store, { after }),
      everyone
        .filter((id) => id > 'P' && everyone.indexOf(id) > 8 && everyone.indexOf(id) < 18)
        .concat(everyone.slice(18)),
    )
  },

  'Grants come in pages that lose none and repeat none, of a user, of a client, or of all.': async (
    store,
  ) => {
    for (let index = 0; index < 24; index++) {
      const [userId, clientId] = [`user ${index % 4}`, `client ${Math.floor(index / 4)}`]
      await store.saveGrant(newGrant(userId, clientId, { createdAt: 1000 + (index % 3) }))
    }
    const filters: GrantFilter[] = [{}, { userId: 'user 1' }, { clientId: 'client 2' }]
    for (const filter of filters) {
      const all = (await store.listGrants(filter)).map(({ id }) => id)
      assert.equal(all.length, [24, 6, 4][filters.indexOf(filter)])
      for (const limit of [1, 5, 100])
        assertSame(await pages(limit, (page) => store.listGrants({ ...filter, ...page })), all)
    }
    const both = { userId: 'user 1', clientId: 'client 2' }
    assertSame(await pages(1, (page) => store.listGrants({ ...both, ...page })), [
      (await store.findGrant(both.userId, both.clientId))?.id,
    ])
  },
}
