import type { ServerResponse } from 'node:http'
import { resolveApplications } from './applications.js'
import { resolveAudit } from './audit-settings.js'
import { type AuthorizationDetailsType, resolveAuthorizationDetails } from './authorization-details.js'
import type { Awaitable } from './awaitable.js'
import {
  type DocumentSettings,
  type RegistrationSettings,
  resolveDocuments,
  resolveRegistration,
} from './client-sources.js'
import { ConfigurationError } from './errors.js'
import { requiresPushed, resolveFeatures } from './features.js'
import { resolveIssuer } from './issuer.js'
import { resolveLifetimes } from './lifetimes.js'
import { type LoginUrlOf, resolveLoginUrl } from './login-url.js'
import { type McpSettings, resolveMcp, withMcp } from './mcp.js'
import { type Catalogues, loadCatalogues } from './messages.js'
import type {
  AuthContext,
  Features,
  HostRequest,
  HostUser,
  Jwk,
  Lifetimes,
  OAuthProviderOptions,
  SqliteDatabase,
  StaticClient,
  TrustedIssuer,
} from './options.js'
import { type Profile, resolveProfile } from './profile.js'
import { type Resource, resolveResources } from './resources.js'
import { defaultScopes, resolveScopes, type Scope } from './scopes.js'
import { longSecret, longSecrets, privateAddresses } from './secrets.js'
import { type MtlsSettings, resolveDpop, resolveMtls } from './sender-constraints.js'
import type { Store } from './store/store.js'
import { resolveTrustedIssuers } from './trusted-issuers.js'
import { defaultCurrentUser, userLookup } from './users.js'
import { aBoolean, anArray, aString, describe, method, oneOf, refuseUnknown } from './validation.js'

/** The options, checked and completed. Nothing looks at the options again after this. */
export interface Settings {
  readonly issuer: string
  /** Scheme, host and port of the issuer. */
  readonly origin: string
  /** The path at which the router is mounted; empty at the root. */
  readonly mount: string
  /** Whether the browser reaches us by https, so that cookies can be Secure. */
  readonly secure: boolean
  /** What the pages call the host. */
  readonly appName: string
  /** Rejects where the host's function gives what is neither a user nor none. */
  readonly findUser: (id: string) => Promise<HostUser | undefined>
  readonly currentUser: (req: HostRequest) => Awaitable<unknown>
  readonly authTime: ((req: HostRequest) => Awaitable<Date | number | undefined | null>) | undefined
  readonly authContext: ((req: HostRequest) => Awaitable<AuthContext | undefined>) | undefined
  readonly loginUrl: LoginUrlOf
  readonly logout: ((req: HostRequest, res: ServerResponse) => unknown) | undefined
  readonly claims:
    | ((
        user: HostUser,
        context: { readonly scopes: readonly string[] },
      ) => Awaitable<Readonly<Record<string, unknown>>>)
    | undefined
  readonly idTokenClaims: 'minimal' | 'scopes'
  readonly scopes: ReadonlyMap<string, Scope>
  /** What a request that names no scope asks for. */
  readonly defaultScopes: readonly string[]
  readonly clients: readonly StaticClient[]
  readonly store: string | Store | SqliteDatabase
  readonly templates: string | undefined
  readonly render: OAuthProviderOptions['render'] | undefined
  readonly lifetimes: Lifetimes
  /** By URL (RFC 8707). */
  readonly resources: ReadonlyMap<string, Resource>
  /** Whether every other URL on the issuer's origin is a resource too. */
  readonly everyUrl: boolean
  readonly features: Features
  readonly authorizationDetails: ReadonlyMap<string, AuthorizationDetailsType>
  readonly requirePushedAuthorizationRequests: boolean
  readonly dpop: { readonly requireNonce: boolean }
  /** Undefined where client certificates count for nothing. The names of its headers are in lower case. */
  readonly mtls: MtlsSettings | undefined
  readonly tokenExchange: OAuthProviderOptions['tokenExchange'] | undefined
  readonly trustedIssuers: ReadonlyMap<string, TrustedIssuer>
  readonly profile: Profile
  /** The option `secret`: the first one encrypts. Empty where it is not given. */
  readonly secrets: readonly string[]
  /** The host's own signing keys; undefined where they are generated. */
  readonly keys: readonly Jwk[] | undefined
  readonly pairwiseSalt: string | undefined
  readonly allowPrivateAddresses: boolean | readonly string[]
  /** Undefined where no client can register itself. */
  readonly registration: RegistrationSettings | undefined
  /** Undefined where no id is a URL. */
  readonly clientMetadataDocuments: DocumentSettings | undefined
  readonly mcp: McpSettings | undefined
  readonly applications: ((user: HostUser) => Awaitable<boolean>) | undefined
  readonly admin: ((user: HostUser) => Awaitable<boolean>) | undefined
  readonly onGrant: OAuthProviderOptions['onGrant'] | undefined
  readonly onReuse: OAuthProviderOptions['onReuse'] | undefined
  readonly messages: Catalogues
  /** For how long the audit log is kept, in milliseconds. Undefined where there is none. */
  readonly auditKeep: number | undefined
  readonly keepAddresses: boolean
  readonly clock: () => number
}

