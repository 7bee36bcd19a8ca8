import { readFileSync } from 'node:fs'
import path from 'node:path'
import { COMMANDS } from '../../lib/cli/commands.js'
import { type CommandLine, commandLine } from '../support/command-line.js'

const manifest = path.resolve(import.meta.dirname, '../../package.json')

let line: CommandLine
beforeAll(() => {
  line = commandLine()
})
afterAll(() => line.remove())

test('help names every command with what it does, and how the store and the secret are given', async () => {
  const { code, stdout, stderr } = await line.run(['help'])
  expect([code, stderr]).toEqual([0, ''])
  for (const { name, summary } of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${name} +${summary}$`, 'm'))
  expect(stdout).toMatch(/OAUTH_STORE[\s\S]*OAUTH_SECRET[\s\S]*Exit codes: 0/)
  expect((await line.run(['--help'])).stdout).toBe(stdout)
  expect(await line.run([])).toEqual({ code: 2, stdout: '', stderr: stdout })
})

test.each(COMMANDS.map(({ name }) => [name]))(
  'help %s is its manual, as is --help behind it',
  async (name) => {
    const { code, stdout } = await line.run(['help', ...name.split(' ')])
    expect(code).toBe(0)
    expect(stdout).toContain(`npx express-oauth-provider ${name}`)
    expect(stdout).toMatch(/--json/)
    expect((await line.run([...name.split(' '), '--help'])).stdout).toBe(stdout)
  },
)

test('help of a group lists its commands', async () => {
  expect((await line.run(['help', 'keys'])).stdout).toMatch(/^ {2}keys list .*\n {2}keys rotate /)
  expect(await line.run(['help', 'kyes'])).toMatchObject({ code: 2 })
})

test('--version is that of the package', async () => {
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'))
  expect(await line.run(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
})

test.each([
  [['client', 'list'], /Did you mean 'clients list'\?/],
  [['clients', 'lst'], /no command 'clients lst'. Did you mean 'clients list'\?/],
  [['clients', 'rotate-secert', 'x'], /Did you mean 'clients rotate-secret'\?/],
  [['stat'], /Did you mean 'stats'\?/],
  [['hepl'], /Did you mean 'help'\?/],
  [['clients'], /not a whole command. Write one of:\n {2}npx express-oauth-provider clients add\n/],
  [['grants', '--json'], /not a whole command|Write one of/],
  [['keys', 'frobnicate'], /Write one of:\n {2}npx express-oauth-provider keys list/],
  [['frobnicate'], /no command 'frobnicate'. All commands: npx express-oauth-provider help/],
  [['--json', 'clients', 'list'], /Write the command first/],
  [['__proto__'], /no command '__proto__'/],
  [['clients', 'list', '--jsno'], /--jsno is not known. Did you mean --json\?/],
  [['clients', 'list', '--constructor'], /--constructor is not known. Known are: --matching/],
  [['clients', 'list', '--__proto__=x'], /--__proto__ is not known/],
  [['clients', 'list', '--json=yes'], /--json takes no value/],
  [['clients', 'list', '--matching'], /--matching needs a value: --matching <text>/],
  [['clients', 'show'], /client id is missing. Write npx express-oauth-provider clients show <client id>/],
])('%j is told what to type instead', async (argv, message) => {
  const { code, stdout, stderr } = await line.run(argv)
  expect([code, stdout]).toEqual([2, ''])
  const text = argv.includes('--json') ? JSON.parse(stderr).message : stderr
  expect(text).toMatch(message)
})

test('with --json an error is one JSON document on stderr, with its exit code', async () => {
  const { code, stderr } = await line.run(['clients', 'lst', '--json'])
  expect(code).toBe(2)
  expect(JSON.parse(stderr)).toEqual({ error: 'usage', message: expect.any(String), exitCode: 2 })
})

test.each([
  [['postgres://me:my hidden phrase@host/db']],
  [['--store', 'postgres://me:my', 'hidden', 'phrase@host/db']],
  [['--store', 'x', "'postgres://me:hidden", "phrase@host/db'"]],
  [['--matching', "--store='postgres://me:hidden@host/db'"]],
  [['--store="postgres://me:hidden phrase@host/db"']],
  [['--store', 'mysql://me:hidden@host/db']],
])('an error does not show the password in %j', async (argv) => {
  for (const more of [[], ['--json']]) {
    const { code, stdout, stderr } = await line.run(['clients', 'list', ...argv, ...more])
    expect(code).toBeGreaterThan(0)
    expect(stdout + stderr).not.toMatch(/hidden|phrase/)
    expect(stderr).toContain('***')
  }
})

test('an error does not send to the terminal what was typed', async () => {
  await line.run(['migrate'])
  for (const argv of [
    ['clients', 'show', '\u001b]0;a\u0007'],
    ['\u001b[2J'],
    ['stats', '--store', '\u001b[2J\u009b.db'],
  ]) {
    const { stderr } = await line.run(argv)
    expect(stderr).toMatch(/\\x1b/)
    expect(stderr).not.toMatch(/(?!\n)\p{Cc}/u)
  }
})
