import { generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

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
  const web = createTlsServer(selfSigned('rp.example'), answer('https'))
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

/** RFC 5280 §4.1, the least that TLS takes. Made anew each time: a private key in a repository only alarms its readers. */
export function selfSigned(host: string): { key: string; cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ecdsaWithSha256 = sequence(Buffer.from('06082a8648ce3d040302', 'hex'))
  const commonName = sequence(Buffer.from('0603550403', 'hex'), der(0x0c, Buffer.from(host)))
  const name = sequence(der(0x31, commonName))
  const validity = sequence(...['200101000000Z', '491231235959Z'].map((time) => der(0x17, Buffer.from(time))))
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const serialNumber = der(0x02, Buffer.from([1]))
  const toBeSigned = sequence(serialNumber, ecdsaWithSha256, name, validity, name, spki)
  const signature = der(0x03, Buffer.from([0]), sign('sha256', toBeSigned, privateKey))
  const cert = sequence(toBeSigned, ecdsaWithSha256, signature).toString('base64')
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${cert.match(/.{1,64}/g)?.join('\n')}\n-----END CERTIFICATE-----\n`,
  }
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, ...parts)
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
