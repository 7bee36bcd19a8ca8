import { parseArgs } from 'node:util'
import { suggestion } from '../suggestion.js'
import { UsageError } from './failure.js'

/** A flag of a command. */
export interface Flag {
  /** What stands behind it, as help calls it; left out for one that is there or not. */
  readonly value?: string
  /** Whether it may be given several times. */
  readonly many?: true
  /** One line. */
  readonly about: string
}

export type Flags = Readonly<Record<string, Flag>>

/** What was typed behind the name of a command, checked. */
export class Arguments {
  readonly operand: string | undefined
  readonly #values: ReadonlyMap<string, readonly string[]>

  constructor(operand: string | undefined, values: ReadonlyMap<string, readonly string[]>) {
    this.operand = operand
    this.#values = values
  }

  has(flag: string): boolean {
    return this.#values.has(flag)
  }

  text(flag: string): string | undefined {
    return this.#values.get(flag)?.[0]
  }

  all(flag: string): readonly string[] | undefined {
    return this.#values.get(flag)
  }

  /** Which of these were given. */
  given(...flags: readonly string[]): readonly string[] {
    return flags.filter((flag) => this.has(flag))
  }

  /** Of these only one makes sense. */
  oneOf(...flags: readonly string[]): void {
    const [first, second] = this.given(...flags)
    if (second !== undefined)
      throw new UsageError(`--${first} and --${second} exclude each other. Leave one out.`)
  }
}

/** Reads what stands behind the name of a command. @throws UsageError that says what to type instead. */
export function readArguments(
  argv: readonly string[],
  { flags, operand }: { readonly flags: Flags; readonly operand?: string | undefined },
): Arguments {
  const { tokens } = parseArgs({
    args: argv.map(hidden),
    options: Object.fromEntries(
      Object.entries(flags).map(([name, { value }]) => [
        name,
        { type: value ? 'string' : 'boolean' } as const,
      ]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const values = new Map<string, string[]>()
  const operands: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(shown(token.value))
    else if (token.kind === 'option') {
      const known = values.get(token.name)
      const value = shown(checkedValue(token, flags))
      if (known !== undefined && !flags[token.name]?.many)
        throw new UsageError(`--${token.name} is there twice. Leave one out.`)
      values.set(token.name, [...(known ?? []), value])
    }
  }
  const [first, second] = operands
  const surplus = operand === undefined ? first : second
  if (surplus !== undefined) throw new UsageError(`'${surplus}' is one word too many. ${quoteIt(operand)}`)
  return new Arguments(first, values)
}

/** `parseArgs` takes a word that begins with one hyphen for flags of one letter. There are none, and a generated id may begin so. */
const hidden = (word: string) => (/^-[^-]/.test(word) ? `\0${word}` : word)
const shown = (word: string) => word.replace(/^\0/, '')

function checkedValue(
  token: {
    readonly name: string
    readonly rawName: string
    readonly value?: string | undefined
    readonly inlineValue?: boolean | undefined
  },
  flags: Flags,
): string {
  const { name, rawName, value, inlineValue } = token
  const flag = Object.hasOwn(flags, name) ? flags[name] : undefined
  if (flag === undefined) {
    const meant = suggestion(name, Object.keys(flags))
    const known = Object.keys(flags).map((one) => `--${one}`)
    throw new UsageError(
      `${rawName} is not known. ${meant ? `Did you mean --${meant}?` : `Known are: ${known.join(', ')}.`}`,
    )
  }
  if (flag.value === undefined) {
    if (inlineValue) throw new UsageError(`--${name} takes no value. Write it alone, or leave it out.`)
    return ''
  }
  if (value === undefined || value === '')
    throw new UsageError(`--${name} needs a value: --${name} <${flag.value}>.`)
  // The next flag is more often a value that was forgotten.
  if (!inlineValue && value.startsWith('--'))
    throw new UsageError(`--${name} needs a value. If it is '${value}', write --${name}=${value}`)
  return value
}

function quoteIt(operand: string | undefined): string {
  return operand === undefined
    ? 'Put quotes around a value that has spaces.'
    : `Give one ${operand}, and put quotes around a value that has spaces.`
}
