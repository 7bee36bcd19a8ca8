import dns from 'node:dns'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { Agent, type Page } from './support/agent.js'
import { expectErrorPage } from './support/answers.js'
import { assertion, withAssertion } from './support/assertions.js'
import { type DocumentSite, documentOf, REDIRECT_URI, startDocumentSite } from './support/documents.js'
import { authorizeUrl } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import { postPar, requestParameters } from './support/pushed.js'

let site: DocumentSite
/** Counts every connection (CHECKS, fixtures). */
let canary: Server
let connections = 0
/** May ask this machine, at ::1 only. */
let dev: Host
/** May ask public addresses only, as in production. */
let live: Host
let ticket = 0

beforeAll(async () => {
  site = await startDocumentSite()
  canary = createServer((_req, res) => res.end('{}')).on('connection', () => connections++)
  canary.listen(0)
  await once(canary, 'listening')
  dev = await startHost({ provider: { clientMetadataDocuments: 'open', allowPrivateAddresses: ['::1'] } })
  live = await startHost({ provider: { clientMetadataDocuments: 'open' } })
})
afterAll(async () => {
  canary.close().closeAllConnections()
  await Promise.all([site.close(), dev.close(), live.close()])
})
beforeEach(() => {
  connections = 0
  site.requests.length = 0
  dev.advance(61)
  live.advance(61)
  resolveTo({ localhost: [['::1']], '::1': [['::1']] })
})
afterEach(() => jest.restoreAllMocks())

type Found = (error: Error | null, addresses?: unknown, family?: number) => void
const lookup = dns.lookup

/** What names resolve to from now on, first look-up first; the last one stays. The tests themselves go where they always go. */
function resolveTo(names: Readonly<Record<string, readonly (readonly string[])[]>>): jest.SpyInstance {
  const left = new Map(Object.entries(names).map(([name, lookups]) => [name, [...lookups]]))
  return jest.spyOn(dns, 'lookup').mockImplementation(((
    name: string,
    options: dns.LookupAllOptions,
    found: Found,
  ) => {
    // Node asks with more options than `all`.
    if (Object.keys(options).length > 1) return lookup(name, options, found as never)
    const lookups = left.get(name) ?? []
    const addresses = (lookups.length > 1 ? lookups.shift() : lookups[0]) ?? []
    if (addresses.length === 0) found(new Error('ENOTFOUND'))
    else
      found(
        null,
        addresses.map((address) => ({ address, family: net.isIP(address) })),
      )
  }) as typeof dns.lookup)
}

const port = (of: Pick<Server, 'address'>) => (of.address() as AddressInfo).port

function authorize(client: string, host = dev): Promise<Page> {
  return new Agent(host).get(authorizeUrl(host, { client, params: { redirect_uri: REDIRECT_URI } }))
}

async function refusal(client: string, host = dev): Promise<string> {
  const page = await authorize(client, host)
  expectErrorPage(page, { code: 'invalid_client' })
  return page.text.replace(/<style[\s\S]*?<\/style>/, '')
}

function serve(answer: RequestListener): string {
  return site.serve(`/${++ticket}.json`, answer)
}

/** A right document in every respect, for a listener to send. */
const right = () => JSON.stringify({ ...documentOf(), client_id: `${site.origin}/${ticket}.json` })
const JSON_TYPE = { 'content-type': 'application/json', 'cache-control': 'max-age=600' }

/** That what was refused is asked for again, and taken once it is right. */
async function expectNothingKept(url: string): Promise<void> {
  const before = site.requests.length
  site.serve(new URL(url).pathname, documentOf())
  expect((await authorize(url)).location).toContain('/login')
  expect(site.requests).toHaveLength(before + 1)
}

