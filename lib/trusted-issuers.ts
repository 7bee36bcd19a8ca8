import { ConfigurationError } from './errors.js'
import type { Jwk, OAuthProviderOptions, TrustedIssuer } from './options.js'
import { knownScopes, type Scope } from './scopes.js'
import { anObject, aString, describe, refuseUnknown, wrong } from './validation.js'

/** The issuers by their `iss`; whether their keys can be used is another matter (clients/issuer-keys.ts). */
export function resolveTrustedIssuers(
  given: OAuthProviderOptions['trustedIssuers'] = {},
  { issuer, scopes }: { readonly issuer: string; readonly scopes: ReadonlyMap<string, Scope> },
): ReadonlyMap<string, TrustedIssuer> {
  const trusted = Object.entries(
    anObject('trustedIssuers', given, "Pass { 'https://issuer.example': { jwksUri, user } }."),
  )
  const own = trusted.find(([name]) => name === issuer || name === '')
  if (own !== undefined)
    throw new ConfigurationError(
      'trustedIssuers',
      `names ${describe(own[0])}`,
      'Name the iss of other issuers, which sign for their users.',
    )
  return new Map(trusted.map(([name, value]) => [name, trustedIssuer(name, value, scopes)]))
}

function trustedIssuer(name: string, given: TrustedIssuer, known: ReadonlyMap<string, Scope>): TrustedIssuer {
  const option = `trustedIssuers['${name}']`
  refuseUnknown(`${option}.`, anObject(option, given), ['jwks', 'jwksUri', 'user', 'scopes'])
  const { scopes } = given
  const keys = publishedKeys(option, given)
  if (typeof given.user !== 'function')
    throw wrong(`${option}.user`, given.user, 'Pass user: (claims) => the id of your user, or undefined.')
  return {
    ...keys,
    ...(scopes !== undefined && { scopes: knownScopes(`${option}.scopes`, scopes, known) }),
    user: given.user.bind(given),
  }
}

/** Where the keys of an issuer are: here, or where it publishes them. */
interface IssuerKeys {
  readonly jwks?: { readonly keys: readonly Jwk[] }
  readonly jwksUri?: string
}

export function publishedKeys(option: string, { jwks, jwksUri }: IssuerKeys): IssuerKeys {
  if ((jwks === undefined) === (jwksUri === undefined))
    throw new ConfigurationError(
      option,
      jwks === undefined ? 'has no keys' : 'has both jwks and jwksUri',
      'Pass its public keys as jwks, or where it publishes them as jwksUri.',
    )
  return jwks === undefined ? { jwksUri: aString(`${option}.jwksUri`, jwksUri) ?? '' } : { jwks }
}
