import { cpus } from 'node:os'
import type { CandidateName, OperationName } from './catalogue.js'
import { addedBy, aligned, type Lookup, lookup, median, type Row, rate, short } from './figures.js'
import type { Flags } from './flags.js'
import type { Measurement } from './measure.js'

/** What was measured, one row for each operation and candidate. */
export function table(measurements: readonly Measurement[], flags: Flags): string {
  const { tokens } = flags
  const at = lookup(measurements, tokens[0])
  const head = [
    '',
    '',
    ...tokens.map((count) => `req/s at ${short(count)}`),
    ...['of bare', 'of textbook', 'of best', 'of oidc-provider', 'of NORMAL'],
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
      .map((candidate) => row(operation, candidate, at, tokens))
      .filter((cells) => cells !== undefined),
  )
  return aligned([head, ...rows], 2)
}

function row(
  operation: OperationName,
  candidate: CandidateName,
  at: Lookup,
  tokens: readonly number[],
): Row | undefined {
  const first = at(candidate, operation)
  if (first === undefined) return undefined
  const base = rate(first)
  const of = (other: CandidateName) => {
    const found = other === candidate ? undefined : at(other, operation)
    return found === undefined ? '' : (base / rate(found)).toFixed(2)
  }
  const rates = tokens
    .map((count) => at(candidate, operation, count))
    .map((one) => (one ? Math.round(rate(one)) : undefined))
  const largest = rates.at(-1)
  return [
    operation,
    candidate,
    ...rates.map((value) => (value === undefined ? '' : String(value))),
    ...[of('floor-bare'), of('floor-textbook'), of('floor-best'), of('oidc-provider')],
    candidate === 'ours-sqlite' ? of('ours-normal') : '',
    median(first.samples, 'cpu').toFixed(0),
    median(first.samples, 'p50').toFixed(2),
    median(first.samples, 'p99').toFixed(2),
    addedBy(candidate, operation, at)?.toFixed(1) ?? '',
    largest === undefined || tokens.length < 2 ? '' : (base / largest).toFixed(2),
  ]
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
