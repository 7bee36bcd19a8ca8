import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { compile } from './compiled.js'
import type { Served } from './provider-process.js'
import { signingKeys } from './signing-keys.js'

/** A process of a host that serves one SQLite file. */
export interface ProviderProcess {
  readonly origin: string
  readonly issuer: string
  /** Ends it as `kill -9` does. */
  close(): Promise<void>
}

/** A process that has loaded everything and waits for the name of a SQLite file. It can serve several, each on its own port. */
export interface LoadedProcess {
  /** Rejects where the process does not come up. Its signing keys are static ones, unless they shall be `generated`. */
  open(
    file: string,
    options?: Pick<Served, 'ownConnection' | 'unprivileged'> & { readonly generated?: boolean },
  ): Promise<ProviderProcess>
}

export interface Processes {
  /** A folder for SQLite files. */
  readonly folder: string
  /** `largestFile`: beyond so many bytes, and some more, the system lets no file of it grow. */
  load(options?: { readonly largestFile?: number }): Promise<LoadedProcess>
  start(file: string): Promise<ProviderProcess>
  /** Ends all that are left, and deletes the folder. */
  close(): Promise<void>
}

export function prepareProcesses(): Processes {
  const { folder, script, remove } = compile('provider-process')
  const children = new Set<ChildProcess>()

  async function kill(child: ChildProcess): Promise<void> {
    children.delete(child)
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  async function load({ largestFile }: { readonly largestFile?: number } = {}): Promise<LoadedProcess> {
    // In blocks, which shells take for 512 bytes or for 1024.
    const limited = `ulimit -f ${Math.ceil((largestFile ?? 0) / 512)} && exec "$NODE" "$0"`
    const child = fork(script, {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      ...(largestFile !== undefined && {
        ...{ execPath: '/bin/sh', execArgv: ['-c', limited] },
        env: { ...process.env, NODE: process.execPath },
      }),
    })
    children.add(child)
    let complaints = ''
    child.stderr?.on('data', (chunk) => {
      complaints += chunk
    })
    const answer = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const fail = () => reject(new Error(`the process ended: ${complaints}`))
        child.once('exit', fail)
        child.once('message', (message) => {
          child.off('exit', fail)
          resolve(message)
        })
      })
    await answer()
    return {
      async open(file, { generated = false, ...how } = {}) {
        child.send({ store: file, ...(!generated && { keys: signingKeys }), ...how } satisfies Served)
        const origin = `http://localhost:${await answer()}`
        return { origin, issuer: `${origin}/oauth`, close: () => kill(child) }
      },
    }
  }

  return {
    folder,
    load,
    start: async (file) => (await load()).open(file),
    async close() {
      await Promise.all([...children].map(kill))
      remove()
    },
  }
}
