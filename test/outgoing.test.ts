import dns from 'node:dns'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import { gzipSync } from 'node:zlib'
import { createOutgoing } from '../lib/outgoing/create.js'
import { OutgoingError } from '../lib/outgoing/outgoing.js'
import { selfSignedCertificate } from './support/certificate.js'

let now = Date.parse('2026-07-01T00:00:00Z')
const dev = create({ allowPrivateAddresses: true })
const live = create({ allowPrivateAddresses: false })

function create(options: Partial<Parameters<typeof createOutgoing>[0]>) {
  return createOutgoing({ allowPrivateAddresses: true, now: () => now, ...options })
}

/** Counts every connection (CHECKS, fixtures), to IPv4 and IPv6 addresses of this machine alike. */
let canary: Server
let connections = 0
let server: Server
/** What the server answers; set by each test. */
let answer: RequestListener
let requests: IncomingMessage[] = []
let url: string
let ticket = 0

beforeAll(async () => {
  canary = createServer((_req, res) => res.end('{}')).on('connection', () => connections++)
  server = createServer((req, res) => {
    requests.push(req)
    answer(req, res)
  })
  for (const each of [canary, server]) {
    each.listen(0)
    await once(each, 'listening')
  }
})
afterAll(() => {
  for (const each of [canary, server]) each.close().closeAllConnections()
})
beforeEach(() => {
  connections = 0
  requests = []
  answer = json({ keys: [] })
  // A URL of its own for each test, so that none finds what another has cached.
  url = `http://127.0.0.1:${port(server)}/${++ticket}`
})
afterEach(() => jest.restoreAllMocks())

const port = (of: Pick<Server, 'address'>) => (of.address() as AddressInfo).port

function json(body: unknown, headers: Readonly<Record<string, string>> = {}, status = 200): RequestListener {
  return (_req, res) =>
    res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

/** What names resolve to from now on, first look-up first; the last one stays. */
function resolveTo(...lookups: readonly (readonly string[])[]): jest.SpyInstance {
  const left = [...lookups]
  return jest.spyOn(dns, 'lookup').mockImplementation(((_host: string, _options: object, found: Found) => {
    const addresses = (left.length > 1 ? left.shift() : left[0]) ?? []
    if (addresses.length === 0)
      found(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }), [])
    else
      found(
        null,
        addresses.map((address) => ({ address, family: net.isIP(address) })),
      )
  }) as typeof dns.lookup)
}
type Found = (error: Error | null, addresses: { address: string; family: number }[]) => void

async function refusal(asked: Promise<unknown>): Promise<string> {
  const error = await asked.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(OutgoingError)
  const { message } = error as OutgoingError
  expect(message).toMatch(/^(?:The|No) .*\.$/)
  // Nothing of the network, of the document or of a stack.
  expect(message).not.toMatch(/\d+\.\d+\.\d+|::|E[A-Z]{4}|SECRET|undefined/)
  return message
}

const NOT_PUBLIC =
  'The host of the URL has no public address. Use a host that is reachable from the internet; in development, set the option allowPrivateAddresses.'

