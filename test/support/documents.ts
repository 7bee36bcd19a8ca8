import { once } from 'node:events'
import type { IncomingMessage, RequestListener } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'
import { selfSignedCertificate } from './certificate.js'

/** A site that serves client metadata documents over https, with a certificate that this process believes in. */
export interface DocumentSite {
  /** `https://localhost:<port>` */
  readonly origin: string
  /** What was asked for, in order. */
  readonly requests: IncomingMessage[]
  /** Serves a document at a path, or whatever a listener answers; an object gets its `client_id` where it has none. Answers the URL. */
  serve(path: string, document: object | RequestListener, headers?: Readonly<Record<string, string>>): string
  /** Hangs up on whoever comes, as a site that is down does, until it is told otherwise. */
  down(isDown: boolean): void
  close(): Promise<void>
}

export const REDIRECT_URI = 'https://app.example/cb'

/** A document that is right in every respect, but for what is changed; `undefined` leaves a member out. */
export function documentOf(changes: Readonly<Record<string, unknown>> = {}): object {
  const all = { client_name: 'Document App', redirect_uris: [REDIRECT_URI], ...changes }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

export async function startDocumentSite(): Promise<DocumentSite> {
  const { key, cert } = selfSignedCertificate('localhost')
  const real = tls.connect
  tls.connect = ((options: tls.ConnectionOptions) => real({ ...options, ca: cert })) as typeof tls.connect
  const answers = new Map<string, RequestListener>()
  const requests: IncomingMessage[] = []
  let isDown = false
  const server = https.createServer({ key, cert }, (req, res) => {
    requests.push(req)
    const answer = answers.get(req.url ?? '')
    if (answer === undefined) res.writeHead(404).end()
    else answer(req, res)
  })
  server.on('connection', (socket) => {
    if (isDown) socket.destroy()
  })
  server.listen(0)
  await once(server, 'listening')
  server.unref()
  const origin = `https://localhost:${(server.address() as AddressInfo).port}`
  return {
    origin,
    requests,
    serve(path, document, headers = {}) {
      const url = origin + path
      const listener: RequestListener =
        typeof document === 'function'
          ? (document as RequestListener)
          : (_req, res) =>
              res
                .writeHead(200, { 'content-type': 'application/json', ...headers })
                .end(JSON.stringify(Array.isArray(document) ? document : { client_id: url, ...document }))
      answers.set(path, listener)
      return url
    },
    down(down) {
      isDown = down
    },
    async close() {
      tls.connect = real
      server.closeAllConnections()
      server.close()
    },
  }
}
