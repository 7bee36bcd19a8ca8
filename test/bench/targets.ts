import { type CandidateName, dependsOnStore, type OperationName } from './catalogue.js'
import { addedBy, aligned, type Lookup, lookup, median, type Row, rate, short } from './figures.js'
import type { Flags } from './flags.js'
import type { Measurement } from './measure.js'

const OURS = 'ours-sqlite'
/** How many times as fast ours has to be. */
const AT_LEAST: Partial<Record<CandidateName, (operation: OperationName) => number | undefined>> = {
  'floor-textbook': (operation) => (operation === 'code flow' || operation === 'refresh' ? 1.2 : 1),
  'floor-best': () => 0.6,
  // It has no guard of its own to compare with.
  'oidc-provider': (operation) =>
    operation === 'requireToken' ? undefined : operation === 'code flow' ? 4 : 3,
}
/** Microseconds that `requireToken` may add to a route. */
const MOST_ADDED = 12
/** How many times as long an operation may take with the largest store as with the smallest. */
const MOST_GROWTH = 1.1
/** How many times the median the slowest hundredth may take. */
const MOST_SPREAD = 3

/** What ours has to reach, and whether it has: for those candidates that were measured. */
export function targets(measurements: readonly Measurement[], { operations, tokens }: Flags): string {
  const at = lookup(measurements, tokens[0])
  const rows = operations.flatMap((operation) => {
    const ours = at(OURS, operation)
    if (ours === undefined) return []
    return [
      ...speed(ours, operation, at),
      ...growth(ours, operation, at(OURS, operation, tokens.at(-1)), tokens),
      spread(ours, operation),
    ]
  })
  return rows.length === 0 ? '' : aligned([['', 'target', 'is', ''], ...rows], 2)
}

function speed(ours: Measurement, operation: OperationName, at: Lookup): readonly Row[] {
  const rows = Object.entries(AT_LEAST).flatMap(([name, leastOf]) => {
    const least = leastOf(operation)
    const other = at(name as CandidateName, operation)
    if (least === undefined || other === undefined) return []
    const ratio = rate(ours) / rate(other)
    return [row(operation, `at least ${least} times ${name}`, ratio, ratio >= least)]
  })
  const added = addedBy(OURS, operation, at)
  if (added === undefined) return rows
  return [...rows, row(operation, `adds at most ${MOST_ADDED} us`, added, added <= MOST_ADDED)]
}

function growth(
  ours: Measurement,
  operation: OperationName,
  largest: Measurement | undefined,
  tokens: readonly number[],
): readonly Row[] {
  if (tokens.length < 2 || largest === undefined || !dependsOnStore(OURS, operation)) return []
  const [least = 0, most = 0] = [tokens[0], tokens.at(-1)]
  const cost = median(largest.samples, 'cpu') / median(ours.samples, 'cpu')
  const target = `CPU at ${short(most)} at most ${MOST_GROWTH} of that at ${short(least)}`
  return [row(operation, target, cost, cost <= MOST_GROWTH)]
}

function spread({ samples }: Measurement, operation: OperationName): Row {
  const times = median(samples, 'p99') / median(samples, 'p50')
  return row(operation, `p99 at most ${MOST_SPREAD} times p50`, times, times <= MOST_SPREAD)
}

function row(operation: string, target: string, is: number, isReached: boolean): Row {
  return [operation, target, is.toFixed(2), isReached ? 'reached' : 'missed']
}
