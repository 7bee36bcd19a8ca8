import fc from 'fast-check'
import { PARAMETERS, SCENARIOS, type Scenario } from './scenarios.js'
import { fill, hostile, insteadOf, type Known, spell, type Value } from './values.js'

/** A request that is right by its scenario, and what makes it wrong. */
export interface FuzzRequest {
  readonly scenario: string
  readonly method?: string
  readonly edits: readonly Edit[]
  readonly headers: Readonly<Record<string, Value>>
  /** Where the parameters stand, if not where they should. */
  readonly place?: 'query' | 'body' | 'both'
  readonly cookies?: 'none' | 'broken'
  readonly id?: Value
}

type Edit =
  | { readonly do: 'set'; readonly name: string; readonly value: Value }
  | { readonly do: 'leave out'; readonly name: string }
  | { readonly do: 'repeat'; readonly name: string }
  | { readonly do: 'rename'; readonly name: string; readonly to: string }
  | { readonly do: 'raw'; readonly text: string }

/** A request as it is sent. */
export interface Sent {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

const FORM = 'application/x-www-form-urlencoded'
const METHODS = ['GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']
const SHAPES = ['[]', '[a]', '[toString]', '[length]', '[__proto__][x]', ' ', '\0', '.x']

/** Headers that the provider, a body parser or the session reads, and what may stand there. */
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  authorization: [
    'Basic',
    'Basic !!!',
    'Basic <<>>',
    'Bearer <<refresh_token>>',
    'DPoP <<access_token>>',
    'Digest x',
    '',
  ],
  dpop: ['<<id_token>>', 'x', '..', ''],
  accept: ['application/token-introspection+jwt', '*/*;q=x', ';;,', 'text/html'],
  'accept-language': ['de', '*', 'x-klingon;q=2', 'de,'.repeat(200)],
  'content-type': [
    `${FORM};charset=utf-7`,
    'application/json',
    'multipart/form-data',
    'text/plain',
    '',
    `${FORM}, x`,
  ],
  'content-encoding': ['gzip', 'x'],
  cookie: ['oauth_browser=x', 'host=s%3Ax.y', '=;=;', '__proto__=x'],
  origin: ['https://evil.test', 'null'],
  referer: ['https://evil.test/'],
  'sec-fetch-site': ['cross-site', 'x'],
  'sec-fetch-mode': ['navigate'],
  'x-forwarded-for': ['x'],
  'x-forwarded-host': ['evil.test'],
  'x-client-cert': ['x'],
  'mcp-protocol-version': ['x'],
}

const names = fc.constantFrom(...PARAMETERS)

function editsOf({ form = {} }: Scenario): fc.Arbitrary<readonly Edit[]> {
  const own = Object.keys(form)
  const some = own.length > 0 ? fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...own) }, names) : names
  const edit: fc.Arbitrary<Edit> = fc.oneof(
    {
      weight: 6,
      arbitrary: some.chain((name) =>
        insteadOf(form[name] ?? '').map((value): Edit => ({ do: 'set', name, value })),
      ),
    },
    {
      weight: 2,
      arbitrary: some.map((name): Edit => ({ do: 'leave out', name })),
    },
    { weight: 1, arbitrary: some.map((name): Edit => ({ do: 'repeat', name })) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(some, fc.constantFrom(...SHAPES))
        .map(([name, shape]): Edit => ({ do: 'rename', name, to: name + shape })),
    },
    { weight: 1, arbitrary: hostile.map((text): Edit => ({ do: 'raw', text })) },
  )
  return fc.array(edit, { minLength: 0, maxLength: 4 })
}

const headers: fc.Arbitrary<Readonly<Record<string, Value>>> = fc
  .array(
    fc.constantFrom(...Object.keys(HEADERS)).chain((name) =>
      fc
        .constantFrom(...(HEADERS[name] ?? []))
        .chain((text) => fc.oneof(fc.constant({ text, changes: [] }), insteadOf(text)))
        .map((value): [string, Value] => [name, value]),
    ),
    { maxLength: 2 },
  )
  .map((pairs) => Object.fromEntries(pairs))

function requestsOf(scenario: string, right: Scenario): fc.Arbitrary<FuzzRequest> {
  const seldom = <T>(arbitrary: fc.Arbitrary<T>) =>
    fc.oneof({ weight: 7, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })
  return fc
    .record({
      edits: editsOf(right),
      headers: fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, { weight: 2, arbitrary: headers }),
      method: seldom(fc.constantFrom(...METHODS)),
      place: seldom(fc.constantFrom('query' as const, 'body' as const, 'both' as const)),
      cookies: seldom(fc.constantFrom('none' as const, 'broken' as const)),
      id: right.id === undefined ? fc.constant(undefined) : seldom(insteadOf(right.id)),
    })
    .map((made) => {
      const given = Object.entries(made).filter(([, value]) => value !== undefined)
      return { scenario, ...Object.fromEntries(given) } as FuzzRequest
    })
}

