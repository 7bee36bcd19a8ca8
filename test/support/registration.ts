import { fetch } from './fetch.js'
import type { Host } from './host.js'
import { expectMachineHeaders, type RawAnswer } from './token-endpoint.js'

export const CALLBACK = 'https://rp.example/cb'
/** What an MCP client registers. */
export const native = {
  client_name: 'Native',
  redirect_uris: ['http://127.0.0.1/cb'],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
}

/** What the endpoint says of a client that has registered itself. */
export interface Registered {
  readonly client_id: string
  readonly client_secret: string
  readonly registration_client_uri: string
  readonly registration_access_token: string
  readonly [member: string]: unknown
}

interface Asking {
  /** The whole header, where it is not `Bearer` and a token. */
  readonly authorization?: string
  readonly token?: string | undefined
  readonly type?: string
  /** Where it comes from, for a host that trusts its proxy. */
  readonly address?: string
}

/** Posts metadata to `/register`; a string is sent as it is. */
export function register(host: Host, metadata: unknown, asking: Asking = {}): Promise<RawAnswer> {
  return ask(`${host.issuer}/register`, 'POST', metadata, asking)
}

/** The same of what has to be accepted. */
export async function registered(host: Host, metadata: unknown, asking: Asking = {}): Promise<Registered> {
  const { status, body } = await register(host, metadata, asking)
  if (status !== 201) throw new Error(`not registered: ${status} ${JSON.stringify(body)}`)
  return body as Registered
}

/** A client that manages itself, or something that tries to. */
export function manage(
  { registration_client_uri: uri, registration_access_token: token }: Registered,
  method: string,
  metadata?: unknown,
  asking: Asking = {},
): Promise<RawAnswer> {
  return ask(uri, method, metadata, { token, ...asking })
}

async function ask(
  url: string,
  method: string,
  metadata: unknown,
  { token, authorization = token && `Bearer ${token}`, type = 'application/json', address }: Asking,
): Promise<RawAnswer> {
  const body = metadata === undefined || typeof metadata === 'string' ? metadata : JSON.stringify(metadata)
  const response = await fetch(url, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': type }),
      ...(authorization && { authorization }),
      ...(address && { 'x-forwarded-for': address }),
    },
    ...(body !== undefined && { body }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json')
  return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : {} }
}

/** A refusal of RFC 7591 §3.2.2 that names the member. */
export function expectRefused({ status, headers, body }: RawAnswer, error: string, pattern: RegExp): void {
  expect({ status, error: body.error }).toEqual({ status: 400, error })
  expectMachineHeaders(headers)
  expect(Object.keys(body).sort()).toEqual(['error', 'error_description'])
  expect(body.error_description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/)
  expect(body.error_description).toMatch(pattern)
}

/** The one refusal of whoever has not the right token: the challenge names an error only where something was sent. */
export function expectUnauthorized({ status, headers, body }: RawAnswer, presented = true): void {
  expect({ status, error: body.error }).toEqual({ status: 401, error: 'invalid_token' })
  expectMachineHeaders(headers)
  const challenge = headers.get('www-authenticate') ?? ''
  expect(challenge).toMatch(/^Bearer /)
  expect(challenge.includes('error="invalid_token"')).toBe(presented)
}
