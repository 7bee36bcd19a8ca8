import { OAuthError, type ToldRefusal, toldOf } from '../errors.js'
import type { MachineEndpoint } from '../http/machine.js'
import type { MachineReply } from '../http/reply.js'
import type { MachineRequest } from '../http/request.js'
import { optional } from '../optional.js'

/** Tells a refusal, with the client where it is known. */
export type TellRefusal = (refusal: ToldRefusal & { readonly clientId?: string }, endpoint: string) => void

/** An endpoint for machines that tells each refusal. `about`: which client the request comes from, as far as that is known by now. */
export function tellingRefusals(
  tell: TellRefusal,
  endpoint: (request: MachineRequest, about: (clientId: string | undefined) => void) => Promise<MachineReply>,
): MachineEndpoint {
  return async (request) => {
    let clientId: string | undefined
    const about = (known: string | undefined) => {
      clientId = known
    }
    try {
      return await endpoint(request, about)
    } catch (error) {
      if (error instanceof OAuthError)
        tell({ ...toldOf(error), ...optional('clientId', clientId) }, request.endpoint)
      throw error
    }
  }
}
