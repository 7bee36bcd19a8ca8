import type { IncomingMessage } from 'node:http'
import type { Sender } from '../sender.js'
import type { Settings } from '../settings.js'
import { readCertificate } from './certificate.js'

/** Reads nothing before it is asked for. */
export function senderOf(
  req: IncomingMessage,
  { mtls, features }: Pick<Settings, 'mtls' | 'features'>,
): Sender {
  return {
    method: req.method ?? '',
    proof: () => (features.dpop ? joined(req.headers.dpop) : undefined),
    certificate: () => (mtls === undefined ? undefined : readCertificate(req, mtls)),
  }
}

/** Node joins headers of one name with a comma, and some adapters make a list of them. */
function joined(values: string | readonly string[] | undefined): string | undefined {
  return values === undefined ? undefined : String(values)
}
