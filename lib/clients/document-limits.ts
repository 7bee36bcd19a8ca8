import { networkOf } from '../network.js'
import { MinuteLimit, QuestionLimit } from '../outgoing/question-limit.js'

/** In a minute: to one host, for anybody at one network address, and in all. */
const MOST_TO_HOST = 200
const MOST_FROM_ADDRESS = 200
const MOST_IN_ALL = 600

/** How often sites are asked for documents, so that nobody makes us hammer them, however many URLs and names they have. */
export class DocumentLimits {
  readonly #toHost: QuestionLimit
  readonly #toHostOfKept: QuestionLimit
  readonly #fromAddress: QuestionLimit
  readonly #inAll: MinuteLimit

  constructor(now: () => number) {
    this.#toHost = new QuestionLimit(MOST_TO_HOST, now)
    this.#toHostOfKept = new QuestionLimit(MOST_TO_HOST, now)
    this.#fromAddress = new QuestionLimit(MOST_FROM_ADDRESS, now)
    this.#inAll = new MinuteLimit(MOST_IN_ALL, now)
  }

  /** For a client that users have allowed something. It is asked about however many strangers come. */
  admitKept({ hostname }: URL): boolean {
    return this.#toHostOfKept.admit(hostname)
  }

  /** For one of which nothing is kept. `address`: of whoever makes us ask. */
  admitStranger({ hostname }: URL, address: string): boolean {
    return this.#fromAddress.admit(networkOf(address)) && this.#toHost.admit(hostname) && this.#inAll.admit()
  }
}
