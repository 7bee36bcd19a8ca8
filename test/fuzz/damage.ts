import type { Database } from 'better-sqlite3'
import fc from 'fast-check'

/** What has become of a part of the store: of all rows of one kind. */
export interface Damage {
  readonly of: (typeof PLACES)[number]
  readonly how: readonly Step[]
}

/** `at`: which member, as a part of how many there are; of a member that is an object, which of its own. */
type Step =
  | { readonly do: 'write'; readonly text: string }
  | { readonly do: 'shorten'; readonly at: number }
  | { readonly do: 'set'; readonly at: readonly number[]; readonly to: unknown }
  | { readonly do: 'lose'; readonly at: readonly number[] }
  | { readonly do: 'add'; readonly name: string; readonly value: unknown }
  | { readonly do: 'unhang' }

const RECORDS = ['access', 'refresh', 'code', 'request', 'pushed', 'device', 'user_code', 'decision'] as const
const TRACES = ['trace of refresh', 'trace of request', 'trace of user_code'] as const
const PLACES = [...RECORDS, ...TRACES, 'attempt', 'client', 'grant access', 'grant claims'] as const

const part = fc.integer({ min: 0, max: 99 }).map((percent) => percent / 100)
const where = fc.array(part, { minLength: 1, maxLength: 3 })
const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    0.5,
    1e300,
    2 ** 48,
    '',
    'x',
    [],
    {},
    [null],
    ['x'],
    { x: null },
    '__proto__',
  ),
  fc.jsonValue({ maxDepth: 2 }),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('set' as const), at: where, to: anything }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('lose' as const), at: where }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      name: fc.constantFrom(
        'x',
        'version',
        '__proto__',
        'claims',
        'confirmation',
        'actor',
        'authorizationDetails',
        'subs',
      ),
      value: anything,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      text: fc.oneof(
        fc.constantFrom('', 'null', '[]', '{', 'x', '1', '"x"', '{}', '\0'),
        fc.json({ maxDepth: 1 }),
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('shorten' as const), at: part }) },
  { weight: 1, arbitrary: fc.constant({ do: 'unhang' as const }) },
)

/** Every kind of thing that is kept, damaged or of another version. */
export const damages: fc.Arbitrary<Damage> = fc.record({
  of: fc.constantFrom(...PLACES),
  how: fc.array(step, { minLength: 1, maxLength: 2 }),
})

/** Keeps what is in the store now. Answers what brings it back. */
export function remember(db: Database): () => void {
  const tables = ['oauth_clients', 'oauth_grants', 'oauth_records', 'oauth_revocations', 'oauth_sessions']
  for (const table of tables) db.exec(`CREATE TEMP TABLE kept_${table} AS SELECT * FROM ${table}`)
  return db.transaction(() => {
    for (const table of tables)
      db.exec(`DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM kept_${table}`)
  })
}

export function doDamage(db: Database, { of, how }: Damage): void {
  const [table, column, rows] = placeOf(of)
  const found = db
    .prepare(`SELECT id, ${column} AS text FROM ${table} WHERE ${rows} AND text IS NOT NULL`)
    .all()
  const write = db.prepare(`UPDATE ${table} SET ${column} = ? WHERE id = ?`)
  for (const { id, text } of found as { id: string; text: string }[]) write.run(how.reduce(damaged, text), id)
  if (table === 'oauth_records' && how.some((step) => step.do === 'unhang'))
    db.exec(`UPDATE oauth_records SET grant_id = NULL, family_id = NULL WHERE ${rows}`)
}

function placeOf(of: Damage['of']): [table: string, column: string, rows: string] {
  if (of === 'client') return ['oauth_clients', 'data', 'true']
  if (of === 'grant access') return ['oauth_grants', 'access', 'true']
  if (of === 'grant claims') return ['oauth_grants', 'claims', 'true']
  if (of.startsWith('trace of '))
    return ['oauth_records', 'trace', `kind = '${of.slice('trace of '.length)}'`]
  return ['oauth_records', 'data', `kind = '${of}'`]
}

function damaged(text: string, step: Step): string {
  if (step.do === 'write') return step.text
  if (step.do === 'shorten') return text.slice(0, Math.floor(text.length * step.at))
  if (step.do === 'unhang') return text
  const content = parse(text)
  if (typeof content !== 'object' || content === null) return text
  if (step.do === 'add')
    return `${JSON.stringify(content).slice(0, -1)}${Object.keys(content).length > 0 ? ',' : ''}"${step.name}":${JSON.stringify(step.value)}}`
  change(content as Record<string, unknown>, step.at, step)
  return JSON.stringify(content)
}

function change(
  object: Record<string, unknown>,
  [at = 0, ...deeper]: readonly number[],
  step: Extract<Step, { readonly do: 'set' | 'lose' }>,
): void {
  const names = Object.keys(object)
  const name = names[Math.floor(at * names.length)]
  if (name === undefined) return
  const member = object[name]
  if (deeper.length > 0 && typeof member === 'object' && member !== null && Object.keys(member).length > 0)
    change(member as Record<string, unknown>, deeper, step)
  else if (step.do === 'set') object[name] = step.to
  else delete object[name]
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
