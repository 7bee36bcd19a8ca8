import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import SQLite from 'better-sqlite3'
import { commandLine } from '../support/command-line.js'
import { callApi, postToken } from '../support/flow.js'
import { startHost } from '../support/host.js'

const folder = mkdtempSync(path.join(tmpdir(), 'oauth-migrations-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** What version 1 wrote for one client of its own, a user who allowed it, and the tokens of both; its first line says which. */
const DUMP = readFileSync(path.join(import.meta.dirname, '../support/version-1.sql'), 'utf8')
const { at, origin, tokens } = JSON.parse(DUMP.slice(3, DUMP.indexOf('\n')))

function makeFile(name: string, newOrigin: string = origin): string {
  const file = path.join(folder, name)
  const db = new SQLite(file)
  db.exec(DUMP.replaceAll(origin, newOrigin))
  db.close()
  return file
}

/** What SQLite says that it has of ours, without the order in which it came. */
function schemaOf(file: string) {
  const db = new SQLite(file)
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all()
  const columns = (tables as string[]).map((table) =>
    db.prepare('SELECT name, type, "notnull", pk FROM pragma_table_info(?) ORDER BY name').all(table),
  )
  const indexes = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'index' ORDER BY name").all()
  db.close()
  return { tables, columns, indexes }
}

test('a file of version 1 works after opening: its client, its grant and its tokens, and all that is new', async () => {
  let time = at
  const host = await startHost({
    provider: (own) => ({ store: makeFile('works.db', own), clock: () => time, keys: undefined as never }),
  })
  const { oauth } = host
  expect((await callApi(host, '/api/write', tokens.access_token)).status).toBe(200)
  time += 3_600_000
  const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token, client_id: 'stored' }
  const renewed = await postToken(host, form, { client: 'pub' })
  expect(renewed.status).toBe(200)
  const [grant, ...others] = await oauth.grants.list({ clientId: 'stored' })
  expect([grant?.userId, others]).toEqual(['alice', []])
  expect(await oauth.grants.withdraw({ clientId: 'stored' }, ['write'])).toBe(1)
  expect((await callApi(host, '/api/write', renewed.body.access_token)).status).toBe(403)
  expect((await callApi(host, '/api/read', renewed.body.access_token)).status).toBe(200)
  expect((await oauth.audit.list({ userId: 'alice' })).map(({ event }) => event)).toEqual([
    'scopes.withdrawn',
    'token.issued',
  ])
  await oauth.clients.update('stored', { client_name: 'New' })
  expect(await oauth.clients.delete('stored')).toBe(true)
  expect(await oauth.grants.list()).toEqual([])
  await host.close()
})

test('it has the tables of a new file, and the command line brings it there from version 1 too', async () => {
  const line = commandLine()
  const old = makeFile('old.db')
  expect((await line.run(['stats', '--store', old])).stderr).toMatch(/is at version 1 of 2\. .* migrate/)
  expect(await line.json(['migrate', '--store', old])).toMatchObject({ created: false, from: 1, to: 2 })
  expect(await line.json(['migrate', '--store', old])).toMatchObject({ from: 2, to: 2 })
  await line.run(['migrate', '--store', 'new.db'])
  expect(schemaOf(old)).toEqual(schemaOf(line.file('new.db')))
  const list = ['clients', 'list', '--store', old, '--matching']
  expect(await line.json([...list, 'E "APP'])).toMatchObject([{ client_id: 'stored', source: 'host' }])
  expect(await line.json([...list, 'nothing'])).toEqual([])
  line.remove()
})
