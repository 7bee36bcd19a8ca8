import { GRANT_TYPES } from '../grant-types.js'
import type { AccessTokenData } from '../tokens/access-token.js'
import { accessTokenAlone } from './access-token-alone.js'
import type { GrantType } from './grant-type.js'
import { registeredDetails, registeredScopes, requestedAudience, scopesWithin } from './own-access.js'

/** RFC 6749 §4.4: a client speaks for itself. */
export const clientCredentials: GrantType = {
  ...GRANT_TYPES.clientCredentials,
  parameters: ['scope', 'authorization_details'],

  async issue(runtime, client, { parameters, confirmation }) {
    const { settings } = runtime
    const audience = requestedAudience(parameters.all('resource'), [settings.origin], settings)
    const details = registeredDetails(parameters, client, audience, settings)
    const scope = parameters.get('scope')
    const ceiling = () => ({ scopes: registeredScopes(client, settings), usual: settings.defaultScopes })
    // RFC 9396 §3.1: who asks for details need not ask for scopes, and then gets none.
    const onlyDetails = details !== undefined && scope === undefined
    const scopes = onlyDetails ? [] : scopesWithin(ceiling(), scope, audience, settings)

    const data: AccessTokenData = {
      clientId: client.id,
      scopes,
      audience,
      issuedAt: runtime.now(),
      confirmation,
      authorizationDetails: details,
    }
    return accessTokenAlone(runtime, client, data, { grantType: this.name, lineage: {} })
  },
}
