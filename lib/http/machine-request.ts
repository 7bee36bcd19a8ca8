import type { IncomingMessage } from 'node:http'
import type { HostRequest } from '../options.js'
import type { Parameters } from '../parameters.js'
import type { Sender } from '../sender.js'
import type { Settings } from '../settings.js'
import { addressOf } from './address.js'
import { repeatsAuthorization } from './authorization-header.js'
import { idIn } from './path-id.js'
import type { MachineRequest } from './request.js'
import { HttpSender } from './sender.js'

/** Works nothing out before it is asked for: most requests are answered without most of it. */
export class HttpMachineRequest implements MachineRequest {
  readonly endpoint: string
  readonly parameters: Parameters
  readonly json: unknown
  readonly #req: IncomingMessage
  readonly #settings: Settings

  constructor(
    endpoint: string,
    req: IncomingMessage,
    settings: Settings,
    parameters: Parameters,
    json?: unknown,
  ) {
    this.endpoint = endpoint
    this.parameters = parameters
    this.json = json
    this.#req = req
    this.#settings = settings
  }

  get host(): HostRequest {
    return this.#req
  }

  get authorization(): string | undefined {
    return this.#req.headers.authorization
  }

  get accept(): string | undefined {
    return this.#req.headers.accept
  }

  get address(): string {
    return addressOf(this.#req)
  }

  get id(): string {
    return this.endpoint.endsWith('/:id') ? idIn(this.#req) : ''
  }

  get sender(): Sender {
    return new HttpSender(this.#req, this.#settings)
  }

  repeatsAuthorization(): boolean {
    return repeatsAuthorization(this.#req)
  }
}
