import type { TokenAuth } from './middleware.js'

export type { Actor } from './actor.js'
export type { Audit, AuditQuery } from './audit/audit.js'
export type { Awaitable } from './awaitable.js'
export type { Clients, RegisteredClient, RotatedSecret } from './clients/clients.js'
export {
  ConfigurationError,
  type ErrorCode,
  OAuthError,
  type OAuthErrorDetails,
  StoreUnavailableError,
} from './errors.js'
export type { Administrator, ProviderEmitter, ProviderEvents } from './events.js'
export type { Grants } from './grant-registry.js'
export type { SigningAlg, SigningKey, SigningKeys } from './keys/signing-keys.js'
export { toolCalls } from './mcp-calls.js'
export type {
  ClientTokenAuth,
  Middleware,
  RequireTokenOptions,
  ScopesOfRequest,
  TokenAuth,
  UserTokenAuth,
} from './middleware.js'
export type {
  AuditOptions,
  AuthContext,
  AuthorizationDetail,
  AuthorizationDetailsOptions,
  ClientMetadata,
  ClientMetadataDocumentsOptions,
  ExchangedToken,
  Features,
  GrantNotice,
  HostRequest,
  HostUser,
  Jwk,
  Lifetimes,
  LocalizedMetadata,
  LoginHints,
  McpOptions,
  Messages,
  OAuthProviderOptions,
  PageLocals,
  PageName,
  RegistrationOptions,
  ResourceOptions,
  ReuseNotice,
  ScopeOptions,
  SoftwareStatementIssuer,
  SqliteDatabase,
  StaticClient,
  TokenExchangeRequest,
  TrustedIssuer,
} from './options.js'
export { type OAuthProvider, oauthProvider } from './provider.js'
export { type PostgresStore, type PostgresStoreOptions, postgresStore } from './store/postgres.js'
export type {
  PostgresClient,
  PostgresPool,
  PostgresQuery,
  PostgresResult,
} from './store/postgres-connection.js'
export type {
  AuditEntry,
  Client,
  ClientSecret,
  ClientSession,
  FoundRecord,
  Grant,
  RecordKind,
  StoredKeys,
  StoredRecord,
} from './store/records.js'
export type {
  AuditFilter,
  ClientFilter,
  Consumed,
  Consumption,
  GrantFilter,
  Position,
  Store,
  WithdrawalFilter,
} from './store/store.js'
export type { TestClock, Testing, TestToken } from './testing.js'
export type { Text, TextValue } from './text.js'

declare global {
  namespace Express {
    interface Request {
      /** Whom the request speaks for. It is there behind `oauth.requireToken` only, and undefined everywhere else. */
      auth: TokenAuth
    }
  }
}
