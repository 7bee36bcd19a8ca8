type Generate = (...how: [{ name?: string }, ...unknown[]]) => Promise<unknown>
type Pools = Map<string, Promise<unknown>[]>

const POOLS = Symbol.for('express-oauth-provider: RSA keys of the suites before')
/** How many of each kind this suite has been given. */
const taken = new Map<string, number>()
let isWithout = false

/** To make RSA keys takes most of the time of some suites, so each gets those that others have made in its process, and no two alike. */
export function reuseRsaKeysOfOtherSuites(): void {
  // Of Node itself, so that all suites of a process have the same one.
  const subtle = crypto.subtle as typeof crypto.subtle & { [POOLS]?: Pools }
  Reflect.deleteProperty(subtle, 'generateKey')
  subtle[POOLS] ??= new Map()
  const pools = subtle[POOLS]
  const generateKey = subtle.generateKey.bind(subtle) as unknown as Generate
  const generate: Generate = (...how) => {
    if (isWithout || !how[0].name?.startsWith('RSA')) return generateKey(...how)
    const kind = JSON.stringify(how)
    const index = taken.get(kind) ?? 0
    taken.set(kind, index + 1)
    const pool = pools.get(kind) ?? []
    pools.set(kind, pool)
    pool[index] ??= generateKey(...how)
    return pool[index]
  }
  Object.defineProperty(subtle, 'generateKey', { configurable: true, writable: true, value: generate })
}

/** Each test of the suite gets the same ones again, and no two of its own alike. What is returned makes the rest of a test go without. */
export function reuseRsaKeys(): () => void {
  beforeEach(() => {
    taken.clear()
    isWithout = false
  })
  return () => {
    isWithout = true
  }
}