describe('an address that is not public', () => {
  test.each([
    '127.0.0.1',
    '127.1.2.3',
    'localhost',
    'localhost.',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[64:ff9b:1::7f00:1]',
    '[2002:7f00:1::1]',
    '[2001:0:7f00:1::1]',
    '[fd00::1]',
    '[fe80::1]',
    '[fec0::1]',
    '[ff02::1]',
    '[100::1]',
    '[2001:db8::1]',
    '[4000::1]',
    '0.0.0.0',
    '0',
    '2130706433',
    '017700000001',
    '0x7f.1',
    '0x7f000001',
    '127.1',
    '%31%32%37.0.0.1',
    '①②⑦.0.0.1',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '192.0.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
  ])('CIMD-05, DISC-12: https://%s is refused and never dialled', async (host) => {
    const dialled = jest.spyOn(net, 'connect')
    expect(await refusal(live.fetchJson(`https://${host}:${port(canary)}/`))).toBe(NOT_PUBLIC)
    expect(await refusal(live.postForm(`https://${host}:${port(canary)}/`, {}))).toBe(NOT_PUBLIC)
    expect(dialled).not.toHaveBeenCalled()
    expect(connections).toBe(0)
  })

  test.each([
    ['a name that has a private address', ['127.0.0.1']],
    ['a name that has a metadata service', ['169.254.169.254']],
    ['one public record and one private', ['93.184.215.14', '127.0.0.1']],
    ['one private record and one public', ['::1', '93.184.215.14']],
    ['a mapped private record', ['::ffff:10.0.0.1']],
  ])('CIMD-07: %s is refused and never dialled', async (_, addresses) => {
    resolveTo(addresses)
    const dialled = jest.spyOn(net, 'connect')
    const asked = live.fetchJson(`https://127-0-0-1.rebind.example:${port(canary)}/`)
    expect(await refusal(asked)).toBe(NOT_PUBLIC)
    expect(dialled).not.toHaveBeenCalled()
    expect(connections).toBe(0)
  })

  test('CIMD-07: a name is looked up once, and what was checked is what is dialled', async () => {
    const lookup = resolveTo(['93.184.215.14', '2606:2800:21f:cb07:6820:80da:af6b:8b2c'], ['127.0.0.1'])
    const dialled: unknown[] = []
    jest.spyOn(net, 'connect').mockImplementation(((options: net.TcpNetConnectOpts) => {
      const socket = new net.Socket()
      options.lookup?.('rebind.example', { all: true }, (_error, addresses) => {
        dialled.push(addresses)
        setImmediate(() => socket.destroy(new Error('connect ECONNREFUSED 93.184.215.14')))
      })
      return socket
    }) as typeof net.connect)
    await refusal(live.fetchJson(`https://rebind.example:${port(canary)}/`))
    expect(lookup).toHaveBeenCalledTimes(1)
    expect(dialled).toEqual([
      [
        { address: '93.184.215.14', family: 4 },
        { address: '2606:2800:21f:cb07:6820:80da:af6b:8b2c', family: 6 },
      ],
    ])
    expect(connections).toBe(0)
  })

  test('CIMD-07: where the connection ends elsewhere all the same, nothing is sent', async () => {
    const bytes: Buffer[] = []
    const inside = net.createServer((socket) => {
      socket.on('data', (data) => bytes.push(data))
      socket.on('error', () => undefined)
    })
    inside.listen(0, '127.0.0.1')
    await once(inside, 'listening')
    resolveTo(['93.184.215.14'])
    const real = net.connect
    jest
      .spyOn(net, 'connect')
      .mockImplementation((() => real(port(inside), '127.0.0.1')) as unknown as typeof net.connect)
    expect(await refusal(live.fetchJson('https://moved.example/'))).toBe(NOT_PUBLIC)
    inside.close()
    await once(inside, 'close')
    expect(bytes).toEqual([])
  })

  test('reads like a name that does not exist, so that nobody can ask us for names of the network', async () => {
    resolveTo([])
    expect(await refusal(live.fetchJson('https://no-such-name.example/'))).toBe(NOT_PUBLIC)
  })

  test('a public one is dialled, and its refusal names no address', async () => {
    resolveTo(['93.184.215.14', '64:ff9b::5db8:d70e'])
    const dialled = jest.spyOn(net, 'connect').mockImplementation((() => {
      const socket = new net.Socket()
      setImmediate(() => socket.destroy(new Error('connect ECONNREFUSED 93.184.215.14')))
      return socket
    }) as typeof net.connect)
    expect(await refusal(live.fetchJson('https://rp.example/'))).toBe(
      'The host of the URL cannot be reached, or its answer is not HTTP.',
    )
    expect(dialled).toHaveBeenCalledTimes(1)
  })

  test('no proxy of the environment is asked', async () => {
    const before = { ...process.env }
    Object.assign(process.env, {
      HTTP_PROXY: `http://127.0.0.1:${port(canary)}`,
      http_proxy: `http://127.0.0.1:${port(canary)}`,
    })
    try {
      await dev.fetchJson(url)
    } finally {
      process.env = before
    }
    expect(connections).toBe(0)
    expect(requests).toHaveLength(1)
  })
})

describe('allowPrivateAddresses', () => {
  test.each<[boolean | string[]]>([
    [true],
    [['127.0.0.1']],
    [['10.0.0.0/8', '127.0.0.0/8']],
    [['::ffff:127.0.0.1']],
  ])('%j lets requests to 127.0.0.1 through, also by http', async (allowPrivateAddresses) => {
    const outgoing = create({ allowPrivateAddresses })
    expect(await outgoing.fetchJson(url)).toEqual({ body: { keys: [] }, cached: false })
    expect(await outgoing.postForm(url, {})).toBe(200)
  })

  test('true lets requests to localhost through', async () => {
    expect(await dev.fetchJson(url.replace('127.0.0.1', 'localhost'))).toMatchObject({ body: { keys: [] } })
  })

  test.each([[['127.0.0.2']], [['10.0.0.0/8', 'fd00::/8']], [['::1']], [[]]])(
    '%j does not name 127.0.0.1',
    async (allowPrivateAddresses) => {
      const outgoing = create({ allowPrivateAddresses })
      expect(await refusal(outgoing.fetchJson(`http://127.0.0.1:${port(canary)}/`))).toBe(NOT_PUBLIC)
      expect(connections).toBe(0)
    },
  )

  test.each(['169.254.169.254', '0.0.0.0', '[::]', '224.0.0.1', '[fe80::1]', '100.64.0.1'])(
    'true does not open %s, where no server for development is',
    async (host) => {
      const dialled = jest.spyOn(net, 'connect')
      expect(await refusal(dev.fetchJson(`http://${host}:${port(canary)}/`))).toBe(NOT_PUBLIC)
      expect(dialled).not.toHaveBeenCalled()
    },
  )

  test('http stays closed for public addresses', async () => {
    resolveTo(['93.184.215.14'])
    const dialled = jest.spyOn(net, 'connect')
    expect(await refusal(dev.fetchJson('http://rp.example/'))).toBe('The URL must begin with https://.')
    expect(dialled).not.toHaveBeenCalled()
  })

  test.each(['localhost', '127.0.0.1/33', '', 'example.com'])('%j is refused at construction', (entry) => {
    expect(() => create({ allowPrivateAddresses: ['10.0.0.0/8', entry] })).toThrow(
      /allowPrivateAddresses\[1\] is '.*', not an address\. Write an IP address or a CIDR range/,
    )
  })
})

