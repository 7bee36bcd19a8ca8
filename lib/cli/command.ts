import { type Arguments, type Flags, readArguments } from './arguments.js'
import { EXIT, UsageError } from './failure.js'
import { type Io, print } from './io.js'
import { list } from './table.js'

/** The name under which it is called. */
export const PROGRAM = 'npx express-oauth-provider'

/** One row of the table of commands. */
export interface Command {
  /** One word, or two: `clients add`. */
  readonly name: string
  /** One line. */
  readonly summary: string
  /** What `help <name>` says beyond that. */
  readonly manual?: string
  /** Answers the exit code. `argv` is what stands behind its name. */
  run(argv: readonly string[], io: Io): Promise<number>
}

/** A command as it is written. */
export interface Definition {
  readonly name: string
  readonly summary: string
  /** What its one word is, and whether it can be left out. */
  readonly operand?: string
  readonly optionalOperand?: true
  readonly flags: Flags
  /** Further lines of its manual. */
  readonly notes?: string
  run(args: Arguments, io: Io): Promise<number | undefined>
}

const JSON_FLAG: Flags = { json: { about: 'Answer one JSON document, for programs.' } }
export const STORE_FLAG: Flags = {
  store: {
    value: 'file or URL',
    about: 'The store of your app: a SQLite file, or postgres://... Default: OAUTH_STORE, or oauth.db here.',
  },
  schema: {
    value: 'name',
    about: 'The schema of its tables in PostgreSQL, where your app passes one to postgresStore.',
  },
}
export const YES_FLAG: Flags = { yes: { about: 'Do not ask.' } }

/** Makes a command that reads its flags, and has a manual. */
export function defineCommand(definition: Definition): Command {
  const { name, summary, operand, optionalOperand } = definition
  const flags: Flags = { ...definition.flags, ...JSON_FLAG, help: { about: 'Say this.' } }
  const manual = manualOf(definition, flags)
  return {
    name,
    summary,
    manual,
    async run(argv, io) {
      if (argv.includes('--help') || argv.includes('-h')) {
        await print(io, `${summary}\n\n${manual}`)
        return EXIT.ok
      }
      const args = readArguments(argv, { flags, operand })
      if (operand !== undefined && !optionalOperand && args.operand === undefined)
        throw new UsageError(`The ${operand} is missing. Write ${PROGRAM} ${name} <${operand}>.`)
      return (await definition.run(args, io)) ?? EXIT.ok
    },
  }
}

function manualOf({ name, operand, optionalOperand, notes }: Definition, flags: Flags): string {
  const word = operand === undefined ? '' : optionalOperand ? ` [${operand}]` : ` <${operand}>`
  const lines = Object.entries(flags).map(([flag, { value, many, about }]): [string, string] => [
    `  --${flag}${value ? ` <${value}>` : ''}${many ? ' ...' : ''}`,
    about,
  ])
  return `${PROGRAM} ${name}${word} [flags]\n\n${list(lines)}${notes === undefined ? '' : `\n${notes}\n`}`
}
