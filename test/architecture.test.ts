import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

type Sources = Record<string, string>

/** A file may import its own folder and lower levels. Exact names win over folders. */
const levels: Record<string, number> = {
  'options.ts': 0,
  'settings.ts': 0,
  'standard-claims.ts': 0,
  'secrets.ts': 0,
  'resources.ts': 0,
  'scopes.ts': 0,
  'errors.ts': 0,
  'events.ts': 0,
  'runtime.ts': 0,
  'awaitable.ts': 0,
  'issuer.ts': 0,
  'lifetimes.ts': 0,
  'validation.ts': 0,
  'parameters.ts': 0,
  'suggestion.ts': 0,
  'middleware.ts': 0,
  'optional.ts': 0,
  'sender.ts': 0,
  'actor.ts': 0,
  'sender-constraints.ts': 0,
  'authorization-details.ts': 0,
  'described-members.ts': 0,
  'json-text.ts': 0,
  'trusted-issuers.ts': 0,
  'profile.ts': 0,
  'features.ts': 0,
  'grant-types.ts': 0,
  'record-id.ts': 0,
  'random.ts': 0,
  'audit-settings.ts': 0,
  'client-sources.ts': 0,
  'locales.ts': 0,
  'login-url.ts': 0,
  'applications.ts': 0,
  'users.ts': 0,
  'client-name.ts': 0,
  'mcp.ts': 0,
  'mcp-calls.ts': 0,
  'messages.ts': 0,
  'testing.ts': 0,
  'built-in-texts.ts': 0,
  'text.ts': 0,
  'vouched.ts': 0,
  'network.ts': 0,
  'store/store.ts': 0,
  'store/records.ts': 0,
  'keys/keys.ts': 0,
  'keys/signing-keys.ts': 0,
  'outgoing/outgoing.ts': 0,
  'outgoing/': 1,
  'keys/': 1,
  'store/': 1,
  'http/': 1,
  'single-use.ts': 1,
  'tally.ts': 1,
  'tokens/handle.ts': 1,
  'grant-registry.ts': 2,
  'audit/': 2,
  'hooks.ts': 2,
  'clients/': 2,
  'authorization/': 2,
  'tokens/': 2,
  'possession/': 2,
  'grants/': 3,
  'bearer/': 3,
  'requests/': 3,
  'client-auth/': 3,
  'sessions/': 3,
  'registration/': 3,
  'endpoints/': 4,
  'require-token.ts': 4,
  'test-kit.ts': 4,
  'cli/': 5,
  'index.ts': 5,
  'provider.ts': 5,
  'routes.ts': 5,
  'page-routes.ts': 5,
}

/** Every package is known in one place only. */
const importers: Record<string, RegExp> = {
  express: /^http\//,
  csurf: /^http\/csrf\.ts$/,
  ejs: /^http\/templates\.ts$/,
  jose: /^keys\//,
  'better-sqlite3': /^store\//,
  'ipaddr.js': /^outgoing\//,
  'http-cache-semantics': /^outgoing\//,
  ajv: /^authorization-details\.ts$/,
  pg: /^cli\/postgres\.ts$/,
  bcryptjs: /^clients\/secret\.ts$/,
}

const library = path.resolve(import.meta.dirname, '../lib')

test('every import in lib goes to its own folder or down, and names stay where they belong', () => {
  expect(violations(read(library))).toEqual([])
})

describe('files in lib are short', () => {
  const files = Object.entries(read(library)).map(([file, source]) => ({
    file,
    lines: source.trimEnd().split('\n').length,
  }))

  test('none has more than 250 lines but options.ts', () => {
    expect(files.filter(({ file, lines }) => lines > 250 && file !== 'options.ts')).toEqual([])
  })

  test('half of them have less than 80', () => {
    const lines = files.map(({ lines }) => lines).sort((a, b) => a - b)
    expect(lines[Math.floor(lines.length / 2)]).toBeLessThan(80)
  })
})

test('no folder is named helpers, utils, shared or common', () => {
  const folders = readdirSync(library, { recursive: true, withFileTypes: true }).filter((e) =>
    e.isDirectory(),
  )
  expect(folders.map((e) => e.name).filter((name) => /^(helpers?|utils?|shared|common)$/.test(name))).toEqual(
    [],
  )
})

