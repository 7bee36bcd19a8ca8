import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Task } from './postgres-process.js'

const root = path.resolve(import.meta.dirname, '../..')

/** Processes that share one database. */
export interface PostgresProcesses {
  /** Gives each the same task at once, and answers what each has answered. */
  all(task: Task): Promise<unknown[]>
  close(): Promise<void>
}

export async function startPostgresProcesses(count: number): Promise<PostgresProcesses> {
  const folder = mkdtempSync(path.join(tmpdir(), 'oauth-postgres-processes-'))
  const script = path.join(folder, 'process.cjs')
  execFileSync(path.join(root, 'node_modules/.bin/esbuild'), [
    path.join(root, 'test/support/postgres-process.ts'),
    '--bundle',
    '--platform=node',
    '--external:pg-native',
    '--log-level=error',
    `--outfile=${script}`,
  ])
  const children = Array.from({ length: count }, () => fork(script))
  await Promise.all(children.map((child) => once(child, 'message')))
  return {
    async all(task) {
      const answers = children.map((child) => once(child, 'message'))
      for (const child of children) child.send(task)
      return (await Promise.all(answers)).map(([answer]) => answer)
    },
    async close() {
      await Promise.all(children.map(end))
      rmSync(folder, { recursive: true })
    },
  }
}

async function end(child: ChildProcess): Promise<void> {
  child.disconnect()
  await once(child, 'exit')
}
