import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Actor } from './actor.js'
import type { Awaitable } from './awaitable.js'
import type { Store } from './store/store.js'

/** A request as the host's Express sees it: whatever its login has put there is on it. Annotate with Express's `Request` for more. */
export type HostRequest = IncomingMessage & { readonly user?: unknown; readonly session?: unknown }

/** What the pages show of a user. Your own user object may hold anything else. */
export interface HostUser {
  readonly name?: unknown
  readonly email?: unknown
}

/** A scope that clients may ask for (RFC 6749 §3.3). */
export interface ScopeOptions {
  /** The sentence on the consent page: "See your photos". */
  readonly description: string
  /** `false` gives the user a checkbox to leave this scope out. Default: `true`. */
  readonly required?: boolean
  /** Whether it is granted to a request that names no scope. Where no scope is marked, such a request asks for all of `scopes` that its client may use. Default: `false`. */
  readonly default?: boolean
  /** The narrower scopes that this one holds: with `write: { implies: ['read'] }` a token for `write` passes where `requireToken` asks for `read`. Tokens and grants name what was granted, and no more. Default: none. */
  readonly implies?: readonly string[]
}

/** A protected resource (RFC 8707). A token for it is good at this URL and below it, nowhere else. */
export interface ResourceOptions {
  /** The scopes that mean something there; a token for this resource holds no others. Default: all scopes. */
  readonly scopes?: readonly string[]
  /** The types of the option `authorizationDetails` that mean something there; a token for this resource holds no details of others. Default: all types. */
  readonly authorizationDetailsTypes?: readonly string[]
  /** `jwt` for an API that lives elsewhere and checks signatures itself (RFC 9068); revoking does not reach it there. Default: `opaque`. */
  readonly accessTokenFormat?: 'opaque' | 'jwt'
  /** How long access tokens for it live, in seconds. Where the client has a lifetime too, the shorter counts. Default: `lifetimes.accessToken`. */
  readonly accessTokenLifetime?: number
}

/** One thing that a client asks to be allowed in detail (RFC 9396 §2). */
export interface AuthorizationDetail {
  /** What kind of thing it is: a key of the option `authorizationDetails`. */
  readonly type: string
  /** What its schema allows. */
  readonly [member: string]: unknown
}

/** One type of `authorization_details` (RFC 9396 §2). */
export interface AuthorizationDetailsOptions {
  /** What details of this type may say beside `type`: a JSON Schema (2020-12) of an object. Members that it does not name are refused, within it too, unless it says `additionalProperties` or `unevaluatedProperties` there; an object of which it names no member may hold anything. No object may have a member `valueOf`, `toString` or `__proto__`. `format` is not known: use `pattern`. */
  readonly schema: Readonly<Record<string, unknown>>
  /** The sentence on the consent page, or what makes one of a detail: `({ amount }) => 'Pay ' + amount`. It is text there, whatever is in it. `language`: that of the page (BCP 47). */
  readonly description:
    | string
    | ((detail: AuthorizationDetail, context: { readonly language: string }) => string)
}

/** An issuer whose JWTs are taken as authorization grants (RFC 7523 §2.1). */
export interface TrustedIssuer {
  /** Its public keys, as a JWK Set (RFC 7517 §5). */
  readonly jwks?: { readonly keys: readonly Jwk[] }
  /** Where it publishes them instead, https. */
  readonly jwksUri?: string
  /**
   * The id of the user whom these claims are about, for `findUser`; `undefined` refuses. Where `findUser` finds a user by several spellings, the
   * token and the grant have the `id` of the user object. `clientId` brought them. Default: none, so it has to be given.
   */
  user(
    claims: { readonly iss: string; readonly sub: string; readonly [claim: string]: unknown },
    context: { readonly clientId: string },
  ): Awaitable<string | number | undefined>
  /** The scopes that can be had this way, of those that the client has registered. Default: all of these. */
  readonly scopes?: readonly string[]
}

/** What a client asks for with token exchange (RFC 8693 §2.1). Who asks, and both tokens, are proven; the scopes are within those of the subject token; the resources may be others, unless the client exchanges its own token. */
export interface TokenExchangeRequest {
  /** The client that asks. */
  readonly clientId: string
  /** The token that stands for whom the new token shall be about. */
  readonly subject: ExchangedToken
  /** The token of who acts, where one was sent. */
  readonly actor?: ExchangedToken
  /** The scopes that the new token would have. */
  readonly scopes: readonly string[]
  /** The resources that it would be for. */
  readonly resources: readonly string[]
}

/** A token that was brought to be exchanged. */
export interface ExchangedToken {
  /** The client that it was issued to. */
  readonly clientId: string
  /** Its user; undefined where its client speaks for itself. */
  readonly userId?: string
  readonly scopes: readonly string[]
  readonly resources: readonly string[]
  /** Who acts with it already, where it was itself exchanged (RFC 8693 §4.1): refuse such a `subject` to forbid chains. Undefined where its user allowed it to its client. */
  readonly actor?: Actor
}

