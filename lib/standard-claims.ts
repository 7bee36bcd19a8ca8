/** Claims that are asked for by name, beside those of the scopes (OpenID Connect Core §5.5). */
export interface ClaimsRequest {
  readonly userinfo: readonly string[]
  readonly idToken: readonly string[]
}

/** The claims that stand for each scope, with what the user reads of each (OpenID Connect Core §5.1, §5.4). */
const CLAIMS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  profile: {
    name: 'Your name',
    family_name: 'Your family name',
    given_name: 'Your given name',
    middle_name: 'Your middle name',
    nickname: 'Your nickname',
    preferred_username: 'Your user name',
    profile: 'Your profile page',
    picture: 'Your picture',
    website: 'Your website',
    gender: 'Your gender',
    birthdate: 'Your date of birth',
    zoneinfo: 'Your time zone',
    locale: 'Your language',
    updated_at: 'When your profile was last changed',
  },
  email: { email: 'Your email address', email_verified: 'Whether your email address is verified' },
  address: { address: 'Your postal address' },
  phone: {
    phone_number: 'Your phone number',
    phone_number_verified: 'Whether your phone number is verified',
  },
}

/** The scopes that stand for claims. */
export const claimScopes: readonly string[] = Object.keys(CLAIMS)

/** All standard claims. */
export const standardClaims: readonly string[] = Object.values(CLAIMS).flatMap((claims) =>
  Object.keys(claims),
)

/** The standard claims of one scope; none for a scope of the host's own. */
export function claimsOfScope(scope: string): readonly string[] {
  return Object.hasOwn(CLAIMS, scope) ? Object.keys(CLAIMS[scope] ?? {}) : []
}

/** The scope that a standard claim belongs to. */
export function scopeOfClaim(claim: string): string | undefined {
  return claimScopes.find((scope) => claimsOfScope(scope).includes(claim))
}

/** What the consent page says of a standard claim. */
export function describeClaim(claim: string): string {
  return CLAIMS[scopeOfClaim(claim) ?? '']?.[claim] ?? claim
}
