import { ConfigurationError } from './errors.js'
import { suggestion } from './suggestion.js'

/** Refuses members that are not known, and names the one that was probably meant. */
export function refuseUnknown(prefix: string, given: object, known: readonly string[]): void {
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue
    const meant = suggestion(name, known)
    throw new ConfigurationError(
      `${prefix}${name}`,
      'is not known',
      meant ? `Did you mean ${prefix}${meant}?` : `Known are: ${known.join(', ')}.`,
    )
  }
}

/** A function among the options, which may be a method of them. */
export function method<Options extends object, Name extends keyof Options & string>(
  options: Options,
  name: Name,
): Exclude<Options[Name], undefined> | undefined {
  const value = options[name]
  if (value === undefined) return undefined
  if (typeof value === 'function') return value.bind(options)
  throw wrong(name, value, 'Pass a function.')
}

export function aString(option: string, value: string | undefined): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '')) return value
  throw wrong(option, value, 'Pass a string that is not empty, or leave it out.')
}

export function aBoolean(option: string, value: boolean | undefined): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value
  throw wrong(option, value, 'Pass true or false.')
}

/** One of these words, or nothing. */
export function oneOf<Word extends string>(
  option: string,
  value: Word | undefined,
  words: readonly Word[],
): Word | undefined {
  if (value === undefined || words.includes(value)) return value
  throw wrong(option, value, `Pass '${words.join("' or '")}'.`)
}

export function anArray<T>(option: string, value: readonly T[]): readonly T[] {
  if (Array.isArray(value)) return value
  throw wrong(option, value, 'Pass an array.')
}

/** An object with named members. A Map or a Set would count as an empty one. */
export function anObject<T extends object>(option: string, value: T, remedy = 'Pass an object.'): T {
  if (typeof value === 'object' && value !== null && !(Symbol.iterator in value)) return value
  throw wrong(option, value, remedy)
}

export function aNumber(
  option: string,
  value: number,
  {
    least,
    most,
    unit = 'whole seconds',
  }: { readonly least: number; readonly most: number; readonly unit?: string },
): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw wrong(option, value, `Pass ${unit} from ${least} to ${most}.`)
}

/** An id that a host passes: a string, a number, or what a database uses for one. */
export function anId(option: string, value: unknown): string {
  const id = value === undefined || value === null ? '' : String(value)
  if (id !== '' && id !== 'NaN' && !id.startsWith('[object ')) return id
  throw wrong(option, value, 'Pass the id as a string or a number.')
}

export function wrong(option: string, value: unknown, remedy: string): ConfigurationError {
  return new ConfigurationError(option, `is ${describe(value)}`, remedy)
}

/** A value in a message: itself where it is short, its kind otherwise. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return value === '' ? 'an empty string' : `'${value.slice(0, 100)}'`
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value)) return 'an array'
  const name = value.constructor?.name ?? 'Object'
  return /^[AEIOU]/.test(name) ? `an ${name}` : `a ${name}`
}
