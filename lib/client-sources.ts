import { hash } from 'node:crypto'
import type { Awaitable } from './awaitable.js'
import { ConfigurationError } from './errors.js'
import type { McpSettings } from './mcp.js'
import type {
  ClientMetadataDocumentsOptions,
  HostRequest,
  OAuthProviderOptions,
  RegistrationOptions,
  SoftwareStatementIssuer,
} from './options.js'
import { publishedKeys } from './trusted-issuers.js'
import { aBoolean, aNumber, anArray, anObject, describe, refuseUnknown, wrong } from './validation.js'

/** The option `registration`, completed. */
export interface RegistrationSettings {
  /** Whether somebody may register who has no initial access token: anybody, or whom the host's function lets in. */
  readonly allow: 'open' | ((req: HostRequest) => Awaitable<boolean>)
  /** The sha-256 of each, in hex. */
  readonly initialAccessTokens: readonly string[]
  readonly management: boolean
  readonly perMinute: number
  readonly softwareStatementIssuers: ReadonlyMap<string, SoftwareStatementIssuer>
  readonly requireSoftwareStatement: boolean
}

/** The option `clientMetadataDocuments`, completed. */
export interface DocumentSettings {
  readonly allow: (url: URL) => Awaitable<boolean>
  /** Bytes. */
  readonly sizeLimit: number
}

const DEFAULT_PER_MINUTE = 60
const PER_MINUTE = { least: 1, most: 1_000_000, unit: 'a whole number' }
/** The MCP authorization specification and the draft recommend it. */
const DEFAULT_SIZE = 5 * 1024
const SIZE = { least: 1, most: 65_536, unit: 'whole bytes' }
const SHORTEST_TOKEN = 32

/** MCP clients come from anywhere, and nobody knows them before. */
function byDefault(mcp: McpSettings | undefined): false | 'open' {
  return mcp === undefined ? false : 'open'
}

/** Undefined where no client can register itself. */
export function resolveRegistration(
  given: OAuthProviderOptions['registration'],
  mcp: McpSettings | undefined,
): RegistrationSettings | undefined {
  const chosen = given === undefined ? byDefault(mcp) : given
  if (chosen === false) return undefined
  const options: RegistrationOptions =
    chosen === 'open' || typeof chosen === 'function' ? { allow: chosen } : chosen
  if (typeof options !== 'object' || options === null)
    throw wrong('registration', given, "Pass false, 'open', a function or an object of options.")
  refuseUnknown('registration.', anObject('registration', options), [
    'allow',
    'initialAccessTokens',
    'management',
    'perMinute',
    'softwareStatementIssuers',
    'requireSoftwareStatement',
  ])
  const { allow, initialAccessTokens = [], perMinute = DEFAULT_PER_MINUTE } = options
  const settings: RegistrationSettings = {
    allow: whoMayRegister(allow),
    initialAccessTokens: anArray('registration.initialAccessTokens', initialAccessTokens).map(
      (token, index) => hash('sha256', longToken(token, index)),
    ),
    management: aBoolean('registration.management', options.management) ?? true,
    perMinute: aNumber('registration.perMinute', perMinute, PER_MINUTE),
    softwareStatementIssuers: statementIssuers(options.softwareStatementIssuers),
    requireSoftwareStatement:
      aBoolean('registration.requireSoftwareStatement', options.requireSoftwareStatement) ?? false,
  }
  if (settings.requireSoftwareStatement && settings.softwareStatementIssuers.size === 0)
    throw new ConfigurationError(
      'registration.requireSoftwareStatement',
      'is true, and no software statement counts',
      'Name the issuers of those that count as softwareStatementIssuers.',
    )
  if (allow !== undefined || settings.initialAccessTokens.length > 0) return settings
  throw new ConfigurationError(
    'registration',
    'lets nobody register',
    "Add allow: 'open', allow: (req) => ..., or initialAccessTokens.",
  )
}

/** Whether their keys can be used is another matter (clients/issuer-keys.ts). */
function statementIssuers(
  given: RegistrationOptions['softwareStatementIssuers'] = {},
): RegistrationSettings['softwareStatementIssuers'] {
  const all = 'registration.softwareStatementIssuers'
  const issuers = Object.entries(anObject(all, given, "Pass { 'https://issuer.example': { jwksUri } }."))
  return new Map(
    issuers.map(([name, issuer]) => {
      const option = `${all}['${name}']`
      if (name === '') throw new ConfigurationError(all, 'has one without a name', 'Name each by its iss.')
      refuseUnknown(`${option}.`, anObject(option, issuer), ['jwks', 'jwksUri'])
      return [name, publishedKeys(option, issuer)] as const
    }),
  )
}

function whoMayRegister(allow: unknown): RegistrationSettings['allow'] {
  if (allow === undefined) return () => false
  if (allow === 'open') return allow
  if (typeof allow === 'function') return allow as RegistrationSettings['allow']
  throw wrong('registration.allow', allow, "Pass 'open' or a function.")
}

function longToken(token: unknown, index: number): string {
  // RFC 6750 §2.1: no other can be sent.
  const isOne = typeof token === 'string' && /^[A-Za-z0-9._~+/-]+=*$/.test(token)
  if (isOne && token.length >= SHORTEST_TOKEN) return token
  throw new ConfigurationError(
    `registration.initialAccessTokens[${index}]`,
    `is no text of ${SHORTEST_TOKEN} or more letters, digits and . _ ~ + / -`,
    'Make one with: node -p "crypto.randomBytes(32).toString(\'base64url\')"',
  )
}

/** Undefined where no id is a URL. */
export function resolveDocuments(
  given: OAuthProviderOptions['clientMetadataDocuments'],
  mcp: McpSettings | undefined,
): DocumentSettings | undefined {
  const chosen = given === undefined ? byDefault(mcp) : given
  if (chosen === false) return undefined
  const isAllow = chosen === 'open' || typeof chosen === 'function' || Array.isArray(chosen)
  const options = (isAllow ? { allow: chosen } : chosen) as ClientMetadataDocumentsOptions
  if (typeof options !== 'object' || options === null)
    throw wrong(
      'clientMetadataDocuments',
      given,
      "Pass false, 'open', a list of hosts, a function or an object of options.",
    )
  refuseUnknown('clientMetadataDocuments.', anObject('clientMetadataDocuments', options), [
    'allow',
    'sizeLimit',
  ])
  const { sizeLimit = DEFAULT_SIZE } = options
  return {
    allow: whichUrls(options.allow),
    sizeLimit: aNumber('clientMetadataDocuments.sizeLimit', sizeLimit, SIZE),
  }
}

function whichUrls(allow: unknown): DocumentSettings['allow'] {
  if (allow === 'open') return () => true
  if (typeof allow === 'function') return allow as DocumentSettings['allow']
  if (!Array.isArray(allow))
    throw wrong('clientMetadataDocuments.allow', allow, "Pass 'open', a list of hosts or a function.")
  const hosts: unknown[] = Array.from(allow)
  const strange = hosts.find((host) => !isHost(host))
  if (strange === undefined) return ({ host }) => hosts.includes(host)
  throw new ConfigurationError(
    'clientMetadataDocuments.allow',
    `names ${describe(strange)}`,
    "Write hosts as URLs have them, without scheme and path: 'claude.ai'.",
  )
}

function isHost(host: unknown): boolean {
  return (
    typeof host === 'string' && URL.canParse(`https://${host}/`) && new URL(`https://${host}/`).host === host
  )
}
