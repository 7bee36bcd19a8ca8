import type { KeyObject } from 'node:crypto'
import type { Jwk } from '../options.js'
import type { SigningAlg, SigningKeys } from './signing-keys.js'

/** The algorithms that this provider signs with (RFC 7518 §3.1, RFC 8037 §3.1). RS256 comes first: every relying party knows it. */
export const SIGNING_ALGS: readonly SigningAlg[] = ['RS256', 'ES256', 'EdDSA']

/** The claims of a JWT. */
export type JwtClaims = Readonly<Record<string, unknown>>

/** What a signed JWT says of itself (RFC 8725 §3.11: each kind has a type of its own). */
export interface JwtHeader {
  readonly alg: SigningAlg
  readonly typ: 'JWT' | 'at+jwt' | 'logout+jwt' | 'token-introspection+jwt'
  /** Signs with this key as long as it can, although another one may sign by now. */
  readonly kid?: string | undefined
}

/** The provider's signing keys. */
export interface Keys {
  /** The algorithms for which there is a key. */
  readonly algs: readonly SigningAlg[]
  /** The id of the key that signs with this algorithm now. */
  currentKid(alg: SigningAlg): Promise<string>
  sign(claims: JwtClaims, header: JwtHeader): Promise<string>
  /** The claims of a JWT of this type that one of our keys signed, however long ago; undefined for any other. Its claims are not looked at. */
  verify(jwt: string, typ: JwtHeader['typ']): Promise<JwtClaims | undefined>
  /** The public keys that relying parties may need now, as a JWK Set (RFC 7517 §5). */
  published(): Promise<{ readonly keys: readonly Jwk[] }>
}

/** What a provider has: `Keys` for itself, `SigningKeys` for its host. */
export interface ProviderKeys extends Keys, SigningKeys {
  /** Gets ready in the background. */
  start(): void
  /** Begins nothing more. */
  close(): void
}

/** The keys that others sign with. */
export interface PublicKeys {
  /** Those of these keys of clients and trusted issuers that may verify a signature, each made when it is asked for. They came from elsewhere, so the others are passed over (RFC 7517 §5). */
  usable(keys: readonly Jwk[]): Iterable<KeyObject>
  /** The same of a key that came with what it has signed, and that anybody may have made up. */
  ofStranger(key: Jwk): KeyObject | undefined
}

/** How long, in seconds, others may keep the JWK Set before they ask for it again: the max-age of its answer. */
export const JWKS_MAX_AGE = 300

/** Encrypts what must be read again, with the option `secret`. */
export interface Sealer {
  /** Encrypts with the first secret. */
  seal(text: string): Promise<string>
  /** What `seal` encrypted with any of the secrets. @throws ConfigurationError where none of them fits. */
  open(sealed: string): Promise<string>
  /** Whether the first secret encrypted this. */
  isFresh(text: string): boolean
}