/** A public or private key as JSON (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2). What Web Crypto, Node and jose export fits, whatever they call its type. */
export interface Jwk {
  /** `RSA`, `EC` or `OKP`. */
  readonly kty?: unknown
  /** Its id. */
  readonly kid?: unknown
  /** The algorithm that it is for. */
  readonly alg?: unknown
  /** `sig`, where it says what it is for. */
  readonly use?: unknown
  /** The same in other words: `sign`, `verify`. */
  readonly key_ops?: unknown
  /** Whether it may be exported (Web Crypto). Not looked at. */
  readonly ext?: unknown
  /** Modulus (RSA). */
  readonly n?: unknown
  /** Public exponent (RSA). */
  readonly e?: unknown
  /** Curve (EC, OKP). */
  readonly crv?: unknown
  /** Public point, or its first coordinate (OKP, EC). */
  readonly x?: unknown
  /** Its second coordinate (EC). */
  readonly y?: unknown
  /** The private part. */
  readonly d?: unknown
  /** First prime factor of a private key (RSA). */
  readonly p?: unknown
  /** Second prime factor (RSA). */
  readonly q?: unknown
  /** Exponent of the first factor (RSA). */
  readonly dp?: unknown
  /** Exponent of the second factor (RSA). */
  readonly dq?: unknown
  /** Coefficient of the first factor (RSA). */
  readonly qi?: unknown
  /** Certificate chain. With `self_signed_tls_client_auth` the first is the client's certificate; otherwise not looked at. */
  readonly x5c?: unknown
  /** Where the chain is. Not looked at, like the next two. */
  readonly x5u?: unknown
  /** SHA-1 of the certificate. */
  readonly x5t?: unknown
  /** SHA-256 of the certificate. */
  readonly 'x5t#S256'?: unknown
}

/** Whose software statements count (RFC 7591 §2.3): its public keys, as a JWK Set or where it publishes them, https. */
export interface SoftwareStatementIssuer {
  /** Its public keys, as a JWK Set (RFC 7517 §5). */
  readonly jwks?: { readonly keys: readonly Jwk[] }
  /** Where it publishes them instead, https. */
  readonly jwksUri?: string
}

/** A method and not a function, so that `req` may be annotated with Express's `Request`. */
interface MayRegister {
  of(req: HostRequest): Awaitable<boolean>
}

/** Dynamic client registration (RFC 7591, RFC 7592). */
export interface RegistrationOptions {
  /** Who may register: anybody, or whom the function lets in, which sees the request and returns true or false. Whom it lets in it vouches for: such a client may have the grant types that ask no user (`client_credentials`, ...), which others may not. Default: only who has one of `initialAccessTokens`. */
  readonly allow?: 'open' | MayRegister['of']
  /** Tokens with which a client may register, as a Bearer token (RFC 7591 §1.2), whatever `allow` says; 32 or more letters, digits and `. _ ~ + / -` each. They vouch too, and do not count against `perMinute`. Default: none. */
  readonly initialAccessTokens?: readonly string[]
  /** Whether a client gets a token with which it can read, change and delete its registration (RFC 7592). The token of a public client ends as soon as somebody else registers the same metadata: both are one client then, which neither of them manages. Default: `true`. */
  readonly management?: boolean
  /** How many clients may be registered in a minute, in all processes. One network (an IPv4 address, or the first 64 bits of an IPv6 address, as `trust proxy` has it) may have a quarter of it, and 5 at least. Beyond it the answer is 429; whoever registers what is registered already gets in still. A client that changes itself does not count here; it may do so 10 times a minute. 1 to 1,000,000. Default: 60. */
  readonly perMinute?: number
  /** Whose software statements count, by their `iss` (RFC 7591 §2.3); what such a statement says wins over what the client says. Default: none, and a software statement is refused. */
  readonly softwareStatementIssuers?: Readonly<Record<string, SoftwareStatementIssuer>>
  /** Whether every registration has to bring a software statement. Default: `false`. */
  readonly requireSoftwareStatement?: boolean
}

/** Clients whose id is the https URL at which their metadata lie (OAuth Client ID Metadata Document). */
export interface ClientMetadataDocumentsOptions {
  /** Which URLs: all, those at these hosts, or those for which the function says `true`. It is asked before anything is fetched, and whenever such a client is used: where it says `false` from some day on, its clients are unknown, until it says `true` again; only `requireToken` goes on taking the access tokens that users allowed them until they expire. So let it answer quickly; what is neither is an error. */
  readonly allow: 'open' | readonly string[] | ((url: URL) => Awaitable<boolean>)
  /** The longest document, in bytes, 1 to 65,536. Default: 5120. */
  readonly sizeLimit?: number
}

