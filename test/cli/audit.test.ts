import { Writable } from 'node:stream'
import { openStore } from '../../lib/store/open.js'
import type { AuditEntry } from '../../lib/store/records.js'
import type { Store } from '../../lib/store/store.js'
import { type CommandLine, commandLine } from '../support/command-line.js'

const START = Date.parse('2026-01-01T00:00:00Z')
const HOUR = 3_600_000
/** More than two pages. */
const COUNT = 1200

const BOLD = new RegExp(`${'\u001b'}\\[\\d+m`, 'g')

let line: CommandLine
let store: Store
beforeAll(async () => {
  line = commandLine()
  await line.run(['migrate'])
  store = openStore(line.file('oauth.db'), Date.now)
  const entries = Array.from({ length: COUNT }, (_, index) => entry(index))
  for (let from = 0; from < COUNT; from += 400) await store.appendAudit(entries.slice(from, from + 400), 0)
})
afterAll(async () => {
  await store.close()
  line.remove()
})

function entry(index: number, more: Partial<AuditEntry> = {}): AuditEntry {
  const at = START + index * HOUR
  return {
    id: at.toString(16).padStart(12, '0') + String(index).padStart(20, '0'),
    at,
    event: index % 2 === 0 ? 'token.issued' : 'grant.revoked',
    userId: index % 3 === 0 ? 'alice' : 'bob',
    clientId: index % 5 === 0 ? 'shop' : 'app',
    by: 'user',
    details: { index },
    ...more,
  }
}

const lines = async (...flags: string[]) => {
  const { code, stdout } = await line.run(['audit', 'export', ...flags], { now: () => START + COUNT * HOUR })
  expect(code).toBe(0)
  return stdout.split('\n').filter(Boolean)
}
const numbers = async (...flags: string[]) =>
  (await lines(...flags)).map((text) => JSON.parse(text).details.index as number)
const expected = (wanted: (index: number) => boolean) =>
  Array.from({ length: COUNT }, (_, index) => COUNT - 1 - index).filter(wanted)

describe('audit export', () => {
  test('writes every entry once, newest first, one JSON document a line', async () => {
    expect(await numbers()).toEqual(expected(() => true))
    expect(JSON.parse((await lines('--since', '1h'))[0] ?? '')).toEqual({
      ...entry(COUNT - 1),
      at: new Date(START + (COUNT - 1) * HOUR).toISOString(),
    })
  })

  test('filters by client, user, event and time; all that is named holds', async () => {
    expect(await numbers('--client', 'shop')).toEqual(expected((index) => index % 5 === 0))
    expect(await numbers('--user', 'alice', '--event', 'grant.revoked')).toEqual(
      expected((index) => index % 3 === 0 && index % 2 === 1),
    )
    expect(await numbers('--since', '2026-01-02', '--until', '2026-01-02T02:00Z')).toEqual([25, 24])
    expect(await numbers('--since', '2026-01-02 01:00+02:00', '--until', '2026-01-02')).toEqual([23])
    expect(await numbers('--since', '2h')).toEqual([COUNT - 1, COUNT - 2])
  })

  test('--json is one array of the same, also of none', async () => {
    const all = await line.json<{ details: { index: number } }[]>(['audit', 'export'])
    expect(all.map(({ details }) => details.index)).toEqual(expected(() => true))
    expect(await line.json(['audit', 'export', '--user', 'nobody'])).toEqual([])
  })

  test('CSV has a head, quotes everything, and lets no field become a formula', async () => {
    const evil = '=HYPERLINK("https://evil.example";"click")\r\n,@SUM(1)'
    const fields = { userId: evil, clientId: '+1', by: '-1', address: '@a', details: { name: 'a "b"' } }
    await store.appendAudit(
      [
        entry(COUNT + 10, fields),
        entry(COUNT + 11, { userId: '\t=1', clientId: '＝1', by: ' \u00a0=1', address: '\u200b\u0000@a' }),
        entry(COUNT + 12, { userId: ' a=1', clientId: 'a-b' }),
      ],
      0,
    )
    const { stdout } = await line.run(['audit', 'export', '--format', 'csv', '--since', '2026-02-20T05:00Z'])
    const rows = parseCsv(stdout)
    expect(
      stdout.startsWith('"id","time","event","user","client","grant","by","address","details"\r\n'),
    ).toBe(true)
    expect(rows).toHaveLength(4)
    expect(rows[3]?.slice(3)).toEqual([`'${evil}`, "'+1", '', "'-1", "'@a", '{"name":"a \\"b\\""}'])
    expect(rows[2]?.slice(3, 8)).toEqual(["'\t=1", "'＝1", '', "' \u00a0=1", "'\u200b\u0000@a"])
    expect(rows[1]?.slice(3, 5)).toEqual([' a=1', 'a-b'])
    expect(rows.every((row) => row.length === 9)).toBe(true)
  })

  test('a reader that has enough, as `| head` has, ends it without a word', async () => {
    let written = 0
    const stdout = new Writable({
      write(_chunk, _encoding, done) {
        written++
        done(written > 1 ? Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }) : null)
      },
    })
    stdout.on('error', () => undefined)
    expect(await line.run(['audit', 'export'], { stdout })).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(written).toBe(2)
  })

  test('Ctrl-C ends it between two pages', async () => {
    const interrupted = new AbortController()
    let text = ''
    const stdout = new Writable({
      write(chunk, _encoding, done) {
        text += chunk
        if (text.length > 0) interrupted.abort()
        done()
      },
    })
    const { code, stderr } = await line.run(['audit', 'export'], { stdout, signal: interrupted.signal })
    expect([code, stderr]).toEqual([130, 'Error: Interrupted.\n'])
    expect(text.trimEnd().split('\n')).toHaveLength(500)
  })
})

