import type { ClientAuthenticator } from '../client-auth/authenticate.js'
import { reportable } from '../clients/find.js'
import { OAuthError } from '../errors.js'
import { authorizationCode } from '../grants/authorization-code.js'
import type { GrantType } from '../grants/grant-type.js'
import { refreshToken } from '../grants/refresh-token.js'
import type { JsonReply } from '../http/reply.js'
import type { MachineRequest } from '../http/request.js'
import type { Parameters } from '../parameters.js'
import type { Runtime } from '../runtime.js'

const GRANT_TYPES: readonly GrantType[] = [authorizationCode, refreshToken]

/** The names that metadata lists. */
export const grantTypeNames = GRANT_TYPES.map(({ name }) => name)

/** What may come once only, whatever the grant type (RFC 6749 §3.2). */
const ONCE = ['grant_type', ...GRANT_TYPES.flatMap(({ parameters }) => parameters)]

/** RFC 6749 §3.2: who asks, what for, whether they may, and then the grant itself. */
export async function token(
  runtime: Runtime,
  authenticator: ClientAuthenticator,
  request: MachineRequest,
): Promise<JsonReply> {
  const { parameters } = request
  const presented = parameters.get('client_id')
  let clientId = presented && reportable(presented)
  try {
    const client = await authenticator.authenticate(request)
    clientId = client.id
    const grantType = requestedGrantType(parameters)
    if (!client.grantTypes.includes(grantType.name)) {
      throw new OAuthError('unauthorized_client', 'This client is not registered for this grant_type.', {
        reason: 'grant_type_not_registered',
      })
    }
    return { status: 200, body: await grantType.issue(runtime, client, parameters) }
  } catch (error) {
    if (error instanceof OAuthError) {
      const { code, reason } = error
      runtime.emit('token.refused', { ...(clientId !== undefined && { clientId }), error: code, reason })
    }
    throw error
  }
}

function requestedGrantType(parameters: Parameters): GrantType {
  parameters.refuseRepeated(ONCE)
  const name = parameters.get('grant_type')
  if (name === undefined) {
    throw new OAuthError('invalid_request', 'grant_type is missing.', { reason: 'grant_type_missing' })
  }
  const grantType = GRANT_TYPES.find((known) => known.name === name)
  if (grantType !== undefined) return grantType
  throw new OAuthError('unsupported_grant_type', `grant_type must be one of: ${grantTypeNames.join(' ')}`, {
    reason: 'grant_type_unknown',
  })
}
