import { ConfigurationError } from '../errors.js'
import type { ScopesOfRequest } from '../middleware.js'
import type { HostRequest } from '../options.js'
import { knownScopes, type Scope } from '../scopes.js'
import { describe } from '../validation.js'

/** Gives the scopes that a request needs. */
export type NeededScopes = (req: HostRequest) => readonly string[]

/**
 * What `requireToken` was told to need: the same for every request, or for each what the host's function says of it.
 *
 * @throws ConfigurationError where that is nothing that a token could have; for a function, when it gives such a thing.
 */
export function neededScopes(
  given: readonly [scopes?: string | readonly string[] | ScopesOfRequest, options?: unknown],
  scopes: ReadonlyMap<string, Scope>,
): NeededScopes {
  const [named = []] = given
  if (typeof named === 'function') return (req) => scopesOf(named(req), scopes)
  const list = listOf(named)
  // A name that turned out to be undefined must not open the route to every token.
  if (given.length === 1 && Array.isArray(list) && list.length === 0) {
    throw new ConfigurationError(
      'requireToken(scopes)',
      'names no scope',
      'Name one; or call requireToken() where any live token shall pass. Is the name misspelt?',
    )
  }
  const all = [...knownScopes('requireToken(scopes)', list, scopes)]
  return () => all
}

function scopesOf(named: unknown, scopes: ReadonlyMap<string, Scope>): readonly string[] {
  const option = "requireToken's function"
  const list = typeof named === 'string' ? listOf(named) : named
  if (Array.isArray(list) && (list.length > 0 || list === named)) return knownScopes(option, list, scopes)
  throw new ConfigurationError(
    option,
    `gave ${describe(named)}`,
    'Give a scope or a list of scopes, at once and not as a promise. An empty list lets any live token pass.',
  )
}

function listOf(named: string | readonly string[]): readonly string[] {
  return typeof named === 'string' ? named.split(' ').filter(Boolean) : named
}