/** What the option `mcp` says of the MCP server beside which the provider runs. */
export interface McpOptions {
  /** The path of the MCP endpoint on this host, or its URL: then all below it belongs to it, and tokens for it have its `scopes`. Default: `/mcp` where `scopes` is given; otherwise every path behind `requireToken` is a resource of its own. With the option `resources` it is one more of them, and has to be given: without it the start fails. */
  readonly resource?: string
  /** The scopes that mean something there; its metadata name them (RFC 9728 §2). Default: all of the option `scopes`. */
  readonly scopes?: readonly string[]
}

/** How long the audit log is kept. */
export interface AuditOptions {
  /** For how long an entry is kept, in seconds, 1 to a hundred years. Default: 90 days. */
  readonly keep?: number
}

/** What `onGrant` is told: a user has allowed a client something on the consent page or the device page. */
export interface GrantNotice {
  /** The user: the id that `currentUser` gave, as a string. */
  readonly userId: string
  /** The client. */
  readonly clientId: string
  /** What it is called, as the pages show it: that of a client which came by itself, or that a user made, is cut and cleared of what is not seen. It is text; escape it. */
  readonly clientName: string
  /** The grant, for `oauth.grants.revoke`. */
  readonly grantId: string
  /** What the user has just allowed. */
  readonly scopes: readonly string[]
  /** Whether the client had no access to this account before. */
  readonly first: boolean
  /** When. */
  readonly at: Date
  /** The network address of the user's browser, where the option `keepAddresses` is `true`. */
  readonly address?: string
}

/** What `onReuse` is told: a code or a refresh token came a second time, so somebody may have stolen it; what came of it has been revoked. */
export interface ReuseNotice {
  /** The user for whom it had been issued. */
  readonly userId: string
  /** The client to which it had been issued. */
  readonly clientId: string
  /** What it is called, as the pages show it. It is text; escape it. */
  readonly clientName: string
  /** The grant that it came from. */
  readonly grantId: string
  /** What came a second time: a code (RFC 6749 §4.1.2) or a refresh token (RFC 9700 §4.14.2). */
  readonly kind: 'code' | 'refresh_token'
  /** When it came again. */
  readonly at: Date
  /** The network address from which it came again, where the option `keepAddresses` is `true`. */
  readonly address?: string
}

/** Texts of the pages in one language: key to text. The keys are those of the files in `templates/messages/en` of this package; README says which section is of which page. */
export type Messages = Readonly<Record<string, string>>

/** How the user proved who they are (OpenID Connect Core §2). */
export interface AuthContext {
  /** Authentication Context Class Reference, of values that you and the clients agree on. */
  readonly acr?: string | undefined
  /** Authentication Methods References (RFC 8176): `['pwd', 'otp']`. */
  readonly amr?: readonly string[] | undefined
}

/** What a client says about the login that it would like (OpenID Connect Core §3.1.2.1). All of it comes from the request; escape it. */
export interface LoginHints {
  /** Who the client thinks the user is: an address or a name to fill in. */
  readonly loginHint?: string
  /** Authentication context class references that it asks for, most wanted first. */
  readonly acrValues?: readonly string[]
  /** Languages of the user, most wanted first (BCP 47). */
  readonly uiLocales?: readonly string[]
  /** `page`, `popup`, `touch` or `wap`. */
  readonly display?: string
  /** Why a user who is signed in is sent there: `login`, `select_account`. */
  readonly prompts?: readonly string[]
}

