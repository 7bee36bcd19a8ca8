import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import type { Io } from '../../lib/cli/io.js'
import { main } from '../../lib/cli/main.js'

export interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>
  /** What is typed, where somebody sits at a terminal: one answer to each question. */
  readonly typed?: readonly string[]
  /** The width of the terminal that stdout is, where it is one. */
  readonly columns?: number
  readonly now?: () => number
  /** Takes the place of stdout. */
  readonly stdout?: Writable
  readonly signal?: AbortSignal
}

/** A folder in which commands are typed. */
export interface CommandLine {
  readonly folder: string
  file(name: string): string
  run(argv: readonly string[], surroundings?: Surroundings): Promise<Answer>
  /** The same with --json: what it answered, where it was done. */
  json<T = Record<string, unknown>>(argv: readonly string[], surroundings?: Surroundings): Promise<T>
  remove(): void
}

export function commandLine(): CommandLine {
  const folder = mkdtempSync(path.join(tmpdir(), 'oauth-cli-'))
  const run: CommandLine['run'] = async (argv, surroundings = {}) => {
    const { env = {}, typed, columns, now = Date.now } = surroundings
    const stdout = collecting(columns)
    const stderr = collecting(typed === undefined ? undefined : 80)
    const stdin = new PassThrough()
    const signal = surroundings.signal ?? new AbortController().signal
    const io: Io = {
      stdin: Object.assign(stdin, typed && { isTTY: true }),
      stdout: surroundings.stdout ?? stdout.stream,
      stderr: stderr.stream,
      ...{ env, cwd: folder, now, signal },
    }
    if (typed === undefined) stdin.end()
    else answering(typed, stdin, stderr)
    const code = await main(argv, io)
    return { code, stdout: stdout.text(), stderr: stderr.text() }
  }
  return {
    folder,
    file: (name) => path.join(folder, name),
    run,
    async json(argv, surroundings) {
      const operands = argv.includes('--') ? argv.indexOf('--') : argv.length
      const withFlag = [...argv.slice(0, operands), '--json', ...argv.slice(operands)]
      const { code, stdout, stderr } = await run(withFlag, surroundings)
      if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`)
      return JSON.parse(stdout)
    },
    remove: () => rmSync(folder, { recursive: true }),
  }
}

function collecting(columns: number | undefined) {
  let written = ''
  let told: ((text: string) => void) | undefined
  const stream = new Writable({
    write(chunk, _, done) {
      written += chunk
      told?.(String(chunk))
      done()
    },
  })
  return {
    stream: Object.assign(stream, columns !== undefined && { isTTY: true, columns }),
    text: () => written,
    onText: (listener: (text: string) => void) => {
      told = listener
    },
  }
}

/** Types one line after each question, and ends the input behind the last. */
function answering(
  typed: readonly string[],
  stdin: PassThrough,
  { onText }: Pick<ReturnType<typeof collecting>, 'onText'>,
): void {
  const lines = [...typed]
  onText((text) => {
    if (!/[\]:)] $/.test(text)) return
    const line = lines.shift()
    setImmediate(() => (line === undefined ? stdin.end() : stdin.write(`${line}\n`)))
  })
}
