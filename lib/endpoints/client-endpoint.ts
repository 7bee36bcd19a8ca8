import type { ClientAuthenticator } from '../client-auth/authenticate.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { type DocumentUse, reportable } from '../clients/find.js'
import type { MachineEndpoint } from '../http/machine.js'
import type { MachineReply } from '../http/reply.js'
import type { MachineRequest } from '../http/request.js'
import type { Runtime } from '../runtime.js'
import { type TellRefusal, tellingRefusals } from './telling-refusals.js'

/** What an endpoint does for a client that has proven who it is. */
export type ClientEndpoint = (
  runtime: Runtime,
  client: AuthenticatedClient,
  request: MachineRequest,
) => Promise<MachineReply>

/** An endpoint that clients call themselves: it authenticates them (RFC 6749 §2.3), and tells each refusal. `use`: what counts there of a client that has come by its document. */
export function clientEndpoint(
  authenticator: ClientAuthenticator,
  tell: TellRefusal,
  endpoint: (client: AuthenticatedClient, request: MachineRequest) => Promise<MachineReply>,
  use: DocumentUse,
): MachineEndpoint {
  return tellingRefusals(tell, async (request, about) => {
    const presented = request.parameters.get('client_id')
    about(presented && reportable(presented))
    const client = await authenticator.authenticate(request, use)
    about(client.id)
    return endpoint(client, request)
  })
}
