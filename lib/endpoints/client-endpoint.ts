import type { ClientAuthenticator } from '../client-auth/authenticate.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { reportable } from '../clients/find.js'
import { OAuthError, type ToldRefusal, toldOf } from '../errors.js'
import type { MachineEndpoint } from '../http/machine.js'
import type { MachineReply } from '../http/reply.js'
import type { MachineRequest } from '../http/request.js'
import { optional } from '../optional.js'

/** What an endpoint does for a client that has proven who it is. */
export type ClientEndpoint = (client: AuthenticatedClient, request: MachineRequest) => Promise<MachineReply>

/** Tells a refusal, with the client where it is known. */
export type TellRefusal = (refusal: ToldRefusal & { readonly clientId?: string }, endpoint: string) => void

/** An endpoint that clients call themselves: it authenticates them (RFC 6749 §2.3), and tells each refusal. */
export function clientEndpoint(
  authenticator: ClientAuthenticator,
  tell: TellRefusal,
  endpoint: ClientEndpoint,
): MachineEndpoint {
  return async (request) => {
    const presented = request.parameters.get('client_id')
    let clientId = presented && reportable(presented)
    try {
      const client = await authenticator.authenticate(request)
      clientId = client.id
      return await endpoint(client, request)
    } catch (error) {
      if (error instanceof OAuthError)
        tell({ ...toldOf(error), ...optional('clientId', clientId) }, request.endpoint)
      throw error
    }
  }
}
