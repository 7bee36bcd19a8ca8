import { readFileSync } from 'node:fs'
import { IncomingMessage, type Server } from 'node:http'
import { Socket } from 'node:net'
import path from 'node:path'
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { UnauthorizedError as UnauthorizedErrorV1 } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as StreamableHTTPClientTransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { AuthInfo as AuthInfoV1 } from '@modelcontextprotocol/sdk/server/auth/types.js'
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { createMcpHandler, McpServer, requireScopes } from '@modelcontextprotocol/server'
import express, { type Express } from 'express'
import session from 'express-session'
import { z } from 'zod'
import {
  type OAuthProvider,
  type OAuthProviderOptions,
  oauthProvider,
  type TokenAuth,
  toolCalls,
} from '../../lib/index.js'
import { Browser } from '../consumers/browser.cjs'
import { type DocumentSite, startDocumentSite } from '../support/documents.js'
import { freePort } from '../support/free-port.js'
import { MemoryOAuth } from '../support/mcp-client.js'
import { signingKeys } from '../support/signing-keys.js'

/** Where the recipe stands that is run here, after a mark. */
const RECIPE = path.resolve(import.meta.dirname, '../../README.md')

let origin: string
let host: Express
let oauth: OAuthProvider
let server: Server
let site: DocumentSite
let time = Date.now()

beforeAll(async () => {
  // The SDK says on the console when it forgets tokens.
  jest.spyOn(console, 'warn').mockImplementation(() => undefined)
  site = await startDocumentSite()
  const port = await freePort()
  origin = `http://localhost:${port}`
  const hosting = Object.assign((): Express => {
    host = express()
    const listen = host.listen.bind(host) as (...given: unknown[]) => Server
    return Object.assign(host, { listen: (...given: unknown[]) => (server = listen(...given)) })
  }, express)
  const provider = (options: OAuthProviderOptions) => {
    const forTests = { store: ':memory:', keys: signingKeys, allowPrivateAddresses: true, clock: () => time }
    oauth = oauthProvider({ ...options, ...forTests })
    return oauth
  }
  const sdk = { toNodeHandler, createMcpHandler, McpServer, requireScopes, z }
  const environment = { process: { env: { PORT: port } }, console: { log: () => undefined } }
  const names = { ...sdk, ...environment, express: hosting, oauthProvider: provider, session }
  const code = /<!-- mcp -->\n```js\n(.*?)^```$/ms.exec(readFileSync(RECIPE, 'utf8'))?.[1] ?? ''
  new Function(...Object.keys(names), code.replaceAll(/^import .*$/gm, ''))(...Object.values(names))
})
afterAll(async () => {
  server.close().closeAllConnections()
  await oauth.close()
  await site.close()
})

interface Connection {
  /** Calls a tool and gives the text that it answers. */
  call(name: string, args?: Record<string, unknown>): Promise<string>
  /** Goes on with what the browser brought back. */
  finish(callback: URL): Promise<void>
  close(): Promise<void>
}

/** Opens a connection to the MCP endpoint; where somebody has to be asked first, it has not got through. */
async function open(keeper: MemoryOAuth, mode: 'legacy' | 'auto' = 'legacy', at = '/mcp') {
  const transport = new StreamableHTTPClientTransport(new URL(at, origin), { authProvider: keeper })
  const client = new Client({ name: 'assistant', version: '1.0.0' }, { versionNegotiation: { mode } })
  const connection: Connection = {
    async call(name, args = {}) {
      const { content } = await client.callTool({ name, arguments: args })
      return (content as { text: string }[])[0]?.text ?? ''
    },
    finish: (callback) => transport.finishAuth(callback.searchParams),
    close: () => client.close(),
  }
  const problem = await client.connect(transport).then(
    () => undefined,
    (error: unknown) => error,
  )
  return { ...connection, problem, version: () => client.getNegotiatedProtocolVersion() }
}

/** What the user does where the client has sent them last: signs in, reads the page, approves or denies. */
async function atBrowser(keeper: MemoryOAuth, decision: 'approve' | 'deny' = 'approve') {
  const browser = new Browser()
  const login = await browser.open(keeper.asked.at(-1) ?? '')
  const page = await browser.submit(login)
  const { url } = await browser.submit(page, decision, { stop: keeper.redirectUrl })
  return { callback: url, page: page.text }
}

/** The scopes in one section of a consent page. */
function scopesIn(page: string, section: 'required' | 'granted'): string[] {
  const [part = ''] =
    new RegExp(`<section[^>]*aria-labelledby="${section}".*?</section>`, 's').exec(page) ?? []
  return [...part.matchAll(/<code><bdi>(.*?)<\/bdi>/g)].map(([, scope]) => scope ?? '')
}

