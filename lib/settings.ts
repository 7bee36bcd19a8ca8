import { ConfigurationError } from './errors.js'
import type {
  Awaitable,
  ClientMetadata,
  HostRequest,
  HostUser,
  Lifetimes,
  OAuthProviderOptions,
  ScopeOptions,
} from './options.js'
import { suggestion } from './suggestion.js'

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
  readonly findUser: (id: string) => Awaitable<HostUser | undefined | null>
  readonly currentUser: (req: HostRequest) => Awaitable<unknown>
  readonly authTime: ((req: HostRequest) => Awaitable<Date | number | undefined | null>) | undefined
  readonly loginUrl: (req: HostRequest, returnTo: string) => string
  readonly scopes: ReadonlyMap<string, Scope>
  /** What a request that names no scope asks for. */
  readonly defaultScopes: readonly string[]
  readonly clients: readonly ClientMetadata[]
  readonly store: string | object
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

const DAY = 86_400
const LIFETIMES: Lifetimes = {
  authorizationCode: 60,
  accessToken: 3600,
  refreshToken: 30 * DAY,
  refreshTokenTotal: 365 * DAY,
  request: 3600,
  refreshGrace: 10,
}

const OFFLINE_ACCESS: Scope = {
  name: 'offline_access',
  description: 'Keep this access while you are away',
  required: true,
  default: false,
}

export function resolveSettings<User extends object>(options: OAuthProviderOptions<User>): Settings {
  if (typeof options !== 'object' || options === null) {
    throw new ConfigurationError('(all)', 'are missing', 'Call oauthProvider({ issuer, findUser }).')
  }
  refuseUnknown('', options, Object.keys(OPTIONS))
  const issuer = resolveIssuer(options.issuer)
  const scopes = resolveScopes(options.scopes ?? {})
  const marked = [...scopes.values()].filter((scope) => scope.default)
  const settings: Settings = {
    issuer: options.issuer,
    origin: issuer.origin,
    mount: issuer.pathname === '/' ? '' : issuer.pathname,
    secure: issuer.protocol === 'https:',
    appName: issuer.host,
    findUser: required('findUser', method(options, 'findUser')),
    currentUser: method(options, 'currentUser') ?? defaultCurrentUser,
    authTime: method(options, 'authTime'),
    loginUrl: resolveLoginUrl(options.loginUrl ?? '/login'),
    scopes,
    defaultScopes: (marked.length > 0
      ? marked
      : [...scopes.values()].filter((scope) => scope !== OFFLINE_ACCESS)
    ).map((scope) => scope.name),
    clients: anArray('clients', options.clients ?? []),
    store: resolveStore(options.store ?? 'oauth.db'),
    templates: aString('templates', options.templates),
    render: method(options, 'render'),
    lifetimes: resolveLifetimes(options.lifetimes ?? {}),
    resources: resolveResources(options.resources ?? {}, scopes),
    clock: method(options, 'clock') ?? Date.now,
  }
  return Object.freeze(settings)
}

/** RFC 8414 §2, RFC 9207 §2: clients compare the issuer byte for byte, so only one spelling can be right. */
function resolveIssuer(issuer: unknown): URL {
  const refuse = (problem: string, remedy: string) => new ConfigurationError('issuer', problem, remedy)
  const example =
    "Pass the public URL at which the router is mounted, such as 'https://photos.example/oauth'."
  if (typeof issuer !== 'string' || issuer === '') throw refuse('is missing', example)
  let url: URL
  try {
    url = new URL(issuer)
  } catch {
    throw refuse(`is not a URL: '${issuer}'`, example)
  }
  if (url.search !== '' || url.hash !== '' || /[?#]/.test(issuer)) {
    throw refuse(`has a query or a fragment: '${issuer}'`, 'Remove it.')
  }
  if (issuer.endsWith('/'))
    throw refuse(`ends with a slash: '${issuer}'`, `Write '${issuer.replace(/\/+$/, '')}'.`)
  if (url.username !== '' || url.password !== '') throw refuse('holds a user name or password', 'Remove it.')
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
    throw refuse(
      `is not https: '${issuer}'`,
      'Use https; http works only for localhost, 127.0.0.1 and [::1].',
    )
  }
  const normalized = url.pathname === '/' ? url.origin : url.href
  if (normalized !== issuer) throw refuse(`is not in its normal form: '${issuer}'`, `Write '${normalized}'.`)
  return url
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]'
}

function defaultCurrentUser(req: HostRequest): unknown {
  const { user, session } = req as {
    user?: { id?: unknown }
    session?: { userId?: unknown; user?: { id?: unknown } }
  }
  return user?.id ?? session?.userId ?? session?.user?.id
}

