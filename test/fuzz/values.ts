import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { signJwt } from '../support/assertions.js'
import { pkjKey } from '../support/clients.js'

/** What a value may stand for that only the running host knows: tokens, ids, a CSRF token; by name. */
export type Known = Readonly<Record<string, string>>

/** A text in which `<<name>>` stands for what is known by that name, and what is then done to it. So a counterexample can be read, and run again. */
export interface Value {
  readonly text: string
  readonly changes: readonly Change[]
}

interface Change {
  readonly do: 'insert' | 'cut' | 'leave out' | 'double' | 'capitals'
  /** Where, as a part of the length. */
  readonly at: number
  readonly with: string
}

/** Markup and headers of this name are found in an answer only where a value got there as it came. */
export const MARK = 'zz9'

const FRAGMENTS = [
  ...['', 'a', '0', '-1', '1e308', 'NaN', 'null', 'undefined', '__proto__', 'constructor', 'toString'],
  ...[
    '\0',
    '\r\n',
    '\u202e',
    '\ud83d',
    '\ufeff',
    'é',
    'ｐub',
    '%00',
    '%',
    '%zz',
    '&',
    '=',
    '[]',
    '[a]',
    '{}',
    '[',
    '{',
  ],
  ...['"', "'", '<', '\\', '//', '../', '..', ' ', '+', '\t', ':', '@', '#', '?', ';', ','],
  ...[
    'https://evil.test',
    'javascript:zz9',
    'http://[::1]:99999/',
    'urn:',
    'http://localhost:1/cb',
    'data:text/html,x',
  ],
  ...[`<${MARK}>`, `" ${MARK}="`, `' ${MARK}='`, `\r\n${MARK}: 1`, `</script><${MARK}>`, '<%=7*7%>'],
  ...[
    '{"userinfo":[]}',
    '{"__proto__":{"x":1}}',
    '[{"type":"payment"}]',
    '[null]',
    '{"a":1,"a":2}',
    '1 2',
    'x'.repeat(300),
  ],
]

const REPEATED = ['a', 'a!', '"', ' ', '=', '.', '[', '{"a":', '%41', '~', '\\', '9', 'a b ', '\u0301']

/** The names of what every target knows. */
const NAMES = [
  'access_token',
  'refresh_token',
  'id_token',
  'consent',
  'request_uri',
  'registration_token',
  'user_code',
]

const known = fc.constantFrom(...NAMES.map((name) => `<<${name}>>`))

const jwt = fc
  .tuple(fc.json({ maxDepth: 2 }), fc.json({ maxDepth: 2 }), fc.constantFrom('', 'x', '.x', '.x.y', '.', '='))
  .map(([header, claims, rest]) => `${segment(header)}.${segment(claims)}.${rest}`)

const hostileMember = fc.oneof(
  fc.constantFrom<unknown>(null, true, -1, 0, 1e308, 2 ** 53, '', 'x', [], {}, [null], { __proto__: null }, [
    'conf',
    'x',
  ]),
  fc.jsonValue({ maxDepth: 2 }),
)
export const someOf = (...names: readonly string[]) =>
  fc
    .array(fc.tuple(fc.constantFrom(...names), hostileMember), { maxLength: 3 })
    .map((members) => Object.fromEntries(members))

const CLAIMS = [
  'iss',
  'sub',
  'aud',
  'exp',
  'nbf',
  'iat',
  'jti',
  'client_id',
  'scope',
  'claims',
  'request',
  'max_age',
]
const MORE_CLAIMS = [
  'redirect_uri',
  'state',
  'prompt',
  'authorization_details',
  'resource',
  'htm',
  'htu',
  'ath',
  'cnf',
]
const HEADER = ['alg', 'typ', 'kid', 'crit', 'b64', 'zip', 'jwk', 'jku', 'x5c']

/** A JWT whose signature is right, which is as far as anybody gets who has a key of a client. */
const signed = fc
  .record({ header: someOf(...HEADER), claims: someOf(...CLAIMS, ...MORE_CLAIMS) })
  .map((parts) => `<<signed ${JSON.stringify(parts)}>>`)

/** What somebody sends who means no good. */
export const hostile: fc.Arbitrary<string> = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...FRAGMENTS) },
  { weight: 4, arbitrary: known },
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...REPEATED), fc.integer({ min: 2, max: 3000 }))
      .map(([text, times]) => text.repeat(times)),
  },
  { weight: 1, arbitrary: fc.json({ maxDepth: 3 }) },
  { weight: 1, arbitrary: jwt },
  { weight: 2, arbitrary: signed },
  { weight: 1, arbitrary: fc.webUrl({ withFragments: true, withQueryParameters: true }) },
)

const changes: fc.Arbitrary<readonly Change[]> = fc.array(
  fc.record({
    do: fc.constantFrom('insert', 'insert', 'cut', 'leave out', 'double', 'capitals'),
    at: fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100),
    with: hostile,
  }),
  { minLength: 1, maxLength: 2 },
)

/** What comes in place of a right value: that value changed, or anything else. */
export function insteadOf(right: string): fc.Arbitrary<Value> {
  return fc.oneof(
    changes.map((changes) => ({ text: right, changes })),
    hostile.map((text) => ({ text, changes: [] })),
  )
}

/** The text that is sent. */
export function spell({ text, changes }: Value, known: Known): string {
  return changes.reduce(apply, fill(text, known))
}

/** Puts in what is known, and signs what is to be signed. */
export function fill(text: string, known: Known): string {
  if (!text.includes('<<')) return text
  return text
    .replace(/<<signed (\{.*?\})>>/gs, (all, parts: string) => signAsClient(parts, known) ?? all)
    .replace(/<<(\w+)>>/g, (all, name: string) => known[name] ?? all)
}

/** As `pkj`; undefined for what an earlier change has left incomplete. */
function signAsClient(parts: string, known: Known): string | undefined {
  try {
    const { header = {}, claims = {} } = JSON.parse(parts)
    const now = Math.floor(Date.now() / 1000)
    const sub = 'client_id' in claims ? undefined : 'pkj'
    const standing = { iss: 'pkj', sub, aud: known.issuer, iat: now, exp: now + 60, jti: randomUUID() }
    // Signed as it says, where that can be; otherwise as the key of the client signs.
    return signJwt({ alg: 'ES256', ...header }, { ...standing, ...claims }, pkjKey)
  } catch {
    return undefined
  }
}

function apply(text: string, change: Change): string {
  const at = Math.floor(change.at * text.length)
  if (change.do === 'insert') return text.slice(0, at) + change.with + text.slice(at)
  if (change.do === 'cut') return text.slice(at)
  if (change.do === 'leave out') return text.slice(0, at) + text.slice(at + 1)
  return change.do === 'double' ? text + text : text.toUpperCase()
}

function segment(text: string): string {
  return Buffer.from(text).toString('base64url')
}
