import { type ClaimsRequest, scopeOfClaim } from '../standard-claims.js'
import type { FoundRecord } from '../store/records.js'

/** What was granted, as a record keeps it. */
interface Kept {
  readonly scopes: readonly string[]
  readonly claims?: readonly string[] | ClaimsRequest | undefined
}

/**
 * What a record says, without the scopes that have been withdrawn from its grant since it was made, and without the claims that came with them.
 * A claim that was allowed by itself stays: the user sees it by itself, too.
 */
export function withoutWithdrawn<Data extends Kept>({ withdrawn }: FoundRecord, data: Data): Data {
  if (withdrawn === undefined) return data
  const gone = data.scopes.filter((scope) => withdrawn.includes(scope))
  if (gone.length === 0) return data
  const { claims, ...others } = data
  const scopes = data.scopes.filter((scope) => !gone.includes(scope))
  return { ...(others as Data), scopes, ...(claims !== undefined && { claims: claimsLeft(claims, gone) }) }
}

/** Whether everything that a token was for has been withdrawn: then it does not even say any more who its user is. */
export function isEmptied(
  { withdrawn }: FoundRecord,
  { scopes, authorizationDetails }: Kept & { readonly authorizationDetails?: readonly unknown[] | undefined },
): boolean {
  return withdrawn !== undefined && scopes.length === 0 && authorizationDetails === undefined
}

function claimsLeft(claims: NonNullable<Kept['claims']>, gone: readonly string[]): Kept['claims'] {
  // What has no scope of its own is told with openid.
  const left = (names: readonly string[]) =>
    names.filter((name) => !gone.includes(scopeOfClaim(name) ?? 'openid'))
  return 'userinfo' in claims
    ? { userinfo: left(claims.userinfo), idToken: left(claims.idToken) }
    : left(claims)
}
