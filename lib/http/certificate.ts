import { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { OAuthError } from '../errors.js'
import type { PresentedCertificate } from '../sender.js'
import type { MtlsSettings } from '../sender-constraints.js'

const BEGIN = '-----BEGIN CERTIFICATE-----'
const END = '-----END CERTIFICATE-----'
/** What Apache's mod_headers writes where there is no certificate. */
const NONE = '(null)'

/**
 * The client's certificate, from the header of the proxy or from the TLS connection. Where a header is named the connection is not asked:
 * it is the proxy's.
 *
 * @throws OAuthError `invalid_request` where the header holds anything but one certificate.
 */
export function readCertificate(
  { headers, socket }: IncomingMessage,
  { clientCertificateHeader, clientVerifyHeader }: MtlsSettings,
): PresentedCertificate | undefined {
  if (clientCertificateHeader === undefined) return ofConnection(socket as Partial<TLSSocket>)
  // Node joins a header that comes twice with a comma, which no certificate has in it.
  const value = String(headers[clientCertificateHeader] ?? '')
  if (value === '' || value === NONE) return undefined
  const raw = read(value)
  if (raw === undefined)
    throw new OAuthError(
      'invalid_request',
      'The proxy has handed on something else than one client certificate. It must be URL-encoded PEM, Base64 or as RFC 9440 has it, once.',
      { reason: 'certificate_unreadable' },
    )
  const verified = clientVerifyHeader === undefined || headers[clientVerifyHeader] === 'SUCCESS'
  return { raw, verified }
}

function ofConnection(socket: Partial<TLSSocket>): PresentedCertificate | undefined {
  const certificate = socket.getPeerX509Certificate?.()
  return certificate && { raw: certificate.raw, verified: socket.authorized === true }
}

/** DER of one certificate and nothing else; undefined for what is none. */
function read(value: string): Uint8Array | undefined {
  try {
    const base64 = withoutFrame(decodeURIComponent(value).trim())
    const bytes = Buffer.from(base64, 'base64')
    // X509Certificate takes the first of several, and Buffer passes over what is not Base64.
    if (bytes.toString('base64') !== base64) return undefined
    const { raw } = new X509Certificate(bytes)
    return raw.equals(bytes) ? raw : undefined
  } catch {
    return undefined
  }
}

/** The Base64 in PEM, whose line ends may have become spaces or tabs on the way, or in a Byte Sequence (RFC 9440 §2.1, RFC 8941 §3.3.5). */
function withoutFrame(text: string): string {
  if (text.startsWith(BEGIN) && text.endsWith(END))
    return text.slice(BEGIN.length, -END.length).replace(/\s+/g, '')
  return text.startsWith(':') && text.endsWith(':') ? text.slice(1, -1) : text
}