/** Client metadata under the names of RFC 7591 §2, and what this provider adds. */
export interface ClientMetadata {
  /** The client's identifier. Generated by `oauth.clients.create` where left out; required in the option `clients`. */
  readonly client_id?: string
  /** Its secret. A client that has none is public, unless `token_endpoint_auth_method` says that it proves itself by a key or a certificate. `oauth.clients.create` generates one where that method needs one, or is left out. */
  readonly client_secret?: string
  /** Where the browser may be sent back to, compared exactly; only the port is free, for http on `127.0.0.1`, `[::1]` and `localhost` (RFC 8252 §7.3). */
  readonly redirect_uris?: readonly string[]
  /** The name on the consent page. Default: the client's identifier. */
  readonly client_name?: string
  /** An id that all versions of the software share (RFC 7591 §2). Kept, and shown to nobody. */
  readonly software_id?: string
  /** Its version (RFC 7591 §2). Kept, and shown to nobody. */
  readonly software_version?: string
  /** The id of the user who made it on the page `/applications`, and who may change it there, unless it has `skip_consent`. Default: none. */
  readonly owner_id?: string
  /** Whether you stand for it: the pages say of a client that came by itself, or that a user made, that it is not verified until it is. Default: `false`; for a client that you have created you stand until `false` is said, by you or because its owner has changed it. It becomes `false` too when a client's document names redirect URIs on other hosts than before. */
  readonly verified?: boolean
  /** The client's home page, https. */
  readonly client_uri?: string
  /** The client's logo, https. The built-in pages show no remote images. */
  readonly logo_uri?: string
  /** The client's privacy policy, https; linked on the consent page. */
  readonly policy_uri?: string
  /** The client's terms of service, https; linked on the consent page. */
  readonly tos_uri?: string
  /** How to reach those who run the client. Kept, and shown to nobody. */
  readonly contacts?: readonly string[]
  /** `web` or `native`. Kept for whoever reads it, since what a redirect URI may be follows from the URI itself; but with the option `profile` only `native` may have http on this computer. Default: none. */
  readonly application_type?: string
  /** `client_secret_basic`, `client_secret_post`, `client_secret_jwt`, `private_key_jwt` or `none`; with the option `mtls` also `tls_client_auth` and `self_signed_tls_client_auth`. Default: `none` without a secret; `client_secret_basic` or `client_secret_post`, as the client likes, with one. Has to be said where `jwks` or `jwks_uri` stands without a secret. With the option `profile` always has to be said, and is `private_key_jwt` or one of the two by certificate. */
  readonly token_endpoint_auth_method?: string
  /** The algorithm with which it signs its assertions. Default: any that fits its key; with the option `profile` of `PS256`, `ES256` and `EdDSA` only. */
  readonly token_endpoint_auth_signing_alg?: string
  /** Whether its assertions may name the endpoint that is called as `aud`, for libraries that cannot name the issuer. Default: `false`; `true` is refused with the option `profile`. */
  readonly accept_endpoint_audience?: boolean
  /** The certificate of a client with `tls_client_auth` has this subject (RFC 4514); of the five fields, exactly one is given (RFC 8705 §2.1.2). */
  readonly tls_client_auth_subject_dn?: string
  /** Or this DNS name. */
  readonly tls_client_auth_san_dns?: string
  /** Or this URI. */
  readonly tls_client_auth_san_uri?: string
  /** Or this IP address. */
  readonly tls_client_auth_san_ip?: string
  /** Or this email address. */
  readonly tls_client_auth_san_email?: string
  /** Whether its tokens are bound to the certificate of its TLS connection (RFC 8705 §3.4); needs the option `mtls`. Default: `false`. */
  readonly tls_client_certificate_bound_access_tokens?: boolean
  /** Whether it always sends DPoP proofs, so that a token request without one is refused (RFC 9449 §5.2); needs `features.dpop`. Default: `false`; with a proof, tokens are bound in any case. */
  readonly dpop_bound_access_tokens?: boolean
  /** Whether its authorization requests have to come through `/par` (RFC 9126 §6); needs `features.pushedAuthorizationRequests`. Default: `false`; where the option `requirePushedAuthorizationRequests` is `true`, those of all clients have to. */
  readonly require_pushed_authorization_requests?: boolean
  /** The algorithm of its request objects (RFC 9101). Default: any that fits its keys; with the option `profile` of `PS256`, `ES256` and `EdDSA` only. */
  readonly request_object_signing_alg?: string
  /** Whether its authorization requests have to be signed (RFC 9101 §10.5). Default: `false`. */
  readonly require_signed_request_object?: boolean
  /** The types of `authorization_details` that it may ask for (RFC 9396 §10). Default: all. */
  readonly authorization_details_types?: readonly string[]
  /** Makes the answer of the introspection endpoint a JWT with this algorithm, also where it does not ask for one (RFC 9701 §6). Default: what `Accept` asks for. */
  readonly introspection_signed_response_alg?: string
  /** The resources that it serves: tokens for them it may look at with `/introspect`. Default: none. */
  readonly resources?: readonly string[]
  /** How long its access tokens live, in seconds. Where a resource has a lifetime too, the shorter counts. Default: `lifetimes.accessToken`. */
  readonly access_token_lifetime?: number
  /** `lifetimes.refreshToken` for it, in seconds. Default: that one. */
  readonly refresh_token_lifetime?: number
  /** `lifetimes.refreshTokenTotal` for it, in seconds. Default: that one. */
  readonly refresh_token_total_lifetime?: number
  /** How long its ID tokens live, in seconds. Default: `lifetimes.idToken`. */
  readonly id_token_lifetime?: number
  /** Its public keys, as a JWK Set (RFC 7517 §5), for `private_key_jwt`, `self_signed_tls_client_auth` and request objects (RFC 9101); 50 at most. */
  readonly jwks?: { readonly keys: readonly Jwk[] }
  /** Where it publishes them instead, https. An update that names one of the two drops the other. */
  readonly jwks_uri?: string
  /** Of `authorization_code`, `refresh_token`, `client_credentials`, `urn:ietf:params:oauth:grant-type:device_code`, `urn:ietf:params:oauth:grant-type:token-exchange` and `urn:ietf:params:oauth:grant-type:jwt-bearer`. `client_credentials` and the last two are for clients with a secret, a key or a certificate only. What the options have not turned on can be registered, and is refused when it is used. Default: `authorization_code` and `refresh_token`. */
  readonly grant_types?: readonly string[]
  /** Only `code`. */
  readonly response_types?: readonly string[]
  /** The scopes that it may ask for, separated by spaces. Default: all. */
  readonly scope?: string
  /** The algorithm of its ID tokens: `RS256`, `ES256` or `EdDSA`. Default: `RS256`. With the option `profile` there is no `RS256`, here and for the two other answers that can be signed, and the default is `ES256`. */
  readonly id_token_signed_response_alg?: string
  /** Makes the answer of the userinfo endpoint a JWT, signed with this algorithm. Default: JSON. */
  readonly userinfo_signed_response_alg?: string
  /** `scopes` puts the claims of its scopes into its ID tokens too, for libraries that do not ask the userinfo endpoint. Default: the option `idTokenClaims`. */
  readonly id_token_claims?: 'minimal' | 'scopes'
  /** `pairwise` gives it another `sub` than clients at other sites get for the same user; needs the option `pairwiseSalt`. Default: `public`. */
  readonly subject_type?: string
  /** An https URL that lists the redirect URIs of all clients that shall share a pairwise `sub`, and of one that has none its `jwks_uri` (OpenID Connect Core §8.1). */
  readonly sector_identifier_uri?: string
  /** The `max_age` of its requests that name none, in seconds. Default: none. */
  readonly default_max_age?: number
  /** Whether its ID tokens must have `auth_time`. Default: `false`; where it is known, it is always there. */
  readonly require_auth_time?: boolean
  /** Where the browser may be sent after signing out, compared exactly. */
  readonly post_logout_redirect_uris?: readonly string[]
  /** Where it is told that a user has signed out, https (OpenID Connect Back-Channel Logout §2.2). */
  readonly backchannel_logout_uri?: string
  /** Whether it needs `sid` in logout tokens. Default: `false`; where it is known, it is always there. */
  readonly backchannel_logout_session_required?: boolean
  /** Where a login at the client can be begun, https (OpenID Connect Core §4). Kept for whoever reads it. */
  readonly initiate_login_uri?: string
  /** Do not ask the user. Only for your own applications; honoured for clients with a secret or a key, and for public ones whose redirect URI is https. Default: `false`. */
  readonly skip_consent?: boolean
  /** `false` lets a client with a secret or a key leave PKCE out (RFC 7636), for libraries that cannot do it; refused with the option `profile`. Default: `true`. */
  readonly require_pkce?: boolean
  /** A disabled client is treated as unknown: it gets no codes and tokens, introspection says that those which it has are inactive, and userinfo refuses them. Only `requireToken` goes on taking the access tokens that users allowed it until they expire; to end these too, call `grants.revokeClient`, as the page `/admin` does when a client is blocked there. Default: `false`. */
  readonly disabled?: boolean
}

