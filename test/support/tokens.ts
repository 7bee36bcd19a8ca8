import { encode, type Form } from './agent.js'
import { fetch } from './fetch.js'
import { callApi, credentials, refresh } from './flow.js'
import type { Host } from './host.js'
import { expectRefusal, type RawAnswer } from './token-endpoint.js'

interface Asking {
  /** Who asks; default `conf`. */
  readonly client?: string
  readonly form?: Form
  readonly headers?: Record<string, string>
}

/** Posts to an endpoint as this client, in the way that `postToken` does. */
export async function postAs(
  host: Host,
  path: string,
  { client = 'conf', form = {}, headers = {} }: Asking,
): Promise<RawAnswer> {
  const response = await fetch(host.issuer + path, {
    method: 'POST',
    headers: { ...credentials(client).headers, ...headers },
    body: encode({ ...credentials(client).form, ...form }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type') === 'application/json'
  return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : {} }
}

export function revoke(host: Host, token: string, asking: Asking = {}): Promise<RawAnswer> {
  return postAs(host, '/revoke', { ...asking, form: { token, ...asking.form } })
}

export function introspect(host: Host, token: string, asking: Asking = {}): Promise<RawAnswer> {
  return postAs(host, '/introspect', { ...asking, form: { token, ...asking.form } })
}

export interface Tokens {
  readonly access_token?: string
  readonly refresh_token?: string
}

/** CHECKS' macro DEAD. `witness`: who introspects, where that is not the client itself; a public one cannot. */
export async function expectDead(
  host: Host,
  { access_token, refresh_token }: Tokens,
  { client = 'conf', witness = client }: { readonly client?: string; readonly witness?: string } = {},
): Promise<void> {
  const userinfo = new URL(`${host.issuer}/userinfo`).pathname
  for (const path of access_token === undefined ? [] : ['/api/any', userinfo]) {
    const { status, headers } = await callApi(host, path, access_token)
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toContain('error="invalid_token"')
  }
  const given = [access_token, refresh_token].filter((token) => token !== undefined)
  for (const token of isPublic(witness) ? [] : given)
    expect((await introspect(host, token, { client: witness })).text).toBe('{"active":false}')
  if (refresh_token !== undefined)
    expectRefusal(await refresh(host, refresh_token, { client }), 400, 'invalid_grant')
}

function isPublic(client: string): boolean {
  return 'client_id' in credentials(client).form && !('client_secret' in credentials(client).form)
}
