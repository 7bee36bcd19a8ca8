import type { AuditEntry, Grant } from '../../lib/store/records.js'
import { type CommandLine, commandLine } from '../support/command-line.js'
import { callApi, getTokens, refresh } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'

let line: CommandLine
let host: Host
beforeAll(async () => {
  line = commandLine()
  host = await startHost({ provider: { store: line.file('oauth.db') } })
})
afterAll(async () => {
  await host.close()
  line.remove()
})
beforeEach(async () => {
  for (const { id } of await host.oauth.grants.list()) await host.oauth.grants.revoke(id)
})

const status = async (token: string, path = '/api/read') => (await callApi(host, path, token)).status
const list = (...flags: string[]) => line.json<Grant[]>(['grants', 'list', ...flags])

test('list finds by user, by client, by both; newest first', async () => {
  await getTokens(host, { user: 'alice', client: 'conf', params: { scope: 'read write' } })
  host.advance(1)
  await getTokens(host, { user: 'bob', client: 'conf' })
  host.advance(1)
  await getTokens(host, { user: 'alice', client: 'pub' })
  const names = async (...flags: string[]) =>
    (await list(...flags)).map(({ userId, clientId }) => `${userId} ${clientId}`)
  expect(await names()).toEqual(['alice pub', 'bob conf', 'alice conf'])
  expect(await names('--user', 'alice')).toEqual(['alice pub', 'alice conf'])
  expect(await names('--client', 'conf')).toEqual(['bob conf', 'alice conf'])
  expect(await names('--client', 'conf', '--user', 'bob')).toEqual(['bob conf'])
  const [grant] = await list('--user', 'alice', '--client', 'conf')
  expect(grant).toMatchObject({
    access: { [host.origin]: ['read', 'write'] },
    createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  })
  const { stdout } = await line.run(['grants', 'list', '--user', 'alice', '--client', 'conf'])
  expect(stdout).toMatch(/^ID +USER +CLIENT +SCOPES .*\n\S+ +alice +conf +read write +\d/)
  expect(await line.run(['grants', 'list', '--user', 'nobody'])).toEqual({
    code: 0,
    stdout: '',
    stderr: 'No grants.\n',
  })
})

test('a grant that is revoked by its id is dead at the running provider, and no other', async () => {
  const tokens = await getTokens(host, { user: 'alice' })
  const other = await getTokens(host, { user: 'bob' })
  const [grant] = await list('--user', 'alice')
  expect(await line.run(['grants', 'revoke', grant?.id ?? ''])).toMatchObject({
    code: 0,
    stdout: 'Revoked 1 grant.\n',
  })
  expect(await status(tokens.access_token)).toBe(401)
  expect(await refresh(host, tokens.refresh_token)).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant' },
  })
  expect(await status(other.access_token)).toBe(200)
  const again = await line.run(['grants', 'revoke', grant?.id ?? ''])
  expect(again).toMatchObject({ code: 1, stderr: expect.stringMatching(/There is no grant/) })
})

test('--user ends all of a user, --client all made to a client, both together what one allowed the other', async () => {
  const tokensOf = async (user: string, client: string) =>
    (await getTokens(host, { user, client })).access_token
  const [aliceConf, alicePub, bobConf, bobPub] = [
    await tokensOf('alice', 'conf'),
    await tokensOf('alice', 'pub'),
    await tokensOf('bob', 'conf'),
    await tokensOf('bob', 'pub'),
  ]
  const states = () => Promise.all([aliceConf, alicePub, bobConf, bobPub].map((token) => status(token)))
  expect(await line.json(['grants', 'revoke', '--user', 'alice', '--client', 'conf', '--yes'])).toEqual({
    grants: 1,
  })
  expect(await states()).toEqual([401, 200, 200, 200])
  expect(await line.json(['grants', 'revoke', '--client', 'conf', '--yes'])).toEqual({ grants: 1 })
  expect(await states()).toEqual([401, 200, 401, 200])
  expect(await line.json(['grants', 'revoke', '--user', 'bob', '--yes'])).toEqual({ grants: 1 })
  expect(await states()).toEqual([401, 200, 401, 401])
  expect((await line.run(['grants', 'revoke', '--user', 'bob', '--yes'])).code).toBe(1)
})

