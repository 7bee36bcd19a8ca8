import fc from 'fast-check'
import type { Contents } from '../support/contents.js'

/** What has become of a part of the store: of all rows of one kind. */
export interface Damage {
  readonly of: (typeof PLACES)[number]
  readonly how: readonly Step[]
}

/** `at`: which member, as a part of how many there are; of a member that is an object, which of its own. */
export type Step =
  | { readonly do: 'write'; readonly text: string }
  | { readonly do: 'shorten'; readonly at: number }
  | { readonly do: 'set'; readonly at: readonly number[]; readonly to: unknown }
  | { readonly do: 'lose'; readonly at: readonly number[] }
  | { readonly do: 'add'; readonly name: string; readonly value: unknown }
  | { readonly do: 'unhang' }

const RECORDS = ['access', 'refresh', 'code', 'request', 'pushed', 'device', 'user_code', 'decision'] as const
const TRACES = ['trace of refresh', 'trace of request', 'trace of user_code'] as const
const GRANTS = ['grant access', 'grant claims', 'grant withdrawn'] as const
const PLACES = [...RECORDS, ...TRACES, 'attempt', 'client', ...GRANTS, 'audit'] as const

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
        'scopes',
        'jwks',
        'secret',
        'lifetimes',
        'localized',
        'hostLimit',
        'source',
        'expiresAt',
        'backchannelLogoutUri',
        'sectorIdentifierUri',
        'subjectType',
        'idTokenSignedResponseAlg',
        'userinfoSignedResponseAlg',
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

/** What becomes of a text. */
export const steps: fc.Arbitrary<readonly Step[]> = fc.array(step, { minLength: 1, maxLength: 2 })

/** Every kind of thing that is kept, damaged or of another version. */
export const damages: fc.Arbitrary<Damage> = fc.record({
  // Of a client most is kept.
  of: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...PLACES) }, fc.constant('client' as const)),
  how: steps,
})

/** Keeps what is in the store now. Answers what brings it back. */
export async function remember(contents: Contents): Promise<() => Promise<void>> {
  const tables = ['clients', 'grants', 'records', 'revocations', 'sessions', 'audit'].map(
    (name) => `oauth_${name}`,
  )
  for (const table of tables) await contents.run(`CREATE TABLE kept_${table} AS SELECT * FROM ${table}`)
  const again = tables.map(
    (table) => `DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM kept_${table};`,
  )
  return () => contents.run(`BEGIN; ${again.join(' ')} COMMIT`)
}

/** Whether the database has taken any of it. */
export async function doDamage(contents: Contents, { of, how }: Damage): Promise<boolean> {
  const [table, column, rows] = placeOf(of)
  let taken = false
  for (const { id, text } of await contents.read(table, column, rows)) {
    const write = contents.write(table, column, how.reduce(damaged, text), id)
    taken =
      (await write.then(
        () => true,
        () => false,
      )) || taken
  }
  if (table === 'oauth_records' && how.some((step) => step.do === 'unhang'))
    await contents.run(`UPDATE oauth_records SET grant_id = NULL, family_id = NULL WHERE ${rows}`)
  return taken
}

function placeOf(of: Damage['of']): [table: string, column: string, rows: string] {
  if (of === 'client') return ['oauth_clients', 'data', 'true']
  if (of === 'audit') return ['oauth_audit', 'details', 'true']
  if (of.startsWith('grant ')) return ['oauth_grants', of.slice('grant '.length), 'true']
  if (of.startsWith('trace of '))
    return ['oauth_records', 'trace', `kind = '${of.slice('trace of '.length)}'`]
  return ['oauth_records', 'data', `kind = '${of}'`]
}

export function damaged(text: string, step: Step): string {
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