describe('CIMD-05 only a whole answer is a document', () => {
  test.each([201, 202, 203, 204, 206, 300, 304, 400, 401, 403, 404, 410, 429, 500, 503])(
    'status %i is a page, and not kept',
    async (status) => {
      const url = serve((_req, res) =>
        res.writeHead(status, JSON_TYPE).end(status === 204 ? undefined : right()),
      )
      expect(await refusal(url)).toContain(`status ${status} instead of 200`)
      await expectNothingKept(url)
    },
  )

  test.each([301, 302, 303, 307, 308])('status %i is not followed', async (status) => {
    const target = `http://127.0.0.1:${port(canary)}/`
    const url = serve((_req, res) => res.writeHead(status, { ...JSON_TYPE, location: target }).end(right()))
    const text = await refusal(url)
    expect(text).toContain('Redirects are not followed')
    expect(text).not.toContain(String(port(canary)))
    expect(connections).toBe(0)
    await expectNothingKept(url)
  })

  test.each([
    ['text/plain', 'text/plain'],
    ['text/html', 'text/html; charset=utf-8'],
    ['application/jsonp', 'application/jsonp'],
    ['application/json in a list', 'text/plain, application/json'],
    ['image/svg+xml', 'image/svg+xml'],
    ['text/x+json', 'text/x+json'],
    ['none at all', undefined],
  ])('the media type %s is a page', async (_, type) => {
    const url = serve((_req, res) =>
      res.writeHead(200, type === undefined ? {} : { 'content-type': type }).end(right()),
    )
    expect(await refusal(url)).toContain('another media type')
    await expectNothingKept(url)
  })

  test.each([
    'application/json',
    'application/json; charset=utf-8',
    'application/client+json',
    'Application/JSON',
  ])('the media type %s is taken', async (type) => {
    const url = serve((_req, res) => res.writeHead(200, { 'content-type': type }).end(right()))
    expect((await authorize(url)).location).toContain('/login')
  })

  test.each([
    ['text that is no JSON', 'SECRET of the network'],
    ['JSON that is cut off', '{"client_id":'],
    ['nothing', ''],
    ['bytes that are no UTF-8', Buffer.from('{"client_name":"\xff"}', 'latin1')],
    ['a depth that no document has', '['.repeat(5000)],
  ])('%s is a page that quotes nothing of it', async (_, body) => {
    const url = serve((_req, res) => res.writeHead(200, JSON_TYPE).end(body))
    const text = await refusal(url)
    expect(text).toContain('something else than a JSON document')
    expect(text).not.toContain('SECRET')
    await expectNothingKept(url)
  })

  test('5120 bytes are read and one more is not', async () => {
    const padded = (length: number) => right().padEnd(length, ' ')
    const url = serve((_req, res) => res.writeHead(200, JSON_TYPE).end(padded(5121)))
    expect(await refusal(url)).toContain('more than 5120 bytes')
    site.serve(new URL(url).pathname, (_req, res) => res.writeHead(200, JSON_TYPE).end(padded(5120)))
    expect((await authorize(url)).location).toContain('/login')
  })

  test('the limit can be set', async () => {
    const own = await startHost({
      provider: {
        clientMetadataDocuments: { allow: 'open', sizeLimit: 200 },
        allowPrivateAddresses: ['::1'],
      },
    })
    const url = serve((_req, res) => res.writeHead(200, JSON_TYPE).end(right().padEnd(201, ' ')))
    expect(await refusal(url, own)).toContain('more than 200 bytes')
    await own.close()
  })

  test('an endless body is cut off at the limit', async () => {
    let sent = 0
    const url = serve((_req, res) => {
      res.writeHead(200, JSON_TYPE)
      const more = () => {
        sent += 1024
        if (!res.destroyed) res.write(' '.repeat(1024), () => setImmediate(more))
      }
      more()
    })
    expect(await refusal(url)).toContain('more than 5120 bytes')
    expect(sent).toBeLessThan(10_000_000)
  })

  test('nothing compressed is asked for, and a bomb is not unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(5_000_000, ' '))
    expect(bomb.length).toBeLessThan(5120)
    const url = serve((_req, res) =>
      res.writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' }).end(bomb),
    )
    expect(await refusal(url)).toContain('compressed')
    expect(site.requests[0]?.headers).toMatchObject({
      'accept-encoding': 'identity',
      accept: 'application/json, application/*+json',
    })
    await expectNothingKept(url)
  })

  test('no answer, a head alone, a byte now and then: each ends at the time limit', async () => {
    const real = AbortSignal.timeout
    const limits: number[] = []
    // Nobody waits for five seconds here; that it is five is read off the call.
    jest.spyOn(AbortSignal, 'timeout').mockImplementation((limit) => {
      limits.push(limit)
      return real.call(AbortSignal, 150)
    })
    const slow: RequestListener[] = [
      () => undefined,
      (_req, res) => res.writeHead(200, JSON_TYPE).flushHeaders(),
      (_req, res) => {
        res.writeHead(200, JSON_TYPE)
        const drip = setInterval(() => res.write(' '), 10)
        res.on('close', () => clearInterval(drip))
      },
    ]
    const pages = await Promise.all(slow.map((answer) => refusal(serve(answer))))
    for (const text of pages) expect(text).toContain('did not answer completely')
    expect(limits).toEqual([5000, 5000, 5000])
  })

  test('a certificate for another name is a page, and nothing is sent there', async () => {
    resolveTo({ 'other.example': [['::1']] })
    const { port } = new URL(site.origin)
    expect(await refusal(`https://other.example:${port}/c.json`)).toContain(
      'its certificate must be valid for it',
    )
    expect(site.requests).toHaveLength(0)
  })

  test('a server without TLS is a page', async () => {
    expect(await refusal(`https://[::1]:${port(canary)}/c.json`)).toContain('No secure connection')
  })
})

