import { once } from 'node:events'
import { createServer, IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import type { RequestHandler } from 'express'
import express4 from 'express4'
import { authorizeUrl, callApi, destination, getTokens, signedIn } from './support/flow.js'
import { type Host, type HostOptions, startHost } from './support/host.js'

// What V8 itself says, before anything that asks it is compiled.
setFlagsFromString('--allow-natives-syntax')
const haveSameClass = new Function('a', 'b', 'return %HaveSameMap(a, b)') as (a: object, b: object) => boolean
const isDictionary = new Function('a', 'return !%HasFastProperties(a)') as (a: object) => boolean

/** Whether V8 is one that makes a hidden class for each object which gets another prototype and then a member. */
const EACH_HAS_ITS_OWN = Number.parseInt(process.versions.node, 10) < 24

let host: Host
afterEach(() => host.close())

type Pair = readonly [req: IncomingMessage, res: ServerResponse]

/** Answers with what `look` says of the request. */
function telling(look: (...pair: Pair) => unknown): RequestHandler {
  return (req, res) => {
    res.json(look(req, res) ?? null)
  }
}

async function guarded(options: HostOptions, look: (...pair: Pair) => unknown): Promise<unknown> {
  host = await startHost(options)
  host.app.get('/looked-at', host.oauth.requireToken('read'), telling(look))
  const { access_token } = await getTokens(host)
  const { status, body } = await callApi(host, '/looked-at', access_token)
  expect(status).toBe(200)
  return body
}

test('this V8 makes a hidden class for each request of Express, or not, as we believe', async () => {
  host = await startHost()
  const pairs: Pair[] = []
  host.app.get('/held', (req, res) => {
    pairs.push([req, res])
    if (pairs.length === 2) for (const [, held] of pairs) held.end()
  })
  await Promise.all([fetch(`${host.origin}/held`), fetch(`${host.origin}/held`)])
  const [[req1, res1], [req2, res2]] = pairs as [Pair, Pair]
  expect([haveSameClass(req1, req2), haveSameClass(res1, res2)]).toEqual(
    EACH_HAS_ITS_OWN ? [false, false] : [true, true],
  )
})

test.each([
  ['Express 5', undefined],
  ['Express 4', express4 as unknown as HostOptions['express']],
])(
  'behind the guard, and in our endpoints, request and answer are dictionaries where each would have its own: %s',
  async (_, express) => {
    const looked: boolean[] = []
    const currentUser = (req: object) => {
      const { res } = req as { res: object }
      looked.push(isDictionary(req), isDictionary(res))
      return (req as { session: { userId?: string } }).session.userId
    }
    const behind = await guarded({ ...(express && { express }), provider: { currentUser } }, (req, res) => [
      isDictionary(req),
      isDictionary(res),
    ])
    expect(behind).toEqual([EACH_HAS_ITS_OWN, EACH_HAS_ITS_OWN])
    expect(new Set(looked)).toEqual(new Set([EACH_HAS_ITS_OWN]))
  },
)

test('a URL and an answer that the host has put behind members of its own stay there', async () => {
  const read = jest.fn()
  const about = await guarded(
    {
      before: (app) =>
        app.use((req, res, next) => {
          let { url } = req
          const get = () => {
            read()
            return url
          }
          const set = (value: string) => {
            url = value
          }
          Object.defineProperty(req, 'url', { get, set, configurable: true, enumerable: false })
          Object.defineProperty(res, 'req', { value: req, configurable: false, writable: false })
          next()
        }),
    },
    (req, res) => {
      const { get, set, ...own } = Object.getOwnPropertyDescriptor(req, 'url') ?? {}
      return [typeof get, typeof set, own, req.url, res.req === req]
    },
  )
  expect(about).toEqual([
    ...['function', 'function', { configurable: true, enumerable: false }],
    ...['/looked-at', true],
  ])
  expect(read).toHaveBeenCalled()
  const alice = await signedIn(host, 'alice')
  expect(destination(await alice.get(authorizeUrl(host))).searchParams.get('code')).toMatch(/./)
})

test('outside Express they share one already, which stays', async () => {
  host = await startHost()
  const guard = host.oauth.requireToken('read')
  const look = jest.fn((...pair: Pair) => pair.map(isDictionary))
  const server = createServer((req, res) => {
    void guard(req, res, () => undefined)
    look(req, res)
  }).listen(0)
  await once(server, 'listening')
  const { status } = await fetch(`http://localhost:${(server.address() as AddressInfo).port}/`)
  server.close()
  expect(status).toBe(401)
  expect(look).toHaveReturnedWith([false, false])
})

test('a double of a request that takes no member is left as it is, and answered', async () => {
  host = await startHost()
  const req = Object.preventExtensions({ method: 'GET', url: '/', headers: {}, rawHeaders: [], socket: {} })
  const res = new ServerResponse(new IncomingMessage(new Socket()))
  await host.oauth.requireToken('read')(req as never, res, () => undefined)
  expect(res.statusCode).toBe(401)
  expect(req.url).toBe('/')
})
