import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { keepForGood } from '../clients/lasting.js'
import { OAuthError } from '../errors.js'
import { authorizationCode } from '../grants/authorization-code.js'
import { clientCredentials } from '../grants/client-credentials.js'
import { deviceCode } from '../grants/device-code.js'
import type { GrantType } from '../grants/grant-type.js'
import { jwtBearer } from '../grants/jwt-bearer.js'
import { refreshToken } from '../grants/refresh-token.js'
import { tokenExchange } from '../grants/token-exchange.js'
import type { JsonReply } from '../http/reply.js'
import type { MachineRequest } from '../http/request.js'
import type { Parameters } from '../parameters.js'
import type { Possession } from '../possession/possession.js'
import type { Runtime } from '../runtime.js'
import type { Settings } from '../settings.js'

const TYPES: readonly GrantType[] = [
  authorizationCode,
  refreshToken,
  clientCredentials,
  deviceCode,
  tokenExchange,
  jwtBearer,
]

/** The names that metadata lists. */
export function grantTypeNames(settings: Settings): readonly string[] {
  return TYPES.filter(({ isOffered }) => isOffered?.(settings) ?? true).map(({ name }) => name)
}

/** What may come once only, whatever the grant type (RFC 6749 §3.2). */
const ONCE = ['grant_type', ...TYPES.flatMap(({ parameters }) => parameters)]

/** RFC 6749 §3.2: what a client asks for, whether it may, and then the grant itself. */
export async function token(
  runtime: Runtime,
  possession: Possession,
  client: AuthenticatedClient,
  request: MachineRequest,
): Promise<JsonReply> {
  const { parameters } = request
  const grantType = requestedGrantType(parameters, runtime.settings)
  refuseUnlessAllowed(client, grantType)
  const confirmation = await possession.confirm(client, request)
  const body = await grantType.issue(runtime, client, { parameters, confirmation })
  if (client.expiresAt !== undefined) await keepFromNowOn(runtime, client)
  return { status: 200, body, headers: possession.nonceFor(request.sender) }
}

/** The tokens are there whether this succeeds or not; where it does not, the next ones bring it about. */
async function keepFromNowOn(runtime: Runtime, client: AuthenticatedClient): Promise<void> {
  await keepForGood(runtime, client).catch((error: unknown) =>
    runtime.emit('server.error', { error, endpoint: '/token' }),
  )
}

/** RFC 6749 §5.2 */
function refuseUnlessAllowed(client: AuthenticatedClient, { name, onlyConfidential }: GrantType): void {
  if (!client.grantTypes.includes(name))
    throw new OAuthError('unauthorized_client', 'This client is not registered for this grant_type.', {
      reason: 'grant_type_not_registered',
    })
  if (onlyConfidential && !client.confidential)
    throw new OAuthError('unauthorized_client', 'This grant_type is for clients with a secret or a key.', {
      reason: 'client_public',
    })
}

function requestedGrantType(parameters: Parameters, settings: Settings): GrantType {
  parameters.refuseRepeated(ONCE)
  const name = parameters.get('grant_type')
  if (name === undefined) {
    throw new OAuthError(
      'invalid_request',
      'grant_type is missing. Send it in the body, as application/x-www-form-urlencoded.',
      { reason: 'grant_type_missing' },
    )
  }
  const grantType = TYPES.find((known) => known.name === name)
  if (grantType !== undefined && (grantType.isOffered?.(settings) ?? true)) return grantType
  const offered = grantTypeNames(settings).join(' ')
  throw new OAuthError('unsupported_grant_type', `grant_type must be one of: ${offered}`, {
    reason: 'grant_type_unknown',
  })
}