describe('a URL', () => {
  test.each([
    ['http://rp.example/', 'The URL must begin with https://.'],
    ['ftp://rp.example/', 'The URL must begin with https://.'],
    ['file:///etc/passwd', 'The URL must begin with https://.'],
    ['data:application/json,{}', 'The URL must begin with https://.'],
    ['not a URL', 'The URL must begin with https://.'],
    ['', 'The URL must begin with https://.'],
    ['https://', 'The URL must begin with https://.'],
    ['https://user@rp.example/', 'The URL must not hold a user name or password.'],
    ['https://user:SECRET@rp.example/', 'The URL must not hold a user name or password.'],
    ['https://rp.example/#f', 'The URL must not hold a fragment (#).'],
    ['https://rp.example/#', 'The URL must not hold a fragment (#).'],
  ])('CIMD-02: %j is refused before anything is looked up', async (text, message) => {
    const lookup = jest.spyOn(dns, 'lookup')
    expect(await refusal(live.fetchJson(text))).toBe(message)
    expect(await refusal(live.postForm(text, {}))).toBe(message)
    expect(lookup).not.toHaveBeenCalled()
  })

  test.each([
    ['https', 443],
    ['http', 80],
  ])('%s goes to port %d where the URL names none', async (scheme, port) => {
    const dialled: unknown[] = []
    jest.spyOn(net, 'connect').mockImplementation(((options: net.TcpNetConnectOpts) => {
      dialled.push(options.port)
      const socket = new net.Socket()
      setImmediate(() => socket.destroy(new Error('connect ECONNREFUSED')))
      return socket
    }) as typeof net.connect)
    await expect(dev.fetchJson(`${scheme}://127.0.0.1/`)).rejects.toThrow(/cannot be reached/)
    expect(dialled).toEqual([port])
  })
})

