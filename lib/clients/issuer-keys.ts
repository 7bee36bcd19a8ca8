import { ConfigurationError, OAuthError } from '../errors.js'
import type { Settings } from '../settings.js'
import { remoteUrl } from './fields.js'
import { readJwks, saysVerifying } from './jwks.js'

/**
 * That what the option `trustedIssuers` says of keys can be used, as far as it can be known before the first assertion comes.
 *
 * @throws ConfigurationError for keys that are private, weak or not for signatures, and for a URL that would not be asked.
 */
export function checkIssuerKeys(settings: Pick<Settings, 'trustedIssuers' | 'allowPrivateAddresses'>): void {
  for (const [issuer, { jwks, jwksUri }] of settings.trustedIssuers) {
    const option = `trustedIssuers['${issuer}'].${jwksUri === undefined ? 'jwks' : 'jwksUri'}`
    try {
      remoteUrl('jwksUri', jwksUri, settings)
      if (readJwks(jwks)?.keys.some(saysVerifying) === false)
        throw new ConfigurationError(option, 'has no key for signatures', 'Add one.')
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error
      throw new ConfigurationError(option, 'is refused', error.message, error)
    }
  }
}
