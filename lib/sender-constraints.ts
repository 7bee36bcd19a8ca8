import { ConfigurationError } from './errors.js'
import type { Features, OAuthProviderOptions } from './options.js'
import type { Profile } from './profile.js'
import { aBoolean, anObject, aString, refuseUnknown, wrong } from './validation.js'

/** Where client certificates come from. The names of headers are in lower case. */
export interface MtlsSettings {
  /** Undefined where Node itself ends the TLS connection. */
  readonly clientCertificateHeader: string | undefined
  readonly clientVerifyHeader: string | undefined
}

export function resolveDpop(
  given: OAuthProviderOptions['dpop'] = {},
  { dpop: isOffered }: Pick<Features, 'dpop'>,
): { readonly requireNonce: boolean } {
  refuseUnknown(
    'dpop.',
    anObject('dpop', given, 'Pass { requireNonce: true }, or leave it out: DPoP is on.'),
    ['requireNonce'],
  )
  const requireNonce = aBoolean('dpop.requireNonce', given.requireNonce) ?? false
  if (!requireNonce || isOffered) return { requireNonce }
  throw new ConfigurationError(
    'dpop.requireNonce',
    'is true, and features.dpop is false',
    'Take one of the two away.',
  )
}

export function resolveMtls(given: OAuthProviderOptions['mtls']): MtlsSettings | undefined {
  if (given === undefined) return undefined
  const remedy =
    "Pass {} for Node's own TLS, or { clientCertificateHeader, clientVerifyHeader } behind a proxy."
  refuseUnknown('mtls.', anObject('mtls', given, remedy), ['clientCertificateHeader', 'clientVerifyHeader'])
  const { clientCertificateHeader, clientVerifyHeader } = given
  if (clientVerifyHeader !== undefined && clientVerifyHeader === clientCertificateHeader)
    throw new ConfigurationError(
      'mtls.clientVerifyHeader',
      'is the header of the certificate',
      'Name the one in which the proxy says whether it could verify it.',
    )
  if (clientVerifyHeader !== undefined && clientCertificateHeader === undefined)
    throw new ConfigurationError(
      'mtls.clientVerifyHeader',
      'stands without clientCertificateHeader',
      'Name the header with the certificate too; without a proxy leave both out.',
    )
  return {
    clientCertificateHeader: headerName('mtls.clientCertificateHeader', clientCertificateHeader),
    clientVerifyHeader: headerName('mtls.clientVerifyHeader', clientVerifyHeader),
  }
}

/** Whether no access token is of any use without a DPoP proof: all have to be bound, and nothing else is there to bind them to. */
export function onlyWithProof({
  profile,
  mtls,
}: {
  readonly profile: Pick<Profile, 'onlyBoundTokens'>
  readonly mtls: MtlsSettings | undefined
}): boolean {
  return profile.onlyBoundTokens && mtls === undefined
}

/** RFC 9110 §5.1 */
function headerName(option: string, value: string | undefined): string | undefined {
  const name = aString(option, value)
  if (name === undefined || /^[\w!#$%&'*+.^`|~-]+$/.test(name)) return name?.toLowerCase()
  throw wrong(option, value, "Pass the name of a header, such as 'X-Client-Cert'.")
}
