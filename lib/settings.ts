import type { Awaitable } from './awaitable.js'
import { ConfigurationError } from './errors.js'
import { resolveIssuer } from './issuer.js'
import { resolveLifetimes } from './lifetimes.js'
import type {
  ClientMetadata,
  HostRequest,
  HostUser,
  Lifetimes,
  OAuthProviderOptions,
  ScopeOptions,
  SqliteDatabase,
} from './options.js'
import type { Store } from './store/store.js'
import { suggestion } from './suggestion.js'
import { aBoolean, anArray, anObject, aString, describe, method, refuseUnknown } from './validation.js'

export interface Scope {
  readonly name: string
  readonly description: string
  readonly required: boolean
  readonly default: boolean
}

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
  readonly loginUrl: (req: HostRequest, returnTo: string) => string
  readonly scopes: ReadonlyMap<string, Scope>
  /** What a request that names no scope asks for. */
  readonly defaultScopes: readonly string[]
  readonly clients: readonly ClientMetadata[]
  readonly store: string | Store | SqliteDatabase
  readonly templates: string | undefined
  readonly render: OAuthProviderOptions['render'] | undefined
  readonly lifetimes: Lifetimes
  /** RFC 8707 resource to the scopes that it knows, undefined for all. Empty: every URL on the issuer's origin is a resource. */
  readonly resources: ReadonlyMap<string, readonly string[] | undefined>
  readonly clock: () => number
}

const OPTIONS: Record<keyof OAuthProviderOptions, true> = {
  issuer: true,
  findUser: true,
  currentUser: true,
  authTime: true,
  loginUrl: true,
  scopes: true,
  clients: true,
  store: true,
  templates: true,
  render: true,
  lifetimes: true,
  resources: true,
  clock: true,
}

const SENTENCE = 'Give the sentence that the user reads: "See your photos".'

const OFFLINE_ACCESS: Scope = {
  name: 'offline_access',
  description: 'Keep this access while you are away',
  required: true,
  default: false,
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
  const asked = [...scopes.values()].filter((scope) => scope.name !== OFFLINE_ACCESS.name)
  const marked = [...scopes.values()].filter((scope) => scope.default)
  const settings: Settings = {
    issuer: options.issuer,
    origin: issuer.origin,
    mount: issuer.pathname === '/' ? '' : issuer.pathname,
    secure: issuer.protocol === 'https:',
    appName: issuer.host,
    findUser: userLookup(findUser),
    currentUser: method(options, 'currentUser') ?? defaultCurrentUser,
    authTime: method(options, 'authTime'),
    loginUrl: resolveLoginUrl(loginUrl),
    scopes,
    defaultScopes: (marked.length > 0 ? marked : asked).map((scope) => scope.name),
    clients: anArray('clients', clients),
    store: resolveStore(store),
    templates: aString('templates', options.templates),
    render: method(options, 'render'),
    lifetimes: resolveLifetimes(lifetimes),
    resources: resolveResources(resources, scopes),
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
    return (req, returnTo) => {
      const url: unknown = loginUrl(req, returnTo)
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
  // Nothing in the value is percent-encoded: login pages and their sanitizers drop what is.
  return (_req, returnTo) => `${loginUrl}${loginUrl.includes('?') ? '&' : '?'}return_to=${returnTo}`
}

function resolveScopes(given: Readonly<Record<string, string | ScopeOptions>>): ReadonlyMap<string, Scope> {
  const scopes = new Map<string, Scope>([[OFFLINE_ACCESS.name, OFFLINE_ACCESS]])
  for (const [name, value] of Object.entries(anObject('scopes', given))) {
    const option = `scopes['${name}']`
    if (!isScopeToken(name)) {
      throw new ConfigurationError(
        option,
        'is not a scope name',
        'Use printable ASCII without space, quote or backslash.',
      )
    }
    const scope = typeof value === 'string' ? { description: value } : anObject(option, value, SENTENCE)
    refuseUnknown(`${option}.`, scope, ['description', 'required', 'default'])
    if (typeof scope.description !== 'string' || scope.description === '') {
      throw new ConfigurationError(`${option}.description`, `is ${describe(scope.description)}`, SENTENCE)
    }
    scopes.set(name, {
      name,
      description: scope.description,
      required: aBoolean(`${option}.required`, scope.required) ?? true,
      default: aBoolean(`${option}.default`, scope.default) ?? false,
    })
  }
  return scopes
}

/** RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ) */
export function isScopeToken(value: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(value)
}

function resolveResources(
  given: NonNullable<OAuthProviderOptions['resources']>,
  scopes: ReadonlyMap<string, Scope>,
): Settings['resources'] {
  const resources = new Map<string, readonly string[] | undefined>()
  for (const [resource, value] of Object.entries(anObject('resources', given))) {
    const option = `resources['${resource}']`
    if (!/^https?:\/\/[^?#]+$/.test(resource) || !URL.canParse(resource)) {
      throw new ConfigurationError(
        option,
        'is not the URL of an API',
        "Write it with scheme and host, without query and fragment: 'https://photos.example/api'.",
      )
    }
    refuseUnknown(`${option}.`, anObject(option, value), ['scopes'])
    resources.set(resource, value.scopes && knownScopes(`${option}.scopes`, value.scopes, scopes))
  }
  return resources
}

/** The same list, if every one of it is among the option `scopes`. */
export function knownScopes(
  option: string,
  names: readonly string[],
  scopes: ReadonlyMap<string, Scope>,
): readonly string[] {
  const unknown = anArray(option, names).find((name) => !scopes.has(name))
  if (unknown === undefined) return names
  const meant = suggestion(String(unknown), [...scopes.keys()])
  throw new ConfigurationError(
    option,
    `names the unknown scope ${describe(unknown)}`,
    meant ? `Did you mean '${meant}'?` : 'Add it to the option scopes.',
  )
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
