/** What proves a client: a digest of a generated secret, or a bcrypt hash of one that a person chose. */
export type ClientSecret =
  | {
      readonly sha256: string
      /** A person chose it, so guesses are limited although comparing costs nothing. */
      readonly chosen?: true
    }
  | { readonly bcrypt: string }
  | {
      /** The secret itself, encrypted with the option `secret`: whoever checks a MAC needs it (`client_secret_jwt`). */
      readonly sealed: string
      readonly chosen?: true
    }
  | {
      /** The secret itself. Never stored: for the option `clients` only. */
      readonly plain: string
    }

/** A registered application. What RFC 7591 §2 calls `client_name` and so on is `name` here. */
export interface Client {
  readonly id: string
  /** 1 when it is added, one more with each change. */
  readonly revision: number
  readonly name: string
  /** Whether it proves itself, by a secret or a key (RFC 6749 §2.1). */
  readonly confidential: boolean
  readonly secret?: ClientSecret
  /** The secret before this one, which is good for some time more. */
  readonly previousSecret?: {
    readonly secret: ClientSecret
    /** Milliseconds. */
    readonly expiresAt: number
  }
  readonly redirectUris: readonly string[]
  readonly uri?: string
  readonly logoUri?: string
  readonly policyUri?: string
  readonly tosUri?: string
  readonly contacts?: readonly string[]
  readonly applicationType?: string
  /** Undefined for a client with a secret that registered no method: it may use either `client_secret_basic` or `client_secret_post`. */
  readonly tokenEndpointAuthMethod?: string
  readonly tokenEndpointAuthSigningAlg?: string
  readonly acceptEndpointAudience?: boolean
  readonly requestObjectSigningAlg?: string
  readonly requireSignedRequestObject?: boolean
  readonly requirePushedAuthorizationRequests?: boolean
  readonly dpopBoundAccessTokens?: boolean
  readonly tlsClientCertificateBoundAccessTokens?: boolean
  /** By which of these its certificate is known, for `tls_client_auth` (RFC 8705 §2.1.2). */
  readonly tlsClientAuthSubject?: {
    readonly kind: 'dn' | 'dns' | 'uri' | 'ip' | 'email'
    readonly value: string
  }
  readonly authorizationDetailsTypes?: readonly string[]
  readonly introspectionSignedResponseAlg?: string
  /** The resources that it serves, whose tokens it may look at (RFC 7662). */
  readonly resources?: readonly string[]
  /** Seconds, in place of the provider's. */
  readonly lifetimes?: {
    readonly accessToken?: number
    readonly refreshToken?: number
    readonly refreshTokenTotal?: number
    readonly idToken?: number
  }
  readonly jwks?: { readonly keys: readonly Readonly<Record<string, unknown>>[] }
  readonly jwksUri?: string
  readonly grantTypes: readonly string[]
  /** Undefined: all. */
  readonly scopes?: readonly string[]
  /** It may ask its users for all, and `scopes` are what it said that it would ask for: it registered itself, and nobody else has said so. */
  readonly anyScope?: true
  /** How far the host lets one go that did not come of the host, whatever it says of itself from then on. */
  readonly hostLimit?: { readonly scopes?: readonly string[]; readonly grantTypes?: readonly string[] }
  readonly idTokenSignedResponseAlg?: string
  readonly userinfoSignedResponseAlg?: string
  readonly idTokenClaims?: 'minimal' | 'scopes'
  readonly subjectType?: string
  readonly sectorIdentifierUri?: string
  /** Seconds. */
  readonly defaultMaxAge?: number
  readonly requireAuthTime?: boolean
  readonly postLogoutRedirectUris?: readonly string[]
  readonly backchannelLogoutUri?: string
  readonly backchannelLogoutSessionRequired?: boolean
  readonly initiateLoginUri?: string
  readonly skipConsent: boolean
  readonly requirePkce: boolean
  readonly disabled: boolean
  /** How it came: it registered itself, its metadata lie at the URL that is its id, or a user made it. Undefined: the host did. */
  readonly source?: 'registration' | 'document' | 'user'
  /** The user who may change it. */
  readonly ownerId?: string
  /** Whether the host has looked at it. */
  readonly verified?: boolean
  /** Metadata with a language: `client_name#ja` to its text (RFC 7591 §2.2). */
  readonly localized?: Readonly<Record<string, string>>
  readonly softwareId?: string
  readonly softwareVersion?: string
  readonly softwareStatement?: string
  /** SHA-256 of the token with which it can change itself (RFC 7592). */
  readonly registrationToken?: string
  /** What registered itself with equal metadata has an equal one; only of clients that may be shared. */
  readonly fingerprint?: string
  /** It came by itself and is forgotten then, in milliseconds, unless it gets a token before. Undefined: never. */
  readonly expiresAt?: number
  /** Milliseconds. */
  readonly createdAt: number
}

