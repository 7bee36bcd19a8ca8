import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import SQLite from 'better-sqlite3'
import { openStore } from '../../lib/store/open.js'
import { encode } from '../support/agent.js'
import { fetch } from '../support/fetch.js'
import * as flow from '../support/flow.js'
import type { Host } from '../support/host.js'
import { issueCodes } from '../support/issued-codes.js'
import { type Processes, type ProviderProcess, prepareProcesses } from '../support/processes.js'
import { push } from '../support/pushed.js'

const client = 'pub'

let processes: Processes
let folder: string
let file: string
beforeAll(() => {
  processes = prepareProcesses()
})
afterAll(() => processes.close())
beforeEach(() => {
  // Whoever the process is, it comes to its file.
  folder = mkdtempSync(path.join(tmpdir(), 'oauth-file-'))
  file = path.join(folder, 'oauth.db')
  makeWritable()
})
afterEach(() => {
  makeWritable()
  rmSync(folder, { recursive: true })
})

function makeWritable(): void {
  chmodSync(folder, 0o777)
}

interface Answer {
  readonly status: number
  readonly headers: Headers
}

async function revoke(host: ProviderProcess, token: string): Promise<Answer> {
  const { status, headers } = await fetch(`${host.issuer}/revoke`, {
    method: 'POST',
    body: encode({ token, client_id: client }),
  })
  return { status, headers }
}

/** Two of each kind of request: one that is sent in the fault and once more after it, and one that is sent after it only. */
async function prepare(host: ProviderProcess) {
  // So that the kind of its journal stays.
  const db = new SQLite(file)
  const codes = await issueCodes(openStore(db, Date.now), 5)
  db.close()
  chmodSync(file, 0o666)
  const redeem = (code: string) => flow.redeem(host as Host, code, { client })
  const tokens = []
  for (const code of codes.splice(0, 4)) tokens.push((await redeem(code)).body)
  const [alive, refreshed, ended] = tokens
  const reads: (() => Promise<Answer>)[] = [
    () => flow.callApi(host as Host, '/api/read', alive!.access_token),
    () => fetch(`${host.issuer}/.well-known/openid-configuration`),
    () => flow.refresh(host as Host, 'x', { client }),
  ]
  const writes: (() => Promise<Answer>)[] = [
    () => redeem(codes[0]!),
    () => flow.refresh(host as Host, refreshed!.refresh_token, { client }),
    () => revoke(host, ended!.refresh_token),
    () => push(host as Host),
  ]
  return { reads, writes, ended: ended!, alive: alive! }
}

function expectUnavailable({ status, headers }: Answer): void {
  expect(status).toBe(503)
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
}

async function statuses(sends: readonly (() => Promise<Answer>)[]): Promise<number[]> {
  const answers = []
  for (const send of sends) answers.push((await send()).status)
  return answers
}

/** Takes from everybody but root the right to write, as who restores a backup with wrong owners does. */
function makeReadOnly(): void {
  chmodSync(file, 0o444)
  chmodSync(folder, 0o555)
}

test('a folder that becomes read-only under a file which the provider has opened stops nothing', async () => {
  const host = await (await processes.load()).open(file, { unprivileged: true })
  const { reads, writes, ended } = await prepare(host)
  makeReadOnly()
  expect(await statuses(reads)).toEqual([200, 200, 400])
  expect(await statuses(writes)).toEqual([200, 200, 200, 201])
  expect((await flow.callApi(host as Host, '/api/read', ended.access_token)).status).toBe(401)
  await host.close()
})

test('a read-only folder in which a connection of the host needs its journal: what writes is told 503, all else goes on, and so does all of it afterwards', async () => {
  const host = await (await processes.load()).open(file, { ownConnection: true, unprivileged: true })
  const { reads, writes, ended } = await prepare(host)
  makeReadOnly()
  for (let time = 0; time < 2; time++) {
    expect(await statuses(reads)).toEqual([200, 200, 400])
    for (const write of writes) expectUnavailable(await write())
  }
  const authorize = await fetch(flow.authorizeUrl(host as Host), { redirect: 'manual' })
  expect(authorize.status).toBe(303)
  expect(new URL(authorize.headers.get('location')!).searchParams.get('error')).toBe('server_error')
  expect((await flow.callApi(host as Host, '/api/read', ended.access_token)).status).toBe(200)
  makeWritable()
  chmodSync(file, 0o666)
  expect(await statuses(writes)).toEqual([200, 200, 200, 201])
  expect((await flow.callApi(host as Host, '/api/read', ended.access_token)).status).toBe(401)
  await host.close()
})

test('a file that the system lets not grow: every refresh has its tokens or 503 and can be tried again, nothing is lost, and all goes on once there is room', async () => {
  const loaded = await processes.load({ largestFile: 256 * 1024 })
  const host = await loaded.open(file)
  const { reads, alive } = await prepare(host)
  let { refresh_token } = alive
  let answer = await flow.refresh(host as Host, refresh_token, { client })
  for (let tries = 0; answer.status === 200 && tries < 1000; tries++) {
    refresh_token = answer.body.refresh_token
    answer = await flow.refresh(host as Host, refresh_token, { client })
  }
  expectUnavailable(answer)
  expectUnavailable(await flow.refresh(host as Host, refresh_token, { client }))
  expect(await statuses(reads)).toEqual([200, 200, 400])
  const other = new SQLite(file)
  other.pragma('wal_checkpoint(TRUNCATE)')
  expect([statSync(`${file}-wal`).size, other.pragma('integrity_check', { simple: true })]).toEqual([0, 'ok'])
  other.close()
  const again = await flow.refresh(host as Host, refresh_token, { client })
  expect(again.status).toBe(200)
  expect((await flow.callApi(host as Host, '/api/read', again.body.access_token)).status).toBe(200)
  await host.close()
})
