import { hash } from 'node:crypto'
import type { SigningAlg } from '../keys/signing-keys.js'
import type { HostUser } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { type Authentication, authenticationClaims } from './authentication.js'
import { type Claims, claimsOf } from './claims.js'
import { idTokenLifetime } from './lifetimes.js'
import { sidOf, subjectOf } from './subject.js'

export interface SignedIn {
  readonly userId: string
  readonly user: HostUser
  readonly scopes: readonly string[]
  readonly authentication: Authentication
  /** Claims that were asked for by name. */
  readonly named?: readonly string[] | undefined
  readonly nonce?: string | undefined
}

/** Tells a client who signed in, how and when (OpenID Connect Core §2, §3.1.3.6). `accessToken` is the one that goes with it. */
export async function idToken(
  runtime: Runtime,
  client: Client,
  signedIn: SignedIn,
  accessToken: string,
): Promise<string> {
  const { settings, keys, now } = runtime
  const { userId, authentication, nonce } = signedIn
  const alg = signingAlgOf(settings, client)
  const issuedAt = Math.floor(now() / 1000)
  const claims = {
    ...(await userClaims(runtime, client, signedIn)),
    iss: settings.issuer,
    sub: subjectOf(settings, client, userId),
    aud: client.id,
    exp: issuedAt + idTokenLifetime(settings, client),
    iat: issuedAt,
    ...authenticationClaims(authentication),
    ...(authentication.session !== undefined && { sid: sidOf(client, authentication.session) }),
    ...(nonce !== undefined && { nonce }),
    at_hash: accessTokenHash(accessToken, alg),
  }
  return keys.sign(claims, { alg, typ: 'JWT' })
}

/** The algorithm of what is signed for this client. */
export function signingAlgOf(
  { profile }: Pick<Settings, 'profile'>,
  { idTokenSignedResponseAlg }: Client,
): SigningAlg {
  const [first] = profile.signingAlgs
  return profile.signingAlgs.find((alg) => alg === idTokenSignedResponseAlg) ?? first
}

/** By default only what was asked for by name: the rest is for the userinfo endpoint (OpenID Connect Core §5.4). */
async function userClaims(
  runtime: Runtime,
  client: Client,
  { user, scopes, named = [] }: SignedIn,
): Promise<Claims> {
  const all = (client.idTokenClaims ?? runtime.settings.idTokenClaims) === 'scopes'
  if (!all && named.length === 0) return {}
  const found = await claimsOf(runtime, user, scopes, named)
  return all ? found : Object.fromEntries(Object.entries(found).filter(([name]) => named.includes(name)))
}

/** OpenID Connect Core §3.1.3.6: the left half of the hash that the algorithm has; of Ed25519 that is SHA-512. */
function accessTokenHash(accessToken: string, alg: SigningAlg): string {
  const digest = hash(alg === 'EdDSA' ? 'sha512' : 'sha256', accessToken, 'buffer')
  return digest.toString('base64url', 0, digest.length / 2)
}
