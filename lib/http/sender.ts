import type { IncomingMessage } from 'node:http'
import type { PresentedCertificate, Sender } from '../sender.js'
import type { Settings } from '../settings.js'
import { readCertificate } from './certificate.js'

type Wanted = Pick<Settings, 'mtls' | 'features'>

/** Reads nothing before it is asked for. */
export class HttpSender implements Sender {
  readonly #req: IncomingMessage
  readonly #wanted: Wanted

  constructor(req: IncomingMessage, wanted: Wanted) {
    this.#req = req
    this.#wanted = wanted
  }

  get method(): string {
    return this.#req.method ?? ''
  }

  proof(): string | undefined {
    const { dpop } = this.#req.headers
    // Node joins headers of one name with a comma, and some adapters make a list of them.
    return dpop === undefined || !this.#wanted.features.dpop ? undefined : String(dpop)
  }

  certificate(): PresentedCertificate | undefined {
    const { mtls } = this.#wanted
    return mtls === undefined ? undefined : readCertificate(this.#req, mtls)
  }
}
