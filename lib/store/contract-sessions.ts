import assert from 'node:assert/strict'
import { assertSame, type Guarantees, HOUR, newClient, newSession } from './contract-values.js'
import type { ClientSession } from './records.js'
import type { Store } from './store.js'

type Filter = Parameters<Store['endSessions']>[0]

/** In one order, whichever the store has. */
async function end(store: Store, filter: Filter): Promise<ClientSession[]> {
  return [...(await store.endSessions(filter))].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
}

function nameOf({ session, clientId }: ClientSession): string {
  return `${session} ${clientId}`
}

export const sessionGuarantees: Guarantees = {
  'Ending a login session answers what it was at each client, once, and leaves others alone.': async (
    store,
  ) => {
    const ended = [newSession('one', 'a', 'alice'), newSession('one', 'b', 'alice')]
    const other = newSession('two', 'a', 'alice')
    for (const session of [...ended, other]) await store.saveSession(session)
    assertSame(await end(store, { session: 'ONE' }), [])
    for (const { session, clientId } of ended) assert.equal(await store.hasSession(session, clientId), true)
    assert.equal(await store.hasSession('one', 'c'), false)
    assertSame(await end(store, { session: 'one' }), ended)
    for (const { session, clientId } of ended) assert.equal(await store.hasSession(session, clientId), false)
    assert.equal(await store.hasSession('two', 'a'), true)
    assertSame(await end(store, { session: 'one' }), [])
    assertSame(await end(store, { session: 'two' }), [other])
  },

  'Ending the sessions of a user ends all of theirs, and no other.': async (store) => {
    const ended = [newSession('one', 'a', 'alice'), newSession('two', 'a', 'alice')]
    const other = newSession('three', 'a', 'bob')
    for (const session of [other, ...ended]) await store.saveSession(session)
    assertSame(await end(store, { userId: 'ALICE' }), [])
    assertSame(await end(store, { userId: 'alice' }), ended)
    assertSame(await end(store, { userId: 'alice' }), [])
    assertSame(await end(store, { userId: 'bob' }), [other])
  },

  'A session that is noted again is the same one, with its new expiry.': async (store) => {
    const session = newSession('one', 'a', 'alice')
    const later = { ...session, expiresAt: session.expiresAt + HOUR }
    await store.saveSession(session)
    await store.saveSession(later)
    await store.purge(session.expiresAt + 1000, 100)
    assertSame(await end(store, { session: 'one' }), [later])
  },

  'Of twenty who end a session at once, one is told of it.': async (store) => {
    for (let round = 0; round < 5; round++) {
      const session = newSession('one', 'a', 'alice')
      await store.saveSession(session)
      const filters = Array.from(
        { length: 20 },
        (_, index): Filter => (index % 2 === 0 ? { session: 'one' } : { userId: 'alice' }),
      )
      const answers = await Promise.all(filters.map((filter) => store.endSessions(filter)))
      assertSame(answers.flat(), [session])
    }
  },

  'Of twenty who note a session at once, all find one.': async (store) => {
    const session = newSession('one', 'a', 'alice')
    await Promise.all(Array.from({ length: 20 }, () => store.saveSession(session)))
    assertSame(await end(store, { userId: 'alice' }), [session])
  },

  'Purging forgets sessions that have expired, and none that has not.': async (store) => {
    const now = Date.now()
    const lasting = newSession('one', 'lasting', 'alice', { expiresAt: now + 2 * HOUR })
    for (const id of ['a', 'b', 'c']) await store.saveSession(newSession('one', id, 'alice'))
    await store.saveSession(lasting)
    assert.equal(await store.purge(now + HOUR + 60_000, 100), 0)
    assertSame(await end(store, { userId: 'alice' }), [lasting])
  },

  'Deleting a client ends its sessions, and no others.': async (store) => {
    await store.saveClient(newClient('gone'))
    await store.saveSession(newSession('one', 'gone', 'alice'))
    const staying = newSession('one', 'stays', 'alice')
    await store.saveSession(staying)
    await store.deleteClient('gone')
    assertSame(await end(store, { session: 'one' }), [staying])
  },

  'Ids of sessions are kept as they are, whatever they hold.': async (store) => {
    const odd = `x:'"\\%_; DROP TABLE sessions;--\n\u00e9\u{1f511}`
    const session = newSession(odd, odd, odd)
    await store.saveSession(session)
    assertSame(await end(store, { session: '%' }), [])
    assertSame(await end(store, { userId: odd }), [session])
  },
}
