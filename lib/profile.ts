import { ConfigurationError } from './errors.js'
import type { SigningAlg } from './keys/signing-keys.js'
import type { Features, Lifetimes, OAuthProviderOptions } from './options.js'
import { oneOf } from './validation.js'

/** What the option `profile` settles, as rules that each room can follow without knowing which profile it is. */
export interface Profile {
  /** The methods by which clients may prove themselves; undefined for all. */
  readonly authMethods: readonly string[] | undefined
  /** The algorithms with which others may sign what they send; undefined for all. */
  readonly algs: readonly string[] | undefined
  /** Those that this provider signs with. The first signs wherever a client has not chosen. */
  readonly signingAlgs: readonly [SigningAlg, ...SigningAlg[]]
  /** The one that signs access tokens. It signs the same twice, so not ES256. */
  readonly accessTokenAlg: SigningAlg
  /** Whether clients prove themselves to the issuer alone, named as text, and never to an endpoint or in a list. */
  readonly onlyIssuerAsAudience: boolean
  /** Whether no client may do without PKCE. */
  readonly requirePkce: boolean
  readonly requirePushedAuthorizationRequests: boolean
  /** Whether a client that has a single redirect URI must name it too. */
  readonly requireRedirectUri: boolean
  /** Whether http on this computer is for clients that say that they are native. */
  readonly loopbackForNativeOnly: boolean
  /** Whether every access token has to be bound to a key or a certificate. */
  readonly onlyBoundTokens: boolean
  /** Whether a refresh token is replaced by another one when it is used. */
  readonly rotateRefreshTokens: boolean
  /** The most that these lifetimes may be, in seconds. */
  readonly longest: Pick<Lifetimes, 'authorizationCode' | 'pushedRequest'>
}

const NONE: Profile = {
  authMethods: undefined,
  algs: undefined,
  // RS256 comes first: every relying party knows it (OpenID Connect Core §15.1), and every resource server (RFC 9068 §2.1).
  signingAlgs: ['RS256', 'ES256', 'EdDSA'],
  accessTokenAlg: 'RS256',
  onlyIssuerAsAudience: false,
  requirePkce: false,
  requirePushedAuthorizationRequests: false,
  requireRedirectUri: false,
  loopbackForNativeOnly: false,
  onlyBoundTokens: false,
  rotateRefreshTokens: true,
  longest: { authorizationCode: 600, pushedRequest: 600 },
}

/** FAPI 2.0 Security Profile §5.3.2.1, §5.3.2.2 and §5.4.1. */
const FAPI2: Profile = {
  authMethods: ['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'],
  algs: ['PS256', 'ES256', 'EdDSA', 'Ed25519'],
  signingAlgs: ['ES256', 'EdDSA'],
  accessTokenAlg: 'EdDSA',
  onlyIssuerAsAudience: true,
  requirePkce: true,
  requirePushedAuthorizationRequests: true,
  requireRedirectUri: true,
  loopbackForNativeOnly: true,
  onlyBoundTokens: true,
  rotateRefreshTokens: false,
  longest: { authorizationCode: 60, pushedRequest: 599 },
}

/** @throws ConfigurationError for a profile that is not known, and for one whose demands nobody could meet with the other options. */
export function resolveProfile(
  { profile: given, mtls }: Pick<OAuthProviderOptions, 'profile' | 'mtls'>,
  { dpop }: Features,
): Profile {
  const profile = oneOf('profile', given, ['fapi2']) === 'fapi2' ? FAPI2 : NONE
  if (!profile.onlyBoundTokens || dpop || mtls !== undefined) return profile
  throw new ConfigurationError(
    'features.dpop',
    'is false without mtls, although the option profile demands that tokens are bound',
    'Leave it out, or set the option mtls.',
  )
}

/** The algorithms for which there have to be keys. */
export function requiredAlgs({ signingAlgs: [first], accessTokenAlg }: Profile): readonly SigningAlg[] {
  return [...new Set([first, accessTokenAlg])]
}
