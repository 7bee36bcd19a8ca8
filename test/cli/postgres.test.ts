import pg from 'pg'
import { postgresStore } from '../../lib/store/postgres.js'
import { type CommandLine, commandLine } from '../support/command-line.js'
import { callApi, getTokens } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'
import { type PostgresServer, startPostgres } from '../support/postgres.js'

let server: PostgresServer
let url: string
let line: CommandLine
let host: Host
let pool: pg.Pool
beforeAll(async () => {
  server = await startPostgres()
  url = await server.createDatabase()
  line = commandLine()
})
afterAll(async () => {
  await host?.close()
  await pool?.end()
  await server.stop()
  line.remove()
})

const inSchema = ['--schema', 'of_oauth']

test('an empty database is left as it is by all but migrate, which says from which version to which', async () => {
  const { code, stderr } = await line.run(['clients', 'list', '--store', url])
  expect(code).toBe(1)
  expect(stderr).toMatch(/has no tables of express-oauth-provider/)
  const { to, ...others } = await line.json<{ to: number }>(['migrate', '--store', url])
  expect(others).toMatchObject({ created: false, from: 0 })
  expect(await line.json(['migrate', '--store', url])).toMatchObject({ from: to, to })
  expect(await line.json(['migrate', '--store', url, ...inSchema])).toMatchObject({ from: 0, to })
})

test('what the command line does there, a provider on the same database knows at once', async () => {
  pool = new pg.Pool({ connectionString: url })
  // Ended, it may yet hear that the server ends.
  pool.on('error', () => undefined)
  host = await startHost({ provider: { store: postgresStore(pool) } })
  const env = { OAUTH_STORE: url }
  const uri = ['--redirect-uri', 'https://rp.example/cb']
  await line.json(['clients', 'add', '--client-id', 'shop', ...uri], { env })
  expect(await host.oauth.clients.get('shop')).toMatchObject({ client_id: 'shop' })
  expect(await line.json(['clients', 'list', ...inSchema], { env })).toEqual([])

  const tokens = await getTokens(host, { user: 'alice' })
  expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(200)
  const [grant] = await line.json<{ id: string }[]>(['grants', 'list', '--user', 'alice'], { env })
  expect(await line.json(['grants', 'revoke', grant?.id ?? ''], { env })).toEqual({ grants: 1 })
  expect((await callApi(host, '/api/read', tokens.access_token)).status).toBe(401)

  const withPassword = url.replace(/\/\/([^@:]*)(:[^@]*)?@/, '//$1:my-password@')
  const stats = await line.json(['stats', '--store', withPassword])
  expect(stats).toMatchObject({
    clients: { total: 1 },
    grants: { total: 0 },
    store: expect.stringContaining(':***@'),
  })
  expect(await line.json(['purge'], { env })).toMatchObject({ clients: 0 })
  const events = await line.json<{ event: string }[]>(['audit', 'list'], { env })
  expect(events[0]?.event).toBe('grant.revoked')
})

test('a server that does not answer is told without the password', async () => {
  const { code, stderr } = await line.run([
    'stats',
    '--store',
    'postgres://me:my-password@127.0.0.1:9/db?password=another',
  ])
  expect(code).toBe(1)
  expect(stderr).toMatch(/ECONNREFUSED/)
  expect(stderr).not.toMatch(/my-password|another|\n {4}at /)
  const gone = await line.run([
    'stats',
    '--json',
    '--store',
    url.replace(/\/[^/?]*(\?|$)/, '/no_such_database$1'),
  ])
  expect(JSON.parse(gone.stderr)).toMatchObject({ error: 'store_unavailable', exitCode: 1 })
})

test('where pg is not installed, the message says how to install it', async () => {
  jest.doMock('pg', () => {
    throw Object.assign(new Error("Cannot find package 'pg'"), { code: 'ERR_MODULE_NOT_FOUND' })
  })
  await jest.isolateModulesAsync(async () => {
    const { commandLine: withoutDriver } = await import('../support/command-line.js')
    const other = withoutDriver()
    const { code, stderr } = await other.run(['stats', '--store', url])
    other.remove()
    expect(code).toBe(1)
    expect(stderr).toMatch(/package pg has to be installed.*npm install pg/)
  })
})