describe('the rules of the architecture test', () => {
  test.each([
    [
      'an import that goes up',
      { 'tokens/code.ts': "import { a } from '../endpoints/token.js'", 'endpoints/token.ts': '' },
    ],
    [
      'an import of a type that goes up',
      { 'options.ts': "import type { A } from './provider.js'", 'provider.ts': '' },
    ],
    [
      'a folder beside its own',
      { 'tokens/code.ts': "import { a } from '../clients/client.js'", 'clients/client.ts': '' },
    ],
    ['http from level 2', { 'tokens/code.ts': "import { a } from '../http/reply.js'", 'http/reply.ts': '' }],
    [
      'http from level 3',
      { 'grants/a.ts': "export {\n  a,\n} from '../http/reply.js'", 'http/reply.ts': '' },
    ],
    ['express outside http', { 'endpoints/token.ts': "import type { Request } from 'express'" }],
    ['bcryptjs beside clients/secret.ts', { 'clients/find.ts': "import bcrypt from 'bcryptjs'" }],
    ['a package without a place', { 'http/reply.ts': "import onFinished from 'on-finished'" }],
    [
      'more than the store in its contract',
      { 'store/contract.ts': "import { a } from '../errors.js'", 'errors.ts': '' },
    ],
    ['a cycle', { 'http/a.ts': "import './b.js'", 'http/b.ts': "const b = import('./a.js')" }],
    ['a file without a level', { 'odd.ts': '' }],
  ])('%s is found', (_, sources) => {
    const found = violations(sources)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(Object.keys(sources)[0])
  })

  test('what DESIGN allows is allowed', () => {
    expect(
      violations({
        'options.ts': "import type { Store } from './store/store.js'\nimport type { A } from 'node:http'",
        'store/store.ts': "export type { R } from './records.js'",
        'store/records.ts': '',
        'store/contract.ts': "import type { Store } from './store.js'",
        'http/pages.ts': "import { Router } from 'express'\nimport type { O } from '../options.js'",
        'endpoints/token.ts': "import { a } from '../http/pages.js'",
        'index.ts': "export { b } from './endpoints/token.js'",
      }),
    ).toEqual([])
  })
})

function violations(sources: Sources): string[] {
  const graph = Object.fromEntries(
    Object.entries(sources).map(([file, source]) => [file, imports(file, source)]),
  )
  const pairs = Object.entries(graph).flatMap(([file, targets]) =>
    targets.map((target) => [file, target] as const),
  )
  return [
    ...Object.keys(sources)
      .filter((file) => level(file) === undefined)
      .map((file) => `${file} has no level: give it one in test/architecture.test.ts`),
    ...pairs
      .map(([file, target]) => forbidden(file, target, sources))
      .filter((reason) => reason !== undefined),
    ...cycles(graph),
  ]
}

function forbidden(file: string, target: string, sources: Sources): string | undefined {
  if (target.startsWith('node:')) return undefined
  if (!(target in sources)) {
    const owner = importers[target.split('/')[0]!]
    return owner?.test(file) ? undefined : `${file} imports the package ${target}`
  }
  const from = level(file)
  const to = level(target)
  if (from === undefined || to === undefined) return undefined
  if (file === 'store/contract.ts' && !target.startsWith('store/'))
    return `${file} imports ${target}: the store only`
  if ((from === 2 || from === 3) && target.startsWith('http/'))
    return `${file} [${from}] imports ${target}: no http here`
  // The types of level 0 are one family, though the store's lie in its folder; so is what level 5 puts together.
  const family =
    from === to && (from === 0 || from === 5 || path.posix.dirname(file) === path.posix.dirname(target))
  return to < from || family ? undefined : `${file} [${from}] imports ${target} [${to}]`
}

function level(file: string): number | undefined {
  return levels[file] ?? levels[`${file.split('/')[0]}/`]
}

function imports(file: string, source: string): string[] {
  const statement =
    /^(?:import|export)\s+(?:[\w\s{},*$]+?\s+from\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm
  return [...source.matchAll(statement)].map((match) => {
    const name = match[1] ?? match[2]!
    if (!name.startsWith('.')) return name
    return path.posix.join(path.posix.dirname(file), name).replace(/\.js$/, '.ts')
  })
}

function cycles(graph: Record<string, string[]>): string[] {
  const done = new Set<string>()
  const found: string[] = []
  const visit = (file: string, trail: string[]) => {
    if (trail.includes(file))
      found.push(`${[...trail.slice(trail.indexOf(file)), file].join(' -> ')} is a cycle`)
    if (done.has(file)) return
    done.add(file)
    for (const target of graph[file] ?? []) visit(target, [...trail, file])
  }
  for (const file of Object.keys(graph)) visit(file, [])
  return found
}

function read(folder: string): Sources {
  const files = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.ts'))
  return Object.fromEntries(
    files.map((name) => [name.split(path.sep).join('/'), readFileSync(path.join(folder, name), 'utf8')]),
  )
}
