import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { openStore } from '../../lib/store/open.js'
import { type CommandLine, commandLine } from '../support/command-line.js'
import { repository } from '../support/pack.js'

const binary = path.join(repository, 'dist/esm/cli.js')
const { NODE_ENV: _, OAUTH_STORE: __, ...env } = process.env

let line: CommandLine
beforeAll(async () => {
  if (!existsSync(binary)) throw new Error('the command line is not built: npm run build')
  line = commandLine()
  await line.run(['migrate'])
})
afterAll(() => line.remove())

const run = (...argv: string[]) =>
  promisify(execFile)(process.execPath, [binary, ...argv], { cwd: line.folder, env }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  )

test('the built command runs by itself, with the exit codes that it says', async () => {
  expect(readFileSync(binary, 'utf8').split('\n')[0]).toBe('#!/usr/bin/env node')
  const [added, wrong, refused] = await Promise.all([
    run('clients', 'add', '--name', 'Print shop', '--redirect-uri', 'https://shop.example/cb', '--json'),
    run('clients', 'ad'),
    run('clients', 'show', 'nobody', '--json'),
  ])
  expect(added).toMatchObject({ code: 0, stderr: '' })
  const { client_id: id } = JSON.parse(added.stdout)
  expect(await line.json(['clients', 'show', id])).toMatchObject({ client_name: 'Print shop' })
  expect(wrong).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/Did you mean/) })
  expect(refused).toMatchObject({ code: 1, stdout: '' })
  expect(JSON.parse(refused.stderr)).toMatchObject({ error: 'invalid_client', exitCode: 1 })
})

test('a reader that goes away leaves neither a stack trace nor a process behind', async () => {
  const store = openStore(line.file('oauth.db'), Date.now)
  const details = { text: 'x'.repeat(2000) }
  const entries = Array.from({ length: 1000 }, (_, index) => ({
    ...{ id: Date.now().toString(16).padStart(12, '0') + String(index).padStart(20, '0'), at: Date.now() },
    ...{ event: 'token.issued', details },
  }))
  await store.appendAudit(entries, 0)
  await store.close()
  const child: ChildProcess = spawn(process.execPath, [binary, 'audit', 'export'], { cwd: line.folder, env })
  let complaints = ''
  child.stderr?.on('data', (chunk) => (complaints += chunk))
  child.stdout?.once('data', () => child.stdout?.destroy())
  const [code, signal] = await once(child, 'close')
  expect([code, signal, complaints]).toEqual([0, null, ''])
})
