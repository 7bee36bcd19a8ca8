/** A JSON Schema that is an object; `true` and `false` are schemas too, which describe nothing. */
type Schema = Readonly<Record<string, unknown>>

/** Whether a schema knows a member of this name. */
type Knows = (name: string) => boolean

/** The objects in a value, with what each schema knows of them that they fit. */
export type Descriptions = Map<object, Knows[]>

/** Keywords whose value is a schema, a list of schemas, or schemas by name (JSON Schema 2020-12). All else is no schema, however it looks. */
const SCHEMA = [
  ...['items', 'additionalProperties', 'unevaluatedItems', 'unevaluatedProperties', 'contains'],
  ...['propertyNames', 'if', 'then', 'else', 'not'],
]
const LIST = ['prefixItems', 'allOf', 'anyOf', 'oneOf']
const BY_NAME = ['properties', 'patternProperties', 'dependentSchemas', '$defs', 'definitions']

const KEYWORD = 'describesMembers'

/**
 * The keyword by which schemas tell what they know of an object that they have found to fit. It stands behind all others (`post`), so a branch of
 * `oneOf` that does not apply tells nothing. `this` is what the validation was called with.
 */
export const DESCRIBES = {
  keyword: KEYWORD,
  post: true,
  errors: false,
  compile(_: unknown, schema: Schema) {
    const knows = whatIsKnown(schema)
    return function (this: Descriptions, value: unknown) {
      if (!isObject(value)) return true
      const others = this.get(value)
      if (others === undefined) this.set(value, [knows])
      else others.push(knows)
      return true
    }
  },
} as const

/** A schema in which each one that names members, at whatever depth, has the keyword. */
export function withDescriptions(schema: Schema): Schema {
  const entries = Object.entries(schema).map(([keyword, value]) => [keyword, descend(keyword, value)])
  return { ...Object.fromEntries(entries), ...(namesMembers(schema) && { [KEYWORD]: true }) }
}

/** Whether a schema says itself what becomes of members that it does not name. */
export function isSettled({ additionalProperties, unevaluatedProperties }: Schema): boolean {
  return additionalProperties !== undefined || unevaluatedProperties !== undefined
}

/** The way to an object with a member that none of the schemas knows which describe that object; undefined where there is none. */
export function strangerIn(
  value: unknown,
  descriptions: Descriptions,
  place: readonly string[] = [],
): readonly string[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const known = descriptions.get(value)
  for (const [name, member] of Object.entries(value)) {
    if (known?.some((knows) => knows(name)) === false) return place
    const within = strangerIn(member, descriptions, [...place, name])
    if (within !== undefined) return within
  }
  return undefined
}

function descend(keyword: string, value: unknown): unknown {
  if (SCHEMA.includes(keyword)) return subschema(value)
  if (LIST.includes(keyword) && Array.isArray(value)) return value.map(subschema)
  if (!BY_NAME.includes(keyword) || !isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, schema]) => [name, subschema(schema)]))
}

function subschema(value: unknown): unknown {
  return isObject(value) ? withDescriptions(value) : value
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An object of which no schema names a member is free. */
function namesMembers(schema: Schema): boolean {
  return isSettled(schema) || schema.properties !== undefined || schema.patternProperties !== undefined
}

function whatIsKnown(schema: Schema): Knows {
  if (isSettled(schema)) return () => true
  const names = new Set(Object.keys(schema.properties ?? {}))
  const patterns = Object.keys(schema.patternProperties ?? {}).map((pattern) => new RegExp(pattern, 'u'))
  return (name) => names.has(name) || patterns.some((pattern) => pattern.test(name))
}
