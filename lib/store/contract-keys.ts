import assert from 'node:assert/strict'
import { assertSame, type Guarantees } from './contract-values.js'

export const keyGuarantees: Guarantees = {
  'There are no keys until some are saved, and then they are found as they were saved.': async (store) => {
    assert.equal(await store.findKeys(), undefined)
    const keys = { revision: 1, data: JSON.stringify([{ d: `'"\\%_\n\u00e9${'x'.repeat(50_000)}` }]) }
    assert.equal(await store.saveKeys(keys), true)
    assertSame(await store.findKeys(), keys)
  },

  'The next revision of the keys replaces the whole of them, and any other one changes nothing.': async (
    store,
  ) => {
    assert.equal(await store.saveKeys({ revision: 2, data: 'too early' }), false)
    assert.equal(await store.findKeys(), undefined)
    assert.equal(await store.saveKeys({ revision: 1, data: 'first' }), true)
    assert.equal(await store.saveKeys({ revision: 1, data: 'first again' }), false)
    assert.equal(await store.saveKeys({ revision: 3, data: 'too early' }), false)
    assertSame(await store.findKeys(), { revision: 1, data: 'first' })
    assert.equal(await store.saveKeys({ revision: 2, data: 'second' }), true)
    assert.equal(await store.saveKeys({ revision: 1, data: 'too late' }), false)
    assert.equal(await store.saveKeys({ revision: 2, data: 'too late' }), false)
    assertSame(await store.findKeys(), { revision: 2, data: 'second' })
  },

  'Of twenty who make or change the keys at once one wins, and the others are told.': async (store) => {
    for (const revision of [1, 2, 3]) {
      const attempts = Array.from({ length: 20 }, (_, index) => `${revision}.${index}`)
      const saved = await Promise.all(attempts.map((data) => store.saveKeys({ revision, data })))
      assert.equal(saved.filter(Boolean).length, 1)
      assertSame(await store.findKeys(), { revision, data: attempts[saved.indexOf(true)] })
    }
  },
}