/** What client metadata say in one language (RFC 7591 §2.2): `'client_name#de': 'Fotodrucker'`. */
export interface LocalizedMetadata {
  readonly [member: `${'client_name' | 'client_uri' | 'logo_uri' | 'policy_uri' | 'tos_uri'}#${string}`]:
    | string
    | undefined
}

/** A client of the option `clients`. */
export interface StaticClient extends Omit<ClientMetadata, 'client_secret'> {
  /** Its secret. While it is being changed a list of two, the new one and the old one, both of which count; take the old one out when nobody uses it any more. */
  readonly client_secret?: string | readonly string[]
}

/** Lifetimes in seconds. */
export interface Lifetimes {
  /** An authorization code, at most 600 (RFC 6749 §4.1.2); at most 60 with the option `profile`. Default: 60. */
  readonly authorizationCode: number
  /** An access token. Default: 3600. */
  readonly accessToken: number
  /** A refresh token that is not used; each use gives a new one. With the option `profile` no use does, and it ends so long after it was issued. Default: 30 days. */
  readonly refreshToken: number
  /** How long refresh tokens can go on renewing each other after the user signed in and approved. With the option `profile` they do not, and it counts only where it is shorter than `refreshToken`. Default: 365 days. */
  readonly refreshTokenTotal: number
  /** An ID token. Default: 3600. */
  readonly idToken: number
  /** How long a device waits for its user (RFC 8628 §3.2), at most 900. Default: 600. */
  readonly deviceCode: number
  /** How long a pushed authorization request can be used (RFC 9126 §2.2), 5 to 600; to 599 with the option `profile`. Default: 60. */
  readonly pushedRequest: number
  /** How long a signing key signs before the next one takes over. Default: 90 days. */
  readonly signingKey: number
  /** How long an authorization request waits for its user to sign in and decide. Default: 3600. */
  readonly request: number
  /** For how long a refresh token that was just rotated gets the very same answer again, for a lost reply or two tabs; 0 never. Without effect with the option `profile`, which rotates none. Default: 10. */
  readonly refreshGrace: number
}