describe('an answer to fetchJson', () => {
  test.each([301, 302, 303, 307, 308])('CIMD-05: %d to another place is not followed', async (status) => {
    answer = (_req, res) =>
      res.writeHead(status, { location: `http://127.0.0.1:${port(canary)}/` }).end('{"keys":[]}')
    expect(await refusal(dev.fetchJson(url))).toBe(
      `The URL answered with status ${status} instead of 200. Redirects are not followed.`,
    )
    expect(connections).toBe(0)
  })

  test.each([201, 204, 206, 304, 400, 404, 500, 503])('CIMD-05: %d is an error', async (status) => {
    answer = json({ keys: [] }, {}, status)
    expect(await refusal(dev.fetchJson(url))).toContain(`status ${status} instead of 200`)
  })

  test('CIMD-05: 65536 bytes are read and one more is not', async () => {
    const fill = (length: number) => 'x'.repeat(length - 2)
    answer = json(fill(65_536))
    expect((await dev.fetchJson(url)).body).toHaveLength(65_534)
    answer = json(fill(65_537))
    expect(await refusal(dev.fetchJson(`${url}-larger`))).toBe('The URL answered with more than 65536 bytes.')
  })

  test('CIMD-05: the size limit can be smaller', async () => {
    answer = json('x'.repeat(5 * 1024))
    expect(await refusal(create({ sizeLimit: 5 * 1024 }).fetchJson(url))).toContain('more than 5120 bytes')
  })

  test('CIMD-05: an endless body is cut off', async () => {
    let open = true
    answer = (req, res) => {
      req.on('close', () => {
        open = false
      })
      const more = () => {
        if (open) res.write(' '.repeat(16_384), () => setImmediate(more))
      }
      more()
    }
    expect(await refusal(dev.fetchJson(url))).toContain('more than 65536 bytes')
    await closed(requests[0])
  })

  test.each([
    ['no answer at all', () => undefined],
    ['a head and no body', (_req, res) => res.writeHead(200).flushHeaders()],
    [
      'a byte now and then',
      (_req, res) => {
        const drip = setInterval(() => res.write(' '), 20)
        res.on('close', () => clearInterval(drip))
      },
    ],
    [
      'an endless head',
      ({ socket }) => {
        socket.write('HTTP/1.1 200 OK\r\n')
        const drip = setInterval(() => socket.write('a: b\r\n'), 20)
        socket.on('close', () => clearInterval(drip))
      },
    ],
    [
      'endless interim answers',
      ({ socket }) => {
        const drip = setInterval(() => socket.write('HTTP/1.1 102 Processing\r\n\r\n'), 20)
        socket.on('close', () => clearInterval(drip))
      },
    ],
  ] satisfies [string, RequestListener][])('CIMD-05: %s ends with the time limit', async (_, slow) => {
    answer = slow
    const outgoing = create({ timeLimit: 150 })
    const start = performance.now()
    const message = 'The host of the URL did not answer completely within 0.15 seconds.'
    expect(await refusal(outgoing.fetchJson(url))).toBe(message)
    expect(performance.now() - start).toBeLessThan(2000)
    await closed(requests[0])
  })

  test('CIMD-05: a name server that does not answer ends with the time limit', async () => {
    const answers: Found[] = []
    jest
      .spyOn(dns, 'lookup')
      .mockImplementation(((_host: string, _options: object, found: Found) => answers.push(found)) as never)
    expect(await refusal(create({ timeLimit: 50 }).fetchJson('https://slow.example/'))).toContain(
      'within 0.05 seconds',
    )
    for (const found of answers) found(new Error('late'), [])
  })

  test('a copy that is still good is given at once, whatever question of a stranger is under way', async () => {
    const outgoing = create({ timeLimit: 100 })
    answer = json({ keys: [1] }, { 'cache-control': 'max-age=600' })
    await outgoing.fetchJson(url)
    now += 10_000
    answer = () => undefined
    const strangers = refusal(outgoing.fetchJson(url, { fresh: true }))
    expect(await outgoing.fetchJson(url)).toEqual({ body: { keys: [1] }, cached: true })
    expect(await strangers).toContain('within 0.1 seconds')
  })

  test('a name that never resolves takes one look-up at a time, whatever is asked of it and however often', async () => {
    const answers: Found[] = []
    const lookup = jest
      .spyOn(dns, 'lookup')
      .mockImplementation(((_host: string, _options: object, found: Found) => answers.push(found)) as never)
    const short = create({ timeLimit: 20 })
    const ask = (name: string) => refusal(short.fetchJson(`https://${name}.example/${Math.random()}`))
    await Promise.all([ask('tarpit'), ask('tarpit'), ask('other')])
    await ask('tarpit')
    expect(lookup).toHaveBeenCalledTimes(2)
    // Once it has been answered, the name is asked for anew.
    for (const found of answers) found(new Error('late'), [])
    await new Promise(setImmediate)
    await ask('tarpit')
    expect(lookup).toHaveBeenCalledTimes(3)
    answers.at(-1)?.(new Error('late'), [])
  })

  test('names that never resolve hold three threads at most, and leave the pool to others', async () => {
    const answers: Found[] = []
    const lookup = jest
      .spyOn(dns, 'lookup')
      .mockImplementation(((_host: string, _options: object, found: Found) => answers.push(found)) as never)
    const short = create({ timeLimit: 20 })
    const names = Array.from({ length: 8 }, (_, index) => `https://tarpit${index}.example/`)
    const refusals = await Promise.all(names.map((name) => refusal(short.fetchJson(name))))
    expect(refusals).toEqual(names.map(() => expect.stringContaining('within 0.02 seconds')))
    const most = lookup.mock.calls.length
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThanOrEqual(3)
    for (const found of answers) found(new Error('late'), [])
    await new Promise(setImmediate)
    // Whoever still wants one has its turn.
    lookup.mockRestore()
    expect((await dev.fetchJson(url)).body).toEqual({ keys: [] })
  })

  test('CIMD-05: nothing compressed is asked for, and nothing is unpacked', async () => {
    const bomb = gzipSync(JSON.stringify('x'.repeat(50_000_000)))
    expect(bomb.length).toBeLessThan(65_536)
    answer = (_req, res) => res.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)
    expect(await refusal(dev.fetchJson(url))).toContain('compressed')
    expect(requests[0]?.headers['accept-encoding']).toBe('identity')
  })

  test.each([
    ['what is not JSON', 'SECRET of the network', 'application/json'],
    ['JSON that ends too early', '{"keys":[', 'application/json'],
    ['nothing', '', 'application/json'],
    ['two documents', '{}{}', 'application/json'],
    ['a member that comes twice', '{"SECRET":1,"SECRET":2}', 'application/json'],
    ['33 levels', `${'['.repeat(33)}${']'.repeat(33)}`, 'application/json'],
    ['what is not UTF-8', Buffer.from('{"a":"\xff"}', 'latin1'), 'application/json'],
    ['a page', '{}', 'text/html; charset=utf-8'],
    ['a page of XML', '{}', 'application/xhtml+xml'],
  ])('%s is an error that quotes nothing', async (_, body, type) => {
    answer = (_req, res) => res.writeHead(200, { 'content-type': type }).end(body)
    expect(await refusal(dev.fetchJson(url))).toMatch(/^The URL answered with (?!.*SECRET).*(?:JSON|HTML)/)
  })

  test.each(['application/jwk-set+json', 'application/json; charset=utf-8', 'text/plain', undefined])(
    'JSON of the media type %s is taken',
    async (type) => {
      answer = (_req, res) =>
        res.writeHead(200, type === undefined ? {} : { 'content-type': type }).end('\ufeff{"keys":[]}')
      expect((await dev.fetchJson(url)).body).toEqual({ keys: [] })
    },
  )

  test.each([
    ['a body cut short', 'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"keys":[]}'],
    ['a chunk cut short', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n{"keys":[]}'],
    ['no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n{}'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}'],
    ['a head of 100 KB', `HTTP/1.1 200 OK\r\n${`a: ${'b'.repeat(1000)}\r\n`.repeat(100)}\r\n{}`],
    ['nothing', ''],
  ])('%s is an error, and never a crash', async (_, bytes) => {
    answer = ({ socket }) => socket.end(bytes)
    expect(await refusal(dev.fetchJson(url))).toBe(
      'The host of the URL cannot be reached, or its answer is not HTTP.',
    )
  })

  test('the request says who asks, and nothing else of us', async () => {
    await dev.fetchJson(`${url}?a=b%20c`)
    expect(requests[0]?.url).toBe(`/${ticket}?a=b%20c`)
    expect(requests[0]?.headers).toEqual({
      host: `127.0.0.1:${port(server)}`,
      'user-agent': 'express-oauth-provider',
      accept: 'application/json, application/*+json',
      'accept-encoding': 'identity',
      connection: 'close',
    })
  })

  test.each([
    ['that is good', 200, '{}'],
    ['that is refused', 302, 'x'.repeat(100_000)],
  ])(
    'the connection of an answer %s is closed with it, although the server would keep it',
    async (_, status, body) => {
      server.keepAliveTimeout = 60_000
      const sockets: net.Socket[] = []
      server.once('connection', (socket: net.Socket) => sockets.push(socket))
      answer = (_req, res) => res.writeHead(status, { connection: 'keep-alive' }).end(body)
      await dev.fetchJson(`${url}-${status}`).catch(() => undefined)
      for (let turn = 0; turn < 100 && !sockets[0]!.destroyed; turn++)
        await new Promise((done) => setTimeout(done, 10))
      expect(sockets[0]!.destroyed).toBe(true)
    },
  )
})

