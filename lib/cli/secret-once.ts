import { type Io, print, remark } from './io.js'
import { list } from './table.js'
import { json } from './terminal.js'

/** Shows a client with a new secret, for the only time. */
export async function showSecret(
  io: Io,
  asJson: boolean,
  answer: Readonly<Record<string, unknown>>,
  lines: readonly (readonly [name: string, value: string])[],
): Promise<void> {
  if (asJson) return print(io, `${json(answer, 2)}\n`)
  await print(io, list(lines))
  if ('client_secret' in answer)
    await remark(
      io,
      '\nThe secret is never shown again: give it to the client now, over a channel that nobody else reads.',
    )
}