/** What can be turned off: its endpoint is not there then, and the metadata does not name it. */
export interface Features {
  /** `/device_authorization`, `/device` and the device grant (RFC 8628). */
  readonly deviceAuthorization: boolean
  /** DPoP proofs (RFC 9449); without it the header is ignored. With the option `profile` it can be off only where `mtls` is set. */
  readonly dpop: boolean
  /** `response_mode=form_post`. */
  readonly formPost: boolean
  /** `/introspect` (RFC 7662). */
  readonly introspection: boolean
  /** `/logout`. Clients are told still when you call `oauth.logoutSession` or `oauth.logoutUser`. */
  readonly logout: boolean
  /** `/par` (RFC 9126). With the option `profile` it cannot be off. */
  readonly pushedAuthorizationRequests: boolean
  /** `/revoke` (RFC 7009). */
  readonly revocation: boolean
}

/** What makes a better-sqlite3 `Database`, so that a host needs its types only where it uses it. */
export interface SqliteDatabase {
  /** Prepares a statement. */
  prepare(sql: string): unknown
  /** Reads or sets a pragma. */
  pragma(sql: string): unknown
  /** Whether a transaction is open on it. */
  readonly inTransaction: boolean
}

/** A method and not a function, so that `req` may be annotated with Express's `Request`: TypeScript compares parameters of methods in both directions. */
interface LoginUrl {
  of(req: HostRequest, returnTo: string, hints: LoginHints): string
}

/** The pages that can be overridden, each a file `<name>.ejs` in the folder `templates`. */
export type PageName =
  | 'admin'
  | 'admin-audit'
  | 'admin-client'
  | 'admin-confirm'
  | 'admin-user'
  | 'application'
  | 'applications'
  | 'consent'
  | 'error'
  | 'continue'
  | 'form-post'
  | 'authorized-applications'
  | 'logout'
  | 'logged-out'
  | 'device'
  | 'device-consent'
  | 'device-done'

/** The options of `oauthProvider`. */
export interface OAuthProviderOptions<User extends object = HostUser> {
  /**
   * The public URL at which the router is mounted, `https://photos.example/oauth`. Used byte for byte in metadata, in `iss` and in
   * every link, and never derived from a request. https, except on localhost; no trailing slash, query or fragment (RFC 8414 §2).
   */
  readonly issuer: string

  /** Looks up a user by the id that `currentUser` gave (always a string). `undefined` says that this user no longer exists; what they granted ends with them. */
  findUser(id: string): Awaitable<User | undefined | null>

  /** The id of the user who is signed in, or undefined. Default: `req.user?.id ?? req.session?.userId ?? req.session?.user?.id`. */
  currentUser?(req: HostRequest): Awaitable<unknown>

  /** When that user last proved who they are: a Date, or seconds since 1970. Needed for `prompt=login` and `max_age` to be more than a visit to the login page, and for `auth_time`. Default: unknown. */
  authTime?(req: HostRequest): Awaitable<Date | number | undefined | null>

  /** How that user proved it, for `acr` and `amr` in ID tokens. Default: unknown. */
  authContext?(req: HostRequest): Awaitable<AuthContext | undefined>

  /** Your login page. It gets the query parameter `return_to`, a path on this host to go to after signing in, and `login_hint` where the client sent one. A function gives the whole URL. Default: `/login`. */
  readonly loginUrl?: string | LoginUrl['of']

  /** Ends the user's login, when `/logout` is confirmed: `(req) => promisify(req.session.destroy).call(req.session)`. It sends no answer of its own. Default: the page says that the user is still signed in here. */
  logout?(req: HostRequest, res: ServerResponse): unknown

  /** The claims of a user, in place of those that are read off the user object (OpenID Connect Core §5.1). `scopes` are those that the user allowed. Default: the standard claims that the user object has, by scope. */
  claims?(
    user: User,
    context: { readonly scopes: readonly string[] },
  ): Awaitable<Readonly<Record<string, unknown>>>

  /** `scopes` puts the claims of the granted scopes into ID tokens too, and not only into userinfo. Default: `minimal`. */
  readonly idTokenClaims?: 'minimal' | 'scopes'

  /** What clients may ask for: scope to sentence for the consent page, or to `ScopeOptions`. Always there: `openid`, `profile`, `email`, `address`, `phone`, `offline_access`. Default: none other. */
  readonly scopes?: Readonly<Record<string, string | ScopeOptions>>

