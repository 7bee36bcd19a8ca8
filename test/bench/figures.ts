import type { CandidateName, Measured } from './catalogue.js'
import type { MeasuredSample, Measurement } from './measure.js'

/** What was measured of a candidate, with so many live tokens in its store. */
export type Lookup = (
  candidate: CandidateName,
  operation: Measured,
  tokens?: number | undefined,
) => Measurement | undefined

/** Without a number of tokens: with the least. */
export function lookup(measurements: readonly Measurement[], least: number | undefined): Lookup {
  return (candidate, operation, tokens = least) =>
    measurements.find(
      (one) => one.candidate === candidate && one.operation === operation && one.tokens === tokens,
    )
}

/** Operations a second. */
export function rate({ samples }: Measurement): number {
  return median(samples, 'rate')
}

export function median(samples: readonly MeasuredSample[], what: keyof MeasuredSample): number {
  const sorted = samples.map((sample) => sample[what]).sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2
}

/** Microseconds of the server's core that a guard adds to a route; undefined for what is no guard, or where the bare route was not measured. */
export function addedBy(candidate: CandidateName, operation: Measured, at: Lookup): number | undefined {
  const open = at(candidate, 'open route')
  const guarded = at(candidate, operation)
  if (operation !== 'requireToken' || open === undefined || guarded === undefined) return undefined
  return median(guarded.samples, 'cpu') - median(open.samples, 'cpu')
}

export function short(count: number): string {
  if (count >= 1e6) return `${count / 1e6} M`
  return count >= 1000 ? `${count / 1000} k` : String(count)
}

export type Row = readonly string[]

/** As Markdown has tables. `left`: how many columns are words. */
export function aligned(rows: readonly Row[], left: number): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(3, ...rows.map((cells) => cells[column]?.length ?? 0)),
  )
  const cell = (text: string, column: number) =>
    column < left ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0)
  const line = (cells: Row) => `| ${cells.map(cell).join(' | ')} |`
  const rule = widths.map((width, column) =>
    column < left ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  )
  const [head = [], ...others] = rows
  return [head, rule, ...others].map(line).join('\n')
}