describe('TLS', () => {
  const { key, cert } = selfSignedCertificate('localhost')
  let secure: https.Server
  let names: unknown[] = []

  beforeAll(async () => {
    secure = https.createServer({ key, cert }, (req, res) => {
      requests.push(req)
      names.push((req.socket as tls.TLSSocket & { servername: unknown }).servername)
      res.end('{"keys":[]}')
    })
    secure.listen(0)
    await once(secure, 'listening')
  })
  afterAll(() => secure.close().closeAllConnections())
  beforeEach(() => {
    names = []
  })

  /** As if an authority had signed the certificate. */
  function trust() {
    const real = tls.connect
    jest
      .spyOn(tls, 'connect')
      .mockImplementation(((options: tls.ConnectionOptions) =>
        real({ ...options, ca: cert })) as typeof tls.connect)
  }

  test('a certificate for the name, by an authority, is accepted', async () => {
    trust()
    resolveTo(['127.0.0.1'])
    for (const host of ['localhost', 'localhost.']) {
      const asked = dev.fetchJson(`https://${host}:${port(secure)}/good`)
      expect(await asked).toEqual({ body: { keys: [] }, cached: false })
    }
    expect(names).toEqual(['localhost', 'localhost'])
  })

  test.each([
    ['of an unknown authority', 'localhost', false],
    ['for another name', 'other.localhost', true],
    ['for a name, at an address', '127.0.0.1', true],
  ])('CIMD-05: a certificate %s is refused before anything is sent', async (_, host, trusted) => {
    if (trusted) trust()
    if (host !== '127.0.0.1') resolveTo(['127.0.0.1'])
    if (!trusted) jest.spyOn(tls, 'connect')
    expect(await refusal(dev.fetchJson(`https://${host}:${port(secure)}/`))).toMatch(/^No secure connection/)
    // Else NODE_TLS_REJECT_UNAUTHORIZED decides, which Jest keeps from us.
    expect(jest.mocked(tls.connect).mock.lastCall?.[0]).toMatchObject({ rejectUnauthorized: true })
    expect(requests).toHaveLength(0)
  })

  test('a server without TLS is refused, and one that is silent ends with the time limit', async () => {
    expect(await refusal(dev.fetchJson(url.replace('http:', 'https:')))).toMatch(/^No secure connection/)
    const silent = net.createServer((socket) => socket.resume().on('error', () => undefined))
    silent.listen(0)
    await once(silent, 'listening')
    const asked = create({ timeLimit: 100 }).fetchJson(`https://127.0.0.1:${port(silent)}/`)
    expect(await refusal(asked)).toContain('within 0.1 seconds')
    silent.close()
    await once(silent, 'close')
  })
})

