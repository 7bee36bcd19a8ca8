import fc from 'fast-check'

/** What is searched: from this seed on, so often; or, with the path of a counterexample, that alone. */
export interface Search {
  readonly seed: number
  readonly runs: number
  readonly path?: string
}

/** Looks for something that `holds` throws at. Answers the smallest, and how to run it again; undefined where nothing was found. */
export async function findCounterexample<T>(
  name: string,
  inputs: fc.Arbitrary<T>,
  holds: (input: T) => Promise<unknown>,
  { seed, runs, path }: Search,
): Promise<string | undefined> {
  const property = fc.asyncProperty(inputs, async (input) => {
    await holds(input)
  })
  const found = await fc.check(property, {
    ...{ seed, numRuns: runs, endOnFailure: false },
    ...(path !== undefined && { path }),
  })
  if (!found.failed) return undefined
  const { counterexample, counterexamplePath, errorInstance, numShrinks } = found
  const again = `npm run fuzz -- --only ${name} --seed ${found.seed} --path ${counterexamplePath}`
  const why = errorInstance instanceof Error ? errorInstance.stack : errorInstance
  return `${fc.stringify(counterexample?.[0])}\n${why}\n(after ${numShrinks} steps to make it smaller)\nRun it again: ${again}`
}