/** All the way to a connection that works. */
async function connected(keeper: MemoryOAuth, mode: 'legacy' | 'auto' = 'legacy', at = '/mcp') {
  const first = await open(keeper, mode, at)
  expect(first.problem).toBeInstanceOf(UnauthorizedError)
  const { callback, page } = await atBrowser(keeper)
  await first.finish(callback)
  const connection = await open(keeper, mode, at)
  expect(connection.problem).toBeUndefined()
  return { ...connection, page }
}

function documented(): MemoryOAuth {
  const { clientMetadata } = new MemoryOAuth()
  const path = `/${clientMetadata.client_name.replace(' ', '-')}.json`
  return new MemoryOAuth(site.serve(path, clientMetadata))
}

describe.each([
  ['that registers itself', 'legacy', '2025-11-25', () => new MemoryOAuth()],
  ['that registers itself', 'auto', '2026-07-28', () => new MemoryOAuth()],
  ['whose id is a URL', 'legacy', '2025-11-25', () => documented()],
  ['whose id is a URL', 'auto', '2026-07-28', () => documented()],
] as const)('an MCP client %s (%s: %s)', (_name, mode, version, keeperOf) => {
  test('comes from its first 401 to a tool that knows its user', async () => {
    const keeper = keeperOf()
    const connection = await connected(keeper, mode)
    const [asked] = keeper.asked
    expect(Object.fromEntries(asked?.searchParams ?? [])).toMatchObject({
      client_id: keeper.clientMetadataUrl ?? keeper.registered[0],
      resource: `${origin}/mcp`,
      scope: 'photos offline_access',
      code_challenge_method: 'S256',
    })
    expect(keeper.registered).toHaveLength(keeper.clientMetadataUrl === undefined ? 1 : 0)
    expect(connection.version()).toBe(version)
    expect(scopesIn(connection.page, 'required')).toEqual(['photos', 'offline_access'])
    expect(await connection.call('list_photos')).toBe('bridge, harbour')
    await connection.close()
  })

  test('refreshes by itself when its access token has expired, and gets a new refresh token', async () => {
    const keeper = keeperOf()
    const connection = await connected(keeper, mode)
    const before = keeper.current
    time += 3_600_000
    expect(await connection.call('list_photos')).toBe('bridge, harbour')
    expect(keeper.asked).toHaveLength(1)
    expect(keeper.current?.access_token).not.toBe(before?.access_token)
    expect(keeper.current?.refresh_token).not.toBe(before?.refresh_token)
    expect(keeper.current?.scope).toBe('photos offline_access')
    time += 11_000
    expect((await refresh(keeper, before?.refresh_token)).body).toMatchObject({ error: 'invalid_grant' })
    await connection.close()
  })

  test('steps up for a tool that needs more: the user is asked for what is new, and nothing is lost', async () => {
    const keeper = keeperOf()
    const connection = await connected(keeper, mode)
    const deletion = { name: 'sunset' }
    await expect(connection.call('delete_photo', deletion)).rejects.toThrow(UnauthorizedError)
    expect(keeper.asked).toHaveLength(2)
    const scope = keeper.asked[1]?.searchParams.get('scope')?.split(' ').sort()
    expect(scope).toEqual(['offline_access', 'photos', 'photos:delete'])
    const { callback, page } = await atBrowser(keeper)
    expect(scopesIn(page, 'required')).toEqual(['photos:delete'])
    expect(scopesIn(page, 'granted')).toEqual(['photos', 'offline_access'])
    await connection.finish(callback)
    expect(await connection.call('delete_photo', deletion)).toBe('There is no sunset')
    expect(await connection.call('list_photos')).toBe('bridge, harbour')
    expect(keeper.registered.length).toBeLessThan(2)
    const id = keeper.clientMetadataUrl ?? keeper.registered[0]
    const grants = await oauth.grants.list({ userId: 'ada', clientId: id ?? '' })
    expect(grants.map(({ access }) => access)).toEqual([
      { [`${origin}/mcp`]: ['photos', 'offline_access', 'photos:delete'] },
    ])
    await connection.close()
  })
})

async function refresh(keeper: MemoryOAuth, token = '') {
  const form = { grant_type: 'refresh_token', refresh_token: token }
  const client_id = keeper.clientMetadataUrl ?? keeper.registered.at(-1) ?? ''
  const body = new URLSearchParams({ ...form, client_id })
  const answer = await fetch(`${origin}/oauth/token`, { method: 'POST', body })
  return { status: answer.status, body: await answer.json() }
}

