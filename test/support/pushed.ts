import { encode, type Form } from './agent.js'
import { assertion, withAssertion } from './assertions.js'
import { fetch } from './fetch.js'
import { authorizeUrl, credentials } from './flow.js'
import type { Host } from './host.js'
import type { RawAnswer } from './token-endpoint.js'

export interface PushOptions {
  readonly client?: string
  /** Added to, or replacing, the parameters of the authorization request; undefined leaves one out. */
  readonly params?: Form
  readonly headers?: Record<string, string>
  /** What the client authenticates with, in place of its own. */
  readonly proof?: { readonly headers: Record<string, string>; readonly form: Form }
}

/** The parameters of an authorization request that is right in every respect, but for what `params` changes. */
export function requestParameters(host: Host, { client = 'conf', params = {} }: PushOptions = {}): Form {
  const { searchParams } = new URL(authorizeUrl(host, { client, params }))
  return Object.fromEntries([...searchParams.keys()].map((name) => [name, searchParams.getAll(name)]))
}

/** Pushes such a request. */
export function push(host: Host, options: PushOptions = {}): Promise<RawAnswer> {
  return postPar(host, requestParameters(host, options), options)
}

/** Sends anything to `/par`, as this client. */
export async function postPar(host: Host, form: Form, options: PushOptions = {}): Promise<RawAnswer> {
  const { client = 'conf', headers = {}, proof = proofOf(host, client) } = options
  const response = await fetch(`${host.issuer}/par`, {
    method: 'POST',
    headers: { ...proof.headers, ...headers },
    body: encode({ ...form, ...proof.form }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) }
}

function proofOf(host: Host, client: string) {
  if (client !== 'pkj' && client !== 'csj') return credentials(client)
  return { headers: {}, form: withAssertion(assertion(host, { client })) }
}

/** The `request_uri` of such a request. */
export async function pushed(host: Host, options: PushOptions = {}): Promise<string> {
  return uriOf(await push(host, options))
}

export function uriOf({ status, body }: RawAnswer): string {
  if (status !== 201) throw new Error(`not pushed: ${status} ${JSON.stringify(body)}`)
  return String(body.request_uri)
}

/** Where a client sends the browser with a `request_uri`. */
export function visitUrl(
  host: Host,
  request_uri: string,
  { client = 'conf', params = {} }: Pick<PushOptions, 'client' | 'params'> = {},
): string {
  return `${host.issuer}/authorize?${encode({ client_id: client, request_uri, ...params })}`
}
