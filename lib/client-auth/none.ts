import { type AuthMethod, presentsAssertion } from './credentials.js'

/** A public client says who it is and proves it by PKCE alone (RFC 6749 §3.2.1). */
export const none: AuthMethod = {
  name: 'none',
  read(presented) {
    const { authorization, parameters } = presented
    const clientId = parameters.get('client_id')
    const proves = authorization !== undefined || parameters.get('client_secret') !== undefined
    if (clientId === undefined || proves || presentsAssertion(presented)) return undefined
    return { method: this.name, clientId, secrets: [] }
  },
}
