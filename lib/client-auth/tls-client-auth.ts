import type { Runtime } from '../runtime.js'
import { hasSubject } from './certificate-subject.js'
import { byClientIdAlone, requireCertificate } from './client-id-alone.js'
import { invalidClient } from './refusal.js'

/** RFC 8705 §2.1: a certificate whose chain was verified, and that is about whom the client has registered. */
export const tlsClientAuth = byClientIdAlone(async ({ tlsClientAuthSubject: subject }, verification) => {
  const { raw, verified } = requireCertificate(verification)
  if (!verified)
    throw invalidClient(
      'The chain of the TLS client certificate was not verified. It has to lead to a certificate authority that this server trusts.',
      'certificate_untrusted',
    )
  if (subject === undefined || !hasSubject(raw, subject))
    throw invalidClient(
      'The TLS client certificate is about another subject than this client has registered.',
      'certificate_subject',
    )
  warnOfMissingVerdict(verification.runtime)
  return undefined
})

/** Whether the proxy verifies is not to be seen from here, and where it does not, this client could be anybody. */
function warnOfMissingVerdict({ settings: { mtls }, emit }: Pick<Runtime, 'settings' | 'emit'>): void {
  if (mtls?.clientCertificateHeader === undefined || mtls.clientVerifyHeader !== undefined) return
  emit('warning', {
    code: 'certificate_verdict_missing',
    message:
      'A client was let in by tls_client_auth, and no header says whether the proxy has verified its certificate. The proxy must verify every certificate that it hands on, or anybody can make one with the name of a client. Let it hand on its verdict, which is $ssl_client_verify in nginx, and name that header: mtls: { clientCertificateHeader, clientVerifyHeader }.',
  })
}
