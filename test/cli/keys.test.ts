import SQLite from 'better-sqlite3'
import { decodeProtectedHeader } from 'jose'
import { type CommandLine, commandLine } from '../support/command-line.js'
import { type Host, startHost } from '../support/host.js'
import { signIn } from '../support/openid.js'

const SECRET = 'the-secret-of-the-app-that-is-long-enough'

interface Key {
  readonly kid: string
  readonly alg: string
  readonly state: string
}

let line: CommandLine
let host: Host
beforeAll(async () => {
  line = commandLine()
  host = await startHost({
    provider: { store: line.file('oauth.db'), keys: undefined, secret: SECRET } as object,
  })
  await host.oauth.keys.list()
})
afterAll(async () => {
  await host.close()
  line.remove()
})

/** As the host's clock is. */
const at = (env: Record<string, string> = { OAUTH_SECRET: SECRET }) => ({ env, now: host.now })
const list = () => line.json<Key[]>(['keys', 'list'], at())
const stored = () => {
  const db = new SQLite(line.file('oauth.db'), { readonly: true })
  const row = db.prepare('SELECT revision, data FROM oauth_keys').get() as { revision: number; data: string }
  db.close()
  return row
}

test('list shows every key with its state, and nothing private', async () => {
  const keys = await list()
  expect(keys.map(({ alg, state }) => `${alg} ${state}`)).toEqual(
    ['RS256', 'ES256', 'EdDSA'].flatMap((alg) => [`${alg} current`, `${alg} next`]),
  )
  expect(keys).toEqual(
    (await host.oauth.keys.list()).map(({ kid, alg, state }) => expect.objectContaining({ kid, alg, state })),
  )
  expect(new Set(keys.flatMap((key) => Object.keys(key)))).toEqual(
    new Set(['kid', 'alg', 'state', 'createdAt', 'signsFrom']),
  )
  const { stdout } = await line.run(['keys', 'list'], at())
  expect(stdout).toMatch(/^KID +ALG +STATE +CREATED \(UTC\) +SIGNS FROM\n\S+ +RS256 +current +\d/)
})

test('list changes nothing, however much is due', async () => {
  const before = stored()
  const later = host.now() + 400 * 86_400_000
  await line.json(['keys', 'list'], { ...at(), now: () => later })
  expect(stored()).toEqual(before)
})

test('encrypted keys cannot be had without OAUTH_SECRET, and the message says so', async () => {
  for (const argv of [
    ['keys', 'list'],
    ['keys', 'rotate'],
  ]) {
    const without = await line.run(argv, at({}))
    expect(without).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/encrypted.*OAUTH_SECRET/),
    })
    const wrong = await line.run(argv, at({ OAUTH_SECRET: 'x'.repeat(40) }))
    expect(wrong).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/does not fit.*OAUTH_SECRET_OLD/),
    })
    expect(wrong.stderr).not.toContain('x'.repeat(10))
  }
  const being = await line.run(
    ['keys', 'list'],
    at({ OAUTH_SECRET: 'y'.repeat(40), OAUTH_SECRET_OLD: SECRET }),
  )
  expect(being.code).toBe(0)
})

test('rotate lets the next keys sign at the running provider, keeps them encrypted, and is in the audit log', async () => {
  host.advance(400)
  const before = await list()
  const rotated = await line.json<Key[]>(['keys', 'rotate'], at())
  expect(rotated.map(({ kid }) => kid)).toEqual(
    before.filter(({ state }) => state === 'next').map(({ kid }) => kid),
  )
  expect(rotated.every(({ state }) => state === 'current')).toBe(true)
  expect(stored().data).toMatch(/^eyJ/)
  host.advance(60)
  const { tokens } = await signIn(host)
  expect(decodeProtectedHeader(tokens.id_token).kid).toBe(rotated.find(({ alg }) => alg === 'RS256')?.kid)
  expect(await line.json(['audit', 'list', '--event', 'keys.rotated', '--limit', '1000'])).toContainEqual(
    expect.objectContaining({ event: 'keys.rotated', by: 'host' }),
  )
})

test('revoke asks, and ends a stolen key: the running provider signs with the next one within a minute', async () => {
  const of = (keys: readonly Key[], state: string) =>
    keys.find((key) => key.alg === 'RS256' && key.state === state)?.kid ?? ''
  // The app makes keys to follow.
  await host.oauth.keys.list()
  const before = await list()
  const stolen = of(before, 'current')
  // A kid may begin with two hyphens.
  const refused = await line.run(['keys', 'revoke', '--', stolen], at())
  expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('Add --yes') })
  expect(await list()).toEqual(before)
  const unknown = await line.run(['keys', 'revoke', 'nothing', '--yes'], at())
  expect(unknown).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("There is no signing key 'nothing'"),
  })
  expect(await line.json(['keys', 'revoke', '--yes', '--', stolen], at())).toEqual({
    kid: stolen,
    revoked: true,
  })
  host.advance(60)
  const { tokens } = await signIn(host)
  expect(decodeProtectedHeader(tokens.id_token).kid).toBe(of(before, 'next'))
  expect(JSON.stringify(await list())).not.toContain(stolen)
})

test('rotate waits for the app to make keys that can follow, and says so', async () => {
  for (let left = 2; left > 0; left--) await line.run(['keys', 'rotate'], at())
  const { code, stderr } = await line.run(['keys', 'rotate'], at())
  expect(code).toBe(1)
  expect(stderr).toMatch(/No key is ready to follow.*within a minute/)
})

test('keys that are not encrypted stay so, although OAUTH_SECRET is set: the app might not know it', async () => {
  const other = commandLine()
  const plain = await startHost({ provider: { store: other.file('oauth.db'), keys: undefined } as object })
  try {
    await plain.oauth.keys.list()
    plain.advance(400)
    const answer = await other.run(['keys', 'rotate'], { env: { OAUTH_SECRET: SECRET }, now: plain.now })
    expect(answer).toMatchObject({ code: 0, stderr: expect.stringMatching(/within a minute/) })
    plain.advance(60)
    expect((await plain.oauth.keys.list()).some(({ state }) => state === 'retired')).toBe(true)
  } finally {
    await plain.close()
    other.remove()
  }
})

test('a store without keys has none to list, and none to rotate', async () => {
  const empty = commandLine()
  await empty.run(['migrate'])
  expect(await empty.json(['keys', 'list'])).toEqual([])
  expect(await empty.run(['keys', 'list'])).toMatchObject({
    code: 0,
    stdout: '',
    stderr: expect.stringMatching(/app makes them/),
  })
  expect(await empty.run(['keys', 'rotate'])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/app makes them/),
  })
  empty.remove()
})