test('--scope takes one scope out of living tokens, and leaves the rest', async () => {
  const params = { scope: 'read write' }
  const alice = (await getTokens(host, { user: 'alice', params })).access_token
  const bob = (await getTokens(host, { user: 'bob', params })).access_token
  const one = await line.run(['grants', 'revoke', '--user', 'alice', '--scope', 'write', '--yes'])
  expect(one).toMatchObject({ code: 0, stdout: 'Withdrew write from 1 grant.\n' })
  expect([await status(alice), await status(alice, '/api/write')]).toEqual([200, 403])
  expect(await status(bob, '/api/write')).toBe(200)
  expect(await line.json(['grants', 'revoke', '--client', 'conf', '--scope', 'write', '--yes'])).toEqual({
    grants: 1,
  })
  expect(await status(bob, '/api/write')).toBe(403)
  const [grant] = await list('--user', 'alice')
  expect(await line.json(['grants', 'revoke', grant?.id ?? '', '--scope', 'read'])).toEqual({ grants: 1 })
  expect(await list('--user', 'alice')).toEqual([])
  const none = await line.run(['grants', 'revoke', '--client', 'conf', '--scope', 'nothing', '--yes'])
  expect(none).toMatchObject({ code: 1, stderr: expect.stringMatching(/with the scope nothing/) })
})

test('what may be many grants is ended for who says yes; with nobody to ask, for --yes', async () => {
  await getTokens(host, { user: 'alice', client: 'conf' })
  await getTokens(host, { user: 'alice', client: 'pub' })
  const argv = ['grants', 'revoke', '--user', 'alice']
  const unasked = await line.run(argv)
  expect(unasked).toMatchObject({ code: 2, stdout: '' })
  expect(unasked.stderr).toBe(
    "Error: Nobody can be asked here. Add --yes if the answer is yes: End 2 grants of the user 'alice'?\n",
  )
  const scope = await line.run([...argv, '--client', 'pub', '--scope', 'read'])
  expect(scope.stderr).toMatch(/: Take read out of 1 grant of the user 'alice' to the client 'pub'\?\n$/)
  expect(await line.run(argv, { typed: ['n'] })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Nothing was changed.'),
  })
  expect(await list('--user', 'alice')).toHaveLength(2)
  expect(await line.run(argv, { typed: ['y'] })).toMatchObject({ code: 0, stdout: 'Revoked 2 grants.\n' })
  expect(await list('--user', 'alice')).toEqual([])
  expect(await line.run(argv)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/There is no such grant/),
  })
})

test('what ended is in the audit log, as the host did it', async () => {
  await getTokens(host, { user: 'bob', client: 'pub', params: { scope: 'read write' } })
  const [grant] = await list('--user', 'bob')
  await line.run(['grants', 'revoke', grant?.id ?? '', '--scope', 'write'])
  await line.run(['grants', 'revoke', grant?.id ?? ''])
  const log = await line.json<AuditEntry[]>(['audit', 'list', '--user', 'bob', '--client', 'pub'])
  const byHost = log.filter(({ grantId, by }) => grantId === grant?.id && by === 'host')
  expect(byHost.map(({ event, details }) => [event, details])).toEqual([
    ['grant.revoked', undefined],
    ['scopes.withdrawn', { scopes: ['write'] }],
  ])
})

test.each([
  [['grants', 'revoke'], /Say what to revoke/],
  [['grants', 'revoke', 'an-id', '--user', 'alice'], /Leave --user and --client out/],
  [['grants', 'revoke', '--user'], /--user needs a value: --user <user id>/],
  [['grants', 'revoke', '--user', ''], /--user needs a value/],
  [['grants', 'revoke', '--user', '--client', 'conf'], /--user needs a value/],
  [['grants', 'revoke', '--user', 'a', '--user', 'b'], /--user is there twice/],
  [['grants', 'revoke', '--client', 'conf', '--scope', ' '], /is no scope/],
  [['grants', 'revoke', 'one', 'two'], /'two' is one word too many/],
  [['grants', 'list', 'alice'], /'alice' is one word too many/],
])('%j is wrong usage, and ends nothing', async (argv, message) => {
  await getTokens(host, { user: 'alice' })
  expect(await line.run(argv)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(message) })
  expect(await list('--user', 'alice')).toHaveLength(1)
})
