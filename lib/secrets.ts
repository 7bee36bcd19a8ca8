import { ConfigurationError } from './errors.js'
import { anArray, wrong } from './validation.js'

/** Shorter ones can be guessed by whoever has the database. */
const SHORTEST = 32
const REMEDY = `Pass ${SHORTEST} or more random characters, from the environment: node -p "crypto.randomBytes(32).toString('hex')".`

/** A secret of the host's, long enough to make keys from; undefined where it is not given. */
export function longSecret(option: string, value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'string' && value.length >= SHORTEST) return value
  // What it is stays out of the message: it may be nearly the real one.
  throw new ConfigurationError(
    option,
    typeof value === 'string' ? `has ${value.length} characters` : 'is not a string',
    REMEDY,
  )
}

/** The same for one, or for a list that is being changed. */
export function longSecrets(
  option: string,
  value: string | readonly string[] | undefined,
): readonly string[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) return [longSecret(option, value)].filter((secret) => secret !== undefined)
  if (anArray(option, value).length === 0) throw new ConfigurationError(option, 'is an empty list', REMEDY)
  return value.map((secret, index) => {
    const known = longSecret(`${option}[${index}]`, secret)
    if (known !== undefined) return known
    throw new ConfigurationError(`${option}[${index}]`, 'is undefined', REMEDY)
  })
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