function resolveLoginUrl(loginUrl: unknown): Settings['loginUrl'] {
  if (typeof loginUrl === 'function') return loginUrl as Settings['loginUrl']
  if (typeof loginUrl !== 'string' || !/^(\/(?!\/)|https?:\/\/)/.test(loginUrl)) {
    throw new ConfigurationError(
      'loginUrl',
      'is not a path, a URL or a function',
      "Pass a path such as '/login'.",
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
    const scope = typeof value === 'string' ? { description: value } : anObject(option, value)
    refuseUnknown(`${option}.`, scope, ['description', 'required', 'default'])
    if (typeof scope.description !== 'string' || scope.description === '') {
      throw new ConfigurationError(
        option,
        'has no description',
        'Give the sentence that the user reads: "See your photos".',
      )
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

function resolveLifetimes(given: Partial<Lifetimes>): Lifetimes {
  refuseUnknown('lifetimes.', anObject('lifetimes', given), Object.keys(LIFETIMES))
  const lifetimes = { ...LIFETIMES, ...given }
  for (const [name, value] of Object.entries(lifetimes)) {
    const least = name === 'refreshGrace' ? 0 : 1
    if (!Number.isInteger(value) || value < least) {
      throw new ConfigurationError(
        `lifetimes.${name}`,
        `is ${String(value)}`,
        `Pass whole seconds, at least ${least}.`,
      )
    }
  }
  if (lifetimes.authorizationCode > 600) {
    throw new ConfigurationError(
      'lifetimes.authorizationCode',
      `is ${lifetimes.authorizationCode}`,
      'A code may live at most 600 seconds (RFC 6749 §4.1.2).',
    )
  }
  return Object.freeze(lifetimes)
}

function resolveResources(
  given: NonNullable<OAuthProviderOptions['resources']>,
  scopes: ReadonlyMap<string, Scope>,
): Settings['resources'] {
  const resources = new Map<string, readonly string[] | undefined>()
  for (const [resource, value] of Object.entries(anObject('resources', given))) {
    const option = `resources['${resource}']`
    if (!URL.canParse(resource) || resource.includes('#')) {
      throw new ConfigurationError(
        option,
        'is not a URL',
        "Name the API by its URL, such as 'https://photos.example/api'.",
      )
    }
    refuseUnknown(`${option}.`, anObject(option, value), ['scopes'])
    const unknown = value.scopes?.find((scope) => !scopes.has(scope))
    if (unknown !== undefined) {
      throw new ConfigurationError(
        `${option}.scopes`,
        `names the unknown scope '${unknown}'`,
        'Add it to the option scopes.',
      )
    }
    resources.set(resource, value.scopes)
  }
  return resources
}

function resolveStore(store: unknown): string | object {
  if ((typeof store === 'string' && store !== '') || (typeof store === 'object' && store !== null))
    return store
  throw new ConfigurationError(
    'store',
    'is not a store',
    "Pass a file name, ':memory:', a better-sqlite3 Database or a Store.",
  )
}

function refuseUnknown(prefix: string, given: object, known: readonly string[]): void {
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue
    const meant = suggestion(name, known)
    throw new ConfigurationError(
      `${prefix}${name}`,
      'is not known',
      meant ? `Did you mean ${prefix}${meant}?` : `Known are: ${known.join(', ')}.`,
    )
  }
}

function required<T>(option: string, value: T | undefined): T {
  if (value !== undefined) return value
  throw new ConfigurationError(option, 'is missing', `Pass ${option}: (id) => users.find(id).`)
}

function method<Options extends object, Name extends keyof Options & string>(
  options: Options,
  name: Name,
): Exclude<Options[Name], undefined> | undefined {
  const value = options[name]
  if (value === undefined) return undefined
  if (typeof value === 'function') return value.bind(options)
  throw new ConfigurationError(name, `is ${describe(value)}`, 'Pass a function.')
}

function aString(option: string, value: string | undefined): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '')) return value
  throw new ConfigurationError(option, `is ${describe(value)}`, 'Pass a string.')
}

function aBoolean(option: string, value: boolean | undefined): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value
  throw new ConfigurationError(option, `is ${describe(value)}`, 'Pass true or false.')
}

function anArray<T>(option: string, value: readonly T[]): readonly T[] {
  if (Array.isArray(value)) return value
  throw new ConfigurationError(option, `is ${describe(value)}`, 'Pass an array.')
}

function anObject<T extends object>(option: string, value: T): T {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new ConfigurationError(option, `is ${describe(value)}`, 'Pass an object.')
}

function describe(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`
}
