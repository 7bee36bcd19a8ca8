import type { TokenAuth } from './require-token.js'

export type { ClientRegistry, RegisteredClient } from './clients/registry.js'
export { ConfigurationError, OAuthError, StoreUnavailableError } from './errors.js'
export type { ProviderEvents } from './events.js'
export type {
  ClientMetadata,
  HostRequest,
  HostUser,
  Lifetimes,
  OAuthProviderOptions,
  PageLocals,
  PageName,
  ResourceOptions,
  ScopeOptions,
} from './options.js'
export { type Grants, type OAuthProvider, oauthProvider } from './provider.js'
export type { RequireTokenOptions, TokenAuth } from './require-token.js'
export type { Client, ClientSecret, FoundRecord, Grant, RecordKind, StoredRecord } from './store/records.js'
export type { Consumed, Consumption, Store } from './store/store.js'

declare global {
  namespace Express {
    interface Request {
      /** Filled by `oauth.requireToken` before the handlers behind it run. */
      auth: TokenAuth
    }
  }
}
