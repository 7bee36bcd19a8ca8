import { OAuthError } from '../errors.js'
import { type ClaimsRequest, scopeOfClaim } from '../standard-claims.js'

/** The `claims` parameter, read. */
export interface RequestedClaims extends ClaimsRequest {
  /** The only users for whom the request is meant; undefined for anybody. */
  readonly subs: readonly string[] | undefined
  /** The authentication context class references that are asked for. */
  readonly acr: readonly string[]
  /** Whether one of them must hold. */
  readonly acrEssential: boolean
  /** Whether the ID token must have `auth_time`. */
  readonly authTime: boolean
}

const NOTHING: RequestedClaims = {
  userinfo: [],
  idToken: [],
  subs: undefined,
  acr: [],
  acrEssential: false,
  authTime: false,
}
/** Claims of the sign-in itself: they come from elsewhere than the user. */
const OF_THE_SIGN_IN = ['sub', 'acr', 'amr', 'auth_time', 'iss', 'aud', 'exp', 'iat', 'nonce', 'azp', 'sid']

interface Member {
  readonly essential?: unknown
  readonly value?: unknown
  readonly values?: unknown
}

/** @throws OAuthError `invalid_request` where the parameter is no JSON of the shape that OpenID Connect Core §5.5 gives it. */
export function requestedClaims(parameter: string | undefined): RequestedClaims {
  if (parameter === undefined) return NOTHING
  const asked = anObject(parse(parameter))
  const userinfo = members(asked.userinfo)
  const idToken = members(asked.id_token)
  const acr = idToken.get('acr')
  const subs = [wantedTexts(idToken.get('sub')), wantedTexts(userinfo.get('sub'))]
  return {
    userinfo: ofTheUser(userinfo),
    idToken: ofTheUser(idToken),
    subs: subs.reduce(inBoth),
    acr: wantedTexts(acr) ?? [],
    acrEssential: acr?.essential === true,
    authTime: idToken.get('auth_time')?.essential === true,
  }
}

/** Whom two conditions leave; undefined is none, and leaves all. */
export function inBoth(
  these: readonly string[] | undefined,
  those: readonly string[] | undefined,
): readonly string[] | undefined {
  return these === undefined ? those : these.filter((sub) => those?.includes(sub) ?? true)
}

/** Of claims by name, those that a client with these scopes may ask for; the others are left out (OpenID Connect Core §5.5.1: no error either). */
export function allowedClaims(claims: readonly string[], scopes: readonly string[]): readonly string[] {
  return claims.filter((claim) => scopes.includes(scopeOfClaim(claim) ?? 'openid'))
}

/** Of claims by name, those that none of these scopes stands for: the user is asked for each of them. */
export function claimsBeyond(claims: readonly string[], scopes: readonly string[]): readonly string[] {
  const beyond = claims.filter((claim) => {
    const scope = scopeOfClaim(claim)
    return scope !== undefined && !scopes.includes(scope)
  })
  return [...new Set(beyond)]
}

/** Of what was asked for by name, what the user allowed: with a scope of the request, or by itself. */
export function approvedClaims(
  { userinfo, idToken }: ClaimsRequest,
  scopes: readonly string[],
  beyondScopes: readonly string[] = [],
): ClaimsRequest | undefined {
  const withScopes = allowedClaims([...userinfo, ...idToken], scopes)
  const isApproved = (claim: string) => beyondScopes.includes(claim) || withScopes.includes(claim)
  const approved = { userinfo: userinfo.filter(isApproved), idToken: idToken.filter(isApproved) }
  return approved.userinfo.length + approved.idToken.length > 0 ? approved : undefined
}

function members(value: unknown): ReadonlyMap<string, Member> {
  if (value === undefined || value === null) return new Map()
  return new Map(
    Object.entries(anObject(value)).map(([name, member]) => [name, member === null ? {} : checked(member)]),
  )
}

function checked(member: unknown): Member {
  const { essential, values } = anObject(member) as Member
  if (essential !== undefined && typeof essential !== 'boolean') throw malformed()
  if (values !== undefined && !Array.isArray(values)) throw malformed()
  return member as Member
}

function ofTheUser(asked: ReadonlyMap<string, Member>): readonly string[] {
  return [...asked.keys()].filter((name) => !OF_THE_SIGN_IN.includes(name))
}

/** The values that a claim is asked for with (OpenID Connect Core §5.5.1); undefined where any will do. */
function wantedTexts({ value, values }: Member = {}): readonly string[] | undefined {
  const wanted = values ?? (value === undefined ? undefined : [value])
  if (wanted === undefined || isTexts(wanted)) return wanted
  throw malformed()
}

function isTexts(values: unknown): values is readonly string[] {
  return Array.isArray(values) && values.every((value) => typeof value === 'string')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw malformed()
  }
}

function anObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw malformed()
}

function malformed(): OAuthError {
  return new OAuthError(
    'invalid_request',
    'claims must be a JSON object with userinfo and id_token, each an object of claim names to null or an object.',
    { reason: 'claims_malformed' },
  )
}
