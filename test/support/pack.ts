import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './free-port.js'

const run = promisify(execFile)
export const repository = path.resolve(import.meta.dirname, '../..')
const modules = path.join(repository, 'node_modules')
const binary = 'better-sqlite3/build/Release/better_sqlite3.node'

// As a shell outside of this test run would have it.
const { NODE_ENV: _, JEST_WORKER_ID: __, npm_config_local_prefix: ___, ...env } = process.env

/** Packs what `npm run build` made; pretest has run it, and a stale build is refused rather than tested. */
export function pack(): { folder: string; tarball: string } {
  if (newest('lib') > newest('dist')) throw new Error('dist is older than lib: npm run build')
  const folder = mkdtempSync(path.join(tmpdir(), 'express-oauth-provider-'))
  const answer = execFileSync(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--silent', '--pack-destination', folder],
    { cwd: repository, env, encoding: 'utf8' },
  )
  const [packed] = Object.values(JSON.parse(answer)) as { filename: string }[]
  return { folder, tarball: path.join(folder, packed!.filename) }
}

/** One installation for all consumer projects: the tarball, one Express and what the projects themselves use. */
export async function install(tarball: string, expressMajor: 4 | 5): Promise<string> {
  const folderFor = (major: number) => path.join(path.dirname(tarball), `express-${major}`)
  const folder = folderFor(expressMajor)
  mkdirSync(folder)
  cpSync(path.join(repository, 'test/consumers'), folder, { recursive: true })
  // Most of it is the same beside either Express: npm takes what is there already, and changes the rest.
  const there = path.join(folderFor(expressMajor === 4 ? 5 : 4), 'node_modules')
  if (existsSync(there))
    cpSync(there, path.join(folder, 'node_modules'), { recursive: true, verbatimSymlinks: true })
  const manifest = {
    private: true,
    dependencies: {
      'express-oauth-provider': `file:${tarball}`,
      express: expressMajor === 4 ? version('express4') : version('express'),
      'express-session': version('express-session'),
      '@types/express': expressMajor === 4 ? '^4.17.21' : version('@types/express'),
      '@types/express-session': version('@types/express-session'),
      '@types/node': version('@types/node'),
      // The line that most hosts still compile with; the repository's own is tried beside it.
      typescript: '~5.9.0',
    },
    // Where its binary was fetched or compiled, that of this repository is taken, so the version must be the same.
    overrides: { 'better-sqlite3': version('better-sqlite3') },
  }
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest))
  const quietly = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock']
  await run('npm', ['install', ...quietly], { cwd: folder, env })
  if (existsSync(path.join(modules, binary))) {
    mkdirSync(path.join(folder, 'node_modules', path.dirname(binary)), { recursive: true })
    copyFileSync(path.join(modules, binary), path.join(folder, 'node_modules', binary))
  }
  return folder
}

/** Runs a script to its end, with Node and nothing else, and returns what it printed. */
export async function node(cwd: string, script: string, ...args: string[]): Promise<string> {
  return run(process.execPath, [script, ...args], { cwd, env }).then(
    ({ stdout }) => stdout,
    (error) => Promise.reject(new Error(`${script} in ${cwd}:\n${error.stdout}${error.stderr}`)),
  )
}

/** A tool of this repository, run in a project that did not have to install it. */
export function tool(cwd: string, name: 'tsc' | 'jest', ...args: string[]): Promise<string> {
  const script = { tsc: 'typescript/bin/tsc', jest: 'jest/bin/jest.js' }[name]
  return node(cwd, path.join(modules, script), ...args)
}

/** How long a server script may take to answer, in milliseconds. */
const LONGEST_START = 20_000

/** Starts a server script on a free port and waits until that port answers. */
export async function serve(cwd: string, script: string): Promise<{ origin: string; stop(): Promise<void> }> {
  const port = await freePort()
  const child = spawn(process.execPath, [script], { cwd, env: { ...env, PORT: String(port) } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const ended = once(child, 'exit')
  const origin = `http://localhost:${port}`
  const deadline = AbortSignal.timeout(LONGEST_START)
  while (!(await fetch(origin, { signal: deadline }).catch(() => undefined))) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${script} ended:\n${output}`)
    if (deadline.aborted) {
      child.kill('SIGKILL')
      throw new Error(
        `${script} in ${cwd} does not answer at ${origin} within ${LONGEST_START} ms:\n${output}`,
      )
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return {
    origin,
    stop: async () => {
      child.kill()
      await ended
    },
  }
}

export function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}

function version(name: string): string {
  return JSON.parse(readFileSync(path.join(modules, name, 'package.json'), 'utf8')).version
}

function newest(folder: string): number {
  const files = readdirSync(path.join(repository, folder), { recursive: true, withFileTypes: true })
  const times = files.filter((f) => f.isFile()).map((f) => statSync(path.join(f.parentPath, f.name)).mtimeMs)
  return Math.max(...times)
}