  /** Clients that are known from the start. Others are added with `oauth.clients.create`. Default: none. */
  readonly clients?: readonly (StaticClient | (StaticClient & LocalizedMetadata))[]

  /** A SQLite file name, `':memory:'`, an open better-sqlite3 `Database`, or any `Store`. Default: `'oauth.db'`. */
  readonly store?: string | Store | SqliteDatabase

  /** What the pages call your app, as its users know it: `'Daylight Photos'`. Default: the host of the issuer. */
  readonly appName?: string

  /** A folder whose files override the built-in pages by name: `consent.ejs`, `layout.ejs`, ... Default: the built-in ones. */
  readonly templates?: string

  /** Renders the pages with your own engine instead: return the HTML or a promise of it, or send it through `res`, whose headers are set already. With the option `authorizationDetails` the pages `consent` and `device-consent` have to show the local `authorizationDetails`: users approve it. */
  render?(page: PageName, locals: PageLocals, req: IncomingMessage, res: ServerResponse): unknown

  /** Lifetimes in seconds. */
  readonly lifetimes?: Partial<Lifetimes>

  /** The APIs that tokens are for (RFC 8707): URL to its options. Default: every URL on the issuer's origin. */
  readonly resources?: Readonly<Record<string, ResourceOptions>>

  /** Turns off what you do not want to offer: `{ deviceAuthorization: false }`. Default: all of it is on. */
  readonly features?: Partial<Features>

  /** What clients may ask for in detail (RFC 9396): type to its schema and its sentence for the consent page. Default: none. */
  readonly authorizationDetails?: Readonly<Record<string, AuthorizationDetailsOptions>>

  /** Whether every authorization request has to come through `/par` (RFC 9126 §5). Default: `false`; also for each client by itself. With the option `profile` it is `true`, and `false` is refused. */
  readonly requirePushedAuthorizationRequests?: boolean

  /** DPoP (RFC 9449): tokens that are asked for with a proof are bound to its key. `requireNonce: true` makes every proof carry a nonce of the server, so that none can be made in advance. Default: `{ requireNonce: false }`. */
  readonly dpop?: { readonly requireNonce?: boolean }

  /**
   * Turns client certificates on (RFC 8705). `clientCertificateHeader`: the header in which your TLS proxy hands them on, as PEM (URL-encoded, or with
   * its line ends turned into spaces or tabs), Base64 of DER, or RFC 9440; the proxy must remove it from what clients send. Left out, they are taken
   * from Node's own TLS connection. `clientVerifyHeader`: the header with the proxy's verdict (`$ssl_client_verify` in nginx); only with the value
   * `SUCCESS` does a certificate count for `tls_client_auth`. Left out, every one in the header does, so the proxy must refuse all that it cannot
   * verify (`ssl_verify_client on`). Where it hands them on all the same (`optional_no_ca`), anybody who makes a certificate with the subject of a
   * client is that client. Default: none.
   */
  readonly mtls?: { readonly clientCertificateHeader?: string; readonly clientVerifyHeader?: string }

  /**
   * Decides about token exchange (RFC 8693) between services of your own: `true` allows it, `{ scopes }` with those of these scopes that are asked
   * for, `false` refuses. A policy that is always `true` lets every client with this grant type that is handed a token have one for any of
   * `resources`, so look at `clientId` and `resources`. A client that exchanges its own token cannot leave the resources of that. Default: it is off.
   */
  tokenExchange?(request: TokenExchangeRequest): Awaitable<boolean | { readonly scopes: readonly string[] }>

  /** Issuers whose JWTs are taken for authorization grants (RFC 7523 §2.1), by their `iss`. Default: none, it is off. */
  readonly trustedIssuers?: Readonly<Record<string, TrustedIssuer>>

  /**
   * `fapi2` turns on what the FAPI 2.0 Security Profile demands, and refuses what it forbids. Default: none.
   *
   * What your clients have to do: push every authorization request to `/par`, with PKCE and with a `redirect_uri`; prove themselves by
   * `private_key_jwt`, `tls_client_auth` or `self_signed_tls_client_auth` (so none has a secret, and none is public), in assertions with the `issuer` as
   * `aud`, as text; have every access token bound, by a DPoP proof or a certificate; sign with PS256, ES256 or EdDSA, DPoP proofs and request objects
   * included, and issuers of the option `trustedIssuers` too; have no http redirect URI, but for a client with `application_type: 'native'`.
   *
   * What you get otherwise than without it: ID tokens and other answers are signed with ES256, or EdDSA where the client registers that, and JWT access
   * tokens with EdDSA; codes live 60 seconds at most, pushed requests less than 600; a refresh token is not replaced when it is used.
   *
   * Refused at start: `requirePushedAuthorizationRequests: false`, `features.pushedAuthorizationRequests: false`, `features.dpop: false` without `mtls`,
   * longer lifetimes, `keys` without ES256 or EdDSA, and clients that say otherwise, as `create` and `update` refuse them. A client that was kept before
   * is refused where it is used, and an access token that is bound to nothing counts no more.
   */
  readonly profile?: 'fapi2'

