import { readFileSync } from 'node:fs'
import { suggestion } from '../suggestion.js'
import { type Command, PROGRAM } from './command.js'
import { COMMANDS } from './commands.js'
import { EXIT, isBrokenPipe, told, UsageError } from './failure.js'
import { help } from './help.js'
import { type Io, print, remark } from './io.js'
import { hidePassword } from './password.js'
import { json, visibleLines } from './terminal.js'

/** Runs one command and answers its exit code: 0 where it is done, 1 where it was refused or failed, 2 where it was typed wrong. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await run(argv, io)
  } catch (error) {
    // Whoever reads has enough: that is no failure, and there is nobody to tell.
    if (isBrokenPipe(error)) return EXIT.ok
    const { message, ...others } = told(error)
    const failure = { ...others, message: hidePassword(message, [...argv, io.env.OAUTH_STORE ?? '']) }
    const text = argv.includes('--json') ? json(failure) : visibleLines(`Error: ${failure.message}`)
    await remark(io, text).catch(() => undefined)
    return failure.exitCode
  }
}

async function run(argv: readonly string[], io: Io): Promise<number> {
  const [first, second] = argv
  if (first === '--version' || first === '-v') {
    await print(io, `${version()}\n`)
    return EXIT.ok
  }
  if (first === undefined || first === '--help' || first === '-h') {
    await print(first === undefined ? { stdout: io.stderr } : io, help([], COMMANDS))
    return first === undefined ? EXIT.usage : EXIT.ok
  }
  if (first === 'help') {
    await print(io, help(argv.slice(1), COMMANDS))
    return EXIT.ok
  }
  const command = COMMANDS.find(({ name }) => name === `${first} ${second}` || name === first)
  if (command !== undefined) return command.run(argv.slice(command.name.split(' ').length), io)
  throw unknown(first, second)
}

function unknown(first: string, second: string | undefined): UsageError {
  if (first.startsWith('-'))
    return new UsageError(
      `${first} stands before the command. Write the command first: ${PROGRAM} clients list ${first}`,
    )
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${first} `))
  if (group.length > 0 && (second === undefined || second === '--help' || second === '-h'))
    return new UsageError(`${first} is not a whole command. Write one of:\n${lines(group)}`)
  const typed = second === undefined || second.startsWith('-') ? first : `${first} ${second}`
  const meant = nearest(first, second) ?? (group.length > 0 ? undefined : nearest(first, undefined))
  if (meant !== undefined) return new UsageError(`There is no command '${typed}'. Did you mean '${meant}'?`)
  if (group.length > 0)
    return new UsageError(`There is no command '${typed}'. Write one of:\n${lines(group)}`)
  return new UsageError(`There is no command '${typed}'. All commands: ${PROGRAM} help`)
}

/** Each word by itself, so that `client ad` leads to `clients add`. */
function nearest(first: string, second: string | undefined): string | undefined {
  const words = COMMANDS.map(({ name }) => name.split(' '))
  const one = suggestion(first, [...new Set([...words.map(([word]) => word as string), 'help'])])
  const group = words
    .filter(([word, next]) => word === one && next !== undefined)
    .map(([, next]) => next as string)
  if (one === undefined || group.length === 0) return one
  const other = second === undefined ? undefined : suggestion(second, group)
  if (other !== undefined) return `${one} ${other}`
  return one === first ? undefined : `help ${one}`
}

function lines(commands: readonly Command[]): string {
  return commands.map(({ name }) => `  ${PROGRAM} ${name}`).join('\n')
}

function version(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}
