import { createInterface } from 'node:readline/promises'
import { Interrupted, UsageError } from './failure.js'
import { canAsk, type Io } from './io.js'
import { visibleLines } from './terminal.js'

/** Answers what was typed. The question goes to stderr, so that stdout holds the answer of the command alone. */
export type Ask = (question: string) => Promise<string>

/** Asks whoever sits at the terminal. Ctrl-C, and the end of the input, end the command. */
export async function asking<T>({ stdin, stderr, signal }: Io, task: (ask: Ask) => Promise<T>): Promise<T> {
  const lines = createInterface({ input: stdin, output: stderr, terminal: stdin.isTTY === true })
  const ended = new AbortController()
  lines.once('close', () => ended.abort())
  const either = AbortSignal.any([signal, ended.signal])
  try {
    return await task(async (question) => {
      try {
        return (await lines.question(visibleLines(question), { signal: either })).trim()
      } catch (error) {
        if (either.aborted) throw new Interrupted('Nothing was changed.')
        throw error
      }
    })
  } finally {
    lines.close()
  }
}

/** Whether a person says yes, or `--yes` did. @throws UsageError where nobody can be asked. */
export async function confirmed(io: Io, yes: boolean, question: string): Promise<boolean> {
  if (yes) return true
  if (!canAsk(io))
    throw new UsageError(`Nobody can be asked here. Add --yes if the answer is yes: ${question}`)
  return asking(io, async (ask) => /^y(es)?$/i.test(await ask(`${question} [y/N] `)))
}
