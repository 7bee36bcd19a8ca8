/** What proves a client: a digest of a generated secret, or a bcrypt hash of one that a person chose. */
export type ClientSecret =
  | {
      readonly sha256: string /** A person chose it, so guesses are limited although comparing costs nothing. */
      readonly chosen?: true
    }
  | { readonly bcrypt: string }

/** A registered application. What RFC 7591 §2 calls `client_name` and so on is `name` here. */
export interface Client {
  readonly id: string
  /** 1 when it is added, one more with each change. */
  readonly revision: number
  readonly name: string
  /** Undefined for a public client. */
  readonly secret?: ClientSecret
  readonly redirectUris: readonly string[]
  readonly uri?: string
  readonly logoUri?: string
  readonly policyUri?: string
  readonly tosUri?: string
  readonly contacts?: readonly string[]
  readonly applicationType?: string
  /** Undefined for a client with a secret that registered no method: it may use either of the two. */
  readonly tokenEndpointAuthMethod?: string
  readonly grantTypes: readonly string[]
  /** Undefined: all. */
  readonly scopes?: readonly string[]
  readonly skipConsent: boolean
  readonly requirePkce: boolean
  readonly disabled: boolean
  /** Milliseconds. */
  readonly createdAt: number
}

/** What a user allowed a client: one per user and client. Every code and token hangs on one and dies with it. */
export interface Grant {
  readonly id: string
  readonly userId: string
  readonly clientId: string
  /** Resource (RFC 8707) to the scopes that were allowed there; the issuer's origin where a request named no resource. */
  readonly access: Readonly<Record<string, readonly string[]>>
  /** Milliseconds. */
  readonly createdAt: number
  /** Milliseconds, kept to the hour. */
  readonly lastUsedAt?: number
}

export type RecordKind = 'request' | 'code' | 'access' | 'refresh'

/** A short-lived thing that is found by a handle: an authorization request, a code, a token. */
export interface StoredRecord {
  /** Twelve hexadecimal digits of the millisecond in which it expires, then twenty random ones. Sorts by expiry. */
  readonly id: string
  readonly kind: RecordKind
  /** SHA-256 of the whole handle. */
  readonly hash: Uint8Array
  /** The grant that it hangs on. */
  readonly grantId?: string
  /** What all descendants of one authorization code have in common: the code's id. */
  readonly familyId?: string
  /** Whatever belongs to it, as JSON. */
  readonly data: string
}

/** A record as it lies in the store. */
export interface FoundRecord extends StoredRecord {
  /** When it was consumed, in milliseconds; undefined while it has not been. */
  readonly usedAt?: number
  /** What its consumer noted in order to give the same answer again. */
  readonly trace?: string
  /** False once its grant is gone or its family has been revoked. Always true for what hangs on neither. */
  readonly alive: boolean
  /** The `lastUsedAt` of its grant. */
  readonly grantLastUsedAt?: number
}
