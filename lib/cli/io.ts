import type { Readable, Writable } from 'node:stream'

/** A stream that may be a terminal. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number }

/** All that a command has of the world around it. */
export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Output
  readonly stderr: Output
  readonly env: Readonly<Record<string, string | undefined>>
  /** The working directory. */
  readonly cwd: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Ctrl-C: what goes on for long ends at the next place where nothing is half done. */
  readonly signal: AbortSignal
}

/** Writes, and waits until whoever reads is ready for more. Rejects where nobody reads any longer. */
export function print({ stdout }: Pick<Io, 'stdout'>, text: string): Promise<void> {
  return write(stdout, text)
}

/** What people have to know beside the answer. */
export function remark({ stderr }: Pick<Io, 'stderr'>, text: string): Promise<void> {
  return write(stderr, `${text}\n`)
}

/** Whether somebody sits there who can be asked. */
export function canAsk({ stdin, stderr }: Pick<Io, 'stdin' | 'stderr'>): boolean {
  return stdin.isTTY === true && stderr.isTTY === true
}

function write(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()))
  })
}