describe('CIMD-06 CIMD-07 K-31 no address inside the network is asked', () => {
  test.each([
    ...[
      '127.0.0.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '10.0.0.1',
      '192.168.0.1',
      '169.254.169.254',
      '100.64.0.1',
      '0.0.0.0',
      '[fd00::1]',
      '[fe80::1]',
      '[64:ff9b::7f00:1]',
    ],
    ...['localhost', 'intranet.example', 'both.example', 'mapped.example'],
  ])('https://%s is a page, and never dialled', async (name) => {
    resolveTo({
      localhost: [['127.0.0.1']],
      'intranet.example': [['10.1.2.3']],
      'both.example': [['93.184.215.14', '127.0.0.1']],
      'mapped.example': [['::ffff:127.0.0.1']],
      ...Object.fromEntries(
        ['127.0.0.1', '10.0.0.1', '192.168.0.1', '169.254.169.254', '100.64.0.1', '0.0.0.0'].map((ip) => [
          ip,
          [[ip]],
        ]),
      ),
      ...Object.fromEntries(
        ['::1', '::ffff:7f00:1', 'fd00::1', 'fe80::1', '64:ff9b::7f00:1'].map((ip) => [ip, [[ip]]]),
      ),
    })
    const dialled = jest.spyOn(net, 'connect')
    const text = await refusal(
      `https://${name.replace('[::ffff:127.0.0.1]', '[::ffff:7f00:1]')}:${port(canary)}/c.json`,
      live,
    )
    expect(text).toContain('has no public address')
    expect(dialled).not.toHaveBeenCalled()
    expect(connections).toBe(0)
  })

  test('a name that changes its address in between gains nothing: what was checked is what is dialled', async () => {
    const looks = resolveTo({ 'rebind.example': [['93.184.215.14'], ['127.0.0.1']] })
    const dialled: unknown[] = []
    jest.spyOn(net, 'connect').mockImplementation(((options: net.TcpNetConnectOpts) => {
      const socket = new net.Socket()
      options.lookup?.('rebind.example', { all: true }, (_error, addresses) => {
        dialled.push(addresses)
        setImmediate(() => socket.destroy(new Error('connect ECONNREFUSED')))
      })
      return socket
    }) as typeof net.connect)
    const url = `https://rebind.example:${port(canary)}/c.json`
    expect(await refusal(url, live)).toContain('cannot be reached')
    expect(dialled).toEqual([[{ address: '93.184.215.14', family: 4 }]])
    expect(looks.mock.calls.filter(([name]) => name === 'rebind.example')).toHaveLength(1)
    // The second look-up answers the private address, which is refused.
    expect(await refusal(url, live)).toContain('has no public address')
    expect(dialled).toHaveLength(1)
    expect(connections).toBe(0)
  })

  test.each([
    ['at this machine', () => `https://127.0.0.1:${port(canary)}/jwks`],
    ['at a name that is private', () => `https://intranet.example:${port(canary)}/jwks`],
    [
      'that redirects there',
      () =>
        site.serve('/jwks-elsewhere', (_req, res) =>
          res.writeHead(302, { location: `http://127.0.0.1:${port(canary)}/` }).end(),
        ),
    ],
  ])('DCR-10 a jwks_uri %s gets no connection when the client proves itself', async (_, jwksUri) => {
    resolveTo({ localhost: [['::1']], 'intranet.example': [['127.0.0.1']], '127.0.0.1': [['127.0.0.1']] })
    const client = site.serve(
      `/${++ticket}.json`,
      documentOf({ token_endpoint_auth_method: 'private_key_jwt', jwks_uri: jwksUri() }),
    )
    const parameters = requestParameters(dev, { client, params: { redirect_uri: REDIRECT_URI } })
    const proof = { headers: {}, form: withAssertion(assertion(dev, { client })) }
    const { status, body } = await postPar(dev, parameters, { proof })
    expect([status, body.error]).toEqual([503, 'temporarily_unavailable'])
    expect(connections).toBe(0)
  })

  test('DCR-10 a logo_uri and the links of a document are never fetched', async () => {
    const at = (path: string) => `${site.origin}/${path}`
    const client = site.serve(
      `/${++ticket}.json`,
      documentOf({
        logo_uri: at('logo'),
        client_uri: at('home'),
        tos_uri: at('tos'),
        policy_uri: at('policy'),
        initiate_login_uri: at('login'),
      }),
    )
    const agent = new Agent(dev)
    await agent.login('alice')
    const page = await agent.follow(authorizeUrl(dev, { client, params: { redirect_uri: REDIRECT_URI } }))
    expect(page.text).toContain('name="decision"')
    expect(page.text).not.toMatch(/<img|logo/)
    expect(site.requests.map(({ url }) => url)).toEqual([new URL(client).pathname])
  })

  test('DCR-10 a sector_identifier_uri at this machine is refused without a connection', async () => {
    const client = site.serve(
      `/${++ticket}.json`,
      documentOf({ sector_identifier_uri: `https://127.0.0.1:${port(canary)}/` }),
    )
    expect(await refusal(client)).toContain('sector_identifier_uri cannot be fetched')
    expect(connections).toBe(0)
  })
})

