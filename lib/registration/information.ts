import { optional } from '../optional.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { declaredBy } from './declared.js'

/** The path of the endpoint under the mount. */
export const REGISTRATION_PATH = '/register'

/** What a client is told of its registration (RFC 7591 §3.2.1, RFC 7592 §3). `secret`: a new one. `token`: with which it manages this. */
export function clientInformation(
  { settings }: Pick<Runtime, 'settings'>,
  client: Client,
  { secret, token }: { readonly secret?: string | undefined; readonly token?: string | undefined } = {},
): object {
  return {
    client_id: client.id,
    client_id_issued_at: Math.floor(client.createdAt / 1000),
    ...optional('client_secret', secret),
    // 0: it does not end.
    ...(client.secret !== undefined && { client_secret_expires_at: 0 }),
    // RFC 7591 §2. Who names none may send its secret in the body too, and is not told to.
    ...(client.confidential && { token_endpoint_auth_method: 'client_secret_basic' }),
    ...declaredBy(client),
    ...optional('software_statement', client.softwareStatement),
    ...(token !== undefined && {
      registration_client_uri: `${settings.issuer}${REGISTRATION_PATH}/${encodeURIComponent(client.id)}`,
      registration_access_token: token,
    }),
  }
}
