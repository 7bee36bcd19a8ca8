import { invalid } from './fields.js'

/** Refuses more than there was; undefined is all, or not yet any. */
export function refuseGrowth(
  field: 'scope' | 'authorization_details_types',
  before: readonly string[] | undefined,
  now: readonly string[] | undefined,
  problem: string,
  remedy: string,
): void {
  const grows = now === undefined ? before !== undefined : now.some((name) => !before?.includes(name))
  if (grows) throw invalid(field, problem, remedy)
}