describe('the cache of fetchJson', () => {
  let version = 0
  let headers: Record<string, string> = {}
  let outgoing = dev
  beforeEach(() => {
    version = 0
    headers = {}
    outgoing = create({})
    answer = (req, res) => json({ version: ++version }, headers)(req, res)
  })
  const ask = async (fresh = false) => {
    const { body, cached } = await outgoing.fetchJson(url, { fresh })
    return [(body as { version: number }).version, cached]
  }
  const advance = (seconds: number) => {
    now += seconds * 1000
  }

  test.each([
    ['no header', {}, 300],
    ['max-age', { 'cache-control': 'max-age=60' }, 60],
    ['max-age in capitals', { 'cache-control': 'Max-Age=60' }, 60],
    ['max-age with must-revalidate', { 'cache-control': 'private, max-age=60, must-revalidate' }, 60],
    [
      'max-age with stale-while-revalidate',
      { 'cache-control': 'max-age=60, stale-while-revalidate=600' },
      60,
    ],
    ['max-age that is partly over', { 'cache-control': 'max-age=60', age: '20' }, 40],
    ['an age that is none', { 'cache-control': 'max-age=60', age: '-999999' }, 24 * 3600],
    ['max-age of a year', { 'cache-control': 'max-age=31536000' }, 24 * 3600],
    ['immutable', { 'cache-control': 'max-age=31536000, immutable' }, 24 * 3600],
    ['Last-Modified alone', { 'last-modified': 'Wed, 01 Jan 2020 00:00:00 GMT' }, 300],
    [
      'Expires of a server whose clock is wrong',
      { date: 'Wed, 01 Jan 2020 00:00:00 GMT', expires: 'Wed, 01 Jan 2020 00:02:00 GMT' },
      120,
    ],
  ])('keeps a document with %s for as long as that says, and 24 hours at most', async (_, given, seconds) => {
    headers = given as Record<string, string>
    expect(await ask()).toEqual([1, false])
    advance(seconds - 1)
    expect(await ask()).toEqual([1, true])
    advance(1)
    expect(await ask()).toEqual([2, false])
  })

  test.each<[string, Record<string, string>]>([
    ['no-store', { 'cache-control': 'no-store' }],
    ['no-cache', { 'cache-control': 'no-cache' }],
    ['max-age=0', { 'cache-control': 'max-age=0, must-revalidate' }],
    ['Pragma: no-cache', { pragma: 'no-cache' }],
    ['Expires: 0', { expires: '0' }],
    ['Vary: *', { vary: '*', 'cache-control': 'max-age=60' }],
  ])('does not use a document with %s twice', async (_, given) => {
    headers = given
    expect(await ask()).toEqual([1, false])
    expect(await ask()).toEqual([2, false])
  })

  test('those who ask at the same time share one request, and one error', async () => {
    headers = { 'cache-control': 'no-store' }
    const all = await Promise.all(Array.from({ length: 20 }, (_, index) => ask(index % 2 === 0)))
    expect(all).toEqual(Array.from({ length: 20 }, () => [1, false]))
    answer = json({}, {}, 500)
    const failed = await Promise.allSettled(Array.from({ length: 20 }, () => ask()))
    expect(failed.every(({ status }) => status === 'rejected')).toBe(true)
    expect(requests).toHaveLength(2)
  })

  test('fresh asks again at once, and then at most every 5 seconds', async () => {
    expect(await ask()).toEqual([1, false])
    expect(await ask(true)).toEqual([2, false])
    expect(await ask(true)).toEqual([2, true])
    advance(4.999)
    expect(await ask(true)).toEqual([2, true])
    advance(0.001)
    expect(await ask(true)).toEqual([3, false])
    expect(await ask()).toEqual([3, true])
  })

  test('an error is not kept, and takes no document along that is still good', async () => {
    answer = json({}, {}, 500)
    await refusal(outgoing.fetchJson(url))
    answer = json({ version: 7 })
    expect(await ask()).toEqual([7, false])
    answer = json({}, {}, 500)
    await refusal(outgoing.fetchJson(url, { fresh: true }))
    expect(await ask()).toEqual([7, true])
    advance(300)
    await refusal(outgoing.fetchJson(url))
  })

  test.each([
    ['documents that must not be kept', 200, [20, true]],
    ['errors', 500, undefined],
  ])('one URL is asked at most 20 times in 10 seconds, also for %s', async (_, status, last) => {
    answer = (req, res) => json({ version: ++version }, { 'cache-control': 'no-store' }, status)(req, res)
    const asked = () => ask().catch((error: unknown) => expect(error).toBeInstanceOf(OutgoingError))
    for (let times = 0; times < 25; times++) await asked()
    expect(requests).toHaveLength(20)
    expect(await asked()).toEqual(last)
    advance(10)
    await asked()
    expect(requests).toHaveLength(21)
  })

  test.each([
    ['ETag', 'if-none-match', { etag: '"v1"' }],
    ['weak ETag', 'if-none-match', { etag: 'W/"v1"' }],
    ['Last-Modified', 'if-modified-since', { 'last-modified': 'Wed, 01 Jan 2020 00:00:00 GMT' }],
  ])('asks with the %s whether a stale document has changed', async (_, condition, given) => {
    const validators: Record<string, string> = given
    headers = { ...validators, 'cache-control': 'max-age=60' }
    expect(await ask()).toEqual([1, false])
    advance(60)
    answer = (_req, res) => res.writeHead(304, { ...validators, 'cache-control': 'max-age=120' }).end()
    expect(await ask()).toEqual([1, false])
    expect(requests[1]?.headers[condition]).toBe(Object.values(validators)[0])
    advance(119)
    expect(await ask()).toEqual([1, true])
    advance(1)
    answer = json({ version: 9 }, headers)
    expect(await ask()).toEqual([9, false])
  })

  test('a 304 that nobody asked for is an error', async () => {
    headers = { 'cache-control': 'max-age=60' }
    await ask()
    advance(60)
    answer = (_req, res) => res.writeHead(304).end()
    expect(await refusal(outgoing.fetchJson(url))).toContain('status 304 instead of 200')
  })

  test('a 304 for another version does not keep the old one alive', async () => {
    headers = { etag: '"v1"', 'cache-control': 'max-age=60' }
    await ask()
    advance(60)
    answer = (_req, res) => res.writeHead(304, { etag: '"v2"', 'cache-control': 'max-age=60' }).end()
    await outgoing.fetchJson(url).catch(() => undefined)
    answer = json({ version: 9 }, headers)
    expect(await ask()).toEqual([9, false])
  })

  test('URLs are told apart, and spellings of one are not', async () => {
    expect(await ask()).toEqual([1, false])
    expect((await outgoing.fetchJson(`${url}?x`)).cached).toBe(false)
    expect((await outgoing.fetchJson(url.replace('http:', 'HTTP:'))).cached).toBe(true)
  })

  test('remembers 1000 URLs, and forgets the oldest first', async () => {
    await ask()
    for (let from = 0; from < 1000; from += 50) {
      await Promise.all(
        Array.from({ length: 50 }, (_, index) => outgoing.fetchJson(`${url}/${from + index}`)),
      )
      if (from === 500) expect((await ask())[1]).toBe(true)
      // One host is not asked for more in a minute.
      advance(12)
    }
    expect((await outgoing.fetchJson(`${url}/0`)).cached).toBe(false)
    expect((await ask())[1]).toBe(true)
    expect((await outgoing.fetchJson(`${url}/999`)).cached).toBe(true)
  })

  test('forgets the oldest earlier where a few that are small as text fill the memory', async () => {
    await ask()
    const many = `[${Array.from({ length: 20_000 }, () => '{}').join()}]`
    answer = (_req, res) => res.writeHead(200, { 'content-type': 'application/json' }).end(many)
    for (const n of [1, 2, 3]) await outgoing.fetchJson(`${url}/many${n}`)
    expect((await outgoing.fetchJson(url)).cached).toBe(true)
    for (const n of [4, 5, 6, 7, 8, 9, 10]) await outgoing.fetchJson(`${url}/many${n}`)
    expect((await outgoing.fetchJson(`${url}/many10`)).cached).toBe(true)
    expect((await outgoing.fetchJson(`${url}/many1`)).cached).toBe(false)
    expect((await outgoing.fetchJson(url)).cached).toBe(false)
    // What is forgotten takes no room: the last few are there still.
    expect((await outgoing.fetchJson(`${url}/many9`)).cached).toBe(true)
  })
})

