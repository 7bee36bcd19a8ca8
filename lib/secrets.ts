import { ConfigurationError } from './errors.js'
import type { OAuthProviderOptions } from './options.js'
import { wrong } from './validation.js'

/** Shorter ones can be guessed by whoever has the database. */
const SHORTEST = 32
const REMEDY = `Pass ${SHORTEST} or more random characters, from the environment: node -p "crypto.randomBytes(32).toString('hex')".`
const UNSET = 'Set it, or leave it out. Is an environment variable missing?'

type Secrets = Pick<OAuthProviderOptions, 'secret' | 'pairwiseSalt'>

/** A secret of the host's, long enough to make keys from; undefined where it is not given. */
export function longSecret(options: Secrets, name: keyof Secrets): string | undefined {
  return name in options ? long(name, options[name]) : undefined
}

/** The same for one, or for a list that is being changed. */
export function longSecrets(options: Secrets, name: keyof Secrets): readonly string[] {
  if (!(name in options)) return []
  const value = options[name]
  if (!Array.isArray(value)) return [long(name, value)]
  if (value.length === 0) throw new ConfigurationError(name, 'is an empty list', REMEDY)
  return Array.from(value, (secret, index) => long(`${name}[${index}]`, secret))
}

function long(option: string, value: unknown): string {
  if (typeof value === 'string' && value.length >= SHORTEST) return value
  // A variable of the environment that is not set would leave in plain what the host wants encrypted.
  if (value === undefined) throw new ConfigurationError(option, 'is undefined', UNSET)
  // What it is stays out of the message: it may be nearly the real one.
  throw new ConfigurationError(
    option,
    typeof value === 'string' ? `has ${value.length} characters` : 'is not a string',
    REMEDY,
  )
}

/** Addresses inside the network are for development: whoever registers a client could reach what only the server can (RFC 9700, SSRF). */
export function privateAddresses(
  value: boolean | readonly string[] | undefined,
): boolean | readonly string[] {
  if (value === undefined || value === false) return false
  if (value !== true && !(Array.isArray(value) && value.every((range) => typeof range === 'string')))
    throw wrong('allowPrivateAddresses', value, "Pass true, or a list such as ['127.0.0.1', '10.0.0.0/8'].")
  if (process.env.NODE_ENV !== 'production') return value
  throw new ConfigurationError(
    'allowPrivateAddresses',
    'is set although NODE_ENV is production',
    'Leave it out there: clients could make this server talk to whatever is inside your network.',
  )
}
