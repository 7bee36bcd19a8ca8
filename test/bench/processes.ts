import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { CORE } from './core.js'

const root = path.resolve(import.meta.dirname, '../..')

/** A process that does what it is told, one thing at a time. */
export interface Worker<Task> {
  tell<Result>(task: Task): Promise<Result>
}

export interface Workers {
  /** For the files of the stores. */
  readonly folder: string
  /** Whether the main thread of each has a core of its own. */
  readonly pinned: boolean
  start<Task>(script: 'server-process' | 'client-process', core: number): Worker<Task>
  /** Ends them, and deletes the folder. */
  close(): Promise<void>
}

/** Compiles servers and clients beforehand, as a host's build would: what compiles while it runs leaves its marks in the code. */
export function prepareWorkers(parent: string): Workers {
  const folder = mkdtempSync(path.join(parent, 'oauth-bench-'))
  for (const name of ['node_modules', 'templates', 'package.json'])
    symlinkSync(path.join(root, name), path.join(folder, name))
  const compiled = path.join(folder, 'compiled/bench')
  mkdirSync(compiled, { recursive: true })
  execFileSync(path.join(root, 'node_modules/.bin/esbuild'), [
    ...['server-process', 'client-process'].map((name) => path.join(import.meta.dirname, `${name}.ts`)),
    ...[
      '--bundle',
      '--splitting',
      '--platform=node',
      '--format=esm',
      '--packages=external',
      '--log-level=error',
    ],
    '--out-extension:.js=.mjs',
    `--outdir=${compiled}`,
  ])
  const pinned = availableParallelism() > 1 && spawnSync('taskset', ['-c', '0', 'true']).status === 0
  const children: ChildProcess[] = []
  return {
    folder,
    pinned,
    start(script, core) {
      const child = spawn(process.execPath, [path.join(compiled, `${script}.mjs`)], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        env: {
          ...{ ...process.env, NODE_ENV: 'production', NODE_NO_WARNINGS: '1' },
          ...(pinned && { [CORE]: String(core) }),
        },
      })
      children.push(child)
      return { tell: (task) => ask(child, task) }
    },
    async close() {
      for (const child of children) {
        if (child.exitCode !== null || child.signalCode !== null) continue
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function ask<Result>(child: ChildProcess, task: unknown): Promise<Result> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error('A process of the benchmark has ended.'))
    child.once('exit', ended)
    child.once('message', (answer: { readonly result: Result; readonly failed?: string }) => {
      child.off('exit', ended)
      if (answer.failed === undefined) resolve(answer.result)
      else reject(new Error(answer.failed))
    })
    child.send(task as object)
  })
}