const OPTIONS: Record<keyof OAuthProviderOptions, true> = {
  issuer: true,
  findUser: true,
  currentUser: true,
  authTime: true,
  authContext: true,
  loginUrl: true,
  logout: true,
  claims: true,
  idTokenClaims: true,
  scopes: true,
  clients: true,
  store: true,
  appName: true,
  templates: true,
  render: true,
  lifetimes: true,
  resources: true,
  features: true,
  authorizationDetails: true,
  requirePushedAuthorizationRequests: true,
  dpop: true,
  mtls: true,
  tokenExchange: true,
  trustedIssuers: true,
  profile: true,
  secret: true,
  keys: true,
  pairwiseSalt: true,
  allowPrivateAddresses: true,
  registration: true,
  clientMetadataDocuments: true,
  mcp: true,
  applications: true,
  admin: true,
  onGrant: true,
  onReuse: true,
  messages: true,
  audit: true,
  keepAddresses: true,
  clock: true,
}

export function resolveSettings<User extends object>(options: OAuthProviderOptions<User>): Settings {
  if (typeof options !== 'object' || options === null) {
    throw new ConfigurationError('options', 'are missing', 'Call oauthProvider({ issuer, findUser }).')
  }
  refuseUnknown('', options, Object.keys(OPTIONS))
  const { loginUrl = '/login', clients = [], store = 'oauth.db', lifetimes = {} } = options
  const issuer = resolveIssuer(options.issuer)
  const findUser = method(options, 'findUser')
  if (findUser === undefined) {
    throw new ConfigurationError('findUser', 'is missing', 'Pass findUser: (id) => users.get(id).')
  }
  const scopes = resolveScopes(options.scopes === undefined ? {} : options.scopes)
  const authorizationDetails = resolveAuthorizationDetails(options.authorizationDetails)
  const features = resolveFeatures(options.features)
  const profile = resolveProfile(options, features)
  const mcp = resolveMcp(options.mcp, { origin: issuer.origin, scopes })
  const settings: Settings = {
    issuer: options.issuer,
    origin: issuer.origin,
    mount: issuer.pathname === '/' ? '' : issuer.pathname,
    secure: issuer.protocol === 'https:',
    appName: aString('appName', options.appName) ?? issuer.host,
    findUser: userLookup(findUser),
    currentUser: method(options, 'currentUser') ?? defaultCurrentUser,
    authTime: method(options, 'authTime'),
    authContext: method(options, 'authContext'),
    loginUrl: resolveLoginUrl(loginUrl),
    logout: method(options, 'logout'),
    claims: method(options, 'claims') as Settings['claims'],
    idTokenClaims: oneOf('idTokenClaims', options.idTokenClaims, ['minimal', 'scopes']) ?? 'minimal',
    scopes,
    defaultScopes: defaultScopes(scopes),
    clients: anArray('clients', clients),
    store: resolveStore(store),
    templates: aString('templates', options.templates),
    render: method(options, 'render'),
    lifetimes: resolveLifetimes(lifetimes, profile),
    resources: resolveResources(withMcp(options.resources, mcp), scopes, authorizationDetails),
    everyUrl: Object.keys(options.resources ?? {}).length === 0,
    features,
    authorizationDetails,
    requirePushedAuthorizationRequests: requiresPushed(options, profile, features),
    dpop: resolveDpop(options.dpop, features),
    mtls: resolveMtls(options.mtls),
    tokenExchange: method(options, 'tokenExchange'),
    trustedIssuers: resolveTrustedIssuers(options.trustedIssuers, { issuer: options.issuer, scopes }),
    profile,
    secrets: longSecrets(options, 'secret'),
    keys: options.keys === undefined ? undefined : anArray('keys', options.keys),
    pairwiseSalt: longSecret(options, 'pairwiseSalt'),
    allowPrivateAddresses: privateAddresses(options.allowPrivateAddresses),
    registration: resolveRegistration(options.registration, mcp),
    clientMetadataDocuments: resolveDocuments(options.clientMetadataDocuments, mcp),
    mcp,
    applications: resolveApplications(options, profile) as Settings['applications'],
    admin: method(options, 'admin') as Settings['admin'],
    onGrant: method(options, 'onGrant'),
    onReuse: method(options, 'onReuse'),
    messages: loadCatalogues(options),
    auditKeep: resolveAudit(options.audit),
    keepAddresses: aBoolean('keepAddresses', options.keepAddresses) ?? false,
    clock: method(options, 'clock') ?? Date.now,
  }
  return Object.freeze(settings)
}

function resolveStore(store: Settings['store']): Settings['store'] {
  if ((typeof store === 'string' && store !== '') || (typeof store === 'object' && store !== null))
    return store
  throw new ConfigurationError(
    'store',
    `is ${describe(store)}`,
    "Pass a file name, ':memory:', a better-sqlite3 Database or a Store.",
  )
}
