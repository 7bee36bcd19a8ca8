import { isValidAt } from '../possession/certificate.js'
import type { PresentedCertificate } from '../sender.js'
import type { AuthMethod, Credentials, Verification } from './credentials.js'
import { invalidClient } from './refusal.js'

/** An access token proves no client, so it is no second method where it comes along, as in every request of some applications. */
const ACCESS_TOKEN = /^(?:bearer|dpop) /i

/** A method of which the request itself shows nothing but client_id: the client is public, or proves itself by its connection. */
export function byClientIdAlone(verify: Credentials['verify']): AuthMethod {
  return {
    isTacit: true,
    isPresented({ authorization, parameters, assertion }) {
      const proves =
        (authorization !== undefined && !ACCESS_TOKEN.test(authorization)) ||
        parameters.get('client_secret') !== undefined
      return parameters.get('client_id') !== undefined && !proves && assertion === undefined
    },
    read: ({ parameters }) => ({ clientId: parameters.get('client_id') ?? '', verify }),
  }
}

/** @throws OAuthError `invalid_client` where the connection was made without a certificate that is valid now. */
export function requireCertificate({ sender, runtime }: Verification): PresentedCertificate {
  const certificate = sender.certificate()
  if (certificate === undefined)
    throw invalidClient(
      'This client proves itself by a TLS client certificate: connect with it.',
      'certificate_missing',
    )
  if (isValidAt(certificate, runtime.now())) return certificate
  throw invalidClient(
    'The TLS client certificate has expired, or is not valid yet. Connect with one that is valid now.',
    'certificate_expired',
  )
}