test('a user who denies is not asked again, and the client hears of it', async () => {
  const keeper = new MemoryOAuth()
  const first = await open(keeper)
  const { callback } = await atBrowser(keeper, 'deny')
  expect(Object.fromEntries(callback.searchParams)).toMatchObject({
    ...{ error: 'access_denied', state: 'state-of-the-client', iss: `${origin}/oauth` },
  })
  await expect(first.finish(callback)).rejects.toThrow('The user denied the request.')
  expect(keeper.current).toBeUndefined()
})

test('CAUTH-03 a client that was deleted hears invalid_client at /token, and registers anew', async () => {
  const keeper = new MemoryOAuth()
  const connection = await connected(keeper, 'auto')
  const [id = ''] = keeper.registered
  const { refresh_token } = keeper.current ?? {}
  await oauth.clients.delete(id)
  expect(await refresh(keeper, refresh_token)).toMatchObject({
    status: 401,
    body: { error: 'invalid_client' },
  })
  await expect(connection.call('list_photos')).rejects.toThrow(UnauthorizedError)
  expect(keeper.registered).toEqual([id, expect.any(String)])
  expect(keeper.registered[1]).not.toBe(id)
  const { callback } = await atBrowser(keeper)
  await connection.finish(callback)
  expect(await connection.call('list_photos')).toBe('bridge, harbour')
  await connection.close()
})

test('a client whose access the user has withdrawn asks again', async () => {
  const keeper = new MemoryOAuth()
  const connection = await connected(keeper, 'auto')
  await oauth.grants.revokeUser('ada')
  await expect(connection.call('list_photos')).rejects.toThrow(UnauthorizedError)
  expect(keeper.registered).toHaveLength(1)
  const { callback, page } = await atBrowser(keeper)
  expect(scopesIn(page, 'required')).toContain('photos')
  await connection.finish(callback)
  expect(await connection.call('list_photos')).toBe('bridge, harbour')
  await connection.close()
})

/** Most clients in the field are built on this one. */
describe('a client of the first version of the SDK', () => {
  async function openV1(keeper: MemoryOAuth) {
    const transport = new StreamableHTTPClientTransportV1(new URL('/mcp', origin), { authProvider: keeper })
    const client = new ClientV1({ name: 'assistant', version: '1.0.0' })
    const problem = await client.connect(transport).then(
      () => undefined,
      (error: unknown) => error,
    )
    const call = async (name: string, args = {}) => {
      const { content } = await client.callTool({ name, arguments: args })
      return (content as { text: string }[])[0]?.text
    }
    const finish = (callback: URL) => transport.finishAuth(callback.searchParams.get('code') ?? '')
    return { problem, call, finish, close: () => client.close() }
  }

  async function connectedV1(keeper: MemoryOAuth) {
    const first = await openV1(keeper)
    expect(first.problem).toBeInstanceOf(UnauthorizedErrorV1)
    await first.finish((await atBrowser(keeper)).callback)
    const connection = await openV1(keeper)
    expect(connection.problem).toBeUndefined()
    return connection
  }

  test.each([
    ['registers itself', () => new MemoryOAuth(), 1],
    ['brings its document', () => documented(), 0],
  ])('%s, calls a tool and refreshes', async (_name, keeperOf, registrations) => {
    const keeper = keeperOf()
    const connection = await connectedV1(keeper)
    expect(keeper.registered).toHaveLength(registrations)
    expect(keeper.asked[0]?.searchParams.get('scope')).toBe('photos')
    expect(await connection.call('list_photos')).toBe('bridge, harbour')
    const before = keeper.current?.refresh_token
    expect(before).toEqual(expect.any(String))
    time += 3_600_000
    expect(await connection.call('list_photos')).toBe('bridge, harbour')
    expect(keeper.current?.refresh_token).not.toBe(before)
    expect(keeper.asked).toHaveLength(1)
    await connection.close()
  })

  // With a refresh token it tries that instead, gets no more scopes by it, and gives up.
  test('steps up where it has no refresh token; it asks for what the challenge names, so that names all', async () => {
    const keeper = new MemoryOAuth()
    keeper.clientMetadata.grant_types = ['authorization_code']
    const connection = await connectedV1(keeper)
    await expect(connection.call('delete_photo', { name: 'sunset' })).rejects.toThrow(UnauthorizedErrorV1)
    expect(keeper.asked[1]?.searchParams.get('scope')).toBe('photos photos:delete')
    const { callback, page } = await atBrowser(keeper)
    expect(scopesIn(page, 'required')).toEqual(['photos:delete'])
    await connection.finish(callback)
    expect(await connection.call('delete_photo', { name: 'sunset' })).toBe('There is no sunset')
    await connection.close()
  })
})

