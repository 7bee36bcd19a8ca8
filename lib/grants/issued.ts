import { accessTokenFormat, scopesAt } from '../authorization/resource.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import type { HostUser } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { ClaimsRequest } from '../standard-claims.js'
import type { AccessTokenData } from '../tokens/access-token.js'
import type { Authentication } from '../tokens/authentication.js'
import type { Handle } from '../tokens/handle.js'
import { idToken } from '../tokens/id-token.js'
import { asJwt, type JwtSigning, newJwtSigning } from '../tokens/jwt-access-token.js'
import type { Narrowed } from './narrowing.js'

/** What a user signed in for: the parts of a code or a refresh token that tokens about the user are made of. */
export interface Granted {
  readonly clientId: string
  readonly userId: string
  readonly authentication: Authentication
  readonly claims?: ClaimsRequest
}

/** What the record of an access token says. */
export function accessTokenDataOf(
  { clientId, userId, claims }: Granted,
  { scopes, audience }: Narrowed,
): AccessTokenData {
  const named = scopes.includes('openid') ? (claims?.userinfo ?? []) : []
  return { clientId, userId, scopes, audience, ...(named.length > 0 && { claims: named }) }
}

/** With what the access token for these resources is signed; undefined where it is opaque. */
export async function signingFor(
  runtime: Runtime,
  audience: readonly string[],
): Promise<JwtSigning | undefined> {
  return accessTokenFormat(audience, runtime.settings) === 'jwt' ? newJwtSigning(runtime) : undefined
}

/** The access token in the format of its resources. */
export async function inFormat(
  runtime: Runtime,
  client: AuthenticatedClient,
  handle: Handle,
  { userId, authentication }: Granted,
  { audience, scopes, signing }: Narrowed & { readonly signing?: JwtSigning | undefined },
): Promise<Handle> {
  if (signing === undefined) return handle
  const there = scopesAt(scopes, audience, runtime.settings)
  return asJwt(runtime, client, handle, { userId, audience, scopes: there, authentication }, signing)
}

/** The ID token that goes with an access token; undefined where the scope `openid` is not among what it is for. */
export async function idTokenFor(
  runtime: Runtime,
  client: AuthenticatedClient,
  { userId, authentication, claims, nonce }: Granted & { readonly nonce?: string },
  {
    user,
    scopes,
    access,
  }: { readonly user: HostUser; readonly scopes: readonly string[]; readonly access: Handle },
): Promise<string | undefined> {
  if (!scopes.includes('openid')) return undefined
  const signedIn = { userId, user, scopes, authentication, named: claims?.idToken, nonce }
  return idToken(runtime, client, signedIn, access.value)
}
