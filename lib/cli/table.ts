import type { Io, Output } from './io.js'
import { cut, visible, width } from './terminal.js'

const GAP = 2
/** No column becomes narrower. */
const LEAST = 8

/** One column: its title, and what stands in it. */
export interface Column<Row> {
  readonly title: string
  readonly of: (row: Row) => string | undefined
  /** May be cut off where the terminal is too narrow. Ids are not: somebody has to copy them. */
  readonly cut?: true
}

/** Rows for people, as wide as the terminal. Whatever stands in them is shown as it is, and obeyed nowhere. */
export function table<Row>(io: Io, columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map(({ of }) => visible(of(row) ?? '') || '-'))
  const titles = columns.map(({ title }) => title)
  const natural = columns.map((_, index) =>
    Math.max(...[titles, ...cells].map((row) => width(row[index] ?? ''))),
  )
  const widths = fitted(natural, columns, io.stdout)
  const line = (row: readonly string[]) =>
    row
      .map((cell, index) => {
        const shown = cut(cell, widths[index] ?? 0)
        return shown + ' '.repeat((widths[index] ?? 0) - width(shown) + GAP)
      })
      .join('')
      .trimEnd()
  return `${[bold(io, line(titles)), ...cells.map(line)].join('\n')}\n`
}

/** Names and values, one a line. */
export function list(entries: readonly (readonly [name: string, value: string])[]): string {
  const longest = Math.max(0, ...entries.map(([name]) => width(visible(name))))
  return entries
    .map(([name, value]) => {
      const shown = visible(name)
      return `${shown}${' '.repeat(longest - width(shown) + GAP)}${visible(value)}\n`
    })
    .join('')
}

/** Takes from the widest column that may be cut, until all fit. What is no terminal gets everything. */
function fitted(
  natural: readonly number[],
  columns: readonly { readonly cut?: true }[],
  { isTTY, columns: available }: Output,
): readonly number[] {
  if (!isTTY || !available) return natural
  const widths = [...natural]
  for (;;) {
    const total = widths.reduce((sum, one) => sum + one + GAP, -GAP)
    const most = Math.max(...widths.filter((_, index) => columns[index]?.cut))
    if (total <= available || !(most > LEAST)) return widths
    const index = widths.findIndex((one, at) => one === most && columns[at]?.cut)
    widths[index] = Math.max(LEAST, most - (total - available))
  }
}

function bold({ stdout, env }: Io, text: string): string {
  const coloured = stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
  return coloured ? `\x1b[1m${text}\x1b[22m` : text
}
