import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { compile } from './compiled.js'
import type { Task } from './postgres-process.js'

/** Processes that share one database. */
export interface PostgresProcesses {
  /** Gives each the same task at once, or each its own, and answers what each has answered. */
  all(task: Task | ((index: number) => Task)): Promise<unknown[]>
  /** Ends the last one as `kill -9` does; it gets no more tasks. */
  killOne(): Promise<void>
  close(): Promise<void>
}

export async function startPostgresProcesses(count: number): Promise<PostgresProcesses> {
  const { script, remove } = compile('postgres-process')
  const children = Array.from({ length: count }, () => fork(script))
  await Promise.all(children.map((child) => once(child, 'message')))
  return {
    async all(task) {
      const answers = children.map((child) => once(child, 'message'))
      for (const [index, child] of children.entries())
        child.send(typeof task === 'function' ? task(index) : task)
      return (await Promise.all(answers)).map(([answer]) => answer)
    },
    async killOne() {
      const child = children.pop()
      child?.kill('SIGKILL')
      if (child) await once(child, 'exit')
    },
    async close() {
      await Promise.all(children.map(end))
      remove()
    },
  }
}

async function end(child: ChildProcess): Promise<void> {
  child.disconnect()
  await once(child, 'exit')
}
