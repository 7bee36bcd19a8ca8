import type { HostUser } from '../options.js'

const ADDRESS = ['formatted', 'street_address', 'locality', 'region', 'postal_code', 'country']

/** A standard claim as the user object has it, under its own name or in camel case; undefined where it has none that fits. */
export function readClaim(user: HostUser, claim: string): unknown {
  const value = member(user, claim)
  if (claim.endsWith('_verified')) return typeof value === 'boolean' ? value : undefined
  if (claim === 'updated_at') return seconds(value)
  if (claim === 'address') return address(value)
  return text(value)
}

function member(object: object, claim: string): unknown {
  const members = object as Readonly<Record<string, unknown>>
  const camelCase = claim.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  return members[claim] ?? members[camelCase]
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** OpenID Connect Core §5.1: seconds since 1970. Databases and JavaScript have dates and milliseconds. */
function seconds(value: unknown): number | undefined {
  const time = value instanceof Date ? value.getTime() / 1000 : value
  if (typeof time !== 'number' || !Number.isFinite(time)) return undefined
  const isMilliseconds = time > 100_000_000_000
  return Math.floor(isMilliseconds ? time / 1000 : time)
}

/** OpenID Connect Core §5.1.1 */
function address(value: unknown): object | undefined {
  if (typeof value === 'string') return value === '' ? undefined : { formatted: value }
  if (typeof value !== 'object' || value === null) return undefined
  const parts = ADDRESS.map((part) => [part, text(member(value, part))] as const)
  const given = parts.filter(([, part]) => part !== undefined)
  return given.length > 0 ? Object.fromEntries(given) : undefined
}
