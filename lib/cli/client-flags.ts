import { readFileSync } from 'node:fs'
import path from 'node:path'
import { OAuthError } from '../errors.js'
import { GRANT_TYPES } from '../grant-types.js'
import type { ClientMetadata } from '../options.js'
import type { Arguments, Flags } from './arguments.js'
import { Failure, UsageError } from './failure.js'
import type { Io } from './io.js'

/** Client metadata as flags; what has none is in the file. */
export const METADATA_FLAGS: Flags = {
  name: { value: 'text', about: 'What users read on the consent page.' },
  'redirect-uri': {
    value: 'URI',
    many: true,
    about: 'Where users are sent back to, exactly as the client sends it.',
  },
  scope: { value: 'names', many: true, about: 'What it may ask for: "photos write". Default: all scopes.' },
  'grant-type': {
    value: 'name',
    many: true,
    about: 'authorization_code, refresh_token (these two by default), client_credentials, device_code, ...',
  },
  'auth-method': {
    value: 'name',
    about: 'client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, none, ...',
  },
  jwks: { value: 'file', about: 'Its public keys: a JSON file with a JWK Set.' },
  'jwks-uri': { value: 'URL', about: 'Where it publishes them instead.' },
  'skip-consent': { about: 'Do not ask users: only for applications of your own.' },
  metadata: {
    value: 'file.json',
    about: 'All other metadata, under the names of RFC 7591: { "client_uri": "https://..." }. Flags win.',
  },
}

const SHORT_GRANT_TYPES: Readonly<Record<string, string>> = {
  device_code: GRANT_TYPES.deviceCode.name,
  'token-exchange': GRANT_TYPES.tokenExchange.name,
  'jwt-bearer': GRANT_TYPES.jwtBearer.name,
}

/** The flag that sets a member, for messages that name the member. */
const FLAG_OF: Readonly<Record<string, string>> = {
  client_id: 'client-id',
  client_name: 'name',
  redirect_uris: 'redirect-uri',
  scope: 'scope',
  grant_types: 'grant-type',
  token_endpoint_auth_method: 'auth-method',
  jwks: 'jwks',
  jwks_uri: 'jwks-uri',
}

/** What the file and the flags say, checked by nobody yet. */
export function metadataOf(args: Arguments, io: Io): ClientMetadata {
  const file = args.text('metadata')
  const jwks = args.text('jwks')
  const flags = {
    client_name: args.text('name'),
    redirect_uris: args.all('redirect-uri'),
    scope: args.all('scope')?.join(' '),
    grant_types: args.all('grant-type')?.map((name) => SHORT_GRANT_TYPES[name] ?? name),
    token_endpoint_auth_method: args.text('auth-method'),
    jwks: jwks === undefined ? undefined : readJson('--jwks', jwks, io),
    jwks_uri: args.text('jwks-uri'),
    skip_consent: args.has('skip-consent') ? true : undefined,
  }
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))
  return { ...(file === undefined ? {} : readObject('--metadata', file, io)), ...given }
}

/** Says with which flag a refused member is mended. */
export async function namingFlags<T>(task: Promise<T>): Promise<T> {
  try {
    return await task
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    const flag = FLAG_OF[error.reason.replace(/^metadata_/, '')]
    if (flag === undefined) throw error
    throw new OAuthError(error.code, `${error.message} (--${flag})`, { reason: error.reason, cause: error })
  }
}

function readObject(flag: string, file: string, io: Io): object {
  const value = readJson(flag, file, io)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new Failure('metadata', `${flag} ${file} is no JSON object. Write { "client_name": "..." } in it.`)
}

function readJson(flag: string, file: string, { cwd }: Io): unknown {
  let text: string
  try {
    text = readFileSync(path.resolve(cwd, file), 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new UsageError(`${flag} ${file} cannot be read (${code}). Name a file that is there.`)
  }
  try {
    // Editors of Windows put a byte order mark in front.
    return JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch {
    // What it says in detail could be a piece of a secret in the file.
    throw new Failure('metadata', `${flag} ${file} is not JSON. Check its quotes and commas.`)
  }
}
