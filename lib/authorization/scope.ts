import { OAuthError } from '../errors.js'
import { isScopeToken, type Settings } from '../settings.js'

/**
 * The scopes that a request asks for, as far as they exist and its client may ask for them. Unknown ones are dropped, and the answer
 * says what was granted (RFC 6749 §3.3); where none is left, the error names what exists.
 */
export function requestedScopes(
  scope: string | undefined,
  clientScopes: readonly string[] | undefined,
  settings: Pick<Settings, 'scopes' | 'defaultScopes'>,
): readonly string[] {
  const allowed = (name: string) => settings.scopes.has(name) && (clientScopes?.includes(name) ?? true)
  const asked = scope === undefined ? settings.defaultScopes : splitScope(scope)
  const granted = asked.filter(allowed)
  if (granted.length > 0) return granted
  const existing = [...settings.scopes.keys()].filter(allowed)
  throw new OAuthError(
    'invalid_scope',
    existing.length > 0
      ? `Ask for one or more of these scopes: ${existing.join(' ')}`
      : 'This client may not ask for any scope.',
    { reason: scope === undefined ? 'scope_missing' : 'scope_unknown' },
  )
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
