import { once } from 'node:events'
import { request as plainRequest } from 'node:http'
import { createServer, request as tlsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { encode, type Form } from './agent.js'
import { type Certificate, selfSignedCertificate } from './certificate.js'
import type { Host } from './host.js'
import type { RawAnswer } from './token-endpoint.js'

/** The same host behind TLS that asks for a client certificate, and takes any. */
export interface TlsHost {
  readonly origin: string
  close(): void
}

export async function overTls({ app }: Pick<Host, 'app'>, authority: Certificate): Promise<TlsHost> {
  const { key, cert } = selfSignedCertificate('localhost')
  const asking = { requestCert: true, rejectUnauthorized: false, ca: authority.cert }
  const server = createServer({ key, cert, ...asking }, app).listen(0)
  await once(server, 'listening')
  server.unref()
  return {
    origin: `https://localhost:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

export interface Sent {
  /** Posted where it is there. */
  readonly form?: Form | undefined
  /** A header that is a list comes as often. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** With which the connection is made. */
  readonly certificate?: Certificate | undefined
}

/** One request on a connection of its own, by TLS or without. */
export function exchange(url: string, { form, headers = {}, certificate }: Sent = {}): Promise<RawAnswer> {
  const tls = url.startsWith('https:')
  const { key, cert } = certificate ?? {}
  const body = form && encode(form).toString()
  const type = form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}
  const options = {
    method: form ? 'POST' : 'GET',
    headers: { ...type, ...headers } as Record<string, string>,
    agent: false as const,
    ...(tls && { rejectUnauthorized: false, key, cert }),
  }
  return new Promise((resolve, reject) => {
    const sent = (tls ? tlsRequest : plainRequest)(url, options, async (answer) => {
      const text = Buffer.concat(await answer.toArray()).toString()
      const entries = Object.entries(answer.headers).map(([name, value]) => [name, String(value)])
      const body = /json/.test(answer.headers['content-type'] ?? '') ? JSON.parse(text) : {}
      resolve({
        status: answer.statusCode ?? 0,
        headers: new Headers(entries as [string, string][]),
        text,
        body,
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