describe('ever new names', () => {
  test('are asked 200 times a minute for one network, and 600 times in all', async () => {
    const host = await startHost({
      provider: { clientMetadataDocuments: 'open' },
      before: (app) => app.set('trust proxy', true),
    })
    const dials = jest.spyOn(net, 'connect')
    resolveTo({})
    let name = 0
    const asked = async (address: string) => {
      const pages = await Promise.all(
        Array.from({ length: 210 }, async () => {
          const url = authorizeUrl(host, { client: `https://n${++name}.example/c.json` })
          return (await fetch(url, { headers: { 'X-Forwarded-For': address } })).text()
        }),
      )
      return pages.filter((page) => page.includes('has no public address')).length
    }
    const counts = []
    for (const address of ['192.0.2.1', '2001:db8:0:1::1', '2001:db8:0:1:2::2', '192.0.2.2', '192.0.2.3'])
      counts.push(await asked(address))
    expect(counts).toEqual([200, 200, 0, 200, 0])
    const names = dials.mock.calls.map(([to]) => (to as unknown as net.TcpNetConnectOpts).host)
    expect(names.filter((to) => to?.endsWith('.example'))).toEqual([])
    await host.close()
  })

  test('that never resolve keep nobody from the sites of clients that have tokens, and from their keys', async () => {
    const own = await startHost({
      provider: { clientMetadataDocuments: 'open', allowPrivateAddresses: ['::1'] },
    })
    const looks = resolveTo({ localhost: [['::1']] })
    const answer = looks.getMockImplementation() as typeof dns.lookup
    const waiting: (() => void)[] = []
    let isSlow = true
    let noticed = () => {}
    const until = async (looks: number) => {
      while (waiting.length < looks) await new Promise<void>((resolve) => (noticed = resolve))
    }
    const slow = /^(?:n\d+|k)\.example$/
    looks.mockImplementation(((...call: [string, object, Found]) => {
      const [name, , found] = call
      const late = () => found(new Error('ENOTFOUND'))
      if (!slow.test(name)) answer(...call)
      else if (isSlow) waiting.push(late)
      else late()
      noticed()
    }) as typeof dns.lookup)
    const asked = () => looks.mock.calls.map(([host]) => host).filter((host) => slow.test(host))
    const strangers = Array.from({ length: 5 }, (_, index) =>
      authorize(`https://n${index}.example/c.json`, own),
    )
    await until(2)
    // A client of the host with keys at a site of its own.
    const { client_id: client } = await own.oauth.clients.create({
      client_id: 'keys',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks_uri: 'https://k.example/jwks',
      redirect_uris: [REDIRECT_URI],
    })
    const parameters = requestParameters(own, { client, params: { redirect_uri: REDIRECT_URI } })
    const proof = { headers: {}, form: withAssertion(assertion(own, { client })) }
    const pushed = postPar(own, parameters, { proof })
    await until(3)
    expect(asked()).toHaveLength(3)
    expect(asked()).toContain('k.example')
    isSlow = false
    for (const release of waiting) release()
    await Promise.all([...strangers, pushed])
    await own.close()
  })
})