/** What a user allowed a client: one per user and client. Every code and token hangs on one and dies with it. */
export interface Grant {
  readonly id: string
  readonly userId: string
  readonly clientId: string
  /**
   * Resource (RFC 8707) to the scopes that were allowed there; the issuer's origin where a request named no resource. Under the empty name: scopes
   * that its tokens may have, and that are no consent for any resource. A trusted issuer has vouched for them (RFC 7523), or they were allowed at
   * resources that it no longer remembers.
   */
  readonly access: Readonly<Record<string, readonly string[]>>
  /** Names of claims that were allowed one by one, beside those that the scopes stand for; undefined where there are none. */
  readonly claims?: readonly string[]
  /** Milliseconds. */
  readonly createdAt: number
  /** Milliseconds, kept to the hour. */
  readonly lastUsedAt?: number
  /** The network address that it was last used from, where the option `keepAddresses` allows to keep it. */
  readonly lastUsedFrom?: string
  /** Scopes that its user has withdrawn since: no token of it has them, whatever it was issued with. */
  readonly withdrawn?: readonly string[]
}

/** One line of the audit log. It never changes. */
export interface AuditEntry {
  /** Twelve hexadecimal digits of the millisecond, then twenty that no other entry has: sorts by time. */
  readonly id: string
  /** Milliseconds. */
  readonly at: number
  /** What happened: the name of an event. */
  readonly event: string
  readonly clientId?: string
  readonly userId?: string
  readonly grantId?: string
  /** Who did it: `user`, `client`, `host`, or the id of an administrator as `admin:alice`. */
  readonly by?: string
  /** The network address, where the option `keepAddresses` allows to keep it. */
  readonly address?: string
  /** What else belongs to it. Never a token, a code or a secret. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** The keys that sign, as one document. */
export interface StoredKeys {
  /** 1 when it is added, one more with each change. */
  readonly revision: number
  /** JSON, or an encrypted text where the option `secret` is given. */
  readonly data: string
}

/** That a user signed in to a client with a login session at the host: whom to tell when it ends. */
export interface ClientSession {
  /** One login session at the host. */
  readonly session: string
  readonly clientId: string
  readonly userId: string
  /** Milliseconds. */
  readonly expiresAt: number
}

export type RecordKind =
  | 'request'
  | 'pushed'
  | 'code'
  | 'access'
  | 'refresh'
  | 'device'
  | 'user_code'
  | 'decision'
  | 'nonce'
  | 'assertion'
  | 'proof'
  | 'attempt'

/** A short-lived thing that is found by a handle: an authorization request, a code, a token; or what is found by what it is about: an assertion of a client that has been used up, a user code. */
export interface StoredRecord {
  /** Twelve hexadecimal digits of the millisecond in which it expires, then twenty more: random ones, and where no handle leads to it the first of its hash, so that it cannot be inserted twice. Sorts by expiry. */
  readonly id: string
  readonly kind: RecordKind
  /** SHA-256 of the whole that is presented: the handle, or the access token where that is a JWT. Where there is none, of what the record is about. */
  readonly hash: Uint8Array
  /** The grant that it hangs on. Undefined, as a value or because it is not there: none. */
  readonly grantId?: string | undefined
  /** What ends together: the id of the authorization code or device code that all of it descends from, or of the access token that stands alone. */
  readonly familyId?: string | undefined
  /** Whatever belongs to it, as JSON. */
  readonly data: string
}

/** A record as it lies in the store. */
export interface FoundRecord extends StoredRecord {
  /** When it was consumed, in milliseconds; undefined while it has not been. */
  readonly usedAt?: number | undefined
  /** What its consumer noted in order to give the same answer again. */
  readonly trace?: string | undefined
  /** False once its grant is gone or its family has been revoked. Always true for what hangs on neither. */
  readonly alive: boolean
  /** Scopes that have been withdrawn from its grant. */
  readonly withdrawn?: readonly string[] | undefined
  /** The `lastUsedAt` of its grant. */
  readonly grantLastUsedAt?: number | undefined
}
