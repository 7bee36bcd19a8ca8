import type { TokenAuth } from './middleware.js'

export type { Actor } from './actor.js'
export type { Awaitable } from './awaitable.js'
export type { Clients, RegisteredClient, RotatedSecret } from './clients/clients.js'
export {
  ConfigurationError,
  type ErrorCode,
  OAuthError,
  type OAuthErrorDetails,
  StoreUnavailableError,
} from './errors.js'
export type { ProviderEmitter, ProviderEvents } from './events.js'
export type { Grants } from './grant-registry.js'
export type { SigningAlg, SigningKey, SigningKeys } from './keys/signing-keys.js'
export type {
  ClientTokenAuth,
  Middleware,
  RequireTokenOptions,
  TokenAuth,
  UserTokenAuth,
} from './middleware.js'
export type {
  AuthContext,
  AuthorizationDetail,
  AuthorizationDetailsOptions,
  ClientMetadata,
  ExchangedToken,
  Features,
  HostRequest,
  HostUser,
  Jwk,
  Lifetimes,
  LoginHints,
  OAuthProviderOptions,
  PageLocals,
  PageName,
  ResourceOptions,
  ScopeOptions,
  SqliteDatabase,
  StaticClient,
  TokenExchangeRequest,
  TrustedIssuer,
} from './options.js'
export { type OAuthProvider, oauthProvider } from './provider.js'
export type {
  Client,
  ClientSecret,
  ClientSession,
  FoundRecord,
  Grant,
  RecordKind,
  StoredKeys,
  StoredRecord,
} from './store/records.js'
export type { Consumed, Consumption, Store } from './store/store.js'

declare global {
  namespace Express {
    interface Request {
      /** Whom the request speaks for. It is there behind `oauth.requireToken` only, and undefined everywhere else. */
      auth: TokenAuth
    }
  }
}
