import { thumbprintOf } from '../possession/certificate.js'
import type { Possession } from '../possession/possession.js'
import type { Confirmation, Sender } from '../sender.js'
import { BOUND_TO_KEY } from './challenge.js'
import { invalidToken } from './check.js'
import type { PresentedToken } from './presented.js'

/** Whether a token is good from whoever presents it, so that nothing else of the request has to be looked at. */
export function isForAnybody({ scheme }: PresentedToken, confirmation: Confirmation | undefined): boolean {
  return confirmation === undefined && scheme === 'Bearer'
}

/**
 * Sees to it that who presents a token holds all that it is bound to (RFC 9449 §7.1, RFC 8705 §3), and that one which is bound to no key
 * is not used as if it were (RFC 9449 §7.2). `url`: of the request, as the client sees it. Answers the headers that go with the answer:
 * who has proven a key gets the nonce for the next proof, and nobody else does (RFC 9449 §8.2).
 */
export async function checkHolder(
  possession: Possession,
  { scheme, token }: PresentedToken,
  confirmation: Confirmation | undefined,
  { sender, url }: { readonly sender: Sender; readonly url: string },
): Promise<Readonly<Record<string, string>>> {
  const { jkt, 'x5t#S256': x5t } = confirmation ?? {}
  if (jkt !== undefined && scheme !== 'DPoP')
    throw invalidToken(
      BOUND_TO_KEY,
      'This access token is bound to a key: send it as Authorization: DPoP, with a DPoP proof.',
    )
  if (jkt === undefined && scheme === 'DPoP')
    throw invalidToken(
      'token_not_bound',
      'This access token is bound to no key: send it as Authorization: Bearer.',
    )
  if (x5t !== undefined) checkCertificate(x5t, sender)
  if (jkt === undefined) return {}
  await possession.proveUse({ sender, url, accessToken: token, jkt })
  return possession.nonceFor(sender)
}

function checkCertificate(thumbprint: string, sender: Sender): void {
  const certificate = sender.certificate()
  if (certificate !== undefined && thumbprintOf(certificate) === thumbprint) return
  throw invalidToken(
    certificate === undefined ? 'certificate_missing' : 'certificate_mismatch',
    'This access token is bound to the TLS client certificate with which it was asked for: connect with that one.',
  )
}
