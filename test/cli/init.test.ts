import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type CommandLine, commandLine } from '../support/command-line.js'
import { callApi, getTokens } from '../support/flow.js'
import type { Host } from '../support/host.js'
import { node, repository, serve } from '../support/pack.js'

let line: CommandLine
beforeEach(() => {
  line = commandLine()
})
afterEach(() => line.remove())

const manifest = (value: object) => writeFileSync(line.file('package.json'), JSON.stringify(value))
const written = (name: string) => readFileSync(line.file(name), 'utf8')
const files = () => readdirSync(line.folder).filter((name) => name !== 'package.json')

describe('the file that is written', () => {
  test.each([
    [{ type: 'module' }, 'oauth.js', /^import \{ oauthProvider \} from/],
    [
      {},
      'oauth.js',
      /^const \{ oauthProvider \} = require\([\s\S]*module\.exports = \{ createOAuth, safeReturnTo \}\n$/,
    ],
    [
      { devDependencies: { typescript: '5' } },
      'oauth.ts',
      /^import \{ type OAuthProviderOptions, oauthProvider \} from/,
    ],
  ])('is in the language that package.json says: %j', async (contents, name, code) => {
    manifest(contents)
    expect((await line.run(['init', '--yes'])).code).toBe(0)
    expect(files()).toEqual([name])
    expect(written(name)).toMatch(code)
  })

  test('has a name that Node takes for what it is, where the flag says otherwise than package.json', async () => {
    await line.run(['init', '--yes', '--module', 'esm'])
    manifest({ type: 'module' })
    await line.run(['init', '--yes', '--module', 'commonjs'])
    expect(files()).toEqual(['oauth.cjs', 'oauth.mjs'])
  })

  test('holds what the flags say, whatever characters are in it', async () => {
    const sentence = `It's "all" \`\${yours}\` \\ \u2028 */`
    await line.run([
      'init',
      '--yes',
      '--port',
      '8080',
      '--mount',
      '/auth',
      '--scope',
      `a:b=${sentence}`,
      '--mcp',
    ])
    const code = written('oauth.js')
    expect(code).not.toContain("// scopes: { photos: 'See your photos' }")
    expect(code).toContain("process.env.OAUTH_ISSUER ?? 'http://localhost:8080/auth'")
    expect(code).toContain('mcp: true')
    const oauthProvider = (options: object) => options
    const module = { exports: {} as { createOAuth(app: object): { scopes: object } } }
    new Function('require', 'module', code)(() => ({ oauthProvider }), module)
    expect(module.exports.createOAuth({}).scopes).toEqual({ 'a:b': sentence })
  })

  test('shows without --scope where scopes would stand, and the host what to send its login back with', async () => {
    const { stdout } = await line.run(['init', '--yes', '--issuer', 'https://photos.example/oauth'])
    const code = written('oauth.js')
    expect(code).toContain("    // scopes: { photos: 'See your photos' },\n")
    expect(stdout).toContain('res.redirect(303, safeReturnTo(req.query.return_to))')
    const module = { exports: {} as { safeReturnTo(value: unknown): string } }
    new Function('require', 'module', code)(() => ({}), module)
    const { safeReturnTo } = module.exports
    expect(safeReturnTo('/oauth/consent/1')).toBe('https://photos.example/oauth/consent/1')
    for (const other of ['//evil.example', 'https://evil.example/', '/\\evil.example', ['/a'], undefined])
      expect(safeReturnTo(other)).toBe('/')
  })

  test('comes with lines that have a session first, whoever knows the users, and the MCP endpoint before csurf', async () => {
    manifest({ dependencies: { express: '5' } })
    const { mount, missing } = await line.json<{ mount: string; missing: string[] }>([
      ...['init', '--users', 'other', '--scope', 'photos=See', '--mcp'],
    ])
    expect(missing).toEqual(['express-session', 'express-oauth-provider'])
    expect(mount).toMatch(
      /\/\/ 1\. A session[^\n]*\napp\.use\(session\([\s\S]*\/\/ 4\. Your MCP [^\n]*README[^\n]*\napp\.all\('\/mcp', oauth\.requireToken\('photos'\), mcpHandler\)\n\/\/ 5\. csurf/,
    )
    expect(mount).toMatch(/The id is a string: Number\(id\) .*\n.* findUser: \(id\) => findUserById\(id\)/)
  })

  test('is never put over another one, unless that is said', async () => {
    writeFileSync(line.file('oauth.js'), 'precious')
    const { code, stderr } = await line.run(['init', '--yes'])
    expect([code, written('oauth.js')]).toEqual([1, 'precious'])
    expect(stderr).toMatch(/oauth\.js is there already. Pass another name, --file <name>, or --overwrite/)
    expect((await line.run(['init', '--yes', '--file', 'other.js'])).code).toBe(0)
    expect((await line.run(['init', '--yes', '--overwrite'])).code).toBe(0)
    expect(written('oauth.js')).toBe(written('other.js'))
    expect(files()).toEqual(['oauth.js', 'other.js'])
    // Where nothing is to be seen there may be a name all the same.
    symlinkSync(line.file('nowhere'), line.file('link.js'))
    expect(await line.run(['init', '--yes', '--file', 'link.js'])).toMatchObject({ code: 1 })
    mkdirSync(line.file('folder'))
    expect((await line.run(['init', '--yes', '--file', 'folder', '--overwrite'])).stderr).toMatch(
      /folder is no file/,
    )
    expect((await line.run(['init', '--yes', '--file', 'nowhere/oauth.js'])).stderr).toMatch(
      /cannot be written \(ENOENT\)/,
    )
  })

  test.each([
    [['--issuer', 'http://photos.example'], /is not https/],
    [['--issuer', 'https://photos.example/oauth/'], /ends with a slash/],
    [['--issuer', 'https://photos.example', '--port', '80'], /exclude each other/],
    [['--port', 'http'], /is no port/],
    [['--port', '3000', '--mount', 'oauth'], /is no path. Write --mount \/oauth/],
    [['--module', 'java'], /Write one of: esm, commonjs, typescript/],
    [['--users', 'nobody'], /Write one of: session, passport, other/],
    [['--scope', 'photos'], /Write the name, and what users read: photos=/],
    [['--scope', 'two words=See'], /is no scope/],
  ])('is not written for %j', async (flags, message) => {
    const { code, stderr } = await line.run(['init', '--yes', ...flags])
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
    expect(files()).toEqual([])
  })
})

describe('the questions', () => {
  const answers = ['https://photos.example/oauth', '', 'passport', 'photos=See your photos', '', 'y']

  test('are asked for what no flag says; Enter takes what is usual, and a wrong answer is asked again', async () => {
    manifest({ type: 'module', dependencies: { express: '5', 'express-session': '1' } })
    const typed = [
      'ftp://photos.example',
      'https://photos.example/oauth',
      '',
      'sessions',
      '2',
      'photos',
      'photos=See your photos',
      '',
      'y',
    ]
    const { code, stdout, stderr } = await line.run(['init'], { typed })
    expect(code).toBe(0)
    expect(stderr).not.toMatch(/--\w/)
    expect(stderr).toMatch(
      /is not https[\s\S]*'sessions' is none of these\. Write the word, or its number: 1 session[\s\S]*photos=See your photos\./,
    )
    expect(written('oauth.js')).toContain("photos: 'See your photos'")
    expect(written('oauth.js')).toContain('mcp: true')
    expect(stdout).toMatch(/npm install express-oauth-provider\n/)
    expect(stdout.indexOf('passport.session()')).toBeGreaterThan(stdout.indexOf('session({'))
    expect(stdout.indexOf("app.use('/oauth', oauth)")).toBeGreaterThan(stdout.indexOf('passport.session()'))
    expect(stdout.indexOf('csurf, body parsers, and all')).toBeGreaterThan(stdout.indexOf('oauth.wellKnown'))
  })

  test('ask before a file is replaced', async () => {
    writeFileSync(line.file('oauth.js'), 'precious')
    expect((await line.run(['init'], { typed: [...answers, 'n'] })).code).toBe(1)
    expect(written('oauth.js')).toBe('precious')
    expect((await line.run(['init'], { typed: [...answers, 'yes'] })).code).toBe(0)
    expect(written('oauth.js')).toMatch(/oauthProvider/)
  })

  test('that are broken off write nothing', async () => {
    expect((await line.run(['init'], { typed: ['\u0003'] })).code).toBe(130)
    expect((await line.run(['init'], { typed: [''] })).code).toBe(130)
    expect(files()).toEqual([])
  })
})

describe.each([
  ['an ES module', { type: 'module' }, 'app.js', 'import'],
  ['CommonJS', {}, 'app.js', 'require'],
] as const)('an app in %s with the file and the lines that are printed', (_, contents, script, how) => {
  test('gives a client of the command line tokens for its API', async () => {
    link('express', 'express-session', 'express-oauth-provider')
    manifest({ ...contents, dependencies: { 'express-session': '1' } })
    const { mount } = await line.json<{ mount: string }>(['init', '--scope', 'photos=See your photos'])
    writeFileSync(line.file(script), appWith(mount, how))
    writeFileSync(line.file('client.json'), '{ "client_secret": "conf-secret" }')
    await line.run(['migrate'])
    const flags = [
      '--client-id',
      'conf',
      '--metadata',
      'client.json',
      '--redirect-uri',
      'https://rp.example/cb',
    ]
    await line.json(['clients', 'add', ...flags])
    const server = await serve(line.folder, script)
    try {
      const host = { origin: server.origin, issuer: `${server.origin}/oauth` } as Host
      const { access_token: token } = await getTokens(host, { params: { scope: 'photos' } })
      expect((await callApi(host, '/api/photos', token)).body).toEqual({ photosOf: 'alice' })
      expect((await callApi(host, '/api/photos', undefined)).status).toBe(401)
    } finally {
      await server.stop()
    }
  })
})

test('the file for TypeScript compiles under strict', async () => {
  link('express-oauth-provider', '@types')
  manifest({ type: 'module', devDependencies: { typescript: '5' } })
  const { mount } = await line.json<{ mount: string }>([
    'init',
    '--users',
    'other',
    '--scope',
    'photos=See',
    '--mcp',
  ])
  const [use = '', call = ''] = mount.split('\n').filter((text) => /createOAuth/.test(text))
  const users = 'const findUserById = async (id: string) => ({ id })'
  writeFileSync(
    line.file('use.ts'),
    `${use}\n${users}\n${call.replace('req.yourLogin?.userId', 'req.headers.from')}\nexport default oauth`,
  )
  const options = [
    '--strict',
    '--exactOptionalPropertyTypes',
    '--noUncheckedIndexedAccess',
    '--skipLibCheck',
    '--noEmit',
    '--ignoreConfig',
  ]
  const target = ['--module', 'nodenext', '--target', 'es2022', '--types', 'node']
  const compiler = path.join(repository, 'node_modules/typescript/bin/tsc')
  await expect(node(line.folder, compiler, ...options, ...target, 'use.ts')).resolves.toBe('')
})

function link(...packages: string[]): void {
  mkdirSync(line.file('node_modules'))
  for (const name of packages) {
    const target =
      name === 'express-oauth-provider' ? repository : path.join(repository, 'node_modules', name)
    symlinkSync(target, line.file(`node_modules/${name}`))
  }
}

/** An app around the lines that are printed, which are not touched but for the dots in them. */
function appWith(mount: string, how: 'import' | 'require'): string {
  const load = (name: string, from: string) =>
    how === 'import' ? `import ${name} from '${from}'` : `const ${name} = require('${from}')`
  const lines = mount
    .replace('session({ ... })', "session({ secret: 's', resave: false, saveUninitialized: false })")
    .replace("'/api/...'", "'/api/photos'")
    .replace('res.json(...)', 'res.json({ photosOf: req.auth.userId })')
  return `
${load('express', 'express')}
${load('session', 'express-session')}
process.env.OAUTH_ISSUER = \`http://localhost:\${process.env.PORT}/oauth\`
const findUserById = async (id) => ({ id, name: 'Alice' })
const app = express()
${lines}
app.post('/login', express.urlencoded({ extended: false }), (req, res) => {
  req.session.userId = req.body.user
  res.redirect(303, safeReturnTo(req.body.return_to))
})
app.listen(process.env.PORT)
`
}
