import { auditGuarantees } from './contract-audit.js'
import { clientGuarantees } from './contract-clients.js'
import { consumeGuarantees } from './contract-consume.js'
import { grantGuarantees } from './contract-grants.js'
import { keyGuarantees } from './contract-keys.js'
import { listGuarantees } from './contract-lists.js'
import { recordGuarantees } from './contract-records.js'
import { sessionGuarantees } from './contract-sessions.js'
import { useGuarantees } from './contract-use.js'
import { withdrawGuarantees } from './contract-withdraw.js'
import type { Store } from './store.js'

/** Makes a store with nothing in it; it is closed when the check is over. */
export type MakeStore = () => Store | Promise<Store>

/** One thing that a store must do, as a sentence, and the check that it does. */
export interface StoreGuarantee {
  readonly name: string
  /** Rejects with an `AssertionError` of node:assert where the store does not keep it. */
  run(makeStore: MakeStore): Promise<void>
}

/**
 * Every guarantee of `Store`, for any test runner. With Jest or Vitest:
 *
 * ```ts
 * import { storeContract } from 'express-oauth-provider/store-contract'
 *
 * describe('MyStore', () => {
 *   test.each(storeContract)('$name', ({ run }) => run(() => new MyStore()))
 * })
 * ```
 *
 * and with node:test:
 *
 * ```ts
 * import { test } from 'node:test'
 * import { storeContract } from 'express-oauth-provider/store-contract'
 *
 * for (const { name, run } of storeContract) {
 *   test(name, () => run(() => new MyStore()))
 * }
 * ```
 */
export const storeContract: readonly StoreGuarantee[] = Object.entries({
  ...clientGuarantees,
  ...listGuarantees,
  ...grantGuarantees,
  ...withdrawGuarantees,
  ...useGuarantees,
  ...recordGuarantees,
  ...consumeGuarantees,
  ...keyGuarantees,
  ...sessionGuarantees,
  ...auditGuarantees,
}).map(([name, check]) => ({
  name,
  async run(makeStore) {
    const store = await makeStore()
    try {
      await check(store)
    } finally {
      await store.close()
    }
  },
}))
