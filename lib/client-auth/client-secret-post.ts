import { OAuthError } from '../errors.js'
import type { AuthMethod } from './credentials.js'

/** RFC 6749 §2.3.1: id and secret in the body. */
export const clientSecretPost: AuthMethod = {
  isPresented({ parameters }) {
    return parameters.get('client_secret') !== undefined
  },
  read({ parameters }) {
    const clientId = parameters.get('client_id')
    if (clientId === undefined) {
      throw new OAuthError('invalid_request', 'client_id is missing beside client_secret.', {
        reason: 'client_id_missing',
      })
    }
    const secrets = [parameters.get('client_secret') ?? '']
    return { clientId, verify: (client, { guard, from }) => guard.check(client, secrets, from) }
  },
}
