import type { ServerResponse } from 'node:http'
import { type AuthorizationDetailsType, resolveAuthorizationDetails } from './authorization-details.js'
import type { Awaitable } from './awaitable.js'
import { ConfigurationError } from './errors.js'
import { requiresPushed, resolveFeatures } from './features.js'
import { resolveIssuer } from './issuer.js'
import { resolveLifetimes } from './lifetimes.js'
import type {
  AuthContext,
  Features,
  HostRequest,
  HostUser,
  Jwk,
  Lifetimes,
  LoginHints,
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
import { anArray, aString, describe, method, oneOf, refuseUnknown } from './validation.js'

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
  readonly loginUrl: (req: HostRequest, returnTo: string, hints: LoginHints) => string
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
  /** By URL (RFC 8707). Empty: every URL on the issuer's origin is a resource. */
  readonly resources: ReadonlyMap<string, Resource>
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
  clock: true,
}

export function resolveSettings<User extends object>(options: OAuthProviderOptions<User>): Settings {
  if (typeof options !== 'object' || options === null) {
    throw new ConfigurationError('options', 'are missing', 'Call oauthProvider({ issuer, findUser }).')
  }
  refuseUnknown('', options, Object.keys(OPTIONS))
  const { loginUrl = '/login', clients = [], store = 'oauth.db', lifetimes = {}, resources = {} } = options
  const issuer = resolveIssuer(options.issuer)
  const findUser = method(options, 'findUser')
  if (findUser === undefined) {
    throw new ConfigurationError('findUser', 'is missing', 'Pass findUser: (id) => users.get(id).')
  }
  const scopes = resolveScopes(options.scopes === undefined ? {} : options.scopes)
  const authorizationDetails = resolveAuthorizationDetails(options.authorizationDetails)
  const features = resolveFeatures(options.features)
  const profile = resolveProfile(options, features)
  const settings: Settings = {
    issuer: options.issuer,
    origin: issuer.origin,
    mount: issuer.pathname === '/' ? '' : issuer.pathname,
    secure: issuer.protocol === 'https:',
    appName: issuer.host,
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
    resources: resolveResources(resources, scopes, authorizationDetails),
    features,
    authorizationDetails,
    requirePushedAuthorizationRequests: requiresPushed(options, profile, features),
    dpop: resolveDpop(options.dpop),
    mtls: resolveMtls(options.mtls),
    tokenExchange: method(options, 'tokenExchange'),
    trustedIssuers: resolveTrustedIssuers(options.trustedIssuers, { issuer: options.issuer, scopes }),
    profile,
    secrets: longSecrets(options, 'secret'),
    keys: options.keys === undefined ? undefined : anArray('keys', options.keys),
    pairwiseSalt: longSecret(options, 'pairwiseSalt'),
    allowPrivateAddresses: privateAddresses(options.allowPrivateAddresses),
    clock: method(options, 'clock') ?? Date.now,
  }
  return Object.freeze(settings)
}

/** A lookup that says "none" in a way of its own, `[]` or `false`, must not pass for one that found somebody. */
function userLookup(findUser: (id: string) => Awaitable<unknown>): Settings['findUser'] {
  return async (id) => {
    const user = await findUser(id)
    if (user === undefined || user === null) return undefined
    if (typeof user === 'object' && !Array.isArray(user)) return user
    const forgotten = Array.isArray(user) ? '; did you forget [0] or .first()?' : '.'
    throw new TypeError(
      `oauthProvider: findUser gave ${describe(user)}. Give the user object, or undefined when there is none${forgotten}`,
    )
  }
}

function defaultCurrentUser(req: HostRequest): unknown {
  const { user, session } = req as {
    user?: { id?: unknown }
    session?: { userId?: unknown; user?: { id?: unknown } }
  }
  return user?.id ?? session?.userId ?? session?.user?.id
}

function resolveLoginUrl(loginUrl: unknown): Settings['loginUrl'] {
  if (typeof loginUrl === 'function') {
    return (req, returnTo, hints) => {
      const url: unknown = loginUrl(req, returnTo, hints)
      if (typeof url === 'string' && url !== '') return url
      throw new ConfigurationError('loginUrl', `gave ${describe(url)}`, 'Return the URL of your login page.')
    }
  }
  if (typeof loginUrl !== 'string' || !/^(?:\/(?![/\\])|https?:\/\/)[^\s#\\]*$/.test(loginUrl)) {
    throw new ConfigurationError(
      'loginUrl',
      `is ${describe(loginUrl)}`,
      "Pass a path such as '/login', an http or https URL, or a function; a fragment (#) cannot be kept.",
    )
  }
  const separator = loginUrl.includes('?') ? '&' : '?'
  return (_req, returnTo, { loginHint }) => {
    const hint = loginHint === undefined ? '' : `&login_hint=${encodeURIComponent(loginHint)}`
    // Nothing in return_to is percent-encoded: login pages and their sanitizers drop what is.
    return `${loginUrl}${separator}return_to=${returnTo}${hint}`
  }
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
