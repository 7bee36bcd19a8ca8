import { connect, type Socket } from 'node:net'
import type { Answer } from './requests.js'

/** One connection that is kept alive: the cheapest client that there can be, so that the core it runs on does not hold up the server. */
export class Connection {
  readonly #socket: Socket
  #received = ''
  #answered: (answer: Answer) => void = () => undefined

  /** `fail` hears of what ends it. */
  constructor(port: number, fail: (error: Error) => void) {
    this.#socket = connect(port, '127.0.0.1')
    this.#socket.setNoDelay(true).setEncoding('latin1')
    this.#socket.on('data', (chunk: string) => {
      try {
        this.#take(chunk)
      } catch (error) {
        fail(error as Error)
      }
    })
    this.#socket.on('error', fail)
    this.#socket.on('end', () => fail(new Error('The server has closed a connection.')))
  }

  /** One at a time. */
  send(request: string, answered: (answer: Answer) => void): void {
    this.#answered = answered
    this.#socket.write(request, 'latin1')
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(chunk: string): void {
    this.#received += chunk
    const end = this.#received.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = this.#received.slice(0, end)
    const from = end + 4
    const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? []
    const chunked = length === undefined && /\r\ntransfer-encoding: *chunked/i.test(head)
    if (chunked ? !this.#received.endsWith('0\r\n\r\n') : this.#received.length < from + Number(length ?? 0))
      return
    const body = this.#received.slice(from)
    this.#received = ''
    this.#answered({ status: Number(head.slice(9, 12)), head, body })
  }
}
