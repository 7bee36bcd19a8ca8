import { AsyncLocalStorage } from 'node:async_hooks'
import { hashChosenSecretsQuickly } from './chosen-secrets.js'
import { reuseRsaKeysOfOtherSuites } from './made-rsa-keys.js'

hashChosenSecretsQuickly()
reuseRsaKeysOfOtherSuites()

/**
 * Jest keeps the running test in one of these, makes a new one for each suite, and leaves the old ones on. Every promise that is made passes
 * on what is in each of them: without this a suite would take the longer the more of them its process has run before.
 */
const LEFT = Symbol.for('express-oauth-provider: storages of the suites before')

// Of Node itself, so that all suites of a process have the same one.
const prototype: AsyncLocalStorage<unknown> & { [LEFT]?: Set<AsyncLocalStorage<unknown>> } =
  AsyncLocalStorage.prototype

for (const storage of prototype[LEFT] ?? remember()) storage.disable()
prototype[LEFT]?.clear()

/** From now on each that is used is known. */
function remember(): Set<AsyncLocalStorage<unknown>> {
  const used = new Set<AsyncLocalStorage<unknown>>()
  const { run } = prototype
  prototype.run = function (this: AsyncLocalStorage<unknown>, ...how: Parameters<typeof run>) {
    used.add(this)
    return run.apply(this, how)
  } as typeof run
  prototype[LEFT] = used
  return used
}
