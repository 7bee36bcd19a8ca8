import type { HostUser } from '../options.js'
import type { Runtime } from '../runtime.js'
import { claimScopes, claimsOfScope, scopeOfClaim } from '../standard-claims.js'
import { describe } from '../validation.js'
import { readClaim } from './user-claims.js'

export type Claims = Readonly<Record<string, unknown>>

/** What only the provider says. */
const RESERVED = [
  ...['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'auth_time', 'nonce', 'acr', 'amr', 'azp'],
  ...['at_hash', 'c_hash', 's_hash', 'sid', 'cnf', 'act', 'events', 'client_id', 'scope', '__proto__'],
]

/** What scopes, and names that the user allowed beside them, tell of a user (OpenID Connect Core §5.3.2: no empty values). */
export async function claimsOf(
  runtime: Pick<Runtime, 'settings' | 'emit'>,
  user: HostUser,
  scopes: readonly string[],
  names: readonly string[] = [],
): Promise<Claims> {
  const claims = await claimsOfScopes(runtime, user, scopes, names)
  warnOfEmptyScopes(runtime, scopes, claims)
  // What has no standard scope was on no page: what the host gives of it with a scope is not told without that.
  const missing = names.filter((name) => !Object.hasOwn(claims, name) && scopeOfClaim(name) !== undefined)
  if (missing.length === 0) return claims
  const wider = new Set(missing.flatMap((name) => scopeOfClaim(name) ?? []))
  const all = await claimsOfScopes(runtime, user, [...scopes, ...wider], names)
  return { ...claims, ...Object.fromEntries(Object.entries(all).filter(([name]) => missing.includes(name))) }
}

async function claimsOfScopes(
  { settings, emit }: Pick<Runtime, 'settings' | 'emit'>,
  user: HostUser,
  scopes: readonly string[],
  allowed: readonly string[],
): Promise<Claims> {
  const names = scopes.flatMap(claimsOfScope)
  const given: unknown = settings.claims
    ? await settings.claims(user, { scopes: [...scopes] })
    : Object.fromEntries(names.map((name) => [name, readClaim(user, name)]))
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new TypeError(
      `oauthProvider: claims gave ${describe(given)}. Give an object of claims, such as { name: user.name }.`,
    )
  }
  return Object.fromEntries(
    Object.entries(given).filter(([name, value]) => {
      if (RESERVED.includes(name) || value === undefined || value === null || value === '') return false
      const scope = scopeOfClaim(name)
      if (scope === undefined || scopes.includes(scope) || allowed.includes(name))
        return !isEmpty(name, value)
      warnOfForeignClaim(emit, name, scope)
      return false
    }),
  )
}

/** Each standard claim has one scope that the user reads on the consent page; without it nobody allowed that it be told. */
function warnOfForeignClaim(emit: Runtime['emit'], claim: string, scope: string): void {
  emit('warning', {
    code: 'claim_without_scope',
    message: `The option claims gave '${claim}' although the user had not allowed the scope '${scope}', so it was left out. Look at scopes: claims: (user, { scopes }) => ({ ...(scopes.includes('${scope}') && { ${claim}: ... }) }).`,
  })
}

/** What JSON makes of nothing, be it null, NaN, an invalid Date or a function. */
const EMPTY: readonly (string | undefined)[] = [undefined, 'null', '""']

function isEmpty(claim: string, value: unknown): boolean {
  try {
    return EMPTY.includes(JSON.stringify(value))
  } catch (cause) {
    const kind = typeof value === 'bigint' ? 'a BigInt' : describe(value)
    const why = cause instanceof Error ? cause.message : 'toJSON fails'
    throw new TypeError(
      `oauthProvider: claims gave '${claim}' as ${kind}, which cannot be told as JSON (${why}). Give what JSON can hold, such as String(value).`,
      { cause },
    )
  }
}

function warnOfEmptyScopes({ emit }: Pick<Runtime, 'emit'>, scopes: readonly string[], claims: Claims): void {
  for (const scope of scopes) {
    if (!claimScopes.includes(scope) || claimsOfScope(scope).some((name) => Object.hasOwn(claims, name)))
      continue
    emit('warning', {
      code: 'scope_without_claims',
      message: `A user allowed the scope '${scope}', and there was nothing to tell: give the user object that findUser answers one of ${claimsOfScope(scope).join(', ')}, or pass claims: (user, { scopes }) => ({ ... }).`,
    })
  }
}
