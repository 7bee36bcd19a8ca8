import { cpus } from 'node:os'
import type { CandidateName, OperationName } from './catalogue.js'
import type { Flags } from './flags.js'
import type { MeasuredSample, Measurement } from './measure.js'

type Row = readonly string[]

/** What was measured, one row for each operation and candidate. */
export function table(measurements: readonly Measurement[], flags: Flags): string {
  const { tokens } = flags
  const head = [
    '',
    '',
    ...tokens.map((count) => `req/s at ${short(count)}`),
    ...['of bare', 'of textbook', 'of best', 'of oidc-provider'],
    ...[
      'CPU us',
      'p50 ms',
      'p99 ms',
      'adds us',
      `cost ${short(tokens.at(-1) ?? 0)}/${short(tokens[0] ?? 0)}`,
    ],
  ]
  const rows = flags.operations.flatMap((operation) =>
    flags.only
      .map((candidate) => row(operation, candidate, measurements, tokens))
      .filter((cells) => cells !== undefined),
  )
  return aligned([head, ...rows])
}

function row(
  operation: OperationName,
  candidate: CandidateName,
  measurements: readonly Measurement[],
  tokens: readonly number[],
): Row | undefined {
  const at = (name: CandidateName, count = tokens[0], what: Measurement['operation'] = operation) =>
    measurements.find((one) => one.candidate === name && one.operation === what && one.tokens === count)
  const first = at(candidate)
  if (first === undefined) return undefined
  const base = rate(first)
  const of = (other: CandidateName) => {
    const found = other === candidate ? undefined : at(other)
    return found === undefined ? '' : (base / rate(found)).toFixed(2)
  }
  const rates = tokens
    .map((count) => at(candidate, count))
    .map((one) => (one ? Math.round(rate(one)) : undefined))
  const open = operation === 'requireToken' ? at(candidate, tokens[0], 'open route') : undefined
  const largest = rates.at(-1)
  return [
    operation,
    candidate,
    ...rates.map((value) => (value === undefined ? '' : String(value))),
    ...[of('floor-bare'), of('floor-textbook'), of('floor-best'), of('oidc-provider')],
    median(first.samples, 'cpu').toFixed(0),
    median(first.samples, 'p50').toFixed(2),
    median(first.samples, 'p99').toFixed(2),
    open === undefined ? '' : (median(first.samples, 'cpu') - median(open.samples, 'cpu')).toFixed(1),
    largest === undefined || tokens.length < 2 ? '' : (base / largest).toFixed(2),
  ]
}

function rate({ samples }: Measurement): number {
  return median(samples, 'rate')
}

function median(samples: readonly MeasuredSample[], what: keyof MeasuredSample): number {
  const sorted = samples.map((sample) => sample[what]).sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2
}

function short(count: number): string {
  if (count >= 1e6) return `${count / 1e6} M`
  return count >= 1000 ? `${count / 1000} k` : String(count)
}

/** As Markdown has tables. */
function aligned(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(3, ...rows.map((cells) => cells[column]?.length ?? 0)),
  )
  const line = (cells: Row) =>
    `| ${cells.map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`
  const rule = widths.map((width, column) => (column < 2 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  const [head = [], ...others] = rows
  return [head, rule, ...others].map(line).join('\n')
}

/** On what it was measured, and when. `commit`: microseconds that one takes. */
export function circumstances(
  { connections, seconds, rounds }: Flags,
  pinned: boolean,
  commit: number,
): string {
  const { model = 'unknown CPU' } = cpus()[0] ?? {}
  const cores = pinned ? 'servers on one core, the client on another' : 'servers and client share the cores'
  return [
    `${model}, ${cpus().length} cores, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`,
    `${cores}; one commit with fsync takes ${commit} us`,
    `${connections} connections, median of ${rounds} rounds of ${seconds} s; p50 and p99 with the smallest store`,
  ].join('\n')
}