  /** Encrypts the signing keys where they rest. 32 or more characters, the same in every process; a list is for changing it: the first encrypts, all decrypt. Default: they rest as they are. A file that the provider makes is for its owner alone to read; one that was there before, and a `Database` or `Store` of yours, is as open as you made it. */
  readonly secret?: string | readonly string[]

  /** Your own private signing keys as JWKs, in place of generated ones; the first of each algorithm signs, the others are published only. One must be for RS256. With the option `profile` none need be, and none signs; one must be for ES256, and one for EdDSA, which signs JWT access tokens. Default: generated, and rotated by `lifetimes.signingKey`. */
  readonly keys?: readonly Jwk[]

  /** A secret of 32 or more characters from which pairwise `sub` values are made. Never change it. Default: no client can be pairwise. */
  readonly pairwiseSalt?: string

  /** Lets `jwks_uri`, `sector_identifier_uri` and `backchannel_logout_uri` be at addresses that are not public, and http there. `true`: loopback and private ones (127.0.0.0/8, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, ::1, fc00::/7). A list: exactly its addresses and CIDR ranges. For development; refused where NODE_ENV is production. Default: `false`. */
  readonly allowPrivateAddresses?: boolean | readonly string[]

  /** Dynamic client registration at `/register` (RFC 7591): `'open'` to anybody, or to whom a function lets in, or with `RegistrationOptions`. Default: `false`; with the option `mcp` `'open'`. */
  readonly registration?: false | 'open' | MayRegister['of'] | RegistrationOptions

  /** Clients whose id is an https URL, at which their metadata lie (OAuth Client ID Metadata Document): all, those at these hosts, those for which a function says `true`, or with `ClientMetadataDocumentsOptions`. Default: `false`; with the option `mcp` `'open'`. */
  readonly clientMetadataDocuments?:
    | false
    | 'open'
    | readonly string[]
    | ((url: URL) => Awaitable<boolean>)
    | ClientMetadataDocumentsOptions

  /** Turns on what MCP clients need: `registration` and `clientMetadataDocuments`, unless you say otherwise; with an object also the metadata of the MCP endpoint (MCP authorization, 2026-07-28). Default: `false`. */
  readonly mcp?: boolean | McpOptions

  /** Which users may register applications of their own on the page `/applications`, asked at every request; what is not `true` says no. Such applications prove themselves by a secret or are public, so it cannot stand with the option `profile`. Default: none, and the page is not there. */
  applications?(user: User): Awaitable<boolean>

  /** Which users may use the page `/admin`, on which all clients, grants and the audit log are seen and ended. Default: none, and the page is not there. */
  admin?(user: User): Awaitable<boolean>

  /** Is told that a user has allowed a client something, to mail them "a new app was connected". Nothing waits for it, and what it throws is told as `server.error`. */
  onGrant?(notice: GrantNotice): unknown

  /** Is told that a code or a refresh token was used twice. Nothing waits for it, and what it throws is told as `server.error`. */
  onReuse?(notice: ReuseNotice): unknown

  /**
   * Texts of the pages: language (BCP 47) to key to text, over those of the folder `messages` in the option `templates`
   * (`messages/<language>/<any name>.json`), over the built-in ones. Built in: `en`, `de`, `fr`, `es`, `ar`. What you leave out stays as it is; a
   * language that is not built in falls back to English, and a regional one (`de-AT`) to its language first. `false` turns a language off. Of
   * your own scopes: `scope.<name>`; of your types of `authorization_details` whose description is a string: `details.<type>`.
   */
  readonly messages?: Readonly<Record<string, Messages | false>>

  /** The audit log: who allowed what to whom and when, tokens that were issued, refreshed, used twice and revoked, clients and keys that changed. Default: `{ keep: 90 days }`; `false` keeps none. */
  readonly audit?: boolean | AuditOptions

  /** Whether network addresses are kept: in the audit log, and from where a grant was last used, which its user sees. Default: `false`. */
  readonly keepAddresses?: boolean

  /** The time in milliseconds since 1970, for tests that move it. Default: `Date.now`. */
  clock?(): number
}

/** The values that a page is rendered with; README lists them by page. */
export type PageLocals = Readonly<Record<string, unknown>> & {
  /** The title of the page. */
  readonly title: string
  /** The nonce of the page's Content-Security-Policy, for its inline styles, and for the one script of the page `form-post`. */
  readonly nonce: string
}
