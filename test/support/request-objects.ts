import { encode, type Form } from './agent.js'
import { type Signer, signJwt } from './assertions.js'
import { pkjKey } from './clients.js'
import type { Host } from './host.js'
import { requestParameters } from './pushed.js'

export interface ObjectOptions {
  readonly client?: string
  readonly signer?: Signer
  /** Added to, or replacing, the parameters of the authorization request; undefined leaves one out. */
  readonly params?: Form
  /** The same for all claims, of any type. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** The same for the header. */
  readonly header?: Readonly<Record<string, unknown>>
}

/** A request object that is right in every respect, but for what the options change. */
export function requestObject(host: Host, options: ObjectOptions = {}): string {
  const { client = 'pkj', signer = pkjKey, params = {}, claims = {}, header = {} } = options
  const asked = Object.entries(requestParameters(host, { client, params })).map(([name, values = []]) => {
    return [name, values.length > 1 ? values : values[0]]
  })
  const now = Math.floor(host.now() / 1000)
  return signJwt(
    { alg: 'ES256', typ: 'oauth-authz-req+jwt', ...header } as { alg: string },
    {
      ...{ iss: client, aud: host.issuer, iat: now, nbf: now, exp: now + 60 },
      ...Object.fromEntries(asked),
      ...claims,
    },
    signer,
  )
}

/** Where a client sends the browser with a request object; `params` stand beside it. */
export function signedUrl(
  host: Host,
  request: string,
  { client = 'pkj', params = {} }: Pick<ObjectOptions, 'client' | 'params'> = {},
): string {
  return `${host.issuer}/authorize?${encode({ client_id: client, request, ...params })}`
}
