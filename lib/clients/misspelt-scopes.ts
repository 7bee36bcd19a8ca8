import { OAuthError } from '../errors.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { suggestion } from '../suggestion.js'

/** Scopes that nobody offers do no harm; one that is nearly the name of another is a mistake that nobody would see. */
export function refuseMisspeltScopes(
  { scopes = [] }: Client,
  { scopes: offered }: Pick<Settings, 'scopes'>,
): void {
  for (const name of scopes) {
    if (offered.has(name)) continue
    const meant = suggestion(name, [...offered.keys()])
    if (meant === undefined) continue
    throw new OAuthError(
      'invalid_client_metadata',
      `scope names the unknown scope '${name}'. Did you mean '${meant}'?`,
      { reason: 'metadata_scope' },
    )
  }
}