/** Requests by every method, wrong in what they say and how they say it, to what the scenarios are about whose name is right. */
export function requestsTo(isRight: (name: string) => boolean): fc.Arbitrary<FuzzRequest> {
  const chosen = Object.entries(SCENARIOS).filter(([name]) => isRight(name))
  return fc.oneof(...chosen.map(([name, scenario]) => requestsOf(name, scenario)))
}

/** The same to every endpoint. */
export const requests = requestsTo(() => true)

/** What goes over the wire. `mount`: the path of the provider. */
export function spellRequest(request: FuzzRequest, known: Known, mount: string): Sent {
  const right = SCENARIOS[request.scenario]
  if (right === undefined) throw new Error(`There is no scenario ${request.scenario}.`)
  const method = request.method ?? right.method
  const given = pairsOf(right, request.edits, known)
  const form = given
    .map(([name, value]) => (value === undefined ? name : `${encode(name)}=${encode(value)}`))
    .join('&')
  const withBody = method !== 'GET' && method !== 'HEAD'
  const { place = withBody ? 'body' : 'query' } = request
  const id = request.id === undefined ? fill(right.id ?? '', known) : encode(spell(request.id, known))
  const path = (right.atRoot ? '' : mount) + right.route.replace(':id', id)
  const json = right.json && withBody
  return {
    method,
    path: !json && place !== 'body' && form !== '' ? `${path}?${form}` : path,
    headers: headersOf(request, right, known, withBody),
    ...(withBody && { body: json ? jsonOf(given) : place === 'query' ? '' : form }),
  }
}

type Pair = [name: string, value: string | undefined]

function pairsOf({ form = {} }: Scenario, edits: readonly Edit[], known: Known): Pair[] {
  const right = Object.entries(form).map(([name, value]): Pair => [name, fill(value, known)])
  return edits.reduce((pairs, edit) => edited(pairs, edit, known), right)
}

function edited(pairs: Pair[], edit: Edit, known: Known): Pair[] {
  if (edit.do === 'raw') return [...pairs, [fill(edit.text, known), undefined]]
  const others = pairs.filter(([name]) => name !== edit.name)
  const [, value] = pairs.find(([name]) => name === edit.name) ?? ['', 'x']
  if (edit.do === 'leave out') return others
  if (edit.do === 'repeat') return [...pairs, [edit.name, value]]
  return [...others, edit.do === 'rename' ? [edit.to, value] : [edit.name, spell(edit.value, known)]]
}

/** An object; where an edit has said something that is none of its members, that. */
function jsonOf(pairs: readonly Pair[]): string {
  const [raw] = pairs.find(([, value]) => value === undefined) ?? []
  if (raw !== undefined) return raw
  return JSON.stringify(Object.fromEntries(pairs.map(([name, value = '']) => [name, meant(value)])))
}

function meant(value: string): unknown {
  if (!/^[[{\d-]|^(?:null|true|false)$/.test(value)) return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

function headersOf(
  { headers, cookies }: FuzzRequest,
  right: Scenario,
  known: Known,
  withBody: boolean,
): Record<string, string> {
  const cookie = cookies === 'none' ? '' : cookies === 'broken' ? known.cookies?.slice(3) : known.cookies
  const usual = {
    ...(right.browser && cookie && { cookie }),
    ...(right.authorization && { authorization: fill(right.authorization, known) }),
    ...(withBody && { 'content-type': right.json ? 'application/json' : FORM }),
  }
  const hostile = Object.entries(headers).map(([name, value]) => [name, inHeader(spell(value, known))])
  return { ...usual, ...Object.fromEntries(hostile) }
}

/** Node sends no header that breaks the protocol, and no server takes more than 16 KB of them. */
function inHeader(value: string): string {
  return value
    .replace(/[^\t\x20-\x7e\x80-\xff]/g, '')
    .slice(0, 6000)
    .trim()
}

/** Mostly percent-encoded, as clients do; what cannot be is left as it is. */
function encode(value: string): string {
  return encodeURIComponent(Buffer.from(value).toString()).replace(/%25(zz|00)?/g, (all) =>
    all === '%25' ? '%25' : '%zz',
  )
}
