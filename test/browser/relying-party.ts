import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { selfSignedCertificate } from '../support/certificate.js'

/** The other side: web applications on real TLS, for browsers apply form-action and COOP to what comes over the network. */
export interface RelyingParty {
  /** Where the names of web applications have to lead to. */
  readonly address: string
  /** The callback of a native application that listens on this computer. */
  readonly loopback: string
  /** What arrived at a callback, in order. */
  readonly arrivals: readonly URL[]
  /** Forgets what arrived. */
  clear(): void
  close(): void
}

/** A callback tells the window that opened it, as those of applications that sign in through a popup do. */
const CALLBACK = `<!DOCTYPE html><title>Connected</title><h1>Connected</h1>
<script>window.opener?.postMessage(location.search, '*')</script>`

/** `/cb` is the callback; `/stay` is one that answers 204, upon which a browser stays where it is. */
export async function startRelyingParty(pages: Record<string, string> = {}): Promise<RelyingParty> {
  const arrivals: URL[] = []
  const answer =
    (scheme: string): RequestListener =>
    (req, res) => {
      const url = new URL(req.url ?? '/', `${scheme}://${req.headers.host}`)
      if (url.pathname === '/cb' || url.pathname === '/stay') arrivals.push(url)
      res.statusCode = url.pathname === '/stay' ? 204 : 200
      res.setHeader('Content-Type', 'text/html; charset=utf-8')
      res.end(pages[url.pathname] ?? CALLBACK)
    }
  const web = createTlsServer(selfSignedCertificate('rp.example'), answer('https'))
  const native = createHttpServer(answer('http'))
  return {
    address: await listen(web),
    loopback: `http://${await listen(native)}/cb`,
    arrivals,
    clear() {
      arrivals.length = 0
    },
    close() {
      for (const server of [web, native]) {
        server.closeAllConnections()
        server.close()
      }
    },
  }
}

export async function listen(server: Server): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}
