import { ConfigurationError, OAuthError } from '../errors.js'
import type { Settings } from '../settings.js'
import { remoteUrl } from './fields.js'
import { readJwks, saysVerifying } from './jwks.js'
import type { KeyOwner } from './key-sets.js'

/**
 * That what the options say of the keys of other issuers can be used, as far as it can be known before something signed with them comes.
 *
 * @throws ConfigurationError for keys that are private, weak or not for signatures, and for a URL that would not be asked.
 */
export function checkIssuerKeys(
  settings: Pick<Settings, 'trustedIssuers' | 'registration' | 'allowPrivateAddresses'>,
): void {
  const { trustedIssuers, registration } = settings
  for (const [issuer, owner] of trustedIssuers) checkKeys(`trustedIssuers['${issuer}']`, owner, settings)
  for (const [issuer, owner] of registration?.softwareStatementIssuers ?? [])
    checkKeys(`registration.softwareStatementIssuers['${issuer}']`, owner, settings)
}

function checkKeys(
  issuer: string,
  { jwks, jwksUri }: KeyOwner,
  settings: Pick<Settings, 'allowPrivateAddresses'>,
): void {
  const option = `${issuer}.${jwksUri === undefined ? 'jwks' : 'jwksUri'}`
  try {
    remoteUrl('jwksUri', jwksUri, settings)
    if (readJwks(jwks)?.keys.some(saysVerifying) === false)
      throw new ConfigurationError(option, 'has no key for signatures', 'Add one.')
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    throw new ConfigurationError(option, 'is refused', error.message, error)
  }
}
