import type { ClientMetadata } from '../../lib/index.js'
import { type Agent, encode, type Form, inputValue, type Page } from './agent.js'
import { fetch } from './fetch.js'
import { basic, signedIn, type TokenResponse } from './flow.js'
import type { Host } from './host.js'
import { expectMachineHeaders, type RawAnswer } from './token-endpoint.js'

export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

/** Clients for devices: public ones, a confidential one, and one that has only this grant. */
export const deviceClients: readonly ClientMetadata[] = [
  { client_id: 'tv', client_name: 'Television', grant_types: [DEVICE_GRANT, 'refresh_token'] },
  { client_id: 'radio', client_name: 'Radio', grant_types: [DEVICE_GRANT], scope: 'openid read' },
  {
    client_id: 'box',
    client_secret: 'box-secret',
    client_name: 'Set-top Box',
    client_uri: 'https://box.example/about',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: [DEVICE_GRANT, 'authorization_code', 'refresh_token'],
    redirect_uris: ['https://box.example/cb'],
  },
]

/** A successful answer of the device authorization endpoint (RFC 8628 §3.2). */
export interface DeviceCodes {
  readonly device_code: string
  readonly user_code: string
  readonly verification_uri: string
  readonly verification_uri_complete: string
  readonly expires_in: number
  readonly interval: number
}

interface AsClient {
  readonly client?: string
  readonly form?: Form
  readonly headers?: Record<string, string>
}

/** Posts as this client: `box` has a secret, the others are public. */
async function post(
  host: Host,
  path: string,
  { client = 'tv', form = {}, headers = {} }: AsClient,
): Promise<RawAnswer> {
  const secret = client === 'box' ? { authorization: basic(client, 'box-secret') } : {}
  const response = await fetch(host.issuer + path, {
    method: 'POST',
    headers: { ...secret, ...headers },
    body: encode({ ...(client !== 'box' && { client_id: client }), ...form }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) }
}

/** Asks for codes, with the scope `read` if `form` says nothing else. */
export function askForCodes(host: Host, options: AsClient = {}): Promise<RawAnswer> {
  return post(host, '/device_authorization', { ...options, form: { scope: 'read', ...options.form } })
}

/** The same where it has to succeed. */
export async function startDevice(host: Host, options: AsClient = {}): Promise<DeviceCodes> {
  const { status, headers, body } = await askForCodes(host, options)
  expect({ status, error: body.error_description }).toEqual({ status: 200 })
  expectMachineHeaders(headers)
  return body as unknown as DeviceCodes
}

/** Asks at the token endpoint whether the user has decided. */
export async function poll(
  host: Host,
  { device_code }: { readonly device_code: string },
  { form = {}, ...options }: AsClient = {},
): Promise<TokenResponse> {
  const asked = { grant_type: DEVICE_GRANT, device_code, ...form }
  return (await post(host, '/token', { ...options, form: asked })) as RawAnswer & TokenResponse
}

/** Enters a code, or what shall pass for one, at the page for devices. */
export async function enterCode(host: Host, agent: Agent, code: string, form: Form = {}): Promise<Page> {
  const page = await agent.get(`${host.issuer}/device`)
  return agent.post(`${host.issuer}/device`, { _csrf: inputValue(page, '_csrf'), user_code: code, ...form })
}

/** Presses a button on the page that asks. */
export function decideOn(
  host: Host,
  agent: Agent,
  page: Page,
  decision: 'approve' | 'deny',
  form: Form = {},
): Promise<Page> {
  const [csrf, code] = [inputValue(page, '_csrf'), inputValue(page, 'user_code')]
  return agent.post(`${host.issuer}/device`, { _csrf: csrf, user_code: code, decision, ...form })
}

/** A person with a browser decides about a device. */
export async function decideAs(
  host: Host,
  { user_code }: { readonly user_code: string },
  decision: 'approve' | 'deny' = 'approve',
  {
    user = 'alice',
    agent,
    form = {},
  }: { readonly user?: string; readonly agent?: Agent; readonly form?: Form } = {},
): Promise<Page> {
  const browser = agent ?? (await signedIn(host, user))
  return decideOn(host, browser, await enterCode(host, browser, user_code), decision, form)
}
