import type { Text } from './text.js'

/** Claims that are asked for by name, beside those of the scopes (OpenID Connect Core §5.5). */
export interface ClaimsRequest {
  readonly userinfo: readonly string[]
  readonly idToken: readonly string[]
}

/** The claims that stand for each scope (OpenID Connect Core §5.1, §5.4). */
const CLAIMS: Readonly<Record<string, readonly string[]>> = {
  profile: [
    ...['name', 'family_name', 'given_name', 'middle_name', 'nickname', 'preferred_username', 'profile'],
    ...['picture', 'website', 'gender', 'birthdate', 'zoneinfo', 'locale', 'updated_at'],
  ],
  email: ['email', 'email_verified'],
  address: ['address'],
  phone: ['phone_number', 'phone_number_verified'],
}

/** The scopes that stand for claims. */
export const claimScopes: readonly string[] = Object.keys(CLAIMS)

/** All standard claims. */
export const standardClaims: readonly string[] = Object.values(CLAIMS).flat()

/** The standard claims of one scope; none for a scope of the host's own. */
export function claimsOfScope(scope: string): readonly string[] {
  return Object.hasOwn(CLAIMS, scope) ? (CLAIMS[scope] ?? []) : []
}

/** The scope that a standard claim belongs to. */
export function scopeOfClaim(claim: string): string | undefined {
  return claimScopes.find((scope) => claimsOfScope(scope).includes(claim))
}

/** What pages say of a standard claim. */
export function describeClaim(claim: string): Text {
  return { key: `claim.${claim}`, otherwise: claim }
}
