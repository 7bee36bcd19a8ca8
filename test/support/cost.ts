/** What is always cheap enough, in milliseconds: below it, a collection of garbage would decide. */
const CHEAP = 500
/** So many times an ordinary request is too much. What grows with the square of 60 KB, or worse, costs far more. */
const TIMES = 20
/** Nothing is tried again that takes so long, in milliseconds. */
const HOPELESS = 5000

/**
 * Lengths of a hostile value, to be tried in this order: what costs 2 or 3 to the power of the length is noticed at the first two, and
 * ends there; what costs its square, at one that is as long as it may be.
 */
export const lengths = (longest: number): readonly number[] => [20, 28, longest]

/**
 * Runs something, and expects that it costs no more of the CPU than a moderate multiple of an ordinary thing that is run beside it.
 * On a busy machine the clock runs on while other processes work, and this count does not; one of three tries has to do, since the
 * runtime compiles and collects garbage when it likes.
 */
export async function expectCheap<T>(run: () => Promise<T>, ordinary: () => Promise<unknown>): Promise<T> {
  const costs: string[] = []
  for (;;) {
    const [cost, result] = await measure(run)
    if (cost < CHEAP) return result
    const [usual] = await measure(ordinary)
    if (cost < usual * TIMES) return result
    costs.push(`${Math.round(cost)} ms where ${Math.round(usual)} ms are usual`)
    if (costs.length === 3 || cost > HOPELESS) throw new Error(`too much of the CPU: ${costs.join(', ')}`)
  }
}

async function measure<T>(run: () => Promise<T>): Promise<[cost: number, result: T]> {
  const before = process.cpuUsage()
  const result = await run()
  const { user, system } = process.cpuUsage(before)
  return [(user + system) / 1000, result]
}
