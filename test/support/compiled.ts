import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '../..')

/** A program for processes of their own. */
export interface Compiled {
  readonly script: string
  /** A folder for files of theirs. */
  readonly folder: string
  /** Deletes it all. */
  remove(): void
}

/** Compiles a file of this folder with its packages into one file beside the templates, so that each process is up in a moment. */
export function compile(name: string): Compiled {
  const folder = mkdtempSync(path.join(tmpdir(), 'oauth-processes-'))
  for (const linked of ['node_modules', 'templates', 'package.json'])
    symlinkSync(path.join(root, linked), path.join(folder, linked))
  const script = path.join(folder, `compiled/test/${name}.js`)
  mkdirSync(path.dirname(script), { recursive: true })
  execFileSync(path.join(root, 'node_modules/.bin/esbuild'), [
    path.join(root, `test/support/${name}.ts`),
    '--bundle',
    '--platform=node',
    '--format=esm',
    '--external:better-sqlite3',
    '--external:pg-native',
    // What the packages that are no ES modules ask for.
    "--banner:js=import * as module from 'node:module'; const require = module.createRequire(import.meta.url)",
    '--log-level=error',
    `--outfile=${script}`,
  ])
  return { script, folder, remove: () => rmSync(folder, { recursive: true }) }
}
