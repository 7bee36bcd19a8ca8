import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What stands before the processes of a host: each request goes to the next one, whoever sends it. */
export interface Balancer {
  readonly origin: string
  /** The port that each request was sent on to, in order. */
  readonly served: number[]
  /** Where the processes listen. */
  to(ports: readonly number[]): void
  close(): void
}

export async function startBalancer(): Promise<Balancer> {
  let ports: readonly number[] = []
  let next = 0
  const served: number[] = []
  const agent = new Agent({ keepAlive: true })
  const server = createServer((req, res) => {
    const port = ports[next++ % ports.length]!
    served.push(port)
    const passedOn = request(
      { agent, port, host: '127.0.0.1', method: req.method, path: req.url, headers: req.headers },
      (answer) => {
        res.writeHead(answer.statusCode!, answer.rawHeaders)
        answer.pipe(res)
        answer.on('error', () => res.destroy())
      },
    )
    // That process is gone. Whether it has done what it was asked, nobody knows.
    passedOn.on('error', () => (res.headersSent ? res.destroy() : res.writeHead(502).end('{}')))
    req.pipe(passedOn)
  }).listen(0)
  await once(server, 'listening')
  server.unref()
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    served,
    to(given) {
      ports = given
    },
    close() {
      agent.destroy()
      server.closeAllConnections()
      server.close()
    },
  }
}
