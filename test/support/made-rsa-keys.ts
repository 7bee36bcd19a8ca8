/**
 * To make RSA keys takes most of the time of some suites, so each test gets those that an earlier one has made, and no two of its own alike.
 * What is returned makes the rest of a test go without.
 */
export function reuseRsaKeys(): () => void {
  const made: Promise<unknown>[] = []
  let taken = 0
  const generateKey = crypto.subtle.generateKey.bind(crypto.subtle) as (...how: unknown[]) => Promise<unknown>
  Object.defineProperty(crypto.subtle, 'generateKey', {
    configurable: true,
    writable: true,
    value: (...how: [{ name?: string }, ...unknown[]]) => {
      if (!how[0].name?.startsWith('RSA')) return generateKey(...how)
      const index = taken++
      made[index] ??= generateKey(...how)
      return made[index]
    },
  })
  beforeEach(() => {
    taken = 0
  })
  // The suites that run in one process share this object.
  afterAll(() => {
    Reflect.deleteProperty(crypto.subtle, 'generateKey')
  })
  return () => {
    taken = made.length
  }
}
