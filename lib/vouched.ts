import { GRANT_TYPES } from './grant-types.js'
import type { Client } from './store/records.js'

type Origin = Pick<Client, 'source' | 'verified'>

/** Whether the host stands for a client: it has registered it, and no owner has changed it since; or it has looked at it. */
export function isVouchedFor({ source, verified }: Origin): boolean {
  return verified ?? source === undefined
}

/** In these a user is sent to a redirect URI, which is how a client proves to belong there. */
const BY_REDIRECT: readonly string[] = [GRANT_TYPES.authorizationCode.name, GRANT_TYPES.refreshToken.name]

/**
 * Whether a client says of itself where it belongs, and may get tokens without ever being redirected to: then anybody can register the redirect
 * URIs of somebody else and do without them. Verifying it changes nothing here, or its users would become others to it.
 */
export function needsNoRedirect({ source, grantTypes }: Pick<Client, 'source' | 'grantTypes'>): boolean {
  const cameByItself = source === 'registration' || source === 'document'
  return cameByItself && grantTypes.some((grantType) => !BY_REDIRECT.includes(grantType))
}

/** With these a client proves that it has the keys at its `jwks_uri`. */
const BY_PUBLISHED_KEYS: readonly (string | undefined)[] = ['private_key_jwt', 'self_signed_tls_client_auth']

/** Whether nobody else can use the `jwks_uri` of a client, so that a list with it in is a list with this client in. */
export function provesKeys({
  tokenEndpointAuthMethod,
  jwksUri,
}: Pick<Client, 'tokenEndpointAuthMethod' | 'jwksUri'>): boolean {
  return jwksUri !== undefined && BY_PUBLISHED_KEYS.includes(tokenEndpointAuthMethod)
}

/**
 * Clients of one sector get the same `sub`. Registration has seen to it that all redirect URIs lead to one host, or are listed. A client
 * on this computer or on a phone is a sector by itself: any other can have an address like its own. So is one that has no redirect URI, or
 * that came by itself and can do without: only a list of the sector that has its keys in says that it belongs there.
 */
export function sectorOf(client: Client): string {
  const { id, sectorIdentifierUri, redirectUris } = client
  if (needsNoRedirect(client) && (sectorIdentifierUri === undefined || !provesKeys(client))) return id
  const uri = sectorIdentifierUri ?? redirectUris[0]
  return uri?.startsWith('https:') ? new URL(uri).hostname : id
}