test('CIMD-05: one host is asked 300 times a minute, however many URLs it has', async () => {
  const outgoing = create({})
  for (let n = 0; n < 300; n += 50)
    await Promise.all(Array.from({ length: 50 }, (_, index) => outgoing.fetchJson(`${url}/${n + index}`)))
  expect(await refusal(outgoing.fetchJson(`${url}/more`))).toContain('too many have been')
  // What is still good is given, and another host is asked.
  expect((await outgoing.fetchJson(`${url}/0`)).cached).toBe(true)
  expect((await outgoing.fetchJson(url.replace('127.0.0.1', 'localhost'))).cached).toBe(false)
  now += 60_000
  expect((await outgoing.fetchJson(`${url}/more`)).cached).toBe(false)
})

describe('where a host may not be asked now', () => {
  let outgoing = dev
  beforeEach(() => {
    outgoing = create({})
  })
  /** Uses up the questions to this host: where nobody listens, so it is soon done. */
  async function saturate(stranger: boolean): Promise<void> {
    const asked = Array.from({ length: 300 }, (_, n) =>
      outgoing.fetchJson(`http://127.0.0.1:1/${now}/${n}`, { stranger }),
    )
    expect((await Promise.allSettled(asked)).every(({ status }) => status === 'rejected')).toBe(true)
  }

  test('what it said before counts for a minute and no longer, so that what it withdrew does not come back', async () => {
    answer = json({ keys: ['withdrawn'] }, { 'cache-control': 'max-age=5' })
    await outgoing.fetchJson(`${url}/before`)
    now += 30_000
    await outgoing.fetchJson(url)
    now += 30_000
    await saturate(false)
    now += 29_999
    expect(await outgoing.fetchJson(url)).toEqual({ body: { keys: ['withdrawn'] }, cached: true })
    now++
    expect(await refusal(outgoing.fetchJson(url))).toContain('too many have been')
  })

  test('what it has called good for longer is good', async () => {
    answer = json({ keys: [] }, { 'cache-control': 'max-age=600' })
    await outgoing.fetchJson(url)
    now += 300_000
    await saturate(false)
    expect((await outgoing.fetchJson(url, { fresh: true })).cached).toBe(true)
  })

  test('strangers have used up nobody’s questions but their own, whatever the URLs', async () => {
    await saturate(true)
    expect(await refusal(outgoing.fetchJson(url, { stranger: true }))).toContain('too many have been')
    expect((await outgoing.fetchJson(url)).cached).toBe(false)
  })
})

