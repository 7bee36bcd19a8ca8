import { spawnSync } from 'node:child_process'

/** The variable of the environment that names the core. */
export const CORE = 'BENCH_CORE'

/** Keeps the main thread of this process to a core. Those that collect garbage are there already and stay free, or it would wait for them. */
export function keepToCore(): void {
  const core = process.env[CORE]
  if (core !== undefined) spawnSync('taskset', ['--cpu-list', '--pid', core, String(process.pid)])
}
