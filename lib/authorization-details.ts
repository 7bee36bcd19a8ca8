import { createRequire } from 'node:module'
import type { Ajv2020, ErrorObject, ValidateFunction } from 'ajv/dist/2020.js'
import { DESCRIBES, type Descriptions, isSettled, strangerIn, withDescriptions } from './described-members.js'
import { ConfigurationError, OAuthError } from './errors.js'
import type { AuthorizationDetail, AuthorizationDetailsOptions, OAuthProviderOptions } from './options.js'
import { suggestion } from './suggestion.js'
import type { Text } from './text.js'
import { anArray, anObject, describe, method, refuseUnknown, wrong } from './validation.js'

/** A type of details that the host declares (RFC 9396 §2.1). */
export interface AuthorizationDetailsType {
  /** What is wrong with a detail of this type, in words that follow its name and hold nothing of it; undefined where nothing is. */
  readonly problem: (detail: AuthorizationDetail) => string | undefined
  /**
   * The sentence on the consent page.
   *
   * @throws OAuthError `server_error` where the host's function gives none.
   */
  readonly describe: (detail: AuthorizationDetail, context: { readonly language: string }) => Text | string
}

const SENTENCE =
  "Give the sentence that the user reads, or a function of a detail: ({ amount }) => 'Pay ' + amount."
const SCHEMA = "Give a JSON Schema (2020-12) of an object: { properties: { amount: { type: 'string' } } }."

/** The types by name. */
export function resolveAuthorizationDetails(
  given: OAuthProviderOptions['authorizationDetails'],
): ReadonlyMap<string, AuthorizationDetailsType> {
  const types = new Map<string, AuthorizationDetailsType>()
  if (given === undefined) return types
  const ajv = newAjv()
  for (const [type, value] of Object.entries(anObject('authorizationDetails', given))) {
    const option = `authorizationDetails['${type}']`
    if (type === '') throw new ConfigurationError(option, 'has no name', 'Name the type: payment.')
    refuseUnknown(`${option}.`, anObject(option, value, SCHEMA), ['schema', 'description'])
    types.set(type, { problem: check(ajv, option, value), describe: sentence(type, option, value) })
  }
  return types
}

/** The same list, if every one of it is among the option `authorizationDetails`. */
export function knownDetailsTypes(
  option: string,
  names: readonly string[],
  types: ReadonlyMap<string, AuthorizationDetailsType>,
): readonly string[] {
  const index = anArray(option, names).findIndex((name) => !types.has(name))
  if (index === -1) return names
  const unknown = names[index]
  const meant = suggestion(String(unknown), [...types.keys()])
  throw new ConfigurationError(
    option,
    `names the unknown type ${describe(unknown)}`,
    meant ? `Did you mean '${meant}'?` : 'Add it to the option authorizationDetails.',
  )
}

const STRANGER = 'has a member that its type does not know'

/** A misspelt keyword is found; what an object inherits counts for nothing; what a schema describes is told to who validates; no schema is known to the next one; nothing is printed. */
const AJV = {
  strictTypes: false,
  strictTuples: false,
  ownProperties: true,
  passContext: true,
  addUsedSchema: false,
  logger: false,
} as const

/** Loading Ajv takes some 50 ms, for which a host that declares no types need not wait. Not by `import()`: what is wrong with a schema is said before `oauthProvider` returns. */
function newAjv(): Ajv2020 {
  const ajv: typeof import('ajv/dist/2020.js') = createRequire(import.meta.url)('ajv/dist/2020.js')
  return new ajv.Ajv2020(AJV).addKeyword(DESCRIBES)
}

function check(
  ajv: Ajv2020,
  option: string,
  { schema }: AuthorizationDetailsOptions,
): AuthorizationDetailsType['problem'] {
  const names = new Set<string>()
  namesIn(anObject(`${option}.schema`, schema, SCHEMA), names)
  const validate = compile(ajv, `${option}.schema`, schema)
  return (detail) => {
    const descriptions: Descriptions = new Map()
    if (!validate.call(descriptions, detail)) return problemOf(validate.errors?.at(-1), names)
    const place = strangerIn(detail, descriptions)
    return place && `${placeOf(place, names)} ${STRANGER}`
  }
}

/** RFC 9396 §5: unknown members are refused, unless the schema says what of them: here for the detail, by `strangerIn` within. `type` is what led to the schema. */
function compile(
  ajv: Ajv2020,
  option: string,
  schema: AuthorizationDetailsOptions['schema'],
): ValidateFunction {
  const { type = 'object', properties = {} } = schema
  if (type !== 'object') throw wrong(`${option}.type`, type, SCHEMA)
  const settled = isSettled(schema)
  const closed = {
    ...schema,
    type,
    properties: { type: true, ...anObject(`${option}.properties`, properties as object, SCHEMA) },
    ...(!settled && { unevaluatedProperties: false }),
  }
  try {
    const validate = ajv.compile(withDescriptions(closed))
    if (!('$async' in validate)) return validate
  } catch (error) {
    const remedy = `${SCHEMA} format, and $ref to somewhere else, are not known here.`
    throw new ConfigurationError(option, `cannot be used: ${(error as Error).message}`, remedy, error)
  }
  throw new ConfigurationError(option, 'is asynchronous', 'Leave out $async.')
}

/** The names of all members that a schema describes, wherever it does. */
function namesIn(schema: unknown, names: Set<string>): void {
  if (typeof schema !== 'object' || schema === null) return
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === 'properties') for (const name of Object.keys(value ?? {})) names.add(name)
    namesIn(value, names)
  }
}

function problemOf(error: ErrorObject | undefined, names: ReadonlySet<string>): string {
  if (error === undefined) return ' does not fit its type'
  const { keyword, instancePath, message } = error
  const steps = instancePath.split('/').slice(1)
  // RFC 6901 §4
  const place = steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  const unknown = keyword === 'additionalProperties' || keyword === 'unevaluatedProperties'
  return `${placeOf(place, names)} ${unknown ? STRANGER : message}`
}

/** Names that only the request knows are not repeated. */
function placeOf(place: readonly string[], names: ReadonlySet<string>): string {
  const steps = place.map((name) => {
    if (names.has(name)) return `.${name}`
    return /^\d{1,4}$/.test(name) ? `[${name}]` : '.*'
  })
  return steps.join('')
}

function sentence(
  type: string,
  option: string,
  value: AuthorizationDetailsOptions,
): AuthorizationDetailsType['describe'] {
  const { description } = value
  if (typeof description === 'string' && description !== '')
    return () => ({ key: `details.${type}`, otherwise: description })
  if (typeof description !== 'function') throw wrong(`${option}.description`, description, SENTENCE)
  const describeDetail = method(value, 'description') as (...given: unknown[]) => unknown
  return (detail, context) => {
    try {
      return aSentence(option, describeDetail(detail, context))
    } catch (cause) {
      // What the host's function says of its failure may hold what the user would have read.
      const text = { key: 'error.details_description.message' }
      throw new OAuthError('server_error', text, { reason: 'details_description', cause })
    }
  }
}

function aSentence(option: string, text: unknown): string {
  if (typeof text === 'string' && text.trim() !== '') return text
  throw new TypeError(`oauthProvider: ${option}.description gave ${describe(text)}. ${SENTENCE}`)
}
