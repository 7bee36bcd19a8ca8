import { hash, X509Certificate } from 'node:crypto'
import { OAuthError } from '../errors.js'
import type { Confirmation, PresentedCertificate, Sender } from '../sender.js'
import type { Client } from '../store/records.js'

/** RFC 8705 §3.1 */
export function thumbprintOf({ raw }: PresentedCertificate): string {
  return hash('sha256', raw, 'base64url')
}

/** Whether a certificate is valid at a time in milliseconds (RFC 5280 §4.1.2.5). */
export function isValidAt({ raw }: PresentedCertificate, now: number): boolean {
  const { validFrom, validTo } = new X509Certificate(raw)
  return Date.parse(validFrom) <= now && now <= Date.parse(validTo)
}

/**
 * The certificate that the tokens of this client are to be bound to; undefined where it has not registered that (RFC 8705 §3.4).
 *
 * @throws OAuthError `invalid_request` where the client comes without one, or with one that is not valid now.
 */
export function certificateConfirmation(
  { tlsClientCertificateBoundAccessTokens }: Client,
  sender: Sender,
  now: number,
): Confirmation | undefined {
  if (!tlsClientCertificateBoundAccessTokens) return undefined
  const certificate = sender.certificate()
  if (certificate === undefined)
    throw new OAuthError(
      'invalid_request',
      'The tokens of this client are bound to its TLS client certificate: connect with one.',
      { reason: 'certificate_missing' },
    )
  if (!isValidAt(certificate, now))
    throw new OAuthError(
      'invalid_request',
      'The TLS client certificate has expired, or is not valid yet. Connect with one that is valid now.',
      {
        reason: 'certificate_expired',
      },
    )
  return { 'x5t#S256': thumbprintOf(certificate) }
}
