import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { signingKeys } from './signing-keys.js'

const root = path.resolve(import.meta.dirname, '../..')

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
  open(file: string, options?: { readonly generated?: boolean }): Promise<ProviderProcess>
}

export interface Processes {
  /** A folder for SQLite files. */
  readonly folder: string
  load(): Promise<LoadedProcess>
  start(file: string): Promise<ProviderProcess>
  /** Ends all that are left, and deletes the folder. */
  close(): Promise<void>
}

/** Compiles the host with its packages into one file beside the templates, so that each process is up in a moment. */
export function prepareProcesses(): Processes {
  const folder = mkdtempSync(path.join(tmpdir(), 'oauth-processes-'))
  for (const name of ['node_modules', 'templates', 'package.json'])
    symlinkSync(path.join(root, name), path.join(folder, name))
  const script = path.join(folder, 'compiled/test/provider-process.js')
  mkdirSync(path.dirname(script), { recursive: true })
  execFileSync(path.join(root, 'node_modules/.bin/esbuild'), [
    path.join(root, 'test/support/provider-process.ts'),
    '--bundle',
    '--platform=node',
    '--format=esm',
    '--external:better-sqlite3',
    // What the packages that are no ES modules ask for.
    "--banner:js=import * as module from 'node:module'; const require = module.createRequire(import.meta.url)",
    '--log-level=error',
    `--outfile=${script}`,
  ])
  const children = new Set<ChildProcess>()

  async function kill(child: ChildProcess): Promise<void> {
    children.delete(child)
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  async function load(): Promise<LoadedProcess> {
    const child = fork(script, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
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
      async open(file, { generated = false } = {}) {
        child.send({ store: file, ...(!generated && { keys: signingKeys }) })
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
      rmSync(folder, { recursive: true })
    },
  }
}
