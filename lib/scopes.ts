import { ConfigurationError } from './errors.js'
import type { ScopeOptions } from './options.js'
import { suggestion } from './suggestion.js'
import type { Text } from './text.js'
import { aBoolean, anArray, anObject, describe, refuseUnknown } from './validation.js'

/** A scope that clients may ask for. */
export interface Scope {
  readonly name: string
  /** What the user reads of it. */
  readonly description: Text
  readonly required: boolean
  readonly default: boolean
  /** Those with which a token passes where this one is asked for: itself, and all that hold it. */
  readonly heldBy: readonly string[]
}

/**
 * The scopes of OpenID Connect (Core §3.1.2.1, §5.4, §11), which are there in every app. They say what the client gets to know of the
 * user, and mean nothing at an API.
 */
const IDENTITY_SCOPES: readonly string[] = [
  ...['openid', 'profile', 'email', 'address', 'phone', 'offline_access'],
]

export function isIdentityScope(name: string): boolean {
  return IDENTITY_SCOPES.includes(name)
}

const SENTENCE = 'Give the sentence that the user reads: "See your photos".'

/** All scopes by name; the host may put what it says of the identity scopes into its own words. */
export function resolveScopes(
  given: Readonly<Record<string, string | ScopeOptions>>,
): ReadonlyMap<string, Scope> {
  const scopes = new Map(
    IDENTITY_SCOPES.map((name): [string, Scope] => [
      name,
      { name, description: { key: `scope.${name}` }, required: true, default: false, heldBy: [name] },
    ]),
  )
  for (const [name, value] of Object.entries(anObject('scopes', given))) {
    const option = `scopes['${name}']`
    if (!isScopeToken(name)) {
      throw new ConfigurationError(
        option,
        'is not a scope name',
        'Use printable ASCII without space, quote or backslash.',
      )
    }
    const scope = typeof value === 'string' ? { description: value } : anObject(option, value, SENTENCE)
    refuseUnknown(`${option}.`, scope, ['description', 'required', 'default', 'implies'])
    if (typeof scope.description !== 'string' || scope.description === '') {
      throw new ConfigurationError(`${option}.description`, `is ${describe(scope.description)}`, SENTENCE)
    }
    scopes.set(name, {
      name,
      description: { key: `scope.${name}`, otherwise: scope.description },
      required: aBoolean(`${option}.required`, scope.required) ?? true,
      default: aBoolean(`${option}.default`, scope.default) ?? false,
      heldBy: [name],
    })
  }
  return withHolders(scopes, given)
}

function withHolders(
  scopes: ReadonlyMap<string, Scope>,
  given: Readonly<Record<string, string | ScopeOptions>>,
): ReadonlyMap<string, Scope> {
  const implied = new Map(
    Object.entries(given).map(([name, scope]): [string, readonly string[]] => {
      const names = (typeof scope === 'object' && scope.implies) || []
      return [name, knownScopes(`scopes['${name}'].implies`, names, scopes)]
    }),
  )
  const holds = (name: string, seen: Set<string>): Set<string> => {
    if (seen.has(name)) return seen
    seen.add(name)
    for (const narrower of implied.get(name) ?? []) holds(narrower, seen)
    return seen
  }
  const held = [...scopes.keys()].map((name) => ({ name, held: holds(name, new Set()) }))
  return new Map(
    [...scopes].map(([name, scope]): [string, Scope] => {
      const holders = held.filter((other) => other.held.has(name)).map((other) => other.name)
      return [name, { ...scope, heldBy: holders }]
    }),
  )
}

/** What a request that names no scope asks for: the scopes that are marked, or all of the host's own. */
export function defaultScopes(scopes: ReadonlyMap<string, Scope>): readonly string[] {
  const all = [...scopes.values()]
  const marked = all.filter((scope) => scope.default)
  const own = all.filter((scope) => !isIdentityScope(scope.name))
  return (marked.length > 0 ? marked : own).map((scope) => scope.name)
}

/** RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ) */
export function isScopeToken(value: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(value)
}

/** The same list, if every one of it is among the option `scopes`. */
export function knownScopes(
  option: string,
  names: readonly string[],
  scopes: ReadonlyMap<string, Scope>,
): readonly string[] {
  // `find` would say of a name that is undefined what it says of none.
  const index = anArray(option, names).findIndex((name) => !scopes.has(name))
  if (index === -1) return names
  const unknown = names[index]
  const meant = suggestion(String(unknown), [...scopes.keys()])
  throw new ConfigurationError(
    option,
    `names the unknown scope ${describe(unknown)}`,
    meant ? `Did you mean '${meant}'?` : 'Add it to the option scopes.',
  )
}