describe('a server of the first version of the SDK, behind a guard that is told what each tool needs', () => {
  beforeAll(() => {
    host.all(
      '/classic',
      express.json(),
      oauth.requireToken((req) => (toolCalls(req).includes('erase') ? 'photos photos:delete' : 'photos'), {
        user: true,
      }),
      async (req, res) => {
        const server = new McpServerV1({ name: 'classic', version: '1.0.0' })
        const told = (extra: { authInfo?: AuthInfoV1 }) => {
          const { userId, clientId, scopes } = extra.authInfo as TokenAuth
          const text = JSON.stringify({ userId, clientId, scopes })
          return { content: [{ type: 'text' as const, text }] }
        }
        server.registerTool('look', {}, told)
        server.registerTool('erase', {}, told)
        const transport = new StreamableHTTPServerTransport({})
        await server.connect(transport as Parameters<typeof server.connect>[0])
        await transport.handleRequest(req, res, req.body)
      },
    )
  })

  test('the caller is seen, and a client steps up for the one tool that needs it', async () => {
    const keeper = new MemoryOAuth()
    const connection = await connected(keeper, 'legacy', '/classic')
    const [clientId] = keeper.registered
    expect(keeper.asked[0]?.searchParams.get('resource')).toBe(`${origin}/classic`)
    const scopes = ['photos', 'offline_access']
    expect(JSON.parse(await connection.call('look'))).toEqual({ userId: 'ada', clientId, scopes })
    await expect(connection.call('erase')).rejects.toThrow(UnauthorizedError)
    const { callback, page } = await atBrowser(keeper)
    expect(scopesIn(page, 'required')).toEqual(['photos:delete'])
    await connection.finish(callback)
    const more = { userId: 'ada', clientId, scopes: expect.arrayContaining(['photos', 'photos:delete']) }
    expect(JSON.parse(await connection.call('erase'))).toEqual(more)
    await connection.close()
  })

  test('a tool that needs more is not to be had in a batch either', async () => {
    const keeper = new MemoryOAuth()
    const connection = await connected(keeper, 'legacy', '/classic')
    const call = (id: number, name: string) => ({
      ...{ jsonrpc: '2.0', id, method: 'tools/call' },
      params: { name, arguments: {} },
    })
    const post = (messages: unknown) =>
      fetch(`${origin}/classic`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${keeper.current?.access_token}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
        },
        body: JSON.stringify(messages),
      })
    const harmless = await post([call(1, 'look'), call(2, 'look')])
    expect(harmless.status).toBe(200)
    expect((await harmless.text()).match(/userId/g)).toHaveLength(2)
    const mixed = await post([call(1, 'look'), call(2, 'erase')])
    expect(mixed.status).toBe(403)
    expect(mixed.headers.get('www-authenticate')).toContain('error="insufficient_scope"')
    await connection.close()
  })

  test('nor in a body that express.json() leaves to the transport', async () => {
    const keeper = new MemoryOAuth()
    const connection = await connected(keeper, 'legacy', '/classic')
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'erase', arguments: {} } }
    for (const type of [
      'text/plain; a=application/json',
      'text/json, application/json',
      'application/json-rpc',
      '',
    ]) {
      const refused = await fetch(`${origin}/classic`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${keeper.current?.access_token}`,
          'content-type': type,
          accept: 'application/json, text/event-stream',
        },
        body: Buffer.from(JSON.stringify(call)),
      })
      expect(refused.status).toBe(400)
      expect(refused.headers.get('www-authenticate')).toContain('error="invalid_request"')
    }
    await connection.close()
  })
})

test.each([
  ['one call', { method: 'tools/call', params: { name: 'a' } }, ['a']],
  [
    'a batch, each tool once',
    ['a', 'b', 'a'].map((name) => ({ method: 'tools/call', params: { name } })),
    ['a', 'b'],
  ],
  ['another method', { method: 'prompts/get', params: { name: 'a' } }, []],
  ['a name that is none', { method: 'tools/call', params: { name: ['a'] } }, []],
  ['no parameters', [{ method: 'tools/call', params: null }, { method: 'tools/call' }], []],
  ['no body', undefined, []],
  ['what express.json() of Express 4 makes of none', {}, []],
  ['null', null, []],
  ['text', 'tools/call', []],
  ['what is no message', [null, 7, 'a', []], []],
])('toolCalls reads %s', (_, body, names) => {
  expect(toolCalls(Object.assign(new IncomingMessage(new Socket()), { body }))).toEqual(names)
})
