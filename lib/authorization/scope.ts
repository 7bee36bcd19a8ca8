import { OAuthError } from '../errors.js'
import type { AuthorizationDetail } from '../options.js'
import { isScopeToken } from '../scopes.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'

/**
 * The scopes that this client may ask for. One that nobody but itself has said anything of is not held to what it named: it asks for what the API
 * has challenged it for (RFC 6750 §3.1), which it learns later, and its users decide.
 */
export function scopesOf(client: Client, { scopes }: Pick<Settings, 'scopes'>): readonly string[] {
  if (client.anyScope) return [...scopes.keys()]
  return [...scopes.keys()].filter((name) => client.scopes?.includes(name) ?? true)
}

/** What a request of this client asks for that names no scope. */
export function defaultScopesOf(
  { scopes }: Client,
  { defaultScopes }: Pick<Settings, 'defaultScopes'>,
): readonly string[] {
  return defaultScopes.filter((name) => scopes?.includes(name) ?? true)
}

/**
 * The scopes that a request asks for, as far as they are available to it. Others are dropped, and the answer says what was
 * granted (RFC 6749 §3.3); where none is left, the error names what there is.
 */
export function requestedScopes(
  scope: string | undefined,
  available: readonly string[],
  defaults: readonly string[],
): readonly string[] {
  const asked = scope === undefined ? defaults : splitScope(scope)
  const granted = asked.filter((name) => available.includes(name))
  if (granted.length > 0) return granted
  const openid = asked.includes('openid') ? ' openid is not in the scope that it is registered for.' : ''
  throw new OAuthError(
    'invalid_scope',
    available.length > 0
      ? `This client may ask for these scopes: ${available.join(' ')}.${openid}`
      : 'This client may not ask for any scope here.',
    { reason: scope === undefined ? 'scope_missing' : 'scope_unknown' },
  )
}

/** The same where details may be asked for too: a request that names some need not ask for any scope (RFC 9396 §3.1), and then no defaults are added to it. */
export function scopesBeside(
  details: readonly AuthorizationDetail[] | undefined,
  ...[scope, available, defaults]: Parameters<typeof requestedScopes>
): readonly string[] {
  return details !== undefined && scope === undefined ? [] : requestedScopes(scope, available, defaults)
}

/** Splits a scope parameter into its distinct tokens; a character that no scope can have is refused (RFC 6749 §3.3). */
export function splitScope(scope: string): readonly string[] {
  const names = [...new Set(scope.split(' '))].filter((name) => name !== '')
  if (names.every(isScopeToken)) return names
  throw new OAuthError(
    'invalid_scope',
    'The scope has a character that no scope can have. Separate scopes by spaces.',
    {
      reason: 'scope_malformed',
    },
  )
}