test('URLs that nobody may have asked push out nothing that is remembered', async () => {
  const outgoing = create({})
  const ask = (path: string) => outgoing.fetchJson(`http://127.0.0.1:1/${path}`, { stranger: true })
  answer = json({ keys: [] }, { 'cache-control': 'max-age=600' })
  await outgoing.fetchJson(url)
  await Promise.allSettled(Array.from({ length: 300 }, (_, n) => ask(`first/${n}`)))
  expect(await refusal(ask('more'))).toContain('too many have been')
  await Promise.allSettled(Array.from({ length: 1000 }, (_, n) => ask(`more/${n}`)))
  expect((await outgoing.fetchJson(url)).cached).toBe(true)
})

describe('postForm', () => {
  test('to names of strangers that never resolve leaves a look-up to others', async () => {
    const answers: Found[] = []
    const lookup = jest
      .spyOn(dns, 'lookup')
      .mockImplementation(((_host: string, _options: object, found: Found) => answers.push(found)) as never)
    const short = create({ timeLimit: 20 })
    const ask = (name: string, stranger: boolean) =>
      refusal(short.postForm(`https://${name}.example/`, {}, { stranger }))
    await Promise.all(['a', 'b', 'c', 'd'].map((name) => ask(name, true)))
    await ask('own', false)
    expect(lookup.mock.calls.map(([host]) => host)).toEqual(['a.example', 'b.example', 'own.example'])
    for (const found of answers) found(new Error('late'), [])
    await new Promise(setImmediate)
  })

  test('posts the fields as a form and resolves with the status', async () => {
    let body = ''
    answer = (req, res) => {
      req.setEncoding('utf8').on('data', (data) => {
        body += data
      })
      req.on('end', () => res.writeHead(204).end())
    }
    expect(await dev.postForm(url, { logout_token: 'a.b.c', more: 'ü &=' })).toBe(204)
    expect(new URLSearchParams(body)).toEqual(new URLSearchParams({ logout_token: 'a.b.c', more: 'ü &=' }))
    expect(requests[0]).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(body.length) },
    })
  })

  test.each([200, 400, 404, 500])('%d is a status like others', async (status) => {
    answer = json({}, {}, status)
    expect(await dev.postForm(url, {})).toBe(status)
  })

  test.each([301, 302, 307, 308])('%d is not followed', async (status) => {
    answer = (_req, res) => res.writeHead(status, { location: `http://127.0.0.1:${port(canary)}/` }).end()
    expect(await dev.postForm(url, {})).toBe(status)
    expect(connections).toBe(0)
  })

  test('an endless body is not read', async () => {
    answer = (_req, res) => {
      const drip = setInterval(() => res.write(' '.repeat(1000)), 1)
      res.on('close', () => clearInterval(drip))
    }
    expect(await dev.postForm(url, {})).toBe(200)
    await closed(requests[0])
  })

  test('no answer ends with the time limit, and the same form is sent again when asked', async () => {
    answer = () => undefined
    const outgoing = create({ timeLimit: 100 })
    expect(await refusal(outgoing.postForm(url, {}))).toContain('within 0.1 seconds')
    answer = json({})
    expect(await outgoing.postForm(url, {})).toBe(200)
    expect(await outgoing.postForm(url, {})).toBe(200)
    expect(requests).toHaveLength(3)
  })

  test('five seconds are given where nothing else is said', async () => {
    const given = jest.spyOn(AbortSignal, 'timeout')
    answer = (_req, res) => res.end('{}')
    await dev.fetchJson(`${url}-in-time`)
    await dev.postForm(url, {})
    expect(given.mock.calls).toEqual([[5000], [5000]])
  })

  test('a host that nobody listens at is an error', async () => {
    const gone = net.createServer().listen(0)
    await once(gone, 'listening')
    const at = port(gone)
    gone.close()
    await once(gone, 'close')
    expect(await refusal(dev.postForm(`http://127.0.0.1:${at}/`, {}))).toContain('cannot be reached')
  })
})

/** Waits until our side has let go of the connection. */
async function closed(req: IncomingMessage | undefined): Promise<void> {
  const { socket } = req ?? { socket: undefined }
  if (socket && !socket.destroyed) await new Promise((resolve) => socket.once('close', resolve))
}
