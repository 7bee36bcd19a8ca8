import assert from 'node:assert/strict'
import { assertSame, type Guarantees, newEntry, ODD } from './contract-values.js'
import type { AuditEntry } from './records.js'
import type { AuditFilter, Store } from './store.js'

/** Nothing is older than this. */
const NEVER = 0

async function idsOf(store: Store, filter: Partial<AuditFilter> = {}): Promise<string[]> {
  return (await store.listAudit({ limit: 1000, ...filter })).map(({ id }) => id)
}

/** Newest first. */
function sorted(entries: readonly AuditEntry[]): AuditEntry[] {
  return [...entries].sort((a, b) => (a.id < b.id ? 1 : -1))
}

export const auditGuarantees: Guarantees = {
  'Entries of the audit log are listed newest first, as they were appended.': async (store) => {
    assertSame(await store.listAudit({ limit: 10 }), [])
    const full = newEntry(2000, {
      clientId: 'a',
      userId: 'alice',
      grantId: 'g',
      by: 'admin:bob',
      address: '2001:db8::1',
      details: { scopes: ['read'], count: 2, nested: { none: null, yes: true } },
    })
    const entries = [newEntry(3000, { event: 'client.changed' }), newEntry(1000), full]
    await store.appendAudit(entries, NEVER)
    assertSame(await store.listAudit({ limit: 10 }), sorted(entries))
  },

  'Entries of one millisecond are listed by id, backwards.': async (store) => {
    const entries = Array.from({ length: 20 }, () => newEntry(1000))
    await store.appendAudit(entries, NEVER)
    assertSame(await store.listAudit({ limit: 100 }), sorted(entries))
  },

  'Entries are kept as they are, whatever they hold and however long it is.': async (store) => {
    const texts = { clientId: ODD, userId: ODD, grantId: ODD, by: ODD, address: ODD }
    const details = { [ODD]: ODD, long: 'x'.repeat(100_000), '': ['', 0, -1.5, false] }
    const entries = [newEntry(2000, { event: ODD, ...texts, details }), newEntry(1000, { details: {} })]
    await store.appendAudit(entries, NEVER)
    assertSame(await store.listAudit({ limit: 10 }), entries)
    for (const filter of [{ event: ODD }, { clientId: ODD }, { userId: ODD }])
      assertSame(await idsOf(store, filter), [entries[0]!.id])
    for (const odd of ['%', "' OR '1'='1", '', 'a\0'])
      for (const filter of [{ event: odd }, { clientId: odd }, { userId: odd }])
        assertSame(await idsOf(store, filter), [])
  },

  'Entries are listed by event, by client, by user, and by all of these at once.': async (store) => {
    const entries: AuditEntry[] = []
    for (const event of ['token.issued', 'token.revoked'])
      for (const clientId of ['a', 'b', undefined])
        for (const userId of ['alice', 'bob', undefined]) {
          const more = { ...(clientId && { clientId }), ...(userId && { userId }) }
          entries.push(newEntry(1000 + entries.length, { event, ...more }))
        }
    await store.appendAudit(entries, NEVER)
    const filters: Partial<AuditFilter>[] = [
      {},
      { event: 'token.issued' },
      { clientId: 'a' },
      { userId: 'bob' },
      { event: 'token.revoked', clientId: 'b', userId: 'alice' },
      { event: 'TOKEN.ISSUED' },
    ]
    for (const filter of filters) {
      const matching = entries.filter((entry) =>
        Object.entries(filter).every(([name, value]) => entry[name as keyof AuditEntry] === value),
      )
      assertSame(await store.listAudit({ ...filter, limit: 100 }), sorted(matching))
    }
  },

  'Entries are listed from a time on and before a time.': async (store) => {
    const entries = [999, 1000, 1000, 1001, 2000, 2001, 2 ** 40].map((at) => newEntry(at))
    await store.appendAudit(entries, NEVER)
    const ranges: [Partial<AuditFilter>, (at: number) => boolean][] = [
      [{ since: 1000 }, (at) => at >= 1000],
      [{ until: 1000 }, (at) => at < 1000],
      [{ since: 1000, until: 2001 }, (at) => at >= 1000 && at < 2001],
      [{ since: 1002, until: 1003 }, () => false],
      [{ since: 0, until: 0 }, () => false],
      [{ since: 2001, until: 1000 }, () => false],
    ]
    for (const [range, within] of ranges) {
      const matching = entries.filter(({ at }) => within(at))
      assertSame(await store.listAudit({ ...range, limit: 100 }), sorted(matching))
    }
  },

  'Entries come in pages that lose none and repeat none, also while others are added.': async (store) => {
    const entries = Array.from({ length: 25 }, (_, index) =>
      newEntry(1000 + Math.floor(index / 4), { clientId: index % 2 ? 'a' : 'b' }),
    )
    await store.appendAudit(entries, NEVER)
    let later = 9000
    for (const filter of [{}, { clientId: 'a' }, { since: 1002, until: 1005 }]) {
      const all = await idsOf(store, filter)
      const found: string[] = []
      for (let page = await idsOf(store, { ...filter, limit: 4 }); page.length > 0; ) {
        found.push(...page)
        await store.appendAudit([newEntry(++later, { clientId: 'a' })], NEVER)
        page = await idsOf(store, { ...filter, limit: 4, before: page.at(-1)! })
      }
      assertSame(found, all)
    }
    assertSame(
      await idsOf(store, { until: 1001, before: entries[20]!.id }),
      await idsOf(store, { until: 1001 }),
    )
    assertSame(await idsOf(store, { before: entries[0]!.id, limit: 0 }), [])
  },

  'Of twenty who append at once nothing is lost.': async (store) => {
    const batches = Array.from({ length: 20 }, (_, index) => [newEntry(1000 + index), newEntry(1000)])
    await Promise.all(batches.map((entries) => store.appendAudit(entries, NEVER)))
    assertSame(await store.listAudit({ limit: 100 }), sorted(batches.flat()))
  },

  'Appending deletes the oldest of what is too old, twice as many as it adds, and nothing else.': async (
    store,
  ) => {
    const old = Array.from({ length: 10 }, (_, index) => newEntry(1000 + index))
    const lasting = [newEntry(2000), newEntry(2001)]
    await store.appendAudit([...old, ...lasting], NEVER)
    const added = [newEntry(5000), newEntry(5001)]
    await store.appendAudit(added, 2000)
    assertSame(await store.listAudit({ limit: 100 }), sorted([...old.slice(4), ...lasting, ...added]))
    const last = Array.from({ length: 20 }, () => newEntry(6000))
    await store.appendAudit(last, 2000)
    assertSame(await store.listAudit({ limit: 100 }), sorted([...lasting, ...added, ...last]))
  },

  'Where nothing is appended, much of what is too old is deleted.': async (store) => {
    await store.appendAudit(
      Array.from({ length: 200 }, () => newEntry(1000)),
      NEVER,
    )
    const lasting = newEntry(2000)
    await store.appendAudit([lasting], NEVER)
    await store.appendAudit([], 2000)
    assertSame(await store.listAudit({ limit: 1000 }), [lasting])
  },

  'Of twenty who delete what is too old at once none waits for ever, and nothing else goes.': async (
    store,
  ) => {
    const lasting = newEntry(2000)
    const old = Array.from({ length: 100 }, () => newEntry(1000))
    await store.appendAudit([lasting, ...old], NEVER)
    const added = Array.from({ length: 20 }, () => newEntry(3000))
    await Promise.all(added.map((entry) => store.appendAudit([entry], 2000)))
    const left = await store.listAudit({ limit: 1000 })
    assertSame(left.slice(0, 21), sorted([lasting, ...added]))
    assert.ok(left.length < 121)
  },
}
