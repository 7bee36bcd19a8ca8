import { matchesRedirectUri } from '../authorization/redirect-uri.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'

/** Where a trial of an application is answered: at the page of that application. */
export function trialUri({ issuer }: Pick<Settings, 'issuer'>, clientId: string): string {
  return `${issuer}/applications/${encodeURIComponent(clientId)}`
}

/**
 * Whether a request that waits may still be answered where it shall be. A trial is not among the redirect URIs of a client: no request from outside
 * can name it, for it is not looked at there.
 */
export function mayBeAnsweredAt(
  redirectUri: string,
  { id, redirectUris }: Client,
  settings: Pick<Settings, 'issuer'>,
): boolean {
  return matchesRedirectUri(redirectUri, redirectUris) || redirectUri === trialUri(settings, id)
}