test('a command that changes something deletes nothing of the log: the app alone knows for how long it is kept', async () => {
  const count = async () => (await line.json<object[]>(['audit', 'export', '--until', '2026-02-01'])).length
  const before = await count()
  expect(before).toBe(744)
  await line.json(['clients', 'add', '--redirect-uri', 'https://a.example/cb'], {
    now: () => START + 9000 * HOUR,
  })
  expect(await count()).toBe(before)
})

describe('audit list', () => {
  test('shows the newest 50, and says how to get more', async () => {
    const { stdout, stderr } = await line.run(['audit', 'list'])
    const [titles, ...rows] = stdout.trimEnd().split('\n')
    expect(titles).toMatch(/^TIME \(UTC\) +EVENT +USER +CLIENT +BY +FROM +DETAILS$/)
    expect(rows).toHaveLength(50)
    expect(stderr).toMatch(/newest 50.*audit export/)
    expect(await line.json<object[]>(['audit', 'list', '--limit', '700'])).toHaveLength(700)
  })

  test('on a terminal no row is wider than it', async () => {
    const name = '日本語の長い名前'.repeat(20)
    await store.appendAudit([entry(COUNT + 20, { userId: name, details: { text: 'x'.repeat(300) } })], 0)
    const { stdout } = await line.run(['audit', 'list', '--limit', '3'], { columns: 100 })
    const rows = stdout.replace(BOLD, '').trimEnd().split('\n')
    expect(rows.some((row) => /日本.*…/.test(row))).toBe(true)
    for (const row of rows)
      expect(row.length + (row.match(/[\u3000-\u9fff]/g)?.length ?? 0)).toBeLessThanOrEqual(100)
    const { stdout: whole } = await line.run(['audit', 'list', '--limit', '3'])
    expect(whole).toContain(name)
  })

  test('is without colours where nobody looks, or NO_COLOR is set', async () => {
    const coloured = async (surroundings: object) =>
      (await line.run(['audit', 'list'], surroundings)).stdout.includes('\u001b')
    expect(await coloured({ columns: 120 })).toBe(true)
    expect(await coloured({ columns: 120, env: { NO_COLOR: '1' } })).toBe(false)
    expect(await coloured({})).toBe(false)
  })
})

test.each([
  [['audit', 'list', '--since', 'yesterday'], /--since 'yesterday' is no time. Write 2026-01-31/],
  [['audit', 'list', '--since', '2026-02-31'], /is no time/],
  [['audit', 'list', '--until', '2026-13-01T10:00'], /is no time/],
  [['audit', 'list', '--event', 'grant.revokd'], /Did you mean grant.revoked/],
  [['audit', 'list', '--limit', '0'], /--limit '0' is no number/],
  [['audit', 'export', '--format', 'xml'], /Write csv or jsonl/],
  [['audit', 'export', '--format', 'constructor'], /Write csv or jsonl/],
  [['audit', 'export', '--format', 'json'], /Write csv or jsonl/],
  [['audit', 'export', '--format', 'csv', '--json'], /exclude each other/],
])('%j is wrong usage', async (argv, message) => {
  const { code, stdout, stderr } = await line.run(argv)
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toMatch(message)
})

/** RFC 4180, for what a spreadsheet would read. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]]
  for (const [, quoted = '', end] of text.matchAll(/"((?:[^"]|"")*)"(,|\r\n)/g)) {
    rows.at(-1)?.push(quoted.replaceAll('""', '"'))
    if (end === '\r\n') rows.push([])
  }
  return rows.slice(0, -1)
}
