import { request } from 'node:http'
import type { Database } from 'better-sqlite3'
import { encode, type Form } from './agent.js'
import { fetch } from './fetch.js'
import type { TokenResponse } from './flow.js'
import type { Host } from './host.js'

/** What a client gets that sends anything it likes to the token endpoint, or to another one at `path`; `body` is undefined where the answer is not JSON. */
export interface RawAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: Record<string, unknown>
}

export async function send(
  host: Host,
  { path = '/token', query = '', ...init }: RequestInit & { path?: string; query?: string } = {},
): Promise<RawAnswer> {
  const response = await fetch(`${host.issuer}${path}${query}`, { method: 'POST', ...init })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: parse(text) }
}

/** The same from another address of this computer. */
export function sendFrom(
  host: Host,
  localAddress: string,
  form: Form,
  headers: Record<string, string> = {},
  endpoint = '/token',
): Promise<RawAnswer> {
  const body = encode(form).toString()
  const { port } = new URL(host.origin)
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        localAddress,
        path: new URL(host.issuer + endpoint).pathname,
        method: 'POST',
        headers: {
          'Content-Type': 'application/x-www-form-urlencoded',
          'Content-Length': Buffer.byteLength(body),
          ...headers,
        },
      },
      async (response) => {
        const text = Buffer.concat(await response.toArray()).toString()
        const entries = Object.entries(response.headers).map(([name, value]) => [name, String(value)])
        const status = response.statusCode ?? 0
        resolve({ status, headers: new Headers(entries as [string, string][]), text, body: parse(text) })
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

/** CHECKS' macro JERR: an error as RFC 6749 §5.2 has it, and nothing beside it. */
export function expectRefusal(
  { status, headers, body }: Pick<RawAnswer, 'status' | 'headers' | 'body'> | TokenResponse,
  expectedStatus: number,
  error: string,
): void {
  expect({ status, error: body.error }).toEqual({ status: expectedStatus, error })
  expectMachineHeaders(headers)
  expect(Object.keys(body).filter((name) => !['error', 'error_description'].includes(name))).toEqual([])
  expect(body.error_description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/)
  if (expectedStatus === 401) expect(headers.get('www-authenticate')).toMatch(/^Basic realm="[^"]+"/)
  if (expectedStatus === 429) expect(headers.get('retry-after')).toMatch(/^[1-9][0-9]*$/)
}

/** A description says what to change, not only what is wrong. */
export const REMEDY =
  /\b(?:must|needs|or none|(?:ask|bring|connect|leave|make|poll|prove|redeem|send|separate|start|use) (?!of)\w+)\b/i

/** CHECKS' TOK-01. */
export function expectTokens({ status, headers, body }: RawAnswer | TokenResponse): void {
  expect({ status, error: body.error, description: body.error_description }).toEqual({ status: 200 })
  expectMachineHeaders(headers)
  expect(body.access_token).toMatch(/^[\x21-\x7e]+$/)
  expect(body.token_type).toBe('Bearer')
  expect(Number.isInteger(body.expires_in)).toBe(true)
  expect(body.expires_in).toBeGreaterThan(0)
  expect(body.expires_in).toBeLessThanOrEqual(3600)
  expect(body.scope).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/)
  const members = ['access_token', 'token_type', 'expires_in', 'refresh_token', 'scope']
  expect(Object.keys(body).filter((name) => !members.includes(name))).toEqual([])
  expect(Object.values(body)).not.toContain(null)
}

/** What every answer for machines carries (RFC 6749 §5.1). */
export function expectMachineHeaders(headers: Headers): void {
  expect(headers.get('content-type')).toMatch(/^application\/json(;|$)/)
  expect(headers.get('cache-control')).toBe('no-store')
  expect(headers.get('pragma')).toBe('no-cache')
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(headers.get('access-control-allow-origin')).toBe('*')
  expect(headers.get('access-control-allow-credentials')).toBeNull()
  expect(headers.get('set-cookie')).toBeNull()
  expect(headers.get('location')).toBeNull()
}

/** Every value of every column of every table, as text; blobs in the spellings in which somebody could read them. */
export function dump(database: Database): string {
  const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all()
  return tables
    .flatMap((table) => database.prepare(`SELECT * FROM "${table}"`).raw().all() as unknown[][])
    .flat()
    .map((value) =>
      Buffer.isBuffer(value)
        ? (['latin1', 'hex', 'base64', 'base64url'] as const)
            .map((encoding) => value.toString(encoding))
            .join('\n')
        : String(value),
    )
    .join('\n')
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
